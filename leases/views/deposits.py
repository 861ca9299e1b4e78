"""Deposits to give back by deadline, the deposit of a lease, and the transfers to tenants."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import access, audit, tables
from core.cells import Column
from core.money import EuroFormField, euros
from core.pages import Action, ActionPage, ListColumn, ListPage, Page, Preview
from core.templatetags.gla import euros_text
from core.today import today
from leases.filters import TransferFilter
from leases.households import head_name, with_head
from leases.tenancy import departure, deposits, steps
from leases.tenancy.departure import TenantTransfer
from leases.tenancy.deposits import Deposit
from leases.views.departure import DepartureAction
from leases.views.lease_actions import LeaseForm

STATES = {
    "late": ("bad", _("Late")),
    "soon": ("warn", _("This week")),
    "waiting": ("wait", _("In time")),
    "kept": ("off", _("Kept for charges")),
}


class DepositsToReturn(Page):
    """Deposits still held after the keys came back, the most urgent first; what waiting costs is said before."""

    resource = "deposit"
    template_name = "leases/deposits.html"
    title = _("Deposits to return")

    def get(self, request, *args, **kwargs):
        self.rows = departure.to_return(today())
        audit.record_read(request.user, "deposit", [row.lease.pk for row in self.rows])
        if request.GET.get("export") in tables.FORMATS:
            access.require(request.user, "deposit", "export")
            return self.export(request.GET["export"])
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs):
        day, rows = today(), self.rows
        return super().get_context_data(
            rows=[(row, row.state(day), STATES[row.state(day)]) for row in rows],
            late=sum(1 for row in rows if row.state(day) == "late"),
            soon=sum(1 for row in rows if row.state(day) == "soon"),
            held=sum((row.held for row in rows), euros(0)),
            cost=sum((row.late for row in rows), euros(0)),
            actions=[Action(_("Transfers to tenants"), reverse("tenant-transfers"))],
            exports=[(name, f"?export={name}") for name in tables.FORMATS] if self.may("export") else [],
            **kwargs,
        )

    def export(self, format):
        day = today()
        columns = [
            Column(_t("Household")),
            Column(_t("Lease")),
            Column(_t("Home")),
            Column(_t("Keys returned on"), "date"),
            Column(_t("To give back by"), "date"),
            Column(_t("State")),
            Column(_t("Held"), "euros"),
            Column(_t("Owed by the tenant"), "euros"),
            Column(_t("Cost of the delay"), "euros"),
        ]
        rows = [
            [
                one.name, one.lease.reference, one.place, one.keys_on, one.deadline,
                str(STATES[one.state(day)][1]), one.held, one.owed, one.late,
            ]
            for one in self.rows
        ]  # fmt: skip
        audit.record(self.request.user, "export", "deposit", format=format, rows=len(rows))
        return HttpResponse(
            tables.write_table(columns, rows, format=format),
            content_type=tables.FORMATS[format],
            headers={"Content-Disposition": f'attachment; filename="depots-a-restituer.{format}"'},
        )

    def breadcrumb(self):
        return [{"label": _("Departures"), "url": reverse("departures")}, {"label": self.title}]


# ---- the deposit of a lease -----------------------------------------------------------------


class CallForm(LeaseForm):
    amount = EuroFormField(label=_("Amount"), min_value=0)
    due = forms.DateField(label=_("Due"))
    instalments = forms.IntegerField(
        label=_("Monthly instalments"), initial=1, min_value=1, max_value=24, help_text=_("1: paid at once.")
    )
    payer = forms.ChoiceField(label=_("Paid by"), choices=Deposit.Payer.choices)
    payer_name = forms.CharField(label=_("Name of the payer"), max_length=80, required=False)


class CallDeposit(DepartureAction):
    """Ask for the deposit of the lease, within the ceiling of its contract."""

    resource = "deposit"
    title = _("Call the deposit")
    form_class = CallForm
    submit_label = _("Check")
    confirm_label = _("Call the deposit")
    done_text = _("The deposit is called: it is due like any debt.")

    def get_initial(self):
        lease, most = self.lease, deposits.ceiling(self.lease)
        amount = lease.deposit if lease.deposit else most
        return {"amount": amount, "due": max(lease.start, today()), "payer": Deposit.Payer.TENANT}

    def preview(self, form):
        told, most = form.cleaned_data, deposits.ceiling(self.lease)
        shown = [(_("Amount"), told["amount"]), (_("Due"), told["due"])]
        if most is not None:
            shown.append((_("Ceiling of this contract"), most))
        if told["instalments"] > 1:
            shown.append((_("Monthly instalments"), told["instalments"]))
        shown.append((_("Paid by"), Deposit.Payer(told["payer"]).label))
        return Preview(lines=shown)

    def act(self, form):
        return deposits.call_deposit(
            self.lease, **form.cleaned_data, on=today(), by=self.request.user, now=timezone.now()
        )


class UndoCallForm(LeaseForm):
    reason = forms.CharField(label=_("Reason"), max_length=100)


class UndoDeposit(DepartureAction):
    """Undo a deposit called or taken over by mistake."""

    resource = "deposit"
    title = _("Undo the deposit")
    form_class = UndoCallForm
    submit_label = _("Undo the deposit")
    danger = True
    done_text = _("The deposit is undone.")

    def act(self, form):
        return deposits.undo_call(
            self.lease,
            on=today(),
            reason=form.cleaned_data["reason"],
            by=self.request.user,
            now=timezone.now(),
        )


class TakeOverForm(LeaseForm):
    on = forms.DateField(label=_("Held since"))


class TakeOverDeposit(DepartureAction):
    """A deposit paid before this program kept the accounts: held, and nothing is owed for it."""

    resource = "deposit"
    title = _("Take over the deposit")
    form_class = TakeOverForm
    submit_label = _("Check")
    confirm_label = _("Take over the deposit")
    done_text = _("The deposit is taken over.")

    def get_initial(self):
        return {"on": self.lease.start}

    def preview(self, form):
        return Preview(lines=[(_("Deposit"), self.lease.deposit), (_("Held since"), form.cleaned_data["on"])])

    def act(self, form):
        if not deposits.take_over_deposits(
            [self.lease], on=form.cleaned_data["on"], by=self.request.user, now=timezone.now()
        ):
            raise deposits.DepositRefused(
                self.lease.reference,
                _t("The lease states no deposit, or it is known already."),
                _t("Give the amount in the lease first."),
            )


# ---- transfers ------------------------------------------------------------------------------


class TransferList(ListPage):
    """What is to be paid to tenants who left; the bank's line is then put to their account in suspense."""

    resource = "deposit"
    title = _("Transfers to tenants")
    subtitle = _("The bank's outgoing line settles the tenant's account when it is matched.")
    filterset_class = TransferFilter
    default_sort = "by"
    export_name = "virements-locataires"
    empty_text = _("Nothing is to be given back.")
    columns = [
        ListColumn("household", _("Household"), "name", sub="lease.reference"),
        ListColumn("by", _("To pay by"), "by_date", kind="date", sort="by_date"),
        ListColumn("amount", _("Amount"), kind="euros", sort="amount"),
        ListColumn("iban", _("IBAN"), kind="iban", needs="lease_money.iban"),
        ListColumn("sent_on", _("Sent on"), kind="date", sort="sent_on"),
        ListColumn("state", _("State"), kind="state"),
    ]

    def get_queryset(self):
        return with_head(TenantTransfer.objects.select_related("lease", "final"), "lease__household", today())

    def complete(self, transfers):
        paid = steps.paid_out(transfers)
        for one in transfers:
            one.name = head_name(one)
            if one.cancelled_on:
                one.state = ("off", _t("Cancelled"))
            elif one.pk in paid:
                one.state = ("good", _t("Left the bank"))
            elif one.sent_on:
                one.state = ("info", _t("Sent"))
            elif not one.iban:
                one.state = ("warn", _t("No account to pay into"))
            else:
                late = one.by_date < today()
                one.state = ("bad", _t("Late")) if late else ("wait", _t("To send"))

    def urgent(self, one):
        return one.state[0] == "bad"

    def row_url(self, one):
        return reverse("lease-departure", args=[one.lease_id])

    def actions(self):
        return [Action(_("Mark as sent"), reverse("tenant-transfers-sent"))] if self.may("change") else []

    def was_read(self, transfers, *, export):
        audit.record_read(self.request.user, "deposit", [one.lease_id for one in transfers])

    def breadcrumb(self):
        return [{"label": _("Departures"), "url": reverse("departures")}, {"label": self.title}]


