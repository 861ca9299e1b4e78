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
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, OperationalError, connection, models, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django_tasks import task

from core import audit
from core.access import allowed, can, require
from core.errors import Refusal

logger = logging.getLogger(__name__)

BEAT = timedelta(seconds=15)
"""How often a job at work says that it lives."""
STALE = timedelta(seconds=120)
"""A job silent for longer is taken up by another worker."""


class Busy(Refusal):
    """Another worker has this job in hand."""


class Unknown(Refusal):
    """No such kind of work is registered."""


class LostClaim(Exception):
    """This worker was thought dead and the job given to another: its last part is undone."""


@dataclass(frozen=True, slots=True)
class Part:
    """One step of a job, done once: `key` names it for ever, `do` may return ids and counts."""

    key: str
    do: Callable[[], dict | None]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A registered kind of work."""

    name: str
    run: Callable[..., Iterable[Part]]
    title: str


_kinds: dict[str, Kind] = {}


def job(name: str, *, title: str = "") -> Callable:
    """Register the decorated function as the work of kind `name`."""

    def register(run):
        _kinds[name] = Kind(name, run, title or name)
        return run

    return register


def kind_of(name: str) -> Kind:
    if name not in _kinds:
        # A worker loads models only; work may be declared beside a page.
        import_module(settings.ROOT_URLCONF)
    if name not in _kinds:
        raise Unknown(name, _t("This kind of work is not known."), _t("Update the program."))
    return _kinds[name]


class Job(models.Model):
    """One piece of long work (*traitement*); its state follows from its dates."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=40)
    parameters = models.JSONField(_("parameters"), default=dict, encoder=DjangoJSONEncoder)
    once = models.CharField(_("once"), max_length=80, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("started by"),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True)
    cancelled_at = models.DateTimeField(_("cancel asked"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    worker = models.CharField(_("worker"), max_length=120, blank=True)
    parts_total = models.PositiveIntegerField(_("parts"), null=True)
    parts_done = models.PositiveIntegerField(_("parts done"), default=0)
    message = models.CharField(_("message"), max_length=200, blank=True)
    result = models.JSONField(_("result"), null=True, encoder=DjangoJSONEncoder)
    error = models.JSONField(_("error"), null=True, encoder=DjangoJSONEncoder)

    class Meta:
        app_label = "core"
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["-created_at"], name="job_latest_first"),
            models.Index(
                fields=["created_at"],
                name="job_unfinished",
                condition=models.Q(finished_at__isnull=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "once"],
                name="job_once_at_a_time",
                condition=models.Q(finished_at__isnull=True) & ~models.Q(once=""),
                violation_error_message=_("This work is already under way."),
            ),
        ]

    def __str__(self):
        return f"{self.kind} {self.pk}"

    def get_absolute_url(self):
        from django.urls import reverse

        return reverse("job", args=[self.pk])

    @property
    def title(self) -> str:
        found = _kinds.get(self.kind)
        return str(found.title if found else self.kind)

    @property
    def stale(self) -> bool:
        """Taken by a worker that is dead on this host, or silent for too long."""
        return bool(self.worker) and (
            _dead(self.worker) or self.heartbeat_at is None or self.heartbeat_at < timezone.now() - STALE
        )

    @property
    def state(self) -> str:
        """waiting, running, stopping, interrupted, done, failed or cancelled; from the dates."""
        if self.finished_at is not None:
            if self.error is not None:
                return "failed"
            return "done" if self.result is not None else "cancelled"
        if self.started_at is None:
            return "waiting"
        if not self.worker or self.stale:
            return "interrupted"
        return "stopping" if self.cancelled_at else "running"

    @property
    def state_word(self) -> str:
        return str(STATES[self.state])

    @property
    def state_kind(self) -> str:
        """How grave the state is, for its icon: good, bad, warn or info."""
        return {"done": "good", "failed": "bad", "interrupted": "warn"}.get(self.state, "info")

    @property
    def is_over(self) -> bool:
        return self.finished_at is not None

    @property
    def done(self) -> int:
        return self.parts_done

    @property
    def total(self) -> int | None:
        return self.parts_total

    def expect(self, total: int) -> None:
        """Say how many parts there will be, so that progress can be shown."""
        self.parts_total = total
        Job.objects.filter(pk=self.pk).update(parts_total=total)

    def outcomes(self) -> dict[str, Any]:
        """What each part done so far returned, by key."""
        return dict(self.parts.values_list("key", "outcome"))


