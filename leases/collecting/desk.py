"""Payments at the desk (*encaissements au guichet*): cash, cheques, cards; cheques brought to the bank.

Each has a receipt, numbered without a gap, and its posting; a mistake is cancelled, its number stays.
Who paid is told apart: a fund, a guarantor, a guardian may pay for a household.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, Max, Q, Sum
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.law import rule
from core.money import EuroField, euros
from leases import ledger, operations
from leases.bank_accounts import BankAccount
from leases.lease import Lease
from leases.operations import DESK_CARD, DESK_CASH, DESK_CHEQUE, Operation
from leases.suspense import paid_account


@dataclass(frozen=True, slots=True)
class Means:
    """How money is handed over: the operation that posts it and the account that takes it."""

    operation: int
    account: int


CASH, CHEQUE, CARD = "cash", "cheque", "card"
MEANS = {
    CASH: Means(DESK_CASH, ledger.CASH),
    CHEQUE: Means(DESK_CHEQUE, ledger.CHEQUES),
    CARD: Means(DESK_CARD, ledger.CARDS),
}


class DeskReceiptQuerySet(models.QuerySet):
    def standing(self):
        """Receipts that were not cancelled."""
        return self.filter(operation__undone_by=None)

    def cheques_to_bank(self):
        """Cheques in hand, not yet on a slip."""
        return self.standing().filter(means=CHEQUE, slip_line=None)


class DeskReceipt(models.Model):
    """A payment taken at the desk (*reçu de caisse*): never changed; cancelled by its operation's opposite.

    number: within its year, without a gap. payer: who paid, where it is not the household itself;
    payer_name: the organisation's name, never a person's.
    """

    class MeansOfPayment(models.TextChoices):
        CASH = CASH, _("Cash")
        CHEQUE = CHEQUE, _("Cheque")
        CARD = CARD, _("Card payment")

    class Payer(models.TextChoices):
        HOUSEHOLD = "household", _("The household")
        FSL = "fsl", _("Housing solidarity fund (FSL)")
        GUARANTOR = "guarantor", _("Guarantor")
        VISALE = "visale", _("Action Logement / Visale")
        GUARDIAN = "guardian", _("Guardian or curator")
        FAMILY = "family", _("Family")
        OTHER = "other", _("Somebody else")

    year = models.PositiveSmallIntegerField(_("year"))
    number = models.PositiveIntegerField(_("number"))
    lease = models.ForeignKey(Lease, models.PROTECT, related_name="desk_receipts")
    means = models.CharField(_("means of payment"), max_length=6, choices=MeansOfPayment)
    payer = models.CharField(_("paid by"), max_length=10, choices=Payer, default=Payer.HOUSEHOLD)
    payer_name = models.CharField(_("organisation"), max_length=80, blank=True)
    on = models.DateField(_("received on"), db_index=True)
    amount = EuroField(_("amount"))
    reference = models.CharField(_("cheque number or card slip"), max_length=40, blank=True)
    operation = models.OneToOneField(Operation, models.PROTECT, related_name="+")
    taken_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    objects = DeskReceiptQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("receipt of the desk"), _("receipts of the desk")
        constraints = [
            models.UniqueConstraint(
                fields=["year", "number"],
                name="desk_receipt_number_once",
                violation_error_message=_("This number is already given."),
            ),
            models.CheckConstraint(
                name="desk_receipt_above_zero",
                condition=Q(amount__gt=0),
                violation_error_message=_("Give an amount above zero."),
            ),
        ]

    def __str__(self):
        return f"{self.year}-{self.number:05d}"

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled; no query where its operation came with `undone_by`."""
        return hasattr(self.operation, "undone_by")


class ChequeSlip(models.Model):
    """Cheques brought to the bank together (*bordereau de remise de chèques*)."""

    bank = models.ForeignKey(BankAccount, models.PROTECT, related_name="+")
    on = models.DateField(_("brought on"))
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("cheque slip"), _("cheque slips")

    def __str__(self):
        return f"R{self.pk:05d}"

    @property
    def total(self) -> Money:
        return self.lines.aggregate(total=Sum("receipt__amount"))["total"] or euros(0)


class ChequeSlipLine(models.Model):
    """A cheque of a slip; a cheque is on one slip only."""

    slip = models.ForeignKey(ChequeSlip, models.PROTECT, related_name="lines")
    receipt = models.OneToOneField(DeskReceipt, models.PROTECT, related_name="slip_line")

    def __str__(self):
        return f"{self.slip_id}: {self.receipt_id}"


class CannotTake(Refusal):
    """A payment that the desk cannot take, or a receipt that cannot be cancelled."""


