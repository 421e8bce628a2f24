"""The receiver: what answers the platform's messages, as a function, and as an ASGI application."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import attrs
import orjson

from thingspace_async._checks import fault_of_text
from thingspace_async._types import Secret
from thingspace_async.callbacks.inbox import Inbox
from thingspace_async.callbacks.messages.base import read_object
from thingspace_async.errors import ConfigurationError, InboxUnavailable, MessageUnreadable

__all__ = ["PUBLISHED_ADDRESSES", "Receiver", "Reply", "service_of"]

PUBLISHED_ADDRESSES: Final = (
    "3.87.163.45",
    "3.91.119.203",
    "34.216.81.234",
    "35.165.205.14",
    "54.197.62.209",
    "54.200.43.232",
    "68.128.212.217",
    "137.117.33.109",
    "168.62.173.153",
)
"""Where the platform says that its messages come from (protocol.md 3.2), for `Receiver(allowed_addresses=…)`."""

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_log: Final = logging.getLogger("thingspace_async")


@attrs.frozen
class Reply:
    """What to answer to a message: the platform sends it again after all but a 2xx, four times in all."""

    status: int

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes with the status; the answer has no body."""
        if self.status == 405:
            return {"allow": "POST"}
        # Where a body is left unread, what follows on the connection would be taken for the next request.
        return {} if self.status in _READ_IN_FULL else {"connection": "close"}


_SPARSE: Final = 10
"""Bytes for each object or list of a message, at the least.

Devices in a list, of one identifier each, take 13 to 18: `{"deviceIds":[{"id":"3475550100","kind":"mdn"}]}`. A megabyte
with more than that costs up to a tenth of a second to read, before it is known who sent it."""

_SMALL: Final = 64 * 1024
"""Bytes that cost little to read, whatever is in them."""

_READ_IN_FULL: Final = frozenset({200, 400, 401, 503})


@attrs.frozen(repr=False)
class _Sent:
    """A message, with what says who sent it."""

    body: bytes
    headers: Mapping[str, str]
    username: object
    password: object


@attrs.frozen
class _Credentials:
    """What the messages of a listener bear, as it was registered (protocol.md 3.3)."""

    username: str
    password: Secret

    def admit(self, sent: _Sent) -> bool:
        # Both are compared, whatever the first comes to: the time tells nothing about either.
        return _same(self.username, sent.username) & _same(self.password.reveal(), sent.password)


@attrs.frozen
class _Signature:
    """What the messages of an API that signs are signed with."""

    secret: Secret
    header: str

    def admit(self, sent: _Sent) -> bool:
        given = next((value for name, value in sent.headers.items() if name.casefold() == self.header), "").strip()
        digest = hmac.digest(self.secret.reveal().encode(), sent.body, "sha256")
        hexadecimal = _same(digest.hex(), given.lower().removeprefix("sha256="))
        return hexadecimal | _same(base64.b64encode(digest).decode(), given)


def _same(expected: str, given: object) -> bool:
    # A header may hold bytes that are no text, which some servers pass on as surrogates.
    written = given.encode(errors="surrogatepass") if isinstance(given, str) else b""
    return hmac.compare_digest(expected.encode(), written)


