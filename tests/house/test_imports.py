"""The layers of the house, as pyproject.toml states them."""

import ast

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from gla.translations import APPS, ROOT

BANNED = {"utils", "helpers", "services", "selectors", "managers", "constants", "enums", "exceptions", "base"}


def test_no_import_goes_up_the_house(capsys):
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, is_debug_mode=False)

    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_no_module_is_a_drawer_of_odds_and_ends():
    found = [path for app in APPS for path in (ROOT / app).rglob("*.py") if path.stem in BANNED]

    assert not found


def test_no_module_is_longer_than_600_lines():
    long = {
        str(path.relative_to(ROOT)): lines
        for app in (*APPS, "tests", "benchmarks")
        for path in (ROOT / app).rglob("*.py")
        if "migrations" not in path.parts and (lines := len(path.read_text("utf-8").splitlines())) > 600
    }

    assert not long, f"Split by subject: {long}"


def test_an_app_names_no_higher_app_in_a_string():
    """A foreign key written "leases.Lease" escapes import-linter: the layers hold for it too."""
    order = ["core", "portfolio", "leases", "followup", "arrears", "energy", "api", "gla"]
    rank = {app: place for place, app in enumerate(order)} | {"energy": order.index("arrears")}
    upwards = []
    for app in order:
        for path in (ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and (key := foreign(node)):
                    target = key.partition(".")[0]
                    if target in rank and target != app and rank[target] >= rank[app]:
                        upwards.append(f"{path.relative_to(ROOT)}:{node.lineno} {key}")

    assert not upwards


def foreign(call: ast.Call) -> str | None:
    """The "app.Model" that a field names in a string, if this call makes such a field."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in {"ForeignKey", "OneToOneField", "ManyToManyField"}:
        return None
    to = next((word.value for word in call.keywords if word.arg == "to"), call.args[0] if call.args else None)
    return to.value if isinstance(to, ast.Constant) and "." in str(to.value) else None
