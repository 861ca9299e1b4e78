"""Make the checkpoint of the tenants' accounts anew."""

from django.core.management.base import BaseCommand
from django.utils import timezone
from django.utils.translation import gettext as _

from core.today import today
from leases.checkpoint import keep_checkpoint


class Command(BaseCommand):
    help = (
        "Make the checkpoint of the accounts anew (arrêté des comptes): pages then read what is owed from it."
    )

    def handle(self, **options):
        made = keep_checkpoint(on=today(), now=timezone.now())
        self.stdout.write(_("The accounts are kept up to posting %(posting)d.") % {"posting": made.posting})
