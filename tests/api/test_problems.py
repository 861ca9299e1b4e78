"""What goes wrong, told to programs (RFC 9457), and who is let in."""

import pytest
from rest_framework.test import APIClient

from api.problems import handle, listed
from core import tokens
from core.audit import AuditLine
from core.errors import Refusal


def test_nobody_enters_without_a_key_or_a_session(db):
    answer = APIClient().get("/api/v1/units/")

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["title"] == "Unauthorized"


def test_a_key_opens_what_its_user_may_and_is_told_apart_in_the_audit(build):
    manager = build.user("rental_manager")
    _token, clear = tokens.issue(manager, name="accounting", by=manager)
    lease = build.lease()
    client = APIClient(headers={"Authorization": f"Bearer {clear}"})

    assert client.get(f"/api/v1/leases/{lease.pk}/").status_code == 200
    line = AuditLine.objects.filter(resource="lease", action="view").get()
    assert (line.actor, line.actor_kind, line.object_id) == (manager.pk, "token", str(lease.pk))


@pytest.mark.parametrize("key", ["gla_unknown", "é", ""])
def test_a_key_that_is_ended_or_unknown_opens_nothing(build, key):
    manager = build.user("rental_manager")
    token, clear = tokens.issue(manager, name="old", by=manager)
    tokens.end(token, by=manager)

    for given in (clear, key):
        answer = APIClient(headers={"Authorization": f"Bearer {given}"}).get("/api/v1/units/")
        assert answer.status_code == 401


def test_a_session_must_bring_its_csrf_token(asks):
    answer = asks("rental_manager", enforce_csrf_checks=True).post(
        "/api/v1/rent-runs/preview/", {"month": "2026-03"}, format="json"
    )

    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]


def test_a_key_needs_no_csrf_token(build):
    manager = build.user("rental_manager")
    _token, clear = tokens.issue(manager, name="accounting", by=manager)
    client = APIClient(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {clear}"})

    answer = client.post("/api/v1/rent-runs/preview/", {"month": "2026-03"}, format="json")

    assert answer.status_code == 200


def test_what_is_not_there_is_a_problem_too(asks):
    answer = asks("rental_manager").get("/api/v1/units/4303/")

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_a_method_that_is_not_there_is_a_problem_too(asks):
    answer = asks("rental_manager").delete("/api/v1/units/")

    assert answer.status_code == 405
    assert answer["Content-Type"] == "application/problem+json"


def test_a_body_that_is_no_json_is_a_problem_too(asks):
    answer = asks("rental_manager").post(
        "/api/v1/rent-runs/preview/", "{month", content_type="application/json"
    )

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_a_refusal_names_its_place_its_reason_and_its_remedy():
    answer = handle(Refusal("lease B-0042", "It has ended.", "Choose another."), {})

    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert answer.data == {
        "type": "urn:gla:refusal",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "lease B-0042 — It has ended. — Choose another.",
        "code": "Refusal",
        "place": "lease B-0042",
        "reason": "It has ended.",
        "remedy": "Choose another.",
    }


def test_a_fault_of_the_program_is_not_dressed_up():
    assert handle(ZeroDivisionError(), {}) is None


def test_errors_are_listed_with_the_path_of_their_field():
    told = {"month": ["Required."], "lines": [{}, {"amount": ["No."]}], "non_field_errors": ["Never."]}

    assert listed(told) == [
        {"field": "month", "detail": "Required."},
        {"field": "lines.1.amount", "detail": "No."},
        {"field": "", "detail": "Never."},
    ]
