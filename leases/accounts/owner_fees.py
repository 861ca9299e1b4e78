"""Management fees (*honoraires de gestion*), month by month.

Fees count what was really received since the first month counted, less what was counted before: so
a payment learnt late, or returned, is in the next month's fee by itself. An owner's fee is posted
once a month, and never takes more than is held for that owner; the rest waits.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from django.db import models, transaction
from django.db.models import Max, Q, Sum
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect
from core.errors import Refusal
from core.law import rule
from core.money import EuroField, euros, from_cents, to_cents
from core.periods import Period
from leases import ledger, operations
from leases.accounts.owner_terms import Basis, FeeTerms, kept_on, terms_on
from leases.lease import Lease
from leases.ledger import Account, Book, Source
from leases.operations import Operation
from portfolio.owners import Owner
from portfolio.stock import Unit

QUERIES = Path(__file__).resolve().parent.parent / "queries"
MONEY = (
    ledger.FUNDS,
    ledger.ADVANCE,
    ledger.BANK,
    ledger.SUSPENSE,
    ledger.CASH,
    ledger.CHEQUES,
    ledger.CARDS,
)
"""Kinds of account of an owner's book that are money, less what is advanced and what is not identified."""
VAT_RATE = "VAT_STANDARD"


class Fee(models.Model):
    """The management fee of an owner for a month (*honoraires*): counted and posted once.

    due: counted for the month, EUR without VAT, below zero after returned payments. brought: left
    from the month before. taken: posted now; vat on it at vat_rate per cent. The rest is carried.
    """

    owner = models.ForeignKey(Owner, models.PROTECT, related_name="+")
    month = models.DateField(_("month"))
    brought = EuroField(_("brought forward"))
    due = EuroField(_("counted"))
    taken = EuroField(_("fee"))
    vat_rate = models.DecimalField(_("VAT rate, %"), max_digits=5, decimal_places=2)
    vat = EuroField(_("VAT"))

    class Meta:
        verbose_name, verbose_name_plural = _("management fee"), _("management fees")
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "month"],
                name="fee_once_a_month",
                violation_error_message=_("The fee of this month was already counted."),
            ),
            models.CheckConstraint(name="fee_of_a_month", condition=dialect.FirstOfMonth("month")),
        ]

    def __str__(self):
        return f"{self.owner_id} {self.month:%Y-%m}"

    @property
    def carried(self) -> Money:
        """Counted and not taken yet."""
        return self.brought + self.due - self.taken


class FeeLine(models.Model):
    """Of what a fee was counted (*détail des honoraires*): one lease, or one home at a fixed fee."""

    fee = models.ForeignKey(Fee, models.PROTECT, related_name="lines")
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, related_name="+")
    lease = models.ForeignKey(Lease, models.PROTECT, null=True, related_name="+")
    basis = models.CharField(_("fee"), max_length=8, choices=Basis)
    base = EuroField(_("counted on"))
    received = EuroField(_("received"))
    called = EuroField(_("called"))
    rate = models.DecimalField(_("fee rate, %"), max_digits=5, decimal_places=2)
    amount = EuroField(_("amount"))

    class Meta:
        verbose_name, verbose_name_plural = _("line of a fee"), _("lines of a fee")

    def __str__(self):
        return f"{self.fee_id}: {self.amount}"


class CannotCount(Refusal):
    """A month whose fees cannot be counted now."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What a month's work posted: how many owners, EUR in all."""

    owners: int = 0
    total: Money = euros(0)
    vat: Money = euros(0)


