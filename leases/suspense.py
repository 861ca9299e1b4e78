"""Money still to identify (*compte d'attente*): suggested, settled, taken back.

Amount and name suggest, in words and in order; somebody decides.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.money import euros
from core.periods import ONE_DAY, first_of_month
from leases import ledger, matching
from leases.bank import Allocation, Movement, add_allocations, book_account
from leases.bank_accounts import BankAccount
from leases.households import Membership, Person
from leases.lease import Lease, LeaseParty, PayerIban
from leases.ledger import Account, Posting
from leases.occupancy import Occupancy
from leases.rent import RentCall, RentRun

SETTLED_TO = {
    ledger.TENANT, ledger.BENEFIT, ledger.CASH, ledger.CHEQUES, ledger.CARDS, ledger.SUPPLIER, ledger.PAID_OUT,
}  # fmt: skip
"""Kinds of account that a movement may be of, besides the charges of its own bank account."""


class CannotSettle(Refusal):
    """A suspense line that cannot be settled so."""


class Put(NamedTuple):
    """A part of a suspense line and where it goes: EUR of the line's sign; month, if it is for one."""

    target: Lease | Account
    amount: Money
    month: date | None = None


def paid_account(lease: Lease) -> Account:
    """The lease's tenant account that a payment goes to: of its latest call, else its last opened.

    Opened in the association's book where the lease has none.
    """
    call = RentCall.objects.of([lease.pk]).order_by("-month", "-item", "-account").first()
    account = (
        call.account
        if call
        else Account.objects.filter(lease=lease, kind=ledger.TENANT).order_by("-pk").first()
    )
    if account is None:
        matching.open_tenant_accounts()
        account = Account.objects.get(lease=lease, kind=ledger.TENANT)
    return account


def benefit_account(lease: Lease) -> Account:
    """The lease's account of housing benefit, in the book that its tenant pays to; opened if need be."""
    book = paid_account(lease).book_id
    return Account.objects.get_or_create(lease=lease, kind=ledger.BENEFIT, book_id=book)[0]


def charges_account(bank: BankAccount) -> Account:
    """Where the charges of a bank account go."""
    return Account.objects.get(pk=book_account(bank, ledger.EXPENSE))


def settle(
    allocation: Allocation,
    parts: Sequence[tuple | Put],
    *,
    by,
    on: date,
    now: datetime,
    remember_iban: bool = False,
) -> list[Allocation]:
    """Put a suspense line, or a part of it, where it belongs (*affectation manuelle*).

    parts: Put each, or tuples of the same: a lease (its tenant's account) or an account, EUR, month.
    A month given for a tenant is the payer's own choice (Code civil, art. 1342-10).
    remember_iban: know the payer's account for this lease from now on; one lease only.
    Raises CannotSettle: more than what is left, wrong sign, nothing, a date before the movement's.
    """
    parts = [Put(*part) for part in parts]
    with transaction.atomic():
        movement = Movement.objects.select_for_update().select_related("bank").get(pk=allocation.movement_id)
        _check_parts(allocation, parts, movement, on)
        accounts = [
            part.target if isinstance(part.target, Account) else paid_account(part.target) for part in parts
        ]
        for account in accounts:
            _check_target(account, movement.bank)
        made = [
            Allocation(
                movement=movement,
                account=account,
                lease_id=account.lease_id,
                amount=part.amount,
                on=on,
                how="manual",
                month=part.month,
                chosen=part.month is not None and account.kind == ledger.TENANT,
                settles=allocation,
                by=by,
            )
            for part, account in zip(parts, accounts, strict=True)
        ]
        made = add_allocations(movement, made, label="Settlement", now=now)
        leases = sorted({one.lease_id for one in made if one.lease_id})
        if remember_iban and movement.counterparty_iban and len(leases) == 1:
            PayerIban.objects.get_or_create(
                lease_id=leases[0], iban=movement.counterparty_iban, defaults={"since": on}
            )
        audit.record(by, "settle", "suspense", allocation.pk, leases=leases, made=[one.pk for one in made])
    return made


