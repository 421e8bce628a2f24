"""The pace that the platform allows an account, kept by all processes together."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from typing import Final

from thingspace_async import _store
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._line import Line
from thingspace_async.redis._scripts import Script

__all__ = ["SharedPace"]

# KEYS: when the next request may be sent, in µs of Redis's clock. ARGV: µs between two requests.
# Returns the µs until the moment that is the caller's now. The key ends with what it says.
_RESERVE: Final = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local moment = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local after = moment + ARGV[1]
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return string.format('%.0f', moment - now)
""")


class SharedPace:
    """REQUESTS_A_MINUTE for each account, evenly spaced: a bucket of them would let twice as many through at first."""

    def __init__(self, line: Line, keys: Keys) -> None:
        self._line = line
        self._keys = keys
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def wait(self, account: str | None) -> None:
        """Wait until another request may be sent for an account, or for the user where it is None.

        Raises Away.
        """
        # As a digest: a key tells nobody whose it is.
        key = self._keys("pace", hashlib.blake2b((account or "").encode(), digest_size=12).hexdigest())
        # One at a time has a moment reserved: a process that ends, or whose waits are cancelled, wastes no more, and
        # those of other processes have their turns in between.
        async with self._turns[key]:
            interval = round(60_000_000 / _store.REQUESTS_A_MINUTE)
            microseconds = await self._line.run(_RESERVE, [key], [interval])
            await asyncio.sleep(int(microseconds) / 1_000_000)
