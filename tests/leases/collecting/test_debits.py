"""A batch of direct debits: what is asked of whom, the file made once, sent or withdrawn."""

import hashlib
from datetime import UTC, date, datetime

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from lxml import etree

from core.money import euros
from leases import rent
from leases.collecting.batches import commit_debits
from leases.collecting.debits import (
    Debit,
    DebitBatch,
    NoDebits,
    earliest_collection,
    is_bank_day,
    mark_sent,
    withdraw_batch,
)
from leases.collecting.mandates import (
    NoMandate,
    amend_mandate,
    block_mandate,
    choose_debit_day,
    end_mandate,
)
from leases.formats.pain008 import check_order
from leases.models import Mandate
from tests.leases.collecting.debtors import (
    CALLED,
    NOW,
    OTHER_BANK,
    SAME_BANK,
    THE_5TH,
    THE_10TH,
    TODAY,
    batch,
    collecting,
    mandated,
    preview,
)

FEBRUARY, MARCH, APRIL = date(2026, 2, 1), date(2026, 3, 1), date(2026, 4, 1)


def called(month=MARCH, now=CALLED):
    rent.run_rent(month, by=None, now=now)


def asked(found):
    return {line.mandate.lease_id: line.amount for line in found.lines}


def why(found):
    return {one.mandate.lease_id: one.code for one in found.left_out}


@pytest.fixture
def account(build):
    return collecting(build)


# ---- what is asked ----


def test_a_batch_asks_what_is_due_and_never_the_benefit(build, account):
    lease = build.lease(rent="400.00", charges="70.00", benefit="200.00")
    mandated(lease, account)
    called()

    found = preview(account)

    assert asked(found) == {lease.pk: euros("270.00")}
    assert (found.total, found.older) == (euros("270.00"), euros(0))


def test_what_was_paid_meanwhile_is_not_asked(build, account):
    part, whole = build.lease(), build.lease()
    for lease in (part, whole):
        mandated(lease, account)
    called()
    build.paid(part, "65.00", bank=account, on=date(2026, 3, 2))
    build.paid(whole, "465.00", bank=account, on=date(2026, 3, 2))

    found = preview(account)

    assert asked(found) == {part.pk: euros("400.00")}
    assert why(found) == {whole.pk: "nothing"}


def test_what_falls_due_after_the_day_is_not_asked(build, account):
    lease = build.lease(due_day=8)
    mandated(lease, account)
    choose_debit_day(lease, day=5, since=FEBRUARY, by=None)
    called()

    assert why(preview(account)) == {lease.pk: "nothing"}
    assert asked(preview(account, on=THE_10TH)) == {lease.pk: euros("465.00")}


def test_a_debt_of_before_the_month_is_told_apart_and_may_be_left(build, account):
    lease = build.lease()
    mandated(lease, account)
    called(FEBRUARY)
    called()

    found = preview(account)

    assert asked(found) == {lease.pk: euros("930.00")}
    assert found.older == euros("465.00")
    assert asked(preview(account, since=MARCH)) == {lease.pk: euros("465.00")}


def test_a_debit_is_announced_14_days_before_unless_less_was_agreed(build, account):
    usual, agreed = build.lease(), build.lease()
    mandated(usual, account)
    mandated(agreed, account, notice_days=5)
    called(now=datetime(2026, 2, 20, 8, 0, tzinfo=UTC))

    found = preview(account)

    assert asked(found) == {agreed.pk: euros("465.00")}
    assert why(found) == {usual.pk: "late_notice"}


def test_what_was_announced_too_late_is_left_out_of_the_amount(build, account):
    lease = build.lease()
    mandated(lease, account)
    called(FEBRUARY)
    called(now=datetime(2026, 2, 26, 8, 0, tzinfo=UTC))

    assert asked(preview(account)) == {lease.pk: euros("465.00")}


