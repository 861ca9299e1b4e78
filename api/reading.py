"""What every list and record of the API shares: asked of core.access, paged, and noted when read."""

from rest_framework import mixins
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from api.paging import KeysetPagination
from core import audit
from core.pages import read_path


class Listing(mixins.ListModelMixin, GenericViewSet):
    """A list; GET changes nothing but the audit.

    access: (resource, action) of core.access, or one for each operation.
    sorts, default_sort: what the list may be ordered by (api.paging).
    audited: (resource, path to the id) of what a reading is noted under; "" where nobody is named.
    """

    access: tuple[str, str] | dict[str, tuple[str, str]]
    http_method_names = ["get", "head", "post"]
    pagination_class = KeysetPagination
    lookup_value_converter = "int"
    sorts: dict[str, str] = {"id": "pk"}
    default_sort = "id"
    audited: tuple[str, str] | None = None

    def filter_queryset(self, queryset):
        """A list narrows by its filters; one record is found whatever they are."""
        return queryset if self.detail else super().filter_queryset(queryset)

    def paginate_queryset(self, queryset):
        rows = super().paginate_queryset(queryset)
        self.was_read(rows)
        return rows

    def was_read(self, things: list) -> None:
        """Note who read whose file: one line for a page."""
        if self.audited:
            resource, path = self.audited
            ids = {read_path(thing, path) for thing in things}
            audit.record_read(self.request, resource, sorted(ids - {None}))

    def within(self, rows, record_class, *, filterset_class=None, sorts, default_sort, audited=None):
        """The answer of a list inside a record: filtered, paged and noted as any list."""
        self.sorts, self.default_sort, self.audited = sorts, default_sort, audited
        if filterset_class:
            rows = narrowed(filterset_class, rows, self.request).qs
        shown = record_class(self.paginate_queryset(rows), many=True, context=self.get_serializer_context())
        return self.get_paginated_response(shown.data)


class Reading(Listing):
    """A list and, by id, one record.

    record_class: serializer of one record, where it shows more than the list does.
    """

    record_class = None

    def get_serializer_class(self):
        return self.record_class if self.record_class and self.action == "retrieve" else self.serializer_class

    def retrieve(self, request, *args, **kwargs):
        thing = self.get_object()
        self.was_read([thing])
        return Response(self.get_serializer(thing).data)


def narrowed(filterset_class, rows, request):
    """A FilterSet as a request asks it. Raises ValidationError for a filter that cannot be read."""
    asked = filterset_class(request.query_params, queryset=rows, request=request)
    if not asked.is_valid():
        raise ValidationError(asked.errors)
    return asked
