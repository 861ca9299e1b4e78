"""The list joined to a CAF's or MSA's grouped transfer."""

from datetime import date

import pytest

from leases.formats.benefit_list import BenefitLine, read_list, write_list
from leases.formats.statement import BadFile

HEADINGS = (
    "organisme;numero_allocataire;nom;reference_bail;mois_droit;"
    "montant;rappel;retenue;reference_virement;date_paiement"
)
DUPONT = "CAF du Nord;1234567;DUPONT Hélène;B-0042;2026-03;1 234,56;100,00;;VIR-77;2026-03-25"
MARTIN = "CAF du Nord;7654321;MARTIN;;2026-02;200.5;;50,00;VIR-77;25/03/2026"


def file(*lines, headings=HEADINGS, encoding="utf-8"):
    return "\r\n".join([headings, *lines, ""]).encode(encoding)


def refusal(data):
    with pytest.raises(BadFile) as refused:
        read_list(data)
    return refused.value


def test_a_list_says_who_was_paid_for_which_month():
    benefits = read_list(file(DUPONT, MARTIN))

    assert (benefits.payer, benefits.transfer_reference) == ("CAF du Nord", "VIR-77")
    assert benefits.paid_on == date(2026, 3, 25)
    assert benefits.lines == (
        BenefitLine(2, "1234567", "DUPONT Hélène", "B-0042", date(2026, 3, 1), 123456, 10000, 0),
        BenefitLine(3, "7654321", "MARTIN", "", date(2026, 2, 1), 20050, 0, 5000),
    )
    assert benefits.lines[0].net_cents == 133456
    assert benefits.total_cents == 133456 + 15050


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_the_usual_encodings(encoding):
    assert read_list(file(DUPONT, encoding=encoding)).lines[0].name == "DUPONT Hélène"


@pytest.mark.parametrize("amount", ["1 234,56", "1\u00a0234,56", "1\u202f234,56", "1234.56", "1234,56 €"])
def test_amounts_as_the_french_write_them(amount):
    assert read_list(file(DUPONT.replace("1 234,56", amount))).lines[0].amount_cents == 123456


def test_columns_in_any_order_and_others_left_aside():
    headings = HEADINGS.replace("organisme;", "commentaire; ORGANISME ;")

    assert read_list(file("vu;" + DUPONT, headings=headings)).payer == "CAF du Nord"


def test_more_kept_back_than_due_is_below_zero():
    line = DUPONT.replace("1 234,56;100,00;", "100,00;;250,00")

    assert read_list(file(line)).total_cents == -15000


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"", 1, "heading organisme"),
        (file(), None, "no line"),
        (file(DUPONT, headings=HEADINGS.replace("rappel", "nom")), 1, "heading nom"),
        (file(DUPONT, headings=HEADINGS.replace(";", ",")), 1, "heading organisme"),
        (file(DUPONT, MARTIN + ";x"), 3, "11 columns"),
        (file(DUPONT, MARTIN.replace("VIR-77", "VIR-78")), 3, "another payer, transfer"),
        (file(DUPONT.replace("CAF du Nord", "")), 2, "organisme"),
        (file(DUPONT.replace("1 234,56", "-12,00")), 2, "never below zero"),
        (file(DUPONT.replace("1 234,56", "1.234,56")), 2, "not an amount"),
        (file(DUPONT.replace("1 234,56", "")), 2, "montant"),
        (file(DUPONT.replace("2026-03;", "2026-13;")), 2, "not a month"),
        (file(DUPONT.replace("2026-03-25", "30/02/2026")), 2, "not a day"),
        (file(DUPONT.replace("DUPONT", '"DUPONT')), 2, "quotation mark"),
        (file(DUPONT.replace("1234567", "1" * 36)), 2, "numero_allocataire"),
        (file(DUPONT.replace("1234567;DUPONT Hélène;B-0042", ";;")), 2, "names no one"),
        (file(DUPONT, encoding="utf-16"), 1, "not text"),
    ],
)
def test_a_broken_list_is_refused_with_line_and_reason(data, line, reason):
    fault = refusal(data)

    assert reason in fault.reason
    assert fault.line == line
    assert fault.remedy


def test_what_is_written_is_read_back():
    benefits = read_list(file(DUPONT, MARTIN))

    assert read_list(write_list(benefits)) == benefits
