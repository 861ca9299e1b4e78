"""Make the receipts of a month for the whole stock: archived, e-mailed, the rest in print files."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from core import documents
from core.documents import Sending
from core.errors import Refusal
from core.periods import NotAMonth, Period
from core.today import today
from leases.papers import batch
from leases.papers.months import RECEIPT


class Command(BaseCommand):
    help = (
        "Make the receipts of a month (quittances, reçus). Run again, it makes only what says something new."
    )
    paper = RECEIPT

    def add_arguments(self, parser):
        parser.add_argument("--month", required=True, help="YYYY-MM")
        parser.add_argument("--no-email", action="store_true", help="send nothing by e-mail")
        parser.add_argument("--print-file", type=Path, help="where to write what is to be printed (PDF)")

    def handle(self, *args, **options):
        try:
            month = Period.parse_month(options["month"]).start
        except NotAMonth as error:
            raise CommandError(str(error)) from error
        try:
            done = batch.begin(
                self.paper,
                month,
                on=today(),
                by=None,
                email=not options["no_email"],
                wait=True,
                echo=self.stdout.write,
            )
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            _("%(month)s: %(made)d papers made, %(sent)d sent by e-mail, %(failed)d refused.")
            % {"month": options["month"], **{key: done.result[key] for key in ("made", "sent", "failed")}}
        )
        if options["print_file"]:
            self.write(month, options["print_file"])

    def write(self, month, path: Path):
        """The print files: the second and later ones get a number."""
        for number, (ids, body) in enumerate(batch.print_files(self.paper, month), 1):
            target = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
            target.write_bytes(body)
            documents.note_sent(ids, Sending.Channel.PRINT, by=None, now=timezone.now())
            self.stdout.write(_("%(file)s: %(count)d papers to print.") % {"file": target, "count": len(ids)})
