"""Letters of the yearly work and of a departure: revisions, charge statements, deposits given back.

Each says what its subject tells (leases/yearly, leases/tenancy) and is archived once: its key is the
lease, the month that the run is of, and which of the lease's runs of that month it is.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from core import documents, jobs
from core.documents import Document, Letterhead, NoPaper, letterhead
from core.money import euros
from core.periods import Period, first_of_month
from core.templatetags.gla import number_text
from leases.kinds import KINDS
from leases.papers import stack
from leases.papers.consent import email_of
from leases.papers.letters import (
    CHARGES,
    DEPOSIT,
    REVISION,
    ChargeFigures,
    ChargeLine,
    DepositFigures,
    RevisionFigures,
    charge_data,
    deposit_letter,
    letter_data,
    revision_data,
)
from leases.papers.months import LEASE
from leases.papers.stack import Draft, Stack, ranges_of, there
from leases.papers.whom import day
from leases.tenancy.departure import FinalAccount
from leases.tenancy.steps import settlement_facts
from leases.yearly.charges import ChargeRun, Settlement, StatementFacts, StatementLine, facts_of
from leases.yearly.revision import Revision, RevisionRun
from leases.yearly.revision_letters import LetterFacts, run_letters

BY_EMAIL = (
    "Bonjour,\n\nVous trouverez ci-joint votre {what}.\n\n"
    "Vous recevez ce courrier par e-mail parce que vous l'avez choisi ; vous pouvez revenir au courrier"
    " papier à tout moment, en nous le demandant.\n\n{name}"
)


# ---- revisions -----------------------------------------------------------------------------


def revision_stack(run: RevisionRun) -> Stack:
    """The letters of a revision run (*lettres de révision*). Raises NoPaper for an undoing."""
    if run.undoes:
        raise NoPaper(
            str(run), _t("An undoing has no letters."), _t("Write to the tenants concerned by hand.")
        )
    with override("fr"):
        month = date_format(run.month, "F Y")
    return _of_leases(
        name=f"revision-{run.month:%Y-%m}-{run.pk}",
        title=_t("Letters of the revision of %(month)s") % {"month": date_format(run.month, "F Y")},
        kind=REVISION,
        leases=lambda: run.revisions.values_list("lease", flat=True),
        draw=lambda leases, head: _revisions(run, leases, head),
        papers=lambda: _revision_papers(run),
        what=f"lettre de révision de {month}",
        url=reverse("revision-letters", args=[run.pk]),
    )


def _revisions(run: RevisionRun, leases: tuple[int, int], head: Letterhead) -> list[Draft]:
    with override("fr"):
        told = list(run_letters(run, leases))
    ids = [one.lease_id for one in told]
    runs = Revision.objects.filter(lease__in=ids, run__month=run.month, run__lte=run.pk, undoes=None)
    numbers = dict(runs.order_by().values_list("lease").annotate(count=Count("run", distinct=True)))
    said = letter_data(ids, run.claimed_on, head=head)
    drafts = []
    for one in told:
        data = revision_data(said[one.lease_id], revision_figures(one))
        drafts.append(Draft(REVISION, one.lease_id, run.month, numbers[one.lease_id], one.new, data))
    return _not_made(drafts)


def revision_figures(facts: LetterFacts) -> RevisionFigures:
    """What the letter shows of a revision."""
    reason = ""
    if facts.late:
        reason = (
            f"Cette révision pouvait être demandée au {day(facts.on)}. Demandée le {day(facts.claimed_on)},"
            f" elle ne vaut qu'à compter du {day(facts.effect)}, sans rappel pour la période passée."
        )
    return RevisionFigures(
        old=facts.old,
        new=facts.new,
        start=facts.effect,
        old_index=facts.index_old,
        new_index=facts.index_new,
        old_quarter=_quarter(facts.quarter_old),
        new_quarter=_quarter(facts.quarter_new),
        rate=facts.rate,
        basis=f"votre contrat et à la réglementation ({facts.legal_ref})",
        reason=reason,
        parts=[(one.label, one.old, one.new) for one in facts.items] if len(facts.items) > 1 else (),
        with_charges=KINDS[facts.kind].needs_structure,
    )


def _quarter(text: str) -> str:
    """A quarter as a letter says it: "2025-T2" is the "2e trimestre 2025"."""
    if not text:
        return ""
    year, number = text.split("-T")
    return f"{number}{'er' if number == '1' else 'e'} trimestre {year}"


def _revision_papers(run: RevisionRun) -> QuerySet:
    earlier = Revision.objects.filter(
        lease=OuterRef("subject_id"), run__month=run.month, run__lt=run.pk, undoes=None
    )
    count = earlier.order_by().values("lease").annotate(count=Count("run", distinct=True)).values("count")
    return Document.objects.filter(
        kind=REVISION,
        subject=LEASE,
        month=run.month,
        subject_id__in=run.revisions.values("lease"),
        number=Coalesce(Subquery(count), 0) + 1,
    )


@jobs.job("revision_letters", title=_("Letters of a revision"))
def revision_letters(job, *, run: int, on: str, email: bool, again: bool = False):
    """Make, e-mail and put to print the letters of a revision run."""
    return (yield from _work(job, revision_stack(RevisionRun.objects.get(pk=run)), on, email, again))


# ---- charges -------------------------------------------------------------------------------


def charge_stack(run: ChargeRun) -> Stack:
    """The statements of a charge settlement (*décomptes de charges*). Raises NoPaper where it is open or undone."""
    place = _t("Charges of %(year)d") % {"year": run.year}
    if run.closed_at is None:
        raise NoPaper(
            place, _t("This settlement is still open."), _t("Let it finish, then make its letters.")
        )
    if run.undoes_id or hasattr(run, "undone_by"):
        raise NoPaper(place, _t("This settlement was undone."), _t("Settle the year again."))
    return _of_leases(
        name=f"charges-{run.year}-{run.pk}",
        title=_t("Charge statements of %(year)d") % {"year": run.year},
        kind=CHARGES,
        leases=lambda: run.settlements.values_list("lease", flat=True),
        draw=lambda leases, head: _statements(run, leases, head),
        papers=lambda: _statement_papers(run),
        what=f"décompte de charges de {run.year}",
        url=reverse("charge-letters", args=[run.pk]),
    )


def _statements(run: ChargeRun, leases: tuple[int, int], head: Letterhead) -> list[Draft]:
    settlements = run.settlements.filter(lease__gte=leases[0], lease__lte=leases[1])
    with override("fr"):
        told = list(facts_of(settlements))
    ids = {one.lease_id for one in told}
    before = _settled(run).filter(lease__in=ids, run__lt=run.pk)
    numbers = dict(before.order_by().values_list("lease").annotate(count=Count("pk")))
    said = letter_data(ids, run.on, head=head)
    month, drafts = first_of_month(run.start), []
    for one in told:  # by lease, then account: a lease whose landlord changed has two
        numbers[one.lease_id] = number = numbers.get(one.lease_id, 0) + 1
        data = charge_data(said[one.lease_id], charge_figures(one))
        drafts.append(Draft(CHARGES, one.lease_id, month, number, one.amount, data))
    return _not_made(drafts)


def charge_figures(facts: StatementFacts) -> ChargeFigures:
    """What the letter shows of a charge statement."""
    labels = [one.label for one in facts.lines]
    return ChargeFigures(
        start=facts.start,
        end=facts.end,
        days=facts.days,
        lines=[
            ChargeLine(
                one.label if labels.count(one.label) == 1 else f"{one.label} ({one.place})",
                one.total,
                _shared(one),
                one.share,
            )
            for one in facts.lines
        ],
        provisions=facts.provisions,
        result=facts.amount,
        due=facts.due,
        open_until=facts.inspection_until,
        instalments=facts.instalments if len(facts.instalments) > 1 else (),
        before=facts.before,
    )


def _shared(line: StatementLine) -> str:
    """How a nature was shared: the home's value of the whole, and its days where fewer."""
    said = f"{line.key} : {_short(line.value)} / {_short(line.whole)}"
    return said if line.days == line.of_days else f"{said}, {line.days} jours sur {line.of_days}"


