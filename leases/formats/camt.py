"""camt.053 statements (*relevé de compte ISO 20022*): versions 02, 04 and 08 of the message.

Booked entries only. An entry with several details makes one movement per detail, a batch without
details one movement with its count. Entries are read and let go one by one, so that memory follows
the movements and not the XML. No document type, no entity, no network (*XXE*).
"""

import re
import textwrap
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from io import BytesIO
from xml.sax.saxutils import escape

from lxml import etree

from leases.formats.statement import (
    ASK_AGAIN,
    ASK_BANK,
    FIRST_YEAR,
    LARGEST_CENTS,
    LAST_YEAR,
    LONGEST_IDENTIFIER,
    LONGEST_LABEL,
    LONGEST_NAME,
    LONGEST_REFERENCE,
    BadFile,
    Kind,
    Movement,
    Statement,
    _,
    checked,
    is_iban,
    one_line,
    plain_euros,
)

VERSIONS = ("02", "04", "08")
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."
ENCODINGS = ("utf-8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252")
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T+Z-][0-9:.TZ+-]*)?")
AMOUNT = re.compile(r"([0-9]{1,13})(?:\.([0-9]{0,2})0*)?")
ENTRY_PLACES = {(f"{{{NAMESPACE}{v}}}Stmt", f"{{{NAMESPACE}{v}}}Ntry") for v in VERSIONS}
STATEMENT_PLACES = {(f"{{{NAMESPACE}{v}}}BkToCstmrStmt", f"{{{NAMESPACE}{v}}}Stmt") for v in VERSIONS}
XML_DECLARATION = re.compile(rb"\s*<\?xml[^>]*?\bencoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")

# ISO 20022 bank transaction codes: families of the domain PMNT, then sub-families of any.
FAMILIES: dict[str, Kind] = {
    "RCDT": "credit_transfer",
    "ICDT": "credit_transfer",
    "RRCT": "credit_transfer",
    "IRCT": "credit_transfer",
    "IDDT": "direct_debit",
    "RDDT": "direct_debit",
    "RCHQ": "cheque",
    "ICHQ": "cheque",
    "CCRD": "card",
    "MCRD": "card",
    "CNTR": "cash",
}
RETURNS = frozenset(("UPDD", "PRDD", "RCDD", "RRTN", "RPCR", "UPCQ", "CQRV"))
FEES = frozenset(("CHRG", "FEES", "COMM", "COMI", "COME", "COMT"))
# What write_statement says of each kind: (family, sub-family) of a credit, of a debit.
CODES: dict[Kind, tuple[tuple[str, str], tuple[str, str]]] = {
    "credit_transfer": (("RCDT", "ESCT"), ("ICDT", "ESCT")),
    "direct_debit": (("IDDT", "ESDD"), ("RDDT", "ESDD")),
    "return": (("ICDT", "RRTN"), ("IDDT", "UPDD")),
    "cheque": (("RCHQ", "CCHQ"), ("ICHQ", "CCHQ")),
    "card": (("MCRD", "POSP"), ("CCRD", "POSD")),
    "cash": (("CNTR", "CDPT"), ("CNTR", "CWDL")),
    "fee": (("MCOP", "CHRG"), ("MDOP", "CHRG")),
    "other": (("MCOP", "OTHR"), ("MDOP", "OTHR")),
}


