"""A file of the stock comes in whole or not at all, and a second time changes nothing."""

from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audit import AuditLine
from core.errors import Refusal
from core.imports import BadImport
from core.money import euros
from core.tables import write_table
from portfolio.imports import COLUMNS, import_portfolio
from portfolio.models import (
    Building,
    EnergyLabel,
    Holding,
    OutOfService,
    Owner,
    Place,
    SafetyOrder,
    Site,
    Structure,
    Unit,
)
from tests.uploads import upload

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SORTS = (Site, Structure, Building, Owner, Unit, Place, Holding, OutOfService, SafetyOrder, EnergyLabel)


def home(reference="A-101", **said) -> dict:
    """A line of the file: a home in Lille under mandate since 2020, unless said otherwise."""
    return {
        "unit_reference": reference,
        "site_reference": "LILAS",
        "site_name": "Les Lilas",
        "building_reference": "LILAS-1",
        "address": "1 rue des Lilas",
        "postcode": "59000",
        "commune": "Lille",
        "commune_code": "59350",
        "typology": "T3",
        "living_surface": Decimal("62.5"),
        "owner_reference": "DUPONT",
        "owner_kind": "bailleur privé",
        "owner_name": "Mme Dupont",
        "title": "mandat",
        "title_start": date(2020, 1, 1),
        **said,
    }


def written(*lines: dict, format: str = "xlsx") -> bytes:
    return write_table(COLUMNS, lines, format=format)


def taken_in(*lines: dict, by=None, format: str = "xlsx"):
    return import_portfolio(written(*lines, format=format), by=by, now=NOW)


def faults(*lines: dict) -> list[tuple[int, str]]:
    """Lines and columns of the faults of a file, which leaves nothing behind."""
    before = [sort.objects.count() for sort in SORTS]
    with pytest.raises(BadImport) as refused:
        taken_in(*lines)
    assert [sort.objects.count() for sort in SORTS] == before
    assert all(error.reason and error.remedy for error in refused.value.errors)
    return [(error.line, error.column) for error in refused.value.errors if error.blocking]


@pytest.mark.parametrize("format", ["xlsx", "csv"])
def test_a_line_makes_the_home_and_all_it_stands_in(format):
    taken_in(
        home(
            fee_rate=Decimal("7.5"),
            unpaid_guaranteed=True,
            label="F",
            label_issued=date(2022, 3, 1),
            label_end=date(2032, 2, 29),
            latitude=Decimal("50.6311167"),
            longitude=Decimal("3.0469"),
            rent_ceiling=euros("480.20"),
        ),
        format=format,
    )

    unit = Unit.objects.get()
    assert (unit.reference, unit.typology, unit.living_surface) == ("A-101", "T3", Decimal("62.5"))
    assert unit.rent_ceiling == euros("480.20")
    assert unit.building.latitude == Decimal("50.631117")
    assert unit.building.site.name == "Les Lilas"
    assert (Place.objects.get().reference, Place.objects.get().kind) == ("A-101", "home")
    holding = Holding.objects.get()
    assert (holding.title, holding.owner.kind, holding.end) == ("mandate", "private", None)
    assert (holding.fee_rate, holding.unpaid_guaranteed, holding.vacancy_guaranteed) == (
        Decimal("7.5"),
        True,
        False,
    )
    label = EnergyLabel.objects.get()
    assert (label.letter, label.valid_until) == ("F", date(2032, 3, 1))


def test_the_last_day_of_a_mandate_is_the_files_and_its_end_the_day_after():
    taken_in(home(title_end=date(2025, 12, 31)))

    assert Holding.objects.get().end == date(2026, 1, 1)


def test_who_mandated_a_home_on_any_past_date():
    taken_in(
        home(title_end=date(2023, 6, 30)),
        home(
            owner_reference="HLM59",
            owner_kind="bailleur social",
            owner_name="HLM du Nord",
            title="bail principal",
            title_start=date(2023, 7, 1),
            rent_due=euros("310.00"),
        ),
    )

    held = Unit.objects.get().holdings
    assert held.on(date(2023, 6, 30)).get().owner.name == "Mme Dupont"
    assert held.on(date(2023, 7, 1)).get().title == "head_lease"


