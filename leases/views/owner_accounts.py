"""Owners' accounts: the month of everybody, one owner's statement, its year, terms and invoices."""

from datetime import date

from django import forms
from django.db.models import Sum
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit, jobs, tables
from core.access import Forbidden
from core.cells import Column
from core.money import EuroFormField, euros, from_cents
from core.pages import Action, ActionPage, ListColumn, ListPage, Page, Preview
from core.periods import NotAMonth, Period, next_month
from core.templatetags.gla import month_text
from core.today import today
from leases.accounts.owner_accounts import (
    figures_of,
    last_month_made,
    latest_statements,
    month_to_make,
    statement_facts,
)
from leases.accounts.owner_dues import charge_invoice, owed_head_rents
from leases.accounts.owner_fees import Fee
from leases.accounts.owner_terms import (
    RENT_ANYWAY_TITLES,
    Basis,
    HeadRent,
    MandateTerms,
    set_head_rent,
    set_terms,
)
from leases.accounts.owner_year import property_income
from leases.accounts.payouts import paid_to
from leases.filters import OwnerStatementFilter
from leases.papers.owner_papers import of_owner
from portfolio.models import Holding, Owner, Unit
from portfolio.owners import OWNERS_BOOK_TITLES


def asked_month(text: str | None, otherwise: date) -> date:
    """The first of the month written YYYY-MM, or another; 404 where it cannot be read."""
    if not text:
        return otherwise
    try:
        return Period.parse_month(text).start
    except NotAMonth as error:
        raise Http404 from error


def month_input(month: date) -> forms.CharField:
    """A box for a month."""
    return forms.CharField(
        label=_("Month"),
        initial=f"{month:%Y-%m}",
        widget=forms.TextInput(attrs={"type": "month", "pattern": "[0-9]{4}-[0-9]{2}", "size": 9}),
    )


class StatementList(ListPage):
    """The owners' statements of a month, each with what is to pay."""

    resource = "owner_account"
    template_name = "leases/owner_statements.html"
    filterset_class = OwnerStatementFilter
    default_sort = "owner"
    export_name = "comptes-rendus-de-gestion"
    columns = [
        ListColumn("owner", _("Owner"), "owner.name", sort="owner__name", sub="owner.reference"),
        ListColumn("brought", _("Brought forward"), kind="euros", page=False),
        ListColumn("called", _("Called"), kind="euros", sort="called"),
        ListColumn("collected", _("Collected"), kind="euros", sort="collected"),
        ListColumn("outstanding", _("Unpaid by tenants"), kind="euros", sort="outstanding"),
        ListColumn("fees", _("Fees and VAT"), lambda one: one.fees + one.vat, kind="euros"),
        ListColumn("spent", _("Spent"), kind="euros", sort="spent"),
        ListColumn("guaranteed", _("Guarantees"), kind="euros", page=False),
        ListColumn("other", _("Other"), kind="euros", page=False),
        ListColumn("paid", _("Paid to the owner"), kind="euros", page=False),
        ListColumn("held", _("Held"), kind="euros", sort="held"),
        ListColumn("deposits", _("Deposits"), kind="euros", page=False),
        ListColumn("to_pay", _("To pay"), kind="euros", sort="to_pay"),
        ListColumn("head_owed", _("Head rent owed"), kind="euros", sort="head_owed"),
    ]

    @cached_property
    def month(self) -> date:
        return asked_month(self.request.GET.get("month"), last_month_made() or month_to_make(today()))

    @property
    def title(self):
        return _t("Owners' accounts, %(month)s") % {"month": month_text(self.month)}

    @property
    def empty_text(self):
        return _t("No statement of this month yet: make the owners' month.")

    def get_queryset(self):
        return latest_statements(self.month).select_related("owner")

    def row_url(self, one):
        return f"{reverse('owner-account', args=[one.owner_id])}?month={self.month:%Y-%m}"

    def urgent(self, one):
        return one.held < euros(0)

    def totals(self, rows):
        named = [c.key for c in self.columns if c.kind == "euros" and c.key != "fees"]
        sums = rows.aggregate(**{f"sum_{name}": Sum(name) for name in (*named, "fees", "vat")})
        found = {name: sums[f"sum_{name}"] for name in named}
        return found | {"fees": sums["sum_fees"] + sums["sum_vat"]}

    def was_read(self, things, *, export):
        audit.record_read(self.request.user, "owner_account", [one.owner_id for one in things])

    def actions(self):
        found = []
        if self.may("change"):
            words = _t("Make the owners' month")
            found = [
                Action(words, f"{reverse('owner-month')}?month={month_to_make(today()):%Y-%m}"),
                Action(_t("Pay owners"), reverse("payouts-new"), primary=True),
            ]
        return [
            *found,
            Action(_t("Statements as PDF"), f"{reverse('owner-papers')}?month={self.month:%Y-%m}"),
            Action(_t("Payments"), reverse("payouts")),
            Action(_t("Client money"), reverse("client-money")),
            Action(_t("Register of mandates"), reverse("mandate-register")),
        ]

    def get_context_data(self, **kwargs):
        return super().get_context_data(
            made=self.get_queryset().order_by("-made_at").first(),
            **kwargs,
        )