def unsettle(allocation: Allocation, *, by, on: date, now: datetime) -> list[Allocation]:
    """Take back what was put to an account (*annulation d'affectation*), by its opposite.

    The money goes back to the suspense line it came from; what a rule had placed becomes one.
    Raises CannotSettle when it is in suspense, or was taken back already.
    """
    with transaction.atomic():
        movement = Movement.objects.select_for_update().select_related("bank").get(pk=allocation.movement_id)
        kept = Allocation.objects.select_related("account").get(pk=allocation.pk)
        place = _("movement %(id)s") % {"id": movement.pk}
        if kept.account.kind == ledger.SUSPENSE:
            raise CannotSettle(place, _("This is in suspense already."), _("Settle it."))
        if kept.undoes_id or kept.undone_by.exists():
            raise CannotSettle(
                place, _("This was already taken back."), _("Look at the movement's lines again.")
            )
        common = {"movement": movement, "on": on, "by": by}
        made = [
            Allocation(
                account_id=kept.account_id,
                lease_id=kept.lease_id,
                amount=-kept.amount,
                how="manual",
                settles_id=kept.settles_id,
                undoes=kept,
                **common,
            )
        ]
        if kept.settles_id is None:
            suspense = book_account(movement.bank, ledger.SUSPENSE)
            made.append(Allocation(account_id=suspense, amount=kept.amount, how="suspense", **common))
        made = add_allocations(movement, made, label="Taken back", now=now)
        audit.record(by, "settle", "suspense", kept.pk, taken_back=True, made=[one.pk for one in made])
    return made


def _check_parts(allocation: Allocation, parts: list[Put], movement: Movement, on: date) -> None:
    place = _("suspense line %(id)s") % {"id": allocation.pk}
    if on < movement.booked:
        raise CannotSettle(
            place,
            _("It came on %(day)s: it cannot be settled before.") % {"day": f"{movement.booked:%d/%m/%Y}"},
            _("Give that day or a later one."),
        )
    found = Allocation.objects.in_suspense().filter(pk=allocation.pk).first()
    left = found.left if found else euros(0)
    total = sum((part.amount for part in parts), euros(0))
    sign = 1 if left > euros(0) else -1
    if not left:
        raise CannotSettle(
            place, _("Nothing is left of it."), _("Somebody settled it: look at the list again.")
        )
    if not parts or any(part.amount * sign <= euros(0) for part in parts):
        raise CannotSettle(
            place, _("Each part must be an amount of the same sign as the line."), _("Correct the amounts.")
        )
    if total * sign > left * sign:
        raise CannotSettle(
            place,
            _("The parts add up to %(total)s EUR; %(left)s EUR is left.")
            % {"total": total.amount, "left": left.amount},
            _("Correct the amounts."),
        )


def _check_target(account: Account, bank: BankAccount) -> None:
    own_charges = account.kind == ledger.EXPENSE and account.book_id == bank.book_id
    if account.kind not in SETTLED_TO and not own_charges:
        raise CannotSettle(
            _("account %(account)s") % {"account": account},
            _(
                "A movement is settled to a lease, its benefit, the desk, a supplier, an owner or the bank's charges."
            ),
            _("Choose a lease."),
        )


# ---- what a line may be --------------------------------------------------------------------

