"""ALT and a housing benefit never pay for one home in one month."""

from datetime import date

import pytest
from django.db import DatabaseError, transaction

from core.money import euros
from core.refusals import refusal_of
from leases.benefits import NoRight, conflicts
from leases.lifecycle import change_benefit
from leases.models import Benefit, Occupancy
from portfolio.models import Structure
from tests.builders import NOW

pytestmark = pytest.mark.django_db

TOLD = {"kind": "apl", "payer": "caf", "beneficiary_number": "1234567"}


def recorded(lease, since):
    return change_benefit(lease, amount=euros("210.00"), since=since, by=None, now=NOW, **TOLD)


def written(lease, start, end=None):
    """Straight to the database, past the verbs."""
    return Benefit.objects.create(
        lease=lease, amount=euros("210.00"), start=start, end=end, beneficiary_number="7654321"
    )


def refused_by_the_database(act):
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        act()
    return refusal_of(refused.value).reason


@pytest.fixture
def lent_until_10_march(build):
    """A home lent under ALT until 10 March, then let."""
    unit = build.unit()
    build.lease(unit=unit, kind="ALT", start=date(2026, 1, 5), end=date(2026, 3, 11))
    return build.lease(unit=unit, kind="CONV_APL", start=date(2026, 3, 20))


@pytest.mark.parametrize("kind", ["ALT", "CHRS"])
def test_these_contracts_open_no_right(build, kind):
    with pytest.raises(NoRight, match="no right"):
        recorded(build.lease(kind=kind), date(2026, 3, 1))


def test_the_month_in_which_alt_ends_is_alts_the_next_one_is_free(lent_until_10_march):
    lease = lent_until_10_march
    with pytest.raises(NoRight, match="ALT"):
        recorded(lease, date(2026, 3, 1))
    assert recorded(lease, date(2026, 4, 1)).start == date(2026, 4, 1)


def test_a_home_of_an_alt_structure_opens_no_right(build):
    structure = Structure.objects.create(reference="ALT1", name="ALT", kind="alt")
    lease = build.lease(unit=build.unit(structure=structure), kind="CONV_APL")
    with pytest.raises(NoRight, match="ALT"):
        recorded(lease, date(2026, 3, 1))


def test_the_database_refuses_it_too(build, lent_until_10_march):
    lease = lent_until_10_march
    assert "ALT" in str(refused_by_the_database(lambda: written(lease, date(2026, 3, 1))))
    assert "ALT" in str(refused_by_the_database(lambda: written(build.lease(kind="ALT"), date(2026, 3, 1))))
    right = written(lease, date(2026, 4, 1))
    assert "ALT" in str(
        refused_by_the_database(lambda: Benefit.objects.filter(pk=right.pk).update(start=date(2026, 3, 1)))
    )


def test_an_alt_stay_does_not_enter_a_home_with_a_benefit(build):
    unit = build.unit()
    let = build.lease(unit=unit, kind="CONV_APL", start=date(2026, 1, 1), end=date(2026, 3, 11))
    written(let, date(2026, 1, 1))
    lent = build.lease(kind="ALT", start=date(2026, 1, 1))
    place = unit.places.get()

    def enter(start):
        Occupancy.objects.filter(lease=lent).delete()
        return Occupancy.objects.create(place=place, lease=lent, start=start)

    assert "ALT" in str(refused_by_the_database(lambda: enter(date(2026, 3, 20))))
    assert enter(date(2026, 4, 1))


def test_what_conflicts_already_is_listed_and_can_be_ended(build):
    """A home that joined an ALT structure while its tenant had a benefit."""
    lease = build.lease(kind="CONV_APL", benefit="200.00")
    build.lease(kind="CONV_APL", benefit="180.00")
    assert conflicts() == []
    unit = lease.occupancies.get().place.unit
    unit.structure = Structure.objects.create(reference="ALT1", name="ALT", kind="alt")
    unit.save()

    [one] = conflicts()
    assert (one.benefit.lease, one.stay.place.unit) == (lease, unit)

    change_benefit(lease, amount=None, since=date(2026, 3, 1), by=None, now=NOW)
    assert lease.benefits.get().end == date(2026, 3, 1)
