"""The desk: payments taken, receipts, cheques brought to the bank."""

from django import forms
from django.db.models import Sum
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.money import EuroFormField, euros
from core.pages import Action, ActionPage, ListColumn, ListPage, Page, Preview
from core.today import today
from leases.bank_accounts import BankAccount
from leases.collecting.desk import CHEQUE, ChequeSlip, DeskReceipt, cancel, desk, make_slip, take
from leases.filters import DeskFilter
from leases.lease import Lease
from leases.ledger import association_book_id
from leases.tenant_account import balance
from leases.views.lease_actions import LeaseAction, LeaseForm


class DeskList(ListPage):
    """The desk: what it holds, and its receipts, the latest first."""

    resource = "desk"
    title = _("Desk")
    template_name = "leases/desk.html"
    filterset_class = DeskFilter
    queryset = DeskReceipt.objects.select_related("lease", "operation__undone_by")
    default_sort = "-number"
    export_name = "guichet"
    empty_text = _("No payment was taken at the desk yet: take the first from a lease's page.")
    columns = [
        ListColumn("number", _("Receipt"), lambda one: str(one), sort="number"),
        ListColumn("on", _("Received on"), kind="date", sort="on"),
        ListColumn(
            "lease", _("Lease"), "lease.reference", link=lambda one: reverse("lease", args=[one.lease_id])
        ),
        ListColumn("means", _("Means of payment"), lambda one: one.get_means_display()),
        ListColumn("payer", _("Paid by"), lambda one: one.get_payer_display(), sub="payer_name"),
        ListColumn("reference", _("Cheque or slip no.")),
        ListColumn("amount", _("Amount"), kind="euros", sort="amount"),
        ListColumn("state", _("State"), lambda one: receipt_state(one), kind="state"),
    ]

    def row_url(self, receipt):
        return reverse("desk-receipt", args=[receipt.pk])

    def totals(self, rows):
        return {"amount": rows.standing().aggregate(total=Sum("amount"))["total"] or euros(0)}

    def actions(self):
        if not self.may("change"):
            return []
        found = [Action(_t("Take a payment"), reverse("desk-take"), primary=True, icon="plus")]
        if DeskReceipt.objects.cheques_to_bank().exists():
            found.append(Action(_t("Bring the cheques to the bank"), reverse("desk-slip")))
        found.append(Action(_t("Cheque slips"), reverse("desk-slips")))
        return found

    def get_context_data(self, **kwargs):
        return super().get_context_data(held=desk(today()), **kwargs)


def receipt_state(receipt):
    """Whether a receipt stands, in words."""
    if receipt.cancelled:
        return "off", _t("Cancelled")
    return "good", _t("Taken")


class PaymentForm(forms.Form):
    amount = EuroFormField(label=_("Amount"), min_value=0)
    means = forms.ChoiceField(label=_("Means of payment"), choices=DeskReceipt.MeansOfPayment.choices)
    on = forms.DateField(label=_("Received on"))
    reference = forms.CharField(label=_("Cheque or slip no."), max_length=40, required=False)
    payer = forms.ChoiceField(label=_("Paid by"), choices=DeskReceipt.Payer.choices)
    payer_name = forms.CharField(
        label=_("Organisation"), max_length=80, required=False, help_text=_("Where it is not the household.")
    )


class FindForm(PaymentForm):
    """A payment for the lease that its reference names."""

    lease = forms.CharField(label=_("Lease or payment reference"), max_length=20)
    field_order = ["lease", "amount", "means", "on", "reference", "payer", "payer_name"]

    def clean_lease(self):
        told = self.cleaned_data["lease"].strip().upper()
        found = (
            Lease.objects.filter(reference__iexact=told).first()
            or Lease.objects.filter(payment_reference=told).first()
        )
        if found is None:
            raise forms.ValidationError(
                _t("No lease has this reference. Look it up in the search at the top of the page.")
            )
        return found


class Taking:
    """What taking a payment shares, from the desk or from a lease."""

    resource = "desk"
    title = _("Take a payment")
    submit_label = _("Check")
    confirm_label = _("Take the payment")
    done_text = _("The payment is taken; print its receipt.")

    def told(self, form):
        found = dict(form.cleaned_data)
        return found.pop("lease", None) or self.lease, found

    def preview(self, form):
        lease, told = self.told(form)
        owed = balance(lease, today())
        return Preview(
            lines=[
                (_("Lease"), lease.reference),
                (_("Amount"), told["amount"]),
                (_("Means of payment"), DeskReceipt.MeansOfPayment(told["means"]).label),
                (_("Owed today"), owed),
                (_("Owed after it"), owed - told["amount"]),
            ]
        )

    def act(self, form):
        lease, told = self.told(form)
        return take(lease, **told, by=self.request.user, now=timezone.now())

    def done(self, receipt, form):
        self.success_url = reverse("desk-receipt", args=[receipt.pk])
        return super().done(None, form)


class TakePayment(Taking, ActionPage):
    """A payment at the desk, for the lease that is named."""

    form_class = FindForm
    success_url = "/"

    def get_initial(self):
        return {"on": today(), "payer": DeskReceipt.Payer.HOUSEHOLD}

    @property
    def cancel_url(self):
        return reverse("desk")

    def get_success_url(self):
        return self.success_url

    def breadcrumb(self):
        return [{"label": _("Desk"), "url": reverse("desk")}, {"label": self.title}]


