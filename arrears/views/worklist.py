"""The mediator's worklist: signals of unpaid rent by urgency."""

from functools import cached_property

from django import forms
from django.db.models import Count, Q
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from arrears.filters import SignalFilter
from arrears.signals import Contact, Signal, explain, last_flagging
from core import audit, jobs
from core.pages import Action, ActionPage, ListColumn, ListPage
from core.templatetags.gla import moment_text
from core.today import today
from followup.filters import full_name
from followup.referents import followed
from leases.households import head_name, with_head
from leases.occupancy import last_occupancies

NATURES = {
    Signal.Nature.MISSED: "bad",
    Signal.Nature.BENEFIT_STOPPED: "bad",
    Signal.Nature.REJECTED: "warn",
    Signal.Nature.PARTIAL: "warn",
    Signal.Nature.LATE: "info",
}
"""How grave each nature looks."""

URGENT, SOON = 80, 40
"""From which urgency (arrears.signals: by_urgency) a signal is called urgent, or soon to be seen."""


def in_words(signal):
    """The urgency of a signal: how grave, and in words."""
    if signal.handled_on:
        return "off", signal.get_closed_because_display()
    if signal.urgency >= URGENT:
        return "bad", _t("Urgent")
    return ("warn", _t("Soon")) if signal.urgency >= SOON else ("info", _t("Later"))


def age_of(signal):
    """How many days the oldest rent unpaid is due, and the bucket of the aged balance that it makes."""
    if signal.nature == Signal.Nature.LATE:
        return ""
    ages = ((30, _t("0–30 days")), (60, _t("31–60 days")), (90, _t("61–90 days")))
    age = next((words for last, words in ages if signal.days <= last), _t("over 90 days"))
    days = ngettext("%(days)d day", "%(days)d days", signal.days) % {"days": signal.days}
    return f"{days} ({age})"


def where(thing):
    """Where a household lives, as its second line: the home and its street."""
    place = thing.stay and thing.stay.place
    return f"{place.reference}, {place.unit.building.address}" if place else thing.lease.reference


class Worklist(ListPage):
    """Signals to deal with, the most urgent first; asleep and closed ones behind their tabs."""

    resource = "signal"
    template_name = "arrears/worklist.html"
    title = _("Unpaid rent")
    filterset_class = SignalFilter
    default_sort = "-urgency"
    export_name = "impayes"
    empty_text = _("Nothing to do here: every account is in order.")
    columns = [
        ListColumn("household", _("Household"), "name", sort="head_last", sub=where),
        ListColumn("lease", _("Lease"), "lease.reference"),
        ListColumn("home", _("Home"), "stay.place.reference", needs="unit"),
        ListColumn("address", _("Address"), "stay.place.unit.building.__str__", needs="unit"),
        ListColumn(
            "nature",
            _("Signal"),
            lambda s: (NATURES[s.nature], s.get_nature_display()),
            kind="state",
            sort="nature",
            sub=explain,
        ),
        ListColumn("why", _("Why"), explain),
        ListColumn("urgency", _("Urgency"), in_words, kind="state", sort="urgency"),
        ListColumn("amount", _("Amount"), kind="euros", sort="amount"),
        ListColumn("since", _("Since"), kind="date", sort="since", sub=age_of),
        ListColumn("days", _("Days"), kind="int"),
        ListColumn(
            "contact",
            _("Last contact"),
            "contact.on",
            kind="date",
            sub="contact.get_means_display",
            needs="contact_log",
        ),
        ListColumn(
            "followed", _("Followed"), lambda s: True if s.followed else None, kind="bool", needs="referent"
        ),
        ListColumn("remind_on", _("Reminder"), kind="date", sort="remind_on"),
        ListColumn("mediator", _("Mediator"), lambda s: s.mediator and full_name(s.mediator)),
    ]
    sheet_only = frozenset({"lease", "home", "address", "why", "days"})
    """What the page tells beneath another cell, and the spreadsheet in a column of its own."""

    def shows(self, column):
        on_page = not self.request.GET.get("export")
        return super().shows(column) and not (on_page and column.key in self.sheet_only)

    def get_queryset(self):
        signals = Signal.objects.by_urgency(today()).select_related("lease__household", "mediator")
        return with_head(signals, "lease__household", today())

    def complete(self, signals):
        leases = {signal.lease_id for signal in signals}
        stays = last_occupancies(leases, today())
        contacts = {
            one.lease_id: one for one in Contact.objects.filter(lease__in=leases).order_by("on", "pk")
        }
        referents = followed({signal.lease.household_id for signal in signals}, today())
        for signal in signals:
            signal.name = head_name(signal) or signal.lease.household.reference
            signal.stay = stays.get(signal.lease_id)
            signal.contact = contacts.get(signal.lease_id)
            signal.followed = referents.get(signal.lease.household_id)

    def urgent(self, signal):
        return signal.handled_on is None and signal.urgency >= URGENT

    def row_url(self, signal):
        return reverse("arrears-lease", args=[signal.lease_id])

    def was_read(self, signals, *, export):
        audit.record_read(self.request.user, "signal", [signal.pk for signal in signals])

    @cached_property
    def tab(self):
        asked = self.request.GET.get("tab", "")
        return asked if asked in (SignalFilter.ASLEEP, SignalFilter.CLOSED) else SignalFilter.TO_DO

    def tabs(self):
        """Label, count, address and whether it is the one shown; the technical arrears are elsewhere."""
        asleep = Q(remind_on__gt=today())
        counted = Signal.objects.open().aggregate(
            open=Count("pk", filter=~asleep | Q(remind_on=None)), asleep=Count("pk", filter=asleep)
        )
        words = (
            (SignalFilter.TO_DO, _t("To do"), counted["open"]),
            (SignalFilter.ASLEEP, _t("Asleep"), counted["asleep"]),
            (SignalFilter.CLOSED, _t("Closed"), None),
        )
        return [
            (
                label,
                count,
                self.query(tab=None if tab == SignalFilter.TO_DO else tab, sort=None),
                tab == self.tab,
            )
            for tab, label, count in words
        ]

    def filters_on(self, form):
        return super().filters_on(form) - (1 if self.request.GET.get("tab") else 0)

    def actions(self):
        aged = Action(_("Aged balance"), reverse("aged-balance"))
        if not self.may("run"):
            return [aged]
        return [Action(_("Look at the accounts now"), reverse("flag-arrears")), aged]

    def get_context_data(self, **kwargs):
        last = last_flagging()
        self.subtitle = (
            _t("Accounts last looked at on %(moment)s.") % {"moment": moment_text(last.at)}
            if last
            else _t("The accounts were never looked at yet.")
        )
        return super().get_context_data(tabs=self.tabs(), **kwargs)


class FlagArrears(ActionPage):
    """Look at the accounts of the whole stock now, as long work."""

    resource = "signal"
    action = "run"
    form_class = forms.Form
    title = _("Look at the accounts now")
    intro = _(
        "Every account is compared with what is due today: signals are opened, brought up to date and closed."
    )
    submit_label = _("Look at the accounts")

    @property
    def cancel_url(self):
        return reverse("worklist")

    def act(self, form):
        day = today().isoformat()
        return jobs.start("flag_arrears", by=self.request.user, once=day, on=day)

    def done(self, result, form):
        return redirect("job", pk=result.pk)
