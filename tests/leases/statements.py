"""Statement files as a bank makes them, for tests: movements in, bytes out."""

from datetime import date, timedelta
from itertools import count

from leases.formats import camt, cfonb
from leases.formats.statement import Movement, Statement

IBAN = "FR7630004000031234567890143"
PAYER = "FR7610096000508452967681057"
OTHER_PAYER = "FR1420041010050500013M02606"
_lines = count(1)


def cents(amount: str) -> int:
    whole, _point, part = amount.partition(".")
    return int(whole + part.ljust(2, "0"))


def received(amount: str, booked: date = date(2026, 3, 5), **said) -> Movement:
    """A transfer received, unless said otherwise."""
    said = {"label": "VIR SEPA RECU", "kind": "credit_transfer", **said}
    return Movement(line=next(_lines), booked=booked, valued=booked, amount_cents=cents(amount), **said)


def statement(*movements: Movement, opening="0.00", start=date(2026, 3, 1), end=date(2026, 3, 31), iban=IBAN):
    moved = sum(movement.amount_cents for movement in movements)
    return Statement(
        iban=iban,
        currency="EUR",
        number=f"R{start:%Y%m%d}",
        start=start,
        end=end,
        opening_cents=cents(opening),
        closing_cents=cents(opening) + moved,
        movements=movements,
    )


def camt_file(*movements, **days) -> bytes:
    return camt.write_statement(statement(*movements, **days))


def cfonb_file(*movements, **days) -> bytes:
    return cfonb.write_statement(statement(*movements, **days))


def day_after(day: date) -> date:
    return day + timedelta(days=1)
