"""The pages of a departure, as the manager, the technician and the coordinator use them."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from core.money import euros
from core.templatetags.gla import day_text
from leases.models import Deduction, FinalAccount, Inspection, Lease, StayExtension, TenantTransfer
from leases.tenancy import deposits, inspections, notices
from tests.builders import NOW
from tests.leases.tenancy.test_deposits import left

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 60


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
    """Fill a form, confirm its preview, and come back."""
    shown = client.post(address, fields)
    assert shown.status_code == 200, shown.content.decode()[:2000]
    answer = client.post(address, fields | {"step": "commit"})
    assert answer.status_code == 302, answer.content.decode()
    return shown.content.decode()


def test_the_page_says_what_is_next_and_leads_there(build, manager):
    lease = build.lease(deposit=euros("465.00"))
    page = manager.get(url("lease-departure", lease)).content.decode()
    assert url("lease-notice", lease) in page

    shown = done(
        manager, url("lease-notice", lease), by_side="occupant", received_on="2026-03-02",
        ground="job_loss", proved="on",
    )  # fmt: skip
    assert day_text(date(2026, 4, 2)) in shown  # one month: the loss of a job is stated and proved
    assert Lease.objects.get().end == date(2026, 4, 3)

    page = manager.get(url("lease-departure", lease)).content.decode()
    assert url("inspection-open", lease, "exit") in page
    assert "Withdraw" in page
    assert lease.reference in manager.get(url("departures")).content.decode()


def test_a_survey_is_gone_through_room_by_room_then_signed(build, client):
    client.force_login(build.user("technician"))
    lease = build.lease()
    begun = client.post(url("inspection-open", lease, "exit"))
    survey = Inspection.objects.get()
    assert begun.url == url("inspection", survey)

    where = url("inspection-room", survey, "entrance")
    page = client.get(where).content.decode()
    assert 'name="c-walls" value="2" checked' in page
    rooms = inspections.rooms(survey)
    for room in rooms:
        fields = {f"c-{one.element}": "2" for one in room.elements}
        if room.code == "living":
            fields |= {"c-walls": "4", "r-walls": "Holes", "photos": SimpleUploadedFile("w.png", PNG)}
        answer = client.post(url("inspection-room", survey, room.code), fields)
        assert answer.status_code == 302, answer.content.decode()
    assert answer.url == url("inspection", survey)

    photo = survey.photos.get()
    assert client.get(url("inspection-photo", survey, photo))["Content-Type"] == "image/png"
    assert client.get(url("inspection-photo", survey.pk + 1, photo)).status_code == 404
    done(client, url("inspection-sign", survey), on="2026-03-02", attended="both", keys="2", conforms="no")
    survey.refresh_from_db()
    assert (survey.signed, survey.conforms, survey.keys) == (True, False, 2)
    assert "Holes" in client.get(url("inspection-compare", survey)).content.decode()
    again = client.post(where, {f"c-{one.element}": "1" for one in rooms[0].elements})
    assert again.status_code == 422


def test_a_room_that_the_home_has_not_is_left_out_in_one_tap(build, manager):
    survey = inspections.open_inspection(
        build.lease().occupancies.get(), kind="entry", on=date(2026, 3, 2), by=None
    )
    answer = manager.post(url("inspection-room", survey, "outside"), {"absent": "1"})

    assert answer.url == url("inspection-room", survey, "entrance")
    assert next(room for room in inspections.rooms(survey) if room.code == "outside").absent


def test_meters_are_read_and_a_wrong_reading_is_refused_on_the_page(build, manager):
    stay = build.lease().occupancies.get()
    entry = inspections.open_inspection(stay, kind="entry", on=date(2024, 1, 1), by=None)
    manager.post(url("inspection-meters", entry), {"v-cold_water": "120.5", "n-cold_water": "A1"})
    for room in inspections.rooms(entry):
        inspections.leave_out_room(entry, room.code, by=None)
    inspections.sign_inspection(entry, on=date(2024, 1, 1), attended="both", by=None, now=NOW)
    survey = inspections.open_inspection(stay, kind="exit", on=date(2026, 3, 2), by=None)

    refused = manager.post(url("inspection-meters", survey), {"v-cold_water": "20", "n-cold_water": "A1"})
    assert refused.status_code == 422
    assert "below that of the entry" in refused.content.decode()


def test_the_deposit_is_called_from_the_departure_page(build, manager):
    lease = build.lease(rent="465.00", deposit=euros("465.00"))
    done(
        manager, url("deposit-call", lease), amount="465,00", due="2026-03-10", instalments="1",
        payer="fsl", payer_name="",
    )  # fmt: skip

    assert deposits.held(lease) == euros("465.00")
    page = manager.get(url("lease-departure", lease)).content.decode()
    assert "Solidarity fund" in page

    refused = manager.post(
        url("deposit-call", lease),
        {"amount": "465", "due": "2026-03-10", "instalments": "1", "payer": "tenant", "step": "commit"},
    )
    assert refused.status_code == 422


def test_a_departure_with_deposit_to_the_transfer(build, manager):
    lease = left(build, keys=date(2026, 2, 10))
    done_address = manager.post(
        url("lease-address", lease),
        {"new_address": "3 rue Neuve, Lens", "iban": "FR76 3000 4000 0312 3456 7890 143"},
    )
    assert done_address.status_code == 302
    page = manager.get(url("lease-departure", lease)).content.decode()
    assert "the day after, the delay costs €52.00" in page  # said before it is incurred

    answer = manager.post(
        url("deduction-add", lease),
        {
            "nature": "damage", "label": "Walls, living room", "category": "paint", "new_since": "",
            "cost": "200", "proof": "invoice", "proof_reference": "F-12",
            "document": SimpleUploadedFile("f.pdf", b"%PDF-1.7 invoice"),
        },
    )  # fmt: skip
    assert answer.status_code == 302, answer.content.decode()
    kept = Deduction.objects.get()
    assert manager.get(url("deduction-proof", kept))["Content-Type"] == "application/pdf"

    shown = done(manager, url("lease-final", lease), on="2026-03-02", keep="")
    final = FinalAccount.objects.get()
    assert "To give back to the tenant" in shown
    assert final.to_transfer == euros("520.00") - kept.amount

    page = manager.get(url("tenant-transfers")).content.decode()
    assert "To send" in page
    done(manager, url("tenant-transfers-sent"), on="2026-03-02")
    assert TenantTransfer.objects.get().sent_on == date(2026, 3, 2)
    assert "not sent" not in manager.get(url("tenant-transfers")).content.decode()
    manager.post(url("tenant-transfer-not-sent", final.transfer))
    done(manager, url("final-undo", final), reason="Wrong invoice")
    assert deposits.held(lease) == euros("520.00")


def test_a_wrong_account_number_is_refused(build, manager):
    answer = manager.post(url("lease-address", build.lease()), {"iban": "FR76 3000 4000 0312"})
    assert answer.status_code == 200
    assert "no IBAN" in answer.content.decode()


def test_the_worklist_shows_the_late_first_and_exports(build, manager):
    lease = left(build, keys=date(2026, 1, 15))
    notices.record_address(lease, new_address="Lens", iban="", by=None)

    page = manager.get(url("deposits")).content.decode()
    assert "€52.00" in page
    assert "then €104.00" in page
    assert manager.get(url("deposits") + "?export=xlsx")["Content-Type"].endswith("sheet")


def test_stays_over_their_term_are_listed_and_extended(build, client):
    client.force_login(build.user("coordinator"))
    lease = build.lease(kind="CHRS", start=date(2023, 1, 1))
    page = client.get(url("stays")).content.decode()
    assert "Over its term" in page
    assert lease.reference in page

    done(
        client, url("stay-extend", lease), until="2026-12-31", decided_on="2026-03-02",
        decided_by="SIAO", reason="No home found yet",
    )  # fmt: skip
    assert StayExtension.objects.get().until == date(2026, 12, 31)
    assert lease.reference in client.get(url("stays") + "?show=extended").content.decode()
    assert client.get(url("stays") + "?show=all&export=csv").status_code == 200


def test_the_wear_table_says_where_each_line_comes_from(build, manager):
    assert "Accords collectifs" in manager.get(url("wear")).content.decode()
    done(
        manager, url("wear-change"), category="paint", lifetime="10", franchise="2", abatement="10",
        residual="20", start="2026-01-01", source="Accord local",
    )  # fmt: skip
    assert "Accord local" in manager.get(url("wear")).content.decode()


def test_who_may_not_see_money_sees_the_steps_only(build, client):
    client.force_login(build.user("social_worker"))
    lease = left(build)
    page = client.get(url("lease-departure", lease)).content.decode()

    assert "Steps" in page
    assert "520" not in page


@pytest.mark.parametrize("count", [2, 40])
@pytest.mark.parametrize("name", ["deposits", "departures", "tenant-transfers"])
def test_lists_take_as_many_queries_whatever_their_length(
    build, manager, name, count, django_assert_max_num_queries
):
    for _number in range(count):
        left(build)
    with django_assert_max_num_queries(24):
        manager.get(url(name))
