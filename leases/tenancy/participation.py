"""What a CHRS resident pays each month, from proved resources (*participation financière*).

The law gives the range of percentages, the days that are charged a flat lower amount and what must be
left to the household (CHRS_PARTICIPATION, CHRS_PARTICIPATION_FROM_DAY, CHRS_LEFT_TO_HOUSEHOLD: CASF,
art. R. 345-7, arrêté du 13 mars 2002); the structure's own rate is a dated row within it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.law import rule
from core.money import EuroField, euros, floor_cents, round_cents
from core.periods import Period
from leases.households import Membership, head_name, with_head
from leases.kinds import KINDS, PARTICIPATION
from leases.lease import Lease
from leases.lifecycle import change_term
from leases.occupancy import Occupancy
from leases.terms import RENT, RentTerm
from portfolio.stock import Structure

KIND_CODES = [kind.code for kind in KINDS.values() if kind.amount_due == PARTICIPATION]
FAMILY = 3
"""People from which a household is a family: below, a person, a couple, or a person with one child."""


class ProvedResources(models.Model):
    """What a household lives on, as its papers prove it (*ressources justifiées*).

    amount: EUR a month, of all its members. since: they hold from that day, until others are proved.
    """

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="resources")
    since = models.DateField(_("from"))
    amount = EuroField(_("resources a month"))
    proof = models.CharField(_("papers seen"), max_length=120)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("proved resources"), _("proved resources")
        constraints = [
            models.CheckConstraint(
                name="proved_resources_not_negative",
                condition=Q(amount__gte=0),
                violation_error_message=_("Give an amount of zero or more."),
            )
        ]
        indexes = [models.Index(fields=["lease", "since"], name="proved_resources_lease")]

    def __str__(self):
        return f"{self.lease_id} {self.since}"


class ParticipationRate(models.Model):
    """A structure's rate from a day on, as its rules say (*barème du règlement de fonctionnement*).

    structure: null for all. small, family: percent of resources by size of household. daily: EUR a day,
    for the first days of a stay.
    """

    structure = models.ForeignKey(
        Structure, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("structure")
    )
    since = models.DateField(_("from"))
    meals = models.BooleanField(_("meals are given"), default=False)
    small = models.DecimalField(_("one or two people, %"), max_digits=4, decimal_places=1)
    family = models.DecimalField(_("three people and more, %"), max_digits=4, decimal_places=1)
    daily = EuroField(_("a day, for the first days"), default=0)
    set_at = models.DateTimeField()
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("rate of participation"), _("rates of participation")
        constraints = [
            models.CheckConstraint(
                name="participation_rate_daily_not_negative",
                condition=Q(daily__gte=0),
                violation_error_message=_("Give an amount of zero or more."),
            )
        ]

    def __str__(self):
        return f"{self.structure_id} {self.since}"


class NoParticipation(Refusal):
    """A participation that cannot be reckoned or set, or a rate outside the law."""


@dataclass(frozen=True, slots=True)
class Participation:
    """A month's participation of one stay: EUR for a whole month, and how it comes about.

    percent: of resources. left: EUR that stays with the household. capped: lowered so that what the
    law leaves is left. first_days: days of the month charged the flat `daily` amount, EUR.
    whole_from: the day from which the monthly amount is owed, None where it is not in this month.
    current: what is owed from then on until now. to_set: (day, EUR a month) of each rent term to set.
    refusal: why there is none; every figure is then zero.
    """

    lease: Lease
    name: str
    structure: str
    entered: date
    persons: int
    resources: ProvedResources | None
    percent: Decimal
    amount: Money
    left: Money
    capped: bool
    daily: Money
    first_days: tuple[date, ...]
    whole_from: date | None
    current: Money | None
    to_set: tuple[tuple[date, Money], ...] = ()
    refusal: NoParticipation | None = None

    @property
    def changes(self) -> bool:
        return bool(self.to_set)


def size(persons: int) -> str:
    """The law's word for a household: "small" or "family"."""
    return "family" if persons >= FAMILY else "small"


