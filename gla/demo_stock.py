"""The demonstration's stock: owners, sites, buildings, homes and how each is held. Invented, seeded.

Communes, their codes and their places are real; streets' numbers, owners and homes are not.
Nothing here knows the database: `gla.demo` writes these records as the files a user would import.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from core.periods import add_months, next_month
from leases.formats.cfonb import french_iban

UNITS = 4_303

# Commune, INSEE code, postcode, latitude, longitude, weight in the stock.
COMMUNES = (
    ("Roubaix", "59512", "59100", 50.6916, 3.1746, 17),
    ("Lille", "59350", "59000", 50.6292, 3.0573, 13),
    ("Tourcoing", "59599", "59200", 50.7230, 3.1600, 11),
    ("Wattrelos", "59650", "59150", 50.7010, 3.2170, 4),
    ("Croix", "59163", "59170", 50.6783, 3.1500, 2),
    ("Hem", "59299", "59510", 50.6570, 3.1880, 2),
    ("Mons-en-Barœul", "59410", "59370", 50.6370, 3.1100, 2),
    ("Armentières", "59017", "59280", 50.6880, 2.8810, 3),
    ("Loos", "59360", "59120", 50.6130, 3.0190, 2),
    ("Halluin", "59279", "59250", 50.7836, 3.1256, 2),
    ("Douai", "59178", "59500", 50.3700, 3.0800, 5),
    ("Sin-le-Noble", "59569", "59450", 50.3640, 3.1140, 2),
    ("Denain", "59172", "59220", 50.3290, 3.3940, 4),
    ("Valenciennes", "59606", "59300", 50.3580, 3.5230, 5),
    ("Anzin", "59014", "59410", 50.3720, 3.5040, 2),
    ("Maubeuge", "59392", "59600", 50.2790, 3.9730, 3),
    ("Hautmont", "59291", "59330", 50.2510, 3.9210, 1),
    ("Cambrai", "59122", "59400", 50.1760, 3.2350, 3),
    ("Dunkerque", "59183", "59140", 51.0340, 2.3770, 3),
    ("Grande-Synthe", "59271", "59760", 51.0140, 2.3020, 1),
    ("Hazebrouck", "59295", "59190", 50.7250, 2.5370, 1),
    ("Lens", "62498", "62300", 50.4290, 2.8320, 5),
    ("Liévin", "62510", "62800", 50.4230, 2.7780, 4),
    ("Hénin-Beaumont", "62427", "62110", 50.4220, 2.9500, 3),
    ("Avion", "62065", "62210", 50.4090, 2.8310, 2),
    ("Béthune", "62119", "62400", 50.5300, 2.6400, 2),
    ("Bruay-la-Buissière", "62178", "62700", 50.4830, 2.5510, 2),
    ("Arras", "62041", "62000", 50.2920, 2.7780, 2),
    ("Calais", "62193", "62100", 50.9510, 1.8580, 3),
    ("Boulogne-sur-Mer", "62160", "62200", 50.7260, 1.6130, 2),
)
STREETS = (
    "rue des Tisserands", "rue de la Filature", "rue du Moulin", "rue de l’Église", "rue des Lilas",
    "rue des Mineurs", "rue de la Gare", "avenue de la République", "rue Jean-Jaurès", "rue Pasteur",
    "rue Victor-Hugo", "rue de la Paix", "rue des Fileuses", "rue du Canal", "rue de l’Abattoir",
    "rue des Écoles", "rue du Maréchal-Foch", "rue Émile-Zola", "boulevard Gambetta", "rue de la Liberté",
    "rue des Carliers", "rue du Fort", "rue de la Chapelle", "rue Louis-Braille", "rue des Acacias",
    "rue des Peupliers", "allée des Tilleuls", "impasse des Jardins", "place de la Fraternité", "rue du Coq-Français",
    "rue Jules-Guesde", "rue Ampère", "rue de Cassel", "rue d’Artois", "rue de Flandre",
    "rue de Lorraine", "rue du Vieux-Puits", "rue des Bleuets", "rue de la Fosse-4", "rue des Corons",
)  # fmt: skip
SOCIAL_LANDLORDS = (
    "Habitat Flandre-Lys", "Logis du Beffroi", "Office du Val de Scarpe", "Foyer de la Deûle",
    "Maisons et Jardins du Nord", "Habitat Terril", "Toits d’Artois", "Société des Cités Claires",
    "Habitat Côte et Marais", "Logement Sambre-Avesnois", "Office des Trois Canaux", "Demeures du Hainaut",
)  # fmt: skip
TOWNS_AS_LESSORS = ("Roubaix", "Tourcoing", "Lens", "Denain")
DPE = "ABCDEFG"
DPE_WEIGHTS = (0.5, 2, 14, 40, 29, 10, 4.5)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the stock: how many homes, how held, let under which contracts."""

    code: str
    units: int
    title: str
    owners: str
    kinds: tuple[tuple[str, int], ...]
    financing: tuple[tuple[str, int], ...]
    structure: tuple[str, str] = ("", "")
    typologies: tuple[int, ...] = (8, 24, 34, 24, 9, 1)
    in_block: tuple[int, ...] = (1, 1, 1, 1, 2, 4, 8, 12)
    turnover: float = 0.09
    occupied: float = 0.95
    rooms: float = 0.0


