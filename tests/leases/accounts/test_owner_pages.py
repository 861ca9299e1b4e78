"""The pages of owners' accounts, and the API beside them: one click for the usual case."""

from datetime import date

import pytest
from django.urls import reverse

from core.money import euros
from core.today import today
from leases.accounts.owner_accounts import OwnerStatement
from leases.accounts.owner_dues import OwnerExpense, call_head_rents
from leases.accounts.owner_terms import ClientAccount, HeadRent, MandateTerms
from leases.accounts.payouts import PayoutBatch
from leases.models import Allocation, BankAccount
from tests.leases.accounts.owners import MARCH, NOW, head_leased, mandated, month_made, statement

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(build, client):
    client.force_login(build.user("rental_manager"))
    return client


@pytest.fixture
def owner(build):
    build.bank()
    owner, lease = mandated(build)
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)))
    return owner


def test_the_owners_of_a_month_with_their_totals(manager, owner):
    month_made()
    page = manager.get(reverse("owner-statements"), {"month": "2026-03"})

    assert page.status_code == 200
    assert page.context["totals"][-2].value == euros("425.94")
    exported = manager.get(reverse("owner-statements"), {"month": "2026-03", "export": "csv"})
    assert "425,94" in exported.content.decode()


def test_a_month_is_made_from_its_page(manager, owner):
    url = reverse("owner-month")
    assert "€" in manager.post(url, {"month": "2026-03"}).content.decode()
    done = manager.post(url, {"month": "2026-03", "step": "commit"})

    assert done.status_code == 302 and "/jobs/" in done.url
    assert manager.post(url, {"month": "March"}).context["form"].errors


def test_an_owners_statement_tells_its_account_and_takes_it_away(manager, owner):
    month_made()
    url = reverse("owner-account", args=[owner.pk])
    page = manager.get(url, {"month": "2026-03"})

    assert page.context["facts"].figures.to_pay == euros("425.94")
    assert not page.context["changed"]
    assert manager.get(url, {"month": "2026-03", "export": "xlsx"}).content[:2] == b"PK"
    assert manager.get(url, {"month": "soon"}).status_code == 404
    assert manager.get(reverse("owner-year", args=[owner.pk]), {"year": "2026"}).status_code == 200


def test_terms_head_rent_invoice_and_account_are_recorded_from_their_pages(manager, owner, build):
    manager.post(
        reverse("owner-terms", args=[owner.pk]),
        {"start": "2026-03-01", "basis": "received", "rate": "6.5", "vat": "on", "reserve": "100"},
    )
    assert MandateTerms.objects.get().reserve == euros("100.00")

    wrong = manager.post(reverse("owner-terms", args=[owner.pk]), {"start": "2026-03-02", "basis": "called"})
    assert wrong.status_code == 422

    _other, holding = head_leased(build)
    manager.post(reverse("head-rent", args=[holding.pk]), {"start": "2026-04-01", "amount": "320,50"})
    assert HeadRent.objects.get().amount == euros("320.50")
    assert manager.get(reverse("owner-terms", args=[holding.owner_id])).status_code == 200

    said = {"supplier": "Serrurier", "number": "F1", "on": "2026-03-20", "amount": "80,10"}
    url = reverse("owner-expense", args=[owner.pk])
    assert "384" in manager.post(url, said).content.decode()  # held afterwards
    manager.post(url, said | {"step": "commit"})
    assert OwnerExpense.objects.get().operation.amount == euros("80.10")

    manager.post(
        reverse("client-account"), {"bank": str(BankAccount.objects.get().pk), "since": "2026-03-01"}
    )
    assert ClientAccount.objects.get().since == MARCH


