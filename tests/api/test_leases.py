"""Households, leases and their accounts as a program reads them, each role its part."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.audit import AuditLine

LISTS = ["persons", "households", "leases", "rent-terms", "occupancies", "benefits", "referents", "rent-runs"]
IBAN = "FR7630004000031234567890143"
MARCH = date(2026, 3, 1)


@pytest.mark.parametrize("name", LISTS)
def test_a_rental_manager_reads_every_list(build, asks, name):
    build.lease(benefit="210.00", iban=IBAN)

    assert asks("rental_manager").get(f"/api/v1/{name}/").status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_an_administrator_reads_none(asks, name):
    assert asks("administrator").get(f"/api/v1/{name}/").status_code == 403


@pytest.mark.parametrize("name", LISTS)
def test_a_list_asks_as_many_queries_for_2_as_for_40(build, asks, name):
    manager = asks("rental_manager")

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert manager.get(f"/api/v1/{name}/").status_code == 200
        return len(captured)

    for _ in range(2):
        build.lease(benefit="210.00", charges="60.00")
    few = queries()
    for _ in range(38):
        build.lease(benefit="210.00", charges="60.00")

    assert queries() == few


def test_a_lease_is_read_whole_by_its_rental_manager(build, asks):
    lease = build.lease(start=date(2024, 3, 15), rent="465.00", charges="60.00", benefit="210.00", iban=IBAN)

    found = asks("rental_manager").get(f"/api/v1/leases/{lease.pk}/").json()

    assert [term["amount"] for term in found["terms"]] == ["465.00", "60.00"]
    assert found["benefits"][0]["amount"] == "210.00"
    assert found["payer_ibans"][0]["iban"] == IBAN
    assert found["occupancies"][0]["start"] == "2024-03-15"
    assert found["deposit"] == "0.00"


def test_a_social_worker_sees_a_lease_without_its_rent_nor_an_iban(build, asks):
    lease = build.lease(rent="465.00", benefit="210.00", iban=IBAN, debit_mandate="RUM1")

    answer = asks("social_worker").get(f"/api/v1/leases/{lease.pk}/")

    assert answer.status_code == 200
    assert not {"terms", "payer_ibans", "deposit", "due_day", "debit_mandate"} & answer.json().keys()
    assert answer.json()["benefits"] == [
        {
            "id": lease.benefits.get().pk,
            "lease": lease.pk,
            "kind": "apl",
            "amount": "210.00",
            "paid_to_landlord": True,
            "start": "2024-01-01",
            "end": None,
        }
    ]
    assert IBAN not in answer.content.decode()


def test_a_mediator_sees_the_rent_but_no_payer(build, asks):
    lease = build.lease(rent="465.00", iban=IBAN)

    answer = asks("mediator").get(f"/api/v1/leases/{lease.pk}/")

    assert answer.json()["terms"][0]["amount"] == "465.00"
    assert IBAN not in answer.content.decode()


def test_a_technician_knows_at_which_door_to_knock_and_no_more(build, asks):
    unit = build.unit()
    lease = build.lease(unit=unit, household=build.household("Nowak"))
    technician = asks("technician")

    [household] = technician.get("/api/v1/households/").json()["results"]
    [person] = technician.get("/api/v1/persons/").json()["results"]

    assert household == {
        "id": lease.household_id,
        "reference": lease.household.reference,
        "name": "NOWAK Alex",
        "phone": "",
        "units": [unit.reference],
    }
    assert person.keys() == {"id", "last_name", "first_name", "phone"}
    assert technician.get(f"/api/v1/leases/{lease.pk}/").status_code == 403
    assert technician.get(f"/api/v1/leases/{lease.pk}/account/").status_code == 403


def test_reading_files_is_noted_with_ids_and_no_names(build, asks):
    first, second = build.lease(), build.lease()
    manager = asks("rental_manager")

    manager.get("/api/v1/households/")
    manager.get(f"/api/v1/leases/{first.pk}/account/")

    notes = (
        AuditLine.objects.filter(action="view").order_by("pk").values_list("resource", "object_id", "detail")
    )
    assert list(notes) == [
        ("household", "", {"ids": [first.household_id, second.household_id]}),
        ("tenant_account", str(first.pk), {}),
    ]


def test_leases_filter_as_their_page_does(build, asks):
    running = build.lease(start=date(2024, 1, 1))
    build.lease(start=date(2020, 1, 1), end=date(2022, 1, 1))

    found = asks("rental_manager").get("/api/v1/leases/?state=in_force&on=2026-03-01").json()["results"]

    assert [lease["id"] for lease in found] == [running.pk]


# ---- the account ------------------------------------------------------------------------


def test_the_account_is_told_at_a_date_line_by_line(build, asks):
    lease = build.lease(rent="465.00", charges="60.00", benefit="210.00")
    build.called(MARCH)

    found = asks("rental_manager").get(f"/api/v1/leases/{lease.pk}/account/?on=2026-03-20").json()

    assert found["balance"] == "315.00"
    assert found["benefit_wait"] == "210.00"
    assert found["buckets"]["d0_30"] == "315.00"
    assert found["since"] == "2026-03-05"
    assert [(line["debit"], line["credit"]) for line in found["lines"]] == [
        ("465.00", None),
        ("60.00", None),
        (None, "210.00"),
    ]
    assert found["lines"][-1]["balance"] == found["balance"]
    assert found["lines"][0]["month"] == "2026-03"


def test_the_account_of_an_earlier_day_is_that_of_that_day(build, asks):
    lease = build.lease()
    build.called(MARCH)

    found = asks("rental_manager").get(f"/api/v1/leases/{lease.pk}/account/?on=2026-02-28").json()

    assert (found["balance"], found["lines"]) == ("0.00", [])


def test_a_social_worker_sees_what_is_owed_not_the_account(build, asks):
    lease = build.lease()
    build.called(MARCH)

    found = asks("social_worker").get(f"/api/v1/leases/{lease.pk}/account/?on=2026-03-20").json()

    assert found["balance"] == "465.00"
    assert found.keys() == {"lease", "on", "balance", "buckets", "since", "benefit_wait"}


def test_a_date_that_is_none_is_told(build, asks):
    lease = build.lease()

    answer = asks("rental_manager").get(f"/api/v1/leases/{lease.pk}/account/?on=yesterday")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "on"
