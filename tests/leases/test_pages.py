"""Leases, households and rent runs in a browser: read, act, print, take away."""

from datetime import date
from io import BytesIO

import pytest
from django.urls import reverse
from django.utils import translation
from openpyxl import load_workbook

from core.audit import AuditLine
from core.jobs import Job
from core.money import euros
from leases.models import Benefit, Lease, MonthToReview, RentCall, RentRun, RentTerm
from leases.occupancy import count_status, status
from leases.rent import month_to_call
from leases.tenant_account import balance, with_balance
from portfolio.models import OutOfService, Place, Unit

pytestmark = pytest.mark.django_db

MARCH = date(2026, 3, 1)
TODAY = date(2026, 3, 26)


@pytest.fixture(autouse=True)
def on_the_26_march_2026(settings):
    settings.GLA_TODAY = "2026-03-26"
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def signed_in(client, build):
    """The browser of somebody in one role, in English."""

    def sign_in(role):
        client.force_login(build.user(role))
        client.cookies["django_language"] = "en"
        return client

    return sign_in


def text(response, status=200):
    assert response.status_code == status, response.status_code
    return response.content.decode()


# ---- what a home is on a day ----


def test_a_home_is_occupied_vacant_or_out_of_service_by_its_dated_facts(build):
    let = build.lease(start=date(2025, 1, 1)).occupancies.get().place.unit
    over = build.lease(start=date(2024, 1, 1), end=date(2026, 2, 1), out=date(2026, 6, 1))
    untitled = over.occupancies.get().place.unit
    works = build.unit()
    OutOfService.objects.create(unit=works, kind="works", start=date(2026, 1, 1))
    empty, gone = build.unit(), build.unit(held=(date(2016, 1, 1), date(2026, 1, 1)))

    found = status(Unit.objects.all(), TODAY)
    before = status(Unit.objects.all(), date(2024, 6, 1))

    assert {pk: one.code for pk, one in found.items()} == {
        let.pk: "occupied",
        untitled.pk: "without_title",
        works.pk: "works",
        empty.pk: "vacant",
        gone.pk: "not_held",
    }
    assert before[let.pk].code == "vacant" and before[untitled.pk].code == "occupied"
    assert before[works.pk].code == before[gone.pk].code == "vacant"


def test_a_residence_says_how_many_of_its_places_are_taken(build):
    unit = build.unit()
    Place.objects.bulk_create(Place(unit=unit, reference=f"R{n}", kind="room") for n in range(2))
    lease = build.lease()
    lease.occupancies.update(place=Place.objects.get(reference="R0"))

    with translation.override("en"):
        assert status(Unit.objects.filter(pk=unit.pk), TODAY)[unit.pk].state == ("good", "Occupied 1/3")


def test_the_stock_is_counted_by_status_in_one_query(build, django_assert_num_queries):
    build.lease()
    build.unit()

    with django_assert_num_queries(1):
        found = count_status(Unit.objects.all(), TODAY)

    assert {code: one.units for code, one in found.items()} == {"occupied": 1, "vacant": 1}


# ---- a lease and its account ----


def test_the_account_reads_as_people_know_it(build, signed_in):
    lease = build.lease(rent="465.00", charges="35.00", benefit="120.00")
    build.called(MARCH)

    page = text(signed_in("rental_manager").get(reverse("lease", args=[lease.pk])))

    for words in ("€465.00", "€35.00", "€120.00", "€380.00", "oldest unpaid: 5 Mar 2026"):
        assert words in page
    assert "Waiting for housing benefit" in page


def test_a_social_worker_sees_what_is_owed_but_not_the_account(build, signed_in):
    lease = build.lease(rent="465.00", iban="FR7630006000011234567890189")
    build.called(MARCH)
    browser = signed_in("social_worker")

    page = text(browser.get(reverse("lease", args=[lease.pk])))

    assert "€465.00" in page
    assert "Tenant's account" not in page and "Rent terms" not in page and "FR76" not in page
    account = text(browser.get(reverse("lease-account", args=[lease.pk])))
    assert "€465.00" in account and "<table" not in account
    assert browser.get(reverse("lease-account", args=[lease.pk]), {"export": "csv"}).status_code == 403


def test_a_lease_on_a_past_day_shows_what_it_was_then(build, signed_in):
    lease = build.lease(start=date(2024, 1, 1), rent="465.00")
    build.called(date(2026, 2, 1), MARCH)

    page = text(signed_in("rental_manager").get(reverse("lease", args=[lease.pk]), {"on": "2026-02-28"}))

    assert "March 2026" not in page.split("Rent terms")[0].split("Tenant's account")[1]


def test_reading_a_lease_and_a_household_is_audited_without_names(build, signed_in):
    lease = build.lease(household=build.household("Benali"))
    browser = signed_in("mediator")

    browser.get(reverse("lease", args=[lease.pk]))
    browser.get(reverse("household", args=[lease.household_id]))

    lines = AuditLine.objects.filter(action="view")
    assert {(line.resource, line.object_id) for line in lines} >= {
        ("lease", str(lease.pk)),
        ("household", str(lease.household_id)),
    }
    assert "Benali" not in "".join(str(line.detail) for line in lines)