def test_a_tenant_is_debited_on_the_day_chosen(build, account):
    early, late = build.lease(), build.lease()
    for lease in (early, late):
        mandated(lease, account)
    choose_debit_day(late, day=10, since=FEBRUARY, by=None)
    called()

    assert asked(preview(account)).keys() == {early.pk}
    assert why(preview(account)) == {late.pk: "other_day"}
    assert asked(preview(account, on=THE_10TH)).keys() == {early.pk, late.pk}


def test_a_blocked_a_void_and_an_ended_mandate_are_left_out(build, account):
    blocked, void, ended = (build.lease() for _one in range(3))
    block_mandate(mandated(blocked, account), reason="MD01", on=FEBRUARY, by=None)
    mandated(void, account, signed_on=date(2023, 3, 5))
    end_mandate(mandated(ended, account), on=FEBRUARY, reason="revoked", by=None)
    called()

    found = preview(account)

    assert not found.lines
    assert why(found) == {blocked.pk: "blocked", void.pk: "lapsed"}


def test_banks_do_not_collect_on_closed_days():
    assert is_bank_day(THE_5TH)
    assert not is_bank_day(date(2026, 3, 7))
    assert not is_bank_day(date(2026, 4, 3)), "Good Friday"
    assert not is_bank_day(date(2026, 4, 6)), "Easter Monday"
    assert is_bank_day(date(2026, 7, 14)), "a holiday here, not for TARGET"


def test_a_file_of_friday_is_collected_on_monday_at_the_soonest():
    assert earliest_collection(date(2026, 2, 27)) == date(2026, 3, 2)


def test_a_day_too_near_or_closed_is_refused_with_another(build, account):
    with pytest.raises(NoDebits, match="02/03/2026"):
        preview(account, on=TODAY)
    with pytest.raises(NoDebits, match="09/03/2026"):
        preview(account, on=date(2026, 3, 7))


def test_an_account_without_ics_collects_nothing(build):
    with pytest.raises(NoMandate, match="ICS"):
        preview(build.bank())


# ---- the file ----


def test_a_batch_is_a_valid_file_kept_as_it_was_made(build, account):
    leases = [build.lease(), build.lease(rent="300.00")]
    for lease in leases:
        mandated(lease, account)
    called()

    made = batch(account)

    kept = DebitBatch.objects.get()
    data = bytes(kept.content)
    check_order(data, "08")
    assert (kept.count, kept.total) == (2, euros("765.00"))
    assert kept.sha256 == hashlib.sha256(data).hexdigest() == made.sha256
    said = [one.text for one in etree.fromstring(data).iterfind(".//{*}EndToEndId")]
    assert said == [f"{lease.payment_reference}-20260305" for lease in leases]
    assert said == list(Debit.objects.order_by("pk").values_list("end_to_end", flat=True))


def test_a_bank_that_wants_the_old_version_gets_it(build, account):
    old = collecting(build, account=account, version="02")
    mandated(build.lease(), old)
    called()

    check_order(bytes(batch(old).content), "02")


def test_a_debit_is_never_sent_twice(build, account):
    lease = build.lease()
    mandated(lease, account)
    called()
    batch(account)

    found = preview(account)

    assert not found.lines
    assert why(found) == {lease.pk: "waiting"}
    with pytest.raises(NoDebits, match="nothing to debit"):
        commit_debits(found, by=None, now=NOW, today=TODAY)


def test_only_what_is_new_is_asked_while_the_rest_waits(build, account):
    lease = build.lease()
    mandated(lease, account)
    called(FEBRUARY)
    batch(account)
    called()

    assert asked(preview(account)) == {lease.pk: euros("465.00")}


def test_a_months_rent_sent_is_not_sent_again_because_an_older_debt_is_left(build, account):
    lease = build.lease()
    mandated(lease, account)
    called(FEBRUARY)
    called()
    batch(account, since=MARCH)

    assert why(preview(account, on=THE_10TH, since=MARCH)) == {lease.pk: "waiting"}
    assert asked(preview(account, on=THE_10TH)) == {lease.pk: euros("465.00")}


