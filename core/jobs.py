"""Long work (*travaux*): idempotent parts, progress, cancel, resumed after a crash.

A kind of work is a function that yields its parts; each part runs in its own short transaction,
which also writes that it is done, so a part is done once whatever is killed and whenever:

    @job("rent_run", title=_("Rent run"))
    def rent_run(job, *, month):
        batches = leases_to_call(month)
        job.expect(len(batches))
        for batch in batches:
            yield Part(key=str(batch.first), do=partial(call_rent, batch), label=batch.label)
        return {"calls": sum(found["calls"] for found in job.outcomes().values())}

What the function does between two parts is done again when the job is taken up: it only reads.
The work goes through Django's Tasks interface. With GLA_WORKERS any number of `manage.py work`
processes take it; without, a thread of this process does, from the same queue, by the same code.
"""

import logging
import os
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _t
from django_tasks import task

from core import audit
from core.errors import Refusal
from core.job import (
    LISTED,
    STATES,
    Job,
    JobPart,
    Part,
    Unknown,
    fault_rows,
    job,
    kind_of,
    said_now,
)

__all__ = ["STATES", "Job", "JobPart", "Part", "Unknown", "job"]  # and the verbs below

logger = logging.getLogger(__name__)

BEAT = timedelta(seconds=15)
"""How often a job at work says that it lives."""
PATIENCE = 2.0
"""Seconds that a page waits for work done in its own process, so that a small file answers at once."""


class Busy(Refusal):
    """Another worker has this job in hand."""


class LostClaim(Exception):
    """This worker was thought dead and the job given to another: its last part is undone."""


class Stopped(Exception):
    """Somebody asked to stop while a part was at work: that part is undone."""


_stopping: set[uuid.UUID] = set()
"""Jobs to stop as soon as they say something: on SQLite the part in hand keeps others from writing."""


def start(kind: str, *, by, wait=False, once="", echo=None, **parameters) -> Job:
    """Begin a work of that kind, or give back the one already under way under the same `once`.

    wait: run it here and now and return when it is done (commands, tests); else it is queued
        when the transaction commits.
    parameters: JSON, ids rather than names.
    Raises Unknown; with wait, Busy and whatever the work refuses.
    """
    kind_of(kind)
    under_way = _under_way(kind, once)
    new = under_way
    if new is None:
        try:
            with transaction.atomic():
                new = Job.objects.create(
                    kind=kind, created_by=by, once=once, parameters=parameters, language=get_language() or ""
                )
                audit.record(by, "start", "job", new.pk, kind=kind)
        except IntegrityError:
            # Somebody began the same between the look and the write.
            new = under_way = _under_way(kind, once)
            if new is None:
                raise
    if wait:
        return run_inline(new, echo=echo)
    if under_way is None or under_way.state == "interrupted":
        transaction.on_commit(lambda: _queue(new))
    return new


def _under_way(kind: str, once: str) -> Job | None:
    return Job.objects.filter(kind=kind, once=once, finished_at=None).first() if once else None


def cancel(asked: Job, *, by) -> bool:
    """Ask a job to stop after the part in hand; what is done stays. False when already finished."""
    now = timezone.now()
    unfinished = Job.objects.filter(pk=asked.pk, finished_at=None)
    _stopping.add(asked.pk)
    try:
        with transaction.atomic():
            stopped = unfinished.filter(worker="").update(cancelled_at=now, finished_at=now)
            stopped = stopped or unfinished.update(cancelled_at=now)
            asked.refresh_from_db()
            # A part at work in this process may have heard before this could be written.
            stopped = stopped or asked.state == "cancelled"
            if stopped:
                audit.record(by, "cancel", "job", asked.pk)
    finally:
        _stopping.discard(asked.pk)
    return bool(stopped)


def tell(asked: Job, words: str) -> None:
    """Say how far the part in hand is: shown on the job's page, whatever the part's transaction.

    Raises Stopped when somebody asked the job to stop; the part is undone then.
    """
    said_now[asked.pk] = str(words)[:200]
    if asked.pk in _stopping or Job.objects.filter(pk=asked.pk, cancelled_at__isnull=False).exists():
        raise Stopped


