"""Temporary stays: two years at most in theory, often exceeded."""

from datetime import date

import pytest

from leases.tenancy import stays
from leases.tenancy.stays import StayRefused
from tests.builders import NOW

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 15)


def extended(lease, until, **kwargs):
    kwargs = {"reason": "No home found yet", "decided_on": date(2026, 1, 10), "by": None, "now": NOW} | kwargs
    return stays.extend_stay(lease, until=until, **kwargs)


@pytest.mark.parametrize(
    ("kind", "start", "term", "state"),
    [
        ("RESIDENCE_SOCIALE", date(2024, 1, 1), date(2025, 12, 31), "over"),
        ("CHRS", date(2024, 5, 2), date(2026, 5, 1), "soon"),
        ("ALT", date(2025, 1, 1), date(2026, 12, 31), "running"),
    ],
)
def test_each_regime_has_its_horizon(build, kind, start, term, state):
    build.lease(kind=kind, start=start)
    [stay] = stays.stays(TODAY)
    assert (stay.term, stay.state(TODAY)) == (term, state)


def test_a_contract_older_than_the_rule_has_its_first_horizon():
    assert stays.horizon("ALT", on=date(1990, 3, 16)).value == 24
    assert stays.horizon("L89_VIDE", on=TODAY) is None


def test_contracts_without_term_are_not_listed(build):
    build.lease()
    build.lease(kind="PENSION_FAMILLE")
    assert stays.stays(TODAY) == []


def test_the_longest_over_comes_first(build):
    recent = build.lease(kind="CHRS", start=date(2024, 2, 1))
    old = build.lease(kind="RESIDENCE_SOCIALE", start=date(2022, 2, 1))
    build.lease(kind="ALT", start=date(2026, 1, 1))

    assert [(one.lease, one.months_over(TODAY)) for one in stays.overruns(TODAY)] == [(old, 25), (recent, 1)]


def test_an_extension_gives_more_time_and_the_overrun_stays_counted(build):
    lease = build.lease(kind="CHRS", start=date(2024, 1, 1))
    made = extended(lease, date(2026, 9, 30))

    [stay] = stays.stays(TODAY)
    assert (stay.state(TODAY), stay.last_day, stay.months_over(TODAY)) == ("extended", date(2026, 9, 30), 2)
    with pytest.raises(StayRefused, match="30/09/2026"):
        extended(lease, date(2026, 8, 31))

    stays.withdraw_extension(made, on=TODAY, by=None)
    assert stays.stays(TODAY)[0].state(TODAY) == "over"


def test_what_has_no_term_needs_no_extension(build):
    with pytest.raises(StayRefused, match="no term"):
        extended(build.lease(), date(2027, 1, 1))


@pytest.mark.parametrize("count", [2, 40])
def test_the_list_takes_as_many_queries_whatever_its_length(build, count, django_assert_num_queries):
    for _number in range(count):
        build.lease(kind="CHRS", start=date(2023, 1, 1))

    with django_assert_num_queries(2):
        assert len(stays.stays(TODAY)) == count
