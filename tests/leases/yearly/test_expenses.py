"""Expenses: entered once with their invoice, recoverable as the law says, never changed; co-ownerships."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.imports import BadImport
from core.money import euros
from core.periods import Period
from core.tables import write_table
from leases.models import ChargeRun, CoOwnership, Expense, RentTerm, UnitShare
from leases.terms import CHARGES
from leases.yearly.charges import Settlement
from leases.yearly.co_ownership import (
    AccountLine,
    CoOwnershipRefused,
    add_lot,
    call_funds,
    enter_syndic_account,
    syndic_balance,
)
from leases.yearly.expense_files import EXPENSE_COLUMNS, SHARE_COLUMNS, import_expenses, import_shares
from leases.yearly.expenses import (
    CARETAKER,
    CARETAKER_ONE,
    COMMON,
    METER,
    NOT_RECOVERABLE,
    TANTIEMES,
    WASTE_TAX,
    WATER,
    ExpenseRefused,
    choose_policy,
    exercise,
    record_expense,
    recoverable_part,
    reverse_expense,
    set_share,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 2, 2, 9, tzinfo=UTC)
LAST = date(2025, 12, 31)


def spent(amount="100.00", *, category=COMMON, **told):
    return record_expense(year=2025, category=category, amount=euros(amount), by=None, now=NOW, **told)


@pytest.fixture
def building(build):
    return build.unit().building


@pytest.mark.parametrize(
    ("category", "part"),
    [(COMMON, "1000.00"), (CARETAKER, "750.00"), (CARETAKER_ONE, "400.00"), (NOT_RECOVERABLE, "0.00")],
)
def test_what_is_recoverable_is_what_the_decree_says(category, part):
    """Décret 87-713: the whole of the listed natures, 75 or 40 % of a caretaker, nothing else."""
    assert recoverable_part(category, euros("1000.00"), on=LAST) == euros(part)


def test_no_more_is_recovered_than_the_law_allows(building):
    with pytest.raises(ExpenseRefused, match="law allows"):
        spent("1000.00", category=CARETAKER, building=building, recoverable=euros("750.01"))
    assert spent("1000.00", building=building, recoverable=euros("300.00")).recoverable == euros("300.00")


def test_an_expense_is_of_one_place_within_its_year(building):
    with pytest.raises(ExpenseRefused, match="one site"):
        spent()
    with pytest.raises(ExpenseRefused, match="one site"):
        spent(building=building, site=building.site)
    with pytest.raises(ExpenseRefused, match="within the year"):
        spent(building=building, days=Period(date(2025, 7, 1), date(2026, 7, 1)))


def test_the_same_invoice_is_entered_once_until_it_is_reversed(building):
    first = spent(building=building, supplier="Ascenseurs du Nord", invoice="F-1")
    with pytest.raises(ExpenseRefused, match="already entered"):
        spent(building=building, supplier="Ascenseurs du Nord", invoice="F-1")
    opposite = reverse_expense(first, by=None, now=NOW)

    assert (opposite.amount, opposite.recoverable) == (euros("-100.00"), euros("-100.00"))
    spent(building=building, supplier="Ascenseurs du Nord", invoice="F-1")
    with pytest.raises(ExpenseRefused, match="already undone"):
        reverse_expense(first, by=None, now=NOW)


def test_a_year_of_charges_starts_on_the_month_chosen_and_keeps_it(building):
    told = {"instalments_above": None, "instalments": 3, "round_to": euros(1), "by": None, "now": NOW}
    choose_policy(first_month=7, **told)
    assert exercise(2025) == Period(date(2025, 7, 1), date(2026, 7, 1))
    spent(building=building)

    with pytest.raises(ExpenseRefused, match="another first month"):
        choose_policy(first_month=1, **told)


def test_a_key_that_follows_from_the_home_takes_no_value(build):
    with pytest.raises(ExpenseRefused, match="needs no value"):
        set_share(build.unit(), key=1, value=Decimal(3), by=None)


# ---- from a spreadsheet -----------------------------------------------------------------


def sheet(*rows):
    names = [column.key for column in EXPENSE_COLUMNS]
    return write_table(EXPENSE_COLUMNS, [[row.get(name) for name in names] for row in rows], format="csv")


def line(here, **told):
    return {
        "year": 2025,
        "building": here.reference,
        "category": "parties communes",
        "supplier": "Net'Hall",
        "invoice": "F-1",
        "amount": euros("1250.40"),
    } | told


def test_a_file_of_expenses_is_taken_in_once(building):
    file = sheet(
        line(building),
        line(building, category="gardien, entretien ou rejets", invoice="F-2", amount=euros("1000.00")),
    )

    assert import_expenses(file, by=None, now=NOW).created.total() == 2
    assert import_expenses(file, by=None, now=NOW).nothing_new
    recoverable = Expense.objects.order_by("pk").values_list("recoverable", flat=True)
    assert list(recoverable) == [euros("1250.40"), euros("400.00")]


def test_every_fault_of_a_file_is_told_with_its_line_and_nothing_is_kept(building):
    spent("10.00", building=building, supplier="Net'Hall", invoice="F-1")
    with pytest.raises(BadImport) as refused:
        import_expenses(
            sheet(
                line(building),
                line(building, building="nowhere", invoice="F-2"),
                line(building, building=None, invoice="F-3"),
                line(building, invoice="F-4", start=date(2024, 12, 1)),
                line(building, invoice="F-5"),
            ),
            by=None,
            now=NOW,
        )

    assert [error.line for error in refused.value.errors] == [2, 3, 4, 5]
    assert Expense.objects.count() == 1


def test_values_of_keys_are_taken_in_and_replaced(build):
    unit = build.unit()
    names = [column.key for column in SHARE_COLUMNS]

    def file(value):
        row = {
            "unit": unit.reference,
            "key": "compteur",
            "category": "eau froide",
            "year": 2025,
            "value": value,
        }
        return write_table(SHARE_COLUMNS, [[row[name] for name in names]], format="csv")

    assert import_shares(file(Decimal("120.50")), by=None, now=NOW).created.total() == 1
    assert import_shares(file(Decimal("121.00")), by=None, now=NOW).changed.total() == 1
    kept = UnitShare.objects.get()
    assert (kept.key, kept.category, kept.year, kept.value) == (METER, WATER, 2025, Decimal("121.00"))


def test_a_file_of_forty_lines_costs_as_many_queries_as_of_two(building):
    def asked(first, count):
        file = sheet(*(line(building, invoice=f"F-{number}") for number in range(first, first + count)))
        with CaptureQueriesContext(connection) as queries:
            import_expenses(file, by=None, now=NOW)
        return len(queries)

    assert asked(1, 2) == asked(10, 40)


# ---- commands ---------------------------------------------------------------------------


def test_a_year_is_played_by_commands(build, tmp_path, capsys):
    unit = build.unit()
    lease = build.lease(unit=unit, start=date(2024, 1, 1), charges="45.00")
    build.called(*(date(2025, month, 1) for month in range(1, 13)))
    path = tmp_path / "depenses.csv"
    path.write_bytes(sheet(line(unit.building, amount=euros("600.00"))))

    call_command("import_expenses", str(path))
    call_command("settle_charges", year=2025, on=date(2026, 2, 2), preview=True)
    assert "60.00 EUR to pay" in capsys.readouterr().out
    call_command("settle_charges", year=2025, on=date(2026, 2, 2), provisions_from=date(2026, 4, 1))
    run = ChargeRun.objects.get()
    assert RentTerm.objects.get(lease=lease, item=CHARGES, end=None).amount == euros("50.00")
    call_command("settle_charges", year=2025, on=date(2026, 2, 2), undo=run.pk)
    assert sum((one.amount for one in Settlement.objects.all()), euros(0)) == euros(0)
    with pytest.raises(CommandError, match="already undone"):
        call_command("settle_charges", year=2025, on=date(2026, 2, 2), undo=run.pk)


# ---- co-ownerships ----------------------------------------------------------------------


@pytest.fixture
def shared_building(build):
    """Two lots of ours, 100 and 50 of 1,000 tantièmes."""
    co = CoOwnership.objects.create(reference="C1", name="Les Tilleuls", syndic="Foncia Lille", shares=1000)
    for number, shares in (("12", 100), ("13", 50)):
        add_lot(co, unit=build.unit(), number=number, shares=shares, by=None)
    return co


def test_the_syndics_account_becomes_an_expense_of_each_home_by_its_tantiemes(shared_building):
    made = enter_syndic_account(
        shared_building,
        year=2025,
        lines=[
            AccountLine(COMMON, euros("10000.00"), euros("8000.00")),
            AccountLine(NOT_RECOVERABLE, euros("3000.00"), euros("0.00")),
            AccountLine(WASTE_TAX, euros("1234.57"), euros("1234.57")),
        ],
        by=None,
        now=NOW,
    )

    told = [(one.category, one.amount, one.recoverable) for one in made]
    assert told[:2] == [
        (COMMON, euros("1000.00"), euros("800.00")),
        (COMMON, euros("500.00"), euros("400.00")),
    ]
    assert told[2:4] == [
        (NOT_RECOVERABLE, euros("300.00"), euros(0)),
        (NOT_RECOVERABLE, euros("150.00"), euros(0)),
    ]
    assert told[4:] == [
        (WASTE_TAX, euros("123.46"), euros("123.46")),
        (WASTE_TAX, euros("61.73"), euros("61.73")),
    ]
    with pytest.raises(CoOwnershipRefused, match="already entered"):
        enter_syndic_account(shared_building, year=2025, lines=[], by=None, now=NOW)


def test_calls_of_funds_are_provisions_and_the_account_says_what_is_left(shared_building):
    for month in (1, 4, 7, 10):
        call_funds(shared_building, year=2025, due=date(2025, month, 1), amount=euros("400.00"), by=None)
    call_funds(
        shared_building, year=2025, due=date(2025, 7, 1), amount=euros("900.00"), nature="works", by=None
    )
    enter_syndic_account(
        shared_building,
        year=2025,
        lines=[AccountLine(COMMON, euros("12000.00"), euros("9000.00"))],
        by=None,
        now=NOW,
    )

    stand = syndic_balance(shared_building, 2025)
    assert (stand.called, stand.spent, stand.owed) == (euros("1600.00"), euros("1800.00"), euros("200.00"))
    with pytest.raises(CoOwnershipRefused):
        call_funds(shared_building, year=2025, due=date(2025, 1, 1), amount=euros("1.00"), by=None)


def test_lots_beyond_the_whole_are_refused(build, shared_building):
    add_lot(shared_building, unit=build.unit(), number="99", shares=900, by=None)

    with pytest.raises(CoOwnershipRefused, match="tantièmes"):
        enter_syndic_account(
            shared_building, year=2025, lines=[AccountLine(COMMON, euros(1), euros(1))], by=None, now=NOW
        )


def test_tantiemes_of_a_home_are_kept_by_key(build):
    unit = build.unit()
    set_share(unit, key=TANTIEMES, value=Decimal(120), by=None)
    set_share(unit, key=TANTIEMES, value=Decimal(121), by=None)

    assert UnitShare.objects.get().value == Decimal(121)
