"""Charges settled on what was truly spent: to the cent, once, for the days occupied, departed tenants too."""

from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from core.money import euros, from_cents
from core.periods import Period
from leases import tenant_account
from leases.models import (
    ChargeGroup,
    ChargeLine,
    FreePeriod,
    KeyTotal,
    Operation,
    RentTerm,
    Settlement,
    UnitShare,
)
from leases.operations import CHARGES_GIVEN_BACK, CHARGES_SETTLED
from leases.proof import check_ledger
from leases.terms import CHARGES
from leases.yearly.charges import (
    SettlementRefused,
    first_due,
    inspection_until,
    is_barred,
    is_late,
    set_flat,
    shared,
    statement_facts,
)
from leases.yearly.expenses import (
    COMMON,
    EQUAL,
    HEATING,
    METER,
    OCCUPANTS,
    SURFACE,
    TANTIEMES,
    WATER,
    choose_policy,
    record_expense,
    reverse_expense,
    set_share,
)
from leases.yearly.next_provisions import apply_provisions, preview_provisions
from leases.yearly.settling import preview_charges, settle_charges, undo_run

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 2, 2, 9, tzinfo=UTC)
SENT = date(2026, 2, 2)
YEAR = Period(date(2025, 1, 1), date(2026, 1, 1))


def months(first=1, last=12, year=2025):
    return [date(year, month, 1) for month in range(first, last + 1)]


def spent(amount="1200.00", *, year=2025, category=COMMON, **told):
    return record_expense(year=year, category=category, amount=euros(amount), by=None, now=NOW, **told)


def settled(**where):
    return settle_charges(2025, on=SENT, by=None, now=NOW, **where)


def previewed(**where):
    return preview_charges(2025, on=SENT, **where)


@pytest.fixture
def home(build):
    """A building of two homes of 60 and 40 m², the second one empty."""
    building = build.building()
    build.unit(building=building, living_surface="40.00")
    return build.unit(building=building, living_surface="60.00")


# ---- the worked example -----------------------------------------------------------------


def test_w15_a_home_of_60_m2_of_800_occupied_200_days_of_365_owes_493_15_less_450(build):
    """W15: expenses 12,000.00 by surface, provisions 450.00 → share 900.00, owed 493.15, balance 43.15 due."""
    unit = build.unit(living_surface="60.00")
    KeyTotal.objects.create(building=unit.building, key=SURFACE, value=800)
    lease = build.lease(unit=unit, start=date(2025, 6, 15))
    RentTerm.objects.create(lease=lease, item=CHARGES, amount=euros("75.00"), start=date(2025, 7, 1))
    build.called(*months(6))
    spent("12000.00", building=unit.building)
    settled()

    settlement = Settlement.objects.get()
    assert (settlement.days, settlement.share) == (200, euros("493.15"))
    assert settlement.provisions == euros("450.00")
    assert settlement.amount == Operation.objects.get().amount == euros("43.15")
    assert not check_ledger()


def test_w15_by_the_rule_in_words():
    parts, owner = shared(euros("12000.00"), {"home": 60 * 200}, 800 * 365)

    assert parts == {"home": euros("493.15")}
    assert owner == euros("12000.00") - euros("493.15")
    assert parts["home"] - euros("450.00") == euros("43.15")


# ---- who owes what ----------------------------------------------------------------------


def test_vacant_days_stay_with_the_owner(build, home):
    build.lease(unit=home, start=date(2024, 1, 1), charges="50.00")
    build.called(*months())
    spent("1000.00", building=home.building)
    settled()

    assert Settlement.objects.get().share == euros("600.00")
    assert ChargeGroup.objects.get().owner_share == euros("400.00")


