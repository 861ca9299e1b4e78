"""Co-ownerships: our lots, the syndic's calls of funds, its yearly account."""

from django import forms
from django.db.models import Count, Sum
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core.money import EuroFormField, euros
from core.pages import Action, ActionPage, ListColumn, ListPage, Page, Preview
from core.today import today
from leases.yearly.co_ownership import (
    AccountLine,
    CoOwnership,
    FundCall,
    add_lot,
    call_funds,
    enter_syndic_account,
    found_co_ownership,
    syndic_balance,
)
from leases.yearly.expenses import CATEGORIES
from portfolio.models import Unit


class CoOwnershipList(ListPage):
    """Every co-ownership that we have lots in."""

    resource = "expense"
    title = _("Co-ownerships")
    queryset = CoOwnership.objects.annotate(lots_count=Count("lots"), ours=Sum("lots__shares"))
    default_sort = "name"
    export_name = "coproprietes"
    empty_text = _("No co-ownership yet: add one, then its lots.")
    columns = [
        ListColumn("name", _("Name"), sort="name", sub="reference"),
        ListColumn("syndic", _("Managing agent (syndic)"), sort="syndic"),
        ListColumn("lots", _("Lots"), "lots_count", kind="int"),
        ListColumn("ours", _("Our tantièmes"), kind="int"),
        ListColumn("shares", _("Of the whole"), kind="int"),
    ]

    def row_url(self, one):
        return reverse("co-ownership", args=[one.pk])

    def actions(self):
        if not self.may("change"):
            return []
        return [Action(_("Add a co-ownership"), reverse("co-ownership-add"), primary=True, icon="plus")]


class AddForm(forms.Form):
    reference = forms.CharField(label=_("Reference"), max_length=20)
    name = forms.CharField(label=_("Name"), max_length=120)
    syndic = forms.CharField(label=_("Managing agent (syndic)"), max_length=120, required=False)
    shares = forms.IntegerField(label=_("Tantièmes of the whole"), min_value=1, initial=1000)


class AddCoOwnership(ActionPage):
    resource = "expense"
    title = _("Add a co-ownership")
    form_class = AddForm
    done_text = _("The co-ownership is added: record our lots.")

    @property
    def cancel_url(self):
        return reverse("co-ownerships")

    def act(self, form):
        self.made = found_co_ownership(**form.cleaned_data, by=self.request.user)
        return self.made

    def get_success_url(self):
        return reverse("co-ownership", args=[self.made.pk])


class CoOwnershipPage(Page):
    """A co-ownership: its lots of ours, and each year with its syndic."""

    resource = "expense"
    template_name = "leases/co_ownership.html"

    def get_context_data(self, **kwargs):
        one = get_object_or_404(CoOwnership, pk=self.kwargs["pk"])
        self.title = one.name
        years = sorted(
            set(one.calls.values_list("year", flat=True)) | set(one.expenses.values_list("year", flat=True)),
            reverse=True,
        )
        actions = []
        if self.may("change"):
            actions = [
                Action(_("Enter the yearly account"), reverse("syndic-account", args=[one.pk]), primary=True),
                Action(_("Record a call of funds"), reverse("fund-call", args=[one.pk])),
                Action(_("Add a lot"), reverse("lot-add", args=[one.pk])),
            ]
        return super().get_context_data(
            one=one,
            lots=list(one.lots.select_related("unit").order_by("number")),
            calls=list(one.calls.order_by("-due")[:40]),
            years=[(year, syndic_balance(one, year)) for year in years],
            actions=actions,
            **kwargs,
        )

    def breadcrumb(self):
        return [{"label": _("Co-ownerships"), "url": reverse("co-ownerships")}, {"label": self.title}]


class OfCoOwnership(ActionPage):
    """An act on one co-ownership."""

    resource = "expense"

    @cached_property
    def one(self):
        return get_object_or_404(CoOwnership, pk=self.kwargs["pk"])

    @property
    def intro(self):
        return self.one.name

    @property
    def cancel_url(self):
        return reverse("co-ownership", args=[self.one.pk])

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return [
            {"label": _("Co-ownerships"), "url": reverse("co-ownerships")},
            {"label": self.one.name, "url": self.cancel_url},
            {"label": self.title},
        ]


