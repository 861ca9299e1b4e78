"""The owner's account (*compte rendu de gestion*): what was called, collected, spent and is to pay.

Told from the owner's own book: balance brought forward and every amount that moved the money held,
so that it equals the ledger to the cent. A statement made is kept as it was told; when the ledger
has changed since, a new version is made and the first one stays.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime

from django.conf import settings
from django.db import models, transaction
from django.db.models import Max, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect, jobs
from core.money import EuroField, euros, from_cents
from core.periods import ONE_DAY, Period, first_of_month, next_month
from leases import ledger, operations
from leases.accounts.owner_dues import (
    HeadRentCall,
    OwnerExpense,
    call_head_rents,
    pay_guarantees,
    repay_advances,
    vacant_days,
)
from leases.accounts.owner_fees import (
    MONEY,
    QUERIES,
    Fee,
    both_sides,
    deposits,
    money_parameters,
    money_sql,
    post_fees,
)
from leases.accounts.owner_terms import RENT_ANYWAY_TITLES, Kept, kept_on
from leases.bank import Allocation
from leases.ledger import Account, Posting, Source
from leases.occupancy import Occupancy
from leases.operations import Operation
from portfolio.owners import OWNERS_BOOK_TITLES, Holding, Owner

PART = 200
"""Owners told in one transaction."""


@dataclass(frozen=True, slots=True)
class UnitLine:
    """A home and its tenant over a month, EUR; lease empty while the home is vacant.

    called: aid included; aid: the part of it called from the CAF or MSA. charged: settlements,
    repairs, deposits. owed, aid_waited, deposit: as they stand at the month's end.
    """

    unit_id: int | None
    unit: str
    address: str
    lease_id: int | None = None
    lease: str = ""
    called: Money = euros(0)
    aid: Money = euros(0)
    charged: Money = euros(0)
    paid: Money = euros(0)
    aid_paid: Money = euros(0)
    owed: Money = euros(0)
    aid_waited: Money = euros(0)
    deposit: Money = euros(0)
    vacant: int = 0

    @property
    def collected(self) -> Money:
        return self.paid + self.aid_paid


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """An amount that moved the owner's money otherwise than a rent received: EUR, above zero when received.

    kind: of the account on the other side. source, source_id: of the posting. unit, movement: where known.
    """

    on: date
    kind: int
    label: str
    amount: Money
    source: int
    source_id: int
    unit: str = ""
    movement: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """An owner's month in figures, EUR.

    brought + collected + guaranteed + other − fees − vat − spent − paid = held. deposits: of tenants,
    within what is held. to_pay: held less deposits kept and reserve, never below zero. head_*: rents
    of head leases: called in the month, paid in it, owed at its end.
    """

    brought: Money = euros(0)
    called: Money = euros(0)
    aid: Money = euros(0)
    collected: Money = euros(0)
    guaranteed: Money = euros(0)
    fees: Money = euros(0)
    vat: Money = euros(0)
    spent: Money = euros(0)
    paid: Money = euros(0)
    other: Money = euros(0)
    held: Money = euros(0)
    outstanding: Money = euros(0)
    deposits: Money = euros(0)
    reserve: Money = euros(0)
    to_pay: Money = euros(0)
    head_called: Money = euros(0)
    head_paid: Money = euros(0)
    head_owed: Money = euros(0)


@dataclass(frozen=True, slots=True)
class StatementFacts:
    """All that a management statement says of an owner and a month (*compte rendu de gestion*)."""

    owner: Owner
    month: date
    figures: Figures
    units: tuple[UnitLine, ...] = ()
    lines: tuple[MoneyLine, ...] = ()
    fee: Fee | None = None
    head_rents: tuple[HeadRentCall, ...] = ()
    kept: Kept = field(default_factory=Kept)

    @property
    def vacant(self) -> int:
        """Days on which a home held was empty, all homes."""
        return sum(unit.vacant for unit in self.units)


class OwnerStatement(models.Model):
    """A management statement as it was made (*compte rendu de gestion*): Figures of an owner and month."""

    owner = models.ForeignKey(Owner, models.PROTECT, related_name="+")
    month = models.DateField(_("month"))
    version = models.PositiveSmallIntegerField(_("version"), default=1)
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    brought = EuroField(_("brought forward"))
    called = EuroField(_("called"))
    aid = EuroField(_("of which housing benefit"))
    collected = EuroField(_("collected"))
    guaranteed = EuroField(_("guarantees"))
    fees = EuroField(_("fees"))
    vat = EuroField(_("VAT"))
    spent = EuroField(_("spent"))
    paid = EuroField(_("paid to the owner"))
    other = EuroField(_("other"))
    held = EuroField(_("held at the end"))
    outstanding = EuroField(_("unpaid by tenants"))
    deposits = EuroField(_("deposits"))
    reserve = EuroField(_("reserve kept"))
    to_pay = EuroField(_("to pay"))
    head_called = EuroField(_("head rent called"))
    head_paid = EuroField(_("head rent paid"))
    head_owed = EuroField(_("head rent owed"))

    class Meta:
        verbose_name, verbose_name_plural = _("owner statement"), _("owner statements")
        constraints = [
            models.UniqueConstraint(fields=["owner", "month", "version"], name="owner_statement_once"),
            models.CheckConstraint(
                name="owner_statement_of_a_month", condition=dialect.FirstOfMonth("month")
            ),
        ]
        indexes = [models.Index(fields=["month", "owner"], name="owner_statement_month")]

    def __str__(self):
        return f"{self.owner_id} {self.month:%Y-%m}"

    @property
    def figures(self) -> Figures:
        return Figures(**{name: getattr(self, name) for name in FIGURES})


FIGURES = tuple(one.name for one in fields(Figures))
SPENT = (ledger.WORKS, ledger.UPKEEP, ledger.LOSS, ledger.EXPENSE)
COLLECTED = (ledger.TENANT, ledger.BENEFIT)


def figures_of(month: date, owners: Sequence[int] | None = None) -> dict[int, Figures]:
    """Owner → its month in figures, for every owner with a book or a head lease; nine queries."""
    whole = Period.month(month)
    only = of_owners(owners)
    sums: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for owner, whence, kind, operation, _lease, _own, cents in dialect.rows(
        money_sql(only), money_parameters(month, whole.last_day)
    ):
        name = "brought" if whence == 0 else heading(kind, operation)
        sums[owner][name] += int(cents)
    for owner, called, aid, owed in dialect.rows(
        f"SELECT owner_id, SUM(called), SUM(aid), SUM(CASE WHEN owed > 0 THEN owed ELSE 0 END) FROM ({_units_sql(only)}) u GROUP BY owner_id",
        _unit_parameters(month),
    ):
        sums[owner] |= {"called": int(called), "aid": int(aid), "outstanding": int(owed)}
    kept, held_deposits, heads = kept_on(whole.last_day), deposits(whole.last_day), head_rents(month)
    wanted = set(owners) if owners is not None else set(sums) | set(heads) | _with_mandate(whole)
    return {
        owner: _figures(
            sums[owner],
            kept.get(owner, Kept()),
            held_deposits.get(owner, euros(0)),
            heads.get(owner, (0, 0, 0)),
        )
        for owner in sorted(wanted)
    }


def _figures(sums, kept: Kept, deposit: Money, head: tuple[int, int, int]) -> Figures:
    moved = ("brought", "collected", "guaranteed", "fees", "vat", "spent", "paid", "other")
    held = from_cents(sum(sums.get(name, 0) for name in moved))
    back = euros(0) if kept.deposits_to_owner else deposit
    signs = {"fees": -1, "vat": -1, "spent": -1, "paid": -1}
    told = {
        name: from_cents(signs.get(name, 1) * sums.get(name, 0))
        for name in (*moved, "called", "aid", "outstanding")
    }
    return Figures(
        **told,
        held=held,
        deposits=deposit,
        reserve=kept.reserve,
        to_pay=max(euros(0), held - back - kept.reserve),
        head_called=from_cents(head[0]),
        head_paid=from_cents(head[1]),
        head_owed=from_cents(head[2]),
    )


def heading(kind: int, operation: int | None) -> str:
    """Under which figure an amount falls, by the account on the other side."""
    if kind in COLLECTED:
        return "collected"
    if kind == ledger.FEES_PAID:
        return "vat" if operation in (operations.VAT_ON_FEE, operations.VAT_GIVEN_BACK) else "fees"
    if kind in SPENT:
        return "spent"
    return {ledger.PAID_OUT: "paid", ledger.GUARANTEE: "guaranteed"}.get(kind, "other")


def of_owners(owners: Iterable[int] | None) -> str:
    if owners is None:
        return ""
    listed = ", ".join(str(int(owner)) for owner in owners) or "0"
    return f"AND b.owner_id IN ({listed})"


def _units_sql(only: str) -> str:
    # A query in a query takes no ordering with it on either engine; it does no harm.
    return dialect.load(QUERIES / "owners_units.sql").format(only=only)


def _unit_parameters(month: date) -> dict:
    return {
        "month": month,
        "next": next_month(month),
        "operation": Source.OPERATION,
        "opening": Source.OPENING,
        "allocation": Source.ALLOCATION,
        "receipt": Source.RECEIPT,
        "call": Source.CALL,
        "tenant": ledger.TENANT,
        "benefit": ledger.BENEFIT,
        "deposit": ledger.DEPOSIT,
    }


def head_rents(month: date) -> dict[int, tuple[int, int, int]]:
    """Owner → head rent called in a month, paid in it, owed at its end, in whole cents; one query."""
    rows = dialect.rows(
        'SELECT a.owner_id, SUM(CASE WHEN v."on" >= DAY(%(month)s) AND v.source = %(operation)s THEN -v.signed ELSE 0 END),'
        ' SUM(CASE WHEN v."on" >= DAY(%(month)s) AND v.source <> %(operation)s THEN v.signed ELSE 0 END),'
        " SUM(-v.signed) FROM leases_account a"
        f" JOIN {both_sides('w.kind = %(owed)s')} v ON v.account_id = a.id"
        ' AND v."on" < DAY(%(next)s) WHERE a.kind = %(owed)s GROUP BY a.owner_id',
        {
            "month": month,
            "next": next_month(month),
            "operation": Source.OPERATION,
            "owed": ledger.OWED_OWNER,
        },
    )
    return {owner: (int(called), int(paid), int(owed)) for owner, called, paid, owed in rows}


def _with_mandate(whole: Period) -> set[int]:
    held = Holding.objects.filter(
        Q(end__isnull=True) | Q(end__gt=whole.start),
        title__in=(*OWNERS_BOOK_TITLES, *RENT_ANYWAY_TITLES),
        start__lt=whole.end,
    )
    return set(held.values_list("owner", flat=True))


# ---- one statement in full ----------------------------------------------------------------


def statement_facts(owner: Owner, month: date) -> StatementFacts:
    """All that the management statement of an owner and month says, from the ledger as it is now."""
    whole = Period.month(month)
    return StatementFacts(
        owner=owner,
        month=month,
        figures=figures_of(month, [owner.pk])[owner.pk],
        units=tuple(_unit_lines(owner, whole)),
        lines=tuple(money_lines(owner, whole)),
        fee=Fee.objects.filter(owner=owner, month=month).first(),
        head_rents=tuple(
            HeadRentCall.objects.filter(holding__owner=owner, month=month)
            .select_related("holding__unit")
            .order_by("holding__unit__reference", "version")
        ),
        kept=kept_on(whole.last_day, [owner.pk]).get(owner.pk, Kept()),
    )


def _unit_lines(owner: Owner, whole: Period) -> Iterator[UnitLine]:
    """Every home held of the owner in the month, by reference, then its leases."""
    leases = defaultdict(list)
    for _owner, lease, reference, unit, *sums in dialect.rows(
        _units_sql(of_owners([owner.pk])), _unit_parameters(whole.start)
    ):
        leases[unit].append((lease, reference, [from_cents(int(cents)) for cents in sums]))
    holdings = {}
    mandates = Holding.objects.filter(owner=owner, title__in=OWNERS_BOOK_TITLES, start__lt=whole.end)
    for holding in mandates.select_related("unit__building").order_by("start"):
        if holding.end is None or holding.end > whole.start or holding.unit_id in leases:
            holdings[holding.unit_id] = holding
    stays = defaultdict(list)
    there = Occupancy.objects.filter(
        Q(end__isnull=True) | Q(end__gt=whole.start), place__unit__in=holdings, start__lt=whole.end
    )
    for unit, start, end in there.values_list("place__unit", "start", "end"):
        stays[unit].append(Period(start, end))
    for holding in sorted(holdings.values(), key=lambda one: one.unit.reference):
        unit = holding.unit
        held = Period(holding.start, holding.end) & whole
        told = {
            "unit_id": unit.pk,
            "unit": unit.reference,
            "address": unit.building.address,
        }
        vacant = vacant_days(held, stays[unit.pk])
        found = leases.pop(unit.pk, [])
        for at, (lease, reference, sums) in enumerate(found):
            yield UnitLine(**told, lease_id=lease, lease=reference, **_sums(sums), vacant=0 if at else vacant)
        if not found:
            yield UnitLine(**told, vacant=vacant)
    for found in leases.values():
        for lease, reference, sums in found:
            yield UnitLine(unit_id=None, unit="", address="", lease_id=lease, lease=reference, **_sums(sums))


def _sums(sums: list[Money]) -> dict[str, Money]:
    names = ("called", "aid", "charged", "paid", "aid_paid", "owed", "aid_waited", "deposit")
    return dict(zip(names, sums, strict=True))


def money_lines(owner: Owner, span: Period) -> Iterator[MoneyLine]:
    """What moved the owner's money in some days, rents received left out, by date; five queries."""
    money = set(Account.objects.filter(book__owner=owner, kind__in=MONEY).values_list("pk", flat=True))
    postings = list(
        Posting.objects.filter(
            Q(debit__in=money) & ~Q(credit__in=money) & ~Q(credit__kind__in=COLLECTED)
            | Q(credit__in=money) & ~Q(debit__in=money) & ~Q(debit__kind__in=COLLECTED),
            on__gte=span.start,
            on__lt=span.end,
        )
        .select_related("debit", "credit")
        .order_by("on", "pk")
    )
    ids = [one.source_id for one in postings if one.source in (Source.OPERATION, Source.RECEIPT)]
    posted = Operation.objects.in_bulk(ids)
    units = dict(OwnerExpense.objects.filter(operation__in=ids).values_list("operation", "unit__reference"))
    banked = [one.source_id for one in postings if one.source == Source.ALLOCATION]
    movements = dict(Allocation.objects.filter(pk__in=banked).values_list("pk", "movement"))
    for one in postings:
        came = one.debit_id in money
        other = one.credit if came else one.debit
        operation = posted.get(one.source_id) if one.source in (Source.OPERATION, Source.RECEIPT) else None
        yield MoneyLine(
            on=one.on,
            kind=other.kind,
            label=operation.words() if operation else str(ledger.ACCOUNT_KINDS[other.kind].label),
            amount=one.amount if came else -one.amount,
            source=one.source,
            source_id=one.source_id,
            unit=(units.get(one.source_id) or "") if operation else "",
            movement=movements.get(one.source_id) if one.source == Source.ALLOCATION else None,
        )


