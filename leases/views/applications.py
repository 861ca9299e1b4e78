"""Files before signature: who asks for which home, how far each file is, the offer, the lease."""

import django_filters
from django import forms
from django.db.models import Count, Q
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import access, audit
from core.pages import Action, ActionPage, ListColumn, ListPage, Page
from core.today import today
from leases.households import Household, head_name
from leases.tenancy import applications, signing
from leases.tenancy.applications import SOON, Application, NewPerson
from leases.views.departure import STEP_STATES
from portfolio.filters import TextFilter
from portfolio.stock import Place

Stage = Application.Stage
STAGE_STATES = {
    Stage.PREPARED: "info",
    Stage.OFFERED: "wait",
    Stage.ACCEPTED: "good",
    Stage.SIGNED: "off",
    Stage.CLOSED: "off",
}
ALL = "all"


# ---- the list -----------------------------------------------------------------------------


class ApplicationFilter(django_filters.FilterSet):
    """Files by a name, a number or a home, by stage and by who reserves."""

    q = TextFilter(hint=_("Name, request number, home"))
    stage = django_filters.ChoiceFilter(
        label=_("Stage"),
        choices=[*Stage.choices, (ALL, _("All"))],
        empty_label=_("In progress"),
        method="at_stage",
    )
    holder = django_filters.ChoiceFilter(
        label=_("Reservation of"), choices=Application.Holder.choices, empty_label=_("All")
    )

    class Meta:
        model = Application
        fields = ["q", "stage", "holder"]

    def at_stage(self, rows, name, value):
        return rows if value == ALL else rows.at(value)


class ApplicationList(ListPage):
    """Files in progress, the most urgent first."""

    resource = "application"
    title = _("Applications")
    subtitle = _("From the reservation to the lease; the first deadline first.")
    filterset_class = ApplicationFilter
    default_sort = "deadline"
    export_name = "dossiers"
    empty_text = _("No file in progress: open one, or propose an empty home from its page.")
    columns = [
        ListColumn("household", _("Household"), "name", sub="reference"),
        ListColumn("home", _("Home"), "place.reference", sort="place__reference"),
        ListColumn(
            "stage",
            _("Stage"),
            lambda one: (STAGE_STATES[one.stage], one.get_stage_display),
            kind="state",
        ),
        ListColumn("next", _("Next step")),
        ListColumn("documents", _("Documents"), lambda one: f"{one.received}/{one.expected}"),
        ListColumn("holder", _("Reservation of"), "get_holder_display", sub="request_number"),
        ListColumn("deadline", _("Deadline"), kind="date", sort="deadline"),
        ListColumn("rent", _("Rent"), kind="euros", sort="rent", needs="application.rent"),
        ListColumn("opened_on", _("Opened on"), kind="date", sort="opened_on"),
    ]

    def get_queryset(self):
        rows = Application.objects if self.request.GET.get("stage") else Application.objects.running()
        return rows.with_people().with_deadline().select_related("place", "household").annotate(
            expected=Count("documents"),
            received=Count("documents", filter=Q(documents__received_on__isnull=False)),
        )  # fmt: skip

    def complete(self, files):
        for one in files:
            one.name = head_name(one) or one.household.reference
            one.next = next_words(one)

    def row_url(self, one):
        return reverse("application", args=[one.pk])

    def urgent(self, one):
        return bool(one.running and one.deadline and one.deadline <= today() + SOON)

    def actions(self):
        if not self.may("change"):
            return []
        return [Action(_("New file"), reverse("application-new"), primary=True, icon="plus")]

    def was_read(self, files, *, export):
        audit.record_read(self.request.user, "application", [one.pk for one in files])


def next_words(one):
    """What is to be done next with a file, in a few words."""
    if one.stage == Stage.PREPARED:
        return _t("Offer the home") if one.place_id else _t("Propose a home")
    return {Stage.OFFERED: _t("Record the answer"), Stage.ACCEPTED: _t("Sign the lease")}.get(one.stage, "")


