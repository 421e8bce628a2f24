"""The HTTP exchange: the only client file that imports aiohttp.

All of aiohttp's exceptions end here. None is chained: their tracebacks and reprs hold the request's headers, and with
them the tokens.
"""

from __future__ import annotations

import asyncio
import os
import ssl as ssl_module
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
import attrs
from multidict import CIMultiDict
from yarl import URL

from thingspace_async._types import Secret
from thingspace_async.errors import (
    AnswerLost,
    AnswerTimedOut,
    AnswerUnreadable,
    ConfigurationError,
    InvalidRequest,
    RequestNotSent,
    SessionClosed,
    ThingSpaceError,
)

if TYPE_CHECKING:
    from aiohttp.client_middlewares import ClientHandlerType

__all__ = ["Answer", "HiddenHeaders", "Limits", "Transport", "Wire"]


class HiddenHeaders(CIMultiDict[str]):
    """Headers that keep their tokens out of reprs, and know which tokens those are."""

    oauth: Secret | None = None
    session: Secret | None = None

    def __repr__(self) -> str:
        return f"<headers {', '.join(self)}>"

    __str__ = __repr__


@attrs.frozen(eq=False)  # Never compared, and every method that is made takes its time at each import.
class Limits:
    """Bounds in seconds of one exchange."""

    answer: float
    connect: float
    client_timeout: aiohttp.ClientTimeout = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # The time to connect must end first, so that a time-out says whether the request may have been sent.
        timeout = aiohttp.ClientTimeout(total=None, connect=min(self.connect, self.answer * 0.9))
        object.__setattr__(self, "client_timeout", timeout)


@attrs.define(eq=False)  # Never compared.
class Wire:
    """A request as it is sent, less the headers, which hold the tokens."""

    operation: str
    method: str
    url: str
    data: bytes | None = attrs.field(repr=False)
    limits: Limits
    once: bool
    """Whether it must not be sent a second time on a connection that broke."""
    urgent: bool = False
    """Whether it goes before all that waits for a connection, which may be waiting for the token that it fetches."""


@attrs.define(eq=False)  # Never compared.
class Answer:
    """What came back; any status."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class _TooLarge(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class _BrokeOff(aiohttp.ClientError):
    """A connection broke under a request that must not be sent again."""


async def _send_once(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a PUT, GET or DELETE again on its own when a connection breaks.

    aiohttp repeats methods that HTTP calls idempotent (client.py, `retry_persistent_connection`). For the platform a
    second PUT may be a second password, and a second GET the acknowledgement of messages that nobody has read.
    """
    broke: str
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        broke = _plain_reason(error)
    raise _BrokeOff(broke)


class Deadlines:
    """The time limits of all exchanges under way, on one timer of the event loop.

    Does for each what asyncio.timeout does. But a timer of its own for each, as aiohttp makes it, costs a twelfth of a
    whole call on loopback; here an exchange that ends in time touches no timer.
    """

    def __init__(self) -> None:
        self._due: dict[asyncio.Task[Any], float] = {}
        self._over: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, task: asyncio.Task[Any], seconds: float) -> None:
        """Give a task so many seconds until `stop`, and then cancel it."""
        loop = task.get_loop()
        self._due[task] = due = loop.time() + seconds
        if self._timer is None or self._timer.when() > due:
            self._wake_at(due, loop)

    def stop(self, task: asyncio.Task[Any]) -> None:
        """End a task's time."""
        self._due.pop(task, None)
        if self._over:
            self._over.discard(task)

    def is_over(self, task: asyncio.Task[Any]) -> bool:
        """Say whether a task was cancelled because its time was over."""
        return task in self._over

    def end(self) -> None:
        """End the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake_at(self, due: float, loop: asyncio.AbstractEventLoop) -> None:
        self.end()
        self._timer = loop.call_at(due, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        running = {task: due for task, due in self._due.items() if task not in self._over}
        for task, due in running.items():
            if due <= now:
                self._over.add(task)
                task.cancel()
        if later := [due for due in running.values() if due > now]:
            self._wake_at(min(later), loop)


class Places:
    """How many exchanges may be under way at once; the rest wait for a place in their turn.

    Does what asyncio.Semaphore does, but to take a place that is free is no call of a coroutine, and whoever gives one
    back does not search the waiting.
    """

    def __init__(self, count: int) -> None:
        self.free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Wait for a place and take it; for when none is free."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # It was given a place in the same moment.
                self.give_back()
            raise

    def give_back(self) -> None:
        """Give a place to whoever has waited longest, or free it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


