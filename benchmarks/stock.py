"""A stock of leases and two years of their ledger, written set-based: quick, and the same every time.

Every lease owes three lines a month (rent, charges, housing benefit deducted). Its household pays in
full 92 times in 100, half 5 times, nothing 3 times; the benefit comes in one transfer a month. 37 % of
the homes are the association's own, 29 % of one SAUES, the others of many owners, each with its own
book. The first
month is called by the product itself, the others are copies of it a month later.
"""

from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from django.db import connection, transaction

from core import dialect, sqlfile
from leases import ledger, rent

HERE = Path(__file__).resolve().parent
FIRST_MONTH = date(2023, 1, 1)
DUE_DAY = 5
BANK_IBAN = "FR7630004000031234567890143"
NOW = datetime(2025, 1, 2, 9, 0, tzinfo=UTC)

KINDS = {
    "bank": ledger.BANK,
    "held_for": ledger.HELD_FOR,
    "funds": ledger.FUNDS,
    "suspense": ledger.SUSPENSE,
    "advance": ledger.ADVANCE,
    "tenant_account": ledger.TENANT,
    "benefit_account": ledger.BENEFIT,
    "call": int(ledger.Source.CALL),
    "allocation": int(ledger.Source.ALLOCATION),
}
NUMBERED = [
    "portfolio_owner",
    "leases_book",
    "portfolio_site",
    "portfolio_building",
    "portfolio_unit",
    "portfolio_place",
    "portfolio_holding",
    "leases_household",
    "leases_person",
    "leases_membership",
    "leases_lease",
    "leases_leaseparty",
    "leases_occupancy",
    "leases_benefit",
    "leases_payeriban",
    "leases_bankaccount",
    "leases_entry",
    "leases_rentrun",
    "leases_rentcall",
    "leases_statement",
    "leases_movement",
    "leases_allocation",
]
"""Tables whose ids are given here: PostgreSQL's sequences are then set past them."""


def month_number(number: int) -> date:
    """The first of the month, 0 being January 2023."""
    return date(FIRST_MONTH.year + number // 12, number % 12 + 1, 1)


def month_end(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def site_count(leases: int) -> int:
    return max(1, leases // 100)


def make_stock(leases: int) -> None:
    """Homes held, let and occupied since 2020."""
    # FR.. 3000 4000 01, eleven digits, 00, then the country and 00: what is left mod 97 without the digits.
    rest = (3000400001 * 10**19 + 152700) % 97
    params = KINDS | {
        "leases": leases,
        "mandants": max(3, leases // 100),
        "sites": site_count(leases),
        "buildings": max(1, leases // 10),
        "held": date(2015, 1, 1),
        "let": date(2020, 1, 1),
        "iban": BANK_IBAN,
        "iban_rest": rest,
        "due_day": DUE_DAY,
    }
    with transaction.atomic():
        run_file("stock.sql", params)
        set_sequences()
    if connection.vendor == "postgresql":
        # As autovacuum would have a minute later.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def make_history(leases: int, months: int, *, told=lambda words: None) -> None:
    """Months of calls and payments, from January 2023."""
    rent.run_rent(FIRST_MONTH, by=None, now=NOW)
    params = KINDS | {"leases": leases, "now": NOW}
    params["calls"] = one("SELECT MAX(id) FROM leases_rentcall")
    params["entries"] = one("SELECT MAX(id) FROM leases_entry")
    opening = 0
    with unguarded():
        for number in range(months):
            month = month_number(number)
            params |= {
                "m": number,
                "month": month,
                "due": month + timedelta(days=DUE_DAY - 1),
                "paid_on": month + timedelta(days=DUE_DAY + 2),
                "aid_paid_on": month + timedelta(days=24),
                "month_end": month_end(month),
                "entry": months * params["entries"] + number + 1,
                "opening": opening,
                "number": f"{month:%Y-%m}",
            }
            with transaction.atomic():
                if number:
                    run_file("history.sql", params)
                run_file("payments.sql", params)
            opening = one("SELECT closing FROM leases_statement ORDER BY id DESC LIMIT 1")
            told(f"{month:%Y-%m}")
        set_sequences()
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute(
            "VACUUM ANALYZE" if connection.vendor == "postgresql" else "PRAGMA wal_checkpoint(TRUNCATE)"
        )


@contextmanager
def unguarded():
    """Load without the ledger's triggers and foreign keys: for history, never for what is measured."""
    guards = [thing for thing in sqlfile.declared(connection.vendor) if thing.kind == "trigger"]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            indexes = index_statements(cursor)
            for name in indexes:
                cursor.execute(f"DROP INDEX {name}")
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("SET synchronous_commit = off")
        else:
            cursor.execute("PRAGMA foreign_keys = OFF")
            cursor.execute("PRAGMA synchronous = OFF")
            cursor.execute("PRAGMA cache_size = -1000000")
            for thing in guards:
                cursor.execute(thing.drop(connection.vendor))
        yield
        if connection.vendor == "postgresql":
            for statement in indexes.values():
                cursor.execute(statement)
        else:
            for thing in guards:
                cursor.execute(thing.sql)
    # The next connection has the product's own settings.
    connection.close()


def index_statements(cursor) -> dict[str, str]:
    """Indexes of the large tables that no constraint needs: built once, after the load."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN"
        " ('leases_posting', 'leases_rentcall', 'leases_allocation', 'leases_movement')"
        " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
    )
    return dict(cursor.fetchall())


def run_file(name: str, params: dict) -> None:
    with connection.cursor() as cursor:
        for text in dialect.load(HERE / name).split("--%"):
            dialect.execute(cursor, text, params)


def one(text: str):
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchone()[0]


def set_sequences() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for table in NUMBERED:
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT COALESCE(MAX(id), 0) + 1 FROM {table}), FALSE)"
                )
