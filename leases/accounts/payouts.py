"""Paying owners (*règlement des propriétaires*): what each is due, the file for the bank, what became of it.

Under a mandate only what is really held: by the month's statement, less what left since, deposits,
reserve and payments under way. Under a head lease what is owed, let or not. A payment is made once:
until the bank debits it, it counts as paid; the statement's movement then posts it by its reference.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, Exists, OuterRef, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect
from core.errors import Refusal
from core.money import EuroField, euros, from_cents, to_cents
from core.periods import ONE_DAY, Period, first_of_month
from leases import ledger
from leases.accounts.owner_accounts import (
    COLLECTED,
    Figures,
    figures_of,
    latest_statements,
)
from leases.accounts.owner_fees import both_sides, deposits, money_parameters, money_sql, open_accounts
from leases.accounts.owner_terms import ClientAccount, Kept, kept_on
from leases.bank import Allocation
from leases.bank_accounts import BankAccount
from leases.formats.pain001 import VERSIONS, Transfer, TransferOrder, write_transfers
from leases.formats.statement import is_iban
from leases.ledger import Account, Book
from portfolio.owners import Owner


class Kind(models.TextChoices):
    """What a payment is for."""

    MANDATE = "mandate", _("Rents collected")
    HEAD = "head", _("Head rent")
    MANAGER = "manager", _("Fees, to the association")


MARKS = {Kind.MANDATE: "G", Kind.HEAD: "L", Kind.MANAGER: "H"}
"""Last letter of an end-to-end reference, by what it pays: gérance, loyer principal, honoraires."""


class PayoutBatchQuerySet(models.QuerySet):
    def with_totals(self):
        """Batches with `count`, `total` (EUR) and `debited`: how many the bank has debited."""
        paid = Allocation.objects.filter(how="payout", amount__lt=0, note=OuterRef("payouts__end_to_end"))
        return self.annotate(
            count=Count("payouts"),
            total=Sum("payouts__amount"),
            debited=Count("payouts", filter=Q(Exists(paid))),
        )


class PayoutBatch(models.Model):
    """Transfers to owners ordered together, from one bank account (*remise de virements*).

    on: the day the bank is asked to pay. version: of pain.001. sent_at: somebody gave it to the bank.
    withdrawn_at: it never will be, for withdrawn_for.
    """

    bank = models.ForeignKey(BankAccount, models.PROTECT, related_name="+")
    on = models.DateField(_("day of payment"))
    month = models.DateField(_("month"))
    version = models.CharField(_("version"), max_length=2, choices=[(v, v) for v in VERSIONS], default="09")
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    sent_at = models.DateTimeField(_("sent"), null=True)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True)
    withdrawn_for = models.CharField(_("reason"), max_length=200, blank=True)

    objects = PayoutBatchQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("payment to owners"), _("payments to owners")

    def __str__(self):
        return self.message_id

    @property
    def format_name(self) -> str:
        return f"pain.001.001.{self.version}"

    @property
    def message_id(self) -> str:
        return f"OP{self.pk:06d}"


class Payout(models.Model):
    """One transfer of a batch (*virement à un propriétaire*): never changed, never deleted.

    account: what its debit settles; other_account: in the book of the account that receives it, for
    a transfer between two of our bank accounts. end_to_end: what the statement will carry.
    """

    batch = models.ForeignKey(PayoutBatch, models.PROTECT, related_name="payouts")
    owner = models.ForeignKey(Owner, models.PROTECT, related_name="+")
    kind = models.CharField(_("for"), max_length=8, choices=Kind)
    amount = EuroField(_("amount"))
    iban = models.CharField(_("IBAN"), max_length=34)
    end_to_end = models.CharField(_("reference"), max_length=35)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    other_account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("transfer to an owner"), _("transfers to owners")
        constraints = [
            models.UniqueConstraint(fields=["end_to_end"], name="payout_end_to_end"),
            models.UniqueConstraint(fields=["batch", "owner", "kind"], name="payout_once_a_batch"),
            models.CheckConstraint(name="payout_above_zero", condition=Q(amount__gt=0)),
        ]

    def __str__(self):
        return self.end_to_end


class CannotPay(Refusal):
    """Payments that cannot be made so."""


class CannotWithdraw(Refusal):
    """A batch that cannot be taken back."""


REASONS = {
    "no_statement": _("Its statement of the month is not made yet."),
    "iban_missing": _("Its IBAN is missing."),
    "iban_wrong": _("The check digits of its IBAN do not agree."),
    "negative": _("More was spent than is held: nothing to pay."),
    "below_minimum": _("Less than the least sum paid."),
    "under_way": _("A payment is under way."),
}
"""Why an owner is not paid now; one to whom nothing is left to pay is not spoken of."""


@dataclass(frozen=True, slots=True)
class Due:
    """What one owner is due, EUR, or why nothing; figures: the month's.

    since: what left since the month's end, below zero. under_way: ordered and not debited yet.
    """

    owner: Owner
    kind: str
    figures: Figures
    kept: Money
    since: Money
    under_way: Money
    amount: Money
    bank: BankAccount | None
    reason: str = ""

    @property
    def fees(self) -> Money:
        """Fees and their VAT, of the month."""
        return self.figures.fees + self.figures.vat

    @property
    def words(self) -> str:
        """What it is for."""
        return str(Kind(self.kind).label)

    @property
    def why(self) -> str:
        return str(REASONS.get(self.reason, ""))


@dataclass(frozen=True, slots=True)
class Preview:
    """Payments that can be made on a day: those due, and owners not paid with the reason."""

    on: date
    month: date
    due: list[Due]
    refused: list[Due]

    @property
    def total(self) -> Money:
        return sum((one.amount for one in self.due), euros(0))

    def by_bank(self) -> dict[BankAccount, list[Due]]:
        found: dict[BankAccount, list[Due]] = {}
        for one in self.due:
            found.setdefault(one.bank, []).append(one)
        return found


@dataclass(frozen=True, slots=True)
class _Banks:
    """Which account pays what: owners' money, head rents, and each owner's own account."""

    client: BankAccount | None
    own: BankAccount | None
    of_owner: dict[int, BankAccount]


def paying_banks() -> tuple[list[BankAccount], list[BankAccount]]:
    """Accounts of the association that can pay: those of owners' money, and all, likeliest first."""
    client = [one.bank for one in ClientAccount.objects.select_related("bank").order_by("pk")]
    own = list(BankAccount.objects.filter(book=ledger.association_book_id()).order_by("pk"))
    return client or own, sorted(own, key=lambda bank: bank in client)