def monthly(resources: Money, *, persons: int, percent: Decimal, on: date) -> tuple[Money, bool]:
    """The participation of a whole month in EUR, and whether it was lowered to leave what the law leaves.

    resources: EUR a month. percent: the structure's rate. Rounded half up; the cap, down.
    """
    asked = round_cents(resources * percent / 100)
    kept = Decimal(rule("CHRS_LEFT_TO_HOUSEHOLD", on=on, household=size(persons)).value)
    most = floor_cents(resources * (100 - kept) / 100)
    return min(asked, most), asked > most


def set_rate(
    *, structure: Structure | None, since: date, meals: bool, small: Decimal, family: Decimal, daily: Money,
    by, now: datetime,
) -> ParticipationRate:  # fmt: skip
    """Record a rate from a day on. Raises NoParticipation outside the range of the law."""
    for household, percent in (("small", small), ("family", family)):
        low, high = rule("CHRS_PARTICIPATION", on=since, household=household, meals=meals).value
        if not low <= percent <= high:
            raise NoParticipation(
                structure.name if structure else _("All structures"),
                _("The rate of %(percent)s %% is outside the law.") % {"percent": percent},
                _("Give from %(low)s to %(high)s %% (arrêté du 13 mars 2002).") % {"low": low, "high": high},
            )
    with transaction.atomic():
        made = ParticipationRate.objects.create(
            structure=structure, since=since, meals=meals, small=small, family=family, daily=daily,
            set_at=now, set_by=by,
        )  # fmt: skip
        audit.record(by, "change", "participation_rate", made.pk)
    return made


def prove_resources(
    lease: Lease, *, since: date, amount: Money, proof: str, by, now: datetime
) -> ProvedResources:
    """Record a household's resources with the papers seen; those before hold until the day before.

    Raises NoParticipation for another kind of contract, or without a paper.
    """
    _require_kind(lease)
    if not proof.strip():
        raise NoParticipation(lease.reference, _("No paper proves these resources."), _("Say what was seen."))
    with transaction.atomic():
        made = ProvedResources.objects.create(
            lease=lease, since=since, amount=amount, proof=proof.strip(), recorded_at=now, recorded_by=by
        )
        audit.record(by, "change", "participation", lease.pk)
    return made


def participations(month: date, *, leases: Iterable[int] | None = None) -> list[Participation]:
    """What each stay of a month is to pay, by structure and name; writes nothing; six queries.

    leases: only these.
    """
    span = Period.month(month)
    rows = Occupancy.objects.filter(
        Q(end=None) | Q(end__gt=span.start), lease__kind__in=KIND_CODES, start__lt=span.end
    )
    if leases is not None:
        rows = rows.filter(lease__in=list(leases))
    rows = with_head(rows.select_related("lease", "place__unit__structure"), "lease__household", span.start)
    stays = {one.lease_id: one for one in rows.order_by("start")}
    entered: dict[int, date] = {}
    for lease, start in (
        Occupancy.objects.filter(lease__in=stays).order_by("-start").values_list("lease", "start")
    ):
        entered[lease] = start
    resources, terms = defaultdict(list), defaultdict(list)
    for one in ProvedResources.objects.filter(lease__in=stays).order_by("since", "pk"):
        resources[one.lease_id].append(one)
    for term in RentTerm.objects.filter(lease__in=stays, item=RENT):
        terms[term.lease_id].append(term)
    members = defaultdict(list)
    households = [one.lease.household_id for one in stays.values()]
    for one in Membership.objects.filter(household__in=households):
        members[one.household_id].append(one)
    rates = list(ParticipationRate.objects.order_by("since", "pk"))
    found = [
        _participation(
            stay,
            entered[lease],
            span,
            resources[lease],
            terms[lease],
            members[stay.lease.household_id],
            rates,
        )
        for lease, stay in stays.items()
    ]
    return sorted(found, key=lambda one: (one.structure, one.name, one.lease.reference))


