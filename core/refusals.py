"""What the database itself refuses, told as a sentence (*refus de la base*)."""

import re

from django.apps import apps
from django.db import DatabaseError, models
from django.utils.translation import gettext_lazy as _

from core.errors import Refusal

SENTENCES = {
    "append_only": (
        _("What is in the ledger is never changed nor removed."),
        _("Reverse it by an opposite entry."),
    ),
    "audit_append_only": (
        _("The audit is added to, never changed nor removed."),
        _("Leave the line as it is."),
    ),
    "benefit_not_with_alt": (
        _("ALT and a housing benefit never pay for the same home in the same month."),
        _("Stop the benefit from the month of the ALT stay, or correct the home or the contract."),
    ),
    "benefit_one_at_a_time": (
        _("Another housing benefit of this lease runs on the same days."),
        _("End the earlier right before the new one starts."),
    ),
    "document_append_only": (
        _("A paper that was made is never changed nor removed."),
        _("Make a new one."),
    ),
    "entry_sealed": (
        _("This entry is sealed: it takes no more lines."),
        _("Post in a new entry."),
    ),
    "free_period_one_at_a_time": (
        _("Another rent-free period of this lease covers the same days."),
        _("Change its dates so that they do not meet."),
    ),
    "holding_one_at_a_time": (
        _("Another title already holds this home on the same days."),
        _("End the earlier title before the new one starts."),
    ),
    "mandant_overdrawn": (
        _("More would leave an owner's funds than are held for this owner."),
        _("Record it as an advance of the association."),
    ),
    "occupancy_one_at_a_time": (
        _("Somebody else occupies this place on the same days."),
        _("Give the day the earlier occupant left, or choose another place."),
    ),
    "occupancy_one_a_lease": (
        _("This lease already occupies another place on the same days."),
        _("End the earlier occupation first."),
    ),
    "occupancy_starts_in_service": (
        _("The home is out of service on the day of entry."),
        _("Choose a day of entry after its return to service, or correct the time out of service."),
    ),
    "occupancy_starts_while_held": (
        _("The association holds no title to this home on the day of entry."),
        _("Enter the mandate or deed first, or correct the day of entry."),
    ),
    "occupancy_within_title": (
        _("The entry comes before the first day of the lease."),
        _("Correct the day of entry or the start of the lease."),
    ),
    "out_of_service_one_at_a_time": (
        _("This home is already out of service on the same days."),
        _("Change the dates so that they do not meet."),
    ),
    "period_final": (
        _("The accounting file of that year was declared final: its period stays closed."),
        _("Correct by a posting in the open period."),
    ),
    "period_locked": (
        _("The accounts are closed on that day."),
        _("Post it in the open period: give a later date, or have the director open the period again."),
    ),
    "posting_across_books": (
        _("A posting stays within one book: money of an owner is kept apart."),
        _("Go through the clearing accounts."),
    ),
    "posting_replaces": (
        _("A posting is never written over another."),
        _("Post a new line."),
    ),
    "revision_append_only": (
        _("A revision is never changed nor removed."),
        _("Undo it: the former rent runs again."),
    ),
    "rent_term_one_at_a_time": (
        _("Another amount for the same item of this lease holds on the same days."),
        _("End the earlier amount before the new one starts."),
    ),
}
"""What each trigger and exclusion of the database says, by its code: reason and remedy."""


def refusal_of(error: DatabaseError, place: object = "") -> Refusal:
    """What the database refused, as a sentence for the user.

    Knows the codes of the triggers, the constraints of the models by name, and unique columns;
    anything else gives a general sentence, never the database's own words.
    """
    text = str(error)
    words = set(re.findall(r"[a-z][a-z0-9_]+", text))
    for code, (reason, remedy) in SENTENCES.items():
        if code in words:
            return Refusal(place, reason, remedy)
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if constraint.name in words or _unique_columns(model, constraint, text):
                return Refusal(
                    place, constraint.get_violation_error_message(), _("Correct it and try again.")
                )
        field = next((f for f in model._meta.local_fields if f.unique and _names(model, f, text)), None)
        if field is not None:
            return Refusal(
                place,
                _("Another %(thing)s has the same %(field)s.")
                % {"thing": model._meta.verbose_name, "field": field.verbose_name},
                _("Choose another one."),
            )
    return Refusal(
        place, _("The database does not accept this."), _("Check the values, then try again or ask for help.")
    )


def _names(model, field, text: str) -> bool:
    """Whether a message is about a unique column: SQLite names the column, PostgreSQL the key."""
    table, column = model._meta.db_table, field.column
    return text.endswith(f"UNIQUE constraint failed: {table}.{column}") or (
        f'"{table}_{column}_' in text and "unique" in text
    )


def _unique_columns(model, constraint, text: str) -> bool:
    """SQLite names the columns of a unique constraint, not the constraint."""
    if not isinstance(constraint, models.UniqueConstraint) or not constraint.fields:
        return False
    table = model._meta.db_table
    columns = ", ".join(f"{table}.{model._meta.get_field(name).column}" for name in constraint.fields)
    return text.endswith(f"UNIQUE constraint failed: {columns}")
