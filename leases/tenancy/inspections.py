"""Inspections (*états des lieux*): a home at the keys, room by room, and how the exit differs from the entry.

An inspection is drafted room by room, on the spot, then signed; what is signed is never changed. The
exit starts from what the entry said; an entry, from the last exit of the same place.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import models, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core import audit
from core.errors import Refusal
from core.law import rule
from leases.kinds import KINDS
from leases.lease import Lease
from leases.occupancy import Occupancy

ENTRY, EXIT = "entry", "exit"
NEW, GOOD, FAIR, POOR, MISSING = range(1, 6)
CONDITIONS = {
    NEW: pgettext_lazy("condition", "New"),
    GOOD: pgettext_lazy("condition", "Good"),
    FAIR: pgettext_lazy("condition", "Used"),
    POOR: pgettext_lazy("condition", "Bad"),
    MISSING: _("Missing or out of order"),
}
"""How an element is, from best to worst."""

NO_ROOM = "-"
"""Stands for the elements of a room that this home does not have."""
PHOTO_BYTES = 8_000_000
PHOTOS = 80
"""Most photos of one inspection."""


@dataclass(frozen=True, slots=True)
class Element:
    """Something looked at in a room: its category in the wear table."""

    label: Promise
    wear: str


ELEMENTS = {
    "walls": Element(_("Walls"), "paint"),
    "ceiling": Element(_("Ceiling"), "paint"),
    "floor": Element(pgettext_lazy("of a room", "Floor"), "plastic_floor"),
    "doors": Element(_("Doors and locks"), "hardware"),
    "windows": Element(_("Windows and shutters"), "joinery"),
    "electricity": Element(_("Sockets, switches, lights"), "electricity"),
    "heating": Element(_("Heating"), "heating"),
    "sink": Element(_("Sink and taps"), "plumbing"),
    "cupboards": Element(_("Cupboards and worktop"), "furniture"),
    "cooker": Element(_("Cooker, hood, fridge"), "appliances"),
    "basin": Element(_("Basin and taps"), "sanitary"),
    "shower": Element(_("Bath or shower"), "sanitary"),
    "tiles": Element(_("Wall tiles"), "tiles"),
    "toilet": Element(_("Toilet"), "sanitary"),
    "beds": Element(_("Beds and bedding"), "furniture"),
    "tables": Element(_("Tables and seats"), "furniture"),
    "storage": Element(_("Wardrobes and storage"), "furniture"),
    "tableware": Element(_("Tableware and kitchen things"), "furniture"),
    "keys": Element(_("Letter box, intercom, keys"), "hardware"),
    "cleaning": Element(_("Cleanliness"), ""),
}
_SHELL = ("walls", "ceiling", "floor", "doors", "windows", "electricity", "heating")
ROOMS = {
    "entrance": (_("Entrance"), ("walls", "ceiling", "floor", "doors", "electricity", "keys")),
    "living": (_("Living room"), _SHELL),
    "kitchen": (_("Kitchen"), (*_SHELL, "sink", "cupboards")),
    "bathroom": (_("Bathroom"), (*_SHELL, "basin", "shower", "tiles")),
    "toilet": (_("Toilet"), ("walls", "ceiling", "floor", "doors", "electricity", "toilet")),
    "bedroom": (_("Bedroom"), _SHELL),
    "outside": (_("Cellar, balcony, garden"), ("doors", "floor", "cleaning")),
    "furniture": (_("Furniture"), ("beds", "tables", "storage", "cooker", "tableware")),
    "whole": (_("Whole home"), ("cleaning",)),
}
METERS = {
    "electricity": _("Electricity"),
    "gas": _("Gas"),
    "cold_water": _("Cold water"),
    "hot_water": _("Hot water"),
    "heat": _("Heating"),
}


class InspectionRefused(Refusal):
    """An act on an inspection that its state forbids."""


class Inspection(models.Model):
    """The state of a place at the entry or the exit of who occupies it (*état des lieux*).

    Signed once every room is seen; then only `completion` may be added, within the days the law gives
    the tenant. conforms: of an exit, whether it conforms to the entry (loi 89-462, art. 22).
    """

    class Kind(models.TextChoices):
        ENTRY = ENTRY, _("Entry survey")
        EXIT = EXIT, _("Exit survey")

    class Attended(models.TextChoices):
        BOTH = "both", _("With the tenant")
        REPRESENTED = "represented", _("With someone for the tenant")
        OFFICER = "officer", _("By a commissaire de justice")
        ALONE = "alone", _("Tenant absent")

    occupancy = models.ForeignKey(Occupancy, models.PROTECT, related_name="inspections")
    kind = models.CharField(_("kind"), max_length=5, choices=Kind)
    on = models.DateField(_("date"))
    attended = models.CharField(_("carried out"), max_length=12, choices=Attended, blank=True)
    keys = models.PositiveSmallIntegerField(_("keys handed over"), null=True, blank=True)
    remarks = models.TextField(_("remarks"), blank=True)
    conforms = models.BooleanField(_("conforms to the entry"), null=True)
    signed_at = models.DateTimeField(_("signed"), null=True)
    completion = models.TextField(_("completed by the tenant"), blank=True)
    completed_on = models.DateField(_("completed on"), null=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("inspection"), _("inspections")
        constraints = [
            models.UniqueConstraint(
                fields=["occupancy", "kind"],
                name="inspection_once_an_occupancy",
                violation_error_message=_("This survey is already begun."),
            )
        ]

    def __str__(self):
        return f"{self.get_kind_display()} {self.on}"

    @property
    def signed(self) -> bool:
        return self.signed_at is not None


class InspectionLine(models.Model):
    """One element of a room as it was seen; new_since: when it was last new, where known."""

    inspection = models.ForeignKey(Inspection, models.CASCADE, related_name="lines")
    room = models.CharField(_("room"), max_length=40)
    element = models.CharField(_("element"), max_length=40)
    condition = models.PositiveSmallIntegerField(_("condition"), choices=CONDITIONS)
    remark = models.CharField(_("remark"), max_length=200, blank=True)
    new_since = models.DateField(_("new since"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("element seen"), _("elements seen")
        constraints = [
            models.UniqueConstraint(fields=["inspection", "room", "element"], name="inspection_line_once")
        ]

    def __str__(self):
        return f"{self.room} {self.element}: {self.condition}"


class MeterReading(models.Model):
    """What a meter showed (*relevé de compteur*), in its own unit."""

    inspection = models.ForeignKey(Inspection, models.CASCADE, related_name="readings")
    meter = models.CharField(_("meter"), max_length=12, choices=METERS)
    number = models.CharField(_("meter number"), max_length=30, blank=True)
    value = models.DecimalField(_("reading"), max_digits=12, decimal_places=2)

    class Meta:
        verbose_name, verbose_name_plural = _("meter reading"), _("meter readings")
        constraints = [models.UniqueConstraint(fields=["inspection", "meter"], name="meter_reading_once")]

    def __str__(self):
        return f"{self.meter} {self.value}"


class InspectionPhoto(models.Model):
    """A photo taken in a room, kept unaltered with its hash."""

    inspection = models.ForeignKey(Inspection, models.CASCADE, related_name="photos")
    room = models.CharField(_("room"), max_length=40)
    name = models.CharField(_("name"), max_length=120)
    media = models.CharField(max_length=20)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()

    class Meta:
        verbose_name, verbose_name_plural = _("photo"), _("photos")
        constraints = [models.UniqueConstraint(fields=["inspection", "sha256"], name="inspection_photo_once")]

    def __str__(self):
        return self.name

    @property
    def room_label(self) -> str:
        return room_label(self.room)


# ---- rooms ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """An element as it is to be shown: what was saved, else what is proposed; before: at the entry."""

    element: str
    condition: int
    remark: str = ""
    new_since: date | None = None
    before: int | None = None
    before_remark: str = ""

    @property
    def label(self) -> str:
        return element_label(self.element)

    @property
    def words(self) -> str:
        return str(CONDITIONS[self.condition])

    @property
    def before_words(self) -> str:
        return str(CONDITIONS[self.before]) if self.before else ""

    @property
    def worse(self) -> bool:
        return self.before is not None and self.condition > self.before


@dataclass(frozen=True, slots=True)
class Room:
    """A room of an inspection; done once it was saved."""

    code: str
    elements: tuple[Seen, ...]
    done: bool
    absent: bool = False

    @property
    def label(self) -> str:
        return room_label(self.code)

    @property
    def worse(self) -> int:
        return sum(1 for one in self.elements if one.worse)


def room_label(code: str) -> str:
    """A room in words: "bedroom-2" is Bedroom 2; a room of their own keeps its name."""
    base, _dash, number = code.partition("-")
    if base not in ROOMS:
        return code
    return f"{ROOMS[base][0]} {number}".strip()


def element_label(code: str) -> str:
    return str(ELEMENTS[code].label) if code in ELEMENTS else code


def usual_rooms(lease: Lease, typology: str) -> list[str]:
    """The rooms of a home by its type: a T3 has two bedrooms; furniture where the contract is furnished."""
    count = int(typology[1:]) if typology[1:].isdigit() else 1
    beds = [f"bedroom-{at}" for at in range(1, count)] if count > 2 else ["bedroom"] * (count == 2)
    furnished = ["furniture"] if KINDS[lease.kind].furnished else []
    return ["entrance", "living", "kitchen", "bathroom", "toilet", *beds, "outside", *furnished, "whole"]


def rooms(inspection: Inspection) -> list[Room]:
    """Every room of an inspection, seen or still to see, each element with what is proposed; five queries."""
    saved = _by_room(inspection.lines.all())
    before = _by_room(entry_of(inspection).lines.all()) if inspection.kind == EXIT else {}
    model = before or _by_room(_last_known(inspection))
    occupancy = inspection.occupancy
    codes = [code for code, seen in model.items() if NO_ROOM not in seen]
    codes = codes or usual_rooms(occupancy.lease, occupancy.place.unit.typology)
    codes += [code for code in saved if code not in codes]
    return [_room(code, saved.get(code), before.get(code, {}), model.get(code, {})) for code in codes]


def entry_of(inspection: Inspection) -> Inspection:
    """The signed entry survey of the same occupancy; an empty, unsaved one where there is none."""
    found = Inspection.objects.filter(
        occupancy=inspection.occupancy_id, kind=ENTRY, signed_at__isnull=False
    ).first()
    return found or _Nothing()


class _Nothing:
    """An inspection that was never made: it says nothing of any room."""

    pk = None
    lines = readings = photos = InspectionLine.objects.none()


def _last_known(inspection: Inspection) -> Iterable[InspectionLine]:
    """What the last signed survey of the same place said, before the day of this one."""
    last = (
        Inspection.objects.filter(
            occupancy__place=inspection.occupancy.place_id, signed_at__isnull=False, on__lte=inspection.on
        )
        .exclude(pk=inspection.pk)
        .order_by("-on", "-pk")
        .first()
    )
    return last.lines.all() if last else []


def _by_room(lines: Iterable[InspectionLine]) -> dict[str, dict[str, InspectionLine]]:
    found: dict[str, dict[str, InspectionLine]] = {}
    for line in sorted(lines, key=lambda one: one.pk):
        found.setdefault(line.room, {})[line.element] = line
    return found


def _room(code: str, saved: dict | None, before: dict, model: dict) -> Room:
    if NO_ROOM in (saved or {}):
        return Room(code, (), done=True, absent=True)
    usual = ROOMS.get(code.partition("-")[0], ("", _SHELL))[1]
    elements = list(model) or [*usual]
    elements += [one for one in saved or {} if one not in elements]
    told = []
    for element in elements:
        line = (saved or {}).get(element) or model.get(element)
        was = before.get(element)
        told.append(
            Seen(
                element=element,
                condition=line.condition if line else GOOD,
                remark=line.remark if line else "",
                new_since=line.new_since if line else None,
                before=was.condition if was else None,
                before_remark=was.remark if was else "",
            )
        )
    return Room(code, tuple(told), done=saved is not None)


# ---- verbs ------------------------------------------------------------------------------


def open_inspection(occupancy: Occupancy, *, kind: str, on: date, by) -> Inspection:
    """Begin a survey, or take up the one begun (*commencer un état des lieux*)."""
    made, new = Inspection.objects.get_or_create(
        occupancy=occupancy, kind=kind, defaults={"on": on, "made_by": by}
    )
    if new:
        audit.record(by, "open", "inspection", made.pk)
    return made


def save_room(inspection: Inspection, room: str, seen: Sequence[tuple], *, by) -> None:
    """Write what was seen in a room, in place of what was saved of it before.

    seen: (element, condition[, remark[, new since]]). Raises InspectionRefused once signed.
    """
    with transaction.atomic():
        _drafted(inspection)
        inspection.lines.filter(room=room).delete()
        InspectionLine.objects.bulk_create(
            InspectionLine(
                inspection=inspection,
                room=room[:40],
                **dict(zip(("element", "condition", "remark", "new_since"), one, strict=False)),
            )
            for one in seen
        )


def leave_out_room(inspection: Inspection, room: str, *, by) -> None:
    """Say that this home has no such room: it is proposed no more, here nor at the exit."""
    save_room(inspection, room, [(NO_ROOM, NEW)], by=by)


def save_readings(inspection: Inspection, readings: dict[str, tuple[str, Decimal]], *, by) -> None:
    """Write the meters read: meter → (number, reading).

    Raises InspectionRefused once signed, or for a meter that would run backwards since the entry.
    """
    with transaction.atomic():
        _drafted(inspection)
        entry = entry_of(inspection) if inspection.kind == EXIT else _Nothing()
        before = {one.meter: one for one in entry.readings.all()}
        for meter, (number, value) in readings.items():
            was = before.get(meter)
            if was and was.value > value and number in ("", was.number):
                raise InspectionRefused(
                    str(METERS[meter]),
                    _("The reading is below that of the entry, %(value)s.") % {"value": was.value},
                    _("Read the meter again, or give the number of the new meter."),
                )
        inspection.readings.all().delete()
        MeterReading.objects.bulk_create(
            MeterReading(inspection=inspection, meter=meter, number=number, value=value)
            for meter, (number, value) in readings.items()
        )


SIGNATURES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


def picture_kind(data: bytes) -> str:
    """What a picture is by its first bytes: image/jpeg, image/png, image/webp; empty where it is none."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((media for start, media in SIGNATURES if data.startswith(start)), "")


