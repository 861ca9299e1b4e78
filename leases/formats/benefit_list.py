"""List joined to a grouped transfer of housing benefit (*bordereau de tiers payant CAF ou MSA*).

No public layout exists, so this one is ours. A CSV file with `;`, in UTF-8 (with or without a byte
order mark) or Windows-1252, a line of headings in any order, one line per beneficiary and month:

| heading             | content                                                             |
|---------------------|---------------------------------------------------------------------|
| organisme           | payer, the same on every line                                       |
| numero_allocataire  | beneficiary's number at the payer                                   |
| nom                 | beneficiary's name                                                  |
| reference_bail      | our reference of the lease, may be empty                            |
| mois_droit          | month of the benefit, YYYY-MM                                       |
| montant             | benefit of the month, in euros: 1 234,56 or 1234.56                 |
| rappel              | back-payment, positive or empty                                     |
| retenue             | recovery of an overpayment (*indu*), positive or empty              |
| reference_virement  | reference of the transfer, the same on every line                   |
| date_paiement       | day of payment, YYYY-MM-DD or DD/MM/YYYY, the same on every line    |

Other columns are left aside.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from leases.formats.statement import (
    FIRST_YEAR,
    LAST_YEAR,
    LONGEST_IDENTIFIER,
    LONGEST_NAME,
    BadFile,
    _,
    plain_euros,
)

COLUMNS = (
    "organisme",
    "numero_allocataire",
    "nom",
    "reference_bail",
    "mois_droit",
    "montant",
    "rappel",
    "retenue",
    "reference_virement",
    "date_paiement",
)
ASK_PAYER = _("Correct the line, or ask the payer for the list again.")
SPACES = "[ \u00a0\u202f]"
AMOUNT = re.compile(rf"([0-9]{{1,3}}(?:{SPACES}[0-9]{{3}}){{1,3}}|[0-9]{{1,10}})(?:[.,]([0-9]{{1,2}}))?")


@dataclass(frozen=True, slots=True)
class BenefitLine:
    """One month of benefit of one household (*ligne du bordereau*).

    line: 1-based line of the file. month: its first day.
    amount_cents: benefit of the month. recall_cents: back-payment (*rappel*), at least 0.
    recovery_cents: kept back for an overpayment (*retenue*), at least 0.
    beneficiary, lease_reference: at most 35 characters; name: at most 140.
    """

    line: int
    beneficiary: str
    name: str
    lease_reference: str
    month: date
    amount_cents: int
    recall_cents: int = 0
    recovery_cents: int = 0

    @property
    def net_cents(self) -> int:
        """What the transfer holds for this line; below 0 when more is kept back than is due."""
        return self.amount_cents + self.recall_cents - self.recovery_cents


@dataclass(frozen=True, slots=True)
class BenefitList:
    """What one transfer pays, household by household (*bordereau*).

    total_cents: sum of the lines' net amounts, to be compared with the transfer.
    """

    payer: str
    transfer_reference: str
    paid_on: date
    total_cents: int
    lines: tuple[BenefitLine, ...]


def read_list(data: bytes) -> BenefitList:
    """The list in a file of the layout above. Raises BadFile, and nothing else, for other bytes."""
    rows = _rows(data)
    first_line, headings = next(rows, (1, []))
    columns = _columns(first_line, headings)
    transfer: tuple[str, str, date] | None = None
    lines: list[BenefitLine] = []
    for line, row in rows:
        if len(row) != len(headings):
            raise BadFile(
                _("The line has %(found)s columns, its headings %(expected)s."),
                ASK_PAYER,
                line,
                found=len(row),
                expected=len(headings),
            )
        cells = {name: row[place] for name, place in columns.items()}
        said = (
            _word(cells, "organisme", LONGEST_NAME, line, required=True),
            _word(cells, "reference_virement", LONGEST_IDENTIFIER, line, required=True),
            _day(cells["date_paiement"], line),
        )
        if transfer and said != transfer:
            raise BadFile(
                _("The line is of another payer, transfer or day of payment than those before."),
                _("Make one file per transfer."),
                line,
            )
        transfer = said
        lines.append(_benefit_line(cells, line))
    if not transfer:
        raise BadFile(_("The list holds no line."), _("Ask the payer for the list again."))
    payer, transfer_reference, paid_on = transfer
    return BenefitList(
        payer=payer,
        transfer_reference=transfer_reference,
        paid_on=paid_on,
        total_cents=sum(line.net_cents for line in lines),
        lines=tuple(lines),
    )


def write_list(benefits: BenefitList) -> bytes:
    """The list as a file of the layout above, in UTF-8 with a byte order mark, as Excel wants it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in benefits.lines:
        writer.writerow(
            (
                benefits.payer,
                line.beneficiary,
                line.name,
                line.lease_reference,
                f"{line.month:%Y-%m}",
                *(
                    plain_euros(cents).replace(".", ",")
                    for cents in (line.amount_cents, line.recall_cents, line.recovery_cents)
                ),
                benefits.transfer_reference,
                benefits.paid_on.isoformat(),
            )
        )
    return text.getvalue().encode("utf-8-sig")


