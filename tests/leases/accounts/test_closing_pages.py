"""The pages of the accounts: close, read, take away; each role as the table says; the same by the API."""

from datetime import date

import pytest
from django.urls import reverse
from django.utils import translation

from core import jobs
from core.models import Job
from leases import ledger
from leases.accounts.closing import lock_period
from leases.ledger import PeriodLocked
from leases.models import AnalyticCode, FecFile, Grant, PeriodLock, ProvisionRate
from tests.builders import NOW
from tests.leases.full_ledger import full_ledger

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def on_the_26_march_2026(settings):
    settings.GLA_TODAY = "2026-03-26"
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def signed_in(client, build):
    def sign_in(role):
        client.force_login(build.user(role))
        client.cookies["django_language"] = "en"
        return client

    return sign_in


def text(response, status=200):
    assert response.status_code == status, response.content.decode()[:2000]
    return response.content.decode()


def test_the_director_closes_a_month_after_seeing_what_it_closes(build, signed_in):
    full_ledger(build)
    browser = signed_in("director")

    seen = text(browser.post(reverse("lock-period"), {"up_to": "2026-02-28"}))
    assert "€30.00, are still to identify" in seen
    assert not PeriodLock.objects.exists()

    browser.post(reverse("lock-period"), {"up_to": "2026-02-28", "step": "commit"})
    assert ledger.closed_up_to() == date(2026, 2, 28)
    assert "accounts are closed up to" in text(browser.get(reverse("closing")))


def test_the_rental_manager_sees_what_is_closed_and_closes_nothing(build, signed_in):
    browser = signed_in("rental_manager")

    assert reverse("lock-period") not in text(browser.get(reverse("closing")))
    assert browser.get(reverse("lock-period")).status_code == 403


def test_calling_a_closed_month_says_why_not(build, signed_in):
    build.lease()
    build.called(date(2026, 1, 1))
    director = build.user("director")
    lock_period(date(2026, 1, 31), by=director, now=NOW)
    browser = signed_in("rental_manager")

    browser.post(reverse("run-commit"), {"month": "2026-01"})
    asked = Job.objects.get(kind="rent_run")
    with pytest.raises(PeriodLocked):
        jobs.run_inline(asked)
    assert "closed up to 31/01/2026" in text(browser.get(reverse("job", args=[asked.pk])))


def test_each_number_of_the_trial_balance_leads_to_its_rows(build, signed_in):
    full_ledger(build)
    browser = signed_in("rental_manager")

    page = text(browser.get(reverse("trial-balance"), {"start": "2026-02-01", "last_day": "2026-03-31"}))
    assert "7061" in page
    link = f"{reverse('general-ledger')}?kind={ledger.RENT}&amp;since=2026-02-01&amp;until=2026-03-31"
    assert link in page
    rows = text(browser.get(link.replace("&amp;", "&")))
    assert rows.count("€465.00") >= 2
    assert rows.count("€930.00") == 2  # the balance, and the total of the credits


@pytest.mark.parametrize("format", ["xlsx", "csv"])
@pytest.mark.parametrize("page", ["trial-balance", "general-ledger", "provision", "analytics", "grants"])
def test_every_list_can_be_taken_away(build, signed_in, page, format):
    full_ledger(build)
    browser = signed_in("director")

    answer = browser.get(reverse(page), {"export": format})
    assert answer.status_code == 200
    assert format in answer["Content-Disposition"]


def test_a_file_is_made_told_and_downloaded(build, signed_in):
    build.owner("own", siren="732829320")
    full_ledger(build)
    browser = signed_in("rental_manager")

    browser.post(reverse("fec-make"), {"last_day": "2026-12-31", "separator": "tab"})
    jobs.run_inline(Job.objects.get(kind="fec"))
    made = FecFile.objects.get()
    page = text(browser.get(reverse("fec-file", args=[made.pk])))
    assert "every account agrees with the trial balance" in page
    assert reverse("fec-declare", args=[made.pk]) not in page
    body = b"".join(browser.get(reverse("fec-download", args=[made.pk])).streaming_content)
    assert body.startswith(b"JournalCode\tJournalLib")
    assert len(body) == made.size


def test_a_file_that_cannot_be_made_says_why(build, signed_in):
    page = signed_in("director").post(reverse("fec-make"), {"last_day": "2026-12-31"})

    assert "SIREN" in text(page, 422)


