"""The yearly revision of rents: the worked examples, the commit, the undoing."""

from datetime import UTC, date, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from core import jobs
from core.money import euros
from core.periods import Period
from leases import rent
from leases.lifecycle import change_term
from leases.models import IndexValue, MonthToReview, RentCall, RentTerm, Revision, RevisionClause
from leases.terms import CHARGES, RENT, SERVICES
from leases.yearly.indices import Quarter, import_indices
from leases.yearly.revision import (
    Asked,
    RevisionRefused,
    commit_revision,
    preview_revision,
    revision_lines,
)
from leases.yearly.revision_letters import letter_facts, run_letters
from leases.yearly.revision_rule import (
    Clause,
    Facts,
    Home,
    frozen,
    raised_by_ceiling,
    raised_by_index,
    revision,
    year_before,
)
from leases.yearly.revision_undo import undo_revision, undo_run
from portfolio.models import Structure

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SEPTEMBER = date(2025, 9, 1)
OURS = Home(title="deed", nature="mp", postcode="59000")


@pytest.fixture
def indices(db):
    import_indices(by=None, now=NOW)


def let(build, *, clause=True, home=None, quarter=None, month_day="", **kwargs):
    """A lease signed 2023-09-01 under title I, with a revision clause unless said otherwise."""
    home = {"label": "D"} | (home or {})
    lease = build.lease(**{"start": date(2023, 9, 1), "unit": build.unit(**home), **kwargs})
    if clause is not None:
        RevisionClause.objects.create(
            lease=lease, start=lease.start, revised=clause, quarter=quarter, month_day=month_day
        )
    return lease


def of_september(claimed_on=SEPTEMBER, **kwargs):
    return Asked(SEPTEMBER, claimed_on, **kwargs)


def reasons(asked) -> dict[int, str]:
    return {line.lease_id: line.reason for line in revision_lines(asked)}


def rents(lease, item=RENT):
    return [
        (t.start, t.end, t.amount) for t in RentTerm.objects.filter(lease=lease, item=item).order_by("start")
    ]


# ---- worked examples --------------------------------------------------------------------


def test_w1_a_rent_under_title_i_follows_the_index_of_its_clause():
    """W1: 612.40 × 146.68 / 145.17, to the nearest cent."""
    assert raised_by_index(euros("612.40"), new_index=14668, old_index=14517) == euros("618.77")


def test_w2_a_ceiling_is_rounded_down():
    """W2: 355.10 + 3.26 % is 366.676…: a ceiling, so 366.67."""
    assert raised_by_ceiling(euros("355.10"), points=326) == euros("366.67")


def test_w1_in_the_stock(build, indices):
    lease = let(build, rent="612.40", quarter=2)

    commit_revision(of_september(), by=None, now=NOW)

    assert rents(lease) == [
        (date(2023, 9, 1), SEPTEMBER, euros("612.40")),
        (SEPTEMBER, None, euros("618.77")),
    ]


def test_w2_in_the_stock(build, indices):
    """L.353-9-3: no clause is needed; 1 January, whatever the day of signature."""
    lease = build.lease(kind="CONV_APL", rent="355.10", start=date(2023, 5, 12))

    commit_revision(Asked(date(2025, 1, 1), date(2025, 1, 1)), by=None, now=NOW)

    assert rents(lease)[-1] == (date(2025, 1, 1), None, euros("366.67"))
    assert Revision.objects.get().points == 326


CLAIMED_LATE = Facts(
    kind="L89_VIDE",
    signed_on=date(2021, 5, 1),
    start=date(2021, 5, 1),
    clause=Clause(),
    home=OURS,
    terms=[(RENT, euros("500.00"), Period(date(2021, 5, 1)))],
)
INDICES = {("metropolitan", Quarter(2024, 1)): 14346, ("metropolitan", Quarter(2023, 1)): 13861}


