"""Homes to let again (*remise en location*): how far each is, days without occupant, rent lost.

The stages follow from dated facts: the notice, the advice visit, the exit survey, the keys, the works,
the proposal; the next lease takes a home off the board. Only the visit and the proposal are kept here.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.money import euros
from core.periods import ONE_DAY, Period
from leases.occupancy import Occupancy
from leases.rent import prorated
from leases.tenancy.applications import Application
from leases.tenancy.inspections import EXIT, Inspection
from leases.tenancy.notices import Departure
from leases.terms import RENT, RentTerm
from portfolio.owners import Holding
from portfolio.stock import OutOfService, Place

NOTICE, VISIT, SURVEY, KEYS, WORKS, PROPOSAL = "notice", "visit", "survey", "keys", "works", "proposal"
STAGES = {
    NOTICE: _("Notice"),
    VISIT: _("Advice visit"),
    SURVEY: _("Exit survey"),
    KEYS: _("Keys returned"),
    WORKS: _("Works"),
    PROPOSAL: _("Proposal"),
}
"""What a home goes through until its next lease, in order."""
KEPT = {VISIT: STAGES[VISIT], PROPOSAL: STAGES[PROPOSAL]}


class RelettingRefused(Refusal):
    """A step of a re-letting that its dates do not allow."""


class RelettingStep(models.Model):
    """An advice visit before the exit, or a proposal of the home (*visite conseil, proposition*)."""

    place = models.ForeignKey(Place, models.PROTECT, related_name="+")
    step = models.CharField(_("step"), max_length=8, choices=KEPT)
    on = models.DateField(_("date"))
    note = models.CharField(_("note"), max_length=200, blank=True)
    withdrawn_on = models.DateField(_("withdrawn on"), null=True, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("re-letting step"), _("re-letting steps")
        constraints = [
            models.UniqueConstraint(
                fields=["place", "step", "on"],
                name="reletting_step_once_a_day",
                condition=Q(withdrawn_on__isnull=True),
                violation_error_message=_("This step is recorded on that day already."),
            )
        ]

    def __str__(self):
        return f"{self.place_id} {self.step} {self.on}"


@dataclass(slots=True)
class Reletting:
    """A home to let again, as it stands on a day.

    last: who lives there or did last, None where nobody ever did. empty_from: first day without
    occupant, None while it is not known. days: without occupant so far. lost: EUR, its last rent
    excluding charges for these days; None where it was never let. dates: stage → day it was reached.
    out: why it may not be let now, if so.
    """

    place: Place
    last: Occupancy | None
    empty_from: date | None
    days: int
    lost: Money | None
    dates: dict[str, date] = field(default_factory=dict)
    out: OutOfService | None = None
    steps: dict[str, RelettingStep] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The last stage reached, in the order of STAGES; empty before the first."""
        reached = [stage for stage in STAGES if stage in self.dates]
        return reached[-1] if reached else ""


