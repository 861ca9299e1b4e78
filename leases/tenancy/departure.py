"""A departure (*départ*): notice, exit survey, keys, repairs, final account, deposit given back.

Each step is read from the facts themselves, wherever they were recorded; nothing says "done" by itself.
The final account posts once, by operations, and is undone by theirs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.law import Rule, rule
from core.money import EuroField, euros, floor_cents
from core.periods import ONE_DAY, add_months
from core.templatetags.gla import euros_text
from leases import ledger, operations
from leases.households import head_name, with_head
from leases.kinds import KINDS
from leases.lease import Lease, PayerIban
from leases.ledger import Account, Entry, Posting
from leases.occupancy import Occupancy
from leases.operations import DEPOSIT_GIVEN_BACK, PENALTY, REPAIRS_CHARGED, Operation
from leases.rent import MonthToReview
from leases.suspense import paid_account
from leases.tenancy import deposits
from leases.tenancy.deposits import Deduction
from leases.tenancy.inspections import EXIT, Inspection, InspectionRefused
from leases.tenancy.notices import Departure
from leases.tenant_account import balance
from portfolio.stock import Unit


class DepartureRefused(Refusal):
    """A step of a departure that its facts forbid."""


def reopen_inspection(inspection: Inspection, *, by) -> Inspection:
    """Open a signed survey again, to correct it with the tenant.

    Raises InspectionRefused once a final account stands on it.
    """
    with transaction.atomic():
        lease = inspection.occupancy.lease
        if FinalAccount.objects.filter(lease=lease, undone_on=None).exists():
            raise InspectionRefused(
                str(inspection),
                _("The final account was made on this survey."),
                _("Undo the final account first."),
            )
        inspection.signed_at = None
        inspection.save(update_fields=["signed_at"])
        audit.record(by, "reopen", "inspection", inspection.pk)
    return inspection


class FinalAccount(models.Model):
    """What a departure comes to (*solde de tout compte*): posted by its entry, undone by its opposite.

    EUR. stage 1: all of it; 2: the part kept until the year's charges were settled. before: what the
    household owed. held: of the deposit, before. kept: still held after. late: owed for the delay.
    to_pay, to_transfer: what remains, one of them zero.
    """

    class Stage(models.IntegerChoices):
        DEPARTURE = 1, _("Final account")
        CHARGES = 2, _("Part kept for charges")

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="final_accounts")
    stage = models.PositiveSmallIntegerField(_("stage"), choices=Stage, default=Stage.DEPARTURE)
    on = models.DateField(_("date"))
    deadline = models.DateField(_("to give back by"))
    before = EuroField(_("owed before"))
    repairs = EuroField(_("repairs"), default=0)
    held = EuroField(_("deposit held"))
    kept = EuroField(_("kept for charges"), default=0)
    late = EuroField(_("late return"), default=0)
    to_pay = EuroField(_("to pay"), default=0)
    to_transfer = EuroField(_("to transfer"), default=0)
    entry = models.ForeignKey(Entry, models.PROTECT, null=True, related_name="+")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    undone_on = models.DateField(_("undone on"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("final account"), _("final accounts")
        constraints = [
            models.UniqueConstraint(
                fields=["lease", "stage"],
                name="final_account_once",
                condition=Q(undone_on__isnull=True),
                violation_error_message=_("The final account of this lease is made already."),
            ),
            models.CheckConstraint(
                name="final_account_gives_back_at_most_what_is_held",
                condition=Q(kept__gte=0, kept__lte=F("held")),
                violation_error_message=_("Never more than is held."),
            ),
        ]

    def __str__(self):
        return f"{self.lease_id} {self.on}"

    @property
    def given_back(self) -> Money:
        return self.held - self.kept


class TenantTransfer(models.Model):
    """Money to give back to who left (*virement au locataire*); the bank's own line settles it later.

    sent_on: when it was given to the bank. cancelled_on: with the final account it came from.
    """

    final = models.OneToOneField(FinalAccount, models.PROTECT, related_name="transfer")
    lease = models.ForeignKey(Lease, models.PROTECT, related_name="transfers")
    amount = EuroField(_("amount"))
    by_date = models.DateField(_("to pay by"))
    iban = models.CharField(_("IBAN"), max_length=34, blank=True)
    sent_on = models.DateField(_("sent on"), null=True, blank=True)
    cancelled_on = models.DateField(_("cancelled on"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("transfer to a tenant"), _("transfers to tenants")
        constraints = [
            models.CheckConstraint(name="tenant_transfer_above_zero", condition=Q(amount__gt=0)),
        ]

    def __str__(self):
        return f"{self.lease_id} {self.amount}"


@dataclass(frozen=True, slots=True)
class FinalPreview:
    """What a final account would come to on a day; EUR, as FinalAccount.

    most_kept: the most the law lets be kept until the year's charges; zero where it does not.
    warnings: what to look at first.
    """

    lease: Lease
    stage: int
    on: date
    keys_on: date
    deadline: date
    rule: Rule
    conforms: bool | None
    before: Money
    deductions: list[Deduction]
    held: Money
    most_kept: Money
    kept: Money
    late: Money
    warnings: list[str] = field(default_factory=list)

    @property
    def repairs(self) -> Money:
        return sum((one.amount for one in self.deductions), euros(0))

    @property
    def after(self) -> Money:
        """What the household owes after it; below zero, what is to be given back."""
        return self.before + self.repairs - (self.held - self.kept) - self.late

    @property
    def to_pay(self) -> Money:
        return max(euros(0), self.after)

    @property
    def to_transfer(self) -> Money:
        return max(euros(0), -self.after)


def last_stay(lease: Lease) -> Occupancy | None:
    """The last home occupied under a lease."""
    return lease.occupancies.select_related("place__unit__building").order_by("-start", "-pk").first()


def keys_day(stay: Occupancy | None, on: date) -> date | None:
    """The day the keys came back, seen from a day: as recorded, else the last day of an occupation over."""
    if stay is None:
        return None
    back = stay.keys_returned_on or (stay.end - ONE_DAY if stay.end else None)
    return back if back and (back < on or (back == on and stay.keys_returned_on)) else None


def standing_final(lease: Lease) -> dict[int, FinalAccount]:
    """The final accounts of a lease that stand, by stage."""
    return {one.stage: one for one in FinalAccount.objects.filter(lease=lease, undone_on=None)}


def preview_final_account(lease: Lease, *, on: date, keep: Money | None = None) -> FinalPreview:
    """What the final account would come to on a day; nothing is written.

    keep: to hold until the year's charges are settled, at most a fifth of the deposit in a building of
    several homes (L89_DEPOSIT_HELD); none by default.
    Raises DepartureRefused before the keys are back, where it is made already, or for too much kept.
    """
    standing = standing_final(lease)
    first = standing.get(FinalAccount.Stage.DEPARTURE)
    if first and (not first.kept or FinalAccount.Stage.CHARGES in standing):
        raise DepartureRefused(
            lease.reference,
            _("The final account of this lease is made already."),
            _("Undo it to make it anew."),
        )
    stay = last_stay(lease)
    keys_on, kind = keys_day(stay, on), KINDS[lease.kind]
    if stay is None or keys_on is None:
        raise DepartureRefused(
            lease.reference,
            _("The keys are not back on this day."),
            _("Record their return, or give a later day."),
        )
    survey = Inspection.objects.filter(occupancy=stay, kind=EXIT, signed_at__isnull=False).first()
    conforms = survey.conforms if survey else None
    deadline, found = deposits.return_deadline(kind, keys_on=keys_on, conforms=conforms)
    kept_before, owed = deposits.held(lease), balance(lease, on)
    repairs = [] if first else list(lease.deductions.filter(final=None).order_by("pk"))
    most, kept = euros(0), euros(0)
    if not first:
        most = most_kept(lease, stay.place.unit, kept_before, keys_on)
        kept = keep or euros(0)
        if kept > most:
            raise DepartureRefused(
                lease.reference,
                _("At most %(most)s may be kept until the charges are settled.") % {"most": euros_text(most)},
                _("Keep less, or nothing."),
            )
    back = kept_before - kept - owed - sum((one.amount for one in repairs), euros(0))
    late = euros(0)
    if not first:
        told = Departure.objects.filter(lease=lease).first()
        late = deposits.late_cost(
            kind,
            deadline=deadline,
            on=on,
            rent=deposits.monthly_rent(lease, keys_on),
            owed=min(back, kept_before),
            address_known=bool(told and told.new_address),
        )
    return FinalPreview(
        lease=lease,
        stage=FinalAccount.Stage.CHARGES if first else FinalAccount.Stage.DEPARTURE,
        on=on,
        keys_on=keys_on,
        deadline=deadline,
        rule=found,
        conforms=conforms,
        before=owed,
        deductions=repairs,
        held=kept_before,
        most_kept=most,
        kept=kept,
        late=late,
        warnings=_warnings(lease, survey, repairs),
    )


def most_kept(lease: Lease, unit: Unit, held: Money, on: date) -> Money:
    """The most that may be kept until the year's charges are approved, EUR (loi 89-462, art. 22)."""
    kind = KINDS[lease.kind]
    shared = Unit.objects.filter(building=unit.building_id).exclude(pk=unit.pk).exists()
    if kind.deposit_return != "L89_DEPOSIT_RETURN" or "provisions" not in kind.charges or not shared:
        return euros(0)
    return floor_cents(held * rule("L89_DEPOSIT_HELD", on=on).value / 100)


