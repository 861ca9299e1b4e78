"""Deposits (*dépôts de garantie*): called, held, kept in part with proof, given back in time.

What is held is the balance of the lease's deposit account, nothing else; what is kept or given back
passes by the tenant's account, so that debts are set off there and the account says it all.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.law import Rule, rule
from core.money import EuroField, allocate, euros, floor_cents, round_cents
from core.periods import ONE_DAY, add_months
from core.templatetags.gla import euros_text
from leases import ledger, operations, rent
from leases.kinds import KINDS, LeaseKind, deposit_cap
from leases.lease import Lease
from leases.ledger import Account, Posting
from leases.operations import DEPOSIT_CALLED, FREE, Operation
from leases.suspense import paid_account
from leases.tenancy.inspections import picture_kind
from leases.tenancy.wear import CATEGORIES, after_wear, tenants_share
from leases.tenant_account import open_items
from leases.terms import CHARGES, RENT, RentTerm

PROOF_BYTES = 10_000_000


class DepositRefused(Refusal):
    """An act on a deposit that its amount, its ceiling or its state forbids."""


class Deposit(models.Model):
    """Who gave the deposit of a lease, and how (*dépôt de garantie*); its amount stands in the ledger.

    payer: who advanced it. taken_over: held before this program kept the accounts.
    """

    class Payer(models.TextChoices):
        TENANT = "tenant", _("The tenant")
        LOCA_PASS = "loca_pass", _("Action Logement (Loca-Pass advance)")
        FSL = "fsl", _("Solidarity fund (FSL)")
        OTHER = "other", _("Someone else")

    lease = models.OneToOneField(Lease, models.PROTECT, related_name="deposit_given")
    payer = models.CharField(_("paid by"), max_length=10, choices=Payer, default=Payer.TENANT)
    payer_name = models.CharField(_("name of the payer"), max_length=80, blank=True)
    since = models.DateField(_("since"))
    taken_over = models.BooleanField(_("taken over"), default=False)

    class Meta:
        verbose_name, verbose_name_plural = _("deposit"), _("deposits")

    def __str__(self):
        return f"{self.lease_id}"


# ---- what may be asked, what is held ------------------------------------------------------


def ceiling(lease: Lease) -> Money | None:
    """The most that may be asked, EUR (*plafond*): months of rent, or of redevance, at the first day.

    None where the contract decides. Charges count only in a redevance.
    """
    kind = KINDS[lease.kind]
    terms = RentTerm.objects.on(lease.start).filter(lease=lease, item__in=[RENT, CHARGES])
    sums = {row["item"]: row["sum"] for row in terms.values("item").annotate(sum=Sum("amount"))}
    nothing = euros(0)
    return ceiling_of(
        kind.code, on=lease.signed_on, rent=sums.get(RENT, nothing), charges=sums.get(CHARGES, nothing)
    )


def ceiling_of(kind: str, *, on: date, rent: Money, charges: Money) -> Money | None:
    """The same of a contract to be signed on a day at these monthly amounts, EUR."""
    regime = KINDS[kind]
    months = deposit_cap(regime, on=on)
    if months is None:
        return None
    monthly = rent + charges if regime.deposit_basis == "redevance" else rent
    return floor_cents(monthly * Decimal(months))


def held(lease: Lease) -> Money:
    """What is held of a lease's deposit, EUR: called or taken over, less what was given back."""
    return held_by_lease([lease.pk])[lease.pk]


def held_by_lease(lease_ids: Iterable[int]) -> dict[int, Money]:
    """What is held for each of these leases, EUR; two queries."""
    found = dict.fromkeys(lease_ids, euros(0))
    for side, sign in (("credit", 1), ("debit", -1)):
        rows = Posting.objects.filter(
            **{f"{side}__kind": ledger.DEPOSIT, f"{side}__lease__in": list(found)}
        ).values_list(f"{side}__lease")
        for pk, total in rows.annotate(total=Sum("amount")).order_by():
            found[pk] += total * sign
    return found


