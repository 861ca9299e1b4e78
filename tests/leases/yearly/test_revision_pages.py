"""The yearly revision in a browser, on the command line and from a program."""

from datetime import UTC, date, datetime
from io import BytesIO, StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import translation
from openpyxl import load_workbook
from rest_framework.test import APIClient

from core import jobs
from core.audit import AuditLine
from core.imports import BadImport
from core.models import Job
from core.money import euros
from leases.models import IndexValue, RentTerm, Revision, RevisionClause
from leases.yearly.indices import import_indices
from leases.yearly.revision import Asked, commit_revision, to_claim
from leases.yearly.revision_clause import import_clauses

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SEPTEMBER = date(2025, 9, 1)
ASKED = {"month": "2025-09", "claimed_on": "2025-08-20"}


@pytest.fixture(autouse=True)
def on_the_20_august_2025(settings, monkeypatch):
    settings.GLA_TODAY = "2025-08-20"
    settings.LANGUAGE_CODE = "en"
    monkeypatch.setattr(jobs, "kick", lambda: None)
    with translation.override("en"):
        yield


@pytest.fixture
def stock(build):
    """Two leases of 1 September: one to revise, one whose home is labelled G."""
    import_indices(by=None, now=NOW)
    leases = [
        build.lease(start=date(2023, 9, 1), rent="612.40", unit=build.unit(label=label)) for label in "DG"
    ]
    for lease in leases:
        RevisionClause.objects.create(lease=lease, start=lease.start, quarter=2)
    return leases


@pytest.fixture
def signed_in(client, build):
    def sign_in(role="rental_manager"):
        client.force_login(build.user(role))
        client.cookies["django_language"] = "en"
        return client

    return sign_in


def text(response, status=200):
    assert response.status_code == status, response.status_code
    return response.content.decode()


def do_the_work():
    for job in Job.objects.filter(finished_at=None):
        jobs.run_inline(job)


def test_a_preview_shows_each_lease_each_reason_and_writes_nothing(signed_in, stock):
    revised, frozen = stock

    page = text(signed_in().get(reverse("revision-preview"), ASKED))
    reasons = text(signed_in().get(reverse("revision-preview"), ASKED | {"reason": "frozen"}))

    assert "€618.77" in page
    assert "2025-T2" in page
    assert reverse("lease", args=[revised.pk]) in page
    assert reverse("lease", args=[frozen.pk]) not in page
    assert "Home labelled F or G" in page
    assert reverse("lease", args=[frozen.pk]) in reasons
    assert "1 Jan 2022" in reasons  # the day of its label
    assert not Revision.objects.exists()


def test_a_preview_goes_out_as_a_spreadsheet_with_every_reason(signed_in, stock):
    answer = signed_in().get(reverse("revision-preview"), ASKED | {"export": "xlsx"})

    rows = list(load_workbook(BytesIO(answer.content)).active.values)
    assert len(rows) == 3
    assert sorted(str(row[-1] or "")[:13] for row in rows[1:]) == ["", "Home labelled"]
    assert AuditLine.objects.filter(action="export", resource="revision").exists()


def test_a_month_that_cannot_be_read_is_told(signed_in, stock):
    page = text(signed_in().get(reverse("revision-preview"), {"month": "septembre"}))

    assert "This is not a month" in page


def test_letters_to_come_or_a_month_too_far_are_refused_before_the_work_starts(signed_in, stock):
    client, far = signed_in(), {"month": "2099-09", "claimed_on": "2025-08-20"}

    assert "too early" in text(client.get(reverse("revision-preview"), far))
    assert client.post(reverse("revision-commit"), far).url.startswith(reverse("revision-preview"))
    assert not Job.objects.exists()
    answer = client.post("/api/v1/revisions/", ASKED | {"claimed_on": "2099-01-01"})
    assert answer.status_code in (409, 422)


def test_a_month_is_revised_seen_and_undone(signed_in, stock):
    lease = stock[0]
    client = signed_in()

    started = client.post(reverse("revision-commit"), ASKED)
    do_the_work()

    assert started.status_code == 302
    run = Revision.objects.get().run
    assert RentTerm.objects.get(lease=lease, start=SEPTEMBER).amount == euros("618.77")
    assert "€6.37" in text(client.get(reverse("revision-run", args=[run.pk])))
    assert lease.reference in text(client.get(reverse("revisions")))
    panel = text(client.get(reverse("lease-revision", args=[lease.pk])))
    assert "€618.77" in panel

    sure = text(client.post(reverse("revision-run-undo", args=[run.pk])))
    assert "Leases put back" in sure
    client.post(reverse("revision-run-undo", args=[run.pk]), {"step": "commit"})
    do_the_work()

    assert RentTerm.objects.get(lease=lease).amount == euros("612.40")
    assert "Undone" in text(client.get(reverse("revisions"), {"run": run.pk}))


def test_one_lease_is_put_back_from_its_page_once(signed_in, stock):
    run = commit_revision(Asked(SEPTEMBER, SEPTEMBER), by=None, now=NOW)
    one, client = run.revisions.get(), signed_in()
    address = reverse("revision-undo", args=[one.pk])

    assert "Rent put back" in text(client.post(address))
    assert client.post(address, {"step": "commit"}).status_code == 302
    assert "already undone" in text(client.post(address, {"step": "commit"}), status=422)


