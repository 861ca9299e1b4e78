"""The accounts of the demonstration: a year closed, rates of provision, funders' codes, grants."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal

from core.money import euros
from core.periods import ONE_DAY, first_of_month
from leases import ledger
from leases.accounts import analytics, closing, grants, provisions
from leases.models import AnalyticCode, Grant, RentRun
from portfolio.models import Structure

RATES = {"d0_30": 0, "d31_60": 10, "d61_90": 25, "over_90": 60, provisions.DEPARTED: 90}
FUNDERS = {
    "ETAT": "État (DDETS)",
    "DEPT": "Département",
}
GRANTS = {
    Structure.Kind.RESIDENCE_SOCIALE: (Grant.Kind.AGLS, "État (DDETS)", "25000.00"),
    Structure.Kind.PENSION_FAMILLE: (Grant.Kind.DOTATION, "État (DDETS)", "131400.00"),
    Structure.Kind.CHRS: (Grant.Kind.DOTATION, "État (DDETS)", "412000.00"),
    Structure.Kind.ALT: (Grant.Kind.ALT, "État (DDETS)", "298000.00"),
}


def play_closing(*, today: date, by, manager, say: Callable[[str], None] = lambda words: None) -> None:
    """Close the year before and the months but the last two, set the rates, give codes, follow grants.

    by: the director. manager: who records codes and grants. Played again, it adds nothing.
    """
    now = datetime.combine(today, time(9, 0), tzinfo=UTC)
    year = date(today.year, 1, 1)
    if not provisions.rates(today):
        provisions.set_rates(
            {bucket: Decimal(percent) for bucket, percent in RATES.items()}, since=year, by=by, now=now
        )
    structures = list(Structure.objects.order_by("reference"))
    _give_codes(structures, since=year, by=manager, now=now)
    _follow_grants(structures, year=year, today=today, by=manager, now=now)
    month_before = first_of_month(first_of_month(today) - ONE_DAY)
    last = month_before - ONE_DAY
    closed = ledger.closed_up_to()
    if RentRun.objects.filter(month__lte=last).exists() and (closed is None or closed < last):
        closing.lock_period(last, by=by, now=now)
        say(f"Accounts closed up to {last}")


def _give_codes(structures: list[Structure], *, since: date, by, now: datetime) -> None:
    if AnalyticCode.objects.exists():
        return
    codes = {
        code: analytics.add_code(analytics.Axis.FUNDER, code, label, by=by) for code, label in FUNDERS.items()
    }
    for structure in structures:
        code = codes["DEPT" if structure.kind == Structure.Kind.RHVS else "ETAT"]
        analytics.give_code(analytics.Axis.FUNDER, code, structure=structure, since=since, by=by, now=now)


def _follow_grants(structures: list[Structure], *, year: date, today: date, by, now: datetime) -> None:
    if Grant.objects.exists():
        return
    for structure in structures:
        if structure.kind not in GRANTS:
            continue
        kind, funder, amount = GRANTS[structure.kind]
        grant = grants.agree_grant(
            kind=kind,
            reference=f"{kind.upper()} {year.year} {structure.reference}",
            funder=funder,
            structure=structure,
            start=year,
            last_day=date(year.year, 12, 31),
            agreed=euros(amount),
            by=by,
        )
        half = euros(amount) / 2
        grants.record_step(grant, "claimed", half, on=date(year.year, 2, 15), by=by, now=now)
        if today >= date(year.year, 4, 20):
            grants.record_step(grant, "received", half, on=date(year.year, 4, 20), by=by, now=now)
