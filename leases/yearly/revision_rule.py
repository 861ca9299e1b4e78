"""The yearly revision of a rent, for one lease (*révision du loyer*): the rule, in words.

queries/revision.sql applies the same rule to the whole stock; a property test holds the two equal.
"""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core.errors import Refusal
from core.law import NoRuleOn, rule
from core.money import from_cents, to_cents
from core.periods import ONE_DAY, Period, add_months
from leases.kinds import KINDS, PARTICIPATION, REDEVANCE, LeaseKind, duration
from leases.terms import CHARGES, RENT
from leases.yearly.indices import Quarter, latest, series_of
from portfolio.letting import METROPOLITAN, freeze
from portfolio.owners import OWNERS_BOOK_TITLES

REV_L89, REV_CONV = "REV_L89", "REV_CONV"
RULES = {
    REV_L89: _("By the index"),
    REV_CONV: _("By the yearly ceiling"),
}
"""Rule of a revision → in words; leases.kinds says which one is a contract's."""

REASONS = {
    "by_contract": _("The contract alone decides: no law revises it. Change its rent by an amendment."),
    "by_resources": _("The participation follows the household's resources: it is not revised."),
    "no_home": _("Nobody occupies a home held under this lease on that day."),
    "landlord_hlm": _("The landlord is an HLM body: its own board decides the rise."),
    "clause_unknown": _("Nothing says whether the lease has a revision clause: record it on the lease."),
    "no_clause": _("The lease has no revision clause."),
    "first_year": _("The lease is less than a year old on its revision date."),
    "already_revised": _("Already revised within the year."),
    "lost": _("Claimed more than a year after its date: this year's revision is lost."),
    "ended": _("The lease ends before the claim takes effect."),
    "frozen": _("Home labelled F or G: the rent is frozen since the signature or the last renewal."),
    "not_published": _("The index or ceiling of this revision is not known yet: enter it once published."),
    "no_rent": _("No rent term runs on the day of effect."),
    "new_rent": _("A new rent has started on its date or since."),
    "later_rent": _("A later rent is recorded already."),
    "above_ceiling": _("The rent is above the ceiling of the home's financing: record the revised ceiling."),
    "no_rise": _("The index gives no higher rent."),
}
"""Why a lease is left out of a revision, the first that holds."""

PARTS = {"rent": RENT, "charges": CHARGES}


@dataclass(frozen=True, slots=True)
class Clause:
    """What the contract says of its revision (*clause de révision*); blank: what the law says.

    month_day: "09-01"; the anniversary by default. quarter: 1 to 4; by default the last published at
    signature. series: that of where the home is.
    """

    revised: bool = True
    month_day: str = ""
    quarter: int | None = None
    series: str = ""


@dataclass(frozen=True, slots=True)
class Home:
    """Where the lease is on the day of its revision, and who holds it how."""

    title: str
    nature: str
    postcode: str
    label: str | None = None
    ceiling: Money | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a revision looks at. terms: (item, EUR a month, days). revised: dates of those standing."""

    kind: str
    signed_on: date
    start: date
    end: date | None = None
    last_renewed_on: date | None = None
    clause: Clause | None = None
    home: Home | None = None
    terms: Sequence[tuple[int, Money, Period]] = ()
    revised: Sequence[date] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a revision gives for an item: EUR before and after, or the reason of leaving it out."""

    on: date
    effect: date
    item: int | None = None
    old: Money | None = None
    new: Money | None = None
    reason: str = ""


