"""Who follows whom, in a browser: the panel, naming a referent, the lists."""

from datetime import date

import pytest
from django.urls import reverse
from django.utils import translation

from core.audit import AuditLine
from followup.referents import Referent

pytestmark = pytest.mark.django_db

SINCE = date(2025, 5, 1)


@pytest.fixture(autouse=True)
def on_the_26_march_2026(settings):
    settings.GLA_TODAY = "2026-03-26"
    settings.LANGUAGE_CODE = "en"
    settings.GLA_DEMO = True  # no second factor is asked
    with translation.override("en"):
        yield


@pytest.fixture
def ines(build):
    return build.user("social_worker", first_name="Inès", last_name="Garnier")


@pytest.fixture
def signed_in(client, build):
    """The browser of somebody in one role, in English."""

    def sign_in(role):
        client.force_login(build.user(role))
        client.cookies["django_language"] = "en"
        return client

    return sign_in


def text(response, status=200):
    assert response.status_code == status, response.status_code
    return response.content.decode()


def test_the_panel_says_who_follows_and_since_when(build, signed_in, ines):
    household = build.household()
    Referent.objects.create(household=household, worker=ines, followed_since=SINCE)

    page = text(signed_in("mediator").get(reverse("referent-panel", args=[household.pk])))

    assert "Inès Garnier" in page and "Followed since 1 May 2025" in page
    assert "Name another referent" not in page  # a mediator reads it, no more
    assert AuditLine.objects.filter(resource="referent", object_id=str(household.pk)).exists()


def test_a_technician_does_not_see_who_is_followed(build, signed_in):
    household = build.household()
    browser = signed_in("technician")

    assert browser.get(reverse("referent-panel", args=[household.pk])).status_code == 403
    assert "referent" not in text(browser.get(reverse("household", args=[household.pk])))


def test_a_coordinator_names_the_referent_who_takes_over(build, signed_in, ines):
    household = build.household()
    before = build.user("social_worker")
    Referent.objects.create(household=household, worker=before, followed_since=SINCE)
    browser, address = signed_in("coordinator"), reverse("referent-name", args=[household.pk])
    asked = {"worker": ines.pk, "since": "2026-04-01"}

    preview = text(browser.post(address, asked))
    browser.post(address, {**asked, "step": "commit"})

    assert "Inès Garnier" in preview
    assert Referent.objects.get(household=household, end=None).worker == ines
    assert Referent.objects.get(worker=before).end == date(2026, 4, 1)


def test_households_followed_are_listed_by_worker_and_those_in_debt(build, signed_in, ines):
    owing, fine = build.lease(household=build.household("Benali")), build.household("Caron")
    for household in (owing.household, fine):
        Referent.objects.create(household=household, worker=ines, followed_since=SINCE)
    build.called(date(2026, 3, 1))
    browser = signed_in("coordinator")

    everyone = text(browser.get(reverse("followed"), {"worker": ines.pk, "running": "yes"}))
    in_debt = text(browser.get(reverse("followed"), {"debt": "yes"}))

    assert "BENALI" in everyone and "CARON" in everyone and "€465.00" in everyone
    assert "BENALI" in in_debt and "CARON" not in in_debt


def test_households_that_nobody_follows_are_listed(build, signed_in, ines):
    build.lease(household=build.household("Benali"))
    followed = build.lease(household=build.household("Caron"))
    Referent.objects.create(household=followed.household, worker=ines, followed_since=SINCE)

    page = text(signed_in("coordinator").get(reverse("unfollowed")))

    assert "BENALI" in page and "CARON" not in page
