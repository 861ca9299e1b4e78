"""Look at every account for unpaid rent."""

from datetime import date

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from arrears.signals import Signal
from core import jobs
from core.errors import Refusal
from core.today import today


class Command(BaseCommand):
    help = "Open, bring up to date and close the signals of unpaid rent of the whole stock."

    def add_arguments(self, parser):
        parser.add_argument("--on", type=date.fromisoformat, metavar="YYYY-MM-DD", help="today by default")

    def handle(self, *, on, **options):
        day = (on or today()).isoformat()
        try:
            done = jobs.start("flag_arrears", by=None, wait=True, once=day, on=day).result
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        for nature in Signal.Nature:
            self.stdout.write(
                _("%(nature)s: %(opened)d opened, %(open)d open.")
                % {
                    "nature": nature.label,
                    "opened": done["opened"].get(nature, 0),
                    "open": done["open"].get(nature, 0),
                }
            )
        self.stdout.write(_("%(count)d closed by themselves.") % {"count": done["closed"]})