def test_the_account_is_taken_away_as_a_spreadsheet(build, signed_in):
    lease = build.lease(rent="465.00")
    build.called(MARCH)

    answer = signed_in("rental_manager").get(reverse("lease-account", args=[lease.pk]), {"export": "xlsx"})

    rows = list(load_workbook(BytesIO(answer.content)).active.values)
    assert rows[0][:4] == ("Date", "Due", "Label", "Month")
    assert rows[1][2] == "Rent" and float(rows[1][6]) == 465


def test_leases_are_found_by_name_state_and_debt(build, signed_in):
    owing = build.lease(household=build.household("Benali"), reference="B-OWES")
    build.lease(household=build.household("Caron"), reference="B-FREE", rent="0.00")
    build.lease(reference="B-ENDED", start=date(2023, 1, 1), end=date(2024, 1, 1))
    build.called(MARCH)
    browser = signed_in("mediator")

    def found(**query):
        page = text(browser.get(reverse("leases"), query))
        return {name for name in ("B-OWES", "B-FREE", "B-ENDED") if name in page}

    assert found(q="benali alex") == {"B-OWES"}
    assert found(q=owing.payment_reference) == {"B-OWES"}
    assert found(state="ended") == {"B-ENDED"}
    assert found(state="in_force") == {"B-OWES", "B-FREE"}
    assert found(debt="yes") == {"B-OWES"}
    assert found(sort="-balance") == {"B-OWES", "B-FREE", "B-ENDED"}


def test_the_balance_of_a_list_is_that_of_the_account(build):
    lease = build.lease(rent="465.00")
    build.called(date(2026, 2, 1), MARCH)

    listed = with_balance(Lease.objects.all(), TODAY).get()

    assert listed.balance == balance(lease, TODAY) == euros("930.00")
    assert with_balance(Lease.objects.all(), date(2026, 3, 2)).get().balance == euros(
        "465.00"
    )  # due on the 5th


# ---- acts on a lease ----


def act(browser, name, lease, **fields):
    """Ask, look at the preview, confirm; gives back the preview's page and the answer."""
    address = reverse(name, args=[lease.pk])
    preview = text(browser.post(address, fields))
    return preview, browser.post(address, {**fields, "step": "commit"}, follow=True)


def test_a_tenant_gives_notice(build, signed_in):
    lease = build.lease()

    preview, done = act(
        signed_in("rental_manager"), "lease-end", lease, last_day="2026-04-12", reason="tenant_notice"
    )

    assert "April 2026: 12 days of 30" in preview and "an indemnity is called" in preview
    lease.refresh_from_db()
    assert (lease.end, lease.end_reason) == (date(2026, 4, 13), "tenant_notice")
    assert "Ends on 12 Apr 2026" in text(done)


def test_an_end_before_the_start_is_refused_in_words(build, signed_in):
    lease = build.lease(start=date(2026, 1, 1))
    fields = {"last_day": "2025-12-01", "reason": "court", "step": "commit"}

    page = text(signed_in("rental_manager").post(reverse("lease-end", args=[lease.pk]), fields), 422)

    assert "The lease would end before it starts." in page


def test_the_keys_come_back_and_the_home_is_free(build, signed_in):
    lease = build.lease(end=date(2026, 3, 1))
    lease.occupancies.update(end=None)

    act(signed_in("rental_manager"), "lease-keys", lease, on="2026-03-10")

    assert lease.occupancies.get().end == date(2026, 3, 11)


def test_a_new_rent_is_checked_against_the_ceiling_and_the_freeze(build, signed_in):
    lease = build.lease(rent="465.00", unit=build.unit(label="G", rent_ceiling=euros("480.00")))
    browser = signed_in("rental_manager")

    above, _done = act(browser, "lease-term", lease, item="1", amount="490,00", since="2026-04-01")
    frozen = text(
        browser.post(
            reverse("lease-term", args=[lease.pk]), {"item": "1", "amount": "470,00", "since": "2026-05-01"}
        )
    )

    assert "Above the ceiling" in above
    assert RentTerm.objects.get(lease=lease, end=None).amount == euros("490.00")
    assert "Difference a month" in frozen


def test_the_caf_stops_a_benefit(build, signed_in):
    lease = build.lease(benefit="120.00")

    act(signed_in("rental_manager"), "lease-benefit", lease, since="2026-04-01", stops="on")

    assert Benefit.objects.get(lease=lease).end == date(2026, 4, 1)


