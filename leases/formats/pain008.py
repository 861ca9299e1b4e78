"""pain.008 orders to collect direct debits (*remise de prélèvements SEPA*): versions 08 and 02.

One file is one creditor account and one day; the debits of one sequence make one lot (PmtInf). No
postal address is written: an unstructured one is refused since November 2026. The same order is
always the same bytes. The schemas are those that sepaxml ships.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from xml.sax.saxutils import escape

from lxml import etree

from leases.formats.statement import is_iban, plain_euros

VERSIONS = ("08", "02")
SEQUENCES = ("RCUR", "FRST", "OOFF", "FNAL")
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.008.001."
SAME_MANDATE_NEW_ACCOUNT = "SMNDA"
"""What is written instead of the old account where it was kept at another bank."""

# EPC217-08: the only characters that every bank takes.
_PLAIN = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")
_LIGATURES = str.maketrans({"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss", "’": "'", "–": "-"})


@dataclass(frozen=True, slots=True)
class OrderedDebit:
    """One debit of a lot (*prélèvement*).

    end_to_end, mandate: at most 35 characters. amount_cents: above 0. name: the account holder's.
    old_account: the IBAN debited before, or SMNDA, told once after a change; "" if none.
    old_mandate: the RUM before, told once after a change; "" if none.
    """

    end_to_end: str
    amount_cents: int
    mandate: str
    signed_on: date
    name: str
    iban: str
    sequence: str = "RCUR"
    text: str = ""
    old_account: str = ""
    old_mandate: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A whole order (*remise*): who collects, to which account, on which day."""

    message_id: str
    made_at: datetime
    creditor: str
    iban: str
    creditor_id: str
    collected_on: date
    debits: Sequence[OrderedDebit]
    bic: str = ""

    @property
    def total_cents(self) -> int:
        return sum(debit.amount_cents for debit in self.debits)


class NotValid(ValueError):
    """An order that the schema of its version refuses: line and words of the first fault."""


def write_order(order: Order, version: str = "08") -> bytes:
    """The order as a pain.008.001.08 or .02 file, in UTF-8, valid by its schema.

    Raises ValueError for an order of nothing or with an impossible amount or reference, NotValid for
    what the schema alone refuses.
    """
    if version not in VERSIONS:
        raise ValueError(f"pain.008.001.{version} is not written here")
    _check(order)
    lots = [(s, [d for d in order.debits if d.sequence == s]) for s in SEQUENCES]
    body = "".join(_lot(order, sequence, debits, version) for sequence, debits in lots if debits)
    data = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="{NAMESPACE}{version}">\n<CstmrDrctDbtInitn>\n'
        f"<GrpHdr>{_tag('MsgId', order.message_id)}"
        f"<CreDtTm>{order.made_at:%Y-%m-%dT%H:%M:%S}</CreDtTm>"
        f"<NbOfTxs>{len(order.debits)}</NbOfTxs><CtrlSum>{plain_euros(order.total_cents)}</CtrlSum>"
        f"<InitgPty>{_tag('Nm', order.creditor, 70)}</InitgPty></GrpHdr>\n"
        f"{body}</CstmrDrctDbtInitn>\n</Document>\n"
    ).encode()
    check_order(data, version)
    return data


def lot_id(order: Order, sequence: str) -> str:
    """The identification of the lot of a sequence (PmtInfId): what pain.002 names it by."""
    return f"{order.message_id[:30]}-{sequence}"


def check_order(data: bytes, version: str) -> None:
    """Hold a file against the schema of its version. Raises NotValid."""
    schema = _schema(version)
    if not schema.validate(etree.fromstring(data)):
        fault = schema.error_log[0]
        raise NotValid(f"line {fault.line}: {fault.message}")


@lru_cache(maxsize=2)
def _schema(version: str) -> etree.XMLSchema:
    shipped = files("sepaxml") / "schemas" / f"pain.008.001.{version}.xsd"
    return etree.XMLSchema(etree.fromstring(shipped.read_bytes()))


def plain(text: str, longest: int) -> str:
    """Text in the characters that every bank takes: accents dropped, the rest a space, cut."""
    apart = unicodedata.normalize("NFD", text.translate(_LIGATURES))
    bare = "".join(character for character in apart if not unicodedata.combining(character))
    return " ".join(_PLAIN.sub(" ", bare).split())[:longest].strip().lstrip("/")


