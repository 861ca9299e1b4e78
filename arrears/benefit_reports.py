"""Unpaid rent told to the payer of the housing benefit (*signalement d'impayé à la CAF ou à la MSA*).

Once a household's debt reaches the threshold of the law, the landlord tells the payer within a delay
from that day, unless the debt is cleared; forgetting it costs a penalty (CCH, art. R. 824-4 and R. 824-6).
The threshold is that of the day on which the arrears are constituted (AID_ARR_*).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect
from core.errors import Refusal
from core.law import rule
from core.money import EuroField, euros, from_cents
from core.periods import ONE_DAY, add_months
from leases import checkpoint, ledger, tenant_account
from leases.benefits import Benefit
from leases.lease import Lease
from leases.ledger import Posting
from leases.terms import CHARGES, RENT, RentTerm


@dataclass(frozen=True, slots=True)
class Threshold:
    """From when arrears are constituted on a day: a debt of `amount` EUR (`beyond`: more than it), or
    any debt first unpaid for `months` months."""

    amount: Money
    beyond: bool = False
    months: int | None = None

    def reached(self, debt: Money, *, oldest: date | None, on: date) -> bool:
        if debt <= euros(0):
            return False
        if debt > self.amount or (debt == self.amount and not self.beyond):
            return True
        return self.months is not None and oldest is not None and add_months(oldest, self.months) <= on


def threshold(*, rent: Money, charges: Money, benefit: Money, paid_to_landlord: bool, on: date) -> Threshold:
    """The threshold of a household on the day its arrears would be constituted.

    rent, charges, benefit: EUR a month. Source: CCH, art. R. 824-1 and R. 824-2; from 2027 décret 2026-84.
    """
    if rule("AID_ARR_REGIME", on=on).value == "2027":
        return Threshold(
            euros(rule("AID_ARR_AMOUNT", on=on).value),
            beyond=True,
            months=int(rule("AID_ARR_AFTER", on=on).value),
        )
    basis = rule("AID_ARR_BASIS", on=on, payee="landlord" if paid_to_landlord else "tenant").value
    monthly = rent + charges - (benefit if basis == "net" else euros(0))
    return Threshold(max(monthly, euros(0)) * int(rule("AID_ARR_MULTIPLE", on=on).value))


class BenefitReport(models.Model):
    """That the payer of the benefit was told of unpaid rent (*signalement*), and its receipt.

    constituted_on: the day the threshold was reached; amount, threshold: EUR on the day it was told.
    """

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="+")
    payer = models.CharField(_("payer"), max_length=3, choices=Benefit.Payer)
    constituted_on = models.DateField(_("constituted on"))
    deadline = models.DateField(_("to tell by"))
    amount = EuroField(_("debt"))
    threshold = EuroField(_("threshold"))
    reported_on = models.DateField(_("told on"))
    reported_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    receipt = models.CharField(_("receipt"), max_length=40, blank=True)
    receipt_on = models.DateField(_("receipt of"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("report to the CAF"), _("reports to the CAF")
        constraints = [
            models.UniqueConstraint(
                fields=["lease", "constituted_on"],
                name="benefit_report_once",
                violation_error_message=_("These arrears were already told to the payer."),
            ),
            models.CheckConstraint(
                name="benefit_report_receipt_has_a_day",
                condition=Q(receipt="", receipt_on__isnull=True)
                | (~Q(receipt="") & Q(receipt_on__gte=F("reported_on"))),
                violation_error_message=_("Give the receipt with its day, not before the report."),
            ),
        ]

    def __str__(self):
        return f"{self.lease_id} {self.constituted_on}"


class CannotReport(Refusal):
    """A report to the payer of the benefit that cannot be recorded so."""


@dataclass(slots=True)
class Constituted:
    """Arrears that the payer of the benefit must be told of, EUR; report: None until it was told."""

    lease_id: int
    payer: str
    debt: Money
    threshold: Threshold
    since: date
    deadline: date
    report: BenefitReport | None = None

    def state(self, on: date) -> str:
        """ "received", "told", "late", "soon" (within two weeks) or "waiting"."""
        if self.report:
            return "received" if self.report.receipt else "told"
        if self.deadline < on:
            return "late"
        return "soon" if (self.deadline - on).days < SOON else "waiting"


SOON = 14


def constituted(on: date) -> list[Constituted]:
    """Every lease whose arrears are constituted on a day, the first deadline first; six queries.

    Of households that receive a housing benefit then. The day they were constituted is the last on
    which the debt rose to the threshold.
    """
    owing = {
        row[0]: (sum((from_cents(cents) for cents in row[2:6]), euros(0)), tenant_account.as_date(row[6]))
        for row in dialect.rows(checkpoint.aged_sql(on), tenant_account.aged_parameters(on))
    }
    debts = {lease: found for lease, found in owing.items() if found[0] > euros(0)}
    benefits = _benefits(debts, on)
    terms = _terms(benefits)
    above = {}
    for lease, benefit in benefits.items():
        debt, oldest = debts[lease]
        limit = _threshold(lease, benefit, terms, on)
        if limit.reached(debt, oldest=oldest, on=on):
            above[lease] = (debt, limit)
    since = _since(above, benefits, terms, on)
    told = {
        (one.lease_id, one.constituted_on): one for one in BenefitReport.objects.filter(lease__in=list(above))
    }
    found = [
        Constituted(
            lease,
            benefits[lease].payer,
            debt,
            limit,
            since[lease],
            add_months(since[lease], int(rule("AID_ARR_REPORT", on=since[lease]).value)),
            told.get((lease, since[lease])),
        )
        for lease, (debt, limit) in above.items()
    ]
    return sorted(found, key=lambda one: (one.report is not None, one.deadline, one.lease_id))


def report(leases: Iterable[Lease], *, on: date, by, now: datetime) -> list[BenefitReport]:
    """Record that the payer was told of the arrears of some leases (*signaler*), all or none.

    Raises CannotReport where none are constituted, or they were told already.
    """
    found = {one.lease_id: one for one in constituted(on)}
    leases, made = list(leases), []
    for lease in leases:
        place = _("lease %(reference)s") % {"reference": lease.reference}
        one = found.get(lease.pk)
        if one is None:
            raise CannotReport(
                place, _("Its debt does not reach the threshold on that day."), _("Nothing is to be told.")
            )
        if one.report:
            raise CannotReport(
                place, _("These arrears were already told to the payer."), _("Record the receipt instead.")
            )
        made.append(
            BenefitReport(
                lease=lease,
                payer=one.payer,
                constituted_on=one.since,
                deadline=one.deadline,
                amount=one.debt,
                threshold=one.threshold.amount,
                reported_on=on,
                reported_by=by,
            )
        )
    with transaction.atomic():
        BenefitReport.objects.bulk_create(made)
        audit.record(by, "change", "benefit_report", "", leases=[lease.pk for lease in leases])
    return made


def record_receipt(made: BenefitReport, *, receipt: str, on: date, by) -> BenefitReport:
    """Record the payer's receipt of a report (*accusé de réception*). Raises CannotReport."""
    if on < made.reported_on:
        raise CannotReport(
            str(made), _("The receipt comes before the report."), _("Give the day of the receipt.")
        )
    if not receipt.strip():
        raise CannotReport(str(made), _("The receipt has no number."), _("Give its number or its reference."))
    made.receipt, made.receipt_on = receipt.strip(), on
    with transaction.atomic():
        made.save(update_fields=["receipt", "receipt_on"])
        audit.record(by, "change", "benefit_report", made.pk, receipt=True)
    return made


