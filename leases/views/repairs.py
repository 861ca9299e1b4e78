"""Repairs: the worklist by urgency, one repair from the request to the invoice, and each act."""

import django_filters
from django import forms
from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.money import EuroFormField
from core.pages import Action, ActionPage, ListColumn, ListPage, Page, Preview
from core.today import today
from leases.filters import ALL
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.models import Repair, RepairInvoice, WorkOrder
from leases.occupancy import last_occupancies
from leases.upkeep import repairs
from leases.upkeep.repairs import CATEGORIES, NORMAL, PAYERS, STATES, URGENCIES
from leases.views.obligations import phones
from portfolio.filters import TextFilter
from portfolio.models import Unit

GRAVE = {repairs.DANGER: "bad", repairs.URGENT: "warn", repairs.NORMAL: "info"}


class RepairText(TextFilter):
    """Repairs by the home, the address or what is wrong."""

    def filter(self, rows, value):
        if not value:
            return rows
        units = Unit.objects.spoken_of(value).values("pk")
        return rows.filter(Q(unit__in=units) | Q(what__icontains=value))


class RepairFilter(django_filters.FilterSet):
    """Repairs by home or words, state, urgency and category; those closed only where asked."""

    EVERY = "all"

    q = RepairText(hint=_("Reference or address"))
    state = django_filters.ChoiceFilter(
        label=_("State"),
        choices=[*((code, words) for code, (_kind, words) in STATES.items()), (EVERY, ALL)],
        empty_label=_("Not closed"),
        method="in_state",
    )
    urgency = django_filters.ChoiceFilter(
        label=_("Urgency"), choices=list(URGENCIES.items()), empty_label=ALL
    )
    category = django_filters.ChoiceFilter(
        label=_("Category"), choices=list(CATEGORIES.items()), empty_label=ALL
    )

    class Meta:
        model = Repair
        fields = ["q", "state", "urgency", "category"]

    def in_state(self, rows, name, value):
        return rows if value == self.EVERY else rows.in_state(value)

    def filter_queryset(self, rows):
        rows = super().filter_queryset(rows)
        return rows if self.form.cleaned_data.get("state") else rows.filter(closed_on=None)


class RepairList(ListPage):
    """What is to be repaired, danger first, then the oldest."""

    resource = "repair"
    title = _("Repairs")
    filterset_class = RepairFilter
    default_sort = "urgency"
    export_name = "interventions"
    empty_text = _("No repair to do: record a request.")
    columns = [
        ListColumn("category", _("Repair"), "get_category_display", sub=lambda one: f"n° {one.pk}"),
        ListColumn(
            "urgency",
            _("Urgency"),
            lambda one: (GRAVE[one.urgency], str(one.get_urgency_display())),
            kind="state",
            sort="urgency",
        ),
        ListColumn("what", _("What is wrong"), lambda one: one.what[:120]),
        ListColumn("home", _("Home"), "unit.reference", sub="unit.building.__str__"),
        ListColumn("household", _("Household"), "name", sub="phone"),
        ListColumn("asked_on", _("Asked on"), kind="date", sort="asked_on"),
        ListColumn("channel", _("Channel"), "get_channel_display", page=False),
        ListColumn("ordered_on", _("Ordered on"), kind="date", page=False),
        ListColumn("done_on", _("Done on"), kind="date", page=False),
        ListColumn("days", _("Days"), "days_taken", kind="int"),
        ListColumn("state", _("State"), "shown_state", kind="state"),
    ]

    def get_queryset(self):
        rows = Repair.objects.with_course().select_related("unit__building", "lease")
        return with_head(rows, "lease__household", today())

    def complete(self, rows):
        day = today()
        called = phones({one.lease.household_id for one in rows if one.lease}, day)
        for one in rows:
            one.name = head_name(one)
            one.phone = called.get(one.lease.household_id, "") if one.lease else ""
            one.days_taken = one.days(day)
            one.shown_state = STATES[one.state]

    def urgent(self, one):
        return one.urgency == repairs.DANGER and one.state != repairs.CLOSED

    def row_url(self, one):
        return reverse("repair", args=[one.pk])

    def actions(self):
        if not self.may("change"):
            return []
        return [Action(_("New request"), reverse("repair-new"), primary=True, icon="plus")]

    def was_read(self, rows, *, export):
        audit.record_read(self.request.user, "repair", [one.pk for one in rows])


def the_repair(pk):
    """A repair with its course and its household's name."""
    rows = Repair.objects.with_course().select_related("unit__building", "lease__household")
    found = get_object_or_404(with_head(rows, "lease__household", today()), pk=pk)
    found.name = head_name(found)
    return found


