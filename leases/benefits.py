"""Housing benefit paid straight to the landlord (*APL/AL en tiers payant*)."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.money import EuroField
from leases.lease import Lease


class Benefit(models.Model):
    """A right to benefit for whole months (*droit APL/AL*), as the payer told it.

    start: first day of the first month of the right; end: first day of the month after the last,
    null while it runs. amount: EUR a month. Only what is paid to the landlord is deducted.
    """

    class Payer(models.TextChoices):
        CAF = "caf", _("CAF")
        MSA = "msa", _("MSA")

    class Kind(models.TextChoices):
        APL = "apl", "APL"
        AL = "al", "AL"

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="benefits")
    payer = models.CharField(_("payer"), max_length=3, choices=Payer, default=Payer.CAF)
    kind = models.CharField(_("benefit"), max_length=3, choices=Kind, default=Kind.APL)
    beneficiary_number = models.CharField(_("beneficiary number"), max_length=15, db_index=True)
    amount = EuroField(_("amount a month"))
    paid_to_landlord = models.BooleanField(_("paid to the landlord"), default=True)
    start = models.DateField(_("from"))
    end = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("housing benefit"), _("housing benefits")
        constraints = [
            models.CheckConstraint(
                name="benefit_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gt=F("start")),
                violation_error_message=_("End the benefit after its first month."),
            ),
            models.CheckConstraint(
                name="benefit_in_whole_months",
                condition=Q(start__day=1) & (Q(end__isnull=True) | Q(end__day=1)),
                violation_error_message=_("A benefit is due for whole months: give first days of months."),
            ),
            models.CheckConstraint(
                name="benefit_amount_above_zero",
                condition=Q(amount__gt=0),
                violation_error_message=_("Give an amount above zero; end the right to stop it."),
            ),
        ]
        indexes = [models.Index(fields=["lease", "start"], name="benefit_lease_start")]

    def __str__(self):
        return f"{self.get_kind_display()} {self.amount}"
