"""Client money: whose what is held is, on a day; the peaks of a year; the register of mandates."""

from datetime import date

from django import forms
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from core import audit
from core.pages import ActionPage, ListColumn, ListPage, Page
from core.periods import ONE_DAY
from core.today import today
from leases.accounts.owner_terms import ClientAccount, hold_client_money
from leases.accounts.reconciliation import client_money, mandates, peaks
from leases.bank_accounts import BankAccount
from leases.ledger import association_book_id
from portfolio.filters import HoldingFilter


class ClientMoney(Page):
    """The money of a day and whom it belongs to, with the difference."""

    resource = "owner_account"
    template_name = "leases/client_money.html"
    title = _("Client money")

    @cached_property
    def day(self) -> date:
        try:
            return date.fromisoformat(self.request.GET.get("on") or "")
        except ValueError:
            return today()

    def get_context_data(self, **kwargs):
        found = client_money(self.day)
        audit.record_read(self.request.user, "owner_account", [one.owner.pk for one in found.owners])
        return super().get_context_data(
            found=found,
            day=self.day,
            is_today=self.day == today(),
            peaks=peaks(until=self.day),
            book=association_book_id(),
            may_change=self.may("change"),
            **kwargs,
        )

    def breadcrumb(self):
        return [
            {"label": _("Owners' accounts"), "url": reverse("owner-statements")},
            {"label": self.title},
        ]


class ClientAccountForm(forms.Form):
    bank = forms.ModelChoiceField(
        label=_("Bank account"), queryset=BankAccount.objects.none(), empty_label=None
    )
    since = forms.DateField(label=_("Since"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["bank"].queryset = BankAccount.objects.filter(book=association_book_id()).order_by("name")


class NameClientAccount(ActionPage):
    """Say which account of the association holds owners' money."""

    resource = "owner_account"
    form_class = ClientAccountForm
    title = _("Account of owners' money")
    intro = _(
        "The account on which rents of homes under mandate are received, and from which owners are paid."
    )
    done_text = _("It is held against what owners are owed from now on.")

    def get_initial(self):
        named = ClientAccount.objects.order_by("pk").first()
        return {"bank": named and named.bank_id, "since": named.since if named else today()}

    @property
    def cancel_url(self):
        return reverse("client-money")

    def get_success_url(self):
        return self.cancel_url

    def act(self, form):
        return hold_client_money(
            form.cleaned_data["bank"], since=form.cleaned_data["since"], by=self.request.user
        )

    def breadcrumb(self):
        return [{"label": _("Client money"), "url": self.cancel_url}, {"label": self.title}]


class MandateRegister(ListPage):
    """Every mandate in order of its first day, as the law wants it kept (*registre des mandats*)."""

    resource = "owner_account"
    title = _("Register of mandates")
    subtitle = _("Décret 72-678, art. 65: every mandate, numbered, in the order received.")
    filterset_class = HoldingFilter
    default_sort = "start"
    export_name = "registre-des-mandats"
    empty_text = _("No mandate yet: import the portfolio.")
    columns = [
        ListColumn("reference", _("Number"), sort="reference"),
        ListColumn("start", _("From"), kind="date", sort="start"),
        ListColumn("last_day", _("Last day"), lambda h: h.end and h.end - ONE_DAY, kind="date", sort="end"),
        ListColumn(
            "owner",
            _("Owner"),
            "owner.name",
            sort="owner__name",
            link=lambda h: reverse("owner-account", args=[h.owner_id]),
        ),
        ListColumn(
            "unit",
            _("Home"),
            "unit.reference",
            sort="unit__reference",
            link=lambda h: reverse("unit", args=[h.unit_id]),
        ),
        ListColumn("fee_rate", _("Fee rate, %"), kind="decimal"),
        ListColumn("unpaid", _("Unpaid rent guaranteed"), "unpaid_guaranteed", kind="bool"),
        ListColumn("vacancy", _("Vacancy guaranteed"), "vacancy_guaranteed", kind="bool"),
    ]

    def get_queryset(self):
        return mandates()

    def breadcrumb(self):
        return [
            {"label": _("Owners' accounts"), "url": reverse("owner-statements")},
            {"label": self.title},
        ]
