"""Housing benefit: expected against paid, the rents told to the payer, departures, ALT together with APL."""

from urllib.parse import urlencode

from django import forms
from django.http import HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import access, audit, tables
from core.cells import Column
from core.money import euros
from core.pages import Page
from core.periods import NotAMonth, Period
from core.today import today
from leases import benefits
from leases.benefit_declarations import departures_to_tell, july, rents_told
from leases.benefit_differences import REASONS, TO_DO, compare, month_to_compare
from leases.benefits import Benefit
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.occupancy import spoken_of

SHOWN = 200
KINDS_OF_REASON = {
    "nothing": "bad",
    "claimed_back": "bad",
    "less": "warn",
    "not_called": "warn",
    "unknown": "warn",
    "more": "info",
    "recall": "info",
}
DIFFERENT = [reason for reason in REASONS if reason in TO_DO]
TABS = [
    ("benefit-differences", "benefit_payment", _("Expected and paid")),
    ("benefit-departures", "benefit_payment", _("Departures to tell")),
    ("benefit-rents", "benefit_payment", _("Rents to declare")),
    ("benefit-conflicts", "benefit_payment", _("ALT and benefit")),
    ("benefit-reports", "benefit_report", _("Unpaid rent to tell")),
]


class BenefitPage(Page):
    """One of the pages on housing benefit, with its list as a file."""

    resource = "benefit_payment"
    export_name = ""

    def tabs(self):
        """What else there is on housing benefit, as far as the reader's roles open it."""
        here = self.request.resolver_match.url_name
        found = []
        for name, resource, label in TABS:
            if not access.can(self.request.user, resource):
                continue
            try:
                found.append((reverse(name), label, name == here))
            except NoReverseMatch:
                continue
        return found

    def get(self, request, *args, **kwargs):
        self.day = today()
        self.load()
        if request.GET.get("export") in tables.FORMATS:
            access.require(request.user, self.resource, "export")
            return self.export(request.GET["export"])
        return super().get(request, *args, **kwargs)

    def load(self):
        """Read the rows and note whose they are."""

    def sheet(self):
        """(columns, rows) of the export."""
        return [], []

    def export(self, format):
        columns, rows = self.sheet()
        audit.record(self.request.user, "export", self.resource, format=format, rows=len(rows))
        return HttpResponse(
            tables.write_table(columns, rows, format=format),
            content_type=tables.FORMATS[format],
            headers={"Content-Disposition": f'attachment; filename="{self.export_name}.{format}"'},
        )

    def get_context_data(self, **kwargs):
        asked = self.request.GET.copy()
        exports = []
        if self.may("export"):
            for name in tables.FORMATS:
                asked["export"] = name
                exports.append((name, f"?{asked.urlencode()}"))
        return super().get_context_data(
            tabs=self.tabs(), exports=exports, may_change=self.may("change", "benefit"), **kwargs
        )


class DifferenceFilter(forms.Form):
    month = forms.CharField(
        label=_("Month"),
        required=False,
        widget=forms.TextInput(attrs={"type": "month", "pattern": "[0-9]{4}-[0-9]{2}", "size": 9}),
    )
    reason = forms.ChoiceField(label=_("Reason"), required=False)
    payer = forms.ChoiceField(label=_("Payer"), required=False)
    q = forms.CharField(label=_("Household, lease or home"), required=False, max_length=80)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].choices = [("", _("All")), *((one, REASONS[one]) for one in DIFFERENT)]
        self.fields["payer"].choices = [("", _("All")), *Benefit.Payer.choices]

    def clean_month(self):
        text = self.cleaned_data["month"]
        if not text:
            return None
        try:
            return Period.parse_month(text).start
        except NotAMonth as error:
            raise forms.ValidationError(_("This is not a month: write it as 2026-03.")) from error


