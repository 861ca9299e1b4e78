"""Templates: each one used, each one sound, each word in them open to translation.

Undefined variables are caught where pages are drawn: see tests/undefined.py.
"""

import ast
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template import TemplateDoesNotExist, engines
from django.template.loader import get_template

from gla.translations import ROOT, modules, templates

# Django looks for these by itself.
BY_CONVENTION = {"400.html", "403.html", "403_csrf.html", "404.html", "500.html"}
# Signs and names that are the same in every language.
SAME_EVERYWHERE = {"GLA", "Excel", "OpenAPI", "html", "px", "kWh"}
SPOKEN_ATTRIBUTES = {"alt", "title", "placeholder", "aria-label", "aria-description", "label"}

PAGES = [path for path in templates() if path.suffix in {".html", ".txt"}]


def name_of(path: Path) -> str:
    """As Django loads it: what follows templates/."""
    return path.as_posix().rpartition("/templates/")[2]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_template_compiles(path):
    loaded = get_template(name_of(path))

    assert Path(loaded.origin.name) == path, "another template of that name comes first"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_template_is_used(path):
    name = name_of(path)
    if name in BY_CONVENTION or replaces_a_package(path):
        return

    assert named(name), f"{name} is named by no view, no template: remove it"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_partial_is_used(path):
    source, name = path.read_text("utf-8"), name_of(path)
    unused = [
        partial
        for partial, inline in re.findall(r"{%\s*partialdef\s+([\w-]+)(\s+inline)?\s*%}", source)
        if not inline
        and not re.search(rf"{{%\s*partial\s+[\"']?{re.escape(partial)}[\"']?\s*%}}", source)
        and not named(f"{name}#{partial}")
    ]

    assert not unused


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_word_can_be_translated(path):
    assert not spoken(path.read_text("utf-8"))


@pytest.mark.parametrize("path", [p for p in PAGES if p.suffix == ".html"], ids=name_of)
def test_nothing_comes_from_outside_nor_inline(path):
    """The Content-Security-Policy would refuse it."""
    source = path.read_text("utf-8")

    assert not re.findall(r"(?:src|href|action)=[\"']?(?:https?:)?//", source)
    assert not re.findall(r"\son\w+=[\"']|\sstyle=[\"']|<style\b|<script(?![^>]*\bsrc=)(?![^>]*json)", source)


def test_the_walk_sees_a_bare_word():
    assert spoken('<p title="Rent">{% translate "Lease" %} of {{ household }}</p>') == ["Rent", "of"]
    assert spoken("{% blocktranslate %}Lease of {{ x }}{% endblocktranslate %} €/m² · {{ y }}") == []


def replaces_a_package(path: Path) -> bool:
    """True when a package we use has a template of that name, which ours stands in for."""
    for loader in engines["django"].engine.template_loaders[0].loaders:
        for origin in loader.get_template_sources(name_of(path)):
            if Path(origin.name) != path and Path(origin.name).exists():
                return True
    return False


@cache
def words() -> tuple[frozenset[str], tuple[re.Pattern, ...]]:
    """Every text constant of the code and every name in the templates' tags; f-strings as patterns."""
    plain, patterns = set(), []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                plain.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [
                    re.escape(part.value) if isinstance(part, ast.Constant) else r"[\w/-]+"
                    for part in node.values
                ]
                if "".join(p for p in parts if p != r"[\w/-]+").count("html"):
                    patterns.append(re.compile("".join(parts)))
    for path in templates():
        for tag in re.findall(r"{%.*?%}", path.read_text("utf-8"), re.DOTALL):
            plain.update(re.findall(r"[\"']([^\"']+)[\"']", tag))
    return frozenset(plain), tuple(patterns)


def named(name: str) -> bool:
    plain, patterns = words()
    loaded_with_partial = any(text.startswith(f"{name}#") for text in plain)
    return name in plain or loaded_with_partial or any(pattern.fullmatch(name) for pattern in patterns)


def spoken(source: str) -> list[str]:
    """The words of a template that stand outside any translation."""
    for tag in ("blocktranslate", "blocktrans", "comment", "verbatim"):
        source = re.sub(rf"{{%\s*{tag}\b.*?%}}.*?{{%\s*end{tag}\s*%}}", " ", source, flags=re.DOTALL)
    source = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", " ", source, flags=re.DOTALL)
    reader = Reader()
    reader.feed(source)
    reader.close()
    found = [word for text in reader.texts for word in re.findall(r"[A-Za-zÀ-ÿ]{2,}", text)]
    return [word for word in found if word not in SAME_EVERYWHERE and not word.isupper()]


class Reader(HTMLParser):
    """Collects the text of a page and of the attributes that are read out."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag, attrs):
        self.silent += tag in {"script", "style"}
        self.texts += [value for key, value in attrs if key in SPOKEN_ATTRIBUTES and value]

    def handle_endtag(self, tag):
        self.silent -= tag in {"script", "style"}

    def handle_data(self, data):
        if not self.silent:
            self.texts.append(data)


def test_templates_exist():
    """An empty list would make the tests above pass by saying nothing."""
    assert PAGES
    with pytest.raises(TemplateDoesNotExist):
        get_template("no-such-template.html")
    assert str(PAGES[0]).startswith(str(ROOT))
