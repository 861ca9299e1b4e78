"""CFONB 120 files as banks write them, and as they should not."""

from dataclasses import replace
from datetime import date

import pytest

from leases.formats import cfonb
from leases.formats.statement import BadFile, Movement, Statement, detect_and_read

IBAN = "FR7630006000011234567890189"
MARCH_4, MARCH_5 = date(2026, 3, 4), date(2026, 3, 5)


def line(
    code, rest=None, *, day="050326", bank="30006", branch="00001", account="12345678901", currency="EUR2"
):
    """A record with texts at given columns, counted from 1."""
    columns = {1: code, 3: bank, 12: branch, 17: currency, 22: account, 35: day} | (rest or {})
    record = [" "] * 120
    for column, text in columns.items():
        record[column - 1 : column - 1 + len(text)] = text
    assert len(record) == 120
    return "".join(record)


def file(*records, opening="0000000010000{", closing="0000000010000{", separator="\r\n"):
    return separator.join(
        [line("01", {91: opening}, day="040326"), *records, line("07", {91: closing})]
    ).encode("latin-1")


def movement(amount="0000000004650{", label="VIR SEPA DUPONT MARIE", **columns):
    extra = {int(name[1:]): text for name, text in columns.items()}
    return line("04", {43: "060326", 49: label, 82: "0000000", 91: amount} | extra)


def detail(qualifier, text):
    return line("05", {46: qualifier + text})


def only_movement(data):
    (read,) = detect_and_read(data)
    (found,) = read.movements
    return found


def refusal(data):
    with pytest.raises(BadFile) as refused:
        detect_and_read(data)
    return refused.value


@pytest.mark.parametrize(("amount", "cents"), [("0000000024512E", 245125), ("0000000001070}", -10700)])
def test_the_last_character_of_an_amount_is_digit_and_sign(amount, cents):
    (read,) = detect_and_read(file(opening=amount, closing=amount))

    assert read.opening_cents == read.closing_cents == cents


def test_a_transfer_received_with_its_details():
    data = file(
        movement(),
        detail("LIB", "ECHEANCE DE MARS"),
        detail("NPY", "DUPONT MARIE"),
        detail("IPY", "FR1420041010050500013M02606"),
        # The 140 characters of the remittance text are cut in two wherever they may be.
        detail("LCC", "LOYER MARS 2026".ljust(68) + "B-"),
        detail("LC2", "0042"),
        detail("RCN", "AE-0042-202603".ljust(35) + "RENT"),
        detail("REF", "BANKREF778899"),
        detail("ZZZ", "unknown qualifiers are left aside"),
        closing="0000000014650{",
    )

    assert only_movement(data) == Movement(
        line=2,
        booked=MARCH_5,
        valued=date(2026, 3, 6),
        amount_cents=46500,
        label="VIR SEPA DUPONT MARIE ECHEANCE DE MARS",
        end_to_end="AE-0042-202603",
        reference="LOYER MARS 2026 B-0042",
        counterparty_name="DUPONT MARIE",
        counterparty_iban="FR1420041010050500013M02606",
        bank_reference="BANKREF778899",
        kind="credit_transfer",
    )


def test_a_rejected_debit_by_the_bank_code():
    data = file(
        movement("0000000004650}", "PRLV SEPA", c41="10"),
        detail("NPY", "DUPONT MARIE"),
        detail("RUM", "RUM-0042"),
        closing="0000000005350{",
    )

    found = only_movement(data)

    assert (found.kind, found.return_code, found.amount_cents) == ("return", "10", -46500)
    assert (found.counterparty_name, found.mandate) == ("DUPONT MARIE", "RUM-0042")


def test_a_rejected_debit_by_the_iso_code():
    data = file(
        movement("0000000004650}", "REJET PRLV SEPA"),
        detail("RET", "AM04  PROVISION INSUFFISANTE"),
        closing="0000000005350{",
    )

    assert only_movement(data).return_code == "AM04"


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("VIR INST RETOUR DE VACANCES", "credit_transfer"),
        ("PRLV SEPA F DUPONT", "direct_debit"),
        ("PRLV SEPA REJETS DU 05", "return"),
        ("REJET PRLV 0042", "return"),
        ("FRAIS REJET PRLV", "fee"),
        ("F COMMISSION D INTERVENTION", "fee"),
        ("REMISE CHEQUES 12", "cheque"),
        ("VERSEMENT ESPECES", "cash"),
        ("CB MONOPRIX", "card"),
        ("DIVERS", "other"),
    ],
)
def test_the_kind_is_read_from_the_first_words_of_the_label(label, kind):
    assert only_movement(file(movement("0000000000000{", label))).kind == kind


