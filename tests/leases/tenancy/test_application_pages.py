"""The pages of a file before signature: from an empty home to its lease, in the manager's browser."""

import re
from datetime import date

import pytest
from django.urls import reverse

from core.money import euros
from leases.models import Application, Lease
from leases.tenancy import applications
from tests.leases.tenancy.test_applications import file

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 2)


@pytest.fixture(autouse=True)
def day(settings):
    settings.GLA_TODAY = "2026-03-02"


@pytest.fixture
def manager(build, client):
    client.force_login(build.user("rental_manager"))
    return client


def url(name, *args):
    return reverse(name, args=[getattr(one, "pk", one) for one in args])


def done(client, address, **fields):
    """Fill a form, confirm its preview if it has one, and come back."""
    answer = client.post(address, fields)
    if answer.status_code == 200:
        answer = client.post(address, fields | {"step": "commit"})
    assert answer.status_code == 302, answer.content.decode()
    return answer.url


def test_from_an_empty_home_to_its_lease(build, manager):
    unit = build.unit(label="D", financing="plus", rent_ceiling=euros("480.00"))
    build.lease(unit=unit, start=date(2024, 1, 1), end=date(2026, 2, 1), rent="470.00", charges="60.00")
    propose = re.search(
        r'href="([^"]*applications/new/[^"]*)"', manager.get(url("unit", unit)).content.decode()
    )
    assert f'value="{unit.reference}"' in manager.get(propose[1]).content.decode()

    where = done(
        manager, url("application-new"), last_name="Diallo", first_name="Awa", adults="1", children="1",
        holder="state", held_until="2026-03-20", request_kind="nur", request_number="059 0326 12345",
        home=unit.reference, start="2026-03-16",
    )  # fmt: skip
    made = Application.objects.get()
    assert where == url("application", made)
    assert (made.rent, made.deposit, made.kind) == (euros("470.00"), euros("470.00"), "L89_VIDE")
    page = manager.get(where).content.decode()
    assert "The tax income is not known" in page
    assert (
        manager.post(url("application-offer", made), {"on": "2026-03-02", "step": "commit"}).status_code
        == 422
    )

    done(
        manager, url("application-change", made, "income"), tax_income="21000", tax_year="2024",
        monthly_income="1500", benefit="210", benefit_basis="estimated", waiver="",
    )  # fmt: skip
    done(manager, url("application-documents", made), identity="received", tax="received", bank="expected")
    page = manager.get(where).content.decode()
    assert "21.3" in page  # (530 − 210) ÷ 1500
    assert "Our own estimate" in page

    done(manager, url("application-offer", made), on="2026-03-02", answer_by="2026-03-09")
    row = manager.get(url("applications")).content.decode()
    assert "DIALLO Awa" in row
    assert "Record the answer" in row
    done(manager, url("application-accept", made), on="2026-03-03")
    where = done(
        manager, url("application-sign", made), on="2026-03-05", billing="advance", due_day="5",
        iban="FR76 3000 4000 0312 3456 7890 143", deposit_asked="on",
    )  # fmt: skip
    lease = Lease.objects.order_by("-pk").first()
    assert where == url("lease", lease)
    assert lease.payer_ibans.get().iban == "FR7630004000031234567890143"
    assert manager.get(where).status_code == 200
    assert lease.reference in manager.get(url("application", made)).content.decode()
    assert "DIALLO" not in manager.get(url("applications")).content.decode()
    assert "DIALLO" in manager.get(url("applications") + "?stage=signed&export=csv").content.decode()


def test_a_form_says_what_it_does_not_know(build, manager):
    told = {"adults": "1", "children": "0", "holder": "ours"}
    page = manager.post(url("application-new"), told).content.decode()
    assert "Give a name, or the reference of a household." in page
    page = manager.post(
        url("application-new"), told | {"household": "nobody", "home": "nowhere"}
    ).content.decode()
    assert "No household has this reference." in page
    assert "No home has this reference." in page


def test_a_household_known_here_is_taken_by_its_reference_or_its_lease(build, manager):
    lease = build.lease()
    page = manager.get(url("household", lease.household)).content.decode()
    assert f"?household={lease.household.pk}" in page
    done(manager, url("application-new"), household=lease.reference, adults="2", children="0", holder="ours")
    made = Application.objects.get()
    assert made.household == lease.household
    done(
        manager, url("application-change", made, "household"), adults="2", children="3", holder="siao",
        held_until="", request_kind="siao", request_number="S-77", higher_category="on",
    )  # fmt: skip
    done(
        manager, url("application-change", made, "home"), place=build.unit(label="D").reference,
        kind="L89_VIDE", start="2026-04-01", rent="400", charges="", deposit="",
    )  # fmt: skip
    made.refresh_from_db()
    assert (made.persons, made.rent, made.place is not None) == (5, euros("400.00"), True)
    assert manager.get(url("application-change", made, "nothing")).status_code == 404


def test_a_refusal_is_recorded_with_its_reason_and_undone(build, manager):
    made = file(build)
    done(manager, url("application-close", made), on="2026-03-02", reason="household", note="Too far")
    page = manager.get(url("application", made)).content.decode()
    assert "Refused by the household" in page
    done(manager, url("application-back", made))
    assert Application.objects.get().running


@pytest.mark.parametrize("role", ["social_worker", "coordinator", "mediator"])
def test_who_does_not_decide_sees_the_stage_not_the_money(build, client, role):
    client.force_login(build.user(role))
    made = file(build, tax_income=euros("22222.00"), tax_year=2024)
    page = client.get(url("application", made)).content.decode()
    assert "Being prepared" in page
    for secret in ("465", "1,650", "22,222"):
        assert secret not in page
    listed = client.get(url("applications")).content.decode()
    assert made.reference in listed
    assert "465" not in listed
    assert client.get(url("application-new")).status_code == 403


@pytest.mark.parametrize("count", [2, 40])
def test_the_list_takes_as_many_queries_whatever_its_length(
    build, manager, count, django_assert_max_num_queries
):
    for _number in range(count):
        applications.open_application(on=TODAY, by=None, household=build.household())
    with django_assert_max_num_queries(24):
        manager.get(url("applications"))
