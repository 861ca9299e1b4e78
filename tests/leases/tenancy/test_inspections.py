"""The surveys of a home: room by room, the exit beside the entry, and what wear leaves to the tenant."""

from datetime import date
from decimal import Decimal

import pytest

from core.money import euros
from leases.models import InspectionLine, Occupancy
from leases.tenancy import departure, inspections, wear
from leases.tenancy.inspections import (
    FAIR,
    GOOD,
    MISSING,
    NEW,
    POOR,
    InspectionRefused,
    compare,
    open_inspection,
    rooms,
    save_room,
    sign_inspection,
)
from tests.builders import NOW

pytestmark = pytest.mark.django_db
ENTERED, LEFT = date(2022, 3, 1), date(2026, 3, 31)
JPEG = b"\xff\xd8\xff\xe0" + b"0" * 100


@pytest.fixture
def stay(build):
    return Occupancy.objects.get(lease=build.lease(start=ENTERED))


def survey(stay, kind, on, **seen):
    """A signed survey: every room as proposed, but for room=[(element, condition)]."""
    made = open_inspection(stay, kind=kind, on=on, by=None)
    for room in rooms(made):
        told = {one.element: one.condition for one in room.elements}
        told |= dict(seen.get(room.code.replace("-", ""), ()))
        save_room(made, room.code, list(told.items()), by=None)
    return sign_inspection(made, on=on, attended="both", by=None, now=NOW)


def test_the_rooms_are_those_of_the_type_of_home(stay):
    made = open_inspection(stay, kind="entry", on=ENTERED, by=None)

    assert [room.label for room in rooms(made)] == [
        "Entrance", "Living room", "Kitchen", "Bathroom", "Toilet", "Bedroom 1", "Bedroom 2",
        "Cellar, balcony, garden", "Whole home",
    ]  # fmt: skip
    assert not any(room.done for room in rooms(made))


def test_begun_twice_it_is_the_same_survey(stay):
    assert open_inspection(stay, kind="entry", on=ENTERED, by=None) == open_inspection(
        stay, kind="entry", on=LEFT, by=None
    )


def test_it_is_signed_once_every_room_is_seen_and_never_changes_after(stay):
    made = open_inspection(stay, kind="entry", on=ENTERED, by=None)
    save_room(made, "entrance", [("walls", GOOD)], by=None)
    with pytest.raises(InspectionRefused, match="Living room"):
        sign_inspection(made, on=ENTERED, attended="both", by=None, now=NOW)

    for room in rooms(made)[1:]:
        inspections.leave_out_room(made, room.code, by=None)
    sign_inspection(made, on=ENTERED, attended="both", by=None, now=NOW)

    with pytest.raises(InspectionRefused, match="signed"):
        save_room(made, "entrance", [("walls", POOR)], by=None)


def test_the_exit_starts_from_the_entry_and_is_compared_with_it(stay):
    survey(stay, "entry", ENTERED, living=[("walls", NEW), ("floor", FAIR)])
    made = survey(stay, "exit", LEFT, living=[("walls", POOR), ("floor", FAIR)], kitchen=[("sink", MISSING)])

    worse = {(one.room, one.element): (one.before, one.after) for one in compare(made) if one.worse}
    assert worse == {("living", "walls"): (NEW, POOR), ("kitchen", "sink"): (GOOD, MISSING)}
    assert made.conforms is False


def test_an_exit_like_the_entry_conforms(stay):
    survey(stay, "entry", ENTERED)
    assert survey(stay, "exit", LEFT).conforms is True


def test_without_an_entry_survey_good_state_is_presumed(stay):
    """Code civil, art. 1731."""
    assert survey(stay, "exit", LEFT, living=[("walls", POOR)]).conforms is False


def test_a_room_that_the_home_has_not_is_not_asked_again(stay):
    made = open_inspection(stay, kind="entry", on=ENTERED, by=None)
    for room in rooms(made):
        if room.code == "outside":
            inspections.leave_out_room(made, room.code, by=None)
        else:
            save_room(made, room.code, [(one.element, GOOD) for one in room.elements], by=None)
    sign_inspection(made, on=ENTERED, attended="both", by=None, now=NOW)

    left = open_inspection(stay, kind="exit", on=LEFT, by=None)
    assert "outside" not in [room.code for room in rooms(left)]


