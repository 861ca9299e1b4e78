"""A ledger as plain as can be: the engine's limit that no schema of ours can lower.

One table of charges (three lines a lease and month, unique), one of payments, both with a key and a
foreign key; the same number of leases, months and payers as the product's stock. In a file of its own
beside SQLite's, in a schema of its own on PostgreSQL.
"""

import csv
import os
import tempfile
from datetime import date, timedelta
from pathlib import Path

from benchmarks.limits import Engine, clocked, settle

SQLITE = """
CREATE TABLE lease(id INTEGER PRIMARY KEY, ref TEXT NOT NULL UNIQUE, site_id INT, rent INT, charges INT, aid INT);
CREATE TABLE ledger(id INTEGER PRIMARY KEY, lease_id INT NOT NULL REFERENCES lease, period TEXT NOT NULL,
    kind INT NOT NULL, amount INT NOT NULL, due TEXT NOT NULL, UNIQUE(lease_id, period, kind));
CREATE TABLE payment(id INTEGER PRIMARY KEY, lease_id INT NOT NULL REFERENCES lease, day TEXT NOT NULL,
    amount INT NOT NULL, line TEXT NOT NULL UNIQUE);
"""
POSTGRESQL = """
CREATE SCHEMA plain;
SET search_path = plain;
CREATE TABLE lease(id int PRIMARY KEY, ref text NOT NULL UNIQUE, site_id int, rent int, charges int, aid int);
CREATE TABLE ledger(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lease_id int NOT NULL REFERENCES lease DEFERRABLE INITIALLY DEFERRED, period date NOT NULL,
    kind smallint NOT NULL, amount bigint NOT NULL, due date NOT NULL, UNIQUE(lease_id, period, kind));
CREATE TABLE payment(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lease_id int NOT NULL REFERENCES lease DEFERRABLE INITIALLY DEFERRED, day date NOT NULL,
    amount bigint NOT NULL, line text NOT NULL UNIQUE);
"""
INDEXES = "CREATE INDEX lease_site ON lease(site_id, id); CREATE INDEX payment_lease ON payment(lease_id);"

CHARGES = """
INSERT INTO ledger (lease_id, period, kind, amount, due)
SELECT l.id, {day}, k.kind, CASE k.kind WHEN 1 THEN l.rent WHEN 2 THEN l.charges ELSE -l.aid END, {due}
FROM lease l CROSS JOIN (SELECT 1 AS kind UNION ALL SELECT 2 UNION ALL SELECT 3) k WHERE true
ON CONFLICT DO NOTHING"""
PAYMENTS = """
INSERT INTO payment (lease_id, day, amount, line)
SELECT id, {day}, CASE WHEN (id * 7919 + %(m)s * 104729) {mod} 100 < 8 THEN (rent + charges - aid) / 2
                       ELSE rent + charges - aid END, %(m)s || '-' || id
FROM lease WHERE (id * 7919 + %(m)s * 104729) {mod} 100 >= 3"""
AGED = """
WITH c AS (SELECT lease_id, due, SUM(amount) AS amt FROM ledger WHERE due <= {day} GROUP BY lease_id, due),
p AS (SELECT lease_id, SUM(amount) AS paid FROM payment WHERE day <= {day} GROUP BY lease_id),
w AS (SELECT c.lease_id, c.due, c.amt,
             SUM(c.amt) OVER (PARTITION BY c.lease_id ORDER BY c.due) - COALESCE(p.paid, 0) AS over
      FROM c LEFT JOIN p ON p.lease_id = c.lease_id),
o AS (SELECT lease_id, {days} AS days, CASE WHEN over < amt THEN over ELSE amt END AS open FROM w WHERE over > 0)
SELECT lease_id, SUM(CASE WHEN days <= 30 THEN open ELSE 0 END),
       SUM(CASE WHEN days BETWEEN 31 AND 60 THEN open ELSE 0 END),
       SUM(CASE WHEN days BETWEEN 61 AND 90 THEN open ELSE 0 END), SUM(CASE WHEN days > 90 THEN open ELSE 0 END)
FROM o GROUP BY lease_id"""
PAGE = """
WITH pg AS (SELECT id, ref FROM lease WHERE site_id = %(site)s AND id > 0 ORDER BY id LIMIT 50)
SELECT pg.id, pg.ref, (SELECT COALESCE(SUM(amount), 0) FROM ledger g WHERE g.lease_id = pg.id)
     - (SELECT COALESCE(SUM(amount), 0) FROM payment y WHERE y.lease_id = pg.id) FROM pg ORDER BY pg.id"""


