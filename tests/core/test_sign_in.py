"""Signing in: closed to newcomers, locked after wrong passwords, with a second factor where due."""

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.urls import reverse

from core import tokens
from core.audit import AuditLine
from core.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "un mot de passe assez long"


@pytest.fixture(autouse=True)
def in_production(settings):
    settings.GLA_DEMO = False
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    cache.clear()  # allauth counts attempts there


@pytest.fixture
def person():
    def made(role, name="camille"):
        user = User.objects.create_user(name, f"{name}@example.org", PASSWORD)
        user.groups.add(Group.objects.get_or_create(name=role)[0])
        return user

    return made


def sign_in(client, login, password=PASSWORD):
    return client.post(reverse("account_login"), {"login": login, "password": password})


@pytest.mark.parametrize("login", ["camille", "camille@example.org"])
def test_by_name_or_by_e_mail(client, person, login):
    person("mediator")

    assert sign_in(client, login).status_code == 302
    assert client.get(reverse("jobs")).status_code == 200


def test_the_page_has_a_labelled_form(client):
    page = client.get(reverse("account_login")).content.decode()

    for name in ("login", "password"):
        assert re.search(rf'<label for="id_{name}"', page)


def test_nobody_signs_up(client):
    page = client.get(reverse("account_signup"))
    answer = client.post(
        reverse("account_signup"), {"username": "new", "password1": PASSWORD, "password2": PASSWORD}
    )

    assert page.status_code == answer.status_code == 200
    assert not User.objects.exists()


def test_wrong_passwords_lock_the_account(client, person, settings):
    person("mediator")
    settings.AXES_FAILURE_LIMIT = 3

    answers = [sign_in(client, "camille", "wrong").status_code for _ in range(3)]
    assert answers[-1] == 429

    assert sign_in(client, "camille").status_code == 429
    assert sign_in(client, "Camille@example.org").status_code == 429
    assert client.get(reverse("jobs")).status_code == 302


@pytest.mark.parametrize("role", ["social_worker", "coordinator", "director", "administrator"])
def test_a_role_that_must_have_a_second_factor_is_led_to_it(client, person, role):
    client.force_login(person(role))

    answer = client.get(reverse("jobs"))
    assert answer.url == reverse("mfa_activate_totp")
    fragment = client.get(reverse("jobs"), headers={"HX-Request": "true"})
    assert fragment.headers["HX-Redirect"] == reverse("mfa_activate_totp")


@pytest.mark.parametrize("role", ["rental_manager", "mediator", "technician"])
def test_the_others_may_do_without(client, person, role):
    client.force_login(person(role))

    assert client.get(reverse("jobs")).status_code == 200


def test_the_demonstration_asks_for_none(client, person, settings):
    settings.GLA_DEMO = True
    client.force_login(person("social_worker"))

    assert client.get(reverse("jobs")).status_code == 200


def code_of(secret):
    return totp.format_hotp_value(totp.hotp_value(secret, next(iter(totp.yield_hotp_counters_from_time()))))


def test_a_second_factor_is_set_up_kept_encrypted_and_asked_for(client, person):
    worker = person("social_worker")
    sign_in(client, "camille")

    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})  # asked again before it
    page = client.get(reverse("mfa_activate_totp")).content.decode()
    secret = re.search(r"<code>(\w+)</code>", page)[1]
    client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})

    kept = Authenticator.objects.get(user=worker, type="totp")
    assert secret not in str(kept.data)
    assert client.get(reverse("jobs")).status_code == 200

    client.post(reverse("account_logout"))
    cache.clear()  # a code is not taken twice: allauth remembers it there
    assert sign_in(client, "camille").url == reverse("mfa_authenticate")
    assert client.get(reverse("jobs")).status_code == 302
    client.get(reverse("mfa_authenticate"))
    client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    assert client.get(reverse("jobs")).status_code == 200


def test_a_role_that_must_keep_its_second_factor_cannot_take_it_off(client, person):
    worker = person("social_worker")
    sign_in(client, "camille")
    totp.TOTP.activate(worker, totp.generate_totp_secret())

    client.post(reverse("mfa_deactivate_totp"))

    assert Authenticator.objects.filter(user=worker, type="totp").exists()


@pytest.mark.parametrize(
    "name",
    [
        "account_change_password",
        "account_logout",
        "account_email",
        "mfa_index",
        "mfa_activate_totp",
        "mfa_view_recovery_codes",
        "mfa_generate_recovery_codes",
        "account_reauthenticate",
    ],
)
def test_each_page_of_ones_account_is_drawn_in_the_house_style(client, person, name):
    user = person("mediator")
    sign_in(client, "camille")
    if "recovery" in name:
        totp.TOTP.activate(user, totp.generate_totp_secret())
        RecoveryCodes.activate(user)

    answer = client.get(reverse(name), follow=True)

    assert answer.status_code == 200
    assert 'id="main"' in answer.content.decode()


@pytest.mark.parametrize(
    "name", ["account_reset_password", "account_reset_password_done", "account_inactive", "account_signup"]
)
def test_each_page_before_signing_in_is_drawn_in_the_house_style(client, name):
    answer = client.get(reverse(name))

    assert answer.status_code == 200
    assert 'id="main"' in answer.content.decode()


# ---- keys for programs ----------------------------------------------------------------


def test_a_key_is_shown_once_and_kept_as_a_hash(person):
    user = person("rental_manager")

    token, clear = tokens.issue(user, name="accounting export", by=user)

    assert clear not in str(tokens.ApiToken.objects.values())
    assert tokens.find(clear) == token
    assert tokens.find(clear + "x") is None
    assert AuditLine.objects.get().detail == {"token": token.pk}


def test_an_ended_key_opens_nothing(person):
    user = person("rental_manager")
    token, clear = tokens.issue(user, name="accounting export", by=user)

    tokens.end(token, by=user)

    assert tokens.find(clear) is None


def test_the_key_of_somebody_who_left_opens_nothing(person):
    user = person("rental_manager")
    _token, clear = tokens.issue(user, name="accounting export", by=user)
    User.objects.update(is_active=False)

    assert tokens.find(clear) is None
