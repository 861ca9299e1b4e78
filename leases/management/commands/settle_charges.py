"""Settle the charges of a year: preview them, commit them, undo them, or set next year's provisions."""

from collections import Counter
from datetime import date

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from core import jobs
from core.errors import Refusal
from core.today import today
from leases.models import ChargeRun
from leases.yearly import next_provisions, settling
from leases.yearly.charges import REASONS
from leases.yearly.expenses import CATEGORIES
from portfolio.models import Building, Site


class Command(BaseCommand):
    help = "Settle the charges of a year (régularisation). Run again, it settles only what changed since."

    def add_arguments(self, parser):
        parser.add_argument("--year", type=int, required=True)
        parser.add_argument(
            "--site", default="", metavar="REFERENCE", help="this site only; the whole stock by default"
        )
        parser.add_argument("--building", default="", metavar="REFERENCE", help="this building only")
        parser.add_argument(
            "--on", type=date.fromisoformat, metavar="YYYY-MM-DD", help="day the statements go out; today"
        )
        parser.add_argument(
            "--due", type=date.fromisoformat, metavar="YYYY-MM-DD", help="due day; a month later"
        )
        parser.add_argument(
            "--preview", action="store_true", help="show what would be settled; write nothing"
        )
        parser.add_argument("--undo", type=int, metavar="RUN", help="undo that settlement of the year")
        parser.add_argument(
            "--provisions-from",
            type=date.fromisoformat,
            metavar="YYYY-MM-DD",
            help="then set the provisions by this result from a first of the month",
        )

    def handle(self, *args, **options):
        try:
            self.work(options)
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        except (Site.DoesNotExist, Building.DoesNotExist, ChargeRun.DoesNotExist) as error:
            raise CommandError(_("Nothing has this reference.")) from error

    def work(self, options):
        on, year = options["on"] or today(), options["year"]
        site = Site.objects.get(reference=options["site"]) if options["site"] else None
        building = Building.objects.get(reference=options["building"]) if options["building"] else None
        if options["undo"]:
            run = ChargeRun.objects.get(pk=options["undo"], year=year)
            undone = settling.undo_run(run, on=on, by=None, now=timezone.now())
            self.stdout.write(
                _("%(year)d: %(leases)d settlements undone.")
                % {"year": year, "leases": undone.sealed_settlements}
            )
            return
        if options["preview"]:
            seen = settling.preview_charges(year, on=on, due=options["due"], site=site, building=building)
            self.preview(seen)
            return
        job = jobs.start(
            "settle_charges",
            by=None,
            wait=True,
            once=f"charges {year}",
            year=year,
            on=on.isoformat(),
            due=options["due"].isoformat() if options["due"] else "",
            site=site.pk if site else 0,
            building=building.pk if building else 0,
            echo=self.stdout.write,
        )
        run = ChargeRun.objects.get(pk=job.result["run"])
        self.stdout.write(
            _("%(year)d: %(leases)d leases settled, balance %(total)s EUR, %(left)d left out.")
            % {
                "year": year,
                "leases": run.sealed_settlements,
                "total": run.sealed_total.amount,
                "left": run.exceptions.count(),
            }
        )
        if options["provisions_from"]:
            changed = next_provisions.apply_provisions(
                run, since=options["provisions_from"], by=None, now=timezone.now()
            )
            self.stdout.write(_("%(count)d provisions changed.") % {"count": changed})

    def preview(self, seen: settling.Preview):
        self.stdout.write(
            _("%(year)d: %(leases)d leases, %(pay)s EUR to pay, %(back)s EUR to give back; due %(due)s.")
            % {
                "year": seen.year,
                "leases": len(seen.leases),
                "pay": seen.to_pay.amount,
                "back": seen.to_give_back.amount,
                "due": seen.due,
            }
        )
        if seen.late:
            self.stdout.write("  " + _("Settled late: debits are called in twelfths."))
        totals: Counter = Counter()
        for line in seen.lines:
            totals[line.category] += line.total.amount
        for category, total in sorted(totals.items()):
            self.stdout.write(f"  {CATEGORIES[category].label!s:32} {total:>14} EUR")
        for reason, count in Counter(one.reason for one in seen.left_out).items():
            self.stdout.write(f"  {count:6} × {REASONS[reason]}")
