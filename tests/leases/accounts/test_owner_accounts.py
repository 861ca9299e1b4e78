"""What an owner is told and charged: fees of what was really received, and a statement equal to the ledger."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from core.money import euros, from_cents
from core.periods import Period
from leases import ledger, operations
from leases.accounts.owner_accounts import (
    OwnerStatement,
    figures_of,
    latest_statements,
    make_statements,
    statement_facts,
)
from leases.accounts.owner_dues import (
    CannotCharge,
    Guarantee,
    call_head_rents,
    charge_invoice,
    owed_head_rents,
)
from leases.accounts.owner_fees import CannotCount, Fee, post_fees, shared, within
from leases.accounts.owner_terms import Basis, WrongTerms, import_terms, set_head_rent, set_terms
from leases.accounts.owner_year import property_income
from leases.operations import Operation
from leases.proof import check_ledger
from tests.leases.accounts.owners import (
    APRIL,
    MARCH,
    NOW,
    head_leased,
    held_in_ledger,
    mandated,
    month_made,
    statement,
)

pytestmark = pytest.mark.django_db
LAST_OF_MARCH, LAST_OF_APRIL = date(2026, 3, 31), date(2026, 4, 30)
IN_MAY = datetime(2026, 5, 2, 9, tzinfo=UTC)


@pytest.fixture
def bank(build):
    return build.bank()


def fees(month=MARCH, now=NOW):
    return post_fees(month, by=None, now=now)


# ---- fees ---------------------------------------------------------------------------------


def test_the_fee_counts_what_was_really_received(build, bank):
    owner, lease = mandated(build, rent="465.00")
    build.called(MARCH)
    statement((lease, "300.00", date(2026, 3, 6)))
    fees()

    fee = Fee.objects.get(owner=owner)
    assert (fee.taken, fee.vat) == (euros("21.00"), euros("4.20"))
    assert figures_of(MARCH)[owner.pk].held == euros("274.80")
    assert not check_ledger()


def test_a_fee_is_posted_once_whatever_is_asked(build, bank):
    owner, lease = mandated(build)
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)))
    fees()
    again = fees()

    assert again.owners == 0
    assert Operation.objects.filter(kind=operations.FEE).count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        Fee.objects.create(
            owner=owner,
            month=MARCH,
            brought=euros(0),
            due=euros(0),
            taken=euros(0),
            vat_rate=20,
            vat=euros(0),
        )


def test_a_returned_payment_is_deducted_from_the_next_month(build, bank):
    owner, lease = mandated(build)
    build.called(MARCH, APRIL)
    statement((lease, "465.00", date(2026, 3, 6)))
    fees()
    statement(
        (lease, "465.00", date(2026, 4, 6)),
        (None, "-465.00", date(2026, 4, 9), {"kind": "return", "end_to_end": f"{lease.payment_reference}-1"}),
        start=APRIL,
        end=LAST_OF_APRIL,
        opening="465.00",
    )
    fees(APRIL, IN_MAY)

    assert [fee.taken for fee in Fee.objects.order_by("month")] == [euros("32.55"), euros(0)]
    assert not check_ledger()


def test_a_return_alone_gives_the_fee_back(build, bank):
    owner, lease = mandated(build)
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)), (lease, "100.00", date(2026, 3, 7)))
    fees()
    statement(
        (None, "-465.00", date(2026, 4, 9), {"kind": "return", "end_to_end": f"{lease.payment_reference}-1"}),
        start=APRIL,
        end=LAST_OF_APRIL,
        opening="565.00",
    )
    fees(APRIL, IN_MAY)

    assert [fee.taken for fee in Fee.objects.order_by("month")] == [euros("39.55"), euros("-32.55")]
    assert held_in_ledger(owner, LAST_OF_APRIL) == euros("91.60")  # 100.00 less 7.00 and VAT 1.40
    assert not check_ledger()


def test_a_fee_of_what_was_called_never_takes_more_than_is_held(build, bank):
    owner, lease = mandated(build, rent="1000.00")
    set_terms(owner=owner, start=date(2026, 1, 1), basis=Basis.CALLED, rate=10, by=None)
    build.called(MARCH)
    statement((lease, "60.00", date(2026, 3, 6)))
    fees()

    fee = Fee.objects.get()
    assert (fee.due, fee.taken, fee.vat, fee.carried) == tuple(
        map(euros, ("100.00", "50.00", "10.00", "50.00"))
    )
    assert held_in_ledger(owner, LAST_OF_MARCH) == euros(0)

    statement((lease, "500.00", date(2026, 4, 6)), start=APRIL, end=LAST_OF_APRIL, opening="60.00")
    fees(APRIL, IN_MAY)

    assert Fee.objects.get(month=APRIL).taken == euros("50.00")
    assert not check_ledger()


def test_a_fixed_fee_a_home_counts_the_days_held(build, bank):
    owner, lease = mandated(build)
    set_terms(owner=owner, start=date(2026, 1, 1), basis=Basis.UNIT, per_unit=euros("31.00"), by=None)
    other = build.unit(owner=owner, title="mandate", held=(date(2026, 3, 17), None))
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)))
    fees()

    lines = {line.unit_id: line.amount for line in Fee.objects.get().lines.exclude(amount=0)}
    assert lines[other.pk] == euros("15.00")
    assert sum(lines.values(), euros(0)) == euros("46.00")


def test_an_owner_without_vat_is_charged_none(build, bank):
    owner, lease = mandated(build)
    set_terms(owner=owner, start=date(2026, 1, 1), basis=Basis.RECEIVED, rate=10, vat=False, by=None)
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)))
    fees()

    assert (Fee.objects.get().taken, Fee.objects.get().vat) == (euros("46.50"), euros(0))


def test_a_deposit_received_bears_no_fee(build, bank):
    owner, lease = mandated(build)
    build.called(MARCH)
    tenant = operations.tenant_accounts([lease.pk])[lease.pk]
    held = operations.account(ledger.DEPOSIT, book=tenant.book_id, lease=lease)
    draft = Operation(
        kind=operations.DEPOSIT_CALLED, key="deposit 1", **operations.between(tenant, held),
        amount=euros("400.00"), on=MARCH, due=MARCH,
    )  # fmt: skip
    operations.post([draft], label="Deposit", by=None, now=NOW)
    statement((lease, "865.00", date(2026, 3, 6)))
    fees()

    assert Fee.objects.get().taken == euros("32.55")
    figures = figures_of(MARCH)[owner.pk]
    assert figures.deposits == euros("400.00")
    assert figures.to_pay == figures.held - euros("400.00")


def test_a_month_not_over_and_an_earlier_month_are_refused(build, bank):
    mandated(build)
    build.called(MARCH)
    with pytest.raises(CannotCount, match="not over"):
        fees(APRIL)
    fees(APRIL, IN_MAY)
    with pytest.raises(CannotCount, match="already counted"):
        fees(MARCH, IN_MAY)


def test_the_cents_of_a_fee_go_to_the_largest_parts_in_order():
    assert shared([Fraction(5, 2), Fraction(5, 2), Fraction(1, 3)]) == [3, 2, 0]
    assert shared([Fraction(-7, 2)]) == [-4]


@given(st.lists(st.fractions(min_value=-1000, max_value=1000, max_denominator=997), min_size=1, max_size=20))
def test_shared_cents_add_up_to_the_sum_rounded_half_up(parts):
    cents, whole = shared(parts), sum(parts, Fraction(0))

    assert abs(sum(cents) - whole) <= Fraction(1, 2)
    assert all(abs(cent - part) < 1 for cent, part in zip(cents, parts, strict=True))


@given(st.integers(1, 100_000), st.sampled_from(["0", "19.6", "20"]), st.integers(0, 100_000))
def test_a_fee_with_its_vat_never_takes_more_than_there_is(wanted, percent, most):
    from decimal import Decimal

    from leases.accounts.owner_fees import vat_of

    taken = within(from_cents(wanted), Decimal(percent), from_cents(most))
    assert taken + vat_of(taken, Decimal(percent)) <= from_cents(most)
    assert euros(0) <= taken <= from_cents(wanted)


# ---- terms --------------------------------------------------------------------------------


def test_terms_of_a_home_go_before_those_of_its_owner_from_their_first_day(build, bank):
    owner, lease = mandated(build, rent="1000.00")
    set_terms(owner=owner, start=date(2026, 1, 1), basis=Basis.RECEIVED, rate=5, by=None)
    holding = owner.holdings.get()
    set_terms(holding=holding, start=APRIL, basis=Basis.RECEIVED, rate=9, by=None)
    build.called(MARCH, APRIL)
    statement((lease, "1000.00", date(2026, 3, 6)))
    statement((lease, "1000.00", date(2026, 4, 6)), start=APRIL, end=LAST_OF_APRIL, opening="1000.00")
    fees()
    fees(APRIL, IN_MAY)

    assert [fee.taken for fee in Fee.objects.order_by("month")] == [euros("50.00"), euros("90.00")]


def test_terms_without_rate_or_without_mandate_are_refused(build):
    owner, _lease = mandated(build)
    _other, holding = head_leased(build)
    with pytest.raises(WrongTerms, match="rate is missing"):
        set_terms(owner=owner, start=MARCH, basis=Basis.CALLED, by=None)
    with pytest.raises(WrongTerms, match="No management mandate"):
        set_terms(holding=holding, start=MARCH, basis=Basis.CALLED, rate=5, by=None)
    with pytest.raises(WrongTerms, match="no rent is owed"):
        set_head_rent(owner.holdings.get(), amount=euros("1.00"), start=MARCH, by=None)


def test_terms_come_from_a_file_whole_or_not_at_all(build):
    owner, _lease = mandated(build)
    _other, head = head_leased(build)
    type(head).objects.filter(pk=head.pk).update(reference="BP-1")
    text = (
        "titre_reference;a_partir_du;loyer_proprietaire;assiette_honoraires;taux_honoraires\n"
        f"MG-{owner.pk};01/03/2026;;encaissé;6,5\nBP-1;01/03/2026;320,50;;\n"
    )
    done = import_terms(text.encode(), by=None, now=NOW)
    again = import_terms(text.encode(), by=None, now=NOW)

    assert done.created.total() == 2
    assert again.nothing_new
    assert owed_head_rents(MARCH)[head.pk][1] == 32_050


# ---- head leases --------------------------------------------------------------------------


def test_a_head_rent_is_owed_let_or_not_and_called_once(build):
    owner, holding = head_leased(build)
    call_head_rents(MARCH, by=None, now=NOW)
    again = call_head_rents(MARCH, by=None, now=NOW)

    assert again.owners == 0
    figures = figures_of(MARCH)[owner.pk]
    assert (figures.head_called, figures.head_owed) == (euros("310.00"), euros("310.00"))
    assert not check_ledger()


def test_a_head_rent_changed_late_is_called_by_its_difference(build):
    owner, holding = head_leased(build)
    call_head_rents(MARCH, by=None, now=NOW)
    set_head_rent(holding, amount=euros("279.00"), start=date(2026, 3, 11), by=None)
    call_head_rents(MARCH, by=None, now=NOW)

    # 10 days at 310.00 and 21 at 279.00: 100.00 + 189.00.
    assert figures_of(MARCH)[owner.pk].head_owed == euros("289.00")
    assert not check_ledger()


def test_a_head_lease_of_half_a_month_owes_its_days(build):
    _owner, holding = head_leased(build, held=(date(2026, 3, 22), None))

    assert owed_head_rents(MARCH)[holding.pk][1] == 10_000


# ---- guarantees and invoices --------------------------------------------------------------


def test_unpaid_rent_guaranteed_is_paid_and_given_back_when_the_tenant_pays(build, bank):
    owner, lease = mandated(build)
    owner.holdings.update(unpaid_guaranteed=True)
    build.called(MARCH, APRIL)
    statement((lease, "65.00", date(2026, 3, 6)))
    month_made()

    assert figures_of(MARCH)[owner.pk].guaranteed == euros("400.00")

    statement((lease, "700.00", date(2026, 4, 6)), start=APRIL, end=LAST_OF_APRIL, opening="65.00")
    month_made(APRIL, IN_MAY)

    assert [one.amount for one in Guarantee.objects.order_by("month")] == [euros("400.00"), euros("-235.00")]
    assert not check_ledger()


def test_vacancy_guaranteed_pays_the_last_rent_of_the_empty_days(build, bank):
    owner, lease = mandated(build, rent="310.00", end=date(2026, 3, 11))
    owner.holdings.update(vacancy_guaranteed=True)
    month_made()

    assert Guarantee.objects.get().amount == euros("210.00")  # 21 of 31 days
    assert not check_ledger()


def test_an_invoice_is_charged_to_the_owner_once_and_advanced_where_funds_lack(build, bank):
    owner, lease = mandated(build)
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)))
    said = {
        "supplier": "Plomberie du Nord",
        "number": "F-12",
        "on": date(2026, 3, 20),
        "by": None,
        "now": NOW,
    }
    charge_invoice(owner, amount=euros("500.00"), **said)

    assert held_in_ledger(owner, LAST_OF_MARCH) == euros("-35.00")
    with pytest.raises(CannotCharge, match="already charged"):
        charge_invoice(owner, amount=euros("500.00"), **said)
    assert figures_of(MARCH)[owner.pk].to_pay == euros(0)
    assert not check_ledger()


def test_an_advance_is_repaid_by_what_comes_in(build, bank):
    owner, lease = mandated(build)
    build.called(MARCH, APRIL)
    charge_invoice(
        owner, supplier="Couvreur", number="1", amount=euros("100.00"), on=date(2026, 3, 2), by=None, now=NOW
    )
    statement((lease, "465.00", date(2026, 3, 6)))
    month_made()

    advance = ledger.Account.objects.get(kind=ledger.ADVANCE, book__owner=owner)
    moved = ledger.Posting.objects.filter(credit=advance).get().amount
    assert moved == ledger.Posting.objects.get(debit=advance).amount == euros("100.00")
    assert held_in_ledger(owner, LAST_OF_MARCH) == euros("325.94")
    assert not check_ledger()


# ---- the statement ------------------------------------------------------------------------


def played(build):
    """Two homes of one owner: a partial payment, a benefit, a departure, an invoice, fees."""
    owner, lease = mandated(build, rent="465.00", charges="40.00", benefit="200.00")
    _same, gone = mandated(build, owner, rent="310.00", end=date(2026, 3, 11))
    build.called(MARCH)
    statement((lease, "305.00", date(2026, 3, 6)), (gone, "50.00", date(2026, 3, 9)))
    charge_invoice(
        owner,
        unit=lease.occupancies.get().place.unit,
        supplier="Plomberie du Nord",
        number="F-12",
        amount=euros("80.10"),
        on=date(2026, 3, 20),
        by=None,
        now=NOW,
    )
    month_made()
    return owner, lease, gone


def test_a_statement_equals_the_ledger_to_the_cent(build, bank):
    owner, lease, gone = played(build)
    facts = statement_facts(owner, MARCH)
    figures = facts.figures

    assert figures.held == held_in_ledger(owner, LAST_OF_MARCH) == euros("245.08")
    assert figures.brought + figures.collected - figures.fees - figures.vat - figures.spent == figures.held
    assert sum((unit.collected for unit in facts.units), euros(0)) == figures.collected
    assert sum((unit.called for unit in facts.units), euros(0)) == figures.called
    moved = sum((line.amount for line in facts.lines), euros(0))
    assert figures.brought + figures.collected + moved == figures.held
    assert not check_ledger()


def test_a_statement_tells_each_home(build, bank):
    owner, lease, gone = played(build)
    first, second = statement_facts(owner, MARCH).units

    assert (first.lease, first.called, first.aid, first.paid) == (
        lease.reference, euros("505.00"), euros("200.00"), euros("305.00"),
    )  # fmt: skip
    assert (first.owed, first.aid_waited) == (euros(0), euros("200.00"))
    assert (second.lease, second.called, second.owed, second.vacant) == (
        gone.reference, euros("100.00"), euros("50.00"), 21,
    )  # fmt: skip


def test_what_is_brought_forward_is_what_was_held(build, bank):
    owner, lease, _gone = played(build)
    build.called(APRIL)
    statement((lease, "300.00", date(2026, 4, 6)), start=APRIL, end=LAST_OF_APRIL, opening="355.00")
    month_made(APRIL, IN_MAY)
    march, april = OwnerStatement.objects.order_by("month")

    assert april.brought == march.held
    assert april.held == held_in_ledger(owner, LAST_OF_APRIL)


def test_a_statement_made_stays_and_a_changed_one_is_a_new_version(build, bank):
    owner, lease, _gone = played(build)
    assert make_statements(MARCH, by=None, now=NOW) == 0
    charge_invoice(
        owner, supplier="Serrurier", number="9", amount=euros("10.00"), on=date(2026, 3, 30), by=None, now=NOW
    )
    assert make_statements(MARCH, by=None, now=NOW) == 1

    assert [one.version for one in OwnerStatement.objects.order_by("version")] == [1, 2]
    assert latest_statements(MARCH).get().spent == euros("90.10")
    with pytest.raises(IntegrityError), transaction.atomic():
        OwnerStatement.objects.update(spent=euros(0))


def test_a_year_for_the_return_counts_what_was_really_received_and_paid(build, bank):
    owner, lease, gone = played(build)
    year = property_income(owner, 2026)
    lines = {line: amount for line, _words, amount in year.lines}

    assert year.collected == euros("355.00")
    assert year.charges == euros("23.47")  # 40.00 of 605.00 called
    assert lines == {
        211: euros("331.53"), 213: euros(0), 221: euros("29.82"), 224: euros("80.10"), 225: euros(0),
    }  # fmt: skip


def test_the_month_takes_as_many_statements_for_forty_owners_as_for_two(build, bank):
    def queries(count: int, month: date, before: int) -> int:
        leases = [mandated(build)[1] for _at in range(count)]
        build.called(month)
        whole = Period.month(month)
        paid = [(lease, "465.00", whole.last_day) for lease in leases]
        opening = str((euros("465.00") * before).amount)
        statement(*paid, start=month, end=whole.last_day, opening=opening)
        with CaptureQueriesContext(connection) as seen:
            month_made(month, datetime(whole.end.year, whole.end.month, 2, 9, tzinfo=UTC))
        return len(seen)

    queries(1, date(2026, 2, 1), 0)  # opens the association's own accounts
    assert queries(1, MARCH, 1) == queries(38, APRIL, 2)
