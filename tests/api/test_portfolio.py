"""The stock as a program reads it, each role its part."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.money import euros

LISTS = [
    "owners",
    "holdings",
    "sites",
    "structures",
    "buildings",
    "units",
    "places",
    "out-of-service",
    "safety-orders",
    "energy-labels",
]


@pytest.mark.parametrize("name", LISTS)
def test_a_rental_manager_reads_every_list_of_the_stock(build, asks, name):
    build.unit(label="D")

    answer = asks("rental_manager").get(f"/api/v1/{name}/")

    assert answer.status_code == 200
    assert answer.json().keys() == {"next", "previous", "results"}


def test_a_unit_comes_with_its_address_its_places_and_its_ceiling(build, asks):
    unit = build.unit(rent_ceiling=euros("612.40"))

    found = asks("rental_manager").get(f"/api/v1/units/{unit.pk}/").json()

    assert found["rent_ceiling"] == "612.40"
    assert found["address"].endswith("59000 Lille")
    assert [place["kind"] for place in found["places"]] == ["home"]


@pytest.mark.parametrize("role", ["technician", "social_worker"])
def test_a_technician_and_a_social_worker_see_no_amount_of_a_unit(build, asks, role):
    unit = build.unit(rent_ceiling=euros("612.40"))

    assert "rent_ceiling" not in asks(role).get(f"/api/v1/units/{unit.pk}/").json()


def test_a_mediator_sees_an_owner_without_its_iban_and_a_holding_without_its_fee(build, asks):
    owner = build.owner("private", iban="FR7630004000031234567890143", email="owner@example.org")
    build.unit(owner=owner, title="mandate")
    mediator = asks("mediator")

    [seen] = mediator.get("/api/v1/owners/").json()["results"]
    [holding] = mediator.get("/api/v1/holdings/").json()["results"]

    assert seen == {
        "id": owner.pk,
        "reference": owner.reference,
        "kind": "private",
        "name": owner.name,
        "email": "owner@example.org",
    }
    assert holding.keys() == {"id", "unit", "owner", "title", "reference", "start", "end"}


def test_a_social_worker_is_refused_the_owners(asks):
    answer = asks("social_worker").get("/api/v1/owners/")

    assert answer.status_code == 403
    assert answer["Content-Type"] == "application/problem+json"


def test_the_stock_filters_as_its_page_does(build, asks):
    own = build.unit(typology="T2")
    build.unit(owner=build.owner("saues"), title="mandate", typology="T5")
    manager = asks("rental_manager")

    by_type = manager.get("/api/v1/units/?typology=T2").json()["results"]
    by_owner = manager.get("/api/v1/units/?owner_kind=own").json()["results"]

    assert [one["id"] for one in by_type] == [one["id"] for one in by_owner] == [own.pk]


def test_a_filter_that_cannot_be_read_is_told(asks):
    answer = asks("rental_manager").get("/api/v1/units/?typology=T9")

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["typology"]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_asks_as_many_queries_for_2_as_for_40(build, asks, name):
    manager = asks("rental_manager")

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert manager.get(f"/api/v1/{name}/").status_code == 200
        return len(captured)

    for _ in range(2):
        build.unit(label="C")
    few = queries()
    for _ in range(38):
        build.unit(label="C")

    assert queries() == few


def test_labels_follow_their_unit(build, asks):
    unit = build.unit(label="F")
    build.unit(label="A")

    found = asks("technician").get(f"/api/v1/energy-labels/?unit={unit.pk}").json()["results"]

    assert [(one["letter"], one["issued_on"]) for one in found] == [("F", str(date(2022, 1, 1)))]
