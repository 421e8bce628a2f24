"""Sessions that share a store, and a source of tokens for them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from redis.asyncio import Redis, RedisCluster

from thingspace_async._core.store import Identity, LogOut, Token, UserStore
from thingspace_async._core.types import Secret
from thingspace_async.redis import RedisStore

IDENTITY: Final = Identity(host="thingspace.test", client_id="key", username="user")


class Source:
    """Issues tokens, and counts how many callers ask for one at the same time."""

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
    """Return one worker's store of the user. Each worker has its own RedisStore, as if it were a process of its own."""
    return RedisStore(redis, **options).of(IDENTITY)  # type: ignore[arg-type]  # of any kind


@asynccontextmanager
async def entered(
    redis: Redis | RedisCluster, *, log_out: LogOut = "never", **options: object
) -> AsyncIterator[UserStore]:
    """Enter a worker, and let it leave after the block."""
    worker = user(redis, **options)
    try:
        await worker.enter()
        yield worker
    finally:
        await worker.leave(None, log_out)
