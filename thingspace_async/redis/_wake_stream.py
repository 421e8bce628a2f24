"""How the followers of one process learn that another process has stored a message."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from thingspace_async.callbacks.inbox import Followers
from thingspace_async.callbacks.waking import Waker
from thingspace_async.errors import InboxUnavailable
from thingspace_async.redis._faults import inbox_errors
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._messages import REGISTER, RENEW
from thingspace_async.redis._scripts import Argument, Client, longest_block, text_of

__all__ = ["WakeStream"]

_BLOCK: Final = 3.0
"""Longest blocking read, in seconds. A client with a short `socket_timeout` gets shorter reads."""

_PROCESS_EXPIRES: Final = 30
"""Life of a process's stream, in seconds. It is renewed while the process is alive."""

_FOLLOWER_EXPIRES: Final = 300
"""Life of a registration, in seconds. It is renewed while the process follows the request."""

_REGISTER_INTERVAL: Final = 60.0
"""Seconds between registrations of all followed requests."""

_CONCURRENT_CALLS: Final = 16
"""Calls in progress at once. Each takes a connection, and thousands of followers may start or wake together."""

_AT_ONCE: Final = 1000
"""Entries per read. Redis keeps about as many, so after a full read some may be missing."""

_BEGINNING: Final = "0-0"
_FIRST_ENTRY: Final = ""
"""The request id in the first entry of a new stream."""


class WakeStream(Waker):
    """The Redis stream of one process. Others add a request to it when they store a message for it.

    They add only requests that this process follows.
    """

    def __init__(self, client: Client, keys: Keys, followers: Followers, label: str) -> None:
        super().__init__(followers, label, "Redis")
        self._process: Final = secrets.token_hex(8)
        self._client = client
        self._start = keys("")
        self._key = keys("wake", self._process)
        self._followed: Counter[str] = Counter()
        self._has_answered = False
        self.free_calls: Final = asyncio.Semaphore(_CONCURRENT_CALLS)
        self._block = longest_block(client, _BLOCK)

    @property
    def has_answered(self) -> bool:
        """Whether Redis has ever registered a request."""
        return self._has_answered

    @asynccontextmanager
    async def calling(self) -> AsyncGenerator[None]:
        """Wait for a free call, then run the block as `inbox_errors` does."""
        async with self.free_calls, inbox_errors(self.label):
            yield

    @asynccontextmanager
    async def registered(self, request_id: str) -> AsyncGenerator[None]:
        """Have the followers of a request woken during the block; raises InboxUnavailable.

        Redis keeps the registration until it expires: a superfluous wake-up does no harm.
        """
        self._followed[request_id] += 1
        try:
            self.start()
            await self._register([request_id])
            yield
        finally:
            self._followed[request_id] -= 1
            if not self._followed[request_id]:
                del self._followed[request_id]

    async def close(self) -> None:
        """End the task and delete the stream."""
        was_started = self._task is not None
        await super().close()
        if was_started:
            with suppress(InboxUnavailable):
                async with inbox_errors(self.label):
                    await self._client.delete(self._key)

    async def _listen(self) -> None:
        """Register all followed requests and wake their followers. Returns when Redis has forgotten this process."""
        clock = asyncio.get_running_loop().time
        await self._register(list(self._followed))
        self._note_reachable()
        last, renewed, registered = _BEGINNING, clock(), clock()
        while True:
            entries = await self._entries(last)
            if entries:
                requests = [text_of(next(iter(fields.values()))) for _, fields in entries]
                if _FIRST_ENTRY in requests and last != _BEGINNING:
                    return  # A new follower has recreated the stream: Redis had lost it, and perhaps all registrations.
                last = text_of(entries[-1][0])
                self._followers.wake(requests)
            if len(entries) == _AT_ONCE:
                self._followers.wake_all()
            self._end_round()
            if clock() - registered > _REGISTER_INTERVAL:  # A failover may have lost some registrations.
                registered = clock()
                await self._register(list(self._followed))
            if clock() - renewed >= min(_BLOCK, self._block):
                renewed = clock()
                async with inbox_errors(self.label):
                    if not await RENEW(self._client, [self._key], [_PROCESS_EXPIRES, last]):
                        return

    async def _entries(self, last: str) -> list[Any]:
        """Return the entries after `last`; wait for some if there are none."""
        async with inbox_errors(self.label, self._block):
            found: Any = await self._client.xread({self._key: last}, count=_AT_ONCE, block=int(self._block * 1000))
        # Pairs of a stream's name and its entries, or a dict. With RESP3, redis-py 7 wraps the entries in another list.
        entries: list[Any] = next(iter(dict(found).values()), [])
        return entries[0] if entries and isinstance(entries[0], list) else entries

    async def _register(self, requests: list[str]) -> None:
        """Register followed requests, and wake the followers of those that Redis did not know."""
        for start in range(0, max(len(requests), 1), _AT_ONCE):
            some = requests[start : start + _AT_ONCE]
            async with self.calling():
                args: list[Argument] = [self._start, self._process, _PROCESS_EXPIRES, _FOLLOWER_EXPIRES, *some]
                added = await REGISTER(self._client, [self._key], args)
            self._has_answered = True
            self._followers.wake(map(text_of, added))
