"""CHRS: what a resident pays each month, from proved resources."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core.money import euros
from leases.households import Membership
from leases.models import Person, RentCall
from leases.tenancy.participation import (
    NoParticipation,
    ParticipationRate,
    monthly,
    participations,
    prove_resources,
    set_month,
    set_participation,
    set_rate,
)
from portfolio.models import Structure
from tests.builders import NOW

pytestmark = pytest.mark.django_db
FEBRUARY, MARCH, APRIL = date(2026, 2, 1), date(2026, 3, 1), date(2026, 4, 1)


def rate(*, small="15", family="10", meals=False, daily="2.50", structure=None, since=date(2026, 1, 1)):
    return set_rate(
        structure=structure, since=since, meals=meals, small=Decimal(small), family=Decimal(family),
        daily=euros(daily), by=None, now=NOW,
    )  # fmt: skip


def proved(lease, amount, since=date(2026, 1, 1)):
    return prove_resources(
        lease, since=since, amount=euros(amount), proof="Attestation RSA", by=None, now=NOW
    )


def stay(build, *, persons=1, start=date(2026, 1, 10), **kwargs):
    lease = build.lease(kind="CHRS", rent=None, start=start, **kwargs)
    for _each in range(persons - 1):
        child = Person.objects.create(reference=f"C{build.number()}", last_name="Martin", first_name="Lou")
        Membership.objects.create(household=lease.household, person=child, role="child", start=start)
    return lease


def set_for(lease, month=MARCH):
    return set_participation(lease, month=month, by=None, now=NOW)


def terms(lease):
    return [(term.start, term.amount) for term in lease.terms.order_by("start")]


@pytest.mark.parametrize(
    ("persons", "percent", "resources", "amount", "capped"),
    [
        (1, "15", "646.52", "96.98", False),
        (2, "40", "1000.00", "400.00", False),  # with meals; 60 % is left, 30 % would do
        (3, "40", "1000.00", "400.00", False),  # 60 % is left, 50 % must be
        (1, "15", "0.00", "0.00", False),
        (1, "80", "1000.00", "700.00", True),  # what the law leaves to one person: 30 %
        (3, "80", "1000.00", "500.00", True),  # to a family: 50 %
    ],
)
def test_a_percentage_of_resources_that_leaves_what_the_law_leaves(
    persons, percent, resources, amount, capped
):
    found = monthly(euros(resources), persons=persons, percent=Decimal(percent), on=MARCH)
    assert found == (euros(amount), capped)


@pytest.mark.parametrize(
    ("rates", "range_"),
    [
        ({"small": "16"}, "10 to 15"),
        ({"small": "9.5"}, "10 to 15"),
        ({"family": "11"}, "10 to 10"),
        ({"small": "15", "family": "30", "meals": True}, "20 to 40"),
    ],
)
def test_a_rate_outside_the_law_is_refused(rates, range_):
    """Arrêté du 13 mars 2002: 10 to 15 % without meals, 10 % for a family; 20 to 40 % with meals."""
    with pytest.raises(NoParticipation, match=range_):
        rate(**rates)


def test_the_size_of_the_household_says_which_rate(build):
    rate()
    alone, with_one, family = (stay(build, persons=persons) for persons in (1, 2, 3))
    for lease in (alone, with_one, family):
        proved(lease, "1000.00")

    assert {one.lease: (one.persons, one.amount) for one in participations(MARCH)} == {
        alone: (1, euros("150.00")), with_one: (2, euros("150.00")), family: (3, euros("100.00")),
    }  # fmt: skip


def test_a_structure_has_its_own_rate(build):
    rate()
    structure = Structure.objects.create(reference="CHRS1", name="CHRS", kind="chrs")
    rate(structure=structure, small="30", family="25", meals=True)
    lease = stay(build, unit=build.unit(structure=structure))
    proved(lease, "600.00")

    assert set_for(lease).amount == euros("180.00")
    assert terms(lease) == [(MARCH, euros("180.00"))]


def test_the_resources_proved_last_hold_from_their_day(build):
    rate()
    lease = stay(build)
    proved(lease, "600.00")
    proved(lease, "700.00", since=APRIL)
    set_for(lease)
    set_for(lease, APRIL)

    assert terms(lease) == [(MARCH, euros("90.00")), (APRIL, euros("105.00"))]


def test_the_first_five_days_cost_the_flat_amount(build):
    """From the sixth day of the stay the percentage; a stay from the 10th: 5 × 2.50 and 17 of 31 days."""
    rate()
    lease = stay(build, start=date(2026, 3, 10))
    proved(lease, "620.00", since=date(2026, 3, 10))
    set_for(lease)

    assert terms(lease) == [(date(2026, 3, 10), euros("77.50")), (date(2026, 3, 15), euros("93.00"))]
    assert set_month(MARCH, by=None, now=NOW) == []
    build.called(MARCH)
    assert RentCall.objects.get(lease=lease).amount == euros("12.50") + euros("51.00")


def test_first_days_over_two_months_are_each_their_months(build):
    rate()
    lease = stay(build, start=date(2026, 2, 26))
    proved(lease, "620.00", since=date(2026, 2, 26))
    set_for(lease, FEBRUARY)
    assert terms(lease) == [(date(2026, 2, 26), euros("70.00"))]
    set_for(lease, MARCH)

    assert terms(lease) == [
        (date(2026, 2, 26), euros("70.00")),
        (date(2026, 3, 1), euros("77.50")),
        (date(2026, 3, 3), euros("93.00")),
    ]


def test_without_proof_or_rate_nothing_is_set(build):
    lease = stay(build)
    with pytest.raises(NoParticipation, match="No rate"):
        set_for(lease)
    rate()
    with pytest.raises(NoParticipation, match="No resources"):
        set_for(lease)
    with pytest.raises(NoParticipation, match="paper"):
        prove_resources(lease, since=MARCH, amount=euros("600.00"), proof=" ", by=None, now=NOW)
    with pytest.raises(NoParticipation, match="no participation"):
        proved(build.lease(), "600.00")


def test_a_month_sets_what_changes_and_says_who_lacks_proof(build):
    rate()
    known, unknown = stay(build), stay(build)
    proved(known, "600.00")

    assert [one.lease for one in set_month(MARCH, by=None, now=NOW)] == [known]
    assert set_month(MARCH, by=None, now=NOW) == []
    refused = [one.lease for one in participations(MARCH) if one.refusal]
    assert refused == [unknown]


def test_as_many_queries_for_40_stays_as_for_2(build):
    rate()

    def queries():
        with CaptureQueriesContext(connection) as made:
            participations(MARCH)
        return len(made)

    for _each in range(2):
        proved(stay(build), "600.00")
    few = queries()
    for _each in range(38):
        proved(stay(build), "600.00")
    assert queries() == few


@pytest.fixture
def march(settings):
    settings.GLA_TODAY = "2026-03-02"


def test_the_coordinator_records_resources_and_sets_the_month(build, client, march):
    rate()
    lease = stay(build)
    client.force_login(build.user("coordinator"))
    page = client.get(reverse("participations")).content.decode()
    assert reverse("lease-resources", args=[lease.pk]) in page

    told = {"since": "2026-03-01", "amount": "600.00", "proof": "RSA"}
    assert client.post(reverse("lease-resources", args=[lease.pk]), told).status_code == 302
    shown = client.post(reverse("participations-set"), {"month": "2026-03"}).content.decode()
    assert lease.reference in shown
    answer = client.post(reverse("participations-set"), {"month": "2026-03", "step": "commit"})
    assert answer.status_code == 302
    assert terms(lease) == [(MARCH, euros("90.00"))]
    assert client.get(reverse("participation-rate")).status_code == 403


def test_the_director_sets_the_rate(build, client, march):
    client.force_login(build.user("director"))
    told = {"since": "2026-03-01", "small": "12.5", "family": "10", "daily": "2.00"}
    assert client.post(reverse("participation-rate"), told | {"small": "20"}).status_code == 422
    assert client.post(reverse("participation-rate"), told).status_code == 302
    assert ParticipationRate.objects.get().small == Decimal("12.5")


def test_the_api_reckons_and_sets_the_same(build, client, march):
    rate()
    lease = stay(build)
    client.force_login(build.user("coordinator"))
    told = {"lease": lease.pk, "since": "2026-03-01", "amount": "600.00", "proof": "RSA"}
    made = client.post("/api/v1/proved-resources/", told, content_type="application/json")
    assert made.status_code == 201, made.content
    [one] = client.get("/api/v1/participations/", {"month": "2026-03"}).json()
    assert (one["lease"], one["resources"], one["amount"], one["to_set"]) == (
        lease.pk, "600.00", "90.00", True,
    )  # fmt: skip
    answer = client.post(
        "/api/v1/participations/", {"lease": lease.pk, "month": "2026-03"}, content_type="application/json"
    )
    assert answer.status_code == 200, answer.content
    assert terms(lease) == [(MARCH, euros("90.00"))]
