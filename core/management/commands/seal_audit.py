"""Chain the audit lines not sealed yet, and check the whole chain."""

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core import audit


class Command(BaseCommand):
    help = "Chain the audit lines by hash, in batches; with --check, prove the whole chain."

    def add_arguments(self, parser):
        parser.add_argument("--batch", type=int, default=5000, help="Lines sealed at a time.")
        parser.add_argument("--check", action="store_true", help="Walk the chain from its start.")
        parser.add_argument("--head", default="", help="A last hash kept elsewhere, still to be found.")

    def handle(self, *, batch, check, head, **options):
        total = 0
        while sealed := audit.seal_batch(batch):
            total += sealed
            self.stdout.write(_("%(count)d lines sealed") % {"count": total})
        if not total:
            self.stdout.write(_("Nothing to seal."))
        if check or head:
            chain = audit.verify_chain(head=head)
            if not chain.whole:
                raise CommandError(
                    _("The chain is broken at line %(rank)d: %(fault)s.")
                    % {"rank": chain.broken_at, "fault": chain.fault}
                )
            self.stdout.write(
                _("%(count)d lines, chain whole; last hash %(head)s")
                % {"count": chain.checked, "head": chain.head}
            )
