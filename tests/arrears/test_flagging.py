"""What is flagged, what never is, and when a signal closes by itself."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from arrears.signals import Signal, benefit_expected_before, explain, flag_arrears, handle
from core.money import euros
from leases.lifecycle import change_benefit
from tests.arrears.payments import benefit_came, pay, returned
from tests.builders import NOW

pytestmark = pytest.mark.django_db

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
MONTHS = [date(2025, 10, 1), date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1), MARCH]


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def flag(on):
    return flag_arrears(on=on, by=None, now=NOW)


def open_signals():
    return {signal.nature: signal for signal in Signal.objects.open()}


def test_rent_of_412_due_on_the_5th_nothing_on_the_12th_is_missed_since_the_5th(build):
    build.lease(start=MARCH, rent="412.00", due_day=5)
    build.called(MARCH)

    done = flag(date(2026, 3, 12))

    signal = Signal.objects.get()
    assert done.opened == {"missed": 1}
    assert (signal.nature, signal.amount, signal.since) == ("missed", euros("412.00"), date(2026, 3, 5))
    assert explain(signal) == "1 month wholly unpaid since 5 Mar 2026. Never paid yet."


def test_nothing_is_said_before_the_days_of_grace_are_over(build):
    build.lease(start=MARCH, rent="412.00", due_day=5)
    build.called(MARCH)

    assert flag(date(2026, 3, 9)).opened == {}


def test_half_of_the_rent_is_a_partial_payment(build):
    lease = build.lease(start=MARCH, rent="412.00", due_day=5)
    build.called(MARCH)
    pay(build, lease, "200.00", date(2026, 3, 6))

    flag(date(2026, 3, 12))

    signal = Signal.objects.get()
    assert (signal.nature, signal.amount) == ("partial", euros("212.00"))
    assert explain(signal) == "1 month partly unpaid. Last payment on 6 Mar 2026."


def test_what_waits_only_for_its_apl_is_never_flagged(build):
    lease = build.lease(start=MARCH, rent="412.00", benefit="250.00", due_day=5)
    build.called(MARCH)
    pay(build, lease, "162.00", date(2026, 3, 5))

    assert flag(date(2026, 3, 24)).opened == {}


def test_apl_of_march_unpaid_ten_days_after_the_25th_has_stopped(build):
    lease = build.lease(start=MARCH, rent="412.00", benefit="250.00", due_day=5)
    build.called(MARCH)
    pay(build, lease, "162.00", date(2026, 3, 5))

    assert flag(date(2026, 4, 3)).opened == {}
    assert flag(date(2026, 4, 4)).opened == {"benefit_stopped": 1}
    signal = Signal.objects.get()
    assert (signal.amount, signal.since) == (euros("250.00"), date(2026, 3, 5))
    assert explain(signal) == "APL expected since 5 Mar 2026 is not paid: €250.00."

    benefit_came(build, lease, "250.00", date(2026, 4, 6))
    assert flag(date(2026, 4, 7)).closed == 1
    assert Signal.objects.get().closed_because == "resumed"


@pytest.mark.parametrize(
    "kind, on, first_still_expected",
    [
        ("apl", date(2026, 4, 3), date(2026, 3, 1)),
        ("apl", date(2026, 4, 4), date(2026, 4, 1)),
        ("al", date(2026, 4, 14), date(2026, 3, 1)),
        ("al", date(2026, 4, 15), date(2026, 4, 1)),
    ],
)
def test_apl_is_awaited_until_ten_days_after_the_25th_al_until_ten_after_the_5th_of_the_next_month(
    kind, on, first_still_expected
):
    assert benefit_expected_before(kind, on) == first_still_expected


def test_a_right_that_ends_without_another_is_flagged_until_one_resumes(build):
    lease = build.lease(start=date(2026, 2, 1), rent="412.00", benefit="250.00", due_day=5)
    build.called(date(2026, 2, 1))
    pay(build, lease, "162.00", date(2026, 2, 5))
    benefit_came(build, lease, "250.00", date(2026, 2, 25))
    change_benefit(lease, amount=None, since=MARCH, by=None, now=NOW)

    flag(date(2026, 3, 2))

    signal = open_signals()["benefit_stopped"]
    assert (signal.amount, signal.since) == (euros("250.00"), MARCH)
    assert explain(signal) == "The right to APL ended on 28 Feb 2026, without another."

    change_benefit(lease, amount=euros("260.00"), since=MARCH, by=None, now=NOW)
    flag(date(2026, 3, 3))
    assert "benefit_stopped" not in open_signals()


def test_a_returned_direct_debit_is_told_with_its_reason_and_closes_when_paid(build):
    lease = build.lease(start=MARCH, rent="412.00", due_day=5)
    build.called(MARCH)
    pay(build, lease, "412.00", date(2026, 3, 5), how="mandate")
    returned(build, lease, "412.00", date(2026, 3, 9), code="AM04")

    flag(date(2026, 3, 9))

    signal = open_signals()["rejected"]
    assert (signal.amount, signal.since) == (euros("412.00"), date(2026, 3, 9))
    assert explain(signal) == "Direct debit returned on 9 Mar 2026: not enough money in the account."

    flag(date(2026, 3, 12))
    assert list(open_signals()) == ["rejected"]

    pay(build, lease, "412.00", date(2026, 3, 14))
    flag(date(2026, 3, 15))
    assert open_signals() == {}
    assert flag(date(2026, 3, 16)).opened == {}


def test_paid_after_the_flagging_closes_the_signal(build):
    lease = build.lease(start=MARCH, rent="412.00", due_day=5)
    build.called(MARCH)
    flag(date(2026, 3, 12))
    pay(build, lease, "412.00", date(2026, 3, 13))

    done = flag(date(2026, 3, 14))

    signal = Signal.objects.get()
    assert done.closed == 1
    assert (signal.closed_because, signal.handled_on, signal.handled_by) == ("paid", date(2026, 3, 14), None)


def test_a_missed_month_partly_paid_becomes_a_partial_one_and_keeps_its_mediator(build):
    mediator = build.user("mediator")
    lease = build.lease(start=MARCH, rent="412.00", due_day=5)
    build.called(MARCH)
    flag(date(2026, 3, 12))
    Signal.objects.update(mediator=mediator, remind_on=date(2026, 3, 20))
    pay(build, lease, "300.00", date(2026, 3, 13))

    flag(date(2026, 3, 14))

    assert Signal.objects.get(nature="missed").closed_because == "changed"
    partial = open_signals()["partial"]
    assert (partial.amount, partial.mediator, partial.remind_on) == (
        euros("112.00"),
        mediator,
        date(2026, 3, 20),
    )


def test_three_months_of_six_paid_ten_days_late_is_a_habit(build):
    lease = build.lease(start=MONTHS[0], rent="412.00", due_day=5)
    build.called(*MONTHS)
    for month in MONTHS[:3]:
        pay(build, lease, "412.00", month.replace(day=5))
    for month in MONTHS[3:]:
        pay(build, lease, "412.00", month.replace(day=15))

    assert flag(date(2026, 3, 14)).opened == {"missed": 1}
    flag(date(2026, 3, 16))

    late = open_signals()["late"]
    assert (late.since, late.latest, late.amount) == (date(2026, 1, 5), date(2026, 3, 5), euros(0))
    assert explain(late) == "Paid more than 5 days late 3 times in the last 6 months."


def test_a_handled_signal_stays_closed_until_something_newer_comes(build):
    mediator = build.user("mediator")
    build.lease(start=MARCH, rent="412.00", due_day=5)
    build.called(MARCH)
    flag(date(2026, 3, 12))
    handle(Signal.objects.get(), by=mediator, on=date(2026, 3, 12), because="promised")

    assert flag(date(2026, 3, 13)).opened == {}

    build.called(APRIL)
    assert flag(date(2026, 4, 11)).opened == {"missed": 1}
    assert open_signals()["missed"].amount == euros("824.00")


def test_flagging_twice_on_a_day_changes_nothing(build):
    build.lease(start=MARCH, rent="412.00", due_day=5)
    build.called(MARCH)
    flag(date(2026, 3, 12))

    again = flag(date(2026, 3, 12))

    assert (again.opened, again.closed, Signal.objects.count()) == ({}, 0, 1)


def test_a_few_cents_trouble_nobody(build):
    lease = build.lease(start=MARCH, rent="412.00", due_day=5)
    build.called(MARCH)
    pay(build, lease, "411.50", date(2026, 3, 5))

    assert flag(date(2026, 3, 12)).opened == {}


@pytest.mark.parametrize("leases", [2, 40])
def test_the_number_of_statements_does_not_grow_with_the_stock(build, leases):
    for _each in range(leases):
        build.lease(start=MARCH, rent="412.00", benefit="200.00", due_day=5)
    build.called(MARCH)

    with CaptureQueriesContext(
        connection,
    ) as seen:
        done = flag(date(2026, 4, 6))

    assert done.opened == {"missed": leases, "benefit_stopped": leases}
    statements = [one for one in seen.captured_queries if "SAVEPOINT" not in one["sql"]]
    assert len(statements) == 10
