"""Prove the ledger; exits with an error and names the first broken lines where it does not hold."""

import sys

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from leases.proof import PROOFS, check_ledger


class Command(BaseCommand):
    help = "Prove the ledger: postings against their sources both ways, and what was sealed."

    def handle(self, *args, **options):
        faults = check_ledger()
        for fault in faults:
            self.stderr.write(f"{PROOFS[fault.proof]} — {fault.line}")
        if faults:
            sys.exit(1)
        self.stdout.write(_("The ledger holds."))
