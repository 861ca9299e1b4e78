"""What was agreed with an owner (*conditions du mandat, loyer principal*), each dated.

A mandate's fee and guarantees, for an owner or one home; the rent of a head lease. The latest that
has begun holds. Where nothing was agreed apart, the holding itself says: its fee rate, its rent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.cells import Column
from core.errors import Refusal
from core.imports import Echo, Imported, content, read_lines, record, silent, stop_at_faults, whole
from core.money import EuroField, euros
from leases.bank_accounts import BankAccount
from portfolio.owners import OWNERS_BOOK_TITLES, TITLES, Holding, Owner

RENT_ANYWAY_TITLES = tuple(code for code, title in TITLES.items() if title.rent_due_anyway)


class Basis(models.TextChoices):
    """Of what the fee is counted (*assiette des honoraires*)."""

    RECEIVED = "received", _("% of the sums received")
    CALLED = "called", _("% of the sums called")
    UNIT = "unit", _("Fixed, a home and month")
    NONE = "none", _("No fee")


class MandateTerms(models.Model):
    """What a mandate says of money, from a day on (*conditions du mandat de gestion*).

    Of an owner, or of one holding, which then goes before. rate: per cent, without VAT. per_unit: EUR
    a month, without VAT. Of the owner alone: reserve (*fonds de roulement, avance sur travaux*), EUR
    kept back from what is paid; minimum, EUR below which nothing is paid; deposits_to_owner: the
    tenants' deposits are paid on to the owner, rather than kept; vat: the fees bear it.
    """

    owner = models.ForeignKey(Owner, models.PROTECT, null=True, blank=True, related_name="+")
    holding = models.ForeignKey(Holding, models.PROTECT, null=True, blank=True, related_name="+")
    start = models.DateField(_("from"))
    basis = models.CharField(_("fee"), max_length=8, choices=Basis, default=Basis.RECEIVED)
    rate = models.DecimalField(_("fee rate, %"), max_digits=5, decimal_places=2, null=True, blank=True)
    per_unit = EuroField(_("fee a home and month"), null=True, blank=True)
    vat = models.BooleanField(_("the fee bears VAT"), default=True)
    unpaid_guaranteed = models.BooleanField(_("unpaid rent guaranteed"), default=False)
    vacancy_guaranteed = models.BooleanField(_("vacancy guaranteed"), default=False)
    reserve = EuroField(_("reserve kept"), default=0)
    minimum = EuroField(_("least sum paid"), default=0)
    deposits_to_owner = models.BooleanField(_("deposits are paid on to the owner"), default=False)

    class Meta:
        verbose_name, verbose_name_plural = _("mandate terms"), _("mandate terms")
        constraints = [
            models.CheckConstraint(
                name="mandate_terms_of_one",
                condition=Q(owner__isnull=True, holding__isnull=False)
                | Q(owner__isnull=False, holding__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["owner", "start"],
                name="mandate_terms_once_an_owner",
                condition=Q(owner__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["holding", "start"],
                name="mandate_terms_once_a_holding",
                condition=Q(holding__isnull=False),
            ),
            models.CheckConstraint(
                name="mandate_terms_rate_a_percentage",
                condition=Q(rate__isnull=True) | Q(rate__gte=0, rate__lte=100),
                violation_error_message=_("Give a fee rate between 0 and 100 per cent."),
            ),
            models.CheckConstraint(
                name="mandate_terms_not_negative",
                condition=Q(reserve__gte=0, minimum__gte=0) & (Q(per_unit__isnull=True) | Q(per_unit__gte=0)),
                violation_error_message=_("Give an amount of zero or more."),
            ),
        ]

    def __str__(self):
        return f"{self.owner_id or self.holding_id} {self.start}"


class HeadRent(models.Model):
    """What the association owes for a home from a day on, let or not (*loyer principal*): EUR a month."""

    holding = models.ForeignKey(Holding, models.PROTECT, related_name="+")
    start = models.DateField(_("from"))
    amount = EuroField(_("rent owed a month"))

    class Meta:
        verbose_name, verbose_name_plural = _("head rent"), _("head rents")
        constraints = [
            models.UniqueConstraint(fields=["holding", "start"], name="head_rent_once"),
            models.CheckConstraint(
                name="head_rent_not_negative",
                condition=Q(amount__gte=0),
                violation_error_message=_("Give an amount of zero or more."),
            ),
        ]

    def __str__(self):
        return f"{self.holding_id} {self.start}"


class ClientAccount(models.Model):
    """A bank account of the association that holds owners' money (*compte de fonds mandants*)."""

    bank = models.OneToOneField(BankAccount, models.PROTECT, related_name="client_account")
    since = models.DateField(_("since"))

    class Meta:
        verbose_name, verbose_name_plural = _("client-money account"), _("client-money accounts")

    def __str__(self):
        return str(self.bank_id)


