"""Contracts and letters drawn up from what is known: what they say, and what is missing."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from core.documents import Document
from core.money import euros
from leases.kinds import KINDS
from leases.papers.contracts import contract_letter
from leases.papers.letters import (
    CHARGES,
    DEPOSIT,
    REVISION,
    ChargeFigures,
    ChargeLine,
    DepositFigures,
    RevisionFigures,
    charge_letter,
    deposit_letter,
    revision_letter,
    send_letter,
)

ON = date(2026, 3, 5)
NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_contract_is_drawn_up(build, kind):
    lease = build.lease(kind=kind, start=date(2026, 3, 15), unit=build.unit(label="D"), deposit=euros("465"))

    data = contract_letter(lease, on=ON)

    assert data["title"] == KINDS[kind].french
    assert data["annexes"] and data["missing"] == []
    send_letter("contract", lease, data, by=None, now=NOW)
    assert Document.objects.get().kind == "contract"


def test_an_unfurnished_lease_says_the_notice_and_the_deposit_of_the_law(build):
    lease = build.lease(start=date(2026, 3, 15), deposit=euros("465.00"), unit=build.unit(label="D"))

    data = contract_letter(lease, on=ON)

    assert "au moins 6 ans" in data["duration"]
    assert "3 mois" in data["notice"] and "réduit à 1 mois" in data["notice"]
    assert "au plus 1 mois de loyer, hors charges" in data["deposit_words"]


def test_what_a_contract_lacks_is_listed(build):
    lease = build.lease(rent=None)

    assert contract_letter(lease, on=ON)["missing"] == [
        "le loyer et les charges",
        "le diagnostic de performance énergétique",
    ]


def test_a_revision_letter_shows_its_reckoning(build):
    lease = build.lease()
    figures = RevisionFigures(
        old=euros("460.00"),
        new=euros("464.78"),
        start=date(2026, 1, 1),
        old_index=Decimal("145.17"),
        new_index=Decimal("146.68"),
    )

    data = revision_letter(lease, figures, on=ON)

    assert data["formula"] == f"460,00{SPACE}€ × 146,68 / 145,17 = 464,78{SPACE}€"
    send_letter(REVISION, lease, data, by=None, now=NOW)


def test_a_charge_statement_says_which_way_it_goes(build):
    lease = build.lease()
    figures = ChargeFigures(
        start=date(2025, 1, 1),
        end=date(2025, 12, 31),
        days=365,
        lines=[ChargeLine("Eau", euros("1000.00"), "à la surface", euros("120.00"))],
        provisions=euros("150.00"),
        result=euros("-30.00"),
        due=date(2026, 4, 5),
        open_until=date(2026, 9, 5),
    )

    data = charge_letter(lease, figures, on=ON)

    assert (data["result_label"], data["result"], data["due"]) == (
        "Trop-perçu en votre faveur",
        f"30,00{SPACE}€",
        "",
    )
    send_letter(CHARGES, lease, data, by=None, now=NOW)


def test_a_deposit_letter_adds_up(build):
    lease = build.lease(start=date(2024, 1, 1), end=date(2026, 3, 1))
    figures = DepositFigures(
        deposit=euros("465.00"),
        keys_on=date(2026, 2, 28),
        deadline=date(2026, 4, 28),
        deductions=[("Peinture", "devis", euros("120.00"))],
    )

    data = deposit_letter(lease, figures, on=ON)

    assert (data["result_label"], data["result"]) == ("Somme restituée", f"345,00{SPACE}€")
    send_letter(DEPOSIT, lease, data, by=None, now=NOW)
