"""The direct-debit mandate of a lease: signed, amended, suspended, ended; the day the tenant chose."""

from django import forms
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.law import rule
from core.pages import Action, ActionPage, Page, Preview
from core.periods import ONE_DAY, next_month
from core.templatetags.gla import iban_text
from core.today import today
from leases import intake
from leases.bank_accounts import BankAccount, collect_by_debit
from leases.collecting.debits import Debit, debit_state, used_on
from leases.collecting.mandate_file import MANDATE_COLUMNS
from leases.collecting.mandates import (
    BLOCKS,
    RETURN_CODES,
    Mandate,
    amend_mandate,
    block_mandate,
    choose_debit_day,
    debit_days,
    end_mandate,
    lapses_on,
    sign_mandate,
    state_of,
    unblock_mandate,
)
from leases.views.lease_actions import LeaseForm
from leases.views.leases import the_lease
from portfolio.views.imports import ImportPage, TemplateFile

LATEST = 24


class LeaseMandates(Page):
    """The mandate of a lease and what was debited by it."""

    resource = "mandate"
    template_name = "leases/mandates.html"
    title = _("Direct debit")

    @cached_property
    def lease(self):
        return the_lease(self.kwargs["pk"])

    def get_context_data(self, **kwargs):
        lease, day = self.lease, today()
        found = list(
            Mandate.objects.filter(lease=lease)
            .with_block(day)
            .select_related("creditor")
            .prefetch_related("amendments__by", "blocks")
            .order_by("-signed_on", "-pk")
        )
        used = used_on([one.pk for one in found])
        for one in found:
            one.state = state_of(one, day, used_on=used.get(one.pk))
            one.last = max((d for d in (one.last_used_on, used.get(one.pk)) if d), default=None)
            one.lapses = lapses_on(one.signed_on, one.last_used_on, used.get(one.pk), on=day)
        current = next((one for one in found if one.end is None), None)
        debits = list(
            Debit.objects.filter(lease=lease)
            .select_related("batch", "credit", "returned")
            .defer("batch__content")
            .order_by("-batch__collected_on", "-pk")[:LATEST]
        )
        for debit in debits:
            debit.state = debit_state(debit)
        audit.record_read(self.request.user, "mandate", [one.pk for one in found] or lease.pk)
        return super().get_context_data(
            lease=lease,
            mandate=current,
            ended=[one for one in found if one.end is not None],
            day=debit_days([lease.pk], day).get(lease.pk),
            offered=current.creditor.debit_days if current else [],
            notice=rule("SEPA_PRENOTICE", on=day).value,
            forbidden=rule("FORBIDDEN", on=day).legal_ref,
            debits=debits,
            sees_debits=self.may("view", "debit"),
            actions=self.mandate_actions(current),
            **kwargs,
        )

    def mandate_actions(self, current):
        if not self.may("change"):
            return []
        pk = self.lease.pk
        if current is None:
            words = _("Record a signed mandate")
            return [Action(words, reverse("mandate-sign", args=[pk]), primary=True, icon="plus")]
        suspended = (
            Action(_("Use it again"), reverse("mandate-unblock", args=[pk]))
            if current.block
            else Action(_("Suspend"), reverse("mandate-block", args=[pk]))
        )
        return [
            Action(_("Amend the mandate"), reverse("mandate-amend", args=[pk]), primary=True, icon="edit"),
            Action(_("Change the day of debit"), reverse("mandate-day", args=[pk])),
            suspended,
            Action(_("End the mandate"), reverse("mandate-end", args=[pk])),
        ]

    def breadcrumb(self):
        return [
            {"label": _("Leases"), "url": reverse("leases")},
            {"label": self.lease.reference, "url": reverse("lease", args=[self.lease.pk])},
            {"label": self.title},
        ]


class MandateAction(ActionPage):
    """An act on the mandate of a lease; back to its page afterwards."""

    resource = "mandate"

    @cached_property
    def lease(self):
        return the_lease(self.kwargs["pk"])

    @cached_property
    def mandate(self):
        found = Mandate.objects.filter(end=None).select_related("creditor", "lease")
        return get_object_or_404(found, lease=self.lease.pk)

    @property
    def intro(self):
        return f"{self.lease.reference} · {self.lease.name}"

    @property
    def cancel_url(self):
        return reverse("lease-mandates", args=[self.lease.pk])

    def get_success_url(self):
        return self.cancel_url

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"lease": self.lease}

    def breadcrumb(self):
        return [
            {"label": _("Leases"), "url": reverse("leases")},
            {"label": self.lease.reference, "url": reverse("lease", args=[self.lease.pk])},
            {"label": _("Direct debit"), "url": self.cancel_url},
            {"label": self.title},
        ]


