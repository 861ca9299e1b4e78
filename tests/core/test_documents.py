"""Papers: the association's own texts, tried before they are kept; letters archived as they went."""

import hashlib
import re
from datetime import UTC, date, datetime

import pytest
from django.db import DatabaseError, connection, transaction

from core import documents
from core.documents import Document, DocumentTemplate, Letterhead, NoPaper, Sending
from core.typeset import DoesNotCompile, Merged, Press

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
ON = date(2026, 3, 5)
HEAD = {
    "name": "Le Toit",
    "address": ["1 rue Haute", "59000 Lille"],
    "phone": "",
    "email": "",
    "legal": "",
    "signatory": ["La directrice"],
}
TEXT = "= #d.title\n\nBonjour #d.names,\n\nmerci."
DATA = {"title": "Essai", "names": "Alex MARTIN", "to": ["Alex MARTIN", "59000 LILLE"], "dated": "Lille"}


def typeset(text=TEXT, **data):
    with Press(text, head=HEAD) as press:
        return press.pdf(DATA | data, on=ON)


# ---- typesetting -----------------------------------------------------------------------------


def test_the_same_letter_is_the_same_bytes():
    assert typeset() == typeset()


def test_a_letter_is_tagged_and_made_to_be_kept():
    made = typeset()

    assert b"/StructTreeRoot" in made and b"/Lang" in made
    assert b"pdfuaid:part" in made and b"pdfaid:conformance>A<" in made


def test_data_is_text_never_markup():
    """A household's name cannot run the typesetter."""
    assert typeset(names='#panic("no") *x* $y$ ]').startswith(b"%PDF")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("= Titre\n\n#d.nom", 3, "There is no “nom” in this letter's data."),
        ("un\n#sommme(1)", 2, "“sommme” is not known."),
        ("un\n*deux", 2, "A bracket or a star is opened without being closed"),
        ("un ] deux", 1, "A bracket or a star is opened without being closed"),
        ('#read("/etc/passwd")', 1, "A letter opens no other file."),
        ('#import "@preview/x:1.0.0"', 1, "A letter opens no other file."),
    ],
)
def test_a_text_that_does_not_typeset_is_refused_by_its_line(text, line, said):
    with pytest.raises(DoesNotCompile, match=re.escape(said)) as refused:
        typeset(text)

    assert refused.value.line == line


def test_a_text_reaches_no_other_file():
    with pytest.raises(DoesNotCompile):
        typeset('#image("../../../etc/passwd")')


def test_letters_are_merged_page_for_page():
    merged = Merged()
    for names in ("Alex MARTIN", "Camille 5 0 R (DURAND)", "Alex MARTIN"):
        merged.add(typeset(names=names))
    whole = merged.file()

    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", whole)) == 3
    # What two letters have in common is there once.
    assert len(whole) < 3 * len(typeset())
    start = int(re.search(rb"startxref\n(\d+)", whole)[1])
    assert whole[start : start + 4] == b"xref"


def test_only_our_own_files_are_merged():
    with pytest.raises(ValueError, match="not a file of our typesetter"):
        Merged().add(b"%PDF-1.4\nnothing\n%%EOF")


# ---- texts -----------------------------------------------------------------------------------


def test_a_text_kept_is_used_and_the_original_comes_back(build):
    user = build.user("rental_manager")
    own = documents.PAPERS["receipt"].original + "\n\nAvec nos remerciements."
    documents.save_template("receipt", own, by=user)
    assert documents.template("receipt") == (own, 1)

    documents.back_to_original("receipt", by=user)

    assert documents.template("receipt") == (documents.PAPERS["receipt"].original, 0)
    assert DocumentTemplate.objects.count() == 2


def test_a_text_that_fails_one_of_its_samples_is_not_kept(build):
    with pytest.raises(DoesNotCompile):
        documents.save_template("receipt", "#d.nothing", by=build.user("rental_manager"))

    assert not DocumentTemplate.objects.exists()


def test_a_text_changed_meanwhile_is_not_written_over(build):
    user = build.user("rental_manager")
    own = documents.PAPERS["receipt"].original
    documents.save_template("receipt", own + "\n\nUn.", by=user, seen=0)

    with pytest.raises(NoPaper, match="Somebody else has changed this text"):
        documents.save_template("receipt", own + "\n\nDeux.", by=user, seen=0)


def test_a_logo_must_be_a_picture(build):
    with pytest.raises(NoPaper, match="neither a PNG nor a JPEG"):
        documents.save_letterhead(
            Letterhead(name="A", address="x", city="Lille", logo=b"<svg/>"), by=build.user("director")
        )


# ---- the archive -----------------------------------------------------------------------------


@pytest.fixture
def archived(build):
    return documents.archive(
        "receipt",
        documents.PAPERS["receipt"].samples()[0],
        subject="lease",
        subject_id=7,
        by=None,
        now=NOW,
        month=date(2026, 3, 1),
    )


def test_a_letter_is_archived_with_its_hash(archived):
    kept = Document.objects.get()

    assert kept.sha256 == hashlib.sha256(bytes(kept.content)).hexdigest()
    assert kept.read().startswith(b"%PDF")
    assert (kept.template_version, kept.file_name) == (0, "receipt-2026-03-7-1.pdf")


@pytest.mark.parametrize(
    "change",
    [
        lambda: Document.objects.update(title="x"),
        lambda: Document.objects.all()._raw_delete("default"),
        lambda: Sending.objects.update(failure="x"),
        lambda: Sending.objects.all()._raw_delete("default"),
        lambda: Letterhead.objects.update(name="x"),
        lambda: DocumentTemplate.objects.update(source="x"),
    ],
)
def test_what_was_made_and_sent_is_never_changed(archived, change):
    documents.note_sent([archived.pk], "print", by=None, now=NOW)
    Letterhead.objects.create(name="A", address="x", city="Lille")
    DocumentTemplate.objects.create(code="receipt", version=1, source="x")

    with pytest.raises(DatabaseError, match="document_append_only"), transaction.atomic():
        change()


@pytest.mark.sqlite
def test_replacing_is_changing(archived):
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="document_append_only"):
        cursor.execute("INSERT OR REPLACE INTO core_document SELECT * FROM core_document")


def test_a_paper_of_a_month_is_made_once(archived):
    with pytest.raises(DatabaseError), transaction.atomic():
        documents.archive(
            "receipt",
            documents.PAPERS["receipt"].samples()[0],
            subject="lease",
            subject_id=7,
            by=None,
            now=NOW,
            month=date(2026, 3, 1),
        )
