"""Paying owners: what is really held, once, by a file the bank takes, posted by its own reference."""

from datetime import UTC, date, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from lxml import etree

from core.money import euros
from leases import ledger
from leases.accounts.owner_accounts import figures_of
from leases.accounts.owner_dues import call_head_rents, charge_invoice
from leases.accounts.owner_lines import put_to_payout, take_contribution
from leases.accounts.owner_terms import Basis, hold_client_money, set_terms
from leases.accounts.payouts import (
    CannotPay,
    CannotWithdraw,
    Payout,
    commit_payouts,
    mark_sent,
    payout_file,
    payout_states,
    preview_payouts,
    withdraw,
)
from leases.formats.pain001 import NAMESPACE, Transfer, TransferOrder, check_transfers, write_transfers
from leases.models import Allocation, BankAccount, Book
from leases.proof import check_ledger
from tests.leases.accounts.owners import (
    APRIL,
    MARCH,
    NOW,
    OWNER_IBAN,
    head_leased,
    held_in_ledger,
    mandated,
    month_made,
    statement,
)

pytestmark = pytest.mark.django_db
TENTH = date(2026, 4, 10)
IN_MAY = datetime(2026, 5, 2, 9, tzinfo=UTC)
OWN_BANK = "FR1420041010050500013M02606"


@pytest.fixture
def bank(build):
    return build.bank()


def collected(build, amount="465.00", **kwargs):
    """An owner whose tenant paid in March, the month's statement made: 465.00 less 39.06 of fees."""
    owner, lease = mandated(build, **kwargs)
    build.called(MARCH)
    statement((lease, amount, date(2026, 3, 6)))
    month_made()
    return owner, lease


def ordered(**kwargs):
    return commit_payouts(TENTH, by=None, now=NOW, **kwargs)


def debited(payout, *, day=TENTH, opening="465.00", sign="-", **kwargs):
    """The statement on which the bank tells a payment: debited, or with sign "" returned."""
    said = {"label": "VIR SEPA EMIS", "end_to_end": payout.end_to_end} | kwargs
    return statement((None, f"{sign}{payout.amount.amount}", day, said), start=day, end=day, opening=opening)


def reason_of(owner, on=TENTH):
    return {one.owner: one.reason for one in preview_payouts(on).refused}[owner]


# ---- what is due --------------------------------------------------------------------------


def test_an_owner_is_due_what_is_held_once_fees_are_taken(build, bank):
    owner, _lease = collected(build)
    [due] = preview_payouts(TENTH).due

    assert (due.owner, due.amount) == (owner, euros("425.94"))
    assert due.amount == held_in_ledger(owner, TENTH)


def test_what_is_called_and_not_collected_is_not_due(build, bank):
    collected(build, amount="100.00")

    assert preview_payouts(TENTH).total == euros("91.60")


def test_what_comes_in_after_the_month_waits_for_the_next_statement(build, bank):
    _owner, lease = collected(build)
    statement((lease, "200.00", date(2026, 4, 3)), start=APRIL, end=date(2026, 4, 5), opening="465.00")

    assert preview_payouts(TENTH).total == euros("425.94")


def test_what_left_since_the_month_lowers_what_is_due(build, bank):
    owner, _lease = collected(build)
    charge_invoice(
        owner, supplier="Serrurier", number="7", amount=euros("25.94"), on=date(2026, 4, 2), by=None, now=NOW
    )

    assert preview_payouts(TENTH).total == euros("400.00")


def test_a_reserve_is_kept_and_a_small_sum_waits(build, bank):
    owner, _lease = collected(build)
    said = {"basis": Basis.RECEIVED, "rate": 7, "by": None}
    set_terms(owner=owner, start=date(2026, 4, 1), reserve=euros("400.00"), **said)
    assert preview_payouts(TENTH).total == euros("25.94")

    set_terms(owner=owner, start=date(2026, 4, 2), reserve=euros("400.00"), minimum=euros("30.00"), **said)
    assert reason_of(owner) == "below_minimum"


def test_each_reason_not_to_pay_is_told(build, bank):
    owner, lease = mandated(build, build.owner("private"))
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)))
    assert reason_of(owner) == "no_statement"

    month_made()
    assert reason_of(owner) == "iban_missing"

    owner.iban = "FR7610096000508452967681058"
    owner.save()
    assert reason_of(owner) == "iban_wrong"

    charge_invoice(
        owner, supplier="Couvreur", number="1", amount=euros("900.00"), on=date(2026, 3, 30), by=None, now=NOW
    )
    assert reason_of(owner) == "negative"


def test_a_head_rent_is_due_let_or_not(build, bank):
    owner, _holding = head_leased(build)
    call_head_rents(APRIL, by=None, now=NOW)
    [due] = preview_payouts(TENTH).due

    assert (due.owner, due.kind, due.amount) == (owner, "head", euros("310.00"))


