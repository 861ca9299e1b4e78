"""What a bank movement is put to: each rule on a real file, and what none of them may decide."""

from datetime import date

import pytest

from core.money import euros
from leases import bank, proof
from leases.lease import payment_reference
from leases.matching import found_reference
from leases.models import Allocation, Book, Posting
from portfolio.models import Holding
from tests.builders import NOW
from tests.leases.statements import OTHER_PAYER, PAYER, camt_file, cfonb_file, received

MARCH = date(2026, 3, 1)
REFERENCE = payment_reference(4303)


def imported(data: bytes):
    return bank.import_statement(data, "releve.xml", by=None, now=NOW)


def only_line() -> Allocation:
    assert not proof.check_ledger()
    return Allocation.objects.select_related("account", "lease").get()


# ---- the reference, read in a label ----


@pytest.mark.parametrize(
    "label",
    [
        f"VIR LOYER {REFERENCE}",
        f"loyer mars {REFERENCE.lower()} merci",
        f"REF {REFERENCE[:4]} {REFERENCE[4:7]} {REFERENCE[7:]}",
        f"N°{REFERENCE[0]}-{REFERENCE[1:8]}-{REFERENCE[8:]}/MARS",
    ],
)
def test_a_payment_reference_is_read_as_people_write_it(label):
    assert found_reference(label) == REFERENCE


@pytest.mark.parametrize(
    "label",
    [
        "LOYER MARS",
        "L000430399",  # wrong check digits
        f"PAU{REFERENCE}",  # inside a word
        f"{REFERENCE}7",  # inside a number
        f"{REFERENCE} ET {payment_reference(12)}",  # two leases in one movement
    ],
)
def test_anything_else_is_no_reference(label):
    assert found_reference(label) == ""


def test_a_reference_repeated_is_one():
    assert found_reference(f"VIR {REFERENCE}", f"LOYER {REFERENCE}") == REFERENCE


# ---- each rule ----


@pytest.mark.django_db
@pytest.mark.parametrize("file_of", [camt_file, cfonb_file])
def test_our_direct_debit_is_known_by_its_reference(build, file_of):
    lease = build.lease()
    build.bank()

    imported(file_of(received("465.00", kind="direct_debit", end_to_end=f"{lease.payment_reference}-202603")))

    line = only_line()
    assert (line.lease, line.how, line.amount) == (lease, "end_to_end", euros("465.00"))


@pytest.mark.django_db
@pytest.mark.parametrize("file_of", [camt_file, cfonb_file])
def test_a_debit_is_known_by_its_mandate(build, file_of):
    lease = build.lease(debit_mandate="RUM-0042")
    build.bank()

    imported(file_of(received("465.00", kind="direct_debit", mandate="RUM-0042")))

    assert (only_line().lease, only_line().how) == (lease, "mandate")


@pytest.mark.django_db
@pytest.mark.parametrize("file_of", [camt_file, cfonb_file])
def test_a_transfer_is_known_by_the_reference_of_the_notice(build, file_of):
    lease = build.lease()
    build.bank()

    imported(file_of(received("100.00", reference=f"LOYER {lease.payment_reference} MARS")))

    assert (only_line().lease, only_line().how) == (lease, "reference")


@pytest.mark.django_db
@pytest.mark.parametrize("file_of", [camt_file, cfonb_file])
def test_a_known_account_paying_the_net_call_is_its_lease(build, file_of):
    lease = build.lease(rent="412.00", benefit="200.00", iban=PAYER)
    build.bank()
    build.called(MARCH)

    imported(file_of(received("212.00", counterparty_iban=PAYER, counterparty_name="A MARTIN")))

    assert (only_line().lease, only_line().how) == (lease, "iban")


@pytest.mark.django_db
def test_a_known_account_may_pay_the_month_before_or_the_whole_balance(build):
    lease = build.lease(rent="412.00", iban=PAYER)
    build.bank()
    build.called(date(2026, 2, 1), MARCH)

    imported(camt_file(received("824.00", counterparty_iban=PAYER)))

    assert (only_line().lease, only_line().how) == (lease, "iban")


@pytest.mark.django_db
def test_a_known_account_with_another_amount_is_to_identify(build):
    build.lease(rent="412.00", iban=PAYER)
    build.bank()
    build.called(MARCH)

    imported(camt_file(received("300.00", counterparty_iban=PAYER)))

    assert only_line().how == "suspense"


