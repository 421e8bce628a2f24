"""The open sessions of a user: each holds a lease, and the last one to leave logs out."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from typing import Final

from thingspace_async._core.store import LogOut, Token
from thingspace_async._core.tasks import wait_shielded
from thingspace_async._core.types import Secret
from thingspace_async.redis._breaker import Breaker, RedisUnavailable, repeating
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._lock import MARK_EXPIRES, SESSION_EXPIRES, FoundToken, milliseconds
from thingspace_async.redis._scripts import Argument, Script, text_of
from thingspace_async.redis._tokens import SharedTokens

__all__ = ["Lease"]

LEASE_EXPIRES: float = 60.0
"""Life of a lease, in seconds. It is renewed while its session is open."""

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

_HOLD: Final = f"""
{_NOW}
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

# KEYS: leases. ARGV: the session's lease, its life in milliseconds.
_RENEW: Final = Script(_HOLD, writes=True)

# KEYS: leases, OAuth token, session token.
# ARGV: the session's lease, its life, new life of the session token, both in milliseconds.
# Returns for each token its value, mark and life, or nothing.
_ENTER: Final = Script(
    f"""
{_HOLD}
local all = {{}}
for place = 2, 3 do
  local found = redis.call('HMGET', KEYS[place], 'value', 'mark')
  if found[1] and place == 3 then redis.call('PEXPIRE', KEYS[place], ARGV[3]) end
  all[place - 1] = found[1] and {{found[1], found[2], redis.call('PTTL', KEYS[place])}} or {{}}
end
return all
""",
    writes=True,
)

# KEYS: leases, session token.
# ARGV: the session's lease, mark of its token, 1 to end the token even if other sessions are open, 0 to keep the token,
# life of the mark in milliseconds.
# Returns the number of other open sessions, or -1 if Redis does not know this lease: if Redis was emptied, it may not
# know others either.
_LEAVE: Final = Script(f"""
{_NOW}
local was_known = redis.call('ZREM', KEYS[1], ARGV[1]) == 1
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local others = was_known and redis.call('ZCARD', KEYS[1]) or -1
if ARGV[4] == '1' and (others == 0 or ARGV[3] == '1') and redis.call('HGET', KEYS[2], 'mark') == ARGV[2] then
  redis.call('HDEL', KEYS[2], 'value')
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
return others
""")


class Lease:
    """One open session among those of its user."""

    def __init__(self, breaker: Breaker, keys: Keys, oauth: SharedTokens, session: SharedTokens) -> None:
        self._breaker = breaker
        self._key = keys("leases")
        self._oauth = oauth
        self._session = session
        self._id = secrets.token_hex(8)
        self._renewing = AsyncExitStack()
        self._is_open = False

    async def enter(self) -> None:
        """Hold a lease. The same round trip reads both tokens, which a new session needs at once."""
        self._is_open = True
        await self._renewing.enter_async_context(repeating(self._renew, LEASE_EXPIRES / 3))
        keys = (self._key, self._oauth.keys[0], self._session.keys[0])
        args: list[Argument] = [self._id, milliseconds(LEASE_EXPIRES), milliseconds(SESSION_EXPIRES)]
        found = await self._breaker.run(_ENTER, keys, args)
        for tokens, parts in zip((self._oauth, self._session), found, strict=True):
            if parts:
                tokens.offer(FoundToken(Secret(text_of(parts[0])), text_of(parts[1]), parts[2] / 1000))

    async def _renew(self) -> None:
        await self._breaker.run(_RENEW, (self._key,), [self._id, milliseconds(LEASE_EXPIRES)])

    async def leave(self, token: Token | None, log_out: LogOut) -> bool:
        """Give the lease up, and return whether to log out. Returns False if the lease is not held."""
        if not self._is_open:
            return False
        self._is_open = False
        try:
            await self._renewing.aclose()  # First, because another renewal would restore the lease.
        finally:
            task = asyncio.get_running_loop().create_task(self._leave(token, log_out))
            await wait_shielded(task)
        return task.result()

    async def _leave(self, token: Token | None, log_out: LogOut) -> bool:
        wanted = token is not None and log_out != "never"
        mark = None if token is None else token.mark
        args: list[Argument] = [self._id, mark or "", int(log_out == "always"), int(wanted), milliseconds(MARK_EXPIRES)]
        try:
            others = await self._breaker.run(_LEAVE, (self._key, self._session.keys[0]), args)
        except RedisUnavailable:
            others = -1
        return wanted and (mark is None or log_out == "always" or others == 0)