class Transport:
    """One pool of connections."""

    def __init__(
        self,
        *,
        client_session: aiohttp.ClientSession | None,
        connector: aiohttp.BaseConnector | None,
        ssl: ssl_module.SSLContext | bool,
        proxy: str | None,
        trust_env: bool,
        connections: int,
        max_body: int,
    ) -> None:
        self._passed_in = client_session
        self._session: aiohttp.ClientSession | None = None
        self._connector = connector
        # What is aiohttp's default is left out: each option that is passed on costs something at each call.
        self._options: dict[str, Any] = {
            "allow_redirects": False,
            **({} if ssl is True else {"ssl": ssl}),
            **({} if proxy is None else {"proxy": proxy}),
            **({} if client_session is None else {"raise_for_status": False}),
        }
        self._trust_env = trust_env
        self._connections = connections
        self._max_body = max_body
        self._places = Places(connections)
        self._deadlines = Deadlines()

    def open(self) -> None:
        """Make the pool; needs the running event loop."""
        if self._passed_in is not None:
            _check_passed_in("client_session", self._passed_in, aiohttp.ClientSession)
            if not self._passed_in.auto_decompress:
                raise ConfigurationError("client_session leaves answers compressed: make it with auto_decompress")
        if self._connector is not None:
            _check_passed_in("connector", self._connector, aiohttp.BaseConnector)
        self._session = self._passed_in
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._connector or aiohttp.TCPConnector(limit=self._connections + 1),
                connector_owner=self._connector is None,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=self._trust_env,
            )
        if (connector := self._session.connector) is not None and connector.limit:
            self._places = Places(max(1, connector.limit - 1))  # One is kept for what is urgent.

    async def close(self) -> None:
        """Close what was opened here; what was passed in stays open."""
        self._deadlines.end()
        session, self._session = self._session, None
        if session is not None and self._passed_in is None:
            await session.close()

    async def exchange(self, wire: Wire, headers: HiddenHeaders) -> Answer:
        """Send one request and read its whole answer, whatever its status."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        cancelled_before = task.cancelling()
        received: list[bytes] = []
        places, placed = self._places, False
        self._deadlines.start(task, wire.limits.answer)
        try:
            # Waited for here, and not in aiohttp's pool, where waiting would count as connecting.
            if not wire.urgent:
                if places.free:
                    places.free -= 1
                else:
                    await places.wait()
                placed = True
            return await self._send(wire, headers, received)
        except asyncio.CancelledError:
            if not self._deadlines.is_over(task) or task.uncancel() > cancelled_before:
                received.clear()  # It may hold a secret, and this frame's locals may be shown.
                raise
            waiting = not (placed or wire.urgent)
            failure = translate(_NoConnectionFree() if waiting else TimeoutError(), wire)
        except _TooLarge as large:
            failure = AnswerUnreadable(
                f"larger than {self._max_body:,} bytes, where reading stopped; raise max_body if that is too few",
                operation=wire.operation,
                status=large.status,
            )
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            failure = translate(error, wire, closed=self._session is None or self._session.closed)
        finally:
            self._deadlines.stop(task)
            if placed:
                places.give_back()
        if isinstance(failure, AnswerLost):
            failure.body = b"".join(received)
        received.clear()
        # Raised outside of the handler: else the error of aiohttp would be its context, headers and all.
        raise failure

    async def _send(self, wire: Wire, headers: HiddenHeaders, received: list[bytes]) -> Answer:
        if (session := self._session) is None:
            raise RuntimeError
        options = self._options
        if wire.once and wire.method != "POST":
            # A request's middlewares replace the session's, and a passed-in session may have some.
            options = {**options, "middlewares": (*getattr(session, "_middlewares", ()), _send_once)}
        # Not `async with`, whose context manager is three more coroutines for each call.
        response = await session.request(
            wire.method,
            URL(wire.url, encoded=True),
            data=wire.data,
            headers=headers,
            timeout=wire.limits.client_timeout,
            **options,
        )
        try:
            length = response.content_length
            if length is not None and length > self._max_body:
                response.close()
                raise _TooLarge(response.status)
            if wire.once or length is None or "Content-Encoding" in response.headers:
                body = await self._read_in_parts(response, received)
            elif self._passed_in is None and response.content.is_eof():
                # Small ones come together with their head. `read` is some coroutines more, a fifteenth of a whole call;
                # it also tells the traces that a passed-in session may have.
                body = response.content.read_nowait()
            else:
                body = await response.read()
            return Answer(response.status, response.headers, body)
        finally:
            # An answer that is read has given its connection back, but a body of ours may still be on its way.
            if wire.data is not None or not response.closed:
                response.release()
                await response.wait_for_close()

    async def _read_in_parts(self, response: aiohttp.ClientResponse, received: list[bytes]) -> bytes:
        """Read a body that may outgrow the ceiling, or whose beginning is worth keeping if it breaks off."""
        size = 0
        try:
            async for chunk in response.content.iter_any():
                received.append(chunk)
                size += len(chunk)
                if size > self._max_body:
                    response.close()
                    raise _TooLarge(response.status)
        except aiohttp.ClientError:
            # What arrived in the last moment is still in the reader's buffer, which has no public door: it may be the
            # only trace of a new password.
            received.extend(getattr(response.content, "_buffer", ()))
            raise
        return b"".join(received)


def _check_passed_in(name: str, thing: object, kind: type[aiohttp.ClientSession | aiohttp.BaseConnector]) -> None:
    if not isinstance(thing, kind):
        raise ConfigurationError(f"{name} must be an aiohttp.{kind.__name__}, not {type(thing).__name__}")
    if thing.closed:
        raise ConfigurationError(f"{name} is closed already: make another")
    loop = asyncio.get_running_loop()
    if getattr(thing, "_loop", loop) is not loop:  # It has no public door that does not warn.
        raise ConfigurationError(f"{name} belongs to another event loop: make it in the one that opens the Session")


class _NoConnectionFree(aiohttp.ClientError):
    """All connections stayed busy."""


_NOT_SENT: Final = (
    _NoConnectionFree,
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)


def translate(error: BaseException, wire: Wire, *, closed: bool = False) -> ThingSpaceError:
    """Turn an exception of aiohttp into one of ours, with nothing of its own kept but the operating system's error.

    `closed` says whether the connections were closed, which aiohttp tells by a RuntimeError.
    """
    host = URL(wire.url).authority
    name = wire.operation
    if isinstance(error, _NoConnectionFree):
        return RequestNotSent(
            f"all connections stayed busy for {wire.limits.answer:g} s; nothing was sent: "
            "make fewer calls at once or raise `connections`",
            operation=name,
        )
    if isinstance(error, _NOT_SENT):
        reason = _plain_reason(error)
        failure = RequestNotSent(f"cannot connect to {host} ({reason}); nothing was sent", operation=name)
        if (system := getattr(error, "os_error", None)) is not None:
            failure.__cause__ = system.with_traceback(None)
        return failure
    if isinstance(error, TimeoutError):
        return AnswerTimedOut(
            f"{host} did not answer in full within {wire.limits.answer:g} s; whether it acted on it is unknown",
            operation=name,
        )
    if isinstance(error, RuntimeError) and closed:
        return SessionClosed(f"{name}: the session's connections are closed; open a new Session")
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return InvalidRequest(f"{name}: the HTTP client refused the request: its URL is malformed")
    if isinstance(error, ValueError) and "AUTHORIZATION header" in str(error):
        return InvalidRequest(
            f"{name}: the HTTP client refused the request: the passed-in client or netrc adds an Authorization of its "
            "own"
        )
    if isinstance(error, ValueError | RuntimeError) and not isinstance(error, aiohttp.ClientError | OSError):
        # It may come from a passed-in client's middleware, before the request was sent or after.
        return AnswerLost(
            f"{type(error).__name__} inside the HTTP client or a middleware of the passed-in one; whether {host} acted "
            "on the request is unknown",
            operation=name,
        )
    return AnswerLost(f"{host} broke off ({_plain_reason(error)}); whether it acted on it is unknown", operation=name)


def _plain_reason(error: BaseException) -> str:
    """Say what went wrong without anything of the request."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason(error)
    return type(error).__name__


