"""Expenses and values of keys from a spreadsheet (*import des dépenses, des clés*): whole or not at all.

The same file again changes nothing: an invoice already entered for a place and nature is recognised;
with another amount it is a fault. docs/imports.md is the reader's version of the columns.
"""

from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.cells import Column
from core.imports import (
    Echo,
    Imported,
    content,
    kept,
    read_lines,
    record,
    silent,
    stop_at_faults,
    whole,
    write,
)
from core.periods import ONE_DAY, Period
from core.tables import RowError, TableRow
from leases.yearly.expenses import (
    CATEGORIES,
    EQUAL,
    EVERY,
    METER,
    MOST,
    MOST_EUROS,
    OCCUPANTS,
    SURFACE,
    TANTIEMES,
    Expense,
    ExpenseRefused,
    UnitShare,
    drafted,
    exercise,
)
from portfolio.stock import Building, Site, Unit

KEY_WORDS = {
    "surface": SURFACE,
    "parts égales": EQUAL,
    "tantièmes": TANTIEMES,
    "occupants": OCCUPANTS,
    "compteur": METER,
}
CATEGORY_WORDS = {one.french: one.code for one in CATEGORIES.values()}
YEARS = (2000, 2100)

EXPENSE_COLUMNS = [
    Column("annee", "int", key="year", required=True, help=_("The year of charges.")),
    Column("site_reference", key="site", help=_("For an expense shared by the whole site.")),
    Column("immeuble_reference", key="building", help=_("For an expense of one building.")),
    Column("logement_reference", key="unit", help=_("For an expense of one home.")),
    Column("nature", "choice", choices=CATEGORY_WORDS, key="category", required=True),
    Column("cle", "choice", choices=KEY_WORDS, key="key", help=_("The usual one of the nature by default.")),
    Column("fournisseur", key="supplier", required=True),
    Column("facture", key="invoice", required=True, help=_("Its number; the same invoice is taken once.")),
    Column("facture_le", "date", key="invoiced_on"),
    Column("montant", "euros", key="amount", required=True),
    Column("recuperable", "euros", key="recoverable", help=_("What the law allows by default.")),
    Column("debut", "date", key="start", help=_("First day it is for; of the year by default.")),
    Column("fin", "date", key="end", help=_("Last day it is for.")),
]
SHARE_COLUMNS = [
    Column("logement_reference", key="unit", required=True),
    Column(
        "cle",
        "choice",
        choices={word: KEY_WORDS[word] for word in ("tantièmes", "compteur")},
        key="key",
        required=True,
    ),
    Column("nature", "choice", choices=CATEGORY_WORDS, key="category", help=_("Blank: for every nature.")),
    Column("annee", "int", key="year", help=_("Blank: for every year.")),
    Column("valeur", "decimal", key="value", required=True),
]
COLUMN = {column.key: column for column in (*SHARE_COLUMNS, *EXPENSE_COLUMNS)}
PLACES = {"site": Site, "building": Building, "unit": Unit}


def import_expenses(file, *, by, now: datetime, echo: Echo = silent) -> Imported:
    """Take in a file of expenses, whole or not at all; the same file again changes nothing.

    file: path, bytes or binary file (.xlsx, .csv). Raises BadImport with every fault; BadTable.
    """
    data = content(file)
    ranges = {"year": YEARS, "amount": (-MOST_EUROS, MOST_EUROS)}
    rows, errors = read_lines(data, EXPENSE_COLUMNS, fields={}, ranges=ranges, echo=echo)
    imported = Imported(rows=len(rows))
    with whole():
        places = {name: _named(model, [row[name] for row in rows]) for name, model in PLACES.items()}
        years = {year: exercise(year) for year in {row["year"] for row in rows}}
        known = _standing(rows)
        new: list[Expense] = []
        for row in rows:
            draft = _draft(row, places, years, errors, by=by, now=now)
            if draft is None:
                continue
            there = known.setdefault(_identity(draft), draft)
            if there is draft:
                new.append(draft)
            elif (there.amount, there.recoverable) != (draft.amount, draft.recoverable):
                errors.append(
                    row.error(
                        COLUMN["amount"].name,
                        _("This invoice is already entered with another amount."),
                        _("Reverse the first one, or correct the line."),
                    )
                )
        stop_at_faults(errors)
        write(imported, new, echo=echo)
        imported.remarks = list(errors)
        record(by, "expense", data, imported)
    return imported


