"""A receiver, its inbox, and the servers that it runs on."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import uvicorn
from aiohttp import web
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.callbacks.web import application, serve

SERVICE = "CarrierService"
USERNAME = "fleet"
PASSWORD = "pass-wörd-0123456789"
REQUEST_ID = "0c9a5a3e-1d4b-4a6d-9d6e-0d6f8f8f8f01"

Serving = Callable[[Receiver], AbstractAsyncContextManager[str]]


def message(**changes: Any) -> dict[str, Any]:
    """Return a message as the platform sends it (PROTOCOL.md 3.4). None omits a member."""
    whole = {
        "username": USERNAME,
        "password": PASSWORD,
        "requestId": REQUEST_ID,
        "deviceIds": [{"id": "353238060180150", "kind": "imei"}],
        "deviceResponse": {"activateResponse": {"deviceIds": [], "state": "active", "servicePlan": "plan"}},
        "status": "Success",
        "callbackCount": 1,
        "maxCallbackThreshold": 4,
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def body_of(**changes: Any) -> bytes:
    return json.dumps(message(**changes)).encode()


async def stored(inbox: SqliteInbox) -> list[tuple[str | None, str | None]]:
    """Return the request id and service of each message in an inbox."""
    return [(one.message.request_id, one.service) async for one in inbox.read()]


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[SqliteInbox]:
    async with SqliteInbox(tmp_path / "inbox.db") as opened:
        yield opened


@pytest.fixture
def receiver(inbox: SqliteInbox) -> Receiver:
    return receiver_of(inbox)


def receiver_of(inbox: Any, **options: Any) -> Receiver:
    made = Receiver(inbox, **options)
    made.expect(SERVICE, username=USERNAME, password=PASSWORD)
    return made


@asynccontextmanager
async def under_uvicorn(app: Any, **options: Any) -> AsyncIterator[str]:
    """Run an ASGI application with uvicorn, without its log."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, ws="none", log_level="critical", timeout_graceful_shutdown=1, **options)
    )

    async def run() -> None:
        with suppress(SystemExit):  # Uvicorn raises it if it cannot start.
            await server.serve()

    task = asyncio.create_task(run())
    try:
        while not server.started:
            if task.done():
                raise RuntimeError("uvicorn did not start")
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def bare(receiver: Receiver) -> AbstractAsyncContextManager[str]:
    return under_uvicorn(receiver)


@asynccontextmanager
async def in_fastapi(receiver: Receiver) -> AsyncIterator[str]:
    app = FastAPI()
    app.mount("/thingspace/callbacks", receiver)
    async with under_uvicorn(app) as url:
        yield f"{url}/thingspace/callbacks"


@asynccontextmanager
async def in_starlette(receiver: Receiver) -> AsyncIterator[str]:
    async with under_uvicorn(Starlette(routes=[Mount("/callbacks", receiver)])) as url:
        yield f"{url}/callbacks"


@asynccontextmanager
async def in_aiohttp(receiver: Receiver) -> AsyncIterator[str]:
    app = web.Application()
    app.add_subapp("/callbacks", application(receiver))
    runner = web.AppRunner(app, lingering_time=0.2, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/callbacks"
    finally:
        await runner.cleanup()


def alone(receiver: Receiver) -> AbstractAsyncContextManager[str]:
    return serve(receiver, port=0)


@pytest.fixture(params=[bare, in_fastapi, in_starlette, in_aiohttp, alone], ids=lambda one: one.__name__)
def serving(request: pytest.FixtureRequest) -> Serving:
    """Each way to run a receiver."""
    chosen: Serving = request.param
    return chosen


async def post(url: str, body: bytes, **options: Any) -> int:
    async with aiohttp.ClientSession() as client, client.post(url, data=io.BytesIO(body), **options) as answer:
        assert await answer.read() == b""
        return answer.status


class Line:
    """A raw connection, for malformed requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    async def answer(self) -> str:
        """Return the first line and the headers of the answer. Empty if there is none."""
        async with asyncio.timeout(30):
            try:
                return (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
            except (asyncio.IncompleteReadError, ConnectionError):
                return ""

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):  # The server may have closed it.
            await self._writer.wait_closed()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[Line, str]]:
    """Connect to a server. Return the connection and the path of the service."""
    parts = urlsplit(url)
    line = Line(*await asyncio.open_connection(parts.hostname, parts.port))
    try:
        yield line, f"{parts.path}/{SERVICE}"
    finally:
        await line.close()


def head(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()
