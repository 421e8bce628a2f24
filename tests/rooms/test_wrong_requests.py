"""A call takes only its own request model: a dict or None would bypass the checks of the model."""

from __future__ import annotations

import inspect
from contextlib import AbstractAsyncContextManager
from operator import attrgetter
from typing import Any

import pytest

from tests.surface.rooms import all_calls
from thingspace_async import Secret, Session
from thingspace_async.errors import InvalidRequest
from thingspace_async.session_management import LogInRequest
from thingspace_async.simulator import Simulator

TAKING_REQUESTS = {
    name: call
    for name, call in all_calls().items()
    if (request := inspect.signature(call).parameters.get("request")) is not None
    and request.default is inspect.Parameter.empty
}

WRONG: tuple[Any, ...] = (None, {}, [], "{}", b"{}", LogInRequest(username="a", password=Secret("b")))


async def _begun(made: Any) -> None:
    if isinstance(made, AbstractAsyncContextManager):
        made = made.__aenter__()
    await (anext(made) if inspect.isasyncgen(made) else made)


@pytest.mark.parametrize("name", sorted(TAKING_REQUESTS))
async def test_anything_but_its_request_model_is_refused_and_nothing_is_sent(
    thingspace_simulator: Simulator, thingspace_session: Session, name: str
) -> None:
    call = attrgetter(name)(thingspace_session)
    others = {
        other.name: "0000123456-00001"
        for other in inspect.signature(call).parameters.values()
        if other.name != "request" and other.default is inspect.Parameter.empty
    }
    before = len(thingspace_simulator.requests)
    for wrong in WRONG:
        with pytest.raises(InvalidRequest, match=r"^[a-z_0-9]+\.[\w.]+: pass an? \w+, not "):
            await _begun(call(**others, request=wrong))
    assert len(thingspace_simulator.requests) == before
