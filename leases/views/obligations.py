"""What leases oblige: proofs missing or ending over the stock, those of one lease, and what is done."""

import django_filters
from django import forms
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.money import EuroFormField
from core.pages import Action, ActionPage, ListColumn, ListPage, Page, Preview
from core.periods import ONE_DAY
from core.templatetags.gla import day_text
from core.today import today
from leases.filters import ALL, LeaseText
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.models import Boiler, Certificate, Membership, ObligationStep
from leases.occupancy import last_occupancies
from leases.upkeep import obligations
from leases.upkeep.obligations import INSURANCE, KINDS, STATES, STEPS, STEPS_OF
from leases.views.lease_actions import LeaseAction, LeaseForm
from leases.views.leases import the_lease


class ObligationFilter(django_filters.FilterSet):
    """Who must prove something, by a name or address, by state, and by the last step taken."""

    NOTHING = "nothing"

    q = LeaseText(hint=_("Name, address, reference"))
    kind = django_filters.ChoiceFilter(
        label=_("Proof"), choices=list(KINDS.items()), empty_label=None, method="as_it_is"
    )
    state = django_filters.ChoiceFilter(
        label=_("State"),
        choices=[(code, words) for code, (_kind, words) in STATES.items()],
        empty_label=ALL,
        method="in_state",
    )
    last = django_filters.ChoiceFilter(
        label=_("Last step"),
        choices=[(NOTHING, _("Nothing yet")), *STEPS.items()],
        empty_label=ALL,
        method="at_step",
    )

    class Meta:
        model = Lease
        fields = ["q", "kind", "state", "last"]

    def as_it_is(self, leases, name, value):
        return leases

    def in_state(self, leases, name, value):
        return obligations.in_state(leases, value, today())

    def at_step(self, leases, name, value):
        codes = list(STEPS)
        after = codes if value == self.NOTHING else codes[codes.index(value) + 1 :]
        leases = leases.filter(**{f"{step}_on": None for step in after})
        return leases if value == self.NOTHING else leases.filter(**{f"{value}_on__isnull": False})


def asked_kind(request) -> str:
    """The proof that a page speaks of: of `?kind=`, else the insurance."""
    kind = request.GET.get("kind", "")
    return kind if kind in KINDS else INSURANCE


def phones(households, on) -> dict[int, str]:
    """The telephone of each household's head on a day: one query."""
    rows = Membership.objects.on(on).filter(household__in=list(households), role=Membership.Role.HEAD)
    return dict(rows.order_by("-start").values_list("household", "person__phone"))


class ObligationList(ListPage):
    """Proofs by lease, the longest missing first, with what the law allows next."""

    resource = "obligation"
    title = _("Obligations of tenants")
    subtitle = _("Who must prove it each year, since when it is missing, and what may be done next.")
    filterset_class = ObligationFilter
    default_sort = "missing_since"
    export_name = "obligations"
    empty_text = _("Nobody must prove that. For the boilers, say on a lease's page which homes have one.")
    columns = [
        ListColumn("household", _("Household"), "name", sort="head_last", sub="reference"),
        ListColumn("phone", _("Telephone"), needs="person.phone"),
        ListColumn("home", _("Home"), "stay.place.reference", sub="address"),
        ListColumn(
            "valid_until",
            _("Valid until"),
            lambda le: le.valid_until and le.valid_until - ONE_DAY,
            kind="date",
        ),
        ListColumn("missing_since", _("Missing from"), kind="date", sort="missing_since"),
        ListColumn("last_step", _("Last step")),
        ListColumn("next_words", _("What may be done"), sub="next_sub"),
        ListColumn("state", _("State"), kind="state"),
    ]

    @cached_property
    def kind(self):
        return asked_kind(self.request)

    def get_queryset(self):
        return with_head(
            obligations.bound(self.kind, today()).select_related("household"), "household", today()
        )

    def complete(self, leases):
        day = today()
        stays = last_occupancies([lease.pk for lease in leases], day)
        called = phones({lease.household_id for lease in leases}, day)
        for lease in leases:
            lease.name, lease.stay = head_name(lease), stays.get(lease.pk)
            lease.phone = called.get(lease.household_id, "")
            lease.address = str(lease.stay.place.unit.building) if lease.stay else ""
            tell(lease, self.kind, day)

    def urgent(self, lease):
        return lease.urgent

    def row_url(self, lease):
        return reverse("lease-obligations", args=[lease.pk])

    def actions(self):
        if not self.may("change"):
            return []
        url = f"{reverse('obligations-ask')}?kind={self.kind}"
        return [Action(_("Ask everybody"), url, primary=True, icon="bell")]

    def was_read(self, leases, *, export):
        audit.record_read(self.request.user, "lease", [lease.pk for lease in leases])


