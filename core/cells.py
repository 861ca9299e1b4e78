"""One cell of a spreadsheet: what is written in it ↔ a typed value, each fault with its remedy."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext as _

KINDS = ("text", "int", "decimal", "euros", "date", "month", "bool", "choice")
LARGEST = 2**53  # what a spreadsheet itself keeps exactly

MONTHS = (
    ("janvier", "janv", "january"),
    ("fevrier", "fevr", "february"),
    ("mars", "march"),
    ("avril", "avr", "april"),
    ("mai", "may"),
    ("juin", "june"),
    ("juillet", "juil", "july"),
    ("aout", "august"),
    ("septembre", "sept", "september"),
    ("octobre", "oct", "october"),
    ("novembre", "nov", "november"),
    ("decembre", "dec", "december"),
)
TRUE = {"oui", "o", "vrai", "x", "1", "yes", "y", "true"}
FALSE = {"non", "n", "faux", "0", "no", "false"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file (*colonne*).

    name: heading as documented, in French. key: what rows call it; the name by default.
    choices: words accepted, or words mapped to values. help: one sentence for the template.
    """

    name: str
    kind: str = "text"
    required: bool = False
    choices: Sequence[str] | Mapping[str, object] = ()
    help: str = ""
    key: str = ""

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no kind of column.")
        if not self.key:
            object.__setattr__(self, "key", self.name)


class Fault(Exception):
    """Why a cell cannot be read, and what to write instead."""

    def __init__(self, reason: str, remedy: str):
        self.reason, self.remedy = reason, remedy
        super().__init__(reason)


def fold(text: str) -> str:
    """A text reduced to its letters and digits: no case, accents, spaces nor signs."""
    plain = unicodedata.normalize("NFKD", str(text)).casefold()
    return "".join(char for char in plain if char.isalnum())


def quoted(cell) -> str:
    text = re.sub(r"[\x00-\x1f]", " ", str(cell).strip())
    return text[:40] + "…" if len(text) > 40 else text


def is_blank(cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip(" \t\r\n\xa0\u202f"))


def _text(cell, column) -> str:
    if isinstance(cell, bool):
        return _("Yes") if cell else _("No")
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < LARGEST:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.strftime("%d/%m/%Y")
    text = str(cell).strip(" \t\r\n\xa0\u202f")
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", text):
        raise Fault(_("The text holds signs that cannot be read."), _("Type it again."))
    if re.match(r"'\s*[=+\-@]", text):
        return text[1:].strip()  # the quote that write_table adds
    return text


def _decimal(cell, column) -> Decimal:
    fault = Fault(
        _("“%(value)s” is not a number.") % {"value": quoted(cell)},
        _("Write a number such as 1234,56."),
    )
    if isinstance(cell, (bool, date)):
        raise fault
    if isinstance(cell, (int, float)):
        text = repr(cell)
    else:
        text = re.sub(r"[\s\xa0\u202f'’]", "", str(cell)).replace("\u2212", "-")
        if re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d+", text) or re.fullmatch(
            r"[+-]?\d{1,3}(\.\d{3}){2,}", text
        ):
            text = text.replace(".", "")
        elif re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+\.\d+", text) or re.fullmatch(
            r"[+-]?\d{1,3}(,\d{3}){2,}", text
        ):
            text = text.replace(",", "")
        text = text.replace(",", ".")
        if not re.fullmatch(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?", text):
            raise fault
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise fault from None
    if not number.is_finite() or abs(number) > LARGEST:
        raise fault
    return number


def _int(cell, column) -> int:
    number = _decimal(cell, column)
    if number != number.to_integral_value():
        raise Fault(
            _("“%(value)s” is not a whole number.") % {"value": quoted(cell)},
            _("Write a number without decimals."),
        )
    return int(number)


def _euros(cell, column) -> int:
    """Cents. A cell computed by Excel may be off by a hair; anything else past the cent is a fault."""
    if isinstance(cell, str):
        cell = re.sub(r"€|eur(os?)?\b", "", cell, flags=re.IGNORECASE)
    cents = _decimal(cell, column) * 100
    whole = cents.to_integral_value()
    hair = Decimal("0.0001") if isinstance(cell, float) else 0
    if abs(cents - whole) > hair or abs(whole) > LARGEST:
        raise Fault(
            _("“%(value)s” is not an amount to the cent.") % {"value": quoted(cell)},
            _("Write euros with two decimals at most, such as 465,00."),
        )
    return int(whole)


def _date(cell, column) -> date:
    found = None
    if isinstance(cell, datetime):
        found = cell.date()
    elif isinstance(cell, date):
        found = cell
    elif isinstance(cell, str):
        text = cell.strip()
        if m := re.fullmatch(r"([0-9]{1,2})[/.\-]([0-9]{1,2})[/.\-]([0-9]{4})( [0-9:.]{4,15})?", text):
            found = _day(m[3], m[2], m[1])
        elif m := re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})([T ][0-9:.]{5,15})?", text):
            found = _day(m[1], m[2], m[3])
    if found is None or not 1900 <= found.year <= 2200:
        raise Fault(
            _("“%(value)s” is not a date.") % {"value": quoted(cell)},
            _("Write day/month/year with four figures for the year, such as 05/03/2026."),
        )
    return found


