"""The tenant's account: what a payment settles, and what each lease owes by age."""

from datetime import date
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.money import euros, from_cents
from leases import tenant_account
from leases.tenant_account import impute

JANUARY, FEBRUARY, MARCH = date(2026, 1, 5), date(2026, 2, 5), date(2026, 3, 5)


def test_w19_a_payment_without_a_word_settles_the_oldest_month_first():
    """Code civil 1342-10: 300.00 paid, January 50.00 left, February 412.00."""
    charges = [(JANUARY, euros("50.00")), (FEBRUARY, euros("412.00"))]

    [settled], left, credit = impute(charges, [(euros("300.00"), None)])

    assert settled == [(JANUARY, euros("50.00")), (FEBRUARY, euros("250.00"))]
    assert left == {FEBRUARY: euros("162.00")}
    assert credit == euros(0)


def test_the_payer_may_choose_the_month():
    charges = [(JANUARY, euros("412.00")), (FEBRUARY, euros("412.00"))]

    [settled], left, _credit = impute(charges, [(euros("412.00"), FEBRUARY)])

    assert settled == [(FEBRUARY, euros("412.00"))]
    assert left == {JANUARY: euros("412.00")}


def test_what_is_paid_beyond_what_is_owed_stays_as_a_credit():
    _settled, left, credit = impute([(JANUARY, euros("412.00"))], [(euros("500.00"), None)])

    assert not left
    assert credit == euros("88.00")


def test_a_credit_note_lowers_its_own_month():
    charges = [(JANUARY, euros("412.00")), (FEBRUARY, euros("412.00")), (FEBRUARY, euros("-100.00"))]

    _settled, left, _credit = impute(charges, [])

    assert left == {JANUARY: euros("412.00"), FEBRUARY: euros("312.00")}


def test_a_returned_payment_opens_the_debt_again():
    charges = [(JANUARY, euros("412.00"))]

    _settled, left, _credit = impute(charges, [(euros("412.00"), None), (euros("-412.00"), None)])

    assert left == {JANUARY: euros("412.00")}


@given(seed=st.integers(0, 2**32))
def test_imputation_neither_makes_nor_loses_a_cent(seed):
    dice = Random(seed)
    dues = [JANUARY, FEBRUARY, MARCH]
    charges = [
        (dice.choice(dues), from_cents(dice.randint(-20_000, 60_000))) for _ in range(dice.randint(0, 8))
    ]
    payments = [
        (from_cents(dice.randint(1, 60_000)), dice.choice([None, None, *dues]))
        for _ in range(dice.randint(0, 6))
    ]

    settled, left, credit = impute(charges, payments)

    owed = sum((amount for _due, amount in charges), euros(0)) - sum((a for a, _c in payments), euros(0))
    assert sum(left.values(), euros(0)) - credit == owed
    for (amount, _choice), parts in zip(payments, settled, strict=True):
        assert sum((part for _due, part in parts), euros(0)) <= amount


@pytest.mark.django_db
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_the_stock_is_aged_by_the_same_rule(build, seed):
    """Ten leases a draw over three months: aged() finds open what impute() leaves open."""
    from django.db import transaction

    dice = Random(seed)
    with transaction.atomic():
        bank = build.bank()
        leases = [build.lease(rent=f"{dice.randint(100, 600)}.00", benefit=None) for _ in range(10)]
        build.called(date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1))
        expected = {}
        for lease in leases:
            charges = [(call.due, call.amount) for call in lease.calls.all()]
            payments = []
            for _ in range(dice.randint(0, 4)):
                amount = from_cents(dice.choice([dice.randint(1, 80_000), -dice.randint(1, 30_000)]))
                month = dice.choice([None, None, date(2026, 1, 1), date(2026, 2, 1)])
                build.paid(lease, amount, bank=bank, on=date(2026, 3, 9), month=month)
                payments.append((amount, {date(2026, 1, 1): JANUARY, date(2026, 2, 1): FEBRUARY}.get(month)))
            _settled, left, _credit = impute(charges, payments)
            expected[lease.pk] = left
        found = {lease.pk: dict(tenant_account.open_items(lease, date(2026, 4, 1))) for lease in leases}
        stock = {one.lease_id: one.due for one in tenant_account.aged(date(2026, 4, 1))}
        transaction.set_rollback(True)

    assert found == expected
    assert stock == {pk: sum(left.values(), euros(0)) for pk, left in expected.items() if left}
