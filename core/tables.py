"""Spreadsheets in and out (.xlsx, .csv): French headings, typed values, one error a fault.

    rows, errors = read_table(file, COLUMNS)
    for row in rows: ...          # row.line, row["loyer"]
    if blocking(errors): ...      # complete once the rows are read to the end

Whatever the bytes, the answer is rows or a BadTable: never a traceback.
"""

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from itertools import islice
from pathlib import Path

from django.utils import timezone
from django.utils.translation import gettext as _
from moneyed import Money

from core.cells import Column, Fault, fold, is_blank, quoted, read_cell, safe_text, written_as
from core.errors import Refusal

FORMATS = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}

ROW_LIMIT = 200_000
BYTE_LIMIT = 60_000_000
UNPACKED_LIMIT = 250_000_000
COLUMN_LIMIT = 300
ERROR_LIMIT = 1_000
HEADING_SEARCH = 30
EXCEL_ROWS = 1_048_576


# What openpyxl leaves out of a file (pictures, rules) is no news to the person who sends it.
warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")


class BadTable(Refusal):
    """A file that cannot be read as a table at all (*fichier illisible*)."""


@dataclass(frozen=True, slots=True)
class RowError:
    """A fault in a file, where it is and what to do (*anomalie*).

    line: as the spreadsheet numbers it; 0 for the whole sheet. blocking: false for a mere remark.
    """

    sheet: str
    line: int
    column: str
    reason: str
    remedy: str = ""
    blocking: bool = True

    @property
    def place(self) -> str:
        parts = [self.sheet] if self.sheet else []
        if self.line:
            parts.append(_("line %(line)d") % {"line": self.line})
        if self.column:
            parts.append(_("column “%(column)s”") % {"column": self.column})
        return ", ".join(parts)

    def __str__(self):
        return f"{self.place}: {self.reason} {self.remedy}".strip()


@dataclass(slots=True)
class TableRow:
    """One line read, its values by column key; what is blank is None."""

    line: int
    sheet: str
    values: dict = field(default_factory=dict)

    def __getitem__(self, key):
        return self.values[key]

    def get(self, key, default=None):
        return self.values.get(key, default)

    def error(self, column: str, reason: str, remedy: str = "") -> RowError:
        """A fault found by the domain in this line."""
        return RowError(self.sheet, self.line, column, reason, remedy)


def blocking(errors: Iterable[RowError]) -> list[RowError]:
    """The errors that forbid an import, remarks left out."""
    return [error for error in errors if error.blocking]


# ---- in ---------------------------------------------------------------------------------


def read_table(
    file, columns: Sequence[Column], *, sheet: str = ""
) -> tuple[Iterator[TableRow], list[RowError]]:
    """The typed rows of a spreadsheet, and the list its errors are added to as it is read.

    file: path, bytes, or binary file. sheet: name of the sheet (xlsx); the first by default.
    Headings match whatever their case, accents, spaces and order. A line with a fault is not
    given. Raises BadTable, at once or while the rows are read.
    """
    data = _bytes(file)
    if data[:4] == b"PK\x03\x04":
        name, lines = _xlsx_lines(data, sheet)
    elif data[:4] == b"\xd0\xcf\x11\xe0":
        raise BadTable(
            _("the file"),
            _("This is an old Excel file (.xls), or one kept by a password."),
            _("Save it as .xlsx, without a password."),
        )
    else:
        name, lines = "", _csv_lines(data, columns)
    errors: list[RowError] = []
    first, places = _headings(lines, columns, name, errors)
    return _typed(lines, first, places, columns, name, errors), errors