def read_statements(data: bytes) -> list[Statement]:
    """Statements of the file, in its order.

    Raises BadFile: broken XML, another message or version, wrong currency, date, amount or balance.
    """
    refuse_unsafe(data)
    statements: list[Statement] = []
    movements: list[Movement] = []
    own_iban = ""
    try:
        reading = etree.iterparse(
            BytesIO(data),
            events=("end",),
            tag=[tag for _parent, tag in ENTRY_PLACES | STATEMENT_PLACES],
            remove_comments=True,
            remove_pis=True,
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
        )
        for _event, element in reading:
            parent = element.getparent()
            place = (parent.tag if parent is not None else "", element.tag)
            if place in ENTRY_PLACES:
                # Asked once: past thousands of entries each question is slow.
                own_iban = own_iban or (parent.findtext("{*}Acct/{*}Id/{*}IBAN") or "unknown").strip()
                movements += entry_movements(element, own_iban)
                element.clear()
            elif place in STATEMENT_PLACES:
                statements.append(_statement(element, tuple(movements)))
                movements, own_iban = [], ""
                element.clear()
    except etree.XMLSyntaxError as fault:
        raise BadFile(
            _("The XML is broken or cut short: %(fault)s."),
            ASK_AGAIN,
            fault.lineno or None,
            fault=(fault.msg or "")[:200].rstrip("."),
        ) from None
    if not statements:
        raise _no_statement(reading.root)
    return statements


def refuse_unsafe(data: bytes) -> None:
    if b"\0" in data:
        raise BadFile(_("The text is not in UTF-8."), ASK_BANK)
    if found := re.search(rb"<!(DOCTYPE|ENTITY)", data):
        raise BadFile(
            _("A statement declares no document type nor entities; this file does."),
            _("Do not import this file; ask the bank where it comes from."),
            data.count(b"\n", 0, found.start()) + 1,
        )
    declared = XML_DECLARATION.match(data.removeprefix(b"\xef\xbb\xbf"))
    if declared and declared[1].decode().lower() not in ENCODINGS:
        raise BadFile(
            _("The encoding %(encoding)s is not read here."),
            _("Ask the bank for a file in UTF-8."),
            1,
            encoding=declared[1].decode(),
        )


def root_of(data: bytes, remedy: str) -> etree._Element:
    """The root of a short XML file, read whole and safely. Raises BadFile, with this remedy where it is cut."""
    refuse_unsafe(data)
    try:
        parser = etree.XMLParser(
            resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True, remove_pis=True
        )
        return etree.parse(BytesIO(data), parser).getroot()
    except etree.XMLSyntaxError as fault:
        raise BadFile(
            _("The XML is broken or cut short: %(fault)s."),
            remedy,
            fault.lineno or None,
            fault=(fault.msg or "")[:200].rstrip("."),
        ) from None


def _no_statement(root: etree._Element) -> BadFile:
    """Why a well-formed XML file gave no statement."""
    name = etree.QName(root)
    message = (name.namespace or "").rpartition(":")[2]
    if message.startswith("camt.053.") and not message.endswith(VERSIONS):
        return BadFile(
            _("Version %(message)s of camt.053 is not read here."),
            _("Ask the bank for version 02, 04 or 08."),
            1,
            message=message,
        )
    if message.startswith(("camt.", "pain.", "pacs.")) and not message.startswith("camt.053."):
        return BadFile(
            _("This is a %(message)s message, not a statement of account."),
            _("Ask the bank for the end-of-day statement, camt.053."),
            1,
            message=message,
        )
    if message.startswith("camt.053."):
        return BadFile(_("The file holds no statement."), ASK_BANK, 1)
    return BadFile(
        _("This XML file is not a camt.053 statement."),
        _("Ask the bank for the end-of-day statement, camt.053."),
        1,
    )


def _line(element: etree._Element) -> int:
    """Line of an element; past 65,535 lxml gives the line where its first text ends."""
    line = element.sourceline or 1
    return line - (element.text or "").count("\n") if line > 65535 else line


