"""CFONB 120 statements (*relevé de compte sur support informatique*, July 2004).

Records of exactly 120 characters: 01 old balance, 04 movement, 05 detail, 07 new balance;
one after the other for each account. Columns below are 1-based and inclusive, as in the brochure.
Between records: CR LF, LF, CR or nothing.

Details read: LIB label, NPY/NPO payer, NBE/NBU beneficiary, IPY/IBE/CBE/CPY identifiers,
LCC + LC2 + LCS remittance, RCN client reference (35 characters) then purpose, REF bank reference,
RUM mandate, RET reason of a return (ISO code in its first four characters). Others are left aside.
Not carried by the format: the statement's number, the number of transactions of a batch.
"""

import re
import textwrap
import unicodedata
from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

from leases.formats.statement import (
    ASK_AGAIN,
    ASK_BANK,
    FIRST_YEAR,
    LARGEST_CENTS,
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
    iban_number,
    is_iban,
    one_line,
)

LENGTH = 120
CREDIT, DEBIT = "{ABCDEFGHI", "}JKLMNOPQR"
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Letters of an account number as digits in the key of a RIB (not those of an IBAN).
RIB_DIGITS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "12345678912345678923456789")
# Operation codes differ from bank to bank, so the kind is read from the label. The bank's internal
# code (columns 8-11) is read only in the letters that write_statement gives it.
KIND_CODES: dict[str, Kind] = {
    "VIRT": "credit_transfer",
    "PRLV": "direct_debit",
    "RETR": "return",
    "CHEQ": "cheque",
    "CART": "card",
    "ESPC": "cash",
    "FRAI": "fee",
    "DIVR": "other",
}
KIND_WORDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("fee", re.compile(r"(F|FRAIS|COMM|COMMISSIONS?|COTIS|COTISATIONS?)\b")),
    (
        "return",
        re.compile(r"((VIR|PRLV|PRELEVEMENTS?|CHQ|CHEQUES?)( SEPA)? )?(REJETS?|IMPAYES?|RETOURS?|RET)\b"),
    ),
    ("cheque", re.compile(r"((REM|REMISE) (DE )?)?(CHQ|CHEQUES?)\b")),
    ("direct_debit", re.compile(r"((REM|REMISE) (DE )?)?(PRLV|PRELEVEMENTS?|SDD)\b")),
    ("credit_transfer", re.compile(r"(VIR|VIRT|VRT|VIREMENTS?)\b")),
    ("card", re.compile(r"(PAIEMENT (PAR )?)?(CB|CARTE)\b")),
    ("cash", re.compile(r"(VERSEMENT|VERST|RETRAIT|ESPECES)\b")),
)


def read_statements(data: bytes) -> list[Statement]:
    """Statements of the file, in its order.

    Raises BadFile: wrong length, encoding, sign, date, order of records, currency or balance.
    """
    statements: list[Statement] = []
    opening: tuple[int, str] | None = None
    drafts: list[tuple[int, str, list[str]]] = []
    last_code = ""
    for line, record in _records(data):
        code = record[:2]
        if code not in ("01", "04", "05", "07"):
            raise BadFile(
                _("A record of type %(code)s is not one of 01, 04, 05, 07."),
                ASK_AGAIN,
                line,
                code=repr(code),
            )
        if code == "01":
            if opening:
                raise BadFile(
                    _("A new account begins before the new balance (07) of the one before."),
                    ASK_AGAIN,
                    line,
                )
            opening, drafts = (line, record), []
        elif not opening:
            raise BadFile(_("No old balance (01) comes before this record."), ASK_AGAIN, line)
        elif _account(record) != _account(opening[1]):
            raise BadFile(_("This record is of another account."), ASK_BANK, line)
        elif code == "04":
            drafts.append((line, record, []))
        elif code == "05":
            if last_code not in ("04", "05"):
                raise BadFile(_("A detail (05) follows no movement (04)."), ASK_AGAIN, line)
            drafts[-1][2].append(record)
        else:
            statements.append(_statement(opening, drafts, (line, record)))
            opening = None
        last_code = code
    if opening:
        raise BadFile(
            _("The file stops before the new balance (07)."),
            ASK_AGAIN,
            opening[0],
        )
    if not statements:
        raise BadFile(_("The file holds no statement."), ASK_AGAIN)
    return statements


