"""Who holds a lease over time (*changement de titulaires*): a joint tenant joins, somebody leaves.

Nothing owed changes: the account goes on under the same lease. Who leaves may stay liable a while.
"""

from datetime import date

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core import audit
from core.errors import Refusal
from core.law import rule
from core.periods import ONE_DAY, add_months
from leases.households import Membership, Person
from leases.kinds import KINDS
from leases.lease import Lease, LeaseParty
from leases.tenancy.applications import NewPerson, new_person

Role = LeaseParty.Role


class PartyRefused(Refusal):
    """A change of parties that the lease or its dates forbid."""


def join_lease(
    lease: Lease, *, person: Person | NewPerson, role: str, since: date, by, partner: bool = False
) -> LeaseParty:
    """Somebody signs the lease too, or stands surety (*avenant d'ajout*); a joint tenant joins the household.

    partner: of the head, rather than another member. Raises PartyRefused before the lease starts or after
    it ends, for a second tenant in title, or for who is a party already.
    """
    _check_day(lease, since)
    if role == Role.TENANT:
        raise PartyRefused(
            lease.reference, _("This lease has its tenant."), _("Add a joint tenant, or a surety.")
        )
    with transaction.atomic():
        Lease.objects.select_for_update().get(pk=lease.pk)
        known = new_person(person) if isinstance(person, NewPerson) else person
        if _standing(lease, since).filter(person=known).exists():
            raise PartyRefused(
                lease.reference,
                _("%(person)s is a party of this lease already.") % {"person": known},
                _("Choose somebody else."),
            )
        made = LeaseParty.objects.create(lease=lease, person=known, role=role, start=since)
        if role == Role.CO_TENANT:
            _enter(lease, known, Membership.Role.PARTNER if partner else Membership.Role.OTHER, since)
        audit.record(by, "join", "lease", lease.pk, party=made.pk)
    return made


def leave_lease(party: LeaseParty, *, last_day: date, by) -> LeaseParty:
    """A tenant or a surety leaves the lease (*départ d'un cotitulaire*); the lease goes on with the others.

    Where the tenant in title leaves, the joint tenant of longest standing takes the place, in the lease
    and at the head of the household. Raises PartyRefused where nobody would be left, or for a day
    outside the party's time.
    """
    lease = party.lease
    with transaction.atomic():
        Lease.objects.select_for_update().get(pk=lease.pk)
        party = LeaseParty.objects.select_related("person").get(pk=party.pk)
        end = last_day + ONE_DAY
        if last_day < party.start or (party.end is not None and party.end <= last_day):
            raise PartyRefused(
                str(party.person),
                _("This person is no party of the lease on that day."),
                _("Correct the last day."),
            )
        others = _standing(lease, end).exclude(pk=party.pk).exclude(role=Role.SURETY).order_by("start", "pk")
        heir = others.first()
        if party.role != Role.SURETY and heir is None:
            raise PartyRefused(
                lease.reference,
                _("Nobody would hold the lease any more."),
                _("Record a notice, which ends the lease, or add a joint tenant first."),
            )
        party.end = end
        party.save(update_fields=["end"])
        if party.role != Role.SURETY:
            _go(lease, party.person, end)
        if party.role == Role.TENANT and heir is not None and heir.role == Role.CO_TENANT:
            _close(heir, end)
            LeaseParty.objects.create(lease=lease, person=heir.person, role=Role.TENANT, start=end)
            _lead(lease, heir.person, end)
        audit.record(by, "leave", "lease", lease.pk, party=party.pk)
    return party


def liable_until(lease: Lease, *, last_day: date) -> date | None:
    """The last day to which who leaves may stay liable for the rent (*solidarité du colocataire*).

    Earlier where a new joint tenant takes the place. None where the contract decides; a spouse or a
    partner follows other rules. Source: loi 89-462, art. 8-1 VI (JOINT_LIABILITY).
    """
    if KINDS[lease.kind].notice != "L89_NOTICE":
        return None
    return add_months(last_day, rule("JOINT_LIABILITY", on=last_day).value)


def _standing(lease: Lease, day: date):
    return LeaseParty.objects.filter(Q(end=None) | Q(end__gt=day), lease=lease, start__lte=day)


def _check_day(lease: Lease, day: date) -> None:
    if day < lease.start or (lease.end is not None and day >= lease.end):
        raise PartyRefused(
            lease.reference, _("The lease does not run on that day."), _("Give a day of the lease.")
        )


def _enter(lease: Lease, person: Person, role: str, since: date) -> None:
    """A member from that day, unless one already."""
    if not Membership.objects.on(since).filter(household=lease.household_id, person=person).exists():
        Membership.objects.create(household=lease.household, person=person, role=role, start=since)


def _go(lease: Lease, person: Person, end: date) -> None:
    """No member any more from that day."""
    for one in Membership.objects.on(end).filter(household=lease.household_id, person=person):
        _close(one, end)


def _lead(lease: Lease, person: Person, since: date) -> None:
    """The head of the household from that day."""
    _go(lease, person, since)
    Membership.objects.create(
        household=lease.household, person=person, role=Membership.Role.HEAD, start=since
    )


def _close(fact: LeaseParty | Membership, end: date) -> None:
    """End a dated fact; one that would last no day never was."""
    if fact.start >= end:
        fact.delete()
    else:
        fact.end = end
        fact.save(update_fields=["end"])
