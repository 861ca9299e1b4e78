"""Orders to collect direct debits, as the bank's schema reads them."""

from dataclasses import replace
from datetime import date, datetime

import pytest
from lxml import etree

from leases.formats.pain008 import NotValid, Order, OrderedDebit, check_order, plain, write_order

DEBIT = OrderedDebit(
    end_to_end="L000000102-1P1",
    amount_cents=46_550,
    mandate="L000000102-01",
    signed_on=date(2024, 1, 1),
    name="Œuvre d’Été & Cie",
    iban="FR7610096000508452967681057",
    text="Loyer 03/2026",
)
ORDER = Order(
    message_id="GLA1P1-20260305",
    made_at=datetime.fromisoformat("2026-02-27T10:00:00"),
    creditor="Association test",
    iban="FR7630004000031234567890143",
    creditor_id="FR72ZZZ123456",
    collected_on=date(2026, 3, 5),
    debits=[DEBIT],
    bic="BNPAFRPP",
)


def said(data: bytes, path: str) -> list[str]:
    return [one.text for one in etree.fromstring(data).iterfind(".//{*}" + path.replace("/", "/{*}"))]


@pytest.mark.parametrize(("version", "bic"), [("08", "BICFI"), ("02", "BIC")])
def test_an_order_is_valid_by_the_schema_of_its_version(version, bic):
    data = write_order(ORDER, version)

    check_order(data, version)
    assert said(data, "GrpHdr/MsgId") == ["GLA1P1-20260305"]
    assert said(data, "CtrlSum") == ["465.50", "465.50"]
    assert said(data, f"CdtrAgt/FinInstnId/{bic}") == ["BNPAFRPP"]
    assert said(data, "CdtrSchmeId/Id/PrvtId/Othr/Id") == ["FR72ZZZ123456"]
    assert said(data, "SeqTp") == ["RCUR"]
    assert not said(data, "PstlAdr")


def test_each_sequence_is_a_lot_of_its_own():
    last = replace(DEBIT, end_to_end="L000000202-1P1", sequence="FNAL", amount_cents=100)

    data = write_order(replace(ORDER, debits=[last, DEBIT]))

    assert said(data, "PmtInfId") == ["GLA1P1-20260305-RCUR", "GLA1P1-20260305-FNAL"]
    assert said(data, "PmtInf/NbOfTxs") == ["1", "1"]
    assert said(data, "CtrlSum") == ["466.50", "465.50", "1.00"]


def test_a_new_account_of_another_bank_is_told_without_the_old_one():
    data = write_order(replace(ORDER, debits=[replace(DEBIT, old_account="SMNDA")]))

    assert said(data, "AmdmntInd") == ["true"]
    assert said(data, "OrgnlDbtrAcct/Id/Othr/Id") == ["SMNDA"]


def test_an_old_account_of_the_same_bank_and_an_old_mandate_are_named():
    changed = replace(DEBIT, old_account="FR1420041010050500013M02606", old_mandate="RUM-OLD")

    data = write_order(replace(ORDER, debits=[changed]))

    assert said(data, "OrgnlDbtrAcct/Id/IBAN") == ["FR1420041010050500013M02606"]
    assert said(data, "OrgnlMndtId") == ["RUM-OLD"]


def test_names_are_written_in_the_characters_of_the_banks():
    assert said(write_order(ORDER), "Dbtr/Nm") == ["OEuvre d'Ete Cie"]
    assert plain("Nguyễn Thị //", 70) == "Nguyen Thi //"


def test_the_same_order_is_the_same_bytes():
    assert write_order(ORDER) == write_order(ORDER)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_cents": 0},
        {"sequence": "LAST"},
        {"iban": "FR7610096000508452967681058"},
        {"mandate": "RUM_É"},
        {"end_to_end": "L000000102-" + "1" * 30},
    ],
)
def test_a_debit_that_banks_do_not_take_is_refused(wrong):
    with pytest.raises(ValueError):
        write_order(replace(ORDER, debits=[replace(DEBIT, **wrong)]))


def test_an_order_of_nothing_or_with_two_debits_of_one_reference_is_refused():
    for debits in ([], [DEBIT, DEBIT]):
        with pytest.raises(ValueError):
            write_order(replace(ORDER, debits=debits))


def test_what_the_schema_alone_refuses_says_where():
    with pytest.raises(NotValid, match="line 5"):
        write_order(replace(ORDER, creditor_id=""))
