"""A file of leases comes in whole or not at all; what it tells late is called by the next run."""

from datetime import UTC, date, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Refusal
from core.imports import BadImport
from core.money import euros
from core.tables import write_table
from leases.columns import LEASE_COLUMNS
from leases.imports import import_leases, import_stock
from leases.lease import payment_reference
from leases.models import (
    Account,
    Benefit,
    FreePeriod,
    Household,
    Lease,
    LeaseParty,
    Membership,
    MonthToReview,
    Occupancy,
    PayerIban,
    Person,
    RentCall,
    RentTerm,
)
from leases.opening import BALANCE_COLUMNS
from leases.terms import CHARGES, RENT
from portfolio.imports import COLUMNS
from portfolio.models import OutOfService, Structure
from tests.uploads import upload

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
IBAN = "FR76 3000 6000 0112 3456 7890 189"
SORTS = (
    Person,
    Household,
    Lease,
    Membership,
    LeaseParty,
    Occupancy,
    RentTerm,
    FreePeriod,
    Benefit,
    PayerIban,
)


def line(reference="B-1", place="A-1", **said) -> dict:
    """A line of the file: Mrs Martin's lease of a home from 15 March 2024, unless said otherwise."""
    return {
        "lease_reference": reference,
        "kind": "L89_VIDE",
        "place_reference": place,
        "household_reference": f"M-{reference}",
        "head_reference": f"P-{reference}",
        "head_last_name": "Martin",
        "start": date(2024, 3, 15),
        "rent": euros("465.00"),
        **said,
    }


def written(*lines: dict, format: str = "xlsx") -> bytes:
    return write_table(LEASE_COLUMNS, lines, format=format)


def taken_in(*lines: dict, by=None, format: str = "xlsx"):
    return import_leases(written(*lines, format=format), by=by, now=NOW)


def faults(*lines: dict) -> list[tuple[int, str]]:
    """Lines and columns of the faults of a file, which leaves nothing behind."""
    before = [sort.objects.count() for sort in SORTS]
    with pytest.raises(BadImport) as refused:
        taken_in(*lines)
    assert [sort.objects.count() for sort in SORTS] == before
    assert all(error.reason and error.remedy for error in refused.value.errors)
    return [(error.line, error.column) for error in refused.value.errors if error.blocking]


@pytest.fixture
def home(build):
    """Home A-1, on the association's own account."""
    return build.unit(reference="A-1")


@pytest.mark.parametrize("format", ["xlsx", "csv"])
def test_a_line_makes_the_lease_and_who_lives_there(home, format):
    taken_in(
        line(
            other_reference="P-2",
            other_last_name="Petit",
            charges=euros("60.10"),
            deposit=euros("465.00"),
            payer_iban=IBAN,
            debit_mandate="RUM-1",
            benefit_kind="AL",
            beneficiary_number="1234567",
            benefit_amount=euros("210.00"),
            benefit_start=date(2024, 4, 1),
            billing="échu",
            due_day=10,
        ),
        format=format,
    )

    lease = Lease.objects.get()
    assert (lease.reference, lease.kind, lease.signed_on, lease.end) == (
        "B-1",
        "L89_VIDE",
        date(2024, 3, 15),
        None,
    )
    assert (lease.billing, lease.due_day, lease.deposit) == ("arrears", 10, euros("465.00"))
    assert lease.payment_reference == payment_reference(lease.pk)
    assert sorted(lease.terms.values_list("item", "amount")) == [
        (RENT, euros("465.00")),
        (CHARGES, euros("60.10")),
    ]
    assert sorted(lease.parties.values_list("role", "person__last_name")) == [
        ("co_tenant", "Petit"),
        ("tenant", "Martin"),
    ]
    assert sorted(lease.household.memberships.values_list("role", flat=True)) == ["head", "partner"]
    assert (lease.occupancies.get().place.reference, lease.occupancies.get().start) == (
        "A-1",
        date(2024, 3, 15),
    )
    assert lease.payer_ibans.get().iban == "FR7630006000011234567890189"
    assert (lease.benefits.get().payer, lease.benefits.get().paid_to_landlord) == ("caf", True)


