"""Rent revisions undone by reversal: another line says so, and the former rent runs again."""

import uuid
from collections.abc import Iterator
from datetime import date, datetime

from django.conf import settings
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core import audit, dialect, jobs
from leases.yearly.revision import (
    QUERIES,
    Revision,
    RevisionRefused,
    RevisionRun,
    ended,
    hold,
    learn,
    ranges,
)


def undo_revision(revision: Revision, *, by, now: datetime) -> RevisionRun:
    """Undo a lease's revision by its opposite: the former rent runs again from the day it had ended.

    The parts of a redevance are undone together. Raises RevisionRefused where it was undone, or where
    a later rent is recorded.
    """
    same = Revision.objects.filter(lease=revision.lease_id, on=revision.on, run=revision.run_id).standing()
    items = same.count()
    if revision.undoes_id or not items:
        raise RevisionRefused(
            revision.lease.reference, _("This revision was already undone."), _("See the lease's revisions.")
        )
    with transaction.atomic():
        run = _undoing(revision.run, by=by, now=now, key=uuid.uuid4().hex)
        pk = revision.lease_id
        undone = undo_part(run, revision.run, pk, pk, now=now, on=revision.on)["undone"]
        if undone != items:
            raise RevisionRefused(
                revision.lease.reference,
                _("The rent changed since this revision."),
                _("Undo or change the later rent first."),
            )
    return run


def undo_part(
    run: RevisionRun, undone: RevisionRun, low: int, high: int, *, now: datetime, on: date | None = None
) -> dict:
    """Undo a run's revisions of a range of leases; those whose rent changed since are left alone."""
    here = {"run": run.pk, "undone": undone.pk, "low": low, "high": high, "on": on}
    chosen = "v.run_id = %(undone)s" + (' AND v."on" = DAY(%(on)s)' if on else "")
    with connection.cursor() as cursor:
        hold(cursor, low, high)
        line, remove, restore = dialect.load(QUERIES / "revision_undo.sql").split("--%")
        count = dialect.execute(cursor, line.format(chosen=chosen), here).rowcount
        if not count:
            return {"undone": 0}
        removed = dialect.execute(cursor, remove, here).rowcount
        restored = dialect.execute(cursor, restore, here).rowcount
    if not count == removed == restored:
        raise RevisionRefused(_("the rents"), _("A rent changed meanwhile."), _("Undo the revision again."))
    learn(run, low, high, "revision undone", now)
    return {"undone": count}


def _undoing(undone: RevisionRun, *, by, now: datetime, key: str) -> RevisionRun:
    run, made = RevisionRun.objects.get_or_create(
        key=key,
        defaults={
            "month": undone.month,
            "claimed_on": undone.claimed_on,
            "owner_kind": undone.owner_kind,
            "rule": undone.rule,
            "undoes": True,
            "made_at": now,
            "made_by": by,
        },
    )
    if made:
        audit.record(by, "reverse", "revision", undone.pk)
    return run


def undo_run(undone: RevisionRun, *, by, now: datetime) -> RevisionRun:
    """Undo what still stands of a run, here and now; leases whose rent changed since are left alone."""
    run = _undoing(undone, by=by, now=now, key=uuid.uuid4().hex)
    for low, high in ranges(settings.GLA_RUN_PART):
        with transaction.atomic():
            undo_part(run, undone, low, high, now=now)
    return run


@jobs.job("undo_revision", title=_("Undoing of a rent revision"))
def undo_revision_run(job, *, run: int) -> Iterator:
    """The undoing of a whole run as long work."""
    undone = RevisionRun.objects.get(pk=run)
    undoing = _undoing(undone, by=job.created_by, now=timezone.now(), key=str(job.pk))
    parts = ranges(settings.GLA_RUN_PART)
    job.expect(len(parts))
    for low, high in parts:
        yield jobs.Part(
            key=f"{low}",
            do=lambda low=low, high=high: undo_part(undoing, undone, low, high, now=timezone.now()),
            label=f"{low}–{high}",
        )
    return ended(undoing) | {"url": reverse("revision-run", args=[undone.pk])}
