"""Inboxes: where the platform's messages are kept until somebody reads them, and for as long as one likes."""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, Self

import attrs
import orjson

from thingspace_async import _checks
from thingspace_async._outcomes import runs_under_way, under_way
from thingspace_async.callbacks.messages import (
    DiagnosticsMessage,
    Message,
    NiddMessage,
    ReachabilityMessage,
    SmsReceived,
    UnknownMessage,
    parse,
)
from thingspace_async.errors import InboxUnavailable, MessageUnreadable

__all__ = ["Inbox", "MemoryInbox", "Received"]


@attrs.frozen(kw_only=True)
class Received:
    """A message that is kept in an inbox."""

    message: Message
    service: str | None = None
    """The service that sent it, where its URL told."""
    received_at: datetime
    """When it was stored, in UTC."""
    number: int
    """Later messages of an inbox have greater ones."""


class Inbox(Protocol):
    """Keeps messages, and gives them to whoever reads or follows; any object that has these methods is one.

    Open while `async with` lasts. What cannot be done raises InboxUnavailable, which says what to do about it.
    """

    @property
    def is_open(self) -> bool:
        """Whether messages can be stored and read."""
        ...

    async def open(self) -> None:
        """Open the inbox, as `async with` does."""
        ...

    async def close(self) -> None:
        """Finish what was begun, and let go of all resources; who follows a request gets InboxUnavailable."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exception: object) -> None: ...

    async def store(self, body: bytes, *, service: str | None = None) -> bool:
        """Keep a message, the JSON of it without username and password; once this returns, it is kept.

        False for another attempt at a message that is kept already: of the same service, and with the same in it but
        for `callbackCount`. What may well be told again in the same words, such as that a device can be reached, has
        to be counted as a second attempt at least. Raises MessageUnreadable for what is no JSON object.
        """
        ...

    def read(
        self,
        *,
        request_id: str | None = None,
        service: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> AsyncIterator[Received]:
        """Iterate over what is kept, oldest first; from `since` on, and before `until`."""
        ...

    def follow(self, request_id: str) -> AsyncGenerator[Received]:
        """Iterate over what is kept for a request, and then over what comes, without an end.

        All that follow a request get all of its messages, each once.
        """
        ...

    async def prune(self, older_than: timedelta) -> int:
        """Remove the messages that were received longer ago than this, and return how many; runs are left alone.

        The repeat of a message that was removed is a new one: the platform goes on sending for 15 minutes.
        """
        ...

    async def record(self, run: str, entries: Mapping[str, str]) -> None:
        """Note something by its key for a run, all of it or nothing; what a key had before is replaced."""
        ...

    async def recorded(self, run: str) -> dict[str, str]:
        """Return all that was noted for a run."""
        ...

    async def forget_run(self, run: str) -> None:
        """Remove what was noted for a run: the next fleet run of its name begins anew, and sends all its devices.

        Nothing else removes it. Raises InvalidRequest while the run is under way, as far as this inbox knows: of a run
        in a file, not that another process carries it out.
        """
        ...


PAGE: Final = 100
"""Messages that are read at once."""

_INTERVAL: Final = timedelta(minutes=5)
_MOST_ATTEMPTS: Final = 4
"""How often the platform sends a message, and how far apart (protocol.md 3.3)."""


@attrs.frozen(kw_only=True)
class Incoming:
    """A message that is to be stored."""

    message: Message
    body: bytes
    service: str | None
    received_at: datetime
    digest: str
    """The same for all attempts at one message."""

    @classmethod
    def of(cls, body: bytes, service: str | None) -> Incoming:
        """Read what has come."""
        message = parse(body, service=service)
        return cls(message=message, body=body, service=service, received_at=_now(), digest=_digest(body, service))

    @property
    def repeats_within(self) -> timedelta:
        """How soon after the last message with its digest this is another attempt at that one.

        What nobody asked for, such as an SMS from a device, may well be said twice in the same words: it is another
        attempt only where the platform counts it as one, and so soon that it cannot be one at a later message, whose
        first attempt did not get here.
        """
        if self.message.request_id is not None and not isinstance(self.message, _TOLD_AGAIN):
            return timedelta.max
        attempt = min(self.message.attempt or 1, _MOST_ATTEMPTS)
        return attempt * _INTERVAL if attempt > 1 else timedelta.min  # One interval more than it takes.

    def repeats(self, latest: datetime | None) -> bool:
        """Say whether this is another attempt at the message with the same digest that was last received then."""
        return latest is not None and self.received_at - latest <= self.repeats_within


def _now() -> datetime:
    return datetime.now(UTC)


# What is watched has one request id for all that is told of it; whether NIDD has, too, is not documented (protocol.md
# 3.4), and of what is of no known kind nothing is.
_TOLD_AGAIN: Final = (DiagnosticsMessage, NiddMessage, ReachabilityMessage, SmsReceived, UnknownMessage)

_NOT_COMPARED: Final = ("username", "password", "callbackcount")


def _digest(body: bytes, service: str | None) -> str:
    try:
        fields: dict[str, Any] = orjson.loads(body)
        compared = {name: value for name, value in fields.items() if name.casefold() not in _NOT_COMPARED}
        canonical = orjson.dumps([service, compared], option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, TypeError):
        raise MessageUnreadable("a callback message must be JSON, and not be nested too deeply") from None
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


@attrs.frozen(kw_only=True)
class Wanted:
    """What is to be read."""

    request_id: str | None = None
    service: str | None = None
    since: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    until: datetime | None = attrs.field(default=None, validator=_checks.zoned)

    def has(self, found: Received) -> bool:
        """Say whether a message is of the service and the time that are wanted."""
        return (
            (self.service is None or found.service == self.service)
            and (self.since is None or found.received_at >= self.since)
            and (self.until is None or found.received_at < self.until)
        )


class Followers:
    """Those who wait for messages, by the request that they follow."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    def join(self, request_id: str) -> asyncio.Future[None]:
        """Return what is done once messages of a request have come; `leave` afterwards."""
        woken = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(request_id, []).append(woken)
        return woken

    def leave(self, request_id: str, woken: asyncio.Future[None]) -> None:
        """Wait no more."""
        waiting = self._waiting.get(request_id, [])
        if woken in waiting:
            waiting.remove(woken)
            if not waiting:
                del self._waiting[request_id]

    def wake(self, request_ids: Iterable[str | None]) -> None:
        """Tell those who follow one of these requests to look."""
        for request_id in request_ids:
            for woken in self._waiting.pop(request_id, ()) if request_id is not None else ():
                if not woken.done():  # Cancelled, and not yet gone.
                    woken.set_result(None)

    def wake_all(self) -> None:
        """Tell all to look."""
        self.wake(tuple(self._waiting))