def test_a_lease_under_mandate_has_its_account_in_the_owners_book(build):
    home = build.unit(reference="A-1", owner=build.owner("private"), title="mandate")
    taken_in(line())

    account = Account.objects.get(kind=1)
    assert account.book.owner == home.holdings.get().owner


def test_ends_are_last_days_and_who_stays_after_is_still_there(home):
    taken_in(line(end=date(2025, 6, 30), end_reason="jugement"))

    lease = Lease.objects.get()
    assert (lease.end, lease.end_reason) == (date(2025, 7, 1), "court")
    assert lease.occupancies.get().end is None

    taken_in(line(exit=date(2025, 9, 14)))
    stay = lease.occupancies.get()
    assert (stay.end, stay.keys_returned_on) == (date(2025, 9, 15), date(2025, 9, 14))


def test_keys_given_back_early_are_owed_until_the_end_of_the_lease(home):
    taken_in(line(end=date(2025, 6, 30), end_reason="congé du locataire", exit=date(2025, 6, 20)))

    stay = Occupancy.objects.get()
    assert (stay.end, stay.keys_returned_on) == (date(2025, 7, 1), date(2025, 6, 20))


def test_a_further_line_is_an_amendment(home):
    taken_in(
        line(charges=euros("60.00")),
        {"lease_reference": "B-1", "terms_since": date(2025, 4, 1), "rent": euros("470.00")},
    )

    terms = RentTerm.objects.order_by("item", "start").values_list("item", "amount", "start", "end")
    assert list(terms) == [
        (RENT, euros("465.00"), date(2024, 3, 15), date(2025, 4, 1)),
        (RENT, euros("470.00"), date(2025, 4, 1), None),
        (CHARGES, euros("60.00"), date(2024, 3, 15), None),
    ]


def test_an_amendment_imported_later_ends_the_rent_before_it(home):
    taken_in(line())
    taken_in(line(), {"lease_reference": "B-1", "terms_since": date(2025, 4, 1), "rent": euros("470.00")})

    assert list(RentTerm.objects.order_by("start").values_list("end", flat=True)) == [date(2025, 4, 1), None]
    assert faults(line(rent=euros("500.00"))) == [(2, "loyer")]


def test_a_benefit_that_changes_ends_the_one_before(home):
    right = {"benefit_kind": "AL", "beneficiary_number": "1234567", "benefit_start": date(2024, 4, 1)}
    taken_in(
        line(**right, benefit_amount=euros("210.00")),
        {
            "lease_reference": "B-1",
            "benefit_start": date(2025, 1, 1),
            "benefit_end": date(2025, 6, 1),
            "benefit_amount": euros("190.00"),
        },
    )

    found = Benefit.objects.order_by("start").values_list("amount", "start", "end")
    assert list(found) == [
        (euros("210.00"), date(2024, 4, 1), date(2025, 1, 1)),
        (euros("190.00"), date(2025, 1, 1), date(2025, 7, 1)),
    ]


def test_the_same_file_again_changes_nothing(home):
    lines = (
        line(
            payer_iban=IBAN, free_start=date(2024, 3, 15), free_end=date(2024, 3, 31), exit=date(2026, 2, 1)
        ),
        {"lease_reference": "B-1", "terms_since": date(2025, 4, 1), "rent": euros("470.00")},
    )
    taken_in(*lines)

    assert taken_in(*lines).nothing_new
    assert FreePeriod.objects.get().end == date(2024, 4, 1)


def test_a_household_that_moves_keeps_its_file(build, home):
    build.unit(reference="A-2")
    who = {"household_reference": "M-1", "head_reference": "P-1"}
    taken_in(
        line("B-1", **who, end=date(2025, 6, 30), end_reason="mutation", exit=date(2025, 6, 30)),
        line("B-2", "A-2", **who, start=date(2025, 7, 1)),
    )

    assert Household.objects.count() == Membership.objects.count() == Person.objects.count() == 1
    assert Membership.objects.get().start == date(2024, 3, 15)


