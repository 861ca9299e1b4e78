"""Spreadsheets in and out."""

import io
import random
import zipfile
from datetime import date, datetime
from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from core import tables
from core.money import euros
from core.tables import BadTable, Column, blocking, read_table, template_file, write_table

HOMES = [
    Column("Référence", key="reference", required=True),
    Column("Étage", "int", key="floor"),
    Column("Surface habitable", "decimal", key="surface"),
    Column("Loyer", "euros", key="rent"),
    Column("Date d'entrée", "date", key="start"),
    Column("Mois dû", "month", key="month"),
    Column("Ascenseur", "bool", key="lift"),
    Column("Type", "choice", key="kind", choices={"maison": "house", "appartement": "flat"}),
]


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def read(data, columns=HOMES, **options):
    rows, errors = read_table(data, columns, **options)
    return list(rows), errors


def csv_of(*lines, encoding="utf-8"):
    return "\n".join(lines).encode(encoding)


def xlsx_of(*rows, titles=("Logements",)):
    book = Workbook()
    book.remove(book.active)
    for title in titles:
        page = book.create_sheet(title)
        for row in rows:
            page.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_a_csv_line_becomes_typed_values():
    rows, errors = read(
        csv_of(
            "Référence;Étage;Surface habitable;Loyer;Date d'entrée;Mois dû;Ascenseur;Type",
            "B-0042;3;41,5;1 234,56 €;05/03/2026;mars 2026;oui;Maison",
        )
    )

    assert not errors
    assert rows[0].line == 2
    assert rows[0].values == {
        "reference": "B-0042",
        "floor": 3,
        "surface": Decimal("41.5"),
        "rent": 123456,
        "start": date(2026, 3, 5),
        "month": date(2026, 3, 1),
        "lift": True,
        "kind": "house",
    }


def test_an_excel_line_becomes_the_same():
    rows, errors = read(
        xlsx_of(
            [
                "Référence",
                "Étage",
                "Surface habitable",
                "Loyer",
                "Date d'entrée",
                "Mois dû",
                "Ascenseur",
                "Type",
            ],
            ["B-0042", 3.0, 41.5, 465.3, datetime(2026, 3, 5), date(2026, 3, 1), True, "maison"],  # noqa: DTZ001 - Excel knows no zone
        )
    )

    assert not errors
    assert rows[0]["rent"] == 46530
    assert rows[0]["start"] == date(2026, 3, 5)
    assert (rows[0]["floor"], rows[0]["lift"], rows[0]["kind"]) == (3, True, "house")


