"""A file before signature: means, ceilings, the offer, the answer, the lease that comes of it."""

from datetime import date
from decimal import Decimal

import pytest

from core.money import euros
from leases.lease import is_payment_reference, payment_reference
from leases.models import Application, ApplicationDocument, Household, Lease, Operation, PayerIban
from leases.tenancy import applications, deposits, signing
from leases.tenancy.applications import ApplicationRefused, NewPerson
from leases.tenancy.means import income_ceiling, occupation, reckon
from portfolio.models import OutOfService, Place
from portfolio.stock import safety_order
from tests.builders import NOW

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 2)
START = date(2026, 3, 16)
IBAN = "FR7630004000031234567890143"


def file(build, unit=None, **facts):
    """A file complete enough to be offered, for a home of no convention unless said otherwise."""
    unit = unit or build.unit(label="D")
    told = {
        "place": Place.objects.get(unit=unit),
        "kind": "L89_VIDE",
        "start": START,
        "rent": euros("465.00"),
        "charges": euros("60.00"),
        "deposit": euros("465.00"),
        "adults": 2,
        "children": 1,
        "monthly_income": euros("1650.00"),
        **facts,
    }
    return applications.open_application(on=TODAY, by=None, household=build.household(), **told)


def accepted(build, **facts):
    made = file(build, **facts)
    signing.offer_home(made, on=TODAY, by=None)
    return applications.accept_offer(made, on=TODAY, by=None)


def signed(made, **kwargs):
    return signing.sign_lease(made, on=TODAY, by=None, now=NOW, **kwargs)


# ---- the rules ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("financing", "commune", "adults", "children", "most"),
    [
        ("plus", "59350", 1, 0, "23403"),
        ("plus", "59350", 2, 0, "31254"),
        ("plus", "75056", 1, 0, "26920"),
        ("plus", "93066", 2, 4, "84304"),  # Saint-Denis stands with Paris
        ("plus", "78646", 2, 4, "77171"),
        ("plus", "59350", 2, 4, "60156"),
        ("plus", "59350", 2, 5, "66866"),
        ("plus", "59350", 1, 1, "37584"),  # alone with a dependant: category 3
        ("pls", "59350", 1, 0, "30424"),
        ("plai", "59350", 1, 0, "12870"),
    ],
)
def test_the_income_ceiling_follows_the_financing_the_place_and_the_household(
    financing, commune, adults, children, most
):
    found = income_ceiling(financing, commune_code=commune, adults=adults, children=children, on=TODAY)
    assert found.amount == euros(most)


def test_a_home_without_convention_has_no_income_ceiling():
    assert income_ceiling("free", commune_code="59350", adults=1, children=0, on=TODAY) is None


def test_effort_and_what_is_left_are_reckoned_and_explained():
    means = reckon(
        rent=euros("465"), charges=euros("60"), benefit=euros("230"), income=euros("900"), persons=2, on=TODAY
    )
    assert (means.to_pay, means.effort, means.left) == (euros("295"), Decimal("32.8"), euros("10.08"))
    assert (means.heavy, means.thin) == (False, False)
    assert "32.8" in means.effort_words.replace(",", ".")

    without = reckon(
        rent=euros("465"), charges=euros("60"), benefit=None, income=euros("900"), persons=2, on=TODAY
    )
    assert (without.heavy, without.thin) == (True, True)
    unknown = reckon(rent=euros("465"), charges=euros("0"), benefit=None, income=None, persons=2, on=TODAY)
    assert unknown.effort is None


@pytest.mark.parametrize(
    ("persons", "rooms", "surface", "state"),
    [
        (1, 2, "30", "fits"),
        (1, 3, "45", "spare"),
        (4, 2, "33", "crowded"),
        (4, 2, "34", "fits"),
        (9, 5, "70", "fits"),
    ],
)
def test_persons_against_rooms_and_surface(persons, rooms, surface, state):
    assert occupation(persons=persons, rooms=rooms, surface=Decimal(surface), on=TODAY).state == state


# ---- the file ---------------------------------------------------------------------------------