def _warnings(lease: Lease, survey: Inspection | None, repairs: Iterable[Deduction]) -> list[str]:
    told = []
    if survey is None:
        told.append(str(_("No exit survey is signed: the home is presumed to be as it was given.")))
        if repairs:
            told.append(str(_("Without an exit survey the deductions rest on nothing.")))
    months = MonthToReview.objects.filter(lease=lease, run=None).count()
    if months:
        told.append(
            str(_("Months that the next rent run still corrects: %(count)d. Run it first."))
            % {"count": months}
        )
    unproved = [one.label for one in repairs if not one.proved]
    if unproved:
        told.append(str(_("Without proof: %(names)s.")) % {"names": ", ".join(unproved)})
    return told


def close_account(lease: Lease, *, on: date, by, now: datetime, keep: Money | None = None) -> FinalAccount:
    """Make the final account (*solde de tout compte*): post it, and list what is to be transferred.

    Posts each deduction, what is given back of the deposit, and what the delay costs; once a lease
    (once more for the part kept). Raises DepartureRefused as its preview, or for a deduction without
    proof.
    """
    with transaction.atomic():
        Lease.objects.select_for_update().get(pk=lease.pk)
        accounts = deposits.deposit_accounts(lease)
        shown = preview_final_account(lease, on=on, keep=keep)
        unproved = [one.label for one in shown.deductions if not one.proved]
        if unproved:
            raise DepartureRefused(
                ", ".join(unproved),
                _("Nothing is kept from a deposit without proof."),
                _("Give the invoice, the quote or the price list, or remove the deduction."),
            )
        final = FinalAccount.objects.create(
            lease=lease,
            stage=shown.stage,
            on=on,
            deadline=shown.deadline,
            before=shown.before,
            repairs=shown.repairs,
            held=shown.held,
            kept=shown.kept,
            late=shown.late,
            to_pay=shown.to_pay,
            to_transfer=shown.to_transfer,
            made_by=by,
        )
        drafts = _drafts(final, shown, accounts)
        final.entry = operations.post(drafts, label=f"Final account {lease.reference}", by=by, now=now)
        final.save(update_fields=["entry"])
        Deduction.objects.filter(pk__in=[one.pk for one in shown.deductions]).update(final=final)
        if shown.to_transfer > euros(0):
            TenantTransfer.objects.create(
                final=final,
                lease=lease,
                amount=shown.to_transfer,
                by_date=max(shown.deadline, on) if shown.stage == 1 else on,
                iban=account_to_pay(lease),
            )
        audit.record(by, "close", "deposit", lease.pk, final=final.pk)
    return final


