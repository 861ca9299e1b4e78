"""Expenses of buildings and how they are shared (*charges récupérables, clés de répartition*).

An expense is entered once, with its supplier and invoice, for a site, a building or one home; what may
be asked of tenants is the closed list of décret 87-713. It is never changed: a mistake is reversed.
A key says by what an expense is shared: surface, equally, tantièmes, people, meter.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.law import rule
from core.money import EuroField, euros, round_cents
from core.periods import ONE_DAY, Period, add_months
from portfolio.stock import Building, Site, Unit

SURFACE, EQUAL, TANTIEMES, OCCUPANTS, METER = 1, 2, 3, 4, 5
KEYS = {
    SURFACE: _("Living surface"),
    EQUAL: _("Equal parts"),
    TANTIEMES: _("Tantièmes"),
    OCCUPANTS: _("Occupants"),
    METER: _("Meter"),
}
"""Keys of distribution (*clés de répartition*). Tantièmes and meter need a value for each home."""

VALUED = (TANTIEMES, METER)
MOST = Decimal(100_000)
"""Most that a value of a key may be: shares are reckoned in whole numbers of 64 bits."""
MOST_EUROS = 10_000_000


@dataclass(frozen=True, slots=True)
class Category:
    """A nature of expense (*nature de charge*): its heading in the annexe of décret 87-713.

    key: shared so unless said otherwise. share: rule id of the recoverable part, in per cent, asked
    with `tasks`; None: the whole. recoverable: False where nothing may be asked of a tenant.
    """

    code: int
    label: Promise
    french: str
    heading: str
    key: int = SURFACE
    share: str | None = None
    tasks: str | None = None
    recoverable: bool = True


LIFT, WATER, HEATING, FLATS, COMMON, OUTDOORS, HYGIENE, EQUIPMENT, WASTE_TAX = range(1, 10)
CARETAKER, CARETAKER_ONE, NOT_RECOVERABLE = 10, 11, 90

CATEGORIES = {
    one.code: one
    for one in (
        Category(LIFT, _("Lift"), "ascenseur", "I", key=TANTIEMES),
        Category(WATER, _("Cold water"), "eau froide", "II", key=METER),
        Category(HEATING, _("Heating and hot water"), "chauffage et eau chaude", "II"),
        Category(FLATS, _("Installations of the homes"), "installations individuelles", "III", key=EQUAL),
        Category(COMMON, _("Common parts"), "parties communes", "IV"),
        Category(OUTDOORS, _("Outdoor spaces"), "espaces extérieurs", "V"),
        Category(HYGIENE, _("Hygiene"), "hygiène", "VI"),
        Category(EQUIPMENT, _("Other equipment"), "équipements divers", "VII"),
        Category(WASTE_TAX, _("Waste tax"), "ordures ménagères", "VIII"),
        Category(
            CARETAKER,
            _("Caretaker: cleaning and waste"),
            "gardien, entretien et rejets",
            "art. 2",
            share="CHG_CARETAKER",
            tasks="both",
        ),
        Category(
            CARETAKER_ONE,
            _("Caretaker: cleaning or waste"),
            "gardien, entretien ou rejets",
            "art. 2",
            share="CHG_CARETAKER",
            tasks="one",
        ),
        Category(NOT_RECOVERABLE, _("Not recoverable"), "non récupérable", "", recoverable=False),
    )
}
CATEGORY_CHOICES = {code: one.label for code, one in CATEGORIES.items()}
EVERY = 0
"""A value of a key that holds for every category, or for every year."""


class ExpenseRefused(Refusal):
    """An expense, a value of a key or a policy that cannot be kept."""


class ChargePolicy(models.Model):
    """What the association chooses about charges (*politique de régularisation*); the last row holds.

    first_month: the year's accounts start on its first. instalments_above: EUR, a debit above it is
    called in so many parts, a month apart; none: never. round_to: EUR, provisions are rounded up to it.
    """

    first_month = models.PositiveSmallIntegerField(
        _("first month of the year"), default=1, validators=[MinValueValidator(1), MaxValueValidator(12)]
    )
    instalments_above = EuroField(_("in instalments above"), null=True, blank=True)
    instalments = models.PositiveSmallIntegerField(
        _("instalments"), default=3, validators=[MinValueValidator(1), MaxValueValidator(24)]
    )
    round_to = EuroField(_("provisions rounded up to"), default=0)
    chosen_at = models.DateTimeField()
    chosen_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("charge policy"), _("charge policies")
        constraints = [
            models.CheckConstraint(
                name="charge_policy_first_month", condition=Q(first_month__gte=1, first_month__lte=12)
            ),
            models.CheckConstraint(
                name="charge_policy_instalments",
                condition=Q(instalments__gte=1, instalments__lte=24),
                violation_error_message=_("Choose from 1 to 24 instalments."),
            ),
        ]

    def __str__(self):
        return f"{self.chosen_at:%Y-%m-%d}"


def policy() -> ChargePolicy:
    """The policy in force; the usual one where nothing was chosen: calendar years, no instalments, the euro above."""
    return ChargePolicy.objects.order_by("-pk").first() or ChargePolicy(round_to=euros(1))


def choose_policy(
    *,
    first_month: int,
    instalments_above: Money | None,
    instalments: int,
    round_to: Money,
    by,
    now: datetime,
) -> ChargePolicy:
    """Choose another policy; it holds for the settlements to come.

    Raises ExpenseRefused for another first month once expenses are entered.
    """
    if first_month != policy().first_month and Expense.objects.exists():
        raise ExpenseRefused(
            str(first_month),
            _("Expenses are entered already under another first month."),
            _("Keep the first month: a year settled must not change its days."),
        )
    with transaction.atomic():
        made = ChargePolicy.objects.create(
            first_month=first_month,
            instalments_above=instalments_above,
            instalments=instalments,
            round_to=round_to,
            chosen_at=now,
            chosen_by=by,
        )
        audit.record(by, "change", "charge_policy", made.pk)
    return made


def exercise(year: int) -> Period:
    """The days of a year of charges (*exercice*): twelve months from the policy's first."""
    first = date(year, policy().first_month, 1)
    return Period(first, add_months(first, 12))