def test_a_file_is_opened_for_new_persons_with_the_documents_it_expects(build):
    made = applications.open_application(
        on=TODAY, by=None, head=NewPerson("Diallo", "Awa"), partner=NewPerson("Diallo", "Ibra"), children=2
    )
    assert (made.stage, made.persons) == (Application.Stage.PREPARED, 4)
    assert [one.role for one in made.household.memberships.order_by("pk")] == ["head", "partner"]
    assert {one.kind for one in made.documents.all()} == set(applications.EXPECTED)

    applications.note_documents(
        made, expected={"identity", "tax"}, received={"tax", "guarantee"}, on=TODAY, by=None
    )
    rows = dict(ApplicationDocument.objects.values_list("kind", "received_on"))
    assert rows == {"identity": None, "tax": TODAY, "guarantee": TODAY}


def test_nobody_or_two_households_at_once_is_refused(build):
    with pytest.raises(ApplicationRefused, match="names nobody"):
        applications.open_application(on=TODAY, by=None)
    household = build.household()
    applications.open_application(on=TODAY, by=None, household=household)
    with pytest.raises(ApplicationRefused, match="running for the same home"):
        applications.open_application(on=TODAY, by=None, household=household)


def test_a_home_is_proposed_on_the_terms_it_was_let_for(build):
    lease = build.lease(start=date(2024, 1, 1), end=date(2026, 3, 1), rent="480.00", charges="55.00")
    place = lease.occupancies.get().place
    assert applications.proposed_terms(place, on=TODAY) == {
        "kind": "L89_VIDE",
        "rent": euros("480.00"),
        "charges": euros("55.00"),
        "deposit": euros("480.00"),
    }


def test_terms_that_are_offered_do_not_change_until_the_offer_is_taken_back(build):
    made = file(build)
    signing.offer_home(made, on=TODAY, by=None, answer_by=date(2026, 3, 12))
    with pytest.raises(ApplicationRefused, match="other terms"):
        applications.change_application(made, by=None, rent=euros("400.00"))
    applications.change_application(made, by=None, monthly_income=euros("1700.00"))

    applications.step_back(made, by=None)
    changed = applications.change_application(made, by=None, rent=euros("400.00"))
    assert (changed.rent, changed.stage) == (euros("400.00"), Application.Stage.PREPARED)


def test_a_home_is_accepted_once(build):
    unit = build.unit(label="D")
    accepted(build, unit=unit)
    second = file(build, unit=unit)
    signing.offer_home(second, on=TODAY, by=None)
    with pytest.raises(ApplicationRefused, match="Another household"):
        applications.accept_offer(second, on=TODAY, by=None)

    closed = applications.close_application(
        second, on=TODAY, reason=Application.Closed.HOUSEHOLD, by=None, note="Too far"
    )
    assert closed.stage == Application.Stage.CLOSED
    with pytest.raises(ApplicationRefused, match="signed or closed"):
        signing.offer_home(second, on=TODAY, by=None)
    assert applications.step_back(second, by=None).stage == Application.Stage.OFFERED


def test_the_most_urgent_deadline_is_that_of_the_reservation_or_of_the_answer(build):
    made = file(build, held_until=date(2026, 3, 20))
    signing.offer_home(made, on=TODAY, by=None, answer_by=date(2026, 3, 12))
    none = file(build)
    found = dict(Application.objects.with_deadline().values_list("pk", "deadline"))
    assert found == {made.pk: date(2026, 3, 12), none.pk: None}


# ---- what stands against it -------------------------------------------------------------------


def grave(made):
    return [one.reason for one in signing.obstacles(made, on=TODAY) if one.grave]


def test_a_complete_file_meets_no_grave_obstacle(build):
    assert grave(file(build)) == []


def test_a_file_without_home_says_what_is_missing(build):
    made = applications.open_application(on=TODAY, by=None, household=build.household())
    assert grave(made) == ["No home is proposed.", "The terms are not complete."]


def test_a_home_not_held_out_of_service_occupied_or_under_an_order_is_refused(build):
    assert "holds no title" in grave(file(build, unit=build.unit(label="D", held=None)))[0]

    works = build.unit(label="D")
    OutOfService.objects.create(unit=works, kind="works", start=date(2026, 2, 1))
    assert "out of service" in grave(file(build, unit=works))[0]

    let = build.unit(label="D")
    lease = build.lease(unit=let, start=date(2024, 1, 1))
    made = file(build, unit=let)
    assert lease.reference in grave(made)[0]
    with pytest.raises(ApplicationRefused, match=lease.reference):
        signing.offer_home(made, on=TODAY, by=None)

    unfit = build.unit(label="D")
    safety_order(unfit, kind="unfitness", notified_on=date(2026, 2, 1)).save()
    assert "L. 521-2" in grave(file(build, unit=unfit))[0]


