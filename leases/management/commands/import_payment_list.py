"""Split grouped transfers by their lists."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Refusal
from leases.remittances import import_payment_list


class Command(BaseCommand):
    help = "Split a grouped transfer by its list (bordereau CAF, MSA, FSL, remise de prélèvements ou de chèques)."

    def add_arguments(self, parser):
        parser.add_argument("files", nargs="+", metavar="FILE")

    def handle(self, *, files, **options):
        for name in files:
            path = Path(name)
            try:
                done = import_payment_list(path.read_bytes(), by=None, now=timezone.now())
            except OSError as error:
                raise CommandError(f"{name}: {error.strerror}.") from error
            except Refusal as refusal:
                raise CommandError(f"{path.name}: {refusal}") from refusal
            if done.already:
                self.stdout.write(_("%(file)s: known already, nothing new.") % {"file": path.name})
            else:
                self.stdout.write(
                    _("%(file)s: %(total)s EUR, %(settled)d lines settled, %(odd)d left to identify.")
                    % {
                        "file": path.name,
                        "total": done.total.amount,
                        "settled": done.settled,
                        "odd": done.odd,
                    }
                )
