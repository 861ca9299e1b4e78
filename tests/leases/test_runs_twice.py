"""Started twice at once, cancelled and resumed: each lease × month × item is called exactly once."""

import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from django.db.models import Count, Sum

from core import jobs
from core.money import euros
from leases.models import Account, Book, Posting, RentCall, RentRun
from leases.proof import check_ledger

LEASES = 12
MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)

# What a process does: ready, it waits for the word, so that both start at the same moment.
RUN_AT_THE_WORD = """
import sys, time
from datetime import UTC, date, datetime
from pathlib import Path
import django
django.setup()
from leases import rent
ready, word, month = Path(sys.argv[1]), Path(sys.argv[2]), date.fromisoformat(sys.argv[3])
ready.touch()
while not word.exists():
    time.sleep(0.002)
rent.run_rent(month, by=None, now=datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
"""


@pytest.fixture
def stock(fresh_database, build):
    """Twelve leases, half of them of a mandant, called in parts of two."""
    mandant = build.owner("private")
    for number in range(LEASES):
        unit = build.unit(owner=mandant, title="mandate") if number % 2 else None
        build.lease(rent=f"{400 + number}.00", charges="70.00", benefit="200.00", unit=unit)
    return fresh_database


def at_once(database, tmp_path: Path, *months: date) -> list[str]:
    """One process for each month, all let go together; what went wrong in each."""
    word = tmp_path / "word"
    processes = []
    for number, month in enumerate(months):
        ready = tmp_path / f"ready{number}"
        command = [sys.executable, "-c", RUN_AT_THE_WORD, str(ready), str(word), month.isoformat()]
        processes.append((ready, started(command, database)))
    wait_until(lambda: all(ready.exists() for ready, _process in processes))
    word.touch()
    return [process.communicate(timeout=120)[0] for _ready, process in processes]


def started(command: list[str], database) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        cwd=Path(__file__).resolve().parents[2],
        env={**database.environment, "GLA_RUN_PART": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_until(true) -> None:
    limit = time.monotonic() + 60
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.02)


def assert_called_once(*months: date) -> None:
    per_line = RentCall.objects.values("lease", "month", "item", "account").annotate(times=Count("pk"))
    expected = sum((euros(f"{400 + number - 130}.00") for number in range(LEASES)), euros(0))
    assert {line["times"] for line in per_line} == {1}
    for month in months:
        calls = RentCall.objects.filter(month=month)
        assert calls.count() == 3 * LEASES
        assert calls.aggregate(total=Sum("amount"))["total"] == expected
    assert Posting.objects.count() == 3 * LEASES * len(months)
    assert not RentRun.objects.filter(closed_at=None).exists()
    assert not check_ledger()


def test_one_month_run_twice_at_once_is_called_once(stock, tmp_path):
    said = at_once(stock, tmp_path, MARCH, MARCH)

    assert said == ["", ""]
    assert_called_once(MARCH)


def test_two_months_run_at_once_share_the_accounts_they_open(stock, tmp_path):
    """Nothing was ever called: both open the books, and the accounts of the same leases."""
    said = at_once(stock, tmp_path, MARCH, APRIL)

    assert said == ["", ""]
    assert_called_once(MARCH, APRIL)
    assert Book.objects.filter(owner=None).count() == 1
    per_lease = (
        Account.objects.exclude(lease=None).values("lease", "kind", "book").annotate(times=Count("pk"))
    )
    assert {one["times"] for one in per_lease} == {1}


def test_the_command_started_twice_at_once_calls_once(stock):
    """The second finds the work under way: it says so, or comes when all is done."""
    command = [sys.executable, "manage.py", "run_rent", "--month", "2026-03"]
    processes = [started(command, stock) for _each in range(2)]

    said = [process.communicate(timeout=120)[0] for process in processes]

    assert 0 in [process.returncode for process in processes], said
    assert not any("Traceback" in words for words in said), said
    assert_called_once(MARCH)


@pytest.mark.django_db
def test_a_run_cancelled_and_resumed_calls_once(build, settings):
    settings.GLA_RUN_PART = 2
    for number in range(LEASES):
        build.lease(rent=f"{400 + number}.00", charges="70.00", benefit="200.00")
    steps = []

    def stop_after_two_parts(words):
        steps.append(words)
        if len(steps) == 2:
            jobs.cancel(jobs.Job.objects.get(kind="rent_run"), by=None)

    stopped = jobs.start(
        "rent_run", by=None, wait=True, once="2026-03", month="2026-03", echo=stop_after_two_parts
    )
    assert stopped.state == "cancelled"
    assert RentCall.objects.count() == 3 * 4
    assert RentRun.objects.get().closed_at is None

    jobs.resume(stopped, by=None, wait=True)

    assert_called_once(MARCH)
