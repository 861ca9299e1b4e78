"""Client money (*fonds mandants*): is what owners are owed really there, on any day, to the cent.

What the association's accounts hold is shared out among whom it belongs to, owners counted from their
own books, not from the association's: so the difference is a proof. Beside it: each owner's two sides,
each bank account against its statements, and whether the account of owners' money covers them.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from django.db.models import Max, Sum
from django.utils.translation import gettext as _t
from moneyed import Money

from core import dialect
from core.law import rule
from core.money import euros, from_cents
from leases import ledger
from leases.accounts.owner_fees import both_sides
from leases.accounts.owner_terms import ClientAccount
from leases.bank import Allocation, Movement, Statement
from leases.bank_accounts import BankAccount
from leases.ledger import ACCOUNT_KINDS, Source
from portfolio.owners import OWNERS_BOOK_TITLES, Holding, Owner

GUARANTEE_MIN = "FUNDS_GUARANTEE_MIN"
MONEY = (ledger.BANK, ledger.CASH, ledger.CHEQUES, ledger.CARDS)
OWED = (ledger.SUSPENSE, ledger.SUPPLIER, ledger.VAT, ledger.OWED_OWNER, ledger.DEPOSIT)
"""Kinds of account of the association's book that are owed to others, besides owners' money."""


@dataclass(frozen=True, slots=True)
class Component:
    """A part of what is held: code, words, EUR, and how many accounts or owners make it."""

    code: str
    words: str
    amount: Money
    count: int = 0


@dataclass(frozen=True, slots=True)
class OwnerSides:
    """An owner's money as the association's book and the owner's own book tell it, EUR."""

    owner: Owner
    held_for: Money
    in_book: Money
    own_bank: Money

    @property
    def difference(self) -> Money:
        return self.held_for - self.in_book


@dataclass(frozen=True, slots=True)
class BankSides:
    """A bank account in the ledger and on its statements, EUR; last: the last day told, None if none.

    opening: what stood on it before its first statement, which the ledger does not know.
    """

    bank: BankAccount
    in_ledger: Money
    on_statement: Money
    opening: Money
    last: date | None

    @property
    def difference(self) -> Money:
        return self.in_ledger + self.opening - self.on_statement