def _check(order: Order) -> None:
    if not order.debits:
        raise ValueError("an order of no debit")
    if len({debit.end_to_end for debit in order.debits}) < len(order.debits):
        raise ValueError("two debits have one end-to-end reference")
    if not is_iban(order.iban):
        raise ValueError("the creditor's account is no IBAN")
    for debit in order.debits:
        if debit.amount_cents <= 0:
            raise ValueError(f"{debit.end_to_end}: the amount is not above zero")
        if debit.sequence not in SEQUENCES:
            raise ValueError(f"{debit.end_to_end}: unknown sequence {debit.sequence}")
        if debit.end_to_end != plain(debit.end_to_end, 35) or debit.mandate != plain(debit.mandate, 35):
            raise ValueError(f"{debit.end_to_end}: a reference that banks do not take")
        if not is_iban(debit.iban):
            raise ValueError(f"{debit.end_to_end}: the debtor's account is no IBAN")


def _lot(order: Order, sequence: str, debits: Sequence[OrderedDebit], version: str) -> str:
    total = sum(debit.amount_cents for debit in debits)
    bic = "BICFI" if version == "08" else "BIC"
    agent = _tag(bic, order.bic) if order.bic else "<Othr><Id>NOTPROVIDED</Id></Othr>"
    return (
        f"<PmtInf>{_tag('PmtInfId', lot_id(order, sequence))}<PmtMtd>DD</PmtMtd><BtchBookg>true</BtchBookg>"
        f"<NbOfTxs>{len(debits)}</NbOfTxs><CtrlSum>{plain_euros(total)}</CtrlSum>"
        "<PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl><LclInstrm><Cd>CORE</Cd></LclInstrm>"
        f"<SeqTp>{sequence}</SeqTp></PmtTpInf><ReqdColltnDt>{order.collected_on}</ReqdColltnDt>"
        f"<Cdtr>{_tag('Nm', order.creditor, 70)}</Cdtr>"
        f"<CdtrAcct><Id>{_tag('IBAN', order.iban)}</Id></CdtrAcct>"
        f"<CdtrAgt><FinInstnId>{agent}</FinInstnId></CdtrAgt><ChrgBr>SLEV</ChrgBr>"
        f"<CdtrSchmeId><Id><PrvtId><Othr>{_tag('Id', order.creditor_id)}"
        "<SchmeNm><Prtry>SEPA</Prtry></SchmeNm></Othr></PrvtId></Id></CdtrSchmeId>\n"
        + "".join(_debit(debit) for debit in debits)
        + "</PmtInf>\n"
    )


def _debit(debit: OrderedDebit) -> str:
    text = _tag("Ustrd", debit.text, 140)
    return (
        f"<DrctDbtTxInf><PmtId>{_tag('EndToEndId', debit.end_to_end)}</PmtId>"
        f'<InstdAmt Ccy="EUR">{plain_euros(debit.amount_cents)}</InstdAmt>'
        f"<DrctDbtTx><MndtRltdInf>{_tag('MndtId', debit.mandate)}<DtOfSgntr>{debit.signed_on}</DtOfSgntr>"
        f"{_amendment(debit)}</MndtRltdInf></DrctDbtTx>"
        "<DbtrAgt><FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId></DbtrAgt>"
        f"<Dbtr>{_tag('Nm', debit.name, 70) or '<Nm>NOTPROVIDED</Nm>'}</Dbtr>"
        f"<DbtrAcct><Id>{_tag('IBAN', debit.iban)}</Id></DbtrAcct>"
        f"{f'<RmtInf>{text}</RmtInf>' if text else ''}</DrctDbtTxInf>\n"
    )


def _amendment(debit: OrderedDebit) -> str:
    """What changed in the mandate since the last debit (*bloc d'avenant*)."""
    if not debit.old_account and not debit.old_mandate:
        return ""
    mandate = _tag("OrgnlMndtId", debit.old_mandate) if debit.old_mandate else ""
    account = ""
    if debit.old_account == SAME_MANDATE_NEW_ACCOUNT:
        account = f"<OrgnlDbtrAcct><Id><Othr><Id>{SAME_MANDATE_NEW_ACCOUNT}</Id></Othr></Id></OrgnlDbtrAcct>"
    elif debit.old_account:
        account = f"<OrgnlDbtrAcct><Id>{_tag('IBAN', debit.old_account)}</Id></OrgnlDbtrAcct>"
    return f"<AmdmntInd>true</AmdmntInd><AmdmntInfDtls>{mandate}{account}</AmdmntInfDtls>"


def _tag(name: str, text: str, longest: int = 35) -> str:
    said = plain(text, longest)
    return f"<{name}>{escape(said)}</{name}>" if said else ""