class BaseInbox(ABC):
    """What inboxes share: the reading of what comes, and iteration over what is kept, page by page."""

    def __init__(self) -> None:
        self._followers = Followers()

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether messages can be stored and read."""

    @abstractmethod
    async def open(self) -> None:
        """Open the inbox, as `async with` does."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what was begun, and let go of all resources; who follows a request gets InboxUnavailable."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def store(self, body: bytes, *, service: str | None = None) -> bool:
        """Keep a message; see `Inbox.store`."""
        return await self._keep(Incoming.of(body, service))

    async def read(
        self,
        *,
        request_id: str | None = None,
        service: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> AsyncGenerator[Received]:
        """Iterate over what is kept, oldest first; see `Inbox.read`."""
        wanted = Wanted(request_id=request_id, service=service, since=since, until=until)
        last, is_more = None, True
        while is_more:
            page = await self._page(wanted, last)
            for last in page:
                yield last
            is_more = len(page) == PAGE

    async def follow(self, request_id: str) -> AsyncGenerator[Received]:
        """Iterate over what is kept for a request and over what comes; see `Inbox.follow`."""
        wanted, last = Wanted(request_id=request_id), None
        while True:
            woken = self._followers.join(request_id)  # Before reading: a message that comes meanwhile wakes, too.
            try:
                page = await self._page(wanted, last)
                for last in page:
                    yield last
                if len(page) < PAGE:
                    await woken
            finally:
                self._followers.leave(request_id, woken)

    async def prune(self, older_than: timedelta) -> int:
        """Remove old messages; see `Inbox.prune`."""
        return await self._remove(_now() - older_than)

    @abstractmethod
    async def record(self, run: str, entries: Mapping[str, str]) -> None:
        """Note something for a run; see `Inbox.record`."""

    @abstractmethod
    async def recorded(self, run: str) -> dict[str, str]:
        """Return all that was noted for a run."""

    async def forget_run(self, run: str) -> None:
        """Remove what was noted for a run; see `Inbox.forget_run`."""
        if (id(self), run) in runs_under_way:
            raise under_way(run)
        await self._forget(run)

    @abstractmethod
    async def _forget(self, run: str) -> None:
        """Remove what was noted for a run that this process does not carry out."""

    @abstractmethod
    async def _keep(self, new: Incoming) -> bool:
        """Store a message unless it is a repeat."""

    @abstractmethod
    async def _page(self, wanted: Wanted, last: Received | None) -> list[Received]:
        """Return up to PAGE messages behind the last, by number for a request and else by time."""

    @abstractmethod
    async def _remove(self, before: datetime) -> int:
        """Remove what was received before."""


def not_open(what: str) -> InboxUnavailable:
    """Make the error for an inbox that is used too early or too late."""
    return InboxUnavailable(f"{what} is not open: use it inside of `async with`, or between open() and close()")


def _by_number(found: Received) -> tuple[Any, ...]:
    return (found.number,)


def _by_time(found: Received) -> tuple[Any, ...]:
    return found.received_at, found.number


@attrs.define
class _Contents:
    """What a memory inbox holds while it is open."""

    by_time: list[Received] = attrs.field(factory=list[Received])
    by_request: defaultdict[str, list[Received]] = attrs.field(factory=lambda: defaultdict[str, list[Received]](list))
    latest: dict[str, datetime] = attrs.field(factory=dict[str, datetime])
    """When a message of a digest was last received."""
    runs: defaultdict[str, dict[str, str]] = attrs.field(factory=lambda: defaultdict[str, dict[str, str]](dict))
    newest: int = 0

    def prune(self, before: datetime) -> int:
        old = bisect_right(self.by_time, (before,), key=_by_time)
        del self.by_time[:old]
        for request_id, found in list(self.by_request.items()):
            kept = [one for one in found if one.received_at >= before]
            if kept:
                self.by_request[request_id] = kept
            else:
                del self.by_request[request_id]
        self.latest = {digest: latest for digest, latest in self.latest.items() if latest >= before}
        return old


class MemoryInbox(BaseInbox):
    """An inbox in memory: it is empty when it opens, and what it holds is lost when it closes or the process ends.

    For tests, and for those who can do without the messages: a message that is lost after the platform's call was
    answered is not sent again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: _Contents | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages can be stored and read."""
        return self._held is not None

    async def open(self) -> None:
        """Open the inbox, empty."""
        if self._held is not None:
            raise InboxUnavailable("the inbox in memory is open already: open it once")
        self._held = _Contents()

    async def close(self) -> None:
        """Forget everything; who follows a request gets InboxUnavailable."""
        self._held = None
        self._followers.wake_all()

    @property
    def _contents(self) -> _Contents:
        if self._held is None:
            raise not_open("the inbox in memory")
        return self._held

    async def _keep(self, new: Incoming) -> bool:
        held = self._contents
        if new.repeats(held.latest.get(new.digest)):
            return False
        held.latest[new.digest] = new.received_at
        held.newest += 1
        kept = Received(message=new.message, service=new.service, received_at=new.received_at, number=held.newest)
        insort(held.by_time, kept, key=_by_time)  # The clock may have been set back.
        if new.message.request_id is not None:
            held.by_request[new.message.request_id].append(kept)
        self._followers.wake([new.message.request_id])
        return True

    async def _page(self, wanted: Wanted, last: Received | None) -> list[Received]:
        held, key = self._contents.by_time, _by_time
        if wanted.request_id is not None:
            held, key = self._contents.by_request.get(wanted.request_id, []), _by_number
        return _some(held, wanted, 0 if last is None else bisect_right(held, key(last), key=key))

    async def _remove(self, before: datetime) -> int:
        return self._contents.prune(before)

    async def record(self, run: str, entries: Mapping[str, str]) -> None:
        """Note something for a run; see `Inbox.record`."""
        self._contents.runs[run].update(entries)

    async def recorded(self, run: str) -> dict[str, str]:
        """Return all that was noted for a run."""
        return dict(self._contents.runs.get(run, {}))

    async def _forget(self, run: str) -> None:
        self._contents.runs.pop(run, None)


def _some(held: list[Received], wanted: Wanted, start: int) -> list[Received]:
    """Return up to PAGE messages that are wanted, from a place on."""
    found: list[Received] = []
    for place in range(start, len(held)):
        if wanted.has(held[place]):
            found.append(held[place])
            if len(found) == PAGE:
                break
    return found
