"""The rent index by quarter (*indice de référence des loyers, IRL*): published values, as rows.

Three series, never mixed: metropolitan France, Corsica and overseas, the last two capped apart from
2022 to 2024. Values are published already capped: nothing is added to them here.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core.cells import Column
from core.imports import Echo, Imported, content, read_lines, record, silent, stop_at_faults, whole
from core.law import rule
from core.periods import add_months
from core.tables import RowError, TableRow

SHIPPED = Path(__file__).resolve().parent / "irl.csv"
"""The metropolitan series as published until the program was made."""
WRITTEN = re.compile(r"([0-9]{4})-?\s?[TtQq]([1-4])")


@dataclass(frozen=True, slots=True, order=True)
class Quarter:
    """A quarter of a year (*trimestre*), written 2026-T2."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Quarter | None":
        """The quarter written 2026-T2; None where it is none."""
        found = WRITTEN.fullmatch(text.strip())
        return cls(int(found[1]), int(found[2])) if found else None

    def __str__(self) -> str:
        return f"{self.year}-T{self.number}"

    @property
    def after(self) -> "Quarter":
        return Quarter(self.year, self.number + 1) if self.number < 4 else Quarter(self.year + 1, 1)

    @property
    def year_before(self) -> "Quarter":
        return Quarter(self.year - 1, self.number)

    @property
    def published(self) -> date:
        """The day its value is out by Insee's usage (INDEX_PUBLICATION)."""
        first_after = add_months(date(self.year, 1, 1), 3 * self.number)
        return first_after.replace(day=publication_day())


def publication_day() -> int:
    """Day of the month after a quarter on which its value is out."""
    day: int = rule("INDEX_PUBLICATION", on=date.max).value
    return day


def latest(on: date, number: int | None = None) -> Quarter:
    """The last quarter published on a day; number: the last of that quarter of the year."""
    found = max(
        quarter
        for year in range(on.year - 2, on.year + 1)
        for each in range(1, 5)
        if (quarter := Quarter(year, each)).published <= on and number in (None, each)
    )
    return found


