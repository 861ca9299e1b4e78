"""What the API shows: money as decimal strings, and only the fields that core.access lets be seen."""

import re

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from moneyed import Money
from rest_framework import serializers

from core import access
from core.money import EuroField, euros
from core.periods import NotAMonth, Period

DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,2})?")


@extend_schema_field(
    {"type": "string", "format": "decimal", "pattern": r"^-?\d+\.\d{2}$", "example": "465.00"}
)
class Euros(serializers.Field):
    """An amount in euros as a decimal string, "465.00": never a JSON number, which is a float."""

    default_error_messages = {
        "not_text": _('Give an amount as a string, such as "465.00".'),
        "not_an_amount": _("Give an amount in euros, such as 465.00."),
    }

    def to_representation(self, value: Money) -> str:
        return f"{value.amount:.2f}"

    def to_internal_value(self, data) -> Money:
        if not isinstance(data, str):
            self.fail("not_text")
        if not DECIMAL.fullmatch(data.strip()):
            self.fail("not_an_amount")
        return euros(data.strip())


@extend_schema_field({"type": "string", "pattern": r"^\d{4}-\d{2}$", "example": "2026-03"})
class Month(serializers.Field):
    """A calendar month, "2026-03", read as its first day."""

    default_error_messages = {"not_a_month": _("Give a month as YYYY-MM.")}

    def to_representation(self, value) -> str:
        return f"{value:%Y-%m}"

    def to_internal_value(self, data):
        try:
            return Period.parse_month(data if isinstance(data, str) else "").start
        except NotAMonth:
            self.fail("not_a_month")


class Seen(serializers.Serializer):
    """Shows only what the reader may see of a resource of core.access; the id always.

    Meta.resource: the resource asked. Meta.seen_as: {field: "resource.field"} where the table
    knows a field by another name, or under another resource; "resource." wants that resource only.
    """

    def get_fields(self):
        fields = super().get_fields()
        user = getattr(self.context.get("request"), "user", None)
        if user is None or not user.is_authenticated:
            return fields  # the schema: all there is to see
        seen_as = getattr(self.Meta, "seen_as", {})
        return {
            name: field
            for name, field in fields.items()
            if name == "id" or sees(user, seen_as.get(name, f"{self.Meta.resource}.{name}"))
        }


class SeenModel(Seen, serializers.ModelSerializer):
    """The same, of a model."""

    serializer_field_mapping = {**serializers.ModelSerializer.serializer_field_mapping, EuroField: Euros}


def sees(user, path: str) -> bool:
    """Whether the user sees "resource.field", or anything of "resource."."""
    resource, _dot, field = path.partition(".")
    shown = access.visible(user, resource)
    return field in shown if field else bool(shown)
