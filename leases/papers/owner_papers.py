"""Papers of owners: the management statement of a month (*compte rendu de gestion*), the year for the tax return.

A paper tells a statement as it was made (leases/accounts/owner_accounts.py), once for each version;
where the ledger has changed since, the owners' month is to be made again first.
"""

from collections.abc import Iterable
from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from moneyed import Money

from core import documents, jobs
from core.documents import Document, Letterhead, NoPaper, Paper, dated, letterhead, register
from core.money import euros
from core.periods import Period
from leases.accounts.owner_accounts import (
    OwnerStatement,
    StatementFacts,
    UnitLine,
    latest_statements,
    statement_facts,
)
from leases.accounts.owner_fees import Fee
from leases.accounts.owner_year import PropertyIncome, property_income
from leases.papers import stack
from leases.papers.months import TEXTS
from leases.papers.stack import Draft, Stack, ranges_of
from leases.papers.whom import day, eur
from portfolio.owners import Owner

OWNER = "owner"
"""What documents of an owner are about, as core.documents keeps it."""
STATEMENT, INCOME = "owner_statement", "owner_income"
MAIL = "Bonjour,\n\nVous trouverez ci-joint votre compte rendu de gestion de {month}.\n\n{name}"


# ---- what they say -------------------------------------------------------------------------


def statement_data(facts: StatementFacts, *, on: date, head: Letterhead) -> dict:
    """The management statement of an owner and month as a letter (*compte rendu de gestion*)."""
    with override("fr"):
        whole, told = Period.month(facts.month), facts.figures
        managed = bool(facts.units or facts.lines or told.brought or told.held)
        name = "Compte rendu de gestion" if managed else "Relevé des loyers"
        data = _data(facts.owner, f"{name} – {date_format(facts.month, 'F Y')}", on, head)
        return data | {
            "start": day(whole.start),
            "end": day(whole.last_day),
            "account": _account(facts) if managed else [],
            "held": eur(told.held),
            "deposits": eur(told.deposits) if told.deposits else "",
            "reserve": eur(told.reserve) if told.reserve else "",
            "to_pay": eur(told.to_pay),
            "outstanding": eur(told.outstanding) if told.outstanding else "",
            "fee": _fee(facts.fee) if facts.fee and managed else [],
            "units": [_unit(one) for one in facts.units],
            "units_total": _units_total(facts),
            "head_rents": [
                [one.holding.unit.reference, one.holding.reference, eur(one.amount)]
                for one in facts.head_rents
            ]
            or ([["Loyers des mois précédents", "", eur(None)]] if told.head_owed else []),
            "head_called": eur(told.head_called),
            "head_paid": eur(told.head_paid),
            "head_owed": eur(told.head_owed),
        }


def _data(owner: Owner, title: str, on: date, head: Letterhead) -> dict:
    return {
        "title": title,
        "dated": dated(on, head),
        "to": [owner.name],
        "references": [f"Propriétaire {owner.reference}"],
        "owner": owner.name,
    }


def _account(facts: StatementFacts) -> list[list[str]]:
    """Balance brought forward, rents collected, then each amount: received or spent."""
    told = facts.figures
    rows = [
        ["", "Solde reporté", *_sides(told.brought)],
        ["", "Loyers, charges et aides encaissés", *_sides(told.collected)],
    ]
    for one in facts.lines:
        label = f"{one.label} ({one.unit})" if one.unit else one.label
        rows.append([day(one.on), label, *_sides(one.amount)])
    return rows


def _sides(amount: Money) -> list[str]:
    return [eur(amount), ""] if amount >= euros(0) else ["", eur(-amount)]


def _fee(fee: Fee) -> list[dict]:
    rate = f"{fee.vat_rate.normalize():f}".replace(".", ",")
    lines = [
        ("Reportés du mois précédent", fee.brought, False),
        ("Calculés sur le mois, hors taxe", fee.due, True),
        ("Prélevés, hors taxe", fee.taken, True),
        (f"TVA à {rate} %", fee.vat, False),
        ("À reporter sur le mois suivant", fee.carried, False),
    ]
    return [
        {"label": label, "detail": "", "amount": eur(amount)}
        for label, amount, always in lines
        if amount or always
    ]


def _unit(one: UnitLine) -> list[str]:
    home = ", ".join(part for part in (one.unit, one.address) if part) or "–"
    sums = (one.called, one.aid, one.collected, one.owed, one.deposit)
    shown = [eur(amount) for amount in sums] if one.lease_id else [""] * len(sums)
    return [home, one.lease or "vacant", *shown, str(one.vacant or "")]