class WrongTerms(Refusal):
    """Terms that cannot be agreed so."""


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """How one home of one owner is charged in a month; rate in per cent, per_unit in EUR."""

    holding: Holding
    basis: str
    rate: Decimal
    per_unit: Money
    unpaid_guaranteed: bool
    vacancy_guaranteed: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """What an owner's terms say of the whole account: EUR kept back and least sum paid; see MandateTerms."""

    reserve: Money = euros(0)
    minimum: Money = euros(0)
    deposits_to_owner: bool = False
    vat: bool = True


def set_terms(*, owner: Owner | None = None, holding: Holding | None = None, start: date, by, **terms):
    """Agree terms with an owner, or for one holding, from a day on; the same day again corrects them.

    terms: fields of MandateTerms. Raises WrongTerms: not under a mandate, a rate or sum missing.
    """
    place = str(owner or holding)
    if (owner is None) == (holding is None):
        raise WrongTerms(place, _t("Terms are of an owner or of one holding."), _t("Choose one of them."))
    held = owner.holdings.all() if owner else Holding.objects.filter(pk=holding.pk)
    if not held.filter(title__in=OWNERS_BOOK_TITLES).exists():
        raise WrongTerms(
            place, _t("No management mandate is held here."), _t("Enter the mandate first, or its head rent.")
        )
    basis = terms.get("basis", Basis.RECEIVED)
    if basis in (Basis.RECEIVED, Basis.CALLED) and terms.get("rate") is None:
        raise WrongTerms(place, _t("The fee rate is missing."), _t("Give it in per cent, without VAT."))
    if basis == Basis.UNIT and terms.get("per_unit") is None:
        raise WrongTerms(
            place, _t("The fee a home is missing."), _t("Give it in euros a month, without VAT.")
        )
    with transaction.atomic():
        kept, _new = MandateTerms.objects.update_or_create(
            owner=owner, holding=holding, start=start, defaults=terms
        )
        audit.record(by, "change", "owner_account", owner.pk if owner else holding.owner_id, terms=kept.pk)
    return kept


def set_head_rent(holding: Holding, *, amount: Money, start: date, by) -> HeadRent:
    """Agree the rent of a head lease from a day on. Raises WrongTerms where the title owes none."""
    if not TITLES[holding.title].rent_due_anyway:
        raise WrongTerms(
            str(holding),
            _t("Under this title no rent is owed to the owner."),
            _t("Give the fee of the mandate instead."),
        )
    if amount < euros(0):
        raise WrongTerms(str(holding), _t("The rent is below zero."), _t("Give an amount of zero or more."))
    with transaction.atomic():
        kept, _new = HeadRent.objects.update_or_create(
            holding=holding, start=start, defaults={"amount": amount}
        )
        audit.record(by, "change", "owner_account", holding.owner_id, head_rent=kept.pk)
    return kept


def hold_client_money(bank: BankAccount, *, since: date, by) -> ClientAccount:
    """Say that a bank account of the association holds owners' money (*compte de fonds mandants*)."""
    if bank.book.owner_id:
        raise WrongTerms(
            str(bank),
            _t("This account is already one owner's own."),
            _t("Choose an account of the association."),
        )
    with transaction.atomic():
        kept, _new = ClientAccount.objects.update_or_create(bank=bank, defaults={"since": since})
        audit.record(by, "change", "owner_account", "", client_account=bank.pk)
    return kept


def terms_on(day: date) -> dict[tuple[int, int], FeeTerms]:
    """(owner, unit) → how each home ever held under a mandate is charged on a day; three queries."""
    of_holding, of_owner = {}, {}
    for terms in MandateTerms.objects.filter(start__lte=day).order_by("start"):
        if terms.holding_id:
            of_holding[terms.holding_id] = terms
        else:
            of_owner[terms.owner_id] = terms
    found = {}
    holdings = Holding.objects.filter(title__in=OWNERS_BOOK_TITLES, start__lte=day).select_related("unit")
    for holding in holdings.order_by("start", "pk"):
        terms = of_holding.get(holding.pk) or of_owner.get(holding.owner_id)
        found[holding.owner_id, holding.unit_id] = _fee_terms(holding, terms)
    return found


