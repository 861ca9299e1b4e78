"""Bank statements and what becomes of each movement (*relevés, rapprochement*).

Every movement is put to an account the moment it is imported: by the rules of leases.matching, or
to suspense, from where somebody, or a payment list, settles it.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Count, F, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from core import audit, dialect
from core.errors import Refusal
from core.money import EuroField, euros, from_cents, to_cents
from core.periods import ONE_DAY
from leases import ledger, matching
from leases.bank_accounts import BankAccount
from leases.formats import statement as bank_file
from leases.formats.statement import detect_and_read
from leases.lease import Lease
from leases.ledger import Account, Entry, Source

QUERIES = Path(__file__).resolve().parent / "queries"
BATCH = 2_000


class Statement(models.Model):
    """A bank statement as imported (*relevé*): opening + movements = closing, one after another."""

    bank = models.ForeignKey(BankAccount, models.PROTECT, related_name="statements")
    number = models.CharField(_("number"), max_length=35)
    start = models.DateField(_("from"))
    end = models.DateField(_("to"))
    opening = EuroField(_("opening balance"))
    closing = EuroField(_("closing balance"))
    file_name = models.CharField(_("file"), max_length=120)
    file_hash = models.CharField(max_length=64)
    imported_at = models.DateTimeField(_("imported"))
    imported_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    entry = models.OneToOneField(Entry, models.PROTECT, null=True, related_name="+")
    sealed_movements = models.PositiveIntegerField(_("movements"))
    sealed_total = EuroField(_("total of its movements"))

    class Meta:
        verbose_name, verbose_name_plural = _("statement"), _("statements")
        constraints = [
            models.UniqueConstraint(
                fields=["bank", "file_hash", "start", "end", "number"], name="statement_once"
            ),
            models.CheckConstraint(name="statement_ends_after_it_starts", condition=Q(end__gte=F("start"))),
        ]
        indexes = [models.Index(fields=["bank", "-end"], name="statement_bank_end")]

    def __str__(self):
        return f"{self.bank_id} {self.number}"


class MovementQuerySet(models.QuerySet):
    def saying(self, text):
        """Movements whose words, payer, references or amount say each word of a text."""
        found = self
        for word in text.split():
            said = (
                Q(label__icontains=word)
                | Q(remittance__icontains=word)
                | Q(counterparty__icontains=word)
                | Q(counterparty_iban__icontains=word)
                | Q(end_to_end__icontains=word)
                | Q(bank_reference__icontains=word)
            )
            amount = word.replace(",", ".")
            if re.fullmatch(r"-?[0-9]{1,11}(\.[0-9]{1,2})?", amount):
                said |= Q(amount=euros(amount))
            found = found.filter(said)
        return found


class Movement(models.Model):
    """A line of a statement (*mouvement*): amount positive when received.

    Two alike on one day are two movements: occurrence tells them apart, and makes the shared days
    of two overlapping files the same movements. found_reference: the lease's payment reference
    read in the label, its check digits right.
    """

    statement = models.ForeignKey(Statement, models.PROTECT, related_name="movements")
    bank = models.ForeignKey(BankAccount, models.PROTECT, related_name="+", db_index=False)
    line = models.PositiveIntegerField(_("line"))
    booked = models.DateField(_("booked"))
    valued = models.DateField(_("value date"), null=True)
    amount = EuroField(_("amount"))
    kind = models.CharField(_("kind"), max_length=16)
    label = models.CharField(_("label"), max_length=300)
    end_to_end = models.CharField(_("end-to-end reference"), max_length=35, blank=True)
    debit_mandate = models.CharField(_("mandate"), max_length=35, blank=True)
    found_reference = models.CharField(_("payment reference"), max_length=12, blank=True)
    remittance = models.CharField(_("remittance"), max_length=300, blank=True)
    counterparty = models.CharField(_("payer"), max_length=140, blank=True)
    counterparty_iban = models.CharField(_("payer's IBAN"), max_length=34, blank=True)
    return_code = models.CharField(_("reason of return"), max_length=8, blank=True)
    bank_reference = models.CharField(_("bank's reference"), max_length=40, blank=True)
    fingerprint = models.CharField(max_length=32)
    occurrence = models.PositiveSmallIntegerField(default=1)

    objects = MovementQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("movement"), _("movements")
        constraints = [
            models.UniqueConstraint(
                fields=["bank", "booked", "fingerprint", "occurrence"], name="movement_once"
            ),
            models.CheckConstraint(name="movement_not_zero", condition=~Q(amount=0)),
        ]
        indexes = [
            models.Index(fields=["counterparty"], name="movement_counterparty", condition=~Q(counterparty=""))
        ]

    def __str__(self):
        return f"{self.booked} {self.amount}"


class AllocationQuerySet(models.QuerySet):
    def standing(self):
        """What movements are put to now: neither in suspense, nor taken back by hand."""
        return (
            self.exclude(how="suspense")
            .exclude(how="manual", undoes__isnull=False)
            .exclude(undone_by__how="manual")
        )

    def in_suspense(self):
        """Lines still to identify (*compte d'attente*), each with `left`: what remains of it, EUR."""
        settled = (
            Allocation.objects.filter(settles=OuterRef("pk"))
            .order_by()
            .values("settles")
            .annotate(total=Sum("amount"))
            .values("total")
        )
        taken = Coalesce(Subquery(settled), Value(euros(0), output_field=EuroField()))
        accounts = Account.objects.filter(
            kind=ledger.SUSPENSE, lease__isnull=True, owner__isnull=True, bank__isnull=True
        )
        return (
            self.filter(account__in=accounts)
            .annotate(left=models.ExpressionWrapper(F("amount") - taken, output_field=EuroField()))
            .exclude(left=0)
        )


class Allocation(models.Model):
    """What a movement, or a part of it, was put to (*affectation*); never changed, never deleted.

    account: the account it settles: a tenant's, a benefit's, the suspense account, bank charges.
    amount: EUR, of the movement's sign. settles: the suspense allocation that it takes its money
    from, null when it comes from the bank. how: why it was put there (leases.matching.HOW).
    month: the month a benefit, or the payer's own choice, is for; chosen: the payer said which month
    (Code civil, art. 1342-10), which the legal order then leaves alone.
    undoes: the payment that a return takes back.
    """

    movement = models.ForeignKey(Movement, models.PROTECT, related_name="allocations")
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    lease = models.ForeignKey(Lease, models.PROTECT, null=True, related_name="allocations")
    amount = EuroField(_("amount"))
    on = models.DateField(_("date"))
    how = models.CharField(_("matched by"), max_length=16)
    month = models.DateField(_("month"), null=True)
    settles = models.ForeignKey("self", models.PROTECT, null=True, related_name="settled_by")
    undoes = models.ForeignKey("self", models.PROTECT, null=True, related_name="undone_by", db_index=False)
    chosen = models.BooleanField(_("payer's own choice"), default=False)
    note = models.CharField(_("note"), max_length=200, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    objects = AllocationQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("allocation"), _("allocations")
        constraints = [
            models.CheckConstraint(name="allocation_not_zero", condition=~Q(amount=0)),
            models.CheckConstraint(
                name="allocation_choice_names_a_month", condition=Q(chosen=False) | Q(month__isnull=False)
            ),
        ]
        indexes = [
            models.Index(fields=["lease"], name="allocation_chosen", condition=Q(chosen=True)),
            models.Index(fields=["note"], name="allocation_payout", condition=Q(how="payout")),
            models.Index(fields=["undoes"], name="allocation_undoes", condition=Q(undoes__isnull=False)),
            models.Index(fields=["on"], name="allocation_on"),
        ]

    def __str__(self):
        return f"{self.movement_id} → {self.account_id}: {self.amount}"


class NotOurAccount(Refusal):
    """A statement of a bank account that is not declared."""


class StatementGap(Refusal):
    """A statement that does not continue the last one imported (*rupture de chaîne*)."""


class DaysDisagree(Refusal):
    """Two files tell the same days differently."""


@dataclass(frozen=True, slots=True)
class ImportedStatement:
    """What one statement of a file brought.

    statement: None when all its days were there already. movements: new ones; known: of days already
    imported; zero: of no amount, left aside. by_rule: how many new ones each rule of HOW placed.
    """

    bank: BankAccount
    start: date
    end: date
    statement: Statement | None
    movements: int = 0
    known: int = 0
    zero: int = 0
    by_rule: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file of statements brought, statement by statement."""

    parts: tuple[ImportedStatement, ...]

    @property
    def changed(self) -> bool:
        return any(part.statement for part in self.parts)

    @property
    def movements(self) -> int:
        return sum(part.movements for part in self.parts)

    @property
    def known(self) -> int:
        return sum(part.known for part in self.parts)

    @property
    def zero(self) -> int:
        return sum(part.zero for part in self.parts)

    @property
    def suspense(self) -> int:
        return sum((part.by_rule or {}).get("suspense", 0) for part in self.parts)

    @property
    def matched(self) -> int:
        return self.movements - self.suspense


@dataclass(frozen=True, slots=True)
class _New:
    """What a statement adds to those before: its days, its opening cents, its movements with occurrence."""

    start: date
    opening: int
    movements: list[tuple[bank_file.Movement, str, int]]


def import_statement(data: bytes, file_name: str, *, by, now: datetime) -> Imported:
    """Import a camt.053 or CFONB 120 file (*relevé*): each statement in one transaction.

    Days already imported may come again if they agree; then only the days after them are added.
    Raises BadFile, NotOurAccount, StatementGap, DaysDisagree: nothing was written, except when
    another import of the same account came in between.
    """
    read = sorted(detect_and_read(data), key=lambda one: (one.iban, one.start, one.end))
    digest = hashlib.sha256(data).hexdigest()
    banks = {bank.iban: bank for bank in BankAccount.objects.filter(iban__in={one.iban for one in read})}
    for one in read:
        if one.iban not in banks:
            raise NotOurAccount(
                _("account …%(end)s") % {"end": one.iban[-6:]},
                _("This bank account is not known here."),
                _("Declare the account, in the book that it belongs to, then import again."),
            )
    _check_chain(read, banks, digest)
    return Imported(
        tuple(_import_one(one, banks[one.iban], digest, file_name, by=by, now=now) for one in read)
    )


def _check_chain(read: list[bank_file.Statement], banks: dict[str, BankAccount], digest: str) -> None:
    """Refuse a file of several statements whole, before the first is written."""
    before: dict[str, bank_file.Statement] = {}
    for one in read if len(read) > 1 else ():
        last = before.get(one.iban)
        if last is None:
            _new_part(one, banks[one.iban], digest)
        elif one.start > last.end and one.opening_cents != last.closing_cents:
            raise _gap(banks[one.iban], one, last.end, last.closing_cents)
        before[one.iban] = one


def _import_one(
    one: bank_file.Statement, bank: BankAccount, digest: str, file_name: str, *, by, now: datetime
) -> ImportedStatement:
    zero = sum(1 for movement in one.movements if not movement.amount_cents)
    with transaction.atomic():
        # One import at a time for each account.
        bank = BankAccount.objects.select_for_update().get(pk=bank.pk)
        new = _new_part(one, bank, digest)
        if new is None:
            return ImportedStatement(
                bank, one.start, one.end, None, known=len(one.movements) - zero, zero=zero
            )
        if new.movements:
            ledger.require_open(min(movement.booked for movement, *_rest in new.movements))
        entry = (
            Entry.objects.create(label=f"Statement {bank.pk} {one.end:%Y-%m-%d}", recorded_at=now)
            if new.movements
            else None
        )
        total = sum(movement.amount_cents for movement, *_rest in new.movements)
        statement = Statement.objects.create(
            bank=bank,
            number=one.number[:35],
            start=new.start,
            end=one.end,
            opening=from_cents(new.opening),
            closing=from_cents(one.closing_cents),
            file_name=file_name[-120:],
            file_hash=digest,
            imported_at=now,
            imported_by=by,
            entry=entry,
            sealed_movements=len(new.movements),
            sealed_total=from_cents(total),
        )
        by_rule: dict[str, int] = {}
        if entry:
            with connection.cursor() as cursor:
                _insert_movements(cursor, statement, new.movements)
                matching.match(
                    cursor,
                    statement_id=statement.pk,
                    days={movement.booked for movement, *_rest in new.movements},
                    suspense=book_account(bank, ledger.SUSPENSE),
                    expense=book_account(bank, ledger.EXPENSE),
                )
                _post(cursor, entry, bank, which="m.statement_id = %(statement)s", statement=statement.pk)
            ledger.seal(entry)
            found = Allocation.objects.filter(movement__statement=statement).values_list("how")
            by_rule = dict(found.annotate(count=Count("pk")).order_by("how"))
            if known := by_rule.get("payout"):
                # What we paid to owners went through suspense, and out of it at once.
                by_rule = {how: n - known * (how == "suspense") for how, n in by_rule.items()}
        audit.record(by, "import", "statement", statement.pk, movements=len(new.movements))
    return ImportedStatement(
        bank,
        new.start,
        one.end,
        statement,
        movements=len(new.movements),
        known=len(one.movements) - zero - len(new.movements),
        zero=zero,
        by_rule=by_rule,
    )


def _new_part(one: bank_file.Statement, bank: BankAccount, digest: str) -> _New | None:
    """What a statement adds to those of its account, None when nothing; it must continue them."""
    statements = Statement.objects.filter(bank=bank)
    last = statements.order_by("-end", "-pk").first()
    keyed = [(m, fingerprint(m)) for m in one.movements if m.amount_cents]
    if last is None:
        return _New(one.start, one.opening_cents, _numbered(keyed, Counter()))
    if statements.filter(file_hash=digest, end=one.end, number=one.number[:35]).exists():
        return None
    closing = to_cents(last.closing)
    earliest = min([one.start, *(m.booked for m, _key in keyed)])
    known: Counter[tuple[date, str]] = Counter()
    balance = closing
    if earliest <= last.end:
        there = Movement.objects.filter(bank=bank, booked__gte=earliest)
        for booked, key, amount in there.values_list("booked", "fingerprint", "amount"):
            known[booked, key] += 1
            balance -= to_cents(amount) if booked >= one.start else 0
    if one.start > last.end:
        if one.opening_cents != closing:
            raise _gap(bank, one, last.end, closing)
        return _New(one.start, closing, _numbered(keyed, known))
    told = Counter((m.booked, key) for m, key in keyed if m.booked <= last.end)
    shared = Counter(
        {at: count for at, count in known.items() if one.start <= at[0] <= min(one.end, last.end)}
    )
    if told == shared and balance == one.opening_cents:
        if one.end <= last.end:
            return None
        added = [(m, key) for m, key in keyed if m.booked > last.end]
        return _New(last.end + ONE_DAY, closing, _numbered(added, Counter()))
    if one.start == last.end and one.opening_cents == closing:
        # A second statement of the same day, or a bank that dates a statement from its last balance.
        return _New(one.start, closing, _numbered(keyed, known))
    raise _disagreement(bank, one, told, shared, before_all=one.start < statements.earliest("start").start)


def _numbered(keyed, known: Counter) -> list[tuple[bank_file.Movement, str, int]]:
    """Movements with their occurrence: the second of two alike on a day is number 2."""
    seen = known.copy()
    numbered = []
    for movement, key in keyed:
        seen[movement.booked, key] += 1
        numbered.append((movement, key, seen[movement.booked, key]))
    return numbered


def _gap(bank: BankAccount, one: bank_file.Statement, last_day: date, closing: int) -> StatementGap:
    return StatementGap(
        _("%(bank)s, statement from %(start)s") % {"bank": bank, "start": f"{one.start:%d/%m/%Y}"},
        _("It opens with %(opening)s EUR; the last one imported closed on %(day)s with %(closing)s EUR.")
        % {
            "opening": bank_file.plain_euros(one.opening_cents),
            "day": f"{last_day:%d/%m/%Y}",
            "closing": bank_file.plain_euros(closing),
        },
        _("Import the statements of the days between first."),
    )


def _disagreement(
    bank, one: bank_file.Statement, told: Counter, shared: Counter, *, before_all: bool
) -> DaysDisagree:
    place = _("%(bank)s, statement from %(start)s") % {"bank": bank, "start": f"{one.start:%d/%m/%Y}"}
    if before_all:
        return DaysDisagree(
            place,
            _("It starts before the first statement imported for this account."),
            _("Ask the bank for a statement that starts later."),
        )
    days = sorted({day for day, _key in (told - shared) + (shared - told)})
    if not days:
        return DaysDisagree(
            place,
            _("Its opening balance is not the one these days have here."),
            _("Compare it with the statements already imported, and ask the bank which is right."),
        )
    return DaysDisagree(
        place,
        _("The movements of %(day)s are not those already imported.") % {"day": f"{days[0]:%d/%m/%Y}"},
        _("Ask the bank which file is right; to go on, import a statement that starts after those days."),
    )


def fingerprint(movement: bank_file.Movement) -> str:
    """What makes a movement itself, whichever file tells it: 32 characters."""
    said = (
        str(movement.amount_cents),
        movement.kind,
        movement.end_to_end,
        movement.mandate,
        movement.reference,
        movement.counterparty_iban or movement.counterparty_name,
        movement.label,
    )
    text = "\x1f".join(" ".join(word.upper().split()) for word in said)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


_COLUMNS = [
    "statement_id",
    "bank_id",
    "line",
    "booked",
    "valued",
    "amount",
    "kind",
    "label",
    "end_to_end",
    "debit_mandate",
    "found_reference",
    "remittance",
    "counterparty",
    "counterparty_iban",
    "return_code",
    "bank_reference",
    "fingerprint",
    "occurrence",
]


def _insert_movements(cursor, statement: Statement, movements) -> None:
    # Written by hand: a statement has thousands of lines, and objects for them double the time.
    rows = [
        (
            statement.pk,
            statement.bank_id,
            m.line,
            m.booked,
            m.valued,
            m.amount_cents,
            m.kind,
            m.label[:300],
            m.end_to_end[:35],
            m.mandate[:35],
            matching.found_reference(m.reference, m.label, m.end_to_end),
            m.reference[:300],
            m.counterparty_name[:140],
            m.counterparty_iban[:34],
            m.return_code[:8],
            m.bank_reference[:40],
            key,
            occurrence,
        )
        for m, key, occurrence in movements
    ]
    columns = ", ".join(_COLUMNS)
    if connection.vendor == "postgresql":
        with cursor.copy(f"COPY leases_movement ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    values = ", ".join(["%s"] * len(_COLUMNS))
    cursor.executemany(f"INSERT INTO leases_movement ({columns}) VALUES ({values})", rows)


def book_account(bank: BankAccount, kind: int) -> int:
    """The account of that kind that the bank account's book has once."""
    once = {"lease": None, "owner": None, "bank": None}
    return Account.objects.get_or_create(book_id=bank.book_id, kind=kind, **once)[0].pk


def _post(cursor, entry: Entry, bank: BankAccount, *, which: str, **params) -> None:
    """Post allocations: which says them in SQL, `l` being the allocation and `m` its movement.

    A pair in the bank's book; one more in the other book where the account is of another
    (HELD_FOR its owner here, FUNDS there, ADVANCE beyond them). Six statements.
    """
    account, _made = Account.objects.get_or_create(
        bank=bank, kind=ledger.BANK, defaults={"book_id": bank.book_id, "lease": None, "owner": None}
    )
    # Two who take from one mandant's funds at once would each see them whole.
    taken_from = (
        "SELECT k.id FROM leases_book k WHERE k.id IN (SELECT a.book_id FROM leases_allocation l"
        " JOIN leases_movement m ON m.id = l.movement_id JOIN leases_account a ON a.id = l.account_id"
        f" WHERE {which} AND l.amount < 0) ORDER BY k.id"
    )
    if connection.features.has_select_for_update:
        taken_from += " FOR UPDATE"
    params |= {
        "entry": entry.pk,
        "source": Source.ALLOCATION,
        "bank_account": account.pk,
        "bank_book": bank.book_id,
    }
    kinds = {"held": ledger.HELD_FOR, "funds": ledger.FUNDS, "advance": ledger.ADVANCE}
    dialect.execute(cursor, taken_from, params)
    for text in dialect.load(QUERIES / "post_allocations.sql").split("--%"):
        dialect.execute(cursor, text.format(which=which, **kinds), params)


def add_allocations(
    movement: Movement, made: list[Allocation], *, label: str, now: datetime
) -> list[Allocation]:
    """Write allocations of one movement, whose row is locked, and post them under one sealed entry."""
    ledger.require_open(
        min(one.on for one in made),
        Account.objects.filter(pk__in={one.account_id for one in made}).values_list("book", flat=True),
    )
    after = movement.allocations.aggregate(last=models.Max("pk"))["last"] or 0
    made = Allocation.objects.bulk_create(made, batch_size=BATCH)
    entry = Entry.objects.create(label=f"{label} {movement.pk}", recorded_at=now)
    with connection.cursor() as cursor:
        _post(
            cursor,
            entry,
            movement.bank,
            which="l.movement_id = %(movement)s AND l.id > %(after)s",
            movement=movement.pk,
            after=after,
        )
    ledger.seal(entry)
    return made
