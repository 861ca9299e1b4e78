"""The yearly settlement of charges: what it would do, what it did, its statements, the next provisions."""

from collections import Counter

import django_filters
from django import forms
from django.db.models import Count, Q, Sum
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.generic import View

from core import audit, jobs
from core.errors import Refusal
from core.money import euros
from core.pages import Action, ActionPage, Guarded, ListColumn, ListPage, Page, Preview
from core.periods import add_months, first_of_month
from core.today import today
from leases.filters import SettlementFilter
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.views.runs import person_name
from leases.yearly.charges import (
    HOME,
    REASONS,
    ChargeRun,
)
from leases.yearly.expenses import CATEGORY_CHOICES, KEYS, Expense
from leases.yearly.next_provisions import KEPT, apply_provisions, preview_provisions
from leases.yearly.settling import preview_charges, undo_run
from portfolio.models import Building, Site, Unit

SHOWN = 100


def runs_crumb():
    return {"label": _("Settlements of charges"), "url": reverse("charge-runs")}


def run_title(run) -> str:
    words = _t("Charges of %(year)s") % {"year": run.year}
    return f"{words} · {run.place}" if run.place else words


def run_state(run):
    if run.closed_at is None:
        return "warn", _t("Under way or stopped: resume it")
    if run.undoes_id:
        return "off", _t("Undoes another")
    if hasattr(run, "undone_by"):
        return "off", _t("Undone")
    return "good", _t("Closed")


class ChargeRunList(ListPage):
    """Every settlement, the latest first."""

    resource = "charges"
    title = _("Settlements of charges")
    subtitle = _("Once a year, what was spent less the provisions called.")
    queryset = ChargeRun.objects.select_related("opened_by", "site", "building", "undone_by").annotate(
        left_out=Count("exceptions")
    )
    default_sort = "-opened_at"
    export_name = "regularisations"
    empty_text = _("No year is settled yet: enter the expenses first.")
    columns = [
        ListColumn("year", _("Year"), lambda r: str(r.year), sort="year"),
        ListColumn("place", _("Place"), lambda r: str(r.place or _t("Whole stock"))),
        ListColumn("state", _("State"), run_state, kind="state"),
        ListColumn("opened_at", _("Started"), kind="moment", sort="opened_at"),
        ListColumn("by", _("By"), lambda run: person_name(run.opened_by)),
        ListColumn("sealed_settlements", _("Leases"), kind="int"),
        ListColumn("left_out", _("Leases left out"), kind="int"),
        ListColumn("sealed_total", _("Balance"), kind="euros"),
    ]

    def row_url(self, run):
        return reverse("charge-run", args=[run.pk])

    def urgent(self, run):
        return run.closed_at is None

    def actions(self):
        found = []
        if self.may("run"):
            year = today().year - 1
            words = _t("Prepare %(year)s") % {"year": year}
            found.append(Action(words, f"{reverse('charge-preview')}?year={year}", primary=True))
        if self.may("view", "expense"):
            found.append(Action(_("Expenses"), reverse("expenses")))
        if self.may("change", "charge_policy"):
            found.append(Action(_("Choices about charges"), reverse("charge-policy")))
        return found


# ---- preview and commit -----------------------------------------------------------------


class SettleForm(forms.Form):
    """Which year, where, and when the statements go out."""

    year = forms.IntegerField(label=_("Year"), min_value=2000, max_value=2100)
    place = forms.CharField(
        label=_("Site or building"),
        required=False,
        max_length=20,
        help_text=_("A reference; blank: the whole stock"),
    )
    on = forms.DateField(label=_("Statements sent on"), required=False)
    due = forms.DateField(label=_("Due"), required=False, help_text=_("Blank: a month after"))

    def clean_place(self):
        reference = self.cleaned_data["place"].strip()
        if not reference:
            return {}
        for name, model in (("building", Building), ("site", Site)):
            if thing := model.objects.filter(reference__iexact=reference).first():
                return {name: thing}
        raise forms.ValidationError(_("No site nor building has this reference."))

    def told(self) -> dict:
        data = self.cleaned_data
        return {"on": data["on"] or today(), "due": data["due"], **data["place"]}


