"""From the file to the lease (*signature du bail*): what stands against it, the offer, the signature.

`obstacles` says all at once what is missing or forbidden; the offer and the signature refuse what of it
is grave, the rest is for the reader to judge.
"""

import secrets
from dataclasses import dataclass
from datetime import date, datetime

from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.money import euros
from core.periods import ONE_DAY
from core.refusals import SENTENCES, refusal_of
from core.templatetags.gla import day_text, euros_text
from leases import rent as rents
from leases.households import Membership
from leases.kinds import KINDS, REDEVANCE, fits
from leases.kinds import RENT as IS_RENT
from leases.lease import Lease, LeaseParty, PayerIban, payment_reference
from leases.lifecycle import end_lease
from leases.occupancy import Occupancy
from leases.tenancy.applications import (
    Application,
    ApplicationRefused,
    means_of,
    numbered,
    occupation_of,
    running_file,
)
from leases.tenancy.deposits import DepositRefused, call_deposit, ceiling, ceiling_of
from leases.tenancy.means import IncomeCeiling, income_ceiling, income_year
from leases.tenancy.steps import DONE, LATE, LATER, NEXT, Step
from leases.terms import CHARGES, RENT, RentTerm
from portfolio.labels import with_label
from portfolio.letting import may_be_let
from portfolio.owners import Holding
from portfolio.stock import OutOfService, Place, SafetyOrder, Unit

STRIDE = 104_729
"""From a payment reference that is taken to the next tried: a prime, so that all are tried."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands against a signature: grave, it is refused; else it is for the reader to judge.

    subject: household, home, money, income or documents: the step of the file it belongs to.
    """

    subject: str
    reason: str
    remedy: str = ""
    grave: bool = True


def obstacles(application: Application, *, on: date) -> list[Obstacle]:
    """All that stands against signing this file's lease on a day, gravest subjects first."""
    found = []
    if application.place is None:
        found.append(Obstacle("home", _t("No home is proposed."), _t("Choose a home or a place.")))
    if not application.kind or application.start is None or application.rent is None:
        found.append(
            Obstacle(
                "home",
                _t("The terms are not complete."),
                _t("Give the contract, the first day and the rent."),
            )
        )
    if application.place is not None and application.start is not None:
        found += against_home(application.place, application.kind, start=application.start, on=on)
        found += _against_terms(application, on)
        found += _against_income(application, on)
    found += _to_judge(application, on)
    return found


def against_home(place: Place, kind: str, *, start: date, on: date) -> list[Obstacle]:
    """Why a place may not be let from a day: not held, out of service, occupied, under an order, its label."""
    found = []
    structure = place.unit.structure.kind if place.unit.structure_id else None
    if kind and not fits(KINDS[kind], structure):
        found.append(
            Obstacle(
                "home",
                _t("A contract of this kind is not for this home."),
                _t("Correct the kind of contract, or choose another home."),
            )
        )
    if not Holding.objects.on(start).filter(unit=place.unit_id).exists():
        found.append(_of_database("occupancy_starts_while_held"))
    if OutOfService.objects.on(start).filter(unit=place.unit_id).exists():
        found.append(_of_database("occupancy_starts_in_service"))
    stays = Occupancy.objects.filter(Q(end=None) | Q(end__gt=start), place=place)
    if there := stays.select_related("lease").order_by("start").first():
        words = _t("Lease %(reference)s occupies this place from %(day)s on.") % {
            "reference": there.lease.reference,
            "day": day_text(max(there.start, start)),
        }
        if there.end:
            words = _t("Lease %(reference)s occupies this place until %(day)s.") % {
                "reference": there.lease.reference,
                "day": day_text(there.end - ONE_DAY),
            }
        found.append(Obstacle("home", words, _t("Record the return of its keys, or give a later first day.")))
    orders = SafetyOrder.objects.filter(unit=place.unit_id, notified_on__lte=start, released_on=None)
    if order := orders.first():
        found.append(
            Obstacle(
                "home",
                _t("An order forbids to let this home: %(order)s (CCH, art. L. 521-2).") % {"order": order},
                _t("Wait for its release, or choose another home."),
            )
        )
    # A stay in a structure is no letting: its building answers to other rules.
    if not kind or KINDS[kind].amount_due in (IS_RENT, REDEVANCE):
        label = with_label(Unit.objects.filter(pk=place.unit_id), on).values_list("label", flat=True).get()
        letting = may_be_let(label, contract_date=on)
        if not letting:
            found.append(
                Obstacle(
                    "home",
                    f"{letting.reason} ({letting.legal_ref})",
                    _t("Have the works or the survey made before letting."),
                )
            )
    return found