class RepairPage(Page):
    """One repair: the request, who pays, the orders, the invoices, how long it took."""

    resource = "repair"
    template_name = "leases/repair.html"
    title = _("Repair")

    def get_context_data(self, **kwargs):
        self.repair = repair = the_repair(self.kwargs["pk"])
        day = today()
        audit.record_read(self.request.user, "repair", repair.pk)
        payer = repairs.who_pays(repair, on=day)
        orders = list(repair.orders.prefetch_related("invoices").order_by("pk"))
        for order in orders:
            order.charged = any(one.undone_on is None for one in order.invoices.all())
        return super().get_context_data(
            repair=repair,
            phone=phones([repair.lease.household_id], day).get(repair.lease.household_id)
            if repair.lease
            else "",
            state=STATES[repair.state],
            grave=GRAVE[repair.urgency],
            payer=payer,
            payer_words=PAYERS[payer.code],
            orders=orders,
            times=times(repair, day),
            may_change=self.may("change"),
            may_charge=self.may("commit"),
            may_see_lease=self.may("view", "lease"),
            **kwargs,
        )

    def breadcrumb(self):
        return [{"label": _("Repairs"), "url": reverse("repairs")}, {"label": f"n° {self.repair.pk}"}]


def times(repair, day):
    """How many days each part took so far: (words, days)."""
    found = []
    if repair.ordered_on:
        found.append((_t("To order"), (repair.ordered_on - repair.asked_on).days))
    if repair.ordered_on and repair.done_on and not repair.at_work:
        found.append((_t("To do the work"), (repair.done_on - repair.ordered_on).days))
    return [*found, (_t("In all"), repair.days(day))]


# ---- acts ---------------------------------------------------------------------------------


class AskForm(forms.Form):
    home = forms.CharField(label=_("Home"), max_length=24, help_text=_("The reference of the home."))
    category = forms.ChoiceField(label=_("Category"), choices=list(CATEGORIES.items()))
    what = forms.CharField(label=_("What is wrong"), widget=forms.Textarea(attrs={"rows": 3}))
    urgency = forms.TypedChoiceField(label=_("Urgency"), choices=list(URGENCIES.items()), coerce=int)
    channel = forms.ChoiceField(label=_("Channel"), choices=Repair.Channel.choices)
    asked_on = forms.DateField(label=_("Asked on"))

    def clean_home(self):
        found = Unit.objects.filter(reference__iexact=self.cleaned_data["home"].strip()).first()
        if found is None:
            raise forms.ValidationError(_("No home has this reference."))
        return found


class AskRepair(ActionPage):
    """Somebody asks for a repair."""

    resource = "repair"
    title = _("New request")
    form_class = AskForm
    done_text = _("The request is recorded.")

    @property
    def cancel_url(self):
        return reverse("repairs")

    def get_initial(self):
        return {
            "asked_on": today(),
            "urgency": NORMAL,
            "channel": Repair.Channel.PHONE,
            "home": self.home(),
        }

    def home(self):
        """The home of `?lease=` or `?unit=`: the form comes filled in."""
        asked, kind = self.request.GET.get("lease", ""), Lease
        if not asked.isdigit():
            asked, kind = self.request.GET.get("unit", ""), Unit
        if not asked.isdigit():
            return ""
        if kind is Unit:
            return Unit.objects.filter(pk=asked).values_list("reference", flat=True).first() or ""
        stay = last_occupancies([int(asked)], today()).get(int(asked))
        return stay.place.unit.reference if stay else ""

    def act(self, form):
        told = dict(form.cleaned_data)
        return repairs.ask_repair(told.pop("home"), **told, by=self.request.user)

    def done(self, result, form):
        self.success_url = reverse("repair", args=[result.pk])
        return super().done(result, form)

    def breadcrumb(self):
        return [{"label": _("Repairs"), "url": reverse("repairs")}, {"label": self.title}]


class RepairAction(ActionPage):
    """An act on one repair; back to its page afterwards."""

    resource = "repair"

    @cached_property
    def repair(self):
        return the_repair(self.kwargs["pk"])

    @property
    def intro(self):
        return f"{self.repair.unit.reference} · {self.repair.what[:80]}"

    @property
    def cancel_url(self):
        return reverse("repair", args=[self.repair.pk])

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return [
            {"label": _("Repairs"), "url": reverse("repairs")},
            {"label": f"n° {self.repair.pk}", "url": self.cancel_url},
            {"label": self.title},
        ]


class PayerForm(forms.Form):
    payer = forms.ChoiceField(
        label=_("Who pays"), required=False, choices=[("", _("By the law")), *PAYERS.items()]
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)


class ChangePayer(RepairAction):
    title = _("Who pays")
    form_class = PayerForm
    done_text = _("Who pays is recorded.")

    def get_initial(self):
        return {"payer": self.repair.payer, "reason": self.repair.payer_reason}

    def act(self, form):
        return repairs.change_payer(self.repair, **form.cleaned_data, by=self.request.user)


