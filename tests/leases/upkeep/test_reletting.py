"""The re-letting board: which homes, how far, days empty and rent lost."""

from datetime import date

import pytest

from core.money import euros
from leases.models import Occupancy
from leases.upkeep import reletting
from portfolio.models import OutOfService

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 15)


def rows():
    return {one.place.reference: one for one in reletting.board(TODAY)}


def test_a_home_on_notice_is_on_the_board_before_it_is_empty(build):
    unit = build.unit()
    build.lease(unit=unit, end=date(2026, 4, 16))
    build.lease()

    [one] = reletting.board(TODAY)
    assert (one.place.unit, one.stage, one.days, one.empty_from) == (
        unit, reletting.NOTICE, 0, date(2026, 4, 16),
    )  # fmt: skip


def test_days_empty_cost_the_last_rent_month_by_month(build):
    build.lease(end=date(2026, 2, 15), rent="465.00")

    [one] = reletting.board(TODAY)
    # 14 days of 28 in February, 15 of 31 in March.
    assert (one.days, one.lost) == (29, euros("232.50") + euros("225.00"))
    assert one.stage == reletting.KEYS


def test_the_next_lease_takes_a_home_off_the_board(build):
    unit = build.unit()
    build.lease(unit=unit, end=date(2026, 2, 15))
    build.lease(unit=unit, start=date(2026, 4, 1))
    assert reletting.board(TODAY) == []


def test_who_stays_without_title_leaves_no_empty_day(build):
    lease = build.lease(end=date(2026, 2, 1))
    Occupancy.objects.filter(lease=lease).update(end=None)
    [one] = reletting.board(TODAY)
    assert (one.days, one.empty_from) == (0, None)


def test_never_let_withdrawn_and_not_held(build):
    new = build.unit(held=(date(2026, 3, 1), None))
    withdrawn = build.unit()
    OutOfService.objects.create(unit=withdrawn, kind="withdrawal", start=date(2026, 1, 1))
    build.unit(held=(date(2020, 1, 1), date(2025, 1, 1)))

    [one] = reletting.board(TODAY)
    assert (one.place.unit, one.days, one.lost) == (new, 15, None)


def test_stages_come_from_dated_facts_after_the_entry(build):
    unit = build.unit()
    place = unit.places.get()
    reletting.record_step(place, reletting.PROPOSAL, on=date(2023, 6, 1), by=None)
    build.lease(unit=unit, start=date(2024, 1, 1), end=date(2026, 3, 1))
    OutOfService.objects.create(unit=unit, kind="works", start=date(2026, 3, 5))
    reletting.record_step(place, reletting.VISIT, on=date(2026, 2, 10), by=None)

    [one] = reletting.board(TODAY)
    assert (one.stage, one.out.kind, set(one.dates)) == (
        "works", "works", {"notice", "visit", "keys", "works"},
    )  # fmt: skip
    step = reletting.record_step(place, reletting.PROPOSAL, on=date(2026, 3, 10), by=None)
    assert rows()[place.reference].stage == "proposal"
    with pytest.raises(reletting.RelettingRefused, match="already"):
        reletting.record_step(place, reletting.PROPOSAL, on=date(2026, 3, 10), by=None)
    reletting.withdraw_step(step, on=TODAY, by=None)
    assert rows()[place.reference].stage == "works"


@pytest.mark.parametrize("count", [2, 40])
def test_the_board_takes_as_many_queries_whatever_its_length(build, count, django_assert_num_queries):
    for _number in range(count):
        build.lease(end=date(2026, 2, 15))
    with django_assert_num_queries(9):
        assert len(reletting.board(TODAY)) == count
