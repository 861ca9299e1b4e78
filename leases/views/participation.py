"""CHRS participations of a month, the resources that prove them, and the structures' rates."""

from django import forms
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import access, audit
from core.money import EuroFormField
from core.pages import Action, ActionPage, Page, Preview
from core.periods import NotAMonth, Period
from core.templatetags.gla import month_text
from core.today import today
from leases.tenancy import participation
from leases.views.lease_actions import LeaseAction, LeaseForm
from portfolio.models import Structure


class MonthForm(forms.Form):
    month = forms.CharField(
        label=_("Month"),
        widget=forms.TextInput(attrs={"type": "month", "pattern": "[0-9]{4}-[0-9]{2}", "size": 9}),
    )

    def clean_month(self):
        try:
            return Period.parse_month(self.cleaned_data["month"]).start
        except NotAMonth as error:
            raise forms.ValidationError(_("This is not a month: write it as 2026-03.")) from error


def crumbs(title):
    return [{"label": _("CHRS participations"), "url": reverse("participations")}, {"label": title}]


class Participations(Page):
    """What each CHRS stay is to pay for a month, and what is missing to say it."""

    resource = "participation"
    template_name = "leases/participations.html"
    title = _("CHRS participations")

    def get(self, request, *args, **kwargs):
        self.form = MonthForm({"month": request.GET.get("month") or f"{today():%Y-%m}"})
        asked = self.form.cleaned_data if self.form.is_valid() else {}
        self.month = asked.get("month") or Period.month(today()).start
        self.rows = participation.participations(self.month)
        audit.record_read(request.user, "participation", [one.lease.pk for one in self.rows])
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs):
        return super().get_context_data(
            form=self.form,
            month=self.month,
            rows=self.rows,
            to_set=sum(one.changes for one in self.rows),
            missing=sum(one.refusal is not None for one in self.rows),
            may_change=self.may("change"),
            opens_leases=access.can(self.request.user, "lease"),
            actions=self.actions(),
            **kwargs,
        )

    def actions(self):
        found = []
        if self.may("change") and any(one.changes for one in self.rows):
            found.append(
                Action(
                    _t("Set the month"),
                    f"{reverse('participations-set')}?month={self.month:%Y-%m}",
                    primary=True,
                )
            )
        if self.may("change", "participation_rate"):
            found.append(Action(_t("Set a rate"), reverse("participation-rate"), icon="edit"))
        return found


class SetParticipations(ActionPage):
    """Every participation of a month set as the stay's rent."""

    resource = "participation"
    title = _("Set the month's participations")
    intro = _("Stays without proved resources keep what they have.")
    form_class = MonthForm
    submit_label = _("Check")
    confirm_label = _("Set them")
    done_text = _("The participations are set; the rent run calls them.")

    def get_initial(self):
        return {"month": self.request.GET.get("month") or f"{today():%Y-%m}"}

    @property
    def cancel_url(self):
        return reverse("participations")

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return crumbs(self.title)

    def preview(self, form):
        month = form.cleaned_data["month"]
        found = participation.participations(month)
        changing = [one for one in found if one.changes]
        refused = [one for one in found if one.refusal]
        shown = [(_("Month"), month_text(month)), (_("Participations set"), len(changing))]
        shown += [(f"{one.name} · {one.lease.reference}", one.amount) for one in changing[:50]]
        warning = ""
        if refused:
            warning = _t("%(count)s stays lack a proof or a rate: nothing changes for them.") % {
                "count": len(refused)
            }
        return Preview(lines=shown, warning=warning)

    def act(self, form):
        return participation.set_month(form.cleaned_data["month"], by=self.request.user, now=timezone.now())


class ResourcesForm(LeaseForm):
    since = forms.DateField(label=_("From"))
    amount = EuroFormField(
        label=_("Resources a month"), min_value=0, help_text=_("Of all members of the household.")
    )
    proof = forms.CharField(
        label=_("Papers seen"), max_length=120, help_text=_("RSA notice, payslip, AAH notice…")
    )


class ProveResources(LeaseAction):
    """A household's resources, with the papers that prove them."""

    resource = "participation"
    title = _("Record proved resources")
    form_class = ResourcesForm
    submit_label = _("Record")
    done_text = _("The resources are recorded.")

    @property
    def cancel_url(self):
        return reverse("participations")

    def breadcrumb(self):
        return crumbs(self.title)

    def get_initial(self):
        return {"since": Period.month(today()).start}

    def act(self, form):
        return participation.prove_resources(
            self.lease, **form.cleaned_data, by=self.request.user, now=timezone.now()
        )


class RateForm(forms.Form):
    structure = forms.ModelChoiceField(
        Structure.objects.filter(kind=Structure.Kind.CHRS).order_by("name"),
        label=_("Structure"),
        required=False,
        empty_label=_("All structures"),
    )
    since = forms.DateField(label=_("From"))
    meals = forms.BooleanField(label=_("Meals are given"), required=False)
    small = forms.DecimalField(
        label=_("One or two people, %"), max_digits=4, decimal_places=1, min_value=0, max_value=100
    )
    family = forms.DecimalField(
        label=_("Three people and more, %"), max_digits=4, decimal_places=1, min_value=0, max_value=100
    )
    daily = EuroFormField(label=_("A day, for the first days"), min_value=0)


class SetRate(ActionPage):
    """A structure's rate, within the range of the law."""

    resource = "participation_rate"
    title = _("Set a rate of participation")
    form_class = RateForm
    submit_label = _("Set the rate")
    done_text = _("The rate is set.")

    @property
    def cancel_url(self):
        return reverse("participations")

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return crumbs(self.title)

    def get_initial(self):
        return {"since": Period.month(today()).start}

    def act(self, form):
        return participation.set_rate(**form.cleaned_data, by=self.request.user, now=timezone.now())
