"""A name that a template asks for and no view gives fails the test that draws the page.

Django shows such a name as nothing. It asks first whether the engine's `string_if_invalid` is
true, from inside the failed look-up: that question is answered no, and the look-up noted.
What stands after a None (a lease without referent, say) is no fault; nor is `{% if name %}`.
"""

import sys

import pytest
from django.http import QueryDict
from django.template import VariableDoesNotExist

from gla.translations import ROOT

_noted: set[str] = set()


class Undefined(str):
    """The empty text that Django shows, taking note of why."""

    def __bool__(self) -> bool:
        error, caller = sys.exc_info()[1], sys._getframe(1)
        if isinstance(error, VariableDoesNotExist) and caller.f_code.co_name == "resolve":
            expression, context = caller.f_locals.get("self"), caller.f_locals.get("context")
            template = getattr(getattr(context, "render_context", None), "template", None)
            origin = str(getattr(getattr(template, "origin", None), "name", ""))
            ours = origin.startswith(str(ROOT)) and "site-packages" not in origin
            if ours and not expected(*error.params):
                place = origin.removeprefix(f"{ROOT}/")
                _noted.add(f"{place}: {{{{ {getattr(expression, 'token', '?')} }}}} — no {error.params[0]}")
        return False


def expected(asked: str, of: object) -> bool:
    """Something may rightly be absent: after None, in the query of an address, past a list's end."""
    return of is None or isinstance(of, (str, QueryDict)) or asked.isdigit()


@pytest.fixture(scope="session", autouse=True)
def _ask_for_undefined():
    from django.template import engines

    engine = engines["django"].engine
    before, engine.string_if_invalid = engine.string_if_invalid, Undefined()
    yield
    engine.string_if_invalid = before


@pytest.fixture(autouse=True)
def no_undefined_variable():
    """Each test that draws a page asks this of it."""
    _noted.clear()
    yield
    if _noted:
        pytest.fail("Undefined in templates:\n" + "\n".join(sorted(_noted)), pytrace=False)
