"""Temporary stays (*séjours temporaires*): how long each is meant to last, what was granted, who is over.

The horizon of each regime is dated law (STAY_HORIZON); a stay over its term keeps its title and its
rights: it is to be spoken of, not ended.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from core import audit
from core.errors import Refusal
from core.law import Rule, all_rules, history, rule
from core.periods import ONE_DAY, add_months
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.occupancy import Occupancy

SOON = 3
"""Months before its term from which a stay is shown as ending."""


class StayRefused(Refusal):
    """An extension that the stay or its dates do not allow."""


class StayExtension(models.Model):
    """More time granted to a temporary stay (*prolongation*); the latest one standing counts.

    until: last day granted. decided_by: who granted it, a committee or a service. withdrawn_on: null
    while it stands.
    """

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="extensions")
    decided_on = models.DateField(_("decided on"))
    until = models.DateField(_("until"))
    decided_by = models.CharField(_("granted by"), max_length=80, blank=True)
    reason = models.CharField(_("reason"), max_length=200)
    withdrawn_on = models.DateField(_("withdrawn on"), null=True, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("extension of a stay"), _("extensions of stays")
        constraints = [
            models.UniqueConstraint(
                fields=["lease", "until"],
                name="stay_extension_once",
                condition=models.Q(withdrawn_on__isnull=True),
                violation_error_message=_("This stay is already extended to that day."),
            )
        ]

    def __str__(self):
        return f"{self.lease_id} → {self.until}"


@dataclass(frozen=True, slots=True)
class Stay:
    """A temporary stay on a day: first day, the last day its regime means it to last, and what was granted.

    granted: last day of the latest extension, or None. extensions: how many stand.
    """

    lease: Lease
    name: str
    place: str
    structure: str
    entered: date
    term: date
    granted: date | None
    extensions: int
    rule: Rule

    @property
    def last_day(self) -> date:
        """The later of the term and what was granted."""
        return max(self.term, self.granted) if self.granted else self.term

    def months_over(self, on: date) -> int:
        """Whole months past the regime's own term, extensions left out; 0 before it."""
        return months_between(self.term, on) if on > self.term else 0

    def state(self, on: date) -> str:
        """running, soon (within SOON months of its last day), extended (past the term, granted) or over."""
        if on > self.last_day:
            return "over"
        if add_months(on, SOON) >= self.last_day:
            return "soon"
        return "extended" if on > self.term else "running"


def months_between(first: date, last: date) -> int:
    """Whole months from one day to another."""
    months = (last.year - first.year) * 12 + last.month - first.month
    return months - (add_months(first, months) > last)


def temporary_kinds() -> list[str]:
    """The kinds of contract whose stays are temporary: those with a horizon."""
    return sorted({each.scope["contract"] for each in all_rules() if each.id == "STAY_HORIZON"})


def horizon(kind: str, *, on: date) -> Rule | None:
    """How many months a stay under a kind of contract is meant to last; None where it has no term.

    on: the signature; a contract older than the rule has the first horizon there was.
    """
    known = history("STAY_HORIZON", contract=kind) if kind in temporary_kinds() else []
    return rule("STAY_HORIZON", on=max(on, known[0].valid_from), contract=kind) if known else None


def stays(on: date, *, leases: Iterable[int] | None = None) -> list[Stay]:
    """The temporary stays that run on a day, those furthest over their term first; two queries.

    leases: only these. A home changed under the same lease goes on with the same stay.
    """
    rows = Occupancy.objects.on(on).filter(lease__kind__in=temporary_kinds())
    if leases is not None:
        rows = rows.filter(lease__in=list(leases))
    rows = with_head(
        rows.select_related("lease", "place__unit__structure", "place__unit__building"),
        "lease__household",
        on,
    )
    granted: dict[int, date] = {}
    counted: Counter[int] = Counter()
    for lease, until in StayExtension.objects.filter(withdrawn_on=None, decided_on__lte=on).values_list(
        "lease", "until"
    ):
        counted[lease] += 1
        granted[lease] = max(until, granted.get(lease, until))
    found = []
    for row in rows:
        lease, unit = row.lease, row.place.unit
        length = horizon(lease.kind, on=lease.signed_on)
        found.append(
            Stay(
                lease=lease,
                name=head_name(row),
                place=row.place.reference,
                structure=unit.structure.name if unit.structure else str(unit.building),
                entered=lease.start,
                term=add_months(lease.start, length.value) - ONE_DAY,
                granted=granted.get(lease.pk),
                extensions=counted[lease.pk],
                rule=length,
            )
        )
    return sorted(found, key=lambda stay: (stay.last_day, stay.lease.pk))


def overruns(on: date) -> list[Stay]:
    """Stays past their term and past what was granted, the longest over first (*dépassements*)."""
    return [stay for stay in stays(on) if stay.state(on) == "over"]


def extend_stay(
    lease: Lease, *, until: date, reason: str, decided_on: date, by, now: datetime, decided_by: str = ""
) -> StayExtension:
    """Grant a temporary stay more time (*prolongation*), until a last day.

    Raises StayRefused where the contract has no term, or that day brings no more time.
    """
    length = horizon(lease.kind, on=lease.signed_on)
    if length is None:
        raise StayRefused(
            lease.reference,
            _("This contract has no term: it needs no extension."),
            _("Leave the stay as it is."),
        )
    with transaction.atomic():
        Lease.objects.select_for_update().get(pk=lease.pk)
        last = add_months(lease.start, length.value) - ONE_DAY
        for one in StayExtension.objects.filter(lease=lease, withdrawn_on=None):
            last = max(last, one.until)
        if until <= last:
            raise StayRefused(
                lease.reference,
                _("The stay already runs to %(day)s.") % {"day": last.strftime("%d/%m/%Y")},
                _("Give a later last day."),
            )
        made = StayExtension.objects.create(
            lease=lease, until=until, reason=reason, decided_on=decided_on, decided_by=decided_by, made_by=by
        )
        audit.record(by, "extend", "stay", lease.pk, until=until)
    return made


def withdraw_extension(extension: StayExtension, *, on: date, by) -> StayExtension:
    """Take an extension back, entered by mistake or refused after all."""
    with transaction.atomic():
        extension.withdrawn_on = on
        extension.save(update_fields=["withdrawn_on"])
        audit.record(by, "withdraw", "stay", extension.lease_id)
    return extension
