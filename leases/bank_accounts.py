"""The accounts at a bank that statements come from (*comptes bancaires*), each declared in one book."""

import re

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.errors import Refusal
from leases.formats.statement import is_iban
from leases.ledger import Book, association_book_id
from portfolio.owners import OWNERS_BOOK_TITLES, Owner


class BankAccount(models.Model):
    """An account at a bank (*compte bancaire*), kept in one book."""

    iban = models.CharField(_("IBAN"), max_length=34, unique=True)
    name = models.CharField(_("name"), max_length=80)
    book = models.ForeignKey(Book, models.PROTECT, related_name="+")

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