class Said(dict[str, str]):
    """What an element says: text of each leaf by its path; a leaf said twice on several lines.

    line: where the element starts. inside: its transactions, kept apart.
    """

    def __init__(self, element: etree._Element):
        super().__init__()
        self.line = _line(element)
        self.inside: list[etree._Element] = []
        self._take(element, "", element.tag.index("}") + 1)

    def _take(self, element: etree._Element, prefix: str, name_at: int) -> None:
        for child in element:
            name = child.tag[name_at:]
            path = prefix + name
            if name == "TxDtls":
                self.inside.append(child)
            elif len(child):
                self._take(child, path + "/", name_at)
            elif text := child.text:
                self[path] = f"{self[path]}\n{text}" if path in self else text.strip()
                if name == "Amt" and (currency := child.get("Ccy")):
                    self[path + "@Ccy"] = currency

    def first(self, *paths: str) -> str:
        for path in paths:
            if text := self.get(path):
                return text
        return ""

    def identifier(self, *paths: str) -> str:
        """An identifier of at most 35 characters. Raises BadFile."""
        text = one_line(self.first(*paths), LONGEST_REFERENCE)
        if len(text) > LONGEST_IDENTIFIER:
            raise BadFile(
                _("%(name)s has more than 35 characters."),
                ASK_BANK,
                self.line,
                name=paths[0].rpartition("/")[2],
            )
        return text

    def iban(self, path: str) -> str:
        """An account as the file gives it, without spaces."""
        return "".join(self.identifier(path).split()).upper()

    def signed(self) -> int:
        """Signed cents of an entry or a balance. Raises BadFile."""
        direction = self.get("CdtDbtInd")
        if "Amt" not in self or direction not in ("CRDT", "DBIT"):
            raise BadFile(
                _("An amount, or whether it is a credit or a debit, is missing."), ASK_BANK, self.line
            )
        currency = self.get("Amt@Ccy", "")
        if currency != "EUR":
            raise BadFile(
                _("The amount is in %(currency)s; only euros are kept here."),
                _("Import statements of euro accounts only."),
                self.line,
                currency=repr(currency[:10]),
            )
        return self.cents("Amt") if direction == "CRDT" else -self.cents("Amt")

    def cents(self, path: str) -> int:
        """Unsigned cents; decimals past the second must be zeros. Raises BadFile."""
        found = AMOUNT.fullmatch(self[path])
        cents = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found else -1
        if not 0 <= cents <= LARGEST_CENTS:
            raise BadFile(
                _("%(text)s is not an amount in euros and cents."),
                ASK_BANK,
                self.line,
                text=repr(self[path][:40]),
            )
        return cents

    def day(self, *paths: str) -> date | None:
        """Day of an xs:date or xs:dateTime, as the bank's clock shows it. Raises BadFile."""
        text = self.first(*paths)
        if not text:
            return None
        day = _day(text)
        if day is None:
            raise BadFile(_("%(text)s is not a day."), ASK_BANK, self.line, text=repr(text[:40]))
        return day


@lru_cache(maxsize=4096)
def _day(text: str) -> date | None:
    if not DAY.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def _statement(element: etree._Element, movements: tuple[Movement, ...]) -> Statement:
    namespace = element.tag[: element.tag.index("}") + 1]
    balances: dict[str, list[tuple[date, int]]] = {}
    for balance in map(Said, element.iterchildren(namespace + "Bal")):
        code = balance.get("Tp/CdOrPrtry/Cd", "")
        if code in ("OPBD", "PRCD", "CLBD"):
            day = balance.day("Dt/Dt", "Dt/DtTm")
            if day is None:
                raise BadFile(_("The balance has no date."), ASK_BANK, balance.line)
            balances.setdefault(code, []).append((day, balance.signed()))
    said = Said(element)
    iban = said.iban("Acct/Id/IBAN")
    if not is_iban(iban):
        raise BadFile(
            _("The statement's account has no valid IBAN (%(iban)s)."),
            ASK_BANK,
            said.line,
            iban=repr(iban),
        )
    opening = balances.get("OPBD") or balances.get("PRCD")
    closing = balances.get("CLBD")
    if not opening or not closing:
        raise BadFile(
            _("The statement lacks its opening (OPBD or PRCD) or closing (CLBD) balance."),
            ASK_BANK,
            said.line,
        )
    # A statement of several days may give the balances of each.
    (start, opening_cents), (end, closing_cents) = min(opening), max(closing)
    if "OPBD" not in balances and start < end:
        # The balance before is dated of the day it closed: the statement covers the days after.
        start += timedelta(days=1)
    return checked(
        Statement(
            iban=iban,
            currency="EUR",
            number=said.identifier("Id"),
            start=said.day("FrToDt/FrDtTm") or start,
            end=end,
            opening_cents=opening_cents,
            closing_cents=closing_cents,
            movements=movements,
        ),
        line=said.line,
    )