def tell(lease, kind, day):
    """Add to a lease given by `bound` its state, its last step and what may be done next, in words."""
    code = obligations.state(lease, day)
    done = obligations.steps_of(lease)
    lease.state = (STATES[code][0], str(STATES[code][1]))
    lease.last_step = last_words(done)
    lease.next, lease.next_words, lease.next_sub, lease.urgent = None, "", "", False
    if code == obligations.IN_ORDER and obligations.COVERED not in done:
        return
    lease.next = obligations.next_step(kind, done, on=day)
    lease.next_words, lease.next_sub = str(lease.next.words), next_sub(lease.next, day)
    lease.urgent = code == obligations.MISSING and obligations.NOTICE in done and lease.next.is_open(day)


def last_words(done) -> str:
    """The last open step and its day."""
    if not done:
        return ""
    step, on = list(done.items())[-1]
    return f"{STEPS[step]} · {day_text(on)}"


def next_sub(found, day) -> str:
    """From when, and by which text."""
    text = found.rule.legal_ref if found.rule else ""
    if found.since and found.since > day:
        since = _t("from %(day)s") % {"day": day_text(found.since)}
        text = f"{since} · {text}"
    return text


# ---- the page of one lease ----------------------------------------------------------------


class LeaseObligations(Page):
    """The proofs of one lease, what was done to get them, and what may be done."""

    resource = "obligation"
    template_name = "leases/lease_obligations.html"
    title = _("Obligations")

    def get_context_data(self, **kwargs):
        self.lease = lease = the_lease(self.kwargs["pk"])
        day = today()
        audit.record_read(self.request.user, "lease", lease.pk)
        stay = last_occupancies([lease.pk], day).get(lease.pk)
        boiler = Boiler.objects.on(day).filter(unit=stay.place.unit).first() if stay else None
        return super().get_context_data(
            lease=lease,
            stay=stay,
            phone=phones([lease.household_id], day).get(lease.household_id),
            boiler=boiler,
            kinds=[self.told(kind, day) for kind in KINDS],
            may_change=self.may("change"),
            may_see_lease=self.may("view", "lease"),
            may_bill=self.may("change", "lease_money"),
            **kwargs,
        )

    def told(self, kind, day):
        """One kind of proof: what stands, what was done, what is next; None where it is not owed."""
        owed = obligations.bound(kind, day).filter(pk=self.lease.pk).first()
        if owed:
            tell(owed, kind, day)
        steps = list(self.lease.obligation_steps.filter(kind=kind, withdrawn_on=None).order_by("-on", "-pk"))
        for one in steps:
            one.monthly = one.premium and obligations.monthly_part(one.premium, on=one.on)
        return {
            "kind": kind,
            "label": KINDS[kind],
            "owed": owed,
            "may_step": bool(owed and owed.next),
            "certificates": list(
                self.lease.certificates.filter(kind=kind, withdrawn_on=None).order_by("-end", "-pk")
            ),
            "steps": steps,
        }

    def breadcrumb(self):
        return [
            {"label": _("Obligations of tenants"), "url": reverse("obligations")},
            {"label": self.lease.reference},
        ]


# ---- acts ---------------------------------------------------------------------------------


class ObligationAction(LeaseAction):
    """An act on a lease's proofs; back to them afterwards."""

    resource = "obligation"

    @cached_property
    def kind(self):
        if self.kwargs.get("kind") not in KINDS:
            raise Http404
        return self.kwargs["kind"]

    @property
    def intro(self):
        return f"{KINDS[self.kind]} · {super().intro}" if "kind" in self.kwargs else super().intro

    @property
    def cancel_url(self):
        return reverse("lease-obligations", args=[self.lease.pk])

    def breadcrumb(self):
        return [
            {"label": _("Obligations of tenants"), "url": reverse("obligations")},
            {"label": self.lease.reference, "url": self.cancel_url},
            {"label": self.title},
        ]


class ReceiveForm(LeaseForm):
    start = forms.DateField(label=_("Valid from"), help_text=_("The day of the service, for a boiler."))
    last_day = forms.DateField(
        label=_("Valid until"), required=False, help_text=_("Left empty: one year, less a day.")
    )
    received_on = forms.DateField(label=_("Received on"))
    issued_by = forms.CharField(label=_("Insurer or contractor"), max_length=80, required=False)
    reference = forms.CharField(label=_("Number of the policy or report"), max_length=60, required=False)


class ReceiveCertificate(ObligationAction):
    """A proof came in."""

    title = _("Record a certificate")
    form_class = ReceiveForm
    done_text = _("The certificate is recorded; what was asked before is answered.")

    def get_initial(self):
        owed = obligations.bound(self.kind, today()).filter(pk=self.lease.pk).first()
        follows = owed.valid_until if owed and owed.valid_until and owed.valid_until > today() else None
        return {"start": follows or today(), "received_on": today()}

    def act(self, form):
        told = dict(form.cleaned_data)
        last = told.pop("last_day")
        return obligations.receive(
            self.lease, self.kind, **told, end=last + ONE_DAY if last else None, by=self.request.user
        )