class SignForm(LeaseForm):
    iban = forms.CharField(
        label=_("IBAN"), max_length=42, help_text=_("The account to debit, as on the RIB.")
    )
    holder = forms.CharField(label=_("Account holder"), max_length=70)
    signed_on = forms.DateField(label=_("Signed on"))
    creditor = forms.ModelChoiceField(
        label=_("Collected to"), queryset=BankAccount.objects.none(), empty_label=None
    )
    rum = forms.CharField(
        label=_("Mandate reference (RUM)"),
        max_length=35,
        required=False,
        help_text=_("Blank: one is made from the payment reference."),
    )
    sequence = forms.ChoiceField(label=_("Kind of mandate"), choices=Mandate.Sequence.choices)
    notice_days = forms.IntegerField(
        label=_("Days of notice agreed"),
        min_value=0,
        max_value=14,
        required=False,
        help_text=_("Blank: the notice of the rule, 14 days. The rent notice counts as notice."),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["creditor"].queryset = BankAccount.objects.exclude(creditor_id="").order_by("name")


class SignMandate(MandateAction):
    """A mandate signed on paper is recorded."""

    title = _("Record a signed mandate")
    form_class = SignForm
    submit_label = _("Record the mandate")
    done_text = _("The mandate is recorded: the lease is in the next batch of debits.")

    def get_initial(self):
        known = self.lease.payer_ibans.order_by("-since").first()
        return {
            "holder": self.lease.name,
            "iban": known.iban if known else "",
            "signed_on": today(),
            "rum": self.lease.debit_mandate,
        }

    def act(self, form):
        return sign_mandate(self.lease, **form.cleaned_data, by=self.request.user)


class AmendForm(LeaseForm):
    iban = forms.CharField(label=_("IBAN"), max_length=42, required=False)
    holder = forms.CharField(label=_("Account holder"), max_length=70, required=False)
    rum = forms.CharField(label=_("Mandate reference (RUM)"), max_length=35, required=False)


class AmendMandate(MandateAction):
    """A new account, holder or reference."""

    title = _("Amend the mandate")
    form_class = AmendForm
    submit_label = _("Record the change")
    done_text = _("The change is recorded; the next debit tells the bank.")

    def get_initial(self):
        one = self.mandate
        return {"iban": one.iban, "holder": one.holder, "rum": one.rum}

    def act(self, form):
        return amend_mandate(self.mandate, **form.cleaned_data, on=today(), by=self.request.user)


class DayForm(LeaseForm):
    day = forms.TypedChoiceField(label=_("Day of debit"), coerce=int)
    since = forms.DateField(label=_("From"))

    def __init__(self, *args, offered, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["day"].choices = [(day, str(day)) for day in offered]


class ChooseDay(MandateAction):
    """The tenant chooses the day of the month, among those offered."""

    title = _("Change the day of debit")
    form_class = DayForm
    submit_label = _("Record the day")
    done_text = _("The day of debit is recorded.")

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"offered": self.mandate.creditor.debit_days}

    def get_initial(self):
        day = debit_days([self.lease.pk], today()).get(self.lease.pk)
        return {"day": day or self.mandate.creditor.debit_days[0], "since": next_month(today())}

    def act(self, form):
        return choose_debit_day(self.lease, **form.cleaned_data, by=self.request.user)


class BlockForm(LeaseForm):
    reason = forms.ChoiceField(
        label=_("Reason"),
        choices=[(code, words) for code, words in BLOCKS.items() if code not in RETURN_CODES],
    )
    on = forms.DateField(label=_("From"))


class BlockMandate(MandateAction):
    """The mandate is not used for a time."""

    title = _("Suspend the mandate")
    form_class = BlockForm
    submit_label = _("Suspend")
    done_text = _("The mandate is suspended: no batch uses it until you say so.")

    def get_initial(self):
        return {"on": today()}

    def act(self, form):
        return block_mandate(self.mandate, **form.cleaned_data, by=self.request.user)


class UnblockMandate(MandateAction):
    """A suspended mandate is used again."""

    title = _("Use the mandate again")
    form_class = LeaseForm
    submit_label = _("Use it again")
    done_text = _("The mandate is used again with the next batch.")

    def act(self, form):
        return unblock_mandate(self.mandate, on=today(), by=self.request.user)


class EndMandateForm(LeaseForm):
    reason = forms.ChoiceField(label=_("Reason"), choices=Mandate.EndReason.choices)
    last_day = forms.DateField(label=_("Last day"), help_text=_("No debit after this day."))


class EndMandate(MandateAction):
    """The tenant stops, leaves, or signs another."""

    title = _("End the mandate")
    form_class = EndMandateForm
    submit_label = _("Check")
    confirm_label = _("End the mandate")
    danger = True
    done_text = _("The mandate is ended.")

    def get_initial(self):
        return {"last_day": today()}

    def preview(self, form):
        waiting = Debit.objects.waiting().filter(mandate=self.mandate, batch__sent_on=None).count()
        return Preview(
            lines=[
                (_("Mandate reference (RUM)"), self.mandate.rum),
                (_("Reason"), Mandate.EndReason(form.cleaned_data["reason"]).label),
                (_("Last day"), form.cleaned_data["last_day"]),
            ],
            warning=_t("A batch not sent yet holds a debit of this mandate: withdraw it and make it again.")
            if waiting
            else "",
        )

    def act(self, form):
        said = form.cleaned_data
        return end_mandate(
            self.mandate, on=said["last_day"] + ONE_DAY, reason=said["reason"], by=self.request.user
        )


# ---- the accounts that collect, mandates from a file ------------------------------------


class CreditorForm(forms.Form):
    creditor_id = forms.CharField(
        label=_("Creditor identifier (ICS)"), max_length=42, help_text=_("Such as FR12ZZZ123456.")
    )
    creditor = forms.CharField(
        label=_("Creditor's name"),
        max_length=70,
        help_text=_("As the tenant reads it on the bank statement."),
    )
    days = forms.CharField(
        label=_("Days of debit offered"),
        help_text=_("Days of the month, from 1 to 28, such as 5, 10."),
    )
    version = forms.ChoiceField(
        label=_("File for the bank"),
        choices=BankAccount.DebitFormat.choices,
        help_text=_("Version 08, unless the bank still wants 02."),
    )

    def clean_days(self):
        words = self.cleaned_data["days"].replace(";", ",").replace(" ", ",").split(",")
        if not all(word.isdigit() for word in words if word):
            raise forms.ValidationError(_("Write days such as 5, 10."))
        return [int(word) for word in words if word]


class CollectByDebit(ActionPage):
    """An account collects direct debits under an ICS."""

    resource = "mandate"
    title = _("Direct debits of an account")
    form_class = CreditorForm
    submit_label = _("Record")
    done_text = _("Direct debits can be collected to this account.")

    @cached_property
    def account(self):
        return get_object_or_404(BankAccount, pk=self.kwargs["pk"])

    @property
    def intro(self):
        return f"{self.account.name} · {iban_text(self.account.iban)}"

    @property
    def cancel_url(self):
        return reverse("bank-accounts")

    def get_success_url(self):
        return self.cancel_url

    def get_initial(self):
        one = self.account
        return {
            "creditor_id": one.creditor_id,
            "creditor": one.creditor or str(one.book),
            "days": ", ".join(map(str, one.debit_days)) or "5, 10",
            "version": one.debit_format,
        }

    def act(self, form):
        return collect_by_debit(self.account, **form.cleaned_data, by=self.request.user)

    def breadcrumb(self):
        return [
            {"label": _("Direct debits"), "url": reverse("debits")},
            {"label": _("Bank accounts"), "url": self.cancel_url},
            {"label": self.title},
        ]


class ImportMandates(ImportPage):
    resource = "mandate"
    title = _("Import mandates")
    intro = _("One line per mandate signed; the same file again changes nothing.")
    columns = MANDATE_COLUMNS
    job_kind = intake.mandates_file.kind
    template_url = "import-mandates-template"


class MandatesTemplate(TemplateFile):
    resource = "mandate"
    columns = MANDATE_COLUMNS
    name = "mandats"
