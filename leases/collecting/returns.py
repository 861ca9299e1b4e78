"""What the bank answers about direct debits (*rejets, retours, encaissements*).

A report (pain.002) or a notice (camt.054) says which debits came back, and why; the statement
(camt.053) brings the money and takes it back. Only the statement posts, by leases.bank and its rules;
here each debit is told what became of it, and a mandate that cannot be used is blocked.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _t

from core import audit
from core.errors import Refusal
from core.money import from_cents, to_cents
from core.periods import first_of_month
from leases.bank import Allocation, Imported, Movement
from leases.bank_accounts import BankAccount
from leases.collecting.debits import (
    Debit,
    DebitBatch,
    DebitCredit,
    DebitReport,
    DebitReturn,
    NoDebits,
)
from leases.collecting.mandates import Mandate, MandateAmendment, MandateBlock, return_code
from leases.formats import camt054, pain002
from leases.formats.benefit_list import BenefitLine, BenefitList
from leases.remittances import split_transfer

BATCH = 2_000
PAIN, NOTICE, STATEMENT = "pain.002", "camt.054", "camt.053"
# A batch is credited on its day, or a few bank days later.
CREDITED_WITHIN = timedelta(days=10)
_OURS = re.compile(r"L[0-9]{9}-[0-9]{8}(\.[0-9]+)?")


class ReportRefused(Refusal):
    """A report or notice that is not about debits of ours, or was read already."""


@dataclass(frozen=True, slots=True)
class ReportRead:
    """What a report told: debits newly sent back, known already, and references that are not ours."""

    report: DebitReport
    returned: tuple[Debit, ...]
    known: int
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What statements told of our debits: collected, sent back, batches split among their leases."""

    collected: int = 0
    returned: int = 0
    split: int = 0


@dataclass(frozen=True, slots=True)
class _Back:
    """A debit that came back, as told: its reason and day."""

    debit: Debit
    code: str
    on: date
    movement: int | None = None


def import_debit_report(data: bytes, file_name: str, *, by, now: datetime) -> ReportRead:
    """Read a pain.002 report or a camt.054 notice: whole or not at all; nothing is posted.

    Raises BadFile, and ReportRefused for a file read already, of another creditor or batch, or that
    names a debit that was never made.
    """
    digest = hashlib.sha256(data).hexdigest()
    _refuse_again(digest, file_name)
    kind = NOTICE if camt054.is_notice(data) else PAIN
    with transaction.atomic():
        # One report at a time.
        list(BankAccount.objects.select_for_update().exclude(creditor_id="").order_by("pk"))
        _refuse_again(digest, file_name)
        told, unknown = (
            _of_notice(data) if kind == NOTICE else _of_report(data, timezone.localtime(now).date())
        )
        report = DebitReport.objects.create(
            kind=kind, file_name=file_name[-120:], sha256=digest, read_at=now, read_by=by, returns=len(told)
        )
        new = _write(told, told_by=kind, report=report)
        audit.record(by, "import", "debit", report.pk, returned=len(new))
    return ReportRead(report, tuple(one.debit for one in new), len(told) - len(new), tuple(unknown))


def _refuse_again(digest: str, file_name: str) -> None:
    if before := DebitReport.objects.filter(sha256=digest).first():
        raise ReportRefused(
            file_name,
            _t("This file was read on %(day)s.") % {"day": f"{timezone.localtime(before.read_at):%d/%m/%Y}"},
            _t("There is nothing more to do with it."),
        )