def wait_for(asked: Job) -> bool:
    """Give a job that this process does a moment to end; whether it is over."""
    limit = time.monotonic() + PATIENCE
    while not asked.is_over and not with_workers() and not connection.in_atomic_block:
        if time.monotonic() > limit:
            break
        time.sleep(0.05)
        asked.refresh_from_db()
    return asked.is_over


def resume(stopped: Job, *, by, wait=False, echo=None) -> Job:
    """Take up a cancelled, failed or interrupted job where it stopped: done parts stay done."""
    try:
        with transaction.atomic():
            Job.objects.filter(pk=stopped.pk, result__isnull=True).exclude(finished_at=None).update(
                cancelled_at=None, finished_at=None, error=None
            )
            audit.record(by, "resume", "job", stopped.pk)
    except IntegrityError as fault:
        raise Busy(
            stopped.title,
            _t("The same work was started again since."),
            _t("Wait for it to finish, or cancel it."),
        ) from fault
    stopped.refresh_from_db()
    if wait:
        return run_inline(stopped, echo=echo)
    if stopped.finished_at is None:
        transaction.on_commit(lambda: _queue(stopped))
    return stopped


def run_inline(asked: Job, *, echo: Callable[[str], Any] | None = None) -> Job:
    """Run a job in this process to its end, telling `echo` each part.

    Raises Busy when another worker has it, or what the work refuses (also kept in `error`).
    """
    worker = claim(asked)
    if worker is None:
        asked.refresh_from_db()
        if asked.finished_at is not None:
            return asked
        raise Busy(
            asked.title,
            _t("This work is already under way elsewhere."),
            _t("Wait for it to finish, or cancel it."),
        )
    asked.refresh_from_db()
    try:
        with _beating(asked.pk, worker), override(asked.language or settings.LANGUAGE_CODE):
            result = _work(asked, worker, echo)
        cancelled = result is None
        _finish(asked, worker, result=result)
        audit.record(asked.created_by, "stopped" if cancelled else "finish", "job", asked.pk)
    except LostClaim:
        logger.warning("job %s was taken over by another worker", asked.pk)
    except Refusal as refusal:
        _finish(asked, worker, error=_told(refusal))
        raise
    except Exception as fault:
        logger.exception("job %s failed", asked.pk)
        _finish(
            asked,
            worker,
            error={
                "place": asked.title,
                "reason": _t("An unexpected error stopped this work: %(fault)s.")
                % {"fault": type(fault).__name__},
                "remedy": _t("What is done stays. Take it up again, or show the log to the administrator."),
            },
        )
        raise
    except BaseException:
        # Interrupted from the keyboard: let go at once, so that it can be taken up.
        Job.objects.filter(pk=asked.pk, worker=worker).update(worker="", heartbeat_at=None)
        raise
    finally:
        said_now.pop(asked.pk, None)
    asked.refresh_from_db()
    return asked


def claim(asked: Job) -> str | None:
    """Take a job for this worker: the token of the claim, or None when another has it."""
    seen = Job.objects.get(pk=asked.pk)
    if seen.finished_at is not None or (seen.worker and not seen.stale):
        return None
    now = timezone.now()
    token = f"{socket.gethostname()[:80]}:{os.getpid()}:{secrets.token_hex(6)}"
    # Compare and swap: whoever else saw the same row updates nothing.
    won = Job.objects.filter(
        pk=seen.pk, finished_at=None, worker=seen.worker, heartbeat_at=seen.heartbeat_at
    ).update(worker=token, heartbeat_at=now, started_at=Coalesce(F("started_at"), now))
    return token if won else None


def resume_stale() -> int:
    """Queue again what a dead worker left, or what was never queued; how many."""
    from django_tasks_db.models import DBTaskResult

    waiting = DBTaskResult.objects.ready().filter(task_path=run_job.module_path)
    queued = {kept["args"][0] for kept in waiting.values_list("args_kwargs", flat=True)}
    lost = [
        found
        for found in Job.objects.filter(finished_at=None)
        if str(found.pk) not in queued and (not found.worker or found.stale)
    ]
    for found in lost:
        run_job.enqueue(str(found.pk))
    return len(lost)


@task
def run_job(pk: str) -> None:
    """The one task that Django's queue knows: run that job unless somebody has it."""
    asked = Job.objects.filter(pk=pk).first()
    if asked is None:
        return
    try:
        run_inline(asked)
    except Refusal as refusal:
        # Kept in the job and shown on its page; for the queue the task is done.
        logger.info("job %s: %s", pk, refusal)