def deposit_accounts(lease: Lease) -> list[tuple[Account, Money]]:
    """The deposit accounts of a lease that still hold something, locked, with what they hold."""
    accounts = Account.objects.select_for_update(of=("self",)).filter(lease=lease, kind=ledger.DEPOSIT)
    found = []
    for account in accounts.order_by("pk"):
        told = Posting.objects.filter(Q(debit=account) | Q(credit=account)).values_list("credit", "amount")
        left = sum((amount if side == account.pk else -amount for side, amount in told), euros(0))
        if left > euros(0):
            found.append((account, left))
    return found


def called(lease: Lease) -> list[Operation]:
    """The standing calls and takings-over of a lease's deposit."""
    rows = Operation.objects.filter(
        Q(kind=DEPOSIT_CALLED) | Q(kind=FREE, key__startswith="deposit "),
        credit__kind=ledger.DEPOSIT,
        credit__lease=lease,
        undoes=None,
        undone_by=None,
    )
    return list(rows.order_by("due", "pk"))


def call_deposit(
    lease: Lease, *, on: date, by, now: datetime, amount: Money | None = None, due: date | None = None,
    payer: str = Deposit.Payer.TENANT, payer_name: str = "", instalments: int = 1,
) -> list[Operation]:  # fmt: skip
    """Ask for the deposit (*appel du dépôt de garantie*): once a lease, in monthly instalments if agreed.

    amount: the one of the lease unless said. due: the first day of the lease, or `on` where later.
    Raises DepositRefused above the ceiling of the contract, for nothing, or where it is called already.
    """
    amount = lease.deposit if amount is None else amount
    due = due or max(on, lease.start)
    with transaction.atomic():
        Lease.objects.select_for_update().get(pk=lease.pk)
        _check_amount(lease, amount)
        if called(lease):
            raise DepositRefused(
                lease.reference,
                _("The deposit of this lease is called already."),
                _("Undo that call first if it is wrong."),
            )
        tenant = paid_account(lease)
        kept = operations.account(ledger.DEPOSIT, book=tenant.book_id, lease=lease)
        label = "" if payer == Deposit.Payer.TENANT else f"{Deposit.Payer(payer).label} {payer_name}".strip()
        before = Operation.objects.filter(kind=DEPOSIT_CALLED, key__startswith=f"deposit {lease.pk} ").count()
        drafts = [
            Operation(
                kind=DEPOSIT_CALLED,
                key=f"deposit {lease.pk} {before + at + 1}",
                **operations.between(tenant, kept),
                amount=part,
                on=on,
                due=add_months(due, at),
                label=str(_("Deposit: %(payer)s") % {"payer": label})[:120] if label else "",
            )
            for at, part in enumerate(allocate(amount, [1] * instalments))
        ]
        operations.post(drafts, label=f"Deposit {lease.reference}", by=by, now=now)
        Deposit.objects.update_or_create(
            lease=lease, defaults={"payer": payer, "payer_name": payer_name, "since": on, "taken_over": False}
        )
        audit.record(by, "call", "deposit", lease.pk)
    return drafts


def undo_call(lease: Lease, *, on: date, reason: str, by, now: datetime) -> None:
    """Undo a deposit called or taken over by mistake, by its opposite.

    Raises DepositRefused where nothing is called, or a part was given back since.
    """
    with transaction.atomic():
        Lease.objects.select_for_update().get(pk=lease.pk)
        made = called(lease)
        if not made or sum((one.amount for one in made), euros(0)) != held(lease):
            raise DepositRefused(
                lease.reference,
                _("There is no whole deposit to undo."),
                _("Undo what was given back of it first."),
            )
        for one in made:
            operations.undo(one, on=on, reason=reason, by=by, now=now)
        Deposit.objects.filter(lease=lease).delete()
        audit.record(by, "undo", "deposit", lease.pk)


