"""The product's works, each measured beside its limits on the same engine in the same minute."""

import os
import random
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

from django.db import connection
from django.test import Client
from django.urls import reverse

from benchmarks import limits, plain, stock
from benchmarks.build import written
from core.access import create_groups
from core.keyset import Keyset
from core.models import User
from leases import bank, rent, tenant_account
from leases.filters import LeaseFilter
from leases.formats import camt
from leases.formats.statement import Movement, Statement
from leases.models import Lease
from leases.tenant_account import balances

PAGES = 120


def measure(url: str, *, leases: int, months: int, reps: int, only: set[str], told) -> dict:
    """Seconds of each work and of its limits, rows, and the peak of this process's memory; over a built stock."""
    told("plain schema")
    aside(plain.build, url, leases, [stock.month_number(number) for number in range(months)])
    found: dict[str, dict] = {}

    def keep(work: str, rows: int, seconds, own, of_plain, megabytes: float) -> None:
        kept = found.setdefault(work, {"rows": rows, "seconds": [], "own": [], "plain": [], "memory": 0.0})
        for name, value in (("seconds", seconds), ("own", own), ("plain", of_plain)):
            kept[name] += value if isinstance(value, list) else [value]
        kept["memory"] = max(kept["memory"], megabytes)
        if not isinstance(seconds, list):
            told(f"{work}: {seconds:.3f} s, {seconds / own:.2f} × its limit\n")

    if "aged" in only:
        aged(url, months, reps, keep)
    if "page" in only:
        pages(url, leases, months, keep)
    if only & {"run", "repeat", "statement"}:
        runs = [run_month(url, leases, months + 2 * number, only, keep) for number in range(reps)]
        if "statement" in only:
            for number, called in enumerate(runs):
                import_month(url, leases, called, number, keep)
    return found


def aside(work, *args):
    """A limit in a process of its own, so that its rows do not weigh on ours."""
    connection.close()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def timed(work):
    """Seconds, what it gave, and the peak of memory meanwhile (MB)."""
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        connection.cursor().execute("CHECKPOINT")
    Path("/proc/self/clear_refs").write_text("5")
    started = perf_counter()
    gave = work()
    seconds = perf_counter() - started
    peak = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return seconds, gave, int(peak.split()[1]) / 1024


def run_month(url: str, leases: int, number: int, only: set[str], keep) -> date:
    """A month called, and called again; the limit is the month after, in the same tables."""
    called = stock.month_number(number)
    now = datetime(called.year, called.month, 2, 9, tzinfo=UTC)
    seconds, run, peak = timed(lambda: rent.run_rent(called, by=None, now=now))
    again, repeated, again_peak = timed(lambda: rent.run_rent(called, by=None, now=now))
    assert run.sealed_calls == 3 * leases and repeated.sealed_calls == 0, (
        "the run called another number of lines"
    )
    if only & {"run", "repeat"}:
        own = aside(limits.own_run, url, run.pk, stock.month_number(number + 1))
        bare = aside(plain.run, url, called)
        if "run" in only:
            keep("run", own["rows"], seconds, own["run"], bare["run"], peak)
        if "repeat" in only:
            keep("repeat", own["rows"], again, own["repeat"], bare["repeat"], again_peak)
    return called


def import_month(url: str, leases: int, called: date, rep: int, keep) -> None:
    """The statement of a month, written aside, then imported; the limit imports it under another bank account."""
    path = aside(written, leases, called)
    now = datetime(called.year, called.month, 28, 9, tzinfo=UTC)
    try:
        seconds, brought, peak = timed(
            lambda: bank.import_statement(path.read_bytes(), path.name, by=None, now=now)
        )
        [part] = brought.parts
        assert part.movements == leases, "the statement brought another number of movements"
        assert brought.suspense <= leases // 50 + 1, f"{brought.suspense} movements matched nothing"
        own = aside(limits.own_statement, url, str(path), part.statement.pk)
        bare = aside(plain.statement, url, leases, rep)
        keep("statement", own["rows"], seconds, own["statement"], bare["statement"], peak)
    finally:
        path.unlink()