# ---- one file -------------------------------------------------------------------------------


def the_application(pk):
    """A file with the name of its household and its home."""
    rows = Application.objects.with_people().select_related(
        "household", "place__unit__building", "place__unit__structure", "lease", "partner"
    )
    one = get_object_or_404(rows, pk=pk)
    one.name = head_name(one) or one.household.reference
    return one


class ApplicationPage(Page):
    """What is done, what is next, what stands against it, what it would cost the household."""

    resource = "application"
    template_name = "leases/application.html"

    def get_context_data(self, **kwargs):
        self.file = file = the_application(self.kwargs["pk"])
        audit.record_read(self.request.user, "application", file.pk)
        self.title, day = file.reference, today()
        against = signing.obstacles(file, on=day) if file.running else []
        money = "rent" in access.visible(self.request.user, "application")
        told = signing.steps(file, against, day)
        return super().get_context_data(
            file=file,
            stage=(STAGE_STATES[file.stage], file.get_stage_display),
            steps=[(one, STEP_STATES[one.state], self.links(one)) for one in told],
            documents=[(one.get_kind_display(), one.received_on) for one in file.documents.order_by("pk")],
            against=against if money else [],
            money=money,
            means=applications.means_of(file, on=day) if money else None,
            occupation=applications.occupation_of(file, on=day),
            ceiling=self.ceiling(file, day) if money else None,
            may_change=self.may("change") and file.running,
            may_step_back=self.may("change") and not file.lease_id and file.stage != Stage.PREPARED,
            opens_lease=self.may("view", "lease"),
            **kwargs,
        )

    def ceiling(self, file, day):
        return signing.ceiling_for(file, on=day) if file.place else None

    def links(self, step):
        """What to open for a step: (label, url), as far as the reader may."""
        if not (self.may("change") and self.file.running):
            return []
        pk, stage, found = self.file.pk, self.file.stage, []
        if step.code in ("household", "income"):
            found = [(_("Change"), reverse("application-change", args=[pk, step.code]))]
        elif step.code == "home" and stage == Stage.PREPARED:
            label = _("Change") if self.file.place_id else _("Propose a home")
            found = [(label, reverse("application-change", args=[pk, "home"]))]
        elif step.code == "documents":
            found = [(_("Documents received"), reverse("application-documents", args=[pk]))]
        elif step.code == "offer" and stage == Stage.PREPARED and self.file.place_id:
            found = [(_("Offer the home"), reverse("application-offer", args=[pk]))]
        elif step.code == "answer" and stage == Stage.OFFERED:
            found = [
                (_("Accepted"), reverse("application-accept", args=[pk])),
                (_("Refused"), reverse("application-close", args=[pk])),
            ]
        elif step.code == "signature" and stage == Stage.ACCEPTED:
            found = [(_("Sign the lease"), reverse("application-sign", args=[pk]))]
        return found

    def breadcrumb(self):
        return [{"label": _("Applications"), "url": reverse("applications")}, {"label": self.title}]


# ---- a new file -------------------------------------------------------------------------------


class HomeField(forms.CharField):
    """A home or a place by its reference; a home of several places asks for one of them."""

    def clean(self, value):
        text = super().clean(value)
        if not text:
            return None
        places = Place.objects.select_related("unit__building", "unit__structure")
        found = list(places.filter(Q(reference__iexact=text) | Q(unit__reference__iexact=text))[:2])
        exact = [one for one in found if one.reference.lower() == text.lower()] or found
        if not exact:
            raise forms.ValidationError(_("No home has this reference."))
        if len(exact) > 1:
            raise forms.ValidationError(_("This home has several places: give the reference of one."))
        return exact[0]


