"""Papers of the association (*documents*): texts it may edit, letters archived unaltered, how they went out.

An app registers each kind of paper with a text shipped in a file; the association edits its own text
in the browser, kept by version. A letter made is archived as its bytes with their SHA-256 and never
changed; whom it is about is a plain reference (`subject`, `subject_id`): the ground knows no app.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core import mail
from django.db import models, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from core import audit
from core.errors import Refusal
from core.money import EuroField
from core.typeset import Press

LANGUAGE = "fr"
LOGO_LIMIT = 300_000


@dataclass(frozen=True, slots=True)
class Paper:
    """A kind of paper (*modèle de document*): its text as shipped, and data to show it with.

    samples: gives the data of made-up letters, in the same fields as real ones; the first is shown.
    monthly: one a month for each subject (the month is told beside it).
    """

    code: str
    title: str | Promise
    file: Path
    samples: Callable[[], list[dict]]
    monthly: bool = False

    @property
    def original(self) -> str:
        """The text as shipped."""
        return self.file.read_text("utf-8")


PAPERS: dict[str, Paper] = {}
"""Every kind of paper that an app has registered, by code."""


def register(paper: Paper) -> Paper:
    PAPERS[paper.code] = paper
    return paper


class NoPaper(Refusal):
    """A paper that cannot be made, and why."""


# ---- the letterhead and the texts ----------------------------------------------------------


class Letterhead(models.Model):
    """What stands at the head and foot of each letter (*en-tête*); the latest row is the one in use."""

    name = models.CharField(_("name of the association"), max_length=80)
    address = models.TextField(_("address"), max_length=300, help_text=_("As on an envelope, line by line."))
    city = models.CharField(_("place written before the date"), max_length=60)
    phone = models.CharField(_("telephone"), max_length=20, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    legal = models.CharField(
        _("foot of the page"), max_length=200, blank=True, help_text=_("Legal form, SIRET, insurance…")
    )
    signatory = models.TextField(
        _("signature"), max_length=200, blank=True, help_text=_("Who signs, line by line.")
    )
    logo = models.BinaryField(_("logo"), blank=True, default=b"")
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        app_label = "core"
        verbose_name, verbose_name_plural = _("letterhead"), _("letterheads")

    def __str__(self):
        return self.name

    def as_data(self) -> dict:
        """What core/paper/letter.typ reads of it."""
        return {
            "name": self.name,
            "address": self.address.splitlines(),
            "phone": self.phone,
            "email": self.email,
            "legal": self.legal,
            "signatory": self.signatory.splitlines(),
        }


class DocumentTemplate(models.Model):
    """The association's own text of a paper (*modèle*), one row a version; empty: back to the original."""

    code = models.CharField(_("paper"), max_length=30)
    language = models.CharField(_("language"), max_length=5, default=LANGUAGE)
    version = models.PositiveIntegerField(_("version"))
    source = models.TextField(_("text"), blank=True, max_length=60_000)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        app_label = "core"
        verbose_name, verbose_name_plural = _("document template"), _("document templates")
        constraints = [
            models.UniqueConstraint(
                fields=["code", "language", "version"],
                name="document_template_once",
                violation_error_message=_("Somebody else has just changed this text: look at it first."),
            )
        ]

    def __str__(self):
        return f"{self.code} {self.language} v{self.version}"


def letterhead() -> Letterhead:
    """The letterhead in use; one to be filled in where none was written yet."""
    kept = Letterhead.objects.order_by("-pk").first()
    return kept or Letterhead(
        name="Association", address="Adresse\n00000 Ville", city="Ville", signatory="Pour l'association"
    )