def _drafts(final: FinalAccount, shown: FinalPreview, accounts) -> list[Operation]:
    """What a final account posts: the repairs, the deposit given back account by account, the delay."""
    lease, tenant = shown.lease, paid_account(shown.lease)
    dated = {"on": shown.on, "due": shown.on}
    drafts = [
        Operation(
            kind=REPAIRS_CHARGED,
            key=f"deduction {one.pk} final {final.pk}",
            **operations.between(tenant, operations.account(ledger.RECHARGED, book=tenant.book_id)),
            amount=one.amount,
            label=one.label[:120],
            **dated,
        )
        for one in shown.deductions
        if one.amount
    ]
    left = final.given_back
    for account, there in accounts:
        part = min(left, there)
        if part > euros(0):
            drafts.append(
                Operation(
                    kind=DEPOSIT_GIVEN_BACK,
                    key=f"final {final.pk} {account.pk}",
                    **operations.between(account, _tenant_in(lease, account.book_id, tenant)),
                    amount=part,
                    **dated,
                )
            )
            left -= part
    if left > euros(0):
        raise DepartureRefused(
            lease.reference, _("Never more than is held."), _("Look at the deposit of this lease again.")
        )
    if shown.late > euros(0):
        loss = operations.account(ledger.LOSS, book=tenant.book_id)
        drafts.append(
            Operation(
                kind=PENALTY,
                key=f"final {final.pk}",
                **operations.between(loss, tenant),
                amount=shown.late,
                **dated,
            )
        )
    return drafts