class Receiver:
    """Takes the platform's messages: checks who sent them, has an inbox store them, and answers.

        receiver = Receiver(SqliteInbox("messages.db"))
        receiver.expect("CarrierService", username="fleet", password=Secret("one of its own"))

    It is an ASGI application, to be run by itself or mounted in another; `callbacks.web` has it for aiohttp.web; and a
    view of any other framework awaits `handle`. Run by itself it opens its inbox and closes it; FastAPI and Starlette
    run no lifespan but their own, so that there the inbox is opened by theirs (`async with inbox`).

    Each service has a URL of its own, as no message names its service: the last part of the path is its name.

    `allowed_addresses` are networks such as `10.0.0.0/8`, `PUBLISHED_ADDRESSES` the platform's; None allows all.
    They are compared with the other end of the connection, which behind a proxy is the proxy: check there, then. No
    header is trusted to say otherwise, as anybody may write it. Your server may trust one, though, before the receiver
    sees anything: uvicorn believes X-Forwarded-For from this machine unless told `--no-proxy-headers`. Nor does uvicorn
    cut off a client that sends its headers a byte at a time, as a proxy does, and `callbacks.web.serve`.

    `timeout` is in seconds, for reading a message and for storing it. Raises ConfigurationError for what is no network.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        allowed_addresses: Iterable[str] | None = None,
        max_body: int = 1024 * 1024,
        timeout: float = 10.0,
    ) -> None:
        self.inbox = inbox
        self._networks = None if allowed_addresses is None else _networks(allowed_addresses)
        self._max_body = max_body
        self._timeout = timeout
        self._expected: dict[str, list[_Credentials | _Signature]] = {}

    def expect(self, service: str, *, username: str, password: Secret | str) -> None:
        """Accept the messages of a service that bear a username and a password.

        Several usernames are accepted side by side, as accounts that share the URL have; the password of one that is
        known already is replaced. Raises ConfigurationError for what is empty: anybody could send that.
        """
        password = Secret(password)
        _check("username", username)
        _check("password", password.reveal())
        self.forget(service, username=username)
        self._expect(service, _Credentials(username, password))

    def expect_signed(self, service: str, secret: Secret | str, *, header: str = "X-Signature") -> None:
        """Accept the messages of a service that are signed with a secret, as location and diagnostics sign them.

        The secret is what a header of the answer to the registration holds. Several are accepted side by side. That the
        signature is the HMAC with SHA-256 is documented; the name of its header is not, nor that it is of the body, in
        hexadecimal or base64 (ASSUMPTION, protocol.md 3.6).
        """
        secret = Secret(secret)
        _check("secret", secret.reveal())
        _check("header", header)
        self._expect(service, _Signature(secret, header.casefold()))

    def forget(self, service: str, *, username: str | None = None) -> None:
        """Accept no messages of a service any more, or none with a username."""
        kept = [
            one
            for one in self._expected.pop(service, ())
            if username is not None and not (isinstance(one, _Credentials) and one.username == username)
        ]
        if kept:
            self._expected[service] = kept

    def url_of(self, base_url: str, service: str) -> str:
        """Return the URL to register for a service, where the receiver is reached at a base URL."""
        return f"{base_url.rstrip('/')}/{quote(service, safe='')}"

    async def handle(self, body: bytes, *, headers: Mapping[str, str], peer: str | None, service: str | None) -> Reply:
        """Answer a message that was POSTed and read; `peer` is the address of the other end, None where unknown.

        It is stored once a 200 is returned.
        """
        refusal = self._refuse("POST", {}, peer, service)
        return await self._take(body, headers, peer, service or "") if refusal is None else refusal

    async def receive(
        self,
        read: Callable[[], Awaitable[bytes]],
        *,
        method: str,
        headers: Mapping[str, str],
        peer: str | None,
        service: str | None,
    ) -> Reply:
        """Answer a request whose body is still to be read, of which `read` returns a part, and b"" at its end.

        What is refused is not read, or not any further. A ConnectionError of `read` says that the client went away.
        """
        if (refusal := self._refuse(method, headers, peer, service)) is not None:
            return refusal
        body = bytearray()
        try:
            async with asyncio.timeout(self._timeout):
                while part := await read():
                    body += part
                    if len(body) > self._max_body:
                        return self._refusal(413, "it is too long", peer, service)
        except TimeoutError:
            return self._refusal(408, "its body took too long", peer, service)
        except ConnectionError:
            return self._refusal(400, "its sender went away", peer, service)
        return await self._take(bytes(body), headers, peer, service or "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI application."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":  # A WebSocket, which is refused so.
            await receive()
            await send({"type": "websocket.close"})
            return
        reply = await self.receive(
            _reader(receive),
            method=scope["method"],
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            peer=scope["client"][0] if scope.get("client") else None,
            service=service_of(scope["path"]),
        )
        headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        with contextlib.suppress(OSError):  # The client is gone.
            await send(
                {
                    "type": "http.response.start",
                    "status": reply.status,
                    "headers": [(b"content-length", b"0"), *headers],
                }
            )
            await send({"type": "http.response.body"})

    def running(self) -> AbstractAsyncContextManager[object]:
        """Keep the inbox open for a block, unless it is open already."""
        return contextlib.nullcontext() if self.inbox.is_open else self.inbox

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        stage = "startup"
        try:
            async with self.running():
                await send({"type": "lifespan.startup.complete"})
                stage = "shutdown"
                await receive()
        except InboxUnavailable as error:
            await send({"type": f"lifespan.{stage}.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})

    def _expect(self, service: str, check: _Credentials | _Signature) -> None:
        _check("service", service)
        if "/" in service:
            raise ConfigurationError("receiver: service must not hold a slash, as it is the last part of a URL")
        self._expected.setdefault(service, []).append(check)

    def _refuse(self, method: str, headers: Mapping[str, str], peer: str | None, service: str | None) -> Reply | None:
        """Refuse a request for what is known before its body is read; None when it is welcome so far."""
        if self._networks is not None and not _is_within(peer, self._networks):
            return self._refusal(403, "the address is not among those allowed", peer, service)
        if service not in self._expected:
            return self._refusal(404, "nobody expects this service", peer, service)
        if method != "POST":
            return self._refusal(405, "the method is not POST", peer, service)
        length = next((value for name, value in headers.items() if name.casefold() == "content-length"), "")
        if length.isdecimal() and int(length) > self._max_body:
            return self._refusal(413, "it is too long", peer, service)
        return None

    async def _take(self, body: bytes, headers: Mapping[str, str], peer: str | None, service: str) -> Reply:
        if len(body) > self._max_body:
            return self._refusal(413, "it is too long", peer, service)
        if len(body) > _SMALL and (body.count(b"[") + body.count(b"{")) * _SPARSE > len(body):
            return self._refusal(400, "it holds too many objects and lists", peer, service)
        try:
            message = read_object(body)
        except ValueError:
            return self._refusal(400, "it is no JSON object", peer, service)
        sent = _Sent(body, headers, _taken(message, "username"), _taken(message, "password"))
        # A list, and not a generator: all are compared, so that the time does not tell which one fits.
        if not any([one.admit(sent) for one in self._expected.get(service, ())]):  # noqa: C419
            return self._refusal(401, "wrong username, password or signature", peer, service)
        try:
            kept = orjson.dumps(message)
        except TypeError:
            return self._refusal(400, "it is nested too deeply", peer, service)
        return await self._store(kept, peer, service)

    async def _store(self, message: bytes, peer: str | None, service: str) -> Reply:
        try:
            async with asyncio.timeout(self._timeout):
                await self.inbox.store(message, service=service)
        except MessageUnreadable as error:
            return self._refusal(400, str(error), peer, service)
        except TimeoutError:
            reason = f"storing it took more than {self._timeout:g} s"
        except InboxUnavailable as error:
            reason = str(error)
        else:
            return Reply(200)
        _log.error("a message for %s was answered 503, so that the platform sends it again: %s", service, reason)
        return Reply(503)

    def _refusal(self, status: int, why: str, peer: str | None, service: str | None) -> Reply:
        # What nobody expects is anybody's knocking, of which there is much on a public address.
        level = logging.WARNING if service in self._expected else logging.INFO
        _log.log(level, "a message for %.60r from %s was answered %d: %s", service, peer, status, why)
        return Reply(status)


def service_of(path: str) -> str:
    """Return the service that a path names, below whatever prefix."""
    return path.rstrip("/").rpartition("/")[2]


def _taken(message: dict[str, Any], name: str) -> object:
    """Take a member out of a message, and its like of other spellings: what is left is stored."""
    found: object = message.get(name)
    for key in [key for key in message if key.casefold() == name]:
        del message[key]
    return found


def _reader(receive: Receive) -> Callable[[], Awaitable[bytes]]:
    """Make what reads the body of an ASGI request."""
    more = True

    async def read() -> bytes:
        nonlocal more
        part = b""
        while more and not part:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise ConnectionResetError
            part, more = event.get("body", b""), event.get("more_body", False)
        return part

    return read


def _check(what: str, text: str) -> None:
    if (fault := fault_of_text(text)) is not None:
        raise ConfigurationError(f"receiver: {what} {fault}")


def _networks(given: Iterable[str]) -> tuple[Network, ...]:
    if isinstance(given, str):
        raise ConfigurationError("receiver: allowed_addresses must be a list of networks, not a str")
    try:
        return tuple(ipaddress.ip_network(one) for one in given)
    except ValueError as error:
        raise ConfigurationError(f"receiver: allowed_addresses: {error}") from None


def _is_within(peer: str | None, networks: tuple[Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(peer or "")
    except ValueError:  # A Unix socket, or a test client's made-up name.
        return False
    # What a socket for both protocols calls an IPv4 address: ::ffff:192.0.2.1
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks)
