"""The monthly rent run (*quittancement*): what each lease owes, called exactly once.

A run is previewed, then committed in parts of at most GLA_RUN_PART leases, each one short transaction.
It calls, for every lease × month × item, the difference between what is owed and what was called:
so it can be killed, repeated or started twice, and what is learnt late follows by itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Max, Q, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect, jobs
from core.errors import Refusal
from core.law import rule
from core.money import EuroField, euros, from_cents, round_cents, to_cents
from core.periods import Period, next_month
from leases import ledger
from leases.lease import Lease
from leases.ledger import Account, Entry, Source
from leases.terms import BENEFIT, INDEMNITY, ITEM_CHOICES, ITEMS, RENT
from portfolio.owners import OWNERS_BOOK_TITLES

QUERIES = Path(__file__).resolve().parent / "queries"


class RentRun(models.Model):
    """One calling of rent for a month (*quittancement*); open until all its parts are in.

    Run again for a month, it calls only what was learnt late (*rappels, avoirs*).
    sealed_*: what it called in all, set when it closes; sealed_digest by CALL_DIGEST.
    """

    month = models.DateField(_("month"))
    opened_at = models.DateTimeField(_("opened"))
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(_("closed"), null=True)
    sealed_calls = models.PositiveIntegerField(_("calls"), null=True)
    sealed_total = EuroField(_("total called"), null=True)
    sealed_digest = models.BigIntegerField(null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("rent run"), _("rent runs")
        constraints = [
            models.UniqueConstraint(
                fields=["month"],
                name="rent_run_one_open_a_month",
                condition=Q(closed_at__isnull=True),
                violation_error_message=_("A run of this month is still open: resume it."),
            ),
            models.CheckConstraint(name="rent_run_of_a_month", condition=Q(month__day=1)),
        ]
        indexes = [models.Index(fields=["month"], name="rent_run_month")]

    def __str__(self):
        return f"{self.month:%Y-%m}"


class RunPart(models.Model):
    """A range of at most 5,000 leases of a run, called in one short transaction (*lot*)."""

    run = models.ForeignKey(RentRun, models.PROTECT, related_name="parts")
    first_lease = models.BigIntegerField()
    last_lease = models.BigIntegerField()
    entry = models.OneToOneField(Entry, models.PROTECT, null=True, related_name="+")
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "first_lease"], name="run_part_once")]

    def __str__(self):
        return f"{self.run_id}: {self.first_lease}–{self.last_lease}"


class RentCallQuerySet(models.QuerySet):
    def of(self, leases):
        """The calls of some leases, found month by month: rent_call_once begins with the month.

        A month's calls are thus written side by side, whatever the length of the history.
        """
        return self.filter(month__in=RentRun.objects.values("month"), lease__in=leases)


class RentCall(models.Model):
    """An amount called once: lease × month × item × version (*avis d'échéance, ligne*).

    account: the tenant's account called, which says the book. amount: EUR, negative for a benefit
    deducted or a credit (*avoir*). monthly, days, month_days explain it. Versions after the first
    carry only the difference; a reversed call can be called again.
    """

    run = models.ForeignKey(
        RentRun, models.PROTECT, related_name="calls", db_constraint=False, db_index=False
    )
    lease = models.ForeignKey(
        Lease, models.PROTECT, related_name="calls", db_constraint=False, db_index=False
    )
    account = models.ForeignKey(
        Account, models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    month = models.DateField(_("month"))
    item = models.PositiveSmallIntegerField(_("item"), choices=ITEM_CHOICES)
    version = models.PositiveSmallIntegerField(_("version"))
    amount = EuroField(_("amount"))
    monthly = EuroField(_("a whole month"))
    days = models.SmallIntegerField(_("days owed"))
    month_days = models.SmallIntegerField(_("days in the month"))
    due = models.DateField(_("due"))

    objects = RentCallQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("rent call"), _("rent calls")
        constraints = [
            models.UniqueConstraint(
                fields=["month", "lease", "item", "account", "version"],
                name="rent_call_once",
                violation_error_message=_("This was already called."),
            ),
            models.CheckConstraint(name="rent_call_not_zero", condition=~Q(amount=0)),
            models.CheckConstraint(name="rent_call_of_a_month", condition=dialect.FirstOfMonth("month")),
        ]
        indexes = [models.Index(fields=["run", "lease"], name="rent_call_run")]

    def __str__(self):
        return f"{self.lease_id} {self.month:%Y-%m} {self.get_item_display()}"


CALL_DIGEST = """COALESCE(SUM((c.amount + 31 * c.lease_id + 37 * c.account_id + 41 * c.item + 43 * c.version
    + 47 * c.monthly + 53 * c.days + 59 * DAYS(%(digest_day)s, c.month) + 61 * DAYS(%(digest_day)s, c.due))
    %% 2147483647 * (c.id %% 997 + 1)), 0)"""
"""What the calls `c` of a run come to, in every column (as ledger.POSTING_DIGEST): sealed as it closes."""


class MonthToReview(models.Model):
    """A month already called whose facts changed since (*fait tardif*): the next run settles it."""

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="+")
    month = models.DateField()
    next_month = models.DateField()
    reason = models.CharField(max_length=120)
    learnt_at = models.DateTimeField()
    run = models.ForeignKey(RentRun, models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lease", "month"], name="month_to_review_once", condition=Q(run__isnull=True)
            )
        ]
        indexes = [models.Index(fields=["run", "lease"], name="month_to_review_run")]

    def __str__(self):
        return f"{self.lease_id} {self.month:%Y-%m}"


class RunException(models.Model):
    """A lease left out of a run, or called with a warning, and why (*anomalie*)."""

    run = models.ForeignKey(RentRun, models.PROTECT, related_name="exceptions")
    lease = models.ForeignKey(Lease, models.PROTECT, related_name="+")
    code = models.CharField(_("reason"), max_length=24)
    blocking = models.BooleanField(_("left out"))
    amount = EuroField(_("amount"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("exception"), _("exceptions")
        constraints = [models.UniqueConstraint(fields=["run", "lease", "code"], name="run_exception_once")]

    def __str__(self):
        return f"{self.lease_id}: {self.code}"


class NotAMonth(Refusal):
    """A period that is not a calendar month."""


class RunRefused(Refusal):
    """A run that cannot be opened now."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What a lease owes for a month, one item in one book: EUR, and the days that explain it."""

    book: int
    item: int
    amount: Money
    days: int


def prorated(monthly: Money, *, occupied: Period, month: Period) -> Money:
    """Part of a monthly amount owed for the days occupied (*prorata temporis*).

    monthly: EUR for a whole month, to the cent.
    occupied, month: half-open days [start, end); the day of exit is owed, so an occupation until
        14 March ends on the 15th.
    Days occupied / days of that month; rounded half up to the cent once, here.
    Source: no statute; usage, unless the lease says otherwise (PRORATA).
    Raises NotAMonth.
    """
    if month != Period.month(month.start):
        raise NotAMonth(str(month), _("This is not a calendar month."), _("Give a whole month."))
    return round_cents(monthly * (occupied & month).days / month.days)


def owed(
    *,
    month: Period,
    occupied: list[tuple[Period, int]],
    title_end: date | None,
    terms: list[tuple[int, Money, Period]],
    free: list[Period] = (),
    rent_stopped: bool = False,
    benefits: list[tuple[Money, Period]] = (),
) -> list[Owed]:
    """What one lease owes for a month, item by item (*avis d'échéance*): the rule, in words.

    occupied: days occupied while the home is held, each with the book it is owed to.
    title_end: day after the last day of the lease; later days owe an indemnity instead of each item.
    terms: (item, EUR a month, days). free: rent-free days. rent_stopped: by an order in force on
    the first of the month (CCH L.521-2: nothing is due). benefits: (EUR a month, whole months).
    A benefit is deducted only from a month occupied to its end, and never beyond what is owed.
    queries/due.sql applies the same rule to the whole stock.
    """
    if rent_stopped:
        return []
    title = Period(date.min, title_end)
    no_title = Period(title_end or date.max)
    cents_days: dict[tuple[int, int], int] = {}
    days: dict[tuple[int, int], int] = {}
    for stay, book in occupied:
        for span, called_as in ((stay & month & title, None), (stay & month & no_title, INDEMNITY)):
            for item, amount, agreed in terms:
                part = span & agreed
                owed_days = part.days - sum((part & gift).days for gift in free)
                if owed_days > 0:
                    key = (book, called_as or item)
                    cents_days[key] = cents_days.get(key, 0) + to_cents(amount) * owed_days
                    days[key] = (
                        max(days.get(key, 0), owed_days) if called_as else days.get(key, 0) + owed_days
                    )
    lines = [
        Owed(book, item, from_cents((2 * weighed + month.days) // (2 * month.days)), days[book, item])
        for (book, item), weighed in sorted(cents_days.items())
        if weighed
    ]
    books_at_end = {book for stay, book in occupied if stay.contains(month.last_day)}
    for amount, right in benefits:
        for book in books_at_end:
            due = sum((line.amount for line in lines if line.book == book), euros(0))
            if right.contains(month.start) and due:
                lines.append(Owed(book, BENEFIT, -min(amount, due), month.days))
    return lines


EXCEPTIONS = {
    "no_rent_term": _("No rent term covers the month: nothing can be called."),
    "not_held": _("The home is no longer held for part of the month: hand the occupant back."),
    "no_place": _("The lease runs, but nobody occupies a place under it."),
    "above_ceiling": _("The rent is above the ceiling of the home's financing."),
    "frozen_raised": _("The rent of an F or G home was raised although it is frozen."),
}
"""Why a lease is left out of a run, or called with a warning; the first leaves it out."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A lease to look at before a run, and why (a key of EXCEPTIONS)."""

    lease_id: int
    code: str
    blocking: bool
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would call: (owner kind, item, calls, EUR) lines, and every anomaly."""

    month: date
    leases: int
    total: Money
    lines: list[tuple[str, int, int, Money]]
    anomalies: list[Anomaly]


def anomalies(month: date) -> list[Anomaly]:
    """Every lease of a month that would be left out, or called with a warning (*anomalies*)."""
    return [
        Anomaly(lease, code, bool(blocking), None if cents is None else from_cents(cents))
        for lease, code, blocking, cents in dialect.rows(_anomalies_sql(), _parameters(month))
    ]


def preview_run(month: date) -> Preview:
    """What a run of this month would call now, by owner kind and item; writes nothing."""
    left_out = f"SELECT a.lease_id FROM ({_anomalies_sql()}) a WHERE a.blocking = 1"
    query = _due_sql(reviewed="r.run_id IS NULL", left_out=left_out) + dialect.load(QUERIES / "preview.sql")
    found = dialect.rows(query, _parameters(month))
    lines = [(kind, item, count, from_cents(cents)) for kind, item, count, _leases, cents in found if item]
    return Preview(
        month,
        leases=sum(leases for _kind, item, _count, leases, _cents in found if not item),
        total=sum((amount for *_rest, amount in lines), euros(0)),
        lines=lines,
        anomalies=anomalies(month),
    )


def month_to_call(today: date) -> date:
    """The month to call next: the one still open, else the one after the last called, else this one."""
    under_way = RentRun.objects.filter(closed_at=None).order_by("month").first()
    if under_way:
        return under_way.month
    last = RentRun.objects.aggregate(last=Max("month"))["last"]
    return Period.month(last).end if last else Period.month(today).start


def open_run(month: date, *, by, now: datetime) -> RentRun:
    """Open the run of a month, or give back the one still open: its parts and anomalies written.

    Raises NotAMonth; RunRefused for a month later than the next one; PeriodLocked for a closed one,
    whose corrections come with the next month's run.
    """
    if month.day != 1:
        raise NotAMonth(str(month), _("This is not the first day of a month."), _("Give YYYY-MM."))
    if month > next_month(now.date()):
        raise RunRefused(
            f"{month:%Y-%m}",
            _("It is too early to call this month."),
            _("Call at most the month after the current one."),
        )
    try:
        with transaction.atomic():
            under_way = RentRun.objects.filter(month=month, closed_at=None).first()
            if under_way:
                return under_way
            ledger.require_open(month)
            run = RentRun.objects.create(month=month, opened_at=now, opened_by=by)
            RunException.objects.bulk_create(
                RunException(
                    run=run, lease_id=one.lease_id, code=one.code, blocking=one.blocking, amount=one.amount
                )
                for one in anomalies(month)
            )
            open_accounts()
            RunPart.objects.bulk_create(
                RunPart(run=run, first_lease=low, last_lease=high)
                for low, high in _ranges(settings.GLA_RUN_PART)
            )
            audit.record(by, "run", "rent_run", run.pk)
            return run
    except IntegrityError:
        # Somebody opened the same between the look and the write: theirs is ours.
        return RentRun.objects.get(month=month, closed_at=None)


def call_part(part_id: int, *, now: datetime) -> dict:
    """Call one part of a run in the transaction under way; what is done already is left alone.

    Six statements, whatever the number of leases.
    """
    part = RunPart.objects.select_for_update().select_related("run").get(pk=part_id)
    if part.done_at is not None:
        return {"calls": 0}
    run = part.run
    params = _parameters(run.month, run_id=run.pk, low=part.first_lease, high=part.last_lease)
    with connection.cursor() as cursor:
        # Taken first: a fact that comes while we compute waits for the next run.
        dialect.execute(cursor, dialect.load(QUERIES / "review.sql"), params)
        left_out = "SELECT x.lease_id FROM leases_runexception x WHERE x.run_id = %(run)s AND x.blocking"
        text = dialect.load(QUERIES / "call.sql").format(
            due=_due_sql(reviewed="r.run_id = %(run)s", left_out=left_out)
        )
        calls = dialect.execute(cursor, text, params).rowcount
        if calls:
            entry = Entry.objects.create(label=f"Rent {run.month:%Y-%m}", recorded_at=now)
            params |= {"entry": entry.pk, "source": Source.CALL, "on": run.month}
            dialect.execute(cursor, _posting_sql(), params)
            ledger.seal(entry)
            part.entry = entry
    part.done_at = now
    part.save(update_fields=["entry", "done_at"])
    return {"calls": calls}


def close_run(run: RentRun, *, now: datetime) -> RentRun:
    """Seal a run whose parts are all in: its number of calls and their total, once."""
    with transaction.atomic():
        kept = RentRun.objects.select_for_update().get(pk=run.pk)
        if kept.closed_at is None and not kept.parts.filter(done_at=None).exists():
            [(calls, total, digest)] = dialect.rows(
                f"SELECT COUNT(*), COALESCE(SUM(c.amount), 0), {CALL_DIGEST} FROM leases_rentcall c WHERE c.run_id = %(run)s",
                {"run": run.pk, "digest_day": ledger.DIGEST_DAY},
            )
            kept.sealed_calls, kept.sealed_total, kept.sealed_digest = (
                calls,
                from_cents(int(total)),
                int(digest),
            )
            kept.closed_at = now
            kept.save(update_fields=["sealed_calls", "sealed_total", "sealed_digest", "closed_at"])
    return kept


@jobs.job("rent_run", title=_("Rent run"))
def rent_run(job, *, month: str) -> Iterator[jobs.Part]:
    """The run of a month as long work: opened, called part by part, closed."""
    run = open_run(Period.parse_month(month).start, by=job.created_by, now=timezone.now())
    waiting = list(run.parts.filter(done_at=None).order_by("first_lease"))
    job.expect(len(waiting))
    for part in waiting:
        yield jobs.Part(
            key=f"run {run.pk} part {part.pk}",
            do=lambda part=part: call_part(part.pk, now=timezone.now()),
            label=f"{month} {part.first_lease}–{part.last_lease}",
        )
    run = close_run(run, now=timezone.now())
    jobs.start("keep_checkpoint", by=job.created_by, once="keep_checkpoint")
    return {
        "run": run.pk,
        "calls": run.sealed_calls,
        "total": str(run.sealed_total.amount),
        "url": reverse("run", args=[run.pk]),
    }


def run_rent(month: date, *, by, now: datetime) -> RentRun:
    """Call the rent of a month here and now, part by part (commands, tests, the demonstration)."""
    run = open_run(month, by=by, now=now)
    for part_id in run.parts.filter(done_at=None).order_by("first_lease").values_list("pk", flat=True):
        with transaction.atomic():
            call_part(part_id, now=now)
    return close_run(run, now=now)


def reverse_calls(calls: models.QuerySet, *, by, now: datetime) -> int:
    """Undo calls by their opposite (*contre-passation*); they can then be called again.

    Several versions of one call are undone as one. How many lines were reversed.
    Raises RunRefused while a run of the month is open; PeriodLocked in a closed month.
    """
    with transaction.atomic():
        keys = ("lease_id", "account_id", "month", "item")
        wanted = set(calls.order_by().values_list(*keys))
        groups = [
            group
            for group in RentCall.objects.filter(
                lease__in={lease for lease, *_rest in wanted},
                month__in={month for _l, _a, month, _i in wanted},
            )
            .values(*keys, "month_days")
            .annotate(total=Sum("amount"), last=Max("version"), first_due=Max("due"))
            .exclude(total=0)
            if tuple(group[key] for key in keys) in wanted
        ]
        if not groups:
            return 0
        month = max(group["month"] for group in groups)
        if RentRun.objects.filter(month=month, closed_at=None).exists():
            raise RunRefused(
                f"{month:%Y-%m}", _("A run of this month is still open."), _("Let it finish, then reverse.")
            )
        ledger.require_open(month)
        run = RentRun.objects.create(month=month, opened_at=now, opened_by=by)
        entry = Entry.objects.create(label="Reversal", recorded_at=now)
        RentCall.objects.bulk_create(
            RentCall(
                run=run,
                lease_id=group["lease_id"],
                account_id=group["account_id"],
                month=group["month"],
                item=group["item"],
                version=group["last"] + 1,
                amount=-group["total"],
                monthly=euros(0),
                days=0,
                month_days=group["month_days"],
                due=group["first_due"],
            )
            for group in groups
        )
        RunPart.objects.create(run=run, first_lease=0, last_lease=0, entry=entry, done_at=now)
        with connection.cursor() as cursor:
            params = _parameters(month, run_id=run.pk)
            params |= {"entry": entry.pk, "source": Source.CALL, "on": month}
            dialect.execute(cursor, _posting_sql(), params)
        ledger.seal(entry)
        close_run(run, now=now)
        audit.record(by, "reverse", "rent_run", run.pk)
        return len(groups)


def learn_late(lease_ids: Sequence[int], *, since: date, reason: str, now: datetime) -> None:
    """Have months already called looked at again by the next run (*fait tardif*): from a date on."""
    if not lease_ids:
        return
    months = RentRun.objects.filter(month__gte=Period.month(since).start).values_list("month", flat=True)
    MonthToReview.objects.bulk_create(
        (
            MonthToReview(
                lease_id=lease, month=month, next_month=Period.month(month).end, reason=reason, learnt_at=now
            )
            for month in sorted(set(months))
            for lease in lease_ids
        ),
        batch_size=2_000,
        ignore_conflicts=True,
    )


def _ranges(size: int) -> list[tuple[int, int]]:
    """Ranges of lease ids, each of at most `size` leases, that cover them all."""
    return dialect.rows(
        "SELECT MIN(id), MAX(id) FROM ("
        "SELECT id, (ROW_NUMBER() OVER (ORDER BY id) - 1) / %(size)s AS part FROM leases_lease) numbered"
        " GROUP BY part ORDER BY 1",
        {"size": size},
    )


def open_accounts() -> None:
    """A book for each mandant; a tenant's and a benefit's account for each lease in each book, where missing."""
    titles = ", ".join(f"'{code}'" for code in OWNERS_BOOK_TITLES)
    params = {"own_book": ledger.association_book_id()}
    with connection.cursor() as cursor:
        for text in dialect.load(QUERIES / "accounts.sql").split("--%"):
            made = dialect.execute(
                cursor,
                text.format(
                    owners_book_titles=titles,
                    item_kinds=" UNION ALL ".join(
                        f"SELECT {kind} AS kind"
                        for kind in sorted({i.account for i in ITEMS.values()} - {ledger.BENEFIT})
                    ),
                ),
                params,
            ).rowcount
            if made > settings.GLA_RUN_PART and connection.vendor == "postgresql":
                # The planner would else believe that no lease has an account, for a minute.
                cursor.execute("ANALYZE leases_account")


def _parameters(month: date, *, run_id: int = 0, low: int = 0, high: int = 2**62) -> dict:
    whole = Period.month(month)
    return {
        "month": whole.start,
        "next": whole.end,
        "month_days": whole.days,
        "run": run_id,
        "low": low,
        "high": high,
        "own_book": ledger.association_book_id(),
        "indemnity": INDEMNITY,
        "benefit": BENEFIT,
        "rent": RENT,
        "tenant_account": ledger.TENANT,
        "benefit_account": ledger.BENEFIT,
        "frozen_since": _freeze().valid_from,
    }


def _freeze():
    """The rule that freezes the rent of F and G homes: its classes, and contracts since when."""
    return rule("FREEZE_FG", on=date.max, zone="metropolitan")


def _due_sql(*, reviewed: str, left_out: str) -> str:
    titles = ", ".join(f"'{code}'" for code in OWNERS_BOOK_TITLES)
    return dialect.load(QUERIES / "due.sql").format(
        reviewed=reviewed, left_out=left_out, owners_book_titles=titles
    )


def _anomalies_sql() -> str:
    frozen = ", ".join(f"'{letter}'" for letter in _freeze().value)
    return dialect.load(QUERIES / "anomalies.sql").format(frozen=frozen)


def _posting_sql() -> str:
    kinds = " ".join(f"WHEN {item.code} THEN {item.account}" for item in ITEMS.values())
    return dialect.load(QUERIES / "post_calls.sql").format(kinds=kinds)
