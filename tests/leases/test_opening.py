"""Balances taken over from another program stand in the ledger to the cent, once."""

from datetime import UTC, date, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Refusal
from core.imports import BadImport
from core.money import euros
from core.tables import write_table
from leases import ledger
from leases.models import Account, Entry, OpeningBalance, Posting
from leases.opening import BALANCE_COLUMNS, NotAFirst, import_balances
from leases.proof import check_ledger
from tests.uploads import upload

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MARCH = date(2026, 3, 1)


def owes(lease, amount, **said) -> dict:
    return {"lease_reference": lease.reference, "amount": euros(amount), **said}


def holds(owner, amount) -> dict:
    return {"owner_reference": owner.reference, "amount": euros(amount)}


def written(*lines: dict) -> bytes:
    return write_table(BALANCE_COLUMNS, lines, format="csv")


def taken_over(*lines: dict, on=MARCH, by=None):
    return import_balances(written(*lines), on=on, by=by, now=NOW)


def faults(*lines: dict, on=MARCH) -> list[tuple[int, str]]:
    before = (OpeningBalance.objects.count(), Posting.objects.count(), Entry.objects.count())
    with pytest.raises(BadImport) as refused:
        taken_over(*lines, on=on)
    assert (OpeningBalance.objects.count(), Posting.objects.count(), Entry.objects.count()) == before
    return [(error.line, error.column) for error in refused.value.errors if error.blocking]


def balance(account: Account):
    """Debits less credits of an account."""
    sums = [
        Posting.objects.filter(**{side: account}).aggregate(total=Sum("amount"))["total"] or euros(0)
        for side in ("debit", "credit")
    ]
    return sums[0] - sums[1]


def account(kind: int, **whose) -> Account:
    return Account.objects.get(kind=kind, **whose)


def test_a_debt_is_taken_over_month_by_month_and_ages_from_each(build):
    lease = build.lease(start=date(2024, 1, 1))

    taken_over(
        owes(lease, "465.00", month=date(2026, 1, 1)),
        owes(lease, "120.35", month=date(2026, 2, 1)),
        owes(lease, "3"),
    )

    assert balance(account(ledger.TENANT, lease=lease)) == euros("588.35")
    assert sorted(Posting.objects.values_list("on", "due", "amount")) == [
        (MARCH, date(2026, 1, 1), euros("465.00")),
        (MARCH, date(2026, 2, 1), euros("120.35")),
        (MARCH, MARCH, euros("3")),
    ]
    assert Entry.objects.get().lines == 3
    assert check_ledger() == []


def test_what_was_paid_ahead_and_what_a_payer_still_owes(build):
    ahead = build.lease(start=date(2024, 1, 1))
    waits = build.lease(start=date(2024, 1, 1))

    taken_over(owes(ahead, "-80.00"), owes(waits, "210.00", account="aide", month=date(2026, 2, 1)))

    assert balance(account(ledger.TENANT, lease=ahead)) == euros("-80.00")
    assert balance(account(ledger.BENEFIT, lease=waits)) == euros("210.00")
    assert balance(account(ledger.TENANT, lease=waits)) == euros(0)


def test_the_money_of_a_mandant_stands_in_two_books(build):
    owner = build.owner("private")
    home = build.unit(owner=owner, title="mandate")
    lease = build.lease(unit=home, start=date(2024, 1, 1))

    taken_over(owes(lease, "465.00"), holds(owner, "1500.25"))

    own = ledger.association_book_id()
    assert account(ledger.TENANT, lease=lease).book.owner == owner
    assert balance(account(ledger.HELD_FOR, owner=owner)) == euros("-1500.25")
    assert account(ledger.HELD_FOR, owner=owner).book_id == own
    assert balance(account(ledger.FUNDS, book__owner=owner)) == euros("1500.25")
    assert check_ledger() == []


def test_what_was_advanced_to_an_owner_leaves_the_funds_alone(build):
    owner = build.owner("private")
    build.unit(owner=owner, title="mandate")

    done = taken_over(holds(owner, "-90.00"))

    own = ledger.association_book_id()
    assert balance(account(ledger.ADVANCE, book=own)) == euros("90.00")
    assert balance(account(ledger.ADVANCE, book__owner=owner)) == euros("-90.00")
    assert done.report.differences == []
    assert check_ledger() == []


def test_a_past_month_is_owed_to_whoever_held_the_home_then(build):
    owner = build.owner("private")
    home = build.unit(owner=owner, title="mandate", held=(date(2020, 1, 1), date(2025, 7, 1)))
    home.holdings.create(owner=build.owner(), title="deed", start=date(2025, 7, 1))
    lease = build.lease(unit=home, start=date(2024, 1, 1))

    taken_over(owes(lease, "100", month=date(2025, 6, 1)), owes(lease, "50", month=date(2025, 7, 1)))

    of_owner, of_ours = (
        Account.objects.get(kind=ledger.TENANT, lease=lease, book__owner=whose) for whose in (owner, None)
    )
    assert (balance(of_owner), balance(of_ours)) == (euros("100"), euros("50"))


