"""The pages every app shares: a guarded page, a list, an action with its preview, a panel.

Each asks core.access before anything else; `resource` and `action` name what it asks.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils.cache import patch_vary_headers
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.generic import FormView, TemplateView

from core import access, audit, exports, tables
from core.cells import KINDS, Column
from core.errors import Refusal
from core.keyset import Keyset, decode_cursor, encode_cursor

PAGING = ("after", "before", "last", "export")
ALIGNED = {"int", "decimal", "euros"}
EXPORT_PART = 2000
EXPORT_ROWS = 2000
"""An export of more rows is long work (core.exports); of fewer, it is answered at once."""


class Guarded:
    """A page that only some may open: signed in, and allowed by the access table.

    resource: a name of the access table. action: what is asked of it.
    """

    resource: str = ""
    action: str = "view"
    request: HttpRequest

    @classmethod
    def as_view(cls, **kwargs):
        view = super().as_view(**kwargs)
        view.access = (kwargs.get("resource", cls.resource), kwargs.get("action", cls.action))
        access.roles_for(*view.access)
        return view

    def dispatch(self, request, *args, **kwargs):
        if not request.user.is_authenticated:
            return access.to_sign_in(request)
        access.require(request.user, self.resource, self.action)
        return super().dispatch(request, *args, **kwargs)

    def may(self, action: str, resource: str = "") -> bool:
        """Whether the reader of this page may do something else: for its buttons."""
        return access.can(self.request.user, resource or self.resource, action)


class Page(Guarded, TemplateView):
    """A page of its own template; `title` and `breadcrumb` go to base.html.

    breadcrumb(): list of {"label", "url"}, the last without a URL.
    """

    title: str = ""

    def breadcrumb(self) -> list[dict]:
        return []

    def get_context_data(self, **kwargs):
        return super().get_context_data(**{"title": self.title, "breadcrumb": self.breadcrumb(), **kwargs})


# ---- a list -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListColumn:
    """One column of a list and of its export (*colonne*).

    key: short name, unique in the list; what `?sort=` carries.
    value: path of attributes ("unit.reference") or function of the object; the key by default.
    kind: text, int, decimal, euros, date, month, moment, bool, iban or state; a state is (kind, words).
    sort: path the database orders by; empty: not sortable.
    link: function of the object to a URL, or "get_absolute_url".
    sub: a second, quieter line beneath: path or function.
    needs: "resource" the reader must be allowed to view, or "resource.field" the reader must
        see; the column is left out otherwise.
    page, export: whether it is on the page, in the spreadsheet.
    """

    key: str
    label: str
    value: str | Callable | None = None
    kind: str = "text"
    sort: str = ""
    link: Callable | str | None = None
    sub: str | Callable | None = None
    needs: str = ""
    page: bool = True
    export: bool = True

    def read(self, thing):
        return read_path(thing, self.key if self.value is None else self.value)

    @property
    def numeric(self) -> bool:
        return self.kind in ALIGNED


@dataclass(frozen=True, slots=True)
class Cell:
    column: ListColumn
    value: object
    url: str = ""
    sub: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    thing: object
    cells: list[Cell]
    urgent: bool = False


@dataclass(slots=True)
class Slice:
    """One page of a sorted list, with the addresses of its neighbours (empty at the ends)."""

    objects: list
    first_url: str = ""
    previous_url: str = ""
    next_url: str = ""
    last_url: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    column: ListColumn
    url: str = ""
    direction: str = ""  # ascending, descending or nothing, as aria-sort says it


@dataclass(frozen=True, slots=True)
class Action:
    """A button at the head of a page: a link, its words, and whether it is the main one."""

    label: str
    url: str
    primary: bool = False
    icon: str = ""


def read_path(thing, path):
    """What a path of attributes leads to, calling what is callable; None where it breaks off."""
    if callable(path):
        return path(thing)
    for part in path.split("."):
        thing = getattr(thing, part, None)
        if thing is None:
            return None
        if callable(thing):
            thing = thing()
    return thing


class ListPage(Page):
    """A list that filters, sorts, pages and exports; with or without JavaScript.

    Pages by keyset on (sort value, id): neither COUNT nor OFFSET, so the last page costs what
    the first does. Empty values come last, whichever the direction.

    queryset, or get_queryset(): the rows, with what they show already joined.
    filterset_class: one django-filter FilterSet, shared with the API.
    columns: ListColumn each. default_sort: a sortable key, "-" before it for descending.
    row_url(thing): where the first column leads when it has no link of its own.
    urgent(thing): whether the row is marked as urgent (say it in words too).
    """

    template_name = "list_page.html"
    http_method_names = ["get", "head", "options"]
    queryset: QuerySet | None = None
    filterset_class = None
    columns: Sequence[ListColumn] = ()
    default_sort: str = ""
    per_page = 50
    subtitle: str = ""
    empty_text: str = ""
    export_name: str = ""

    # ---- what a list may say of itself ----

    def get_queryset(self) -> QuerySet:
        if self.queryset is None:
            raise ImproperlyConfigured(f"{type(self).__name__} has no queryset.")
        return self.queryset.all()

    def complete(self, things: list) -> None:
        """Add to a page of rows what one query for all of them gives; nothing by default."""

    def row_url(self, thing) -> str:
        return ""

    def urgent(self, thing) -> bool:
        return False

    def actions(self) -> list[Action]:
        return []

    def totals(self, rows: QuerySet) -> dict:
        """Sums of all filtered rows, column key to value, in one query; none by default."""
        return {}

    def was_read(self, things: list, *, export: str) -> None:
        """Called with what is about to be shown or exported: the place of the audit line."""

    # ---- what is asked ----

    @cached_property
    def open_columns(self) -> list[ListColumn]:
        """The columns that this reader may see, on the page or in a spreadsheet."""
        return [column for column in self.columns if self.shows(column)]

    @cached_property
    def shown_columns(self) -> list[ListColumn]:
        return [column for column in self.open_columns if column.page]

    def shows(self, column: ListColumn) -> bool:
        resource, _dot, name = column.needs.partition(".")
        if name:
            return name in access.visible(self.request.user, resource)
        return not resource or self.may("view", resource)

    @cached_property
    def exports(self) -> bool:
        """Whether this reader may take the list away as a spreadsheet."""
        try:
            return self.may("export")
        except LookupError:
            return False

    @cached_property
    def filterset(self):
        if self.filterset_class is None:
            return None
        return self.filterset_class(self.request.GET, queryset=self.get_queryset(), request=self.request)

    @cached_property
    def filtered(self) -> QuerySet:
        if self.filterset is None:
            return self.get_queryset()
        # A filter that cannot be read shows its error and no row, rather than every row.
        return self.filterset.qs if self.filterset.is_valid() else self.get_queryset().none()

    @cached_property
    def sort(self) -> str:
        """The sort asked for, if it is among the columns; else the list's own."""
        asked = self.request.GET.get("sort", "")
        sortable = {c.key for c in self.shown_columns if c.sort}
        return asked if asked.removeprefix("-") in sortable else self.default_sort

    @cached_property
    def keyset(self) -> "Keyset":
        path = {c.key: c.sort for c in self.columns}.get(self.sort.removeprefix("-"), "") or "pk"
        return Keyset(self.filtered, path, descending=self.sort.startswith("-"))

    def query(self, **changes) -> str:
        """This page's query, paging left out, with changes; a None removes."""
        query = QueryDict(mutable=True)
        for key, values in self.request.GET.lists():
            if key not in PAGING and any(values):
                query.setlist(key, [v for v in values if v])
        for key, value in changes.items():
            query.pop(key, None)
            if value is not None:
                query[key] = value
        return f"?{query.urlencode()}" if query else self.request.path

    def address(self) -> str:
        """This very page, empty filters left out: what the address bar keeps."""
        query = QueryDict(mutable=True)
        for key, values in self.request.GET.lists():
            if any(values):
                query.setlist(key, [v for v in values if v])
        return f"{self.request.path}?{query.urlencode()}" if query else self.request.path

    # ---- answers ----

    def get(self, request, *args, **kwargs):
        if request.GET.get("export") in tables.FORMATS:
            if not self.exports:
                raise access.Forbidden(self.resource, "export")
            return self.export(request.GET["export"])
        context = self.get_context_data(**kwargs)
        htmx = getattr(request, "htmx", None)
        if htmx and htmx.target == "list" and not htmx.history_restore_request:
            response = self.response_class(
                request=request,
                template=["list_page.html#list"],
                context={**context, "partial": True},
                using=self.template_engine,
            )
            response["HX-Push-Url"] = self.address()
        else:
            response = self.render_to_response(context)
        patch_vary_headers(response, ["HX-Request", "HX-Target"])
        return response

    def get_context_data(self, **kwargs):
        page = self.slice()
        self.complete(page.objects)
        self.was_read(page.objects, export="")
        form = self.filterset.form if self.filterset is not None else None
        totals = self.totals(self.filtered) if page.objects else {}
        context = {
            "page": page,
            "rows": [self.row(thing) for thing in page.objects],
            "headings": self.headings(),
            "totals": [Cell(c, totals.get(c.key)) for c in self.shown_columns] if totals else [],
            "sorts": self.sorts(),
            "filter_form": form,
            "filters_on": self.filters_on(form),
            "exports": [(n, self.query(export=n)) for n in tables.FORMATS] if self.exports else [],
            "actions": self.actions(),
            "subtitle": self.subtitle,
            "empty_text": self.empty_text or _("Nothing here yet."),
            "list_id": "list",
            "partial": False,
        }
        return super().get_context_data(**{**context, **kwargs})

    def filters_on(self, form) -> int:
        """How many filters narrow the list."""
        if form is None:
            return 0
        return sum(1 for name in form.fields if any(self.request.GET.getlist(form.add_prefix(name))))

    def headings(self) -> list[Heading]:
        key, down = self.sort.removeprefix("-"), self.sort.startswith("-")
        made = []
        for column in self.shown_columns:
            if not column.sort:
                made.append(Heading(column))
                continue
            here = column.key == key
            ask = f"-{column.key}" if here and not down else column.key
            made.append(
                Heading(
                    column,
                    self.query(sort=ask),
                    ("descending" if down else "ascending") if here else "",
                )
            )
        return made

    def sorts(self) -> list[tuple[str, str, bool]]:
        """The sorts to choose from where headings do not fit: (asked, words, chosen)."""
        return [
            (sign + c.key, f"{c.label} {arrow}", sign + c.key == self.sort)
            for c in self.shown_columns
            if c.sort
            for sign, arrow in (("", "↑"), ("-", "↓"))
        ]

    def row(self, thing) -> Row:
        cells = []
        for index, column in enumerate(self.shown_columns):
            if column.link:
                url = read_path(thing, column.link) or ""
            else:
                url = self.row_url(thing) if index == 0 else ""
            sub = read_path(thing, column.sub) if column.sub else ""
            cells.append(Cell(column, column.read(thing), url, sub or ""))
        return Row(thing, cells, self.urgent(thing))

    def slice(self) -> Slice:
        """The rows of the page asked for; a cursor that cannot be read gives the first page."""
        get, keyset, size = self.request.GET, self.keyset, self.per_page
        after = self.cursor(get.get("after", ""))
        before = self.cursor(get.get("before", ""))
        if after:
            if found := keyset.after(after, size + 1):
                return self.linked(found[:size], back=True, on=len(found) > size)
            return self.last()
        if before:
            found = keyset.before(before, size + 1)
            if len(found) > size:
                return self.linked(found[-size:], back=True, on=True)
        elif get.get("last"):
            return self.last()
        found = keyset.after(None, size + 1)
        return self.linked(found[:size], back=False, on=len(found) > size)

    def last(self) -> Slice:
        found = self.keyset.before(None, self.per_page + 1)
        return self.linked(found[-self.per_page :], back=len(found) > self.per_page, on=False)

    def linked(self, objects: list, *, back: bool, on: bool) -> Slice:
        page = Slice(objects)
        if back and objects:
            page.first_url = self.query()
            page.previous_url = self.query(before=self.token(objects[0]))
        if on and objects:
            page.next_url = self.query(after=self.token(objects[-1]))
            page.last_url = self.query(last="1")
        return page

    def token(self, thing) -> str:
        return encode_cursor(self.sort, *self.keyset.place(thing))

    def cursor(self, text: str) -> tuple | None:
        """Place in the list that a token names; None where it is not one of this sort."""
        return self.keyset.checked(decode_cursor(text, self.sort)) if text else None

    # ---- export ----

    export_part = EXPORT_PART

    def export(self, format: str) -> HttpResponse:
        """All filtered rows as a spreadsheet, in the order of the page: at once, or as long work."""
        things = list(self.keyset.ordered()[: EXPORT_ROWS + 1])
        if len(things) > EXPORT_ROWS:
            return exports.begin(self, format)
        return HttpResponse(
            self.spreadsheet(format, iter(things)),
            content_type=tables.FORMATS[format],
            headers={"Content-Disposition": f'attachment; filename="{self.file_name()}.{format}"'},
        )

    def file_name(self) -> str:
        return self.export_name or slugify(self.title) or "export"

    def spreadsheet(self, format: str, things: Iterator) -> bytes:
        """These rows as a file, and the audit lines of its reading."""
        columns = [c for c in self.open_columns if c.export]
        sheet = [Column(str(c.label), c.kind if c.kind in KINDS else "text") for c in columns]
        return tables.write_table(sheet, self.export_rows(columns, format, things), format=format)

    def exported(self, rows: int) -> None:
        """Told how many rows of an export are written so far."""

    def export_rows(self, columns: Sequence[ListColumn], format: str, things: Iterator) -> Iterator[list]:
        count = 0
        while part := list(islice(things, self.export_part)):
            self.complete(part)
            self.was_read(part, export=format)
            for thing in part:
                yield [export_value(column, thing) for column in columns]
            count += len(part)
            self.exported(count)
        audit.record(self.request.user, "export", self.resource, format=format, rows=count)


