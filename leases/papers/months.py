"""The papers of a month (*avis d'échéance, quittances, reçus*), for one lease or for the whole stock.

A quittance is given only for a month paid whole, rent and charges apart; for a part, a reçu (loi
89-462, art. 21; RECEIPT_WHOLE_ONLY). Whether it is paid follows from the imputation of the ledger
(queries/aged.sql), never from a mark. The household's own share is what counts: a housing benefit
paid to the landlord is deducted and shown. For a residence, optional services stand on an invoice
apart; what is owed after the title is an indemnity, never a rent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from moneyed import Money

from core import dialect
from core.documents import Document, Letterhead, Paper, dated, register
from core.money import euros, from_cents
from core.periods import Period
from leases import terms
from leases.bank_accounts import BankAccount
from leases.collecting.mandates import debit_days
from leases.kinds import KINDS
from leases.ledger import TENANT, Account
from leases.papers.whom import Whom, by_whom, day, eur, of_word, whom
from leases.rent import RentCall
from leases.tenant_account import QUERIES, aged_parameters, items_sql

TEXTS = Path(__file__).resolve().parent / "texts"
LEASE = "lease"
"""What documents of a lease are about, as core.documents keeps it."""
NOTICE, RECEIPT, PART = "notice", "receipt", "part_receipt"
ALL = (0, 2**62)


@dataclass(frozen=True, slots=True)
class MonthState:
    """What a lease was called for a month and what is left of it, EUR.

    gross: before the housing benefit. called: the household's share. left: still open.
    """

    lease_id: int
    gross: Money
    called: Money
    left: Money

    @property
    def paid(self) -> Money:
        return max(euros(0), self.called - self.left)

    @property
    def paper(self) -> str:
        """What it gives right to: a receipt, a part receipt, or nothing."""
        if self.gross <= euros(0) or self.called < euros(0):
            return ""
        if not self.left:
            return RECEIPT
        return PART if self.paid > euros(0) else ""


@dataclass(frozen=True, slots=True)
class ToMake:
    """A paper of a month to make: what it says, EUR, and the data of its letter."""

    kind: str
    lease_id: int
    number: int
    amount: Money | None
    data: dict


def month_states(month: date, on: date, *, leases: tuple[int, int] = ALL) -> list[MonthState]:
    """How far each lease has paid a month at a date; one query, for the whole stock or a range of ids."""
    only = "AND a.lease_id BETWEEN %(low)s AND %(high)s"
    text = items_sql(only=only) + dialect.load(QUERIES / "month_paid.sql")
    found = dialect.rows(
        text, aged_parameters(on) | _range(leases) | {"month": month, "benefit": terms.BENEFIT}
    )
    return [MonthState(pk, *(from_cents(cents) for cents in rest)) for pk, *rest in found]


def to_make(
    kind: str, month: date, on: date, *, head: Letterhead, leases: tuple[int, int] = ALL, again: bool = False
) -> list[ToMake]:
    """What papers of a month are to be made now: notices, or receipts with part receipts.

    Left out where the last one made says the same amount; made again, with the next number, where
    it says another. again: even then (to look at one). A constant number of queries.
    """
    with override("fr"):
        found = _notices(month, on, head, leases) if kind == NOTICE else _receipts(month, on, head, leases)
    if not found or again:
        return found
    told = last_told({one.kind for one in found}, month, (one.lease_id for one in found))
    wanted = []
    for one in found:
        number, amount = told.get((one.kind, one.lease_id), (0, None))
        if amount != one.amount:
            wanted.append(_numbered(one, number + 1))
    return wanted


def last_told(
    kinds: Iterable[str], month: date, lease_ids: Iterable[int]
) -> dict[tuple[str, int], tuple[int, Money]]:
    """Number and amount of the last paper of a month by kind and lease; one query."""
    made = Document.objects.filter(
        subject=LEASE, subject_id__in=list(lease_ids), kind__in=kinds, month=month
    ).order_by("number")
    return {
        (kind, pk): (number, amount)
        for kind, pk, number, amount in made.values_list("kind", "subject_id", "number", "amount")
    }


def ranges(kind: str, month: date, size: int) -> list[tuple[int, int]]:
    """Ranges of ids that hold at most `size` leases called for a month, and cover them all."""
    calls = RentCall.objects.filter(run__month=month, run__closed_at__isnull=False)
    if kind != NOTICE:
        calls = RentCall.objects.filter(month=month)
    ids = sorted(set(calls.order_by().values_list("lease", flat=True).distinct()))
    return [(ids[i], ids[min(i + size, len(ids)) - 1]) for i in range(0, len(ids), size)]


def _receipts(month: date, on: date, head: Letterhead, leases) -> list[ToMake]:
    states = {one.lease_id: one for one in month_states(month, on, leases=leases) if one.paper}
    calls = _by_lease(RentCall.objects.filter(month=month, lease__in=states))
    whoms, by = whom(states, month), by_whom((c.account_id for them in calls.values() for c in them), head)
    found = []
    for pk, state in sorted(states.items()):
        them, to = calls[pk], whoms[pk]
        split = state.paper == RECEIPT and KINDS[to.lease.kind].needs_structure
        apart = [c for c in them if split and c.item == terms.SERVICES]
        extra = sum((c.amount for c in apart), euros(0))
        indemnity = any(c.item == terms.INDEMNITY for c in them)
        rent = not indemnity or any(c.item != terms.INDEMNITY and c.amount > euros(0) for c in them)
        word = to.word if rent else "indemnité d'occupation"
        of = of_word(to.word) if rent else "de l'indemnité d'occupation"
        if rent and indemnity:
            of += " et de l'indemnité d'occupation"
        name = "Reçu d'un paiement partiel" if state.paper == PART else "Quittance" if rent else "Reçu"
        title = f"{name} – {word} – {date_format(month, 'F Y')}"
        data = to.data(title, dated(on, head)) | {
            "by": by[them[0].account_id],
            "of": of,
            "period": period_of(them, month),
            "lines": lines_of([c for c in them if c not in apart], to),
            "optional": lines_of(apart, to),
            "optional_total": eur(extra),
            "indemnity": indemnity,
            "benefit": eur(state.gross - state.called) if state.gross != state.called else "",
            "total": eur(state.called - extra),
            "paid": eur(state.paid),
            "left": eur(state.left),
        }
        found.append(ToMake(state.paper, pk, 1, state.called if state.paper == RECEIPT else state.paid, data))
    return found


def _notices(month: date, on: date, head: Letterhead, leases) -> list[ToMake]:
    low, high = leases
    calls = _by_lease(
        RentCall.objects.filter(
            run__month=month, run__closed_at__isnull=False, lease__gte=low, lease__lte=high
        )
    )
    at = max(on, month)
    owing = dialect.rows(
        dialect.load(QUERIES / "month_before.sql"), _range(leases) | {"on": at, "tenant_account": TENANT}
    )
    owed = {pk: from_cents(cents) for pk, cents in owing}
    accounts = {c.account_id for them in calls.values() for c in them}
    whoms, by, ibans = whom(calls, month), by_whom(accounts, head), _ibans(accounts)
    chosen = debit_days(list(calls), month)
    found = []
    for pk, them in sorted(calls.items()):
        to = whoms[pk]
        own = [c for c in them if c.month == month]
        late = [c for c in them if c.month != month]
        total = sum((c.amount for c in them), euros(0))
        before = owed.get(pk, euros(0)) - total
        if not own and not total:
            continue
        due = min(c.due for c in own or them)
        title = f"Avis d'échéance – {to.word} – {date_format(month, 'F Y')}"
        data = to.data(title, dated(on, head)) | {
            "by": by[them[0].account_id],
            "period": period_of(own or them, month),
            "lines": lines_of(own, to) + [_late(c, to) for c in late],
            "total": eur(total),
            "before_label": "Avance en votre faveur" if before < euros(0) else "Reste dû avant cet avis",
            "before": eur(abs(before)) if before else "",
            "to_pay": eur(max(euros(0), before + total)),
            "due": day(due),
            "payment_reference": to.lease.payment_reference,
            "iban": ibans.get(them[0].account_id, ""),
            "debited": bool(to.lease.debit_mandate),
            "debit_on": day(month.replace(day=chosen[pk]) if pk in chosen else due),
        }
        found.append(ToMake(NOTICE, pk, 1, total, data))
    return found


def _by_lease(calls) -> dict[int, list[RentCall]]:
    found: dict[int, list[RentCall]] = {}
    for call in calls.order_by("lease", "month", "item", "version"):
        found.setdefault(call.lease_id, []).append(call)
    return found


def _ibans(accounts: set[int]) -> dict[int, str]:
    """The bank account to pay to, by tenant's account, where its book has but one; two queries."""
    books = dict(Account.objects.filter(pk__in=accounts).values_list("pk", "book"))
    kept: dict[int, list[str]] = {}
    for bank in BankAccount.objects.filter(book__in=set(books.values())):
        kept.setdefault(bank.book_id, []).append(bank.iban)
    return {
        pk: " ".join(kept[book][0][i : i + 4] for i in range(0, len(kept[book][0]), 4))
        for pk, book in books.items()
        if len(kept.get(book, ())) == 1
    }