def _bytes(file) -> bytes:
    if isinstance(file, bytes):
        data = file
    elif isinstance(file, (str, Path)):
        with Path(file).open("rb") as opened:
            data = opened.read(BYTE_LIMIT + 1)
    else:
        data = file.read(BYTE_LIMIT + 1)
    if len(data) > BYTE_LIMIT:
        raise BadTable(
            _("the file"),
            _("It is larger than %(limit)d MB.") % {"limit": BYTE_LIMIT // 1_000_000},
            _("Split it into several files."),
        )
    if not data.strip():
        raise BadTable(_("the file"), _("It is empty."), _("Choose the file again."))
    return data


def _unreadable(error=None) -> BadTable:
    return BadTable(
        _("the file"),
        _("It cannot be read as a spreadsheet."),
        _("Open it in Excel or LibreOffice and save it again as .xlsx or .csv."),
    )


def _xlsx_lines(data: bytes, sheet: str) -> tuple[str, Iterator[tuple[int, Sequence]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # What an archive declares is also all that zipfile will unpack of it.
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > UNPACKED_LIMIT:
            raise BadTable(
                _("the file"),
                _("Unpacked, it is larger than %(limit)d MB.") % {"limit": UNPACKED_LIMIT // 1_000_000},
                _("Copy its cells into a new spreadsheet, or split it."),
            )
        book = _excel().load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheets = {fold(found.title): found for found in book.worksheets}
    except BadTable:
        raise
    except Exception as error:  # openpyxl raises almost anything on broken files
        raise _unreadable(error) from error
    if not sheets:
        raise BadTable(_("the file"), _("It has no sheet."), _("Choose the file again."))
    page = sheets.get(fold(sheet)) if sheet else book.worksheets[0]
    if page is None:
        raise BadTable(
            _("the file"),
            _("It has no sheet named “%(sheet)s”.") % {"sheet": sheet},
            _("Take the names of the sheets from the template file."),
        )
    return page.title, _xlsx_rows(page)


def _xlsx_rows(page) -> Iterator[tuple[int, Sequence]]:
    try:
        # A sheet may claim any size: what it claims is not asked.
        page.reset_dimensions()
        rows = enumerate(page.iter_rows(values_only=True, max_col=COLUMN_LIMIT), 1)
        # A row may say that it is the billionth: the gap would be filled with empty ones.
        yield from islice(rows, EXCEL_ROWS)
    except GeneratorExit:
        raise
    except Exception as error:  # as above, met further on in the file
        raise _unreadable(error) from error


def _csv_lines(data: bytes, columns: Sequence[Column]) -> Iterator[tuple[int, Sequence]]:
    text = _decoded(data)
    if match := re.match(r"sep=(.)\r?\n", text):
        # Excel's own note; the blank line left keeps the numbering.
        delimiter, text = match[1], "\n" + text[match.end() :]
    else:
        delimiter = _delimiter(text, columns)
    return _csv_rows(text, delimiter)


def _csv_rows(text: str, delimiter: str) -> Iterator[tuple[int, Sequence]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    start = 1
    try:
        for row in reader:
            yield start, row[:COLUMN_LIMIT]
            start = reader.line_num + 1
    except csv.Error as error:
        raise BadTable(
            _("line %(line)d") % {"line": start},
            _("The line cannot be cut into columns."),
            _("Look for a quotation mark that is opened and not closed."),
        ) from error


def _decoded(data: bytes) -> str:
    encodings = ("utf-8-sig", "cp1252")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ("utf-16",)
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not re.search(r"[\x00-\x08\x0e-\x1f]", text):
            return text
    raise _unreadable()


def _delimiter(text: str, columns: Sequence[Column]) -> str:
    """The separator by which the first lines hold the most known headings."""
    known = {fold(column.name) for column in columns}
    head = "\n".join(text[:20_000].splitlines()[:HEADING_SEARCH])

    def found(delimiter: str) -> int:
        try:
            rows = list(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter))
        except csv.Error:
            return -1
        return max((len(known & {fold(cell) for cell in row}) for row in rows), default=-1)

    return max((";", ",", "\t"), key=found)


def _headings(lines, columns, sheet, errors) -> tuple[int, dict[int, Column]]:
    """Where the columns are, from the first line that holds a known heading."""
    by_name = {fold(column.name): column for column in columns}
    for number, row in islice(lines, HEADING_SEARCH):
        found = [fold(_heading_text(cell)) for cell in row]
        if any(name in by_name for name in found):
            return number, _places(row, found, by_name, columns, sheet, number, errors)
    raise BadTable(
        sheet or _("the file"),
        _("None of the expected headings was found."),
        _("Start from the template file; the expected headings are: %(names)s.")
        % {"names": ", ".join(column.name for column in columns)},
    )


def _heading_text(cell) -> str:
    return cell if isinstance(cell, str) else ""


def _places(row, found, by_name, columns, sheet, number, errors) -> dict[int, Column]:
    places: dict[int, Column] = {}
    for index, name in enumerate(found):
        column = by_name.get(name)
        if column in places.values() and column is not None:
            raise BadTable(
                f"{sheet} " + _("line %(line)d") % {"line": number},
                _("Two columns have the heading “%(name)s”.") % {"name": column.name},
                _("Remove one of them."),
            )
        if column is not None:
            places[index] = column
        elif name:
            errors.append(
                RowError(
                    sheet,
                    number,
                    quoted(row[index]),
                    _("This column is not known and was not read."),
                    _("Check its heading against the template file, or leave it so."),
                    blocking=False,
                )
            )
    missing = [c.name for c in columns if c.required and c not in places.values()]
    if missing:
        raise BadTable(
            f"{sheet} ".lstrip() + _("line %(line)d") % {"line": number},
            _("Columns that must be there are missing: %(names)s.") % {"names": ", ".join(missing)},
            _("Add them, with the headings of the template file."),
        )
    return places


def _typed(lines, heading, places, columns, sheet, errors) -> Iterator[TableRow]:
    """Rows after the heading; a fault adds an error and its row is left out."""
    count, faults = 0, 0
    nothing = {column.key: None for column in columns}
    for number, row in lines:
        if all(is_blank(cell) for cell in row):
            continue
        count += 1
        if count > ROW_LIMIT:
            raise BadTable(
                sheet or _("the file"),
                _("It has more than %(limit)d lines.") % {"limit": ROW_LIMIT},
                _("Split it into several files."),
            )
        made = TableRow(number, sheet, dict(nothing))
        before = len(errors)
        for index, column in places.items():
            cell = row[index] if index < len(row) else None
            try:
                value = read_cell(cell, column)
            except Fault as fault:
                errors.append(RowError(sheet, number, column.name, fault.reason, fault.remedy))
            else:
                made.values[column.key] = value
        faults += len(errors) - before
        if faults > ERROR_LIMIT:
            errors.append(
                RowError(
                    sheet,
                    number,
                    "",
                    _("More than %(limit)d faults: the rest was not read.") % {"limit": ERROR_LIMIT},
                    _("Correct these first; check that the columns are the right ones."),
                )
            )
            return
        if len(errors) == before:
            yield made


# ---- out --------------------------------------------------------------------------------

NUMBER_FORMATS = {
    "int": "#,##0",
    "decimal": "#,##0.00##",
    "euros": '#,##0.00\\ "€"',
    "date": "dd/mm/yyyy",
    "month": "mm/yyyy",
}
WIDTHS = {"int": 11, "decimal": 12, "euros": 14, "date": 12, "month": 11, "bool": 8}


def write_table(columns: Sequence[Column], rows: Iterable, *, format: str, sheet: str = "") -> bytes:
    """A spreadsheet of rows, as bytes; rows are taken one at a time.

    rows: sequences in the order of the columns, or mappings by column key. An amount is Money,
    Decimal euros, or int cents. format: "xlsx" or "csv" (semicolons, comma decimals, UTF-8 BOM).
    Raises ValueError for another format, BadTable for more rows than a sheet holds.
    """
    listed = ([row.get(c.key) for c in columns] if isinstance(row, Mapping) else list(row) for row in rows)
    if format == "csv":
        return _write_csv(columns, listed)
    if format == "xlsx":
        return _write_xlsx(columns, listed, sheet or _("Data"))
    raise ValueError(f"{format!r} is not a format of spreadsheet.")


def _write_csv(columns, rows) -> bytes:
    buffer = io.BytesIO()
    text = io.TextIOWrapper(buffer, "utf-8-sig", newline="", errors="replace")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow([safe_text(column.name) for column in columns])
    for row in rows:
        writer.writerow([_csv_cell(_plain(v, c), c) for v, c in zip(row, columns, strict=True)])
    text.flush()
    return buffer.getvalue()


def _csv_cell(value, column) -> str:
    if value is None:
        return ""
    if column.kind == "euros" and isinstance(value, Decimal):
        return f"{value:.2f}".replace(".", ",")
    if isinstance(value, (int, Decimal)):
        return format(value, "f" if isinstance(value, Decimal) else "").replace(".", ",")
    if isinstance(value, datetime):
        return value.strftime("%d/%m/%Y %H:%M")
    if isinstance(value, date):
        return value.strftime("%m/%Y" if column.kind == "month" else "%d/%m/%Y")
    return value


def _write_xlsx(columns, rows, sheet) -> bytes:
    book = _excel().Workbook(write_only=True)
    page = book.create_sheet(re.sub(r"[\[\]:*?/\\]", " ", sheet)[:31] or "1")
    page.freeze_panes = "A2"
    for index, column in enumerate(columns, 1):
        width = WIDTHS.get(column.kind, 24)
        page.column_dimensions[_excel().utils.get_column_letter(index)].width = max(
            width, min(len(column.name) + 3, 30)
        )
    page.append([_head_cell(page, safe_text(column.name)) for column in columns])
    for count, row in enumerate(rows, 2):
        if count > EXCEL_ROWS:
            raise BadTable(
                sheet,
                _("A sheet cannot hold more than %(limit)d lines.") % {"limit": EXCEL_ROWS},
                _("Narrow the list with a filter, or export it as CSV."),
            )
        page.append([_xlsx_cell(page, _plain(v, c), c) for v, c in zip(row, columns, strict=True)])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _head_cell(page, text):
    cell = _excel().cell.WriteOnlyCell(page, text)
    _as_head(cell)
    cell.alignment = _excel().styles.Alignment(wrap_text=True, vertical="top")
    return cell


def _as_head(cell) -> None:
    cell.font = _excel().styles.Font(bold=True)
    cell.fill = _excel().styles.PatternFill("solid", fgColor="E4EBF0")


@cache
def _excel():
    """openpyxl, once a sheet is read or written: it would cost every process a second at its start."""
    import openpyxl
    import openpyxl.cell
    import openpyxl.comments
    import openpyxl.styles
    import openpyxl.utils
    import openpyxl.worksheet.datavalidation

    return openpyxl


def _xlsx_cell(page, value, column):
    if value is None or isinstance(value, str):
        return value
    cell = _excel().cell.WriteOnlyCell(page, value)
    cell.number_format = (
        "dd/mm/yyyy hh:mm" if isinstance(value, datetime) else NUMBER_FORMATS.get(column.kind, "General")
    )
    return cell


def _plain(value, column):
    """A value as a spreadsheet keeps it: a number, a day, or text that is no formula."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, Money):
        return value.amount
    if column.kind == "euros" and isinstance(value, int):
        return Decimal(value).scaleb(-2)
    if isinstance(value, datetime):
        value = timezone.make_naive(value) if timezone.is_aware(value) else value
        return value.date() if column.kind in ("date", "month") else value
    if isinstance(value, (date, int)):
        return value
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    return safe_text(value)


# ---- template ---------------------------------------------------------------------------


def template_file(columns: Sequence[Column], *, sheet: str = "") -> bytes:
    """An empty .xlsx to fill in: headings with their explanation, lists to choose from, help."""
    book = _excel().Workbook()
    page = book.active
    page.title = sheet or _("Data")
    page.freeze_panes = "A2"
    helping = book.create_sheet(_("Help"))
    helping.append([_("Column"), _("Needed"), _("What to write"), _("Explanation")])
    for index, column in enumerate(columns, 1):
        letter = _excel().utils.get_column_letter(index)
        cell = page.cell(1, index, column.name + (" *" if column.required else ""))
        _as_head(cell)
        what = written_as(column)
        note = "\n".join(
            part for part in (str(column.help), what, _("Needed") if column.required else "") if part
        )
        cell.comment = _excel().comments.Comment(note, "GLA", width=320, height=140)
        page.column_dimensions[letter].width = max(WIDTHS.get(column.kind, 20), min(len(column.name) + 5, 30))
        if column.kind in NUMBER_FORMATS:
            page.column_dimensions[letter].number_format = NUMBER_FORMATS[column.kind]
        _offer_choices(page, letter, column)
        helping.append([column.name, _("Yes") if column.required else "", what, str(column.help)])
    for cell in helping[1]:
        _as_head(cell)
    for letter, width in zip("ABCD", (28, 10, 50, 70), strict=True):
        helping.column_dimensions[letter].width = width
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _offer_choices(page, letter, column) -> None:
    words = (
        list(column.choices) if column.kind == "choice" else ["oui", "non"] if column.kind == "bool" else []
    )
    listed = ",".join(words)
    # Excel takes 255 signs at most, and no comma within a word.
    if words and len(listed) <= 255 and not any("," in word or '"' in word for word in words):
        offer = _excel().worksheet.datavalidation.DataValidation(
            type="list", formula1=f'"{listed}"', allow_blank=True
        )
        offer.add(f"{letter}2:{letter}{EXCEL_ROWS}")
        page.add_data_validation(offer)
