"""The schema of the API (OpenAPI) and the page that shows it, all from this house."""

from django.db.models import Choices
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django_filters.filters import ModelChoiceFilter, ModelMultipleChoiceFilter
from drf_spectacular.contrib.django_filters import DjangoFilterExtension
from drf_spectacular.utils import OpenApiParameter
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.renderers import TemplateHTMLRenderer

from api.problems import MEDIA_TYPE, in_schema
from core import access
from core.money import EuroFormField
from leases.formats.pain001 import VERSIONS
from leases.kinds import CHOICES
from leases.upkeep import repairs
from leases.upkeep.obligations import KINDS
from leases.yearly.expenses import CATEGORY_CHOICES

PROBLEM = {"$ref": "#/components/schemas/Problem"}


class Filters(DjangoFilterExtension):
    """Filters as the pages share them: a record is chosen by its id, a choice among its words."""

    target_class = "django_filters.rest_framework.DjangoFilterBackend"
    match_subclasses = True
    priority = 1  # before the package's own

    def _get_schema_from_model_field(self, auto_schema, filter_field, model):
        if isinstance(filter_field, (ModelChoiceFilter, ModelMultipleChoiceFilter)):
            return {"type": "integer"}
        if filter_field.field_class is EuroFormField:
            return {"type": "string", "format": "decimal"}
        try:
            return super()._get_schema_from_model_field(auto_schema, filter_field, model)
        except Exception:  # as in the package: the filter follows no field of the model
            return {"type": "string"}

    def _get_explicit_filter_choices(self, filter_field):
        choices = filter_field.extra.get("choices")
        if isinstance(choices, type) and issubclass(choices, Choices):
            return choices.values
        return super()._get_explicit_filter_choices(filter_field)


@access.allowed("home")
def root(request):
    """Where somebody who asks for the API itself is led: to its page."""
    return redirect("api:docs")


def codes(choices) -> list | None:
    """The codes to choose from, of a Choices class or of pairs; None where there are none."""
    if isinstance(choices, type) and issubclass(choices, Choices):
        return choices.values
    return None if choices is None else [code for code, _words in choices]


def described(filterset_class) -> list[OpenApiParameter]:
    """The filters of a list inside a record, which the schema cannot guess."""
    return [
        OpenApiParameter(
            name,
            str,
            description=str(one.label or ""),
            enum=codes(one.extra.get("choices")),
        )
        for name, one in filterset_class.base_filters.items()
    ]


class Schema(SpectacularAPIView):
    """The schema, to whoever is signed in."""


class Docs(SpectacularSwaggerSplitView):
    """A page to read and try the API: no script in the page, nothing from outside."""

    template_name = "api/docs.html"
    url_name = "api:schema"
    title = _("GLA: the API")
    renderer_classes = [TemplateHTMLRenderer]


_docs = Docs.as_view()


def docs(request):
    """The page of the API; whoever is not signed in signs in first."""
    return _docs(request) if request.user.is_authenticated else access.to_sign_in(request)


def contracts() -> list[tuple[str, str]]:
    """Every kind of contract, for the schema to name them once."""
    return list(CHOICES.items())


def repair_categories() -> list[tuple[str, str]]:
    return list(repairs.CATEGORIES.items())


def repair_payers() -> list[tuple[str, str]]:
    return list(repairs.PAYERS.items())


def obligations() -> list[tuple[str, str]]:
    return list(KINDS.items())


def expense_categories() -> list[tuple[int, str]]:
    return list(CATEGORY_CHOICES.items())


def transfer_versions() -> list[tuple[str, str]]:
    return [(version, version) for version in VERSIONS]


def with_problems(result, generator, request, public):
    """Say of every operation how it tells what goes wrong (RFC 9457); the same schema on both engines."""
    result["components"]["schemas"] |= in_schema()
    without_engine(result["components"]["schemas"])
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {
                "description": "Why it was not carried out.",
                "content": {MEDIA_TYPE: {"schema": PROBLEM}},
            }
    return result


def without_engine(schema) -> None:
    """Leave out how far an integer goes: it is the engine's business, not the same on both."""
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    if isinstance(schema, dict) and (schema.get("type") == "integer" or "allOf" in schema):
        for word in ("minimum", "maximum", "format"):
            schema.pop(word, None)
    for part in parts:
        without_engine(part)
