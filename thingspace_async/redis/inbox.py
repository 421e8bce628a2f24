"""An inbox in Redis, which many machines share.

While one batch of messages is on its way, those that come gather, and the next batch takes them all: one round trip
serves many.
"""

from __future__ import annotations

import asyncio
import copy
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from redis.asyncio import RedisCluster

from thingspace_async._tasks import outlast
from thingspace_async.callbacks.inbox import PAGE, BaseInbox, Incoming, Received, Wanted, not_open
from thingspace_async.callbacks.messages import parse
from thingspace_async.errors import ConfigurationError, InboxUnavailable
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._messages import PAGE_OF_REQUEST, PAGE_OF_TIME, REMOVE, STORE
from thingspace_async.redis._scripts import Argument, Client, Script, text_of
from thingspace_async.redis._wakes import COMMAND, Trouble, Wakes, within
from thingspace_async.redis.ledger import RedisRuns

__all__ = ["RedisInbox"]

_STORED_AT_ONCE: Final = 128
_REMOVED_AT_ONCE: Final = 500
_LOOKED_AT_AT_ONCE: Final = 1000
"""Of which Redis does so many in one step: it does nothing else meanwhile, and that for a few milliseconds at most."""

_BYTES_AT_ONCE: Final = 4 * 1024 * 1024
"""Of messages that are sent in one direction, and one message more: a second is enough for them on a slow network."""

_REPLICAS_WITHIN: Final = 1000
"""Milliseconds for replicas to have a message."""


