"""A bank statement from a program: uploaded, read, and what waits settled."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leases.models import Allocation, Movement, PayerIban, Statement
from tests.leases.statements import PAYER, camt_file, cfonb_file, received

MARCH = date(2026, 3, 1)


def upload(client, content, name="releve.xml"):
    return client.post("/api/v1/statements/", {"file": SimpleUploadedFile(name, content)}, format="multipart")


@pytest.fixture
def waiting(build, asks):
    """A transfer of 465.00 that no rule could place, and the lease it pays."""
    build.bank()
    lease = build.lease()
    build.called(MARCH)
    upload(
        asks("rental_manager"),
        camt_file(received("465.00", counterparty_name="Cousin", counterparty_iban=PAYER)),
    )
    return lease


@pytest.mark.parametrize("write", [camt_file, cfonb_file])
def test_a_statement_is_uploaded_and_its_movements_are_read(build, asks, write):
    build.bank()
    lease = build.lease()
    build.called(MARCH)
    manager = asks("rental_manager")

    answer = upload(manager, write(received("465.00", reference=lease.payment_reference), received("12.00")))

    assert answer.status_code == 201
    done = answer.json()
    assert (done["movements"], done["matched"], done["suspense"]) == (2, 1, 1)
    [part] = done["parts"]
    statement = manager.get(f"/api/v1/statements/{part['statement']}/").json()
    assert (statement["opening"], statement["closing"], statement["sealed_total"]) == (
        "0.00",
        "477.00",
        "477.00",
    )
    found = manager.get(f"/api/v1/statements/{part['statement']}/movements/").json()["results"]
    assert [
        (one["amount"], one["allocations"][0]["how"], one["allocations"][0]["lease"]) for one in found
    ] == [
        ("465.00", "reference", lease.pk),
        ("12.00", "suspense", None),
    ]
    account = manager.get(f"/api/v1/leases/{lease.pk}/account/?on=2026-03-31").json()
    assert account["balance"] == "0.00"


def test_the_same_file_again_changes_nothing(build, asks):
    build.bank()
    manager, content = asks("rental_manager"), camt_file(received("465.00"))
    upload(manager, content)

    again = upload(manager, content)

    assert again.status_code == 200
    assert (again.json()["changed"], again.json()["known"]) == (False, 1)
    assert Movement.objects.count() == 1


@pytest.mark.parametrize("content", [b"%PDF-1.4", b"<Document", b"01" + b"x" * 200])
def test_a_broken_file_is_refused_whole_with_its_reason(build, asks, content):
    build.bank()

    answer = upload(asks("rental_manager"), content)

    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:gla:refusal"
    assert all(answer.json()[word] for word in ("place", "reason", "remedy"))
    assert not Statement.objects.exists()


def test_a_statement_of_an_account_that_is_not_ours_is_refused(build, asks):
    answer = upload(asks("rental_manager"), camt_file(received("465.00")))

    assert answer.status_code == 422
    assert answer.json()["code"] == "NotOurAccount"


def test_a_form_without_a_file_is_told_so(asks):
    answer = asks("rental_manager").post("/api/v1/statements/", {}, format="multipart")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "file"


def test_a_director_reads_statements_and_imports_none(build, asks):
    build.bank()
    director = asks("director")

    assert director.get("/api/v1/statements/").status_code == 200
    assert upload(director, camt_file(received("465.00"))).status_code == 403
    assert not Statement.objects.exists()


@pytest.mark.parametrize("role", ["mediator", "technician", "social_worker", "coordinator", "administrator"])
@pytest.mark.parametrize("name", ["statements", "suspense", "allocations", "bank-accounts"])
def test_nobody_else_reads_the_bank(asks, role, name):
    assert asks(role).get(f"/api/v1/{name}/").status_code == 403


# ---- money to identify ------------------------------------------------------------------


def test_what_waits_is_settled_and_leaves_the_list(asks, waiting):
    manager = asks("rental_manager")
    [line] = manager.get("/api/v1/suspense/").json()["results"]

    answer = manager.post(
        f"/api/v1/suspense/{line['id']}/settle/",
        {"parts": [{"lease": waiting.pk, "amount": "465.00"}], "on": "2026-03-10", "remember_iban": True},
        format="json",
    )

    assert line["left"] == "465.00"
    assert [(one["lease"], one["amount"], one["settles"]) for one in answer.json()] == [
        (waiting.pk, "465.00", line["id"])
    ]
    assert manager.get("/api/v1/suspense/").json()["results"] == []
    assert manager.get(f"/api/v1/leases/{waiting.pk}/account/?on=2026-03-31").json()["balance"] == "0.00"
    assert PayerIban.objects.filter(lease=waiting, iban=PAYER).exists()


def test_a_part_may_be_settled_for_the_month_its_payer_chose(asks, waiting):
    manager = asks("rental_manager")
    [line] = manager.get("/api/v1/suspense/").json()["results"]

    manager.post(
        f"/api/v1/suspense/{line['id']}/settle/",
        {"parts": [{"lease": waiting.pk, "amount": "165.00", "month": "2026-03"}], "on": "2026-03-10"},
        format="json",
    )

    [left] = manager.get("/api/v1/suspense/").json()["results"]
    assert left["left"] == "300.00"
    assert Allocation.objects.get(lease=waiting).month == MARCH


def test_a_part_goes_to_the_banks_charges_or_to_a_benefit(asks, waiting):
    manager = asks("rental_manager")
    [line] = manager.get("/api/v1/suspense/").json()["results"]
    parts = [
        {"to": "benefit", "lease": waiting.pk, "amount": "400.00", "month": "2026-03"},
        {"to": "charges", "amount": "65.00"},
    ]

    answer = manager.post(
        f"/api/v1/suspense/{line['id']}/settle/", {"parts": parts, "on": "2026-03-10"}, format="json"
    )

    assert [(one["lease"], one["amount"]) for one in answer.json()] == [
        (waiting.pk, "400.00"),
        (None, "65.00"),
    ]


def test_a_part_must_say_whose_it_is(asks, waiting):
    manager = asks("rental_manager")
    [line] = manager.get("/api/v1/suspense/").json()["results"]

    answer = manager.post(
        f"/api/v1/suspense/{line['id']}/settle/", {"parts": [{"amount": "465.00"}]}, format="json"
    )

    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"field": "parts.0.lease", "detail": answer.json()["errors"][0]["detail"]}
    ]


def test_more_than_what_is_left_is_refused_and_nothing_moves(asks, waiting):
    manager = asks("rental_manager")
    [line] = manager.get("/api/v1/suspense/").json()["results"]

    answer = manager.post(
        f"/api/v1/suspense/{line['id']}/settle/",
        {"parts": [{"lease": waiting.pk, "amount": "465.01"}], "on": "2026-03-10"},
        format="json",
    )

    assert answer.status_code == 422
    assert answer.json()["code"] == "CannotSettle"
    assert Allocation.objects.count() == 1


@pytest.mark.parametrize("amount", [465.0, 465, "465,00", "465.001", "", None, "NaN", "1e400", "Infinity"])
def test_an_amount_that_is_no_decimal_string_is_told(asks, waiting, amount):
    manager = asks("rental_manager")
    [line] = manager.get("/api/v1/suspense/").json()["results"]

    answer = manager.post(
        f"/api/v1/suspense/{line['id']}/settle/",
        {"parts": [{"lease": waiting.pk, "amount": amount}]},
        format="json",
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "parts.0.amount"


def test_what_was_put_wrongly_is_taken_back_and_waits_again(asks, waiting):
    manager = asks("rental_manager")
    [line] = manager.get("/api/v1/suspense/").json()["results"]
    [put] = manager.post(
        f"/api/v1/suspense/{line['id']}/settle/",
        {"parts": [{"lease": waiting.pk, "amount": "465.00"}], "on": "2026-03-10"},
        format="json",
    ).json()

    answer = manager.post(f"/api/v1/allocations/{put['id']}/take-back/", {"on": "2026-03-11"}, format="json")

    assert answer.status_code == 200
    assert [one["left"] for one in manager.get("/api/v1/suspense/").json()["results"]] == ["465.00"]


def test_a_director_settles_nothing(asks, waiting):
    director = asks("director")
    [line] = director.get("/api/v1/suspense/").json()["results"]

    answer = director.post(f"/api/v1/suspense/{line['id']}/settle/", {"parts": []}, format="json")

    assert answer.status_code == 403


@pytest.mark.parametrize("address", ["suspense/", "allocations/", "statements/1/movements/"])
def test_a_list_asks_as_many_queries_for_2_as_for_40(build, asks, address):
    build.bank()
    manager = asks("rental_manager")

    def queries(first):
        path = address.replace("1", str(first))
        with CaptureQueriesContext(connection) as captured:
            assert len(manager.get(f"/api/v1/{path}").json()["results"]) > 1
        return len(captured)

    march = [received(f"{number}.00") for number in range(1, 3)]
    few = queries(upload(manager, camt_file(*march)).json()["parts"][0]["statement"])
    april = [received(f"{number}.00", booked=date(2026, 4, 2)) for number in range(1, 39)]
    done = upload(
        manager, camt_file(*april, opening="3.00", start=date(2026, 4, 1), end=date(2026, 4, 30))
    ).json()

    assert queries(done["parts"][0]["statement"]) == few


def test_who_a_line_may_be_of_is_suggested_with_its_reasons(build, asks):
    build.bank()
    lease = build.lease(iban=PAYER, household=build.household("Nowak"))
    build.lease(iban=PAYER)
    build.called(MARCH)
    manager = asks("rental_manager")
    upload(manager, camt_file(received("465.00", counterparty_name="M NOWAK", counterparty_iban=PAYER)))
    [line] = manager.get("/api/v1/suspense/").json()["results"]

    found = manager.get(f"/api/v1/suspense/{line['id']}/suggestions/").json()

    assert found[0]["lease"] == lease.pk
    assert found[0]["balance"] == "465.00"
    assert found[0]["reasons"]


def test_a_grouped_transfer_is_split_by_its_list_once(build, asks):
    build.bank()
    lease = build.lease(benefit="210.00")
    build.called(MARCH)
    manager = asks("rental_manager")
    transfer = received(
        "260.00", booked=date(2026, 3, 25), label="VIR CAF VIR-77", counterparty_name="CAF DU NORD"
    )
    upload(manager, camt_file(transfer))
    number = lease.benefits.get().beneficiary_number
    told = (
        "organisme;numero_allocataire;nom;reference_bail;mois_droit;montant;rappel;retenue;"
        "reference_virement;date_paiement\r\n"
        f"CAF;{number};MARTIN;;2026-03;210,00;;;VIR-77;2026-03-25\r\n"
        "CAF;9999999;INCONNU;;2026-03;50,00;;;VIR-77;2026-03-25\r\n"
    ).encode()

    def split():
        file = SimpleUploadedFile("caf.csv", told)
        return manager.post("/api/v1/suspense/lists/", {"file": file}, format="multipart").json()

    first, second = split(), split()

    assert (first["settled"], first["odd"], first["odd_total"], first["already"]) == (1, 1, "50.00", False)
    assert second["already"] is True
    [odd] = manager.get("/api/v1/suspense/").json()["results"]
    assert odd["left"] == "50.00"
    assert odd["odd"]
