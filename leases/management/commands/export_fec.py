"""Write the accounting file of a year (FEC) to a directory, and check it."""

import sys
from datetime import date
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Refusal
from leases.accounts.fec import begin_fec, in_words
from leases.formats import fec
from leases.models import Book


class Command(BaseCommand):
    help = "Write the accounting file of a year (FEC, LPF art. A47 A-1) and check it."

    def add_arguments(self, parser):
        parser.add_argument("--year", type=int, help="the calendar year")
        parser.add_argument(
            "--last-day", type=date.fromisoformat, help="YYYY-MM-DD, of a year that is not calendar"
        )
        parser.add_argument(
            "--owner", default="", help="reference of the mandant whose book it is; the association's without"
        )
        parser.add_argument("--to", default=".", help="directory to write to")
        parser.add_argument("--pipe", action="store_true", help="part the fields by | rather than by a tab")

    def handle(self, *, year, last_day, owner, to, pipe, **options):
        if not last_day and not year:
            raise CommandError(_("Give --year or --last-day."))
        book = None
        if owner:
            book = Book.objects.filter(owner__reference=owner).first()
            if book is None:
                raise CommandError(
                    _("%(owner)s has no book: look at the owner's mandates.") % {"owner": owner}
                )
        try:
            made, _job = begin_fec(
                last_day or date(year, 12, 31),
                book=book,
                separator=fec.PIPE if pipe else fec.TAB,
                by=None,
                now=timezone.now(),
                wait=True,
                echo=self.stdout.write,
            )
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        made.refresh_from_db()
        path = Path(to) / made.name
        with path.open("wb") as file:
            file.writelines(made.content())
        self.stdout.write(
            _("%(file)s: %(entries)d entries, %(lines)d lines, %(debit)s EUR debited and credited.")
            % {"file": path, "entries": made.entries, "lines": made.lines, "debit": made.debit.amount}
        )
        for fault in made.faults:
            self.stderr.write("{line} {column}: {reason} {remedy}".format(**in_words(fault)))
        if made.fault_count:
            sys.exit(1)
