"""The yearly revision of the whole stock, beside the engine's own limit for the rows it writes.

    DATABASE_URL=sqlite:///revision.sqlite3 python -m benchmarks.revision [--leases 4250] [--reps 3]
    python -m tests.postgres --durable -- python -m benchmarks.revision

Each lease is revised each January by the index; the limit writes the same rows (the revision, the end
of the term before, the new term) by one bulk statement a table, in a process of its own, the product's
triggers set aside. DATABASE_URL names an empty database.
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime
from multiprocessing import get_context
from statistics import median

GOAL = 3
FIRST_YEAR, MOST = 2021, 6  # of the index shipped, for leases of 1 January 2020


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.revision", description=__doc__.split("\n")[0])
    parser.add_argument("--leases", type=int, default=4250)
    parser.add_argument("--reps", type=int, default=3, choices=range(1, MOST + 1))
    asked = parser.parse_args()
    os.environ.setdefault("GLA_DEMO", "1")
    os.environ["DJANGO_SETTINGS_MODULE"] = "gla.settings"
    aside(prepare, asked.leases)
    import django

    django.setup()
    from django.db import connection

    took, limit, memory = [], [], 0.0
    for number in range(asked.reps):
        seconds, run, peak = revised(FIRST_YEAR + number, asked.leases)
        connection.close()
        took.append(seconds)
        limit.append(aside(own_revision, os.environ["DATABASE_URL"], run))
        memory = max(memory, peak)
    ratio = median(took) / median(limit)
    sys.stdout.write(
        f"{connection.vendor}, {asked.leases} leases: {median(took):.3f} s ({min(took):.3f}–{max(took):.3f}),"
        f" limit {median(limit):.3f} s, ratio {ratio:.2f} (goal ≤ {GOAL}), peak {memory:.0f} MB\n"
    )
    return 0


def aside(work, *args):
    """Work in a process of its own, so that its rows do not weigh on ours."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def prepare(leases: int) -> None:
    """The stock of the benchmarks, each lease with its clause, and the index."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.utils import timezone

    from benchmarks import stock
    from core import dialect
    from leases.yearly.indices import import_indices
    from leases.yearly.revision_clause import record_model_clause

    call_command("migrate", verbosity=0)
    stock.make_stock(leases)
    import_indices(by=None, now=timezone.now())
    record_model_clause("L89_VIDE", by=None)
    dialect.gather_statistics()


def revised(year: int, leases: int) -> tuple[float, int, float]:
    """Seconds of one January, its run, and the peak of this process's memory (MB)."""
    from benchmarks.works import timed
    from leases.yearly.revision import Asked, commit_revision

    january, now = date(year, 1, 1), datetime.now(UTC)
    seconds, run, peak = timed(lambda: commit_revision(Asked(january, january), by=None, now=now))
    count = run.revisions.count()
    assert count == leases, f"{count} leases revised"
    return seconds, run.pk, peak


REVISION_COLUMNS = (
    'run_id, lease_id, item, "on", version, rule, old, new, effect, "until", series, index_year, quarter,'
    " index_old, index_new, points, undoes_id"
)
TERM_COLUMNS = 'lease_id, item, amount, "start", "end"'


def own_revision(url: str, run: int) -> float:
    """Seconds to write a run's rows again as if a month later, then gone."""
    from benchmarks.limits import Engine, Rows, clocked, without_triggers

    engine = Engine(url)
    cast = "" if engine.sqlite else "::date"
    [(effect,)] = engine.rows("SELECT MAX(effect) FROM leases_revision WHERE run_id = %(run)s", {"run": run})
    later = f"'{date.fromisoformat(str(effect)).replace(month=2)}'{cast}"
    columns = REVISION_COLUMNS.replace('"on"', later).replace("effect", later)
    revisions = Rows(
        engine, "leases_revision", REVISION_COLUMNS,
        f"SELECT {columns} FROM leases_revision WHERE run_id = %(run)s", {"run": run},
    )  # fmt: skip
    terms = Rows(
        engine, "leases_rentterm", TERM_COLUMNS,
        f'SELECT lease_id, item, new, {later}, "until" FROM leases_revision WHERE run_id = %(run)s',
        {"run": run},
    )  # fmt: skip
    close = (
        f'UPDATE leases_rentterm AS t SET "end" = {later} FROM leases_revision v'
        ' WHERE v.run_id = %(run)s AND t.lease_id = v.lease_id AND t.item = v.item AND t."start" = v.effect'
        f' AND v."on" < {later}'
    )

    def write() -> None:
        with engine.durable():
            revisions.write()
            engine.run(close, {"run": run})
            terms.write()

    with without_triggers(engine, "leases_revision", "leases_rentterm"):
        seconds = clocked(write)
        engine.run(f'DELETE FROM leases_rentterm WHERE "start" = {later}')
        engine.run(f'UPDATE leases_rentterm SET "end" = NULL WHERE "end" = {later}')
        engine.run(f'DELETE FROM leases_revision WHERE "on" = {later}')
    return seconds


if __name__ == "__main__":
    sys.exit(main())
