"""Unpaid rent from a program: signals read, handled, slept on; balances by age."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from arrears.models import Contact, Signal
from arrears.signals import flag_arrears
from core.audit import AuditLine
from tests.builders import NOW

MARCH = date(2026, 3, 1)
MARCH_20 = date(2026, 3, 20)


@pytest.fixture(autouse=True)
def in_march(settings):
    settings.GLA_TODAY = "2026-03-20"


@pytest.fixture
def signal(build):
    """A month of 465.00 that nobody paid."""
    build.lease()
    build.called(MARCH)
    flag_arrears(on=MARCH_20, by=None, now=NOW)
    return Signal.objects.get()


def test_a_mediator_reads_why_a_signal_is_open(asks, signal):
    [found] = asks("mediator").get("/api/v1/signals/").json()["results"]

    assert (found["nature"], found["amount"], found["lease"]) == ("missed", "465.00", signal.lease_id)
    assert found["explanation"]
    assert (found["days"], found["since"]) == (15, "2026-03-05")
    assert found["urgency"] > 0
    assert AuditLine.objects.filter(action="view", resource="signal", object_id=str(signal.pk)).exists()


def test_a_social_worker_reads_it_without_the_rent_and_may_not_close_it(asks, signal):
    worker = asks("social_worker")

    [found] = worker.get("/api/v1/signals/").json()["results"]

    assert "monthly" not in found
    assert worker.post(f"/api/v1/signals/{signal.pk}/handle/", {"because": "promised"}).status_code == 403


@pytest.mark.parametrize("role", ["technician", "administrator"])
def test_a_technician_and_an_administrator_read_none(asks, role):
    for name in ("signals", "contacts", "aged-balance"):
        assert asks(role).get(f"/api/v1/{name}/").status_code == 403


def test_a_signal_is_handled_once(asks, signal):
    mediator = asks("mediator")

    done = mediator.post(f"/api/v1/signals/{signal.pk}/handle/", {"because": "promised"}, format="json")
    again = mediator.post(f"/api/v1/signals/{signal.pk}/handle/", {"because": "promised"}, format="json")

    assert (done.json()["handled_on"], done.json()["closed_because"]) == ("2026-03-20", "promised")
    assert again.status_code == 422
    assert again.json()["code"] == "SignalRefused"


def test_a_reason_that_only_the_program_sees_is_refused(asks, signal):
    answer = asks("mediator").post(f"/api/v1/signals/{signal.pk}/handle/", {"because": "paid"}, format="json")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "because"


def test_a_signal_sleeps_until_a_day_ahead(asks, signal):
    mediator = asks("mediator")

    done = mediator.post(f"/api/v1/signals/{signal.pk}/remind/", {"on": "2026-04-01"}, format="json")
    late = mediator.post(f"/api/v1/signals/{signal.pk}/remind/", {"on": "2026-03-20"}, format="json")

    assert done.json()["remind_on"] == "2026-04-01"
    assert late.status_code == 422


def test_a_signal_is_given_to_a_mediator(build, asks, signal):
    colleague, technician = build.user("mediator"), build.user("technician")
    mediator = asks("mediator")

    done = mediator.post(f"/api/v1/signals/{signal.pk}/assign/", {"mediator": colleague.pk}, format="json")
    wrong = mediator.post(f"/api/v1/signals/{signal.pk}/assign/", {"mediator": technician.pk}, format="json")

    assert done.json()["mediator"] == colleague.pk
    assert wrong.status_code == 422


def test_a_contact_is_noted_from_a_signal_or_from_a_lease(asks, signal):
    worker = asks("social_worker")

    first = worker.post(
        f"/api/v1/signals/{signal.pk}/contact/", {"means": "call", "note": "Rang."}, format="json"
    )
    second = worker.post(
        "/api/v1/contacts/", {"lease": signal.lease_id, "means": "visit", "on": "2026-03-19"}, format="json"
    )

    assert (first.status_code, second.status_code) == (201, 201)
    assert list(Contact.objects.order_by("pk").values_list("means", "on", "note")) == [
        ("call", MARCH_20, "Rang."),
        ("visit", date(2026, 3, 19), ""),
    ]
    found = worker.get(f"/api/v1/contacts/?lease={signal.lease_id}").json()["results"]
    assert [one["means"] for one in found] == ["call", "visit"]


def test_a_flagging_is_begun_by_who_may(asks, signal, monkeypatch):
    from core import jobs

    monkeypatch.setattr(jobs, "kick", lambda: None)

    assert asks("mediator").post("/api/v1/signals/flag/", {}, format="json").status_code == 202
    assert asks("director").post("/api/v1/signals/flag/", {}, format="json").status_code == 403


def test_the_balances_by_age_are_told_with_their_totals(build, asks):
    first = build.lease(rent="465.00", benefit="210.00")
    second = build.lease(rent="300.00")
    build.called(date(2026, 2, 1), MARCH)

    director = asks("director")
    rows = director.get("/api/v1/aged-balance/?on=2026-03-20").json()["results"]
    [total] = director.get("/api/v1/aged-balance/totals/?on=2026-03-20").json()

    assert [(row["lease"], row["due"], row["since"]) for row in rows] == [
        (second.pk, "600.00", "2026-02-05"),
        (first.pk, "510.00", "2026-02-05"),
    ]
    assert total["buckets"] == {
        "not_due": "0.00",
        "d0_30": "555.00",
        "d31_60": "555.00",
        "d61_90": "0.00",
        "over_90": "0.00",
    }
    assert (total["owner_kind"], total["owing"], total["benefit_wait"]) == ("own", 2, "420.00")


def test_the_balances_by_age_are_paged_and_filtered_as_their_page_is(build, asks):
    for _ in range(3):
        build.lease(rent="300.00")
    build.called(MARCH)
    director = asks("director")

    first = director.get("/api/v1/aged-balance/?limit=2&bucket=d0_30&on=2026-03-20").json()
    second = director.get(first["next"]).json()

    assert (len(first["results"]), len(second["results"]), second["next"]) == (2, 1, None)
    assert director.get(second["previous"]).json()["results"] == first["results"]
    assert director.get("/api/v1/aged-balance/?bucket=over_90&on=2026-03-20").json()["results"] == []
    assert director.get("/api/v1/aged-balance/?bucket=never").status_code == 400


def test_a_social_worker_sees_what_is_owed_not_who_owns_the_home(build, asks):
    build.lease()
    build.called(MARCH)

    [row] = asks("social_worker").get("/api/v1/aged-balance/").json()["results"]

    assert row.keys() == {"lease", "buckets", "due", "since", "benefit_wait"}


@pytest.mark.parametrize("name", ["signals", "contacts", "aged-balance"])
def test_a_list_asks_as_many_queries_for_2_as_for_40(build, asks, name):
    mediator, user = asks("mediator"), build.user("mediator")

    def queries():
        flag_arrears(on=MARCH_20, by=None, now=NOW)
        with CaptureQueriesContext(connection) as captured:
            assert len(mediator.get(f"/api/v1/{name}/?limit=100").json()["results"]) > 1
        return len(captured)

    def owing(count):
        for _ in range(count):
            Contact.objects.create(lease=build.lease(), on=MARCH_20, means="call", by=user)
        build.called(MARCH)

    owing(2)
    few = queries()
    owing(38)

    assert queries() == few