def _tenant_in(lease: Lease, book: int, otherwise):
    """The tenant's account in the book that holds the deposit, else the one that pays."""
    return operations.tenant_accounts([lease.pk], book).get(lease.pk, otherwise)


def account_to_pay(lease: Lease) -> str:
    """The IBAN to give money back to: the one told at the departure, else the last the lease was paid from."""
    told = Departure.objects.filter(lease=lease).values_list("iban", flat=True).first()
    if told:
        return told
    return (
        PayerIban.objects.filter(lease=lease).order_by("-since", "-pk").values_list("iban", flat=True).first()
        or ""
    )


def undo_final_account(final: FinalAccount, *, on: date, reason: str, by, now: datetime) -> FinalAccount:
    """Undo a final account by the opposite of all it posted; it can then be made anew.

    Raises DepartureRefused where it is undone, its transfer is sent, or its second stage stands.
    """
    with transaction.atomic():
        kept = FinalAccount.objects.select_for_update().get(pk=final.pk)
        transfer = TenantTransfer.objects.filter(final=kept, cancelled_on=None).first()
        place = kept.lease.reference
        if kept.undone_on:
            raise DepartureRefused(place, _("This final account is undone."), _("Make it anew."))
        if transfer and transfer.sent_on:
            raise DepartureRefused(
                place,
                _("Its money is sent to the tenant."),
                _("Take back “sent” first, if the bank did not pay it."),
            )
        if kept.stage == FinalAccount.Stage.DEPARTURE and len(standing_final(kept.lease)) > 1:
            raise DepartureRefused(
                place, _("The part kept is settled since."), _("Undo that settlement first.")
            )
        if kept.entry_id:
            for one in kept.entry.operations.filter(undone_by=None):
                operations.undo(one, on=on, reason=reason, by=by, now=now)
        kept.deductions.update(final=None)
        TenantTransfer.objects.filter(final=kept).update(cancelled_on=on)
        kept.undone_on = on
        kept.save(update_fields=["undone_on"])
        audit.record(by, "undo", "deposit", kept.lease_id, final=kept.pk)
    return kept


def mark_sent(transfers: Iterable[TenantTransfer], *, on: date, by) -> int:
    """Say that transfers were given to the bank; those sent or cancelled already are left alone."""
    ids = [one.pk for one in transfers]
    with transaction.atomic():
        rows = TenantTransfer.objects.filter(pk__in=ids, sent_on=None, cancelled_on=None)
        done = rows.update(sent_on=on)
        audit.record(by, "send", "deposit", "", transfers=ids)
    return done


def take_back_sent(transfer: TenantTransfer, *, by) -> None:
    """Say that a transfer was not sent after all."""
    with transaction.atomic():
        TenantTransfer.objects.filter(pk=transfer.pk).update(sent_on=None)
        audit.record(by, "unsend", "deposit", transfer.lease_id, transfer=transfer.pk)