def preview_payouts(
    on: date,
    *,
    client_bank: BankAccount | None = None,
    own_bank: BankAccount | None = None,
    owners: Iterable[int] | None = None,
) -> Preview:
    """What every owner would be paid on a day, by the statement of the month before; writes nothing.

    client_bank: the account that pays what was collected; own_bank: the one that pays head rents.
    A fixed number of queries, whatever the number of owners.
    """
    month = first_of_month(first_of_month(on) - ONE_DAY)
    client, own = paying_banks()
    banks = _Banks(
        client_bank or (client[0] if client else None),
        own_bank or (own[0] if own else None),
        {
            bank.book.owner_id: bank
            for bank in BankAccount.objects.filter(book__owner__isnull=False)
            .select_related("book")
            .order_by("-pk")
        },
    )
    listed = None if owners is None else sorted(owners)
    figures = figures_of(month, listed)
    people = Owner.objects.in_bulk(figures)
    made = set(latest_statements(month).values_list("owner", flat=True))
    state = _state(month, on)
    due, refused = [], []
    for owner_id, told in sorted(figures.items(), key=lambda item: (people[item[0]].name, item[0])):
        for one in _dues(people[owner_id], told, state, banks, stated=owner_id in made):
            if one.reason != "nothing":
                (refused if one.reason else due).append(one)
    return Preview(on, month, due, refused)


@dataclass(frozen=True, slots=True)
class _State:
    """What is known of all owners on a day: EUR by owner."""

    since: dict[int, Money]
    own_bank: dict[int, Money]
    clearing: dict[int, Money]
    heads: dict[int, Money]
    under_way: dict[tuple[int, str], Money]
    kept: dict[int, Kept]
    deposits: dict[int, Money]


