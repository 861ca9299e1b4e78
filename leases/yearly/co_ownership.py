"""Homes in co-ownerships (*copropriété*): lots, calls of funds, the syndic's yearly account.

What the syndic calls during the year is a provision of the owner, never an expense; the yearly
account says what was truly spent, and what of it a tenant owes. Its parts become expenses of our
homes, by the tantièmes of their lots, so that they are settled like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.money import EuroField, allocate, euros
from leases.yearly.expenses import EQUAL, Expense, drafted, exercise, recoverable_part
from portfolio.stock import Unit


class CoOwnership(models.Model):
    """A building that others own too (*copropriété*); shares: tantièmes of the whole."""

    reference = models.CharField(_("reference"), max_length=20, unique=True)
    name = models.CharField(_("name"), max_length=120)
    syndic = models.CharField(_("managing agent (syndic)"), max_length=120, blank=True)
    shares = models.PositiveIntegerField(_("tantièmes of the whole"))

    class Meta:
        verbose_name, verbose_name_plural = _("co-ownership"), _("co-ownerships")
        constraints = [
            models.CheckConstraint(name="co_ownership_has_shares", condition=Q(shares__gt=0)),
        ]

    def __str__(self):
        return self.name


class Lot(models.Model):
    """A lot of ours in a co-ownership, with its tantièmes; a home may have several (a cellar, a garage)."""

    co_ownership = models.ForeignKey(CoOwnership, models.PROTECT, related_name="lots")
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name=_("home"))
    number = models.CharField(_("lot"), max_length=10)
    shares = models.PositiveIntegerField(_("tantièmes"))

    class Meta:
        verbose_name, verbose_name_plural = _("lot"), _("lots")
        constraints = [
            models.UniqueConstraint(
                fields=["co_ownership", "number"],
                name="lot_once",
                violation_error_message=_("This lot is already recorded."),
            )
        ]

    def __str__(self):
        return f"{self.co_ownership_id} n° {self.number}"


class FundCall(models.Model):
    """What the syndic calls of us (*appel de fonds*): paid as a provision, never settled on a tenant."""

    class Nature(models.TextChoices):
        BUDGET = "budget", _("Budget")
        WORKS = "works", _("Works")
        FUND = "fund", _("Works fund")

    co_ownership = models.ForeignKey(CoOwnership, models.PROTECT, related_name="calls")
    nature = models.CharField(_("nature"), max_length=6, choices=Nature, default=Nature.BUDGET)
    year = models.PositiveSmallIntegerField(_("year"))
    due = models.DateField(_("due"))
    amount = EuroField(_("amount"))
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("call of funds"), _("calls of funds")
        constraints = [
            models.UniqueConstraint(
                fields=["co_ownership", "nature", "due"],
                name="fund_call_once",
                violation_error_message=_("A call of this nature is already recorded for that day."),
            )
        ]

    def __str__(self):
        return f"{self.co_ownership_id} {self.due}"


class CoOwnershipRefused(Refusal):
    """A lot, a call of funds or a yearly account that cannot be kept."""


@dataclass(frozen=True, slots=True)
class AccountLine:
    """A line of the syndic's yearly account: EUR of the whole co-ownership, and what of it tenants owe."""

    category: int
    amount: Money
    recoverable: Money


@dataclass(frozen=True, slots=True)
class SyndicBalance:
    """Our year with the syndic, EUR: called of us for the budget, our part of what was spent, recoverable."""

    called: Money
    spent: Money
    recoverable: Money

    @property
    def owed(self) -> Money:
        """What we still owe the syndic; below zero, what it owes us."""
        return self.spent - self.called


def found_co_ownership(*, reference: str, name: str, shares: int, by, syndic: str = "") -> CoOwnership:
    """Record a co-ownership. Raises CoOwnershipRefused where its reference is taken."""
    with transaction.atomic():
        if CoOwnership.objects.filter(reference=reference).exists():
            raise CoOwnershipRefused(
                reference, _("Another co-ownership has this reference."), _("Choose another one.")
            )
        made = CoOwnership.objects.create(reference=reference, name=name, syndic=syndic, shares=shares)
        audit.record(by, "create", "expense", co_ownership=made.pk)
    return made


