"""Deposits: called once within the ceiling, given back in time, kept only with proof."""

from datetime import date

import pytest
from django.core.management import call_command

from core.money import euros
from leases import lifecycle, operations, tenant_account
from leases.kinds import KINDS
from leases.ledger import DEPOSIT
from leases.models import Account, Deposit, Operation
from leases.operations import DEPOSIT_CALLED
from leases.proof import check_ledger
from leases.tenancy import departure, deposits, notices
from leases.tenancy.departure import DepartureRefused
from leases.tenancy.deposits import DepositRefused
from tests.builders import NOW

pytestmark = pytest.mark.django_db
JANUARY, MARCH = date(2026, 1, 1), date(2026, 3, 1)


def called(lease, **kwargs):
    kwargs = {"on": MARCH, "by": None, "now": NOW} | kwargs
    return deposits.call_deposit(lease, **kwargs)


def left(build, *, deposit="520.00", rent="520.00", keys=date(2026, 1, 15), kind="L89_VIDE", **kwargs):
    """Who gave the keys back, owing nothing, with the deposit held."""
    lease = build.lease(rent=rent, deposit=euros(deposit), end=keys, out=None, kind=kind, **kwargs)
    lease.occupancies.update(end=None)
    lifecycle.return_keys(lease, on=keys, by=None, now=NOW)
    deposits.take_over_deposits([lease], on=date(2025, 1, 1), by=None, now=NOW)
    return lease


def with_address(lease):
    notices.record_address(
        lease, new_address="3 rue Neuve, Lens", iban="FR76 3000 4000 0312 3456 7890 143", by=None
    )
    return lease


# ---- what may be asked ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "rent", "charges", "most"),
    [
        ("L89_VIDE", "465.00", "80.00", "465.00"),  # one month of rent without charges (art. 22)
        ("L89_MEUBLE", "465.00", "80.00", "930.00"),  # two (art. 25-6)
        ("CONV_APL", "310.00", None, "310.00"),
        ("RESIDENCE_SOCIALE", "300.00", "120.00", "420.00"),  # one month of redevance
        ("CHRS", "90.00", None, "0.00"),
        ("ALT", "90.00", None, "0.00"),
    ],
)
def test_the_ceiling_is_that_of_the_contract(build, kind, rent, charges, most):
    assert deposits.ceiling(build.lease(kind=kind, rent=rent, charges=charges)) == euros(most)


def test_a_deposit_above_the_ceiling_is_refused_with_its_article(build):
    lease = build.lease(rent="465.00", deposit=euros("500.00"))

    with pytest.raises(DepositRefused, match="art. 22"):
        called(lease)
    assert not Operation.objects.exists()


def test_a_deposit_is_owed_like_any_debt_and_called_once(build):
    lease = build.lease(rent="465.00", deposit=euros("465.00"))
    called(lease)

    assert tenant_account.balance(lease, MARCH) == euros("465.00")
    assert deposits.held(lease) == euros("465.00")
    with pytest.raises(DepositRefused, match="called already"):
        called(lease)
    assert not check_ledger()


def test_in_instalments_each_month_owes_its_part(build):
    lease = build.lease(rent="400.00", deposit=euros("400.00"))
    called(lease, instalments=3)

    dues = Operation.objects.filter(kind=DEPOSIT_CALLED).order_by("due").values_list("due", "amount")
    assert list(dues) == [
        (date(2026, 3, 1), euros("133.34")),
        (date(2026, 4, 1), euros("133.33")),
        (date(2026, 5, 1), euros("133.33")),
    ]


def test_a_deposit_called_by_mistake_is_undone_and_can_be_called_again(build):
    lease = build.lease(rent="400.00", deposit=euros("400.00"))
    called(lease)
    deposits.undo_call(lease, on=MARCH, reason="Wrong lease", by=None, now=NOW)
    assert deposits.held(lease) == euros(0)

    called(lease, payer="loca_pass")

    assert deposits.held(lease) == euros("400.00")
    assert Deposit.objects.get().payer == "loca_pass"
    assert not check_ledger()


