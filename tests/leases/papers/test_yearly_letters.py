"""Letters of a revision, of a charge settlement and of a deposit given back: made once, with the right figures."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core.documents import Document, NoPaper, Sending, letterhead
from core.models import Job
from core.money import euros
from leases import lifecycle
from leases.models import LeaseParty, RevisionClause
from leases.papers import yearly_letters
from leases.papers.consent import choose_email
from leases.tenancy import departure, deposits, notices
from leases.yearly.expenses import COMMON, record_expense
from leases.yearly.indices import import_indices
from leases.yearly.revision import Asked, commit_revision
from leases.yearly.revision_undo import undo_run
from leases.yearly.settling import settle_charges
from leases.yearly.settling import undo_run as undo_charges

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SEPTEMBER, ON = date(2025, 9, 1), date(2025, 8, 20)


def revisable(build, count=1):
    """Leases of 1 September, revised by the index of the second quarter."""
    leases = [build.lease(start=date(2023, 9, 1), rent="612.40") for _number in range(count)]
    for lease in leases:
        RevisionClause.objects.create(lease=lease, start=lease.start, quarter=2)
    return leases


def revised(build, count=1):
    import_indices(by=None, now=NOW)
    leases = revisable(build, count)
    return leases, commit_revision(Asked(SEPTEMBER, ON), by=None, now=NOW)


def play(build, kind, run, **how):
    return yearly_letters.begin(kind, run, on=ON, by=build.user("rental_manager"), wait=True, **how)


def drafts(letters):
    return [draft for group in letters.groups() for draft in letters.draw(group, letterhead())]


# ---- revisions -----------------------------------------------------------------------------


def test_a_revision_letter_says_the_index_and_the_new_rent(build):
    """Loi 89-462, art. 17-1: 612.40 × 146.68 / 145.17 = 618.77."""
    [lease], run = revised(build)

    [draft] = drafts(yearly_letters.revision_stack(run))

    assert (draft.subject_id, draft.amount) == (lease.pk, euros("618.77"))
    assert draft.data["new"] == "618,77\N{NO-BREAK SPACE}€"
    assert draft.data["new_index"] == "146,68 (2e trimestre 2025)"
    assert draft.data["formula"].endswith("× 146,68 / 145,17 = 618,77\N{NO-BREAK SPACE}€")
    assert draft.data["apart"] == ", hors charges,"
    assert draft.data["basis"].endswith("(Loi 89-462, art. 17-1 I)")


def test_the_letters_of_a_run_are_made_once_and_put_to_print(build):
    leases, run = revised(build, 3)

    first, again = play(build, "revision_letters", run), play(build, "revision_letters", run)

    assert (first.result["made"], first.result["printed"]) == (3, 3)
    assert (again.result["made"], again.result["printed"]) == (0, 0)
    told = Document.objects.values_list("subject_id", "kind", "month", "number", "amount")
    assert sorted(told) == [(lease.pk, "revision_letter", SEPTEMBER, 1, euros("618.77")) for lease in leases]
    assert play(build, "revision_letters", run, again=True).result["printed"] == 3


def test_a_letter_goes_by_email_to_who_chose_it(build, mailoutbox):
    [by_mail, by_post], run = revised(build, 2)
    person = LeaseParty.objects.get(lease=by_mail).person
    person.email = "alex@example.org"
    person.save()
    choose_email(by_mail, person=person, proof="signed form", on=date(2025, 1, 5), by=None)

    play(build, "revision_letters", run)

    assert [message.to for message in mailoutbox] == [["alex@example.org"]]
    assert mailoutbox[0].subject == "Votre lettre de révision de septembre 2025"
    told = dict(Sending.objects.values_list("document__subject_id", "channel"))
    assert told == {by_mail.pk: "email", by_post.pk: "print"}


def test_work_stopped_half_way_makes_the_rest_and_no_letter_twice(build, monkeypatch):
    monkeypatch.setattr("leases.papers.stack.SIZE", 1)
    leases, run = revised(build, 2)
    letters = yearly_letters.revision_stack(run)
    from leases.papers import stack

    job = Job.objects.create(kind="revision_letters", created_by=build.user("rental_manager"))
    next(stack.make(job, letters, on=ON, email=False)).do()
    assert Document.objects.count() == 1

    assert play(build, "revision_letters", run).result["made"] == 1
    assert sorted(Document.objects.values_list("subject_id", flat=True)) == [one.pk for one in leases]


def test_a_revision_undone_and_made_again_has_another_letter(build):
    [lease], run = revised(build)
    play(build, "revision_letters", run)
    undoing = undo_run(run, by=None, now=NOW)
    again = commit_revision(Asked(SEPTEMBER, ON), by=None, now=NOW)

    play(build, "revision_letters", again)

    assert list(Document.objects.order_by("pk").values_list("number", flat=True)) == [1, 2]
    assert yearly_letters.revision_stack(run).papers().get().number == 1
    assert yearly_letters.revision_stack(again).papers().get().number == 2
    with pytest.raises(NoPaper):
        yearly_letters.revision_stack(undoing)


def test_the_queries_do_not_grow_with_the_leases(build):
    import_indices(by=None, now=NOW)
    counts = []
    for count in (2, 40):
        revisable(build, count)
        run = commit_revision(Asked(SEPTEMBER, ON), by=None, now=NOW)
        letters = yearly_letters.revision_stack(run)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            found = letters.draw((0, 2**62), letterhead())
        assert len(found) == count
        counts.append(len(asked))
    assert counts[0] == counts[1]


# ---- charges -------------------------------------------------------------------------------


@pytest.fixture
def charged(build):
    unit = build.unit(living_surface="60.00")
    build.unit(building=unit.building, living_surface="40.00")
    lease = build.lease(unit=unit, start=date(2024, 1, 1), charges="45.00")
    build.called(*(date(2025, month, 1) for month in range(1, 13)))
    spent(unit.building, "1000.00")
    return lease


def spent(building, amount):
    return record_expense(
        year=2025, category=COMMON, amount=euros(amount), building=building, supplier="Net'Hall",
        invoice=f"F-{amount}", by=None, now=NOW,
    )  # fmt: skip


def settled(on=date(2026, 2, 2)):
    return settle_charges(2025, on=on, by=None, now=NOW)


def test_a_charge_statement_says_each_nature_and_what_is_left(build, charged):
    """60 % of 1,000.00 less twelve provisions of 45.00."""
    run = settled()

    [draft] = drafts(yearly_letters.charge_stack(run))

    [row] = draft.data["rows"]
    assert row[1::2] == ["1\N{NARROW NO-BREAK SPACE}000,00\N{NO-BREAK SPACE}€", "600,00\N{NO-BREAK SPACE}€"]
    assert row[2].endswith(" : 60 / 100")
    assert draft.data["provisions"] == "540,00\N{NO-BREAK SPACE}€"
    assert (draft.amount, draft.data["result"]) == (euros("60.00"), "60,00\N{NO-BREAK SPACE}€")
    assert draft.data["before"] == ""
    assert draft.data["period"] == "du 01/01/2025 au 31/12/2025"


def test_a_corrected_statement_says_what_was_settled_before(build, charged):
    run = settled()
    play(build, "charge_letters", run)
    spent(charged.occupancies.get().place.unit.building, "100.00")
    second = settled(date(2026, 3, 2))
    job = play(build, "charge_letters", second)

    assert job.result["made"] == 1
    assert play(build, "charge_letters", second).result["made"] == 0
    told = Document.objects.order_by("number").values_list("number", "amount")
    assert list(told) == [(1, euros("60.00")), (2, euros("60.00"))]
    assert yearly_letters.charge_stack(run).papers().get().number == 1
    assert yearly_letters.charge_stack(second).papers().get().number == 2


def test_a_settlement_undone_has_no_statements(build, charged):
    run = settled()
    undo_charges(run, on=date(2026, 2, 3), by=None, now=NOW)
    run.refresh_from_db()

    with pytest.raises(NoPaper):
        yearly_letters.charge_stack(run)


# ---- a deposit given back ------------------------------------------------------------------


def closed(build, *, cost="80.00"):
    lease = build.lease(rent="520.00", deposit=euros("520.00"), end=date(2026, 1, 16))
    lease.occupancies.update(end=None)
    lifecycle.return_keys(lease, on=date(2026, 1, 15), by=None, now=NOW)
    deposits.take_over_deposits([lease], on=date(2025, 1, 1), by=None, now=NOW)
    deposits.add_deduction(
        lease, nature="cleaning", label="Nettoyage", cost=euros(cost), on=date(2026, 1, 15),
        proof="invoice", proof_reference="F-12", by=None,
    )  # fmt: skip
    notices.record_address(
        lease, new_address="3 rue Neuve\n62300 LENS", iban="FR76 3000 4000 0312 3456 7890 143", by=None
    )
    return departure.close_account(lease, on=date(2026, 1, 20), by=None, now=NOW)


def test_the_deposit_letter_adds_up_and_goes_to_the_new_address(build):
    final = closed(build)

    draft = yearly_letters.final_draft(final)

    assert draft.amount == final.to_transfer - final.to_pay == euros("440.00")
    assert draft.data["to"][1:] == ["3 rue Neuve", "62300 LENS"]
    assert [one["label"] for one in draft.data["deductions"]] == ["Nettoyage"]
    assert draft.data["withheld"]
    assert draft.data["result_label"] == "Somme restituée"


def test_the_deposit_letter_is_archived_once(build):
    final = closed(build)

    first, again = (yearly_letters.final_letter(final, by=None, now=NOW) for _time in "ab")

    assert first == again == Document.objects.get()
    assert (first.kind, first.subject_id) == ("deposit_letter", final.lease_id)


# ---- pages ---------------------------------------------------------------------------------


@pytest.fixture
def manager(build, client, settings):
    settings.GLA_TODAY = "2026-03-20"
    client.force_login(build.user("rental_manager"))
    return client


def test_letters_are_launched_from_their_run(build, manager, charged):
    _leases, revision = revised(build)
    for page, name, run in (
        ("revision-run", "revision-letters", revision),
        ("charge-run", "charge-letters", settled()),
    ):
        url = reverse(name, args=[run.pk])
        assert url in manager.get(reverse(page, args=[run.pk])).content.decode()
        assert "data:image/png" in manager.get(url, {"look": ""}).content.decode()
        begun = manager.post(reverse(f"{name}-start", args=[run.pk]), {"email": "on"})
        assert begun.status_code == 302 and "/jobs/" in begun.url


def test_who_may_not_make_letters_may_look_at_them(build, client):
    _leases, run = revised(build)
    client.force_login(build.user("mediator"))

    assert "Make all" not in client.get(reverse("revision-letters", args=[run.pk])).content.decode()
    assert client.post(reverse("revision-letters-start", args=[run.pk])).status_code == 403


def test_the_deposit_letter_is_made_from_the_departure(build, manager):
    final = closed(build)
    url = reverse("final-letter", args=[final.pk])
    assert url in manager.get(reverse("lease-departure", args=[final.lease_id])).content.decode()

    assert "data:image/png" in manager.post(url).content.decode()
    done = manager.post(url, {"step": "commit"})

    assert done.url == reverse("lease-documents", args=[final.lease_id])
    assert Document.objects.get().kind == "deposit_letter"