def entry_movements(element: etree._Element, own_iban: str) -> list[Movement]:
    """The movements of one entry, none if it is not booked yet."""
    entry = Said(element)
    status = entry.first("Sts/Cd", "Sts")
    if status in ("PDNG", "INFO", "FUTR"):
        return []
    if status != "BOOK":
        raise BadFile(
            _("The entry's status is %(status)s instead of BOOK or PDNG."),
            ASK_BANK,
            entry.line,
            status=repr(status[:40]),
        )
    cents = entry.signed()
    valued = entry.day("ValDt/Dt", "ValDt/DtTm")
    booked = entry.day("BookgDt/Dt", "BookgDt/DtTm") or valued
    if booked is None:
        raise BadFile(_("The entry has no booking date."), ASK_BANK, entry.line)
    count = _count(entry)
    label = one_line(entry.get("AddtlNtryInf"), LONGEST_LABEL)
    bank_reference = entry.identifier("AcctSvcrRef", "NtryRef")
    entry_kind: Kind | None = "return" if entry.get("RvslInd") in ("true", "1") else _kind(entry)
    details = [Said(inside) for inside in entry.inside]
    if not details:
        return [
            Movement(
                line=entry.line,
                booked=booked,
                valued=valued,
                amount_cents=cents,
                label=label,
                bank_reference=bank_reference,
                batch_count=count if count > 1 else 0,
                kind=entry_kind or "other",
            )
        ]
    movements = []
    for detail, amount in zip(details, _amounts(details, cents, entry.line), strict=True):
        mandate = detail.identifier("Refs/MndtId")
        end_to_end = detail.identifier("Refs/EndToEndId")
        return_code = detail.identifier("RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry")
        kind: Kind = _kind(detail) or entry_kind or ("direct_debit" if mandate else "other")
        if return_code or entry_kind == "return":
            kind = "return"
        name, iban = _counterparty(detail, amount, kind, own_iban)
        movements.append(
            Movement(
                line=detail.line,
                booked=booked,
                valued=valued,
                amount_cents=amount,
                label=one_line(detail.get("AddtlTxInf"), LONGEST_LABEL) or label,
                end_to_end="" if end_to_end == "NOTPROVIDED" else end_to_end,
                mandate=mandate,
                reference=_remittance(detail),
                counterparty_name=name,
                counterparty_iban=iban,
                return_code=return_code,
                bank_reference=detail.identifier("Refs/AcctSvcrRef") or bank_reference,
                # One detail for many transactions is a summary of the batch.
                batch_count=count if count > 1 and len(details) == 1 else 0,
                kind=kind,
            )
        )
    return movements


def _amounts(details: list[Said], cents: int, line: int) -> list[int]:
    """Signed amounts of the details of an entry of `cents`, which they must add up to."""
    amounts: list[int] = []
    for detail in details:
        in_euros = [p for p in ("Amt", "AmtDtls/TxAmt/Amt") if detail.get(p + "@Ccy") == "EUR"]
        if not in_euros and len(details) == 1:
            return [cents]
        if not in_euros:
            raise BadFile(
                _("One of several transactions of an entry has no amount in euros."),
                ASK_BANK,
                detail.line,
            )
        direction = detail.get("CdtDbtInd")
        debit = direction == "DBIT" if direction else cents < 0
        amounts.append(-detail.cents(in_euros[0]) if debit else detail.cents(in_euros[0]))
    if sum(amounts) != cents:
        raise BadFile(
            _("The transactions add up to %(total)s, their entry is %(entry)s."),
            ASK_BANK,
            line,
            total=plain_euros(sum(amounts)),
            entry=plain_euros(cents),
        )
    return amounts


