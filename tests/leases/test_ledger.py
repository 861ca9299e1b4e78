"""The ledger: added to and never changed, each book apart, kept so by the database itself."""

import threading
from datetime import date

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import translation

from core.money import euros
from core.refusals import refusal_of
from leases import ledger, rent
from leases.ledger import Source
from leases.models import (
    Account,
    Allocation,
    Book,
    Entry,
    Movement,
    OpeningBalance,
    Posting,
    RentCall,
    RentRun,
    Statement,
)
from leases.proof import check_ledger
from tests.builders import NOW
from tests.leases.full_ledger import full_ledger

MARCH = date(2026, 3, 1)
NEVER_CHANGED = [Posting, RentCall, Allocation, OpeningBalance, Movement, Statement, Account, Book]
NEVER_DELETED = [*NEVER_CHANGED, Entry, RentRun]


def name_of(model) -> str:
    return model.__name__


@pytest.fixture
def kept(build):
    return full_ledger(build)


@pytest.fixture
def refused():
    """The database itself says no, in those words."""
    return lambda code: pytest.raises(IntegrityError, match=code)


def run(statement: str, *values) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def entry() -> Entry:
    return Entry.objects.create(label="test", recorded_at=NOW)


def account(kind: int, book: Book | None = None) -> Account:
    """The account of that kind which a book has once; the association's book unless said."""
    book_id = book.pk if book else ledger.association_book_id()
    return Account.objects.get_or_create(book_id=book_id, kind=kind, lease=None, owner=None, bank=None)[0]


def post(under: Entry, debit: Account, credit: Account, amount="10.00", *, source_id=1, leg=0) -> Posting:
    return Posting.objects.create(
        entry=under,
        debit=debit,
        credit=credit,
        amount=euros(amount),
        on=MARCH,
        due=MARCH,
        source=Source.OPENING,
        source_id=source_id,
        leg=leg,
    )


# ---- nothing changed, nothing deleted ----


@pytest.mark.django_db
@pytest.mark.parametrize("model", NEVER_CHANGED, ids=name_of)
def test_a_line_is_never_changed(kept, refused, model):
    line = model.objects.earliest("pk")
    column = model._meta.fields[1].column

    with refused("append_only"), transaction.atomic():
        line.save()
    with refused("append_only"), transaction.atomic():
        model.objects.filter(pk=line.pk).update(**{column: getattr(line, column)})
    with refused("append_only"), transaction.atomic():
        run(f"UPDATE {model._meta.db_table} SET {column} = {column} WHERE id = %s", line.pk)

    assert not check_ledger()


@pytest.mark.django_db
@pytest.mark.parametrize("model", NEVER_DELETED, ids=name_of)
def test_a_line_is_never_deleted(kept, refused, model):
    line = model.objects.latest("pk")
    count = model.objects.count()

    with refused("append_only"), transaction.atomic():
        model.objects.filter(pk=line.pk)._raw_delete("default")
    with refused("append_only"), transaction.atomic():
        run(f"DELETE FROM {model._meta.db_table}")
    # The program is refused too, before it asks the database where another line points to this one.
    with pytest.raises((IntegrityError, ProtectedError)), transaction.atomic():
        line.delete()

    assert model.objects.count() == count


@pytest.mark.django_db
@pytest.mark.sqlite
@pytest.mark.parametrize("model", NEVER_DELETED, ids=name_of)
def test_a_line_is_never_replaced(kept, model):
    """On SQLite, REPLACE deletes what is in the way and tells no trigger of deletion."""
    table = model._meta.db_table
    columns = ", ".join(f'"{field.column}"' for field in model._meta.fields)
    before = list(model.objects.order_by("pk").values_list())

    for command in ("INSERT OR REPLACE", "REPLACE"):
        with pytest.raises(IntegrityError), transaction.atomic():
            run(f"{command} INTO {table} ({columns}) SELECT {columns} FROM {table}")

    assert list(model.objects.order_by("pk").values_list()) == before


@pytest.mark.django_db
@pytest.mark.sqlite
@pytest.mark.parametrize(
    "model",
    [model for model in NEVER_DELETED if model not in (Allocation, Entry)],
    ids=name_of,
)
def test_a_line_is_not_replaced_under_another_number_either(kept, model):
    """What may be there once is not taken over by a newcomer of the same key."""
    table = model._meta.db_table
    columns = ", ".join(f'"{field.column}"' for field in model._meta.fields if not field.primary_key)
    if model is RentRun:
        rent.open_run(date(2026, 4, 1), by=None, now=NOW)
    before = list(model.objects.order_by("pk").values_list())
    chosen = "owner_id IS NOT NULL" if model is Book else "closed_at IS NULL" if model is RentRun else "1 = 1"

    with pytest.raises(IntegrityError), transaction.atomic():
        run(f"INSERT OR REPLACE INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE {chosen}")

    assert list(model.objects.order_by("pk").values_list()) == before


