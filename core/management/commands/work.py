"""Do the queued long work: one process, as many as wanted, on as many hosts as wanted."""

import secrets
import time

from django.core.management.base import BaseCommand
from django.db import close_old_connections
from django.utils.translation import gettext as _
from django_tasks_db.management.commands.db_worker import Worker

from core import audit, files, jobs

LOOK_AFTER = 30
"""Seconds between two looks for jobs left by a dead worker, and for audit lines to seal."""


class Command(BaseCommand):
    help = "Do the queued long work (rent runs, imports, exports); stop it with Ctrl+C."

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="Do what is queued, then stop.")
        parser.add_argument("--interval", type=float, default=1.0, help="Seconds between two looks.")

    def handle(self, *, once, interval, **options):
        worker = Worker(
            queue_names=["default"],
            excluded_queue_names=[],
            interval=0,
            batch=True,
            backend_name="default",
            startup_delay=False,
            max_tasks=None,
            worker_id=secrets.token_hex(16),
        )
        worker.configure_signals()
        self.stdout.write(_("Waiting for work."))
        looked = None
        while worker.running:
            if looked is None or time.monotonic() - looked > LOOK_AFTER:
                jobs.resume_stale()
                audit.seal_batch()
                files.drop_old()
                looked = time.monotonic()
            worker.run()
            if once:
                return
            close_old_connections()
            time.sleep(interval)
