"""Surveys, deposits, final accounts and stays, from a program."""

from datetime import date

import pytest

from core.money import euros
from leases.models import Application, Lease
from leases.tenancy import applications, inspections
from leases.tenancy.applications import NewPerson
from tests.leases.tenancy.test_applications import file
from tests.leases.tenancy.test_deposits import left


@pytest.fixture(autouse=True)
def day(settings):
    settings.GLA_TODAY = "2026-03-02"


def test_deposits_to_return_then_the_final_account_once(build, asks):
    lease, manager = left(build), asks("rental_manager")
    [row] = manager.get("/api/v1/final-accounts/to-return/").json()
    assert (row["lease"], row["deadline"], row["held"]) == (lease.pk, "2026-02-15", "520.00")

    made = manager.post("/api/v1/final-accounts/", {"lease": lease.pk}, format="json")
    assert (made.status_code, made.json()["to_transfer"]) == (201, "520.00")
    again = manager.post("/api/v1/final-accounts/", {"lease": lease.pk}, format="json")
    assert again.status_code == 409 or again.status_code == 422
    [transfer] = manager.get("/api/v1/tenant-transfers/?state=to_send").json()["results"]
    assert transfer["amount"] == "520.00"
    assert asks("social_worker").get("/api/v1/final-accounts/").status_code == 403


def test_a_survey_is_read_with_its_lines(build, asks):
    stay = build.lease().occupancies.get()
    survey = inspections.open_inspection(stay, kind="entry", on=date(2026, 3, 2), by=None)
    inspections.save_room(survey, "living", [("walls", 4, "Holes")], by=None)

    told = asks("technician").get(f"/api/v1/inspections/{survey.pk}/").json()
    assert [(one["element"], one["condition"], one["remark"]) for one in told["lines"]] == [
        ("walls", 4, "Holes")
    ]


def test_the_stays_over_their_term(build, asks):
    lease = build.lease(kind="CHRS", start=date(2023, 1, 1))
    [stay] = asks("coordinator").get("/api/v1/stay-extensions/running/").json()
    assert (stay["lease"], stay["state"], stay["term"]) == (lease.pk, "over", "2024-12-31")


def test_a_file_is_opened_offered_accepted_and_signed(build, asks):
    household, unit, manager = build.household(), build.unit(label="D"), asks("rental_manager")
    told = {
        "household": household.pk,
        "place": unit.places.get().pk,
        "kind": "L89_VIDE",
        "start": "2026-03-16",
        "rent": "465.00",
        "deposit": "465.00",
        "adults": 2,
    }
    made = manager.post("/api/v1/applications/", told, format="json")
    assert (made.status_code, made.json()["stage"]) == (201, "prepared"), made.content
    here = f"/api/v1/applications/{made.json()['id']}/"
    assert not [one for one in manager.get(here + "obstacles/").json() if one["grave"]]

    assert manager.post(here + "sign/").status_code in (409, 422)
    assert manager.post(here + "offer/", {"answer_by": "2026-03-09"}).json()["answer_by"] == "2026-03-09"
    assert manager.post(here + "accept/").json()["stage"] == "accepted"
    signed = manager.post(here + "sign/", {"due_day": 10}).json()
    assert (signed["stage"], signed["lease"]) == ("signed", Lease.objects.get().pk)
    assert Lease.objects.get().due_day == 10


def test_who_does_not_decide_reads_the_stage_of_a_file_not_its_money(build, asks):
    file(build, tax_income=euros("20000"))
    [row] = asks("social_worker").get("/api/v1/applications/").json()["results"]
    assert row["stage"] == "prepared"
    assert not {"rent", "tax_income", "monthly_income", "benefit"} & row.keys()


def test_a_file_is_closed_with_its_reason(build, asks):
    made = applications.open_application(on=date(2026, 3, 2), by=None, head=NewPerson("Diallo"))
    manager = asks("rental_manager")
    assert manager.post(f"/api/v1/applications/{made.pk}/close/", {"reason": "why"}).status_code == 400
    manager.post(f"/api/v1/applications/{made.pk}/close/", {"reason": "lapsed"})
    assert Application.objects.get().closed_for == "lapsed"
