"""Sites and buildings: where the homes are."""

from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core.pages import ListColumn, ListPage
from portfolio.filters import BuildingFilter
from portfolio.models import Building


class BuildingList(ListPage):
    """Every building, by site, with how many units it has."""

    resource = "site"
    title = _("Sites and buildings")
    queryset = Building.objects.select_related("site").annotate(unit_count=Count("units"))
    filterset_class = BuildingFilter
    default_sort = "address"
    export_name = "immeubles"
    empty_text = _("No building yet: import the portfolio.")
    columns = [
        ListColumn("address", _("Address"), sort="address"),
        ListColumn("commune", _("Town"), sort="commune", sub="postcode"),
        ListColumn("site", _("Site"), "site.name", sort="site__name"),
        ListColumn("reference", _("Reference"), sort="reference"),
        ListColumn("built", _("Year built"), kind="text", sort="built"),
        ListColumn("units", _("Units"), "unit_count", kind="int", sort="unit_count"),
    ]

    def row_url(self, building):
        return reverse("building", args=[building.pk])
