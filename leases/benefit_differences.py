"""Housing benefit expected and paid, household by household (*rapprochement des aides au logement*).

Expected: what the month's rent calls deducted. Paid: what the payers' lists, or somebody by hand, put
to the benefit accounts for that month, whenever the money came (for no month: in the month it came). Each difference has a plain reason.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import dialect
from core.law import rule
from core.money import euros, from_cents
from core.periods import add_months, first_of_month
from leases import ledger
from leases.bank import Allocation
from leases.benefits import Benefit
from leases.remittances import ODD, odd_line
from leases.rent import RentRun
from leases.terms import BENEFIT

QUERIES = Path(__file__).resolve().parent / "queries"

REASONS = {
    "nothing": _("Nothing was paid"),
    "less": _("Less than expected"),
    "claimed_back": _("An overpayment is claimed back"),
    "more": _("More than expected"),
    "recall": _("A back-payment of another month"),
    "not_called": _("Paid, and no benefit was deducted"),
    "unknown": _("Unknown beneficiary"),
    "awaited": _("Not due yet"),
    "same": _("As expected"),
}
"""Why what was paid is not what was expected; the last two are no differences."""

TO_DO = {
    "nothing": _("Ask the payer; if the right is suspended, record the stop."),
    "less": _("Record the new amount from that month."),
    "claimed_back": _("The household owes what was kept back: record the amount that stays."),
    "more": _("Record the new amount from that month."),
    "recall": _("Record the amount from the month that it pays back."),
    "not_called": _("Record the right from that month: the next run gives the credit."),
    "unknown": _("Say whose it is; it waits in suspense."),
}
"""What settles each."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A lease's benefit for one month, EUR: expected, and paid for it.

    later: the part paid after the month in which it was due. recall, recovery: what the payer's list
    says of back-payments and of what it kept back. lease_id is None for an unknown beneficiary's money,
    whose number is the one that the list gives and line its line in suspense.
    """

    month: date
    lease_id: int | None
    payer: str
    kind: str
    number: str
    expected: Money
    paid: Money
    later: Money
    recall: Money
    recovery: Money
    line: int | None = None

    @property
    def difference(self) -> Money:
        """Paid less expected, EUR; below zero, money is missing."""
        return self.paid - self.expected

    def reason(self, on: date) -> str:
        """A key of REASONS, as seen on a day."""
        nothing = euros(0)
        if self.lease_id is None:
            return "unknown"
        if self.difference == nothing:
            return "same"
        if self.difference < nothing:
            if self.recovery > nothing or self.paid < nothing:
                return "claimed_back"
            if self.paid == nothing:
                return "nothing" if on > paid_by(self.kind, self.month) else "awaited"
            return "less"
        if self.recall > nothing or self.later > nothing:
            return "recall"
        return "more" if self.expected > nothing else "not_called"


def paid_by(kind: str, month: date) -> date:
    """The day by which the payer pays the benefit of a month (BENEFIT_PAID_MONTH, BENEFIT_PAID_DAY)."""
    known = kind or Benefit.Kind.APL.value
    paid_in = add_months(month, int(rule("BENEFIT_PAID_MONTH", on=month, benefit=known).value))
    return paid_in + timedelta(days=int(rule("BENEFIT_PAID_DAY", on=month, benefit=known).value) - 1)


def compare(month: date) -> list[Compared]:
    """Every lease that was to have a benefit for a month, or had one, then money of nobody known.

    Two queries for the stock.
    """
    month = first_of_month(month)
    late = {
        f"late_{kind}": add_months(first_of_month(paid_by(kind, month)), 1) for kind in Benefit.Kind.values
    }
    found = [
        Compared(month, lease, payer or "", kind or "", number or "", *map(from_cents, amounts))
        for lease, payer, kind, number, *amounts in dialect.rows(
            dialect.load(QUERIES / "benefit_differences.sql"),
            {
                "month": month,
                "next": add_months(month, 1),
                "since": add_months(month, -1),
                "benefit": BENEFIT,
                "benefit_account": ledger.BENEFIT,
                **late,
            },
        )
    ]
    return found + _unknown(month)


def differences(
    month: date, *, on: date, reason: str = "", rows: list[Compared] | None = None
) -> list[Compared]:
    """What differs on a day, the largest amounts first; of one reason if given.

    rows: what compare() gave, if it was asked already.
    """
    found = [one for one in (compare(month) if rows is None else rows) if one.reason(on) in TO_DO]
    if reason:
        found = [one for one in found if one.reason(on) == reason]
    return sorted(found, key=lambda one: (-abs(one.difference.amount), one.lease_id or 0, one.line or 0))


def month_to_compare(today: date) -> date:
    """The last month called whose benefit is due: this month's, or the one before."""
    called = RentRun.objects.filter(month__lte=today).order_by("-month").values_list("month", flat=True)
    due = [month for month in called[:3] if paid_by("apl", month) < today]
    return due[0] if due else add_months(first_of_month(today), -1)


def _unknown(month: date) -> list[Compared]:
    nothing = euros(0)
    lines = Allocation.objects.in_suspense().filter(month=month, how="suspense").order_by("pk")
    found = []
    for line in lines:
        if line.note.split("|")[0] not in ODD:
            continue
        said = odd_line(line.note)
        number = said[1]["beneficiary"] if said else ""
        found.append(
            Compared(month, None, "", "", number, nothing, line.left, nothing, nothing, nothing, line.pk)
        )
    return found