@pytest.mark.parametrize(
    ("claimed_on", "effect", "reason"),
    [
        (date(2024, 3, 20), date(2024, 5, 1), ""),
        (date(2024, 11, 15), date(2024, 11, 15), ""),
        (date(2025, 5, 1), date(2025, 5, 1), ""),
        (date(2025, 5, 2), date(2025, 5, 2), "lost"),
    ],
)
def test_w4_effect_from_the_claim_and_lost_after_a_year(claimed_on, effect, reason):
    """W4, 17-1 I and 7-1: nothing before the claim; a year later the revision is lost."""
    [outcome] = revision(
        CLAIMED_LATE,
        month=Period.month(date(2024, 5, 1)),
        claimed_on=claimed_on,
        indices=INDICES,
    )

    assert (outcome.on, outcome.effect, outcome.reason) == (date(2024, 5, 1), effect, reason)
    assert outcome.new == (None if reason else euros("517.50"))


def test_w4_in_the_stock_the_rent_before_the_claim_is_untouched(build, indices):
    lease = let(build, start=date(2021, 5, 1), rent="500.00")

    commit_revision(Asked(date(2024, 5, 1), date(2024, 11, 15)), by=None, now=NOW)

    assert rents(lease) == [
        (date(2021, 5, 1), date(2024, 11, 15), euros("500.00")),
        (date(2024, 11, 15), None, euros("517.50")),
    ]


def test_w5_a_g_home_let_since_the_freeze_is_never_revised():
    signed = date(2023, 2, 1)
    facts = Facts("L89_VIDE", signed, signed, clause=Clause(), home=Home("deed", "mp", "59000", "G"))

    for year in (2024, 2025, 2026):
        assert frozen(facts, date(year, 2, 1)).since <= date(year, 2, 1)


def test_w5_a_lease_of_2020_is_caught_at_its_tacit_renewal_recorded_or_not():
    """W5: legal-person landlord, six years: revised to the 2025 anniversary, frozen from 2026-02-01."""
    signed = date(2020, 2, 1)
    for renewed in (None, date(2026, 2, 1)):
        facts = Facts(
            "L89_VIDE",
            signed,
            signed,
            last_renewed_on=renewed,
            clause=Clause(),
            home=Home("deed", "mp", "59000", "G"),
        )

        assert frozen(facts, date(2025, 2, 1)) is None
        assert frozen(facts, date(2026, 1, 31)) is None
        assert frozen(facts, date(2026, 2, 1)).since == date(2026, 2, 1)


def test_w5_in_the_stock(build, indices):
    lease = let(build, start=date(2020, 2, 1), home={"label": "G"}, rent="400.00")
    for year in (2021, 2022, 2023, 2024, 2025, 2026):
        commit_revision(Asked(date(year, 2, 1), date(year, 2, 1)), by=None, now=NOW)

    assert [one.on.year for one in lease.revisions.order_by("on")] == [2021, 2022, 2023, 2024, 2025]
    assert reasons(Asked(date(2026, 2, 1), date(2026, 2, 1))) == {lease.pk: "frozen"}


def test_a_natural_person_s_mandate_is_caught_three_years_after_the_signature(build, indices):
    """Term of three years (art. 10): signed 2020-03-01, renewed 2023-03-01, after the freeze began."""
    owner = build.owner("private", nature="person")
    home = {"label": "F", "owner": owner, "title": "mandate"}
    lease = let(build, start=date(2020, 3, 1), home=home)

    assert reasons(Asked(date(2023, 3, 1), date(2023, 3, 1))) == {lease.pk: "frozen"}
    assert reasons(Asked(date(2022, 3, 1), date(2022, 3, 1))) == {lease.pk: ""}


# ---- who is left out --------------------------------------------------------------------


def test_every_lease_left_out_says_why(build, indices):
    hlm = build.owner("social", nature="hlm")
    expected = {
        let(build, rent="500.00"): "",
        let(build, clause=None): "clause_unknown",
        let(build, clause=False): "no_clause",
        let(build, home={"label": "F"}): "frozen",
        let(build, rent=None): "no_rent",
        let(build, kind="SUBLET_FREE"): "by_contract",
        let(build, home={"owner": hlm, "title": "mandate"}): "landlord_hlm",
        let(build, home={"owner": hlm, "title": "head_lease"}): "",
        let(build, start=date(2024, 12, 1), month_day="09-01"): "first_year",
    }
    changed = let(build)
    change_term(changed, item=RENT, amount=euros("480.00"), since=SEPTEMBER, by=None, now=NOW)
    expected[changed] = "new_rent"
    planned = let(build)
    change_term(planned, item=RENT, amount=euros("480.00"), since=date(2025, 12, 1), by=None, now=NOW)
    expected[planned] = "later_rent"
    gone = let(build, end=date(2025, 10, 1))

    assert reasons(of_september()) == {lease.pk: reason for lease, reason in expected.items()} | {gone.pk: ""}
    assert reasons(of_september(date(2025, 10, 15)))[gone.pk] == "ended"
    assert dict(preview_revision(of_september()).left_out())["frozen"] == 1