def _records(data: bytes) -> list[tuple[int, str]]:
    """(line, record) of each record of the file, blank lines left out."""
    records = [(number, line) for number, line in enumerate(_lines(data), 1) if line.strip()]
    for number, line in records:
        if len(line) != LENGTH:
            raise BadFile(
                _("The record has %(length)s characters instead of 120."),
                ASK_AGAIN,
                number,
                length=len(line),
            )
        if CONTROL_CHARACTERS.search(line):
            raise BadFile(_("The record holds control characters."), ASK_AGAIN, number)
    return records


def _lines(data: bytes) -> list[str]:
    data = data.rstrip(b"\x1a\r\n")
    # A file in UTF-8 is one only if its lines have 120 characters, "é" counting for one.
    try:
        lines = _split(data.decode("utf-8-sig"))
        if all(len(line) == LENGTH for line in lines):
            return lines
    except UnicodeDecodeError:
        pass
    try:
        return _split(data.decode("cp1252"))
    except UnicodeDecodeError:
        raise BadFile(_("The text is not in a Western encoding (ISO 8859-1)."), ASK_AGAIN) from None


def _split(text: str) -> list[str]:
    if "\n" in text or "\r" in text:
        return re.split("\r\n|\n|\r", text)
    return [text[start : start + LENGTH] for start in range(0, len(text), LENGTH)]


def _account(record: str) -> str:
    """Bank, branch, currency with its decimals, account: what all records of an account share."""
    return record[2:7] + record[11:20] + record[21:32]


def _statement(
    opening: tuple[int, str],
    drafts: list[tuple[int, str, list[str]]],
    closing: tuple[int, str],
) -> Statement:
    line, record = opening
    if record[16:19] != "EUR":
        raise BadFile(
            _("The account is in %(currency)s; only euros are kept here."),
            _("Import statements of euro accounts only."),
            line,
            currency=repr(record[16:19]),
        )
    end = _day(closing[1][34:40], closing[0])
    # The old balance is dated of the day it closed: the statement covers the days after.
    start = _day(record[34:40], line)
    if start < end:
        start += timedelta(days=1)
    return checked(
        Statement(
            iban=french_iban(record[2:7], record[11:16], record[21:32], line=line),
            currency="EUR",
            number="",
            start=start,
            end=end,
            opening_cents=_cents(record, line),
            closing_cents=_cents(closing[1], closing[0]),
            movements=tuple(_movement(*draft) for draft in drafts),
        ),
        line=closing[0],
    )


def _movement(line: int, record: str, details: list[str]) -> Movement:
    texts: dict[str, str] = {}
    for detail in details:
        # A qualifier said twice goes on; LIB lines are sentences, the others raw pieces.
        qualifier, text = detail[45:48], detail[48:118]
        texts[qualifier] = texts.get(qualifier, "") + text + (" " if qualifier == "LIB" else "")
    said = {qualifier: one_line(text, LONGEST_REFERENCE) for qualifier, text in texts.items()}

    cents = _cents(record, line)
    label = one_line(f"{record[48:80]} {said.get('LIB', '')}", LONGEST_LABEL)
    mandate = said.get("RUM", "")[:LONGEST_IDENTIFIER]
    return_code = _return_code(record, said)
    kind = _kind(record, label, mandate, return_code)

    # Who paid; for a return, who was to pay.
    payer_first = (cents > 0) != (kind == "return")
    if kind == "return" and not said.keys() & ({"NPY", "IPY"} if payer_first else {"NBE", "IBE"}):
        payer_first = not payer_first
    names, accounts = (("NPY", "NPO"), ("IPY", "CPY")) if payer_first else (("NBE", "NBU"), ("IBE", "CBE"))
    client_reference = one_line(texts.get("RCN", "")[:35], LONGEST_IDENTIFIER)
    bank_reference = said.get("REF", "")
    end_to_end = client_reference or bank_reference[:LONGEST_IDENTIFIER]
    entry_number = record[81:88].strip()
    return Movement(
        line=line,
        booked=_day(record[34:40], line),
        valued=_day(record[42:48], line) if record[42:48].strip(" 0") else None,
        amount_cents=cents,
        label=label,
        end_to_end="" if end_to_end == "NOTPROVIDED" else end_to_end,
        mandate=mandate,
        reference=one_line(
            " ".join((texts.get("LCC", "") + texts.get("LC2", ""), texts.get("LCS", ""))),
            LONGEST_REFERENCE,
        ),
        counterparty_name=next((said[name] for name in names if said.get(name)), "")[:LONGEST_NAME],
        counterparty_iban=next(filter(None, (_iban(texts.get(key, "")) for key in accounts)), ""),
        return_code=return_code,
        bank_reference=(
            one_line(record[104:120], LONGEST_IDENTIFIER)
            or bank_reference[:LONGEST_IDENTIFIER]
            or (entry_number if entry_number.strip("0") else "")
        ),
        kind=kind,
    )


