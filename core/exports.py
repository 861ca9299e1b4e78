"""Large exports (*exports*): a list written to a spreadsheet as long work, then kept for who asked.

The list is made again from its address, its query and the rights of who asked at that moment: the
same page class, filters, columns and audit lines as on the page.
"""

import hashlib
import json
from functools import partial
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import resolve, reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import access, files, jobs
from core.errors import Refusal


class NoRight(Refusal):
    """Who asked for the export has lost the right to it since."""


def begin(view, format: str) -> HttpResponse:
    """Start the export of a list page; the file itself when it is soon done, else the job's page."""
    match, user = view.request.resolver_match, view.request.user
    asked_for = {
        "page": match.view_name,
        "kwargs": match.kwargs,
        "query": urlsplit(view.query()).query,
        "format": format,
    }
    told = json.dumps([user.pk, asked_for], sort_keys=True, default=str)
    once = hashlib.sha256(told.encode()).hexdigest()
    begun = jobs.start("export", by=user, once=once, **asked_for)
    if jobs.wait_for(begun) and begun.result:
        return redirect(begun.result["url"])
    return redirect(begun)


@jobs.job("export", title=_("Export"))
def export(asked, *, page, kwargs, query, format):
    """Write all rows of a list, then keep the file. Reading them holds no lock."""
    if "file" not in asked.outcomes():
        view = replay(page, kwargs, query, by=asked.created_by)
        view.exported = partial(_tell, asked)
        body = view.spreadsheet(format, view.keyset.ordered().iterator(chunk_size=view.export_part))
        yield jobs.Part("file", partial(_keep, view, body, format), label=_t("File kept"))
    kept = asked.outcomes()["file"]
    return {
        "url": reverse("kept-file", args=[kept["file"]]),
        "summary": [[_t("List"), kept["title"]], [_t("Size"), _t("%(size)d kB") % {"size": kept["kb"]}]],
    }


def replay(page: str, kwargs: dict, query: str, *, by):
    """The list page as that user would open it now. Raises NoRight."""
    address = reverse(page, kwargs=kwargs)
    match = resolve(address)
    request = HttpRequest()
    request.method, request.path, request.path_info = "GET", address, address
    request.GET, request.user, request.resolver_match = QueryDict(query), by, match
    view = match.func.view_class(**match.func.view_initkwargs)
    view.setup(request, **match.kwargs)
    if not (access.can(by, view.resource, view.action) and view.exports):
        raise NoRight(
            str(view.title), _t("Your role does not allow this export."), _t("Ask your administrator.")
        )
    return view


def _tell(asked, rows: int) -> None:
    jobs.tell(asked, _t("%(rows)d rows written") % {"rows": rows})


def _keep(view, body: bytes, format: str) -> dict:
    kept = files.keep(
        body,
        f"{view.file_name()}.{format}",
        kind="export",
        resource=view.resource,
        action="export",
        by=view.request.user,
    )
    return {"file": str(kept.pk), "title": str(view.title), "kb": -(-kept.size // 1000)}