def test_an_order_stops_the_rent_on_the_first_of_the_next_month():
    taken_in(
        home(order_kind="insalubrité", order_notified=date(2025, 3, 1), order_released=date(2025, 10, 31))
    )

    order = SafetyOrder.objects.get()
    assert (order.rent_stops, order.rent_resumes) == (date(2025, 4, 1), date(2025, 11, 1))


def test_a_structure_has_rooms_beside_one_another():
    in_structure = {"structure_reference": "CHRS1", "structure_name": "Le Relais", "structure_kind": "CHRS"}
    taken_in(
        home(**in_structure, place_reference="A-101/1", place_kind="chambre"),
        {"unit_reference": "A-101", "place_reference": "A-101/2", "place_kind": "chambre"},
    )

    assert sorted(Place.objects.values_list("reference", "kind")) == [
        ("A-101/1", "room"),
        ("A-101/2", "room"),
    ]
    assert Unit.objects.get().structure.kind == "chrs"


def test_the_same_file_again_changes_nothing():
    line = home(out_kind="travaux", out_start=date(2024, 1, 8), out_end=date(2024, 2, 2), fee_rate=Decimal(7))
    taken_in(line)
    again = taken_in(line)

    assert again.nothing_new
    assert Holding.objects.count() == OutOfService.objects.count() == 1


def test_what_is_simple_is_updated_and_a_blank_changes_nothing():
    taken_in(home(door="12", owner_email="dupont@example.org"))
    done = taken_in(home(door="14", typology="T4", owner_name=None, owner_kind=None))

    assert (Unit.objects.get().door, Unit.objects.get().typology) == ("14", "T4")
    assert Owner.objects.get().email == "dupont@example.org"
    assert not done.created


def test_a_title_left_open_can_be_ended_later_but_not_told_otherwise():
    taken_in(home())
    taken_in(home(title_end=date(2025, 12, 31)))
    assert Holding.objects.get().end == date(2026, 1, 1)

    assert faults(home(title_end=date(2024, 12, 31))) == [(2, "titre_fin")]
    assert faults(home(title="acte")) == [(2, "titre")]


def test_two_titles_of_a_home_do_not_share_a_day():
    assert faults(home(), home(title="acte", title_start=date(2022, 1, 1))) == [(3, "titre_fin")]


def test_a_new_title_needs_the_end_of_the_one_kept():
    taken_in(home())

    assert faults(home(title="acte", title_start=date(2026, 1, 1))) == [(2, "titre_fin")]
    taken_in(home(title_end=date(2025, 12, 31)), home(title="acte", title_start=date(2026, 1, 1)))
    assert Holding.objects.count() == 2


def test_lines_that_contradict_one_another_are_named():
    assert faults(home("A-1"), home("A-2", owner_name="M. Durand")) == [(3, "proprietaire_nom")]


@pytest.mark.parametrize(
    "said, column",
    [
        ({"typology": None}, "type"),
        ({"building_reference": None, "site_reference": None}, "immeuble_reference"),
        ({"title_start": None}, "titre_debut"),
        (
            {
                "title": None,
                "title_start": None,
                "owner_reference": None,
                "owner_kind": None,
                "owner_name": None,
            },
            "titre",
        ),
        ({"postcode": "5900"}, None),
        ({"postcode": "59 000"}, "code_postal"),
        ({"commune_code": "593500"}, "code_insee"),
        ({"owner_siren": "123456789"}, "proprietaire_siren"),
        ({"owner_iban": "FR7630006000011234567890188"}, "proprietaire_iban"),
        ({"owner_email": "dupont"}, "proprietaire_email"),
        ({"unit_reference": "A" * 21}, "logement_reference"),
        ({"living_surface": Decimal(0)}, "surface_habitable"),
        ({"fee_rate": Decimal(101)}, "taux_honoraires"),
        ({"rent_ceiling": euros(-1)}, "plafond_loyer"),
        ({"title_end": date(2019, 12, 31)}, "titre_fin"),
        ({"label": "D", "label_issued": date(2022, 1, 1)}, "dpe_fin"),
        ({"order_kind": "insalubrité", "order_notified": date(1950, 1, 1)}, "arrete_notifie"),
    ],
)
def test_each_fault_names_its_column(said, column):
    if column is None:  # a first zero that a spreadsheet dropped
        taken_in(home(**said))
        assert Building.objects.get().postcode == "05900"
    else:
        assert column in [name for line, name in faults(home(**said)) if line == 2]