def _fee_terms(holding: Holding, terms: MandateTerms | None) -> FeeTerms:
    if terms is None:
        return FeeTerms(
            holding,
            Basis.NONE if holding.fee_rate is None else Basis.RECEIVED,
            holding.fee_rate or Decimal(0),
            euros(0),
            holding.unpaid_guaranteed,
            holding.vacancy_guaranteed,
        )
    return FeeTerms(
        holding,
        terms.basis,
        terms.rate or Decimal(0),
        terms.per_unit or euros(0),
        terms.unpaid_guaranteed,
        terms.vacancy_guaranteed,
    )


def kept_on(day: date, owners: Iterable[int] | None = None) -> dict[int, Kept]:
    """Owner → what is kept back from its payments on a day; owners without such terms are left out."""
    rows = MandateTerms.objects.filter(owner__isnull=False, start__lte=day)
    if owners is not None:
        rows = rows.filter(owner__in=list(owners))
    return {
        terms.owner_id: Kept(terms.reserve, terms.minimum, terms.deposits_to_owner, terms.vat)
        for terms in rows.order_by("start")
    }


# ---- from a file ----------------------------------------------------------------------------

TERM_COLUMNS = [
    Column("titre_reference", key="holding", required=True, help=_("Number of the mandate or head lease.")),
    Column("logement_reference", key="unit", help=_("Where one number holds several homes: which one.")),
    Column("a_partir_du", "date", key="start", required=True, help=_("First day of these terms.")),
    Column("loyer_proprietaire", "euros", key="rent", help=_("Head lease: rent owed a month, let or not.")),
    Column(
        "assiette_honoraires",
        "choice",
        choices={"encaissé": "received", "appelé": "called", "forfait": "unit", "aucun": "none"},
        key="basis",
        help=_("Mandate: of what the fee is counted."),
    ),
    Column("taux_honoraires", "decimal", key="rate", help=_("Per cent, without VAT.")),
    Column("forfait_logement", "euros", key="per_unit", help=_("EUR a home and month, without VAT.")),
]
COLUMN = {column.key: column for column in TERM_COLUMNS}


def import_terms(file, *, by, now: datetime, echo: Echo = silent) -> Imported:
    """Mandate terms and head rents of a file, whole or not at all; the same file again changes nothing.

    Raises BadImport with every fault; BadTable for what is no table.
    """
    data = content(file)
    rows, errors = read_lines(
        data, TERM_COLUMNS, fields={}, ranges={"rent": (0, 100_000), "rate": (0, 100), "per_unit": (0, 10_000)}, echo=echo
    )  # fmt: skip
    imported = Imported(rows=len(rows))
    held: dict[str, list[Holding]] = {}
    wanted = {row["holding"] for row in rows}
    for holding in Holding.objects.filter(reference__in=wanted).select_related("unit", "owner"):
        held.setdefault(holding.reference, []).append(holding)
    chosen = []
    for row in rows:
        found = [h for h in held.get(row["holding"], ()) if row["unit"] in (None, h.unit.reference)]
        if not found:
            errors.append(
                row.error(
                    COLUMN["holding"].name,
                    _t("No title has this number."),
                    _t("Import the portfolio first, or correct it."),
                )
            )
        elif (row["rent"] is None) == (row["basis"] is None):
            errors.append(
                row.error(
                    COLUMN["rent"].name,
                    _t("A line gives a rent owed, or a fee."),
                    _t("Fill in one of the two."),
                )
            )
        else:
            chosen += [(row, holding) for holding in found]
    with whole():
        for row, holding in chosen if not errors else ():
            try:
                _write(row, holding, imported, by=by)
            except WrongTerms as refusal:
                errors.append(row.error(COLUMN["holding"].name, str(refusal.reason), str(refusal.remedy)))
        stop_at_faults(errors)
        imported.remarks = list(errors)
        record(by, "owner_account", data, imported)
    return imported


def _write(row, holding: Holding, imported: Imported, *, by) -> None:
    if row["rent"] is not None:
        model, values = HeadRent, {"amount": row["rent"]}
    else:
        values = {"basis": row["basis"], "rate": row["rate"], "per_unit": row["per_unit"]}
        model = MandateTerms
    there = model.objects.filter(holding=holding, start=row["start"]).first()
    if there and all(getattr(there, name) == value for name, value in values.items()):
        return
    if model is HeadRent:
        set_head_rent(holding, start=row["start"], by=by, **values)
    else:
        # What the holding guarantees goes on unless said otherwise on the owner's page.
        guaranteed = {
            name: getattr(there or holding, name) for name in ("unpaid_guaranteed", "vacancy_guaranteed")
        }
        set_terms(holding=holding, start=row["start"], by=by, **values, **guaranteed)
    (imported.changed if there else imported.created)[str(model._meta.verbose_name_plural)] += 1
