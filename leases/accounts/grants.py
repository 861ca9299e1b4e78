"""Grants (*subventions*): by agreement, what was agreed, claimed and received.

AGLS, ALT and AML by the agreement with the State or the département, the yearly *dotation* of a CHRS.
They are followed here; what is received is posted by the bank, as any money.
"""

from datetime import date, datetime

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit
from core.errors import Refusal
from core.money import EuroField, euros
from portfolio.stock import Structure


class GrantQuerySet(models.QuerySet):
    def with_sums(self):
        """Grants with `claimed`, `received` and `left`: agreed and not received yet, EUR."""

        def total(kind):
            rows = GrantStep.objects.filter(grant=OuterRef("pk"), kind=kind).order_by()
            sums = rows.values("grant").annotate(total=Sum("amount")).values("total")
            return Coalesce(Subquery(sums), Value(euros(0), output_field=EuroField()))

        return self.annotate(
            claimed=total(GrantStep.Kind.CLAIMED), received=total(GrantStep.Kind.RECEIVED)
        ).annotate(
            left=models.ExpressionWrapper(F("agreed") - F("received"), output_field=EuroField()),
            unclaimed=models.ExpressionWrapper(F("agreed") - F("claimed"), output_field=EuroField()),
        )


class Grant(models.Model):
    """An agreement by which a funder pays for a time (*convention de subvention*); last_day included.

    agreed: EUR for the whole time.
    """

    class Kind(models.TextChoices):
        AGLS = "agls", _("AGLS (rental and social management)")
        ALT = "alt", _("ALT (temporary housing)")
        AML = "aml", _("AML (rental mediation)")
        DOTATION = "dotation", _("Yearly funding (dotation)")
        OTHER = "other", _("Other grant")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    reference = models.CharField(_("agreement"), max_length=40, unique=True)
    funder = models.CharField(_("funder"), max_length=80)
    structure = models.ForeignKey(
        Structure, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("structure")
    )
    start = models.DateField(_("from"))
    last_day = models.DateField(_("to"))
    agreed = EuroField(_("agreed"))
    note = models.CharField(_("note"), max_length=200, blank=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("grant"), _("grants")
        constraints = [
            models.CheckConstraint(
                name="grant_ends_after_it_starts",
                condition=Q(last_day__gte=F("start")),
                violation_error_message=_("End the grant on its first day or later."),
            ),
            models.CheckConstraint(
                name="grant_above_zero",
                condition=Q(agreed__gt=0),
                violation_error_message=_("Give an amount above zero."),
            ),
        ]

    def __str__(self):
        return self.reference

    def get_absolute_url(self):
        return reverse("grant", args=[self.pk])


class GrantStep(models.Model):
    """What was claimed or received of a grant on a day (*demande de versement, versement*).

    amount: EUR; a mistake is undone by the opposite amount.
    """

    class Kind(models.TextChoices):
        CLAIMED = "claimed", _("Claimed")
        RECEIVED = "received", _("Received")

    grant = models.ForeignKey(Grant, models.PROTECT, related_name="steps")
    kind = models.CharField(_("step"), max_length=8, choices=Kind)
    on = models.DateField(_("date"))
    amount = EuroField(_("amount"))
    note = models.CharField(_("note"), max_length=200, blank=True)
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("step of a grant"), _("steps of grants")
        constraints = [models.CheckConstraint(name="grant_step_not_zero", condition=~Q(amount=0))]
        ordering = ["on", "pk"]

    def __str__(self):
        return f"{self.grant_id} {self.kind} {self.amount}"


class WrongStep(Refusal):
    """An amount that a grant cannot be claimed or received for."""


def agree_grant(
    *,
    kind: str,
    reference: str,
    funder: str,
    start: date,
    last_day: date,
    agreed: Money,
    structure=None,
    note: str = "",
    by,
) -> Grant:
    """Record an agreement. Raises WrongStep for a reference taken, an amount or dates that cannot be."""
    place = reference
    if Grant.objects.filter(reference=reference).exists():
        raise WrongStep(place, _("This agreement is recorded already."), _("Open it from the list."))
    if last_day < start:
        raise WrongStep(place, _("It ends before it begins."), _("Correct its days."))
    if agreed <= euros(0):
        raise WrongStep(place, _("Nothing is agreed."), _("Give an amount above zero."))
    with transaction.atomic():
        grant = Grant.objects.create(
            kind=kind,
            reference=reference,
            funder=funder,
            structure=structure,
            start=start,
            last_day=last_day,
            agreed=agreed,
            note=note,
        )
        audit.record(by, "change", "ledger", f"grant:{grant.pk}")
    return grant


def record_step(
    grant: Grant, kind: str, amount: Money, *, on: date, note: str = "", by, now: datetime
) -> GrantStep:
    """Record what was claimed or received of a grant.

    Raises WrongStep: nothing, more than was agreed in all, or less than nothing in all.
    """
    with transaction.atomic():
        kept = Grant.objects.select_for_update().get(pk=grant.pk)
        before = kept.steps.filter(kind=kind).aggregate(total=Sum("amount"))["total"] or euros(0)
        if not amount:
            raise WrongStep(kept.reference, _("No amount is given."), _("Give the amount in euros."))
        if before + amount > kept.agreed or before + amount < euros(0):
            raise WrongStep(
                kept.reference,
                _("In all that would make %(total)s EUR, of %(agreed)s EUR agreed.")
                % {"total": (before + amount).amount, "agreed": kept.agreed.amount},
                _("Correct the amount, or record the amendment as an agreement of its own."),
            )
        step = GrantStep.objects.create(
            grant=kept, kind=kind, amount=amount, on=on, note=note, made_by=by, made_at=now
        )
        audit.record(by, "change", "ledger", f"grant:{kept.pk}", step=step.pk)
    return step
