"""The ledger (*journal*): append-only double entry that proves itself.

A posting is a pair, debit and credit on one row, so it balances by construction. Each account
belongs to a book: the association's, or one mandant's; the database refuses a pair across books.
An entry groups the postings of one act; once sealed it takes no more. Nothing here is updated or
deleted (leases/sql/ledger.*.sql); a correction is a reversal. Ids only: no name, no IBAN.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core import dialect
from core.errors import Refusal
from core.money import EuroField
from portfolio.owners import Owner


class Book(models.Model):
    """A separate set of accounts: the association's (owner null), or one mandant's (*fonds mandants*)."""

    owner = models.OneToOneField(Owner, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("book"), _("books")

    def __str__(self):
        return str(self.owner) if self.owner_id else str(_("The association"))


@dataclass(frozen=True, slots=True)
class AccountKind:
    """A kind of account: its number in the chart of accounts, and what each account is for.

    per: what one account stands for in its book: "lease", "owner", "bank" or "" (one a book).
    """

    code: int
    number: str
    label: str
    per: str


TENANT, BENEFIT, BANK, SUSPENSE, HELD_FOR, FUNDS, ADVANCE, OPENING, EXPENSE = range(1, 10)
DEPOSIT, SUPPLIER, CASH, CHEQUES, CARDS, PAID_OUT, DOUBTFUL, VAT, OWED_OWNER = range(10, 19)
RENT, CHARGES, SERVICES, OTHER, INDEMNITY, FEES_EARNED, RECHARGED = range(21, 28)
WORKS, UPKEEP, FEES_PAID, LOSS, PROVISION, HEAD_RENT, GUARANTEE, GUARANTEE_GIVEN = range(41, 49)

ACCOUNT_KINDS = {
    kind.code: kind
    for kind in (
        AccountKind(TENANT, "411", _("Tenant"), "lease"),
        AccountKind(BENEFIT, "4431", _("Housing benefit expected"), "lease"),
        AccountKind(BANK, "512", _("Bank"), "bank"),
        AccountKind(SUSPENSE, "471", _("Suspense"), ""),
        AccountKind(HELD_FOR, "467", _("Held for an owner"), "owner"),
        AccountKind(FUNDS, "5121", _("Funds held by the manager"), ""),
        AccountKind(ADVANCE, "4671", _("Advanced by the manager"), ""),
        AccountKind(OPENING, "890", _("Opening balances"), ""),
        AccountKind(EXPENSE, "627", _("Bank charges"), ""),
        AccountKind(DEPOSIT, "165", _("Deposit received"), "lease"),
        AccountKind(SUPPLIER, "401", _("Suppliers"), ""),
        AccountKind(CASH, "531", _("Cash desk"), ""),
        AccountKind(CHEQUES, "5112", _("Cheques to bank"), ""),
        AccountKind(CARDS, "5115", _("Card payments to receive"), ""),
        AccountKind(PAID_OUT, "4551", _("Paid to the owner"), ""),
        AccountKind(DOUBTFUL, "491", _("Provision for doubtful debts"), ""),
        AccountKind(VAT, "44571", _("VAT collected"), ""),
        AccountKind(OWED_OWNER, "4011", _("Rent to pay to an owner"), "owner"),
        AccountKind(RENT, "7061", _("Rent"), ""),
        AccountKind(CHARGES, "7062", _("Service charges"), ""),
        AccountKind(SERVICES, "7063", _("Optional services"), ""),
        AccountKind(OTHER, "7064", _("Other items"), ""),
        AccountKind(INDEMNITY, "7065", _("Occupation indemnity"), ""),
        AccountKind(FEES_EARNED, "7066", _("Management fees earned"), ""),
        AccountKind(RECHARGED, "7067", _("Repairs charged to tenants"), ""),
        AccountKind(WORKS, "6152", _("Works"), ""),
        AccountKind(UPKEEP, "614", _("Recoverable expenses"), ""),
        AccountKind(FEES_PAID, "6226", _("Management fees paid"), ""),
        AccountKind(LOSS, "654", _("Debts written off"), ""),
        AccountKind(PROVISION, "6817", _("Allocation to provisions"), ""),
        AccountKind(HEAD_RENT, "6132", _("Rent owed to owners"), ""),
        AccountKind(GUARANTEE, "7718", _("Guarantees received"), ""),
        AccountKind(GUARANTEE_GIVEN, "6588", _("Guarantees paid to owners"), ""),
    )
}


class Account(models.Model):
    """One account of a book (*compte*): kind says what it is, lease/owner/bank whose."""

    book = models.ForeignKey(Book, models.PROTECT, related_name="accounts", db_index=False)
    kind = models.PositiveSmallIntegerField(choices={k: v.label for k, v in ACCOUNT_KINDS.items()})
    lease = models.ForeignKey("leases.Lease", models.PROTECT, null=True, blank=True, related_name="accounts")
    owner = models.ForeignKey(Owner, models.PROTECT, null=True, blank=True, related_name="+")
    bank = models.ForeignKey("leases.BankAccount", models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("account"), _("accounts")
        constraints = [
            models.UniqueConstraint(
                fields=["lease", "kind", "book"],
                name="account_once_a_lease",
                condition=Q(lease__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["book", "kind"],
                name="account_once_a_book",
                condition=Q(lease__isnull=True, owner__isnull=True, bank__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["book", "kind", "owner"],
                name="account_once_an_owner",
                condition=Q(owner__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["bank", "kind"], name="account_once_a_bank_account", condition=Q(bank__isnull=False)
            ),
        ]

    def __str__(self):
        return f"{ACCOUNT_KINDS[self.kind].number}-{self.lease_id or self.owner_id or self.bank_id or ''}"


class Source(models.IntegerChoices):
    """What a posting was made from; (source, source_id, leg) is unique for ever."""

    CALL = 1, _("Rent call")
    ALLOCATION = 2, _("Bank movement")
    OPENING = 3, pgettext_lazy("taken over", "Opening balance")
    OPERATION = 4, _("Operation")
    RECEIPT = 5, _("Payment at the desk")


class Entry(models.Model):
    """The postings of one act (*pièce*): a part of a rent run, a statement, a settlement.

    recorded_at: when the program wrote it. lines, total (cents) and digest (POSTING_DIGEST) are set
    once, when it is sealed; after that the database takes no posting under it.
    """

    label = models.CharField(max_length=60)
    recorded_at = models.DateTimeField()
    lines = models.PositiveIntegerField(null=True)
    total = EuroField(null=True)
    digest = models.BigIntegerField(null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("entry"), _("entries")

    def __str__(self):
        return f"{self.pk} {self.label}"


class Posting(models.Model):
    """One amount moved between two accounts (*écriture*): never changed, never deleted.

    on: accounting date. due: when a debt falls due (a call), or the accounting date.
    leg: a payment into another book has two, one in each book.
    """

    # No foreign keys in the database: its own trigger checks both accounts and the entry for a
    # whole statement at once, and accounts and entries are never deleted.
    entry = models.ForeignKey(Entry, models.PROTECT, related_name="postings", db_constraint=False)
    debit = models.ForeignKey(Account, models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    credit = models.ForeignKey(Account, models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    amount = EuroField(_("amount"))
    on = models.DateField(_("date"))
    due = models.DateField(_("due"))
    source = models.PositiveSmallIntegerField(choices=Source)
    source_id = models.BigIntegerField()
    leg = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name, verbose_name_plural = _("posting"), _("postings")
        constraints = [
            models.CheckConstraint(
                name="posting_amount_above_zero",
                condition=Q(amount__gt=0),
                violation_error_message=_("Post an amount above zero; to undo, reverse the entry."),
            ),
            models.CheckConstraint(
                name="posting_between_two_accounts",
                condition=~Q(debit=F("credit")),
                violation_error_message=_("Debit one account and credit another."),
            ),
            models.UniqueConstraint(
                fields=["source_id", "source", "leg"],
                name="posting_once_a_source",
                violation_error_message=_("This was already posted."),
            ),
        ]
        indexes = [
            models.Index(fields=["debit"], name="posting_debit"),
            models.Index(fields=["credit"], name="posting_credit"),
        ]

    def __str__(self):
        return f"{self.debit_id} ← {self.credit_id}: {self.amount}"


def association_book_id() -> int:
    """The association's own book, made once."""
    kept = Book.objects.filter(owner=None).values_list("pk", flat=True).first()
    # Of two who make it at once, the second takes the first's.
    return kept if kept is not None else Book.objects.get_or_create(owner=None)[0].pk


