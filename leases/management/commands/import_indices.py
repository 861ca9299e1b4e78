"""Take in values of the rent index: those of a file, or those shipped with the program."""

from django.utils import timezone

from core.imports import ImportCommand, Imported
from leases.yearly.indices import SHIPPED, import_indices


class Command(ImportCommand):
    help = "Import values of the rent index (IRL); without a file, those shipped with the program."

    def add_arguments(self, parser):
        parser.add_argument("file", metavar="FILE", nargs="?", default=str(SHIPPED))
        parser.add_argument("--by", metavar="USER", default="")

    def imported(self, path: str, *, by, options: dict) -> Imported:
        return import_indices(path, by=by, now=timezone.now(), echo=self.echo)
