"""Repairs (*demandes d'intervention*): asked for, ordered, done, and charged to who must pay.

Who pays follows from what is repaired (décret 87-712, as law records), unless someone says otherwise and
why. An invoice is posted once, and undone by its opposite.
"""

from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, Max, Min, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.law import Rule, rule
from core.money import EuroField, euros
from leases import ledger, operations
from leases.lease import Lease
from leases.ledger import Book
from leases.occupancy import Occupancy
from leases.operations import INVOICE, REPAIRS_CHARGED, Operation
from leases.suspense import paid_account
from portfolio.owners import OWNERS_BOOK_TITLES, Holding
from portfolio.stock import Unit

TENANT, OWNER, ASSOCIATION = "tenant", "owner", "association"
PAYERS = {TENANT: _("The tenant"), OWNER: _("The owner"), ASSOCIATION: _("The association")}

CATEGORIES = {
    "plumbing": _("Leak, pipes, drains"),
    "heating": _("Heating or hot water out of order"),
    "electricity": _("Electric installation"),
    "openings": _("Doors and windows, replaced"),
    "walls": _("Walls, floors, damp"),
    "outside": _("Roof, front, common parts"),
    "pests": _("Pests"),
    "other": _("Something else"),
    "taps": _("Seals and washers of taps and flushes"),
    "pipes_clear": _("Blocked drain, seals and clips of pipes"),
    "shower_hose": _("Shower hose, limescale on basins"),
    "heating_bits": _("Small parts of a boiler or water heater"),
    "gas_hose": _("Gas taps and flexible gas pipe"),
    "septic": _("Emptying of the septic tank"),
    "switches": _("Switches, sockets, fuses, bulbs"),
    "handles": _("Handles, hinges, window catches"),
    "panes": _("Broken panes, putty"),
    "blinds": _("Cords and slats of shutters and blinds"),
    "locks": _("Small parts of locks, lost keys"),
    "touch_up": _("Touching up of paint, paper, tiles"),
    "floor_bits": _("A few boards or pieces of floor covering"),
    "cupboards": _("Shelves and catches of cupboards"),
    "appliances": _("Upkeep of appliances let with the home"),
    "chimney": _("Chimney sweeping"),
    "gutters": _("Clearing of gutters and downpipes"),
    "garden": _("Private garden, terrace, awning"),
    "damage": _("Damage by the tenant"),
}
"""What is repaired; the law says of each who pays (REPAIR_PAYER)."""

DANGER, URGENT, NORMAL = 1, 2, 3
URGENCIES = {DANGER: _("Danger"), URGENT: _("Urgent"), NORMAL: _("Normal")}

TO_ORDER, QUOTED, ORDERED, TO_INVOICE, CLOSED = "to_order", "quoted", "ordered", "to_invoice", "closed"
STATES = {
    TO_ORDER: ("warn", _("To order")),
    QUOTED: ("info", _("Quote to decide")),
    ORDERED: ("wait", _("Ordered")),
    TO_INVOICE: ("info", _("Done, invoice to come")),
    CLOSED: ("off", _("Closed")),
}


class RepairRefused(Refusal):
    """An act on a repair that its state, its payer or its dates forbid."""


class RepairQuerySet(models.QuerySet):
    def with_course(self):
        """Repairs with the day work was ordered and done, whether a quote waits, one is invoiced."""
        standing = Q(orders__cancelled_on=None)
        order = WorkOrder.objects.filter(repair=OuterRef("pk"), cancelled_on=None)
        return self.annotate(
            ordered_on=Min("orders__ordered_on", filter=standing),
            done_on=Max("orders__done_on", filter=standing),
            at_work=Exists(order.filter(ordered_on__isnull=False, done_on=None)),
            has_quote=Exists(order.filter(ordered_on=None)),
        )

    def in_state(self, state):
        """Of those with_course, the ones in a state (a key of STATES)."""
        if state == CLOSED:
            return self.filter(closed_on__isnull=False)
        rows = self.filter(closed_on=None)
        if state == ORDERED:
            return rows.filter(at_work=True)
        rows = rows.filter(at_work=False)
        if state == TO_INVOICE:
            return rows.filter(done_on__isnull=False)
        return rows.filter(done_on=None, has_quote=state == QUOTED)


