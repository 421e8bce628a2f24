"""The HTTP exchange. This is the only file of the client that imports aiohttp.

All exceptions of aiohttp end here. They are not chained, because their tracebacks and reprs hold the request's headers
with the tokens.
"""

from __future__ import annotations

import asyncio
import os
import ssl as ssl_module
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import attrs
from multidict import CIMultiDict
from yarl import URL

from thingspace_async._core.operation import SESSION_HEADER, Server
from thingspace_async._core.values import Secret
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

    from thingspace_async._core.upload import Streamed

__all__ = ["Answer", "HiddenHeaders", "HttpRequest", "Limits", "Transport"]


class HiddenHeaders(CIMultiDict[str]):
    """Headers that hide their values in reprs, and remember which tokens they were made from."""

    oauth: Secret | None = None
    session: Secret | None = None

    def __repr__(self) -> str:
        return f"<headers {', '.join(self)}>"

    __str__ = __repr__

    def twin(self, extra: Mapping[str, str] | None = None) -> HiddenHeaders:
        """Return a copy with the same tokens, and some headers added or replaced."""
        twin = HiddenHeaders(self)
        twin.oauth, twin.session = self.oauth, self.session
        for name, value in (extra or {}).items():
            twin[name] = value
        return twin


@attrs.frozen(eq=False)  # Never compared, and making each method slows down the import.
class Limits:
    """Time limits of one exchange, in seconds."""

    answer: float
    connect: float
    client_timeout: aiohttp.ClientTimeout = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Connecting must time out first: the kind of time-out shows whether the request may have been sent.
        timeout = aiohttp.ClientTimeout(total=None, connect=min(self.connect, self.answer * 0.9))
        object.__setattr__(self, "client_timeout", timeout)


@attrs.define(eq=False)  # Never compared.
class HttpRequest:
    """A request without the headers that hold tokens."""

    operation: str
    method: str
    url: str
    data: bytes | Streamed | None = attrs.field(repr=False)
    limits: Limits
    once: bool
    """Whether the request must not be sent again if its connection breaks."""
    urgent: bool = False
    """Whether the request skips the queue for connections: queued calls may wait for the token that it fetches."""
    extra: Mapping[str, str] | None = None
    """Headers of this call. They may replace Accept and Content-Type."""
    session_header: str = SESSION_HEADER
    server: Server = "thingspace"
    secret_headers: bool = False
    """Whether the answer's headers may hold a secret."""
    most: int | None = None
    """Largest answer in bytes, if it is less than the session's `max_body`."""
    sent: bool = False
    """Whether the last try may have reached the platform. Set by the transport."""


@attrs.define(eq=False)  # Never compared.
class Answer:
    """An HTTP answer of any status."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class _TooLarge(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class _BrokeOff(aiohttp.ClientError):
    """A connection broke under a request that must not be sent again."""


async def _send_once(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a PUT, GET or DELETE when a connection breaks.

    aiohttp repeats methods that HTTP calls idempotent (client.py, `retry_persistent_connection`). On this platform, a
    second PUT may reset the password again, and a second GET may acknowledge unread messages.
    """
    broke: str
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        broke = _plain_reason(error)
    raise _BrokeOff(broke)


_exchanged: Final[ContextVar[HttpRequest | None]] = ContextVar("thingspace_async request", default=None)


class _StaleConnection(aiohttp.ClientConnectionError):
    """A pooled connection is closed, or holds an answer to an unknown request. Nothing was sent."""


