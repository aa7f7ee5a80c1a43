"""The layout that docs/ARCHITECTURE.md describes: what imports what, and how long files are."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRIVATE_RAY = re.compile(r"^ray\.(_private|_raylet|tune\.execution)\b|^ray\.(?:\w+\.)*_")
PRIVATE_OPTUNA = re.compile(r"^optuna\.(?:\w+\.)*_")
MODULES = sorted(path for folder in ("ae", "sweeps") for path in (ROOT / folder).rglob("*.py"))


def imports(path):
    """Every module, and every name in a module, that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(("private", "package"), [(PRIVATE_RAY, "engine"), (PRIVATE_OPTUNA, "search")])
def test_private_parts_are_imported_in_one_package_alone(private, package):
    found = {path for path in MODULES if any(private.search(name) for name in imports(path))}
    strangers = {path for path in found if path.parent != ROOT / "sweeps" / package}
    assert not strangers, f"only sweeps/{package} may import private parts: {sorted(map(str, strangers))}"


def test_optuna_is_used_by_the_search_alone():
    found = {path.parent.name for path in MODULES if any(name.split(".")[0] == "optuna" for name in imports(path))}
    assert found == {"search"}


def test_no_file_is_longer_than_300_lines():
    long = {path.name: count for path in MODULES if (count := path.read_text().count("\n")) > 300}
    assert not long


def test_a_command_only_parses_and_delegates():
    commands = [path for path in (ROOT / "sweeps").glob("*.py") if path.name not in ("__init__.py", "api.py", "cli.py")]
    names = {path.stem for path in commands}
    assert names == {"run", "show", "compare", "replay", "evaluate", "apply", "export", "rebuild"}
    assert all(path.read_text().count("\n") < 110 for path in commands)
