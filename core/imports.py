"""What the importers of files share (*imports*): read whole, every fault told, written whole or not at all.

An importer reads all lines, gathers what they say of each thing, compares it with what is kept,
and lists every fault with its line; only a file without fault is written, in one transaction. The
number of queries does not depend on the number of lines, save for the size of a batch.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from schwifty import IBAN

from core import audit, dialect
from core.cells import Column
from core.errors import Refusal
from core.money import from_cents
from core.refusals import refusal_of
from core.tables import BYTE_LIMIT, RowError, TableRow, blocking, read_table

Echo = Callable[[int, int, str], None]
"""Told how far the work is: done, total (0 when not known), what is being done."""

BATCH = 1_000
LOOKED_UP = 5_000
SHOWN = 200
MANY_ROWS = 500


class BadImport(Refusal):
    """A file with faults, of which nothing was imported; errors: each with its line and column."""

    def __init__(self, errors: Sequence[RowError]):
        self.errors = sorted(errors, key=lambda error: (not error.blocking, error.line))
        count = len(blocking(errors))
        super().__init__(
            _("the file"),
            ngettext(
                "%(count)d fault was found: nothing was imported.",
                "%(count)d faults were found: nothing was imported.",
                count,
            )
            % {"count": count},
            _("Correct the lines listed, then import the file again."),
        )


@dataclass(slots=True)
class Imported:
    """What an import did: lines read, things made and changed by name, remarks that did not stop it.

    since: the things already kept of which a fact was told late, and from which day it counts.
    """

    rows: int = 0
    created: Counter = field(default_factory=Counter)
    changed: Counter = field(default_factory=Counter)
    remarks: list[RowError] = field(default_factory=list)
    report: object = None
    since: dict[int, date] = field(default_factory=dict)

    def counts_from(self, thing: int, day: date) -> None:
        """A fact of a thing counts from a day: the earliest is kept."""
        self.since[thing] = min(day, self.since.get(thing, day))

    @property
    def nothing_new(self) -> bool:
        return not self.created.total() and not self.changed.total()


def silent(done: int, total: int, label: str) -> None:
    """The echo of whoever does not watch."""


def content(file) -> bytes:
    """The bytes of a file: path, bytes or binary file; one byte past the limit is enough to refuse it."""
    if isinstance(file, bytes):
        return file
    if isinstance(file, (str, Path)):
        try:
            with Path(file).open("rb") as opened:
                return opened.read(BYTE_LIMIT + 1)
        except OSError as error:
            raise Refusal(
                str(file), _("The file cannot be opened."), _("Check its name and your right to read it.")
            ) from error
    return file.read(BYTE_LIMIT + 1)


def read_lines(
    data: bytes,
    columns: Sequence[Column],
    *,
    fields: Mapping[str, tuple[type[models.Model], str]],
    ranges: Mapping[str, tuple[int, int]],
    echo: Echo,
) -> tuple[list[TableRow], list[RowError]]:
    """All lines without fault in their cells, amounts as Money, and the faults of the others.

    fields: column key → the model's field it ends in, whose own validators are asked.
    ranges: column key → least and most (euros for an amount). Raises BadTable.
    """
    found, errors = read_table(data, columns)
    checks = [
        (c, list(fields[c.key][0]._meta.get_field(fields[c.key][1]).validators) if c.key in fields else [])
        for c in columns
    ]
    rows = []
    for row in found:
        before = len(errors)
        for column, validators in checks:
            value = row.values[column.key]
            if value is None:
                continue
            if column.kind == "euros":
                value = row.values[column.key] = from_cents(value)
            for validator in validators:
                try:
                    validator(value)
                except ValidationError as error:
                    errors.append(row.error(column.name, " ".join(error.messages), _("Correct the cell.")))
            if column.key in ranges:
                low, high = ranges[column.key]
                if not low <= getattr(value, "amount", value) <= high:
                    errors.append(
                        row.error(
                            column.name,
                            _("The value is not between %(low)s and %(high)s.") % {"low": low, "high": high},
                            _("Correct the cell."),
                        )
                    )
        if len(errors) == before:
            rows.append(row)
        if row.line % 500 == 0:
            echo(row.line, 0, _("Reading"))
    echo(len(rows), len(rows), _("Reading"))
    return rows, errors


def kept(queryset: models.QuerySet, name: str, values: Iterable) -> Iterator:
    """What the database holds with one of these values, by parts that any engine takes."""
    listed = sorted({value for value in values if value is not None})
    for at in range(0, len(listed), LOOKED_UP):
        yield from queryset.filter(**{f"{name}__in": listed[at : at + LOOKED_UP]})


@contextmanager
def whole():
    """One transaction; what the database itself refuses becomes a sentence. Raises Refusal."""
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        raise refusal_of(error, _("the file")) from error


def stop_at_faults(errors: list[RowError]) -> None:
    """Raise BadImport when something forbids the import."""
    if blocking(errors):
        raise BadImport(errors)


def record(by, resource: str, data: bytes, imported: Imported) -> None:
    """The audit line of an import: which file by its hash, and how much it made and changed.

    After a large one the engine measures its tables: a plan made on empty ones is the worst for full ones.
    """
    audit.record(
        by,
        "import",
        resource,
        file=hashlib.sha256(data).hexdigest(),
        rows=imported.rows,
        created=imported.created.total(),
        changed=imported.changed.total(),
    )
    if imported.rows >= MANY_ROWS:
        dialect.gather_statistics()


# ---- things with a reference ------------------------------------------------------------


@dataclass(slots=True)
class Said:
    """What a file says of one thing: its first line, and each attribute that is not blank."""

    row: TableRow
    values: dict
    keys: Mapping[str, Column]


class Sayings(dict):
    """Reference → Said, of things of one sort; lines that contradict one another are faults.

    keys: attribute of the model → column. What is missing is no fault when lines were left out
    for faults of their own (`some_left_out`): it may stand on one of them.
    """

    def __init__(self, keys: Mapping[str, Column], errors: list[RowError]):
        super().__init__()
        self.keys_of, self.errors, self.some_left_out = keys, errors, bool(blocking(errors))

    def add(self, reference: str, row: TableRow, keys: Mapping[str, Column] | None = None) -> Said:
        """What a line says of one thing. keys: its columns on this line, where not the usual ones."""
        keys = self.keys_of if keys is None else keys
        said = self.get(reference)
        if said is None:
            said = self[reference] = Said(row, {}, keys)
        for attribute, column in keys.items():
            value = row[column.key]
            if value is None:
                continue
            if said.values.setdefault(attribute, value) != value:
                self.errors.append(
                    row.error(
                        column.name,
                        _("Line %(line)d says something else of %(reference)s.")
                        % {"line": said.row.line, "reference": reference},
                        _("Write the same on both lines, or leave one blank."),
                    )
                )
        return said

    def add_from(self, column: Column, row: TableRow, keys: Mapping[str, Column] | None = None) -> None:
        """What a line says of the thing it names; to say something and name nothing is a fault."""
        keys = self.keys_of if keys is None else keys
        if row[column.key] is not None:
            self.add(row[column.key], row, keys)
        elif any(row[one.key] is not None for one in keys.values()):
            self.errors.append(
                row.error(
                    column.name, _("The line says something of it, but not which."), _("Give its reference.")
                )
            )

    def need(self, said: Said, attributes: Iterable[str]) -> bool:
        """Whether all of these are said; each that is missing is a fault of the thing's first line."""
        missing = [name for name in attributes if name not in said.values]
        for name in [] if self.some_left_out else missing:
            self.errors.append(
                said.row.error(
                    said.keys[name].name,
                    _("A value is needed the first time."),
                    _("Fill in the cell."),
                )
            )
        return not missing

    def hold(self, said: Said, thing: models.Model, values: Mapping, fixed: Iterable[str]) -> None:
        """A fault for each attribute that is said otherwise than kept, and which a file does not change."""
        for name in fixed:
            if name in values and not (same(thing, name, values[name]) or blank(thing, name)):
                self.errors.append(
                    said.row.error(
                        said.keys[name].name,
                        _("Another value is kept for %(reference)s, which a file does not change.")
                        % {"reference": thing},
                        _("Correct the file, or change it on its own page."),
                    )
                )