class OrderForm(forms.Form):
    contractor = forms.CharField(label=_("Contractor"), max_length=80)
    quote = EuroFormField(label=_("Quote, VAT included"), required=False)
    ordered_on = forms.DateField(
        label=_("Ordered on"), required=False, help_text=_("Left empty: a quote to decide on.")
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False)


class OrderWork(RepairAction):
    title = _("Quote or work order")
    form_class = OrderForm
    done_text = _("The order is recorded.")

    def get_initial(self):
        return {"ordered_on": today()}

    def act(self, form):
        return repairs.order_work(self.repair, **form.cleaned_data, by=self.request.user)


class CloseForm(forms.Form):
    on = forms.DateField(label=_("Closed on"))
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)


class CloseRepair(RepairAction):
    title = _("Close the repair")
    form_class = CloseForm
    done_text = _("The repair is closed.")

    def get_initial(self):
        return {"on": today()}

    def act(self, form):
        return repairs.close_repair(self.repair, **form.cleaned_data, by=self.request.user)


class ReopenRepair(RepairAction):
    title = _("Reopen the repair")
    form_class = forms.Form
    submit_label = _("Reopen")
    done_text = _("The repair is open again.")

    def act(self, form):
        return repairs.reopen_repair(self.repair, by=self.request.user)


class OrderAction(RepairAction):
    """An act on one work order."""

    @cached_property
    def order(self):
        return get_object_or_404(WorkOrder, pk=self.kwargs["pk"])

    @cached_property
    def repair(self):
        return the_repair(self.order.repair_id)

    @property
    def intro(self):
        return f"{self.order.contractor} · {super().intro}"


class DayForm(forms.Form):
    on = forms.DateField(label=_("Date"))


class AcceptQuote(OrderAction):
    title = _("Order the work")
    form_class = DayForm
    done_text = _("The work is ordered.")

    def get_initial(self):
        return {"on": today()}

    def act(self, form):
        return repairs.accept_quote(self.order, **form.cleaned_data, by=self.request.user)


class FinishWork(OrderAction):
    title = _("Work done")
    form_class = DayForm
    done_text = _("The work is recorded as done.")

    def get_initial(self):
        return {"on": today()}

    def act(self, form):
        return repairs.finish_work(self.order, **form.cleaned_data, by=self.request.user)


class CancelOrder(OrderAction):
    title = _("Cancel the order")
    form_class = forms.Form
    submit_label = _("Cancel the order")
    danger = True
    done_text = _("The order is cancelled.")

    def act(self, form):
        return repairs.cancel_order(self.order, on=today(), by=self.request.user)


class InvoiceForm(forms.Form):
    number = forms.CharField(label=_("Invoice number"), max_length=30)
    amount = EuroFormField(label=_("Amount, VAT included"))
    on = forms.DateField(label=_("Date of the invoice"))


class ChargeInvoice(OrderAction):
    """The contractor's invoice, posted to who pays."""

    action = "commit"
    title = _("Charge the invoice")
    form_class = InvoiceForm
    submit_label = _("Check")
    confirm_label = _("Charge the invoice")
    done_text = _("The invoice is charged.")

    def get_initial(self):
        return {"on": today(), "amount": self.order.quote}

    def preview(self, form):
        told = form.cleaned_data
        payer = repairs.who_pays(self.repair, on=told["on"])
        shown = [
            (_("Contractor"), self.order.contractor),
            (_("Invoice number"), told["number"]),
            (_("Amount"), told["amount"]),
            (_("Who pays"), PAYERS[payer.code]),
            (_("Because"), payer.rule.legal_ref if payer.rule else payer.why),
        ]
        if payer.code == repairs.TENANT and self.repair.name:
            shown.insert(4, (_("Household"), self.repair.name))
        over = self.order.quote is not None and told["amount"] > self.order.quote
        return Preview(lines=shown, warning=_t("The invoice is above the quote.") if over else "")

    def act(self, form):
        return repairs.charge_invoice(
            self.order, **form.cleaned_data, by=self.request.user, now=timezone.now()
        )


class UndoForm(forms.Form):
    on = forms.DateField(label=_("Date"))
    reason = forms.CharField(label=_("Reason"), max_length=120)


class UndoInvoice(RepairAction):
    """All that an invoice posted is undone by its opposite."""

    action = "commit"
    title = _("Undo the invoice")
    form_class = UndoForm
    submit_label = _("Undo the invoice")
    danger = True
    done_text = _("The invoice is undone.")

    @cached_property
    def invoice(self):
        return get_object_or_404(RepairInvoice.objects.select_related("order"), pk=self.kwargs["pk"])

    @cached_property
    def repair(self):
        return the_repair(self.invoice.order.repair_id)

    @property
    def intro(self):
        return f"{self.invoice} · {super().intro}"

    def get_initial(self):
        return {"on": today()}

    def act(self, form):
        return repairs.undo_invoice(
            self.invoice, **form.cleaned_data, by=self.request.user, now=timezone.now()
        )
