"""Filters of the stock's lists: the same for a page, its export and the API."""

import django_filters
from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from core.access import can
from core.today import today
from portfolio.labels import EnergyLabel, labelled
from portfolio.models import Building, Holding, Owner, Site, Structure, Unit
from portfolio.owners import TITLES

DIFFUSE = "diffuse"
NO_LABEL = "none"


class DatedFilter(django_filters.FilterSet):
    """Filters as things stand on a day: `on`, today unless one is asked for."""

    on = django_filters.DateFilter(
        label=_("As of"), method="as_it_is", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def get_form_class(self):
        """The form, made once for each set of filters: making it takes as long as a page's query."""
        kept = type(self).__dict__.get("_forms")
        if kept is None:
            kept = type(self)._forms = {}
        names = tuple(self.filters)
        if names not in kept:
            kept[names] = super().get_form_class()
        return kept[names]

    @cached_property
    def day(self):
        return self.form.cleaned_data.get("on") or today()

    def as_it_is(self, rows, name, value):
        return rows


class TextFilter(django_filters.CharFilter):
    """A search box: rows.spoken_of(text). hint: what may be written in it, in grey."""

    def __init__(self, *, hint="", **kwargs):
        box = forms.TextInput(attrs={"placeholder": hint, "type": "search"})
        super().__init__(**{"label": _("Search"), "widget": box, **kwargs})

    def filter(self, rows, value):
        return rows.spoken_of(value) if value else rows


class UnitFilter(DatedFilter):
    """Units by where they are, whose they are, and what they are, on a day."""

    q = TextFilter(hint=_("Reference or address"))
    owner_kind = django_filters.ChoiceFilter(
        label=_("Owner kind"), choices=Owner.Kind.choices, empty_label=_("All"), method="held_from"
    )
    owner = django_filters.ModelChoiceFilter(
        label=_("Owner"), queryset=Owner.objects.order_by("name"), empty_label=_("All"), method="held_of"
    )
    site = django_filters.ModelChoiceFilter(
        label=_("Site"),
        queryset=Site.objects.order_by("name"),
        field_name="building__site",
        empty_label=_("All"),
    )
    structure = django_filters.ChoiceFilter(
        label=_("Structure"),
        choices=[(DIFFUSE, _("Diffuse housing")), *Structure.Kind.choices],
        empty_label=_("All"),
        method="in_structure",
    )
    typology = django_filters.ChoiceFilter(
        label=_("Type"), choices=Unit.Typology.choices, empty_label=_("All")
    )
    label = django_filters.MultipleChoiceFilter(
        label=_("Energy label"),
        choices=[*EnergyLabel.Letter.choices, (NO_LABEL, _("No valid label"))],
        method="labelled",
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Unit
        fields = []

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # Whoever may not know the owners cannot ask which homes are whose.
        if self.request is not None and not can(self.request.user, "owner"):
            del self.filters["owner"], self.filters["owner_kind"]

    def held_from(self, units, name, kind):
        return units.held_from(kind, self.day)

    def held_of(self, units, name, owner):
        return units.filter(pk__in=Holding.objects.on(self.day).filter(owner=owner).values("unit"))

    def in_structure(self, units, name, kind):
        if kind == DIFFUSE:
            return units.filter(structure=None)
        return units.filter(structure__kind=kind)

    def labelled(self, units, name, letters):
        if not letters:
            return units
        return labelled(units, letters, self.day, unknown=NO_LABEL in letters)


class BuildingFilter(django_filters.FilterSet):
    """Buildings by site and address."""

    q = TextFilter(hint=_("Reference or address"))
    site = django_filters.ModelChoiceFilter(
        label=_("Site"), queryset=Site.objects.order_by("name"), empty_label=_("All")
    )

    class Meta:
        model = Building
        fields = []


class OwnerFilter(django_filters.FilterSet):
    """Owners by kind, nature and name."""

    q = TextFilter(hint=_("Name or reference"))
    kind = django_filters.ChoiceFilter(label=_("Kind"), choices=Owner.Kind.choices, empty_label=_("All"))
    nature = django_filters.ChoiceFilter(
        label=_("Nature"), choices=Owner.Nature.choices, empty_label=_("All")
    )

    class Meta:
        model = Owner
        fields = []


class HoldingFilter(django_filters.FilterSet):
    """Holdings by what they are, whose, and when they run or end."""

    q = TextFilter(hint=_("Unit, owner or number"))
    title = django_filters.ChoiceFilter(
        label=_("Title"),
        choices=[(code, title.label) for code, title in TITLES.items()],
        empty_label=_("All"),
    )
    owner = django_filters.ModelChoiceFilter(
        label=_("Owner"), queryset=Owner.objects.order_by("name"), empty_label=_("All")
    )
    on = django_filters.DateFilter(label=_("In force on"), method="in_force")
    ends_before = django_filters.DateFilter(label=_("Ends before"), field_name="end", lookup_expr="lte")
    ends_after = django_filters.DateFilter(label=_("Ends after"), field_name="end", lookup_expr="gt")

    class Meta:
        model = Holding
        fields = []

    def in_force(self, holdings, name, day):
        return holdings.on(day)
