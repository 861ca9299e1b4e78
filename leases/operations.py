"""Operations (*opérations*): what is posted besides rent calls and bank movements.

A deposit called, a charge settlement, a fee, an invoice, a payment at the desk, a write-off. Each is
one row, never changed, with a key that makes it unique for ever; a mistake is undone by its opposite.
Its kind says which accounts it may touch. Where the two accounts stand in two books, the amount goes
through the owner's funds: a pair in each book, like a bank movement.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import F, Q, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect
from core.errors import Refusal
from core.money import EuroField, euros
from leases import ledger
from leases.ledger import ACCOUNT_KINDS, ADVANCE, FUNDS, HELD_FOR, Account, Book, Entry, Posting, Source

QUERIES = Path(__file__).resolve().parent / "queries"


@dataclass(frozen=True, slots=True)
class OperationKind:
    """A kind of operation: the account kinds debited and credited, and whether it is a payment.

    debit, credit: account kinds (ledger.ACCOUNT_KINDS); the undoing of one turns them round.
    pays: a payment, imputed to the oldest debt; else it is owed, or lowers what is, at its due date.
    """

    code: int
    label: Promise
    debit: frozenset[int]
    credit: frozenset[int]
    pays: bool = False


def _kind(code, label, debit, credit, *, pays=False):
    return OperationKind(code, label, frozenset(debit), frozenset(credit), pays)


DEPOSIT_CALLED, DEPOSIT_GIVEN_BACK, REPAIRS_CHARGED, CHARGES_SETTLED, CHARGES_GIVEN_BACK = 1, 2, 3, 4, 5
INVOICE, FEE, OWNER_RENT, WRITE_OFF, WRITE_OFF_PAID, PENALTY, VAT_ON_FEE = 6, 7, 8, 9, 10, 11, 12
FEE_GIVEN_BACK, VAT_GIVEN_BACK, OWNER_RENT_LESS, GUARANTEE_GIVEN_BACK, ADVANCE_REPAID = 13, 14, 15, 16, 17
DESK_CASH, DESK_CHEQUE, DESK_CARD = 21, 22, 23
TRANSFER_OF_DEBT, PROVISION, PROVISION_RELEASED, GUARANTEE_PAID, FREE = 31, 32, 33, 34, 99

OPERATIONS = {
    kind.code: kind
    for kind in (
        _kind(DEPOSIT_CALLED, _("Deposit called"), {ledger.TENANT}, {ledger.DEPOSIT}),
        _kind(DEPOSIT_GIVEN_BACK, _("Deposit given back"), {ledger.DEPOSIT}, {ledger.TENANT}),
        _kind(REPAIRS_CHARGED, _("Repairs charged"), {ledger.TENANT}, {ledger.RECHARGED}),
        _kind(CHARGES_SETTLED, _("Charges settlement: to pay"), {ledger.TENANT}, {ledger.CHARGES}),
        _kind(CHARGES_GIVEN_BACK, _("Charges settlement: in your favour"), {ledger.CHARGES}, {ledger.TENANT}),
        _kind(INVOICE, _("Supplier's invoice"), {ledger.WORKS, ledger.UPKEEP}, {ledger.SUPPLIER}),
        _kind(FEE, _("Management fee"), {ledger.FEES_PAID}, {ledger.FEES_EARNED}),
        _kind(OWNER_RENT, _("Rent owed to the owner"), {ledger.HEAD_RENT}, {ledger.OWED_OWNER}),
        _kind(WRITE_OFF, _("Debt written off"), {ledger.LOSS}, {ledger.TENANT}),
        _kind(WRITE_OFF_PAID, _("Written-off debt owed again"), {ledger.TENANT}, {ledger.LOSS}),
        _kind(PENALTY, _("Late return of the deposit"), {ledger.LOSS}, {ledger.TENANT}),
        _kind(VAT_ON_FEE, _("VAT on the fee"), {ledger.FEES_PAID}, {ledger.VAT}),
        _kind(DESK_CASH, _("Cash"), {ledger.CASH}, {ledger.TENANT}, pays=True),
        _kind(DESK_CHEQUE, _("Cheque"), {ledger.CHEQUES}, {ledger.TENANT}, pays=True),
        _kind(DESK_CARD, _("Card payment"), {ledger.CARDS}, {ledger.TENANT}, pays=True),
        _kind(TRANSFER_OF_DEBT, _("Debt moved to another account"), {ledger.TENANT}, {ledger.TENANT}),
        _kind(PROVISION, _("Provision for a doubtful debt"), {ledger.PROVISION}, {ledger.DOUBTFUL}),
        _kind(PROVISION_RELEASED, _("Provision released"), {ledger.DOUBTFUL}, {ledger.PROVISION}),
        _kind(GUARANTEE_PAID, _("Guarantee called"), {ledger.FUNDS}, {ledger.GUARANTEE}),
        _kind(FEE_GIVEN_BACK, _("Management fee given back"), {ledger.FEES_EARNED}, {ledger.FEES_PAID}),
        _kind(VAT_GIVEN_BACK, _("VAT given back"), {ledger.VAT}, {ledger.FEES_PAID}),
        _kind(OWNER_RENT_LESS, _("Rent owed to the owner, lowered"), {ledger.OWED_OWNER}, {ledger.HEAD_RENT}),
        _kind(GUARANTEE_GIVEN_BACK, _("Guarantee given back"), {ledger.GUARANTEE}, {ledger.GUARANTEE_GIVEN}),
        _kind(ADVANCE_REPAID, _("Advance repaid from funds"), {ledger.ADVANCE}, {ledger.FUNDS}),
        _kind(FREE, _("Other operation"), ACCOUNT_KINDS, ACCOUNT_KINDS),
    )
}


class Operation(models.Model):
    """One amount posted for a stated reason (*opération diverse*): never changed, undone by its opposite.

    key: what it was made from, e.g. "deposit 12"; one operation a kind and key, for ever.
    debit, credit: the two accounts, or the first pair where they stand in two books; other_debit and
    other_credit are then the second pair. due: when the debt falls due. amount: EUR, above zero.
    """

    kind = models.PositiveSmallIntegerField(_("kind"), choices={k: v.label for k, v in OPERATIONS.items()})
    key = models.CharField(max_length=60)
    entry = models.ForeignKey(Entry, models.PROTECT, related_name="operations")
    debit = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    credit = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    other_debit = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", db_index=False)
    other_credit = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", db_index=False)
    amount = EuroField(_("amount"))
    on = models.DateField(_("date"))
    due = models.DateField(_("due"))
    label = models.CharField(_("label"), max_length=120, blank=True)
    undoes = models.OneToOneField("self", models.PROTECT, null=True, related_name="undone_by")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("operation"), _("operations")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"],
                name="operation_once",
                violation_error_message=_("This was already posted."),
            ),
            models.CheckConstraint(
                name="operation_amount_above_zero",
                condition=Q(amount__gt=0),
                violation_error_message=_("Post an amount above zero; to undo, reverse the operation."),
            ),
            models.CheckConstraint(name="operation_between_two_accounts", condition=~Q(debit=F("credit"))),
            models.CheckConstraint(
                name="operation_second_pair_whole",
                condition=Q(other_debit__isnull=True, other_credit__isnull=True)
                | Q(other_debit__isnull=False, other_credit__isnull=False),
            ),
        ]

    def __str__(self):
        return f"{self.pk} {self.key}"

    def words(self) -> str:
        """As the tenant's account shows it."""
        name = self.label or str(self.get_kind_display())
        return str(_("%(operation)s, undone")) % {"operation": name} if self.undoes_id else name