class LotForm(forms.Form):
    unit = forms.CharField(label=_("Reference of the home"), max_length=20)
    number = forms.CharField(label=_("Lot number"), max_length=10)
    shares = forms.IntegerField(label=_("Tantièmes"), min_value=0, max_value=1_000_000)

    def clean_unit(self):
        unit = Unit.objects.filter(reference__iexact=self.cleaned_data["unit"].strip()).first()
        if unit is None:
            raise forms.ValidationError(_("No home has this reference."))
        return unit


class AddLot(OfCoOwnership):
    title = _("Add a lot")
    form_class = LotForm
    done_text = _("The lot is recorded.")

    def act(self, form):
        return add_lot(self.one, **form.cleaned_data, by=self.request.user)


class CallForm(forms.Form):
    nature = forms.ChoiceField(label=_("Nature"), choices=FundCall.Nature.choices)
    year = forms.IntegerField(label=_("Year"), min_value=2000, max_value=2100)
    due = forms.DateField(label=_("Due"))
    amount = EuroFormField(label=_("Amount for our lots"))


class AddCall(OfCoOwnership):
    title = _("Record a call of funds")
    form_class = CallForm
    done_text = _("The call of funds is recorded.")

    def get_initial(self):
        return {"year": today().year, "nature": FundCall.Nature.BUDGET}

    def act(self, form):
        return call_funds(self.one, **form.cleaned_data, by=self.request.user)


class AccountForm(forms.Form):
    """The syndic's account of a year, nature by nature, for the whole co-ownership."""

    year = forms.IntegerField(label=_("Year"), min_value=2000, max_value=2100)
    approved_on = forms.DateField(label=_("Approved on"), required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for code, kind in CATEGORIES.items():
            self.fields[f"spent_{code}"] = EuroFormField(label=kind.label, required=False)
            if kind.recoverable:
                self.fields[f"asked_{code}"] = EuroFormField(
                    label=_t("of which recoverable"), required=False, help_text=_t("Blank: all of it")
                )

    def clean(self):
        told = super().clean()
        for code in CATEGORIES:
            spent, asked = told.get(f"spent_{code}"), told.get(f"asked_{code}")
            if asked and (spent is None or asked > spent):
                self.add_error(f"asked_{code}", _("No more is recoverable than was spent."))
        if not any(told.get(f"spent_{code}") for code in CATEGORIES) and not self.errors:
            raise forms.ValidationError(_("Give the amount of one nature at least."))
        return told

    def lines(self) -> list[AccountLine]:
        found = []
        for code, kind in CATEGORIES.items():
            spent = self.cleaned_data.get(f"spent_{code}")
            if spent:
                asked = self.cleaned_data.get(f"asked_{code}")
                whole = spent if kind.recoverable else euros(0)
                found.append(AccountLine(code, spent, whole if asked is None else asked))
        return found


class EnterAccount(OfCoOwnership):
    title = _("Enter the yearly account")
    form_class = AccountForm
    submit_label = _("Check")
    confirm_label = _("Enter the account")
    done_text = _("The account is entered: its expenses are settled with the year's charges.")

    def get_initial(self):
        return {"year": today().year - 1}

    def preview(self, form):
        lines = form.lines()
        ours = self.one.lots.aggregate(sum=Sum("shares"))["sum"] or 0
        return Preview(
            lines=[
                (_("Year"), form.cleaned_data["year"]),
                (_("Our tantièmes"), f"{ours} / {self.one.shares}"),
                *((CATEGORIES[line.category].label, line.amount) for line in lines),
                (_("Recoverable in all"), sum((line.recoverable for line in lines), euros(0))),
            ]
        )

    def act(self, form):
        return enter_syndic_account(
            self.one,
            year=form.cleaned_data["year"],
            lines=form.lines(),
            approved_on=form.cleaned_data["approved_on"],
            by=self.request.user,
            now=timezone.now(),
        )