def test_a_rent_renewed_since_its_date_is_not_revised_late(build, indices):
    """Taken over from another program: the rent of 1 September stands already."""
    lease = let(build)
    change_term(lease, item=RENT, amount=euros("480.00"), since=date(2025, 9, 5), by=None, now=NOW)

    assert reasons(of_september(date(2025, 11, 3))) == {lease.pk: "new_rent"}


def test_an_index_not_known_yet_leaves_the_lease_for_later(build, indices):
    IndexValue.objects.filter(year=2025, quarter=2).delete()
    lease = let(build, quarter=2)

    assert reasons(of_september()) == {lease.pk: "not_published"}


def test_a_ceiling_the_law_does_not_state_yet_leaves_the_lease_for_later(build):
    lease = build.lease(kind="CONV_APL")

    assert reasons(Asked(date(2031, 1, 1), date(2031, 1, 1))) == {lease.pk: "not_published"}


def test_a_rent_above_the_ceiling_of_its_financing_is_not_raised(build):
    above = build.lease(kind="CONV_APL", rent="401.00", unit=build.unit(rent_ceiling=euros("400.00")))
    at = build.lease(kind="CONV_APL", rent="400.00", unit=build.unit(rent_ceiling=euros("400.00")))

    assert reasons(Asked(date(2026, 1, 1), date(2026, 1, 1))) == {above.pk: "above_ceiling", at.pk: ""}


def test_a_redevance_moves_with_its_charges_equivalent_not_with_its_services(build):
    structure = Structure.objects.create(reference="RS1", name="Les Tilleuls", kind="residence_sociale")
    lease = build.lease(
        kind="RESIDENCE_SOCIALE", rent="300.00", charges="100.00", unit=build.unit(structure=structure)
    )
    RentTerm.objects.create(lease=lease, item=SERVICES, amount=euros("25.00"), start=lease.start)

    run = commit_revision(Asked(date(2026, 1, 1), date(2026, 1, 1)), by=None, now=NOW)

    assert rents(lease)[-1][2] == euros("303.12")
    assert rents(lease, CHARGES)[-1][2] == euros("101.04")
    assert len(rents(lease, SERVICES)) == 1
    [letter] = run_letters(run)
    assert (letter.old, letter.new, str(letter.rate)) == (euros("400.00"), euros("404.16"), "1.04")


def test_a_participation_of_resources_is_not_revised(build):
    structure = Structure.objects.create(reference="C1", name="La Maison", kind="chrs")
    lease = build.lease(kind="CHRS", start=date(2023, 9, 1), unit=build.unit(structure=structure))

    assert reasons(of_september()) == {lease.pk: "by_resources"}


def test_a_corsican_home_follows_the_corsican_series(build, indices):
    home = {"building": build.building(postcode="20090", commune="Ajaccio", commune_code="2A004")}
    lease = let(build, home=home, rent="500.00", quarter=2)
    assert reasons(of_september()) == {lease.pk: "not_published"}

    for year, hundredths in ((2024, 14000), (2025, 14100)):
        IndexValue.objects.create(series="corsica", year=year, quarter=2, hundredths=hundredths)

    [line] = revision_lines(of_september())
    assert line.new == euros("503.57")


def test_the_quarter_by_default_is_the_last_out_at_signature(build, indices):
    early, late = let(build, start=date(2023, 7, 14)), let(build, start=date(2023, 7, 15))

    found = revision_lines(Asked(date(2025, 7, 1), date(2025, 7, 1)))

    assert {line.lease_id: str(line.index_quarter) for line in found} == {
        early.pk: "2025-T1",
        late.pk: "2025-T2",
    }


def test_a_lease_of_29_february_is_revised_on_the_28th(build, indices):
    lease = let(build, start=date(2024, 2, 29), month_day="")
    for year in (2025, 2026):
        commit_revision(Asked(date(year, 2, 1), date(year, 2, 1)), by=None, now=NOW)

    assert [one.on for one in lease.revisions.order_by("on")] == [date(2025, 2, 28), date(2026, 2, 28)]
    assert year_before(date(2025, 2, 28)) == date(2024, 2, 29)


