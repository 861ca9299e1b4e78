"""Expenses of buildings: the list, one entered, one reversed, a file of them; the keys they are shared by."""

import re
from decimal import Decimal

from django import forms
from django.db.models import Exists, OuterRef, Sum
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import get_language
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core.money import EuroFormField
from core.pages import Action, ActionPage, ListColumn, ListPage, Preview
from core.periods import Period
from core.templatetags.gla import day_text
from core.today import today
from leases import intake
from leases.filters import ExpenseFilter
from leases.yearly.expense_files import EXPENSE_COLUMNS, SHARE_COLUMNS
from leases.yearly.expenses import (
    CATEGORY_CHOICES,
    EVERY,
    KEYS,
    METER,
    MOST,
    TANTIEMES,
    VALUED,
    Expense,
    KeyTotal,
    UnitShare,
    choose_policy,
    drafted,
    exercise,
    policy,
    record_expense,
    reverse_expense,
    set_share,
    set_total,
)
from portfolio.models import Building, Site, Unit
from portfolio.views.imports import ImportPage, TemplateFile


def place_name(expense) -> str:
    """Where an expense is, short: site, address or home."""
    if expense.site_id:
        return expense.site.name
    return expense.building.address if expense.building_id else expense.unit.reference


def place_sub(expense) -> str:
    if expense.site_id:
        return _t("whole site")
    building = expense.building or expense.unit.building
    return building.commune if expense.building_id else f"{building.address}, {building.commune}"


def expense_state(expense):
    if expense.undoes_id:
        return "off", _t("Reversal")
    return ("off", _t("Reversed")) if expense.reversed else ("good", _t("Entered"))


def shared_by(expense) -> str:
    return "" if expense.unit_id else str(expense.get_key_display())


class ExpenseList(ListPage):
    """Every expense, the latest first."""

    resource = "expense"
    title = _("Expenses")
    subtitle = _("What buildings cost, and what of it tenants owe.")
    queryset = Expense.objects.select_related("site", "building", "unit__building").annotate(
        reversed=Exists(Expense.objects.filter(undoes=OuterRef("pk")))
    )
    filterset_class = ExpenseFilter
    default_sort = "-entered"
    export_name = "depenses"
    empty_text = _("No expense yet: enter the invoices of a building, or import them.")
    columns = [
        ListColumn("place", _("Place"), place_name, sub=place_sub),
        ListColumn("year", _("Year"), lambda e: str(e.year), sort="year"),
        ListColumn("category", _("Nature"), "get_category_display", sort="category", sub=shared_by),
        ListColumn("supplier", _("Supplier"), sort="supplier", sub="invoice"),
        ListColumn("invoiced_on", _("Invoiced on"), kind="date", sort="invoiced_on"),
        ListColumn("entered", _("Entered"), "entered_at", kind="moment", sort="entered_at", page=False),
        ListColumn("state", _("State"), expense_state, kind="state"),
        ListColumn("amount", _("Amount"), kind="euros", sort="amount"),
        ListColumn("recoverable", _("Recoverable"), kind="euros", sort="recoverable"),
    ]

    @cached_property
    def sort(self):
        # The column of the default order stands in the spreadsheet only.
        asked = self.request.GET.get("sort", "")
        sortable = {c.key for c in self.columns if c.sort}
        return asked if asked.removeprefix("-") in sortable else self.default_sort

    def row_url(self, expense):
        return reverse("expense-reverse", args=[expense.pk]) if self.may("change") else ""

    def totals(self, rows):
        return rows.order_by().aggregate(amount=Sum("amount"), recoverable=Sum("recoverable"))

    def actions(self):
        if not self.may("change"):
            return []
        found = [
            Action(_("Enter an expense"), reverse("expense-add"), primary=True, icon="plus"),
            Action(_("Import expenses"), reverse("import-expenses"), icon="upload"),
        ]
        if self.may("view", "charges"):
            found.append(Action(_("Settlements"), reverse("charge-runs")))
        found.append(Action(_("Co-ownerships"), reverse("co-ownerships")))
        return found


# ---- one expense ------------------------------------------------------------------------


class ExpenseForm(forms.Form):
    """An invoice, or a tax notice, for a place and a year."""

    place = forms.CharField(
        label=_("Reference of the site, the building or the home"),
        help_text=_("The expense is shared among the homes of that place."),
        max_length=24,
    )
    year = forms.IntegerField(label=_("Year"), min_value=2000, max_value=2100)
    category = forms.TypedChoiceField(label=_("Nature"), choices=list(CATEGORY_CHOICES.items()), coerce=int)
    key = forms.TypedChoiceField(
        label=_("Shared by"),
        choices=[("", _("The usual key of this nature")), *KEYS.items()],
        coerce=int,
        required=False,
        empty_value=None,
    )
    supplier = forms.CharField(label=_("Supplier"), max_length=120)
    invoice = forms.CharField(label=_("Invoice number"), max_length=60, required=False)
    invoiced_on = forms.DateField(label=_("Invoiced on"), required=False)
    amount = EuroFormField(label=_("Amount"))
    recoverable = EuroFormField(
        label=_("Recoverable"), required=False, help_text=_("Blank: what the law allows for this nature.")
    )
    first = forms.DateField(
        label=_("First day"), required=False, help_text=_("Blank: from the start of the year.")
    )
    last = forms.DateField(label=_("Last day"), required=False)

    def clean_place(self):
        reference = self.cleaned_data["place"].strip()
        for name, model in (("building", Building), ("site", Site), ("unit", Unit)):
            if thing := model.objects.filter(reference__iexact=reference).first():
                return {name: thing}
        raise forms.ValidationError(_("No site, building or home has this reference."))

    def clean(self):
        told = super().clean()
        if told.get("first") and told.get("last") and told["last"] < told["first"]:
            self.add_error("last", _("The end comes before the start."))
        return told

    def told(self) -> dict:
        """As record_expense takes it."""
        data = dict(self.cleaned_data)
        place, first, last = data.pop("place"), data.pop("first"), data.pop("last")
        whole = exercise(data["year"])
        days = Period.from_to(first or whole.start, last or whole.last_day) if first or last else None
        return {**place, **data, "days": days}


class AddExpense(ActionPage):
    """Enter an expense."""

    resource = "expense"
    title = _("Enter an expense")
    form_class = ExpenseForm
    submit_label = _("Check")
    confirm_label = _("Enter")
    done_text = _("The expense is entered.")

    @property
    def cancel_url(self):
        return reverse("expenses")

    def get_success_url(self):
        return reverse("expenses")

    def get_initial(self):
        asked = self.request.GET
        building = (
            Building.objects.filter(pk=asked["building"]).first()
            if asked.get("building", "").isdigit()
            else None
        )
        return {"year": today().year - 1, "place": building.reference if building else ""}

    def preview(self, form):
        told = form.told()
        seen = drafted(**told, by=self.request.user, now=timezone.now())
        return Preview(
            lines=[
                (_("Place"), str(seen.place)),
                (_("Nature"), seen.get_category_display()),
                (_("Shared by"), seen.get_key_display()),
                (
                    _("Days"),
                    _t("%(first)s to %(last)s")
                    % {"first": day_text(seen.start), "last": day_text(told_last(seen))},
                ),
                (_("Amount"), seen.amount),
                (_("Recoverable"), seen.recoverable),
            ]
        )

    def act(self, form):
        return record_expense(**form.told(), by=self.request.user, now=timezone.now())

    def breadcrumb(self):
        return [{"label": _("Expenses"), "url": reverse("expenses")}, {"label": self.title}]


def told_last(expense):
    """The last day that an expense is for."""
    return Period(expense.start, expense.end).last_day