class MonthForm(forms.Form):
    month = month_input(date(2026, 1, 1))

    def clean_month(self):
        try:
            return Period.parse_month(self.cleaned_data["month"]).start
        except NotAMonth as error:
            raise forms.ValidationError(_("This is not a month: write it as 2026-03.")) from error


class MakeMonth(ActionPage):
    """Head rents, guarantees, fees and statements of a month, as long work."""

    resource = "owner_account"
    form_class = MonthForm
    title = _("Make the owners' month")
    intro = _(
        "Calls head rents, counts guarantees and fees, then makes every statement. Nothing is posted twice."
    )
    submit_label = _("Check")
    confirm_label = _("Make the month")

    @property
    def cancel_url(self):
        return reverse("owner-statements")

    def get_initial(self):
        month = asked_month(self.request.GET.get("month"), month_to_make(today()))
        return {"month": f"{month:%Y-%m}"}

    def preview(self, form):
        month = form.cleaned_data["month"]
        told = figures_of(month)
        heads = sum(cents for _holding, cents in owed_head_rents(month).values())
        counted = Fee.objects.filter(month=month).count()
        lines = [
            (_("Month"), month_text(month)),
            (_("Owners"), len(told)),
            (_("Collected"), sum((one.collected for one in told.values()), euros(0))),
            (_("Head rents of the month"), from_cents(heads)),
            (_("Owners whose fee is counted already"), counted),
        ]
        warning = ""
        if today() < next_month(month):
            warning = _t("This month is not over yet: its fees cannot be counted.")
        return Preview(lines=lines, warning=warning)

    def act(self, form):
        text = f"{form.cleaned_data['month']:%Y-%m}"
        return jobs.start("owner_statements", by=self.request.user, once=text, month=text)

    def done(self, result, form):
        return redirect(result)

    def breadcrumb(self):
        return [{"label": _("Owners' accounts"), "url": reverse("owner-statements")}, {"label": self.title}]


# ---- one owner ------------------------------------------------------------------------------


class OwnerPart:
    """What the pages of one owner's account share."""

    resource = "owner_account"

    @cached_property
    def owner(self) -> Owner:
        return get_object_or_404(Owner, pk=self.kwargs["pk"])

    def breadcrumb(self):
        return [
            {"label": _("Owners' accounts"), "url": reverse("owner-statements")},
            {"label": self.owner.name, "url": reverse("owner-account", args=[self.owner.pk])},
            {"label": self.title},
        ]


SHEET = [
    Column("Logement"),
    Column("Adresse"),
    Column("Bail"),
    Column("Appelé", "euros"),
    Column("dont aide", "euros"),
    Column("Autres", "euros"),
    Column("Encaissé locataire", "euros"),
    Column("Encaissé aide", "euros"),
    Column("Reste dû", "euros"),
    Column("Aide attendue", "euros"),
    Column("Dépôt", "euros"),
    Column("Jours vacants", "int"),
]