def _counterparty(detail: Said, cents: int, kind: Kind, own_iban: str) -> tuple[str, str]:
    """(name, IBAN) of who paid a credit or received a debit; of whose payment came back."""
    sides = ("Dbtr", "Cdtr") if (cents > 0) != (kind == "return") else ("Cdtr", "Dbtr")
    found = [
        (
            one_line(
                detail.first(
                    f"RltdPties/{side}/Nm",
                    f"RltdPties/{side}/Pty/Nm",
                    f"RltdPties/Ultmt{side}/Nm",
                    f"RltdPties/Ultmt{side}/Pty/Nm",
                ),
                LONGEST_NAME,
            ),
            detail.iban(f"RltdPties/{side}Acct/Id/IBAN"),
        )
        for side in sides
    ]
    if kind != "return":
        return found[0]
    # Some banks swap the parties of what comes back.
    others = [(name, iban) for name, iban in found if (name or iban) and iban != own_iban]
    return others[0] if others else ("", "")


def _remittance(detail: Said) -> str:
    said = detail.get("RmtInf/Ustrd", "").split("\n")
    # The structured reference is often repeated in the free text.
    said += [ref for ref in detail.get("RmtInf/Strd/CdtrRefInf/Ref", "").split("\n") if ref not in said]
    return one_line(" ".join(said), LONGEST_REFERENCE)


def _kind(said: Said) -> Kind | None:
    """Kind by the ISO bank transaction code of an entry or a transaction, None if it has none."""
    sub_family = said.get("BkTxCd/Domn/Fmly/SubFmlyCd")
    if sub_family in RETURNS:
        return "return"
    if sub_family in FEES:
        return "fee"
    family = said.get("BkTxCd/Domn/Fmly/Cd")
    return FAMILIES.get(family, "other") if family else None


def _count(entry: Said) -> int:
    """Number of transactions that the entry says it holds, 0 if it does not say."""
    total = 0
    for text in entry.get("NtryDtls/Btch/NbOfTxs", "").split():
        if not re.fullmatch(r"[0-9]{1,7}", text):
            raise BadFile(
                _("%(text)s is not a number of transactions."), ASK_BANK, entry.line, text=repr(text[:40])
            )
        total += int(text)
    return total


def write_statement(statement: Statement, version: str = "08") -> bytes:
    """The statement as a camt.053 file of version 02, 04 or 08."""
    return write_statements([statement], version)


def write_statements(statements: Sequence[Statement], version: str = "08") -> bytes:
    """Statements in one camt.053 file, in UTF-8, one line per entry.

    A movement with a batch_count is written as a batch without details, so that its references and
    its counterparty are left out. Raises ValueError: unknown version.
    """
    if version not in VERSIONS:
        raise ValueError(f"camt.053.001.{version} is not written here")
    last = max(statement.end for statement in statements)
    body = "".join(_statement_xml(statement, version) for statement in statements)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="{NAMESPACE}{version}">\n<BkToCstmrStmt>\n'
        f"<GrpHdr><MsgId>CAMT053-{last:%Y%m%d}</MsgId><CreDtTm>{last}T22:00:00</CreDtTm></GrpHdr>\n"
        f"{body}</BkToCstmrStmt>\n</Document>\n"
    ).encode()


def _statement_xml(statement: Statement, version: str) -> str:
    # The number is mandatory in the message: the closing day stands in for one that is not known.
    number = statement.number or f"{statement.end:%Y%m%d}"
    lines = [
        "<Stmt>",
        _tag("Id", number) + f"<CreDtTm>{statement.end}T22:00:00</CreDtTm>"
        f"<FrToDt><FrDtTm>{statement.start}T00:00:00</FrDtTm>"
        f"<ToDtTm>{statement.end}T23:59:59</ToDtTm></FrToDt>",
        f"<Acct><Id>{_tag('IBAN', statement.iban)}</Id><Ccy>EUR</Ccy></Acct>",
        _balance_xml("OPBD", statement.opening_cents, statement.start),
        _balance_xml("CLBD", statement.closing_cents, statement.end),
        *(entry_xml(movement, version) for movement in statement.movements),
        "</Stmt>",
    ]
    return "".join(line + "\n" for line in lines)