def _of_report(data: bytes, today: date) -> tuple[list[_Back], list[str]]:
    """The debits that a pain.002 rejects."""
    report = pain002.read_report(data)
    place = _t("report %(report)s") % {"report": report.message_id}
    batch = DebitBatch.objects.defer("content").filter(message_id=report.original).first()
    if batch is None:
        raise ReportRefused(
            place,
            _t("It is about the file %(file)s, which was not made here.") % {"file": report.original},
            _t("Choose the report of one of our batches."),
        )
    if batch.withdrawn_at:
        raise ReportRefused(
            place,
            _t("Its batch %(batch)s was withdrawn here, yet the bank had it.") % {"batch": batch.message_id},
            _t("Ask the bank what it collected before anything else is sent."),
        )
    debits = {debit.end_to_end: debit for debit in batch.debits.select_related("mandate", "batch")}
    lots = {f"{batch.message_id[:30]}-{debit.sequence}": debit.sequence for debit in debits.values()}
    on = report.made_on or today
    told: dict[str, _Back] = {}

    def reject(some: Iterable[Debit], code: str) -> None:
        for debit in some:
            told.setdefault(debit.end_to_end, _Back(debit, code, on))

    named = [answer for answer in report.answers if answer.end_to_end]
    for answer in named:
        debit = debits.get(answer.end_to_end)
        if debit is None:
            raise ReportRefused(
                _t("line %(line)s") % {"line": answer.line},
                _t("The batch holds no debit %(reference)s.") % {"reference": answer.end_to_end},
                _t("Ask the bank for a correct report; nothing of this one was kept."),
            )
        if answer.amount_cents is not None and from_cents(answer.amount_cents) != debit.amount:
            raise ReportRefused(
                _t("line %(line)s") % {"line": answer.line},
                _t("The debit %(reference)s is of another amount.") % {"reference": answer.end_to_end},
                _t("Ask the bank for a correct report; nothing of this one was kept."),
            )
        if answer.status == pain002.REJECTED:
            reject([debit], answer.code)
    for answer in report.answers:
        if answer.end_to_end or answer.status != pain002.REJECTED:
            continue
        if answer.lot not in lots:
            raise ReportRefused(
                _t("line %(line)s") % {"line": answer.line},
                _t("The batch holds no lot %(lot)s.") % {"lot": answer.lot},
                _t("Ask the bank for a correct report; nothing of this one was kept."),
            )
        reject((d for d in debits.values() if d.sequence == lots[answer.lot]), answer.code)
    if report.status == pain002.REJECTED:
        reject(debits.values(), report.code)
    return list(told.values()), []


def _of_notice(data: bytes) -> tuple[list[_Back], list[str]]:
    """The debits that camt.054 notices say came back, and references of returns that are not ours."""
    told, unknown = [], []
    notices = camt054.read_notices(data)
    ours = {
        account.iban: account for account in BankAccount.objects.filter(iban__in=[n.iban for n in notices])
    }
    for notice in notices:
        account = ours.get(notice.iban)
        if account is None or not account.creditor_id:
            raise ReportRefused(
                _t("account …%(end)s") % {"end": notice.iban[-6:]},
                _t("We collect no direct debits to this account."),
                _t("Choose a notice of one of our accounts."),
            )
        back = [one for one in notice.movements if one.kind == "return" and one.amount_cents < 0]
        debits = _by_reference(one.end_to_end for one in back)
        for one in back:
            debit = debits.get(one.end_to_end)
            if debit is None:
                unknown.append(one.end_to_end or one.mandate or one.label)
                continue
            if debit.batch.creditor_id != account.pk:
                raise ReportRefused(
                    _t("line %(line)s") % {"line": one.line},
                    _t("The debit %(reference)s was collected to another account.")
                    % {"reference": one.end_to_end},
                    _t("Ask the bank for a correct notice; nothing of this one was kept."),
                )
            told.append(_Back(debit, one.return_code, one.booked))
    if unknown and not told:
        raise ReportRefused(
            unknown[0],
            _t("None of the debits sent back was made here."),
            _t("Choose a notice about our batches; the statement will bring these returns."),
        )
    return told, unknown


def _by_reference(references: Iterable[str]) -> dict[str, Debit]:
    """Debits of batches that were not withdrawn, by their end-to-end reference."""
    asked = sorted({one for one in references if _OURS.fullmatch(one)})
    found: dict[str, Debit] = {}
    for at in range(0, len(asked), 5_000):
        debits = Debit.objects.standing().filter(end_to_end__in=asked[at : at + 5_000])
        found |= {debit.end_to_end: debit for debit in debits.select_related("batch", "mandate")}
    return found


def _write(told: list[_Back], *, told_by: str, report: DebitReport | None = None) -> list[_Back]:
    """Keep what is new of what came back, and block the mandates that cannot be used."""
    known = set(
        DebitReturn.objects.filter(debit__in=[one.debit.pk for one in told]).values_list("debit", flat=True)
    )
    new = list({one.debit.pk: one for one in told if one.debit.pk not in known}.values())
    DebitReturn.objects.bulk_create(
        (
            DebitReturn(
                debit=one.debit,
                code=one.code,
                on=one.on,
                told_by=told_by,
                report=report,
                movement_id=one.movement,
            )
            for one in new
        ),
        batch_size=BATCH,
    )
    _block(new)
    return new


def _block(new: list[_Back]) -> None:
    """Suspend the mandates whose debits came back for a reason that says so, once each."""
    bad = {one.debit.mandate_id: one for one in new if return_code(one.code).blocks}
    running = set(Mandate.objects.filter(pk__in=bad, end=None).values_list("pk", flat=True))
    # The account was changed since that debit: what the bank says is of the old one.
    changed = dict(
        MandateAmendment.objects.filter(mandate__in=bad)
        .exclude(iban_before="")
        .order_by("pk")
        .values_list("mandate", "pk")
    )
    MandateBlock.objects.bulk_create(
        [
            MandateBlock(mandate_id=pk, reason=one.code, start=one.on)
            for pk, one in bad.items()
            if pk in running
            and not (return_code(one.code).cured and changed.get(pk, 0) > (one.debit.amendment_id or 0))
        ],
        ignore_conflicts=True,
    )