def test_who_left_is_settled_too_and_who_came_after_for_its_own_days(build, home):
    gone = build.lease(unit=home, start=date(2024, 1, 1), end=date(2025, 4, 1), charges="50.00")
    there = build.lease(unit=home, start=date(2025, 7, 1), charges="50.00")
    build.called(*months())
    spent("1000.00", building=home.building)
    settled()

    assert Settlement.objects.get(lease=gone).days == 90
    assert Settlement.objects.get(lease=there).days == 184
    assert Settlement.objects.get(lease=gone).provisions == euros("150.00")


def test_days_without_title_stay_with_the_owner_an_indemnity_covers_them(build, home):
    build.lease(
        unit=home, start=date(2024, 1, 1), end=date(2025, 4, 1), out=date(2025, 6, 1), charges="50.00"
    )
    build.called(*months())
    spent("1000.00", building=home.building)
    settled()

    settlement = Settlement.objects.get()
    assert settlement.days == 90
    assert settlement.provisions == euros("150.00")


def test_rent_free_days_owe_no_charges(build, home):
    lease = build.lease(unit=home, start=date(2024, 1, 1), charges="50.00")
    FreePeriod.objects.create(lease=lease, start=date(2025, 3, 1), end=date(2025, 4, 1), reason="works")
    build.called(*months())
    spent("1000.00", building=home.building)
    settled()

    assert Settlement.objects.get().days == 334


def test_a_site_shares_among_its_buildings_a_building_among_its_homes(build, home):
    other = build.building(site=home.building.site)
    elsewhere = build.unit(building=other, living_surface="100.00")
    here = build.lease(unit=home, start=date(2024, 1, 1), charges="50.00")
    there = build.lease(unit=elsewhere, start=date(2024, 1, 1), charges="50.00")
    build.called(*months())
    spent("2000.00", site=other.site)
    spent("300.00", building=home.building)
    spent("77.00", unit=elsewhere)
    settled()

    assert Settlement.objects.get(lease=here).share == euros("600.00") + euros("180.00")
    assert Settlement.objects.get(lease=there).share == euros("1000.00") + euros("77.00")
    assert ChargeLine.objects.count() == 4


@pytest.mark.parametrize("kind", ["RESIDENCE_SOCIALE", "PENSION_FAMILLE", "ALT", "CHRS"])
def test_flat_charges_are_never_settled(build, home, kind):
    lease = build.lease(unit=home, start=date(2024, 1, 1), charges="50.00", kind=kind)
    build.called(*months())
    spent("1000.00", building=home.building)
    [left_out] = previewed().left_out
    settled()

    assert (left_out.lease_id, left_out.reason) == (lease.pk, "flat")
    assert not Settlement.objects.exists()


def test_a_furnished_lease_says_whether_its_charges_are_flat(build, home):
    lease = build.lease(unit=home, start=date(2024, 1, 1), charges="50.00", kind="L89_MEUBLE")
    build.called(*months())
    spent("1000.00", building=home.building)

    assert len(previewed().leases) == 1
    set_flat(lease, flat=True, by=None, now=NOW)
    assert previewed().left_out[0].reason == "flat"
    set_flat(lease, flat=False, by=None, now=NOW)
    assert len(previewed().leases) == 1
    with pytest.raises(SettlementRefused):
        set_flat(build.lease(kind="L89_VIDE"), flat=True, by=None, now=NOW)


def test_a_building_without_expenses_is_left_out_with_its_reason(build, home):
    lease = build.lease(unit=home, start=date(2024, 1, 1), charges="50.00")
    build.called(*months())

    assert [(one.lease_id, one.reason) for one in previewed().left_out] == [(lease.pk, "no_expenses")]
    run = settled()
    assert [(one.lease_id, one.reason) for one in run.exceptions.all()] == [(lease.pk, "no_expenses")]


# ---- keys -------------------------------------------------------------------------------


def test_tantiemes_need_a_value_of_every_home(build, home):
    build.lease(unit=home, start=date(2024, 1, 1), charges="50.00")
    build.called(*months())
    spent("1000.00", building=home.building, key=TANTIEMES)
    set_share(home, key=TANTIEMES, value=Decimal(300), by=None)

    assert previewed().left_out[0].reason == "no_key"
    empty = home.building.units.exclude(pk=home.pk).get()
    set_share(empty, key=TANTIEMES, value=Decimal(700), by=None)
    assert previewed().leases[0].share == euros("300.00")