# ---- ordering -----------------------------------------------------------------------------


def test_nothing_is_paid_twice(build, bank):
    owner, _lease = collected(build)
    [batch] = ordered()

    assert ordered() == []
    assert reason_of(owner) == "under_way"
    assert batch.payouts.get().amount == euros("425.94")


def test_a_total_that_changed_since_it_was_looked_at_is_refused(build, bank):
    collected(build)
    with pytest.raises(CannotPay, match="when you looked"):
        ordered(expected=euros("500.00"))
    assert not Payout.objects.exists()


def test_the_file_is_valid_in_both_versions_and_the_same_each_time(build, bank):
    owner, _lease = collected(build)
    for version in ("09", "03"):
        [batch] = ordered(version=version)
        data = payout_file(batch)
        check_transfers(data, version)
        told = etree.fromstring(data)

        assert payout_file(batch) == data
        assert told.findtext(f".//{{{NAMESPACE}{version}}}InstdAmt") == "425.94"
        assert told.findtext(f".//{{{NAMESPACE}{version}}}EndToEndId") == batch.payouts.get().end_to_end
        withdraw(batch, reason="", by=None, now=NOW)


def test_a_file_of_nothing_or_of_a_wrong_account_is_not_written():
    order = TransferOrder("OP1", NOW, "Association", OWN_BANK, TENTH, [])
    with pytest.raises(ValueError, match="no transfer"):
        write_transfers(order)
    wrong = Transfer("OP1-1", 100, "Martin", "FR7610096000508452967681058")
    with pytest.raises(ValueError, match="no IBAN"):
        write_transfers(TransferOrder("OP1", NOW, "Association", OWN_BANK, TENTH, [wrong]))


def test_one_batch_a_debtor_account(build, bank):
    other = BankAccount.objects.create(iban=OWN_BANK, name="Owners' money", book=bank.book)
    hold_client_money(other, since=MARCH, by=None)
    collected(build)
    head_leased(build)
    call_head_rents(APRIL, by=None, now=NOW)
    batches = ordered()

    assert {batch.bank for batch in batches} == {bank, other}
    assert {batch.payouts.get().kind for batch in batches if batch.bank == other} == {"mandate"}


def test_a_batch_withdrawn_is_due_again_and_its_file_is_gone(build, bank):
    collected(build)
    [batch] = ordered()
    batch = withdraw(batch, reason="", by=None, now=NOW)

    assert preview_payouts(TENTH).total == euros("425.94")
    with pytest.raises(CannotPay, match="withdrawn"):
        payout_file(batch)
    with pytest.raises(CannotWithdraw, match="already"):
        withdraw(batch, reason="", by=None, now=NOW)


def test_a_batch_sent_is_withdrawn_for_a_reason_and_never_once_debited(build, bank):
    collected(build)
    [batch] = ordered()
    mark_sent(batch, by=None, now=NOW)
    with pytest.raises(CannotWithdraw, match="given to the bank"):
        withdraw(batch, reason=" ", by=None, now=NOW)
    debited(batch.payouts.get())
    with pytest.raises(CannotWithdraw, match="debited"):
        withdraw(batch, reason="Refused by the bank", by=None, now=NOW)


def test_a_payment_ordered_is_never_changed(build, bank):
    collected(build)
    ordered()
    with pytest.raises(IntegrityError), transaction.atomic():
        Payout.objects.update(amount=euros("1.00"))
    with pytest.raises(IntegrityError), transaction.atomic():
        Payout.objects.all().delete()


# ---- what the bank tells ------------------------------------------------------------------


def test_the_statement_posts_the_payment_by_its_reference(build, bank):
    owner, _lease = collected(build)
    [batch] = ordered()
    payout = batch.payouts.get()
    debited(payout)

    assert payout_states(batch)[payout.end_to_end][0] == "debited"
    assert held_in_ledger(owner, TENTH) == euros(0)
    assert figures_of(APRIL)[owner.pk].paid == euros("425.94")
    assert not Allocation.objects.in_suspense().exists()
    assert not check_ledger()


def test_a_payment_that_the_bank_returns_is_due_again(build, bank):
    owner, _lease = collected(build)
    [batch] = ordered()
    payout = batch.payouts.get()
    debited(payout)
    debited(payout, day=date(2026, 4, 12), sign="", opening="39.06")

    assert payout_states(batch)[payout.end_to_end][0] == "returned"
    assert held_in_ledger(owner, date(2026, 4, 12)) == euros("425.94")
    assert preview_payouts(date(2026, 4, 15)).total == euros("425.94")
    assert not check_ledger()


def test_a_payment_debited_twice_waits_for_somebody(build, bank):
    _owner, _lease = collected(build, amount="465.00")
    [batch] = ordered()
    debited(batch.payouts.get())
    debited(batch.payouts.get(), day=date(2026, 4, 13), opening="39.06")

    assert Allocation.objects.in_suspense().get().left == euros("-425.94")
    assert not check_ledger()