MOST_CANDIDATES = 200
# Words of banks and of politeness, that are nobody's name.
_COMMON = (
    "VIR VIREMENT VRT SEPA RECU RECUE INST DE DU DES LA LE LES ET OU MR MME MLE MLLE MONSIEUR MADAME"
    " LOYER LOYERS APL REF MOTIF PAIEMENT REGLEMENT PRLV CHQ CHEQUE REMISE MOIS JANVIER FEVRIER MARS AVRIL"
    " MAI JUIN JUILLET AOUT SEPTEMBRE OCTOBRE NOVEMBRE DECEMBRE"
)
_COMMON_WORDS = frozenset(_COMMON.split())
# Banks lose the accents that names have.
_ACCENTS = str.maketrans(
    {"A": "[AÀÂÄàâä]", "C": "[CÇç]", "E": "[EÉÈÊËéèêë]", "I": "[IÎÏîï]", "O": "[OÔÖôö]", "U": "[UÙÛÜùûü]"}
)
_NUMBER = re.compile(r"(?<![0-9])L?[ .\-]?([0-9]{7})[0-9]{0,2}(?![0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A lease that a suspense line may be of, and why, in words (*proposition*).

    points: the more, the likelier; they only order. balance: EUR owed on its tenant's account.
    """

    lease: Lease
    points: int
    reasons: tuple[str, ...]
    balance: Money
    payer: str = ""


def suggestions(allocation: Allocation, *, most: int = 6) -> list[Suggestion]:
    """Leases that a line may be of, the likeliest first; a dozen queries whatever the stock.

    By the payer's account, what was settled before from the same payer, a mistyped reference, the
    home's or the lease's reference in the label, the names of those who live there; the amount
    strengthens them, and alone suggests only where it is rare.
    """
    movement = allocation.movement
    found: dict[int, dict[str, int]] = {}

    def say(lease_ids, points: int, reason) -> None:
        for lease_id in lease_ids:
            found.setdefault(lease_id, {})[str(reason)] = points

    say(_known_by_iban(movement), 50, _("This account is known for this lease."))
    say(_settled_before(movement), 40, _("The same payer was settled here before."))
    say(_mistyped(movement), 45, _("The reference written is this lease's, mistyped."))
    say(_references_written(movement), 40, _("The reference of the lease or of the home is written."))
    for lease_ids, points, reason in _named(movement):
        say(lease_ids, points, reason)
    amount = abs(allocation.left if hasattr(allocation, "left") else allocation.amount)
    if len(found) < most and allocation.amount > euros(0):
        say(_calls_of(amount, movement.booked), 5, _("The amount is what it was called."))
    kept = dict(sorted(found.items(), key=lambda item: -sum(item[1].values()))[:MOST_CANDIDATES])
    balances = _balances(kept)
    called = _net_calls(kept, movement.booked)
    for lease_id in kept:
        if amount in called.get(lease_id, ()):
            kept[lease_id][str(_("The amount is what it was called."))] = 15
        if amount == balances.get(lease_id):
            kept[lease_id][str(_("The amount is all that it owes."))] = 20
    ranked = sorted(kept.items(), key=lambda item: (-sum(item[1].values()), item[0]))[:most]
    leases = Lease.objects.select_related("household").in_bulk([lease_id for lease_id, _reasons in ranked])
    names = _names(leases.values())
    return [
        Suggestion(
            leases[lease_id],
            sum(reasons.values()),
            tuple(sorted(reasons, key=reasons.get, reverse=True)),
            balances.get(lease_id, euros(0)),
            names.get(lease_id, ""),
        )
        for lease_id, reasons in ranked
    ]


def _known_by_iban(movement: Movement):
    if not movement.counterparty_iban:
        return []
    return PayerIban.objects.filter(iban=movement.counterparty_iban).values_list("lease", flat=True)


def _settled_before(movement: Movement):
    """Uses movement_counterparty."""
    if not movement.counterparty:
        return []
    before = Allocation.objects.filter(
        movement__counterparty=movement.counterparty,
        how="manual",
        lease__isnull=False,
        undone_by=None,
        undoes=None,
    )
    return before.values_list("lease", flat=True).distinct()[:MOST_CANDIDATES]


def _said(movement: Movement) -> str:
    return f"{movement.remittance} {movement.label} {movement.end_to_end}"


def _mistyped(movement: Movement):
    """Leases whose number is written with wrong check digits, or without them."""
    numbers = _NUMBER.findall(_said(movement))[:5]
    if not numbers:
        return []
    close = Q()
    for number in numbers:
        close |= Q(payment_reference__startswith=f"L{number}")
    return Lease.objects.filter(close).values_list("pk", flat=True)[:5]


def _references_written(movement: Movement):
    words = [
        w for w in re.findall(r"[0-9A-Z][0-9A-Z./\-]{2,19}", _said(movement).upper()) if re.search("[0-9]", w)
    ]
    if not words:
        return []
    there = Occupancy.objects.on(movement.booked).filter(
        Q(place__unit__reference__in=words) | Q(place__reference__in=words)
    )
    return Lease.objects.filter(Q(reference__in=words) | Q(pk__in=there.values("lease"))).values_list(
        "pk", flat=True
    )[:MOST_CANDIDATES]


def _named(movement: Movement):
    """(leases, points, reason) of persons whose name is written. Uses person_name."""
    words = re.findall(r"[A-Z]{3,}", _plain(f"{movement.counterparty} {_said(movement)}"))
    words = [word for word in dict.fromkeys(words) if word not in _COMMON_WORDS][:12]
    if not words:
        return
    pairs = [f"{a}{mark}{b}" for a, b in pairwise(words) for mark in " -"]
    spelt = {form for word in (*words, *pairs) for form in (word, word.title())}
    persons = Person.objects.only("pk", "last_name", "first_name")
    people = list(persons.filter(last_name__in=spelt)[:MOST_CANDIDATES])
    if not people:
        accented = "|".join(word.translate(_ACCENTS) for word in (*words, *pairs))
        people = list(persons.filter(last_name__iregex=f"^({accented})$")[:MOST_CANDIDATES])
    whole, partly = [], []
    for person in people:
        first = _plain(person.first_name)
        (whole if first and first in words else partly).append(person.pk)
    for persons, points, reason in (
        (whole, 35, _("The first and last names are of somebody who lives there or signed.")),
        (partly, 20, _("The last name is of somebody who lives there or signed.")),
    ):
        if persons:
            homes = Membership.objects.filter(person__in=persons).values("household")
            signed = LeaseParty.objects.filter(person__in=persons).values("lease")
            leases = Lease.objects.filter(Q(household__in=homes) | Q(pk__in=signed))
            yield leases.values_list("pk", flat=True)[:MOST_CANDIDATES], points, reason


def _plain(text: str) -> str:
    """Capitals without accents."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().upper()


def _calls_of(amount: Money, booked: date) -> list[int]:
    """Leases whose net call of the month is that amount, if they are at most five. Uses rent_call_run."""
    calls = RentCall.objects.filter(run__in=RentRun.objects.filter(month=first_of_month(booked)).values("pk"))
    found = (
        calls.values("lease")
        .annotate(net=Sum("amount"))
        .filter(net=amount)
        .values_list("lease", flat=True)[:6]
    )
    return list(found) if len(found) <= 5 else []


def _net_calls(leases, booked: date) -> dict[int, set[Money]]:
    """Net calls of the month and of the month before, lease by lease."""
    month = first_of_month(booked)
    months = (month, first_of_month(month - ONE_DAY))
    called: dict[int, set[Money]] = {}
    rows = RentCall.objects.filter(lease__in=list(leases), month__in=months).values_list("lease", "month")
    for lease_id, _month, net in rows.annotate(net=Sum("amount")).order_by():
        called.setdefault(lease_id, set()).add(net)
    return called


def _balances(leases) -> dict[int, Money]:
    """What each of these leases owes on its tenant's accounts, EUR."""
    owed: dict[int, Money] = {}
    for side, sign in (("debit", 1), ("credit", -1)):
        accounts = Account.objects.filter(lease__in=list(leases), kind=ledger.TENANT)
        rows = Posting.objects.filter(**{f"{side}__in": accounts}).values_list(f"{side}__lease")
        for lease_id, total in rows.annotate(total=Sum("amount")).order_by():
            owed[lease_id] = owed.get(lease_id, euros(0)) + total * sign
    return owed


def _names(leases) -> dict[int, str]:
    """Who signed each lease, in a line."""
    names: dict[int, list[str]] = {}
    parties = LeaseParty.objects.filter(lease__in=list(leases)).exclude(role=LeaseParty.Role.SURETY)
    for party in parties.select_related("person").order_by("lease", "role", "pk"):
        names.setdefault(party.lease_id, []).append(str(party.person))
    return {lease_id: ", ".join(dict.fromkeys(people)) for lease_id, people in names.items()}
