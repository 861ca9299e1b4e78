"""The pages of long work: what is under way, how far it is, its files, and the page that takes a file in."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import cached_property
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _t
from django.views.decorators.http import require_POST

from core import audit, files, jobs
from core.access import allowed, can, require
from core.files import KeptFile
from core.jobs import Job
from core.pages import ActionPage


@allowed("job")
def job_list(request):
    """The latest jobs: one's own, or everybody's for who looks after them."""
    found = Job.objects.select_related("created_by")
    if not can(request.user, "job", "change"):
        found = found.filter(created_by=request.user)
    return render(request, "jobs.html", {"jobs": found[:100]})


@allowed("job")
def job_progress(request, pk):
    """How far a job has come; its page asks again by itself until the job is over."""
    shown = _own(request, pk)
    if not shown.is_over and not jobs.with_workers() and (not shown.worker or shown.stale):
        # In-process work left by a process that died goes on as soon as somebody looks.
        jobs.kick()
    response = render(request, "job.html", {"job": shown, "file": _file_of(shown, request.user)})
    if shown.is_over and request.headers.get("HX-Request") == "true":
        response["HX-Refresh"] = "true"
    return response


@allowed("job")
@require_POST
def job_cancel(request, pk):
    """Stop a job after the part in hand."""
    asked = _own(request, pk)
    if jobs.cancel(asked, by=request.user):
        messages.info(request, _t("The work stops after the part in hand; what is done stays."))
    return redirect("job", pk=asked.pk)


@allowed("job")
@require_POST
def job_resume(request, pk):
    """Take up a job that was cancelled or failed."""
    asked = _own(request, pk)
    try:
        jobs.resume(asked, by=request.user)
    except jobs.Busy as refusal:
        messages.error(request, str(refusal))
    return redirect("job", pk=asked.pk)


@allowed("job")
def kept_file(request, pk):
    """A file that this reader sent, or that was made for them."""
    try:
        found = files.kept_file(pk, by=request.user)
    except files.Gone as gone:
        raise Http404(str(gone)) from gone
    audit.record(request, "download", "kept_file", found.pk, sha256=found.sha256)
    # Never shown by the browser: what somebody sent may hold anything.
    return HttpResponse(
        found.content,
        content_type="application/octet-stream",
        headers={"Content-Disposition": content_disposition_header(True, found.name)},
    )


def _own(request, pk) -> Job:
    asked = get_object_or_404(Job.objects.select_related("created_by"), pk=pk)
    if asked.created_by_id != request.user.pk:
        require(request.user, "job", "change")
    return asked


def _file_of(asked: Job, reader) -> KeptFile | None:
    """The file a job works on, for its sender, while it is kept."""
    pk = asked.parameters.get("file")
    return pk and KeptFile.objects.filter(pk=pk, created_by=reader).only("id", "name").first()


class FilePage(ActionPage):
    """A page that takes a file in as long work, and tells with ?job= what became of it.

    job_kind: `kind` of a work registered by core.files.file_job. parameters(form): what it is told beside the file.
    """

    action = "import"
    job_kind = ""

    def parameters(self, form) -> dict:
        return {}

    def act(self, form):
        return files.begin(
            self.job_kind,
            form.cleaned_data["file"],
            resource=self.resource,
            action=self.action,
            by=self.request.user,
            **self.parameters(form),
        )

    def done(self, result, form):
        if jobs.wait_for(result):
            return redirect(f"{self.request.path}?job={result.pk}")
        return redirect(result)

    @cached_property
    def told(self) -> Job | None:
        """The work of this page that ?job= names, if it is this reader's."""
        text = self.request.GET.get("job", "")
        if not text:
            return None
        try:
            found = get_object_or_404(Job, pk=UUID(text), kind=self.job_kind)
        except ValueError as error:
            raise Http404 from error
        if found.created_by_id != self.request.user.pk:
            require(self.request.user, "job", "change")
        return found

    def get(self, request, *args, **kwargs):
        if self.told and not self.told.is_over:
            return redirect(self.told)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs):
        told = self.told if self.request.method == "GET" else None
        result, error = (told.result or {}, told.error) if told else ({}, None)
        faults = error or result
        context = {
            "result": result,
            "errors": faults.get("errors", []),
            "more_errors": faults.get("more", 0),
        }
        if error:
            context["refusal"] = error
        return super().get_context_data(**{**context, **kwargs})
