"""Letters typeset as PDF (*mise en page*): a text of the association, data that is never markup.

The same input gives the same bytes on every machine: fonts are shipped (core/paper/fonts, OFL), the
date is given. Each PDF is tagged for screen readers and made to be kept (PDF/UA-1, PDF/A-2a).
"""

import hashlib
import json
import re
import shutil
import tempfile
from datetime import date
from pathlib import Path

import typst
from django.utils.translation import gettext as _

from core.errors import Refusal

PAPER = Path(__file__).resolve().parent / "paper"
STANDARDS = ["ua-1", "a-2a"]

_BEFORE = '#import "/letter.typ": *\n#let body(d) = [\n'
_AFTER = """
]
#let all = json(bytes(sys.inputs.data))
#set document(title: all.paper.title, author: all.head.name, date: datetime(..all.date))
#show: dressed.with(all.language)
#frame(all.head, all.paper, body(all.paper))
"""
_SHIFT = _BEFORE.count("\n")
# What would read another file or fetch something from outside: no letter needs it.
_CLOSED = re.compile(r"\b(import|include|plugin|eval|read)\b\s*[(\"]|@preview")


class DoesNotCompile(Refusal):
    """A text that cannot be typeset; `line` is that of the text."""

    def __init__(self, line: int, reason: object, remedy: object = ""):
        self.line = line
        super().__init__(
            _("line %(line)d") % {"line": line},
            reason,
            remedy or _("Correct this line, or go back to the original."),
        )


