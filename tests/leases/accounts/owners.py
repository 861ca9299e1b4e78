"""Owners of the tests: a home under mandate, rents really received by a bank statement."""

from datetime import UTC, date, datetime

from core.money import euros
from leases import bank, ledger
from leases.accounts.owner_accounts import run_owner_month
from leases.ledger import Posting
from portfolio.models import Holding
from tests.leases.statements import camt_file, received

MARCH, APRIL, MAY = date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)
NOW = datetime(2026, 4, 2, 9, tzinfo=UTC)
OWNER_IBAN = "FR7610096000508452967681057"


def mandated(build, owner=None, *, fee_rate="7.00", **kwargs):
    """A lease of a home managed for its owner, 7 % of what is received."""
    owner = owner or build.owner("private", iban=OWNER_IBAN)
    lease = build.lease(unit=build.unit(owner=owner, title="mandate"), **kwargs)
    Holding.objects.filter(owner=owner).update(fee_rate=fee_rate, reference=f"MG-{owner.pk}")
    return owner, lease


def head_leased(build, *, rent="310.00", **kwargs):
    """A home held by head lease, and what it costs a month, let or not."""
    owner = build.owner("private", iban=OWNER_IBAN)
    unit = build.unit(owner=owner, title="head_lease", **kwargs)
    holding = unit.holdings.get()
    holding.rent_due = euros(rent)
    holding.save()
    return owner, holding


def statement(*payments, start=MARCH, end=date(2026, 3, 31), opening="0.00", **kwargs):
    """Import a statement of payments: (lease or None, amount, day, more of the movement)."""
    movements = []
    for lease, amount, day, *more in payments:
        said = {"reference": lease.payment_reference} if lease else {}
        movements.append(received(amount, day, **said, **(more[0] if more else {})))
    data = camt_file(*movements, start=start, end=end, opening=opening, **kwargs)
    return bank.import_statement(data, "releve.xml", by=None, now=NOW)


def month_made(month=MARCH, now=NOW):
    return run_owner_month(month, by=None, now=now)


def held_in_ledger(owner, on) -> object:
    """FUNDS less ADVANCE plus its own bank, straight from the postings."""
    total = euros(0)
    for kind in (ledger.FUNDS, ledger.ADVANCE, ledger.BANK, ledger.SUSPENSE):
        for side, sign in (("debit", 1), ("credit", -1)):
            for posting in Posting.objects.filter(
                **{f"{side}__book__owner": owner, f"{side}__kind": kind}, on__lte=on
            ):
                total += posting.amount * sign
    return total
