"""Payments to owners: what is due, the orders and their files, what the bank did with them."""

from django import forms
from django.db.models import Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.generic import View

from core import audit
from core.money import EuroFormField, euros
from core.pages import Action, ActionPage, Guarded, ListColumn, ListPage, Preview
from core.templatetags.gla import euros_text
from core.today import today
from leases.accounts.owner_lines import put_to_payout, take_contribution
from leases.accounts.payouts import (
    Payout,
    PayoutBatch,
    commit_payouts,
    debits_like,
    file_name,
    mark_sent,
    paying_banks,
    payout_file,
    payout_states,
    preview_payouts,
    withdraw,
)
from leases.bank import Allocation
from leases.bank_accounts import BankAccount
from leases.filters import PayoutFilter
from leases.formats.pain001 import VERSIONS
from leases.ledger import association_book_id
from portfolio.owners import OWNERS_BOOK_TITLES, Owner


def trail(*more):
    return [{"label": _("Owners' accounts"), "url": reverse("owner-statements")}, *more]


def batch_state(batch):
    """What became of a batch: how grave, and in words."""
    if batch.withdrawn_at:
        return "off", _t("Withdrawn")
    if batch.count and batch.debited == batch.count:
        return "good", _t("Debited by the bank")
    if batch.debited:
        return "wait", _t("Partly debited")
    if batch.sent_at:
        return "wait", _t("Sent, not debited yet")
    return "warn", _t("To send to the bank")


class BatchList(ListPage):
    """Every payment of owners, the latest first."""

    resource = "owner_account"
    title = _("Payments to owners")
    default_sort = "-on"
    export_name = "virements-proprietaires"
    empty_text = _("No payment yet: make the owners' month, then pay.")
    columns = [
        ListColumn("on", _("Day of payment"), kind="date", sort="on"),
        ListColumn("reference", _("File"), "message_id"),
        ListColumn("bank", _("Bank account"), "bank.name"),
        ListColumn("state", _("State"), batch_state, kind="state"),
        ListColumn("count", _("Transfers"), kind="int"),
        ListColumn("debited", _("Debited"), kind="int"),
        ListColumn("total", _("Total"), kind="euros"),
    ]

    def get_queryset(self):
        return PayoutBatch.objects.with_totals().select_related("bank")

    def row_url(self, batch):
        return reverse("payout-batch", args=[batch.pk])

    def urgent(self, batch):
        return not batch.sent_at and not batch.withdrawn_at and batch.on <= today()

    def actions(self):
        return [Action(_t("Pay owners"), reverse("payouts-new"), primary=True)] if self.may("change") else []

    def breadcrumb(self):
        return trail({"label": self.title})


class PayForm(forms.Form):
    on = forms.DateField(label=_("Day of payment"))
    client_bank = forms.ModelChoiceField(
        label=_("Rents collected are paid from"), queryset=BankAccount.objects.none(), empty_label=None
    )
    own_bank = forms.ModelChoiceField(
        label=_("Head rents are paid from"), queryset=BankAccount.objects.none(), empty_label=None
    )
    version = forms.ChoiceField(
        label=_("File for the bank"), choices=[(v, f"pain.001.001.{v}") for v in VERSIONS]
    )
    expected = EuroFormField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        ours = BankAccount.objects.filter(book=association_book_id()).order_by("name")
        self.fields["client_bank"].queryset = self.fields["own_bank"].queryset = ours


