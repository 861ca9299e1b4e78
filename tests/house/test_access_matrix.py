"""Who may do what, said a second time by hand, and held against the code and against every URL.

The table below is written from the trade, role by role, not from core/access.py. Every address of
the project and every operation of the API is walked as each role: one that names no right in the
table, or that answers otherwise than the table says, fails.
"""

import re
import uuid
from functools import cache

import pytest
from django.contrib.auth.models import Group
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from core import access
from core.models import User

pytestmark = pytest.mark.django_db

ROLES = [
    "rental_manager",
    "mediator",
    "technician",
    "social_worker",
    "coordinator",
    "director",
    "administrator",
]

MATRIX = """
rental_manager
    participation: view change
    obligation: view change export  repair: view change commit export
    reletting: view change export
    application: view change export
    inspection: view change         wear: view change
    deposit: view change export     stay: view change export
    desk: view change export        benefit_report: view change export
    benefit_payment: view export
    home: view                      search: view
    owner: view change import export            holding: view change import export
    site: view change import export             unit: view change import export
    place: view change import export            energy_label: view change import export
    household: view change import export        person: view change import export
    lease: view change import export            lease_money: view change import export
    benefit: view change import export          tenant_account: view change export
    ledger: view change run import export       rent_run: view run commit export
    statement: view change import export        suspense: view settle export
    owner_account: view change import export
    mandate: view change import export          debit: view run commit import export
    closing: view export
    signal: view change run export              contact_log: view change export
    referent: view                  law: view
    import: view run                export: view run
    job: view
    document: view run              document_template: view change
    revision: view change commit import export
    expense: view change import export          charges: view run commit change export
    charge_policy: view
mediator
    obligation: view change export  repair: view change export
    reletting: view export
    application: view
    charges: view
    inspection: view                wear: view
    deposit: view                   stay: view
    desk: view                      benefit_report: view change export
    benefit_payment: view export
    home: view                      search: view
    owner: view                     holding: view
    site: view export               unit: view export
    place: view export              energy_label: view
    household: view change export   person: view change
    lease: view export              lease_money: view
    benefit: view export            tenant_account: view export
    signal: view change run export  contact_log: view change export
    referent: view                  law: view
    export: view run                job: view
    document: view
    revision: view
    debit: view export
technician
    obligation: view change         repair: view change export
    reletting: view change export
    inspection: view change         wear: view
    home: view                      search: view
    owner: view
    site: view export               unit: view change export
    place: view export              energy_label: view change import export
    household: view                 person: view
    law: view
    import: view run                export: view run
    job: view
social_worker
    repair: view                    reletting: view
    application: view
    inspection: view                stay: view
    home: view                      search: view
    site: view                      unit: view
    place: view                     energy_label: view
    household: view change export   person: view change
    lease: view                     benefit: view
    tenant_account: view
    signal: view                    contact_log: view change
    referent: view change import export
    social_note: view change        law: view
    import: view run                export: view run
    job: view
coordinator
    participation: view change
    repair: view                    reletting: view
    application: view
    inspection: view                stay: view change export
    home: view                      search: view
    site: view                      unit: view
    place: view                     energy_label: view
    household: view change export   person: view change
    lease: view                     benefit: view
    tenant_account: view
    signal: view                    contact_log: view change
    referent: view change import export
    social_note: view change        law: view
    import: view run                export: view run
    job: view
director
    participation: view            participation_rate: change
    obligation: view export         repair: view export
    reletting: view export
    application: view export
    inspection: view                wear: view
    deposit: view export            stay: view export
    desk: view export               benefit_report: view export
    benefit_payment: view export
    home: view                      search: view
    owner: view export              holding: view export
    site: view export               unit: view export
    place: view export              energy_label: view export
    household: view export          person: view export
    lease: view export              lease_money: view export
    benefit: view export            tenant_account: view export
    ledger: view run export         rent_run: view export
    statement: view export          suspense: view export
    owner_account: view export
    mandate: view export            debit: view export
    closing: view change export
    signal: view export             contact_log: view export
    referent: view export           law: view change
    export: view run                job: view change
    user: view                      audit: view
    document: view                  document_template: view change
    revision: view export
    expense: view export            charges: view export
    charge_policy: view change
administrator
    home: view                      law: view
    job: view change
    user: view change               audit: view run
"""

