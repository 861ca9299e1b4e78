"""Leases: the list, a lease with its account, the account alone to print and to export."""

from datetime import date

from django.db.models import Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import access, audit, tables
from core.cells import Column
from core.money import euros
from core.pages import Action, ListColumn, ListPage, Page
from core.periods import ONE_DAY
from core.templatetags.gla import day_text, month_text
from core.today import today
from leases.checkpoint import with_balance
from leases.filters import LeaseFilter
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.occupancy import last_occupancies
from leases.tenant_account import Aged, aged, balance, balances, lines
from leases.terms import RentTerm
from leases.views.units import DatedPage

LATEST = 30
BUCKETS = (
    ("not_due", _("Not due yet")),
    ("d0_30", _("0–30 days")),
    ("d31_60", _("31–60 days")),
    ("d61_90", _("61–90 days")),
    ("over_90", _("Over 90 days")),
)


def lease_state(lease, stay, day):
    """What a lease is on a day: how grave, and in words. stay: where it lives or lived last."""
    if lease.start > day:
        return "info", _t("From %(day)s") % {"day": day_text(lease.start)}
    if lease.end is None:
        return "good", _t("In force")
    if lease.end > day:
        return "wait", _t("Ends on %(day)s") % {"day": day_text(lease.end - ONE_DAY)}
    if stay and stay.start <= day and (stay.end is None or stay.end > day):
        return "warn", _t("Occupied without title")
    return "off", _t("Ended on %(day)s") % {"day": day_text(lease.end - ONE_DAY)}


class LeaseList(ListPage):
    """Every lease, with who lives where and what is owed on a day."""

    resource = "lease"
    title = _("Leases")
    filterset_class = LeaseFilter
    default_sort = "household"
    export_name = "baux"
    empty_text = _("No lease yet: import the leases.")
    columns = [
        ListColumn("household", _("Household"), "name", sort="head_last", sub="household.reference"),
        ListColumn("household_reference", _("Household reference"), "household.reference", page=False),
        ListColumn("reference", _("Lease"), sort="reference", sub="get_kind_display"),
        ListColumn("kind", _("Contract"), "get_kind_display", page=False),
        ListColumn(
            "home",
            _("Home"),
            "stay.place.reference",
            link=lambda lease: lease.stay and reverse("unit", args=[lease.stay.place.unit_id]),
            sub=lambda lease: lease.stay and street(lease.stay.place.unit.building),
        ),
        ListColumn("address", _("Address"), "stay.place.unit.building.__str__", page=False),
        ListColumn("start", _("From"), kind="date", sort="start"),
        ListColumn(
            "last_day", _("Last day"), lambda le: le.end and le.end - ONE_DAY, kind="date", page=False
        ),
        ListColumn("state", _("State"), kind="state"),
        ListColumn("monthly", _("Rent and charges"), kind="euros", needs="lease_money.rent"),
        ListColumn("balance", _("Balance due"), kind="euros", sort="balance", needs="tenant_account.balance"),
    ]

    def get_queryset(self):
        leases = with_head(Lease.objects.select_related("household"), "household", today())
        # Summed for the whole stock only where it is sorted by.
        return with_balance(leases, today()) if "balance" in self.request.GET.get("sort", "") else leases

    def complete(self, leases):
        day, ids = self.filterset.day, [lease.pk for lease in leases]
        stays = last_occupancies(ids, day)
        owed = balances(ids, day)
        running = RentTerm.objects.filter(lease__in=ids).on(day)
        monthly = dict(
            running.order_by().values("lease").annotate(sum=Sum("amount")).values_list("lease", "sum")
        )
        for lease in leases:
            lease.name = head_name(lease)
            lease.stay = stays.get(lease.pk)
            lease.balance = owed[lease.pk]
            lease.monthly = monthly.get(lease.pk)
            lease.state = lease_state(lease, lease.stay, day)

    def urgent(self, lease):
        return lease.state[0] == "warn"

    def row_url(self, lease):
        return reverse("lease", args=[lease.pk])

    def actions(self):
        # A lease comes from a file, which says who, where and on which terms.
        if not self.may("change", "application"):
            return []
        return [Action(_("New lease"), reverse("application-new"), icon="plus")]

    def was_read(self, leases, *, export):
        audit.record_read(self.request.user, "lease", [lease.pk for lease in leases])