def write_statement(leases: int, called: date) -> Path:
    """A camt.053 file in which each household pays once: 4 in 5 quote their reference, 1 in 50 is unknown."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.id, l.payment_reference, i.iban, c.net FROM leases_lease l"
            " JOIN leases_payeriban i ON i.lease_id = l.id"
            " JOIN (SELECT lease_id, SUM(amount) AS net FROM leases_rentcall WHERE month = %s GROUP BY lease_id) c"
            " ON c.lease_id = l.id",
            [called],
        )
        owed = cursor.fetchall()
        cursor.execute(
            'SELECT closing FROM leases_statement WHERE bank_id = 1 ORDER BY "end" DESC, id DESC LIMIT 1'
        )
        [opening] = cursor.fetchone()
    random.Random(7).shuffle(owed)
    booked = called + timedelta(days=7)
    movements = tuple(
        Movement(
            line=1,
            booked=booked,
            valued=booked,
            amount_cents=int(net),
            label=f"VIR NAME{lease}",
            reference=f"LOYER {reference}" if place % 5 else "LOYER",
            counterparty_name=f"NAME{lease}",
            counterparty_iban=iban if place % 50 else "",
            bank_reference=f"S{called:%y%m}-{lease}",
            kind="credit_transfer",
        )
        for place, (lease, reference, iban, net) in enumerate(owed)
    )
    told = Statement(
        iban=stock.BANK_IBAN,
        currency="EUR",
        number=f"{called:%Y-%m}",
        start=called,
        end=stock.month_end(called),
        opening_cents=int(opening),
        closing_cents=int(opening) + sum(one.amount_cents for one in movements),
        movements=movements,
    )
    handle, name = tempfile.mkstemp(suffix=".xml", prefix="gla-statement-")
    with os.fdopen(handle, "wb") as file:
        file.write(camt.write_statement(told))
    return Path(name)


def aged(url: str, months: int, reps: int, keep) -> None:
    on = stock.month_end(stock.month_number(months - 1))
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM leases_posting")
        [postings] = cursor.fetchone()
    for _rep in range(reps):
        seconds, gave, peak = timed(lambda: count_aged(on))
        own = aside(limits.own_aged, url, on)
        bare = aside(plain.aged, url, on)
        assert gave == own["cents"], "the aged balance is not the limit's"
        keep("aged", postings, seconds, own["aged"], bare["aged"], peak)


def count_aged(on: date) -> int:
    """The aged balance read to its end, as a page or an export reads it; its total, cents."""
    return sum(int((one.due + one.not_due).amount.scaleb(2)) for one in tenant_account.aged(on))


def pages(url: str, leases: int, months: int, keep) -> None:
    """Fifty leases of a site with their balances: the rows alone, then the whole page as it is sent.

    The page includes session, access, audit and template.
    """
    on = stock.month_end(stock.month_number(months - 1))
    create_groups()
    manager = User.objects.create_user("manager")
    manager.groups.set(manager.groups.model.objects.filter(name="rental_manager"))
    client = Client(HTTP_HOST="localhost")
    client.force_login(manager)
    chosen = random.Random(3).choices(range(1, stock.site_count(leases) + 1), k=PAGES)

    def read(site: int) -> float:
        started = perf_counter()
        found = LeaseFilter({"site": site, "on": on}, Lease.objects.all()).qs
        rows = Keyset(found, "reference", descending=False).after(None, 50)
        assert rows and len(balances([lease.pk for lease in rows], on)) == len(rows)
        return perf_counter() - started

    def shown(site: int) -> float:
        started = perf_counter()
        answer = client.get(reverse("leases"), {"site": site, "sort": "reference"})
        assert answer.status_code == 200, answer.status_code
        return perf_counter() - started

    own = aside(limits.own_page, url, chosen, on)
    bare = aside(plain.page, url, chosen)
    for work, one in (("page", read), ("answer", shown)):
        for site in chosen[:5]:
            one(site)
        _all, seconds, peak = timed(lambda one=one: [one(site) for site in chosen])
        keep(work, 50, seconds, own["page"], bare["page"], peak)
