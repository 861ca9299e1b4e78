"""The kinds of contract (*régimes d'occupation*): one frozen record each, never `if kind ==`.

A record names the rules of the regime by their id; the numbers stand in leases/law.toml and
are asked at the date of the act. Where it names none, the contract itself decides.

A management mandate (*mandat de gestion*) is no kind here: it binds the association to the
owner, not the occupant to the home. Under a mandate the lease is the owner's own, of one of
these kinds, and the owner's nature drives its term and its litigation. Mandate, head lease,
rehabilitation lease and deed are holdings (portfolio.owners).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.law import Rule, rule
from core.periods import add_months

Charges = Literal["provisions", "flat", "included"]
Side = Literal["occupant", "landlord"]

RENT = _("rent")
REDEVANCE = _("redevance")
PARTICIPATION = _("participation")
CONTRIBUTION = _("occupant contribution")
NIGHTLY_PRICE = _("price of the stay")


@dataclass(frozen=True, slots=True)
class LeaseKind:
    """A regime of occupation and what it allows.

    amount_due: what the monthly amount is called on notices and receipts.
    duration, notice, notice_reduced, landlord_notice, deposit_cap, deposit_return, revision:
        rule ids, None where the contract decides.
    deposit_basis: of what the cap counts months.
    freeze_fg: whether the rent of an F or G home is frozen (FREEZE_FG).
    charges: the regimes allowed, the usual first: provisions (settled each year), flat
        (*forfait*, never settled) or included in the amount due.
    benefits: housing benefits possible, the usual first; none where the stay opens no right.
    furnished: None where either.
    needs_structure: the structures that hold such contracts (portfolio.stock), none: diffuse housing.
    prorata: days occupied over days of the month, unless the contract says otherwise (PRORATA).
    indemnity_after_title: who stays after the title owes an *indemnité d'occupation*.
    """

    code: str
    label: Promise
    french: str
    legal_ref: str
    amount_due: Promise = RENT
    duration: str | None = None
    notice: str | None = None
    notice_reduced: str | None = None
    landlord_notice: str | None = None
    deposit_cap: str | None = None
    deposit_basis: Literal["rent", "redevance"] = "rent"
    deposit_return: str | None = None
    revision: str | None = None
    freeze_fg: bool = False
    charges: tuple[Charges, ...] = ("provisions",)
    benefits: tuple[Literal["apl", "al"], ...] = ()
    furnished: bool | None = None
    needs_structure: tuple[str, ...] = ()
    prorata: Literal["actual_days"] = "actual_days"
    indemnity_after_title: bool = True

    @property
    def benefit_possible(self) -> bool:
        return bool(self.benefits)


KINDS = {
    kind.code: kind
    for kind in (
        LeaseKind(
            code="L89_VIDE",
            label=_("Unfurnished lease"),
            french="Bail vide",
            legal_ref="Loi 89-462, titre Ier",
            duration="L89_DURATION",
            notice="L89_NOTICE",
            notice_reduced="L89_NOTICE_REDUCED",
            landlord_notice="L89_LANDLORD_NOTICE",
            deposit_cap="L89_DEPOSIT_CAP",
            deposit_return="L89_DEPOSIT_RETURN",
            revision="REV_L89",
            freeze_fg=True,
            benefits=("al",),
            furnished=False,
        ),
        LeaseKind(
            code="L89_MEUBLE",
            label=_("Furnished lease"),
            french="Bail meublé",
            legal_ref="Loi 89-462, titre Ier bis",
            duration="MEUBLE_DURATION",
            notice="MEUBLE_NOTICE",
            landlord_notice="MEUBLE_LANDLORD_NOTICE",
            deposit_cap="MEUBLE_DEPOSIT_CAP",
            deposit_return="L89_DEPOSIT_RETURN",
            revision="REV_L89",
            freeze_fg=True,
            charges=("provisions", "flat"),
            benefits=("al",),
            furnished=True,
        ),
        # Arts 10 to 12 of the law are excluded: the right to remain has no term, so no duration.
        # FREEZE_FG: art. 40 does not exclude 17-1 III, so frozen by default; to be confirmed by counsel.
        LeaseKind(
            code="CONV_APL",
            label=_("Conventioned lease (APL)"),
            french="Bail conventionné APL (PLAI, PLUS, PLS)",
            legal_ref="CCH, art. L. 831-1 ; loi 89-462, art. 40 III",
            notice="L89_NOTICE",
            notice_reduced="L89_NOTICE_REDUCED",
            deposit_cap="L89_DEPOSIT_CAP",
            deposit_return="L89_DEPOSIT_RETURN",
            revision="REV_CONV",
            freeze_fg=True,
            benefits=("apl",),
            furnished=False,
        ),
        LeaseKind(
            code="ANAH_CONV",
            label=_("Lease under an Anah convention"),
            french="Bail conventionné Anah (Loc'Avantages, social, très social)",
            legal_ref="CCH, art. L. 321-4 et L. 321-8 ; loi 89-462, titre Ier",
            duration="L89_DURATION",
            notice="L89_NOTICE",
            notice_reduced="L89_NOTICE_REDUCED",
            landlord_notice="L89_LANDLORD_NOTICE",
            deposit_cap="L89_DEPOSIT_CAP",
            deposit_return="L89_DEPOSIT_RETURN",
            revision="REV_L89",
            freeze_fg=True,
            benefits=("apl", "al"),
            furnished=False,
        ),
        # Art. 8 leaves nothing of the law of 1989 to a sub-lease: all is in its contract.
        LeaseKind(
            code="SUBLET_FREE",
            label=_("Sub-lease"),
            french="Sous-location (intermédiation locative, logement non conventionné)",
            legal_ref="Loi 89-462, art. 8 ; Code civil",
            charges=("provisions", "flat"),
            benefits=("al",),
        ),
        LeaseKind(
            code="SUBLET_CONV",
            label=_("Sub-lease of a conventioned home"),
            french="Sous-location d'un logement conventionné",
            legal_ref="CCH, art. L. 353-20 et L. 442-8-1",
            notice="L89_NOTICE",
            notice_reduced="L89_NOTICE_REDUCED",
            deposit_cap="L89_DEPOSIT_CAP",
            deposit_return="L89_DEPOSIT_RETURN",
            revision="REV_CONV",
            freeze_fg=True,
            benefits=("apl",),
        ),
        LeaseKind(
            code="BAIL_GLISSANT",
            label=_("Sliding lease"),
            french="Bail glissant",
            legal_ref="CCH, art. L. 442-8-3",
            notice="L89_NOTICE",
            notice_reduced="L89_NOTICE_REDUCED",
            deposit_cap="L89_DEPOSIT_CAP",
            deposit_return="L89_DEPOSIT_RETURN",
            revision="REV_CONV",
            freeze_fg=True,
            benefits=("apl",),
        ),
        # Logements-foyers are outside title I save arts 6 al. 1 and 20-1: hence no freeze.
        LeaseKind(
            code="RESIDENCE_SOCIALE",
            label=_("Résidence sociale contract"),
            french="Contrat de résidence (résidence sociale)",
            legal_ref="CCH, art. L. 633-1 et s., R. 633-1 et s.",
            amount_due=REDEVANCE,
            duration="FOYER_DURATION",
            notice="FOYER_NOTICE",
            landlord_notice="FOYER_LANDLORD_NOTICE",
            deposit_cap="FOYER_DEPOSIT_CAP",
            deposit_basis="redevance",
            deposit_return="FOYER_DEPOSIT_RETURN",
            revision="REV_CONV",
            charges=("flat",),
            benefits=("apl",),
            needs_structure=("residence_sociale",),
        ),
        LeaseKind(
            code="PENSION_FAMILLE",
            label=_("Pension de famille contract"),
            french="Contrat de résidence (pension de famille)",
            legal_ref="CCH, art. L. 633-1 et s., R. 633-1 et s.",
            amount_due=REDEVANCE,
            duration="FOYER_DURATION",
            notice="FOYER_NOTICE",
            landlord_notice="FOYER_LANDLORD_NOTICE",
            deposit_cap="FOYER_DEPOSIT_CAP",
            deposit_basis="redevance",
            deposit_return="FOYER_DEPOSIT_RETURN",
            revision="REV_CONV",
            charges=("flat",),
            benefits=("apl",),
            needs_structure=("pension_famille",),
        ),
        LeaseKind(
            code="ALT",
            label=_("ALT temporary accommodation"),
            french="Convention d'occupation temporaire (ALT)",
            legal_ref="CSS, art. L. 851-1",
            amount_due=CONTRIBUTION,
            duration="ALT_DURATION",
            deposit_cap="ALT_DEPOSIT_CAP",
            charges=("included",),
            needs_structure=("alt",),
        ),
        LeaseKind(
            code="CHRS",
            label=_("CHRS stay"),
            french="Contrat de séjour (CHRS)",
            legal_ref="CASF, art. L. 311-4, L. 345-1 et R. 345-7",
            amount_due=PARTICIPATION,
            deposit_cap="CHRS_DEPOSIT_CAP",
            charges=("included",),
            furnished=True,
            needs_structure=("chrs",),
        ),
        LeaseKind(
            code="RHVS",
            label=_("Hotel residence stay"),
            french="Contrat de séjour (résidence hôtelière à vocation sociale)",
            legal_ref="CCH, art. L. 631-11",
            amount_due=NIGHTLY_PRICE,
            charges=("included",),
            benefits=("al",),
            furnished=True,
            needs_structure=("rhvs",),
        ),
    )
}
CHOICES = {kind.code: kind.label for kind in KINDS.values()}


def duration(
    kind: LeaseKind, *, on: date, landlord: str | None = None, tenant: str | None = None
) -> Rule | None:
    """How long the contract runs at least (at most, for ALT); None where the contract decides.

    on: signature or renewal. landlord: mp or person (who lets: mp is a legal person other than
    a family SCI). tenant: student. Raises NoRuleOn.
    """
    return rule(kind.duration, on=on, landlord=landlord, tenant=tenant) if kind.duration else None


def deposit_cap(kind: LeaseKind, *, on: date) -> int | Decimal | None:
    """Most months of deposit_basis that may be asked at signature; 0: no deposit at all.

    None where the contract decides. Raises NoRuleOn.
    """
    if kind.deposit_cap is None:
        return None
    months: int | Decimal = rule(kind.deposit_cap, on=on).value
    return months


def notice(
    kind: LeaseKind, *, on: date, by: Side = "occupant", ground: str | None = None, cause: str | None = None
) -> Rule | None:
    """The notice due (*préavis*), its value in months or days; None where the contract decides.

    on: receipt of the notice. ground: why the occupant's notice is reduced, one of
    L89_NOTICE_GROUNDS, stated and proved with the notice; any other gives the full notice.
    cause: breach, closure or not_eligible, for a manager's notice in a residence.
    For a landlord under the law of 1989 it is the time before the term. Raises NoRuleOn.
    """
    if by == "landlord":
        return rule(kind.landlord_notice, on=on, cause=cause) if kind.landlord_notice else None
    if kind.notice_reduced and ground in rule("L89_NOTICE_GROUNDS", on=on).value:
        return rule(kind.notice_reduced, on=on)
    return rule(kind.notice, on=on) if kind.notice else None


def notice_months(kind: LeaseKind, *, on: date, ground: str | None = None) -> int | None:
    """Months of an occupant's notice; None where it is counted in days or by the contract."""
    found = notice(kind, on=on, ground=ground)
    if found is None or found.unit != "months":
        return None
    months: int = found.value
    return months


def notice_last_day(kind: LeaseKind, *, received: date, ground: str | None = None) -> date | None:
    """The last day of an occupant's notice, still owed; None where the contract decides.

    Date to date from receipt for months; the day of receipt uncounted for days (CPC 641).
    """
    found = notice(kind, on=received, ground=ground)
    if found is None:
        return None
    if found.unit == "days":
        return received + timedelta(days=found.value)
    return add_months(received, found.value)


def fits(kind: LeaseKind, structure: str | None) -> bool:
    """True when a home of this structure (None: diffuse housing) may be let under this kind."""
    return structure in kind.needs_structure if kind.needs_structure else not structure
