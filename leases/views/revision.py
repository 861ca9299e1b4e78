"""Rent revision: what a month would bring, its start as long work, what was revised, and its undoing."""

from urllib.parse import urlencode

from django import forms
from django.db.models import Count, F, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.generic import View

from core import access, audit, jobs, tables
from core.cells import Column
from core.money import euros
from core.pages import Action, ActionPage, Guarded, ListColumn, ListPage, Page, PanelPage, Preview, Slice
from core.periods import NotAMonth, Period, add_months, first_of_month
from core.templatetags.gla import month_text
from core.today import today
from leases.filters import RevisionFilter
from leases.households import head_name, with_head
from leases.kinds import KINDS
from leases.lease import Lease
from leases.occupancy import last_occupancies
from leases.terms import ITEM_CHOICES
from leases.views.runs import person_name
from leases.yearly.revision import (
    RULE_CHOICES,
    Asked,
    Revision,
    RevisionRefused,
    RevisionRun,
    check,
    percent,
    preview_revision,
    revision_lines,
    to_claim,
)
from leases.yearly.revision_rule import REASONS, RULES
from leases.yearly.revision_undo import undo_revision
from portfolio.models import EnergyLabel, Owner

PER_PAGE = 100
EXPORT_PART = 2_000
EVERY = [("", _("All"))]


def revision_crumb():
    return {"label": _("Rent revision"), "url": reverse("revisions")}


class RevisionList(ListPage):
    """Every rent revised or put back, the latest first."""

    resource = "revision"
    title = _("Rent revision")
    template_name = "leases/revisions.html"
    filterset_class = RevisionFilter
    default_sort = "-on"
    export_name = "revisions"
    empty_text = _("No rent was revised yet: prepare a month.")
    columns = [
        ListColumn(
            "lease",
            _("Lease"),
            "lease.reference",
            sort="lease__reference",
            link=lambda one: reverse("lease", args=[one.lease_id]),
            sub=lambda one: head_name(one),
        ),
        ListColumn("household", _("Household"), lambda one: head_name(one), page=False),
        ListColumn("on", _("Revision date"), kind="date", sort="on"),
        ListColumn("effect", _("Owed from"), kind="date", sort="effect"),
        ListColumn("item", _("Item"), "get_item_display"),
        ListColumn("rule", _("Rule"), "get_rule_display", sub=lambda one: index_words(one)),
        ListColumn("old", _("Before"), kind="euros"),
        ListColumn("new", _("After"), kind="euros"),
        ListColumn("rise", _("Difference"), lambda one: one.new - one.old, kind="euros"),
        ListColumn("state", _("State"), lambda one: revision_state(one), kind="state"),
        ListColumn(
            "run",
            _("Run"),
            lambda one: month_text(one.run.month),
            link=lambda one: reverse("revision-run", args=[one.run_id]),
        ),
        ListColumn("by", _("By"), lambda one: person_name(one.run.made_by), page=False),
    ]

    def get_queryset(self):
        rows = Revision.objects.select_related("lease", "run__made_by", "undone_by")
        return with_head(rows, "lease__household", today())

    def totals(self, rows):
        return rows.aggregate(old=Sum("old"), new=Sum("new"))

    def was_read(self, revisions, *, export):
        audit.record_read(self.request.user, "lease", sorted({one.lease_id for one in revisions}))

    def actions(self):
        month = add_months(first_of_month(today()), 1)
        january = month.replace(year=month.year + (month.month > 1), month=1)
        offered = [(month, True)] if month == january else [(month, True), (january, False)]
        found = [
            Action(
                _t("Prepare %(month)s") % {"month": month_text(each)},
                f"{reverse('revision-preview')}?month={each:%Y-%m}",
                primary=primary,
            )
            for each, primary in offered
        ]
        if self.may("change"):
            found.append(Action(_("Model clauses"), reverse("revision-model-clause")))
        return [*found, Action(_("Rent index (IRL)"), reverse("indices"))]


class Waiting(PanelPage):
    """The months whose revisions nobody claimed, with what they would bring."""

    resource = "revision"
    title = _("Still to claim")
    template_name = "leases/_revision_waiting.html"

    def get_context_data(self, **kwargs):
        return super().get_context_data(months=to_claim(today()), **kwargs)