# ---- commit -----------------------------------------------------------------------------


def test_a_lease_is_revised_once_whatever_is_repeated(build, indices):
    lease = let(build)
    first = commit_revision(of_september(), by=None, now=NOW)
    after = rents(lease)

    again = commit_revision(of_september(), by=None, now=NOW)

    assert (first.revisions.count(), again.revisions.count()) == (1, 0)
    assert rents(lease) == after
    assert reasons(of_september()) == {lease.pk: "already_revised"}


def test_a_lease_whose_clause_changes_its_day_is_not_revised_twice_in_a_year(build, indices):
    lease = let(build)
    commit_revision(of_september(), by=None, now=NOW)
    RevisionClause.objects.create(lease=lease, start=date(2025, 10, 1), month_day="01-01")

    assert reasons(Asked(date(2026, 1, 1), date(2026, 1, 1))) == {lease.pk: "already_revised"}


def test_only_the_owner_kind_and_rule_asked_for_are_revised(build, indices):
    ours, theirs = let(build), let(build, home={"owner": build.owner("private"), "title": "mandate"})

    commit_revision(of_september(owner_kind="private", rule="REV_L89"), by=None, now=NOW)

    assert [one.lease_id for one in Revision.objects.all()] == [theirs.pk]
    assert reasons(of_september())[ours.pk] == ""
    assert preview_revision(of_september(owner_kind="own")).leases == 1


def test_months_called_already_are_settled_by_the_next_run(build, indices):
    lease = let(build, rent="500.00", quarter=2)
    build.called(SEPTEMBER, date(2025, 10, 1))

    commit_revision(of_september(date(2025, 9, 16)), by=None, now=NOW)
    rent.run_rent(date(2025, 11, 1), by=None, now=NOW)

    called = {(c.month.month, c.version): c.amount for c in RentCall.objects.filter(lease=lease)}
    # 500.00 × 146.68 / 145.17 = 505.20; 15 of 30 days of September at the new rent.
    assert called[9, 2] == euros("2.60")
    assert called[10, 2] == euros("5.20")
    assert called[11, 1] == euros("505.20")


def test_a_claim_to_come_and_a_month_too_far_are_refused(build, indices):
    with pytest.raises(RevisionRefused):
        commit_revision(of_september(date(2026, 11, 25)), by=None, now=NOW)
    with pytest.raises(RevisionRefused):
        commit_revision(Asked(date(2027, 3, 1), date(2026, 11, 24)), by=None, now=NOW)
    commit_revision(Asked(date(2027, 1, 1), date(2026, 11, 24)), by=None, now=NOW)


@pytest.mark.django_db
def test_a_killed_revision_is_taken_up_where_it_stopped(build, indices, settings, monkeypatch):
    settings.GLA_RUN_PART = 2
    leases = [let(build) for _number in range(5)]
    asked = {"month": "2025-09", "claimed_on": "2025-09-01"}
    from leases.yearly import revision as module

    whole, seen = module.revise_part, []

    def falls(run, low, high, *, now):
        done = whole(run, low, high, now=now)
        seen.append(low)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(module, "revise_part", falls)
    with pytest.raises(KeyboardInterrupt):
        jobs.start("rent_revision", by=None, wait=True, once="2025-09", **asked)
    assert Revision.objects.count() == 2

    monkeypatch.setattr(module, "revise_part", whole)
    done = jobs.start("rent_revision", by=None, wait=True, once="2025-09", **asked)

    assert done.result["leases"] == 5
    assert Revision.objects.count() == 5
    assert {len(rents(lease)) for lease in leases} == {2}


