"""Close the accounts up to a day; opening them again is the director's act, on its page."""

from datetime import date

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Refusal
from leases.accounts.closing import lock_period, preview_lock
from leases.models import Book


class Command(BaseCommand):
    help = "Close the accounts up to a day, included (clôture de période): no posting is dated on it or before any more."

    def add_arguments(self, parser):
        parser.add_argument("up_to", type=date.fromisoformat, metavar="YYYY-MM-DD")
        parser.add_argument("--owner", default="", help="reference of the mandant whose book alone is closed")
        parser.add_argument("--preview", action="store_true", help="show what would be closed; write nothing")

    def handle(self, *, up_to, owner, preview, **options):
        book = None
        if owner:
            book = Book.objects.filter(owner__reference=owner).first()
            if book is None:
                raise CommandError(
                    _("%(owner)s has no book: look at the owner's mandates.") % {"owner": owner}
                )
        seen = preview_lock(up_to, book=book)
        self.stdout.write(
            _("Up to %(day)s: %(count)d postings, %(total)s EUR; %(suspense)d lines still to identify.")
            % {"day": up_to, "count": seen.postings, "total": seen.total.amount, "suspense": seen.suspense}
        )
        if preview:
            return
        try:
            lock_period(up_to, book=book, by=None, now=timezone.now())
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(_("Closed."))