class PeriodLock(models.Model):
    """Up to which day postings are closed (*clôture de période*): added to, never changed.

    book: null for all books. up_to: last day closed, null where all is open again. The last line of a
    book holds, and the last one for all books: the later of the two days closes it.
    reason: why days are opened again.
    """

    book = models.ForeignKey(Book, models.PROTECT, null=True, blank=True, related_name="+")
    up_to = models.DateField(_("closed up to"), null=True, blank=True, db_index=True)
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(_("reason"), max_length=200, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("period lock"), _("period locks")

    def __str__(self):
        return f"{self.book_id or '*'}: {self.up_to}"


class PeriodLocked(Refusal):
    """A posting dated in a period that is closed (*période clôturée*)."""


def closed_days() -> dict[int | None, date]:
    """The last day closed: by book id where a book has its own, under None for all books; one query."""
    kept = dict(PeriodLock.objects.order_by("pk").values_list("book", "up_to"))
    return {book: day for book, day in kept.items() if day}


def closed_up_to(book_id: int | None = None) -> date | None:
    """The last day closed of a book, or of all books where none is given; None while nothing is."""
    closed = closed_days()
    return max((closed[key] for key in {book_id, None} & closed.keys()), default=None)


def require_open(day: date, books: Iterable[int] | None = None) -> None:
    """Refuse a posting dated on a closed day: in these books (ids), or in any. Raises PeriodLocked."""
    closed = closed_days()
    if not closed:
        return
    among = closed.keys() if books is None else {None, *books} & closed.keys()
    last = max((closed[key] for key in among), default=None)
    if last is not None and day <= last:
        raise PeriodLocked(
            f"{day:%d/%m/%Y}",
            _("The accounts are closed up to %(day)s.") % {"day": f"{last:%d/%m/%Y}"},
            _("Post it in the open period: give a later date, or have the director open the period again."),
        )


# Each line weighs by its own number, so that lines of one entry cannot change places unseen, and
# whole numbers small enough for a bigint: the same sum on both engines.
DIGEST_DAY = date(2000, 1, 1)
POSTING_DIGEST = """COALESCE(SUM((p.amount + 31 * p.debit_id + 37 * p.credit_id + 41 * p.source_id + 43 * p.source
    + 47 * p.leg + 53 * DAYS(%(digest_day)s, p."on") + 59 * DAYS(%(digest_day)s, p.due))
    %% 2147483647 * (p.id %% 997 + 1)), 0)"""
"""What the postings `p` of an entry come to, in every column: kept at sealing, proved by check_ledger."""


def seal(entry: Entry) -> None:
    """Close an entry: how many postings it holds, their sum and digest; it takes no more after this."""
    text = f"""UPDATE leases_entry SET (lines, total, digest) = (
        SELECT COUNT(*), COALESCE(SUM(p.amount), 0), {POSTING_DIGEST}
        FROM leases_posting p WHERE p.entry_id = %(entry)s) WHERE id = %(entry)s"""
    with transaction.atomic(), connection.cursor() as cursor:
        # Locked before it is counted: who is posting under it ends first.
        Entry.objects.select_for_update().only("pk").get(pk=entry.pk)
        dialect.execute(cursor, text, {"entry": entry.pk, "digest_day": DIGEST_DAY})
