"""A scriptable ThingSpace: a raw HTTP server. A test can replace every answer, down to its bytes.

It shares no code with the package. All its secrets contain `hush`, so that leaks are easy to find.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import socket
import ssl as ssl_module
import struct
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import attrs

from thingspace_async import Credentials, Environment, Session

TOKEN: Final = "POST /api/ts/v1/oauth2/token"
REVOKE: Final = "POST /api/ts/v1/oauth2/revoke"
LOG_IN: Final = "POST /api/m2m/v1/session/login"
LOG_OUT: Final = "POST /api/m2m/v1/session/logout"
RESET: Final = "PUT /api/m2m/v1/session/password/actions/reset"
DEVICES: Final = "POST /api/m2m/v1/devices/actions/list"
ACCOUNT: Final = "GET /api/m2m/v1/accounts/0000123456-00001"
NAME: Final = "0000123456-00001"

EXPIRED: Final = {
    "errorCode": "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired",
    "errorMessage": "The Session has expired.",
}
BAD_BEARER: Final = {"fault": {"code": "900901", "message": "Invalid Credentials", "description": "Access failure"}}
WRONG_PASSWORD: Final = {
    "errorCode": "UnifiedWebService.INPUT_INVALID.Password.Invalid",
    "errorMessage": "The password is wrong.",
}

_numbers = itertools.count(1)


@attrs.frozen
class Call:
    """A request as it arrived."""

    key: str
    """Method and path, without the query."""
    query: str
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    link: int
    """The number of the connection that carried it."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def token(self) -> str:
        return self.headers.get("vz-m2m-token", "")


class Link:
    """A connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.number = next(_numbers)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Close with a TCP reset."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_closed(self) -> None:
        """Wait for the client to hang up."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    async def next_call(self) -> Call | None:
        """Read a request. Return None if the client has disconnected."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name
            }
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        return Call(f"{method} {path}", query, headers, body, self.number)


Answer = Callable[[Call, Link], Awaitable[None]]


def head(status: int, length: int | None, headers: Mapping[str, str]) -> bytes:
    """Return the status line and headers of an answer."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def answer(status: int = 200, body: object = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with bytes as they are, and with anything else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def send(call: Call, link: Link) -> None:
        await link.send(head(status, len(data), headers or {"Content-Type": "application/json"}) + data)

    return send


def raw(data: bytes, *, close: bool = True) -> Answer:
    """Write these bytes and hang up."""

    async def send(call: Call, link: Link) -> None:
        await link.send(data)
        if close:
            link.writer.close()

    return send


async def reset(call: Call, link: Link) -> None:
    """Reset the connection instead of answering."""
    link.reset()


async def hang_up(call: Call, link: Link) -> None:
    """Close the connection instead of answering."""
    link.writer.close()


async def say_nothing(call: Call, link: Link) -> None:
    """Never answer."""
    await link.until_closed()


async def drip(call: Call, link: Link) -> None:
    """Send one byte every 0.3 s for ever."""
    await link.send(head(200, 10_000_000, {}))
    with contextlib.suppress(ConnectionError):
        while not link.reader.at_eof():
            await link.send(b" ")
            await asyncio.sleep(0.3)


def after(event: asyncio.Event, then: Answer | None = None) -> Answer:
    """Answer with `then` once an event is set. Without `then`, the usual answer follows."""

    async def send(call: Call, link: Link) -> None:
        closed = asyncio.ensure_future(link.until_closed()) if then is None else None
        try:
            await event.wait()
        finally:
            if closed is not None:
                closed.cancel()
        if then is not None:
            await then(call, link)

    return send


