"""What a home's energy label allows: may it be let, may its rent rise, until when.

Pure functions over dated facts: the label on the day, the contract's dates. An answer gives
its reason in words and the article, for the page that shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from core.law import NoRuleOn, Rule, history, rule

METROPOLITAN = "metropolitan"


class UnknownLabel(ValueError):
    """An energy label is one letter from A to G."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A rent that may not rise, from the contract or renewal that caught it (*loyer gelé*)."""

    label: str
    since: date
    reason: str
    legal_ref: str


@dataclass(frozen=True, slots=True)
class Letting:
    """Whether a home may be let; true when it may.

    until: first day on which a new lease or a renewal would be refused with this label,
        None when no such day is known.
    """

    allowed: bool
    reason: str = ""
    legal_ref: str = ""
    until: date | None = None

    def __bool__(self) -> bool:
        return self.allowed


def trigger(*, contract_date: date, last_renewal: date | None, on: date) -> date:
    """The signature or, once it has come, the renewal that the law looks at on a day."""
    if last_renewal is not None and last_renewal <= on:
        return max(contract_date, last_renewal)
    return contract_date


def freeze(
    label: str | None,
    *,
    contract_date: date,
    last_renewal: date | None,
    on: date,
    zone: str = METROPOLITAN,
) -> Frozen | None:
    """Why a rent may not be revised or raised on a day (*gel des loyers F et G*); None if it may.

    label: A to G on that day, None when unknown (nothing is then frozen: flag the home instead).
    last_renewal: the last renewal, tacit ones included; one after `on` does not count yet.
    Caught only by a contract signed or renewed on or after the first day of FREEZE_FG.
    Source: loi 89-462, art. 17 II, 17-1 III, 17-2 II, 25-9. Raises UnknownLabel.
    """
    caught_on = trigger(contract_date=contract_date, last_renewal=last_renewal, on=on)
    law = _in_force("FREEZE_FG", on=caught_on, zone=zone)
    if label is None or law is None or _letter(label) not in law.value:
        return None
    return Frozen(
        label=label,
        since=caught_on,
        reason=_(
            "Home labelled %(label)s: the rent is frozen for a contract signed or renewed from %(first)s."
        )
        % {"label": label, "first": _shown(law.valid_from)},
        legal_ref=law.legal_ref,
    )


def may_be_let(
    label: str | None,
    *,
    contract_date: date,
    last_renewal: date | None = None,
    on: date | None = None,
    final_energy: Decimal | int | None = None,
    zone: str = METROPOLITAN,
) -> Letting:
    """Whether a home is decent in energy for a contract signed or renewed then (*décence énergétique*).

    on: the day asked about, by default that of the contract or its renewal.
    final_energy: kWh of final energy per m² and year; a G home newly let in 2023 or 2024 needs it.
    Of a running lease nothing is asked until its renewal.
    Source: loi 89-462, art. 6; décret 2002-120, art. 3 bis. Raises UnknownLabel.
    """
    on = on or max(contract_date, last_renewal or contract_date)
    asked_on = trigger(contract_date=contract_date, last_renewal=last_renewal, on=on)
    minimum = _in_force("DECENCY_LABEL", on=asked_on, zone=zone)
    if minimum is None:
        new = asked_on == contract_date
        return _by_final_energy(label, on=asked_on, final_energy=final_energy, zone=zone, new=new)
    if label is None:
        return Letting(
            False,
            _("No energy label is known: have the survey made before letting."),
            minimum.legal_ref,
        )
    if _letter(label) > minimum.value:
        return Letting(
            False,
            _(
                "Home labelled %(label)s: at least %(minimum)s for a contract signed or renewed from %(first)s."
            )
            % {"label": label, "minimum": minimum.value, "first": _shown(minimum.valid_from)},
            minimum.legal_ref,
        )
    return Letting(True, until=refused_from(label, zone=zone))


def refused_from(label: str, *, zone: str = METROPOLITAN) -> date | None:
    """First day on which a lease may not be signed or renewed with this label; None if never.

    Raises UnknownLabel.
    """
    return min(
        (law.valid_from for law in history("DECENCY_LABEL", zone=zone) if _letter(label) > law.value),
        default=None,
    )


def _by_final_energy(
    label: str | None, *, on: date, final_energy: Decimal | int | None, zone: str, new: bool
) -> Letting:
    """Before labels count: only new contracts, and only homes at or above the final energy set."""
    law = _in_force("DECENCY_ENERGY", on=on, zone=zone)
    until = refused_from(label, zone=zone) if label else None
    # Final energy never exceeds primary energy, of which 450 is a G save in tiny or mountain homes.
    if law is None or not new or (final_energy is None and label != "G"):
        return Letting(True, until=until)
    if final_energy is None:
        return Letting(False, _("Home labelled G: give its final energy before letting."), law.legal_ref)
    if final_energy >= law.value:
        return Letting(
            False,
            _("Home of %(energy)s kWh of final energy per m²: below %(limit)s for a new contract.")
            % {"energy": final_energy, "limit": law.value},
            law.legal_ref,
        )
    return Letting(True, until=until)


def _in_force(rule_id: str, *, on: date, zone: str) -> Rule | None:
    """The rule on that day, None before the law asked anything."""
    try:
        return rule(rule_id, on=on, zone=zone)
    except NoRuleOn:
        return None


def _shown(day: date) -> str:
    return date_format(day, "SHORT_DATE_FORMAT")


def _letter(label: str) -> str:
    if len(label) != 1 or label not in "ABCDEFG":
        raise UnknownLabel(f"{label!r} is not a label: give a letter from A to G.")
    return label
