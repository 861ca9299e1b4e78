"""Letters to one tenant (*courriers*): account, revision, charges, deposit; each archived as it went.

Each takes plain figures, so that what computes them needs no paper: revision_letter(lease, …) gives
the letter's data, send_letter(…) typesets and archives it. The texts are the association's to edit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from moneyed import Money

from core.documents import Document, Letterhead, Paper, archive, dated, letterhead, register
from core.money import euros, round_cents
from core.templatetags.gla import number_text
from leases.lease import Lease
from leases.ledger import Account
from leases.papers.months import LEASE, SAMPLE, TEXTS
from leases.papers.whom import by_whom, day, eur, whom
from leases.tenant_account import Aged, aged, balance, benefit_wait, lines

STATEMENT, REVISION, CHARGES, DEPOSIT = (
    "account_statement",
    "revision_letter",
    "charge_statement",
    "deposit_letter",
)


@dataclass(frozen=True, slots=True)
class RevisionFigures:
    """A rent revised: EUR a month without charges, and how.

    index: IRL before and now, with their quarters ("2e trimestre 2025"); rate: percent, where the
    rent follows a rate rather than the quotient. basis: the clause or text; reason: why capped or late.
    parts: (what, EUR before, EUR after) where several; with_charges: they are within (redevance).
    """

    old: Money
    new: Money
    start: date
    old_index: Decimal | None = None
    new_index: Decimal | None = None
    old_quarter: str = ""
    new_quarter: str = ""
    rate: Decimal | None = None
    basis: str = "l'article 17-1 de la loi du 6 juillet 1989 et à votre contrat"
    reason: str = ""
    parts: Sequence[tuple[str, Money, Money]] = ()
    with_charges: bool = False


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """A kind of charge: what the building spent, how it is shared, the lease's share; EUR."""

    label: str
    spent: Money
    shared: str
    share: Money


@dataclass(frozen=True, slots=True)
class ChargeFigures:
    """A charge statement (*décompte*): EUR; days of occupation in the period, both days included.

    result: to pay above zero, in the tenant's favour below. before: settled by an earlier statement
    of these charges. instalments: (due, EUR).
    """

    start: date
    end: date
    days: int
    lines: Sequence[ChargeLine]
    provisions: Money
    result: Money
    due: date
    open_until: date
    next_provision: Money | None = None
    instalments: Sequence[tuple[date, Money]] = ()
    before: Money = field(default_factory=lambda: euros(0))


@dataclass(frozen=True, slots=True)
class DepositFigures:
    """A deposit settled: EUR. deductions: (what, proof, EUR). penalty: for late return, to the tenant.

    deadline: last day to give it back. means: how the rest is paid.
    """

    deposit: Money
    keys_on: date
    deadline: date
    deductions: Sequence[tuple[str, str, Money]] = ()
    penalty: Money = field(default_factory=lambda: euros(0))
    means: str = ""

    @property
    def result(self) -> Money:
        """Given back above zero, owed by the tenant below."""
        return self.deposit + self.penalty - sum((cost for _what, _proof, cost in self.deductions), euros(0))


def account_letter(lease: Lease, *, on: date, since: date | None = None) -> dict:
    """The account of a lease as a letter (*relevé de compte*), from a day to another."""
    with override("fr"):
        told = lines(lease, on)
        shown = [one for one in told if since is None or one.on >= since]
        brought = next((one.balance for one in reversed(told) if since and one.on < since), None)
        rows = [[day(since), "Solde antérieur", "", "", eur(brought)]] if brought is not None else []
        rows += [
            [
                day(one.on),
                f"{one.label} – {date_format(one.month, 'F Y')}" if one.month else str(one.label),
                eur(one.debit) if one.debit else "",
                eur(one.credit) if one.credit else "",
                eur(one.balance),
            ]
            for one in shown
        ]
        late: Aged | None = next(iter(aged(on, lease=lease)), None)
        wait = benefit_wait(lease, on)
        return _data(lease, on, f"Relevé de compte au {day(on)}") | {
            "period": f"du {day(since)} au {day(on)}" if since else f"depuis l'origine jusqu'au {day(on)}",
            "rows": rows,
            "on": day(on),
            "balance": eur(balance(lease, on)),
            "overdue": eur(late.due if late else None),
            "waiting": eur(wait) if wait else "",
        }


