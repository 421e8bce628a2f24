"""The lock on one kind of a user's tokens: who has it fetches, and the others are told what came of it."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias

import attrs

from thingspace_async._tasks import outlast
from thingspace_async._types import Secret
from thingspace_async.redis._line import Away, Line, beating
from thingspace_async.redis._scripts import Argument, Script, longest_block, text_of

__all__ = ["REMEMBERED", "USED_WITHIN", "Found", "Lock", "Taken", "milliseconds"]

LOCKED: float = 15.0
"""Seconds that a lock outlasts its holder's process."""

USED_WITHIN: Final = 1200.0
"""Seconds after which an unused session ends (protocol.md 1.2)."""

REMEMBERED: Final = 86_400.0
"""Seconds that it is known of a token that it was rejected: longer than anybody may hold it."""

_LISTENING: Final = 2.0
"""Seconds for which a read blocks at most, unless the client gives up sooner."""

# KEYS: token, lock, news. ARGV: owner, ms of the lock, mark of a rejected token or nothing, ms that it is remembered,
# ms that a token which is found lives on from now or 0 to leave them, 1 to have the lock even where there is a token.
_ACQUIRE: Final = Script("""
local found = redis.call('HMGET', KEYS[1], 'value', 'mark')
if found[1] and found[2] == ARGV[3] then
  redis.call('HDEL', KEYS[1], 'value')
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  found[1] = false
end
if found[1] and ARGV[6] == '0' then
  if ARGV[5] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
  return {'token', found[1], found[2], redis.call('PTTL', KEYS[1])}
end
if redis.call('GET', KEYS[2]) == ARGV[1] or redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {'yours', found[2] or ''}
end
local news = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
return {'wait', redis.call('PTTL', KEYS[2]), news[1] and news[1][1] or '0-0'}
""")

_TELL: Final = """
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100, '*', 'by', ARGV[1])
redis.call('PEXPIRE', KEYS[3], 3600000)
"""

# KEYS: token, lock, news. ARGV: owner, what is kept of the token, its mark, its ms, 1 to keep the lock.
_PUBLISH: Final = Script(f"""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'value', ARGV[2], 'mark', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if ARGV[5] == '0' then redis.call('DEL', KEYS[2]) end
{_TELL}
return 1
""")

# KEYS: token, lock, news. ARGV: owner.
_RELEASE: Final = Script(f"""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
{_TELL}
return 1
""")

# KEYS: token, lock, news. ARGV: owner, ms of the lock.
_EXTEND: Final = Script("""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[2], ARGV[2])
""")


@attrs.frozen
class Found:
    """A token that is shared, as it is kept."""

    kept: Secret
    mark: str
    seconds: float


@attrs.frozen
class Taken:
    """That the lock is one's own."""

    last: str
    """Mark of the token that was published or rejected last; empty when nothing is known of any."""


class Lock:
    """One holder's lock; what it does raises Away."""

    def __init__(self, line: Line, keys: Sequence[str]) -> None:
        self._line = line
        self._keys = keys
        self._owner = secrets.token_hex(8)
        self._may_hold = False

    async def take(self, *, rejected: str = "", slides: bool = False, anew: bool = False) -> _Answer:
        """Wait until there is a token, or the lock is one's own; `anew` for the lock, come what may."""
        remembered, slide = milliseconds(REMEMBERED), milliseconds(USED_WITHIN) if slides else 0
        while True:
            self._may_hold = True  # If nobody hears the answer, it may be.
            said, *rest = await self._line.run(
                _ACQUIRE, self._keys, [self._owner, milliseconds(LOCKED), rejected, remembered, slide, int(anew)]
            )
            kind = text_of(said)
            self._may_hold = kind == "yours"
            if kind == "yours":
                return Taken(text_of(rest[0]))
            if kind == "token":
                return Found(Secret(text_of(rest[0])), text_of(rest[1]), rest[2] / 1000)
            await self._listen(rest[0] / 1000, text_of(rest[1]))

    async def _listen(self, seconds: float, last: str) -> None:
        """Wait for news after the last, or for the lock to run out."""
        until, most = time.monotonic() + seconds, longest_block(self._line.client, _LISTENING)
        while (left := until - time.monotonic()) > 0 and not await self._hears(min(left, most), last):
            pass

    async def _hears(self, seconds: float, last: str) -> bool:
        client, news = self._line.client, self._keys[2]
        return bool(
            await self._line.ask(
                lambda: client.xread({news: last}, count=1, block=milliseconds(seconds)), blocking=seconds
            )
        )

    @asynccontextmanager
    async def kept_up(self) -> AsyncGenerator[None]:
        """Keep a lock from running out, however long it is needed."""
        async with beating(
            lambda: self._line.run(_EXTEND, self._keys, [self._owner, milliseconds(LOCKED)]), LOCKED / 3
        ):
            yield

    async def publish(self, kept: Secret, mark: str, seconds: float, *, keep: bool) -> bool:
        """Share a token and give the lock up, unless it is to be kept; False if the lock was somebody else's."""
        # In a task: who is cancelled shares it all the same, and shows no frame of redis-py with what is sent.
        task = asyncio.get_running_loop().create_task(self._publish(kept, mark, seconds, keep=keep))
        await outlast(task)
        return task.result()

    async def _publish(self, kept: Secret, mark: str, seconds: float, *, keep: bool) -> bool:
        args: list[Argument] = [self._owner, kept, mark, milliseconds(seconds), int(keep)]
        published = bool(await self._line.run(_PUBLISH, self._keys, args))
        self._may_hold = self._may_hold and keep
        return published

    async def release(self) -> None:
        """Give the lock up if it is held, even when cancelled."""
        if self._may_hold:
            self._may_hold = False
            await outlast(asyncio.get_running_loop().create_task(self._release()))

    async def _release(self) -> None:
        with suppress(Away):
            await self._line.run(_RELEASE, self._keys, [self._owner])


def milliseconds(seconds: float) -> int:
    """Return seconds as Redis wants them: whole, and never none."""
    return max(1, math.ceil(seconds * 1000))


_Answer: TypeAlias = Found | Taken
