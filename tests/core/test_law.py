from datetime import date
from decimal import Decimal

import pytest

from core.law import (
    AmbiguousRule,
    BadRule,
    NoRuleOn,
    NoSuchRule,
    all_rules,
    checked,
    history,
    read,
    rule,
    select,
)

RECORD = """
[[rule]]
id = "{id}"
{scope}
value = {value}
unit = "months"
event = "signature"
valid_from = {start}
{end}
legal_ref = "art. 1"
source = "Code"
confidence = "checked"
"""


def record(value=1, *, id="NOTICE", start="2020-01-01", end="", scope="", app="leases"):
    return read(
        RECORD.format(
            id=id,
            value=value,
            start=start,
            end=f"valid_to = {end}" if end else "",
            scope=f"scope = {{ {scope} }}" if scope else "",
        ),
        app=app,
    )


def ask(records, on=date(2026, 1, 1), **scope):
    return select(checked(records), "NOTICE", on=on, scope=scope).value


# --- The law that is shipped ---


def test_a_lease_of_a_legal_person_runs_six_years_and_of_a_person_three():
    assert rule("L89_DURATION", on=date(2026, 3, 1), landlord="mp").value == 6
    assert rule("L89_DURATION", on=date(2026, 3, 1), landlord="person").value == 3


def test_the_order_to_pay_of_w7_gives_six_weeks_or_two_months_by_the_signature_of_the_lease():
    """W7: a lease of 2024-06-01 and one of 2021-06-01."""
    of_2024 = rule("ORDER_TO_PAY", on=date(2024, 6, 1))
    of_2021 = rule("ORDER_TO_PAY", on=date(2021, 6, 1))

    assert (of_2024.value, of_2024.unit) == (6, "weeks")
    assert (of_2021.value, of_2021.unit) == (2, "months")


def test_the_conventioned_ceiling_of_w2_is_3_26_per_cent():
    ceiling = rule("REV_CONV", on=date(2025, 1, 1))

    assert ceiling.value == Decimal("3.26")
    assert isinstance(ceiling.value, Decimal)


def test_benefit_arrears_change_regime_on_1_january_2027():
    assert rule("AID_ARR_REGIME", on=date(2026, 12, 31)).value == "2016"
    assert rule("AID_ARR_REGIME", on=date(2027, 1, 1)).value == "2027"
    assert rule("AID_ARR_BASIS", on=date(2025, 9, 1), payee="landlord").value == "net"
    with pytest.raises(NoRuleOn):
        rule("AID_ARR_MULTIPLE", on=date(2027, 1, 1))


def test_an_unfitness_order_stops_the_rent_from_the_next_first_of_month():
    suspended = rule("RENT_SUSPENDED", on=date(2026, 3, 12))

    assert (suspended.value, suspended.unit) == (1, "firsts of month")
    assert "L. 521-2" in suspended.legal_ref


def test_only_a_legal_person_refers_its_case_to_the_ccapex():
    """W9 and W10."""
    assert rule("CCAPEX_BEFORE_SUMMONS", on=date(2025, 1, 15), landlord="mp").value == 2
    with pytest.raises(NoRuleOn):
        rule("CCAPEX_BEFORE_SUMMONS", on=date(2025, 1, 15), landlord="person")


def test_the_winter_truce_runs_from_november_to_march():
    """W11: 2025-11-05 is within it, 2026-04-01 is not."""
    assert rule("WINTER_TRUCE_FIRST", on=date(2025, 11, 5)).value == "11-01"
    assert rule("WINTER_TRUCE_LAST", on=date(2025, 11, 5)).value == "03-31"


def test_a_value_may_be_a_date_a_list_or_a_yes():
    assert rule("DPE_VALIDITY", on=date(2017, 6, 1)).value == date(2022, 12, 31)
    assert rule("FREEZE_FG", on=date(2026, 1, 1), zone="metropolitan").value == ("F", "G")
    assert rule("RECEIPT_WHOLE_ONLY", on=date(2026, 1, 1)).value is True


def test_the_labels_asked_for_tighten_over_the_years():
    assert [each.value for each in history("DECENCY_LABEL", zone="metropolitan")] == ["F", "E", "D"]


def test_every_record_says_where_it_comes_from():
    rules = all_rules()

    assert rules
    for each in rules:
        assert each.legal_ref and each.source, each.id
    assert {each.app for each in rules} >= {"portfolio", "leases", "arrears", "energy"}


# --- How a record is chosen ---


def test_the_record_of_the_day_is_chosen_and_the_last_day_excluded():
    two = record(2, start="2010-01-01", end="2020-01-01") + record(1)

    assert ask(two, on=date(2019, 12, 31)) == 2
    assert ask(two, on=date(2020, 1, 1)) == 1


def test_the_most_specific_record_wins():
    records = (
        record(3) + record(1, scope='zone = "tight"') + record(0, scope='zone = "tight", landlord = "mp"')
    )

    assert ask(records) == 3
    assert ask(records, zone="tight") == 1
    assert ask(records, zone="tight", landlord="person") == 1
    assert ask(records, zone="tight", landlord="mp") == 0
    assert ask(records, zone=None) == 3


def test_two_records_equally_specific_are_ambiguous():
    records = record(1, scope='zone = "tight"') + record(2, scope='landlord = "mp"')

    with pytest.raises(AmbiguousRule, match="landlord=mp; zone=tight"):
        ask(records, zone="tight", landlord="mp")


def test_a_date_without_a_rule_is_refused_with_the_dates_there_are():
    with pytest.raises(NoRuleOn, match="2019-05-01.*2020-01-01"):
        ask(record(1), on=date(2019, 5, 1))


def test_an_unknown_rule_is_refused_with_the_nearest_name():
    with pytest.raises(NoSuchRule, match="DPE_VALIDITY"):
        rule("DPE_VALIDTY", on=date(2026, 1, 1))


def test_a_scope_that_no_record_uses_is_a_slip():
    with pytest.raises(NoSuchRule, match="landlrd"):
        rule("L89_DURATION", on=date(2026, 1, 1), landlrd="mp")


# --- What is refused at load ---


def test_two_records_of_one_scope_valid_on_one_day_are_refused():
    with pytest.raises(BadRule, match="valid on 2020-01-01"):
        checked(record(2, start="2010-01-01") + record(1))
    with pytest.raises(BadRule, match="zone=tight"):
        checked(
            record(2, start="2010-01-01", end="2020-02-01", scope='zone = "tight"')
            + record(1, scope='zone = "tight"')
        )


def test_records_of_different_scopes_may_be_valid_together():
    assert (
        len(checked(record(2, scope='zone = "tight"') + record(1, scope='zone = "other"') + record(3))) == 3
    )


def test_one_rule_is_stated_by_one_app():
    with pytest.raises(BadRule, match="both"):
        checked(record(2, start="2010-01-01", end="2020-01-01") + record(1, app="arrears"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[rule]\n", "law.toml"),
        ('[[rule]]\nid = "X"\n', "Missing"),
        (RECORD.format(id="X", scope="colour = 1", value=1, start="2020-01-01", end=""), "Unknown: colour"),
        (RECORD.format(id="X", scope="", value=1, start="2020-01-01", end="valid_to = 2020-01-01"), "no day"),
        (
            RECORD.format(id="X", scope="", value=1, start="2020-01-01", end="").replace(
                '"months"', '"moons"'
            ),
            "moons",
        ),
    ],
)
def test_a_record_that_cannot_be_used_is_refused_by_name(text, complaint):
    with pytest.raises(BadRule, match=complaint):
        read(text, app="leases")
