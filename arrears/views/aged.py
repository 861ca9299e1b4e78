"""The aged balance: totals of the stock by owner kind, each leading to its leases."""

from functools import cached_property
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from arrears.aged import SUMS, AgedKeyset, AgedStock
from arrears.filters import AGE_WORDS, AgedFilter
from arrears.views.worklist import where
from core import access, audit
from core.money import euros
from core.pages import Action, ListColumn, ListPage, Page
from core.today import today
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.occupancy import last_occupancies
from portfolio.models import Owner

SHOWN = ("not_due", "d0_30", "d31_60", "d61_90", "over_90", "due")


class AgedBalance(Page):
    """What the whole stock owes by age and owner kind, on a day."""

    resource = "tenant_account"
    template_name = "arrears/aged.html"
    title = _("Aged balance")

    def breadcrumb(self):
        return [{"label": _("Unpaid rent"), "url": reverse("worklist")}, {"label": self.title}]

    def get_context_data(self, **kwargs):
        asked = AgedFilter(
            {"on": self.request.GET.get("on") or today().isoformat()},
            queryset=Lease.objects.none(),
            request=self.request,
        )
        day = asked.day if asked.is_valid() else today()
        by_kind = AgedStock(day).totals()
        audit.record(self.request.user, "view", "tenant_account", "", on=day)
        rows = [self.line(Owner.Kind(one.owner_kind).label, one, day, one.owner_kind) for one in by_kind]
        return super().get_context_data(
            day=day,
            form=asked.form,
            headings=[AGE_WORDS[key] for key in SHOWN],
            rows=rows,
            total=self.total(by_kind, day),
            shares=self.shares(by_kind, day),
            **kwargs,
        )

    def line(self, label, one, day, kind=""):
        """A line of the table: each number with the address of its leases."""
        where = {"owner_kind": kind} if kind else {}
        return {
            "label": label,
            "cells": [
                (AGE_WORDS[key], getattr(one, key), leads_to(day, bucket=key, **where)) for key in SHOWN
            ],
            "owing": (one.owing, leads_to(day, bucket="due", **where)),
            "benefit_wait": (one.benefit_wait, leads_to(day, bucket="benefit_wait", **where)),
            "technical": (one.technical, leads_to(day, bucket="technical", **where)),
        }

    def total(self, by_kind, day):
        if not by_kind:
            return None
        sums = {name: sum((getattr(one, name) for one in by_kind), euros(0)) for name in SUMS}
        counts = {name: sum(getattr(one, name) for one in by_kind) for name in ("owing", "technical")}
        return self.line(_t("Total"), type(by_kind[0])(owner_kind="", **counts, **sums), day)

    def shares(self, by_kind, day):
        """Tiles: what is due, what is old, what only waits."""
        total = {name: sum((getattr(one, name) for one in by_kind), euros(0)) for name in SUMS}
        return [
            (_t("Due and unpaid"), total["due"], leads_to(day, bucket="due"), ""),
            (_t("Over 90 days"), total["over_90"], leads_to(day, bucket="over_90"), ""),
            (
                _t("Benefit awaited"),
                total["benefit_wait"],
                leads_to(day, bucket="benefit_wait"),
                _t("Technical arrears: never chased."),
            ),
        ]


def leads_to(day, **asked) -> str:
    if day != today():
        asked["on"] = day.isoformat()
    return f"{reverse('aged-leases')}?{urlencode(asked)}"


def money(key):
    """A column's amount; nothing where there is none, so that what is owed stands out."""
    return lambda row: getattr(row, key) or None


class AgedLeases(ListPage):
    """The leases of the aged balance, those that owe the most first."""

    resource = "tenant_account"
    title = _("Aged balance, lease by lease")
    filterset_class = AgedFilter
    queryset = Lease.objects.all()
    default_sort = "-due"
    export_name = "balance-agee"
    empty_text = _("Nobody owes anything, and no benefit is awaited.")
    columns = [
        ListColumn("household", _("Household"), "name", sub=where),
        ListColumn("lease", _("Lease"), "lease.reference"),
        ListColumn("address", _("Address"), "stay.place.unit.building.__str__", needs="unit"),
        ListColumn("owner_kind", _("Owner kind"), lambda row: Owner.Kind(row.owner_kind).label),
        *(ListColumn(key, AGE_WORDS[key], money(key), kind="euros", sort=key) for key in SHOWN),
        ListColumn("oldest_due", _("Oldest due"), kind="date"),
        ListColumn(
            "benefit_wait", _("Benefit awaited"), money("benefit_wait"), kind="euros", sort="benefit_wait"
        ),
    ]

    sheet_only = frozenset({"lease", "owner_kind", "address"})
    """What the page leaves to its filters and links, and the spreadsheet has in a column of its own."""

    def shows(self, column):
        on_page = not self.request.GET.get("export")
        return super().shows(column) and not (on_page and column.key in self.sheet_only)

    def breadcrumb(self):
        return [
            {"label": _("Unpaid rent"), "url": reverse("worklist")},
            {"label": _("Aged balance"), "url": reverse("aged-balance")},
            {"label": self.title},
        ]

    @cached_property
    def filtered(self):
        return (
            self.filterset.stock
            if self.filterset.is_valid()
            else AgedStock(today(), leases=Lease.objects.none())
        )

    @cached_property
    def keyset(self):
        return AgedKeyset(self.filtered, self.sort.removeprefix("-"), descending=self.sort.startswith("-"))

    def complete(self, rows):
        day = self.filtered.on
        leases = with_head(Lease.objects.select_related("household"), "household", day).in_bulk(
            [row.pk for row in rows]
        )
        stays = last_occupancies(leases, day)
        for row in rows:
            row.lease, row.stay = leases[row.pk], stays.get(row.pk)
            row.name = head_name(row.lease) or row.lease.household.reference

    def totals(self, stock):
        return stock.total()

    def row_url(self, row):
        if access.can(self.request.user, "signal"):
            return reverse("arrears-lease", args=[row.pk])
        return ""

    def urgent(self, row):
        return row.over_90 > euros(0)

    def actions(self):
        return [Action(_("Totals by owner kind"), reverse("aged-balance"))]

    def was_read(self, rows, *, export):
        audit.record_read(self.request.user, "tenant_account", [row.pk for row in rows])