def save_letterhead(new: Letterhead, *, by) -> Letterhead:
    """Put another letterhead in use; letters already archived keep theirs. Raises NoPaper for its logo."""
    new.logo = bytes(new.logo)
    if new.logo and not new.logo.startswith((b"\x89PNG\r\n", b"\xff\xd8\xff")):
        raise NoPaper(_t("the logo"), _t("It is neither a PNG nor a JPEG picture."), _t("Save it as PNG."))
    if len(new.logo) > LOGO_LIMIT:
        raise NoPaper(
            _t("the logo"),
            _t("It is larger than %(limit)d kB.") % {"limit": LOGO_LIMIT // 1000},
            _t("Make it smaller: each letter carries it."),
        )
    new.pk, new.created_at, new.created_by = None, timezone.now(), by
    with transaction.atomic():
        new.save(force_insert=True)
        audit.record(by, "change", "document_template", "letterhead")
    return new


def template(code: str, language: str = LANGUAGE) -> tuple[str, int]:
    """The text of a paper in use and its version; 0 is the original."""
    kept = DocumentTemplate.objects.filter(code=code, language=language).order_by("-version").first()
    if kept is None or not kept.source:
        return PAPERS[code].original, 0
    return kept.source, kept.version


def save_template(
    code: str, source: str, *, by, seen: int | None = None, language: str = LANGUAGE
) -> DocumentTemplate:
    """Keep a new version of a text; it must typeset the paper's sample.

    seen: the last version its author looked at: somebody else's change since is not written over.
    Raises DoesNotCompile, NoPaper.
    """
    source = source.replace("\r\n", "\n")
    if source.strip():
        try_out(code, source)
    with transaction.atomic():
        last = last_version(code, language)
        if seen is not None and seen != last:
            raise NoPaper(
                PAPERS[code].title,
                _t("Somebody else has changed this text since you opened it."),
                _t("Copy your text, open the page again and compare."),
            )
        kept = DocumentTemplate.objects.create(
            code=code, language=language, version=last + 1, source=source, created_by=by
        )
        audit.record(by, "change", "document_template", code, version=kept.version)
    return kept


def last_version(code: str, language: str = LANGUAGE) -> int:
    found = DocumentTemplate.objects.filter(code=code, language=language)
    return found.aggregate(last=models.Max("version"))["last"] or 0


def back_to_original(code: str, *, by, language: str = LANGUAGE) -> DocumentTemplate:
    """Use the shipped text again; the association's versions stay in the history."""
    return save_template(code, "", by=by, language=language)


def try_out(code: str, source: str) -> list[bytes]:
    """The pages of a paper's first sample in a text, as PNG; it must typeset all. Raises DoesNotCompile."""
    samples, head = PAPERS[code].samples(), letterhead()
    on = timezone.localdate()
    with Press(source, head=head.as_data(), logo=bytes(head.logo)) as ready:
        # As they will be archived: what a screen reader needs is checked there.
        for sample in samples:
            ready.pdf(sample, on=on)
        return ready.pictures(samples[0], on=on)


def press(code: str, language: str = LANGUAGE) -> Press:
    """The paper's text and the letterhead in use, made ready. Use it with `with`."""
    source, version = template(code, language)
    head = letterhead()
    return Press(source, head=head.as_data(), logo=bytes(head.logo), language=language, version=version)


def dated(on, head: Letterhead) -> str:
    """Place and date as a letter says them: "Lille, le 5 mars 2026"."""
    with override("fr"):
        day = date_format(on, "j F Y")
    return f"{head.city}, le {'1er' + day[1:] if on.day == 1 else day}"


# ---- the archive ---------------------------------------------------------------------------


class DocumentManager(models.Manager):
    def get_queryset(self):
        # Lists tell of papers; the bytes are read one at a time.
        return super().get_queryset().defer("content")


class Document(models.Model):
    """A paper as it was made (*document archivé*): its bytes and their SHA-256, never changed.

    subject, subject_id: whom or what it is about ("lease", its id). month: for a monthly paper.
    number: 1, or more where the same paper of a month had to be made again with other amounts.
    amount: what it says, EUR. template_version: 0 for the shipped text.
    """

    kind = models.CharField(_("paper"), max_length=30)
    subject = models.CharField(_("about"), max_length=12)
    subject_id = models.BigIntegerField()
    month = models.DateField(_("month"), null=True)
    number = models.PositiveSmallIntegerField(_("number"), default=1)
    amount = EuroField(_("amount"), null=True)
    title = models.CharField(_("title"), max_length=160)
    language = models.CharField(_("language"), max_length=5, default=LANGUAGE)
    template_version = models.PositiveIntegerField(_("version of the text"), default=0)
    created_at = models.DateTimeField(_("made"), default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("made by")
    )
    size = models.PositiveIntegerField(_("size"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    content = models.BinaryField(_("content"))

    objects = DocumentManager()

    class Meta:
        app_label = "core"
        verbose_name, verbose_name_plural = _("document"), _("documents")
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "subject_id", "kind", "month", "number"],
                name="document_once_a_month",
                violation_error_message=_("This paper was already made."),
            ),
            models.CheckConstraint(
                name="document_month_is_a_first",
                condition=models.Q(month__isnull=True) | models.Q(month__day=1),
            ),
        ]
        indexes = [models.Index(fields=["kind", "month"], name="document_of_a_month")]

    def __str__(self):
        return self.title

    @property
    def kind_label(self) -> str:
        return str(PAPERS[self.kind].title) if self.kind in PAPERS else self.kind

    @property
    def file_name(self) -> str:
        of = f"-{self.month:%Y-%m}" if self.month else f"-{self.created_at:%Y-%m-%d}"
        return f"{self.kind.replace('_', '-')}{of}-{self.subject_id}-{self.number}.pdf"

    def read(self) -> bytes:
        """The bytes as archived. Raises NoPaper where they are not those of the hash."""
        content = bytes(self.content)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise NoPaper(
                self.title,
                _t("The archive has been altered."),
                _t("Tell the administrator: restore a backup."),
            )
        return content