# ---- expenses ---------------------------------------------------------------------------


class ExpenseQuerySet(models.QuerySet):
    def standing(self):
        """Expenses neither reversed nor reversing."""
        return self.filter(undoes=None, undone_by=None)

    def of_building(self, building):
        """What a building bears by itself, and its homes: the site's own are shared with its neighbours."""
        return self.filter(Q(building=building) | Q(unit__building=building))


class Expense(models.Model):
    """What a site, a building or a home cost in a year (*dépense*): never changed, undone by its opposite.

    year: of the accounts; start, end: the days it is for (end excluded), within the year. amount: EUR;
    recoverable: the part of it that tenants owe, of the same sign. co_ownership: where the syndic's
    yearly account says so.
    """

    site = models.ForeignKey(Site, models.PROTECT, null=True, related_name="+", verbose_name=_("site"))
    building = models.ForeignKey(
        Building, models.PROTECT, null=True, related_name="+", verbose_name=_("building")
    )
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, related_name="+", verbose_name=_("home"))
    co_ownership = models.ForeignKey("leases.CoOwnership", models.PROTECT, null=True, related_name="expenses")
    category = models.PositiveSmallIntegerField(_("nature"), choices=CATEGORY_CHOICES)
    key = models.PositiveSmallIntegerField(_("shared by"), choices=KEYS)
    year = models.PositiveSmallIntegerField(_("year"))
    start = models.DateField(_("from"))
    end = models.DateField(_("until"))
    supplier = models.CharField(_("supplier"), max_length=120, blank=True)
    invoice = models.CharField(_("invoice"), max_length=60, blank=True)
    invoiced_on = models.DateField(_("invoiced on"), null=True, blank=True)
    amount = EuroField(_("amount"))
    recoverable = EuroField(_("recoverable"))
    undoes = models.OneToOneField("self", models.PROTECT, null=True, related_name="undone_by")
    entered_at = models.DateTimeField(_("entered"))
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    objects = ExpenseQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("expense"), _("expenses")
        constraints = [
            models.CheckConstraint(
                name="expense_of_one_place",
                condition=Q(site__isnull=False, building__isnull=True, unit__isnull=True)
                | Q(site__isnull=True, building__isnull=False, unit__isnull=True)
                | Q(site__isnull=True, building__isnull=True, unit__isnull=False),
                violation_error_message=_("An expense is of one site, one building or one home."),
            ),
            models.CheckConstraint(
                name="expense_not_zero",
                condition=~Q(amount=0),
                violation_error_message=_("Give an amount other than zero."),
            ),
            models.CheckConstraint(
                name="expense_recoverable_within",
                condition=Q(amount__gt=0, recoverable__gte=0, recoverable__lte=F("amount"))
                | Q(amount__lt=0, recoverable__lte=0, recoverable__gte=F("amount")),
                violation_error_message=_("No more is recoverable than was spent."),
            ),
            models.CheckConstraint(name="expense_ends_after_it_starts", condition=Q(end__gt=F("start"))),
        ]
        indexes = [
            models.Index(fields=["year", "building"], name="expense_year_building"),
            models.Index(fields=["year", "unit"], name="expense_year_unit"),
        ]

    def __str__(self):
        return f"{self.get_category_display()} {self.year}"

    @property
    def place(self) -> Site | Building | Unit:
        return self.site or self.building or self.unit

    @property
    def level(self) -> int:
        return 1 if self.site_id else 2 if self.building_id else 3


