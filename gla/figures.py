"""What home pages are made of: key figures that lead to their rows, and short tables."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from django.db.models import Count, Max, Sum
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _t

from core.access import ROLES
from core.pages import Action, Cell, ListColumn
from core.templatetags.gla import day_text, euros_text, number_text
from leases.bank import Allocation
from leases.bank_accounts import BankAccount
from leases.occupancy import NOT_HELD, VACANT, WITHOUT_TITLE, Occupancy, count_status
from portfolio.models import Unit

STATEMENT_LATE = timedelta(days=4)


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure: label, value, where its rows are, and what it means in words."""

    label: str
    value: object
    url: str = ""
    hint: str = ""
    state: str = ""


@dataclass(slots=True)
class Table:
    """A short list under the figures, and where the whole of it is."""

    title: str
    columns: list[ListColumn]
    things: list
    url: str = ""
    empty: str = ""
    wide: bool = False
    anchor: str = ""

    @property
    def rows(self):
        for thing in self.things:
            yield [
                Cell(column, column.read(thing), column.link(thing) if column.link else "")
                for column in self.columns
            ]


@dataclass(slots=True)
class Section:
    """What one role sees first."""

    role: str
    actions: list[Action] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    @property
    def title(self):
        return ROLES[self.role]


def at(name: str, *args, **query) -> str:
    """The address of a page, with its query; empty where that page is not there."""
    try:
        url = reverse(name, args=args)
    except NoReverseMatch:
        return ""
    asked = "&".join(f"{key}={value}" for key, value in query.items())
    return f"{url}?{asked}" if asked else url


def suspense_figure():
    """What the bank brought and nobody identified yet."""
    found = Allocation.objects.in_suspense().aggregate(count=Count("pk"), sum=Sum("left"))
    if not found["count"]:
        return Figure(_t("In suspense"), 0, at("suspense"), _t("all identified"), "good")
    hint = _t("%(sum)s to identify") % {"sum": euros_text(found["sum"])}
    return Figure(_t("In suspense"), found["count"], at("suspense"), hint, "warn")


def statement_figures(day):
    """One figure for each bank account: until when its statements are in."""
    banks = BankAccount.objects.annotate(read_to=Max("statements__end")).order_by("pk")
    late = [bank for bank in banks if bank.read_to is None or day - bank.read_to > STATEMENT_LATE]
    if not banks:
        return []
    if not late:
        last = min(bank.read_to for bank in banks)
        hint = _t("read to %(day)s") % {"day": day_text(last)}
        return [Figure(_t("Statements late"), 0, at("statements"), hint, "good")]
    oldest = min((bank.read_to for bank in late if bank.read_to), default=None)
    hint = _t("since %(day)s") % {"day": day_text(oldest)} if oldest else _t("never read")
    return [Figure(_t("Statements late"), len(late), at("statements"), hint, "bad")]


def stock_figures(day, units=None):
    """Vacant homes, who is there without title, who is there in a home no longer held.

    units: how many homes are in each status, where that is counted already.
    """
    if units is None:
        units = {code: one.units for code, one in count_status(Unit.objects.all(), day).items()}
    vacant, untitled = units.get(VACANT, 0), units.get(WITHOUT_TITLE, 0)
    held = sum(count for code, count in units.items() if code != NOT_HELD)
    stranded = Occupancy.objects.not_held(day).count()
    figures = [
        Figure(
            _t("Vacant homes"),
            vacant,
            at("units", status=VACANT),
            _t("of %(held)s held") % {"held": number_text(held)},
            "warn" if vacant else "good",
        ),
        Figure(
            _t("Occupied without title"),
            untitled,
            at("leases", state=WITHOUT_TITLE),
            _t("an indemnity is called"),
            "warn" if untitled else "",
        ),
    ]
    if stranded:
        hint = _t("homes no longer held: hand back the occupants")
        figures.append(
            Figure(_t("Occupants to hand back"), stranded, at("units", status=NOT_HELD), hint, "bad")
        )
    return figures


def percent(part: int, whole: int) -> Decimal | None:
    """A share in per cent to one decimal; None of nothing."""
    return (Decimal(part * 100) / whole).quantize(Decimal("0.1")) if whole else None
