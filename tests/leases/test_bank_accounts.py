"""The accounts at the bank: declared once, in the right book."""

import pytest

from leases.bank_accounts import NotAnAccount, declare_bank_account

pytestmark = pytest.mark.django_db
IBAN = "FR76 3000 4000 0312 3456 7890 143"


def test_an_account_for_everybody_is_in_the_association_s_book(build):
    account = declare_bank_account(IBAN, owner=None, name="Main account", by=None)

    assert account.iban == IBAN.replace(" ", "")
    assert account.book.owner is None


def test_an_account_of_one_mandant_is_in_that_mandant_s_book(build):
    saues = build.owner("saues")
    build.unit(owner=saues, title="mandate")

    assert declare_bank_account(IBAN, name="SAUES", owner=saues, by=None).book.owner == saues


def test_a_mistyped_iban_is_refused(build):
    with pytest.raises(NotAnAccount, match="check digits"):
        declare_bank_account(IBAN.replace("143", "134"), owner=None, name="Main account", by=None)


def test_an_account_is_declared_once(build):
    declare_bank_account(IBAN, owner=None, name="Main account", by=None)

    with pytest.raises(NotAnAccount, match="already"):
        declare_bank_account(IBAN, owner=None, name="Again", by=None)


def test_an_owner_without_mandate_has_no_book(build):
    with pytest.raises(NotAnAccount, match="no mandate"):
        declare_bank_account(IBAN, name="Main account", owner=build.owner("private"), by=None)