def _day(year, month, day) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _month(cell, column) -> date:
    if isinstance(cell, str):
        text = cell.strip()
        found = None
        if m := re.fullmatch(r"([0-9]{1,2})[/.\-]([0-9]{4})", text):
            found = _day(m[2], m[1], 1)
        elif m := re.fullmatch(r"([0-9]{4})[/.\-]([0-9]{1,2})", text):
            found = _day(m[1], m[2], 1)
        elif m := re.fullmatch(r"([^\W\d]+)\.?\s+([0-9]{4})", text):
            number = next((i for i, names in enumerate(MONTHS, 1) if fold(m[1]) in names), 0)
            found = _day(m[2], number, 1)
        if found and 1900 <= found.year <= 2200:
            return found
    try:
        return _date(cell, column).replace(day=1)
    except Fault:
        raise Fault(
            _("“%(value)s” is not a month.") % {"value": quoted(cell)},
            _("Write month/year, such as 03/2026."),
        ) from None


def _bool(cell, column) -> bool:
    if isinstance(cell, bool):
        return cell
    word = fold(_text(cell, column))
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise Fault(_("“%(value)s” is neither yes nor no.") % {"value": quoted(cell)}, _("Write oui or non."))


def _choice(cell, column):
    word = fold(_text(cell, column))
    for choice in column.choices:
        if fold(choice) == word:
            return column.choices[choice] if isinstance(column.choices, Mapping) else choice
    raise Fault(
        _("“%(value)s” is not one of the choices.") % {"value": quoted(cell)},
        _("Write one of: %(choices)s.") % {"choices": ", ".join(column.choices)},
    )


_READERS = {
    "text": _text,
    "int": _int,
    "decimal": _decimal,
    "euros": _euros,
    "date": _date,
    "month": _month,
    "bool": _bool,
    "choice": _choice,
}


def read_cell(cell, column: Column):
    """The typed value of a cell, None when blank. Raises Fault."""
    value = None if is_blank(cell) else _READERS[column.kind](cell, column)
    if value is None and column.required:
        raise Fault(_("A value is needed here."), _("Fill in the cell."))
    return value


def safe_text(value) -> str:
    """Text that a spreadsheet will not run as a formula, nor choke on."""
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "", str(value))[:32_000]
    return f"'{text}" if text.lstrip("\t\r\n ")[:1] in ("=", "+", "-", "@") and text[:1] else text


def written_as(column: Column) -> str:
    """How a value of the column is written, for people."""
    if column.kind == "choice":
        return _("One of: %(choices)s.") % {"choices": ", ".join(column.choices)}
    return {
        "text": _("Text."),
        "int": _("A whole number."),
        "decimal": _("A number such as 1234,56."),
        "euros": _("Euros, such as 465,00."),
        "date": _("A date such as 05/03/2026."),
        "month": _("A month such as 03/2026."),
        "bool": _("oui or non."),
    }[column.kind]