def _return_code(record: str, said: dict[str, str]) -> str:
    """ISO reason of the RET detail, else the bank's two characters as given."""
    iso = said.get("RET", "")[:4]
    if re.fullmatch(r"[A-Z]{2}[A-Z0-9]{2}", iso):
        return iso
    code = record[40:42].strip()
    return "" if code == "00" else code


def _kind(record: str, label: str, mandate: str, return_code: str) -> Kind:
    if return_code:
        return "return"
    if code := KIND_CODES.get(record[7:11]):
        return code
    words = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().upper()
    for kind, pattern in KIND_WORDS:
        if pattern.match(words):
            return kind
    return "direct_debit" if mandate else "other"


def _iban(text: str) -> str:
    """The IBAN at the start of an identifier, "" when it is something else."""
    words = text[:35].split()
    compact = "".join(words)
    return compact if is_iban(compact) else ""


def _day(text: str, line: int) -> date:
    try:
        if not (text.isascii() and text.isdigit()):
            raise ValueError
        return date(FIRST_YEAR + int(text[4:6]), int(text[2:4]), int(text[0:2]))
    except ValueError:
        raise BadFile(_("%(text)s is not a day written DDMMYY."), ASK_AGAIN, line, text=repr(text)) from None


def _cents(record: str, line: int) -> int:
    """Signed cents of columns 91-104, whose last character is both digit and sign.

    `0000000024512E` with 2 decimals is +2,451.25; `0000000001070}` is −107.00.
    """
    digits, last, decimals = record[90:103], record[103], record[19]
    sign = 1 if last in CREDIT else -1
    unit = (CREDIT if sign == 1 else DEBIT).find(last)
    if unit < 0 or not (digits.isascii() and digits.isdigit()) or decimals not in "0123456789":
        raise BadFile(_("%(text)s is not a signed amount."), ASK_AGAIN, line, text=repr(record[90:104]))
    amount = int(digits) * 10 + unit
    cents, rest = divmod(amount * 100, 10 ** int(decimals))
    if rest or cents > LARGEST_CENTS:
        raise BadFile(_("The amount is not a number of cents."), ASK_BANK, line)
    return sign * cents


def french_iban(bank: str, branch: str, account: str, *, line: int | None = None) -> str:
    """IBAN of a French account known by its RIB, both keys computed.

    Key of the RIB: 97 − (89·bank + 15·branch + 3·account) mod 97. Raises BadFile at `line`.
    """
    if not re.fullmatch(r"[0-9]{10}[0-9A-Z]{11}", bank + branch + account):
        raise BadFile(
            _("Bank %(bank)s, branch %(branch)s and account %(account)s are no French account."),
            ASK_BANK,
            line,
            bank=repr(bank),
            branch=repr(branch),
            account=repr(account),
        )
    digits = int(account.translate(RIB_DIGITS))
    key = 97 - (89 * int(bank) + 15 * int(branch) + 3 * digits) % 97
    bban = f"{bank}{branch}{account}{key:02d}"
    return f"FR{98 - iban_number(bban + 'FR00') % 97:02d}{bban}"


