"""What may be done to a lease from its page: each asks, shows what it will do, does it."""

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Max, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core.errors import Refusal
from core.law import UNITS, rule
from core.money import EuroFormField, euros
from core.pages import ActionPage, Preview
from core.periods import Period, first_of_month
from core.templatetags.gla import euros_text, month_text
from core.today import today
from leases.benefits import Benefit
from leases.kinds import KINDS
from leases.lease import Lease
from leases.lifecycle import change_benefit, change_term, end_lease, return_keys
from leases.occupancy import last_occupancies
from leases.rent import RentCall, reverse_calls
from leases.terms import AGREED_CHOICES, ITEM_CHOICES, RENT, RentTerm
from leases.views.leases import the_lease
from portfolio.labels import with_label
from portfolio.letting import freeze
from portfolio.models import Unit


class LeaseAction(ActionPage):
    """An act on one lease; back to its page afterwards."""

    resource = "lease"

    @cached_property
    def lease(self):
        return the_lease(self.kwargs["pk"])

    @cached_property
    def stay(self):
        return last_occupancies([self.lease.pk], today()).get(self.lease.pk)

    @property
    def intro(self):
        home = f" · {self.stay.place.unit.building}" if self.stay else ""
        return f"{self.lease.reference} · {self.lease.name}{home}"

    @property
    def cancel_url(self):
        return reverse("lease", args=[self.lease.pk])

    def get_success_url(self):
        return self.cancel_url

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"lease": self.lease}

    def breadcrumb(self):
        return [
            {"label": _("Leases"), "url": reverse("leases")},
            {"label": self.lease.reference, "url": self.cancel_url},
            {"label": self.title},
        ]


class LeaseForm(forms.Form):
    """A form about one lease."""

    def __init__(self, *args, lease, **kwargs):
        super().__init__(*args, **kwargs)
        self.lease = lease


# ---- end, keys --------------------------------------------------------------------------


class EndForm(LeaseForm):
    last_day = forms.DateField(
        label=_("Last day of the lease"), help_text=_("Rent is due to this day included.")
    )
    reason = forms.ChoiceField(label=_("Reason"), choices=Lease.EndReason.choices)


class EndLease(LeaseAction):
    """Notice, judgment, death or term: the title ends."""

    title = _("Notice or end of the lease")
    form_class = EndForm
    submit_label = _("Check")
    confirm_label = _("End the lease")
    done_text = _("The end of the lease is recorded; the next rent run settles what it changes.")

    def preview(self, form):
        last_day, reason = form.cleaned_data["last_day"], form.cleaned_data["reason"]
        month = Period.month(last_day)
        shown = [
            (_("Last day"), last_day),
            (_("Reason"), Lease.EndReason(reason).label),
            (
                _("Last month"),
                _t("%(month)s: %(days)s days of %(all)s")
                % {"month": month_text(last_day), "days": last_day.day, "all": month.days},
            ),
        ]
        if notice := notice_rule(self.lease, reason):
            shown.append((_("Notice of this contract"), notice))
        called = RentCall.objects.of([self.lease.pk]).aggregate(last=Max("month"))["last"]
        if called and called >= month.start:
            shown.append((_("Already called to"), month_text(called)))
        warning = ""
        if self.stay and self.stay.end is None:
            warning = _t(
                "The home stays occupied until the keys come back: an indemnity is called after that day."
            )
        return Preview(lines=shown, warning=warning)

    def act(self, form):
        return end_lease(self.lease, **form.cleaned_data, by=self.request.user, now=timezone.now())


def notice_rule(lease, reason):
    """The notice that the law gives for this contract, in words with its article; empty where the contract decides."""
    kind = KINDS[lease.kind]
    named = {
        Lease.EndReason.TENANT_NOTICE: kind.notice,
        Lease.EndReason.LANDLORD_NOTICE: kind.landlord_notice,
    }
    if not (rule_id := named.get(reason)):
        return ""
    try:
        found = rule(rule_id, on=today())
    except Refusal:
        # Scoped by what the page does not ask (a reduced notice, a kind of landlord): say nothing.
        return ""
    return f"{found.value} {UNITS[found.unit]} ({found.legal_ref})"


