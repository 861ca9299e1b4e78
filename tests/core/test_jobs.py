"""Long work: each part done once, whatever is cancelled, refused, killed or started twice."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import timedelta
from functools import partial

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from core import jobs
from core.audit import AuditLine
from core.errors import Refusal
from core.jobs import Busy, Job, JobPart, Part, Unknown, claim, job, run_inline, start
from core.models import User

done: list[str] = []


@job("count", title="Counting")
def count(asked, *, upto, stop_at=None, fail_at=None, refuse_at=None):
    asked.expect(upto)
    for number in range(1, upto + 1):
        yield Part(str(number), partial(_count, asked, number, stop_at, fail_at, refuse_at), f"n {number}")
    return {"sum": sum(found["n"] for found in asked.outcomes().values())}


def _count(asked, number, stop_at, fail_at, refuse_at):
    done.append(str(number))
    if number == stop_at:
        jobs.cancel(asked, by=None)
    if number == fail_at:
        raise ZeroDivisionError
    if number == refuse_at:
        raise Refusal("line 3", "The amount is missing.", "Fill it in.")
    return {"n": number}


@pytest.fixture(autouse=True)
def nothing_done(settings):
    done.clear()
    settings.GLA_WORKERS = True  # no thread unless a test asks for one


@pytest.fixture
def manager(db):
    return User.objects.create_user("rita")


# ---- parts ----------------------------------------------------------------------------


def test_parts_are_done_in_order_and_told(manager):
    told = []

    finished = start("count", by=manager, wait=True, echo=told.append, upto=3)

    assert done == ["1", "2", "3"]
    assert finished.state == "done"
    assert finished.result == {"sum": 6}
    assert (finished.done, finished.total) == (3, 3)
    assert told == ["Counting: 1/3 n 1", "Counting: 2/3 n 2", "Counting: 3/3 n 3"]


def test_a_part_that_fails_is_undone_and_those_before_it_stay(manager):
    with pytest.raises(ZeroDivisionError):
        start("count", by=manager, wait=True, upto=4, fail_at=3)

    failed = Job.objects.get()
    assert failed.state == "failed"
    assert "ZeroDivisionError" in failed.error["reason"]
    assert list(failed.parts.values_list("key", flat=True)) == ["1", "2"]


def test_a_refusal_is_kept_with_its_place_and_remedy(manager):
    with pytest.raises(Refusal):
        start("count", by=manager, wait=True, upto=4, refuse_at=3)

    assert Job.objects.get().error == {
        "place": "line 3",
        "reason": "The amount is missing.",
        "remedy": "Fill it in.",
    }


def test_a_failed_job_is_taken_up_where_it_stopped(manager):
    with pytest.raises(ZeroDivisionError):
        start("count", by=manager, wait=True, upto=4, fail_at=3)
    Job.objects.update(parameters={"upto": 4})
    done.clear()

    finished = jobs.resume(Job.objects.get(), by=manager, wait=True)

    assert done == ["3", "4"]
    assert finished.result == {"sum": 10}
    assert finished.done == 4


def test_cancel_stops_after_the_part_in_hand_and_can_be_taken_up(manager):
    stopped = start("count", by=manager, wait=True, upto=4, stop_at=2)
    assert (stopped.state, done) == ("cancelled", ["1", "2"])

    Job.objects.update(parameters={"upto": 4})
    finished = jobs.resume(stopped, by=manager, wait=True)

    assert finished.state == "done"
    assert done == ["1", "2", "3", "4"]


def test_a_job_that_waits_is_cancelled_at_once(manager):
    waiting = start("count", by=manager, upto=4)

    assert jobs.cancel(waiting, by=manager)
    assert waiting.state == "cancelled"
    assert run_inline(waiting).state == "cancelled"
    assert done == []


def test_a_finished_job_is_not_cancelled(manager):
    finished = start("count", by=manager, wait=True, upto=1)

    assert not jobs.cancel(finished, by=manager)
    assert finished.state == "done"


def test_start_cancel_and_end_are_in_the_audit(manager):
    start("count", by=manager, wait=True, upto=1)

    kept = AuditLine.objects.order_by("id").values_list("actor", "action", "resource")
    assert list(kept) == [(manager.pk, "start", "job"), (manager.pk, "finish", "job")]


def test_a_kind_nobody_registered_is_refused(manager):
    with pytest.raises(Unknown):
        start("unheard of", by=manager)


# ---- one worker at a time -------------------------------------------------------------


def test_a_job_under_way_is_not_begun_twice_under_the_same_name(manager):
    first = start("count", by=manager, once="2026-03", upto=2)
    second = start("count", by=manager, once="2026-03", upto=2)
    other = start("count", by=manager, once="2026-04", upto=2)

    assert first == second
    assert other != first


def test_once_finished_the_same_name_begins_anew(manager):
    first = start("count", by=manager, wait=True, once="2026-03", upto=2)

    assert start("count", by=manager, wait=True, once="2026-03", upto=2) != first


def test_a_claimed_job_is_refused_to_a_second_worker(manager):
    asked = start("count", by=manager, upto=2)
    assert claim(asked)

    assert claim(asked) is None
    with pytest.raises(Busy):
        run_inline(asked)


def test_a_worker_silent_for_too_long_loses_the_job(manager):
    asked = start("count", by=manager, upto=2)
    claim(asked)
    Job.objects.update(worker="elsewhere:1:abc", heartbeat_at=timezone.now() - timedelta(minutes=3))

    asked.refresh_from_db()
    assert asked.state == "interrupted"
    assert run_inline(asked).state == "done"


def test_a_worker_whose_process_is_gone_loses_the_job_at_once(manager):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    asked = start("count", by=manager, upto=2)
    token = claim(asked)
    Job.objects.update(worker=token.replace(f":{os.getpid()}:", f":{gone.pid}:"))

    assert run_inline(asked).state == "done"


def test_a_worker_thought_dead_commits_nothing(manager):
    @job("usurped")
    def usurped(asked):
        yield Part("1", lambda: Job.objects.update(worker="elsewhere:1:abc") and None)

    asked = start("usurped", by=manager, wait=True)

    # The part is undone with its claim, and the job is left to whoever has it.
    assert asked.finished_at is None
    assert not JobPart.objects.exists()


def test_what_a_dead_worker_left_is_queued_once(fresh_database):
    asked = start("count", by=None, upto=2)
    claim(asked)
    Job.objects.update(worker="elsewhere:1:abc", heartbeat_at=timezone.now() - timedelta(minutes=3))
    DBTaskResult.objects.all().delete()  # taken from the queue by the worker that died

    assert [jobs.resume_stale(), jobs.resume_stale()] == [1, 0]
    jobs.drain()

    asked.refresh_from_db()
    assert asked.state == "done"


def test_the_queue_runs_what_was_started(fresh_database):
    asked = start("count", by=None, upto=3)

    call_command("work", "--once")

    asked.refresh_from_db()
    assert asked.result == {"sum": 6}


def test_a_refusal_does_not_stop_the_queue(fresh_database, settings):
    start("count", by=None, upto=3, refuse_at=1)
    fine = start("count", by=None, upto=3)

    jobs.drain()

    fine.refresh_from_db()
    assert fine.state == "done"


# ---- for real: threads, processes, kills ----------------------------------------------


def test_of_two_workers_at_once_one_runs_the_job(fresh_database):
    asked = start("count", by=None, upto=5)
    ready, outcomes = threading.Barrier(2), []

    def work():
        ready.wait()
        try:
            run_inline(Job.objects.get(pk=asked.pk))
            outcomes.append("ran")
        except Busy:
            outcomes.append("busy")
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done == ["1", "2", "3", "4", "5"]
    assert "ran" in outcomes


def test_in_process_a_thread_does_the_work(fresh_database, settings):
    settings.GLA_WORKERS = False

    asked = start("count", by=None, upto=3)

    wait_until(lambda: Job.objects.get(pk=asked.pk).is_over)
    assert Job.objects.get(pk=asked.pk).result == {"sum": 6}
    for thread in threading.enumerate():
        if thread.name == "gla-jobs":
            thread.join()


SLOW = textwrap.dedent("""
    import time
    import django
    django.setup()
    from core import audit, jobs

    @jobs.job("slow")
    def slow(asked):
        def one():
            audit.record(None, "count", "job", asked.pk)
            time.sleep(0.05)

        for number in range(12):
            yield jobs.Part(str(number), one)

    jobs.start("slow", by=None, wait=True, once="slow")