def _against_terms(application: Application, on: date) -> list[Obstacle]:
    """The rent above the home's ceiling, the deposit above the contract's."""
    found = []
    unit, rent = application.place.unit, application.rent
    if rent is not None and unit.rent_ceiling is not None and rent > unit.rent_ceiling:
        found.append(
            Obstacle(
                "home",
                _t("The rent, %(rent)s, is above the ceiling of the home's financing, %(ceiling)s.")
                % {"rent": euros_text(rent), "ceiling": euros_text(unit.rent_ceiling)},
                _t("Ask for at most that."),
            )
        )
    if rent is not None and application.kind and application.deposit:
        most = ceiling_of(application.kind, on=on, rent=rent, charges=application.charges or euros(0))
        if most is not None and application.deposit > most:
            found.append(
                Obstacle(
                    "home",
                    _t("The deposit, %(deposit)s, is above the ceiling of this contract, %(ceiling)s.")
                    % {"deposit": euros_text(application.deposit), "ceiling": euros_text(most)},
                    _t("Ask for at most that."),
                )
            )
    return found


def ceiling_for(application: Application, *, on: date) -> IncomeCeiling | None:
    """The income ceiling of the home proposed, for this household; None where there is none, or none known."""
    unit = application.place.unit
    return income_ceiling(
        unit.financing,
        commune_code=unit.building.commune_code,
        adults=application.adults,
        children=application.children,
        higher=application.higher_category,
        on=on,
    )


def _against_income(application: Application, on: date) -> list[Obstacle]:
    """The tax income above the ceiling of the home, or not known where there is one."""
    unit, most = application.place.unit, ceiling_for(application, on=on)
    if most is None:
        if unit.financing == Unit.Financing.FREE:
            return []
        return [
            Obstacle(
                "income",
                _t("The income ceiling of this home is not known here."),
                _t("Check it in the convention of the home."),
                grave=False,
            )
        ]
    if application.tax_income is None:
        return [
            Obstacle(
                "income",
                _t("The tax income is not known; the ceiling is %(ceiling)s.")
                % {"ceiling": euros_text(most.amount)},
                _t("Enter the tax income of %(year)s.") % {"year": income_year(on)},
            )
        ]
    found = []
    if application.tax_year != income_year(on):
        found.append(
            Obstacle(
                "income",
                _t("The tax income is not that of %(year)s.") % {"year": income_year(on)},
                _t("A later year counts only where the income fell by a tenth: keep its proof."),
                grave=False,
            )
        )
    if application.tax_income > most.amount:
        words = _t(
            "Tax income %(income)s: above the ceiling of category %(category)s, %(ceiling)s (%(law)s)."
        ) % {
            "income": euros_text(application.tax_income),
            "category": most.category,
            "ceiling": euros_text(most.amount),
            "law": most.rule.legal_ref,
        }
        found.append(
            Obstacle(
                "income",
                words,
                _t("Propose another home, or enter the reference of the derogation."),
                grave=not application.waiver,
            )
        )
    return found


def _to_judge(application: Application, on: date) -> list[Obstacle]:
    """What does not forbid the signature, and is to be known before it."""
    found = []
    missing = [str(one) for one in application.documents.all() if one.received_on is None]
    if missing:
        found.append(
            Obstacle(
                "documents",
                _t("Not received: %(documents)s.") % {"documents": ", ".join(missing)},
                grave=False,
            )
        )
    means = means_of(application, on=on)
    if means is not None and means.effort is None:
        found.append(Obstacle("income", _t("The income a month is not known."), grave=False))
    if means is not None and means.heavy:
        found.append(
            Obstacle("income", _t("The household would pay a heavy share of its income."), grave=False)
        )
    if means is not None and means.thin:
        found.append(Obstacle("income", _t("Little would be left to live on each day."), grave=False))
    lived = occupation_of(application, on=on)
    if lived is not None and lived.state != "fits":
        found.append(Obstacle("home", f"{lived.reason} ({lived.legal_ref})", grave=False))
    if application.held_until is not None and application.held_until < on and application.running:
        found.append(
            Obstacle(
                "household",
                _t("The reservation lapsed on %(day)s.") % {"day": day_text(application.held_until)},
                _t("Ask its holder for more time."),
                grave=False,
            )
        )
    return found


