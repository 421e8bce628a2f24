"""Messages between two processes through Redis: see `benchmarks._between`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager

from redis.asyncio import Redis

from benchmarks._between import Size, rows, work
from benchmarks._measure import Row
from tests.redis.servers import RedisServer, find_program
from thingspace_async.redis import RedisInbox

__all__ = ["run"]


def run() -> list[Row]:
    """Measure, if a Redis server is installed."""
    if find_program() is None:
        print("redis_inbox: no Redis server is installed here, so nothing was measured")
        return []
    return rows("Redis", "benchmarks.redis_inbox", _started, size="memory of Redis")


@contextmanager
def _started() -> Iterator[str]:
    with RedisServer() as server:
        yield server.url


@asynccontextmanager
async def _opened(url: str) -> AsyncGenerator[tuple[RedisInbox, Size]]:
    async with Redis.from_url(url) as client, RedisInbox(client) as inbox:

        async def size() -> int:
            return int((await client.info("memory"))["used_memory_dataset"])

        yield inbox, size


if __name__ == "__main__":
    work(_opened)