FAMILIES = (1, 20, 40, 30, 9, 0)
SINGLES = (80, 18, 2, 0, 0, 0)
VERY_SOCIAL = (("plai", 60), ("plus", 34), ("pls", 6))
SEGMENTS = (
    Segment("RS1", 28, "deed", "own", (("RESIDENCE_SOCIALE", 1),), (("plai", 1),),
            ("residence_sociale", "Résidence sociale Les Tilleuls"), FAMILIES, (28,), 0.45, 0.97),
    Segment("RS2", 37, "deed", "own", (("RESIDENCE_SOCIALE", 1),), (("plai", 1),),
            ("residence_sociale", "Résidence sociale Jeunes et familles"), (30, 40, 22, 8, 0, 0), (37,), 0.5, 0.97),
    Segment("CHRS1", 26, "deed", "own", (("CHRS", 1),), (("free", 1),),
            ("chrs", "CHRS La Maison des femmes"), FAMILIES, (26,), 0.8, 0.98),
    Segment("CHRS2", 24, "deed", "own", (("CHRS", 1),), (("free", 1),),
            ("chrs", "CHRS Le Relais"), (20, 30, 30, 20, 0, 0), (24,), 0.8, 0.98, 0.12),
    Segment("PF1", 15, "deed", "own", (("PENSION_FAMILLE", 1),), (("plai", 1),),
            ("pension_famille", "Pension de famille Le Tremplin"), SINGLES, (15,), 0.12, 0.98),
    Segment("PF2", 18, "deed", "own", (("PENSION_FAMILLE", 1),), (("plai", 1),),
            ("pension_famille", "Pension de famille Les Glycines"), SINGLES, (18,), 0.1, 0.98),
    Segment("RHVS", 40, "deed", "own", (("RHVS", 1),), (("free", 1),),
            ("rhvs", "Résidence hôtelière L’Escale"), (40, 35, 20, 5, 0, 0), (40,), 0.7, 0.93),
    Segment("ALT1", 140, "deed", "own", (("ALT", 1),), (("plai", 60), ("free", 40)),
            ("alt", "Logements ALT, compte propre"), turnover=0.9, occupied=0.95, rooms=0.07),
    Segment("DIFF", 1264, "deed", "own", (("CONV_APL", 93), ("L89_VIDE", 7)), VERY_SOCIAL),
    Segment("HEADS", 90, "head_lease", "social", (("BAIL_GLISSANT", 45), ("SUBLET_CONV", 55)), VERY_SOCIAL,
            turnover=0.2),
    Segment("HEADP", 90, "head_lease", "private", (("SUBLET_FREE", 1),), (("free", 1),), turnover=0.2),
    Segment("REHAB", 110, "rehab_lease", "private", (("CONV_APL", 1),), (("plai", 80), ("plus", 20))),
    Segment("EMPH", 90, "emphyteusis", "town", (("CONV_APL", 1),), (("plai", 80), ("plus", 20))),
    Segment("SOC", 633, "mandate", "social", (("CONV_APL", 1),), (("plai", 30), ("plus", 60), ("pls", 10)),
            in_block=(2, 4, 8, 12, 16, 20)),
    Segment("PRIV", 450, "mandate", "private", (("L89_VIDE", 48), ("ANAH_CONV", 46), ("L89_MEUBLE", 6)), (),
            in_block=(1, 1, 1, 1, 1, 2, 3)),
    Segment("ALT2", 60, "mandate", "saues", (("ALT", 1),), (("plai", 1),),
            ("alt", "Logements ALT de la SAUES"), turnover=0.9, occupied=0.95),
    Segment("SAUES", 1188, "mandate", "saues", (("CONV_APL", 1),), (("plai", 86), ("plus", 14))),
)  # fmt: skip


