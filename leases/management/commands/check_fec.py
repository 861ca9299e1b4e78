"""Check an accounting file (FEC) as the tax administration's tool does."""

import sys
from datetime import date
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from leases.accounts.fec import FecFile, compare, in_words
from leases.formats import fec


class Command(BaseCommand):
    help = "Check an accounting file (FEC): its columns, dates, amounts, numbers, balance; against the trial balance where it was made here."

    def add_arguments(self, parser):
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--start", type=date.fromisoformat, help="YYYY-MM-DD: first day of the year")

    def handle(self, *, file, start, **options):
        path = Path(file)
        made = FecFile.objects.exclude(finished_at=None).filter(name=path.name).order_by("-pk").first()
        try:
            with path.open("rb") as lines:
                report = fec.check(lines, name=path.name, start=start or (made.start if made else None))
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}.") from error
        if made:
            compare(report, made)
        for fault in report.faults:
            self.stderr.write("{line} {column}: {reason} {remedy}".format(**in_words(fault)))
        if report.count:
            self.stderr.write(_("%(count)d faults.") % {"count": report.count})
            sys.exit(1)
        told = _("%(file)s holds: %(entries)d entries, %(lines)d lines, %(debit)s EUR.") % {
            "file": path.name,
            "entries": report.entries,
            "lines": report.lines,
            "debit": fec.amount(report.debit),
        }
        self.stdout.write(told)
        self.stdout.write(
            _("It agrees with the trial balance.")
            if made
            else _("It was not made here: it is not held against a trial balance.")
        )
