"""Lines of a statement that somebody puts to an owner's account by hand (*affectation*)."""

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _t
from moneyed import Money

from core import audit
from core.money import euros
from leases import ledger, operations
from leases.accounts.payouts import CannotPay, Payout, payout_states
from leases.bank import Allocation, Movement, add_allocations
from leases.ledger import Book
from portfolio.owners import Owner


def put_to_payout(allocation: Allocation, payout: Payout, *, by, on: date, now: datetime) -> list[Allocation]:
    """Say that a suspense line is the debit of one of our payments, where its reference is not told.

    Raises CannotPay: another amount or account, or a payment debited or withdrawn already.
    """
    with transaction.atomic():
        movement = Movement.objects.select_for_update().select_related("bank").get(pk=allocation.movement_id)
        line = Allocation.objects.in_suspense().filter(pk=allocation.pk).first()
        if line is None or line.left != -payout.amount or movement.bank_id != payout.batch.bank_id:
            raise CannotPay(
                str(payout),
                _t("This line is not its debit."),
                _t("Choose the line of that amount and account."),
            )
        if payout.batch.withdrawn_at or payout.end_to_end in payout_states(payout.batch):
            raise CannotPay(str(payout), _t("It was debited or withdrawn already."), _t("Look at its batch."))
        put = Allocation(
            movement=movement,
            account=payout.account,
            amount=line.left,
            on=on,
            how="payout",
            note=payout.end_to_end,
            settles=line,
            by=by,
        )
        made = add_allocations(movement, [put], label="Payment to an owner", now=now)
        audit.record(by, "settle", "suspense", allocation.pk, payout=payout.pk)
    return made


def take_contribution(
    allocation: Allocation, owner: Owner, *, amount: Money, by, on: date, now: datetime
) -> list[Allocation]:
    """Put money an owner sent to its own account (*provision pour travaux*), from a suspense line.

    Raises CannotPay: more than is left of it, or an owner without mandate.
    """
    with transaction.atomic():
        movement = Movement.objects.select_for_update().select_related("bank").get(pk=allocation.movement_id)
        line = Allocation.objects.in_suspense().filter(pk=allocation.pk).first()
        book = Book.objects.filter(owner=owner).first()
        if line is None or not euros(0) < amount <= line.left or on < movement.booked:
            raise CannotPay(
                str(allocation.pk),
                _t("The line does not hold that sum then."),
                _t("Look at what is left of it."),
            )
        if book is None:
            raise CannotPay(str(owner), _t("This owner gave no mandate."), _t("Choose another owner."))
        account = operations.account(ledger.PAID_OUT, book=book.pk)
        put = Allocation(
            movement=movement, account=account, amount=amount, on=on, how="manual", settles=line, by=by
        )
        made = add_allocations(movement, [put], label="Contribution", now=now)
        audit.record(by, "settle", "suspense", allocation.pk, owner=owner.pk)
    return made
