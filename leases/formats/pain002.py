"""pain.002 reports on a file of orders (*compte rendu de traitement*): versions 03 and 10, read.

Tells what the bank accepted or rejected before the collection: the whole file, a lot, one debit.
Nothing moves on an account by it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

from lxml import etree

from leases.formats.camt import Said, root_of
from leases.formats.statement import ASK_BANK, BadFile, _, plain_euros

VERSIONS = ("03", "10")
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001."
REJECTED = "RJCT"
PARTLY = "PART"


@dataclass(frozen=True, slots=True)
class Answer:
    """The bank's answer about one debit, or about a whole lot (end_to_end "").

    lot: the lot's identification in our file. status: RJCT, ACCP, ACSC… ; "" where it is only above.
    code: reason, ISO (AM04); "" if none. amount_cents: None where the bank does not repeat it.
    """

    line: int
    lot: str
    end_to_end: str
    status: str
    code: str
    amount_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A report on one file of ours.

    message_id: the report's own. original: the MsgId of our file. status, code: of the whole file.
    """

    message_id: str
    made_on: date | None
    original: str
    status: str
    code: str
    answers: tuple[Answer, ...]


def read_report(data: bytes) -> Report:
    """The report in the file. Raises BadFile, and nothing else, for any other bytes."""
    root = root_of(data, _("Download the report again from the bank, without opening it in between."))
    namespace = f"{{{etree.QName(root).namespace or ''}}}"
    version = namespace[1:-1].removeprefix(NAMESPACE)
    body = root.find(f"{namespace}CstmrPmtStsRpt")
    if version not in VERSIONS or body is None:
        raise BadFile(
            _("This XML file is not a pain.002 report."),
            _("Ask the bank for the report on our debits, pain.002 version 03 or 10."),
            1,
        )
    header, whole = body.find(f"{namespace}GrpHdr"), body.find(f"{namespace}OrgnlGrpInfAndSts")
    if header is None or whole is None:
        raise BadFile(_("The report does not say which of our files it is about."), ASK_BANK, 1)
    about, on_file = Said(header), Said(whole)
    original = on_file.identifier("OrgnlMsgId")
    if not original:
        raise BadFile(_("The report does not say which of our files it is about."), ASK_BANK, on_file.line)
    answers: list[Answer] = []
    for lot in body.iterchildren(f"{namespace}OrgnlPmtInfAndSts"):
        answers += _lot(lot, namespace)
    return Report(
        message_id=about.identifier("MsgId"),
        made_on=about.day("CreDtTm"),
        original=original,
        status=on_file.get("GrpSts", ""),
        code=_code(on_file),
        answers=tuple(answers),
    )


def _lot(element: etree._Element, namespace: str) -> Iterable[Answer]:
    inside = [Said(one) for one in element.iterchildren(f"{namespace}TxInfAndSts")]
    for one in list(element.iterchildren(f"{namespace}TxInfAndSts")):
        element.remove(one)
    lot = Said(element)
    name = lot.identifier("OrgnlPmtInfId")
    yield Answer(lot.line, name, "", lot.get("PmtInfSts", ""), _code(lot))
    for one in inside:
        yield Answer(
            line=one.line,
            lot=name,
            end_to_end=one.identifier("OrgnlEndToEndId"),
            status=one.get("TxSts", ""),
            code=_code(one),
            amount_cents=one.cents("OrgnlTxRef/Amt/InstdAmt") if "OrgnlTxRef/Amt/InstdAmt" in one else None,
        )


def _code(said: Said) -> str:
    return said.identifier("StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry").split(" ")[0][:8]


def write_report(report: Report, version: str = "03") -> bytes:
    """The report as a pain.002 file, in UTF-8, for the demonstration and the tests."""
    lots: dict[str, list[Answer]] = {}
    for answer in report.answers:
        lots.setdefault(answer.lot, []).append(answer)
    body = ""
    for name, answers in lots.items():
        of_lot = next((one for one in answers if not one.end_to_end), None)
        body += f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{escape(name)}</OrgnlPmtInfId>"
        if of_lot:
            body += (f"<PmtInfSts>{of_lot.status}</PmtInfSts>" if of_lot.status else "") + _reason(
                of_lot.code
            )
        for one in answers:
            if one.end_to_end:
                amount = one.amount_cents
                body += (
                    f"<TxInfAndSts><OrgnlEndToEndId>{escape(one.end_to_end)}</OrgnlEndToEndId>"
                    f"<TxSts>{one.status}</TxSts>{_reason(one.code)}"
                    + (
                        f'<OrgnlTxRef><Amt><InstdAmt Ccy="EUR">{plain_euros(amount)}</InstdAmt></Amt></OrgnlTxRef>'
                        if amount is not None
                        else ""
                    )
                    + "</TxInfAndSts>\n"
                )
        body += "</OrgnlPmtInfAndSts>\n"
    day = f"<CreDtTm>{report.made_on}T20:00:00</CreDtTm>" if report.made_on else ""
    status = f"<GrpSts>{report.status}</GrpSts>" if report.status else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}{version}">\n<CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>{escape(report.message_id)}</MsgId>{day}</GrpHdr>\n"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{escape(report.original)}</OrgnlMsgId>"
        f"<OrgnlMsgNmId>pain.008</OrgnlMsgNmId>{status}{_reason(report.code)}</OrgnlGrpInfAndSts>\n"
        f"{body}</CstmrPmtStsRpt>\n</Document>\n"
    ).encode()


def _reason(code: str) -> str:
    if not code:
        return ""
    name = "Cd" if len(code) == 4 else "Prtry"
    return f"<StsRsnInf><Rsn><{name}>{escape(code)}</{name}></Rsn></StsRsnInf>"