def test_who_left_in_debt_still_owes(build):
    lease = build.lease(start=date(2024, 1, 1), end=date(2025, 7, 1))

    taken_over(owes(lease, "900.00"))

    assert balance(account(ledger.TENANT, lease=lease)) == euros("900.00")


def test_file_and_ledger_agree_to_the_cent_and_the_same_file_changes_nothing(build):
    leases = [build.lease(start=date(2024, 1, 1)) for _count in range(3)]
    lines = [owes(lease, amount) for lease, amount in zip(leases, ("0.10", "0.20", "-0.30"), strict=True)]
    first = taken_over(*lines)
    again = taken_over(*lines)

    assert again.nothing_new
    assert Entry.objects.count() == 1
    for report in (first.report, again.report):
        assert report.differences == []
        assert [(count, a, b) for _label, count, a, b in report.totals()] == [(3, euros(0), euros(0))]


def test_a_lease_is_taken_over_once(build):
    lease = build.lease(start=date(2024, 1, 1))
    taken_over(owes(lease, "465.00"))

    assert faults(owes(lease, "466.00")) == [(2, "montant")]
    assert faults(owes(lease, "465.00", month=date(2026, 1, 1))) == [(2, "montant")]


def test_faults_are_named_and_nothing_is_posted(build):
    lease, owner = build.lease(start=date(2024, 1, 1)), build.owner("private")

    assert faults(
        owes(lease, "10"),
        owes(lease, "20"),
        {"lease_reference": "B-9", "amount": euros("5")},
        {"amount": euros("5")},
        {"lease_reference": lease.reference, "owner_reference": owner.reference, "amount": euros("5")},
        owes(lease, "5", month=MARCH),
        owes(lease, "5", account="propriétaire"),
        holds(owner, "5"),
    ) == [
        (3, "mois"),
        (4, "bail_reference"),
        (5, "bail_reference"),
        (6, "bail_reference"),
        (7, "mois"),
        (8, "compte"),
        (9, "proprietaire_reference"),
    ]


def test_a_take_over_is_on_a_first_and_before_our_own_calls(build):
    lease = build.lease(start=date(2024, 1, 1))
    with pytest.raises(NotAFirst):
        taken_over(owes(lease, "10"), on=date(2026, 3, 2))

    build.called(date(2026, 2, 1))
    assert faults(owes(lease, "10")) == [(2, "bail_reference")]
    taken_over(owes(lease, "10", month=date(2026, 1, 1)), on=date(2026, 2, 1))


def test_an_opening_balance_is_never_changed(build):
    taken_over(owes(build.lease(start=date(2024, 1, 1)), "10"))

    with pytest.raises(IntegrityError), transaction.atomic():
        OpeningBalance.objects.update(amount=euros("11"))


def test_the_number_of_queries_is_that_of_two_lines(build):
    def queries(count: int) -> int:
        owner = build.owner("private")
        homes = [build.unit(owner=owner, title="mandate") for _one in range(count)]
        leases = [build.lease(unit=home, start=date(2024, 1, 1)) for home in homes]
        data = written(*(owes(lease, "10") for lease in leases), holds(owner, "100"))
        with CaptureQueriesContext(connection) as seen:
            import_balances(data, on=MARCH, by=None, now=NOW)
        return len(seen)

    queries(1)  # the association's own accounts are opened once
    assert queries(2) == queries(40)


def test_a_manager_takes_over_by_command_and_by_page(build, client, tmp_path):
    lease = build.lease(start=date(2024, 1, 1))
    data = written(owes(lease, "465.00"))
    file, out = tmp_path / "soldes.csv", StringIO()
    file.write_bytes(data)

    call_command("import_balances", file, on=MARCH, stdout=out)
    assert "465" in out.getvalue()

    client.force_login(build.user("rental_manager"))
    page = upload(client, "import-balances", data, "soldes.csv", on="2026-03-01")
    assert "465" in page.content.decode()
    assert client.get(reverse("import-balances-template")).content[:2] == b"PK"


@given(st.binary(max_size=200), st.integers(-(10**15), 10**15), st.text(max_size=10))
@settings(max_examples=40)
def test_any_bytes_are_taken_over_or_refused(build, data, cents, month):
    lease = build.lease(start=date(2024, 1, 1))
    head = "bail_reference;mois;montant\r\n"
    for file in (
        data,
        head.encode() + data,
        f"{head}{lease.reference};{month};{cents}\r\n".encode("utf-8", "replace"),
    ):
        before = (OpeningBalance.objects.count(), Posting.objects.count())
        try:
            import_balances(file, on=MARCH, by=None, now=NOW)
        except Refusal as refused:
            assert refused.reason
            assert (OpeningBalance.objects.count(), Posting.objects.count()) == before
