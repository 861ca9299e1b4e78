"""The accounting file: as the law writes it, checked as the administration does, kept once final.

LPF art. A47 A-1: eighteen columns, entries in the order of their validation, numbered without a gap;
“les premiers numéros d'écritures correspondent aux écritures de reprise des soldes”.
"""

from datetime import UTC, date, datetime
from io import BytesIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from core.money import euros
from leases import ledger
from leases.accounts import fec as accounting_file
from leases.accounts.closing import CannotReopen, lock_period, unlock_period
from leases.accounts.fec import CannotDeclare, CannotExport, FecFile, begin_fec, declare_final
from leases.formats import fec
from leases.models import Book, Posting
from tests.builders import NOW
from tests.leases.full_ledger import full_ledger

JANUARY = date(2026, 1, 1)
YEAR_END = date(2026, 12, 31)
NEXT_YEAR = datetime(2027, 2, 1, 9, 0, tzinfo=UTC)
SIREN = "732829320"


@pytest.fixture
def association(build):
    return build.owner("own", siren=SIREN)


def made(**kwargs) -> FecFile:
    """The association's file of 2026, made here and now."""
    asked = {"last_day": YEAR_END, "by": None, "now": NOW, "wait": True, **kwargs}
    file, _job = begin_fec(asked.pop("last_day"), **asked)
    file.refresh_from_db()
    return file


def content(file: FecFile) -> bytes:
    return b"".join(file.content())


def rows(file: FecFile) -> list[dict[str, str]]:
    heading, *lines = content(file).decode(fec.ENCODING).split("\r\n")
    names = heading.split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines if line]


# ---- the file -------------------------------------------------------------------------------


def test_the_file_is_written_as_the_law_wants_it(association, build):
    kept = full_ledger(build)
    file = made()

    assert file.name == f"{SIREN}FEC20261231.txt"
    assert not file.faults and file.fault_count == 0
    told = rows(file)
    assert tuple(told[0]) == fec.COLUMNS
    call = next(row for row in told if row["JournalCode"] == "LOY" and row["CompteNum"] == "411")
    assert call == {
        "JournalCode": "LOY",
        "JournalLib": "Quittancement",
        "EcritureNum": call["EcritureNum"],
        "EcritureDate": "20260201",
        "CompteNum": "411",
        "CompteLib": call["CompteLib"],
        "CompAuxNum": kept.own.reference,
        "CompAuxLib": f"Bail {kept.own.reference}",
        "PieceRef": call["PieceRef"],
        "PieceDate": "20260201",
        "EcritureLib": f"Loyer 02/2026 {kept.own.reference}",
        "Debit": "465,00",
        "Credit": "0,00",
        "EcritureLet": "",
        "DateLet": "",
        "ValidDate": "20260302",
        "Montantdevise": "",
        "Idevise": "",
    }
    assert {row["JournalCode"] for row in told} == {"LOY", "BQ", "REP"}


def test_every_posting_of_the_book_is_there_once(association, build):
    full_ledger(build)
    file = made()
    own = Posting.objects.filter(debit__book=ledger.association_book_id())

    assert file.entries == own.count()
    assert file.lines == 2 * own.count()
    assert file.debit == file.credit == sum((one.amount for one in own), euros(0))
    numbers = [int(row["EcritureNum"]) for row in rows(file)]
    assert sorted(set(numbers)) == list(range(1, own.count() + 1))


def test_nobody_is_named(association, build):
    full_ledger(build)

    assert b"Martin" not in content(made())


def test_a_mandant_has_a_file_apart(association, build):
    kept = full_ledger(build)
    kept.mandant.siren = "552100554"
    kept.mandant.save()
    file = made(book=Book.objects.get(owner=kept.mandant))

    assert file.name == "552100554FEC20261231.txt"
    assert file.debit == euros("1800.00")  # twice 600 called, 600 received
    assert file.fault_count == 0


def test_balances_come_forward_as_the_first_entry(association, build):
    lease = build.lease(rent="465.00", start=date(2025, 11, 1))
    build.called(date(2025, 11, 1), date(2025, 12, 1), JANUARY)

    file = made()
    forward = [row for row in rows(file) if row["JournalCode"] == "AN"]

    assert {row["EcritureNum"] for row in forward} == {"1"}
    assert [(row["CompteNum"], row["CompAuxNum"], row["Debit"], row["Credit"]) for row in forward] == [
        ("120", "", "0,00", "930,00"),
        ("411", lease.reference, "930,00", "0,00"),
    ]
    assert file.fault_count == 0
    assert file.entries == 2


