"""The bank's report on a file of debits, and its notices of returns."""

from datetime import date

import pytest

from leases.formats.camt054 import read_notices, write_notice
from leases.formats.pain002 import Answer, Report, read_report, write_report
from leases.formats.statement import BadFile
from tests.leases.statements import IBAN, camt_file, received

REPORT = Report(
    message_id="STS-1",
    made_on=date(2026, 3, 4),
    original="GLA1P1-20260305",
    status="PART",
    code="",
    answers=(
        Answer(0, "GLA1P1-20260305-RCUR", "", "PART", ""),
        Answer(0, "GLA1P1-20260305-RCUR", "L000000102-1P1", "RJCT", "AC04", 46_550),
        Answer(0, "GLA1P1-20260305-RCUR", "L000000202-1P1", "ACCP", ""),
    ),
)


@pytest.mark.parametrize("version", ["03", "10"])
def test_a_report_says_what_became_of_each_debit(version):
    read = read_report(write_report(REPORT, version))

    assert (read.original, read.status, read.made_on) == ("GLA1P1-20260305", "PART", date(2026, 3, 4))
    assert [(one.end_to_end, one.status, one.code, one.amount_cents) for one in read.answers] == [
        ("", "PART", "", None),
        ("L000000102-1P1", "RJCT", "AC04", 46_550),
        ("L000000202-1P1", "ACCP", "", None),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a/>",
        b"not xml",
        b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pain.002.001.03'/>",
        camt_file(),
    ],
)
def test_what_is_no_report_is_refused(data):
    with pytest.raises(BadFile):
        read_report(data)


def test_a_report_with_entities_is_refused():
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]>' + write_report(REPORT).split(b"?>", 1)[1]

    with pytest.raises(BadFile):
        read_report(bomb)


@pytest.mark.parametrize("version", ["02", "04", "08"])
def test_a_notice_says_which_debits_came_back(version):
    back = received(
        "-465.50", date(2026, 3, 9), kind="return", end_to_end="L000000102-1P1", return_code="AM04"
    )

    [notice] = read_notices(write_notice(IBAN, "N1", date(2026, 3, 9), [back], version))

    assert notice.iban == IBAN
    [movement] = notice.movements
    assert (movement.kind, movement.amount_cents) == ("return", -46_550)
    assert (movement.end_to_end, movement.return_code) == ("L000000102-1P1", "AM04")


@pytest.mark.parametrize("data", [b"", b"<a/>", camt_file()])
def test_what_is_no_notice_is_refused(data):
    with pytest.raises(BadFile):
        read_notices(data)
