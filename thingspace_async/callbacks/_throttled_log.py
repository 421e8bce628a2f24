"""Limit the log lines that strangers can cause."""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable
from typing import Final

__all__ = ["ThrottledLog"]

_log: Final = logging.getLogger("thingspace_async")

_INTERVAL: Final = 1.0
"""Least seconds between two lines of one kind."""


class ThrottledLog:
    """Logs at most one line of each kind per second. The next line has the number of omitted ones."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, tuple[float, int]] = {}
        """When the next line may be logged, and the number of lines omitted since the last one."""

    def log(self, kind: Hashable, level: int, text: str, *args: object) -> None:
        """Log a line, unless one of its kind was logged less than a second ago."""
        now = time.monotonic()
        next_at, omitted = self._kinds.get(kind, (now, 0))
        if now < next_at:
            self._kinds[kind] = (next_at, omitted + 1)
            return
        self._kinds[kind] = (now + _INTERVAL, 0)
        _log.log(level, text + (f" ({omitted} more since the last such line)" if omitted else ""), *args)
