"""The import rule and the cost of importing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.surface.rooms import PACKAGE, ROOMS, room

LAYERS = (
    ("errors", "_core.clock", "_core.faults", "_core.values", "_core.tasks", "_core.upload"),
    ("_core.codec",),
    ("_core.types",),
    ("_core.checks", "_core.checked", "_core.encryption"),
    (
        "_core.events",
        "_core.identity",
        "_core.imeis",
        "_core.keeping",
        "_core.models",
        "_core.observations",
        "_core.operation",
        "_core.positions",
        "_core.multipart",
        "_core.environment",
        "_core.refusals",
        "_core.meaning",
        "_core.guard",
        "_core.secrets",
        "_core.registrar",
        "_core.reports",
    ),
    ("callbacks.messages",),
    ("_core.ledger",),
    ("_core.ledgers",),
    ("_core.outcomes",),
    ("_core.joining",),
    ("_core.runs",),
    ("_core.store",),
    ("_core.transport", "_core.retry", "_core.exchange", "_core.hooks"),
    ("_core.reading", "_core.sending", "_core.tokens"),
    ("session_management",),
    ("_core.login",),
    ("_core.engine",),
    ("_core.caller",),
    ("_core.namespace",),
    tuple(name for name in ROOMS if name != "session_management"),
    ("redis", "postgres"),
    ("_session",),
    ("opentelemetry",),
    ("simulator", "testing"),
    ("_cli", "pytest_plugin", "__main__", "_site"),
)
"""A part may import from its own line or a line above. A room imports no other room."""


def _imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports anywhere, including those for type checkers."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _part(dotted: str) -> str | None:
    """Return the part of the package that contains a dotted name, for example `devices` or `_core.login`."""
    first, *rest = dotted.split(".")
    if first != "thingspace_async" or not rest:
        return None
    return ".".join(rest[:2]) if rest[0] == "_core" or rest[:2] == ["callbacks", "messages"] else rest[0]


def _layer(part: str) -> int | None:
    return next((number for number, parts in enumerate(LAYERS) if part in parts), None)


def _part_of_file(path: Path) -> str | None:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return _part(".".join(part for part in parts if part != "__init__"))


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_from_its_own_layer_or_one_below(path: Path) -> None:
    own = _part_of_file(path)
    if own in (None, "_core"):
        assert own == "_core" or path.name == "__init__.py"
        return
    layer = _layer(own)
    assert layer is not None, f"{own} is missing from the import rule"
    for name in _imports(path):
        part = _part(name)
        if part is None or part == own or (number := _layer(part)) is None:
            continue
        assert number <= layer, f"{path.name} imports {name}"
        assert not (own in ROOMS and part in ROOMS), f"the room {own} imports the room {part}"


def test_only_the_transport_and_the_receivers_servers_import_aiohttp_on_the_clients_side() -> None:
    importing = {
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        if any(name.partition(".")[0] == "aiohttp" for name in _imports(path))
    }
    client = {name for name in importing if not name.startswith("simulator/")}
    assert client == {
        "_core/transport.py",
        "_session.py",
        "callbacks/web.py",
        "_cli/_metrics.py",
    }  # The session only for the types of its options.


def test_the_simulator_never_imports_the_session_or_the_transport() -> None:
    for path in (PACKAGE / "simulator").rglob("*.py"):
        forbidden = {"_session", "_core.transport", "_core.codec", "_core.login", "_core.engine", "_core.caller"}
        assert not forbidden & {_part(name) for name in _imports(path)}, path


def _modules_after(statement: str) -> set[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_neither_aiohttp_nor_cattrs_nor_a_room() -> None:
    loaded = _modules_after("import thingspace_async")
    assert not {"aiohttp", "cattrs", "attrs"} & loaded
    assert not {f"thingspace_async.{name}" for name in ROOMS} & loaded


def test_making_a_session_loads_no_room() -> None:
    credentials = "client_id='a', client_secret='b', username='c', password='d'"
    loaded = _modules_after(f"from thingspace_async import Credentials, Session\nSession(Credentials({credentials}))")
    assert not {f"thingspace_async.{name}" for name in ROOMS} & loaded
    assert not {"aiohttp.web", "opentelemetry", "typer", "rich", "thingspace_async.simulator"} & loaded


def test_one_version_of_software_management_loads_no_other() -> None:
    loaded = _modules_after("import thingspace_async.software")
    assert "thingspace_async.software.v3" in loaded
    assert not {"thingspace_async.software.v1", "thingspace_async.software.v2"} & loaded
    with pytest.raises(AttributeError, match="no attribute 'OPERATION'"):
        room("software").OPERATION  # noqa: B018 - accessing it is the test


@pytest.mark.parametrize(
    "name", ["_core.codec", "errors", "_core.login", "_session", *ROOMS, "simulator", "pytest_plugin"]
)
def test_every_module_can_be_imported_first(name: str) -> None:
    assert f"thingspace_async.{name}" in _modules_after(f"import thingspace_async.{name}")


def test_pdoc_gets_all_public_modules_with_their_pages() -> None:
    """pdoc itself, which only developers install, is run by `python -m tests.surface.site`."""
    code = """
import importlib, sys
sys.modules["pdoc"] = sys  # What it is does not matter.
import thingspace_async
assert "devices" in thingspace_async.__all__
from thingspace_async._site import PAGES
for name, pages in PAGES.items():
    module = importlib.import_module(name)
    assert not pages or module.__doc__.startswith("# "), name
assert "](callbacks.html)" in thingspace_async.sms.__doc__
assert "](../thingspace_async.html" not in thingspace_async.sms.__doc__
assert "](thingspace_async/devices.html#fleet-runs-any-number-of-devices)" in thingspace_async.__doc__
assert "CHANGELOG.md" not in thingspace_async.__doc__
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
