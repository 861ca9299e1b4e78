"""One SQL text for both engines: the few words that differ are translated here.

LEAST, GREATEST · DAYS(from, to): whole days · PLUS_DAYS(day, n) · WHOLE(x): a bigint ·
MATERIALIZED as is. Parameters are written %(name)s.

The lookup `spoken` finds a text as people say it, without case nor accents, on both engines:
Person.objects.filter(last_name__spoken="GERARD") finds Gérard.
"""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from django.db import connection, models
from django.db.models import CharField, Lookup, TextField

_SQLITE = (
    (re.compile(r"\bLEAST\("), "MIN("),
    (re.compile(r"\bGREATEST\("), "MAX("),
    (
        re.compile(r'\bDAYS\(([\w."]+|%\(\w+\)s), ([\w."]+|%\(\w+\)s)\)'),
        r"CAST(julianday(\2) - julianday(\1) AS INTEGER)",
    ),
    (re.compile(r'\bPLUS_DAYS\(([\w."]+|%\(\w+\)s), ([\w."\- ]+)\)'), r"date(\1, (\2) || ' days')"),
    (re.compile(r"\bWHOLE\("), "("),
    (re.compile(r"\bDAY\((%\(\w+\)s)\)"), r"\1"),
)
_POSTGRESQL = (
    (re.compile(r'\bDAYS\(([\w."]+|%\(\w+\)s), ([\w."]+|%\(\w+\)s)\)'), r"(\2 - \1)"),
    (re.compile(r'\bPLUS_DAYS\(([\w."]+|%\(\w+\)s), ([\w."\- ]+)\)'), r"(\1 + (\2)::int)"),
    (re.compile(r"\bWHOLE\("), "floor("),
    (re.compile(r"\bDAY\((%\(\w+\)s)\)"), r"\1::date"),
)


class FirstOfMonth(models.Func):
    """Whether a date is the first of its month, for constraints (`month__day=1` calls Python for each row)."""

    arity = 1
    output_field = models.BooleanField()

    def as_sqlite(self, compiler, connection, **extra):
        # Without a comma: Django reads a table's columns back by splitting its text at commas.
        return self.as_sql(compiler, connection, template="%(expressions)s GLOB '*-01'", **extra)

    def as_postgresql(self, compiler, connection, **extra):
        return self.as_sql(compiler, connection, template="EXTRACT(DAY FROM %(expressions)s) = 1", **extra)


@lru_cache(maxsize=256)
def translate(text: str, vendor: str) -> str:
    for pattern, replacement in _SQLITE if vendor == "sqlite" else _POSTGRESQL:
        text = pattern.sub(replacement, text)
    return text


@lru_cache(maxsize=64)
def load(path: Path) -> str:
    """An SQL text kept beside its subject, without its comment lines (a line --% parts statements)."""
    lines = path.read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if line == "--%" or not line.lstrip().startswith("--"))


def execute(cursor, text: str, params: dict | None = None):
    """Run a text on the default database in its own dialect; gives back the cursor."""
    cursor.execute(translate(text, connection.vendor), params)
    return cursor


def rows(text: str, params: dict | None = None) -> list[tuple]:
    """All rows of a query in the database's own dialect."""
    with connection.cursor() as cursor:
        return execute(cursor, text, params).fetchall()


ACCENTED = "àâäáãåçéèêëíìîïñóòôöõúùûüýÿ’"
"""The signs of names and addresses here that are said like a plain one, in the order of PLAIN."""
PLAIN = "aaaaaaceeeeiiiinooooouuuuyy'"


def as_spoken(text: str) -> str:
    """A text without case nor accents, as the lookup `spoken` compares it."""
    apart = unicodedata.normalize("NFD", text.lower().replace("’", "'"))
    return "".join(char for char in apart if not unicodedata.combining(char))


@CharField.register_lookup
@TextField.register_lookup
class Spoken(Lookup):
    """The text holds what is asked, whatever the case and the accents."""

    lookup_name = "spoken"

    def get_prep_lookup(self):
        return as_spoken(str(self.rhs))

    def as_sqlite(self, compiler, connection):
        # SQLite's LIKE knows the case of plain letters only: each letter is asked in all its forms.
        column, params = self.process_lhs(compiler, connection)
        return f"{column} GLOB %s", [*params, f"*{''.join(map(any_form, self.rhs))}*"]

    def as_sql(self, compiler, connection):
        column, params = self.process_lhs(compiler, connection)
        said = re.sub(r"([\\%_])", r"\\\1", self.rhs)
        return f"translate(lower({column}), %s, %s) LIKE %s", [*params, ACCENTED, PLAIN, f"%{said}%"]


@lru_cache(maxsize=512)
def any_form(letter: str) -> str:
    """The set of GLOB that holds a sign in either case, with or without accents."""
    forms = letter + "".join(a for a, plain in zip(ACCENTED, PLAIN, strict=True) if plain == letter)
    return f"[{forms}{forms.upper()}]" if letter not in "]^" else {"]": "[]]", "^": "^"}[letter]


def gather_statistics() -> None:
    """Have the engine look at its tables after a large change: without that SQLite joins blindly.

    PostgreSQL does it by itself in time; a rent run right after an import would come before.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA analysis_limit = 1000")
        cursor.execute("ANALYZE")