class OwnerAccount(OwnerPart, Page):
    """An owner's management statement of a month, from the ledger as it is now (*compte rendu de gestion*)."""

    template_name = "leases/owner_account.html"

    @cached_property
    def month(self) -> date:
        return asked_month(self.request.GET.get("month"), last_month_made() or month_to_make(today()))

    @property
    def title(self):
        return _t("Statement of %(month)s") % {"month": month_text(self.month)}

    def get(self, request, *args, **kwargs):
        if request.GET.get("export") in tables.FORMATS:
            return self.export(request.GET["export"])
        return super().get(request, *args, **kwargs)

    def export(self, format: str) -> HttpResponse:
        if not self.may("export"):
            raise Forbidden(self.resource, "export")
        facts = statement_facts(self.owner, self.month)
        rows = [
            [
                one.unit,
                one.address,
                one.lease,
                one.called,
                one.aid,
                one.charged,
                one.paid,
                one.aid_paid,
                one.owed,
                one.aid_waited,
                one.deposit,
                one.vacant,
            ]
            for one in facts.units
        ]
        audit.record(
            self.request.user,
            "export",
            self.resource,
            self.owner.pk,
            format=format,
            month=f"{self.month:%Y-%m}",
        )
        name = f"crg-{self.owner.reference}-{self.month:%Y-%m}.{format}"
        return HttpResponse(
            tables.write_table(SHEET, rows, format=format, sheet=f"{self.month:%Y-%m}"),
            content_type=tables.FORMATS[format],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def get_context_data(self, **kwargs):
        facts = statement_facts(self.owner, self.month)
        kept = latest_statements(self.month).filter(owner=self.owner).first()
        audit.record_read(self.request.user, "owner_account", [self.owner.pk])
        return super().get_context_data(
            owner=self.owner,
            facts=facts,
            totals=unit_totals(facts.units),
            month=self.month,
            before=f"{month_to_make(self.month):%Y-%m}",
            after=f"{next_month(self.month):%Y-%m}" if next_month(self.month) <= today() else "",
            kept=kept,
            changed=kept is not None and kept.figures != facts.figures,
            has_mandate=self.owner.holdings.filter(title__in=OWNERS_BOOK_TITLES).exists(),
            payouts=paid_to(self.owner),
            papers=of_owner(self.owner).order_by("-month", "-number", "kind")[:12],
            exports=[(name, f"?month={self.month:%Y-%m}&export={name}") for name in tables.FORMATS]
            if self.may("export")
            else [],
            actions=self.actions(),
            **kwargs,
        )

    def breadcrumb(self):
        return [
            {
                "label": _("Owners' accounts"),
                "url": f"{reverse('owner-statements')}?month={self.month:%Y-%m}",
            },
            {"label": self.owner.name},
        ]

    def actions(self):
        pk = self.owner.pk
        found = [Action(_t("Year for the tax return"), f"{reverse('owner-year', args=[pk])}")]
        if self.may("change"):
            found = [
                Action(_t("Charge an invoice"), reverse("owner-expense", args=[pk]), icon="plus"),
                Action(_t("Terms"), reverse("owner-terms", args=[pk])),
                Action(
                    _t("Statement as PDF"),
                    f"{reverse('owner-paper-make', args=[pk])}?month={self.month:%Y-%m}",
                ),
                *found,
            ]
        return found


def unit_totals(units) -> dict:
    names = ("called", "aid", "charged", "paid", "aid_paid", "owed", "aid_waited", "deposit", "collected")
    return {name: sum((getattr(one, name) for one in units), euros(0)) for name in names}


class OwnerYear(OwnerPart, Page):
    """An owner's year for its property-income return (*revenus fonciers*)."""

    template_name = "leases/owner_year.html"

    @cached_property
    def year(self) -> int:
        text = self.request.GET.get("year", "")
        if text and not (text.isdecimal() and 1990 <= int(text) <= today().year):
            raise Http404
        return int(text) if text else today().year - 1

    @property
    def title(self):
        return _t("Property income of %(year)s") % {"year": self.year}

    def get_context_data(self, **kwargs):
        audit.record_read(self.request.user, "owner_account", [self.owner.pk])
        return super().get_context_data(
            owner=self.owner,
            income=property_income(self.owner, self.year),
            may_make=self.may("change"),
            years=[str(year) for year in range(today().year, today().year - 5, -1)],
            year=str(self.year),
            **kwargs,
        )


# ---- terms and invoices -----------------------------------------------------------------------


class TermsForm(forms.Form):
    start = forms.DateField(label=_("From"), help_text=_("First day of these terms."))
    holding = forms.ModelChoiceField(
        label=_("Home"), queryset=Holding.objects.none(), required=False, empty_label=_("All its homes")
    )
    basis = forms.ChoiceField(label=_("Fee"), choices=Basis.choices)
    rate = forms.DecimalField(
        label=_("Fee rate, %"), required=False, min_value=0, max_value=100, max_digits=5, decimal_places=2, localize=True,
        help_text=_("Without VAT."),
    )  # fmt: skip
    per_unit = EuroFormField(
        label=_("Fee a home and month"), required=False, help_text=_("Where the fee is fixed. Without VAT.")
    )
    unpaid_guaranteed = forms.BooleanField(label=_("Unpaid rent is guaranteed"), required=False)
    vacancy_guaranteed = forms.BooleanField(label=_("Vacancy is guaranteed"), required=False)
    vat = forms.BooleanField(label=_("The fee bears VAT"), required=False, initial=True)
    reserve = EuroFormField(
        label=_("Reserve kept"),
        required=False,
        help_text=_("Kept back from payments, for works and the like."),
    )
    minimum = EuroFormField(
        label=_("Least sum paid"), required=False, help_text=_("A smaller sum waits for the next month.")
    )
    deposits_to_owner = forms.BooleanField(label=_("Deposits are paid on to the owner"), required=False)

    def __init__(self, *args, owner, **kwargs):
        super().__init__(*args, **kwargs)
        held = owner.holdings.filter(title__in=OWNERS_BOOK_TITLES)
        self.fields["holding"].queryset = held.select_related("unit").order_by("unit__reference")
        self.fields["holding"].label_from_instance = lambda one: f"{one.unit.reference} · {one.reference}"


class ChangeTerms(OwnerPart, ActionPage):
    """Agree with an owner on fees, guarantees and what is kept back, from a day on."""

    form_class = TermsForm
    template_name = "leases/owner_terms.html"
    title = _("Terms of the mandate")
    intro = _("From the day given. What was counted before stays.")
    done_text = _("The terms are recorded.")

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"owner": self.owner}

    def get_initial(self):
        last = MandateTerms.objects.filter(owner=self.owner).order_by("-start").first()
        first = Period.month(today()).start
        if last is None:
            one = self.owner.holdings.filter(title__in=OWNERS_BOOK_TITLES).order_by("-start").first()
            return {
                "start": first,
                "basis": Basis.RECEIVED,
                "rate": one.fee_rate if one else None,
                "unpaid_guaranteed": bool(one and one.unpaid_guaranteed),
                "vacancy_guaranteed": bool(one and one.vacancy_guaranteed),
            }
        names = ("basis", "rate", "per_unit", "vat", "unpaid_guaranteed", "vacancy_guaranteed")
        owners = ("reserve", "minimum", "deposits_to_owner")
        return {"start": first} | {name: getattr(last, name) for name in (*names, *owners)}

    @property
    def cancel_url(self):
        return reverse("owner-account", args=[self.owner.pk])

    def get_success_url(self):
        return self.cancel_url

    def act(self, form):
        said = dict(form.cleaned_data)
        holding = said.pop("holding")
        said["reserve"] = said["reserve"] or euros(0)
        said["minimum"] = said["minimum"] or euros(0)
        owner = None if holding else self.owner
        if holding:
            # What is kept back is of the whole account, not of one home.
            for name in ("reserve", "minimum", "deposits_to_owner", "vat"):
                said.pop(name)
        return set_terms(owner=owner, holding=holding, by=self.request.user, **said)

    def get_context_data(self, **kwargs):
        return super().get_context_data(
            terms=MandateTerms.objects.filter(owner=self.owner)
            .union(MandateTerms.objects.filter(holding__owner=self.owner))
            .order_by("-start"),
            homes=dict(self.owner.holdings.values_list("pk", "unit__reference")),
            head_rents=HeadRent.objects.filter(holding__owner=self.owner)
            .select_related("holding__unit")
            .order_by("holding__unit__reference", "-start"),
            heads=self.owner.holdings.filter(title__in=RENT_ANYWAY_TITLES)
            .select_related("unit")
            .order_by("unit__reference"),
            owner=self.owner,
            **kwargs,
        )


