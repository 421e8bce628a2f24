"""The simulator's clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

__all__ = ["Clock"]

_LAST_YEAR: Final = 2999
"""The last year of the clock. Due dates after it still fit a datetime."""
_LONGEST_STEP: Final = timedelta(days=366 * 1000)
"""A cap on steps, which prevents an overflow before the check of the year."""


class Clock:
    """Simulated time. It runs at `speed`, in real time by default, and can jump forward."""

    def __init__(self, start: datetime, moved: Callable[[], None] = lambda: None) -> None:
        if start.tzinfo is None:
            raise ValueError("the simulator's start needs a time zone: pass an aware datetime")
        self._moved = moved
        self._reached = start
        self._since = time.monotonic()
        self._speed = 1.0

    def now(self) -> datetime:
        """Return the simulated time."""
        return self._reached + timedelta(seconds=(time.monotonic() - self._since) * self._speed)

    @property
    def speed(self) -> float:
        """Simulated seconds per real second. At 0, only `advance` moves the clock."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not (math.isfinite(speed) and speed >= 0):
            raise ValueError("the clock's speed must be 0 or a positive number")
        self._rebase(self.now())
        self._speed = speed
        self._moved()

    def advance(self, by: timedelta | float) -> None:
        """Jump forward by a timedelta or a number of seconds."""
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if step < timedelta():
            raise ValueError("the simulator's clock cannot go back")
        reached = self.now() + min(step, _LONGEST_STEP)
        if reached.year > _LAST_YEAR:
            raise ValueError(f"the simulator's clock cannot pass the year {_LAST_YEAR}")
        self._rebase(reached)
        self._moved()

    def advance_to(self, moment: datetime) -> None:
        """Jump forward to a time."""
        self.advance(moment - self.now())

    def _rebase(self, reached: datetime) -> None:
        self._reached, self._since = reached, time.monotonic()
