"""Who read or changed what (*journal d'audit*): lines that are added, never changed nor removed.

A line holds ids and codes, never a name, an address or an IBAN, so that a person can still be
erased. A job later chains the lines by SHA-256, in batches: a line that was changed, or removed
from the middle, breaks the chain, and `verify_chain` names it. The database refuses any other
change (core/sql/audit.*.sql); whoever goes round the database is found by the chain.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

ORIGIN = "0" * 64
"""What stands for the hash before the first line."""

_CODE = re.compile(r"[0-9A-Za-z_.:/+-]{0,64}")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[0-9A-Z]{10,30}")


class AuditLine(models.Model):
    """One read or one change (*trace*), and its place in the chain once sealed."""

    at = models.DateTimeField(_("at"), default=timezone.now, editable=False)
    actor = models.BigIntegerField(_("user id"), null=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    action = models.CharField(_("action"), max_length=24)
    resource = models.CharField(_("resource"), max_length=24)
    object_id = models.CharField(_("object id"), max_length=64, blank=True)
    detail = models.JSONField(_("detail"), default=dict, encoder=DjangoJSONEncoder)
    # The place in the chain, not the id: ids are taken before others commit.
    rank = models.PositiveBigIntegerField(_("rank"), null=True, unique=True)
    previous_hash = models.CharField(_("previous hash"), max_length=64, null=True)
    hash = models.CharField(_("hash"), max_length=64, null=True)

    class Meta:
        app_label = "core"
        verbose_name = _("audit line")
        indexes = [
            models.Index(fields=["resource", "object_id", "at"], name="audit_by_object"),
            models.Index(fields=["actor", "at"], name="audit_by_actor"),
            models.Index(fields=["id"], name="audit_to_seal", condition=models.Q(hash__isnull=True)),
        ]
        constraints = [
            models.CheckConstraint(
                name="audit_sealed_whole",
                condition=models.Q(hash__isnull=True, previous_hash__isnull=True, rank__isnull=True)
                | models.Q(hash__isnull=False, previous_hash__isnull=False, rank__isnull=False),
                violation_error_message=_("A line is sealed with its rank and both hashes."),
            ),
        ]

    def __str__(self):
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} {self.resource} {self.object_id}"


def record(actor, action, resource, object_id="", **detail) -> AuditLine:
    """Add a line: `record(by, "change", "lease", lease.pk, terms=[12, 13])`.

    actor: a user, a request, or None for the program itself (a command, a job without a user).
    detail: ids, numbers, dates and codes only.
    Raises ValueError for a detail that could name somebody.
    """
    number, kind = _actor(actor)
    return AuditLine.objects.create(
        actor=number,
        actor_kind=kind,
        action=action,
        resource=resource,
        object_id=str(object_id if object_id is not None else ""),
        detail={key: _nameless(key, value) for key, value in detail.items()},
    )


def record_read(actor, resource, ids) -> AuditLine | None:
    """Add one line for all that a page showed; ids: one id or many. None when it showed nothing."""
    if isinstance(ids, (int, str, UUID)):
        return record(actor, "view", resource, ids)
    shown = list(ids)
    if not shown:
        return None
    if len(shown) == 1:
        return record(actor, "view", resource, shown[0])
    return record(actor, "view", resource, "", ids=shown)


def seal_batch(limit=5000) -> int:
    """Chain the oldest unsealed lines; how many were sealed. One short transaction."""
    with transaction.atomic():
        # The rows are locked first, so that the head read next is the last committed one.
        waiting = list(AuditLine.objects.select_for_update().filter(hash__isnull=True).order_by("id")[:limit])
        head = AuditLine.objects.filter(rank__isnull=False).order_by("-rank").first()
        rank, previous = (head.rank, head.hash) if head else (0, ORIGIN)
        rows = []
        for line in waiting:
            rank += 1
            sealed = _sealed(line, rank, previous)
            rows.append((rank, previous, sealed, line.pk))
            previous = sealed
        if rows:
            with connection.cursor() as cursor:
                cursor.executemany(
                    "UPDATE core_auditline SET rank = %s, previous_hash = %s, hash = %s WHERE id = %s",
                    rows,
                )
    return len(rows)


@dataclass(frozen=True, slots=True)
class Chain:
    """What a check of the chain found: lines checked, last hash, and the first fault if any."""

    checked: int
    head: str
    broken_at: int | None = None
    fault: str = ""

    @property
    def whole(self) -> bool:
        return self.broken_at is None


def verify_chain(*, head: str = "") -> Chain:
    """Walk the sealed lines in order; the first broken one is named by its rank.

    head: a last hash kept elsewhere (printed by seal_audit); if the chain no longer holds it,
        lines were removed at the end.
    """
    rank, previous, seen_head = 0, ORIGIN, not head
    sealed = AuditLine.objects.filter(rank__isnull=False).order_by("rank")
    for line in sealed.iterator(chunk_size=5000):
        rank += 1
        if line.rank != rank:
            return Chain(rank - 1, previous, rank, str(_("line missing")))
        if line.previous_hash != previous:
            return Chain(rank - 1, previous, rank, str(_("does not follow the line before")))
        if line.hash != _sealed(line, rank, previous):
            return Chain(rank - 1, previous, rank, str(_("content changed")))
        previous = line.hash
        seen_head = seen_head or previous == head
    if not seen_head:
        return Chain(rank, previous, rank + 1, str(_("lines removed at the end")))
    return Chain(rank, previous)


def _sealed(line: AuditLine, rank: int, previous: str) -> str:
    content = [
        previous,
        rank,
        line.pk,
        line.at.astimezone(UTC).isoformat(timespec="microseconds"),
        line.actor,
        line.actor_kind,
        line.action,
        line.resource,
        line.object_id,
        line.detail,
    ]
    written = json.dumps(content, sort_keys=True, separators=(",", ":"), cls=DjangoJSONEncoder)
    return hashlib.sha256(written.encode()).hexdigest()


def _actor(actor) -> tuple[int | None, str]:
    # An API request carries its own `auth`: what came with a token is told apart.
    token = getattr(actor, "auth", None)
    if isinstance(actor, HttpRequest) or token is not None or hasattr(actor, "user"):
        user = getattr(actor, "user", None)
        pk = getattr(user, "pk", None)
        return (pk, "token" if token is not None else "user") if pk else (None, "anonymous")
    if actor is None:
        return None, "system"
    if getattr(actor, "pk", None) is None:
        return None, "anonymous"
    return actor.pk, "user"


def _nameless(key, value):
    match value:
        case None | bool() | int():
            return value
        case UUID() | date() | datetime():
            return str(value)
        case str() if _CODE.fullmatch(value) and not _IBAN.fullmatch(value):
            return value
        case list() | tuple() | set() | frozenset():
            return [_nameless(key, item) for item in value]
        case _ if hasattr(value, "amount") or hasattr(value, "as_tuple"):  # Money, Decimal
            return str(getattr(value, "amount", value))
        case _:
            raise ValueError(f"audit detail {key!r} takes ids and codes, never names: {value!r}")