def test_a_home_whose_label_forbids_it_is_not_let(build):
    assert "G" in grave(file(build, unit=build.unit(label="G")))[0]
    assert "label" in grave(file(build, unit=build.unit()))[0]


def test_rent_and_deposit_stay_within_their_ceilings(build):
    capped = build.unit(label="D", rent_ceiling=euros("450.00"))
    assert "financing" in grave(file(build, unit=capped))[0]
    assert "deposit" in grave(file(build, deposit=euros("465.01")))[0]


def test_the_tax_income_is_known_and_within_the_ceiling_or_there_is_a_derogation(build):
    unit = build.unit(label="D", financing="plai", rent_ceiling=euros("500.00"))
    made = file(build, unit=unit)
    assert "not known" in grave(made)[0]
    made = applications.change_application(made, by=None, tax_income=euros("22551"), tax_year=2024)
    assert grave(made) == []
    made = applications.change_application(made, by=None, tax_income=euros("22551.01"))
    assert "category 3" in grave(made)[0]
    made = applications.change_application(made, by=None, waiver="Prefecture 2026-12")
    assert grave(made) == []


def test_what_is_to_be_judged_does_not_forbid(build):
    made = file(build, monthly_income=euros("900.00"), held_until=date(2026, 3, 1), tax_year=2025)
    said = [one.reason for one in signing.obstacles(made, on=TODAY)]
    assert [one.split()[0] for one in said] == ["Not", "The", "Little", "The"]
    assert "lapsed" in said[-1]


# ---- the signature ------------------------------------------------------------------------------


def test_the_lease_comes_whole_with_its_deposit_and_is_called_by_the_next_run(build):
    made = accepted(build, partner=NewPerson("Diallo", "Ibra"))
    lease = signed(made, iban=IBAN)

    made.refresh_from_db()
    assert (made.stage, made.lease) == (Application.Stage.SIGNED, lease)
    assert (lease.signed_on, lease.start, lease.deposit) == (TODAY, START, euros("465.00"))
    assert lease.payment_reference.startswith("L0")
    assert sorted(lease.parties.values_list("role", flat=True)) == ["co_tenant", "tenant"]
    assert lease.occupancies.get().start == START
    assert PayerIban.objects.get().iban == IBAN
    assert deposits.held(lease) == euros("465.00")

    build.called(date(2026, 3, 1))
    assert sum(call.amount.amount for call in lease.calls.all()) == Decimal("270.97")


def test_a_payment_reference_that_an_imported_lease_has_is_not_given_twice(build):
    made = accepted(build)
    taken = build.lease()
    Lease.objects.filter(pk=taken.pk).update(payment_reference=payment_reference(taken.pk + 1))
    lease = signed(made)
    assert lease.payment_reference == payment_reference(lease.pk + 104_729)
    assert is_payment_reference(lease.payment_reference)


def test_a_lease_is_signed_only_once_accepted_and_only_once(build):
    made = file(build)
    with pytest.raises(ApplicationRefused, match="not accepted"):
        signed(made)
    signing.offer_home(made, on=TODAY, by=None)
    applications.accept_offer(made, on=TODAY, by=None)
    signed(made)
    with pytest.raises(ApplicationRefused, match="signed or closed"):
        signed(made)
    with pytest.raises(ApplicationRefused, match="signed"):
        applications.step_back(made, by=None)
    assert Lease.objects.count() == 1


def test_what_changed_since_the_offer_is_looked_at_again_and_nothing_is_half_written(build):
    unit = build.unit(label="D")
    made = accepted(build, unit=unit)
    build.lease(unit=unit, start=date(2026, 3, 1))
    with pytest.raises(ApplicationRefused, match="occupies this place"):
        signed(made)
    assert Lease.objects.count() == 1
    assert Operation.objects.count() == 0


def test_a_household_without_head_signs_nothing(build):
    made = file(build)
    bare = Household.objects.create(reference="H-0")
    Application.objects.filter(pk=made.pk).update(household=bare, offered_on=TODAY, accepted_on=TODAY)
    with pytest.raises(ApplicationRefused, match="can sign"):
        signed(made)
