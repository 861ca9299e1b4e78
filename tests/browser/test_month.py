"""A month of rent as its first users live it: from an empty database, by the pages alone."""

from datetime import date
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from core.money import euros
from core.tables import write_table
from leases.columns import LEASE_COLUMNS
from portfolio.imports import COLUMNS
from tests.leases.statements import OTHER_PAYER, PAYER, camt_file, received

pytestmark = pytest.mark.browser

TODAY = date(2026, 3, 12)
PASSWORD = "a good long password"  # what the builders give
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(autouse=True)
def the_day(monkeypatch):
    """The site lives on 12 March 2026, served without https."""
    monkeypatch.setenv("GLA_TODAY", TODAY.isoformat())
    monkeypatch.setenv("GLA_HTTPS", "0")


# ---- the files ----------------------------------------------------------------------------


def home(number: int, owner: str, kind: str, title: str) -> dict:
    return {
        "unit_reference": f"A-{number}",
        "site_reference": "LILAS",
        "site_name": "Les Lilas",
        "building_reference": "LILAS-1",
        "address": "1 rue des Lilas",
        "postcode": "59000",
        "commune": "Lille",
        "commune_code": "59350",
        "typology": "T3",
        "living_surface": Decimal("62.5"),
        "owner_reference": owner,
        "owner_kind": kind,
        "owner_name": owner.title(),
        "title": title,
        "title_start": date(2020, 1, 1),
    }


def lease(number: int, name: str, rent: str, charges: str, **said) -> dict:
    return {
        "lease_reference": f"B-{number}",
        "kind": "L89_VIDE",
        "place_reference": f"A-{number}",
        "household_reference": f"M-{number}",
        "head_reference": f"P-{number}",
        "head_last_name": name,
        "head_first_name": "Alex",
        "start": date(2024, 3, 1),
        "rent": euros(rent),
        "charges": euros(charges),
        **said,
    }


def portfolio_file() -> bytes:
    homes = [
        home(1, "GLA", "association", "acte"),
        home(2, "DUPONT", "bailleur privé", "mandat"),
        home(3, "GLA", "association", "acte"),
    ]
    return write_table(COLUMNS, homes, format="xlsx")


def leases_file() -> bytes:
    leases = [
        lease(1, "Martin", "465.00", "35.00", payer_iban=PAYER),
        lease(2, "Petit", "310.00", "20.00"),
        lease(3, "Durand", "420.00", "30.00"),
    ]
    return write_table(LEASE_COLUMNS, leases, format="xlsx")


def statement_file() -> bytes:
    """Martin pays from the account we know; Petit's sister pays, with a label that says nothing; Durand does not."""
    return camt_file(
        received("500.00", date(2026, 3, 5), counterparty_name="MARTIN ALEX", counterparty_iban=PAYER),
        received("330.00", date(2026, 3, 6), counterparty_name="PETIT JEANNE", counterparty_iban=OTHER_PAYER),
        opening="1000.00",
        start=date(2026, 3, 1),
        end=date(2026, 3, 11),
    )


# ---- what a reader does -------------------------------------------------------------------


def sign_in(page, user: str) -> None:
    page.goto("/")
    page.locator("input[name=login]").fill(user)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main button[type=submit]").click()
    page.wait_for_url("/")
    in_english = page.get_by_role("button", name="EN", exact=True)
    if in_english.get_attribute("aria-pressed") == "false":
        in_english.click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def sign_out(page) -> None:
    page.locator(".top-user details.menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")


def menu(page, entry: str) -> None:
    """Open an entry of the main navigation, behind its button on a phone, or its group's."""
    page.wait_for_load_state()
    fold = page.locator("details.nav-fold > summary")
    if fold.is_visible() and not page.locator("nav.nav-main").is_visible():
        fold.click()
    named = page.get_by_text(entry, exact=True).and_(page.locator("a"))
    link = page.locator("nav.nav-main").locator(named)
    if not link.is_visible():
        page.locator("nav.nav-main details", has=named).locator("summary").click()
    link.click()


def send(page, name: str, content: bytes, kind: str = XLSX) -> None:
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": kind, "buffer": content})
    page.locator("main").get_by_role("button", name="Import", exact=True).click()
    # A short import tells its result at once; a longer one shows its progress first.
    result = page.get_by_role("link", name="See the result")
    expect(page.locator(".note-good").or_(result)).to_be_visible()
    if result.is_visible():
        result.click()


def import_stock(page) -> None:
    """The portfolio, then the leases, from the page of imports."""
    menu(page, "Imports")
    page.get_by_role("link", name="The portfolio").click()
    send(page, "patrimoine.xlsx", portfolio_file())
    expect(page.locator(".note-good")).to_contain_text("3 units")
    menu(page, "Imports")
    page.locator("main").get_by_role("link", name="Leases").click()
    send(page, "baux.xlsx", leases_file())
    expect(page.locator(".note-good")).to_contain_text("3 leases")


def call_the_rent(page) -> None:
    """March, previewed, then called: 500 + 330 + 450."""
    menu(page, "Rent runs")
    page.get_by_role("link", name="Prepare").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("March 2026")
    expect(page.locator(".tiles")).to_contain_text("€1,280.00")
    page.get_by_role("button", name="Call the rent of").click()
    page.wait_for_url("**/jobs/**")
    page.get_by_role("link", name="See the result").click()
    expect(page.locator("main")).to_contain_text("€1,280.00")


