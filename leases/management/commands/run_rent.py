"""Call the rent of a month: preview it, or commit it."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from core import jobs
from core.errors import Refusal
from core.periods import NotAMonth, Period
from core.today import today
from leases import rent
from leases.checkpoint import keep_checkpoint
from leases.models import RentRun
from leases.terms import ITEMS


class Command(BaseCommand):
    help = "Call the rent of a month (quittancement). Run again, it calls only what was learnt late."

    def add_arguments(self, parser):
        parser.add_argument("--month", required=True, help="YYYY-MM")
        parser.add_argument("--preview", action="store_true", help="show what would be called; write nothing")

    def handle(self, *args, **options):
        try:
            month = Period.parse_month(options["month"]).start
        except NotAMonth as error:
            raise CommandError(str(error)) from error
        if options["preview"]:
            return self.preview(rent.preview_run(month))
        try:
            done = jobs.start(
                "rent_run",
                by=None,
                wait=True,
                once=options["month"],
                month=options["month"],
                echo=self.stdout.write,
            )
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        keep_checkpoint(on=today(), now=timezone.now())
        run = RentRun.objects.get(pk=done.result["run"])
        self.stdout.write(
            _("%(month)s: %(calls)d calls, %(total)s EUR, %(exceptions)d exceptions (%(time)s).")
            % {
                "month": options["month"],
                "calls": run.sealed_calls,
                "total": run.sealed_total.amount,
                "exceptions": run.exceptions.count(),
                "time": f"{timezone.localtime():%H:%M:%S}",
            }
        )

    def preview(self, seen: rent.Preview):
        self.stdout.write(
            _("%(month)s: %(leases)d leases, %(total)s EUR would be called.")
            % {"month": f"{seen.month:%Y-%m}", "leases": seen.leases, "total": seen.total.amount}
        )
        for kind, item, count, amount in seen.lines:
            self.stdout.write(f"  {kind:8} {str(ITEMS[item].label):24} {count:7} {amount.amount:>14} EUR")
        for anomaly in seen.anomalies:
            what = (
                _("Lease %(lease)d, left out: %(why)s")
                if anomaly.blocking
                else _("Lease %(lease)d, called: %(why)s")
            )
            self.stdout.write("  " + what % {"lease": anomaly.lease_id, "why": rent.EXCEPTIONS[anomaly.code]})
