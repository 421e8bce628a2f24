"""The package's modules, rooms and calls, for tests of its public surface."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import thingspace_async
from thingspace_async import Credentials, Environment, Session
from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation

PACKAGE = Path(thingspace_async.__file__).parent
ROOT = PACKAGE.parent

ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/calls.py"))
PRODUCTS = [name for name in ROOMS if name != "session_management"]
"""Rooms that are properties of a session."""


def room(name: str) -> ModuleType:
    return importlib.import_module(f"thingspace_async.{name}")


def modules_of(name: str, kind: str) -> list[ModuleType]:
    """Return the `calls` or `models` modules of a room and of its parts."""
    paths = sorted((PACKAGE / name).rglob(f"{kind}.py"))
    return [importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in paths]


def all_operations() -> list[Operation[Any, Any]]:
    return [operation for name in ROOMS for operation in room(name).OPERATIONS]


def all_calls() -> dict[str, Callable[..., Any]]:
    """Return every call as users write it after `session.`, for example `devices.usage.list`, with its method."""
    credentials = Credentials(client_id="a", client_secret="b", username="c", password="d")
    session = Session(credentials, environment=Environment.at("http://127.0.0.1:1"))
    return {name: call for product in PRODUCTS for name, call in _calls_of(product, getattr(session, product))}


def _calls_of(name: str, place: Namespace) -> Iterator[tuple[str, Callable[..., Any]]]:
    for public in (public for public in dir(place) if not public.startswith("_")):
        member = getattr(place, public)
        if isinstance(member, Namespace):
            yield from _calls_of(f"{name}.{public}", member)
        elif inspect.ismethod(member):
            yield f"{name}.{public}", member
