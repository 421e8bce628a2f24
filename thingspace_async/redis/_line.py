"""The way to Redis: nothing waits long for it, and nobody tries it all the time while it is away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

from thingspace_async._tasks import cancellable, end
from thingspace_async.redis._faults import FAULTS, unavailable
from thingspace_async.redis._scripts import Argument, Client, Script

__all__ = ["Away", "Line", "beating"]

T = TypeVar("T")

_log: Final = logging.getLogger("thingspace_async")

WITHIN: Final = 1.0
"""Seconds for a command."""


class Away(Exception):
    """Redis is away; the text says why, and what to do."""


class Line:
    """Sends commands to Redis; raises Away for each that fails, and for all within `pause` seconds after it."""

    def __init__(self, client: Client, *, pause: float) -> None:
        self.client = client
        self._pause = pause
        self._why: str | None = None
        self._again = 0.0

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument] = ()) -> Any:
        """Run a script within a second."""
        return await self.ask(lambda: script(self.client, keys, args))

    async def ask(self, work: Callable[[], Awaitable[T]], *, blocking: float = 0.0) -> T:
        """Do some work within a second, and the seconds for which it blocks."""
        if self._why is not None:
            if time.monotonic() < self._again:
                raise Away(self._why)
            self._again = time.monotonic() + self._pause  # One tries; the others go on without meanwhile.
        try:
            async with asyncio.timeout(WITHIN + blocking):
                with cancellable():
                    answer = await work()
        except FAULTS as error:
            why = unavailable(error)
        else:
            self._note(None)
            return answer
        self._note(why)
        raise Away(why)  # Not chained: what redis-py raises, and its frames, may repeat what was sent.

    def _note(self, why: str | None) -> None:
        """Tell the log once when Redis goes away, and once when it is back."""
        if why is not None and self._why is None:
            _log.warning("what is shared cannot be reached until it is back: %s", why)
        if why is None and self._why is not None:
            _log.info("Redis is back: tokens are shared again")
        self._why, self._again = why, time.monotonic() + self._pause


@asynccontextmanager
async def beating(beat: Callable[[], Awaitable[object]], every: float) -> AsyncGenerator[None]:
    """Do something each so many seconds, whether or not Redis is away."""

    async def go_on() -> None:
        while True:
            await asyncio.sleep(every)
            with suppress(Away):
                await beat()

    task = asyncio.get_running_loop().create_task(go_on())
    try:
        yield
    finally:
        await end(task)
