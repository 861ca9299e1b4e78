"""Euros to the cent: exact, rounded once at stated points, never a float."""

import re
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.expressions import Combinable, register_combinable_fields
from django.utils.translation import gettext_lazy as _
from moneyed import EUR, Money

CENT = Decimal("0.01")


def euros(amount: Decimal | str | int) -> Money:
    """Money in euros from an exact decimal number; refuses a float."""
    if isinstance(amount, float):
        raise TypeError("A float is not an amount of money; give a Decimal or a string.")
    return Money(Decimal(amount), EUR)


def from_cents(cents: int) -> Money:
    """Money from a whole number of cents."""
    return Money(Decimal(int(cents)).scaleb(-2), EUR)


def to_cents(money: Money) -> int:
    """Whole cents of an amount; raises ValueError where it has parts of a cent."""
    if money.currency != EUR:
        raise ValueError(f"Only euros are kept here, not {money.currency}.")
    cents = money.amount.scaleb(2)
    if cents != cents.to_integral_value():
        raise ValueError(f"{money.amount} has parts of a cent: round it first.")
    return int(cents)


def round_cents(money: Money) -> Money:
    """Nearest cent, half up away from zero (the usage of French law for sums due)."""
    return Money(money.amount.quantize(CENT, ROUND_HALF_UP), money.currency)


def floor_cents(money: Money) -> Money:
    """The cent below: where the law sets a ceiling."""
    return Money(money.amount.quantize(CENT, ROUND_FLOOR), money.currency)


def allocate(total: Money, weights: list[int]) -> list[Money]:
    """Share an amount by weights; the cents left go to the largest remainders, first come first.

    total: EUR to the cent, of either sign. weights: whole numbers, none negative, not all zero.
    The shares add up to the total exactly. Raises ValueError.
    """
    if any(weight < 0 for weight in weights) or sum(weights) <= 0:
        raise ValueError("Share by weights of zero or more, one of them above zero.")
    cents, whole = to_cents(total), sum(weights)
    sign, cents = (-1, -cents) if cents < 0 else (1, cents)
    shares = [cents * weight // whole for weight in weights]
    left = cents - sum(shares)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(cents * weights[i] % whole), i))
    for index in by_remainder[:left]:
        shares[index] += 1
    return [from_cents(sign * share) for share in shares]


class EuroField(models.Field):
    """An amount kept as whole cents in a bigint and read as Money: for what SQL sums.

    SQLite keeps decimals as floats, so 0.10 + 0.20 would not balance 0.30 there.
    A Field of its own, not an integer field, so that F("a") - F("b") stays Money.
    """

    description = _("Amount in euros, to the cent")

    def get_internal_type(self):
        return "BigIntegerField"

    def from_db_value(self, value, expression, connection):
        return None if value is None else from_cents(value)

    def to_python(self, value):
        if value is None or isinstance(value, Money):
            return value
        if isinstance(value, (Decimal, str)):
            try:
                return euros(value)
            except ArithmeticError as error:
                raise ValidationError(_("Give an amount in euros, such as 465.00.")) from error
        if isinstance(value, int) and value == 0:
            return euros(0)
        raise ValidationError(_("A bare number is not an amount: give euros."))

    def get_prep_value(self, value):
        if value is None or hasattr(value, "resolve_expression"):
            return value
        if isinstance(value, Money):
            return to_cents(value)
        if isinstance(value, int) and not isinstance(value, bool) and value == 0:
            return 0
        raise TypeError(f"{self.name}: a bare number is not an amount; use euros().")

    def value_to_string(self, obj):
        value = self.value_from_object(obj)
        return None if value is None else str(value.amount)

    def formfield(self, **kwargs):
        return super().formfield(**{"form_class": EuroFormField, **kwargs})


class EuroFormField(forms.DecimalField):
    """One box, in euros; takes 1 234,56 as the French write it."""

    def __init__(self, **kwargs):
        super().__init__(**{"max_digits": 12, "decimal_places": 2, **kwargs})

    def to_python(self, value):
        if isinstance(value, Money):
            value = value.amount
        if isinstance(value, str):
            value = re.sub(r"[\s\u00a0\u202f€]", "", value).replace(",", ".")
        number = super().to_python(value)
        return None if number is None else euros(number)

    def validate(self, value):
        super().validate(value.amount if isinstance(value, Money) else value)

    def run_validators(self, value):
        super().run_validators(value.amount if isinstance(value, Money) else value)

    def prepare_value(self, value):
        return value.amount if isinstance(value, Money) else value


register_combinable_fields(Combinable.ADD, EuroField, EuroField, EuroField)
register_combinable_fields(Combinable.SUB, EuroField, EuroField, EuroField)
