"""A rental manager's year as its first users live it, in French, by the pages alone.

The site's clock is set to each day in turn. Words are looked for in the language of the page: what a
page says in English is the key, its catalogue gives the French.
"""

import os
import re
import socket
import subprocess
import sys
from datetime import date, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import translation
from django.utils.translation import gettext, ngettext, pgettext
from playwright.sync_api import expect

from core.money import euros
from core.templatetags.gla import day_text, euros_text, month_text
from leases.models import DebitBatch, PayoutBatch, RevisionClause
from leases.rent import run_rent
from leases.yearly.indices import SHIPPED
from portfolio.models import Holding
from tests.browser.test_month import PASSWORD, fits, menu
from tests.leases.statements import IBAN, OTHER_PAYER, PAYER, camt_file, received
from tests.site import Site, wait_for

pytestmark = pytest.mark.browser

OWNERS_MONEY = "FR7630004000031234567890240"
ICS = "FR72ZZZ123456"
DECEMBER, FEBRUARY = date(2025, 12, 12), date(2026, 2, 10)
MARCH, JANUARY = date(2026, 3, 12), date(2027, 1, 12)

AT_WORK = """
import sys
from datetime import datetime
from django.core.management import execute_from_command_line
from django.utils import timezone

now = timezone.now
late = now() - datetime.fromisoformat(sys.argv[1])
timezone.now = lambda: now() - late
execute_from_command_line(["manage.py", "runserver", "--noreload", sys.argv[2]])
"""
"""The site at its work on a day: its clock is late, or fast, by as much as it takes."""


class Year:
    """The site, stopped and started again on another day, when everybody signs in anew."""

    def __init__(self, database, place, root):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.root, self.process = root, None
        self.site = Site(f"http://127.0.0.1:{self.port}", database, place / "site.log")

    def begin(self, day: date) -> None:
        self.stop()
        environment = {
            **self.site.database.environment,
            "GLA_TODAY": day.isoformat(),
            "GLA_HTTPS": "0",
            "GLA_DEMO": "1",
            "GLA_WORKERS": "0",
            "GLA_FILES": os.environ["GLA_FILES"],
        }
        at = f"{day.isoformat()}T08:00:00+00:00"
        with self.site.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-c", AT_WORK, at, f"127.0.0.1:{self.port}"],
                cwd=self.root,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(self.site, self.process, self.port)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=30)


@pytest.fixture
def year(fresh_database, tmp_path, root):
    year = Year(fresh_database, tmp_path, root)
    yield year
    year.stop()
    if "Traceback (most recent call last)" in year.site.words():
        pytest.fail(f"The site failed:\n{year.site.words()[-4000:]}", pytrace=False)


@pytest.fixture
def live_site(year):
    """What `page` looks at."""
    return year.site


# ---- words ----------------------------------------------------------------------------------


def fr(said: str, context: str = "", **values) -> str:
    """What the page says for these English words."""
    with translation.override("fr"):
        words = pgettext(context, said) if context else gettext(said)
        return words % values if values else words


def many(one: str, more: str, count: int) -> str:
    with translation.override("fr"):
        return ngettext(one, more, count) % {"shown": count}


def money(amount: str) -> str:
    with translation.override("fr"):
        return euros_text(euros(amount))


def day_of(day: date) -> str:
    with translation.override("fr"):
        return day_text(day)


def month_of(day: date) -> str:
    with translation.override("fr"):
        return month_text(day)


# ---- what a reader does -----------------------------------------------------------------------


def sign_in(page, user: str) -> None:
    page.goto("/")
    page.locator("input[name=login]").fill(user)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main button[type=submit]").click()
    page.wait_for_url("/")
    expect(page.locator("html")).to_have_attribute("lang", "fr")


def sign_out(page) -> None:
    page.locator(".top-user details.menu summary").click()
    page.get_by_role("button", name=fr("Sign out")).click()
    page.wait_for_url("**/accounts/login/**")


def go(page, entry: str) -> None:
    menu(page, fr(entry))


def follow(page, words: str, **values) -> None:
    page.locator("main").get_by_role("link", name=fr(words, **values), exact=True).first.click()


