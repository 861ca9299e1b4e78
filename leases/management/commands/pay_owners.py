"""Pay owners: what each is due on a day, or the orders and their files for the bank."""

from datetime import date
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Refusal
from core.today import today
from leases.accounts.payouts import commit_payouts, file_name, payout_file, preview_payouts
from leases.formats.pain001 import VERSIONS
from leases.models import BankAccount


class Command(BaseCommand):
    help = "Show what owners are due on a day; with --commit, order it and write the bank's files (pain.001)."

    def add_arguments(self, parser):
        parser.add_argument(
            "--on", type=date.fromisoformat, help="day of payment, YYYY-MM-DD; today by default"
        )
        parser.add_argument("--from", dest="bank", help="IBAN of the account that pays what was collected")
        parser.add_argument("--heads-from", help="IBAN of the account that pays head rents")
        parser.add_argument("--commit", action="store_true", help="order the payments")
        parser.add_argument("--to", default=".", help="folder of the files")
        parser.add_argument("--format", choices=VERSIONS, default="09", help="of pain.001.001")

    def handle(self, *args, **options):
        on = options["on"] or today()
        on = date.fromisoformat(on) if isinstance(on, str) else on
        banks = {"client_bank": account(options["bank"]), "own_bank": account(options["heads_from"])}
        seen = preview_payouts(on, **banks)
        for due in seen.due:
            self.stdout.write(f"  {due.owner.reference:12} {due.amount.amount:>12} EUR  {due.words}")
        for due in seen.refused:
            self.stdout.write(f"  {due.owner.reference:12} {due.amount.amount:>12} EUR  {due.why}")
        self.stdout.write(
            _("%(day)s: %(count)d payments, %(total)s EUR; %(refused)d not paid.")
            % {
                "day": f"{on:%d/%m/%Y}",
                "count": len(seen.due),
                "total": seen.total.amount,
                "refused": len(seen.refused),
            }
        )
        if not options["commit"]:
            return
        try:
            batches = commit_payouts(
                on, **banks, expected=seen.total, version=options["format"], by=None, now=timezone.now()
            )
            for batch in batches:
                path = Path(options["to"]) / file_name(batch)
                path.write_bytes(payout_file(batch))
                self.stdout.write(_("Written: %(file)s") % {"file": path})
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal


def account(iban: str | None) -> BankAccount | None:
    if not iban:
        return None
    found = BankAccount.objects.filter(iban=iban.replace(" ", "").upper()).first()
    if found is None:
        raise CommandError(_("This bank account is not declared."))
    return found