def raised_by_index(old: Money, *, new_index: int, old_index: int) -> Money:
    """The rent after a revision by the index (REV_L89): rent × new / old, to the nearest cent.

    old: EUR a month. Indices in hundredths, same quarter, a year apart.
    Source: loi 89-462, art. 17-1 I.
    """
    cents = 2 * to_cents(old) * new_index + old_index
    return from_cents(cents // (2 * old_index))


def raised_by_ceiling(old: Money, *, points: int) -> Money:
    """The rent after a revision up to the ceiling (REV_CONV), the cent below: a ceiling is not passed.

    points: hundredths of a per cent. Source: CCH, art. L. 353-9-3.
    """
    return from_cents(to_cents(old) * (10_000 + points) // 10_000)


def ceiling_points(on: date) -> int | None:
    """The ceiling of rises on 1 January, in hundredths of a per cent; None where it is not known."""
    try:
        return int(rule(REV_CONV, on=on).value * 100)
    except NoRuleOn:
        return None


def revised_items(kind: LeaseKind, on: date) -> list[int]:
    """What moves: the rent, and of a redevance its charges equivalent too (REV_REDEVANCE_PARTS)."""
    if kind.amount_due is not REDEVANCE:
        return [RENT]
    try:
        return [PARTS[code] for code in rule("REV_REDEVANCE_PARTS", on=on).value]
    except NoRuleOn:
        return [RENT]


def last_claim(on: date) -> date:
    """The last day to claim a revision (REV_L89_CLAIM); after it the year's rise is lost.

    Source: loi 89-462, art. 7-1 and 17-1. Asked of conventioned rents and redevances too: the
    prudent reading, for the articles are not excluded by art. 40.
    """
    try:
        return add_months(on, rule("REV_L89_CLAIM", on=on).value)
    except NoRuleOn:
        return date.max


def year_before(on: date) -> date:
    """The last day that is a year old on a day: of 28 February, the 29th where there was one."""
    day = add_months(on, -12)
    return day + ONE_DAY if add_months(day + ONE_DAY, 12) <= on else day


def renewal_years(kind: LeaseKind, *, on: date, landlord: str) -> int | None:
    """Years after which the contract is tacitly renewed, where its kind has a term and can be frozen."""
    if not kind.freeze_fg or kind.duration is None:
        return None
    try:
        term = duration(kind, on=on, landlord=landlord)
    except Refusal:
        return None
    return term.value if term is not None and term.unit == "years" else None


def last_renewal(start: date, last_renewed_on: date | None, *, years: int | None, on: date) -> date | None:
    """The last renewal on a day, tacit ones reckoned from the term (*reconduction tacite*); None if none."""
    recorded = last_renewed_on if last_renewed_on and last_renewed_on <= on else None
    base, found = recorded or start, recorded
    if years:
        terms = 1
        while (renewed := add_months(base, 12 * years * terms)) <= on:
            found, terms = renewed, terms + 1
    return found


def landlord_of(home: Home) -> str:
    """Who lets: under a mandate the owner, else the association, a legal person (mp or person)."""
    mandate = home.title in OWNERS_BOOK_TITLES
    return "person" if mandate and home.nature in ("person", "family_sci") else "mp"


def revision_date(facts: Facts, month: Period) -> date | None:
    """The day of that month on which the lease is revised, or None: its anniversary, its clause, 1 January."""
    if KINDS[facts.kind].revision == REV_CONV:
        wanted = "01-01"
    else:
        wanted = (facts.clause and facts.clause.month_day) or f"{facts.start:%m-%d}"
    number, day = int(wanted[:2]), int(wanted[3:])
    if number != month.start.month:
        return None
    on = month.start.replace(day=min(day, calendar.monthrange(month.start.year, number)[1]))
    runs = facts.start < on and (facts.end is None or facts.end > on)
    return on if runs else None


def revision(
    facts: Facts, *, month: Period, claimed_on: date, indices: Mapping[tuple[str, Quarter], int]
) -> list[Outcome]:
    """What the revision of a lease that falls in a month gives, item by item; empty where none falls then.

    claimed_on: the day it is claimed; a late claim takes effect that day, nothing before it.
    indices: hundredths by series and quarter.
    """
    on = revision_date(facts, month)
    if on is None:
        return []
    kind = KINDS[facts.kind]
    effect = max(on, claimed_on)
    whole = Outcome(on, effect)
    if reason := _barred(facts, kind, on, effect, claimed_on):
        return [replace(whole, reason=reason)]
    running = [
        (item, amount, span)
        for item, amount, span in facts.terms
        if item in revised_items(kind, on) and span.contains(effect) and to_cents(amount) > 0
    ]
    new = _new_amount(facts, kind, on, indices)
    if new is None:
        return [replace(whole, reason="not_published")]
    if not running:
        return [replace(whole, reason="no_rent")]
    return [
        _of_item(facts, kind, whole, item, amount, span, new(amount))
        for item, amount, span in sorted(running, key=lambda each: each[0])
    ]


def _of_item(facts, kind, whole, item, amount, span, new) -> Outcome:
    """One item: what it comes to, or why it does not move."""
    reason = ""
    if span.start >= whole.on:
        reason = "new_rent"
    elif any(other == item and later.start > whole.effect for other, _amount, later in facts.terms):
        reason = "later_rent"
    elif kind.revision == REV_CONV and item == RENT and facts.home.ceiling and amount > facts.home.ceiling:
        reason = "above_ceiling"
    elif new <= amount:
        reason = "no_rise"
    return replace(whole, item=item, old=amount, new=None if reason else new, reason=reason)


def _barred(facts: Facts, kind: LeaseKind, on: date, effect: date, claimed_on: date) -> str:
    """Why the lease as a whole is left out; empty where nothing bars its revision."""
    home, clause = facts.home, facts.clause
    if kind.revision is None:
        return "by_resources" if kind.amount_due is PARTICIPATION else "by_contract"
    if home is None:
        return "no_home"
    if home.nature == "hlm" and home.title in OWNERS_BOOK_TITLES:
        return "landlord_hlm"
    if kind.revision == REV_L89:
        if clause is None:
            return "clause_unknown"
        if not clause.revised:
            return "no_clause"
        if facts.start > year_before(on):
            return "first_year"
    if any(year_before(on) < each < add_months(on, 12) for each in facts.revised):
        return "already_revised"
    if claimed_on > last_claim(on):
        return "lost"
    if facts.end is not None and facts.end <= effect:
        return "ended"
    return "frozen" if frozen(facts, effect) else ""


def frozen(facts: Facts, on: date):
    """Why the rent is frozen on a day (FREEZE_FG), or None; renewals nobody recorded are reckoned."""
    kind, home = KINDS[facts.kind], facts.home
    if home is None or not kind.freeze_fg:
        return None
    years = renewal_years(kind, on=on, landlord=landlord_of(home))
    return freeze(
        home.label,
        contract_date=facts.signed_on,
        last_renewal=last_renewal(facts.start, facts.last_renewed_on, years=years, on=on),
        on=on,
        zone=freeze_zone(home.postcode),
    )


def freeze_zone(postcode: str) -> str:
    return "overseas" if series_of(postcode) == "overseas" else METROPOLITAN


def quarter_used(facts: Facts, on: date) -> tuple[str, Quarter]:
    """Series and quarter of the index of a revision: the clause's, else the last out at signature."""
    clause = facts.clause or Clause()
    number = clause.quarter or latest(facts.signed_on).number
    return clause.series or series_of(facts.home.postcode), latest(on, number)


def _new_amount(facts: Facts, kind: LeaseKind, on: date, indices):
    """The function from old rent to new, or None where the index or the ceiling is not known."""
    if kind.revision == REV_CONV:
        points = ceiling_points(on)
        return None if points is None else lambda old: raised_by_ceiling(old, points=points)
    series, quarter = quarter_used(facts, on)
    new, old_index = indices.get((series, quarter)), indices.get((series, quarter.year_before))
    if new is None or old_index is None:
        return None
    return lambda old: raised_by_index(old, new_index=new, old_index=old_index)
