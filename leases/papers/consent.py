"""Who chose to get their papers by e-mail (*accord exprès pour l'envoi dématérialisé*).

Loi 89-462, art. 21: a receipt goes by e-mail only where the tenant has agreed to it, in so many words.
"""

from datetime import date

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.errors import Refusal
from leases.households import Person
from leases.lease import Lease


class EmailChoice(models.Model):
    """A tenant's agreement to get the papers of a lease by e-mail, over time; end excluded.

    The address is the person's own at the time of sending. proof: how it was given (form, letter, …).
    """

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="email_choices")
    person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    start = models.DateField(_("from"))
    end = models.DateField(_("until"), null=True, blank=True)
    proof = models.CharField(_("how it was given"), max_length=120)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("choice of e-mail"), _("choices of e-mail")
        constraints = [
            models.UniqueConstraint(
                fields=["lease"],
                name="email_choice_one_a_lease",
                condition=Q(end__isnull=True),
                violation_error_message=_("Papers of this lease already go by e-mail."),
            ),
            models.CheckConstraint(
                name="email_choice_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gte=F("start")),
            ),
        ]

    def __str__(self):
        return f"{self.lease_id}: {self.person_id}"


class NoChoice(Refusal):
    """A choice of e-mail that cannot be kept."""


def choose_email(lease: Lease, *, person: Person, proof: str, on: date, by) -> EmailChoice:
    """Keep that a tenant agreed to get the lease's papers by e-mail. Raises NoChoice."""
    if not person.email:
        raise NoChoice(person, _t("No e-mail address is known."), _t("Enter it first."))
    if not lease.parties.filter(person=person).exclude(role="surety").exists():
        raise NoChoice(person, _t("This person is no tenant of this lease."), _t("Choose a tenant."))
    with transaction.atomic():
        stop_email(lease, on=on, by=by)
        kept = EmailChoice.objects.create(lease=lease, person=person, start=on, proof=proof, recorded_by=by)
        audit.record(by, "change", "lease", lease.pk, email_choice=True)
    return kept


def stop_email(lease: Lease, *, on: date, by) -> bool:
    """Keep that papers go by post again from a day on; False where they did already."""
    with transaction.atomic():
        stopped = EmailChoice.objects.filter(lease=lease, end=None).update(end=on)
        if stopped:
            audit.record(by, "change", "lease", lease.pk, email_choice=False)
    return bool(stopped)


def email_of(lease_ids, on: date) -> dict[int, str]:
    """The address that each lease's papers go to on a day; those that go by post are left out."""
    found = EmailChoice.objects.filter(Q(end=None) | Q(end__gt=on), lease__in=list(lease_ids), start__lte=on)
    return dict(found.exclude(person__email="").order_by("start").values_list("lease", "person__email"))
