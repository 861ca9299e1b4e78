"""Obligations, repairs and re-letting, as the manager, the mediator and the technician use them."""

from datetime import date

import pytest
from django.urls import reverse

from core.money import euros
from core.templatetags.gla import day_text
from leases.models import Certificate, ObligationStep, Person, RelettingStep, Repair, RepairInvoice, WorkOrder
from leases.tenant_account import balance
from leases.upkeep import obligations, repairs

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 15)


@pytest.fixture(autouse=True)
def day(settings):
    settings.GLA_TODAY = "2026-03-15"


@pytest.fixture
def signed_in(build, client):
    def made(role):
        client.force_login(build.user(role))
        return client

    return made


def url(name, *args):
    return reverse(name, args=[getattr(one, "pk", one) for one in args])


def text(response):
    assert response.status_code == 200, response.content.decode()[:2000]
    return response.content.decode()


def posted(client, address, **fields):
    answer = client.post(address, fields)
    assert answer.status_code == 302, answer.content.decode()[:3000]
    return answer


# ---- obligations --------------------------------------------------------------------------


def test_a_manager_asks_everybody_then_records_what_comes(build, signed_in):
    lease, other = build.lease(), build.lease()
    manager = signed_in("rental_manager")
    page = text(manager.get(url("obligations")))
    assert lease.reference in page
    assert "Ask for the proof" in page

    posted(manager, f"{url('obligations-ask')}?kind=insurance", step="commit")
    assert ObligationStep.objects.count() == 2
    assert lease.reference in text(manager.get(f"{url('obligations')}?state=missing&last=asked"))
    assert lease.reference not in text(manager.get(f"{url('obligations')}?last=nothing"))

    posted(
        manager, url("obligation-receive", lease, "insurance"), start="2026-03-01", received_on="2026-03-15",
        issued_by="MAIF",
    )  # fmt: skip
    assert Certificate.objects.get().end == date(2027, 3, 1)
    page = text(manager.get(url("lease-obligations", lease)))
    assert "MAIF" in page
    assert day_text(date(2027, 2, 28)) in page
    assert other.reference not in text(manager.get(f"{url('obligations')}?state=in_order"))

    posted(manager, url("certificate-withdraw", Certificate.objects.get()))
    assert lease.reference in text(manager.get(f"{url('obligations')}?state=missing"))


def test_the_law_refuses_a_step_on_the_page(build, signed_in):
    lease = build.lease()
    manager = signed_in("rental_manager")
    answer = manager.post(
        url("obligation-step", lease, "insurance"),
        {"step": "covered", "on": "2026-03-15", "premium": "120,00"},
    )
    assert answer.status_code == 422
    assert "formal notice" in answer.content.decode()
    posted(manager, url("obligation-step", lease, "insurance"), step="notice", on="2026-02-10")
    posted(
        manager, url("obligation-step", lease, "insurance"), step="covered", on="2026-03-15",
        premium="120,00",
    )  # fmt: skip
    page = text(manager.get(url("lease-obligations", lease)))
    assert "10.00" in page or "10,00" in page
    assert manager.get(url("obligation-step", lease, "tax")).status_code == 404
    posted(manager, url("obligation-step-withdraw", ObligationStep.objects.get(step="covered")))


def test_a_technician_says_that_a_home_has_a_boiler_and_sees_no_lease(build, signed_in):
    lease = build.lease()
    Person.objects.update(phone="06 11 22 33 44")
    technician = signed_in("technician")
    posted(technician, url("lease-boiler", lease), since="2020-01-01")

    page = text(technician.get(f"{url('obligations')}?kind=boiler"))
    assert "06 11 22 33 44" in page
    page = text(technician.get(url("lease-obligations", lease)))
    assert f'href="{url("lease", lease)}"' not in page
    assert obligations.bound("boiler", TODAY).get() == lease
    assert technician.get(f"{url('obligations')}?export=xlsx").status_code == 403


