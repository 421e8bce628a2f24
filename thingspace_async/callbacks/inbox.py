"""Inboxes store the platform's messages until they are read, and for as long as you want to keep them."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, Self

import attrs

from thingspace_async._core.checked import checked
from thingspace_async._core.ledgers.memory import MemoryLedger, MemoryRun
from thingspace_async._core.outcomes import ReadableInbox
from thingspace_async._core.types import Secret
from thingspace_async.callbacks.incoming import Incoming, now, parsed
from thingspace_async.callbacks.messages import Message, parse
from thingspace_async.errors import InboxUnavailable

__all__ = ["Inbox", "MemoryInbox", "Received"]


@attrs.frozen(kw_only=True)
class Received:
    """A message in an inbox."""

    message: Message
    service: str | None = None
    """The service that sent it, if its URL named one."""
    received_at: datetime
    """When it was stored, in UTC."""
    number: int
    """Greater than the numbers of all earlier messages in the inbox."""


class Inbox(ReadableInbox[Received], Protocol):
    """Stores messages and lets any number of readers read or follow them. Any object with these methods is an inbox.

    It is open during `async with`. Methods raise InboxUnavailable if the store fails; its text says what to do.
    """

    @abstractmethod
    async def open(self) -> None:
        """Open the inbox, as `async with` does."""

    @abstractmethod
    async def close(self) -> None:
        """Finish storing, and release all resources. Followers get InboxUnavailable."""

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(self, *exception: object) -> None: ...

    @abstractmethod
    async def store(self, body: bytes, *, service: str | None = None) -> bool:
        """Store a message: JSON, without the listener's username and password. It is durable once this returns.

        Returns False for a repeat of a stored message. A repeat comes from the same service and differs in
        `callbackCount` at most. Some messages may recur with the same content, such as the report that a device is
        reachable. They are repeats only if their `callbackCount` is at least 2. Raises MessageUnreadable if the body is
        not a JSON object.
        """

    @abstractmethod
    async def prune(self, older_than: timedelta) -> int:
        """Remove messages that were received longer ago than this, and return their number. Fleet runs are kept.

        If the platform repeats a removed message, it is stored as a new one. The platform repeats for 15 minutes. The
        store's clock decides: a process with a wrong clock removes nothing too early.
        """

    @abstractmethod
    async def keep_first(self, name: str, value: Secret) -> Secret:
        """Store a value under a name unless the name has one, and return the stored value.

        Processes that call this at the same moment all get the same value. Values are never removed. `session.listen`
        stores each listener's username and password this way.
        """

    @abstractmethod
    async def kept(self) -> Mapping[str, Secret]:
        """Return all values that `keep_first` has stored, by name."""

    @abstractmethod
    async def forget_run(self, run: str) -> None:
        """Remove the state of a fleet run. The next run of that name starts from the beginning and sends all devices.

        Nothing else removes it. Raises InvalidRequest while a worker of the run is alive in any process.
        """


PAGE: Final = 100
"""Messages per read."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class MessageQuery:
    """A selection of messages."""

    request_id: str | None = None
    service: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, found: Received) -> bool:
        """Return whether a message fits the service and the time. The request id is not checked."""
        return (
            (self.service is None or found.service == self.service)
            and (self.since is None or found.received_at >= self.since)
            and (self.until is None or found.received_at < self.until)
        )


class Followers:
    """The tasks that wait for messages, by request id."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    def join(self, request_id: str) -> asyncio.Future[None]:
        """Return a future that is done once messages of a request have arrived. Call `leave` afterwards."""
        woken = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(request_id, []).append(woken)
        return woken

    def leave(self, request_id: str, woken: asyncio.Future[None]) -> None:
        """Stop waiting."""
        waiting = self._waiting.get(request_id, [])
        if woken in waiting:
            waiting.remove(woken)
            if not waiting:
                del self._waiting[request_id]

    def wake(self, request_ids: Iterable[str | None]) -> None:
        """Wake the followers of these requests, so that they read again."""
        for request_id in request_ids:
            for woken in self._waiting.pop(request_id, ()) if request_id is not None else ():
                if not woken.done():  # It may be cancelled, and not have called `leave` yet.
                    woken.set_result(None)

    def wake_all(self) -> None:
        """Wake all followers."""
        self.wake(tuple(self._waiting))


class BaseInbox(Inbox):
    """Base class of inboxes: parses incoming messages, and iterates over stored ones page by page."""

    def __init__(self) -> None:
        self._followers = Followers()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def store(self, body: bytes, *, service: str | None = None) -> bool:
        """Store a message; see `Inbox.store`."""
        return await self._keep(await parsed(len(body), Incoming.of, body, service))

    async def read(
        self,
        *,
        request_id: str | None = None,
        service: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: Received | None = None,
    ) -> AsyncGenerator[Received]:
        """Iterate over stored messages, oldest first; see `Inbox.read`."""
        query = MessageQuery(request_id=request_id, service=service, since=since, until=until)
        last, is_more = after, True
        while is_more:
            page = await self._page(query, last)
            for last in page:
                yield last
            is_more = len(page) == PAGE

    async def follow(self, request_id: str) -> AsyncGenerator[Received]:
        """Iterate over the messages of a request, stored and new; see `Inbox.follow`."""
        query, last = MessageQuery(request_id=request_id), None
        while True:
            woken = self._followers.join(request_id)  # Before reading: a message may arrive in between.
            try:
                page = await self._page(query, last)
                for last in page:
                    yield last
                if len(page) < PAGE:
                    await woken
            finally:
                self._followers.leave(request_id, woken)

    async def prune(self, older_than: timedelta) -> int:
        """Remove old messages; see `Inbox.prune`."""
        return await self._remove(older_than)

    async def forget_run(self, run: str) -> None:
        """Remove the state of a fleet run; see `Inbox.forget_run`."""
        await self.ledger.forget(run)

    @abstractmethod
    async def _keep(self, new: Incoming) -> bool:
        """Store a message unless it is a repeat."""

    @abstractmethod
    async def _page(self, query: MessageQuery, last: Received | None) -> list[Received]:
        """Return up to PAGE messages after the last one: ordered by number for a request, otherwise by time."""

    @abstractmethod
    async def _remove(self, older_than: timedelta) -> int:
        """Remove messages that were received longer ago than this by the store's clock. Return their number."""


