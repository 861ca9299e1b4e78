"""What the engine can do at best, by its raw driver: no ORM, no Django, a process of its own.

Two limits. `own`: the product's very rows, in its own tables with their constraints and indexes and two
years of history, by one bulk statement a table (its triggers set aside). `plain`: a schema as plain as can
be, three lines a lease and one payment, in a database of its own; a heavy schema of ours cannot hide there.
Each function opens its connection, prepares its rows before the clock starts, commits before it stops, and
gives back seconds.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import date, timedelta
from urllib.parse import unquote, urlsplit

from lxml import etree

CALL = 1  # leases.ledger.Source.CALL, and .ALLOCATION
ALLOCATION = 2
SQLITE = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-32768; PRAGMA wal_autocheckpoint=16000;"


def is_sqlite(url: str) -> bool:
    return url.startswith("sqlite:")


class Engine:
    """A raw connection, and the few words in which the two drivers differ."""

    def __init__(self, url: str):
        self.sqlite = is_sqlite(url)
        if self.sqlite:
            self.connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
            self.connection.executescript(SQLITE)
            self.connection.create_function("django_date_extract", 2, day_of, deterministic=True)
        else:
            import psycopg

            parts = urlsplit(url)
            self.connection = psycopg.connect(
                host=unquote(parts.hostname or ""),
                port=parts.port,
                user=unquote(parts.username or ""),
                password=unquote(parts.password or "") or None,
                dbname=parts.path.lstrip("/"),
                # As the product connects.
                options="-c random_page_cost=1.1 -c jit=off",
                autocommit=True,
            )

    def run(self, text: str, params: dict | None = None):
        """A statement with %(name)s parameters."""
        if self.sqlite:
            for name in params or {}:
                text = text.replace(f"%({name})s", f":{name}")
            return self.connection.execute(text, params or {})
        return self.connection.execute(text, params)

    def rows(self, text: str, params: dict | None = None) -> list[tuple]:
        return self.run(text, params).fetchall()

    @contextmanager
    def durable(self):
        """One transaction, on disk when the block ends."""
        self.connection.execute("BEGIN IMMEDIATE" if self.sqlite else "BEGIN")
        yield
        self.connection.execute("COMMIT")

    @contextmanager
    def rolled_back(self):
        self.connection.execute("BEGIN IMMEDIATE" if self.sqlite else "BEGIN")
        yield
        self.connection.execute("ROLLBACK")


def day_of(part: str, value: str) -> int:
    """Django's function that a constraint of SQLite calls: the day of a date."""
    return int(value[8:10])


def clocked(work: Callable) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# ---- the product's own rows ----------------------------------------------------------------

CALL_COLUMNS = (
    "id, run_id, lease_id, account_id, month, item, version, amount, monthly, days, month_days, due"
)
POSTING_COLUMNS = 'entry_id, debit_id, credit_id, amount, "on", due, source, source_id, leg'
MOVEMENT_COLUMNS = (
    "id, statement_id, bank_id, line, booked, valued, amount, kind, label, end_to_end, debit_mandate,"
    " found_reference, remittance, counterparty, counterparty_iban, return_code, bank_reference, fingerprint,"
    " occurrence"
)
ALLOCATION_COLUMNS = 'id, movement_id, account_id, lease_id, amount, "on", how, month, chosen, note'
STATEMENT_COLUMNS = (
    'id, bank_id, number, "start", "end", opening, closing, file_name, file_hash, imported_at, sealed_movements,'
    " sealed_total"
)


