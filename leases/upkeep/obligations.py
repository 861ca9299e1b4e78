"""What a lease obliges its tenant to prove each year (*attestation d'assurance, entretien de la chaudière*).

Who must prove, from when, and what may be done next are law by contract and by day; a proof received
answers what was asked before it. Nothing here is a status: all follows from dated facts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.law import Rule, rule
from core.money import EuroField, euros, round_cents
from core.periods import ONE_DAY, add_months
from leases.lease import Lease
from leases.occupancy import Occupancy
from portfolio.stock import DatedQuerySet, Unit

INSURANCE, BOILER = "insurance", "boiler"
KINDS = {INSURANCE: _("Home insurance"), BOILER: _("Boiler service")}
EVERY = {INSURANCE: "INSURANCE_PROOF_EVERY", BOILER: "BOILER_SERVICE_EVERY"}

ASKED, REMINDED, NOTICE, ORDER, COVERED = "asked", "reminded", "notice", "order", "covered"
STEPS = {
    ASKED: _("Asked for"),
    REMINDED: _("Reminded"),
    NOTICE: _("Formal notice"),
    ORDER: _("Order by a commissaire de justice"),
    COVERED: _("Insured by the landlord"),
}
STEPS_OF = {INSURANCE: tuple(STEPS), BOILER: (ASKED, REMINDED, NOTICE)}

MISSING, SOON, IN_ORDER = "missing", "soon", "in_order"
STATES = {MISSING: ("bad", _("Missing")), SOON: ("warn", _("Ends soon")), IN_ORDER: ("good", _("In order"))}

SOON_DAYS = timedelta(days=45)
"""Before the end of a proof, the next one is asked for."""
PATIENCE = timedelta(days=15)
"""What the house leaves a tenant to answer, before it reminds or gives notice."""


class ObligationRefused(Refusal):
    """A proof or a step that the law, the contract or the dates do not allow."""


class Boiler(models.Model):
    """A home's own boiler (*chaudière individuelle*): serviced each year; end excluded.

    contractor: who services it for the landlord; empty where the tenant sees to it.
    """

    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    contractor = models.CharField(_("serviced by"), max_length=80, blank=True)
    start = models.DateField(_("from"))
    end = models.DateField(_("until"), null=True, blank=True)

    objects = DatedQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("boiler"), _("boilers")
        constraints = [
            models.CheckConstraint(
                name="boiler_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gt=F("start")),
                violation_error_message=_("End the boiler after its first day."),
            ),
            models.UniqueConstraint(
                fields=["unit"],
                name="boiler_one_at_a_time",
                condition=Q(end__isnull=True),
                violation_error_message=_("This home has a boiler already."),
            ),
        ]

    def __str__(self):
        return f"{self.unit_id} {self.contractor}".strip()


class Certificate(models.Model):
    """A proof received (*attestation*): valid from start, until end (excluded).

    issued_by: the insurer or who serviced the boiler. reference: the policy or report number.
    withdrawn_on: null while it stands.
    """

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="certificates")
    kind = models.CharField(_("kind"), max_length=9, choices=KINDS)
    start = models.DateField(_("valid from"))
    end = models.DateField(_("until"))
    received_on = models.DateField(_("received on"))
    issued_by = models.CharField(_("issued by"), max_length=80, blank=True)
    reference = models.CharField(_("reference"), max_length=60, blank=True)
    withdrawn_on = models.DateField(_("withdrawn on"), null=True, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("certificate"), _("certificates")
        constraints = [
            models.CheckConstraint(
                name="certificate_ends_after_it_starts",
                condition=Q(end__gt=F("start")),
                violation_error_message=_("A certificate ends after its first day."),
            ),
            models.UniqueConstraint(
                fields=["lease", "kind", "start"],
                name="certificate_once",
                condition=Q(withdrawn_on__isnull=True),
                violation_error_message=_("A certificate from that day is recorded already."),
            ),
        ]

    def __str__(self):
        return f"{self.lease_id} {self.kind} {self.start}"

    @property
    def last_day(self) -> date:
        return self.end - ONE_DAY


class ObligationStep(models.Model):
    """Something done to get a proof (*demande, relance, mise en demeure*), until one answers it.

    premium: EUR a year, of the cover that the landlord took out, surcharge included.
    """

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="obligation_steps")
    kind = models.CharField(_("kind"), max_length=9, choices=KINDS)
    step = models.CharField(_("step"), max_length=8, choices=STEPS)
    on = models.DateField(_("date"))
    note = models.CharField(_("note"), max_length=200, blank=True)
    premium = EuroField(_("yearly premium"), null=True, blank=True)
    answered_by = models.ForeignKey(Certificate, models.PROTECT, null=True, related_name="answers")
    withdrawn_on = models.DateField(_("withdrawn on"), null=True, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("step of an obligation"), _("steps of obligations")
        constraints = [
            models.UniqueConstraint(
                fields=["lease", "kind", "step", "on"],
                name="obligation_step_once_a_day",
                condition=Q(withdrawn_on__isnull=True),
                violation_error_message=_("This step is recorded on that day already."),
            )
        ]

    def __str__(self):
        return f"{self.lease_id} {self.kind} {self.step} {self.on}"


# ---- who owes a proof, and since when -----------------------------------------------------


def bound(kind: str, on: date) -> QuerySet:
    """Leases that must prove something on a day, with what they proved and what was done about it.

    Each has valid_until (end of the last proof, or None), missing_since (that day, or the entry), and
    asked_on … covered_on, the last step of each sort that no proof answered. One statement, for the
    whole stock if asked; uses the foreign-key indexes of certificates and steps.
    """
    leases = Lease.objects.in_force_on(on).filter(kind__in=rule("L89_ART7_CONTRACTS", on=on).value)
    if kind == BOILER:
        own = Boiler.objects.on(on).filter(contractor="").values("unit")
        leases = leases.filter(
            Exists(Occupancy.objects.on(on).filter(lease=OuterRef("pk"), place__unit__in=own))
        )
    proofs = Certificate.objects.filter(
        lease=OuterRef("pk"), kind=kind, withdrawn_on=None, start__lte=on
    ).order_by("-end")
    open_ = ObligationStep.objects.filter(
        lease=OuterRef("pk"), kind=kind, withdrawn_on=None, answered_by=None, on__lte=on
    ).order_by("-on")
    found = leases.annotate(valid_until=Subquery(proofs.values("end")[:1])).annotate(
        missing_since=Coalesce("valid_until", "start")
    )
    return found.annotate(
        **{f"{step}_on": Subquery(open_.filter(step=step).values("on")[:1]) for step in STEPS}
    )


def in_state(leases: QuerySet, state: str, on: date) -> QuerySet:
    """Of those bound, the ones whose proof is missing, ends soon or is in order on a day."""
    missing = Q(missing_since__lte=on) & (Q(covered_on=None) | Q(covered_on__lte=_a_year_before(on)))
    if state == MISSING:
        return leases.filter(missing)
    near = Q(missing_since__gt=on, missing_since__lte=on + SOON_DAYS)
    return leases.filter(near) if state == SOON else leases.exclude(missing).exclude(near)


def state(lease, on: date) -> str:
    """The state of one lease given by `bound`: a key of STATES."""
    if lease.missing_since <= on:
        covered = lease.covered_on and lease.covered_on > _a_year_before(on)
        return IN_ORDER if covered else MISSING
    return SOON if lease.missing_since <= on + SOON_DAYS else IN_ORDER


def _a_year_before(on: date) -> date:
    """A landlord's cover taken out by then has run out: it is of a year, as the proof."""
    return add_months(on, -rule("INSURANCE_PROOF_EVERY", on=on).value)


