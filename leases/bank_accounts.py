"""The accounts at a bank that statements come from (*comptes bancaires*), each declared in one book."""

import re

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from stdnum.eu import at_02

from core import audit
from core.errors import Refusal
from leases.formats.statement import is_iban
from leases.ledger import Book, association_book_id
from portfolio.owners import OWNERS_BOOK_TITLES, Owner


class BankAccount(models.Model):
    """An account at a bank (*compte bancaire*), kept in one book.

    creditor_id: the ICS under which direct debits are collected to it, "" where none are;
    creditor: the name that the debited person reads. debit_days: the days of the month on which the
    association offers to debit. debit_format: version of pain.008 that the bank takes.
    """

    class DebitFormat(models.TextChoices):
        V08 = "08", "pain.008.001.08"
        V02 = "02", "pain.008.001.02"

    iban = models.CharField(_("IBAN"), max_length=34, unique=True)
    name = models.CharField(_("name"), max_length=80)
    book = models.ForeignKey(Book, models.PROTECT, related_name="+")
    creditor_id = models.CharField(_("creditor identifier (ICS)"), max_length=35, blank=True)
    creditor = models.CharField(_("creditor's name"), max_length=70, blank=True)
    debit_format = models.CharField(
        _("file for direct debits"), max_length=2, choices=DebitFormat, default=DebitFormat.V08
    )
    debit_days = models.JSONField(_("days of debit"), default=list, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("bank account"), _("bank accounts")

    def __str__(self):
        return self.name


class NotAnAccount(Refusal):
    """A bank account that cannot be declared as asked."""


def declare_bank_account(iban: str, *, name: str, owner: Owner | None = None, by) -> BankAccount:
    """Declare an account at a bank, in the book that its money belongs to, for good.

    owner: the mandant whose money alone it holds; None for the association's own book.
    Raises NotAnAccount for a wrong IBAN, one declared already, and an owner without mandate.
    """
    iban = re.sub(r"\s", "", iban).upper()
    place = _t("account …%(end)s") % {"end": iban[-6:]}
    if not is_iban(iban):
        raise NotAnAccount(place, _t("Its check digits do not agree."), _t("Copy the IBAN again."))
    if owner is not None and not owner.holdings.filter(title__in=OWNERS_BOOK_TITLES).exists():
        raise NotAnAccount(
            place,
            _t("%(owner)s gave no mandate, so has no book of their own.") % {"owner": owner},
            _t("Declare the account in the association's book."),
        )
    again = NotAnAccount(place, _t("This account is declared already."), _t("Import its statements."))
    if BankAccount.objects.filter(iban=iban).exists():
        raise again
    try:
        with transaction.atomic():
            book_id = Book.objects.get_or_create(owner=owner)[0].pk if owner else association_book_id()
            account = BankAccount.objects.create(iban=iban, name=name, book_id=book_id)
            audit.record(by, "change", "statement", account.pk, declared=True)
    except IntegrityError as fault:
        # Somebody else declared it in between.
        raise again from fault
    return account


DEFAULT_DEBIT_DAYS = (5, 10)


def collect_by_debit(
    account: BankAccount, *, creditor_id: str, creditor: str, days=(), version: str = "08", by
) -> BankAccount:
    """Say under which ICS an account collects direct debits, in whose name, on which days of the month.

    creditor_id: FR, two check digits, three signs, then the national identifier. One ICS is one
    creditor: it serves the accounts of one book. days: 1 to 28. Raises NotAnAccount.
    """
    creditor_id = re.sub(r"\s", "", creditor_id).upper()
    days = sorted({int(day) for day in days}) or list(DEFAULT_DEBIT_DAYS)
    if not at_02.is_valid(creditor_id):
        raise NotAnAccount(
            creditor_id,
            _t("This is not a creditor identifier: its check digits do not agree."),
            _t("Copy the ICS again from the letter of the Banque de France or of your bank."),
        )
    if not creditor.strip():
        raise NotAnAccount(account.name, _t("The creditor has no name."), _t("Give the name tenants know."))
    if days[0] < 1 or days[-1] > 28:
        raise NotAnAccount(
            account.name, _t("A day of debit is in every month."), _t("Choose days from 1 to 28.")
        )
    if version not in BankAccount.DebitFormat.values:
        raise NotAnAccount(account.name, _t("This version of pain.008 is not written here."), "")
    others = BankAccount.objects.filter(creditor_id=creditor_id).exclude(book=account.book_id)
    if other := others.first():
        raise NotAnAccount(
            creditor_id,
            _t("This ICS is that of %(account)s, whose money is somebody else's.") % {"account": other},
            _t("Each creditor has an ICS of its own: ask the bank for one."),
        )
    with transaction.atomic():
        kept = BankAccount.objects.select_for_update().get(pk=account.pk)
        kept.creditor_id, kept.creditor = creditor_id, creditor.strip()[:70]
        kept.debit_days, kept.debit_format = days, version
        kept.save(update_fields=["creditor_id", "creditor", "debit_days", "debit_format"])
        audit.record(by, "change", "mandate", "", account=kept.pk, creditor=creditor_id[-6:])
    return kept
