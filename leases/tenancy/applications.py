"""A file before signature (*dossier de candidature*): who, for which home, on what means, offered, answered.

What stands against the signature, and the signature itself, are in leases.tenancy.signing.
"""

import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.functions import Least
from django.utils.translation import gettext_lazy as _

from core import audit
from core.errors import Refusal
from core.money import EuroField, euros, floor_cents
from leases.households import Household, Membership, Person
from leases.kinds import CHOICES as KIND_CHOICES
from leases.kinds import KINDS, deposit_cap, fits
from leases.lease import Lease
from leases.occupancy import Occupancy
from leases.tenancy.means import Means, Occupation, occupation, reckon
from leases.terms import CHARGES, RENT, RentTerm
from portfolio.stock import Place

SOON = timedelta(days=7)
"""A deadline this near is shown as urgent."""

DOCUMENTS = {
    "identity": _("Identity or residence permit"),
    "tax": _("Tax notice"),
    "income": _("Proof of income"),
    "family": _("Family record book"),
    "benefit": _("Statement of the CAF or MSA"),
    "housing": _("Proof of the present housing"),
    "bank": _("Bank details"),
    "insurance": _("Home insurance certificate"),
    "guarantee": _("Guarantee (Visale, FSL)"),
}
"""What a file may ask for: within the list of décret 2015-1437, besides what comes with the lease."""

EXPECTED = ("identity", "tax", "income", "bank", "insurance")
"""What every file expects, unless said otherwise."""


class ApplicationRefused(Refusal):
    """A step of a file that its stage or its facts forbid."""


class ApplicationQuerySet(models.QuerySet):
    def running(self):
        """Files neither signed nor closed."""
        return self.filter(lease=None, closed_on=None)

    def at(self, stage):
        """Files at one stage."""
        return self.filter(
            {
                Application.Stage.PREPARED: Q(lease=None, closed_on=None, offered_on=None),
                Application.Stage.OFFERED: Q(
                    lease=None, closed_on=None, offered_on__isnull=False, accepted_on=None
                ),
                Application.Stage.ACCEPTED: Q(lease=None, closed_on=None, accepted_on__isnull=False),
                Application.Stage.SIGNED: Q(lease__isnull=False),
                Application.Stage.CLOSED: Q(closed_on__isnull=False),
            }[stage]
        )

    def with_deadline(self):
        """Files with `deadline`: the first of the reservation's last day and that of the answer."""
        far = date(9999, 12, 31)
        first = Least(
            models.functions.Coalesce("held_until", far), models.functions.Coalesce("answer_by", far)
        )
        return self.annotate(deadline=models.functions.NullIf(first, models.Value(far)))

    def with_people(self):
        """Files with head_last and head_first, the names of the head of the household."""
        heads = Membership.objects.filter(
            household=OuterRef("household"), role=Membership.Role.HEAD
        ).order_by("-start", "pk")
        return self.annotate(
            head_last=Subquery(heads.values("person__last_name")[:1]),
            head_first=Subquery(heads.values("person__first_name")[:1]),
        )

    def spoken_of(self, text):
        """Files whose household, request number or home is spoken of."""
        text = text.strip()
        number = text.upper().removeprefix("D").lstrip("0")
        found = Q(household__in=Household.objects.spoken_of(text).values("pk"))
        found |= Q(request_number__icontains=text) | Q(place__reference__icontains=text)
        return self.filter(found | Q(pk=int(number)) if number.isdigit() and len(number) < 10 else found)


