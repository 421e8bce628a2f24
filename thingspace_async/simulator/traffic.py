"""Traffic of the real platform: recorded by a proxy, replayed by a simulator, and compared with its answers.

A recording contains no secrets: they are starred before they are written.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import attrs
import orjson
from aiohttp import web

from thingspace_async._core.operation import Operation
from thingspace_async.simulator.mechanisms.secrets import STARS, starred
from thingspace_async.simulator.wire import Answer, Call, Handler

__all__ = ["Exchange", "differences", "read_traffic", "recording", "replaying"]

_FORWARDED: Final = ("Authorization", "VZ-M2M-Token", "SessionToken", "Content-Type", "Accept")
_ANSWERED: Final = ("Content-Type", "Location")
_TIMEOUT: Final = aiohttp.ClientTimeout(total=120)
_LARGEST: Final = 64 * 1024 * 1024


@attrs.frozen(kw_only=True)
class Exchange:
    """A request and its answer, without secrets."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    status: int
    answer: Any
    headers: Mapping[str, str]
    """The recorded headers of the answer: Content-Type and Location."""

    @property
    def key(self) -> bytes:
        """A key that equal requests share."""
        return orjson.dumps([self.method, self.path, dict(self.query), self.body], option=orjson.OPT_SORT_KEYS)


def read_traffic(path: Path) -> list[Exchange]:
    """Read a recording. Raises ValueError with the number of the wrong line."""
    found: list[Exchange] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            found.append(Exchange(**orjson.loads(line)))
        except (TypeError, orjson.JSONDecodeError) as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    return found


def _plain(body: bytes) -> Any:
    """Return a JSON body without secrets. For any other body, which may contain secrets, return only its size."""
    try:
        return starred(orjson.loads(body)) if body else None
    except orjson.JSONDecodeError:
        return f"{len(body)} bytes"


@asynccontextmanager
async def recording(upstream: str, path: Path, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Run a proxy to the platform at a URL that appends each exchange to a file; yield the proxy's URL."""
    lock = asyncio.Lock()
    async with aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()) as http:

        async def forward(request: web.Request) -> web.Response:
            body = await request.read()
            headers = {name: request.headers[name] for name in _FORWARDED if name in request.headers}
            url = upstream.rstrip("/") + request.path_qs
            async with http.request(request.method, url, data=body, headers=headers, allow_redirects=False) as response:
                answer = await response.read()
            answered = {name: response.headers[name] for name in _ANSWERED if name in response.headers}
            exchange = Exchange(
                method=request.method,
                path=request.path,
                query=starred(dict(request.query)),
                body=_plain(body),
                status=response.status,
                answer=_plain(answer),
                headers=answered,
            )
            async with lock:
                await asyncio.to_thread(_append, path, orjson.dumps(attrs.asdict(exchange)) + b"\n")
            return web.Response(status=response.status, body=answer, headers=answered)

        application = web.Application(client_max_size=_LARGEST)
        application.router.add_route("*", "/{anything:.*}", forward)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            yield f"http://{host}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def _append(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        file.write(line)


def replaying(
    traffic: Iterable[Exchange], handlers: Mapping[Operation[Any, Any], Handler]
) -> dict[Operation[Any, Any], Handler]:
    """Return handlers that give recorded requests the platform's answers, and others the simulator's.

    Logins and tokens remain the simulator's. The last recorded answer to a request is repeated.
    """
    known: defaultdict[bytes, deque[Exchange]] = defaultdict(deque)
    for one in traffic:
        known[one.key].append(one)

    def replay(handler: Handler) -> Handler:
        def handle(call: Call) -> Answer:
            received = call.received
            asked = Exchange(
                method=received.method,
                path=received.path,
                query=starred(dict(received.query)),
                body=_plain(received.body),
                status=0,
                answer=None,
                headers={},
            )
            if not (recorded := known.get(asked.key)):
                return handler(call)
            one = recorded.popleft() if len(recorded) > 1 else recorded[0]
            return Answer(one.status, b"" if one.answer is None else one.answer, headers=one.headers)

        return handle

    return {
        operation: handler if _is_about_tokens(operation) else replay(handler)
        for operation, handler in handlers.items()
    }


def _is_about_tokens(operation: Operation[Any, Any]) -> bool:
    return operation.server == "oauth" or operation.name.startswith("session.")


async def differences(traffic: list[Exchange], url: str, headers: Mapping[str, str]) -> list[str]:
    """Send each recorded request to a simulator, and describe how its answer differs from the platform's.

    Requests with starred secrets are skipped.
    """
    found: list[str] = []
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
        for one in traffic:
            if STARS in orjson.dumps([one.body, dict(one.query)]).decode() or "/oauth2/" in one.path:
                continue
            path = urlsplit(one.path).path
            body = None if one.body is None else orjson.dumps(one.body)
            async with http.request(
                one.method, url + path, params=dict(one.query), data=body, headers=dict(headers), allow_redirects=False
            ) as response:
                status, answer, reason = response.status, _plain(await response.read()), response.headers.get(_REASON)
            where = f"{one.method} {path}"
            if status != one.status:
                found.append(f"{where}: status {status} ({reason}), the platform's is {one.status}")
            else:
                found += [f"{where}: {line}" for line in _form_differences(answer, one.answer, "")]
    return found


_REASON: Final = "X-Simulator-Reason"


def _form_differences(ours: Any, theirs: Any, path: str) -> Iterator[str]:
    """Yield the differences in form between two JSON values: members and types, not values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted(theirs.keys() - ours.keys()):
            yield f"{path}.{name} is missing in the simulator's answer".lstrip(".")
        for name in sorted(ours.keys() - theirs.keys()):
            yield f"{path}.{name} is not in the platform's answer".lstrip(".")
        for name in sorted(ours.keys() & theirs.keys()):
            yield from _form_differences(ours[name], theirs[name], f"{path}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        if ours and theirs:  # The first items are enough: the others have the same form.
            yield from _form_differences(ours[0], theirs[0], f"{path}[0]")
    elif not isinstance(ours, type(theirs)) and None not in (ours, theirs):
        kinds = type(ours).__name__, type(theirs).__name__
        yield f"{path} is {kinds[0]}, and {kinds[1]} in the platform's answer".lstrip(".")
