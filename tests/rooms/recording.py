"""A server that answers and records every request. It shares no code with the simulator or the client."""

from __future__ import annotations

import email
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
    """Percent-encoded, as it was sent."""
    query: dict[str, str]
    headers: CIMultiDict[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def content(self) -> Any:
        """The body as JSON. A body in parts is an object of strings, and text is an empty object."""
        kind = self.headers["Content-Type"]
        if kind.startswith("text/plain"):
            return {}
        if not kind.startswith("multipart/"):
            return self.json
        message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + self.body)
        parts: Any = message.get_payload()
        return {str(part.get_param("name", header="Content-Disposition")): part.get_payload() for part in parts}


@attrs.define
class Recorder:
    """The recorded requests, without logins and logouts."""

    url: str
    requests: list[Recorded]
    answer: Callable[[Recorded], Any]
    """Returns the JSON of each answer, or None for an empty one."""

    def take(self) -> list[Recorded]:
        """Return the requests since the last call."""
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
        answered = recorder.answer(recorded)
        return web.Response() if answered is None else web.json_response(answered)

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
