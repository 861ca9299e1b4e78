"""Speed and memory, as ratios to the engine's own limit in the same run.

    python -m benchmarks [--engine sqlite|postgresql|both] [--leases 4250,42500] [--reps 3]
                         [--only run,repeat,statement,aged,page] [--months 24] [--write docs/performance.md]

Each engine and size has a scratch database of its own, in a temporary directory, and a process of its
own. PostgreSQL is started with its default settings (fsync on), or is the one that DATABASE_URL names,
where a scratch database is made and removed. --write puts the tables into a page, below its marker.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from benchmarks import table
from benchmarks.build import build

WORKS = ("run", "repeat", "statement", "aged", "page")
ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("--engine", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--leases", default="4250,42500", help="sizes of the stock (4250,42500)")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--months", type=int, default=24, help="months of history (24)")
    parser.add_argument("--only", default=",".join(WORKS), help="works to measure")
    parser.add_argument("--write", type=Path, help="a page whose tables are replaced, below its marker")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if set(asked.only.split(",")) - set(WORKS):
        parser.error(f"--only takes {', '.join(WORKS)}")
    if asked.inside:
        return inside(asked)
    found = []
    engines = ("sqlite", "postgresql") if asked.engine == "both" else (asked.engine,)
    for engine in engines:
        for leases in map(int, asked.leases.split(",")):
            one = measured(engine, leases, asked)
            if one is None:
                return 1
            found.append(one)
            print(table.of(one), flush=True)
    if asked.write:
        table.write(asked.write, found, today=date.today())  # noqa: DTZ011 a command says the day
    return 0


def measured(engine: str, leases: int, asked) -> dict | None:
    """One engine and size, in a process and a database of its own."""
    with tempfile.TemporaryDirectory(prefix="gla-bench-") as place:
        out = Path(place) / "found.json"
        command = [
            sys.executable, "-m", "benchmarks", "--inside", str(out), "--leases", str(leases),
            "--reps", str(asked.reps), "--months", str(asked.months), "--only", asked.only,
        ]  # fmt: skip
        environment = {**os.environ, "GLA_DEMO": "1"}
        if engine == "sqlite":
            environment["DATABASE_URL"] = f"sqlite:///{place}/bench.sqlite3"
        else:
            command = [sys.executable, "-m", "tests.postgres", "--durable", "--", *command]
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
            return None
        return json.loads(out.read_text()) | {"engine": engine, "leases": leases, "months": asked.months}


def inside(asked) -> int:
    """Build, measure, and leave the figures as JSON."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "gla.settings"
    # Today is the last day of the history: what the pages show is what the limits read.
    os.environ["GLA_TODAY"] = f"{2023 + (asked.months - 1) // 12}-{(asked.months - 1) % 12 + 1:02d}-28"
    server = os.environ["DATABASE_URL"]
    scratch = None
    if not server.startswith("sqlite:"):
        scratch = f"gla_bench_{os.getpid()}"
        maintain(server, f"CREATE DATABASE {scratch}")
        os.environ["DATABASE_URL"] = urlunsplit(urlsplit(server)._replace(path=f"/{scratch}"))
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(build, int(asked.leases), asked.months).result()
        import django
        from django.db import connection

        django.setup()
        from benchmarks import works

        def told(words: str) -> None:
            print(f"\r\033[K{connection.vendor} {asked.leases}: {words}", end="", file=sys.stderr, flush=True)

        found = works.measure(
            os.environ["DATABASE_URL"],
            leases=int(asked.leases),
            months=asked.months,
            reps=asked.reps,
            only=set(asked.only.split(",")),
            told=told,
        )
        print(file=sys.stderr)
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("SELECT 'SQLite ' || sqlite_version()")
            else:
                cursor.execute("SELECT 'PostgreSQL ' || current_setting('server_version')")
            [version] = cursor.fetchone()
        connection.close()
        asked.inside.write_text(json.dumps({"works": found, "version": version}))
    finally:
        if scratch:
            maintain(server, f"DROP DATABASE IF EXISTS {scratch}")
    return 0


def maintain(url: str, statement: str) -> None:
    from benchmarks.limits import Engine

    Engine(url).run(statement)


if __name__ == "__main__":
    sys.exit(main())
