"""The receiver answers the platform's messages. It is a function and an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

import attrs
import orjson

from thingspace_async._core.checks import fault_of_text
from thingspace_async._core.registrar import split_service
from thingspace_async._core.types import Secret
from thingspace_async.callbacks import credentials
from thingspace_async.callbacks._throttled_log import ThrottledLog
from thingspace_async.callbacks.admission import Check, Credentials, Signature, admits, basic_credentials, passwords_in
from thingspace_async.callbacks.inbox import Inbox
from thingspace_async.callbacks.incoming import parsed
from thingspace_async.callbacks.messages.base import read_object
from thingspace_async.errors import ConfigurationError, InboxUnavailable, MessageUnreadable

__all__ = ["PUBLISHED_ADDRESSES", "Answered", "Receiver", "Reply", "service_of"]

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
"""The addresses that the platform sends messages from (PROTOCOL.md 3.2), for `Receiver(allowed_addresses=…)`."""

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@attrs.frozen
class Reply:
    """The answer to a message. If its status is not 2xx, the platform tries again, up to four times in all."""

    status: int
    left_unread: bool = False
    """Whether part of the body was not read. Then close the connection: the rest would look like a new request."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the answer. It has no body."""
        closing = {"connection": "close"} if self.left_unread else {}
        return closing | _HEADERS.get(self.status, {})


@attrs.frozen(kw_only=True, eq=False)  # Never compared.
class Answered:
    """An answered message, as hooks of a receiver get it."""

    service: str | None
    """The callback service. None if no listener is known for it: anyone can send any name."""
    status: int
    """Status of the answer."""
    seconds: float
    """Time to read and store the message."""

    @property
    def result(self) -> Literal["stored", "unmatched", "refused"]:
        """Result of the message. It is unmatched if no listener is known for its service."""
        if 200 <= self.status < 300:
            return "stored"
        return "unmatched" if self.status == 404 else "refused"


_log: Final = logging.getLogger("thingspace_async")

_HEADERS: Final[dict[int, dict[str, str]]] = {405: {"allow": "POST"}, 503: {"retry-after": "60"}}

_REFRESH_INTERVAL: Final = 1.0
"""Least seconds between two reads of the inbox's credentials: unauthenticated requests cause them, too."""