FIELDS = {
    # What is hidden from whom, of what the role may open at all.
    ("technician", "person"): ["birth_date", "email", "income", "iban"],
    ("technician", "household"): ["balance", "referent", "iban"],
    ("technician", "owner"): ["iban", "fee"],
    ("mediator", "person"): ["birth_date", "income", "iban"],
    ("mediator", "owner"): ["iban"],
    ("mediator", "holding"): ["fee", "rent"],
    ("mediator", "lease_money"): ["iban", "payer_iban"],
    ("mediator", "application"): ["rent", "tax_income", "benefit"],
    ("social_worker", "application"): ["rent", "tax_income", "benefit"],
    ("coordinator", "application"): ["rent", "tax_income", "benefit"],
    ("social_worker", "tenant_account"): ["lines", "iban"],
    ("coordinator", "tenant_account"): ["lines", "iban"],
    ("social_worker", "benefit"): ["file_number"],
    ("coordinator", "benefit"): ["file_number"],
}

SHOWN = {
    ("technician", "person"): ["name", "phone"],
    ("technician", "household"): ["name", "phone", "unit"],
    ("mediator", "person"): ["name", "phone", "email"],
    ("social_worker", "tenant_account"): ["balance"],
    ("coordinator", "tenant_account"): ["balance"],
    ("director", "person"): ["birth_date", "iban"],
    ("rental_manager", "lease_money"): ["iban"],
}

OPEN_TO_ALL = re.compile(
    r"accounts/.*|i18n/.*|static/.*|health|api/v1/(schema|docs)/.*|favicon\.ico|robots\.txt|language/.*"
)
"""Addresses that ask no right of the table: signing in, language, files of the look, health."""


def stated():
    """The matrix above as {(role, resource, action)}."""
    rights, role = set(), ""
    for line in MATRIX.strip().splitlines():
        if not line.startswith(" "):
            role = line.strip()
        for resource, actions in re.findall(r"(\w+): ((?:\w+ ?)+)(?=\s\s|\s*$)", line):
            rights |= {(role, resource, action) for action in actions.split()}
    return rights


@pytest.fixture
def somebody():
    def made(role):
        user = User.objects.create_user(role)
        user.groups.add(Group.objects.get_or_create(name=role)[0])
        return user

    return made


def test_the_code_grants_what_is_stated_and_nothing_else(somebody):
    granted = {
        (role, resource, action)
        for role in ROLES
        for user in [somebody(role)]
        for resource, actions in access._TABLE.items()
        for action in actions
        if access.can(user, resource, action)
    }

    assert sorted(granted - stated()) == []
    assert sorted(stated() - granted) == []


def test_hidden_fields_are_hidden_and_no_other(somebody):
    users = {role: somebody(role) for role in ROLES}

    for (role, resource), fields in FIELDS.items():
        assert not access.visible(users[role], resource) & set(fields), (role, resource)
    for (role, resource), fields in SHOWN.items():
        assert set(fields) <= access.visible(users[role], resource) & set(fields), (role, resource)
    narrowed = {
        (role, resource)
        for role in ROLES
        for resource in access._TABLE
        if "view" in access._TABLE[resource]
        and access.can(users[role], resource)
        and access.visible(users[role], resource) is not access.ALL
    }
    assert narrowed == FIELDS.keys()


# ---- every address, every operation -----------------------------------------------------


