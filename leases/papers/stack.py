"""Papers made together (*lot de courriers*), as long work: made once, e-mailed, the rest to print.

Each part typesets at most SIZE letters, then keeps them in one short transaction. Killed or stopped,
it is taken up where it was; asked again, it makes only those that are not there. Letters whose reader
chose so go by e-mail; all others, and those the mail server refused, into files to print.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _t
from moneyed import Money

from core import audit, documents, files, jobs
from core.documents import Document, Letterhead, Sending, letterhead
from core.typeset import Merged

SIZE = 100
"""Letters typeset between two transactions."""
MAILED = 25
"""E-mails sent before it is kept that they were: a crash sends these again at worst."""
FILE_SIZE = 75_000_000
"""A print file is closed beyond that, some 5,000 letters, and another begun."""

Key = tuple[int, str, date, int]
"""What makes a paper that paper: whom it is about, its kind, its month, its number."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A letter to make: its key, what it says, EUR, and the data of its text."""

    kind: str
    subject_id: int
    month: date
    number: int
    amount: Money | None
    data: dict

    @property
    def key(self) -> Key:
        return self.subject_id, self.kind, self.month, self.number


@dataclass(frozen=True, slots=True)
class Stack:
    """Papers to make together: for whom, what they say, how they go out.

    name: of its print files. title: what a page calls it. subject: what they are about ("lease").
    groups: ranges of subjects, SIZE at most in each, the same when taken up again. draw: the letters of a range that are not made.
    papers: all of it that are made. addresses: subject → e-mail of who chose so, on a day.
    mail: subject and text of the e-mail, in French. resource, action: the right to make it and to
    take its print files away. url: of its page.
    """

    name: str
    title: str | Promise
    subject: str
    kinds: tuple[str, ...]
    groups: Callable[[], Sequence[tuple[int, int]]]
    draw: Callable[[tuple[int, int], Letterhead], list[Draft]]
    papers: Callable[[], QuerySet]
    addresses: Callable[[Iterable[int], date], dict[int, str]]
    mail: Callable[[], tuple[str, str]]
    url: str
    resource: str = "document"
    action: str = "run"


def make(job, stack: Stack, *, on: date, email: bool) -> Iterator[jobs.Part]:
    """Make, e-mail and put to print a stack; gives what came of it. on: the day that choices of e-mail count."""
    groups = stack.groups()
    job.expect(len(groups))
    head, done = letterhead(), job.outcomes()
    presses = {code: documents.press(code) for code in stack.kinds}
    try:
        for low, high in groups:
            key = f"make {low}"
            if key in done:
                continue
            now = timezone.now()
            made = [
                documents.made(
                    presses[one.kind], one.kind, one.data, subject=stack.subject, subject_id=one.subject_id,
                    month=one.month, number=one.number, amount=one.amount, by=job.created_by, now=now,
                )
                for one in stack.draw((low, high), head)
            ]  # fmt: skip
            yield jobs.Part(key, partial(keep, made), label=f"{stack.name} {low}–{high}")
    finally:
        for ready in presses.values():
            ready.close()
    if email:
        yield from _email(job, stack, on)
    if job.created_by_id:
        yield from put_to_print(job, stack, again=False)
    outcomes = job.outcomes()

    def total(step: str, name: str) -> int:
        return sum(found[name] for key, found in outcomes.items() if key.startswith(step))

    made_now, sent, failed = total("make", "made"), total("email", "sent"), total("email", "failed")
    printed = total("print", "printed")
    return {
        "made": made_now,
        "sent": sent,
        "failed": failed,
        "printed": printed,
        "url": stack.url,
        "summary": [
            [_t("Papers made"), str(made_now)],
            [_t("Sent by e-mail"), str(sent)],
            *([[_t("Refused by the mail server"), str(failed)]] if failed else []),
            *([[_t("To print"), str(printed)]] if job.created_by_id else []),
        ],
    }


def make_print_file(job, stack: Stack) -> Iterator[jobs.Part]:
    """Make the print file of a stack again: all its papers that did not go by e-mail."""
    job.expect(1)
    yield from put_to_print(job, stack, again=True)
    printed = sum(found["printed"] for found in job.outcomes().values())
    return {"printed": printed, "url": stack.url, "summary": [[_t("To print"), str(printed)]]}


