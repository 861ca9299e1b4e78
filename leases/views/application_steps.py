"""The steps of a file before signature: told, completed, offered, answered, signed."""

from django import forms
from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from core.money import EuroFormField
from core.pages import ActionPage, Preview
from core.today import today
from leases.kinds import CHOICES as KIND_CHOICES
from leases.lease import Lease
from leases.tenancy import applications, signing
from leases.tenancy.applications import DOCUMENTS, SOON, Application
from leases.tenancy.means import income_year
from leases.views.applications import HomeField, ReservationForm, the_application
from leases.views.departure import AddressForm


class FileAction(ActionPage):
    """A step of one file; back to its page afterwards."""

    resource = "application"

    @cached_property
    def file(self):
        return the_application(self.kwargs["pk"])

    @property
    def intro(self):
        home = f" · {self.file.place.reference}, {self.file.place.unit.building}" if self.file.place else ""
        return f"{self.file.reference} · {self.file.name}{home}"

    @property
    def cancel_url(self):
        return reverse("application", args=[self.file.pk])

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return [
            {"label": _("Applications"), "url": reverse("applications")},
            {"label": self.file.reference, "url": self.cancel_url},
            {"label": self.title},
        ]

    def judged(self):
        """What is to be known before going on, in one warning."""
        return " ".join(one.reason for one in signing.obstacles(self.file, on=today()) if not one.grave)


class HouseholdForm(ReservationForm):
    higher_category = forms.BooleanField(
        label=_("Young couple without dependants, or somebody disabled"),
        required=False,
        help_text=_("The next category of the income ceilings."),
    )


class IncomeForm(forms.Form):
    tax_income = EuroFormField(label=_("Tax income (RFR), euros a year"), required=False, min_value=0)
    tax_year = forms.IntegerField(label=_("Of the year"), required=False, min_value=2000, max_value=2100)
    waiver = forms.CharField(
        label=_("Reference of a derogation from the ceiling"), max_length=80, required=False
    )
    monthly_income = EuroFormField(
        label=_("Income a month"), required=False, min_value=0, help_text=_("Of all who will live there.")
    )
    benefit = EuroFormField(label=_("Simulated benefit a month"), required=False, min_value=0)
    benefit_basis = forms.ChoiceField(
        label=_("Benefit from"), choices=[("", "–"), *Application.Basis.choices], required=False
    )

    def clean(self):
        told = super().clean()
        if told.get("benefit") is not None and not told.get("benefit_basis"):
            self.add_error("benefit_basis", _("Say where the amount comes from."))
        return told


class TermsForm(forms.Form):
    place = HomeField(label=_("Home proposed"), help_text=_("Reference of the home or place."))
    kind = forms.ChoiceField(
        label=_("Contract"),
        choices=[("", _("As the last lease of this home")), *KIND_CHOICES.items()],
        required=False,
    )
    start = forms.DateField(label=_("First day of the lease"))
    rent = EuroFormField(
        label=_("Rent a month"),
        required=False,
        min_value=0,
        help_text=_("Left empty: the last rent of this home."),
    )
    charges = EuroFormField(label=_("Charges a month"), required=False, min_value=0)
    deposit = EuroFormField(
        label=_("Deposit"),
        required=False,
        min_value=0,
        help_text=_("Left empty: the most this contract allows."),
    )


PARTS = {
    "household": (_("Household and reservation"), HouseholdForm),
    "income": (_("Income and benefit"), IncomeForm),
    "home": (_("Home and terms"), TermsForm),
}
"""The parts of a file that are told together."""


class ChangeApplication(FileAction):
    """One part of a file."""

    done_text = _("The file is changed.")

    @property
    def part(self):
        """Title and form of the part asked for; asked after the right to change is."""
        try:
            return PARTS[self.kwargs["part"]]
        except KeyError:
            raise Http404 from None

    @property
    def title(self):
        return self.part[0]

    def get_form_class(self):
        return self.part[1]

    def get_initial(self):
        fields = self.get_form_class().base_fields
        found = {name: getattr(self.file, name) for name in fields}
        if self.file.place and "place" in found:
            found["place"] = self.file.place.reference
        if "tax_year" in found:
            found["tax_year"] = found["tax_year"] or income_year(today())
        return found

    def act(self, form):
        told = dict(form.cleaned_data)
        if place := told.get("place"):
            # What is left empty follows from the last lease of the home.
            for name, value in applications.proposed_terms(place, on=today()).items():
                if told.get(name) in (None, ""):
                    told[name] = value
        return applications.change_application(self.file, by=self.request.user, **told)


class DocumentsForm(forms.Form):
    """Each document: not asked, expected or received."""

    STATES = [("", _("Not asked")), ("expected", _("Expected")), ("received", _("Received"))]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for kind, label in DOCUMENTS.items():
            self.fields[kind] = forms.ChoiceField(label=label, choices=self.STATES, required=False)


