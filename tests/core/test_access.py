"""The access table as pages use it: roles add up, nobody stands above it, no query is repeated."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.http import HttpResponse

from core import access
from core.access import ALL, Forbidden, allowed, can, require, roles, visible
from core.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def somebody():
    def made(*names, **fields):
        user = User.objects.create_user("-".join(names) or "nobody", **fields)
        user.groups.set([Group.objects.get_or_create(name=name)[0] for name in names])
        return user

    return made


def test_somebody_with_two_roles_has_the_rights_of_both(somebody):
    both = somebody("technician", "social_worker")

    assert can(both, "unit", "change")
    assert can(both, "social_note", "change")
    assert visible(both, "person") is ALL


def test_a_group_that_is_no_role_opens_nothing(somebody):
    assert roles(somebody("cycling club")) == frozenset()


def test_no_role_no_page(somebody):
    nobody = somebody()

    assert not can(nobody, "home")
    assert visible(nobody, "unit") == frozenset()


def test_nobody_signed_in_sees_nothing():
    assert not can(AnonymousUser(), "home")
    assert not can(None, "home")


def test_somebody_who_left_sees_nothing(somebody):
    assert not can(somebody("director", is_active=False), "unit")


def test_a_superuser_is_an_administrator_and_reads_no_file(somebody):
    root = somebody(is_superuser=True)

    assert can(root, "user", "change")
    assert not can(root, "social_note")
    assert not can(root, "household")


def test_roles_are_asked_of_the_database_once(somebody, django_assert_num_queries):
    user = User.objects.get(pk=somebody("mediator").pk)

    with django_assert_num_queries(1):
        for resource in ("unit", "household", "signal", "ledger"):
            can(user, resource)
            visible(user, resource)


def test_what_is_not_in_the_table_is_an_error_not_a_no(somebody):
    with pytest.raises(LookupError, match="spaceship"):
        can(somebody("director"), "spaceship")
    with pytest.raises(LookupError, match="launch"):
        allowed("unit", "launch")


def test_a_field_is_shown_or_not(somebody):
    mediator = somebody("mediator")

    assert "phone" in visible(mediator, "person")
    assert "birth_date" not in visible(mediator, "person")
    assert "iban" not in visible(mediator, "lease_money")
    assert "anything at all" in visible(mediator, "unit")
    assert visible(somebody("technician"), "lease_money") == frozenset()


def test_refused_with_a_sentence(somebody):
    with pytest.raises(Forbidden, match=r"\w+ .+\."):
        require(somebody("technician"), "ledger")


# ---- the guard of a page --------------------------------------------------------------


@allowed("ledger", "run")
def page(request):
    return HttpResponse("in")


def test_a_page_says_what_it_asks():
    assert page.access == ("ledger", "run")


def test_nobody_signed_in_is_sent_to_sign_in_and_back(rf):
    request = rf.get("/ledger/?month=2026-03")
    request.user = AnonymousUser()

    answer = page(request)

    assert answer.status_code == 302
    assert answer.url.endswith("?next=%2Fledger%2F%3Fmonth%3D2026-03")


def test_a_fragment_asks_the_browser_to_go_and_sign_in(rf):
    request = rf.get("/panel/", headers={"HX-Request": "true", "HX-Current-URL": "/unit/3/"})
    request.user = AnonymousUser()

    answer = page(request)

    assert answer.status_code == 200
    assert answer.headers["HX-Redirect"].endswith("?next=%2Funit%2F3%2F")


def test_the_role_decides(rf, somebody):
    request = rf.get("/ledger/")
    request.user = somebody("rental_manager")
    assert page(request).content == b"in"

    request.user = somebody("mediator")
    with pytest.raises(Forbidden):
        page(request)


def test_the_groups_of_all_roles_can_be_made(somebody):
    access.create_groups()
    access.create_groups()

    assert set(Group.objects.values_list("name", flat=True)) >= access.ROLES.keys()
