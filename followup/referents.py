"""Who follows a household, and since when (*référent social*): that, and nothing confided."""

from datetime import date

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import access, audit
from core.cells import Column
from core.errors import Refusal
from core.imports import (
    Echo,
    Imported,
    content,
    kept,
    read_lines,
    record,
    silent,
    stop_at_faults,
    whole,
    write,
)
from core.templatetags.gla import day_text
from leases.households import Household


class ReferentQuerySet(models.QuerySet):
    def on(self, day: date):
        """Referents of a day."""
        return self.filter(Q(end=None) | Q(end__gt=day), followed_since__lte=day)

    def spoken_of(self, text):
        """Follow-ups of households of which a name or the reference is spoken of."""
        return self.filter(household__in=Household.objects.spoken_of(text).values("pk"))


class Referent(models.Model):
    """A household's named social worker over a time (*référent*); end excluded."""

    household = models.ForeignKey(Household, models.PROTECT, related_name="+")
    worker = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    followed_since = models.DateField(_("followed since"))
    end = models.DateField(_("until"), null=True, blank=True)

    objects = ReferentQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("referent"), _("referents")
        constraints = [
            models.UniqueConstraint(
                fields=["household"],
                name="referent_one_at_a_time",
                condition=Q(end__isnull=True),
                violation_error_message=_("This household already has a referent: end that first."),
            ),
            models.CheckConstraint(
                name="referent_ends_after_it_starts",
                condition=Q(end__isnull=True) | Q(end__gt=F("followed_since")),
                violation_error_message=_("End the follow-up after its first day."),
            ),
        ]

    def __str__(self):
        return self.worker.get_full_name() or self.worker.get_username()


class ReferentRefused(Refusal):
    """A referent who may not be, or dates that contradict what is kept."""


def set_referent(household: Household, worker, *, since: date, by) -> Referent:
    """Name who follows a household from a day on (*désigner le référent*); the one before ends that day.

    The same worker again only corrects nothing. Raises ReferentRefused where the worker does no
    social follow-up, or the referent now named starts on that day or later.
    """
    if not follows(worker):
        raise ReferentRefused(
            _t("Referent"), _t("This person does no social follow-up."), _t("Choose a social worker.")
        )
    with transaction.atomic():
        Household.objects.select_for_update().get(pk=household.pk)
        current = Referent.objects.filter(household=household, end=None).first()
        if current and current.worker_id == worker.pk:
            return current
        if current:
            _end(current, since)
        named = Referent.objects.create(household=household, worker=worker, followed_since=since)
        audit.record(by, "change", "referent", named.pk, household=household.pk, worker=worker.pk)
    return named


def end_referent(household: Household, *, on: date, by) -> Referent:
    """End the follow-up of a household (*fin d'accompagnement*): on is its first day without referent.

    Raises ReferentRefused where nobody follows it, or the follow-up would end before it starts.
    """
    with transaction.atomic():
        current = Referent.objects.select_for_update().filter(household=household, end=None).first()
        if current is None:
            raise ReferentRefused(
                household.reference, _t("Nobody follows this household."), _t("Check its file.")
            )
        _end(current, on)
        audit.record(by, "end", "referent", current.pk, household=household.pk)
    return current


def followed(household_ids, on: date) -> dict[int, Referent]:
    """The referent of each of these households on a day, with the worker: one query."""
    found = Referent.objects.on(on).filter(household__in=list(household_ids)).select_related("worker")
    return {one.household_id: one for one in found}


def follows(worker) -> bool:
    """Whether a user's role is the social follow-up."""
    return access.can(worker, "social_note", "change")


def _end(current: Referent, on: date) -> None:
    if on <= current.followed_since:
        raise ReferentRefused(
            _t("Referent"),
            _t("The referent now named starts on %(day)s.") % {"day": day_text(current.followed_since)},
            _t("Give a later day."),
        )
    current.end = on
    current.save(update_fields=["end"])


# ---- from a file ------------------------------------------------------------------------

COLUMNS = [
    Column("menage_reference", key="household", required=True, help=_("The household's own reference.")),
    Column("travailleur", key="worker", required=True, help=_("The social worker's name to sign in.")),
    Column("suivi_depuis", "date", key="since", required=True, help=_("First day of the follow-up.")),
]
FIELDS = {"household": (Household, "reference")}


def import_referents(file, *, by, echo: Echo = silent) -> Imported:
    """Take in who follows whom, whole or not at all; the same file again changes nothing.

    Another worker than the one named takes over from the day given. Raises BadImport with every
    fault; BadTable for what is no table.
    """
    data = content(file)
    rows, errors = read_lines(data, COLUMNS, fields=FIELDS, ranges={}, echo=echo)
    imported = Imported(rows=len(rows))
    with whole():
        households = {
            h.reference: h for h in kept(Household.objects, "reference", (r["household"] for r in rows))
        }
        users = get_user_model().objects.prefetch_related("groups")
        workers = {u.get_username(): u for u in kept(users, "username", (row["worker"] for row in rows))}
        current = {
            one.household_id: one
            for one in kept(
                Referent.objects.filter(end=None), "household_id", (h.pk for h in households.values())
            )
        }
        new, changed, seen = [], [], {}
        for row in rows:
            household, worker = households.get(row["household"]), workers.get(row["worker"])
            if household is None:
                errors.append(
                    row.error(COLUMNS[0].name, _t("No household has this reference."), _t("Import it first."))
                )
            if worker is None or not _does_follow_up(worker):
                errors.append(
                    row.error(
                        COLUMNS[1].name,
                        _t("No social worker signs in by this name."),
                        _t("Correct the name."),
                    )
                )
            if household is None or worker is None:
                continue
            if household.pk in seen:
                errors.append(
                    row.error(
                        COLUMNS[0].name,
                        _t("Line %(line)d names a referent already.") % {"line": seen[household.pk]},
                        _t("Leave one line for each household."),
                    )
                )
                continue
            seen[household.pk] = row.line
            now = current.get(household.pk)
            if now and now.worker_id == worker.pk:
                continue
            if now and now.followed_since >= row["since"]:
                errors.append(
                    row.error(
                        COLUMNS[2].name,
                        _t("The referent now named starts on %(day)s.")
                        % {"day": day_text(now.followed_since)},
                        _t("Give a later day."),
                    )
                )
                continue
            if now:
                now.end = row["since"]
                changed.append(now)
            new.append(Referent(household=household, worker=worker, followed_since=row["since"]))
        stop_at_faults(errors)
        # One referent at a time: those who hand over end before the others begin.
        write(imported, [], changed, ["end"], echo=echo)
        write(imported, new, echo=echo)
        imported.remarks = list(errors)
        record(by, "referent", data, imported)
    return imported


def _does_follow_up(worker) -> bool:
    # The groups are fetched for all: access.can would ask once for each user.
    roles = access.roles_for("social_note", "change")
    return worker.is_active and any(group.name in roles for group in worker.groups.all())