class _ClientRequest(aiohttp.ClientRequest):
    """Checks its connection before it sends, and records that it sends."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        request = _exchanged.get()
        if request is not None:
            if request.once:
                for _ in range(2):  # The first turn of the event loop polls the socket. The second runs the callbacks.
                    await asyncio.sleep(0)
            protocol = conn.protocol
            if protocol is None or protocol.should_close or not protocol.is_connected():
                raise _StaleConnection
            request.sent = True
        return await super().send(conn)


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
        # Only options that differ from aiohttp's defaults, because each costs time in each call.
        self._options: dict[str, Any] = {
            "allow_redirects": False,
            **({} if ssl is True else {"ssl": ssl}),
            **({} if proxy is None else {"proxy": proxy}),
            **({} if client_session is None else {"raise_for_status": False}),
        }
        self._trust_env = trust_env
        self._connections = connections
        self._max_body = max_body
        self.slots: asyncio.Semaphore = asyncio.Semaphore(connections)
        """One slot for each exchange. Unlike waiting in aiohttp's pool, waiting here does not count as connecting."""
        self._free = max_body
        """Free bytes in the common budget of compressed answers. Without room, they are read one at a time."""
        self._alone = asyncio.Lock()

    def open(self) -> None:
        """Make the pool. This needs the running event loop."""
        if self._passed_in is not None:
            _check_passed_in("client_session", self._passed_in, aiohttp.ClientSession)
            if not self._passed_in.auto_decompress:
                raise ConfigurationError("client_session must decompress answers: make it with auto_decompress=True")
        if self._connector is not None:
            _check_passed_in("connector", self._connector, aiohttp.BaseConnector)
        self._session = self._passed_in
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._connector or aiohttp.TCPConnector(limit=self._connections + 1),
                connector_owner=self._connector is None,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=self._trust_env,
                request_class=_ClientRequest,
            )
        connector = self._session.connector
        pools = () if connector is None else (connector.limit, connector.limit_per_host)
        # Reserve one connection of each pool for logins, because other calls may wait for them.
        most = min([self._connections, *(pool - 1 for pool in pools if pool)])
        self.slots, self._alone = asyncio.Semaphore(max(1, most)), asyncio.Lock()

    async def close(self) -> None:
        """Close the connections. A passed-in client or connector stays open."""
        session, self._session = self._session, None
        if session is not None and self._passed_in is None:
            await session.close()

    async def exchange(self, request: HttpRequest, headers: HiddenHeaders) -> Answer:
        """Send one request and read its whole answer, of any status. The caller holds a slot."""
        received: list[bytes] = []
        request.sent = self._passed_in is not None  # A passed-in client does not report whether it has sent.
        scope = asyncio.timeout(request.limits.answer)
        before = _exchanged.set(request)
        failure: BaseException
        try:
            async with scope:
                while True:
                    try:
                        return await self._send(request, headers, received)
                    except _StaleConnection:
                        continue  # The loop ends: the pool has one connection less now.
        except asyncio.CancelledError as cancelled:
            # A new error, without aiohttp's frames, whose locals hold tokens and passwords.
            failure = asyncio.CancelledError(*cancelled.args)
        except _TooLarge as large:
            failure = AnswerUnreadable(
                f"larger than {self._most(request):,} bytes: raise max_body to read larger answers",
                operation=request.operation,
                status=large.status,
            )
        except ThingSpaceError as error:  # From a call in a middleware of a passed-in client.
            failure = error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - a middleware may raise anything
            closed = self._session is None or self._session.closed
            failure = _fault_of_body(request) or translate(
                TimeoutError() if scope.expired() else error, request, closed=closed
            )
        finally:
            _exchanged.reset(before)
        if isinstance(failure, AnswerLost):
            failure.body = b"".join(received)
        received.clear()  # It may hold a secret, and this frame's locals may be shown.
        # Raised outside the handler, so that aiohttp's error with the headers does not become its context.
        try:
            raise failure
        finally:
            del failure

    def _most(self, request: HttpRequest) -> int:
        return self._max_body if request.most is None else min(request.most, self._max_body)

    async def _send(self, request: HttpRequest, headers: HiddenHeaders, received: list[bytes]) -> Answer:
        if (session := self._session) is None:
            raise RuntimeError
        options = self._options
        if request.once and request.method != "POST":
            # A request's middlewares replace the session's, and a passed-in session may have some.
            options = {**options, "middlewares": (*getattr(session, "_middlewares", ()), _send_once)}
        data: Any = request.data
        if data is not None and data.__class__ is not bytes:
            headers = headers.twin({"Content-Length": str(data.size)})  # Otherwise aiohttp would not tell the length.
            data = data.chunks()
        # Not `async with`: it would take three more coroutines for each call.
        response = await session.request(
            request.method,
            URL(request.url, encoded=True),
            data=data,
            headers=headers,
            timeout=request.limits.client_timeout,
            **options,
        )
        try:
            length = response.content_length
            if length is not None and length > self._most(request):
                response.close()
                raise _TooLarge(response.status)
            if request.once or length is None or "Content-Encoding" in response.headers:
                body = await self._read_in_parts(response, received, self._most(request))
            elif self._passed_in is None and response.content.is_eof():
                # Small bodies arrive together with the headers. `read` takes several coroutines, a fifteenth of a call.
                # Only passed-in sessions need it, for their traces.
                body = response.content.read_nowait()
            else:
                body = await response.read()
            return Answer(response.status, response.headers, body)
        finally:
            # A fully read answer has released its connection, but the request's body may still be in transfer.
            if request.data is not None or not response.closed:
                response.release()
                await response.wait_for_close()

    async def _read_in_parts(self, response: aiohttp.ClientResponse, received: list[bytes], most: int) -> bytes:
        """Read a body that may exceed the limit, or whose beginning must be kept if the connection breaks."""
        size = held = 0
        compressed = "Content-Encoding" in response.headers
        alone = False
        try:
            async for chunk in response.content.iter_any():
                received.append(chunk)
                size += len(chunk)
                if size > most:
                    response.close()
                    raise _TooLarge(response.status)
                if compressed and not alone:
                    if len(chunk) <= self._free:
                        self._free -= len(chunk)
                        held += len(chunk)
                    else:
                        alone = await self._alone.acquire()
        except aiohttp.ClientError:
            # The last bytes are still in the reader's private buffer. They may hold the only copy of a new password.
            received.extend(getattr(response.content, "_buffer", ()))
            raise
        finally:
            self._free += held
            if alone:
                self._alone.release()
        return b"".join(received)