def _short(value: Decimal) -> str:
    with override("fr"):
        return number_text(value, 0 if value == value.to_integral_value() else 2)


def _settled(run: ChargeRun) -> QuerySet:
    """Settlements of the run's year that said something to a tenant, undoings left out."""
    return Settlement.objects.filter(year=run.year, run__start=run.start, run__undoes=None)


def _statement_papers(run: ChargeRun) -> QuerySet:
    def count(**upto):
        found = _settled(run).filter(lease=OuterRef("subject_id"), **upto).order_by().values("lease")
        return Coalesce(Subquery(found.annotate(count=Count("pk")).values("count")), 0)

    return Document.objects.filter(
        kind=CHARGES,
        subject=LEASE,
        month=first_of_month(run.start),
        subject_id__in=run.settlements.values("lease"),
        number__gt=count(run__lt=run.pk),
        number__lte=count(run__lte=run.pk),
    )


@jobs.job("charge_letters", title=_("Charge statements"))
def charge_letters(job, *, run: int, on: str, email: bool, again: bool = False):
    """Make, e-mail and put to print the statements of a charge settlement."""
    return (yield from _work(job, charge_stack(ChargeRun.objects.get(pk=run)), on, email, again))


# ---- what both share -----------------------------------------------------------------------


def begin(kind: str, run, *, on: date, by, email: bool = True, again: bool = False, wait=False) -> jobs.Job:
    """Start the letters of a run ("revision_letters" or "charge_letters"), or give back the work under way.

    on: the day that choices of e-mail count. again: only its print file. Raises NoPaper.
    """
    {"revision_letters": revision_stack, "charge_letters": charge_stack}[kind](run)
    return jobs.start(
        kind, by=by, once=f"{run.pk}", wait=wait,
        run=run.pk, on=on.isoformat(), email=email, again=again,
    )  # fmt: skip