def test_the_database_keeps_revisions(build, indices):
    let(build)
    run = commit_revision(of_september(), by=None, now=NOW)
    for change in (
        lambda: run.revisions.update(new=euros("1.00")),
        lambda: run.revisions.all()._raw_delete("default"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    copy = run.revisions.get()
    copy.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        copy.save(force_insert=True)


# ---- undo -------------------------------------------------------------------------------


def test_undone_the_former_rent_runs_again_and_what_was_called_is_credited(build, indices):
    lease = let(build, rent="500.00", quarter=2)
    before = rents(lease)
    run = commit_revision(of_september(), by=None, now=NOW)
    build.called(SEPTEMBER)

    undo_revision(run.revisions.get(), by=None, now=NOW)

    assert rents(lease) == before
    assert Revision.objects.count() == 2
    assert MonthToReview.objects.filter(lease=lease, month=SEPTEMBER).exists()
    rent.run_rent(date(2025, 10, 1), by=None, now=NOW)
    assert RentCall.objects.get(lease=lease, month=SEPTEMBER, version=2).amount == euros("-5.20")
    assert letter_facts(run.revisions.get()).undone


def test_an_undone_revision_can_be_made_again_once(build, indices):
    lease = let(build)
    run = commit_revision(of_september(), by=None, now=NOW)
    after = rents(lease)
    undo_revision(run.revisions.get(), by=None, now=NOW)
    with pytest.raises(RevisionRefused):
        undo_revision(run.revisions.get(), by=None, now=NOW)

    again = commit_revision(of_september(), by=None, now=NOW)

    assert rents(lease) == after
    assert again.revisions.get().version == 3


def test_a_revision_under_a_later_rent_is_not_undone(build, indices):
    lease = let(build)
    run = commit_revision(of_september(), by=None, now=NOW)
    change_term(lease, item=RENT, amount=euros("600.00"), since=date(2026, 1, 1), by=None, now=NOW)

    with pytest.raises(RevisionRefused):
        undo_revision(run.revisions.get(), by=None, now=NOW)

    assert Revision.objects.count() == 1
    assert len(rents(lease)) == 3


def test_a_whole_run_is_undone_but_for_rents_changed_since(build, indices):
    kept, undone = let(build), let(build)
    run = commit_revision(of_september(), by=None, now=NOW)
    change_term(kept, item=RENT, amount=euros("600.00"), since=date(2026, 1, 1), by=None, now=NOW)

    undo_run(run, by=None, now=NOW)

    assert [one.lease_id for one in run.revisions.standing()] == [kept.pk]
    assert len(rents(undone)) == 1


def test_a_term_that_had_an_end_keeps_it(build, indices):
    lease = let(build)
    RentTerm.objects.filter(lease=lease).update(end=date(2026, 3, 1))

    run = commit_revision(of_september(), by=None, now=NOW)
    assert rents(lease)[-1][:2] == (SEPTEMBER, date(2026, 3, 1))

    undo_run(run, by=None, now=NOW)
    assert rents(lease) == [(date(2023, 9, 1), date(2026, 3, 1), euros("465.00"))]


# ---- letters, queries -------------------------------------------------------------------


def test_a_letter_has_all_its_figures(build, indices):
    lease = let(build, rent="612.40", quarter=2)
    run = commit_revision(of_september(date(2025, 11, 3)), by=None, now=NOW)

    told = letter_facts(run.revisions.get())

    assert (told.lease_reference, told.on, told.effect) == (lease.reference, SEPTEMBER, date(2025, 11, 3))
    assert (told.old, told.new, told.late) == (euros("612.40"), euros("618.77"), True)
    assert (told.quarter_old, told.quarter_new) == ("2024-T2", "2025-T2")
    assert (str(told.index_old), str(told.index_new)) == ("145.17", "146.68")
    assert "17-1" in told.legal_ref


def test_forty_leases_cost_as_many_queries_as_two(build, indices):
    january = Asked(date(2026, 1, 1), date(2026, 1, 1))

    def counts():
        found = []
        for work in (
            lambda: preview_revision(january),
            lambda: revision_lines(january),
            lambda: commit_revision(january, by=None, now=NOW),
            lambda: list(run_letters(Revision.objects.latest("pk").run)),
            lambda: undo_run(Revision.objects.latest("pk").run, by=None, now=NOW),
        ):
            with CaptureQueriesContext(connection) as asked:
                work()
            found.append(len(asked))
        return found

    for number in range(2):
        let(build, start=date(2023, 1, 1), kind=("L89_VIDE", "CONV_APL")[number % 2])
    at_two = counts()
    for number in range(38):
        let(build, start=date(2023, 1, 1), kind=("L89_VIDE", "CONV_APL")[number % 2])

    assert counts() == at_two
