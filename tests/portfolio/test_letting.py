from datetime import date

import pytest

from portfolio.letting import UnknownLabel, freeze, may_be_let, refused_from


def test_a_g_home_let_since_2023_is_never_revised_while_it_is_g():
    """W5, first half: lease signed 2023-02-01."""
    signed = date(2023, 2, 1)
    for year in (2024, 2025, 2026):
        frozen = freeze("G", contract_date=signed, last_renewal=None, on=date(year, 2, 1))
        assert frozen is not None
        assert frozen.since == signed
        assert "17-1 III" in frozen.legal_ref
        assert "G" in frozen.reason

    assert freeze("D", contract_date=signed, last_renewal=None, on=date(2026, 2, 1)) is None


def test_an_old_six_year_lease_is_revised_until_the_renewal_that_freezes_it():
    """W5, second half: signed 2020-02-01, tacitly renewed 2026-02-01."""
    facts = {"contract_date": date(2020, 2, 1), "last_renewal": date(2026, 2, 1)}

    assert freeze("G", on=date(2025, 2, 1), **facts) is None
    assert freeze("G", on=date(2026, 1, 31), **facts) is None
    frozen = freeze("G", on=date(2026, 2, 1), **facts)
    assert frozen is not None
    assert frozen.since == date(2026, 2, 1)


def test_the_freeze_begins_with_contracts_of_24_august_2022():
    on = date(2026, 1, 1)

    assert freeze("F", contract_date=date(2022, 8, 23), last_renewal=None, on=on) is None
    assert freeze("F", contract_date=date(2022, 8, 24), last_renewal=None, on=on)


def test_overseas_the_freeze_begins_after_1_july_2024():
    on = date(2026, 1, 1)

    assert freeze("F", contract_date=date(2024, 7, 1), last_renewal=None, on=on, zone="overseas") is None
    assert freeze("F", contract_date=date(2024, 7, 2), last_renewal=None, on=on, zone="overseas")


def test_a_home_without_a_known_label_is_not_frozen():
    assert freeze(None, contract_date=date(2023, 2, 1), last_renewal=None, on=date(2026, 2, 1)) is None


def test_a_g_home_is_not_let_anew_in_2025():
    """W18: G, new lease 2025-03-01."""
    answer = may_be_let("G", contract_date=date(2025, 3, 1))

    assert not answer
    assert "art. 6" in answer.legal_ref
    assert "F" in answer.reason


def test_an_f_home_is_let_in_2027_until_2028():
    """W18: F, new lease 2027-06-01."""
    answer = may_be_let("F", contract_date=date(2027, 6, 1))

    assert answer
    assert answer.until == date(2028, 1, 1)


def test_an_f_home_is_not_decent_from_its_renewal_in_2028():
    """W18: F, lease of a legal person of 2022-07-01 renewed 2028-07-01."""
    facts = {"contract_date": date(2022, 7, 1), "last_renewal": date(2028, 7, 1)}

    assert may_be_let("F", on=date(2028, 6, 30), **facts)
    assert not may_be_let("F", on=date(2028, 7, 1), **facts)
    assert not may_be_let("F", **facts)


def test_of_a_running_lease_nothing_is_asked_before_its_renewal():
    assert may_be_let("G", contract_date=date(2022, 7, 1), on=date(2026, 1, 1))


def test_in_2023_a_new_contract_is_refused_from_450_kwh_of_final_energy():
    signed = date(2023, 3, 1)

    assert may_be_let("G", contract_date=signed, final_energy=449)
    assert not may_be_let("G", contract_date=signed, final_energy=450)
    assert not may_be_let("G", contract_date=signed)
    assert may_be_let("F", contract_date=signed)
    assert may_be_let("G", contract_date=date(2017, 3, 1), last_renewal=signed, final_energy=500)


def test_without_a_label_nothing_is_let_since_2025():
    assert not may_be_let(None, contract_date=date(2025, 1, 1))
    assert may_be_let(None, contract_date=date(2022, 1, 1))


def test_overseas_labels_count_from_2028():
    assert may_be_let("G", contract_date=date(2027, 12, 31), zone="overseas")
    assert not may_be_let("G", contract_date=date(2028, 1, 1), zone="overseas")
    assert may_be_let("E", contract_date=date(2035, 1, 1), zone="overseas")
    assert not may_be_let("E", contract_date=date(2034, 1, 1))


def test_the_first_day_of_refusal_by_label():
    assert refused_from("G") == date(2025, 1, 1)
    assert refused_from("F") == date(2028, 1, 1)
    assert refused_from("E") == date(2034, 1, 1)
    assert refused_from("D") is None
    assert refused_from("F", zone="overseas") == date(2031, 1, 1)


def test_what_is_not_a_label_is_refused():
    with pytest.raises(UnknownLabel):
        freeze("H", contract_date=date(2023, 2, 1), last_renewal=None, on=date(2026, 2, 1))
