"""What is written is read back, and any other bytes are refused with a reason.

1,000 examples in all, the same ones at every run. GLA_FUZZ_EXAMPLES=50 makes fifty times as many,
drawn anew each time: `GLA_FUZZ_EXAMPLES=50 pytest tests/leases/formats/test_any_bytes.py`.
"""

import os
import re
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leases.formats import camt, cfonb
from leases.formats.benefit_list import BenefitLine, BenefitList, read_list, write_list
from leases.formats.statement import BadFile, Movement, Statement, detect_and_read

TIMES = int(os.environ.get("GLA_FUZZ_EXAMPLES", "1"))
KINDS = ("credit_transfer", "direct_debit", "return", "cheque", "card", "cash", "fee", "other")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdeéèçôï0123456789-/.'&<>\"+;"


def examples(number):
    return settings(
        max_examples=number * TIMES,
        deadline=None,
        database=None,
        derandomize=TIMES == 1,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def texts(longest):
    """Words on one line, as the readers give them back."""
    words = st.lists(st.text(LETTERS, min_size=1, max_size=12), max_size=max(1, longest // 8))
    return words.map(lambda found: " ".join(found)[:longest].rstrip())


identifiers = st.text("ABCDEFG0123456789-/", max_size=35)
branches = st.text("0123456789", min_size=5, max_size=5)
accounts = st.text("0123456789AMZ", min_size=11, max_size=11)
# The other party is never ourselves.
own_ibans = st.builds(cfonb.french_iban, st.just("30006"), branches, accounts)
ibans = st.builds(cfonb.french_iban, st.sampled_from(("20041", "10278", "00000")), branches, accounts)
days = st.dates(date(2001, 1, 1), date(2098, 12, 31))


@st.composite
def movements(draw, start, end):
    kind = draw(st.sampled_from(KINDS))
    booked = start + timedelta(days=draw(st.integers(0, (end - start).days)))
    return Movement(
        line=0,
        booked=booked,
        valued=draw(st.none() | st.just(booked) | days),
        amount_cents=draw(st.integers(-(10**9), 10**9)),
        label=draw(texts(120)),
        end_to_end=draw(identifiers),
        mandate=draw(identifiers),
        reference=draw(texts(140)),
        counterparty_name=draw(texts(140)),
        counterparty_iban=draw(st.just("") | ibans),
        return_code=draw(st.sampled_from(("", "AM04", "MS03", "CNOR", "10"))) if kind == "return" else "",
        bank_reference=draw(identifiers),
        kind=kind,
    )


@st.composite
def statements(draw):
    start = draw(days)
    end = start + timedelta(days=draw(st.integers(0, 31)))
    moved = tuple(draw(st.lists(movements(start, end), max_size=4)))
    opening = draw(st.integers(-(10**11), 10**11))
    return Statement(
        iban=draw(own_ibans),
        currency="EUR",
        number="",
        start=start,
        end=end,
        opening_cents=opening,
        closing_cents=opening + sum(movement.amount_cents for movement in moved),
        movements=moved,
    )


@st.composite
def benefit_lists(draw):
    amounts = st.integers(0, 10**7)
    lines = tuple(
        BenefitLine(
            line=number,
            beneficiary=draw(st.text("0123456789", min_size=1, max_size=13)),
            name=draw(texts(140)),
            lease_reference=draw(identifiers),
            month=draw(days).replace(day=1),
            amount_cents=draw(amounts),
            recall_cents=draw(amounts),
            recovery_cents=draw(amounts),
        )
        for number in range(2, 2 + draw(st.integers(1, 4)))
    )
    return BenefitList(
        payer=draw(texts(60).filter(bool)),
        transfer_reference=draw(identifiers.filter(bool)),
        paid_on=draw(days),
        total_cents=sum(line.net_cents for line in lines),
        lines=lines,
    )


def without_lines(statement):
    return replace(statement, movements=tuple(replace(m, line=0) for m in statement.movements))


@pytest.mark.parametrize("version", camt.VERSIONS)
@examples(60)
@given(statement=statements(), number=identifiers.filter(bool), count=st.integers(2, 9999))
def test_a_camt_statement_is_read_back(version, statement, number, count):
    batch = Movement(
        line=0,
        booked=statement.end,
        valued=None,
        amount_cents=0,
        label="REMISE",
        batch_count=count,
        kind="cheque",
    )
    statement = replace(statement, number=number, movements=(*statement.movements, batch))

    (read,) = detect_and_read(camt.write_statement(statement, version))

    assert without_lines(read) == statement


@examples(150)
@given(statement=statements())
def test_a_cfonb_statement_is_read_back(statement):
    data = cfonb.write_statement(statement)

    (read,) = detect_and_read(data)

    assert without_lines(read) == statement
    assert {len(line) for line in data.split(b"\r\n")} == {120, 0}


@examples(70)
@given(benefits=benefit_lists())
def test_a_benefit_list_is_read_back(benefits):
    assert read_list(write_list(benefits)) == benefits


@st.composite
def damaged(draw, files):
    """A good file, cut short, with bytes changed, a piece taken out or a text replaced."""
    data = draw(files)
    place = st.integers(0, len(data) - 1)
    harm = draw(st.sampled_from(("cut", "bytes", "piece", "swap", "text")))
    if harm == "cut":
        return data[: draw(place)]
    if harm == "bytes":
        changed = bytearray(data)
        for _time in range(draw(st.integers(1, 4))):
            changed[draw(place)] = draw(st.integers(0, 255))
        return bytes(changed)
    start, stop = sorted((draw(place), draw(place)))
    if harm == "piece":
        return data[:start] + data[stop:]
    if harm == "swap":
        return data[:start] + data[stop:] + data[start:stop]
    # A field of a list, the text of an element, some columns of a record.
    fields = [found.span() for found in re.finditer(rb"(?<=>)[^<]+(?=<)|(?<=;)[^;]+", data)]
    start, stop = draw(st.sampled_from(fields or [(start, stop)]))
    return data[:start] + draw(st.binary(max_size=40) | st.text(max_size=40).map(str.encode)) + data[stop:]


def read_or_refuse(read, data):
    try:
        return read(data)
    except BadFile as fault:
        assert fault.reason and fault.remedy
        assert (
            fault.line is None
            or 1 <= fault.line <= data.count(b"\n") + data.count(b"\r") + len(data) // 120 + 1
        )
        assert fault.reason in str(fault) and fault.remedy in str(fault)
        return None


def balanced(statement):
    moved = sum(movement.amount_cents for movement in statement.movements)
    return statement.opening_cents + moved == statement.closing_cents


@examples(100)
@given(data=st.binary(max_size=400) | st.binary(max_size=300).map(lambda end: b"01" + end))
def test_any_bytes_are_read_or_refused(data):
    read_or_refuse(detect_and_read, data)
    read_or_refuse(read_list, data)


@examples(200)
@given(data=damaged(st.builds(camt.write_statement, statements(), st.sampled_from(camt.VERSIONS))))
def test_a_damaged_camt_file_is_read_or_refused(data):
    for statement in read_or_refuse(detect_and_read, data) or ():
        assert balanced(statement)


@examples(200)
@given(data=damaged(statements().map(cfonb.write_statement)))
def test_a_damaged_cfonb_file_is_read_or_refused(data):
    for statement in read_or_refuse(detect_and_read, data) or ():
        assert balanced(statement)


@examples(100)
@given(data=damaged(benefit_lists().map(write_list)))
def test_a_damaged_benefit_list_is_read_or_refused(data):
    benefits = read_or_refuse(read_list, data)

    assert benefits is None or benefits.total_cents == sum(line.net_cents for line in benefits.lines)
