"""Unpaid rent told to the CAF: from which debt, by when, and once."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from arrears.benefit_reports import (
    BenefitReport,
    CannotReport,
    constituted,
    newly_above,
    record_receipt,
    report,
    threshold,
)
from core.money import euros
from leases.rent import run_rent

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize(("paid_to_landlord", "expected"), [(True, "440.00"), (False, "840.00")])
def test_the_threshold_is_two_net_months_or_two_gross_ones(paid_to_landlord, expected):
    """W6: rent 350 and charges 70, benefit 200, on 2025-09-01."""
    found = threshold(
        rent=euros("350.00"), charges=euros("70.00"), benefit=euros("200.00"),
        paid_to_landlord=paid_to_landlord, on=date(2025, 9, 1),
    )  # fmt: skip

    assert found.amount == euros(expected)
    assert found.reached(euros(expected), oldest=None, on=date(2025, 9, 1))
    assert not found.reached(euros(expected) - euros("0.01"), oldest=None, on=date(2025, 9, 1))


def test_from_2027_it_is_more_than_450_or_three_months():
    day = date(2027, 4, 5)
    found = threshold(
        rent=euros("350.00"), charges=euros("70.00"), benefit=euros("200.00"), paid_to_landlord=True, on=day
    )

    assert not found.reached(euros("450.00"), oldest=date(2027, 3, 5), on=day)
    assert found.reached(euros("450.01"), oldest=date(2027, 3, 5), on=day)
    assert found.reached(euros("10.00"), oldest=date(2027, 1, 5), on=day)
    assert not found.reached(euros("10.00"), oldest=date(2027, 1, 6), on=day)


def called(*months: date):
    for month in months:
        run_rent(month, by=None, now=datetime(month.year, month.month, 2, 9, tzinfo=UTC))


def owing(build, *months):
    lease = build.lease(rent="350.00", charges="70.00", benefit="200.00", start=date(2025, 1, 1))
    called(*[date(2026, month, 1) for month in months])
    return lease


def test_arrears_are_constituted_the_day_the_second_month_falls_due(build):
    lease = owing(build, 3, 4, 5)
    [one] = constituted(date(2026, 5, 20))

    assert (one.lease_id, one.debt) == (lease.pk, euros("660.00"))
    assert one.since == date(2026, 4, 5)
    assert one.deadline == date(2026, 6, 5)
    assert one.state(date(2026, 5, 20)) == "waiting"
    assert one.state(date(2026, 6, 1)) == "soon"
    assert one.state(date(2026, 6, 6)) == "late"


def test_a_debt_that_fell_below_is_constituted_anew(build):
    lease = owing(build, 3, 4)
    build.paid(lease, "300.00", bank=build.bank(), on=date(2026, 4, 20))
    assert not constituted(date(2026, 4, 30))

    called(date(2026, 5, 1), date(2026, 6, 1))
    [one] = constituted(date(2026, 6, 10))
    assert one.since == date(2026, 6, 5)


def test_who_has_no_benefit_is_not_told(build):
    build.lease(rent="350.00", start=date(2025, 1, 1))
    called(date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1))

    assert not constituted(date(2026, 5, 20))


def test_a_report_is_made_once_and_its_receipt_kept(build):
    lease = owing(build, 3, 4, 5)
    [made] = report([lease], on=date(2026, 5, 20), by=None, now=NOW)

    with pytest.raises(CannotReport):
        report([lease], on=date(2026, 5, 21), by=None, now=NOW)
    with pytest.raises(CannotReport):
        record_receipt(made, receipt="AR-1", on=date(2026, 5, 19), by=None)
    record_receipt(made, receipt="AR-1", on=date(2026, 5, 22), by=None)
    [one] = constituted(date(2026, 5, 25))
    assert one.state(date(2026, 5, 25)) == "received"


def test_nothing_is_told_of_who_owes_little(build):
    lease = owing(build, 5)

    with pytest.raises(CannotReport):
        report([lease], on=date(2026, 5, 20), by=None, now=NOW)


def test_the_new_text_constitutes_small_old_debts_on_its_first_day(build):
    lease = owing(build, 9)
    first = date(2027, 1, 1)

    assert not constituted(date(2026, 12, 31))
    [one] = newly_above(first)
    assert (one.lease_id, one.since, one.deadline) == (lease.pk, first, date(2027, 3, 1))


def test_the_queue_takes_as_many_queries_whatever_its_length(build):
    counts = []
    for number in (2, 38):
        for _one in range(number):
            build.lease(rent="350.00", benefit="100.00", start=date(2025, 1, 1))
        called(date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1))
        with CaptureQueriesContext(connection) as asked:
            constituted(date(2026, 5, 20))
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_a_mediator_tells_the_caf_from_the_queue(build, client, monkeypatch):
    monkeypatch.setenv("GLA_TODAY", "2026-05-20")
    lease = owing(build, 3, 4, 5)
    client.force_login(build.user("mediator"))
    page = client.get(reverse("benefit-reports"), {"on": "2026-05-20"})

    assert page.status_code == 200
    assert lease.reference in page.content.decode()
    assert client.get(reverse("benefit-reports"), {"on": "2026-05-20", "export": "csv"}).status_code == 200


def test_several_are_told_at_once_or_none(build):
    first, second = owing(build, 3, 4, 5), build.lease(rent="350.00", start=date(2025, 1, 1))
    with pytest.raises(CannotReport):
        report([first, second], on=date(2026, 5, 20), by=None, now=NOW)

    assert not BenefitReport.objects.exists()