def test_the_next_entry_starts_from_the_last_exit_of_the_place(build, stay):
    survey(stay, "exit", LEFT, living=[("walls", FAIR)])
    Occupancy.objects.update(end=date(2026, 4, 1), keys_returned_on=LEFT)
    again = build.lease(start=date(2026, 5, 1), unit=stay.place.unit)
    made = open_inspection(again.occupancies.get(), kind="entry", on=date(2026, 5, 1), by=None)

    living = next(room for room in rooms(made) if room.code == "living")
    assert next(one.condition for one in living.elements if one.element == "walls") == FAIR


def test_a_meter_does_not_run_backwards_unless_it_was_changed(stay):
    entry = open_inspection(stay, kind="entry", on=ENTERED, by=None)
    inspections.save_readings(entry, {"cold_water": ("A1", Decimal("120.50"))}, by=None)
    for room in rooms(entry):
        inspections.leave_out_room(entry, room.code, by=None)
    sign_inspection(entry, on=ENTERED, attended="both", by=None, now=NOW)
    made = open_inspection(stay, kind="exit", on=LEFT, by=None)

    with pytest.raises(InspectionRefused, match=r"120\.50"):
        inspections.save_readings(made, {"cold_water": ("A1", Decimal("20"))}, by=None)
    inspections.save_readings(made, {"cold_water": ("B7", Decimal("20"))}, by=None)
    assert inspections.reading_pairs(made) == [("Cold water", "B7", Decimal("120.50"), Decimal("20.00"))]


def test_a_photo_is_kept_once_and_a_document_is_no_photo(stay):
    made = open_inspection(stay, kind="entry", on=ENTERED, by=None)
    one = inspections.add_photo(made, "living", JPEG, "wall.jpg", by=None)

    assert inspections.add_photo(made, "living", JPEG, "again.jpg", by=None) == one
    with pytest.raises(InspectionRefused, match="no photo"):
        inspections.add_photo(made, "living", b"%PDF-1.7", "wall.jpg", by=None)


def test_the_tenant_completes_the_entry_within_ten_days(stay):
    """Loi 89-462, art. 3-2."""
    made = survey(stay, "entry", ENTERED)
    inspections.complete_inspection(made, text="The shutter sticks.", on=date(2022, 3, 11), by=None)

    with pytest.raises(InspectionRefused, match="11/03/2022"):
        inspections.complete_inspection(made, text="So does the door.", on=date(2022, 3, 12), by=None)


def test_a_signed_survey_is_opened_again_until_the_final_account(stay):
    made = survey(stay, "exit", LEFT)
    departure.reopen_inspection(made, by=None)

    save_room(made, "entrance", [("walls", POOR)], by=None)
    assert InspectionLine.objects.filter(inspection=made, room="entrance").count() == 1


# ---- wear --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("years", "share"), [(0, 100), (1, 100), (2, 85), (4, 55), (6, 25), (7, 10), (30, 10)]
)
def test_paint_wears_by_the_agreed_table(years, share):
    """Lifetime 7 years, franchise 1, abatement 15 % a year, residual share 10 %."""
    assert wear.default_table()["paint"].share(years) == share


def test_whole_years_only():
    assert wear.years_old(date(2022, 3, 2), date(2026, 3, 1)) == 3
    assert wear.years_old(date(2022, 3, 1), date(2026, 3, 1)) == 4


def test_a_cost_is_rounded_once_to_the_cent():
    assert wear.after_wear(euros("333.33"), 55) == euros("183.33")


def test_the_house_changes_a_line_from_a_day_on():
    wear.change_wear(
        "paint", lifetime=10, franchise=2, abatement=10, residual=20, start=date(2026, 1, 1), by=None, now=NOW
    )

    assert wear.wear_table(date(2025, 12, 31))["paint"].lifetime == 7
    assert wear.wear_table(date(2026, 1, 1))["paint"].share(5) == 70
    assert not wear.wear_table(date(2026, 1, 1))["tiles"].house
    with pytest.raises(wear.WearRefused):
        wear.change_wear(
            "paint",
            lifetime=1,
            franchise=2,
            abatement=10,
            residual=20,
            start=date(2026, 2, 1),
            by=None,
            now=NOW,
        )
