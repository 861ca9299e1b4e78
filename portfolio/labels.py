"""Each home's energy label as dated facts (*étiquette DPE*); written by energy/."""

from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portfolio.stock import Unit


class EnergyLabel(models.Model):
    """A unit's label from a diagnosis (*étiquette DPE*): A to G, from issued_on until valid_until excluded."""

    class Letter(models.TextChoices):
        A = "A", "A"
        B = "B", "B"
        C = "C", "C"
        D = "D", "D"
        E = "E", "E"
        F = "F", "F"
        G = "G", "G"

    unit = models.ForeignKey(Unit, models.PROTECT, related_name="energy_labels")
    letter = models.CharField(pgettext_lazy("energy", "label"), max_length=1, choices=Letter)
    issued_on = models.DateField(_("issued on"))
    valid_until = models.DateField(_("valid until"))
    number = models.CharField(_("DPE number"), max_length=20, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("energy label"), _("energy labels")
        constraints = [
            models.CheckConstraint(
                name="energy_label_valid_after_issue",
                condition=Q(valid_until__gt=F("issued_on")),
                violation_error_message=_("A label is valid after its day of issue."),
            ),
            models.UniqueConstraint(
                fields=["unit", "issued_on"],
                name="energy_label_one_a_day",
                violation_error_message=_("This unit already has a label of that day."),
            ),
        ]

    def __str__(self):
        return self.letter


def with_label(units, on):
    """Units with `label`, the letter valid on a day, null where none is: the last issued counts."""
    valid = EnergyLabel.objects.filter(unit=OuterRef("pk"), issued_on__lte=on, valid_until__gt=on)
    return units.annotate(label=Subquery(valid.order_by("-issued_on").values("letter")[:1]))


def labelled(units, letters, on, *, unknown=False):
    """Units whose label on a day is one of these letters; unknown: or that have no valid one."""
    wanted = Q(label__in=[letter for letter in letters if letter in EnergyLabel.Letter])
    return with_label(units, on).filter(wanted | Q(label=None) if unknown else wanted)
