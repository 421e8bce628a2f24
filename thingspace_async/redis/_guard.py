"""The lock-out guard in Redis: a password that one process was refused is not sent by any other."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

import orjson

from thingspace_async._core import guard
from thingspace_async._core.guard import (
    MOST_REFUSED,
    MOST_UNANSWERED,
    TOO_MANY,
    UNANSWERED,
    Accepted,
    Refusal,
    Retired,
    Verdict,
)
from thingspace_async._core.types import Secret
from thingspace_async.redis._breaker import Breaker, RedisUnavailable
from thingspace_async.redis._scripts import Argument, Script

__all__ = ["Digests", "Guard"]

# The scripts follow the rules of `_core.guard`. All marks have the same length.

# KEYS: guard.
# ARGV: digest of the password, mark of the login, 1 to force the login, limit of unanswered logins, limit of refused
# logins, 1 if this process knows that the password was accepted (Redis may have lost that).
# Returns nothing if the password may be sent; otherwise the refusal as JSON, `unanswered` or `many`.
_ADMIT: Final = Script("""
local digest, mark, force = ARGV[1], ARGV[2], ARGV[3] == '1'
if force then redis.call('HDEL', KEYS[1], 'refused:' .. digest, 'unanswered:' .. digest) end
local refused = redis.call('HGET', KEYS[1], 'refused:' .. digest)
if refused then return refused end
if ARGV[6] == '1' then redis.call('HSET', KEYS[1], 'accepted', digest) end
if redis.call('HGET', KEYS[1], 'accepted') == digest then return false end
local marks = redis.call('HGET', KEYS[1], 'unanswered:' .. digest) or ''
if string.find(marks, mark, 1, true) then return false end
if not force then
  if #marks >= ARGV[4] * #mark then return 'unanswered' end
  local count = tonumber(redis.call('HGET', KEYS[1], 'refusals') or 0)
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, 11) == 'unanswered:' then count = count + #redis.call('HGET', KEYS[1], field) / #mark end
  end
  if count >= tonumber(ARGV[5]) then return 'many' end
end
redis.call('HSET', KEYS[1], 'unanswered:' .. digest, marks .. mark)
return false
""")

# KEYS: guard. ARGV: digest of the password, mark of the login, name of the verdict, refusal as JSON.
_SETTLE: Final = Script("""
local digest, mark, verdict = ARGV[1], ARGV[2], ARGV[3]
local field = 'unanswered:' .. digest
local marks = redis.call('HGET', KEYS[1], field)
local at = marks and mark ~= '' and string.find(marks, mark, 1, true)
if at then
  marks = string.sub(marks, 1, at - 1) .. string.sub(marks, at + #mark)
  if marks == '' then redis.call('HDEL', KEYS[1], field) else redis.call('HSET', KEYS[1], field, marks) end
end
if verdict == 'accepted' then
  redis.call('HDEL', KEYS[1], 'refused:' .. digest, 'refusals')
  for _, other in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(other, 1, 11) == 'unanswered:' then redis.call('HDEL', KEYS[1], other) end
  end
  redis.call('HSET', KEYS[1], 'accepted', digest)
elseif verdict == 'refused' or verdict == 'retired' then
  if verdict == 'refused' then
    redis.call('HINCRBY', KEYS[1], 'refusals', 1)
    redis.call('HDEL', KEYS[1], field)
  end
  redis.call('HSET', KEYS[1], 'refused:' .. digest, ARGV[4])
  if redis.call('HGET', KEYS[1], 'accepted') == digest then redis.call('HDEL', KEYS[1], 'accepted') end
end
""")


class Digests:
    """Caches the digests of passwords. A digest is slow to compute on purpose, to make guessing expensive."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._made: dict[bytes, str] = {}

    async def of(self, password: Secret, salt: bytes) -> str:
        """Return the digest of a password."""
        brief = guard.brief_digest_of(password, salt, self._key)
        if brief not in self._made:
            self._made[brief] = await asyncio.to_thread(guard.digest_of, password, salt)
        return self._made[brief]


class Guard:
    """Guards one user for all sessions that share a Redis.

    If Redis is unavailable, `on_unavailable` may raise; otherwise the guard of this machine decides. That guard learns
    each verdict too.
    """

    def __init__(
        self,
        breaker: Breaker,
        key: str,
        digests: Digests,
        local: guard.Guard,
        on_unavailable: Callable[[RedisUnavailable], None],
    ) -> None:
        self._breaker = breaker
        self._keys = (key,)
        self._digests = digests
        self._salt = hashlib.blake2b(key.encode(), digest_size=32).digest()
        self._local = local
        self._on_unavailable = on_unavailable
        self._accepted = ""
        self._refused: dict[str, Refusal] = {}

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait until no other session of this machine logs in as this user. The lock in Redis covers other machines."""
        return self._local.turn()

    async def admit(self, password: Secret, mark: str, *, force: bool = False) -> Refusal | None:
        """Record that a login is about to be sent, or return why it must not be."""
        digest = await self._digest(password)
        known = int(digest == self._accepted)
        args: list[Argument] = [digest, mark, int(force), MOST_UNANSWERED, MOST_REFUSED, known]
        try:
            answer = await self._breaker.run(_ADMIT, self._keys, args)
        except RedisUnavailable as error:
            self._on_unavailable(error)
            refused = None if force else self._refused.get(digest)
            return refused or await self._local.admit(password, mark, force=force)
        self._refused.pop(digest, None)
        if answer in (b"unanswered", "unanswered"):
            return UNANSWERED
        if answer in (b"many", "many"):
            return TOO_MANY
        if answer is not None:
            self._refused[digest] = Refusal(**orjson.loads(answer))
        return self._refused.get(digest)

    async def settle(self, password: Secret, mark: str, verdict: Verdict) -> None:
        """Record the verdict on a login."""
        await self._local.settle(password, mark, verdict)
        digest = await self._digest(password)
        if isinstance(verdict, Accepted):
            self._accepted = digest
        elif isinstance(verdict, Refusal | Retired) and self._accepted == digest:
            self._accepted = ""
        refusal = verdict if isinstance(verdict, Refusal) else guard.RETIRED
        name = "refused" if isinstance(verdict, Refusal) else type(verdict).__name__.lower()
        with suppress(RedisUnavailable):
            await self._breaker.run(_SETTLE, self._keys, [digest, mark, name, orjson.dumps(refusal._asdict())])

    async def _digest(self, password: Secret) -> str:
        return await self._digests.of(password, self._salt)
