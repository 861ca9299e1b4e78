from datetime import date

import pytest

from core.law import all_rules, rule
from leases.kinds import (
    CHOICES,
    KINDS,
    deposit_cap,
    duration,
    fits,
    notice,
    notice_last_day,
    notice_months,
)

IN_2026 = date(2026, 3, 10)


def test_all_twelve_regimes_exist():
    assert set(KINDS) == {
        "L89_VIDE", "L89_MEUBLE", "CONV_APL", "ANAH_CONV", "SUBLET_FREE", "SUBLET_CONV",
        "BAIL_GLISSANT", "RESIDENCE_SOCIALE", "PENSION_FAMILLE", "ALT", "CHRS", "RHVS",
    }  # fmt: skip
    assert set(CHOICES) == set(KINDS)
    assert all(code == kind.code for code, kind in KINDS.items())


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_a_kind_names_rules_that_exist(kind):
    known = {each.id for each in all_rules()}
    named = {
        kind.duration, kind.notice, kind.notice_reduced, kind.landlord_notice,
        kind.deposit_cap, kind.deposit_return, kind.revision,
    }  # fmt: skip

    assert named - {None} <= known
    assert kind.prorata == rule("PRORATA", on=IN_2026).value
    assert kind.indemnity_after_title


@pytest.mark.parametrize(
    ("code", "months"),
    [
        ("L89_VIDE", 1),
        ("L89_MEUBLE", 2),
        ("CONV_APL", 1),
        ("RESIDENCE_SOCIALE", 1),
        ("ALT", 0),
        ("CHRS", 0),
        ("SUBLET_FREE", None),
        ("RHVS", None),
    ],
)
def test_the_most_that_may_be_asked_as_deposit(code, months):
    assert deposit_cap(KINDS[code], on=IN_2026) == months


def test_a_lease_signed_before_february_2008_could_ask_two_months():
    assert deposit_cap(KINDS["L89_VIDE"], on=date(2007, 6, 1)) == 2


def test_the_deposit_of_a_residence_is_counted_in_redevance():
    assert KINDS["PENSION_FAMILLE"].deposit_basis == "redevance"
    assert KINDS["L89_VIDE"].deposit_basis == "rent"


def test_a_tenant_gives_three_months_or_one_on_a_proved_ground():
    vide = KINDS["L89_VIDE"]

    assert notice_months(vide, on=IN_2026) == 3
    assert notice_months(vide, on=IN_2026, ground="rsa_aah") == 1
    assert notice_months(vide, on=IN_2026, ground="wants_to") == 3
    assert notice_months(KINDS["L89_MEUBLE"], on=IN_2026) == 1


def test_violence_was_no_ground_before_august_2020():
    assert notice_months(KINDS["CONV_APL"], on=date(2020, 7, 31), ground="violence") == 3
    assert notice_months(KINDS["CONV_APL"], on=date(2020, 8, 1), ground="violence") == 1


def test_a_resident_gives_eight_days():
    assert notice(KINDS["RESIDENCE_SOCIALE"], on=IN_2026).unit == "days"
    assert notice_months(KINDS["RESIDENCE_SOCIALE"], on=IN_2026) is None
    assert notice_last_day(KINDS["RESIDENCE_SOCIALE"], received=IN_2026) == date(2026, 3, 18)


def test_a_notice_in_months_runs_date_to_date_from_its_receipt():
    assert notice_last_day(KINDS["L89_VIDE"], received=date(2026, 3, 10)) == date(2026, 6, 10)
    assert notice_last_day(KINDS["L89_VIDE"], received=date(2026, 1, 31), ground="first_job") == date(
        2026, 2, 28
    )
    assert notice_last_day(KINDS["SUBLET_FREE"], received=IN_2026) is None


def test_the_manager_of_a_residence_gives_notice_by_cause():
    residence = KINDS["PENSION_FAMILLE"]

    assert notice(residence, on=IN_2026, by="landlord", cause="breach").value == 1
    assert notice(residence, on=IN_2026, by="landlord", cause="closure").value == 3
    assert notice(KINDS["L89_VIDE"], on=IN_2026, by="landlord").value == 6


def test_the_owner_s_nature_drives_the_term_of_an_unfurnished_lease():
    vide = KINDS["L89_VIDE"]

    assert duration(vide, on=IN_2026, landlord="mp").value == 6
    assert duration(vide, on=IN_2026, landlord="person").value == 3
    assert duration(KINDS["CONV_APL"], on=IN_2026, landlord="mp") is None


def test_a_student_s_furnished_lease_runs_nine_months():
    meuble = KINDS["L89_MEUBLE"]

    assert (duration(meuble, on=IN_2026).value, duration(meuble, on=IN_2026).unit) == (1, "years")
    of_student = duration(meuble, on=IN_2026, tenant="student")
    assert (of_student.value, of_student.unit) == (9, "months")


def test_what_is_due_has_the_name_of_its_regime():
    assert str(KINDS["L89_VIDE"].amount_due) == str(KINDS["CONV_APL"].amount_due)
    assert (
        len({str(KINDS[code].amount_due) for code in ("L89_VIDE", "RESIDENCE_SOCIALE", "CHRS", "ALT")}) == 4
    )


def test_charges_of_a_residence_are_flat_and_never_settled():
    """FLAT_CHARGES."""
    assert KINDS["RESIDENCE_SOCIALE"].charges == ("flat",)
    assert KINDS["CONV_APL"].charges == ("provisions",)


def test_a_stay_in_alt_or_chrs_opens_no_benefit():
    assert [code for code, kind in KINDS.items() if not kind.benefit_possible] == ["ALT", "CHRS"]


def test_a_kind_fits_its_structure_only():
    assert fits(KINDS["CHRS"], "chrs")
    assert not fits(KINDS["CHRS"], None)
    assert not fits(KINDS["L89_VIDE"], "chrs")
    assert fits(KINDS["L89_VIDE"], None)
    assert fits(KINDS["L89_VIDE"], "")


def test_the_structures_named_are_those_of_the_stock():
    from portfolio.stock import Structure

    assert {code for kind in KINDS.values() for code in kind.needs_structure} == set(Structure.Kind.values)


def test_residences_are_outside_the_freeze_of_f_and_g_rents():
    assert not KINDS["PENSION_FAMILLE"].freeze_fg
    assert KINDS["CONV_APL"].freeze_fg
