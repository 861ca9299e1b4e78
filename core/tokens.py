"""Keys for programs (*jetons d'accès*): kept as a hash, shown once, ended by a date.

A key passes the second factor by nature: it is given for one program, by name, and can be ended.
"""

import hashlib
import secrets

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core import audit


class ApiToken(models.Model):
    """A key to the API, in a user's name and with that user's rights."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user")
    )
    name = models.CharField(_("used by"), max_length=80)
    digest = models.CharField(_("digest"), max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        app_label = "core"
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self):
        return self.name


def issue(user, *, name: str, by) -> tuple[ApiToken, str]:
    """A new key for a program; the clear text is returned once and kept nowhere."""
    clear = "gla_" + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = ApiToken.objects.create(user=user, name=name, digest=_digest(clear))
        audit.record(by, "create", "user", user.pk, token=token.pk)
    return token, clear


def end(token: ApiToken, *, by) -> None:
    """End a key: from now on it opens nothing."""
    with transaction.atomic():
        ApiToken.objects.filter(pk=token.pk, ended_at=None).update(ended_at=timezone.now())
        audit.record(by, "end", "user", token.user_id, token=token.pk)


def find(clear: str) -> ApiToken | None:
    """The token in force that this key opens, with its active user; None otherwise."""
    return (
        ApiToken.objects.select_related("user")
        .filter(digest=_digest(clear), ended_at=None, user__is_active=True)
        .first()
    )


def _digest(clear: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(clear.encode()).hexdigest()
