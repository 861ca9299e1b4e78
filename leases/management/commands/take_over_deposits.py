"""Take over the deposits that leases state and nobody has recorded as held."""

from datetime import date

from django.core.management.base import BaseCommand
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from leases.models import Lease, Occupancy
from leases.tenancy.deposits import take_over_deposits


class Command(BaseCommand):
    help = (
        "Take over the deposits paid before this program kept the accounts (reprise des dépôts de garantie)."
    )

    def add_arguments(self, parser):
        parser.add_argument("--on", required=True, type=date.fromisoformat, metavar="YYYY-MM-DD")
        parser.add_argument(
            "--left-since",
            type=date.fromisoformat,
            metavar="YYYY-MM-DD",
            help="also those of leases left since that day, whose deposit is not given back",
        )

    def handle(self, *, on, left_since, **options):
        there = Q(end=None) | Q(end__gt=left_since or on)
        stays = Occupancy.objects.filter(there, lease=OuterRef("pk"), start__lte=on)
        leases = Lease.objects.filter(Exists(stays), deposit__gt=0).order_by("pk")
        count = take_over_deposits(leases, on=on, by=None, now=timezone.now())
        self.stdout.write(_("%(count)d deposits taken over.") % {"count": count})
