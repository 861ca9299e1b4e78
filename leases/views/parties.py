"""The parties of a lease: somebody joins, somebody leaves."""

from django import forms
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core.pages import Preview
from core.templatetags.gla import day_text
from core.today import today
from leases.lease import LeaseParty
from leases.tenancy import parties
from leases.tenancy.applications import NewPerson
from leases.views.lease_actions import LeaseAction, LeaseForm

ROLES = [(role.value, role.label) for role in (LeaseParty.Role.CO_TENANT, LeaseParty.Role.SURETY)]


class JoinForm(LeaseForm):
    role = forms.ChoiceField(label=_("As"), choices=ROLES)
    since = forms.DateField(label=_("From"))
    last_name = forms.CharField(label=_("Last name"), max_length=80)
    first_name = forms.CharField(label=_("First name"), max_length=80, required=False)
    born_on = forms.DateField(label=_("Date of birth"), required=False)
    phone = forms.CharField(label=_("Telephone"), max_length=20, required=False)
    email = forms.EmailField(label=_("E-mail"), required=False)
    partner = forms.BooleanField(label=_("Spouse or partner of the tenant"), required=False)


class JoinLease(LeaseAction):
    """A joint tenant or a surety, by an amendment."""

    title = _("Add a party")
    form_class = JoinForm
    submit_label = _("Check")
    confirm_label = _("Add the party")
    done_text = _("The party is added.")

    def get_initial(self):
        return {"since": today()}

    def preview(self, form):
        told = form.cleaned_data
        return Preview(
            lines=[
                (_("Name"), f"{told['last_name']} {told['first_name']}".strip()),
                (_("As"), LeaseParty.Role(told["role"]).label),
                (_("From"), told["since"]),
            ]
        )

    def act(self, form):
        told = form.cleaned_data
        names = ("last_name", "first_name", "born_on", "email", "phone")
        return parties.join_lease(
            self.lease,
            person=NewPerson(*(told[name] for name in names)),
            role=told["role"],
            since=told["since"],
            partner=told["partner"],
            by=self.request.user,
        )


class LeaveForm(LeaseForm):
    last_day = forms.DateField(label=_("Last day as a party"))


class LeaveLease(LeaseAction):
    """Somebody leaves; the lease goes on with the others."""

    title = _("A party leaves")
    form_class = LeaveForm
    submit_label = _("Check")
    confirm_label = _("Record the departure of the party")
    done_text = _("The lease goes on without this party.")
    danger = True

    @cached_property
    def party(self):
        found = LeaseParty.objects.select_related("person", "lease")
        return get_object_or_404(found, pk=self.kwargs["party"], lease=self.lease)

    @property
    def intro(self):
        return f"{self.lease.reference} · {self.party.person}"

    def get_initial(self):
        return {"last_day": today()}

    def preview(self, form):
        last_day = form.cleaned_data["last_day"]
        shown = [(_("Party"), self.party.person), (_("As"), self.party.get_role_display())]
        shown.append((_("Last day as a party"), last_day))
        until, warning = None, ""
        if self.party.role != LeaseParty.Role.SURETY:
            until = parties.liable_until(self.lease, last_day=last_day)
        if until:
            warning = _t(
                "Stays liable for the rent until %(day)s at most, or until somebody takes the place."
            ) % {"day": day_text(until)}
        return Preview(lines=shown, warning=warning)

    def act(self, form):
        return parties.leave_lease(self.party, last_day=form.cleaned_data["last_day"], by=self.request.user)
