"""The accounting file of the tax administration (*fichier des écritures comptables*), written and checked.

Eighteen columns, one line for each side of an entry, in the order of validation; LPF art. A47 A-1
(arrêté of 29 July 2013). Amounts are whole cents of a euro, written with a comma. Fields are parted by a
tab or by |; characters are those of ISO 8859-15. Nothing here knows the database.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO

COLUMNS = (
    "JournalCode",
    "JournalLib",
    "EcritureNum",
    "EcritureDate",
    "CompteNum",
    "CompteLib",
    "CompAuxNum",
    "CompAuxLib",
    "PieceRef",
    "PieceDate",
    "EcritureLib",
    "Debit",
    "Credit",
    "EcritureLet",
    "DateLet",
    "ValidDate",
    "Montantdevise",
    "Idevise",
)
"""The columns, in their order (A47 A-1, VII, 1°)."""
REQUIRED = (
    "JournalCode",
    "JournalLib",
    "EcritureNum",
    "EcritureDate",
    "CompteNum",
    "CompteLib",
    "PieceRef",
    "PieceDate",
    "EcritureLib",
    "Debit",
    "Credit",
    "ValidDate",
)
DATES = ("EcritureDate", "PieceDate", "DateLet", "ValidDate")
ENCODING = "iso8859-15"
END_OF_LINE = "\r\n"
TAB, PIPE = "\t", "|"
OPENING_JOURNAL = "AN"
"""The journal of balances taken forward (*à nouveaux*), the first of the file."""
MOST_FAULTS = 200

_AMOUNT = re.compile(r"-?\d{1,13},\d{2}")
_DATE = re.compile(r"\d{8}")
_ACCOUNT = re.compile(r"\d{3}[0-9A-Za-z]{0,17}")
_NAME = re.compile(r"(?P<siren>\d{9})FEC(?P<day>\d{8})(\.txt)?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u202f": " "}
)


def _(text: str) -> str:
    """Mark a sentence for the French catalogue; who shows it translates it."""
    return text


@dataclass(frozen=True, slots=True)
class Line:
    """One side of an entry (*ligne d'écriture*); debit or credit in cents, the other zero.

    number: of the entry, 1 and on without a gap. auxiliary: whose account it is, or "".
    """

    journal: str
    journal_label: str
    number: int
    on: date
    account: str
    account_label: str
    auxiliary: str
    auxiliary_label: str
    piece: str
    piece_on: date
    label: str
    debit: int
    credit: int
    valid_on: date


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong on a line (*anomalie*): line 0 is the whole file.

    reason, remedy: sentences before their values are filled in: gettext(reason) % values.
    """

    line: int
    column: str
    reason: str
    remedy: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        place = f"{self.line}, {self.column}" if self.column else str(self.line)
        return f"{place}: {self.reason % self.values} {self.remedy % self.values}"


@dataclass(slots=True)
class Report:
    """What a check found: cents, days, and every fault up to MOST_FAULTS; count says how many in all.

    opening: by account, what the entries of journal AN bring forward. moved: debited and credited by
        the others.
    """

    lines: int = 0
    entries: int = 0
    debit: int = 0
    credit: int = 0
    first: date | None = None
    last: date | None = None
    opening: dict[str, int] = field(default_factory=dict)
    moved: dict[str, tuple[int, int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    count: int = 0

    @property
    def holds(self) -> bool:
        return not self.count

    def say(self, line: int, column: str, reason: str, remedy: str, **values: object) -> None:
        self.count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(line, column, reason, remedy, values))


def file_name(siren: str, last_day: date) -> str:
    """SIREN, FEC, the day the year closes (A47 A-1, X): 123456782FEC20261231.txt."""
    return f"{siren}FEC{last_day:%Y%m%d}.txt"


def header(separator: str = TAB) -> bytes:
    return (separator.join(COLUMNS) + END_OF_LINE).encode(ENCODING)


def written(line: Line, separator: str = TAB) -> str:
    """A line as the file has it, its end included."""
    return (
        separator.join(
            (
                plain(line.journal),
                plain(line.journal_label),
                str(line.number),
                f"{line.on:%Y%m%d}",
                line.account,
                plain(line.account_label),
                plain(line.auxiliary),
                plain(line.auxiliary_label),
                plain(line.piece),
                f"{line.piece_on:%Y%m%d}",
                plain(line.label),
                amount(line.debit),
                amount(line.credit),
                "",
                "",
                f"{line.valid_on:%Y%m%d}",
                "",
                "",
            )
        )
        + END_OF_LINE
    )


def encoded(lines: Iterable[Line], separator: str = TAB) -> bytes:
    return "".join(written(line, separator) for line in lines).encode(ENCODING, "replace")


def amount(cents: int) -> str:
    """Euros with a comma and two decimals, no mark of thousands: 123456 → 1234,56."""
    whole, part = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole},{part:02d}"


def plain(text: str) -> str:
    """A text without what parts fields and lines, and with signs that ISO 8859-15 has."""
    return re.sub(r"[\s|]+", " ", text.translate(_PLAIN)).strip()


# ---- the check --------------------------------------------------------------------------------


def check(
    lines: Iterable[bytes] | BinaryIO,
    *,
    name: str = "",
    start: date | None = None,
    end: date | None = None,
) -> Report:
    """Check a file as the administration's tool does, line by line in bounded memory.

    name: of the file, "" not to look at it. start, end: first and last day of the year; the last one
        is by default what the name says. compare() then holds it against a trial balance.
    """
    report = Report()
    closing = _named(name, report) if name else None
    end = end or closing
    separator, reading = "", _Reading(report, start, end)
    for at, raw in enumerate(lines, 1):
        text = _text(raw, at, report)
        if at == 1:
            separator = _heading(text, report)
            if not separator:
                break
            continue
        fields = text.split(separator)
        if len(fields) != len(COLUMNS):
            report.say(
                at,
                "",
                _("The line has %(count)d fields, not 18."),
                _("Part the fields by the sign of the heading, and by no other."),
                count=len(fields),
            )
            continue
        reading.take(at, dict(zip(COLUMNS, fields, strict=True)))
    reading.finish()
    if not report.lines and not report.count:
        report.say(0, "", _("The file holds no entry."), _("Export the year again."))
    return report


class _Reading:
    """The lines read so far: the entry under way, and what must go on from one to the next."""

    def __init__(self, report: Report, start: date | None, end: date | None) -> None:
        self.report, self.start, self.end = report, start, end
        self.number, self.began, self.balance = "", 0, 0
        self.last_number = 0
        self.shared: tuple[str, str, str] = ("", "", "")
        self.last_valid: date | None = None
        self.account_labels: dict[str, str] = {}
        self.journal_labels: dict[str, str] = {}

    def take(self, at: int, row: dict[str, str]) -> None:
        report = self.report
        report.lines += 1
        for column in REQUIRED:
            if not row[column].strip():
                report.say(at, column, _("This field is empty."), _("Fill it in on every line."))
        days = {column: self._day(at, column, row[column]) for column in DATES}
        self._account(at, row)
        debit, credit = self._amount(at, "Debit", row["Debit"]), self._amount(at, "Credit", row["Credit"])
        if debit is not None and credit is not None and bool(debit) == bool(credit):
            report.say(
                at,
                "Debit",
                _("A line is a debit or a credit: one of the two is zero, the other is not."),
                _("Write 0,00 on one side only."),
            )
        debit, credit = debit or 0, credit or 0
        on = days["EcritureDate"]
        if on:
            report.first, report.last = min(report.first or on, on), max(report.last or on, on)
            if (self.start and on < self.start) or (self.end and on > self.end):
                report.say(
                    at,
                    "EcritureDate",
                    _("%(day)s is outside the year."),
                    _("Leave out the entries of other years."),
                    day=f"{on:%d/%m/%Y}",
                )
        shared = (row["JournalCode"], row["EcritureDate"], row["ValidDate"])
        if row["EcritureNum"] != self.number:
            self._begin(at, row["EcritureNum"], shared, days["ValidDate"])
        elif shared != self.shared:
            report.say(
                at,
                "EcritureNum",
                _("Lines of entry %(number)s differ by journal, date or validation."),
                _("Give each entry its own number."),
                number=self.number,
            )
        self.balance += debit - credit
        report.debit += debit
        report.credit += credit
        account = row["CompteNum"]
        if row["JournalCode"] == OPENING_JOURNAL:
            report.opening[account] = report.opening.get(account, 0) + debit - credit
        else:
            moved = report.moved.get(account, (0, 0))
            report.moved[account] = (moved[0] + debit, moved[1] + credit)

    def _begin(self, at: int, number: str, shared: tuple[str, str, str], valid: date | None) -> None:
        self._close()
        self.number, self.began, self.balance, self.shared = number, at, 0, shared
        self.report.entries += 1
        if not number.isdigit():
            self.report.say(
                at,
                "EcritureNum",
                _("“%(number)s” is not a number."),
                _("Number the entries 1, 2, 3 and on."),
                number=number[:20],
            )
        elif int(number) != self.last_number + 1:
            self.report.say(
                at,
                "EcritureNum",
                _("Entry %(number)s comes after entry %(last)d."),
                _("Number the entries in the order of their validation, without a gap."),
                number=number[:20],
                last=self.last_number,
            )
            self.last_number = int(number)
        else:
            self.last_number += 1
        if valid and self.last_valid and valid < self.last_valid:
            self.report.say(
                at,
                "ValidDate",
                _("Entry %(number)s was validated before the one above it."),
                _("Sort the entries by the day of their validation."),
                number=number[:20],
            )
        self.last_valid = valid or self.last_valid

    def _close(self) -> None:
        if self.began and self.balance:
            self.report.say(
                self.began,
                "EcritureNum",
                _("Entry %(number)s does not balance: %(gap)s EUR between debit and credit."),
                _("Look at its lines: one is missing, or an amount is wrong."),
                number=self.number[:20],
                gap=amount(self.balance),
            )

    def finish(self) -> None:
        self._close()
        if self.report.debit != self.report.credit:
            self.report.say(
                0,
                "",
                _("The file debits %(debit)s EUR and credits %(credit)s EUR."),
                _("Correct the entries that do not balance."),
                debit=amount(self.report.debit),
                credit=amount(self.report.credit),
            )

    def _day(self, at: int, column: str, text: str) -> date | None:
        if not text:
            return None
        try:
            if not _DATE.fullmatch(text):
                raise ValueError(text)
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError:
            self.report.say(
                at,
                column,
                _("“%(text)s” is not a date."),
                _("Write the year, month and day together: 20261231."),
                text=text[:20],
            )
            return None

    def _amount(self, at: int, column: str, text: str) -> int | None:
        if not _AMOUNT.fullmatch(text):
            if text.strip():
                self.report.say(
                    at,
                    column,
                    _("“%(text)s” is not an amount."),
                    _("Write a comma and two decimals, and no mark of thousands: 1234,56."),
                    text=text[:20],
                )
            return None
        return int(text.replace(",", ""))

    def _account(self, at: int, row: dict[str, str]) -> None:
        number, label = row["CompteNum"], row["CompteLib"]
        if number and not _ACCOUNT.fullmatch(number):
            self.report.say(
                at,
                "CompteNum",
                _("“%(number)s” is not an account of the chart: it does not start with three digits."),
                _("Use the numbers of the plan comptable général."),
                number=number[:20],
            )
        self._one_label(at, "CompteLib", self.account_labels, number, label)
        self._one_label(at, "JournalLib", self.journal_labels, row["JournalCode"], row["JournalLib"])
        if bool(row["CompAuxNum"].strip()) != bool(row["CompAuxLib"].strip()):
            self.report.say(
                at,
                "CompAuxNum",
                _("An auxiliary account has a number and a label, or neither."),
                _("Fill in both, or leave both empty."),
            )

    def _one_label(self, at: int, column: str, known: dict[str, str], code: str, label: str) -> None:
        if known.setdefault(code, label) != label:
            self.report.say(
                at,
                column,
                _("%(code)s has two labels: “%(first)s” and “%(second)s”."),
                _("Use one label for one code."),
                code=code[:20],
                first=known[code][:40],
                second=label[:40],
            )


def _named(name: str, report: Report) -> date | None:
    """The closing day that a file's name says."""
    found = _NAME.fullmatch(name)
    try:
        if found:
            day = found["day"]
            return date(int(day[:4]), int(day[4:6]), int(day[6:]))
    except ValueError:
        pass
    report.say(
        0,
        "",
        _("The file is not named after the SIREN number, FEC and the closing day."),
        _("Name it as 123456782FEC20261231.txt."),
    )
    return None


def _text(raw: bytes, at: int, report: Report) -> str:
    """A line decoded, without its end: UTF-8 if it is that, else ISO 8859-15."""
    raw = raw.rstrip(b"\r\n")
    if at == 1 and raw.startswith(b"\xef\xbb\xbf"):
        report.say(
            1, "", _("The file begins with a byte order mark."), _("Save it without one (UTF-8 without BOM).")
        )
        raw = raw[3:]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode(ENCODING)
    if _CONTROL.search(text):
        report.say(at, "", _("The line holds signs that are no text."), _("Export the file again."))
    return text


def _heading(text: str, report: Report) -> str:
    """The sign that parts the fields; "" when the first line is no heading."""
    separator = TAB if text.count(TAB) >= text.count(PIPE) else PIPE
    names = text.split(separator)
    if tuple(names) == COLUMNS:
        return separator
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        report.say(
            1,
            "",
            _("The heading lacks %(names)s."),
            _("Begin with the eighteen names, parted by a tab or by |."),
            names=", ".join(missing),
        )
        return ""
    report.say(
        1,
        "",
        _("The eighteen names are not in their order, or others stand among them."),
        _("Put them in the order of the law: JournalCode first, Idevise last."),
    )
    return ""


def compare(report: Report, balances: Mapping[str, tuple[int, int, int]]) -> None:
    """Hold a checked file against a trial balance: account → cents at the opening, debited, credited."""
    for number in sorted(balances.keys() | report.moved.keys() | report.opening.keys()):
        found = (report.opening.get(number, 0), *report.moved.get(number, (0, 0)))
        told = balances.get(number, (0, 0, 0))
        for what, here, there in zip(COMPARED, found, told, strict=True):
            if here != there:
                report.say(
                    0,
                    "CompteNum",
                    what,
                    _("The accounts changed since, or lines are missing: export the year again."),
                    number=number,
                    here=amount(here),
                    there=amount(there),
                )


COMPARED = (
    _("Account %(number)s opens at %(here)s EUR in the file, at %(there)s EUR in the trial balance."),
    _("Account %(number)s is debited %(here)s EUR in the file, %(there)s EUR in the trial balance."),
    _("Account %(number)s is credited %(here)s EUR in the file, %(there)s EUR in the trial balance."),
)


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file that comes in pieces."""
    left = b""
    for chunk in chunks:
        *whole, left = (left + chunk).split(b"\n")
        yield from whole
    if left:
        yield left