class IndexValue(models.Model):
    """One published value of the index (*valeur de l'IRL*): kept in hundredths, so that SQL is exact."""

    class Series(models.TextChoices):
        METROPOLITAN = "metropolitan", _("Metropolitan France")
        CORSICA = "corsica", _("Corsica")
        OVERSEAS = "overseas", _("Overseas")

    series = models.CharField(_("series"), max_length=12, choices=Series, default=Series.METROPOLITAN)
    year = models.PositiveSmallIntegerField(_("year"))
    quarter = models.PositiveSmallIntegerField(_("quarter"))
    hundredths = models.PositiveIntegerField(_("hundredths"))
    published_on = models.DateField(_("published on"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("rent index"), _("rent indices")
        constraints = [
            models.UniqueConstraint(
                fields=["series", "year", "quarter"],
                name="index_value_once",
                violation_error_message=_("This quarter already has a value."),
            ),
            models.CheckConstraint(
                name="index_value_of_a_quarter", condition=Q(quarter__gte=1, quarter__lte=4)
            ),
            models.CheckConstraint(name="index_value_above_zero", condition=Q(hundredths__gt=0)),
        ]

    def __str__(self):
        return f"{self.of} {self.value}"

    @property
    def of(self) -> Quarter:
        return Quarter(self.year, self.quarter)

    @property
    def value(self) -> Decimal:
        return Decimal(self.hundredths).scaleb(-2)


def series_of(postcode: str) -> str:
    """The series of a home by where it is (*métropole, Corse, outre-mer*)."""
    if postcode[:2] == "20":
        return IndexValue.Series.CORSICA
    if postcode[:2] in ("97", "98"):
        return IndexValue.Series.OVERSEAS
    return IndexValue.Series.METROPOLITAN


SERIES_WORDS = {
    "metropole": IndexValue.Series.METROPOLITAN.value,
    "corse": IndexValue.Series.CORSICA.value,
    "outre-mer": IndexValue.Series.OVERSEAS.value,
}
INDEX_COLUMNS = [
    Column(
        "serie",
        "choice",
        choices=SERIES_WORDS,
        key="series",
        help=_("“metropole” by default; Corsica and overseas have their own series."),
    ),
    Column("trimestre", key="quarter", required=True, help=_("The quarter, written 2026-T2.")),
    Column("valeur", "decimal", key="value", required=True, help=_("As published, two decimals.")),
    Column("publie_le", "date", key="published_on", help=_("Day of publication, where known.")),
]
RANGES = {"value": (Decimal("50.00"), Decimal("999.99"))}


def import_indices(file=SHIPPED, *, by, now: datetime, echo: Echo = silent) -> Imported:
    """Take in values of the index, whole or not at all; the same values again change nothing.

    file: path, bytes or binary file (.xlsx, .csv); by default the series shipped with the program.
    Refused: what is no quarter, one that is not over, a value other than the one kept, a gap.
    Raises BadImport with every fault; BadTable for what is no table.
    """
    data = content(file)
    rows, errors = read_lines(data, INDEX_COLUMNS, fields={}, ranges=RANGES, echo=echo)
    imported = Imported(rows=len(rows))
    with whole():
        kept = {(each.series, each.of): each.hundredths for each in IndexValue.objects.all()}
        new: dict[tuple[str, Quarter], tuple[TableRow, IndexValue]] = {}
        for row in rows:
            if said := _read(row, errors, kept, new, on=now.date()):
                new[said.series, said.of] = row, said
        _refuse_gaps(kept, new, errors)
        stop_at_faults(errors)
        IndexValue.objects.bulk_create([said for _row, said in new.values()])
        if new:
            imported.created[str(IndexValue._meta.verbose_name_plural)] = len(new)
        imported.remarks = list(errors)
        record(by, "revision", data, imported)
    return imported


def _read(row: TableRow, errors: list[RowError], kept: dict, new: dict, *, on: date) -> IndexValue | None:
    """What one line says, where it is new and without fault."""
    series = row["series"] or IndexValue.Series.METROPOLITAN.value
    quarter = Quarter.parse(row["quarter"])
    hundredths = row["value"].scaleb(2)

    def fault(column: str, reason: str, remedy: str) -> None:
        errors.append(row.error(column, reason, remedy))

    if quarter is None:
        fault("trimestre", _t("This is not a quarter."), _t("Write it as 2026-T2."))
        return None
    if hundredths != hundredths.to_integral_value():
        fault("valeur", _t("The index has two decimals."), _t("Write it as published."))
        return None
    if add_months(date(quarter.year, 1, 1), 3 * quarter.number) > on:
        fault("trimestre", _t("This quarter is not over: it has no index yet."), _t("Wait for Insee."))
        return None
    before = kept.get((series, quarter))
    if before is None and (series, quarter) in new:
        before = new[series, quarter][1].hundredths
    if before is not None:
        if before != int(hundredths):
            fault(
                "valeur",
                _t("Another value is kept for this quarter: %(value)s.")
                % {"value": Decimal(before).scaleb(-2)},
                _t("Check it at Insee; a value in use is not replaced."),
            )
        return None
    return IndexValue(
        series=series,
        year=quarter.year,
        quarter=quarter.number,
        hundredths=int(hundredths),
        published_on=row["published_on"],
    )


def _refuse_gaps(kept: dict, new: dict, errors: list[RowError]) -> None:
    """A fault for each new value that leaves a quarter without one before it."""
    known = kept.keys() | new.keys()
    first: dict[str, Quarter] = {}
    for series, quarter in known:
        first[series] = min(quarter, first.get(series, quarter))
    followed = {(series, quarter.after) for series, quarter in known}
    for (series, quarter), (row, _said) in sorted(new.items()):
        if quarter != first[series] and (series, quarter) not in followed:
            errors.append(
                row.error(
                    "trimestre",
                    _t("The quarter before it has no value."),
                    _t("Give every quarter since the last one known."),
                )
            )
    # A series begun earlier than what is kept must reach it.
    for series in {series for series, _quarter in kept}:
        oldest = min(quarter for kept_series, quarter in kept if kept_series == series)
        if first[series] < oldest and (series, oldest) not in followed:
            row = new[series, first[series]][0]
            errors.append(
                row.error(
                    "trimestre",
                    _t("These quarters do not reach the first one known: %(quarter)s.") % {"quarter": oldest},
                    _t("Give every quarter up to it."),
                )
            )
