"""Grouped transfers split by their list (*bordereaux*): CAF, MSA, FSL, batches of debits or cheques.

One movement pays many leases; it waits in suspense until its list says which. The list's total must
be the movement's amount; what it names badly stays in suspense, line by line.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.money import EuroField, from_cents, to_cents
from leases import ledger, matching
from leases.bank import Allocation, Movement, add_allocations
from leases.bank_accounts import BankAccount
from leases.benefits import Benefit
from leases.formats.benefit_list import BenefitLine, BenefitList, read_list
from leases.formats.statement import plain_euros
from leases.lease import Lease
from leases.ledger import Account
from leases.rent import RentCall
from leases.terms import BENEFIT

# A transfer is booked about the day that its list says it was paid.
BEFORE, AFTER = timedelta(days=10), timedelta(days=31)

ODD = {
    "nobody": _("Nobody here has this number or reference."),
    "several": _("This number is that of several leases: say which."),
    "differs": _("The number and the reference are of two different leases."),
}
"""Why a line of a list stays in suspense."""


class ListDetail(models.Model):
    """What a payment list holds for a lease and month beside that month's benefit (*rappel, retenue*).

    recall: a back-payment, EUR; recovery: kept back for an overpayment, EUR; the movement holds the net.
    """

    movement = models.ForeignKey(Movement, models.PROTECT, related_name="+")
    lease = models.ForeignKey(Lease, models.PROTECT, related_name="+")
    month = models.DateField(_("month"))
    recall = EuroField(_("back-payment"), default=0)
    recovery = EuroField(_("recovery"), default=0)

    class Meta:
        verbose_name, verbose_name_plural = _("detail of a payment list"), _("details of payment lists")
        constraints = [
            models.CheckConstraint(
                name="list_detail_says_something",
                condition=Q(recall__gte=0, recovery__gte=0) & (Q(recall__gt=0) | Q(recovery__gt=0)),
            )
        ]
        indexes = [models.Index(fields=["month", "lease"], name="list_detail_month")]

    def __str__(self):
        return f"{self.lease_id} {self.month:%Y-%m}"


class NoSuchTransfer(Refusal):
    """A list whose transfer is not, or no longer, in suspense."""


class ListDiffers(Refusal):
    """A list whose total is not the amount of its transfer."""


@dataclass(frozen=True, slots=True)
class Split:
    """What a payment list did: its movement, lines put to leases, odd lines, and whether it was known."""

    movement: Movement
    total: Money
    settled: int
    odd: int
    odd_total: Money
    already: bool = False


def import_payment_list(data: bytes, *, by, now: datetime) -> Split:
    """Split a grouped transfer by its list, line by line (*ventilation*); the same list again changes nothing.

    CAF and MSA pay the benefit account of the lease; any other payer the tenant's.
    Raises BadFile, NoSuchTransfer, ListDiffers.
    """
    listed = read_list(data)
    with transaction.atomic():
        return split_transfer(_transfer(listed), listed, by=by, now=now)


def split_transfer(movement: Movement, listed: BenefitList, *, by, now: datetime) -> Split:
    """Split one movement by its list; the same list again changes nothing. Raises NoSuchTransfer, ListDiffers."""
    with transaction.atomic():
        movement = Movement.objects.select_for_update().select_related("bank").get(pk=movement.pk)
        waiting = list(Allocation.objects.in_suspense().filter(movement=movement, settles=None))
        whole = [
            one for one in waiting if one.left == one.amount and to_cents(one.left) == listed.total_cents
        ]
        if not whole:
            place = _("transfer %(reference)s") % {"reference": listed.transfer_reference}
            if to_cents(movement.amount) != listed.total_cents:
                raise ListDiffers(
                    place,
                    _("The list adds up to %(total)s EUR; the transfer is %(amount)s EUR.")
                    % {"total": plain_euros(listed.total_cents), "amount": movement.amount.amount},
                    _("Ask the payer for the whole list of this transfer."),
                )
            if movement.allocations.filter(how="list").exists():
                return Split(movement, movement.amount, 0, 0, from_cents(0), already=True)
            raise NoSuchTransfer(
                place,
                _("This transfer is no longer whole in suspense."),
                _("Take back what was settled by hand, then import the list again."),
            )
        made, odd, details = _lines(listed, whole[0], by=by)
        made = add_allocations(movement, made, label="List", now=now)
        ListDetail.objects.bulk_create(details, batch_size=1_000)
        audit.record(by, "settle", "suspense", whole[0].pk, lines=len(made), odd=odd)
    parted = [one for one in made if one.how == "suspense"]
    return Split(
        movement,
        movement.amount,
        settled=len(made) - len(parted),
        odd=len(parted),
        odd_total=sum((one.amount for one in parted), from_cents(0)),
    )


def odd_line(note: str) -> tuple[str, dict] | None:
    """Why a line was left in suspense and what it says, from an allocation's note; None if no list's."""
    code, *rest = note.split("|")
    if code not in ODD or len(rest) != 4:
        return None
    line, beneficiary, lease, month = rest
    return str(ODD[code]), {"line": line, "beneficiary": beneficiary, "lease": lease, "month": month}


def _benefit_payer(listed: BenefitList) -> str:
    """The code of CAF or MSA, whichever the department (*CAF du Nord*); "" for any other payer."""
    first = listed.payer.split()[0].lower()
    return first if first in Benefit.Payer.values else ""


def _transfer(listed: BenefitList) -> Movement:
    """The movement that carries the list's reference. Raises NoSuchTransfer."""
    reference = listed.transfer_reference
    near = Movement.objects.filter(
        bank__in=BankAccount.objects.all(),
        booked__range=(listed.paid_on - BEFORE, listed.paid_on + AFTER),
        amount__gt=from_cents(0),
    ).filter(
        Q(bank_reference__icontains=reference)
        | Q(end_to_end__icontains=reference)
        | Q(remittance__icontains=reference)
        | Q(label__icontains=reference)
    )
    alone = re.compile(rf"(?<![0-9A-Z]){re.escape(reference)}(?![0-9A-Z])", re.IGNORECASE)
    found = [
        movement
        for movement in near.order_by("booked", "pk")
        if any(
            alone.search(text)
            for text in (movement.bank_reference, movement.end_to_end, movement.remittance, movement.label)
        )
    ]
    # The details of other payments may quote the reference: the amount tells.
    same = [movement for movement in found if to_cents(movement.amount) == listed.total_cents]
    place = _("transfer %(reference)s") % {"reference": reference}
    if not found:
        raise NoSuchTransfer(
            place,
            _("No movement about %(day)s carries this reference.") % {"day": f"{listed.paid_on:%d/%m/%Y}"},
            _("Import the statement first."),
        )
    if len(same) > 1:
        raise NoSuchTransfer(
            place, _("Several movements carry this reference and this amount."), _("Settle them by hand.")
        )
    return (same or found)[0]


