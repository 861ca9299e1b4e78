"""The rent index: its values, and the file that brings new ones."""

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.cells import written_as
from core.imports import told
from core.pages import Action, ActionPage, ListColumn, ListPage
from leases.yearly.indices import INDEX_COLUMNS, SHIPPED, IndexValue, import_indices
from portfolio.views.imports import FileForm, TemplateFile


class IndexList(ListPage):
    """Every value of the index, the latest first, with its growth over a year."""

    resource = "revision"
    title = _("Rent index (IRL)")
    queryset = IndexValue.objects.all()
    default_sort = "-quarter"
    export_name = "irl"
    empty_text = _("No index yet: import the published values.")
    columns = [
        ListColumn("quarter", _("Quarter"), lambda one: str(one.of), sort="year"),
        ListColumn("series", _("Series"), "get_series_display", sort="series"),
        ListColumn("value", _("Index"), kind="decimal"),
        ListColumn("growth", _("Over a year, %"), kind="decimal"),
        ListColumn("published_on", _("Published on"), kind="date"),
    ]

    def get_queryset(self):
        return super().get_queryset().order_by("-year", "-quarter")

    def complete(self, values):
        years = {one.year for one in values} | {one.year - 1 for one in values}
        known = {(one.series, one.of): one.value for one in IndexValue.objects.filter(year__in=years)}
        for one in values:
            before = known.get((one.series, one.of.year_before))
            one.growth = round(100 * (one.value / before - 1), 2) if before else None

    def actions(self):
        if not self.may("import"):
            return []
        return [Action(_("Import values"), reverse("import-indices"), primary=True, icon="upload")]

    def breadcrumb(self):
        return [{"label": _("Rent revision"), "url": reverse("revisions")}, {"label": self.title}]


class IndexForm(FileForm):
    """A file of values; none: those shipped with the program."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["file"].required = False
        self.fields["file"].help_text = _(
            "A spreadsheet, .xlsx or .csv. Without a file, the values shipped with the program are taken in."
        )


class ImportIndices(ActionPage):
    """Take in published values: whole or not at all."""

    resource, action = "revision", "import"
    title = _("Import the rent index")
    intro = _("One line per quarter and series, as Insee publishes them.")
    form_class = IndexForm
    template_name = "portfolio/import.html"
    submit_label = _("Import")

    @property
    def cancel_url(self):
        return reverse("indices")

    def get_success_url(self):
        return reverse("indices")

    def act(self, form):
        sent = form.cleaned_data["file"]
        done = import_indices(sent or SHIPPED, by=self.request.user, now=timezone.now())
        self.done_text = told(done)
        return done

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        return context | {
            "columns": [
                {"name": c.name, "required": c.required, "written": written_as(c), "help": c.help}
                for c in INDEX_COLUMNS
            ],
            "result": None,
            "errors": getattr(context["refusal"], "errors", ()),
            "more_errors": 0,
            "template_file_url": reverse("import-indices-template"),
        }

    def breadcrumb(self):
        return [{"label": _("Rent index (IRL)"), "url": reverse("indices")}, {"label": self.title}]


class IndexTemplate(TemplateFile):
    resource = "revision"
    columns = INDEX_COLUMNS
    name = "irl"
