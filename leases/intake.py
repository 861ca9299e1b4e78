"""Files taken in from the pages as long work (*imports*): the same functions as the commands call.

Each is one part of a job, so one transaction: killed half-way it leaves nothing, and taken up again
it begins anew; a file already in changes nothing. What it returns is told on the file's page.
"""

from datetime import date

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core.errors import Refusal
from core.files import KeptFile, file_job
from core.imports import Echo, Imported, told
from core.jobs import LISTED, Job, fault_rows, tell
from core.money import to_cents
from core.today import today
from leases.accounts.owner_terms import import_terms
from leases.bank import import_statement
from leases.checkpoint import keep_soon
from leases.collecting import mandate_file, returns
from leases.formats.statement import BadFile
from leases.imports import import_leases, import_stock
from leases.opening import OpeningReport, import_balances
from leases.remittances import import_payment_list
from leases.yearly.expense_files import import_expenses, import_shares

SHOWN_DIFFERENCES = 200


@file_job("import_portfolio", title=_("Import of the portfolio"), page="import-portfolio")
def portfolio_file(asked: Job, kept: KeptFile) -> dict:
    now = timezone.now()
    return outcome(import_stock(kept.content, by=asked.created_by, now=now, echo=echo(asked)))


@file_job("import_leases", title=_("Import of leases"), page="import-leases")
def lease_file(asked: Job, kept: KeptFile) -> dict:
    now = timezone.now()
    return outcome(import_leases(kept.content, by=asked.created_by, now=now, echo=echo(asked)))


@file_job("import_balances", title=_("Take-over of opening balances"), page="import-balances")
def balance_file(asked: Job, kept: KeptFile, *, on: str) -> dict:
    done = import_balances(
        kept.content,
        on=date.fromisoformat(on),
        by=asked.created_by,
        now=timezone.now(),
        echo=echo(asked),
    )
    return outcome(done) | {"report": reported(done.report)}


@file_job("import_expenses", title=_("Import of expenses"), page="import-expenses")
def expense_file(asked: Job, kept: KeptFile) -> dict:
    now = timezone.now()
    return outcome(import_expenses(kept.content, by=asked.created_by, now=now, echo=echo(asked)))


@file_job("import_keys", title=_("Import of values of keys"), page="import-keys")
def share_file(asked: Job, kept: KeptFile) -> dict:
    now = timezone.now()
    return outcome(import_shares(kept.content, by=asked.created_by, now=now, echo=echo(asked)))


@file_job("import_statement", title=_("Import of a bank statement"), page="import-statement")
def statement_file(asked: Job, kept: KeptFile) -> dict:
    try:
        now = timezone.now()
        done = import_statement(kept.content, kept.name, by=asked.created_by, now=now)
        learnt = returns.learn_from(done, by=asked.created_by, now=now)
    except BadFile as fault:
        raise in_words(fault) from fault
    keep_soon(asked.created_by)
    return {
        "changed": done.changed,
        "movements": done.movements,
        "matched": done.matched + learnt.split,
        "suspense": done.suspense - learnt.split,
        "debits": {"collected": learnt.collected, "returned": learnt.returned, "split": learnt.split},
        "parts": [
            {
                "bank": part.bank.name,
                "start": part.start,
                "end": part.end,
                "statement": part.statement and part.statement.pk,
                "movements": part.movements,
                "known": part.known,
                "zero": part.zero,
                "by_rule": part.by_rule or {},
            }
            for part in done.parts
        ],
        "summary": [
            [_t("New movements"), done.movements],
            [_t("Placed by the rules"), done.matched + learnt.split],
            [_t("To identify"), done.suspense - learnt.split],
            [_t("Direct debits collected"), learnt.collected],
            [_t("Direct debits sent back"), learnt.returned],
            [_t("Known already"), done.known],
        ],
    }


@file_job("import_payment_list", title=_("Import of a payment list"), page="import-payment-list")
def list_file(asked: Job, kept: KeptFile) -> dict:
    try:
        done = import_payment_list(kept.content, by=asked.created_by, now=timezone.now())
    except BadFile as fault:
        raise in_words(fault) from fault
    return {
        "movement": done.movement.pk,
        "already": done.already,
        "total": to_cents(done.total),
        "settled": done.settled,
        "odd": done.odd,
        "odd_total": to_cents(done.odd_total),
        "summary": [[_t("Lines settled"), done.settled], [_t("Lines to identify"), done.odd]],
    }


@file_job("import_debit_report", title=_("Reading of a bank report on debits"), page="import-debit-report")
def debit_report_file(asked: Job, kept: KeptFile) -> dict:
    now = timezone.now()
    try:
        done = returns.import_debit_report(kept.content, kept.name, by=asked.created_by, now=now)
    except BadFile as fault:
        raise in_words(fault) from fault
    return {
        "debits": [debit.pk for debit in done.returned],
        "known": done.known,
        "unknown": list(done.unknown),
        "summary": [
            [_t("Direct debits sent back"), len(done.returned)],
            [_t("Known already"), done.known],
            [_t("Not made here"), len(done.unknown)],
        ],
    }


@file_job("import_owner_terms", title=_("Import of owners' terms"), page="import-owner-terms")
def owner_terms_file(asked: Job, kept: KeptFile) -> dict:
    now = timezone.now()
    return outcome(import_terms(kept.content, by=asked.created_by, now=now, echo=echo(asked)))


@file_job("import_mandates", title=_("Import of mandates"), page="import-mandates")
def mandates_file(asked: Job, kept: KeptFile) -> dict:
    on = today()
    return outcome(mandate_file.import_mandates(kept.content, on=on, by=asked.created_by, echo=echo(asked)))


def in_words(fault: BadFile) -> Refusal:
    """A broken file's fault in the reader's language; the formats themselves know none."""
    place = _t("Line %(line)s") % {"line": fault.line} if fault.line else _t("The file")
    return Refusal(place, _t(fault.reason_id) % fault.values, _t(fault.remedy_id) % fault.values)


def echo(asked: Job) -> Echo:
    """An import's progress, shown on the page of its job."""

    def said(done: int, total: int, label: str) -> None:
        figures = number_format(done, force_grouping=True)
        if total:
            figures += f" / {number_format(total, force_grouping=True)}"
        tell(asked, f"{label}: {figures}")

    return said


def outcome(done: Imported) -> dict:
    """What an import did, as its page tells it."""
    return {
        "told": told(done),
        "errors": fault_rows(done.remarks),
        "more": max(0, len(done.remarks) - LISTED),
        "summary": [
            [_t("Lines read"), done.rows],
            [_t("Added"), done.created.total()],
            [_t("Changed"), done.changed.total()],
        ],
    }


def reported(report: OpeningReport) -> dict:
    """File and ledger side by side, in cents."""
    return {
        "totals": [
            [label, count, to_cents(in_file), to_cents(in_ledger)]
            for label, count, in_file, in_ledger in report.totals()
        ],
        "differences": [
            [line.reference, line.month, to_cents(line.file), to_cents(line.ledger)]
            for line in report.differences[:SHOWN_DIFFERENCES]
        ],
    }
