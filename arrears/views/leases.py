"""What is to be done about a lease's unpaid rent: signals, account in short, contacts; and each act on them."""

from datetime import timedelta

from django import forms
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from arrears.filters import AGE_WORDS
from arrears.signals import BY_HAND, Contact, Signal, assign, explain, handle, log_contact, mediators, remind
from arrears.views.worklist import NATURES, in_words
from core import access, audit
from core.pages import ActionPage, PanelPage
from core.today import today
from followup.filters import full_name
from followup.referents import followed
from leases.households import head_name, with_head
from leases.lease import Lease, LeaseParty
from leases.occupancy import last_occupancies
from leases.tenant_account import aged, balance, lines

WEEK = timedelta(days=7)
LATEST = 8


class HandleForm(forms.Form):
    because = forms.ChoiceField(label=_("Closed because"), choices=[(code, code.label) for code in BY_HAND])


class RemindForm(forms.Form):
    on = forms.DateField(label=_("Remind me on"))


class AssignForm(forms.Form):
    mediator = forms.ModelChoiceField(
        label=_("Mediator"), queryset=None, required=False, empty_label=_("Nobody yet")
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["mediator"].queryset = mediators()
        self.fields["mediator"].label_from_instance = full_name


class ContactForm(forms.Form):
    on = forms.DateField(label=_("Date"))
    means = forms.ChoiceField(label=_("Means"), choices=Contact.Means)
    note = forms.CharField(
        label=_("What was said about the rent"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("About the account only: health, family and the like go to the social follow-up."),
    )


def panel(user, lease, **more) -> dict:
    """All that the panel shows of a lease, as far as this reader may see it."""
    day = today()
    found = {"lease": lease, "name": head_name(lease) or lease.household.reference, "day": day}
    signals = list(
        Signal.objects.by_urgency(day).filter(lease=lease).select_related("mediator").order_by("-pk")
    )
    for signal in signals:
        signal.told, signal.state, signal.grave = explain(signal), in_words(signal), NATURES[signal.nature]
        signal.mediator_name = signal.mediator and full_name(signal.mediator)
        signal.asleep = signal.remind_on is not None and signal.remind_on > day
    found["signals"] = [signal for signal in signals if signal.handled_on is None]
    found["closed"] = [signal for signal in signals if signal.handled_on is not None][:LATEST]
    found["stay"] = last_occupancies([lease.pk], day).get(lease.pk)
    if access.can(user, "signal", "change"):
        for signal in found["signals"]:
            ids = {"auto_id": f"s{signal.pk}-%s"}
            signal.forms = {
                "handle": HandleForm(**ids),
                "remind": RemindForm(initial={"on": day + WEEK}, **ids),
                "assign": AssignForm(initial={"mediator": signal.mediator_id}, **ids),
            }
    seen = access.visible(user, "tenant_account")
    if "buckets" in seen:
        age = next(iter(aged(day, lease=lease)), None)
        found |= {"balance": balance(lease, day), "age": age}
        found["buckets"] = (
            [
                (AGE_WORDS[key], getattr(age, key))
                for key in ("not_due", "d0_30", "d31_60", "d61_90", "over_90")
            ]
            if age
            else []
        )
    found["lines"] = lines(lease, day)[-LATEST:][::-1] if "lines" in seen else None
    if access.can(user, "contact_log"):
        found["contacts"] = list(
            Contact.objects.filter(lease=lease).select_related("by").order_by("-on", "-pk")[:20]
        )
    if access.can(user, "contact_log", "change"):
        found["contact_form"] = ContactForm(initial={"on": day}, auto_id="contact-%s")
    if "phone" in access.visible(user, "person"):
        found["reach"] = [
            party.person
            for party in LeaseParty.objects.filter(lease=lease, end=None)
            .exclude(role=LeaseParty.Role.SURETY)
            .select_related("person")
        ]
    if access.can(user, "referent"):
        found["referent"] = followed([lease.household_id], day).get(lease.household_id)
    return {"opens_lease": access.can(user, "lease"), **PANEL, **found, **more}


PANEL = dict.fromkeys(
    (
        "balance",
        "age",
        "buckets",
        "lines",
        "contacts",
        "contact_form",
        "reach",
        "referent",
        "refusal",
        "failed",
    )
)
"""What a panel may show; what the reader may not see stays None."""


def the_lease(pk) -> Lease:
    return get_object_or_404(
        with_head(Lease.objects.select_related("household"), "household", today()), pk=pk
    )


class LeaseArrears(PanelPage):
    """A lease's unpaid rent: a page of its own, and a panel of the lease's page."""

    resource = "signal"
    template_name = "arrears/_lease.html"

    def get_context_data(self, **kwargs):
        lease = the_lease(self.kwargs["pk"])
        shown = panel(self.request.user, lease)
        if self.request.GET.get("within") == "lease":
            # The lease's own page shows the account already.
            shown["balance"] = None
        self.title = f"{shown['name']} · {lease.reference}"
        audit.record_read(self.request.user, "contact_log", lease.pk)
        return super().get_context_data(**shown, **kwargs)

    def breadcrumb(self):
        return [{"label": _("Unpaid rent"), "url": reverse("worklist")}, {"label": self.title}]


class LeaseAct(ActionPage):
    """An act on a lease's unpaid rent: within the panel with HTMX, a page of its own without."""

    resource = "signal"

    def lease_id(self) -> int:
        return self.signal.lease_id

    @property
    def signal(self) -> Signal:
        return get_object_or_404(Signal.objects.select_related("lease"), pk=self.kwargs["pk"])

    @property
    def cancel_url(self):
        return reverse("arrears-lease", args=[self.lease_id()])

    def get_success_url(self):
        return self.cancel_url

    def render_to_response(self, context, **kwargs):
        htmx = getattr(self.request, "htmx", None)
        if not htmx or htmx.boosted or self.request.method != "POST":
            return super().render_to_response(context, **kwargs)
        # HTMX swaps only what succeeds: the fault is told within the panel.
        form = context["form"] if context["form"].errors else None
        shown = panel(
            self.request.user, the_lease(self.lease_id()), refusal=context.get("refusal"), failed=form
        )
        return TemplateResponse(self.request, "arrears/_lease.html", shown)


class HandleSignal(LeaseAct):
    form_class = HandleForm
    title = _("Close this signal")
    submit_label = _("Handled")
    done_text = _("The signal is closed.")

    def act(self, form):
        return handle(self.signal, by=self.request.user, on=today(), because=form.cleaned_data["because"])


class RemindSignal(LeaseAct):
    form_class = RemindForm
    title = _("Remind me later")
    submit_label = _("Remind me")
    done_text = _("The signal sleeps until that day.")

    def get_initial(self):
        return {"on": today() + WEEK}

    def act(self, form):
        return remind(self.signal, on=form.cleaned_data["on"], by=self.request.user, today=today())


class AssignSignal(LeaseAct):
    form_class = AssignForm
    title = _("Give to a mediator")
    submit_label = _("Give")
    done_text = _("The signal is given.")

    def get_initial(self):
        return {"mediator": self.signal.mediator_id}

    def act(self, form):
        return assign(self.signal, form.cleaned_data["mediator"], by=self.request.user)


class LogContact(LeaseAct):
    resource = "contact_log"
    form_class = ContactForm
    title = _("Note a contact")
    submit_label = _("Keep the note")
    done_text = _("The contact is noted.")

    def lease_id(self):
        return self.kwargs["pk"]

    def get_initial(self):
        return {"on": today()}

    def act(self, form):
        lease = get_object_or_404(Lease, pk=self.kwargs["pk"])
        return log_contact(lease, by=self.request.user, **form.cleaned_data)
