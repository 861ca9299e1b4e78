from datetime import date
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.periods import (
    EndBeforeStart,
    NotAMonth,
    OpenPeriod,
    Period,
    add_months,
    first_of_month,
    next_month,
)

MARCH = Period.month(date(2026, 3, 17))


def test_a_month_runs_from_its_first_to_the_next_first():
    assert Period(date(2026, 3, 1), date(2026, 4, 1)) == MARCH
    assert MARCH.days == 31
    assert MARCH.last_day == date(2026, 3, 31)
    assert MARCH.is_month
    assert Period.month(date(2025, 12, 31)).end == date(2026, 1, 1)


def test_a_home_entered_on_10_june_is_occupied_21_days_of_june():
    """W3 of the rulebook: 21 of 30 days."""
    june = Period.parse_month("2026-06")

    assert (Period(date(2026, 6, 10)) & june).days == 21
    assert june.days == 30


def test_the_day_of_exit_is_occupied():
    until_14_march = Period.from_to(date(2024, 1, 1), date(2026, 3, 14))

    assert until_14_march.end == date(2026, 3, 15)
    assert until_14_march.last_day == date(2026, 3, 14)
    assert (until_14_march & MARCH).days == 14


def test_no_day_in_common_makes_an_empty_period_that_counts_nought():
    before = Period(date(2025, 1, 1), date(2026, 3, 1))

    assert not before & MARCH
    assert (before & MARCH).days == 0
    assert (before & MARCH).last_day is None
    assert not before.overlaps(MARCH)
    assert list((before & MARCH).months()) == []


def test_an_empty_period_overlaps_nothing_even_from_inside():
    assert not Period(date(2026, 3, 10), date(2026, 3, 10)).overlaps(MARCH)
    assert not MARCH.overlaps(Period(date(2026, 3, 10), date(2026, 3, 10)))


def test_the_days_of_an_open_period_are_not_counted():
    with pytest.raises(OpenPeriod, match="no end"):
        _ = Period(date(2026, 3, 1)).days
    assert Period(date(2026, 3, 1)).last_day is None
    assert (Period(date(2026, 1, 1)) & Period(date(2026, 3, 1))) == Period(date(2026, 3, 1))


def test_a_period_does_not_end_before_it_starts():
    with pytest.raises(EndBeforeStart):
        Period(date(2026, 3, 2), date(2026, 3, 1))


def test_the_end_is_not_contained():
    assert MARCH.contains(date(2026, 3, 1))
    assert MARCH.contains(date(2026, 3, 31))
    assert not MARCH.contains(date(2026, 4, 1))
    assert not MARCH.contains(date(2026, 2, 28))
    assert Period(date(2026, 3, 1)).contains(date(2099, 1, 1))


def test_the_months_touched_by_a_stay():
    stay = Period.from_to(date(2025, 11, 20), date(2026, 2, 1))

    assert [month.start for month in stay.months()] == [
        date(2025, 11, 1),
        date(2025, 12, 1),
        date(2026, 1, 1),
        date(2026, 2, 1),
    ]
    assert [m.start.month for m in islice(Period(date(2026, 11, 5)).months(), 3)] == [11, 12, 1]


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "2026-3", "03/2026", "", "2026-03-01", "٢٠٢٦-٠٣", "9999-12"]
)
def test_what_is_not_a_month_is_refused_with_the_remedy(text):
    with pytest.raises(NotAMonth, match="YYYY-MM"):
        Period.parse_month(text)


def test_first_and_next_month():
    assert first_of_month(date(2026, 12, 31)) == date(2026, 12, 1)
    assert next_month(date(2026, 12, 31)) == date(2027, 1, 1)
    assert next_month(date(2026, 1, 31)) == date(2026, 2, 1)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2025, 1, 7), 2, date(2025, 3, 7)),  # W7 of the rulebook
        (date(2025, 1, 31), 1, date(2025, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 1, 15), -13, date(2024, 12, 15)),
    ],
)
def test_months_are_counted_date_to_date(day, months, expected):
    """CPC 641: without the same day in the month, its last day."""
    assert add_months(day, months) == expected


DAYS = st.dates(date(2000, 1, 1), date(2060, 12, 31))
PERIODS = st.tuples(DAYS, DAYS).map(lambda pair: Period(min(pair), max(pair)))


@given(PERIODS, PERIODS, DAYS)
def test_a_day_is_in_the_intersection_when_it_is_in_both(one, other, day):
    assert (one & other).contains(day) == (one.contains(day) and other.contains(day))
    assert (one & other) == (other & one) or not (one & other)
    assert one.overlaps(other) == bool((one & other).days)


@given(PERIODS)
def test_the_months_of_a_period_share_out_all_its_days(period):
    assert sum((period & month).days for month in period.months()) == period.days
