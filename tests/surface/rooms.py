"""What the tests of the surface look at: the package's modules and its product rooms."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import thingspace_async
from thingspace_async._operation import Operation

PACKAGE = Path(thingspace_async.__file__).parent
ROOT = PACKAGE.parent
SHARED = ROOT.parent / "shared" / "api"

ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/calls.py"))


def room(name: str) -> ModuleType:
    return importlib.import_module(f"thingspace_async.{name}")


def modules_of(name: str, kind: str) -> list[ModuleType]:
    """The `calls` or the `models` of a room, of all its parts where it has several."""
    paths = sorted((PACKAGE / name).rglob(f"{kind}.py"))
    return [importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in paths]


def all_operations() -> list[Operation[Any, Any]]:
    return [operation for name in ROOMS for operation in room(name).OPERATIONS]
