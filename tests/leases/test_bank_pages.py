"""The rental manager's work with the bank, from the pages: import, read, settle, take back."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from core.audit import AuditLine
from core.money import euros
from leases import bank
from leases.formats.benefit_list import BenefitLine, BenefitList, write_list
from leases.models import Allocation, Movement, PayerIban, Statement
from tests.builders import NOW
from tests.leases.statements import OTHER_PAYER, camt_file, received
from tests.uploads import upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(build, client):
    client.force_login(build.user("rental_manager"))
    with translation.override("en"):
        client.cookies["django_language"] = "en"
        yield client


def words(response) -> str:
    return " ".join(response.content.decode().split())


@pytest.fixture
def waiting(build):
    """Three lines in suspense of the same day: one of 150 EUR, one of 30 EUR, one of −8 EUR."""
    build.bank()
    bank.import_statement(
        camt_file(
            received("150.00", counterparty_iban=OTHER_PAYER, counterparty_name="GREVISSE PAULE"),
            received("30.00", label="VERSEMENT"),
            received("-8.00", label="COTISATION", kind="direct_debit"),
        ),
        "r.xml",
        by=None,
        now=NOW,
    )
    return list(Allocation.objects.in_suspense().order_by("pk"))


def test_a_statement_is_imported_and_says_what_became_of_it(manager, build):
    lease = build.lease()
    build.bank()

    page = upload(
        manager,
        "import-statement",
        camt_file(received("465.00", reference=lease.payment_reference), received("5.00")),
    )

    assert "2 movements imported, 1 placed by the rules." in words(page)
    assert "Settle 1 line in suspense" in words(page)
    again = upload(
        manager,
        "import-statement",
        camt_file(received("465.00", reference=lease.payment_reference), received("5.00")),
    )
    assert "nothing changed" in words(again)


def test_a_broken_file_is_refused_with_its_line(manager, build):
    page = upload(manager, "import-statement", b"01 not a statement\r\n")

    assert "Line 1" in words(page)
    assert not Statement.objects.exists()


def test_a_statement_shows_each_movement_its_lease_and_why(manager, build):
    lease = build.lease()
    build.bank()
    bank.import_statement(
        camt_file(received("465.00", reference=lease.payment_reference), received("5.00")),
        "r.xml",
        by=None,
        now=NOW,
    )
    statement = Statement.objects.get()

    page = words(manager.get(reverse("statement", args=[statement.pk])))

    assert lease.reference in page
    assert "Payment reference" in page
    assert "To identify" in page
    only = words(manager.get(reverse("statement", args=[statement.pk]), {"how": "suspense"}))
    assert lease.payment_reference not in only
    assert AuditLine.objects.filter(resource="statement", action="view").exists()


@pytest.mark.parametrize("name", ["statements", "suspense"])
def test_a_list_goes_to_excel(manager, waiting, name):
    page = manager.get(reverse(name), {"export": "xlsx"})

    assert page["Content-Type"].endswith("sheet")


def test_a_line_is_settled_in_two_clicks_and_the_next_one_comes(manager, build, waiting):
    lease = build.lease(household=build.household("Grévisse"))

    page = words(manager.get(reverse("suspense-line", args=[waiting[0].pk])))
    assert "The last name is of somebody who lives there or signed." in page
    done = manager.post(reverse("suspense-line", args=[waiting[0].pk]), {"lease": lease.pk, "remember": "on"})

    assert done["Location"] == reverse("suspense-line", args=[waiting[1].pk])
    assert Allocation.objects.get(lease=lease).amount == euros("150.00")
    assert PayerIban.objects.get(iban=OTHER_PAYER).lease == lease


def test_another_lease_is_found_by_name(manager, build, waiting):
    lease = build.lease(household=build.household("Zabulon"))

    page = words(manager.get(reverse("suspense-line", args=[waiting[1].pk]), {"q": "zabulon"}))

    assert reverse("lease", args=[lease.pk]) in page


def test_a_line_is_split_and_its_rest_stays_on_the_page(manager, build, waiting):
    one, other = build.lease(), build.lease()

    done = manager.post(
        reverse("suspense-line", args=[waiting[0].pk]),
        {
            "lease1": one.reference, "amount1": "100,00", "month1": "2026-03",
            "lease2": other.reference, "amount2": "20,00", "account2": "benefit",
        },
    )  # fmt: skip

    assert done["Location"] == reverse("suspense-line", args=[waiting[0].pk])
    assert Allocation.objects.in_suspense().get(pk=waiting[0].pk).left == euros("30.00")
    assert Allocation.objects.get(lease=other).account.kind == 2
    assert Allocation.objects.get(lease=one).month == date(2026, 3, 1)


def test_a_split_beyond_what_is_left_is_refused_and_kept_on_the_page(manager, build, waiting):
    lease = build.lease()

    page = manager.post(
        reverse("suspense-line", args=[waiting[0].pk]), {"lease1": lease.reference, "amount1": "151,00"}
    )

    assert page.status_code == 422
    assert "150.00 EUR is left" in words(page)
    assert lease.reference in words(page)


def test_a_split_names_leases_that_exist(manager, waiting):
    page = manager.post(
        reverse("suspense-line", args=[waiting[0].pk]), {"lease1": "NOBODY", "amount1": "1,00"}
    )

    assert "No lease has this reference." in words(page)


def test_a_debit_may_be_bank_charges(manager, waiting):
    manager.post(reverse("suspense-line", args=[waiting[2].pk]), {"charges": "on"})

    assert Allocation.objects.get(how="manual").account.kind == 9


def test_a_line_settled_meanwhile_leads_to_its_movement(manager, build, waiting):
    manager.post(reverse("suspense-line", args=[waiting[1].pk]), {"lease": build.lease().pk})

    page = manager.get(reverse("suspense-line", args=[waiting[1].pk]))

    assert page["Location"] == reverse("movement", args=[waiting[1].movement_id])


def test_what_was_settled_is_taken_back_after_a_look(manager, build, waiting):
    lease = build.lease()
    manager.post(reverse("suspense-line", args=[waiting[1].pk]), {"lease": lease.pk})
    put = Allocation.objects.get(lease=lease)

    assert reverse("allocation-take-back", args=[put.pk]) in words(
        manager.get(reverse("movement", args=[put.movement_id]))
    )
    address = reverse("allocation-take-back", args=[put.pk])
    assert "30.00" in words(manager.post(address))
    manager.post(address, {"step": "commit"})

    assert Allocation.objects.in_suspense().get(pk=waiting[1].pk).left == euros("30.00")
    assert "Taken back" in words(manager.get(reverse("movement", args=[put.movement_id])))


def test_a_payment_list_is_imported_and_its_odd_line_waits_with_its_reason(manager, build):
    lease = build.lease(benefit="200.00")
    build.bank()
    bank.import_statement(
        camt_file(received("240.00", bank_reference="VIRCAF0326")), "r.xml", by=None, now=NOW
    )
    month = date(2026, 3, 1)
    lines = (
        BenefitLine(2, lease.benefits.get().beneficiary_number, "NOM", "", month, 20000),
        BenefitLine(3, "9999999", "AUTRE", "", month, 4000),
    )
    data = write_list(BenefitList("CAF", "VIRCAF0326", date(2026, 3, 5), 24000, lines))

    page = words(upload(manager, "import-payment-list", data, "caf.csv"))

    assert "€240.00 split: 1 lines settled." in page
    assert "Nobody here has this number or reference." in words(manager.get(reverse("suspense")))
    odd = Allocation.objects.in_suspense().get()
    assert "9999999" in words(manager.get(reverse("suspense-line", args=[odd.pk])))
    assert "nothing changed" in words(upload(manager, "import-payment-list", data, "caf.csv"))


def test_a_director_sees_and_does_not_settle(build, client, waiting):
    client.force_login(build.user("director"))

    assert client.get(reverse("suspense")).status_code == 200
    assert client.get(reverse("movement", args=[waiting[0].movement_id])).status_code == 200
    assert client.post(reverse("suspense-line", args=[waiting[0].pk]), {"charges": "on"}).status_code == 403


@pytest.mark.parametrize("name", ["statements", "suspense"])
def test_a_list_asks_no_more_for_40_rows_than_for_2(manager, build, name):
    build.bank()
    counts, opening = [], euros("0.00")
    for month, count in ((3, 2), (4, 38)):
        movements = [received(f"{10 + n}.00", date(2026, month, 5)) for n in range(count)]
        data = camt_file(
            *movements, opening=str(opening.amount), start=date(2026, month, 1), end=date(2026, month, 28)
        )
        bank.import_statement(data, "r.xml", by=None, now=NOW)
        opening = Statement.objects.latest("end").closing
        with CaptureQueriesContext(connection) as queries:
            manager.get(reverse(name))
        counts.append(len(queries))

    assert Movement.objects.count() == 40
    assert counts[0] == counts[1]