def revision_letter(lease: Lease, figures: RevisionFigures, *, on: date) -> dict:
    """A revision told to the tenant (*lettre de révision*)."""
    return revision_data(_data(lease, on, ""), figures)


def revision_data(data: dict, figures: RevisionFigures) -> dict:
    """The same from what letter_data says of the lease."""
    return data | {
        "title": f"Révision – {data['word']} – {day(figures.start)}",
        "basis": figures.basis,
        "from": day(figures.start),
        "old": eur(figures.old),
        "new": eur(figures.new),
        "apart": "" if figures.with_charges else ", hors charges,",
        "parts": [[what, eur(old), eur(new)] for what, old, new in figures.parts],
        "old_index": _index(figures.old_index, figures.old_quarter),
        "new_index": _index(figures.new_index, figures.new_quarter),
        "rate": f"{number_fr(figures.rate)} %" if figures.rate is not None else "",
        "formula": _formula(figures),
        "reason": figures.reason,
    }


def _formula(figures: RevisionFigures) -> str:
    """How the new rent comes from the old, where it is that quotient to the cent."""
    if not figures.old_index or not figures.new_index or figures.rate is not None:
        return ""
    if round_cents(figures.old * figures.new_index / figures.old_index) != figures.new:
        return ""
    with override("fr"):
        new, old = number_text(figures.new_index, 2), number_text(figures.old_index, 2)
    return f"{eur(figures.old)} × {new} / {old} = {eur(figures.new)}"


def charge_letter(lease: Lease, figures: ChargeFigures, *, on: date) -> dict:
    """A charge statement as a letter (*décompte de charges*)."""
    return charge_data(_data(lease, on, ""), figures)


def charge_data(data: dict, figures: ChargeFigures) -> dict:
    """The same from what letter_data says of the lease."""
    total = sum((line.share for line in figures.lines), euros(0))
    owed = figures.result >= euros(0)
    return data | {
        "title": f"Décompte de charges – {day(figures.start)} au {day(figures.end)}",
        "period": f"du {day(figures.start)} au {day(figures.end)}",
        "days": str(figures.days),
        "rows": [[one.label, eur(one.spent), one.shared, eur(one.share)] for one in figures.lines],
        "total": eur(total),
        "provisions": eur(figures.provisions),
        "before": eur(figures.before) if figures.before else "",
        "result_label": "Reste à payer" if owed else "Trop-perçu en votre faveur",
        "result": eur(abs(figures.result)),
        "due": day(figures.due) if figures.result > euros(0) else "",
        "next_provision": eur(figures.next_provision) if figures.next_provision is not None else "",
        "instalments": [
            {"label": day(due), "detail": "", "amount": eur(part)} for due, part in figures.instalments
        ],
        "open_until": day(figures.open_until),
    }


def deposit_letter(lease: Lease, figures: DepositFigures, *, on: date) -> dict:
    """A deposit settled as a letter (*solde du dépôt de garantie*). The keys came back on figures.keys_on."""
    back = figures.result >= euros(0)
    late = [{"label": "Pénalité de retard", "detail": "", "amount": eur(figures.penalty)}]
    return _data(lease, min(on, figures.keys_on), "Restitution du dépôt de garantie", dated_on=on) | {
        "keys": day(figures.keys_on),
        "deposit": eur(figures.deposit),
        "deductions": [
            {"label": what, "detail": proof, "amount": eur(-cost)} for what, proof, cost in figures.deductions
        ],
        "penalty": late if figures.penalty else [],
        "withheld": any(proof for _what, proof, _cost in figures.deductions),
        "result_label": "Somme restituée" if back else "Reste dû par vous",
        "result": eur(abs(figures.result)),
        "deadline": day(figures.deadline),
        "means": figures.means,
    }


def send_letter(
    kind: str,
    lease: Lease,
    data: dict,
    *,
    by,
    now: datetime,
    amount: Money | None = None,
    month: date | None = None,
) -> Document:
    """Typeset a letter and archive it; the document, to download, print or e-mail. Raises DoesNotCompile."""
    return archive(kind, data, subject=LEASE, subject_id=lease.pk, by=by, now=now, amount=amount, month=month)


def number_fr(value: Decimal) -> str:
    with override("fr"):
        return number_text(value)


def _index(value: Decimal | None, quarter: str) -> str:
    if value is None:
        return ""
    with override("fr"):
        return number_text(value, 2) + (f" ({quarter})" if quarter else "")


