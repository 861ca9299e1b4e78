"""Direct debits (*prélèvements*): their batches, kept as the files they were made, and what became of each.

Debits post nothing: the money posts when the statement brings it. leases.collecting.batches makes
batches, leases.collecting.returns reads what the bank answers.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache

import holidays
from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, Exists, F, Max, OuterRef, Q, Sum
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core import audit
from core.errors import Refusal
from core.law import rule
from core.money import EuroField
from core.periods import first_of_month
from leases.bank import Movement
from leases.bank_accounts import BankAccount
from leases.collecting.mandates import Mandate, MandateAmendment, return_code
from leases.lease import Lease

DAY = timedelta(days=1)


class DebitBatch(models.Model):
    """A file of debits to one account on one day (*remise*); its debits and its bytes never change.

    number: of the account, from 1. count, total: of its debits. withdrawn_at: before it was sent only.
    """

    creditor = models.ForeignKey(BankAccount, models.PROTECT, related_name="+")
    number = models.PositiveIntegerField(_("number"))
    collected_on = models.DateField(_("collected on"))
    message_id = models.CharField(_("file identifier (MsgId)"), max_length=35, unique=True)
    version = models.CharField(_("file"), max_length=2, choices=BankAccount.DebitFormat)
    count = models.PositiveIntegerField(_("debits"))
    total = EuroField(_("total"))
    content = models.BinaryField(_("file"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    sent_on = models.DateField(_("sent to the bank on"), null=True)
    sent_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True)
    withdrawn_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("batch of direct debits"), _("batches of direct debits")
        constraints = [
            models.UniqueConstraint(fields=["creditor", "number"], name="debit_batch_once"),
            models.CheckConstraint(
                name="debit_batch_sent_or_withdrawn",
                condition=Q(sent_on__isnull=True) | Q(withdrawn_at__isnull=True),
                violation_error_message=_("A batch sent to the bank is not withdrawn."),
            ),
        ]

    def __str__(self):
        return self.message_id

    @property
    def file_name(self) -> str:
        return f"prelevements-{self.collected_on:%Y-%m-%d}-{self.message_id}.xml"


class DebitQuerySet(models.QuerySet):
    def standing(self):
        """Debits of batches that were not withdrawn."""
        return self.filter(batch__withdrawn_at=None)

    def waiting(self):
        """Sent or to be sent, of which nothing came yet: neither the money nor a return."""
        return self.standing().filter(credit=None, returned=None)

    def came_back(self):
        """Rejected or returned, and not presented again since."""
        again = Debit.objects.filter(presents=OuterRef("pk"), batch__withdrawn_at=None)
        return self.standing().exclude(returned=None).exclude(Exists(again))


class Debit(models.Model):
    """One debit of a batch (*prélèvement*): never changed, never deleted.

    end_to_end: the lease's payment reference, a dash, the day: what the bank gives back to us.
    amendment: the latest change of its mandate that it tells the bank. presents: the debit that came
    back and that it presents again. attempt: how many times the same debt was presented before.
    """

    batch = models.ForeignKey(DebitBatch, models.PROTECT, related_name="debits")
    lease = models.ForeignKey(Lease, models.PROTECT, related_name="debits")
    mandate = models.ForeignKey(Mandate, models.PROTECT, related_name="debits")
    amount = EuroField(_("amount"))
    end_to_end = models.CharField(_("end-to-end reference"), max_length=35, unique=True)
    sequence = models.CharField(_("sequence"), max_length=4, choices=Mandate.Sequence)
    amendment = models.ForeignKey(MandateAmendment, models.PROTECT, null=True, related_name="+")
    presents = models.ForeignKey("self", models.PROTECT, null=True, related_name="again")
    attempt = models.PositiveSmallIntegerField(_("presented before"), default=0)

    objects = DebitQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("direct debit"), _("direct debits")
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "lease"],
                name="debit_once_a_batch",
                violation_error_message=_("This lease is in this batch already."),
            ),
            models.CheckConstraint(name="debit_above_zero", condition=Q(amount__gt=0)),
        ]

    def __str__(self):
        return self.end_to_end


class DebitCredit(models.Model):
    """That a debit's money came (*prélèvement encaissé*), by which movement; null when said by hand."""

    debit = models.OneToOneField(Debit, models.PROTECT, related_name="credit")
    movement = models.ForeignKey(Movement, models.PROTECT, null=True, related_name="+")
    on = models.DateField(_("date"))

    class Meta:
        verbose_name, verbose_name_plural = _("debit collected"), _("debits collected")

    def __str__(self):
        return f"{self.debit_id} {self.on}"


class DebitReport(models.Model):
    """A report or notice of the bank about debits, as read (*pain.002, camt.054*): read once."""

    kind = models.CharField(_("kind"), max_length=8)
    file_name = models.CharField(_("file"), max_length=120)
    sha256 = models.CharField(max_length=64, unique=True)
    read_at = models.DateTimeField(_("read"))
    read_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    returns = models.PositiveIntegerField(_("debits sent back"))

    class Meta:
        verbose_name, verbose_name_plural = _("bank report"), _("bank reports")

    def __str__(self):
        return self.file_name


