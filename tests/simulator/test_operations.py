"""Every operation that the package knows is simulated."""

from __future__ import annotations

import importlib
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.simulator.api import Api
from tests.surface.rooms import ROOMS, all_operations, room
from thingspace_async._core.operation import Operation
from thingspace_async.simulator.rooms import HANDLERS

Serve = Callable[..., Awaitable[Api]]


@pytest.mark.parametrize("operation", all_operations(), ids=lambda operation: operation.name)
async def test_each_operation_is_answered_at_its_own_address(serve: Serve, operation: Operation[Any, Any]) -> None:
    api = await serve(devices=1)
    base = urlsplit(api.cloud.environment.bases[operation.server]).path
    values = {"account_name": api.cloud.account_name, "request_id": api.cloud.add_request()}
    path = re.sub(r"\{(\w+)\}", lambda name: values.get(name[1], "4G"), operation.path)
    answer = await api.send(operation.method, base + path, data=b"{}")
    assert answer.status in (200, 202, 400, 401, 404)
    assert api.cloud.requests[-1].operation == operation.name


def test_what_is_simulated_is_what_the_rooms_have() -> None:
    assert set(HANDLERS) == set(all_operations())


@pytest.mark.parametrize("name", ROOMS)
def test_each_room_is_simulated_in_a_module_of_its_name(name: str) -> None:
    module = importlib.import_module(f"thingspace_async.simulator.rooms.{name}")
    assert set(module.HANDLERS) == set(room(name).OPERATIONS)
