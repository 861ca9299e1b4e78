"""The charges of one lease: a statement, the slot on its page, whether its contract makes them flat."""

from django import forms
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.pages import Page, PanelPage
from core.today import today
from leases.households import head_name, with_head
from leases.kinds import KINDS
from leases.lease import Lease
from leases.views.charges import run_title, runs_crumb, version_word
from leases.views.lease_actions import LeaseAction, LeaseForm
from leases.yearly.charges import FlatCharges, Settlement, set_flat, statement_facts


class StatementPage(Page):
    """A charge statement: natures, key, days, share, provisions, what is left to pay."""

    resource = "charges"
    template_name = "leases/charge_statement.html"

    def get_context_data(self, **kwargs):
        found = with_head(
            Settlement.objects.select_related("lease__household", "run"), "lease__household", today()
        )
        one = get_object_or_404(found, pk=self.kwargs["pk"])
        self.settlement = one
        audit.record_read(self.request.user, "charges", one.lease_id)
        self.title = _t("Charges of %(year)s") % {"year": one.year}
        return super().get_context_data(
            settlement=one,
            facts=statement_facts(one),
            name=head_name(one) or one.lease.household.reference,
            word=version_word(one),
            **kwargs,
        )

    def breadcrumb(self):
        run = self.settlement.run
        return [
            runs_crumb(),
            {"label": run_title(run), "url": reverse("charge-run", args=[run.pk])},
            {"label": self.settlement.lease.reference},
        ]


class LeaseCharges(PanelPage):
    """A lease's settlements, for its page."""

    resource = "charges"
    template_name = "leases/_lease_charges.html"

    def get_context_data(self, **kwargs):
        lease = get_object_or_404(Lease, pk=self.kwargs["pk"])
        self.title = _t("Charges of lease %(lease)s") % {"lease": lease.reference}
        kind = KINDS[lease.kind]
        flat = FlatCharges.objects.filter(lease=lease).exists()
        return super().get_context_data(
            lease=lease,
            settlements=list(lease.settlements.select_related("run").order_by("-year", "-version")),
            flat=flat or "provisions" not in kind.charges,
            may_change=self.may("change") and {"flat", "provisions"} <= set(kind.charges),
            **kwargs,
        )


class FlatForm(LeaseForm):
    flat = forms.BooleanField(
        label=_("The contract makes charges a flat sum"),
        required=False,
        help_text=_("They are then never settled on what was spent."),
    )


class SetFlatCharges(LeaseAction):
    """Say whether the contract of a furnished or sub-let home makes charges flat."""

    resource = "charges"
    title = _("Flat charges or provisions")
    form_class = FlatForm
    done_text = _("The regime of the charges is kept.")

    def get_initial(self):
        return {"flat": FlatCharges.objects.filter(lease=self.lease).exists()}

    def act(self, form):
        set_flat(self.lease, flat=form.cleaned_data["flat"], by=self.request.user, now=timezone.now())
