"""An owner's year, for its property-income return (*revenus fonciers*)."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from django.db.models import Sum
from django.utils.translation import gettext as _t
from moneyed import Money

from core import dialect
from core.law import rule
from core.money import allocate, euros, from_cents, to_cents
from core.periods import Period
from leases import ledger, operations
from leases.accounts.owner_accounts import heading, of_owners
from leases.accounts.owner_fees import money_parameters, money_sql
from leases.ledger import Posting, Source
from leases.operations import Operation
from portfolio.owners import Owner


@dataclass(frozen=True, slots=True)
class PropertyIncome:
    """An owner's year for its property-income return (*revenus fonciers*), EUR.

    lines: (line of form 2044, words, EUR). collected: rents and charges really received, deposits
    left out; charges: the part of it that paid for recoverable charges, by what was called.
    """

    owner: Owner
    year: int
    lines: tuple[tuple[int, str, Money], ...]
    collected: Money
    charges: Money
    paid: Money

    @property
    def net(self) -> Money:
        receipts = sum((amount for _line, _words, amount in self.lines[:2]), euros(0))
        return receipts - sum((amount for _line, _words, amount in self.lines[2:]), euros(0))


def property_income(owner: Owner, year: int) -> PropertyIncome:
    """What an owner really received and paid in a year, by line of its return; three queries.

    Source: CGI, art. 28 à 31 (PROPERTY_INCOME_LINES).
    """
    first, after = date(year, 1, 1), date(year + 1, 1, 1)
    span = {"month": first, "next": after, "on": Period(first, after).last_day}
    sums: dict[str, int] = defaultdict(int)
    by_kind: dict[int, int] = defaultdict(int)
    rows = dialect.rows(money_sql(of_owners([owner.pk])), money_parameters(first, span["on"]) | span)
    for _owner, whence, kind, operation, _lease, _own, cents in rows:
        if whence == 1:
            sums[heading(kind, operation)] += int(cents)
            by_kind[kind] += int(cents)
    collected = from_cents(sums["collected"]) - _deposits_called(owner, Period(first, after))
    called = _called_by_kind(owner, Period(first, after))
    weights = [called.get(ledger.CHARGES, 0), sum(called.values()) - called.get(ledger.CHARGES, 0)]
    charges = euros(0)
    if collected and min(weights) >= 0 and sum(weights):
        charges = allocate(collected, weights)[0]
    upkeep = from_cents(-by_kind[ledger.UPKEEP])
    words = (
        _t("Rents received"),
        _t("Other receipts, guarantees"),
        _t("Management fees, VAT included"),
        _t("Repairs and works"),
        _t("Recoverable charges not recovered"),
    )
    amounts = (
        collected - charges,
        from_cents(sums["guaranteed"]),
        from_cents(-sums["fees"] - sums["vat"]),
        from_cents(-by_kind[ledger.WORKS]),
        max(euros(0), upkeep - charges),
    )
    numbers = rule("PROPERTY_INCOME_LINES", on=span["on"]).value
    return PropertyIncome(
        owner,
        year,
        tuple(zip(numbers, words, amounts, strict=True)),
        collected,
        charges,
        from_cents(-sums["paid"]),
    )


def _deposits_called(owner: Owner, span: Period) -> Money:
    """Deposits called less given back in some days: no income of the owner's."""
    total = euros(0)
    for kind, sign in ((operations.DEPOSIT_CALLED, 1), (operations.DEPOSIT_GIVEN_BACK, -1)):
        rows = Operation.objects.filter(
            kind=kind,
            debit__book__owner=owner,
            undoes=None,
            undone_by=None,
            on__gte=span.start,
            on__lt=span.end,
        )
        total += (rows.aggregate(total=Sum("amount"))["total"] or euros(0)) * sign
    return total


def _called_by_kind(owner: Owner, span: Period) -> dict[int, int]:
    """Account kind → what was called of it in some days, in whole cents."""
    income = [code for code, kind in ledger.ACCOUNT_KINDS.items() if kind.number.startswith("706")]
    called: dict[int, int] = defaultdict(int)
    for side, sign in (("credit", 1), ("debit", -1)):
        rows = Posting.objects.filter(
            **{f"{side}__book__owner": owner, f"{side}__kind__in": income},
            source=Source.CALL,
            on__gte=span.start,
            on__lt=span.end,
        )
        for kind, total in rows.values_list(f"{side}__kind").annotate(total=Sum("amount")).order_by():
            called[kind] += sign * to_cents(total)
    return called
