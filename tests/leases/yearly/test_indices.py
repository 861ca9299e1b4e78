"""The rent index: published values as rows, refused where they are no series."""

from datetime import date
from decimal import Decimal

import pytest
from django.utils import translation

from core.imports import BadImport
from leases.models import IndexValue
from leases.yearly.indices import Quarter, import_indices, latest, series_of
from tests.builders import NOW


def file(*lines: str) -> bytes:
    return "\n".join(["serie;trimestre;valeur;publie_le", *lines]).encode()


def faults(*lines: str) -> list[str]:
    with translation.override("en"), pytest.raises(BadImport) as refused:
        import_indices(file(*lines), by=None, now=NOW)
    return [f"{fault.line}: {fault.reason}" for fault in refused.value.errors]


def test_the_index_of_a_quarter_is_out_in_the_middle_of_the_month_after():
    assert latest(date(2025, 7, 14)) == Quarter(2025, 1)
    assert latest(date(2025, 7, 15)) == Quarter(2025, 2)
    assert latest(date(2025, 1, 14)) == Quarter(2024, 3)
    assert latest(date(2025, 9, 1), 3) == Quarter(2024, 3)


def test_corsica_and_overseas_have_their_own_series():
    assert series_of("59000") == "metropolitan"
    assert series_of("20090") == "corsica"
    assert series_of("97400") == "overseas"


@pytest.mark.django_db
def test_the_series_shipped_is_taken_in_once():
    done = import_indices(by=None, now=NOW.replace(month=11))

    assert sum(done.created.values()) == IndexValue.objects.count() == 30
    assert IndexValue.objects.get(year=2025, quarter=2).value == Decimal("146.68")
    assert import_indices(by=None, now=NOW.replace(month=11)).nothing_new


@pytest.mark.django_db
def test_the_shipped_series_grows_as_the_capped_years_did():
    """B1: yearly growth at most 3.5 % from 2022-T3 to 2024-T1, of values published already capped."""
    import_indices(by=None, now=NOW.replace(month=11))
    of = {each.of: each.hundredths for each in IndexValue.objects.all()}

    capped = [q for q in of if Quarter(2022, 3) <= q <= Quarter(2024, 1)]
    growths = [round((of[q] / of[q.year_before] - 1) * 100, 2) for q in capped]

    assert max(growths) <= 3.5


@pytest.mark.django_db
def test_faults_of_an_index_file_are_told_line_by_line():
    import_indices(file("metropole;2025-T1;145,47", ";2025-T2;146,68"), by=None, now=NOW)

    told = faults(
        ";2025-T5;1,00",
        ";2025-T2;146,69",
        ";2025-T4;145,78",
        ";2026-T1;146,60",
        ";2025-T3;145,775",
        ";2025-T3;14577",
    )

    assert told == [
        "2: The value is not between 50.00 and 999.99.",
        "3: Another value is kept for this quarter: 146.68.",
        "4: The quarter before it has no value.",
        "5: This quarter is not over: it has no index yet.",
        "6: The index has two decimals.",
        "7: The value is not between 50.00 and 999.99.",
    ]
    assert IndexValue.objects.count() == 2
    assert faults(";T2 2026;146,60") == ["2: This is not a quarter."]


@pytest.mark.django_db
def test_series_are_kept_apart():
    import_indices(
        file(";2025-T1;145,47", "corse;2025-T1;141,20;15/04/2025", "outre-mer;2025-T1;142,10"),
        by=None,
        now=NOW,
    )

    assert IndexValue.objects.get(series="corsica").published_on == date(2025, 4, 15)
    assert IndexValue.objects.count() == 3
