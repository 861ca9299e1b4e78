"""Revise the rents of a month: preview it, or commit it."""

from datetime import date

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import jobs
from core.errors import Refusal
from core.imports import ImportCommand
from core.periods import NotAMonth, Period
from core.today import today
from leases.yearly.revision import Asked, Preview, preview_revision
from leases.yearly.revision_rule import REASONS, RULES
from portfolio.models import Owner


class Command(BaseCommand):
    help = "Revise the rents whose date falls in a month (révision des loyers). Run again, it revises nothing twice."

    def add_arguments(self, parser):
        parser.add_argument("--month", required=True, help="YYYY-MM")
        parser.add_argument("--claimed-on", metavar="YYYY-MM-DD", help="day of the letters; today by default")
        parser.add_argument("--owner-kind", choices=Owner.Kind.values, default="")
        parser.add_argument("--rule", choices=list(RULES), default="")
        parser.add_argument("--preview", action="store_true", help="show what would be done; write nothing")
        parser.add_argument("--by", metavar="USER", default="", help="name of the user who revises")

    def handle(self, *args, **options):
        asked = self.asked(options)
        if options["preview"]:
            return self.preview(preview_revision(asked))
        told = {
            "month": options["month"],
            "claimed_on": asked.claimed_on.isoformat(),
            "owner_kind": asked.owner_kind,
            "rule": asked.rule,
        }
        try:
            done = jobs.start(
                "rent_revision",
                by=ImportCommand.user(options["by"]),
                wait=True,
                once=" ".join(told.values()),
                echo=self.stdout.write,
                **told,
            )
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            _("%(month)s: %(leases)d leases revised, %(rise)s EUR a month.")
            % {"month": options["month"], "leases": done.result["leases"], "rise": done.result["rise"]}
        )

    def asked(self, options: dict) -> Asked:
        try:
            month = Period.parse_month(options["month"]).start
            claimed_on = date.fromisoformat(options["claimed_on"]) if options["claimed_on"] else today()
        except (NotAMonth, ValueError) as error:
            raise CommandError(str(error)) from error
        return Asked(month, claimed_on, options["owner_kind"], options["rule"])

    def preview(self, seen: Preview):
        self.stdout.write(
            _("%(month)s: %(leases)d leases would be revised, %(rise)s EUR a month.")
            % {"month": f"{seen.month:%Y-%m}", "leases": seen.leases, "rise": seen.rise.amount}
        )
        for one in seen.revised:
            self.stdout.write(
                f"  {one.owner_kind:8} {one.rule:9} {one.leases:7} {(one.new - one.old).amount:>14} EUR"
            )
        for reason, count in seen.left_out():
            self.stdout.write(f"  {count:7} {REASONS[reason]}")
