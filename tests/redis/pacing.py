"""Keeps a pace: `python -m tests.redis.pacing URL ACCOUNT TASKS` and print when each had its turn."""

from __future__ import annotations

import asyncio
import sys
import time

from redis.asyncio import Redis

from thingspace_async import _store
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._line import Line
from thingspace_async.redis.limits import SharedPace

REQUESTS_A_MINUTE = 1200


async def main(url: str, account: str, tasks: int) -> None:
    """Wait for a turn in each task."""
    _store.REQUESTS_A_MINUTE = REQUESTS_A_MINUTE  # type: ignore[misc]  # final elsewhere
    async with Redis.from_url(url) as client:
        pace = SharedPace(Line(client, pause=0.0), Keys("thingspace", "user"))

        async def turn() -> None:
            await pace.wait(account)
            sys.stdout.write(f"{time.monotonic()}\n")

        await asyncio.gather(*(turn() for _ in range(tasks)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