def test_a_home_is_let_whole():
    assert faults(home(), home(place_reference="A-101/2", place_kind="chambre")) == [(2, "place_type")]


def test_all_faults_are_told_at_once_and_the_audit_tells_the_import(build):
    assert faults(home("A-1", postcode="?"), home("A-2", title="??"), home("A-3", typology="T9")) == [
        (2, "code_postal"),
        (3, "titre"),
        (4, "type"),
    ]
    taken_in(home(), by=build.user("rental_manager"))
    line = AuditLine.objects.get(action="import")
    assert (line.resource, line.detail["rows"]) == ("unit", 1)


def test_the_number_of_queries_is_that_of_two_lines():
    def queries(first: int, count: int) -> int:
        lines = [
            home(f"A-{n}", building_reference=f"B-{n}", site_reference=f"S-{n}", owner_reference=f"O-{n}")
            for n in range(first, first + count)
        ]
        data = written(*lines)
        with CaptureQueriesContext(connection) as seen:
            import_portfolio(data, by=None, now=NOW)
        return len(seen)

    assert queries(0, 2) == queries(100, 40)


def test_the_command_prints_what_it_did_or_every_fault(tmp_path):
    good, bad = tmp_path / "parc.csv", tmp_path / "faux.xlsx"
    good.write_bytes(written(home(), format="csv"))
    bad.write_bytes(written(home("A-102", typology="T12")))
    out, err = StringIO(), StringIO()

    call_command("import_portfolio", good, stdout=out)
    assert Unit.objects.get().reference == "A-101"
    with pytest.raises(CommandError):
        call_command("import_portfolio", bad, stdout=out, stderr=err)
    assert "type" in err.getvalue()
    with pytest.raises(CommandError):
        call_command("import_portfolio", tmp_path / "none.csv", stdout=out, stderr=err)


def test_a_manager_imports_by_page_and_reads_the_faults(client, build):
    from django.urls import reverse

    client.force_login(build.user("rental_manager"))
    page = upload(client, "import-portfolio", written(home(postcode="?")))
    assert "code_postal" in page.content.decode()
    assert not Unit.objects.exists()
    page = upload(client, "import-portfolio", written(home()))
    assert "note-good" in page.content.decode()
    assert Unit.objects.exists()
    template = client.get(reverse("import-portfolio-template"))
    assert template.content[:2] == b"PK"


def unharmed(data: bytes) -> None:
    """A file is taken in or refused, and a refused one leaves nothing."""
    before = [sort.objects.count() for sort in SORTS]
    try:
        import_portfolio(data, by=None, now=NOW)
    except Refusal as refused:
        assert refused.reason
        assert [sort.objects.count() for sort in SORTS] == before


@given(st.binary(max_size=400))
@settings(max_examples=60)
def test_any_bytes_are_taken_in_or_refused(data):
    unharmed(data)
    unharmed(b"logement_reference;type;etage\r\n" + data)


CELL = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.sampled_from(["T3", "oui", "31/12/9999", "1e9", "-1", "=1+1", "\u0661", "A-101", "mandat", "NaN"]),
    st.integers(-(10**18), 10**18).map(str),
)


@given(st.dictionaries(st.sampled_from([c.key for c in COLUMNS]), CELL, max_size=6), st.integers(0, 1))
@settings(max_examples=60)
def test_a_mutated_line_is_taken_in_or_refused(mutated, which):
    lines = [home("A-101"), home("A-102")]
    lines[which] |= mutated
    # Written as text: what people type, whatever the column is meant to hold.
    text = "\r\n".join(
        [";".join(column.name for column in COLUMNS)]
        + [
            ";".join('"' + _typed(line.get(c.key)).replace('"', '""') + '"' for c in COLUMNS)
            for line in lines
        ]
    )
    unharmed(text.encode("utf-8", "replace"))


def _typed(value) -> str:
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y")
    return "" if value is None else str(value).replace("\x00", "")