def test_the_list_is_exported(build, signed_in):
    lease = build.lease()
    answer = signed_in("mediator").get(f"{url('obligations')}?export=csv")
    assert lease.reference in answer.content.decode("utf-8-sig") or "MARTIN" in answer.content.decode("utf-8")


def test_the_lease_page_leads_there(build, signed_in):
    lease = build.lease()
    page = text(signed_in("rental_manager").get(url("lease", lease)))
    assert url("lease-obligations", lease) in page
    assert f"{url('repair-new')}?lease={lease.pk}" in page


# ---- repairs ------------------------------------------------------------------------------


def test_a_repair_from_the_call_to_the_invoice(build, signed_in):
    lease = build.lease()
    build.called(date(2026, 3, 1))
    before = balance(lease, TODAY)
    manager = signed_in("rental_manager")
    home = lease.occupancies.get().place.unit.reference
    assert home in text(manager.get(f"{url('repair-new')}?lease={lease.pk}"))
    posted(
        manager, url("repair-new"), home=home, category="locks", what="Keys lost", urgency="2",
        channel="phone", asked_on="2026-03-10",
    )  # fmt: skip
    repair = Repair.objects.get()
    assert repair.lease == lease
    page = text(manager.get(url("repair", repair)))
    assert "87-712" in page
    assert "Keys lost" in text(manager.get(url("repairs")))

    posted(manager, url("repair-order", repair), contractor="Serrurier du Nord", quote="90,00")
    order = WorkOrder.objects.get()
    assert order.ordered_on is None
    posted(manager, url("work-order-accept", order), on="2026-03-11")
    posted(manager, url("work-order-done", order), on="2026-03-12")

    asked = {"number": "S-7", "amount": "96,00", "on": "2026-03-13"}
    shown = text(manager.post(url("work-order-invoice", order), asked))
    assert "above the quote" in shown
    assert "MARTIN" in shown
    posted(manager, url("work-order-invoice", order), **asked, step="commit")
    assert balance(lease, TODAY) - before == euros("96.00")

    invoice = RepairInvoice.objects.get()
    assert url("repair-invoice-undo", invoice) in text(manager.get(url("repair", repair)))
    posted(manager, url("repair-invoice-undo", invoice), on="2026-03-14", reason="Wrong tenant")
    assert balance(lease, TODAY) == before
    posted(manager, url("repair-payer", repair), payer="association", reason="Lock worn out")
    posted(manager, url("repair-close", repair), on="2026-03-15")
    assert "Keys lost" not in text(manager.get(url("repairs")))
    assert "Keys lost" in text(manager.get(f"{url('repairs')}?state=closed"))
    posted(manager, url("repair-reopen", repair))


def test_a_technician_orders_work_but_charges_nobody(build, signed_in):
    lease = build.lease()
    Person.objects.update(phone="06 11 22 33 44")
    repair = repairs.ask_repair(
        lease.occupancies.get().place.unit, asked_on=TODAY, channel="phone", category="heating", what="Cold",
        urgency=1, by=None,
    )  # fmt: skip
    technician = signed_in("technician")
    assert "06 11 22 33 44" in text(technician.get(url("repairs")))
    posted(technician, url("repair-order", repair), contractor="A", ordered_on="2026-03-15")
    order = WorkOrder.objects.get()
    posted(technician, url("work-order-done", order), on="2026-03-15")
    page = text(technician.get(url("repair", repair)))
    assert url("work-order-invoice", order) not in page
    assert url("lease", lease) not in page
    assert technician.get(url("work-order-invoice", order)).status_code == 403


def test_a_home_nobody_knows_is_said_on_the_form(signed_in):
    answer = signed_in("rental_manager").post(
        url("repair-new"),
        {"home": "X", "category": "other", "what": "?", "urgency": "3", "channel": "phone",
         "asked_on": "2026-03-10"},
    )  # fmt: skip
    assert "No home has this reference" in text(answer)


