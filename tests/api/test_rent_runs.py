"""A rent run from a program: looked at first, then called, by who may."""

from datetime import date

import pytest
from rest_framework.test import APIClient

from core import jobs
from core.models import Job
from leases.models import RentCall, RentRun

MARCH = date(2026, 3, 1)


@pytest.fixture(autouse=True)
def queued(monkeypatch):
    """Runs what a request queued, here and now; no thread takes it before."""
    monkeypatch.setattr(jobs, "kick", lambda: None)

    def run():
        for job in Job.objects.filter(finished_at=None):
            jobs.run_inline(job)

    return run


def test_a_preview_tells_what_would_be_called_and_writes_nothing(build, asks):
    build.lease(rent="465.00", charges="60.00", benefit="210.00")
    bare = build.lease(rent=None)

    answer = asks("rental_manager").post("/api/v1/rent-runs/preview/", {"month": "2026-03"}, format="json")

    found = answer.json()
    assert answer.status_code == 200
    assert (found["month"], found["total"]) == ("2026-03", "315.00")
    assert sorted(line["amount"] for line in found["lines"]) == ["-210.00", "465.00", "60.00"]
    assert {line["owner_kind"] for line in found["lines"]} == {"own"}
    [anomaly] = found["anomalies"]
    assert (anomaly["lease"], anomaly["code"], anomaly["blocking"]) == (bare.pk, "no_rent_term", True)
    assert anomaly["reason"]
    assert not RentRun.objects.exists()


def test_a_run_is_begun_followed_and_read(build, asks, queued):
    build.lease(rent="465.00")
    manager = asks("rental_manager")

    begun = manager.post("/api/v1/rent-runs/", {"month": "2026-03"}, format="json")
    queued()

    assert begun.status_code == 202
    job = manager.get(begun["Location"]).json()
    assert (job["state"], job["parts_done"], job["result"]["total"]) == ("done", 1, "465.00")
    run = manager.get(f"/api/v1/rent-runs/{job['result']['run']}/").json()
    assert (run["month"], run["open"], run["sealed_calls"], run["sealed_total"]) == (
        "2026-03",
        False,
        1,
        "465.00",
    )


def test_a_run_begun_twice_is_one(build, asks, queued):
    build.lease(rent="465.00")
    manager = asks("rental_manager")

    first = manager.post("/api/v1/rent-runs/", {"month": "2026-03"}, format="json").json()
    second = manager.post("/api/v1/rent-runs/", {"month": "2026-03"}, format="json").json()
    queued()

    assert first["id"] == second["id"]
    assert RentCall.objects.count() == 1


def test_a_director_reads_the_runs_and_begins_none(build, asks):
    director = asks("director")

    assert director.get("/api/v1/rent-runs/").status_code == 200
    assert director.post("/api/v1/rent-runs/", {"month": "2026-03"}, format="json").status_code == 403
    assert director.post("/api/v1/rent-runs/preview/", {"month": "2026-03"}, format="json").status_code == 403
    assert not Job.objects.exists()


@pytest.mark.parametrize("month", ["2026-13", "March", "", None, 202603, ["2026-03"]])
def test_a_month_that_is_none_is_told(asks, month):
    answer = asks("rental_manager").post("/api/v1/rent-runs/", {"month": month}, format="json")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "month"


def test_what_a_run_called_is_read_line_by_line(build, asks):
    lease = build.lease(rent="465.00", benefit="210.00")
    [run] = build.called(MARCH)
    manager = asks("rental_manager")

    every = manager.get(f"/api/v1/rent-runs/{run.pk}/calls/").json()["results"]
    rent = manager.get(f"/api/v1/rent-runs/{run.pk}/calls/?item=1").json()["results"]

    assert {(one["lease"], one["month"], one["amount"]) for one in every} == {
        (lease.pk, "2026-03", "465.00"),
        (lease.pk, "2026-03", "-210.00"),
    }
    assert [(one["amount"], one["days"], one["month_days"], one["due"]) for one in rent] == [
        ("465.00", 31, 31, "2026-03-05")
    ]


def test_what_a_run_left_out_is_listed(build, asks):
    bare = build.lease(rent=None)
    [run] = build.called(MARCH)

    found = asks("rental_manager").get(f"/api/v1/rent-runs/{run.pk}/exceptions/").json()["results"]

    assert [(one["lease"], one["code"]) for one in found] == [(bare.pk, "no_rent_term")]


# ---- long work --------------------------------------------------------------------------


def test_one_sees_ones_own_work_and_who_looks_after_it_sees_all(build, asks):
    mine, other = build.user("rental_manager"), build.user("rental_manager")
    job = Job.objects.create(kind="rent_run", created_by=mine, parameters={"month": "2026-03"})
    clients = {}
    for user in (mine, other):
        clients[user] = APIClient()
        clients[user].force_login(user)

    assert clients[mine].get(f"/api/v1/jobs/{job.pk}/").status_code == 200
    assert clients[other].get(f"/api/v1/jobs/{job.pk}/").status_code == 404
    assert clients[other].post(f"/api/v1/jobs/{job.pk}/cancel/").status_code == 404
    assert asks("director").get(f"/api/v1/jobs/{job.pk}/").status_code == 200


def test_work_that_waits_is_cancelled(build, asks):
    manager = asks("rental_manager")
    begun = manager.post("/api/v1/rent-runs/", {"month": "2026-03"}, format="json").json()

    cancelled = manager.post(f"/api/v1/jobs/{begun['id']}/cancel/").json()

    assert cancelled["state"] == "cancelled"
