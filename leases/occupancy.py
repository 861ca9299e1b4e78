"""Who occupies which place, from which day until the keys come back (*occupation*)."""

from dataclasses import dataclass
from datetime import date

from django.db import models
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from leases.households import Household
from leases.lease import Lease
from portfolio.owners import Holding
from portfolio.stock import OutOfService, Place


class OccupancyQuerySet(models.QuerySet):
    def on(self, day):
        return self.filter(Q(end__isnull=True) | Q(end__gt=day), start__lte=day)

    def without_title(self, day):
        """Who still occupies on a day after the end of the lease (*sans droit ni titre*)."""
        return self.on(day).filter(lease__end__lte=day)

    def not_held(self, day):
        """Who occupies on a day a home that is no longer held: occupants to hand back."""
        held = Holding.objects.on(day).filter(unit=OuterRef("place__unit"))
        return self.on(day).filter(~Exists(held))

    def held_from(self, kind, day):
        """Occupancies in homes held on a day of an owner of that kind."""
        held = Holding.objects.on(day).filter(unit=OuterRef("place__unit"), owner__kind=kind)
        return self.filter(Exists(held))

    def spoken_of(self, text):
        """Occupancies of homes whose reference or address holds every word of a text."""
        found = self
        for word in text.split():
            found = found.filter(
                Q(place__reference__icontains=word)
                | Q(place__unit__building__address__spoken=word)
                | Q(place__unit__building__commune__spoken=word)
            )
        return found


class Occupancy(models.Model):
    """A place taken by a lease (*occupation*): one at a time per place, kept by the database.

    Runs from the entry until the later of the title's end and the keys' return (end excluded).
    Days after the lease's end are without title: an indemnity is called for them.
    """

    place = models.ForeignKey(Place, models.PROTECT, related_name="+")
    lease = models.ForeignKey(Lease, models.PROTECT, related_name="occupancies")
    start = models.DateField(_("from"))
    end = models.DateField(_("until"), null=True, blank=True)
    keys_returned_on = models.DateField(_("keys returned on"), null=True, blank=True)

    objects = OccupancyQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("occupancy"), _("occupancies")
        constraints = [
            models.CheckConstraint(
                name="occupancy_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gt=F("start")),
                violation_error_message=_("End the occupancy after its first day."),
            )
        ]
        indexes = [
            models.Index(fields=["place", "start"], name="occupancy_place_start"),
            models.Index(fields=["lease", "start"], name="occupancy_lease_start"),
        ]

    def __str__(self):
        return f"{self.place_id}: {self.lease_id}"


def spoken_of(leases: QuerySet, text: str) -> QuerySet:
    """Leases whose reference, household or home is spoken of: a name, an address, a payment reference."""
    text = text.strip()
    households = Household.objects.spoken_of(text)
    return leases.filter(
        Q(reference__icontains=text)
        | Q(payment_reference__iexact=text)
        | Q(household__in=households.values("pk"))
        | Q(pk__in=Occupancy.objects.spoken_of(text).values("lease"))
    )


def last_occupancies(lease_ids, on: date) -> dict[int, Occupancy]:
    """Where each lease lives on a day, or lived last: lease id → occupancy with its home; one query."""
    found = (
        Occupancy.objects.filter(lease__in=list(lease_ids))
        .select_related("place__unit__building")
        .order_by("start", "pk")
    )
    kept: dict[int, Occupancy] = {}
    for one in found:
        if one.lease_id not in kept or one.start <= on:
            kept[one.lease_id] = one
    return kept


# ---- the status of a unit on a day -------------------------------------------------------

OCCUPIED, WITHOUT_TITLE, VACANT = "occupied", "without_title", "vacant"
WORKS, WITHDRAWN, KEPT_EMPTY, NOT_HELD = "works", "withdrawal", "vacancy", "not_held"

STATUSES: dict[str, tuple[str, Promise]] = {
    OCCUPIED: ("good", _("Occupied")),
    WITHOUT_TITLE: ("warn", _("Occupied without title")),
    VACANT: ("bad", _("Vacant")),
    KEPT_EMPTY: ("wait", _("Kept empty")),
    WORKS: ("info", _("Works")),
    WITHDRAWN: ("off", _("Withdrawn")),
    NOT_HELD: ("off", _("Not held")),
}
"""Status of a unit → how grave it is, and in words; a unit out of service is named by why it is."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a unit is on a day (*état du logement*): a key of STATUSES, and how many of its places are taken."""

    code: str
    places: int
    taken: int

    @property
    def state(self) -> tuple[str, str]:
        """How grave, and in words: with the places taken where there are several."""
        kind, words = STATUSES[self.code]
        if self.places > 1 and self.taken and self.code in (OCCUPIED, WITHOUT_TITLE):
            return kind, f"{words} {self.taken}/{self.places}"
        return kind, str(words)


def with_status(units: QuerySet, on: date) -> QuerySet:
    """Units with `status` (a key of STATUSES), `places_count` and `taken` on a day, from dated facts.

    Held first, then occupied, then out of service: who is still there in a home under works
    occupies it. Uses occupancy_place_start and holding_unit_start.
    """
    there = Occupancy.objects.on(on).filter(place__unit=OuterRef("pk"))
    out = OutOfService.objects.on(on).filter(unit=OuterRef("pk")).order_by("-start").values("kind")[:1]
    return units.annotate(
        places_count=_count(Place.objects.filter(unit=OuterRef("pk")), "unit"),
        taken=_count(there, "place__unit"),
        status=Case(
            When(~Exists(Holding.objects.on(on).filter(unit=OuterRef("pk"))), then=Value(NOT_HELD)),
            When(Exists(there.filter(lease__end__lte=on)), then=Value(WITHOUT_TITLE)),
            When(Exists(there), then=Value(OCCUPIED)),
            default=Coalesce(Subquery(out), Value(VACANT)),
            output_field=models.CharField(),
        ),
    )


def status(units: QuerySet, on: date) -> dict[int, Status]:
    """The status of each of these units on a day, by id: one query."""
    return {
        pk: Status(code, places, taken)
        for pk, code, places, taken in with_status(units.order_by(), on).values_list(
            "pk", "status", "places_count", "taken"
        )
    }


@dataclass(frozen=True, slots=True)
class StatusCount:
    """Of the units in one status: how many, how many places they have, how many of these are taken."""

    units: int
    places: int
    taken: int


def count_status(units: QuerySet, on: date) -> dict[str, StatusCount]:
    """How many units are in each status on a day, by code of STATUSES: one query, of the whole stock if asked."""
    rows = (
        with_status(units.order_by(), on)
        .values("status")
        .annotate(units=Count("pk"), places=Sum("places_count"), there=Sum("taken"))
    )
    return {row["status"]: StatusCount(row["units"], row["places"], row["there"]) for row in rows}


def _count(rows: QuerySet, group: str):
    counted = rows.order_by().values(group).annotate(counted=Count("pk")).values("counted")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
