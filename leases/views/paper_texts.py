"""The texts of the papers and the letterhead: read, tried beside their letter, kept, given back."""

from functools import cached_property

from django import forms
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core import documents
from core.documents import PAPERS, DocumentTemplate, Letterhead
from core.errors import Refusal
from core.pages import ActionPage, Page
from leases.views.papers import shown


class TemplateList(Page):
    """Every paper's text: the original, or the association's own and since when."""

    resource = "document_template"
    template_name = "leases/paper_texts.html"
    title = _("Texts of the papers")

    def get_context_data(self, **kwargs):
        last: dict[str, DocumentTemplate] = {}
        for one in DocumentTemplate.objects.select_related("created_by").order_by("version").defer("source"):
            last[one.code] = one
        own = set(DocumentTemplate.objects.filter(pk__in=[one.pk for one in last.values()]).exclude(source="").values_list("code", flat=True))  # fmt: skip
        rows = [(paper, last.get(code) if code in own else None) for code, paper in PAPERS.items()]
        return super().get_context_data(
            rows=rows, head=documents.letterhead(), may_change=self.may("change"), **kwargs
        )


class EditText(Page):
    """One text beside its letter: try, keep, or go back to the original."""

    resource, action = "document_template", "change"
    template_name = "leases/paper_text.html"

    @cached_property
    def paper(self):
        if self.kwargs["code"] not in PAPERS:
            raise Http404
        return PAPERS[self.kwargs["code"]]

    def get_context_data(self, **kwargs):
        code = self.paper.code
        source, version = documents.template(code)
        context = {
            "source": source,
            "seen": documents.last_version(code),
            "fault": None,
            "pages": None,
            "error_line": "",
        } | kwargs
        if context["pages"] is None and context["fault"] is None:
            context |= tried(code, context["source"])
        return super().get_context_data(
            paper=self.paper, version=version, fields=fields_of(self.paper.samples()[0]), **context
        )

    @property
    def title(self):
        return str(self.paper.title)

    def post(self, request, *args, **kwargs):
        code, source = self.paper.code, request.POST.get("source", "").replace("\r\n", "\n")
        step, seen = request.POST.get("step"), request.POST.get("seen", "")
        if step == "original":
            documents.back_to_original(code, by=request.user)
            return redirect("papers-texts")
        if step == "save":
            try:
                documents.save_template(
                    code, source, by=request.user, seen=int(seen) if seen.isdecimal() else None
                )
                return redirect("papers-texts")
            except Refusal as refusal:
                found = {"fault": refusal, "pages": [], "error_line": error_line(refusal, source)}
        else:
            found = tried(code, source)
        if getattr(request, "htmx", None) and step not in ("save", "original"):
            return render(request, "leases/_paper_try.html", found)
        context = self.get_context_data(source=source, seen=seen, **found)
        return self.render_to_response(context, status=422 if found["fault"] else 200)

    def breadcrumb(self):
        return [{"label": _("Texts of the papers"), "url": reverse("papers-texts")}, {"label": self.title}]


def tried(code, source):
    """A text's letter, or why there is none."""
    try:
        return {"fault": None, "pages": shown(documents.try_out(code, source)), "error_line": ""}
    except Refusal as refusal:
        return {"fault": refusal, "pages": [], "error_line": error_line(refusal, source)}


def error_line(refusal, source):
    """The line of the text that a refusal is about."""
    lines, number = source.splitlines(), getattr(refusal, "line", 0)
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def fields_of(sample):
    """What a text may name as #d.name, with the sample's own value."""
    return [(name, value) for name, value in sample.items() if isinstance(value, str) and value]


class LetterheadForm(forms.ModelForm):
    picture = forms.FileField(label=_("Logo"), required=False, help_text=_("PNG or JPEG, at most 300 kB."))
    no_logo = forms.BooleanField(label=_("Without logo"), required=False)

    class Meta:
        model = Letterhead
        fields = ["name", "address", "city", "phone", "email", "legal", "signatory"]
        widgets = {
            "address": forms.Textarea(attrs={"rows": 3}),
            "signatory": forms.Textarea(attrs={"rows": 2}),
        }


class EditLetterhead(ActionPage):
    """Name, address, logo and signature of every letter."""

    resource = "document_template"
    title = _("Letterhead")
    form_class = LetterheadForm
    done_text = _("The letterhead is kept; letters already made keep theirs.")

    @property
    def cancel_url(self):
        return reverse("papers-texts")

    def get_success_url(self):
        return self.cancel_url

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"instance": documents.letterhead()}

    def act(self, form):
        new = form.instance
        sent = form.cleaned_data["picture"]
        if sent:
            new.logo = sent.read(documents.LOGO_LIMIT + 1)
        elif form.cleaned_data["no_logo"]:
            new.logo = b""
        return documents.save_letterhead(new, by=self.request.user)

    def breadcrumb(self):
        return [{"label": _("Texts of the papers"), "url": reverse("papers-texts")}, {"label": self.title}]
