"""A checkpoint of the tenants' accounts (*arrêté des comptes*): what the stock owed, kept at a known posting.

A lease that nobody posted to since is read from it; any other is worked out in full, by the very text of
leases.tenant_account. So it can be old, or not there at all, and the numbers are the same: only slower.
It is made anew after a run, a statement, and with every flagging of unpaid rent (`keep_checkpoint`);
check_ledger proves it.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date, datetime
from pathlib import Path

from django.db import connection, models, transaction
from django.db.models import Case, ExpressionWrapper, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core import dialect, jobs
from core.money import EuroField, euros
from core.today import today
from leases import tenant_account
from leases.lease import Lease
from leases.ledger import Account, Posting

QUERIES = Path(__file__).resolve().parent / "queries"

KEPT = 2
"""Checkpoints kept: the last, and the one before for who is reading it."""


class Checkpoint(models.Model):
    """What was owed on a day as the ledger stood: `posting` is the last one it knows."""

    on = models.DateField()
    posting = models.BigIntegerField()
    at = models.DateTimeField()

    def __str__(self):
        return f"{self.on}: {self.posting}"


class CheckpointLease(models.Model):
    """A lease at a checkpoint, EUR: owed by its household and due by that day; benefit still expected.

    next_on: the first accounting date, after that day, of a posting that was there already.
    """

    checkpoint = models.ForeignKey(
        Checkpoint, models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    lease = models.ForeignKey(Lease, models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    owed = EuroField()
    wait = EuroField()
    next_on = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["checkpoint", "lease"], name="checkpoint_once_a_lease")
        ]

    def __str__(self):
        return f"{self.lease_id}: {self.owed}"


class CheckpointItem(models.Model):
    """A due date of a lease at a checkpoint, EUR: what is open of what was called; also settled ones to come."""

    checkpoint = models.ForeignKey(
        Checkpoint, models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    lease = models.ForeignKey(Lease, models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    due = models.DateField()
    amount = EuroField()
    called = EuroField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["checkpoint", "lease", "due"], name="checkpoint_once_a_due_date")
        ]

    def __str__(self):
        return f"{self.lease_id} {self.due}: {self.amount}"


# ---- made anew --------------------------------------------------------------------------


def keep_checkpoint(*, on: date, now: datetime) -> Checkpoint:
    """Make the checkpoint anew, as of a day (*arrêter les comptes*); three statements, whatever the stock.

    Not within a transaction that posts: it waits for those who are posting to end.
    """
    last = last_posting()
    params = {**tenant_account.aged_parameters(on), "on": on}
    tables = {
        "kept_lease": dialect.load(QUERIES / "checkpoint_leases.sql"),
        "kept_item": tenant_account.items_sql() + dialect.load(QUERIES / "checkpoint_items.sql"),
    }
    # SQLite works it out beside the database, so that others write meanwhile.
    with (
        nullcontext() if connection.vendor == "sqlite" else transaction.atomic(),
        connection.cursor() as cursor,
    ):
        for name, text in tables.items():
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
            dialect.execute(cursor, f"CREATE TEMPORARY TABLE {name} AS {text}", params)
        with transaction.atomic():
            made = Checkpoint.objects.create(on=on, posting=last, at=now)
            for name, table in (("kept_lease", CheckpointLease), ("kept_item", CheckpointItem)):
                columns = ", ".join(
                    f.column for f in table._meta.fields if f.column not in ("id", "checkpoint_id")
                )
                cursor.execute(
                    f"INSERT INTO {table._meta.db_table} (checkpoint_id, {columns}) SELECT %s, {columns} FROM {name}",
                    [made.pk],
                )
            old = list(Checkpoint.objects.order_by("-pk").values_list("pk", flat=True)[KEPT:])
            for table in (CheckpointLease, CheckpointItem):
                table.objects.filter(checkpoint__in=old)._raw_delete("default")
            Checkpoint.objects.filter(pk__in=old)._raw_delete("default")
        for name in tables:
            cursor.execute(f"DROP TABLE {name}")
    return made


def last_posting() -> int:
    """The last posting of the ledger, once nobody is writing an earlier one."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("LOCK TABLE leases_posting IN SHARE MODE")
        cursor.execute("SELECT COALESCE(MAX(id), 0) FROM leases_posting")
        return cursor.fetchone()[0]


@jobs.job("keep_checkpoint", title=_("Checkpoint of the accounts"))
def keeping(job) -> Iterator[jobs.Part]:
    """The checkpoint of today as long work, begun after what has posted to many leases."""
    job.expect(0)
    # Outside the transaction of a part: who posts meanwhile does not wait for it.
    made = keep_checkpoint(on=today(), now=timezone.now())
    yield from ()
    return {"posting": made.posting}


def keep_soon(by) -> None:
    """Have the checkpoint made anew once what is being written is committed."""
    jobs.start("keep_checkpoint", by=by, once="keep_checkpoint")