def test_a_receipt_tells_what_was_paid_of_it(build):
    lease = build.lease(rent="400.00", deposit=euros("400.00"))
    called(lease)
    with pytest.raises(DepositRefused):
        deposits.deposit_receipt(lease, MARCH)
    build.paid(lease, "250.00", bank=build.bank(), on=MARCH)

    assert deposits.deposit_receipt(lease, MARCH).received == euros("250.00")


# ---- taken over ------------------------------------------------------------------------------


def test_a_deposit_taken_over_is_held_and_the_tenant_owes_nothing_for_it(build):
    lease = build.lease(deposit=euros("465.00"))

    for _again in range(2):
        deposits.take_over_deposits([lease], on=JANUARY, by=None, now=NOW)

    assert deposits.held(lease) == euros("465.00")
    assert tenant_account.balance(lease, MARCH) == euros(0)
    assert not check_ledger()


@pytest.mark.parametrize("count", [2, 40])
def test_deposits_are_taken_over_in_as_many_queries_whatever_their_number(
    build, count, django_assert_num_queries
):
    leases = [build.lease(deposit=euros("465.00")) for _number in range(count)]
    build.called(MARCH)

    with django_assert_num_queries(22):
        assert deposits.take_over_deposits(leases, on=JANUARY, by=None, now=NOW) == count


# ---- by when, and what being late costs --------------------------------------------------------


@pytest.mark.parametrize(
    ("conforms", "deadline"),
    [(True, date(2025, 12, 30)), (False, date(2026, 1, 30)), (None, date(2025, 12, 30))],
)
def test_w13_one_month_from_the_keys_where_the_exit_conforms_else_two(conforms, deadline):
    """Loi 89-462, art. 22: keys back 2025-11-30."""
    found = deposits.return_deadline(KINDS["L89_VIDE"], keys_on=date(2025, 11, 30), conforms=conforms)
    assert found[0] == deadline


def test_a_residence_gives_back_in_fifteen_days():
    found = deposits.return_deadline(KINDS["RESIDENCE_SOCIALE"], keys_on=date(2026, 3, 1), conforms=False)
    assert found[0] == date(2026, 3, 16)


def test_w14_a_month_begun_late_costs_a_tenth_of_the_rent():
    """Loi 89-462, art. 22: rent 520.00, keys 2026-01-15, conforms, returned 2026-03-02: 52.00."""
    kind = KINDS["L89_VIDE"]
    deadline, _rule = deposits.return_deadline(kind, keys_on=date(2026, 1, 15), conforms=True)
    cost = {"deadline": deadline, "rent": euros("520.00"), "owed": euros("520.00")}

    assert deadline == date(2026, 2, 15)
    assert deposits.late_cost(kind, on=date(2026, 2, 15), **cost) == euros(0)
    assert deposits.late_cost(kind, on=date(2026, 3, 2), **cost) == euros("52.00")
    assert deposits.late_cost(kind, on=date(2026, 3, 15), **cost) == euros("52.00")
    assert deposits.late_cost(kind, on=date(2026, 3, 16), **cost) == euros("104.00")
    assert deposits.late_cost(kind, on=date(2026, 3, 2), address_known=False, **cost) == euros(0)
    assert deposits.late_cost(kind, on=date(2026, 3, 2), **cost | {"owed": euros(0)}) == euros(0)


def test_w14_is_shown_before_and_posted_by_the_final_account(build):
    lease = with_address(left(build))

    shown = departure.preview_final_account(lease, on=date(2026, 3, 2))
    assert (shown.late, shown.to_transfer) == (euros("52.00"), euros("572.00"))

    final = departure.close_account(lease, on=date(2026, 3, 2), by=None, now=NOW)
    assert final.transfer.amount == euros("572.00")
    assert tenant_account.balance(lease, date(2026, 3, 2)) == euros("-572.00")
    assert not check_ledger()


def test_a_residence_owes_legal_interest_not_a_tenth_of_the_rent():
    """36.5 days' worth at 6.67 %: 400.00 × 6.67 % × 73 / 365 = 5.34."""
    kind = KINDS["RESIDENCE_SOCIALE"]
    cost = deposits.late_cost(
        kind, deadline=date(2026, 3, 16), on=date(2026, 5, 28), rent=euros("520.00"), owed=euros("400.00")
    )
    assert cost == euros("5.34")


