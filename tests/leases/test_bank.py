"""Statements one after another, suspense, and grouped transfers split by their list."""

from dataclasses import replace
from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.money import euros
from leases import bank, proof, remittances, suspense
from leases.formats.benefit_list import BenefitLine, BenefitList, write_list
from leases.formats.camt import write_statements
from leases.models import Allocation, Movement, PayerIban, Posting, Statement
from tests.builders import NOW
from tests.leases.statements import OTHER_PAYER, PAYER, camt_file, cents, cfonb_file, received, statement

pytestmark = pytest.mark.django_db

MARCH = date(2026, 3, 1)
DAY_10, DAY_11, DAY_20 = date(2026, 3, 10), date(2026, 3, 11), date(2026, 3, 20)
LATER = date(2026, 4, 2)


def imported(data: bytes):
    return bank.import_statement(data, "releve.xml", by=None, now=NOW)


def one(amount="465.00", day=5, **said):
    return received(amount, date(2026, 3, day), **said)


# ---- one statement after another ----


def test_the_same_file_again_changes_nothing(build):
    build.bank()
    data = camt_file(one())
    first = imported(data)

    again = imported(data)

    assert (first.movements, again.movements, again.known, again.changed) == (1, 0, 1, False)
    assert Statement.objects.count() == Movement.objects.count() == Posting.objects.count() == 1


def test_two_identical_movements_of_a_day_are_two(build):
    build.bank()

    assert imported(camt_file(one("20.00"), one("20.00"))).movements == 2
    assert sorted(Movement.objects.values_list("occurrence", flat=True)) == [1, 2]


def test_days_shared_with_the_last_statement_are_not_counted_twice(build):
    build.bank()
    imported(camt_file(one("20.00", 4), one("30.00", 9), one("30.00", 9), end=DAY_10))

    got = imported(
        camt_file(
            one("30.00", 9),
            one("30.00", 9),
            one("50.00", 12),
            opening="20.00",
            start=date(2026, 3, 5),
            end=DAY_20,
        )
    )

    assert (got.movements, got.known) == (1, 2)
    last = Statement.objects.latest("end")
    assert (last.start, last.opening, last.closing) == (DAY_11, euros("80.00"), euros("130.00"))
    assert not proof.check_ledger()


def test_shared_days_must_agree(build):
    build.bank()
    imported(camt_file(one("20.00", 4), one("30.00", 9), end=DAY_10))

    with pytest.raises(bank.DaysDisagree, match="09/03/2026"):
        imported(
            camt_file(one("31.00", 9), one("50.00", 12), opening="20.00", start=date(2026, 3, 5), end=DAY_20)
        )
    assert Movement.objects.count() == 2


def test_days_all_known_add_nothing(build):
    build.bank()
    imported(camt_file(one("20.00", 4), one("30.00", 9), end=DAY_10))

    assert not imported(
        cfonb_file(one("30.00", 9), opening="20.00", start=date(2026, 3, 5), end=DAY_10)
    ).changed


def test_a_gap_is_refused(build):
    build.bank()
    imported(camt_file(one("20.00", 4), end=DAY_10))

    with pytest.raises(bank.StatementGap) as refused:
        imported(camt_file(one("50.00", 20), opening="45.00", start=date(2026, 3, 15)))
    assert "45.00" in str(refused.value.reason)
    assert Statement.objects.count() == 1


def test_days_without_movements_may_be_missing(build):
    build.bank()
    imported(camt_file(one("20.00", 4), end=DAY_10))

    assert imported(camt_file(one("50.00", 20), opening="20.00", start=date(2026, 3, 15))).movements == 1


def test_a_second_statement_of_the_same_day_continues_it(build):
    build.bank()
    imported(camt_file(one("20.00", 10), end=DAY_10))

    second = statement(one("20.00", 10), opening="20.00", start=DAY_10, end=DAY_10)
    imported(write_statements([replace(second, number="R2")]))

    assert list(Movement.objects.values_list("occurrence", flat=True)) == [1, 2]
    assert not proof.check_ledger()


