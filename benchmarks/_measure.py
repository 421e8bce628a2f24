"""Measuring in pairs, and the rows that come of it.

Ours and its floor take turns in one process, and each pair gives one ratio: whatever slows the machine down for a while
slows both. The garbage collector stays on, as it does for users; it is run before each measurement, or the garbage of
one side would be collected at the cost of the other.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median

import attrs

__all__ = ["Bar", "Pairs", "Row", "async_pairs", "pairs", "row"]


@attrs.frozen
class Bar:
    """What a benchmark has to reach."""

    value: float
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        """Say whether a measured value reaches it."""
        return value >= self.value if self.at_least else value <= self.value


@attrs.frozen(kw_only=True)
class Row:
    """A row of the table: of all values the median counts, and the spread is shown."""

    what: str
    ours: str = ""
    floor: str = ""
    values: Sequence[float]
    unit: str = "x"
    bar: Bar | None = None
    """None for what is measured for information."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as texts, in the order of the table's columns."""
        found = median(self.values)
        spread = f"{min(self.values):.3g}-{max(self.values):.3g}"
        bar = met = ""
        if self.bar is not None:
            bar = f"{'>=' if self.bar.at_least else '<='} {self.bar.value:g} {self.unit}"
            met = "yes" if self.bar.met_by(found) else "NO"
        return self.what, self.ours, self.floor, f"{found:.4g} {self.unit}", spread, bar, met


@attrs.frozen
class Pairs:
    """Seconds of ours and of its floor, pair by pair."""

    ours: Sequence[float]
    floor: Sequence[float]


def pairs(ours: Callable[[], object], floor: Callable[[], object], *, count: int) -> Pairs:
    """Measure the CPU time of two functions that take turns; what they return is freed outside of the measurement."""
    spent: tuple[list[float], list[float]] = [], []
    for _ in range(count):
        for work, times in zip((ours, floor), spent, strict=True):
            gc.collect()
            started = time.process_time()
            result = work()
            times.append(time.process_time() - started)
            del result
    return Pairs(*spent)


async def async_pairs(
    ours: Callable[[], Awaitable[object]],
    floor: Callable[[], Awaitable[object]],
    *,
    count: int,
    clock: Callable[[], float],
) -> Pairs:
    """Measure two coroutine functions that take turns, by a clock."""
    spent: tuple[list[float], list[float]] = [], []
    for _ in range(count):
        for work, times in zip((ours, floor), spent, strict=True):
            gc.collect()
            started = clock()
            await work()
            times.append(clock() - started)
    return Pairs(*spent)


def row(what: str, measured: Pairs, *, per: int = 1, bar: Bar | None = None) -> Row:
    """Make a row of the ratios; `per` is the number of calls in one measurement, whose time is shown."""
    return Row(
        what=what,
        ours=duration(median(measured.ours) / per),
        floor=duration(median(measured.floor) / per),
        values=[one / other for one, other in zip(measured.ours, measured.floor, strict=True)],
        bar=bar,
    )


def duration(seconds: float) -> str:
    """Write seconds in the unit that fits."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.2f} s"