@pytest.mark.parametrize("heading", ["REFERENCE", " référence * ", "Reference", "Ré fé rence"])
def test_a_heading_matches_whatever_its_case_accents_and_spaces(heading):
    rows, errors = read(csv_of(f"{heading};loyer", "B-1;465"))

    assert (rows[0]["reference"], rows[0]["rent"], errors) == ("B-1", 46500, [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("mark", [";", ",", "\t"])
def test_encoding_and_separator_are_found(encoding, mark):
    data = csv_of(f"Référence{mark}Étage", f"Été{mark}2", encoding=encoding)

    rows, errors = read(data)

    assert (rows[0]["reference"], rows[0]["floor"], errors) == ("Été", 2, [])


def test_lines_above_the_headings_and_blank_lines_are_passed_over():
    rows, _errors = read(csv_of("Stock au 1er mars", "", "Référence;Étage", "", "B-1;2", ";"))

    assert [(row.line, row["reference"]) for row in rows] == [(5, "B-1")]


def test_the_note_of_excel_on_the_separator_keeps_the_numbering():
    rows, _errors = read(csv_of("sep=;", "Référence;Étage", "B-1;2"))

    assert rows[0].line == 3


def test_a_fault_says_where_why_and_what_to_do():
    rows, errors = read(
        xlsx_of(["Référence", "Loyer"], ["B-1", 465], ["B-2", "beaucoup"], [None, 500]), sheet="logements"
    )

    assert [row["reference"] for row in rows] == ["B-1"]
    assert [(e.sheet, e.line, e.column) for e in errors] == [
        ("Logements", 3, "Loyer"),
        ("Logements", 4, "Référence"),
    ]
    assert "beaucoup" in errors[0].reason
    assert all(error.remedy for error in errors)
    assert all(error.place for error in errors)


@pytest.mark.parametrize(
    ("column", "written"),
    [
        ("Étage", "2,5"),
        ("Étage", "deux"),
        ("Étage", "9" * 400),
        ("Surface habitable", "1e9"),
        ("Surface habitable", "NaN"),
        ("Loyer", "465,001"),
        ("Loyer", "1.234"),
        ("Loyer", "12-3"),
        ("Date d'entrée", "31/02/2026"),
        ("Date d'entrée", "05/03/26"),
        ("Date d'entrée", "45000"),
        ("Date d'entrée", "05/03/0026"),
        ("Mois dû", "13/2026"),
        ("Mois dû", "brumaire 2026"),
        ("Ascenseur", "peut-être"),
        ("Type", "château"),
        ("Loyer", "١٢"),
    ],
)
def test_a_value_that_could_be_read_two_ways_or_none_is_refused(column, written):
    rows, errors = read(csv_of(f"Référence;{column}", f"B-1;{written}"))

    assert rows == []
    assert [error.column for error in errors] == [column]


@pytest.mark.parametrize(
    ("written", "cents"),
    [
        ("465", 46500),
        ("465,5", 46550),
        ("465.50", 46550),
        ("1 234,56", 123456),
        ("1\u202f234,56\xa0€", 123456),
        ("1.234,56", 123456),
        ("1.234.567", 123456700),
        ("-12,30", -1230),
        ("\u221212,30 EUR", -1230),
    ],
)
def test_an_amount_as_people_write_it(written, cents):
    rows, errors = read(csv_of("Référence;Loyer", f"B-1;{written}"))

    assert (rows[0]["rent"], errors) == (cents, [])


def test_an_amount_with_the_hair_of_binary_fractions_is_to_the_cent():
    rows, _errors = read(xlsx_of(["Référence", "Loyer"], ["B-1", 155.1 * 3]))

    assert rows[0]["rent"] == 46530


def test_an_unknown_column_is_a_remark_not_a_refusal():
    rows, errors = read(csv_of("Référence;Couleur", "B-1;bleu"))

    assert [row["reference"] for row in rows] == ["B-1"]
    assert errors[0].column == "Couleur"
    assert blocking(errors) == []


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, ".xls"),
        (b"PK\x03\x04 not an archive", "cannot be read"),
        (b"\x00\x01\x02", "cannot be read"),
        ("Loyer;Étage\n1;2".encode(), "Référence"),
        (b"bonjour\n", "headings"),
        ("Référence;Reference\n1;2".encode(), "Two columns"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(data, word):
    with pytest.raises(BadTable) as refused:
        read(data)

    assert word in str(refused.value)
    assert refused.value.remedy


def test_a_sheet_is_asked_by_its_name():
    data = xlsx_of(["Référence"], ["B-1"], titles=("Aide", "Propriétaires"))

    assert read(data, sheet="proprietaires")[0][0].sheet == "Propriétaires"
    with pytest.raises(BadTable, match="Baux"):
        read(data, sheet="Baux")


def test_an_archive_that_swells_is_refused_unopened(monkeypatch):
    monkeypatch.setattr(tables, "UNPACKED_LIMIT", 1_000_000)
    swollen = io.BytesIO()
    with zipfile.ZipFile(swollen, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 2_000_000)

    with pytest.raises(BadTable, match="Unpacked"):
        read(swollen.getvalue())


def test_a_row_that_claims_to_be_the_billionth_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(tables, "EXCEL_ROWS", 1_000)
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx_of(["Référence"], ["B-1"]))) as source,
        zipfile.ZipFile(made, "w") as out,
    ):
        for name in source.namelist():
            out.writestr(name, source.read(name).replace(b'<row r="2"', b'<row r="2000000000"'))

    assert read(made.getvalue()) == ([], [])


def test_too_many_lines_are_refused(monkeypatch):
    monkeypatch.setattr(tables, "ROW_LIMIT", 3)

    with pytest.raises(BadTable, match="more than 3 lines"):
        read(csv_of("Référence", "1", "2", "3", "4"))


def test_a_file_wrong_all_over_stops_early(monkeypatch):
    monkeypatch.setattr(tables, "ERROR_LIMIT", 5)

    rows, errors = read(csv_of("Référence;Étage", *(["B-1;haut"] * 100)))

    assert rows == []
    assert len(errors) == 7


