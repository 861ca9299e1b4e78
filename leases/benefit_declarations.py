"""What the landlord tells the CAF or MSA about rents and departures of beneficiaries.

The rents of July, every year (*déclaration des loyers de juillet*), one lease's rent at any day
(*attestation de loyer*), and who left while a right to benefit is still recorded.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db.models import Q
from moneyed import Money

from core.money import euros
from core.periods import ONE_DAY, first_of_month
from leases import tenant_account
from leases.benefits import Benefit
from leases.households import head_name, with_head
from leases.kinds import KINDS
from leases.lease import Lease
from leases.occupancy import Occupancy, last_occupancies
from leases.terms import CHARGES, RENT, RentTerm

JULY = 7


@dataclass(frozen=True, slots=True)
class RentTold:
    """A beneficiary's rent on a day, as the payer asks it: EUR a month, whole.

    rent: without charges; services: everything else agreed. amount_due: what the contract calls the
    rent. owing: what the tenant owes that day, EUR, zero when up to date. stay: None where nobody lives
    there on that day.
    """

    lease: Lease
    name: str
    benefit: Benefit
    stay: Occupancy | None
    amount_due: str
    rent: Money
    charges: Money
    services: Money
    owing: Money

    @property
    def up_to_date(self) -> bool:
        return self.owing <= euros(0)


def july(today: date) -> date:
    """The first of the last July begun: the day whose rents are declared."""
    return date(today.year if today.month >= JULY else today.year - 1, JULY, 1)


def rents_told(on: date, *, leases: Iterable[int] | None = None) -> list[RentTold]:
    """The rent of every lease with a right to benefit on a day; of some of them if given.

    Six queries for the stock.
    """
    running = Benefit.objects.filter(Q(end=None) | Q(end__gt=on), start__lte=on)
    if leases is not None:
        running = running.filter(lease__in=list(leases))
    rights = {one.lease_id: one for one in running.order_by("start")}
    found = with_head(Lease.objects.all(), "household", on).in_bulk(list(rights))
    stays = last_occupancies(rights, on)
    terms: dict[int, dict[int, Money]] = defaultdict(lambda: defaultdict(lambda: euros(0)))
    for term in RentTerm.objects.on(on).filter(lease__in=rights):
        terms[term.lease_id][term.item] += term.amount
    owing = tenant_account.balances(rights, on)
    made = []
    for pk, right in rights.items():
        stay, agreed = stays.get(pk), terms[pk]
        if stay and (stay.start > on or (stay.end and stay.end <= on)):
            stay = None
        made.append(
            RentTold(
                found[pk],
                head_name(found[pk]),
                right,
                stay,
                str(KINDS[found[pk].kind].amount_due),
                agreed[RENT],
                agreed[CHARGES],
                sum((sum_ for item, sum_ in agreed.items() if item not in (RENT, CHARGES)), euros(0)),
                max(owing.get(pk, euros(0)), euros(0)),
            )
        )
    return sorted(made, key=lambda one: (one.benefit.payer, one.lease.reference))


@dataclass(frozen=True, slots=True)
class DepartureToTell:
    """A beneficiary who left, or whose departure is known, and whose right is still recorded after it.

    last_day: the last day in the home. stop_from: the first month without benefit: that of the
    departure, unless the home was occupied to its end.
    """

    lease: Lease
    name: str
    benefit: Benefit
    last_day: date
    stop_from: date


def departures_to_tell(on: date) -> list[DepartureToTell]:
    """Whose departure the payer is to be told of, the earliest first; two queries."""
    stays = Occupancy.objects.filter(end__isnull=False).order_by("start")
    rights = with_head(
        Benefit.objects.filter(Q(end=None) | Q(end__gt=on), lease__occupancies__end__isnull=False),
        "lease__household",
        on,
    ).distinct()
    rights = rights.exclude(lease__in=Occupancy.objects.filter(end=None).values("lease"))
    rights = list(rights.select_related("lease"))
    last: dict[int, date] = {}
    for lease, end in stays.filter(lease__in=[one.lease_id for one in rights]).values_list("lease", "end"):
        last[lease] = max(end, last.get(lease, end))
    found = []
    for right in rights:
        stop_from = first_of_month(last[right.lease_id])
        if right.end is None or right.end > stop_from:
            found.append(
                DepartureToTell(
                    right.lease, head_name(right), right, last[right.lease_id] - ONE_DAY, stop_from
                )
            )
    return sorted(found, key=lambda one: (one.last_day, one.lease.reference))
