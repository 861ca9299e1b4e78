"""Make owners' month: head rents, guarantees, fees, then every management statement."""

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import jobs
from core.errors import Refusal
from core.periods import NotAMonth, Period
from leases.accounts import owner_accounts  # registers the work


class Command(BaseCommand):
    help = "Post owners' fees, guarantees and head rents of a month, and make its statements (CRG)."

    def add_arguments(self, parser):
        parser.add_argument("--month", required=True, help="YYYY-MM, a month that is over")

    def handle(self, *args, **options):
        try:
            month = Period.parse_month(options["month"]).start
        except NotAMonth as error:
            raise CommandError(str(error)) from error
        text = f"{month:%Y-%m}"
        try:
            done = jobs.start(
                "owner_statements", by=None, wait=True, once=text, month=text, echo=self.stdout.write
            )
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            _("%(month)s: %(new)d new statements of %(all)d owners, fees %(fees)s EUR.")
            % {
                "month": text,
                "new": done.result["statements"],
                "all": owner_accounts.latest_statements(month).count(),
                "fees": done.result["fees"],
            }
        )