def test_a_movement_booked_late_is_one_more(build):
    build.bank()
    imported(camt_file(one("20.00", 9), end=DAY_10))

    imported(camt_file(one("20.00", 9), opening="20.00", start=DAY_11, end=DAY_20))

    assert sorted(Movement.objects.values_list("booked", "occurrence")) == [
        (date(2026, 3, 9), 1),
        (date(2026, 3, 9), 2),
    ]


def test_a_file_whose_second_statement_does_not_follow_is_refused_whole(build):
    build.bank()
    first = statement(one("20.00", 4), end=DAY_10)
    second = statement(one("30.00", 12), opening="99.00", start=DAY_11, end=DAY_20)

    with pytest.raises(bank.StatementGap):
        imported(write_statements([first, second]))
    assert not Statement.objects.exists()


def test_a_file_of_daily_statements_is_one_statement_a_day(build):
    build.bank()
    first = statement(one("20.00", 4), end=DAY_10)
    second = statement(one("30.00", 12), opening="20.00", start=DAY_11, end=DAY_20)

    assert len(imported(write_statements([first, second])).parts) == 2
    assert not imported(write_statements([first, second])).changed
    assert not proof.check_ledger()


def test_an_account_that_is_not_declared_is_refused_with_what_to_do(build):
    with pytest.raises(bank.NotOurAccount, match="Declare the account"):
        imported(camt_file(one()))


def test_a_movement_of_no_amount_is_left_aside(build):
    build.bank()

    got = imported(camt_file(one(), replace(one(), amount_cents=0)))

    assert (got.movements, got.zero) == (1, 1)


def test_as_many_queries_for_40_movements_as_for_2(build):
    leases = [build.lease(debit_mandate=f"RUM-{number}") for number in range(40)]
    owner = build.owner("private")
    leases[1:1] = [build.lease(unit=build.unit(owner=owner, title="mandate"), iban=PAYER)]
    build.bank()
    build.called(MARCH)
    asked, opening = [], euros("0.00")
    # The first statement opens the accounts that the others find.
    for month, count in ((3, 2), (4, 2), (5, 40)):
        some = leases[:count]
        movements = [
            received(
                "465.00",
                date(2026, month, 5),
                reference=f"LOYER {lease.payment_reference}" if lease.pk % 2 else "",
                mandate=lease.debit_mandate,
                counterparty_iban=PAYER,
            )
            for lease in some
        ]
        data = camt_file(
            *movements, opening=str(opening.amount), start=date(2026, month, 1), end=date(2026, month, 28)
        )
        with CaptureQueriesContext(connection) as queries:
            imported(data)
        asked.append(len(queries))
        opening = Statement.objects.latest("end").closing

    assert asked[2] == asked[1]


# ---- suspense ----


@pytest.fixture
def waiting(build):
    """150 EUR of somebody unknown, in suspense."""
    build.bank()
    imported(camt_file(one("150.00", counterparty_iban=OTHER_PAYER, counterparty_name="GREVISSE PAULE")))
    return Allocation.objects.in_suspense().get()


def settled(line, parts, **kwargs):
    return suspense.settle(line, parts, by=None, on=LATER, now=NOW, **kwargs)


def test_a_suspense_line_is_settled_on_a_lease(build, waiting):
    lease = build.lease()

    [put] = settled(waiting, [(lease, euros("150.00"), None)], remember_iban=True)

    assert (put.lease, put.how, put.settles, put.on) == (lease, "manual", waiting, LATER)
    assert not Allocation.objects.in_suspense().exists()
    assert PayerIban.objects.get().iban == OTHER_PAYER
    assert not proof.check_ledger()


def test_a_suspense_line_may_be_split_and_keep_a_rest(build, waiting):
    one_lease, other = build.lease(), build.lease()

    settled(waiting, [(one_lease, euros("100.00"), MARCH), (other, euros("20.00"), None)])

    assert Allocation.objects.in_suspense().get().left == euros("30.00")
    assert Allocation.objects.get(lease=one_lease).chosen
    assert not proof.check_ledger()


@pytest.mark.parametrize("amounts", [["150.01"], ["100.00", "60.00"], ["-10.00"], ["200.00", "-50.00"], []])
def test_no_more_than_what_is_left_is_settled(build, waiting, amounts):
    lease = build.lease()

    with pytest.raises(suspense.CannotSettle):
        settled(waiting, [(lease, euros(amount), None) for amount in amounts])
    assert Allocation.objects.count() == 1


