"""check_ledger names whatever was changed behind the database's own guards."""

from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import translation

from core import sqlfile
from leases import ledger
from leases.ledger import Source
from leases.models import Account, Allocation, Entry, Movement, Posting, RentRun
from leases.proof import check_ledger
from tests.leases.full_ledger import MARCH, full_ledger

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def kept(build):
    return full_ledger(build)


@contextmanager
def behind_the_guards():
    """Without a single trigger, as who holds the database's password; they are back at the end."""
    if connection.vendor == "postgresql":
        run("SET CONSTRAINTS ALL IMMEDIATE")
    sqlfile.drop_declared(connection)
    yield
    sqlfile.make_declared(connection)


def run(statement: str, *values) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def tampered(statement: str, *values) -> None:
    with behind_the_guards():
        run(statement, *values)


def named() -> set[str]:
    """What check_ledger says is wrong: the proof and the line."""
    return {str(fault) for fault in check_ledger()}


def posting_of(call) -> Posting:
    return Posting.objects.get(source=Source.CALL, source_id=call.pk)


def posting_of_payment(allocation, leg=0) -> Posting:
    return Posting.objects.get(source=Source.ALLOCATION, source_id=allocation.pk, leg=leg)


def line(posting: Posting) -> str:
    return f"posting {posting.pk} of entry {posting.entry_id}"


def test_a_ledger_left_alone_holds(kept):
    assert named() == set()


def test_the_command_says_so(kept, capsys):
    call_command("check_ledger")

    assert "The ledger holds." in capsys.readouterr().out


def test_the_command_fails_and_names_the_line(kept, capsys):
    call = kept.calls[0]
    tampered("UPDATE leases_posting SET amount = amount + 1 WHERE id = %s", posting_of(call).pk)

    with pytest.raises(SystemExit):
        call_command("check_ledger")

    assert line(posting_of(call)) in capsys.readouterr().err


# ---- a posting changed ----


@pytest.mark.parametrize(
    "change",
    [
        "amount = amount + 1",
        "amount = amount - 1",
        "debit_id = credit_id, credit_id = debit_id",
        'due = "on"',
        "source_id = source_id + 1000",
        "leg = 1",
    ],
)
def test_a_posting_changed_is_named(kept, change):
    posting = posting_of(kept.calls[0])

    tampered(f"UPDATE leases_posting SET {change} WHERE id = %s", posting.pk)

    assert f"call_posting: {line(posting)}" in named()


def test_a_posting_moved_to_another_account_is_named(kept):
    posting = posting_of(kept.calls[0])
    other = Account.objects.exclude(kind=posting.credit.kind).filter(
        book=posting.credit.book_id, lease=None, bank=None
    )

    tampered("UPDATE leases_posting SET credit_id = %s WHERE id = %s", other.first().pk, posting.pk)

    assert f"call_posting: {line(posting)}" in named()


def test_the_accounting_date_of_a_posting_is_sealed(kept):
    """No call says it: only the sealed digest of its entry does."""
    posting = posting_of(kept.calls[0])

    tampered("UPDATE leases_posting SET \"on\" = '2026-01-01' WHERE id = %s", posting.pk)

    assert [fault.split(":")[:2] for fault in named()] == [["entry_total", f" entry {posting.entry_id}"]]


@pytest.mark.parametrize("change", ["amount = amount + 1", "\"on\" = '2026-01-01'", "leg = 1"])
def test_the_posting_of_a_payment_changed_is_named(kept, change):
    posting = posting_of_payment(Allocation.objects.filter(lease=kept.own).earliest("pk"))

    tampered(f"UPDATE leases_posting SET {change} WHERE id = %s", posting.pk)

    assert f"allocation_posting: {line(posting)}" in named()


@pytest.mark.parametrize("leg", [0, 1])
def test_a_payment_to_a_mandant_put_elsewhere_is_named(kept, leg):
    """In the bank's book it goes to what is held for the owner; in the owner's, it comes from there."""
    posting = posting_of_payment(Allocation.objects.get(lease=kept.mandated), leg)
    side, book = ("credit", posting.credit.book_id) if leg == 0 else ("debit", posting.debit.book_id)
    kind = ledger.SUSPENSE if leg == 0 else ledger.RENT
    elsewhere = Account.objects.get(book=book, kind=kind)

    tampered(f"UPDATE leases_posting SET {side}_id = %s WHERE id = %s", elsewhere.pk, posting.pk)

    assert f"allocation_posting: {line(posting)}" in named()