class LeasePaymentForm(PaymentForm, LeaseForm):
    pass


class TakeFromLease(Taking, LeaseAction):
    """A payment at the desk, from the page of its lease: what is owed is proposed."""

    resource = "desk"
    form_class = LeasePaymentForm
    success_url = "/"

    def get_initial(self):
        owed = balance(self.lease, today())
        return {"on": today(), "payer": DeskReceipt.Payer.HOUSEHOLD} | (
            {"amount": owed} if owed > euros(0) else {}
        )

    def get_success_url(self):
        return self.success_url


class ReceiptPage(Page):
    """A receipt, to print and hand over."""

    resource = "desk"
    template_name = "leases/desk_receipt.html"

    @property
    def title(self):
        return _t("Receipt %(number)s") % {"number": self.receipt}

    def get(self, request, *args, **kwargs):
        self.receipt = get_object_or_404(
            DeskReceipt.objects.select_related("lease__household", "operation__undone_by"), pk=kwargs["pk"]
        )
        audit.record_read(request.user, "desk", [self.receipt.pk])
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs):
        receipt = self.receipt
        actions = []
        state = receipt_state(receipt)
        if self.may("change") and state[0] == "good":
            actions.append(Action(_t("Cancel the receipt"), reverse("desk-cancel", args=[receipt.pk])))
        return super().get_context_data(
            receipt=receipt, state=state, balance=balance(receipt.lease, today()), actions=actions, **kwargs
        )

    def breadcrumb(self):
        return [{"label": _("Desk"), "url": reverse("desk")}, {"label": self.title}]


class CancelForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=100)


class CancelReceipt(ActionPage):
    """A receipt cancelled by its opposite: a mistake, or a cheque that came back unpaid."""

    resource = "desk"
    form_class = CancelForm
    title = _("Cancel the receipt")
    submit_label = _("Cancel the receipt")
    danger = True
    done_text = _("The receipt is cancelled: what it paid is owed again.")

    def get_success_url(self):
        return reverse("desk-receipt", args=[self.kwargs["pk"]])

    cancel_url = property(get_success_url)

    def act(self, form):
        receipt = get_object_or_404(DeskReceipt, pk=self.kwargs["pk"])
        return cancel(
            receipt, reason=form.cleaned_data["reason"], on=today(), by=self.request.user, now=timezone.now()
        )


# ---- cheques ----------------------------------------------------------------------------


class SlipForm(forms.Form):
    bank = forms.ModelChoiceField(
        label=_("Bank account"), queryset=BankAccount.objects.none(), empty_label=None
    )
    on = forms.DateField(label=_("Brought on"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["bank"].queryset = BankAccount.objects.filter(book=association_book_id()).order_by("name")


class MakeSlip(ActionPage):
    """Every cheque in hand put on a slip for the bank."""

    resource = "desk"
    form_class = SlipForm
    title = _("Bring the cheques to the bank")
    submit_label = _("Check")
    confirm_label = _("Make the slip")
    done_text = _("The slip is made: print it and bring it with the cheques.")
    success_url = "/"

    @property
    def cancel_url(self):
        return reverse("desk")

    def get_success_url(self):
        return self.success_url

    def get_initial(self):
        return {"on": today()}

    def preview(self, form):
        waiting = list(DeskReceipt.objects.cheques_to_bank())
        return Preview(
            lines=[
                (_("Cheques"), len(waiting)),
                (_("Total"), sum((one.amount for one in waiting), euros(0))),
                (_("Bank account"), form.cleaned_data["bank"].name),
            ]
        )

    def act(self, form):
        return make_slip(None, **form.cleaned_data, by=self.request.user)

    def done(self, slip, form):
        self.success_url = reverse("desk-slip-page", args=[slip.pk])
        return super().done(None, form)


class SlipList(ListPage):
    """The slips of cheques, the latest first."""

    resource = "desk"
    title = _("Cheque slips")
    queryset = ChequeSlip.objects.select_related("bank")
    default_sort = "-on"
    export_name = "remises-de-cheques"
    empty_text = _("No cheque was brought to the bank yet.")
    columns = [
        ListColumn("number", _("Slip"), lambda one: str(one)),
        ListColumn("on", _("Brought on"), kind="date", sort="on"),
        ListColumn("bank", _("Bank account"), "bank.name"),
    ]

    def row_url(self, slip):
        return reverse("desk-slip-page", args=[slip.pk])

    def breadcrumb(self):
        return [{"label": _("Desk"), "url": reverse("desk")}, {"label": self.title}]


class SlipPage(Page):
    """A slip of cheques, to print."""

    resource = "desk"
    template_name = "leases/desk_slip.html"

    @property
    def title(self):
        return _t("Cheque slip %(number)s") % {"number": self.slip}

    def get(self, request, *args, **kwargs):
        self.slip = get_object_or_404(ChequeSlip.objects.select_related("bank"), pk=kwargs["pk"])
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs):
        lines = DeskReceipt.objects.filter(slip_line__slip=self.slip, means=CHEQUE).select_related("lease")
        receipts = list(lines.order_by("year", "number"))
        return super().get_context_data(
            slip=self.slip,
            receipts=receipts,
            total=sum((one.amount for one in receipts), euros(0)),
            **kwargs,
        )

    def breadcrumb(self):
        return [
            {"label": _("Desk"), "url": reverse("desk")},
            {"label": _("Cheque slips"), "url": reverse("desk-slips")},
            {"label": self.title},
        ]