def test_a_line_is_settled_once(build, waiting):
    lease = build.lease()
    settled(waiting, [(lease, euros("150.00"), None)])

    with pytest.raises(suspense.CannotSettle, match="Nothing is left"):
        settled(waiting, [(lease, euros("150.00"), None)])


def test_what_was_settled_can_be_taken_back(build, waiting):
    [put] = settled(waiting, [(build.lease(), euros("150.00"), None)])

    suspense.unsettle(put, by=None, on=LATER, now=NOW)

    assert Allocation.objects.in_suspense().get().left == euros("150.00")
    assert not proof.check_ledger()
    with pytest.raises(suspense.CannotSettle):
        suspense.unsettle(put, by=None, on=LATER, now=NOW)


def test_what_a_rule_placed_can_be_taken_back_too(build):
    lease = build.lease()
    build.bank()
    imported(camt_file(one(reference=lease.payment_reference)))

    suspense.unsettle(Allocation.objects.get(), by=None, on=LATER, now=NOW)

    assert Allocation.objects.in_suspense().get().left == euros("465.00")
    assert not proof.check_ledger()


def test_a_mandants_lease_is_settled_through_what_is_held_for_the_owner(build, waiting):
    owner = build.owner("private")
    lease = build.lease(unit=build.unit(owner=owner, title="mandate"))

    settled(waiting, [(lease, euros("150.00"), None)])

    assert Posting.objects.filter(leg=1).get().credit.book.owner == owner
    assert not proof.check_ledger()


# ---- suggestions ----


def first_suggestion(line):
    return suspense.suggestions(line)[0]


def test_name_and_amount_suggest_in_words(build, waiting):
    build.lease(rent="90.00")
    lease = build.lease(rent="150.00", household=build.household("Grévisse"))
    build.called(MARCH)

    best = first_suggestion(waiting)

    assert best.lease == lease
    assert best.reasons == (
        "The last name is of somebody who lives there or signed.",
        "The amount is all that it owes.",
        "The amount is what it was called.",
    )


def test_who_was_settled_before_is_suggested_first(build, waiting):
    lease = build.lease()
    build.lease(household=build.household("Grevisse"))
    settled(waiting, [(lease, euros("150.00"), None)])
    imported(
        camt_file(
            received("30.00", date(2026, 4, 2), counterparty_name="GREVISSE PAULE"),
            opening="150.00",
            start=date(2026, 4, 1),
            end=date(2026, 4, 30),
        )
    )

    assert first_suggestion(Allocation.objects.in_suspense().get()).lease == lease


def test_a_mistyped_reference_and_a_homes_reference_are_suggested(build):
    mistyped, home = build.lease(), build.lease(unit=build.unit(reference="LOM-0417"))
    build.bank()
    wrong = mistyped.payment_reference[:-2] + ("11" if mistyped.payment_reference[-2:] != "11" else "12")
    imported(camt_file(one("5.00", reference=f"LOYER {wrong}"), one("6.00", reference="APPT LOM-0417")))

    by_amount = {line.amount: first_suggestion(line).lease for line in Allocation.objects.in_suspense()}
    assert by_amount == {euros("5.00"): mistyped, euros("6.00"): home}


# ---- payment lists ----


def benefit_line(number: str, amount: str, line=2, month=MARCH, lease="", **more) -> BenefitLine:
    return BenefitLine(line, number, "NOM", lease, month, cents(amount), **more)


def list_of(*lines, payer="CAF", reference="VIRCAF0326") -> bytes:
    total = sum(line.net_cents for line in lines)
    return write_list(BenefitList(payer, reference, date(2026, 3, 25), total, lines))


def split(data: bytes):
    return remittances.import_payment_list(data, by=None, now=NOW)