class ReverseExpense(ActionPage):
    """An expense as it was entered, and its undoing."""

    resource = "expense"
    title = _("Reverse an expense")
    form_class = forms.Form
    submit_label = _("Reverse this expense")
    done_text = _("The expense is reversed; a settlement already made is corrected by the next.")
    template_name = "leases/expense_reverse.html"
    danger = True

    @cached_property
    def expense(self):
        return get_object_or_404(
            Expense.objects.select_related("site", "building", "unit__building"), pk=self.kwargs["pk"]
        )

    @property
    def cancel_url(self):
        return reverse("expenses")

    def get_success_url(self):
        return reverse("expenses")

    def act(self, form):
        return reverse_expense(self.expense, by=self.request.user, now=timezone.now())

    def get_context_data(self, **kwargs):
        one = self.expense
        return super().get_context_data(
            expense=one,
            place=place_name(one),
            place_sub=place_sub(one),
            last=told_last(one),
            undone=bool(one.undoes_id) or Expense.objects.filter(undoes=one).exists(),
            **kwargs,
        )

    def breadcrumb(self):
        return [{"label": _("Expenses"), "url": reverse("expenses")}, {"label": self.title}]


# ---- files ------------------------------------------------------------------------------


class ImportExpenses(ImportPage):
    resource = "expense"
    title = _("Import expenses")
    intro = _("One line an invoice and nature: for a site, a building or one home.")
    columns = EXPENSE_COLUMNS
    job_kind = intake.expense_file.kind
    template_url = "import-expenses-template"


class ExpensesTemplate(TemplateFile):
    resource = "expense"
    columns = EXPENSE_COLUMNS
    name = "depenses"


class ImportShares(ImportPage):
    resource = "expense"
    title = _("Import values of keys")
    intro = _("One line a home: its tantièmes, or what its meter read for a year.")
    columns = SHARE_COLUMNS
    job_kind = intake.share_file.kind
    template_url = "import-keys-template"


class SharesTemplate(TemplateFile):
    resource = "expense"
    columns = SHARE_COLUMNS
    name = "cles"


# ---- keys of a building -----------------------------------------------------------------


class KeyChoice(forms.Form):
    """Which key of a building, for which nature and year."""

    key = forms.TypedChoiceField(label=_("Key"), choices=[(key, KEYS[key]) for key in VALUED], coerce=int)
    category = forms.TypedChoiceField(
        label=_("Nature"), choices=[(EVERY, _("Every nature")), *CATEGORY_CHOICES.items()], coerce=int
    )
    year = forms.IntegerField(
        label=_("Year"), required=False, min_value=2000, max_value=2100, help_text=_("Blank: every year")
    )


class QuantityField(forms.DecimalField):
    """A number of two decimals, typed with a comma or a point: 1 234,56."""

    def __init__(self, **kwargs):
        widget = forms.TextInput(attrs={"inputmode": "decimal", "class": "form-control", "size": 9})
        super().__init__(**{"decimal_places": 2, "required": False, "widget": widget, **kwargs})

    def to_python(self, value):
        if isinstance(value, str):
            value = re.sub(r"[\s\u00a0\u202f]", "", value).replace(",", ".")
        return super().to_python(value)

    def prepare_value(self, value):
        if not isinstance(value, Decimal):
            return value
        text = f"{value.normalize():f}"
        return text.replace(".", ",") if get_language() != "en" else text


