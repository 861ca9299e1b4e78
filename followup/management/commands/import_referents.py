"""Import who follows which household from a file."""

from core.imports import ImportCommand, Imported
from followup.referents import import_referents


class Command(ImportCommand):
    help = "Import the social referent of each household (menage_reference; travailleur; suivi_depuis)."

    def imported(self, path: str, *, by, options: dict) -> Imported:
        return import_referents(path, by=by, echo=self.echo)
