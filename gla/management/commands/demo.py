"""Make the demonstration association, then serve it."""

import os

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import jobs
from core.errors import Refusal
from core.today import today
from gla import demo


class Command(BaseCommand):
    help = "Make the demonstration association (files, import, 24 months of rent and bank), and serve it."

    def add_arguments(self, parser):
        parser.add_argument("--no-serve", action="store_true", help="Stop before serving.")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--units", type=int, default=demo.UNITS, help="How many homes; the real figure by default."
        )
        parser.add_argument("--months", type=int, default=24)

    def handle(self, *, no_serve, port, units, months, verbosity, **options):
        demo.watched = verbosity > 0
        if units < 40 or not 1 <= months <= 60:
            raise CommandError(_("Ask for 40 homes or more, and for 1 to 60 months."))
        try:
            demo.refuse_others()
            call_command("migrate", verbosity=0)
            job = demo.demonstration()
            if job is None:
                job = jobs.start(
                    "demo", by=None, wait=True, units=units, months=months, today=today().isoformat()
                )
            elif job.state != "done":
                self.stdout.write(_("Taking up the demonstration where it stopped."))
                job = jobs.resume(job, by=None, wait=True)
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        except KeyboardInterrupt:
            raise CommandError(_("Stopped. Run this command again to go on."), returncode=130) from None
        if job.state != "done":
            raise CommandError(_("The demonstration is not complete: run this command again."))
        self.stdout.write(demo.told(job))
        if not no_serve:
            self.serve(job, port)

    def serve(self, job, port: int) -> None:
        # A demonstration lives on the day it was made, on this machine only, without workers.
        settings.GLA_TODAY = settings.GLA_TODAY or job.parameters["today"]
        settings.GLA_DEMO = True
        settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
        if "GLA_WORKERS" not in os.environ:
            settings.GLA_WORKERS = False
        try:
            demo.serve(port, on_bind=lambda address: self.stdout.write(demo.logins(address)))
        except OSError as fault:
            raise CommandError(
                _("Port %(port)d cannot be used (%(fault)s). Give another: --port 8001.")
                % {"port": port, "fault": fault.strerror or fault}
            ) from fault
