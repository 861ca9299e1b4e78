"""One household in a place at a time, while the home is held and in service: kept by the database."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from leases.models import Occupancy
from portfolio.models import Holding, OutOfService

pytestmark = pytest.mark.django_db


def move_in(place, lease, start, end=None):
    with transaction.atomic():
        return Occupancy.objects.create(place=place, lease=lease, start=start, end=end)


def test_two_households_never_occupy_one_place_on_one_day(build):
    first = build.lease(start=date(2024, 1, 1), out=date(2026, 3, 16))
    place = first.occupancies.get().place
    second = build.lease(start=date(2026, 3, 1))
    Occupancy.objects.filter(lease=second).delete()

    with pytest.raises(IntegrityError, match="occupancy_one_at_a_time"):
        move_in(place, second, date(2026, 3, 15))
    move_in(place, second, date(2026, 3, 16))


def test_nobody_enters_a_home_that_is_not_held(build):
    unit = build.unit(held=(date(2015, 1, 1), date(2026, 3, 1)))

    with pytest.raises(IntegrityError, match="occupancy_starts_while_held"), transaction.atomic():
        build.lease(start=date(2026, 3, 1), unit=unit)


def test_nobody_enters_a_home_in_works(build):
    unit = build.unit()
    OutOfService.objects.create(unit=unit, kind="works", start=date(2026, 2, 1), end=date(2026, 4, 1))

    with pytest.raises(IntegrityError, match="occupancy_starts_in_service"), transaction.atomic():
        build.lease(start=date(2026, 3, 1), unit=unit)


def test_nobody_enters_before_the_lease(build):
    lease = build.lease(start=date(2026, 3, 1))
    Occupancy.objects.filter(lease=lease).delete()

    with pytest.raises(IntegrityError, match="occupancy_within_title"):
        move_in(build.unit().places.get(), lease, date(2026, 2, 27))


def test_a_unit_has_one_holding_at_a_time(build):
    unit = build.unit()

    with pytest.raises(IntegrityError, match="holding_one_at_a_time"), transaction.atomic():
        Holding.objects.create(unit=unit, owner=build.owner("saues"), title="mandate", start=date(2026, 1, 1))
