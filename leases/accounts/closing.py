"""Closing the accounts (*clôture*): the period lock, the trial balance, the general ledger.

A book is closed up to a day: the database takes no posting dated on it or before
(leases/sql/closing.*.sql). Accounts of income and expense start anew each 1 January; what they came
to before stands under one line, the result of earlier years (*compte 120*), as in the FEC.
"""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from django.db import IntegrityError, connection, transaction
from django.db.models import Case, Count, F, Q, QuerySet, Sum, Value, When
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect
from core.errors import Refusal
from core.money import EuroField, euros, from_cents
from core.periods import ONE_DAY, Period, first_of_month, next_month
from core.refusals import refusal_of
from leases import ledger
from leases.bank import Allocation, Statement
from leases.ledger import ACCOUNT_KINDS, Account, Book, Entry, PeriodLock, Posting
from leases.rent import MonthToReview, RentRun

QUERIES = Path(__file__).resolve().parent.parent / "queries"

EARLIER_RESULT = 0
"""Stands for the result of earlier years among account kinds: it has no account of its own."""
EARLIER_NUMBERS = {1: "120", -1: "129"}
"""Its number by the sign of what was earned: a profit, a loss."""
OF_THE_YEAR = tuple(code for code, kind in ACCOUNT_KINDS.items() if kind.number[0] in "67")
"""Kinds of account that start anew each year: income and expense (*comptes de gestion*)."""


# ---- the lock -------------------------------------------------------------------------------


class CannotClose(Refusal):
    """A period that cannot be closed now."""


class CannotReopen(Refusal):
    """A period that cannot be opened again."""


@dataclass(frozen=True, slots=True)
class LockPreview:
    """What closing a book up to a day would close, and what is better done before.

    postings, total: closed by it, not closed yet; EUR. suspense, suspense_total: money still to
    identify. reviews: months that the next run corrects. uncalled: months without rent run.
    late: bank accounts whose statements stop before that day: (name, last day or None).
    """

    up_to: date
    closed: date | None
    postings: int
    total: Money
    suspense: int
    suspense_total: Money
    reviews: int
    uncalled: list[date]
    late: list[tuple[str, date | None]]


def lock_period(up_to: date, *, book: Book | None = None, reason: str = "", by, now: datetime) -> PeriodLock:
    """Close the accounts up to a day, included (*clôture de période*): of a book, or of all books.

    Raises CannotClose: a day not over yet, days closed already, a rent run still open in them, an
    entry never sealed.
    """
    place = f"{up_to:%d/%m/%Y}"
    if up_to >= now.date():
        raise CannotClose(place, _("This day is not over yet."), _("Close up to yesterday at the latest."))
    with transaction.atomic():
        _hold_postings()
        closed = _own_day(book)
        if closed is not None and up_to <= closed:
            raise CannotClose(
                place,
                _("The accounts are closed up to %(day)s already.") % {"day": f"{closed:%d/%m/%Y}"},
                _("Give a later day."),
            )
        run = RentRun.objects.filter(closed_at=None, month__lte=up_to).first()
        if run:
            raise CannotClose(
                place,
                _("The rent run of %(month)s is still open.") % {"month": f"{run.month:%m/%Y}"},
                _("Resume it and let it end, then close."),
            )
        if Entry.objects.filter(lines=None).exists():
            raise CannotClose(
                place,
                _("An entry was begun and never sealed."),
                _("Show what check_ledger says to the administrator, then close."),
            )
        lock = PeriodLock.objects.create(book=book, up_to=up_to, at=now, by=by, reason=reason.strip())
        audit.record(by, "lock", "closing", lock.pk, up_to=up_to, book=book.pk if book else None)
    return lock