def test_a_list_that_changed_since_it_was_shown_is_not_committed(build, account):
    first, second = build.lease(), build.lease()
    mandated(first, account)
    mandated(second, account)
    called()
    shown = preview(account)
    block_mandate(Mandate.objects.get(lease=second), reason="asked", on=FEBRUARY, by=None)

    with pytest.raises(NoDebits, match="changed"):
        commit_debits(shown, by=None, now=NOW, today=TODAY)
    assert not DebitBatch.objects.exists()


def test_a_batch_is_withdrawn_until_it_is_sent(build, account):
    lease = build.lease()
    mandated(lease, account)
    called()
    first = batch(account)

    withdraw_batch(first, by=None, now=NOW)

    assert asked(preview(account)) == {lease.pk: euros("465.00")}
    second = batch(account)
    assert second.message_id != first.message_id
    assert second.debits.get().end_to_end == f"{lease.payment_reference}-20260305.2"
    mark_sent(second, on=TODAY, by=None)
    with pytest.raises(NoDebits, match="was sent"):
        withdraw_batch(second, by=None, now=NOW)
    with pytest.raises(NoDebits, match="withdrawn"):
        mark_sent(first, on=TODAY, by=None)


def test_what_was_asked_of_the_bank_is_never_changed(build, account):
    mandated(build.lease(), account)
    called()
    made = mark_sent(batch(account), on=TODAY, by=None)

    for change in (
        lambda: Debit.objects.update(amount=euros("1.00")),
        lambda: Debit.objects.all().delete(),
        lambda: DebitBatch.objects.filter(pk=made.pk).update(sha256="0"),
        lambda: DebitBatch.objects.filter(pk=made.pk).update(sent_on=None),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_a_one_off_mandate_is_used_once(build, account):
    lease = build.lease()
    mandated(lease, account, sequence="OOFF")
    called()
    sent = batch(account)
    called(APRIL, now=datetime(2026, 3, 17, 8, 0, tzinfo=UTC))

    assert sent.debits.get().sequence == "OOFF"
    found = preview(account, on=date(2026, 4, 7), today=date(2026, 3, 30))
    assert why(found) == {lease.pk: "used"}


@pytest.mark.parametrize(("new", "told"), [(SAME_BANK, "IBAN"), (OTHER_BANK, "SMNDA")])
def test_a_new_account_is_told_to_the_bank_once(build, account, new, told):
    lease = build.lease()
    mandate = mandated(lease, account, last_used_on=date(2026, 2, 5))
    amend_mandate(mandate, iban=new, on=FEBRUARY, by=None)
    called(FEBRUARY)

    first = bytes(batch(account).content)
    called(now=CALLED)
    second = bytes(batch(account).content)

    assert b"<AmdmntInd>true</AmdmntInd>" in first and told.encode() in first.split(b"OrgnlDbtrAcct")[1]
    assert b"AmdmntInd" not in second


def test_a_change_before_the_first_debit_is_nobodys_business(build, account):
    mandate = mandated(build.lease(), account)
    amend_mandate(mandate, iban=OTHER_BANK, on=FEBRUARY, by=None)
    called()

    assert b"AmdmntInd" not in bytes(batch(account).content)


def test_forty_leases_cost_as_many_queries_as_two(build, account):
    counts = []
    for number, month in ((2, FEBRUARY), (38, MARCH)):
        for _one in range(number):
            mandated(build.lease(benefit="120.00"), account)
        called(month)
        with CaptureQueriesContext(connection) as queries:
            found = preview(account)
        with CaptureQueriesContext(connection) as more:
            made = commit_debits(found, by=None, now=NOW, today=TODAY)
        counts.append((len(queries), len(more), made.count))

    (at_two, commit_two, two), (at_forty, commit_forty, forty) = counts
    assert (two, forty) == (2, 40)
    assert at_forty == at_two <= 12
    assert commit_forty == commit_two <= 20