@dataclass(frozen=True, slots=True)
class Cover:
    """Accounts of owners' money against what is held for owners, EUR; surplus: the association's own."""

    banks: tuple[BankAccount, ...]
    there: Money
    owed: Money
    suspense: Money

    @property
    def surplus(self) -> Money:
        return self.there - self.owed - self.suspense


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The money of a day and whose it is: money = sum of the components, or a difference is shown."""

    on: date
    money: tuple[Component, ...]
    components: tuple[Component, ...]
    owners: tuple[OwnerSides, ...]
    banks: tuple[BankSides, ...]
    cover: Cover | None

    @property
    def total(self) -> Money:
        return sum((one.amount for one in self.money), euros(0))

    @property
    def explained(self) -> Money:
        return sum((one.amount for one in self.components), euros(0))

    @property
    def difference(self) -> Money:
        return self.total - self.explained

    @property
    def wrong_owners(self) -> list[OwnerSides]:
        return [one for one in self.owners if one.difference]

    @property
    def wrong_banks(self) -> list[BankSides]:
        return [one for one in self.banks if one.difference]

    @property
    def holds(self) -> bool:
        """Whether every difference is zero; a cover that lacks money is told apart."""
        return not (self.difference or self.wrong_owners or self.wrong_banks)


def client_money(on: date) -> Reconciliation:
    """Whose the money of a day is (*rapprochement des fonds mandants*); seven queries."""
    own = ledger.association_book_id()
    sums, counts = _balances(on, own)
    owners = _owner_sides(on)
    money = tuple(
        Component(f"money{kind}", str(ACCOUNT_KINDS[kind].label), sums[kind], counts[kind])
        for kind in MONEY
        if kind in sums
    )
    held = sum((one.in_book for one in owners), euros(0))
    rest = sum(
        (-amount for kind, amount in sums.items() if kind not in (*MONEY, *OWED, ledger.HELD_FOR)), euros(0)
    )
    components = (
        Component("owners", _t("Held for owners, by their own books"), held, len(owners)),
        *(
            Component(f"owed{kind}", str(ACCOUNT_KINDS[kind].label), -sums[kind], counts[kind])
            for kind in OWED
            if sums.get(kind)
        ),
        Component("own", _t("The association's own, and what tenants owe it or paid it ahead"), rest),
    )
    banks = tuple(_bank_sides(on))
    return Reconciliation(on, money, components, tuple(owners), banks, _cover(banks, owners, on))


def _balances(on: date, book: int) -> tuple[dict[int, Money], dict[int, int]]:
    rows = dialect.rows(
        "SELECT a.kind, SUM(v.signed), COUNT(DISTINCT a.id) FROM leases_account a"
        f" JOIN {both_sides('w.book_id = %(book)s')} v"
        ' ON v.account_id = a.id AND v."on" <= DAY(%(on)s)'
        " WHERE a.book_id = %(book)s GROUP BY a.kind ORDER BY a.kind",
        {"on": on, "book": book},
    )
    return (
        {kind: from_cents(int(cents)) for kind, cents, _count in rows},
        {kind: int(count) for kind, _cents, count in rows},
    )


def _owner_sides(on: date) -> list[OwnerSides]:
    """Every owner whose money is, or was, held, by name; two queries."""
    kinds = "w.kind IN (%(held)s, %(funds)s, %(advance)s, %(bank)s, %(suspense)s)"
    rows = dialect.rows(
        "SELECT CASE WHEN a.kind = %(held)s THEN a.owner_id ELSE b.owner_id END AS owner_id, a.kind, SUM(v.signed)"
        " FROM leases_account a JOIN leases_book b ON b.id = a.book_id"
        f" JOIN {both_sides(kinds)} v"
        ' ON v.account_id = a.id AND v."on" <= DAY(%(on)s)'
        " WHERE (a.kind = %(held)s AND b.owner_id IS NULL)"
        " OR (b.owner_id IS NOT NULL AND a.kind IN (%(funds)s, %(advance)s, %(bank)s, %(suspense)s))"
        " GROUP BY 1, a.kind",
        {
            "on": on,
            "held": ledger.HELD_FOR,
            "funds": ledger.FUNDS,
            "advance": ledger.ADVANCE,
            "bank": ledger.BANK,
            "suspense": ledger.SUSPENSE,
        },
    )
    sums: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for owner, kind, cents in rows:
        if owner is not None:
            sums[owner][kind] += int(cents)
    people = Owner.objects.in_bulk(sums)
    return [
        OwnerSides(
            people[owner],
            from_cents(-kinds[ledger.HELD_FOR]),
            from_cents(kinds[ledger.FUNDS] + kinds[ledger.ADVANCE]),
            from_cents(kinds[ledger.BANK] + kinds[ledger.SUSPENSE]),
        )
        for owner, kinds in sorted(sums.items(), key=lambda item: (people[item[0]].name, item[0]))
    ]


def _bank_sides(on: date) -> list[BankSides]:
    """Every bank account, in the ledger and by its statements: movements booked up to the day."""
    in_ledger = {
        bank: from_cents(int(cents))
        for bank, cents in dialect.rows(
            f"SELECT a.bank_id, SUM(v.signed) FROM leases_account a JOIN {both_sides('w.kind = %(bank)s')} v"
            ' ON v.account_id = a.id AND v."on" <= DAY(%(on)s)'
            " WHERE a.kind = %(bank)s AND v.source = %(source)s GROUP BY a.bank_id",
            {"on": on, "bank": ledger.BANK, "source": Source.ALLOCATION},
        )
    }
    moved = dict(
        Movement.objects.filter(booked__lte=on).values_list("bank").annotate(total=Sum("amount")).order_by()
    )
    first: dict[int, Money] = {}
    for bank, opening in Statement.objects.order_by("pk").values_list("bank", "opening"):
        first.setdefault(bank, opening)
    last = dict(Statement.objects.values_list("bank").annotate(last=Max("end")).order_by())
    found = []
    for bank in BankAccount.objects.select_related("book__owner").order_by("pk"):
        opening = first.get(bank.pk, euros(0))
        found.append(
            BankSides(
                bank,
                in_ledger.get(bank.pk, euros(0)),
                opening + moved.get(bank.pk, euros(0)),
                opening,
                last.get(bank.pk),
            )
        )
    return found


def _cover(banks, owners: list[OwnerSides], on: date) -> Cover | None:
    """Whether the accounts of owners' money hold at least what owners are owed; None where none is named."""
    named = set(ClientAccount.objects.values_list("bank", flat=True))
    mine = [one for one in banks if one.bank.pk in named]
    if not mine:
        return None
    waiting = Allocation.objects.filter(movement__bank__in=named, on__lte=on)
    put = waiting.filter(account__kind=ledger.SUSPENSE).aggregate(total=Sum("amount"))["total"] or euros(0)
    taken = waiting.filter(settles__isnull=False).aggregate(total=Sum("amount"))["total"] or euros(0)
    return Cover(
        tuple(one.bank for one in mine),
        sum((one.on_statement for one in mine), euros(0)),
        # What was advanced to one owner is not another's money.
        sum((max(euros(0), one.held_for) for one in owners), euros(0)),
        put - taken,
    )