STATES = {
    "waiting": _("Waiting"),
    "running": _("Running"),
    "stopping": _("Stopping"),
    "interrupted": _("Interrupted, will be taken up"),
    "done": _("Done"),
    "failed": _("Failed"),
    "cancelled": _("Cancelled"),
}


class JobPart(models.Model):
    """A part that is done: written in the same transaction as its work."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="parts")
    key = models.CharField(_("key"), max_length=120)
    done_at = models.DateTimeField(_("done"), default=timezone.now)
    outcome = models.JSONField(_("outcome"), null=True, encoder=DjangoJSONEncoder)

    class Meta:
        app_label = "core"
        verbose_name = _("part of a job")
        constraints = [
            models.UniqueConstraint(
                fields=["job", "key"],
                name="job_part_done_once",
                violation_error_message=_("This part of the job is already done."),
            ),
        ]

    def __str__(self):
        return f"{self.job_id} {self.key}"


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
                new = Job.objects.create(kind=kind, created_by=by, once=once, parameters=parameters)
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
    with transaction.atomic():
        stopped = unfinished.filter(worker="").update(cancelled_at=now, finished_at=now)
        stopped = stopped or unfinished.update(cancelled_at=now)
        if stopped:
            audit.record(by, "cancel", "job", asked.pk)
    asked.refresh_from_db()
    return bool(stopped)


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
        with _beating(asked.pk, worker):
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
        except StopIteration as end:
            return end.value or {}
        if part.key in done:
            continue
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
        done.add(part.key)
        if echo:
            total = f"/{asked.parts_total}" if asked.parts_total else ""
            echo(f"{asked.title}: {len(done)}{total} {part.label or part.key}")


def _finish(asked: Job, worker: str, *, result=None, error=None) -> None:
    changes = {"finished_at": timezone.now(), "worker": "", "result": result, "error": error}
    Job.objects.filter(pk=asked.pk, worker=worker).update(**changes)
    asked.refresh_from_db()


def _told(refusal: Refusal) -> dict[str, str]:
    return {
        "place": str(refusal.place),
        "reason": str(refusal.reason),
        "remedy": str(refusal.remedy),
    }


@contextmanager
def _beating(pk, worker: str):
    """Say from a second thread that this worker lives, however long a part takes."""
    over = threading.Event()

    def beat():
        while not over.wait(BEAT.total_seconds()):
            try:
                Job.objects.filter(pk=pk, worker=worker).update(heartbeat_at=timezone.now())
            except OperationalError:
                pass  # SQLite's one writer is the part at work: it says so itself when it ends.
            finally:
                connection.close()

    thread = threading.Thread(target=beat, name="gla-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=1)


def _dead(worker: str) -> bool:
    """Known dead: it ran on this host and its process is gone."""
    host, pid = worker.split(":")[:2]
    if host != socket.gethostname()[:80]:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


# ---- pages ------------------------------------------------------------------------------


@allowed("job")
def job_list(request):
    """The latest jobs: one's own, or everybody's for who looks after them."""
    found = Job.objects.select_related("created_by")
    if not can(request.user, "job", "change"):
        found = found.filter(created_by=request.user)
    return render(request, "jobs.html", {"jobs": found[:100]})


@allowed("job")
def job_progress(request, pk):
    """How far a job has come; its page asks again by itself until the job is over."""
    shown = _own(request, pk)
    if not shown.is_over and not with_workers() and (not shown.worker or shown.stale):
        # In-process work left by a process that died goes on as soon as somebody looks.
        kick()
    response = render(request, "job.html", {"job": shown})
    if shown.is_over and request.headers.get("HX-Request") == "true":
        response["HX-Refresh"] = "true"
    return response


@allowed("job")
@require_POST
def job_cancel(request, pk):
    """Stop a job after the part in hand."""
    asked = _own(request, pk)
    if cancel(asked, by=request.user):
        messages.info(request, _t("The work stops after the part in hand; what is done stays."))
    return redirect("job", pk=asked.pk)


@allowed("job")
@require_POST
def job_resume(request, pk):
    """Take up a job that was cancelled or failed."""
    asked = _own(request, pk)
    try:
        resume(asked, by=request.user)
    except Busy as refusal:
        messages.error(request, str(refusal))
    return redirect("job", pk=asked.pk)


def _own(request, pk) -> Job:
    asked = get_object_or_404(Job.objects.select_related("created_by"), pk=pk)
    if asked.created_by_id != request.user.pk:
        require(request.user, "job", "change")
    return asked
