"""The pages of papers: a lease's documents, a month's, the texts; and the same by the API."""

from datetime import date

import pytest
from django.urls import reverse

from core.documents import PAPERS, Document, DocumentTemplate, Letterhead
from core.models import Job
from leases.lease import LeaseParty
from leases.papers.consent import email_of
from leases.papers.months import RECEIPT

MARCH = date(2026, 3, 1)


@pytest.fixture
def today(settings):
    settings.GLA_TODAY = "2026-03-20"
    return date(2026, 3, 20)


@pytest.fixture
def manager(build, client, today):
    user = build.user("rental_manager")
    client.force_login(user)
    return user


@pytest.fixture
def paid(build):
    bank = build.bank()
    lease = build.lease(start=MARCH, rent="465.00")
    build.called(MARCH)
    build.paid(lease, "465.00", bank=bank, on=date(2026, 3, 6))
    return lease


def test_one_receipt_is_looked_at_then_archived(manager, paid, client):
    address = reverse("document-make", args=[paid.pk])
    asked = {"kind": "receipt", "month": "2026-03"}

    seen = client.post(address, asked)
    assert "data:image/png;base64," in seen.content.decode()
    assert not Document.objects.exists()

    client.post(address, asked | {"step": "commit"})
    made = Document.objects.get()
    assert (made.kind, made.subject_id) == ("receipt", paid.pk)
    listed = client.get(reverse("lease-documents", args=[paid.pk])).content.decode()
    assert made.title in listed


def test_a_receipt_made_already_is_not_made_again(manager, paid, client):
    address = reverse("document-make", args=[paid.pk])
    asked = {"kind": "receipt", "month": "2026-03", "step": "commit"}
    client.post(address, asked)

    again = client.post(address, asked)

    assert again.status_code == 422
    assert "This paper was already made" in again.content.decode()


@pytest.mark.parametrize("kind", ["account_statement", "contract", "notice"])
def test_the_other_papers_of_a_lease(manager, paid, client, kind):
    client.post(
        reverse("document-make", args=[paid.pk]), {"kind": kind, "month": "2026-03", "step": "commit"}
    )

    assert Document.objects.get().kind == kind


def test_the_pdf_is_served_as_archived(manager, paid, client):
    client.post(
        reverse("document-make", args=[paid.pk]), {"kind": "receipt", "month": "2026-03", "step": "commit"}
    )
    made = Document.objects.defer(None).get()

    answer = client.get(reverse("document", args=[made.pk]))

    assert answer["Content-Type"] == "application/pdf"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.content == bytes(made.content)


def test_the_month_says_what_there_is_and_launches_it(manager, paid, client):
    page = client.get(reverse("papers") + "?month=2026-03").content.decode()
    assert "Rent receipts of March 2026" in page
    counts = client.get(reverse("papers-counts") + "?month=2026-03").content.decode()
    assert "Month paid whole: receipt" in counts
    look = client.get(reverse("papers-preview") + "?kind=receipt&month=2026-03").content.decode()
    assert "data:image/png;base64," in look

    client.post(reverse("papers-start"), {"kind": "receipt", "month": "2026-03", "email": "on"})

    assert Job.objects.get().parameters == {
        "paper": RECEIPT,
        "month": "2026-03",
        "on": "2026-03-20",
        "email": True,
    }


def test_the_agreement_to_email_is_recorded_with_its_proof(manager, paid, client, today):
    person = LeaseParty.objects.get(lease=paid).person
    person.email = "alex@example.org"
    person.save()
    address = reverse("lease-email", args=[paid.pk])

    refused = client.post(address, {"person": str(person.pk), "proof": ""})
    assert "the law asks for it in so many words" in refused.content.decode()
    client.post(address, {"person": str(person.pk), "proof": "signed on 5 January"})
    assert email_of([paid.pk], today) == {paid.pk: "alex@example.org"}

    client.post(address, {"person": "", "proof": ""})
    assert email_of([paid.pk], today) == {}


def test_a_text_is_tried_kept_and_given_back(manager, client):
    address = reverse("papers-text", args=["receipt"])
    own = PAPERS["receipt"].original + "\n\nMerci."
    assert "data:image/png;base64," in client.get(address).content.decode()

    wrong = client.post(address, {"source": "un\n#d.inconnu", "step": "try", "seen": "0"})
    assert wrong.status_code == 422
    assert "line 2" in wrong.content.decode() and "#d.inconnu" in wrong.content.decode()
    live = client.post(
        address, {"source": own, "seen": "0"}, headers={"HX-Request": "true", "HX-Target": "paper-try"}
    )
    assert "<html" not in live.content.decode() and "data:image/png;base64," in live.content.decode()

    client.post(address, {"source": own, "step": "save", "seen": "0"})
    assert DocumentTemplate.objects.get().source == own
    client.post(address, {"source": own, "step": "original", "seen": "1"})
    assert DocumentTemplate.objects.order_by("version").last().source == ""


def test_the_letterhead_is_changed_by_a_new_row(manager, client):
    told = {"name": "Le Toit", "address": "1 rue Haute\n59000 Lille", "city": "Lille"}

    client.post(reverse("letterhead"), told)
    client.post(reverse("letterhead"), told | {"name": "Le Toit solidaire"})

    assert list(Letterhead.objects.order_by("pk").values_list("name", flat=True)) == [
        "Le Toit",
        "Le Toit solidaire",
    ]
    assert "Le Toit solidaire" in client.get(reverse("papers-texts")).content.decode()


@pytest.mark.parametrize(
    ("role", "status"),
    [("mediator", 200), ("director", 200), ("technician", 403), ("social_worker", 403), ("coordinator", 403)],
)
def test_account_papers_are_not_for_everybody(build, paid, client, today, role, status):
    client.force_login(build.user(role))

    assert client.get(reverse("lease-documents", args=[paid.pk])).status_code == status


def test_the_api_makes_lists_and_serves_papers(manager, paid, client):
    asked = {"lease": paid.pk, "kind": "receipt", "month": "2026-03"}
    made = client.post("/api/v1/documents/", asked, content_type="application/json")
    assert made.status_code == 201, made.content
    assert made.json()["amount"] == "465.00"

    listed = client.get(f"/api/v1/documents/?lease={paid.pk}&kind=receipt").json()
    assert [one["id"] for one in listed["results"]] == [made.json()["id"]]
    pdf = client.get(f"/api/v1/documents/{made.json()['id']}/content/")
    assert pdf.content.startswith(b"%PDF")

    launched = client.post(
        "/api/v1/documents/papers/", {"kind": "notice", "month": "2026-03"}, content_type="application/json"
    )
    assert launched.status_code == 202
