"""pain.001 orders to pay by transfer (*remise de virements SEPA*): versions 09 and 03.

One file is one debtor account and one day. Each transfer is booked by itself, so that the statement
tells every end-to-end reference. No postal address is written: an unstructured one is refused since
November 2026. The same order is always the same bytes. The schemas are those that sepaxml ships.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from xml.sax.saxutils import escape

from lxml import etree

from leases.formats.pain008 import NotValid, plain
from leases.formats.statement import is_iban, plain_euros

VERSIONS = ("09", "03")
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001."


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer (*virement*): end_to_end at most 35 characters, amount_cents above 0."""

    end_to_end: str
    amount_cents: int
    name: str
    iban: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class TransferOrder:
    """A whole order (*remise*): who pays, from which account, on which day."""

    message_id: str
    made_at: datetime
    debtor: str
    iban: str
    paid_on: date
    transfers: Sequence[Transfer]

    @property
    def total_cents(self) -> int:
        return sum(transfer.amount_cents for transfer in self.transfers)


def write_transfers(order: TransferOrder, version: str = "09") -> bytes:
    """The order as a pain.001.001.09 or .03 file, in UTF-8, valid by its schema.

    Raises ValueError for an order of nothing or with an impossible amount, account or reference,
    NotValid for what the schema alone refuses.
    """
    if version not in VERSIONS:
        raise ValueError(f"pain.001.001.{version} is not written here")
    _check(order)
    day = f"<Dt>{order.paid_on}</Dt>" if version == "09" else f"{order.paid_on}"
    count, total = len(order.transfers), plain_euros(order.total_cents)
    data = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="{NAMESPACE}{version}">\n<CstmrCdtTrfInitn>\n'
        f"<GrpHdr>{_tag('MsgId', order.message_id)}"
        f"<CreDtTm>{order.made_at:%Y-%m-%dT%H:%M:%S}</CreDtTm>"
        f"<NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum>"
        f"<InitgPty>{_tag('Nm', order.debtor, 70)}</InitgPty></GrpHdr>\n"
        f"<PmtInf>{_tag('PmtInfId', order.message_id)}<PmtMtd>TRF</PmtMtd><BtchBookg>false</BtchBookg>"
        f"<NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum>"
        f"<PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl></PmtTpInf><ReqdExctnDt>{day}</ReqdExctnDt>"
        f"<Dbtr>{_tag('Nm', order.debtor, 70)}</Dbtr>"
        f"<DbtrAcct><Id>{_tag('IBAN', order.iban)}</Id></DbtrAcct>"
        "<DbtrAgt><FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId></DbtrAgt>"
        "<ChrgBr>SLEV</ChrgBr>\n"
        + "".join(_transfer(transfer) for transfer in order.transfers)
        + "</PmtInf>\n</CstmrCdtTrfInitn>\n</Document>\n"
    ).encode()
    check_transfers(data, version)
    return data


def check_transfers(data: bytes, version: str) -> None:
    """Hold a file against the schema of its version. Raises NotValid."""
    schema = _schema(version)
    if not schema.validate(etree.fromstring(data)):
        fault = schema.error_log[0]
        raise NotValid(f"line {fault.line}: {fault.message}")


@lru_cache(maxsize=2)
def _schema(version: str) -> etree.XMLSchema:
    shipped = files("sepaxml") / "schemas" / f"pain.001.001.{version}.xsd"
    return etree.XMLSchema(etree.fromstring(shipped.read_bytes()))


def _check(order: TransferOrder) -> None:
    if not order.transfers:
        raise ValueError("an order of no transfer")
    if len({transfer.end_to_end for transfer in order.transfers}) < len(order.transfers):
        raise ValueError("two transfers have one end-to-end reference")
    if not is_iban(order.iban):
        raise ValueError("the debtor's account is no IBAN")
    for transfer in order.transfers:
        if transfer.amount_cents <= 0:
            raise ValueError(f"{transfer.end_to_end}: the amount is not above zero")
        if transfer.end_to_end != plain(transfer.end_to_end, 35):
            raise ValueError(f"{transfer.end_to_end}: a reference that banks do not take")
        if not is_iban(transfer.iban):
            raise ValueError(f"{transfer.end_to_end}: the creditor's account is no IBAN")


def _transfer(transfer: Transfer) -> str:
    text = _tag("Ustrd", transfer.text, 140)
    return (
        f"<CdtTrfTxInf><PmtId>{_tag('EndToEndId', transfer.end_to_end)}</PmtId>"
        f'<Amt><InstdAmt Ccy="EUR">{plain_euros(transfer.amount_cents)}</InstdAmt></Amt>'
        f"<Cdtr>{_tag('Nm', transfer.name, 70) or '<Nm>NOTPROVIDED</Nm>'}</Cdtr>"
        f"<CdtrAcct><Id>{_tag('IBAN', transfer.iban)}</Id></CdtrAcct>"
        f"{f'<RmtInf>{text}</RmtInf>' if text else ''}</CdtTrfTxInf>\n"
    )


def _tag(name: str, text: str, longest: int = 35) -> str:
    said = plain(text, longest)
    return f"<{name}>{escape(said)}</{name}>" if said else ""