class SentForm(forms.Form):
    on = forms.DateField(label=_("Given to the bank on"))


class MarkSent(ActionPage):
    """The transfers that have an account to pay into were given to the bank."""

    resource = "deposit"
    title = _("Mark as sent")
    form_class = SentForm
    submit_label = _("Check")
    confirm_label = _("Mark as sent")
    done_text = _("The transfers are marked as sent.")

    @property
    def cancel_url(self):
        return reverse("tenant-transfers")

    def get_success_url(self):
        return self.cancel_url

    def get_initial(self):
        return {"on": today()}

    def waiting(self):
        return list(TenantTransfer.objects.filter(sent_on=None, cancelled_on=None).exclude(iban=""))

    def preview(self, form):
        rows = self.waiting()
        total = sum((one.amount for one in rows), euros(0))
        return Preview(lines=[(_("Transfers"), len(rows)), (_("Total"), euros_text(total))])

    def act(self, form):
        return departure.mark_sent(self.waiting(), on=form.cleaned_data["on"], by=self.request.user)


class TakeBackSent(ActionPage):
    """A transfer that the bank did not pay after all."""

    resource = "deposit"
    title = _("The transfer was not sent")
    form_class = forms.Form
    submit_label = _("It was not sent")
    done_text = _("The transfer is to be sent again.")

    @property
    def cancel_url(self):
        return reverse("tenant-transfers")

    def get_success_url(self):
        return self.cancel_url

    def act(self, form):
        transfer = get_object_or_404(TenantTransfer, pk=self.kwargs["pk"])
        return departure.take_back_sent(transfer, by=self.request.user)
