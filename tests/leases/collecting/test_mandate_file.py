"""Mandates from a spreadsheet, whole or not at all; and the commands of direct debit."""

from datetime import date

import pytest
from django.core.management import CommandError, call_command

from core.imports import BadImport
from core.tables import write_table
from leases import rent
from leases.collecting.mandate_file import MANDATE_COLUMNS, import_mandates
from leases.collecting.mandates import debit_days
from leases.formats.pain008 import check_order
from leases.imports import LEASE_COLUMNS, import_leases
from leases.models import DebitBatch, DebitReturn, Lease, Mandate
from tests.leases.collecting.debtors import CALLED, HOLDER, OTHER_BANK, batch, collecting, mandated
from tests.leases.collecting.test_returns import report

MARCH = date(2026, 3, 1)


def line(lease, **said):
    return {
        "lease_reference": lease.reference,
        "iban": HOLDER,
        "holder": "Alex Martin",
        "signed_on": date(2024, 1, 1),
        **said,
    }


def taken_in(*lines):
    data = write_table(MANDATE_COLUMNS, list(lines), format="xlsx")
    return import_mandates(data, on=MARCH, by=None)


def faults(*lines):
    with pytest.raises(BadImport) as refused:
        taken_in(*lines)
    assert not Mandate.objects.exists() or refused.value.errors
    return [(error.column, str(error.reason)) for error in refused.value.errors]


def test_mandates_come_in_and_the_leases_keep_their_references(build):
    collecting(build)
    known, new = build.lease(debit_mandate="RUM-7"), build.lease()

    done = taken_in(line(known), line(new, day=10, sequence="unique", notice_days=5))

    assert done.created.total() == 2
    assert Mandate.objects.get(lease=known).rum == "RUM-7"
    made = Mandate.objects.get(lease=new)
    assert (made.rum, made.sequence, made.notice_days) == (f"{new.payment_reference}-01", "OOFF", 5)
    assert Lease.objects.get(pk=new.pk).debit_mandate == made.rum
    assert debit_days([new.pk], MARCH) == {new.pk: 10}


def test_the_same_file_again_changes_nothing(build):
    collecting(build)
    one = line(build.lease())
    taken_in(one)

    assert taken_in(one).nothing_new


def test_every_fault_is_listed_and_nothing_is_kept(build):
    collecting(build)
    lease, other = build.lease(), build.lease(debit_mandate="RUM-1")

    found = faults(
        line(lease, iban="FR7610096000508452967681058"),
        line(lease, day=15),
        line(other) | {"lease_reference": "NOBODY"},
        line(lease, rum="RUM-1"),
        line(lease, creditor_id="FR19ZZZ654321"),
    )

    assert [column for column, _why in found] == ["iban", "jour", "bail_reference", "iban", "ics"]
    assert not Mandate.objects.exists()


def test_a_known_mandate_is_not_changed_by_a_file(build):
    mandated(lease := build.lease(), collecting(build))

    [(column, why)] = faults(line(lease, iban=OTHER_BANK))

    assert (column, why) == ("iban", "This lease has a mandate that says something else.")


def test_a_file_of_leases_does_not_speak_against_a_recorded_mandate(build):
    mandated(lease := build.lease(reference="B-1"), collecting(build))
    data = write_table(LEASE_COLUMNS, [{"lease_reference": "B-1", "debit_mandate": "RUM-OLD"}], format="csv")

    import_leases(data, by=None, now=CALLED)

    assert Lease.objects.get().debit_mandate == Mandate.objects.get(lease=lease).rum


def test_a_batch_is_prepared_by_command(build, settings, tmp_path, capsys):
    settings.GLA_TODAY = "2026-02-27"
    account = collecting(build)
    mandated(build.lease(), account)
    rent.run_rent(MARCH, by=None, now=CALLED)

    asked = {"on": date(2026, 3, 5), "account": account.iban, "to": str(tmp_path)}
    call_command("prepare_debits", preview=True, **asked)
    assert not DebitBatch.objects.exists()
    call_command("prepare_debits", **asked)

    [file] = tmp_path.iterdir()
    check_order(file.read_bytes(), "08")
    assert "1 debits, 465.00 EUR" in capsys.readouterr().out
    with pytest.raises(CommandError, match="nothing to debit"):
        call_command("prepare_debits", **asked)


def test_a_report_is_read_by_command(build, tmp_path, capsys):
    account = collecting(build)
    mandated(build.lease(), account)
    rent.run_rent(MARCH, by=None, now=CALLED)
    made = batch(account)
    file = tmp_path / "report.xml"
    file.write_bytes(report(made, (made.debits.get().end_to_end, "RJCT", "AM04")))

    call_command("import_debit_report", str(file))

    assert "Not enough money on the account" in capsys.readouterr().out
    assert DebitReturn.objects.get().code == "AM04"
    with pytest.raises(CommandError, match="was read on"):
        call_command("import_debit_report", str(file))
