"""The steps of a departure, read from its facts, and what its settlement letter says."""

from dataclasses import dataclass
from datetime import date

from django.utils.functional import Promise
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core.money import euros
from core.periods import ONE_DAY
from leases.bank import Allocation
from leases.kinds import KINDS
from leases.lease import Lease
from leases.occupancy import Occupancy
from leases.tenancy import deposits
from leases.tenancy.departure import (
    FinalAccount,
    TenantTransfer,
    account_to_pay,
    keys_day,
    last_stay,
    standing_final,
)
from leases.tenancy.inspections import ENTRY, EXIT, Inspection
from leases.tenancy.notices import Departure

DONE, NEXT, LATER, LATE = "done", "next", "later", "late"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a departure: done, next, later, or late.

    on: when it was done. by: until when, by law or by the notice. words: what came of it.
    """

    code: str
    label: Promise
    state: str
    on: date | None = None
    by: date | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a departure has come to on a day: what its page shows."""

    lease: Lease
    stay: Occupancy | None
    told: Departure | None
    entry: Inspection | None
    survey: Inspection | None
    keys_on: date | None
    deadline: date | None
    legal_ref: str
    held: Money
    final: FinalAccount | None
    second: FinalAccount | None
    transfer: TenantTransfer | None
    left_the_bank: bool
    deductions: int


def departure_facts(lease: Lease, on: date) -> Facts:
    """The facts of a departure, wherever they were recorded."""
    stay = last_stay(lease)
    surveys = {one.kind: one for one in Inspection.objects.filter(occupancy=stay)} if stay else {}
    survey, keys_on = surveys.get(EXIT), keys_day(stay, on)
    # Before the keys, what the law will give from the last day of the lease.
    start = keys_on or (lease.end - ONE_DAY if lease.end else None)
    deadline, legal_ref = None, ""
    if start:
        conforms = survey.conforms if survey and survey.signed else None
        deadline, found = deposits.return_deadline(KINDS[lease.kind], keys_on=start, conforms=conforms)
        legal_ref = found.legal_ref
    standing = standing_final(lease)
    final = standing.get(FinalAccount.Stage.DEPARTURE)
    transfer = TenantTransfer.objects.filter(final=final, cancelled_on=None).first() if final else None
    return Facts(
        lease=lease,
        stay=stay,
        told=Departure.objects.filter(lease=lease).first(),
        entry=surveys.get(ENTRY),
        survey=survey,
        keys_on=keys_on,
        deadline=deadline,
        legal_ref=legal_ref,
        held=deposits.held(lease),
        final=final,
        second=standing.get(FinalAccount.Stage.CHARGES),
        transfer=transfer,
        left_the_bank=bool(transfer and paid_out([transfer])),
        deductions=lease.deductions.count(),
    )


def paid_out(transfers: list[TenantTransfer]) -> set[int]:
    """Which of these transfers the bank has paid: money of that amount left for that lease since; one query."""
    gone: dict[tuple[int, Money], list[date]] = {}
    rows = Allocation.objects.filter(
        lease__in=[one.lease_id for one in transfers], amount__lt=euros(0), undoes=None
    )
    for lease, amount, day in rows.values_list("lease", "amount", "on").order_by("on"):
        gone.setdefault((lease, -amount), []).append(day)
    return {
        one.pk
        for one in transfers
        if any(day >= one.final.on for day in gone.get((one.lease_id, one.amount), []))
    }