def call_funds(
    co_ownership: CoOwnership,
    *,
    year: int,
    due: date,
    amount: Money,
    by,
    nature: str = FundCall.Nature.BUDGET,
) -> FundCall:
    """Record a call of funds of the syndic. Raises CoOwnershipRefused where it is recorded already."""
    with transaction.atomic():
        if FundCall.objects.filter(co_ownership=co_ownership, nature=nature, due=due).exists():
            raise CoOwnershipRefused(
                f"{co_ownership} {due}",
                _("A call of this nature is already recorded for that day."),
                _("Check the day of the call."),
            )
        made = FundCall.objects.create(
            co_ownership=co_ownership, nature=nature, year=year, due=due, amount=amount, entered_by=by
        )
        audit.record(by, "create", "expense", made.pk, co_ownership=co_ownership.pk)
    return made


def enter_syndic_account(
    co_ownership: CoOwnership,
    *,
    year: int,
    lines: Sequence[AccountLine],
    by,
    now: datetime,
    approved_on: date | None = None,
) -> list[Expense]:
    """Enter the yearly account of the syndic (*compte annuel*): an expense a home and nature.

    Each line is shared by the tantièmes of the lots, to the cent; the part of the others' lots is
    left out. Raises CoOwnershipRefused where the year is entered, or no lot is ours.
    """
    with transaction.atomic():
        CoOwnership.objects.select_for_update().get(pk=co_ownership.pk)
        if Expense.objects.standing().filter(co_ownership=co_ownership, year=year).exists():
            raise CoOwnershipRefused(
                f"{co_ownership} {year}",
                _("The account of this year is already entered."),
                _("Reverse its expenses, then enter it anew."),
            )
        owned = list(
            co_ownership.lots.values("unit")
            .annotate(total=Sum("shares"))
            .order_by("unit")
            .values_list("unit", "total")
        )
        ours = sum(shares for _unit, shares in owned)
        if not owned or ours > co_ownership.shares:
            raise CoOwnershipRefused(
                str(co_ownership),
                _("The lots do not agree with the tantièmes of the whole."),
                _("Record our lots and the tantièmes of the co-ownership."),
            )
        units = Unit.objects.in_bulk([unit for unit, _shares in owned])
        whole = exercise(year)
        weights = [shares for _unit, shares in owned] + [co_ownership.shares - ours]
        made = []
        for line in lines:
            spent, asked = allocate(line.amount, weights), allocate(line.recoverable, weights)
            made += [
                drafted(
                    year=year,
                    category=line.category,
                    unit=units[unit],
                    key=EQUAL,
                    amount=amount,
                    recoverable=min(part, recoverable_part(line.category, amount, on=whole.last_day)),
                    supplier=co_ownership.syndic,
                    invoice=f"{co_ownership.reference} {year}",
                    invoiced_on=approved_on,
                    co_ownership=co_ownership,
                    whole=whole,
                    by=by,
                    now=now,
                )
                for (unit, _shares), amount, part in zip(owned, spent, asked, strict=False)
                if amount
            ]
        Expense.objects.bulk_create(made)
        audit.record(by, "create", "expense", co_ownership=co_ownership.pk, year=year, expenses=len(made))
    return made


def syndic_balance(co_ownership: CoOwnership, year: int) -> SyndicBalance:
    """Where we stand with the syndic for a year."""
    called = co_ownership.calls.filter(year=year, nature=FundCall.Nature.BUDGET).aggregate(sum=Sum("amount"))
    spent = co_ownership.expenses.filter(year=year).aggregate(sum=Sum("amount"), part=Sum("recoverable"))
    return SyndicBalance(called["sum"] or euros(0), spent["sum"] or euros(0), spent["part"] or euros(0))


def add_lot(co_ownership: CoOwnership, *, unit: Unit, number: str, shares: int, by) -> Lot:
    """Record a lot of ours. Raises CoOwnershipRefused where its number is taken."""
    with transaction.atomic():
        if Lot.objects.filter(co_ownership=co_ownership, number=number).exists():
            raise CoOwnershipRefused(number, _("This lot is already recorded."), _("Check its number."))
        made = Lot.objects.create(
            co_ownership=co_ownership, unit=unit, number=number, shares=int(Decimal(shares))
        )
        audit.record(by, "create", "expense", made.pk, co_ownership=co_ownership.pk)
    return made
