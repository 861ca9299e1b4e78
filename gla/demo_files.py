"""The demonstration as files: what a user would have and import, under files/demonstration.

patrimoine.xlsx, baux.xlsx, referents.csv, one folder of statements and payment lists a month;
departs.csv, the departures that are learnt late, and payeurs.csv, the true payer of every movement.
"""

import csv
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from itertools import zip_longest
from pathlib import Path
from random import Random

from core.money import from_cents
from core.periods import add_months
from core.tables import write_table
from followup import referents
from gla.demo_bank import GUARDIAN, TRUTH, make_files
from gla.demo_people import DemoLease, make_leases, names
from gla.demo_stock import UNITS, DemoOwner, DemoUnit, Stock, make_stock
from leases.imports import LEASE_COLUMNS
from portfolio import imports as portfolio_imports

DAY = timedelta(days=1)
FOLLOWED = 2_350
SOCIAL_WORKERS = 20

OWNER_KINDS = {code: word for word, code in portfolio_imports.OWNER_KINDS.items()}
NATURES = {code: word for word, code in portfolio_imports.OWNER_NATURES.items()}
TITLES = {code: word for word, code in portfolio_imports.TITLE_WORDS.items()}
STRUCTURES = {code: word for word, code in portfolio_imports.STRUCTURE_KINDS.items()}
FINANCINGS = {code: word for word, code in portfolio_imports.FINANCINGS.items()}
PLACES = {code: word for word, code in portfolio_imports.PLACE_KINDS.items()}
OUT = {code: word for word, code in portfolio_imports.OUT_KINDS.items()}
ORDERS = {code: word for word, code in portfolio_imports.ORDER_KINDS.items()}


def first_month_played(today: date, months: int) -> date:
    """The first month called, the last being today's."""
    return add_months(today.replace(day=1), 1 - months)


def write_demonstration(
    folder: Path, *, units: int, months: int, today: date, echo: Callable[[str], None]
) -> dict[str, int]:
    """Write every file of the demonstration anew; how many things they hold.

    The same for the same figures and day. echo is told what is being written.
    """
    first_month = first_month_played(today, months)
    stock = make_stock(units=units, first_month=first_month, today=today, names=names("owners"))
    leases = make_leases(stock, first_month=first_month, today=today)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    echo("patrimoine.xlsx")
    (folder / "patrimoine.xlsx").write_bytes(
        write_table(portfolio_imports.COLUMNS, portfolio_rows(stock), format="xlsx")
    )
    echo("baux.xlsx")
    (folder / "baux.xlsx").write_bytes(write_table(LEASE_COLUMNS, lease_rows(leases), format="xlsx"))
    followed = referent_rows(leases, round(FOLLOWED * units / UNITS), today)
    (folder / "referents.csv").write_bytes(write_table(referents.COLUMNS, followed, format="csv"))
    with (folder / "departs.csv").open("w", encoding="utf-8", newline="") as opened:
        departures = csv.writer(opened, delimiter=";")
        departures.writerow(("bail", "sortie", "appris"))
        departures.writerows(
            (lease.reference, lease.exit - DAY, lease.told_on) for lease in leases if lease.told_on
        )
    files = movements = 0
    with (folder / "payeurs.csv").open("w", encoding="utf-8", newline="") as opened:
        truth = csv.writer(opened, delimiter=";")
        truth.writerow(TRUTH)
        for made, lines in make_files(leases, first_month=first_month, months=months, today=today):
            month = folder / f"{made[0].month:%Y-%m}"
            month.mkdir()
            echo(month.name)
            for one in made:
                (month / one.name).write_bytes(one.data)
            truth.writerows(lines)
            files, movements = files + len(made), movements + len(lines)
    return {"units": len(stock.units), "leases": len(leases), "files": files, "lines": movements}


def portfolio_rows(stock: Stock) -> list[dict]:
    """One line per place; further lines for a home's other titles, times out of service and orders."""
    rows, seen = [], set()
    for unit in stock.units:
        for at, (kind, suffix) in enumerate(unit.places):
            row = {"unit_reference": unit.reference}
            if len(unit.places) > 1:
                row |= {"place_reference": unit.reference + suffix, "place_kind": PLACES[kind]}
            if not at:
                row |= _unit_cells(unit, seen)
            rows.append(row)
        facts = zip_longest(unit.holdings[1:], unit.out_of_service[1:], unit.orders[1:])
        for holding, out, order in facts:
            row = {"unit_reference": unit.reference}
            if len(unit.places) > 1:
                row |= {
                    "place_reference": unit.reference + unit.places[0][1],
                    "place_kind": PLACES[unit.places[0][0]],
                }
            rows.append(row | _fact_cells(holding, out, order, seen))
    return rows


def _unit_cells(unit: DemoUnit, seen: set) -> dict:
    building, kind = unit.building, unit.segment.structure[0]
    row = {
        "building_reference": building.reference,
        "typology": f"T{unit.typology}",
        "floor": unit.floor,
        "door": unit.door or None,
        "living_surface": unit.surface,
        "financing": FINANCINGS[unit.financing],
        "rent_ceiling": from_cents(unit.ceiling) if unit.ceiling else None,
        "accessible": unit.accessible,
        "label": unit.letter,
        "label_issued": unit.label_on,
        "label_end": unit.label_until - DAY,
        "label_number": unit.label_number,
    }
    if building.reference not in seen:
        commune, insee, postcode, *_ = building.commune
        row |= {
            "site_reference": building.site,
            "site_name": building.site_name,
            "address": building.address,
            "postcode": postcode,
            "commune": commune,
            "commune_code": insee,
            "ban_id": building.ban,
            "latitude": building.latitude,
            "longitude": building.longitude,
            "built": building.built,
        }
        seen.add(building.reference)
    if kind:
        code = f"STR-{unit.segment.code}"
        row["structure_reference"] = code
        if code not in seen:
            row |= {"structure_name": unit.segment.structure[1], "structure_kind": STRUCTURES[kind]}
            seen.add(code)
    first = [facts[0] if facts else None for facts in (unit.holdings, unit.out_of_service, unit.orders)]
    return row | _fact_cells(*first, seen)


