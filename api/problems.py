"""What went wrong, as a program reads it: application/problem+json (RFC 9457).

`type` is about:blank where the status says it all, urn:gla:refusal when the house refuses (then
place, reason, remedy tell where, why and what to do), urn:gla:invalid when fields are wrong (then
errors lists them).
"""

from http import HTTPStatus

from django.db import IntegrityError
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from core.errors import Refusal
from core.refusals import refusal_of

MEDIA_TYPE = "application/problem+json"


def handle(error: Exception, context: dict) -> Response | None:
    """The answer to an exception, or None to let it be seen as a fault of the program."""
    if isinstance(error, IntegrityError):
        error = refusal_of(error)
    if isinstance(error, Refusal):
        set_rollback()
        return refused(error)
    response = exception_handler(error, context)
    if response is None:
        return None
    kept = {key: response[key] for key in ("WWW-Authenticate", "Retry-After", "Allow") if key in response}
    status = HTTPStatus(response.status_code)
    problem = {"type": "about:blank", "title": status.phrase, "status": status.value}
    if isinstance(error, ValidationError):
        problem |= {"type": "urn:gla:invalid", "errors": listed(error.detail)}
    elif isinstance(error, APIException):
        problem["detail"] = str(error.detail)
    elif isinstance(response.data, dict) and "detail" in response.data:
        problem["detail"] = str(response.data["detail"])
    return Response(problem, status.value, headers=kept, content_type=MEDIA_TYPE)


def refused(refusal: Refusal) -> Response:
    """What the house will not do: where, why, and what to do next."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    told = in_words(refusal)
    problem = {
        "type": "urn:gla:refusal",
        "title": status.phrase,
        "status": status.value,
        "detail": " — ".join(part for part in told.values() if part),
        "code": type(refusal).__name__,
        **told,
    }
    return Response(problem, status.value, content_type=MEDIA_TYPE)


def in_words(refusal: Refusal) -> dict[str, str]:
    """Place, reason and remedy in the reader's language; a file's readers know no language."""
    if hasattr(refusal, "reason_id"):
        values = refusal.values
        place = _("line %(line)s") % {"line": refusal.line} if refusal.line else _("file")
        return {
            "place": place,
            "reason": _(refusal.reason_id) % values,
            "remedy": _(refusal.remedy_id) % values,
        }
    return {name: str(getattr(refusal, name)) for name in ("place", "reason", "remedy")}


def listed(detail, path: str = "") -> list[dict[str, str]]:
    """Every error with the field it is about, as a path: "terms.0.amount"."""
    if isinstance(detail, dict):
        parts = [(key, value) for key, value in detail.items()]
    elif isinstance(detail, list) and any(isinstance(part, (dict, list)) for part in detail):
        parts = [(str(index), part) for index, part in enumerate(detail) if part]
    else:
        said = detail if isinstance(detail, list) else [detail]
        return [{"field": path, "detail": str(one)} for one in said]
    found = []
    for key, value in parts:
        here = path if key == "non_field_errors" else f"{path}.{key}" if path else str(key)
        found += listed(value, here)
    return found


FIELDS = ("type", "title", "detail", "code", "place", "reason", "remedy")


def in_schema() -> dict:
    """How the schema describes a problem."""
    text = {"type": "string"}
    error = {"type": "object", "required": ["field", "detail"], "properties": {"field": text, "detail": text}}
    return {
        "Problem": {
            "type": "object",
            "description": "Why a request was not carried out (RFC 9457).",
            "required": ["type", "title", "status"],
            "properties": dict.fromkeys(FIELDS, text)
            | {"status": {"type": "integer"}, "errors": {"type": "array", "items": error}},
        }
    }
