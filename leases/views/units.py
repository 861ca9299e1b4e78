"""Homes as they are held and occupied: the list, a unit, a building."""

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core import access, audit
from core.pages import ListColumn, ListPage, Page
from core.today import today
from leases.filters import HomeFilter
from leases.households import head_name, with_head
from leases.occupancy import Occupancy, status
from portfolio.filters import DatedFilter
from portfolio.labels import with_label
from portfolio.letting import may_be_let
from portfolio.models import Building, EnergyLabel, Holding, OutOfService, SafetyOrder, Unit
from portfolio.owners import TITLES

LABEL_STATES = {"A": "good", "B": "good", "C": "good", "D": "info", "E": "wait", "F": "warn", "G": "bad"}


def label_state(letter):
    """A letter as a state: its colour, and the letter itself."""
    return (LABEL_STATES[letter], letter) if letter else None


def title_label(unit):
    return TITLES[unit.title].label if unit.title else ""


class UnitList(ListPage):
    """The stock as it stands on a day."""

    resource = "unit"
    title = _("Homes")
    filterset_class = HomeFilter
    default_sort = "reference"
    export_name = "logements"
    empty_text = _("No home yet: import the portfolio.")
    columns = [
        ListColumn("reference", _("Reference"), sort="reference"),
        ListColumn(
            "address",
            _("Address"),
            "building.address",
            sort="building__address",
            sub=lambda u: f"{u.building.postcode} {u.building.commune}",
        ),
        ListColumn("postcode", _("Postcode"), "building.postcode", page=False),
        ListColumn("commune", _("Town"), "building.commune", page=False),
        ListColumn("site", _("Site"), "building.site.name", page=False),
        ListColumn("structure", _("Structure"), "structure.name", page=False),
        ListColumn("typology", _("Type"), sort="typology"),
        ListColumn("living_surface", _("m²"), kind="decimal", sort="living_surface"),
        ListColumn("owner", _("Owner"), "owner_name", sort="owner_name", sub=title_label, needs="owner"),
        ListColumn("title", _("Title"), title_label, page=False, needs="owner"),
        ListColumn(
            "label",
            pgettext_lazy("energy", "Label"),
            lambda u: label_state(u.label),
            kind="state",
            sort="label",
        ),
        ListColumn("status", _("Status"), lambda u: u.now.state, kind="state"),
        ListColumn("household", _("Household"), "people", needs="household.name"),
    ]

    def get_queryset(self):
        # As of today; the filters read it again for the day they ask.
        return with_label(
            Unit.objects.select_related("building__site", "structure").with_holding(today()), today()
        )

    def complete(self, units):
        ids, day = [unit.pk for unit in units], self.filterset.day
        found = status(Unit.objects.filter(pk__in=ids), day)
        people = occupants(ids, day)
        for unit in units:
            unit.now = found[unit.pk]
            unit.there = people.get(unit.pk, [])
            unit.people = ", ".join(one.head_name for one in unit.there[:3])

    def was_read(self, units, *, export):
        shown = {one.lease.household_id for unit in units for one in unit.there}
        audit.record_read(self.request.user, "household", sorted(shown))

    def row_url(self, unit):
        return reverse("unit", args=[unit.pk])


def occupants(unit_ids, on):
    """Who occupies these units on a day, by unit, in the order of their places: one query."""
    there = with_head(Occupancy.objects.on(on), "lease__household", on).filter(place__unit__in=list(unit_ids))
    found: dict[int, list[Occupancy]] = {}
    for one in there.select_related("place", "lease__household").order_by("place__reference"):
        one.head_name = head_name(one) or one.lease.household.reference
        found.setdefault(one.place.unit_id, []).append(one)
    return found


class DayChoice(DatedFilter):
    """The day a page shows things as of."""

    class Meta:
        fields = ["on"]
        model = Unit


class DatedPage(Page):
    """A page that shows a thing as it stood on a day, `?on=`; today by default."""

    def get_context_data(self, **kwargs):
        asked = DayChoice(self.request.GET, queryset=Unit.objects.none())
        self.day = asked.day if asked.is_valid() else today()
        return super().get_context_data(
            **{"day": self.day, "day_form": asked.form, "is_today": self.day == today(), **kwargs}
        )