class ChargePreview(Page):
    """What a settlement would do now, nature by nature and lease by lease, and who is left out."""

    resource, action = "charges", "run"
    template_name = "leases/charge_preview.html"

    def get_context_data(self, **kwargs):
        asked = self.request.GET.copy()
        asked.setdefault("year", str(today().year - 1))
        form = SettleForm(asked)
        seen = refusal = None
        if form.is_valid():
            try:
                seen = preview_charges(form.cleaned_data["year"], **form.told())
            except Refusal as refused:
                refusal = refused
        self.title = _t("Charges of %(year)s") % {"year": form.data.get("year", "")}
        shown = seen.leases[:SHOWN] if seen else []
        return super().get_context_data(
            form=form,
            seen=seen,
            refusal=refusal,
            natures=by_nature(seen.lines) if seen else [],
            places=by_place(seen.lines) if seen else [],
            leases=named(shown),
            more=max(0, len(seen.leases) - SHOWN) if seen else 0,
            groups=grouped(seen.left_out) if seen else [],
            open_run=seen and ChargeRun.objects.filter(year=seen.year, closed_at=None).first(),
            earlier=seen
            and ChargeRun.objects.filter(year=seen.year, undoes=None, undone_by=None)
            .exclude(closed_at=None)
            .order_by("-pk")
            .first(),
            may_commit=self.may("commit"),
            missing=missing_natures(seen) if seen else [],
            **kwargs,
        )

    def breadcrumb(self):
        return [runs_crumb(), {"label": self.title}]


def by_nature(lines):
    """Totals of each nature: spent, for tenants, for the owner; those that cannot be shared."""
    found = {}
    for one in lines:
        kept = found.setdefault(one.category, {"total": euros(0), "owner": euros(0), "odd": 0})
        kept["total"] += one.total
        kept["owner"] += one.owner or euros(0)
        kept["odd"] += one.owner is None
    return [
        {"label": CATEGORY_CHOICES[code], "code": code, **kept, "tenants": kept["total"] - kept["owner"]}
        for code, kept in sorted(found.items())
    ]


def by_place(lines):
    """Totals of each building: its own expenses and those of its homes; of each site, those of the whole site."""
    homes = {one.place_id for one in lines if one.level == HOME}
    building_of = dict(Unit.objects.filter(pk__in=homes).values_list("pk", "building"))
    sums: dict[tuple, list] = {}
    for one in lines:
        key = (2, building_of[one.place_id]) if one.level == HOME else (one.level, one.place_id)
        kept = sums.setdefault(key, [euros(0), euros(0), set()])
        kept[0] += one.total
        kept[1] += one.owner or euros(0)
        if one.level != HOME:
            kept[2].add(str(KEYS[one.key]))
    buildings = Building.objects.in_bulk([place for level, place in sums if level == 2])
    sites = Site.objects.in_bulk([place for level, place in sums if level == 1])
    rows = [
        {
            "place": (sites if level == 1 else buildings)[place],
            "url": reverse("building", args=[place]) if level == 2 else "",
            "keys": ", ".join(sorted(keys)),
            "total": total,
            "owner": owner,
        }
        for (level, place), (total, owner, keys) in sums.items()
    ]
    return sorted(rows, key=lambda row: -row["total"].amount)[:SHOWN]


def missing_natures(seen):
    """Natures that the year before had and this one has not, in the expenses of the whole stock."""
    there = set(Expense.objects.filter(year=seen.year).values_list("category", flat=True))
    before = set(Expense.objects.filter(year=seen.year - 1).values_list("category", flat=True))
    return [str(CATEGORY_CHOICES[code]) for code in sorted(before - there)]


def named(lines):
    """Lines of a preview with their lease, household's name included: one query."""
    found = with_head(
        Lease.objects.filter(pk__in=[one.lease_id for one in lines]).select_related("household"),
        "household",
        today(),
    )
    leases = {one.pk: one for one in found}
    return [
        {
            "line": one,
            "lease": leases[one.lease_id],
            "name": head_name(leases[one.lease_id]) or leases[one.lease_id].household.reference,
        }
        for one in lines
    ]


def grouped(left_out):
    """Leases left out by reason: how many, and the first of them by name."""
    counts = Counter(one.reason for one in left_out)
    return [
        {
            "reason": words,
            "code": code,
            "count": counts[code],
            "rows": named([one for one in left_out if one.reason == code][:SHOWN]) if code != "flat" else [],
        }
        for code, words in REASONS.items()
        if counts[code]
    ]


