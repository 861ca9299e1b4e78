"""A year of charges played on its pages: expenses, keys, preview, settlement, statement, undo, provisions."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from core.jobs import Job, run_inline
from core.money import euros
from core.tables import write_table
from core.templatetags.gla import day_text
from leases.models import (
    ChargeRun,
    CoOwnership,
    Expense,
    FlatCharges,
    RentTerm,
    Settlement,
    UnitShare,
)
from leases.terms import CHARGES
from leases.yearly.expense_files import EXPENSE_COLUMNS
from leases.yearly.expenses import COMMON, TANTIEMES, policy, record_expense
from leases.yearly.settling import settle_charges

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 2, 2, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def today(settings):
    settings.GLA_TODAY = "2026-02-02"


@pytest.fixture
def manager(build, client):
    client.force_login(build.user("rental_manager"))
    return client


@pytest.fixture
def lease(build):
    unit = build.unit(living_surface="60.00")
    build.unit(building=unit.building, living_surface="40.00")
    lease = build.lease(unit=unit, start=date(2024, 1, 1), charges="45.00")
    build.called(*(date(2025, month, 1) for month in range(1, 13)))
    return lease


@pytest.fixture
def building(lease):
    return lease.occupancies.get().place.unit.building


def spent(building, amount="1000.00"):
    return record_expense(
        year=2025, category=COMMON, amount=euros(amount), building=building, supplier="Net'Hall",
        invoice="F-1", by=None, now=NOW,
    )  # fmt: skip


def settled():
    return settle_charges(2025, on=date(2026, 2, 2), by=None, now=NOW)


def page(client, name, *args, **query):
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_an_expense_is_entered_after_its_preview_then_reversed(manager, building):
    told = {
        "place": building.reference.lower(),
        "year": 2025,
        "category": COMMON,
        "supplier": "Net'Hall",
        "invoice": "F-7",
        "amount": "1 234,50",
    }
    assert building.reference in page(manager, "expense-add", building=building.pk)
    seen = manager.post(reverse("expense-add"), told).content.decode()
    assert "€1,234.50" in seen and not Expense.objects.exists()
    manager.post(reverse("expense-add"), told | {"step": "commit"})
    [one] = Expense.objects.all()
    assert one.amount == euros("1234.50")

    assert "Net&#x27;Hall" in page(manager, "expenses", year=2025)
    assert "F-7" in page(manager, "expense-reverse", one.pk)
    manager.post(reverse("expense-reverse", args=[one.pk]))
    assert Expense.objects.count() == 2
    again = manager.post(reverse("expense-reverse", args=[one.pk]))
    assert again.status_code == 422
    assert "Reversed" in page(manager, "expenses")


def test_an_unknown_place_is_refused_in_words(manager):
    answer = manager.post(reverse("expense-add"), {"place": "X", "year": 2025, "category": COMMON})

    assert "No site, building or home has this reference." in answer.content.decode()


def test_expenses_are_taken_in_from_a_file(manager, building):
    row = {
        "year": 2025, "building": building.reference, "category": "parties communes",
        "supplier": "Net'Hall", "invoice": "F-1", "amount": euros("100.00"),
    }  # fmt: skip
    content = write_table(EXPENSE_COLUMNS, [[row.get(c.key) for c in EXPENSE_COLUMNS]], format="csv")
    page(manager, "import-expenses")
    page(manager, "import-keys")
    assert manager.get(reverse("import-expenses-template")).status_code == 200
    assert manager.get(reverse("import-keys-template")).status_code == 200
    manager.post(reverse("import-expenses"), {"file": SimpleUploadedFile("d.csv", content)})
    run_inline(Job.objects.get())

    assert Expense.objects.count() == 1


def test_values_of_a_key_are_entered_on_the_buildings_page(manager, building):
    assert "Distribution keys" in page(manager, "building", building.pk)
    url = reverse("building-keys", args=[building.pk]) + f"?key={TANTIEMES}&category=0"
    units = list(building.units.order_by("reference"))
    manager.post(url, {f"share_{units[0].pk}": "120", f"share_{units[1].pk}": "80,5", "total": "1000"})

    assert list(UnitShare.objects.order_by("unit").values_list("value", flat=True)) == [
        Decimal("120.00"),
        Decimal("80.50"),
    ]
    assert "120" in page(manager, "building-keys", building.pk, key=TANTIEMES, category=0)


def test_a_year_is_previewed_settled_and_read(manager, lease, building):
    assert "No expense is entered" in page(manager, "charge-preview", year=2025)
    spent(building)
    seen = page(manager, "charge-preview", year=2025)
    assert "€60.00" in seen and lease.reference in seen
    assert "not over yet" in page(manager, "charge-preview", year=2026)
    assert "month before" in page(manager, "charge-preview", year=2025, due="2026-02-10")
    manager.post(reverse("charge-commit"), {"year": 2025, "place": building.reference})
    run_inline(Job.objects.get())
    run = ChargeRun.objects.get()
    assert run.building == building and run.sealed_settlements == 1
    assert "Prepare 2025" in page(manager, "charge-runs")
    assert "Common parts" in page(manager, "charge-run", run.pk)
    assert lease.reference in page(manager, "charge-statements", run.pk, result="pay")
    page(manager, "charge-left-out", run.pk)
    told = page(manager, "charge-statement", Settlement.objects.get().pk)
    assert "60.00 / 100.00" in told or "60 / 100" in told
    assert "€600.00" in told and day_text(date(2026, 8, 2)) in told
    assert "only what changed since" in page(manager, "charge-preview", year=2025)
    assert "Charges settled" in page(manager, "lease", lease.pk)
    assert "2025" in page(manager, "lease-charges", lease.pk)


def test_a_settlement_is_undone_from_its_page(manager, lease, building):
    spent(building)
    run = settled()
    url = reverse("charge-undo", args=[run.pk])
    assert "€60.00" in manager.post(url, {}).content.decode()
    manager.post(url, {"step": "commit"})

    assert "Undone" in page(manager, "charge-runs")
    assert sum((one.amount for one in Settlement.objects.all()), euros(0)) == euros(0)
    page(manager, "charge-statement", Settlement.objects.latest("pk").pk)


def test_next_provisions_are_previewed_then_applied(manager, lease, building):
    spent(building)
    run = settled()
    url = reverse("charge-provisions", args=[run.pk])
    assert "€50.00" in manager.post(url, {"since": "2026-04-01"}).content.decode()
    manager.post(url, {"since": "2026-04-01", "step": "commit"})

    assert RentTerm.objects.get(lease=lease, item=CHARGES, end=None).amount == euros("50.00")
    assert manager.post(url, {"since": "2025-04-01"}).status_code == 422


def test_a_furnished_lease_is_said_to_have_flat_charges(manager, build):
    lease = build.lease(kind="L89_MEUBLE")
    assert "Flat charges or provisions" in page(manager, "lease-charges", lease.pk)
    manager.post(reverse("lease-flat-charges", args=[lease.pk]), {"flat": "on"})

    assert FlatCharges.objects.filter(lease=lease).exists()


def test_the_director_chooses_when_a_debit_is_called_in_instalments(build, client, settings):
    settings.GLA_DEMO = True
    client.force_login(build.user("director"))
    url = reverse("charge-policy")
    assert client.get(url).status_code == 200
    client.post(url, {"first_month": 1, "instalments_above": "150", "instalments": 6, "round_to": "1,00"})

    assert (policy().instalments_above, policy().instalments) == (euros("150.00"), 6)


def test_a_co_ownership_is_played_from_its_pages(manager, build):
    unit = build.unit()
    manager.post(
        reverse("co-ownership-add"),
        {"reference": "C1", "name": "Les Tilleuls", "syndic": "X", "shares": 1000},
    )
    one = CoOwnership.objects.get()
    manager.post(reverse("lot-add", args=[one.pk]), {"unit": unit.reference, "number": "12", "shares": 100})
    manager.post(
        reverse("fund-call", args=[one.pk]),
        {"nature": "budget", "year": 2025, "due": "2025-01-01", "amount": "900"},
    )
    url = reverse("syndic-account", args=[one.pk])
    told = {"year": 2025, f"spent_{COMMON}": "10000", f"asked_{COMMON}": "8000"}
    assert "€8,000.00" in manager.post(url, told).content.decode()
    manager.post(url, told | {"step": "commit"})

    assert Expense.objects.get().recoverable == euros("800.00")
    assert "€100.00" in page(manager, "co-ownership", one.pk)
    assert "Les Tilleuls" in page(manager, "co-ownerships")
