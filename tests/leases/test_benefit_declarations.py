"""What the payer of the benefit is told: the rents of July, a rent at any day, departures."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.money import euros
from leases.benefit_declarations import departures_to_tell, july, rents_told
from leases.lifecycle import change_benefit
from tests.builders import NOW

pytestmark = pytest.mark.django_db
JULY = date(2026, 7, 1)


def test_the_july_declared_is_the_last_one_begun():
    assert july(date(2026, 6, 30)) == date(2025, 7, 1)
    assert july(date(2026, 7, 1)) == JULY


def test_the_rent_of_july_is_told_without_its_charges(build):
    lease = build.lease(rent="465.00", charges="62.00", benefit="210.00")
    build.lease()
    [one] = rents_told(JULY)

    assert (one.lease, one.rent, one.charges, one.services) == (
        lease, euros("465.00"), euros("62.00"), euros("0.00"),
    )  # fmt: skip
    assert (one.name, one.stay.place.unit.reference) == (
        "MARTIN Alex",
        lease.occupancies.get().place.reference,
    )
    assert one.up_to_date


def test_who_owes_rent_is_told_as_owing(build):
    build.lease(rent="465.00", benefit="210.00")
    build.called(date(2026, 3, 1))

    [one] = rents_told(date(2026, 3, 20))
    assert (one.owing, one.up_to_date) == (euros("255.00"), False)


def test_a_right_that_has_ended_or_not_begun_is_not_told(build):
    over, later = build.lease(benefit="210.00"), build.lease(benefit="210.00")
    over.benefits.update(end=date(2026, 7, 1))
    later.benefits.update(start=date(2026, 8, 1))
    assert rents_told(JULY) == []
    assert [one.lease for one in rents_told(date(2026, 6, 15), leases=[over.pk, later.pk])] == [over]


def test_a_departure_is_told_until_the_right_is_stopped(build):
    mid = build.lease(end=date(2026, 3, 15), benefit="210.00")
    whole = build.lease(end=date(2026, 4, 1), benefit="210.00")
    build.lease(benefit="210.00")

    told = departures_to_tell(date(2026, 4, 10))
    assert [(one.lease, one.last_day, one.stop_from) for one in told] == [
        (mid, date(2026, 3, 14), date(2026, 3, 1)),  # the month of the departure is lost
        (whole, date(2026, 3, 31), date(2026, 4, 1)),
    ]

    change_benefit(mid, amount=None, since=date(2026, 3, 1), by=None, now=NOW)
    assert [one.lease for one in departures_to_tell(date(2026, 4, 10))] == [whole]


def test_as_many_queries_for_40_beneficiaries_as_for_2(build):
    def queries():
        with CaptureQueriesContext(connection) as made:
            rents_told(JULY)
            departures_to_tell(JULY)
        return len(made)

    for _each in range(2):
        build.lease(benefit="200.00", end=date(2026, 9, 1))
    few = queries()
    for _each in range(38):
        build.lease(benefit="200.00", end=date(2026, 9, 1))
    assert queries() == few
