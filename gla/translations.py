"""The catalogue of translated sentences, read and written in Python: no gettext to install.

python -m gla.translations update     puts new sentences in django.po, empty; drops the gone
python -m gla.translations missing    lists the sentences not translated, by file and line
python -m gla.translations compile    makes django.mo, which Django reads; `make` calls it
"""

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
APPS = ("core", "portfolio", "leases", "followup", "arrears", "energy", "api", "gla")
LANGUAGES = ("fr",)

KEYWORDS = {
    "_": None,
    "_t": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}


def path_of(language: str) -> Path:
    return ROOT / "gla" / "locale" / language / "LC_MESSAGES" / "django.po"


def templates() -> list[Path]:
    """Every template of ours: pages, mails, texts."""
    return sorted(path for app in APPS for path in (ROOT / app).glob("templates/**/*") if path.is_file())


def modules() -> list[Path]:
    """Every module of ours that may speak to a user; migrations only repeat the models."""
    return sorted(
        path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts
    )


def sentences() -> Catalog:
    """All that the code and the templates ask to be translated, with where."""
    catalog = empty()
    for path, line, message, context in found():
        place = path.relative_to(ROOT).as_posix()
        catalog.add(message, locations=[(place, line)], context=context)
    return catalog


def empty(language: str | None = None) -> Catalog:
    """A catalogue whose head holds no date of today: two people's updates then merge."""
    return Catalog(
        locale=language,
        header_comment="# Sentences of GLA.",
        project="GLA",
        version="1",
        msgid_bugs_address="none",
        last_translator="none",
        language_team="none",
        creation_date=datetime(2026, 1, 1, tzinfo=UTC),
        revision_date=datetime(2026, 1, 1, tzinfo=UTC),
        charset="utf-8",
        fuzzy=False,
    )


def found() -> Iterator[tuple[Path, int, str | tuple[str, ...], str | None]]:
    for path in modules():
        yield from found_in(path, path.read_bytes())
    if templates() and not settings.configured:
        settings.configure(USE_I18N=True)  # templatize asks for the tags' delimiters
    for path in templates():
        source = templatize(path.read_text("utf-8"), origin=str(path))
        # Babel reads it as Python, where a margin would mean a block.
        yield from found_in(path, "\n".join(line.strip() for line in source.split("\n")).encode())


def found_in(path: Path, source: bytes) -> Iterator[tuple[Path, int, str | tuple[str, ...], str | None]]:
    options = {"encoding": "utf-8"}
    for line, message, _comments, context in extract("python", io.BytesIO(source), KEYWORDS, options=options):
        yield path, line, message, context


def read(language: str) -> Catalog:
    path = path_of(language)
    if not path.exists():
        return empty(language)
    with path.open("rb") as file:
        return read_po(file, locale=language, domain="django")


def translated(message: Message) -> bool:
    texts = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    return all(texts) and not message.fuzzy


def missing(language: str) -> list[str]:
    """The sentences asked for and not translated, as `file:line "sentence"`."""
    known = read(language)
    lacking = []
    for message in sentences():
        if not message.id:
            continue
        answer = known.get(message.id, message.context)
        if answer is None or not translated(answer):
            path, line = message.locations[0]
            lacking.append(f'{path}:{line} "{message.id}"')
    return lacking


def update(language: str) -> tuple[int, int]:
    """Bring the catalogue in step with the code; (sentences, of which not translated)."""
    catalog = read(language)
    catalog.update(sentences(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, width=100, sort_output=True, omit_header=False, include_lineno=False)
    return len(catalog), len(missing(language))


def compile_stale() -> list[Path]:
    """Make each django.mo that is absent or older than its django.po."""
    made = []
    for language in LANGUAGES:
        source = path_of(language)
        target = source.with_suffix(".mo")
        if source.exists() and (not target.exists() or target.stat().st_mtime < source.stat().st_mtime):
            new = target.with_suffix(".mo.new")
            with new.open("wb") as file:
                write_mo(file, read(language))
            new.replace(target)
            made.append(target)
    return made


def main(arguments: list[str]) -> int:
    match arguments:
        case ["compile"]:
            compile_stale()
        case ["update"]:
            for language in LANGUAGES:
                total, lacking = update(language)
                print(f"{path_of(language).relative_to(ROOT)}: {total} sentences, {lacking} not translated")
        case ["missing"]:
            lacking = [line for language in LANGUAGES for line in missing(language)]
            print("\n".join(lacking) or "Every sentence is translated.")
            return 1 if lacking else 0
        case _:
            print(__doc__.strip())
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
