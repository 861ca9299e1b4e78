"""What a bank movement is put to, and why (*rapprochement*): the rules, in their order.

The first rule that finds one lease wins. Amount and name alone never decide: they only suggest
(leases.suspense). The rules are applied to a whole statement by queries/match.sql.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from django.db import connection
from django.utils.translation import gettext_lazy as _

from core import dialect
from core.periods import first_of_month
from leases import ledger
from leases.lease import is_payment_reference
from portfolio.owners import OWNERS_BOOK_TITLES

QUERIES = Path(__file__).resolve().parent / "queries"

# L and nine digits, as people and banks space them; not inside another word or number.
_REFERENCE = re.compile(r"(?<![0-9A-Z])L(?:[ .\-]?[0-9]){9}(?![0-9A-Z])", re.IGNORECASE)
_SPACING = re.compile(r"[ .\-]")


@dataclass(frozen=True, slots=True)
class How:
    """A way in which a movement is put to an account.

    automatic: decided by the program. why: the sentence shown beside the movement.
    """

    code: str
    label: str
    why: str
    automatic: bool = True


HOW = {
    how.code: how
    for how in (
        How("end_to_end", _("Our debit's reference"), _("It carries the reference of our direct debit.")),
        How("mandate", _("Debit mandate"), _("It carries the lease's direct-debit mandate.")),
        How("reference", _("Payment reference"), _("The lease's payment reference was read in its label.")),
        How(
            "iban",
            _("Known account and amount"),
            _("The payer's account is known for this lease only, and the amount is what it owes."),
        ),
        How("list", _("Payment list"), _("A line of the payment list says so.")),
        How("return", _("Returned payment"), _("It takes back a payment of this lease.")),
        How("fee", _("Bank charges"), _("The bank took its charges.")),
        How("payout", _("Payment to an owner"), _("It carries the reference of our payment to an owner.")),
        How("suspense", _("To identify"), _("No rule says whose it is."), automatic=False),
        How("manual", _("By hand"), _("Somebody said so."), automatic=False),
    )
}
HOW_CHOICES = {how.code: how.label for how in HOW.values()}


def found_reference(*texts: str) -> str:
    """The payment reference written in a movement, "" when there is none or more than one.

    Spaces, dots and dashes inside are left out; check digits must be right.
    """
    found = {
        _SPACING.sub("", match).upper()
        for text in texts
        if "L" in text or "l" in text
        for match in _REFERENCE.findall(text)
    }
    right = {reference for reference in found if is_payment_reference(reference)}
    return right.pop() if len(right) == 1 else ""


def match(cursor, *, statement_id: int, days: set[date], suspense: int, expense: int) -> None:
    """Put every movement of a statement to an account; four statements whatever their number.

    days: the days on which its movements are booked. suspense, expense: accounts of the bank's book.
    """
    params = {"statement": statement_id, "suspense": suspense, "expense": expense, "tenant": ledger.TENANT}
    open_tenant_accounts()
    months, bounds = _months(days)
    for text in dialect.load(QUERIES / "match.sql").split("--%"):
        dialect.execute(cursor, text.format(months=months), params | bounds)
    # What we ourselves paid to owners leaves suspense at once.
    dialect.execute(cursor, dialect.load(QUERIES / "owners_match.sql"), params)


def open_tenant_accounts() -> None:
    """A tenant's account for every lease that has none: money may come before the first call."""
    titles = ", ".join(f"'{code}'" for code in OWNERS_BOOK_TITLES)
    text = dialect.load(QUERIES / "tenant_accounts.sql").format(owners_book_titles=titles)
    with connection.cursor() as cursor:
        dialect.execute(cursor, text, {"tenant": ledger.TENANT, "own_book": ledger.association_book_id()})


def _months(days: set[date]) -> tuple[str, dict[str, date]]:
    """Rows (day, first of its month, first of the month before) as SQL, and its parameters."""
    rows, params = [], {}
    for number, day in enumerate(sorted(days)):
        month = first_of_month(day)
        previous = first_of_month(month - timedelta(days=1))
        params |= {f"day{number}": day, f"month{number}": month, f"previous{number}": previous}
        names = "" if number else ("AS day", "AS month", "AS previous")
        cells = [f"DAY(%({name}{number})s)" for name in ("day", "month", "previous")]
        rows.append(
            "SELECT "
            + ", ".join(f"{c} {n}" if names else c for c, n in zip(cells, names or cells, strict=True))
        )
    return " UNION ALL ".join(rows), params
