"""What a lease owes each month, by item and over time (*conditions de loyer, franchises*)."""

from dataclasses import dataclass

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.money import EuroField
from leases import ledger
from leases.lease import Lease

RENT, CHARGES, SERVICES, PARKING, FURNITURE = 1, 2, 3, 4, 5
INDEMNITY, BENEFIT = 8, 9


@dataclass(frozen=True, slots=True)
class Item:
    """Something called each month (*rubrique de quittancement*).

    account: the kind of account it is posted to. agreed: it has terms in the lease, rather than
    following from facts (the benefit, the indemnity of who stays without title).
    """

    code: int
    label: str
    account: int
    agreed: bool = True


ITEMS = {
    item.code: item
    for item in (
        Item(RENT, _("Rent"), ledger.RENT),
        Item(CHARGES, _("Service charges"), ledger.CHARGES),
        Item(SERVICES, _("Optional services"), ledger.SERVICES),
        Item(PARKING, _("Parking"), ledger.OTHER),
        Item(FURNITURE, _("Furniture"), ledger.OTHER),
        Item(INDEMNITY, _("Occupation indemnity"), ledger.INDEMNITY, agreed=False),
        Item(BENEFIT, _("Housing benefit"), ledger.BENEFIT, agreed=False),
    )
}
ITEM_CHOICES = {code: item.label for code, item in ITEMS.items()}
AGREED_CHOICES = {code: item.label for code, item in ITEMS.items() if item.agreed}


class RentTermQuerySet(models.QuerySet):
    def on(self, day):
        """Terms in force on a day."""
        return self.filter(Q(end__isnull=True) | Q(end__gt=day), start__lte=day)


class RentTerm(models.Model):
    """A monthly amount agreed for one item (*conditions de loyer*); end excluded, null while it runs."""

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="terms")
    item = models.PositiveSmallIntegerField(_("item"), choices=AGREED_CHOICES)
    amount = EuroField(_("amount a month"))
    start = models.DateField(_("from"))
    end = models.DateField(_("until"), null=True, blank=True)

    objects = RentTermQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("rent term"), _("rent terms")
        constraints = [
            models.CheckConstraint(
                name="rent_term_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gt=F("start")),
                violation_error_message=_("End the rent term after its first day."),
            ),
            models.CheckConstraint(
                name="rent_term_amount_not_negative",
                condition=Q(amount__gte=0),
                violation_error_message=_("Give an amount of zero or more."),
            ),
        ]
        indexes = [models.Index(fields=["lease", "item", "start"], name="rent_term_lease_item")]

    def __str__(self):
        return f"{self.get_item_display()} {self.amount}"


class FreePeriod(models.Model):
    """Days for which nothing is called (*franchise de loyer*); end excluded."""

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="free_periods")
    start = models.DateField(_("from"))
    end = models.DateField(_("until"))
    reason = models.CharField(_("reason"), max_length=120)

    class Meta:
        verbose_name, verbose_name_plural = _("rent-free period"), _("rent-free periods")
        constraints = [
            models.CheckConstraint(
                name="free_period_ends_after_it_starts",
                condition=Q(end__gt=F("start")),
                violation_error_message=_("End the rent-free period after its first day."),
            )
        ]

    def __str__(self):
        return f"{self.start} – {self.end}"