class HeadRentForm(forms.Form):
    start = forms.DateField(label=_("From"))
    amount = EuroFormField(label=_("Rent owed a month"), min_value=0, help_text=_("Let or not."))


class ChangeHeadRent(ActionPage):
    """Agree the rent of one head lease from a day on."""

    resource = "owner_account"
    form_class = HeadRentForm
    title = _("Rent owed to the owner")
    done_text = _("The rent is recorded; the next owners' month calls it.")

    @cached_property
    def holding(self):
        return get_object_or_404(Holding.objects.select_related("owner", "unit"), pk=self.kwargs["pk"])

    @property
    def intro(self):
        return f"{self.holding.owner.name} · {self.holding.unit.reference} · {self.holding}"

    def get_initial(self):
        last = HeadRent.objects.filter(holding=self.holding).order_by("-start").first()
        return {
            "start": Period.month(today()).start,
            "amount": last.amount if last else self.holding.rent_due,
        }

    @property
    def cancel_url(self):
        return reverse("owner-terms", args=[self.holding.owner_id])

    def get_success_url(self):
        return self.cancel_url

    def act(self, form):
        return set_head_rent(self.holding, by=self.request.user, **form.cleaned_data)

    def breadcrumb(self):
        owner = self.holding.owner
        return [
            {"label": _("Owners' accounts"), "url": reverse("owner-statements")},
            {"label": owner.name, "url": reverse("owner-account", args=[owner.pk])},
            {"label": self.title},
        ]