# ---- out ----


def test_what_is_written_is_read_again_the_same():
    written = {
        "reference": "B-0042",
        "floor": -1,
        "surface": Decimal("41.5"),
        "rent": euros("1234.56"),
        "start": date(2026, 3, 5),
        "month": date(2026, 3, 1),
        "lift": False,
        "kind": "maison",
    }
    for format in ("xlsx", "csv"):
        rows, errors = read(write_table(HOMES, [written], format=format))

        assert errors == []
        assert rows[0].values == written | {"rent": 123456, "kind": "house"}


@pytest.mark.parametrize("text", ["=1+1", "+33 6 12", "-2", "@SUM(A1)", "\t=1"])
@pytest.mark.parametrize("format", ["xlsx", "csv"])
def test_text_is_never_a_formula(text, format):
    column = [Column("Nom")]
    data = write_table(column, [[text]], format=format)

    if format == "xlsx":
        cell = load_workbook(io.BytesIO(data)).active["A2"]
        assert (cell.data_type, cell.value[0]) == ("s", "'")
    else:
        assert data.decode("utf-8-sig").splitlines()[1].strip('"')[0] == "'"
    assert read(data, column)[0][0]["Nom"] == text.strip()


def test_a_negative_number_is_a_number():
    column = [Column("Solde", "euros")]

    assert b"-12,30" in write_table(column, [[euros("-12.30")]], format="csv")


def test_signs_that_excel_refuses_are_left_out():
    data = write_table([Column("Nom")], [["a\x00b\x0bc\ud800"]], format="xlsx")

    assert load_workbook(io.BytesIO(data)).active["A2"].value == "abc"


def test_the_template_is_read_back_and_explains_itself():
    data = template_file(HOMES)

    book = load_workbook(io.BytesIO(data))
    assert book.active["A1"].value == "Référence *"
    assert "maison" in book.active["H1"].comment.text
    assert book.worksheets[1].max_row == len(HOMES) + 1
    assert read(data) == ([], [])


# ---- any bytes ----


def answered(data):
    """Rows and errors, or one clean refusal."""
    try:
        read(data)
    except BadTable as refused:
        assert refused.reason
        assert refused.remedy


@given(st.binary(max_size=400))
@settings(max_examples=200)
def test_any_bytes_are_answered(data):
    answered(data)
    answered("Référence;Loyer\n".encode() + data)
    answered(b"PK\x03\x04" + data)


@given(st.lists(st.lists(st.text(max_size=12), min_size=8, max_size=8), max_size=4))
@settings(max_examples=100)
def test_any_text_in_the_cells_is_answered(lines):
    heading = [column.name for column in HOMES]
    answered("\n".join(";".join(line) for line in [heading, *lines]).encode("utf-8", "surrogatepass"))


GOOD_XLSX = write_table(
    HOMES,
    [["B-1", 1, Decimal("40.5"), 46500, date(2026, 3, 5), date(2026, 3, 1), True, "maison"]] * 3,
    format="xlsx",
)


@given(st.integers(0, 2**32), st.integers(1, 12))
@settings(max_examples=150)
def test_a_damaged_excel_file_is_answered(seed, faults):
    chance, damaged = random.Random(seed), bytearray(GOOD_XLSX)
    for _fault in range(faults):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    answered(bytes(damaged[: chance.randrange(1, len(damaged) + 1)] if seed % 4 == 0 else damaged))


@given(st.integers(0, 2**32), st.integers(1, 6))
@settings(max_examples=150)
def test_an_excel_file_damaged_within_its_archive_is_answered(seed, faults):
    chance, made = random.Random(seed), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD_XLSX)) as source, zipfile.ZipFile(made, "w") as target:
        names = source.namelist()
        hit = chance.choice(names)
        for name in names:
            part = bytearray(source.read(name))
            if name == hit:
                for _fault in range(faults):
                    place = chance.randrange(len(part))
                    part[place : place + chance.randrange(3)] = chance.choice(
                        [b"", b"<", b'"', b"9999999999", b"&lol;", b"A1", bytes([chance.randrange(256)])]
                    )
            if not (name == hit and seed % 7 == 0):
                target.writestr(name, bytes(part))
    answered(made.getvalue())
