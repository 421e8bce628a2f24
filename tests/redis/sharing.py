"""Sessions that share a store, and what the platform gives them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from redis.asyncio import Redis, RedisCluster

from thingspace_async._store import Identity, LogOut, Token, UserStore
from thingspace_async._types import Secret
from thingspace_async.redis import RedisStore

IDENTITY: Final = Identity(host="thingspace.test", client_id="key", username="user")


class Source:
    """Gives tokens out, and counts how many ask for one at the same time."""

    def __init__(self, seconds: float | None = None) -> None:
        self.given: list[Secret] = []
        self.most_at_once = 0
        self.seconds = seconds
        self.wait = 0.0
        self.error: Exception | None = None
        self.asked = 0
        self._now = 0
        self._numbers = itertools.count(1)

    async def fetch(self) -> Token:
        self.asked += 1
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(self.wait)
            if self.error is not None:
                raise self.error
        finally:
            self._now -= 1
        self.given.append(Secret(f"hush-token-{next(self._numbers)}"))
        return Token(self.given[-1], self.seconds)


def user(redis: Redis | RedisCluster, **options: object) -> UserStore:
    """Return what a worker has of a store: each has its own RedisStore, as its own process would."""
    return RedisStore(redis, **options).of(IDENTITY)  # type: ignore[arg-type]  # of any kind


@asynccontextmanager
async def entered(
    redis: Redis | RedisCluster, *, log_out: LogOut = "never", **options: object
) -> AsyncIterator[UserStore]:
    """Enter a worker, and have it leave."""
    worker = user(redis, **options)
    try:
        await worker.enter()
        yield worker
    finally:
        await worker.leave(None, log_out)