def import_the_bank(page) -> None:
    menu(page, "Statements")
    page.get_by_role("link", name="Bank accounts").click()
    page.get_by_role("link", name="Declare a bank account").first.click()
    page.get_by_label("Name").fill("Compte courant")
    page.get_by_label("IBAN").fill("FR76 3000 4000 0312 3456 7890 143")
    page.get_by_role("button", name="Declare").click()
    menu(page, "Statements")
    page.get_by_role("link", name="Import a statement").first.click()
    send(page, "releve.xml", statement_file(), "application/xml")
    expect(page.locator(".note-good")).to_contain_text("2 movements imported, 1 placed by the rules.")


# ---- the tests ----------------------------------------------------------------------------


@pytest.fixture
def users(build):
    return build.user("rental_manager", username="gestion"), build.user("mediator", username="mediation")


def test_a_month_from_the_first_file_to_the_household_spoken_to(page, users):
    sign_in(page, "gestion")
    import_stock(page)
    call_the_rent(page)
    import_the_bank(page)

    # What the rules placed says why.
    page.locator("main").get_by_role("link", name="Compte courant").click()
    placed = page.get_by_role("row").filter(has_text="MARTIN ALEX")
    expect(placed.get_by_role("link", name="B-1")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="PETIT JEANNE")).to_contain_text("To identify")

    # The other line, in two clicks.
    menu(page, "Suspense")
    page.locator("main tbody").get_by_role("link").first.click()
    page.get_by_role("button", name="Settle B-2").click()
    expect(page.locator("#messages")).to_contain_text("€330.00 settled on B-2.")
    expect(page.locator("main")).to_contain_text("Nothing to identify: every movement is placed.")
    sign_out(page)

    # The mediator looks at the accounts, and finds who did not pay.
    sign_in(page, "mediation")
    menu(page, "Unpaid rent")
    page.get_by_role("link", name="Look at the accounts now").click()
    page.get_by_role("button", name="Look at the accounts").click()
    page.wait_for_url("**/jobs/**")
    expect(page.get_by_role("status")).to_contain_text("Done")
    menu(page, "Unpaid rent")
    expect(page.locator("main tbody tr")).to_have_count(1)
    expect(page.locator("main tbody tr")).to_contain_text("€450.00")
    page.get_by_role("link", name="DURAND Alex").click()

    # The contact is noted, then the signal is handled, without leaving the page.
    page.get_by_text("Note a contact", exact=True).click()
    page.get_by_label("What was said about the rent").fill("Pays on Friday.")
    page.get_by_role("button", name="Keep the note").click()
    expect(page.locator(".timeline")).to_contain_text(["Missed payment", "Pays on Friday."])
    page.get_by_text("Handled", exact=True).click()
    page.get_by_label("Closed because").select_option("promised")
    page.get_by_role("button", name="Close the signal").click()
    expect(page.locator("main")).to_contain_text("No signal is open on this lease.")

    # The account, as people know it.
    page.get_by_role("link", name="B-3", exact=True).click()
    account = page.locator("#account")
    expect(account.get_by_role("row").filter(has_text="Rent")).to_contain_text("€420.00")
    expect(account.locator("tbody tr").first).to_contain_text("€450.00")
    menu(page, "Unpaid rent")
    expect(page.locator("main")).to_contain_text("Nothing to do here: every account is in order.")


def test_a_suspense_line_is_settled_by_keyboard_alone(page, users):
    sign_in(page, "gestion")
    import_stock(page)
    call_the_rent(page)
    import_the_bank(page)

    page.goto("/leases/suspense/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_attribute("href", "#main")
    page.keyboard.press("Enter")
    tab_to(page, "main table tbody a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/leases/suspense/*/")
    # The likeliest suggestion has the focus already.
    expect(page.locator(":focus")).to_have_text("Settle B-2")
    page.keyboard.press("Enter")

    expect(page.locator("#messages")).to_contain_text("€330.00 settled on B-2.")


def tab_to(page, selector: str, most: int = 40) -> None:
    """Press Tab until something is reached, as somebody without a mouse does; it must be seen."""
    for _press in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", "what has the focus does not show it"
            return
    pytest.fail(f"{selector} is not reached by {most} presses of Tab", pytrace=False)


def test_a_month_on_a_phone(page, users):
    page.set_viewport_size({"width": 380, "height": 800})
    sign_in(page, "gestion")
    import_stock(page)
    call_the_rent(page)
    fits(page)
    import_the_bank(page)
    fits(page)
    menu(page, "Suspense")
    fits(page)
    page.locator("main tbody").get_by_role("link").first.click()
    fits(page)
    page.get_by_role("button", name="Settle B-2").click()
    expect(page.locator("#messages")).to_contain_text("€330.00 settled on B-2.")
    page.get_by_role("searchbox").first.fill("DURAND")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="B-3").first.click()
    fits(page)
    expect(page.locator("#account")).to_contain_text("€420.00")


def fits(page) -> None:
    """Nothing of the page is wider than the screen."""
    page.wait_for_load_state()
    assert page.evaluate(WIDER) == [], page.url


WIDER = """() => {
    const screen = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= screen) return [];
    const scrolls = (one) => one && (getComputedStyle(one).overflowX !== "visible" || scrolls(one.parentElement));
    return [...document.querySelectorAll("main *, header *")]
        .filter((one) => one.getBoundingClientRect().right > screen && !scrolls(one.parentElement))
        .map((one) => one.outerHTML.slice(0, 150));
}"""
"""What sticks out of the screen and is not within something that scrolls."""