@dataclass(frozen=True, slots=True)
class Next:
    """What may be done next: a step (empty: none), from which day, in words, and by which text."""

    step: str
    words: Promise | str
    since: date | None = None
    rule: Rule | None = None

    def is_open(self, on: date) -> bool:
        return bool(self.step) and (self.since is None or self.since <= on)


def steps_of(lease) -> dict[str, date]:
    """Open steps of a lease given by `bound`: step → day."""
    return {step: day for step in STEPS if (day := getattr(lease, f"{step}_on"))}


def next_step(kind: str, done: Mapping[str, date], *, on: date) -> Next:
    """What the law and the house allow next of a proof that is missing (*suite à donner*).

    done: the open steps, each with its day. Source: loi 89-462, art. 7 g for the insurance; for the
    boiler no clause ends the lease (art. 4 g), its cost is claimed.
    """
    if COVERED in done:
        parts = rule("INSURANCE_COVER_PARTS", on=done[COVERED])
        return Next("", _("Ask one twelfth of the premium with each rent."), rule=parts)
    if ORDER in done:
        delay = rule("INSURANCE_CLAUSE_DELAY", on=done[ORDER])
        effect = add_months(done[ORDER], delay.value)
        words = (
            _("The clause has taken effect: ask the judge to note it.")
            if effect < on
            else _("Wait: the clause takes effect if no proof comes.")
        )
        return Next("", words, effect, delay)
    if NOTICE in done and kind == BOILER:
        text = rule("UPKEEP_NO_CLAUSE", on=on)
        return Next("", _("Have it done and claim the cost, at the exit or in court."), rule=text)
    if NOTICE in done:
        delay = rule("INSURANCE_COVER_DELAY", on=done[NOTICE])
        return Next(
            COVERED,
            _("Insure for the tenant, or serve an order."),
            add_months(done[NOTICE], delay.value),
            delay,
        )
    text = rule(EVERY[kind], on=on)
    if REMINDED in done:
        return Next(NOTICE, _("Send a formal notice."), done[REMINDED] + PATIENCE, text)
    if ASKED in done:
        return Next(REMINDED, _("Remind the tenant."), done[ASKED] + PATIENCE, text)
    return Next(ASKED, _("Ask for the proof."), rule=text)


