"""Income and charges by analytic code, month by month; codes and the places they are given to."""

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.access import Forbidden
from core.money import euros
from core.pages import Action, ActionPage, ListColumn, ListPage, Page
from core.periods import NotAMonth, Period
from core.tables import FORMATS, write_table
from core.tables import Column as Sheet
from core.today import today
from leases.accounts.analytics import AnalyticCode, Axis, CodeGiven, add_code, by_code, give_code
from leases.ledger import ACCOUNT_KINDS
from leases.views.closing import back_to_closing
from portfolio.stock import Site, Structure, Unit


class AxisForm(forms.Form):
    axis = forms.ChoiceField(label=_("Axis"), choices=Axis.choices, required=False)
    month = forms.CharField(
        label=_("Month"),
        required=False,
        widget=forms.TextInput(
            attrs={"type": "month", "class": "form-control", "pattern": "[0-9]{4}-[0-9]{2}", "size": 9}
        ),
    )

    def clean_axis(self):
        return self.cleaned_data["axis"] or Axis.STRUCTURE

    def clean_month(self):
        text = self.cleaned_data["month"]
        if not text:
            return Period.month(today()).start
        try:
            return Period.parse_month(text).start
        except NotAMonth as error:
            raise forms.ValidationError(_t("This is not a month: write it as 2026-03.")) from error


class Analytics(Page):
    """A month's income and charges by code; each amount is one of the trial balance, parted."""

    resource = "ledger"
    title = _("Analytic accounts")
    template_name = "leases/analytics.html"

    def breadcrumb(self):
        return back_to_closing(self.title)

    def get(self, request, *args, **kwargs):
        form = AxisForm(request.GET)
        lines, month, axis = [], None, Axis.STRUCTURE
        if form.is_valid():
            month, axis = form.cleaned_data["month"], form.cleaned_data["axis"]
            lines = by_code(month, axis)
        if month and request.GET.get("export") in FORMATS:
            return self.export(lines, request.GET["export"], month, axis)
        kinds = sorted(
            {kind for line in lines for kind in line.kinds}, key=lambda kind: ACCOUNT_KINDS[kind].number
        )
        shown = AxisForm(
            initial={"axis": axis, "month": f"{month:%Y-%m}" if month else request.GET.get("month", "")}
        )
        return self.render_to_response(
            self.get_context_data(
                form=shown,
                errors=form.errors.get("month", []),
                month=month,
                kinds=[ACCOUNT_KINDS[kind] for kind in kinds],
                rows=[(line, [line.kinds.get(kind) for kind in kinds]) for line in lines],
                sums=[sum((line.kinds.get(kind, euros(0)) for line in lines), euros(0)) for kind in kinds],
                income=sum((line.income for line in lines), euros(0)),
                charges=sum((line.charges for line in lines), euros(0)),
                result=sum((line.result for line in lines), euros(0)),
                exports=self.exports(month, axis) if month and self.may("export") else [],
                actions=self.actions(),
            )
        )

    def exports(self, month, axis):
        return [(name, f"?axis={axis}&month={month:%Y-%m}&export={name}") for name in FORMATS]

    def actions(self):
        return [Action(_t("Codes and where they are given"), reverse("analytic-codes"))]

    def export(self, lines, format, month, axis):
        if not self.may("export"):
            raise Forbidden(self.resource, "export")
        sheet = [
            Sheet(str(_t("Month")), "month"),
            Sheet(str(_t("Code"))),
            Sheet(str(_t("Label"))),
            Sheet(str(_t("Account"))),
            Sheet(str(_t("Account label"))),
            Sheet(str(_t("Amount")), "euros"),
        ]
        rows = [
            [month, line.code, line.label, ACCOUNT_KINDS[kind].number, str(ACCOUNT_KINDS[kind].label), amount]
            for line in lines
            for kind, amount in sorted(line.kinds.items(), key=lambda one: ACCOUNT_KINDS[one[0]].number)
        ]
        audit.record(self.request, "export", self.resource, "analytics", format=format, rows=len(rows))
        return HttpResponse(
            write_table(sheet, rows, format=format),
            content_type=FORMATS[format],
            headers={
                "Content-Disposition": f'attachment; filename="analytique-{axis}-{month:%Y-%m}.{format}"'
            },
        )


