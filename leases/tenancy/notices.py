"""The notice (*congé*): who gave it, when it ends by contract, ground and zone, and where the tenant goes.

The law of each contract kind is asked on the day the notice was received.
"""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core import audit
from core.errors import Refusal
from core.law import Rule, rule
from core.periods import ONE_DAY, add_months
from leases import rent
from leases.kinds import KINDS, duration, notice, notice_last_day
from leases.lease import Lease
from leases.lifecycle import LeaseRefused, end_lease
from portfolio.owners import OWNERS_BOOK_TITLES, Holding, Owner
from portfolio.stock import Unit

OCCUPANT, LANDLORD = "occupant", "landlord"
GROUNDS = {
    "tight_zone": _("Home in a tight zone"),
    "first_job": _("First job"),
    "transfer": _("Job transfer"),
    "job_loss": _("Loss of a job"),
    "new_job_after_loss": _("New job after a loss"),
    "health": _("Health"),
    "violence": _("Protection against violence"),
    "rsa_aah": _("RSA or AAH"),
    "social_home": _("A social home was allotted"),
}
"""Grounds of a reduced notice; the law says which of them count on a day (L89_NOTICE_GROUNDS)."""
CAUSES = {
    "breach": _("Breach of the contract"),
    "closure": _("The residence closes"),
    "not_eligible": _("No longer eligible"),
}


class NoticeRefused(Refusal):
    """A notice that the contract or its dates forbid."""


