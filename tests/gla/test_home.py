"""The home page of each role, the search, the navigation, the law: what is there, for whom, how fast."""

import re
from datetime import date, datetime

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from arrears.signals import flag_arrears
from core.access import ROLES
from core.audit import AuditLine
from core.law import all_rules
from followup.referents import Referent
from portfolio.models import OutOfService, SafetyOrder

pytestmark = pytest.mark.django_db

MARCH = date(2026, 3, 1)
TODAY = date(2026, 3, 26)
NOW = datetime(2026, 3, 26, 8, 0, tzinfo=timezone.get_default_timezone())


@pytest.fixture(autouse=True)
def on_the_26_march_2026(settings):
    settings.GLA_TODAY = "2026-03-26"
    settings.LANGUAGE_CODE = "en"
    settings.GLA_DEMO = True  # no second factor is asked
    with translation.override("en"):
        yield


@pytest.fixture
def signed_in(client, build):
    """The browser of somebody in these roles, in English."""

    def sign_in(*roles):
        user = build.user(roles[0])
        from django.contrib.auth.models import Group

        user.groups.set(Group.objects.filter(name__in=roles))
        client.force_login(user)
        client.cookies["django_language"] = "en"
        client.user = user
        return client

    return sign_in


def text(response, status=200):
    assert response.status_code == status, response.status_code
    return response.content.decode()


def figure(page, label):
    """The key figure of that label: (value, where it leads)."""
    for url, inside in re.findall(
        r'<(?:a|div) class="tile[^"]*"(?: href="([^"]*)")?>(.*?)</(?:a|div)>', page, re.S
    ):
        if f">{label}<" in inside:
            return re.search(r'tile-value">([^<]*)<', inside)[1], url.replace("&amp;", "&")
    raise AssertionError(f"no figure {label!r}")


def a_stock(build):
    """Ten leases of which two owe, an empty home, a home under works, an order, an end of mandate."""
    leases = [build.lease(unit=build.unit(label="D"), charges="30.00") for _each in range(9)]
    leases.append(build.lease(unit=build.unit(label="G"), household=build.household("Benali")))
    build.unit(label="F")
    works = build.unit()
    OutOfService.objects.create(unit=works, kind="works", start=date(2026, 1, 1))
    build.unit(owner=build.owner("private"), title="mandate", held=(date(2016, 1, 1), date(2026, 5, 1)))
    SafetyOrder.objects.create(
        unit=leases[0].occupancies.get().place.unit,
        kind="safety",
        notified_on=date(2026, 3, 2),
        rent_stops=date(2026, 4, 1),
    )
    build.called(MARCH)
    build.bank()
    flag_arrears(on=TODAY, by=None, now=NOW)
    return leases


# ---- home ----


def test_a_rental_manager_sees_the_run_to_prepare_the_bank_and_what_is_empty(build, signed_in):
    a_stock(build)
    browser = signed_in("rental_manager")

    page = text(browser.get("/"))

    assert figure(page, "Next rent run") == ("April 2026", f"{reverse('run-preview')}?month=2026-04")
    assert figure(page, "In suspense")[0] == "0"
    assert figure(page, "Statements late")[0] == "1"
    assert figure(page, "Vacant homes") == ("2", f"{reverse('units')}?status=vacant")
    assert "Holdings that end within three months" in page and "30 Apr 2026" in page


def test_a_mediator_sees_signals_by_nature_and_the_most_urgent(build, signed_in):
    a_stock(build)

    page = text(signed_in("mediator").get("/"))

    assert figure(page, "Signals to deal with") == ("10", reverse("worklist"))
    assert figure(page, "Missed payment") == ("10", f"{reverse('worklist')}?nature=missed")
    assert "BENALI Alex" in page


def test_a_technician_sees_poor_labels_orders_and_works_and_no_money(build, signed_in):
    a_stock(build)

    page = text(signed_in("technician").get("/"))

    assert figure(page, "Homes labelled G") == ("1", f"{reverse('units')}?label=G")
    assert figure(page, "Homes labelled F")[0] == "1"
    assert figure(page, "Without a valid label")[0] == "2"
    assert figure(page, "Orders in force") == ("1", "#orders") and 'id="orders"' in page
    assert figure(page, "Works")[0] == "1"
    assert "€" not in page


def test_a_social_worker_sees_the_households_followed_and_what_they_owe(build, signed_in):
    leases = a_stock(build)
    browser = signed_in("social_worker")
    Referent.objects.create(household=leases[9].household, worker=browser.user, followed_since=MARCH)

    page = text(browser.get("/"))

    assert figure(page, "Households I follow")[0] == "1"
    assert figure(page, "Of which in debt")[0] == "1"
    assert "BENALI Alex" in page and "€465.00" in page


def test_a_coordinator_sees_who_follows_how_many_and_who_is_followed_by_nobody(build, signed_in):
    leases = a_stock(build)
    worker = build.user("social_worker", first_name="Inès", last_name="Garnier")
    Referent.objects.create(household=leases[9].household, worker=worker, followed_since=MARCH)

    page = text(signed_in("coordinator").get("/"))

    assert "Inès Garnier" in page
    assert figure(page, "Leases without a referent") == ("9", reverse("unfollowed"))


def test_a_director_sees_occupancy_called_received_and_owed_by_owner_kind(build, signed_in):
    a_stock(build)

    page = text(signed_in("director").get("/"))

    assert figure(page, "Occupancy")[0] == "83.3 %"  # 10 of 12 places in service
    assert figure(page, "Called for March 2026")[0] == "€4,920.00"
    assert figure(page, "Owed and due")[0] == "€4,920.00"
    assert figure(page, "Received this month")[0] == "€0.00"
    assert "own account" in page and "Private landlord" in page


