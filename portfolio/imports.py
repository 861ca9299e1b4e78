"""The stock of homes from one flat file (*import du patrimoine*): one line per place.

A line says everything about its place: the unit, building, site, owner and title. What several
lines say of the same thing must agree; a second line for a place adds dated facts (an earlier
mandate, another label). A blank cell says nothing, so it changes nothing. docs/imports.md is the
reader's version of the columns.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.utils.translation import gettext_lazy as _
from stdnum.fr import siren

from core.cells import Column
from core.imports import (
    Dated,
    Echo,
    Imported,
    Sayings,
    Things,
    content,
    ends_after,
    kept,
    read_lines,
    record,
    resolve,
    right_iban,
    silent,
    stop_at_faults,
    together,
    whole,
    write,
)
from core.law import NoRuleOn, rule
from core.periods import ONE_DAY, add_months, first_of_month
from core.tables import RowError, TableRow
from portfolio.labels import EnergyLabel
from portfolio.owners import Holding, Owner
from portfolio.stock import Building, OutOfService, Place, SafetyOrder, Site, Structure, Unit

OWNER_KINDS = {
    "association": Owner.Kind.OWN.value,
    "bailleur social": Owner.Kind.SOCIAL.value,
    "bailleur privé": Owner.Kind.PRIVATE.value,
    "SAUES": Owner.Kind.SAUES.value,
}
OWNER_NATURES = {
    "personne morale": Owner.Nature.LEGAL_PERSON.value,
    "personne physique": Owner.Nature.PERSON.value,
    "SCI familiale": Owner.Nature.FAMILY_COMPANY.value,
    "organisme HLM": Owner.Nature.HLM.value,
    "SAUES": Owner.Nature.SAUES.value,
}
TITLE_WORDS = {
    "acte": "deed",
    "mandat": "mandate",
    "bail principal": "head_lease",
    "bail à réhabilitation": "rehab_lease",
    "bail emphytéotique": "emphyteusis",
}
STRUCTURE_KINDS = {
    "CHRS": Structure.Kind.CHRS.value,
    "résidence sociale": Structure.Kind.RESIDENCE_SOCIALE.value,
    "pension de famille": Structure.Kind.PENSION_FAMILLE.value,
    "RHVS": Structure.Kind.RHVS.value,
    "ALT": Structure.Kind.ALT.value,
}
FINANCINGS = {
    "PLAI": Unit.Financing.PLAI.value,
    "PLUS": Unit.Financing.PLUS.value,
    "PLS": Unit.Financing.PLS.value,
    "Anah social": Unit.Financing.ANAH_SOCIAL.value,
    "Anah très social": Unit.Financing.ANAH_VERY_SOCIAL.value,
    "libre": Unit.Financing.FREE.value,
}
PLACE_KINDS = {
    "logement": Place.Kind.HOME.value,
    "chambre": Place.Kind.ROOM.value,
    "lit": Place.Kind.BED.value,
}
OUT_KINDS = {
    "vacance technique": OutOfService.Kind.VACANCY.value,
    "travaux": OutOfService.Kind.WORKS.value,
    "retrait": OutOfService.Kind.WITHDRAWAL.value,
}
ORDER_KINDS = {
    "insalubrité": SafetyOrder.Kind.UNFITNESS.value,
    "mise en sécurité": SafetyOrder.Kind.SAFETY.value,
}

LAST_DAY = _("The last day included; blank while it runs.")

COLUMNS = [
    Column("logement_reference", key="unit_reference", required=True, help=_("The home's own reference.")),
    Column(
        "place_reference",
        key="place_reference",
        help=_("For a room or a bed; the home's reference by default."),
    ),
    Column("place_type", "choice", choices=PLACE_KINDS, key="place_kind", help=_("A home by default.")),
    # Building and site
    Column("site_reference", key="site_reference", help=_("Needed for a building that is new.")),
    Column("site_nom", key="site_name"),
    Column("immeuble_reference", key="building_reference", help=_("Needed for a home that is new.")),
    Column("adresse", key="address"),
    Column("code_postal", key="postcode"),
    Column("commune", key="commune"),
    Column("code_insee", key="commune_code", help=_("INSEE code of the commune, five signs.")),
    Column("cle_ban", key="ban_id", help=_("Key of the address in the national address base.")),
    Column("latitude", "decimal", key="latitude"),
    Column("longitude", "decimal", key="longitude"),
    Column("annee", "int", key="built", help=_("Year built.")),
    # Structure
    Column("structure_reference", key="structure_reference", help=_("Blank for diffuse housing.")),
    Column("structure_nom", key="structure_name"),
    Column("structure_type", "choice", choices=STRUCTURE_KINDS, key="structure_kind"),
    # The home
    Column("type", "choice", choices=Unit.Typology.values, key="typology"),
    Column("etage", "int", key="floor", help=_("0 for the ground floor.")),
    Column("porte", key="door"),
    Column("surface_habitable", "decimal", key="living_surface", help=_("Square metres.")),
    Column("financement", "choice", choices=FINANCINGS, key="financing", help=_("“libre” by default.")),
    Column("plafond_loyer", "euros", key="rent_ceiling", help=_("Euros a month, by its financing.")),
    Column("accessible", "bool", key="accessible", help=_("Step-free access.")),
    # Owner and title
    Column("proprietaire_reference", key="owner_reference", help=_("Needed for a home that is new.")),
    Column("proprietaire_type", "choice", choices=OWNER_KINDS, key="owner_kind"),
    Column("proprietaire_nom", key="owner_name"),
    Column(
        "nature", "choice", choices=OWNER_NATURES, key="owner_nature", help=_("“personne morale” by default.")
    ),
    Column("proprietaire_siren", key="owner_siren", help=_("Nine figures.")),
    Column("proprietaire_email", key="owner_email"),
    Column("proprietaire_iban", key="owner_iban", help=_("Where the owner is paid.")),
    Column(
        "titre", "choice", choices=TITLE_WORDS, key="title", help=_("How the association holds the home.")
    ),
    Column("titre_numero", key="title_reference"),
    Column("titre_debut", "date", key="title_start"),
    Column("titre_fin", "date", key="title_end", help=LAST_DAY),
    Column("taux_honoraires", "decimal", key="fee_rate", help=_("Per cent of the sums received.")),
    Column("garantie_impayes", "bool", key="unpaid_guaranteed"),
    Column("garantie_vacance", "bool", key="vacancy_guaranteed"),
    Column(
        "loyer_du_proprietaire", "euros", key="rent_due", help=_("Owed to the owner each month, let or not.")
    ),
    # Dated facts
    Column("etiquette_dpe", "choice", choices=["A", "B", "C", "D", "E", "F", "G"], key="label"),
    Column("dpe_date", "date", key="label_issued"),
    Column("dpe_fin", "date", key="label_end", help=_("Last day on which it is valid.")),
    Column("dpe_numero", key="label_number"),
    Column("hors_service_type", "choice", choices=OUT_KINDS, key="out_kind"),
    Column("hors_service_debut", "date", key="out_start"),
    Column("hors_service_fin", "date", key="out_end", help=LAST_DAY),
    Column("hors_service_motif", key="out_reason"),
    Column("arrete_type", "choice", choices=ORDER_KINDS, key="order_kind"),
    Column("arrete_reference", key="order_reference"),
    Column(
        "arrete_notifie",
        "date",
        key="order_notified",
        help=_("Day of notification: rent stops on the first of the next month."),
    ),
    Column(
        "arrete_leve",
        "date",
        key="order_released",
        help=_("Day of release: rent resumes on the first of the next month."),
    ),
]

COLUMN = {column.key: column for column in COLUMNS}
FIELDS = {
    "unit_reference": (Unit, "reference"),
    "place_reference": (Place, "reference"),
    "site_reference": (Site, "reference"),
    "site_name": (Site, "name"),
    "building_reference": (Building, "reference"),
    "address": (Building, "address"),
    "postcode": (Building, "postcode"),
    "commune": (Building, "commune"),
    "commune_code": (Building, "commune_code"),
    "ban_id": (Building, "ban_id"),
    "structure_reference": (Structure, "reference"),
    "structure_name": (Structure, "name"),
    "door": (Unit, "door"),
    "living_surface": (Unit, "living_surface"),
    "owner_reference": (Owner, "reference"),
    "owner_name": (Owner, "name"),
    "owner_email": (Owner, "email"),
    "title_reference": (Holding, "reference"),
    "fee_rate": (Holding, "fee_rate"),
    "label_number": (EnergyLabel, "number"),
    "out_reason": (OutOfService, "reason"),
    "order_reference": (SafetyOrder, "reference"),
}
RANGES = {
    "latitude": (-90, 90),
    "longitude": (-180, 180),
    "built": (1000, 2200),
    "floor": (-10, 200),
    "living_surface": (1, 10_000),
    "rent_ceiling": (0, 100_000),
    "rent_due": (0, 100_000),
    "fee_rate": (0, 100),
}
DEGREE = Decimal("0.000001")


def import_portfolio(file, *, by, now: datetime, echo: Echo = silent) -> Imported:
    """Take in a file of the stock, whole or not at all; the same file again changes nothing.

    file: path, bytes or binary file (.xlsx, .csv). Raises BadImport with every fault; BadTable for
    what is no table; Refusal for what only the database saw. leases.imports.import_stock does the
    same, and has the months already called looked at again.
    """
    data = content(file)
    rows, errors = read_lines(data, COLUMNS, fields=FIELDS, ranges=RANGES, echo=echo)
    tidy(rows, errors)
    imported = Imported(rows=len(rows))
    with whole():
        stock = gather(rows, errors)
        facts = dated_facts(rows, errors, stock)
        stop_at_faults(errors)
        _told_late(imported, facts)
        for things, names in stock.in_order():
            write(imported, things.new, things.changed, names, echo=echo)
        for merged, names in facts:
            write(imported, merged.new, merged.changed, names, echo=echo)
        imported.remarks = list(errors)
        record(by, "unit", data, imported)
    return imported


def tidy(rows: list[TableRow], errors: list[RowError]) -> None:
    """Forms that have one right writing: postcodes, numbers of bodies, accounts, degrees, letters."""
    for row in rows:
        values = row.values
        for key in ("postcode", "commune_code"):
            if (values[key] or "").isdigit():
                values[key] = values[key].zfill(5)  # a spreadsheet drops the first zero
        if values["commune_code"]:
            values["commune_code"] = values["commune_code"].upper()
        for key in ("latitude", "longitude"):
            if values[key] is not None:
                values[key] = values[key].quantize(DEGREE)
        values["place_reference"] = values["place_reference"] or values["unit_reference"]
        expect(row, "postcode", r"\d{5}", _("Write five figures, such as 59000."), errors)
        expect(row, "commune_code", r"(\d{2}|2[AB])\d{3}", _("Write five signs, such as 59350."), errors)
        if values["owner_siren"]:
            values["owner_siren"] = re.sub(r"\s", "", values["owner_siren"])
            if not siren.is_valid(values["owner_siren"]):
                refuse(
                    row, "owner_siren", _("This is not a SIREN number."), _("Check its nine figures."), errors
                )
        if values["owner_iban"]:
            values["owner_iban"] = right_iban(row, COLUMN["owner_iban"], errors)


def expect(row: TableRow, key: str, pattern: str, remedy: str, errors: list[RowError]) -> None:
    if row[key] is not None and not re.fullmatch(pattern, row[key], re.ASCII):
        refuse(row, key, _("The code has not the right form."), remedy, errors)


def refuse(row: TableRow, key: str, reason: str, remedy: str, errors: list[RowError]) -> None:
    errors.append(row.error(COLUMN[key].name, reason, remedy))


# ---- sites, buildings, owners, homes, places ----------------------------------------------


def _columns(**keys: str) -> dict[str, Column]:
    return {attribute: COLUMN[key] for attribute, key in keys.items()}


SITE = _columns(name="site_name")
STRUCTURE = _columns(name="structure_name", kind="structure_kind")
BUILDING = _columns(
    site="site_reference",
    address="address",
    postcode="postcode",
    commune="commune",
    commune_code="commune_code",
    ban_id="ban_id",
    latitude="latitude",
    longitude="longitude",
    built="built",
)
OWNER = _columns(
    kind="owner_kind",
    name="owner_name",
    nature="owner_nature",
    siren="owner_siren",
    email="owner_email",
    iban="owner_iban",
)
UNIT = _columns(
    building="building_reference",
    structure="structure_reference",
    typology="typology",
    floor="floor",
    door="door",
    living_surface="living_surface",
    financing="financing",
    rent_ceiling="rent_ceiling",
    accessible="accessible",
)
PLACE = _columns(unit="unit_reference", kind="place_kind")


@dataclass(slots=True)
class Stock:
    """All that a file names, as it will be once written."""

    sites: Things
    structures: Things
    buildings: Things
    owners: Things
    units: Things
    places: Things

    def in_order(self) -> Iterator[tuple[Things, list[str]]]:
        """Each sort after those it points to, with the attributes a file may change."""
        yield self.sites, list(SITE)
        yield self.structures, list(STRUCTURE)
        yield self.buildings, list(BUILDING)
        yield self.owners, list(OWNER)
        yield self.units, list(UNIT)
        yield self.places, ["kind"]


def gather(rows: list[TableRow], errors: list[RowError]) -> Stock:
    """What the lines say of everything that has a reference, against what is kept."""
    said = [Sayings(keys, errors) for keys in (SITE, STRUCTURE, BUILDING, OWNER, UNIT, PLACE)]
    sites, structures, buildings, owners, units, places = said
    for row in rows:
        sites.add_from(COLUMN["site_reference"], row)
        structures.add_from(COLUMN["structure_reference"], row)
        buildings.add_from(COLUMN["building_reference"], row)
        owners.add_from(COLUMN["owner_reference"], row)
        units.add(row["unit_reference"], row)
        places.add(row["place_reference"], row)
    found_sites = resolve(Site, sites, needed=["name"])
    found_structures = resolve(Structure, structures, needed=["name", "kind"])
    found_buildings = resolve(
        Building,
        buildings,
        needed=["site", "address", "postcode", "commune", "commune_code"],
        links={"site": found_sites},
    )
    found_owners = resolve(Owner, owners, needed=["kind", "name"])
    found_units = resolve(
        Unit,
        units,
        needed=["building", "typology", "living_surface"],
        links={"building": found_buildings, "structure": found_structures},
    )
    found_places = resolve(Place, places, needed=["unit"], links={"unit": found_units}, fixed=["unit"])
    _home_alone(found_units, found_places, places)
    return Stock(found_sites, found_structures, found_buildings, found_owners, found_units, found_places)


def _home_alone(units: Things, places: Things, said: Sayings) -> None:
    """A home is one place; rooms and beds stand beside one another, never beside a home."""
    by_unit: dict[int, dict[str, str]] = defaultdict(dict)
    for place in kept(Place.objects, "unit_id", _pks(units)):
        by_unit[place.unit_id][place.reference] = place.kind
    keys = {unit.pk or id(unit): unit for unit in units.by_reference.values()}
    for reference, place in places.by_reference.items():
        by_unit[place.unit_id or id(place.unit)][reference] = place.kind
    for key, kinds in by_unit.items():
        if Place.Kind.HOME in kinds.values() and len(kinds) > 1 and key in keys:
            row = next((said[reference].row for reference in kinds if reference in said), None)
            if row is None:
                continue
            said.errors.append(
                row.error(
                    COLUMN["place_kind"].name,
                    _("A home is let whole, but this one has several places."),
                    _("Write “chambre” or “lit” for each of its places."),
                )
            )


def _pks(units: Things) -> list[int]:
    return [unit.pk for unit in units.by_reference.values() if unit.pk is not None]


# ---- dated facts: titles, times out of service, orders, labels ----------------------------

HOLDING = _columns(
    owner="owner_reference",
    title="title",
    end="title_end",
    reference="title_reference",
    fee_rate="fee_rate",
    unpaid_guaranteed="unpaid_guaranteed",
    vacancy_guaranteed="vacancy_guaranteed",
    rent_due="rent_due",
)
OUT = _columns(kind="out_kind", end="out_end", reason="out_reason")
ORDER = _columns(kind="order_kind", reference="order_reference", released_on="order_released")
LABEL = _columns(letter="label", valid_until="label_end", number="label_number")


def dated_facts(rows: list[TableRow], errors: list[RowError], stock: Stock) -> list[tuple[Dated, list[str]]]:
    """The dated facts of the file's homes, put against those kept; with the attributes to write."""
    sorts = (
        (Holding, Dated(HOLDING, errors), _holding, list(HOLDING)[2:]),
        (OutOfService, Dated(OUT, errors), _out, list(OUT)[1:]),
        (
            SafetyOrder,
            Dated(ORDER, errors, apart=False, start="notified_on"),
            _order,
            ["reference", "released_on", "rent_resumes"],
        ),
        (EnergyLabel, Dated(LABEL, errors, apart=False, start="issued_on"), _label, ["number"]),
    )
    for model, merged, read, _names in sorts:
        known: dict[int, list] = defaultdict(list)
        related = ["owner"] if model is Holding else []
        for fact in kept(model.objects.select_related(*related), "unit_id", _pks(stock.units)):
            known[fact.unit_id].append(fact)
        wanted: dict[str, list] = defaultdict(list)
        for row in rows:
            unit = stock.units.get(row["unit_reference"])
            fact = read(row, stock, errors)
            if fact is not None and unit is not None:
                fact.unit = unit
                wanted[unit.reference].append((fact, row))
        for reference, facts in wanted.items():
            merged.merge(known[stock.units.get(reference).pk], facts)
        if model is Holding:
            _held(stock, wanted, known, rows, errors)
    for holding in sorts[0][1].new:
        holding.unpaid_guaranteed = bool(holding.unpaid_guaranteed)
        holding.vacancy_guaranteed = bool(holding.vacancy_guaranteed)
    for order in (*sorts[2][1].new, *sorts[2][1].changed):
        _stop_rent(order)
    return [(merged, names) for _model, merged, _read, names in sorts]


