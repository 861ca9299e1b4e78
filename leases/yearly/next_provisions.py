"""Next year's provisions for charges (*provisions pour charges*), justified by the last result.

Loi 89-462, art. 23: a provision rests on the results of the settlement before. A lease's proposal is a
twelfth of what a whole year would have cost it, rounded up as the association chose.
"""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect
from core.money import euros, from_cents, to_cents
from core.periods import Period
from leases import rent
from leases.terms import CHARGES
from leases.yearly.charges import ChargeRun, SettlementRefused
from leases.yearly.expenses import policy
from leases.yearly.settling import QUERIES

KEPT = {
    "ended": _("The lease has ended by then."),
    "no_term": _("The lease asks no provision."),
    "too_short": _("Occupied too few days to say what a year costs."),
    "later": _("A later amount is recorded already."),
}
"""Why a lease keeps what it pays."""
LEAST_DAYS = 90
"""Below so many days, a result says too little of a year: a choice of the house."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a lease pays a month and would pay, EUR; kept: why it keeps what it pays (a key of KEPT)."""

    lease_id: int
    days: int
    share: Money
    now: Money | None
    proposed: Money
    kept: str = ""

    @property
    def changes(self) -> bool:
        return not self.kept and self.now != self.proposed


def preview_provisions(run: ChargeRun, *, since: date) -> list[Proposal]:
    """What each lease of a settlement would pay a month from a day on; writes nothing.

    Raises SettlementRefused for a day that starts no month, or comes before the year is over.
    """
    params = _parameters(run, since)
    return [
        Proposal(
            lease,
            days,
            from_cents(share),
            None if now is None else from_cents(now),
            from_cents(proposed),
            reason,
        )
        for lease, days, share, now, proposed, reason in dialect.rows(
            f"WITH {_text()} SELECT lease_id, days, share, now, proposed, reason FROM compared"
            " ORDER BY lease_id",
            params,
        )
    ]


def apply_provisions(run: ChargeRun, *, since: date, by, now: datetime) -> int:
    """Write the new provisions as rent terms from a day on; how many leases changed.

    Months already called since are left to the next run. Done again, it changes nothing.
    Raises SettlementRefused as preview_provisions.
    """
    params = _parameters(run, since)
    with transaction.atomic(), connection.cursor() as cursor:
        ChargeRun.objects.select_for_update().get(pk=run.pk)
        cursor.execute("DROP TABLE IF EXISTS charge_proposal")
        dialect.execute(
            cursor,
            f"CREATE TEMPORARY TABLE charge_proposal AS WITH {_text()} SELECT * FROM compared"
            " WHERE reason = '' AND now <> proposed",
            params,
        )
        cursor.execute("SELECT lease_id FROM charge_proposal ORDER BY lease_id")
        changed = [lease for (lease,) in cursor.fetchall()]
        for text in dialect.load(QUERIES / "provisions_apply.sql").split("--%") if changed else ():
            dialect.execute(cursor, text, params)
        cursor.execute("DROP TABLE charge_proposal")
        rent.learn_late(changed, since=since, reason="term changed", now=now)
        audit.record(by, "change", "lease_money", charges=run.pk, leases=len(changed))
    return len(changed)


def _text() -> str:
    return dialect.load(QUERIES / "provisions_proposed.sql")


def _parameters(run: ChargeRun, since: date) -> dict:
    if since.day != 1 or since < run.end:
        raise SettlementRefused(
            f"{since}",
            _("New provisions start on the first of a month, after the year settled."),
            _("Give a first of the month from %(day)s.") % {"day": run.end},
        )
    if run.closed_at is None or run.undoes_id or ChargeRun.objects.filter(undoes=run).exists():
        raise SettlementRefused(
            str(run), _("This settlement is open or undone."), _("Choose one that is closed.")
        )
    return {
        "run": run.pk,
        "since": since,
        "charges": CHARGES,
        "year_days": Period(run.start, run.end).days,
        "least_days": LEAST_DAYS,
        "step": max(1, to_cents(policy().round_to or euros(0))),
    }
