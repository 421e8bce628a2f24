"""The pace of an account, shared by all processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.redis import pacing
from tests.redis.servers import RedisServer
from thingspace_async._core import store
from thingspace_async.redis import _breaker
from thingspace_async.redis._breaker import Breaker, RedisUnavailable
from thingspace_async.redis._keys import Keys
from thingspace_async.redis.limits import SharedPace

ROOT = Path(__file__).parents[2]
KEYS = Keys("thingspace", "user")
INTERVAL = 60 / pacing.REQUESTS_PER_MINUTE


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "REQUESTS_PER_MINUTE", pacing.REQUESTS_PER_MINUTE)


def shared(redis: Redis) -> SharedPace:
    return SharedPace(Breaker(redis, pause=0.0), KEYS)


async def turns(pace: SharedPace, count: int, account: str | None = "a") -> list[float]:
    """Let `count` tasks wait, and return when each wait ended, sorted."""

    async def turn() -> float:
        await pace.wait(account)
        return time.monotonic()

    return sorted(await asyncio.gather(*(turn() for _ in range(count))))


async def test_if_redis_is_unavailable_nothing_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_breaker, "COMMAND_TIMEOUT", 0.2)
    with RedisServer() as server:
        async with Redis.from_url(server.url) as client:
            pace = shared(client)
            await pace.wait("a")
            server.pause()
            begun = time.monotonic()
            with pytest.raises(RedisUnavailable):
                await pace.wait("a")
            assert time.monotonic() - begun < 1
            server.resume()
            await pace.wait("a")


async def test_sixteen_tasks_are_spaced_evenly(redis: Redis) -> None:
    begun = time.monotonic()
    moments = await turns(shared(redis), 16)
    assert moments[0] - begun < 8 * INTERVAL
    assert moments[-1] - begun >= 15 * INTERVAL - 0.01
    assert sum(later - earlier < INTERVAL / 2 for earlier, later in pairwise(moments)) <= 2


async def test_a_pause_earns_no_burst(redis: Redis) -> None:
    pace = shared(redis)
    await pace.wait("a")
    await asyncio.sleep(5 * INTERVAL)
    moments = await turns(pace, 3)
    assert moments[-1] - moments[0] >= 2 * INTERVAL - 0.02


async def test_two_processes_share_one_pace(redis: Redis, redis_server: RedisServer) -> None:
    words = [sys.executable, "-m", "tests.redis.pacing", redis_server.url, "a", "20"]
    both = [await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    async with asyncio.timeout(20):
        printed = [(await one.communicate())[0] for one in both]
    moments = sorted(float(line) for lines in printed for line in lines.split())
    assert len(moments) == 40
    # One process started earlier, and had the pace to itself.
    for earlier, later in zip(moments, moments[10:], strict=False):
        assert later - earlier >= 10 * INTERVAL - 0.1


async def test_accounts_do_not_wait_for_each_other(redis: Redis) -> None:
    pace = shared(redis)
    begun = time.monotonic()
    await asyncio.gather(turns(pace, 5, "a"), turns(pace, 5, "b"), turns(pace, 5, None))
    assert time.monotonic() - begun < 10 * INTERVAL


async def test_only_the_clock_of_redis_counts(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    pace = shared(redis)
    await pace.wait("a")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    moments = await turns(pace, 3)
    assert 2 * INTERVAL - 0.02 <= moments[-1] - moments[0] < 1


async def test_a_failover_to_an_earlier_clock_delays_nothing(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    pace = shared(redis)
    await pace.wait("a")
    (key,) = await redis.keys()
    hour = int(await redis.get(key) or 0) + 3_600_000_000
    await redis.set(key, hour)
    async with asyncio.timeout(10):
        await turns(pace, 2)


async def test_cancelled_waits_waste_at_most_one_turn(redis: Redis) -> None:
    pace, begun = shared(redis), time.monotonic()
    waiting = [asyncio.create_task(pace.wait("a")) for _ in range(50)]
    await asyncio.sleep(INTERVAL / 2)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await pace.wait("a")
    assert time.monotonic() - begun < 20 * INTERVAL


async def test_keys_expire_and_do_not_reveal_the_account(redis: Redis) -> None:
    await shared(redis).wait("0000123456-00001")
    (key,) = await redis.keys()
    assert b"0000123456" not in key
    assert 0 < await redis.pttl(key) <= 2 * INTERVAL * 1000