@pytest.mark.parametrize(
    "change", ["amount = amount + 1", "\"on\" = '2026-01-01'", "debit_id = credit_id, credit_id = debit_id"]
)
def test_the_posting_of_an_opening_balance_changed_is_named(kept, change):
    posting = Posting.objects.get(source=Source.OPENING)

    tampered(f"UPDATE leases_posting SET {change} WHERE id = %s", posting.pk)

    assert f"opening_posting: {line(posting)}" in named()


# ---- a posting deleted, added, of nothing ----


def test_a_posting_deleted_leaves_its_call_unposted(kept):
    call = kept.calls[0]

    tampered("DELETE FROM leases_posting WHERE id = %s", posting_of(call).pk)

    assert f"call_unposted: call {call.pk} of lease {call.lease_id}" in named()


def test_the_second_leg_of_a_payment_deleted_is_named(kept):
    """The mandant's money came to the bank, and never reached his book."""
    allocation = Allocation.objects.get(lease=kept.mandated)
    first, second = posting_of_payment(allocation, 0), posting_of_payment(allocation, 1)

    tampered("DELETE FROM leases_posting WHERE id = %s", second.pk)

    assert f"allocation_posting: {line(first)}" in named()


@pytest.mark.parametrize("source", [Source.CALL, Source.ALLOCATION, Source.OPENING, 9])
def test_a_posting_added_to_an_old_entry_is_named(kept, source):
    old = posting_of(kept.calls[0])

    with behind_the_guards():
        added = Posting.objects.create(
            entry=old.entry,
            debit=old.debit,
            credit=old.credit,
            amount=old.amount,
            on=old.on,
            due=old.due,
            source=source,
            source_id=999,
        )

    proof = {1: "call_posting", 2: "allocation_posting", 3: "opening_posting", 9: "unknown_source"}[source]
    assert f"{proof}: {line(added)}" in named()
    assert any(fault.startswith(f"entry_total: entry {old.entry_id}:") for fault in named())


def test_a_posting_whose_entry_is_gone_is_named(kept):
    posting = posting_of(kept.calls[0])

    with behind_the_guards():
        run("UPDATE leases_runpart SET entry_id = NULL WHERE entry_id = %s", posting.entry_id)
        run("DELETE FROM leases_entry WHERE id = %s", posting.entry_id)

    assert f"posting_entry: {line(posting)}" in named()


def test_a_posting_across_two_books_is_named(kept):
    posting = posting_of(kept.calls[0])
    abroad = Account.objects.exclude(book=posting.credit.book_id).first()

    tampered("UPDATE leases_posting SET credit_id = %s WHERE id = %s", abroad.pk, posting.pk)

    assert f"across_books: {line(posting)}" in named()


def test_an_entry_never_sealed_is_named(kept):
    entry = Entry.objects.latest("pk")

    tampered("UPDATE leases_entry SET lines = NULL, total = NULL, digest = NULL WHERE id = %s", entry.pk)

    assert f"entry_unsealed: entry {entry.pk}" in named()


# ---- a source changed, or gone ----


def test_a_call_deleted_orphans_its_posting(kept):
    call = kept.calls[0]
    posting = posting_of(call)

    tampered("DELETE FROM leases_rentcall WHERE id = %s", call.pk)

    assert f"call_posting: {line(posting)}" in named()
    assert any(fault.startswith(f"run_total: run {call.run_id}:") for fault in named())


def test_an_allocation_deleted_orphans_its_posting(kept):
    posting = posting_of_payment(kept.settled)

    tampered("DELETE FROM leases_allocation WHERE id = %s", kept.settled.pk)

    assert f"allocation_posting: {line(posting)}" in named()


def test_an_opening_balance_deleted_orphans_its_posting(kept):
    posting = Posting.objects.get(source=Source.OPENING)

    tampered("DELETE FROM leases_openingbalance WHERE id = %s", kept.balance.pk)

    assert f"opening_posting: {line(posting)}" in named()


@pytest.mark.parametrize(
    "change", ["amount = amount + 1", "amount = -amount", "due = '2026-12-05'", "item = 3"]
)
def test_a_call_changed_is_named_by_its_posting(kept, change):
    call = kept.calls[0]

    tampered(f"UPDATE leases_rentcall SET {change} WHERE id = %s", call.pk)

    assert f"call_posting: {line(posting_of(call))}" in named()


