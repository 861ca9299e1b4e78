"""Mandates from a file (*import des mandats*): those signed before, or kept by another program.

One line per mandate; whole or not at all; the same file again changes nothing. A mandate known
already under another account is amended on its page, so that the bank is told.
"""

from datetime import date

from django.utils.translation import gettext_lazy as _

from core.cells import Column
from core.errors import Refusal
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
from core.tables import RowError, TableRow
from leases.bank_accounts import BankAccount
from leases.collecting.mandates import DebitDay, Mandate, read_iban
from leases.formats.pain008 import plain
from leases.lease import Lease, PayerIban

SEQUENCES = {"récurrent": "RCUR", "unique": "OOFF", "dernier": "FNAL"}
MANDATE_COLUMNS = [
    Column("bail_reference", required=True, key="lease_reference"),
    Column("ics", key="creditor_id", help=_("Creditor identifier; blank where one account only collects.")),
    Column(
        "compte",
        key="account",
        help=_("IBAN of our account collected to; needed where several have one ICS."),
    ),
    Column("rum", key="rum", help=_("The lease's own, or made from its payment reference, when blank.")),
    Column("iban", required=True, key="iban"),
    Column("titulaire", required=True, key="holder", help=_("Holder of the account.")),
    Column("signe_le", "date", required=True, key="signed_on"),
    Column("type", "choice", choices=SEQUENCES, key="sequence", help=_("“récurrent” by default.")),
    Column("preavis_jours", "int", key="notice_days", help=_("Days of notice agreed; 14 when blank.")),
    Column("dernier_prelevement", "date", key="last_used_on", help=_("Last debit made before.")),
    Column("jour", "int", key="day", help=_("Day of the month chosen, among those offered.")),
]
COLUMN = {column.key: column for column in MANDATE_COLUMNS}
FIELDS = {
    "lease_reference": (Lease, "reference"),
    "rum": (Mandate, "rum"),
    "holder": (Mandate, "holder"),
    "notice_days": (Mandate, "notice_days"),
}


def import_mandates(file, *, on: date, by, echo: Echo = silent) -> Imported:
    """Take in a file of mandates. on: from when a day of debit counts. Raises BadImport, BadTable."""
    data = content(file)
    rows, errors = read_lines(
        data, MANDATE_COLUMNS, fields=FIELDS, ranges={"notice_days": (0, 14), "day": (1, 28)}, echo=echo
    )
    imported = Imported(rows=len(rows))
    with whole():
        found = {
            lease.reference: lease
            for lease in kept(Lease.objects.all(), "reference", {row["lease_reference"] for row in rows})
        }
        running = {
            one.lease_id: one
            for one in kept(Mandate.objects.filter(end=None), "lease_id", {le.pk for le in found.values()})
        }
        creditors = list(BankAccount.objects.exclude(creditor_id="").order_by("pk"))
        taken = _rums_elsewhere(rows, found)
        mandates, days = [], []
        for row in rows:
            lease = found.get(row["lease_reference"])
            made = _mandate(row, lease, running, creditors, taken, errors)
            if made is None:
                continue
            running[made.lease_id] = made
            taken[made.rum] = made.lease_id
            mandates.append(made)
            if row["day"]:
                if row["day"] not in made.creditor.debit_days:
                    fault(
                        row, "day", _("This day is not offered."), _("Choose a day of the account."), errors
                    )
                days.append(DebitDay(lease=lease, day=row["day"], start=on, by=by))
        stop_at_faults(errors)
        for made in mandates:
            made.lease.debit_mandate = made.rum
        Lease.objects.bulk_update([one.lease for one in mandates], ["debit_mandate"], batch_size=2_000)
        write(imported, mandates, echo=echo)
        PayerIban.objects.bulk_create(
            (PayerIban(lease=one.lease, iban=one.iban, since=one.signed_on) for one in mandates),
            batch_size=2_000,
            ignore_conflicts=True,
        )
        DebitDay.objects.bulk_create(days, batch_size=2_000, ignore_conflicts=True)
        imported.remarks = list(errors)
        record(by, "mandate", data, imported)
    return imported


def _mandate(
    row: TableRow,
    lease: Lease | None,
    running: dict[int, Mandate],
    creditors: list[BankAccount],
    taken: dict[str, int],
    errors: list[RowError],
) -> Mandate | None:
    """The mandate of a line, unsaved; None where it is there already, or has a fault."""
    if lease is None:
        fault(row, "lease_reference", _("No lease has this reference."), _("Import the lease first."), errors)
        return None
    asked, account = ("".join((row[key] or "").split()).upper() for key in ("creditor_id", "account"))
    fit = [
        one
        for one in creditors
        if (not asked or one.creditor_id == asked) and (not account or one.iban == account)
    ]
    if len(fit) != 1:
        fault(
            row,
            "creditor_id",
            _("No single account of ours collects so."),
            _("Give the ICS and the account."),
            errors,
        )
        return None
    try:
        iban = read_iban(row["iban"], place="")
    except Refusal as refusal:
        fault(row, "iban", refusal.reason, refusal.remedy, errors)
        return None
    known = running.get(lease.pk)
    if known is not None:
        if known.iban != iban or (row["rum"] and row["rum"] != known.rum):
            fault(
                row,
                "iban",
                _("This lease has a mandate that says something else."),
                _("Amend or end it on its page, so that the bank is told."),
                errors,
            )
        return None
    rum = row["rum"] or lease.debit_mandate or f"{lease.payment_reference}-01"
    if rum != plain(rum, 35):
        fault(row, "rum", _("Banks do not take this reference."), _("Use letters and digits."), errors)
        return None
    if taken.get(rum, lease.pk) != lease.pk:
        fault(row, "rum", _("This reference is that of another lease."), _("Correct one of the two."), errors)
        return None
    return Mandate(
        lease=lease,
        creditor=fit[0],
        rum=rum,
        holder=row["holder"],
        iban=iban,
        signed_on=row["signed_on"],
        sequence=row["sequence"] or Mandate.Sequence.RECURRENT,
        notice_days=row["notice_days"],
        last_used_on=row["last_used_on"],
    )


def _rums_elsewhere(rows: list[TableRow], found: dict[str, Lease]) -> dict[str, int]:
    """RUM → the lease that has it, of all that the file may give."""
    wanted = {row["rum"] for row in rows if row["rum"]}
    wanted |= {lease.debit_mandate or f"{lease.payment_reference}-01" for lease in found.values()}
    taken = {one.debit_mandate: one.pk for one in kept(Lease.objects.all(), "debit_mandate", wanted)}
    # An ended mandate keeps its reference for good.
    return taken | {one.rum: -one.lease_id for one in kept(Mandate.objects.exclude(end=None), "rum", wanted)}


def fault(row: TableRow, key: str, reason, remedy, errors: list[RowError]) -> None:
    errors.append(row.error(COLUMN[key].name, reason, remedy))