def _state(month: date, on: date) -> _State:
    whole = Period.month(month)
    since: dict[int, int] = defaultdict(int)
    now: dict[int, int] = defaultdict(int)
    on_bank: dict[int, int] = defaultdict(int)
    for owner, whence, kind, _operation, _lease, own, cents in dialect.rows(
        money_sql(), money_parameters(month, date.max)
    ):
        now[owner] += int(cents)
        on_bank[owner] += int(cents) if own else 0
        # What came in since is for the next month; what left, or came back, counts at once.
        if whence == 2 and (kind not in COLLECTED or cents < 0):
            since[owner] += int(cents)
    return _State(
        since={owner: from_cents(cents) for owner, cents in since.items()},
        own_bank={owner: from_cents(cents) for owner, cents in on_bank.items()},
        clearing={owner: from_cents(now[owner] - on_bank[owner]) for owner in now},
        heads=_heads_owed(on),
        under_way=under_way(),
        kept=kept_on(on),
        deposits=deposits(whole.last_day),
    )


def _heads_owed(on: date) -> dict[int, Money]:
    rows = dialect.rows(
        f"SELECT a.owner_id, SUM(-v.signed) FROM leases_account a JOIN {both_sides('w.kind = %(owed)s')} v"
        " ON v.account_id = a.id AND v.due <= DAY(%(on)s) WHERE a.kind = %(owed)s GROUP BY a.owner_id",
        {"on": on, "owed": ledger.OWED_OWNER},
    )
    return {owner: from_cents(int(cents)) for owner, cents in rows}


def under_way() -> dict[tuple[int, str], Money]:
    """(owner, kind) → ordered and not debited by the bank yet, EUR; one query."""
    debited = Allocation.objects.filter(how="payout", amount__lt=0, note=OuterRef("end_to_end"))
    rows = Payout.objects.filter(~Exists(debited), batch__withdrawn_at=None).values_list("owner", "kind")
    return {(owner, kind): total for owner, kind, total in rows.annotate(total=Sum("amount")).order_by()}


def _dues(owner: Owner, told: Figures, state: _State, banks: _Banks, *, stated: bool) -> Iterable[Due]:
    """The payments one owner is due: rents collected, its fees to the association, head rent."""
    zero = euros(0)
    terms = state.kept.get(owner.pk, Kept())
    back = (zero if terms.deposits_to_owner else state.deposits.get(owner.pk, zero)) + terms.reserve
    since = state.since.get(owner.pk, zero)
    ordered = {kind: state.under_way.get((owner.pk, kind), zero) for kind in Kind.values}
    own_bank = banks.of_owner.get(owner.pk)
    if own_bank:
        # Fees and invoices were paid for it out of the association's money: its own account gives them back.
        lent = -state.clearing.get(owner.pk, zero) - ordered[Kind.MANAGER]
        if lent > zero:
            amount = min(lent, max(zero, state.own_bank.get(owner.pk, zero) - ordered[Kind.MANDATE]))
            yield _checked(
                Due(owner, Kind.MANAGER, told, zero, zero, ordered[Kind.MANAGER], amount, own_bank),
                iban=banks.client.iban if banks.client else "",
                stated=stated,
            )
    if told.held or told.collected or since or ordered[Kind.MANDATE]:
        there = state.own_bank.get(owner.pk, zero) if own_bank else zero
        now = there + state.clearing.get(owner.pk, zero)
        amount = min(told.held + min(since, zero), now) - back - ordered[Kind.MANDATE]
        if own_bank:
            amount = min(amount, there - ordered[Kind.MANDATE] - ordered[Kind.MANAGER])
        yield _checked(
            Due(
                owner,
                Kind.MANDATE,
                told,
                back,
                since,
                ordered[Kind.MANDATE],
                amount,
                own_bank or banks.client,
            ),
            iban=owner.iban,
            stated=stated,
            least=terms.minimum,
        )
    owed = state.heads.get(owner.pk, zero)
    if owed or ordered[Kind.HEAD]:
        yield _checked(
            Due(owner, Kind.HEAD, told, zero, zero, ordered[Kind.HEAD], owed - ordered[Kind.HEAD], banks.own),
            iban=owner.iban,
            stated=True,
            least=terms.minimum,
        )