@dataclass(slots=True)
class DemoOwner:
    reference: str
    kind: str
    nature: str
    name: str
    siren: str = ""
    email: str = ""
    iban: str = ""


@dataclass(slots=True)
class DemoBuilding:
    reference: str
    site: str
    site_name: str
    address: str
    commune: tuple
    ban: str
    latitude: float
    longitude: float
    built: int


@dataclass(slots=True)
class DemoHolding:
    owner: DemoOwner
    title: str
    reference: str
    start: date
    end: date | None = None
    fee_rate: str = ""
    unpaid_guaranteed: bool = False
    vacancy_guaranteed: bool = False
    rent_due: int | None = None


@dataclass(slots=True)
class DemoUnit:
    """A home, with what the generator must know to let it: amounts in cents a month."""

    reference: str
    segment: Segment
    building: DemoBuilding
    kind: str
    typology: int
    surface: float
    floor: int
    door: str
    financing: str
    ceiling: int | None
    accessible: bool
    rent: int
    charges: int
    holdings: list[DemoHolding]
    places: list[tuple[str, str]]
    letter: str
    label_on: date
    label_until: date
    label_number: str
    out_of_service: list[tuple[str, date, date | None, str]] = field(default_factory=list)
    orders: list[tuple[str, str, date, date | None]] = field(default_factory=list)

    @property
    def bank(self) -> str:
        """Which bank account its tenants pay to: the association's, the mandants', the SAUES's."""
        if self.segment.title != "mandate":
            return "A"
        return "C" if self.segment.owners == "saues" else "B"

    def rent_stopped(self, month: date) -> bool:
        """Whether an order stops the rent of that month (first of the month after, to release)."""
        return any(
            next_month(notified) <= month and (released is None or next_month(released) > month)
            for _kind, _number, notified, released in self.orders
        )


@dataclass(slots=True)
class Stock:
    owners: list[DemoOwner]
    units: list[DemoUnit]


