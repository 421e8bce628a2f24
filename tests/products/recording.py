"""A server that answers whatever it is asked and keeps what it was asked with: not the simulator, no code of ours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
from aiohttp import web
from multidict import CIMultiDict

TOKENS = {
    "/api/ts/v1/oauth2/token": {"access_token": "bearer-1", "token_type": "Bearer", "expires_in": 3600, "scope": ""},
    "/api/m2m/v1/session/login": {"sessionToken": "session-1"},
    "/api/m2m/v1/session/logout": {"sessionToken": "session-1"},
}


@attrs.frozen
class Recorded:
    """A request as it arrived."""

    method: str
    path: str
    """As it travelled, percent-encoded."""
    query: dict[str, str]
    headers: CIMultiDict[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@attrs.define
class Recorder:
    """What was asked, less logging in and out."""

    url: str
    requests: list[Recorded]
    answer: Callable[[Recorded], Any]
    """Gives the JSON of each answer."""

    def take(self) -> list[Recorded]:
        """Return the requests since the last time."""
        taken, self.requests = self.requests, []
        return taken


@asynccontextmanager
async def recording(answer: Callable[[Recorded], Any]) -> AsyncIterator[Recorder]:
    """Run a server on loopback."""
    recorder = Recorder("", [], answer)

    async def handle(request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        if path in TOKENS:
            return web.json_response(TOKENS[path])
        recorded = Recorded(
            request.method, path, dict(request.query), CIMultiDict(request.headers), await request.read()
        )
        recorder.requests.append(recorded)
        return web.json_response(recorder.answer(recorded))

    application = web.Application()
    application.router.add_route("*", "/{anything:.*}", handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        recorder.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield recorder
    finally:
        await runner.cleanup()
