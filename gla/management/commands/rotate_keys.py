"""Write every encrypted text again under the newest key, so that an old key can be dropped."""

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils.translation import gettext as _

from core import crypto


class Command(BaseCommand):
    help = "Write every encrypted text again under the first key of GLA_ENCRYPTION_KEYS."

    def handle(self, **options):
        for model in apps.get_models():
            if not model._meta.managed:
                continue
            for field in model._meta.local_concrete_fields:
                if isinstance(field, crypto.EncryptedTextField):
                    self.say(f"{model._meta.label}.{field.name}", crypto.reencrypt(model, field.name))
        self.say(Authenticator._meta.label, rotate_factors())

    def say(self, place: str, count: int) -> None:
        self.stdout.write(_("%(place)s: %(count)d texts") % {"place": place, "count": count})


def rotate_factors() -> int:
    """The secrets of second factors, which allauth keeps in JSON; how many."""
    done = 0
    for pk in Authenticator.objects.values_list("pk", flat=True):
        with transaction.atomic():
            factor = Authenticator.objects.select_for_update().get(pk=pk)
            for key, value in factor.data.items():
                if key in {"secret", "seed"}:
                    factor.data[key] = crypto.rotate(value)
                    done += 1
                elif key == "migrated_codes":
                    factor.data[key] = [crypto.rotate(code) for code in value]
                    done += len(value)
            factor.save(update_fields=["data"])
    return done
