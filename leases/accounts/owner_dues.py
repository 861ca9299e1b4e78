"""What is due to and from an owner beside rents and fees (*loyers principaux, garanties, factures, avances*)."""

import hashlib
from collections import defaultdict
from datetime import date, datetime

from django.db import models, transaction
from django.db.models import Max, Q, Sum
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect
from core.errors import Refusal
from core.money import EuroField, euros, from_cents, to_cents
from core.periods import Period
from leases import ledger, operations
from leases.accounts.owner_fees import CannotCount, Posted, Ways, both_sides, leases_of, open_accounts
from leases.accounts.owner_terms import RENT_ANYWAY_TITLES, HeadRent, terms_on
from leases.ledger import Book
from leases.occupancy import Occupancy
from leases.operations import Operation
from leases.rent import prorated
from leases.terms import RENT, RentTerm
from portfolio.owners import OWNERS_BOOK_TITLES, Holding, Owner
from portfolio.stock import Unit


class Guarantee(models.Model):
    """What a guarantee brought a home's owner for a month (*garantie loyers impayés, vacance*).

    amount: EUR, below zero when a tenant paid afterwards. outstanding: what was unpaid at its end.
    """

    class Kind(models.TextChoices):
        UNPAID = "unpaid", _("Unpaid rent")
        VACANCY = "vacancy", _("Vacancy")

    holding = models.ForeignKey(Holding, models.PROTECT, related_name="+")
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    month = models.DateField(_("month"))
    outstanding = EuroField(_("unpaid"))
    amount = EuroField(_("amount"))

    class Meta:
        verbose_name, verbose_name_plural = _("guarantee paid"), _("guarantees paid")
        constraints = [
            models.UniqueConstraint(fields=["holding", "kind", "month"], name="guarantee_once_a_month")
        ]

    def __str__(self):
        return f"{self.holding_id} {self.kind} {self.month:%Y-%m}"


class HeadRentCall(models.Model):
    """What was called of a head rent for a month (*loyer principal appelé*): later versions, the difference."""

    holding = models.ForeignKey(Holding, models.PROTECT, related_name="+")
    month = models.DateField(_("month"))
    version = models.PositiveSmallIntegerField(_("version"))
    amount = EuroField(_("amount"))
    operation = models.ForeignKey(Operation, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("head rent called"), _("head rents called")
        constraints = [
            models.UniqueConstraint(fields=["holding", "month", "version"], name="head_rent_call_once"),
            models.CheckConstraint(name="head_rent_call_not_zero", condition=~Q(amount=0)),
        ]

    def __str__(self):
        return f"{self.holding_id} {self.month:%Y-%m}"


class OwnerExpense(models.Model):
    """A supplier's invoice charged to an owner (*facture imputée au propriétaire*)."""

    owner = models.ForeignKey(Owner, models.PROTECT, related_name="+")
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="+")
    supplier = models.CharField(_("supplier"), max_length=80)
    number = models.CharField(_("invoice number"), max_length=30)
    recoverable = models.BooleanField(_("recoverable from the tenant"), default=False)
    operation = models.OneToOneField(Operation, models.PROTECT, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("expense of an owner"), _("expenses of owners")
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "supplier", "number"],
                name="owner_expense_once",
                violation_error_message=_("This invoice was already charged to this owner."),
            )
        ]

    def __str__(self):
        return f"{self.supplier} {self.number}"


class CannotCharge(Refusal):
    """An invoice that cannot be charged to an owner."""


# ---- head rents -----------------------------------------------------------------------------


