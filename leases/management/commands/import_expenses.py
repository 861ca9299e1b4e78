"""Take in the expenses of buildings, or the values of distribution keys, from a spreadsheet."""

from django.utils import timezone
from django.utils.translation import gettext as _

from core.imports import ImportCommand, Imported
from leases.yearly.expense_files import import_expenses, import_shares


class Command(ImportCommand):
    help = "Import expenses of buildings from one spreadsheet; with --keys, tantièmes and meter readings."

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("--keys", action="store_true", help=_("the file holds values of keys"))

    def imported(self, path: str, *, by, options: dict) -> Imported:
        work = import_shares if options["keys"] else import_expenses
        return work(path, by=by, now=timezone.now(), echo=self.echo)
