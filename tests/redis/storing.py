"""Stores messages, each with the time at which it is stored.

Run as `python -m tests.redis.storing URL COUNT SECONDS`, with SECONDS in between.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from redis.asyncio import Redis

from thingspace_async.redis.inbox import RedisInbox


async def main(url: str, count: int, pause: float) -> None:
    """Store them, one after the other."""
    async with Redis.from_url(url) as client, RedisInbox(client) as inbox:
        for number in range(count):
            message = {"requestId": "request", "number": number, "stored": time.monotonic()}
            await inbox.store(json.dumps(message).encode())
            await asyncio.sleep(pause)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
