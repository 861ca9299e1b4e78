"""What each contract says of its revision, as dated facts (*clause de révision*)."""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.cells import Column
from core.errors import Refusal
from core.imports import Echo, Imported, content, kept, read_lines, record, silent, stop_at_faults, whole
from leases.kinds import KINDS
from leases.lease import Lease
from leases.yearly.indices import SERIES_WORDS, IndexValue
from leases.yearly.revision_rule import REV_L89, Clause

NEEDING = tuple(kind.code for kind in KINDS.values() if kind.revision == REV_L89)
"""Kinds of contract that are revised only where they have a clause."""


class RevisionClause(models.Model):
    """What the contract says of its revision from a day on (*clause de révision*).

    month_day: MM-DD, the anniversary when blank. quarter: 1 to 4, the last published at signature when
    null. series: that of where the home is when blank. Conventioned rents need no clause.
    """

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="revision_clauses")
    start = models.DateField(_("from"))
    revised = models.BooleanField(_("has a revision clause"), default=True)
    month_day = models.CharField(_("revision day"), max_length=5, blank=True)
    quarter = models.PositiveSmallIntegerField(_("quarter of the index"), null=True, blank=True)
    series = models.CharField(_("series"), max_length=12, choices=IndexValue.Series, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("revision clause"), _("revision clauses")
        constraints = [
            models.UniqueConstraint(
                fields=["lease", "start"],
                name="revision_clause_once",
                violation_error_message=_("A clause is recorded from that day already."),
            ),
            models.CheckConstraint(
                name="revision_clause_quarter",
                condition=Q(quarter__isnull=True) | Q(quarter__gte=1, quarter__lte=4),
            ),
        ]

    def __str__(self):
        return f"{self.lease_id} {self.start}"


class ClauseRefused(Refusal):
    """A clause that cannot be recorded as told."""


def clause_on(lease: Lease, day: date) -> RevisionClause | None:
    """The clause in force on a day, None where none is recorded."""
    return lease.revision_clauses.filter(start__lte=day).order_by("-start").first()


def record_clause(lease: Lease, *, since: date, clause: Clause, by) -> RevisionClause:
    """Record what the contract says of its revision from a day on; the same day again corrects it.

    Raises ClauseRefused for a day that is in no year, or before the lease.
    """
    if clause.month_day and not _a_day(clause.month_day):
        raise ClauseRefused(
            lease.reference, _("This day is in no year."), _("Give a day and its month, or leave both blank.")
        )
    if since < lease.start:
        raise ClauseRefused(
            lease.reference,
            _("The clause would hold before the lease starts."),
            _t("Give a day on or after %(start)s.") % {"start": lease.start},
        )
    with transaction.atomic():
        kept, _made = RevisionClause.objects.update_or_create(
            lease=lease,
            start=since,
            defaults={
                "revised": clause.revised,
                "month_day": clause.month_day,
                "quarter": clause.quarter,
                "series": clause.series,
            },
        )
        audit.record(by, "change", "revision", lease.pk)
    return kept


def without_clause(kind: str) -> models.QuerySet:
    """Leases of a kind of which nothing says whether they have a clause."""
    return Lease.objects.filter(kind=kind, revision_clauses=None)


def record_model_clause(kind: str, *, by, but: Sequence[int] = ()) -> int:
    """Record that every lease of a kind of which nothing is said has the clause of the model contract.

    but: leases (ids) to leave as they are. Day and quarter are then those of the law: anniversary, last index out at signature. How many.
    Raises ClauseRefused for a kind that needs none.
    """
    if kind not in NEEDING:
        raise ClauseRefused(
            KINDS[kind].label if kind in KINDS else kind,
            _("This kind of contract needs no revision clause."),
            _("Choose another kind."),
        )
    with transaction.atomic():
        silent = without_clause(kind).exclude(pk__in=but).values_list("pk", "start")
        told = len(
            RevisionClause.objects.bulk_create(
                [RevisionClause(lease_id=pk, start=start) for pk, start in silent], batch_size=2_000
            )
        )
        audit.record(by, "change", "revision", kind=kind, clauses=told)
    return told


def _a_day(month_day: str) -> bool:
    try:
        date.fromisoformat(f"2024-{month_day}")
    except ValueError:
        return False
    return True


# ---- from a file ------------------------------------------------------------------------

CLAUSE_COLUMNS = [
    Column("bail_reference", key="reference", required=True),
    Column("clause", "bool", key="revised", required=True, help=_("Whether the contract has one.")),
    Column("depuis", "date", key="since", help=_("From when it holds; the start of the lease by default.")),
    Column("jour", "int", key="day", help=_("Day of the revision; the anniversary when blank.")),
    Column("mois", "int", key="month", help=_("Month of the revision, from 1 to 12.")),
    Column(
        "trimestre", "int", key="quarter", help=_("From 1 to 4; the last published at signature when blank.")
    ),
    Column("serie", "choice", choices=SERIES_WORDS, key="series", help=_("Where the home is, when blank.")),
]
RANGES = {"day": (1, 31), "month": (1, 12), "quarter": (1, 4)}


def import_clauses(file, *, by, now: datetime, echo: Echo = silent) -> Imported:
    """Take in a file of clauses, one a line, whole or not at all; the same file again changes nothing.

    Raises BadImport with every fault; BadTable for what is no table.
    """
    data = content(file)
    fields = {"reference": (Lease, "reference")}
    rows, errors = read_lines(data, CLAUSE_COLUMNS, fields=fields, ranges=RANGES, echo=echo)
    imported = Imported(rows=len(rows))
    with whole():
        references = [row["reference"] for row in rows]
        leases = {lease.reference: lease for lease in kept(Lease.objects, "reference", references)}
        ids = [lease.pk for lease in leases.values()]
        known = {(one.lease_id, one.start): one for one in kept(RevisionClause.objects, "lease_id", ids)}
        new, changed = [], []
        for row in rows:
            lease, month_day = leases.get(row["reference"]), ""
            if row["day"] or row["month"]:
                month_day = f"{row['month'] or 0:02d}-{row['day'] or 0:02d}"
            if lease is None:
                fault = "bail_reference", _t("No lease has this reference."), _t("Correct the reference.")
            elif month_day and not _a_day(month_day):
                fault = (
                    "jour",
                    _t("This day is in no year."),
                    _t("Give a day and its month, or leave both blank."),
                )
            elif (start := row["since"] or lease.start) < lease.start:
                fault = "depuis", _t("The clause would hold before the lease starts."), _t("Correct the day.")
            else:
                told = {
                    "revised": row["revised"],
                    "month_day": month_day,
                    "quarter": row["quarter"],
                    "series": row["series"] or "",
                }
                one = known.get((lease.pk, start))
                if one is None:
                    known[lease.pk, start] = one = RevisionClause(lease=lease, start=start, **told)
                    new.append(one)
                elif any(getattr(one, name) != value for name, value in told.items()):
                    for name, value in told.items():
                        setattr(one, name, value)
                    changed.append(one)
                continue
            errors.append(row.error(*fault))
        stop_at_faults(errors)
        RevisionClause.objects.bulk_create(new, batch_size=2_000)
        RevisionClause.objects.bulk_update(
            [one for one in changed if one.pk],
            ["revised", "month_day", "quarter", "series"],
            batch_size=1_000,
        )
        words = str(RevisionClause._meta.verbose_name_plural)
        imported.created[words], imported.changed[words] = len(new), len(changed)
        imported.remarks = list(errors)
        record(by, "revision", data, imported)
    return imported
