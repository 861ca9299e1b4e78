"""Owners (*propriétaires*) and what binds each unit to them over time (*titre de détention*)."""

from dataclasses import dataclass

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.money import EuroField


class OwnerQuerySet(models.QuerySet):
    def spoken_of(self, text):
        """Owners whose name or reference holds every word of a text."""
        found = self
        for word in text.split():
            found = found.filter(Q(name__spoken=word) | Q(reference__icontains=word))
        return found


class Owner(models.Model):
    """Who owns homes that the association holds or manages (*propriétaire, mandant*)."""

    class Kind(models.TextChoices):
        OWN = "own", _("Association's own account")
        SOCIAL = "social", _("Social landlord")
        PRIVATE = "private", _("Private landlord")
        SAUES = "saues", _("SAUES")

    class Nature(models.TextChoices):
        LEGAL_PERSON = "mp", _("Legal person")
        PERSON = "person", _("Natural person")
        FAMILY_COMPANY = "family_sci", _("Family company (SCI)")
        HLM = "hlm", _("HLM body")
        SAUES = "saues", _("SAUES")

    reference = models.CharField(_("reference"), max_length=20, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    nature = models.CharField(_("nature"), max_length=10, choices=Nature, default=Nature.LEGAL_PERSON)
    name = models.CharField(_("name"), max_length=120)
    siren = models.CharField(_("SIREN number"), max_length=9, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    iban = models.CharField(_("IBAN"), max_length=34, blank=True)

    objects = OwnerQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("owner"), _("owners")

    def __str__(self):
        return self.name


@dataclass(frozen=True, slots=True)
class Title:
    """A way of holding a home, with its rules (*titre de détention*).

    owners_book: the tenant owes the owner, so the money is kept in the owner's own book.
    rent_due_anyway: the owner's rent is owed whether or not the home is let or paid.
    sublets: the association is itself the landlord of the occupant.
    """

    code: str
    label: str
    owners_book: bool
    rent_due_anyway: bool
    sublets: bool


TITLES = {
    title.code: title
    for title in (
        Title("deed", _("Own deed"), False, False, False),
        Title("mandate", _("Management mandate"), True, False, False),
        Title("head_lease", _("Head lease, to sub-let"), False, True, True),
        Title("rehab_lease", _("Rehabilitation lease"), False, True, True),
        Title("emphyteusis", _("Emphyteutic lease"), False, True, True),
    )
}
OWNERS_BOOK_TITLES = tuple(code for code, title in TITLES.items() if title.owners_book)


class HoldingQuerySet(models.QuerySet):
    def on(self, day):
        """Holdings in force on a day."""
        return self.filter(Q(end__isnull=True) | Q(end__gt=day), start__lte=day)

    def ending(self, *, after, by):
        """Holdings whose last day falls within two days: `after` excluded, `by` included."""
        return self.filter(end__gt=after, end__lte=by)

    def spoken_of(self, text):
        """Holdings whose number, unit or owner holds every word of a text."""
        found = self
        for word in text.split():
            found = found.filter(
                Q(reference__icontains=word)
                | Q(unit__reference__icontains=word)
                | Q(owner__name__spoken=word)
            )
        return found


class Holding(models.Model):
    """What binds a unit to its owner over a time (*acte, mandat, bail principal*).

    start included, end excluded or null. fee_rate: percent of the sums received.
    rent_due: EUR a month owed to the owner whether or not the home is let (head lease and like).
    """

    unit = models.ForeignKey("portfolio.Unit", models.PROTECT, related_name="holdings")
    owner = models.ForeignKey(Owner, models.PROTECT, related_name="holdings")
    title = models.CharField(_("title"), max_length=12, choices={c: t.label for c, t in TITLES.items()})
    reference = models.CharField(_("deed or mandate number"), max_length=30, blank=True)
    start = models.DateField(_("from"))
    end = models.DateField(_("until"), null=True, blank=True)
    fee_rate = models.DecimalField(_("fee rate, %"), max_digits=5, decimal_places=2, null=True, blank=True)
    unpaid_guaranteed = models.BooleanField(_("unpaid rent guaranteed"), default=False)
    vacancy_guaranteed = models.BooleanField(_("vacancy guaranteed"), default=False)
    rent_due = EuroField(_("rent due to the owner"), null=True, blank=True)

    objects = HoldingQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("holding"), _("holdings")
        constraints = [
            models.CheckConstraint(
                name="holding_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gt=F("start")),
                violation_error_message=_("End the holding after its first day."),
            ),
            models.CheckConstraint(
                name="holding_fee_rate_a_percentage",
                condition=Q(fee_rate__isnull=True) | Q(fee_rate__gte=0, fee_rate__lte=100),
                violation_error_message=_("Give a fee rate between 0 and 100 per cent."),
            ),
        ]
        indexes = [models.Index(fields=["unit", "start"], name="holding_unit_start")]

    def __str__(self):
        return f"{self.get_title_display()} {self.reference}".strip()
