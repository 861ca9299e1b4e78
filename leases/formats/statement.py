"""A bank statement as records (*relevé de compte*), whatever file it came in.

Amounts are integer cents of a euro, signed: a credit to the account is positive.
Nothing here knows the database; `camt` and `cfonb` read and write the bytes.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

from core.errors import Refusal

Kind = Literal["credit_transfer", "direct_debit", "return", "cheque", "card", "cash", "fee", "other"]

# Fourteen digits are all that a CFONB amount can hold; a larger camt amount is a broken file.
LARGEST_CENTS = 10**14 - 1
FIRST_YEAR, LAST_YEAR = 2000, 2099
# A bank may book late, under an earlier day, but not by months.
LATE_BOOKING_DAYS = 31

LONGEST_LABEL = 500
LONGEST_NAME = 140
LONGEST_REFERENCE = 1000
LONGEST_IDENTIFIER = 35


def _(text: str) -> str:
    """Mark a sentence for the French catalogue; the page that shows it translates it."""
    return text


class BadFile(Refusal, ValueError):
    """A file refused whole (*fichier refusé*): line, reason, remedy.

    line: 1-based line of the file, None when the fault is not on one line.
    reason_id, remedy_id, values: the sentences before their values are filled in, so that a page
        can say `gettext(fault.reason_id) % fault.values`.
    """

    def __init__(self, reason: str, remedy: str, line: int | None = None, **values: object):
        self.line, self.reason_id, self.remedy_id, self.values = line, reason, remedy, values
        place = f"line {line}" if line else "file"
        super().__init__(place, reason % values, remedy % values)  # type: ignore[no-untyped-call]

    def __reduce__(self) -> tuple:
        return _bad_file, (self.reason_id, self.remedy_id, self.line, self.values)


def _bad_file(reason: str, remedy: str, line: int | None, values: dict[str, object]) -> BadFile:
    return BadFile(reason, remedy, line, **values)


ASK_AGAIN = _("Download the statement again from the bank, without opening it in between.")
ASK_BANK = _("Ask the bank for a correct file.")


@dataclass(frozen=True, slots=True)
class Movement:
    """One amount that moved on the account (*mouvement*).

    line: 1-based line of the file where it starts.
    booked: accounting day (*date d'opération*); valued: value day, None when not given.
    amount_cents: signed, a credit is positive; 0 only when the bank says so.
    label: the bank's own wording, at most 500 characters.
    end_to_end: the payer's or our own reference (*référence de bout en bout*), at most 35.
    mandate: direct-debit mandate (*RUM*), at most 35.
    reference: remittance text, structured or not (*motif du paiement*), at most 1,000.
    counterparty_name, counterparty_iban: the other party; for a return, the party of the payment
        that came back. At most 140 and 34; the IBAN as the file gives it, unchecked.
    return_code: reason of a return, ISO (AM04) or the bank's two characters; "" if none.
    bank_reference: the bank's own reference, at most 35; shared by the details of one batch.
    batch_count: number of transactions of a batch given without its details, else 0.
    """

    line: int
    booked: date
    valued: date | None
    amount_cents: int
    label: str = ""
    end_to_end: str = ""
    mandate: str = ""
    reference: str = ""
    counterparty_name: str = ""
    counterparty_iban: str = ""
    return_code: str = ""
    bank_reference: str = ""
    batch_count: int = 0
    kind: Kind = "other"


@dataclass(frozen=True, slots=True)
class Statement:
    """One account over some days, between two balances (*relevé*).

    iban: the account's, checked. currency: always EUR.
    number: the bank's identification of the statement; "" in CFONB, which has none.
    start, end: first and last day covered, both included.
    opening_cents, closing_cents: signed; opening + movements = closing, checked.
    """

    iban: str
    currency: str
    number: str
    start: date
    end: date
    opening_cents: int
    closing_cents: int
    movements: tuple[Movement, ...]


def detect_and_read(data: bytes) -> list[Statement]:
    """Statements of a camt.053 or CFONB 120 file, which of the two being seen from its content.

    Raises BadFile, and nothing else, for any other bytes.
    """
    # Both readers build on the records above.
    from leases.formats import camt, cfonb

    content = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not content:
        raise BadFile(_("The file is empty."), ASK_AGAIN)
    if content.startswith(b"<"):
        return camt.read_statements(data)
    if content.startswith((b"01", b"04", b"05", b"07")):
        return cfonb.read_statements(data)
    raise BadFile(
        _("This is neither a camt.053 nor a CFONB 120 statement."),
        _("Ask the bank for statements in camt.053 (XML) or CFONB 120, not PDF, Excel or CSV."),
    )


def checked(statement: Statement, *, line: int) -> Statement:
    """The statement, once its balances and its days hold together.

    line: where the statement is in its file. Raises BadFile.
    """
    if statement.start > statement.end:
        raise BadFile(
            _("The statement ends on %(end)s, before it starts on %(start)s."),
            ASK_BANK,
            line,
            start=statement.start,
            end=statement.end,
        )
    moved = 0
    for movement in statement.movements:
        moved += movement.amount_cents
        late = (statement.start - movement.booked).days
        if movement.booked > statement.end or late > LATE_BOOKING_DAYS:
            raise BadFile(
                _("A movement is booked on %(booked)s, outside %(start)s to %(end)s."),
                ASK_BANK,
                movement.line,
                booked=movement.booked,
                start=statement.start,
                end=statement.end,
            )
    if statement.opening_cents + moved != statement.closing_cents:
        raise BadFile(
            _(
                "Opening balance %(opening)s and movements %(moved)s"
                " do not make the closing balance %(closing)s."
            ),
            _("Movements are missing or altered: download the statement again from the bank."),
            line,
            opening=plain_euros(statement.opening_cents),
            moved=plain_euros(moved),
            closing=plain_euros(statement.closing_cents),
        )
    return statement


def plain_euros(cents: int) -> str:
    """Cents as a plain decimal number of euros: -107 → "-1.07"."""
    whole, part = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{part:02d}"


def one_line(text: str | None, longest: int) -> str:
    """Text on one line, single spaces, cut at `longest` characters."""
    return " ".join(text.split())[:longest].rstrip() if text else ""


def is_iban(text: str) -> bool:
    """Whether the text has the shape and the check digits of an IBAN (ISO 13616)."""
    return re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", text) is not None and (
        iban_number(text[4:] + text[:4]) % 97 == 1
    )


def iban_number(text: str) -> int:
    """Digits and letters as one number, A = 10 … Z = 35 (ISO 7064)."""
    return int("".join(str(int(character, 36)) for character in text))