class ReservationForm(forms.Form):
    """What a reservation tells."""

    adults = forms.IntegerField(label=_("Adults"), min_value=1, max_value=20, initial=1)
    children = forms.IntegerField(label=_("Children"), min_value=0, max_value=20, initial=0)
    holder = forms.ChoiceField(label=_("Reservation of"), choices=Application.Holder.choices)
    held_until = forms.DateField(label=_("Reserved until"), required=False)
    request_kind = forms.ChoiceField(
        label=_("Request"), choices=[("", "–"), *Application.Request.choices], required=False
    )
    request_number = forms.CharField(label=_("Number of the request"), max_length=30, required=False)


class NewForm(ReservationForm):
    household = forms.CharField(
        label=_("Household known here"),
        required=False,
        help_text=_("Its reference or that of its lease; left empty, the household is new."),
    )
    last_name = forms.CharField(label=_("Last name"), max_length=80, required=False)
    first_name = forms.CharField(label=_("First name"), max_length=80, required=False)
    born_on = forms.DateField(label=_("Date of birth"), required=False)
    phone = forms.CharField(label=_("Telephone"), max_length=20, required=False)
    email = forms.EmailField(label=_("E-mail"), required=False)
    partner_last_name = forms.CharField(label=_("Joint tenant: last name"), max_length=80, required=False)
    partner_first_name = forms.CharField(label=_("Joint tenant: first name"), max_length=80, required=False)
    home = HomeField(
        label=_("Home proposed"), required=False, help_text=_("Reference of the home or place, if known.")
    )
    start = forms.DateField(label=_("First day of the lease"), required=False)
    field_order = [
        "household", "last_name", "first_name", "born_on", "phone", "email", "partner_last_name",
        "partner_first_name", "adults", "children", "home", "start",
    ]  # fmt: skip

    def clean_household(self):
        text = self.cleaned_data["household"].strip()
        if not text:
            return None
        found = Household.objects.filter(Q(reference__iexact=text) | Q(leases__reference__iexact=text))
        one = found.distinct().first()
        if one is None:
            raise forms.ValidationError(_("No household has this reference."))
        return one

    def clean(self):
        told = super().clean()
        if not self.errors and not told["household"] and not told["last_name"]:
            self.add_error("last_name", _("Give a name, or the reference of a household."))
        return told


class NewApplication(ActionPage):
    """Open a file: a household known or new, and the home if one is proposed."""

    resource = "application"
    title = _("New file")
    intro = _("The lease is made from the file, once the offer is accepted.")
    form_class = NewForm
    submit_label = _("Open the file")
    done_text = _("The file is open.")

    def get_initial(self):
        found = {}
        get = self.request.GET
        if get.get("place", "").isdigit():
            place = Place.objects.filter(pk=get["place"]).first()
            found |= {"home": place.reference} if place else {}
        if get.get("household", "").isdigit():
            household = Household.objects.filter(pk=get["household"]).first()
            found |= {"household": household.reference} if household else {}
        return found

    @property
    def cancel_url(self):
        return reverse("applications")

    def act(self, form):
        told = dict(form.cleaned_data)
        person = NewPerson(
            *(told.pop(name) or None if name == "born_on" else told.pop(name).strip()
              for name in ("last_name", "first_name", "born_on", "email", "phone"))
        )  # fmt: skip
        partner = NewPerson(told.pop("partner_last_name").strip(), told.pop("partner_first_name").strip())
        household, place = told.pop("household"), told.pop("home")
        if place is not None:
            told |= {"place": place} | applications.proposed_terms(place, on=today())
        return applications.open_application(
            household=household,
            head=None if household else person,
            partner=partner if partner.last_name else None,
            on=today(),
            by=self.request.user,
            **told,
        )

    def done(self, result, form):
        self.opened = result
        return super().done(result, form)

    def get_success_url(self):
        return reverse("application", args=[self.opened.pk])

    def breadcrumb(self):
        return [{"label": _("Applications"), "url": self.cancel_url}, {"label": self.title}]
