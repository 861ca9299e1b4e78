"""The provision for doubtful debts (*provision pour créances douteuses*): proposed by rule, posted by hand.

The rule is house policy: a percentage for each age of the debt, and one for whoever has left. Only
debts to the association count; what a mandant's tenants owe is the mandant's.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect
from core.errors import Refusal
from core.money import euros, from_cents, to_cents
from leases import ledger, operations
from leases.lease import Lease
from leases.occupancy import Occupancy
from leases.operations import Operation
from leases.tenant_account import aged

AGES = ("d0_30", "d31_60", "d61_90", "over_90")
DEPARTED = "departed"
BUCKETS = {
    "d0_30": _("Due for 30 days at most"),
    "d31_60": _("Due for 31 to 60 days"),
    "d61_90": _("Due for 61 to 90 days"),
    "over_90": _("Due for more than 90 days"),
    DEPARTED: _("Owed by whoever has left"),
}
"""Ages of a debt (leases.tenant_account.Aged), and the debts of departed tenants, of any age."""


class ProvisionRate(models.Model):
    """The share of a debt taken as lost (*taux de provision*): house policy, from a day on.

    bucket: of BUCKETS. percent: 0 to 100. The latest line not after the day asked holds.
    """

    bucket = models.CharField(_("age of the debt"), max_length=10, choices=list(BUCKETS.items()))
    percent = models.DecimalField(_("per cent"), max_digits=5, decimal_places=2)
    since = models.DateField(_("from"))
    set_at = models.DateTimeField()
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("rate of provision"), _("rates of provision")
        constraints = [
            models.CheckConstraint(
                name="provision_rate_a_percentage",
                condition=Q(percent__gte=0, percent__lte=100),
                violation_error_message=_("Give a rate between 0 and 100 per cent."),
            ),
            models.UniqueConstraint(
                fields=["bucket", "since"],
                name="provision_rate_once_a_day",
                violation_error_message=_("This rate is given for that day already."),
            ),
        ]

    def __str__(self):
        return f"{self.bucket} {self.percent} %"


class NothingToPost(Refusal):
    """A provision that is already what the rule asks."""


@dataclass(frozen=True, slots=True)
class Provided:
    """What the rule sets aside for one lease: EUR; owed by age, all due; departed: it applies its own rate."""

    lease_id: int
    owed: dict[str, Money]
    due: Money
    departed: bool
    provision: Money
    oldest_due: date | None


def rates(on: date) -> dict[str, Decimal]:
    """The rate of each bucket that has one on a day, per cent."""
    rows = ProvisionRate.objects.filter(since__lte=on).order_by("since", "pk")
    return dict(rows.values_list("bucket", "percent"))


def set_rates(given: dict[str, Decimal], *, since: date, by, now: datetime) -> int:
    """Set rates from a day on; a rate set for that very day is replaced. How many changed."""
    before = rates(since)
    changed = {bucket: percent for bucket, percent in given.items() if before.get(bucket) != percent}
    with transaction.atomic():
        for bucket, percent in changed.items():
            ProvisionRate.objects.update_or_create(
                bucket=bucket, since=since, defaults={"percent": percent, "set_at": now, "set_by": by}
            )
        if changed:
            audit.record(
                by, "change", "closing", "provision", since=since, **{k: str(v) for k, v in changed.items()}
            )
    return len(changed)


def provision_of(owed: dict[str, Money], percents: dict[str, Decimal], *, departed: bool) -> Money:
    """What the rule sets aside for one debt, EUR: by age, or by departure where that takes more.

    Rounded half up to the cent once, at the end.
    """
    shares = [
        to_cents(owed[age])
        * max(percents.get(age, Decimal(0)), percents.get(DEPARTED, Decimal(0)) * departed)
        for age in AGES
    ]
    hundredths = sum(shares, Decimal(0))
    return from_cents(int((hundredths * 2 + 100) // 200))


def proposal(on: date) -> list[Provided]:
    """The provision that the rule asks at a date, lease by lease, the largest first; four queries.

    A lease that also owes a mandant counts for what it owes the association, the oldest debt first.
    """
    percents = rates(on)
    own = dict(
        dialect.rows(
            """SELECT lease_id, WHOLE(SUM(signed)) FROM (
                SELECT a.lease_id, p.amount AS signed FROM leases_account a
                JOIN leases_posting p ON p.debit_id = a.id
                WHERE a.book_id = %(book)s AND a.kind = %(tenant)s AND p."on" <= DAY(%(on)s)
                UNION ALL
                SELECT a.lease_id, -p.amount FROM leases_account a
                JOIN leases_posting p ON p.credit_id = a.id
                WHERE a.book_id = %(book)s AND a.kind = %(tenant)s AND p."on" <= DAY(%(on)s)
            ) moved GROUP BY lease_id HAVING SUM(signed) > 0""",
            {"book": ledger.association_book_id(), "tenant": ledger.TENANT, "on": on},
        )
    )
    there = Occupancy.objects.on(on).filter(lease=OuterRef("pk"))
    gone = set(Lease.objects.filter(~Exists(there), end__lte=on).values_list("pk", flat=True))
    found = []
    for one in aged(on):
        left = int(own.get(one.lease_id, 0))
        owed = {}
        for age in reversed(AGES):
            part = min(left, to_cents(getattr(one, age)))
            owed[age], left = from_cents(part), left - part
        due = sum(owed.values(), euros(0))
        if due:
            departed = one.lease_id in gone
            aside = provision_of(owed, percents, departed=departed)
            found.append(Provided(one.lease_id, owed, due, departed, aside, one.oldest_due))
    return sorted(found, key=lambda one: (-one.provision.amount, -one.due.amount, one.lease_id))


def totals(found: list[Provided]) -> dict[str, Money]:
    """By age, then "due" and "provision": EUR."""
    sums = {age: sum((one.owed[age] for one in found), euros(0)) for age in AGES}
    sums["due"] = sum((one.due for one in found), euros(0))
    sums["provision"] = sum((one.provision for one in found), euros(0))
    return sums


def provided(on: date) -> Money:
    """What is set aside in the ledger at a date, EUR (account 491 of the association)."""
    return -_balance(ledger.DOUBTFUL, on)


def post_provision(on: date, *, by, now: datetime) -> Operation:
    """Bring the provision in the ledger to what the rule asks at a date: one operation, up or down.

    Raises NothingToPost; PeriodLocked on a closed day.
    """
    place = f"{on:%d/%m/%Y}"
    with transaction.atomic():
        book = ledger.association_book_id()
        list(ledger.Book.objects.select_for_update().filter(pk=book))
        gap = totals(proposal(on))["provision"] - provided(on)
        if not gap:
            raise NothingToPost(
                place, _("The provision is already what the rule asks."), _("There is nothing to post.")
            )
        doubtful = operations.account(ledger.DOUBTFUL, book=book)
        allocated = operations.account(ledger.PROVISION, book=book)
        up = gap > euros(0)
        ends = (allocated, doubtful) if up else (doubtful, allocated)
        kind = operations.PROVISION if up else operations.PROVISION_RELEASED
        times = Operation.objects.filter(kind=kind, key__startswith=f"provision {on}").count()
        draft = Operation(
            kind=kind,
            key=f"provision {on} {times + 1}",
            amount=abs(gap),
            on=on,
            due=on,
            **operations.between(*ends),
        )
        operations.post([draft], label=f"Provision {on}", by=by, now=now)
    return draft


def _balance(kind: int, on: date) -> Money:
    """What an account of the association comes to at a date, EUR, debit positive."""
    found = dialect.rows(
        """SELECT COALESCE((SELECT SUM(p.amount) FROM leases_posting p JOIN leases_account a ON a.id = p.debit_id
                WHERE a.book_id = %(book)s AND a.kind = %(kind)s AND p."on" <= DAY(%(on)s)), 0)
            - COALESCE((SELECT SUM(p.amount) FROM leases_posting p JOIN leases_account a ON a.id = p.credit_id
                WHERE a.book_id = %(book)s AND a.kind = %(kind)s AND p."on" <= DAY(%(on)s)), 0)""",
        {"book": ledger.association_book_id(), "kind": kind, "on": on},
    )
    return from_cents(int(found[0][0]))
