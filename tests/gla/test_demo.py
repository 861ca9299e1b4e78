"""The demonstration association: its figures, its files, and a small one played to its end."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from django.utils import translation

from core.jobs import Job
from core.money import to_cents
from gla import demo, demo_files
from gla.demo_bank import make_files
from gla.demo_people import make_leases, names
from gla.demo_stock import SEGMENTS, UNITS, make_stock, siren
from leases.formats.statement import detect_and_read, is_iban
from leases.ledger import Posting
from leases.models import Allocation, RentCall
from leases.proof import check_ledger

TODAY = date(2026, 11, 24)
FIRST = date(2024, 12, 1)


@pytest.fixture(scope="module")
def stock():
    return make_stock(units=UNITS, first_month=FIRST, today=TODAY, names=names("owners"))


@pytest.fixture(scope="module")
def leases(stock):
    return make_leases(stock, first_month=FIRST, today=TODAY)


def kept_by(units, **wanted):
    return sum(all(getattr(unit.segment, name) == value for name, value in wanted.items()) for unit in units)


# ---- its figures ------------------------------------------------------------------------


def test_4303_homes_37_percent_on_its_own_account(stock):
    kinds = Counter(unit.holdings[-1].owner.kind for unit in stock.units)

    assert len(stock.units) == 4_303
    assert kinds["own"] == 1_592
    assert kinds["social"] + kinds["private"] == 1_463
    assert kinds["saues"] == 1_248


def test_the_structures_have_the_homes_that_the_association_says(stock):
    structures = Counter((unit.segment.structure[0], unit.segment.code) for unit in stock.units)

    assert sorted(count for (kind, _), count in structures.items() if kind == "residence_sociale") == [28, 37]
    assert sorted(count for (kind, _), count in structures.items() if kind == "chrs") == [24, 26]
    assert sorted(count for (kind, _), count in structures.items() if kind == "pension_famille") == [15, 18]
    assert sum(count for (kind, _), count in structures.items() if kind == "rhvs") == 40
    assert sum(count for (kind, _), count in structures.items() if kind == "alt") == 200


def test_a_dozen_social_landlords_and_three_hundred_private_owners_have_a_mandate(stock):
    mandants = {
        unit.holdings[0].owner.reference: unit.segment.code
        for unit in stock.units
        if unit.segment.title == "mandate"
    }

    assert Counter(mandants.values())["SOC"] == 12
    assert Counter(mandants.values())["PRIV"] == 300


def test_the_homes_are_nearly_all_let(stock, leases):
    places = sum(len(unit.places) for unit in stock.units)
    running = [lease for lease in leases if lease.exit is None]

    assert 0.94 < len(running) / places < 0.96
    assert len({lease.place for lease in running}) == len(running)


def test_2350_households_have_a_referent(leases):
    rows = demo_files.referent_rows(leases, demo_files.FOLLOWED, TODAY)

    assert len({row["household"] for row in rows}) == 2_350


def test_a_quarter_of_the_stock_is_scaled_down_with_every_structure():
    small = make_stock(units=60, first_month=FIRST, today=TODAY, names=names("owners"))

    assert len(small.units) == 60
    assert {unit.segment.code for unit in small.units} == {segment.code for segment in SEGMENTS}


def test_what_is_invented_is_valid(leases):
    stdnum = pytest.importorskip("stdnum.fr.siren")

    assert all(is_iban(lease.iban) for lease in leases)
    assert len({lease.iban for lease in leases}) == len(leases)
    assert all(stdnum.is_valid(siren(number)) for number in range(1, 500))


# ---- its files --------------------------------------------------------------------------


def test_the_files_are_the_same_every_time(tmp_path):
    for name in ("once", "again"):
        demo_files.write_demonstration(
            tmp_path / name, units=60, months=3, today=TODAY, echo=lambda name: None
        )
    once, again = tmp_path / "once", tmp_path / "again"

    for path in sorted(once.rglob("*")):
        # A spreadsheet also holds the hour at which it was written.
        if path.is_file() and path.suffix != ".xlsx":
            assert path.read_bytes() == (again / path.relative_to(once)).read_bytes(), path.name


def test_statements_come_in_every_version_and_overlap_at_the_end():
    small = make_stock(units=60, first_month=FIRST, today=TODAY, names=names("owners"))
    lent = make_leases(small, first_month=FIRST, today=TODAY)
    files = [
        one for month, _truth in make_files(lent, first_month=FIRST, months=24, today=TODAY) for one in month
    ]
    statements = [one for one in files if one.kind == "statement"]

    assert {one.name.split("-", 3)[3] for one in statements if "-A-camt" in one.name} == {
        "camt053-02.xml",
        "camt053-04.xml",
        "camt053-08.xml",
    }
    assert any(one.name.endswith("cfonb120.txt") for one in statements)
    first, second = (
        detect_and_read(one.data)[0]
        for one in statements
        if one.name.startswith(("2026-11-A-1", "2026-11-A-2"))
    )
    assert first.start < second.start <= first.end < second.end < TODAY


# ---- played to its end ------------------------------------------------------------------


@pytest.fixture
def place(fresh_database, settings, tmp_path) -> Path:
    settings.MEDIA_ROOT, settings.GLA_TODAY = tmp_path, TODAY.isoformat()
    return tmp_path / "demonstration"


def played(**options):
    call_command("demo", no_serve=True, units=60, months=5, verbosity=0, **options)
    return Job.objects.get(kind="demo")


def test_a_small_association_is_played_and_proved(place, capsys):
    found = played().result

    assert check_ledger() == []
    assert found["faults"] == []
    assert (found["units"], found["own"] + found["landlords"] + found["saues"]) == (60, 60)
    assert found["matched"] >= 97
    assert found["wrong"] == 0
    assert found["signals"] > 0
    assert "60" in capsys.readouterr().out


def test_what_is_called_is_what_the_generator_reckoned(place):
    played()
    first = demo_files.first_month_played(TODAY, 5)
    small = make_stock(units=60, first_month=first, today=TODAY, names=names("owners"))
    sums = RentCall.objects.values_list("lease__reference", "month").annotate(total=Sum("amount"))
    called = {(reference, month): to_cents(total) for reference, month, total in sums if total}
    months = sorted({month for _reference, month in called})

    assert len(months) == 5
    for lease in make_leases(small, first_month=first, today=TODAY):
        for month in months:
            assert called.get((lease.reference, month), 0) == lease.asked(month), (lease, month)


def test_run_again_it_changes_nothing(place):
    played()
    before = Posting.objects.count(), Allocation.objects.count()

    played()

    assert (Posting.objects.count(), Allocation.objects.count()) == before
    assert Job.objects.filter(kind="demo").count() == 1


def test_stopped_half_way_it_goes_on_where_it_stopped(place, monkeypatch):
    whole, second = demo.play_bank, date(2026, 8, 1)

    def power_cut(month, *, today):
        if month == second:
            raise KeyboardInterrupt
        return whole(month, today=today)

    monkeypatch.setattr(demo, "play_bank", power_cut)
    with pytest.raises(CommandError, match="again"), translation.override("en"):
        played()
    monkeypatch.setattr(demo, "play_bank", whole)

    found = played().result

    assert check_ledger() == []
    assert found["runs"] == 5


def test_somebody_elses_database_is_refused(place, build):
    build.unit()

    with pytest.raises(CommandError, match="DATABASE_URL"):
        played()
