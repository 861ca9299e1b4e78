"""Every sentence a user can see is there in French."""

import ast
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


def test_every_name_that_gettext_goes_by_is_searched_for():
    names = set()
    for path in translations.modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation":
                names |= {name.asname or name.name for name in node.names if "gettext" in name.name}

    assert names <= set(translations.KEYWORDS)


def test_no_sentence_hides_within_an_f_string():
    hidden = [
        f"{path.relative_to(translations.ROOT)}:{call.lineno}"
        for path in translations.modules()
        for string in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(string, ast.JoinedStr)
        for call in ast.walk(string)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in translations.KEYWORDS
    ]

    assert not hidden, f"The catalogue cannot see them: {hidden}"


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