def _checked(due: Due, *, iban: str, stated: bool, least: Money | None = None) -> Due:
    reason = ""
    if due.amount <= euros(0) and due.under_way:
        reason = "under_way"
    elif due.amount < euros(0):
        reason = "negative"
    elif not due.amount:
        reason = "nothing"
    elif not stated:
        reason = "no_statement"
    elif least and due.amount < least:
        reason = "below_minimum"
    elif not iban:
        reason = "iban_missing"
    elif not is_iban(iban):
        reason = "iban_wrong"
    return replace(due, reason=reason, amount=max(due.amount, euros(0)))


def commit_payouts(
    on: date,
    *,
    client_bank: BankAccount | None = None,
    own_bank: BankAccount | None = None,
    owners: Iterable[int] | None = None,
    expected: Money | None = None,
    version: str = "09",
    by,
    now: datetime,
) -> list[PayoutBatch]:
    """Order what preview_payouts says, one batch a debtor account; asked twice, nothing is paid twice.

    expected: the total that was previewed; another one now is refused. Raises CannotPay.
    """
    place = f"{on:%d/%m/%Y}"
    if on < now.date():
        raise CannotPay(place, _t("This day has passed."), _t("Choose today or a later day."))
    with transaction.atomic():
        # Of two who pay at once, the second finds what the first has ordered.
        list(Book.objects.select_for_update().order_by("pk").values_list("pk"))
        preview = preview_payouts(on, client_bank=client_bank, own_bank=own_bank, owners=owners)
        if expected is not None and preview.total != expected:
            raise CannotPay(
                place,
                _t("The total is now %(now)s EUR; it was %(before)s EUR when you looked.")
                % {"now": preview.total.amount, "before": expected.amount},
                _t("Look at the payments again, then confirm."),
            )
        if any(one.bank is None for one in preview.due):
            raise CannotPay(place, _t("No bank account can pay."), _t("Declare the association's account."))
        batches = [
            _order(bank, dues, preview, version=version, by=by, now=now)
            for bank, dues in preview.by_bank().items()
        ]
    return batches


def _order(bank: BankAccount, dues: list[Due], preview: Preview, *, version, by, now) -> PayoutBatch:
    batch = PayoutBatch.objects.create(
        bank=bank, on=preview.on, month=preview.month, version=version, made_at=now, made_by=by
    )
    own = ledger.association_book_id()
    books = dict(Book.objects.filter(owner__in=[due.owner.pk for due in dues]).values_list("owner", "pk"))
    of = {kind: [due.owner.pk for due in dues if due.kind == kind] for kind in Kind.values}
    paid_out = open_accounts(ledger.PAID_OUT, books=[books[owner] for owner in of[Kind.MANDATE]])
    advance = open_accounts(ledger.ADVANCE, books=[books[owner] for owner in of[Kind.MANAGER]])
    held = open_accounts(ledger.HELD_FOR, owners=of[Kind.MANAGER], book=own)
    owed = open_accounts(ledger.OWED_OWNER, owners=of[Kind.HEAD], book=own)
    to_us = paying_banks()[0][0].iban if of[Kind.MANAGER] else ""
    made = []
    for due in dues:
        pk = due.owner.pk
        account = {
            Kind.MANDATE: lambda pk=pk: paid_out[books[pk]],
            Kind.MANAGER: lambda pk=pk: advance[books[pk]],
            Kind.HEAD: lambda pk=pk: owed[pk],
        }[due.kind]()
        made.append(
            Payout(
                batch=batch,
                owner=due.owner,
                kind=due.kind,
                amount=due.amount,
                iban=to_us if due.kind == Kind.MANAGER else due.owner.iban,
                end_to_end=f"{batch.message_id}-{pk:06d}{MARKS[due.kind]}",
                account=account,
                other_account=held.get(pk) if due.kind == Kind.MANAGER else None,
            )
        )
    Payout.objects.bulk_create(made, batch_size=2_000)
    audit.record(by, "pay", "owner_account", batch.pk, payouts=len(made))
    return batch