def add_photo(inspection: Inspection, room: str, data: bytes, name: str, *, by) -> InspectionPhoto:
    """Keep a photo of a room; the same photo again is kept once.

    Raises InspectionRefused once signed, for what is no picture, or too many.
    """
    media = picture_kind(data)
    if not media:
        raise InspectionRefused(
            name, _("This file is no photo that browsers show."), _("Send a JPEG, PNG or WebP picture.")
        )
    if len(data) > PHOTO_BYTES:
        raise InspectionRefused(
            name,
            _("The photo is larger than %(limit)d MB.") % {"limit": PHOTO_BYTES // 1_000_000},
            _("Choose a smaller size on the telephone."),
        )
    with transaction.atomic():
        _drafted(inspection)
        if inspection.photos.count() >= PHOTOS:
            raise InspectionRefused(
                name,
                _("This survey already has %(count)d photos.") % {"count": PHOTOS},
                _("Keep the most telling ones."),
            )
        return InspectionPhoto.objects.get_or_create(
            inspection=inspection,
            sha256=hashlib.sha256(data).hexdigest(),
            defaults={"room": room[:40], "name": name[-120:], "media": media, "content": data},
        )[0]


def sign_inspection(
    inspection: Inspection,
    *,
    on: date,
    attended: str,
    by,
    now: datetime,
    keys=None,
    remarks="",
    conforms=None,
) -> Inspection:
    """Sign a survey: it is whole and never changes again (*signature de l'état des lieux*).

    conforms: of an exit; what the comparison says where left out.
    Raises InspectionRefused where no room, or not every proposed room, was seen.
    """
    with transaction.atomic():
        _drafted(inspection)
        left = [room.label for room in rooms(inspection) if not room.done]
        if left:
            raise InspectionRefused(
                str(inspection),
                _("Not seen yet: %(rooms)s.") % {"rooms": ", ".join(left)},
                _("Go through these rooms; what is as proposed takes one tap."),
            )
        if inspection.kind == EXIT and conforms is None:
            conforms = seems_to_conform(inspection)
        inspection.on, inspection.attended, inspection.keys = on, attended, keys
        inspection.remarks, inspection.signed_at = remarks, now
        inspection.conforms = conforms if inspection.kind == EXIT else None
        inspection.save()
        audit.record(by, "sign", "inspection", inspection.pk)
    return inspection


def last_day_to_complete(inspection: Inspection) -> date:
    """Until when the tenant may have the entry survey completed (SURVEY_COMPLETION)."""
    days = rule("SURVEY_COMPLETION", on=inspection.on).value
    return inspection.on + timedelta(days=days)


def complete_inspection(inspection: Inspection, *, text: str, on: date, by) -> Inspection:
    """Add what the tenant asks to a signed entry survey (loi 89-462, art. 3-2).

    Raises InspectionRefused for another survey, or after the days the law gives.
    """
    if inspection.kind != ENTRY or not inspection.signed:
        raise InspectionRefused(
            str(inspection),
            _("Only a signed entry survey is completed."),
            _("Change the survey before it is signed."),
        )
    if on > last_day_to_complete(inspection):
        raise InspectionRefused(
            str(inspection),
            _("The tenant could ask for it until %(day)s.")
            % {"day": last_day_to_complete(inspection).strftime("%d/%m/%Y")},
            _("Note it in a contact instead."),
        )
    with transaction.atomic():
        inspection.completion = "\n".join(filter(None, (inspection.completion, text)))
        inspection.completed_on = on
        inspection.save(update_fields=["completion", "completed_on"])
        audit.record(by, "complete", "inspection", inspection.pk)
    return inspection


def _drafted(inspection: Inspection) -> None:
    """Lock a survey that is still a draft. Raises InspectionRefused."""
    kept = Inspection.objects.select_for_update().only("signed_at").get(pk=inspection.pk)
    if kept.signed_at is not None:
        raise InspectionRefused(
            str(inspection),
            _("This survey is signed: it does not change any more."),
            _("Reopen it from the departure page, or note what was forgotten."),
        )


# ---- the exit against the entry ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """An element at the entry and at the exit: conditions 1 to 5; before None where no entry tells of it."""

    room: str
    element: str
    before: int | None
    after: int
    before_remark: str
    after_remark: str
    new_since: date | None

    @property
    def worse(self) -> bool:
        return self.before is not None and self.after > self.before

    @property
    def damaged(self) -> bool:
        """Worse than the entry said; where it says nothing, than the good state presumed (Code civil, 1731)."""
        return self.worse or (self.before is None and self.after >= POOR)

    @property
    def words(self) -> tuple[str, str, str, str]:
        """Room, element, before, after."""
        return (
            room_label(self.room),
            element_label(self.element),
            str(CONDITIONS[self.before]) if self.before else "",
            str(CONDITIONS[self.after]),
        )


def compare(exit_survey: Inspection) -> list[Difference]:
    """Every element seen at the exit, beside what the entry said of it; two queries."""
    entry = _by_room(entry_of(exit_survey).lines.all())
    found = []
    for room, lines in _by_room(exit_survey.lines.exclude(element=NO_ROOM)).items():
        for element, line in lines.items():
            was = entry.get(room, {}).get(element)
            found.append(
                Difference(
                    room=room,
                    element=element,
                    before=was.condition if was else None,
                    after=line.condition,
                    before_remark=was.remark if was else "",
                    after_remark=line.remark,
                    new_since=line.new_since or (was.new_since if was else None),
                )
            )
    return found


def seems_to_conform(exit_survey: Inspection) -> bool:
    """Whether nothing is damaged; without an entry survey, good state is presumed (Code civil, art. 1731)."""
    return not any(one.damaged for one in compare(exit_survey))


def reading_pairs(exit_survey: Inspection) -> list[tuple[str, str, Decimal | None, Decimal]]:
    """Meters at the entry and the exit: (meter, number, before, after)."""
    before = {one.meter: one.value for one in entry_of(exit_survey).readings.all()}
    return [
        (str(METERS[one.meter]), one.number, before.get(one.meter), one.value)
        for one in exit_survey.readings.order_by("meter")
    ]