def test_it_is_made_in_parts_that_go_on_one_from_the_other(association, build, monkeypatch):
    monkeypatch.setattr(accounting_file, "PART", 1)
    full_ledger(build)
    file = made()

    assert file.parts.count() > 3
    assert file.fault_count == 0


def test_parts_cost_as_many_queries_at_forty_leases_as_at_two(association, build):
    for _number in range(2):
        build.lease()
    build.called(JANUARY)
    with CaptureQueriesContext(connection) as at_two:
        made()
    for _number in range(38):
        build.lease()
    build.called(date(2026, 2, 1))
    FecFile.objects.all().delete()
    with CaptureQueriesContext(connection) as at_forty:
        made()

    # One part for each of the two runs' entries would be a query more: they share one part.
    assert len(at_forty) == len(at_two)


def test_without_siren_number_there_is_no_file(build):
    build.owner("own")

    with pytest.raises(CannotExport, match="SIREN"):
        made()


def test_a_new_draft_takes_the_place_of_the_old(association, build):
    build.lease()
    build.called(JANUARY)
    made()
    made()

    assert FecFile.objects.count() == 1


# ---- final ----------------------------------------------------------------------------------


@pytest.fixture
def closed_year(association, build):
    build.lease()
    build.called(JANUARY)
    lock_period(YEAR_END, by=None, now=NEXT_YEAR)
    return made(now=NEXT_YEAR)


def test_a_final_file_and_its_period_never_change_again(closed_year):
    file = declare_final(closed_year, by=None, now=NEXT_YEAR)

    with pytest.raises(CannotReopen, match="declared final"):
        unlock_period(None, reason="One invoice more", by=None, now=NEXT_YEAR)
    with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
        FecFile.objects.filter(pk=file.pk).update(declared_at=None)
    with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
        file.delete()
    with pytest.raises(CannotExport, match="declared final"):
        made(now=NEXT_YEAR)
    assert content(file)


def test_other_days_may_be_opened_again(closed_year):
    declare_final(closed_year, by=None, now=NEXT_YEAR)
    lock_period(date(2027, 1, 31), by=None, now=NEXT_YEAR)

    assert unlock_period(YEAR_END, reason="An invoice of January", by=None, now=NEXT_YEAR)


def test_a_year_still_open_is_not_final(association, build):
    build.lease()
    build.called(JANUARY)

    with pytest.raises(CannotDeclare, match="not closed"):
        declare_final(made(), by=None, now=NEXT_YEAR)


def test_a_file_older_than_its_last_posting_is_not_final(association, build):
    build.lease()
    build.called(JANUARY)
    file = made()
    build.called(date(2026, 2, 1))
    lock_period(YEAR_END, by=None, now=NEXT_YEAR)

    with pytest.raises(CannotDeclare, match="posted since"):
        declare_final(file, by=None, now=NEXT_YEAR)


# ---- the check ------------------------------------------------------------------------------


def a_line(number=1, **kwargs) -> fec.Line:
    return fec.Line(
        **{
            "journal": "OD",
            "journal_label": "Opérations diverses",
            "number": number,
            "on": JANUARY,
            "account": "411",
            "account_label": "Locataires",
            "auxiliary": "",
            "auxiliary_label": "",
            "piece": "E1",
            "piece_on": JANUARY,
            "label": "Loyer",
            "debit": 10000,
            "credit": 0,
            "valid_on": JANUARY,
            **kwargs,
        }
    )


def an_entry(number=1, **kwargs) -> list[fec.Line]:
    other = {"account": "7061", "account_label": "Loyers", "debit": 0, "credit": 10000}
    return [a_line(number, **kwargs), a_line(number, **{**other, **kwargs, **other})]


def checked(data: bytes, name="") -> fec.Report:
    return fec.check(BytesIO(data), name=name, start=JANUARY, end=YEAR_END)


def good(separator=fec.TAB) -> bytes:
    return fec.header(separator) + fec.encoded([*an_entry(1), *an_entry(2)], separator)


@pytest.mark.parametrize("separator", [fec.TAB, fec.PIPE])
def test_a_file_as_it_should_be_has_no_fault(separator):
    report = checked(good(separator), name=f"{SIREN}FEC20261231.txt")

    assert report.holds, [str(one) for one in report.faults]
    assert (report.lines, report.entries, report.debit, report.credit) == (4, 2, 20000, 20000)