def _rows(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each line that is not blank."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    found = re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]", text)
    if found:
        raise BadFile(
            _("The file is not text in UTF-8 or Windows-1252."),
            _("Save the list as CSV with semicolons, in UTF-8."),
            text.count("\n", 0, found.start()) + 1,
        )
    # One line of the file is one line of the list: quotes may not hide an end of line.
    for line, content in enumerate(re.split("\r\n|\n|\r", text), 1):
        if not content.strip("; \t\u00a0"):
            continue
        try:
            yield line, next(csv.reader([content], delimiter=";", strict=True))
        except (csv.Error, StopIteration):
            raise BadFile(_("A quotation mark is not closed."), ASK_PAYER, line) from None


def _columns(line: int, headings: list[str]) -> dict[str, int]:
    """Place of each column that is needed."""
    names = [heading.strip().lower() for heading in headings]
    for name in COLUMNS:
        if names.count(name) != 1:
            raise BadFile(
                _("The heading %(name)s is missing or given twice."),
                _("Start the file with the headings of the documented layout, separated by ;."),
                line,
                name=name,
            )
    return {name: names.index(name) for name in COLUMNS}


def _benefit_line(cells: dict[str, str], line: int) -> BenefitLine:
    beneficiary = _word(cells, "numero_allocataire", LONGEST_IDENTIFIER, line)
    lease_reference = _word(cells, "reference_bail", LONGEST_IDENTIFIER, line)
    name = _word(cells, "nom", LONGEST_NAME, line)
    if not (beneficiary or lease_reference or name):
        raise BadFile(_("The line names no one: no beneficiary number, no name, no lease."), ASK_PAYER, line)
    return BenefitLine(
        line=line,
        beneficiary=beneficiary,
        name=name,
        lease_reference=lease_reference,
        month=_month(cells["mois_droit"], line),
        amount_cents=_cents(cells, "montant", line),
        recall_cents=_cents(cells, "rappel", line),
        recovery_cents=_cents(cells, "retenue", line),
    )


def _word(cells: dict[str, str], column: str, longest: int, line: int, *, required: bool = False) -> str:
    text = " ".join(cells[column].split())
    if len(text) > longest or (required and not text):
        raise BadFile(
            _("Column %(column)s must have at most %(longest)s characters, and some if required."),
            ASK_PAYER,
            line,
            column=column,
            longest=longest,
        )
    return text


def _cents(cells: dict[str, str], column: str, line: int) -> int:
    """Cents, at least 0; an empty back-payment or recovery is 0."""
    text = cells[column].strip().removesuffix("€").strip()
    if not text and column != "montant":
        return 0
    found = AMOUNT.fullmatch(text)
    if not found:
        raise BadFile(
            _("Column %(column)s holds %(text)s, not an amount like 1 234,56 (never below zero)."),
            ASK_PAYER,
            line,
            column=column,
            text=repr(text[:40]),
        )
    return int(re.sub(SPACES, "", found[1])) * 100 + int((found[2] or "").ljust(2, "0"))


def _month(text: str, line: int) -> date:
    found = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", text.strip())
    if not found or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        raise BadFile(_("%(text)s is not a month like 2026-03."), ASK_PAYER, line, text=repr(text[:40]))
    return date(int(found[1]), int(found[2]), 1)


def _day(text: str, line: int) -> date:
    found = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", text.strip())
    french = re.fullmatch(r"([0-9]{2})/([0-9]{2})/([0-9]{4})", text.strip())
    try:
        if found:
            day = date(*map(int, found.groups()))
        elif french:
            day = date(*map(int, reversed(french.groups())))
        else:
            raise ValueError
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise ValueError
    except ValueError:
        raise BadFile(
            _("%(text)s is not a day like 2026-03-25 or 25/03/2026."),
            ASK_PAYER,
            line,
            text=repr(text[:40]),
        ) from None
    return day