def _of_database(code: str) -> Obstacle:
    reason, remedy = SENTENCES[code]
    return Obstacle("home", str(reason), str(remedy))


def _refuse_grave(application: Application, on: date) -> None:
    for one in obstacles(application, on=on):
        if one.grave:
            raise ApplicationRefused(application.reference, one.reason, one.remedy)


# ---- the steps ----------------------------------------------------------------------------------


def steps(application: Application, against: list[Obstacle], on: date) -> list[Step]:
    """The steps of a file in order, from what stands against it; the first one not done is next, or late."""
    grave = {one.subject for one in against if one.grave}
    documents = list(application.documents.all())
    received = [one for one in documents if one.received_on]
    signed = application.lease
    told = [
        ("household", _("Household"), "household" not in grave, application.opened_on, None,
         _t("%(persons)s persons") % {"persons": application.persons}),
        ("home", _("Home and terms"), "home" not in grave, None, application.held_until,
         application.place.reference if application.place else ""),
        ("income", _("Income"), "income" not in grave and application.monthly_income is not None, None, None, ""),
        ("documents", _("Documents"), len(received) == len(documents), None, None,
         f"{len(received)}/{len(documents)}"),
        ("offer", _("Offer"), application.offered_on is not None, application.offered_on,
         application.held_until, ""),
        ("answer", _("Answer"), application.accepted_on is not None, application.accepted_on,
         application.answer_by, ""),
        ("signature", _("Signature of the lease"), signed is not None, signed.signed_on if signed else None,
         application.start, signed.reference if signed else ""),
    ]  # fmt: skip
    made, found_next = [], not application.running
    for code, label, done, day, by, words in told:
        state = DONE if done else LATER if found_next else NEXT
        if state == NEXT:
            # Documents may still come after the offer: the next step stays open.
            found_next = code != "documents"
            state = LATE if by and on > by else NEXT
        made.append(Step(code, label, state, day, None if done else by, words))
    return made


# ---- the offer, the signature -----------------------------------------------------------------


def offer_home(application: Application, *, on: date, by, answer_by: date | None = None) -> Application:
    """Offer the home on the terms of the file (*proposition de logement*).

    Raises ApplicationRefused for what would forbid the signature, or where it is offered already.
    """
    with transaction.atomic():
        kept = running_file(application)
        if kept.offered_on:
            raise ApplicationRefused(
                kept.reference,
                _("The home is offered already."),
                _("Record the answer, or take the offer back."),
            )
        if answer_by is not None and answer_by < on:
            raise ApplicationRefused(
                kept.reference, _("The answer would be due before the offer."), _("Give a later day.")
            )
        _refuse_grave(kept, on)
        kept.offered_on, kept.answer_by = on, answer_by
        kept.save(update_fields=["offered_on", "answer_by"])
        audit.record(by, "offer", "application", kept.pk)
    return kept