@pytest.mark.django_db
@pytest.mark.postgresql
@pytest.mark.parametrize("model", NEVER_DELETED, ids=name_of)
def test_a_table_is_never_emptied(kept, refused, model):
    run("SET CONSTRAINTS ALL IMMEDIATE")

    with refused("append_only"), transaction.atomic():
        run(f"TRUNCATE {model._meta.db_table} CASCADE")


@pytest.mark.django_db
@pytest.mark.postgresql
def test_an_insert_that_would_update_is_refused(kept, refused):
    with refused("append_only"), transaction.atomic():
        run(
            "INSERT INTO leases_posting SELECT * FROM leases_posting"
            " ON CONFLICT (id) DO UPDATE SET amount = leases_posting.amount + 1"
        )


@pytest.mark.django_db
def test_who_tries_is_told_what_to_do_instead(kept):
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        Posting.objects.update(amount=euros("1.00"))

    with translation.override("en"):
        assert str(refusal_of(error.value).remedy) == "Reverse it by an opposite entry."


# ---- an entry is sealed once, and takes no more ----


@pytest.mark.django_db
def test_sealing_counts_the_lines(build):
    under = entry()
    post(under, account(ledger.TENANT), account(ledger.RENT), "10.00", source_id=1)
    post(under, account(ledger.TENANT), account(ledger.RENT), "2.50", source_id=2)

    ledger.seal(under)

    under.refresh_from_db()
    assert (under.lines, under.total) == (2, euros("12.50"))
    assert under.digest > 0


@pytest.mark.django_db
def test_an_entry_of_nothing_can_be_sealed(build):
    under = entry()

    ledger.seal(under)

    under.refresh_from_db()
    assert (under.lines, under.total, under.digest) == (0, euros(0), 0)


@pytest.mark.django_db
def test_both_engines_seal_the_same_digest(build):
    """The digest in words: every column times a number of its own, times the weight of the line."""
    under = entry()
    line = post(under, account(ledger.TENANT), account(ledger.RENT), "10.00", source_id=7)

    ledger.seal(under)

    under.refresh_from_db()
    days = (MARCH - ledger.DIGEST_DAY).days
    told = 1000 + 31 * line.debit_id + 37 * line.credit_id + 41 * 7 + 43 * Source.OPENING + (53 + 59) * days
    assert under.digest == told % 2147483647 * (line.pk % 997 + 1)


@pytest.mark.django_db
def test_a_sealed_entry_takes_no_more(build, refused):
    under = entry()
    ledger.seal(under)

    with refused("entry_sealed"), transaction.atomic():
        post(under, account(ledger.TENANT), account(ledger.RENT))


@pytest.mark.django_db
def test_an_entry_is_sealed_once(build, refused):
    under = entry()
    ledger.seal(under)

    with refused("append_only"), transaction.atomic():
        ledger.seal(under)
    with refused("append_only"), transaction.atomic():
        Entry.objects.filter(pk=under.pk).update(lines=None, total=None)


@pytest.mark.django_db
def test_a_posting_belongs_to_an_entry(build, refused):
    with refused("entry_sealed"), transaction.atomic():
        post(Entry(pk=999), account(ledger.TENANT), account(ledger.RENT))


@pytest.mark.django_db
def test_a_run_is_sealed_once(kept, refused):
    with refused("append_only"), transaction.atomic():
        RentRun.objects.filter(pk=kept.runs[0].pk).update(sealed_total=euros("1.00"))
    with refused("append_only"), transaction.atomic():
        RentRun.objects.filter(pk=kept.runs[0].pk).update(closed_at=None)


# ---- each source once, for an amount, between two accounts of one book ----


@pytest.mark.django_db
def test_a_source_is_posted_once(build):
    post(entry(), account(ledger.TENANT), account(ledger.RENT), source_id=7)

    with pytest.raises(IntegrityError), transaction.atomic():
        post(entry(), account(ledger.TENANT), account(ledger.RENT), source_id=7)

    post(entry(), account(ledger.TENANT), account(ledger.RENT), source_id=7, leg=1)
    post(entry(), account(ledger.TENANT), account(ledger.RENT), source_id=8)


@pytest.mark.django_db
@pytest.mark.parametrize("amount", ["0.00", "-465.00"])
def test_an_amount_is_above_zero(build, refused, amount):
    with refused("posting_amount_above_zero"), transaction.atomic():
        post(entry(), account(ledger.TENANT), account(ledger.RENT), amount)


@pytest.mark.django_db
def test_a_posting_stands_between_two_accounts(build, refused):
    with refused("posting_between_two_accounts"), transaction.atomic():
        post(entry(), account(ledger.RENT), account(ledger.RENT))


@pytest.mark.django_db
def test_no_posting_crosses_two_books(build, refused):
    mandants = Book.objects.create(owner=build.owner("private"))

    with refused("posting_across_books"), transaction.atomic():
        post(entry(), account(ledger.BANK), account(ledger.RENT, mandants))


