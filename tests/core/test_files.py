"""Files of long work: kept for their sender alone, worked on once, told with their faults; large exports."""

import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from core import files, jobs, pages
from core.audit import AuditLine
from core.errors import Refusal
from core.files import Gone, KeptFile, TooLarge, file_job, keep, kept_file
from core.jobs import Job, run_inline
from portfolio.models import Unit
from tests.core.test_jobs import wait_until
from tests.portfolio.test_imports import home, written


@file_job("weigh", title="Weighing", page="import-portfolio")
def weigh(asked, kept, *, on=""):
    jobs.tell(asked, "on the scales")
    return {"size": len(kept.content), "on": on, "summary": [["Size", len(kept.content)]]}


@pytest.fixture
def rita(build):
    return build.user("rental_manager")


@pytest.fixture
def other(build):
    return build.user("rental_manager")


@pytest.fixture
def mine(rita):
    return keep(b"reference;loyer", "baux.csv", kind="weigh", resource="unit", action="import", by=rita)


def sent(data=b"abc", name="a.csv"):
    return SimpleUploadedFile(name, data)


# ---- whose it is ------------------------------------------------------------------------


def test_a_file_is_its_senders_alone_and_each_download_is_audited(client, rita, other, mine):
    client.force_login(rita)
    page = client.get(mine.get_absolute_url())

    assert page.content == b"reference;loyer"
    assert page["Content-Disposition"] == 'attachment; filename="baux.csv"'
    assert page["Content-Type"] == "application/octet-stream"
    assert AuditLine.objects.get(action="download").detail == {"sha256": mine.sha256}
    client.force_login(other)
    assert client.get(mine.get_absolute_url()).status_code == 404


def test_a_file_closes_with_the_right_it_was_kept_under(rita, mine):
    rita.groups.clear()

    with pytest.raises(Gone):
        kept_file(mine.pk, by=rita)


def test_a_file_is_dropped_after_a_week(rita, mine):
    KeptFile.objects.update(created_at=timezone.now() - files.KEPT_FOR - timedelta(minutes=1))

    new = keep(b"x", "b.csv", kind="weigh", resource="unit", action="import", by=rita)

    assert list(KeptFile.objects.all()) == [new]
    with pytest.raises(Gone):
        kept_file(mine.pk, by=rita)


def test_a_file_beyond_the_limit_is_refused(rita, monkeypatch):
    monkeypatch.setattr(files, "BYTE_LIMIT", 10)

    with pytest.raises(TooLarge):
        files.begin("weigh", sent(b"12345678901"), resource="unit", action="import", by=rita)
    assert not Job.objects.exists()


# ---- its work ---------------------------------------------------------------------------


def test_a_file_sent_twice_at_once_is_one_work_on_one_file(rita, other):
    begin = {"resource": "unit", "action": "import"}
    first = files.begin("weigh", sent(), by=rita, **begin)
    again = files.begin("weigh", sent(), by=rita, **begin)
    anothers = files.begin("weigh", sent(), by=other, **begin)
    of_another_day = files.begin("weigh", sent(), by=rita, on="2026-03-01", **begin)

    assert first == again
    assert len({first.pk, anothers.pk, of_another_day.pk}) == 3
    assert KeptFile.objects.count() == 3
    assert run_inline(of_another_day).result == {
        "url": f"{reverse('import-portfolio')}?job={of_another_day.pk}",
        "size": 3,
        "on": "2026-03-01",
        "summary": [["Size", 3]],
    }


def test_a_refused_file_keeps_its_faults_with_the_job_and_shows_them(client, rita):
    client.force_login(rita)
    bad = written(*(home(f"A-{number}", postcode="?") for number in range(jobs.LISTED + 5)))
    client.post(reverse("import-portfolio"), {"file": sent(bad, "parc.xlsx")})
    with pytest.raises(Refusal):
        run_inline(Job.objects.get())

    failed = Job.objects.get()
    assert (failed.state, len(failed.error["errors"]), failed.error["more"]) == ("failed", jobs.LISTED, 5)
    assert failed.error["errors"][0]["column"] == "code_postal"
    page = client.get(failed.get_absolute_url()).content.decode()
    assert "code_postal" in page
    assert reverse("job-resume", args=[failed.pk]) not in page, "the file itself is to be corrected"
    assert reverse("import-portfolio") in page
    assert not Unit.objects.exists()


def test_the_words_are_in_the_language_of_who_sent_the_file(client, rita, settings):
    client.force_login(rita)
    client.cookies["django_language"] = "en"
    client.post(reverse("import-portfolio"), {"file": sent(b"nothing of the kind")})
    with pytest.raises(Refusal):
        run_inline(Job.objects.get())

    assert Job.objects.get().error["place"] == "the file"


def test_what_became_of_a_file_is_told_to_its_sender_alone(client, rita, other):
    asked = files.begin(
        "import_portfolio", sent(written(home()), "parc.xlsx"), resource="unit", action="import", by=rita
    )
    told = f"{reverse('import-portfolio')}?job={asked.pk}"
    client.force_login(rita)
    assert client.get(told)["Location"] == asked.get_absolute_url(), "not over yet"
    run_inline(asked)

    assert client.get(told).status_code == 200
    assert client.get(f"{reverse('import-leases')}?job={asked.pk}").status_code == 404
    assert client.get(f"{reverse('import-portfolio')}?job=?").status_code == 404
    client.force_login(other)
    assert client.get(told).status_code == 403


