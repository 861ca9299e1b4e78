"""Money that came, or came back: posted as the bank statements do."""

from datetime import date
from itertools import count

from core.money import euros
from leases import ledger
from leases.ledger import BANK, BENEFIT, TENANT, Account, Entry, Posting, Source
from leases.models import Allocation, Movement, Statement
from tests.builders import NOW

_lines = count(1)


def pay(build, lease, amount: str, on: date, *, kind: int = TENANT, how: str = "reference", code: str = ""):
    """A payment on the tenant's account (or the benefit's); below zero, a return."""
    bank = Account.objects.filter(kind=BANK).first()
    if bank is None:
        bank = Account.objects.create(book_id=ledger.association_book_id(), kind=BANK, bank=build.bank())
    line = next(_lines)
    statement = Statement.objects.create(
        bank=bank.bank,
        number=str(line),
        start=on,
        end=on,
        opening=0,
        closing=0,
        file_name="",
        file_hash=str(line),
        imported_at=NOW,
        sealed_movements=1,
        sealed_total=euros(amount),
    )
    movement = Movement.objects.create(
        statement=statement,
        bank=bank.bank,
        line=1,
        booked=on,
        amount=euros(amount),
        kind="return" if code else "credit",
        label="",
        return_code=code,
        fingerprint=str(line),
    )
    account = Account.objects.get(lease=lease, kind=kind)
    put = Allocation.objects.create(
        movement=movement, account=account, lease=lease, amount=euros(amount), on=on, how=how
    )
    entry = Entry.objects.create(label="Statement", recorded_at=NOW)
    came = put.amount > euros(0)
    Posting.objects.create(
        entry=entry,
        debit=bank if came else account,
        credit=account if came else bank,
        amount=abs(put.amount),
        on=on,
        due=on,
        source=Source.ALLOCATION,
        source_id=put.pk,
    )
    ledger.seal(entry)
    return put


def benefit_came(build, lease, amount: str, on: date):
    """The CAF's payment for a lease."""
    return pay(build, lease, amount, on, kind=BENEFIT, how="list")


def returned(build, lease, amount: str, on: date, code: str = "AM04"):
    """A direct debit that the payer's bank sent back."""
    return pay(build, lease, f"-{amount}", on, how="return", code=code)
