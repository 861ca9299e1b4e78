"""What a mediator sees and does: the worklist, a lease's panel, the aged balance."""

from datetime import date

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from arrears.aged import AgedStock
from arrears.signals import (
    Contact,
    Signal,
    SignalRefused,
    assign,
    flag_arrears,
    handle,
    log_contact,
    remind,
)
from core.audit import AuditLine
from core.money import euros
from followup.referents import set_referent
from leases import tenant_account
from tests.arrears.payments import benefit_came, pay
from tests.builders import NOW

pytestmark = pytest.mark.django_db

MARCH = date(2026, 3, 1)
TODAY = date(2026, 3, 12)
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def on_12_march(settings):
    settings.GLA_TODAY = TODAY.isoformat()
    with translation.override("en"):
        yield


@pytest.fixture
def missed(build):
    """Rent of 412.00 due on the 5th, nothing paid."""
    lease = build.lease(start=MARCH, rent="412.00", due_day=5, household=build.household("Moreau"))
    build.called(MARCH)
    flag_arrears(on=TODAY, by=None, now=NOW)
    return Signal.objects.get(lease=lease)


@pytest.fixture
def visit(build, client):
    """Open a page as someone of a role, in English."""
    users = {}

    def visited(role, name, *args, post=None, query="", **headers):
        user = users.get(role) or users.setdefault(role, build.user(role))
        client.force_login(user)
        client.cookies["django_language"] = "en"
        address = reverse(name, args=args) + query
        return (
            client.get(address, headers=headers)
            if post is None
            else client.post(address, post, headers=headers)
        )

    visited.users = users
    return visited


# ---- what a mediator does ---------------------------------------------------------------


def test_a_signal_is_handled_once(build, missed):
    mediator = build.user("mediator")

    handle(missed, by=mediator, on=TODAY, because="promised")

    assert not Signal.objects.open().exists()
    with pytest.raises(SignalRefused, match="closed on 12 Mar 2026"):
        handle(missed, by=mediator, on=TODAY, because="promised")


def test_nobody_closes_a_signal_as_paid_by_hand(build, missed):
    with pytest.raises(SignalRefused, match="Choose a reason"):
        handle(missed, by=build.user("mediator"), on=TODAY, because="paid")


def test_a_signal_put_to_sleep_is_asleep_until_its_day(build, missed):
    remind(missed, on=date(2026, 3, 20), by=build.user("mediator"), today=TODAY)

    assert not Signal.objects.awake(date(2026, 3, 19)).exists()
    assert Signal.objects.awake(date(2026, 3, 20)).get() == missed


def test_a_reminder_is_for_a_day_ahead(build, missed):
    with pytest.raises(SignalRefused, match="Choose a later day"):
        remind(missed, on=TODAY, by=build.user("mediator"), today=TODAY)


def test_a_signal_is_given_to_a_mediator_and_to_no_technician(build, missed):
    mediator = build.user("mediator")

    assert assign(missed, mediator, by=None).mediator == mediator
    with pytest.raises(SignalRefused, match="Choose a mediator"):
        assign(missed, build.user("technician"), by=None)


def test_a_contact_is_noted_and_audited_without_its_words(build, missed):
    mediator = build.user("mediator")

    contact = log_contact(missed.lease, by=mediator, on=TODAY, means="call", note=" Pays on the 20th. ")

    assert contact.note == "Pays on the 20th."
    line = AuditLine.objects.get(resource="contact_log")
    assert (line.object_id, line.detail) == (str(contact.pk), {"lease": missed.lease_id})
    with pytest.raises(SignalRefused, match="Choose the means"):
        log_contact(missed.lease, by=mediator, on=TODAY, means="pigeon")


def test_three_months_owed_come_before_one_and_one_before_a_habit(build):
    def signal(amount, since, nature="missed"):
        lease = build.lease(rent="400.00")
        made = Signal.objects.create(
            lease=lease,
            nature=nature,
            opened_on=TODAY,
            since=since,
            latest=since,
            amount=euros(amount),
            monthly=euros("400.00"),
            opened_in=run,
            seen_in=run,
        )
        return made.pk

    run = Signal._meta.get_field("seen_in").related_model.objects.create(on=TODAY, at=NOW)
    habit = signal("0", date(2025, 12, 5), "late")
    one = signal("400.00", date(2026, 3, 5))
    three = signal("1200.00", date(2026, 1, 5))

    ranked = Signal.objects.by_urgency(TODAY).order_by("-urgency")

    assert [each.pk for each in ranked] == [three, one, habit]
    # 3 months × 10 + 66 days ÷ 3 + 30 for a missed payment.
    assert (ranked[0].days, ranked[0].urgency) == (66, 30 + 22 + 30)


