"""Temporary stays: how long each has lasted, which are over their term, and more time granted."""

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import access, audit, tables
from core.cells import Column
from core.pages import Page, Preview
from core.today import today
from leases.tenancy import stays
from leases.views.lease_actions import LeaseAction, LeaseForm

STATES = {
    "over": ("bad", _("Over its term")),
    "soon": ("warn", _("Ends soon")),
    "extended": ("info", _("Extended")),
    "running": ("good", _("Running")),
}


class StayList(Page):
    """Stays in time order of their term: those over it first."""

    resource = "stay"
    template_name = "leases/stays.html"
    title = _("Temporary stays")

    def get(self, request, *args, **kwargs):
        self.day = today()
        self.all = stays.stays(self.day)
        asked = request.GET.get("show", "over")
        self.show = asked if asked in (*STATES, "all") else "over"
        self.rows = [one for one in self.all if self.show in ("all", one.state(self.day))]
        audit.record_read(request.user, "lease", [one.lease.pk for one in self.rows])
        if request.GET.get("export") in tables.FORMATS:
            access.require(request.user, "stay", "export")
            return self.export(request.GET["export"])
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs):
        counted = dict.fromkeys(STATES, 0)
        for one in self.all:
            counted[one.state(self.day)] += 1
        return super().get_context_data(
            rows=[(one, STATES[one.state(self.day)], one.months_over(self.day)) for one in self.rows],
            tabs=[
                *((code, words, counted[code]) for code, (_kind, words) in STATES.items()),
                ("all", _("All"), len(self.all)),
            ],
            show=self.show,
            may_extend=self.may("change"),
            exports=[(name, f"?show={self.show}&export={name}") for name in tables.FORMATS]
            if self.may("export")
            else [],
            **kwargs,
        )

    def export(self, format):
        columns = [
            Column(_t("Household")),
            Column(_t("Lease")),
            Column(_t("Contract")),
            Column(_t("Structure")),
            Column(_t("Home")),
            Column(_t("Entered on"), "date"),
            Column(_t("Term"), "date"),
            Column(_t("Extended to"), "date"),
            Column(_t("Months over"), "int"),
            Column(_t("State")),
        ]
        rows = [
            [
                one.name, one.lease.reference, one.lease.get_kind_display(), one.structure, one.place,
                one.entered, one.term, one.granted, one.months_over(self.day),
                str(STATES[one.state(self.day)][1]),
            ]
            for one in self.rows
        ]  # fmt: skip
        audit.record(self.request.user, "export", "stay", format=format, rows=len(rows))
        return HttpResponse(
            tables.write_table(columns, rows, format=format),
            content_type=tables.FORMATS[format],
            headers={"Content-Disposition": f'attachment; filename="sejours-temporaires.{format}"'},
        )

    def breadcrumb(self):
        return [{"label": _("Departures"), "url": reverse("departures")}, {"label": self.title}]


class ExtendForm(LeaseForm):
    until = forms.DateField(label=_("Last day granted"))
    decided_on = forms.DateField(label=_("Decided on"))
    decided_by = forms.CharField(label=_("Granted by"), max_length=80, required=False)
    reason = forms.CharField(label=_("Reason"), max_length=200)


class ExtendStay(LeaseAction):
    """More time for a stay, with who granted it and why."""

    resource = "stay"
    title = _("Extend the stay")
    form_class = ExtendForm
    submit_label = _("Check")
    confirm_label = _("Extend the stay")
    done_text = _("The stay is extended.")

    @property
    def cancel_url(self):
        return reverse("stays")

    def get_initial(self):
        return {"decided_on": today()}

    def preview(self, form):
        found = stays.stays(today(), leases=[self.lease.pk])
        shown = [(_("Household"), self.lease.name), (_("Last day granted"), form.cleaned_data["until"])]
        if found:
            shown.insert(1, (_("Runs to"), found[0].last_day))
        return Preview(lines=shown)

    def act(self, form):
        return stays.extend_stay(self.lease, **form.cleaned_data, by=self.request.user, now=timezone.now())