def write_statement(statement: Statement) -> bytes:
    """The statement as a CFONB 120 file, in ISO 8859-1 with CR LF.

    Characters outside ISO 8859-1 lose their accent or become "?". What the format has no place for
    (number of the statement, number of transactions of a batch, remittance text past 140 characters)
    is left out. A kind is kept in the
    internal operation code. Raises ValueError: account not French, amount of over 14 digits.
    """
    if not re.fullmatch(r"FR[0-9]{12}[0-9A-Z]{11}[0-9]{2}", statement.iban):
        raise ValueError(f"{statement.iban} is not a French IBAN")
    bank, branch, account = statement.iban[4:9], statement.iban[9:14], statement.iban[14:25]

    def record(code: str, day: date, *, operation: str = "", rest: dict[int, str]) -> str:
        line = [" "] * LENGTH
        columns = {1: code, 3: bank, 8: operation, 12: branch, 17: "EUR2", 22: account}
        for column, text in (columns | {35: f"{day:%d%m%y}"} | rest).items():
            line[column - 1 : column - 1 + len(text)] = text
        return "".join(line)

    before = statement.start - timedelta(days=1)
    lines = [record("01", before, rest={91: _overpunched(statement.opening_cents)})]
    codes = {kind: code for code, kind in KIND_CODES.items()}
    for movement in map(_western, statement.movements):
        operation = codes[movement.kind]
        label, *more = _wrapped(movement.label, 31, 70)
        # What does not fit in the record itself goes into a detail.
        reference = movement.bank_reference if len(movement.bank_reference) <= 16 else ""
        reason = movement.return_code if len(movement.return_code) == 2 else ""
        columns = {
            41: reason,
            43: f"{movement.valued:%d%m%y}" if movement.valued else "",
            49: label,
            82: "0000000",
            91: _overpunched(movement.amount_cents),
            105: reference,
        }
        lines.append(record("04", movement.booked, operation=operation, rest=columns))
        details = [("LIB", text) for text in more]
        details += _details(movement, reference_said=bool(reference), reason_said=bool(reason))
        lines += [
            record("05", movement.booked, operation=operation, rest={46: qualifier + text})
            for qualifier, text in details
        ]
    lines.append(record("07", statement.end, rest={91: _overpunched(statement.closing_cents)}))
    return "".join(line + "\r\n" for line in lines).encode("latin-1")


def _details(movement: Movement, *, reference_said: bool, reason_said: bool) -> list[tuple[str, str]]:
    """(qualifier, text of at most 70 characters) of each detail that has something to say."""
    payer = (movement.amount_cents > 0) != (movement.kind == "return")
    name, account = ("NPY", "IPY") if payer else ("NBE", "IBE")
    bank_reference = "" if reference_said else movement.bank_reference
    # Without a client reference, a reader takes the bank's for it: say that there is none.
    client_reference = movement.end_to_end or ("NOTPROVIDED" if bank_reference else "")
    iban = movement.counterparty_iban
    details = [
        (name, movement.counterparty_name[:70]),
        (name, movement.counterparty_name[70:]),
        (account, f"{iban:<35}IBAN" if iban else ""),
        ("LCC", movement.reference[:70]),
        ("LC2", movement.reference[70:140]),
        ("RCN", client_reference),
        ("REF", bank_reference),
        ("RUM", movement.mandate),
        ("RET", "" if reason_said else movement.return_code),
    ]
    return [(qualifier, text[:70]) for qualifier, text in details if text]


def _wrapped(text: str, first: int, width: int) -> list[str]:
    """Words on lines of `width`, the first line being narrower."""
    if len(text) <= first:
        return [text]
    head = textwrap.wrap(text, first, break_on_hyphens=False)[0]
    return [head, *textwrap.wrap(text[len(head) :], width, break_on_hyphens=False)]


def _western(movement: Movement) -> Movement:
    """The movement with its texts in ISO 8859-1, as close as can be, each on one line."""
    texts: dict[str, Any] = {
        field.name: _latin(value)
        for field in fields(movement)
        if isinstance(value := getattr(movement, field.name), str)
    }
    return replace(movement, **texts)


def _latin(text: str) -> str:
    text = one_line(CONTROL_CHARACTERS.sub(" ", text), LONGEST_REFERENCE)
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        bare = "".join(
            character
            for character in unicodedata.normalize("NFKD", text)
            if not unicodedata.combining(character)
        )
        text = one_line(bare.encode("latin-1", "replace").decode("latin-1"), LONGEST_REFERENCE)
    return text


def _overpunched(cents: int) -> str:
    """Fourteen characters, the last one holding both digit and sign."""
    if abs(cents) > LARGEST_CENTS:
        raise ValueError(f"{cents} cents do not fit in 14 digits")
    digits = f"{abs(cents):014d}"
    return digits[:-1] + (CREDIT if cents >= 0 else DEBIT)[int(digits[-1])]
