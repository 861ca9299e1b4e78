"""The notice: who gave it, when it ends by contract, ground and zone; and the steps of a departure."""

from datetime import date

import pytest

from core.money import euros
from leases import lifecycle
from leases.lifecycle import LeaseRefused
from leases.models import Departure, Occupancy
from leases.tenancy import departure, deposits, inspections, notices, steps
from leases.tenancy.notices import NoticeRefused, notice_term
from tests.builders import NOW

pytestmark = pytest.mark.django_db
RECEIVED = date(2026, 3, 10)


@pytest.mark.parametrize(
    ("kind", "ground", "proved", "last_day"),
    [
        ("L89_VIDE", "", False, date(2026, 6, 10)),  # three months (art. 15 I)
        ("L89_VIDE", "job_loss", True, date(2026, 4, 10)),  # one, stated and proved with the notice
        ("L89_VIDE", "job_loss", False, date(2026, 6, 10)),
        ("L89_MEUBLE", "", False, date(2026, 4, 10)),  # one month (art. 25-8)
        ("CONV_APL", "rsa_aah", True, date(2026, 4, 10)),
        ("RESIDENCE_SOCIALE", "", False, date(2026, 3, 18)),  # eight days (CCH, R. 633-3)
        ("SUBLET_FREE", "", False, None),  # the contract decides
    ],
)
def test_a_tenants_notice_ends_by_its_contract_and_its_ground(build, kind, ground, proved, last_day):
    lease = build.lease(kind=kind)
    term = notice_term(lease, by_side="occupant", received=RECEIVED, ground=ground, proved=proved)
    assert term.last_day == last_day


def test_a_landlords_notice_ends_with_the_first_term_far_enough(build):
    """Six months before the term (art. 15 I); a legal person lets for six years, a person for three (art. 10)."""
    ours = build.lease(start=date(2020, 9, 1))
    theirs = build.lease(
        start=date(2020, 9, 1),
        unit=build.unit(owner=build.owner("private", nature="person"), title="mandate"),
    )

    assert notice_term(ours, by_side="landlord", received=date(2026, 2, 27)).last_day == date(2026, 8, 31)
    assert notice_term(ours, by_side="landlord", received=date(2026, 3, 10)).last_day == date(2032, 8, 31)
    assert notice_term(theirs, by_side="landlord", received=date(2026, 3, 10)).last_day == date(2029, 8, 31)


def test_a_residence_gives_notice_for_a_cause_only(build):
    lease = build.lease(kind="RESIDENCE_SOCIALE")

    with pytest.raises(NoticeRefused, match="cause"):
        notice_term(lease, by_side="landlord", received=RECEIVED)
    breach = notice_term(lease, by_side="landlord", received=RECEIVED, cause="breach")
    closure = notice_term(lease, by_side="landlord", received=RECEIVED, cause="closure")
    assert (breach.last_day, closure.last_day) == (date(2026, 4, 10), date(2026, 6, 10))


def test_no_notice_ends_a_right_to_remain(build):
    with pytest.raises(NoticeRefused, match="right to remain"):
        notice_term(build.lease(kind="CONV_APL"), by_side="landlord", received=RECEIVED)


def test_the_zone_of_the_home_is_known_by_its_commune(build):
    lille = build.unit()
    lens = build.unit(building=build.building(commune="Lens", postcode="62300", commune_code="62498"))

    assert notices.in_tight_zone(lille, RECEIVED)
    assert not notices.in_tight_zone(lens, RECEIVED)


def given(lease, **kwargs):
    kwargs = {"by_side": "occupant", "received_on": RECEIVED, "by": None, "now": NOW} | kwargs
    return notices.give_notice(lease, **kwargs)


def test_a_notice_ends_the_lease_at_its_legal_day(build):
    lease = build.lease()
    given(lease, ground="tight_zone", proved=True)

    lease.refresh_from_db()
    assert (lease.end, lease.end_reason) == (date(2026, 4, 11), "tenant_notice")
    assert Departure.objects.get().legal_last_day == date(2026, 4, 10)