def test_the_most_exact_value_of_a_key_is_used(build, home):
    build.lease(unit=home, start=date(2024, 1, 1), charges="50.00")
    build.called(*months())
    spent("1000.00", building=home.building, key=METER, category=WATER)
    empty = home.building.units.exclude(pk=home.pk).get()
    set_share(empty, key=METER, value=Decimal(50), by=None)
    set_share(home, key=METER, value=Decimal(999), year=2024, by=None)
    set_share(home, key=METER, value=Decimal(10), by=None)
    set_share(home, key=METER, value=Decimal("150.00"), year=2025, category=WATER, by=None)

    assert previewed().leases[0].share == euros("750.00")


def test_by_occupants_an_empty_home_counts_for_one(build, home):
    lease = build.lease(unit=home, start=date(2024, 1, 1), charges="50.00")
    first = lease.household.memberships.get()
    for name in ("Ana", "Eva"):
        person = type(first.person).objects.create(reference=name, last_name=name)
        type(first).objects.create(household=lease.household, person=person, start=date(2020, 1, 1))
    build.called(*months())
    spent("1000.00", building=home.building, key=OCCUPANTS)

    assert previewed().leases[0].share == euros("750.00")


def test_three_equal_homes_share_a_cent_that_does_not_divide(build):
    building = build.building()
    for _number in range(3):
        build.lease(unit=build.unit(building=building), start=date(2024, 1, 1), charges="1.00")
    build.called(*months())
    spent("100.00", building=building, key=EQUAL)
    settled()

    shares = list(Settlement.objects.order_by("lease").values_list("share", flat=True))
    assert shares == [euros("33.34"), euros("33.33"), euros("33.33")]
    assert ChargeGroup.objects.get().owner_share == euros(0)


def test_an_expense_for_part_of_the_year_is_shared_over_its_own_days(build, home):
    """A building handed over in July: its expenses are for 184 days, not for 365."""
    build.lease(unit=home, start=date(2025, 7, 1), charges="50.00")
    build.called(*months(7))
    spent("1000.00", building=home.building, days=Period(date(2025, 7, 1), date(2026, 1, 1)))

    assert previewed().leases[0].share == euros("600.00")


# ---- posted once, corrected, undone -----------------------------------------------------


@pytest.fixture
def owing(build, home):
    lease = build.lease(unit=home, start=date(2024, 1, 1), charges="45.00")
    build.called(*months())
    spent("1000.00", building=home.building)
    return lease


def test_settled_twice_nothing_more_is_posted(owing):
    first, again = settled(), settled()

    assert (first.sealed_settlements, first.sealed_total) == (1, euros("60.00"))
    assert (again.sealed_settlements, again.sealed_total) == (0, euros(0))
    assert Operation.objects.get(kind=CHARGES_SETTLED).amount == euros("60.00")
    assert tenant_account.lines(owing, SENT)[-1].label == "Charges 2025, to pay"
    assert not check_ledger()


def test_an_expense_entered_late_is_a_new_version_carrying_the_difference(owing, home):
    settled()
    spent("500.00", building=home.building, category=HEATING)
    settled()

    versions = Settlement.objects.order_by("version").values_list("version", "share", "amount")
    assert list(versions) == [(1, euros("600.00"), euros("60.00")), (2, euros("900.00"), euros("300.00"))]
    assert not check_ledger()


def test_an_expense_reversed_is_given_back(owing, home):
    late = spent("500.00", building=home.building, category=HEATING)
    settled()
    reverse_expense(late, by=None, now=NOW)
    settled()

    [back] = Operation.objects.filter(kind=CHARGES_GIVEN_BACK)
    assert back.amount == euros("300.00")
    assert back.due == SENT, "what is given back counts at once"
    assert not check_ledger()


