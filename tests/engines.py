"""Every test on SQLite, then on a real PostgreSQL: what `make test` runs.

    python -m tests.engines [PYTEST OPTIONS]
    python -m tests.engines --only postgresql -k rent

Each engine's tests run whatever the other's said; the exit code is 0 when both pass.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

from tests.postgres import NoPostgres, postgres

ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def run(engine: str, options: list[str], report: Path) -> int:
    """pytest on one engine; its exit code."""
    workers = str(max(2, min(4, os.cpu_count() or 2)))
    command = [sys.executable, "-m", "pytest", "-n", workers, f"--junitxml={report}", *options]
    # The password of a server may be in its address, never in what is printed.
    print(f"\n=== {ENGINES[engine]} ===", flush=True)
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    if engine == "sqlite":
        return subprocess.run(command, env=environment, check=False).returncode
    with postgres() as url:
        return subprocess.run(command, env={**environment, "DATABASE_URL": url}, check=False).returncode


def counts(report: Path) -> dict[str, int]:
    """passed, failed, skipped of one run; a crash that left no report is one failure."""
    try:
        suites = list(ElementTree.parse(report).iter("testsuite"))
    except (OSError, ElementTree.ParseError):
        return {"passed": 0, "failed": 1, "skipped": 0}
    total, failed, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites for name in names)
        for names in (("tests",), ("failures", "errors"), ("skipped",))
    )
    return {"passed": max(0, total - failed - skipped), "failed": failed, "skipped": skipped}


def main(arguments: list[str]) -> int:
    wanted = list(ENGINES)
    if "--only" in arguments:
        at = arguments.index("--only")
        wanted = [name for name in ENGINES if re.fullmatch(arguments[at + 1], name)]
        arguments = arguments[:at] + arguments[at + 2 :]

    said, sums, codes = [], {"passed": 0, "failed": 0, "skipped": 0}, []
    with tempfile.TemporaryDirectory(prefix="gla-report-") as place:
        for engine in wanted:
            began, report = time.monotonic(), Path(place) / f"{engine}.xml"
            try:
                code = run(engine, arguments, report)
            except NoPostgres as none:
                print(none, file=sys.stderr)
                code = 2
            found = counts(report)
            if code and not found["failed"]:
                found["failed"] = 1  # stopped before a test could fail: still not a pass
            codes.append(code)
            sums = {name: sums[name] + found[name] for name in sums}
            said.append(
                f"{ENGINES[engine]:<11} {found['passed']} passed, {found['failed']} failed, "
                f"{found['skipped']} skipped in {time.monotonic() - began:.0f} s"
            )
    print("\n" + "\n".join(said))
    print(f"{sums['passed']} passed, {sums['failed']} failed")
    return 1 if any(codes) or not codes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