# ---- statements -------------------------------------------------------------------------


def learn_from(done: Imported, *, by, now: datetime) -> Learnt:
    """Tell our debits what the statements just imported say of them (*rapprochement*).

    Each debit credited or returned under its own reference; then each credit of a whole batch or
    lot, split among its leases by the batch's own list. Nothing is told twice.
    """
    statements = [part.statement.pk for part in done.parts if part.statement]
    if not statements or not DebitBatch.objects.exists():
        return Learnt()
    with transaction.atomic():
        moved = list(
            Movement.objects.filter(statement__in=statements)
            .exclude(end_to_end="")
            .only("pk", "end_to_end", "amount", "kind", "booked", "return_code", "bank_id")
            .order_by("pk")
        )
        debits = _by_reference(one.end_to_end for one in moved)
        told = [(one, debits[one.end_to_end]) for one in moved if one.end_to_end in debits]
        collected = _credit((debit, one) for one, debit in told if one.amount > from_cents(0))
        back = [
            _Back(debit, one.return_code, one.booked, one.pk)
            for one, debit in told
            if one.kind == "return" and one.amount < from_cents(0)
        ]
        returned = len(_write(back, told_by=STATEMENT))
        # Those that a report had told already are now seen on the statement.
        seen = {one.debit.pk: one.movement for one in back}
        known = list(DebitReturn.objects.filter(debit__in=seen, movement=None))
        for one in known:
            one.movement_id = seen[one.debit_id]
        DebitReturn.objects.bulk_update(known, ["movement"], batch_size=BATCH)
        split, by_batch = _split_credits(statements, by=by, now=now)
        if told or split:
            audit.record(by, "match", "debit", "", collected=collected + by_batch, returned=returned)
    return Learnt(collected + by_batch, returned, split)


def _credit(paid: Iterable[tuple[Debit, Movement]]) -> int:
    """Keep that debits were collected, the first movement of each; how many are new."""
    first: dict[int, Movement] = {}
    for debit, movement in paid:
        first.setdefault(debit.pk, movement)
    known = set(DebitCredit.objects.filter(debit__in=first).values_list("debit", flat=True))
    made = DebitCredit.objects.bulk_create(
        (
            DebitCredit(debit_id=pk, movement=movement, on=movement.booked)
            for pk, movement in first.items()
            if pk not in known
        ),
        batch_size=BATCH,
    )
    return len(made)


def _split_credits(statements: list[int], *, by, now: datetime) -> tuple[int, int]:
    """Split each credit of a batch by the batch's own debits: how many credits, how many debits."""
    lines = (
        Allocation.objects.in_suspense()
        .filter(
            movement__statement__in=statements,
            movement__kind="direct_debit",
            amount=F("movement__amount"),
            amount__gt=from_cents(0),
            settles=None,
        )
        .select_related("movement")
        .order_by("movement__booked", "pk")
    )
    credits = [line.movement for line in lines if line.left == line.amount]
    if not credits:
        return 0, 0
    parts = _uncredited({movement.bank_id for movement in credits}, max(one.booked for one in credits))
    split = debits = 0
    for movement in credits:
        part = _part_of(movement, parts)
        if part is None:
            continue
        debits += _split(part, movement, by=by, now=now)
        split += 1
        taken = {debit.pk for debit in part.debits}
        parts = [one for one in parts if taken.isdisjoint(debit.pk for debit in one.debits)]
    return split, debits


def _split(part: "_Part", movement: Movement, *, by, now: datetime) -> int:
    """Split one credit by the debits it is of; how many."""
    listed = BenefitList(
        payer="PRLV",
        transfer_reference=part.batch.message_id,
        paid_on=movement.booked,
        total_cents=to_cents(movement.amount),
        lines=tuple(
            BenefitLine(
                line=at,
                beneficiary="",
                name="",
                lease_reference=debit.lease.payment_reference,
                month=first_of_month(part.batch.collected_on),
                amount_cents=to_cents(debit.amount),
            )
            for at, debit in enumerate(part.debits, 1)
        ),
    )
    split_transfer(movement, listed, by=by, now=now)
    return _credit((debit, movement) for debit in part.debits)


