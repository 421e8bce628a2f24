"""How those who follow requests hear of what other processes store."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from thingspace_async._tasks import cancellable, end
from thingspace_async.callbacks.inbox import Followers
from thingspace_async.errors import InboxUnavailable
from thingspace_async.redis._faults import FAULTS, unavailable
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._messages import KEEP_UP, REGISTER
from thingspace_async.redis._scripts import Client, longest_block, text_of

__all__ = ["COMMAND", "Trouble", "Wakes", "within"]

COMMAND: Final = 1.0
"""Seconds for Redis to answer."""

_BLOCK: Final = 3.0
"""Seconds of waiting for word at once, unless the client gives up sooner."""

_DEAD: Final = 30
"""Seconds without a sign of life after which nobody tells a process anything."""

_KNOWN: Final = 300
"""Seconds for which a process is known to follow a request, and a multiple of those after which it says so again."""
_AGAIN: Final = 60.0

_ASKED_AT_ONCE: Final = 16
"""Each takes a connection, and thousands of followers may begin or be woken together."""

_AT_ONCE: Final = 1000
"""Entries read at once, and the most that Redis keeps: where there are so many, some may have been dropped."""

_BEGINNING: Final = "0-0"
_BEGUN: Final = ""
"""Behind what a stream is read from its beginning, and what its first entry holds in place of a request."""

_PAUSE: Final = 1.0
_PATIENCE: Final = 60.0
"""Seconds between tries when Redis is away, and seconds that a follower bears with it: a failover takes less."""

_log: Final = logging.getLogger("thingspace_async")


@asynccontextmanager
async def within(what: str, seconds: float = COMMAND) -> AsyncGenerator[None]:
    """Limit the time for what Redis is asked, and say what is wrong with it."""
    try:
        async with asyncio.timeout(seconds):
            with cancellable():
                yield
    except FAULTS as error:
        raise InboxUnavailable(f"{what} failed: {unavailable(error)}") from error


class Trouble:
    """The errors that one follower meets, be it that Redis answers others: it may let them do more, for one."""

    def __init__(self) -> None:
        self._began = self._latest = -math.inf

    def lasts(self) -> bool:
        """Take note of an error, and say whether there was little else for a minute."""
        now = asyncio.get_running_loop().time()
        if now - self._latest > _PATIENCE / 2:
            self._began = now
        self._latest = now
        return now - self._began > _PATIENCE


class Wakes:
    """The requests that one process follows, and the task that is told by other processes to look at some.

    Only who follows a request is told. The task begins with the first follower, and lasts until `close`.
    """

    def __init__(self, client: Client, keys: Keys, followers: Followers, what: str) -> None:
        self.process: Final = secrets.token_hex(8)
        self._client = client
        self._start = keys("")
        self._key = keys("wake", self.process)
        self._followers = followers
        self.what: Final = what
        self.answered = False
        """Whether Redis has taken note of a request: until then an error comes rather of settings."""
        self._followed: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._away_since: float | None = None
        self._looked = asyncio.Event()
        self._places = asyncio.Semaphore(_ASKED_AT_ONCE)
        self._block = longest_block(client, _BLOCK)

    @asynccontextmanager
    async def asking(self) -> AsyncGenerator[None]:
        """Ask Redis for something in a block, when not many others do."""
        async with self._places, within(self.what):
            yield

    @asynccontextmanager
    async def following(self, request_id: str) -> AsyncGenerator[None]:
        """Be told of a request for a block; raises InboxUnavailable.

        Redis is not told that it is over: it forgets by itself, and to be told for nothing does no harm.
        """
        self._followed[request_id] += 1
        try:
            if self._task is None:
                self._task = asyncio.create_task(self._watch(), name=f"following in {self.what}")
            await self._register([request_id])
            yield
        finally:
            self._followed[request_id] -= 1
            if not self._followed[request_id]:
                del self._followed[request_id]

    async def back(self) -> None:
        """Wait until Redis answers; raises InboxUnavailable when it has not for a minute."""
        await self._looked.wait()
        if self._away_since is not None:
            raise InboxUnavailable(f"{self.what} failed: Redis has been away for more than {_PATIENCE:g} s")

    async def close(self) -> None:
        """End the task, and have nobody tell this process anything."""
        task, self._task = self._task, None
        self._end_round()
        if task is not None:
            await end(task)
            with suppress(InboxUnavailable):
                async with within(self.what):
                    await self._client.delete(self._key)

    async def _watch(self) -> None:
        while True:
            try:
                await self._register(list(self._followed))
                self._found_back()
                await self._listen()
            except InboxUnavailable as error:
                self._found_away(error)
                await asyncio.sleep(_PAUSE)

    async def _listen(self) -> None:
        """Tell followers of what comes, until Redis knows nothing of this process."""
        clock = asyncio.get_running_loop().time
        last, kept_up, registered = _BEGINNING, clock(), clock()
        while True:
            entries = await self._entries(last)
            if entries:
                told = [text_of(next(iter(fields.values()))) for _, fields in entries]
                if _BEGUN in told and last != _BEGINNING:
                    return  # A new follower began the stream anew after Redis had forgotten it, and maybe all else.
                last = text_of(entries[-1][0])
                self._followers.wake(told)
            if len(entries) == _AT_ONCE:
                self._followers.wake_all()
            self._end_round()
            if clock() - registered > _AGAIN:  # Redis may have lost some, and not all, in a failover.
                registered = clock()
                await self._register(list(self._followed))
            if clock() - kept_up >= min(_BLOCK, self._block):
                kept_up = clock()
                async with within(self.what):
                    if not await KEEP_UP(self._client, [self._key], [_DEAD, last]):
                        return

    async def _entries(self, last: str) -> list[Any]:
        """Wait a while for entries behind the last."""
        async with within(self.what, self._block + COMMAND):
            found: Any = await self._client.xread({self._key: last}, count=_AT_ONCE, block=int(self._block * 1000))
        # It is pairs of a stream's name and its entries, or a dict; redis-py 7 has them in one more list by RESP3.
        entries: list[Any] = next(iter(dict(found).values()), [])
        return entries[0] if entries and isinstance(entries[0], list) else entries

    async def _register(self, requests: list[str]) -> None:
        """Tell Redis what this process follows; those who follow what it did not know of are to look."""
        for start in range(0, max(len(requests), 1), _AT_ONCE):
            some = requests[start : start + _AT_ONCE]
            async with self.asking():
                added = await REGISTER(self._client, [self._key], [self._start, self.process, _DEAD, _KNOWN, *some])
            self.answered = True
            self._followers.wake(map(text_of, added))

    def _found_back(self) -> None:
        if self._away_since is not None:
            _log.info("%s is back", self.what)
            self._away_since = None
        self._followers.wake_all()

    def _found_away(self, error: InboxUnavailable) -> None:
        now = asyncio.get_running_loop().time()
        if self._away_since is None:
            _log.warning("followers wait for Redis to come back: %s", error)
            self._away_since = now
        elif now - self._away_since > _PATIENCE:
            self._end_round()
            self._followers.wake_all()  # They look, and meet the error.

    def _end_round(self) -> None:
        """Let those go on who wait for Redis to be back."""
        self._looked.set()
        self._looked.clear()