class KeysForm(LeaseForm):
    on = forms.DateField(label=_("Keys returned on"), help_text=_("The home is free the day after."))


class ReturnKeys(LeaseAction):
    """The keys come back: the home is free."""

    title = _("Return of the keys")
    form_class = KeysForm
    submit_label = _("Check")
    confirm_label = _("Record the return of the keys")
    done_text = _("The keys are back; the next rent run settles what it changes.")

    def get_initial(self):
        return {"on": today()}

    def preview(self, form):
        on, lease = form.cleaned_data["on"], self.lease
        shown = [(_("Keys returned on"), on)]
        if self.stay:
            shown.insert(0, (_("Home"), self.stay.place.reference))
        warning = ""
        if lease.end is None:
            warning = _t("The lease is not ended: record its end too, or its rent stops without a reason.")
        elif lease.end > on and lease.end_reason != Lease.EndReason.LANDLORD_NOTICE:
            warning = _t("The notice runs to its end: rent is due although the keys are back.")
        return Preview(lines=shown, warning=warning)

    def act(self, form):
        return return_keys(self.lease, on=form.cleaned_data["on"], by=self.request.user, now=timezone.now())


# ---- terms, benefit ---------------------------------------------------------------------


class TermForm(LeaseForm):
    item = forms.TypedChoiceField(label=_("Item"), choices=list(AGREED_CHOICES.items()), coerce=int)
    amount = EuroFormField(label=_("Amount a month"), min_value=0)
    since = forms.DateField(label=_("From"), help_text=_("The term before ends the day before."))


class ChangeTerm(LeaseAction):
    """A new amount for an item: a revision agreed, an amendment, a charge provision."""

    resource = "lease_money"
    title = _("New rent term")
    form_class = TermForm
    submit_label = _("Check")
    confirm_label = _("Record the new term")
    done_text = _("The new term is recorded; months already called are corrected by the next rent run.")

    def get_initial(self):
        return {"since": Period.month(today()).end}

    def preview(self, form):
        item, amount, since = (form.cleaned_data[name] for name in ("item", "amount", "since"))
        current = RentTerm.objects.on(since).filter(lease=self.lease, item=item).first()
        shown = [(_("Item"), ITEM_CHOICES[item])]
        if current:
            shown += [(_("Now"), current.amount), (_("Difference a month"), amount - current.amount)]
        shown += [(_("New amount a month"), amount), (_("From"), since)]
        return Preview(lines=shown, warning=self.warning(item, amount, since, current))

    def warning(self, item, amount, since, current):
        """What the law or the financing says against this rent; empty if nothing."""
        if item != RENT or self.stay is None:
            return ""
        unit = with_label(Unit.objects.filter(pk=self.stay.place.unit_id), since).get()
        if unit.rent_ceiling is not None and amount > unit.rent_ceiling:
            return _t("Above the ceiling of the home's financing, %(ceiling)s.") % {
                "ceiling": euros_text(unit.rent_ceiling)
            }
        frozen = KINDS[self.lease.kind].freeze_fg and freeze(
            unit.label, contract_date=self.lease.start, last_renewal=self.lease.last_renewed_on, on=since
        )
        if frozen and current and amount > current.amount:
            return f"{frozen.reason} ({frozen.legal_ref})"
        return ""

    def act(self, form):
        return change_term(self.lease, **form.cleaned_data, by=self.request.user, now=timezone.now())