def sign_lease(
    application: Application, *, on: date, by, now: datetime, due_day: int = 5,
    billing: str = Lease.Billing.IN_ADVANCE, iban: str = "", deposit_asked: bool = True,
    leaves: Lease | None = None,
) -> Lease:  # fmt: skip
    """Sign the lease of an accepted file: lease, parties, terms, occupation, payer's account, deposit; all or nothing.

    on: the day of signature. iban: the account the rent will be paid from, if told. deposit_asked: call
    the deposit at once, due on the first day. leaves: the lease of another home that ends the day before
    (*mutation*); its keys and its deposit follow their own course. Months called already are looked at
    again by the next run.
    Raises ApplicationRefused where the offer is not accepted, or for the first grave obstacle; Refusal for
    what only the database saw.
    """
    try:
        with transaction.atomic():
            kept = running_file(application)
            if kept.accepted_on is None:
                raise ApplicationRefused(
                    kept.reference, _("The offer is not accepted yet."), _("Record the answer first.")
                )
            _refuse_grave(kept, on)
            lease = open_lease(
                Lease(
                    kind=kept.kind,
                    household=kept.household,
                    signed_on=on,
                    start=kept.start,
                    billing=billing,
                    due_day=due_day,
                    deposit=kept.deposit or euros(0),
                ),
                place=kept.place,
                terms={RENT: kept.rent, CHARGES: kept.charges or euros(0)},
                tenants=_tenants(kept),
                iban=iban,
                now=now,
            )
            kept.lease = lease
            kept.save(update_fields=["lease"])
            if leaves is not None:
                _leave(kept, leaves, by=by, now=now)
            if deposit_asked and lease.deposit > euros(0):
                call_deposit(lease, on=on, by=by, now=now)
            audit.record(by, "sign", "application", kept.pk, lease=lease.pk)
    except DatabaseError as error:
        raise refusal_of(error, application.reference) from error
    return lease


def _leave(application: Application, lease: Lease, *, by, now: datetime) -> None:
    """End the household's former lease the day before the new one (*mutation*)."""
    if lease.household_id != application.household_id or lease.end is not None:
        raise ApplicationRefused(
            application.reference,
            _("Lease %(lease)s is not a running lease of this household.") % {"lease": lease.reference},
            _("Choose the lease that the household leaves."),
        )
    end_lease(
        lease,
        last_day=application.start - ONE_DAY,
        reason=Lease.EndReason.TRANSFER,
        by=by,
        now=now,
    )


def open_lease(
    lease: Lease,
    *,
    place: Place,
    terms: dict[int, Money],
    tenants: list[LeaseParty],
    now: datetime,
    iban: str = "",
) -> Lease:
    """Save a new lease with all that it needs to be called: references, parties, terms, occupation, accounts.

    Within a transaction; the database's guards hold for the place. Raises DepositRefused above the ceiling.
    """
    lease.payment_reference = f"#{secrets.token_hex(5)}"
    numbered(lease, "B")
    lease.payment_reference = _free_reference(lease.pk)
    lease.save(update_fields=["payment_reference"])
    for party in tenants:
        party.lease, party.start = lease, lease.start
    LeaseParty.objects.bulk_create(tenants)
    RentTerm.objects.bulk_create(
        RentTerm(lease=lease, item=item, amount=amount, start=lease.start)
        for item, amount in terms.items()
        # Nothing asked is no term, save for the rent: a lease without one is not called.
        if item == RENT or amount > euros(0)
    )
    most = ceiling(lease)
    if most is not None and lease.deposit > most:
        raise DepositRefused(
            lease.reference,
            _("The deposit, %(deposit)s, is above the ceiling of this contract, %(ceiling)s.")
            % {"deposit": euros_text(lease.deposit), "ceiling": euros_text(most)},
            _("Ask for at most that."),
        )
    Occupancy.objects.create(place=place, lease=lease, start=lease.start)
    if iban:
        PayerIban.objects.create(lease=lease, iban=iban, since=lease.start)
    rents.open_accounts()
    rents.learn_late([lease.pk], since=lease.start, reason="lease signed", now=now)
    return lease


def _free_reference(number: int) -> str:
    """The payment reference of a lease by its number; a later one where an imported lease has it already."""
    while Lease.objects.filter(payment_reference=payment_reference(number)).exists():
        number = (number + STRIDE) % 10**7
    return payment_reference(number)


def _tenants(application: Application) -> list[LeaseParty]:
    """Who signs: the head of the household, and the joint tenant named in the file."""
    heads = Membership.objects.filter(household=application.household_id, role=Membership.Role.HEAD)
    head = heads.filter(Q(end=None) | Q(end__gt=application.start)).order_by("-start", "pk").first()
    if head is None:
        raise ApplicationRefused(
            application.reference, _("Nobody of this household can sign."), _("Name its head first.")
        )
    found = [LeaseParty(person_id=head.person_id, role=LeaseParty.Role.TENANT)]
    if application.partner_id and application.partner_id != head.person_id:
        found.append(LeaseParty(person_id=application.partner_id, role=LeaseParty.Role.CO_TENANT))
    return found
