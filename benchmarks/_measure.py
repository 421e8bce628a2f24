"""Paired measurements, and the rows of the table.

Our code and its floor take turns in one process, and each pair gives one ratio. A slowdown of the machine then affects
both. The garbage collector stays on, as for users. It runs before each measurement, so that neither side pays for the
other's garbage.
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
    """The limit that a benchmark must meet."""

    value: float
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        """Return whether a measured value meets it."""
        return value >= self.value if self.at_least else value <= self.value


@attrs.frozen(kw_only=True)
class Row:
    """A row of the table. The bar applies to the median of the values; their range is shown."""

    what: str
    ours: str = ""
    floor: str = ""
    values: Sequence[float]
    unit: str = "x"
    bar: Bar | None = None
    """None for a row without a limit."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as strings, in the order of the table's columns."""
        found = median(self.values)
        spread = f"{min(self.values):.3g}-{max(self.values):.3g}"
        bar = met = ""
        if self.bar is not None:
            bar = f"{'>=' if self.bar.at_least else '<='} {self.bar.value:g} {self.unit}"
            met = "yes" if self.bar.met_by(found) else "NO"
        return self.what, self.ours, self.floor, f"{found:.4g} {self.unit}", spread, bar, met


@attrs.frozen
class Pairs:
    """Seconds of our code and of its floor, pair by pair."""

    ours: Sequence[float]
    floor: Sequence[float]


def pairs(ours: Callable[[], object], floor: Callable[[], object], *, count: int) -> Pairs:
    """Measure the CPU time of two functions that take turns. Freeing their results is not measured."""
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
    """Measure two coroutine functions that take turns, with the given clock."""
    spent: tuple[list[float], list[float]] = [], []
    for _ in range(count):
        for work, times in zip((ours, floor), spent, strict=True):
            gc.collect()
            started = clock()
            await work()
            times.append(clock() - started)
    return Pairs(*spent)


def row(what: str, measured: Pairs, *, per: int = 1, bar: Bar | None = None) -> Row:
    """Make a row of the ratios. `per` is the number of calls per measurement: the row shows the time of one call."""
    return Row(
        what=what,
        ours=duration(median(measured.ours) / per),
        floor=duration(median(measured.floor) / per),
        values=[one / other for one, other in zip(measured.ours, measured.floor, strict=True)],
        bar=bar,
    )


def duration(seconds: float) -> str:
    """Format seconds in a suitable unit."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.2f} s"
