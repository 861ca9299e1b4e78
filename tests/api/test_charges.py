"""Charges from a program: an expense entered and reversed, a year previewed, settled, its statements read."""

from datetime import date

import pytest

from core import jobs
from core.models import Job
from leases.models import ChargeRun, Expense
from leases.yearly.expenses import COMMON

ROOT = "/api/v1"


@pytest.fixture(autouse=True)
def queued(monkeypatch, settings):
    """Runs what a request queued, here and now; no thread takes it before."""
    monkeypatch.setattr(jobs, "kick", lambda: None)
    settings.GLA_TODAY = "2026-02-02"

    def run():
        for job in Job.objects.filter(finished_at=None):
            jobs.run_inline(job)

    return run


@pytest.fixture
def lease(build):
    lease = build.lease(start=date(2024, 1, 1), charges="45.00")
    build.called(*(date(2025, month, 1) for month in range(1, 13)))
    return lease


def test_a_year_is_played_through_the_api(asks, lease, queued):
    manager = asks("rental_manager")
    building = lease.occupancies.get().place.unit.building
    told = {"building": building.pk, "category": COMMON, "year": 2025, "supplier": "X", "amount": "600.00"}
    made = manager.post(f"{ROOT}/expenses/", told, format="json")
    assert (made.status_code, made.json()["recoverable"]) == (201, "600.00")

    seen = manager.post(f"{ROOT}/charge-runs/preview/", {"year": 2025}, format="json").json()
    assert (seen["leases"], seen["to_pay"], seen["due"]) == (1, "60.00", "2026-03-02")
    assert not ChargeRun.objects.exists()
    begun = manager.post(f"{ROOT}/charge-runs/", {"year": 2025}, format="json")
    queued()
    assert begun.status_code == 202
    run = manager.get(f"{ROOT}/charge-runs/").json()["results"][0]
    assert (run["sealed_settlements"], run["sealed_total"]) == (1, "60.00")
    [line] = manager.get(f"{ROOT}/charge-runs/{run['id']}/statements/").json()["results"]
    assert (line["lease"], line["amount"]) == (lease.pk, "60.00")
    assert manager.get(f"{ROOT}/charge-runs/{run['id']}/left-out/").json()["results"] == []
    statement = manager.get(f"{ROOT}/charge-statements/{line['id']}/").json()
    assert statement["instalments"] == [{"due": "2026-03-02", "amount": "60.00"}]
    assert statement["lines"][0]["total"] == "600.00"


def test_an_expense_is_reversed_once(asks, lease):
    manager = asks("rental_manager")
    building = lease.occupancies.get().place.unit.building
    told = {"building": building.pk, "category": COMMON, "year": 2025, "supplier": "X", "amount": "600.00"}
    pk = manager.post(f"{ROOT}/expenses/", told, format="json").json()["id"]

    assert manager.post(f"{ROOT}/expenses/{pk}/reverse/").json()["amount"] == "-600.00"
    assert manager.post(f"{ROOT}/expenses/{pk}/reverse/").status_code == 422
    assert Expense.objects.count() == 2


def test_a_mediator_reads_statements_and_settles_nothing(asks, lease):
    mediator = asks("mediator")

    assert mediator.get(f"{ROOT}/charge-runs/").status_code == 200
    assert mediator.post(f"{ROOT}/charge-runs/", {"year": 2025}, format="json").status_code == 403
    assert mediator.get(f"{ROOT}/expenses/").status_code == 403