def owed_head_rents(month: date) -> dict[int, tuple[Holding, int]]:
    """Holding → what its head lease owes for a month, in whole cents; let or not; two queries.

    Each rent counts its days of the month; rounded half up once a holding.
    """
    whole = Period.month(month)
    holdings = list(
        Holding.objects.filter(
            Q(end__isnull=True) | Q(end__gt=whole.start), title__in=RENT_ANYWAY_TITLES, start__lt=whole.end
        ).select_related("owner", "unit")
    )
    agreed = defaultdict(list)
    rents = HeadRent.objects.filter(holding__in=[one.pk for one in holdings], start__lt=whole.end)
    for rent in rents.order_by("start"):
        agreed[rent.holding_id].append((rent.start, rent.amount))
    found = {}
    for holding in holdings:
        steps = agreed.get(holding.pk, [])
        if holding.rent_due is not None and (not steps or steps[0][0] > holding.start):
            steps = [(holding.start, holding.rent_due), *steps]
        weighed = 0
        for at, (start, amount) in enumerate(steps):
            end = steps[at + 1][0] if at + 1 < len(steps) else None
            days = (Period(start, end) & Period(holding.start, holding.end) & whole).days
            weighed += to_cents(amount) * days
        if steps:
            found[holding.pk] = (holding, (2 * weighed + whole.days) // (2 * whole.days))
    return found


def call_head_rents(month: date, *, by, now: datetime) -> Posted:
    """Post what every head lease owes its owner for a month (*loyers principaux*), less what was called.

    Run again, it posts only what changed since. Raises CannotCount for a month not begun.
    """
    if month.day != 1 or month > now.date():
        raise CannotCount(f"{month:%Y-%m}", _t("This month has not begun."), _t("Call it once it has."))
    owed = owed_head_rents(month)
    with transaction.atomic():
        list(Holding.objects.select_for_update().filter(pk__in=owed).order_by("pk").values_list("pk"))
        called = {
            holding: (total, last)
            for holding, total, last in HeadRentCall.objects.filter(month=month)
            .values("holding")
            .annotate(total=Sum("amount"), last=Max("version"))
            .values_list("holding", "total", "last")
        }
        calls: dict[int, list[HeadRentCall]] = defaultdict(list)
        for pk, (holding, cents) in sorted(owed.items()):
            before, last = called.get(pk, (euros(0), 0))
            if difference := from_cents(cents) - before:
                calls[holding.owner_id].append(
                    HeadRentCall(holding=holding, month=month, version=last + 1, amount=difference)
                )
        if not calls:
            return Posted()
        own = ledger.association_book_id()
        owed_to = open_accounts(ledger.OWED_OWNER, owners=calls, book=own)
        expense = operations.account(ledger.HEAD_RENT, book=own)
        drafts = {}
        for owner, made in calls.items():
            total = sum((call.amount for call in made), euros(0))
            if not total:
                continue
            more = total > euros(0)
            drafts[owner] = Operation(
                kind=operations.OWNER_RENT if more else operations.OWNER_RENT_LESS,
                key=f"head rent {owner} {month:%Y-%m} {max(call.version for call in made)}",
                debit=expense if more else owed_to[owner],
                credit=owed_to[owner] if more else expense,
                amount=abs(total),
                on=month,
                due=month,
            )
        operations.post(drafts.values(), label=f"Head rents {month:%Y-%m}", by=by, now=now)
        for owner, made in calls.items():
            for call in made:
                call.operation = drafts.get(owner)
        HeadRentCall.objects.bulk_create([one for made in calls.values() for one in made], batch_size=2_000)
        audit.record(by, "run", "owner_account", f"{month:%Y-%m}", head_rents=len(calls))
    total = sum((one.amount for made in calls.values() for one in made), euros(0))
    return Posted(len(calls), total)


# ---- guarantees -----------------------------------------------------------------------------


def pay_guarantees(month: date, *, by, now: datetime) -> Posted:
    """Bring guaranteed owners up to what was due (*garantie loyers impayés, vacance*), once a month.

    Unpaid rent: the debt beyond the deposit at the month's end, less that of the month before; what a
    tenant pays afterwards goes back to the association. Vacancy: the last rent for the days without
    occupant while the home is held.
    """
    whole = Period.month(month)
    with transaction.atomic():
        books = {
            book.owner_id: book.pk
            for book in Book.objects.select_for_update().exclude(owner=None).order_by("pk")
        }
        terms = {
            key: one for key, one in terms_on(whole.last_day).items()
            if (one.unpaid_guaranteed or one.vacancy_guaranteed) and key[0] in books
        }  # fmt: skip
        holdings = [one.holding.pk for one in terms.values()]
        there = set(
            Guarantee.objects.filter(month__gte=month, holding__in=holdings).values_list("holding", "kind")
        )
        made = [
            one
            for one in (*_unpaid(month, terms), *_vacant(whole, terms))
            if (one.holding_id, one.kind) not in there
        ]
        if not made:
            return Posted()
        Guarantee.objects.bulk_create(made, batch_size=2_000)
        paid = [one for one in made if one.amount]
        owners = {one.holding.owner_id for one in paid}
        ways = Ways({owner: books[owner] for owner in owners}, ledger.GUARANTEE)
        operations.post(
            [
                Operation(
                    kind=operations.GUARANTEE_PAID
                    if one.amount > euros(0)
                    else operations.GUARANTEE_GIVEN_BACK,
                    key=f"{one.kind} {one.holding_id} {month:%Y-%m}",
                    amount=abs(one.amount),
                    on=whole.last_day,
                    due=whole.last_day,
                    **(
                        ways.into(one.holding.owner_id, ledger.GUARANTEE_GIVEN)
                        if one.amount > euros(0)
                        else ways.out_of(one.holding.owner_id, ledger.GUARANTEE_GIVEN)
                    ),
                )
                for one in paid
            ],
            label=f"Guarantees {month:%Y-%m}",
            by=by,
            now=now,
        )
    return Posted(len(owners), sum((one.amount for one in paid), euros(0)))


def _unpaid(month: date, terms) -> list[Guarantee]:
    owed: dict[tuple[int, int], list[Money]] = {}
    for one in leases_of(month) if terms else ():
        sums = owed.setdefault((one.owner_id, one.unit_id), [euros(0), euros(0)])
        sums[0] += max(euros(0), one.owed_before)
        sums[1] += max(euros(0), one.owed_after)
    holdings = {one.holding.pk: one.holding for one in terms.values() if one.unpaid_guaranteed}
    rows = Guarantee.objects.filter(holding__in=holdings, kind=Guarantee.Kind.UNPAID, month__lt=month)
    paid: dict[int, Money] = defaultdict(lambda: euros(0))
    left: dict[int, Money] = {}
    for row in rows.order_by("month"):
        paid[row.holding_id] += row.amount
        left[row.holding_id] = row.outstanding
    made = []
    for (owner, unit), one in sorted(terms.items()):
        if not one.unpaid_guaranteed:
            continue
        before, after = owed.get((owner, unit), (euros(0), euros(0)))
        pk = one.holding.pk
        amount = max(after - left.get(pk, before), -paid[pk])
        if amount or after:
            made.append(
                Guarantee(
                    holding=one.holding,
                    kind=Guarantee.Kind.UNPAID,
                    month=month,
                    outstanding=after,
                    amount=amount,
                )
            )
    return made


def _vacant(whole: Period, terms) -> list[Guarantee]:
    wanted = {unit: one for (_owner, unit), one in terms.items() if one.vacancy_guaranteed}
    stays: dict[int, list[Occupancy]] = defaultdict(list)
    for stay in (
        Occupancy.objects.filter(place__unit__in=wanted, start__lt=whole.end)
        .select_related("place")
        .order_by("start")
    ):
        stays[stay.place.unit_id].append(stay)
    last = {unit: found[-1].lease_id for unit, found in stays.items()}
    rents = {}
    for term in RentTerm.objects.filter(lease__in=last.values(), item=RENT, start__lt=whole.end).order_by(
        "start"
    ):
        rents[term.lease_id] = term.amount
    made = []
    for unit, one in sorted(wanted.items()):
        held = Period(one.holding.start, one.holding.end) & whole
        days = vacant_days(held, [Period(stay.start, stay.end) for stay in stays.get(unit, ())])
        rent = rents.get(last.get(unit), euros(0))
        if days and rent:
            span = Period(whole.start, date.fromordinal(whole.start.toordinal() + days))
            amount = prorated(rent, occupied=span, month=whole)
            made.append(
                Guarantee(
                    holding=one.holding,
                    kind=Guarantee.Kind.VACANCY,
                    month=whole.start,
                    outstanding=euros(0),
                    amount=amount,
                )
            )
    return made


def vacant_days(held: Period, stays: list[Period]) -> int:
    """Days held on which nobody stayed (*vacance*)."""
    taken = set()
    for stay in stays:
        both = stay & held
        taken |= set(range(both.start.toordinal(), both.end.toordinal()))
    return held.days - len(taken)


# ---- invoices -------------------------------------------------------------------------------


def charge_invoice(
    owner: Owner,
    *,
    supplier: str,
    number: str,
    amount: Money,
    on: date,
    unit: Unit | None = None,
    recoverable: bool = False,
    by,
    now: datetime,
) -> OwnerExpense:
    """Charge a supplier's invoice to an owner (*facture imputée*); what funds lack is advanced.

    amount: EUR, VAT included. recoverable: the tenant bears it in the yearly settlement.
    Raises CannotCharge: no mandate, the same invoice again, an amount of zero or less.
    """
    place = f"{supplier} {number}"
    if amount <= euros(0):
        raise CannotCharge(place, _t("The amount is not above zero."), _t("Correct the amount."))
    if not owner.holdings.filter(title__in=OWNERS_BOOK_TITLES).exists():
        raise CannotCharge(
            place,
            _t("%(owner)s gave no mandate, so has no book of their own.") % {"owner": owner},
            _t("Charge it to the association."),
        )
    before = OwnerExpense.objects.filter(owner=owner, supplier=supplier, number=number).first()
    if before and not Operation.objects.filter(undoes=before.operation_id).exists():
        raise CannotCharge(
            place,
            _t("This invoice was already charged to this owner."),
            _t("Look at the owner's account; undo the first if it was wrong."),
        )
    with transaction.atomic():
        book = Book.objects.get_or_create(owner=owner)[0]
        cost = operations.account(ledger.UPKEEP if recoverable else ledger.WORKS, book=book.pk)
        payable = operations.account(ledger.SUPPLIER, book=ledger.association_book_id())
        draft = Operation(
            kind=operations.INVOICE,
            key=_invoice_key(owner, supplier, number),
            amount=amount,
            on=on,
            due=on,
            label=f"{supplier} {number}"[:120],
            **operations.between(cost, payable),
        )
        operations.post([draft], label=f"Invoice {number}"[:60], by=by, now=now)
        posted = Operation.objects.get(kind=draft.kind, key=draft.key)
        made, _new = OwnerExpense.objects.update_or_create(
            owner=owner,
            supplier=supplier,
            number=number,
            defaults={"unit": unit, "recoverable": recoverable, "operation": posted},
        )
        audit.record(by, "change", "owner_account", owner.pk, expense=made.pk)
    return made


def _invoice_key(owner: Owner, supplier: str, number: str) -> str:
    """Of this invoice and no other; one undone before may be charged again."""
    digest = hashlib.blake2b(f"{supplier}\x1f{number}".encode(), digest_size=12).hexdigest()
    start = f"owner {owner.pk} {digest}"
    again = Operation.objects.filter(kind=operations.INVOICE, key__startswith=start).count()
    return f"{start} {again + 1}"


# ---- advances -------------------------------------------------------------------------------


def repay_advances(month: date, *, by, now: datetime) -> Posted:
    """What came in since repays what the manager advanced (*remboursement des avances*), owner by owner."""
    whole = Period.month(month)
    with transaction.atomic():
        list(Book.objects.select_for_update().exclude(owner=None).order_by("pk").values_list("pk"))
        rows = dialect.rows(
            "SELECT b.owner_id, b.id, a.kind, SUM(v.signed) FROM leases_book b"
            " JOIN leases_account a ON a.book_id = b.id AND a.kind IN (%(funds)s, %(advance)s)"
            f" JOIN {both_sides('w.kind IN (%(funds)s, %(advance)s)')} v ON v.account_id = a.id"
            " WHERE b.owner_id IS NOT NULL"
            " GROUP BY b.owner_id, b.id, a.kind ORDER BY b.owner_id",
            {"funds": ledger.FUNDS, "advance": ledger.ADVANCE},
        )
        held: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
        for owner, book, kind, cents in rows:
            held[owner, book][kind] = int(cents)
        owed = {
            key: min(kinds.get(ledger.FUNDS, 0), -kinds.get(ledger.ADVANCE, 0)) for key, kinds in held.items()
        }
        done = set(
            Operation.objects.filter(
                kind=operations.ADVANCE_REPAID, key__endswith=f" {month:%Y-%m}"
            ).values_list("key", flat=True)
        )
        wanted = {
            key: cents
            for key, cents in owed.items()
            if cents > 0 and f"advance {key[0]} {month:%Y-%m}" not in done
        }
        funds = open_accounts(ledger.FUNDS, books=[book for _owner, book in wanted])
        advance = open_accounts(ledger.ADVANCE, books=[book for _owner, book in wanted])
        drafts = [
            Operation(
                kind=operations.ADVANCE_REPAID,
                key=f"advance {owner} {month:%Y-%m}",
                debit=advance[book],
                credit=funds[book],
                amount=from_cents(cents),
                on=whole.last_day,
                due=whole.last_day,
            )
            for (owner, book), cents in wanted.items()
        ]
        operations.post(drafts, label=f"Advances {month:%Y-%m}", by=by, now=now)
    return Posted(len(drafts), sum((draft.amount for draft in drafts), euros(0)))
