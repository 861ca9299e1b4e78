"""A departure step by step: notice, survey, keys, repairs, final account, money given back."""

import django_filters
from django import forms
from django.db.models import Exists, OuterRef
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views import View

from core import access, audit
from core.law import UNITS
from core.money import EuroFormField
from core.pages import Action, ActionPage, Guarded, ListColumn, ListPage, Page, Preview
from core.periods import ONE_DAY
from core.templatetags.gla import day_text, euros_text
from core.today import today
from leases.filters import LeaseText
from leases.households import head_name, with_head
from leases.kinds import KINDS
from leases.lease import Lease
from leases.occupancy import last_occupancies
from leases.tenancy import departure, deposits, notices, steps
from leases.tenancy.departure import FinalAccount
from leases.tenancy.deposits import Deduction, DeductionProof, Deposit
from leases.tenancy.inspections import EXIT, Inspection
from leases.tenancy.notices import CAUSES, GROUNDS, OCCUPANT
from leases.tenancy.wear import CATEGORIES
from leases.views.lease_actions import LeaseAction, LeaseForm
from leases.views.leases import the_lease

STEP_STATES = {
    steps.DONE: ("good", _("Done")),
    steps.NEXT: ("info", _("To do")),
    steps.LATE: ("bad", _("Late")),
    steps.LATER: ("off", _("Later")),
}


# ---- the list -----------------------------------------------------------------------------


class DepartureFilter(django_filters.FilterSet):
    """Leases that end, by a name, an address or a reference."""

    q = LeaseText(hint=_("Name, address, reference"))

    class Meta:
        model = Lease
        fields = ["q"]


class DepartureList(ListPage):
    """Who leaves or has left, and what is still to do; settled departures are left out."""

    resource = "lease"
    title = _("Departures")
    subtitle = _("From the notice to the deposit given back.")
    filterset_class = DepartureFilter
    default_sort = "-last_day"
    export_name = "departs"
    empty_text = _("Nobody is leaving.")
    columns = [
        ListColumn("household", _("Household"), "name", sub="reference"),
        ListColumn("home", _("Home"), "stay.place.reference"),
        ListColumn("kind", _("Contract"), "get_kind_display"),
        ListColumn("reason", _("Reason"), "get_end_reason_display"),
        ListColumn(
            "last_day", _("Last day"), lambda le: le.end and le.end - ONE_DAY, kind="date", sort="end"
        ),
        ListColumn("keys", _("Keys returned on"), "keys_on", kind="date"),
        ListColumn("state", _("Next step"), kind="state"),
    ]

    def get_queryset(self):
        made = FinalAccount.objects.filter(lease=OuterRef("pk"), undone_on=None)
        rows = Lease.objects.filter(end__isnull=False).exclude(Exists(made))
        return with_head(rows.select_related("household"), "household", today())

    def complete(self, leases):
        ids, day = [lease.pk for lease in leases], today()
        stays = last_occupancies(ids, day)
        signed = set(
            Inspection.objects.filter(
                occupancy__lease__in=ids, kind=EXIT, signed_at__isnull=False
            ).values_list("occupancy", flat=True)
        )
        for lease in leases:
            lease.name, lease.stay = head_name(lease), stays.get(lease.pk)
            lease.keys_on = departure.keys_day(lease.stay, day)
            lease.state = self.next_step(lease, lease.stay, signed, day)

    def next_step(self, lease, stay, signed, day):
        if stay is None:
            return "off", _t("No home")
        if lease.keys_on:
            return "info", _t("Final account")
        if stay.pk in signed:
            return "wait", _t("Return of the keys")
        return ("bad" if lease.end <= day else "wait"), _t("Exit survey and keys")

    def row_url(self, lease):
        return reverse("lease-departure", args=[lease.pk])

    def actions(self):
        offered = [
            ("deposit", "deposits", _("Deposits to return")),
            ("deposit", "tenant-transfers", _("Transfers to tenants")),
            ("stay", "stays", _("Temporary stays")),
            ("wear", "wear", _("Wear table")),
        ]
        return [
            Action(label, reverse(name)) for resource, name, label in offered if self.may("view", resource)
        ]

    def was_read(self, leases, *, export):
        audit.record_read(self.request.user, "lease", [lease.pk for lease in leases])


# ---- the page of one ------------------------------------------------------------------------


