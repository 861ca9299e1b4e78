"""What a lease obliges: the yearly proof of insurance and of the boiler's service."""

from datetime import date

import pytest

from core.law import rule
from core.money import euros
from leases.models import Certificate, ObligationStep
from leases.upkeep import obligations
from leases.upkeep.obligations import (
    ASKED,
    BOILER,
    COVERED,
    IN_ORDER,
    INSURANCE,
    MISSING,
    NOTICE,
    ORDER,
    REMINDED,
    SOON,
    ObligationRefused,
)

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 15)


def insured(lease, start, **kwargs):
    return obligations.receive(
        lease, INSURANCE, **{"start": start, "received_on": start, "by": None, **kwargs}
    )


def stepped(lease, step, on, kind=INSURANCE, **kwargs):
    return obligations.take_step(lease, kind, step, on=on, by=None, **kwargs)


def found(lease, kind=INSURANCE, on=TODAY):
    return obligations.bound(kind, on).get(pk=lease.pk)


def told(lease, kind=INSURANCE, on=TODAY):
    return obligations.next_step(kind, obligations.steps_of(found(lease, kind, on)), on=on)


# ---- who must prove, since when -----------------------------------------------------------


def test_a_proof_runs_a_year_and_is_missing_the_day_after(build):
    lease = build.lease()
    made = insured(lease, date(2025, 3, 16))

    assert made.last_day == date(2026, 3, 15)
    assert obligations.state(found(lease), TODAY) == SOON
    assert obligations.state(found(lease, on=date(2026, 3, 16)), date(2026, 3, 16)) == MISSING


def test_who_never_proved_owes_it_since_the_entry(build):
    lease = build.lease(start=date(2024, 5, 1))
    assert found(lease).missing_since == date(2024, 5, 1)


def test_contracts_outside_article_7_are_not_listed(build):
    build.lease(kind="CHRS")
    build.lease(kind="SUBLET_FREE")
    build.lease(end=date(2026, 1, 1))
    assert not obligations.bound(INSURANCE, TODAY).exists()


def test_a_boiler_is_asked_only_of_who_has_one_to_see_to(build):
    with_boiler, serviced, without = build.lease(), build.lease(), build.lease()
    for lease, contractor in ((with_boiler, ""), (serviced, "Chauffage du Nord")):
        unit = lease.occupancies.get().place.unit
        obligations.set_boiler(unit, since=date(2020, 1, 1), contractor=contractor, by=None)

    assert list(obligations.bound(BOILER, TODAY)) == [with_boiler]
    assert obligations.bound(INSURANCE, TODAY).filter(pk=without.pk).exists()


@pytest.mark.parametrize("state", [MISSING, SOON, IN_ORDER])
def test_the_list_in_sql_says_what_the_rule_says_of_each(build, state):
    insured(build.lease(), date(2026, 1, 1))
    insured(build.lease(), date(2025, 4, 1))
    insured(build.lease(), date(2024, 4, 1))
    covered, long_covered = build.lease(), build.lease()
    for lease, noticed, on in (
        (covered, date(2026, 1, 1), date(2026, 2, 1)),
        (long_covered, date(2024, 1, 1), date(2024, 2, 1)),
    ):
        stepped(lease, NOTICE, noticed)
        stepped(lease, COVERED, on, premium=euros("96.00"))

    rows = obligations.bound(INSURANCE, TODAY)
    assert set(obligations.in_state(rows, state, TODAY)) == {
        one for one in rows if obligations.state(one, TODAY) == state
    }
    assert obligations.state(found(covered), TODAY) == IN_ORDER
    assert obligations.state(found(long_covered), TODAY) == MISSING


# ---- what the law allows next -------------------------------------------------------------


