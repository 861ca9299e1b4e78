"""The audit: added to, never changed; whoever goes round the database is found by the chain."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import RequestFactory

from core import audit
from core.audit import AuditLine, record, record_read, seal_batch, verify_chain
from core.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def mediator():
    return User.objects.create_user("mia")


def test_a_change_is_kept_with_who_what_and_which(mediator):
    record(mediator, "change", "lease", 12, terms=[3, 4], on=date(2026, 3, 1))

    line = AuditLine.objects.get()
    assert (line.actor, line.actor_kind) == (mediator.pk, "user")
    assert (line.action, line.resource, line.object_id) == ("change", "lease", "12")
    assert line.detail == {"terms": [3, 4], "on": "2026-03-01"}


def test_a_page_of_rows_is_one_line_with_their_ids(mediator, django_assert_num_queries):
    request = RequestFactory().get("/")
    request.user = mediator

    with django_assert_num_queries(1):
        record_read(request, "household", range(1, 51))

    line = AuditLine.objects.get()
    assert line.actor == mediator.pk
    assert line.detail == {"ids": list(range(1, 51))}


def test_a_page_that_showed_nothing_leaves_no_line(mediator):
    assert record_read(mediator, "household", []) is None
    assert not AuditLine.objects.exists()


def test_what_the_program_does_by_itself_has_no_user():
    record(None, "run", "rent_run", 7)

    assert AuditLine.objects.get().actor_kind == "system"


def test_what_came_with_a_key_is_told_apart(mediator):
    request = RequestFactory().get("/")
    request.user, request.auth = mediator, object()

    record(request, "view", "lease", 1)

    assert AuditLine.objects.get().actor_kind == "token"


@pytest.mark.parametrize(
    "personal", ["Marie Durand", "marie@example.org", "FR7630006000011234567890189", {"name": "x"}]
)
def test_nothing_that_could_name_somebody_is_taken(mediator, personal):
    with pytest.raises(ValueError, match="never names"):
        record(mediator, "change", "person", 1, old=personal)


def test_amounts_and_codes_are_taken(mediator):
    record(mediator, "settle", "suspense", 1, amount=Decimal("465.00"), lease="B-0042")

    assert AuditLine.objects.get().detail == {"amount": "465.00", "lease": "B-0042"}


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines.update(actor=99),
        lambda lines: lines.update(detail={"ids": []}),
        lambda lines: lines.update(hash="0" * 64, previous_hash="0" * 64, rank=1, action="view"),
        lambda lines: lines.delete(),
    ],
)
def test_the_database_refuses_any_change_to_a_line(mediator, change):
    record(mediator, "change", "lease", 12)

    with pytest.raises(IntegrityError, match="audit_append_only"), transaction.atomic():
        change(AuditLine.objects.all())


def test_a_sealed_line_is_not_sealed_again(mediator):
    record(mediator, "change", "lease", 12)
    seal_batch()

    with pytest.raises(IntegrityError, match="audit_append_only"), transaction.atomic():
        AuditLine.objects.update(hash="f" * 64)


def test_a_line_is_not_born_sealed(mediator):
    with pytest.raises(IntegrityError, match="audit_append_only"), transaction.atomic():
        AuditLine.objects.create(
            actor_kind="user", action="x", resource="lease", rank=1, previous_hash="0" * 64, hash="0" * 64
        )


@pytest.mark.sqlite
def test_a_line_is_not_replaced(mediator):
    line = record(mediator, "change", "lease", 12)

    with pytest.raises(IntegrityError, match="audit_append_only"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT OR REPLACE INTO core_auditline (id, at, actor_kind, action, resource, object_id, detail)"
            " VALUES (%s, '2026-03-01', 'user', 'view', 'lease', '12', '{}')",
            [line.pk],
        )


def test_lines_are_chained_in_batches(mediator):
    for number in range(5):
        record(mediator, "change", "lease", number)

    assert [seal_batch(2), seal_batch(2), seal_batch(2), seal_batch(2)] == [2, 2, 1, 0]

    chain = verify_chain()
    assert chain.whole
    assert chain.checked == 5
    assert AuditLine.objects.get(rank=1).previous_hash == audit.ORIGIN
    assert AuditLine.objects.get(rank=2).previous_hash == AuditLine.objects.get(rank=1).hash


def test_sealing_asks_as_many_queries_for_two_lines_as_for_forty(mediator):
    from django.test.utils import CaptureQueriesContext

    counts = []
    for lines in (2, 40):
        for number in range(lines):
            record(mediator, "change", "lease", number)
        with CaptureQueriesContext(connection) as asked:
            seal_batch()
        counts.append(len({query["sql"].split(" WHERE ")[0][:40] for query in asked}))

    assert counts[0] == counts[1]


def test_a_line_changed_behind_the_triggers_is_named(mediator, unguarded):
    for number in range(3):
        record(mediator, "change", "lease", number)
    seal_batch()

    unguarded("UPDATE core_auditline SET actor = 99 WHERE rank = 2")

    chain = verify_chain()
    assert (chain.broken_at, chain.fault) == (2, "content changed")


def test_a_line_removed_behind_the_triggers_is_named(mediator, unguarded):
    for number in range(3):
        record(mediator, "change", "lease", number)
    seal_batch()

    unguarded("DELETE FROM core_auditline WHERE rank = 2")

    chain = verify_chain()
    assert (chain.broken_at, chain.fault) == (2, "line missing")
    with pytest.raises(CommandError, match="2"):
        call_command("seal_audit", "--check")


def test_lines_removed_at_the_end_are_found_from_a_hash_kept_elsewhere(mediator, unguarded):
    for number in range(3):
        record(mediator, "change", "lease", number)
    seal_batch()
    kept_elsewhere = verify_chain().head

    unguarded("DELETE FROM core_auditline WHERE rank = 3")

    assert verify_chain().whole
    assert verify_chain(head=kept_elsewhere).broken_at == 3


def test_the_command_seals_all_and_proves_it(mediator, capsys):
    for number in range(5):
        record(mediator, "change", "lease", number)

    call_command("seal_audit", "--batch", "2", "--check")

    assert verify_chain().checked == 5
    assert verify_chain().head in capsys.readouterr().out


@pytest.fixture
def unguarded(settings):
    """Go behind the triggers, as someone with the database's own password could."""
    from django.utils.translation import override

    def run(statement):
        drop = "DROP TRIGGER core_auditline_{}" + (
            "" if connection.vendor == "sqlite" else " ON core_auditline"
        )
        with connection.cursor() as cursor:
            cursor.execute(drop.format("update"))
            cursor.execute(drop.format("delete"))
            cursor.execute(statement)

    with override("en"):
        yield run