class Rows:
    """Rows ready to be written: in memory for SQLite's executemany, staged in the server for PostgreSQL."""

    def __init__(self, engine: Engine, table: str, columns: str, chosen: str, params: dict):
        self.engine, self.table, self.columns, self.staged = engine, table, columns, f"staged_{table}"
        if engine.sqlite:
            self.kept = engine.rows(chosen, params)
            self.count = len(self.kept)
        else:
            engine.run(f"CREATE TEMP TABLE {self.staged} ({columns}) AS {chosen}", params)
            [(self.count,)] = engine.rows(f"SELECT COUNT(*) FROM {self.staged}")

    def write(self, conflict: str = "") -> None:
        if self.engine.sqlite:
            marks = ", ".join("?" * len(self.columns.split(",")))
            self.engine.connection.executemany(
                f"INSERT INTO {self.table} ({self.columns}) VALUES ({marks}) {conflict}", self.kept
            )
        else:
            self.engine.run(
                f"INSERT INTO {self.table} ({self.columns}) SELECT * FROM {self.staged} {conflict}"
            )


@contextmanager
def without_triggers(engine: Engine, *tables: str):
    """The product's triggers set aside; constraints, foreign keys and indexes stay."""
    if engine.sqlite:
        names = ", ".join(f"'{table}'" for table in tables)
        triggers = engine.rows(
            f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ({names})"
        )
        for name, _text in triggers:
            engine.run(f"DROP TRIGGER {name}")
        yield
        for _name, text in triggers:
            engine.run(text)
    else:
        for table in tables:
            engine.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        for table in tables:
            engine.run(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def settle(engine: Engine) -> None:
    """Begin each measure with nothing left to flush."""
    engine.run("PRAGMA wal_checkpoint(TRUNCATE)" if engine.sqlite else "CHECKPOINT")


def own_run(url: str, run: int, month: date) -> dict:
    """The calls and postings of a run again, dated a month later; then once more, where nothing is added."""
    engine = Engine(url)
    [(first, last, top)] = engine.rows(
        "SELECT MIN(id), MAX(id), (SELECT MAX(id) FROM leases_rentcall) FROM leases_rentcall WHERE run_id = %(run)s",
        {"run": run},
    )
    params = {"run": run, "first": first, "last": last, "shift": top - first + 1, "month": month.isoformat()}
    params["due"] = (month + timedelta(days=4)).isoformat()
    day = "%({0})s" if engine.sqlite else "CAST(%({0})s AS date)"
    calls = Rows(
        engine,
        "leases_rentcall",
        CALL_COLUMNS,
        "SELECT id + %(shift)s, run_id + 1000000, lease_id, account_id, "
        + day.format("month")
        + ", item, version, amount, monthly, days, month_days, "
        + day.format("due")
        + " FROM leases_rentcall WHERE run_id = %(run)s ORDER BY id",
        params,
    )
    postings = Rows(
        engine,
        "leases_posting",
        POSTING_COLUMNS,
        "SELECT entry_id + 1000000, debit_id, credit_id, amount, "
        + day.format("month")
        + ", "
        + day.format("due")
        + f", source, source_id + %(shift)s, leg FROM leases_posting WHERE source = {CALL}"
        " AND source_id BETWEEN %(first)s AND %(last)s ORDER BY id",
        params,
    )

    def write(conflict=""):
        with engine.durable():
            calls.write(conflict)
            postings.write(conflict)

    with without_triggers(engine, "leases_rentcall", "leases_posting"):
        settle(engine)
        first_time = clocked(write)
        settle(engine)
        again = clocked(lambda: write("ON CONFLICT DO NOTHING"))
    if not engine.sqlite:
        engine.run(
            "SELECT setval(pg_get_serial_sequence('leases_rentcall', 'id'), (SELECT MAX(id) FROM leases_rentcall))"
        )
    return {"run": first_time, "repeat": again, "rows": calls.count + postings.count}


def bare_entries(path: str) -> list[tuple]:
    """What a statement says, by lxml and nothing else: no check, no refusal."""
    found = []
    tag = "{*}"
    for _event, entry in etree.iterparse(path, tag="{*}Ntry"):
        details = entry.find(f"{tag}NtryDtls/{tag}TxDtls")
        found.append(
            (
                entry.findtext(f"{tag}Amt"),
                entry.findtext(f"{tag}CdtDbtInd"),
                entry.findtext(f"{tag}BookgDt/{tag}Dt"),
                entry.findtext(f"{tag}ValDt/{tag}Dt"),
                entry.findtext(f"{tag}AcctSvcrRef"),
                entry.findtext(f"{tag}AddtlNtryInf"),
                details.findtext(f"{tag}Refs/{tag}EndToEndId"),
                details.findtext(f"{tag}RltdPties/{tag}Dbtr/{tag}Pty/{tag}Nm"),
                details.findtext(f"{tag}RltdPties/{tag}DbtrAcct/{tag}Id/{tag}IBAN"),
                details.findtext(f"{tag}RmtInf/{tag}Ustrd"),
            )
        )
        entry.clear()
    return found


def own_statement(url: str, path: str, statement: int) -> dict:
    """Parse the file barely, then write the rows that the product made of it, under another bank account."""
    engine = Engine(url)
    [(top_statement, top_movement, top_allocation)] = engine.rows(
        "SELECT (SELECT MAX(id) FROM leases_statement), (SELECT MAX(id) FROM leases_movement),"
        " (SELECT MAX(id) FROM leases_allocation)"
    )
    [(first_movement, last_movement)] = engine.rows(
        "SELECT MIN(id), MAX(id) FROM leases_movement WHERE statement_id = %(statement)s",
        {"statement": statement},
    )
    of_it = f"movement_id BETWEEN {first_movement} AND {last_movement}"
    [(first_allocation, last_allocation)] = engine.rows(
        f"SELECT MIN(id), MAX(id) FROM leases_allocation WHERE {of_it}"
    )
    to_movement = top_movement - first_movement + 1
    to_allocation = top_allocation - first_allocation + 1
    new = {"statement": statement}
    parts = [
        Rows(
            engine,
            "leases_statement",
            STATEMENT_COLUMNS,
            f'SELECT {top_statement + 1}, 2, number, "start", "end", opening, closing, file_name, file_hash,'
            " imported_at, sealed_movements, sealed_total FROM leases_statement WHERE id = %(statement)s",
            new,
        ),
        Rows(
            engine,
            "leases_movement",
            MOVEMENT_COLUMNS,
            f"SELECT id + {to_movement}, {top_statement + 1}, 2"
            + MOVEMENT_COLUMNS.removeprefix("id, statement_id, bank_id")
            + " FROM leases_movement WHERE statement_id = %(statement)s ORDER BY id",
            new,
        ),
        Rows(
            engine,
            "leases_allocation",
            ALLOCATION_COLUMNS,
            f"SELECT id + {to_allocation}, movement_id + {to_movement}"
            + ALLOCATION_COLUMNS.removeprefix("id, movement_id")
            + f" FROM leases_allocation WHERE {of_it} ORDER BY id",
            new,
        ),
        Rows(
            engine,
            "leases_posting",
            POSTING_COLUMNS,
            f'SELECT entry_id + 1000000, debit_id, credit_id, amount, "on", due, source, source_id + {to_allocation}, leg'
            f" FROM leases_posting WHERE source = {ALLOCATION}"
            f" AND source_id BETWEEN {first_allocation} AND {last_allocation} ORDER BY id",
            new,
        ),
    ]

    def import_it():
        bare_entries(path)
        with engine.durable():
            for part in parts:
                part.write()

    with without_triggers(
        engine, "leases_statement", "leases_movement", "leases_allocation", "leases_posting"
    ):
        settle(engine)
        seconds = clocked(import_it)
    if not engine.sqlite:
        for table in ("leases_statement", "leases_movement", "leases_allocation"):
            engine.run(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))"
            )
    return {"statement": seconds, "rows": sum(part.count for part in parts)}


