"""The stock: sites, buildings, units, the places in them, and their dated facts (*patrimoine*)."""

from datetime import date

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

from core.law import rule
from core.money import EuroField
from core.periods import add_months, first_of_month
from portfolio.owners import Holding


class Site(models.Model):
    """An estate or a street that people name as one (*site, résidence*)."""

    reference = models.CharField(_("reference"), max_length=20, unique=True)
    name = models.CharField(_("name"), max_length=120)

    class Meta:
        verbose_name, verbose_name_plural = _("site"), _("sites")

    def __str__(self):
        return self.name


class Structure(models.Model):
    """A collective structure of the association (*structure collective*); homes in none are diffuse."""

    class Kind(models.TextChoices):
        CHRS = "chrs", _("CHRS")
        RESIDENCE_SOCIALE = "residence_sociale", _("Résidence sociale")
        PENSION_FAMILLE = "pension_famille", _("Pension de famille")
        RHVS = "rhvs", _("Hotel residence with a social purpose")
        ALT = "alt", _("ALT homes lent to the SIAO")

    reference = models.CharField(_("reference"), max_length=20, unique=True)
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)

    class Meta:
        verbose_name, verbose_name_plural = _("structure"), _("structures")

    def __str__(self):
        return self.name


class BuildingQuerySet(models.QuerySet):
    def spoken_of(self, text):
        """Buildings whose reference, address or site holds every word of a text."""
        found = self
        for word in text.split():
            found = found.filter(
                Q(reference__icontains=word)
                | Q(address__spoken=word)
                | Q(commune__spoken=word)
                | Q(postcode__startswith=word)
                | Q(site__name__spoken=word)
            )
        return found