def lines_of(calls: list[RentCall], to: Whom) -> list[dict]:
    """The lines of a letter: what was called, item by item, corrections within their item."""
    sums: dict[int, Money] = {}
    for call in calls:
        sums[call.item] = sums.get(call.item, euros(0)) + call.amount
    first = {call.item: call for call in reversed(calls)}
    return [
        {"label": item_label(item, to), "detail": _detail(first[item]), "amount": eur(amount)}
        for item, amount in sums.items()
        if amount
    ]


def item_label(item: int, to: Whom) -> str:
    """An item as the letter says it: charges by their regime, the rent by its own word."""
    if item == terms.RENT:
        return to.word.capitalize()
    if item == terms.CHARGES:
        flat = KINDS[to.lease.kind].charges[0] == "flat"
        return "Forfait de charges" if flat else "Provision pour charges"
    if item == terms.BENEFIT:
        return "Aide au logement déduite"
    return str(terms.ITEMS[item].label)


def _detail(call: RentCall) -> str:
    part = call.version == 1 and 0 < call.days < call.month_days and call.item != terms.BENEFIT
    return f"{call.days} jours sur {call.month_days}" if part else ""


def _late(call: RentCall, to: Whom) -> dict:
    word = "rappel" if call.amount > euros(0) else "avoir"
    label = f"{item_label(call.item, to)}, {word}"
    return {"label": label, "detail": date_format(call.month, "F Y"), "amount": eur(call.amount)}


