"""The stock and who owns it: owners, holdings, sites, buildings, units, places, energy labels."""

from rest_framework import serializers

from api.fields import SeenModel
from api.reading import Reading
from leases.filters import HomeFilter
from portfolio.filters import BuildingFilter, HoldingFilter, OwnerFilter
from portfolio.models import (
    Building,
    EnergyLabel,
    Holding,
    OutOfService,
    Owner,
    Place,
    SafetyOrder,
    Site,
    Structure,
    Unit,
)


class OwnerRecord(SeenModel):
    class Meta:
        model = Owner
        resource = "owner"
        fields = ["id", "reference", "kind", "nature", "name", "siren", "email", "iban"]


class Owners(Reading):
    """Owners of the homes (*propriétaires, mandants*)."""

    access = ("owner", "view")
    serializer_class = OwnerRecord
    queryset = Owner.objects.all()
    filterset_class = OwnerFilter
    sorts = {"reference": "reference", "name": "name"}
    default_sort = "reference"


class HoldingRecord(SeenModel):
    class Meta:
        model = Holding
        resource = "holding"
        seen_as = {
            "title": "holding.kind",
            "unit": "unit.",
            "fee_rate": "holding.fee",
            "rent_due": "holding.rent",
        }
        fields = [
            "id",
            "unit",
            "owner",
            "title",
            "reference",
            "start",
            "end",
            "fee_rate",
            "unpaid_guaranteed",
            "vacancy_guaranteed",
            "rent_due",
        ]


class HoldingsFilter(HoldingFilter):
    class Meta:
        model = Holding
        fields = ["unit"]


class Holdings(Reading):
    """What binds each unit to its owner over time (*titres de détention, mandats*)."""

    access = ("holding", "view")
    serializer_class = HoldingRecord
    queryset = Holding.objects.all()
    filterset_class = HoldingsFilter
    sorts = {"start": "start"}
    default_sort = "start"


class SiteRecord(SeenModel):
    class Meta:
        model = Site
        resource = "site"
        fields = ["id", "reference", "name"]


class Sites(Reading):
    """Estates or streets that people name as one (*sites*)."""

    access = ("site", "view")
    serializer_class = SiteRecord
    queryset = Site.objects.all()
    sorts = {"reference": "reference", "name": "name"}
    default_sort = "reference"


class StructureRecord(SeenModel):
    class Meta:
        model = Structure
        resource = "site"
        fields = ["id", "reference", "name", "kind"]


class Structures(Reading):
    """Collective structures of the association (*structures collectives*)."""

    access = ("site", "view")
    serializer_class = StructureRecord
    queryset = Structure.objects.all()
    filterset_fields = ["kind"]
    sorts = {"reference": "reference", "name": "name"}
    default_sort = "reference"


class BuildingRecord(SeenModel):
    class Meta:
        model = Building
        resource = "site"
        fields = [
            "id",
            "site",
            "reference",
            "address",
            "postcode",
            "commune",
            "commune_code",
            "ban_id",
            "latitude",
            "longitude",
            "built",
        ]


class Buildings(Reading):
    """Buildings with their addresses (*immeubles*)."""

    access = ("site", "view")
    serializer_class = BuildingRecord
    queryset = Building.objects.all()
    filterset_class = BuildingFilter
    sorts = {"reference": "reference", "commune": "commune"}
    default_sort = "reference"


class PlaceRecord(SeenModel):
    class Meta:
        model = Place
        resource = "place"
        fields = ["id", "unit", "reference", "kind"]


class Places(Reading):
    """What one household occupies at a time: a home, a room or a bed (*places*)."""

    access = ("place", "view")
    serializer_class = PlaceRecord
    queryset = Place.objects.all()
    filterset_fields = ["unit", "kind"]
    sorts = {"reference": "reference"}
    default_sort = "reference"


class UnitRecord(SeenModel):
    address = serializers.CharField(source="building", read_only=True)

    class Meta:
        model = Unit
        resource = "unit"
        seen_as = {"rent_ceiling": "lease_money.rent"}
        fields = [
            "id",
            "reference",
            "building",
            "structure",
            "address",
            "typology",
            "floor",
            "door",
            "living_surface",
            "financing",
            "rent_ceiling",
            "accessible",
        ]


class UnitDetail(UnitRecord):
    places = PlaceRecord(many=True, read_only=True)

    class Meta(UnitRecord.Meta):
        fields = [*UnitRecord.Meta.fields, "places"]


class Units(Reading):
    """Homes and other lots held as one (*logements, lots*)."""

    access = ("unit", "view")
    serializer_class = UnitRecord
    record_class = UnitDetail
    queryset = Unit.objects.select_related("building")
    filterset_class = HomeFilter
    sorts = {"reference": "reference", "typology": "typology", "surface": "living_surface"}
    default_sort = "reference"


class OutOfServiceRecord(SeenModel):
    class Meta:
        model = OutOfService
        resource = "unit"
        fields = ["id", "unit", "kind", "start", "end", "reason"]


class TimesOutOfService(Reading):
    """Times when a unit may not be let (*vacance technique, travaux, retrait*)."""

    access = ("unit", "view")
    serializer_class = OutOfServiceRecord
    queryset = OutOfService.objects.all()
    filterset_fields = ["unit", "kind"]
    sorts = {"start": "start"}
    default_sort = "start"


class SafetyOrderRecord(SeenModel):
    class Meta:
        model = SafetyOrder
        resource = "unit"
        fields = [
            "id",
            "unit",
            "kind",
            "reference",
            "notified_on",
            "released_on",
            "rent_stops",
            "rent_resumes",
        ]


class SafetyOrders(Reading):
    """Orders that stop the rent (*arrêtés d'insalubrité, de mise en sécurité*)."""

    access = ("unit", "view")
    serializer_class = SafetyOrderRecord
    queryset = SafetyOrder.objects.all()
    filterset_fields = ["unit", "kind"]
    sorts = {"notified_on": "notified_on"}
    default_sort = "notified_on"


class EnergyLabelRecord(SeenModel):
    class Meta:
        model = EnergyLabel
        resource = "energy_label"
        fields = ["id", "unit", "letter", "issued_on", "valid_until", "number"]


class EnergyLabels(Reading):
    """Each home's energy label as dated facts (*étiquettes DPE*)."""

    access = ("energy_label", "view")
    serializer_class = EnergyLabelRecord
    queryset = EnergyLabel.objects.all()
    filterset_fields = ["unit", "letter"]
    sorts = {"issued_on": "issued_on", "letter": "letter"}
    default_sort = "issued_on"
