"""Making a batch of direct debits (*remise de prélèvements*): previewed, then committed as a file.

What is asked of each lease is what is due on its tenant's account on the day of collection, announced
in time, neither sent already nor waiting: never more than is owed, never the housing benefit.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.db.models import Count, Max, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from moneyed import Money
from schwifty import IBAN

from core import audit, dialect
from core.law import rule
from core.money import euros, from_cents, to_cents
from core.periods import first_of_month
from leases import tenant_account
from leases.bank_accounts import BankAccount
from leases.collecting.debits import (
    Debit,
    DebitBatch,
    NoDebits,
    day_for,
    earliest_collection,
    is_bank_day,
    next_bank_day,
)
from leases.collecting.mandates import (
    Mandate,
    MandateAmendment,
    MandateBlock,
    check_creditor,
    debit_days,
    lapses_on,
)
from leases.formats.pain008 import SAME_MANDATE_NEW_ACCOUNT, Order, OrderedDebit, write_order
from leases.lease import Lease
from leases.ledger import TENANT, Posting

BATCH = 2_000
DAY = timedelta(days=1)

# ---- preview ----------------------------------------------------------------------------

LEFT_OUT = {
    "blocked": _("The mandate is suspended."),
    "lapsed": _("The mandate was unused for too long: it is void."),
    "used": _("The last debit that the mandate allows was made."),
    "nothing": _("Nothing is due."),
    "waiting": _("What is due was sent already, and the bank has not answered yet."),
    "came_back": _("What is due came back, and may not be presented again."),
    "late_notice": _("What is due was announced too late for this day."),
    "other_day": _("The tenant chose a later day."),
}
"""Why a lease with a mandate is not in a batch."""


@dataclass(frozen=True, slots=True)
class DebitLine:
    """What a batch would debit of a lease, EUR. older: the part due before the month of the batch."""

    mandate: Mandate
    amount: Money
    older: Money
    presents: int | None = None
    attempt: int = 0
    amendments: tuple[MandateAmendment, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A lease with a mandate that a batch leaves out; amount: what is due and not asked, EUR."""

    mandate: Mandate
    code: str
    amount: Money