# ---- the worklist -----------------------------------------------------------------------


def test_the_worklist_shows_who_owes_what_since_when_and_why(visit, build, missed):
    worker = build.user("social_worker")
    set_referent(missed.lease.household, worker, since=MARCH, by=None)
    log_contact(missed.lease, by=worker, on=date(2026, 3, 10), means="no_answer")

    page = visit("mediator", "worklist").content.decode()

    for words in (
        "MOREAU Alex",
        "Missed payment",
        "€412.00",
        "5 Mar 2026",
        "7 days (0–30 days)",
        "1 month wholly unpaid since 5 Mar 2026.",
        "10 Mar 2026",
        "Call without answer",
        "To do (1)",
    ):
        assert words in page
    assert AuditLine.objects.filter(resource="signal", action="view", object_id=str(missed.pk)).exists()


def test_asleep_and_closed_signals_are_behind_their_tabs(visit, build, missed):
    remind(missed, on=date(2026, 3, 20), by=None)

    assert "MOREAU" not in visit("mediator", "worklist").content.decode()
    assert "MOREAU" in visit("mediator", "worklist", query="?tab=asleep").content.decode()

    handle(missed, by=build.user("mediator"), on=TODAY, because="promised")
    assert "Payment promised" in visit("mediator", "worklist", query="?tab=closed").content.decode()


@pytest.mark.parametrize(
    "query, found",
    [
        ("?nature=missed", True),
        ("?nature=late", False),
        ("?amount=400", True),
        ("?amount=500", False),
        ("?mediator=none", True),
        ("?owner_kind=own", True),
        ("?owner_kind=saues", False),
        ("?q=moreau", True),
        ("?q=nobody", False),
    ],
)
def test_the_worklist_is_narrowed(visit, missed, query, found):
    assert ("MOREAU" in visit("mediator", "worklist", query=query).content.decode()) is found


def test_the_worklist_is_taken_away_as_a_spreadsheet(visit, missed):
    sheet = visit("mediator", "worklist", query="?export=csv")

    assert "1 month wholly unpaid" in sheet.content.decode("utf-8-sig")
    assert AuditLine.objects.filter(action="export", resource="signal").exists()
    assert visit("social_worker", "worklist", query="?export=csv").status_code == 403


def test_a_technician_sees_no_unpaid_rent(visit, missed):
    assert visit("technician", "worklist").status_code == 403
    assert visit("technician", "arrears-lease", missed.lease_id).status_code == 403


def queries_of(visit, *address) -> int:
    visit("mediator", *address)
    with CaptureQueriesContext(connection) as seen:
        visit("mediator", *address)
    return len(seen)


@pytest.mark.parametrize("page", ["worklist", "aged-balance", "aged-leases"])
def test_a_page_asks_as_much_of_2_leases_as_of_40(visit, build, page):
    counts = []
    for more in (2, 38):
        for _each in range(more):
            build.lease(start=MARCH, rent="412.00", benefit="100.00", due_day=5)
        build.called(MARCH)
        flag_arrears(on=TODAY, by=None, now=NOW)
        counts.append(queries_of(visit, page))

    assert counts[0] == counts[1]


# ---- a lease's panel --------------------------------------------------------------------


def test_the_panel_shows_account_and_contacts_and_lets_a_mediator_act(visit, missed):
    page = visit("mediator", "arrears-lease", missed.lease_id).content.decode()

    for words in ("€412.00", "Handled", "Remind me on…", "Note a contact", "Nobody has been in contact yet."):
        assert words in page
    fragment = visit("mediator", "arrears-lease", missed.lease_id, **HTMX).content.decode()
    assert fragment.lstrip().startswith("<h2>")


def test_a_social_worker_reads_the_balance_not_the_account_and_closes_nothing(visit, missed):
    page = visit("social_worker", "arrears-lease", missed.lease_id).content.decode()

    assert "Balance due" in page and "Latest lines of the account" not in page
    assert reverse("signal-handle", args=[missed.pk]) not in page
    assert visit("social_worker", "signal-handle", missed.pk, post={"because": "promised"}).status_code == 403


def test_a_signal_is_handled_from_the_page(visit, missed):
    answer = visit("mediator", "signal-handle", missed.pk, post={"because": "promised"})

    assert answer.url == reverse("arrears-lease", args=[missed.lease_id])
    assert visit("mediator", "arrears-lease", missed.lease_id).content.count(b"The signal is closed.") == 1
    missed.refresh_from_db()
    assert (missed.closed_because, missed.handled_by) == ("promised", visit.users["mediator"])


