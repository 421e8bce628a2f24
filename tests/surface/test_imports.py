"""The import rule, and what importing costs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.surface.rooms import PACKAGE, ROOMS

LAYERS = (
    ("errors", "_types", "_checks", "_tasks"),
    ("_codec", "_operation", "_environment", "_models", "_outcomes"),
    ("_store",),
    ("_auth", "_retry"),
    ("_transport",),
    ("_caller",),
    ("_namespace",),
    tuple(ROOMS),
    ("redis",),
    ("_session",),
    ("simulator",),
    ("_cli", "pytest_plugin", "__main__"),
)
"""Each may import what stands in its own line or in one before it; a room imports no other room."""


def _imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports when it runs, at whatever depth."""
    tree = ast.parse(path.read_text())
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            skipped.update(inner for statement in node.body for inner in ast.walk(statement))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _part(dotted: str) -> str | None:
    """Name the part of the package that a dotted name belongs to."""
    first, _, rest = dotted.partition(".")
    return rest.partition(".")[0] if first == "thingspace_async" and rest else None


def _layer(part: str) -> int | None:
    return next((number for number, parts in enumerate(LAYERS) if part in parts), None)


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_what_stands_left_of_it(path: Path) -> None:
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if own == "__init__":
        assert [name for name in _imports(path) if name.partition(".")[0] == "thingspace_async"] == []
        return
    layer = _layer(own)
    assert layer is not None, f"{own} has no place in the import rule"
    for name in _imports(path):
        part = _part(name)
        if part is None or part == own or (number := _layer(part)) is None:
            continue
        assert number <= layer, f"{path.name} imports {name}"
        assert not (own in ROOMS and part in ROOMS), f"the room {own} imports the room {part}"


def test_only_the_transport_and_the_receivers_server_import_aiohttp_on_the_clients_side() -> None:
    importing = {
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        if any(name.partition(".")[0] == "aiohttp" for name in _imports(path))
    }
    assert {name for name in importing if not name.startswith("simulator/")} == {"_transport.py", "callbacks/web.py"}


def test_the_simulator_never_imports_the_session_or_the_transport() -> None:
    for path in (PACKAGE / "simulator").rglob("*.py"):
        assert not {"_session", "_transport", "_codec"} & {_part(name) for name in _imports(path)}, path


def _modules_after(statement: str) -> set[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_neither_aiohttp_nor_cattrs_nor_a_room() -> None:
    loaded = _modules_after("import thingspace_async")
    assert not {"aiohttp", "cattrs", "attrs"} & loaded
    assert not {f"thingspace_async.{name}" for name in ROOMS} & loaded


def test_building_a_session_loads_no_product() -> None:
    credentials = "client_id='a', client_secret='b', username='c', password='d'"
    loaded = _modules_after(f"from thingspace_async import Credentials, Session\nSession(Credentials({credentials}))")
    assert not {f"thingspace_async.{name}" for name in ROOMS} & loaded
    assert not {"aiohttp.web", "typer", "rich", "thingspace_async.simulator"} & loaded


@pytest.mark.parametrize("name", ["_codec", "errors", "_auth", "_session", *ROOMS, "simulator", "pytest_plugin"])
def test_every_module_can_be_imported_first(name: str) -> None:
    assert f"thingspace_async.{name}" in _modules_after(f"import thingspace_async.{name}")
