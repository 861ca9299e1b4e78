"""The papers of a month for the whole stock, as long work (see leases/papers/stack.py); one paper of a lease.

Asked again, a month makes only what says something new: another amount gets the next number.
"""

from collections.abc import Iterator
from datetime import date, datetime

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from core import audit, documents, jobs
from core.documents import Document, NoPaper, Sending, letterhead
from core.periods import Period
from leases.lease import Lease
from leases.papers import stack
from leases.papers.consent import email_of
from leases.papers.contracts import CONTRACT, contract_letter
from leases.papers.letters import STATEMENT, account_letter
from leases.papers.months import LEASE, NOTICE, PART, RECEIPT, ToMake, ranges, to_make
from leases.papers.stack import SIZE, Draft, Stack
from leases.tenant_account import balance

KINDS = {NOTICE: (NOTICE,), RECEIPT: (RECEIPT, PART)}
"""What a month's work makes: notices, or receipts with part receipts."""
MAIL = {
    NOTICE: (
        "Votre avis d'échéance de {month}",
        "Bonjour,\n\nVous trouverez ci-joint votre avis d'échéance de {month}.\n\n"
        "Vous recevez ce courrier par e-mail parce que vous l'avez choisi ; vous pouvez revenir au courrier"
        " papier à tout moment, en nous le demandant.\n\n{name}",
    ),
    RECEIPT: (
        "Votre reçu de {month}",
        "Bonjour,\n\nVous trouverez ci-joint votre quittance ou votre reçu de {month}.\n\n"
        "Vous recevez ce courrier par e-mail parce que vous l'avez choisi ; vous pouvez revenir au courrier"
        " papier à tout moment, en nous le demandant.\n\n{name}",
    ),
}


def begin(
    kind: str, month: date, *, on: date, by, email: bool = True, wait: bool = False, echo=None
) -> jobs.Job:
    """Start the papers of a month, or give back the work under way.

    on: the day up to which payments count, told once so that it does not change when taken up.
    """
    text = f"{month:%Y-%m}"
    return jobs.start(
        "papers", by=by, once=f"{kind} {text}", wait=wait, echo=echo,
        paper=kind, month=text, on=on.isoformat(), email=email,
    )  # fmt: skip


@jobs.job("papers", title=_("Papers of a month"), page="papers")
def papers(job, *, paper: str, month: str, on: str, email: bool) -> Iterator[jobs.Part]:
    """Make, e-mail and put to print the papers of a month."""
    day = date.fromisoformat(on)
    of_month = stack_of(paper, Period.parse_month(month).start, day)
    return (yield from stack.make(job, of_month, on=day, email=email))


@jobs.job("print_papers", title=_("Print file"), page="papers")
def print_papers(job, *, paper: str, month: str) -> Iterator[jobs.Part]:
    """Make the print file of a month again: all its papers that did not go by e-mail."""
    first = Period.parse_month(month).start
    return (yield from stack.make_print_file(job, stack_of(paper, first, first)))


def stack_of(kind: str, month: date, on: date) -> Stack:
    """The papers of a month as a stack. on: the day up to which payments count."""

    def draw(leases, head) -> list[Draft]:
        return [
            Draft(one.kind, one.lease_id, month, one.number, one.amount, one.data)
            for one in to_make(kind, month, on, head=head, leases=leases)
        ]

    def mail() -> tuple[str, str]:
        with override("fr"):
            of = {"month": date_format(month, "F Y"), "name": letterhead().name}
        subject, text = (words.format(**of) for words in MAIL[kind])
        return subject, text

    return Stack(
        name=f"{kind}-{month:%Y-%m}",
        title=_("Papers of a month"),
        subject=LEASE,
        kinds=KINDS[kind],
        groups=lambda: ranges(kind, month, SIZE),
        draw=draw,
        papers=lambda: papers_of(kind, month),
        addresses=email_of,
        mail=mail,
        url=f"{reverse('papers')}?kind={kind}&month={month:%Y-%m}",
    )


def papers_of(kind: str, month: date):
    """The papers of a month made so far."""
    return Document.objects.filter(kind__in=KINDS[kind], month=month, subject=LEASE)


def waiting(kind: str, month: date):
    """Papers of a month that have not gone out yet."""
    return stack.waiting(papers_of(kind, month))


def print_files(kind: str, month: date) -> Iterator[tuple[list[int], bytes]]:
    """The papers of a month still to print, merged: ids and bytes of each file, by lease."""
    return stack.print_files(papers_of(kind, month))


# ---- one paper -----------------------------------------------------------------------------

OF_A_LEASE = (RECEIPT, NOTICE, STATEMENT, CONTRACT)
"""What may be made for one lease on its page; other letters come from what they tell of."""


def draw_up(kind: str, lease: Lease, *, month: date | None, on: date, again: bool = False) -> ToMake:
    """What one paper of a lease would say; writes nothing. month: for a notice or a receipt.

    Raises NoPaper where nothing was called or paid, or where it was made already.
    """
    if kind == STATEMENT:
        return ToMake(kind, lease.pk, 1, balance(lease, on), account_letter(lease, on=on))
    if kind == CONTRACT:
        return ToMake(kind, lease.pk, 1, None, contract_letter(lease, on=on))
    of_lease = (lease.pk, lease.pk)
    found = to_make(kind, month, on, head=letterhead(), leases=of_lease, again=again)
    if found:
        return found[0]
    if to_make(kind, month, on, head=letterhead(), leases=of_lease, again=True):
        raise NoPaper(
            lease,
            _t("This paper was already made, with the same amounts."),
            _t("Open it in the list of documents."),
        )
    if kind == NOTICE:
        raise NoPaper(lease, _t("Nothing was called for this month."), _t("Run the rent of the month first."))
    raise NoPaper(
        lease, _t("Nothing of this month is paid."), _t("Choose another month, or make an account statement.")
    )


def make_one(kind: str, lease: Lease, *, month: date | None, on: date, by, now: datetime) -> Document:
    """Make one paper of a lease and archive it. Raises NoPaper, DoesNotCompile."""
    one = draw_up(kind, lease, month=month, on=on)
    known = {"number": one.number} if kind in KINDS else {}
    return documents.archive(
        one.kind, one.data, subject=LEASE, subject_id=lease.pk, by=by, now=now,
        amount=one.amount, month=month if kind in KINDS else None, **known,
    )  # fmt: skip


def send_one(document: Document, lease: Lease, *, on: date, by, now: datetime) -> Sending:
    """E-mail one paper to the tenant who chose so. Raises NoPaper where nobody did, or it does not go."""
    address = email_of([lease.pk], on).get(lease.pk)
    if not address:
        raise NoPaper(
            lease,
            _t("The tenant has not agreed to e-mail."),
            _t("Record the agreement first, or send it by post."),
        )
    with override("fr"):
        name = letterhead().name
    notes = documents.send_by_email(
        [(document, address)], subject=document.title, by=by, now=now,
        text=f"Bonjour,\n\nVous trouverez ci-joint : {document.title}.\n\n{name}",
    )  # fmt: skip
    documents.keep_sendings(notes)
    if notes[0].failure:
        raise NoPaper(
            document,
            _t("The mail server refused it: %(why)s") % {"why": notes[0].failure},
            _t("Send it by post."),
        )
    audit.record(by, "send", "document", document.pk)
    return notes[0]
