"""Take in the revision clauses of leases from a file."""

from django.utils import timezone

from core.imports import ImportCommand, Imported
from leases.yearly.revision_clause import import_clauses


class Command(ImportCommand):
    help = "Import what each lease says of its revision (clause de révision), one line a lease."

    def imported(self, path: str, *, by, options: dict) -> Imported:
        return import_clauses(path, by=by, now=timezone.now(), echo=self.echo)