WRONG = {
    "a field too many": (lambda text: text.replace("Loyer\t", "Loyer\tmarché\t", 1), 2, "", "not 18"),
    "a heading out of order": (
        lambda text: text.replace("JournalCode\tJournalLib", "JournalLib\tJournalCode"),
        1,
        "",
        "not in their order",
    ),
    "a heading missing": (lambda text: text.replace("\tIdevise", ""), 1, "", "lacks Idevise"),
    "a point for a comma": (lambda text: text.replace("100,00", "100.00", 1), 2, "Debit", "not an amount"),
    "a mark of thousands": (lambda text: text.replace("100,00", "1 100,00", 1), 2, "Debit", "not an amount"),
    "a date that is none": (
        lambda text: text.replace("20260101", "20260230", 1),
        2,
        "EcritureDate",
        "not a date",
    ),
    "a date of another year": (
        lambda text: text.replace("20260101", "20250101"),
        2,
        "EcritureDate",
        "outside the year",
    ),
    "a gap in the numbers": (lambda text: text.replace("\t2\t", "\t3\t"), 4, "EcritureNum", "after entry 1"),
    "an entry that does not balance": (
        lambda text: text.replace("0,00\t100,00", "0,00\t90,00", 1),
        2,
        "EcritureNum",
        "does not balance",
    ),
    "both sides at once": (
        lambda text: text.replace("100,00\t0,00", "100,00\t100,00", 1),
        2,
        "Debit",
        "a debit or a credit",
    ),
    "an account that is no number": (
        lambda text: text.replace("\t411\t", "\tLOC\t", 1),
        2,
        "CompteNum",
        "three digits",
    ),
    "an empty label": (lambda text: text.replace("\tLoyer\t", "\t\t", 1), 2, "EcritureLib", "empty"),
    "half an auxiliary account": (
        lambda text: text.replace("Locataires\t\t", "Locataires\tB1\t", 1),
        2,
        "CompAuxNum",
        "or neither",
    ),
    "two labels of an account": (
        lambda text: text.replace("Locataires", "Clients", 1),
        4,
        "CompteLib",
        "two labels",
    ),
}


@pytest.mark.parametrize(("spoil", "line", "column", "words"), WRONG.values(), ids=WRONG)
def test_each_fault_is_named_by_its_line(spoil, line, column, words):
    report = checked(spoil(good().decode(fec.ENCODING)).encode(fec.ENCODING))

    found = next(one for one in report.faults if words in one.reason % one.values)
    assert (found.line, found.column) == (line, column)
    assert found.remedy


def test_entries_stand_in_the_order_of_their_validation():
    late = fec.encoded([*an_entry(1, valid_on=date(2026, 2, 1)), *an_entry(2)])

    assert "validated before" in str(checked(fec.header() + late).faults[0])


def test_a_file_wrongly_named_is_told():
    assert "named after the SIREN" in str(checked(good(), name="export.txt").faults[0])


def test_an_empty_file_is_told():
    assert checked(b"").count == 1
    assert checked(fec.header()).count == 1


@pytest.mark.parametrize("data", [b"\x00" * 50, b"\xff\xfe" * 40, "é|".encode() * 90])
def test_any_bytes_are_an_answer(data):
    assert not checked(data).holds


def test_what_parts_fields_never_stands_in_one():
    line = fec.written(a_line(label="Loyer\tde | janvier\n– l’été"))

    assert line.count("\t") == 17
    assert "Loyer de janvier - l'été" in line


def test_the_trial_balance_is_held_against_the_file():
    report = checked(good())
    fec.compare(report, {"411": (0, 20000, 0), "7061": (0, 0, 19999)})

    assert [one.values["number"] for one in report.faults] == ["7061"]


# ---- the commands ---------------------------------------------------------------------------


def test_the_commands_export_and_check_a_year(association, build, tmp_path, capsys):
    full_ledger(build)

    call_command("export_fec", "--year", "2026", "--to", str(tmp_path))
    file = tmp_path / f"{SIREN}FEC20261231.txt"
    call_command("check_fec", str(file))

    assert file.exists()
    assert "holds" in capsys.readouterr().out
    file.write_bytes(file.read_bytes().replace(b"465,00", b"466,00", 1))
    with pytest.raises(SystemExit):
        call_command("check_fec", str(file))
    assert "does not balance" in capsys.readouterr().err


def test_the_command_closes_a_period(db):
    call_command("lock_period", "2026-01-31")

    assert ledger.closed_up_to() == date(2026, 1, 31)
    with pytest.raises(CommandError, match="already"):
        call_command("lock_period", "2026-01-31")