def press(page, words: str, **values) -> None:
    page.locator("main").get_by_role("button", name=fr(words, **values), exact=True).click()


def field(page, label: str):
    """The box of a label, whether it says "facultatif" or not."""
    return page.locator("main").get_by_label(re.compile(rf"^\s*{re.escape(fr(label))}\s*(\(|$)")).first


def fill(page, label: str, value) -> None:
    field(page, label).fill(value.isoformat() if isinstance(value, date) else value)


def choose(page, label: str, words: str) -> None:
    field(page, label).select_option(label=fr(words))


def told(page, words: str) -> None:
    """The page says that it is done."""
    expect(page.locator("#messages")).to_contain_text(fr(words))


def result(page) -> None:
    """Wait for a long work to end, and open what it made."""
    page.wait_for_url("**/jobs/**")
    page.get_by_role("link", name=fr("See the result")).click()
    page.wait_for_load_state()


def find(page, reference: str) -> None:
    """A lease, by the search at the top of every page."""
    page.get_by_role("searchbox").first.fill(reference)
    page.keyboard.press("Enter")
    page.locator("main").get_by_role("link", name=re.compile(rf"^{reference}\b")).first.click()
    page.wait_for_url("**/leases/leases/*/")


def act_on_lease(page, words: str) -> None:
    page.get_by_text(fr("Act on the lease"), exact=True).click()
    page.locator(".menu-body").get_by_role("link", name=fr(words), exact=True).click()


def import_statement(page, content: bytes) -> None:
    go(page, "Statements")
    follow(page, "Import a statement")
    box = page.locator("input[type=file]")
    box.set_input_files({"name": "releve.xml", "mimeType": "application/xml", "buffer": content})
    press(page, "Import")
    done = page.get_by_role("link", name=fr("See the result"))
    expect(page.locator(".note-good").or_(done)).to_be_visible()
    if done.is_visible():
        done.click()
    expect(page.locator(".note-good")).to_be_visible()


def download(page, words: str) -> bytes:
    with page.expect_download() as waited:
        follow(page, words)
    return waited.value.path().read_bytes()


# ---- the stock ----------------------------------------------------------------------------------


@pytest.fixture
def stock(build):
    """Three homes of a building: two of the association, one under mandate; their rent of 2025 called."""
    building = build.building(reference="LILAS")
    owner = build.owner("private", name="Bernard Anne", iban="FR7610096000508452967681057")
    said = {"building": building, "label": "D"}
    own = build.owner("own", name="Association test", siren="552100554")
    start = date(2025, 1, 1)
    martin = build.lease(
        reference="BAIL-1",
        unit=build.unit(**said, living_surface="60.00", owner=own),
        household=build.household("Martin"),
        start=start,
        rent="612.40",
        charges="45.00",
    )
    petit = build.lease(
        reference="BAIL-2",
        unit=build.unit(**said, living_surface="40.00", owner=own),
        household=build.household("Petit"),
        start=start,
        rent="465.00",
        charges="30.00",
        iban=OTHER_PAYER,
        deposit=euros("465.00"),
    )
    durand = build.lease(
        reference="BAIL-3",
        unit=build.unit(**said, living_surface="50.00", owner=owner, title="mandate"),
        household=build.household("Durand"),
        start=start,
        rent="500.00",
        charges="40.00",
    )
    Holding.objects.filter(owner=owner).update(fee_rate="7.00", reference="MG-1")
    for lease in (martin, petit, durand):
        RevisionClause.objects.create(lease=lease, start=start, quarter=2)
    for month in range(1, 13):
        run_rent(date(2025, month, 1), by=None, now=datetime.fromisoformat(f"2025-{month:02}-01T09:00+00:00"))
    build.user("rental_manager", username="gestion")
    build.user("director", username="direction")
    return martin, petit, durand


def paid(lease, amount: str, booked: date):
    return received(amount, booked, reference=lease.payment_reference)


# ---- the chapters ---------------------------------------------------------------------------------