class DebitReturn(models.Model):
    """That a debit came back, and why (*rejet, retour*): the first that told it.

    told_by: pain.002 before any money moved; camt.054 a notice; camt.053 the statement itself.
    movement: the return on the statement, null until one is seen.
    """

    debit = models.OneToOneField(Debit, models.PROTECT, related_name="returned")
    code = models.CharField(_("reason"), max_length=8, blank=True)
    on = models.DateField(_("date"))
    told_by = models.CharField(_("told by"), max_length=8)
    report = models.ForeignKey(DebitReport, models.PROTECT, null=True, related_name="+")
    movement = models.ForeignKey(Movement, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("debit sent back"), _("debits sent back")

    def __str__(self):
        return f"{self.debit_id} {self.code}"


class NoDebits(Refusal):
    """A batch that cannot be made, sent or withdrawn as asked."""


# ---- days -------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _closed(year: int) -> frozenset[date]:
    return frozenset(holidays.financial_holidays("XECB", years=year))


def is_bank_day(day: date) -> bool:
    """Whether banks exchange debits on a day: neither a week-end nor a TARGET holiday."""
    return day.weekday() < 5 and day not in _closed(day.year)


def next_bank_day(day: date, *, after: int = 0) -> date:
    """That day or the next on which banks exchange debits, then so many bank days after it."""
    while not is_bank_day(day):
        day += DAY
    for _one in range(after):
        day = next_bank_day(day + DAY)
    return day


def earliest_collection(today: date) -> date:
    """The first day on which a file made today can be collected (*délai interbancaire*)."""
    return next_bank_day(today + DAY, after=rule("SEPA_LEAD", on=today).value - 1)


def day_for(lease: Lease, creditor: BankAccount, chosen: int | None, month: date) -> date:
    """When a lease is debited in a month: its chosen day, else the first offered from its due day on."""
    offered = creditor.debit_days
    day = chosen or next((one for one in offered if one >= lease.due_day), offered[-1])
    return next_bank_day(first_of_month(month).replace(day=day))


# ---- sent, withdrawn ----------------------------------------------------------------


def mark_sent(batch: DebitBatch, *, on: date, by) -> DebitBatch:
    """Say that a batch's file went to the bank: it can no longer be withdrawn. Raises NoDebits."""
    with transaction.atomic():
        kept = _open(batch)
        kept.sent_on, kept.sent_by = on, by
        kept.save(update_fields=["sent_on", "sent_by"])
        audit.record(by, "change", "debit", kept.pk, sent=on)
    return kept


def withdraw_batch(batch: DebitBatch, *, by, now: datetime) -> DebitBatch:
    """Undo a batch that did not go to the bank: its debts can be debited again. Raises NoDebits."""
    with transaction.atomic():
        kept = _open(batch)
        kept.withdrawn_at, kept.withdrawn_by = now, by
        kept.save(update_fields=["withdrawn_at", "withdrawn_by"])
        audit.record(by, "change", "debit", kept.pk, withdrawn=True)
    return kept


def _open(batch: DebitBatch) -> DebitBatch:
    BankAccount.objects.select_for_update().get(pk=batch.creditor_id)
    kept = DebitBatch.objects.select_for_update().defer("content").get(pk=batch.pk)
    place = _t("batch %(batch)s") % {"batch": kept.message_id}
    if kept.sent_on:
        raise NoDebits(
            place,
            _t("It was sent to the bank on %(day)s.") % {"day": f"{kept.sent_on:%d/%m/%Y}"},
            _t("To stop a debit now, ask the bank to recall it."),
        )
    if kept.withdrawn_at:
        raise NoDebits(place, _t("It was withdrawn."), _t("Prepare a new batch."))
    if Debit.objects.filter(batch=kept).exclude(credit=None, returned=None).exists():
        raise NoDebits(
            place, _t("The bank has already answered about it."), _t("Say on which day it was sent.")
        )
    return kept


def batches_with_outcome():
    """Batches with what became of their debits: collected, came_back, waiting (counts), back_total (EUR)."""
    return (
        DebitBatch.objects.defer("content")
        .select_related("creditor")
        .annotate(
            collected=Count("debits", filter=Q(debits__credit__isnull=False, debits__returned=None)),
            came_back=Count("debits", filter=Q(debits__returned__isnull=False)),
            back_total=Sum("debits__amount", filter=Q(debits__returned__isnull=False)),
        )
        .annotate(waiting=F("count") - F("collected") - F("came_back"))
    )


def used_on(mandates) -> dict[int, date]:
    """Mandate → its last debit that was not withdrawn."""
    found = Debit.objects.standing().filter(mandate__in=mandates).order_by().values_list("mandate")
    return dict(found.annotate(last=Max("batch__collected_on")))


def debit_state(debit: Debit) -> tuple[str, str]:
    """What became of a debit, its batch, credit and return at hand: how grave, and in words."""
    if getattr(debit, "returned", None):
        return "bad", _t("Came back: %(why)s") % {"why": return_code(debit.returned.code).meaning}
    if getattr(debit, "credit", None):
        return "good", _t("Collected")
    if debit.batch.withdrawn_at:
        return "off", _t("Withdrawn")
    if debit.batch.sent_on:
        return "wait", _t("Sent, not answered yet")
    return "info", _t("To send")


def batch_state(batch: DebitBatch) -> tuple[str, str]:
    """What a batch of batches_with_outcome is: how grave, and in words."""
    if batch.withdrawn_at:
        return "off", _t("Withdrawn")
    if not batch.sent_on and batch.waiting == batch.count:
        return "warn", _t("To send to the bank")
    if batch.waiting == batch.count:
        return "wait", _t("Sent, not answered yet")
    if batch.waiting:
        words = ngettext("%(count)d not answered yet", "%(count)d not answered yet", batch.waiting)
        return "wait", words % {"count": batch.waiting}
    if batch.came_back:
        return "warn", _t("Collected, with returns")
    return "good", _t("Collected")