def test_a_clause_is_recorded_from_the_page_of_its_lease(signed_in, build):
    lease, client = build.lease(start=date(2023, 9, 1)), signed_in()
    address = reverse("lease-revision-clause", args=[lease.pk])
    told = {"since": "2023-09-01", "revised": "on", "quarter": "2", "series": ""}

    assert "leave both blank" in text(client.post(address, told | {"day": "1", "month": ""}))
    assert "in no year" in text(client.post(address, told | {"day": "31", "month": "6"}), status=422)
    assert client.post(address, told | {"day": "1", "month": "1"}).status_code == 302

    clause = RevisionClause.objects.get()
    assert (clause.revised, clause.month_day, clause.quarter) == (True, "01-01", 2)


def test_the_clause_of_the_model_contract_is_recorded_for_leases_of_which_nothing_is_said(signed_in, build):
    silent, told = build.lease(), build.lease()
    RevisionClause.objects.create(lease=told, start=told.start, revised=False)
    build.lease(kind="L89_MEUBLE")
    client = signed_in()

    client.post(reverse("revision-model-clause"), {"kind": "L89_VIDE", "step": "commit"})

    assert {clause.lease_id: clause.revised for clause in RevisionClause.objects.all()} == {
        silent.pk: True,
        told.pk: False,
    }


def test_clauses_come_in_from_a_file_and_again_change_nothing(build):
    first, second = build.lease(start=date(2023, 9, 1)), build.lease(start=date(2023, 9, 1))
    lines = ["bail_reference;clause;depuis;jour;mois;trimestre"]
    lines += [f"{first.reference};oui;;1;7;2", f"{first.reference};non;01/01/2026;;;"]

    done = import_clauses("\n".join([*lines, f"{second.reference};non;;;;"]).encode(), by=None, now=NOW)

    assert sum(done.created.values()) == 3
    told = RevisionClause.objects.get(lease=first, start=first.start)
    assert (told.revised, told.month_day, told.quarter) == (True, "07-01", 2)
    assert import_clauses("\n".join(lines).encode(), by=None, now=NOW).nothing_new


def test_every_fault_of_a_file_of_clauses_is_told(build):
    lease = build.lease(start=date(2023, 9, 1))
    lines = ["bail_reference;clause;depuis;jour;mois", "nobody;oui;;;"]
    lines += [
        f"{lease.reference};oui;;31;6",
        f"{lease.reference};oui;;1;",
        f"{lease.reference};oui;01/01/2020;;",
    ]

    with pytest.raises(BadImport) as refused:
        import_clauses("\n".join(lines).encode(), by=None, now=NOW)

    assert [fault.column for fault in refused.value.errors] == ["bail_reference", "jour", "jour", "depuis"]
    assert not RevisionClause.objects.exists()


def test_what_nobody_claimed_is_told_until_it_is_lost(stock):
    [waiting] = to_claim(date(2025, 12, 10))

    assert (waiting.month, waiting.leases, waiting.rise) == (SEPTEMBER, 1, euros("6.37"))
    assert waiting.lost_from == date(2026, 9, 2)
    assert [one.month for one in to_claim(date(2026, 9, 1))] == [SEPTEMBER, date(2026, 9, 1)]
    assert [one.month for one in to_claim(date(2026, 9, 2))] == [date(2026, 9, 1)]


def test_indices_come_in_by_page_and_a_wrong_one_is_refused(signed_in, db):
    client = signed_in()
    client.post(reverse("import-indices"), {})
    assert IndexValue.objects.count() == 30

    wrong = SimpleUploadedFile("irl.csv", b"trimestre;valeur\n2025-T1;1000\n")
    assert "line by line" in text(client.post(reverse("import-indices"), {"file": wrong}), status=422)
    assert "145.47" in text(client.get(reverse("indices")))


def test_the_command_previews_then_revises(stock):
    out = StringIO()
    told = {"month": "2025-09", "claimed_on": "2025-09-01", "stdout": out}
    call_command("revise_rents", preview=True, **told)
    assert "1 leases would be revised, 6.37 EUR" in out.getvalue()
    assert not Revision.objects.exists()

    call_command("revise_rents", **told)

    assert "1 leases revised, 6.37 EUR" in out.getvalue()
    with pytest.raises(CommandError, match="YYYY-MM"):
        call_command("revise_rents", month="09/2025")


def test_a_program_previews_commits_and_reads(build, stock):
    client = APIClient()
    client.force_login(build.user("rental_manager"))

    seen = client.post("/api/v1/revisions/preview/", ASKED, format="json").json()
    assert (seen["leases"], seen["rise"]) == (1, "6.37")
    assert [one["code"] for one in seen["left_out"]] == ["frozen"]
    assert sorted(line["reason"] for line in seen["lines"]) == ["", "frozen"]

    assert client.post("/api/v1/revisions/", ASKED, format="json").status_code == 202
    do_the_work()

    [one] = client.get("/api/v1/revisions/").json()["results"]
    assert (one["old"], one["new"], one["quarter"]) == ("612.40", "618.77", "2025-T2")
    assert (one["index_old"], one["index_new"], one["undone"]) == ("145.17", "146.68", False)
    [index] = client.get("/api/v1/rent-indices/", {"year": 2025, "limit": 1}).json()["results"]
    assert index["series"] == "metropolitan"


def test_a_mediator_reads_and_does_not_revise(signed_in, stock):
    client = signed_in("mediator")

    assert client.get(reverse("revisions")).status_code == 200
    assert client.post(reverse("revision-commit"), ASKED).status_code == 403
    assert client.get(reverse("revision-preview"), ASKED | {"export": "xlsx"}).status_code == 403