def test_legal_interest_changes_with_the_half_year():
    one = deposits.legal_interest(euros("1000.00"), since=date(2025, 6, 30), on=date(2025, 12, 31))
    both = deposits.legal_interest(euros("1000.00"), since=date(2025, 6, 20), on=date(2025, 12, 31))

    assert one == euros("33.52")  # 184 days at 6.65 %
    assert both == euros("35.50")  # and 10 at 7.21 %


# ---- what is kept ------------------------------------------------------------------------------


def test_a_deduction_is_charged_after_wear(build):
    """Paint of four years: one of franchise, three at 15 %: 55 % of 600.00."""
    lease = left(build, keys=date(2026, 1, 15))
    made = deposits.add_deduction(
        lease, nature="damage", label="Paint of the bedroom", category="paint", cost=euros("600.00"),
        new_since=date(2022, 1, 10), on=date(2026, 1, 15), by=None,
    )  # fmt: skip

    assert (made.share, made.amount) == (55, euros("330.00"))


def test_nothing_is_kept_without_proof(build):
    lease = left(build)
    kept = {"nature": "cleaning", "label": "Cleaning", "cost": euros("80.00"), "on": date(2026, 1, 15)}
    made = deposits.add_deduction(lease, **kept, by=None)

    with pytest.raises(DepartureRefused, match="without proof"):
        departure.close_account(lease, on=date(2026, 1, 20), by=None, now=NOW)

    deposits.remove_deduction(made, by=None)
    deposits.add_deduction(lease, **kept, proof="invoice", proof_reference="F-12", by=None)
    final = departure.close_account(lease, on=date(2026, 1, 20), by=None, now=NOW)
    assert (final.repairs, final.to_transfer) == (euros("80.00"), euros("440.00"))
    with pytest.raises(DepositRefused):
        deposits.remove_deduction(final.deductions.get(), by=None)


def test_unpaid_rent_is_set_off_and_what_remains_is_to_pay(build):
    lease = left(build, deposit="310.00", rent="310.00", keys=date(2026, 3, 31))
    build.called(MARCH, date(2026, 2, 1))
    owed = tenant_account.balance(lease, date(2026, 4, 5))

    final = departure.close_account(lease, on=date(2026, 4, 5), by=None, now=NOW)

    assert owed > euros("310.00")
    assert (final.to_pay, final.to_transfer) == (owed - euros("310.00"), euros(0))
    assert tenant_account.balance(lease, date(2026, 4, 5)) == final.to_pay
    assert not check_ledger()


# ---- a fifth kept until the charges ----------------------------------------------------------------


def shared_home(build, **kwargs):
    building = build.building()
    build.unit(building=building)
    return left(build, unit=build.unit(building=building), **kwargs)


def test_a_fifth_may_be_kept_in_a_building_of_several_homes_and_is_settled_later(build):
    """Loi 89-462, art. 22: at most 20 % until the year's accounts are approved."""
    lease = shared_home(build)
    with pytest.raises(DepartureRefused, match="At most"):
        departure.preview_final_account(lease, on=date(2026, 1, 20), keep=euros("104.01"))

    first = departure.close_account(lease, on=date(2026, 1, 20), keep=euros("104.00"), by=None, now=NOW)
    assert (first.to_transfer, deposits.held(lease)) == (euros("416.00"), euros("104.00"))

    second = departure.close_account(lease, on=date(2026, 6, 1), by=None, now=NOW)
    assert second.stage == 2
    assert second.given_back == euros("104.00")
    assert deposits.held(lease) == euros(0)
    with pytest.raises(DepartureRefused, match="made already"):
        departure.close_account(lease, on=date(2026, 6, 2), by=None, now=NOW)
    assert not check_ledger()


def test_nothing_is_kept_for_charges_in_a_house_or_a_residence(build):
    assert departure.preview_final_account(left(build), on=date(2026, 1, 20)).most_kept == euros(0)
    lease = shared_home(build, kind="RESIDENCE_SOCIALE")
    assert departure.preview_final_account(lease, on=date(2026, 1, 20)).most_kept == euros(0)


