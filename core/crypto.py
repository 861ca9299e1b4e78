"""Text kept encrypted at rest (*chiffré*): notes of social follow-up, second-factor secrets.

Keys are settings.GLA_ENCRYPTION_KEYS, newest first: the first writes, all read. To rotate, put a
new key first, run `reencrypt` over each field, then remove the old key. A text that no key opens
is an error, never shown as it is.
"""

from django.conf import settings
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import models
from django.utils.translation import gettext as _t

from core.errors import Refusal


class Undecipherable(Refusal):
    """No key of this installation opens that text."""


def encrypt(text: str) -> str:
    """The text under the newest key."""
    return _box().encrypt(text.encode()).decode()


def decrypt(sealed: str) -> str:
    """The clear text. Raises Undecipherable."""
    from cryptography.fernet import InvalidToken

    try:
        return _box().decrypt(sealed.encode()).decode()
    except (InvalidToken, UnicodeError) as fault:
        raise Undecipherable(
            _t("encrypted text"),
            _t("None of the encryption keys opens it."),
            _t("Put back the key under which it was written in GLA_ENCRYPTION_KEYS."),
        ) from fault


def rotate(sealed: str) -> str:
    """The same text under the newest key. Raises Undecipherable."""
    return encrypt(decrypt(sealed))


class EncryptedTextField(models.TextField):
    """A text that the database only holds encrypted; it cannot be searched, only read."""

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return None if value is None else encrypt(value)

    def from_db_value(self, value, expression, connection):
        return None if value is None else decrypt(value)

    def get_lookup(self, lookup_name):
        # The same text never encrypts twice to the same bytes: a comparison finds nothing.
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is encrypted: it cannot be searched by {lookup_name}.")
        return super().get_lookup(lookup_name)


def reencrypt(model: type[models.Model], field: str, *, batch=500) -> int:
    """Write every value of an encrypted field again under the newest key; how many."""
    changed, last = 0, None
    while True:
        page = model._base_manager.order_by("pk").exclude(**{f"{field}__isnull": True})
        page = list((page.filter(pk__gt=last) if last is not None else page).only("pk", field)[:batch])
        if not page:
            return changed
        model._base_manager.bulk_update(page, [field])
        changed, last = changed + len(page), page[-1].pk


def _box():
    from cryptography.fernet import Fernet, MultiFernet

    keys = settings.GLA_ENCRYPTION_KEYS
    if not keys:
        raise ImproperlyConfigured("Set GLA_ENCRYPTION_KEYS: Fernet keys, newest first.")
    return MultiFernet([Fernet(key) for key in keys])