def unlock_period(
    up_to: date | None, *, book: Book | None = None, reason: str, by, now: datetime
) -> PeriodLock:
    """Open closed days again, after `up_to`; None opens all (*réouverture*). Dated, kept, audited.

    Raises CannotReopen: nothing to open, no reason, or a year whose FEC was declared final.
    """
    place = f"{up_to:%d/%m/%Y}" if up_to else str(_("the whole period"))
    if not reason.strip():
        raise CannotReopen(place, _("No reason is given."), _("Say why the accounts are opened again."))
    with transaction.atomic():
        closed = _own_day(book)
        if closed is None or (up_to is not None and up_to >= closed):
            raise CannotReopen(
                place, _("Nothing is closed after that day."), _("Give a day before the last closed one.")
            )
        try:
            with transaction.atomic():
                lock = PeriodLock.objects.create(book=book, up_to=up_to, at=now, by=by, reason=reason.strip())
        except IntegrityError as fault:
            # The database knows which accounting files were declared final.
            told = refusal_of(fault, place)
            raise CannotReopen(place, told.reason, told.remedy) from fault
        audit.record(by, "unlock", "closing", lock.pk, up_to=up_to, book=book.pk if book else None)
    return lock


def preview_lock(up_to: date, *, book: Book | None = None) -> LockPreview:
    """What lock_period would close, and what is better done before; writes nothing."""
    closed = _own_day(book)
    rows = Posting.objects.filter(on__lte=up_to)
    if closed:
        rows = rows.filter(on__gt=closed)
    if book:
        rows = rows.filter(debit__book=book)
    found = rows.aggregate(count=Count("pk"), total=Sum("amount"))
    waiting = Allocation.objects.in_suspense().filter(on__lte=up_to)
    if book:
        waiting = waiting.filter(account__book=book)
    left = [one.left for one in waiting.only("pk", "amount")]
    banks = Statement.objects.order_by("bank", "-end")
    if book:
        banks = banks.filter(bank__book=book)
    last: dict[str, date] = {}
    for name, end in banks.values_list("bank__name", "end"):
        last.setdefault(name, end)
    return LockPreview(
        up_to=up_to,
        closed=closed,
        postings=found["count"],
        total=found["total"] or euros(0),
        suspense=len(left),
        suspense_total=sum(left, euros(0)),
        reviews=MonthToReview.objects.filter(run=None, month__lte=up_to).count(),
        uncalled=_uncalled(closed, up_to),
        late=[(name, end) for name, end in last.items() if end < up_to],
    )


def closed_by_book() -> list[tuple[Book | None, date]]:
    """Where the accounts are closed now: (None, day) for all books, then each book of its own; two queries."""
    closed = ledger.closed_days()
    books = Book.objects.select_related("owner").in_bulk([key for key in closed if key is not None])
    return [(books.get(key), day) for key, day in sorted(closed.items(), key=lambda one: one[0] or 0)]


def _own_day(book: Book | None) -> date | None:
    """The last day closed by the lines of that very book, or of all books."""
    return PeriodLock.objects.filter(book=book).order_by("-pk").values_list("up_to", flat=True).first()


def _hold_postings() -> None:
    """Wait for those who post just now, and hold those to come until we commit (SQLite has one writer)."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE leases_posting IN SHARE MODE")


def _uncalled(closed: date | None, up_to: date) -> list[date]:
    """Months not closed yet, up to a day, between two that were called and without rent run themselves."""
    called = set(RentRun.objects.filter(month__lte=up_to).values_list("month", flat=True))
    if not called:
        return []
    month = max(min(called), first_of_month(closed) if closed else min(called))
    found = []
    while month <= up_to:
        if month not in called:
            found.append(month)
        month = next_month(month)
    return found


# ---- the trial balance ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One account of the trial balance (*balance générale*): EUR; balances positive when debit.

    kind: of ACCOUNT_KINDS, or EARLIER_RESULT. opening: before the first day; debit, credit: moved.
    """

    kind: int
    number: str
    label: str
    opening: Money
    debit: Money
    credit: Money

    @property
    def closing(self) -> Money:
        return self.opening + self.debit - self.credit