@pytest.mark.django_db
def test_the_association_has_one_book(build):
    ledger.association_book_id()

    with pytest.raises(IntegrityError), transaction.atomic():
        Book.objects.create(owner=None)


@pytest.mark.django_db
@pytest.mark.parametrize("side", ["debit", "credit"])
def test_no_posting_to_an_account_that_is_not_there(build, refused, side):
    accounts = {"debit": account(ledger.TENANT), "credit": account(ledger.RENT), side: Account(pk=999)}

    with refused("posting_across_books"), transaction.atomic():
        post(entry(), accounts["debit"], accounts["credit"])


# ---- no mandant's money is spent twice ----


@pytest.fixture
def mandants_book(build) -> Book:
    """A mandant for whom 100.00 is held."""
    book = Book.objects.create(owner=build.owner("private"))
    post(entry(), account(ledger.FUNDS, book), account(ledger.TENANT, book), "100.00")
    return book


@pytest.mark.django_db
def test_a_mandants_money_can_be_spent_to_the_last_cent(mandants_book):
    post(
        entry(),
        account(ledger.TENANT, mandants_book),
        account(ledger.FUNDS, mandants_book),
        "100.00",
        source_id=2,
    )


@pytest.mark.django_db
def test_a_mandants_money_is_never_overdrawn(mandants_book, refused):
    with refused("mandant_overdrawn"), transaction.atomic():
        post(
            entry(),
            account(ledger.TENANT, mandants_book),
            account(ledger.FUNDS, mandants_book),
            "100.01",
            source_id=2,
        )


@pytest.mark.django_db
def test_one_mandant_does_not_pay_for_another(build, mandants_book, refused):
    other = Book.objects.create(owner=build.owner("private"))

    with refused("mandant_overdrawn"), transaction.atomic():
        post(entry(), account(ledger.TENANT, other), account(ledger.FUNDS, other), "1.00", source_id=2)


@pytest.mark.django_db
def test_two_parts_of_one_statement_overdraw_together(mandants_book, refused):
    funds, tenant, under = (
        account(ledger.FUNDS, mandants_book),
        account(ledger.TENANT, mandants_book),
        entry(),
    )
    common = {
        "entry": under,
        "debit": tenant,
        "credit": funds,
        "on": MARCH,
        "due": MARCH,
        "source": Source.OPENING,
    }

    with refused("mandant_overdrawn"), transaction.atomic():
        Posting.objects.bulk_create(
            Posting(amount=euros("60.00"), source_id=source_id, **common) for source_id in (2, 3)
        )


# ---- two at once ----


def in_another_session(work) -> tuple[threading.Thread, list[Exception]]:
    """Start `work` on a connection of its own; what it was refused is in the list."""
    faults = []

    def session():
        try:
            with transaction.atomic():
                work()
        except DatabaseError as fault:
            faults.append(fault)
        finally:
            connection.close()

    thread = threading.Thread(target=session)
    thread.start()
    return thread, faults


def waits(thread: threading.Thread) -> bool:
    """Whether a session stands before a lock that we hold."""
    thread.join(timeout=0.5)
    return thread.is_alive()


def test_two_sessions_do_not_spend_the_same_money_of_a_mandant(fresh_database, mandants_book):
    """Each sees 100.00 and takes 60.00: the second waits for the first, and is refused."""
    funds, tenant = account(ledger.FUNDS, mandants_book), account(ledger.TENANT, mandants_book)
    entries = [entry(), entry()]
    with transaction.atomic():
        post(entries[0], tenant, funds, "60.00", source_id=2)
        thread, faults = in_another_session(lambda: post(entries[1], tenant, funds, "60.00", source_id=3))
        assert waits(thread)
    thread.join(timeout=30)

    assert "mandant_overdrawn" in str(faults[0])
    assert Posting.objects.filter(credit=funds).count() == 1


def test_a_posting_does_not_slip_under_an_entry_being_sealed(fresh_database, build):
    tenant, paid, under = account(ledger.TENANT), account(ledger.RENT), entry()
    with transaction.atomic():
        ledger.seal(under)
        thread, faults = in_another_session(lambda: post(under, tenant, paid))
        assert waits(thread)
    thread.join(timeout=30)

    assert "entry_sealed" in str(faults[0])
    assert not Posting.objects.exists()


def test_an_entry_is_sealed_with_what_was_being_posted_under_it(fresh_database, build):
    tenant, paid, under = account(ledger.TENANT), account(ledger.RENT), entry()
    with transaction.atomic():
        post(under, tenant, paid)
        thread, faults = in_another_session(lambda: ledger.seal(under))
        assert waits(thread)
    thread.join(timeout=30)

    under.refresh_from_db()
    assert not faults
    assert (under.lines, under.total) == (1, euros("10.00"))
