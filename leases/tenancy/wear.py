"""The wear table (*grille de vétusté*): what part of a repair is the tenant's, by the age of what was damaged.

Décret 2016-382, art. 4: a lifetime, a yearly abatement, and if agreed a franchise and a residual share.
The lines in `wear.csv` come from collective agreements; the house changes them line by line, from a day.
"""

import csv
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.money import round_cents

DEFAULTS = Path(__file__).resolve().parent / "wear.csv"
CATEGORIES = {
    "paint": _("Paint and wallpaper"),
    "carpet": _("Carpet"),
    "parquet": _("Wooden floor"),
    "tiles": _("Tiles"),
    "plastic_floor": _("Plastic floor"),
    "plumbing": _("Plumbing and taps"),
    "heating": _("Heating"),
    "electricity": _("Electricity"),
    "appliances": _("Appliances"),
    "hardware": _("Locks and fittings"),
    "joinery": _("Doors, windows and shutters"),
    "sanitary": _("Sanitary ware"),
    "furniture": _("Furniture"),
}


class WearRefused(Refusal):
    """A line of the wear table that says something impossible."""


class WearRule(models.Model):
    """A line of the house's wear table from a day on; the latest one before a day holds on it.

    lifetime, franchise: whole years. abatement: % a year after the franchise. residual: % that stays
    the tenant's however old it is.
    """

    category = models.CharField(_("category"), max_length=20, choices=CATEGORIES)
    lifetime = models.PositiveSmallIntegerField(_("lifetime, years"))
    franchise = models.PositiveSmallIntegerField(_("franchise, years"), default=0)
    abatement = models.PositiveSmallIntegerField(_("abatement, % a year"))
    residual = models.PositiveSmallIntegerField(_("residual share, %"), default=0)
    start = models.DateField(_("from"))
    source = models.CharField(_("source"), max_length=120, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("line of the wear table"), _("lines of the wear table")
        constraints = [
            models.UniqueConstraint(
                fields=["category", "start"],
                name="wear_rule_once_a_day",
                violation_error_message=_("This line already changes on that day."),
            ),
            models.CheckConstraint(
                name="wear_rule_percentages",
                condition=Q(abatement__lte=100, residual__lte=100),
                violation_error_message=_("Give percentages from 0 to 100."),
            ),
            models.CheckConstraint(
                name="wear_rule_franchise_within_lifetime",
                condition=Q(franchise__lte=F("lifetime")),
                violation_error_message=_("The franchise is no longer than the lifetime."),
            ),
        ]

    def __str__(self):
        return f"{self.category} {self.start}"


@dataclass(frozen=True, slots=True)
class Wear:
    """How a category wears: years and per cent, as WearRule; house: changed by the house."""

    category: str
    lifetime: int
    franchise: int
    abatement: int
    residual: int
    source: str
    since: date | None = None

    @property
    def label(self) -> str:
        return str(CATEGORIES[self.category])

    @property
    def house(self) -> bool:
        return self.since is not None

    def share(self, years: int) -> int:
        """The tenant's part of a repair, %, of something that many whole years old."""
        if years <= self.franchise:
            return 100
        if years >= self.lifetime:
            return self.residual
        return max(self.residual, 100 - self.abatement * (years - self.franchise))


@cache
def default_table() -> dict[str, Wear]:
    """The lines taken from collective agreements."""
    with DEFAULTS.open(encoding="utf-8", newline="") as file:
        return {
            row["category"]: Wear(
                row["category"],
                int(row["lifetime"]),
                int(row["franchise"]),
                int(row["abatement"]),
                int(row["residual"]),
                row["source"],
            )
            for row in csv.DictReader(file)
        }


def wear_table(on: date) -> dict[str, Wear]:
    """The table in force on a day, by category: the house's own lines over the agreed ones; one query."""
    table = dict(default_table())
    for row in WearRule.objects.filter(start__lte=on).order_by("start"):
        table[row.category] = Wear(
            row.category, row.lifetime, row.franchise, row.abatement, row.residual, row.source, row.start
        )
    return table


def years_old(new_since: date, on: date) -> int:
    """Whole years between two days; 0 where the first is not past."""
    years = on.year - new_since.year - ((on.month, on.day) < (new_since.month, new_since.day))
    return max(0, years)


def tenants_share(category: str, *, new_since: date, on: date) -> int:
    """The tenant's part of a repair, %: 100 for what does not wear (cleaning, a lost key)."""
    wear = wear_table(on).get(category)
    return wear.share(years_old(new_since, on)) if wear else 100


def after_wear(cost: Money, share: int) -> Money:
    """What is left to the tenant of a cost, to the cent."""
    return round_cents(cost * share / 100)


def change_wear(
    category: str, *, lifetime: int, franchise: int, abatement: int, residual: int, start: date,
    source: str = "", by, now: datetime,
) -> WearRule:  # fmt: skip
    """Change a line of the table from a day on; damage found before keeps the line before.

    Raises WearRefused.
    """
    if max(abatement, residual) > 100 or franchise > lifetime:
        raise WearRefused(
            str(CATEGORIES[category]),
            _("These figures cannot go together."),
            _("Give percentages from 0 to 100, and a franchise within the lifetime."),
        )
    with transaction.atomic():
        made, _new = WearRule.objects.update_or_create(
            category=category,
            start=start,
            defaults={
                "lifetime": lifetime,
                "franchise": franchise,
                "abatement": abatement,
                "residual": residual,
                "source": source,
                "made_by": by,
            },
        )
        audit.record(by, "change", "wear", made.pk)
    return made