class Press:
    """One text made ready to typeset any number of letters (*presse*): with `with`, as it keeps files.

    source: the letter's text in typst markup, where `d` is the data of one letter.
    head: name, address, phone, email, legal, signatory of the letterhead; logo: PNG or JPEG.
    version: of the text, kept with what is made of it.
    """

    def __init__(self, source: str, *, head: dict, logo: bytes = b"", language: str = "fr", version: int = 0):
        check_closed(source)
        self.lines = source.count("\n") + 1
        self.language, self.version = language, version
        self.place = tempfile.TemporaryDirectory(prefix="gla-paper-")
        root = Path(self.place.name)
        shutil.copy(PAPER / "letter.typ", root)
        (root / "main.typ").write_text(_BEFORE + source + _AFTER, "utf-8")
        name = ""
        if logo:
            name = "logo.png" if logo.startswith(b"\x89PNG") else "logo.jpg"
            (root / name).write_bytes(logo)
        self.head = head | {"logo": name}
        # One compiler for all: it keeps what letters have in common.
        self.compiler = typst.Compiler(
            str(root / "main.typ"),
            root=str(root),
            font_paths=[str(PAPER / "fonts")],
            ignore_system_fonts=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def close(self) -> None:
        self.place.cleanup()

    def pdf(self, paper: dict, *, on: date) -> bytes:
        """One letter, tagged and made to be kept; paper["title"] is its title. Raises DoesNotCompile."""
        return self._typeset(paper, on=on, format="pdf", pdf_standards=STANDARDS)

    def pictures(self, paper: dict, *, on: date, ppi: int = 80) -> list[bytes]:
        """The pages of one letter as PNG. Raises DoesNotCompile."""
        made = self._typeset(paper, on=on, format="png", ppi=ppi)
        return made if isinstance(made, list) else [made]

    def _typeset(self, paper: dict, *, on: date, **how):
        data = {
            "head": self.head,
            "language": self.language,
            "date": {"year": on.year, "month": on.month, "day": on.day},
            "paper": paper,
        }
        try:
            return self.compiler.compile(sys_inputs={"data": json.dumps(data, ensure_ascii=False)}, **how)
        except typst.TypstError as fault:
            raise self._told(fault) from fault

    def _told(self, fault) -> DoesNotCompile:
        places = [int(found) for found in re.findall(r"main\.typ:(\d+):", str(fault.diagnostic))]
        inside = [line - _SHIFT for line in places if 0 < line - _SHIFT <= self.lines]
        # A bracket that closes the text itself is told where the text ends.
        return DoesNotCompile(inside[0] if inside else self.lines, sentence(str(fault.message)))


def check_closed(source: str) -> None:
    """Raise DoesNotCompile where a text reaches for files or packages."""
    for number, line in enumerate(source.splitlines(), 1):
        if _CLOSED.search(line):
            raise DoesNotCompile(number, _("A letter opens no other file."), _("Take this instruction out."))


def sentence(message: str) -> str:
    """What the typesetter says, in words of the house where it is a usual fault."""
    if found := re.fullmatch(r'dictionary does not contain key "(.+)"', message):
        return _("There is no “%(name)s” in this letter's data.") % {"name": found[1]}
    if found := re.fullmatch(r"unknown variable: (\S+)", message):
        return _("“%(name)s” is not known.") % {"name": found[1]}
    if "unclosed" in message or "closing" in message or "expected semicolon" in message:
        return _("A bracket or a star is opened without being closed, or the other way round.")
    if message.startswith("file not found"):
        return _("A letter opens no other file.")
    return _("The text cannot be typeset: %(fault)s.") % {"fault": message}


# ---- one file of many --------------------------------------------------------------------

_OBJECT = re.compile(rb"(\d+) 0 obj\s")
# A literal string is passed over whole; else a reference is found and renumbered.
_REFERENCE = re.compile(rb"\((?:\\.|[^\\()])*\)|(?<![\w.])(\d+) 0 R\b", re.DOTALL)


class Merged:
    """Files of our own typesetter, one after another in one file to print (*fichier d'impression*).

    Pages stay as they are; what only a screen reader needs is left out, and what several files have
    in common is kept once. Knows what that typesetter writes (one plain cross-reference table),
    nothing more: for any other PDF it raises ValueError.
    """

    def __init__(self) -> None:
        self.out = bytearray(b"%PDF-1.7\n%\x80\x80\x80\x80\n")
        self.offsets = [0, 0, 0]  # 1 is the catalogue, 2 the tree of pages
        self.kids: list[int] = []
        self.pages = 0
        self.shared: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self.out)

    def add(self, pdf: bytes) -> None:
        """Put one file's pages behind those there are."""
        places = _places(pdf)
        root = int(_one(rb"/Root (\d+) 0 R", pdf[pdf.rindex(b"trailer") :]))
        tree = int(_one(rb"/Pages (\d+) 0 R", _body(pdf, places, root)))
        self.pages += int(_one(rb"/Count (\d+)", _body(pdf, places, tree)))
        new: dict[int, int] = {}
        waiting = [tree]
        bodies: list[tuple[int, bytes, bytes]] = []
        while waiting:
            number = waiting.pop()
            if number in new:
                continue
            head, stream, data = _body(pdf, places, number).partition(b"\nstream")
            refers = [int(found) for found in _REFERENCE.findall(head) if found]
            mark = b""
            if stream and not refers:
                mark = hashlib.sha256(head + data).digest()
                if mark in self.shared:
                    new[number] = self.shared[mark]
                    continue
            new[number] = len(self.offsets)
            self.offsets.append(0)
            if mark:
                self.shared[mark] = new[number]
            waiting += refers
            bodies.append((number, head, stream + data))
        for number, head, rest in bodies:
            moved = _REFERENCE.sub(
                lambda found: b"%d 0 R" % new[int(found[1])] if found[1] else found[0], head
            )
            if number == tree:
                moved = moved.replace(b"<<", b"<</Parent 2 0 R", 1)
            self._write(new[number], moved + rest)
        self.kids.append(new[tree])

    def _write(self, number: int, body: bytes) -> None:
        self.offsets[number] = len(self.out)
        self.out += b"%d 0 obj\n%s\nendobj\n" % (number, body)

    def file(self) -> bytes:
        """The whole as one PDF."""
        kids = b" ".join(b"%d 0 R" % kid for kid in self.kids)
        self._write(1, b"<</Type/Catalog/Pages 2 0 R>>")
        self._write(2, b"<</Type/Pages/Count %d/Kids[%s]>>" % (self.pages, kids))
        at, count = len(self.out), len(self.offsets)
        self.out += b"xref\n0 %d\n0000000000 65535 f\r\n" % count
        self.out += b"".join(b"%010d 00000 n\r\n" % offset for offset in self.offsets[1:])
        self.out += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, at)
        return bytes(self.out)


def _places(pdf: bytes) -> list[tuple[int, int]]:
    """Where each object starts and ends, by number from 1."""
    at = int(_one(rb"startxref\s+(\d+)\s+%%EOF", pdf[-200:]))
    count = int(_one(rb"xref\s+0 (\d+)", pdf[at : at + 40]))
    starts = [int(found) for found in re.findall(rb"(\d{10}) 00000 n", pdf[at:])]
    if len(starts) != count - 1:
        raise ValueError("not a file of our typesetter")
    ends = dict(zip(sorted(starts), [*sorted(starts)[1:], at], strict=True))
    return [(start, ends[start]) for start in starts]


def _body(pdf: bytes, places: list[tuple[int, int]], number: int) -> bytes:
    start, end = places[number - 1]
    piece = pdf[start:end]
    head = _OBJECT.match(piece)
    if not head or int(head[1]) != number:
        raise ValueError("not a file of our typesetter")
    return piece[head.end() : piece.rindex(b"endobj")].strip(b"\n")


def _one(pattern: bytes, text: bytes) -> bytes:
    found = re.search(pattern, text)
    if not found:
        raise ValueError("not a file of our typesetter")
    return found[1]
