"""The files that this reader may bring in, and those of leases and of opening balances."""

from datetime import date

from django import forms
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from core.access import can
from core.money import from_cents
from core.pages import Page
from core.periods import first_of_month
from core.today import today
from leases import intake
from leases.accounts.owner_terms import TERM_COLUMNS
from leases.columns import LEASE_COLUMNS
from leases.opening import BALANCE_COLUMNS
from portfolio.imports import COLUMNS
from portfolio.views.imports import FileForm, ImportPage, TemplateFile

IMPORTS = [
    ("import-portfolio", "unit", _("The portfolio"), _("Owners, buildings, homes and places.")),
    ("import-leases", "lease", _("Leases"), _("Households, rents, benefits and occupations.")),
    ("import-balances", "ledger", _("Opening balances"), _("What each lease and each owner stood at.")),
    ("import-mandates", "mandate", _("Direct-debit mandates"), _("Accounts to debit, as signed.")),
    ("import-owner-terms", "owner_account", _("Owners' terms"), _("Mandate fees and rents of head leases.")),
    ("import-expenses", "expense", _("Expenses"), _("What buildings cost, by nature and year.")),
    ("import-keys", "expense", _("Distribution keys"), _("Tantièmes and meter readings of homes.")),
    ("import-statement", "statement", _("A bank statement"), _("camt.053 or CFONB 120.")),
]
"""URL name, resource imported, label, what it holds."""


class Imports(Page):
    """Where files come in, in the order in which an association starts."""

    resource = "import"
    title = _("Imports")
    template_name = "leases/imports.html"

    def get_context_data(self, **kwargs):
        found = []
        for name, resource, label, holds in IMPORTS:
            try:
                url = reverse(name)
            except NoReverseMatch:
                continue
            if can(self.request.user, resource, "import"):
                found.append({"url": url, "label": label, "holds": holds})
        return super().get_context_data(**{"imports": found, **kwargs})


class ImportPortfolio(ImportPage):
    resource = "unit"
    title = _("Import the portfolio")
    intro = _("Owners, buildings, homes, places and their dated facts: one line per place.")
    columns = COLUMNS
    job_kind = intake.portfolio_file.kind
    template_url = "import-portfolio-template"


class PortfolioTemplate(TemplateFile):
    resource = "unit"
    columns = COLUMNS
    name = "patrimoine"


class ImportLeases(ImportPage):
    resource = "lease"
    title = _("Import leases")
    intro = _("One line per lease; a further line of the same lease adds a new rent, benefit or place.")
    columns = LEASE_COLUMNS
    job_kind = intake.lease_file.kind
    template_url = "import-leases-template"


class LeasesTemplate(TemplateFile):
    resource = "lease"
    columns = LEASE_COLUMNS
    name = "baux"


class BalancesForm(FileForm):
    on = forms.DateField(
        label=_("Day of take-over"),
        help_text=_("The first day that the accounts are kept here: the first of a month."),
    )
    field_order = ["on", "file"]


class ImportBalances(ImportPage):
    resource = "ledger"
    title = _("Take over opening balances")
    intro = _("What each lease still owed, and what was held for each owner, on the day of take-over.")
    form_class = BalancesForm
    columns = BALANCE_COLUMNS
    job_kind = intake.balance_file.kind
    template_name = "leases/import_balances.html"
    template_url = "import-balances-template"

    def get_initial(self):
        return {"on": first_of_month(today())}

    def parameters(self, form):
        return {"on": form.cleaned_data["on"].isoformat()}

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        report = context["result"].get("report") or {"totals": [], "differences": []}
        return context | {
            "totals": [
                (label, count, from_cents(in_file), from_cents(in_ledger))
                for label, count, in_file, in_ledger in report["totals"]
            ],
            "differences": [
                (reference, month and date.fromisoformat(month), from_cents(in_file), from_cents(in_ledger))
                for reference, month, in_file, in_ledger in report["differences"]
            ],
        }


class BalancesTemplate(TemplateFile):
    resource = "ledger"
    columns = BALANCE_COLUMNS
    name = "soldes"


class ImportOwnerTerms(ImportPage):
    resource = "owner_account"
    title = _("Import owners' terms")
    intro = _("One line per mandate or head lease, from a day on: its fee, or the rent it owes.")
    columns = TERM_COLUMNS
    job_kind = intake.owner_terms_file.kind
    template_url = "import-owner-terms-template"


class OwnerTermsTemplate(TemplateFile):
    resource = "owner_account"
    columns = TERM_COLUMNS
    name = "conditions-proprietaires"