def declare_the_banks(page, stock) -> None:
    """Two accounts, one of owners' money; the statements that pay all of 2025."""
    martin, petit, durand = stock
    for name, iban in (("Compte courant", IBAN), ("Compte des mandants", OWNERS_MONEY)):
        go(page, "Statements")
        follow(page, "Bank accounts")
        follow(page, "Declare a bank account")
        fill(page, "Name", name)
        fill(page, "IBAN", iban)
        press(page, "Declare")
        told(page, "The account is declared: import its first statement.")
    go(page, "Owners' accounts")
    follow(page, "Client money")
    page.locator("main a[href$='/client-money/account/']").click()
    choose(page, "Bank account", "Compte des mandants")
    fill(page, "Since", date(2025, 12, 1))
    page.locator("main form[method=post] button.btn-primary").click()
    told(page, "It is held against what owners are owed from now on.")
    days = {"start": date(2025, 12, 1), "end": date(2025, 12, 11)}
    on = date(2025, 12, 3)
    import_statement(page, camt_file(paid(martin, "7888.80", on), paid(petit, "5940.00", on), **days))
    import_statement(page, camt_file(paid(durand, "6480.00", on), iban=OWNERS_MONEY, **days))


def revise_the_rents(page) -> None:
    """The index is taken in, January is revised, and its run calls the new rents."""
    go(page, "Rent revision")
    follow(page, "Rent index (IRL)")
    follow(page, "Import values")
    lines = SHIPPED.read_text().splitlines()
    known = [line for line in lines if line.split(";")[1] < "2025-T4" or line.startswith("serie")]
    box = page.locator("input[type=file]")
    box.set_input_files({"name": "irl.csv", "mimeType": "text/csv", "buffer": "\n".join(known).encode()})
    press(page, "Import")
    page.wait_for_url("**/leases/indices/")
    go(page, "Rent revision")
    follow(page, "Prepare %(month)s", month=month_of(date(2026, 1, 1)))
    expect(page.locator(".tiles")).to_contain_text(money("16.41"))
    fits(page)
    words = many("Revise %(shown)s lease", "Revise %(shown)s leases", 3)
    page.locator("main").get_by_role("button", name=words, exact=True).click()
    result(page)
    go(page, "Rent runs")
    follow(page, "Prepare %(month)s", month=month_of(date(2026, 1, 1)))
    expect(page.locator(".tiles")).to_contain_text(money("1708.81"))
    press(page, "Call the rent of %(month)s", month=month_of(date(2026, 1, 1)))
    result(page)
    follow(page, "All calls")
    expect(page.locator("main tbody")).to_contain_text(money("618.77"))


def debit_a_tenant(page) -> None:
    """The account gets its ICS, Martin's mandate is signed, the batch of 5 January goes to the bank."""
    go(page, "Statements")
    follow(page, "Bank accounts")
    row = page.locator("main tbody tr").filter(has_text="Compte courant")
    row.get_by_role("link", name=fr("none"), exact=True).click()
    fill(page, "Creditor identifier (ICS)", ICS)
    fill(page, "Creditor's name", "Association test")
    press(page, "Record")
    told(page, "Direct debits can be collected to this account.")
    find(page, "BAIL-1")
    act_on_lease(page, "Direct debit")
    follow(page, "Record a signed mandate")
    fill(page, "IBAN", PAYER)
    press(page, "Record the mandate")
    told(page, "The mandate is recorded: the lease is in the next batch of debits.")
    go(page, "Direct debits")
    follow(page, "Prepare a batch")
    expect(page.locator(".tiles")).to_contain_text(money("663.77"))
    fits(page)
    press(page, "Make the file of %(day)s", day=day_of(date(2026, 1, 5)))
    page.wait_for_url("**/debits/*/")
    file = download(page, "Download the file")
    assert b"pain.008.001.08" in file and b"663.77" in file
    follow(page, "Sent to the bank")
    press(page, "Record")
    told(page, "The batch is with the bank; the statement will bring its money.")