def set_participation(lease: Lease, *, month: date, by, now: datetime) -> Participation:
    """Set a month's participation as the stay's rent, the flat first days included.

    Each part of it is a dated rent term: the rent run calls it as any rent. Raises NoParticipation
    without proved resources or a rate, LeaseRefused where a later amount is recorded.
    """
    _require_kind(lease)
    found = participations(month, leases=[lease.pk])
    if not found:
        raise NoParticipation(
            lease.reference, _("Nobody stays under this contract in that month."), _("Choose another month.")
        )
    [one] = found
    if one.refusal:
        raise one.refusal
    with transaction.atomic():
        for day, amount in one.to_set:
            change_term(lease, item=RENT, amount=amount, since=day, by=by, now=now)
        audit.record(by, "change", "participation", lease.pk, month=f"{month:%Y-%m}")
    return one


def set_month(month: date, *, by, now: datetime) -> list[Participation]:
    """Set every participation of a month that changes and can be reckoned; the others stay as they are."""
    with transaction.atomic():
        return [
            set_participation(one.lease, month=month, by=by, now=now)
            for one in participations(month)
            if one.changes
        ]


def _participation(stay, entered, span, resources, terms, members, rates) -> Participation:
    lease, structure = stay.lease, stay.place.unit.structure
    on = max(span.start, entered)
    persons = sum(one.start <= on and (one.end is None or one.end > on) for one in members) or 1
    whole = entered + timedelta(days=int(rule("CHRS_PARTICIPATION_FROM_DAY", on=on).value) - 1)
    end = min(span.end, stay.end or span.end)
    first_days = tuple(
        day
        for day in (entered + timedelta(days=number) for number in range((whole - entered).days))
        if span.start <= day < end
    )
    whole_from = max(whole, span.start)
    proved = next((one for one in reversed(resources) if one.since <= on), None)
    rate = _rate(rates, structure, on)
    whole_from = whole_from if whole_from < end else None
    current = _held(terms, whole_from or span.start)
    refusal, percent, amount, left, capped = None, Decimal(0), euros(0), euros(0), False
    if rate is None:
        refusal = NoParticipation(
            lease.reference, _("No rate of participation is set."), _("Set the rate of the structure.")
        )
    elif proved is None:
        refusal = NoParticipation(
            lease.reference, _("No resources are proved."), _("Record them with the papers seen.")
        )
    else:
        percent = rate.family if size(persons) == "family" else rate.small
        amount, capped = monthly(proved.amount, persons=persons, percent=percent, on=on)
        left = proved.amount - amount
    wanted = []
    if not refusal:
        wanted = [(day, rate.daily * Period.month(day).days) for day in _starts(first_days)]
        wanted += [(whole_from, amount)] if whole_from else []
    to_set = tuple((day, each) for day, each in wanted if _held(terms, day) != each)
    return Participation(
        lease, head_name(stay), structure.name if structure else "", entered, persons, proved, percent, amount,
        left, capped, rate.daily if rate else euros(0), first_days, whole_from, current, to_set, refusal,
    )  # fmt: skip


def _held(terms: list[RentTerm], on: date) -> Money | None:
    """The monthly amount agreed on a day."""
    return next((one.amount for one in terms if one.start <= on and (not one.end or one.end > on)), None)


def _rate(rates: list[ParticipationRate], structure: Structure | None, on: date) -> ParticipationRate | None:
    """The rate of a structure on a day: its own, else that of all."""
    held = [one for one in rates if one.since <= on]
    own = [one for one in held if structure and one.structure_id == structure.pk]
    return (own or [one for one in held if one.structure_id is None] or [None])[-1]


def _starts(days: tuple[date, ...]) -> list[date]:
    """The days on which a new monthly amount begins: the first one, and each first of a month."""
    return [day for at, day in enumerate(days) if at == 0 or day.day == 1]


def _require_kind(lease: Lease) -> None:
    if lease.kind not in KIND_CODES:
        raise NoParticipation(
            lease.reference,
            _("This contract asks no participation."),
            _("Only a CHRS stay does: change the rent instead."),
        )