def test_a_debit_of_another_amount_waits_for_somebody(build, bank):
    collected(build)
    [batch] = ordered()
    statement(
        (None, "-400.00", TENTH, {"end_to_end": batch.payouts.get().end_to_end}),
        start=TENTH, end=TENTH, opening="465.00",
    )  # fmt: skip

    assert Allocation.objects.in_suspense().count() == 1


def test_a_bank_that_writes_the_reference_in_its_label_is_understood(build, bank):
    collected(build)
    [batch] = ordered()
    payout = batch.payouts.get()
    debited(payout, end_to_end="", label=f"VIR SEPA EMIS {payout.end_to_end}")

    assert payout_states(batch)[payout.end_to_end][0] == "debited"


def test_somebody_says_which_payment_a_line_is(build, bank):
    owner, _lease = collected(build)
    [batch] = ordered()
    payout = batch.payouts.get()
    debited(payout, end_to_end="")
    line = Allocation.objects.in_suspense().get()
    put_to_payout(line, payout, by=None, on=TENTH, now=NOW)

    assert held_in_ledger(owner, TENTH) == euros(0)
    with pytest.raises(CannotPay):
        put_to_payout(line, payout, by=None, on=TENTH, now=NOW)
    assert not check_ledger()


def test_a_head_rent_paid_is_owed_no_more(build, bank):
    owner, _holding = head_leased(build)
    call_head_rents(APRIL, by=None, now=NOW)
    [batch] = ordered()
    debited(batch.payouts.get(), opening="0.00")

    figures = figures_of(APRIL)[owner.pk]
    assert (figures.head_called, figures.head_paid, figures.head_owed) == (
        euros("310.00"), euros("310.00"), euros(0),
    )  # fmt: skip
    assert not check_ledger()


def test_an_owner_with_an_account_of_its_own_pays_the_fees_back(build):
    """The SAUES: rents on its own account; the association's fees go from there to the association."""
    main = build.bank()
    owner, lease = mandated(build, build.owner("saues", iban=OWNER_IBAN))
    own = BankAccount.objects.create(iban=OWN_BANK, name="SAUES", book=Book.objects.get(owner=owner))
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)), iban=OWN_BANK)
    month_made()
    [batch] = ordered()
    amounts = {payout.kind: payout.amount for payout in batch.payouts.all()}

    assert batch.bank == own
    assert amounts == {"manager": euros("39.06"), "mandate": euros("425.94")}

    fees = batch.payouts.get(kind="manager")
    paid = batch.payouts.get(kind="mandate")
    statement(
        (None, "-39.06", TENTH, {"end_to_end": fees.end_to_end}),
        (None, "-425.94", TENTH, {"end_to_end": paid.end_to_end}),
        start=TENTH, end=TENTH, opening="465.00", iban=OWN_BANK,
    )  # fmt: skip
    statement((None, "39.06", TENTH, {"end_to_end": fees.end_to_end}), start=TENTH, end=TENTH, iban=main.iban)
    assert held_in_ledger(owner, TENTH) == euros(0)
    held = ledger.Account.objects.get(kind=ledger.HELD_FOR, owner=owner)
    [back] = ledger.Posting.objects.filter(credit=held)
    assert back.amount == euros("39.06")
    assert not Allocation.objects.in_suspense().exists()
    assert not check_ledger()


def test_money_an_owner_sends_ahead_of_works_is_put_to_its_account(build, bank):
    owner, _lease = collected(build)
    statement(
        (None, "500.00", date(2026, 4, 3)), start=date(2026, 4, 3), end=date(2026, 4, 3), opening="465.00"
    )
    line = Allocation.objects.in_suspense().get()
    take_contribution(line, owner, amount=euros("500.00"), by=None, on=date(2026, 4, 3), now=NOW)

    assert held_in_ledger(owner, TENTH) == euros("925.94")
    assert not check_ledger()


def test_paying_forty_owners_takes_as_many_statements_as_paying_two(build, bank):
    def queries(count: int, month: date, day: date, opening: str) -> int:
        leases = [mandated(build)[1] for _at in range(count)]
        build.called(month)
        last = date(month.year, month.month, 28)
        statement(*((lease, "465.00", last) for lease in leases), start=month, end=last, opening=opening)
        month_made(month, IN_MAY)
        with CaptureQueriesContext(connection) as seen:
            commit_payouts(day, by=None, now=NOW)
        return len(seen)

    assert queries(2, date(2026, 2, 1), date(2026, 4, 2), "0.00") > 0
    first = queries(2, MARCH, TENTH, "930.00")
    second = queries(38, APRIL, date(2026, 5, 10), "1860.00")
    assert first == second