def test_an_earlier_day_needs_both_sides(build):
    lease = build.lease()
    with pytest.raises(NoticeRefused, match="10/06/2026"):
        given(lease, last_day=date(2026, 4, 30))

    given(lease, last_day=date(2026, 4, 30), agreed=True)
    lease.refresh_from_db()
    assert lease.end == date(2026, 5, 1)


def test_where_the_contract_decides_the_day_is_asked(build):
    with pytest.raises(NoticeRefused, match="contract decides"):
        given(build.lease(kind="SUBLET_FREE"))


def test_a_notice_given_by_mistake_is_withdrawn_until_the_keys_are_back(build):
    lease = build.lease()
    given(lease)
    notices.withdraw_notice(lease, by=None, now=NOW)
    lease.refresh_from_db()
    assert (lease.end, lease.end_reason) == (None, "")

    given(lease)
    lease.refresh_from_db()
    lifecycle.return_keys(lease, on=date(2026, 6, 10), by=None, now=NOW)
    with pytest.raises(LeaseRefused, match="keys are back"):
        notices.withdraw_notice(lease, by=None, now=NOW)


# ---- the steps --------------------------------------------------------------------------------


def states(lease, on):
    lease.refresh_from_db()
    return {one.code: one.state for one in steps.steps(steps.departure_facts(lease, on), on)}


def test_a_departure_goes_from_step_to_step_and_says_what_is_late(build):
    lease = build.lease(rent="520.00", deposit=euros("520.00"))
    deposits.take_over_deposits([lease], on=date(2025, 1, 1), by=None, now=NOW)
    assert states(lease, RECEIVED)["notice"] == "next"

    given(lease, ground="health", proved=True)
    assert states(lease, RECEIVED)["survey"] == "next"
    assert states(lease, date(2026, 4, 12))["survey"] == "late"

    stay = Occupancy.objects.get(lease=lease)
    survey = inspections.open_inspection(stay, kind="exit", on=date(2026, 4, 10), by=None)
    for room in inspections.rooms(survey):
        inspections.save_room(
            survey, room.code, [(one.element, one.condition) for one in room.elements], by=None
        )
    inspections.sign_inspection(survey, on=date(2026, 4, 10), attended="both", by=None, now=NOW)
    lifecycle.return_keys(lease, on=date(2026, 4, 10), by=None, now=NOW)
    facts = steps.departure_facts(lease, date(2026, 4, 11))
    assert facts.deadline == date(2026, 5, 10)  # it conforms: one month from the keys (art. 22)
    assert states(lease, date(2026, 4, 11))["final"] == "next"
    assert states(lease, date(2026, 5, 11))["final"] == "late"

    final = departure.close_account(lease, on=date(2026, 4, 20), by=None, now=NOW)
    assert states(lease, date(2026, 4, 20))["return"] == "next"
    departure.mark_sent([final.transfer], on=date(2026, 4, 21), by=None)
    assert set(states(lease, date(2026, 4, 21)).values()) == {"done"}


def test_the_settlement_letter_adds_up(build):
    lease = build.lease(rent="520.00", deposit=euros("520.00"), end=date(2026, 1, 16))
    lease.occupancies.update(end=None)
    lifecycle.return_keys(lease, on=date(2026, 1, 15), by=None, now=NOW)
    deposits.take_over_deposits([lease], on=date(2025, 1, 1), by=None, now=NOW)
    deposits.add_deduction(
        lease, nature="cleaning", label="Cleaning", cost=euros("80.00"), on=date(2026, 1, 15),
        proof="invoice", proof_reference="F-12", by=None,
    )  # fmt: skip
    final = departure.close_account(lease, on=date(2026, 1, 20), by=None, now=NOW)

    told = steps.settlement_facts(final)

    assert sum((one.amount for one in told.lines), euros(0)) == told.to_pay - told.to_transfer
    assert told.to_transfer == euros("440.00")
    assert [one.proof for one in told.lines if one.share] == ["Invoice F-12"]
    assert told.tenant.endswith("Alex") or "Martin" in told.tenant
