"""Faults that tests cause, by the name of the operation.

simulator.faults.add("devices.list", Status(503), times=2)
simulator.faults.add("session.log_in", Reset(processed=True))
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Literal, Protocol, Self

import attrs
from aiohttp import web

from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.throttle import throttled_out
from thingspace_async.simulator.wire import Answer

__all__ = ["Cut", "Delay", "Drip", "Expire", "Fault", "FaultRule", "Faults", "Raw", "Reset", "Stage", "Status"]


@attrs.define(kw_only=True)
class Stage:
    """One request, as a fault sees it."""

    request: web.Request
    platform: Platform
    _process: Callable[[], Answer] = attrs.field(alias="process")
    answer: Answer | None = None
    """The simulator's answer, sent or not; None if the request had no effect."""

    def process(self) -> Answer:
        """Handle the request as the platform would, with all its effects."""
        self.answer = self._process()
        return self.answer

    @property
    def connection(self) -> asyncio.Transport:
        """The connection of the request. Raises ConnectionResetError if the client closed it."""
        if self.request.transport is None:
            raise ConnectionResetError("the client closed the connection")
        return self.request.transport

    def hang_up(self, data: bytes) -> None:
        """Write bytes to the connection and close it."""
        self.connection.write(data)
        self.connection.close()


class Fault(Protocol):
    """A kind of fault. Any class with this method can be one."""

    async def play(self, stage: Stage) -> web.StreamResponse | None:
        """Answer a request; return None after closing its connection instead."""


@attrs.frozen
class Status:
    """Answer with a status instead of the platform's answer. The request has an effect only if `processed`.

    A `body` other than bytes or a string is sent as JSON.
    """

    status: int
    body: Any = attrs.field(default=b"", repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    processed: bool = attrs.field(default=False, kw_only=True)

    @classmethod
    def html(cls, status: int = 200) -> Self:
        """Answer with a web page, as an intercepting proxy would."""
        page = "<html><head><title>Error</title></head><body>Something went wrong.</body></html>"
        return cls(status, page, {"Content-Type": "text/html"})

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Self:
        """Redirect the client."""
        return cls(status, b"", {"Location": location})

    @classmethod
    def too_many_requests(cls, retry_after: int | None = None) -> Self:
        """Throttle with 429, and with a Retry-After in seconds (ASSUMPTION, PROTOCOL.md 6)."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return cls(429, {"errorCode": "429", "errorMessage": "Too many requests."}, headers)

    @classmethod
    def throttled_out(cls, status: int = 503) -> Self:
        """Throttle as the gateway does, with fault 900800 (ASSUMPTION, PROTOCOL.md 2.2)."""
        return cls(status, throttled_out(status).body)

    async def play(self, stage: Stage) -> web.StreamResponse:
        """Answer."""
        if self.processed:
            stage.process()
        stage.answer = Answer(self.status, self.body, headers=self.headers)
        return stage.answer.response()


@attrs.frozen
class Delay:
    """Delay the platform's answer by some real seconds. The request takes effect at once."""

    seconds: float

    async def play(self, stage: Stage) -> web.StreamResponse:
        """Answer."""
        answer = stage.process()
        await asyncio.sleep(self.seconds)
        return answer.response()


@attrs.frozen(kw_only=True)
class Reset:
    """Reset the connection instead of answering. The request has an effect only if `processed`."""

    processed: bool = False

    async def play(self, stage: Stage) -> None:
        """Reset the connection."""
        if self.processed:
            stage.process()
        # With a linger time of zero, the operating system sends RST instead of FIN.
        linger = struct.pack("ii", 1, 0)
        stage.connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        stage.connection.abort()


@attrs.frozen
class Cut:
    """End the platform's answer after a `share` of its body. Its header promises the whole body."""

    share: float = 0.5

    async def play(self, stage: Stage) -> None:
        """Answer partly."""
        answer = stage.process()
        stage.hang_up(answer.head() + answer.body[: int(len(answer.body) * self.share)])


@attrs.frozen
class Raw:
    """Send bytes that are not HTTP, or nothing, instead of the answer. The request has no effect."""

    data: bytes = attrs.field(default=b"\x00\x01 this is no HTTP\r\n\r\n", repr=False)

    async def play(self, stage: Stage) -> None:
        """Write the bytes."""
        stage.hang_up(self.data)


@attrs.frozen
class Drip:
    """Send the body of the platform's answer slowly: one byte every `seconds` real seconds."""

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
    """Expire a token just before the platform handles the request."""

    kind: Literal["session", "oauth"]

    async def play(self, stage: Stage) -> web.StreamResponse:
        """Answer."""
        if self.kind == "session":
            stage.platform.tokens.expire_sessions()
        else:
            stage.platform.tokens.expire_access()
        return stage.process().response()


@attrs.define
class FaultRule:
    """A fault, and the requests that it applies to."""

    operation: str
    fault: Fault
    after: int
    """Number of requests to let pass before the fault applies."""
    times: int | None
    """Number of requests that the fault still applies to; None for all."""
    number: int = 0
    """Increases with each rule."""

    def takes(self, operation: str) -> bool:
        """Return whether the fault applies to this request, and count it."""
        if self.operation not in (operation, "*") or self.times == 0:
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The active faults."""

    def __init__(self, operations: Collection[str]) -> None:
        self._operations = operations
        self._rules: list[FaultRule] = []
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[FaultRule]:
        return iter(tuple(self._rules))

    def add(self, operation: str, fault: Fault, *, times: int | None = 1, after: int = 0) -> FaultRule:
        """Add a fault for an operation, or for all with `*`; return its rule.

        The fault lets `after` requests pass and applies to the next `times` requests, or to all with None. If several
        rules apply, the oldest one is used. Raises ValueError for an unknown operation.
        """
        if operation != "*" and operation not in self._operations:
            raise ValueError(f"unknown operation {operation!r}: use one of {', '.join(sorted(self._operations))}, or *")
        rule = FaultRule(operation, fault, after, times, next(self._numbers))
        self._rules.append(rule)
        return rule

    def remove(self, rule: FaultRule) -> None:
        """Remove a rule."""
        self._rules.remove(rule)

    def clear(self) -> None:
        """Remove all rules."""
        self._rules.clear()

    def take(self, operation: str) -> Fault | None:
        """Return the fault for a request that has just arrived, if any, and count it."""
        return next((rule.fault for rule in self._rules if rule.takes(operation)), None)