def test_a_reminder_in_the_past_is_told_within_the_panel(visit, missed):
    answer = visit("mediator", "signal-remind", missed.pk, post={"on": "2026-03-01"}, **HTMX)

    assert answer.status_code == 200
    assert "Choose a later day." in answer.content.decode()
    # Without HTMX the page of the form itself says so.
    assert visit("mediator", "signal-remind", missed.pk, post={"on": "2026-03-01"}).status_code == 422


def test_a_contact_is_noted_from_the_page_by_a_social_worker(visit, missed):
    note = {"on": "2026-03-12", "means": "visit", "note": "Asks for the FSL."}

    visit("social_worker", "contact-new", missed.lease_id, post=note)

    contact = Contact.objects.get()
    assert (contact.note, contact.by) == ("Asks for the FSL.", visit.users["social_worker"])
    assert "Asks for the FSL." in visit("mediator", "arrears-lease", missed.lease_id).content.decode()


# ---- the aged balance -------------------------------------------------------------------


def test_the_aged_balance_is_told_by_owner_kind_and_technical_arrears_apart(build):
    saues = build.unit(owner=build.owner("saues"), title="head_lease")
    owes = build.lease(start=MARCH, rent="412.00", due_day=5, unit=saues)
    waits = build.lease(start=MARCH, rent="500.00", benefit="300.00", due_day=5)
    build.called(MARCH)
    pay(build, waits, "200.00", date(2026, 3, 5))

    own, of_saues = AgedStock(TODAY).totals()

    assert (own.owner_kind, own.due, own.benefit_wait, own.owing, own.technical) == (
        "own",
        euros(0),
        euros("300.00"),
        0,
        1,
    )
    assert (of_saues.owner_kind, of_saues.d0_30, of_saues.due, of_saues.owing) == (
        "saues",
        euros("412.00"),
        euros("412.00"),
        1,
    )
    assert [row.pk for row in AgedStock(TODAY, bucket="technical").read("y.lease_id")] == [waits.pk]
    assert [row.pk for row in AgedStock(TODAY, owner_kind="saues").read("y.lease_id")] == [owes.pk]


def test_the_totals_are_those_of_the_ageing_lease_by_lease(build):
    for rent in ("412.00", "389.50", "500.25"):
        build.lease(start=date(2025, 11, 1), rent=rent, due_day=5)
    build.called(date(2025, 11, 1), date(2026, 2, 1), MARCH)

    by_lease = list(tenant_account.aged(TODAY))

    assert AgedStock(TODAY).total()["due"] == sum((one.due for one in by_lease), euros(0))


def test_each_number_of_the_aged_balance_leads_to_its_leases(visit, build, missed):
    page = visit("mediator", "aged-balance").content.decode()
    assert "?owner_kind=own&amp;bucket=d0_30" in page or "?bucket=d0_30&amp;owner_kind=own" in page

    rows = visit("mediator", "aged-leases", query="?bucket=d0_30&owner_kind=own").content.decode()
    assert "MOREAU" in rows and "€412.00" in rows
    assert "MOREAU" not in visit("mediator", "aged-leases", query="?bucket=over_90").content.decode()
    assert "MOREAU" in visit("mediator", "aged-leases", query="?q=moreau&sort=-d0_30").content.decode()
    assert "MOREAU" not in visit("mediator", "aged-leases", query="?q=moreau&on=2026-02-28").content.decode()


def test_the_leases_of_the_aged_balance_page_by_amount(visit, build):
    for number in range(60):
        build.lease(start=MARCH, rent=f"{400 + number}.00", due_day=5)
    build.called(MARCH)

    first = visit("mediator", "aged-leases").context["page"]
    second = visit("mediator", "aged-leases", query=first.next_url).context["page"]
    back = visit("mediator", "aged-leases", query=second.previous_url).context["page"]

    shown = [row.due for row in first.objects + second.objects]
    assert shown == sorted(shown, reverse=True) and len(shown) == 60
    assert [row.pk for row in back.objects] == [row.pk for row in first.objects]


# ---- the command ------------------------------------------------------------------------


def test_the_command_says_what_it_opened(build, capsys):
    lease = build.lease(start=MARCH, rent="412.00", benefit="100.00", due_day=5)
    build.called(MARCH)
    benefit_came(build, lease, "100.00", date(2026, 3, 25))

    call_command("flag_arrears", "--on", "2026-04-12")

    assert "Missed payment: 1 opened, 1 open." in capsys.readouterr().out


def test_the_accounts_are_looked_at_from_the_page(visit, build):
    build.lease(start=MARCH, rent="412.00", due_day=5)
    build.called(MARCH)

    answer = visit("mediator", "flag-arrears", post={})

    assert answer.status_code == 302 and "/jobs/" in answer.url
    assert visit("director", "flag-arrears", post={}).status_code == 403
