"""Who follows a household, and since when; one at a time."""

from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from core.audit import AuditLine
from core.imports import BadImport
from followup.referents import (
    Referent,
    ReferentRefused,
    end_referent,
    followed,
    import_referents,
    set_referent,
)

pytestmark = pytest.mark.django_db

MARCH, JUNE = date(2026, 3, 1), date(2026, 6, 1)
HEADINGS = "menage_reference;travailleur;suivi_depuis\n"


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def lines(*rows: tuple[str, str, str]) -> bytes:
    return (HEADINGS + "".join(";".join(row) + "\n" for row in rows)).encode()


def test_a_new_referent_takes_over_from_the_day_given(build):
    household, anne, omar = build.household(), build.user("social_worker"), build.user("coordinator")
    set_referent(household, anne, since=MARCH, by=anne)

    set_referent(household, omar, since=JUNE, by=omar)

    assert followed([household.pk], date(2026, 5, 31))[household.pk].worker == anne
    assert followed([household.pk], JUNE)[household.pk].worker == omar
    assert AuditLine.objects.filter(resource="referent", action="change").count() == 2


def test_the_same_referent_named_again_changes_nothing(build):
    household, anne = build.household(), build.user("social_worker")
    first = set_referent(household, anne, since=MARCH, by=anne)

    assert set_referent(household, anne, since=JUNE, by=anne) == first


def test_a_technician_follows_nobody(build):
    with pytest.raises(ReferentRefused, match="no social follow-up"):
        set_referent(build.household(), build.user("technician"), since=MARCH, by=None)


def test_a_take_over_before_the_follow_up_began_is_refused(build):
    household, anne, omar = build.household(), build.user("social_worker"), build.user("social_worker")
    set_referent(household, anne, since=JUNE, by=anne)

    with pytest.raises(ReferentRefused, match="1 Jun 2026"):
        set_referent(household, omar, since=MARCH, by=omar)


def test_a_follow_up_ends(build):
    household, anne = build.household(), build.user("social_worker")
    set_referent(household, anne, since=MARCH, by=anne)

    end_referent(household, on=JUNE, by=anne)

    assert followed([household.pk], JUNE) == {}
    with pytest.raises(ReferentRefused, match="Nobody follows"):
        end_referent(household, on=JUNE, by=anne)


def test_a_file_names_the_referents_and_the_same_file_again_changes_nothing(build, tmp_path, capsys):
    one, other = build.household(), build.household()
    build.user("social_worker", username="anne")
    path = tmp_path / "referents.csv"
    path.write_bytes(lines((one.reference, "anne", "01/03/2026"), (other.reference, "anne", "15/04/2026")))

    call_command("import_referents", str(path))
    again = import_referents(path, by=None)

    assert Referent.objects.count() == 2
    assert again.nothing_new


def test_a_file_with_a_stranger_is_refused_whole_with_its_line(build, tmp_path):
    one, other = build.household(), build.household()
    build.user("social_worker", username="anne")
    data = lines((one.reference, "anne", "01/03/2026"), (other.reference, "nobody", "01/03/2026"))

    with pytest.raises(BadImport) as refused:
        import_referents(data, by=None)

    [error] = refused.value.errors
    assert (error.line, error.column) == (3, "travailleur")
    assert not Referent.objects.exists()

    path = tmp_path / "referents.csv"
    path.write_bytes(data)
    with pytest.raises(CommandError):
        call_command("import_referents", str(path))


def test_a_household_named_twice_is_refused(build):
    household = build.household()
    build.user("social_worker", username="anne")
    build.user("social_worker", username="omar")

    with pytest.raises(BadImport):
        import_referents(
            lines((household.reference, "anne", "01/03/2026"), (household.reference, "omar", "01/04/2026")),
            by=None,
        )


def statements_for(build, count: int) -> int:
    rows = [(build.household().reference, "anne", "01/03/2026") for _each in range(count)]
    with CaptureQueriesContext(connection) as seen:
        import_referents(lines(*rows), by=None)
    return len(seen)


def test_the_number_of_statements_does_not_grow_with_the_file(build):
    build.user("social_worker", username="anne")

    assert statements_for(build, 2) == statements_for(build, 40)
