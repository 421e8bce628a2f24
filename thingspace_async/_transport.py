"""The HTTP exchange: the only client file that imports aiohttp.

All of aiohttp's exceptions end here. None is chained: their tracebacks and reprs hold the request's headers, and with
them the tokens.
"""

from __future__ import annotations

import asyncio
import os
import ssl as ssl_module
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

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
    from aiohttp.client import _RequestContextManager
    from aiohttp.client_middlewares import ClientHandlerType

__all__ = ["Answer", "HiddenHeaders", "Limits", "Transport", "Wire"]


class HiddenHeaders(CIMultiDict[str]):
    """Headers that keep their tokens out of reprs, and know which tokens those are."""

    oauth: Secret | None = None
    session: Secret | None = None

    def __repr__(self) -> str:
        return f"<headers {', '.join(self)}>"

    __str__ = __repr__


@attrs.frozen
class Limits:
    """Bounds in seconds of one exchange."""

    answer: float
    connect: float
    client_timeout: aiohttp.ClientTimeout = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # The time to connect must end first, so that a time-out says whether the request may have been sent.
        connect = min(self.connect, self.answer * 0.9)
        timeout = aiohttp.ClientTimeout(total=self.answer, connect=connect)
        object.__setattr__(self, "client_timeout", timeout)


@attrs.define
class Wire:
    """A request as it is sent, less the headers, which hold the tokens."""

    operation: str
    method: str
    url: str
    data: bytes | None = attrs.field(repr=False)
    limits: Limits
    once: bool
    """Whether it must not be sent a second time on a connection that broke."""


@attrs.define
class Answer:
    """What came back; any status."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class _TooLarge(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class _CutOff(Exception):
    def __init__(self, body: bytes, reason: Exception) -> None:
        self.body = body
        self.reason = reason


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
        self._session = client_session
        self._connector = connector
        self._ssl = ssl
        self._proxy = proxy
        self._trust_env = trust_env
        self._connections = connections
        self._max_body = max_body
        self._free = asyncio.Semaphore(connections)

    def open(self) -> None:
        """Make the pool; needs the running event loop."""
        if self._passed_in is not None and not self._passed_in.auto_decompress:
            raise ConfigurationError(
                "the passed-in client session leaves answers compressed: make it with auto_decompress"
            )
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._connector or aiohttp.TCPConnector(limit=self._connections),
                connector_owner=self._connector is None,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=self._trust_env,
            )
        if (connector := self._session.connector) is not None and connector.limit:
            self._free = asyncio.Semaphore(connector.limit)

    async def close(self) -> None:
        """Close what was opened here; what was passed in stays open."""
        session, self._session = self._session, None
        if session is not None and self._passed_in is None:
            await session.close()

    async def exchange(self, wire: Wire, headers: HiddenHeaders) -> Answer:
        """Send one request and read its whole answer, whatever its status."""
        try:
            if self._free.locked():
                await self._wait_for_connection(wire)
            else:
                await self._free.acquire()
            try:
                async with self._request(wire, headers) as response:
                    return Answer(response.status, response.headers, await self._read(response, keep=wire.once))
            finally:
                self._free.release()
        except _TooLarge as large:
            failure: ThingSpaceError = AnswerUnreadable(
                f"larger than {self._max_body:,} bytes, where reading stopped; raise max_body if that is too few",
                operation=wire.operation,
                status=large.status,
            )
        except _CutOff as cut:
            failure = translate(cut.reason, wire)
            if isinstance(failure, AnswerLost):
                failure.body = cut.body
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            failure = translate(error, wire)
        # Raised outside of the handler: else the error of aiohttp would be its context, headers and all.
        raise failure

    async def _wait_for_connection(self, wire: Wire) -> None:
        """Wait here, and not in aiohttp's pool, where waiting would count as connecting."""
        try:
            async with asyncio.timeout(wire.limits.answer):
                await self._free.acquire()
        except TimeoutError:
            raise _NoConnectionFree from None

    def _request(self, wire: Wire, headers: HiddenHeaders) -> _RequestContextManager:
        session = self._session
        if session is None or session.closed:
            raise RuntimeError
        options: dict[str, Any] = {}
        if wire.once and wire.method != "POST":
            # A request's middlewares replace the session's, and a passed-in session may have some.
            options["middlewares"] = (*getattr(session, "_middlewares", ()), _send_once)
        return session.request(
            wire.method,
            URL(wire.url, encoded=True),
            data=wire.data,
            headers=headers,
            timeout=wire.limits.client_timeout,
            ssl=self._ssl,
            proxy=self._proxy,
            allow_redirects=False,
            raise_for_status=False,
            **options,
        )

    async def _read(self, response: aiohttp.ClientResponse, *, keep: bool) -> bytes:
        """Read a body; what came before it broke off is kept where the answer cannot be asked for again."""
        length = response.content_length
        if length is not None and length > self._max_body:
            response.close()
            raise _TooLarge(response.status)
        if not keep and length is not None and "Content-Encoding" not in response.headers:
            return await response.read()
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in response.content.iter_any():
                chunks.append(chunk)
                size += len(chunk)
                if size > self._max_body:
                    response.close()
                    raise _TooLarge(response.status)
        except (aiohttp.ClientError, OSError) as error:
            # What arrived in the last moment is still in the reader's buffer, which has no public door: it may be the
            # only trace of a new password.
            rest = getattr(response.content, "_buffer", ())
            raise _CutOff(b"".join([*chunks, *rest]), error) from None
        return b"".join(chunks)


class _NoConnectionFree(aiohttp.ClientError):
    """All connections stayed busy."""


_NOT_SENT: Final = (
    _NoConnectionFree,
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)


def translate(error: BaseException, wire: Wire) -> ThingSpaceError:
    """Turn an exception of aiohttp into one of ours, with nothing of its own kept but the operating system's error."""
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
    if isinstance(error, RuntimeError):
        return SessionClosed(f"{name}: the session's connections are closed; open a new Session")
    if isinstance(error, ValueError):
        return InvalidRequest(
            f"{name}: the HTTP client refused the request: its URL is malformed, or the passed-in client or netrc adds "
            "an Authorization of its own"
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
