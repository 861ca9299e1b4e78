"""Repairs: who pays, what is posted once, how long each took."""

from datetime import date

import pytest

from core.money import euros
from leases import ledger, operations
from leases.models import Operation, Posting, Repair, RepairInvoice
from leases.tenant_account import balance
from leases.upkeep import repairs
from leases.upkeep.repairs import ASSOCIATION, OWNER, TENANT, RepairRefused
from tests.builders import NOW

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 15)


def asked(lease=None, category="plumbing", unit=None, **kwargs):
    unit = unit or lease.occupancies.get().place.unit
    told = {"asked_on": date(2026, 3, 1), "channel": "phone", "what": "Leak under the sink", "by": None}
    return repairs.ask_repair(unit, category=category, **(told | kwargs))


def done(repair, contractor="Plomberie Leroy"):
    order = repairs.order_work(repair, contractor=contractor, ordered_on=date(2026, 3, 3), by=None)
    return repairs.finish_work(order, on=date(2026, 3, 9), by=None)


def charged(order, number="F-101", amount="180.00", **kwargs):
    return repairs.charge_invoice(
        order, number=number, amount=euros(amount), on=date(2026, 3, 10), by=None, now=NOW, **kwargs
    )


def under_mandate(build):
    return build.unit(owner=build.owner(kind="private"), title="mandate")


def sides(operation):
    return operation.debit, operation.credit


# ---- who pays -----------------------------------------------------------------------------


def test_the_tenant_pays_upkeep_and_the_landlord_the_rest(build):
    own, mandate = build.lease(), build.lease(unit=under_mandate(build))

    taps = repairs.who_pays(asked(own, "taps"), on=TODAY)
    assert (taps.code, taps.rule.legal_ref) == (TENANT, "Décret 87-712, annexe, IV ; loi 89-462, art. 7 d")
    assert repairs.who_pays(asked(own, "plumbing"), on=TODAY).code == ASSOCIATION
    assert repairs.who_pays(asked(mandate, "pests"), on=TODAY).code == OWNER


def test_an_empty_home_and_a_stay_in_a_structure_are_the_landlords(build):
    assert repairs.who_pays(asked(unit=build.unit(), category="taps"), on=TODAY).code == ASSOCIATION
    assert repairs.who_pays(asked(build.lease(kind="CHRS"), "taps"), on=TODAY).code == ASSOCIATION


def test_someone_may_say_otherwise_with_a_reason(build):
    repair = asked(build.lease(), "taps")
    with pytest.raises(RepairRefused, match="No reason"):
        repairs.change_payer(repair, payer=ASSOCIATION, reason=" ", by=None)
    repairs.change_payer(repair, payer=ASSOCIATION, reason="Worn out", by=None)
    assert repairs.who_pays(repair, on=TODAY) == repairs.Payer(ASSOCIATION, None, "Worn out")


def test_the_occupants_lease_is_found(build):
    lease = build.lease()
    assert asked(lease).lease == lease
    assert asked(unit=build.unit()).lease is None


# ---- the course of a repair ---------------------------------------------------------------


def test_a_repair_goes_from_the_request_to_the_work_done(build):
    repair = asked(build.lease())
    course = Repair.objects.with_course()
    assert course.get().state == "to_order"

    quote = repairs.order_work(repair, contractor="Leroy", quote=euros("150.00"), by=None)
    assert course.get().state == "quoted"
    repairs.accept_quote(quote, on=date(2026, 3, 4), by=None)
    assert (course.get().state, course.get().days(TODAY)) == ("ordered", 14)
    with pytest.raises(RepairRefused, match="ordered and not done"):
        repairs.close_repair(repair, on=TODAY, by=None)
    repairs.finish_work(quote, on=date(2026, 3, 9), by=None)
    assert (course.get().state, course.get().days(TODAY)) == ("to_invoice", 8)
    repairs.close_repair(repair, on=TODAY, by=None)
    assert course.get().state == "closed"
    repairs.reopen_repair(course.get(), by=None)
    assert course.get().state == "to_invoice"


