"""What the database must hold that Django cannot state: triggers, views, exclusions.

Each app declares them in <app>/sql/<name>.<engine>.sql, statements parted by a line --%. Our own
`migrate` drops all that is declared before it alters a table and makes it anew afterwards:
SQLite silently loses the triggers of an altered table, and fails where a view stands on it.
A house test compares what each database has with what is declared.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from django.apps import apps

_MADE = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:UNIQUE\s+)?(?:CONSTRAINT\s+)?(?P<kind>TRIGGER|VIEW|FUNCTION|INDEX)"
    r"\s+(?P<name>\w+)(?:(?:(?!\bEXECUTE\b|\bBEGIN\b|;).)*?\bON\s+(?P<table>\w+))?"
    r"|ALTER\s+TABLE\s+(?P<owner>\w+)\s+ADD\s+CONSTRAINT\s+(?P<constraint>\w+)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Declared:
    """One object of the database: its kind, its name, the table it stands on, its statement."""

    kind: str
    name: str
    table: str
    sql: str

    def drop(self, vendor: str) -> str:
        cascade = " CASCADE" if vendor == "postgresql" else ""
        match self.kind:
            case "constraint":
                return f"ALTER TABLE IF EXISTS {self.table} DROP CONSTRAINT IF EXISTS {self.name}"
            case "trigger" if vendor == "postgresql":
                # DROP TRIGGER IF EXISTS still fails where its table is not there yet.
                return (
                    f"DO $$ BEGIN DROP TRIGGER IF EXISTS {self.name} ON {self.table}; "
                    "EXCEPTION WHEN undefined_table THEN NULL; END $$"
                )
            case "function":
                return f"DROP FUNCTION IF EXISTS {self.name}{cascade}"
            case kind:
                return f"DROP {kind.upper()} IF EXISTS {self.name}{cascade if kind == 'view' else ''}"


def declared(vendor: str) -> list[Declared]:
    """All objects declared for an engine, in the order in which they are made."""
    found = []
    for config in apps.get_app_configs():
        for path in sorted((Path(config.path) / "sql").glob(f"*.{vendor}.sql")):
            for statement in path.read_text("utf-8").split("--%"):
                body = "\n".join(
                    line for line in statement.splitlines() if not line.lstrip().startswith("--")
                ).strip()
                if not body:
                    continue
                made = _MADE.match(body)
                if not made:
                    raise ValueError(f"{path}: a statement that declares nothing known: {body[:60]}…")
                kind = "constraint" if made["constraint"] else made["kind"].lower()
                name = made["constraint"] or made["name"]
                found.append(Declared(kind, name, (made["owner"] or made["table"] or "").lower(), body))
    return found


def drop_declared(connection) -> None:
    with connection.cursor() as cursor:
        for thing in reversed(declared(connection.vendor)):
            cursor.execute(thing.drop(connection.vendor))


def make_declared(connection) -> None:
    with connection.cursor() as cursor:
        for thing in declared(connection.vendor):
            cursor.execute(thing.sql)


def present(connection) -> dict[tuple[str, str], str]:
    """(kind, name) of every trigger, view, exclusion and index in force, and its own text where it is kept."""
    if connection.vendor == "sqlite":
        query = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'view', 'index')"
    else:
        query = (
            "SELECT 'trigger', tgname, '' FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D' "
            "UNION SELECT 'view', viewname, '' FROM pg_views WHERE schemaname = current_schema() "
            "UNION SELECT 'index', indexname, '' FROM pg_indexes WHERE schemaname = current_schema() "
            "UNION SELECT 'constraint', conname, '' FROM pg_constraint WHERE contype = 'x' "
            "UNION SELECT 'function', proname, prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
            "AND n.nspname = current_schema() WHERE p.probin IS NULL"
        )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return {(kind, name): text for kind, name, text in cursor.fetchall()}


def missing(connection) -> list[Declared]:
    """What is declared and not there, switched off or reworded: a guard that the database lacks."""
    there = present(connection)
    return [
        thing
        for thing in declared(connection.vendor)
        if there.get((thing.kind, thing.name), "\0") not in thing.sql
    ]