def _system_reason(error: Any) -> str:
    system: OSError = getattr(error, "os_error", error)
    # asyncio writes its own text where the system's would be, but keeps the number.
    # The numbers of TLS errors are its own.
    if system.errno and not isinstance(system, ssl_module.SSLError):
        return os.strerror(system.errno)
    return system.strerror or type(system).__name__


# A subclass stands before its base.
_REASONS: Final[tuple[tuple[type[BaseException], Callable[[Any], str]], ...]] = (
    (
        aiohttp.ClientConnectorCertificateError,
        lambda error: f"certificate not trusted: {error.certificate_error}",
    ),
    (aiohttp.ClientConnectorDNSError, lambda _: "host name not found"),
    (aiohttp.ClientProxyConnectionError, lambda _: "the proxy cannot be reached"),
    (aiohttp.ClientHttpProxyError, lambda error: f"the proxy answered {error.status}"),
    (aiohttp.ConnectionTimeoutError, lambda _: "no connection in time"),
    (aiohttp.ServerFingerprintMismatch, lambda _: "its certificate has another fingerprint"),
    (aiohttp.ServerDisconnectedError, lambda _: "connection closed before the answer"),
    (_BrokeOff, str),
    (aiohttp.ClientPayloadError, lambda _: "the answer's body is cut off or garbled"),
    (aiohttp.ClientResponseError, lambda _: "the answer is no HTTP"),
    (OSError, _system_reason),
)
