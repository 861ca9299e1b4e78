"""The lease: a household's title to a home (*bail, contrat*), its parties and its payers."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.money import EuroField
from leases.households import Household, Person
from leases.kinds import CHOICES as KIND_CHOICES


class LeaseQuerySet(models.QuerySet):
    def in_force_on(self, day):
        """Leases whose title runs on a day."""
        return self.filter(Q(end__isnull=True) | Q(end__gt=day), start__lte=day)


class Lease(models.Model):
    """A title to occupy (*bail*), whatever its regime: leases.kinds holds the rules of each.

    start: first day of the title; end: day after its last, null while it runs. Who stays after the
    end occupies without title (*occupant sans droit ni titre*): leases.occupancy says until when.
    payment_reference: printed on every notice, two check digits (leases.bank reads it back).
    """

    class Billing(models.TextChoices):
        IN_ADVANCE = "advance", _("In advance (à échoir)")
        IN_ARREARS = "arrears", _("In arrears (échu)")

    class EndReason(models.TextChoices):
        TENANT_NOTICE = "tenant_notice", _("Tenant's notice")
        LANDLORD_NOTICE = "landlord_notice", _("Landlord's notice")
        COURT = "court", _("Judgment or clause")
        TRANSFER = "transfer", _("Moved to another home")
        DEATH = "death", _("Death")
        TERM = "term", _("Term of the contract")
        HOLDING_END = "holding_end", _("End of the mandate or head lease")

    reference = models.CharField(_("reference"), max_length=20, unique=True)
    kind = models.CharField(_("contract"), max_length=20, choices=KIND_CHOICES)
    household = models.ForeignKey(Household, models.PROTECT, related_name="leases")
    signed_on = models.DateField(_("signed on"))
    start = models.DateField(_("starts on"))
    last_renewed_on = models.DateField(_("last renewed on"), null=True, blank=True)
    end = models.DateField(_("ended from"), null=True, blank=True)
    end_reason = models.CharField(_("reason of the end"), max_length=16, choices=EndReason, blank=True)
    billing = models.CharField(_("called"), max_length=8, choices=Billing, default=Billing.IN_ADVANCE)
    due_day = models.PositiveSmallIntegerField(
        _("due day"), default=5, validators=[MinValueValidator(1), MaxValueValidator(28)]
    )
    deposit = EuroField(_("deposit"), default=0)
    payment_reference = models.CharField(_("payment reference"), max_length=12, unique=True)
    debit_mandate = models.CharField(_("direct-debit mandate (RUM)"), max_length=35, blank=True)

    objects = LeaseQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("lease"), _("leases")
        constraints = [
            models.CheckConstraint(
                name="lease_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gt=F("start")),
                violation_error_message=_("End the lease after its first day."),
            ),
            models.CheckConstraint(
                name="lease_end_has_a_reason",
                condition=Q(end__isnull=True, end_reason="") | (Q(end__isnull=False) & ~Q(end_reason="")),
                violation_error_message=_("Give the date and the reason of the end together."),
            ),
            models.CheckConstraint(
                name="lease_due_day_in_every_month",
                condition=Q(due_day__gte=1, due_day__lte=28),
                violation_error_message=_("Choose a due day from 1 to 28."),
            ),
            models.UniqueConstraint(
                fields=["debit_mandate"],
                name="lease_debit_mandate_once",
                condition=~Q(debit_mandate=""),
                violation_error_message=_("This direct-debit mandate belongs to another lease."),
            ),
        ]
        indexes = [models.Index(fields=["household"], name="lease_household")]

    def __str__(self):
        return self.reference


class LeaseParty(models.Model):
    """Who signed or stands surety (*titulaire, cotitulaire, caution*); end excluded."""

    class Role(models.TextChoices):
        TENANT = "tenant", _("Tenant")
        CO_TENANT = "co_tenant", _("Joint tenant")
        SURETY = "surety", _("Surety")

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="parties")
    person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.TENANT)
    start = models.DateField(_("from"))
    end = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("party"), _("parties")
        constraints = [
            models.UniqueConstraint(fields=["lease", "person", "role", "start"], name="lease_party_once"),
            models.CheckConstraint(
                name="lease_party_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gt=F("start")),
            ),
        ]

    def __str__(self):
        return f"{self.person_id} · {self.lease_id}"


class PayerIban(models.Model):
    """An account from which a lease is known to be paid (*IBAN payeur*)."""

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="payer_ibans")
    iban = models.CharField(_("IBAN"), max_length=34, db_index=True)
    since = models.DateField(_("since"))

    class Meta:
        verbose_name, verbose_name_plural = _("payer's account"), _("payers' accounts")
        constraints = [models.UniqueConstraint(fields=["lease", "iban"], name="payer_iban_once")]

    def __str__(self):
        return f"…{self.iban[-4:]}"


def payment_reference(number: int) -> str:
    """The reference printed on a lease's notices: L, seven digits, two check digits (mod 97).

    The check digits make a mistyped reference no reference at all, rather than a neighbour's.
    """
    return f"L{number:07d}{98 - number * 100 % 97:02d}"


def is_payment_reference(text: str) -> bool:
    """Whether a text is a reference with right check digits (ISO 7064, mod 97-10)."""
    return len(text) == 10 and text[0] == "L" and text[1:].isdigit() and int(text[1:]) % 97 == 1