class ExpenseForm(forms.Form):
    supplier = forms.CharField(label=_("Supplier"), max_length=80)
    number = forms.CharField(label=_("Invoice number"), max_length=30)
    on = forms.DateField(label=_("Date"))
    amount = EuroFormField(label=_("Amount, VAT included"))
    unit = forms.ModelChoiceField(
        label=_("Home"), queryset=Unit.objects.none(), required=False, empty_label=_("Several homes")
    )
    recoverable = forms.BooleanField(label=_("The tenant bears it in the yearly settlement"), required=False)

    def __init__(self, *args, owner, **kwargs):
        super().__init__(*args, **kwargs)
        held = Unit.objects.filter(holdings__owner=owner, holdings__title__in=OWNERS_BOOK_TITLES)
        self.fields["unit"].queryset = held.distinct().order_by("reference")


class ChargeInvoice(OwnerPart, ActionPage):
    """Charge a supplier's invoice to an owner."""

    form_class = ExpenseForm
    title = _("Charge an invoice")
    submit_label = _("Check")
    confirm_label = _("Charge it")
    done_text = _("The invoice is charged to the owner.")

    @property
    def intro(self):
        return self.owner.name

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"owner": self.owner}

    def get_initial(self):
        return {"on": today()}

    @property
    def cancel_url(self):
        return reverse("owner-account", args=[self.owner.pk])

    def get_success_url(self):
        return self.cancel_url

    def preview(self, form):
        said = form.cleaned_data
        held = figures_of(Period.month(said["on"]).start, [self.owner.pk])[self.owner.pk].held
        warning = ""
        if said["amount"] > held:
            warning = _t("Less is held than this: the association advances the rest.")
        return Preview(
            lines=[
                (_("Invoice"), f"{said['supplier']} {said['number']}"),
                (_("Amount, VAT included"), said["amount"]),
                (_("Held for the owner"), held),
                (_("Held afterwards"), held - said["amount"]),
            ],
            warning=warning,
        )

    def act(self, form):
        return charge_invoice(self.owner, by=self.request.user, now=timezone.now(), **form.cleaned_data)
