"""Direct-debit mandates (*mandats de prélèvement SEPA*): signed, amended, blocked, ended.

A tenant may always refuse a direct debit, and stop it: no lease may make it compulsory (loi 89-462,
art. 4 c; rule FORBIDDEN). What a mandate is on a day is derived from its dated facts. The lease's own
`debit_mandate` is the RUM of its mandate in force, kept in step here and nowhere else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, OuterRef, Q, Subquery
from django.utils.functional import Promise
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from schwifty import IBAN

from core import audit
from core.errors import Refusal
from core.law import rule
from core.periods import add_months
from leases.bank_accounts import BankAccount
from leases.formats.pain008 import plain
from leases.lease import Lease, PayerIban
from portfolio.owners import Holding


@dataclass(frozen=True, slots=True)
class ReturnCode:
    """Why a bank sends a debit back (ISO 20022): meaning and what to do, in plain words.

    blocks: the mandate is not used again until somebody acts. cured: a new account lifts that block.
    """

    code: str
    meaning: Promise
    action: Promise
    blocks: bool = False
    cured: bool = False


_CONTACT = _("The debt is open again: contact the tenant.")
_NEW_IBAN = _("The mandate is blocked: ask for a new IBAN.")
_CORRECT = _("Correct what is missing, then present it again.")
_BY_CASE = _("Ask the bank, case by case.")

RETURN_CODES = {
    one.code: one
    for one in (
        ReturnCode(
            "AM04",
            _("Not enough money on the account"),
            _("The debt is open again: contact the tenant. It may be presented again."),
        ),
        ReturnCode("MS03", _("The bank does not say why"), _("It may be presented again once.")),
        ReturnCode("MS02", _("Refused by the tenant, who does not say why"), _CONTACT),
        ReturnCode("AC01", _("The account number is wrong"), _NEW_IBAN, blocks=True, cured=True),
        ReturnCode("RC01", _("The bank's identifier is wrong"), _NEW_IBAN, blocks=True, cured=True),
        ReturnCode("AC04", _("The account is closed"), _NEW_IBAN, blocks=True, cured=True),
        ReturnCode("AC06", _("The account is blocked"), _NEW_IBAN, blocks=True, cured=True),
        ReturnCode(
            "AC13",
            _("The account is not one that can be debited"),
            _NEW_IBAN,
            blocks=True,
            cured=True,
        ),
        ReturnCode(
            "MD01",
            _("The tenant says there is no mandate"),
            _("The mandate is blocked: find the signed mandate. It is not presented again."),
            blocks=True,
        ),
        ReturnCode("MD02", _("Data of the mandate are missing"), _CORRECT),
        ReturnCode("RR01", _("The debtor's account is missing"), _CORRECT),
        ReturnCode("RR02", _("The debtor's name or address is missing"), _CORRECT),
        ReturnCode("RR03", _("The creditor's name or address is missing"), _CORRECT),
        ReturnCode("MD06", _("Paid back at the tenant's request, within eight weeks"), _CONTACT),
        ReturnCode(
            "MD07",
            _("The tenant has died"),
            _("The mandate is blocked: stop, and see the succession."),
            blocks=True,
        ),
        ReturnCode("AG01", _("Direct debits are forbidden on this account"), _BY_CASE, blocks=True),
        ReturnCode("AG02", _("The kind of operation is wrong"), _BY_CASE),
        ReturnCode("SL01", _("The tenant refuses debits of this creditor"), _BY_CASE, blocks=True),
        ReturnCode("AM05", _("Presented twice"), _BY_CASE),
        ReturnCode("RR04", _("Regulatory reason"), _BY_CASE),
        ReturnCode("FF01", _("The file is not as the bank expects"), _BY_CASE),
    )
}
_UNKNOWN = ReturnCode("", _("A reason that is not in our table"), _BY_CASE)


def return_code(code: str) -> ReturnCode:
    """The record of a code; one that nobody knows is said so, and blocks nothing."""
    return RETURN_CODES.get(code, _UNKNOWN)


BLOCKS = {
    "asked": _("Suspended at the tenant's request"),
    "dispute": _("Disputed amount"),
    "other": _("Suspended by us"),
} | {code: one.meaning for code, one in RETURN_CODES.items() if one.blocks}
"""Why a mandate is not used for a time."""


class MandateQuerySet(models.QuerySet):
    def in_force(self, day):
        """Mandates signed and not ended on a day, blocked ones included."""
        return self.filter(Q(end__isnull=True) | Q(end__gt=day), signed_on__lte=day)

    def with_block(self, day):
        """Each with `block`: why it is suspended on a day, null if it is not."""
        blocks = MandateBlock.objects.on(day).filter(mandate=OuterRef("pk")).order_by("-start", "-pk")
        return self.annotate(block=Subquery(blocks.values("reason")[:1]))


class Mandate(models.Model):
    """A tenant's consent to direct debits (*mandat*); one in force a lease.

    creditor: the account collected to, whose ICS the mandate names. rum: unique for its creditor.
    sequence: RCUR for recurrent debits, OOFF for one only, FNAL once the next is the last.
    notice_days: days of notice before a debit that the tenant agreed to, shorter than the rule's;
    null if none. last_used_on: last debit made before it was known here. end: day after its last.
    """

    class Sequence(models.TextChoices):
        RECURRENT = "RCUR", _("Recurrent")
        ONE_OFF = "OOFF", _("One debit only")
        FINAL = "FNAL", _("The next is the last")

    class EndReason(models.TextChoices):
        REVOKED = "revoked", _("Stopped by the tenant")
        DEPARTURE = "departure", _("Departure")
        REPLACED = "replaced", _("Replaced by another")
        LAPSED = "lapsed", _("Unused for too long")
        DEATH = "death", _("Death")
        ERROR = "error", _("Entered by mistake")

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="mandates")
    creditor = models.ForeignKey(BankAccount, models.PROTECT, related_name="+")
    rum = models.CharField(_("mandate reference (RUM)"), max_length=35)
    holder = models.CharField(_("account holder"), max_length=70)
    iban = models.CharField(_("IBAN"), max_length=34)
    signed_on = models.DateField(_("signed on"))
    sequence = models.CharField(_("sequence"), max_length=4, choices=Sequence, default=Sequence.RECURRENT)
    notice_days = models.PositiveSmallIntegerField(_("days of notice agreed"), null=True, blank=True)
    last_used_on = models.DateField(_("last debit before"), null=True, blank=True)
    end = models.DateField(_("ended from"), null=True, blank=True)
    end_reason = models.CharField(_("reason of the end"), max_length=10, choices=EndReason, blank=True)

    objects = MandateQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("mandate"), _("mandates")
        constraints = [
            models.UniqueConstraint(
                fields=["creditor", "rum"],
                name="mandate_rum_once",
                violation_error_message=_("This mandate reference is already that of another mandate."),
            ),
            models.UniqueConstraint(
                fields=["lease"],
                name="mandate_one_in_force_a_lease",
                condition=Q(end__isnull=True),
                violation_error_message=_("This lease has a mandate already: amend it, or end it first."),
            ),
            models.CheckConstraint(
                name="mandate_end_has_a_reason",
                condition=Q(end__isnull=True, end_reason="") | (Q(end__isnull=False) & ~Q(end_reason="")),
                violation_error_message=_("Give the date and the reason of the end together."),
            ),
        ]

    def __str__(self):
        return self.rum


class BlockQuerySet(models.QuerySet):
    def on(self, day):
        return self.filter(Q(end__isnull=True) | Q(end__gt=day), start__lte=day)


class MandateBlock(models.Model):
    """A time during which a mandate is not used (*suspension*), and why; end excluded."""

    mandate = models.ForeignKey(Mandate, models.PROTECT, related_name="blocks")
    reason = models.CharField(_("reason"), max_length=8, choices=BLOCKS)
    start = models.DateField(_("from"))
    end = models.DateField(_("until"), null=True, blank=True)

    objects = BlockQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("suspension of a mandate"), _("suspensions of mandates")
        constraints = [
            models.UniqueConstraint(
                fields=["mandate", "reason"], name="mandate_block_once", condition=Q(end__isnull=True)
            ),
            models.CheckConstraint(
                name="mandate_block_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gte=F("start")),
            ),
        ]

    def __str__(self):
        return f"{self.mandate_id}: {self.reason}"


class MandateAmendment(models.Model):
    """What a mandate said before it was amended (*avenant au mandat*); never changed, never deleted.

    The next debit tells the bank of a new account or reference, once.
    """

    mandate = models.ForeignKey(Mandate, models.PROTECT, related_name="amendments")
    on = models.DateField(_("date"))
    iban_before = models.CharField(_("account before"), max_length=34, blank=True)
    rum_before = models.CharField(_("reference before"), max_length=35, blank=True)
    holder_before = models.CharField(_("holder before"), max_length=70, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("amendment of a mandate"), _("amendments of mandates")

    def __str__(self):
        return f"{self.mandate_id} {self.on}"


class DebitDay(models.Model):
    """The day of the month that a tenant chose to be debited on, from a date (*date de prélèvement*)."""

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="debit_days")
    day = models.PositiveSmallIntegerField(_("day of debit"))
    start = models.DateField(_("from"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("day of debit"), _("days of debit")
        constraints = [
            models.UniqueConstraint(
                fields=["lease", "start"],
                name="debit_day_once",
                violation_error_message=_("The day of debit was already changed on that date."),
            ),
            models.CheckConstraint(name="debit_day_in_every_month", condition=Q(day__gte=1, day__lte=28)),
        ]

    def __str__(self):
        return f"{self.lease_id}: {self.day}"


class NoMandate(Refusal):
    """A mandate that cannot be signed, amended, suspended or ended as asked."""


def read_iban(text: str, *, place) -> str:
    """An account that direct debits reach: IBAN of the SEPA zone, checked. Raises NoMandate."""
    try:
        iban = IBAN(text)
    except ValueError:
        raise NoMandate(place, _t("This is not an account number (IBAN)."), _t("Copy it again.")) from None
    if not iban.in_sepa_zone:
        raise NoMandate(
            place, _t("This account is outside the SEPA zone."), _t("Agree another means of payment.")
        )
    return str(iban)


def sign_mandate(
    lease: Lease,
    *,
    creditor: BankAccount,
    iban: str,
    holder: str,
    signed_on: date,
    rum: str = "",
    sequence: str = Mandate.Sequence.RECURRENT,
    notice_days: int | None = None,
    last_used_on: date | None = None,
    by,
) -> Mandate:
    """Record a signed mandate (*mandat signé*): the lease can be debited from then on.

    rum: given by the creditor; made from the lease's payment reference if blank. The lease's own
    `debit_mandate` is set with it. Raises NoMandate.
    """
    place = _t("lease %(lease)s") % {"lease": lease.reference}
    check_creditor(creditor)
    iban, holder = read_iban(iban, place=place), " ".join(holder.split())
    if not plain(holder, 70):
        raise NoMandate(place, _t("The account holder has no name."), _t("Write the name on the RIB."))
    if sequence not in Mandate.Sequence.values:
        raise NoMandate(place, _t("Nobody knows this kind of mandate."), _t("Choose one of the list."))
    with transaction.atomic():
        kept = Lease.objects.select_for_update().get(pk=lease.pk)
        if Mandate.objects.filter(lease=kept, end=None).exists():
            raise NoMandate(place, _t("This lease has a mandate already."), _t("Amend it, or end it first."))
        if creditor.book.owner_id and not _held_for(kept, creditor.book.owner_id):
            raise NoMandate(
                place,
                _t("%(account)s holds the money of another owner.") % {"account": creditor},
                _t("Choose the account of this home's owner, or the association's."),
            )
        given = rum = (rum or kept.debit_mandate).strip()
        if not given:
            count = Mandate.objects.filter(lease=kept).count()
            rum = f"{kept.payment_reference}-{count + 1:02d}"
        _check_rum(rum, creditor=creditor, lease=kept, place=place)
        mandate = Mandate.objects.create(
            lease=kept,
            creditor=creditor,
            rum=rum,
            holder=holder[:70],
            iban=iban,
            signed_on=signed_on,
            sequence=sequence,
            notice_days=notice_days,
            last_used_on=last_used_on,
        )
        _keep_in_step(kept, rum)
        # A transfer from the same account is then known too.
        PayerIban.objects.get_or_create(lease=kept, iban=iban, defaults={"since": signed_on})
        audit.record(by, "change", "mandate", mandate.pk, lease=kept.pk, signed=True)
    lease.debit_mandate = rum
    return mandate


def check_creditor(creditor: BankAccount) -> None:
    """Raise NoMandate for an account that collects no direct debits."""
    if not creditor.creditor_id:
        raise NoMandate(
            creditor.name,
            _t("This account has no creditor identifier (ICS)."),
            _t("Give its ICS on the page of bank accounts first."),
        )


def _held_for(lease: Lease, owner: int) -> bool:
    """Whether one of the lease's homes is, or was, the owner's."""
    units = lease.occupancies.values("place__unit")
    return Holding.objects.filter(unit__in=units, owner=owner).exists()


def _check_rum(rum: str, *, creditor: BankAccount, lease: Lease, place) -> None:
    if rum != plain(rum, 35):
        raise NoMandate(
            place,
            _t("%(rum)s is not a mandate reference that banks take.") % {"rum": rum[:40]},
            _t("Use at most 35 letters without accents, digits and / - ? : ( ) . , ' +"),
        )
    same = Mandate.objects.filter(rum=rum, creditor__creditor_id=creditor.creditor_id).exists()
    if same or Lease.objects.filter(debit_mandate=rum).exclude(pk=lease.pk).exists():
        raise NoMandate(
            place,
            _t("The reference %(rum)s is already that of another mandate.") % {"rum": rum},
            _t("Leave it blank: one is made."),
        )


def _keep_in_step(lease: Lease, rum: str) -> None:
    lease.debit_mandate = rum
    lease.save(update_fields=["debit_mandate"])


def amend_mandate(
    mandate: Mandate, *, iban: str = "", holder: str = "", rum: str = "", on: date, by
) -> Mandate:
    """Change the account, its holder or the reference of a mandate (*avenant*); what is blank stays.

    What it said before is kept, and told to the bank with the next debit. A new account lifts the
    blocks that a wrong or closed account caused. Raises NoMandate.
    """
    place = _t("mandate %(rum)s") % {"rum": mandate.rum}
    with transaction.atomic():
        kept = _running(mandate, place)
        new_iban = read_iban(iban, place=place) if iban else kept.iban
        new_holder, new_rum = " ".join(holder.split())[:70] or kept.holder, rum.strip() or kept.rum
        if (new_iban, new_holder, new_rum) == (kept.iban, kept.holder, kept.rum):
            raise NoMandate(place, _t("Nothing changes."), _t("Give the new account, holder or reference."))
        if new_rum != kept.rum:
            _check_rum(new_rum, creditor=kept.creditor, lease=kept.lease, place=place)
        MandateAmendment.objects.create(
            mandate=kept,
            on=on,
            iban_before=kept.iban if new_iban != kept.iban else "",
            rum_before=kept.rum if new_rum != kept.rum else "",
            holder_before=kept.holder if new_holder != kept.holder else "",
            by=by,
        )
        if new_iban != kept.iban:
            cured = [code for code, one in RETURN_CODES.items() if one.cured]
            kept.blocks.filter(end=None, reason__in=cured).update(end=on)
            PayerIban.objects.get_or_create(lease=kept.lease, iban=new_iban, defaults={"since": on})
        kept.iban, kept.holder, kept.rum = new_iban, new_holder, new_rum
        kept.save(update_fields=["iban", "holder", "rum"])
        _keep_in_step(kept.lease, new_rum)
        audit.record(by, "change", "mandate", kept.pk, amended=True)
    return kept


def end_mandate(mandate: Mandate, *, on: date, reason: str, by) -> Mandate:
    """End a mandate (*révocation*): never refused to a tenant. on: first day it is no longer used."""
    place = _t("mandate %(rum)s") % {"rum": mandate.rum}
    if reason not in Mandate.EndReason.values:
        raise NoMandate(place, _t("Nobody knows why it ends."), _t("Choose a reason."))
    with transaction.atomic():
        kept = _running(mandate, place)
        kept.end, kept.end_reason = max(on, kept.signed_on), reason
        kept.save(update_fields=["end", "end_reason"])
        _keep_in_step(kept.lease, "")
        audit.record(by, "change", "mandate", kept.pk, ended=True)
    return kept


def block_mandate(mandate: Mandate, *, reason: str, on: date, by) -> MandateBlock:
    """Use a mandate no more for a time (*suspension*); blocked already for it, nothing changes."""
    place = _t("mandate %(rum)s") % {"rum": mandate.rum}
    if reason not in BLOCKS:
        raise NoMandate(place, _t("Nobody knows why it is suspended."), _t("Choose a reason."))
    with transaction.atomic():
        kept = _running(mandate, place)
        block, made = MandateBlock.objects.get_or_create(
            mandate=kept, reason=reason, end=None, defaults={"start": on}
        )
        if made:
            audit.record(by, "change", "mandate", kept.pk, blocked=reason)
    return block


def unblock_mandate(mandate: Mandate, *, on: date, by) -> Mandate:
    """Use a suspended mandate again. Raises NoMandate where it is not suspended."""
    place = _t("mandate %(rum)s") % {"rum": mandate.rum}
    with transaction.atomic():
        kept = _running(mandate, place)
        blocks = list(kept.blocks.select_for_update().filter(end=None))
        if not blocks:
            raise NoMandate(place, _t("It is not suspended."), _t("It is used with the next batch."))
        for block in blocks:
            block.end = max(on, block.start)
            block.save(update_fields=["end"])
        audit.record(by, "change", "mandate", kept.pk, unblocked=True)
    return kept


def _running(mandate: Mandate, place) -> Mandate:
    """The mandate, its lease locked first. Raises NoMandate once it is ended."""
    Lease.objects.select_for_update().get(pk=mandate.lease_id)
    kept = (
        Mandate.objects.select_for_update(of=("self",)).select_related("lease", "creditor").get(pk=mandate.pk)
    )
    if kept.end is not None:
        raise NoMandate(place, _t("This mandate is ended."), _t("Have a new one signed."))
    return kept


def choose_debit_day(lease: Lease, *, day: int, since: date, by) -> DebitDay:
    """Debit a lease on another day of the month, among those offered (*choix de l'échéance*).

    Raises NoMandate for a day that the account collected to does not offer.
    """
    place = _t("lease %(lease)s") % {"lease": lease.reference}
    mandate = Mandate.objects.filter(lease=lease, end=None).select_related("creditor").first()
    if mandate is None:
        raise NoMandate(place, _t("This lease has no mandate."), _t("Record the signed mandate first."))
    offered = mandate.creditor.debit_days
    if day not in offered:
        raise NoMandate(
            place,
            _t("Day %(day)s is not offered.") % {"day": day},
            _t("Choose one of these: %(days)s.") % {"days": ", ".join(map(str, offered))},
        )
    with transaction.atomic():
        chosen, _made = DebitDay.objects.update_or_create(
            lease=lease, start=since, defaults={"day": day, "by": by}
        )
        audit.record(by, "change", "mandate", mandate.pk, day=day)
    return chosen


def debit_days(leases: Iterable[int] | models.QuerySet, on: date) -> dict[int, int]:
    """Lease → day of the month chosen, as it stands on a date; who chose none is not there."""
    chosen = DebitDay.objects.filter(lease__in=leases, start__lte=on).order_by("start", "pk")
    return dict(chosen.values_list("lease", "day"))


def lapses_on(signed_on: date, last_used_on: date | None, used_on: date | None, *, on: date) -> date:
    """First day on which a mandate is void for want of use (*caducité*), by the rule of a day."""
    last = max(day for day in (signed_on, last_used_on, used_on) if day)
    return add_months(last, rule("SEPA_MANDATE_UNUSED", on=on).value)


def state_of(mandate: Mandate, on: date, *, used_on: date | None) -> tuple[str, str]:
    """What a mandate, after with_block(on), is on a day: how grave, and in words. used_on: its last debit."""
    if mandate.end and mandate.end <= on:
        return "off", _t("Ended: %(reason)s") % {"reason": mandate.get_end_reason_display()}
    if mandate.block:
        return "bad", _t("Suspended: %(reason)s") % {"reason": BLOCKS[mandate.block]}
    if lapses_on(mandate.signed_on, mandate.last_used_on, used_on, on=on) <= on:
        return "bad", _t("Lapsed: unused for too long")
    if mandate.signed_on > on:
        return "wait", _t("Signed later")
    return "good", _t("In force")
