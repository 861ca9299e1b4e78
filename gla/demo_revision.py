"""The demonstration's rent revision: the index, the clauses of its contracts, and a month claimed late."""

from datetime import date, datetime

from core.periods import add_months, first_of_month
from leases.yearly.indices import import_indices
from leases.yearly.revision import Asked, commit_revision
from leases.yearly.revision_clause import NEEDING, Clause, record_clause, record_model_clause, without_clause

NO_CLAUSE, UNKNOWN = 4, 3
"""Old contracts without a clause, and contracts nobody has looked at, of each kind."""
CLAIMED_LATE = 2
"""Months since the revision date of those claimed today: the index of the months after is still to come."""


def play_revision(*, today: date, by, now: datetime) -> dict:
    """Index taken in, clauses recorded save for a few, the leases of a past month claimed late."""
    import_indices(by=by, now=now)
    clauses = 0
    for kind in NEEDING:
        unread = list(without_clause(kind).order_by("start", "pk")[: NO_CLAUSE + UNKNOWN])
        for lease in unread[:NO_CLAUSE]:
            record_clause(lease, since=lease.start, clause=Clause(revised=False), by=by)
        clauses += record_model_clause(kind, by=by, but=[lease.pk for lease in unread[NO_CLAUSE:]])
    run = commit_revision(Asked(add_months(first_of_month(today), -CLAIMED_LATE), today), by=by, now=now)
    return {"clauses": clauses, "revised": run.revisions.count()}