def test_a_call_made_in_error_is_reversed_and_can_be_called_again(build, signed_in):
    lease = build.lease(rent="465.00")
    build.called(MARCH)

    preview, done = act(signed_in("rental_manager"), "lease-reverse", lease, call="2026-03.1")

    assert "€465.00" in preview and "Nothing is erased" in preview
    assert "The call is reversed" in text(done)
    assert [call.amount for call in RentCall.objects.order_by("version")] == [
        euros("465.00"),
        euros("-465.00"),
    ]


def test_only_who_may_change_a_lease_is_offered_to(build, signed_in):
    lease = build.lease()
    browser = signed_in("mediator")

    assert reverse("lease-end", args=[lease.pk]) not in text(browser.get(reverse("lease", args=[lease.pk])))
    assert browser.get(reverse("lease-end", args=[lease.pk])).status_code == 403


# ---- households ----


def test_a_household_shows_its_members_and_leases_over_time(build, signed_in):
    household = build.household("Benali")
    build.lease(household=household, reference="B-OLD", start=date(2020, 1, 1), end=date(2023, 1, 1))
    build.lease(household=household, reference="B-NEW", start=date(2023, 1, 1))

    page = text(signed_in("mediator").get(reverse("household", args=[household.pk])))

    assert "BENALI Alex" in page and "B-OLD" in page and "B-NEW" in page
    assert "Born on" not in page  # a mediator needs to reach people, not to know their lives


def test_households_without_a_lease_are_found(build, signed_in):
    build.lease(household=build.household("Benali"))
    build.household("Caron")

    page = text(signed_in("social_worker").get(reverse("households"), {"housed": "no"}))

    assert "CARON" in page and "BENALI" not in page


# ---- rent runs ----


def test_a_run_is_previewed_by_owner_kind_and_nothing_is_written(build, signed_in):
    build.lease(rent="465.00", unit=build.unit(owner=build.owner("saues"), title="mandate"))
    build.lease(rent=None, reference="B-NO-TERM")

    page = text(signed_in("rental_manager").get(reverse("run-preview"), {"month": "2026-03"}))

    assert "SAUES" in page and "€465.00" in page
    assert "No rent term covers the month" in page and "B-NO-TERM" in page
    assert not RentRun.objects.exists()


def test_a_run_is_committed_as_long_work_and_read_afterwards(build, signed_in):
    build.lease(rent="465.00")
    browser = signed_in("rental_manager")

    started = browser.post(reverse("run-commit"), {"month": "2026-03"})
    job = Job.objects.get(kind="rent_run")
    assert started.url == reverse("job", args=[job.pk])
    build.called(MARCH)

    run = RentRun.objects.get()
    page = text(browser.get(reverse("run", args=[run.pk])))
    calls = text(browser.get(reverse("run-calls", args=[run.pk])))
    assert "Closed" in page and "sealed at €465.00" in page
    assert "First call" in calls and "31/31" in calls


def test_a_director_reads_runs_but_does_not_start_them(build, signed_in):
    build.lease()
    browser = signed_in("director")

    assert "Call the rent of" not in text(browser.get(reverse("run-preview")))
    assert browser.post(reverse("run-commit"), {"month": "2026-03"}).status_code == 403


def test_what_is_learnt_late_is_shown_before_the_next_run(build, signed_in):
    lease = build.lease(rent="465.00")
    build.called(MARCH)
    browser = signed_in("rental_manager")
    act(browser, "lease-term", lease, item="1", amount="400,00", since="2026-03-01")

    page = text(browser.get(reverse("run-preview"), {"month": "2026-04"}))

    assert MonthToReview.objects.filter(run=None).count() == 1
    assert "Rent term changed" in page


def test_the_month_to_call_follows_the_last_called(build):
    build.lease()
    assert month_to_call(TODAY) == MARCH

    build.called(MARCH)
    assert month_to_call(TODAY) == date(2026, 4, 1)


# ---- as much of 2 as of 40 ----


@pytest.mark.parametrize("name", ["leases", "households", "runs", "run-preview"])
def test_a_list_asks_as_much_of_2_leases_as_of_40(build, signed_in, name, django_assert_max_num_queries):
    browser, asked = signed_in("rental_manager"), []
    build.called(MARCH)
    for count in (2, 38):
        for _each in range(count):
            build.lease(charges="20.00", benefit="100.00", unit=build.unit(rent_ceiling=euros("400.00")))
        with django_assert_max_num_queries(25) as found:
            text(browser.get(reverse(name)))
        asked.append(len(found))

    assert asked[0] == asked[1]


def test_a_lease_page_asks_as_much_after_1_month_as_after_24(build, signed_in, django_assert_max_num_queries):
    lease = build.lease(start=date(2024, 1, 1), charges="20.00", benefit="100.00")
    browser, asked = signed_in("rental_manager"), []
    for months in ([date(2024, 3, 1)], [date(2024 + n // 12, n % 12 + 1, 1) for n in range(3, 26)]):
        build.called(*months)
        with django_assert_max_num_queries(30) as found:
            text(browser.get(reverse("lease", args=[lease.pk])))
        asked.append(len(found))

    assert asked[0] == asked[1]
