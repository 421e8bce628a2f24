"""Routes of the admin API: access control, endpoints, and the page."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from importlib.resources import files
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from yarl import URL

from thingspace_async import __version__
from thingspace_async._core.checks import is_loopback
from thingspace_async.simulator.admin.endpoint import ROOT, Asked, Endpoint, openapi
from thingspace_async.simulator.admin.endpoints import ENDPOINTS
from thingspace_async.simulator.admin.shapes import Invalid, read, read_query
from thingspace_async.simulator.admin.shown import request_shown
from thingspace_async.simulator.controls import Controls
from thingspace_async.simulator.log import Watcher

__all__ = ["Changed", "add_admin", "repeat_request"]

Changed = Callable[[datetime, str, str, bytes], object]
"""Called after each request that changed something: with the simulated time before it, its method, path and body."""

_PAGE: Final = {
    "/": ("index.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
_POLICY: Final = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
_HEARTBEAT: Final = 15.0
"""Seconds between keep-alive comments in an idle stream of events."""


def add_admin(
    application: web.Application,
    cloud: Controls,
    *,
    token: str | None,
    keep: Callable[[web.Request], object],
    changed: Changed,
) -> None:
    """Add the admin API. It requires the token; without a token, only programs on this machine may use it."""
    guard = partial(_guarded, token, keep)
    for one in ENDPOINTS:
        application.router.add_route(one.method, ROOT + one.path, guard(partial(_serve, cloud, one, changed)))
    description = openapi(ENDPOINTS, __version__, sorted(operation.name for operation in cloud.handlers))
    application.router.add_get(f"{ROOT}/openapi.json", guard(partial(_describe, description)))
    application.router.add_get(f"{ROOT}/events", guard(partial(_stream, cloud)))
    for path, (name, kind) in _PAGE.items():
        application.router.add_get(ROOT + path, partial(_static, name, kind))
    application.router.add_get(ROOT, _to_the_page)
    application.router.add_route("*", ROOT + "/{anything:.*}", guard(_nowhere))


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _guarded(token: str | None, keep: Callable[[web.Request], object], answer: Answer) -> Answer:
    """Wrap a handler with access control, because the admin API can change everything."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        keep(request)
        if (why := _why_not(token, request)) is not None:
            return _refused(403 if token is None else 401, why)
        return await answer(request)

    return guarded


def _why_not(token: str | None, request: web.Request) -> str | None:
    # Otherwise, a web page of another site could control the simulator through this machine's browser.
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        return f"web pages from {origin} may not use the admin API: open the simulator's own page"
    if token is not None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.encode()):
            return "send the header Authorization: Bearer, followed by the admin token"
    elif not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
        return f"the admin API at {request.host} requires an admin token: set one, or use a loopback address"
    return None


def _refused(status: int, *errors: str) -> web.Response:
    return _json({"errors": errors}, status)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")


async def _serve(cloud: Controls, endpoint: Endpoint, changed: Changed, request: web.Request) -> web.Response:
    body, at = await request.read(), cloud.clock.now()
    try:
        answer = endpoint.do(cloud, _read(endpoint, request.match_info, request.query, body))
        if isawaitable(answer):
            answer = await answer
    except Invalid as invalid:
        return _refused(invalid.status, *invalid.faults)
    if endpoint.method != "GET":
        changed(at, endpoint.method, request.path_qs, body)
    return _json(answer, endpoint.status)


def repeat_request(cloud: Controls, method: str, path: str, body: bytes) -> None:
    """Carry out an earlier request to the admin API again."""
    url = URL(path)
    for one in ENDPOINTS:
        pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", ROOT + one.path)
        if one.method == method and (found := re.fullmatch(pattern, url.path)) and not iscoroutinefunction(one.do):
            one.do(cloud, _read(one, found.groupdict(), url.query, body))
            return


def _read(endpoint: Endpoint, values: Mapping[str, str], wanted: Mapping[str, str], body: bytes) -> Asked:
    query = read_query(endpoint.query, wanted)
    path = dict(values)
    if endpoint.takes != "application/json":
        try:
            return Asked(path=path, query=query, body={}, text=body.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise Invalid("body: must be UTF-8") from None
    if endpoint.body is None:
        if body.strip() not in (b"", b"{}"):
            raise Invalid("body: must be empty")
        return Asked(path=path, query=query, body={})
    try:
        document = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as error:
        raise Invalid(f"body: is not valid JSON: {error}") from None
    return Asked(path=path, query=query, body=read(endpoint.body, document))


async def _describe(description: dict[str, Any], _: web.Request) -> web.Response:
    return _json(description)


async def _nowhere(request: web.Request) -> web.Response:
    return _refused(404, f"no endpoint {request.method} {request.path}: see {ROOT}/openapi.json")


async def _to_the_page(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": f"{ROOT}/"})


async def _static(name: str, kind: str, _: web.Request) -> web.Response:
    text = await asyncio.to_thread((files("thingspace_async.simulator.admin") / "page" / name).read_text, "utf-8")
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return web.Response(text=text, content_type=kind, charset="utf-8", headers=headers)


async def _stream(cloud: Controls, request: web.Request) -> web.StreamResponse:
    """Send each answered request as a server-sent event."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    try:
        async for event in _events(cloud):
            await response.write(event)
    except ConnectionError:
        pass  # The page was closed.
    return response


async def _events(cloud: Controls) -> AsyncIterator[bytes]:
    watcher = Watcher()
    cloud.requests.watchers.add(watcher)
    try:
        yield b": connected\n\n"
        while True:
            try:
                async with asyncio.timeout(_HEARTBEAT):
                    seen = await watcher.take()
            except TimeoutError:
                yield b": alive\n\n"
                continue
            for one in seen:
                yield b"data: " + orjson.dumps(request_shown(one)) + b"\n\n"
    finally:
        cloud.requests.watchers.discard(watcher)
