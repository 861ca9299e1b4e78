"""The checkpoint says what the full reckoning says, whatever was posted before and after it."""

from datetime import date, timedelta
from random import Random

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from core import dialect
from core.money import euros, from_cents
from leases import checkpoint, ledger, tenant_account
from leases.lease import payment_reference
from leases.models import Account, Checkpoint, CheckpointItem, CheckpointLease, Entry, Lease, Posting
from tests.builders import NOW

pytestmark = pytest.mark.django_db
JANUARY, MARCH, APRIL = date(2026, 1, 1), date(2026, 3, 1), date(2026, 4, 1)


def aged(text, on):
    # SQLite gives a date as text where it does not come straight from a column.
    found = dialect.rows(text, tenant_account.aged_parameters(on))
    told = [tuple(str(one) if isinstance(one, date) else one for one in row) for row in found]
    return sorted(told, key=str)


def owed(with_balance, on):
    return dict(with_balance(Lease.objects.all(), on).values_list("pk", "balance"))


def the_same(on):
    """What the stock owes on a day, once both ways are found to tell it alike."""
    told = aged(checkpoint.aged_sql(on), on)
    assert told == aged(tenant_account.aged_sql(), on)
    open_items = "SELECT lease_id, due, amount, called FROM item"
    assert aged(checkpoint.items_sql(on) + open_items, on) == aged(
        tenant_account.items_sql() + open_items, on
    )
    balances = owed(checkpoint.with_balance, on)
    assert balances == owed(tenant_account.with_balance, on)
    assert balances == tenant_account.balances(balances, on)
    return told


@pytest.fixture
def keep():
    return lambda on: checkpoint.keep_checkpoint(on=on, now=NOW)


def test_nothing_is_reckoned_again_for_a_lease_that_nobody_posted_to(build, keep):
    lease = build.lease(rent="465.00")
    build.called(JANUARY, MARCH)
    keep(MARCH)

    [(pk, _not_due, *_ages)] = the_same(APRIL)

    assert pk == lease.pk
    assert CheckpointItem.objects.filter(lease=lease).count() == 2
    assert CheckpointLease.objects.get(lease=lease).owed == euros("930.00") - euros("465.00")


def test_a_payment_after_the_checkpoint_is_seen_at_once(build, keep):
    lease, bank = build.lease(rent="465.00"), build.bank()
    build.called(JANUARY)
    keep(MARCH)
    build.paid(lease, "465.00", bank=bank, on=date(2026, 3, 9))

    assert the_same(APRIL) == []


def test_a_day_before_the_checkpoint_is_worked_out_in_full(build, keep):
    build.lease(rent="465.00")
    build.called(JANUARY, MARCH)
    keep(APRIL)

    assert checkpoint.latest(MARCH) is None
    assert len(the_same(date(2026, 2, 1))) == 1


def test_the_payers_own_choice_is_always_worked_out_again(build, keep):
    lease, bank = build.lease(rent="465.00"), build.bank()
    build.called(JANUARY)
    build.paid(lease, "465.00", bank=bank, on=date(2026, 1, 9), month=MARCH)
    keep(date(2026, 2, 1))
    build.called(MARCH)

    the_same(APRIL)


def test_a_checkpoint_is_made_by_the_same_number_of_queries_whatever_the_stock(build, keep):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            keep(MARCH)
        return len(asked)

    build.lease()
    build.called(JANUARY)
    keep(MARCH), keep(MARCH)
    few = queries()
    for _ in range(5):
        build.lease()
    build.called(MARCH)

    assert queries() == few
    assert Checkpoint.objects.count() == checkpoint.KEPT


def test_a_checkpoint_that_was_tampered_with_is_told(build, keep):
    lease = build.lease(rent="465.00")
    build.called(JANUARY)
    keep(MARCH)
    assert checkpoint.differences() == []

    CheckpointItem.objects.update(amount=euros("1.00"))
    CheckpointLease.objects.update(owed=euros("2.00"))

    told = {line for _proof, line in checkpoint.differences()}
    assert f"aged balance of lease {lease.pk} on {MARCH}" in told
    assert f"balance of lease {lease.pk} on {MARCH}" in told


def drawn_leases(build, many):
    household, book = build.household(), ledger.association_book_id()
    leases = Lease.objects.bulk_create(
        Lease(
            reference=f"D{number}", kind="L89_VIDE", household=household, signed_on=JANUARY, start=JANUARY,
            payment_reference=payment_reference(10_000 + number),
        )
        for number in range(many)
    )  # fmt: skip
    accounts = Account.objects.bulk_create(
        Account(book_id=book, kind=kind, lease=lease)
        for lease in leases
        for kind in (ledger.TENANT, ledger.BENEFIT)
    )
    other, _made = Account.objects.get_or_create(book_id=book, kind=ledger.RENT)
    return accounts, other


def draw_postings(dice, accounts, other, entry, number, many):
    """Calls, credits, payments and returns, in no order: dates, due dates and amounts at random."""
    dues = [JANUARY + timedelta(days=31 * month) for month in range(5)]
    made = []
    for account in accounts:
        for _ in range(dice.choice([0, 0, 1, many])):
            paid = dice.random() < 0.5
            on = JANUARY + timedelta(days=dice.randint(0, 130))
            owing = dice.random() < (0.2 if paid else 0.8)
            debit, credit = (account, other) if owing else (other, account)
            number += 1
            made.append(
                Posting(
                    entry=entry, debit=debit, credit=credit, amount=from_cents(dice.randint(1, 60_000)), on=on,
                    due=on if paid and dice.random() < 0.9 else dice.choice(dues), source_id=number,
                    source=ledger.Source.ALLOCATION if paid else ledger.Source.CALL,
                )
            )  # fmt: skip
    dice.shuffle(made)
    Posting.objects.bulk_create(made)
    return number


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_any_ledger_any_day(build, keep, seed):
    """Two hundred leases a draw: postings, a checkpoint, postings, another, postings; looked at on six days."""
    dice = Random(seed)
    with transaction.atomic():
        accounts, other = drawn_leases(build, 200)
        entry = Entry.objects.create(label="drawn", recorded_at=NOW)
        number = draw_postings(dice, accounts, other, entry, 0, 6)
        for _round in range(2):
            keep(JANUARY + timedelta(days=dice.randint(0, 140)))
            assert checkpoint.differences() == []
            some = dice.sample(accounts, dice.choice([0, 3, 60]))
            number = draw_postings(dice, some, other, entry, number, 3)
            for _day in range(3):
                the_same(JANUARY + timedelta(days=dice.randint(0, 160)))
            assert checkpoint.differences() == []
        transaction.set_rollback(True)
