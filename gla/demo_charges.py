"""The charges of last year in the demonstration: invoices of every building, a co-ownership, the settlement.

What was spent is drawn around the provisions called, so that balances look as they do: most small, some
to give back, a few large enough for instalments. A few buildings have no invoice yet.
"""

from collections import defaultdict
from datetime import date, datetime
from pathlib import Path
from random import Random

from django.db.models import Count, Sum

from core.money import euros, round_cents
from core.periods import next_month
from core.tables import write_table
from leases.models import CoOwnership, Occupancy, RentCall, RentRun
from leases.terms import CHARGES
from leases.yearly.co_ownership import (
    AccountLine,
    add_lot,
    call_funds,
    enter_syndic_account,
    found_co_ownership,
)
from leases.yearly.expense_files import EXPENSE_COLUMNS, SHARE_COLUMNS, import_expenses, import_shares
from leases.yearly.expenses import COMMON, NOT_RECOVERABLE, WASTE_TAX, choose_policy
from leases.yearly.settling import settle_charges
from portfolio.models import Building, Unit

NATURES = (
    # nature, supplier, part of what is spent, from how many homes on
    ("ordures ménagères", "Trésor public", 24, 1),
    ("parties communes", "Net'Hall", 22, 2),
    ("hygiène", "Hygiène du Nord", 6, 2),
    ("espaces extérieurs", "Les Jardins de la Lys", 10, 3),
    ("chauffage et eau chaude", "Dalkia Nord", 30, 8),
    ("ascenseur", "Ascenseurs de Flandre", 12, 12),
    ("installations individuelles", "Chauffe-Clim", 16, 1),
)
LATEST = (11, 25)
"""Month and day after which a settlement would fall due too late in its year."""


def play_charges(today: date, *, folder: Path, by, director, now: datetime) -> dict:
    """Last year's expenses from files, then its settlement; nothing where the year was not called whole."""
    year = today.year - 1
    if RentRun.objects.filter(month__year=year).values("month").distinct().count() < 12:
        return {}
    dice = Random(f"charges {year}")
    choose_policy(
        first_month=1,
        instalments_above=euros("150.00"),
        instalments=6,
        round_to=euros(1),
        by=director,
        now=now,
    )
    folder.mkdir(parents=True, exist_ok=True)
    spending, keys = folder / f"depenses-{year}.csv", folder / "tantiemes.csv"
    apart = _co_ownership(year, by=by, now=now)
    invoices, shares = _files(year, dice, apart)
    spending.write_bytes(invoices)
    keys.write_bytes(shares)
    made = import_expenses(str(spending), by=by, now=now)
    import_shares(str(keys), by=by, now=now)
    on = min(today, date(year + 1, *LATEST))
    run = settle_charges(year, on=on, by=by, now=now)
    return {
        "expenses": made.created.total(),
        "leases": run.sealed_settlements,
        "EUR": str(run.sealed_total.amount),
    }


def _files(year: int, dice: Random, apart: set[int]) -> tuple[bytes, bytes]:
    """Invoices of each building, and the tantièmes of those with a lift; apart: those of the co-ownership."""
    called = _called(year)
    homes = defaultdict(list)
    for unit in Unit.objects.order_by("pk"):
        homes[unit.building_id].append(unit)
    invoices, shares = [], []
    for building in Building.objects.order_by("pk"):
        here, provisions = homes[building.pk], called.get(building.pk)
        if building.pk in apart or not here or not provisions or dice.random() < 0.02:
            continue
        natures = [one for one in NATURES if len(here) >= one[3]]
        whole = provisions * round(100 * dice.triangular(0.86, 1.16, 1.0)) / 100
        parts = sum(one[2] for one in natures)
        for number, (nature, supplier, part, _least) in enumerate(natures, 1):
            row = {
                "year": year,
                "building": building.reference,
                "category": nature,
                "supplier": supplier,
                "invoice": f"{year}-{building.pk:05d}-{number}",
                "invoiced_on": date(year, 12, dice.randint(1, 28)),
                "amount": round_cents(whole * part / parts),
            }
            invoices.append([row.get(column.key) for column in EXPENSE_COLUMNS])
            if nature == "ascenseur":
                shares += [
                    [{"unit": one.reference, "key": "tantièmes", "category": nature, "value": _lift(one)}.get(column.key)
                     for column in SHARE_COLUMNS]
                    for one in here
                ]  # fmt: skip
    return (
        write_table(EXPENSE_COLUMNS, invoices, format="csv"),
        write_table(SHARE_COLUMNS, shares, format="csv"),
    )


def _lift(unit: Unit):
    """Tantièmes of the lift: the ground floor pays none, a home pays more the higher it is."""
    floor = 1 if unit.floor is None else max(0, unit.floor)
    return round(unit.living_surface * floor)


def _called(year: int) -> dict:
    """Charges called in a year for the homes of each building, EUR."""
    first = date(year, 1, 1)
    calls = RentCall.objects.filter(item=CHARGES, month__gte=first, month__lt=date(year + 1, 1, 1))
    by_lease = dict(calls.values("lease").annotate(sum=Sum("amount")).values_list("lease", "sum"))
    sums: dict[int, object] = {}
    for lease, building in (
        Occupancy.objects.filter(start__lt=next_month(date(year, 12, 1)), lease__in=by_lease)
        .order_by("lease", "start")
        .values_list("lease", "place__unit__building")
    ):
        if amount := by_lease.pop(lease, None):
            sums[building] = sums.get(building, euros(0)) + amount
    return sums


def _co_ownership(year: int, *, by, now: datetime) -> set[int]:
    """A co-ownership of three of our homes, its calls of funds and its syndic's account; their buildings."""
    stays = Occupancy.objects.filter(lease__kind="L89_VIDE", start__lt=date(year, 1, 1), end=None)
    alone = Building.objects.annotate(homes=Count("units")).filter(homes=1)
    units = list(
        Unit.objects.filter(building__in=alone, pk__in=stays.values("place__unit")).order_by("pk")[:3]
    )
    if len(units) < 3 or CoOwnership.objects.exists():
        return set()
    one = found_co_ownership(
        reference="COP-001", name="Résidence Les Tilleuls", syndic="Cabinet Delattre", shares=10_000, by=by
    )
    for number, unit in enumerate(units, 11):
        add_lot(one, unit=unit, number=str(number), shares=120 + 7 * number, by=by)
    for month in (1, 4, 7, 10):
        call_funds(one, year=year, due=date(year, month, 1), amount=euros("610.00"), by=by)
    enter_syndic_account(
        one,
        year=year,
        lines=[
            AccountLine(COMMON, euros("18400.00"), euros("14250.00")),
            AccountLine(WASTE_TAX, euros("9870.00"), euros("9870.00")),
            AccountLine(NOT_RECOVERABLE, euros("27300.00"), euros(0)),
        ],
        approved_on=date(year + 1, 5, 20),
        by=by,
        now=now,
    )
    return {unit.building_id for unit in units}
