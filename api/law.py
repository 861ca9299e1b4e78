"""The law as the program applies it: every number and date, with its source."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from api.leases import asked_day
from core import law


@extend_schema_field(OpenApiTypes.ANY)
class Value(serializers.Field):
    """A number as a decimal string, a date, a word, true or false, or a list of them."""

    def to_representation(self, value):
        if isinstance(value, tuple):
            return [self.to_representation(one) for one in value]
        return value if isinstance(value, (bool, int)) else str(value)


class RuleRecord(serializers.Serializer):
    """One record of the law, valid from a day until another, excluded."""

    id = serializers.CharField()
    value = Value()
    unit = serializers.CharField(allow_blank=True)
    scope = serializers.DictField(child=serializers.CharField())
    event = serializers.CharField()
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(allow_null=True)
    legal_ref = serializers.CharField()
    source = serializers.CharField()
    confidence = serializers.CharField()


class LawRules(ViewSet):
    """The rules of law in use (*règles de droit*)."""

    access = ("law", "view")
    http_method_names = ["get", "head"]
    lookup_value_converter = "str"

    @extend_schema(
        parameters=[
            OpenApiParameter("on", OpenApiTypes.DATE, description="Only those in force on that day.")
        ],
        responses=RuleRecord(many=True),
    )
    def list(self, request):
        """Every record, or those in force on a day; by id, scope and date."""
        found = law.all_rules()
        if request.query_params.get("on"):
            day = asked_day(request)
            found = [rule for rule in found if rule.valid.contains(day)]
        return Response(RuleRecord(found, many=True).data)

    @extend_schema(
        operation_id="law_history",
        parameters=[OpenApiParameter("id", str, OpenApiParameter.PATH)],
        responses=RuleRecord(many=True),
    )
    def retrieve(self, request, pk=None):
        """Every record of one rule, oldest first."""
        found = [rule for rule in law.all_rules() if rule.id == pk]
        if not found:
            raise NotFound
        return Response(RuleRecord(sorted(found, key=lambda rule: rule.valid_from), many=True).data)
