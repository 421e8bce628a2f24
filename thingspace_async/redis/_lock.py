"""The lock on one kind of a user's tokens: the holder fetches a token, and the others wait for it."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

import attrs

from thingspace_async._core.tasks import wait_shielded
from thingspace_async._core.types import Secret
from thingspace_async.redis._breaker import Breaker, RedisUnavailable, repeating
from thingspace_async.redis._scripts import Argument, Script, longest_block, text_of

__all__ = ["MARK_EXPIRES", "SESSION_EXPIRES", "Acquired", "FoundToken", "Lock", "milliseconds"]

LOCK_EXPIRES: float = 15.0
"""Life of a lock, in seconds. It is renewed while its holder is alive."""

SESSION_EXPIRES: Final = 1200.0
"""Seconds until the platform ends an unused session (PROTOCOL.md 1.2)."""

MARK_EXPIRES: Final = 86_400.0
"""Seconds until Redis forgets the mark of a rejected token. No session uses a token that long."""

_BLOCK: Final = 2.0
"""Longest blocking read, in seconds. A client with a short `socket_timeout` gets shorter reads."""

# KEYS: token, lock, news.
# ARGV: owner, life of the lock, mark of a rejected token or nothing, life of that mark, new life of a token that is
# found or 0 to leave it, 1 to get the lock even if there is a token. Lives are in milliseconds.
# Returns one of: `token`, with the token, its mark and its life; `yours`, with the mark of the last token; `wait`, with
# the life of the lock and the last entry of `news`.
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

_NOTIFY: Final = """
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100, '*', 'by', ARGV[1])
redis.call('PEXPIRE', KEYS[3], 3600000)
"""

# KEYS: token, lock, news. ARGV: owner, the token as it is kept, its mark, its life in milliseconds, 1 to keep the lock.
_PUBLISH: Final = Script(
    f"""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'value', ARGV[2], 'mark', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if ARGV[5] == '0' then redis.call('DEL', KEYS[2]) end
{_NOTIFY}
return 1
""",
    writes=True,
)

# KEYS: token, lock, news. ARGV: owner.
_RELEASE: Final = Script(f"""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
{_NOTIFY}
return 1
""")

# KEYS: token, lock, news. ARGV: owner, life of the lock in milliseconds.
_EXTEND: Final = Script("""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[2], ARGV[2])
""")


@attrs.frozen
class FoundToken:
    """A shared token, as Redis has it."""

    kept: Secret
    """The token as it is kept: in clear, or encrypted."""
    mark: str
    """Names the token."""
    seconds: float
    """Its life."""


@attrs.frozen
class Acquired:
    """Says that the caller has the lock."""

    last_mark: str
    """Mark of the token that was shared or rejected last; empty if Redis knows of none."""


class Lock:
    """One holder's lock. Methods raise RedisUnavailable."""

    def __init__(self, breaker: Breaker, keys: Sequence[str]) -> None:
        self._breaker = breaker
        self._keys = keys
        self._owner = secrets.token_hex(8)
        self._may_hold = False

    async def acquire(
        self, *, rejected: str = "", extend: bool = False, force_new: bool = False
    ) -> FoundToken | Acquired:
        """Wait until there is a token or the lock is free; with `force_new`, until the lock is free.

        `rejected` is the mark of a token to forget. `extend` prolongs the life of a token that is found.
        """
        new_life = milliseconds(SESSION_EXPIRES) if extend else 0
        while True:
            args: list[Argument] = [self._owner, milliseconds(LOCK_EXPIRES), rejected, milliseconds(MARK_EXPIRES)]
            args += [new_life, int(force_new)]
            self._may_hold = True  # The answer may get lost.
            status, *rest = await self._breaker.run(_ACQUIRE, self._keys, args)
            kind = text_of(status)
            self._may_hold = kind == "yours"
            if kind == "yours":
                return Acquired(text_of(rest[0]))
            if kind == "token":
                return FoundToken(Secret(text_of(rest[0])), text_of(rest[1]), rest[2] / 1000)
            await self._wait_for_news(rest[0] / 1000, text_of(rest[1]))

    async def _wait_for_news(self, seconds: float, last: str) -> None:
        """Wait until another holder shares a token or releases the lock, or until the lock expires."""
        until, most = time.monotonic() + seconds, longest_block(self._breaker.client, _BLOCK)
        while (left := until - time.monotonic()) > 0 and not await self._has_news(min(left, most), last):
            pass

    async def _has_news(self, seconds: float, last: str) -> bool:
        client, news = self._breaker.client, self._keys[2]
        return bool(
            await self._breaker.call(
                lambda: client.xread({news: last}, count=1, block=milliseconds(seconds)), blocking=seconds
            )
        )

    def renewing(self) -> AbstractAsyncContextManager[None]:
        """Keep the lock from expiring during the block."""
        args: list[Argument] = [self._owner, milliseconds(LOCK_EXPIRES)]
        return repeating(lambda: self._breaker.run(_EXTEND, self._keys, args), LOCK_EXPIRES / 3)

    async def publish(self, kept: Secret, mark: str, seconds: float, *, keep: bool) -> bool:
        """Share a token, and release the lock unless `keep`. Returns False if another holder has the lock by now."""
        # In a task: a cancelled caller still shares the token, and its traceback shows no frame that holds the token.
        task = asyncio.get_running_loop().create_task(self._publish(kept, mark, seconds, keep=keep))
        await wait_shielded(task)
        return task.result()

    async def _publish(self, kept: Secret, mark: str, seconds: float, *, keep: bool) -> bool:
        args: list[Argument] = [self._owner, kept, mark, milliseconds(seconds), int(keep)]
        published = bool(await self._breaker.run(_PUBLISH, self._keys, args))
        self._may_hold = self._may_hold and keep
        return published

    async def release(self) -> None:
        """Release the lock if it is held, even when cancelled."""
        if self._may_hold:
            self._may_hold = False
            await wait_shielded(asyncio.get_running_loop().create_task(self._release()))

    async def _release(self) -> None:
        with suppress(RedisUnavailable):
            await self._breaker.run(_RELEASE, self._keys, [self._owner])


def milliseconds(seconds: float) -> int:
    """Return seconds as whole milliseconds, at least 1."""
    return max(1, math.ceil(seconds * 1000))