def _lines(listed: BenefitList, whole: Allocation, *, by) -> tuple[list[Allocation], int, list[ListDetail]]:
    """The allocations that the list makes of a suspense line and its details, unsaved; how many lines are odd."""
    pays_benefit = bool(_benefit_payer(listed))
    leases = _leases_by_reference(line.lease_reference for line in listed.lines)
    holders = _holders(listed) if pays_benefit else {}
    answers = [(line, *_whose(line, leases, holders)) for line in listed.lines]
    # A line whose benefit is kept back whole moves no money, and is still told.
    details = [
        ListDetail(
            movement_id=whole.movement_id,
            lease_id=lease,
            month=line.month,
            recall=from_cents(line.recall_cents),
            recovery=from_cents(line.recovery_cents),
        )
        for line, lease, _odd in answers
        if lease and (line.recall_cents or line.recovery_cents)
    ]
    answers = [answer for answer in answers if answer[0].net_cents]
    kind = ledger.BENEFIT if pays_benefit else ledger.TENANT
    accounts = _accounts({(lease, line.month) for line, lease, _odd in answers if lease}, kind)
    common = {"movement_id": whole.movement_id, "on": whole.on, "settles": whole, "by": by}
    made, odd = [], 0
    for line, lease, why in answers:
        amount = from_cents(line.net_cents)
        if lease:
            account = accounts[lease, line.month]
            made.append(
                Allocation(
                    account_id=account, lease_id=lease, amount=amount, how="list", month=line.month, **common
                )
            )
            continue
        odd += 1
        note = "|".join((why, str(line.line), line.beneficiary, line.lease_reference, f"{line.month:%Y-%m}"))
        made.append(
            Allocation(
                account_id=whole.account_id,
                amount=amount,
                how="suspense",
                month=line.month,
                note=note,
                **common,
            )
        )
    return made, odd, details


