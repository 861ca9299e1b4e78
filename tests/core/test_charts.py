"""A chart says in a table what it draws."""

from datetime import date

from django.template import Context, Template
from django.utils import translation

from core.money import euros


def drawn(points):
    with translation.override("en"):
        return Template("{% load charts %}{% curve 'Balance' points %}").render(Context({"points": points}))


def test_a_curve_tells_each_month_in_figures():
    page = drawn([(date(2026, 1, 1), euros("100.00")), (date(2026, 2, 1), euros("-50.00"))])

    assert "€100.00" in page
    assert "at least" in page
    assert page.count("<circle") == 2
    assert "style=" not in page


def test_a_debt_is_drawn_above_a_credit():
    page = drawn([(date(2026, 1, 1), euros("100.00")), (date(2026, 2, 1), euros("-50.00"))])
    [line] = [part for part in page.split('"') if part.count(",") == 2 and " " in part and part[0].isdigit()]
    first, last = (float(place.split(",")[1]) for place in line.split())

    assert first < last


def test_a_curve_of_nothing_is_drawn_flat():
    assert "<svg" in drawn([(date(2026, 1, 1), euros(0))])