class LeasePage(DatedPage):
    """A lease on a day: who, where, on which terms, and the tenant's account."""

    resource = "lease"
    template_name = "leases/lease.html"

    def get_context_data(self, **kwargs):
        self.lease = lease = the_lease(self.kwargs["pk"])
        self.title = lease.reference
        context = super().get_context_data(lease=lease, **kwargs)
        audit.record_read(self.request.user, "lease", lease.pk)
        stays = list(lease.occupancies.select_related("place__unit__building").order_by("-start"))
        stay = next((one for one in stays if one.start <= self.day), stays[-1] if stays else None)
        return context | {
            "stays": stays,
            "stay": stay,
            "state": lease_state(lease, stay, self.day),
            "changes_parties": self.may("change"),
            "parties": list(lease.parties.select_related("person").order_by("role", "-start")),
            "actions": self.lease_actions(),
            "shows_signals": access.can(self.request.user, "signal"),
            "shows_revision": access.can(self.request.user, "revision"),
            "shows_charges": access.can(self.request.user, "charges"),
            "shows_referent": access.can(self.request.user, "referent"),
            "shows_mandate": access.can(self.request.user, "mandate"),
            **self.terms(),
            **self.account(),
        }

    def terms(self):
        """Terms, benefits and free periods over time, as far as the reader may see each."""
        user, lease, found = self.request.user, self.lease, {"terms": None, "benefits": None}
        if "rent" in access.visible(user, "lease_money"):
            found["terms"] = marked(lease.terms.order_by("item", "-start"), self.day)
            found["free_periods"] = list(lease.free_periods.order_by("-start"))
            in_force = [term.amount for term in found["terms"] if term.in_force]
            found["monthly"] = sum(in_force, euros(0)) if in_force else None
        if self.may("view", "benefit"):
            found["benefits"] = marked(lease.benefits.order_by("-start"), self.day)
        found["shows_number"] = "file_number" in access.visible(user, "benefit")
        found["ibans"] = (
            list(lease.payer_ibans.order_by("-since"))
            if "iban" in access.visible(user, "lease_money")
            else None
        )
        return found

    def account(self):
        seen = access.visible(self.request.user, "tenant_account")
        found = {"aged": None, "lines": None}
        if "balance" in seen:
            found |= {"aged": age_of(self.lease, self.day), "balance": balance(self.lease, self.day)}
            found["buckets"] = [(label, getattr(found["aged"], key)) for key, label in BUCKETS]
        if "lines" in seen:
            told = lines(self.lease, self.day)
            found["lines"], found["older"] = told[::-1][:LATEST], max(0, len(told) - LATEST)
        return found

    def lease_actions(self):
        """Links to what may be done to the lease, in the order of its life."""
        pk = self.lease.pk
        offered = [
            ("lease", "lease-departure", _("Notice / departure")),
            ("lease", "lease-end", _("Other end of the lease")),
            ("lease", "lease-keys", _("Return of the keys")),
            ("lease_money", "lease-term", _("New rent term")),
            ("benefit", "lease-benefit", _("Change of housing benefit")),
            ("ledger", "lease-reverse", _("Reverse a call")),
            ("mandate", "lease-mandates", _("Direct debit")),
            ("desk", "lease-pay", _("Take a payment")),
        ]
        read = [
            ("document", "lease-documents", _("Documents")),
            ("obligation", "lease-obligations", _("Insurance and boiler")),
        ]
        found = [
            Action(label, reverse(name, args=[pk]))
            for action, links in (("change", offered), ("view", read))
            for resource, name, label in links
            if self.may(action, resource)
        ]
        if self.may("change", "application"):
            move = f"{reverse('application-new')}?household={self.lease.household_id}"
            found.append(Action(_("Move to another home"), move))
        if self.may("change", "repair"):
            found.append(Action(_("Repair asked for"), f"{reverse('repair-new')}?lease={pk}"))
        return found

    def breadcrumb(self):
        return [{"label": _("Leases"), "url": reverse("leases")}, {"label": self.lease.reference}]


