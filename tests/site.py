"""The real site in a process of its own, and a real browser to look at it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.databases import Database

STARTS_WITHIN = 60  # seconds


@dataclass
class Site:
    """A running site: its address, its database, what it wrote."""

    url: str
    database: Database
    log: Path = field(repr=False)

    def words(self) -> str:
        return self.log.read_text(errors="replace")


@pytest.fixture
def live_site(fresh_database, tmp_path, root) -> Iterator[Site]:
    """The site on 127.0.0.1 with the test's own database; a traceback in its log fails the test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    site = Site(f"http://127.0.0.1:{port}", fresh_database, tmp_path / "site.log")
    command = [sys.executable, "-u", "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    # Its long work runs in the site's own process: no worker stands beside it, on PostgreSQL either.
    environment = {"GLA_WORKERS": "0", **fresh_database.environment}
    with site.log.open("w") as log:
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(site, process, port)
        yield site
    finally:
        process.terminate()
        process.wait(timeout=30)
    if "Traceback (most recent call last)" in site.words():
        pytest.fail(f"The site failed while the test looked at it:\n{site.words()[-4000:]}", pytrace=False)


def wait_for(site: Site, process: subprocess.Popen, port: int) -> None:
    limit = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < limit:
        if process.poll() is not None:
            pytest.fail(f"The site stopped while starting:\n{site.words()[-4000:]}", pytrace=False)
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"The site did not answer within {STARTS_WITHIN} s:\n{site.words()[-4000:]}", pytrace=False)


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window. The system's, or the one named by GLA_CHROMIUM."""
    from tests.conftest import cannot_run

    named = [os.environ.get("GLA_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    program = next((path for path in (shutil.which(name) for name in named if name) if path), None)
    if program is None:
        cannot_run("Chromium", "apt-get install -y chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        cannot_run("playwright", "make test, which installs requirements.lock")

    # Playwright keeps an event loop in this thread, where Django would refuse to read its database.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=program, args=["--no-sandbox", "--disable-background-networking"]
            )
            yield chromium
            chromium.close()
    finally:
        os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")
        if before is not None:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture
def page(browser, live_site):
    """A new visitor of the site, in French. Fails on a script error, a blocked or an outside request."""
    context = browser.new_context(
        base_url=live_site.url,
        locale="fr-FR",
        timezone_id="Europe/Paris",
        viewport={"width": 1280, "height": 800},
    )
    context.set_default_timeout(15_000)
    faults: list[str] = []

    def here_only(route):
        if re.match(r"(data|blob|about):", route.request.url) or route.request.url.startswith(live_site.url):
            return route.continue_()
        faults.append(f"asked outside: {route.request.url}")
        return route.abort()

    context.route("**/*", here_only)
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(f"script error: {error}"))
    page.on(
        "console",
        lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None,
    )
    yield page
    context.close()
    if faults:
        pytest.fail("\n".join(sorted(set(faults))), pytrace=False)