class PayOwners(ActionPage):
    """What each owner is due and from where; then the orders, one a bank account."""

    resource = "owner_account"
    form_class = PayForm
    title = _("Pay owners")
    intro = _("By the statements of the month before: what is held for each, and head rents that are owed.")
    submit_label = _("See what is due")
    confirm_label = _("Make the payments")

    @property
    def cancel_url(self):
        return reverse("owner-statements")

    def get_initial(self):
        client, own = paying_banks()
        return {
            "on": today(),
            "client_bank": client[0] if client else None,
            "own_bank": own[0] if own else None,
            "version": VERSIONS[0],
        }

    def preview(self, form):
        said = form.cleaned_data
        seen = preview_payouts(said["on"], client_bank=said["client_bank"], own_bank=said["own_bank"])
        # What is confirmed is what was seen: another total is refused.
        form.data = form.data.copy()
        form.data["expected"] = str(seen.total.amount)
        audit.record_read(self.request.user, "owner_account", sorted({one.owner.pk for one in seen.due}))
        warning = "" if seen.due else _t("Nobody is due anything that can be paid: see why beneath.")
        return Preview(template="leases/_payout_preview.html", context={"seen": seen}, warning=warning)

    def act(self, form):
        said = form.cleaned_data
        return commit_payouts(
            said["on"],
            client_bank=said["client_bank"],
            own_bank=said["own_bank"],
            expected=said["expected"],
            version=said["version"],
            by=self.request.user,
            now=timezone.now(),
        )

    def done(self, batches, form):
        if len(batches) == 1:
            return redirect("payout-batch", batches[0].pk)
        return redirect("payouts")

    def breadcrumb(self):
        return trail({"label": self.title})


def payout_state(payout):
    """What became of one transfer: how grave, and in words."""
    state, _on, _movement = payout.told or ("", None, None)
    if state == "returned":
        return "bad", _t("Returned by the bank: due again")
    if state == "debited":
        return "good", _t("Debited")
    return "wait", _t("Not debited yet")


class BatchPage(ListPage):
    """One batch: its file, what was done with it, and each transfer."""

    resource = "owner_account"
    template_name = "leases/payout_batch.html"
    filterset_class = PayoutFilter
    default_sort = "owner"
    export_name = "virements"
    columns = [
        ListColumn(
            "owner",
            _("Owner"),
            "owner.name",
            sort="owner__name",
            link=lambda one: reverse("owner-account", args=[one.owner_id]),
            sub="owner.reference",
        ),
        ListColumn("kind", _("For"), "get_kind_display"),
        ListColumn("iban", _("IBAN"), kind="iban"),
        ListColumn("end_to_end", _("Reference")),
        ListColumn("amount", _("Amount"), kind="euros", sort="amount"),
        ListColumn(
            "state",
            _("State"),
            payout_state,
            kind="state",
            link=lambda one: reverse("movement", args=[one.told[2]]) if one.told else "",
        ),
    ]

    @cached_property
    def batch(self):
        return get_object_or_404(
            PayoutBatch.objects.with_totals().select_related("bank"), pk=self.kwargs["pk"]
        )

    @property
    def title(self):
        return _t("Payment %(file)s") % {"file": self.batch.message_id}

    def get_queryset(self):
        return Payout.objects.filter(batch=self.batch).select_related("owner")

    def complete(self, payouts):
        states = payout_states(self.batch)
        for one in payouts:
            one.told = states.get(one.end_to_end)

    def was_read(self, payouts, *, export):
        audit.record_read(self.request.user, "owner_account", sorted({one.owner_id for one in payouts}))

    def totals(self, rows):
        return rows.aggregate(amount=Sum("amount"))

    def actions(self):
        batch, pk = self.batch, self.batch.pk
        if batch.withdrawn_at or not self.may("change"):
            return []
        found = [
            Action(_t("Download the file"), reverse("payout-file", args=[pk]), not batch.sent_at, "download")
        ]
        if not batch.sent_at:
            found.append(Action(_t("It was sent to the bank"), reverse("payout-sent", args=[pk])))
        if not batch.debited:
            found.append(Action(_t("Withdraw"), reverse("payout-withdraw", args=[pk])))
        return found

    def get_context_data(self, **kwargs):
        return super().get_context_data(batch=self.batch, state=batch_state(self.batch), **kwargs)

    def breadcrumb(self):
        payments = {"label": _("Payments to owners"), "url": reverse("payouts")}
        return trail(payments, {"label": self.batch.message_id})