class AccountPage(Page):
    """A tenant's account from its first line to a day: to print, and to export."""

    resource = "tenant_account"
    template_name = "leases/account.html"

    def get(self, request, *args, **kwargs):
        self.lease, self.day = the_lease(kwargs["pk"]), asked_day(request)
        self.title = _t("Account of lease %(lease)s") % {"lease": self.lease.reference}
        seen = access.visible(request.user, "tenant_account")
        self.lines = lines(self.lease, self.day) if "lines" in seen else None
        audit.record_read(request.user, "tenant_account", self.lease.pk)
        if request.GET.get("export") in tables.FORMATS:
            access.require(request.user, "tenant_account", "export")
            return self.export(request.GET["export"])
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs):
        stay = last_occupancies([self.lease.pk], self.day).get(self.lease.pk)
        return super().get_context_data(
            lease=self.lease,
            stay=stay,
            lines=self.lines,
            day=self.day,
            aged=age_of(self.lease, self.day),
            exports=[(name, f"?on={self.day}&export={name}") for name in tables.FORMATS]
            if self.may("export")
            else [],
            **kwargs,
        )

    def export(self, format):
        columns = [
            Column(_t("Date"), "date"),
            Column(_t("Due"), "date"),
            Column(_t("Label")),
            Column(_t("Month"), "month"),
            Column(_t("Debit"), "euros"),
            Column(_t("Credit"), "euros"),
            Column(_t("Balance"), "euros"),
            Column(_t("Settles")),
        ]
        rows = [
            [one.on, one.due, one.label, one.month, one.debit, one.credit, one.balance, settles_text(one)]
            for one in self.lines
        ]
        audit.record(
            self.request.user, "export", "tenant_account", self.lease.pk, format=format, rows=len(rows)
        )
        return HttpResponse(
            tables.write_table(columns, rows, format=format),
            content_type=tables.FORMATS[format],
            headers={"Content-Disposition": f'attachment; filename="compte-{self.lease.reference}.{format}"'},
        )

    def breadcrumb(self):
        return [
            {"label": _("Leases"), "url": reverse("leases")},
            {"label": self.lease.reference, "url": reverse("lease", args=[self.lease.pk])},
            {"label": _("Account")},
        ]


def street(building) -> str:
    """An address short enough for a list: street and town."""
    return f"{building.address}, {building.commune}"


def the_lease(pk):
    """A lease with its household's name, as it is called today."""
    found = with_head(Lease.objects.select_related("household"), "household", today())
    lease = get_object_or_404(found, pk=pk)
    lease.name = head_name(lease) or lease.household.reference
    return lease


def age_of(lease, day) -> Aged:
    """What a lease owes by age on a day; all zero where it owes nothing."""
    nothing = euros(0)
    none_owed = Aged(lease.pk, nothing, nothing, nothing, nothing, nothing, None, nothing)
    return next(iter(aged(day, lease=lease)), none_owed)


def marked(dated, day):
    """Dated things, each told whether it is in force on the day."""
    found = list(dated)
    for one in found:
        one.in_force = one.start <= day and (one.end is None or one.end > day)
    return found


def asked_day(request) -> date:
    """The day of `?on=`; today where it is none."""
    try:
        return date.fromisoformat(request.GET.get("on", ""))
    except ValueError:
        return today()


def settles_text(line) -> str:
    return ", ".join(month_text(due) for due, _amount in line.settles)
