"""In any order of events, there is one login at a time, and no session gets a token older than the rejected one."""

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
from thingspace_async._core.store import Token, UserStore
from thingspace_async._core.types import Secret
from thingspace_async.redis import _lock, _tokens

WORKERS = 3


@attrs.define
class Worker:
    """One worker, its token, and its task."""

    store: UserStore
    known: Token | None = None
    rejected: Token | None = None
    task: asyncio.Task[None] | None = None
    gate: asyncio.Event = attrs.Factory(asyncio.Event)


class World:
    """Workers that share one Redis, and a platform that numbers its tokens."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.workers = [Worker(user(redis)) for _ in range(WORKERS)]
        self.numbers = itertools.count(1)
        self.logging_in: set[int] = set()
        self.latest_rejected = 0

    def ask(self, index: int, *, force_new: bool = False) -> None:
        """Let a worker get a token."""
        worker = self.workers[index]
        if worker.task is None or worker.task.done():
            worker.gate = asyncio.Event()
            worker.task = asyncio.create_task(self._get(index, force_new=force_new))

    async def _get(self, index: int, *, force_new: bool) -> None:
        worker = self.workers[index]

        async def fetch() -> Token:
            self.logging_in.add(index)
            assert len(self.logging_in) == 1, "two logins at once"
            try:
                await worker.gate.wait()
                return Token(Secret(str(next(self.numbers))))
            finally:
                self.logging_in.discard(index)

        floor = self.latest_rejected
        token = await worker.store.token(
            "session", fetch, known=worker.known, rejected=worker.rejected, force_new=force_new
        )
        number = int(token.secret.reveal())
        assert number > floor, "an older token than the one rejected"
        assert token.mark is not None
        worker.known, worker.rejected = token, None

    async def end(self, index: int) -> None:
        """End the login of a worker, if there is one."""
        self.workers[index].gate.set()

    async def reject(self, index: int) -> None:
        """Let the platform reject the token of a worker, which then gets another one."""
        worker = self.workers[index]
        if worker.known is not None and (worker.task is None or worker.task.done()):
            self.latest_rejected = max(self.latest_rejected, int(worker.known.secret.reveal()))
            worker.rejected, worker.known = worker.known, None
            self.ask(index)

    async def crash(self, index: int) -> None:
        """Kill a worker, let its lock expire, and replace the worker."""
        worker = self.workers[index]
        if worker.task is not None and not worker.task.done():
            with pytest.MonkeyPatch.context() as silent:
                silent.setattr(_lock.Lock, "release", _do_not_release)
                worker.task.cancel()
                await asyncio.wait([worker.task])
            if not self.logging_in:  # Otherwise another worker has the lock.
                await self.redis.delete(*await self.redis.keys("*lock:session"), "none")
        self.workers[index] = Worker(user(self.redis))

    async def expire(self) -> None:
        """Let the shared token expire."""
        for key in await self.redis.keys("*token:session"):
            await self.redis.hdel(key, "value")

    async def finish(self) -> None:
        """Let all logins end, and wait for the workers."""
        tasks = [worker.task for worker in self.workers if worker.task is not None]
        for worker in self.workers:
            worker.gate.set()
        if tasks:
            async with asyncio.timeout(5):
                await asyncio.gather(*tasks)


async def _do_not_release(lock: _lock.Lock) -> None:
    """Do nothing, like a process that was killed."""


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "force_new", "end", "reject", "crash", "expire", "pause"]), st.integers(0, WORKERS - 1)
    ),
    max_size=25,
)


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_lock, "LOCK_EXPIRES", 1.0)
        patch.setattr(_tokens, "_CHECK_AFTER", 0.0)
        yield


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS)
def test_one_login_at_a_time_and_no_rejected_token_comes_back(
    redis_server: RedisServer, events: list[tuple[str, int]]
) -> None:
    asyncio.run(_live_through(redis_server, events))


async def _live_through(redis_server: RedisServer, events: list[tuple[str, int]]) -> None:
    async with Redis.from_url(redis_server.url) as redis:
        await redis.flushall()
        world = World(redis)
        for event, index in events:
            if event in ("ask", "force_new"):
                world.ask(index, force_new=event == "force_new")
            elif event == "expire":
                await world.expire()
            elif event != "pause":
                await getattr(world, event)(index)
            await asyncio.sleep(0.003)
            for worker in world.workers:
                if worker.task is not None and worker.task.done():
                    worker.task.result()
        await world.finish()
