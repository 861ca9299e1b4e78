"""The demonstration's direct debits: mandates of who pays so, then the batches of the last months.

By the same functions as the pages. The statements of those months carry the references of these very
debits, so each is collected, or comes back, as it is imported (leases.collecting.returns.learn_from).
"""

from datetime import date, datetime, timedelta

from core.errors import Refusal
from core.periods import first_of_month
from core.tables import write_table
from gla.demo_bank import IBANS
from leases.bank import Movement
from leases.bank_accounts import BankAccount, collect_by_debit
from leases.collecting.batches import commit_debits, preview_debits
from leases.collecting.debits import DebitBatch, mark_sent, next_bank_day
from leases.collecting.mandate_file import MANDATE_COLUMNS, import_mandates
from leases.households import head_name, with_head
from leases.lease import Lease, PayerIban

PLAYED = 2
"""Of how many months, the last ones, the batches are made here; those before were made elsewhere."""
ICS = {"A": "FR72ZZZ123456", "B": "FR72ZZZ123456", "C": "FR45ZZZ123457"}
CREDITORS = {"A": "Association (exemple)", "B": "Association (exemple)", "C": "SAUES (exemple)"}
DAYS = (5, 8)
NOTICE = 4
DAY = timedelta(days=1)


def take_over_debits(month: date, *, by) -> dict[str, int]:
    """Give the accounts their ICS, and record the mandates of who was debited the month before.

    month: the first whose batches are made here. A mandate that came back twice running is not
    taken over: its lease keeps the reference alone, as a page shows.
    """
    for letter, iban in IBANS.items():
        account = BankAccount.objects.get(iban=iban)
        collect_by_debit(account, creditor_id=ICS[letter], creditor=CREDITORS[letter], days=DAYS, by=by)
    debited = Movement.objects.filter(kind="direct_debit", amount__gt=0, booked__lt=month)
    debited = debited.filter(booked__gte=month - 35 * DAY).exclude(debit_mandate="").order_by("booked", "pk")
    last = {
        rum: (booked, bank) for rum, booked, bank in debited.values_list("debit_mandate", "booked", "bank")
    }
    accounts = dict(PayerIban.objects.order_by("since").values_list("lease", "iban"))
    ours = dict(BankAccount.objects.values_list("pk", "iban"))
    rows = []
    for lease in with_head(Lease.objects.exclude(debit_mandate=""), "household", month).order_by("reference"):
        if lease.debit_mandate not in last:
            continue
        booked, bank = last[lease.debit_mandate]
        if lease.pk not in accounts:
            continue
        rows.append(
            {
                "lease_reference": lease.reference,
                "account": ours[bank],
                "rum": lease.debit_mandate,
                "iban": accounts[lease.pk],
                "holder": head_name(lease),
                "signed_on": lease.signed_on,
                "notice_days": NOTICE,
                "last_used_on": booked,
            }
        )
    done = import_mandates(write_table(MANDATE_COLUMNS, rows, format="csv"), on=month, by=by)
    return {"mandates": done.created.total()}


def play_debits(month: date, *, by, now: datetime) -> dict[str, int]:
    """The batches of a month, made and sent on its first day: one for each account and day offered."""
    debits = 0
    for account in BankAccount.objects.exclude(creditor_id="").order_by("pk"):
        for day in DAYS:
            batch = _batch(account, next_bank_day(month.replace(day=day)), by=by, now=now, today=month)
            if batch:
                mark_sent(batch, on=month, by=by)
                debits += batch.count
    return {"debits": debits}


def prepare_next(today: date, *, by, now: datetime) -> dict[str, int]:
    """What came back and may be presented again, in a batch that waits to be sent."""
    day = next_bank_day(today + 3 * DAY)
    account = BankAccount.objects.get(iban=IBANS["A"])
    batch = _batch(account, day, by=by, now=now, today=today)
    return {"debits": batch.count if batch else 0}


def _batch(account: BankAccount, on: date, *, by, now: datetime, today: date) -> DebitBatch | None:
    try:
        found = preview_debits(account, on=on, today=today, since=first_of_month(on))
    except Refusal:
        return None
    return commit_debits(found, by=by, now=now, today=today) if found.lines else None
