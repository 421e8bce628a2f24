"""Scheduled actions of the simulated platform: single, repeated, or in stages.

One heap holds all of them in time order, including those of `Ticker`, `Progress` and late requests.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from thingspace_async.simulator.clock import Clock

__all__ = ["Agenda", "Daily", "Progress", "Stage", "Ticker"]


class Agenda:
    """Scheduled actions, soonest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._heap: list[tuple[datetime, int, Callable[[], object]]] = []
        self.on_change: Callable[[], object] = lambda: None
        """Called when the next action may be due sooner than before."""

    @property
    def due(self) -> datetime | None:
        """When the next action is due; None without any."""
        return self._heap[0][0] if self._heap else None

    def put(self, moment: datetime, do: Callable[[], object]) -> None:
        """Schedule an action."""
        heapq.heappush(self._heap, (moment, next(self._numbers), do))
        self.on_change()

    def settle(self) -> None:
        """Carry out all due actions."""
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            _, _, do = heapq.heappop(self._heap)
            do()


class Ticker:
    """Repeats an action at an interval, until its end or until it is stopped."""

    def __init__(
        self, agenda: Agenda, begin: datetime, every: timedelta, do: Callable[[datetime], object], *, end: datetime
    ) -> None:
        if every <= timedelta():
            raise ValueError("a ticker's interval must be positive")
        self._agenda, self._every, self._do, self._end = agenda, every, do, end
        self.running: bool = True
        self._wait(begin + every)

    def stop(self) -> None:
        """Stop ticking."""
        self.running = False

    def _wait(self, moment: datetime) -> None:
        if moment <= self._end:
            self._agenda.put(moment, lambda: self._tick(moment))
        else:
            self.running = False

    def _tick(self, moment: datetime) -> None:
        if self.running:
            self._do(moment)
            self._wait(moment + self._every)


_MOST_DAYS: Final = timedelta(days=31)


class Daily:
    """Repeats an action every day at an hour (UTC), as long as it returns True. `start` begins again.

    After a longer jump of the clock, it makes up for the last 31 days only.
    """

    def __init__(self, agenda: Agenda, clock: Clock, hour: int, do: Callable[[datetime], bool]) -> None:
        self._agenda, self._clock, self._hour, self._do = agenda, clock, hour, do
        self.running: bool = False

    def start(self) -> None:
        """Begin at the next hour of the day, unless it is running."""
        if not self.running:
            self.running = True
            self._wait(self._clock.now())

    def _wait(self, after: datetime) -> None:
        after = max(after, self._clock.now() - _MOST_DAYS).astimezone(UTC)
        moment = after.replace(hour=self._hour, minute=0, second=0, microsecond=0)
        if moment <= after:
            moment += timedelta(days=1)
        self._agenda.put(moment, lambda: self._act(moment))

    def _act(self, moment: datetime) -> None:
        if self._do(moment):
            self._wait(moment)
        else:
            self.running = False


@attrs.frozen
class Stage:
    """A state and its duration."""

    state: str
    lasts: timedelta


class Progress:
    """Moves through stages by the clock, and ends in a last state."""

    def __init__(
        self,
        agenda: Agenda,
        begin: datetime,
        stages: Sequence[Stage],
        last: str,
        *,
        changed: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._agenda, self._changed = agenda, changed
        self._stages, self._last = tuple(stages), last
        self.state: str = ""
        self.done: bool = False
        self._enter(begin, 0)

    def end(self, state: str) -> None:
        """Go directly to a last state, for a cancellation or a failure."""
        self.state, self.done = state, True
        self._changed(state)

    def _enter(self, moment: datetime, place: int) -> None:
        if self.done:
            return
        if place == len(self._stages):
            self.end(self._last)
            return
        stage = self._stages[place]
        self.state, after = stage.state, moment + stage.lasts
        self._changed(stage.state)
        self._agenda.put(after, lambda: self._enter(after, place + 1))