def test_owners_are_paid_from_preview_to_file(manager, build):
    build.bank()
    owner, _holding = head_leased(build)
    call_head_rents(MARCH, by=None, now=NOW)
    day = today()
    bank = str(build.bank("FR1420041010050500013M02606").pk)
    said = {"on": day.isoformat(), "client_bank": bank, "own_bank": bank, "version": "03"}
    seen = manager.post(reverse("payouts-new"), said)
    assert "310,00" in seen.content.decode() or "310.00" in seen.content.decode()

    refused = manager.post(reverse("payouts-new"), said | {"step": "commit", "expected": "1.00"})
    assert refused.status_code == 422

    done = manager.post(reverse("payouts-new"), said | {"step": "commit", "expected": "310.00"})
    batch = PayoutBatch.objects.get()
    assert done.url == reverse("payout-batch", args=[batch.pk])
    assert manager.get(done.url).status_code == 200
    assert b"pain.001.001.03" in manager.get(reverse("payout-file", args=[batch.pk])).content

    manager.post(reverse("payout-sent", args=[batch.pk]))
    manager.post(reverse("payout-withdraw", args=[batch.pk]), {"reason": "Refusé par la banque"})
    batch.refresh_from_db()
    assert batch.sent_at and batch.withdrawn_at
    assert manager.get(reverse("payout-file", args=[batch.pk])).status_code == 302
    assert manager.get(reverse("payouts")).status_code == 200


def test_client_money_and_the_register_are_shown(manager, owner):
    month_made()
    page = manager.get(reverse("client-money"), {"on": "2026-03-31"})

    assert page.context["found"].holds
    assert manager.get(reverse("mandate-register")).status_code == 200
    assert manager.get(reverse("client-money"), {"on": "someday"}).status_code == 200


def test_terms_come_from_a_file_by_their_page(manager, owner):
    assert manager.get(reverse("import-owner-terms")).status_code == 200
    assert manager.get(reverse("import-owner-terms-template")).content[:2] == b"PK"


def test_a_director_looks_and_does_not_pay_a_mediator_does_not_look(build, client, owner):
    client.force_login(build.user("director"))
    assert client.get(reverse("owner-account", args=[owner.pk])).status_code == 200
    assert client.get(reverse("payouts-new")).status_code == 403
    client.force_login(build.user("mediator"))
    assert client.get(reverse("owner-account", args=[owner.pk])).status_code == 403
    assert client.get(reverse("client-money")).status_code == 403


def test_money_an_owner_sends_is_put_to_its_account_from_the_suspense_list(manager, owner):
    statement(
        (None, "500.00", date(2026, 4, 3)), start=date(2026, 4, 3), end=date(2026, 4, 3), opening="465.00"
    )
    line = Allocation.objects.in_suspense().get()
    assert b"suspense" in manager.get(reverse("suspense-line", args=[line.pk])).content
    url = reverse("suspense-owner", args=[line.pk])
    assert manager.get(url).status_code == 200
    assert manager.post(url, {}).context["form"].errors
    manager.post(url, {"owner": str(owner.pk)})

    assert not Allocation.objects.in_suspense().exists()


# ---- the API ------------------------------------------------------------------------------


def test_the_api_tells_pays_and_withdraws(build, client, owner):
    month_made()
    _other, _holding = head_leased(build)
    call_head_rents(MARCH, by=None, now=NOW)
    client.force_login(build.user("rental_manager"))

    told = client.get("/api/v1/owner-statements/", {"month": "2026-03", "to_pay": "yes"}).json()["results"]
    assert [one["to_pay"] for one in told if one["owner"] == owner.pk] == ["425.94"]

    due = client.get("/api/v1/payouts/due/", {"on": "2026-04-10"}).json()
    assert due["total"] == "735.94"

    made = client.post("/api/v1/payouts/", {"expected": "310.00"}, content_type="application/json")
    assert made.status_code == 201
    [batch] = made.json()
    assert client.post(f"/api/v1/payouts/{batch['id']}/sent/").json()["sent_at"]
    again = client.post(f"/api/v1/payouts/{batch['id']}/withdraw/", {}, content_type="application/json")
    assert again.status_code == 422
    assert len(client.get(f"/api/v1/payouts/{batch['id']}/").json()["payouts"]) == 1

    money = client.get("/api/v1/client-money/", {"on": "2026-03-31"}).json()
    assert money["holds"] and money["difference"] == "0.00"
    assert OwnerStatement.objects.count() == 1