@pytest.mark.parametrize("change", ["month = '2026-01-01'", "days = 3", "monthly = 1", "version = 9"])
def test_what_explains_a_call_is_sealed_with_its_run(kept, change):
    """Nothing of it is posted: only the sealed digest of its run tells."""
    call = kept.calls[0]

    tampered(f"UPDATE leases_rentcall SET {change} WHERE id = %s", call.pk)

    assert [fault.split(":")[:2] for fault in named()] == [["run_total", f" run {call.run_id}"]]


def test_a_call_put_to_another_lease_is_named(kept):
    call = kept.calls[0]

    tampered("UPDATE leases_rentcall SET lease_id = %s WHERE id = %s", kept.mandated.pk, call.pk)

    assert f"call_run: call {call.pk} of lease {kept.mandated.pk}" in named()


def test_a_call_whose_run_is_gone_is_named(kept):
    call = kept.calls[0]

    tampered("UPDATE leases_rentcall SET run_id = 999 WHERE id = %s", call.pk)

    assert f"call_run: call {call.pk} of lease {call.lease_id}" in named()


def test_an_allocation_changed_is_named(kept):
    tampered("UPDATE leases_allocation SET amount = amount + 1 WHERE id = %s", kept.settled.pk)

    assert f"allocation_posting: {line(posting_of_payment(kept.settled))}" in named()


def test_more_settled_than_was_in_suspense_is_named(kept):
    posting = posting_of_payment(kept.settled)

    with behind_the_guards():
        run("UPDATE leases_allocation SET amount = 9000 WHERE id = %s", kept.settled.pk)
        run("UPDATE leases_posting SET amount = 9000 WHERE id = %s", posting.pk)

    assert f"suspense: allocation {kept.suspense.pk}" in named()


def test_a_movement_not_allocated_in_full_is_named(kept):
    movement = Movement.objects.earliest("pk")

    tampered("UPDATE leases_movement SET amount = amount + 1 WHERE id = %s", movement.pk)

    assert f"movement_total: movement {movement.pk}: 33500 of 33501 cents" in named()
    assert f"statement_total: statement {movement.statement_id}" in named()


# ---- what was sealed, changed ----


@pytest.mark.parametrize("change", ["lines = lines + 1", "total = total + 1", "digest = digest + 1"])
def test_what_an_entry_sealed_changed_is_named(kept, change):
    entry = posting_of(kept.calls[0]).entry

    tampered(f"UPDATE leases_entry SET {change} WHERE id = %s", entry.pk)

    assert [fault.split(":")[:2] for fault in named()] == [["entry_total", f" entry {entry.pk}"]]


@pytest.mark.parametrize(
    "change", ["sealed_calls = sealed_calls + 1", "sealed_total = sealed_total + 1", "sealed_digest = NULL"]
)
def test_what_a_run_sealed_changed_is_named(kept, change):
    tampered(f"UPDATE leases_rentrun SET {change} WHERE id = %s", kept.runs[0].pk)

    assert [fault.split(":")[:2] for fault in named()] == [["run_total", f" run {kept.runs[0].pk}"]]


@pytest.mark.parametrize(
    "change", ["sealed_movements = 9", "sealed_total = sealed_total + 1", "closing = closing + 1"]
)
def test_what_a_statement_sealed_changed_is_named(kept, change):
    first = kept.statements[0]

    tampered(f"UPDATE leases_statement SET {change} WHERE id = %s", first.pk)

    assert f"statement_total: statement {first.pk}" in named()


def test_a_statement_that_no_longer_continues_the_one_before_is_named(kept):
    second = kept.statements[1]

    tampered(
        "UPDATE leases_statement SET opening = opening + 1, closing = closing + 1 WHERE id = %s", second.pk
    )

    assert f"statement_chain: statement {second.pk}: opens with 101501 cents after 101500" in named()
    assert any(fault.startswith(f"bank_balance: bank account {second.bank_id}:") for fault in named())


# ---- a whole story told anew: what only the sealed totals catch ----