@pytest.mark.parametrize("separator", ["\r\n", "\n", "\r", "", "\r\n\r\n"])
def test_any_separator_or_none_between_records(separator):
    data = file(movement(), closing="0000000014650{", separator=separator)

    assert only_movement(data + b"\r\n\x1a").amount_cents == 46500


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8"])
def test_accents_in_the_usual_encodings(encoding):
    data = file(movement(label="VIR CÔTÉ"), closing="0000000014650{").decode("latin-1").encode(encoding)

    assert only_movement(data).label == "VIR CÔTÉ"


def test_the_statement_covers_the_days_after_the_old_balance():
    (read,) = detect_and_read(file())

    assert read == Statement(IBAN, "EUR", "", MARCH_5, MARCH_5, 100000, 100000, ())


def test_several_accounts_one_after_the_other():
    letters = {"bank": "20041", "branch": "01005", "account": "0500013M026"}
    other = [line(code, {91: "0000000000000{"}, **letters) for code in ("01", "07")]

    read = detect_and_read(file() + "\n".join(["", *other]).encode())

    assert [statement.iban for statement in read] == [IBAN, "FR1420041010050500013M02606"]


def test_amounts_with_another_number_of_decimals():
    data = "\n".join(
        line(code, {91: "0000000010000{"}, currency="EUR3", day=day)
        for code, day in (("01", "040326"), ("07", "050326"))
    )

    assert detect_and_read(data.encode())[0].opening_cents == 10000


@pytest.mark.parametrize(
    ("data", "line_number", "reason"),
    [
        (file()[:-30], 2, "90 characters instead of 120"),
        (file()[:122], 1, "stops before the new balance"),
        (file(movement(), closing="0000000014650{")[122:], 1, "No old balance"),
        (file(line("01", {91: "0000000010000{"})), 2, "before the new balance"),
        (file(detail("LIB", "x")), 2, "follows no movement"),
        (file(line("09")), 2, "type '09'"),
        (file(movement(c22="99999999999")), 2, "another account"),
        (file(movement()), 3, "do not make the closing balance"),
        (file(movement("00000000046500")), 2, "not a signed amount"),
        (file(movement("-000000004650{")), 2, "not a signed amount"),
        (file(movement(c35="310226")), 2, "not a day"),
        (file(movement(c35="060326"), closing="0000000014650{"), 2, "outside"),
        (file(movement(label="VIR\x00"), closing="0000000014650{"), 2, "control characters"),
        (file().replace(b"EUR2", b"CHF2"), 1, "only euros"),
        (file().replace(b"EUR2", b"EUR "), 1, "not a signed amount"),
        (file().replace(b"30006", b"3000A"), 1, "no French account"),
        (file().replace(b"040326", b"060326"), 2, "before it starts"),
        (file(movement(label="\x81")), None, "encoding"),
    ],
)
def test_a_broken_file_is_refused_with_line_and_reason(data, line_number, reason):
    fault = refusal(data)

    assert reason in fault.reason
    assert fault.line == line_number
    assert fault.remedy


def test_characters_out_of_the_bank_s_alphabet_are_brought_near():
    wanted = Movement(line=2, booked=MARCH_5, valued=None, amount_cents=100, label="VIR Łódź Đorđević ☂")
    statement = Statement(IBAN, "EUR", "", MARCH_5, MARCH_5, 0, 100, (wanted,))

    (read,) = detect_and_read(cfonb.write_statement(statement))

    assert read.movements[0].label == "VIR ?ódz ?or?evic ?".replace("ó", "o")


def test_only_french_accounts_can_be_written():
    statement = detect_and_read(file())[0]

    with pytest.raises(ValueError, match="not a French IBAN"):
        cfonb.write_statement(replace(statement, iban="DE89370400440532013000"))