def there(subject: str, drafts: Iterable[Draft] | Iterable[Document]) -> set[Key]:
    """The keys among these of papers made already; one query."""
    them = list(drafts)
    found = Document.objects.filter(
        subject=subject,
        subject_id__in={one.subject_id for one in them},
        kind__in={one.kind for one in them},
        month__in={one.month for one in them},
    )
    return set(found.values_list("subject_id", "kind", "month", "number"))


def keep(made: list[Document]) -> dict:
    """Keep letters typeset before, in the transaction under way; one made meanwhile is not made twice."""
    if not made:
        return {"made": 0}
    kept = there(made[0].subject, made)
    new = [one for one in made if (one.subject_id, one.kind, one.month, one.number) not in kept]
    counted = documents.archive_all(new)
    audit.record(made[0].created_by, "create", "document", "", kind=made[0].kind, count=counted)
    return {"made": counted}


def waiting(papers: QuerySet, *, mailed: bool = False) -> QuerySet:
    """Papers that have not gone out yet; mailed: all that did not go by e-mail."""
    gone = Sending.objects.filter(document=OuterRef("pk"), failure="")
    if mailed:
        gone = gone.filter(channel=Sending.Channel.EMAIL)
    return papers.filter(~Exists(gone))


def _email(job, stack: Stack, day: date) -> Iterator[jobs.Part]:
    """Parts of MAILED letters each: sent first, outside any transaction, then kept as sent."""
    tried = Sending.objects.filter(document=OuterRef("pk"), channel=Sending.Channel.EMAIL)
    untried = waiting(stack.papers()).filter(~Exists(tried)).order_by("pk")
    todo = list(untried.values_list("pk", "subject_id"))
    addresses = stack.addresses((subject for _pk, subject in todo), day)
    todo = [(pk, addresses[subject]) for pk, subject in todo if subject in addresses]
    subject, text = stack.mail()
    for i in range(0, len(todo), MAILED):
        batch = dict(todo[i : i + MAILED])
        found = Document.objects.defer(None).in_bulk(batch)
        notes = documents.send_by_email(
            [(found[pk], address) for pk, address in batch.items()],
            subject=subject, text=text, by=job.created_by, now=timezone.now(),
        )  # fmt: skip
        yield jobs.Part(f"email {min(batch)}", partial(_keep_sent, notes), label=_t("E-mails sent"))


def _keep_sent(notes: list[Sending]) -> dict:
    documents.keep_sendings(notes)
    failed = sum(1 for note in notes if note.failure)
    return {"sent": len(notes) - failed, "failed": failed}


def put_to_print(job, stack: Stack, *, again: bool) -> Iterator[jobs.Part]:
    """One part a print file: merged before, from the archive itself, then kept for who asked."""
    for number, (ids, body) in enumerate(print_files(stack.papers(), again=again), 1):
        name = f"{stack.name}{'' if number == 1 else f'-{number}'}.pdf"
        do = partial(_keep_print, ids, body, name, stack, by=job.created_by)
        yield jobs.Part(f"print {min(ids)}", do, label=_t("Print file"))


def print_files(papers: QuerySet, *, again: bool = False) -> Iterator[tuple[list[int], bytes]]:
    """Papers still to print, merged: ids and bytes of each file, by whom they are about.

    again: all that did not go by e-mail, those printed before too.
    """
    merged, ids = Merged(), []
    wanted = list(waiting(papers, mailed=again).order_by("subject_id", "pk").values_list("pk", flat=True))
    for i in range(0, len(wanted), SIZE):
        bodies = dict(Document.objects.filter(pk__in=wanted[i : i + SIZE]).values_list("pk", "content"))
        for pk in wanted[i : i + SIZE]:
            merged.add(bytes(bodies[pk]))
            ids.append(pk)
        if len(merged) > FILE_SIZE:
            yield ids, merged.file()
            merged, ids = Merged(), []
    if ids:
        yield ids, merged.file()


def _keep_print(ids: list[int], body: bytes, name: str, stack: Stack, *, by) -> dict:
    kept = files.keep(
        body, name, kind="print", resource=stack.resource, action=stack.action, by=by, limit=2 * FILE_SIZE
    )
    documents.note_sent(ids, Sending.Channel.PRINT, by=by, now=timezone.now())
    return {"printed": len(ids), "file": str(kept.pk)}


def ranges_of(ids: Iterable[int]) -> list[tuple[int, int]]:
    """Ranges that hold at most SIZE of these ids, and cover them all."""
    found = sorted(set(ids))
    return [(found[i], found[min(i + SIZE, len(found)) - 1]) for i in range(0, len(found), SIZE)]