class FileDocuments(FileAction):
    """Which documents a file expects, which have come."""

    title = _("Documents")
    form_class = DocumentsForm
    done_text = _("The documents are noted.")

    def get_initial(self):
        return {one.kind: "received" if one.received_on else "expected" for one in self.file.documents.all()}

    def act(self, form):
        told = form.cleaned_data.items()
        return applications.note_documents(
            self.file,
            expected={kind for kind, state in told if state == "expected"},
            received={kind for kind, state in told if state == "received"},
            on=today(),
            by=self.request.user,
        )


class OfferForm(forms.Form):
    on = forms.DateField(label=_("Offered on"))
    answer_by = forms.DateField(label=_("Answer by"), required=False)


class OfferHome(FileAction):
    """Offer the home on the terms of the file."""

    title = _("Offer the home")
    form_class = OfferForm
    submit_label = _("Check")
    confirm_label = _("Offer the home")
    done_text = _("The home is offered.")

    def get_initial(self):
        return {"on": today(), "answer_by": today() + SOON}

    def preview(self, form):
        return Preview(lines=self.terms(), warning=self.judged())

    def terms(self):
        file, day = self.file, today()
        shown = [
            (_("Home"), f"{file.place.reference}, {file.place.unit.building}" if file.place else "–"),
            (_("Contract"), KIND_CHOICES.get(file.kind, "–")),
            (_("First day of the lease"), file.start),
            (_("Rent a month"), file.rent),
            (_("Charges a month"), file.charges),
            (_("Deposit"), file.deposit),
        ]
        means = applications.means_of(file, on=day)
        if means and means.effort is not None:
            shown += [
                (_("Share of the income"), means.effort_words),
                (_("Left to live on"), means.left_words),
            ]
        return shown

    def act(self, form):
        return signing.offer_home(self.file, **form.cleaned_data, by=self.request.user)


class AcceptForm(forms.Form):
    on = forms.DateField(label=_("Accepted on"))


class AcceptOffer(FileAction):
    """The household takes the home."""

    title = _("The offer is accepted")
    form_class = AcceptForm
    submit_label = _("Record the answer")
    done_text = _("The offer is accepted: the lease can be signed.")

    def get_initial(self):
        return {"on": today()}

    def act(self, form):
        return applications.accept_offer(self.file, on=form.cleaned_data["on"], by=self.request.user)


class CloseForm(forms.Form):
    on = forms.DateField(label=_("On"))
    reason = forms.ChoiceField(label=_("Reason"), choices=Application.Closed.choices)
    note = forms.CharField(label=_("Note"), max_length=200, required=False)


class CloseApplication(FileAction):
    """The home is refused, or the file ends without a lease."""

    title = _("Refuse or close the file")
    form_class = CloseForm
    submit_label = _("Close the file")
    danger = True
    done_text = _("The file is closed.")

    def get_initial(self):
        return {"on": today()}

    def act(self, form):
        return applications.close_application(self.file, **form.cleaned_data, by=self.request.user)


class StepBack(FileAction):
    """The last step was a mistake."""

    title = _("Undo the last step")
    form_class = forms.Form
    submit_label = _("Undo the last step")
    danger = True
    done_text = _("The last step is undone.")

    def act(self, form):
        return applications.step_back(self.file, by=self.request.user)


class SignForm(forms.Form):
    on = forms.DateField(label=_("Signed on"))
    billing = forms.ChoiceField(label=_("Called"), choices=Lease.Billing.choices)
    due_day = forms.IntegerField(label=_("Due day"), min_value=1, max_value=28, initial=5)
    iban = forms.CharField(
        label=_("Account the rent is paid from (IBAN)"),
        max_length=42,
        required=False,
        help_text=_("If known: its transfers are then recognised."),
    )
    deposit_asked = forms.BooleanField(label=_("Call the deposit now"), required=False, initial=True)
    leaves = forms.ModelChoiceField(
        label=_("Lease that ends the day before"),
        queryset=Lease.objects.none(),
        required=False,
        empty_label=_("None"),
        help_text=_("The household moves from another home of ours."),
    )
    clean_iban = AddressForm.clean_iban

    def __init__(self, *args, running: QuerySet, **kwargs):
        super().__init__(*args, **kwargs)
        if running:
            self.fields["leaves"].queryset = running
        else:
            del self.fields["leaves"]


class SignLease(OfferHome):
    """The lease comes from the file: parties, terms, occupation, deposit, at once."""

    title = _("Sign the lease")
    form_class = SignForm
    confirm_label = _("Sign the lease")
    done_text = _("The lease is made; the next rent run calls it.")

    @cached_property
    def running(self):
        return Lease.objects.filter(household=self.file.household_id, end=None).order_by("-start")

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"running": self.running}

    def get_initial(self):
        former = self.running.first()
        return {"on": today(), "billing": Lease.Billing.IN_ADVANCE, "leaves": former}

    def preview(self, form):
        shown = super().preview(form)
        if former := form.cleaned_data.get("leaves"):
            shown.lines.append((_("Lease that ends the day before"), former.reference))
        return shown

    def act(self, form):
        return signing.sign_lease(self.file, **form.cleaned_data, by=self.request.user, now=timezone.now())

    def done(self, result, form):
        self.signed = result
        return super().done(result, form)

    def get_success_url(self):
        return reverse("lease", args=[self.signed.pk])
