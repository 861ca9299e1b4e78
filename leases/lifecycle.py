"""The life of a lease after its signature (*vie du bail*): its end, the keys, its terms, its benefit.

What touches months already called is learnt late: the next run makes the back-charge or the credit.
"""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.periods import first_of_month
from leases import rent
from leases.benefits import Benefit, require_right
from leases.lease import Lease
from leases.occupancy import Occupancy
from leases.terms import RentTerm
from portfolio.owners import Holding
from portfolio.stock import Unit

DAY = timedelta(days=1)


class LeaseRefused(Refusal):
    """An act on a lease that its dates forbid."""


def end_lease(lease: Lease, *, last_day: date, reason: str, by, now: datetime) -> Lease:
    """End the title (*congé, résiliation*): rent is due to its last day, an indemnity after it.

    The place stays occupied until the keys come back (return_keys).
    Raises LeaseRefused where the last day is before the first, or the reason is not known.
    """
    if last_day < lease.start:
        raise LeaseRefused(
            lease.reference,
            _("The lease would end before it starts."),
            _("Give a last day on or after %(start)s.") % {"start": lease.start},
        )
    if reason not in Lease.EndReason.values:
        raise LeaseRefused(lease.reference, _("Nobody knows why it ends."), _("Choose a reason."))
    with transaction.atomic():
        kept = Lease.objects.select_for_update().get(pk=lease.pk)
        before = kept.end
        kept.end, kept.end_reason = last_day + DAY, reason
        kept.save(update_fields=["end", "end_reason"])
        _learn(kept, min(kept.end, before or kept.end), "end of lease", now)
        audit.record(by, "end", "lease", kept.pk)
    return kept


def return_keys(lease: Lease, *, on: date, by, now: datetime) -> Occupancy:
    """Take the keys back (*restitution des clés*): the place is free the day after.

    Where the tenant gave notice, rent runs to the end of the notice although the keys are back
    (loi 89-462, art. 15 I); where the landlord did, only the days occupied are owed.
    Raises LeaseRefused where nobody occupies under the lease, or before the entry.
    """
    with transaction.atomic():
        stay = (
            Occupancy.objects.select_for_update(of=("self",))
            .filter(lease=lease, keys_returned_on=None)
            .order_by("-start")
            .first()
        )
        if stay is None:
            raise LeaseRefused(
                lease.reference, _("No keys are out for this lease."), _("Check the lease's occupancy.")
            )
        if on < stay.start:
            raise LeaseRefused(
                lease.reference,
                _("The keys would come back before the entry."),
                _("Give a day on or after %(start)s.") % {"start": stay.start},
            )
        before = stay.end
        stay.keys_returned_on = on
        stay.end = on + DAY
        if lease.end and lease.end_reason != Lease.EndReason.LANDLORD_NOTICE:
            stay.end = max(stay.end, lease.end)
        stay.save(update_fields=["keys_returned_on", "end"])
        _learn(lease, min(stay.end, before or stay.end), "keys returned", now)
        audit.record(by, "keys", "lease", lease.pk)
    return stay


def change_term(lease: Lease, *, item: int, amount: Money, since: date, by, now: datetime) -> RentTerm:
    """Change what is owed for an item from a day on (*avenant*): the term before ends the day before.

    Raises LeaseRefused where a later term exists already.
    """
    with transaction.atomic():
        Lease.objects.select_for_update().get(pk=lease.pk)
        later = RentTerm.objects.filter(lease=lease, item=item, start__gt=since)
        if later.exists():
            raise LeaseRefused(
                lease.reference,
                _("A later term is recorded for this item."),
                _("Change that one, or give a later day."),
            )
        current = RentTerm.objects.filter(Q(end=None) | Q(end__gt=since), lease=lease, item=item).first()
        if current and current.start == since:
            current.amount = amount
            current.save(update_fields=["amount"])
            term = current
        else:
            if current:
                current.end = since
                current.save(update_fields=["end"])
            term = RentTerm.objects.create(lease=lease, item=item, amount=amount, start=since)
        _learn(lease, since, "term changed", now)
        audit.record(by, "change", "lease_money", lease.pk)
    return term


def change_benefit(
    lease: Lease, *, amount: Money | None, since: date, by, now: datetime, **told
) -> Benefit | None:
    """Record what the CAF or MSA tells (*notification de droits*): a new amount, or None for a stop.

    since: first day of the first month concerned. told: payer, kind, beneficiary_number for a first right.
    Raises LeaseRefused where a later right is recorded, NoRight where none is open (contract, ALT).
    """
    since = first_of_month(since)
    if amount:
        require_right(lease, since=since)
    with transaction.atomic():
        Lease.objects.select_for_update().get(pk=lease.pk)
        current = (
            Benefit.objects.filter(Q(end=None) | Q(end__gt=since), lease=lease).order_by("start").first()
        )
        if current and current.start >= since:
            raise LeaseRefused(
                lease.reference,
                _("A right to benefit starts on that month or later already."),
                _("Give a later month."),
            )
        known = current or Benefit.objects.filter(lease=lease).order_by("-start").first()
        if known:
            told = {
                "payer": known.payer,
                "kind": known.kind,
                "beneficiary_number": known.beneficiary_number,
                "paid_to_landlord": known.paid_to_landlord,
            } | told
        if current:
            current.end = since
            current.save(update_fields=["end"])
        new = Benefit.objects.create(lease=lease, amount=amount, start=since, **told) if amount else None
        _learn(lease, since, "benefit changed", now)
        audit.record(by, "change", "benefit", lease.pk)
    return new


def end_holding(holding: Holding, *, last_day: date, by, now: datetime) -> list[Occupancy]:
    """End a mandate, a head lease or another holding (*fin de mandat*): who is to be handed back.

    Nothing is called for the days after; what was called already is credited by the next run.
    Raises LeaseRefused where it would end before it starts.
    """
    if last_day < holding.start:
        raise LeaseRefused(
            str(holding),
            _("The holding would end before it starts."),
            _("Give a last day on or after %(start)s.") % {"start": holding.start},
        )
    with transaction.atomic():
        kept = Holding.objects.select_for_update().get(pk=holding.pk)
        before = kept.end
        kept.end = last_day + DAY
        kept.save(update_fields=["end"])
        stays = Occupancy.objects.filter(place__unit=kept.unit_id)
        since = min(kept.end, before or kept.end)
        leases = list(stays.filter(Q(end=None) | Q(end__gt=since)).values_list("lease", flat=True))
        rent.learn_late(leases, since=since, reason="end of holding", now=now)
        audit.record(by, "end", "holding", kept.pk)
        return to_hand_back(kept.unit, on=kept.end)


def to_hand_back(unit: Unit, *, on: date) -> list[Occupancy]:
    """Who still occupies a unit when its holding ends (*occupants à remettre*)."""
    stays = Occupancy.objects.filter(Q(end=None) | Q(end__gt=on), place__unit=unit, start__lt=on)
    return list(stays.select_related("lease", "place").order_by("place__reference"))


def _learn(lease: Lease, since: date, reason: str, now: datetime) -> None:
    rent.learn_late([lease.pk], since=since, reason=reason, now=now)