class Sending(models.Model):
    """That a paper went out (*envoi*): by which way, when, to which address; or why it did not."""

    class Channel(models.TextChoices):
        EMAIL = "email", _("E-mail")
        PRINT = "print", _("Print file")
        HAND = "hand", _("By hand or post")

    document = models.ForeignKey(Document, models.PROTECT, related_name="sendings")
    channel = models.CharField(_("way"), max_length=5, choices=Channel)
    at = models.DateTimeField(_("sent"), default=timezone.now)
    address = models.CharField(_("address"), max_length=254, blank=True)
    failure = models.CharField(_("not sent because"), max_length=200, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        app_label = "core"
        verbose_name, verbose_name_plural = _("sending"), _("sendings")

    def __str__(self):
        return f"{self.document_id} {self.channel}"


def made(
    ready: Press, kind: str, data: dict, *, subject: str, subject_id: int, by, now: datetime, **known
) -> Document:
    """A paper typeset, not written yet. data: one letter's; known: month, number, amount. Raises DoesNotCompile."""
    content = ready.pdf(data, on=timezone.localtime(now).date())
    return Document(
        kind=kind,
        subject=subject,
        subject_id=subject_id,
        title=data["title"][:160],
        language=ready.language,
        template_version=ready.version,
        created_at=now,
        created_by=by,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        **known,
    )


def archive(kind: str, data: dict, *, subject: str, subject_id: int, by, now: datetime, **known) -> Document:
    """Make one paper and keep it. Raises DoesNotCompile."""
    with press(kind) as ready, transaction.atomic():
        new = made(ready, kind, data, subject=subject, subject_id=subject_id, by=by, now=now, **known)
        new.save(force_insert=True)
        audit.record(by, "create", "document", new.pk, kind=kind, subject=subject, subject_id=subject_id)
    return new


def archive_all(papers: Iterable[Document]) -> int:
    """Keep papers typeset together, in the transaction under way; how many."""
    return len(Document.objects.bulk_create(papers, batch_size=100))


# ---- sending -------------------------------------------------------------------------------


def send_by_email(
    papers: Sequence[tuple[Document, str]], *, subject: str, text: str, by, now
) -> list[Sending]:
    """E-mail each paper to its address, over one connection: what is to be kept of it (keep_sendings).

    Writes nothing itself: a mail server is slow, and a transaction must be short. Killed before that
    is kept, a letter may go twice, never not at all. One that does not go says why in its `failure`.
    """
    head, notes = letterhead(), []
    connection = mail.get_connection()
    try:
        for document, address in papers:
            message = mail.EmailMessage(
                subject=subject,
                body=text,
                to=[address],
                connection=connection,
                reply_to=[head.email] if head.email else None,
                attachments=[(document.file_name, document.read(), "application/pdf")],
            )
            notes.append(
                Sending(
                    document=document,
                    channel=Sending.Channel.EMAIL,
                    at=now,
                    address=address,
                    failure=_failure(message),
                    by=by,
                )
            )
    finally:
        connection.close()
    return notes


def keep_sendings(notes: Sequence[Sending]) -> None:
    Sending.objects.bulk_create(notes, batch_size=1_000)


def _failure(message: mail.EmailMessage) -> str:
    try:
        message.send()
    except (OSError, ValueError) as fault:  # SMTPException is an OSError
        return f"{type(fault).__name__}: {fault}"[:200]
    return ""


def note_sent(ids: Sequence[int], channel: str, *, by, now) -> None:
    """Keep that papers went out another way than by e-mail."""
    keep_sendings([Sending(document_id=pk, channel=channel, at=now, by=by) for pk in ids])