class UnitPage(DatedPage):
    """A unit on any day: who held it, what it was, who lived in it."""

    resource = "unit"
    template_name = "leases/unit.html"

    def get_context_data(self, **kwargs):
        self.unit = get_object_or_404(
            Unit.objects.select_related("building__site", "structure"), pk=self.kwargs["pk"]
        )
        self.title = self.unit.reference
        context = super().get_context_data(unit=self.unit, **kwargs)
        return context | home_on(self.unit, self.day) | self.past_and_papers()

    def past_and_papers(self):
        """Holdings, stays, labels and orders over time, as far as the reader may see each."""
        unit, day, user = self.unit, self.day, self.request.user
        stays = with_head(Occupancy.objects.filter(place__unit=unit), "lease__household", max(day, today()))
        stays = list(stays.select_related("place", "lease__household").order_by("-start"))
        for one in stays:
            one.head_name = head_name(one) or one.lease.household.reference
        audit.record_read(user, "household", sorted({one.lease.household_id for one in stays}))
        return {
            "stays": stays,
            "several": unit.places.count() > 1,
            "holdings": self.holdings(),
            "labels": list(EnergyLabel.objects.filter(unit=unit).order_by("-issued_on")),
            "orders": list(SafetyOrder.objects.filter(unit=unit).order_by("-notified_on")),
            "out_of_service": list(OutOfService.objects.filter(unit=unit).order_by("-start")),
            "opens_leases": access.can(user, "lease"),
            "proposes": access.can(user, "application", "change"),
            "shows_fee": "fee" in access.visible(user, "holding"),
        }

    def holdings(self):
        if not self.may("view", "holding"):
            return None
        found = list(Holding.objects.filter(unit=self.unit).select_related("owner").order_by("-start"))
        for one in found:
            one.in_force = one.start <= self.day and (one.end is None or one.end > self.day)
        return found

    def breadcrumb(self):
        return [
            {"label": _("Homes"), "url": reverse("units")},
            {"label": self.unit.building.address, "url": reverse("building", args=[self.unit.building_id])},
            {"label": self.unit.reference},
        ]


def home_on(unit, day):
    """What a unit is on a day: status, holding, label and what it allows, each place and who is in it."""
    dated = with_label(Unit.objects.with_holding(day), day).get(pk=unit.pk)
    there = {one.place_id: one for one in occupants([unit.pk], day).get(unit.pk, [])}
    for one in there.values():
        one.untitled = one.lease.end is not None and one.lease.end <= day
    return {
        "status": status(Unit.objects.filter(pk=unit.pk), day)[unit.pk],
        "owner_name": dated.owner_name,
        "owner_id": dated.owner_id,
        "holding_title": title_label(dated),
        "label": label_state(dated.label),
        "letting": may_be_let(dated.label, contract_date=day),
        "places": [(place, there.get(place.pk)) for place in unit.places.order_by("reference")],
    }


class BuildingPage(DatedPage):
    """A building and its homes on a day."""

    resource = "site"
    template_name = "leases/building.html"

    def get_context_data(self, **kwargs):
        self.building = get_object_or_404(Building.objects.select_related("site"), pk=self.kwargs["pk"])
        self.title = self.building.address
        context = super().get_context_data(building=self.building, **kwargs)
        return context | {
            "units": self.units(),
            "shows_owner": access.can(self.request.user, "owner"),
            "shows_expenses": access.can(self.request.user, "expense"),
            "changes_expenses": access.can(self.request.user, "expense", "change"),
        }

    def units(self):
        units = Unit.objects.filter(building=self.building).with_holding(self.day)
        units = list(with_label(units, self.day).select_related("structure").order_by("reference"))
        ids = [unit.pk for unit in units]
        found, people = status(Unit.objects.filter(pk__in=ids), self.day), occupants(ids, self.day)
        for unit in units:
            unit.now, unit.label_now = found[unit.pk], label_state(unit.label)
            unit.people = people.get(unit.pk, [])
            unit.title_now = title_label(unit)
        shown = {one.lease.household_id for stays in people.values() for one in stays}
        audit.record_read(self.request.user, "household", sorted(shown))
        return units

    def breadcrumb(self):
        return [
            {"label": _("Sites and buildings"), "url": reverse("buildings")},
            {
                "label": self.building.site.name,
                "url": f"{reverse('buildings')}?site={self.building.site_id}",
            },
            {"label": self.building.address},
        ]