def board(on: date) -> list[Reletting]:
    """Homes without occupant, or whose occupant leaves, and without a next one; longest empty first.

    Those withdrawn from the stock, or not held, are left out. Nine queries, whatever their number.
    """
    stays = Occupancy.objects.filter(place=OuterRef("pk"))
    held = Holding.objects.on(on).filter(unit=OuterRef("unit"))
    withdrawn = OutOfService.objects.on(on).filter(unit=OuterRef("unit"), kind=OutOfService.Kind.WITHDRAWAL)
    # One that stays without end, or one to come, is a next occupant. Uses occupancy_place_start.
    next_ = stays.filter(Q(start__gt=on) | Q(end=None, lease__end=None))
    places = list(
        Place.objects.filter(Exists(held), ~Exists(withdrawn), ~Exists(next_))
        .select_related("unit__building", "unit__structure")
        .order_by("pk")
    )
    ids, units = [one.pk for one in places], [one.unit_id for one in places]
    last = {
        stay.place_id: stay
        for stay in Occupancy.objects.filter(place__in=ids).select_related("lease").order_by("start", "pk")
    }
    leases = [stay.lease_id for stay in last.values()]
    told = dict(Departure.objects.filter(lease__in=leases).values_list("lease", "received_on"))
    surveys = dict(
        Inspection.objects.filter(
            occupancy__in=[stay.pk for stay in last.values()], kind=EXIT, signed_at__isnull=False
        ).values_list("occupancy", "on")
    )
    works: dict[int, OutOfService] = {}
    for one in OutOfService.objects.filter(unit__in=units, start__lte=on).order_by("start"):
        works[one.unit_id] = one
    since = {}
    for unit, start in Holding.objects.on(on).filter(unit__in=units).values_list("unit", "start"):
        since[unit] = start
    steps: dict[int, list[RelettingStep]] = defaultdict(list)
    for step in RelettingStep.objects.filter(place__in=ids, withdrawn_on=None, on__lte=on).order_by("on"):
        steps[step.place_id].append(step)
    # The latest offer of the home in a file that still runs.
    offered = dict(
        Application.objects.filter(place__in=ids, closed_on=None, offered_on__lte=on)
        .order_by("offered_on")
        .values_list("place", "offered_on")
    )
    rents = {}
    terms = RentTerm.objects.filter(lease__in=leases, item=RENT).order_by("start")
    for lease, amount in terms.values_list("lease", "amount"):
        rents[lease] = amount
    found = []
    for place in places:
        stay = last.get(place.pk)
        empty_from = _empty_from(stay, since.get(place.unit_id), on)
        empty = Period(empty_from, on + ONE_DAY) if empty_from and empty_from <= on else None
        rent = rents.get(stay.lease_id) if stay else None
        one = Reletting(
            place=place,
            last=stay,
            empty_from=empty_from,
            days=empty.days if empty else 0,
            lost=rent_lost(rent, empty) if rent is not None else None,
        )
        if place.pk in offered:
            one.dates[PROPOSAL] = offered[place.pk]
        _date(one, told=told, surveys=surveys, works=works.get(place.unit_id), steps=steps[place.pk], on=on)
        found.append(one)
    return sorted(found, key=lambda one: (-one.days, one.empty_from or date.max, one.place.pk))


def _empty_from(stay: Occupancy | None, held_since: date | None, on: date) -> date | None:
    """The first day without occupant: after the last stay, else when the home came to be held.

    None while somebody stays after the end of the lease: nobody knows when the keys come back.
    """
    if stay is None:
        return held_since
    end = stay.end or (stay.lease.end if stay.lease.end and stay.lease.end > on else None)
    return max(filter(None, (end, held_since))) if end else None


def rent_lost(rent: Money, empty: Period | None) -> Money:
    """What a rent would have brought over the days without occupant, EUR, month by month."""
    if not empty:
        return euros(0)
    return sum((prorated(rent, occupied=empty, month=month) for month in empty.months()), euros(0))


def _date(one: Reletting, *, told, surveys, works, steps, on) -> None:
    """The day of each stage; only what came after the last entry counts."""
    stay, entered = one.last, one.last.start if one.last else date.min
    if stay is not None and stay.lease.end is not None:
        one.dates[NOTICE] = told.get(stay.lease_id) or stay.lease.end
        if stay.pk in surveys:
            one.dates[SURVEY] = surveys[stay.pk]
        left = stay.keys_returned_on or (stay.end if stay.end and stay.end <= on else None)
        if left and left <= on:
            one.dates[KEYS] = left
    if works is not None and (works.end is None or works.end > entered):
        if works.end is None or works.end > on:
            one.out = works
        if works.kind == OutOfService.Kind.WORKS:
            one.dates[WORKS] = works.start
    for step in steps:
        if step.on >= entered:
            one.dates[step.step] = max(step.on, one.dates.get(step.step, step.on))
            one.steps[step.step] = step


def record_step(place: Place, step: str, *, on: date, by, note: str = "") -> RelettingStep:
    """Record an advice visit or a proposal. Raises RelettingRefused for the same one again."""
    with transaction.atomic():
        Place.objects.select_for_update().get(pk=place.pk)
        if RelettingStep.objects.filter(place=place, step=step, on=on, withdrawn_on=None).exists():
            raise RelettingRefused(
                place.reference, _("This step is recorded on that day already."), _("Give another day.")
            )
        made = RelettingStep.objects.create(place=place, step=step, on=on, note=note, made_by=by)
        audit.record(by, step, "reletting", place.pk)
    return made


def withdraw_step(step: RelettingStep, *, on: date, by) -> RelettingStep:
    """Take a step back, recorded by mistake or refused."""
    with transaction.atomic():
        step.withdrawn_on = on
        step.save(update_fields=["withdrawn_on"])
        audit.record(by, "withdraw", "reletting", step.place_id)
    return step
