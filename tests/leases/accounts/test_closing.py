"""Closing the accounts: a closed day takes no posting, the trial balance adds up, each number has its rows."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from core.money import euros
from core.periods import Period
from core.refusals import refusal_of
from leases import ledger, operations, rent
from leases.accounts import analytics, closing, provisions
from leases.accounts.closing import CannotClose, CannotReopen, lock_period, trial_balance, unlock_period
from leases.ledger import PeriodLock, PeriodLocked
from leases.models import Account, Book, Posting
from leases.operations import Operation
from leases.proof import check_ledger
from portfolio.models import Structure
from tests.builders import NOW
from tests.leases.full_ledger import full_ledger

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
END_OF_JANUARY, END_OF_FEBRUARY = date(2026, 1, 31), date(2026, 2, 28)
APRIL_DAY = datetime(2026, 4, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def own_book():
    return Book.objects.get_or_create(owner=None)[0]


def a_posting(on: date, *, book: Book | None = None, key="one", amount="10.00"):
    """An operation between two accounts of a book, straight to the database: no verb looks at its date."""
    book_id = book.pk if book else ledger.association_book_id()
    entry = ledger.Entry.objects.create(label="test", recorded_at=NOW)
    debit = operations.account(ledger.LOSS, book=book_id)
    credit = operations.account(ledger.SUPPLIER, book=book_id)
    made = Operation.objects.create(
        kind=operations.FREE,
        key=key,
        entry=entry,
        debit=debit,
        credit=credit,
        amount=euros(amount),
        on=on,
        due=on,
    )
    operations.post_entry(entry)
    return made


# ---- the lock -------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_database_takes_no_posting_on_a_closed_day():
    lock_period(END_OF_JANUARY, by=None, now=NOW)

    with pytest.raises(IntegrityError, match="period_locked") as refused, transaction.atomic():
        a_posting(END_OF_JANUARY)
    told = refusal_of(refused.value)

    assert "open period" in str(told.remedy)
    a_posting(FEBRUARY)  # the next day is open


@pytest.mark.django_db
def test_a_book_closed_by_itself_leaves_the_others_open(build):
    owner = build.owner("private")
    build.unit(owner=owner, title="mandate")
    theirs = Book.objects.get(owner=owner)
    lock_period(END_OF_JANUARY, book=theirs, by=None, now=NOW)

    with pytest.raises(IntegrityError, match="period_locked"), transaction.atomic():
        a_posting(END_OF_JANUARY, book=theirs)
    a_posting(END_OF_JANUARY)


@pytest.mark.django_db
def test_an_operation_on_a_closed_day_is_refused_with_its_remedy(build):
    lease = build.lease()
    rent.open_accounts()
    lock_period(END_OF_JANUARY, by=None, now=NOW)
    tenant = operations.tenant_accounts([lease.pk])[lease.pk]
    loss = operations.account(ledger.LOSS, book=tenant.book_id)
    draft = Operation(
        kind=operations.WRITE_OFF,
        key="late",
        debit=loss,
        credit=tenant,
        amount=euros("5.00"),
        on=END_OF_JANUARY,
        due=END_OF_JANUARY,
    )

    with pytest.raises(PeriodLocked) as refused:
        operations.post([draft], label="late", by=None, now=NOW)

    assert "31/01/2026" in str(refused.value)
    assert not Operation.objects.exists()


@pytest.mark.django_db
def test_the_rent_of_a_closed_month_is_not_called_and_the_next_run_brings_the_correction(build):
    lease = build.lease(rent="465.00")
    build.called(JANUARY)
    lock_period(END_OF_JANUARY, by=None, now=NOW)

    with pytest.raises(PeriodLocked):
        rent.run_rent(JANUARY, by=None, now=NOW)

    # The keys came back on 20 January, learnt after the closing: February's run gives it back.
    lease.occupancies.update(end=date(2026, 1, 21))
    type(lease).objects.filter(pk=lease.pk).update(end=date(2026, 1, 21), end_reason="tenant_notice")
    rent.learn_late([lease.pk], since=JANUARY, reason="end of lease", now=NOW)
    build.called(FEBRUARY)
    back = Posting.objects.filter(on=FEBRUARY).get()
    assert back.amount == euros("165.00")  # 465 × 11 / 31
    assert not check_ledger()


@pytest.mark.django_db
def test_a_statement_of_closed_days_is_refused_before_anything_is_written(build):
    from leases import bank
    from leases.models import Movement
    from tests.leases.statements import camt_file, received

    build.bank()
    lock_period(END_OF_FEBRUARY, by=None, now=NOW)

    with pytest.raises(PeriodLocked):
        bank.import_statement(
            camt_file(received("10.00", date(2026, 2, 6)), start=FEBRUARY, end=END_OF_FEBRUARY),
            "releve",
            by=None,
            now=NOW,
        )

    assert not Movement.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("day", "words"), [(NOW.date(), "not over yet"), (END_OF_JANUARY, "closed up to 31/01/2026 already")]
)
def test_what_cannot_be_closed(day, words):
    lock_period(END_OF_JANUARY, by=None, now=NOW)

    with pytest.raises(CannotClose, match=words):
        lock_period(day, by=None, now=NOW)


@pytest.mark.django_db
def test_a_month_whose_run_is_open_is_not_closed(build):
    build.lease()
    rent.open_run(JANUARY, by=None, now=NOW)

    with pytest.raises(CannotClose, match="01/2026"):
        lock_period(END_OF_JANUARY, by=None, now=NOW)


@pytest.mark.django_db
def test_opening_again_is_dated_reasoned_and_kept():
    lock_period(END_OF_FEBRUARY, by=None, now=NOW)
    with pytest.raises(CannotReopen, match="No reason"):
        unlock_period(END_OF_JANUARY, reason=" ", by=None, now=NOW)

    unlock_period(END_OF_JANUARY, reason="Invoice of February received late", by=None, now=NOW)

    a_posting(END_OF_FEBRUARY)
    with pytest.raises(IntegrityError, match="period_locked"), transaction.atomic():
        a_posting(END_OF_JANUARY, key="two")
    assert list(PeriodLock.objects.order_by("pk").values_list("up_to", flat=True)) == [
        END_OF_FEBRUARY,
        END_OF_JANUARY,
    ]


@pytest.mark.django_db
def test_opening_everything_again(own_book):
    lock_period(END_OF_JANUARY, book=own_book, by=None, now=NOW)
    unlock_period(None, book=own_book, reason="Nothing was to be closed", by=None, now=NOW)

    assert ledger.closed_up_to(own_book.pk) is None
    a_posting(JANUARY)


@pytest.mark.django_db
@pytest.mark.parametrize("act", ["update", "delete"])
def test_a_lock_is_never_changed(act):
    lock = lock_period(END_OF_JANUARY, by=None, now=NOW)

    with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
        if act == "update":
            PeriodLock.objects.filter(pk=lock.pk).update(up_to=None)
        else:
            PeriodLock.objects.filter(pk=lock.pk)._raw_delete("default")


@pytest.mark.django_db
def test_the_preview_says_what_would_be_closed(build):
    kept = full_ledger(build)
    seen = closing.preview_lock(END_OF_FEBRUARY)

    assert seen.postings == Posting.objects.filter(on__lt=MARCH).count()
    assert (seen.suspense, seen.suspense_total) == (1, euros("30.00"))
    assert seen.uncalled == []
    assert seen.late == []
    assert closing.preview_lock(date(2026, 4, 30)).late == [("Main account", kept.statements[-1].end)]


# ---- trial balance and general ledger --------------------------------------------------------


@pytest.mark.django_db
def test_the_trial_balance_of_the_association_adds_up_to_zero(build, own_book):
    full_ledger(build)
    lines = {
        line.number: line for line in trial_balance(Period(MARCH, date(2026, 4, 1)), book_id=own_book.pk)
    }

    # At home: 465 rent and 70 charges, of which 200 are paid by the benefit.
    assert lines["7061"].opening == -euros("465.00")
    assert lines["7061"].credit == euros("465.00")
    assert lines["7061"].closing == -euros("930.00")
    assert lines["4431"].closing == euros("400.00")
    assert sum((line.opening for line in lines.values()), euros(0)) == euros(0)
    totals = closing.trial_totals(list(lines.values()))
    for column in ("opening", "closing"):
        assert totals[f"{column}_debit"] == totals[f"{column}_credit"]
    assert totals["debit"] == totals["credit"]


@pytest.mark.django_db
def test_each_book_has_its_own_trial_balance(build, own_book):
    kept = full_ledger(build)
    theirs = Book.objects.get(owner=kept.mandant)
    days = Period(FEBRUARY, date(2026, 4, 1))

    told = {line.number: line for line in trial_balance(days, book_id=theirs.pk)}
    assert told["7061"].credit == euros("1200.00")
    assert told["5121"].closing == euros("600.00")
    assert {line.number: line for line in trial_balance(days, book_id=own_book.pk)}["467"].closing == -euros(
        "600.00"
    )


@pytest.mark.django_db
def test_income_starts_anew_each_year(build, own_book):
    build.lease(rent="465.00")
    build.called(date(2025, 12, 1), JANUARY)

    lines = {line.number: line for line in trial_balance(Period(FEBRUARY, MARCH), book_id=own_book.pk)}

    assert lines["7061"].opening == -euros("465.00")
    assert lines["120"].opening == -euros("465.00")  # a profit of 2025
    assert lines["411"].opening == euros("930.00")


@pytest.mark.django_db
def test_each_line_of_the_trial_balance_has_its_rows(build, own_book):
    full_ledger(build)
    days = Period(FEBRUARY, date(2026, 4, 1))

    for line in trial_balance(days, book_id=own_book.pk):
        rows = closing.general_ledger(book_id=own_book.pk, kind=line.kind).filter(
            on__gte=days.start, on__lt=days.end
        )
        sums = rows.aggregate(debit=Sum("debited"), credit=Sum("credited"))
        assert (sums["debit"] or euros(0), sums["credit"] or euros(0)) == (line.debit, line.credit), (
            line.number
        )


@pytest.mark.django_db
def test_a_trial_balance_asks_once_whatever_the_stock(build, own_book):
    for _number in range(2):
        build.lease(benefit="100.00")
    build.called(JANUARY)

    def asked():
        with CaptureQueriesContext(connection) as found:
            trial_balance(Period.month(JANUARY), book_id=own_book.pk)
            provisions.proposal(MARCH)
            analytics.by_code(JANUARY, analytics.Axis.STRUCTURE)
        return len(found)

    at_two = asked()
    for _number in range(38):
        build.lease(benefit="100.00")
    build.called(FEBRUARY)

    assert asked() == at_two


# ---- the provision --------------------------------------------------------------------------

RATES = {"d31_60": Decimal("25.00"), "over_90": Decimal("80.00"), provisions.DEPARTED: Decimal("100.00")}


def test_a_provision_is_rounded_once():
    owed = {age: euros("0.01") for age in provisions.AGES}
    halves = {age: Decimal("12.50") for age in provisions.AGES}

    assert provisions.provision_of(owed, halves, departed=False) == euros("0.01")  # 4 × 0.00125
    assert provisions.provision_of(owed, {}, departed=True) == euros(0)


@pytest.mark.django_db
def test_the_rule_proposes_by_age_and_by_departure(build):
    provisions.set_rates(RATES, since=JANUARY, by=None, now=NOW)
    here = build.lease(rent="400.00", start=JANUARY)
    left = build.lease(rent="300.00", start=JANUARY, end=FEBRUARY, end_reason="tenant_notice")
    mandated = build.lease(rent="900.00", unit=build.unit(owner=build.owner("private"), title="mandate"))
    build.called(JANUARY, FEBRUARY)

    on = date(2026, 2, 20)  # January's 400 is due for 46 days, February's for 15
    found = {one.lease_id: one for one in provisions.proposal(on)}

    assert found[here.pk].due == euros("800.00")
    assert found[here.pk].provision == euros("100.00")  # 25 % of 400
    assert found[left.pk].provision == euros("300.00")
    assert mandated.pk not in found  # the mandant's debt, not ours
    assert provisions.totals(list(found.values()))["provision"] == euros("400.00")


@pytest.mark.django_db
def test_the_rates_of_a_day_are_the_latest_set():
    provisions.set_rates({"over_90": Decimal(50)}, since=JANUARY, by=None, now=NOW)
    provisions.set_rates({"over_90": Decimal(80)}, since=MARCH, by=None, now=NOW)

    assert provisions.rates(END_OF_FEBRUARY) == {"over_90": Decimal(50)}
    assert provisions.rates(MARCH) == {"over_90": Decimal(80)}


@pytest.mark.django_db
def test_posting_the_provision_brings_the_ledger_to_the_rule(build):
    provisions.set_rates(RATES, since=JANUARY, by=None, now=NOW)
    build.lease(rent="400.00", start=JANUARY)
    build.called(JANUARY)

    made = provisions.post_provision(END_OF_FEBRUARY, by=None, now=NOW)
    assert (made.kind, made.amount) == (operations.PROVISION, euros("100.00"))
    with pytest.raises(provisions.NothingToPost):
        provisions.post_provision(END_OF_FEBRUARY, by=None, now=NOW)

    provisions.set_rates({"d31_60": Decimal(10)}, since=FEBRUARY, by=None, now=NOW)
    released = provisions.post_provision(END_OF_FEBRUARY, by=None, now=NOW)
    assert (released.kind, released.amount) == (operations.PROVISION_RELEASED, euros("60.00"))
    assert provisions.provided(END_OF_FEBRUARY) == euros("40.00")
    assert not check_ledger()


# ---- analytic codes --------------------------------------------------------------------------


@pytest.mark.django_db
def test_income_is_told_by_structure_programme_and_funder(build):
    pension = Structure.objects.create(reference="PF-1", name="Pension Moulins", kind="pension_famille")
    build.lease(rent="300.00", unit=build.unit(structure=pension, financing="plai"))
    build.lease(rent="465.00", charges="35.00")
    build.called(JANUARY)

    by_structure = {line.code: line.income for line in analytics.by_code(JANUARY, "structure")}
    assert by_structure == {"PF-1": euros("300.00"), "DIFFUS": euros("500.00")}
    assert {line.code: line.income for line in analytics.by_code(JANUARY, "programme")} == {
        "plai": euros("300.00"),
        "free": euros("500.00"),
    }
    assert [line.code for line in analytics.by_code(JANUARY, "funder")] == [""]


@pytest.mark.django_db
def test_the_code_closest_to_the_home_holds_from_its_day_on(build):
    lease = build.lease(rent="465.00")
    unit = lease.occupancies.get().place.unit
    build.called(JANUARY, FEBRUARY)
    whole = analytics.add_code("funder", "DDETS", "State", by=None)
    own = analytics.add_code("funder", "METRO", "Metropolis", by=None)
    common = {"by": None, "now": NOW}
    analytics.give_code("funder", whole, site=unit.building.site, since=JANUARY, **common)
    analytics.give_code("funder", own, unit=unit, since=FEBRUARY, **common)

    assert [line.code for line in analytics.by_code(JANUARY, "funder")] == ["DDETS"]
    assert [line.code for line in analytics.by_code(FEBRUARY, "funder")] == ["METRO"]
    with pytest.raises(analytics.WrongCode):
        analytics.give_code("programme", own, unit=unit, since=FEBRUARY, **common)


@pytest.mark.django_db
def test_what_the_codes_tell_adds_up_to_the_accounts(build, own_book):
    full_ledger(build)

    told = analytics.by_code(FEBRUARY, "structure")
    lines = trial_balance(Period.month(FEBRUARY), book_id=own_book.pk)
    income = sum((line.credit - line.debit for line in lines if line.number.startswith("7")), euros(0))

    assert sum((line.income for line in told), euros(0)) == income == euros("535.00")


def test_account_kinds_of_the_year_are_those_of_classes_6_and_7():
    assert ledger.RENT in closing.OF_THE_YEAR
    assert ledger.EXPENSE in closing.OF_THE_YEAR
    assert ledger.TENANT not in closing.OF_THE_YEAR
    assert Account._meta.get_field("kind")