def import_shares(file, *, by, now: datetime, echo: Echo = silent) -> Imported:
    """Take in a file of values of keys (*tantièmes, relevés*); a value kept already is replaced.

    Raises BadImport with every fault; BadTable.
    """
    data = content(file)
    ranges = {"year": YEARS, "value": (0, int(MOST))}
    rows, errors = read_lines(data, SHARE_COLUMNS, fields={}, ranges=ranges, echo=echo)
    imported = Imported(rows=len(rows))
    with whole():
        units = _named(Unit, [row["unit"] for row in rows])
        wanted: dict[tuple, tuple[UnitShare, TableRow]] = {}
        for row in rows:
            unit = _found(row, "unit", units, errors)
            if unit is None:
                continue
            share = UnitShare(
                unit=unit,
                key=row["key"],
                category=row["category"] or EVERY,
                year=row["year"] or EVERY,
                value=row["value"],
            )
            first, line = wanted.setdefault(_place_of(share), (share, row))
            if first.value != share.value:
                errors.append(
                    row.error(
                        COLUMN["value"].name,
                        _("Line %(line)d says something else of %(reference)s.")
                        % {"line": line.line, "reference": unit.reference},
                        _("Write the same on both lines, or leave one blank."),
                    )
                )
        stop_at_faults(errors)
        there = {
            _place_of(one): one
            for one in kept(UnitShare.objects, "unit_id", {share.unit_id for share, _row in wanted.values()})
        }
        new, changed = [], []
        for place, (share, _row) in wanted.items():
            old = there.get(place)
            if old is None:
                new.append(share)
            elif old.value != share.value:
                old.value = share.value
                changed.append(old)
        write(imported, new, changed, ["value"], echo=echo)
        imported.remarks = list(errors)
        record(by, "expense", data, imported)
    return imported


def _draft(row: TableRow, places, years, errors: list[RowError], *, by, now) -> Expense | None:
    """The expense of a line, or its faults."""
    named = {name: _found(row, name, places[name], errors) for name in PLACES if row[name] is not None}
    if any(place is None for place in named.values()):
        return None
    days = years[row["year"]]
    first, last = row["start"] or days.start, row["end"] or days.last_day
    if last < first:
        errors.append(
            row.error(
                COLUMN["end"].name, _("The end comes before the start."), _("Correct one of the two dates.")
            )
        )
        return None
    try:
        return drafted(
            **named,
            whole=days,
            days=Period(first, last + ONE_DAY),
            by=by,
            now=now,
            **{
                name: row[name]
                for name in ("year", "category", "amount", "key", "recoverable", "invoiced_on")
            },
            **{name: row[name] for name in ("supplier", "invoice")},
        )
    except ExpenseRefused as refusal:
        column = COLUMN["recoverable" if named else "building"].name
        errors.append(row.error(column, refusal.reason, refusal.remedy))
        return None


def _named(model, references) -> dict:
    return {one.reference: one for one in kept(model.objects, "reference", references)}


def _found(row: TableRow, name: str, things: dict, errors: list[RowError]):
    """The thing that a cell names, or a fault."""
    thing = things.get(row[name])
    if thing is None:
        errors.append(
            row.error(
                COLUMN[name].name,
                _("Nothing has the reference “%(reference)s”.") % {"reference": row[name]},
                _("Correct the reference, or import the portfolio first."),
            )
        )
    return thing


def _standing(rows: list[TableRow]) -> dict[tuple, Expense]:
    """Expenses already entered under the invoices of a file, by what makes them the same."""
    years = {row["year"] for row in rows}
    there = Expense.objects.standing().filter(Q(year__in=years)).exclude(invoice="")
    return {_identity(one): one for one in kept(there, "invoice", [row["invoice"] for row in rows])}


def _identity(one: Expense) -> tuple:
    place = (one.site_id, one.building_id, one.unit_id)
    return (one.supplier, one.invoice, one.category, one.year, *place)


def _place_of(share: UnitShare) -> tuple:
    return share.unit_id, share.key, share.category, share.year
