"""The rental manager's month of direct debits from the pages: mandate, batch, file, what came back."""

from datetime import date

import pytest
from django.urls import reverse

from leases import rent
from leases.models import BankAccount, DebitBatch, DebitReturn, Lease, Mandate, MandateBlock
from tests.leases.collecting.debtors import CALLED, HOLDER, ICS, OTHER_BANK, batch, collecting, mandated
from tests.leases.collecting.test_returns import report
from tests.leases.statements import camt_file, received
from tests.uploads import upload

MARCH = date(2026, 3, 1)


@pytest.fixture(autouse=True)
def the_27th_of_february(settings):
    settings.GLA_TODAY = "2026-02-27"


@pytest.fixture
def manager(build, client):
    client.force_login(build.user("rental_manager"))
    return client


@pytest.fixture
def account(build):
    return collecting(build)


def words(response) -> str:
    return " ".join(response.content.decode().split())


def test_an_account_is_given_its_ics_on_its_page(manager, build):
    account = build.bank()
    url = reverse("bank-account-debits", args=[account.pk])

    refused = manager.post(
        url, {"creditor_id": "FR73ZZZ123456", "creditor": "X", "days": "5", "version": "08"}
    )
    assert refused.status_code == 422
    assert manager.get(reverse("bank-accounts")).status_code == 200
    manager.post(url, {"creditor_id": ICS, "creditor": "Association", "days": "5, 15", "version": "02"})

    kept = BankAccount.objects.get()
    assert (kept.creditor_id, kept.debit_days, kept.debit_format) == (ICS, [5, 15], "02")


def test_a_mandate_is_signed_amended_suspended_and_ended_on_the_leases_pages(manager, build, account):
    lease = build.lease(debit_mandate="RUM-9")
    page = reverse("lease-mandates", args=[lease.pk])
    assert "RUM-9" in words(manager.get(page))

    form = {"iban": HOLDER, "holder": "Alex Martin", "signed_on": "2026-02-20", "creditor": account.pk}
    manager.post(reverse("mandate-sign", args=[lease.pk]), form | {"rum": "RUM-9", "sequence": "RCUR"})
    assert Mandate.objects.get().rum == "RUM-9"
    assert "In force" in words(manager.get(page))

    manager.post(reverse("mandate-amend", args=[lease.pk]), {"iban": OTHER_BANK})
    assert Mandate.objects.get().iban == OTHER_BANK
    manager.post(reverse("mandate-day", args=[lease.pk]), {"day": "10", "since": "2026-03-01"})
    manager.post(reverse("mandate-block", args=[lease.pk]), {"reason": "asked", "on": "2026-02-27"})
    assert "Suspended at the tenant" in words(manager.get(page))
    manager.post(reverse("mandate-unblock", args=[lease.pk]), {})
    assert MandateBlock.objects.get().end
    end = {"reason": "revoked", "last_day": "2026-02-27"}
    assert "Check before" in words(manager.post(reverse("mandate-end", args=[lease.pk]), end))
    manager.post(reverse("mandate-end", args=[lease.pk]), end | {"step": "commit"})
    assert Lease.objects.get().debit_mandate == ""
    assert "Stopped by the tenant" in words(manager.get(page))


def test_a_batch_is_shown_made_downloaded_sent(manager, build, account):
    lease, blocked = build.lease(), build.lease()
    mandated(lease, account)
    MandateBlock.objects.create(mandate=mandated(blocked, account), reason="MD01", start=MARCH)
    rent.run_rent(MARCH, by=None, now=CALLED)

    shown = manager.get(reverse("debits-new"))
    assert "Make the file of 5 Mar 2026" in words(shown)
    assert "The mandate is suspended." in words(shown)
    found = shown.context["preview"]
    form = {"account": account.pk, "on": "2026-03-05", "take": "all"}
    assert "changed=1" in manager.post(reverse("debits-commit"), form | {"digest": "other"})["Location"]
    made = manager.post(reverse("debits-commit"), form | {"digest": found.digest})

    kept = DebitBatch.objects.get()
    assert made["Location"] == reverse("debit-batch", args=[kept.pk])
    page = words(manager.get(made["Location"]))
    assert "To send to the bank" in page and lease.reference in page
    file = manager.get(reverse("debit-batch-file", args=[kept.pk]))
    assert file.content == bytes(kept.content)
    assert f"{kept.message_id}.xml" in file["Content-Disposition"]
    manager.post(reverse("debit-batch-sent", args=[kept.pk]), {"on": "2026-02-27"})
    assert "Sent, not answered yet" in words(manager.get(reverse("debits")))
    assert (
        manager.post(reverse("debit-batch-withdraw", args=[kept.pk]), {"step": "commit"}).status_code == 422
    )


def test_a_report_is_read_and_what_came_back_is_listed(manager, build, account):
    lease = build.lease()
    mandated(lease, account)
    rent.run_rent(MARCH, by=None, now=CALLED)
    made = batch(account)

    page = upload(
        manager,
        "import-debit-report",
        report(made, (made.debits.get().end_to_end, "RJCT", "AC04")),
        "pain002.xml",
    )

    assert "The account is closed" in words(page)
    assert DebitReturn.objects.get().code == "AC04"
    listed = words(manager.get(reverse("debits-returned")))
    assert lease.reference in listed and "ask for a new IBAN" in listed
    assert "?outcome=came_back" in words(manager.get(reverse("debit-batch", args=[made.pk])))


def test_a_statement_tells_the_batch_and_its_page_says_so(manager, build, account):
    mandated(build.lease(), account)
    rent.run_rent(MARCH, by=None, now=CALLED)
    made = batch(account)

    page = upload(
        manager,
        "import-statement",
        camt_file(received("465.00", date(2026, 3, 5), kind="direct_debit", label="REMISE PRLV")),
        "r.xml",
    )

    assert "Direct debits: 1 collected, 0 sent back." in words(page)
    assert "Collected" in words(manager.get(reverse("debit-batch", args=[made.pk])))


def test_a_credit_of_unknown_batch_is_offered_on_its_page(manager, build, account):
    for _one in range(2):
        mandated(build.lease(), account)
        rent.run_rent(MARCH, by=None, now=CALLED)
        made = batch(account)
    upload(
        manager,
        "import-statement",
        camt_file(received("465.00", date(2026, 3, 5), kind="direct_debit", label="REMISE PRLV")),
        "r.xml",
    )

    page = manager.get(reverse("debit-batch", args=[made.pk]))
    [movement] = page.context["credits"]
    manager.post(reverse("debit-batch-credit", args=[made.pk, movement.pk]), {"step": "commit"})

    assert made.debits.get().credit.movement == movement


def test_without_an_ics_the_page_says_what_to_do(manager, build):
    assert "give one its creditor identifier" in words(manager.get(reverse("debits-new")))
    assert "No direct debit yet" in words(manager.get(reverse("debits")))


def test_a_mediator_sees_what_came_back_and_no_mandate(build, client, account):
    client.force_login(build.user("mediator"))

    assert client.get(reverse("debits-returned")).status_code == 200
    assert client.get(reverse("debits-new")).status_code == 403
    assert client.get(reverse("lease-mandates", args=[build.lease().pk])).status_code == 403
