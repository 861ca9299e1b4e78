"""Client money: what is held is there, to the cent, on any day; and a difference is seen."""

from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.money import euros
from leases.accounts.owner_accounts import OwnerStatement
from leases.accounts.owner_dues import charge_invoice
from leases.accounts.owner_terms import hold_client_money
from leases.accounts.payouts import commit_payouts, payout_file
from leases.accounts.reconciliation import client_money, mandates, peaks
from leases.models import BankAccount
from tests.leases.accounts.owners import APRIL, MARCH, NOW, head_leased, mandated, month_made, statement

pytestmark = pytest.mark.django_db
LAST = date(2026, 3, 31)
TENTH = date(2026, 4, 10)


@pytest.fixture
def bank(build):
    return build.bank()


def told(found) -> dict:
    return {one.code: one.amount for one in found.components}


def test_the_money_of_a_day_is_shared_out_among_whom_it_belongs_to(build, bank):
    owner, lease = mandated(build)
    own = build.lease(rent="500.00")
    build.called(MARCH)
    statement(
        (lease, "465.00", date(2026, 3, 6)),
        (own, "500.00", date(2026, 3, 7)),
        (None, "12.34", date(2026, 3, 8)),
    )
    month_made()
    found = client_money(LAST)

    assert found.total == euros("977.34")
    assert told(found)["owners"] == euros("425.94")
    assert told(found)["owed4"] == euros("12.34")
    assert told(found)["own"] == euros("532.55")  # its own rent and the fee without VAT
    assert (found.difference, found.wrong_owners, found.wrong_banks) == (euros(0), [], [])
    assert found.holds


def test_it_holds_on_every_day_of_a_month(build, bank):
    owner, lease = mandated(build)
    head_leased(build)
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)))
    charge_invoice(
        owner, supplier="Couvreur", number="1", amount=euros("900.00"), on=date(2026, 3, 20), by=None, now=NOW
    )
    month_made()
    [batch] = [one for one in commit_payouts(TENTH, by=None, now=NOW) if one.payouts.exists()]
    payout = batch.payouts.get()
    statement(
        (None, f"-{payout.amount.amount}", TENTH, {"end_to_end": payout.end_to_end}),
        start=TENTH, end=TENTH, opening="465.00",
    )  # fmt: skip

    assert all(client_money(date(2026, 3, day)).holds for day in range(1, 32))
    assert client_money(TENTH).holds


def test_owners_money_spent_by_the_association_is_seen(build, bank):
    hold_client_money(bank, since=MARCH, by=None)
    _owner, lease = mandated(build)
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)), (None, "-100.00", date(2026, 3, 9), {"kind": "fee"}))
    found = client_money(LAST)

    assert found.holds  # the ledger adds up …
    assert found.cover.surplus == euros("-100.00")  # … but owners' money is short


def test_the_most_held_in_a_year_calls_for_its_guarantee(build, bank):
    _owner, lease = mandated(build)
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)))
    month_made()
    [peak] = peaks(until=LAST)

    assert (peak.year, peak.day, peak.amount) == (2026, date(2026, 3, 6), euros("465.00"))
    assert peak.guarantee == euros(110_000)


def test_the_register_lists_mandates_only(build):
    owner, _lease = mandated(build)
    head_leased(build)

    assert [holding.owner for holding in mandates()] == [owner]


def test_seven_queries_whatever_the_owners(build, bank):
    def queries(count: int) -> int:
        for _at in range(count):
            mandated(build)
        with CaptureQueriesContext(connection) as seen:
            client_money(LAST)
        return len(seen)

    assert queries(2) == queries(38)


# ---- commands -----------------------------------------------------------------------------


def said(*args, **kwargs) -> str:
    out = StringIO()
    call_command(*args, stdout=out, **kwargs)
    return out.getvalue()


@pytest.fixture
def month(build, bank):
    _owner, lease = mandated(build)
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)))


def test_the_command_checks_a_day_and_fails_on_a_difference(month, bank, monkeypatch):
    assert "0.00" in said("check_client_money", on="2026-03-31")

    wrong = BankAccount.objects.get(pk=bank.pk)
    monkeypatch.setattr("leases.accounts.reconciliation._owner_sides", lambda on: [])
    with pytest.raises(SystemExit) as stopped:
        said("check_client_money", on="2026-03-31")
    assert stopped.value.code == 1
    assert wrong


def test_owners_are_told_and_paid_by_commands(month, tmp_path):
    assert "1" in said("make_owner_statements", month="2026-03")
    assert OwnerStatement.objects.count() == 1
    assert "425.94" in said("pay_owners", on="2026-04-10")

    told_of = said("pay_owners", "--commit", on="2027-04-10", to=str(tmp_path))
    # Paid by the statement of the month before: none was made of March 2027.
    assert "0 payments" in told_of
    with pytest.raises(CommandError):
        said("make_owner_statements", month="2099-01")


def test_the_file_of_a_payment_is_written_where_asked(month, tmp_path):
    said("make_owner_statements", month="2026-03")
    [batch] = commit_payouts(TENTH, by=None, now=NOW)

    assert payout_file(batch).startswith(b"<?xml")
    assert APRIL > MARCH
