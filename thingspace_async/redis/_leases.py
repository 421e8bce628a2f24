"""Which sessions are open: each holds a lease, which it keeps up, and the last to leave logs out."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from typing import Final

from thingspace_async._store import LogOut, Token
from thingspace_async._tasks import outlast
from thingspace_async._types import Secret
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._line import Away, Line, beating
from thingspace_async.redis._lock import REMEMBERED, USED_WITHIN, Found, milliseconds
from thingspace_async.redis._scripts import Argument, Script, text_of
from thingspace_async.redis._tokens import Shared

__all__ = ["Lease"]

LEASED: float = 60.0
"""Seconds for which a session counts as open whose process is heard of no more."""

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

_HOLD: Final = f"""
{_NOW}
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

# KEYS: leases. ARGV: the session's, ms.
_KEEP: Final = Script(_HOLD)

# KEYS: leases, OAuth token, session's token. ARGV: the session's, ms, ms that the session's token lives on from now.
_ENTER: Final = Script(f"""
{_HOLD}
local all = {{}}
for place = 2, 3 do
  local found = redis.call('HMGET', KEYS[place], 'value', 'mark')
  if found[1] and place == 3 then redis.call('PEXPIRE', KEYS[place], ARGV[3]) end
  all[place - 1] = found[1] and {{found[1], found[2], redis.call('PTTL', KEYS[place])}} or {{}}
end
return all
""")

# KEYS: leases, session's token. ARGV: the session's, mark of its token, 1 to end that even if others are there, 0 not
# to end it, ms that it is remembered. Returns how many others are there; -1 where this one was forgotten, and others
# may have been with it, since Redis was emptied.
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

    def __init__(self, line: Line, keys: Keys, oauth: Shared, session: Shared) -> None:
        self._line = line
        self._key = keys("leases")
        self._oauth = oauth
        self._session = session
        self._id = secrets.token_hex(8)
        self._held = AsyncExitStack()
        self._is_open = False

    async def enter(self) -> None:
        """Hold a lease, and find both tokens on the way: a new session needs them at once."""
        self._is_open = True
        await self._held.enter_async_context(beating(self._keep, LEASED / 3))
        keys = (self._key, self._oauth.keys[0], self._session.keys[0])
        found = await self._line.run(_ENTER, keys, [self._id, milliseconds(LEASED), milliseconds(USED_WITHIN)])
        for place, parts in zip((self._oauth, self._session), found, strict=True):
            if parts:
                place.offer(Found(Secret(text_of(parts[0])), text_of(parts[1]), parts[2] / 1000))

    async def _keep(self) -> None:
        await self._line.run(_KEEP, (self._key,), [self._id, milliseconds(LEASED)])

    async def leave(self, token: Token | None, log_out: LogOut) -> bool:
        """Give the lease up, and say whether to log out; to leave again does nothing."""
        if not self._is_open:
            return False
        self._is_open = False
        try:
            await self._held.aclose()  # First: to keep the lease up once more would have it outlive the session.
        finally:
            task = asyncio.get_running_loop().create_task(self._leave(token, log_out))
            await outlast(task)
        return task.result()

    async def _leave(self, token: Token | None, log_out: LogOut) -> bool:
        wanted = token is not None and log_out != "never"
        mark = None if token is None else token.mark
        args: list[Argument] = [self._id, mark or "", int(log_out == "always"), int(wanted), milliseconds(REMEMBERED)]
        try:
            others = await self._line.run(_LEAVE, (self._key, self._session.keys[0]), args)
        except Away:
            others = -1
        return wanted and (mark is None or log_out == "always" or others == 0)
