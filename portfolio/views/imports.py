"""Files taken in by page: choose a file, then read what was done or every fault by its line.

The file is kept and taken in as long work; a small one is told at once.
"""

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views import View

from core.cells import written_as
from core.job_pages import FilePage
from core.pages import Guarded
from core.tables import FORMATS, template_file


class FileForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("A spreadsheet, .xlsx or .csv. Nothing is kept if a single line has a fault."),
        widget=forms.ClearableFileInput(attrs={"accept": ".xlsx,.csv"}),
    )


class ImportPage(FilePage):
    """A page that takes in a file. columns: what the file holds. template_url: name of its template's URL."""

    form_class = FileForm
    template_name = "portfolio/import.html"
    submit_label = _("Import")
    columns: list = []
    template_url = ""

    def breadcrumb(self):
        return [{"label": _("Imports"), "url": reverse("imports")}, {"label": self.title}]

    def get_context_data(self, **kwargs):
        return super().get_context_data(**kwargs) | {
            "template_file_url": reverse(self.template_url),
            "columns": [
                {"name": c.name, "required": c.required, "written": written_as(c), "help": c.help}
                for c in self.columns
            ],
        }


class TemplateFile(Guarded, View):
    """An empty spreadsheet to fill in: headings, explanations, lists to choose from."""

    http_method_names = ["get", "head", "options"]
    action = "import"
    columns: list = []
    name = ""

    def get(self, request, *args, **kwargs):
        return HttpResponse(
            template_file(self.columns),
            content_type=FORMATS["xlsx"],
            headers={"Content-Disposition": f'attachment; filename="{self.name}.xlsx"'},
        )