class Application(models.Model):
    """A household's file for a home (*dossier*), from its opening to the lease or to its refusal.

    held_until: the last day of the reservation. tax_income: EUR of tax_year (*RFR*). monthly_income,
    benefit, rent, charges: EUR a month. higher_category: the next category of the income ceilings
    (young couple, or somebody disabled). waiver: reference of a derogation from the ceiling.
    """

    class Stage(models.TextChoices):
        PREPARED = "prepared", _("Being prepared")
        OFFERED = "offered", _("Offered")
        ACCEPTED = "accepted", _("Accepted")
        SIGNED = "signed", _("Signed")
        CLOSED = "closed", _("Refused or closed")

    class Holder(models.TextChoices):
        OURS = "ours", _("The association")
        STATE = "state", _("State (prefecture)")
        TOWN = "town", _("Town")
        ACTION_LOGEMENT = "action_logement", _("Action Logement")
        LANDLORD = "landlord", _("Social landlord")
        SIAO = "siao", _("SIAO")
        DEPARTMENT = "department", _("Département")

    class Request(models.TextChoices):
        NUR = "nur", _("Unique request number (NUR)")
        SIAO = "siao", _("SIAO")
        DALO = "dalo", _("DALO")

    class Basis(models.TextChoices):
        TOLD = "told", _("Simulation of the CAF or MSA")
        ESTIMATED = "estimated", _("Our own estimate")

    class Closed(models.TextChoices):
        HOUSEHOLD = "household", _("Refused by the household")
        COMMISSION = "commission", _("Refused by the commission")
        CEILING = "ceiling", _("Above the income ceiling")
        INCOMPLETE = "incomplete", _("File not completed")
        LAPSED = "lapsed", _("Reservation lapsed")
        HOUSED = "housed", _("Housed elsewhere")

    household = models.ForeignKey(Household, models.PROTECT, related_name="applications")
    partner = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    adults = models.PositiveSmallIntegerField(_("adults"), default=1, validators=[MinValueValidator(1)])
    children = models.PositiveSmallIntegerField(_("children"), default=0, validators=[MaxValueValidator(20)])
    higher_category = models.BooleanField(_("young couple, or somebody disabled"), default=False)
    holder = models.CharField(_("reservation of"), max_length=16, choices=Holder, default=Holder.OURS)
    held_until = models.DateField(_("reserved until"), null=True, blank=True)
    request_kind = models.CharField(_("request"), max_length=4, choices=Request, blank=True)
    request_number = models.CharField(_("number of the request"), max_length=30, blank=True)
    tax_income = EuroField(_("tax income"), null=True, blank=True)
    tax_year = models.PositiveSmallIntegerField(_("year of the tax income"), null=True, blank=True)
    waiver = models.CharField(_("derogation from the ceiling"), max_length=80, blank=True)
    monthly_income = EuroField(_("income a month"), null=True, blank=True)
    benefit = EuroField(_("simulated benefit a month"), null=True, blank=True)
    benefit_basis = models.CharField(_("benefit from"), max_length=9, choices=Basis, blank=True)
    place = models.ForeignKey(Place, models.PROTECT, null=True, blank=True, related_name="applications")
    kind = models.CharField(_("contract"), max_length=20, choices=KIND_CHOICES, blank=True)
    start = models.DateField(_("starts on"), null=True, blank=True)
    rent = EuroField(_("rent a month"), null=True, blank=True)
    charges = EuroField(_("charges a month"), null=True, blank=True)
    deposit = EuroField(_("deposit"), null=True, blank=True)
    opened_on = models.DateField(_("opened on"))
    offered_on = models.DateField(_("offered on"), null=True, blank=True)
    answer_by = models.DateField(_("answer by"), null=True, blank=True)
    accepted_on = models.DateField(_("accepted on"), null=True, blank=True)
    closed_on = models.DateField(_("closed on"), null=True, blank=True)
    closed_for = models.CharField(_("reason"), max_length=12, choices=Closed, blank=True)
    closed_note = models.CharField(_("note"), max_length=200, blank=True)
    lease = models.OneToOneField(Lease, models.PROTECT, null=True, blank=True, related_name="application")
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("application"), _("applications")
        constraints = [
            models.CheckConstraint(
                name="application_accepted_after_offer",
                condition=Q(accepted_on__isnull=True)
                | Q(offered_on__isnull=False, accepted_on__gte=F("offered_on")),
                violation_error_message=_("An offer is accepted on its day or later."),
            ),
            models.CheckConstraint(
                name="application_signed_once_accepted",
                condition=Q(lease__isnull=True) | Q(accepted_on__isnull=False, closed_on__isnull=True),
                violation_error_message=_("A lease is signed once the offer is accepted."),
            ),
            models.CheckConstraint(
                name="application_closed_for_a_reason",
                condition=Q(closed_on__isnull=True, closed_for="")
                | (Q(closed_on__isnull=False) & ~Q(closed_for="")),
                violation_error_message=_("Give the day and the reason together."),
            ),
            models.UniqueConstraint(
                fields=["place"],
                name="application_one_accepted_a_place",
                condition=Q(accepted_on__isnull=False, lease__isnull=True, closed_on__isnull=True),
                violation_error_message=_("Another household has accepted this home."),
            ),
        ]

    def __str__(self):
        return self.reference

    @property
    def reference(self) -> str:
        return f"D{self.pk:06d}" if self.pk else ""

    @property
    def persons(self) -> int:
        return self.adults + self.children

    @property
    def stage(self) -> str:
        if self.lease_id:
            return self.Stage.SIGNED
        if self.closed_on:
            return self.Stage.CLOSED
        if self.accepted_on:
            return self.Stage.ACCEPTED
        return self.Stage.OFFERED if self.offered_on else self.Stage.PREPARED

    @property
    def get_stage_display(self) -> str:
        return str(self.Stage(self.stage).label)

    @property
    def running(self) -> bool:
        return self.stage not in (self.Stage.SIGNED, self.Stage.CLOSED)


