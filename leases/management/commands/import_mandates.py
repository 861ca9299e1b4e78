"""Import direct-debit mandates from a file."""

from core.imports import ImportCommand, Imported
from core.today import today
from leases.collecting.mandate_file import import_mandates


class Command(ImportCommand):
    help = "Import direct-debit mandates (mandats de prélèvement) from one spreadsheet."

    def imported(self, path: str, *, by, options: dict) -> Imported:
        return import_mandates(path, on=today(), by=by, echo=self.echo)