def test_a_grouped_transfer_is_split_by_its_list_and_its_odd_line_waits(build):
    first = build.lease(rent="400.00", benefit="200.00")
    second = build.lease(rent="400.00", benefit="150.00")
    build.bank()
    build.called(MARCH)
    imported(camt_file(one("380.00", 25, label="VIR CAF DU NORD", reference="APL MARS VIRCAF0326")))

    done = split(
        list_of(
            benefit_line(first.benefits.get().beneficiary_number, "200.00"),
            benefit_line(second.benefits.get().beneficiary_number, "150.00", recovery_cents=1000),
            benefit_line("9999999", "40.00"),
        )
    )

    assert (done.settled, done.odd, done.odd_total) == (2, 1, euros("40.00"))
    put = {one.lease: one for one in Allocation.objects.filter(how="list")}
    assert (put[first].amount, put[first].month, put[first].account.kind) == (euros("200.00"), MARCH, 2)
    assert put[second].amount == euros("140.00")
    odd = Allocation.objects.in_suspense().get()
    assert (odd.left, remittances.odd_line(odd.note)[1]["beneficiary"]) == (euros("40.00"), "9999999")
    assert not proof.check_ledger()


def test_the_same_list_again_changes_nothing(build):
    lease = build.lease(benefit="200.00")
    build.bank()
    imported(camt_file(one("200.00", 25, bank_reference="VIRCAF0326")))
    data = list_of(benefit_line(lease.benefits.get().beneficiary_number, "200.00"))
    split(data)

    assert split(data).already
    assert Allocation.objects.filter(how="list").count() == 1


def test_an_odd_line_can_be_settled_by_hand(build):
    build.bank()
    imported(camt_file(one("40.00", 25, bank_reference="VIRCAF0326")))
    split(list_of(benefit_line("9999999", "40.00")))

    settled(
        Allocation.objects.in_suspense().get(), [(build.lease(), euros("40.00"), None)], remember_iban=True
    )

    assert not Allocation.objects.in_suspense().exists()
    assert not proof.check_ledger()


def test_a_batch_of_debits_goes_to_the_tenants(build):
    leases = [build.lease(), build.lease(unit=build.unit(owner=build.owner("private"), title="mandate"))]
    build.bank()
    build.called(MARCH)
    imported(camt_file(one("930.00", 25, kind="direct_debit", label="REMISE PRLV", bank_reference="REM42")))

    split(
        list_of(
            benefit_line("", "465.00", lease=leases[0].reference),
            benefit_line("", "465.00", lease=leases[1].payment_reference),
            payer="PRLV",
            reference="REM42",
        )
    )

    assert {put.account.kind for put in Allocation.objects.filter(how="list")} == {1}
    assert not proof.check_ledger()


def test_a_list_of_another_total_is_refused(build):
    build.bank()
    imported(camt_file(one("200.00", 25, bank_reference="VIRCAF0326")))

    with pytest.raises(remittances.ListDiffers, match="150.00"):
        split(list_of(benefit_line("1", "150.00")))


def test_a_list_before_its_statement_is_refused_with_what_to_do(build):
    build.bank()

    with pytest.raises(remittances.NoSuchTransfer, match="Import the statement first"):
        split(list_of(benefit_line("1", "150.00")))


def test_a_reference_within_a_longer_one_is_another_transfer(build):
    build.bank()
    imported(camt_file(one("150.00", 25, bank_reference="VIRCAF03260")))

    with pytest.raises(remittances.NoSuchTransfer):
        split(list_of(benefit_line("1", "150.00")))


def test_a_return_after_a_batch_takes_back_its_line(build):
    lease = build.lease()
    build.bank()
    build.called(MARCH)
    imported(
        camt_file(
            one("465.00", 5, kind="direct_debit", label="REMISE PRLV", bank_reference="REM42"), end=DAY_10
        )
    )
    remittances.import_payment_list(
        write_list(
            BenefitList(
                "PRLV", "REM42", date(2026, 3, 5), 46500, (benefit_line("", "465.00", lease=lease.reference),)
            )
        ),
        by=None,
        now=NOW,
    )

    imported(
        camt_file(
            one(
                "-465.00",
                12,
                kind="return",
                end_to_end=f"{lease.payment_reference}-202603",
                return_code="AM04",
            ),
            opening="465.00",
            start=DAY_11,
            end=DAY_20,
        )
    )

    assert Allocation.objects.get(how="return").undoes.how == "list"
