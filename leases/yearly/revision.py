"""The yearly revision of rents (*révision des loyers*): previewed, committed in parts, undone by reversal.

A revision closes the running rent term the day before and opens the new one, once a lease, item and
date. Nothing is posted here: months already called are learnt late, and the next run settles them.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect, jobs
from core.errors import Refusal
from core.law import rule as law
from core.money import EuroField, euros, from_cents
from core.periods import ONE_DAY, Period, add_months, first_of_month
from leases import rent
from leases.kinds import KINDS, PARTICIPATION, REDEVANCE
from leases.lease import Lease
from leases.terms import ITEM_CHOICES, RENT
from leases.yearly.indices import IndexValue, Quarter, latest, publication_day
from leases.yearly.revision_rule import (
    REASONS,
    REV_CONV,
    RULES,
    ceiling_points,
    last_claim,
    renewal_years,
    revised_items,
    year_before,
)
from portfolio.letting import METROPOLITAN
from portfolio.owners import OWNERS_BOOK_TITLES, Owner

QUERIES = Path(__file__).resolve().parent.parent / "queries"
AHEAD = 3
"""Months ahead that may be revised: letters go out before, but facts must not change meanwhile."""
RULE_CHOICES = list(RULES.items())


class RevisionRun(models.Model):
    """One revision of a month's leases, or one undoing (*campagne de révision*); never changed.

    key: of the work that made it. owner_kind, rule: what it was kept to, blank for all.
    """

    key = models.CharField(max_length=40, unique=True)
    month = models.DateField(_("month"))
    claimed_on = models.DateField(_("claimed on"))
    owner_kind = models.CharField(_("owner kind"), max_length=10, choices=Owner.Kind, blank=True)
    rule = models.CharField(_("rule"), max_length=12, choices=RULE_CHOICES, blank=True)
    undoes = models.BooleanField(_("undoing"), default=False)
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("revision run"), _("revision runs")

    def __str__(self):
        return f"{self.month:%Y-%m}"


class RevisionQuerySet(models.QuerySet):
    def standing(self):
        """Revisions that were not undone."""
        return self.filter(undoes=None, undone_by=None)


class Revision(models.Model):
    """A rent revised once, or an undoing (*révision*): never changed, undone by another line.

    on: its date. effect: from when the new amount is owed, later than `on` where claimed late.
    until: day after the new amount's last, where the term had an end. old, new: EUR a month.
    index_old, index_new: hundredths; points: the ceiling in hundredths of a per cent.
    """

    run = models.ForeignKey(RevisionRun, models.PROTECT, related_name="revisions")
    lease = models.ForeignKey(Lease, models.PROTECT, related_name="revisions", db_index=False)
    item = models.PositiveSmallIntegerField(_("item"), choices=ITEM_CHOICES)
    on = models.DateField(_("revision date"))
    version = models.PositiveSmallIntegerField(_("version"))
    rule = models.CharField(_("rule"), max_length=12, choices=RULE_CHOICES)
    old = EuroField(_("before"))
    new = EuroField(_("after"))
    effect = models.DateField(_("from"))
    until = models.DateField(_("until"), null=True)
    series = models.CharField(_("series"), max_length=12, choices=IndexValue.Series, blank=True)
    index_year = models.PositiveSmallIntegerField(null=True)
    quarter = models.PositiveSmallIntegerField(null=True)
    index_old = models.PositiveIntegerField(null=True)
    index_new = models.PositiveIntegerField(null=True)
    points = models.PositiveIntegerField(null=True)
    undoes = models.OneToOneField("self", models.PROTECT, null=True, related_name="undone_by")

    objects = RevisionQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("revision"), _("revisions")
        constraints = [
            models.UniqueConstraint(
                fields=["lease", "item", "on", "version"],
                name="revision_once",
                violation_error_message=_("This rent was already revised at that date."),
            ),
            models.CheckConstraint(
                name="revision_not_before_its_date", condition=Q(effect__gte=models.F("on"))
            ),
        ]

    def __str__(self):
        return f"{self.lease_id} {self.on}"

    @property
    def index_quarter(self) -> Quarter | None:
        return Quarter(self.index_year, self.quarter) if self.index_year else None

    @property
    def value_old(self) -> Decimal | None:
        return hundredths(self.index_old)

    @property
    def value_new(self) -> Decimal | None:
        return hundredths(self.index_new)

    @property
    def rate(self) -> Decimal | None:
        """The ceiling, per cent."""
        return hundredths(self.points)


def hundredths(number: int | None) -> Decimal | None:
    return None if number is None else Decimal(number).scaleb(-2)


class RevisionRefused(Refusal):
    """A revision that cannot be made, or undone, now."""


def percent(points: int) -> str:
    """Hundredths of a per cent as people write them: + 3,26 %."""
    return f"+ {number_format(hundredths(points), 2)} %"


# ---- preview ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A lease and item of a preview: EUR before and after, or the reason it is left out (REASONS)."""

    lease_id: int
    rule: str
    on: date
    effect: date
    owner_kind: str
    label: str | None
    item: int | None
    old: Money | None
    new: Money | None
    index_quarter: Quarter | None
    index_new: int | None
    index_old: int | None
    reason: str

    @property
    def rise(self) -> Money | None:
        return self.new - self.old if self.new is not None else None

    @property
    def basis(self) -> str:
        """Quarter of the index, or the ceiling in per cent."""
        if self.index_quarter:
            return str(self.index_quarter)
        points = ceiling_points(self.on) if self.rule == REV_CONV else None
        return "" if points is None else percent(points)


