"""Direct debits by the API: a mandate, a batch from preview to file, what came back."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from leases import rent
from leases.models import DebitBatch, Mandate
from tests.leases.collecting.debtors import CALLED, HOLDER, OTHER_BANK, collecting, mandated
from tests.leases.collecting.test_returns import report

V1 = "/api/v1"


@pytest.fixture(autouse=True)
def the_27th_of_february(settings):
    settings.GLA_TODAY = "2026-02-27"


@pytest.fixture
def account(build):
    return collecting(build)


@pytest.fixture
def manager(build, client):
    client.force_login(build.user("rental_manager"))
    return client


def test_a_mandate_lives_its_life(manager, build, account):
    lease = build.lease()
    said = {
        "lease": lease.pk,
        "creditor": account.pk,
        "iban": HOLDER,
        "holder": "A",
        "signed_on": "2026-02-01",
    }

    made = manager.post(f"{V1}/mandates/", said, content_type="application/json")
    assert made.status_code == 201, made.content
    url = f"{V1}/mandates/{made.json()['id']}/"
    assert made.json()["state"] == "In force"
    for what, asked in (
        ("amend", {"iban": OTHER_BANK}),
        ("block", {"reason": "asked"}),
        ("unblock", {}),
        ("day", {"day": 10, "since": "2026-03-01"}),
    ):
        answer = manager.post(f"{url}{what}/", asked, content_type="application/json")
        assert answer.status_code == 200, (what, answer.content)
    wrong = manager.post(f"{url}day/", {"day": 15, "since": "2026-03-01"}, content_type="application/json")
    assert wrong.status_code in (409, 422)
    assert (
        manager.post(f"{url}end/", {"reason": "revoked"}, content_type="application/json").status_code == 200
    )
    assert Mandate.objects.get().end == date(2026, 2, 27)
    assert manager.get(f"{V1}/mandates/?lease={lease.pk}").json()["results"][0]["iban"] == OTHER_BANK


def test_a_batch_is_previewed_made_and_answered(manager, build, account):
    mandated(build.lease(), account)
    rent.run_rent(date(2026, 3, 1), by=None, now=CALLED)
    asked = {"creditor": account.pk, "on": "2026-03-05"}

    shown = manager.post(f"{V1}/debit-batches/preview/", asked, content_type="application/json").json()
    assert (shown["total"], len(shown["lines"])) == ("465.00", 1)
    stale = manager.post(f"{V1}/debit-batches/", asked | {"digest": "x"}, content_type="application/json")
    assert stale.status_code in (409, 422)
    made = manager.post(
        f"{V1}/debit-batches/", asked | {"digest": shown["digest"]}, content_type="application/json"
    )
    assert made.status_code == 201, made.content
    url = f"{V1}/debit-batches/{made.json()['id']}/"
    batch = DebitBatch.objects.get()
    assert manager.get(f"{url}file/").content == bytes(batch.content)
    assert manager.post(f"{url}sent/", {}, content_type="application/json").json()["sent_on"] == "2026-02-27"
    data = report(batch, (batch.debits.get().end_to_end, "RJCT", "AM04"))
    read = manager.post(f"{V1}/returned-debits/", {"file": SimpleUploadedFile("r.xml", data)})
    assert read.status_code == 201, read.content
    [one] = manager.get(f"{V1}/returned-debits/").json()["results"]
    assert (one["return_code"], one["state"]) == ("AM04", "Came back: Not enough money on the account")
    assert manager.get(f"{url}debits/?outcome=came_back").json()["results"][0]["id"] == one["id"]
    assert manager.get(url).json()["came_back"] == 1