class DeparturePage(Page):
    """What is done, what is next, by when, and what it comes to."""

    resource = "lease"
    template_name = "leases/departure.html"
    title = _("Departure")

    def get_context_data(self, **kwargs):
        self.lease = lease = the_lease(self.kwargs["pk"])
        audit.record_read(self.request.user, "lease", lease.pk)
        day, facts = today(), steps.departure_facts(lease, today())
        told = steps.steps(facts, day)
        context = super().get_context_data(
            lease=lease,
            facts=facts,
            day=day,
            steps=[(one, STEP_STATES[one.state], self.links(one, facts)) for one in told],
            money=None,
            **kwargs,
        )
        if self.may("view", "deposit"):
            context |= self.money(facts, day)
        return context

    def links(self, step, facts):
        """What to open for a step: (label, url), as far as the reader may."""
        pk, found = self.lease.pk, []
        survey = facts.survey
        if step.code == "notice" and self.may("change"):
            if not facts.lease.end:
                found = [(_("Record a notice"), "lease-notice"), (_("Another end"), "lease-end")]
            elif not facts.keys_on:
                found = [(_("Withdraw"), "lease-notice-withdraw")]
        if step.code == "survey" and self.may("view", "inspection"):
            if survey:
                links = [(_("Open the survey"), reverse("inspection", args=[survey.pk]))]
                if survey.signed:
                    links.append(
                        (_("Compare with the entry"), reverse("inspection-compare", args=[survey.pk]))
                    )
                return links
            if facts.stay and self.may("change", "inspection"):
                return [(_("Begin the exit survey"), reverse("inspection-open", args=[pk, EXIT]))]
        if step.code == "keys" and not facts.keys_on and facts.stay and self.may("change"):
            found = [(_("Keys returned"), "lease-keys")]
        if self.may("change", "deposit"):
            if step.code == "repairs" and not facts.final and facts.lease.end:
                found = [(_("Add a deduction"), "deduction-add")]
            if step.code == "final" and not facts.final and facts.keys_on:
                found = [(_("Make the final account"), "lease-final")]
            if step.code == "return" and facts.transfer and not facts.transfer.sent_on:
                return [(_("Transfers to tenants"), reverse("tenant-transfers"))]
        return [(label, reverse(name, args=[pk])) for label, name in found]

    def money(self, facts, day):
        """What the departure comes to, as it stands."""
        lease = self.lease
        [row] = departure.to_return(day, leases=[lease.pk]) or [None]
        final = facts.final
        return {
            "money": True,
            "given": Deposit.objects.filter(lease=lease).first(),
            "ceiling": deposits.ceiling(lease),
            "waiting": row,
            "deductions": list(lease.deductions.select_related("final").order_by("pk")),
            "with_document": set(
                DeductionProof.objects.filter(deduction__lease=lease).values_list("deduction", flat=True)
            ),
            "settlement": steps.settlement_facts(final) if final else None,
            "may_settle": self.may("change", "deposit"),
            "may_write": self.may("run", "document"),
            "iban": departure.account_to_pay(lease) if "iban" in access.visible(
                self.request.user, "lease_money") else "",
        }  # fmt: skip

    def breadcrumb(self):
        return [
            {"label": _("Leases"), "url": reverse("leases")},
            {"label": self.lease.reference, "url": reverse("lease", args=[self.lease.pk])},
            {"label": _("Departure")},
        ]


class DepartureAction(LeaseAction):
    """A step of a departure; back to its page afterwards."""

    @property
    def cancel_url(self):
        return reverse("lease-departure", args=[self.lease.pk])

    def breadcrumb(self):
        return [
            {"label": self.lease.reference, "url": reverse("lease", args=[self.lease.pk])},
            {"label": _("Departure"), "url": self.cancel_url},
            {"label": self.title},
        ]


# ---- notice -------------------------------------------------------------------------------


