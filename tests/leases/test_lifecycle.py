"""The life of a lease after its signature, and what is learnt after the month was called."""

from datetime import date

import pytest

from core.money import euros
from leases import lifecycle, rent, tenant_account
from leases.lifecycle import LeaseRefused
from leases.models import RentCall
from leases.terms import INDEMNITY, RENT
from portfolio.stock import safety_order
from tests.builders import NOW

pytestmark = pytest.mark.django_db
FEBRUARY, MARCH, APRIL = date(2026, 2, 1), date(2026, 3, 1), date(2026, 4, 1)


def called(lease, month):
    """What was called in all for a month, by item."""
    found = {}
    for call in RentCall.objects.filter(lease=lease, month=month):
        found[call.item] = found.get(call.item, euros(0)) + call.amount
    return {item: amount for item, amount in found.items() if amount}


def test_keys_known_late_make_a_credit_in_the_next_run(build):
    lease = build.lease(rent="310.00")
    build.called(MARCH)
    lifecycle.end_lease(lease, last_day=date(2026, 3, 20), reason="tenant_notice", by=None, now=NOW)
    lease.refresh_from_db()
    lifecycle.return_keys(lease, on=date(2026, 3, 20), by=None, now=NOW)

    build.called(APRIL)

    assert called(lease, MARCH) == {RENT: euros("200.00")}
    assert called(lease, APRIL) == {}


def test_who_stays_after_the_end_owes_an_indemnity_and_the_place_is_not_vacant(build):
    lease = build.lease(rent="310.00")
    lifecycle.end_lease(lease, last_day=date(2026, 2, 28), reason="court", by=None, now=NOW)

    build.called(MARCH)

    assert called(lease, MARCH) == {INDEMNITY: euros("310.00")}
    assert lifecycle.to_hand_back(lease.occupancies.get().place.unit, on=date(2026, 3, 15))


def test_a_tenant_who_gave_notice_owes_rent_to_its_end_although_the_keys_are_back(build):
    """Loi 89-462, art. 15 I."""
    lease = build.lease(rent="310.00")
    lifecycle.end_lease(lease, last_day=date(2026, 3, 31), reason="tenant_notice", by=None, now=NOW)
    lease.refresh_from_db()
    lifecycle.return_keys(lease, on=date(2026, 3, 10), by=None, now=NOW)

    build.called(MARCH)

    assert called(lease, MARCH) == {RENT: euros("310.00")}


def test_a_landlord_who_gave_notice_is_owed_only_the_days_occupied(build):
    lease = build.lease(rent="310.00")
    lifecycle.end_lease(lease, last_day=date(2026, 3, 31), reason="landlord_notice", by=None, now=NOW)
    lease.refresh_from_db()
    lifecycle.return_keys(lease, on=date(2026, 3, 10), by=None, now=NOW)

    build.called(MARCH)

    assert called(lease, MARCH) == {RENT: euros("100.00")}


def test_a_rent_learnt_late_makes_a_back_charge_due_with_the_next_run(build):
    lease = build.lease(rent="310.00")
    build.called(FEBRUARY, MARCH)
    lifecycle.change_term(lease, item=RENT, amount=euros("330.00"), since=FEBRUARY, by=None, now=NOW)

    build.called(APRIL)

    late = RentCall.objects.filter(lease=lease, month=FEBRUARY, version=2).get()
    assert late.amount == euros("20.00")
    assert late.due == date(2026, 4, 5)
    assert called(lease, MARCH) == called(lease, APRIL) == {RENT: euros("330.00")}


def test_a_benefit_cut_learnt_late_is_owed_by_the_household_itself(build):
    lease = build.lease(rent="310.00", benefit="200.00")
    build.called(MARCH)
    lifecycle.change_benefit(lease, amount=None, since=MARCH, by=None, now=NOW)

    build.called(APRIL)

    assert tenant_account.balance(lease, APRIL) == euros("620.00")
    assert tenant_account.benefit_wait(lease, APRIL) == euros(0)


def test_what_only_waits_for_its_benefit_is_not_owed_by_the_household(build):
    lease = build.lease(rent="310.00", benefit="310.00")

    build.called(MARCH)

    assert tenant_account.balance(lease, MARCH) == euros(0)
    assert tenant_account.benefit_wait(lease, MARCH) == euros("310.00")


def test_an_order_notified_in_february_stops_the_rent_of_march(build):
    """CCH L.521-2."""
    lease = build.lease(rent="310.00")
    unit = lease.occupancies.get().place.unit
    safety_order(unit, kind="unfitness", notified_on=date(2026, 2, 20)).save()

    build.called(FEBRUARY, MARCH)

    assert called(lease, FEBRUARY) == {RENT: euros("310.00")}
    assert called(lease, MARCH) == {}


def test_rent_in_arrears_falls_due_the_month_after(build):
    lease = build.lease(rent="310.00", billing="arrears", due_day=10)

    build.called(MARCH)

    assert RentCall.objects.get(lease=lease).due == date(2026, 4, 10)


def test_a_lease_without_rent_term_is_left_out_and_listed(build):
    good, bad = build.lease(), build.lease(rent=None)

    [run] = build.called(MARCH)

    assert set(RentCall.objects.values_list("lease", flat=True)) == {good.pk}
    assert [(one.lease_id, one.code, one.blocking) for one in run.exceptions.all()] == [
        (bad.pk, "no_rent_term", True)
    ]


def test_a_rent_above_its_ceiling_is_called_and_listed(build):
    lease = build.lease(rent="480.00", unit=build.unit(rent_ceiling=euros("465.00")))

    [anomaly] = rent.preview_run(MARCH).anomalies

    assert (anomaly.lease_id, anomaly.code, anomaly.amount) == (lease.pk, "above_ceiling", euros("15.00"))


def test_a_raised_rent_of_a_g_home_is_listed(build):
    """FREEZE_FG: a contract of 2023, raised in 2026 while the home is G."""
    lease = build.lease(start=date(2023, 2, 1), rent="480.00", unit=build.unit(label="G"))
    lifecycle.change_term(lease, item=RENT, amount=euros("490.00"), since=FEBRUARY, by=None, now=NOW)

    [anomaly] = rent.preview_run(MARCH).anomalies

    assert (anomaly.lease_id, anomaly.code) == (lease.pk, "frozen_raised")


def test_nothing_is_called_after_the_mandate_ended_and_the_occupant_is_listed(build):
    unit = build.unit(
        owner=build.owner("private"), title="mandate", held=(date(2015, 1, 1), date(2026, 3, 16))
    )
    lease = build.lease(rent="310.00", unit=unit)

    [run] = build.called(MARCH)

    assert called(lease, MARCH) == {RENT: euros("150.00")}
    assert [one.code for one in run.exceptions.all()] == ["not_held"]


def test_a_lease_cannot_end_before_it_starts(build):
    lease = build.lease(start=date(2026, 3, 1))

    with pytest.raises(LeaseRefused, match="before it starts"):
        lifecycle.end_lease(lease, last_day=date(2026, 2, 1), reason="term", by=None, now=NOW)


def test_a_mandate_ended_late_credits_the_days_after_and_names_the_occupant(build):
    unit = build.unit(owner=build.owner("private"), title="mandate")
    lease = build.lease(rent="310.00", unit=unit)
    build.called(MARCH)

    left = lifecycle.end_holding(unit.holdings.get(), last_day=date(2026, 3, 10), by=None, now=NOW)
    build.called(APRIL)

    assert [stay.lease for stay in left] == [lease]
    assert called(lease, MARCH) == {RENT: euros("100.00")}
    assert called(lease, APRIL) == {}