def _told_late(imported: Imported, facts: list[tuple[Dated, list[str]]]) -> None:
    """Titles and orders told of homes already kept: rent called since may have to be called otherwise."""
    for merged, _names in facts:
        for fact in (*merged.new, *merged.changed):
            if fact.unit_id is None:
                continue
            if isinstance(fact, Holding):
                imported.counts_from(fact.unit_id, fact.start if fact.pk is None else fact.end or fact.start)
            elif isinstance(fact, SafetyOrder):
                imported.counts_from(fact.unit_id, fact.rent_stops)


def _held(stock: Stock, wanted: dict, known: dict, rows: list[TableRow], errors: list[RowError]) -> None:
    """A home that comes without any title could neither be let nor called: a fault."""
    first = {}
    for row in rows:
        first.setdefault(row["unit_reference"], row)
    for unit in stock.units.new:
        row = first[unit.reference]
        named = any(row[key] is not None for key in ("owner_reference", "title", "title_start"))
        if not wanted[unit.reference] and not named:
            refuse(
                row,
                "title",
                _("No title to this home is given."),
                _("Give its owner, title and start."),
                errors,
            )


def _needs(row: TableRow, errors: list[RowError], needed: Sequence[str], others: Sequence[str]) -> bool:
    return together(row, [COLUMN[key] for key in needed], [COLUMN[key] for key in others], errors)