class BenefitForm(LeaseForm):
    since = forms.DateField(label=_("First month concerned"), help_text=_("Any day of the month."))
    stops = forms.BooleanField(label=_("The benefit stops"), required=False)
    amount = EuroFormField(label=_("Amount a month"), required=False, min_value=0)
    kind = forms.ChoiceField(label=_("Benefit"), required=False)
    payer = forms.ChoiceField(label=_("Payer"), required=False)
    beneficiary_number = forms.CharField(label=_("Beneficiary number"), max_length=15, required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        known = self.lease.benefits.order_by("-start").first()
        if known:
            for name in ("kind", "payer", "beneficiary_number"):
                del self.fields[name]
            return
        del self.fields["stops"]
        self.fields["kind"].choices, self.fields["payer"].choices = (
            Benefit.Kind.choices,
            Benefit.Payer.choices,
        )
        for name in ("amount", "kind", "payer", "beneficiary_number"):
            self.fields[name].required = True

    def clean(self):
        cleaned = super().clean()
        stops, amount = cleaned.get("stops"), cleaned.get("amount")
        if not self.errors and bool(stops) == bool(amount):
            raise ValidationError(_("Give the new amount, or say that the benefit stops: one of the two."))
        if amount is not None and amount <= euros(0):
            self.add_error("amount", _("Give an amount above zero."))
        return cleaned


class ChangeBenefit(LeaseAction):
    """What the CAF or the MSA told us: a right, a new amount, a stop."""

    resource = "benefit"
    title = _("Change of housing benefit")
    form_class = BenefitForm
    submit_label = _("Check")
    confirm_label = _("Record the change")
    done_text = _("The change is recorded; months already called are corrected by the next rent run.")

    def get_initial(self):
        """This month, unless a list of differences says what changes, and from when."""
        asked = {name: self.request.GET[name] for name in ("since", "amount") if self.request.GET.get(name)}
        return {"since": first_of_month(today()), "stops": "stops" in self.request.GET} | asked

    def preview(self, form):
        told = form.cleaned_data
        shown = [(_("From"), month_text(told["since"]))]
        if told.get("amount"):
            shown.append((_("Amount a month"), told["amount"]))
        else:
            shown.append((_("Benefit"), _("stops")))
        return Preview(lines=shown)

    def act(self, form):
        told = dict(form.cleaned_data)
        told.pop("stops", None)
        return change_benefit(self.lease, **told, by=self.request.user, now=timezone.now())


# ---- reversal ---------------------------------------------------------------------------


class ReverseForm(LeaseForm):
    call = forms.ChoiceField(label=_("Call to reverse"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.called = {f"{line['month']:%Y-%m}.{line['item']}": line for line in standing_calls(self.lease)}
        self.fields["call"].choices = [(key, call_words(line)) for key, line in self.called.items()]


class ReverseCall(LeaseAction):
    """A call made in error is undone by its opposite; it can then be called again."""

    resource = "ledger"
    title = _("Reverse a call")
    form_class = ReverseForm
    submit_label = _("Check")
    confirm_label = _("Reverse the call")
    danger = True
    done_text = _("The call is reversed. The next run of that month calls it again if it is still owed.")

    def preview(self, form):
        line = form.called[form.cleaned_data["call"]]
        return Preview(
            lines=[
                (_("Call"), call_words(line)),
                (_("Posted on the account"), -line["total"]),
            ],
            warning=_t("Nothing is erased: the opposite line is added to the account."),
        )

    def act(self, form):
        line = form.called[form.cleaned_data["call"]]
        calls = RentCall.objects.filter(lease=self.lease, month=line["month"], item=line["item"])
        return reverse_calls(calls, by=self.request.user, now=timezone.now())


def standing_calls(lease):
    """What was called of a lease and still stands, by month and item, latest first."""
    grouped = RentCall.objects.of([lease.pk]).values("month", "item").annotate(total=Sum("amount"))
    return grouped.exclude(total=0).order_by("-month", "item")[:120]


def call_words(line):
    return f"{month_text(line['month'])} · {ITEM_CHOICES[line['item']]} · {euros_text(line['total'])}"