def _units_total(facts: StatementFacts) -> list[str]:
    sums = [
        sum((getattr(one, name) for one in facts.units), euros(0))
        for name in ("called", "aid", "collected", "owed", "deposit")
    ]
    return ["Total", "", *(eur(amount) for amount in sums), str(facts.vacant or "")]


def income_data(income: PropertyIncome, *, on: date, head: Letterhead) -> dict:
    """An owner's year for its property-income return as a letter (*revenus fonciers*)."""
    with override("fr"):
        return _data(income.owner, f"Revenus fonciers {income.year}", on, head) | {
            "year": str(income.year),
            "rows": [[str(line), str(words), eur(amount)] for line, words, amount in income.lines],
            "net": eur(income.net),
            "collected": eur(income.collected),
            "charges": eur(income.charges),
            "paid": eur(income.paid),
        }


# ---- one owner -----------------------------------------------------------------------------


def statement_draft(owner: Owner, month: date, *, on: date) -> Draft:
    """What the paper of an owner's month would say; writes nothing.

    Raises NoPaper where its statement is not made, or no longer says what the ledger does.
    """
    kept = latest_statements(month).filter(owner=owner).first()
    if kept is None:
        raise NoPaper(
            owner, _t("The statement of this month is not made yet."), _t("Make the owners' month first.")
        )
    draft = _draft(kept, owner, on=on, head=letterhead())
    if draft is None:
        raise NoPaper(
            owner,
            _t("The ledger has changed since this statement was made."),
            _t("Make the owners' month again first."),
        )
    return draft


def _draft(kept: OwnerStatement, owner: Owner, *, on: date, head: Letterhead) -> Draft | None:
    """The paper of a statement, or None where the ledger says otherwise by now."""
    with override("fr"):
        facts = statement_facts(owner, kept.month)
    if facts.figures != kept.figures:
        return None
    data = statement_data(facts, on=on, head=head)
    if kept.version > 1:
        data["title"] += f" (n° {kept.version}, remplace le précédent)"
    return Draft(STATEMENT, owner.pk, kept.month, kept.version, facts.figures.to_pay, data)


def income_draft(owner: Owner, year: int, *, on: date) -> Draft:
    """What the paper of an owner's year would say; the next number where it says another amount."""
    with override("fr"):
        income = property_income(owner, year)
    data, first = income_data(income, on=on, head=letterhead()), date(year, 1, 1)
    last = of_owner(owner).filter(kind=INCOME, month=first).order_by("-number").first()
    number = 1
    if last is not None:
        number = last.number if last.amount == income.net else last.number + 1
    return Draft(INCOME, owner.pk, first, number, income.net, data)


def archive(draft: Draft, *, by, now: datetime) -> Document:
    """Make and archive one paper of an owner, or give back the one made already. Raises DoesNotCompile."""
    made = paper_of(draft)
    try:
        with transaction.atomic():
            return made or documents.archive(
                draft.kind, draft.data, subject=OWNER, subject_id=draft.subject_id, by=by, now=now,
                month=draft.month, number=draft.number, amount=draft.amount,
            )  # fmt: skip
    except IntegrityError:
        # Somebody made it between the look and the write: theirs is ours.
        return paper_of(draft)


def paper_of(draft: Draft) -> Document | None:
    """A paper of an owner, where it is made."""
    found = Document.objects.filter(subject=OWNER, subject_id=draft.subject_id, kind=draft.kind)
    return found.filter(month=draft.month, number=draft.number).first()


def of_owner(owner: Owner) -> QuerySet:
    """The papers made of an owner."""
    return Document.objects.filter(subject=OWNER, subject_id=owner.pk)


# ---- the owners of a month -----------------------------------------------------------------


def owner_stack(month: date, *, on: date) -> Stack:
    """The management statements of a month, of every owner (*comptes rendus de gestion*). on: their date."""

    def draw(owners, head) -> list[Draft]:
        kept = {
            one.owner_id: one for one in to_make(month).filter(owner__gte=owners[0], owner__lte=owners[1])
        }
        found = Owner.objects.in_bulk(kept)
        drafts = [_draft(kept[pk], found[pk], on=on, head=head) for pk in sorted(kept)]
        return [draft for draft in drafts if draft is not None]

    def mail() -> tuple[str, str]:
        with override("fr"):
            said = date_format(month, "F Y")
        return f"Votre compte rendu de gestion de {said}", MAIL.format(month=said, name=letterhead().name)

    return Stack(
        name=f"comptes-rendus-{month:%Y-%m}",
        title=_t("Owners' statements of %(month)s") % {"month": date_format(month, "F Y")},
        subject=OWNER,
        kinds=(STATEMENT,),
        groups=lambda: ranges_of(latest_statements(month).values_list("owner", flat=True)),
        draw=draw,
        papers=lambda: papers_of(month),
        addresses=_addresses,
        mail=mail,
        url=f"{reverse('owner-papers')}?month={month:%Y-%m}",
        resource="owner_account",
        action="change",
    )