class CommitCharges(Guarded, View):
    """Start the settlement of a year as long work."""

    resource, action = "charges", "commit"
    http_method_names = ["post"]

    def post(self, request):
        form = SettleForm(request.POST)
        if not form.is_valid():
            raise Http404
        told = form.told()
        year = form.cleaned_data["year"]
        return redirect(
            jobs.start(
                "settle_charges",
                by=request.user,
                once=f"charges {year}",
                year=year,
                on=told["on"].isoformat(),
                due=told["due"].isoformat() if told["due"] else "",
                site=told["site"].pk if "site" in told else 0,
                building=told["building"].pk if "building" in told else 0,
            )
        )


# ---- a run ------------------------------------------------------------------------------


class RunBound:
    """A page of one settlement."""

    @cached_property
    def run(self):
        return get_object_or_404(
            ChargeRun.objects.select_related("site", "building", "opened_by", "undone_by", "undoes"),
            pk=self.kwargs["pk"],
        )

    def breadcrumb(self):
        here = {"label": run_title(self.run), "url": reverse("charge-run", args=[self.run.pk])}
        return [runs_crumb(), here, {"label": self.title}]


class ChargeRunPage(RunBound, Page):
    """A settlement: how far it is, what it shared, who was left out."""

    resource = "charges"
    template_name = "leases/charge_run.html"

    def get_context_data(self, **kwargs):
        run = self.run
        self.title = run_title(run)
        zero = euros(0)
        sums = run.settlements.aggregate(
            count=Count("pk"),
            pay=Sum("amount", filter=Q(amount__gt=0)),
            back=Sum("amount", filter=Q(amount__lt=0)),
            corrections=Count("pk", filter=Q(version__gt=1)),
            share=Sum("share"),
            provisions=Sum("provisions"),
        )
        natures = [
            {
                "label": CATEGORY_CHOICES[row["category"]],
                "total": row["total"],
                "owner": row["owner"],
                "tenants": row["total"] - row["owner"],
            }
            for row in run.groups.values("category")
            .annotate(total=Sum("total"), owner=Sum("owner_share"))
            .order_by("category")
        ]
        reasons = Counter(dict(run.exceptions.values_list("reason").annotate(count=Count("pk")).order_by()))
        undone = hasattr(run, "undone_by")
        actions = []
        if run.closed_at and not run.undoes_id and not undone:
            if self.may("view", "document"):
                actions.append(Action(_("Letters"), reverse("charge-letters", args=[run.pk])))
            if self.may("change", "lease_money"):
                url = reverse("charge-provisions", args=[run.pk])
                actions.append(Action(_("Next provisions"), url, primary=True))
            if self.may("commit"):
                actions.append(Action(_("Undo"), reverse("charge-undo", args=[run.pk])))
        return super().get_context_data(
            run=run,
            state=run_state(run),
            opened_by=person_name(run.opened_by),
            sums=sums,
            pay=sums["pay"] or zero,
            back=-(sums["back"] or zero),
            natures=natures,
            reasons=[
                (words, code, reasons[code], reverse("charge-left-out", args=[run.pk]) + f"?reason={code}")
                for code, words in REASONS.items()
                if reasons[code]
            ],
            left_out=sum(reasons.values()),
            may_commit=self.may("commit"),
            actions=actions,
            **kwargs,
        )

    def breadcrumb(self):
        return [runs_crumb(), {"label": self.title}]


class SettlementList(RunBound, ListPage):
    """The statements of a settlement, lease by lease."""

    resource = "charges"
    title = _("Charge statements")
    filterset_class = SettlementFilter
    default_sort = "lease"
    export_name = "decomptes"
    empty_text = _("This settlement changed nothing.")
    columns = [
        ListColumn("lease", _("Lease"), "lease.reference", sort="lease__reference"),
        ListColumn(
            "household", _("Household"), head_name, link=lambda s: reverse("lease", args=[s.lease_id])
        ),
        ListColumn("version", _("Kind of line"), lambda s: version_word(s)),
        ListColumn("days", _("Days"), kind="int"),
        ListColumn("share", _("Share"), kind="euros", sort="share"),
        ListColumn("provisions", _("Provisions"), kind="euros"),
        ListColumn(
            "parts", _("Instalments"), lambda s: s.instalments if s.instalments > 1 else None, kind="int"
        ),
        ListColumn("amount", _("Balance"), kind="euros", sort="amount"),
    ]

    def get_queryset(self):
        return with_head(self.run.settlements.select_related("lease"), "lease__household", today())

    def row_url(self, settlement):
        return reverse("charge-statement", args=[settlement.pk])

    def totals(self, rows):
        return rows.order_by().aggregate(
            share=Sum("share"), provisions=Sum("provisions"), amount=Sum("amount")
        )

    def was_read(self, settlements, *, export):
        audit.record_read(self.request.user, "charges", [one.lease_id for one in settlements])