class WrongAccounts(Refusal):
    """Two accounts that this kind of operation may not move money between."""


class AlreadyUndone(Refusal):
    """An operation that was undone before, or is itself an undoing."""


def account(kind: int, *, book: int, lease=None, owner=None, bank=None) -> Account:
    """The account of that kind in a book (id), opened where it is not there yet (*compte*)."""
    return Account.objects.get_or_create(book_id=book, kind=kind, lease=lease, owner=owner, bank=bank)[0]


def between(debit: Account, credit: Account) -> dict[str, Account]:
    """The accounts of an operation, field by field: one pair in one book, or a pair in each of two.

    From one book to the other the amount goes through what is held for the owner (*fonds mandants*).
    Raises WrongAccounts between two owners' books.
    """
    if debit.book_id == credit.book_id:
        return {"debit": debit, "credit": credit}
    own = ledger.association_book_id()
    if own not in (debit.book_id, credit.book_id):
        raise WrongAccounts(
            f"{debit.pk} / {credit.pk}",
            _("Money of one owner never pays for another."),
            _("Pay it out of the association's book, then claim it from the other owner."),
        )
    there = credit if debit.book_id == own else debit
    owner = Book.objects.only("owner").get(pk=there.book_id).owner
    held = account(HELD_FOR, book=own, owner=owner)
    funds = account(FUNDS, book=there.book_id)
    if debit.book_id == own:
        return {"debit": debit, "credit": held, "other_debit": funds, "other_credit": credit}
    return {"debit": held, "credit": credit, "other_debit": debit, "other_credit": funds}