class RedisInbox(BaseInbox):
    """An inbox in Redis: what any process stores, any process reads, and who follows a request is told at once.

        async with RedisInbox(Redis.from_url("redis://localhost")) as inbox:
            async for received in inbox.read(service="CarrierService"):
                print(received.message.request_id, received.message.status)

    The client is a `redis.asyncio.Redis` or `RedisCluster` of the caller's, who closes it. Inboxes of the same prefix
    and name are one, and all its keys are in one slot. Opening sends nothing: a receiver starts while Redis is away,
    and answers 503 until it is back. Who follows a request bears with that for a minute, and misses nothing.

    What `store` and `record` have returned for is in the memory of Redis. Beyond that it is as safe as Redis keeps it:

    - without persistence, a restart of Redis loses everything;
    - snapshots (RDB) lose what came since the last one, minutes in its standard settings;
    - `appendonly yes` with `appendfsync everysec` loses up to two seconds in a power cut, nothing when only Redis ends;
    - `appendfsync always` loses nothing that the disk keeps, and makes each batch of messages wait for the disk;
    - a failover loses what the replica did not have yet, mostly some milliseconds. With `replicas=1` a message is
      acknowledged once so many replicas have it in memory (WAIT): it is lost only where a replica is promoted that was
      not among them, or all of them end before they have saved it. Too few within a second is InboxUnavailable, and
      the platform's next attempt at the message finds it kept, or keeps it.

    `maxmemory-policy` has to be `noeviction`: any other lets Redis drop messages. `keep` is the most messages to keep:
    beyond it the oldest go as others come. Needs Redis 6.2 or later. Raises ConfigurationError for what makes no sense.
    """

    def __init__(
        self,
        redis: Client,
        *,
        prefix: str = "thingspace",
        name: str = "inbox",
        keep: int | None = None,
        replicas: int = 0,
    ) -> None:
        super().__init__()
        if keep is not None and keep < 1:
            raise ConfigurationError("inbox: keep must be 1 at least, or None for all")
        if replicas < 0:
            raise ConfigurationError("inbox: replicas must not be negative")
        self._client: Any = redis  # Whose types leave open whether what it returns is to be awaited.
        self._keys = Keys(prefix, "inbox", name)
        self.runs: Final = RedisRuns(redis, self._keys)
        """Fleet runs that several processes divide."""
        self._name = name
        self._keep_most = keep or 0
        self._replicas = replicas
        self._wakes: Wakes | None = None
        self._waiting: deque[tuple[Incoming, asyncio.Future[bool]]] = deque()
        self._storing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self._name!r})"

    @property
    def is_open(self) -> bool:
        """Whether messages can be stored and read."""
        return self._wakes is not None

    async def open(self) -> None:
        """Open the inbox; nothing is sent to Redis yet."""
        if self._wakes is not None:
            raise InboxUnavailable(f"{self._what} is open already: open it once")
        self._wakes = Wakes(self._client, self._keys, self._followers, self._what)

    async def close(self) -> None:
        """Store what was begun; who follows a request gets InboxUnavailable. The client stays open."""
        wakes, self._wakes = self._wakes, None
        if wakes is None:
            return
        try:
            if self._storing is not None:
                await outlast(self._storing)
        finally:
            self._followers.wake_all()
            await wakes.close()

    async def follow(self, request_id: str) -> AsyncGenerator[Received]:
        """Iterate over what is kept for a request and over what comes; see `Inbox.follow`."""
        newest, trouble = 0, Trouble()
        while True:
            try:
                async with self._opened.following(request_id), aclosing(super().follow(request_id)) as coming:
                    async for received in coming:
                        if received.number > newest:  # It begins anew when Redis was away.
                            newest = received.number
                            yield received
            except InboxUnavailable:
                if trouble.lasts() or not self._opened.answered:
                    raise
                await self._opened.back()

    async def record(self, run: str, entries: Mapping[str, str]) -> None:
        """Note something for a run; see `Inbox.record`."""
        async with self._asking():
            if entries:
                await self._client.hset(self._keys("noted", run), mapping=dict(entries))

    async def recorded(self, run: str) -> dict[str, str]:
        """Return all that was noted for a run."""
        found: dict[str, str] = {}
        cursor = None
        while cursor != 0:  # In steps: a run may have noted more than can be read within a second.
            async with self._asking():
                cursor, some = await self._client.hscan(self._keys("noted", run), cursor or 0, count=100)
            found |= {text_of(key): text_of(value) for key, value in some.items()}
        return found

    async def _forget(self, run: str) -> None:
        opened = self._opened
        await self.runs.forget(run)  # First, as it refuses a run that is under way.
        async with opened.asking():
            await self._client.unlink(self._keys("noted", run))

    @property
    def _what(self) -> str:
        return f"the inbox {self._name} in Redis"

    @property
    def _opened(self) -> Wakes:
        if self._wakes is None:
            raise not_open(self._what)
        return self._wakes

    def _asking(self) -> AbstractAsyncContextManager[None]:
        """Make the block in which an open inbox asks Redis for something."""
        return self._opened.asking()

    async def _run(self, script: Script, names: Sequence[str], args: Sequence[Argument]) -> Any:
        async with self._asking():
            return await script(self._client, [self._keys(name) for name in names], args)

    async def _keep(self, new: Incoming) -> bool:
        if not self.is_open:
            raise not_open(self._what)
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((new, stored))
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_waiting(), name=f"storing in {self._what}")
        return await stored

    async def _store_waiting(self) -> None:
        """Store messages until none wait, and tell those who wait for that."""
        while batch := self._next_batch():
            (answer,) = await asyncio.gather(self._insert([new for new, _ in batch]), return_exceptions=True)
            if isinstance(answer, BaseException) and not self.is_open:
                batch += self._waiting  # Closing does not wait for Redis to fail at these, too.
                self._waiting.clear()
            for place, (_, stored) in enumerate(batch):
                if stored.done():  # Cancelled.
                    continue
                if isinstance(answer, BaseException):
                    stored.set_exception(copy.copy(answer))
                else:
                    stored.set_result(answer[place])

    def _next_batch(self) -> list[tuple[Incoming, asyncio.Future[bool]]]:
        """Take as much of what waits as is stored at once.

        What its sender has given up is dropped: while Redis does not answer, nothing else would make an end of it.
        """
        batch: list[tuple[Incoming, asyncio.Future[bool]]] = []
        size = 0
        while self._waiting and len(batch) < _STORED_AT_ONCE and size < _BYTES_AT_ONCE:
            new, stored = self._waiting.popleft()
            if not stored.done():
                batch.append((new, stored))
                size += len(new.body)
        return batch

    async def _insert(self, news: Sequence[Incoming]) -> list[bool]:
        """Store messages in one step, and say of each whether it was new."""
        names = ("messages", "times", "digests", "newest", f"answer:{secrets.token_hex(8)}")
        keys = [self._keys(name) for name in names]
        args: list[Argument] = [self._keys(""), self._keep_most]
        for new in news:
            args += [bytes.fromhex(new.digest), _marked(new.service), _marked(new.message.request_id)]
            args += [_micros(new.received_at), new.repeats_within // _MICRO, new.body]
        if self._replicas:
            answer = await self._insert_confirmed(keys, args)
        else:
            async with within(self._what):
                answer = await STORE(self._client, keys, args)
        return [outcome == "1" for outcome in text_of(answer)]

    async def _insert_confirmed(self, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Store, and wait for replicas: on the same connection, as WAIT knows of no other's writes."""
        client, node = self._client, {}
        async with within(self._what, COMMAND + _REPLICAS_WITHIN / 1000):
            if isinstance(client, RedisCluster):
                await client.initialize()
                node = {"target_nodes": client.get_node_from_key(keys[0])}
            # Not by its digest: a server that does not know the script would have nothing to wait for.
            pipeline: Any = client.pipeline(transaction=False)
            pipeline.execute_command("EVAL", STORE.text, len(keys), *keys, *args)
            pipeline.execute_command("WAIT", self._replicas, _REPLICAS_WITHIN, **node)
            answer, confirmed = await pipeline.execute()
        if confirmed < self._replicas:
            raise InboxUnavailable(
                f"{self._what} failed: {confirmed} of {self._replicas} replicas have the message: see that they run, "
                "or ask for fewer"
            )
        return answer

    async def _page(self, wanted: Wanted, last: Received | None) -> list[Received]:
        if wanted.request_id is None:
            return await self._page_by_time(wanted, last)
        found: list[Received] = []
        names, behind = ("messages", f"request:{wanted.request_id}"), "0" if last is None else str(last.number)
        while behind and len(found) < PAGE:
            number, *rows = await self._run(PAGE_OF_REQUEST, names, [behind, PAGE, _BYTES_AT_ONCE])
            behind = text_of(number)
            found += [one for one in _read(rows) if wanted.has(one)]
        return found[:PAGE]

    async def _page_by_time(self, wanted: Wanted, last: Received | None) -> list[Received]:
        found: list[Received] = []
        since, behind = "0" if wanted.since is None else str(_micros(wanted.since)), ""
        if last is not None:
            since, behind = str(_micros(last.received_at)), f"{last.number}{_marked(last.service)}"
        until = _ENDLESS if wanted.until is None else _micros(wanted.until)
        while since and len(found) < PAGE:
            limits = [PAGE - len(found), _LOOKED_AT_AT_ONCE, _BYTES_AT_ONCE]
            args: list[Argument] = [since, behind, until, _marked(wanted.service), *limits]
            came, name, *rows = await self._run(PAGE_OF_TIME, ("messages", "times"), args)
            since, behind = text_of(came), text_of(name)
            found += _read(rows)
        return found

    async def _remove(self, before: datetime) -> int:
        removed = 0
        while True:  # In steps, for messages are stored in between.
            args: list[Argument] = [self._keys(""), _micros(before), _REMOVED_AT_ONCE]
            step: int = await self._run(REMOVE, ("messages", "times", "digests"), args)
            removed += step
            if step < _REMOVED_AT_ONCE:
                return removed


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
_ENDLESS: Final = 1 << 60
"""Microseconds behind all times."""


def _micros(when: datetime) -> int:
    return (when - _EPOCH) // _MICRO


def _marked(name: str | None) -> str:
    """Tell what is empty from what is not there."""
    return "" if name is None else f":{name}"


def _read(rows: Sequence[Any]) -> list[Received]:
    found: list[Received] = []
    for number, came, service, body in zip(rows[::4], rows[1::4], rows[2::4], rows[3::4], strict=True):
        name = text_of(service)[1:] if service else None
        found.append(
            Received(
                message=parse(body, service=name),
                service=name,
                received_at=_EPOCH + int(came) * _MICRO,
                number=int(number),
            )
        )
    return found
