"""The schema is the one kept with the code, and its page works with nothing from outside."""

import io

import pytest
import yaml
from django.core.management import call_command

MONTH_PATTERN = r"^\d{4}-\d{2}$"
PLACES = {"after", "before", "limit", "lang", "format"}
UNLISTED = {("/api/v1/documents/", "kind")}
"""Filters whose choices are known only once the program has started: the papers it can make."""


def generated() -> dict:
    told = io.StringIO()
    call_command("spectacular", "--lang", "en", "--validate", "--fail-on-warn", stdout=told)
    return yaml.safe_load(told.getvalue())


def test_the_schema_kept_is_the_one_the_code_gives(root):
    kept = yaml.safe_load((root / "api" / "schema.yaml").read_text("utf-8"))

    assert kept == generated(), "Run: manage.py spectacular --lang en --file api/schema.yaml"


def test_money_is_a_string_and_every_operation_tells_its_problems():
    schema = generated()
    operations = [one for path in schema["paths"].values() for one in path.values()]

    assert schema["components"]["schemas"]["RentTermRecord"]["properties"]["amount"]["type"] == "string"
    assert all("application/problem+json" in one["responses"]["default"]["content"] for one in operations)


def plausible(schema: dict) -> str | None:
    """A value that a filter of that kind takes."""
    schema = schema.get("items", schema)
    if schema.get("enum"):
        return str(schema["enum"][0])
    if schema.get("type") == "integer":
        return None  # the id of something
    if schema.get("pattern") == MONTH_PATTERN:
        return "2026-03"
    known = {"number": "1", "boolean": "true", "date": "2026-03-20", "decimal": "1.00"}
    return known.get(schema.get("format") or schema["type"], "x")


def test_every_list_takes_every_filter_and_every_order_that_the_schema_tells(asks):
    manager, wrong, tried = asks("rental_manager"), [], 0
    for path, operations in generated()["paths"].items():
        if "{" in path:
            continue
        for asked in operations.get("get", {}).get("parameters", []):
            choices = asked["schema"].get("enum") or [plausible(asked["schema"])]
            for value in choices if asked["in"] == "query" and asked["name"] not in PLACES else []:
                if value is not None and (path, asked["name"]) not in UNLISTED:
                    tried += 1
                    status = manager.get(path, {asked["name"]: value}).status_code
                    wrong += [f"{path}?{asked['name']}={value}: {status}"] if status != 200 else []

    assert not wrong
    assert tried > 100


@pytest.mark.parametrize("address", ["/api/v1/schema/", "/api/v1/docs/", "/api/v1/docs/?script="])
def test_whoever_is_signed_in_reads_the_schema_and_nobody_else(asks, client, address):
    assert asks("technician").get(address).status_code == 200
    assert client.get(address).status_code in {302, 401}


@pytest.mark.browser
def test_the_page_of_the_api_works_under_the_strict_policy(build, live_site, page):
    build.user("rental_manager", username="manager")
    page.goto("/api/v1/docs/")
    page.fill("[name=login]", "manager")
    page.fill("[name=password]", "a good long password")
    page.press("[name=password]", "Enter")

    page.wait_for_selector("#operations-tag-leases")
    page.click("#operations-tag-owners")
    owners = page.locator("#operations-owners-owners_list")
    for button in (".opblock-summary-control", ".try-out__btn", ".execute"):
        owners.locator(button).click()
    assert "200" in owners.locator(".live-responses-table tbody td.response-col_status").inner_text()