def shared(exact: list[Fraction]) -> list[int]:
    """Whole cents of exact parts, which add up to their sum rounded half up (*arrondi*).

    The cents left go to the largest remainders, first come first: the same parts give the same
    cents for ever.
    """
    total = half_up(sum(exact, Fraction(0)))
    parts = [part.numerator // part.denominator for part in exact]
    order = sorted(range(len(exact)), key=lambda i: (parts[i] - exact[i], i))
    for at in order[: total - sum(parts)]:
        parts[at] += 1
    return parts


def half_up(cents: Fraction) -> int:
    """The nearest cent, a half away from zero."""
    whole = (2 * abs(cents) + 1) // 2
    return int(whole) if cents >= 0 else -int(whole)


def vat_of(amount: Money, percent: Decimal) -> Money:
    """VAT on an amount without it, rounded half up to the cent."""
    return from_cents(half_up(Fraction(to_cents(amount)) * Fraction(percent) / 100))


def within(wanted: Money, percent: Decimal, most: Money) -> Money:
    """The most of a fee that, with its VAT, takes no more than `most`: EUR, never below zero."""
    if wanted <= euros(0) or wanted + vat_of(wanted, percent) <= most:
        return wanted
    cents = max(0, int(Fraction(to_cents(most)) * 100 / (100 + Fraction(percent))))
    while cents and from_cents(cents) + vat_of(from_cents(cents), percent) > most:
        cents -= 1
    return from_cents(cents)


# ---- fees -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeaseMonth:
    """A lease under a mandate over a month, EUR: see queries/owners_leases.sql."""

    owner_id: int
    lease_id: int
    unit_id: int | None
    received: Money
    called: Money
    owed_before: Money
    owed_after: Money


def leases_of(month: date) -> list[LeaseMonth]:
    """Every lease of every owner's book, and what it received and owed; one query."""
    params = {
        "month": month,
        "next": Period.month(month).end,
        "operation": Source.OPERATION,
        "allocation": Source.ALLOCATION,
        "receipt": Source.RECEIPT,
        "call": Source.CALL,
        "tenant": ledger.TENANT,
        "benefit": ledger.BENEFIT,
        "deposit": ledger.DEPOSIT,
        "deposit_called": operations.DEPOSIT_CALLED,
        "deposit_given_back": operations.DEPOSIT_GIVEN_BACK,
    }
    return [
        LeaseMonth(owner, lease, unit, *(from_cents(int(cents)) for cents in sums))
        for owner, lease, unit, *sums in dialect.rows(dialect.load(QUERIES / "owners_leases.sql"), params)
    ]


def money_sql(only: str = "") -> str:
    """queries/owners_money.sql; only: a further condition on the book `b`."""
    kinds = ", ".join(str(kind) for kind in MONEY)
    return dialect.load(QUERIES / "owners_money.sql").format(money=kinds, only=only)


def money_parameters(month: date, on: date) -> dict:
    return {
        "month": month,
        "next": Period.month(month).end,
        "on": on,
        "operation": Source.OPERATION,
        "receipt": Source.RECEIPT,
        "funds": ledger.FUNDS,
        "advance": ledger.ADVANCE,
    }


def both_sides(which: str) -> str:
    """SQL rows (account_id, signed, on, due, source) of the accounts `w` that a condition chooses.

    What the view leases_ledgerline says, each half by its own index even where it is summed.
    """
    half = (
        'SELECT w.id AS account_id, {sign}p.amount AS signed, p."on", p.due, p.source'
        " FROM leases_account w JOIN leases_posting p ON p.{side}_id = w.id WHERE " + which
    )
    return f"({half.format(sign='', side='debit')} UNION ALL {half.format(sign='-', side='credit')})"


def post_fees(month: date, *, by, now: datetime) -> Posted:
    """Count and post the fee of every owner under a mandate for a month, once (*honoraires*).

    A fixed number of statements, whatever the number of owners and homes. Owners already counted
    are left alone. Raises CannotCount: a month not over, or before one already counted.
    """
    whole = Period.month(month)
    _check_month(month, whole, now)
    with transaction.atomic():
        # Held until the end: of two who count at once, the second finds it done.
        books = {
            book.owner_id: book
            for book in Book.objects.select_for_update().exclude(owner=None).order_by("pk")
        }
        counted = set(Fee.objects.filter(month=month).values_list("owner", flat=True))
        lines = {
            owner: made
            for owner, made in _lines(month, whole).items()
            if owner in books and owner not in counted
        }
        if not lines:
            return Posted()
        available = _available(whole, lines)
        kept = kept_on(whole.last_day, lines)
        percent = Decimal(rule(VAT_RATE, on=whole.last_day).value)
        earlier = {}
        for fee in Fee.objects.filter(owner__in=lines).order_by("month"):
            earlier[fee.owner_id] = fee.carried
        fees = []
        for owner in sorted(lines):
            due = sum((line.amount for line in lines[owner]), euros(0))
            rate = percent if owner not in kept or kept[owner].vat else Decimal(0)
            brought = earlier.get(owner, euros(0))
            taken = within(brought + due, rate, max(euros(0), available.get(owner, euros(0))))
            fees.append(
                Fee(
                    owner_id=owner,
                    month=month,
                    brought=brought,
                    due=due,
                    taken=taken,
                    vat_rate=rate,
                    vat=vat_of(taken, rate),
                )
            )
        Fee.objects.bulk_create(fees, batch_size=2_000)
        for fee in fees:
            for line in lines[fee.owner_id]:
                line.fee = fee
        FeeLine.objects.bulk_create([line for fee in fees for line in lines[fee.owner_id]], batch_size=2_000)
        operations.post(_fee_drafts(fees, books, whole), label=f"Fees {month:%Y-%m}", by=by, now=now)
        audit.record(by, "run", "owner_account", f"{month:%Y-%m}", fees=len(fees))
    total = sum((fee.taken for fee in fees), euros(0))
    return Posted(len(fees), total, sum((fee.vat for fee in fees), euros(0)))


def _check_month(month: date, whole: Period, now: datetime) -> None:
    if month.day != 1 or now.date() < whole.end:
        raise CannotCount(
            f"{month:%Y-%m}", _t("This month is not over yet."), _t("Count its fees from the next month on.")
        )
    last = Fee.objects.aggregate(last=Max("month"))["last"]
    if last and month < last:
        raise CannotCount(
            f"{month:%Y-%m}",
            _t("The fees of %(month)s are already counted.") % {"month": f"{last:%m/%Y}"},
            _t("What is learnt of an earlier month is in the next month's fees by itself."),
        )
    ledger.require_open(whole.last_day)


def _lines(month: date, whole: Period) -> dict[int, list[FeeLine]]:
    """Owner → the lines of its fee, less what was counted before; shared to the cent."""
    terms = terms_on(whole.last_day)
    before = {
        (owner, lease): (received, called)
        for owner, lease, received, called in FeeLine.objects.filter(
            lease__isnull=False, fee__month__lt=month
        )
        .values("fee__owner", "lease")
        .annotate(sum_received=Sum("received"), sum_called=Sum("called"))
        .values_list("fee__owner", "lease", "sum_received", "sum_called")
    }
    found: dict[int, list[tuple[FeeLine, Fraction]]] = {owner: [] for owner, _unit in sorted(terms)}
    for one in leases_of(month):
        received, called = before.get((one.owner_id, one.lease_id), (euros(0), euros(0)))
        agreed = terms.get((one.owner_id, one.unit_id)) or _any_of(terms, one.owner_id)
        if agreed is None or one.owner_id not in found:
            continue
        line = FeeLine(
            unit_id=one.unit_id,
            lease_id=one.lease_id,
            basis=agreed.basis,
            received=one.received - received,
            called=one.called - called,
            rate=agreed.rate,
        )
        line.base = {Basis.RECEIVED: line.received, Basis.CALLED: line.called}.get(agreed.basis, euros(0))
        if line.base or line.received or line.called:
            found[one.owner_id].append((line, Fraction(to_cents(line.base)) * Fraction(agreed.rate) / 100))
    for (owner, unit), agreed in sorted(terms.items()):
        days = (Period(agreed.holding.start, agreed.holding.end) & whole).days
        if agreed.basis == Basis.UNIT and days:
            line = FeeLine(
                unit_id=unit,
                basis=Basis.UNIT,
                base=agreed.per_unit,
                received=euros(0),
                called=euros(0),
                rate=Decimal(0),
            )
            found[owner].append((line, Fraction(to_cents(agreed.per_unit) * days, whole.days)))
    for pairs in found.values():
        for (line, _exact), cents in zip(pairs, shared([exact for _line, exact in pairs]), strict=True):
            line.amount = from_cents(cents)
    return {owner: [line for line, _exact in pairs] for owner, pairs in found.items()}


def _any_of(terms: dict[tuple[int, int], FeeTerms], owner: int) -> FeeTerms | None:
    """The terms of an owner's first home, for a lease that never occupied one."""
    return next((terms[key] for key in sorted(k for k in terms if k[0] == owner)), None)


def _available(whole: Period, owners: Iterable[int]) -> dict[int, Money]:
    """Owner → what is held at the month's end and still now, less its tenants' deposits; two queries."""
    at_end: dict[int, int] = defaultdict(int)
    now: dict[int, int] = defaultdict(int)
    for owner, whence, *_rest, cents in dialect.rows(money_sql(), money_parameters(whole.start, date.max)):
        at_end[owner] += cents if whence < 2 else 0
        now[owner] += cents
    held = deposits(whole.last_day)
    return {owner: from_cents(min(at_end[owner], now[owner])) - held.get(owner, euros(0)) for owner in owners}


def deposits(on: date) -> dict[int, Money]:
    """Owner → deposits of its tenants at a date, EUR; one query."""
    rows = dialect.rows(
        "SELECT b.owner_id, SUM(-v.signed) FROM leases_book b JOIN leases_account a ON a.book_id = b.id"
        f" AND a.kind = %(deposit)s JOIN {both_sides('w.kind = %(deposit)s')} v ON v.account_id = a.id"
        ' AND v."on" <= DAY(%(on)s) WHERE b.owner_id IS NOT NULL GROUP BY b.owner_id',
        {"deposit": ledger.DEPOSIT, "on": on},
    )
    return {owner: from_cents(int(cents)) for owner, cents in rows}


def _fee_drafts(fees: list[Fee], books: dict[int, Book], whole: Period) -> list[Operation]:
    mine = [fee for fee in fees if fee.taken]
    ways = Ways({fee.owner_id: books[fee.owner_id].pk for fee in mine}, ledger.FEES_PAID)
    drafts = []
    for fee in mine:
        back = fee.taken < euros(0)
        for kind, opposite, own, amount in (
            (operations.FEE, operations.FEE_GIVEN_BACK, ledger.FEES_EARNED, fee.taken),
            (operations.VAT_ON_FEE, operations.VAT_GIVEN_BACK, ledger.VAT, fee.vat),
        ):
            if amount:
                drafts.append(
                    Operation(
                        kind=opposite if back else kind,
                        key=f"fee {fee.owner_id} {fee.month:%Y-%m}",
                        amount=abs(amount),
                        on=whole.last_day,
                        due=whole.last_day,
                        **(ways.into(fee.owner_id, own) if back else ways.out_of(fee.owner_id, own)),
                    )
                )
    return drafts


class Ways:
    """How amounts pass between the association's book and owners' books: accounts opened in bulk.

    books: owner → its book. there: kind of the account in each owner's book.
    """

    def __init__(self, books: dict[int, int], there: int):
        self.books, self.own, self.own_book = books, {}, ledger.association_book_id()
        self.held = open_accounts(ledger.HELD_FOR, owners=books, book=self.own_book)
        self.funds = open_accounts(ledger.FUNDS, books=books.values())
        self.there = open_accounts(there, books=books.values())

    def _own(self, kind: int) -> Account:
        if kind not in self.own:
            self.own[kind] = operations.account(kind, book=self.own_book)
        return self.own[kind]

    def out_of(self, owner: int, kind: int) -> dict[str, Account]:
        """The owner pays: held for it → the association's account of that kind."""
        book = self.books[owner]
        return {
            "debit": self.held[owner],
            "credit": self._own(kind),
            "other_debit": self.there[book],
            "other_credit": self.funds[book],
        }

    def into(self, owner: int, kind: int) -> dict[str, Account]:
        """The owner receives: the association's account of that kind → held for it."""
        book = self.books[owner]
        return {
            "debit": self._own(kind),
            "credit": self.held[owner],
            "other_debit": self.funds[book],
            "other_credit": self.there[book],
        }


def open_accounts(kind: int, *, books=(), owners=(), book: int | None = None) -> dict[int, Account]:
    """The account of a kind in each book, or of each owner in one book; missing ones opened at once."""
    if book is not None:
        wanted, key, where = set(owners), "owner_id", Q(book=book, owner__in=list(owners))
    else:
        wanted, key = set(books), "book_id"
        where = Q(book__in=list(wanted), owner__isnull=True, lease__isnull=True, bank__isnull=True)
    rows = Account.objects.filter(where, kind=kind)
    there = {getattr(one, key) for one in rows}
    if missing := sorted(wanted - there):
        Account.objects.bulk_create(
            [
                Account(kind=kind, book_id=book, owner_id=one)
                if book is not None
                else Account(kind=kind, book_id=one)
                for one in missing
            ]
        )
    return {getattr(one, key): one for one in rows.all()}