# ---- made for everybody ---------------------------------------------------------------------


def make_statements(month: date, *, owners: Sequence[int] | None = None, by, now: datetime) -> int:
    """Keep the statements of a month (*édition des comptes rendus de gestion*); how many are new.

    One that says what was said already is left alone; one that differs makes a new version.
    """
    with transaction.atomic():
        told = figures_of(month, owners)
        list(Owner.objects.select_for_update().filter(pk__in=told).order_by("pk").values_list("pk"))
        last: dict[int, OwnerStatement] = {}
        for one in OwnerStatement.objects.filter(month=month, owner__in=told).order_by("version"):
            last[one.owner_id] = one
        made = [
            OwnerStatement(
                owner_id=owner,
                month=month,
                version=last[owner].version + 1 if owner in last else 1,
                made_at=now,
                made_by=by,
                **{name: getattr(figures, name) for name in FIGURES},
            )
            for owner, figures in told.items()
            if owner not in last or last[owner].figures != figures
        ]
        OwnerStatement.objects.bulk_create(made, batch_size=2_000)
        if made:
            audit.record(by, "run", "owner_account", f"{month:%Y-%m}", statements=len(made))
    return len(made)


def latest_statements(month: date) -> models.QuerySet:
    """The last version of each owner's statement of a month."""
    last = OwnerStatement.objects.filter(month=month).values("owner").annotate(last=Max("pk")).values("last")
    return OwnerStatement.objects.filter(pk__in=last)


