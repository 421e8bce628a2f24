"""The circuit breaker: if Redis is unreachable, sessions neither wait long for it nor keep trying."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

from thingspace_async._core.tasks import cancellable, end
from thingspace_async.redis._faults import COMMAND_TIMEOUT, FAULTS, unavailable
from thingspace_async.redis._scripts import Argument, Client, Script

__all__ = ["Breaker", "RedisUnavailable", "repeating"]

T = TypeVar("T")

_log: Final = logging.getLogger("thingspace_async")


class RedisUnavailable(Exception):
    """Redis is unavailable; the message says why, and what to do."""


class Breaker:
    """Calls Redis. After a failed call, all calls of the next `pause` seconds fail at once with RedisUnavailable."""

    def __init__(self, client: Client, *, pause: float) -> None:
        self.client = client
        self._pause = pause
        self._why: str | None = None
        """Why Redis is unavailable; None outside an outage."""
        self._retry_at: float | None = None
        """When the pause ends; None after an answer."""

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument] = ()) -> Any:
        """Run a script."""
        return await self.call(lambda: script(self.client, keys, args), writes=script.writes)

    async def call(self, work: Callable[[], Awaitable[T]], *, blocking: float = 0.0, writes: bool = False) -> T:
        """Await `work` for at most a second, plus the seconds that it blocks in Redis.

        Only a success that `writes` ends an outage: a full Redis and a replica still answer everything else.
        """
        if self._why is not None and self._retry_at is not None:
            if time.monotonic() < self._retry_at:
                raise RedisUnavailable(self._why)
            self._retry_at = time.monotonic() + self._pause  # This task tries. The others go on without Redis.
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT + blocking):
                with cancellable():
                    answer = await work()
        except FAULTS as error:
            why = unavailable(error)
        else:
            self._note_answer(writes=writes)
            return answer
        self._note_fault(why)
        raise RedisUnavailable(why)  # Not chained: errors of redis-py and their frames may hold secrets.

    def _note_answer(self, *, writes: bool) -> None:
        """End the pause. Log the end of an outage once."""
        self._retry_at = None
        if writes and self._why is not None:
            self._why = None
            _log.info("Redis is back: sessions share their tokens again")

    def _note_fault(self, why: str) -> None:
        """Start a pause. Log the start of an outage once."""
        self._retry_at = time.monotonic() + self._pause
        if self._why is None:
            _log.warning("sessions share nothing until Redis is back: %s", why)
        self._why = why


@asynccontextmanager
async def repeating(work: Callable[[], Awaitable[object]], interval: float) -> AsyncGenerator[None]:
    """Await `work` every `interval` seconds during the block, even if Redis is unavailable."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(interval)
            with suppress(RedisUnavailable):
                await work()

    task = asyncio.get_running_loop().create_task(repeat())
    try:
        yield
    finally:
        await end(task)
