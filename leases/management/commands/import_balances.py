"""Take over the balances kept by another program, and compare file and ledger."""

from datetime import date

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from core.imports import SHOWN, ImportCommand, Imported
from leases.opening import import_balances


class Command(ImportCommand):
    help = "Take over opening balances from one spreadsheet, then compare it with the ledger to the cent."

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument(
            "--on",
            required=True,
            type=date.fromisoformat,
            metavar="YYYY-MM-DD",
            help=_("first day that the accounts are kept here, the first of a month"),
        )

    def imported(self, path: str, *, by, options: dict) -> Imported:
        return import_balances(path, on=options["on"], by=by, now=timezone.now(), echo=self.echo)

    def tell(self, done: Imported) -> None:
        for label, count, in_file, in_ledger in done.report.totals():
            self.stdout.write(
                _("%(label)s: %(count)d balances, %(file)s in the file, %(ledger)s in the ledger.")
                % {"label": label, "count": count, "file": in_file, "ledger": in_ledger}
            )
        differences = done.report.differences
        for line in differences[:SHOWN]:
            self.stderr.write(f"{line.reference} {line.month or ''}: {line.file} ≠ {line.ledger}")
        if differences:
            raise CommandError(_("%(count)d balances differ.") % {"count": len(differences)})
        self.stdout.write(_("File and ledger agree to the cent."))
