"""The demonstration's certificates, boilers, repairs and homes to let again, by the verbs of the pages."""

from datetime import date, datetime, time, timedelta
from random import Random

from django.db import transaction
from django.utils import timezone

from core.money import euros
from core.periods import add_months
from leases.models import Boiler, Certificate, ObligationStep
from leases.occupancy import Occupancy
from leases.upkeep import obligations, reletting, repairs
from leases.upkeep.obligations import ASKED, BOILER, INSURANCE, NOTICE, REMINDED

INSURERS = ("MAIF", "Macif", "GMF", "Matmut", "Groupama", "Crédit mutuel")
CONTRACTORS = {
    "taps": "Plomberie Leroy",
    "plumbing": "Plomberie Leroy",
    "pipes_clear": "Plomberie Leroy",
    "heating": "Chauffage du Nord",
    "heating_bits": "Chauffage du Nord",
    "electricity": "Élec Flandres",
    "switches": "Élec Flandres",
    "locks": "Serrurerie Vasseur",
    "openings": "Menuiserie Dhaine",
    "walls": "Peinture Carlier",
    "pests": "Hygiène 59",
    "outside": "Couverture Delattre",
}
WORDS = {
    "taps": "Le robinet de la cuisine goutte",
    "plumbing": "Fuite sous l'évier, le meuble est mouillé",
    "pipes_clear": "La douche ne s'évacue plus",
    "heating": "Plus de chauffage depuis hier soir",
    "heating_bits": "La chaudière se met en sécurité",
    "electricity": "Le tableau disjoncte plusieurs fois par jour",
    "switches": "Prise arrachée dans la chambre",
    "locks": "Clés perdues, porte bloquée",
    "openings": "La fenêtre du séjour ne ferme plus",
    "walls": "Moisissures dans la chambre des enfants",
    "pests": "Cafards dans la cuisine",
    "outside": "Infiltration au plafond quand il pleut",
}
REPAIRS, PROVED, SERVICED, WITH_BOILER = 90, 0.86, 0.7, 0.25


@transaction.atomic
def play_upkeep(day: date, *, by=None) -> dict[str, int]:
    """Certificates of most, reminders and notices to the others, boilers, repairs at every step; seeded.

    day: the demonstration's today. All or nothing; after the rents are called.
    """
    random = Random("upkeep")
    told = {"certificates": _play_insurance(day, random, by), "boilers": _play_boilers(day, random, by)}
    told["repairs"] = _play_repairs(day, random, by)
    told["relettings"] = _play_relettings(day, random, by)
    return told


def _proof(lease: int, kind: str, start: date, issued_by: str, number: int, by) -> Certificate:
    """As receive() writes it; four thousand at once."""
    return Certificate(
        lease_id=lease, kind=kind, start=start, end=add_months(start, 12), received_on=start,
        issued_by=issued_by, reference=f"{number}", made_by=by,
    )  # fmt: skip


def _play_insurance(day: date, random: Random, by) -> int:
    ids = obligations.bound(INSURANCE, day).order_by("pk").values_list("pk", flat=True)
    proofs, steps = [], []
    for pk in ids:
        drawn = random.random()
        ago = random.randint(0, 330) if drawn < PROVED else random.randint(370, 460)
        if drawn < PROVED + 0.08:
            start = day - timedelta(days=ago)
            proofs.append(
                _proof(pk, INSURANCE, start, random.choice(INSURERS), random.randint(10**7, 10**8), by)
            )
        if drawn >= PROVED + 0.02:
            steps.append((pk, ASKED, day - timedelta(days=random.randint(50, 80))))
        if drawn >= PROVED + 0.06:
            steps.append((pk, REMINDED, day - timedelta(days=random.randint(36, 45))))
        if drawn >= PROVED + 0.1:
            steps.append((pk, NOTICE, day - timedelta(days=random.randint(5, 35))))
    Certificate.objects.bulk_create(proofs, batch_size=2_000)
    ObligationStep.objects.bulk_create(
        [ObligationStep(lease_id=pk, kind=INSURANCE, step=step, on=on, made_by=by) for pk, step, on in steps],
        batch_size=2_000,
    )
    return len(proofs)


def _play_boilers(day: date, random: Random, by) -> int:
    units = obligations.bound(INSURANCE, day).filter(occupancies__end=None).order_by("pk")
    homes = units.values_list("pk", "occupancies__place__unit").distinct()
    boilers, proofs, seen = [], [], set()
    for pk, unit in homes:
        if random.random() > WITH_BOILER or unit in seen:
            continue
        seen.add(unit)
        serviced = "Chauffage du Nord" if random.random() < 0.3 else ""
        boilers.append(Boiler(unit_id=unit, contractor=serviced, start=date(2016, 1, 1)))
        if not serviced and random.random() < SERVICED:
            start = day - timedelta(days=random.randint(0, 360))
            proofs.append(_proof(pk, BOILER, start, "Chauffage du Nord", random.randint(10**4, 10**5), by))
    Boiler.objects.bulk_create(boilers, batch_size=2_000)
    Certificate.objects.bulk_create(proofs, batch_size=2_000)
    return len(boilers)


def _play_repairs(day: date, random: Random, by) -> int:
    there = Occupancy.objects.on(day).filter(lease__end=None).order_by("pk")
    ids = list(there.values_list("pk", flat=True))
    drawn = random.sample(ids, min(REPAIRS, len(ids)))
    stays = Occupancy.objects.select_related("lease", "place__unit").in_bulk(drawn)
    first = day.replace(day=1)
    for at, pk in enumerate(drawn):
        stay, category = stays[pk], random.choice(list(CONTRACTORS))
        asked = day - timedelta(days=random.randint(0, 70))
        danger = category in ("electricity", "heating", "outside") and at % 4 == 0
        made = repairs.ask_repair(
            stay.place.unit, lease=stay.lease, asked_on=asked, category=category, what=WORDS[category],
            channel=random.choice(("phone", "phone", "email", "desk", "visit")),
            urgency=repairs.DANGER if danger else random.choice((repairs.URGENT, repairs.NORMAL)), by=by,
        )  # fmt: skip
        step, amount = at % 6, euros(f"{random.randint(60, 480)}.00")
        if step == 0 or asked > day - timedelta(days=4):
            continue
        ordered = None if step == 1 else asked + timedelta(days=random.randint(0, 3))
        order = repairs.order_work(
            made, contractor=CONTRACTORS[category], quote=amount, ordered_on=ordered, by=by
        )
        done = asked + timedelta(days=random.randint(4, 20))
        if step < 3 or done > day:
            continue
        repairs.finish_work(order, on=done, by=by)
        if step > 3 and done >= first:
            repairs.charge_invoice(
                order, number=f"F{2_600 + at}", amount=amount, on=done, by=by, now=_at(done, 15)
            )
            repairs.close_repair(made, on=day, by=by)
    return len(drawn)


def _play_relettings(day: date, random: Random, by) -> int:
    made = 0
    for at, one in enumerate(reletting.board(day)):
        if at % 3 == 0 and one.last is not None and one.empty_from:
            visited = one.empty_from - timedelta(days=random.randint(8, 20))
            if one.last.start < visited <= day:
                reletting.record_step(one.place, reletting.VISIT, on=visited, by=by)
                made += 1
        if at % 4 == 0 and one.days and one.out is None:
            proposed = day - timedelta(days=random.randint(0, min(12, one.days)))
            reletting.record_step(one.place, reletting.PROPOSAL, on=proposed, by=by, note="SIAO")
            made += 1
    return made


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=timezone.get_current_timezone())
