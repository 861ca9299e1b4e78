"""The rent run: what each lease owes, called exactly once."""

from datetime import date

import pytest

from core.money import euros
from core.periods import Period
from leases import rent, tenant_account
from leases.models import Posting, RentCall
from leases.rent import prorated
from tests.builders import NOW

MARCH = Period.month(date(2026, 3, 1))


def test_a_lease_from_the_15th_owes_17_of_31_days_of_march():
    due = prorated(euros("465.00"), occupied=Period(date(2026, 3, 15)), month=MARCH)

    assert due == euros("255.00")


def test_w3_entry_on_10_june_owes_21_of_30_days():
    june = Period.month(date(2026, 6, 1))

    assert prorated(euros("540.00"), occupied=Period(date(2026, 6, 10)), month=june) == euros("378.00")


def test_half_a_month_is_not_a_month():
    with pytest.raises(rent.NotAMonth):
        prorated(euros("465.00"), occupied=MARCH, month=Period(date(2026, 3, 1), date(2026, 3, 16)))


@pytest.mark.django_db
def test_a_run_calls_rent_charges_and_deducts_the_benefit(build):
    lease = build.lease(rent="412.00", charges="70.00", benefit="200.00")

    [run] = build.called(date(2026, 3, 1))

    called = {call.get_item_display(): call.amount for call in RentCall.objects.filter(lease=lease)}
    assert list(called.values()) == [euros("412.00"), euros("70.00"), euros("-200.00")]
    assert run.sealed_total == euros("282.00")
    assert Posting.objects.count() == 3


@pytest.mark.django_db
def test_a_run_repeated_calls_nothing_more(build):
    build.lease()
    build.called(date(2026, 3, 1))

    [again] = build.called(date(2026, 3, 1))

    assert again.sealed_calls == 0


@pytest.mark.django_db
def test_a_reversed_call_can_be_called_again(build):
    lease = build.lease(rent="412.00")
    build.called(date(2026, 3, 1))

    rent.reverse_calls(RentCall.objects.filter(lease=lease), by=None, now=NOW)
    [again] = build.called(date(2026, 3, 1))

    amounts = RentCall.objects.filter(lease=lease).order_by("version").values_list("amount", flat=True)
    assert list(amounts) == [euros("412.00"), euros("-412.00"), euros("412.00")]
    assert again.sealed_calls == 1


@pytest.mark.django_db
def test_a_reversal_leaves_the_neighbours_alone(build):
    """January of one lease and February of another: neither the other's January nor the first's February."""
    first, second = build.lease(rent="300.00"), build.lease(rent="400.00")
    january, february = date(2026, 1, 1), date(2026, 2, 1)
    build.called(january, february)
    chosen = RentCall.objects.filter(lease=first, month=january) | RentCall.objects.filter(
        lease=second, month=february
    )

    assert rent.reverse_calls(chosen, by=None, now=NOW) == 2
    assert tenant_account.balance(first, february) == euros("300.00")
    assert tenant_account.balance(second, february) == euros("400.00")
