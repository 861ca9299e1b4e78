"""The association's accounts at the bank: the list, and the page that declares one."""

from django import forms
from django.db.models import Max
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.pages import Action, ActionPage, ListColumn, ListPage
from leases.bank_accounts import BankAccount, declare_bank_account
from portfolio.owners import OWNERS_BOOK_TITLES, Owner


class BankAccountList(ListPage):
    """Each account declared, whose money it holds, and how far its statements go."""

    resource = "statement"
    title = _("Bank accounts")
    queryset = BankAccount.objects.select_related("book__owner").annotate(read_to=Max("statements__end"))
    default_sort = "name"
    export_name = "comptes-bancaires"
    empty_text = _("No bank account yet: declare the one whose statements you import.")
    columns = [
        ListColumn("name", _("Bank account"), sort="name"),
        ListColumn("iban", _("IBAN"), kind="iban"),
        ListColumn("book", _("Whose money"), lambda bank: str(bank.book)),
        ListColumn("read_to", _("Statements up to"), kind="date"),
        ListColumn(
            "creditor_id",
            _("Direct debits (ICS)"),
            lambda bank: bank.creditor_id or _t("none"),
            link="debits_url",
            needs="mandate",
        ),
    ]

    def breadcrumb(self):
        return [{"label": _("Bank statements"), "url": reverse("statements")}, {"label": self.title}]

    def complete(self, banks):
        for bank in banks:
            may = self.may("change", "mandate")
            bank.debits_url = reverse("bank-account-debits", args=[bank.pk]) if may else ""

    def actions(self):
        if not self.may("change"):
            return []
        words = _t("Declare a bank account")
        return [Action(words, reverse("bank-account-add"), primary=True, icon="plus")]

    def was_read(self, banks, *, export):
        audit.record_read(self.request.user, "statement", [bank.pk for bank in banks])


class AccountForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("As you call it: current account…"))
    iban = forms.CharField(label=_("IBAN"), max_length=42)
    owner = forms.ModelChoiceField(
        label=_("Whose money"),
        queryset=Owner.objects.none(),
        required=False,
        empty_label=_("The association"),
        help_text=_("An owner only where the account holds the money of that owner's mandate and no other."),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        mandants = Owner.objects.filter(holdings__title__in=OWNERS_BOOK_TITLES)
        self.fields["owner"].queryset = mandants.distinct().order_by("name")


class DeclareBankAccount(ActionPage):
    """Declare an account, once: a statement of an account that nobody declared is refused."""

    resource = "statement"
    action = "change"
    form_class = AccountForm
    title = _("Declare a bank account")
    intro = _("Its statements can be imported from then on. It stays in the book it is declared in.")
    submit_label = _("Declare")
    done_text = _("The account is declared: import its first statement.")

    @property
    def cancel_url(self):
        return reverse("bank-accounts")

    def get_success_url(self):
        return reverse("import-statement")

    def breadcrumb(self):
        return [
            {"label": _("Bank statements"), "url": reverse("statements")},
            {"label": _("Bank accounts"), "url": self.cancel_url},
            {"label": self.title},
        ]

    def act(self, form):
        return declare_bank_account(
            form.cleaned_data["iban"],
            name=form.cleaned_data["name"],
            owner=form.cleaned_data["owner"],
            by=self.request.user,
        )