def credits_for(batch: DebitBatch) -> list[Movement]:
    """Credits in suspense that may be of a batch: of the amount of one of its parts, about its day."""
    parts = _parts(Debit.objects.filter(batch=batch, credit=None, batch__withdrawn_at=None))
    if not parts:
        return []
    return list(
        Movement.objects.filter(
            pk__in=Allocation.objects.in_suspense().filter(settles=None).values("movement"),
            bank=batch.creditor_id,
            amount__in=[from_cents(part.cents) for part in parts],
            booked__range=(batch.collected_on, batch.collected_on + CREDITED_WITHIN),
        ).order_by("booked", "pk")
    )


def split_credit(batch: DebitBatch, movement: Movement, *, by, now: datetime) -> int:
    """Split the credit that somebody says is of this batch; how many debits it is of.

    Raises NoDebits where its amount is of no part of the batch, NoSuchTransfer where it is settled.
    """
    with transaction.atomic():
        BankAccount.objects.select_for_update().get(pk=batch.creditor_id)
        parts = _parts(Debit.objects.filter(batch=batch, credit=None, batch__withdrawn_at=None))
        cents = to_cents(movement.amount)
        part = next((one for one in parts if one.cents == cents), None)
        if part is None or movement.bank_id != batch.creditor_id:
            raise NoDebits(
                _t("batch %(batch)s") % {"batch": batch.message_id},
                _t("No part of it is of this amount."),
                _t("Settle the movement by hand."),
            )
        done = _split(part, movement, by=by, now=now)
        audit.record(by, "match", "debit", batch.pk, collected=done)
    return done


@dataclass(frozen=True, slots=True)
class _Part:
    """Debits that a bank may credit in one movement: a batch or one of its lots, with or without rejects."""

    batch: DebitBatch
    debits: tuple[Debit, ...]

    @property
    def cents(self) -> int:
        return sum(to_cents(debit.amount) for debit in self.debits)


def _uncredited(banks: set[int], until: date) -> list[_Part]:
    """Every part of batches of these accounts that no movement has credited yet, the whole ones first."""
    return _parts(
        Debit.objects.standing().filter(
            credit=None, batch__creditor__in=banks, batch__collected_on__lte=until
        )
    )


def _parts(debits) -> list[_Part]:
    debits = (
        debits.select_related("batch", "lease", "returned").defer("batch__content").order_by("batch", "pk")
    )
    by_batch: dict[int, list[Debit]] = {}
    for debit in debits:
        by_batch.setdefault(debit.batch_id, []).append(debit)
    parts: dict[tuple[int, ...], _Part] = {}
    for some in by_batch.values():
        lots = [some, *([d for d in some if d.sequence == s] for s in sorted({d.sequence for d in some}))]
        for lot in lots:
            kept = [debit for debit in lot if not _rejected(debit)]
            for one in (lot, kept):
                if one:
                    parts.setdefault(tuple(debit.pk for debit in one), _Part(one[0].batch, tuple(one)))
    return list(parts.values())


def _rejected(debit: Debit) -> bool:
    """Whether the bank rejected a debit before any money moved."""
    returned = getattr(debit, "returned", None)
    return returned is not None and returned.told_by == PAIN


def _part_of(movement: Movement, parts: list[_Part]) -> _Part | None:
    """The part that a movement credits: of its amount and about its day, named in it or the only one."""
    cents = to_cents(movement.amount)
    fits = [
        part
        for part in parts
        if part.batch.creditor_id == movement.bank_id
        and part.batch.collected_on <= movement.booked <= part.batch.collected_on + CREDITED_WITHIN
        and part.cents == cents
    ]
    said = " ".join((movement.remittance, movement.label, movement.end_to_end, movement.bank_reference))
    named = [part for part in fits if part.batch.message_id in said]
    if named:
        return named[0]
    return fits[0] if len({part.batch.pk for part in fits}) == 1 else None


def mark_collected(batch: DebitBatch, *, on: date, by) -> int:
    """Say by hand that a batch's money came, where its credit was settled by hand: how many debits.

    Raises NoDebits where the batch was withdrawn, or nothing is left to say.
    """
    place = _t("batch %(batch)s") % {"batch": batch.message_id}
    with transaction.atomic():
        BankAccount.objects.select_for_update().get(pk=batch.creditor_id)
        left = list(Debit.objects.waiting().filter(batch=batch).values_list("pk", flat=True))
        if not left:
            raise NoDebits(
                place, _t("No debit of it waits for its money."), _t("Look at each debit's state.")
            )
        DebitCredit.objects.bulk_create(DebitCredit(debit_id=pk, on=on) for pk in left)
        audit.record(by, "change", "debit", batch.pk, collected=len(left))
    return len(left)