def version_word(settlement):
    return _t("First statement") if settlement.version == 1 else _t("Correction")


class ExceptionFilter(django_filters.FilterSet):
    reason = django_filters.ChoiceFilter(
        label=_("Reason"), choices=list(REASONS.items()), empty_label=_("All")
    )

    class Meta:
        model = ChargeRun.exceptions.rel.related_model
        fields = ["reason"]


class LeftOutList(RunBound, ListPage):
    """The leases that a settlement left out, and why."""

    resource = "charges"
    title = _("Leases left out")
    filterset_class = ExceptionFilter
    default_sort = "lease"
    export_name = "baux-ecartes"
    empty_text = _("No lease was left out.")
    columns = [
        ListColumn("lease", _("Lease"), "lease.reference", sort="lease__reference"),
        ListColumn("household", _("Household"), head_name),
        ListColumn("kind", _("Contract"), "lease.get_kind_display"),
        ListColumn("reason", _("Reason"), "get_reason_display", sort="reason"),
    ]

    def get_queryset(self):
        return with_head(self.run.exceptions.select_related("lease"), "lease__household", today())

    def row_url(self, left):
        return reverse("lease", args=[left.lease_id])


class UndoCharges(RunBound, ActionPage):
    """Undo a settlement by its opposite."""

    resource, action = "charges", "commit"
    title = _("Undo the settlement")
    form_class = forms.Form
    submit_label = _("Check")
    confirm_label = _("Undo the settlement")
    done_text = _("The settlement is undone: the year can be settled again.")
    danger = True

    @property
    def intro(self):
        return run_title(self.run)

    @property
    def cancel_url(self):
        return reverse("charge-run", args=[self.run.pk])

    def preview(self, form):
        return Preview(
            lines=[
                (_("Statements undone"), self.run.sealed_settlements),
                (_("Balance given back"), self.run.sealed_total),
            ],
            warning=_t("Every operation is undone by its opposite, dated today. What was paid stays paid."),
        )

    def act(self, form):
        return undo_run(self.run, on=today(), by=self.request.user, now=timezone.now())

    def get_success_url(self):
        return reverse("charge-runs")


class ProvisionsForm(forms.Form):
    since = forms.DateField(
        label=_("From"), help_text=_("The first of a month. Months already called are corrected.")
    )


class NextProvisions(RunBound, ActionPage):
    """Next year's provisions by the last result: what each lease pays and would pay, then applied at once."""

    resource, action = "lease_money", "change"
    title = _("Next provisions")
    intro = _("A twelfth of what a whole year costs by the last result (loi 89-462, art. 23).")
    form_class = ProvisionsForm
    submit_label = _("Preview")
    confirm_label = _("Apply the new provisions")

    @property
    def cancel_url(self):
        return reverse("charge-run", args=[self.run.pk])

    def get_initial(self):
        return {"since": add_months(first_of_month(today()), 1)}

    def preview(self, form):
        found = preview_provisions(self.run, since=form.cleaned_data["since"])
        changing = [one for one in found if one.changes]
        kept = Counter(one.kept for one in found if one.kept)
        rise = sum((one.proposed - one.now for one in changing), euros(0))
        return Preview(
            template="leases/_provisions_preview.html",
            context={
                "rows": named(changing[:SHOWN]),
                "count": len(changing),
                "more": max(0, len(changing) - SHOWN),
                "same": sum(1 for one in found if not one.kept and not one.changes),
                "kept": [(KEPT[code], count) for code, count in kept.items()],
                "rise": rise,
            },
        )

    def act(self, form):
        return apply_provisions(
            self.run, since=form.cleaned_data["since"], by=self.request.user, now=timezone.now()
        )

    def done(self, result, form):
        self.done_text = _t("%(count)s provisions changed.") % {"count": result}
        return super().done(result, form)

    def get_success_url(self):
        return self.cancel_url
