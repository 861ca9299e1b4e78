"""The aged balance of the stock (*balance âgée*): by owner kind, and lease by lease.

leases.checkpoint.aged_sql() ages what each lease owes; here it is summed, or read page by page.
What waits for its housing benefit is a column of its own, never added to what is owed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from django.db import connection
from moneyed import Money

from core import dialect
from core.keyset import bounded
from core.money import euros, from_cents, to_cents
from leases import checkpoint, tenant_account

QUERIES = Path(__file__).resolve().parent / "queries"

AGES = ("not_due", "d0_30", "d31_60", "d61_90", "over_90")
OVERDUE = AGES[1:]
SUMS = (*AGES, "due", "benefit_wait")

BUCKETS = {
    **{age: f"y.{age} > 0" for age in AGES},
    "due": "y.due > 0",
    "benefit_wait": "y.benefit_wait > 0",
    "technical": "y.due = 0 AND y.benefit_wait > 0",
}
"""Which leases a bucket holds, in SQL; technical: those that only wait for their benefit."""


@dataclass(slots=True)
class AgedTotal:
    """What the leases of one owner kind owe, EUR by age; owing, technical: how many leases."""

    owner_kind: str
    owing: int
    technical: int
    not_due: Money
    d0_30: Money
    d31_60: Money
    d61_90: Money
    over_90: Money
    due: Money
    benefit_wait: Money


@dataclass(slots=True)
class AgedLease:
    """A lease of the aged balance: EUR by age, and who holds its home; name and home are added by the page."""

    pk: int
    owner_kind: str
    not_due: Money
    d0_30: Money
    d31_60: Money
    d61_90: Money
    over_90: Money
    due: Money
    benefit_wait: Money
    oldest_due: date | None
    lease: object = None
    name: str = ""
    stay: object = None


@dataclass(slots=True)
class AgedStock:
    """The aged balance at a date, narrowed: owner_kind, bucket (of BUCKETS), leases (a queryset)."""

    on: date
    owner_kind: str = ""
    bucket: str = ""
    leases: object = None
    params: dict = field(default_factory=dict)

    def totals(self) -> list[AgedTotal]:
        """By owner kind, one query for the whole stock."""
        sums = ", ".join(f"SUM(y.{name})" for name in SUMS)
        text = (
            f"SELECT y.owner_kind, SUM(CASE WHEN y.due > 0 THEN 1 ELSE 0 END),"
            f" SUM(CASE WHEN {BUCKETS['technical']} THEN 1 ELSE 0 END), {sums}"
            f" {self._from()} GROUP BY y.owner_kind ORDER BY y.owner_kind"
        )
        return [
            AgedTotal(kind, int(owing), int(technical), *(from_cents(cents) for cents in cents))
            for kind, owing, technical, *cents in dialect.rows(text, self.params)
        ]

    def total(self) -> dict[str, Money]:
        """All of it together."""
        by_kind = self.totals()
        return {name: sum((getattr(one, name) for one in by_kind), euros(0)) for name in SUMS}

    def read(self, order: str, *, beyond: str = "", limit: int = 0, **params) -> Iterator[AgedLease]:
        """The leases in an SQL order, from a place on."""
        columns = ", ".join(f"y.{name}" for name in SUMS)
        text = f"SELECT y.lease_id, y.owner_kind, {columns}, y.oldest_due {self._from()}"
        if beyond:
            text += f" AND {beyond}"
        text += f" ORDER BY {order}" + (f" LIMIT {int(limit)}" if limit else "")
        with connection.cursor() as cursor:
            dialect.execute(cursor, text, self.params | params)
            while rows := cursor.fetchmany(2_000):
                for pk, kind, *cents, oldest in rows:
                    oldest = date.fromisoformat(oldest) if isinstance(oldest, str) else oldest
                    yield AgedLease(pk, kind, *(from_cents(amount) for amount in cents), oldest)

    def _from(self) -> str:
        text = dialect.load(QUERIES / "aged_owner.sql").replace("{aged}", checkpoint.aged_sql(self.on))
        self.params = tenant_account.aged_parameters(self.on)
        if self.owner_kind:
            text += " AND y.owner_kind = %(owner_kind)s"
            self.params["owner_kind"] = self.owner_kind
        if self.bucket:
            text += f" AND {BUCKETS[self.bucket]}"
        if self.leases is not None:
            text += f" AND y.lease_id IN ({self._narrowed()})"
        return text

    def _narrowed(self) -> str:
        """The leases' own query, its parameters named."""
        text, values = self.leases.order_by().values("pk").query.get_compiler("default").as_sql()
        named = {f"lease{number}": value for number, value in enumerate(values)}
        self.params |= named
        names = iter(named)
        return re.sub("%s", lambda _found: f"%({next(names)})s", text)


class AgedKeyset:
    """The aged balance in the order of (amount, lease): what core.pages.ListPage pages by."""

    def __init__(self, stock: AgedStock, column: str, *, descending: bool):
        self.stock, self.column, self.descending = stock, column, descending

    def place(self, row: AgedLease) -> tuple[Money, int]:
        return getattr(row, self.column), row.pk

    def after(self, place, limit: int) -> list[AgedLease]:
        return list(self._read(place, limit, backward=False))

    def before(self, place, limit: int) -> list[AgedLease]:
        return list(self._read(place, limit, backward=True))[::-1]

    def ordered(self) -> "AgedKeyset":
        return self

    def iterator(self, chunk_size: int = 0) -> Iterator[AgedLease]:
        return self._read(None, 0, backward=False)

    def checked(self, place) -> tuple | None:
        """The place, if it is an amount and a lease; else None (a token made by hand)."""
        try:
            to_cents(place[0])
            bounded(to_cents(place[0]))
            return place if isinstance(place[1], int) else None
        except (TypeError, ValueError, AttributeError):
            return None

    def _read(self, place, limit, *, backward):
        down = self.descending != backward
        way, more = ("DESC", "<") if down else ("ASC", ">")
        order = f"y.{self.column} {way}, y.lease_id {way}"
        if place is None:
            return self.stock.read(order, limit=limit)
        beyond = f"(y.{self.column}, y.lease_id) {more} (%(place)s, %(lease_id)s)"
        return self.stock.read(order, beyond=beyond, limit=limit, place=to_cents(place[0]), lease_id=place[1])
