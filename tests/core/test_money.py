"""Euros to the cent: exact, shared without losing one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import EuroFormField, allocate, euros, floor_cents, from_cents, round_cents, to_cents


def test_half_a_cent_rounds_up():
    assert round_cents(euros("255.005")) == euros("255.01")


def test_w2_a_ceiling_rounds_down():
    """355.10 raised by at most 3.26 %: 366.67, although the product is 366.676."""
    assert floor_cents(euros("355.10") * 103 / 100 + euros("355.10") * 26 / 10_000) == euros("366.67")


def test_a_float_is_not_an_amount():
    with pytest.raises(TypeError):
        euros(0.1)


def test_parts_of_a_cent_are_not_kept():
    with pytest.raises(ValueError):
        to_cents(euros("1.005"))


def test_the_cent_left_goes_to_the_largest_remainder_first():
    assert allocate(euros("100.00"), [1, 1, 1]) == [euros("33.34"), euros("33.33"), euros("33.33")]


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(0, 10_000), min_size=1).filter(any))
def test_shares_add_up_to_the_total(cents, weights):
    assert sum(to_cents(share) for share in allocate(from_cents(cents), weights)) == cents


def test_a_form_takes_an_amount_as_the_french_write_it():
    assert EuroFormField().clean("1\u202f234,56 €") == euros("1234.56")