@pytest.mark.django_db
def test_an_account_that_pays_two_leases_decides_nothing(build):
    build.lease(rent="412.00", iban=PAYER)
    build.lease(rent="412.00", iban=PAYER)
    build.bank()
    build.called(MARCH)

    imported(camt_file(received("412.00", counterparty_iban=PAYER)))

    assert only_line().how == "suspense"


@pytest.mark.django_db
def test_amount_and_name_alone_decide_nothing(build):
    build.lease(rent="412.00", household=build.household("Zabulon"))
    build.bank()
    build.called(MARCH)

    imported(camt_file(received("412.00", counterparty_name="ALEX ZABULON", counterparty_iban=OTHER_PAYER)))

    line = only_line()
    assert (line.how, line.lease, line.account.kind) == ("suspense", None, 4)


@pytest.mark.django_db
def test_bank_charges_are_an_expense_and_other_debits_are_to_identify(build):
    build.bank()

    imported(
        camt_file(received("-12.50", kind="fee", label="FRAIS"), received("-80.00", kind="direct_debit"))
    )

    assert dict(Allocation.objects.values_list("how", "amount")) == {
        "fee": euros("-12.50"),
        "suspense": euros("-80.00"),
    }


@pytest.mark.django_db
def test_money_may_come_before_the_first_call(build):
    lease = build.lease()
    build.bank()

    imported(camt_file(received("465.00", reference=lease.payment_reference)))

    assert only_line().account.lease == lease


# ---- what comes back ----


@pytest.mark.django_db
@pytest.mark.parametrize("file_of", [camt_file, cfonb_file])
def test_a_rejected_debit_takes_the_payment_back_on_its_own_date(build, file_of):
    lease = build.lease()
    build.bank()
    build.called(MARCH)
    key = f"{lease.payment_reference}-202603"

    imported(
        file_of(
            received("465.00", kind="direct_debit", end_to_end=key),
            received("-465.00", date(2026, 3, 11), kind="return", end_to_end=key, return_code="AM04"),
        )
    )

    paid, back = Allocation.objects.order_by("pk")
    assert (back.lease, back.how, back.undoes, back.amount) == (lease, "return", paid, euros("-465.00"))
    posting = Posting.objects.get(source=2, source_id=back.pk)
    assert (posting.on, posting.debit, posting.credit.kind) == (date(2026, 3, 11), paid.account, 3)
    assert not proof.check_ledger()


@pytest.mark.django_db
def test_a_return_of_another_bank_movement_is_to_identify(build):
    build.bank()

    imported(camt_file(received("-50.00", kind="return", end_to_end="XYZ", return_code="AC04")))

    assert only_line().how == "suspense"


# ---- money of a mandant ----


@pytest.mark.django_db
def test_a_mandants_rent_goes_through_what_is_held_for_the_owner(build):
    owner = build.owner("private")
    lease = build.lease(unit=build.unit(owner=owner, title="mandate"))
    build.bank()
    build.called(MARCH)

    imported(camt_file(received("465.00", reference=lease.payment_reference)))

    legs = {
        posting.leg: (posting.debit.kind, posting.credit.kind, posting.debit.book.owner)
        for posting in Posting.objects.filter(source=2)
    }
    assert legs == {0: (3, 5, None), 1: (6, 1, owner)}
    assert not proof.check_ledger()


@pytest.mark.django_db
def test_a_return_beyond_a_mandants_funds_is_advanced(build):
    owner = build.owner("private")
    lease = build.lease(unit=build.unit(owner=owner, title="mandate"))
    build.bank()
    build.called(MARCH)
    key = f"{lease.payment_reference}-202603"

    imported(
        camt_file(
            received("465.00", kind="direct_debit", end_to_end=key),
            received("-465.00", date(2026, 3, 11), kind="return", end_to_end=key, return_code="AM04"),
            received("-465.00", date(2026, 3, 12), kind="return", end_to_end=key, return_code="AM04"),
        )
    )

    out = Posting.objects.filter(source=2, leg=1, debit__kind=1).order_by("pk")
    assert [posting.credit.kind for posting in out] == [6, 7]
    assert not proof.check_ledger()


@pytest.mark.django_db
def test_a_payment_goes_to_the_book_of_the_latest_call(build):
    owner = build.owner("private")
    unit = build.unit(held=(date(2015, 1, 1), date(2026, 3, 1)))
    lease = build.lease(unit=unit)
    build.called(date(2026, 2, 1))
    Holding.objects.create(unit=unit, owner=owner, title="mandate", start=MARCH)
    Book.objects.create(owner=owner)
    build.bank()
    build.called(MARCH)

    imported(camt_file(received("465.00", reference=lease.payment_reference)))

    assert only_line().account.book.owner == owner
