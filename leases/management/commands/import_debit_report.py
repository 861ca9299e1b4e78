"""Read what the bank answers about direct debits."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Refusal
from leases.collecting.mandates import return_code
from leases.collecting.returns import import_debit_report


class Command(BaseCommand):
    help = "Read pain.002 reports and camt.054 notices about direct debits; nothing is posted from them."

    def add_arguments(self, parser):
        parser.add_argument("files", nargs="+", metavar="FILE")

    def handle(self, *, files, **options):
        for name in files:
            path = Path(name)
            try:
                done = import_debit_report(path.read_bytes(), path.name, by=None, now=timezone.now())
            except OSError as error:
                raise CommandError(f"{name}: {error.strerror}.") from error
            except Refusal as refusal:
                raise CommandError(f"{path.name}: {refusal}") from refusal
            self.stdout.write(
                _("%(file)s: %(new)d debits sent back, %(known)d known already.")
                % {"file": path.name, "new": len(done.returned), "known": done.known}
            )
            for debit in done.returned:
                self.stdout.write(f"  {debit.end_to_end}: {return_code(debit.returned.code).meaning}")
            for reference in done.unknown:
                self.stderr.write(_("  %(reference)s was not made here.") % {"reference": reference})