def take(
    lease: Lease,
    *,
    amount: Money,
    means: str,
    on: date,
    payer: str = DeskReceipt.Payer.HOUSEHOLD,
    payer_name: str = "",
    reference: str = "",
    by,
    now: datetime,
) -> DeskReceipt:
    """Take a payment at the desk: its receipt, numbered, and its posting to the tenant's account.

    amount: EUR, above zero. Cash within CASH_CEILING for a debt, all its cash of that day together.
    Raises CannotTake.
    """
    place = _("lease %(reference)s") % {"reference": lease.reference}
    if amount <= euros(0):
        raise CannotTake(place, _("The amount is not above zero."), _("Give the amount received."))
    if on > now.date():
        raise CannotTake(place, _("This day is yet to come."), _("Give the day it was received."))
    if means == CHEQUE and not reference:
        raise CannotTake(place, _("A cheque has a number."), _("Give the number of the cheque."))
    with transaction.atomic():
        # One desk at a time gives a number: the association's book is its lock.
        ledger.Book.objects.select_for_update().get(pk=ledger.association_book_id())
        if means == CASH:
            _within_the_ceiling(lease, amount, on, place)
        last = DeskReceipt.objects.filter(year=on.year).aggregate(last=Max("number"))["last"] or 0
        to = paid_account(lease)
        box = operations.account(MEANS[means].account, book=ledger.association_book_id())
        label = f"{DeskReceipt.MeansOfPayment(means).label} {on.year}-{last + 1:05d}"
        if payer != DeskReceipt.Payer.HOUSEHOLD:
            label += f" ({DeskReceipt.Payer(payer).label})"
        draft = Operation(
            kind=MEANS[means].operation,
            key=f"desk {on.year}-{last + 1:05d}",
            **operations.between(box, to),
            amount=amount,
            on=on,
            due=on,
            label=label,
        )
        operations.post([draft], label=f"Desk {on.year}-{last + 1:05d}", by=by, now=now)
        receipt = DeskReceipt.objects.create(
            year=on.year,
            number=last + 1,
            lease=lease,
            means=means,
            payer=payer,
            payer_name=payer_name,
            on=on,
            amount=amount,
            reference=reference,
            operation=draft,
            taken_by=by,
        )
        audit.record(by, "take", "desk", receipt.pk, lease=lease.pk)
    return receipt


def cancel(receipt: DeskReceipt, *, reason: str, on: date, by, now: datetime) -> Operation:
    """Cancel a receipt by its opposite; its number stays, marked cancelled.

    A cheque that the bank returns unpaid is cancelled so, slip or not. Raises CannotTake.
    """
    with transaction.atomic():
        kept = (
            DeskReceipt.objects.select_for_update(of=("self",)).select_related("operation").get(pk=receipt.pk)
        )
        if kept.cancelled:
            raise CannotTake(
                str(kept), _("This receipt is already cancelled."), _("Take the payment again if it is due.")
            )
        opposite = operations.undo(kept.operation, on=on, reason=reason, by=by, now=now)
        audit.record(by, "cancel", "desk", kept.pk)
    return opposite


def make_slip(receipts: Iterable[DeskReceipt] | None, *, bank: BankAccount, on: date, by) -> ChequeSlip:
    """Put cheques on a slip for the bank: those given, or all in hand.

    The bank's movement of that total is then settled to the account of cheques.
    Raises CannotTake for none, or for one already on a slip.
    """
    with transaction.atomic():
        ledger.Book.objects.select_for_update().get(pk=ledger.association_book_id())
        waiting = DeskReceipt.objects.cheques_to_bank().order_by("year", "number")
        if receipts is not None:
            wanted = {one.pk for one in receipts}
            waiting = [one for one in waiting if one.pk in wanted]
            if len(waiting) != len(wanted):
                raise CannotTake(
                    str(_("Cheque slip")),
                    _("One of these cheques is already on a slip, or cancelled."),
                    _("Look at the list again."),
                )
        if not waiting:
            raise CannotTake(
                str(_("Cheque slip")), _("No cheque is in hand."), _("Take a cheque at the desk first.")
            )
        slip = ChequeSlip.objects.create(bank=bank, on=on, made_by=by)
        ChequeSlipLine.objects.bulk_create(ChequeSlipLine(slip=slip, receipt=one) for one in waiting)
        audit.record(by, "make", "cheque_slip", slip.pk)
    return slip


@dataclass(frozen=True, slots=True)
class Desk:
    """What the desk holds at a date: EUR by account, and the cheques not yet on a slip."""

    cash: Money
    cheques: Money
    cards: Money
    to_bank: int


def desk(on: date) -> Desk:
    """What is in the cash box, in cheques and in card payments to receive (*situation de caisse*)."""
    book = ledger.association_book_id()
    held = {}
    for kind in (ledger.CASH, ledger.CHEQUES, ledger.CARDS):
        sides = ledger.Posting.objects.filter(on__lte=on)
        of = {"book": book, "kind": kind}
        moved = [
            sides.filter(**{f"{side}__{name}": value for name, value in of.items()}).aggregate(
                total=Sum("amount")
            )["total"]
            or euros(0)
            for side in ("debit", "credit")
        ]
        held[kind] = moved[0] - moved[1]
    waiting = DeskReceipt.objects.cheques_to_bank().aggregate(count=Count("pk"))["count"]
    return Desk(held[ledger.CASH], held[ledger.CHEQUES], held[ledger.CARDS], waiting)


def _within_the_ceiling(lease: Lease, amount: Money, on: date, place) -> None:
    """Refuse cash beyond what the law lets a professional take for one debt (CMF, art. D. 112-3)."""
    record = rule("CASH_CEILING", on=on)
    today = DeskReceipt.objects.standing().filter(lease=lease, on=on, means=CASH)
    before = today.aggregate(total=Sum("amount"))["total"] or euros(0)
    if before + amount > euros(record.value):
        raise CannotTake(
            place,
            _("Cash is taken up to %(most)s EUR (%(text)s).")
            % {"most": record.value, "text": record.legal_ref},
            _("Take the rest by cheque, card or transfer."),
        )
