"""What can go wrong on purpose, by the name of the operation.

simulator.faults.add("devices.list", Status(503), times=2)
simulator.faults.add("session.log_in", Reset(processed=True))
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, Protocol, Self

import attrs
from aiohttp import web

from thingspace_async.simulator.state import Platform
from thingspace_async.simulator.wire import Answer, fault

__all__ = ["Cut", "Delay", "Drip", "Expire", "Fault", "FaultRule", "Faults", "Raw", "Reset", "Stage", "Status"]


@attrs.frozen(kw_only=True)
class Stage:
    """What a fault plays on: one request."""

    request: web.Request
    platform: Platform
    process: Callable[[], Answer]
    """Handles the request as the platform would, with all that follows from it."""

    @property
    def connection(self) -> asyncio.Transport:
        """The connection that the request came by."""
        if self.request.transport is None:
            raise ConnectionResetError("the client has gone")
        return self.request.transport

    def hang_up(self, last_words: bytes) -> None:
        """Write something to the connection and close it."""
        self.connection.write(last_words)
        self.connection.close()


class Fault(Protocol):
    """One way to go wrong; a class of your own will do."""

    async def play(self, stage: Stage) -> web.StreamResponse | None:
        """Answer a request; None when its connection was closed instead."""


@attrs.frozen
class Status:
    """An answer in place of the platform's; a `body` that is neither bytes nor text is sent as JSON.

    The request has no effect, unless `processed`.
    """

    status: int
    body: Any = attrs.field(default=b"", repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    processed: bool = attrs.field(default=False, kw_only=True)

    @classmethod
    def html(cls, status: int = 200) -> Self:
        """Answer as a proxy in the way would, with a web page."""
        page = "<html><head><title>Error</title></head><body>Something went wrong.</body></html>"
        return cls(status, page, {"Content-Type": "text/html"})

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Self:
        """Send the client elsewhere."""
        return cls(status, b"", {"Location": location})

    @classmethod
    def too_many_requests(cls, retry_after: int | None = None) -> Self:
        """Throttle with 429, and with a Retry-After in seconds (ASSUMPTION, protocol.md 6)."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return cls(429, {"errorCode": "429", "errorMessage": "Too many requests."}, headers)

    @classmethod
    def throttled_out(cls, status: int = 503) -> Self:
        """Throttle as the gateway does, with fault 900800 (ASSUMPTION, protocol.md 2.2)."""
        return cls(status, fault(status, "900800", "Message throttled out", "You have exceeded your quota.").body)

    async def play(self, stage: Stage) -> web.StreamResponse:
        """Answer."""
        if self.processed:
            stage.process()
        return Answer(self.status, self.body, headers=self.headers).response()


@attrs.frozen
class Delay:
    """The platform's answer, so many real seconds late; what the request does is done at once."""

    seconds: float

    async def play(self, stage: Stage) -> web.StreamResponse:
        """Answer."""
        answer = stage.process()
        await asyncio.sleep(self.seconds)
        return answer.response()


@attrs.frozen(kw_only=True)
class Reset:
    """A connection reset in place of the answer; the request has an effect only if `processed`."""

    processed: bool = False

    async def play(self, stage: Stage) -> None:
        """Reset the connection."""
        if self.processed:
            stage.process()
        # Lingering for no time makes the operating system send RST where it would send FIN.
        linger = struct.pack("ii", 1, 0)
        stage.connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        stage.connection.abort()


@attrs.frozen
class Cut:
    """The platform's answer, ending after a `share` of its body though its header promises all of it."""

    share: float = 0.5

    async def play(self, stage: Stage) -> None:
        """Answer in part."""
        answer = stage.process()
        stage.hang_up(answer.head() + answer.body[: int(len(answer.body) * self.share)])


@attrs.frozen
class Raw:
    """Bytes that are no HTTP, or none at all, in place of the answer; the request has no effect."""

    data: bytes = attrs.field(default=b"\x00\x01 this is no HTTP\r\n\r\n", repr=False)

    async def play(self, stage: Stage) -> None:
        """Write them."""
        stage.hang_up(self.data)


@attrs.frozen
class Drip:
    """The platform's answer, whose body arrives one byte every so many real seconds."""

    seconds: float

    async def play(self, stage: Stage) -> web.StreamResponse:
        """Answer slowly."""
        answer = stage.process()
        response = web.StreamResponse(status=answer.status, headers=answer.all_headers)
        response.content_length = len(answer.body)
        await response.prepare(stage.request)
        for place in range(len(answer.body)):
            await response.write(answer.body[place : place + 1])
            await asyncio.sleep(self.seconds)
        return response


@attrs.frozen
class Expire:
    """The platform's answer to a request whose token, of one kind or the other, has just expired."""

    kind: Literal["session", "oauth"]

    async def play(self, stage: Stage) -> web.StreamResponse:
        """Answer."""
        if self.kind == "session":
            stage.platform.expire_sessions()
        else:
            stage.platform.expire_oauth_tokens()
        return stage.process().response()


@attrs.define
class FaultRule:
    """A fault, and which requests it befalls."""

    operation: str
    fault: Fault
    after: int
    """Requests that it still lets pass."""
    times: int | None
    """Requests that it will still befall; None for all."""

    def takes(self, operation: str) -> bool:
        """Say whether it befalls this request, and count it."""
        if self.operation not in (operation, "*") or self.times == 0:
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The rules by which things go wrong."""

    def __init__(self, operations: Collection[str]) -> None:
        self._operations = operations
        self._rules: list[FaultRule] = []

    def add(self, operation: str, fault: Fault, *, times: int | None = 1, after: int = 0) -> FaultRule:
        """Let requests of an operation go wrong, those of any operation for `*`; return the rule.

        It lets `after` requests pass and befalls the next `times`, all of them for None. Of several rules the one that
        was added first goes first. Raises ValueError for an operation that there is not.
        """
        if operation != "*" and operation not in self._operations:
            raise ValueError(f"no operation is called {operation!r}; there are {', '.join(sorted(self._operations))}")
        rule = FaultRule(operation, fault, after, times)
        self._rules.append(rule)
        return rule

    def remove(self, rule: FaultRule) -> None:
        """End a rule."""
        self._rules.remove(rule)

    def clear(self) -> None:
        """End all rules."""
        self._rules.clear()

    def take(self, operation: str) -> Fault | None:
        """Return what befalls a request that is there now, if anything does."""
        return next((rule.fault for rule in self._rules if rule.takes(operation)), None)