def take_over_deposits(leases: Iterable[Lease], *, on: date, by, now: datetime) -> int:
    """Take over deposits that were paid before this program kept the accounts (*reprise des dépôts*).

    The amount of each lease is held from `on`, against the opening balances of its book: the tenant
    owes nothing for it. A lease whose deposit is known already is left alone, so that the same list
    again changes nothing. Gives back how many were taken over; as many queries whatever their number.
    """
    with transaction.atomic():
        wanted = {lease.pk: lease for lease in leases if lease.deposit > euros(0)}
        known = set(Deposit.objects.filter(lease__in=list(wanted)).values_list("lease", flat=True))
        wanted = {pk: lease for pk, lease in wanted.items() if pk not in known}
        tenants = operations.tenant_accounts(wanted)
        if wanted.keys() - tenants.keys():
            rent.open_accounts()
            tenants = operations.tenant_accounts(wanted)
        wanted = {pk: lease for pk, lease in wanted.items() if pk in tenants}
        books = {pk: tenants[pk].book_id for pk in wanted}
        kept = _opened(ledger.DEPOSIT, {(book, pk) for pk, book in books.items()})
        opening = _opened(ledger.OPENING, {(book, None) for book in books.values()})
        drafts = [
            Operation(
                kind=FREE,
                key=f"deposit {pk} taken over",
                debit=opening[books[pk], None],
                credit=kept[books[pk], pk],
                amount=lease.deposit,
                on=on,
                due=on,
                label=str(_("Deposit taken over")),
            )
            for pk, lease in wanted.items()
        ]
        operations.post(drafts, label=f"Deposits taken over {on:%Y-%m-%d}", by=by, now=now)
        Deposit.objects.bulk_create(
            (Deposit(lease=lease, since=on, taken_over=True) for lease in wanted.values()), batch_size=2_000
        )
        audit.record(by, "take_over", "deposit", "", count=len(drafts))
    return len(drafts)


def _opened(kind: int, wanted: set[tuple[int, int | None]]) -> dict[tuple[int, int | None], Account]:
    """Accounts of a kind by (book, lease); those that are not there yet are opened together."""
    rows = Account.objects.filter(
        kind=kind, book__in={book for book, _lease in wanted}, owner=None, bank=None
    )
    found = {(one.book_id, one.lease_id): one for one in rows}
    missing = sorted(wanted - found.keys(), key=str)
    made = Account.objects.bulk_create(
        (Account(kind=kind, book_id=book, lease_id=lease) for book, lease in missing), batch_size=2_000
    )
    return found | {(one.book_id, one.lease_id): one for one in made}


def _check_amount(lease: Lease, amount: Money) -> None:
    if amount <= euros(0):
        raise DepositRefused(
            lease.reference, _("The lease states no deposit."), _("Give the amount agreed in the lease.")
        )
    most = ceiling(lease)
    if most is not None and amount > most:
        kind = KINDS[lease.kind]
        reason = _("%(amount)s is above the ceiling of this contract, %(ceiling)s (%(law)s).") % {
            "amount": euros_text(amount),
            "ceiling": euros_text(most),
            "law": rule(kind.deposit_cap, on=lease.signed_on).legal_ref,
        }
        raise DepositRefused(lease.reference, reason, _("Ask for at most that."))


@dataclass(frozen=True, slots=True)
class DepositReceipt:
    """What a receipt for a deposit says (*reçu du dépôt de garantie*): EUR called and received on a day."""

    lease: Lease
    on: date
    payer: str
    called: Money
    received: Money


def deposit_receipt(lease: Lease, on: date) -> DepositReceipt:
    """The deposit called and what was received of it: what is still open at its due dates is not.

    Raises DepositRefused where nothing was received.
    """
    given = Deposit.objects.filter(lease=lease).first()
    total, unpaid, still = euros(0), euros(0), dict(open_items(lease, on))
    for one in called(lease):
        total += one.amount
        if one.kind == DEPOSIT_CALLED:
            unpaid += min(one.amount, still.get(one.due, euros(0)))
    if given is None or total - unpaid <= euros(0):
        raise DepositRefused(
            lease.reference,
            _("Nothing was received for the deposit yet."),
            _("Wait for the payment; the notice says what is due."),
        )
    payer = given.payer_name or str(given.get_payer_display())
    return DepositReceipt(lease, on, payer, total, total - unpaid)


# ---- by when, and what being late costs ---------------------------------------------------

