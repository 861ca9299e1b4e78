"""Charts drawn as static pictures, with the same figures as a table for who cannot see them."""

from datetime import date
from decimal import Decimal

from django import template
from moneyed import Money

from core.templatetags.gla import euros_text, month_text

register = template.Library()

WIDTH, HEIGHT, EDGE = 640, 150, 8


@register.inclusion_tag("components/curve.html")
def curve(title, points):
    """An amount over months: a line above or below zero, and its table.

    points: [(first day of the month, Money)], the earliest first.
    """
    points = list(points)
    amounts = [amount.amount if isinstance(amount, Money) else Decimal(amount) for _month, amount in points]
    top, bottom = max([*amounts, Decimal(0)]), min([*amounts, Decimal(0)])
    span = top - bottom or Decimal(1)
    step = Decimal(WIDTH - 2 * EDGE) / max(1, len(points) - 1)

    def height(amount: Decimal) -> Decimal:
        return (top - amount) / span * (HEIGHT - 2 * EDGE) + EDGE

    places = [(EDGE + step * index, height(amount)) for index, amount in enumerate(amounts)]
    zero = height(Decimal(0))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    area = f"{places[0][0]:.1f},{zero:.1f} {line} {places[-1][0]:.1f},{zero:.1f}" if places else ""
    return {
        "title": title,
        "width": WIDTH,
        "height": HEIGHT,
        "line": line,
        "area": area,
        "zero": f"{zero:.1f}",
        "marks": [
            (f"{x:.1f}", f"{y:.1f}", f"{month_text(month)}: {euros_text(amount)}")
            for (x, y), (month, amount) in zip(places, points, strict=True)
        ],
        "rows": [(month, amount) for month, amount in reversed(points)],
        "first": points[0][0] if points else date.min,
        "last": points[-1][0] if points else date.min,
        "top": euros_text(Money(top, "EUR")),
        "bottom": euros_text(Money(bottom, "EUR")) if bottom < 0 else "",
    }