def test_two_leases_do_not_occupy_one_place_on_the_same_day(home):
    first = line("B-1", end=date(2025, 6, 30), end_reason="congé du locataire", exit=date(2025, 6, 30))

    assert faults(first, line("B-2", start=date(2025, 6, 30))) == [(3, "place_reference")]
    taken_in(first)
    assert faults(line("B-2", start=date(2025, 6, 30))) == [(2, "place_reference")]
    taken_in(line("B-2", start=date(2025, 7, 1)))
    assert Occupancy.objects.count() == 2


def test_nobody_enters_a_home_that_is_not_held_or_out_of_service(build):
    build.unit(reference="A-1", held=(date(2024, 4, 1), None))
    build.unit(reference="A-2", held=None)
    works = build.unit(reference="A-3")
    OutOfService.objects.create(unit=works, kind="works", start=date(2024, 3, 1), end=date(2024, 4, 1))

    assert faults(line("B-1", "A-1"), line("B-2", "A-2"), line("B-3", "A-3")) == [
        (2, "entree"),
        (3, "entree"),
        (4, "entree"),
    ]


def test_a_contract_of_a_structure_is_not_for_diffuse_housing(build, home):
    assert faults(line(kind="CHRS")) == [(2, "bail_type")]

    relay = Structure.objects.create(reference="R", name="Le Relais", kind="chrs")
    build.unit(reference="A-2", structure=relay)
    assert faults(line("B-2", "A-2")) == [(2, "bail_type")]
    taken_in(line("B-2", "A-2", kind="CHRS"))


@pytest.mark.parametrize(
    "said, column",
    [
        ({"kind": None}, "bail_type"),
        ({"kind": "BAIL"}, "bail_type"),
        ({"rent": None}, "loyer"),
        ({"head_reference": None}, "titulaire_reference"),
        ({"household_reference": None}, "menage_reference"),
        ({"place_reference": "A-9"}, "place_reference"),
        ({"end": date(2025, 1, 1)}, "motif_fin"),
        ({"end": date(2024, 3, 1), "end_reason": "décès"}, "fin"),
        ({"entry": date(2024, 3, 1)}, "entree"),
        ({"exit": date(2024, 3, 1)}, "sortie"),
        ({"payer_iban": "FR7630006000011234567890188"}, "iban_payeur"),
        ({"payment_reference": "L000000100"}, "reference_paiement"),
        ({"due_day": 31}, "jour_echeance"),
        ({"rent": euros(-1)}, "loyer"),
        ({"free_start": date(2024, 5, 1)}, "franchise_fin"),
        ({"benefit_amount": euros("200")}, "aide_debut"),
        ({"head_email": "martin"}, "titulaire_email"),
    ],
)
def test_each_fault_names_its_column(home, said, column):
    assert column in [name for number, name in faults(line(**said)) if number == 2]


def test_what_belongs_to_one_lease_is_given_to_no_other(build, home):
    build.unit(reference="A-2")
    taken_in(line(debit_mandate="RUM-1", payment_reference=payment_reference(777)))

    assert faults(line("B-2", "A-2", debit_mandate="RUM-1", payment_reference=payment_reference(777))) == [
        (2, "reference_paiement"),
        (2, "rum"),
    ]


def test_what_is_told_late_is_called_by_the_next_run(build, home):
    build.lease(start=date(2023, 1, 1))
    build.called(date(2026, 1, 1), date(2026, 2, 1))

    taken_in(line(start=date(2026, 1, 15)))

    assert sorted(MonthToReview.objects.values_list("month", flat=True)) == [
        date(2026, 1, 1),
        date(2026, 2, 1),
    ]
    build.called(date(2026, 3, 1))
    called = RentCall.objects.filter(lease__reference="B-1").order_by("month").values_list("month", "amount")
    assert list(called) == [
        (date(2026, 1, 1), euros("255.00")),
        (date(2026, 2, 1), euros("465.00")),
        (date(2026, 3, 1), euros("465.00")),
    ]