def test_the_list_in_sql_says_what_the_rule_says_of_each(build):
    lease = build.lease()
    asked(lease)
    repairs.order_work(asked(lease), contractor="A", by=None)
    repairs.order_work(asked(lease), contractor="B", ordered_on=TODAY, by=None)
    repairs.cancel_order(
        repairs.order_work(asked(lease), contractor="C", ordered_on=TODAY, by=None), on=TODAY, by=None
    )
    done(asked(lease))
    repairs.close_repair(asked(lease), on=TODAY, by=None)

    rows = Repair.objects.with_course()
    for state in repairs.STATES:
        assert set(rows.in_state(state)) == {one for one in rows if one.state == state}, state


def test_work_is_not_ordered_before_it_is_asked_for(build):
    with pytest.raises(RepairRefused, match="later day"):
        repairs.order_work(asked(build.lease()), contractor="A", ordered_on=date(2026, 2, 1), by=None)


# ---- what is posted -----------------------------------------------------------------------


def test_the_association_pays_from_its_own_book(build):
    made = charged(done(asked(build.lease())))
    debit, credit = sides(made.operation)

    assert (debit.kind, credit.kind, debit.book.owner, made.recharge) == (
        ledger.WORKS, ledger.SUPPLIER, None, None,
    )  # fmt: skip


def test_the_owner_pays_from_funds_or_by_an_advance(build):
    unit = under_mandate(build)
    made = charged(done(asked(build.lease(unit=unit))))

    assert made.payer == OWNER
    assert made.operation.other_debit.kind == ledger.WORKS
    assert made.operation.other_credit.kind == ledger.ADVANCE  # nothing was collected yet
    assert made.operation.credit.kind == ledger.SUPPLIER


@pytest.mark.parametrize("title", ["deed", "mandate"])
def test_the_tenant_owes_it_and_no_longer_once_undone(build, title):
    unit = build.unit(owner=build.owner(kind="private"), title=title)
    lease = build.lease(unit=unit)
    build.called(date(2026, 3, 1))
    before = balance(lease, TODAY)

    made = charged(done(asked(lease, "locks")), amount="84.50")
    assert (made.payer, balance(lease, TODAY) - before) == (TENANT, euros("84.50"))

    repairs.undo_invoice(made, on=date(2026, 3, 12), reason="Wrong home", by=None, now=NOW)
    assert balance(lease, TODAY) == before
    assert operations.total(operations.INVOICE) == euros(0)
    with pytest.raises(RepairRefused, match="undone already"):
        repairs.undo_invoice(made, on=TODAY, reason="Again", by=None, now=NOW)
    assert charged(made.order, amount="84.50").pk != made.pk


def test_an_invoice_is_charged_once(build):
    order = done(asked(build.lease()))
    charged(order)
    lines = Posting.objects.count()
    with pytest.raises(RepairRefused, match="already charged"):
        charged(order)
    assert (Posting.objects.count(), RepairInvoice.objects.count(), Operation.objects.count()) == (
        lines,
        1,
        1,
    )


def test_what_cannot_be_charged_is_refused(build):
    order = repairs.order_work(asked(build.lease()), contractor="A", ordered_on=TODAY, by=None)
    with pytest.raises(RepairRefused, match="not recorded as done"):
        charged(order)
    order = repairs.finish_work(order, on=TODAY, by=None)
    with pytest.raises(RepairRefused, match="not above zero"):
        charged(order, amount="0")
    with pytest.raises(RepairRefused, match="no mandate"):
        charged(order, payer=OWNER)
    with pytest.raises(RepairRefused, match="no lease"):
        charged(done(asked(unit=build.unit())), payer=TENANT)


def test_an_order_with_its_invoice_is_not_cancelled(build):
    order = done(asked(build.lease()))
    charged(order)
    with pytest.raises(RepairRefused, match="Undo the invoice"):
        repairs.cancel_order(order, on=TODAY, by=None)
