"""What departures and temporary stays ask for today: deposits to give back, stays over their term."""

from datetime import date

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from core.today import today
from leases.tenancy.departure import to_return
from leases.tenancy.stays import overruns


class Command(BaseCommand):
    help = "List deposits to give back by deadline, with what the delay costs, and stays over their term."

    def add_arguments(self, parser):
        parser.add_argument("--on", type=date.fromisoformat, metavar="YYYY-MM-DD")

    def handle(self, *, on, **options):
        day = on or today()
        for row in to_return(day):
            self.stdout.write(
                f"{row.lease.reference} {row.deadline or '–'} {row.held.amount:.2f} {row.late.amount:.2f} {row.state(day)}"
            )
        over = overruns(day)
        for stay in over:
            self.stdout.write(f"{stay.lease.reference} {stay.last_day} +{stay.months_over(day)}")
        self.stdout.write(_("%(count)d stays over their term.") % {"count": len(over)})