class StepForm(LeaseForm):
    step = forms.ChoiceField(label=_("Step"))
    on = forms.DateField(label=_("Date"), help_text=_("Of the letter's receipt, or of the act's service."))
    premium = EuroFormField(
        label=_("Premium of a year"),
        required=False,
        help_text=_("Of the insurance the landlord takes out for the tenant only."),
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False)

    def __init__(self, *args, kind, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["step"].choices = [(code, STEPS[code]) for code in STEPS_OF[kind]]
        if obligations.COVERED not in STEPS_OF[kind]:
            del self.fields["premium"]


class TakeStep(ObligationAction):
    """Asked, reminded, formal notice, order, landlord's insurance: as far as the law allows."""

    title = _("Record a step")
    form_class = StepForm
    done_text = _("The step is recorded.")

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"kind": self.kind}

    def get_initial(self):
        owed = obligations.bound(self.kind, today()).filter(pk=self.lease.pk).first()
        found = obligations.next_step(self.kind, obligations.steps_of(owed), on=today()) if owed else None
        return {"on": today(), "step": found.step if found else ""}

    def act(self, form):
        return obligations.take_step(self.lease, self.kind, **form.cleaned_data, by=self.request.user)


class Withdrawal(ObligationAction):
    """Something recorded by mistake is taken back."""

    form_class = LeaseForm
    submit_label = _("Withdraw")
    danger = True
    model: type = Certificate

    @cached_property
    def thing(self):
        return get_object_or_404(self.model.objects.filter(withdrawn_on=None), pk=self.kwargs["pk"])

    @cached_property
    def lease(self):
        return the_lease(self.thing.lease_id)

    @property
    def intro(self):
        return f"{KINDS[self.thing.kind]} · {self.lease.reference} · {self.lease.name}"


class WithdrawCertificate(Withdrawal):
    title = _("Withdraw the certificate")
    done_text = _("The certificate is withdrawn.")

    def act(self, form):
        return obligations.withdraw_certificate(self.thing, on=today(), by=self.request.user)


class WithdrawStep(Withdrawal):
    title = _("Withdraw the step")
    done_text = _("The step is withdrawn.")
    model = ObligationStep

    def act(self, form):
        return obligations.withdraw_step(self.thing, on=today(), by=self.request.user)


class BoilerForm(LeaseForm):
    since = forms.DateField(label=_("Since"))
    contractor = forms.CharField(
        label=_("Serviced by"),
        max_length=80,
        required=False,
        help_text=_("The landlord's contractor; left empty where the tenant has it serviced."),
    )


class SetBoiler(ObligationAction):
    """That the home has its own boiler, and who services it."""

    title = _("Boiler of the home")
    form_class = BoilerForm
    done_text = _("The boiler is recorded.")

    def get_initial(self):
        return {"since": self.lease.start}

    def act(self, form):
        if self.stay is None:
            raise obligations.ObligationRefused(
                self.lease.reference, _t("This lease has no home."), _t("Let it a home first.")
            )
        return obligations.set_boiler(self.stay.place.unit, **form.cleaned_data, by=self.request.user)


class AskAll(ActionPage):
    """Everybody whose proof is missing or ends soon, and was not asked yet, is recorded as asked."""

    resource = "obligation"
    title = _("Ask everybody")
    form_class = forms.Form
    submit_label = _("Check")
    confirm_label = _("Record as asked")

    @cached_property
    def kind(self):
        return asked_kind(self.request)

    @property
    def intro(self):
        return KINDS[self.kind]

    @property
    def cancel_url(self):
        return f"{reverse('obligations')}?kind={self.kind}"

    def get_success_url(self):
        return f"{self.cancel_url}&last=asked"

    def preview(self, form):
        day = today()
        rows = obligations.to_ask(self.kind, day)
        missing = obligations.in_state(rows, obligations.MISSING, day).count()
        return Preview(
            lines=[
                (_("Missing"), missing),
                (_("Ends soon"), rows.count() - missing),
                (_("Reminder from"), day + obligations.PATIENCE),
            ]
        )

    def act(self, form):
        return obligations.ask_all(self.kind, on=today(), by=self.request.user)

    def done(self, result, form):
        self.done_text = _t("Recorded as asked: %(count)s.") % {"count": result}
        return super().done(result, form)

    def breadcrumb(self):
        return [
            {"label": _("Obligations of tenants"), "url": reverse("obligations")},
            {"label": self.title},
        ]
