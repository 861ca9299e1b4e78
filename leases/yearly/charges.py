"""The yearly settlement of charges (*régularisation des charges*): what was spent less what was called.

Each lease owes its part of every expense of its home, its building and its site, for the days it
occupied under title; what of a total nobody owes stays with the owner. From it go the provisions
called for the months of the year. A settlement is a row, never changed: settled again, it carries
only the difference; undone, its opposite. Where the law makes charges flat, nothing is settled.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.law import rule
from core.money import EuroField, allocate, euros, to_cents
from core.periods import ONE_DAY, Period, add_months
from leases.kinds import KINDS
from leases.lease import Lease
from leases.ledger import Account, Entry
from leases.yearly.expenses import CATEGORY_CHOICES, KEYS
from portfolio.stock import Building, Site, Unit

SITE, BUILDING, HOME = 1, 2, 3
LEVELS = {SITE: _("Site"), BUILDING: _("Building"), HOME: _("Home")}

REASONS = {
    "flat": _("Charges are flat or included under this contract: never settled."),
    "no_key": _("A value of a key is missing for a home of the building."),
    "no_expenses": _("No expense is entered for its home, its building or its site."),
    "barred": _("More than three years have passed: a debit can no longer be claimed."),
}
"""Why a lease is left out of a settlement."""


class FlatCharges(models.Model):
    """A lease whose contract makes charges a flat sum (*forfait de charges*), where its kind allows both."""

    lease = models.OneToOneField(Lease, models.PROTECT, related_name="flat_charges")
    said_at = models.DateTimeField()
    said_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("flat charges"), _("flat charges")

    def __str__(self):
        return str(self.lease_id)


class ChargeRun(models.Model):
    """One settlement of a year: of the whole stock, a site or a building; open until all parts are in.

    start, end: the days settled (end excluded). on: the day the statements go out; due: of a debit,
    or of its first instalment. late: after the 31 December that the law gives. undoes: the run undone.
    """

    year = models.PositiveSmallIntegerField(_("year"))
    start = models.DateField(_("from"))
    end = models.DateField(_("until"))
    site = models.ForeignKey(Site, models.PROTECT, null=True, related_name="+")
    building = models.ForeignKey(Building, models.PROTECT, null=True, related_name="+")
    on = models.DateField(_("statements sent on"))
    due = models.DateField(_("due"))
    late = models.BooleanField(_("late"), default=False)
    instalments_above = EuroField(null=True)
    instalments = models.PositiveSmallIntegerField(default=1)
    opened_at = models.DateTimeField(_("opened"))
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(_("closed"), null=True)
    sealed_settlements = models.PositiveIntegerField(_("leases settled"), null=True)
    sealed_total = EuroField(_("balance"), null=True)
    undoes = models.OneToOneField("self", models.PROTECT, null=True, related_name="undone_by")

    class Meta:
        verbose_name, verbose_name_plural = _("settlement of charges"), _("settlements of charges")
        constraints = [
            models.UniqueConstraint(
                fields=["year"],
                name="charge_run_one_open_a_year",
                condition=Q(closed_at__isnull=True),
                violation_error_message=_("A settlement of this year is still open: resume it."),
            )
        ]

    def __str__(self):
        return f"{self.year}"

    @property
    def place(self) -> Site | Building | None:
        return self.building or self.site


class ChargePart(models.Model):
    """Sites of at most 5,000 leases, settled in one short transaction (*lot*)."""

    run = models.ForeignKey(ChargeRun, models.PROTECT, related_name="parts")
    first_site = models.BigIntegerField()
    last_site = models.BigIntegerField()
    entry = models.OneToOneField(Entry, models.PROTECT, null=True, related_name="+")
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "first_site"], name="charge_part_once")]

    def __str__(self):
        return f"{self.run_id}: {self.first_site}–{self.last_site}"


class ChargeException(models.Model):
    """A lease left out of a settlement, and why: a key of REASONS."""

    run = models.ForeignKey(ChargeRun, models.PROTECT, related_name="exceptions")
    lease = models.ForeignKey(Lease, models.PROTECT, related_name="+")
    reason = models.CharField(_("reason"), max_length=12, choices=REASONS)

    class Meta:
        verbose_name, verbose_name_plural = _("lease left out"), _("leases left out")
        constraints = [
            models.UniqueConstraint(fields=["run", "lease", "reason"], name="charge_exception_once")
        ]

    def __str__(self):
        return f"{self.lease_id}: {self.reason}"


class Settlement(models.Model):
    """A lease's year of charges (*décompte de charges*): version by version, never changed.

    account: the tenant's account, which says the book. share: its part of the expenses; provisions:
    what was called for the year; both as known now. amount: what this version posts, EUR, owed by the
    tenant or, below zero, given back: all versions together come to share less provisions.
    """

    run = models.ForeignKey(ChargeRun, models.PROTECT, related_name="settlements")
    lease = models.ForeignKey(
        Lease, models.PROTECT, related_name="settlements", db_constraint=False, db_index=False
    )
    account = models.ForeignKey(
        Account, models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    year = models.PositiveSmallIntegerField(_("year"))
    version = models.PositiveSmallIntegerField(_("version"))
    days = models.SmallIntegerField(_("days"))
    share = EuroField(_("share"))
    provisions = EuroField(_("provisions"))
    amount = EuroField(_("balance"))
    instalments = models.PositiveSmallIntegerField(_("instalments"))

    class Meta:
        verbose_name, verbose_name_plural = _("charge statement"), _("charge statements")
        constraints = [
            models.UniqueConstraint(
                fields=["lease", "account", "year", "version"],
                name="settlement_once",
                violation_error_message=_("This year is already settled for this lease."),
            )
        ]

    def __str__(self):
        return f"{self.lease_id} {self.year}"

    def keys(self) -> list[str]:
        """The keys of its operations, in the order of its instalments."""
        return [self.key(number) for number in range(1, self.instalments + 1)]

    def key(self, number: int) -> str:
        return f"charges {self.year} lease {self.lease_id} account {self.account_id} v{self.version} {number}"


class ChargeGroup(models.Model):
    """The expenses of a place and nature as a run shared them: total, EUR, and what stayed with the owner."""

    run = models.ForeignKey(ChargeRun, models.PROTECT, related_name="groups")
    level = models.PositiveSmallIntegerField(choices=LEVELS)
    place_id = models.BigIntegerField()
    category = models.PositiveSmallIntegerField(_("nature"), choices=CATEGORY_CHOICES)
    key = models.PositiveSmallIntegerField(_("shared by"), choices=KEYS)
    start = models.DateField()
    end = models.DateField()
    total = EuroField(_("total"))
    whole = models.BigIntegerField()
    owner_share = EuroField(_("stays with the owner"))

    class Meta:
        verbose_name, verbose_name_plural = _("nature of charges"), _("natures of charges")
        constraints = [
            models.UniqueConstraint(
                fields=["run", "level", "place_id", "category", "key", "start", "end"],
                name="charge_group_once",
            )
        ]

    def __str__(self):
        return f"{self.get_level_display()} {self.place_id} {self.get_category_display()}"


class ChargeLine(models.Model):
    """A lease's share of one nature: EUR, with the days and the weight that explain it."""

    settlement = models.ForeignKey(
        Settlement, models.PROTECT, related_name="lines", db_constraint=False, db_index=False
    )
    group = models.ForeignKey(ChargeGroup, models.PROTECT, related_name="lines", db_constraint=False)
    days = models.IntegerField(_("days"))
    weight = models.BigIntegerField()
    share = EuroField(_("share"))

    class Meta:
        verbose_name, verbose_name_plural = _("line of a charge statement"), _("lines of charge statements")
        constraints = [models.UniqueConstraint(fields=["settlement", "group"], name="charge_line_once")]

    def __str__(self):
        return f"{self.settlement_id}: {self.share}"