class BenefitDifferences(BenefitPage):
    """What was expected for a month against what was paid, household by household."""

    template_name = "leases/benefit_differences.html"
    title = _("Housing benefit")
    export_name = "ecarts-aides-au-logement"

    def load(self):
        given = self.request.GET.copy()
        given.setdefault("month", f"{month_to_compare(self.day):%Y-%m}")
        self.form = DifferenceFilter(given)
        asked = self.form.cleaned_data if self.form.is_valid() else {}
        self.month = asked.get("month") or month_to_compare(self.day)
        found = compare(self.month)
        self.expected = sum((one.expected for one in found), euros(0))
        self.paid = sum((one.paid for one in found), euros(0))
        differing = [(one, one.reason(self.day)) for one in found]
        self.awaited = sum((one.expected for one, reason in differing if reason == "awaited"), euros(0))
        differing = [pair for pair in differing if pair[1] in TO_DO]
        if asked.get("payer"):
            differing = [pair for pair in differing if pair[0].payer == asked["payer"]]
        if asked.get("q"):
            kept = set(spoken_of(Lease.objects.all(), asked["q"]).values_list("pk", flat=True))
            differing = [pair for pair in differing if pair[0].lease_id in kept]
        self.counted = {one: sum(reason == one for _row, reason in differing) for one in DIFFERENT}
        if asked.get("reason"):
            differing = [pair for pair in differing if pair[1] == asked["reason"]]
        self.rows = sorted(
            differing, key=lambda pair: (-abs(pair[0].difference.amount), pair[0].lease_id or 0)
        )
        shown = self.rows if self.request.GET.get("export") else self.rows[:SHOWN]
        ids = {one.lease_id for one, _reason in shown} - {None}
        self.leases = with_head(Lease.objects.all(), "household", self.day).in_bulk(list(ids))
        audit.record_read(self.request.user, "benefit_payment", sorted(ids))

    def change_url(self, one, reason):
        """Where the difference is put right: the lease's change of benefit, filled in."""
        if one.line:
            return reverse("suspense-line", args=[one.line])
        since = {"since": f"{one.month:%Y-%m-%d}"}
        if reason == "nothing":
            since["stops"] = "on"
        elif reason in ("less", "not_called") or (reason == "more" and one.paid < one.expected * 2):
            # Twice as much or more is several months at once, not a new amount.
            since["amount"] = str(one.paid.amount)
        return f"{reverse('lease-benefit', args=[one.lease_id])}?{urlencode(since)}"

    def get_context_data(self, **kwargs):
        may_settle = self.may("settle", "suspense")
        may_change = self.may("change", "benefit")
        rows = [
            {
                "one": one,
                "lease": self.leases.get(one.lease_id),
                "name": head_name(self.leases[one.lease_id]) if one.lease_id else "",
                "state": (KINDS_OF_REASON[reason], REASONS[reason]),
                "to_do": TO_DO[reason],
                "url": self.change_url(one, reason) if (may_settle if one.line else may_change) else "",
            }
            for one, reason in self.rows[:SHOWN]
        ]
        return super().get_context_data(
            form=self.form,
            month=self.month,
            rows=rows,
            count=len(self.rows),
            expected=self.expected,
            paid=self.paid,
            gap=self.paid - self.expected,
            awaited=self.awaited,
            counts=[(REASONS[one], many) for one, many in self.counted.items() if many],
            **kwargs,
        )

    def sheet(self):
        columns = [
            Column(_t("Month"), "month"),
            Column(_t("Lease")),
            Column(_t("Household")),
            Column(_t("Payer")),
            Column(_t("Benefit")),
            Column(_t("Beneficiary number")),
            Column(_t("Expected"), "euros"),
            Column(_t("Paid"), "euros"),
            Column(_t("Difference"), "euros"),
            Column(_t("Of which paid later"), "euros"),
            Column(_t("Back-payment"), "euros"),
            Column(_t("Kept back"), "euros"),
            Column(_t("Reason")),
        ]
        rows = []
        for one, reason in self.rows:
            lease = self.leases.get(one.lease_id)
            rows.append(
                [
                    one.month, lease.reference if lease else "", head_name(lease) if lease else "",
                    one.payer.upper(), one.kind.upper(), one.number, one.expected, one.paid, one.difference,
                    one.later, one.recall, one.recovery, str(REASONS[reason]),
                ]
            )  # fmt: skip
        return columns, rows


class DepartureList(BenefitPage):
    """Beneficiaries who left and whose right is still recorded."""

    template_name = "leases/benefit_departures.html"
    title = _("Departures of beneficiaries to tell")
    export_name = "departs-allocataires"

    def load(self):
        self.rows = departures_to_tell(self.day)
        audit.record_read(self.request.user, "benefit_payment", [one.lease.pk for one in self.rows])

    def get_context_data(self, **kwargs):
        return super().get_context_data(rows=self.rows, day=self.day, **kwargs)

    def sheet(self):
        columns = [
            Column(_t("Lease")),
            Column(_t("Household")),
            Column(_t("Payer")),
            Column(_t("Beneficiary number")),
            Column(_t("Last day"), "date"),
            Column(_t("No benefit from"), "date"),
        ]
        rows = [
            [
                one.lease.reference, one.name, one.benefit.payer.upper(), one.benefit.beneficiary_number,
                one.last_day, one.stop_from,
            ]
            for one in self.rows
        ]  # fmt: skip
        return columns, rows