class ApplicationDocument(models.Model):
    """A document that a file expects, and the day it came (*pièce du dossier*)."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="documents")
    kind = models.CharField(_("document"), max_length=10, choices=DOCUMENTS)
    received_on = models.DateField(_("received on"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("document of a file"), _("documents of files")
        constraints = [
            models.UniqueConstraint(fields=["application", "kind"], name="application_document_once")
        ]

    def __str__(self):
        return self.get_kind_display()


# ---- opening, changing ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Somebody not known here yet."""

    last_name: str
    first_name: str = ""
    born_on: date | None = None
    email: str = ""
    phone: str = ""


FACTS = (
    "adults", "children", "higher_category", "holder", "held_until", "request_kind", "request_number",
    "tax_income", "tax_year", "waiver", "monthly_income", "benefit", "benefit_basis", "place", "kind",
    "start", "rent", "charges", "deposit",
)  # fmt: skip
"""What is told of a file, and may change until it is signed."""

OFFERED_FACTS = ("place", "kind", "start", "rent", "charges", "deposit")
"""What an offer says: to change it, the offer is taken back first."""


def open_application(
    *, on: date, by, household: Household | None = None, head: NewPerson | None = None,
    partner: NewPerson | None = None, **facts: Any,
) -> Application:  # fmt: skip
    """Open a file (*ouvrir un dossier*) for a household known here, or for new persons.

    facts: of FACTS. Raises ApplicationRefused where nobody is named, or where the household has a file
    running for the same home.
    """
    if (household is None) == (head is None):
        raise ApplicationRefused(
            _("The application"),
            _("It names nobody, or two households."),
            _("Choose a household, or give the name of a new one."),
        )
    with transaction.atomic():
        if household is None:
            household = new_household(head, on=on)
        same = Application.objects.running().filter(household=household, place=facts.get("place"))
        if known := same.first():
            raise ApplicationRefused(
                known.reference,
                _("This household has a file running for the same home."),
                _("Open that one."),
            )
        made = Application(household=household, opened_on=on, opened_by=by, **_facts(facts))
        if partner:
            made.partner = new_person(partner)
            Membership.objects.create(
                household=household, person=made.partner, role=Membership.Role.PARTNER, start=on
            )
            made.adults = max(made.adults, 2)
        made.save()
        ApplicationDocument.objects.bulk_create(
            ApplicationDocument(application=made, kind=kind) for kind in EXPECTED
        )
        audit.record(by, "open", "application", made.pk)
    return made


def change_application(application: Application, *, by, **facts: Any) -> Application:
    """Change what is told of a file. Raises ApplicationRefused once signed, closed, or offered otherwise."""
    with transaction.atomic():
        kept = running_file(application)
        told = _facts(facts)
        changed = [name for name, value in told.items() if getattr(kept, name) != value]
        if kept.offered_on and set(changed) & set(OFFERED_FACTS):
            raise ApplicationRefused(
                kept.reference,
                _("The home is offered on other terms."),
                _("Take the offer back first."),
            )
        for name in changed:
            setattr(kept, name, told[name])
        if changed:
            kept.save(update_fields=changed)
            audit.record(by, "change", "application", kept.pk)
    return kept


def note_documents(application: Application, *, expected: set[str], received: set[str], on: date, by) -> None:
    """Say which documents a file expects and which have come; the day a document came is kept."""
    with transaction.atomic():
        kept = running_file(application)
        known = {one.kind: one for one in kept.documents.all()}
        kept.documents.filter(kind__in=known.keys() - expected - received).delete()
        for kind in expected | received:
            one = known.get(kind) or ApplicationDocument(application=kept, kind=kind)
            if kind not in received:
                one.received_on = None
            elif one.received_on is None:
                one.received_on = on
            one.save()
        audit.record(by, "documents", "application", kept.pk)


def new_household(head: NewPerson, *, on: date) -> Household:
    """A household of one person not known yet, as its head."""
    household = numbered(Household(), "M")
    Membership.objects.create(household=household, person=new_person(head), start=on)
    return household


def numbered(thing: Any, letter: str) -> Any:
    """Save a new person, household or lease with a reference of its own: a letter and its number."""
    model = type(thing)
    thing.reference = f"#{secrets.token_hex(6)}"
    thing.save()
    thing.reference = f"{letter}{thing.pk:06d}"
    if model.objects.filter(reference=thing.reference).exists():
        thing.reference = f"{letter}{thing.pk:06d}-{secrets.token_hex(2)}"
    thing.save(update_fields=["reference"])
    return thing


def new_person(told: NewPerson) -> Person:
    """Somebody not known here yet, saved with a reference."""
    fields = {name: getattr(told, name) for name in NewPerson.__slots__}
    made: Person = numbered(Person(**fields), "P")
    return made


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    if unknown := facts.keys() - set(FACTS):
        raise TypeError(f"no facts of a file: {sorted(unknown)}")
    return facts