def recoverable_part(category: int, amount: Money, *, on: date) -> Money:
    """What of an expense may be asked of tenants, EUR (*part récupérable*).

    on: the day it falls due. Source: décret 87-713, art. 2 (caretaker) and annexe.
    """
    kind = CATEGORIES[category]
    if not kind.recoverable:
        return euros(0)
    if kind.share is None:
        return amount
    return round_cents(amount * rule(kind.share, on=on, tasks=kind.tasks).value / 100)


def drafted(
    *,
    year: int,
    category: int,
    amount: Money,
    by,
    now: datetime,
    site: Site | None = None,
    building: Building | None = None,
    unit: Unit | None = None,
    key: int | None = None,
    recoverable: Money | None = None,
    days: Period | None = None,
    whole: Period | None = None,
    **told,
) -> Expense:
    """An expense as it will be kept: its key, days and recoverable part where they were not said.

    whole: the days of its year, where they are known already.
    Raises ExpenseRefused where it is of no place or of several, of days outside its year, or more is
    recoverable than the law or the invoice allows.
    """
    whole = whole or exercise(year)
    days = days or whole
    place = [one for one in (site, building, unit) if one is not None]
    if len(place) != 1:
        raise ExpenseRefused(
            str(year), _("An expense is of one site, one building or one home."), _("Name one of them.")
        )
    if days & whole != days or not days:
        raise ExpenseRefused(
            str(place[0]),
            _("These days are not within the year of the expense."),
            _("Give days from %(first)s to %(last)s.") % {"first": whole.start, "last": whole.last_day},
        )
    if not amount or abs(amount) > euros(MOST_EUROS):
        raise ExpenseRefused(
            str(place[0]), _("This amount is no expense."), _("Give an amount other than zero.")
        )
    most = recoverable_part(category, amount, on=days.last_day)
    part = most if recoverable is None else recoverable
    if not min(euros(0), most) <= part <= max(euros(0), most):
        raise ExpenseRefused(
            str(place[0]),
            _("More would be recovered than the law allows for this nature."),
            _("Give at most %(most)s.") % {"most": most},
        )
    return Expense(
        site=site,
        building=building,
        unit=unit,
        category=category,
        key=(EQUAL if unit else CATEGORIES[category].key) if key is None else key,
        year=year,
        start=days.start,
        end=days.end,
        amount=amount,
        recoverable=part,
        entered_at=now,
        entered_by=by,
        **told,
    )


def record_expense(*, by, now: datetime, **told) -> Expense:
    """Enter an expense (*saisie d'une dépense*); what it is told: see drafted().

    Raises ExpenseRefused; also where the same invoice stands already for this place and nature.
    """
    draft = drafted(by=by, now=now, **told)
    with transaction.atomic():
        if draft.invoice:
            same = Expense.objects.standing().filter(
                supplier=draft.supplier,
                invoice=draft.invoice,
                category=draft.category,
                year=draft.year,
                site=draft.site_id,
                building=draft.building_id,
                unit=draft.unit_id,
            )
            if same.exists():
                raise ExpenseRefused(
                    draft.invoice,
                    _("This invoice is already entered for the same place and nature."),
                    _("Reverse the first one if it is wrong."),
                )
        draft.save(force_insert=True)
        audit.record(by, "create", "expense", draft.pk)
    return draft


