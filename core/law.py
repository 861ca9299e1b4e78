"""The law as dated data (*le droit en vigueur à une date*).

Each app states its own numbers and dates in `<app>/law.toml`; the reasoning that uses
them stands in one function of a subject, which names the rule's id. A rule is asked at
the date of the *legal event* (signature, renewal, service, …), never at today's.

A record of law.toml:

    [[rule]]
    id = "L89_DURATION"            # what the code asks for
    scope = { landlord = "mp" }    # optional: when it applies; the most specific match wins
    value = 6                      # int, decimal, text, true/false, date, or a list of them
    unit = "years"                 # one of UNITS
    event = "contract"             # one of EVENTS: whose date chooses the record
    valid_from = 1989-07-08        # first day
    valid_to = 2030-01-01          # optional: first day no longer valid, as every end here
    legal_ref = "Loi 89-462, art. 10"
    source = "…"                   # where it was read
    confidence = "checked"         # one of CONFIDENCES

Scope keys in use: landlord (mp: legal person other than a family SCI; person: everyone
else), zone (metropolitan, overseas), payee (landlord, tenant) and benefit (apl, al) of an aid, and others
that the records name themselves.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import Refusal
from core.periods import Period

ROOT = Path(__file__).resolve().parent.parent

UNITS = {
    "": "",
    "days": gettext_lazy("days"),
    "weeks": gettext_lazy("weeks"),
    "months": gettext_lazy("months"),
    "years": gettext_lazy("years"),
    "firsts of month": gettext_lazy("firsts of the month after"),
    "day of month": gettext_lazy("day of the month"),
    "month-day": gettext_lazy("month and day"),
    "last day": gettext_lazy("last day"),
    "months of rent": gettext_lazy("months of rent excluding charges"),
    "months of redevance": gettext_lazy("months of redevance"),
    "months due": gettext_lazy("months of what is due"),
    "months paid": gettext_lazy("monthly instalments"),
    "EUR": gettext_lazy("euros"),
    "EUR/m2": gettext_lazy("euros per m²"),
    "%": gettext_lazy("per cent"),
    "label": gettext_lazy("energy label"),
    "kWh/m2/year": gettext_lazy("kWh per m² and year"),
    "ratio": gettext_lazy("ratio"),
    "text": gettext_lazy("text"),
    "codes": gettext_lazy("codes"),
}
EVENTS = {
    "contract": gettext_lazy("signature or renewal of the contract"),
    "signature": gettext_lazy("signature of the contract"),
    "notice": gettext_lazy("receipt of the notice"),
    "exit": gettext_lazy("return of the keys"),
    "due": gettext_lazy("day the sum falls due"),
    "revision": gettext_lazy("day of the revision"),
    "payment": gettext_lazy("day of the payment"),
    "constitution": gettext_lazy("day the arrears are constituted"),
    "service": gettext_lazy("service of the act"),
    "decision": gettext_lazy("day of the decision"),
    "notification": gettext_lazy("notification of the order"),
    "settlement": gettext_lazy("settlement of the charges"),
    "mandate": gettext_lazy("signature of the mandate"),
    "survey": gettext_lazy("day of the energy survey"),
    "day": gettext_lazy("the day itself"),
}
CONFIDENCES = {
    "checked": gettext_lazy("checked"),
    "secondary source": gettext_lazy("secondary source"),
    "from memory": gettext_lazy("from memory"),
}
REQUIRED = {"id", "value", "unit", "event", "valid_from", "legal_ref", "source", "confidence"}
OPTIONAL = {"scope", "valid_to"}


class BadRule(Refusal):
    """A record of law.toml that cannot be used: found when the law is loaded."""


class NoSuchRule(Refusal):
    """No record carries this id, or none is scoped by this key."""


class NoRuleOn(Refusal):
    """The rule exists, but not at this date or not for this scope."""


class AmbiguousRule(Refusal):
    """Two records, neither more specific than the other, answer the same question."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One number, date or list of the law, as it stood from valid_from until valid_to."""

    id: str
    value: Any  # int, Decimal, str, bool, date, or a tuple of them
    unit: str
    event: str
    valid_from: date
    valid_to: date | None  # excluded
    legal_ref: str
    source: str
    confidence: str
    scope: Mapping[str, Any]
    app: str

    @property
    def valid(self) -> Period:
        return Period(self.valid_from, self.valid_to)

    def answers(self, scope: Mapping[str, Any]) -> bool:
        """True when everything this record asks for is in the scope given."""
        return all(scope.get(key) == value for key, value in self.scope.items())


def rule(rule_id: str, /, *, on: date, **scope: Any) -> Rule:
    """The rule in force on the date of the legal event, for this scope.

    A scope key given as None is left out. Raises NoSuchRule, NoRuleOn, AmbiguousRule.
    """
    return _found(rule_id, on, frozenset(scope.items()))


@lru_cache(maxsize=4096)  # a batch asks the same few questions for every lease
def _found(rule_id: str, on: date, scope: frozenset[tuple[str, Any]]) -> Rule:
    return select(book(), rule_id, on=on, scope=dict(scope))


def history(rule_id: str, /, **scope: Any) -> list[Rule]:
    """Every record of the rule that answers this scope, oldest first. Raises NoSuchRule."""
    found = [each for each in known(book(), rule_id) if each.answers(asked(book(), scope))]
    return sorted(found, key=lambda each: (each.valid_from, len(each.scope)))


def all_rules() -> tuple[Rule, ...]:
    """The whole rulebook, by id, scope and date, for the page that lists it."""
    return book()


@cache
def book() -> tuple[Rule, ...]:
    """Every record of every app's law.toml, read once and checked."""
    records: list[Rule] = []
    for path in sorted(ROOT.glob("*/law.toml")):
        records += read(path.read_text(encoding="utf-8"), app=path.parent.name)
    return checked(records)


def read(text: str, *, app: str) -> list[Rule]:
    """The records of one law.toml. Raises BadRule."""
    try:
        tables = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise BadRule(f"{app}/law.toml", str(error)) from error
    return [_record(table, app) for table in tables.get("rule", [])]


def _record(table: dict[str, Any], app: str) -> Rule:
    place = f"{app}/law.toml, {table.get('id', '?')}"
    if missing := REQUIRED - table.keys():
        raise BadRule(place, f"Missing: {', '.join(sorted(missing))}.")
    if unknown := table.keys() - REQUIRED - OPTIONAL:
        raise BadRule(place, f"Unknown: {', '.join(sorted(unknown))}.")
    for key, words in (("unit", UNITS), ("event", EVENTS), ("confidence", CONFIDENCES)):
        if table[key] not in words:
            raise BadRule(place, f"{table[key]!r} is not a {key}.", f"Use one of: {', '.join(words)}.")
    valid_from, valid_to = table["valid_from"], table.get("valid_to")
    if valid_to is not None and valid_to <= valid_from:
        raise BadRule(place, f"Valid from {valid_from} until {valid_to}, which is no day at all.")
    value = table["value"]
    return Rule(
        id=table["id"],
        value=tuple(value) if isinstance(value, list) else value,
        unit=table["unit"],
        event=table["event"],
        valid_from=valid_from,
        valid_to=valid_to,
        legal_ref=table["legal_ref"],
        source=table["source"],
        confidence=table["confidence"],
        scope=MappingProxyType(table.get("scope", {})),
        app=app,
    )


def checked(records: Iterable[Rule]) -> tuple[Rule, ...]:
    """The records in order, refused when two of one id and scope are valid on one day.

    Raises BadRule.
    """
    ordered = sorted(records, key=lambda each: (each.id, _words(each.scope), each.valid_from))
    for one, other in zip(ordered, ordered[1:], strict=False):
        if one.id == other.id and one.scope == other.scope and one.valid.overlaps(other.valid):
            raise BadRule(
                f"{other.app}/law.toml, {other.id} {_words(other.scope)}".strip(),
                f"Two records are valid on {other.valid_from}.",
                f"End the record of {one.valid_from} with valid_to = {other.valid_from}.",
            )
        if one.id == other.id and one.app != other.app:
            raise BadRule(other.id, f"Stated by both {one.app} and {other.app}.", "Keep it in one app.")
    return tuple(ordered)


def select(records: tuple[Rule, ...], rule_id: str, *, on: date, scope: Mapping[str, Any]) -> Rule:
    """The most specific record in force; see rule()."""
    same_id = known(records, rule_id)
    scope = asked(records, scope)
    found = [each for each in same_id if each.valid.contains(on) and each.answers(scope)]
    if not found:
        raise NoRuleOn(
            " ".join(filter(None, (rule_id, _words(scope)))),
            _("Nothing is recorded for %(date)s.") % {"date": on.isoformat()},
            _("Recorded: %(periods)s.")
            % {
                "periods": "; ".join(
                    " ".join(filter(None, (str(each.valid), _words(each.scope)))) for each in same_id
                )
            },
        )
    most = max(len(each.scope) for each in found)
    best = [each for each in found if len(each.scope) == most]
    if len(best) > 1:
        raise AmbiguousRule(
            rule_id,
            _("Several records answer on %(date)s: %(scopes)s.")
            % {"date": on.isoformat(), "scopes": "; ".join(_words(each.scope) for each in best)},
            _("Ask with a narrower scope."),
        )
    return best[0]


def known(records: tuple[Rule, ...], rule_id: str) -> list[Rule]:
    """The records of this id. Raises NoSuchRule, with the nearest ids."""
    found = [each for each in records if each.id == rule_id]
    if not found:
        near = difflib.get_close_matches(rule_id, sorted({each.id for each in records}))
        raise NoSuchRule(
            rule_id,
            _("No rule has this name."),
            _("Nearest: %(names)s.") % {"names": ", ".join(near)} if near else "",
        )
    return found


def asked(records: tuple[Rule, ...], scope: Mapping[str, Any]) -> dict[str, Any]:
    """The scope without what is not known; a key that no record uses is a slip. Raises NoSuchRule."""
    keys = {key for each in records for key in each.scope}
    if slips := scope.keys() - keys:
        raise NoSuchRule(
            ", ".join(sorted(slips)),
            _("No rule depends on this."),
            _("Known: %(names)s.") % {"names": ", ".join(sorted(keys))},
        )
    return {key: value for key, value in scope.items() if value is not None}


def _words(scope: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(scope.items()))
