"""The bank from the command line: import, split, and hold matching against the truth."""

from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from leases.formats.benefit_list import BenefitLine, BenefitList, write_list
from tests.leases.statements import IBAN, camt_file, received

pytestmark = pytest.mark.django_db

HEADINGS = "bank_iban;booked;bank_reference;amount;lease_reference;payer\n"


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def folder(build, tmp_path, capsys):
    """A statement with a rent, a benefit of 200 EUR with its list, and a payment of nobody known."""
    lease = build.lease(reference="BX1", benefit="200.00")
    build.bank()
    statement = camt_file(
        received("465.00", reference=lease.payment_reference, bank_reference="A1"),
        received("200.00", bank_reference="CAF1"),
        received("30.00", bank_reference="A2"),
    )
    line = BenefitLine(2, lease.benefits.get().beneficiary_number, "NOM", "", date(2026, 3, 1), 20000)
    (tmp_path / "releve.xml").write_bytes(statement)
    (tmp_path / "caf.csv").write_bytes(
        write_list(BenefitList("CAF", "CAF1", date(2026, 3, 5), 20000, (line,)))
    )
    call_command("import_statement", str(tmp_path / "releve.xml"))
    call_command("import_payment_list", str(tmp_path / "caf.csv"))
    assert "3 movements" in capsys.readouterr().out
    return tmp_path


def truth(folder, *lines: str) -> str:
    path = folder / "payeurs.csv"
    path.write_text(HEADINGS + "".join(f"{IBAN};2026-03-05;{line}\n" for line in lines), "utf-8")
    return str(path)


def test_the_share_matched_automatically_is_told_and_nothing_is_wrong(folder, capsys):
    call_command(
        "matching_report",
        truth(folder, "A1;465.00;BX1;locataire", "CAF1;200.00;BX1;CAF", "A2;30.00;BX1;locataire"),
    )

    told = capsys.readouterr().out
    assert "3 lines, 2 matched automatically (66.67 %)." in told
    assert "0 wrong." in told


def test_a_wrong_match_is_named_and_fails(folder, build, capsys):
    build.lease(reference="BX2")

    with pytest.raises(CommandError):
        call_command("matching_report", truth(folder, "A1;465.00;BX2;locataire"))
    assert "A1: BX1 465.00 (reference); in truth BX2 465.00" in capsys.readouterr().out


def test_a_file_known_already_says_so(folder, capsys):
    call_command("import_statement", str(folder / "releve.xml"))
    call_command("import_payment_list", str(folder / "caf.csv"))

    told = capsys.readouterr().out
    assert "nothing new, 3 movements known" in told
    assert "known already" in told


@pytest.mark.parametrize("command", ["import_statement", "import_payment_list", "matching_report"])
def test_a_bad_file_is_refused_in_a_sentence(build, tmp_path, command):
    path = tmp_path / "bad.bin"
    path.write_bytes(b"\x80nothing of the kind")

    with pytest.raises(CommandError, match=r"bad\.bin"):
        call_command(command, str(path))
    with pytest.raises(CommandError):
        call_command(command, str(tmp_path / "missing"))