@dataclass(frozen=True, slots=True)
class DebitPreview:
    """What a batch would hold, and why the others are left out."""

    creditor: BankAccount
    on: date
    since: date | None
    lines: tuple[DebitLine, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def total(self) -> Money:
        return sum((line.amount for line in self.lines), euros(0))

    @property
    def older(self) -> Money:
        return sum((line.older for line in self.lines), euros(0))

    @property
    def digest(self) -> str:
        """The same for the same lines: what a commit holds a preview against."""
        said = ";".join(f"{line.mandate.pk}:{to_cents(line.amount)}" for line in self.lines)
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def preview_debits(
    creditor: BankAccount, *, on: date, today: date, since: date | None = None
) -> DebitPreview:
    """What a batch collected on a day would debit; writes nothing. Ten queries whatever the leases.

    since: leave what fell due before that day. Raises NoMandate without ICS, NoDebits for a day on
    which banks do not exchange debits, or too near.
    """
    check_creditor(creditor)
    _check_day(creditor, on, today)
    mandates = list(
        Mandate.objects.in_force(on).filter(creditor=creditor).select_related("lease").order_by("lease")
    )
    known = _Known.read(creditor, on=on, today=today)
    lines, left_out = [], []
    for mandate in mandates:
        found = known.asked_of(mandate, creditor, since)
        (lines if isinstance(found, DebitLine) else left_out).append(found)
    return DebitPreview(creditor, on, since, tuple(lines), tuple(left_out))


def _check_day(creditor: BankAccount, on: date, today: date) -> None:
    place = _t("collection on %(day)s") % {"day": f"{on:%d/%m/%Y}"}
    first = earliest_collection(today)
    if on < first:
        raise NoDebits(
            place,
            _t("The bank has no time left for it."),
            _t("Choose %(day)s or later.") % {"day": f"{first:%d/%m/%Y}"},
        )
    if not is_bank_day(on):
        raise NoDebits(
            place,
            _t("Banks do not collect on that day."),
            _t("Choose %(day)s.") % {"day": f"{next_bank_day(on):%d/%m/%Y}"},
        )


@dataclass(frozen=True, slots=True)
class _Known:
    """All that decides on the debits of one account on one day, by lease or by mandate."""

    on: date
    items: dict[int, list[tuple[date, int]]]
    announced: dict[int, list[tuple[date, int]]]
    waiting: dict[int, list[tuple[date, int]]]
    back: dict[int, list[tuple[date, bool, int, int]]]
    blocks: dict[int, str]
    used: dict[int, date]
    days: dict[int, int]
    amendments: dict[int, tuple[MandateAmendment, ...]]
    notice: int

    @classmethod
    def read(cls, creditor: BankAccount, *, on: date, today: date) -> "_Known":
        mandates = Mandate.objects.in_force(on).filter(creditor=creditor)
        leases = mandates.order_by().values("lease")
        debits = Debit.objects.filter(lease__in=leases)
        notice = rule("SEPA_PRENOTICE", on=on).value
        waiting: dict[int, list[tuple[date, int]]] = defaultdict(list)
        for lease, day, amount in debits.waiting().values_list("lease", "batch__collected_on", "amount"):
            waiting[lease].append((day, to_cents(amount)))
        used = debits.standing().values_list("mandate").annotate(last=Max("batch__collected_on")).order_by()
        return cls(
            on=on,
            items=_items(creditor, on),
            announced=_announced(leases, on, since=on - DAY * notice),
            waiting=waiting,
            back=_back(debits, on),
            blocks=dict(
                MandateBlock.objects.on(on).filter(mandate__in=mandates).values_list("mandate", "reason")
            ),
            used=dict(used),
            days=debit_days(leases, on),
            amendments=_untold(mandates),
            notice=notice,
        )

    def asked_of(self, mandate: Mandate, creditor: BankAccount, since: date | None) -> DebitLine | LeftOut:
        """The debit of one mandate, or why there is none."""
        lease = mandate.lease_id
        items = self.items.get(lease, [])
        owed = sum(cents for _due, cents in items)
        back = self.back.get(lease, [])
        fence = max((day for day, again, _pk, _n in back if not again), default=date.min)
        open_ = [(due, cents) for due, cents in items if due > fence and (since is None or due >= since)]
        due = sum(cents for _due, cents in open_)
        agreed = self.notice if mandate.notice_days is None else min(mandate.notice_days, self.notice)
        late = sum(cents for day, cents in self.announced.get(lease, []) if day > self.on - DAY * agreed)
        sent = self.waiting.get(lease, [])
        waiting = sum(cents for _day, cents in sent)
        # A debit sent for a day covers what was due by then: of what is asked here, the later ones.
        first = max(since or date.min, fence)
        same = sum(cents for day, cents in sent if day >= first)
        amount = min(due - same, owed - waiting) - late
        code = ""
        if mandate.pk in self.blocks:
            code = "blocked"
        elif (
            lapses_on(mandate.signed_on, mandate.last_used_on, self.used.get(mandate.pk), on=self.on)
            <= self.on
        ):
            code = "lapsed"
        elif mandate.sequence != Mandate.Sequence.RECURRENT and mandate.pk in self.used:
            code = "used"
        elif owed <= 0:
            code = "nothing"
        elif day_for(mandate.lease, creditor, self.days.get(lease), self.on) > self.on:
            code = "other_day"
        elif due <= 0:
            code = "came_back" if fence > date.min else "nothing"
        elif min(due - same, owed - waiting) <= 0:
            code = "waiting"
        elif amount <= 0:
            code = "late_notice"
        if code:
            return LeftOut(mandate, code, from_cents(owed))
        month = first_of_month(self.on)
        again = [one for one in back if one[1] and any(day <= one[0] for day, _cents in open_)]
        presents = max(again, default=None)
        return DebitLine(
            mandate,
            from_cents(amount),
            older=from_cents(min(amount, sum(cents for day, cents in open_ if day < month))),
            presents=presents[2] if presents else None,
            attempt=presents[3] + 1 if presents else 0,
            amendments=self.amendments.get(mandate.pk, ()),
        )


def _items(creditor: BankAccount, on: date) -> dict[int, list[tuple[date, int]]]:
    """Lease → what is due and unpaid on the tenant's account on a day: (due date, cents)."""
    only = (
        "AND a.lease_id IN (SELECT lease_id FROM leases_mandate"
        ' WHERE creditor_id = %(creditor)s AND ("end" IS NULL OR "end" > DAY(%(on)s)))'
    )
    text = tenant_account.items_sql(only=only)
    text += "SELECT lease_id, due, WHOLE(amount) FROM item WHERE due <= DAY(%(on)s) ORDER BY lease_id, due"
    params = tenant_account.aged_parameters(on) | {"creditor": creditor.pk}
    found: dict[int, list[tuple[date, int]]] = defaultdict(list)
    for lease, due, cents in dialect.rows(text, params):
        found[lease].append((date.fromisoformat(due) if isinstance(due, str) else due, int(cents)))
    return found


def _announced(leases, on: date, *, since: date) -> dict[int, list[tuple[date, int]]]:
    """Lease → what was called since a day and is due: (day it was called, cents).

    The rent notice goes out with the run, the charge statement with its posting: that day counts.
    """
    begin = timezone.make_aware(datetime.combine(since, time.min))
    called = (
        Posting.objects.filter(entry__recorded_at__gte=begin, due__lte=on)
        .filter(debit__kind=TENANT, debit__lease__in=leases)
        .exclude(source__in=tenant_account.PAID)
        .order_by()
        .values_list("debit__lease", "entry__recorded_at")
    )
    found: dict[int, list[tuple[date, int]]] = defaultdict(list)
    for lease, at, amount in called.annotate(sum=Sum("amount")):
        found[lease].append((timezone.localtime(at).date(), to_cents(amount)))
    return found


def _back(debits, on: date) -> dict[int, list[tuple[date, bool, int, int]]]:
    """Lease → debits that came back: (day collected, may be presented again, id, times before)."""
    found: dict[int, list[tuple[date, bool, int, int]]] = defaultdict(list)
    allowed: dict[str, int] = {}
    rows = debits.came_back().values_list("lease", "batch__collected_on", "pk", "attempt", "returned__code")
    for lease, day, pk, attempt, code in rows:
        if code not in allowed:
            allowed[code] = rule("SEPA_AGAIN", on=on, return_code=code or None).value
        found[lease].append((day, attempt < allowed[code], pk, attempt))
    return found


def _untold(mandates) -> dict[int, tuple[MandateAmendment, ...]]:
    """Mandate → its changes that the bank was not told yet, oldest first; none before its first debit."""
    before = dict(
        mandates.order_by()
        .annotate(
            told=Max("debits__amendment", filter=Q(debits__batch__withdrawn_at=None)),
            times=Count("debits", filter=Q(debits__batch__withdrawn_at=None)),
        )
        .filter(Q(times__gt=0) | Q(last_used_on__isnull=False), amendments__isnull=False)
        .values_list("pk", "told")
    )
    found: dict[int, tuple[MandateAmendment, ...]] = {}
    changes = MandateAmendment.objects.filter(mandate__in=mandates).exclude(iban_before="", rum_before="")
    for change in changes.order_by("pk"):
        if change.mandate_id in before and change.pk > (before[change.mandate_id] or 0):
            found[change.mandate_id] = (*found.get(change.mandate_id, ()), change)
    return found


# ---- commit -----------------------------------------------------------------------------


def commit_debits(preview: DebitPreview, *, by, now: datetime, today: date) -> DebitBatch:
    """Make the batch that was previewed, and its file; seven statements whatever the debits.

    It is worked out again under lock: raises NoDebits when it is no longer what was shown, or is
    empty. Nothing is sent: the file is taken to the bank, then mark_sent.
    """
    place = _t("collection on %(day)s") % {"day": f"{preview.on:%d/%m/%Y}"}
    with transaction.atomic():
        # One batch at a time for each account: a debit is never in two.
        creditor = BankAccount.objects.select_for_update().get(pk=preview.creditor.pk)
        seen = preview_debits(creditor, on=preview.on, today=today, since=preview.since)
        if seen.digest != preview.digest:
            raise NoDebits(
                place,
                _t("What is due has changed since it was shown."),
                _t("Look at the new list, then confirm."),
            )
        if not seen.lines:
            raise NoDebits(place, _t("There is nothing to debit."), _t("Look at why each lease is left out."))
        number = (DebitBatch.objects.filter(creditor=creditor).aggregate(n=Max("number"))["n"] or 0) + 1
        message_id = f"GLA{creditor.pk}P{number}-{preview.on:%Y%m%d}"
        again = Debit.objects.filter(batch__collected_on=preview.on)
        before = dict(again.order_by().values_list("lease").annotate(times=Count("pk")))
        debits = [
            Debit(
                lease_id=line.mandate.lease_id,
                mandate=line.mandate,
                amount=line.amount,
                end_to_end=_end_to_end(line.mandate.lease, preview.on, before.get(line.mandate.lease_id, 0)),
                sequence=line.mandate.sequence,
                amendment=line.amendments[-1] if line.amendments else None,
                presents_id=line.presents,
                attempt=line.attempt,
            )
            for line in seen.lines
        ]
        order = _order(creditor, message_id, seen, debits, now)
        data = write_order(order, creditor.debit_format)
        batch = DebitBatch.objects.create(
            creditor=creditor,
            number=number,
            collected_on=preview.on,
            message_id=message_id,
            version=creditor.debit_format,
            count=len(debits),
            total=seen.total,
            content=data,
            sha256=hashlib.sha256(data).hexdigest(),
            made_at=now,
            made_by=by,
        )
        for debit in debits:
            debit.batch = batch
        Debit.objects.bulk_create(debits, batch_size=BATCH)
        audit.record(by, "commit", "debit", batch.pk, debits=len(debits), total=str(seen.total.amount))
    return batch


def _end_to_end(lease: Lease, on: date, before: int) -> str:
    """What the bank gives back to us: the payment reference, a dash, the day; numbered when made anew."""
    return f"{lease.payment_reference}-{on:%Y%m%d}" + (f".{before + 1}" if before else "")


def _order(
    creditor: BankAccount, message_id: str, seen: DebitPreview, debits: list[Debit], now: datetime
) -> Order:
    return Order(
        message_id=message_id,
        made_at=timezone.localtime(now).replace(tzinfo=None, microsecond=0),
        creditor=creditor.creditor,
        iban=creditor.iban,
        creditor_id=creditor.creditor_id,
        collected_on=seen.on,
        bic=str(IBAN(creditor.iban, allow_invalid=True).bic or ""),
        debits=[
            OrderedDebit(
                end_to_end=debit.end_to_end,
                amount_cents=to_cents(debit.amount),
                mandate=line.mandate.rum,
                signed_on=line.mandate.signed_on,
                name=line.mandate.holder,
                iban=line.mandate.iban,
                sequence=debit.sequence,
                text=f"Loyer {seen.on:%m/%Y} bail {line.mandate.lease.reference}",
                old_account=_old_account(line),
                old_mandate=next((one.rum_before for one in line.amendments if one.rum_before), ""),
            )
            for debit, line in zip(debits, seen.lines, strict=True)
        ],
    )


def _old_account(line: DebitLine) -> str:
    """The account that the bank last debited, named where it is of the same bank."""
    old = next((one.iban_before for one in line.amendments if one.iban_before), "")
    if not old or old == line.mandate.iban:
        return ""
    banks = {(iban.country_code, iban.bank_code) for iban in (IBAN(old), IBAN(line.mandate.iban))}
    return old if len(banks) == 1 else SAME_MANDATE_NEW_ACCOUNT
