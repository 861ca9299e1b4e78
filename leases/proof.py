"""The proof of the ledger (*contrôle du journal*): postings against their sources, both ways.

Pairs always balance, so balance proves nothing: each posting is held against the call, movement or
opening balance it came from, each source against its postings, and both against what was sealed.
"""

from dataclasses import dataclass
from pathlib import Path

from django.db import connection
from django.utils.translation import gettext_lazy as _

from core import dialect, sqlfile
from leases import checkpoint, ledger, rent
from leases.ledger import Source
from leases.operations import OPERATIONS
from leases.terms import BENEFIT, ITEMS

QUERIES = Path(__file__).resolve().parent / "queries"


@dataclass(frozen=True, slots=True)
class Fault:
    """A line of the ledger that does not hold: which proof it fails, and what it is."""

    proof: str
    line: str

    def __str__(self):
        return f"{self.proof}: {self.line}"


PROOFS = {
    "entry_unsealed": _("An entry was never sealed"),
    "entry_total": _("An entry's postings differ from what was sealed"),
    "posting_entry": _("A posting belongs to no entry"),
    "call_unposted": _("A rent call has no posting"),
    "call_posting": _("A posting differs from its rent call, or has none"),
    "run_total": _("A run's calls differ from what was sealed"),
    "call_run": _("A rent call belongs to no run, or to an account that is not its lease's"),
    "allocation_unposted": _("An allocation has no posting"),
    "allocation_posting": _("A posting differs from its allocation, or has none"),
    "movement_total": _("A movement is not allocated in full, or more than in full"),
    "statement_total": _("A statement's movements differ from what was sealed"),
    "statement_chain": _("A statement does not continue the one before"),
    "bank_balance": _("A bank account in the ledger differs from its last statement"),
    "opening_unposted": _("An opening balance has no posting"),
    "opening_posting": _("A posting differs from its opening balance, or has none"),
    "operation_unposted": _("An operation has no posting"),
    "operation_posting": _("A posting differs from its operation, or has none"),
    "operation_undone": _("An undoing is not the opposite of its operation"),
    "unknown_source": _("A posting comes from nothing known"),
    "across_books": _("A posting crosses two books"),
    "overdrawn": _("A mandant's funds are below zero"),
    "suspense": _("More was settled from suspense than was put there"),
    "checkpoint": _("The checkpoint of the accounts differs from the full reckoning"),
    "guard_missing": _("A guard of the database is missing or was changed"),
}


def check_ledger(*, most: int = 20) -> list[Fault]:
    """Every fault of the ledger, the first `most` of each proof in order; empty when it holds."""
    kinds = " ".join(f"WHEN {item.code} THEN {item.account}" for item in ITEMS.values())
    params = {
        "call": Source.CALL,
        "allocation": Source.ALLOCATION,
        "opening": Source.OPENING,
        "operation": Source.OPERATION,
        "receipt": Source.RECEIPT,
        "benefit": BENEFIT,
        "tenant_account": ledger.TENANT,
        "bank_account": ledger.BANK,
        "suspense_account": ledger.SUSPENSE,
        "funds_account": ledger.FUNDS,
        "advance_account": ledger.ADVANCE,
        "held_account": ledger.HELD_FOR,
        "opening_account": ledger.OPENING,
        "digest_day": ledger.DIGEST_DAY,
        "most": most,
    }
    pays = ", ".join(str(kind.code) for kind in OPERATIONS.values() if kind.pays)
    parts = {
        "kinds": kinds,
        "pays": pays,
        "posting_digest": ledger.POSTING_DIGEST,
        "call_digest": rent.CALL_DIGEST,
    }
    faults = [Fault("guard_missing", f"{thing.kind} {thing.name}") for thing in sqlfile.missing(connection)]
    for statement in dialect.load(QUERIES / "proof.sql").split("--%"):
        for proof, line in dialect.rows(statement.format(**parts) + " LIMIT %(most)s", params):
            faults.append(Fault(proof, line))
    faults += [Fault(*one) for one in checkpoint.differences(most=most)]
    return faults
