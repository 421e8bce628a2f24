"""Worker processes. They are forked, because the imports would take longer than their work."""

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
    """A forked process, and the pipe for its result."""

    number: int
    reading: int

    async def result(self) -> Any:
        """Wait for the process to end; None if it was killed.

        The event loop reads, not a thread: Python 3.15 warns if a process with threads forks again.
        """
        reader = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(self.reading, "rb", buffering=0)
        )
        try:
            text = await reader.read()
        finally:
            pipe.close()
        os.waitpid(self.number, 0)  # noqa: ASYNC222  # It ends at once: its end of the pipe is closed.
        return pickle.loads(text) if text else None

    def kill(self) -> None:
        """Kill the process, as the out-of-memory killer would."""
        os.kill(self.number, signal.SIGKILL)


def fork(work: Callable[[], Awaitable[Any]]) -> Child:
    """Run `work` in a forked process. Its result is the return value, or the ThingSpaceError that was raised."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        return Child(child, reading)
    status = 1
    try:
        # In the child, asyncio still takes the parent's loop to be running.
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
    """Open a session, await `before`, make calls, and return how many succeeded."""
    async with Redis.from_url(url) as client:
        store = RedisStore(client, **options)
        async with Session(credentials, environment=environment, store=store, log_out="never") as session:
            if before is not None:
                await before()
            for _ in range(calls):
                await session.accounts.get(NAME)
    return calls