def _after(last: date | None) -> date | None:
    """Files give the last day included; what is kept ends on the day after."""
    return None if last is None else last + ONE_DAY


def _holding(row: TableRow, stock: Stock, errors: list[RowError]) -> Holding | None:
    others = (
        "title_reference",
        "title_end",
        "fee_rate",
        "unpaid_guaranteed",
        "vacancy_guaranteed",
        "rent_due",
    )
    if not _needs(row, errors, ("owner_reference", "title", "title_start"), others):
        return None
    owner, end = stock.owners.get(row["owner_reference"]), _after(row["title_end"])
    if not ends_after(row, COLUMN["title_end"], row["title_start"], end, errors) or owner is None:
        return None
    return Holding(
        owner=owner,
        title=row["title"],
        reference=row["title_reference"] or "",
        start=row["title_start"],
        end=end,
        fee_rate=row["fee_rate"],
        unpaid_guaranteed=row["unpaid_guaranteed"],
        vacancy_guaranteed=row["vacancy_guaranteed"],
        rent_due=row["rent_due"],
    )


def _out(row: TableRow, stock: Stock, errors: list[RowError]) -> OutOfService | None:
    if not _needs(row, errors, ("out_kind", "out_start"), ("out_end", "out_reason")):
        return None
    end = _after(row["out_end"])
    if not ends_after(row, COLUMN["out_end"], row["out_start"], end, errors):
        return None
    return OutOfService(kind=row["out_kind"], start=row["out_start"], end=end, reason=row["out_reason"] or "")


