"""The stock in a browser: owners, holdings, buildings, and homes on any day."""

from datetime import date

import pytest
from django.urls import reverse
from django.utils import translation

from core.audit import AuditLine
from core.money import euros
from portfolio.models import Holding, OutOfService, SafetyOrder

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def on_the_26_march_2026(settings):
    settings.GLA_TODAY = "2026-03-26"
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def opens(client, build):
    """Open a page in one role and give its text; fails where it does not answer 200."""

    def opened(role, name, *args, **query):
        client.force_login(build.user(role))
        client.cookies["django_language"] = "en"
        page = client.get(reverse(name, args=args), query)
        assert page.status_code == 200, page.status_code
        return page.content.decode()

    return opened


def test_a_home_says_who_held_it_on_any_day(build, opens):
    first, then = build.owner("private", name="SCI des Tilleuls"), build.owner("saues", name="Toit Commun")
    unit = build.unit(owner=first, title="mandate", held=(date(2016, 1, 1), date(2021, 1, 1)))
    Holding.objects.create(unit=unit, owner=then, title="head_lease", start=date(2021, 1, 1))

    tiles = (
        opens("rental_manager", "unit", unit.pk, on="2020-12-31").split('class="tiles"')[1].split("</ul>")[0]
    )
    now = opens("rental_manager", "unit", unit.pk)

    assert "SCI des Tilleuls" in tiles and "Toit Commun" not in tiles
    assert "Head lease, to sub-let" in now and "SCI des Tilleuls" in now  # the past stays in the timeline


def test_a_home_no_longer_held_says_so(build, opens):
    unit = build.unit(held=(date(2016, 1, 1), date(2026, 1, 1)))

    assert "Not held" in opens("rental_manager", "unit", unit.pk)


def test_a_home_shows_its_orders_labels_and_times_out_of_service(build, opens):
    unit = build.unit(label="G")
    SafetyOrder.objects.create(
        unit=unit, kind="unfitness", notified_on=date(2026, 1, 12), rent_stops=date(2026, 2, 1)
    )
    OutOfService.objects.create(unit=unit, kind="works", start=date(2026, 2, 1), reason="Roof")

    page = opens("technician", "unit", unit.pk)

    assert "No rent since 1 Feb 2026" in page
    assert "Roof" in page and "Works" in page
    assert "at least F for a contract" in page  # G may not be let anew


def test_a_technician_sees_who_lives_there_but_no_lease(build, opens):
    lease = build.lease(household=build.household("Benali"))
    unit = lease.occupancies.get().place.unit

    page = opens("technician", "unit", unit.pk)

    assert "BENALI" in page
    assert reverse("lease", args=[lease.pk]) not in page


def test_reading_who_lives_in_a_home_is_audited(build, opens):
    lease = build.lease()

    opens("mediator", "unit", lease.occupancies.get().place.unit_id)

    line = AuditLine.objects.filter(resource="household", action="view").get()
    assert line.object_id == str(lease.household_id)


def test_a_building_lists_its_homes_as_they_stand(build, opens):
    building = build.building(address="12 rue de Douai")
    build.lease(unit=build.unit(building=building), household=build.household("Benali"))
    build.unit(building=building)

    page = opens("rental_manager", "building", building.pk)

    assert "2 homes" in page
    assert "Occupied" in page and "Vacant" in page and "BENALI" in page


def test_an_owner_shows_what_is_held_of_it_and_what_ends_soon(build, opens):
    owner = build.owner("private", name="SCI des Tilleuls", iban="FR7630006000011234567890189")
    build.unit(owner=owner, title="mandate")
    unit = build.unit(owner=owner, title="head_lease", held=(date(2020, 1, 1), date(2026, 5, 1)))
    Holding.objects.filter(unit=unit).update(rent_due=euros("310.00"))

    seen_by_manager = opens("rental_manager", "owner", owner.pk)
    seen_by_mediator = opens("mediator", "owner", owner.pk)

    assert "30 Apr 2026" in seen_by_manager and "€310.00" in seen_by_manager
    assert "FR76 3000 6000 0112 3456 7890 189" in seen_by_manager.replace("\xa0", " ")
    assert "FR76" not in seen_by_mediator and "€310.00" not in seen_by_mediator


def test_the_owners_count_the_homes_held_today(build, opens):
    owner = build.owner("social", name="Habitat du Nord")
    build.unit(owner=owner, title="mandate")
    build.unit(owner=owner, title="mandate", held=(date(2016, 1, 1), date(2020, 1, 1)))

    page = opens("rental_manager", "owners", q="habitat nord")

    assert "Habitat du Nord" in page
    assert '<td data-label="Units held" class="num"><span>1</span></td>' in page


def test_holdings_are_narrowed_to_those_that_end(build, opens):
    build.unit(reference="U-STAYS")
    build.unit(reference="U-ENDS", held=(date(2020, 1, 1), date(2026, 5, 1)))

    page = opens("rental_manager", "holdings", ends_after="2026-03-26", ends_before="2026-06-26")

    assert "U-ENDS" in page and "U-STAYS" not in page


def test_homes_are_filtered_by_owner_label_and_status_on_a_day(build, opens):
    saues = build.owner("saues")
    build.lease(unit=build.unit(reference="U-LET", owner=saues, title="head_lease", label="D"))
    build.unit(reference="U-EMPTY", label="G")
    build.unit(reference="U-UNKNOWN")

    assert "U-EMPTY" in opens("rental_manager", "units", status="vacant", label="G")
    assert "U-LET" not in opens("rental_manager", "units", status="vacant")
    assert "U-LET" in opens("rental_manager", "units", status="vacant", on="2023-12-31")
    assert "U-EMPTY" not in opens("rental_manager", "units", owner_kind="saues")
    unknown = opens("technician", "units", label="none")
    assert "U-UNKNOWN" in unknown and "U-EMPTY" not in unknown


def test_a_social_worker_cannot_ask_whose_homes_are(build, opens):
    build.unit(owner=build.owner("private", name="SCI des Tilleuls"), title="mandate")

    page = opens("social_worker", "units", owner_kind="own")

    assert "Tilleuls" not in page and 'name="owner_kind"' not in page


def test_homes_are_taken_away_with_what_the_page_has_no_room_for(build, client):
    build.unit(building=build.building(commune="Tourcoing"))
    client.force_login(build.user("rental_manager"))

    sheet = client.get(reverse("units"), {"export": "csv"}).content.decode("utf-8-sig")

    assert "Tourcoing" in sheet


@pytest.mark.parametrize("name", ["units", "buildings", "owners", "holdings"])
def test_a_list_asks_as_much_of_2_homes_as_of_40(build, client, name, django_assert_max_num_queries):
    client.force_login(build.user("rental_manager"))
    asked = []
    for count in (2, 38):
        for _each in range(count):
            build.lease(unit=build.unit(label="E"))
        with django_assert_max_num_queries(25) as found:
            assert client.get(reverse(name)).status_code == 200
        asked.append(len(found))

    assert asked[0] == asked[1]
