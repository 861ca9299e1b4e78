"""The demonstration's households and leases, with what each owes by the generator's own reckoning.

Names are invented; telephone numbers are of the ranges kept for fiction; the IBANs are valid, at
banks that do not exist. What a household owes is worked out here from the lease alone, so that the
bank statements can be written before any database is there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from core.periods import add_months, next_month
from gla.demo_stock import DemoUnit, Stock, make_iban
from leases.lease import payment_reference

DAY = timedelta(days=1)

FIRST_NAMES = """
Amandine Aminata Anne Aurélie Bernadette Camille Caroline Catherine Cécile Chantal Christelle Claire
Coralie Corinne Danielle Delphine Dominique Élodie Émilie Estelle Fatima Fatoumata Florence Françoise
Gaëlle Hélène Inès Isabelle Jacqueline Jeanne Jessica Julie Karima Khadija Laëtitia Laurence Leïla Lucie
Magali Malika Manon Marie Marion Martine Mélanie Mireille Monique Nadia Naïma Nathalie Nicole Noémie
Odile Pauline Perrine Rachida Sabrina Samira Sandrine Sarah Séverine Sonia Sophie Stéphanie Sylvie
Thérèse Valérie Vanessa Virginie Yasmina Yvette Zohra Abdel Adrien Ahmed Alain Alexandre Antoine Arnaud
Bakary Benoît Bernard Bruno Cédric Christophe Damien Daniel David Denis Didier Dylan Éric Fabien Farid
Florian Franck Frédéric Gérard Gilles Grégory Guillaume Hakim Hervé Hugo Ibrahim Jacques Jean Jérôme
Jonathan Joseph Julien Karim Kevin Laurent Loïc Ludovic Marc Mamadou Mathieu Maxime Mehdi Michel Mickaël
Mohamed Moussa Nicolas Olivier Pascal Patrick Paul Philippe Pierre Quentin Rachid Raphaël Rémi Richard
Romain Salim Samuel Sébastien Serge Simon Stéphane Sylvain Thierry Thomas Tony Valentin Vincent Xavier
Yann Youssef
"""
LAST_NAMES = """
Adam Allard André Arnould Aubert Bailleul Barbier Baron Bataille Beaumont Benali Benoit Berger Bernard
Bertin Blondel Bocquet Bonnet Boucher Boulanger Bouvier Brasseur Breton Bruneau Capelle Cardon Caron
Carlier Carpentier Charlet Chevalier Cissé Clément Colin Cordier Coulibaly Cousin Crépin Dacosta Danel
Dassonville Debruyne Declercq Decroix Defrance Degand Delacroix Delannoy Delattre Delcourt Delmotte
Delporte Demarez Denis Deroo Descamps Desmet Despretz Dewaele Diallo Diarra Dubois Duchemin Dufour
Duhamel Dumont Dupont Dupuis Durand Duriez Duthoit Fabre Faure Ferreira Flament Fontaine Fournier
François Garnier Gauthier Gérard Gilbert Girard Gosselin Grandin Grenier Guérin Guillaume Hamdi
Hannequin Haddad Henry Herbin Hoareau Houssin Huart Hubert Humbert Jacquemin Joly Julien Kaczmarek Keita
Konaté Kowalski Laborde Lacroix Lambert Lambin Langlois Laurent Lebrun Leclercq Lecomte Lefebvre Lefort
Legrand Lemaire Lenoir Leroux Leroy Lesage Lesur Levêque Loiseau Lopez Louvet Mahieu Maes Maillard
Marchand Marechal Martel Martin Masson Mathieu Mercier Meunier Michaud Minet Monier Moreau Morel Moulin
Muller Nguyen Nicolas Noël Nowak Olivier Ouedraogo Parent Pauwels Payen Perrin Petit Picard Piotrowski
Poirier Poulain Prévost Quentin Ramos Rault Renard Ricard Richard Rigaux Robert Roger Rousseau Roussel
Roux Sanchez Sauvage Sénéchal Simon Sow Tanghe Taverne Tessier Thibaut Thomas Touré Traoré Vandamme
Vasseur Verhaeghe Vermeersch Vidal Vincent Wagner Wattel Wojcik Yilmaz
"""

# How a household pays: share of households, in percent.
MEANS = (("debit", 40), ("transfer", 29), ("standing", 21), ("cheque", 7), ("cash", 3))
# How it behaves: share of households, in percent.
WAYS = (("steady", 80), ("late", 6), ("skips", 6), ("slides", 4), ("stops", 2), ("struggles", 2))
TEMPORARY = {"RESIDENCE_SOCIALE", "CHRS", "ALT", "RHVS"}
REVISION = 1.0104


@dataclass(slots=True)
class DemoTerm:
    """Amounts in cents a month from a day on."""

    since: date
    rent: int
    charges: int
    services: int = 0

    @property
    def total(self) -> int:
        return self.rent + self.charges + self.services


@dataclass(slots=True)
class DemoPerson:
    reference: str
    first: str
    last: str
    born: date
    email: str
    phone: str


@dataclass(slots=True)
class DemoLease:
    """A lease as its file tells it; end and exit are days after the last. Amounts in cents.

    benefit: (first month, month after the last or None, cents a month). free: days for which nothing
    is called. told_on: the month in which the association learns that the household has left.
    """

    number: int
    unit: DemoUnit
    place: str
    household: str
    head: DemoPerson
    other: DemoPerson | None
    start: date
    end: date | None
    end_reason: str
    exit: date | None
    terms: list[DemoTerm]
    benefit: list[tuple[date, date | None, int]] = field(default_factory=list)
    benefit_kind: str = ""
    payer: str = "CAF"
    beneficiary: str = ""
    means: str = "transfer"
    way: str = "steady"
    iban: str = ""
    mandate: str = ""
    arrears_billing: bool = False
    due_day: int = 5
    deposit: int = 0
    free: tuple[date, date] | None = None
    told_on: date | None = None
    kept: dict[date, tuple[int, int]] = field(default_factory=dict, repr=False)

    @property
    def reference(self) -> str:
        return f"BX{self.number:05d}"

    @property
    def payment_reference(self) -> str:
        return payment_reference(self.number)

    def due(self, month: date) -> date:
        """When the call of a month falls due."""
        return (next_month(month) if self.arrears_billing else month).replace(day=self.due_day)

    def gross(self, month: date) -> int:
        """Rent, charges and indemnity owed for a month, by days, each item rounded half up once."""
        return self._owed(month)[0]

    def benefit_of(self, month: date) -> int:
        """The benefit deducted from a month: none unless the home is occupied to its end."""
        return self._owed(month)[1]

    def asked(self, month: date) -> int:
        """What the household itself owes for a month."""
        gross, benefit = self._owed(month)
        return gross - benefit

    def _owed(self, month: date) -> tuple[int, int]:
        if month not in self.kept:
            after = next_month(month)
            gross = self._gross(month, after)
            right = 0
            if gross and not (self.exit and self.exit < after):
                right = next(
                    (
                        cents
                        for start, end, cents in self.benefit
                        if start <= month and (end is None or end > month)
                    ),
                    0,
                )
            self.kept[month] = gross, min(right, gross)
        return self.kept[month]

    def _gross(self, month: date, after: date) -> int:
        last = self.exit or after
        if self.start >= after or last <= month or self.unit.rent_stopped(month):
            return 0
        holding = [term for term in self.terms if term.since < after]
        whole = self.start <= month and last >= after and (self.end is None or self.end >= after)
        if whole and holding[-1].since <= month and not (self.free and self.free[1] > month):
            return holding[-1].total
        days = (after - month).days
        sums: dict[str, int] = {}
        for at, term in enumerate(self.terms):
            until = self.terms[at + 1].since if at + 1 < len(self.terms) else after
            first, end = max(term.since, self.start, month), min(until, last, after)
            if first >= end:
                continue
            if self.free and self.free[0] < end and self.free[1] > first:
                first = min(self.free[1], end)  # free days are the first ones of a lease
            title_end = min(end, self.end) if self.end else end
            for name, cents in (("rent", term.rent), ("charges", term.charges), ("services", term.services)):
                sums[name] = sums.get(name, 0) + cents * max(0, (title_end - first).days)
                sums["indemnity"] = sums.get("indemnity", 0) + cents * max(
                    0, (end - max(first, title_end)).days
                )
        return sum((2 * cents + days) // (2 * days) for cents in sums.values())


def names(seed: str) -> Iterator[tuple[str, str]]:
    """Invented persons, without end: first name, last name."""
    random, first_names, last_names = Random(seed), FIRST_NAMES.split(), LAST_NAMES.split()
    while True:
        yield random.choice(first_names), random.choice(last_names)


def chosen(random: Random, weighed) -> str:
    return random.choices([value for value, _ in weighed], [weight for _, weight in weighed])[0]


def make_leases(stock: Stock, *, first_month: date, today: date) -> list[DemoLease]:
    """Every lease that runs in the months played, in the order of their references."""
    random, someone = Random("people"), names("people")
    leases: list[DemoLease] = []
    persons = iter(range(1, 10**6))
    by_segment: dict[str, list[tuple[DemoUnit, str]]] = {}
    for unit in stock.units:
        for _kind, suffix in unit.places:
            by_segment.setdefault(unit.segment.code, []).append((unit, unit.reference + suffix))
    for places in by_segment.values():
        empty = round(len(places) * (1 - places[0][0].segment.occupied))
        empties = set(random.sample(range(len(places)), empty))
        for at, (unit, place) in enumerate(places):
            stays = _stays(random, unit, first_month, today, ends_empty=at in empties)
            for start, exit_ in stays:
                leases.append(
                    _lease(
                        random,
                        someone,
                        persons,
                        unit,
                        place,
                        start,
                        exit_,
                        first_month,
                        today,
                        len(leases) + 1,
                    )
                )
            if at in empties:
                last = stays[-1][1] if stays else unit.holdings[0].start
                kind = random.choice(("works", "works", "vacancy", "vacancy", "withdrawal"))
                if len(unit.places) == 1 and random.random() < 0.8:
                    unit.out_of_service.append(
                        (
                            kind,
                            last,
                            None,
                            {
                                "works": "Réhabilitation",
                                "vacancy": "Attente d’attribution",
                                "withdrawal": "Projet de démolition",
                            }[kind],
                        )
                    )
    _without_title(random, leases, first_month, today)
    _told_late(leases, first_month, today)
    return leases


def _stays(random, unit: DemoUnit, first_month: date, today: date, *, ends_empty: bool):
    """Successive occupations of a place: (first day, day after the last or None)."""
    temporary = unit.kind in TEMPORARY
    held = unit.holdings[0].start
    hazard = unit.segment.turnover / 365
    years = 0.8 if temporary else 6
    start = max(
        held + timedelta(days=20),
        first_month - timedelta(days=1 + int(random.expovariate(1 / (365 * years)))),
    )
    stays: list[tuple[date, date | None]] = []
    if ends_empty and random.random() < 0.3:
        return stays
    leaves_by = today - timedelta(days=random.randint(40, 400)) if ends_empty else None
    begin = max(start, first_month)
    while True:
        end = begin + timedelta(days=40 + int(random.expovariate(hazard)))
        if leaves_by and end >= leaves_by:
            end = max(leaves_by, begin + timedelta(days=30))
            stays.append((start, min(end, today - timedelta(days=5))))
            return stays
        if end >= today - timedelta(days=75):
            stays.append((start, None))
            return stays
        stays.append((start, end))
        start = begin = end + timedelta(days=random.randint(3, 20) if temporary else random.randint(15, 70))


def _lease(random, someone, persons, unit, place, start, exit_, first_month, today, number) -> DemoLease:
    head = _person(random, someone, next(persons), today)
    other = None
    if unit.typology >= 2 and random.random() < (0.45 if unit.typology > 2 else 0.2):
        other = _person(random, someone, next(persons), today)
        if random.random() < 0.8:
            other.last = head.last
    share = 0.6 if len(unit.places) > 1 else 1
    services = 1_500 if unit.kind in ("RESIDENCE_SOCIALE", "PENSION_FAMILLE") else 0
    rent = round(unit.rent * share)
    terms = [DemoTerm(start, rent, round(unit.charges * share), services)]
    reason = ""
    if exit_:
        reason = (
            random.choice(("terme", "mutation", "congé du locataire"))
            if unit.kind in TEMPORARY
            else random.choices(("congé du locataire", "mutation", "décès", "jugement"), (80, 12, 5, 3))[0]
        )
    lease = DemoLease(
        number, unit, place, f"M{number:05d}", head, other, start, exit_, reason, exit_, terms,
        arrears_billing=unit.segment.code in ("SOC", "SAUES"),
        deposit=rent if unit.kind not in ("CHRS", "ALT", "RHVS") else 0,
    )  # fmt: skip
    _revise(random, lease, first_month, today)
    _aid(random, lease, first_month, today)
    lease.means, lease.way = chosen(random, MEANS), chosen(random, WAYS)
    if unit.kind in TEMPORARY and lease.means == "debit":
        lease.means = "cash"
    if lease.means == "debit":
        lease.mandate = f"RUM{lease.number:06d}"
        lease.due_day = random.choice((5, 5, 5, 8))
    if unit.segment.code == "REHAB" and start > first_month:
        lease.free = (start, start + timedelta(days=15))
    lease.iban = make_iban(number, random.choice(("99002", "99003", "99004", "99005")))
    return lease


def _person(random, someone, number: int, today: date) -> DemoPerson:
    first, last = next(someone)
    born = date(today.year - random.randint(19, 78), random.randint(1, 12), random.randint(1, 28))
    # 06 39 98 is a range kept for works of fiction.
    phone = (
        f"06 39 98 {random.randrange(100):02d} {random.randrange(100):02d}" if random.random() < 0.9 else ""
    )
    email = f"personne{number:05d}@example.org" if random.random() < 0.6 else ""
    return DemoPerson(f"PP{number:05d}", first, last, born, email, phone)


def _revise(random, lease: DemoLease, first_month: date, today: date) -> None:
    """The yearly revision: 1 January for conventioned homes, the anniversary for the law of 1989."""
    unit = lease.unit
    if unit.kind in ("CHRS", "ALT", "RHVS"):
        return
    if unit.kind in ("L89_VIDE", "L89_MEUBLE", "ANAH_CONV", "SUBLET_FREE"):
        day = add_months(lease.start, 12 * (today.year - 1 - lease.start.year))
        day = day if day >= first_month else add_months(day, 12)
    else:
        day = date(today.year, 1, 1)
    frozen = unit.letter in "FG" and random.random() > 0.01
    last = lease.end or today
    if frozen or day <= lease.start + timedelta(days=300) or not first_month < day < last:
        return
    first = lease.terms[0]
    lease.terms.append(DemoTerm(day, round(first.rent * REVISION), first.charges, first.services))


def _aid(random, lease: DemoLease, first_month: date, today: date) -> None:
    """A right to housing benefit for most, changed in January, cut and opened again for some."""
    unit, total = lease.unit, lease.terms[0].total
    if unit.kind in ("CHRS", "ALT") or random.random() > (0.66 if unit.segment.title == "mandate" else 0.72):
        return
    lease.benefit_kind = "AL" if unit.kind in ("L89_VIDE", "L89_MEUBLE", "SUBLET_FREE", "RHVS") else "APL"
    lease.payer = "MSA" if random.random() < 0.02 and unit.bank == "A" else "CAF"
    lease.beneficiary = f"{2_000_000 + lease.number * 7:07d}"
    opens = next_month(lease.start)
    start = opens if opens > first_month else max(opens, add_months(first_month, -random.randint(1, 12)))
    end = lease.exit.replace(day=1) if lease.exit else None
    if end and end <= start:
        lease.benefit_kind = ""
        return
    amount = max(1_500, round(total * random.betavariate(4, 2.6)))
    rights = [(start, None, amount)]
    january = date(today.year, 1, 1)
    if start < january and random.random() < 0.85:
        rights = [
            (start, january, amount),
            (january, None, max(1_500, amount + random.randrange(-2500, 2500))),
        ]
    if random.random() < 0.04:
        # Cut for want of a paper, open again some months later, with a gap known to all.
        cut = add_months(first_month, random.randint(4, 20))
        kept = []
        for begin, until, cents in rights:
            gap_end = add_months(cut, random.randint(2, 5))
            if begin < cut and (until is None or until > cut):
                kept.append((begin, cut, cents))
                if until is None or until > gap_end:
                    kept.append((gap_end, until, cents))
            elif begin >= gap_end or (until and until <= cut):
                kept.append((begin, until, cents))
        rights = kept
    if end:
        rights = [
            (begin, min(until, end) if until else end, cents) for begin, until, cents in rights if begin < end
        ]
    lease.benefit = rights
    if not rights:
        lease.benefit_kind = ""


def _without_title(random, leases: list[DemoLease], first_month: date, today: date) -> None:
    """A few stay after their title: since a judgment, a notice or the term, the keys still out."""
    running = [lease for lease in leases if lease.exit is None and lease.start < add_months(today, -14)]
    for at, lease in enumerate(random.sample(running, min(len(running), max(1, len(leases) // 350)))):
        lease.end = add_months(first_month, 24 - 3 - at % 9) + timedelta(days=random.randint(0, 20))
        lease.end_reason = (
            "terme" if lease.unit.kind in TEMPORARY else ("jugement", "congé du bailleur")[at % 2]
        )
        lease.way = random.choice(("stops", "slides", "steady"))


def _told_late(leases: list[DemoLease], first_month: date, today: date) -> None:
    """Some left without a word: it is learnt a month or two later, and what was called is credited."""
    left = [
        lease
        for lease in leases
        if lease.exit
        and lease.exit > add_months(first_month, 2)
        and not lease.unit.out_of_service
        and len(lease.unit.places) == 1
    ]
    last = {lease.place: lease.number for lease in leases}
    for at, lease in enumerate(lease for lease in left if last[lease.place] == lease.number):
        told = add_months(next_month(lease.exit), at % 2 + 1)
        if told <= today:
            lease.told_on, lease.end_reason = told, "congé du locataire"