""")


def test_killed_at_any_moment_and_started_again_each_part_is_done_once(fresh_database):
    kills = 0
    while True:
        process = subprocess.Popen([sys.executable, "-c", SLOW], env=fresh_database.environment)
        before = JobPart.objects.count()
        wait_until(lambda: JobPart.objects.count() > before or process.poll() is not None)  # noqa: B023
        if kills == 3 or process.poll() is not None:
            assert process.wait(timeout=60) == 0
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1

    finished = Job.objects.get()
    assert (kills, finished.state) == (3, "done")
    assert finished.parts.count() == finished.done == 12
    assert AuditLine.objects.filter(action="count").count() == 12


def wait_until(true, seconds=60):
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.05)


# ---- its page -------------------------------------------------------------------------


@pytest.fixture
def signed_in(client, manager, settings):
    from django.contrib.auth.models import Group

    settings.GLA_DEMO = True
    manager.groups.add(Group.objects.get_or_create(name="rental_manager")[0])
    client.force_login(manager)
    return client


def test_the_page_of_a_job_asks_again_until_it_is_over(signed_in, manager):
    asked = start("count", by=manager, upto=2)
    page = reverse("job", args=[asked.pk])

    assert f'hx-get="{page}"' in signed_in.get(page).content.decode()

    run_inline(asked)
    over = signed_in.get(page, headers={"HX-Request": "true"})
    assert over.headers["HX-Refresh"] == "true"
    assert "hx-trigger" not in over.content.decode().split("<main")[1]


def test_a_job_is_stopped_and_taken_up_from_its_page(signed_in, manager):
    asked = start("count", by=manager, upto=2)

    signed_in.post(reverse("job-cancel", args=[asked.pk]))
    asked.refresh_from_db()
    assert asked.state == "cancelled"

    signed_in.post(reverse("job-resume", args=[asked.pk]))
    asked.refresh_from_db()
    assert asked.state == "waiting"


def test_somebody_elses_job_is_closed(signed_in):
    other = start("count", by=User.objects.create_user("other"), upto=2)

    assert signed_in.get(reverse("job", args=[other.pk])).status_code == 403
    assert signed_in.post(reverse("job-cancel", args=[other.pk])).status_code == 403
    assert "Counting" not in signed_in.get(reverse("jobs")).content.decode()


def test_a_refusal_is_shown_on_the_page(signed_in, manager):
    with pytest.raises(Refusal):
        start("count", by=manager, wait=True, upto=4, refuse_at=3)

    page = signed_in.get(reverse("job", args=[Job.objects.get().pk])).content.decode()

    assert "The amount is missing." in page
    assert "Fill it in." in page
    assert signed_in.get(reverse("jobs")).status_code == 200
