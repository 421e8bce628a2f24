"""Incoming messages: parse them, recognise repeats, and group them into batches."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar

import attrs
import orjson

from thingspace_async.callbacks.messages import (
    Alert,
    DiagnosticsMessage,
    EventMessage,
    Message,
    NiddMessage,
    ReachabilityMessage,
    SmsReceived,
    UnknownMessage,
    parse,
)
from thingspace_async.errors import MessageUnreadable

__all__ = ["BYTES_AT_ONCE", "Incoming", "Waiting", "next_batch", "now", "parsed"]

P = ParamSpec("P")
T = TypeVar("T")

_INTERVAL: Final = timedelta(minutes=5)
"""Time between two attempts at a message (PROTOCOL.md 3.3)."""

_MOST_ATTEMPTS: Final = 4


BYTES_AT_ONCE: Final = 1024 * 1024
"""Bytes of messages per call of a store. The last message may exceed it."""

_LOOP_LIMIT: Final = 8 * 1024
"""Bytes to parse on the event loop. More could block it for too long."""


_parsing: Final = threading.Lock()
"""Held while a thread parses. A parsed message takes many times its size, so only one is parsed at a time."""


async def parsed(size: int, parsing: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Call a function that parses `size` bytes. Use a thread if they are many."""
    if size <= _LOOP_LIMIT:
        return parsing(*args, **options)

    def parse_alone() -> T:
        with _parsing, _collector_paused():
            return parsing(*args, **options)

    return await asyncio.to_thread(parse_alone)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the garbage collector: thousands of small lists would make it block all threads for up to a second."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@attrs.frozen(kw_only=True)
class Incoming:
    """A message to store."""

    body: bytes
    service: str | None
    request_id: str | None
    digest: str
    """A hash that all attempts at one message share."""
    repeats_within: timedelta
    """It is a repeat if a message with the same digest was received at most this long before."""

    @classmethod
    def of(cls, body: bytes, service: str | None) -> Incoming:
        """Parse a message, and keep only its bytes: a parsed message takes many times its size."""
        message = parse(body, service=service)
        return cls(
            body=body,
            service=service,
            request_id=message.request_id,
            digest=_digest_of_event(message) or _digest(body, service),
            repeats_within=_repeats_within(message),
        )

    def repeats(self, latest: datetime | None, current: datetime) -> bool:
        """Return whether this repeats a message with the same digest. `latest` is when that was last received.

        Both times are the store's. The absolute difference counts, in case the store's clock was set back.
        """
        return latest is not None and abs(current - latest) <= self.repeats_within


def now() -> datetime:
    """Return the time for stores that use the machine's clock."""
    return datetime.now(UTC)


def _repeats_within(message: Message) -> timedelta:
    """Return the time within which a message with the same content counts as a repeat.

    A device may send the same SMS twice. The second message is a repeat only if the platform counts it as a further
    attempt, and it arrives in time. If it arrives later, it may be an attempt at another message whose first attempt
    was lost.
    """
    dated = isinstance(message, DiagnosticsMessage) and message.is_dated
    if message.request_id is not None and (dated or not isinstance(message, _MAY_RECUR)):
        return timedelta.max
    attempt = min(message.attempt or 1, _MOST_ATTEMPTS)
    return attempt * _INTERVAL if attempt > 1 else timedelta(-1)  # One interval of tolerance.


# All messages about a monitored or observed device share a request id. NIDD messages may, too (PROTOCOL.md 3.4).
# Unknown messages may be of any kind. A trigger may send the same alert again in the next cycle.
_MAY_RECUR: Final = (Alert, DiagnosticsMessage, NiddMessage, ReachabilityMessage, SmsReceived, UnknownMessage)

_NOT_COMPARED: Final = ("username", "password", "callbackcount")


def _digest_of_event(message: Message) -> str | None:
    """Return a hash of the id and the version of a streamed event. None for other messages, and without one of both.

    An event that two streams send, or that is sent again, is one event.
    """
    if not isinstance(message, EventMessage) or message.event.id is None or message.event.version_id is None:
        return None
    parts = [message.request_id, message.event.id, message.event.version_id]
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).hexdigest()


def _digest(body: bytes, service: str | None) -> str:
    try:
        fields: dict[str, Any] = orjson.loads(body)
        compared = {name: value for name, value in fields.items() if name.casefold() not in _NOT_COMPARED}
        canonical = orjson.dumps([service, compared], option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, TypeError):
        raise MessageUnreadable("a callback message must be JSON that is not nested too deeply") from None
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


Waiting: TypeAlias = deque[tuple[Incoming, asyncio.Future[bool]]]
"""Messages that wait to be stored, each with the future that its caller awaits."""


def next_batch(waiting: Waiting, most: int) -> list[tuple[Incoming, asyncio.Future[bool]]]:
    """Take messages from the queue, up to `most` and BYTES_AT_ONCE.

    Messages whose caller was cancelled are dropped. Otherwise the queue would grow while the store is unreachable.
    """
    batch: list[tuple[Incoming, asyncio.Future[bool]]] = []
    size = 0
    while waiting and len(batch) < most and size < BYTES_AT_ONCE:
        new, stored = waiting.popleft()
        if not stored.done():
            batch.append((new, stored))
            size += len(new.body)
    return batch
