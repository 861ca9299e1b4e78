"""A name is found as it is said: without case nor accents, on both engines."""

import pytest

from core.dialect import as_spoken
from leases.households import Household
from leases.models import Person
from portfolio.models import Unit

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("said", ["Gérard", "gerard", "GÉRARD", "GERARD", "érar"])
def test_a_name_is_found_whatever_its_accents_and_case(said):
    Person.objects.create(reference="P1", last_name="Gérard")
    Person.objects.create(reference="P2", last_name="Girard")

    assert Person.objects.filter(last_name__spoken=said).get().reference == "P1"


@pytest.mark.parametrize("said", ["%", "_", "\\", "50%"])
def test_signs_stand_for_themselves(said):
    Person.objects.create(reference="P1", last_name="Martin")
    Person.objects.create(reference="P2", last_name=f"a{said}b")

    assert Person.objects.filter(last_name__spoken=said).get().reference == "P2"


def test_both_apostrophes_are_one():
    assert as_spoken("Rue de l’Église") == "rue de l'eglise"


def test_households_and_homes_are_found_as_said(build):
    household = build.household("Sénéchal")
    unit = build.unit(building=build.building(address="12 rue de l’Église", commune="Béthune"))

    assert Household.objects.spoken_of("SENECHAL alex").get() == household
    assert Unit.objects.spoken_of("l'eglise bethune").get() == unit
