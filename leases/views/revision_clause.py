"""A lease's own revision: by which rule, when, what its contract says, and its revisions so far."""

from django import forms
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.dates import MONTHS
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core.pages import ActionPage, PanelPage, Preview
from core.today import today
from leases.kinds import KINDS
from leases.lease import Lease
from leases.views.lease_actions import LeaseAction, LeaseForm
from leases.views.revision import index_words, revision_crumb, revision_state
from leases.yearly.indices import IndexValue
from leases.yearly.revision_clause import (
    NEEDING,
    clause_on,
    record_clause,
    record_model_clause,
    without_clause,
)
from leases.yearly.revision_rule import REV_CONV, RULES, Clause


class LeaseRevision(PanelPage):
    """On a lease's page: by which rule it is revised, when next, and its revisions so far."""

    resource = "revision"
    template_name = "leases/_revision.html"

    def get_context_data(self, **kwargs):
        lease = get_object_or_404(Lease, pk=self.kwargs["pk"])
        self.title = _t("Revision of lease %(lease)s") % {"lease": lease.reference}
        rule = KINDS[lease.kind].revision
        clause = clause_on(lease, today())
        revisions = list(
            lease.revisions.select_related("run", "undone_by").order_by("-on", "-version", "item")[:20]
        )
        for one in revisions:
            one.state = revision_state(one)
            one.words = index_words(one)
        return super().get_context_data(
            lease=lease,
            rule=RULES.get(rule, ""),
            needs_clause=lease.kind in NEEDING,
            clause=clause,
            day=revision_day(lease, clause) if rule else "",
            revisions=revisions,
            may_change=self.may("change"),
            **kwargs,
        )


def revision_day(lease, clause) -> str:
    """The day of each year on which a lease is revised, in words."""
    if KINDS[lease.kind].revision == REV_CONV:
        number, day = 1, 1
    elif clause and clause.month_day:
        number, day = int(clause.month_day[:2]), int(clause.month_day[3:])
    else:
        number, day = lease.start.month, lease.start.day
    return _t("%(day)s %(month)s") % {"day": day, "month": MONTHS[number]}


class ClauseForm(LeaseForm):
    since = forms.DateField(label=_("From"), help_text=_("The day of the lease, or of its amendment."))
    revised = forms.BooleanField(label=_("The contract has a revision clause"), required=False)
    day = forms.IntegerField(
        label=_("Day of the revision"),
        min_value=1,
        max_value=31,
        required=False,
        help_text=_("Blank: the anniversary of the lease."),
    )
    month = forms.TypedChoiceField(
        label=_("Month of the revision"),
        choices=[("", "—"), *MONTHS.items()],
        coerce=int,
        empty_value=None,
        required=False,
    )
    quarter = forms.TypedChoiceField(
        label=_("Quarter of the index"),
        choices=[("", _("Last one published at signature")), *[(n, f"T{n}") for n in range(1, 5)]],
        coerce=int,
        empty_value=None,
        required=False,
    )
    series = forms.ChoiceField(
        label=_("Series"),
        choices=[("", _("Where the home is")), *IndexValue.Series.choices],
        required=False,
    )

    def clean(self):
        told = super().clean()
        if (told.get("day") is None) != (told.get("month") is None):
            raise forms.ValidationError(_("Give a day and its month, or leave both blank."))
        return told

    @property
    def clause(self) -> Clause:
        told = self.cleaned_data
        month_day = f"{told['month']:02d}-{told['day']:02d}" if told["day"] else ""
        return Clause(told["revised"], month_day, told["quarter"], told["series"])


class ChangeClause(LeaseAction):
    """What the contract says of its revision."""

    resource = "revision"
    title = _("Revision clause")
    form_class = ClauseForm
    submit_label = _("Save")
    done_text = _("The revision clause is recorded.")

    def get_initial(self):
        clause = clause_on(self.lease, today())
        if clause is None:
            return {"since": self.lease.start, "revised": True}
        month, day = (int(part) for part in clause.month_day.split("-")) if clause.month_day else (None, None)
        return {
            "since": clause.start,
            "revised": clause.revised,
            "day": day,
            "month": month,
            "quarter": clause.quarter,
            "series": clause.series,
        }

    def act(self, form):
        return record_clause(
            self.lease, since=form.cleaned_data["since"], clause=form.clause, by=self.request.user
        )


class ModelClauseForm(forms.Form):
    kind = forms.ChoiceField(label=_("Contract"), choices=[(code, KINDS[code].label) for code in NEEDING])


class ModelClause(ActionPage):
    """Record at once the clause of the model contract, for leases of which nothing is said."""

    resource = "revision"
    title = _("Clause of the model contract")
    intro = _("For the leases of a kind of which nothing says whether they have a revision clause.")
    form_class = ModelClauseForm
    submit_label = _("Check")
    confirm_label = _("Record the clause for all of them")

    @property
    def cancel_url(self):
        return reverse("revisions")

    def get_success_url(self):
        return reverse("revisions")

    def preview(self, form):
        kind = form.cleaned_data["kind"]
        return Preview(
            lines=[
                (_("Contract"), KINDS[kind].label),
                (_("Leases concerned"), without_clause(kind).count()),
                (_("Day of the revision"), _t("anniversary of the lease")),
                (_("Quarter of the index"), _t("last one published at signature")),
            ],
            warning=_t(
                "Confirm only if your signed contracts hold this clause: without it no rent is revised."
            ),
        )

    def act(self, form):
        told = record_model_clause(form.cleaned_data["kind"], by=self.request.user)
        self.done_text = _t("Clauses recorded: %(count)d.") % {"count": told}
        return told

    def breadcrumb(self):
        return [revision_crumb(), {"label": self.title}]
