"""What an administrator relies on: the health page, and the change of keys."""

import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory

from core import crypto, sqlfile
from gla.health import health


@pytest.mark.django_db
def test_a_sound_installation_is_fit():
    answer = health(RequestFactory().get("/health"))

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"].startswith("max-age=0")


@pytest.mark.django_db
def test_an_installation_that_lost_its_triggers_is_not():
    sqlfile.drop_declared(connection)

    assert health(RequestFactory().get("/health")).status_code == 503


@pytest.mark.django_db
def test_after_a_change_of_keys_the_old_key_can_go(settings, capsys):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.GLA_ENCRYPTION_KEYS = [old]
    factor = Authenticator.objects.create(
        user=get_user_model().objects.create(username="marion"),
        type="totp",
        data={"secret": crypto.encrypt("JBSWY3DPEHPK3PXP")},
    )
    settings.GLA_ENCRYPTION_KEYS = [new, old]

    call_command("rotate_keys")

    settings.GLA_ENCRYPTION_KEYS = [new]
    factor.refresh_from_db()
    assert crypto.decrypt(factor.data["secret"]) == "JBSWY3DPEHPK3PXP"
