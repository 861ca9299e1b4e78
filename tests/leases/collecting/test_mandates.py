"""Direct-debit mandates: signed, amended, suspended, ended; what the lease keeps of them."""

from datetime import date

import pytest

from core.law import rule
from leases.bank_accounts import NotAnAccount, collect_by_debit
from leases.collecting.mandates import (
    Mandate,
    NoMandate,
    amend_mandate,
    block_mandate,
    choose_debit_day,
    debit_days,
    end_mandate,
    state_of,
    unblock_mandate,
)
from leases.models import Lease, PayerIban
from tests.leases.collecting.debtors import HOLDER, ICS, OTHER_BANK, OTHER_ICS, collecting, mandated

MARCH = date(2026, 3, 1)


def state(mandate, on=MARCH, used_on=None):
    return state_of(Mandate.objects.with_block(on).get(pk=mandate.pk), on, used_on=used_on)


def rum_of(lease):
    return Lease.objects.get(pk=lease.pk).debit_mandate


def test_a_signed_mandate_makes_its_reference_and_the_lease_keeps_it(build):
    lease = build.lease()

    mandate = mandated(lease, collecting(build))

    assert mandate.rum == f"{lease.payment_reference}-01"
    assert rum_of(lease) == mandate.rum
    assert state(mandate) == ("good", "In force")
    assert PayerIban.objects.get(lease=lease).iban == HOLDER


def test_the_reference_known_from_an_import_becomes_that_of_the_mandate(build):
    lease = build.lease(debit_mandate="RUM-OLD")

    assert mandated(lease, collecting(build)).rum == "RUM-OLD"


@pytest.mark.parametrize("wrong", ["FR7610096000508452967681058", "hello", "US64SVBKUS6S3300958879"])
def test_an_iban_is_checked(build, wrong):
    with pytest.raises(NoMandate):
        mandated(build.lease(), collecting(build), iban=wrong)


def test_a_reference_is_that_of_one_mandate_of_the_creditor(build):
    account = collecting(build)
    mandated(build.lease(), account, rum="RUM-1")

    with pytest.raises(NoMandate, match="already"):
        mandated(build.lease(), account, rum="RUM-1")


def test_a_lease_has_one_mandate_at_a_time(build):
    account, lease = collecting(build), build.lease()
    mandated(lease, account)

    with pytest.raises(NoMandate, match="end it first"):
        mandated(lease, account)


def test_an_account_without_ics_collects_nothing(build):
    with pytest.raises(NoMandate, match="ICS"):
        mandated(build.lease(), build.bank())


@pytest.mark.parametrize("ics", ["FR73ZZZ123456", "FR72ZZZ12345", ""])
def test_an_ics_has_check_digits(build, ics):
    with pytest.raises(NotAnAccount):
        collect_by_debit(build.bank(), creditor_id=ics, creditor="X", by=None)


def test_each_creditor_has_its_own_ics_and_its_own_homes(build):
    saues = build.owner("own")
    build.unit(owner=saues, title="mandate")
    collecting(build)
    theirs = build.bank(OTHER_BANK, owner=saues)

    with pytest.raises(NotAnAccount, match="own"):
        collecting(build, account=theirs)
    theirs = collecting(build, account=theirs, creditor_id=OTHER_ICS)
    with pytest.raises(NoMandate, match="another owner"):
        mandated(build.lease(), theirs)
    assert mandated(build.lease(unit=build.unit(owner=saues, title="mandate")), theirs).creditor == theirs


def test_a_new_account_keeps_the_old_one_and_lifts_the_block_it_caused(build):
    mandate = mandated(build.lease(), collecting(build))
    block_mandate(mandate, reason="AC04", on=MARCH, by=None)
    assert state(mandate) == ("bad", "Suspended: The account is closed")

    amend_mandate(mandate, iban=OTHER_BANK, on=MARCH, by=None)

    assert state(mandate)[0] == "good"
    change = mandate.amendments.get()
    assert (change.iban_before, change.rum_before) == (HOLDER, "")


def test_a_new_account_does_not_answer_a_tenant_who_denies_the_mandate(build):
    mandate = mandated(build.lease(), collecting(build))
    block_mandate(mandate, reason="MD01", on=MARCH, by=None)

    amend_mandate(mandate, iban=OTHER_BANK, on=MARCH, by=None)

    assert state(mandate)[0] == "bad"
    unblock_mandate(mandate, on=MARCH, by=None)
    assert state(mandate)[0] == "good"


def test_a_new_reference_is_the_leases_too(build):
    lease = build.lease()
    mandate = mandated(lease, collecting(build))

    amend_mandate(mandate, rum="NEW-1", on=MARCH, by=None)

    assert rum_of(lease) == "NEW-1"


def test_an_amendment_that_changes_nothing_is_refused(build):
    mandate = mandated(build.lease(), collecting(build))

    with pytest.raises(NoMandate, match="Nothing changes"):
        amend_mandate(mandate, iban=HOLDER, on=MARCH, by=None)


def test_a_tenant_stops_when_he_likes_and_may_sign_again(build):
    account, lease = collecting(build), build.lease()
    first = mandated(lease, account)

    end_mandate(first, on=MARCH, reason="revoked", by=None)

    assert rum_of(lease) == ""
    assert state(Mandate.objects.get(pk=first.pk))[0] == "off"
    assert mandated(lease, account).rum.endswith("-02")


def test_direct_debit_is_never_compulsory():
    assert "compulsory_direct_debit" in rule("FORBIDDEN", on=MARCH).value


def test_a_mandate_unused_for_36_months_is_void(build):
    mandate = mandated(build.lease(), collecting(build), signed_on=date(2023, 3, 10))

    assert state(mandate, date(2026, 3, 9))[0] == "good"
    assert state(mandate, date(2026, 3, 10))[0] == "bad"
    assert state(mandate, date(2026, 3, 10), used_on=date(2023, 3, 12))[0] == "good"


def test_a_tenant_chooses_a_day_among_those_offered(build):
    lease = build.lease()
    mandated(lease, collecting(build))

    choose_debit_day(lease, day=10, since=MARCH, by=None)

    assert debit_days([lease.pk], MARCH) == {lease.pk: 10}
    assert debit_days([lease.pk], date(2026, 2, 28)) == {}
    with pytest.raises(NoMandate, match="5, 10"):
        choose_debit_day(lease, day=15, since=MARCH, by=None)


def test_ics_is_kept_without_spaces(build):
    assert collecting(build, creditor_id="fr72 zzz 123456").creditor_id == ICS