class CodeList(ListPage):
    """Where analytic codes are given, the latest first."""

    resource = "ledger"
    title = _("Analytic codes")
    queryset = CodeGiven.objects.select_related("code", "site", "structure", "unit", "given_by")
    default_sort = "-since"
    export_name = "codes-analytiques"
    empty_text = _(
        "No code is given: structures and programmes follow the portfolio. Give one to tell funders apart."
    )
    columns = [
        ListColumn("since", _("From"), kind="date", sort="since"),
        ListColumn("axis", _("Axis"), "get_axis_display", sort="axis"),
        ListColumn("code", _("Code"), lambda g: str(g.code) if g.code else _t("None"), sort="code__code"),
        ListColumn("place", _("Given to"), lambda g: str(g.place)),
    ]

    def breadcrumb(self):
        return [
            *back_to_closing("")[:1],
            {"label": _("Analytic accounts"), "url": reverse("analytics")},
            {"label": self.title},
        ]

    def actions(self):
        if not self.may("change"):
            return []
        return [
            Action(_t("Give a code"), reverse("analytic-give"), primary=True),
            Action(_t("New code"), reverse("analytic-code-add"), icon="plus"),
        ]


class CodeForm(forms.Form):
    axis = forms.ChoiceField(label=_("Axis"), choices=Axis.choices, initial=Axis.FUNDER)
    code = forms.CharField(label=_("Code"), max_length=20)
    label = forms.CharField(label=_("Label"), max_length=80)


class GiveForm(forms.Form):
    code = forms.ModelChoiceField(label=_("Code"), queryset=AnalyticCode.objects.order_by("axis", "code"))
    site = forms.ModelChoiceField(
        label=_("Site"),
        queryset=Site.objects.order_by("name"),
        required=False,
        help_text=_("Or a structure, or a home: one of the three."),
    )
    structure = forms.ModelChoiceField(
        label=_("Structure"), queryset=Structure.objects.order_by("name"), required=False
    )
    unit = forms.CharField(label=_("Home"), required=False, max_length=20, help_text=_("Its reference."))
    since = forms.DateField(label=_("From"))

    def clean_unit(self):
        text = self.cleaned_data["unit"].strip()
        if not text:
            return None
        found = Unit.objects.filter(reference__iexact=text).first()
        if found is None:
            raise forms.ValidationError(_t("No home has this reference."))
        return found


class CodeAction(ActionPage):
    """An act on analytic codes; back to their list."""

    resource = "ledger"

    @property
    def cancel_url(self):
        return reverse("analytic-codes")

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return [
            *back_to_closing("")[:1],
            {"label": _("Analytic codes"), "url": self.cancel_url},
            {"label": self.title},
        ]


class AddCode(CodeAction):
    """Open a code."""

    form_class = CodeForm
    title = _("New code")
    done_text = _("The code is open: give it to a site, a structure or a home.")

    def act(self, form):
        return add_code(
            form.cleaned_data["axis"],
            form.cleaned_data["code"],
            form.cleaned_data["label"],
            by=self.request.user,
        )


class GiveCode(CodeAction):
    """Give a code to a site, a structure or a home, from a day on."""

    form_class = GiveForm
    title = _("Give a code")
    intro = _("The code closest to the home holds: its own, then its structure's, then its site's.")
    done_text = _("The code is given.")

    def get_initial(self):
        return {"since": today().replace(month=1, day=1)}

    def act(self, form):
        asked = form.cleaned_data
        return give_code(
            asked["code"].axis,
            asked["code"],
            site=asked["site"],
            structure=asked["structure"],
            unit=asked["unit"],
            since=asked["since"],
            by=self.request.user,
            now=timezone.now(),
        )
