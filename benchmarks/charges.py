"""The settlement of charges of the whole stock, beside the engine's own limit for the rows it writes.

    DATABASE_URL=sqlite:///charges.sqlite3 python -m benchmarks.charges [--leases 4250] [--reps 3]
    python -m tests.postgres --durable -- python -m benchmarks.charges

Each building has five natures of expense for 2023, whose twelve months are called; the year is settled,
undone and settled again. The limit writes the same rows (statements, natures, lines, operations, postings)
by one bulk statement a table, in a process of its own, the product's triggers set aside. DATABASE_URL
names an empty database.
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime
from multiprocessing import get_context
from statistics import median

GOAL = 3
YEAR, SENT = 2023, date(2024, 2, 1)
SHIFT = 100_000_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.charges", description=__doc__.split("\n")[0])
    parser.add_argument("--leases", type=int, default=4250)
    parser.add_argument("--reps", type=int, default=3)
    asked = parser.parse_args()
    os.environ.setdefault("GLA_DEMO", "1")
    os.environ["DJANGO_SETTINGS_MODULE"] = "gla.settings"
    aside(prepare, asked.leases)
    import django

    django.setup()
    from django.db import connection

    took, limit, memory, looked = [], [], 0.0, []
    for _number in range(asked.reps):
        seconds, seen, run, peak = settled(asked.leases)
        connection.close()
        took.append(seconds)
        looked.append(seen)
        rows, least = aside(own_charges, os.environ["DATABASE_URL"], run)
        limit.append(least)
        memory = max(memory, peak)
    ratio = median(took) / median(limit)
    sys.stdout.write(
        f"{connection.vendor}, {asked.leases} leases, {rows} rows: {median(took):.3f} s"
        f" ({min(took):.3f}–{max(took):.3f}), limit {median(limit):.3f} s, ratio {ratio:.2f} (goal ≤ {GOAL}),"
        f" preview {median(looked):.3f} s, peak {memory:.0f} MB\n"
    )
    return 0


def aside(work, *args):
    """Work in a process of its own, so that its rows do not weigh on ours."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def prepare(leases: int) -> None:
    """The stock of the benchmarks with a year called, and the expenses of each building."""
    from benchmarks.build import build

    build(leases, 12)
    from django.db import connection

    from core import dialect

    with connection.cursor() as cursor:
        dialect.execute(
            cursor,
            'INSERT INTO leases_expense (building_id, category, "key", year, "start", "end", supplier, invoice,'
            " amount, recoverable, entered_at)"
            " SELECT b.id, k.category, k.key_, %(year)s, DAY(%(first)s), DAY(%(end)s), 'Supplier', 'I' || b.id,"
            " 200000 + b.id * 7919 %% 90000, 200000 + b.id * 7919 %% 90000, %(now)s"
            " FROM portfolio_building b CROSS JOIN (SELECT 3 AS category, 1 AS key_ UNION ALL SELECT 5, 1"
            " UNION ALL SELECT 6, 2 UNION ALL SELECT 7, 4 UNION ALL SELECT 9, 1) k",
            {
                "year": YEAR,
                "first": date(YEAR, 1, 1),
                "end": date(YEAR + 1, 1, 1),
                "now": datetime(2024, 1, 2, tzinfo=UTC),
            },
        )
    dialect.gather_statistics()


def settled(leases: int) -> tuple[float, float, int, float]:
    """Seconds of a settlement and of its preview, the run, and the peak of memory (MB); undone before the next."""
    from benchmarks.works import timed
    from leases.models import ChargeRun
    from leases.yearly.settling import preview_charges, settle_charges, undo_run

    now = datetime.now(UTC)
    for last in ChargeRun.objects.filter(undoes=None, undone_by=None):
        undo_run(last, on=SENT, by=None, now=now)
    seen, preview, _peak = timed(lambda: preview_charges(YEAR, on=SENT))
    assert len(preview.leases) == leases, f"{len(preview.leases)} leases previewed"
    seconds, run, peak = timed(lambda: settle_charges(YEAR, on=SENT, by=None, now=now))
    assert run.sealed_settlements == leases, f"{run.sealed_settlements} leases settled"
    return seconds, seen, run.pk, peak


SETTLEMENT = "run_id, lease_id, account_id, year, version, days, share, provisions, amount, instalments"
GROUP = 'run_id, level, place_id, category, "key", "start", "end", total, whole, owner_share'
LINE = "settlement_id, group_id, days, weight, share"
OPERATION = 'kind, "key", entry_id, debit_id, credit_id, amount, "on", due, label'
POSTING = 'entry_id, debit_id, credit_id, amount, "on", due, source, source_id, leg'


def own_charges(url: str, run: int) -> tuple[int, float]:
    """Rows of a run, and seconds to write them again under other keys; then gone."""
    from benchmarks.limits import Engine, Rows, clocked, settle, without_triggers

    engine, params = Engine(url), {"run": run}
    of_run = "SELECT entry_id FROM leases_chargepart WHERE run_id = %(run)s"
    chosen = {
        "leases_settlement": (
            SETTLEMENT,
            f"SELECT {SETTLEMENT.replace('year', 'year + 1000')} FROM leases_settlement WHERE run_id = %(run)s",
        ),
        "leases_chargegroup": (
            GROUP,
            f"SELECT {GROUP.replace('level', 'level + 10')} FROM leases_chargegroup WHERE run_id = %(run)s",
        ),
        "leases_chargeline": (
            LINE,
            f"SELECT settlement_id + {SHIFT}, l.group_id, l.days, l.weight, l.share FROM leases_chargeline l"
            " JOIN leases_settlement t ON t.id = l.settlement_id WHERE t.run_id = %(run)s",
        ),
        "leases_operation": (
            OPERATION,
            "SELECT "
            + OPERATION.replace('"key"', "\"key\" || '+'")
            + f" FROM leases_operation WHERE entry_id IN ({of_run})",
        ),
        "leases_posting": (
            POSTING,
            f"SELECT {POSTING.replace('source_id', f'source_id + {SHIFT}')} FROM leases_posting"
            f" WHERE entry_id IN ({of_run})",
        ),
    }
    rows = [Rows(engine, table, columns, text, params) for table, (columns, text) in chosen.items()]

    def write() -> None:
        with engine.durable():
            for one in rows:
                one.write()

    with without_triggers(engine, *chosen):
        settle(engine)
        seconds = clocked(write)
        engine.run("DELETE FROM leases_settlement WHERE year > 1000 + 2000")
        engine.run("DELETE FROM leases_chargegroup WHERE level > 10")
        engine.run(f"DELETE FROM leases_chargeline WHERE settlement_id > {SHIFT}")
        engine.run("DELETE FROM leases_operation WHERE \"key\" LIKE '%+'")
        engine.run(f"DELETE FROM leases_posting WHERE source_id > {SHIFT}")
    return sum(one.count for one in rows), seconds


if __name__ == "__main__":
    sys.exit(main())
