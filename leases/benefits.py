"""Housing benefit paid straight to the landlord (*APL/AL en tiers payant*)."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.errors import Refusal
from core.money import EuroField
from core.periods import first_of_month
from core.refusals import SENTENCES
from leases.kinds import KINDS
from leases.lease import Lease
from leases.occupancy import Occupancy
from portfolio.stock import Structure, Unit

ALT = Structure.Kind.ALT.value
ALT_KINDS = [kind.code for kind in KINDS.values() if ALT in kind.needs_structure]
FAR = date.max


class Benefit(models.Model):
    """A right to benefit for whole months (*droit APL/AL*), as the payer told it.

    start: first day of the first month of the right; end: first day of the month after the last,
    null while it runs. amount: EUR a month. Only what is paid to the landlord is deducted.
    """

    class Payer(models.TextChoices):
        CAF = "caf", _("CAF")
        MSA = "msa", _("MSA")

    class Kind(models.TextChoices):
        APL = "apl", "APL"
        AL = "al", "AL"

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="benefits")
    payer = models.CharField(_("payer"), max_length=3, choices=Payer, default=Payer.CAF)
    kind = models.CharField(_("benefit"), max_length=3, choices=Kind, default=Kind.APL)
    beneficiary_number = models.CharField(_("beneficiary number"), max_length=15, db_index=True)
    amount = EuroField(_("amount a month"))
    paid_to_landlord = models.BooleanField(_("paid to the landlord"), default=True)
    start = models.DateField(_("from"))
    end = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("housing benefit"), _("housing benefits")
        constraints = [
            models.CheckConstraint(
                name="benefit_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gt=F("start")),
                violation_error_message=_("End the benefit after its first month."),
            ),
            models.CheckConstraint(
                name="benefit_in_whole_months",
                condition=Q(start__day=1) & (Q(end__isnull=True) | Q(end__day=1)),
                violation_error_message=_("A benefit is due for whole months: give first days of months."),
            ),
            models.CheckConstraint(
                name="benefit_amount_above_zero",
                condition=Q(amount__gt=0),
                violation_error_message=_("Give an amount above zero; end the right to stop it."),
            ),
        ]
        indexes = [models.Index(fields=["lease", "start"], name="benefit_lease_start")]

    def __str__(self):
        return f"{self.get_kind_display()} {self.amount}"


class NoRight(Refusal):
    """A benefit where the contract, or the funding of the home, opens no right to it."""


Lent = dict[int, list[tuple[date, date]]]
"""Homes paid for by ALT: unit → days from the first month's first, until a day (excluded)."""


def lent_homes(units=None) -> Lent:
    """The homes that ALT pays for, all or some of them, and when; two queries.

    A home of an ALT structure is at any time; another one while it is occupied under an ALT contract.
    """
    always = Unit.objects.filter(structure__kind=ALT)
    stays = Occupancy.objects.filter(lease__kind__in=ALT_KINDS)
    if units is not None:
        always, stays = always.filter(pk__in=units), stays.filter(place__unit__in=units)
    found: Lent = defaultdict(list)
    for unit in always.values_list("pk", flat=True):
        found[unit].append((date.min, FAR))
    for unit, start, end in stays.values_list("place__unit", "start", "end"):
        found[unit].append((first_of_month(start), end or FAR))
    return found


def with_alt(benefit: tuple[date, date | None], stay: Occupancy, lent: Lent) -> bool:
    """Whether ALT and a benefit would pay for one home in one same month (CSS, art. L. 851-1).

    benefit: first day of its first month, first day after its last month. The database refuses the
    same (sql/alt.*.sql).
    """
    start, end = benefit[0], benefit[1] or FAR
    since, until = first_of_month(stay.start), stay.end or FAR
    return any(
        max(start, since, first) < min(end, until, last) for first, last in lent.get(stay.place.unit_id, ())
    )


def require_right(lease: Lease, *, since: date, until: date | None = None) -> None:
    """Raises NoRight where the contract opens no right to a benefit, or ALT pays for the home then."""
    if not KINDS[lease.kind].benefits:
        raise NoRight(
            lease.reference,
            _("This kind of contract opens no right to a housing benefit."),
            _("Correct the contract, or record no benefit."),
        )
    stays = list(Occupancy.objects.filter(lease=lease).select_related("place"))
    lent = lent_homes({stay.place.unit_id for stay in stays})
    if any(with_alt((since, until), stay, lent) for stay in stays):
        raise NoRight(lease.reference, *SENTENCES["benefit_not_with_alt"])


@dataclass(frozen=True, slots=True)
class Conflict:
    """A benefit and the home that ALT pays for in the same month; stay is None where only the contract
    opens no right."""

    benefit: Benefit
    stay: Occupancy | None


def conflicts() -> list[Conflict]:
    """Benefits recorded together with ALT, or under a contract that opens no right; four queries."""
    lent = lent_homes()
    closed = [kind.code for kind in KINDS.values() if not kind.benefits]
    suspect = Benefit.objects.filter(
        Q(lease__kind__in=closed) | Q(lease__occupancies__place__unit__in=list(lent))
    ).distinct()
    rights = list(suspect.select_related("lease__household").order_by("lease__reference", "start"))
    stays = defaultdict(list)
    leases = {right.lease_id for right in rights}
    for stay in Occupancy.objects.filter(lease__in=leases).select_related("place__unit__building"):
        stays[stay.lease_id].append(stay)
    found = []
    for right in rights:
        shared = [one for one in stays[right.lease_id] if with_alt((right.start, right.end), one, lent)]
        if shared:
            found.append(Conflict(right, shared[0]))
        elif right.lease.kind in closed:
            found.append(Conflict(right, None))
    return found
