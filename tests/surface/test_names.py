"""Public names, docstrings, and operations that agree with the platform's documents."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import cached_property
from types import NoneType
from typing import Any

import attrs
import pytest

import thingspace_async
from tests.facts import operations
from tests.facts.endpoints import without_names
from tests.surface.rooms import PACKAGE, PRODUCTS, ROOMS, all_calls, all_operations, modules_of, room
from thingspace_async import Environment, errors
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import Accepted

CALLS = all_calls()


def test_every_public_name_exists_and_is_listed() -> None:
    for name in thingspace_async.__all__:
        assert getattr(thingspace_async, name) is not None
        assert name in dir(thingspace_async)


def test_type_checkers_see_the_real_names() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(thingspace_async.__all__) - {"__version__"}


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Sesion'"):
        thingspace_async.Sesion  # noqa: B018 - accessing it is the test


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_exports_its_models_and_operations(name: str) -> None:
    there = room(name)
    for models in modules_of(name, "models"):
        # Versions of a room export their models if the room has others of the same names.
        version = importlib.import_module(str(models.__package__))
        assert set(models.__all__) <= set(there.__all__) or set(models.__all__) <= set(version.__all__)
    assert "OPERATIONS" in there.__all__
    for public in there.__all__:
        assert hasattr(there, public)


def _documented() -> list[Any]:
    found: list[Any] = [thingspace_async, errors]
    owners = [getattr(thingspace_async, name) for name in thingspace_async.__all__]
    owners += [getattr(errors, name) for name in errors.__all__]
    for name in ROOMS:
        found.append(room(name))
        owners += [getattr(room(name), public) for public in room(name).__all__]
    owners += [getattr(room_of_simulator(), public) for public in room_of_simulator().__all__]
    for owner in owners:
        if inspect.isclass(owner) or inspect.isfunction(owner):
            found.append(owner)
        if inspect.isclass(owner):
            members = vars(owner).items()
            found += [
                member
                for name, member in members
                if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
            ]
    return found


def room_of_simulator() -> Any:
    from thingspace_async import simulator

    return simulator


def test_everything_public_has_a_docstring() -> None:
    bare = [repr(thing) for thing in _documented() if not (thing.__doc__ or "").strip()]
    assert bare == []


@pytest.mark.parametrize("name", CALLS)
def test_every_docstring_of_a_call_starts_with_a_sentence_and_cites_the_platforms_page(name: str) -> None:
    text = inspect.getdoc(CALLS[name]) or ""
    first = text.splitlines()[0]
    assert re.fullmatch(r"[A-Z][a-z]+\b.*[^.]\.", first), "the first line must be one sentence"
    assert not re.match(r"\w+(ing|[^s]s)\b", first), "the first line must be imperative"
    assert re.search(r"^https://thingspace\.verizon\.com/\S+$", text, re.MULTILINE), (
        "the page of the platform must be on a line of its own"
    )


def test_the_rooms_of_a_session_are_exactly_the_rooms_of_the_package() -> None:
    known = {name for name, member in vars(thingspace_async.Session).items() if isinstance(member, cached_property)}
    assert known == set(PRODUCTS)


@pytest.mark.parametrize("operation", all_operations(), ids=lambda operation: operation.name)
def test_an_operation_is_declared_correctly(operation: Operation[Any, Any]) -> None:
    assert re.fullmatch(r"[a-z_]\w*(\.[a-z_]\w*)+", operation.name)
    assert operation.path.startswith("/")
    assert operation.request is NoneType or attrs.has(operation.request)
    assert operation.server in Environment.production.bases


@pytest.mark.parametrize("operation", all_operations(), ids=lambda operation: operation.name)
def test_an_operation_with_a_later_result_is_not_repeatable(operation: Operation[Any, Any]) -> None:
    assert not (operation.answer is Accepted and operation.repeatable)


def test_names_and_endpoints_of_operations_are_unique() -> None:
    operations = all_operations()
    assert len({operation.name for operation in operations}) == len(operations)
    endpoints = {(one.method, one.server, re.sub(r"\{\w+\}", "{}", one.path)) for one in operations}
    assert len(endpoints) == len(operations)


def test_operations_agree_with_the_platforms_documents() -> None:
    known = {(one.method, without_names(one.url)) for one in operations()}
    for operation in all_operations():
        url = Environment.production.bases[operation.server] + without_names(operation.path)
        # The documents describe revocation only on the credentials page, not in the list of operations.
        assert (operation.method, url) in known or operation.name == "oauth.revoke", operation.name