def payout_file(batch: PayoutBatch) -> bytes:
    """The batch as a pain.001 file, valid by its schema: the same bytes each time.

    Raises CannotPay for a batch withdrawn, or which the schema refuses.
    """
    if batch.withdrawn_at:
        raise CannotPay(str(batch), _t("This payment was withdrawn."), _t("Make a new one."))
    debtor = batch.bank.creditor or (
        batch.bank.book.owner.name if batch.bank.book.owner_id else batch.bank.name
    )
    order = TransferOrder(
        message_id=batch.message_id,
        made_at=timezone.localtime(batch.made_at),
        debtor=debtor,
        iban=batch.bank.iban,
        paid_on=batch.on,
        transfers=[
            Transfer(
                end_to_end=payout.end_to_end,
                amount_cents=to_cents(payout.amount),
                name=debtor if payout.kind == Kind.MANAGER else payout.owner.name,
                iban=payout.iban,
                text=f"{payout.get_kind_display()} {batch.month:%m/%Y}",
            )
            for payout in batch.payouts.select_related("owner").order_by("pk")
        ],
    )
    try:
        return write_transfers(order, batch.version)
    except ValueError as fault:
        raise CannotPay(
            str(batch), str(fault), _t("Withdraw it, correct the owner, then pay again.")
        ) from fault


def file_name(batch: PayoutBatch) -> str:
    return f"virements-{batch.message_id}-{batch.on:%Y-%m-%d}.xml"


def mark_sent(batch: PayoutBatch, *, by, now: datetime) -> PayoutBatch:
    """Say that the file was given to the bank. Raises CannotPay for a batch withdrawn."""
    with transaction.atomic():
        kept = PayoutBatch.objects.select_for_update().get(pk=batch.pk)
        if kept.withdrawn_at:
            raise CannotPay(str(kept), _t("This payment was withdrawn."), _t("Make a new one."))
        if kept.sent_at is None:
            digest = hashlib.sha256(payout_file(kept)).hexdigest()
            kept.sent_at = now
            kept.save(update_fields=["sent_at"])
            audit.record(by, "send", "owner_account", kept.pk, file=digest)
    return kept


def withdraw(batch: PayoutBatch, *, reason: str, by, now: datetime) -> PayoutBatch:
    """Take a batch back (*annulation de la remise*): its owners are due again.

    Raises CannotWithdraw: withdrawn already, debited by the bank, or sent and no reason given.
    """
    with transaction.atomic():
        kept = PayoutBatch.objects.select_for_update().get(pk=batch.pk)
        if kept.withdrawn_at:
            raise CannotWithdraw(str(kept), _t("This payment was withdrawn already."), "")
        references = list(kept.payouts.values_list("end_to_end", flat=True))
        if Allocation.objects.filter(how="payout", note__in=references).exists():
            raise CannotWithdraw(
                str(kept),
                _t("The bank has debited it."),
                _t("What comes back is seen on the statement, and is then due again."),
            )
        if kept.sent_at and not reason.strip():
            raise CannotWithdraw(
                str(kept),
                _t("The file was given to the bank."),
                _t("Make sure that the bank has refused it, and say so."),
            )
        kept.withdrawn_at, kept.withdrawn_for = now, reason.strip()[:200]
        kept.save(update_fields=["withdrawn_at", "withdrawn_for"])
        audit.record(by, "withdraw", "owner_account", kept.pk, sent=bool(kept.sent_at))
    return kept


def debits_like(bank: BankAccount, amount: Money) -> models.QuerySet:
    """Transfers of that sum from that account which the bank has not debited yet."""
    debited = Allocation.objects.filter(how="payout", amount__lt=0, note=OuterRef("end_to_end"))
    return (
        Payout.objects.filter(~Exists(debited), batch__bank=bank, batch__withdrawn_at=None, amount=amount)
        .select_related("owner")
        .order_by("-pk")
    )


def payout_states(batch: PayoutBatch) -> dict[str, tuple[str, date | None, int | None]]:
    """Reference → what became of it (ordered, debited, returned), when, on which movement; one query."""
    found: dict[str, tuple[str, date | None, int | None]] = {}
    rows = Allocation.objects.filter(
        how="payout", note__in=batch.payouts.values("end_to_end"), movement__bank=batch.bank
    )
    for end_to_end, amount, on, movement in rows.order_by("pk").values_list(
        "note", "amount", "movement__booked", "movement"
    ):
        found[end_to_end] = ("debited" if amount < euros(0) else "returned", on, movement)
    return found


def paid_to(owner: Owner) -> Sequence[Payout]:
    """The latest payments of an owner, withdrawn ones left out."""
    return list(
        Payout.objects.filter(owner=owner, batch__withdrawn_at=None)
        .select_related("batch")
        .order_by("-batch__on", "-pk")[:24]
    )
