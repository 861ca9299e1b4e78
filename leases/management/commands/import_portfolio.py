"""Import the stock of homes from a file."""

from django.utils import timezone

from core.imports import ImportCommand, Imported
from leases.imports import import_stock


class Command(ImportCommand):
    help = "Import owners, buildings, homes, places and their dated facts from one spreadsheet."

    def imported(self, path: str, *, by, options: dict) -> Imported:
        return import_stock(path, by=by, now=timezone.now(), echo=self.echo)
