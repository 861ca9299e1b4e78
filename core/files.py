"""Files of long work, kept in the database so that every host sees them (*fichiers déposés et produits*).

What somebody sends for an import, and what an export produces. A file is its sender's alone, opened
again only to who still has the right it was sent or made under, and dropped after KEPT_FOR.
"""

import hashlib
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import access, jobs
from core.errors import Refusal

KEPT_FOR = timedelta(days=7)
"""A file is dropped after that: what an import wrote and what an export said stay known by their hash."""
BYTE_LIMIT = 60_000_000


class TooLarge(Refusal):
    """A file beyond BYTE_LIMIT."""


class Gone(Refusal):
    """A file that is no longer kept, or no longer open to who sent it."""


class KeptFile(models.Model):
    """A file sent or produced (*fichier conservé*); resource, action: the right that opens it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=200)
    kind = models.CharField(_("kind"), max_length=40)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    size = models.PositiveIntegerField(_("size"))
    content = models.BinaryField(_("content"))
    resource = models.CharField(_("resource"), max_length=40)
    action = models.CharField(_("action"), max_length=20)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("sent by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, db_index=True)

    class Meta:
        app_label = "core"
        verbose_name = _("kept file")
        verbose_name_plural = _("kept files")

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("kept-file", args=[self.pk])


def keep(
    data: bytes, name: str, *, kind: str, resource: str, action: str, by, limit: int | None = None
) -> KeptFile:
    """Keep a file of at most BYTE_LIMIT, or what is said for a file of our own. Raises TooLarge."""
    limit = BYTE_LIMIT if limit is None else limit
    if len(data) > limit:
        raise TooLarge(
            _t("the file"),
            _t("It is larger than %(limit)d MB.") % {"limit": limit // 1_000_000},
            _t("Split it into several files."),
        )
    drop_old()
    return KeptFile.objects.create(
        name=name[-200:],
        kind=kind,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        content=data,
        resource=resource,
        action=action,
        created_by=by,
    )


def drop_old() -> None:
    """Drop the files kept for long enough: at each new one, and now and then by the workers."""
    KeptFile.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()


def kept_file(pk, *, by) -> KeptFile:
    """A file kept by this user, who still has the right it was kept under. Raises Gone."""
    found = KeptFile.objects.filter(pk=pk, created_by=by).first()
    if found is None:
        raise Gone(_t("the file"), _t("It is no longer kept."), _t("Send it again."))
    if not access.can(by, found.resource, found.action):
        raise Gone(found.name, _t("Your role does not open it any more."), _t("Ask your administrator."))
    found.content = bytes(found.content)  # PostgreSQL gives a view of the memory
    return found


def begin(kind: str, sent, *, resource: str, action: str, by, **parameters) -> jobs.Job:
    """Keep a file sent and start the work of that kind on it; sent twice at once, one work.

    sent: an uploaded file. Raises TooLarge.
    """
    data = sent.read(BYTE_LIMIT + 1)
    with transaction.atomic():
        kept = keep(data, sent.name or kind, kind=kind, resource=resource, action=action, by=by)
        told = ":".join([kept.sha256[:40], str(by.pk), *map(str, parameters.values())])
        begun = jobs.start(kind, by=by, once=told[:80], file=str(kept.pk), **parameters)
        if begun.parameters["file"] != str(kept.pk):
            kept.delete()
    return begun


def file_job(kind: str, *, title: str, page: str) -> Callable:
    """Register `do(job, kept, **parameters)` as work on one kept file, whole or not at all.

    It returns what the page named `page` tells of it, JSON, with `summary` for the job's own page.
    """

    def register(do):
        def run(asked, *, file, **parameters):
            yield jobs.Part("file", partial(_taken, do, asked, file, parameters))
            return {"url": f"{reverse(page)}?job={asked.pk}", **asked.outcomes()["file"]}

        jobs.job(kind, title=title, page=page)(run)
        do.kind = kind  # what its page names
        return do

    return register


def _taken(do, asked, file, parameters) -> dict:
    kept = kept_file(file, by=asked.created_by)
    jobs.tell(asked, _t("Reading the file"))
    return do(asked, kept, **parameters)
