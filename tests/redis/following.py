"""Follows a request until it is killed: `python -m tests.redis.following URL`."""

from __future__ import annotations

import asyncio
import sys

from redis.asyncio import Redis

from thingspace_async.redis.inbox import RedisInbox


async def main(url: str) -> None:
    """Follow it."""
    async with Redis.from_url(url) as client, RedisInbox(client) as inbox:
        async for _ in inbox.follow("request"):
            pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