class BatchFile(Guarded, View):
    """The batch as a file for the bank."""

    resource, action = "owner_account", "change"
    http_method_names = ["get", "head", "options"]

    def get(self, request, pk):
        batch = get_object_or_404(PayoutBatch.objects.select_related("bank__book__owner"), pk=pk)
        if batch.withdrawn_at:
            return redirect("payout-batch", pk)
        data = payout_file(batch)
        audit.record(request.user, "export", "owner_account", batch.pk, file=file_name(batch))
        return HttpResponse(
            data,
            content_type="application/xml",
            headers={"Content-Disposition": f'attachment; filename="{file_name(batch)}"'},
        )


class BatchAct(ActionPage):
    """Something done to one batch."""

    resource = "owner_account"
    form_class = forms.Form

    @cached_property
    def batch(self):
        return get_object_or_404(
            PayoutBatch.objects.with_totals().select_related("bank"), pk=self.kwargs["pk"]
        )

    @property
    def intro(self):
        return f"{self.batch.message_id} · {self.batch.bank.name}"

    @property
    def cancel_url(self):
        return reverse("payout-batch", args=[self.batch.pk])

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return trail(
            {"label": _("Payments to owners"), "url": reverse("payouts")},
            {"label": self.batch.message_id, "url": self.cancel_url},
            {"label": self.title},
        )


class MarkSent(BatchAct):
    title = _("The file was sent to the bank")
    submit_label = _("It was sent")
    done_text = _("Its transfers are recognised on the statement by their reference.")

    def act(self, form):
        return mark_sent(self.batch, by=self.request.user, now=timezone.now())


class WithdrawForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=200,
        help_text=_("Needed once the file was sent: the bank must have refused it."),
    )


class Withdraw(BatchAct):
    form_class = WithdrawForm
    title = _("Withdraw the payment")
    submit_label = _("Withdraw")
    danger = True
    done_text = _("The payment is withdrawn: its owners are due again.")

    def act(self, form):
        return withdraw(
            self.batch, reason=form.cleaned_data["reason"], by=self.request.user, now=timezone.now()
        )


class OwnerLineForm(forms.Form):
    payout = forms.ModelChoiceField(
        label=_("It is the debit of"),
        queryset=Payout.objects.none(),
        required=False,
        empty_label=_("None of these"),
    )
    owner = forms.ModelChoiceField(
        label=_("Money that an owner sent"),
        queryset=Owner.objects.none(),
        required=False,
        empty_label=_("No owner"),
        help_text=_("Put to the owner's account, for works and the like."),
    )

    def __init__(self, *args, line, **kwargs):
        super().__init__(*args, **kwargs)
        if line.left < euros(0):
            self.fields["payout"].queryset = debits_like(line.movement.bank, -line.left)
            self.fields["payout"].label_from_instance = lambda one: f"{one.owner.name} · {one.end_to_end}"
            del self.fields["owner"]
        else:
            del self.fields["payout"]
            mandants = Owner.objects.filter(holdings__title__in=OWNERS_BOOK_TITLES)
            self.fields["owner"].queryset = mandants.distinct().order_by("name")

    def clean(self):
        said = super().clean()
        if not any(said.values()):
            raise forms.ValidationError(_("Choose whose it is."))
        return said


class OwnerLine(ActionPage):
    """A line to identify that concerns an owner: our payment, or money that the owner sent."""

    resource, action = "suspense", "settle"
    form_class = OwnerLineForm
    title = _("A line of an owner's account")
    done_text = _("The line is put to the owner's account.")

    @cached_property
    def line(self):
        there = Allocation.objects.in_suspense().select_related("movement__bank")
        return get_object_or_404(there, pk=self.kwargs["pk"])

    @property
    def intro(self):
        return f"{euros_text(self.line.left)} · {self.line.movement.label}"

    @property
    def cancel_url(self):
        return reverse("suspense-line", args=[self.line.pk])

    def get_success_url(self):
        return reverse("suspense")

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"line": self.line}

    def act(self, form):
        said = {"by": self.request.user, "on": max(today(), self.line.movement.booked), "now": timezone.now()}
        if payout := form.cleaned_data.get("payout"):
            return put_to_payout(self.line, payout, **said)
        return take_contribution(self.line, form.cleaned_data["owner"], amount=self.line.left, **said)

    def breadcrumb(self):
        return [{"label": _("Suspense"), "url": reverse("suspense")}, {"label": self.title}]