def _of_leases(*, kind: str, leases: Callable, what: str, **known) -> Stack:
    def mail() -> tuple[str, str]:
        return f"Votre {what}", BY_EMAIL.format(what=what, name=letterhead().name)

    return Stack(
        subject=LEASE,
        kinds=(kind,),
        groups=lambda: ranges_of(leases()),
        addresses=email_of,
        mail=mail,
        **known,
    )


def _not_made(drafts: list[Draft]) -> list[Draft]:
    made = there(LEASE, drafts)
    return [one for one in drafts if one.key not in made]


def _work(job, letters: Stack, on: str, email: bool, again: bool):
    if again:
        return (yield from stack.make_print_file(job, letters))
    return (yield from stack.make(job, letters, on=date.fromisoformat(on), email=email))


# ---- a deposit given back ------------------------------------------------------------------


def final_draft(final: FinalAccount) -> Draft:
    """The letter of a final account (*décompte de restitution du dépôt de garantie*); writes nothing."""
    with override("fr"):
        facts = settlement_facts(final)
    before, *lines = facts.lines
    kept = [(f"Retenu jusqu'à l'arrêté des charges de l'immeuble ({facts.kept_ref})", "", facts.kept)]
    means = ""
    if facts.to_transfer > euros(0):
        means = "virement, dès que vous nous aurez donné votre RIB"
        if facts.iban_end:
            means = f"virement sur votre compte se terminant par {facts.iban_end}"
    figures = DepositFigures(
        deposit=facts.deposit,
        keys_on=facts.keys_on,
        deadline=facts.deadline,
        deductions=[
            *([("Solde de votre compte", "", before.amount)] if before.amount else []),
            *((one.label, one.proof, one.amount) for one in lines if one.share is not None),
            *(kept if facts.kept else []),
        ],
        penalty=final.late,
        means=means,
    )
    lease = final.lease
    data = deposit_letter(lease, figures, on=final.on)
    if facts.new_address:
        data["to"] = [data["names"], *facts.new_address.splitlines()]
    if final.stage == FinalAccount.Stage.CHARGES:
        data["title"] = "Solde du dépôt de garantie, après l'arrêté des charges"
    return Draft(DEPOSIT, *_final_key(final), figures.result, data)


def final_letter(final: FinalAccount, *, by, now: datetime) -> Document:
    """Make and archive the letter of a final account, or give back the one made already.

    Raises NoPaper for one undone, DoesNotCompile.
    """
    if final.undone_on:
        raise NoPaper(final.lease, _t("This final account was undone."), _t("Make it again first."))
    draft = final_draft(final)
    try:
        with transaction.atomic():
            return letter_of(final) or documents.archive(
                draft.kind, draft.data, subject=LEASE, subject_id=draft.subject_id, by=by, now=now,
                month=draft.month, number=draft.number, amount=draft.amount,
            )  # fmt: skip
    except IntegrityError:
        # Somebody made it between the look and the write: theirs is ours.
        return letter_of(final)


def letter_of(final: FinalAccount) -> Document | None:
    """The letter of a final account, where it is made."""
    lease, month, number = _final_key(final)
    return Document.objects.filter(
        subject=LEASE, subject_id=lease, kind=DEPOSIT, month=month, number=number
    ).first()


def _final_key(final: FinalAccount) -> tuple[int, date, int]:
    """Lease, month, and which of its final accounts of that month."""
    whole = Period.month(final.on)
    earlier = FinalAccount.objects.filter(
        lease=final.lease_id, pk__lt=final.pk, on__gte=whole.start, on__lt=whole.end
    )
    return final.lease_id, whole.start, earlier.count() + 1
