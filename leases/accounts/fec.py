"""The accounting file of a year (*FEC*): made part by part, checked, kept, declared final.

One for each book: the association's is its own accounts; a mandant's book is that owner's money,
kept apart, and never part of them. No person is named: an auxiliary account is a lease or an owner
by its reference, a piece is an entry by its number.
"""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from stdnum.fr import siren as siren_number

from core import audit, jobs
from core.errors import Refusal
from core.money import EuroField, from_cents, to_cents
from core.periods import ONE_DAY, Period
from leases import ledger
from leases.accounts.closing import OF_THE_YEAR, earlier_line, trial_balance
from leases.formats import fec
from leases.ledger import ACCOUNT_KINDS, BANK, TENANT, Book, Entry, Posting, Source
from leases.operations import OPERATIONS, Operation
from portfolio.owners import Owner

JOURNALS = {
    Source.CALL: ("LOY", "Quittancement"),
    Source.ALLOCATION: ("BQ", "Banque"),
    Source.OPENING: ("REP", "Reprise des soldes"),
    Source.OPERATION: ("OD", "Opérations diverses"),
    Source.RECEIPT: ("CAI", "Encaissements au guichet"),
}
"""Source of a posting → code and label of its journal; French, as the file is."""
OPENING_LABEL = "À nouveaux"
PART = 20_000
"""Postings of a part: some megabytes while it is made, some hundred kilobytes kept."""
SHOWN_FAULTS = 50


