"""Progress of fleet runs."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import attrs

from thingspace_async.devices.fleet.results import FleetResult

__all__ = ["FleetProgress", "Tally"]


@attrs.frozen(kw_only=True)
class FleetProgress:
    """Progress of one worker with its part of a run, in devices."""

    done: int = 0
    """Devices whose outcome was returned."""
    failed: int = 0
    missing: int = 0
    unknown: int = 0
    not_sent: int = 0
    waiting: int = 0
    """Accepted devices without an outcome."""
    total: int | None = None
    """All devices of this worker, or None while unknown. It may be too high until all devices are read: devices of
    other workers, and duplicates, count until then."""
    rate: float = 0.0
    """Outcomes per second, over the last minute."""

    @property
    def succeeded(self) -> int:
        """Devices that succeeded."""
        return self.done - self.failed - self.missing - self.unknown - self.not_sent

    @property
    def eta(self) -> timedelta | None:
        """Estimated time for the rest at this rate, or None while unknown."""
        if self.total is None or not self.rate:
            return None
        return timedelta(seconds=(self.total - self.done) / self.rate)


_WINDOW: Final = 60


class _Rate:
    """Events per second, over the last minute or since the first one."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._seconds: deque[tuple[int, int]] = deque([(0, 0)])
        """For seconds with events: their start, and the number of earlier events."""

    def after(self, count: int) -> float:
        """Return the rate after a total number of events."""
        elapsed = time.monotonic() - self._began
        if int(elapsed) > self._seconds[-1][0]:
            self._seconds.append((int(elapsed), count))
            while len(self._seconds) > 1 and self._seconds[1][0] <= elapsed - _WINDOW:
                self._seconds.popleft()
        since, before = self._seconds[0]
        return (count - before) / max(elapsed - since, 0.001)


class Tally:
    """Counts the devices of a worker."""

    def __init__(self, on_progress: Callable[[FleetProgress], object] | None, given: int | None) -> None:
        self._on_progress = on_progress
        self._given = given
        """Number of devices that the caller passed, including duplicates, or None if unknown."""
        self._own = 0
        self._earlier: int | None = None
        """Devices of earlier runs that are not taken over yet, or None while unknown."""
        self._results: Counter[FleetResult] = Counter()
        self._waiting = 0
        self._rate = _Rate()

    def add(self, count: int, *, earlier: int) -> None:
        """Count devices of a batch that this worker has claimed or taken over. `earlier` were counted before."""
        self._own += count
        self._earlier = None if self._earlier is None else self._earlier - earlier
        self._show()

    def drop(self, count: int, *, awaited: bool) -> None:
        """Count devices that another worker has taken over."""
        self._own -= count
        self._waiting -= count if awaited else 0

    def wait(self, count: int) -> None:
        """Count devices that were accepted."""
        self._waiting += count
        self._show()

    def give(self, result: FleetResult, *, awaited: bool) -> None:
        """Count an outcome that is returned to the caller."""
        self._results[result] += 1
        self._waiting -= awaited
        self._show()

    def know_all(self, change: int) -> None:
        """Record that no more devices will be claimed, and add devices of earlier runs to take over."""
        self._earlier = (self._earlier or 0) + change
        self._show()  # It may be the last change of the total.

    def _show(self) -> None:
        if self._on_progress is None:
            return
        done = self._results.total()
        self._on_progress(
            FleetProgress(
                done=done,
                failed=self._results[FleetResult.FAILED],
                missing=self._results[FleetResult.MISSING],
                unknown=self._results[FleetResult.UNKNOWN],
                not_sent=self._results[FleetResult.NOT_SENT],
                waiting=self._waiting,
                total=self._total,
                rate=self._rate.after(done),
            )
        )

    @property
    def _total(self) -> int | None:
        if self._earlier is not None:
            return self._own + self._earlier
        # It is unknown which of the devices seen before are duplicates, and which belong to an earlier run.
        return None if self._given is None else max(self._own, self._given)
