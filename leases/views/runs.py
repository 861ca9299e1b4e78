"""Rent runs: the list, what a run would call, what a run has called."""

from django import forms
from django.db.models import Count, F, Q, Sum
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.generic import View

from core import jobs
from core.money import euros
from core.pages import Action, Guarded, ListColumn, ListPage, Page
from core.periods import NotAMonth, Period
from core.templatetags.gla import month_text
from core.today import today
from leases.filters import CallFilter
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.occupancy import last_occupancies
from leases.rent import EXCEPTIONS, MonthToReview, RentCall, RentRun, month_to_call, preview_run
from leases.terms import ITEMS
from portfolio.models import Owner

SHOWN_ANOMALIES = 200


class RunList(ListPage):
    """Every rent run, the latest first."""

    resource = "rent_run"
    title = _("Rent runs")
    queryset = RentRun.objects.select_related("opened_by").annotate(
        odd=Count("exceptions"), left_out=Count("exceptions", filter=Q(exceptions__blocking=True))
    )
    default_sort = "-opened_at"
    export_name = "quittancements"
    empty_text = _("No rent was called yet.")
    columns = [
        ListColumn("month", _("Month"), kind="month", sort="month"),
        ListColumn("state", _("State"), lambda run: run_state(run), kind="state"),
        ListColumn("opened_at", _("Started"), kind="moment", sort="opened_at"),
        ListColumn("by", _("By"), lambda run: person_name(run.opened_by)),
        ListColumn("sealed_calls", _("Calls"), kind="int"),
        ListColumn("sealed_total", _("Total called"), kind="euros"),
        ListColumn("odd", _("To look at"), kind="int"),
        ListColumn("left_out", _("Left out"), kind="int"),
    ]

    def row_url(self, run):
        return reverse("run", args=[run.pk])

    def urgent(self, run):
        return run.closed_at is None

    def actions(self):
        if not self.may("run"):
            return []
        month = month_to_call(today())
        words = _t("Prepare %(month)s") % {"month": month_text(month)}
        return [Action(words, f"{reverse('run-preview')}?month={month:%Y-%m}", primary=True)]


def run_state(run):
    """What a run is: how grave, and in words."""
    if run.closed_at is None:
        return "warn", _t("Under way or stopped: resume it")
    return "good", _t("Closed")


def person_name(user):
    return (user.get_full_name() or user.get_username()) if user else ""


class MonthForm(forms.Form):
    """Which month to call."""

    month = forms.CharField(
        label=_("Month"),
        widget=forms.TextInput(
            attrs={"type": "month", "class": "form-control", "pattern": "[0-9]{4}-[0-9]{2}", "size": 9}
        ),
    )


def asked_month(text):
    """The first of the month written YYYY-MM, or None."""
    try:
        return Period.parse_month(text or "").start
    except NotAMonth:
        return None


class RunPreview(Page):
    """What a run of a month would call now, and every lease to look at first."""

    resource = "rent_run"
    template_name = "leases/run_preview.html"

    def get_context_data(self, **kwargs):
        text = self.request.GET.get("month", "")
        month = asked_month(text) or month_to_call(today())
        self.title = _t("Rent of %(month)s") % {"month": month_text(month)}
        preview = preview_run(month)
        anomalies = grouped_anomalies(preview.anomalies)
        return super().get_context_data(
            month=month,
            month_form=MonthForm(initial={"month": f"{month:%Y-%m}"}),
            unreadable=bool(text) and asked_month(text) is None,
            preview=preview,
            table=by_kind_and_item((kind, item, amount) for kind, item, _count, amount in preview.lines),
            anomalies=anomalies,
            blocked=sum(1 for one in preview.anomalies if one.blocking),
            runs=list(RentRun.objects.filter(month=month).order_by("opened_at")),
            may_commit=self.may("commit"),
            learnt=learnt_late(month),
            **kwargs,
        )

    def breadcrumb(self):
        return [{"label": _("Rent runs"), "url": reverse("runs")}, {"label": self.title}]


LEARNT = {
    "end of lease": _("End of the lease"),
    "keys returned": _("Keys returned"),
    "term changed": _("Rent term changed"),
    "rent revised": _("Rent revised"),
    "revision undone": _("Revision undone"),
    "benefit changed": _("Housing benefit changed"),
}
"""Why a month already called is looked at again, as leases.lifecycle says it → in words."""


def learnt_late(month):
    """Months already called whose facts changed since: what this run settles too; the first 100."""
    found = list(
        with_head(MonthToReview.objects.filter(run=None, month__lt=month), "lease__household", today())
        .select_related("lease")
        .order_by("lease", "month")[:100]
    )
    for one in found:
        one.name, one.words = head_name(one), LEARNT.get(one.reason, one.reason)
    return found


class CommitRun(Guarded, View):
    """Start the run of a month as long work."""

    resource, action = "rent_run", "commit"
    http_method_names = ["post"]

    def post(self, request):
        month = asked_month(request.POST.get("month"))
        if month is None:
            raise Http404
        text = f"{month:%Y-%m}"
        return redirect(jobs.start("rent_run", by=request.user, once=text, month=text))