def monthly_part(premium: Money, *, on: date) -> Money:
    """What a landlord's cover adds to each rent, EUR: the yearly premium in equal parts (art. 7 g)."""
    return round_cents(premium / Decimal(rule("INSURANCE_COVER_PARTS", on=on).value))


# ---- verbs --------------------------------------------------------------------------------


def receive(
    lease: Lease, kind: str, *, start: date, received_on: date, by, end: date | None = None,
    issued_by: str = "", reference: str = "",
) -> Certificate:  # fmt: skip
    """Record a proof; it answers what was asked before (*attestation reçue*).

    end: excluded; what the law asks for each year, unless the paper says otherwise. Raises
    ObligationRefused for dates that cannot be, or a proof of that day recorded already.
    """
    end = end or add_months(start, rule(EVERY[kind], on=start).value)
    if end <= start:
        raise ObligationRefused(
            lease.reference, _("It ends before it begins."), _("Correct the dates of the certificate.")
        )
    with transaction.atomic():
        Lease.objects.select_for_update().get(pk=lease.pk)
        standing = Certificate.objects.filter(lease=lease, kind=kind, withdrawn_on=None)
        if standing.filter(start=start).exists():
            raise ObligationRefused(
                lease.reference,
                _("A certificate from that day is recorded already."),
                _("Withdraw the first if it is wrong."),
            )
        made = Certificate.objects.create(
            lease=lease, kind=kind, start=start, end=end, received_on=received_on, issued_by=issued_by,
            reference=reference, made_by=by,
        )  # fmt: skip
        if not standing.filter(end__gt=end).exists():
            _open_steps(lease, kind).filter(on__lte=received_on).update(answered_by=made)
        audit.record(by, "receive", "obligation", lease.pk, certificate=made.pk)
    return made


def withdraw_certificate(certificate: Certificate, *, on: date, by) -> Certificate:
    """Take a proof back, recorded by mistake or cancelled by the insurer; what it answered is open again."""
    with transaction.atomic():
        kept = Certificate.objects.select_for_update().get(pk=certificate.pk)
        if kept.withdrawn_on:
            raise ObligationRefused(
                kept.reference, _("This certificate is withdrawn already."), _("Record a new one.")
            )
        kept.withdrawn_on = on
        kept.save(update_fields=["withdrawn_on"])
        ObligationStep.objects.filter(answered_by=kept).update(answered_by=None)
        audit.record(by, "withdraw", "obligation", kept.lease_id, certificate=kept.pk)
    return kept


def take_step(
    lease: Lease, kind: str, step: str, *, on: date, by, note: str = "", premium: Money | None = None
) -> ObligationStep:
    """Record a step taken to get a proof, where the law allows it on that day.

    premium: EUR a year, of the landlord's cover. Raises ObligationRefused with the first day it may be.
    """
    with transaction.atomic():
        Lease.objects.select_for_update().get(pk=lease.pk)
        done = dict(_open_steps(lease, kind).order_by("on").values_list("step", "on"))
        _check_step(lease, kind, step, on=on, done=done, premium=premium)
        made = ObligationStep.objects.create(
            lease=lease, kind=kind, step=step, on=on, note=note, premium=premium, made_by=by
        )
        audit.record(by, step, "obligation", lease.pk)
    return made


