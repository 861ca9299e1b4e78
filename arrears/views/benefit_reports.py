"""Unpaid rent to tell the payer of the housing benefit: the queue, a report, its receipt."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from arrears.benefit_reports import BenefitReport, constituted, newly_above, record_receipt, report
from core import access, audit, tables
from core.cells import Column
from core.money import euros
from core.pages import ActionPage, Page, Preview
from core.today import today
from leases.benefits import Benefit
from leases.households import head_name, with_head
from leases.lease import Lease

STATES = {
    "late": ("bad", _("Too late")),
    "soon": ("warn", _("Within two weeks")),
    "waiting": ("wait", _("In time")),
    "told": ("info", _("Told, receipt awaited")),
    "received": ("good", _("Told and received")),
}


class AskedDay(forms.Form):
    on = forms.DateField(label=_("On"), required=False)
    new = forms.BooleanField(label=_("Only those that this day's law adds"), required=False)


class BenefitReports(Page):
    """Whom the CAF or MSA must be told about, the first deadline first."""

    resource = "benefit_report"
    template_name = "arrears/benefit_reports.html"
    title = _("Unpaid rent to tell the CAF")

    def get(self, request, *args, **kwargs):
        self.form = AskedDay(
            {"on": request.GET.get("on") or today().isoformat(), "new": request.GET.get("new")}
        )
        told = self.form.cleaned_data if self.form.is_valid() else {}
        self.day = told.get("on") or today()
        self.rows = (newly_above if told.get("new") else constituted)(self.day)
        found = with_head(Lease.objects.all(), "household", self.day).in_bulk(
            [one.lease_id for one in self.rows]
        )
        self.leases = found
        audit.record_read(request.user, "benefit_report", sorted(found))
        if request.GET.get("export") in tables.FORMATS:
            access.require(request.user, "benefit_report", "export")
            return self.export(request.GET["export"])
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs):
        rows = [
            (one, self.leases[one.lease_id], head_name(self.leases[one.lease_id]), one.state(self.day))
            for one in self.rows
        ]
        states = [state for *_rest, state in rows]
        asked = self.request.GET.urlencode()
        return super().get_context_data(
            form=self.form,
            day=self.day,
            rows=[(*row, STATES[row[-1]]) for row in rows],
            late=states.count("late"),
            soon=states.count("soon"),
            awaited=states.count("told"),
            may_report=self.may("change") and self.day == today(),
            exports=[(name, f"?{asked}&export={name}") for name in tables.FORMATS]
            if self.may("export")
            else [],
            **kwargs,
        )

    def export(self, format):
        columns = [
            Column(_t("Lease")),
            Column(_t("Household")),
            Column(_t("Payer")),
            Column(_t("Debt"), "euros"),
            Column(_t("Threshold"), "euros"),
            Column(_t("Constituted on"), "date"),
            Column(_t("To tell by"), "date"),
            Column(_t("State")),
            Column(_t("Receipt")),
        ]
        rows = [
            [
                self.leases[one.lease_id].reference, head_name(self.leases[one.lease_id]),
                Benefit.Payer(one.payer).label, one.debt, one.threshold.amount, one.since, one.deadline,
                str(STATES[one.state(self.day)][1]), one.report.receipt if one.report else "",
            ]
            for one in self.rows
        ]  # fmt: skip
        audit.record(self.request.user, "export", "benefit_report", format=format, rows=len(rows))
        return HttpResponse(
            tables.write_table(columns, rows, format=format),
            content_type=tables.FORMATS[format],
            headers={"Content-Disposition": f'attachment; filename="signalements-caf.{format}"'},
        )

    def breadcrumb(self):
        return [{"label": _("Unpaid rent"), "url": reverse("worklist")}, {"label": self.title}]


class QueuePage(ActionPage):
    """An act on the queue; back to it afterwards."""

    resource = "benefit_report"

    def get_success_url(self):
        return reverse("benefit-reports")

    cancel_url = property(get_success_url)

    def breadcrumb(self):
        return [{"label": _("Unpaid rent to tell the CAF"), "url": self.cancel_url}, {"label": self.title}]


class ChosenForm(forms.Form):
    leases = forms.ModelMultipleChoiceField(
        queryset=Lease.objects.all(),
        widget=forms.MultipleHiddenInput,
        error_messages={"required": _("Tick the households that the payer was told about.")},
    )


class ReportUnpaid(QueuePage):
    """The arrears of the households ticked, told to the payer of their benefit."""

    form_class = ChosenForm
    title = _("Tell the payer of the benefit")
    confirm_label = _("Told today")
    done_text = _("The reports are recorded: note the receipts when they come.")

    def preview(self, form):
        chosen = {lease.pk for lease in form.cleaned_data["leases"]}
        found = [one for one in constituted(today()) if one.lease_id in chosen]
        return Preview(
            lines=[
                (_("Households"), len(found)),
                (_("Debt"), sum((one.debt for one in found), euros(0))),
                (_("Payer"), ", ".join(sorted({Benefit.Payer(one.payer).label for one in found}))),
                (_("To tell by"), min((one.deadline for one in found), default=None)),
            ],
            warning=_t(
                "Tell it on the payer's own site or by its form first; this keeps the proof and the day."
            ),
        )

    def act(self, form):
        return report(form.cleaned_data["leases"], on=today(), by=self.request.user, now=timezone.now())


class ReceiptForm(forms.Form):
    receipt = forms.CharField(label=_("Receipt"), max_length=40)
    on = forms.DateField(label=_("Receipt of"))


class RecordReceipt(QueuePage):
    """The payer's receipt of a report."""

    form_class = ReceiptForm
    title = _("Record the receipt")
    submit_label = _("Record")
    done_text = _("The receipt is recorded.")

    def get_initial(self):
        return {"on": today()}

    def act(self, form):
        return record_receipt(
            get_object_or_404(BenefitReport, pk=self.kwargs["pk"]), **form.cleaned_data, by=self.request.user
        )