def import_january(page, stock) -> None:
    """The statement brings the money of the batch; the owner's tenant pays by transfer."""
    _martin, _petit, durand = stock
    batch = DebitBatch.objects.get()
    debit = received(
        "663.77",
        batch.collected_on,
        kind="direct_debit",
        label="REMISE PRLV",
        bank_reference=batch.message_id,
    )
    days = {"start": date(2025, 12, 12), "end": date(2026, 1, 31)}
    import_statement(page, camt_file(debit, opening="13828.80", **days))
    transfer = paid(durand, "545.20", date(2026, 1, 6))
    import_statement(page, camt_file(transfer, opening="6480.00", iban=OWNERS_MONEY, **days))
    go(page, "Direct debits")
    expect(page.locator("main tbody tr")).to_contain_text(money("663.77"))
    page.locator("main tbody tr a").first.click()
    expect(page.locator("main tbody")).to_contain_text(fr("Collected"))


def take_a_payment(page) -> None:
    """Petit pays January at the desk, by cheque, and takes a receipt away."""
    find(page, "BAIL-2")
    act_on_lease(page, "Take a payment")
    expect(field(page, "Amount")).to_have_value("499,84")
    choose(page, "Means of payment", "Cheque")
    fill(page, "Cheque or slip no.", "0042137")
    press(page, "Check")
    press(page, "Take the payment")
    told(page, "The payment is taken; print its receipt.")
    expect(page.locator("main")).to_contain_text(money("499.84"))
    fits(page)


def settle_the_charges(page) -> None:
    """1,500.00 of common parts by surface: Martin's 60 m² of 150 come to 600.00, 540.00 were provided."""
    go(page, "Charges")
    follow(page, "Expenses")
    follow(page, "Enter an expense")
    fill(page, "Reference of the site, the building or the home", "LILAS")
    choose(page, "Nature", "Common parts")
    choose(page, "Shared by", "Living surface")
    fill(page, "Supplier", "Net’Hall")
    fill(page, "Invoice number", "F-7")
    fill(page, "Amount", "1500,00")
    press(page, "Check")
    press(page, "Enter")
    told(page, "The expense is entered.")
    go(page, "Charges")
    follow(page, "Prepare %(year)s", year=2025)
    expect(page.locator("#leases")).to_contain_text(money("60.00"))
    fits(page)
    press(page, "Settle the charges of %(year)s", year=2025)
    result(page)
    find(page, "BAIL-1")
    expect(page.locator("#account")).to_contain_text(money("60.00"))


def pay_the_owner(page) -> None:
    """January's statement, seen, paid by a file, and sent."""
    go(page, "Owners' accounts")
    follow(page, "Make the owners' month")
    press(page, "Check")
    press(page, "Make the month")
    result(page)
    go(page, "Owners' accounts")
    expect(page.locator("main tbody tr")).to_have_count(1)
    fits(page)
    follow(page, "Pay owners")
    press(page, "See what is due")
    expect(page.locator("main")).to_contain_text("Bernard Anne")
    press(page, "Make the payments")
    page.wait_for_url("**/payouts/*/")
    file = download(page, "Download the file")
    assert b"pain.001.001.09" in file and b"BERNARD ANNE" in file.upper()
    follow(page, "It was sent to the bank")
    press(page, "It was sent")
    told(page, "Its transfers are recognised on the statement by their reference.")


def make_the_receipts(page) -> None:
    """January was paid whole by all three: three receipts, and a file to print."""
    go(page, "Papers")
    expect(page.locator("h1")).to_contain_text(month_of(date(2026, 1, 1)))
    press(page, "Make for the whole stock")
    result(page)
    go(page, "Papers")
    follow(page, "All documents")
    expect(page.locator("main tbody tr")).to_have_count(3)
    fits(page)


def give_notice(page) -> None:
    """Petit leaves: a month's notice in a tight zone, the day it was received."""
    find(page, "BAIL-2")
    act_on_lease(page, "Notice / departure")
    follow(page, "Take over the deposit")
    press(page, "Check")
    press(page, "Take over the deposit")
    told(page, "The deposit is taken over.")
    follow(page, "Record a notice")
    press(page, "Check")
    expect(page.locator("main")).to_contain_text(day_of(date(2026, 3, 10)))
    press(page, "Record the notice")
    told(page, "The notice is recorded and the lease ends with it.")