@jobs.job("owner_statements", title=_("Owners' month"), page="owner-statements")
def owner_statements(job, *, month: str) -> Iterator[jobs.Part]:
    """An owners' month as long work: head rents, guarantees, fees, then every statement."""
    first = Period.parse_month(month).start

    def told(posted) -> dict:
        return {"owners": posted.owners, "total": str(posted.total.amount)}

    steps = (
        ("head rents", lambda: told(call_head_rents(first, by=job.created_by, now=timezone.now()))),
        ("guarantees", lambda: told(pay_guarantees(first, by=job.created_by, now=timezone.now()))),
        ("advances", lambda: told(repay_advances(first, by=job.created_by, now=timezone.now()))),
        ("fees", lambda: told(post_fees(first, by=job.created_by, now=timezone.now()))),
    )
    owners = sorted(figures_of(first))
    parts = [owners[at : at + PART] for at in range(0, len(owners), PART)]
    job.expect(len(steps) + len(parts))
    for key, do in steps:
        yield jobs.Part(key=f"{month} {key}", do=do, label=f"{month} {key}")
    for part in parts:
        yield jobs.Part(
            key=f"{month} owners {part[0]}–{part[-1]}",
            do=lambda part=part: {
                "statements": make_statements(first, owners=part, by=job.created_by, now=timezone.now())
            },
            label=f"{month} {part[0]}–{part[-1]}",
        )
    return {
        "statements": sum(found.get("statements", 0) for found in job.outcomes().values()),
        "fees": job.outcomes()[f"{month} fees"]["total"],
        "url": f"{reverse('owner-statements')}?month={month}",
    }


def run_owner_month(month: date, *, by, now: datetime) -> int:
    """An owners' month here and now (commands, tests, the demonstration); statements made."""
    call_head_rents(month, by=by, now=now)
    pay_guarantees(month, by=by, now=now)
    repay_advances(month, by=by, now=now)
    post_fees(month, by=by, now=now)
    return make_statements(month, by=by, now=now)


def last_month_made() -> date | None:
    """The last month that statements were made of."""
    return OwnerStatement.objects.aggregate(last=Max("month"))["last"]


def month_to_make(today: date) -> date:
    """The month to make statements of next: the last one that is over."""
    return first_of_month(first_of_month(today) - ONE_DAY)