def test_an_order_told_late_gives_back_the_rent_called_since(build, home):
    build.lease(unit=home, start=date(2024, 1, 1))
    build.called(date(2026, 1, 1), date(2026, 2, 1))
    order = {"unit_reference": "A-1", "order_kind": "insalubrité", "order_notified": date(2026, 1, 10)}

    import_stock(write_table(COLUMNS, [order], format="xlsx"), by=None, now=NOW)
    build.called(date(2026, 3, 1))

    assert list(RentCall.objects.order_by("month", "version").values_list("month", "amount")) == [
        (date(2026, 1, 1), euros("465.00")),
        (date(2026, 2, 1), euros("465.00")),
        (date(2026, 2, 1), euros("-465.00")),
    ]


def test_the_number_of_queries_is_that_of_two_lines(build):
    def queries(first: int, count: int) -> int:
        for number in range(first, first + count):
            build.unit(reference=f"A-{number}")
        right = {"benefit_kind": "AL", "benefit_amount": euros("200"), "benefit_start": date(2024, 4, 1)}
        data = written(
            *(
                line(f"B-{n}", f"A-{n}", payer_iban=IBAN, beneficiary_number=str(n), **right)
                for n in range(first, first + count)
            )
        )
        with CaptureQueriesContext(connection) as seen:
            import_leases(data, by=None, now=NOW)
        return len(seen)

    queries(0, 1)  # the association's own book is made once
    assert queries(1, 2) == queries(100, 40)


def test_a_manager_imports_by_command_and_by_page(build, home, client, tmp_path):
    file = tmp_path / "baux.csv"
    file.write_bytes(written(line(), format="csv"))
    call_command("import_leases", file, stdout=StringIO())
    assert Lease.objects.count() == 1

    client.force_login(build.user("rental_manager"))
    assert client.get(reverse("imports")).status_code == 200
    assert client.get(reverse("import-leases-template")).content[:2] == b"PK"
    page = upload(client, "import-leases", written(line(due_day=40)))
    assert "jour_echeance" in page.content.decode()
    page = upload(client, "import-leases", written(line()))
    assert "note-good" in page.content.decode()

    client.force_login(build.user("technician"))
    assert client.get(reverse("import-leases")).status_code == 403


def unharmed(data: bytes) -> None:
    """A file is taken in or refused, and a refused one leaves nothing."""
    before = [sort.objects.count() for sort in SORTS]
    try:
        import_leases(data, by=None, now=NOW)
    except Refusal as refused:
        assert refused.reason
        assert [sort.objects.count() for sort in SORTS] == before


CELL = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.sampled_from(
        ["CHRS", "A-1", "A-2", "B-1", "oui", "15/03/2024", "31/12/2200", "01/2024", "0", "-5", "1e9"]
    ),
    st.integers(-(10**18), 10**18).map(str),
)


@given(
    st.dictionaries(st.sampled_from([c.key for c in LEASE_COLUMNS]), CELL, max_size=6),
    st.integers(0, 1),
    st.binary(max_size=100),
)
@settings(max_examples=60)
def test_a_mutated_file_is_taken_in_or_refused(home, mutated, which, tail):
    lines = [
        line("B-1", "A-1"),
        {"lease_reference": "B-1", "terms_since": date(2025, 4, 1), "rent": euros("470")},
    ]
    lines[which] |= mutated
    text = "\r\n".join(
        [";".join(column.name for column in LEASE_COLUMNS)]
        + [
            ";".join('"' + _typed(one.get(c.key)).replace('"', '""') + '"' for c in LEASE_COLUMNS)
            for one in lines
        ]
    )
    unharmed(text.encode("utf-8", "replace") + b"\r\n" + tail)
    unharmed(tail)


def _typed(value) -> str:
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y")
    return "" if value is None else str(getattr(value, "amount", value)).replace("\x00", "")


def test_every_column_is_documented(root):
    pages = (root / "docs" / "imports.md").read_text("utf-8")

    for column in (*COLUMNS, *LEASE_COLUMNS, *BALANCE_COLUMNS):
        assert f"| `{column.name}`" in pages, column.name