def _order(row: TableRow, stock: Stock, errors: list[RowError]) -> SafetyOrder | None:
    if not _needs(row, errors, ("order_kind", "order_notified"), ("order_reference", "order_released")):
        return None
    notified, released = row["order_notified"], row["order_released"]
    if not ends_after(row, COLUMN["order_released"], notified, _after(released), errors):
        return None
    try:
        rule("RENT_SUSPENDED", on=notified)
    except NoRuleOn:
        refuse(
            row,
            "order_notified",
            _("No rule is known at this date."),
            _("Check the date of the order."),
            errors,
        )
        return None
    return SafetyOrder(
        kind=row["order_kind"],
        reference=row["order_reference"] or "",
        notified_on=notified,
        released_on=released,
    )


def _stop_rent(order: SafetyOrder) -> None:
    """When the rent stops and resumes (CCH L.521-2): RENT_SUSPENDED firsts of the month after each date."""
    firsts = rule("RENT_SUSPENDED", on=order.notified_on).value
    order.rent_stops = add_months(first_of_month(order.notified_on), firsts)
    if order.released_on is not None:
        order.rent_resumes = add_months(first_of_month(order.released_on), firsts)


def _label(row: TableRow, stock: Stock, errors: list[RowError]) -> EnergyLabel | None:
    if not _needs(row, errors, ("label", "label_issued", "label_end"), ("label_number",)):
        return None
    end = _after(row["label_end"])
    if not ends_after(row, COLUMN["label_end"], row["label_issued"], end, errors):
        return None
    return EnergyLabel(
        letter=row["label"], issued_on=row["label_issued"], valid_until=end, number=row["label_number"] or ""
    )