def test_a_small_file_is_told_at_once_where_this_process_does_the_work(
    fresh_database, client, build, settings
):
    settings.GLA_WORKERS = False
    client.force_login(build.user("rental_manager"))

    page = client.post(reverse("import-portfolio"), {"file": sent(written(home()), "p.xlsx")}, follow=True)

    wait_until(lambda: Job.objects.get().is_over)
    assert page.redirect_chain[0][0] == Job.objects.get().result["url"]
    assert "note-good" in page.content.decode()
    for thread in threading.enumerate():
        if thread.name == "gla-jobs":
            thread.join()


def test_an_import_killed_and_taken_up_again_is_done_once_and_tells_all_of_it(fresh_database, build, root):
    rita, homes = build.user("rental_manager"), 300
    data = written(*(home(f"A-{number}") for number in range(homes)))
    asked = files.begin("import_portfolio", sent(data, "p.xlsx"), resource="unit", action="import", by=rita)
    work = [sys.executable, "manage.py", "work", "--once"]
    environment = fresh_database.environment | {"GLA_WORKERS": "1"}

    for number in range(2):
        process = subprocess.Popen(work, cwd=root, env=environment, stdout=subprocess.DEVNULL)
        before = Job.objects.get().worker
        wait_until(lambda: Job.objects.get().worker not in ("", before) or process.poll() is not None)  # noqa: B023
        time.sleep(0.3 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert Unit.objects.count() in (0, homes), "nothing half done"
    assert (
        subprocess.run(work, cwd=root, env=environment, stdout=subprocess.DEVNULL, check=False).returncode
        == 0
    )

    asked.refresh_from_db()
    assert (asked.state, asked.parts.count(), Unit.objects.count()) == ("done", 1, homes)
    assert [count for _label, count in asked.result["summary"]] == [homes, 3 * homes + 3, 0]
    assert AuditLine.objects.filter(action="import").count() == 1


def test_a_job_asked_to_stop_stops_within_its_part_and_undoes_it(rita):
    @jobs.job("slowly")
    def slowly(asked):
        def one():
            keep(b"x", "b.csv", kind="slowly", resource="unit", action="import", by=rita)
            jobs.tell(asked, "half-way")
            assert Job.objects.get(pk=asked.pk).said == "half-way"
            jobs.cancel(asked, by=rita)
            jobs.tell(asked, "further")

        yield jobs.Part("1", one)

    stopped = jobs.start("slowly", by=rita, wait=True)

    assert not KeptFile.objects.exists()
    # Here the cancel was asked within the part, and undone with it: only the work is.
    assert stopped.state == "cancelled"
    assert stopped.said == ""


@pytest.mark.postgresql
def test_what_a_part_says_is_seen_from_another_host_while_it_works(fresh_database):
    @jobs.job("talk")
    def talk(asked):
        def one():
            jobs.tell(asked, "half-way")
            wait_until(lambda: Job.objects.get(pk=asked.pk).message == "half-way")

        yield jobs.Part("1", one, "all said")

    assert jobs.start("talk", by=None, wait=True).message == "all said"


# ---- large exports ----------------------------------------------------------------------


@pytest.fixture
def few_rows(monkeypatch):
    """A list of more than two rows is a large one."""
    monkeypatch.setattr(pages, "EXPORT_ROWS", 2)


def test_a_small_list_is_exported_at_once(client, rita, build, few_rows):
    for _number in range(2):
        build.unit()
    client.force_login(rita)

    page = client.get(reverse("units"), {"export": "xlsx"})

    assert page["Content-Type"].endswith("sheet")
    assert not Job.objects.exists()


def test_a_large_list_is_exported_as_long_work_with_the_same_filters(client, rita, build, few_rows):
    units = [build.unit() for _number in range(4)]
    client.force_login(rita)
    asked_for = {"export": "csv", "sort": "-reference"}

    begun = client.get(reverse("units"), asked_for)
    asked = Job.objects.get()
    assert begun["Location"] == asked.get_absolute_url()
    assert client.get(reverse("units"), asked_for)["Location"] == asked.get_absolute_url()
    run_inline(asked)

    page = client.get(asked.get_absolute_url()).content.decode()
    assert asked.result["url"] in page
    file = client.get(asked.result["url"])
    assert file["Content-Disposition"].endswith('.csv"')
    first = file.content.decode("utf-8-sig").splitlines()
    assert len(first) == 5
    references = sorted((unit.reference for unit in units), reverse=True)
    assert [line.split(";")[0] for line in first[1:]] == references
    assert AuditLine.objects.get(action="export").detail == {"format": "csv", "rows": 4}


def test_an_export_stops_short_of_who_lost_the_right(client, rita, build, few_rows):
    for _number in range(4):
        build.unit()
    client.force_login(rita)
    client.get(reverse("units"), {"export": "csv"})
    rita.groups.clear()

    with pytest.raises(Refusal):
        run_inline(Job.objects.get())

    assert Job.objects.get().state == "failed"
    assert not KeptFile.objects.exists()