class RentsFilter(forms.Form):
    on = forms.DateField(label=_("Rent on"), required=False)
    payer = forms.ChoiceField(label=_("Payer"), required=False)
    lease = forms.CharField(label=_("Lease"), required=False, max_length=20)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["payer"].choices = [("", _("All")), *Benefit.Payer.choices]


class RentsTold(BenefitPage):
    """The rents that the payer asks for: of July, or of one lease at any day."""

    template_name = "leases/benefit_rents.html"
    title = _("Rents to declare to the CAF")
    export_name = "declaration-loyers"

    def load(self):
        given = self.request.GET.copy()
        given.setdefault("on", july(self.day).isoformat())
        self.form = RentsFilter(given)
        asked = self.form.cleaned_data if self.form.is_valid() else {}
        self.on = asked.get("on") or july(self.day)
        leases = None
        if asked.get("lease"):
            leases = Lease.objects.filter(reference__iexact=asked["lease"].strip()).values_list(
                "pk", flat=True
            )
        self.rows = rents_told(self.on, leases=leases)
        if asked.get("payer"):
            self.rows = [one for one in self.rows if one.benefit.payer == asked["payer"]]
        shown = self.rows if self.request.GET.get("export") else self.rows[:SHOWN]
        audit.record_read(self.request.user, "benefit_payment", [one.lease.pk for one in shown])

    def get_context_data(self, **kwargs):
        return super().get_context_data(
            form=self.form,
            on=self.on,
            count=len(self.rows),
            rows=self.rows[:SHOWN],
            away=sum(one.stay is None for one in self.rows),
            owing=sum(not one.up_to_date for one in self.rows),
            **kwargs,
        )

    def sheet(self):
        columns = [
            Column(_t("Payer")),
            Column(_t("Beneficiary number")),
            Column(_t("Household")),
            Column(_t("Lease")),
            Column(_t("Contract")),
            Column(_t("Benefit")),
            Column(_t("Home")),
            Column(_t("Address")),
            Column(_t("Living surface, m²"), "decimal"),
            Column(_t("Entered on"), "date"),
            Column(_t("Rent on"), "date"),
            Column(_t("Rent without charges"), "euros"),
            Column(_t("Charges"), "euros"),
            Column(_t("Other"), "euros"),
            Column(_t("Lives there"), "bool"),
            Column(_t("Up to date with the rent"), "bool"),
        ]
        rows = []
        for one in self.rows:
            unit = one.stay.place.unit if one.stay else None
            rows.append(
                [
                    one.benefit.payer.upper(), one.benefit.beneficiary_number, one.name, one.lease.reference,
                    one.lease.get_kind_display(), one.benefit.get_kind_display(),
                    unit.reference if unit else "", str(unit.building) if unit else "",
                    unit.living_surface if unit else None, one.stay.start if unit else None, self.on,
                    one.rent, one.charges, one.services, one.stay is not None, one.up_to_date,
                ]
            )  # fmt: skip
        return columns, rows


class Conflicts(BenefitPage):
    """Benefits recorded for a home that ALT pays for, or under a contract that opens no right."""

    template_name = "leases/benefit_conflicts.html"
    title = _("ALT and housing benefit together")
    export_name = "cumuls-alt-aide"

    def load(self):
        self.rows = benefits.conflicts()
        ids = {one.benefit.lease_id for one in self.rows}
        self.leases = with_head(Lease.objects.all(), "household", self.day).in_bulk(list(ids))
        audit.record_read(self.request.user, "benefit_payment", sorted(ids))

    def get_context_data(self, **kwargs):
        rows = [
            (one, self.leases[one.benefit.lease_id], head_name(self.leases[one.benefit.lease_id]))
            for one in self.rows
        ]
        return super().get_context_data(rows=rows, **kwargs)

    def sheet(self):
        columns = [
            Column(_t("Lease")),
            Column(_t("Household")),
            Column(_t("Contract")),
            Column(_t("Home")),
            Column(_t("Benefit")),
            Column(_t("From"), "date"),
            Column(_t("Reason")),
        ]
        rows = []
        for one in self.rows:
            lease = self.leases[one.benefit.lease_id]
            rows.append(
                [
                    lease.reference, head_name(lease), lease.get_kind_display(),
                    one.stay.place.unit.reference if one.stay else "", one.benefit.get_kind_display(),
                    one.benefit.start,
                    _t("ALT pays for this home") if one.stay else _t("This contract opens no right"),
                ]
            )  # fmt: skip
        return columns, rows