class FecFile(models.Model):
    """A year of one book, written as the law wants it (*fichier des écritures comptables*).

    start, last_day: of the year, both included. last_posting: the newest posting when it was asked for.
    lines, entries, debit, credit, sha256, size: once made. faults: what its check found.
    declared_at: when it was declared final; from then on neither it nor its period changes.
    """

    book = models.ForeignKey(Book, models.PROTECT, related_name="+", verbose_name=_("book"))
    start = models.DateField(_("from"))
    last_day = models.DateField(_("to"))
    name = models.CharField(_("file"), max_length=60)
    separator = models.CharField(max_length=1, default=fec.TAB)
    last_posting = models.BigIntegerField()
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    finished_at = models.DateTimeField(_("finished"), null=True)
    lines = models.PositiveIntegerField(_("lines"), null=True)
    entries = models.PositiveIntegerField(_("entries"), null=True)
    debit = EuroField(_("debit"), null=True)
    credit = EuroField(_("credit"), null=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    size = models.PositiveBigIntegerField(_("size"), null=True)
    faults = models.JSONField(default=list)
    fault_count = models.PositiveIntegerField(_("faults"), null=True)
    declared_at = models.DateTimeField(_("declared final"), null=True)
    declared_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("accounting file (FEC)"), _("accounting files (FEC)")
        constraints = [
            models.CheckConstraint(name="fec_ends_after_it_starts", condition=Q(last_day__gte=F("start"))),
            models.UniqueConstraint(
                fields=["book", "last_day"],
                name="fec_final_once",
                condition=Q(declared_at__isnull=False),
                violation_error_message=_("Another file of this year was declared final."),
            ),
        ]

    def __str__(self):
        return self.name

    @property
    def days(self) -> Period:
        return Period.from_to(self.start, self.last_day)

    def content(self) -> Iterator[bytes]:
        """The file, piece by piece."""
        yield fec.header(self.separator)
        for body in self.parts.order_by("number").values_list("body", flat=True).iterator(chunk_size=1):
            yield gzip.decompress(bytes(body))


class FecPart(models.Model):
    """A part of an accounting file: compressed, with the last entry number in it."""

    fec = models.ForeignKey(FecFile, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    last_entry = models.PositiveIntegerField()
    lines = models.PositiveIntegerField()
    body = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fec", "number"], name="fec_part_once")]

    def __str__(self):
        return f"{self.fec_id} {self.number}"


class CannotExport(Refusal):
    """A year that cannot be written as an accounting file."""


class CannotDeclare(Refusal):
    """An accounting file that cannot be declared final."""


@dataclass(slots=True)
class _Account:
    """An account as the file names it."""

    number: str
    label: str
    auxiliary: str = ""
    auxiliary_label: str = ""


# ---- the verbs --------------------------------------------------------------------------------


def begin_fec(
    last_day: date,
    *,
    book: Book | None = None,
    start: date | None = None,
    separator: str = fec.TAB,
    by,
    now: datetime,
    wait=False,
    echo=None,
) -> tuple[FecFile, jobs.Job]:
    """Begin the accounting file of the year that ends that day, as long work.

    book: the association's by default. start: first day, a year before by default.
    Drafts of the same year are dropped: this one takes their place.
    Raises CannotExport: no SIREN number, an entry never sealed, a final file of the same year.
    """
    book = book or Book.objects.get(pk=ledger.association_book_id())
    start = start or _year_before(last_day)
    if start > last_day:
        raise CannotExport(f"{start:%d/%m/%Y}", _("The year ends before it begins."), _("Correct its days."))
    once = f"fec {book.pk} {last_day}"
    under_way = jobs.Job.objects.filter(kind="fec", once=once, finished_at=None).first()
    if under_way:
        made = FecFile.objects.get(pk=under_way.parameters["fec_id"])
        return made, jobs.start("fec", by=by, wait=wait, once=once, echo=echo, fec_id=made.pk)
    with transaction.atomic():
        siblings = FecFile.objects.select_for_update().filter(book=book, last_day=last_day)
        if siblings.exclude(declared_at=None).exists():
            raise CannotExport(
                f"{last_day:%d/%m/%Y}",
                _("The file of this year was declared final."),
                _("Download it again from the list."),
            )
        if Entry.objects.filter(lines=None).exists():
            raise CannotExport(
                f"{last_day:%d/%m/%Y}",
                _("An entry was begun and never sealed."),
                _("Show what check_ledger says to the administrator."),
            )
        name = fec.file_name(siren_of(book), last_day)
        siblings.delete()
        made = FecFile.objects.create(
            book=book,
            start=start,
            last_day=last_day,
            name=name,
            separator=separator,
            last_posting=Posting.objects.aggregate(last=Max("pk"))["last"] or 0,
            made_at=now,
            made_by=by,
        )
        audit.record(by, "export", "closing", made.pk, book=book.pk, start=start, last_day=last_day)
    return made, jobs.start("fec", by=by, wait=wait, once=once, echo=echo, fec_id=made.pk)


def declare_final(made: FecFile, *, by, now: datetime) -> FecFile:
    """Declare an accounting file final: its period can no longer be opened again.

    Raises CannotDeclare: not made yet, faults, a period still open, postings since it was made.
    """
    with transaction.atomic():
        kept = FecFile.objects.select_for_update().select_related("book").get(pk=made.pk)
        closed = ledger.closed_up_to(kept.book_id)
        if kept.declared_at is not None:
            raise CannotDeclare(
                kept.name, _("It is declared final already."), _("There is nothing left to do.")
            )
        if kept.finished_at is None or kept.fault_count:
            raise CannotDeclare(
                kept.name,
                _("It is not made yet, or its check found faults."),
                _("Correct what it names, then make it again."),
            )
        if closed is None or closed < kept.last_day:
            raise CannotDeclare(
                kept.name,
                _("The accounts are not closed up to %(day)s.") % {"day": f"{kept.last_day:%d/%m/%Y}"},
                _("Close the period first, then make the file again."),
            )
        opening = 1 if kept.parts.get(number=0).lines else 0
        # Postings are never changed nor removed: as many as were written are those that were written.
        if _of_year(kept).count() != (kept.entries or 0) - opening:
            raise CannotDeclare(
                kept.name, _("Something was posted since it was made."), _("Make the file again.")
            )
        kept.declared_at, kept.declared_by = now, by
        kept.save(update_fields=["declared_at", "declared_by"])
        audit.record(by, "declare", "closing", kept.pk, sha256=kept.sha256)
    return kept


def siren_of(book: Book) -> str:
    """The SIREN number that names the file of a book. Raises CannotExport."""
    owners = (
        Owner.objects.filter(pk=book.owner_id) if book.owner_id else Owner.objects.filter(kind=Owner.Kind.OWN)
    )
    found = next((one.siren for one in owners.order_by("pk") if siren_number.is_valid(one.siren)), "")
    if not found:
        raise CannotExport(
            str(book),
            _("Its SIREN number is not known, and the file is named after it."),
            _("Give the SIREN number of this owner in the portfolio file, then import it."),
        )
    return str(siren_number.compact(found))


# ---- the work ---------------------------------------------------------------------------------


@jobs.job("fec", title=_("Accounting file (FEC)"))
def make_fec(asked: jobs.Job, *, fec_id: int):
    """Write an accounting file part by part, then check it whole. Reading holds no lock."""
    made = FecFile.objects.select_related("book").get(pk=fec_id)
    groups = list(_groups(made))
    asked.expect(len(groups) + 2)
    there = {one.number: one.last_entry for one in made.parts.only("number", "last_entry")}
    for number, entries in enumerate([None, *groups]):
        if number not in there:
            last = there.get(number - 1, 0)
            # Written in French, whoever asked for it.
            with override("fr"):
                body, lines, last = _opening(made) if entries is None else _body(made, entries, last)
            store = partial(_store, made, number, body, lines, last)
            yield jobs.Part(f"part {number}", store, label=_t("Part %(number)d") % {"number": number + 1})
            there[number] = last
    if made.finished_at is None:
        jobs.tell(asked, _t("Checking the file"))
        report, digest, size = check_made(made)
        yield jobs.Part("check", partial(_finish, made, report, digest, size), label=_t("Checked"))
    made.refresh_from_db()
    return {
        "fec": made.pk,
        "url": reverse("fec-file", args=[made.pk]),
        "summary": [
            [_t("File"), made.name],
            [_t("Lines"), made.lines],
            [_t("Entries"), made.entries],
            [_t("Faults"), made.fault_count],
        ],
    }


def check_made(made: FecFile) -> tuple[fec.Report, str, int]:
    """Check a file that is made, as the administration would, and against the trial balance."""
    digest, size = hashlib.sha256(), 0

    def seen() -> Iterator[bytes]:
        nonlocal size
        for chunk in made.content():
            digest.update(chunk)
            size += len(chunk)
            yield chunk

    report = fec.check(fec.lines_of(seen()), name=made.name, start=made.start, end=made.last_day)
    compare(report, made)
    return report, digest.hexdigest(), size


def compare(report: fec.Report, made: FecFile) -> None:
    """Hold a checked file against the trial balance of its book and year."""
    banks = [number for number in (*report.moved, *report.opening) if _is_bank(number)]
    told = ACCOUNT_KINDS[BANK].number
    for number in set(banks):
        debit, credit = report.moved.pop(number, (0, 0))
        there = report.moved.get(told, (0, 0))
        report.moved[told] = (there[0] + debit, there[1] + credit)
        report.opening[told] = report.opening.get(told, 0) + report.opening.pop(number, 0)
    fec.compare(
        report,
        {
            line.number: (to_cents(line.opening), to_cents(line.debit), to_cents(line.credit))
            for line in _at_opening(made)
        },
    )


def in_words(fault: fec.Fault | dict) -> dict[str, object]:
    """A fault in the reader's language: line, column, reason, remedy."""
    if isinstance(fault, fec.Fault):
        fault = {name: getattr(fault, name) for name in ("line", "column", "reason", "remedy", "values")}
    values = dict(fault["values"])
    return {
        "line": fault["line"],
        "column": fault["column"],
        "reason": _t(fault["reason"]) % values,
        "remedy": _t(fault["remedy"]) % values,
    }


def _at_opening(made: FecFile):
    """The trial balance of the file's year, the result of earlier years counted from its first day."""
    return trial_balance(made.days, book_id=made.book_id, year=made.start)


def _store(made: FecFile, number: int, body: bytes, lines: int, last: int) -> dict:
    FecPart.objects.create(fec=made, number=number, body=body, lines=lines, last_entry=last)
    return {"lines": lines}


def _finish(made: FecFile, report: fec.Report, digest: str, size: int) -> dict:
    made.finished_at = timezone.now()
    made.lines, made.entries = report.lines, report.entries
    made.debit, made.credit = from_cents(report.debit), from_cents(report.credit)
    made.sha256, made.size, made.fault_count = digest, size, report.count
    made.faults = [
        {
            "line": one.line,
            "column": one.column,
            "reason": one.reason,
            "remedy": one.remedy,
            "values": dict(one.values),
        }
        for one in report.faults[:SHOWN_FAULTS]
    ]
    made.save()
    return {"faults": report.count}


def _of_year(made: FecFile) -> QuerySet:
    return Posting.objects.filter(debit__book=made.book_id, on__gte=made.start, on__lte=made.last_day)


def _postings(made: FecFile) -> QuerySet:
    """Those of its year that were there when the file was asked for."""
    return _of_year(made).filter(pk__lte=made.last_posting)


def _groups(made: FecFile) -> Iterator[list[int]]:
    """The entries of the year in the order of their recording, parted so that a part stays small."""
    rows = (
        _postings(made)
        .values_list("entry", "entry__recorded_at")
        .annotate(count=Count("pk"))
        .order_by("entry__recorded_at", "entry")
    )
    group: list[int] = []
    size = 0
    for entry, _recorded, count in rows.iterator(chunk_size=2_000):
        if group and (size + count > PART or len(group) >= 2_000):
            yield group
            group, size = [], 0
        group.append(entry)
        size += count
    if group:
        yield group


def _body(made: FecFile, entries: list[int], last: int) -> tuple[bytes, int, int]:
    """The lines of some entries, compressed: two for each posting, which is an entry of the file."""
    sides = [
        f"{side}__{path}"
        for side in ("debit", "credit")
        for path in ("kind", "bank", "lease__reference", "owner__reference")
    ]
    rows = (
        _postings(made)
        .filter(entry__in=entries)
        .order_by("entry__recorded_at", "entry", "pk")
        .values_list("on", "amount", "source", "source_id", "entry", "entry__recorded_at", *sides)
    )
    operations = dict(Operation.objects.filter(entry__in=entries).values_list("pk", "kind"))
    names: dict[tuple, _Account] = {}
    text: list[str] = []
    for on, amount, source, source_id, entry, recorded, *ends in rows.iterator(chunk_size=2_000):
        last += 1
        debit = names.get(tuple(ends[:4])) or names.setdefault(tuple(ends[:4]), _account(*ends[:4]))
        credit = names.get(tuple(ends[4:])) or names.setdefault(tuple(ends[4:]), _account(*ends[4:]))
        journal, journal_label = JOURNALS.get(source, JOURNALS[Source.OPERATION])
        label = _label(source, operations.get(source_id), on, debit, credit)
        valid_on = timezone.localtime(recorded).date()
        cents = to_cents(amount)
        for account, debited, credited in ((debit, cents, 0), (credit, 0, cents)):
            text.append(
                fec.written(
                    fec.Line(
                        journal=journal,
                        journal_label=journal_label,
                        number=last,
                        on=on,
                        account=account.number,
                        account_label=account.label,
                        auxiliary=account.auxiliary,
                        auxiliary_label=account.auxiliary_label,
                        piece=f"E{entry}",
                        piece_on=on,
                        label=label,
                        debit=debited,
                        credit=credited,
                        valid_on=valid_on,
                    ),
                    made.separator,
                )
            )
    return _packed(text), len(text), last


def _opening(made: FecFile) -> tuple[bytes, int, int]:
    """The balances taken forward, as the first entry of the file (A47 A-1, VII, 2°): one of each account."""
    paths = ("kind", "bank", "lease__reference", "owner__reference")
    sums: dict[tuple, int] = {}
    before = Posting.objects.filter(debit__book=made.book_id, on__lt=made.start, pk__lte=made.last_posting)
    for side, sign in (("debit", 1), ("credit", -1)):
        rows = before.values_list(*(f"{side}__{path}" for path in paths)).annotate(total=Sum("amount"))
        for *key, total in rows.order_by().iterator(chunk_size=2_000):
            sums[tuple(key)] = sums.get(tuple(key), 0) + sign * to_cents(total)
    earlier = sum(cents for key, cents in sums.items() if key[0] in OF_THE_YEAR)
    accounts = [(_account(*key), cents) for key, cents in sums.items() if cents and key[0] not in OF_THE_YEAR]
    if earlier:
        line = earlier_line(earlier)
        accounts.append((_Account(line.number, str(line.label)), earlier))
    first = _postings(made).aggregate(first=Min("entry__recorded_at"))["first"]
    valid_on = min(made.start, timezone.localtime(first).date()) if first else made.start
    text = [
        fec.written(
            fec.Line(
                journal=fec.OPENING_JOURNAL,
                journal_label=OPENING_LABEL,
                number=1,
                on=made.start,
                account=account.number,
                account_label=account.label,
                auxiliary=account.auxiliary,
                auxiliary_label=account.auxiliary_label,
                piece=f"AN{made.start:%Y}",
                piece_on=made.start,
                label=f"À nouveau {account.auxiliary}".strip(),
                debit=max(cents, 0),
                credit=max(-cents, 0),
                valid_on=valid_on,
            ),
            made.separator,
        )
        for account, cents in sorted(accounts, key=lambda one: (one[0].number, one[0].auxiliary))
    ]
    return _packed(text), len(text), 1 if text else 0


def _packed(text: list[str]) -> bytes:
    return gzip.compress("".join(text).encode(fec.ENCODING, "replace"), 6, mtime=0)


def _account(kind: int, bank: int | None, lease: str | None, owner: str | None) -> _Account:
    """Its number, label and auxiliary in the file: a lease or an owner by reference, a bank by number."""
    told = ACCOUNT_KINDS[kind]
    if lease:
        return _Account(told.number, str(told.label), lease, f"Bail {lease}")
    if owner:
        return _Account(told.number, str(told.label), owner, f"Propriétaire {owner}")
    if bank:
        return _Account(f"{told.number}{bank:03d}", f"{told.label} {bank}")
    return _Account(told.number, str(told.label))


def _is_bank(number: str) -> bool:
    return number.startswith(ACCOUNT_KINDS[BANK].number) and len(number) >= 6


def _label(source: int, operation: int | None, on: date, debit: _Account, credit: _Account) -> str:
    """What an entry is, without naming anybody."""
    whose = debit.auxiliary or credit.auxiliary
    if source == Source.CALL:
        item = next(one for one in (credit, debit) if one.number != ACCOUNT_KINDS[TENANT].number)
        words = f"{item.label} {on:%m/%Y}"
    elif operation is not None:
        words = str(OPERATIONS[operation].label)
    else:
        words = JOURNALS.get(source, JOURNALS[Source.OPERATION])[1]
    return f"{words} {whose}".strip()


def _year_before(last_day: date) -> date:
    """The first day of the year that ends that day."""
    following = last_day + ONE_DAY
    return following.replace(year=following.year - 1)
