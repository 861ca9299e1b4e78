"""Filters of signals and of the aged balance: the same for a page, its export and the API."""

import django_filters
from django import forms
from django.utils.translation import gettext_lazy as _

from arrears.aged import AgedStock
from arrears.signals import Signal, mediators
from core.money import EuroFormField
from core.today import today
from followup.filters import full_name
from followup.referents import Referent
from leases.lease import Lease
from leases.occupancy import Occupancy, spoken_of
from portfolio.filters import DatedFilter
from portfolio.models import Owner, Site

ALL = _("All")
NOBODY = "none"

AGE_WORDS = {
    "due": _("Total due"),
    "not_due": _("Not due yet"),
    "d0_30": _("0–30 days"),
    "d31_60": _("31–60 days"),
    "d61_90": _("61–90 days"),
    "over_90": _("Over 90 days"),
    "benefit_wait": _("Benefit awaited"),
    "technical": _("Technical arrears only"),
}


class EuroFilter(django_filters.Filter):
    """An amount in euros."""

    field_class = EuroFormField


class SignalText(django_filters.CharFilter):
    """Signals whose lease is spoken of: a name, an address, a reference."""

    def filter(self, signals, value):
        return (
            signals.filter(lease__in=spoken_of(Lease.objects.all(), value).values("pk")) if value else signals
        )


class SignalFilter(django_filters.FilterSet):
    """Signals by whose they are, where, and how large; to do, asleep, closed or all (to do by default)."""

    TO_DO, ASLEEP, CLOSED, EVERY = "open", "asleep", "closed", "all"

    q = SignalText(label=_("Name, address or reference"))
    tab = django_filters.ChoiceFilter(
        choices=[(TO_DO, _("To do")), (ASLEEP, _("Asleep")), (CLOSED, _("Closed")), (EVERY, ALL)],
        method="in_tab",
        widget=forms.HiddenInput,
    )
    nature = django_filters.ChoiceFilter(label=_("Nature"), choices=Signal.Nature.choices, empty_label=ALL)
    mediator = django_filters.ModelChoiceFilter(
        label=_("Mediator"),
        queryset=lambda request: mediators(),
        empty_label=ALL,
        null_label=_("Nobody yet"),
        null_value=NOBODY,
    )
    site = django_filters.ModelChoiceFilter(
        label=_("Site"), queryset=Site.objects.order_by("name"), empty_label=ALL, method="on_site"
    )
    owner_kind = django_filters.ChoiceFilter(
        label=_("Owner kind"), choices=Owner.Kind.choices, empty_label=ALL, method="of_owner_kind"
    )
    referent = django_filters.NumberFilter(method="followed_by", widget=forms.HiddenInput)
    followed = django_filters.ChoiceFilter(
        choices=[("yes", _("Followed"))], method="of_followed", widget=forms.HiddenInput
    )
    amount = EuroFilter(label=_("Amount from"), field_name="amount", lookup_expr="gte")

    class Meta:
        model = Signal
        fields = ["q", "nature", "mediator", "site", "owner_kind", "amount", "tab"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.filters["mediator"].field.label_from_instance = full_name

    def filter_queryset(self, signals):
        found = super().filter_queryset(signals)
        match self.form.cleaned_data.get("tab") or self.TO_DO:
            case self.TO_DO:
                return found.awake(today())
            case self.ASLEEP:
                return found.asleep(today())
            case self.CLOSED:
                return found.exclude(handled_on=None)
        return found

    def in_tab(self, signals, name, tab):
        return signals

    def on_site(self, signals, name, site):
        there = Occupancy.objects.filter(place__unit__building__site=site)
        return signals.filter(lease__in=there.values("lease"))

    def followed_by(self, signals, name, worker):
        """Signals on the households that a social worker follows."""
        mine = Referent.objects.on(today()).filter(worker=worker)
        return signals.filter(lease__household__in=mine.values("household"))

    def of_followed(self, signals, name, wanted):
        followed = Referent.objects.on(today())
        return signals.filter(lease__household__in=followed.values("household"))

    def of_owner_kind(self, signals, name, kind):
        return signals.filter(lease__in=Occupancy.objects.held_from(kind, today()).values("lease"))


class LeaseText(django_filters.CharFilter):
    def filter(self, leases, value):
        return spoken_of(leases, value) if value else leases


class AgedFilter(DatedFilter):
    """The aged balance on a day, by owner kind and age; `stock` is what it leads to."""

    q = LeaseText(label=_("Name, address or reference"))
    owner_kind = django_filters.ChoiceFilter(
        label=_("Owner kind"), choices=Owner.Kind.choices, empty_label=ALL, method="kept_for_the_query"
    )
    bucket = django_filters.ChoiceFilter(
        label=_("Age"), choices=list(AGE_WORDS.items()), empty_label=ALL, method="kept_for_the_query"
    )
    site = django_filters.ModelChoiceFilter(
        label=_("Site"), queryset=Site.objects.order_by("name"), empty_label=ALL, method="on_site"
    )

    class Meta:
        model = Lease
        fields = ["q", "owner_kind", "bucket", "site", "on"]

    def kept_for_the_query(self, leases, name, value):
        return leases

    def on_site(self, leases, name, site):
        there = Occupancy.objects.filter(place__unit__building__site=site)
        return leases.filter(pk__in=there.values("lease"))

    @property
    def stock(self) -> AgedStock:
        asked = self.form.cleaned_data
        narrowed = asked.get("q") or asked.get("site")
        return AgedStock(
            self.day,
            owner_kind=asked.get("owner_kind") or "",
            bucket=asked.get("bucket") or "",
            leases=self.qs if narrowed else None,
        )