def _balance_xml(code: str, cents: int, day: date) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f"{_amount_xml(cents)}{_direction_xml(cents)}<Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def entry_xml(movement: Movement, version: str) -> str:
    cents = movement.amount_cents
    family, sub_family = CODES[movement.kind][cents < 0]
    if movement.batch_count:
        inside = (
            f"<Btch><NbOfTxs>{movement.batch_count}</NbOfTxs>"
            f"{_amount_xml(cents, 'TtlAmt')}{_direction_xml(cents)}</Btch>"
        )
    else:
        inside = _transaction_xml(movement, version)
    valued = f"<ValDt><Dt>{movement.valued}</Dt></ValDt>" if movement.valued else ""
    return (
        f"<Ntry>{_amount_xml(cents)}{_direction_xml(cents)}"
        f"<Sts>{'<Cd>BOOK</Cd>' if version == '08' else 'BOOK'}</Sts>"
        f"<BookgDt><Dt>{movement.booked}</Dt></BookgDt>{valued}"
        f"{_tag('AcctSvcrRef', movement.bank_reference)}"
        f"<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>{family}</Cd>"
        f"<SubFmlyCd>{sub_family}</SubFmlyCd></Fmly></Domn></BkTxCd>"
        f"<NtryDtls>{inside}</NtryDtls>{_tag('AddtlNtryInf', movement.label)}</Ntry>"
    )


def _transaction_xml(movement: Movement, version: str) -> str:
    cents = movement.amount_cents
    side = "Dbtr" if (cents > 0) != (movement.kind == "return") else "Cdtr"
    name = _tag("Nm", movement.counterparty_name)
    party = f"<Pty>{name}</Pty>" if version == "08" and name else name
    account = _tag("IBAN", movement.counterparty_iban)
    parties = (f"<{side}>{party}</{side}>" if party else "") + (
        f"<{side}Acct><Id>{account}</Id></{side}Acct>" if account else ""
    )
    remittance = "".join(
        _tag("Ustrd", text) for text in textwrap.wrap(movement.reference, 140, break_on_hyphens=False)
    )
    reason = _tag("Cd" if len(movement.return_code) == 4 else "Prtry", movement.return_code)
    # Version 02 has its amount only among the details of the amount.
    amount = (
        f"<AmtDtls><TxAmt>{_amount_xml(cents)}</TxAmt></AmtDtls>"
        if version == "02"
        else _amount_xml(cents) + _direction_xml(cents)
    )
    return (
        f"<TxDtls><Refs>{_tag('EndToEndId', movement.end_to_end or 'NOTPROVIDED')}"
        f"{_tag('MndtId', movement.mandate)}</Refs>{amount}"
        + (f"<RltdPties>{parties}</RltdPties>" if parties else "")
        + (f"<RmtInf>{remittance}</RmtInf>" if remittance else "")
        + (f"<RtrInf><Rsn>{reason}</Rsn></RtrInf>" if reason else "")
        + "</TxDtls>"
    )


def _amount_xml(cents: int, name: str = "Amt") -> str:
    return f'<{name} Ccy="EUR">{plain_euros(abs(cents))}</{name}>'


def _direction_xml(cents: int) -> str:
    return f"<CdtDbtInd>{'DBIT' if cents < 0 else 'CRDT'}</CdtDbtInd>"


def _tag(name: str, text: str) -> str:
    """An element, or nothing for an empty text; characters that XML forbids are dropped."""
    text = FORBIDDEN.sub("", text)
    return f"<{name}>{escape(text)}</{name}>" if text else ""