def addresses(resolver=None, prefix=""):
    """Every (address, view) of the project, with something plausible for each parameter."""
    for entry in (resolver or get_resolver()).url_patterns:
        here = prefix + sample(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from addresses(entry, here)
        elif isinstance(entry, URLPattern) and "(" not in here:
            yield here, entry.callback


def sample(pattern):
    if isinstance(pattern, RoutePattern):
        text = str(pattern)
        for name, converter in pattern.converters.items():
            kind = type(converter).__name__.lower()
            value = "1" if "int" in kind else str(uuid.UUID(int=1)) if "uuid" in kind else "2026-03"
            text = re.sub(rf"<(?:[\w-]+:)?{name}>", value, text)
        return text
    text = re.sub(r"\(\?P<\w+>(?:[^()\[\]]|\[[^\]]*\]|\([^()]*\))*\)", "1", str(pattern))
    return text.replace("^", "").replace(r"\Z", "").replace("$", "").replace(r"\.", ".").replace("/?", "/")


def asked(view, method):
    """The (resource, action) that a view asks for a method, or None when it does not say."""
    if said := getattr(view, "access", None):
        return said
    kind = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if kind is None:
        return None
    said = getattr(kind, "access", None)
    if isinstance(said, dict):
        actions = getattr(view, "actions", None) or {}
        operation = actions.get(method)
        return said.get(operation) or said.get(method) or said.get("*")
    if said:
        return said
    if resource := getattr(kind, "resource", ""):
        return resource, getattr(kind, "action", "view")
    return None


def methods(view):
    """The methods that change or read, as the view declares them."""
    actions = getattr(view, "actions", None)
    if actions:
        return [m for m in actions if m in {"get", "post", "put", "patch", "delete"}]
    kind = getattr(view, "view_class", None) or getattr(view, "cls", None)
    names = getattr(kind, "http_method_names", ["get", "post"])
    return [
        m for m in names if m in {"get", "post", "put", "patch", "delete"} and (not kind or hasattr(kind, m))
    ]


SAMPLED = re.compile(r"(^|/)(1|2026-03|0{8}-[\d-]+)(/|$|\.)")


@cache
def walked():
    """Every address that asks a right, with its view."""
    return sorted({(a, v) for a, v in addresses() if not OPEN_TO_ALL.fullmatch(a)}, key=str)


def test_every_address_names_a_right_of_the_table():
    silent = []
    for address, view in walked():
        for method in methods(view):
            right = asked(view, method)
            if right is None:
                silent.append(f"{method.upper()} /{address} asks no right")
            elif tuple(right) not in access._OPEN:
                silent.append(f"{method.upper()} /{address} asks {right}, which is not in the table")

    assert not silent, "\n" + "\n".join(silent)


def test_the_list_of_open_addresses_hides_nothing():
    """An address that is open to all asks no right; one that asks for one must be walked."""
    guarded = [a for a, v in addresses() if OPEN_TO_ALL.fullmatch(a) and asked(v, "get")]

    assert guarded == []


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_what_the_table_opens_and_no_more(role, client, somebody, settings):
    settings.GLA_DEMO = True
    client.force_login(somebody(role))
    client.raise_request_exception = False
    rights, wrong = stated(), []

    for address, view in walked():
        for method in methods(view):
            right = asked(view, method)
            if right is None:
                continue  # the test above names it
            open_to = (role, *right) in rights
            if open_to and method != "get":
                continue  # what it does is tested where it is written
            status = getattr(client, method)(f"/{address}").status_code
            fine = {200, 204, 302, 405} if open_to else {403, 405}
            if open_to and SAMPLED.search(address):
                fine |= {404}  # nothing is there under the number made up for it
            if status not in fine:
                wrong.append(f"{method.upper()} /{address} {right}: {status}")

    assert not wrong, "\n" + "\n".join(wrong)


def test_nobody_opens_anything_without_signing_in(client):
    client.raise_request_exception = False
    wrong = []
    for address, view in walked():
        for method in methods(view):
            answer = getattr(client, method)(f"/{address}")
            to_sign_in = answer.status_code == 302 and "/accounts/login/" in answer.url
            if not (to_sign_in or answer.status_code in {401, 403, 405}):
                wrong.append(f"{method.upper()} /{address}: {answer.status_code}")

    assert not wrong, "\n" + "\n".join(wrong)
