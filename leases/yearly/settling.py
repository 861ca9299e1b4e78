"""Settling a year of charges: preview, commit in parts, undo (*régularisation: calcul et passation*).

A part reckons in SQL, keeps its reckoning in temporary tables, then writes settlements, their lines and
operations from them: a constant number of statements, whatever the number of leases. Settled again, a
year carries only what changed since; so it can be killed, repeated or started twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect, jobs
from core.money import euros, from_cents, to_cents
from core.periods import Period, add_months
from leases import ledger, operations, rent
from leases.ledger import Entry
from leases.operations import CHARGES_GIVEN_BACK, CHARGES_SETTLED
from leases.terms import CHARGES
from leases.yearly import expenses
from leases.yearly.charges import (
    ChargePart,
    ChargeRun,
    Settlement,
    SettlementRefused,
    first_due,
    instalments_of,
    is_barred,
    is_late,
    parts_offered,
    settled_kinds,
)
from leases.yearly.expenses import exercise
from portfolio.owners import OWNERS_BOOK_TITLES
from portfolio.stock import Building, Site, Unit

QUERIES = Path(__file__).resolve().parent.parent / "queries"
FOUND_BY = {"span": "unit_id", "share": "gid, lease_id", "balance": "lease_id"}
"""What each temporary table of a part is searched by."""

# ---- preview ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SharedLine:
    """Expenses of a place and nature in a preview: EUR; owner: what stays with the owner."""

    level: int
    place_id: int
    category: int
    key: int
    total: Money
    owner: Money | None
    """None where a value of its key is missing: it cannot be shared."""


@dataclass(frozen=True, slots=True)
class LeaseLine:
    """A lease in a preview: EUR; amount: to pay, or below zero to give back; reason: why left out."""

    lease_id: int
    days: int
    share: Money
    provisions: Money
    amount: Money
    version: int
    reason: str = ""
    instalments: int = 1


@dataclass(slots=True)
class Preview:
    """What a settlement would do now; nothing is written."""

    year: int
    period: Period
    on: date
    due: date
    late: bool
    barred: bool
    lines: list[SharedLine] = field(default_factory=list)
    leases: list[LeaseLine] = field(default_factory=list)
    left_out: list[LeaseLine] = field(default_factory=list)

    @property
    def to_pay(self) -> Money:
        return sum((one.amount for one in self.leases if one.amount > euros(0)), euros(0))

    @property
    def to_give_back(self) -> Money:
        return -sum((one.amount for one in self.leases if one.amount < euros(0)), euros(0))


def preview_charges(
    year: int,
    *,
    on: date,
    due: date | None = None,
    site: Site | None = None,
    building: Building | None = None,
) -> Preview:
    """What a settlement of a year would do now: totals by place and nature, every lease, those left out.

    on: the day the statements go out. due: first day of payment, a month later at least.
    Raises SettlementRefused for a due day too early, or a year not over.
    """
    run = _planned(year, on=on, due=due, site=site, building=building)
    period, params = Period(run.start, run.end), _parameters(run)
    found = Preview(year, period, run.on, run.due, run.late, bool(params["barred"]))
    spans, shares, balances = _texts()
    for level, place, category, key, total, share in dialect.rows(
        f"WITH {spans}, {shares} SELECT level, place_id, category, key, total, share FROM charge_share"
        " WHERE lease_id = 0 ORDER BY level, place_id, category, key, spell_start",
        params,
    ):
        owner = None if share is None else from_cents(share)
        found.lines.append(SharedLine(level, place, category, key, from_cents(total), owner))
    for lease, days, share, provisions, version, share_then, provisions_then, amount, reason in dialect.rows(
        f"WITH {spans}, {shares}, {balances} SELECT lease_id, days, share, provisions, version, share_before,"
        " provisions_before, amount, reason FROM charge_balance ORDER BY lease_id, book_id",
        params,
    ):
        line = LeaseLine(
            lease,
            days,
            from_cents(share),
            from_cents(provisions),
            from_cents(amount),
            version + 1,
            reason,
            instalments_of(
                from_cents(amount),
                above=run.instalments_above,
                offered=params["instalments"],
                late=run.late,
            ),
        )
        if reason:
            found.left_out.append(line)
        elif not version or (share, provisions) != (share_then, provisions_then):
            found.leases.append(line)
    return found


def _planned(year: int, *, on: date, due: date | None, site, building, by=None, now=None) -> ChargeRun:
    """A run not yet written, its dates checked. Raises SettlementRefused."""
    period, chosen = exercise(year), expenses.policy()
    if period.end > on:
        raise SettlementRefused(
            str(year),
            _("This year is not over yet."),
            _("Settle it after %(day)s.") % {"day": period.last_day},
        )
    earliest = first_due(on)
    due = due or earliest
    if due < earliest:
        raise SettlementRefused(
            f"{due}",
            _("The statement goes out a month before the charges are settled."),
            _("Give a due day from %(day)s.") % {"day": earliest},
        )
    return ChargeRun(
        year=year,
        start=period.start,
        end=period.end,
        site=site,
        building=building,
        on=on,
        due=due,
        late=is_late(period, due),
        instalments_above=chosen.instalments_above,
        instalments=chosen.instalments,
        opened_at=now,
        opened_by=by,
    )


def _texts() -> tuple[str, str, str]:
    """The three parts of the reckoning: days, shares, balances."""
    titles = ", ".join(f"'{code}'" for code in OWNERS_BOOK_TITLES)
    kinds = ", ".join(f"'{code}'" for code in settled_kinds())
    spans = dialect.load(QUERIES / "charges_spans.sql").format(owners_book_titles=titles, settled_kinds=kinds)
    return spans, dialect.load(QUERIES / "charges_shares.sql"), dialect.load(QUERIES / "charges_balance.sql")


def _parameters(run: ChargeRun, part: ChargePart | None = None) -> dict:
    return {
        "run": run.pk or 0,
        "year": run.year,
        "start": run.start,
        "end": run.end,
        "on": run.on,
        "site": run.site_id or 0,
        "building": run.building_id or 0,
        "low": part.first_site if part else 0,
        "high": part.last_site if part else 2**62,
        "own_book": ledger.association_book_id(),
        "charges": CHARGES,
        "tenant_account": ledger.TENANT,
        "charges_account": ledger.CHARGES,
        "barred": int(is_barred(Period(run.start, run.end), run.due)),
        "above": 2**62 if run.instalments_above is None else to_cents(run.instalments_above),
        "instalments": parts_offered(count=run.instalments, late=run.late, due=run.due),
        "late": int(run.late),
        "no_day": None,
        "to_pay": CHARGES_SETTLED,
        "to_give_back": CHARGES_GIVEN_BACK,
    }


# ---- commit -----------------------------------------------------------------------------


def open_run(
    year: int,
    *,
    on: date,
    by,
    now: datetime,
    due: date | None = None,
    site: Site | None = None,
    building: Building | None = None,
) -> ChargeRun:
    """Open the settlement of a year, or give back the one still open: its parts written.

    Raises SettlementRefused where its dates forbid it.
    """
    planned = _planned(year, on=on, due=due, site=site, building=building, by=by, now=now)
    try:
        with transaction.atomic():
            under_way = ChargeRun.objects.filter(year=year, closed_at=None).first()
            if under_way:
                return under_way
            planned.save(force_insert=True)
            rent.open_accounts()
            ranges = [(0, 2**62)] if planned.place else _ranges(settings.GLA_RUN_PART)
            ChargePart.objects.bulk_create(
                ChargePart(run=planned, first_site=low, last_site=high) for low, high in ranges
            )
            audit.record(by, "run", "charges", planned.pk)
            return planned
    except IntegrityError:
        # Somebody opened the same between the look and the write: theirs is ours.
        return ChargeRun.objects.get(year=year, closed_at=None)


def _ranges(size: int) -> list[tuple[int, int]]:
    """Ranges of sites, each of about `size` homes at most, that cover them all."""
    found: list[tuple[int, int]] = []
    low = count = 0
    homes = (
        Unit.objects.values("building__site").annotate(homes=models.Count("pk")).order_by("building__site")
    )
    for site, here in homes.values_list("building__site", "homes"):
        if count and count + here > size:
            found.append((low, site - 1))
            low, count = site, 0
        count += here
    return [*found, (low, 2**62)]


def settle_part(part_id: int, *, now: datetime) -> dict:
    """Settle one part of a run in the transaction under way; what is done already is left alone.

    The same number of statements, whatever the number of leases.
    """
    part = ChargePart.objects.select_for_update().select_related("run").get(pk=part_id)
    if part.done_at is not None:
        return {"leases": 0}
    run, spans, shares, balances = part.run, *_texts()
    params = _parameters(run, part) | {"entry": 0, "by": run.opened_by_id}
    dues = [add_months(run.due, number) for number in range(max(1, params["instalments"]))]
    params |= {f"due{number}": due for number, due in enumerate(dues, 1)}
    params["label_to_pay"] = str(_t("Charges %(year)d, to pay") % {"year": run.year})
    params["label_to_give_back"] = str(_t("Charges %(year)d, in your favour") % {"year": run.year})
    table = " UNION ALL ".join(
        f"SELECT {number} AS number, DAY(%(due{number})s) AS due" for number in range(1, len(dues) + 1)
    )
    texts = dialect.load(QUERIES / "charges_commit.sql").format(dues=table).split("--%")
    with connection.cursor() as cursor:
        for name, text in (("span", spans), ("share", shares), ("balance", balances)):
            cursor.execute(f"DROP TABLE IF EXISTS charge_{name}")
            made = f"CREATE TEMPORARY TABLE charge_{name} AS WITH {text} SELECT * FROM charge_{name}"
            dialect.execute(cursor, made, params)
            cursor.execute(f"CREATE INDEX charge_{name}_found ON charge_{name} ({FOUND_BY[name]})")
        settled = dialect.execute(cursor, texts[0], params).rowcount
        for text in texts[1:4]:
            dialect.execute(cursor, text, params)
        if settled:
            entry = Entry.objects.create(label=f"Charges {run.year}", recorded_at=now)
            dialect.execute(cursor, texts[4], params | {"entry": entry.pk})
            operations.post_entry(entry)
            part.entry = entry
        for name in ("span", "share", "balance"):
            cursor.execute(f"DROP TABLE charge_{name}")
    part.done_at = now
    part.save(update_fields=["entry", "done_at"])
    return {"leases": settled}


def close_run(run: ChargeRun, *, now: datetime) -> ChargeRun:
    """Seal a run whose parts are all in: how many leases it settled and their balance."""
    with transaction.atomic():
        kept = ChargeRun.objects.select_for_update().get(pk=run.pk)
        if kept.closed_at is None and not kept.parts.filter(done_at=None).exists():
            found = kept.settlements.aggregate(count=models.Count("pk"), total=Sum("amount"))
            kept.sealed_settlements, kept.sealed_total = found["count"], found["total"] or euros(0)
            kept.closed_at = now
            kept.save(update_fields=["sealed_settlements", "sealed_total", "closed_at"])
    return kept


def settle_charges(year: int, *, on: date, by, now: datetime, **where) -> ChargeRun:
    """Settle a year of charges here and now (*régularisation*): see open_run; part by part, closed at the end.

    Done again, it settles only what changed since.
    """
    run = open_run(year, on=on, by=by, now=now, **where)
    for part_id in run.parts.filter(done_at=None).order_by("first_site").values_list("pk", flat=True):
        with transaction.atomic():
            settle_part(part_id, now=now)
    return close_run(run, now=now)


@jobs.job("settle_charges", title=_("Settlement of charges"))
def settle_charges_job(
    job, *, year: int, on: str, due: str = "", site: int = 0, building: int = 0
) -> Iterator[jobs.Part]:
    """The settlement of a year as long work: opened, settled part by part, closed."""
    run = open_run(
        year,
        on=date.fromisoformat(on),
        due=date.fromisoformat(due) if due else None,
        site=Site.objects.get(pk=site) if site else None,
        building=Building.objects.get(pk=building) if building else None,
        by=job.created_by,
        now=timezone.now(),
    )
    waiting = list(run.parts.filter(done_at=None).order_by("first_site"))
    job.expect(len(waiting))
    for part in waiting:
        yield jobs.Part(
            key=f"charges {run.pk} part {part.pk}",
            do=lambda part=part: settle_part(part.pk, now=timezone.now()),
            label=f"{year}",
        )
    run = close_run(run, now=timezone.now())
    return {
        "run": run.pk,
        "leases": run.sealed_settlements,
        "total": str(run.sealed_total.amount),
        "url": reverse("charge-run", args=[run.pk]),
    }


def undo_run(run: ChargeRun, *, on: date, by, now: datetime) -> ChargeRun:
    """Undo a settlement by its opposite (*contre-passation*), lease by lease; the year can be settled again.

    Raises SettlementRefused where it is open, undone, an undoing, or corrected by a later one.
    """
    with transaction.atomic():
        kept = ChargeRun.objects.select_for_update().get(pk=run.pk)
        place = str(_("Charges of %(year)d")) % {"year": kept.year}
        if kept.closed_at is None or ChargeRun.objects.filter(year=kept.year, closed_at=None).exists():
            raise SettlementRefused(
                place, _("A settlement of this year is still open."), _("Let it finish, then undo it.")
            )
        if kept.undoes_id or ChargeRun.objects.filter(undoes=kept).exists():
            raise SettlementRefused(
                place, _("This settlement is already undone."), _("Settle the year again if it is due.")
            )
        later = Settlement.objects.filter(
            lease=models.OuterRef("lease"),
            account=models.OuterRef("account"),
            year=models.OuterRef("year"),
            version__gt=models.OuterRef("version"),
        )
        if kept.settlements.filter(models.Exists(later)).exists():
            raise SettlementRefused(
                place, _("A later settlement corrects this one."), _("Undo the later one first.")
            )
        undoing = ChargeRun.objects.create(
            year=kept.year,
            start=kept.start,
            end=kept.end,
            site=kept.site,
            building=kept.building,
            on=on,
            due=on,
            opened_at=now,
            opened_by=by,
            undoes=kept,
        )
        entry = Entry.objects.create(label=f"Undo charges {kept.year}", recorded_at=now)
        params = {"run": undoing.pk, "undone": kept.pk, "entry": entry.pk, "on": on, "by": by and by.pk}
        with connection.cursor() as cursor:
            for text in dialect.load(QUERIES / "charges_undo.sql").split("--%"):
                dialect.execute(cursor, text, params)
        operations.post_entry(entry)
        ChargePart.objects.create(run=undoing, first_site=0, last_site=2**62, entry=entry, done_at=now)
        undoing = close_run(undoing, now=now)
        audit.record(by, "reverse", "charges", kept.pk)
    return undoing