class BuildingKeys(ActionPage):
    """What each home of a building counts for: tantièmes, meter readings, and the whole of the building."""

    resource = "expense"
    title = _("Distribution keys")
    template_name = "leases/building_keys.html"
    submit_label = _("Save")
    done_text = _("The values are kept; a settlement already made is corrected by the next.")

    @cached_property
    def building(self):
        return get_object_or_404(Building.objects.select_related("site"), pk=self.kwargs["pk"])

    @cached_property
    def choice(self):
        """(key, category, year) asked; tantièmes of every nature and year by default."""
        asked = KeyChoice(self.request.GET)
        if not asked.is_valid():
            return TANTIEMES, EVERY, EVERY
        data = asked.cleaned_data
        return data["key"], data["category"], data["year"] or EVERY

    @cached_property
    def units(self):
        return list(self.building.units.order_by("reference"))

    def get_form_class(self):
        made = {
            f"share_{one.pk}": QuantityField(label=one.reference, min_value=0, max_value=MOST, max_digits=8)
            for one in self.units
        }
        made["total"] = QuantityField(
            label=_("Whole building, where it holds more homes than ours"),
            min_value=Decimal("0.01"),
            max_digits=10,
        )
        return type("SharesForm", (forms.Form,), made)

    def get_initial(self):
        key, category, year = self.choice
        kept = UnitShare.objects.filter(unit__building=self.building, key=key, category=category, year=year)
        total = KeyTotal.objects.filter(building=self.building, key=key).first()
        return {f"share_{one.unit_id}": one.value for one in kept} | {"total": total and total.value}

    def act(self, form):
        key, category, year = self.choice
        before = self.get_initial()
        for unit in self.units:
            value = form.cleaned_data[f"share_{unit.pk}"]
            if value is not None and value != before.get(f"share_{unit.pk}"):
                set_share(unit, key=key, category=category, year=year, value=value, by=self.request.user)
        if form.cleaned_data["total"] != before["total"]:
            set_total(self.building, key=key, value=form.cleaned_data["total"], by=self.request.user)

    def get_success_url(self):
        return self.request.get_full_path()

    @property
    def cancel_url(self):
        return reverse("building", args=[self.building.pk])

    def get_context_data(self, **kwargs):
        key, category, year = self.choice
        context = super().get_context_data(**kwargs)
        form = context["form"]
        return context | {
            "building": self.building,
            "rows": [(unit, form[f"share_{unit.pk}"]) for unit in self.units],
            "surface": sum((unit.living_surface for unit in self.units), Decimal(0)),
            "key_form": KeyChoice(initial={"key": key, "category": category, "year": year or None}),
            "key_label": KEYS[key],
            "unit_word": _("m³ or kWh") if key == METER else "",
        }

    def breadcrumb(self):
        return [
            {"label": self.building.address, "url": self.cancel_url},
            {"label": self.title},
        ]


# ---- the association's choices ----------------------------------------------------------


class PolicyForm(forms.Form):
    """What the association chooses; the law stays what it is."""

    first_month = forms.IntegerField(
        label=_("First month of the year of charges"), min_value=1, max_value=12, help_text=_("1: January")
    )
    instalments_above = EuroFormField(
        label=_("In instalments above"), required=False, help_text=_("Blank: a debit is paid at once.")
    )
    instalments = forms.IntegerField(
        label=_("Number of instalments"), min_value=1, max_value=24, help_text=_("One each month.")
    )
    round_to = EuroFormField(
        label=_("Next provisions rounded up to"), help_text=_("1,00: the euro above; 0,01: to the cent.")
    )


class ChargePolicyPage(ActionPage):
    """The association's own choices about charges."""

    resource = "charge_policy"
    title = _("Choices about charges")
    intro = _("They hold for the settlements to come.")
    form_class = PolicyForm
    done_text = _("The choices are kept.")

    def get_initial(self):
        chosen = policy()
        return {
            "first_month": chosen.first_month,
            "instalments_above": chosen.instalments_above,
            "instalments": chosen.instalments,
            "round_to": chosen.round_to,
        }

    def act(self, form):
        return choose_policy(**form.cleaned_data, by=self.request.user, now=timezone.now())

    @property
    def cancel_url(self):
        return reverse("charge-runs")

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return [{"label": _("Settlements of charges"), "url": reverse("charge-runs")}, {"label": self.title}]