class SettlementRefused(Refusal):
    """A settlement that cannot be made or undone now."""


# ---- the rule ---------------------------------------------------------------------------


def shared(total: Money, weights: Mapping[object, int], whole: int) -> tuple[dict, Money]:
    """Part of a total for each lease, and what stays with the owner: together exactly the total.

    total: EUR, recoverable. weights: lease → what its home counts for × its days, in the order of
    leases. whole: what all homes count for × all days; days vacant or without title stay with the
    owner. The cents left go to the largest remainders. Source: loi 89-462, art. 23.
    queries/charges_shares.sql applies the same rule to the whole stock.
    """
    *parts, owner = allocate(total, [*weights.values(), whole - sum(weights.values())])
    return dict(zip(weights, parts, strict=True)), owner


def settled_kinds() -> list[str]:
    """Contracts whose charges are provisions, so settled each year (FLAT_CHARGES: the others never)."""
    return [kind.code for kind in KINDS.values() if "provisions" in kind.charges]


def first_due(on: date) -> date:
    """The first day on which a debit may fall due: a month after its statement goes out."""
    return add_months(on, rule("CHG_STATEMENT_BEFORE", on=on).value)


def inspection_until(on: date) -> date:
    """The last day on which the tenant may see the documents: six months from sending."""
    return add_months(on, rule("CHG_DOCUMENTS_OPEN", on=on).value)


def is_late(period: Period, due: date) -> bool:
    """Whether charges are settled after the 31 December that the law gives: then payable in twelfths."""
    years = rule("CHG_SETTLED_WITHIN", on=due).value
    return due > date(period.last_day.year + years, 12, 31)


def is_barred(period: Period, due: date) -> bool:
    """Whether a debit of a year can no longer be claimed (loi 89-462, art. 7-1)."""
    years = rule("PRESCRIPTION", on=due, claim="lease").value
    return due > add_months(period.last_day, 12 * years)


def parts_offered(*, count: int, late: bool, due: date) -> int:
    """In how many parts a debit may be called: the association's choice, twelfths at least when late."""
    return max(count, rule("CHG_LATE_PARTS", on=due).value) if late else count


def instalments_of(amount: Money, *, above: Money | None, offered: int, late: bool) -> int:
    """In how many parts a balance is called: several for a debit above the chosen amount, or settled late."""
    if amount <= euros(0) or not (late or (above is not None and amount > above)):
        return 1
    return min(offered, to_cents(amount))