def drain() -> None:
    """Run all that is queued, then return."""
    from django_tasks_db.management.commands.db_worker import Worker

    Worker(
        queue_names=["default"],
        excluded_queue_names=[],
        interval=0,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id=secrets.token_hex(16),
    ).run()


def with_workers() -> bool:
    """Whether `manage.py work` processes do the work; else a thread of this process does."""
    return getattr(settings, "GLA_WORKERS", connection.vendor == "postgresql")


_turn = threading.Lock()
_threads = threading.Semaphore(2)  # one at work, one to look again after it


def kick() -> None:
    """In-process: wake the thread that does the queued work. With workers: nothing to do."""
    if not with_workers() and _threads.acquire(blocking=False):
        threading.Thread(target=_drain_in_thread, name="gla-jobs", daemon=True).start()


def _queue(new: Job) -> None:
    run_job.enqueue(str(new.pk))
    kick()


def _drain_in_thread() -> None:
    try:
        # One at a time: SQLite has one writer, and a second thread would only wait for it.
        with _turn:
            resume_stale()
            drain()
            audit.seal_batch()
    finally:
        connection.close()
        _threads.release()


def _work(asked: Job, worker: str, echo) -> dict | None:
    """The parts not done yet, one by one; the result, or None when cancelled."""
    done = set(asked.parts.values_list("key", flat=True))
    parts = kind_of(asked.kind).run(asked, **asked.parameters)
    if isinstance(parts, Sequence):
        asked.expect(len(parts))
    steps: Iterator[Part] = iter(parts)
    while True:
        if Job.objects.filter(pk=asked.pk).values_list("cancelled_at", flat=True).get():
            if hasattr(steps, "close"):
                steps.close()
            return None
        try:
            part = next(steps)
            if part.key in done:
                continue
            _do(asked, part, worker)
        except StopIteration as end:
            return end.value or {}
        except Stopped:
            return None
        done.add(part.key)
        if echo:
            total = f"/{asked.parts_total}" if asked.parts_total else ""
            echo(f"{asked.title}: {len(done)}{total} {part.label or part.key}")


def _do(asked: Job, part: Part, worker: str) -> None:
    with transaction.atomic():
        outcome = part.do()
        JobPart.objects.create(job=asked, key=part.key, outcome=outcome)
        # Last, and in the same transaction: a worker thought dead commits nothing.
        kept = Job.objects.filter(pk=asked.pk, worker=worker).update(
            parts_done=F("parts_done") + 1,
            heartbeat_at=timezone.now(),
            message=str(part.label)[:200],
        )
        if not kept:
            raise LostClaim
    said_now.pop(asked.pk, None)


def _finish(asked: Job, worker: str, *, result=None, error=None) -> None:
    changes = {"finished_at": timezone.now(), "worker": "", "result": result, "error": error}
    Job.objects.filter(pk=asked.pk, worker=worker).update(**changes)
    asked.refresh_from_db()


def _told(refusal: Refusal) -> dict[str, Any]:
    told: dict[str, Any] = {
        "place": str(refusal.place),
        "reason": str(refusal.reason),
        "remedy": str(refusal.remedy),
    }
    errors = getattr(refusal, "errors", ())
    return told | {"errors": fault_rows(errors), "more": max(0, len(errors) - LISTED)} if errors else told


@contextmanager
def _beating(pk, worker: str):
    """Say from a second thread that this worker lives, and how far its part is, however long it takes."""
    over = threading.Event()

    def beat():
        last, written = time.monotonic(), ""
        while not over.wait(1):
            said = said_now.get(pk, "")
            # SQLite's one writer is the part at work: only this process can show what it says.
            news = said != written and connection.vendor != "sqlite"
            if not news and time.monotonic() - last < BEAT.total_seconds():
                continue
            last, written = time.monotonic(), said
            try:
                Job.objects.filter(pk=pk, worker=worker).update(
                    heartbeat_at=timezone.now(), **({"message": said} if news else {})
                )
            except OperationalError:
                pass  # the part at work says so itself when it ends
            finally:
                connection.close()

    thread = threading.Thread(target=beat, name="gla-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=1)