def test_undone_by_its_opposite_then_settled_again(owing):
    before = tenant_account.balance(owing, SENT)
    run = settled()
    undo_run(run, on=SENT, by=None, now=NOW)
    assert tenant_account.balance(owing, SENT) == before
    with pytest.raises(SettlementRefused, match="already undone"):
        undo_run(run, on=SENT, by=None, now=NOW)

    settled()
    assert tenant_account.balance(owing, SENT) - before == euros("60.00")
    assert not check_ledger()


def test_what_a_later_one_corrects_is_not_undone_before_it(owing, home):
    first = settled()
    spent("500.00", building=home.building, category=HEATING)
    second = settled()

    with pytest.raises(SettlementRefused, match="later"):
        undo_run(first, on=SENT, by=None, now=NOW)
    undo_run(second, on=SENT, by=None, now=NOW)
    last = Settlement.objects.order_by("-version").first()
    assert (last.share, last.amount) == (euros("600.00"), euros("-300.00"))


def test_one_building_is_settled_without_its_neighbours(build, owing, home):
    other = build.unit()
    build.lease(unit=other, start=date(2024, 1, 1), charges="10.00")
    build.called(*months())
    spent("200.00", building=other.building)

    assert settled(building=home.building).sealed_settlements == 1
    assert settled(site=other.building.site).sealed_settlements == 1
    assert settled().sealed_settlements == 0


def test_a_home_under_mandate_is_settled_in_its_owners_book(build):
    unit = build.unit(owner=build.owner("private"), title="mandate")
    build.lease(unit=unit, start=date(2024, 1, 1), charges="10.00")
    build.called(*months())
    spent("200.00", unit=unit)
    settled()

    [posted] = Operation.objects.all()
    assert posted.debit.book.owner_id is not None
    assert not check_ledger()


@pytest.mark.parametrize("table", ["settlement", "chargeline", "chargegroup", "expense"])
def test_nothing_settled_is_ever_changed(owing, table):
    settled()

    with pytest.raises(DatabaseError, match="append_only"), transaction.atomic():
        connection.cursor().execute(f"DELETE FROM leases_{table}")


# ---- dates of the law -------------------------------------------------------------------


def test_the_statement_goes_out_a_month_before_and_papers_stay_open_six_months(owing):
    assert first_due(SENT) == date(2026, 3, 2)
    assert inspection_until(SENT) == date(2026, 8, 2)
    with pytest.raises(SettlementRefused, match="month before"):
        settled(due=date(2026, 3, 1))
    settled()
    assert Operation.objects.get().due == date(2026, 3, 2)


def test_a_year_is_settled_when_it_is_over(owing):
    with pytest.raises(SettlementRefused, match="not over"):
        preview_charges(2026, on=date(2026, 12, 31))


def test_after_31_december_of_the_next_year_it_is_paid_in_twelfths(owing):
    assert not is_late(YEAR, date(2026, 12, 31))
    assert is_late(YEAR, date(2027, 1, 1))
    settle_charges(2025, on=date(2027, 1, 4), by=None, now=NOW)

    parts = list(Operation.objects.order_by("due").values_list("due", "amount", "label"))
    assert len(parts) == 12
    assert parts[0] == (date(2027, 2, 4), euros("5.00"), "Charges 2025, to pay 1/12")
    assert parts[-1][0] == date(2028, 1, 4)
    assert not check_ledger()


def test_beyond_three_years_a_debit_is_left_out_and_a_credit_still_given_back(build, owing, home):
    other = build.unit()
    build.lease(unit=other, start=date(2024, 1, 1), charges="50.00")
    build.called(*months())
    spent("12.00", unit=other)
    late = date(2028, 12, 1)

    assert not is_barred(YEAR, date(2028, 12, 31))
    assert is_barred(YEAR, first_due(late))
    seen = preview_charges(2025, on=late)
    assert [(one.lease_id, one.reason) for one in seen.left_out] == [(owing.pk, "barred")]
    settle_charges(2025, on=late, by=None, now=NOW)
    assert [one.kind for one in Operation.objects.all()] == [CHARGES_GIVEN_BACK]


