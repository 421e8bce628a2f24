"""A callback listener on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
from aiohttp import web


@attrs.define
class Listener:
    """A real server that receives messages. It answers with the statuses that a test has set, then with 200."""

    url: str = ""
    bodies: list[bytes] = attrs.field(factory=list[bytes])
    paths: list[str] = attrs.field(factory=list[str])
    headers: list[Mapping[str, str]] = attrs.field(factory=list[Mapping[str, str]])
    statuses: list[int] = attrs.field(factory=list[int])
    waits: Callable[[], Awaitable[object]] | None = None
    over: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set at the end: aiohttp does not stop a handler when its client disconnects."""
    at_once: int = 0
    most_at_once: int = 0

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [orjson.loads(body) for body in self.bodies]

    @property
    def first_ids(self) -> list[str]:
        return [message["deviceIds"][0]["id"] for message in self.messages]

    async def take(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            assert request.content_type == "application/json"
            self.bodies.append(await request.read())
            self.paths.append(request.path)
            self.headers.append(request.headers)
            if self.waits is not None:
                await self.waits()
        finally:
            self.at_once -= 1
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"Location": "/elsewhere"} if 300 <= status < 400 else None)


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    """Receive messages on a free port."""
    taking = Listener()
    application = web.Application()
    application.router.add_post("/{path:.*}", taking.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    taking.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield taking
    taking.over.set()
    await runner.cleanup()