def trial_balance(days: Period, *, book_id: int, year: date | None = None) -> list[TrialLine]:
    """Every account of a book over some days, by number: one query; its balances add up to zero.

    days: half-open. year: first day of the accounting year, 1 January by default; income and expense
    open at what they moved since. Uses posting_debit and posting_credit through the accounts of the book.
    """
    found = dialect.rows(
        dialect.load(QUERIES / "trial_balance.sql").format(of_the_year=", ".join(map(str, OF_THE_YEAR))),
        {
            "book": book_id,
            "start": days.start,
            "end": days.end,
            "year": year or date(days.start.year, 1, 1),
        },
    )
    lines, earlier = [], 0
    for kind, before, opening, debit, credit in found:
        earlier += int(before)
        if opening or debit or credit:
            told = ACCOUNT_KINDS[kind]
            lines.append(_line(kind, told.number, told.label, int(opening), int(debit), int(credit)))
    if earlier:
        lines.append(earlier_line(earlier))
    return sorted(lines, key=lambda line: line.number)


def earlier_line(cents: int) -> TrialLine:
    """The line of what was earned before the year: below zero, a profit (credit)."""
    number = EARLIER_NUMBERS[1 if cents < 0 else -1]
    return _line(EARLIER_RESULT, number, _("Result of earlier years"), cents, 0, 0)


def _line(kind, number, label, opening, debit, credit) -> TrialLine:
    return TrialLine(kind, number, label, from_cents(opening), from_cents(debit), from_cents(credit))


def trial_totals(lines: list[TrialLine]) -> dict[str, Money]:
    """Opening debit and credit, moved debit and credit, closing debit and credit: pairs that are equal."""
    zero = euros(0)
    return {
        "opening_debit": sum((line.opening for line in lines if line.opening > zero), zero),
        "opening_credit": -sum((line.opening for line in lines if line.opening < zero), zero),
        "debit": sum((line.debit for line in lines), zero),
        "credit": sum((line.credit for line in lines), zero),
        "closing_debit": sum((line.closing for line in lines if line.closing > zero), zero),
        "closing_credit": -sum((line.closing for line in lines if line.closing < zero), zero),
    }


# ---- the general ledger -----------------------------------------------------------------------


def general_ledger(*, book_id: int, kind: int | None = None, lease_id: int | None = None) -> QuerySet:
    """Postings of a book (*grand livre*), each with `debited` and `credited`, EUR or null.

    kind: of the one account told; its debits and credits then add up to its line of the trial
    balance. Without it each posting is told whole, as in a journal. Uses posting_debit and
    posting_credit.
    """
    accounts = Account.objects.filter(book=book_id)
    if kind is not None:
        accounts = accounts.filter(kind=kind)
    if lease_id is not None:
        accounts = accounts.filter(lease=lease_id)
    ids = accounts.values("pk")
    found = Posting.objects.select_related(
        "entry", "debit__lease", "credit__lease", "debit__owner", "credit__owner"
    )
    if kind is None and lease_id is None:
        # Both ends of a posting are of one book.
        return found.filter(debit__in=ids).annotate(debited=F("amount"), credited=F("amount"))
    nothing = Value(None, output_field=EuroField())
    return found.filter(Q(debit__in=ids) | Q(credit__in=ids)).annotate(
        debited=Case(When(debit__in=ids, then=F("amount")), default=nothing, output_field=EuroField()),
        credited=Case(When(credit__in=ids, then=F("amount")), default=nothing, output_field=EuroField()),
    )


def balance_before(day: date, *, book_id: int, kind: int) -> Money:
    """What an account of a book comes to before a day, EUR, as the trial balance opens: one query."""
    lines = trial_balance(Period(day, day + ONE_DAY), book_id=book_id)
    return next((line.opening for line in lines if line.kind == kind), euros(0))
