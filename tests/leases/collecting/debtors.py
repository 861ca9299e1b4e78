"""Leases that pay by direct debit, for tests: an account with its ICS, a mandate, a batch."""

from datetime import UTC, date, datetime

from leases.bank_accounts import BankAccount, collect_by_debit
from leases.collecting.batches import commit_debits, preview_debits
from leases.collecting.mandates import sign_mandate

ICS, OTHER_ICS = "FR72ZZZ123456", "FR45ZZZ123457"
HOLDER = "FR7610096000508452967681057"
SAME_BANK = "FR7610096000501234567890127"
OTHER_BANK = "FR1420041010050500013M02606"
# Tuesday 17 February: the rent of March is called, and announced, 16 days before it is collected.
CALLED = datetime(2026, 2, 17, 8, 0, tzinfo=UTC)
TODAY, THE_5TH, THE_10TH = date(2026, 2, 27), date(2026, 3, 5), date(2026, 3, 10)
NOW = datetime(2026, 2, 27, 9, 0, tzinfo=UTC)


def collecting(build, **kwargs) -> BankAccount:
    """The association's account, which collects on the 5th and the 10th."""
    account = kwargs.pop("account", None) or build.bank()
    return collect_by_debit(
        account, **{"creditor_id": ICS, "creditor": "Association test", "days": (5, 10), "by": None, **kwargs}
    )


def mandated(lease, account, **kwargs):
    """A mandate signed in 2024."""
    said = {"iban": HOLDER, "holder": "Alex Martin", "signed_on": date(2024, 1, 1), **kwargs}
    return sign_mandate(lease, creditor=account, **said, by=None)


def preview(account, on=THE_5TH, today=TODAY, **kwargs):
    return preview_debits(account, on=on, today=today, **kwargs)


def batch(account, on=THE_5TH, today=TODAY, now=NOW, **kwargs):
    return commit_debits(preview(account, on, today, **kwargs), by=None, now=now, today=today)
