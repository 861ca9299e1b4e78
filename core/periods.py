"""Days and stretches of days (*périodes*): start included, end excluded or none.

Pure dates, no Django. A page shows `last_day`, never `end`.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

ONE_DAY = timedelta(days=1)
YEAR_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")


class NotAMonth(ValueError):
    """A whole calendar month was wanted: written 2026-03, or from a first to the next first."""


class OpenPeriod(ValueError):
    """A number of days was asked of a period that has no end."""


class EndBeforeStart(ValueError):
    """A period cannot end before it starts."""


@dataclass(frozen=True, slots=True, order=False)
class Period:
    """Half-open days [start, end); end None means still running.

    An empty period (end equal to start) is false and counts 0 days, so that
    `(occupied & month).days` needs no test first.
    Raises EndBeforeStart.
    """

    start: date
    end: date | None = None

    def __post_init__(self) -> None:
        if self.end is not None and self.end < self.start:
            raise EndBeforeStart(f"A period from {self.start} cannot end on {self.end}.")

    @classmethod
    def month(cls, day: date) -> Period:
        """The whole calendar month that contains day."""
        return cls(first_of_month(day), next_month(day))

    @classmethod
    def parse_month(cls, text: str) -> Period:
        """The month written "2026-03". Raises NotAMonth."""
        found = YEAR_MONTH.fullmatch(text.strip())
        if found:
            year, month = int(found[1]), int(found[2])
            if 1 <= year < date.max.year and 1 <= month <= 12:
                return cls.month(date(year, month, 1))
        raise NotAMonth(f"Write a month as YYYY-MM, for example 2026-03, not {text!r}.")

    @classmethod
    def from_to(cls, first: date, last: date | None = None) -> Period:
        """The days from first to last, both included, as files and pages give them."""
        return cls(first, None if last is None else last + ONE_DAY)

    def __bool__(self) -> bool:
        return self.end is None or self.end > self.start

    def __and__(self, other: Period) -> Period:
        """The days common to both; an empty period where there are none."""
        start = max(self.start, other.start)
        ends = [end for end in (self.end, other.end) if end is not None]
        if not ends:
            return Period(start)
        return Period(start, max(start, min(ends)))

    def __str__(self) -> str:
        return f"[{self.start}, {self.end or '…'})"

    @property
    def days(self) -> int:
        """Number of days. Raises OpenPeriod when there is no end."""
        if self.end is None:
            raise OpenPeriod(f"The period from {self.start} has no end: its days cannot be counted.")
        return (self.end - self.start).days

    @property
    def last_day(self) -> date | None:
        """The last day included, as people write it; None while open or when empty."""
        if self.end is None or not self:
            return None
        return self.end - ONE_DAY

    @property
    def is_month(self) -> bool:
        """True when this is exactly one calendar month."""
        return self == Period.month(self.start)

    def contains(self, day: date) -> bool:
        return self.start <= day and (self.end is None or day < self.end)

    def overlaps(self, other: Period) -> bool:
        """True when at least one day is common to both."""
        return bool(self) and bool(other) and bool(self & other)

    def months(self) -> Iterator[Period]:
        """Every whole calendar month touched, oldest first; endless while the period is open."""
        month = Period.month(self.start)
        while self and self.overlaps(month):
            yield month
            month = Period.month(next_month(month.start))


def first_of_month(day: date) -> date:
    """The first day of the month that contains day."""
    return day.replace(day=1)


def next_month(day: date) -> date:
    """The first day of the month after the one that contains day."""
    return add_months(first_of_month(day), 1)


def add_months(day: date, months: int) -> date:
    """The same day of the month, months later (or earlier), or that month's last day if it has none.

    Source: Code de procédure civile, art. 641, second paragraph.
    """
    year, index = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, index + 1, min(day.day, calendar.monthrange(year, index + 1)[1]))