# ---- once, undone by its opposite -------------------------------------------------------------------


def test_the_final_account_is_made_once_and_undone_by_its_opposite(build):
    lease = left(build)
    final = departure.close_account(lease, on=date(2026, 1, 20), by=None, now=NOW)
    with pytest.raises(DepartureRefused, match="made already"):
        departure.close_account(lease, on=date(2026, 1, 21), by=None, now=NOW)

    departure.undo_final_account(final, on=date(2026, 1, 22), reason="Wrong", by=None, now=NOW)

    assert deposits.held(lease) == euros("520.00")
    assert tenant_account.balance(lease, date(2026, 1, 22)) == euros(0)
    final.transfer.refresh_from_db()
    assert final.transfer.cancelled_on == date(2026, 1, 22)
    again = departure.close_account(lease, on=date(2026, 1, 23), by=None, now=NOW)
    assert again.to_transfer == euros("520.00")
    assert not check_ledger()


def test_money_sent_is_not_undone(build):
    lease = left(build)
    final = departure.close_account(lease, on=date(2026, 1, 20), by=None, now=NOW)
    assert departure.mark_sent([final.transfer], on=date(2026, 1, 21), by=None) == 1
    assert departure.mark_sent([final.transfer], on=date(2026, 1, 22), by=None) == 0

    with pytest.raises(DepartureRefused, match="sent"):
        departure.undo_final_account(final, on=date(2026, 1, 22), reason="Wrong", by=None, now=NOW)


def test_a_home_under_mandate_keeps_its_deposit_in_its_owners_book(build):
    owner = build.owner("private")
    lease = left(build, unit=build.unit(owner=owner, title="mandate"))
    account = Account.objects.get(kind=DEPOSIT, lease=lease)

    departure.close_account(lease, on=date(2026, 1, 20), by=None, now=NOW)

    assert account.book.owner == owner
    assert operations.total(operations.DEPOSIT_GIVEN_BACK) == euros("520.00")
    assert not check_ledger()


# ---- the worklist ----------------------------------------------------------------------------------


def test_deposits_to_return_the_most_urgent_first_with_what_waiting_costs(build):
    late = with_address(left(build, keys=date(2026, 1, 15)))
    soon = with_address(left(build, keys=date(2026, 2, 3)))
    gone = left(build, keys=date(2026, 1, 10))
    departure.close_account(gone, on=date(2026, 1, 12), by=None, now=NOW)
    build.lease(deposit=euros("465.00"))

    rows = departure.to_return(date(2026, 3, 2))

    assert [(one.lease, one.state(date(2026, 3, 2))) for one in rows] == [(late, "late"), (soon, "soon")]
    assert [(one.late, one.next_late) for one in rows] == [
        (euros("52.00"), euros("104.00")),
        (euros(0), euros("52.00")),
    ]


@pytest.mark.parametrize("count", [2, 40])
def test_the_worklist_takes_as_many_queries_whatever_its_length(build, count, django_assert_num_queries):
    for _number in range(count):
        left(build)

    with django_assert_num_queries(10):
        assert len(departure.to_return(date(2026, 3, 2))) == count


def test_the_deposits_of_the_stock_are_taken_over_by_a_command(build, capsys):
    here = build.lease(deposit=euros("465.00"))
    build.lease(deposit=euros("465.00"), end=date(2025, 1, 1))

    call_command("take_over_deposits", "--on", "2026-01-01")

    assert "1 deposits" in capsys.readouterr().out
    assert deposits.held(here) == euros("465.00")


def test_a_command_lists_what_is_urgent(build, capsys):
    lease = with_address(left(build, keys=date(2026, 1, 15)))
    build.lease(kind="CHRS", start=date(2023, 1, 1))

    call_command("overdue_departures", "--on", "2026-03-02")

    told = capsys.readouterr().out
    assert f"{lease.reference} 2026-02-15 520.00 52.00 late" in told
    assert "1 stays over" in told