@dataclass(frozen=True, slots=True)
class Total:
    """Leases of one owner kind, rule and reason ("" when revised): how many, EUR a month before and after."""

    owner_kind: str
    rule: str
    reason: str
    leases: int
    old: Money
    new: Money


@dataclass(frozen=True, slots=True)
class Preview:
    """What a revision of a month would do now, and every lease left out, by reason."""

    month: date
    claimed_on: date
    totals: list[Total]

    @property
    def revised(self) -> list[Total]:
        return [one for one in self.totals if not one.reason]

    @property
    def leases(self) -> int:
        return sum(one.leases for one in self.revised)

    @property
    def rise(self) -> Money:
        return sum((one.new - one.old for one in self.revised), euros(0))

    def left_out(self) -> list[tuple[str, int]]:
        """(reason, leases), in the order of REASONS."""
        counts = dict.fromkeys(REASONS, 0)
        for one in self.totals:
            if one.reason:
                counts[one.reason] += one.leases
        return [(reason, count) for reason, count in counts.items() if count]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which leases: those revised in a month, of one owner kind or rule where given."""

    month: date
    claimed_on: date
    owner_kind: str = ""
    rule: str = ""


def preview_revision(asked: Asked) -> Preview:
    """What a revision would do, by owner kind, rule and reason, in one statement; writes nothing."""
    found = dialect.rows(*_query("revision_totals.sql", asked))
    totals = [
        Total(kind, rule, reason, leases, from_cents(old or 0), from_cents(new or 0))
        for kind, rule, reason, leases, old, new in found
    ]
    return Preview(asked.month, asked.claimed_on, totals)


def revision_lines(
    asked: Asked, *, reason: str | None = None, leases: tuple[int, int] | None = None, skip=0, size=2**31
) -> list[Line]:
    """The leases of a preview one by one: those revised (reason ""), left out for a reason, or all (None)."""
    text, params = _query("revision_lines.sql", asked, reason=reason, leases=leases)
    return [
        Line(
            lease,
            rule,
            _day(on),
            _day(effect),
            kind,
            letter,
            item,
            None if old is None else from_cents(old),
            None if new is None else from_cents(new),
            Quarter(year, quarter) if rule == "REV_L89" else None,
            index_new,
            index_old,
            code,
        )
        for lease, rule, on, effect, kind, letter, item, old, new, _s, year, quarter, index_new, index_old, code
        in dialect.rows(text, params | {"skip": skip, "size": size})
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Waiting:
    """A month whose revisions were not claimed: leases, EUR a month, day from which the first is lost."""

    month: date
    leases: int
    rise: Money
    lost_from: date


def to_claim(today: date) -> list[Waiting]:
    """Revisions not claimed that still may be, by month of their date, oldest first; one statement."""
    first = add_months(first_of_month(today), -12)
    found = dialect.rows(*_query("revision_months.sql", Asked(first, today), until=today))
    months = [(Period.parse_month(month).start, leases, rise) for month, leases, rise in found]
    return [
        Waiting(month, leases, from_cents(rise), last_claim(month) + ONE_DAY)
        for month, leases, rise in months
    ]


def _day(value) -> date:
    """SQLite gives a computed day as text."""
    return value if isinstance(value, date) else date.fromisoformat(value)


def _query(
    name: str,
    asked: Asked,
    *,
    until: date | None = None,
    reason: str | None = None,
    leases: tuple[int, int] | None = None,
) -> tuple[str, dict]:
    """A text of the whole rule and what is done with it, with its parameters."""
    days = Period(asked.month, Period.month(until or asked.month).end)
    rows, params = _days(days, asked.claimed_on)
    low, high = leases or (0, 2**62)
    freeze_here = law("FREEZE_FG", on=date.max, zone=METROPOLITAN)
    letters = ", ".join(f"'{letter}'" for letter in freeze_here.value)
    parts = sorted({item for kind in KINDS.values() for item in revised_items(kind, asked.month)})
    params |= {
        "first": days.start,
        "next": days.end,
        "low": low,
        "high": high,
        "rent": RENT,
        "frozen_here": freeze_here.valid_from,
        "frozen_overseas": law("FREEZE_FG", on=date.max, zone="overseas").valid_from,
    }
    chosen = ["1 = 1"]
    for key, value in (("owner_kind", asked.owner_kind), ("rule", asked.rule)):
        if value:
            chosen.append(f"{key} = %({key})s")
            params[key] = value
    if reason is not None:
        chosen.append("reason = %(reason)s")
        params["reason"] = reason
    text = dialect.load(QUERIES / "revision.sql").format(
        kinds=_kinds(asked.month),
        days=rows,
        quarter_out=_quarter_out(),
        owners_book_titles=", ".join(f"'{code}'" for code in OWNERS_BOOK_TITLES),
        parts=", ".join(map(str, parts)),
        frozen=letters,
    )
    what = dialect.load(QUERIES / name).format(chosen=" AND ".join(chosen))
    if name.startswith("revise"):
        # INSERT … WITH … SELECT, as both engines take it.
        head, select = what.split("\nSELECT", 1)
        return f"{head}\n{text}\nSELECT{select}", params
    return text + what, params


def _kinds(month: date) -> str:
    """Each kind of contract as a row of SQL: its rule, why it is never revised, what moves, how it renews."""
    rows = []
    for kind in KINDS.values():
        never = "by_resources" if kind.amount_due is PARTICIPATION else "by_contract"
        years = [renewal_years(kind, on=month, landlord=who) or "NULL" for who in ("mp", "person")]
        told = (f"'{kind.code}'", f"'{kind.revision or ''}'", f"'{'' if kind.revision else never}'")
        redevance = int(kind.amount_due is REDEVANCE)
        rows.append(f"({', '.join(told)}, {redevance}, {int(kind.freeze_fg)}, {years[0]}, {years[1]})")
    return ", ".join(rows)


def _days(days: Period, claimed_on: date) -> tuple[str, dict]:
    """Each day as a row of SQL: its limits, and the last quarters published on it."""
    rows, params = [], {}
    for number in range(days.days):
        day = days.start + timedelta(days=number)
        effect = max(day, claimed_on)
        named = {
            f"on{number}": day,
            f"effect{number}": effect,
            f"before{number}": year_before(day),
            f"after{number}": add_months(day, 12),
        }
        on, later, before, after = (f"DAY(%({name})s)" for name in named)
        # 29 February falls on the 28th where there is none.
        written = [f"{day:%m-%d}"] + (["02-29"] if _stands_for_the_29th(day) else [])
        reached = "02-29" if _stands_for_the_29th(effect) else f"{effect:%m-%d}"
        points = ceiling_points(day) if (day.month, day.day) == (1, 1) else None
        told = [int(claimed_on > last_claim(day)), "CAST(NULL AS integer)" if points is None else points]
        told += [latest(day, quarter).year for quarter in (1, 2, 3, 4)]
        rows += [
            f"({on}, '{month_day}', {later}, {effect.year}, '{reached}', {before}, {after},"
            f" {', '.join(map(str, told))})"
            for month_day in written
        ]
        params |= named
    return ", ".join(rows), params


def _stands_for_the_29th(day: date) -> bool:
    return (day.month, day.day) == (2, 28) and (day + timedelta(days=1)).month == 3


def _quarter_out() -> str:
    """The last quarter published on the day of signature, as SQL (revision_rule.quarter_used)."""
    md, day = "SUBSTR(CAST(l.signed_on AS text), 6, 5)", f"{publication_day():02d}"
    return (
        f"CASE WHEN {md} < '01-{day}' THEN 3 WHEN {md} < '04-{day}' THEN 4 WHEN {md} < '07-{day}' THEN 1"
        f" WHEN {md} < '10-{day}' THEN 2 ELSE 3 END"
    )


# ---- commit -----------------------------------------------------------------------------


def open_revision(asked: Asked, *, by, now: datetime, key: str = "") -> RevisionRun:
    """The record of a revision about to be made, or the one already there under this key.

    Raises RevisionRefused for a day of claim to come, or a month too far ahead.
    """
    check(asked, now=now)
    run, made = RevisionRun.objects.get_or_create(
        key=key or uuid.uuid4().hex,
        defaults={
            "month": first_of_month(asked.month),
            "claimed_on": asked.claimed_on,
            "owner_kind": asked.owner_kind,
            "rule": asked.rule,
            "made_at": now,
            "made_by": by,
        },
    )
    if made:
        audit.record(by, "commit", "revision", run.pk, month=f"{asked.month:%Y-%m}")
    return run


def check(asked: Asked, *, now: datetime) -> None:
    """Raise RevisionRefused for a day of claim to come, or a month too far ahead."""
    today = timezone.localtime(now).date()
    if asked.claimed_on > today:
        raise RevisionRefused(
            str(asked.claimed_on),
            _("This day of claim has not come."),
            _("Give the day the letters go out, today at the latest."),
        )
    if asked.month > add_months(first_of_month(today), AHEAD):
        raise RevisionRefused(
            f"{asked.month:%Y-%m}",
            _("It is too early to revise this month."),
            _("Revise at most three months ahead."),
        )


def revise_part(run: RevisionRun, low: int, high: int, *, now: datetime) -> dict:
    """Revise a range of leases in the transaction under way; those revised already are left alone.

    Five statements, whatever the number of leases, and those of learn_late. Raises RevisionRefused
    when a term changed meanwhile.
    """
    asked = Asked(run.month, run.claimed_on, run.owner_kind, run.rule)
    text, params = _query("revise.sql", asked, leases=(low, high))
    with connection.cursor() as cursor:
        hold(cursor, low, high)
        revised = dialect.execute(cursor, text, params | {"run": run.pk}).rowcount
        if not revised:
            return {"revised": 0}
        closing, opening = dialect.load(QUERIES / "revise_terms.sql").split("--%")
        here = {"run": run.pk, "low": low, "high": high}
        closed = dialect.execute(cursor, closing, here).rowcount
        opened = dialect.execute(cursor, opening, here).rowcount
    if not revised == closed == opened:
        raise RevisionRefused(_("the rents"), _("A rent changed meanwhile."), _("Start the revision again."))
    learn(run, low, high, "rent revised", now)
    return {"revised": revised}


def hold(cursor, low: int, high: int) -> None:
    """Keep these leases from being changed until we commit (SQLite has one writer anyway)."""
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT count(*) FROM (SELECT 1 FROM leases_lease WHERE id BETWEEN %s AND %s ORDER BY id"
            " FOR NO KEY UPDATE) held",
            [low, high],
        )


def learn(run: RevisionRun, low: int, high: int, reason: str, now: datetime) -> None:
    """Have months called since the effect looked at again, where any was called."""
    called = rent.RentRun.objects.aggregate(last=models.Max("month"))["last"]
    if called is None:
        return
    late: dict[date, set[int]] = {}
    found = run.revisions.filter(lease_id__gte=low, lease_id__lte=high, effect__lt=Period.month(called).end)
    for lease, effect in found.values_list("lease_id", "effect"):
        late.setdefault(first_of_month(effect), set()).add(lease)
    for since, leases in sorted(late.items()):
        rent.learn_late(sorted(leases), since=since, reason=reason, now=now)


def ranges(size: int) -> list[tuple[int, int]]:
    """Ranges of lease ids, each of at most `size` leases, that cover them all."""
    return dialect.rows(
        "SELECT MIN(id), MAX(id) FROM ("
        "SELECT id, (ROW_NUMBER() OVER (ORDER BY id) - 1) / %(size)s AS part FROM leases_lease) numbered"
        " GROUP BY part ORDER BY 1",
        {"size": size},
    )


def commit_revision(asked: Asked, *, by, now: datetime) -> RevisionRun:
    """Revise here and now, part by part (commands, tests, the demonstration). Raises RevisionRefused."""
    run = open_revision(asked, by=by, now=now)
    for low, high in ranges(settings.GLA_RUN_PART):
        with transaction.atomic():
            revise_part(run, low, high, now=now)
    return run


@jobs.job("rent_revision", title=_("Rent revision"))
def rent_revision(job, *, month: str, claimed_on: str, owner_kind: str = "", rule: str = "") -> Iterator:
    """The revision of a month as long work."""
    asked = Asked(Period.parse_month(month).start, date.fromisoformat(claimed_on), owner_kind, rule)
    run = open_revision(asked, by=job.created_by, now=timezone.now(), key=str(job.pk))
    parts = ranges(settings.GLA_RUN_PART)
    job.expect(len(parts))
    for low, high in parts:
        yield jobs.Part(
            key=f"{low}",
            do=lambda low=low, high=high: revise_part(run, low, high, now=timezone.now()),
            label=f"{month} {low}–{high}",
        )
    return ended(run)


def ended(run: RevisionRun) -> dict:
    told = run.revisions.aggregate(
        leases=models.Count("lease", distinct=True), old=models.Sum("old"), new=models.Sum("new")
    )
    rise = (told["new"] or euros(0)) - (told["old"] or euros(0))
    return {
        "run": run.pk,
        "leases": told["leases"],
        "rise": str(rise.amount),
        "url": reverse("revision-run", args=[run.pk]),
        "summary": [[_t("Leases"), told["leases"]], [_t("Rise a month, EUR"), str(rise.amount)]],
    }
