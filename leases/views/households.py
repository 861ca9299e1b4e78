"""Households: the list, and one with its members and its leases over time."""

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core import access, audit
from core.documents import Document
from core.pages import ListColumn, ListPage, Page
from core.today import today
from leases.filters import HouseholdFilter
from leases.households import Household, Membership, head_name, with_head
from leases.lease import Lease
from leases.occupancy import last_occupancies
from leases.papers.months import LEASE
from leases.tenancy import deposits
from leases.tenant_account import lines, month_ends, with_balance
from leases.views.leases import age_of, lease_state, street

LATEST = 5


class HouseholdList(ListPage):
    """Every household known, with or without a home of ours."""

    resource = "household"
    title = _("Households")
    filterset_class = HouseholdFilter
    default_sort = "name"
    export_name = "menages"
    empty_text = _("No household yet: import the leases.")
    columns = [
        ListColumn("name", _("Name"), sort="head_last", sub="reference"),
        ListColumn("members", _("Members"), kind="int"),
        ListColumn("phone", _("Telephone"), needs="household.phone"),
        ListColumn(
            "home",
            _("Home"),
            "stay.place.reference",
            link=lambda h: h.stay and reverse("unit", args=[h.stay.place.unit_id]),
            sub=lambda h: h.stay and street(h.stay.place.unit.building),
        ),
        ListColumn(
            "lease",
            _("Lease"),
            "lease.reference",
            link=lambda h: h.lease and reverse("lease", args=[h.lease.pk]),
            needs="lease",
        ),
        ListColumn("state", _("State"), kind="state"),
    ]

    def get_queryset(self):
        return with_head(Household.objects.all(), "pk", today())

    def complete(self, households):
        day, ids = self.filterset.day, [household.pk for household in households]
        people = members(ids, day)
        leases = latest_leases(ids, day)
        stays = last_occupancies([lease.pk for lease in leases.values()], day)
        for household in households:
            there = people.get(household.pk, [])
            household.name = head_name(household) or household.reference
            household.members = len(there)
            household.phone = next((one.person.phone for one in there if one.person.phone), "")
            household.lease = lease = leases.get(household.pk)
            household.stay = stays.get(lease.pk) if lease else None
            household.state = lease_state(lease, household.stay, day) if lease else ("off", _("No lease"))

    def row_url(self, household):
        return reverse("household", args=[household.pk])

    def was_read(self, households, *, export):
        audit.record_read(self.request.user, "household", [household.pk for household in households])


def members(household_ids, day):
    """Members of households on a day, heads first: household id → memberships; one query."""
    found: dict[int, list[Membership]] = {}
    memberships = Membership.objects.on(day).filter(household__in=household_ids).select_related("person")
    for one in memberships.order_by("start", "pk"):
        found.setdefault(one.household_id, []).append(one)
    for there in found.values():
        there.sort(key=lambda one: one.role != Membership.Role.HEAD)
    return found


def latest_leases(household_ids, day):
    """The lease of each household on a day, or its last one: one query."""
    found: dict[int, Lease] = {}
    for lease in Lease.objects.filter(household__in=household_ids).order_by("start", "pk"):
        known = found.get(lease.household_id)
        if known is None or lease.start <= day:
            found[lease.household_id] = lease
    return found


class HouseholdPage(Page):
    """A household: one page that shows its lease, its account, what hangs on them, and who follows it."""

    resource = "household"
    template_name = "leases/household.html"

    def get_context_data(self, **kwargs):
        user, day = self.request.user, today()
        household = get_object_or_404(with_head(Household.objects.all(), "pk", day), pk=self.kwargs["pk"])
        household.name = head_name(household) or household.reference
        self.household, self.title = household, household.name
        audit.record_read(user, "household", household.pk)
        memberships = list(household.memberships.select_related("person").order_by("-start", "pk"))
        for one in memberships:
            one.in_force = one.start <= day and (one.end is None or one.end > day)
        memberships.sort(key=lambda one: (not one.in_force, one.role != Membership.Role.HEAD))
        seen = access.visible(user, "person")
        lease = latest_leases([household.pk], day).get(household.pk)
        account = access.visible(user, "tenant_account")
        return super().get_context_data(
            household=household,
            stay=last_occupancies([lease.pk], day).get(lease.pk) if lease else None,
            memberships=memberships,
            shows={name: name in seen for name in ("birth_date", "phone", "email")},
            leases=self.leases(day) if access.can(user, "lease") else None,
            current=lease,
            shows_balance="balance" in account,
            curve=month_ends(lines(lease, day), day) if lease and "lines" in account else [],
            **self.about(lease, day),
            shows_referent=access.can(user, "referent"),
            opens_file=access.can(user, "application", "change"),
            shows_signals=access.can(user, "signal"),
            **kwargs,
        )

    def about(self, lease, day):
        """What else hangs on its current lease, each as the reader's roles allow; None where they don't."""
        user, found = self.request.user, dict.fromkeys(("age", "deposit", "benefits", "papers", "desk"))
        if lease is None:
            return found
        if "balance" in access.visible(user, "tenant_account"):
            found["age"] = age_of(lease, day)
        if access.can(user, "deposit"):
            found["deposit"] = deposits.held(lease)
        if access.can(user, "benefit"):
            found["benefits"] = list(lease.benefits.order_by("-start")[:LATEST])
        if access.can(user, "document"):
            found["papers"] = list(
                Document.objects.filter(subject=LEASE, subject_id=lease.pk).order_by("-created_at", "-pk")[
                    :LATEST
                ]
            )
        if access.can(user, "desk"):
            found["desk"] = list(
                lease.desk_receipts.select_related("operation__undone_by").order_by("-on", "-pk")[:LATEST]
            )
        return found

    def leases(self, day):
        leases = list(with_balance(self.household.leases.all(), day).order_by("-start"))
        stays = last_occupancies([lease.pk for lease in leases], day)
        for lease in leases:
            lease.stay = stays.get(lease.pk)
            lease.state = lease_state(lease, lease.stay, day)
        return leases

    def breadcrumb(self):
        return [{"label": _("Households"), "url": reverse("households")}, {"label": self.household.name}]
