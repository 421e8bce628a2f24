"""Public names, docstrings, and the declared operations against the platform's facts."""

from __future__ import annotations

import ast
import inspect
import json
import re
from functools import cached_property
from types import NoneType
from typing import Any

import attrs
import pytest

import thingspace_async
from tests.surface.rooms import PACKAGE, PRODUCTS, ROOMS, SHARED, all_calls, all_operations, modules_of, room
from thingspace_async import Environment, errors
from thingspace_async._operation import Operation
from thingspace_async._types import Accepted

CALLS = all_calls()


def test_every_public_name_is_there_and_listed() -> None:
    for name in thingspace_async.__all__:
        assert getattr(thingspace_async, name) is not None
        assert name in dir(thingspace_async)


def test_what_type_checkers_see_is_what_there_is() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(thingspace_async.__all__) - {"__version__"}


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Sesion'"):
        thingspace_async.Sesion  # noqa: B018 - to name it is the test


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_exports_its_models_and_operations(name: str) -> None:
    there = room(name)
    for models in modules_of(name, "models"):
        assert set(models.__all__) <= set(there.__all__)
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
def test_every_call_says_what_it_does_in_a_sentence_and_cites_the_platforms_page(name: str) -> None:
    text = inspect.getdoc(CALLS[name]) or ""
    first = text.splitlines()[0]
    assert re.fullmatch(r"[A-Z][a-z]+\b.*[^.]\.", first), "one sentence on the first line"
    assert not re.match(r"\w+(ing|[^s]s)\b", first), "what to do, not what it does"
    assert re.search(r"^https://thingspace\.verizon\.com/\S+$", text, re.MULTILINE), "the page, on a line of its own"


def test_every_room_that_a_session_has_is_there_and_every_room_is_had() -> None:
    known = {name for name, member in vars(thingspace_async.Session).items() if isinstance(member, cached_property)}
    assert known == set(PRODUCTS)


@pytest.mark.parametrize("operation", all_operations(), ids=lambda operation: operation.name)
def test_an_operation_is_declared_soundly(operation: Operation[Any, Any]) -> None:
    assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", operation.name)
    assert operation.path.startswith("/")
    assert operation.request is NoneType or attrs.has(operation.request)
    assert operation.server in Environment.production.bases


@pytest.mark.parametrize("operation", all_operations(), ids=lambda operation: operation.name)
def test_what_is_answered_later_is_not_asked_for_twice(operation: Operation[Any, Any]) -> None:
    assert not (operation.answer is Accepted and operation.repeatable)


def test_operations_have_names_and_endpoints_of_their_own() -> None:
    operations = all_operations()
    assert len({operation.name for operation in operations}) == len(operations)
    endpoints = {(one.method, one.server, re.sub(r"\{\w+\}", "{}", one.path)) for one in operations}
    assert len(endpoints) == len(operations)


def test_operations_are_those_of_the_platforms_documents() -> None:
    if not SHARED.exists():
        pytest.skip("../shared/api is absent: the operations are not compared with the platform's documents")
    servers = json.loads((SHARED / "servers.json").read_text())
    known = {
        (fact["method"], servers[fact["server"]]["production"] + re.sub(r"\{\w+\}", "{}", fact["path"]))
        for fact in json.loads((SHARED / "operations.json").read_text())
    }
    for operation in all_operations():
        url = Environment.production.bases[operation.server] + re.sub(r"\{\w+\}", "{}", operation.path)
        # The documents describe revocation on the credentials page, and the list of operations leaves it out.
        assert (operation.method, url) in known or operation.name == "oauth.revoke", operation.name