def opened(url: str) -> Engine:
    engine = Engine(url + ".plain" if url.startswith("sqlite:") else url)
    if not engine.sqlite:
        engine.run("SET search_path = plain")
    return engine


def dated(engine: Engine, text: str) -> str:
    """The few words in which the engines differ."""
    if engine.sqlite:
        return text.format(
            day="%(day)s", due="%(due)s", mod="%", days="CAST(julianday(%(day)s) - julianday(due) AS INT)"
        )
    return text.format(
        day="CAST(%(day)s AS date)",
        due="CAST(%(due)s AS date)",
        mod="%%",
        days="(CAST(%(day)s AS date) - due)",
    )


def call(engine: Engine, month: date) -> int:
    params = {"day": month.isoformat(), "due": (month + timedelta(days=4)).isoformat()}
    with engine.durable():
        return engine.run(dated(engine, CHARGES), params).rowcount


def build(url: str, leases: int, months: list[date]) -> dict:
    """The leases, then each month's charges and payments."""
    engine = opened(url)
    for statement in filter(str.strip, ((SQLITE if engine.sqlite else POSTGRESQL) + INDEXES).split(";")):
        engine.run(statement)
    if engine.sqlite:
        engine.run("PRAGMA synchronous = OFF")
    else:
        engine.run("SET synchronous_commit = off")
    with engine.durable():
        engine.run(
            "INSERT INTO lease WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %(leases)s)"
            " SELECT i, 'LOC' || i, i {mod} %(sites)s, 25000 + i {mod} 39979, 5000 + i {mod} 9973, 5000 + i {mod} 19997 FROM n".format(
                mod="%" if engine.sqlite else "%%"
            ),
            {"leases": leases, "sites": max(1, leases // 100)},
        )
    for number, month in enumerate(months):
        call(engine, month)
        with engine.durable():
            engine.run(dated(engine, PAYMENTS), {"m": number, "day": (month + timedelta(days=7)).isoformat()})
    if not engine.sqlite:
        for table in ("lease", "ledger", "payment"):
            engine.run(f"VACUUM ANALYZE {table}")
    return {}


def run(url: str, month: date) -> dict:
    """A month's charges by one INSERT … SELECT over the history; the same again."""
    engine = opened(url)
    settle(engine)
    first = clocked(lambda: call(engine, month))
    settle(engine)
    return {"run": first, "repeat": clocked(lambda: call(engine, month))}


def statement(url: str, leases: int, number: int) -> dict:
    """As many lines from a CSV file: staged, matched by reference, inserted once."""
    engine = opened(url)
    path = Path(tempfile.gettempdir()) / f"gla-statement-{os.getpid()}.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            (f"S{number}-{i}", "2025-01-08", 30000 + i % 977, f"LOC{i}" if i % 50 else "UNKNOWN")
            for i in range(1, leases + 1)
        )
    engine.run(
        "CREATE TEMP TABLE st(line text, day text, amount int, ref text)"
        if engine.sqlite
        else "CREATE TEMP TABLE st(line text, day date, amount bigint, ref text)"
    )

    def import_it():
        with engine.durable():
            if engine.sqlite:
                with path.open(newline="") as file:
                    engine.connection.executemany("INSERT INTO st VALUES (?, ?, ?, ?)", csv.reader(file))
            else:
                with (
                    path.open("rb") as file,
                    engine.connection.cursor().copy("COPY st FROM STDIN CSV") as copy,
                ):
                    while part := file.read(1 << 18):
                        copy.write(part)
            engine.run(
                "INSERT INTO payment (lease_id, day, amount, line) SELECT l.id, st.day, st.amount, st.line"
                " FROM st JOIN lease l ON l.ref = st.ref WHERE true ON CONFLICT (line) DO NOTHING"
            )

    settle(engine)
    seconds = clocked(import_it)
    path.unlink()
    return {"statement": seconds}


def aged(url: str, on: date) -> dict:
    engine = opened(url)
    text = dated(engine, AGED)
    return {"aged": clocked(lambda: engine.rows(text, {"day": on.isoformat()}))}


def page(url: str, sites: list[int]) -> dict:
    engine = opened(url)
    return {"page": [clocked(lambda site=site: engine.rows(PAGE, {"site": site})) for site in sites]}
