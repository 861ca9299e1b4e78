"""Prepare a batch of direct debits: preview it, or make its file."""

from datetime import date
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Refusal
from core.today import today
from leases.bank_accounts import BankAccount
from leases.collecting.batches import LEFT_OUT, commit_debits, preview_debits


class Command(BaseCommand):
    help = "Prepare direct debits (prélèvements) of an account for a day; writes the pain.008 file."

    def add_arguments(self, parser):
        parser.add_argument("--on", required=True, type=date.fromisoformat, metavar="YYYY-MM-DD")
        parser.add_argument("--account", required=True, metavar="IBAN", help="account collected to")
        parser.add_argument("--since", type=date.fromisoformat, help="leave what fell due before that day")
        parser.add_argument("--preview", action="store_true", help="show what would be asked; write nothing")
        parser.add_argument("--to", default=".", metavar="FOLDER", help="where the file is written")

    def handle(self, *, on, account, since, preview, to, **options):
        try:
            creditor = BankAccount.objects.get(iban=account.replace(" ", "").upper())
        except BankAccount.DoesNotExist as error:
            raise CommandError(_("This bank account is not known here.")) from error
        try:
            found = preview_debits(creditor, on=on, today=today(), since=since)
            self.tell(found)
            if preview:
                return
            batch = commit_debits(found, by=None, now=timezone.now(), today=today())
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        path = Path(to) / batch.file_name
        path.write_bytes(bytes(batch.content))
        self.stdout.write(f"{path} (SHA-256 {batch.sha256})")

    def tell(self, found):
        self.stdout.write(
            _("%(day)s: %(count)d debits, %(total)s EUR.")
            % {"day": found.on, "count": len(found.lines), "total": found.total.amount}
        )
        for code, why in LEFT_OUT.items():
            count = sum(1 for one in found.left_out if one.code == code)
            if count:
                self.stdout.write(f"  {count:6} {why}")