def letter_data(lease_ids: Iterable[int], on: date, *, head: Letterhead) -> dict[int, dict]:
    """What a letter of a day says of each lease, its title left out; a constant number of queries."""
    with override("fr"):
        whoms = whom(lease_ids, on)
        accounts = dict(Account.objects.filter(lease__in=whoms).order_by("pk").values_list("lease", "pk"))
        by = by_whom(accounts.values(), head)
        return {
            pk: to.data("", dated(on, head)) | {"by": by.get(accounts.get(pk), head.name)}
            for pk, to in whoms.items()
        }


def _data(lease: Lease, on: date, title: str, *, dated_on: date | None = None) -> dict:
    head = letterhead()
    said = {"title": title, "dated": dated(dated_on or on, head)}
    return letter_data([lease.pk], on, head=head)[lease.pk] | said


# ---- made-up letters -----------------------------------------------------------------------


def _statement_samples() -> list[dict]:
    rows = [
        ["01/03/2026", "Loyer – mars 2026", "465,00 €", "", "465,00 €"],
        ["06/03/2026", "Virement reçu", "", "400,00 €", "65,00 €"],
    ]
    return [
        SAMPLE
        | {
            "title": "Relevé de compte au 31/03/2026",
            "period": "du 01/03/2026 au 31/03/2026",
            "rows": rows,
            "on": "31/03/2026",
            "balance": "65,00 €",
            "overdue": "65,00 €",
            "waiting": "210,00 €",
        }
    ]


def _revision_samples() -> list[dict]:
    one = SAMPLE | {
        "title": "Révision – loyer – 01/01/2026",
        "basis": "l'article 17-1 de la loi du 6 juillet 1989 et à votre contrat",
        "from": "01/01/2026",
        "old": "460,00 €",
        "new": "464,78 €",
        "apart": ", hors charges,",
        "parts": [],
        "old_index": "145,17 (2e trimestre 2024)",
        "new_index": "146,68 (2e trimestre 2025)",
        "rate": "",
        "formula": "460,00 € × 146,68 / 145,17 = 464,78 €",
        "reason": "",
    }
    parts = [["Loyer", "300,00 €", "303,12 €"], ["Charges", "100,00 €", "101,04 €"]]
    reason = "Demandée après sa date, la révision ne vaut qu'à compter de cette demande, sans rappel."
    return [one, one | {"formula": "", "rate": "1,04 %", "apart": "", "parts": parts, "reason": reason}]


def _charge_samples() -> list[dict]:
    rows = [
        ["Eau froide", "4 120,00 €", "au compteur", "180,20 €"],
        ["Entretien des parties communes", "2 000,00 €", "à la surface", "64,10 €"],
    ]
    one = SAMPLE | {
        "title": "Décompte de charges – 01/01/2025 au 31/12/2025",
        "period": "du 01/01/2025 au 31/12/2025",
        "days": "365",
        "rows": rows,
        "total": "244,30 €",
        "provisions": "200,00 €",
        "before": "",
        "result_label": "Reste à payer",
        "result": "44,30 €",
        "due": "05/04/2026",
        "next_provision": "21,00 €",
        "instalments": [{"label": "05/04/2026", "detail": "", "amount": "22,15 €"}],
        "open_until": "31/08/2026",
    }
    corrected = {"before": "40,00 €", "result": "4,30 €"}
    return [one, one | {"instalments": [], "next_provision": "", "due": ""}, one | corrected]


def _deposit_samples() -> list[dict]:
    one = SAMPLE | {
        "title": "Restitution du dépôt de garantie",
        "keys": "14/03/2026",
        "deposit": "465,00 €",
        "deductions": [
            {"label": "Peinture du séjour", "detail": "devis du 20/03/2026", "amount": "−120,00 €"}
        ],
        "penalty": [],
        "withheld": True,
        "result_label": "Somme restituée",
        "result": "345,00 €",
        "deadline": "14/05/2026",
        "means": "virement",
    }
    return [one, one | {"deductions": [], "withheld": False}]


register(Paper(STATEMENT, _("Account statement"), TEXTS / "statement.typ", _statement_samples))
register(Paper(REVISION, _("Rent revision"), TEXTS / "revision.typ", _revision_samples))
register(Paper(CHARGES, _("Charge statement"), TEXTS / "charges.typ", _charge_samples))
register(Paper(DEPOSIT, _("Deposit settled"), TEXTS / "deposit.typ", _deposit_samples))
