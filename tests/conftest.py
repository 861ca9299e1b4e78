"""What every test may ask for, the same on SQLite and PostgreSQL."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from gla import translations

pytest_plugins = ["tests.databases", "tests.site", "tests.undefined"]

CANNOT = "cannot run on this machine: "
FILES = pytest.StashKey[str]()
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

hypothesis_settings.register_profile(
    "house",
    deadline=None,  # the machines are shared
    derandomize=IN_CI,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.load_profile("house")


class QuickHasher(PBKDF2PasswordHasher):
    """Django's own, in one round: a site in another process can still check it."""

    iterations = 1


def pytest_configure(config):
    from django.conf import settings

    if not hasattr(config, "workerinput"):
        translations.compile_stale()
    settings.PASSWORD_HASHERS = ["tests.conftest.QuickHasher"]
    # Documents of a test are no one's: a directory for each process, removed at the end.
    config.stash[FILES] = tempfile.mkdtemp(prefix="gla-files-")
    settings.MEDIA_ROOT = os.environ["GLA_FILES"] = config.stash[FILES]


def pytest_unconfigure(config):
    if FILES in config.stash:
        shutil.rmtree(config.stash[FILES], ignore_errors=True)


def pytest_report_header(config):
    from django.db import connection

    return f"engine: {connection.display_name}"


def pytest_collection_modifyitems(config, items):
    """A test marked for one engine is left out on the other, which its own run covers."""
    from django.db import connection

    for item in items:
        if "build" in item.fixturenames and "fresh_database" not in item.fixturenames:
            # pytest-django makes its test database only if a test says beforehand that it wants one.
            item.add_marker(pytest.mark.django_db)
        marked = item.get_closest_marker("django_db")
        if (marked and marked.kwargs.get("transaction")) or "transactional_db" in item.fixturenames:
            raise pytest.UsageError(
                f"{item.nodeid}: append-only tables refuse a flush; ask for fresh_database"
            )
    other = {"sqlite": "postgresql", "postgresql": "sqlite"}[connection.vendor]
    here, elsewhere = [], []
    for item in items:
        (elsewhere if item.get_closest_marker(other) else here).append(item)
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = here


def pytest_terminal_summary(terminalreporter):
    """What could not run here is said at the end, with the line that installs it."""
    skipped = [
        str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        for report in terminalreporter.stats.get("skipped", [])
    ]
    reasons = [words.split(CANNOT, 1)[1] for words in skipped if CANNOT in words]
    if reasons:
        terminalreporter.section("NOT TESTED ON THIS MACHINE", sep="!", red=True, bold=True)
        for reason in sorted(set(reasons)):
            terminalreporter.line(f"{reasons.count(reason)} tests: {reason}", red=True)


def cannot_run(what: str, install: str) -> None:
    """Leave a test out loudly: `what` is missing, `install` is the line that brings it. In CI it fails."""
    words = f"{CANNOT}{what} is missing. Install it: {install}"
    if IN_CI:
        pytest.fail(words, pytrace=False)
    pytest.skip(words)


@pytest.fixture
def build(request):
    """Makes homes, leases, entries, each with its dates in sight (tests/builders.py)."""
    request.getfixturevalue("fresh_database" if "fresh_database" in request.fixturenames else "db")
    from tests.builders import Builder

    return Builder()


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the repository."""
    return translations.ROOT


@pytest.fixture(autouse=True)
def english(settings):
    """Tests read what the program says in English; a test of its French says so itself."""
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield
