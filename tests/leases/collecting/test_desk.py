"""Payments at the desk: numbered, posted, cancelled by their opposite; cheques brought to the bank."""

from datetime import UTC, date, datetime

import pytest
from django.urls import reverse

from core.money import euros
from leases import suspense, tenant_account
from leases.collecting.desk import CARD, CASH, CHEQUE, CannotTake, DeskReceipt, cancel, desk, make_slip, take
from leases.proof import check_ledger
from tests.leases.statements import camt_file, received

pytestmark = pytest.mark.django_db
MARCH = date(2026, 3, 1)
DAY = date(2026, 3, 12)
NOW = datetime(2026, 3, 12, 9, tzinfo=UTC)


@pytest.fixture
def lease(build):
    lease = build.lease(rent="465.00")
    build.called(MARCH)
    return lease


def taken(lease, amount="100.00", means=CASH, **kwargs):
    kwargs = {"on": DAY, "reference": "7654321" if means == CHEQUE else "", **kwargs}
    return take(lease, amount=euros(amount), means=means, by=None, now=NOW, **kwargs)


def test_cash_lowers_the_debt_and_fills_the_box(lease):
    receipt = taken(lease)

    assert str(receipt) == "2026-00001"
    assert tenant_account.balance(lease, DAY) == euros("365.00")
    assert desk(DAY).cash == euros("100.00")
    assert not check_ledger()


def test_receipts_are_numbered_without_a_gap(lease):
    numbers = [str(taken(lease, "10.00", means=means)) for means in (CASH, CHEQUE, CARD)]
    cancel(DeskReceipt.objects.get(number=2), reason="Mistake", on=DAY, by=None, now=NOW)
    numbers.append(str(taken(lease, "10.00")))

    assert numbers == ["2026-00001", "2026-00002", "2026-00003", "2026-00004"]


def test_each_year_begins_at_one(lease):
    taken(lease, on=date(2025, 12, 31))

    assert str(taken(lease)) == "2026-00001"


def test_a_fund_that_pays_is_told_apart_on_the_account(lease):
    taken(lease, means=CARD, payer=DeskReceipt.Payer.FSL, payer_name="FSL du Nord")

    assert "FSL" in tenant_account.lines(lease, DAY)[-1].label


@pytest.mark.parametrize(
    ("amounts", "refused"), [(["1000.00"], False), (["1000.01"], True), (["600.00", "400.01"], True)]
)
def test_cash_is_taken_up_to_the_ceiling_of_the_law(lease, amounts, refused):
    for amount in amounts[:-1]:
        taken(lease, amount)
    if refused:
        with pytest.raises(CannotTake, match="1000"):
            taken(lease, amounts[-1])
    else:
        taken(lease, amounts[-1])


def test_a_cancelled_receipt_is_owed_again_and_only_once(lease):
    receipt = taken(lease)
    cancel(receipt, reason="Wrong lease", on=DAY, by=None, now=NOW)

    assert tenant_account.balance(lease, DAY) == euros("465.00")
    assert desk(DAY).cash == euros(0)
    with pytest.raises(CannotTake):
        cancel(receipt, reason="Again", on=DAY, by=None, now=NOW)
    assert not check_ledger()


@pytest.mark.parametrize(
    "wrong", [{"amount": "0.00"}, {"on": date(2026, 3, 13)}, {"means": CHEQUE, "reference": ""}]
)
def test_what_is_no_payment_is_refused(lease, wrong):
    with pytest.raises(CannotTake):
        taken(lease, **wrong)
    assert not DeskReceipt.objects.exists()


def test_a_cheque_is_on_one_slip_only(lease, build):
    bank = build.bank()
    first, second = taken(lease, "50.00", means=CHEQUE), taken(lease, "60.00", means=CHEQUE)
    slip = make_slip(None, bank=bank, on=DAY, by=None)

    assert slip.total == euros("110.00")
    with pytest.raises(CannotTake):
        make_slip([first, second], bank=bank, on=DAY, by=None)
    assert desk(DAY).to_bank == 0


def test_the_bank_movement_of_a_slip_empties_the_account_of_cheques(lease, build):
    from leases import operations
    from leases.ledger import CHEQUES, association_book_id
    from leases.models import Allocation
    from tests.leases.test_bank import imported

    bank = build.bank()
    taken(lease, "50.00", means=CHEQUE)
    make_slip(None, bank=bank, on=DAY, by=None)
    imported(camt_file(received("50.00", DAY, label="REMISE CHEQUES")))
    [line] = Allocation.objects.in_suspense()
    target = operations.account(CHEQUES, book=association_book_id())
    suspense.settle(line, [(target, euros("50.00"))], by=None, on=DAY, now=NOW)

    assert desk(DAY).cheques == euros(0)
    assert not check_ledger()


def test_a_manager_takes_a_payment_in_the_browser(lease, build, client, settings):
    client.force_login(build.user("rental_manager"))
    told = {"amount": "100", "means": CASH, "on": "2026-03-12", "payer": "household"}
    asked = client.post(reverse("lease-pay", args=[lease.pk]), told)
    assert asked.status_code == 200
    done = client.post(reverse("lease-pay", args=[lease.pk]), told | {"step": "commit"}, follow=True)

    assert DeskReceipt.objects.get().amount == euros("100.00")
    assert "2026-00001" in done.content.decode()
    assert client.get(reverse("desk")).status_code == 200


def test_a_lease_that_nobody_knows_is_refused_in_words(build, client):
    client.force_login(build.user("rental_manager"))
    told = {"lease": "NOWHERE", "amount": "10", "means": CASH, "on": "2026-03-12", "payer": "household"}

    assert "No lease has this reference" in client.post(reverse("desk-take"), told).content.decode()