def running_file(application: Application) -> Application:
    """The file, locked. Raises ApplicationRefused once it is signed or closed."""
    kept = Application.objects.select_for_update(of=("self",)).get(pk=application.pk)
    if not kept.running:
        raise ApplicationRefused(kept.reference, _("This file is signed or closed."), _("Open a new file."))
    return kept


# ---- what is known of a file ----------------------------------------------------------------


def proposed_terms(place: Place, *, on: date) -> dict[str, Any]:
    """What a home was let for last, as a proposal: kind, rent, charges, deposit; {} where nothing is known."""
    structure = place.unit.structure.kind if place.unit.structure_id else None
    last = Occupancy.objects.filter(place=place).select_related("lease").order_by("-start").first()
    if last is None:
        fitting = [code for code, kind in KINDS.items() if fits(kind, structure)]
        return {"kind": fitting[0]} | ({"rent": place.unit.rent_ceiling} if place.unit.rent_ceiling else {})
    found: dict[str, Any] = {"kind": last.lease.kind}
    for name, item in (("rent", RENT), ("charges", CHARGES)):
        term = RentTerm.objects.filter(lease=last.lease, item=item).order_by("-start").first()
        if term:
            found[name] = term.amount
    if "rent" in found:
        months = deposit_cap(KINDS[last.lease.kind], on=on)
        found["deposit"] = floor_cents(found["rent"] * months) if months is not None else euros(0)
    return found


def means_of(application: Application, *, on: date) -> Means | None:
    """What the home would cost the household; None until a rent is told."""
    if application.rent is None:
        return None
    return reckon(
        rent=application.rent,
        charges=application.charges or euros(0),
        benefit=application.benefit,
        income=application.monthly_income,
        persons=application.persons,
        on=on,
    )


def occupation_of(application: Application, *, on: date) -> Occupation | None:
    """Persons against rooms; None until a home is proposed, or where it is a room or a bed."""
    place = application.place
    if place is None or place.kind != Place.Kind.HOME:
        return None
    return occupation(
        persons=application.persons,
        rooms=int(place.unit.typology[1:]),
        surface=place.unit.living_surface,
        on=on,
    )


# ---- the answer -------------------------------------------------------------------------------


def accept_offer(application: Application, *, on: date, by) -> Application:
    """The household, and the commission where there is one, take the home (*acceptation*).

    Raises ApplicationRefused where nothing is offered, or another household has accepted the same home.
    """
    with transaction.atomic():
        kept = running_file(application)
        if kept.offered_on is None:
            raise ApplicationRefused(kept.reference, _("No home is offered yet."), _("Offer one first."))
        if on < kept.offered_on:
            raise ApplicationRefused(
                kept.reference, _("It would be accepted before it was offered."), _("Correct the day.")
            )
        others = Application.objects.at(Application.Stage.ACCEPTED).filter(place=kept.place_id)
        if other := others.exclude(pk=kept.pk).first():
            raise ApplicationRefused(
                kept.reference,
                _("Another household has accepted this home: file %(file)s.") % {"file": other.reference},
                _("Close that file, or propose another home."),
            )
        kept.accepted_on = on
        kept.save(update_fields=["accepted_on"])
        audit.record(by, "accept", "application", kept.pk)
    return kept


def close_application(application: Application, *, on: date, reason: str, by, note: str = "") -> Application:
    """The offer is refused, or the file ends without a lease (*refus, classement*), with its reason."""
    if reason not in Application.Closed.values:
        raise ApplicationRefused(application.reference, _("Nobody knows why it ends."), _("Choose a reason."))
    with transaction.atomic():
        kept = running_file(application)
        kept.closed_on, kept.closed_for, kept.closed_note = on, reason, note
        kept.save(update_fields=["closed_on", "closed_for", "closed_note"])
        audit.record(by, "close", "application", kept.pk)
    return kept


def step_back(application: Application, *, by) -> Application:
    """Undo the last step of a file: its closing, its acceptance or its offer.

    Raises ApplicationRefused once the lease is signed, or where nothing is to be undone.
    """
    with transaction.atomic():
        kept = Application.objects.select_for_update(of=("self",)).get(pk=application.pk)
        if kept.lease_id:
            raise ApplicationRefused(
                kept.reference, _("The lease is signed."), _("End the lease from its own page.")
            )
        if kept.closed_on:
            kept.closed_on, kept.closed_for, kept.closed_note = None, "", ""
        elif kept.accepted_on:
            kept.accepted_on = None
        elif kept.offered_on:
            kept.offered_on = kept.answer_by = None
        else:
            raise ApplicationRefused(
                kept.reference, _("Nothing is offered yet."), _("Close the file if it is given up.")
            )
        kept.save()
        audit.record(by, "step_back", "application", kept.pk)
    return kept