def test_the_rates_are_set_then_the_provision_is_proposed_and_posted(build, signed_in):
    build.lease(rent="400.00", start=date(2025, 11, 1))
    build.called(date(2025, 11, 1))
    browser = signed_in("director")
    assert "No rate is set" in text(browser.get(reverse("provision")))

    rates = {
        "since": "2026-01-01",
        "d0_30": "0",
        "d31_60": "10",
        "d61_90": "25",
        "over_90": "50",
        "departed": "100",
    }
    browser.post(reverse("provision-rates"), rates)
    assert ProvisionRate.objects.count() == 5
    assert "€200.00" in text(browser.get(reverse("provision")))

    manager = signed_in("rental_manager")
    asked = text(manager.post(reverse("provision-post"), {"on": "2026-03-25"}))
    assert "€200.00" in asked
    manager.post(reverse("provision-post"), {"on": "2026-03-25", "step": "commit"})
    assert "€200.00" in text(manager.get(reverse("general-ledger"), {"kind": ledger.DOUBTFUL}))


def test_a_code_is_opened_and_given_to_a_site(build, signed_in):
    lease = build.lease(rent="465.00")
    site = lease.occupancies.get().place.unit.building.site
    build.called(date(2026, 3, 1))
    browser = signed_in("rental_manager")

    browser.post(reverse("analytic-code-add"), {"axis": "funder", "code": "DDETS", "label": "State"})
    code = AnalyticCode.objects.get()
    both = {
        "code": code.pk,
        "site": site.pk,
        "unit": lease.occupancies.get().place.reference,
        "since": "2026-01-01",
    }
    assert "One place is wanted" in text(browser.post(reverse("analytic-give"), both), 422)
    browser.post(reverse("analytic-give"), {"code": code.pk, "site": site.pk, "since": "2026-01-01"})

    page = text(browser.get(reverse("analytics"), {"axis": "funder", "month": "2026-03"}))
    assert "DDETS" in page and "€465.00" in page
    assert "DDETS" in text(browser.get(reverse("analytic-codes")))


def test_a_grant_from_its_agreement_to_its_receipt(signed_in):
    browser = signed_in("rental_manager")
    agreement = {
        "kind": "agls", "reference": "AGLS 2026", "funder": "DDETS", "start": "2026-01-01",
        "last_day": "2026-12-31", "agreed": "25 000,00",
    }  # fmt: skip
    browser.post(reverse("grant-add"), agreement)
    grant = Grant.objects.get()
    browser.post(
        reverse("grant-step", args=[grant.pk]), {"kind": "claimed", "on": "2026-03-01", "amount": "12500"}
    )

    assert "€12,500.00" in text(browser.get(grant.get_absolute_url()))
    page = text(browser.get(reverse("grants")))
    assert "To claim" in page
    assert page.count("€12,500.00") == 2  # the grant, and the total
    too_much = {"kind": "claimed", "on": "2026-03-01", "amount": "12500,01"}
    assert "agreed" in text(browser.post(reverse("grant-step", args=[grant.pk]), too_much), 422)


def test_the_api_tells_the_same(build, signed_in):
    full_ledger(build)
    browser = signed_in("director")
    book = ledger.association_book_id()

    told = browser.get(f"/api/v1/books/{book}/trial-balance/?start=2026-02-01&last_day=2026-03-31").json()
    assert {"number": "7061", "credit": "930.00"}.items() <= next(
        {"number": one["number"], "credit": one["credit"]} for one in told if one["number"] == "7061"
    ).items()
    rows = browser.get(f"/api/v1/books/{book}/postings/?kind={ledger.RENT}").json()
    assert sum(float(one["credited"]) for one in rows["results"]) == 930
    assert browser.get("/api/v1/grants/").status_code == 200
    assert browser.get("/api/v1/provisions/?on=2026-03-26").status_code == 200
    assert browser.get("/api/v1/analytic-accounts/?month=2026-02").json()[0]["income"] == "535.00"

    made = browser.post("/api/v1/period-locks/", {"up_to": "2026-02-28"}, content_type="application/json")
    assert made.status_code == 201, made.content
    again = browser.post("/api/v1/period-locks/", {"up_to": "2026-02-28"}, content_type="application/json")
    assert again.status_code == 422
    assert again.json()["remedy"]
    assert browser.get(f"/api/v1/books/{book}/").json()["closed_up_to"] == "2026-02-28"