def post(drafts: Iterable[Operation], *, label: str, by, now: datetime) -> Entry | None:
    """Write operations and their postings, all or nothing, as one sealed entry; None for none.

    drafts: unsaved operations (kind, key, amount, on, due, label, and the accounts as between() gives
    them). What leaves an owner's funds beyond what they hold is advanced by the manager.
    Raises WrongAccounts; the database refuses a key already posted (operation_once).
    """
    drafts = list(drafts)
    if not drafts:
        return None
    with transaction.atomic():
        for draft in drafts:
            _check(draft)
        ends = [end for one in drafts for end in (one.debit, one.other_debit) if end]
        ledger.require_open(min(one.on for one in drafts), {end.book_id for end in ends})
        _advance(drafts)
        entry = Entry.objects.create(label=label, recorded_at=now)
        for draft in drafts:
            draft.entry, draft.made_by = entry, by
        Operation.objects.bulk_create(drafts, batch_size=2_000)
        post_entry(entry)
        audit.record(by, "post", "ledger", entry.pk, operations=len(drafts))
    return entry


def post_entry(entry: Entry) -> None:
    """Post every operation of an entry and seal it: two statements, whatever their number.

    For a batch that wrote its operations by one statement of its own; within its transaction.
    """
    pays = ", ".join(str(kind.code) for kind in OPERATIONS.values() if kind.pays)
    with connection.cursor() as cursor:
        for text in dialect.load(QUERIES / "post_operations.sql").format(pays=pays).split("--%"):
            dialect.execute(
                cursor,
                text,
                {"entry": entry.pk, "operation": Source.OPERATION, "receipt": Source.RECEIPT},
            )
    ledger.seal(entry)


def undo(operation: Operation, *, on: date, reason: str, by, now: datetime) -> Operation:
    """Undo an operation by its opposite (*contre-passation*), dated `on`.

    Raises AlreadyUndone.
    """
    if operation.undoes_id or Operation.objects.filter(undoes=operation).exists():
        raise AlreadyUndone(
            str(operation.pk), _("This operation is already undone."), _("Post it anew if it is still due.")
        )
    opposite = Operation(
        kind=operation.kind,
        key=f"undo {operation.pk}",
        debit=operation.credit,
        credit=operation.debit,
        other_debit=operation.other_credit,
        other_credit=operation.other_debit,
        amount=operation.amount,
        on=on,
        due=operation.due,
        label=reason[:120] or operation.label,
        undoes=operation,
    )
    post([opposite], label=f"Undo {operation.pk}", by=by, now=now)
    return opposite


def _check(draft: Operation) -> None:
    """Refuse accounts that the kind does not allow. Raises WrongAccounts."""
    kind = OPERATIONS[draft.kind]
    ends = [(draft.debit, draft.credit)]
    if draft.other_debit_id:
        ends.append((draft.other_debit, draft.other_credit))
    debits = {one.kind for one, _other in ends}
    credits_ = {other.kind for _one, other in ends}
    if draft.undoes_id:
        debits, credits_ = credits_, debits
    if not (debits & kind.debit and credits_ & kind.credit):
        raise WrongAccounts(
            draft.key,
            _("“%(kind)s” does not move money between these accounts.") % {"kind": kind.label},
            _("Choose the accounts of that kind of operation."),
        )


def _advance(drafts: list[Operation]) -> None:
    """Where an owner's funds do not suffice, the manager's advance takes their place."""
    leaving = [one for one in drafts if one.other_credit_id and one.other_credit.kind == FUNDS]
    if not leaving:
        return
    funds = sorted({one.other_credit_id for one in leaving})
    # Held until the end: of two that spend at once, the second sees what the first has spent.
    list(Account.objects.select_for_update().filter(pk__in=funds).order_by("pk").values_list("pk"))
    left = dict.fromkeys(funds, euros(0))
    for side, sign in (("debit", 1), ("credit", -1)):
        rows = Posting.objects.filter(**{f"{side}__in": funds}).values_list(side)
        for pk, total in rows.annotate(total=Sum("amount")).order_by():
            left[pk] += total * sign
    for one in leaving:
        if left[one.other_credit_id] >= one.amount:
            left[one.other_credit_id] -= one.amount
        else:
            one.other_credit = account(ADVANCE, book=one.other_credit.book_id)


def tenant_accounts(lease_ids: Iterable[int], book: int | None = None) -> dict[int, Account]:
    """The tenant's account of each lease: in that book, else the last opened; two queries at most."""
    rows = Account.objects.filter(lease__in=list(lease_ids), kind=ledger.TENANT)
    if book is not None:
        rows = rows.filter(book=book)
    return {one.lease_id: one for one in rows.order_by("pk")}


def total(kind: int, **where) -> Money:
    """What stands posted of a kind of operation, EUR, undone ones left out."""
    rows = Operation.objects.filter(kind=kind, undoes=None, undone_by=None, **where)
    return rows.aggregate(total=Sum("amount"))["total"] or euros(0)
