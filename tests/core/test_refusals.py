"""What the database refuses is told as a sentence, whichever engine says it."""

import re

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.utils import translation

from core.refusals import SENTENCES, refusal_of
from gla.translations import ROOT
from portfolio.models import Owner, Unit

CODE = re.compile(r"(?:ABORT, '|EXCEPTION '|ADD CONSTRAINT )([a-z_]+)")


def test_every_code_of_a_trigger_or_exclusion_has_its_sentence():
    codes = {code for path in ROOT.glob("*/sql/*.sql") for code in CODE.findall(path.read_text("utf-8"))}

    named = {constraint.name for model in apps.get_models() for constraint in model._meta.constraints}

    assert codes
    assert codes <= SENTENCES.keys() | named


def test_every_named_constraint_of_a_model_is_known_by_its_name():
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            refusal = refusal_of(IntegrityError(f"CHECK constraint failed: {constraint.name}"))
            assert str(refusal.reason) == str(constraint.get_violation_error_message())


@pytest.mark.django_db
def test_a_constraint_and_a_unique_reference_as_the_engine_says_them(build):
    unit = build.unit()

    def refused(act):
        with pytest.raises(IntegrityError) as error, transaction.atomic():
            act()
        with translation.override("en"):
            return str(refusal_of(error.value, "line 4"))

    assert "living surface above zero" in refused(lambda: Unit.objects.update(living_surface=0))
    assert "same reference" in refused(
        lambda: Owner.objects.create(reference=unit.holdings.get().owner.reference, kind="own", name="Twice")
    )
    assert "Another title" in refused(
        lambda: unit.holdings.create(owner=Owner.objects.get(), title="deed", start="2020-01-01")
    )


def test_what_nobody_foresaw_is_told_without_the_words_of_the_database():
    refusal = refusal_of(IntegrityError("FOREIGN KEY constraint failed"))

    assert "FOREIGN" not in str(refusal)
    assert refusal.remedy
