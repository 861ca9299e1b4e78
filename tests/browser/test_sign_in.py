"""A visitor at the door."""

import pytest

pytestmark = pytest.mark.browser


def test_a_visitor_is_asked_to_sign_in(page):
    page.goto("/")

    assert "/accounts/login" in page.url
    assert page.locator("html").get_attribute("lang") == "fr"