OWN_AGED = """
WITH line AS (
    SELECT a.lease_id, p.due, p.amount, p.source FROM leases_account a
    JOIN leases_posting p ON p.debit_id = a.id WHERE a.kind = 1 AND p."on" <= {on}
    UNION ALL
    SELECT a.lease_id, p.due, -p.amount, p.source FROM leases_account a
    JOIN leases_posting p ON p.credit_id = a.id WHERE a.kind = 1 AND p."on" <= {on}
), charge AS (
    SELECT lease_id, due, SUM(amount) AS amount FROM line WHERE source <> 2 GROUP BY lease_id, due
), paid AS (
    SELECT lease_id, SUM(-amount) AS amount FROM line WHERE source = 2 GROUP BY lease_id
), reached AS (
    SELECT c.lease_id, c.due, c.amount,
           SUM(c.amount) OVER (PARTITION BY c.lease_id ORDER BY c.due) - COALESCE(p.amount, 0) AS over
    FROM charge c LEFT JOIN paid p ON p.lease_id = c.lease_id
), item AS (
    SELECT lease_id, due, {days} AS days, CASE WHEN over < amount THEN over ELSE amount END AS open
    FROM reached WHERE over > 0
)
SELECT lease_id, SUM(CASE WHEN days < 0 THEN open ELSE 0 END),
       SUM(CASE WHEN days BETWEEN 0 AND 30 THEN open ELSE 0 END),
       SUM(CASE WHEN days BETWEEN 31 AND 60 THEN open ELSE 0 END),
       SUM(CASE WHEN days BETWEEN 61 AND 90 THEN open ELSE 0 END),
       SUM(CASE WHEN days > 90 THEN open ELSE 0 END), MIN(due)
FROM item GROUP BY lease_id"""
OWN_WAIT = """
SELECT a.lease_id, SUM(p.amount) FROM (
    SELECT debit_id AS account_id, amount, "on" FROM leases_posting UNION ALL
    SELECT credit_id, -amount, "on" FROM leases_posting) p
JOIN leases_account a ON a.id = p.account_id
WHERE a.kind = 2 AND p."on" <= {on} GROUP BY a.lease_id"""


