"""The cost of a store in Redis: for a later call, compared to a call without it, and for a new worker's first call."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any, cast

from redis.asyncio import Redis

from benchmarks._data import ACCOUNT_NAME
from benchmarks._measure import Bar, Pairs, Row, async_pairs, row
from benchmarks._server import CREDENTIALS, Server, running
from tests.redis.servers import RedisServer, find_program
from thingspace_async import Session
from thingspace_async.redis import RedisStore

__all__ = ["run"]

_CALLS = 200
_PAIRS = 40
_WORKERS = 20


def run() -> list[Row]:
    """Measure, if a Redis server is installed."""
    if find_program() is None:
        print("redis_store: no Redis server is installed here, so nothing was measured")
        return []
    with RedisServer() as redis, running() as server:
        return asyncio.run(_run(server, redis.url))


async def _run(server: Server, url: str) -> list[Row]:
    async with Redis.from_url(url) as redis:
        whole = await _steady(server, redis)
        trips = [await _first_call(server, url) for _ in range(_WORKERS)]
    return [
        row("one call with the Redis store, CPU / memory", whole, per=_CALLS, bar=Bar(1.02)),
        Row(what="round trips to Redis until a new worker's first call", values=trips, unit="trips", bar=Bar(2)),
    ]


async def _steady(server: Server, redis: Redis) -> Pairs:
    async with (
        Session(CREDENTIALS, environment=server.environment, store=RedisStore(redis)) as shared,
        Session(CREDENTIALS, environment=server.environment) as alone,
    ):
        ours, floor = (partial(_block, session) for session in (shared, alone))
        for block in (ours, floor):
            await block()
        return await async_pairs(ours, floor, count=_PAIRS, clock=time.process_time)


async def _block(session: Session) -> None:
    for _ in range(_CALLS):
        await session.accounts.get(ACCOUNT_NAME)


class _Counting(Redis):
    """A client that counts its round trips."""

    trips = 0

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        self.trips += 1
        return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # theirs


async def _first_call(server: Server, url: str) -> float:
    """Count the round trips of a worker that starts while another worker holds the tokens."""
    async with (
        Redis.from_url(url) as first,
        _Counting.from_url(url) as client,
        Session(CREDENTIALS, environment=server.environment, store=RedisStore(first)) as there,
    ):
        second = cast("_Counting", client)
        await there.accounts.get(ACCOUNT_NAME)
        async with Session(CREDENTIALS, environment=server.environment, store=RedisStore(second)) as new:
            await new.accounts.get(ACCOUNT_NAME)
            return second.trips
