"""kill -9 in the middle of a rent run and of an import, then a restart: totals to the cent.

Real processes of `manage.py`, killed where their progress in the database says that they are at work.
A dozen kills on each engine; GLA_KILLS=500 makes that many (`GLA_KILLS=500 pytest tests/crash`).
At least half of them must land between the first and the last write: they are counted.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.db.models import Count, Sum

from core.jobs import Job
from core.money import euros, from_cents
from leases import ledger
from leases.formats import cfonb
from leases.models import Allocation, Lease, Movement, Posting, RentCall, RentRun, RunPart, Statement
from leases.proof import check_ledger
from tests.leases.statements import received, statement

pytestmark = pytest.mark.crash

KILLS = int(os.environ.get("GLA_KILLS", "12"))
A_MONTH = 7  # kills of one month's work at most; then it is left to end, and the next one begins
SINCE = date(2015, 1, 1)
STARTS_WITHIN = 120  # seconds
RUN_LEASES, RUN_PART = 80, "1"
DAYS, A_DAY = 20, 40


@dataclass
class Killer:
    """Starts a command again and again and kills it: how often, and how often in the middle."""

    environment: dict[str, str]
    chance: random.Random = field(default_factory=random.Random)
    kills: int = 0
    landed: int = 0

    def start(self, *command: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "manage.py", *command],
            cwd=Path(__file__).resolve().parents[2],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def kill(self, *command: str, done: Callable[[], int], total: int, left: int) -> None:
        """Kill it when it has done some more of its `total` parts, `left` kills being still to come.

        In the middle: the process died of it, with a part of the work in and a part not.
        """
        before = done()
        more = max(1, (total - before) // (left + 1))
        until = before + self.chance.randint(0, more)
        process = self.start(*command)
        limit = time.monotonic() + STARTS_WITHIN
        while process.poll() is None and done() < until + (until == before):
            assert time.monotonic() < limit, f"{command} does nothing"
            time.sleep(0.002 if done() > before else 0.01)
        time.sleep(self.chance.uniform(0, 0.01))
        process.send_signal(signal.SIGKILL)
        said, _nothing = process.communicate(timeout=60)
        self.kills += 1
        self.landed += process.returncode == -signal.SIGKILL and 0 < done() < total
        assert process.returncode in (0, -signal.SIGKILL), said

    def finish(self, *command: str) -> None:
        process = self.start(*command)
        said, _nothing = process.communicate(timeout=STARTS_WITHIN)
        assert process.returncode == 0, said

    def assert_fair(self) -> None:
        print(f"{self.kills} kills, {self.landed} between the first and the last write")
        assert self.landed * 2 >= self.kills, f"only {self.landed} of {self.kills} kills landed in the middle"


@pytest.fixture
def killer(fresh_database) -> Killer:
    return Killer({**fresh_database.environment, "GLA_RUN_PART": RUN_PART})


def months():
    month = SINCE
    while True:
        yield month
        month = (month + timedelta(days=31)).replace(day=1)


def shares(kills: int):
    """How many kills each month takes until all are done."""
    while kills > 0:
        yield min(kills, A_MONTH)
        kills -= A_MONTH


# ---- the rent run ----


def test_a_run_killed_and_started_again_calls_each_line_once(killer, build):
    expected = euros(0)
    for number in range(RUN_LEASES):
        build.lease(start=SINCE, rent=f"{400 + number}.10", charges="70.05", benefit="200.00")
        expected += euros(f"{400 + number - 200 + 70}.15")

    for month, kills in zip(months(), shares(max(1, KILLS * 7 // 12)), strict=False):
        command = ("run_rent", "--month", f"{month:%Y-%m}")
        for left in range(kills, 0, -1):
            killer.kill(
                *command, done=lambda month=month: run_progress(month), total=RUN_LEASES + 4, left=left
            )
        killer.finish(*command)
        assert_month_called_once(month, expected)

    assert not check_ledger()
    assert not Job.objects.filter(finished_at=None).exclude(kind="keep_checkpoint").exists()
    killer.assert_fair()


def run_progress(month: date) -> int:
    """Writes of a run seen so far: its job, its opening, its parts, its close, the end of the job."""
    runs, work = RentRun.objects.filter(month=month), Job.objects.filter(once=f"{month:%Y-%m}")
    parts = RunPart.objects.filter(run__in=runs, done_at__isnull=False)
    over = runs.exclude(closed_at=None).count() + work.exclude(finished_at=None).count()
    return work.count() + runs.count() + parts.count() + over


def assert_month_called_once(month: date, expected) -> None:
    calls = RentCall.objects.filter(month=month)
    assert calls.count() == 3 * RUN_LEASES
    assert set(calls.values("lease", "item").annotate(times=Count("pk")).values_list("times", flat=True)) == {
        1
    }
    assert calls.aggregate(total=Sum("amount"))["total"] == expected
    posted = Posting.objects.filter(source=ledger.Source.CALL, source_id__in=calls.values("pk"))
    assert posted.count() == 3 * RUN_LEASES
    [run] = RentRun.objects.filter(month=month)
    assert (run.sealed_calls, run.sealed_total) == (3 * RUN_LEASES, expected)


# ---- the import of a statement ----


def test_an_import_killed_and_started_again_takes_each_movement_once(killer, build, tmp_path):
    build.bank()
    references = [build.lease(start=SINCE, rent="400.00").payment_reference for _lease in range(A_DAY)]
    imported = 0

    for month, kills in zip(months(), shares(max(1, KILLS * 5 // 12)), strict=False):
        before = Statement.objects.count()
        file, imported = month_of_statements(tmp_path, references, month, opening=imported)
        for left in range(kills, 0, -1):
            killer.kill(
                "import_statement",
                str(file),
                done=lambda before=before: Statement.objects.count() - before,
                total=DAYS,
                left=left,
            )
        killer.finish("import_statement", str(file))
        assert_statements_taken_once(before + DAYS, imported)

    assert not check_ledger()
    killer.assert_fair()


def month_of_statements(place: Path, references: list[str], month: date, *, opening: int) -> tuple[Path, int]:
    """A file of twenty daily statements, each household paying one euro cent more each day."""
    blocks, balance = [], opening
    for day in range(DAYS):
        on = month + timedelta(days=day)
        movements = [
            received(f"{number + 1}.{day:02}", on, reference=reference)
            for number, reference in enumerate(references)
        ]
        told = statement(*movements, opening=from_cents(balance).amount.to_eng_string(), start=on, end=on)
        blocks.append(cfonb.write_statement(told))
        balance = told.closing_cents
    file = place / f"releve-{month:%Y-%m}.cfonb"
    file.write_bytes(b"".join(blocks))
    return file, balance


def assert_statements_taken_once(statements: int, cents: int) -> None:
    assert Statement.objects.count() == statements
    assert Movement.objects.count() == Allocation.objects.count() == statements * A_DAY
    assert Movement.objects.aggregate(total=Sum("amount"))["total"] == from_cents(cents)
    assert Statement.objects.latest("pk").closing == from_cents(cents)
    paid = Posting.objects.filter(credit__kind=ledger.TENANT)
    assert paid.count() == statements * A_DAY
    assert paid.aggregate(total=Sum("amount"))["total"] == from_cents(cents)
    assert not Allocation.objects.exclude(lease__in=Lease.objects.all()).exists()
