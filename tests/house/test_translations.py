"""Every sentence a user can see is there in French."""

import contextlib
import re
from string import Formatter

import pytest

from gla import translations


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_every_sentence_is_translated(language):
    lacking = translations.missing(language)

    assert not lacking, (
        f"{len(lacking)} sentences are not in {language}. Run python -m gla.translations update, "
        "then fill gla/locale:\n" + "\n".join(lacking[:40])
    )


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_the_catalogue_has_no_sentence_that_nobody_says(language):
    said = {(message.id, message.context) for message in translations.sentences() if message.id}
    kept = {(message.id, message.context) for message in translations.read(language) if message.id}

    assert not kept - said, "Run python -m gla.translations update"


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_a_translation_fills_the_same_blanks(language):
    wrong = []
    for message in translations.read(language):
        if not message.id:
            continue
        asked = set().union(*(blanks(text) for text in listed(message.id)))
        for text in filter(None, listed(message.string)):
            # Of a plural, the singular may say "one" rather than the number.
            right = blanks(text) <= asked if message.pluralizable else blanks(text) == asked
            if not right:
                wrong.append(f"{message.id!r} → {text!r}")

    assert not wrong


def test_what_django_reads_is_what_is_written():
    for language in translations.LANGUAGES:
        compiled = translations.path_of(language).with_suffix(".mo")

        assert compiled.exists(), "make compiles it: python -m gla.translations compile"


def listed(text) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, (tuple, list)) else (text,)


def blanks(text: str) -> set[str]:
    """The %(name)s, %s and {name} of a sentence."""
    found = set(re.findall(r"%\(\w+\)[sd]|(?<!%)%[sd]", text))
    with contextlib.suppress(ValueError):  # a lone brace is text
        found |= {"{" + (name or "") + "}" for _, name, _, _ in Formatter().parse(text) if name is not None}
    return found