def reverse_expense(expense: Expense, *, by, now: datetime) -> Expense:
    """Undo an expense by its opposite (*annulation*); a settlement already made is corrected by the next.

    Raises ExpenseRefused where it is undone already.
    """
    with transaction.atomic():
        kept = Expense.objects.select_for_update().get(pk=expense.pk)
        if kept.undoes_id or Expense.objects.filter(undoes=kept).exists():
            raise ExpenseRefused(
                str(kept), _("This expense is already undone."), _("Enter it anew if it is still right.")
            )
        opposite = Expense(
            **{
                field.attname: getattr(kept, field.attname)
                for field in Expense._meta.concrete_fields
                if field.name not in ("id", "undoes")
            }
        )
        opposite.amount, opposite.recoverable = -kept.amount, -kept.recoverable
        opposite.undoes, opposite.entered_at, opposite.entered_by = kept, now, by
        opposite.save(force_insert=True)
        audit.record(by, "reverse", "expense", kept.pk)
    return opposite


# ---- keys -------------------------------------------------------------------------------


class UnitShare(models.Model):
    """What a home counts for under a key (*tantièmes, relevé de compteur*).

    category, year: 0 where it holds for all; the most exact one is used. value: tantièmes, m³, kWh.
    """

    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name=_("home"))
    key = models.PositiveSmallIntegerField(_("key"), choices={key: KEYS[key] for key in VALUED})
    category = models.PositiveSmallIntegerField(_("nature"), default=EVERY)
    year = models.PositiveSmallIntegerField(_("year"), default=EVERY)
    value = models.DecimalField(
        _("value"),
        max_digits=8,
        decimal_places=2,
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(MOST)],
    )

    class Meta:
        verbose_name, verbose_name_plural = _("value of a key"), _("values of keys")
        constraints = [
            models.UniqueConstraint(
                fields=["unit", "key", "category", "year"],
                name="unit_share_once",
                violation_error_message=_("This home already has a value for this key, nature and year."),
            ),
            models.CheckConstraint(
                name="unit_share_within",
                condition=Q(value__gte=0, value__lte=MOST),
                violation_error_message=_("Give a value from 0 to 100 000."),
            ),
        ]

    def __str__(self):
        return f"{self.unit_id} {self.get_key_display()}: {self.value}"


class KeyTotal(models.Model):
    """What a whole building counts for under a key, where it holds more homes than ours.

    The part of the homes that are not ours stays with the owner. key: surface, equal or tantièmes.
    """

    building = models.ForeignKey(Building, models.PROTECT, related_name="+", verbose_name=_("building"))
    key = models.PositiveSmallIntegerField(
        _("key"), choices={key: KEYS[key] for key in (SURFACE, EQUAL, TANTIEMES, METER)}
    )
    value = models.DecimalField(
        _("whole building"),
        max_digits=10,
        decimal_places=2,
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(MOST * 100)],
    )

    class Meta:
        verbose_name, verbose_name_plural = _("total of a key"), _("totals of keys")
        constraints = [models.UniqueConstraint(fields=["building", "key"], name="key_total_once")]

    def __str__(self):
        return f"{self.building_id} {self.get_key_display()}: {self.value}"


def set_share(
    unit: Unit, *, key: int, value: Decimal, by, category: int = EVERY, year: int = EVERY
) -> UnitShare:
    """Say what a home counts for under a key; a settlement made already is corrected by the next.

    Raises ExpenseRefused for a key that needs no value.
    """
    if key not in VALUED:
        raise ExpenseRefused(
            str(unit),
            _("This key needs no value: it follows from the home."),
            _("Choose tantièmes or meter."),
        )
    if not 0 <= value <= MOST:
        raise ExpenseRefused(
            str(unit), _("This value is out of bounds."), _("Give a value from 0 to 100 000.")
        )
    with transaction.atomic():
        kept, _made = UnitShare.objects.update_or_create(
            unit=unit, key=key, category=category, year=year, defaults={"value": value}
        )
        audit.record(by, "change", "expense", kept.pk, key=key, unit=unit.pk)
    return kept


def set_total(building: Building, *, key: int, value: Decimal | None, by) -> None:
    """Say what the whole building counts for under a key; None: what our homes come to."""
    with transaction.atomic():
        if value is None:
            KeyTotal.objects.filter(building=building, key=key).delete()
        else:
            KeyTotal.objects.update_or_create(building=building, key=key, defaults={"value": value})
        audit.record(by, "change", "expense", building.pk, key=key)


def last_day(expense: Expense) -> date:
    """The last day that an expense is for, as a page shows it."""
    return expense.end - ONE_DAY
