"""Grants: what an agreement gives, what was claimed of it and what came in."""

from datetime import date

import pytest

from core.money import euros
from leases.accounts.grants import Grant, GrantStep, WrongStep, agree_grant, record_step
from tests.builders import NOW

JANUARY, DECEMBER = date(2026, 1, 1), date(2026, 12, 31)


@pytest.fixture
def agls(db):
    return agree_grant(
        kind="agls",
        reference="AGLS 2026-014",
        funder="DDETS du Nord",
        start=JANUARY,
        last_day=DECEMBER,
        agreed=euros("25000.00"),
        by=None,
    )


def step(grant, kind, amount, on=JANUARY):
    return record_step(grant, kind, euros(amount), on=on, by=None, now=NOW)


def test_a_grant_is_agreed_claimed_then_received(agls):
    step(agls, GrantStep.Kind.CLAIMED, "12500.00")
    step(agls, GrantStep.Kind.RECEIVED, "10000.00", date(2026, 3, 5))

    kept = Grant.objects.with_sums().get()
    assert kept.claimed == euros("12500.00")
    assert kept.received == euros("10000.00")
    assert kept.left == euros("15000.00")
    assert kept.unclaimed == euros("12500.00")


def test_a_mistake_is_undone_by_its_opposite(agls):
    step(agls, GrantStep.Kind.CLAIMED, "1250.00")
    step(agls, GrantStep.Kind.CLAIMED, "-1250.00")

    assert Grant.objects.with_sums().get().claimed == euros(0)


@pytest.mark.parametrize("amount", ["25000.01", "-1.00", "0.00"])
def test_more_than_agreed_or_less_than_nothing_is_refused(agls, amount):
    with pytest.raises(WrongStep) as refused:
        step(agls, GrantStep.Kind.CLAIMED, amount)

    assert refused.value.remedy


def test_an_agreement_is_recorded_once(agls):
    with pytest.raises(WrongStep, match="already"):
        agree_grant(
            kind="alt",
            reference=agls.reference,
            funder="DDETS",
            start=JANUARY,
            last_day=DECEMBER,
            agreed=euros("1.00"),
            by=None,
        )
