"""Wake followers when other processes store messages on a server, and wait out the server's outages."""

from __future__ import annotations

import asyncio
import logging
import math
from abc import ABC, abstractmethod
from typing import Final

from thingspace_async._core.tasks import end
from thingspace_async.callbacks.inbox import Followers
from thingspace_async.errors import InboxUnavailable

__all__ = ["ErrorStreak", "Waker"]

_RETRY_INTERVAL: Final = 1.0
"""Seconds between attempts to reach the server."""

_LONGEST_OUTAGE: Final = 60.0
"""Seconds that a follower waits for the server. A failover takes less."""

_log: Final = logging.getLogger("thingspace_async")


class ErrorStreak:
    """Consecutive errors of one follower.

    They are counted for each follower, because one may fail while the server answers others, for example if their
    permissions differ.
    """

    def __init__(self) -> None:
        self._began = self._latest = -math.inf

    def record(self) -> bool:
        """Record an error, and return whether errors have gone on for more than a minute."""
        now = asyncio.get_running_loop().time()
        if now - self._latest > _LONGEST_OUTAGE / 2:
            self._began = now
        self._latest = now
        return now - self._began > _LONGEST_OUTAGE


class Waker(ABC):
    """The task that wakes the followers of one process. It runs from the first follower until `close`."""

    def __init__(self, followers: Followers, label: str, server_name: str) -> None:
        self._followers = followers
        self.label: Final = label
        """Names the inbox in errors and log lines."""
        self._server_name = server_name
        self._task: asyncio.Task[None] | None = None
        self._unreachable_since: float | None = None
        self._round_ended = asyncio.Event()

    @property
    @abstractmethod
    def has_answered(self) -> bool:
        """Whether the server has ever answered. Until then, an error is probably one of configuration."""

    def start(self) -> None:
        """Start the task if it is not running."""
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name=f"following in {self.label}")

    async def wait_until_reachable(self) -> None:
        """Wait until the server answers. Raises InboxUnavailable after an outage of more than a minute."""
        await self._round_ended.wait()
        if self._unreachable_since is not None:
            raise InboxUnavailable(
                f"{self.label} failed: {self._server_name} has been unreachable for more than {_LONGEST_OUTAGE:g} s"
            )

    async def close(self) -> None:
        """End the task."""
        task, self._task = self._task, None
        self._end_round()
        if task is not None:
            await end(task)

    @abstractmethod
    async def _listen(self) -> None:
        """Connect and call `_note_reachable`. Then wake followers in rounds, and end each with `_end_round`."""

    async def _watch(self) -> None:
        while True:
            try:
                await self._listen()
            except InboxUnavailable as error:
                self._note_unreachable(error)
                await asyncio.sleep(_RETRY_INTERVAL)

    def _note_reachable(self) -> None:
        if self._unreachable_since is not None:
            _log.info("%s is reachable again", self.label)
            self._unreachable_since = None
        self._followers.wake_all()

    def _note_unreachable(self, error: InboxUnavailable) -> None:
        now = asyncio.get_running_loop().time()
        if self._unreachable_since is None:
            _log.warning("followers wait until %s is reachable again: %s", self._server_name, error)
            self._unreachable_since = now
        elif now - self._unreachable_since > _LONGEST_OUTAGE:
            self._end_round()
            self._followers.wake_all()  # They read, and get the error.

    def _end_round(self) -> None:
        """Wake the followers in `wait_until_reachable`."""
        self._round_ended.set()
        self._round_ended.clear()