class Repair(models.Model):
    """A repair that someone asked for (*demande d'intervention, réclamation technique*).

    lease: of the occupant, if any. payer: who pays by someone's word (payer_reason), empty: by the law.
    """

    class Channel(models.TextChoices):
        PHONE = "phone", _("Telephone")
        EMAIL = "email", _("E-mail")
        DESK = "desk", _("At the desk")
        LETTER = "letter", _("Letter")
        VISIT = "visit", _("Seen on a visit")
        ON_CALL = "on_call", _("On-call service")

    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    lease = models.ForeignKey(Lease, models.PROTECT, null=True, blank=True, related_name="repairs")
    asked_on = models.DateField(_("asked on"))
    channel = models.CharField(_("channel"), max_length=8, choices=Channel)
    urgency = models.PositiveSmallIntegerField(_("urgency"), choices=URGENCIES, default=NORMAL)
    category = models.CharField(_("category"), max_length=12, choices=CATEGORIES)
    what = models.TextField(_("what is wrong"))
    payer = models.CharField(_("who pays"), max_length=12, choices=PAYERS, blank=True)
    payer_reason = models.CharField(_("reason"), max_length=200, blank=True)
    closed_on = models.DateField(_("closed on"), null=True, blank=True)
    closed_because = models.CharField(_("why it is closed"), max_length=200, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    objects = RepairQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("repair"), _("repairs")
        constraints = [
            models.CheckConstraint(
                name="repair_closed_after_asked",
                condition=Q(closed_on__isnull=True) | Q(closed_on__gte=models.F("asked_on")),
                violation_error_message=_("A repair is closed after it was asked for."),
            ),
            models.CheckConstraint(
                name="repair_payer_with_reason",
                condition=Q(payer="") | ~Q(payer_reason=""),
                violation_error_message=_("Say why somebody else pays."),
            ),
        ]
        indexes = [models.Index(fields=["urgency", "asked_on"], name="repair_worklist")]

    def __str__(self):
        return f"{self.pk} {self.category}"

    @property
    def state(self) -> str:
        """A key of STATES; the repair comes from with_course."""
        if self.closed_on:
            return CLOSED
        if self.at_work:
            return ORDERED
        if self.done_on:
            return TO_INVOICE
        return QUOTED if self.has_quote else TO_ORDER

    def days(self, on: date) -> int:
        """Days from the request to the work done, or to a day while it is not."""
        return ((self.done_on or self.closed_on or on) - self.asked_on).days


class WorkOrder(models.Model):
    """Work asked of a contractor (*bon de travaux*): quoted, then ordered, then done.

    quote: EUR, VAT included. ordered_on: null while it is only a quote.
    """

    repair = models.ForeignKey(Repair, models.PROTECT, related_name="orders")
    contractor = models.CharField(_("contractor"), max_length=80)
    quote = EuroField(_("quote"), null=True, blank=True)
    ordered_on = models.DateField(_("ordered on"), null=True, blank=True)
    done_on = models.DateField(_("done on"), null=True, blank=True)
    cancelled_on = models.DateField(_("cancelled on"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("work order"), _("work orders")
        constraints = [
            models.CheckConstraint(
                name="work_order_done_after_ordered",
                condition=Q(done_on__isnull=True) | Q(done_on__gte=models.F("ordered_on")),
                violation_error_message=_("Work is done after it was ordered."),
            )
        ]

    def __str__(self):
        return f"{self.pk} {self.contractor}"


class RepairInvoice(models.Model):
    """A contractor's invoice and who it was charged to (*facture de travaux*): posted once.

    amount: EUR, VAT included. operation: what is owed to the contractor; recharge: what the tenant owes.
    """

    order = models.ForeignKey(WorkOrder, models.PROTECT, related_name="invoices")
    supplier = models.CharField(_("supplier"), max_length=80)
    number = models.CharField(_("invoice number"), max_length=30)
    on = models.DateField(_("date"))
    amount = EuroField(_("amount"))
    payer = models.CharField(_("who pays"), max_length=12, choices=PAYERS)
    operation = models.OneToOneField(Operation, models.PROTECT, null=True, related_name="+")
    recharge = models.OneToOneField(Operation, models.PROTECT, null=True, related_name="+")
    undone_on = models.DateField(_("undone on"), null=True, blank=True)
    undone_because = models.CharField(_("why it is undone"), max_length=200, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("repair invoice"), _("repair invoices")
        constraints = [
            models.UniqueConstraint(
                fields=["supplier", "number"],
                name="repair_invoice_once",
                condition=Q(undone_on__isnull=True),
                violation_error_message=_("This invoice was already charged."),
            ),
            models.CheckConstraint(
                name="repair_invoice_above_zero",
                condition=Q(amount__gt=0),
                violation_error_message=_("Give an amount above zero."),
            ),
        ]

    def __str__(self):
        return f"{self.supplier} {self.number}"


# ---- who pays -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays a repair (a key of PAYERS), by which text; rule None: by somebody's word."""

    code: str
    rule: Rule | None
    why: str = ""


def holding_on(unit: Unit, on: date) -> Holding | None:
    """What holds a home on a day."""
    return Holding.objects.on(on).filter(unit=unit).select_related("owner").first()


def who_pays(repair: Repair, *, on: date) -> Payer:
    """Who pays: by the reason given, else by what is repaired and the contract (décret 87-712).

    The landlord is the owner under a mandate, the association otherwise. Without an occupant, or under
    a contract to which the law of 1989 (art. 7) does not apply, the landlord pays.
    """
    if repair.payer:
        return Payer(repair.payer, None, repair.payer_reason)
    found = rule("REPAIR_PAYER", on=on, repair=repair.category)
    bound = repair.lease and repair.lease.kind in rule("L89_ART7_CONTRACTS", on=on).value
    if found.value == TENANT and bound:
        return Payer(TENANT, found)
    if found.value == TENANT:
        found = rule("REPAIR_PAYER", on=on)
    held = holding_on(repair.unit, on)
    by_owner = held is not None and held.title in OWNERS_BOOK_TITLES
    return Payer(OWNER if by_owner else ASSOCIATION, found)


# ---- verbs --------------------------------------------------------------------------------


def lease_there(unit: Unit, on: date) -> Lease | None:
    """The lease of who occupies a home on a day, if there is one and one only."""
    found = list(Occupancy.objects.on(on).filter(place__unit=unit).select_related("lease")[:2])
    return found[0].lease if len(found) == 1 else None


def ask_repair(
    unit: Unit, *, asked_on: date, channel: str, category: str, what: str, by, urgency: int = NORMAL,
    lease: Lease | None = None,
) -> Repair:  # fmt: skip
    """Record a request; of the occupant's lease where none is given (*demande*)."""
    with transaction.atomic():
        made = Repair.objects.create(
            unit=unit, lease=lease or lease_there(unit, asked_on), asked_on=asked_on, channel=channel,
            urgency=urgency, category=category, what=what, made_by=by,
        )  # fmt: skip
        audit.record(by, "ask", "repair", made.pk)
    return made


def change_payer(repair: Repair, *, payer: str, reason: str, by) -> Repair:
    """Say that somebody else pays than the law has it, and why; empty: by the law again.

    Raises RepairRefused without a reason.
    """
    if payer and not reason.strip():
        raise RepairRefused(
            str(repair.pk),
            _("No reason is given."),
            _("Say why somebody else pays: wear, a fault, fairness."),
        )
    with transaction.atomic():
        repair.payer, repair.payer_reason = payer, reason.strip() if payer else ""
        repair.save(update_fields=["payer", "payer_reason"])
        audit.record(by, "change", "repair", repair.pk, payer=payer)
    return repair


def order_work(
    repair: Repair, *, contractor: str, by, quote: Money | None = None, ordered_on: date | None = None,
    note: str = "",
) -> WorkOrder:  # fmt: skip
    """Record a quote, or order work of a contractor (*devis, bon de travaux*). Raises RepairRefused."""
    with transaction.atomic():
        kept = _open(repair)
        _not_before(kept, ordered_on)
        made = WorkOrder.objects.create(
            repair=kept,
            contractor=contractor.strip(),
            quote=quote,
            ordered_on=ordered_on,
            note=note,
            made_by=by,
        )
        audit.record(by, "order", "repair", kept.pk, order=made.pk)
    return made


def accept_quote(order: WorkOrder, *, on: date, by) -> WorkOrder:
    """Order what was only quoted (*devis accepté*). Raises RepairRefused."""
    with transaction.atomic():
        repair, kept = _open(order.repair), _standing(order)
        _not_before(repair, on)
        if kept.ordered_on:
            raise RepairRefused(str(kept), _("This work is ordered already."), _("Look at the repair again."))
        kept.ordered_on = on
        kept.save(update_fields=["ordered_on"])
        audit.record(by, "order", "repair", repair.pk, order=kept.pk)
    return kept


def finish_work(order: WorkOrder, *, on: date, by) -> WorkOrder:
    """Record that the work is done (*travaux réceptionnés*). Raises RepairRefused."""
    with transaction.atomic():
        kept = _standing(order)
        if kept.ordered_on is None or on < kept.ordered_on:
            raise RepairRefused(
                str(kept),
                _("Work is done after it was ordered."),
                _("Order it first, or give a later day."),
            )
        kept.done_on = on
        kept.save(update_fields=["done_on"])
        audit.record(by, "finish", "repair", kept.repair_id, order=kept.pk)
    return kept


def cancel_order(order: WorkOrder, *, on: date, by) -> WorkOrder:
    """Take an order or a quote back. Raises RepairRefused where an invoice of it is posted."""
    with transaction.atomic():
        kept = _standing(order)
        if kept.invoices.filter(undone_on=None).exists():
            raise RepairRefused(str(kept), _("Its invoice is posted."), _("Undo the invoice first."))
        kept.cancelled_on = on
        kept.save(update_fields=["cancelled_on"])
        audit.record(by, "cancel", "repair", kept.repair_id, order=kept.pk)
    return kept


def charge_invoice(
    order: WorkOrder, *, number: str, amount: Money, on: date, by, now: datetime, payer: str = ""
) -> RepairInvoice:
    """Post a contractor's invoice and charge it to who pays (*facture imputée*), once.

    payer: as the repair has it unless said. The tenant's part is also posted as an expense of the
    landlord, to whom it is then owed. Raises RepairRefused; the database refuses the same one again.
    """
    with transaction.atomic():
        kept = _standing(order)
        repair = Repair.objects.select_related("lease", "unit").get(pk=kept.repair_id)
        code = payer or who_pays(repair, on=on).code
        _check_invoice(kept, repair, number=number, amount=amount, code=code, on=on)
        made = RepairInvoice.objects.create(
            order=kept, supplier=kept.contractor, number=number.strip(), on=on, amount=amount, payer=code,
            made_by=by,
        )  # fmt: skip
        drafts = _drafts(made, repair)
        operations.post(drafts, label=f"Repair {repair.pk}", by=by, now=now)
        posted = {
            one.kind: one
            for one in Operation.objects.filter(kind__in=(INVOICE, REPAIRS_CHARGED), key=drafts[0].key)
        }
        made.operation, made.recharge = posted[INVOICE], posted.get(REPAIRS_CHARGED)
        made.save(update_fields=["operation", "recharge"])
        audit.record(by, "charge", "repair", repair.pk, invoice=made.pk)
    return made


def _check_invoice(order, repair, *, number, amount, code, on) -> None:
    place = f"{order.contractor} {number}"
    if amount <= euros(0):
        raise RepairRefused(place, _("The amount is not above zero."), _("Correct the amount."))
    if order.done_on is None:
        raise RepairRefused(
            place, _("The work is not recorded as done."), _("Record the day it was done first.")
        )
    same = RepairInvoice.objects.filter(supplier=order.contractor, number=number.strip(), undone_on=None)
    if same.exists():
        raise RepairRefused(
            place, _("This invoice was already charged."), _("Undo the first if it was wrong.")
        )
    if code == TENANT and repair.lease is None:
        raise RepairRefused(
            place, _("This repair belongs to no lease."), _("Charge it to the owner or the association.")
        )
    if code == OWNER:
        held = holding_on(repair.unit, on)
        if held is None or held.title not in OWNERS_BOOK_TITLES:
            raise RepairRefused(
                place,
                _("The owner of this home gave no mandate, so has no book of their own."),
                _("Charge it to the association."),
            )


def _drafts(invoice: RepairInvoice, repair: Repair) -> list[Operation]:
    """The supplier's invoice in the payer's book; for the tenant, what is owed to the landlord beside."""
    own = ledger.association_book_id()
    tenant = paid_account(repair.lease) if invoice.payer == TENANT else None
    if tenant is not None:
        book = tenant.book_id
    elif invoice.payer == OWNER:
        book = Book.objects.get_or_create(owner=holding_on(repair.unit, invoice.on).owner)[0].pk
    else:
        book = own
    cost = operations.account(ledger.UPKEEP if tenant is not None else ledger.WORKS, book=book)
    shared = {
        "key": f"repair {invoice.pk}",
        "amount": invoice.amount,
        "on": invoice.on,
        "due": invoice.on,
        "label": f"{invoice} · {repair.unit.reference}"[:120],
    }
    supplier = operations.account(ledger.SUPPLIER, book=own)
    drafts = [Operation(kind=INVOICE, **shared, **operations.between(cost, supplier))]
    if tenant is not None:
        recharged = operations.account(ledger.RECHARGED, book=book)
        drafts.append(Operation(kind=REPAIRS_CHARGED, **shared, **operations.between(tenant, recharged)))
    return drafts


def undo_invoice(invoice: RepairInvoice, *, on: date, reason: str, by, now: datetime) -> RepairInvoice:
    """Undo an invoice by the opposite of all it posted; it may then be charged anew.

    Raises RepairRefused where it is undone already.
    """
    with transaction.atomic():
        kept = RepairInvoice.objects.select_for_update().get(pk=invoice.pk)
        if kept.undone_on:
            raise RepairRefused(str(kept), _("This invoice is undone already."), _("Charge it anew."))
        for one in (kept.recharge, kept.operation):
            if one is not None:
                operations.undo(one, on=on, reason=reason, by=by, now=now)
        kept.undone_on, kept.undone_because = on, reason
        kept.save(update_fields=["undone_on", "undone_because"])
        audit.record(by, "undo", "repair", kept.order.repair_id, invoice=kept.pk)
    return kept


def close_repair(repair: Repair, *, on: date, by, reason: str = "") -> Repair:
    """Nothing more is to do (*demande close*). Raises RepairRefused while work is ordered and not done."""
    with transaction.atomic():
        kept = _open(repair)
        if kept.orders.filter(cancelled_on=None, ordered_on__isnull=False, done_on=None).exists():
            raise RepairRefused(
                str(kept.pk), _("Work is ordered and not done."), _("Record it as done, or cancel it, first.")
            )
        _not_before(kept, on)
        kept.closed_on, kept.closed_because = on, reason
        kept.save(update_fields=["closed_on", "closed_because"])
        audit.record(by, "close", "repair", kept.pk)
    return kept


def reopen_repair(repair: Repair, *, by) -> Repair:
    """It is not over after all."""
    with transaction.atomic():
        repair.closed_on, repair.closed_because = None, ""
        repair.save(update_fields=["closed_on", "closed_because"])
        audit.record(by, "reopen", "repair", repair.pk)
    return repair


def _open(repair: Repair) -> Repair:
    kept = Repair.objects.select_for_update().get(pk=repair.pk)
    if kept.closed_on:
        raise RepairRefused(str(kept.pk), _("This repair is closed."), _("Reopen it first."))
    return kept


def _standing(order: WorkOrder) -> WorkOrder:
    kept = WorkOrder.objects.select_for_update().get(pk=order.pk)
    if kept.cancelled_on:
        raise RepairRefused(str(kept), _("This order is cancelled."), _("Order the work anew."))
    return kept


def _not_before(repair: Repair, day: date | None) -> None:
    if day and day < repair.asked_on:
        raise RepairRefused(
            str(repair.pk), _("The repair was asked for after that day."), _("Give a later day.")
        )