def index_words(one) -> str:
    """What a revision was reckoned from: quarter and index, or the ceiling."""
    if one.index_quarter:
        return str(one.index_quarter)
    return percent(one.points) if one.points is not None else ""


def revision_state(one):
    if one.undoes_id:
        return "off", _t("Undoing")
    if getattr(one, "undone_by", None):
        return "off", _t("Undone")
    return ("wait", _t("Claimed late")) if one.effect > one.on else ("good", _t("In force"))


# ---- preview ----------------------------------------------------------------------------


class AskedForm(forms.Form):
    """Which month, claimed when, and of which leases."""

    month = forms.CharField(
        label=_("Month"),
        widget=forms.TextInput(attrs={"type": "month", "pattern": "[0-9]{4}-[0-9]{2}", "size": 9}),
    )
    claimed_on = forms.DateField(
        label=_("Letters dated"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    owner_kind = forms.ChoiceField(
        label=_("Owner kind"), choices=EVERY + list(Owner.Kind.choices), required=False
    )
    rule = forms.ChoiceField(label=_("Rule"), choices=EVERY + RULE_CHOICES, required=False)

    def clean_month(self):
        try:
            return Period.parse_month(self.cleaned_data["month"]).start
        except NotAMonth:
            raise forms.ValidationError(_("This is not a month: write it as 2026-03.")) from None

    @property
    def asked(self) -> Asked:
        return Asked(**self.cleaned_data)


class RevisionPreview(Page):
    """What the revision of a month would bring now: totals, each lease, and each one left out."""

    resource = "revision"
    template_name = "leases/revision_preview.html"

    @cached_property
    def form(self):
        month = add_months(first_of_month(today()), 1)
        told = {"month": f"{month:%Y-%m}", "claimed_on": today().isoformat()}
        given = {key: value for key, value in self.request.GET.items() if value}
        return AskedForm(told | given)

    def get(self, request, *args, **kwargs):
        if request.GET.get("export") in tables.FORMATS and self.form.is_valid():
            access.require(request.user, "revision", "export")
            return self.export(request.GET["export"])
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs):
        self.title = _t("Rent revision")
        if not self.form.is_valid():
            return super().get_context_data(form=self.form, asked=None, **kwargs)
        asked = self.form.asked
        self.title = _t("Rent revision of %(month)s") % {"month": month_text(asked.month)}
        preview = preview_revision(asked)
        groups = [("", _t("To revise"), preview.leases)]
        groups += [(code, REASONS[code], count) for code, count in preview.left_out()]
        shown = self.request.GET.get("reason", "")
        shown = shown if shown in REASONS else ""
        page, lines = self.lines(asked, shown)
        refusal = refused(asked)
        return super().get_context_data(
            form=self.form,
            asked=asked,
            preview=preview,
            table=by_owner_and_rule(preview.revised),
            groups=[(code, words, count, self.query(reason=code)) for code, words, count in groups],
            left_out=sum(count for _code, count in preview.left_out()),
            shown=shown,
            shown_words=next((words for code, words, _count in groups if code == shown), ""),
            page=page,
            lines=lines,
            late=asked.claimed_on > asked.month,
            refusal=refusal,
            may_commit=refusal is None and self.may("commit"),
            may_change=self.may("change"),
            exports=[(name, self.query(export=name)) for name in tables.FORMATS]
            if self.may("export")
            else [],
            **kwargs,
        )

    def lines(self, asked, reason):
        """A page of lines, with names and homes; the first where the number cannot be read."""
        number = self.request.GET.get("page", "1")
        number = max(1, int(number)) if number.isdigit() and len(number) < 6 else 1
        found = revision_lines(asked, reason=reason, skip=(number - 1) * PER_PAGE, size=PER_PAGE + 1)
        page = Slice(named(found[:PER_PAGE]))
        if number > 1:
            page.first_url, page.previous_url = self.query(page=None), self.query(page=number - 1)
        if len(found) > PER_PAGE:
            page.next_url = page.last_url = self.query(page=number + 1)
        audit.record_read(
            self.request.user, "lease", sorted({line["line"].lease_id for line in page.objects})
        )
        return page, page.objects

    def query(self, **changes):
        kept = {
            key: value for key, value in self.request.GET.items() if value and key not in ("page", "export")
        }
        kept |= {key: value for key, value in changes.items() if value is not None}
        return f"?{urlencode({key: value for key, value in kept.items() if value != ''})}"

    def export(self, format):
        """Every line, those left out included."""
        asked = self.form.asked
        audit.record(self.request.user, "export", "revision", format=format, month=f"{asked.month:%Y-%m}")
        return HttpResponse(
            tables.write_table(EXPORTED(), exported(revision_lines(asked)), format=format),
            content_type=tables.FORMATS[format],
            headers={"Content-Disposition": f'attachment; filename="revision-{asked.month:%Y-%m}.{format}"'},
        )

    def breadcrumb(self):
        return [revision_crumb(), {"label": self.title}]


def named(lines):
    """Lines with the lease, the household, the home of each and the day of its label: three queries."""
    ids = {line.lease_id for line in lines}
    leases = {
        lease.pk: lease
        for lease in with_head(
            Lease.objects.filter(pk__in=ids).select_related("household"), "household", today()
        )
    }
    stays = last_occupancies(ids, today())
    units = {stay.place.unit_id for stay in stays.values()}
    labels = EnergyLabel.objects.filter(unit__in=units).order_by("issued_on")
    issued: dict[int, list] = {}
    for label in labels:
        issued.setdefault(label.unit_id, []).append(label.issued_on)
    return [
        {
            "line": line,
            "labelled_on": labelled_on(line, stays.get(line.lease_id), issued),
            "lease": leases[line.lease_id],
            "name": head_name(leases[line.lease_id]) or leases[line.lease_id].household.reference,
            "stay": stays.get(line.lease_id),
            "item": ITEM_CHOICES.get(line.item, ""),
        }
        for line in lines
    ]


def labelled_on(line, stay, issued):
    """The day of the diagnosis whose label a line tells, or None."""
    days = issued.get(stay.place.unit_id, []) if stay and line.label else []
    return max((day for day in days if day <= line.on), default=None)


def EXPORTED():
    return [
        Column(_t("Lease")),
        Column(_t("Household")),
        Column(_t("Home")),
        Column(_t("Contract")),
        Column(_t("Owner kind")),
        Column(_t("Revision date"), "date"),
        Column(_t("Owed from"), "date"),
        Column(_t("Item")),
        Column(_t("Energy label")),
        Column(_t("Label of"), "date"),
        Column(_t("Quarter of the index")),
        Column(_t("Before"), "euros"),
        Column(_t("After"), "euros"),
        Column(_t("Difference"), "euros"),
        Column(_t("Not revised because")),
    ]


def exported(lines):
    kinds = dict(Owner.Kind.choices)
    for at in range(0, len(lines), EXPORT_PART):
        for one in named(lines[at : at + EXPORT_PART]):
            line, stay = one["line"], one["stay"]
            yield [
                one["lease"].reference,
                one["name"],
                stay.place.reference if stay else "",
                str(KINDS[one["lease"].kind].label),
                str(kinds.get(line.owner_kind, "")),
                line.on,
                line.effect,
                str(one["item"]),
                line.label or "",
                one["labelled_on"],
                str(line.index_quarter or ""),
                line.old,
                line.new,
                line.rise,
                str(REASONS.get(line.reason, "")),
            ]


def refused(asked):
    """Why this revision may not be made now; None where it may."""
    try:
        check(asked, now=timezone.now())
    except RevisionRefused as refusal:
        return refusal
    return None


def by_owner_and_rule(totals):
    """Rows of a table: owner kind and rule, leases, EUR before, after and their difference; then all."""
    kinds = dict(Owner.Kind.choices)
    rows = [
        (
            one.owner_kind,
            kinds[one.owner_kind],
            RULES[one.rule],
            one.leases,
            one.old,
            one.new,
            one.new - one.old,
        )
        for one in totals
    ]
    nothing = euros(0)
    return rows, (
        sum(one.leases for one in totals),
        sum((one.old for one in totals), nothing),
        sum((one.new for one in totals), nothing),
        sum((one.new - one.old for one in totals), nothing),
    )


class CommitRevision(Guarded, View):
    """Start the revision of a month as long work."""

    resource, action = "revision", "commit"
    http_method_names = ["post"]

    def post(self, request):
        form = AskedForm(request.POST)
        if not form.is_valid() or refused(form.asked):
            told = {key: request.POST.get(key, "") for key in form.fields}
            return redirect(f"{reverse('revision-preview')}?{urlencode(told)}")
        asked = form.asked
        told = {
            "month": f"{asked.month:%Y-%m}",
            "claimed_on": asked.claimed_on.isoformat(),
            "owner_kind": asked.owner_kind,
            "rule": asked.rule,
        }
        return redirect(jobs.start("rent_revision", by=request.user, once=" ".join(told.values()), **told))


# ---- a run, its undoing -----------------------------------------------------------------


class RunPage(Page):
    """One revision as it was made: totals, what was undone since, its letters."""

    resource = "revision"
    template_name = "leases/revision_run.html"

    def get_context_data(self, **kwargs):
        run = get_object_or_404(RevisionRun.objects.select_related("made_by"), pk=self.kwargs["pk"])
        words = _t("Undoing of %(month)s") if run.undoes else _t("Rent revision of %(month)s")
        self.title = words % {"month": month_text(run.month)}
        rows = list(
            run.revisions.values("rule", undone=Count("undone_by"))
            .annotate(leases=Count("lease", distinct=True), before=Sum("old"), after=Sum("new"))
            .order_by("rule", "undone")
        )
        for row in rows:
            row["words"], row["rise"] = RULES[row["rule"]], row["after"] - row["before"]
        late = run.revisions.filter(effect__gt=F("on")).values("lease").distinct().count()
        return super().get_context_data(
            run=run,
            rows=rows,
            by=person_name(run.made_by),
            leases=sum(row["leases"] for row in rows),
            rise=sum((row["rise"] for row in rows), euros(0)),
            undone=sum(row["leases"] for row in rows if row["undone"]),
            late=late,
            list_url=f"{reverse('revisions')}?run={run.pk}",
            may_undo=self.may("commit") and not run.undoes and any(not row["undone"] for row in rows),
            **kwargs,
        )

    def breadcrumb(self):
        return [revision_crumb(), {"label": self.title}]


class UndoRun(ActionPage):
    """Put back the rents of a whole run."""

    resource, action = "revision", "commit"
    form_class = forms.Form
    danger = True
    confirm_label = _("Undo the revision")

    @cached_property
    def run(self):
        return get_object_or_404(RevisionRun, pk=self.kwargs["pk"], undoes=False)

    @property
    def title(self):
        return _t("Undo the revision of %(month)s") % {"month": month_text(self.run.month)}

    @property
    def cancel_url(self):
        return reverse("revision-run", args=[self.run.pk])

    submit_label = _("Check")

    def preview(self, form):
        told = self.run.revisions.standing().aggregate(
            leases=Count("lease", distinct=True), old=Sum("old"), new=Sum("new")
        )
        fall = (told["old"] or euros(0)) - (told["new"] or euros(0))
        return Preview(
            lines=[(_("Leases put back"), told["leases"]), (_("Difference a month"), fall)],
            warning=_t(
                "Nothing is erased. Rents changed since are left as they are; the next rent run settles"
                " the months called."
            ),
        )

    def act(self, form):
        return jobs.start("undo_revision", by=self.request.user, once=str(self.run.pk), run=self.run.pk)

    def done(self, result, form):
        return redirect(result)

    def breadcrumb(self):
        return [revision_crumb(), {"label": self.title}]


class UndoOne(ActionPage):
    """Put back the rent of one lease."""

    resource = "revision"
    form_class = forms.Form
    title = _("Undo a revision")
    danger = True
    submit_label = _("Check")
    confirm_label = _("Undo the revision")
    done_text = _("The former rent runs again; months already called are corrected by the next rent run.")

    @cached_property
    def revision(self):
        return get_object_or_404(Revision.objects.select_related("lease"), pk=self.kwargs["pk"])

    @property
    def cancel_url(self):
        return reverse("lease", args=[self.revision.lease_id])

    def get_success_url(self):
        return self.cancel_url

    def preview(self, form):
        one = self.revision
        return Preview(
            lines=[
                (_("Lease"), one.lease.reference),
                (_("Revision date"), one.on),
                (_("Rent now"), one.new),
                (_("Rent put back"), one.old),
                (_("From"), one.effect),
            ]
        )

    def act(self, form):
        return undo_revision(self.revision, by=self.request.user, now=timezone.now())

    def breadcrumb(self):
        lease = self.revision.lease
        return [{"label": lease.reference, "url": self.cancel_url}, {"label": self.title}]
