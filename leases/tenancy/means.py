"""What a household can pay and how it would live (*ressources, taux d'effort, reste à vivre, occupation*).

Pure functions over the figures of a file and the law of the day: each answer says how it was reckoned.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _
from moneyed import Money

from core.law import NoRuleOn, Rule, rule
from core.money import euros, round_cents
from core.templatetags.gla import euros_text, number_text

MONTH_DAYS = 30
"""Days of a month for what is left to live on: the same for every month."""


# ---- the income ceiling -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IncomeCeiling:
    """The most that the tax income may be for a home (*plafond de ressources*), EUR a year."""

    amount: Money
    category: int
    area: str
    rule: Rule


def category(adults: int, children: int, *, higher: bool = False) -> int:
    """The category of a household for the income ceilings: as many as its persons, or the next.

    The next for a person alone with dependants, a young couple without any, or where somebody is
    disabled (higher). Source: arrêté du 29 juillet 1987, annexe I.
    """
    persons = adults + children
    return persons + 1 if higher or (adults == 1 and children) else persons


def area(commune_code: str, *, on: date) -> str:
    """Where a town stands for the income ceilings: paris (with the towns around), idf or elsewhere."""
    if commune_code.startswith("75") or commune_code in rule("CEILING_PARIS_TOWNS", on=on).value:
        return "paris"
    return "idf" if commune_code[:2] in rule("CEILING_IDF_DEPARTMENTS", on=on).value else "elsewhere"


def income_ceiling(
    financing: str, *, commune_code: str, adults: int, children: int, higher: bool = False, on: date
) -> IncomeCeiling | None:
    """The income ceiling of a home by its financing, on the day of signature (CEILING_INCOME).

    None where the financing sets none, or its ceilings are not known on that day.
    """
    where, size = area(commune_code, on=on), category(adults, children, higher=higher)
    table, ratio = (financing, 1)
    try:
        if financing == "pls":
            table, ratio = "plus", rule("CEILING_INCOME_PLS", on=on).value
        found = rule("CEILING_INCOME", on=on, financing=table, area=where)
    except NoRuleOn:
        return None
    *steps, more = found.value
    yearly = Decimal(steps[min(size, len(steps)) - 1] + more * max(0, size - len(steps)))
    return IncomeCeiling(euros(round(yearly * Decimal(ratio))), size, where, found)


def income_year(on: date) -> int:
    """The year whose tax income counts: two before that of the signature (*N-2*)."""
    return on.year - int(rule("CEILING_INCOME_YEAR", on=on).value)


# ---- what it would cost -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Means:
    """What a home would cost a household each month, and what is left to live on, EUR.

    effort: % of the income (*taux d'effort*). left: EUR by day and person (*reste à vivre*).
    heavy, thin: whether either passes the mark of the house. None where the income is not known.
    """

    due: Money
    benefit: Money
    to_pay: Money
    effort: Decimal | None
    left: Money | None
    heavy: bool
    thin: bool
    effort_words: str
    left_words: str


def reckon(
    *, rent: Money, charges: Money, benefit: Money | None, income: Money | None, persons: int, on: date
) -> Means:
    """The share of its income that a household would pay, and what it would have left each day.

    Rent and charges less the benefit, over what all who live there receive a month.
    Source: CCH, art. R. 441-3-1 and its arrêté; the marks are the house's (EFFORT_MARK, LIVING_MARK).
    """
    due = rent + charges
    aid = min(benefit or euros(0), due)
    to_pay = due - aid
    if not income or income <= euros(0):
        return Means(due, aid, to_pay, None, None, False, False, "", "")
    effort = (to_pay.amount * 100 / income.amount).quantize(Decimal("0.1"))
    left = round_cents((income - to_pay) / (persons * MONTH_DAYS))
    said = {"due": euros_text(due), "aid": euros_text(aid), "income": euros_text(income)}
    return Means(
        due,
        aid,
        to_pay,
        effort,
        left,
        effort > rule("EFFORT_MARK", on=on).value,
        left < euros(rule("LIVING_MARK", on=on).value),
        _("(%(due)s − %(aid)s) ÷ %(income)s = %(effort)s %%") % (said | {"effort": number_text(effort, 1)}),
        _("(%(income)s − %(pay)s) ÷ %(days)s days ÷ %(persons)s persons = %(left)s a day")
        % (
            said
            | {
                "pay": euros_text(to_pay),
                "days": MONTH_DAYS,
                "persons": persons,
                "left": euros_text(left),
            }
        ),
    )


# ---- persons against rooms ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Occupation:
    """Persons against rooms and surface (*sur-occupation, sous-occupation*); reason with its article."""

    state: str  # fits, crowded, spare
    reason: str = ""
    legal_ref: str = ""


def occupation(*, persons: int, rooms: int, surface: Decimal, on: date) -> Occupation:
    """Whether a home is too small or too large for so many persons.

    Too small below the surface of OVER_OCCUPANCY (m²: for one, for two, for each more, at most); too
    large with more rooms than UNDER_OCCUPANCY beyond the persons.
    """
    small = rule("OVER_OCCUPANCY", on=on)
    one, two, more, most = small.value
    least = one if persons == 1 else min(two + more * (persons - 2), most)
    if surface < least:
        reason = _("%(surface)s m² for %(persons)s persons: at least %(least)s m² is asked.") % {
            "surface": number_text(surface),
            "persons": persons,
            "least": least,
        }
        return Occupation("crowded", reason, small.legal_ref)
    large = rule("UNDER_OCCUPANCY", on=on)
    if rooms - persons > large.value:
        reason = _("%(rooms)s rooms for %(persons)s persons.") % {"rooms": rooms, "persons": persons}
        return Occupation("spare", reason, large.legal_ref)
    return Occupation("fits")
