"""Who holds a lease over time: somebody joins, somebody leaves, the household moves to another home."""

from datetime import date

import pytest
from django.urls import reverse

from core.money import euros
from leases.households import Membership
from leases.models import Application, Lease, LeaseParty
from leases.tenancy import applications, parties, signing
from leases.tenancy.applications import ApplicationRefused, NewPerson
from leases.tenancy.parties import PartyRefused
from tests.builders import NOW
from tests.leases.tenancy.test_applications import START, TODAY, file

pytestmark = pytest.mark.django_db
JOINED = date(2025, 6, 1)


def joined(lease, role="co_tenant", **kwargs):
    return parties.join_lease(
        lease, person=NewPerson("Diallo", "Awa"), role=role, since=JOINED, by=None, **kwargs
    )


def standing(lease, day):
    rows = LeaseParty.objects.filter(lease=lease, start__lte=day).exclude(end__lte=day)
    return sorted((one.person.last_name, one.role) for one in rows.select_related("person"))


def test_a_joint_tenant_joins_the_lease_and_the_household(build):
    lease = build.lease()
    made = joined(lease, partner=True)
    assert standing(lease, JOINED) == [("Diallo", "co_tenant"), ("Martin", "tenant")]
    assert lease.household.memberships.get(person=made.person).role == Membership.Role.PARTNER
    with pytest.raises(PartyRefused, match="already"):
        parties.join_lease(lease, person=made.person, role="co_tenant", since=JOINED, by=None)


def test_a_surety_lives_elsewhere(build):
    lease = build.lease()
    made = joined(lease, role="surety")
    assert not lease.household.memberships.filter(person=made.person).exists()


def test_a_day_outside_the_lease_and_a_second_tenant_are_refused(build):
    lease = build.lease(start=date(2025, 7, 1))
    with pytest.raises(PartyRefused, match="does not run"):
        joined(lease)
    with pytest.raises(PartyRefused, match="has its tenant"):
        joined(build.lease(), role="tenant")


def test_when_the_tenant_leaves_the_joint_tenant_takes_the_place(build):
    lease = build.lease()
    joined(lease)
    tenant = lease.parties.get(role="tenant")
    parties.leave_lease(tenant, last_day=date(2026, 2, 28), by=None)

    assert standing(lease, date(2026, 2, 28)) == [("Diallo", "co_tenant"), ("Martin", "tenant")]
    assert standing(lease, date(2026, 3, 1)) == [("Diallo", "tenant")]
    heads = Membership.objects.on(TODAY).filter(household=lease.household)
    assert [(one.person.last_name, one.role) for one in heads] == [("Diallo", "head")]


def test_somebody_always_holds_the_lease(build):
    lease = build.lease()
    joined(lease, role="surety")
    with pytest.raises(PartyRefused, match="Nobody would hold"):
        parties.leave_lease(lease.parties.get(role="tenant"), last_day=TODAY, by=None)


def test_who_leaves_twice_or_before_joining_is_refused(build):
    lease = build.lease()
    made = joined(lease)
    with pytest.raises(PartyRefused, match="no party"):
        parties.leave_lease(made, last_day=date(2025, 5, 31), by=None)
    parties.leave_lease(made, last_day=date(2025, 12, 31), by=None)
    with pytest.raises(PartyRefused, match="no party"):
        parties.leave_lease(made, last_day=date(2026, 1, 31), by=None)


def test_who_leaves_stays_liable_six_months_at_most(build):
    assert parties.liable_until(build.lease(), last_day=date(2026, 2, 28)) == date(2026, 8, 28)
    assert parties.liable_until(build.lease(kind="SUBLET_FREE"), last_day=TODAY) is None


# ---- a move -----------------------------------------------------------------------------------


def moving(build):
    former = build.lease(start=date(2024, 1, 1))
    made = file(build)
    Application.objects.filter(pk=made.pk).update(household=former.household)
    signing.offer_home(made, on=TODAY, by=None)
    applications.accept_offer(made, on=TODAY, by=None)
    return former, made


def test_a_household_moves_and_its_former_lease_ends_the_day_before(build):
    former, made = moving(build)
    lease = signing.sign_lease(made, on=TODAY, by=None, now=NOW, leaves=former)
    former.refresh_from_db()
    assert (former.end, former.end_reason) == (START, Lease.EndReason.TRANSFER)
    assert lease.household == former.household
    assert former.occupancies.get().end is None  # until the keys come back


def test_the_lease_that_ends_is_one_of_the_household(build):
    _former, made = moving(build)
    with pytest.raises(ApplicationRefused, match="not a running lease"):
        signing.sign_lease(made, on=TODAY, by=None, now=NOW, leaves=build.lease())
    made.refresh_from_db()
    assert made.lease is None


# ---- pages --------------------------------------------------------------------------------------


@pytest.fixture
def manager(build, client, settings):
    settings.GLA_TODAY = "2026-03-02"
    client.force_login(build.user("rental_manager"))
    return client


def done(client, address, **fields):
    shown = client.post(address, fields)
    assert shown.status_code == 200, shown.content.decode()[:2000]
    answer = client.post(address, fields | {"step": "commit"})
    assert answer.status_code == 302, answer.content.decode()
    return shown.content.decode()


def test_a_party_is_added_then_leaves_from_the_page_of_the_lease(build, manager):
    lease = build.lease()
    page = reverse("lease", args=[lease.pk])
    add = reverse("party-add", args=[lease.pk])
    assert add in manager.get(page).content.decode()
    done(manager, add, role="co_tenant", since="2026-01-01", last_name="Diallo", first_name="Awa")
    made = lease.parties.get(role="co_tenant")
    leave = reverse("party-end", args=[lease.pk, made.pk])
    assert leave in manager.get(page).content.decode()
    assert "liable" in done(manager, leave, last_day="2026-02-28")
    assert manager.get(reverse("party-end", args=[build.lease().pk, made.pk])).status_code == 404


def test_a_move_is_asked_from_the_lease_and_signed_from_the_file(build, manager):
    former, made = moving(build)
    move = f"{reverse('application-new')}?household={former.household_id}"
    assert move in manager.get(reverse("lease", args=[former.pk])).content.decode()
    sign = reverse("application-sign", args=[made.pk])
    assert former.reference in manager.get(sign).content.decode()
    shown = done(
        manager, sign, on="2026-03-05", billing="advance", due_day="5", iban="", leaves=str(former.pk)
    )
    assert former.reference in shown
    former.refresh_from_db()
    assert former.end == START
    assert Lease.objects.latest("pk").deposit == euros("465.00")
