"""The pages on housing benefit, and their part of the API."""

from datetime import date

import pytest
from django.urls import reverse

from core.money import euros
from portfolio.models import Structure
from tests.leases.test_benefit_differences import MARCH, paid

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def day(settings):
    settings.GLA_TODAY = "2026-03-31"


@pytest.fixture
def manager(build, client):
    client.force_login(build.user("rental_manager"))
    return client


@pytest.fixture
def homes(build):
    build.bank()
    right, less, none = (build.lease(rent="400.00", benefit="200.00") for _each in range(3))
    build.called(MARCH)
    paid((right, "200.00", MARCH, {}), (less, "150.00", MARCH, {}), ("9999999", "40.00", MARCH, {}))
    return right, less, none


def test_each_difference_leads_to_what_puts_it_right(manager, homes):
    right, less, none = homes
    page = manager.get(reverse("benefit-differences")).content.decode()

    assert reverse("lease", args=[right.pk]) not in page
    assert f"{reverse('lease-benefit', args=[less.pk])}?since=2026-03-01&amp;amount=150.00" in page
    assert f"{reverse('lease-benefit', args=[none.pk])}?since=2026-03-01&amp;stops=on" in page
    assert "9999999" in page

    form = manager.get(reverse("lease-benefit", args=[less.pk]) + "?since=2026-03-01&amount=150.00")
    assert 'value="2026-03-01"' in form.content.decode()
    assert "150" in form.content.decode()


def test_the_list_narrows_and_goes_out_as_a_file(manager, homes):
    _right, less, none = homes
    page = manager.get(reverse("benefit-differences"), {"reason": "less"}).content.decode()
    assert less.reference in page
    assert none.reference not in page

    page = manager.get(reverse("benefit-differences"), {"q": none.reference}).content.decode()
    assert none.reference in page
    assert less.reference not in page

    sheet = manager.get(reverse("benefit-differences"), {"export": "csv"}).content.decode("utf-8-sig")
    assert len(sheet.strip().splitlines()) == 4


def test_a_month_without_call_has_no_difference(manager):
    assert manager.get(reverse("benefit-differences"), {"month": "2025-01"}).status_code == 200
    assert manager.get(reverse("benefit-differences"), {"month": "nonsense"}).status_code == 200


def test_the_rents_go_out_as_a_file(manager, build):
    lease = build.lease(rent="465.00", charges="62.00", benefit="210.00")
    build.lease(rent="500.00", benefit="210.00")
    assert lease.reference in manager.get(reverse("benefit-rents")).content.decode()
    asked = {"export": "csv", "on": "2026-03-31", "lease": lease.reference}
    sheet = manager.get(reverse("benefit-rents"), asked).content.decode("utf-8-sig")
    assert len(sheet.strip().splitlines()) == 2
    assert "465" in sheet


def test_a_departure_is_told_with_its_stop_filled_in(manager, build):
    lease = build.lease(end=date(2026, 3, 15), benefit="210.00")
    page = manager.get(reverse("benefit-departures")).content.decode()
    assert f"{reverse('lease-benefit', args=[lease.pk])}?since=2026-03-01&amp;stops=on" in page
    assert manager.get(reverse("benefit-departures"), {"export": "xlsx"}).status_code == 200


def test_alt_and_benefit_together_are_listed(manager, build):
    lease = build.lease(kind="CONV_APL", benefit="200.00")
    unit = lease.occupancies.get().place.unit
    unit.structure = Structure.objects.create(reference="ALT1", name="ALT", kind="alt")
    unit.save()
    assert lease.reference in manager.get(reverse("benefit-conflicts")).content.decode()
    assert manager.get(reverse("benefit-conflicts"), {"export": "csv"}).status_code == 200


@pytest.mark.parametrize(
    "name", ["benefit-differences", "benefit-rents", "benefit-departures", "benefit-conflicts"]
)
def test_the_social_worker_reads_none_of_it(client, build, name):
    client.force_login(build.user("social_worker"))
    assert client.get(reverse(name)).status_code == 403


def test_the_api_tells_the_same(manager, homes):
    _right, less, none = homes
    told = manager.get("/api/v1/benefit-differences/", {"month": "2026-03"}).json()
    assert (told["expected"], told["paid"]) == ("600.00", "390.00")
    assert {one["lease"]: one["reason"] for one in told["differences"]} == {
        less.pk: "less", none.pk: "nothing", None: "unknown",
    }  # fmt: skip
    rents = manager.get("/api/v1/benefit-rents/", {"on": "2026-03-31", "lease": less.pk}).json()["rents"]
    assert [(one["lease"], one["rent"]) for one in rents] == [(less.pk, "400.00")]
    assert manager.get("/api/v1/benefit-departures/").json() == []
    assert manager.get("/api/v1/benefit-conflicts/").json() == []
    assert less.benefits.get().amount == euros("200.00")
