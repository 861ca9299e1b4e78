"""No work asks the database more often because there are more leases: 40 cost what 2 cost."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leases import rent, tenant_account
from tests.builders import NOW

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)

WORKS = {
    "run": lambda month: rent.run_rent(month, by=None, now=NOW),
    "preview": rent.preview_run,
    "aged balance": lambda month: list(tenant_account.aged(month)),
}


def questions(work, month: date) -> list[str]:
    with CaptureQueriesContext(connection) as asked:
        work(month)
    return [query["sql"][:60] for query in asked]


def stock(build, leases: int) -> None:
    """Leases of every make: own homes and a mandant's, with charges and with a benefit."""
    owner = build.owner(kind="private")
    for number in range(leases):
        mandate = {"unit": build.unit(owner=owner, title="mandate")} if number % 2 else {}
        build.lease(charges="70.00", benefit="120.00", **mandate)


@pytest.mark.django_db
@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_forty_leases_cost_as_many_queries_as_two(build, work):
    stock(build, 2)
    build.called(JANUARY)
    at_two = questions(work, FEBRUARY)
    stock(build, 38)

    at_forty = questions(work, MARCH)

    assert len(at_forty) == len(at_two), (at_two, at_forty)


@pytest.mark.django_db
def test_a_repeated_run_of_forty_leases_costs_as_many_queries_as_of_two(build):
    stock(build, 2)
    build.called(JANUARY)
    at_two = questions(WORKS["run"], JANUARY)
    stock(build, 38)
    build.called(FEBRUARY)

    at_forty = questions(WORKS["run"], FEBRUARY)

    assert len(at_forty) == len(at_two), (at_two, at_forty)


@pytest.mark.django_db
def test_a_part_of_a_run_takes_as_many_statements_whatever_its_leases(build):
    stock(build, 2)
    build.called(JANUARY)
    parts = [rent.open_run(FEBRUARY, by=None, now=NOW).parts.get()]
    at_two = questions(lambda _month: rent.call_part(parts[0].pk, now=NOW), FEBRUARY)
    stock(build, 38)
    parts.append(rent.open_run(MARCH, by=None, now=NOW).parts.get())

    at_forty = questions(lambda _month: rent.call_part(parts[1].pk, now=NOW), MARCH)

    assert len(at_forty) == len(at_two), (at_two, at_forty)