@dataclass(slots=True)
class Things:
    """Models by their reference, as they will be: those to add and those to change."""

    by_reference: dict[str, models.Model]
    new: list[models.Model]
    changed: list[models.Model]

    def get(self, reference: str | None):
        return self.by_reference.get(reference)


def resolve(
    model: type[models.Model],
    sayings: Sayings,
    *,
    needed: Iterable[str],
    links: Mapping[str, Things] | None = None,
    fixed: Iterable[str] = (),
) -> Things:
    """What a file says of things of one sort, put against those kept.

    needed: what a new one must have. links: attribute that names another thing → those things; a
    thing whose link leads nowhere is left out, for the fault of the other is told already.
    fixed: attributes that a file does not change once they are kept.
    """
    known = {thing.reference: thing for thing in kept(model.objects, "reference", sayings)}
    made = Things({}, [], [])
    for reference, said in sayings.items():
        values, whole_links = dict(said.values), True
        for name, things in (links or {}).items():
            if name in values:
                values[name] = things.get(values[name])
                whole_links = whole_links and values[name] is not None
        if not whole_links:
            continue
        thing = known.get(reference)
        if thing is not None:
            sayings.hold(said, thing, values, fixed)
            if overwrite(thing, values):
                made.changed.append(thing)
        elif sayings.need(said, needed):
            thing = model(reference=reference, **values)
            made.new.append(thing)
        if thing is not None:
            made.by_reference[reference] = thing
    return made