class Receiver:
    """Receives the platform's messages: checks their sender, stores them in an inbox, and answers.

        receiver = Receiver(SqliteInbox("messages.db"))
        receiver.expect("CarrierService", username="fleet", password=Secret("one of its own"))

    It is an ASGI application. Run it, or mount it in another one. For aiohttp.web, see `callbacks.web`. In a view of
    another framework, await `handle`. A receiver that you run opens and closes its inbox. FastAPI and Starlette do not
    run the lifespan of mounted applications: open the inbox in your own (`async with inbox`).

    Messages do not name their service, so each service has its own URL: the last part of the path is the service. For
    an API that has no passwords, `~username~password` follows, as in `/callbacks/FotaV3~fleet~secret`. Cloud Connector
    sends both in the header Authorization instead, and its events may come to a URL without a path.

    A receiver accepts the messages of all listeners that `session.listen` registers with the same inbox, in any process
    and at any time. If it does not know a service or a password, it reads the inbox again, at most once a second. Use
    `expect` for listeners that were registered in another way.

    `allowed_addresses` are networks such as `10.0.0.0/8`; `PUBLISHED_ADDRESSES` has the platform's. None allows all.
    The receiver compares them with the peer of the connection. Behind a proxy the peer is the proxy, so filter there.
    The receiver trusts no header, but your server may: uvicorn believes X-Forwarded-For from this machine unless you
    pass `--no-proxy-headers`. Uvicorn does not cut off a client that sends its headers a byte at a time. A proxy does,
    and so does `callbacks.web.serve`.

    `max_body` limits the bytes of one message. `max_pending` limits the bytes of all messages that are being read and
    stored: further messages are answered 503, and the platform repeats them. `timeout` limits the seconds for reading
    a message, and again for storing it. Raises ConfigurationError for an address that is not a network.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        allowed_addresses: Iterable[str] | None = None,
        max_body: int = 256 * 1024,
        max_pending: int = 64 * 1024 * 1024,
        timeout: float = 10.0,
    ) -> None:
        self.inbox = inbox
        self._networks = None if allowed_addresses is None else _networks(allowed_addresses)
        self._max_body = max_body
        self._max_pending = max_pending
        self._timeout = timeout
        self._pending = 0
        """Bytes of the messages that are being read and stored."""
        self._expected: dict[str, list[Check]] = {}
        self._loaded: dict[str, list[Check]] = {}
        """The inbox's credentials, as last read."""
        self._refreshing = asyncio.Lock()
        self._next_refresh = 0.0
        self._log = ThrottledLog()
        self._hooks: list[Callable[[Answered], None]] = []

    def add_hook(self, on_answer: Callable[[Answered], None]) -> None:
        """Call a plain function after each answer, for metrics. Its errors are logged and change nothing."""
        self._hooks.append(on_answer)

    def expect(self, service: str, *, username: str, password: Secret | str) -> None:
        """Accept messages of a service with a username and a password.

        Call it once for each account that shares the URL. A second call for a username replaces its password. Raises
        ConfigurationError for an empty username or password, which anyone could send.
        """
        password = Secret(password)
        _check("username", username)
        _check("password", password.reveal())
        self.forget(service, username=username)
        self._expect(service, Credentials(username, password))

    def expect_signed(self, service: str, secret: Secret | str, *, header: str = "X-Signature") -> None:
        """Accept messages of a service that are signed with a secret. Location and diagnostics sign their messages.

        The answer to the registration has the secret in a header. Several secrets may be valid at once. The signature
        is an HMAC with SHA-256. Its header is not documented. That it signs the body, and is in hexadecimal or base64,
        is an ASSUMPTION (PROTOCOL.md 3.6).
        """
        secret = Secret(secret)
        _check("secret", secret.reveal())
        _check("header", header)
        self._expect(service, Signature(secret, header.casefold()))

    async def credentials_for(self, service: str) -> tuple[str, Secret]:
        """Return the username and the password of a service, for a listener that you register in another way.

        They belong to the inbox: the first call makes them, and all receivers of the inbox accept them, in any process.
        Targets of Cloud Connector need them: see `CreateTargetRequest.to_server`. Raises InboxUnavailable.
        """
        _check_service(service)
        found = await credentials.get_or_create(self.inbox, service, None)
        await self.load_credentials()
        return found.username, found.password

    def forget(self, service: str, *, username: str | None = None) -> None:
        """Undo `expect` and `expect_signed` for a service, or `expect` for one username."""
        kept = [
            one
            for one in self._expected.pop(service, ())
            if username is not None and not (isinstance(one, Credentials) and one.username == username)
        ]
        if kept:
            self._expected[service] = kept

    def url_of(self, base_url: str, service: str) -> str:
        """Return the URL to register for a service, if the receiver is served at `base_url`."""
        return f"{base_url.rstrip('/')}/{quote(service, safe='')}"

    async def handle(self, body: bytes, *, headers: Mapping[str, str], peer: str | None, service: str | None) -> Reply:
        """Answer a POST request whose body has been read. `peer` is the client's address, None if unknown.

        If the status is 200, the message is stored.
        """
        return await self._answer(_whole(body), "POST", headers, _Sender.of(peer, service, headers))

    async def receive(
        self,
        read: Callable[[], Awaitable[bytes]],
        *,
        method: str,
        headers: Mapping[str, str],
        peer: str | None,
        service: str | None,
    ) -> Reply:
        """Answer a request whose body has not been read. `read` returns its next part, and b"" at the end.

        The rest of a refused request is not read. If the client disconnects, `read` must raise ConnectionError.
        """
        return await self._answer(read, method, headers, _Sender.of(peer, service, headers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI application."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":  # A WebSocket: refuse it.
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
        with contextlib.suppress(OSError):  # The client has disconnected.
            await send(
                {
                    "type": "http.response.start",
                    "status": reply.status,
                    "headers": [(b"content-length", b"0"), *headers],
                }
            )
            await send({"type": "http.response.body"})

    async def load_credentials(self) -> None:
        """Read the inbox's credentials, of all listeners that `session.listen` has registered. Raises InboxUnavailable.

        Messages with unknown credentials also cause a read.
        """
        self._loaded = await credentials.read_all(self.inbox)

    def running(self) -> AbstractAsyncContextManager[object]:
        """Open the inbox for a block, unless it is open already."""
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

    def _expect(self, service: str, check: Check) -> None:
        _check_service(service)
        self._expected.setdefault(service, []).append(check)

    async def _answer(
        self, read: Callable[[], Awaitable[bytes]], method: str, headers: Mapping[str, str], sender: _Sender
    ) -> Reply:
        if not self._hooks:
            return await self._take(read, method, headers, sender)
        started = time.perf_counter()
        reply = await self._take(read, method, headers, sender)
        known = sender.service if self._checks(sender.service) else None
        answered = Answered(service=known, status=reply.status, seconds=time.perf_counter() - started)
        for hook in self._hooks:
            try:
                hook(answered)
            except Exception:  # noqa: BLE001 - a stored message must be answered with 200
                _log.exception("on_answer failed; the message was answered %d", reply.status)
        return reply

    async def _take(
        self, read: Callable[[], Awaitable[bytes]], method: str, headers: Mapping[str, str], sender: _Sender
    ) -> Reply:
        try:
            await self._check_before_reading(method, headers, sender)
            with self._counting() as count:
                body = await _read(read, count, self._timeout)
                messages = await self._admitted(body, headers, sender)
                del body  # Free its memory: storing may take long.
                await self._store(messages, sender.service)
        except _Refusal as refusal:
            self._log_refusal(refusal, sender)
            return Reply(refusal.status, refusal.left_unread)
        return Reply(200)

    async def _check_before_reading(self, method: str, headers: Mapping[str, str], sender: _Sender) -> None:
        """Refuse a request before its body is read, if possible."""
        if self._networks is not None and not _is_within(sender.peer, self._networks):
            raise _Refusal(403, "its address is not allowed", left_unread=True)
        if not self._checks(sender.service):
            await self._refresh(self._loaded)
        if not self._checks(sender.service):
            raise _Refusal(404, "the service has no known listener", left_unread=True)
        if method != "POST":
            raise _Refusal(405, "the method is not POST", left_unread=True)
        length = next((value for name, value in headers.items() if name.casefold() == "content-length"), "")
        if length.isdecimal() and int(length) > self._max_body:
            raise _Refusal(413, _TOO_LONG, left_unread=True)

    @contextlib.contextmanager
    def _counting(self) -> Iterator[Callable[[int], None]]:
        """Count the bytes of a message as pending. Refuse it if there are too many."""
        size = 0

        def count(more: int) -> None:
            nonlocal size
            size += more
            self._pending += more
            if size > self._max_body:
                raise _Refusal(413, _TOO_LONG, left_unread=True)
            if self._pending > self._max_pending:
                raise _Refusal(503, "too many messages are being received at once", left_unread=True)

        try:
            yield count
        finally:
            self._pending -= size

    async def _admitted(self, body: bytes, headers: Mapping[str, str], sender: _Sender) -> list[bytes]:
        """Check the sender of a body, and return the messages to store."""
        loaded = self._loaded
        try:
            messages = await self._authenticated(body, headers, sender)
            if messages is None and await self._refresh(loaded):
                messages = await self._authenticated(body, headers, sender)
        except MessageUnreadable as error:
            raise _Refusal(400, str(error)) from None
        if messages is None:
            raise _Refusal(401, "wrong username, password or signature")
        return messages

    async def _authenticated(self, body: bytes, headers: Mapping[str, str], sender: _Sender) -> list[bytes] | None:
        """Return messages without username and password, or None if these are wrong."""
        checks = self._checks(sender.service)
        known = [check for check in checks if isinstance(check, Credentials)]
        is_signed = admits(check.admit(body, headers) for check in checks if isinstance(check, Signature))
        if sender.credentials is not None:
            is_signed |= admits(check.admit(*sender.credentials) for check in known)
        if not is_signed:
            passwords = passwords_in(body)
            if not admits(check.may_admit(passwords) for check in known):
                return None
        elif body.lstrip().startswith(b"["):  # Aggregated events: a list has no username of its own.
            return await parsed(len(body), _split_list, body)
        username, password, message = await parsed(len(body), _split, body)
        return [message] if is_signed or admits(check.admit(username, password) for check in known) else None

    def _checks(self, service: str) -> list[Check]:
        return [*self._expected.get(service, ()), *self._loaded.get(service, ())]

    async def _refresh(self, loaded: Mapping[str, list[Check]]) -> bool:
        """Read the inbox's credentials again. Return whether they differ from `loaded`.

        Concurrent requests share one read.
        """
        async with self._refreshing:
            if self._loaded is loaded and self.inbox.is_open and time.monotonic() >= self._next_refresh:
                self._next_refresh = time.monotonic() + _REFRESH_INTERVAL
                try:
                    async with asyncio.timeout(self._timeout):
                        await self.load_credentials()
                except (InboxUnavailable, TimeoutError) as error:
                    raise _Refusal(503, f"the credentials cannot be read: {error}", logging.ERROR) from None
        return self._loaded != loaded

    async def _store(self, messages: Sequence[bytes], service: str) -> None:
        """Store messages, even if one of them cannot be stored. The sender then repeats all of them.

        The stored ones then count as repeats.
        """
        refusals = await asyncio.gather(*[self._stored(message, service) for message in messages])
        if found := next((refusal for refusal in refusals if refusal is not None), None):
            raise found

    async def _stored(self, message: bytes, service: str) -> _Refusal | None:
        """Store a message, or return why it cannot be stored."""
        try:
            async with asyncio.timeout(self._timeout):
                await self.inbox.store(message, service=service)
        except MessageUnreadable as error:
            return _Refusal(400, str(error))
        except TimeoutError:
            return _Refusal(503, f"storing it took more than {self._timeout:g} s", logging.ERROR)
        except InboxUnavailable as error:
            return _Refusal(503, str(error), logging.ERROR)
        return None

    def _log_refusal(self, refusal: _Refusal, sender: _Sender) -> None:
        # On a public address, requests for unregistered services are mostly from scanners.
        is_noise = refusal.level < logging.ERROR and not self._checks(sender.service)
        level = logging.INFO if is_noise else refusal.level
        text = "a message for %.60r from %s was answered %d: %s"
        self._log.log(refusal.status, level, text, sender.service, sender.peer, refusal.status, refusal.why)


@attrs.frozen
class _Sender:
    """The sender of a request, and the service in its URL."""

    peer: str | None
    service: str
    credentials: tuple[str, str] | None = attrs.field(default=None, repr=False)
    """The username and the password in the URL, or else in the header Authorization."""

    @classmethod
    def of(cls, peer: str | None, service: str | None, headers: Mapping[str, str]) -> _Sender:
        """Return the sender of a request, whose URL or headers may have credentials.

        A URL without a path is for Cloud Connector: its targets may be hosts.
        """
        name, credentials = split_service(service or _WITHOUT_PATH)
        return cls(peer, name, credentials or basic_credentials(headers))


_WITHOUT_PATH: Final = "CloudConnector"


class _Refusal(Exception):
    """A request is refused."""

    def __init__(self, status: int, why: str, level: int = logging.WARNING, *, left_unread: bool = False) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.level = level
        self.left_unread = left_unread


_TOO_LONG: Final = "its body is too long"


async def _read(read: Callable[[], Awaitable[bytes]], count: Callable[[int], None], seconds: float) -> bytes:
    """Read the body of a request."""
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(seconds):
            while part := await read():
                count(len(part))
                parts.append(part)
    except TimeoutError:
        raise _Refusal(408, "its body took too long", left_unread=True) from None
    except ConnectionError:
        raise _Refusal(400, "its sender disconnected", left_unread=True) from None
    return b"".join(parts)


def _whole(body: bytes) -> Callable[[], Awaitable[bytes]]:
    """Return a `read` function for a body that has been read."""
    parts = [b"", body]

    async def read() -> bytes:
        return parts.pop()

    return read


def _split(body: bytes) -> tuple[object, object, bytes]:
    """Return the username, the password and the rest of a message."""
    message = read_object(body)
    username, password = _pop(message, "username"), _pop(message, "password")
    if not (rest := _written(message)):
        raise MessageUnreadable("it is nested too deeply")
    return username, password, rest


def _split_list(body: bytes) -> list[bytes]:
    """Return the messages of a list, without usernames and passwords.

    One that is nested too deeply is empty: the inbox refuses it, and no other.
    """
    found: list[Any]
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = [None]
    if not all(isinstance(one, dict) for one in found):
        raise MessageUnreadable("a list of callback messages must have JSON objects")
    for one in found:
        _pop(one, "username")
        _pop(one, "password")
    return [_written(one) for one in found]


def _written(message: dict[str, Any]) -> bytes:
    """Return a message as JSON, or nothing if it is nested too deeply."""
    try:
        return orjson.dumps(message)
    except TypeError:
        return b""


def service_of(path: str) -> str:
    """Return the service, which is the last part of a path."""
    return path.rstrip("/").rpartition("/")[2]


def _pop(message: dict[str, Any], name: str) -> object:
    """Remove a member from a message, in all upper and lower case spellings, and return its value.

    The rest of the message is stored.
    """
    found: object = message.get(name)
    for key in [key for key in message if key.casefold() == name]:
        del message[key]
    return found


def _reader(receive: Receive) -> Callable[[], Awaitable[bytes]]:
    """Return a `read` function for the body of an ASGI request."""
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


def _check(name: str, text: str) -> None:
    if (fault := fault_of_text(text)) is not None:
        raise ConfigurationError(f"receiver: {name} {fault}")


def _check_service(service: str) -> None:
    _check("service", service)
    if "/" in service:
        raise ConfigurationError("receiver: service must not contain a slash, as it is the last part of a URL")


def _networks(given: Iterable[str]) -> tuple[Network, ...]:
    if isinstance(given, str):
        raise ConfigurationError("receiver: allowed_addresses must be a list of networks, not a string")
    try:
        return tuple(ipaddress.ip_network(one) for one in given)
    except ValueError as error:
        raise ConfigurationError(f"receiver: allowed_addresses: {error}") from None


def _is_within(peer: str | None, networks: tuple[Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(peer or "")
    except ValueError:  # A Unix socket, or the invented name of a test client.
        return False
    # A dual-stack socket shows IPv4 addresses as ::ffff:192.0.2.1.
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks)