def papers_of(month: date) -> QuerySet:
    """The papers of the last version of each statement of a month."""
    told = latest_statements(month).filter(owner=OuterRef("subject_id"), version=OuterRef("number"))
    return Document.objects.filter(Exists(told), kind=STATEMENT, subject=OWNER, month=month)


def to_make(month: date) -> QuerySet:
    """The statements of a month whose paper is not made."""
    made = Document.objects.filter(
        kind=STATEMENT, subject=OWNER, subject_id=OuterRef("owner"), month=month, number=OuterRef("version")
    )
    return latest_statements(month).filter(~Exists(made))


def _addresses(owners: Iterable[int], on: date) -> dict[int, str]:
    found = Owner.objects.filter(pk__in=list(owners)).exclude(email="")
    return dict(found.values_list("pk", "email"))


def begin(month: date, *, on: date, by, email: bool = True, again: bool = False, wait=False) -> jobs.Job:
    """Start the owners' papers of a month, or give back the work under way. again: only the print file."""
    return jobs.start(
        "owner_papers", by=by, once=f"{month:%Y-%m}", wait=wait,
        month=f"{month:%Y-%m}", on=on.isoformat(), email=email, again=again,
    )  # fmt: skip


@jobs.job("owner_papers", title=_("Owners' statements"))
def owner_papers(job, *, month: str, on: str, email: bool, again: bool = False):
    """Make, e-mail and put to print the owners' papers of a month."""
    day_of = date.fromisoformat(on)
    letters = owner_stack(Period.parse_month(month).start, on=day_of)
    if again:
        return (yield from stack.make_print_file(job, letters))
    return (yield from stack.make(job, letters, on=day_of, email=email))


# ---- made-up papers ------------------------------------------------------------------------

_SAMPLE = {
    "dated": "Lille, le 5 avril 2026",
    "to": ["M. Jean Dupont"],
    "references": ["Propriétaire P-0012"],
    "owner": "M. Jean Dupont",
}


def _statement_samples() -> list[dict]:
    home = ["L-0012, 4 rue des Lilas", "B-0042", "527,00 €", "210,00 €", "527,00 €", "0,00 €", "465,00 €", ""]
    one = _SAMPLE | {
        "title": "Compte rendu de gestion – mars 2026",
        "start": "01/03/2026",
        "end": "31/03/2026",
        "account": [
            ["", "Solde reporté", "465,00 €", ""],
            ["", "Loyers, charges et aides encaissés", "527,00 €", ""],
            ["31/03/2026", "Honoraires de gestion", "", "36,89 €"],
        ],
        "held": "955,11 €",
        "deposits": "465,00 €",
        "reserve": "",
        "to_pay": "490,11 €",
        "outstanding": "",
        "fee": [{"label": "Calculés sur le mois, hors taxe", "detail": "", "amount": "36,89 €"}],
        "units": [home, ["L-0013, 6 rue des Lilas", "vacant", "", "", "", "", "", "31"]],
        "units_total": ["Total", "", *home[2:7], "31"],
        "head_rents": [],
        "head_called": "310,00 €",
        "head_paid": "310,00 €",
        "head_owed": "0,00 €",
    }
    heads = {"account": [], "fee": [], "units": [], "head_rents": [["L-0014", "BP-14", "310,00 €"]]}
    return [one, one | heads]


def _income_samples() -> list[dict]:
    return [
        _SAMPLE
        | {
            "title": "Revenus fonciers 2025",
            "year": "2025",
            "rows": [["211", "Loyers encaissés", "5 580,00 €"], ["221", "Honoraires", "442,68 €"]],
            "net": "5 137,32 €",
            "collected": "6 324,00 €",
            "charges": "744,00 €",
            "paid": "5 100,00 €",
        }
    ]


register(Paper(STATEMENT, _("Owner's statement"), TEXTS / "owner_statement.typ", _statement_samples, True))
register(Paper(INCOME, _("Owner's property income"), TEXTS / "owner_income.typ", _income_samples))
