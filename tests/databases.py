"""A database of a test's own, where it may commit, run other processes and be killed.

Append-only tables refuse the flush that Django does after a transactional test, so nothing is
flushed: each such test gets a copy of the migrated, empty database, dropped at its end.
"""

import itertools
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db.utils import OperationalError

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """A copied database: its address, and the environment another process needs to use it."""

    vendor: str
    url: str

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "DATABASE_URL": self.url, "DJANGO_SETTINGS_MODULE": "gla.settings"}


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment, django_db_blocker, django_db_modify_db_settings, request
) -> Iterator[None]:
    """The test database. pytest-django makes none where every test has a copy of it: the copy would
    be of the real one."""
    from django.test.utils import setup_databases, teardown_databases

    verbosity = request.config.option.verbose
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=verbosity, interactive=False)
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=verbosity)


@pytest.fixture
def fresh_database(django_db_setup, django_db_blocker, tmp_path) -> Iterator[Database]:
    """The test commits for real, in a copy; threads and child processes can join it."""
    from django.core.cache import cache
    from django.db import connection

    copied = sqlite_copy if connection.vendor == "sqlite" else postgresql_copy
    with django_db_blocker.unblock(), copied(connection, tmp_path) as url:
        cache.clear()
        yield Database(connection.vendor, url)
        cache.clear()


@contextmanager
def sqlite_copy(connection, place: Path) -> Iterator[str]:
    """The database in memory, backed up to a file that takes its place."""
    connection.ensure_connection()
    path = place / "copy.sqlite3"
    with closing(sqlite3.connect(path)) as target:
        connection.connection.backup(target)
    # The database in memory lives as long as its connection: put aside, not closed.
    kept, name = connection.connection, connection.settings_dict["NAME"]
    connection.connection, connection.settings_dict["NAME"] = None, str(path)
    try:
        yield f"sqlite:///{path}"
    finally:
        connection.close()
        connection.connection, connection.settings_dict["NAME"] = kept, name


@contextmanager
def postgresql_copy(connection, place: Path) -> Iterator[str]:
    """The test database as TEMPLATE of a new one, which takes its place."""
    settings = connection.settings_dict
    template = settings["NAME"]
    name = f"{template}_copy{next(_numbers)}"
    quoted = connection.ops.quote_name
    connection.close()
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")
        # A template may have no visitor: a thread that an earlier test left behind is sent away, each time it
        # comes back.
        for left in range(20, -1, -1):
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [template]
            )
            try:
                cursor.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(template)}")
                break
            except OperationalError:
                if not left:
                    raise
                time.sleep(0.2)
    settings["NAME"] = name
    try:
        yield address(settings)
    finally:
        connection.close()
        settings["NAME"] = template
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")


def address(settings: dict) -> str:
    """The DATABASE_URL of a connection's settings."""
    user = quote(settings["USER"], safe="")
    if settings["PASSWORD"]:
        user += ":" + quote(settings["PASSWORD"], safe="")
    host = quote(settings["HOST"] or "", safe="")
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    return f"postgres://{user}@{host}{port}/{quote(settings['NAME'], safe='')}"