# ---- read -------------------------------------------------------------------------------


def latest(on: date) -> Checkpoint | None:
    """The last checkpoint, where it can tell of that day; it cannot tell of a day before its own."""
    kept = Checkpoint.objects.order_by("-pk").first()
    return kept if kept is not None and kept.on <= on else None


def items_sql(on: date) -> str:
    """tenant_account.items_sql() for the whole stock on a day, from the checkpoint where there is one.

    Ends with `item (lease_id, due, amount, called)` in cents; parameters tenant_account.aged_parameters().
    """
    kept = latest(on)
    return _items_sql(kept) if kept else tenant_account.items_sql()


def aged_sql(on: date) -> str:
    """tenant_account.aged_sql() for the whole stock on a day, from the checkpoint where there is one."""
    kept = latest(on)
    return _aged_sql(kept) if kept else tenant_account.aged_sql()


def with_balance(leases: QuerySet, on: date) -> QuerySet:
    """tenant_account.with_balance(), from the checkpoint where there is one."""
    kept = latest(on)
    if kept is None:
        return tenant_account.with_balance(leases, on)
    return leases.annotate(balance=_balance(kept, on))


def _items_sql(kept: Checkpoint) -> str:
    full = tenant_account.items_sql(only=ONLY_TOUCHED, name="fresh_item").removeprefix("WITH ")
    touched = dialect.load(QUERIES / "checkpoint_touched.sql")
    item = dialect.load(QUERIES / "checkpoint_item.sql")
    return _placed(touched + full + item, kept)


def _aged_sql(kept: Checkpoint) -> str:
    waiting = _placed(dialect.load(QUERIES / "checkpoint_wait.sql"), kept)
    return _items_sql(kept) + tenant_account.buckets_sql(only=ONLY_TOUCHED, kept=waiting)


ONLY_TOUCHED = "AND a.lease_id IN (SELECT lease_id FROM touched)"


def _placed(text: str, kept: Checkpoint) -> str:
    return text.replace("{checkpoint}", str(int(kept.pk))).replace("{posting}", str(int(kept.posting)))


def _balance(kept: Checkpoint, on: date) -> ExpressionWrapper:
    """What a household owes that is due: from the checkpoint, unless its lease was posted to since."""
    newer = Posting.objects.filter(pk__gt=kept.posting)
    posted = Account.objects.filter(lease__isnull=False).filter(
        Q(pk__in=newer.values("debit")) | Q(pk__in=newer.values("credit"))
    )
    later = CheckpointLease.objects.filter(checkpoint=kept, next_on__lte=on)
    owed = CheckpointLease.objects.filter(checkpoint=kept, lease=OuterRef("pk")).values("owed")[:1]
    come_due = CheckpointItem.objects.filter(
        checkpoint=kept, lease=OuterRef("pk"), due__gt=kept.on, due__lte=on
    )
    come_due = come_due.order_by().values("lease").annotate(sum=Sum("called")).values("sum")
    nothing = Value(euros(0), output_field=EuroField())
    quick = Coalesce(Subquery(owed), nothing)
    if on > kept.on:
        quick += Coalesce(Subquery(come_due), nothing)
    touched = Q(pk__in=posted.values("lease")) | Q(pk__in=later.values("lease"))
    return ExpressionWrapper(
        Case(
            When(touched, then=ExpressionWrapper(tenant_account.balance_of(on), output_field=EuroField())),
            default=ExpressionWrapper(quick, output_field=EuroField()),
        ),
        output_field=EuroField(),
    )


# ---- proved -----------------------------------------------------------------------------


def differences(*, most: int = 20) -> list[tuple[str, str]]:
    """Leases of which the checkpoint says other than the full reckoning: (proof, line); none is right."""
    kept = Checkpoint.objects.order_by("-pk").first()
    if kept is None:
        return []
    newest = Posting.objects.aggregate(on=models.Max("on"))["on"] or kept.on
    found = []
    for on in sorted({kept.on, max(kept.on, newest)}):
        text = dialect.load(QUERIES / "checkpoint_proof.sql").format(
            quick=_aged_sql(kept), full=tenant_account.aged_sql(),
            quick_items=_items_sql(kept), full_items=tenant_account.items_sql(),
        )  # fmt: skip
        params = {**tenant_account.aged_parameters(on), "most": most}
        found += [(proof, f"{line} on {on}") for proof, line in dialect.rows(text, params)]
        differ = Lease.objects.annotate(
            kept=_balance(kept, on),
            full=ExpressionWrapper(tenant_account.balance_of(on), output_field=EuroField()),
        ).exclude(kept=F("full"))
        found += [
            ("checkpoint", f"balance of lease {pk} on {on}")
            for pk in differ.order_by("pk").values_list("pk", flat=True)[:most]
        ]
    return found[:most]