def _benefits(leases: Iterable[int], on: date) -> dict[int, Benefit]:
    running = Benefit.objects.filter(Q(end=None) | Q(end__gt=on), lease__in=list(leases), start__lte=on)
    return {one.lease_id: one for one in running.order_by("start")}


def _terms(leases: Iterable[int]) -> dict[int, list[RentTerm]]:
    found = defaultdict(list)
    for term in RentTerm.objects.filter(lease__in=list(leases), item__in=(RENT, CHARGES)):
        found[term.lease_id].append(term)
    return found


def _threshold(lease: int, benefit: Benefit, terms: dict, on: date) -> Threshold:
    held = {
        term.item: term.amount
        for term in terms.get(lease, ())
        if term.start <= on and (term.end is None or term.end > on)
    }
    return threshold(
        rent=held.get(RENT, euros(0)),
        charges=held.get(CHARGES, euros(0)),
        benefit=benefit.amount,
        paid_to_landlord=benefit.paid_to_landlord,
        on=on,
    )


def _since(above, benefits, terms, on: date) -> dict[int, date]:
    """The last day on which the debt of each of these leases rose to its threshold."""
    moves: dict[int, dict[date, Money]] = {lease: defaultdict(lambda: euros(0)) for lease in above}
    for side, sign in (("debit", 1), ("credit", -1)):
        rows = Posting.objects.filter(
            **{f"{side}__lease__in": list(above), f"{side}__kind": ledger.TENANT}, on__lte=on, due__lte=on
        )
        for lease, booked, due, amount in rows.values_list(f"{side}__lease", "on", "due", "amount"):
            moves[lease][max(booked, due)] += amount * sign
    found = {}
    for lease, by_day in moves.items():
        debt, crossed, first_default = euros(0), None, None
        for day in sorted(by_day):
            debt += by_day[day]
            if debt <= euros(0):
                crossed = first_default = None
                continue
            first_default = first_default or day
            limit = _threshold(lease, benefits[lease], terms, day)
            if not limit.reached(debt, oldest=first_default, on=day):
                crossed = None
            elif crossed is None:
                crossed = day
        limit = above[lease][1]
        if crossed is None:
            # Reached by time alone, or by the text of a new year, and not by a movement.
            crossed = on
            if limit.months is not None and first_default is not None:
                crossed = min(on, add_months(first_default, limit.months))
            crossed = max(crossed, _in_force_since(on))
        found[lease] = crossed
    return found


def _in_force_since(on: date) -> date:
    """First day of the text that says the threshold of a day."""
    return rule("AID_ARR_REGIME", on=on).valid_from


def newly_above(on: date) -> list[Constituted]:
    """Arrears that a change of the law constitutes on its first day (*comptes qui franchissent le seuil*)."""
    before = {one.lease_id for one in constituted(on - ONE_DAY)}
    return [one for one in constituted(on) if one.lease_id not in before]
