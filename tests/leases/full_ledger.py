"""A small ledger with a line of every source, for the tests that try to break it."""

from dataclasses import dataclass
from datetime import date

from core.money import euros
from core.tables import write_table
from leases import bank, opening, suspense
from leases.models import Allocation, Lease, OpeningBalance, RentCall, RentRun, Statement
from portfolio.models import Owner
from tests.builders import NOW
from tests.leases.statements import camt_file, cfonb_file, received

FEBRUARY, MARCH, APRIL = date(2026, 2, 1), date(2026, 3, 1), date(2026, 4, 1)


@dataclass(frozen=True, slots=True)
class FullLedger:
    """Two leases and what happened to them in February and March 2026.

    own: of the association's home, 465 rent + 70 charges - 200 benefit; it owed 300 at take-over.
    mandated: of a mandant's home, 600 rent; the money is the mandant's.
    suspense: 80.00 that nobody knew, of which 50.00 were settled to `own`.
    """

    own: Lease
    mandated: Lease
    mandant: Owner
    runs: list[RentRun]
    calls: list[RentCall]
    balance: OpeningBalance
    statements: list[Statement]
    suspense: Allocation
    settled: Allocation


def full_ledger(build) -> FullLedger:
    """Take-over, two runs, two statements of one account, a settlement."""
    mandant = build.owner("private")
    own = build.lease(rent="465.00", charges="70.00", benefit="200.00")
    mandated = build.lease(rent="600.00", unit=build.unit(owner=mandant, title="mandate"))
    build.bank()
    owed = {"lease_reference": own.reference, "amount": euros("300.00")}
    file = write_table(opening.BALANCE_COLUMNS, [owed], format="csv")
    opening.import_balances(file, on=FEBRUARY, by=None, now=NOW)
    runs = build.called(FEBRUARY, MARCH)
    for data in (
        camt_file(
            received("335.00", date(2026, 2, 6), reference=own.payment_reference),
            received("600.00", date(2026, 2, 6), reference=mandated.payment_reference),
            received("80.00", date(2026, 2, 9), label="VIR INCONNU"),
            start=FEBRUARY,
            end=date(2026, 2, 28),
        ),
        cfonb_file(received("335.00", reference=own.payment_reference), opening="1015.00"),
    ):
        bank.import_statement(data, "releve", by=None, now=NOW)
    unknown = Allocation.objects.in_suspense().get()
    [settled] = suspense.settle(unknown, [(own, euros("50.00"), None)], by=None, on=MARCH, now=NOW)
    return FullLedger(
        own=own,
        mandated=mandated,
        mandant=mandant,
        runs=runs,
        calls=list(RentCall.objects.order_by("pk")),
        balance=OpeningBalance.objects.get(),
        statements=list(Statement.objects.order_by("pk")),
        suspense=unknown,
        settled=settled,
    )
