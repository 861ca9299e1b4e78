"""The accounting file of a year: asked for, told, downloaded, declared final."""

from datetime import date

from django import forms
from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy as _
from django.views import View

from core import audit, jobs
from core.pages import Action, ActionPage, Guarded, Page, Preview
from core.templatetags.gla import day_text
from core.today import today
from leases import ledger
from leases.accounts.fec import FecFile, begin_fec, declare_final, in_words
from leases.formats import fec
from leases.views.closing import BookChoice, back_to_closing


class FecForm(forms.Form):
    last_day = forms.DateField(
        label=_("Year that ends on"),
        help_text=_("Usually 31 December; the file covers the twelve months before."),
    )
    book = BookChoice(
        label=_("Whose accounts"),
        help_text=_(
            "The association's accounts are its own book. The money of a mandate is the owner's: "
            "it stands in that owner's book, and is no part of the association's file."
        ),
    )
    separator = forms.ChoiceField(
        label=_("Fields parted by"),
        choices=[("tab", _("Tab (usual)")), ("pipe", _("Vertical bar |"))],
        required=False,
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["book"].offer()


class MakeFec(ActionPage):
    """Ask for the accounting file of a year: made as long work, then checked."""

    resource, action = "closing", "export"
    form_class = FecForm
    title = _("Accounting file (FEC)")
    intro = _(
        "The file that the tax administration asks for, in eighteen columns. It names nobody: "
        "tenants and owners stand by their reference. It can be made again as long as it is not declared final."
    )
    submit_label = _("Make the file")

    def get_initial(self):
        return {"last_day": date(today().year - 1, 12, 31), "separator": "tab"}

    @property
    def cancel_url(self):
        return reverse("closing")

    def breadcrumb(self):
        return back_to_closing(self.title)

    def act(self, form):
        return begin_fec(
            form.cleaned_data["last_day"],
            book=form.cleaned_data["book"],
            separator=fec.PIPE if form.cleaned_data["separator"] == "pipe" else fec.TAB,
            by=self.request.user,
            now=timezone.now(),
        )

    def done(self, result, form):
        made, job = result
        return redirect("fec-file", pk=made.pk) if jobs.wait_for(job) else redirect(job)


class FecPage(Page):
    """An accounting file: what it holds, what its check found, whether it is final."""

    resource = "closing"
    template_name = "leases/fec.html"

    @cached_property
    def made(self):
        return get_object_or_404(
            FecFile.objects.select_related("book__owner", "made_by", "declared_by"), pk=self.kwargs["pk"]
        )

    @property
    def title(self):
        return self.made.name

    def breadcrumb(self):
        return back_to_closing(self.title)

    def get_context_data(self, **kwargs):
        made = self.made
        closed = ledger.closed_up_to(made.book_id)
        return super().get_context_data(
            made=made,
            faults=[in_words(one) for one in made.faults],
            closed=closed,
            is_closed=closed is not None and closed >= made.last_day,
            actions=self.actions(),
            **kwargs,
        )

    def actions(self):
        made, found = self.made, []
        if made.finished_at and self.may("export"):
            found.append(
                Action(_("Download"), reverse("fec-download", args=[made.pk]), primary=True, icon="download")
            )
        if made.finished_at and not made.fault_count and not made.declared_at and self.may("change"):
            found.append(Action(_("Declare it final"), reverse("fec-declare", args=[made.pk])))
        return found


class DownloadFec(Guarded, View):
    """The file itself, piece by piece."""

    resource, action = "closing", "export"
    http_method_names = ["get", "head", "options"]

    def get(self, request, pk):
        made = get_object_or_404(FecFile.objects.exclude(finished_at=None), pk=pk)
        audit.record(request, "download", "closing", made.pk, sha256=made.sha256)
        return StreamingHttpResponse(
            made.content(),
            content_type="text/plain; charset=iso-8859-15",
            headers={
                "Content-Disposition": content_disposition_header(True, made.name),
                "Content-Length": str(made.size),
            },
        )


class DeclareFec(ActionPage):
    """Declare an accounting file final: nothing of its year can change any more."""

    resource = "closing"
    form_class = forms.Form
    title = _("Declare the file final")
    intro = _("Once it was given to the tax administration or to the auditor.")
    submit_label = _("Check")
    confirm_label = _("Declare it final")
    done_text = _("The file is final, and its year stays closed.")
    danger = True

    @cached_property
    def made(self):
        return get_object_or_404(FecFile, pk=self.kwargs["pk"])

    @property
    def cancel_url(self):
        return reverse("fec-file", args=[self.made.pk])

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return [
            *back_to_closing(self.made.name)[:1],
            {"label": self.made.name, "url": self.cancel_url},
            {"label": self.title},
        ]

    def preview(self, form):
        made = self.made
        return Preview(
            lines=[
                (_("File"), made.name),
                (_("Days"), f"{day_text(made.start)} – {day_text(made.last_day)}"),
                (_("Entries"), made.entries),
                (_("Debit"), made.debit),
            ],
            warning=_(
                "This cannot be undone: the period can no longer be opened again, nor the file made again."
            ),
        )

    def act(self, form):
        return declare_final(self.made, by=self.request.user, now=timezone.now())
