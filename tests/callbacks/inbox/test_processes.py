"""Inboxes on servers, used by several processes."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from statistics import median

import pytest
from redis.asyncio import Redis

from tests.callbacks.inbox.making import devices, taken
from tests.callbacks.inbox.opening import opened
from tests.postgres.servers import needs_postgres
from tests.redis.servers import RedisServer, needs_redis
from thingspace_async.callbacks.inbox import BaseInbox
from thingspace_async.callbacks.messages import UnknownMessage

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=[pytest.param("redis", marks=needs_redis), pytest.param("postgres", marks=needs_postgres)])
def place(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty inbox on each kind of server."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres")
        return url
    emptied: Redis = request.getfixturevalue("redis")
    assert emptied
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url


@pytest.fixture
async def inbox(place: str) -> AsyncIterator[BaseInbox]:
    """Open the inbox."""
    async with opened(place) as inbox:
        yield inbox


@asynccontextmanager
async def _process(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()
        await started.communicate()


async def test_a_message_of_another_process_wakes_a_follower(place: str, inbox: BaseInbox) -> None:
    spent: list[float] = []
    async with (
        aclosing(inbox.follow("request")) as following,
        _process("tests.callbacks.inbox.storing", place, "30", "0.02"),
    ):
        while len(spent) < 30:
            received = await anext(following)
            assert isinstance(received.message, UnknownMessage)
            stored = received.message.body["stored"]
            assert isinstance(stored, float)
            spent.append(time.monotonic() - stored)
    assert min(spent) < 0.05
    assert median(spent) < 0.4, "polling would take longer (benchmarks measure it on an idle machine)"


async def test_killing_writers_and_followers_at_random_moments_loses_and_repeats_no_message(
    place: str, inbox: BaseInbox
) -> None:
    async with aclosing(inbox.follow("request")) as following:
        all_of_them = asyncio.create_task(taken(following, 2000))
        async with _process("tests.callbacks.inbox.crashing", place, "2000", "40") as crashing:
            for seconds in (0.7, 0.8, 0.9):
                async with _process("tests.callbacks.inbox.following", place):
                    await asyncio.sleep(seconds)
            out, _ = await crashing.communicate()
            assert crashing.returncode == 0
        kills, left = map(int, out.split())
        assert kills == 40
        assert left > 0, "the processes were killed before they had finished"
        assert sorted(await asyncio.wait_for(all_of_them, 5)) == list(range(2000))
    assert sorted(await devices(inbox.read())) == list(range(2000))
