"""The simulator's time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

__all__ = ["Clock"]


class Clock:
    """Simulated time: it goes on as real time does, and jumps when told to."""

    def __init__(self, start: datetime, moved: Callable[[], None] = lambda: None) -> None:
        if start.tzinfo is None:
            raise ValueError("the simulator's start needs a time zone")
        self._moved = moved
        self._start = start
        self._begun = time.monotonic()
        self._advanced = timedelta()

    def now(self) -> datetime:
        """Return the simulated time."""
        return self._start + timedelta(seconds=time.monotonic() - self._begun) + self._advanced

    def advance(self, by: timedelta | float) -> None:
        """Jump forward by a duration, or by seconds."""
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if step < timedelta():
            raise ValueError("the simulator's clock only goes forward")
        self._advanced += step
        self._moved()
