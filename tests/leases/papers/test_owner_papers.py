"""Papers of owners: the management statement of a month, for one and for all; the year for the tax return."""

from datetime import date

import pytest
from django.urls import reverse

from core.documents import Document, NoPaper, Sending
from core.money import euros
from leases.papers import owner_papers
from tests.leases.accounts.owners import MARCH, NOW, head_leased, mandated, month_made, statement

pytestmark = pytest.mark.django_db
ON = date(2026, 4, 2)


@pytest.fixture
def owner(build):
    build.bank()
    owner, lease = mandated(build)
    build.called(MARCH)
    statement((lease, "465.00", date(2026, 3, 6)))
    return owner


def play(build, **how):
    return owner_papers.begin(MARCH, on=ON, by=build.user("rental_manager"), wait=True, **how)


def test_a_statement_says_what_was_collected_spent_and_is_to_pay(build, owner):
    """7 % of 465.00 and VAT: 425.94 left to the owner."""
    month_made()

    draft = owner_papers.statement_draft(owner, MARCH, on=ON)

    assert draft.amount == euros("425.94")
    assert draft.data["to_pay"] == "425,94\N{NO-BREAK SPACE}€"
    assert draft.data["title"] == "Compte rendu de gestion – mars 2026"
    [unit] = draft.data["units"]
    assert unit[2] == unit[4] == "465,00\N{NO-BREAK SPACE}€"


def test_the_papers_of_a_month_are_made_once(build, owner):
    month_made()

    first, again = play(build), play(build)

    assert (first.result["made"], first.result["printed"]) == (1, 1)
    assert (again.result["made"], again.result["printed"]) == (0, 0)
    made = Document.objects.get()
    assert (made.subject, made.subject_id, made.month, made.number) == ("owner", owner.pk, MARCH, 1)


def test_an_owner_with_an_address_gets_it_by_email(build, owner, mailoutbox):
    owner.email = "proprio@example.org"
    owner.save()
    month_made()

    play(build)

    assert mailoutbox[0].to == ["proprio@example.org"]
    assert mailoutbox[0].subject == "Votre compte rendu de gestion de mars 2026"
    assert Sending.objects.get().channel == "email"


def test_a_ledger_changed_since_gets_no_paper_until_the_month_is_made_again(build, owner):
    month_made()
    _other, lease = mandated(build, owner)
    build.called(MARCH)

    with pytest.raises(NoPaper, match="ledger has changed"):
        owner_papers.statement_draft(owner, MARCH, on=ON)
    assert play(build).result["made"] == 0
    month_made()
    assert play(build).result["made"] == 1
    assert Document.objects.get().number == 2


def test_a_statement_not_made_has_no_paper(build, owner):
    with pytest.raises(NoPaper, match="not made yet"):
        owner_papers.statement_draft(owner, MARCH, on=ON)


def test_an_owner_of_head_leases_is_told_its_rents(build):
    owner, _holding = head_leased(build)
    month_made()

    draft = owner_papers.statement_draft(owner, MARCH, on=ON)

    assert draft.data["account"] == []
    assert draft.data["head_owed"] == "310,00\N{NO-BREAK SPACE}€"
    assert draft.data["title"] == "Relevé des loyers – mars 2026"


def test_a_year_is_told_again_only_where_it_says_another_amount(build, owner):
    month_made()

    first, again = (
        owner_papers.archive(owner_papers.income_draft(owner, 2026, on=ON), by=None, now=NOW)
        for _time in "ab"
    )

    assert first == again
    assert (first.kind, first.month, first.number) == ("owner_income", date(2026, 1, 1), 1)


# ---- pages ---------------------------------------------------------------------------------


@pytest.fixture
def manager(build, client, settings):
    settings.GLA_TODAY = "2026-04-02"
    client.force_login(build.user("rental_manager"))
    return client


def test_one_statement_is_looked_at_archived_and_read(manager, owner):
    month_made()
    url = reverse("owner-paper-make", args=[owner.pk]) + "?month=2026-03"

    assert "data:image/png" in manager.post(url).content.decode()
    manager.post(url, {"step": "commit"})

    paper = reverse("owner-paper", args=[Document.objects.get().pk])
    account = manager.get(reverse("owner-account", args=[owner.pk]), {"month": "2026-03"})
    assert paper in account.content.decode()
    assert manager.get(paper).content.startswith(b"%PDF")


def test_all_are_launched_from_the_owners_month(manager, owner):
    month_made()
    url = reverse("owner-papers")
    assert url in manager.get(reverse("owner-statements"), {"month": "2026-03"}).content.decode()

    page = manager.get(url, {"month": "2026-03", "look": ""})
    assert page.context["to_make"] == 1 and "data:image/png" in page.content.decode()
    begun = manager.post(reverse("owner-papers-start"), {"month": "2026-03"})
    assert begun.status_code == 302 and "/jobs/" in begun.url


def test_the_year_is_made_from_its_page(manager, owner):
    url = reverse("owner-income-paper", args=[owner.pk, 2025])
    assert url in manager.get(reverse("owner-year", args=[owner.pk]), {"year": "2025"}).content.decode()

    assert "data:image/png" in manager.post(url).content.decode()


def test_papers_of_owners_are_for_who_sees_their_accounts(build, client, owner):
    month_made()
    made = owner_papers.archive(owner_papers.statement_draft(owner, MARCH, on=ON), by=None, now=NOW)
    client.force_login(build.user("mediator"))

    assert client.get(reverse("owner-paper", args=[made.pk])).status_code == 403
    assert client.get(reverse("document", args=[made.pk])).status_code == 404
