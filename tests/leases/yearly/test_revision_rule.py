"""The revision of one lease, in Python, and of the stock, in SQL, are one rule."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.money import euros, from_cents, to_cents
from core.periods import Period, add_months
from leases.kinds import KINDS
from leases.lease import payment_reference
from leases.models import IndexValue, Lease, Occupancy, RentTerm, Revision, RevisionClause, RevisionRun
from leases.terms import CHARGES, RENT, SERVICES
from leases.yearly.indices import Quarter, import_indices
from leases.yearly.revision import Asked, commit_revision, revision_lines
from leases.yearly.revision_rule import (
    Clause,
    Facts,
    Home,
    last_renewal,
    raised_by_ceiling,
    raised_by_index,
    revision,
)
from portfolio.models import EnergyLabel, Holding, Place, Unit

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MONTHS = [date(2024, 2, 1), date(2025, 2, 1), date(2025, 7, 1), date(2026, 1, 1), date(2026, 7, 1)]
AMOUNTS = st.integers(1, 500_000)
INDEX = st.integers(10_000, 20_000)
ITEM_REASONS = {"new_rent", "later_rent", "above_ceiling", "no_rise", ""}


@given(cents=AMOUNTS, new=INDEX, old=INDEX)
def test_a_rent_revised_by_the_index_is_within_half_a_cent_of_it(cents, new, old):
    revised = to_cents(raised_by_index(from_cents(cents), new_index=new, old_index=old))

    assert abs(2 * revised * old - 2 * cents * new) <= old


@given(cents=AMOUNTS, points=st.integers(0, 1_000))
def test_a_ceiling_is_never_passed_nor_missed_by_a_cent(cents, points):
    revised = to_cents(raised_by_ceiling(from_cents(cents), points=points))

    assert revised * 10_000 <= cents * (10_000 + points) < (revised + 1) * 10_000


@given(
    start=st.dates(date(2000, 1, 1), date(2026, 1, 1)),
    on=st.dates(date(2000, 1, 1), date(2026, 12, 31)),
    years=st.sampled_from([1, 3, 6]),
)
def test_the_last_tacit_renewal_is_a_whole_number_of_terms_after_the_start(start, on, years):
    renewed = last_renewal(start, None, years=years, on=on)

    if renewed is None:
        assert on < add_months(start, 12 * years)
    else:
        terms = (renewed.year - start.year) // years
        assert renewed == add_months(start, 12 * years * terms) <= on
        assert add_months(start, 12 * years * (terms + 1)) > on


@pytest.mark.django_db
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_the_stock_is_revised_as_the_rule_says(build, seed):
    """Forty leases of every shape a draw: the preview says what revision() says; the commit writes it."""
    dice = Random(seed)
    month = Period.month(dice.choice(MONTHS))
    claimed_on = month.start + timedelta(days=dice.choice([-30, 0, 13, 45, 200, 366, 400]))
    with transaction.atomic():
        import_indices(by=None, now=NOW)
        IndexValue.objects.create(series="overseas", year=2025, quarter=1, hundredths=14000)
        IndexValue.objects.create(series="overseas", year=2026, quarter=1, hundredths=13900)
        indices = {(each.series, each.of): each.hundredths for each in IndexValue.objects.all()}
        expected = {}
        for _number in range(40):
            lease, facts = draw_lease(build, dice, month)
            for one in revision(facts, month=month, claimed_on=claimed_on, indices=indices):
                item = one.item if one.reason in ITEM_REASONS else None
                expected[lease.pk, item] = (one.on, one.effect, one.new, one.reason)
        asked = Asked(month.start, min(claimed_on, NOW.date()))
        found = {
            (line.lease_id, line.item if line.reason in ITEM_REASONS else None): (
                line.on,
                line.effect,
                line.new,
                line.reason,
            )
            for line in revision_lines(asked)
        }
        run = commit_revision(asked, by=None, now=NOW)
        made = {(one.lease_id, one.item): (one.on, one.effect, one.new, "") for one in run.revisions.all()}
        transaction.set_rollback(True)

    if claimed_on <= NOW.date():
        assert found == expected
        assert made == {key: told for key, told in expected.items() if not told[3]}


def draw_lease(build, dice, month):
    """A lease with drawn facts, and the same facts as revision() takes them."""
    kind = dice.choice(["L89_VIDE"] * 4 + ["L89_MEUBLE", "CONV_APL", "CONV_APL", "RESIDENCE_SOCIALE", *KINDS])
    start = draw_start(dice, month)
    signed_on = start - timedelta(days=dice.choice([0, 0, 5, 40]))
    renewed = start + timedelta(days=dice.randint(300, 2500)) if dice.random() < 0.2 else None
    end = month.start + timedelta(days=dice.randint(0, 300)) if dice.random() < 0.2 else None
    if end is not None and end <= start:
        end = None
    number = build.number()
    lease = Lease.objects.create(
        reference=f"L{number}",
        kind=kind,
        household=build.household(),
        signed_on=signed_on,
        start=start,
        end=end,
        end_reason="term" if end else "",
        last_renewed_on=renewed,
        payment_reference=payment_reference(number),
    )
    return lease, Facts(
        kind=kind,
        signed_on=signed_on,
        start=start,
        end=end,
        last_renewed_on=renewed,
        clause=draw_clause(dice, lease, month),
        home=draw_home(build, dice, lease, month),
        terms=draw_terms(dice, lease, month),
        revised=draw_revised(dice, lease, month),
    )


def draw_start(dice, month):
    """Mostly a day whose anniversary falls in the month; 29 February now and then."""
    if dice.random() < 0.1:
        return date(dice.choice([2016, 2020, 2024]), 2, 29)
    year = dice.randint(2012, month.start.year)
    day = month.start + timedelta(days=dice.randint(0, 27))
    return day.replace(year=year) - timedelta(days=dice.choice([0, 0, 0, 0, 31]))


def draw_clause(dice, lease, month):
    if dice.random() < 0.15:
        return None
    clause = Clause(
        revised=dice.random() < 0.9,
        month_day=dice.choice(["", "", f"{month.start:%m}-01", f"{month.start:%m}-15", "02-29", "01-01"]),
        quarter=dice.choice([None, None, 1, 2, 3, 4]),
        series=dice.choice(["", "", "", "", "overseas"]),
    )
    since = month.start - timedelta(days=700)
    if dice.random() < 0.2:
        RevisionClause.objects.create(lease=lease, start=since, revised=not clause.revised, quarter=3)
    RevisionClause.objects.create(
        lease=lease,
        start=since + timedelta(days=1),
        revised=clause.revised,
        month_day=clause.month_day,
        quarter=clause.quarter,
        series=clause.series,
    )
    RevisionClause.objects.create(lease=lease, start=month.end, revised=False)
    return clause


def draw_home(build, dice, lease, month):
    """Where the lease is held and occupied throughout, or nowhere."""
    unheld, unlived = dice.random() < 0.05, dice.random() < 0.05
    title = dice.choice(["deed", "mandate", "mandate", "head_lease"])
    nature = dice.choice(["mp", "person", "family_sci", "hlm", "saues"])
    postcode = dice.choice(["59000"] * 8 + ["20000", "97400"])
    ceiling = euros(str(dice.randint(300, 700))) if dice.random() < 0.3 else None
    number = build.number()
    unit = Unit.objects.create(
        building=build.building(postcode=postcode),
        reference=f"U{number}",
        typology="T2",
        living_surface="40.00",
        rent_ceiling=ceiling,
    )
    place = Place.objects.create(unit=unit, reference=unit.reference)
    if not unheld:
        owner = build.owner("private", nature=nature)
        Holding.objects.create(unit=unit, owner=owner, title=title, start=date(2010, 1, 1))
    label = dice.choice([None, "B", "D", "E", "F", "G", "G"])
    if label:
        EnergyLabel.objects.create(
            unit=unit, letter=label, issued_on=date(2021, 8, 1), valid_until=date(2031, 8, 1)
        )
        if dice.random() < 0.2:
            EnergyLabel.objects.create(
                unit=unit, letter="C", issued_on=month.end, valid_until=date(2036, 8, 1)
            )
    if unheld or unlived:
        return None
    Occupancy.objects.create(place=place, lease=lease, start=lease.start)
    return Home(title, nature, postcode, label, ceiling)


def draw_terms(dice, lease, month):
    terms = []
    for item in dice.choice([[RENT], [RENT, CHARGES], [RENT, CHARGES, SERVICES], [CHARGES], []]):
        spans = [Period(lease.start)]
        if dice.random() < 0.25:
            later = month.start + timedelta(days=dice.randint(0, 60))
            if later > lease.start:
                spans = [Period(lease.start, later), Period(later)]
        if dice.random() < 0.1:
            spans[-1] = Period(spans[-1].start, max(spans[-1].start, month.start) + timedelta(days=20))
        for span in spans:
            amount = from_cents(dice.choice([0, *[dice.randint(1, 80_000) for _ in range(6)]]))
            terms.append((item, amount, span))
            RentTerm.objects.create(lease=lease, item=item, amount=amount, start=span.start, end=span.end)
    return terms


def draw_revised(dice, lease, month):
    """Revisions made before, one of them undone now and then."""
    if dice.random() < 0.8:
        return []
    on = month.start - timedelta(days=dice.choice([30, 200, 340, 360, 370]))
    run = RevisionRun.objects.create(key=f"k{lease.pk}", month=on.replace(day=1), claimed_on=on, made_at=NOW)
    told = {"run": run, "lease": lease, "item": RENT, "on": on, "rule": "REV_L89", "effect": on}
    one = Revision.objects.create(version=1, old=euros("1.00"), new=euros("2.00"), **told)
    if dice.random() < 0.4:
        Revision.objects.create(version=2, old=euros("2.00"), new=euros("1.00"), undoes=one, **told)
        return []
    return [on]


def test_quarters_are_written_as_insee_does():
    assert str(Quarter.parse("2026-T2")) == "2026-T2"
    assert Quarter.parse("T2 2026") is None
