"""The tenant's account (*compte locataire*): the ledger seen from a lease, at any date.

Which month a payment settles is computed, never kept: the payer's own choice first, then the
oldest debt due (Code civil, art. 1342-10). What a lease's housing benefit will pay is on another
account: while it only waits for that, it owes nothing itself (*impayé technique*).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from django.db import connection
from django.db.models import ExpressionWrapper, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import dialect
from core.money import EuroField, euros, from_cents
from core.periods import add_months, first_of_month, next_month
from leases.bank import Allocation
from leases.lease import Lease
from leases.ledger import BENEFIT, TENANT, Account, Posting, Source
from leases.opening import OpeningBalance
from leases.operations import Operation
from leases.rent import RentCall

QUERIES = Path(__file__).resolve().parent / "queries"
PAID = (Source.ALLOCATION, Source.RECEIPT)
"""Sources of a posting that pays, rather than one that is owed or lowers what is."""


@dataclass(frozen=True, slots=True)
class Aged:
    """What a lease owes by age (*balance âgée*), EUR; days since due, at a date.

    benefit_wait: benefit expected and not paid yet, apart. oldest_due: of what is due and unpaid.
    """

    lease_id: int
    not_due: Money
    d0_30: Money
    d31_60: Money
    d61_90: Money
    over_90: Money
    oldest_due: date | None
    benefit_wait: Money

    @property
    def due(self) -> Money:
        """Owed and due, all ages."""
        return self.d0_30 + self.d31_60 + self.d61_90 + self.over_90


@dataclass(frozen=True, slots=True)
class AccountLine:
    """A line of the account as people read it: EUR; balance after it, positive when owed."""

    on: date
    due: date
    label: str
    month: date | None
    debit: Money | None
    credit: Money | None
    balance: Money
    source: int
    source_id: int
    settles: tuple[tuple[date, Money], ...] = field(default=())


def items_sql(*, only: str = "", name: str = "item") -> str:
    """What is open by due date: ends with `item (lease_id, due, amount, called)`, in cents.

    only: a condition on the accounts `a`. Parameters aged_parameters().
    """
    return dialect.load(QUERIES / "aged.sql").format(only=only, item=name)


def buckets_sql(*, only: str = "", kept: str = "") -> str:
    """After items_sql(): by age. kept: benefit expected that is known already, as one more part of a union."""
    return dialect.load(QUERIES / "aged_buckets.sql").format(only=only, kept=kept)


def aged_sql(*, lease: bool = False) -> str:
    """The query of aged(): lease_id, buckets in cents, oldest_due, benefit_wait; parameters aged_parameters()."""
    only = ONE_LEASE if lease else ""
    return items_sql(only=only) + buckets_sql(only=only)


ONE_LEASE = "AND a.lease_id = %(lease)s"


def aged_parameters(on: date, lease_id: int | None = None) -> dict:
    return {
        "on": on,
        "lease": lease_id,
        "tenant_account": TENANT,
        "benefit_account": BENEFIT,
        "payment": Source.ALLOCATION,
        "receipt": Source.RECEIPT,
    }


def aged(on: date, *, lease: Lease | None = None) -> Iterator[Aged]:
    """Everyone who owes something or waits for a benefit at a date; one query for the whole stock."""
    text = dialect.translate(aged_sql(lease=lease is not None), connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(text, aged_parameters(on, lease.pk if lease else None))
        while rows := cursor.fetchmany(2_000):
            for lease_id, *cents, oldest_due, wait in rows:
                buckets = [from_cents(amount) for amount in cents]
                yield Aged(lease_id, *buckets, as_date(oldest_due), from_cents(wait))


def balance(lease: Lease, on: date) -> Money:
    """What the household itself owes at a date, EUR; negative when it has paid in advance."""
    return _balance(lease, on, TENANT)


def benefit_wait(lease: Lease, on: date) -> Money:
    """Benefit expected for the lease and not paid yet at a date, EUR."""
    return _balance(lease, on, BENEFIT)


def open_items(lease: Lease, on: date) -> list[tuple[date, Money]]:
    """What is unpaid at a date: (due date, EUR), oldest first."""
    found = dialect.rows(
        items_sql(only=ONE_LEASE) + "SELECT due, amount FROM item ORDER BY due", aged_parameters(on, lease.pk)
    )
    return [(as_date(due), from_cents(cents)) for due, cents in found]


def impute(
    charges: list[tuple[date, Money]],
    payments: list[tuple[Money, date | None]],
) -> tuple[list[list[tuple[date, Money]]], dict[date, Money], Money]:
    """Which due dates each payment settles (*imputation des paiements*), Code civil, art. 1342-10.

    charges: (due date, EUR); those of one due date are taken together, a credit lowers its own.
    payments: in order, (EUR, due date the payer chose or None); a returned one is negative.
    Gives back for each payment what it settles, what stays open by due date, and what is left over.
    A return takes back from the latest settled first.
    """
    net: dict[date, Money] = {}
    for due, amount in charges:
        net[due] = net.get(due, euros(0)) + amount
    spare = -sum((amount for amount in net.values() if amount < euros(0)), euros(0))
    left = {due: amount for due, amount in sorted(net.items()) if amount > euros(0)}
    wanted: dict[date, Money] = {}
    for amount, choice in payments:
        if choice in left:
            wanted[choice] = wanted.get(choice, euros(0)) + amount
    kept = {due: max(euros(0), min(left[due], amount)) for due, amount in wanted.items()}
    for due, amount in kept.items():
        left[due] -= amount
    spare -= sum(kept.values(), euros(0))
    pool = spare + sum((amount for amount, _choice in payments), euros(0))
    settled: list[list[tuple[date, Money]]] = [[] for _payment in payments]
    still = dict(left)
    credit = pool
    for due in still:
        part = max(euros(0), min(still[due], credit))
        still[due] -= part
        credit -= part
    # Told payment by payment: the oldest debts to the first payments, the choices where they chose.
    to_tell = {due: (kept.get(due, euros(0)), left[due] - still[due]) for due in left}
    for index, (amount, choice) in enumerate(payments):
        money = amount
        if money <= euros(0):
            continue
        if choice in to_tell:
            by_choice, by_order = to_tell[choice]
            part = min(by_choice, money)
            if part:
                settled[index].append((choice, part))
                to_tell[choice] = (by_choice - part, by_order)
                money -= part
        for due, (by_choice, by_order) in to_tell.items():
            part = min(by_order, money)
            if part > euros(0):
                settled[index].append((due, part))
                to_tell[due] = (by_choice, by_order - part)
                money -= part
    return settled, {due: amount for due, amount in still.items() if amount}, credit


def lines(lease: Lease, on: date) -> list[AccountLine]:
    """The account of a lease up to a date, line by line with its running balance; six queries."""
    accounts = set(Account.objects.filter(lease=lease, kind=TENANT).values_list("pk", flat=True))
    found = list(
        Posting.objects.filter(Q(debit__in=accounts) | Q(credit__in=accounts), on__lte=on).order_by(
            "on", "source", "source_id"
        )
    )
    ids = {source: [p.source_id for p in found if p.source == source] for source in Source}
    calls = RentCall.objects.in_bulk(ids[Source.CALL])
    paid = Allocation.objects.select_related("movement").in_bulk(ids[Source.ALLOCATION])
    taken_over = OpeningBalance.objects.in_bulk(ids[Source.OPENING])
    posted = Operation.objects.in_bulk(ids[Source.OPERATION] + ids[Source.RECEIPT])
    due_of = {}
    for call in calls.values():
        due_of[call.month] = min(call.due, due_of.get(call.month, call.due))
    charges, payments, where = [], [], {}
    for posting in found:
        signed = posting.amount if posting.debit_id in accounts else -posting.amount
        if posting.source in PAID:
            put = paid.get(posting.source_id) if posting.source == Source.ALLOCATION else None
            where[posting.pk] = len(payments)
            payments.append((-signed, due_of.get(put.month) if put and put.chosen else None))
        else:
            charges.append((posting.due, signed))
    settled, _open, _credit = impute(charges, payments)
    told, running = [], euros(0)
    for posting in found:
        debit = posting.debit_id in accounts
        running += posting.amount if debit else -posting.amount
        label, month = _label(posting, calls, paid, taken_over, posted)
        told.append(
            AccountLine(
                on=posting.on,
                due=posting.due,
                label=label,
                month=month,
                debit=posting.amount if debit else None,
                credit=None if debit else posting.amount,
                balance=running,
                source=posting.source,
                source_id=posting.source_id,
                settles=tuple(settled[where[posting.pk]]) if posting.pk in where else (),
            )
        )
    return told


def month_ends(told: list[AccountLine], on: date, *, months: int = 24) -> list[tuple[date, Money]]:
    """The balance of an account at the end of each month up to a date, earliest first (*courbe du solde*).

    told: its lines, as lines() gives them. Months before its first line are left out.
    """
    if not told:
        return []
    month = max(first_of_month(told[0].on), add_months(first_of_month(on), 1 - months))
    found, running, at = [], euros(0), 0
    while month <= on:
        after = next_month(month)
        while at < len(told) and told[at].on < after:
            running, at = told[at].balance, at + 1
        found.append((month, running))
        month = after
    return found


PAID_BY = {
    "credit_transfer": _("Transfer received"),
    "direct_debit": _("Direct debit"),
    "return": _("Payment returned"),
    "cheque": _("Cheque"),
    "card": _("Card payment"),
    "cash": _("Cash"),
}


def with_balance(leases: QuerySet, on: date) -> QuerySet:
    """Leases with `balance`: what the household owes that is due on a day, EUR; below zero, in advance.

    Of the whole stock, leases.checkpoint says the same quicker. Uses account_once_a_lease, posting_debit
    and posting_credit.
    """
    return leases.annotate(balance=ExpressionWrapper(balance_of(on), output_field=EuroField()))


def balance_of(on: date):
    """The balance of the lease of a query, as an expression."""

    def moved(side: str):
        there = Posting.objects.filter(
            **{f"{side}__lease": OuterRef("pk"), f"{side}__kind": TENANT}, on__lte=on, due__lte=on
        )
        total = there.order_by().values(f"{side}__lease").annotate(total=Sum("amount")).values("total")
        return Coalesce(Subquery(total), Value(euros(0), output_field=EuroField()))

    return moved("debit") - moved("credit")


def balances(lease_ids, on: date) -> dict[int, Money]:
    """with_balance() of some leases, by id: one query that reads nothing but their accounts."""
    if not (ids := ", ".join(str(int(pk)) for pk in lease_ids)):
        return {}
    found = dialect.rows(
        dialect.load(QUERIES / "balances.sql").format(ids=ids), {"on": on, "tenant_account": TENANT}
    )
    return {pk: from_cents(cents) for pk, cents in found}


def _label(posting, calls, paid, taken_over, posted) -> tuple[str, date | None]:
    if posting.source == Source.CALL:
        call = calls[posting.source_id]
        name = call.get_item_display()
        return (
            str(_("%(item)s, correction")) % {"item": name} if call.version > 1 else str(name)
        ), call.month
    if posting.source == Source.ALLOCATION:
        put = paid[posting.source_id]
        kind = "return" if put.amount < euros(0) else put.movement.kind
        return str(PAID_BY.get(kind, _("Payment"))), put.month
    if posting.source in (Source.OPERATION, Source.RECEIPT):
        return posted[posting.source_id].words(), None
    return str(_("Balance taken over")), taken_over[posting.source_id].month


def _balance(lease: Lease, on: date, kind: int) -> Money:
    # Side by side, so that each half reads its own index (posting_debit, posting_credit).
    half = (
        "SELECT SUM(p.amount) FROM leases_account a JOIN leases_posting p ON p.{side}_id = a.id"
        ' WHERE a.lease_id = %(lease)s AND a.kind = %(kind)s AND p."on" <= DAY(%(on)s)'
    )
    found = dialect.rows(
        f"SELECT COALESCE(({half.format(side='debit')}), 0) - COALESCE(({half.format(side='credit')}), 0)",
        {"on": on, "lease": lease.pk, "kind": kind},
    )
    return from_cents(found[0][0])


def as_date(value) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value