class Building(models.Model):
    """A building with its address (*immeuble*); ban_id is its key in the national address base."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="buildings")
    reference = models.CharField(_("reference"), max_length=20, unique=True)
    address = models.CharField(_("address"), max_length=160)
    postcode = models.CharField(_("postcode"), max_length=5)
    commune = models.CharField(_("commune"), max_length=80)
    commune_code = models.CharField(_("INSEE commune code"), max_length=5)
    ban_id = models.CharField(_("address key (BAN)"), max_length=40, blank=True)
    latitude = models.DecimalField(_("latitude"), max_digits=9, decimal_places=6, null=True, blank=True)
    longitude = models.DecimalField(_("longitude"), max_digits=9, decimal_places=6, null=True, blank=True)
    built = models.PositiveSmallIntegerField(_("year built"), null=True, blank=True)

    objects = BuildingQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("building"), _("buildings")

    def __str__(self):
        return f"{self.address}, {self.postcode} {self.commune}"


class UnitQuerySet(models.QuerySet):
    def held_on(self, day):
        """Units that the association holds or manages on a day."""
        return self.filter(Exists(Holding.objects.on(day).filter(unit=OuterRef("pk"))))

    def held_from(self, kind, day):
        """Units held on a day of an owner of that kind."""
        return self.filter(Exists(Holding.objects.on(day).filter(unit=OuterRef("pk"), owner__kind=kind)))

    def with_holding(self, day):
        """Units with what held them on a day: owner_id, owner_name, owner_kind, title; null where none."""
        held = Holding.objects.on(day).filter(unit=OuterRef("pk")).order_by("-start")
        return self.annotate(
            owner_id=Subquery(held.values("owner_id")[:1]),
            owner_name=Subquery(held.values("owner__name")[:1]),
            owner_kind=Subquery(held.values("owner__kind")[:1]),
            title=Subquery(held.values("title")[:1]),
        )

    def spoken_of(self, text):
        """Units whose reference or address holds every word of a text."""
        found = self
        for word in text.split():
            found = found.filter(
                Q(reference__icontains=word)
                | Q(building__address__spoken=word)
                | Q(building__commune__spoken=word)
                | Q(building__postcode__startswith=word)
            )
        return found

    def out_of_service_on(self, day):
        """Units in works, withdrawn or kept empty on a day."""
        return self.filter(Exists(OutOfService.objects.on(day).filter(unit=OuterRef("pk"))))


class Unit(models.Model):
    """A home or other lot that is held as one (*logement, lot*).

    living_surface: m² (*surface habitable*). rent_ceiling: EUR a month by its financing.
    """

    class Typology(models.TextChoices):
        T1 = "T1", "T1"
        T2 = "T2", "T2"
        T3 = "T3", "T3"
        T4 = "T4", "T4"
        T5 = "T5", "T5"
        T6 = "T6", "T6"
        T7 = "T7", "T7"

    class Financing(models.TextChoices):
        PLAI = "plai", "PLAI"
        PLUS = "plus", "PLUS"
        PLS = "pls", "PLS"
        ANAH_SOCIAL = "anah_social", _("Anah, social rent")
        ANAH_VERY_SOCIAL = "anah_very_social", _("Anah, very social rent")
        FREE = "free", _("No convention")

    building = models.ForeignKey(Building, models.PROTECT, related_name="units")
    structure = models.ForeignKey(
        Structure, models.PROTECT, null=True, blank=True, related_name="units", verbose_name=_("structure")
    )
    reference = models.CharField(_("reference"), max_length=20, unique=True)
    typology = models.CharField(_("type"), max_length=2, choices=Typology)
    floor = models.SmallIntegerField(_("floor"), null=True, blank=True)
    door = models.CharField(_("door"), max_length=20, blank=True)
    living_surface = models.DecimalField(_("living surface, m²"), max_digits=7, decimal_places=2)
    financing = models.CharField(_("financing"), max_length=16, choices=Financing, default=Financing.FREE)
    rent_ceiling = EuroField(_("rent ceiling"), null=True, blank=True)
    accessible = models.BooleanField(_("step-free access"), default=False)

    objects = UnitQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("unit"), _("units")
        constraints = [
            models.CheckConstraint(
                name="unit_living_surface_above_zero",
                condition=Q(living_surface__gt=0),
                violation_error_message=_("Give a living surface above zero."),
            )
        ]

    def __str__(self):
        return self.reference


class Place(models.Model):
    """What one household occupies at a time: a home, or a room or bed of a structure (*place*)."""

    class Kind(models.TextChoices):
        HOME = "home", _("Home")
        ROOM = "room", _("Room")
        BED = "bed", _("Bed")

    unit = models.ForeignKey(Unit, models.PROTECT, related_name="places")
    reference = models.CharField(_("reference"), max_length=24, unique=True)
    kind = models.CharField(_("kind"), max_length=4, choices=Kind, default=Kind.HOME)

    class Meta:
        verbose_name, verbose_name_plural = _("place"), _("places")

    def __str__(self):
        return self.reference


class DatedQuerySet(models.QuerySet):
    def on(self, day):
        return self.filter(Q(end__isnull=True) | Q(end__gt=day), start__lte=day)


class OutOfService(models.Model):
    """A time when a unit may not be let (*vacance technique, travaux, retrait*); end excluded."""

    class Kind(models.TextChoices):
        VACANCY = "vacancy", _("Kept empty")
        WORKS = "works", _("Works")
        WITHDRAWAL = "withdrawal", _("Withdrawn")

    unit = models.ForeignKey(Unit, models.PROTECT, related_name="out_of_service")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    start = models.DateField(_("from"))
    end = models.DateField(_("until"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)

    objects = DatedQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("time out of service"), _("times out of service")
        constraints = [
            models.CheckConstraint(
                name="out_of_service_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gt=F("start")),
                violation_error_message=_("End the time out of service after its first day."),
            )
        ]

    def __str__(self):
        return self.get_kind_display()


class SafetyOrder(models.Model):
    """An order that stops the rent (*arrêté d'insalubrité, de mise en sécurité*), CCH L.521-2.

    rent_stops: first of the month after notification; rent_resumes: first of the month after
    release (null while in force). Both follow from the two dates and are kept for SQL.
    """

    class Kind(models.TextChoices):
        UNFITNESS = "unfitness", _("Unfitness order")
        SAFETY = "safety", _("Safety order")

    unit = models.ForeignKey(Unit, models.PROTECT, related_name="safety_orders")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    reference = models.CharField(_("reference"), max_length=40, blank=True)
    notified_on = models.DateField(_("notified on"))
    released_on = models.DateField(_("released on"), null=True, blank=True)
    rent_stops = models.DateField(_("rent stops"), editable=False)
    rent_resumes = models.DateField(_("rent resumes"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("safety order"), _("safety orders")
        constraints = [
            models.CheckConstraint(
                name="safety_order_released_after_notified",
                condition=Q(released_on__isnull=True) | Q(released_on__gte=F("notified_on")),
                violation_error_message=_("An order is released after it was notified."),
            ),
            models.CheckConstraint(
                name="safety_order_stops_rent_after_notice",
                condition=Q(rent_stops__gt=F("notified_on")),
                violation_error_message=_("Rent stops on the first of the month after notification."),
            ),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} {self.reference}".strip()


def rent_stops(notified_on: date) -> date:
    """The day from which no sum is due under an order: a first of the month after (RENT_SUSPENDED)."""
    return add_months(first_of_month(notified_on), rule("RENT_SUSPENDED", on=notified_on).value)


def safety_order(
    unit: Unit, *, kind: str, notified_on: date, released_on: date | None = None, reference: str = ""
) -> SafetyOrder:
    """An order with the days on which rent stops and resumes (*arrêté*), not saved yet.

    Source: CCH L.521-2: from the first of the month after notification or posting, until the first of
    the month after release (*mainlevée*).
    """
    return SafetyOrder(
        unit=unit,
        kind=kind,
        reference=reference,
        notified_on=notified_on,
        released_on=released_on,
        rent_stops=rent_stops(notified_on),
        rent_resumes=rent_stops(released_on) if released_on else None,
    )
