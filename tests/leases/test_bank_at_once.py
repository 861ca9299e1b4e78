"""Two people, or two imports, at the same time: nothing is spent or counted twice."""

from datetime import date
from threading import Barrier, Thread

import pytest
from django.db import connection

from core.errors import Refusal
from core.money import euros
from leases import bank, proof, suspense
from leases.models import Allocation, Movement
from tests.builders import NOW
from tests.leases.statements import camt_file, received

pytestmark = pytest.mark.postgresql


def both_at_once(act) -> list:
    """What each of two threads got, refusals included."""
    barrier, got = Barrier(2), []

    def run():
        barrier.wait()
        try:
            got.append(act())
        except Refusal as refusal:
            got.append(refusal)
        finally:
            connection.close()

    threads = [Thread(target=run) for _each in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def imported(data: bytes):
    return bank.import_statement(data, "releve.xml", by=None, now=NOW)


def test_two_who_settle_one_line_do_not_spend_it_twice(fresh_database, build):
    build.bank()
    lease = build.lease()
    imported(camt_file(received("150.00")))
    line = Allocation.objects.in_suspense().get()

    got = both_at_once(
        lambda: suspense.settle(line, [(lease, euros("100.00"), None)], by=None, on=date(2026, 4, 2), now=NOW)
    )

    assert [type(one) for one in got if isinstance(one, Refusal)] == [suspense.CannotSettle]
    assert Allocation.objects.in_suspense().get().left == euros("50.00")
    assert not proof.check_ledger()


def test_one_file_imported_twice_is_imported_once(fresh_database, build):
    build.bank()
    data = camt_file(received("150.00"), received("150.00"))

    got = both_at_once(lambda: imported(data))

    assert sorted(one.movements for one in got) == [0, 2]
    assert Movement.objects.count() == 2
    assert not proof.check_ledger()