def see_a_tenant_out(page) -> None:
    """The survey room by room, with its signature; then the keys come back."""
    go(page, "Departures")
    page.locator("main tbody a").first.click()
    follow(page, "Begin the exit survey")
    press(page, "Begin")
    page.locator("main .page-actions a.btn-primary").click()
    go_on = page.locator("main").get_by_role("button", name=fr("Save and go on"), exact=True)
    for _room in range(20):
        page.wait_for_load_state()
        if not go_on.is_visible():
            break
        go_on.click()
    follow(page, "Sign the survey")
    fill(page, "Keys and badges handed over", "2")
    press(page, "Check")
    press(page, "Sign the survey")
    told(page, "The survey is signed.")
    fits(page)
    go(page, "Departures")
    page.locator("main tbody a").first.click()
    follow(page, "Keys returned")
    fill(page, "Keys returned on", date(2026, 3, 10))
    press(page, "Check")
    press(page, "Record the return of the keys")
    told(page, "The keys are back; the next rent run settles what it changes.")


def give_the_deposit_back(page) -> None:
    """465.00 are held: less 161.24 of ten days of March and 40.00 of charges, the rest is to transfer."""
    go(page, "Departures")
    page.locator("main tbody a").first.click()
    follow(page, "Make the final account")
    press(page, "Check")
    expect(page.locator("main")).to_contain_text(money("465.00"))
    press(page, "Post the final account")
    told(page, "The final account is posted.")
    fits(page)
    go(page, "Departures")
    follow(page, "Transfers to tenants")
    row = page.locator("main tbody tr")
    expect(row).to_contain_text("PETIT")
    expect(row).to_contain_text(money("263.76"))
    follow(page, "Mark as sent")
    press(page, "Check")
    press(page, "Mark as sent")
    told(page, "The transfers are marked as sent.")


def call(page, month: date) -> None:
    go(page, "Rent runs")
    follow(page, "Prepare %(month)s", month=month_of(month))
    press(page, "Call the rent of %(month)s", month=month_of(month))
    result(page)


def close_the_year(page, tmp_path) -> None:
    """The director closes 2026; its accounting file is made, found right, and taken away."""
    go(page, "Accounts")
    follow(page, "Close a period")
    press(page, "Check")
    press(page, "Close the period")
    told(page, "The period is closed.")
    follow(page, "Accounting file (FEC)")
    press(page, "Make the file")
    page.wait_for_url("**/closing/fec/*/")
    expect(page.locator("main .note-good")).to_be_visible()
    fits(page)
    with page.expect_download() as waited:
        follow(page, "Download")
    path = tmp_path / waited.value.suggested_filename
    waited.value.save_as(path)
    call_command("check_fec", str(path), stdout=StringIO())


def test_a_rental_managers_year(page, stock, year, tmp_path):
    _martin, petit, _durand = stock
    year.begin(DECEMBER)
    sign_in(page, "gestion")
    declare_the_banks(page, stock)
    revise_the_rents(page)
    debit_a_tenant(page)

    year.begin(FEBRUARY)
    sign_in(page, "gestion")
    import_january(page, stock)
    take_a_payment(page)
    make_the_receipts(page)
    settle_the_charges(page)
    pay_the_owner(page)
    give_notice(page)
    call(page, date(2026, 2, 1))

    year.begin(MARCH)
    sign_in(page, "gestion")
    payout = PayoutBatch.objects.get().payouts.get()
    sent = received(
        f"-{payout.amount.amount}", date(2026, 2, 12), label="VIR SEPA EMIS", end_to_end=payout.end_to_end
    )
    days = {"start": date(2026, 2, 1), "end": date(2026, 3, 11)}
    import_statement(page, camt_file(sent, opening="7025.20", iban=OWNERS_MONEY, **days))
    import_statement(page, camt_file(paid(petit, "499.84", date(2026, 2, 20)), opening="14492.57", **days))
    see_a_tenant_out(page)
    call(page, date(2026, 3, 1))
    give_the_deposit_back(page)
    sign_out(page)

    year.begin(JANUARY)
    sign_in(page, "direction")
    close_the_year(page, tmp_path)

    call_command("check_ledger", stdout=StringIO())
    call_command("check_client_money", on=JANUARY.isoformat(), stdout=StringIO())