# ---- the deposits still to give back -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToReturn:
    """A deposit held after the keys came back (*dépôt à restituer*), and what waiting costs.

    deadline: None for a part kept until the charges are settled. late: what the delay costs if paid on
    the day asked; next_late: if paid the day after the deadline, or after the month begun. EUR.
    """

    lease: Lease
    name: str
    place: str
    keys_on: date
    conforms: bool | None
    surveyed: bool
    deadline: date | None
    held: Money
    owed: Money
    late: Money
    next_late: Money
    address_known: bool
    kept_for_charges: bool

    def state(self, on: date) -> str:
        """late, soon (a week or less), kept or waiting."""
        if self.deadline is None:
            return "kept"
        if on > self.deadline:
            return "late"
        return "soon" if (self.deadline - on).days <= SOON else "waiting"


SOON = 7
"""Days before its deadline from which a return is urgent."""


def to_return(on: date, *, leases: Iterable[int] | None = None) -> list[ToReturn]:
    """Deposits to give back on a day, the most urgent first; as many queries whatever their number."""
    there = Q(keys_returned_on=None) & (Q(end=None) | Q(end__gt=on)) | Q(keys_returned_on__gt=on)
    open_stays = Occupancy.objects.filter(there, lease=OuterRef("lease"))
    stays = Occupancy.objects.filter(~Exists(open_stays))
    if leases is not None:
        stays = stays.filter(lease__in=list(leases))
    holding = Account.objects.filter(kind=ledger.DEPOSIT, lease=OuterRef("lease"))
    stays = with_head(stays.filter(Exists(holding)).select_related("lease", "place"), "lease__household", on)
    last = {stay.lease_id: stay for stay in stays.order_by("start", "pk")}
    held = deposits.held_by_lease(last)
    last = {pk: stay for pk, stay in last.items() if held[pk] > euros(0)}
    surveys = dict(
        Inspection.objects.filter(
            occupancy__in=[stay.pk for stay in last.values()], kind=EXIT, signed_at__isnull=False
        ).values_list("occupancy", "conforms")
    )
    told = {one.lease_id: one for one in Departure.objects.filter(lease__in=list(last))}
    made = set(
        FinalAccount.objects.filter(lease__in=list(last), undone_on=None).values_list("lease", flat=True)
    )
    rents = deposits.monthly_rents(last)
    owed = balances(last, on)
    repairs = dict(
        Deduction.objects.filter(lease__in=list(last), final=None)
        .values_list("lease")
        .annotate(total=Sum("amount"))
        .order_by()
    )
    found = [
        _to_return(
            stay, on,
            held=held[pk], survey=surveys.get(stay.pk), surveyed=stay.pk in surveys, told=told.get(pk),
            kept=pk in made, rent=rents.get(pk, euros(0)), owed=owed[pk] + repairs.get(pk, euros(0)),
        )
        for pk, stay in last.items()
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.deadline or date.max, one.keys_on, one.lease.pk))


def _to_return(stay, on, *, held, survey, surveyed, told, kept, rent, owed) -> ToReturn:
    kind, keys_on = KINDS[stay.lease.kind], keys_day(stay, on)
    deadline = deposits.return_deadline(kind, keys_on=keys_on, conforms=survey)[0]
    known = bool(told and told.new_address)
    late, next_late = euros(0), euros(0)
    if not kept:
        cost = partial(
            deposits.late_cost, kind, deadline=deadline, rent=rent, owed=held - owed, address_known=known
        )
        late = cost(on=on)
        begun = deposits.months_late(deadline, on)
        next_late = cost(on=add_months(deadline, begun) + ONE_DAY)
    return ToReturn(
        lease=stay.lease,
        name=head_name(stay),
        place=stay.place.reference,
        keys_on=keys_on,
        conforms=survey,
        surveyed=surveyed,
        deadline=None if kept else deadline,
        held=held,
        owed=owed,
        late=late,
        next_late=next_late,
        address_known=known,
        kept_for_charges=kept,
    )


def balances(lease_ids: Iterable[int], on: date) -> dict[int, Money]:
    """What each of these households owes on a day, EUR, all of it, due or not; two queries."""
    found = dict.fromkeys(lease_ids, euros(0))
    for side, sign in (("debit", 1), ("credit", -1)):
        rows = Posting.objects.filter(
            **{f"{side}__kind": ledger.TENANT, f"{side}__lease__in": list(found)}, on__lte=on
        ).values_list(f"{side}__lease")
        for pk, total in rows.annotate(total=Sum("amount")).order_by():
            found[pk] += total * sign
    return found
