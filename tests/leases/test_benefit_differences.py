"""Housing benefit expected against paid, household by household."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.money import euros
from leases import bank, remittances, suspense
from leases.benefit_differences import compare, differences, month_to_compare, paid_by
from leases.formats.benefit_list import BenefitLine, BenefitList, write_list
from leases.models import Allocation
from tests.builders import NOW
from tests.leases.statements import camt_file, cents, received

pytestmark = pytest.mark.django_db

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
END_OF_MARCH = date(2026, 3, 31)


def paid(*lines, on=date(2026, 3, 25), reference="VIRCAF0326"):
    """A transfer of the CAF and its list: (lease or number, amount, month, details)."""
    made = []
    for whose, amount, month, details in lines:
        number = whose if isinstance(whose, str) else whose.benefits.first().beneficiary_number
        made.append(BenefitLine(2, number, "NOM", "", month, cents(amount), **details))
    total = sum(line.net_cents for line in made)
    transfer = received(f"{total / 100:.2f}", on, label="VIR CAF DU NORD", reference=f"APL {reference}")
    opening = bank.Statement.objects.order_by("-end").values_list("closing", flat=True).first()
    bank.import_statement(
        camt_file(transfer, start=on, end=on, **({"opening": str(opening.amount)} if opening else {})),
        "releve.xml",
        by=None,
        now=NOW,
    )
    remittances.import_payment_list(
        write_list(BenefitList("CAF", reference, on, total, tuple(made))), by=None, now=NOW
    )


@pytest.fixture
def homes(build):
    """Five households with a benefit of 200 EUR, called for March."""
    build.bank()
    leases = [build.lease(rent="400.00", benefit="200.00") for _each in range(5)]
    build.called(MARCH)
    return leases


def told(month=MARCH, on=END_OF_MARCH):
    return {one.lease_id: (one.reason(on), one.difference) for one in differences(month, on=on)}


def test_each_difference_has_its_reason(homes):
    right, less, more, kept_back, none = homes
    paid(
        (right, "200.00", MARCH, {}),
        (less, "150.00", MARCH, {}),
        (more, "220.00", MARCH, {}),
        (kept_back, "200.00", MARCH, {"recovery_cents": 5000}),
        ("9999999", "40.00", MARCH, {}),
    )

    assert told() == {
        none.pk: ("nothing", euros("-200.00")),
        less.pk: ("less", euros("-50.00")),
        kept_back.pk: ("claimed_back", euros("-50.00")),
        None: ("unknown", euros("40.00")),
        more.pk: ("more", euros("20.00")),
    }
    assert [one.lease_id for one in differences(MARCH, on=END_OF_MARCH, reason="less")] == [less.pk]


def test_a_benefit_kept_back_whole_is_told_although_no_money_moves(homes):
    right, kept_back, *_others = homes
    paid((right, "200.00", MARCH, {}), (kept_back, "200.00", MARCH, {"recovery_cents": 20000}))

    assert told()[kept_back.pk] == ("claimed_back", euros("-200.00"))
    assert right.pk not in told()


def test_a_back_payment_is_put_to_the_month_of_its_right(build, homes):
    late, recalled, *_others = homes
    build.called(APRIL)
    paid((late, "150.00", MARCH, {}), (recalled, "200.00", MARCH, {"recall_cents": 6000}))
    paid((late, "90.00", MARCH, {}), on=date(2026, 4, 25), reference="VIRCAF0426")

    assert told()[recalled.pk] == ("recall", euros("60.00"))
    [one] = [one for one in compare(MARCH) if one.lease_id == late.pk]
    assert (one.paid, one.later, one.reason(date(2026, 4, 30))) == (euros("240.00"), euros("90.00"), "recall")


def test_a_benefit_paid_and_never_deducted_is_told(build):
    build.bank()
    lease = build.lease(rent="400.00", benefit="200.00")
    lease.benefits.update(start=APRIL)
    build.called(MARCH)
    paid((lease, "200.00", MARCH, {}))

    assert told() == {lease.pk: ("not_called", euros("200.00"))}


def test_nothing_is_missing_before_the_payer_pays(homes):
    assert told(on=date(2026, 3, 20)) == {}
    assert len(told(on=date(2026, 3, 26))) == 5
    assert (paid_by("apl", MARCH), paid_by("al", MARCH)) == (date(2026, 3, 25), date(2026, 4, 5))


def test_what_was_taken_back_by_hand_is_paid_no_more(homes):
    lease = homes[0]
    paid((lease, "200.00", MARCH, {}))
    assert lease.pk not in told()

    put = Allocation.objects.get(lease=lease, how="list")
    suspense.unsettle(put, by=None, on=date(2026, 3, 28), now=NOW)

    assert told()[lease.pk] == ("nothing", euros("-200.00"))


def test_the_month_compared_is_the_last_whose_benefit_is_due(build, homes):
    build.called(APRIL)
    assert month_to_compare(date(2026, 4, 10)) == MARCH
    assert month_to_compare(date(2026, 4, 26)) == APRIL


def test_as_many_queries_for_40_households_as_for_2(build):
    build.bank()

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as made:
            differences(MARCH, on=END_OF_MARCH)
        return len(made)

    for _each in range(2):
        build.lease(rent="400.00", benefit="200.00")
    build.called(MARCH)
    few = queries()
    for _each in range(38):
        build.lease(rent="400.00", benefit="200.00")
    build.called(MARCH)
    assert queries() == few == 2