def test_asked_then_reminded_then_given_notice_each_in_its_time(build):
    lease = build.lease()
    assert told(lease).step == ASKED

    stepped(lease, ASKED, date(2026, 3, 10))
    assert (told(lease).step, told(lease).since, told(lease).is_open(TODAY)) == (
        REMINDED, date(2026, 3, 25), False,
    )  # fmt: skip
    stepped(lease, REMINDED, date(2026, 3, 25))
    late = date(2026, 4, 10)
    assert (told(lease, on=late).step, told(lease, on=late).is_open(late)) == (NOTICE, True)


def test_the_landlord_insures_one_month_after_a_formal_notice(build):
    """Art. 7 g: « après un délai d'un mois à compter d'une mise en demeure non suivie d'effet »."""
    lease = build.lease()
    with pytest.raises(ObligationRefused, match="formal notice first"):
        stepped(lease, COVERED, TODAY, premium=euros("120.00"))
    stepped(lease, NOTICE, date(2026, 3, 1))
    with pytest.raises(ObligationRefused, match="01/04/2026"):
        stepped(lease, COVERED, date(2026, 3, 31), premium=euros("120.00"))

    stepped(lease, COVERED, date(2026, 4, 1), premium=euros("120.00"))
    assert obligations.monthly_part(euros("120.00"), on=date(2026, 4, 1)) == euros("10.00")
    # To insure is to give up the clause.
    with pytest.raises(ObligationRefused, match="give up the clause"):
        stepped(lease, ORDER, date(2026, 4, 2))


def test_the_clause_works_one_month_after_an_order(build):
    lease = build.lease()
    stepped(lease, ORDER, date(2026, 2, 10))

    waits, works = told(lease, on=date(2026, 3, 10)), told(lease, on=date(2026, 3, 11))
    assert (waits.since, waits.rule.legal_ref) == (date(2026, 3, 10), "Loi 89-462, art. 7 g")
    assert "Wait" in waits.words
    assert "judge" in works.words


def test_no_clause_ends_a_lease_for_a_boiler(build):
    lease = build.lease()
    obligations.set_boiler(lease.occupancies.get().place.unit, since=date(2020, 1, 1), by=None)
    with pytest.raises(ObligationRefused, match="No clause"):
        stepped(lease, ORDER, TODAY, kind=BOILER)
    stepped(lease, NOTICE, TODAY, kind=BOILER)
    assert "claim the cost" in told(lease, BOILER).words


def test_nobody_is_given_notice_while_insured(build):
    lease = build.lease()
    insured(lease, date(2026, 1, 1))
    with pytest.raises(ObligationRefused, match="31/12/2026"):
        stepped(lease, NOTICE, TODAY)


def test_a_proof_answers_what_was_asked_and_withdrawn_asks_it_again(build):
    lease = build.lease()
    stepped(lease, ASKED, date(2026, 3, 1))
    made = insured(lease, date(2026, 3, 10))
    assert found(lease).asked_on is None

    obligations.withdraw_certificate(made, on=TODAY, by=None)
    assert found(lease).asked_on == date(2026, 3, 1)
    assert obligations.state(found(lease), TODAY) == MISSING


def test_the_same_proof_is_recorded_once(build):
    lease = build.lease()
    insured(lease, date(2026, 1, 1))
    with pytest.raises(ObligationRefused, match="recorded already"):
        insured(lease, date(2026, 1, 1))
    assert Certificate.objects.count() == 1


# ---- the whole stock ----------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 40])
def test_everybody_is_asked_at_once_and_once(build, count, django_assert_num_queries):
    for number in range(count):
        lease = build.lease()
        if number == 0:
            insured(lease, date(2026, 1, 1))

    with django_assert_num_queries(5):  # savepoints included
        assert obligations.ask_all(INSURANCE, on=TODAY, by=None) == count - 1
    assert obligations.ask_all(INSURANCE, on=TODAY, by=None) == 0
    assert ObligationStep.objects.count() == count - 1


def test_every_category_of_repair_has_its_payer_in_law():
    from leases.upkeep.repairs import CATEGORIES

    assert {rule("REPAIR_PAYER", on=TODAY, repair=code).value for code in CATEGORIES} == {
        "tenant",
        "landlord",
    }