# ---- flat charges -----------------------------------------------------------------------


def set_flat(lease: Lease, *, flat: bool, by, now: datetime) -> None:
    """Say that a contract makes charges flat, or that they are provisions after all.

    Raises SettlementRefused where its kind of contract leaves no choice.
    """
    if not {"flat", "provisions"} <= set(KINDS[lease.kind].charges):
        raise SettlementRefused(
            lease.reference,
            _("This kind of contract leaves no choice: its charges are always the same."),
            _("Look at the kind of the contract."),
        )
    with transaction.atomic():
        if flat:
            FlatCharges.objects.get_or_create(lease=lease, defaults={"said_at": now, "said_by": by})
        else:
            FlatCharges.objects.filter(lease=lease).delete()
        audit.record(by, "change", "charges", lease.pk, flat=flat)


# ---- the statement ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A nature of charges on a statement: EUR; value of the home, and of all homes, under the key."""

    label: str
    place: str
    total: Money
    key: str
    value: Decimal
    whole: Decimal
    days: int
    of_days: int
    share: Money


@dataclass(frozen=True, slots=True)
class StatementFacts:
    """All that a charge statement says (*décompte de charges*): EUR; end: last day of the period.

    before: the balance settled by earlier versions. amount: to pay now, or below zero given back.
    instalments: (due, EUR), one for a debit paid at once, none for what is given back.
    inspection_until: last day on which the documents may be seen.
    """

    lease_id: int
    lease_reference: str
    year: int
    version: int
    start: date
    end: date
    days: int
    lines: tuple[StatementLine, ...]
    share: Money
    provisions: Money
    before: Money
    amount: Money
    instalments: tuple[tuple[date, Money], ...]
    sent_on: date
    due: date
    late: bool
    inspection_until: date


def statement_facts(settlement: Settlement) -> StatementFacts:
    """What the statement of one settlement says."""
    return next(facts_of(Settlement.objects.filter(pk=settlement.pk)))


def facts_of(settlements: models.QuerySet) -> Iterator[StatementFacts]:
    """What each of these statements says, in the order of leases; four queries for each 2,000."""
    rows = settlements.select_related("lease", "run").order_by("lease", "account", "version")
    stream = rows.iterator(chunk_size=2_000)
    while batch := list(islice(stream, 2_000)):
        lines = defaultdict(list)
        for line in ChargeLine.objects.filter(settlement__in=[one.pk for one in batch]).select_related(
            "group"
        ):
            lines[line.settlement_id].append(line)
        names = place_names({line.group for found in lines.values() for line in found})
        for one in batch:
            yield _facts(one, lines[one.pk], names)


def _facts(one: Settlement, lines: list[ChargeLine], names: Mapping) -> StatementFacts:
    run = one.run
    lines.sort(key=lambda line: (line.group.level, line.group.category, line.group.pk))
    return StatementFacts(
        lease_id=one.lease_id,
        lease_reference=one.lease.reference,
        year=one.year,
        version=one.version,
        start=run.start,
        end=run.end - ONE_DAY,
        days=one.days,
        lines=tuple(
            StatementLine(
                label=str(line.group.get_category_display()),
                place=names[line.group.level, line.group.place_id],
                total=line.group.total,
                key=str(line.group.get_key_display()),
                value=_value(line.weight, line.days),
                whole=_value(line.group.whole, (line.group.end - line.group.start).days),
                days=line.days,
                of_days=(line.group.end - line.group.start).days,
                share=line.share,
            )
            for line in lines
        ),
        share=one.share,
        provisions=one.provisions,
        before=one.share - one.provisions - one.amount,
        amount=one.amount,
        instalments=tuple(instalments_due(one)),
        sent_on=run.on,
        due=run.due,
        late=run.late,
        inspection_until=inspection_until(run.on),
    )


def instalments_due(one: Settlement) -> list[tuple[date, Money]]:
    """When a debit is paid and how much each time, EUR; nothing for what is given back."""
    if one.amount <= euros(0) or one.run.undoes_id:
        return []
    parts = allocate(one.amount, [1] * one.instalments)
    return [(add_months(one.run.due, number), part) for number, part in enumerate(parts)]


def place_names(groups) -> dict[tuple[int, int], str]:
    """How the places of some natures are called: (level, id) → name; three queries."""
    ids = {level: {one.place_id for one in groups if one.level == level} for level in LEVELS}
    found = {(SITE, one.pk): one.name for one in Site.objects.filter(pk__in=ids[SITE])}
    found |= {(BUILDING, one.pk): one.address for one in Building.objects.filter(pk__in=ids[BUILDING])}
    found |= {(HOME, one.pk): one.reference for one in Unit.objects.filter(pk__in=ids[HOME])}
    return found


def _value(weight: int, days: int) -> Decimal:
    """What a home counts for under its key, from a weight kept in hundredths × days."""
    return (Decimal(weight) / days / 100).quantize(Decimal("0.01")) if days else Decimal(0)
