"""The pace of requests for one account, shared by all processes."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from typing import Final

from thingspace_async._core import store
from thingspace_async.redis._breaker import Breaker
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._scripts import Script

__all__ = ["SharedPace"]

# KEYS: when the next request may be sent, in microseconds of Redis's clock.
# ARGV: microseconds between two requests.
# Returns 0 if a request may be sent now, otherwise the microseconds to wait before asking again.
#
# A request that is a little late does not delay the next one, which counts from the scheduled time. The key expires one
# interval after the time that it holds. That time is at most one interval ahead. If it is further ahead, Redis's clock
# has been set back, for example by a failover.
_TAKE_TURN: Final = Script(
    """
local time = redis.call('TIME')
local now, interval = time[1] * 1000000 + time[2], tonumber(ARGV[1])
local moment = tonumber(redis.call('GET', KEYS[1]) or 0)
local left = moment - now
if left > 0 and left <= interval then return string.format('%.0f', left) end
if left > 0 or left < -interval then moment = now end
redis.call('SET', KEYS[1], string.format('%.0f', moment + interval), 'PX', math.ceil(interval / 500))
return '0'
""",
    writes=True,
)


class SharedPace:
    """Allows REQUESTS_PER_MINUTE for each account, evenly spaced: a token bucket would allow twice as many at first."""

    def __init__(self, breaker: Breaker, keys: Keys) -> None:
        self._breaker = breaker
        self._keys = keys
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def wait(self, account: str | None) -> None:
        """Wait until another request may be sent for an account, or for the user if `account` is None.

        Asks Redis again after each interval while other processes are faster. Raises RedisUnavailable.
        """
        # A digest, so that the key does not reveal the account.
        key = self._keys("pace", hashlib.blake2b((account or "").encode(), digest_size=12).hexdigest())
        # One task per process asks at a time, so that tasks of other processes get their turns in between.
        async with self._turns[key]:
            interval = round(60_000_000 / store.REQUESTS_PER_MINUTE)
            left = int(await self._breaker.run(_TAKE_TURN, [key], [interval]))
            while left:
                await asyncio.sleep(left / 1_000_000)
                left = int(await self._breaker.run(_TAKE_TURN, [key], [interval]))
