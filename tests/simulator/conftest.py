"""A simulator, and a bare client that is logged in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from tests.simulator.api import Api
from tests.simulator.listener import Listener, listening
from thingspace_async.simulator import Assumptions, Simulator


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Api]]]:
    """Start a simulator with given options, and log in."""
    async with AsyncExitStack() as stack:

        async def start(devices: int = 10, assumptions: Assumptions | None = None, **options: Any) -> Api:
            cloud = Simulator(devices=devices, assumptions=assumptions or Assumptions(), **options)
            await stack.enter_async_context(cloud)
            http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
            # Else aiohttp would send GET and PUT again when a connection breaks; its own test client does the same.
            http._retry_connection = False
            api = Api(cloud, http)
            await api.enter()
            return api

        yield start


@pytest.fixture
async def api(serve: Callable[..., Awaitable[Api]]) -> Api:
    return await serve()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with listening() as taking:
        yield taking
