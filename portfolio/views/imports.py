"""Files taken in by page: choose a file, then read what was done or every fault by its line."""

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views import View

from core.cells import written_as
from core.imports import SHOWN, BadImport, Imported, told
from core.pages import ActionPage, Guarded
from core.tables import FORMATS, template_file


class FileForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("A spreadsheet, .xlsx or .csv. Nothing is kept if a single line has a fault."),
        widget=forms.ClearableFileInput(attrs={"accept": ".xlsx,.csv"}),
    )


class ImportPage(ActionPage):
    """A page that takes in a file. columns: what the file holds. template_url: name of its template's URL."""

    action = "import"
    form_class = FileForm
    template_name = "portfolio/import.html"
    submit_label = _("Import")
    columns: list = []
    template_url = ""

    def breadcrumb(self):
        return [{"label": _("Imports"), "url": reverse("imports")}, {"label": self.title}]

    def imported(self, data: bytes, form) -> Imported:
        raise NotImplementedError

    def act(self, form):
        return self.imported(form.cleaned_data["file"].read(), form)

    def done(self, result, form):
        # Shown at once, not after a redirect: the same file sent again changes nothing.
        context = {
            "form": self.form_class(initial=self.get_initial()),
            "imported": result,
            "told": told(result),
        }
        return self.render_to_response(self.get_context_data(**context))

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        refusal, imported = context.get("refusal"), context.get("imported")
        errors = refusal.errors if isinstance(refusal, BadImport) else imported.remarks if imported else []
        return context | {
            "errors": errors[:SHOWN],
            "more_errors": max(0, len(errors) - SHOWN),
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