def blank(thing: models.Model, name: str) -> bool:
    """Whether nothing is kept of an attribute that is no link."""
    return not thing._meta.get_field(name).is_relation and getattr(thing, name) in (None, "")


def same(thing: models.Model, name: str, value) -> bool:
    """Whether a thing has this value, asked without a query."""
    if isinstance(value, models.Model):
        return value.pk is not None and getattr(thing, f"{name}_id") == value.pk
    return getattr(thing, name) == value


def overwrite(thing: models.Model, values: Mapping) -> bool:
    """Set what differs; whether anything did."""
    differs = False
    for name, value in values.items():
        if not same(thing, name, value):
            setattr(thing, name, value)
            differs = True
    return differs


# ---- dated facts ------------------------------------------------------------------------


@dataclass(slots=True)
class Dated:
    """What the dated facts of one sort become: those to write, those to change, by a file's lines.

    columns: attribute → the column it comes from; those compared with what is kept.
    follow: a fact without end ends where the next one starts.
    apart: two of them may not share a day.
    """

    columns: Mapping[str, Column]
    errors: list[RowError]
    follow: bool = False
    apart: bool = True
    start: str = "start"
    new: list[models.Model] = field(default_factory=list)
    touched: dict[int, models.Model] = field(default_factory=dict)

    @property
    def changed(self) -> list[models.Model]:
        return list(self.touched.values())

    def merge(self, known: Sequence[models.Model], wanted: Sequence[tuple[models.Model, TableRow]]) -> None:
        """Add the facts that the file says of one thing to those kept of it."""
        by_start = {self.first(thing): thing for thing in known}
        rows: dict[int, TableRow] = {}
        added: dict[object, models.Model] = {}
        for thing, row in wanted:
            there = by_start.get(self.first(thing))
            if there is None:
                by_start[self.first(thing)] = added[self.first(thing)] = thing
                rows[id(thing)] = row
            elif self.complete(there, thing, row) and there.pk is not None:
                self.touched[id(there)] = there
        self.new.extend(added.values())
        if self.apart:
            self.part(sorted(by_start.values(), key=self.first), rows)

    def first(self, thing):
        return getattr(thing, self.start)

    def complete(self, there, thing, row: TableRow) -> bool:
        """Fill in what was blank; what differs is a fault. Whether anything was filled in."""
        filled = False
        for name, column in self.columns.items():
            value = getattr(thing, name)
            old = getattr(there, name)
            if value in (None, "") or value == old:
                continue
            if (old is None or old == "" or old is False) and not isinstance(value, models.Model):
                setattr(there, name, value)
                filled = True
                continue
            self.errors.append(
                row.error(
                    column.name,
                    _("Another value is already kept for the same day."),
                    _("Leave what is kept, or start a new fact on a later day."),
                )
            )
        return filled

    def part(self, facts: list, rows: dict[int, TableRow]) -> None:
        for before, after in pairwise(facts):
            if before.end is not None and before.end <= after.start:
                continue
            if self.follow and before.end is None:
                before.end = after.start
                if before.pk is not None:
                    self.touched[id(before)] = before
                continue
            row = rows.get(id(after)) or rows.get(id(before))
            if row is not None:
                self.errors.append(
                    row.error(
                        self.columns["end"].name if "end" in self.columns else "",
                        _("It meets another one on the same days, which starts on %(day)s.")
                        % {"day": (before if id(after) in rows else after).start.strftime("%d/%m/%Y")},
                        _("Give the last day of the earlier one on a line of its own, or correct the dates."),
                    )
                )