def period_of(calls: list[RentCall], month: date) -> str:
    """The days a paper is for: the whole month, unless each item was owed for fewer."""
    whole = Period.month(month)
    days = max((call.days for call in calls if call.item != terms.BENEFIT), default=whole.days)
    said = date_format(month, "F Y")
    if 0 < days < whole.days:
        return f"{'d’' if said[0] in 'ao' else 'de '}{said} ({days} jours)"
    return f"du {day(whole.start)} au {day(whole.end - timedelta(days=1))}"


def _range(leases: tuple[int, int]) -> dict:
    return {"low": leases[0], "high": leases[1]}


def _numbered(one: ToMake, number: int) -> ToMake:
    if number == 1:
        return one
    note = f"{one.data['title']} (n° {number}, remplace le précédent)"
    return ToMake(one.kind, one.lease_id, number, one.amount, one.data | {"title": note})


# ---- made-up letters, to show a text with --------------------------------------------------

SAMPLE = {
    "dated": "Lille, le 5 mars 2026",
    "to": ["Camille DURAND et Alix MARTIN", "Logement 12 – Étage 2", "4 rue des Lilas", "59000 LILLE"],
    "names": "Camille DURAND et Alix MARTIN",
    "home": "4 rue des Lilas, 59000 Lille (logement 12 – étage 2)",
    "lease": "B-0042",
    "word": "loyer",
    "references": ["Contrat B-0042", "Référence de paiement L000004256"],
    "by": "Association, mandataire de M. Dupont",
}
_LINES = [
    {"label": "Loyer", "detail": "", "amount": "465,00 €"},
    {"label": "Provision pour charges", "detail": "", "amount": "62,00 €"},
    {"label": "Aide au logement déduite", "detail": "", "amount": "−210,00 €"},
]


def _receipt_samples() -> list[dict]:
    one = SAMPLE | {
        "title": "Quittance – loyer – mars 2026",
        "of": "du loyer",
        "period": "du 01/03/2026 au 31/03/2026",
        "lines": _LINES,
        "optional": [],
        "optional_total": "25,00 €",
        "indemnity": False,
        "benefit": "210,00 €",
        "total": "317,00 €",
        "paid": "200,00 €",
        "left": "117,00 €",
    }
    services = [{"label": "Prestations facultatives", "detail": "", "amount": "25,00 €"}]
    return [one, one | {"optional": services, "indemnity": True, "benefit": ""}]


def _part_samples() -> list[dict]:
    title = "Reçu d'un paiement partiel – loyer – mars 2026"
    return [one | {"title": title} for one in _receipt_samples()]


def _notice_samples() -> list[dict]:
    one = SAMPLE | {
        "title": "Avis d'échéance – loyer – mars 2026",
        "period": "du 01/03/2026 au 31/03/2026",
        "lines": _LINES,
        "total": "317,00 €",
        "before_label": "Reste dû avant cet avis",
        "before": "50,00 €",
        "to_pay": "367,00 €",
        "due": "05/03/2026",
        "payment_reference": "L000004256",
        "iban": "FR76 3000 4000 0312 3456 7890 143",
        "debited": False,
        "debit_on": "10/03/2026",
    }
    return [one, one | {"debited": True, "before": "", "iban": ""}]


register(Paper(NOTICE, _("Rent notice"), TEXTS / "notice.typ", _notice_samples, monthly=True))
register(Paper(RECEIPT, _("Rent receipt"), TEXTS / "receipt.typ", _receipt_samples, monthly=True))
register(Paper(PART, _("Receipt of a part payment"), TEXTS / "part_receipt.typ", _part_samples, monthly=True))