class Departure(models.Model):
    """What is told of who leaves (*départ*): the notice, the new address, where to pay.

    given_by: empty where no notice was given (judgment, death). received_on: of the letter, the service
    or the hand delivery. ground, proved: of a reduced notice. iban: to give money back to.
    """

    class Side(models.TextChoices):
        OCCUPANT = OCCUPANT, _("The tenant")
        LANDLORD = LANDLORD, _("The landlord")

    lease = models.OneToOneField(Lease, models.PROTECT, related_name="departure")
    given_by = models.CharField(_("notice given by"), max_length=8, choices=Side, blank=True)
    received_on = models.DateField(_("received on"), null=True, blank=True)
    ground = models.CharField(_("ground"), max_length=20, choices=GROUNDS, blank=True)
    proved = models.BooleanField(_("proved with the notice"), default=False)
    cause = models.CharField(_("cause"), max_length=12, choices=CAUSES, blank=True)
    legal_last_day = models.DateField(_("last day of the notice"), null=True, blank=True)
    new_address = models.TextField(_("new address"), blank=True)
    iban = models.CharField(_("IBAN"), max_length=34, blank=True)
    note = models.TextField(_("note"), blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("departure"), _("departures")

    def __str__(self):
        return f"{self.lease_id} {self.received_on or ''}".strip()


@dataclass(frozen=True, slots=True)
class NoticeTerm:
    """When a notice ends: last day (None where the contract decides), by which rule, and why in words."""

    last_day: date | None
    rule: Rule | None
    why: str = ""


def in_tight_zone(unit: Unit, on: date) -> bool:
    """Whether a home stands in the zone where a tenant's notice is one month (art. 17 I)."""
    return unit.building.commune_code in rule("TIGHT_ZONE_COMMUNES", on=on).value


def notice_term(
    lease: Lease, *, by_side: str, received: date, ground: str = "", proved: bool = True, cause: str = ""
) -> NoticeTerm:
    """When a notice received on a day ends, by contract, side, ground and zone (*fin du préavis*).

    A ground that is not proved with the notice gives the full one. A landlord's notice under the law of
    1989 ends with the term: the first that is far enough. Raises NoticeRefused where the occupant has
    a right to remain, or the landlord gives no cause in a residence.
    """
    kind = KINDS[lease.kind]
    if by_side == OCCUPANT:
        counted = ground if proved else ""
        found = notice(kind, on=received, ground=counted or None)
        why = "" if proved or not ground else str(_("The ground is not proved: the full notice runs."))
        return NoticeTerm(notice_last_day(kind, received=received, ground=counted or None), found, why)
    if kind.landlord_notice is None:
        if kind.notice is None:
            return NoticeTerm(None, None, str(_("The contract decides.")))
        raise NoticeRefused(
            lease.reference,
            _("The occupant of this home has a right to remain: no notice ends this contract."),
            _("Only a court does; record its judgment as the end of the lease."),
        )
    if kind.duration == "FOYER_DURATION":
        if cause not in CAUSES:
            raise NoticeRefused(
                lease.reference,
                _("A residence ends a contract for a cause only."),
                _("Choose the cause of the notice."),
            )
        found = notice(kind, on=received, by=LANDLORD, cause=cause)
        return NoticeTerm(add_months(received, found.value), found)
    found = notice(kind, on=received, by=LANDLORD)
    term = next_term(lease, not_before=add_months(received, found.value))
    return NoticeTerm(term, found, str(_("It ends with the term of the lease.")))


def next_term(lease: Lease, *, not_before: date) -> date:
    """The last day of the first term of a lease that ends on a day or later (*échéance du bail*)."""
    since = lease.last_renewed_on or lease.start
    length = duration(KINDS[lease.kind], on=since, landlord=landlord_nature(lease, since))
    months = length.value * 12 if length.unit == "years" else length.value
    count = 1
    while add_months(since, months * count) - ONE_DAY < not_before:
        count += 1
    return add_months(since, months * count) - ONE_DAY


def landlord_nature(lease: Lease, on: date) -> str:
    """mp or person: what the owner of the home was on a day; the association, where it sub-lets, is mp."""
    held = (
        Holding.objects.on(on)
        .filter(unit__places__in=lease.occupancies.values("place"))
        .select_related("owner")
        .first()
    )
    if held is None or held.title not in OWNERS_BOOK_TITLES:
        return "mp"
    natural = (Owner.Nature.PERSON, Owner.Nature.FAMILY_COMPANY)
    return "person" if held.owner.nature in natural else "mp"


def give_notice(
    lease: Lease, *, by_side: str, received_on: date, by, now: datetime, ground: str = "",
    proved: bool = False, cause: str = "", last_day: date | None = None, agreed: bool = False, note: str = "",
) -> Departure:  # fmt: skip
    """Record a notice and end the lease at its last day (*congé*).

    last_day: the one of the law unless said; a later one is the tenant's choice, an earlier one only
    where both agree (agreed). Raises NoticeRefused, LeaseRefused.
    """
    term = notice_term(
        lease, by_side=by_side, received=received_on, ground=ground, proved=proved, cause=cause
    )
    last_day = last_day or term.last_day
    if last_day is None:
        raise NoticeRefused(
            lease.reference, _("The contract decides when this notice ends."), _("Give its last day.")
        )
    if term.last_day and last_day < term.last_day and not agreed:
        raise NoticeRefused(
            lease.reference,
            _("The notice runs until %(day)s.") % {"day": term.last_day.strftime("%d/%m/%Y")},
            _("Give that day or a later one, or tick that both sides agree."),
        )
    reasons = {OCCUPANT: Lease.EndReason.TENANT_NOTICE, LANDLORD: Lease.EndReason.LANDLORD_NOTICE}
    with transaction.atomic():
        if Lease.objects.select_for_update().get(pk=lease.pk).end is not None:
            raise NoticeRefused(
                lease.reference, _("The end of this lease is recorded already."), _("Withdraw it first.")
            )
        made, _new = Departure.objects.update_or_create(
            lease=lease,
            defaults={
                "given_by": by_side,
                "received_on": received_on,
                "ground": ground,
                "proved": proved,
                "cause": cause,
                "legal_last_day": term.last_day,
                "note": note,
            },
        )
        end_lease(lease, last_day=last_day, reason=reasons[by_side], by=by, now=now)
        audit.record(by, "notice", "lease", lease.pk)
    return made


def withdraw_notice(lease: Lease, *, by, now: datetime) -> Lease:
    """Take back an end recorded by mistake, or a notice given up with both sides' consent.

    Raises LeaseRefused where the lease has no end, or the keys are back.
    """
    with transaction.atomic():
        kept = Lease.objects.select_for_update().get(pk=lease.pk)
        if kept.end is None:
            raise LeaseRefused(kept.reference, _("This lease has no end."), _("There is nothing to undo."))
        there = Q(end=None) | Q(end__gt=now.date())
        if not kept.occupancies.filter(there, keys_returned_on=None).exists():
            raise LeaseRefused(
                kept.reference,
                _("The keys are back: the home may be let to somebody else."),
                _("Make a new lease instead."),
            )
        since, kept.end, kept.end_reason = kept.end, None, ""
        kept.save(update_fields=["end", "end_reason"])
        kept.occupancies.filter(keys_returned_on=None, end=since).update(end=None)
        Departure.objects.filter(lease=kept).update(given_by="", received_on=None, legal_last_day=None)
        rent.learn_late([kept.pk], since=since, reason="notice withdrawn", now=now)
        audit.record(by, "withdraw_notice", "lease", kept.pk)
    return kept


def record_address(lease: Lease, *, new_address: str, iban: str, by) -> Departure:
    """Where the tenant goes, and the account to pay into (*nouvelle adresse*).

    Without a new address, a late return costs nothing (loi 89-462, art. 22).
    """
    with transaction.atomic():
        made, _new = Departure.objects.update_or_create(
            lease=lease, defaults={"new_address": new_address.strip(), "iban": iban.replace(" ", "").upper()}
        )
        audit.record(by, "address", "lease", lease.pk)
    return made