def export_value(column: ListColumn, thing):
    value = column.read(thing)
    if column.kind == "state" and value:
        return str(value[1])
    return value


# ---- an action --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action would do, before it does it.

    template: drawn with `context`; or nothing, and `lines` are listed as label and value.
    """

    template: str = ""
    context: dict = field(default_factory=dict)
    lines: Sequence[tuple[str, object]] = ()
    warning: str = ""


class ActionPage(Guarded, FormView):
    """A form that does one thing: ask, show what it would do, do it.

    preview(form): a Preview, or None to act at once. It writes nothing.
    act(form): the one call of the domain; returns what it did. A Refusal of either is shown
    at the head of the page, and the form keeps what was typed.
    done(result, form): where to go next; says `done_text` and goes to success_url.
    A file cannot be carried from a preview to its confirmation: keep it first, then confirm.
    """

    template_name = "action_page.html"
    action = "change"
    title: str = ""
    intro: str = ""
    submit_label: str = ""
    confirm_label: str = ""
    cancel_url: str = ""
    done_text: str = ""
    danger = False

    def breadcrumb(self) -> list[dict]:
        return []

    def preview(self, form) -> Preview | None:
        return None

    def act(self, form):
        raise NotImplementedError

    def done(self, result, form) -> HttpResponse:
        if self.done_text:
            messages.success(self.request, self.done_text)
        return redirect(self.get_success_url())

    def post(self, request, *args, **kwargs):
        if request.POST.get("step") == "edit":
            return self.render_to_response(self.get_context_data(form=self.unchecked_form()))
        return super().post(request, *args, **kwargs)

    def unchecked_form(self):
        """The form with what was typed, as yet unjudged: back from the preview."""
        kwargs = self.get_form_kwargs()
        data = kwargs.pop("data", {})
        kwargs.pop("files", None)
        form = self.get_form_class()(**kwargs)
        for name, bound in form.fields.items():
            typed = bound.widget.value_from_datadict(data, {}, form.add_prefix(name))
            if typed is not None:
                form.initial[name] = typed
        return form

    def form_valid(self, form):
        try:
            if self.request.POST.get("step") != "commit":
                preview = self.preview(form)
                if preview is not None:
                    return self.render_to_response(self.get_context_data(form=form, preview=preview))
            result = self.act(form)
        except Refusal as refusal:
            return self.render_to_response(self.get_context_data(form=form, refusal=refusal), status=422)
        return self.done(result, form)

    def get_context_data(self, **kwargs):
        context = {
            "title": self.title,
            "intro": self.intro,
            "breadcrumb": self.breadcrumb(),
            "submit_label": self.submit_label or _("Save"),
            "confirm_label": self.confirm_label or _("Confirm"),
            "cancel_url": self.cancel_url,
            "danger": self.danger,
            "preview": None,
            "refusal": None,
        }
        return super().get_context_data(**{**context, **kwargs})


# ---- a panel ----------------------------------------------------------------------------


class PanelPage(Page):
    """What a higher app adds to a lower app's page: a fragment, loaded by URL name.

    template_name: the fragment alone; opened by itself, it stands in a whole page.
    """

    http_method_names = ["get", "head", "options"]

    def get_template_names(self):
        htmx = getattr(self.request, "htmx", None)
        return [self.template_name if htmx and not htmx.boosted else "panel.html"]

    def get_context_data(self, **kwargs):
        return super().get_context_data(**{"panel_template": self.template_name, **kwargs})

    def render_to_response(self, context, **kwargs):
        response = super().render_to_response(context, **kwargs)
        patch_vary_headers(response, ["HX-Request"])
        return response
