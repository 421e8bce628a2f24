"""Whatever the order of events: one log-in at a time, and never a token older than the one rejected."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from tests.redis.servers import RedisServer
from tests.redis.sharing import user
from thingspace_async._store import Token, UserStore
from thingspace_async._types import Secret
from thingspace_async.redis import _lock, _tokens

WORKERS = 3


@attrs.define
class Worker:
    """One worker, what it holds, and what it is doing."""

    store: UserStore
    known: Token | None = None
    rejected: Token | None = None
    task: asyncio.Task[None] | None = None
    gate: asyncio.Event = attrs.Factory(asyncio.Event)


class World:
    """Workers with one Redis, and a platform that numbers its tokens."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.workers = [Worker(user(redis)) for _ in range(WORKERS)]
        self.numbers = itertools.count(1)
        self.under_way: set[int] = set()
        self.latest_rejected = 0

    def ask(self, index: int, *, anew: bool = False) -> None:
        """Have a worker get a token."""
        worker = self.workers[index]
        if worker.task is None or worker.task.done():
            worker.gate = asyncio.Event()
            worker.task = asyncio.create_task(self._get(index, anew=anew))

    async def _get(self, index: int, *, anew: bool) -> None:
        worker = self.workers[index]

        async def fetch() -> Token:
            self.under_way.add(index)
            assert len(self.under_way) == 1, "two log-ins at once"
            try:
                await worker.gate.wait()
                return Token(Secret(str(next(self.numbers))))
            finally:
                self.under_way.discard(index)

        floor = self.latest_rejected
        token = await worker.store.token("session", fetch, known=worker.known, rejected=worker.rejected, anew=anew)
        number = int(token.secret.reveal())
        assert number > floor, "an older token than the one rejected"
        assert token.mark is not None
        worker.known, worker.rejected = token, None

    async def end(self, index: int) -> None:
        """Have a log-in end, if there is one."""
        self.workers[index].gate.set()

    async def reject(self, index: int) -> None:
        """Have the platform reject what a worker holds, which then asks for another."""
        worker = self.workers[index]
        if worker.known is not None and (worker.task is None or worker.task.done()):
            self.latest_rejected = max(self.latest_rejected, int(worker.known.secret.reveal()))
            worker.rejected, worker.known = worker.known, None
            self.ask(index)

    async def crash(self, index: int) -> None:
        """Have a worker vanish without a word, and its lock run out; another one takes its place."""
        worker = self.workers[index]
        if worker.task is not None and not worker.task.done():
            with pytest.MonkeyPatch.context() as silent:
                silent.setattr(_lock.Lock, "release", _say_nothing)
                worker.task.cancel()
                await asyncio.wait([worker.task])
            if not self.under_way:  # Else the lock is another's.
                await self.redis.delete(*await self.redis.keys("*lock:session"), "none")
        self.workers[index] = Worker(user(self.redis))

    async def expire(self) -> None:
        """Have the shared token's time run out."""
        for key in await self.redis.keys("*token:session"):
            await self.redis.hdel(key, "value")

    async def finish(self) -> None:
        """Let all that is under way come to its end."""
        tasks = [worker.task for worker in self.workers if worker.task is not None]
        for worker in self.workers:
            worker.gate.set()
        if tasks:
            async with asyncio.timeout(5):
                await asyncio.gather(*tasks)


async def _say_nothing(lock: _lock.Lock) -> None:
    """Do nothing, as a process that was killed does."""


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "anew", "end", "reject", "crash", "expire", "pause"]), st.integers(0, WORKERS - 1)
    ),
    max_size=25,
)


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_lock, "LOCKED", 1.0)
        patch.setattr(_tokens, "_CHECK_AFTER", 0.0)
        yield


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS)
def test_at_most_one_log_in_is_under_way_and_no_rejected_token_comes_back(
    redis_server: RedisServer, events: list[tuple[str, int]]
) -> None:
    asyncio.run(_live_through(redis_server, events))


async def _live_through(redis_server: RedisServer, events: list[tuple[str, int]]) -> None:
    async with Redis.from_url(redis_server.url) as redis:
        await redis.flushall()
        world = World(redis)
        for event, index in events:
            if event in ("ask", "anew"):
                world.ask(index, anew=event == "anew")
            elif event == "expire":
                await world.expire()
            elif event != "pause":
                await getattr(world, event)(index)
            await asyncio.sleep(0.003)
            for worker in world.workers:
                if worker.task is not None and worker.task.done():
                    worker.task.result()
        await world.finish()