class NoticeForm(LeaseForm):
    by_side = forms.ChoiceField(label=_("Given by"), choices=notices.Departure.Side.choices)
    received_on = forms.DateField(
        label=_("Received on"), help_text=_("The letter received, the act served, or the hand delivery.")
    )
    ground = forms.ChoiceField(
        label=_("Ground of a reduced notice"),
        choices=[("", _("None")), *GROUNDS.items()],
        required=False,
        help_text=_("Only if it is written in the notice."),
    )
    proved = forms.BooleanField(label=_("The proof came with the notice"), required=False)
    cause = forms.ChoiceField(
        label=_("Cause, for a notice of a residence"), choices=[("", "–"), *CAUSES.items()], required=False
    )
    last_day = forms.DateField(
        label=_("Last day"), required=False, help_text=_("Left empty: the last day of the legal notice.")
    )
    agreed = forms.BooleanField(label=_("Both sides agree to an earlier day"), required=False)
    note = forms.CharField(label=_("Note"), required=False, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        kind = KINDS[self.lease.kind]
        if kind.notice_reduced is None:
            del self.fields["ground"], self.fields["proved"]
        if kind.duration != "FOYER_DURATION":
            del self.fields["cause"]


class GiveNotice(DepartureAction):
    """Who gives notice, received when, on which ground: the last day follows from the contract."""

    title = _("Record a notice")
    form_class = NoticeForm
    submit_label = _("Check")
    confirm_label = _("Record the notice")
    done_text = _("The notice is recorded and the lease ends with it.")

    @cached_property
    def tight(self):
        return bool(self.stay and notices.in_tight_zone(self.stay.place.unit, today()))

    def get_initial(self):
        found = {"by_side": OCCUPANT, "received_on": today()}
        # The zone needs no proof: the address is in the notice.
        return found | ({"ground": "tight_zone", "proved": True} if self.tight else {})

    def preview(self, form):
        told = {name: value for name, value in form.cleaned_data.items() if name in ASKED}
        term = notices.notice_term(self.lease, received=form.cleaned_data["received_on"], **told)
        shown = [(_("Received on"), form.cleaned_data["received_on"])]
        if told.get("ground"):
            shown.append((_("Ground"), GROUNDS[told["ground"]]))
        if term.rule:
            words = f"{term.rule.value} {UNITS[term.rule.unit]} ({term.rule.legal_ref})"
            shown.append((_("Notice of this contract"), words))
        if term.last_day:
            shown.append((_("Last day of the legal notice"), term.last_day))
        chosen = form.cleaned_data["last_day"] or term.last_day
        if chosen:
            shown.append((_("Last day of the lease"), chosen))
        warning = term.why
        if form.cleaned_data["by_side"] == OCCUPANT and chosen and not warning:
            warning = _t("Rent is due to that day, even if the keys come back earlier.")
        return Preview(lines=shown, warning=warning)

    def act(self, form):
        return notices.give_notice(self.lease, **form.cleaned_data, by=self.request.user, now=timezone.now())


ASKED = ("by_side", "ground", "proved", "cause")


class WithdrawNotice(DepartureAction):
    """The end recorded is taken back; the lease runs on."""

    title = _("Withdraw the end of the lease")
    form_class = LeaseForm
    submit_label = _("Withdraw")
    danger = True
    done_text = _("The lease runs on; the next rent run settles what it changes.")

    def act(self, form):
        return notices.withdraw_notice(self.lease, by=self.request.user, now=timezone.now())


class AddressForm(LeaseForm):
    new_address = forms.CharField(
        label=_("New address"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Without it, a late return of the deposit costs nothing (law of 1989, art. 22)."),
    )
    iban = forms.CharField(
        label=_("Account to pay into (IBAN)"),
        required=False,
        max_length=42,
        help_text=_("Left empty: the account the rent was paid from."),
    )

    def clean_iban(self):
        from schwifty import IBAN
        from schwifty.exceptions import SchwiftyException

        text = self.cleaned_data["iban"].replace(" ", "").upper()
        try:
            return str(IBAN(text)) if text else ""
        except SchwiftyException:
            raise forms.ValidationError(_("This is no IBAN: check its characters.")) from None


class RecordAddress(DepartureAction):
    """Where the tenant goes, and where to pay."""

    title = _("New address and account")
    resource = "lease_money"
    form_class = AddressForm
    done_text = _("The new address is recorded.")

    def get_initial(self):
        told = notices.Departure.objects.filter(lease=self.lease).first()
        return {"new_address": told.new_address, "iban": told.iban} if told else {}

    def act(self, form):
        return notices.record_address(self.lease, **form.cleaned_data, by=self.request.user)


# ---- deductions -----------------------------------------------------------------------------


class DeductionForm(LeaseForm):
    nature = forms.ChoiceField(label=_("Nature"), choices=Deduction.Nature.choices)
    label = forms.CharField(label=_("What"), max_length=100)
    category = forms.ChoiceField(
        label=_("Wears as"),
        choices=[("", _("Does not wear (cleaning, a lost key)")), *CATEGORIES.items()],
        required=False,
    )
    new_since = forms.DateField(
        label=_("New since"), required=False, help_text=_("Left empty: the first day of the lease.")
    )
    cost = EuroFormField(label=_("Cost"), min_value=0)
    proof = forms.ChoiceField(
        label=_("Proof"), choices=[("", _("To come")), *Deduction.Proof.choices], required=False
    )
    proof_reference = forms.CharField(label=_("Reference of the proof"), max_length=80, required=False)
    document = forms.FileField(label=_("Document"), required=False, help_text=_("A PDF or a picture."))


class AddDeduction(DepartureAction):
    """Something to keep, with its proof: what wear leaves of the cost is worked out."""

    resource = "deposit"
    title = _("Add a deduction")
    form_class = DeductionForm
    submit_label = _("Add")

    def get_initial(self):
        asked = self.request.GET
        return {name: asked.get(name, "") for name in ("label", "category", "new_since")}

    def act(self, form):
        told = dict(form.cleaned_data)
        document = told.pop("document")
        survey = Inspection.objects.filter(occupancy=self.stay, kind=EXIT).first() if self.stay else None
        on = survey.on if survey else departure.keys_day(self.stay, today()) or today()
        made = deposits.add_deduction(
            self.lease,
            **told,
            on=on,
            document=(document.name, document.read()) if document else None,
            by=self.request.user,
        )
        self.done_text = _t("%(amount)s is charged: %(share)d %% of the cost after wear.") % {
            "amount": euros_text(made.amount),
            "share": made.share,
        }
        return made


class RemoveDeduction(ActionPage):
    """Drop a deduction that no account has posted."""

    resource = "deposit"
    title = _("Remove the deduction")
    form_class = forms.Form
    submit_label = _("Remove")
    danger = True

    @cached_property
    def deduction(self):
        return get_object_or_404(Deduction.objects.select_related("lease"), pk=self.kwargs["pk"])

    @property
    def intro(self):
        return f"{self.deduction.label} · {euros_text(self.deduction.amount)}"

    @property
    def cancel_url(self):
        return reverse("lease-departure", args=[self.deduction.lease_id])

    def get_success_url(self):
        return self.cancel_url

    def act(self, form):
        lease = self.deduction.lease_id
        deposits.remove_deduction(self.deduction, by=self.request.user)
        self.deduction.lease_id = lease


class ProofView(Guarded, View):
    """The invoice or quote of a deduction, as it was sent."""

    resource, action = "deposit", "view"

    def get(self, request, *args, **kwargs):
        kept = get_object_or_404(DeductionProof.objects.select_related("deduction"), deduction=kwargs["pk"])
        audit.record_read(request.user, "lease", kept.deduction.lease_id)
        return HttpResponse(
            bytes(kept.content),
            content_type=kept.media,
            headers={"Content-Disposition": "inline", "X-Content-Type-Options": "nosniff"},
        )


# ---- final account ----------------------------------------------------------------------------


class FinalForm(LeaseForm):
    on = forms.DateField(label=_("Date"))
    keep = EuroFormField(
        label=_("Kept until the year's charges are settled"),
        required=False,
        min_value=0,
        help_text=_("Only in a building of several homes, at most a fifth of the deposit."),
    )


class MakeFinal(DepartureAction):
    """All that is owed on both sides, once: what is to pay, or to give back."""

    resource = "deposit"
    title = _("Final account")
    form_class = FinalForm
    submit_label = _("Check")
    confirm_label = _("Post the final account")
    done_text = _("The final account is posted.")

    def get_initial(self):
        return {"on": today()}

    def preview(self, form):
        shown = departure.preview_final_account(self.lease, **form.cleaned_data)
        return Preview(
            template="leases/_final_preview.html", context={"one": shown}, warning=" ".join(shown.warnings)
        )

    def act(self, form):
        return departure.close_account(
            self.lease, **form.cleaned_data, by=self.request.user, now=timezone.now()
        )


class UndoForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=100)


class UndoFinal(ActionPage):
    """Undo a final account by the opposite of all it posted."""

    resource = "deposit"
    title = _("Undo the final account")
    form_class = UndoForm
    submit_label = _("Check")
    confirm_label = _("Undo the final account")
    danger = True
    done_text = _("The final account is undone; it can be made anew.")

    @cached_property
    def final(self):
        return get_object_or_404(FinalAccount.objects.select_related("lease"), pk=self.kwargs["pk"])

    @property
    def cancel_url(self):
        return reverse("lease-departure", args=[self.final.lease_id])

    def get_success_url(self):
        return self.cancel_url

    def preview(self, form):
        one = self.final
        return Preview(
            lines=[
                (_("Lease"), one.lease.reference),
                (_("Made on"), day_text(one.on)),
                (_("Deposit held again"), one.given_back),
                (_("Repairs no longer charged"), one.repairs),
            ]
        )

    def act(self, form):
        return departure.undo_final_account(
            self.final,
            on=today(),
            reason=form.cleaned_data["reason"],
            by=self.request.user,
            now=timezone.now(),
        )
