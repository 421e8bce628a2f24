"""The two sides of the HTTP benchmarks: a session, and bare aiohttp with the same request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import attrs
import orjson

from benchmarks._data import ACCOUNT_NAME
from benchmarks._server import CREDENTIALS, Server
from thingspace_async import Session
from thingspace_async._core import codec
from thingspace_async.accounts import Account

__all__ = ["Call", "Sides", "sides"]

_CONNECTIONS = 100
"""The connection limit of both sides."""

Call = Callable[[], Awaitable[object]]


@attrs.frozen
class Sides:
    """Three ways to read the account."""

    ours: Call
    bare: Call
    typed: Call
    """Bare aiohttp with our codec instead of `orjson.loads`, to isolate the cost of our layer over aiohttp."""


@asynccontextmanager
async def sides(server: Server) -> AsyncIterator[Sides]:
    """Open both sides."""
    url = f"{server.url}/api/m2m/v1/accounts/{ACCOUNT_NAME}"
    headers = server.log_in()
    async with (
        Session(CREDENTIALS, environment=server.environment, connections=_CONNECTIONS) as session,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS)) as client,
    ):

        async def bare() -> object:
            async with client.get(url, headers=headers) as response:
                return orjson.loads(await response.read())

        async def typed() -> object:
            async with client.get(url, headers=headers) as response:
                return codec.load(await response.read(), Account)

        yield Sides(lambda: session.accounts.get(ACCOUNT_NAME), bare, typed)