def _fact_cells(holding, out, order, seen: set) -> dict:
    row = {}
    if holding:
        row |= _owner_cells(holding.owner, seen) | {
            "title": TITLES[holding.title],
            "title_reference": holding.reference,
            "title_start": holding.start,
            "title_end": holding.end - DAY if holding.end else None,
            "fee_rate": float(holding.fee_rate) if holding.fee_rate else None,
            "unpaid_guaranteed": holding.unpaid_guaranteed or None,
            "vacancy_guaranteed": holding.vacancy_guaranteed or None,
            "rent_due": from_cents(holding.rent_due) if holding.rent_due else None,
        }
    if out:
        kind, start, end, reason = out
        row |= {
            "out_kind": OUT[kind],
            "out_start": start,
            "out_end": end - DAY if end else None,
            "out_reason": reason,
        }
    if order:
        kind, reference, notified, released = order
        row |= {
            "order_kind": ORDERS[kind],
            "order_reference": reference,
            "order_notified": notified,
            "order_released": released,
        }
    return row


def _owner_cells(owner: DemoOwner, seen: set) -> dict:
    row = {"owner_reference": owner.reference}
    if owner.reference not in seen:
        seen.add(owner.reference)
        row |= {
            "owner_kind": OWNER_KINDS[owner.kind],
            "owner_name": owner.name,
            "owner_nature": NATURES[owner.nature],
            "owner_siren": owner.siren or None,
            "owner_email": owner.email,
            "owner_iban": owner.iban or None,
        }
    return row


def lease_rows(leases: list[DemoLease]) -> list[dict]:
    """One line per lease; further lines for its later amounts and rights to benefit."""
    rows = []
    for lease in leases:
        row = {
            "lease_reference": lease.reference,
            "kind": lease.unit.kind,
            "place_reference": lease.place,
            "household_reference": lease.household,
            "start": lease.start,
            "end": lease.end - DAY if lease.end and not lease.told_on else None,
            "end_reason": lease.end_reason if lease.end_reason and not lease.told_on else None,
            "exit": lease.exit - DAY if lease.exit and not lease.told_on else None,
            "free_start": lease.free[0] if lease.free else None,
            "free_end": lease.free[1] - DAY if lease.free else None,
            "free_reason": "Fin des travaux" if lease.free else None,
            "billing": "échu" if lease.arrears_billing else "à échoir",
            "due_day": lease.due_day,
            "deposit": from_cents(lease.deposit) if lease.deposit else None,
            "payment_reference": lease.payment_reference,
            "debit_mandate": lease.mandate or None,
            "payer_iban": lease.iban
            if lease.means in ("debit", "transfer", "standing") and not guarded(lease)
            else None,
        }
        for prefix, person in (("head", lease.head), ("other", lease.other)):
            if person:
                row |= {
                    f"{prefix}_reference": person.reference,
                    f"{prefix}_last_name": person.last,
                    f"{prefix}_first_name": person.first,
                    f"{prefix}_born_on": person.born,
                    f"{prefix}_email": person.email or None,
                    f"{prefix}_phone": person.phone or None,
                }
        for at, (term, right) in enumerate(zip_longest(lease.terms, lease.benefit)):
            if at:
                row = {"lease_reference": lease.reference}
            if term:
                before = lease.terms[at - 1] if at else None
                row["terms_since"] = term.since
                for name in ("rent", "charges", "services"):
                    cents = getattr(term, name)
                    if cents and (before is None or cents != getattr(before, name)):
                        row[name] = from_cents(cents)
            if right:
                start, end, cents = right
                row |= {
                    "benefit_payer": lease.payer,
                    "benefit_kind": lease.benefit_kind,
                    "beneficiary_number": lease.beneficiary,
                    "benefit_amount": from_cents(cents),
                    "benefit_start": start,
                    "benefit_end": add_months(end, -1) if end else None,
                }
            rows.append(row)
    return rows


def guarded(lease: DemoLease) -> bool:
    """Whether a guardian pays for the household, from one account for many."""
    return lease.number % GUARDIAN[2] == 5


def worker_names(count: int = SOCIAL_WORKERS) -> list[str]:
    """The social workers' names to sign in."""
    return ["social", *(f"social{number:02d}" for number in range(2, count + 1))]


def referent_rows(leases: list[DemoLease], wanted: int, today: date) -> list[dict]:
    """Who follows whom: everybody in the structures first, then the frailest of the diffuse homes."""
    random = Random("referents")
    running = [lease for lease in leases if lease.exit is None]
    running.sort(
        key=lambda lease: (not lease.unit.segment.structure[0], lease.way == "steady", random.random())
    )
    workers = worker_names()
    return [
        {
            "household": lease.household,
            "worker": workers[at % len(workers)],
            "since": min(today - DAY, max(lease.start, today - DAY * random.randint(60, 1500))),
        }
        for at, lease in enumerate(running[:wanted])
    ]
