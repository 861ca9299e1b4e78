"""Pages of a list by keyset: no COUNT, no OFFSET, so the last page costs what the first does."""

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from core.keyset import Keyset, decode_cursor, encode_cursor

LARGEST = 500


class KeysetPagination(BasePagination):
    """`?limit=` rows, in the order of `?sort=`, after or before a place; `next` and `previous` lead on.

    The view says what it sorts by: sorts = {word: path}, default_sort = a word, "-" for descending;
    and keyset, where its rows are no queryset.
    """

    size = 50

    def paginate_queryset(self, queryset, request, view=None):
        self.request = request
        sorts = getattr(view, "sorts", {})
        sort = request.query_params.get("sort") or getattr(view, "default_sort", "")
        if sort and sort.removeprefix("-") not in sorts:
            raise ValidationError({"sort": [_("Sort by one of: %(words)s.") % {"words": ", ".join(sorts)}]})
        self.sort = sort
        path = sorts.get(sort.removeprefix("-"), "pk")
        keyset = getattr(view, "keyset", Keyset)
        self.keyset = keyset(queryset, path, descending=sort.startswith("-"))
        limit = self.limit()
        after, before = self.place("after"), self.place("before")
        if before:
            rows = self.keyset.before(before, limit + 1)
            self.back, self.on = len(rows) > limit, bool(rows)
            return self.keep(rows[-limit:])
        rows = self.keyset.after(after, limit + 1)
        self.back, self.on = bool(after and rows), len(rows) > limit
        return self.keep(rows[:limit])

    def keep(self, rows: list) -> list:
        self.rows = rows
        return rows

    def limit(self) -> int:
        asked = self.request.query_params.get("limit", "")
        if not asked:
            return self.size
        if not (asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= LARGEST):
            raise ValidationError(
                {"limit": [_("Give a number from 1 to %(largest)s.") % {"largest": LARGEST}]}
            )
        return int(asked)

    def place(self, name: str) -> tuple | None:
        token = self.request.query_params.get(name, "")
        if not token:
            return None
        place = self.keyset.checked(decode_cursor(token, self.sort))
        if place is None:
            raise ValidationError({name: [_("This is no place in this list: follow its own links.")]})
        return place

    def get_paginated_response(self, data):
        return Response({"next": self.next(), "previous": self.previous(), "results": data})

    def next(self) -> str | None:
        return self.link("after", self.rows[-1]) if self.on and self.rows else None

    def previous(self) -> str | None:
        return self.link("before", self.rows[0]) if self.back and self.rows else None

    def link(self, name: str, row) -> str:
        address = self.request.build_absolute_uri()
        for other in ("after", "before"):
            address = remove_query_param(address, other)
        return replace_query_param(address, name, encode_cursor(self.sort, *self.keyset.place(row)))

    def get_paginated_response_schema(self, schema):
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view):
        sorts = list(getattr(view, "sorts", {}))
        words = (
            {"type": "string", "enum": sorts + [f"-{word}" for word in sorts]}
            if sorts
            else {"type": "string"}
        )
        parameters = [
            (
                "limit",
                "How many rows a page holds.",
                {"type": "integer", "maximum": LARGEST, "default": self.size},
            ),
            ("after", "Place in the list, as `next` gives it.", {"type": "string"}),
            ("before", "Place in the list, as `previous` gives it.", {"type": "string"}),
        ]
        if sorts:
            parameters.append(("sort", "Order of the rows; a minus sign reverses it.", words))
        return [
            {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
            for name, text, schema in parameters
        ]