def test_an_administrator_sees_work_users_and_audit_but_no_household(build, signed_in):
    a_stock(build)

    page = text(signed_in("administrator").get("/"))

    assert figure(page, "Users")[1] == reverse("users")
    assert figure(page, "Audited in 24 hours")[1] == reverse("audit")
    assert "BENALI" not in page


def test_somebody_with_two_roles_sees_both(build, signed_in):
    page = text(signed_in("mediator", "technician").get("/"))

    assert "Rental mediator" in page and "Technician" in page


@pytest.mark.parametrize("role", ROLES)
def test_every_figure_of_a_home_page_leads_where_its_reader_may_go(build, signed_in, role):
    a_stock(build)
    browser = signed_in(role)
    page = text(browser.get("/"))
    links = {url.replace("&amp;", "&").split("#")[0] for url in re.findall(r'href="([^"]+)"', page)}

    shut = {
        url: status
        for url in sorted(links)
        if url.startswith("/") and not url.startswith(("/static/", "/accounts/"))
        for status in [browser.get(url).status_code]
        if status != 200
    }
    assert not shut


@pytest.mark.parametrize("role", ROLES)
def test_a_home_page_asks_at_most_15_questions_whatever_the_stock(
    build, signed_in, role, django_assert_max_num_queries
):
    browser, asked = signed_in(role), []
    a_stock(build)
    for _round in range(2):
        with django_assert_max_num_queries(17) as found:  # 15, and 2 for who is signed in
            text(browser.get("/"))
        asked.append(len(found))
        for _each in range(20):
            build.lease(unit=build.unit(label="G"))

    assert asked[0] == asked[1]


# ---- navigation ----


def nav_of(page):
    return re.search(r'<nav class="nav-main".*?</nav>', page, re.S)[0]


def test_the_navigation_shows_what_a_role_opens_and_where_one_is(build, signed_in):
    page = text(signed_in("technician").get(reverse("units")))

    nav = nav_of(page)
    assert reverse("owners") in nav and reverse("runs") not in nav and reverse("leases") + '"' not in nav
    assert re.findall(r'aria-current="page">([^<]+)<', nav) == ["Homes"]


def test_a_long_menu_gathers_its_entries_and_opens_without_script(build, signed_in):
    page = text(signed_in("director").get(reverse("statements")))

    nav = nav_of(page)
    groups = re.findall(r'<details class="menu" name="nav"><summary( class="active")?>([^<]+)<', nav)
    assert ("", "Rents") in groups and (' class="active"', "Bank and accounts") in groups
    assert re.findall(r'aria-current="page">([^<]+)<', nav) == ["Statements"]


def test_a_short_menu_has_no_groups(build, signed_in):
    assert "<details" not in nav_of(text(signed_in("administrator").get("/")))


# ---- search ----


def test_one_word_finds_a_household_its_lease_and_its_members(build, signed_in):
    lease = build.lease(household=build.household("Benali"), reference="B-0042")

    page = text(signed_in("mediator").get(reverse("search"), {"q": "benali"}))

    assert reverse("household", args=[lease.household_id]) in page
    assert reverse("lease", args=[lease.pk]) in page


@pytest.mark.parametrize("words", ["U-007", "rue de douai", "douai tourcoing"])
def test_a_home_is_found_by_reference_or_address(build, signed_in, words):
    unit = build.unit(
        reference="U-007", building=build.building(address="12 rue de Douai", commune="Tourcoing")
    )

    page = text(signed_in("technician").get(reverse("search"), {"q": words}))

    assert reverse("unit", args=[unit.pk]) in page


def test_a_payment_reference_finds_its_lease(build, signed_in):
    lease = build.lease()

    page = text(signed_in("rental_manager").get(reverse("search"), {"q": lease.payment_reference}))

    assert reverse("lease", args=[lease.pk]) in page


def test_search_shows_a_technician_no_lease_and_an_administrator_nothing(build, signed_in):
    lease = build.lease(household=build.household("Benali"))

    seen = text(signed_in("technician").get(reverse("search"), {"q": "benali"}))
    refused = signed_in("administrator").get(reverse("search"), {"q": "benali"})

    assert "BENALI" in seen and reverse("lease", args=[lease.pk]) not in seen
    assert refused.status_code == 403


def test_what_search_showed_is_audited_by_number_never_the_words(build, signed_in):
    lease = build.lease(household=build.household("Benali"))

    signed_in("mediator").get(reverse("search"), {"q": "benali"})

    lines = list(AuditLine.objects.filter(action="view"))
    assert ("household", str(lease.household_id)) in {(line.resource, line.object_id) for line in lines}
    assert "benali" not in "".join(str(line.detail) for line in lines).lower()


@pytest.mark.parametrize("words", ["", "b", "%", "'; --", "a\0b", "[a-z]^", "b" * 500, "nobody of that name"])
def test_search_bears_anything(build, signed_in, words):
    text(signed_in("rental_manager").get(reverse("search"), {"q": words}))


# ---- the house itself ----


def test_the_law_is_listed_whole_with_its_articles(build, signed_in):
    page = text(signed_in("technician").get(reverse("law")))

    assert all(rule.id in page for rule in all_rules())
    assert "CODE" not in text(signed_in("technician").get(reverse("law"), {"q": "no such article"}))


def test_an_administrator_reads_users_and_audit(build, signed_in):
    browser = signed_in("administrator")

    assert browser.user.username in text(browser.get(reverse("users")))
    assert "Audit" in text(browser.get(reverse("audit")))