def test_a_call_and_its_posting_changed_together_are_caught_by_what_was_sealed(kept):
    call = kept.calls[0]
    posting = posting_of(call)

    with behind_the_guards():
        run("UPDATE leases_rentcall SET amount = amount - 100 WHERE id = %s", call.pk)
        run("UPDATE leases_posting SET amount = amount - 100 WHERE id = %s", posting.pk)

    assert {fault.split(":")[0] for fault in named()} == {"entry_total", "run_total"}


def test_a_call_and_its_posting_deleted_together_are_caught_by_what_was_sealed(kept):
    call = kept.calls[0]

    with behind_the_guards():
        run("DELETE FROM leases_posting WHERE id = %s", posting_of(call).pk)
        run("DELETE FROM leases_rentcall WHERE id = %s", call.pk)

    assert {fault.split(":")[0] for fault in named()} == {"entry_total", "run_total"}


def test_an_amount_shifted_from_one_call_to_another_is_caught_by_the_digest(kept):
    """The sums stay what they were, of the entry and of the run; each line weighs by its number."""
    one, other = [call for call in kept.calls if call.run_id == kept.runs[0].pk and call.amount.amount > 0][
        :2
    ]

    with behind_the_guards():
        for call, change in ((one, -1000), (other, 1000)):
            run("UPDATE leases_rentcall SET amount = amount + %s WHERE id = %s", change, call.pk)
            run("UPDATE leases_posting SET amount = amount + %s WHERE id = %s", change, posting_of(call).pk)

    assert {fault.split(":")[0] for fault in named()} == {"entry_total", "run_total"}


def test_two_calls_that_change_places_are_caught_by_the_digest(kept):
    """The rent of one household, called to the other's account and the other way round."""
    one, other = kept.calls[0], next(call for call in kept.calls if call.lease_id == kept.mandated.pk)

    with behind_the_guards():
        for call, amount in ((one, other.amount), (other, one.amount)):
            cents = int(amount.amount * 100)
            run("UPDATE leases_rentcall SET amount = %s WHERE id = %s", cents, call.pk)
            run("UPDATE leases_posting SET amount = %s WHERE id = %s", cents, posting_of(call).pk)

    assert {fault.split(":")[0] for fault in named()} == {"entry_total", "run_total"}


def test_money_of_a_mandant_taken_behind_the_guards_is_named(kept):
    funds = Account.objects.get(kind=ledger.FUNDS, book__owner=kept.mandant)
    tenant = Account.objects.get(kind=ledger.TENANT, lease=kept.mandated)

    with behind_the_guards():
        Posting.objects.create(
            entry=Entry.objects.latest("pk"),
            debit=tenant,
            credit=funds,
            amount=posting_of_payment(Allocation.objects.get(lease=kept.mandated)).amount * 2,
            on=MARCH,
            due=MARCH,
            source=Source.ALLOCATION,
            source_id=999,
        )

    assert f"overdrawn: account {funds.pk} of book {funds.book_id}" in named()


# ---- the guards themselves ----


def test_a_guard_removed_is_named(kept):
    guard = next(
        thing
        for thing in sqlfile.declared(connection.vendor)
        if thing.kind == "trigger" and thing.table == "leases_posting"
    )
    if connection.vendor == "postgresql":
        run("SET CONSTRAINTS ALL IMMEDIATE")

    run(guard.drop(connection.vendor))

    assert named() == {f"guard_missing: trigger {guard.name}"}


def test_only_the_first_lines_of_each_proof_are_named(kept):
    tampered("UPDATE leases_posting SET amount = amount + 1 WHERE source = %s", Source.CALL)

    first = [fault.line for fault in check_ledger(most=2) if fault.proof == "call_posting"]

    assert first == [
        line(posting) for posting in Posting.objects.filter(source=Source.CALL).order_by("pk")[:2]
    ]


def test_a_proof_asks_as_much_for_one_month_as_for_two(build, django_assert_num_queries):
    build.lease()
    build.called(MARCH)
    with django_assert_num_queries(statements_of_a_proof()):
        check_ledger()
    for _more in range(4):
        build.lease()
    build.called(MARCH)
    with django_assert_num_queries(statements_of_a_proof()):
        check_ledger()
    assert RentRun.objects.count() == 2


def statements_of_a_proof() -> int:
    from core import dialect
    from leases.proof import QUERIES

    # The guards, each proof, and whether there is a checkpoint.
    return 1 + dialect.load(QUERIES / "proof.sql").count("--%") + 1 + 1