LATE = {"L89_DEPOSIT_RETURN": "L89_DEPOSIT_LATE", "FOYER_DEPOSIT_RETURN": "LEGAL_INTEREST"}
"""What a late return costs, by the rule of its deadline; the contract decides for the others."""


def return_deadline(kind: LeaseKind, *, keys_on: date, conforms: bool | None) -> tuple[date, Rule]:
    """The last day to give the deposit back, from the keys (*délai de restitution*), and the rule.

    conforms: of the exit survey; None, not known yet, counts as conforming: the shorter delay.
    """
    survey = "differs" if conforms is False else "conforms"
    found = rule(kind.deposit_return or "CONTRACT_DEPOSIT_RETURN", on=keys_on, survey=survey)
    days = keys_on + timedelta(days=found.value) if found.unit == "days" else None
    return days or add_months(keys_on, found.value), found


def months_late(deadline: date, on: date) -> int:
    """Months begun after the deadline; 0 up to it (loi 89-462, art. 22)."""
    months = 0
    while add_months(deadline, months) < on:
        months += 1
    return months


def late_cost(
    kind: LeaseKind, *, deadline: date, on: date, rent: Money, owed: Money, address_known: bool = True
) -> Money:
    """What giving the deposit back on a day costs beyond it, EUR, to the cent.

    rent: monthly, charges excluded. owed: what is to be given back; nothing owed, nothing late.
    Under the law of 1989, 10 % of the rent for each month begun, unless the tenant gave no new
    address; in a residence, legal interest by day, by half-year. Where the contract decides, nothing.
    """
    if on <= deadline or owed <= euros(0):
        return euros(0)
    late = LATE.get(kind.deposit_return or "")
    if late == "L89_DEPOSIT_LATE":
        if not address_known:
            return euros(0)
        return round_cents(rent * rule(late, on=deadline).value / 100) * months_late(deadline, on)
    if late == "LEGAL_INTEREST":
        return legal_interest(owed, since=deadline, on=on)
    return euros(0)


def legal_interest(amount: Money, *, since: date, on: date) -> Money:
    """Legal interest on an amount from the day after `since` to `on` included, EUR, to the cent."""
    total, day = Decimal(0), since + ONE_DAY
    while day <= on:
        half = date(day.year + (day.month > 6), 1 if day.month > 6 else 7, 1)
        end = min(half, on + ONE_DAY)
        total += amount.amount * rule("LEGAL_INTEREST", on=day).value * (end - day).days / 36_500
        day = end
    return round_cents(euros(total))


def monthly_rent(lease: Lease, on: date) -> Money:
    """The rent a month, charges excluded, on a day of the lease, or the last one there was, EUR."""
    term = RentTerm.objects.filter(lease=lease, item=RENT, start__lte=on).order_by("-start").first()
    return term.amount if term else euros(0)


def monthly_rents(lease_ids: Iterable[int]) -> dict[int, Money]:
    """The last rent a month of each lease, charges excluded, EUR; one query."""
    rows = RentTerm.objects.filter(lease__in=list(lease_ids), item=RENT).order_by("start")
    return dict(rows.values_list("lease", "amount"))


# ---- what is kept, with proof --------------------------------------------------------------


