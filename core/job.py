"""One piece of long work and its parts, as they are kept; its state follows from its dates.

core.jobs begins, does and stops it.
"""

import os
import socket
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core.errors import Refusal

STALE = timedelta(seconds=120)
"""A job silent for longer is taken up by another worker."""
LISTED = 200
"""Faults of a file that are kept with a job."""


class Unknown(Refusal):
    """No such kind of work is registered."""


@dataclass(frozen=True, slots=True)
class Part:
    """One step of a job, done once: `key` names it for ever, `do` may return ids and counts."""

    key: str
    do: Callable[[], dict | None]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A registered kind of work; page: name of the URL where it is asked for and told (?job=)."""

    name: str
    run: Callable[..., Iterable[Part]]
    title: str
    page: str = ""


_kinds: dict[str, Kind] = {}


def job(name: str, *, title: str = "", page: str = "") -> Callable:
    """Register the decorated function as the work of kind `name`."""

    def register(run):
        _kinds[name] = Kind(name, run, title or name, page)
        return run

    return register


def kind_of(name: str) -> Kind:
    if name not in _kinds:
        # A worker loads models only; work may be declared beside a page.
        import_module(settings.ROOT_URLCONF)
    if name not in _kinds:
        raise Unknown(name, _t("This kind of work is not known."), _t("Update the program."))
    return _kinds[name]


said_now: dict[uuid.UUID, str] = {}
"""What the part in hand says of itself, by job: it may not write it down in its own transaction."""


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
    language = models.CharField(_("language"), max_length=10, blank=True)
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
        return reverse("job", args=[self.pk])

    @property
    def title(self) -> str:
        found = _kinds.get(self.kind)
        return str(found.title if found else self.kind)

    @property
    def page(self) -> str:
        """Where work of this kind is asked for; empty when it has no page."""
        found = _kinds.get(self.kind)
        return reverse(found.page) if found and found.page else ""

    @property
    def said(self) -> str:
        """What it does just now."""
        return said_now.get(self.pk) or self.message

    @property
    def stale(self) -> bool:
        """Taken by a worker that is dead on this host, or silent for too long."""
        return bool(self.worker) and (
            dead(self.worker) or self.heartbeat_at is None or self.heartbeat_at < timezone.now() - STALE
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


def fault_rows(errors: Sequence) -> list[dict[str, Any]]:
    """The first faults of a file (core.tables.RowError), to keep with a job and to list on its page."""
    return [
        {
            "line": error.line,
            "column": str(error.column),
            "reason": str(error.reason),
            "remedy": str(error.remedy),
        }
        for error in errors[:LISTED]
    ]


def dead(worker: str) -> bool:
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
