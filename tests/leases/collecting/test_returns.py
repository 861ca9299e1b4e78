"""What the bank answers about a batch: rejects, returns, credits, each told once and never posted twice."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.money import euros, to_cents
from leases import bank, proof, rent, tenant_account
from leases.collecting.batches import commit_debits
from leases.collecting.debits import Debit, NoDebits, batches_with_outcome, mark_sent, withdraw_batch
from leases.collecting.mandates import Mandate, amend_mandate
from leases.collecting.returns import (
    ReportRefused,
    credits_for,
    import_debit_report,
    learn_from,
    mark_collected,
    split_credit,
)
from leases.formats.camt054 import write_notice
from leases.formats.pain002 import Answer, Report, write_report
from leases.formats.statement import BadFile
from leases.models import Allocation, DebitCredit, DebitReport, DebitReturn, MandateBlock, Posting
from tests.builders import NOW
from tests.leases.collecting.debtors import (
    CALLED,
    OTHER_BANK,
    THE_5TH,
    TODAY,
    batch,
    collecting,
    mandated,
    preview,
)
from tests.leases.statements import IBAN, OTHER_PAYER, camt_file, received

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
THE_9TH = date(2026, 3, 9)


@pytest.fixture
def account(build):
    return collecting(build)


@pytest.fixture
def sent(build, account):
    """A batch of two debits of 465.00 EUR, sent on 27 February, collected on 5 March."""
    for _one in range(2):
        mandated(build.lease(), account)
    rent.run_rent(MARCH, by=None, now=CALLED)
    return mark_sent(batch(account), on=TODAY, by=None)


def debits(of):
    return list(of.debits.select_related("lease").order_by("pk"))


def report(of, *answers, status="", code="", original=""):
    lot = f"{of.message_id}-RCUR"
    return write_report(
        Report(
            "STS-1",
            date(2026, 3, 4),
            original or of.message_id,
            status,
            code,
            tuple(Answer(0, lot, end_to_end, said, why) for end_to_end, said, why in answers),
        )
    )


def read(data, name="report.xml"):
    return import_debit_report(data, name, by=None, now=NOW)


def back(debit, code="AM04", booked=THE_9TH, amount=None):
    return received(
        f"-{amount or debit.amount.amount}",
        booked,
        kind="return",
        label="REJET PRLV",
        end_to_end=debit.end_to_end,
        return_code=code,
    )


def statement(*movements, opening="0.00", start=MARCH, end=date(2026, 3, 31)):
    done = bank.import_statement(
        camt_file(*movements, opening=opening, start=start, end=end), "r.xml", by=None, now=NOW
    )
    return learn_from(done, by=None, now=NOW)


def credit(of, amount=None, booked=THE_5TH, **said):
    said = {"kind": "direct_debit", "label": "REMISE PRLV", "bank_reference": "REM42", **said}
    return received(amount or str(of.total.amount), booked, **said)


def outcome(of):
    one = batches_with_outcome().get(pk=of.pk)
    return one.collected, one.came_back, one.waiting


# ---- reports ----


def test_a_reject_is_told_with_its_reason_and_posts_nothing(sent):
    first, second = debits(sent)
    before = Posting.objects.count()

    done = read(report(sent, (first.end_to_end, "RJCT", "AM04"), (second.end_to_end, "ACCP", "")))

    assert [one.pk for one in done.returned] == [first.pk]
    told = DebitReturn.objects.get()
    assert (told.debit, told.code, told.on, told.told_by) == (first, "AM04", date(2026, 3, 4), "pain.002")
    assert Posting.objects.count() == before
    assert outcome(sent) == (0, 1, 1)


@pytest.mark.parametrize("status", ["file", "lot"])
def test_a_file_or_a_lot_rejected_whole_rejects_each_debit(sent, status):
    data = (
        report(sent, status="RJCT", code="FF01") if status == "file" else report(sent, ("", "RJCT", "FF01"))
    )

    assert len(read(data).returned) == 2


@pytest.mark.parametrize("code", ["AC01", "AC04", "AC06", "RC01", "MD01", "MD07"])
def test_a_reason_that_says_so_blocks_the_mandate(sent, account, code):
    first, second = debits(sent)

    read(report(sent, (first.end_to_end, "RJCT", code), (second.end_to_end, "RJCT", "AM04")))

    assert MandateBlock.objects.get().mandate == first.mandate
    found = preview(account)
    assert {one.mandate.lease_id: one.code for one in found.left_out} == {first.lease_id: "blocked"}


def test_a_file_read_twice_is_refused(sent):
    data = report(sent, (debits(sent)[0].end_to_end, "RJCT", "AM04"))
    read(data)

    with pytest.raises(ReportRefused, match="was read on 02/03/2026"):
        read(data)


def test_a_report_on_a_batch_of_somebody_else_is_refused(sent):
    with pytest.raises(ReportRefused, match="not made here"):
        read(report(sent, original="OTHER-1"))


def test_a_report_that_names_an_unknown_debit_is_refused_whole(sent):
    data = report(sent, (debits(sent)[0].end_to_end, "RJCT", "AC04"), ("L000009999-20260305", "RJCT", "AM04"))

    with pytest.raises(ReportRefused, match="holds no debit L000009999-20260305"):
        read(data)
    assert not DebitReturn.objects.exists()
    assert not DebitReport.objects.exists()
    assert not MandateBlock.objects.exists()


def test_a_report_on_a_withdrawn_batch_is_refused(build, account):
    mandated(build.lease(), account)
    rent.run_rent(MARCH, by=None, now=CALLED)
    made = withdraw_batch(batch(account), by=None, now=NOW)

    with pytest.raises(ReportRefused, match="withdrawn"):
        read(report(made, status="RJCT", code="FF01"))


def test_any_other_file_is_refused(sent):
    for data in (b"", b"<x/>", camt_file()):
        with pytest.raises(BadFile):
            read(data)


def test_a_notice_tells_what_came_back(sent):
    first, _second = debits(sent)

    done = read(write_notice(IBAN, "N1", THE_9TH, [back(first, "MD06")]))

    assert [one.pk for one in done.returned] == [first.pk]
    assert DebitReturn.objects.get().told_by == "camt.054"


def test_a_notice_of_another_account_or_of_other_debits_is_refused(sent):
    first, _second = debits(sent)
    other = received("-10.00", THE_9TH, kind="return", end_to_end="SOMETHING-ELSE", return_code="AM04")

    with pytest.raises(ReportRefused, match="no direct debits to this account"):
        read(write_notice(OTHER_PAYER, "N1", THE_9TH, [back(first)]))
    with pytest.raises(ReportRefused, match="None of the debits"):
        read(write_notice(IBAN, "N1", THE_9TH, [other]))
    assert read(write_notice(IBAN, "N2", THE_9TH, [back(first), other])).unknown == ("SOMETHING-ELSE",)


def test_a_debit_told_back_by_two_files_came_back_once(sent):
    first, _second = debits(sent)
    read(report(sent, (first.end_to_end, "RJCT", "AM04")))

    done = read(write_notice(IBAN, "N1", THE_9TH, [back(first)]))

    assert (done.returned, done.known) == ((), 1)


# ---- statements ----


def test_the_credit_of_a_whole_batch_is_split_by_its_own_list(sent):
    learnt = statement(credit(sent))

    assert (learnt.split, learnt.collected) == (1, 2)
    assert not Allocation.objects.in_suspense().exists()
    assert {one.lease_id for one in Allocation.objects.filter(how="list")} == {
        d.lease_id for d in debits(sent)
    }
    assert {tenant_account.balance(d.lease, date(2026, 3, 31)) for d in debits(sent)} == {euros(0)}
    assert outcome(sent) == (2, 0, 0)
    assert not proof.check_ledger()


def test_a_batch_credited_less_what_was_rejected_is_split_too(sent):
    first, second = debits(sent)
    read(report(sent, (first.end_to_end, "RJCT", "AM04")))

    learnt = statement(credit(sent, "465.00", reference=sent.message_id))

    assert (learnt.split, learnt.collected) == (1, 1)
    assert Allocation.objects.get(how="list").lease_id == second.lease_id
    assert not proof.check_ledger()


def test_two_batches_of_one_amount_are_told_apart_by_their_reference_only(build, account, sent):
    for _one in range(2):
        mandated(build.lease(), account)
    rent.run_rent(MARCH, by=None, now=CALLED)
    twin = batch(account)

    assert statement(credit(sent), end=date(2026, 3, 6)).split == 0
    learnt = statement(
        credit(twin, booked=THE_9TH, reference=twin.message_id), opening="930.00", start=date(2026, 3, 7)
    )

    assert learnt.split == 1
    assert outcome(twin) == (2, 0, 0)
    [waiting] = credits_for(sent)
    split_credit(sent, waiting, by=None, now=NOW)
    assert outcome(sent) == (2, 0, 0)
    assert not proof.check_ledger()


def test_debits_credited_one_by_one_are_collected(sent):
    learnt = statement(
        *(
            received("465.00", THE_5TH, kind="direct_debit", end_to_end=one.end_to_end, counterparty_name="A")
            for one in debits(sent)
        )
    )

    assert (learnt.split, learnt.collected) == (0, 2)
    assert {one.how for one in Allocation.objects.all()} == {"end_to_end"}
    assert not proof.check_ledger()


def test_a_return_on_the_statement_opens_the_debt_again_and_is_told(sent, account):
    first, second = debits(sent)

    learnt = statement(credit(sent), back(first))

    assert (learnt.collected, learnt.returned) == (2, 1)
    assert tenant_account.balance(first.lease, date(2026, 3, 31)) == euros("465.00")
    assert tenant_account.balance(second.lease, date(2026, 3, 31)) == euros(0)
    assert outcome(sent) == (1, 1, 0)
    told = DebitReturn.objects.get()
    assert (told.debit, told.told_by, told.movement.return_code) == (first, "camt.053", "AM04")
    assert not proof.check_ledger()


def test_a_return_told_before_is_then_seen_on_the_statement(sent):
    first, _second = debits(sent)
    read(write_notice(IBAN, "N1", THE_9TH, [back(first)]))

    assert statement(credit(sent), back(first)).returned == 0

    told = DebitReturn.objects.get()
    assert (told.told_by, told.movement.amount) == ("camt.054", euros("-465.00"))


def test_the_same_statement_again_tells_nothing_twice(sent):
    first, _second = debits(sent)
    statement(credit(sent), back(first))

    learnt = statement(credit(sent), back(first))

    assert (learnt.collected, learnt.returned, learnt.split) == (0, 0, 0)
    assert (DebitCredit.objects.count(), DebitReturn.objects.count()) == (2, 1)


def test_a_batch_whose_credit_was_settled_by_hand_is_said_collected(sent):
    assert mark_collected(sent, on=THE_5TH, by=None) == 2

    assert outcome(sent) == (2, 0, 0)
    with pytest.raises(NoDebits):
        mark_collected(sent, on=THE_5TH, by=None)


# ---- presented again ----


def again(account, on, today):
    return preview(account, on=on, today=today)


def test_a_debit_without_funds_is_presented_again_twice_at_most(build, account):
    lease = build.lease()
    mandated(lease, account)
    rent.run_rent(MARCH, by=None, now=CALLED)
    days = [(date(2026, 3, 5), date(2026, 2, 27)), (date(2026, 3, 16), date(2026, 3, 12))]
    days.append((date(2026, 3, 24), date(2026, 3, 19)))
    attempts = []
    for on, today in days:
        made = batch(account, on=on, today=today)
        debit = made.debits.get()
        attempts.append((debit.attempt, debit.presents_id))
        read(report(made, (debit.end_to_end, "RJCT", "AM04")))

    assert [number for number, _of in attempts] == [0, 1, 2]
    assert attempts[0][1] is None and attempts[2][1] is not None
    found = again(account, date(2026, 3, 30), date(2026, 3, 26))
    assert [one.code for one in found.left_out] == ["came_back"]
    assert Debit.objects.came_back().count() == 1


def test_what_the_tenant_had_paid_back_is_not_presented_again(build, account):
    lease = build.lease()
    mandated(lease, account)
    rent.run_rent(MARCH, by=None, now=CALLED)
    made = batch(account)
    read(report(made, (made.debits.get().end_to_end, "RJCT", "MD06")))
    rent.run_rent(APRIL, by=None, now=datetime(2026, 3, 18, 8, 0, tzinfo=UTC))

    [line] = again(account, date(2026, 4, 7), date(2026, 3, 30)).lines

    assert (line.amount, line.presents) == (euros("465.00"), None)


def test_a_closed_account_is_presented_again_once_the_new_one_is_known(build, account):
    mandate = mandated(build.lease(), account)
    rent.run_rent(MARCH, by=None, now=CALLED)
    made = batch(account)
    read(report(made, (made.debits.get().end_to_end, "RJCT", "AC04")))

    amend_mandate(Mandate.objects.get(pk=mandate.pk), iban=OTHER_BANK, on=THE_9TH, by=None)

    [line] = again(account, date(2026, 3, 16), date(2026, 3, 12)).lines
    assert (line.amount, line.attempt) == (euros("465.00"), 1)


def test_a_return_of_the_old_account_does_not_block_the_new_one(sent):
    first, _second = debits(sent)
    amend_mandate(first.mandate, iban=OTHER_BANK, on=date(2026, 3, 6), by=None)

    statement(credit(sent), back(first, "AC04"))

    assert not MandateBlock.objects.exists()


# ---- as many queries whatever the number ----


def test_forty_returns_cost_as_many_queries_as_two(build, account):
    counts, opening, since = [], "0.00", MARCH
    for number, month, today, on, last in (
        (2, MARCH, TODAY, THE_5TH, date(2026, 3, 20)),
        (38, APRIL, date(2026, 4, 15), date(2026, 4, 20), date(2026, 4, 30)),
    ):
        leases = [build.lease() for _one in range(number)]
        for lease in leases:
            mandated(lease, account)
        rent.run_rent(month, by=None, now=datetime(2026, month.month - 1, 17, 8, 0, tzinfo=UTC))
        shown = preview(account, on=on, today=today)
        made = commit_debits(shown, by=None, now=NOW, today=today)
        rejected = report(made, *((one.end_to_end, "RJCT", "AC04") for one in debits(made)[::2]))
        with CaptureQueriesContext(connection) as reading:
            read(rejected)
        movements = [received(str(made.total.amount), on, kind="direct_debit", label="REMISE PRLV")]
        movements += [back(one, "AM04", last) for one in debits(made)[1::2]]
        done = bank.import_statement(
            camt_file(*movements, opening=opening, start=since, end=last), "r.xml", by=None, now=NOW
        )
        with CaptureQueriesContext(connection) as learning:
            assert learn_from(done, by=None, now=NOW).split == 1
        closing = sum(one.amount_cents for one in movements) + int(float(opening) * 100)
        opening, since = f"{closing // 100}.{closing % 100:02d}", date(2026, 3, 21)
        counts.append((len(reading), len(learning), made.count, to_cents(made.total)))

    assert counts[0][:2] == counts[1][:2], counts
