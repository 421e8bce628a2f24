"""A clock for leases, which setting the system time does not change."""

from __future__ import annotations

import sys
import time

__all__ = ["since_boot"]


def since_boot() -> float:
    """Return the seconds since the machine started, the same in all its processes.

    On Linux, this includes time while the machine was suspended.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
