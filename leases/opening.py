"""Balances taken over from another program (*reprise des soldes*), and the report that proves them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from moneyed import Money

from core.cells import Column
from core.errors import Refusal
from core.imports import (
    BATCH,
    Echo,
    Imported,
    content,
    kept,
    read_lines,
    record,
    silent,
    stop_at_faults,
    whole,
)
from core.money import EuroField, euros
from core.periods import ONE_DAY, next_month
from core.tables import RowError, TableRow
from leases import ledger, rent
from leases.lease import Lease
from leases.ledger import (
    ADVANCE,
    BENEFIT,
    FUNDS,
    HELD_FOR,
    OPENING,
    TENANT,
    Account,
    Book,
    Entry,
    Posting,
    Source,
)
from leases.occupancy import Occupancy
from leases.rent import RentCall
from portfolio.owners import OWNERS_BOOK_TITLES, Holding, Owner


class OpeningBalance(models.Model):
    """A balance at the day of take-over (*solde d'ouverture*); never changed, never deleted.

    account: a tenant's, a benefit's or an owner's. amount: EUR; positive, the account is owed to
    us (a tenant's debt); negative, it is ours to give back. month: the month it comes from, if known.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    on = models.DateField(_("date"))
    month = models.DateField(_("month"), null=True)
    amount = EuroField(_("amount"))

    class Meta:
        verbose_name = pgettext_lazy("taken over", "opening balance")
        verbose_name_plural = _("opening balances")
        constraints = [
            models.CheckConstraint(name="opening_balance_not_zero", condition=~Q(amount=0)),
            models.UniqueConstraint(fields=["account", "month"], name="opening_balance_once_a_month"),
            models.UniqueConstraint(
                fields=["account"], name="opening_balance_once", condition=Q(month__isnull=True)
            ),
        ]

    def __str__(self):
        return f"{self.account_id} {self.amount}"


ACCOUNTS = {"locataire": TENANT, "aide": BENEFIT, "propriétaire": HELD_FOR}
BALANCE_COLUMNS = [
    Column("bail_reference", key="lease_reference", help=_("The lease; blank for an owner.")),
    Column("proprietaire_reference", key="owner_reference", help=_("The owner; blank for a lease.")),
    Column(
        "compte",
        "choice",
        choices=ACCOUNTS,
        key="account",
        help=_("“aide”: housing benefit of this lease still expected from its payer."),
    ),
    Column("mois", "month", key="month", help=_("The month the balance comes from, where known.")),
    Column(
        "montant",
        "euros",
        key="amount",
        required=True,
        help=_("Of a lease: what is still owed, below zero when paid ahead. Of an owner: what is held."),
    ),
]
COLUMN = {column.key: column for column in BALANCE_COLUMNS}
FIELDS = {"lease_reference": (Lease, "reference"), "owner_reference": (Owner, "reference")}
MOST = 10_000_000
RANGES = {"amount": (-MOST, MOST)}


class NotAFirst(Refusal):
    """A take-over happens on the first of a month, so that no month is called by two programs."""


@dataclass(slots=True)
class Opening:
    """One balance of a file: whose, of which account kind, from which month, EUR as the file says."""

    row: TableRow
    reference: str
    kind: int
    month: date | None
    amount: Money
    account: Account | None = None

    @property
    def signed(self) -> Money:
        """As the account sees it: what is held for an owner is due to it, what was advanced due by its book."""
        return -abs(self.amount) if self.kind == HELD_FOR else self.amount


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A balance as the file says it and as the ledger holds it: EUR, the file's sign."""

    reference: str
    kind: int
    month: date | None
    file: Money
    ledger: Money

    @property
    def agrees(self) -> bool:
        return self.file == self.ledger


@dataclass(frozen=True, slots=True)
class OpeningReport:
    """File and ledger side by side, to the cent (*état de reprise*)."""

    lines: list[ReportLine]

    @property
    def differences(self) -> list[ReportLine]:
        return [line for line in self.lines if not line.agrees]

    def totals(self) -> list[tuple[str, int, Money, Money]]:
        """By kind of account: what it is, how many balances, EUR in the file, EUR in the ledger."""
        sums = {}
        for line in self.lines:
            count, in_file, in_ledger = sums.get(line.kind, (0, euros(0), euros(0)))
            sums[line.kind] = (count + 1, in_file + line.file, in_ledger + line.ledger)
        return [
            (str(ledger.ACCOUNT_KINDS[kind].label), count, in_file, in_ledger)
            for kind, (count, in_file, in_ledger) in sorted(sums.items())
        ]


def import_balances(file, *, on: date, by, now: datetime, echo: Echo = silent) -> Imported:
    """Take over the balances of a file as they stood before `on`, whole or not at all.

    on: the first day that this program keeps the accounts, the first of a month. A balance whose
    month is known falls due on that month's first day, so that it ages from there. The report
    given back compares file and ledger. The same file again changes nothing.
    Raises NotAFirst; BadImport with every fault; BadTable for what is no table.
    """
    if on.day != 1:
        raise NotAFirst(
            on.strftime("%d/%m/%Y"),
            _("The take-over is not on the first of a month."),
            _("Choose the first day of the month that this program calls first."),
        )
    ledger.require_open(on)
    data = content(file)
    rows, errors = read_lines(data, BALANCE_COLUMNS, fields=FIELDS, ranges=RANGES, echo=echo)
    imported = Imported(rows=len(rows))
    with whole():
        openings = _openings(rows, errors, on=on)
        rent.open_accounts()
        _find_lease_accounts(openings, errors, on=on)
        _find_owner_accounts(openings, errors)
        new = _not_yet_there(openings, errors, on=on)
        stop_at_faults(errors)
        if new:
            _post(new, on=on, now=now)
            imported.created[str(OpeningBalance._meta.verbose_name_plural)] = len(new)
            echo(len(new), len(new), str(OpeningBalance._meta.verbose_name_plural).capitalize())
        imported.remarks = list(errors)
        imported.report = opening_report(openings)
        record(by, "ledger", data, imported)
    return imported


def opening_report(openings: Sequence[Opening]) -> OpeningReport:
    """What a file says and what the ledger holds of it, balance by balance; two queries a part."""
    balances = {
        balance.pk: (balance.account_id, balance.month)
        for balance in kept(OpeningBalance.objects, "account_id", [one.account.pk for one in openings])
    }
    posted: dict[tuple, Money] = defaultdict(lambda: euros(0))
    for posting in kept(Posting.objects.filter(source=Source.OPENING, leg=0), "source_id", balances):
        account, month = balances[posting.source_id]
        posted[account, month] += posting.amount if posting.debit_id == account else -posting.amount
    return OpeningReport(
        [
            ReportLine(
                one.reference,
                one.kind,
                one.month,
                file=one.amount,
                ledger=_as_the_file(one, posted[one.account.pk, one.month]),
            )
            for one in openings
        ]
    )


def _as_the_file(opening: Opening, signed: Money) -> Money:
    return -signed if opening.account.kind == HELD_FOR else signed


# ---- reading ----------------------------------------------------------------------------


def refuse(row: TableRow, key: str, reason: str, remedy: str, errors: list[RowError]) -> None:
    errors.append(row.error(COLUMN[key].name, str(reason), str(remedy)))


def _openings(rows: list[TableRow], errors: list[RowError], *, on: date) -> list[Opening]:
    """The balances of a file; nothing owed is no balance."""
    found, seen = [], {}
    for row in rows:
        lease, owner = row["lease_reference"], row["owner_reference"]
        if (lease is None) == (owner is None):
            refuse(
                row,
                "lease_reference",
                _("A balance is of one lease or of one owner."),
                _("Give one reference, and only one."),
                errors,
            )
            continue
        kind = row["account"] or (TENANT if lease else HELD_FOR)
        if (kind == HELD_FOR) != (lease is None):
            refuse(
                row,
                "account",
                _("This account is not of that reference."),
                _("Leave the cell blank."),
                errors,
            )
            continue
        if row["month"] is not None and row["month"] >= on:
            refuse(
                row,
                "month",
                _("This month is not before the take-over: it is called here."),
                _("Leave this line out, or correct the month."),
                errors,
            )
            continue
        key = (lease or owner, kind, row["month"])
        if seen.setdefault(key, row.line) != row.line:
            refuse(
                row,
                "month",
                _("Line %(line)d gives the same balance.") % {"line": seen[key]},
                _("Add the two up on one line."),
                errors,
            )
        elif row["amount"]:
            found.append(Opening(row, lease or owner, kind, row["month"], row["amount"]))
    return found


def _unknown(opening: Opening, key: str, errors: list[RowError]) -> None:
    refuse(
        opening.row,
        key,
        _("Nothing has the reference “%(reference)s”.") % {"reference": opening.reference},
        _("Import it first, or correct the reference."),
        errors,
    )


def _find_lease_accounts(openings: list[Opening], errors: list[RowError], *, on: date) -> None:
    """The account of each lease's balance: in the book of whoever the month was owed to."""
    wanted = [one for one in openings if one.kind != HELD_FOR]
    leases = {
        lease.reference: lease
        for lease in kept(Lease.objects, "reference", (one.reference for one in wanted))
    }
    ids = [lease.pk for lease in leases.values()]
    stays, held = defaultdict(list), defaultdict(list)
    for stay in kept(Occupancy.objects.select_related("place"), "lease_id", ids):
        stays[stay.lease_id].append(stay)
    units = {stay.place.unit_id for each in stays.values() for stay in each}
    for holding in kept(Holding.objects, "unit_id", units):
        held[holding.unit_id].append(holding)
    books = dict(Book.objects.values_list("owner_id", "pk"))
    accounts = {
        (account.lease_id, account.kind, account.book_id): account
        for account in kept(Account.objects.filter(kind__in=(TENANT, BENEFIT)), "lease_id", ids)
    }
    called = set()
    for call in kept(
        RentCall.objects.filter(month__in=rent.RentRun.objects.filter(month__lt=on).values("month"))
        .values_list("lease_id", flat=True)
        .distinct(),
        "lease_id",
        ids,
    ):
        called.add(call)
    for one in wanted:
        lease = leases.get(one.reference)
        if lease is None:
            _unknown(one, "lease_reference", errors)
            continue
        if lease.pk in called:
            refuse(
                one.row,
                "lease_reference",
                _("Rent was already called here for a month before the take-over: it would count twice."),
                _("Choose an earlier day of take-over, or leave this lease out."),
                errors,
            )
        day = next_month(one.month) - ONE_DAY if one.month else on - ONE_DAY
        holding = _owed_to(stays[lease.pk], held, day)
        owner = holding.owner_id if holding and holding.title in OWNERS_BOOK_TITLES else None
        one.account = accounts.get((lease.pk, one.kind, books.get(owner))) if holding else None
        if one.account is None:
            refuse(
                one.row,
                "lease_reference",
                _("Nobody ever occupied a held home under this lease."),
                _("Enter its place first."),
                errors,
            )


def _owed_to(stays: list[Occupancy], held: dict[int, list[Holding]], day: date) -> Holding | None:
    """The title under which a day was owed: that day's, or the nearest one of the occupation."""
    for stay in sorted(stays, key=lambda one: (one.start > day, abs((one.start - day).days))):
        at = max(stay.start, min(day, stay.end - ONE_DAY) if stay.end else day)
        titles = sorted(held[stay.place.unit_id], key=lambda one: one.start)
        covering = [one for one in titles if one.start <= at and (one.end is None or one.end > at)]
        earlier = [one for one in titles if one.start <= at and (one.end is None or one.end > stay.start)]
        if covering or earlier:
            return (covering or earlier)[-1]
    return None


def _find_owner_accounts(openings: list[Opening], errors: list[RowError]) -> None:
    """What is held for an owner, in the association's book; below zero, what the manager advanced."""
    wanted = [one for one in openings if one.kind == HELD_FOR]
    owners = {
        owner.reference: owner
        for owner in kept(Owner.objects, "reference", (one.reference for one in wanted))
    }
    books = dict(Book.objects.values_list("owner_id", "pk"))
    needed = {}
    for one in wanted:
        owner = owners.get(one.reference)
        if owner is None:
            _unknown(one, "owner_reference", errors)
        elif owner.pk not in books:
            refuse(
                one.row,
                "owner_reference",
                _("This owner gave no mandate: no money is held for it."),
                _("Import the mandate first, or leave this line out."),
                errors,
            )
        elif one.amount.amount > 0:
            needed[id(one)] = (books[None], HELD_FOR, owner.pk)
        else:
            needed[id(one)] = (books[owner.pk], ADVANCE, None)
    accounts = _accounts(needed.values())
    for one in wanted:
        if id(one) in needed:
            one.account = accounts[needed[id(one)]]


def _accounts(needed: Iterable[tuple[int, int, int | None]]) -> dict[tuple, Account]:
    """Accounts by book, kind and owner; those that are not there yet are opened."""
    keys = set(needed)
    if not keys:
        return {}
    owned = Account.objects.filter(kind__in={kind for _book, kind, _owner in keys}, lease=None, bank=None)
    found = {(one.book_id, one.kind, one.owner_id): one for one in owned}
    missing = sorted(keys - found.keys(), key=str)
    Account.objects.bulk_create(
        (Account(book_id=book, kind=kind, owner_id=owner) for book, kind, owner in missing), batch_size=BATCH
    )
    if missing:
        found = {(one.book_id, one.kind, one.owner_id): one for one in owned.all()}
    return found


def _not_yet_there(openings: list[Opening], errors: list[RowError], *, on: date) -> list[Opening]:
    """The balances to write. An account is taken over once: what differs from the first time is a fault."""
    ids = [one.account.pk for one in openings if one.account is not None]
    there: dict[int, dict] = defaultdict(dict)
    for balance in kept(OpeningBalance.objects, "account_id", ids):
        there[balance.account_id][balance.month] = (balance.amount, balance.on)
    new = []
    for one in openings:
        if one.account is None:
            continue
        before = there.get(one.account.pk)
        if before is None:
            new.append(one)
        elif before.get(one.month) != (one.signed, on):
            refuse(
                one.row,
                "amount",
                _("Another opening balance was already taken over for it."),
                _("Leave it, and correct the account itself."),
                errors,
            )
    return new


# ---- posting ----------------------------------------------------------------------------


def _post(openings: list[Opening], *, on: date, now: datetime) -> None:
    """Post balances against the opening account of their book, under one sealed entry."""
    balances = OpeningBalance.objects.bulk_create(
        (OpeningBalance(account=one.account, on=on, month=one.month, amount=one.signed) for one in openings),
        batch_size=BATCH,
    )
    own = ledger.association_book_id()
    owner_books = {}
    owners = Owner.objects.in_bulk(
        {one.reference for one in openings if one.kind == HELD_FOR}, field_name="reference"
    )
    books = dict(Book.objects.values_list("owner_id", "pk"))
    for one in openings:
        if one.kind == HELD_FOR:
            owner_books[id(one)] = books[owners[one.reference].pk]
    used = {own, *owner_books.values(), *(one.account.book_id for one in openings)}
    accounts = _accounts(
        [(book, OPENING, None) for book in used]
        + [(book, kind, None) for book in {own, *owner_books.values()} for kind in (FUNDS, ADVANCE)]
    )
    entry = Entry.objects.create(label=f"Opening {on:%Y-%m-%d}", recorded_at=now)
    postings = []

    def post(balance, leg: int, debit: Account, credit: Account) -> None:
        postings.append(
            Posting(
                entry=entry,
                debit=debit,
                credit=credit,
                amount=abs(balance.amount),
                on=on,
                due=balance.month or on,
                source=Source.OPENING,
                source_id=balance.pk,
                leg=leg,
            )
        )

    for one, balance in zip(openings, balances, strict=True):
        against = accounts[one.account.book_id, OPENING, None]
        if balance.amount.amount > 0:
            post(balance, 0, one.account, against)
        else:
            post(balance, 0, against, one.account)
        if one.kind == HELD_FOR:
            # Money of an owner stands in two books: who holds it, and whose it is.
            there = owner_books[id(one)]
            if one.amount.amount > 0:
                post(balance, 1, accounts[there, FUNDS, None], accounts[there, OPENING, None])
            else:
                post(balance, 1, accounts[own, ADVANCE, None], accounts[own, OPENING, None])
    Posting.objects.bulk_create(postings, batch_size=BATCH)
    ledger.seal(entry)