def aged_words(engine: Engine, on: date) -> dict:
    if engine.sqlite:
        return {"on": f"'{on}'", "days": f"CAST(julianday('{on}') - julianday(due) AS INTEGER)"}
    return {"on": f"DATE '{on}'", "days": f"(DATE '{on}' - due)"}


def own_aged(url: str, on: date) -> dict:
    """Open items of every lease by age, first in first out, from the same postings; and what waits for benefit."""
    engine = Engine(url)
    words = aged_words(engine, on)
    found: list[list[tuple]] = []

    def read():
        found.append(engine.rows(OWN_AGED.format(**words)))
        engine.rows(OWN_WAIT.format(**words))

    seconds = clocked(read)
    return {
        "aged": seconds,
        "owing": len(found[0]),
        "cents": sum(sum(map(int, row[1:6])) for row in found[0]),
    }


OWN_PAGE = """
WITH pg AS (
    SELECT l.id, l.reference FROM leases_lease l
    WHERE l.id IN (SELECT o.lease_id FROM leases_occupancy o JOIN portfolio_place p ON p.id = o.place_id
                   JOIN portfolio_unit u ON u.id = p.unit_id JOIN portfolio_building b ON b.id = u.building_id
                   WHERE b.site_id = %(site)s)
    ORDER BY l.reference, l.id LIMIT 50)
SELECT pg.id, pg.reference,
       (SELECT COALESCE(SUM(g.amount), 0) FROM leases_posting g JOIN leases_account a ON a.id = g.debit_id
        WHERE a.lease_id = pg.id AND a.kind = 1 AND g."on" <= {on} AND g.due <= {on})
     - (SELECT COALESCE(SUM(g.amount), 0) FROM leases_posting g JOIN leases_account a ON a.id = g.credit_id
        WHERE a.lease_id = pg.id AND a.kind = 1 AND g."on" <= {on} AND g.due <= {on})
FROM pg ORDER BY pg.reference, pg.id"""


def own_page(url: str, sites: list[int], on: date) -> dict:
    """Fifty leases of a site with their balances, a statement each: seconds of each."""
    engine = Engine(url)
    text = OWN_PAGE.format(**aged_words(engine, on))
    return {"page": [clocked(lambda site=site: engine.rows(text, {"site": site})) for site in sites]}
