"""Refused passwords, shared: what one process learns stops all of them."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import Final

import orjson

from thingspace_async._store import MOST_UNANSWERED, UNANSWERED, Refusal
from thingspace_async._types import Secret
from thingspace_async.redis._line import Line
from thingspace_async.redis._scripts import Script

__all__ = ["Digests", "Guard"]

# KEYS: guard. ARGV: digest of the password, how many log-ins may go unanswered, 1 if it is known to be accepted: the
# word of that may have been lost, and the mark of the log-in, by which it counts once however often it is asked for.
_SEND: Final = Script("""
local refused = redis.call('HGET', KEYS[1], 'refused:' .. ARGV[1])
if refused then return refused end
if ARGV[3] == '1' then redis.call('HSET', KEYS[1], 'accepted:' .. ARGV[1], 1) end
if redis.call('HEXISTS', KEYS[1], 'accepted:' .. ARGV[1]) == 1 then return false end
local unanswered = redis.call('HGET', KEYS[1], 'unanswered:' .. ARGV[1]) or ''
if string.find(unanswered, ARGV[4], 1, true) then return false end
if #unanswered >= ARGV[2] * #ARGV[4] then return '' end
redis.call('HSET', KEYS[1], 'unanswered:' .. ARGV[1], unanswered .. ARGV[4])
return false
""")

# KEYS: guard. ARGV: digest of the password, 1 if it was accepted, why it was refused or nothing.
_ANSWERED: Final = Script("""
redis.call('HDEL', KEYS[1], 'unanswered:' .. ARGV[1])
if ARGV[2] == '1' then
  redis.call('HDEL', KEYS[1], 'refused:' .. ARGV[1])
  redis.call('HSET', KEYS[1], 'accepted:' .. ARGV[1], 1)
end
if ARGV[3] ~= '' then
  redis.call('HDEL', KEYS[1], 'accepted:' .. ARGV[1])
  redis.call('HSET', KEYS[1], 'refused:' .. ARGV[1], ARGV[3])
end
""")

# KEYS: guard. ARGV: digest of the password.
_FORGIVE: Final = Script("return redis.call('HDEL', KEYS[1], 'refused:' .. ARGV[1], 'unanswered:' .. ARGV[1])")


class Digests:
    """What passwords are called in Redis: digests that are slow to make, so that few can be guessed."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._made: dict[bytes, str] = {}

    async def of(self, password: Secret, salt: bytes) -> str:
        """Return the digest of a password."""
        brief = hashlib.blake2b(salt + _bytes(password), key=self._key).digest()
        if brief not in self._made:
            self._made[brief] = await asyncio.to_thread(_digest, password, salt)
        return self._made[brief]


def _digest(password: Secret, salt: bytes) -> str:
    return hashlib.scrypt(_bytes(password), salt=salt, n=_COST, r=8, p=1, dklen=24).hex()


def _bytes(password: Secret) -> bytes:
    return password.reveal().encode("utf-8", "surrogatepass")


_COST: Final = 2**14
"""16 MiB and some 40 ms for a password."""


class Guard:
    """As `_auth.Lockout`, for all processes; what it does raises Away."""

    def __init__(self, line: Line, key: str, digests: Digests) -> None:
        self._line = line
        self._keys = (key,)
        self._digests = digests
        self._salt = hashlib.blake2b(key.encode(), digest_size=32).digest()
        self._known: dict[str, Refusal | None] = {}  # By digest; None for one that was accepted.

    async def may_send(self, password: Secret, mark: str) -> Refusal | None:
        """Note that a password is about to be sent, or say why it must not be; `mark` tells the log-in from others."""
        digest = await self._digest(password)
        is_accepted = digest in self._known and self._known[digest] is None
        said = await self._line.run(_SEND, self._keys, [digest, MOST_UNANSWERED, int(is_accepted), mark])
        if said is not None:
            self._known[digest] = Refusal(**orjson.loads(said)) if said else UNANSWERED
        elif not is_accepted:
            self._known.pop(digest, None)
        return self._known.get(digest)

    async def known(self, password: Secret) -> Refusal | None:
        """Say, without Redis, why a password must not be sent: a hundred workers would try it a hundred times."""
        return self._known.get(await self._digest(password))

    async def answered(self, password: Secret, *, accepted: bool, refusal: Refusal | None) -> None:
        """Note what came of it."""
        digest = await self._digest(password)
        if accepted or refusal is not None:
            self._known[digest] = refusal
        why = orjson.dumps(refusal._asdict()) if refusal is not None else b""
        await self._line.run(_ANSWERED, self._keys, [digest, int(accepted), why])

    async def forgive(self, password: Secret) -> None:
        """Forget that a password was refused or not answered."""
        digest = await self._digest(password)
        self._known.pop(digest, None)
        await self._line.run(_FORGIVE, self._keys, [digest])

    async def _digest(self, password: Secret) -> str:
        return await self._digests.of(password, self._salt)