def not_open(label: str) -> InboxUnavailable:
    """Make the error for using an inbox before it is opened or after it is closed."""
    return InboxUnavailable(f"{label} is not open: use it inside `async with`, or between open() and close()")


def stored_message(number: int, service: str | None, received_at: datetime, body: bytes | str) -> Received:
    """Parse a message that a store returns."""
    message = parse(body, service=service)
    return Received(message=message, service=service, received_at=received_at, number=number)


def _by_number(found: Received) -> tuple[Any, ...]:
    return (found.number,)


def _by_time(found: Received) -> tuple[Any, ...]:
    return found.received_at, found.number


@attrs.define
class _Contents:
    """The contents of a memory inbox while it is open."""

    by_time: list[Received] = attrs.field(factory=list[Received])
    by_request: defaultdict[str, list[Received]] = attrs.field(factory=lambda: defaultdict[str, list[Received]](list))
    latest: dict[str, datetime] = attrs.field(factory=dict[str, datetime])
    """By digest, when a message was last received."""
    first: dict[str, Secret] = attrs.field(factory=dict[str, Secret])
    kept_runs: dict[str, MemoryRun] = attrs.field(factory=dict[str, MemoryRun])
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
    """An inbox in memory. It is empty when it opens, and its contents are lost when it closes or the process ends.

    Use it for tests, or if you can afford to lose messages: the platform does not repeat a message that was
    acknowledged.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: _Contents | None = None
        self._ledger = MemoryLedger(lambda: self._contents.kept_runs)

    @property
    def is_open(self) -> bool:
        """Whether messages can be stored and read."""
        return self._held is not None

    @property
    def ledger(self) -> MemoryLedger:
        """The state of fleet runs."""
        return self._ledger

    async def open(self) -> None:
        """Open an empty inbox."""
        if self._held is not None:
            raise InboxUnavailable("the inbox in memory is open already: open it once")
        self._held = _Contents()

    async def close(self) -> None:
        """Discard all contents. Followers get InboxUnavailable."""
        self._held = None
        self._followers.wake_all()

    @property
    def _contents(self) -> _Contents:
        if self._held is None:
            raise not_open("the inbox in memory")
        return self._held

    async def _keep(self, new: Incoming) -> bool:
        message = await parsed(len(new.body), parse, new.body, service=new.service)
        held, received_at = self._contents, now()
        if new.repeats(held.latest.get(new.digest), received_at):
            return False
        held.latest[new.digest] = received_at
        held.newest += 1
        kept = Received(message=message, service=new.service, received_at=received_at, number=held.newest)
        insort(held.by_time, kept, key=_by_time)  # The clock may have been set back.
        if new.request_id is not None:
            held.by_request[new.request_id].append(kept)
        self._followers.wake([new.request_id])
        return True

    async def _page(self, query: MessageQuery, last: Received | None) -> list[Received]:
        held, key = self._contents.by_time, _by_time
        if query.request_id is not None:
            held, key = self._contents.by_request.get(query.request_id, []), _by_number
        return _matching(held, query, 0 if last is None else bisect_right(held, key(last), key=key))

    async def _remove(self, older_than: timedelta) -> int:
        return self._contents.prune(now() - older_than)

    async def keep_first(self, name: str, value: Secret) -> Secret:
        """Store a value unless there is one; see `Inbox.keep_first`."""
        return self._contents.first.setdefault(name, value)

    async def kept(self) -> dict[str, Secret]:
        """Return all values that `keep_first` has stored, by name."""
        return dict(self._contents.first)


def _matching(held: list[Received], query: MessageQuery, start: int) -> list[Received]:
    """Return up to PAGE messages that match, from a position on."""
    found: list[Received] = []
    for place in range(start, len(held)):
        if query.matches(held[place]):
            found.append(held[place])
            if len(found) == PAGE:
                break
    return found