def steps(facts: Facts, on: date) -> list[Step]:
    """The steps of a departure in order; the first one not done is next, or late past its day."""
    lease, survey, final = facts.lease, facts.survey, facts.final
    signed = survey is not None and survey.signed
    last_day = lease.end - ONE_DAY if lease.end else None
    told = [
        ("notice", _("Notice to leave"), lease.end is not None, facts.told.received_on if facts.told else None, None,
         str(lease.get_end_reason_display()) if lease.end else ""),
        ("survey", _("Exit survey"), signed, survey.on if signed else None, last_day,
         (_t("conforms to the entry") if survey.conforms else _t("differs from the entry")) if signed
         else _t("none made: the home is presumed given back as it was") if facts.keys_on else ""),
        ("keys", _("Return of the keys"), facts.keys_on is not None, facts.keys_on, last_day, ""),
        ("repairs", _("Repairs and deductions"), bool(final) or bool(signed and survey.conforms), None, None,
         _t("%(count)d noted") % {"count": facts.deductions} if facts.deductions else ""),
        ("final", _("Final account"), final is not None, final.on if final else None, facts.deadline, ""),
        ("return", _("Money given back"), bool(final) and (facts.transfer is None or facts.left_the_bank
         or facts.transfer.sent_on is not None),
         facts.transfer.sent_on if facts.transfer else None, facts.deadline, ""),
    ]  # fmt: skip
    made, found_next = [], False
    for code, label, done, day, by, words in told:
        state = DONE if done else LATER if found_next else NEXT
        if state == NEXT:
            # Repairs may be none, and no survey is made once the keys are back: the next step stays open.
            found_next = code != "repairs" and not (code == "survey" and facts.keys_on)
            state = LATE if by and on > by and code in ("survey", "keys", "final", "return") else NEXT
        made.append(Step(code, label, state, day, by, words))
    return made


# ---- the letter -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """A line of the settlement: EUR, positive when the tenant owes it."""

    label: str
    amount: Money
    proof: str = ""
    share: int | None = None


@dataclass(frozen=True, slots=True)
class SettlementFacts:
    """What the letter of the final account says (*décompte de restitution du dépôt de garantie*).

    lines: in order, with owed before first; they add up to to_pay − to_transfer. kept: still held until
    the year's charges are settled, with the rule in kept_ref.
    """

    reference: str
    tenant: str
    address: str
    new_address: str
    home: str
    keys_on: date
    survey_on: date | None
    conforms: bool | None
    deadline: date
    deadline_ref: str
    made_on: date
    deposit: Money
    lines: tuple[SettlementLine, ...]
    kept: Money
    kept_ref: str
    to_pay: Money
    to_transfer: Money
    iban_end: str


def settlement_facts(final: FinalAccount) -> SettlementFacts:
    """What the settlement letter of a final account says, from what it posted."""
    lease = final.lease
    facts = departure_facts(lease, final.on)
    stay = facts.stay
    party = lease.parties.filter(role="tenant").select_related("person").order_by("-start").first()
    lines = [SettlementLine(_t("Balance of the account"), final.before)]
    for one in final.deductions.order_by("pk"):
        proof = f"{one.get_proof_display()} {one.proof_reference}".strip()
        lines.append(SettlementLine(one.label, one.amount, proof, one.share))
    lines.append(SettlementLine(_t("Deposit given back"), -final.given_back))
    if final.late > euros(0):
        lines.append(SettlementLine(_t("Late return of the deposit"), -final.late))
    iban = account_to_pay(lease)
    return SettlementFacts(
        reference=lease.reference,
        tenant=str(party.person) if party else lease.household.reference,
        address=str(stay.place.unit.building) if stay else "",
        new_address=facts.told.new_address if facts.told else "",
        home=stay.place.reference if stay else "",
        keys_on=facts.keys_on or final.on,
        survey_on=facts.survey.on if facts.survey and facts.survey.signed else None,
        conforms=facts.survey.conforms if facts.survey else None,
        deadline=final.deadline,
        deadline_ref=facts.legal_ref,
        made_on=final.on,
        deposit=final.held,
        lines=tuple(lines),
        kept=final.kept,
        kept_ref="Loi 89-462, art. 22" if final.kept > euros(0) else "",
        to_pay=final.to_pay,
        to_transfer=final.to_transfer,
        iban_end=iban[-4:],
    )
