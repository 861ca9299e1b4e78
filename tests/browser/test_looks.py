"""Every page that needs no number in its address, as each role, on a desk and on a phone."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import axe_playwright_python
import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from django.urls.resolvers import RoutePattern

from core.access import ROLES, can
from core.money import euros
from tests.browser.test_month import WIDER

pytestmark = pytest.mark.browser

TODAY = date(2026, 3, 12)
WIDTHS = (1280, 380)
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN_AXE = "tags => axe.run(document, {runOnly: tags}).then(done => done.violations)"
NOT_A_PAGE = ("/api/", "/template/")
OF_EVERYBODY = ["account_change_password", "mfa_index"]
OF_NOBODY = ["account_login", "account_reset_password"]


@pytest.fixture(autouse=True)
def the_day(monkeypatch):
    """The site lives on 12 March 2026, without https; as a demonstration it asks no second factor."""
    monkeypatch.setenv("GLA_TODAY", TODAY.isoformat())
    monkeypatch.setenv("GLA_HTTPS", "0")
    monkeypatch.setenv("GLA_DEMO", "1")


@pytest.fixture
def stock(build):
    """Some rows for the lists, with long names: a lease that pays, one that does not, a home to let."""
    from arrears.signals import flag_arrears
    from tests.builders import NOW

    mandant = build.owner("private", name="Société civile immobilière des Trois-Fontaines")
    held = build.unit(owner=mandant, title="mandate", label="F")
    paying = build.lease(unit=build.unit(label="C"), charges="60.00", iban="FR7610096000508452967681057")
    build.lease(unit=held, benefit="210.00", household=build.household("Vandenbroucke-Descamps"))
    build.unit()
    build.called(date(2026, 2, 1), date(2026, 3, 1))
    build.paid(paying, euros("525.00"), bank=build.bank(), on=date(2026, 3, 4))
    flag_arrears(on=TODAY, by=None, now=NOW)
    return build


def routes(resolver=None, prefix: str = "/") -> Iterator[tuple[str, object]]:
    """Every address without parameter, and its view."""
    for entry in (resolver or get_resolver()).url_patterns:
        if not isinstance(entry.pattern, RoutePattern) or entry.pattern.converters:
            continue
        here = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, here)
        else:
            yield here, entry.callback


def pages_of(user) -> list[str]:
    """The pages without parameter that a user may open."""
    found = [reverse(name) for name in OF_EVERYBODY]
    for address, view in routes():
        asked = getattr(view, "access", None)
        read = "get" in getattr(getattr(view, "view_class", None), "http_method_names", ["get"])
        if asked and read and can(user, *asked) and not any(part in address for part in NOT_A_PAGE):
            found.append(address)
    return found


def faults_of(page, address: str, *, axe: bool) -> list[str]:
    """What is wrong with a page as it is drawn, at each width."""
    said: list[str] = []

    def hear(message):
        if message.type == "error":
            said.append(f"console: {message.text}")

    page.on("console", hear)
    answer = page.goto(address)
    found = [] if answer.status == 200 else [f"answers {answer.status}"]
    if axe:
        page.evaluate(AXE)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        found += [f"at {width} px sticks out: {one}" for one in page.evaluate(WIDER)]
        for one in page.evaluate(RUN_AXE, TAGS) if axe else []:
            found += [f"at {width} px {one['id']}: {node['html'][:150]}" for node in one["nodes"][:3]]
    page.remove_listener("console", hear)
    return [f"{address} {fault}" for fault in found + said]


def test_every_page_fits_and_is_accessible(page, stock, live_site):
    found = []
    for name in OF_NOBODY:
        found += faults_of(page, reverse(name), axe=True)
    seen: set[str] = set()
    for role in ROLES:
        user = stock.user(role)
        client = Client()
        client.force_login(user)
        page.context.clear_cookies()
        session = client.cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_site.url}])
        pages = pages_of(user)
        assert len(pages) > 5, f"{role} sees hardly anything: {pages}"
        for address in pages:
            # Of two roles who see the same page, one is enough for the slow part.
            found += faults_of(page, address, axe=address not in seen)
        seen.update(pages)

    assert not found, "\n".join(found)
