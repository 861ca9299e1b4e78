"""What the letter of a revision says (*avis de révision*): all figures, and the text of law behind them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from moneyed import Money

from core.law import rule as law
from core.money import euros
from leases.yearly.revision import Revision, RevisionRun


@dataclass(frozen=True, slots=True)
class LetterItem:
    """One item of a revision letter: EUR a month before and after."""

    label: str
    old: Money
    new: Money


@dataclass(frozen=True, slots=True)
class LetterFacts:
    """All that a revision letter says (*avis de révision*), with its reckoning and its text of law.

    rate: per cent of the ceiling, or None where it goes by the index. late: claimed after its date.
    """

    lease_id: int
    lease_reference: str
    household_id: int
    kind: str
    on: date
    effect: date
    claimed_on: date
    rule: str
    legal_ref: str
    items: tuple[LetterItem, ...]
    series: str
    quarter_new: str
    quarter_old: str
    index_new: Decimal | None
    index_old: Decimal | None
    rate: Decimal | None
    undone: bool

    @property
    def old(self) -> Money:
        return sum((item.old for item in self.items), euros(0))

    @property
    def new(self) -> Money:
        return sum((item.new for item in self.items), euros(0))

    @property
    def late(self) -> bool:
        return self.effect > self.on


def letter_facts(revision: Revision) -> LetterFacts:
    """What the letter of one revision says, all its items together."""
    same = Revision.objects.filter(lease=revision.lease_id, on=revision.on, run=revision.run_id)
    return next(_letters(same))


def run_letters(run: RevisionRun, leases: tuple[int, int] | None = None) -> Iterator[LetterFacts]:
    """What each letter of a run says, one a lease, undone ones left out; one query.

    leases: first and last id of a range, or all.
    """
    found = run.revisions.standing()
    return _letters(found.filter(lease__gte=leases[0], lease__lte=leases[1]) if leases else found)


def _letters(revisions) -> Iterator[LetterFacts]:
    rows = revisions.select_related("lease", "run", "undone_by").order_by("lease", "on", "item")
    gathered: list[Revision] = []
    for one in rows.iterator(chunk_size=2_000):
        if gathered and (one.lease_id, one.on) != (gathered[0].lease_id, gathered[0].on):
            yield _letter(gathered)
            gathered = []
        gathered.append(one)
    if gathered:
        yield _letter(gathered)


def _letter(items: Sequence[Revision]) -> LetterFacts:
    first, quarter = items[0], items[0].index_quarter
    return LetterFacts(
        lease_id=first.lease_id,
        lease_reference=first.lease.reference,
        household_id=first.lease.household_id,
        kind=first.lease.kind,
        on=first.on,
        effect=first.effect,
        claimed_on=first.run.claimed_on,
        rule=first.rule,
        legal_ref=law(first.rule, on=first.on).legal_ref,
        items=tuple(LetterItem(str(one.get_item_display()), one.old, one.new) for one in items),
        series=first.get_series_display() if first.series else "",
        quarter_new=str(quarter) if quarter else "",
        quarter_old=str(quarter.year_before) if quarter else "",
        index_new=first.value_new,
        index_old=first.value_old,
        rate=first.rate,
        undone=getattr(first, "undone_by", None) is not None,
    )
