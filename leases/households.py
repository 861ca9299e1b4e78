"""Persons, and the households they live in over time (*personnes, ménages*)."""

from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _


class Person(models.Model):
    """Someone who lives in, pays for or stands surety for a home (*personne*)."""

    reference = models.CharField(_("reference"), max_length=20, unique=True)
    last_name = models.CharField(_("last name"), max_length=80)
    first_name = models.CharField(_("first name"), max_length=80, blank=True)
    born_on = models.DateField(_("date of birth"), null=True, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    phone = models.CharField(_("telephone"), max_length=20, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("person"), _("persons")
        indexes = [models.Index(fields=["last_name", "first_name"], name="person_name")]

    def __str__(self):
        return f"{self.last_name.upper()} {self.first_name}".strip()


class HouseholdQuerySet(models.QuerySet):
    def spoken_of(self, text):
        """Households of which a member's name, or the reference, holds every word of a text."""
        words = text.split()
        by_name = Membership.objects.filter(household=OuterRef("pk"))
        for word in words:
            by_name = by_name.filter(Q(person__last_name__spoken=word) | Q(person__first_name__spoken=word))
        return self.filter(Q(reference__icontains=text.strip()) | models.Exists(by_name))


class Household(models.Model):
    """People who live together (*ménage*); may be followed with neither lease nor home of ours."""

    reference = models.CharField(_("reference"), max_length=20, unique=True)

    objects = HouseholdQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("household"), _("households")

    def __str__(self):
        return self.reference


class MembershipQuerySet(models.QuerySet):
    def on(self, day):
        """Who is in a household on a day."""
        return self.filter(Q(end__isnull=True) | Q(end__gt=day), start__lte=day)


class Membership(models.Model):
    """A person's time in a household (*composition du ménage*); end excluded."""

    class Role(models.TextChoices):
        HEAD = "head", _("Head of household")
        PARTNER = "partner", _("Spouse or partner")
        CHILD = "child", _("Child")
        OTHER = "other", _("Other")

    household = models.ForeignKey(Household, models.PROTECT, related_name="memberships")
    person = models.ForeignKey(Person, models.PROTECT, related_name="memberships")
    role = models.CharField(_("role"), max_length=8, choices=Role, default=Role.HEAD)
    start = models.DateField(_("from"))
    end = models.DateField(_("until"), null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("membership"), _("memberships")
        constraints = [
            models.CheckConstraint(
                name="membership_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gt=F("start")),
                violation_error_message=_("End the membership after its first day."),
            ),
            models.UniqueConstraint(
                fields=["household", "person", "start"],
                name="membership_once",
                violation_error_message=_("This person already joined this household on that day."),
            ),
        ]

    def __str__(self):
        return f"{self.person_id} in {self.household_id}"


def with_head(rows, path, on):
    """Rows with head_last and head_first, the names of the head of the household at `path`.

    The head on that day, or the last there was (*chef de ménage*).
    """
    heads = Membership.objects.filter(
        household=OuterRef(path), role=Membership.Role.HEAD, start__lte=on
    ).order_by("-start", "pk")
    return rows.annotate(
        head_last=Subquery(heads.values("person__last_name")[:1]),
        head_first=Subquery(heads.values("person__first_name")[:1]),
    )


def head_name(row):
    """How a household is called on a page: its head's name, after with_head; empty without head."""
    return f"{(row.head_last or '').upper()} {row.head_first or ''}".strip()