def test_the_worklist_shows_danger_first(build, signed_in):
    unit = build.unit()
    for urgency, what in ((3, "Blind"), (1, "Gas smell"), (2, "No hot water")):
        repairs.ask_repair(
            unit, asked_on=TODAY, channel="phone", category="other", what=what, urgency=urgency, by=None
        )
    page = text(signed_in("social_worker").get(url("repairs")))
    assert page.index("Gas smell") < page.index("No hot water") < page.index("Blind")
    assert url("repair-new") not in page


# ---- re-letting ---------------------------------------------------------------------------


def test_the_board_shows_what_is_empty_and_what_it_costs(build, signed_in):
    lease = build.lease(end=date(2026, 2, 15), rent="465.00")
    place = lease.occupancies.get().place
    page = text(signed_in("rental_manager").get(url("reletting")))
    assert "457" in page  # 232.50 and 225.00
    assert url("lease-departure", lease) in page

    technician = signed_in("technician")
    page = text(technician.get(url("reletting")))
    assert "457" not in page
    assert url("lease-departure", lease) not in page
    posted(technician, url("reletting-step", place), step="proposal", on="2026-03-10", note="SIAO")
    step = RelettingStep.objects.get()
    assert url("reletting-step-withdraw", step) in text(technician.get(f"{url('reletting')}?show=all"))
    posted(technician, url("reletting-step-withdraw", step))
    assert technician.get(f"{url('reletting')}?export=csv").status_code == 200


# ---- the API ------------------------------------------------------------------------------


def test_the_api_says_and_does_the_same(build, signed_in):
    lease = build.lease(unit=build.unit())
    build.lease(end=date(2026, 2, 15))
    client = signed_in("rental_manager")
    owed = client.get("/api/v1/certificates/owed/?state=missing").json()
    assert [one["reference"] for one in owed["results"]] == [lease.reference]

    made = client.post(
        "/api/v1/certificates/",
        {"lease": lease.pk, "kind": "insurance", "start": "2026-03-01", "received_on": "2026-03-02"},
        content_type="application/json",
    )
    assert (made.status_code, made.json()["end"]) == (201, "2027-03-01")
    refused = client.post(
        "/api/v1/obligation-steps/",
        {"lease": lease.pk, "kind": "insurance", "step": "notice", "on": "2026-03-15"},
        content_type="application/json",
    )
    assert refused.status_code in {409, 422}

    unit = lease.occupancies.get().place.unit
    repair = client.post(
        "/api/v1/repairs/",
        {"unit": unit.pk, "asked_on": "2026-03-10", "channel": "email", "category": "taps", "what": "Drip"},
        content_type="application/json",
    ).json()
    assert (repair["pays"], repair["state"]) == ("tenant", "to_order")
    order = client.post(
        f"/api/v1/repairs/{repair['id']}/order/",
        {"contractor": "A", "ordered_on": "2026-03-11"},
        content_type="application/json",
    ).json()["orders"][0]
    client.post(
        f"/api/v1/work-orders/{order['id']}/finish/", {"on": "2026-03-12"}, content_type="application/json"
    )
    invoice = client.post(
        f"/api/v1/work-orders/{order['id']}/invoice/",
        {"number": "7", "amount": "50.00", "on": "2026-03-12"},
        content_type="application/json",
    )
    assert (invoice.status_code, invoice.json()["payer"]) == (201, "tenant")
    undone = client.post(
        f"/api/v1/repair-invoices/{invoice.json()['id']}/undo/",
        {"on": "2026-03-13", "reason": "Wrong"},
        content_type="application/json",
    )
    assert undone.json()["undone_on"] == "2026-03-13"
    assert len(client.get("/api/v1/repairs/?state=to_invoice").json()["results"]) == 1
    [home] = client.get("/api/v1/reletting/").json()
    assert home["days"] == 29