def _fault_of_body(request: HttpRequest) -> ThingSpaceError | None:
    """Return why the body could not be read while it was sent."""
    return getattr(request.data, "fault", None)


def _check_passed_in(name: str, thing: object, kind: type[aiohttp.ClientSession | aiohttp.BaseConnector]) -> None:
    if not isinstance(thing, kind):
        raise ConfigurationError(f"{name} must be an aiohttp.{kind.__name__}, not {type(thing).__name__}")
    if thing.closed:
        raise ConfigurationError(f"{name} is closed: make a new one")
    loop = asyncio.get_running_loop()
    if getattr(thing, "_loop", loop) is not loop:  # The public attribute is deprecated and warns.
        raise ConfigurationError(f"{name} belongs to another event loop: make it in the loop that opens the Session")


_NOT_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)


def translate(error: BaseException, request: HttpRequest, *, closed: bool = False) -> ThingSpaceError:
    """Turn an exception of aiohttp into one of ours. Only the operating system's error is chained.

    `closed` is whether the connections were closed, which aiohttp reports as a RuntimeError.
    """
    host = URL(request.url).authority
    name = request.operation
    if isinstance(error, RuntimeError) and closed:
        return SessionClosed(f"{name}: the session's connections are closed: open a new Session")
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return InvalidRequest(f"{name}: the HTTP client refused the request: its URL is malformed")
    if isinstance(error, ValueError) and "AUTHORIZATION header" in str(error):
        return InvalidRequest(
            f"{name}: the HTTP client refused the request: remove the Authorization of the passed-in client or netrc"
        )
    if isinstance(error, _NOT_SENT) or (not request.sent and isinstance(error, aiohttp.ClientError | OSError)):
        reason = _plain_reason(error)
        failure = RequestNotSent(f"cannot connect to {host} ({reason}); nothing was sent", operation=name)
        if (system := getattr(error, "os_error", None)) is not None:
            failure.__cause__ = system.with_traceback(None)
        return failure
    if isinstance(error, TimeoutError):
        return AnswerTimedOut(
            f"{host} did not answer in full within {request.limits.answer:g} s; {_unknown_outcome(request)}",
            operation=name,
        )
    if not isinstance(error, aiohttp.ClientError | OSError):
        # A middleware of a passed-in client may have raised it, before or after the request was sent.
        return AnswerLost(
            f"{type(error).__name__} in the HTTP client or in a middleware of the passed-in client; "
            f"{_unknown_outcome(request)}",
            operation=name,
        )
    return AnswerLost(
        f"the connection to {host} broke ({_plain_reason(error)}); {_unknown_outcome(request)}", operation=name
    )


def _unknown_outcome(request: HttpRequest) -> str:
    known = "whether the platform acted is unknown"
    return f"{known}: find out before you repeat the call" if request.once else known


def _plain_reason(error: BaseException) -> str:
    """Describe an error without any data of the request."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason(error)
    return type(error).__name__


def _system_reason(error: Any) -> str:
    system: OSError = getattr(error, "os_error", error)
    # asyncio replaces the system's text but keeps its number. TLS errors have numbers of their own.
    if system.errno and not isinstance(system, ssl_module.SSLError):
        return os.strerror(system.errno)
    return system.strerror or type(system).__name__


# Subclasses come before their bases.
_REASONS: Final[tuple[tuple[type[BaseException], Callable[[Any], str]], ...]] = (
    (
        aiohttp.ClientConnectorCertificateError,
        lambda error: f"certificate not trusted: {error.certificate_error}",
    ),
    (aiohttp.ClientConnectorDNSError, lambda _: "host name not found"),
    (aiohttp.ClientProxyConnectionError, lambda _: "the proxy cannot be reached"),
    (aiohttp.ClientHttpProxyError, lambda error: f"the proxy answered with status {error.status}"),
    (TimeoutError, lambda _: "no connection in time"),
    (_StaleConnection, lambda _: "the pooled connection is closed"),
    (aiohttp.ServerFingerprintMismatch, lambda _: "its certificate has another fingerprint"),
    (aiohttp.ServerDisconnectedError, lambda _: "connection closed before the answer"),
    (_BrokeOff, str),
    (aiohttp.ClientPayloadError, lambda _: "the answer's body is incomplete or garbled"),
    (aiohttp.ClientResponseError, lambda _: "the answer is not HTTP"),
    (OSError, _system_reason),
)