class Platform:
    """The server, its only user, and the requests that it received."""

    def __init__(self, ssl: ssl_module.SSLContext | None = None) -> None:
        self._ssl = ssl
        number = next(_numbers)
        # A new user for each server: the guard remembers refused passwords by user and port, and ports are reused.
        self.username = f"user-{number}"
        self.password = f"hush-password-{number}"
        self.client_id = f"key-{number}"
        self.client_secret = f"hush-key-{number}"
        self.calls: list[Call] = []
        self.bearers: set[str] = set()
        self.tokens: set[str] = set()
        self.faults: list[BaseException] = []
        self.links: dict[Link, asyncio.Task[None]] = {}
        self.expires_in = 3600
        self._scripts: defaultdict[str, list[Answer]] = defaultdict(list)
        self._always: dict[str, Answer] = {}
        self._server: asyncio.Server

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._ssl)

    async def stop(self) -> None:
        self._server.close()
        for task in list(self.links.values()):
            task.cancel()
        await asyncio.gather(*self.links.values(), return_exceptions=True)
        await self._server.wait_closed()

    async def until_alone(self) -> None:
        """Wait up to one second until no client is connected."""
        async with asyncio.timeout(1):
            while self.links:
                await asyncio.sleep(0.002)

    async def until_seen(self, key: str, times: int = 1) -> None:
        """Wait until a request has arrived this many times."""
        async with asyncio.timeout(5):
            while self.count(key) < times:
                await asyncio.sleep(0.001)

    # Reading the state

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"http{'s' * (self._ssl is not None)}://127.0.0.1:{self.port}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Strings that must not appear anywhere."""
        return "hush", base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()

    def credentials(self, **changes: Any) -> Credentials:
        ours = {name: getattr(self, name) for name in ("client_id", "client_secret", "username", "password")}
        return Credentials(**(ours | changes))

    def session(self, *, password: str | None = None, **options: Any) -> Session:
        """Make a session that is not open yet and retries almost at once."""
        known = self.credentials() if password is None else self.credentials(password=password)
        chosen: dict[str, Any] = {"environment": Environment.at(self.url), "timeout": 5, **options}
        session = Session(known, **chosen)
        policy = attrs.evolve(session._caller.policy, first_delay=0.001)
        session._caller.policy = session._engine.login._policy = policy
        return session

    def seen(self, key: str) -> list[Call]:
        return [call for call in self.calls if call.key == key]

    def count(self, key: str) -> int:
        return len(self.seen(key))

    # Scripting

    def on(self, key: str, *answers: Answer) -> None:
        """Answer the next requests of this key with these answers, and later ones as usual."""
        self._scripts[key].extend(answers)

    def always(self, key: str, given: Answer) -> None:
        self._always[key] = given

    def expire_session(self) -> None:
        self.tokens.clear()

    def expire_bearer(self) -> None:
        self.bearers.clear()

    # Serving

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader, writer)
        self.links[link] = asyncio.get_running_loop().create_task(self._converse(link))

    async def _converse(self, link: Link) -> None:
        try:
            while not link.writer.is_closing() and (call := await link.next_call()) is not None:
                self.calls.append(call)
                script = self._scripts[call.key]
                scripted = script.pop(0) if script else self._always.get(call.key)
                try:
                    await (scripted or self._usual(call))(call, link)
                except ConnectionError:
                    break
        except Exception as fault:  # noqa: BLE001 - `running` reports it
            self.faults.append(fault)
        finally:
            link.writer.close()
            with contextlib.suppress(ConnectionError, ssl_module.SSLError):
                await link.writer.wait_closed()
            del self.links[link]

    def _usual(self, call: Call) -> Answer:
        """Answer as the platform does."""
        if call.key == TOKEN:
            self.bearers = self.bearers or {f"hush-bearer-{next(_numbers)}"}
            (bearer,) = self.bearers
            return answer(200, {"access_token": bearer, "token_type": "Bearer", "expires_in": self.expires_in})
        if call.key == REVOKE:
            self.bearers.clear()
            return answer(200)
        if call.bearer not in self.bearers:
            return answer(401, BAD_BEARER)
        if call.key == LOG_IN:
            return self._log_in(call)
        if call.token not in self.tokens:
            return answer(400, EXPIRED)
        if call.key == LOG_OUT:
            self.tokens.discard(call.token)
            return answer(200, {"sessionToken": call.token})
        if call.key == RESET:
            self.password = f"hush-new-password-{next(_numbers)}"
            return answer(200, {"newPassword": self.password})
        if call.key == DEVICES:
            return answer(200, {"hasMoreData": False, "devices": []})
        return answer(200, {"accountName": call.key.rpartition("/")[2]})

    def _log_in(self, call: Call) -> Answer:
        if call.json != {"username": self.username, "password": self.password}:
            return answer(400, WRONG_PASSWORD)
        token = f"hush-session-{next(_numbers)}"
        self.tokens.add(token)
        return answer(200, {"sessionToken": token})


@contextlib.asynccontextmanager
async def running(platform: Platform) -> AsyncIterator[Platform]:
    """Run a server. At the end, check that its clients have disconnected and that it raised nothing."""
    await platform.start()
    try:
        yield platform
        await platform.until_alone()
    finally:
        await platform.stop()
    assert not platform.faults
