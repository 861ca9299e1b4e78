"""Prove client money: whose what is held is, to the cent; exits with an error where it does not add up."""

import sys
from datetime import date

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from core.today import today
from leases.accounts.reconciliation import client_money


class Command(BaseCommand):
    help = "Reconcile the money held with what owners and tenants are owed, on any day."

    def add_arguments(self, parser):
        parser.add_argument("--on", type=date.fromisoformat, help="YYYY-MM-DD; today by default")

    def handle(self, *args, **options):
        on = options["on"] or today()
        found = client_money(date.fromisoformat(on) if isinstance(on, str) else on)
        for one in (*found.money, *found.components):
            self.stdout.write(f"{one.words:60} {one.amount.amount:>16}")
        words = _("Difference")
        self.stdout.write(f"{words:60} {found.difference.amount:>16}")
        for one in found.wrong_owners:
            self.stderr.write(f"{one.owner.reference}: {one.difference.amount} EUR")
        for one in found.wrong_banks:
            self.stderr.write(f"{one.bank}: {one.difference.amount} EUR")
        if found.cover and found.cover.surplus.amount < 0:
            self.stderr.write(
                _("The account of owners' money lacks %(sum)s EUR.") % {"sum": -found.cover.surplus.amount}
            )
        if not found.holds:
            sys.exit(1)
        self.stdout.write(_("Client money adds up."))
