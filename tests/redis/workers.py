"""Worker processes: forked, since to import everything takes longer than what they do."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
from redis.asyncio import Redis

from thingspace_async import Credentials, Environment, Session
from thingspace_async.errors import ThingSpaceError
from thingspace_async.redis import RedisStore

__all__ = ["Child", "call", "fork"]

NAME: Final = "0000123456-00001"


@attrs.frozen
class Child:
    """A process that was forked, and where it writes what it has come to."""

    number: int
    reading: int

    async def result(self) -> Any:
        """Wait for it to end; None if it was killed."""
        text = await asyncio.to_thread(self._read)
        return pickle.loads(text) if text else None

    def _read(self) -> bytes:
        with os.fdopen(self.reading, "rb") as file:
            text = file.read()
        os.waitpid(self.number, 0)
        return text

    def kill(self) -> None:
        """End it as the system's out-of-memory killer would."""
        os.kill(self.number, signal.SIGKILL)


def fork(work: Callable[[], Awaitable[Any]]) -> Child:
    """Do work in a process of its own, on a loop of its own; its result is what it returns or raises of ours."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        return Child(child, reading)
    status = 1
    try:
        # The parent's loop is seen as running here, too, and its tasks never run.
        asyncio._set_running_loop(None)
        os.write(writing, pickle.dumps(asyncio.run(_outcome(work))))
        status = 0
    finally:
        sys.stdout.flush()
        os._exit(status)


async def _outcome(work: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await work()
    except ThingSpaceError as error:
        return error


async def call(
    url: str,
    credentials: Credentials,
    environment: Environment,
    *,
    calls: int,
    before: Callable[[], Awaitable[None]] | None = None,
    **options: Any,
) -> int:
    """Open a session, wait until all are there, make calls, and say how many succeeded."""
    async with Redis.from_url(url) as client:
        store = RedisStore(client, **options)
        async with Session(credentials, environment=environment, store=store, log_out="never") as session:
            if before is not None:
                await before()
            for _ in range(calls):
                await session.accounts.get(NAME)
    return calls