def test_a_debit_above_the_chosen_amount_is_called_in_parts_that_sum_exactly(owing):
    choose_policy(
        first_month=1, instalments_above=euros("50.00"), instalments=7, round_to=euros(1), by=None, now=NOW
    )
    settled()

    amounts = list(Operation.objects.order_by("due").values_list("amount", flat=True))
    assert len(amounts) == 7
    assert sum(amounts, euros(0)) == euros("60.00")
    assert amounts[0] == euros("8.58") and amounts[-1] == euros("8.57")
    assert set(Operation.objects.values_list("key", flat=True)) == set(Settlement.objects.get().keys())


# ---- the stock and the rule -------------------------------------------------------------


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_the_stock_owes_what_the_rule_says_and_every_expense_is_shared_exactly(build, seed):
    """Drawn buildings, stays, keys and totals: SQL gives what shared() says, and no cent is lost."""
    dice = Random(seed)
    with transaction.atomic():
        building, stays, weights = build.building(), {}, {}
        for _number in range(dice.randint(1, 5)):
            unit = build.unit(building=building, living_surface=f"{dice.randint(900, 12000) / 100:.2f}")
            UnitShare.objects.create(unit=unit, key=TANTIEMES, value=dice.randint(1, 1000))
            weights[unit] = {
                SURFACE: round(Decimal(unit.living_surface) * 100),
                EQUAL: 100,
                TANTIEMES: UnitShare.objects.get(unit=unit).value * 100,
            }
            first = date(2025, 1, 1).toordinal() + dice.randint(-60, 300)
            for _turn in range(dice.randint(0, 2)):
                last = first + dice.randint(10, 200)
                lease = build.lease(
                    unit=unit,
                    start=date.fromordinal(first),
                    end=date.fromordinal(last),
                    charges="20.00",
                    kind=dice.choice(["L89_VIDE", "L89_VIDE", "RESIDENCE_SOCIALE"]),
                )
                if lease.kind == "L89_VIDE":
                    stays[lease.pk] = (unit, (Period(lease.start, lease.end) & YEAR).days)
                first = last + dice.randint(0, 30)
        stays = {pk: stay for pk, stay in stays.items() if stay[1]}
        keys = dice.sample([SURFACE, EQUAL, TANTIEMES], dice.randint(1, 3))
        expected = dict.fromkeys(stays, euros(0))
        totals = {}
        for key in keys:
            total = from_cents(dice.choice([1, -1]) * dice.randint(1, 2_000_000))
            spent(str(total.amount), building=building, key=key)
            parts, owner = shared(
                total,
                {pk: int(weights[unit][key]) * days for pk, (unit, days) in sorted(stays.items())},
                int(sum(by_key[key] for by_key in weights.values())) * YEAR.days,
            )
            totals[key] = (total, owner)
            assert sum(parts.values(), owner) == total
            for pk, part in parts.items():
                expected[pk] += part
        settled()
        found = dict(Settlement.objects.values_list("lease", "share"))
        groups = {one.key: (one.total, one.owner_share) for one in ChargeGroup.objects.all()}
        for group in ChargeGroup.objects.all():
            lines = sum((line.share for line in group.lines.all()), euros(0))
            assert lines + group.owner_share == group.total
        assert not check_ledger()
        transaction.set_rollback(True)

    assert found == expected
    assert groups == (totals if stays else {})


