"""The re-letting board: homes empty or soon to be, how far each is, what it costs."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import access, audit, tables
from core.cells import Column
from core.money import euros
from core.pages import ActionPage, Page
from core.today import today
from leases.models import RelettingStep
from leases.upkeep import reletting
from leases.upkeep.reletting import KEPT, STAGES
from portfolio.models import Place

EMPTY, NOTICE = "empty", "leaving"
TABS = {EMPTY: _("Empty"), NOTICE: _("On notice")}


class RelettingBoard(Page):
    """Homes to let again, the longest empty first, with the stages each went through."""

    resource = "reletting"
    template_name = "leases/reletting.html"
    title = _("Re-letting")

    def get(self, request, *args, **kwargs):
        self.day = today()
        self.all = reletting.board(self.day)
        self.sees_rent = "rent" in access.visible(request.user, "lease_money")
        asked = request.GET.get("show", EMPTY)
        self.show = asked if asked in (*TABS, "all") else EMPTY
        self.rows = [one for one in self.all if self.show in ("all", tab(one))]
        audit.record_read(request.user, "reletting", [one.place.pk for one in self.rows])
        if request.GET.get("export") in tables.FORMATS:
            access.require(request.user, "reletting", "export")
            return self.export(request.GET["export"])
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs):
        counted = dict.fromkeys(TABS, 0)
        for one in self.all:
            counted[tab(one)] += 1
        lost = sum((one.lost for one in self.rows if one.lost is not None), euros(0))
        return super().get_context_data(
            rows=[
                (
                    one,
                    [
                        (code, words, one.dates.get(code), one.steps.get(code))
                        for code, words in STAGES.items()
                    ],
                )
                for one in self.rows
            ],
            stages=list(STAGES.values()),
            tabs=[
                *((code, words, counted[code]) for code, words in TABS.items()),
                ("all", _("All"), len(self.all)),
            ],
            show=self.show,
            lost=lost if self.sees_rent else None,
            days=sum(one.days for one in self.rows),
            sees_rent=self.sees_rent,
            may_change=self.may("change"),
            may_see_lease=self.may("view", "lease"),
            exports=[(name, f"?show={self.show}&export={name}") for name in tables.FORMATS]
            if self.may("export")
            else [],
            **kwargs,
        )

    def export(self, format):
        columns = [
            Column(_t("Home")),
            Column(_t("Address")),
            Column(_t("Type")),
            Column(_t("Empty from"), "date"),
            Column(_t("Days empty"), "int"),
            *(Column(str(words), "date") for words in STAGES.values()),
            *([Column(_t("Rent lost"), "euros")] if self.sees_rent else []),
        ]
        rows = [
            [
                one.place.reference,
                str(one.place.unit.building),
                one.place.unit.typology,
                one.empty_from,
                one.days,
                *(one.dates.get(code) for code in STAGES),
                *([one.lost] if self.sees_rent else []),
            ]
            for one in self.rows
        ]
        audit.record(self.request.user, "export", "reletting", format=format, rows=len(rows))
        return HttpResponse(
            tables.write_table(columns, rows, format=format),
            content_type=tables.FORMATS[format],
            headers={"Content-Disposition": f'attachment; filename="remise-en-location.{format}"'},
        )


def tab(one) -> str:
    """Where a home stands on the board: empty, or left by nobody yet."""
    return EMPTY if one.days else NOTICE


class StepForm(forms.Form):
    step = forms.ChoiceField(label=_("Step"), choices=list(KEPT.items()))
    on = forms.DateField(label=_("Date"))
    note = forms.CharField(label=_("Note"), max_length=200, required=False)


class RecordStep(ActionPage):
    """An advice visit or a proposal of one home."""

    resource = "reletting"
    title = _("Visit or proposal")
    form_class = StepForm
    done_text = _("The step is recorded.")

    @cached_property
    def place(self):
        return get_object_or_404(Place.objects.select_related("unit__building"), pk=self.kwargs["pk"])

    @property
    def intro(self):
        return f"{self.place.reference} · {self.place.unit.building}"

    @property
    def cancel_url(self):
        return reverse("reletting")

    def get_success_url(self):
        return f"{self.cancel_url}?show=all"

    def get_initial(self):
        return {"on": today()}

    def act(self, form):
        return reletting.record_step(self.place, **form.cleaned_data, by=self.request.user)

    def breadcrumb(self):
        return [{"label": _("Re-letting"), "url": self.cancel_url}, {"label": self.title}]


class WithdrawStep(RecordStep):
    title = _("Withdraw the step")
    form_class = forms.Form
    submit_label = _("Withdraw")
    danger = True
    done_text = _("The step is withdrawn.")

    @cached_property
    def step(self):
        rows = RelettingStep.objects.filter(withdrawn_on=None).select_related("place__unit__building")
        return get_object_or_404(rows, pk=self.kwargs["pk"])

    @cached_property
    def place(self):
        return self.step.place

    def get_initial(self):
        return {}

    def act(self, form):
        return reletting.withdraw_step(self.step, on=today(), by=self.request.user)