class Deduction(models.Model):
    """Something kept from what is given back, or charged (*retenue*): proved, after wear.

    category: of the wear table; empty, nothing wears (cleaning, a lost key). cost: EUR of the quote or
    invoice. share: % that stays the tenant's. amount: EUR charged. final: the account that posted it.
    """

    class Nature(models.TextChoices):
        DAMAGE = "damage", _("Damage")
        CLEANING = "cleaning", _("Cleaning")
        MISSING = "missing", _("Missing thing")
        KEYS = "keys", _("Keys or badges")
        REMOVAL = "removal", _("Removal of what was left")

    class Proof(models.TextChoices):
        INVOICE = "invoice", _("Invoice")
        QUOTE = "quote", _("Quote")
        PRICES = "prices", _("Price list of the lease")
        SURVEY = "survey", _("Report of a commissaire de justice")

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="deductions")
    nature = models.CharField(_("nature"), max_length=10, choices=Nature)
    label = models.CharField(_("what"), max_length=100)
    category = models.CharField(_("wears as"), max_length=20, choices=CATEGORIES, blank=True)
    new_since = models.DateField(_("new since"), null=True, blank=True)
    cost = EuroField(_("cost"))
    share = models.PositiveSmallIntegerField(_("tenant's share, %"))
    amount = EuroField(_("charged"))
    proof = models.CharField(_("proof"), max_length=8, choices=Proof, blank=True)
    proof_reference = models.CharField(_("reference of the proof"), max_length=80, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    final = models.ForeignKey(
        "leases.FinalAccount", models.PROTECT, null=True, blank=True, related_name="deductions"
    )

    class Meta:
        verbose_name, verbose_name_plural = _("deduction"), _("deductions")
        constraints = [
            models.CheckConstraint(
                name="deduction_at_most_its_cost",
                condition=Q(amount__gte=0, amount__lte=models.F("cost")),
                violation_error_message=_("What is charged is at most the cost."),
            )
        ]

    def __str__(self):
        return self.label

    @property
    def proved(self) -> bool:
        return bool(self.proof and self.proof_reference)


class DeductionProof(models.Model):
    """The document that proves a deduction (*justificatif*), kept unaltered with its hash."""

    deduction = models.OneToOneField(Deduction, models.CASCADE, related_name="document")
    name = models.CharField(_("name"), max_length=120)
    media = models.CharField(max_length=20)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()

    class Meta:
        verbose_name, verbose_name_plural = _("proof"), _("proofs")

    def __str__(self):
        return self.name


def add_deduction(
    lease: Lease, *, nature: str, label: str, cost: Money, on: date, by, category: str = "",
    new_since: date | None = None, proof: str = "", proof_reference: str = "",
    document: tuple[str, bytes] | None = None,
) -> Deduction:  # fmt: skip
    """Note something to keep from the deposit: what is left of its cost after wear (*retenue*).

    on: day of the damage found, the exit. new_since: when the thing was last new; the entry where it is
    not known, which is the least it may be. document: (name, bytes) of an invoice or quote.
    Raises DepositRefused where it costs nothing, or the document is neither a PDF nor a picture.
    """
    if cost <= euros(0):
        raise DepositRefused(label, _("It costs nothing."), _("Give the cost of the invoice or quote."))
    # What is missing or destroyed wears like what is damaged, in the tenant's favour.
    share = tenants_share(category, new_since=new_since or lease.start, on=on)
    with transaction.atomic():
        made = Deduction.objects.create(
            lease=lease,
            nature=nature,
            label=label,
            category=category,
            new_since=new_since,
            cost=cost,
            share=share,
            amount=after_wear(cost, share),
            proof=proof,
            proof_reference=proof_reference,
            made_by=by,
        )
        if document:
            _keep_proof(made, *document)
        audit.record(by, "add", "deposit", lease.pk, deduction=made.pk)
    return made


def remove_deduction(deduction: Deduction, *, by) -> None:
    """Drop a deduction that no account has posted. Raises DepositRefused."""
    with transaction.atomic():
        kept = Deduction.objects.select_for_update().get(pk=deduction.pk)
        if kept.final_id:
            raise DepositRefused(
                kept.label,
                _("The final account has posted this deduction."),
                _("Undo the final account first."),
            )
        audit.record(by, "remove", "deposit", kept.lease_id, deduction=kept.pk)
        kept.delete()


def _keep_proof(deduction: Deduction, name: str, data: bytes) -> None:
    media = "application/pdf" if data.startswith(b"%PDF") else picture_kind(data)
    if not media or len(data) > PROOF_BYTES:
        raise DepositRefused(
            name,
            _("A proof is a PDF or a picture of at most %(limit)d MB.") % {"limit": PROOF_BYTES // 1_000_000},
            _("Scan it anew, or give only its reference."),
        )
    DeductionProof.objects.create(
        deduction=deduction,
        name=name[-120:],
        media=media,
        sha256=hashlib.sha256(data).hexdigest(),
        content=data,
    )
