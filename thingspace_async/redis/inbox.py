"""An inbox in Redis, which many machines share."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Final

from thingspace_async._core.encryption import as_secrets
from thingspace_async._core.types import Secret
from thingspace_async.callbacks.inbox import PAGE, MessageQuery, Received
from thingspace_async.callbacks.incoming import BYTES_AT_ONCE, Incoming, parsed
from thingspace_async.callbacks.messages import parse
from thingspace_async.callbacks.served_inbox import ServedInbox
from thingspace_async.errors import ConfigurationError, InboxUnavailable
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._ledger import RedisLedger
from thingspace_async.redis._messages import KEEP_FIRST, PAGE_OF_REQUEST, PAGE_OF_TIME, REMOVE, STORE
from thingspace_async.redis._replicas import confirmed
from thingspace_async.redis._scripts import (
    MICROSECOND,
    Argument,
    Client,
    Script,
    microseconds_of,
    text_of,
    time_of,
)
from thingspace_async.redis._wake_stream import WakeStream

__all__ = ["RedisInbox"]

# Limits of one script call, so that it blocks Redis for a few milliseconds at most.
_REMOVED_AT_ONCE: Final = 500
_EXAMINED_AT_ONCE: Final = 1000

_END_OF_TIME: Final = 1 << 60
"""Microseconds since 1970 that no message reaches."""


class RedisInbox(ServedInbox[WakeStream]):
    """An inbox in Redis: every process reads what any process stores, and followers are woken at once.

        async with RedisInbox(Redis.from_url("redis://localhost")) as inbox:
            async for received in inbox.read(service="CarrierService"):
                print(received.message.request_id, received.message.status)

    `redis` is your `redis.asyncio.Redis` or `RedisCluster`, for Redis 6.2 or later; you close it. Inboxes with the same
    prefix and name are one. All keys of an inbox are in one slot. Opening sends nothing: if Redis is unreachable, a
    receiver starts all the same, and answers 503 until Redis is back. Followers wait up to a minute for Redis, and miss
    no message.

    Messages and fleet runs are as durable as Redis:

    - Without persistence, a restart of Redis loses everything.
    - Snapshots (RDB) lose the changes since the last snapshot: minutes, with the default settings.
    - `appendonly yes` with `appendfsync everysec` loses up to two seconds in a power cut, and nothing if only the Redis
      process dies.
    - `appendfsync always` loses nothing that the disk keeps. Each batch of messages waits for the disk.
    - A failover loses the changes that had not reached the replica, usually some milliseconds. With `replicas=1`, a
      message is acknowledged once a replica has it in memory (WAIT). It is lost only if another replica is promoted, or
      if all replicas that have it die before they save it. If too few confirm within a second, `store` raises
      InboxUnavailable; the platform then sends the message again, and it is kept once.

    Set `maxmemory-policy` to `noeviction`: other policies let Redis drop messages. `keep` is the number of messages to
    keep: new ones then replace the oldest. `encryption_keys`, as for `RedisStore`, encrypt the passwords of listeners,
    but never messages. Raises ConfigurationError for invalid options.
    """

    def __init__(
        self,
        redis: Client,
        *,
        prefix: str = "thingspace",
        name: str = "inbox",
        keep: int | None = None,
        replicas: int = 0,
        encryption_keys: Sequence[bytes | str] = (),
    ) -> None:
        # First of all, because a traceback may show the locals of this frame.
        keys, encryption_keys = as_secrets(encryption_keys), ()
        super().__init__(f"the inbox {name} in Redis", keys)
        if keep is not None and keep < 1:
            raise ConfigurationError("inbox: keep must be at least 1, or None to keep all messages")
        if replicas < 0:
            raise ConfigurationError("inbox: replicas must not be negative")
        self._client: Any = redis  # redis-py's annotations do not say which methods are coroutines.
        self._keys = Keys(prefix, "inbox", name)
        self._ledger = RedisLedger(redis, self._keys, lambda: self._open_waker, replicas=replicas)
        self._name = name
        self._keep_most = keep or 0
        self._replicas = replicas

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self._name!r})"

    @property
    def ledger(self) -> RedisLedger:
        """The fleet runs of this inbox."""
        return self._ledger

    async def open(self) -> None:
        """Open the inbox; sends nothing to Redis yet."""
        if self.is_open:
            raise InboxUnavailable(f"{self._label} is open already: open it once")
        self._waker = WakeStream(self._client, self._keys, self._followers, self._label)

    async def keep_first(self, name: str, value: Secret) -> Secret:
        """Keep a value unless there is one; see `Inbox.keep_first`."""
        async with self._open_waker.free_calls:
            args: list[Argument] = [name, self._cipher.encrypt(value)]
            return self._decrypted(text_of(await self._change(KEEP_FIRST, [self._keys("first")], args)))

    async def kept(self) -> dict[str, Secret]:
        """Return all values that `keep_first` has kept, by name."""
        async with self._open_waker.calling():
            found = await self._client.hgetall(self._keys("first"))
        return {text_of(name): self._decrypted(text_of(value)) for name, value in found.items()}

    def _registered(self, request_id: str) -> AbstractAsyncContextManager[None]:
        return self._open_waker.registered(request_id)

    async def _insert(self, messages: Sequence[Incoming]) -> list[bool]:
        names = ("messages", "times", "digests", "newest", f"answer:{secrets.token_hex(8)}")
        keys = [self._keys(name) for name in names]
        args: list[Argument] = [self._keys(""), self._keep_most]
        for new in messages:
            args += [bytes.fromhex(new.digest), _marked(new.service), _marked(new.request_id)]
            args += [new.repeats_within // MICROSECOND, new.body]
        return [outcome == "1" for outcome in text_of(await self._change(STORE, keys, args))]

    async def _run(self, script: Script, names: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script that needs no confirmation by replicas."""
        async with self._open_waker.calling():
            return await script(self._client, [self._keys(name) for name in names], args)

    async def _change(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script that stores something, and wait for replicas."""
        return await confirmed(self._client, script, keys, args, replicas=self._replicas, label=self._label)

    async def _page(self, query: MessageQuery, last: Received | None) -> list[Received]:
        if query.request_id is None:
            return await self._page_by_time(query, last)
        found: list[Received] = []
        names = ("messages", f"request:{query.request_id}", "newest")
        after = "0" if last is None else str(last.number)
        while after and len(found) < PAGE:
            number, *rows = await self._run(PAGE_OF_REQUEST, names, [after, PAGE, BYTES_AT_ONCE])
            after = text_of(number)
            found += [one for one in await _parsed(rows) if query.matches(one)]
        return found[:PAGE]

    async def _page_by_time(self, query: MessageQuery, last: Received | None) -> list[Received]:
        found: list[Received] = []
        since, after = "0" if query.since is None else str(microseconds_of(query.since)), ""
        if last is not None:
            since, after = str(microseconds_of(last.received_at)), f"{last.number}{_marked(last.service)}"
        until = _END_OF_TIME if query.until is None else microseconds_of(query.until)
        while since and len(found) < PAGE:
            limits = [PAGE - len(found), _EXAMINED_AT_ONCE, BYTES_AT_ONCE]
            args: list[Argument] = [since, after, until, _marked(query.service), *limits]
            time, name, *rows = await self._run(PAGE_OF_TIME, ("messages", "times"), args)
            since, after = text_of(time), text_of(name)
            found += await _parsed(rows)
        return found

    async def _remove(self, older_than: timedelta) -> int:
        removed = 0
        while True:  # In steps, so that messages can be stored in between.
            args: list[Argument] = [self._keys(""), older_than // MICROSECOND, _REMOVED_AT_ONCE]
            step: int = await self._run(REMOVE, ("messages", "times", "digests"), args)
            removed += step
            if step < _REMOVED_AT_ONCE:
                return removed


def _marked(name: str | None) -> str:
    """Distinguish an empty name from none."""
    return "" if name is None else f":{name}"


async def _parsed(rows: Sequence[Any]) -> list[Received]:
    return await parsed(sum(map(len, rows[3::4])), _received, rows)


def _received(rows: Sequence[Any]) -> list[Received]:
    found: list[Received] = []
    for number, time, service, body in zip(rows[::4], rows[1::4], rows[2::4], rows[3::4], strict=True):
        name = text_of(service)[1:] if service else None
        message = parse(body, service=name)
        found.append(Received(message=message, service=name, received_at=time_of(time), number=int(number)))
    return found