def together(
    row: TableRow, needed: Sequence[Column], others: Sequence[Column], errors: list[RowError]
) -> bool:
    """Whether a line states a fact: all that it needs is there. A part of it only is a fault."""
    missing = [column for column in needed if row[column.key] is None]
    if missing and any(row[column.key] is not None for column in (*needed, *others)):
        errors.extend(
            row.error(column.name, _("A value is needed with the others."), _("Fill in the cell."))
            for column in missing
        )
    return not missing


def right_iban(row: TableRow, column: Column, errors: list[RowError]) -> str:
    """An account number without spaces, its structure and check digits right; a fault when not."""
    text = re.sub(r"[\s\xa0\u202f]", "", row[column.key]).upper()
    try:
        IBAN(text)
    except ValueError:
        errors.append(row.error(column.name, _("This is not an account number (IBAN)."), _("Copy it again.")))
    return text


def ends_after(row: TableRow, column: Column, start, end, errors: list[RowError]) -> bool:
    """Whether an end (excluded) comes after the start; a fault when not."""
    if start is not None and end is not None and end <= start:
        errors.append(
            row.error(column.name, _("The end comes before the start."), _("Correct one of the two dates."))
        )
        return False
    return True


# ---- writing ----------------------------------------------------------------------------


def write(
    imported: Imported,
    new: Sequence[models.Model],
    changed: Sequence[models.Model] = (),
    names: Sequence[str] = (),
    *,
    echo: Echo = silent,
) -> None:
    """Add and change rows of one model, in batches; counted in `imported`. names: fields changed."""
    rows = [*changed, *new]
    if not rows:
        return
    model = type(rows[0])
    label = str(model._meta.verbose_name_plural)
    # Ends are brought forward first: a fact that follows must find its days free.
    if changed:
        model.objects.bulk_update(changed, names, batch_size=BATCH)
        imported.changed[label] += len(changed)
    if new:
        model.objects.bulk_create(new, batch_size=BATCH)
        imported.created[label] += len(new)
    echo(len(rows), len(rows), label.capitalize())


# ---- a command --------------------------------------------------------------------------


class ImportCommand(BaseCommand):
    """manage.py import_… FILE: progress, what was done, or every fault with its line."""

    def add_arguments(self, parser):
        parser.add_argument("file", metavar="FILE", help=_("a spreadsheet: .xlsx or .csv"))
        parser.add_argument("--by", metavar="USER", default="", help=_("name of the user who imports"))

    def imported(self, path: str, *, by, options: dict) -> Imported:
        raise NotImplementedError

    def handle(self, *args, **options):
        try:
            done = self.imported(options["file"], by=self.user(options["by"]), options=options)
        except BadImport as refused:
            for error in refused.errors[:SHOWN]:
                self.stderr.write(str(error))
            if len(refused.errors) > SHOWN:
                self.stderr.write(_("… and %(count)d more.") % {"count": len(refused.errors) - SHOWN})
            raise CommandError(str(refused)) from refused
        except Refusal as refused:
            raise CommandError(str(refused)) from refused
        for remark in done.remarks[:SHOWN]:
            self.stdout.write(str(remark))
        self.stdout.write(told(done))
        self.tell(done)

    def tell(self, done: Imported) -> None:
        """What more there is to say of what was done; nothing by default."""

    def echo(self, done: int, total: int, label: str) -> None:
        if self.stdout.isatty() or (total and done >= total):
            self.stdout.write(f"  {label}: {done}" + (f" / {total}" if total else ""))

    @staticmethod
    def user(name: str):
        if not name:
            return None
        model = get_user_model()
        try:
            return model.objects.get(username=name)
        except model.DoesNotExist:
            raise CommandError(_("No user is named %(name)s.") % {"name": name}) from None


def told(imported: Imported) -> str:
    """What an import did, in one sentence or two."""
    read = ngettext("%(count)d line read.", "%(count)d lines read.", imported.rows) % {"count": imported.rows}
    if imported.nothing_new:
        return " ".join([read, _("Nothing new: all of it was already there.")])
    parts = [
        f"{title}: " + ", ".join(f"{count} {label}" for label, count in counts.items() if count)
        for title, counts in ((_("Added"), imported.created), (_("Changed"), imported.changed))
        if counts.total()
    ]
    return " ".join([read, *(f"{part}." for part in parts)])