class RunPage(Page):
    """A run: how far it is, what it called by owner kind and item, what was odd."""

    resource = "rent_run"
    template_name = "leases/run.html"

    def get_context_data(self, **kwargs):
        run = get_object_or_404(RentRun.objects.select_related("opened_by"), pk=self.kwargs["pk"])
        self.run = run
        self.title = _t("Rent of %(month)s") % {"month": month_text(run.month)}
        sums = list(
            run.calls.values(kind=F("account__book__owner__kind"), item_code=F("item"))
            .annotate(sum=Sum("amount"), count=Count("pk"))
            .order_by()
        )
        return super().get_context_data(
            run=run,
            state=run_state(run),
            opened_by=person_name(run.opened_by),
            parts=run.parts.aggregate(all=Count("pk"), done=Count("done_at")),
            table=by_kind_and_item((s["kind"] or Owner.Kind.OWN, s["item_code"], s["sum"]) for s in sums),
            calls=sum(s["count"] for s in sums),
            late=run.calls.filter(version__gt=1).count(),
            anomalies=grouped_anomalies(run.exceptions.all()),
            may_commit=self.may("commit"),
            **kwargs,
        )

    def breadcrumb(self):
        return [{"label": _("Rent runs"), "url": reverse("runs")}, {"label": self.title}]


def by_kind_and_item(lines):
    """A table of sums: one row an owner kind, one column an item, with totals both ways."""
    sums: dict[tuple[str, int], object] = {}
    for kind, item, amount in lines:
        sums[kind, item] = sums.get((kind, item), euros(0)) + amount
    items = [item for item in ITEMS if any(found == item for _kind, found in sums)]
    rows = []
    for kind, label in Owner.Kind.choices:
        cells = [(item, sums.get((kind, item))) for item in items]
        if any(amount is not None for _item, amount in cells):
            rows.append((kind, label, cells, sum((a for _i, a in cells if a is not None), euros(0))))
    totals = [(i, sum((a for (_k, found), a in sums.items() if found == i), euros(0))) for i in items]
    return {
        "items": [ITEMS[item].label for item in items],
        "rows": rows,
        "totals": totals,
        "total": sum(sums.values(), euros(0)),
    }


def grouped_anomalies(found):
    """Anomalies by reason, what is left out first, each with its lease, household and home: two queries."""
    found = list(found)
    shown = sorted(found, key=lambda one: (not one.blocking, one.code, one.lease_id))[:SHOWN_ANOMALIES]
    ids = {one.lease_id for one in shown}
    leases = {
        lease.pk: lease
        for lease in with_head(
            Lease.objects.filter(pk__in=ids).select_related("household"), "household", today()
        )
    }
    stays = last_occupancies(ids, today())
    groups = []
    for code, reason in EXCEPTIONS.items():
        rows = [
            {
                "lease": leases[one.lease_id],
                "name": head_name(leases[one.lease_id]) or leases[one.lease_id].household.reference,
                "stay": stays.get(one.lease_id),
                "amount": one.amount,
            }
            for one in shown
            if one.code == code
        ]
        all_of_it = [one for one in found if one.code == code]
        if all_of_it:
            groups.append(
                {
                    "code": code,
                    "reason": reason,
                    "rows": rows,
                    "count": len(all_of_it),
                    "blocking": all_of_it[0].blocking,
                    "has_amount": any(one.amount is not None for one in all_of_it),
                }
            )
    return groups


class CallList(ListPage):
    """The calls of one run, line by line."""

    resource = "rent_run"
    template_name = "list_page.html"
    filterset_class = CallFilter
    default_sort = "lease"
    export_name = "appels"
    empty_text = _("This run called nothing.")
    columns = [
        ListColumn(
            "lease",
            _("Lease"),
            "lease.reference",
            sort="lease__reference",
            link=lambda c: reverse("lease", args=[c.lease_id]),
        ),
        ListColumn("household", _("Household"), lambda c: head_name(c)),
        ListColumn("month", _("Month"), kind="month", sort="month"),
        ListColumn("item", _("Item"), "get_item_display", sort="item"),
        ListColumn("version", _("Kind of line"), lambda c: call_kind(c)),
        ListColumn("monthly", _("Whole month"), kind="euros"),
        ListColumn("days", _("Days"), lambda c: f"{c.days}/{c.month_days}" if c.days else ""),
        ListColumn("due", _("Due"), kind="date", sort="due"),
        ListColumn("amount", _("Amount"), kind="euros", sort="amount"),
    ]

    @property
    def title(self):
        return _t("Calls of %(month)s") % {"month": month_text(self.run.month)}

    @cached_property
    def run(self):
        return get_object_or_404(RentRun, pk=self.kwargs["pk"])

    def get_queryset(self):
        return with_head(self.run.calls.select_related("lease"), "lease__household", today())

    def totals(self, rows):
        return rows.aggregate(amount=Sum("amount"))

    def breadcrumb(self):
        return [
            {"label": _("Rent runs"), "url": reverse("runs")},
            {"label": month_text(self.run.month), "url": reverse("run", args=[self.run.pk])},
            {"label": _("Calls")},
        ]


def call_kind(call: RentCall):
    """Whether a line calls a month for the first time, or corrects it."""
    if call.version == 1:
        return _t("First call")
    return _t("Back-charge") if call.amount > euros(0) else _t("Credit")
