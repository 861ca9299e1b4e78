"""Search over homes, households, leases and references from every page.

What is confided to the follow-up is not searched; each group asks the access table first.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core import access, audit
from core.pages import Page
from core.today import today
from leases.households import Household, head_name, with_head
from leases.lease import Lease
from leases.occupancy import last_occupancies, spoken_of, status
from leases.views.households import latest_leases, members
from leases.views.leases import lease_state
from portfolio.models import Building, Owner, Unit

SHOWN = 10
SHORTEST, LONGEST = 2, 100


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found: its name, where it leads, a quieter line, and its state."""

    title: str
    url: str
    line: str = ""
    state: tuple | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of one kind; all_url: the whole list where there is more."""

    title: str
    hits: list
    all_url: str = ""


class Search(Page):
    """One box over everything one may see: GET q."""

    resource = "search"
    title = _("Search")
    template_name = "search.html"

    def get_context_data(self, **kwargs):
        asked = "".join(char if char.isprintable() else " " for char in self.request.GET.get("q", ""))
        text = " ".join(asked.split())[:LONGEST]
        groups = []
        if len(text) >= SHORTEST:
            user, day = self.request.user, today()
            groups = [
                group
                for resource, find in FINDERS
                if access.can(user, resource) and (group := find(text, user, day)).hits
            ]
        return super().get_context_data(
            search_text=text, groups=groups, too_short=len(text) < SHORTEST, **kwargs
        )


def households(text, user, day):
    """Households of which somebody, past or present, has that name."""
    found = with_head(Household.objects.spoken_of(text), "pk", day).order_by("head_last", "head_first")
    found, more = cut(found)
    ids = [household.pk for household in found]
    people, leases = members(ids, day), latest_leases(ids, day)
    stays = last_occupancies([lease.pk for lease in leases.values()], day)
    audit.record_read(user, "household", ids)
    hits = []
    for household in found:
        lease = leases.get(household.pk)
        stay = stays.get(lease.pk) if lease else None
        others = [str(one.person) for one in people.get(household.pk, [])[1:4]]
        home = f"{stay.place.reference}, {stay.place.unit.building}" if stay else ""
        hits.append(
            Hit(
                head_name(household) or household.reference,
                reverse("household", args=[household.pk]),
                " · ".join(filter(None, [household.reference, ", ".join(others), home])),
                lease_state(lease, stay, day) if lease else None,
            )
        )
    return Group(_("Households"), hits, all_of("households", text, more))


def leases(text, user, day):
    """Leases by reference, payment reference, household or address."""
    found = with_head(spoken_of(Lease.objects.all(), text), "household", day).order_by("-start", "pk")
    found, more = cut(found)
    stays = last_occupancies([lease.pk for lease in found], day)
    audit.record_read(user, "lease", [lease.pk for lease in found])
    hits = []
    for lease in found:
        stay = stays.get(lease.pk)
        home = f"{stay.place.reference}, {stay.place.unit.building}" if stay else ""
        hits.append(
            Hit(
                f"{lease.reference} · {head_name(lease)}",
                reverse("lease", args=[lease.pk]),
                " · ".join(filter(None, [lease.get_kind_display(), home])),
                lease_state(lease, stay, day),
            )
        )
    return Group(_("Leases"), hits, all_of("leases", text, more))


def units(text, user, day):
    """Homes by reference or address."""
    found, more = cut(Unit.objects.spoken_of(text).select_related("building").order_by("reference"))
    now = status(Unit.objects.filter(pk__in=[unit.pk for unit in found]), day)
    hits = [
        Hit(
            unit.reference,
            reverse("unit", args=[unit.pk]),
            f"{unit.typology} · {unit.building}",
            now[unit.pk].state,
        )
        for unit in found
    ]
    return Group(_("Homes"), hits, all_of("units", text, more))


def buildings(text, user, day):
    found, more = cut(Building.objects.spoken_of(text).select_related("site").order_by("address"))
    hits = [
        Hit(str(building), reverse("building", args=[building.pk]), building.site.name) for building in found
    ]
    return Group(_("Buildings"), hits, all_of("buildings", text, more))


def owners(text, user, day):
    found, more = cut(Owner.objects.spoken_of(text).order_by("name"))
    hits = [Hit(owner.name, reverse("owner", args=[owner.pk]), owner.get_kind_display()) for owner in found]
    return Group(_("Owners"), hits, all_of("owners", text, more))


FINDERS = [
    ("household", households),
    ("lease", leases),
    ("unit", units),
    ("site", buildings),
    ("owner", owners),
]


def cut(rows) -> tuple[list, bool]:
    """The first rows, and whether there are more."""
    found = list(rows[: SHOWN + 1])
    return found[:SHOWN], len(found) > SHOWN


def all_of(name, text, more) -> str:
    return f"{reverse(name)}?{urlencode({'q': text})}" if more else ""
