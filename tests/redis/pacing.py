"""`python -m tests.redis.pacing URL ACCOUNT TASKS`: let tasks share one pace, and print the time of each request."""

from __future__ import annotations

import asyncio
import sys
import time

from redis.asyncio import Redis

from thingspace_async._core import store
from thingspace_async.redis._breaker import Breaker
from thingspace_async.redis._keys import Keys
from thingspace_async.redis.limits import SharedPace

REQUESTS_PER_MINUTE = 1200


async def main(url: str, account: str, tasks: int) -> None:
    """Wait for the pace in each task."""
    store.REQUESTS_PER_MINUTE = REQUESTS_PER_MINUTE  # type: ignore[misc]  # final elsewhere
    async with Redis.from_url(url) as client:
        pace = SharedPace(Breaker(client, pause=0.0), Keys("thingspace", "user"))

        async def turn() -> None:
            await pace.wait(account)
            sys.stdout.write(f"{time.monotonic()}\n")

        await asyncio.gather(*(turn() for _ in range(tasks)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
