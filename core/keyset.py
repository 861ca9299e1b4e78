"""Rows in the order of (value, id), read from any row either way: no COUNT, no OFFSET.

Lists and API page by it. Empty values come last, whichever the direction.
"""

import base64
import binascii
import json
import uuid
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import F, Q, QuerySet
from moneyed import Money

from core.money import euros

SORT_VALUE = "list_sort_value"


class Keyset:
    """A queryset in the order of (value, id), read forward or backward from any row.

    rows: the queryset. path: what the database orders by ("pk" for the id alone).
    """

    def __init__(self, rows: QuerySet, path: str, *, descending: bool):
        self.by_id = path in ("pk", "id")
        self.descending = descending
        self.nullable = not self.by_id and may_be_null(rows, path)
        self.rows = rows if self.by_id else rows.annotate(**{SORT_VALUE: F(path)})

    def place(self, thing) -> tuple:
        return (None if self.by_id else getattr(thing, SORT_VALUE)), thing.pk

    def ordered(self, *, backward: bool = False) -> QuerySet:
        down = self.descending != backward
        by_pk = "-pk" if down else "pk"
        if self.by_id:
            return self.rows.order_by(by_pk)
        value = F(SORT_VALUE)
        nulls = {}
        if self.nullable:
            # Empty last, in both directions: so first when read backward.
            nulls = {"nulls_first": True} if backward else {"nulls_last": True}
        return self.rows.order_by(value.desc(**nulls) if down else value.asc(**nulls), by_pk)

    def after(self, place: tuple | None, limit: int) -> list:
        rows = self.ordered()
        return list((rows.filter(self.beyond(place, backward=False)) if place else rows)[:limit])

    def before(self, place: tuple | None, limit: int) -> list:
        rows = self.ordered(backward=True)
        found = list((rows.filter(self.beyond(place, backward=True)) if place else rows)[:limit])
        return found[::-1]

    def beyond(self, place: tuple, *, backward: bool) -> Q:
        value, pk = place
        more = "lt" if self.descending != backward else "gt"
        next_id = Q(**{f"pk__{more}": pk})
        if self.by_id:
            return next_id
        empty = Q(**{f"{SORT_VALUE}__isnull": True})
        if value is None:
            return (empty & next_id) | ~empty if backward else empty & next_id
        # The first half alone is what an index can follow.
        found = Q(**{f"{SORT_VALUE}__{more}e": value}) & (Q(**{f"{SORT_VALUE}__{more}": value}) | next_id)
        return found | empty if self.nullable and not backward else found

    def checked(self, place: tuple | None) -> tuple | None:
        """The place, if this order can compare with it; else None (a token made by hand)."""
        if place is None or (place[0] is None and not (self.by_id or self.nullable)):
            return None
        try:
            str(self.rows.filter(self.beyond(place, backward=False)).query)
        except (ValueError, TypeError, ValidationError, OverflowError, ArithmeticError):
            return None
        except Exception as error:
            # Django refuses a value out of the column's range by leaving the query empty.
            if type(error).__name__ in ("EmptyResultSet", "FullResultSet"):
                return place
            raise
        return place


def may_be_null(rows: QuerySet, path: str) -> bool:
    """Whether a path can be empty; what is computed is taken to be."""
    model = rows.model
    if path.split("__")[0] in rows.query.annotations:
        return True
    found = None
    for part in path.split("__"):
        if model is None:
            return True
        try:
            found = model._meta.pk if part == "pk" else model._meta.get_field(part)
        except FieldDoesNotExist:
            return True
        if getattr(found, "null", True):
            return True
        model = found.related_model
    return found is None


# Each kind of sort value: its letter, how it is written, how it is read again.
CURSOR_KINDS: tuple[tuple[str, type, Callable, Callable], ...] = (
    ("b", bool, int, lambda v: bool(int(v))),
    ("i", int, str, lambda v: bounded(int(str(v)[:40]))),
    ("f", float, repr, float),
    ("d", Decimal, str, lambda v: finite(Decimal(v))),
    ("m", Money, lambda v: str(v.amount), lambda v: euros(finite(Decimal(v)))),
    ("t", datetime, datetime.isoformat, datetime.fromisoformat),
    ("j", date, date.isoformat, date.fromisoformat),
    ("u", uuid.UUID, str, uuid.UUID),
    ("s", str, str, lambda v: plain(v)),
)


def bounded(number: int) -> int:
    if not -(2**63) <= number < 2**63:
        raise ValueError(number)
    return number


def finite(number: Decimal) -> Decimal:
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise ValueError(number)
    return number


def plain(text) -> str:
    if not isinstance(text, str) or "\0" in text:
        raise ValueError(text)
    text.encode()
    return text


def encode_cursor(sort: str, value, pk) -> str:
    """A place in a list as a word of an address."""
    body = json.dumps([sort, _packed(value), _packed(pk)], separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def decode_cursor(text: str, sort: str) -> tuple | None:
    """(value, id) of a token, or None if it is no token of this sort."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        made_for, value, pk = json.loads(raw)
        if made_for != sort:
            return None
        return _unpacked(value), _unpacked(pk)
    except (ValueError, TypeError, KeyError, InvalidOperation, binascii.Error, RecursionError):
        return None


def _packed(value):
    if value is None:
        return None
    for letter, kind, write, _read in CURSOR_KINDS:
        if isinstance(value, kind):
            return [letter, write(value)]
    raise TypeError(f"A list cannot be sorted by {type(value).__name__}.")


def _unpacked(pair):
    if pair is None:
        return None
    letter, text = pair
    readers = {known: read for known, _kind, _write, read in CURSOR_KINDS}
    return readers[letter](text)
