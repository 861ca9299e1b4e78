"""Grants: the agreements, what each gave, and what is claimed or received of them."""

from django import forms
from django.db.models import Sum
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core.money import EuroFormField, euros
from core.pages import Action, ActionPage, ListColumn, ListPage, Page
from core.today import today
from leases.accounts.grants import Grant, GrantStep, agree_grant, record_step
from leases.filters import GrantFilter
from leases.views.closing import back_to_closing
from portfolio.stock import Structure


def grant_state(grant):
    """What waits: to be claimed, to come in, or nothing; late once the agreement has ended."""
    if grant.left <= euros(0):
        return "good", _t("Received in full")
    late = grant.last_day < today()
    if grant.unclaimed > euros(0):
        return ("bad", _t("Ended, not claimed in full")) if late else ("info", _t("To claim"))
    return ("warn", _t("Ended, not received in full")) if late else ("wait", _t("Claimed, to come in"))


class GrantList(ListPage):
    """Every agreement: agreed, claimed, received, still to come."""

    resource = "ledger"
    title = _("Grants")
    filterset_class = GrantFilter
    default_sort = "-start"
    export_name = "subventions"
    empty_text = _("No grant yet: record the agreement of an AGLS, ALT or AML, or the yearly dotation.")
    columns = [
        ListColumn("reference", _("Agreement"), sort="reference", sub="funder"),
        ListColumn("kind", _("Kind"), "get_kind_display", sort="kind"),
        ListColumn("structure", _("Structure"), "structure.name"),
        ListColumn("start", _("From"), kind="date", sort="start"),
        ListColumn("last_day", _("To"), kind="date", sort="last_day"),
        ListColumn("agreed", _("Agreed"), kind="euros", sort="agreed"),
        ListColumn("claimed", _("Claimed"), kind="euros"),
        ListColumn("received", _("Received"), kind="euros"),
        ListColumn("left", _("Still to come"), kind="euros"),
        ListColumn("state", _("State"), grant_state, kind="state"),
    ]

    def get_queryset(self):
        return Grant.objects.with_sums().select_related("structure")

    def row_url(self, grant):
        return grant.get_absolute_url()

    def totals(self, rows):
        agreed = rows.aggregate(total=Sum("agreed"))["total"] or euros(0)
        steps = GrantStep.objects.filter(grant__in=rows.order_by().values("pk")).order_by()
        sums = dict(steps.values_list("kind").annotate(total=Sum("amount")))
        received = sums.get(GrantStep.Kind.RECEIVED, euros(0))
        claimed = sums.get(GrantStep.Kind.CLAIMED, euros(0))
        return {"agreed": agreed, "claimed": claimed, "received": received, "left": agreed - received}

    def breadcrumb(self):
        return back_to_closing(self.title)

    def actions(self):
        if not self.may("change"):
            return []
        return [Action(_t("New grant"), reverse("grant-add"), primary=True, icon="plus")]


class GrantPage(Page):
    """An agreement and every claim and receipt of it."""

    resource = "ledger"
    template_name = "leases/grant.html"

    @cached_property
    def grant(self):
        return get_object_or_404(Grant.objects.with_sums().select_related("structure"), pk=self.kwargs["pk"])

    @property
    def title(self):
        return self.grant.reference

    def breadcrumb(self):
        return [
            *back_to_closing("")[:1],
            {"label": _("Grants"), "url": reverse("grants")},
            {"label": self.title},
        ]

    def get_context_data(self, **kwargs):
        grant = self.grant
        actions = []
        if self.may("change"):
            step = reverse("grant-step", args=[grant.pk])
            actions = [
                Action(_t("Record a receipt"), f"{step}?kind=received", primary=True),
                Action(_t("Record a claim"), f"{step}?kind=claimed"),
            ]
        return super().get_context_data(
            grant=grant,
            state=grant_state(grant),
            steps=grant.steps.select_related("made_by"),
            actions=actions,
            **kwargs,
        )


class GrantForm(forms.Form):
    kind = forms.ChoiceField(label=_("Kind"), choices=Grant.Kind.choices)
    reference = forms.CharField(
        label=_("Agreement"), max_length=40, help_text=_("Its number, as written on it.")
    )
    funder = forms.CharField(label=_("Funder"), max_length=80)
    structure = forms.ModelChoiceField(
        label=_("Structure"),
        queryset=Structure.objects.order_by("name"),
        required=False,
        empty_label=_("None"),
    )
    start = forms.DateField(label=_("From"))
    last_day = forms.DateField(label=_("To"), help_text=_("Last day of the agreement."))
    agreed = EuroFormField(label=_("Agreed"))
    note = forms.CharField(label=_("Note"), max_length=200, required=False)


class AddGrant(ActionPage):
    """Record an agreement."""

    resource = "ledger"
    form_class = GrantForm
    title = _("New grant")
    done_text = _("The grant is recorded.")

    def get_initial(self):
        year = today().year
        return {
            "start": today().replace(month=1, day=1),
            "last_day": today().replace(year=year, month=12, day=31),
        }

    @property
    def cancel_url(self):
        return reverse("grants")

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return [
            *back_to_closing("")[:1],
            {"label": _("Grants"), "url": self.cancel_url},
            {"label": self.title},
        ]

    def act(self, form):
        return agree_grant(**form.cleaned_data, by=self.request.user)


class StepForm(forms.Form):
    kind = forms.ChoiceField(label=_("Step"), choices=GrantStep.Kind.choices)
    on = forms.DateField(label=_("Date"))
    amount = EuroFormField(label=_("Amount"), help_text=_("Below zero to undo a mistake."))
    note = forms.CharField(label=_("Note"), max_length=200, required=False)


class AddStep(ActionPage):
    """Record what was claimed or received of a grant."""

    resource = "ledger"
    form_class = StepForm
    title = _("Claim or receipt")
    done_text = _("It is recorded.")

    @cached_property
    def grant(self):
        return get_object_or_404(Grant, pk=self.kwargs["pk"])

    @property
    def intro(self):
        return f"{self.grant.reference} · {self.grant.funder}"

    def get_initial(self):
        return {"on": today(), "kind": self.request.GET.get("kind", GrantStep.Kind.RECEIVED)}

    @property
    def cancel_url(self):
        return self.grant.get_absolute_url()

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return [
            *back_to_closing("")[:1],
            {"label": _("Grants"), "url": reverse("grants")},
            {"label": self.grant.reference, "url": self.cancel_url},
            {"label": self.title},
        ]

    def act(self, form):
        asked = form.cleaned_data
        return record_step(
            self.grant,
            asked["kind"],
            asked["amount"],
            on=asked["on"],
            note=asked["note"],
            by=self.request.user,
            now=timezone.now(),
        )
