"""The demonstration's departures, surveys, deposits and temporary stays, by the same verbs as the pages."""

from datetime import date, datetime, timedelta
from random import Random

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from core.money import euros
from core.periods import ONE_DAY, add_months
from leases.lease import Lease
from leases.lifecycle import return_keys
from leases.occupancy import Occupancy
from leases.tenancy import departure, deposits, inspections, notices, stays

LEFT_SINCE = timedelta(days=80)
"""Deposits of who left before that were given back before the program kept them."""
LATE, SURVEYED, LEAVING, JUST_LEFT, ENTERED, EXTENDED = 3, 12, 10, 8, 4, 25
DAMAGE = (
    ("damage", "Peinture du séjour", "paint", "640.00", "quote", "D-2291"),
    ("cleaning", "Nettoyage complet", "", "180.00", "invoice", "F-0457"),
    ("damage", "Porte de chambre", "joinery", "310.00", "quote", "D-2302"),
    ("keys", "Badge et deux clés", "", "64.00", "prices", "Barème 2026"),
)


@transaction.atomic
def play_tenancy(day: date, *, by=None, echo=lambda *_told: None) -> dict[str, int]:
    """Deposits taken over, recent departures at every step, notices, surveys, stays extended; seeded.

    day: the demonstration's today. All or nothing; before the accounts are closed up to a day.
    """
    random, now = Random("tenancy"), _at(day, 9)
    lately = Q(end=None) | Q(end__gt=day - LEFT_SINCE)
    there = Lease.objects.filter(
        Exists(Occupancy.objects.filter(lately, lease=OuterRef("pk"))), deposit__gt=0
    )
    taken = deposits.take_over_deposits(there.order_by("pk"), on=day.replace(day=1), by=by, now=now)
    echo()
    told = {"deposits": taken, "surveys": 0, "final accounts": 0, "notices": 0, "extensions": 0}
    told["notices"] = _play_notices(day, random, by, now)
    told |= _play_departures(day, random, by, now, echo)
    told["surveys"] += _play_entries(day, random, by, now, echo)
    told["extensions"] = _play_stays(day, random, by, now)
    return told


def _play_departures(day: date, random: Random, by, now: datetime, echo) -> dict[str, int]:
    """Who left lately: those in time wait, most of the late ones are settled, a few stay late."""
    rows = departure.to_return(day)
    surveys = finals = 0
    for at, row in enumerate(rows):
        echo()
        lease = row.lease
        late = row.state(day) == "late"
        damaged = at % 3 == 0
        if at % 2 or not late:
            surveys += _survey(departure.last_stay(lease), inspections.EXIT, row.keys_on, random, by, damaged)
        if at % 5:
            notices.record_address(
                lease, new_address=f"{random.randint(1, 90)} rue Pasteur, 59000 Lille", iban="", by=by
            )
        if damaged:
            nature, label, category, cost, proof, reference = DAMAGE[at // 3 % len(DAMAGE)]
            deposits.add_deduction(
                lease, nature=nature, label=label, category=category, cost=euros(cost), on=row.keys_on,
                new_since=row.keys_on - timedelta(days=random.randint(500, 3_000)), proof=proof,
                proof_reference=reference, by=by,
            )  # fmt: skip
        if late and at >= LATE:
            shown = departure.preview_final_account(lease, on=day)
            keep = shown.most_kept if at % 4 == 0 else None
            final = departure.close_account(lease, on=day, keep=keep, by=by, now=now)
            finals += 1
            if at % 3 == 0 and final.to_transfer > euros(0) and final.transfer.iban:
                departure.mark_sent([final.transfer], on=day, by=by)
    return {"surveys": surveys, "final accounts": finals}


def _play_notices(day: date, random: Random, by, now: datetime) -> int:
    """Tenants who gave notice: some are still there, some left these last weeks."""
    kinds = ("L89_VIDE", "CONV_APL", "RESIDENCE_SOCIALE", "L89_MEUBLE")
    running = Lease.objects.filter(end=None, kind__in=kinds, start__lt=add_months(day, -12))
    ids = list(running.order_by("pk").values_list("pk", flat=True))
    drawn = random.sample(ids, min(LEAVING + JUST_LEFT, len(ids)))
    leases = Lease.objects.in_bulk(drawn)
    made = 0
    for at, pk in enumerate(drawn):
        lease, ground = leases[pk], random.choice(("", "tight_zone", "rsa_aah", "social_home"))
        left = day - timedelta(days=3 * (at - LEAVING) + 4) if at >= LEAVING else None
        received = add_months(left, -3) if left else day - timedelta(days=random.randint(2, 25))
        term = notices.notice_term(
            lease, by_side=notices.OCCUPANT, received=received, ground=ground, proved=bool(ground)
        )
        if left is None and term.last_day <= day:
            continue
        notices.give_notice(
            lease, by_side=notices.OCCUPANT, received_on=received, ground=ground, proved=bool(ground),
            last_day=left, by=by, now=now,
        )  # fmt: skip
        made += 1
        if left:
            lease.refresh_from_db()
            return_keys(lease, on=left, by=by, now=now)
    return made


def _play_entries(day: date, random: Random, by, now: datetime, echo) -> int:
    """The entry surveys of those who came in last."""
    latest = Occupancy.objects.filter(start__lte=day, end=None).order_by("-start", "pk")[:ENTERED]
    made = 0
    for stay in latest.select_related("lease", "place__unit"):
        echo()
        made += _survey(stay, inspections.ENTRY, stay.start, random, by, False)
    return made


def _survey(stay: Occupancy, kind: str, on: date, random: Random, by, damaged: bool) -> int:
    """One signed survey, every room seen."""
    survey = inspections.open_inspection(stay, kind=kind, on=on, by=by)
    if survey.signed:
        return 0
    for room in inspections.rooms(survey):
        seen = []
        for one in room.elements:
            worse = damaged and room.code == "living" and one.element == "walls"
            usual = random.choice((inspections.GOOD, inspections.GOOD, inspections.FAIR))
            condition = inspections.POOR if worse else usual
            seen.append((one.element, condition, "Trous et taches" if worse else ""))
        inspections.save_room(survey, room.code, seen, by=by)
    meters = {
        "electricity": (f"0{random.randint(10**6, 10**7)}", random.randint(4_000, 60_000)),
        "cold_water": (f"C{random.randint(10**4, 10**5)}", random.randint(80, 900)),
    }
    inspections.save_readings(survey, meters, by=by)
    inspections.sign_inspection(
        survey,
        on=on,
        attended="both",
        keys=random.randint(2, 4),
        conforms=not damaged,
        by=by,
        now=_at(on, 15),
    )
    return 1


def _play_stays(day: date, random: Random, by, now: datetime) -> int:
    """Some of the stays over their term, granted more time; the others wait to be spoken of."""
    over = stays.overruns(day)
    granted = random.sample(over, min(EXTENDED, len(over) // 2))
    for stay in granted:
        stays.extend_stay(
            stay.lease, until=add_months(day, random.randint(1, 6)) - ONE_DAY, decided_on=day,
            decided_by="Commission d’orientation", reason="Pas de logement trouvé à ce jour", by=by, now=now,
        )  # fmt: skip
    return len(granted)


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=timezone.get_current_timezone())