def _check_step(lease, kind, step, *, on, done, premium) -> None:
    place = lease.reference
    if step not in STEPS_OF[kind]:
        raise ObligationRefused(
            place,
            _("No clause ends a lease, nor may the landlord insure, for that."),
            _("Claim the cost of the service instead (law of 1989, art. 4 g and 22)."),
        )
    if lease.kind not in rule("L89_ART7_CONTRACTS", on=on).value:
        raise ObligationRefused(
            place, _("This contract decides by itself what must be proved."), _("Apply its own clause.")
        )
    if done.get(step) == on:
        raise ObligationRefused(
            place, _("This step is recorded on that day already."), _("Withdraw it if it is wrong.")
        )
    valid = Certificate.objects.filter(
        lease=lease, kind=kind, withdrawn_on=None, start__lte=on, end__gt=on
    ).order_by("-end").first()  # fmt: skip
    if valid and step in (NOTICE, ORDER, COVERED):
        raise ObligationRefused(
            place,
            _("A proof is valid until %(day)s.") % {"day": f"{valid.last_day:%d/%m/%Y}"},
            _("Ask for the next one instead."),
        )
    if step == ORDER and COVERED in done:
        raise ObligationRefused(
            place,
            _("To insure for the tenant is to give up the clause (law of 1989, art. 7 g)."),
            _("Ask the premium with the rent."),
        )
    if step == COVERED:
        delay = rule("INSURANCE_COVER_DELAY", on=on)
        since = add_months(done[NOTICE], delay.value) if NOTICE in done else None
        if since is None or on < since:
            raise ObligationRefused(
                place,
                _("One month must pass after a formal notice that says so (law of 1989, art. 7 g)."),
                _("Wait until %(day)s.") % {"day": f"{since:%d/%m/%Y}"}
                if since
                else _("Send the formal notice first."),
            )
        if premium is None or premium <= euros(0):
            raise ObligationRefused(place, _("No premium is given."), _("Give the premium of a year."))


def withdraw_step(step: ObligationStep, *, on: date, by) -> ObligationStep:
    """Take a step back, recorded by mistake or given up."""
    with transaction.atomic():
        step.withdrawn_on = on
        step.save(update_fields=["withdrawn_on"])
        audit.record(by, "withdraw", "obligation", step.lease_id, step=step.pk)
    return step


def ask_all(kind: str, *, on: date, by, leases: Iterable[int] | None = None) -> int:
    """Record that the proof was asked of everybody whose is missing or ends soon, and was not asked yet.

    How many; three queries, whatever their number. Run again the same day, it asks nobody twice.
    """
    with transaction.atomic():
        rows = to_ask(kind, on)
        if leases is not None:
            rows = rows.filter(pk__in=list(leases))
        ids = list(rows.order_by("pk").values_list("pk", flat=True))
        ObligationStep.objects.bulk_create(
            [ObligationStep(lease_id=pk, kind=kind, step=ASKED, on=on, made_by=by) for pk in ids],
            batch_size=2_000,
        )
        audit.record(by, "ask", "obligation", kind, count=len(ids))
    return len(ids)


def to_ask(kind: str, on: date) -> QuerySet:
    """Leases whose proof is missing or ends soon, and of which nothing was asked since the last one."""
    idle = Q(**{f"{step}_on": None for step in STEPS})
    return bound(kind, on).filter(idle, missing_since__lte=on + SOON_DAYS)


def set_boiler(unit: Unit, *, since: date, by, contractor: str = "") -> Boiler:
    """Say that a home has its own boiler, and who services it (*chaudière*); the one before ends.

    Raises ObligationRefused where a later one is recorded.
    """
    with transaction.atomic():
        Unit.objects.select_for_update().get(pk=unit.pk)
        current = Boiler.objects.filter(unit=unit, end=None).first()
        if current and current.start > since:
            raise ObligationRefused(
                unit.reference, _("A later boiler is recorded."), _("Give a day after it.")
            )
        if current and current.start == since:
            current.contractor = contractor
            current.save(update_fields=["contractor"])
            return current
        if current:
            current.end = since
            current.save(update_fields=["end"])
        made = Boiler.objects.create(unit=unit, contractor=contractor, start=since)
        audit.record(by, "change", "unit", unit.pk, boiler=made.pk)
    return made


def _open_steps(lease: Lease, kind: str) -> QuerySet:
    return ObligationStep.objects.filter(lease=lease, kind=kind, withdrawn_on=None, answered_by=None)
