"""camt.054 notices of debits and credits (*avis d'opération*): versions 02, 04 and 08, read.

The entries are those of a camt.053 statement, without balances: they tell early, or in detail, what
the statement books. Nothing is posted from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lxml import etree

from leases.formats import camt
from leases.formats.camt import Said, entry_movements, root_of
from leases.formats.statement import ASK_BANK, BadFile, Movement, _, is_iban

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.054.001."


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice: the account it is about, and its movements."""

    iban: str
    number: str
    movements: tuple[Movement, ...]


def is_notice(data: bytes) -> bool:
    """Whether the bytes name themselves a camt.054."""
    return NAMESPACE.encode() in data[:2_000]


def read_notices(data: bytes) -> list[Notice]:
    """Notices of the file, in its order. Raises BadFile, and nothing else, for any other bytes."""
    root = root_of(data, _("Download the notice again from the bank, without opening it in between."))
    name = etree.QName(root).namespace or ""
    if name.removeprefix(NAMESPACE) not in camt.VERSIONS:
        raise BadFile(
            _("This XML file is not a camt.054 notice."),
            _("Ask the bank for camt.054 version 02, 04 or 08."),
            1,
        )
    notices = []
    for notice in root.iterfind(f"{{{name}}}BkToCstmrDbtCdtNtfctn/{{{name}}}Ntfctn"):
        entries = list(notice.iterchildren(f"{{{name}}}Ntry"))
        for entry in entries:
            notice.remove(entry)
        said = Said(notice)
        iban = said.iban("Acct/Id/IBAN")
        if not is_iban(iban):
            raise BadFile(
                _("The notice's account has no valid IBAN (%(iban)s)."), ASK_BANK, said.line, iban=repr(iban)
            )
        movements = [one for entry in entries for one in entry_movements(entry, iban)]
        notices.append(Notice(iban, said.identifier("Id"), tuple(movements)))
    if not notices:
        raise BadFile(_("The file holds no notice."), ASK_BANK, 1)
    return notices


def write_notice(
    iban: str, number: str, day: date, movements: Sequence[Movement], version: str = "08"
) -> bytes:
    """A notice as a camt.054 file, in UTF-8, for the demonstration and the tests."""
    entries = "".join(camt.entry_xml(one, version) + "\n" for one in movements)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}{version}">\n'
        f"<BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>CAMT054-{number}</MsgId>"
        f"<CreDtTm>{day}T20:00:00</CreDtTm></GrpHdr>\n"
        f"<Ntfctn><Id>{number}</Id><CreDtTm>{day}T20:00:00</CreDtTm><Acct><Id><IBAN>{iban}</IBAN></Id></Acct>\n"
        f"{entries}</Ntfctn></BkToCstmrDbtCdtNtfctn>\n</Document>\n"
    ).encode()