@dataclass(frozen=True, slots=True)
class Peak:
    """The most held for owners on a day of a year (*pointe des fonds détenus*), EUR.

    least: what the financial guarantee may not be below (décret 72-678, art. 29 à 32).
    """

    year: int
    day: date | None
    amount: Money
    least: Money

    @property
    def guarantee(self) -> Money:
        """The guarantee that the year called for."""
        return max(self.amount, self.least)


def peaks(*, until: date) -> list[Peak]:
    """Year by year, the day on which most was held for owners, the latest year first; one query.

    What is advanced to an owner lowers no other's money.
    """
    rows = dialect.rows(
        'SELECT v."on", a.owner_id, SUM(-v.signed) FROM leases_account a'
        f" JOIN {both_sides('w.kind = %(held)s')} v"
        ' ON v.account_id = a.id AND v."on" <= DAY(%(until)s) WHERE a.kind = %(held)s AND a.owner_id IS NOT NULL'
        ' GROUP BY v."on", a.owner_id ORDER BY v."on"',
        {"until": until, "held": ledger.HELD_FOR},
    )
    held: dict[int, int] = defaultdict(int)
    total = 0
    best: dict[int, tuple[int, date]] = {}
    by_day: dict[date, list[tuple[int, int]]] = {}
    for day, owner, cents in rows:
        day = date.fromisoformat(day) if isinstance(day, str) else day
        by_day.setdefault(day, []).append((owner, int(cents)))
    before = None
    for day, moved in by_day.items():
        for year in range(before.year + 1, day.year + 1) if before else ():
            best[year] = (total, date(year, 1, 1))
        for owner, cents in moved:
            total += max(0, held[owner] + cents) - max(0, held[owner])
            held[owner] += cents
        if total > best.get(day.year, (-1, day))[0]:
            best[day.year] = (total, day)
        before = day
    return [
        Peak(year, day, from_cents(cents), euros(rule(GUARANTEE_MIN, on=day).value))
        for year, (cents, day) in sorted(best.items(), reverse=True)
    ]


def mandates():
    """The register of mandates (*registre des mandats*), by first day then number (décret 72-678, art. 65)."""
    return Holding.objects.filter(title__in=OWNERS_BOOK_TITLES).select_related("owner", "unit")
