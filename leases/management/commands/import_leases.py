"""Import leases from a file."""

from django.utils import timezone

from core.imports import ImportCommand, Imported
from leases.imports import import_leases


class Command(ImportCommand):
    help = "Import leases, households, rents, benefits and occupations from one spreadsheet."

    def imported(self, path: str, *, by, options: dict) -> Imported:
        return import_leases(path, by=by, now=timezone.now(), echo=self.echo)