def _whose(line: BenefitLine, leases: dict[str, int], holders: dict[str, list]) -> tuple[int | None, str]:
    """(lease, "") of a line, or (None, key of ODD)."""
    referred = leases.get(line.lease_reference.upper())
    rights = holders.get(line.beneficiary, []) if line.beneficiary else []
    held = {lease for lease, _start, _end in rights}
    # A right in the month of the line first; a recovery may be of one that has ended.
    in_month = {
        lease for lease, start, end in rights if start <= line.month and (end is None or end > line.month)
    }
    best = in_month or held
    if referred and held and referred not in held:
        return None, "differs"
    if referred:
        return referred, ""
    if len(best) == 1:
        return best.pop(), ""
    return None, "several" if best else "nobody"


def _leases_by_reference(references: Iterable[str]) -> dict[str, int]:
    """Leases by the reference of a list: the lease's own or the one its notices carry."""
    asked = {reference.upper() for reference in references if reference}
    asked |= {reference.replace(" ", "") for reference in asked}
    found: dict[str, int] = {}
    for part in _parts(sorted(asked)):
        rows = Lease.objects.filter(Q(reference__in=part) | Q(payment_reference__in=part))
        for pk, own, printed in rows.values_list("pk", "reference", "payment_reference"):
            found[own.upper()] = found[printed] = pk
    return found


def _holders(listed: BenefitList) -> dict[str, list[tuple[int, date, date | None]]]:
    """Beneficiary number → (lease, start, end) of each right that this payer pays under it."""
    held: dict[str, list] = {}
    for part in _parts(sorted({line.beneficiary for line in listed.lines if line.beneficiary})):
        rights = Benefit.objects.filter(beneficiary_number__in=part, payer=_benefit_payer(listed))
        for number, *right in rights.values_list("beneficiary_number", "lease", "start", "end"):
            held.setdefault(number, []).append(tuple(right))
    return held


def _accounts(wanted: set[tuple[int, date]], kind: int) -> dict[tuple[int, date], int]:
    """The account of each lease for each month: in the book where that month was called, else the latest.

    Opened where the lease has none of that kind.
    """
    leases = sorted({lease for lease, _month in wanted})
    matching.open_tenant_accounts()
    own: dict[tuple[int, int], int] = {}
    paid_to: dict[int, list[int]] = {}
    for part in _parts(leases):
        for pk, lease, book, its_kind in Account.objects.filter(
            lease__in=part, kind__in=(kind, ledger.TENANT)
        ).values_list("pk", "lease", "book", "kind"):
            if its_kind == kind:
                own[lease, book] = pk
            if its_kind == ledger.TENANT:
                paid_to.setdefault(lease, []).append(book)
    # Only a home that changed hands was called in more books than one.
    books: dict[tuple[int, date], int] = {}
    latest: dict[int, tuple[date, int]] = {}
    for part in _parts([lease for lease in leases if len(paid_to[lease]) > 1]):
        calls = RentCall.objects.of(part)
        for lease, month, book in calls.values_list("lease", "month", "account__book").distinct():
            latest[lease] = max(latest.get(lease, (month, book)), (month, book))
            books[lease, month] = book
        benefits = calls.filter(item=BENEFIT).values_list("lease", "month", "account__book").distinct()
        books.update({(lease, month): book for lease, month, book in benefits})
    book_of = {
        (lease, month): books.get((lease, month)) or latest.get(lease, (month, paid_to[lease][-1]))[1]
        for lease, month in wanted
    }
    missing = {(lease, book) for (lease, _month), book in book_of.items()} - own.keys()
    for account in Account.objects.bulk_create(
        Account(lease_id=lease, book_id=book, kind=kind) for lease, book in sorted(missing)
    ):
        own[account.lease_id, account.book_id] = account.pk
    return {at: own[at[0], book] for at, book in book_of.items()}


def _parts(values: list) -> Iterable[list]:
    """Lists short enough for one query."""
    return (values[at : at + 5_000] for at in range(0, len(values), 5_000))