def shares(total: int, weights: list[int]) -> list[int]:
    """A whole number split after weights, each at least 1, by largest remainders."""
    whole = sum(weights)
    counts = [max(1, total * weight // whole) for weight in weights]
    order = sorted(range(len(weights)), key=lambda at: -(total * weights[at] % whole))
    at = 0
    while sum(counts) < total:
        counts[order[at % len(order)]] += 1
        at += 1
    while sum(counts) > total:
        counts[counts.index(max(counts))] -= 1
    return counts


def chosen(random: Random, weighed) -> str:
    return random.choices([value for value, _ in weighed], [weight for _, weight in weighed])[0]


def make_iban(number: int, bank: str = "99001") -> str:
    """A valid IBAN at a bank that does not exist."""
    return french_iban(bank, f"{number % 89 + 101:05d}", f"{number:011d}")


def siren(number: int) -> str:
    """Nine digits with Luhn's check digit, in a range that is not given out."""
    body = f"{99_000_000 + number}"
    doubled = (int(digit) * 2 if at % 2 else int(digit) for at, digit in enumerate(body))
    return body + str(-sum(value - 9 if value > 9 else value for value in doubled) % 10)


def make_owners(names, private: int) -> list[DemoOwner]:
    """The association, the SAUES, a dozen social landlords, four towns, and private owners."""
    owners = [
        DemoOwner("P-ASSO", "own", "mp", "L’association", siren(1), "contact@example.org"),
        DemoOwner(
            "P-SAUES",
            "saues",
            "saues",
            "SAUES Habitat solidaire",
            siren(2),
            "saues@example.org",
            make_iban(900_002),
        ),
    ]
    for at, name in enumerate(SOCIAL_LANDLORDS, 1):
        owners.append(
            DemoOwner(
                f"P-S{at:02d}",
                "social",
                "hlm",
                name,
                siren(100 + at),
                f"mandats{at:02d}@example.org",
                make_iban(901_000 + at),
            )
        )
    for at, town in enumerate(TOWNS_AS_LESSORS, 1):
        owners.append(
            DemoOwner(
                f"P-V{at:02d}",
                "social",
                "mp",
                f"Ville de {town} (exemple)",
                siren(200 + at),
                f"ville{at:02d}@example.org",
                make_iban(902_000 + at),
            )
        )
    for at in range(1, private + 1):
        first, last = next(names)
        if at % 7 == 0:
            owner = DemoOwner(f"P-{at:04d}", "private", "family_sci", f"SCI {last}", siren(1_000 + at))
        else:
            owner = DemoOwner(f"P-{at:04d}", "private", "person", f"{last} {first}")
        owner.email, owner.iban = f"proprietaire{at:04d}@example.org", make_iban(903_000 + at)
        owners.append(owner)
    return owners


SURFACES = {1: (20, 33), 2: (38, 52), 3: (55, 70), 4: (71, 88), 5: (86, 108), 6: (105, 125)}
RATES = {  # EUR/m² a month in cents: rent asked (low, high), ceiling
    "plai": (480, 545, 558), "plus": (560, 612, 626), "pls": (760, 900, 930),
    "anah_very_social": (560, 620, 634), "anah_social": (690, 785, 800), "free": (820, 1120, 0),
}  # fmt: skip


def make_stock(*, units: int, first_month: date, today: date, names) -> Stock:
    """The whole stock, the same for the same figures and days."""
    random = Random("stock")
    counts = shares(units, [segment.units for segment in SEGMENTS])
    owners = make_owners(names, private=max(4, round(300 * units / UNITS)))
    by_kind = {
        "own": owners[:1],
        "saues": owners[1:2],
        "social": [one for one in owners if one.nature == "hlm"],
        "town": [one for one in owners if one.reference.startswith("P-V")],
        "private": [one for one in owners if one.kind == "private"],
    }
    made: list[DemoUnit] = []
    numbers = {"building": 0, "site": 0}
    for segment, count in zip(SEGMENTS, counts, strict=True):
        lessors = by_kind[segment.owners]
        if segment.title in ("head_lease", "rehab_lease") and segment.owners == "private":
            lessors = lessors[: max(2, len(lessors) // 6)]
        done = blocks = 0
        while done < count:
            size = min(random.choice(segment.in_block), count - done)
            if segment.structure[0] in ("chrs", "residence_sociale", "pension_famille", "rhvs"):
                size = count
            owner = lessors[blocks % len(lessors)] if segment.owners != "private" else random.choice(lessors)
            if segment.code == "PRIV" and blocks < len(lessors):
                owner = lessors[blocks]  # each private owner gives at least one home
            building = _building(random, numbers, segment, size)
            holding = _holding(random, segment, owner, len(made) + 1, first_month)
            for at in range(size):
                made.append(_unit(random, segment, building, holding, len(made) + 1, at, size, today))
            done += size
            blocks += 1
    _events(random, made, by_kind["private"], first_month, today)
    return Stock(owners, made)


def _building(random: Random, numbers: dict, segment: Segment, size: int) -> DemoBuilding:
    numbers["building"] += 1
    commune = random.choices(COMMUNES, [one[5] for one in COMMUNES])[0]
    number, street = random.randint(1, 180), random.choice(STREETS)
    # A block stands on its own site; scattered houses of a commune make one site each fifty or so.
    if size > 2:
        numbers["site"] += 1
        site, site_name = (
            f"S{numbers['site']:04d}",
            segment.structure[1] or f"Résidence {street.split()[-1].title()}",
        )
        if segment.structure[0] == "alt":
            site_name = f"Résidence {street.split()[-1].title()}"
    else:
        site, site_name = f"D{commune[1]}", f"Diffus {commune[0]}"
    return DemoBuilding(
        f"B{numbers['building']:05d}",
        site,
        site_name,
        f"{number} {street}",
        commune,
        f"{commune[1]}_{1000 + STREETS.index(street) * 37}_{number:05d}",
        round(commune[3] + random.uniform(-0.013, 0.013), 6),
        round(commune[4] + random.uniform(-0.018, 0.018), 6),
        random.choice((1900, 1910, 1925, 1930, 1948, 1955, 1962, 1968, 1974, 1982, 1995, 2008, 2016)),
    )


def _holding(
    random: Random, segment: Segment, owner: DemoOwner, number: int, first_month: date
) -> DemoHolding:
    start = first_month.replace(year=first_month.year - random.randint(2, 22), month=random.randint(1, 12))
    holding = DemoHolding(owner, segment.title, "", start)
    if segment.title == "mandate":
        holding.reference = f"MG-{number:05d}"
        holding.fee_rate = {"saues": "7.00", "social": "8.00"}.get(segment.owners) or random.choice(
            ("6.50", "7.00", "8.00")
        )
        holding.unpaid_guaranteed = random.random() < (0.35 if segment.owners == "private" else 0)
        holding.vacancy_guaranteed = holding.unpaid_guaranteed and random.random() < 0.3
    else:
        holding.reference = {"deed": "AV", "head_lease": "BP", "rehab_lease": "BR", "emphyteusis": "BE"}[
            segment.title
        ] + f"-{number:05d}"
    return holding


def _unit(random, segment, building, holding, number, at, size, today) -> DemoUnit:
    typology = random.choices(range(1, 7), segment.typologies)[0]
    shared = segment.rooms and random.random() < segment.rooms
    if shared:
        typology = 4
    low, high = SURFACES[typology]
    surface = round(random.uniform(low, high), 1)
    kind = chosen(random, segment.kinds)
    if segment.code == "PRIV":
        # An Anah convention sets the ceiling; without one there is none.
        financing = random.choice(("anah_social", "anah_very_social")) if kind == "ANAH_CONV" else "free"
    else:
        financing = chosen(random, segment.financing)
    if kind == "L89_VIDE":
        financing = "free"
    asked_low, asked_high, cap = RATES[financing]
    rent = round(surface * random.uniform(asked_low, asked_high))
    # Room for two yearly revisions under the ceiling.
    ceiling = round(surface * cap * 1.045) if cap else None
    if financing == "free" and typology > 2:
        rent = round(rent * 0.88)
    charges = round(surface * random.uniform(70, 160)) if size > 2 else random.randrange(1200, 4200)
    if kind in ("CHRS", "ALT"):
        rent, charges, ceiling = random.randrange(6000, 19000, 500), 0, None
    elif kind == "RHVS":
        rent, charges, ceiling = random.randrange(38000, 62000, 1000), 0, None
    elif kind in ("RESIDENCE_SOCIALE", "PENSION_FAMILLE"):
        rent = round(rent * 1.15)
        ceiling = round(rent * 1.08)
        charges = random.randrange(4500, 9000, 100)
    unit_holding = DemoHolding(
        holding.owner, holding.title, holding.reference, holding.start, None, holding.fee_rate,
        holding.unpaid_guaranteed, holding.vacancy_guaranteed,
    )  # fmt: skip
    if holding.title in ("head_lease", "rehab_lease"):
        unit_holding.rent_due = round(rent * (0.92 if holding.title == "head_lease" else 0.15))
    elif holding.title == "emphyteusis":
        unit_holding.rent_due = 2_500
    reference = f"{number:05d}"
    label_on = date(today.year - random.randint(1, 4), random.randint(1, 12), random.randint(1, 28))
    return DemoUnit(
        reference=f"{segment.code}-{reference}" if segment.structure[0] else f"LOG-{reference}",
        segment=segment,
        building=building,
        kind=kind,
        typology=typology,
        surface=surface,
        floor=at // 4 if size > 1 else 0,
        door=f"{at + 1}" if size > 1 else "",
        financing=financing,
        ceiling=ceiling,
        accessible=random.random() < 0.12,
        rent=rent,
        charges=charges,
        holdings=[unit_holding],
        places=[("home", "")] if not shared else [("room", f"-{room}") for room in "ABC"],
        letter=random.choices(DPE, DPE_WEIGHTS)[0],
        label_on=label_on,
        label_until=add_months(label_on, 120),
        label_number=f"{label_on:%y}59E{number:07d}{random.choice('ABCDEFGH')}",
    )


def _events(random, units: list[DemoUnit], private: list[DemoOwner], first_month: date, today: date) -> None:
    """Homes sold to another owner, a mandate that will end, orders that stop the rent, works."""
    private_units = [unit for unit in units if unit.segment.code == "PRIV"]
    for unit in private_units[5::150]:
        # Sold during the time played: one mandate after the other, day for day.
        sold = add_months(first_month, random.randint(6, 18))
        old = unit.holdings[0]
        buyer = next(owner for owner in private if owner is not old.owner)
        old.end = sold
        unit.holdings.append(DemoHolding(buyer, "mandate", old.reference + "-2", sold, None, "7.00"))
    for unit in private_units[3::200]:
        if len(unit.holdings) == 1:
            unit.holdings[0].end = add_months(next_month(today), 1)
    for at, unit in enumerate(private_units[11::130]):
        notified = add_months(first_month, 8 + at) + timedelta(days=11)
        released = add_months(notified, 7) if at % 2 else None
        unit.orders.append(
            (("unfitness", "safety")[at % 2], f"AP-{notified.year}-{100 + at}", notified, released)
        )