WORKS = {
    "preview": lambda: previewed(),
    "settle": lambda: settled(),
}


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_forty_leases_cost_as_many_queries_as_two(build, work):
    def stock(count):
        building = build.building()
        for _number in range(count):
            build.lease(unit=build.unit(building=building), start=date(2024, 1, 1), charges="20.00")
        build.called(*months(12))
        spent("1000.00", building=building)

    def asked():
        with CaptureQueriesContext(connection) as queries:
            work()
        return [query["sql"][:80] for query in queries]

    stock(2)
    at_two = asked()
    stock(38)
    at_forty = asked()

    assert len(at_forty) == len(at_two), (at_two, at_forty)


# ---- the statement, next year's provisions ----------------------------------------------


def test_a_statement_says_each_nature_its_key_the_days_and_what_is_left_to_pay(owing, home):
    choose_policy(
        first_month=1, instalments_above=euros("50.00"), instalments=3, round_to=euros(1), by=None, now=NOW
    )
    settled()
    facts = statement_facts(Settlement.objects.get())

    [line] = facts.lines
    assert (line.label, line.place) == ("Common parts", home.building.address)
    assert (line.total, line.key, line.value, line.whole) == (
        euros("1000.00"),
        "Living surface",
        Decimal("60.00"),
        Decimal("100.00"),
    )
    assert (line.days, line.of_days, line.share) == (365, 365, euros("600.00"))
    assert (facts.start, facts.end) == (date(2025, 1, 1), date(2025, 12, 31))
    assert (facts.provisions, facts.before, facts.amount) == (euros("540.00"), euros(0), euros("60.00"))
    assert facts.inspection_until == date(2026, 8, 2)
    posted = list(Operation.objects.order_by("due").values_list("due", "amount"))
    assert list(facts.instalments) == posted


def test_next_provisions_are_a_twelfth_of_the_last_result_rounded_up(owing):
    run = settled()
    [seen] = preview_provisions(run, since=date(2026, 4, 1))

    assert (seen.now, seen.proposed) == (euros("45.00"), euros("50.00"))
    assert apply_provisions(run, since=date(2026, 4, 1), by=None, now=NOW) == 1
    assert apply_provisions(run, since=date(2026, 4, 1), by=None, now=NOW) == 0
    terms = RentTerm.objects.filter(lease=owing, item=CHARGES).order_by("start")
    assert list(terms.values_list("amount", "end")) == [
        (euros("45.00"), date(2026, 4, 1)),
        (euros("50.00"), None),
    ]


def test_who_stayed_part_of_the_year_gets_a_whole_years_twelfth(build, home):
    build.lease(unit=home, start=date(2025, 7, 1), charges="45.00")
    build.called(*months(7))
    spent("1000.00", building=home.building)
    run = settled()

    assert preview_provisions(run, since=date(2026, 4, 1))[0].proposed == euros("50.00")


def test_months_already_called_are_left_to_the_next_run(build, owing):
    run = settled()
    build.called(date(2026, 4, 1))
    apply_provisions(run, since=date(2026, 4, 1), by=None, now=NOW)
    build.called(date(2026, 4, 1))

    called = owing.calls.filter(month=date(2026, 4, 1), item=CHARGES).order_by("version")
    assert [one.amount for one in called] == [euros("45.00"), euros("5.00")]


def test_a_lease_keeps_its_provision_with_its_reason(build, owing, home):
    gone = build.lease(unit=build.unit(building=home.building), start=date(2024, 1, 1), end=date(2026, 2, 1),
                       charges="20.00")  # fmt: skip
    short = build.lease(unit=build.unit(building=home.building), start=date(2025, 12, 1), charges="20.00")
    RentTerm.objects.filter(lease=owing, item=CHARGES).update(end=date(2026, 6, 1))
    RentTerm.objects.create(lease=owing, item=CHARGES, amount=euros("48.00"), start=date(2026, 6, 1))
    build.called(*months())
    run = settled()

    kept = {one.lease_id: one.kept for one in preview_provisions(run, since=date(2026, 4, 1))}
    assert kept == {owing.pk: "later", gone.pk: "ended", short.pk: "too_short"}
    with pytest.raises(SettlementRefused):
        preview_provisions(run, since=date(2025, 6, 1))
