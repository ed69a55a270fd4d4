"""Rules of the house that a reader cannot see from one file, checked on the source itself."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter import configuration
from importlinter.application import use_cases

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("analytics", "pipelines", "api", "dags")
# Whoever asks the machine for the time instead of the clock, and why that is right.
ASKS_THE_TIME = {"pipelines/clock.py"}
# Where a transaction is opened without an authenticated caller, and why that is right.
OPENS_WITHOUT_CALLER = {
    "api/auth/access.py": "the one door",
    "api/auth/jwt.py": "a password, or a token in a body, makes the caller known",
    "api/auth/client_tokens.py": "a client's secret makes the caller known",
    "api/app.py": "health",
}


def _sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def test_imports_go_one_way() -> None:
    configuration.configure()

    assert use_cases.lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None)


def test_only_the_clock_asks_what_time_it_is() -> None:
    asking = {
        path
        for path, tree in _sources(*PACKAGES)
        for call in _calls(tree)
        if re.fullmatch(r"(datetime\.)*(datetime|date)\.(now|utcnow|today)|time\.time(_ns)?", _name(call))
    }

    assert asking == ASKS_THE_TIME


def test_every_transaction_of_the_api_has_a_caller() -> None:
    opening = {path for path, tree in _sources("api") for call in _calls(tree) if _name(call) == "unit_of_work"}

    assert opening == set(OPENS_WITHOUT_CALLER)


def test_the_api_holds_no_queries() -> None:
    statements = {
        (path, _name(call))
        for path, tree in _sources("api")
        for call in _calls(tree)
        if _name(call).endswith((".execute", ".scalar", ".scalars"))
        or _name(call) in {"raw", "sa.select", "sa.text"}
    }

    assert statements == {("api/app.py", "connection.execute"), ("api/app.py", "sa.text")}


def test_every_query_for_rows_of_a_resource_is_bound_to_the_caller() -> None:
    """In ``crud`` a statement names the table of a resource only together with the caller's organizations."""
    tree = dict(_sources("pipelines"))["pipelines/crud.py"]
    functions = {node.name: ast.unparse(node) for node in tree.body if isinstance(node, ast.FunctionDef)}

    reading = {name for name, text in functions.items() if "select(resource.table)" in text}

    assert reading == {"list_rows", "_stored_row"}
    assert all("scoped(resource, principal)" in functions[name] for name in reading)
    assert "_stored_row(connection, resource, principal, identifier, lock=lock)" in functions["get_row"]
    assert "get_row(connection, resource, principal, identifier, lock=True)" in functions["update_row"]
    assert "_stored_row(connection, resource, principal, identifier, lock=True)" in functions["delete_row"]
    assert "table.c[resource.scope_column].in_(organizations)" in functions["shown_rows"]


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_and_functions_stay_small(package: str) -> None:
    long: dict[str, int] = {}
    for path, tree in _sources(package):
        long[path] = len((ROOT / path).read_text(encoding="utf-8").splitlines()) - 600
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        long |= {f"{path}:{one.name}": (one.end_lineno or 0) - one.lineno - 80 for one in functions}

    assert {place for place, excess in long.items() if excess > 0} == set()


def test_every_error_family_has_a_status_or_is_our_bug() -> None:
    errors = dict(_sources("pipelines"))["pipelines/errors.py"]
    families = {
        node.name
        for node in errors.body
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "WattloomError" for base in node.bases)
    }
    problems = (ROOT / "api/problems.py").read_text(encoding="utf-8")
    mapped = set(re.findall(r"^    (\w+): HTTPStatus\.", problems, re.MULTILINE))

    assert families - mapped == {"BrokenContract", "WrongSetting"}
