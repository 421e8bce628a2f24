"""The progress bar of a run, and the counts of a fleet run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from thingspace_async._cli._printing import printing
from thingspace_async.devices.fleet import FleetProgress

__all__ = ["Counts", "bar", "rest_of_fleet"]

_INTERVAL: Final = 0.1
"""Seconds between redraws, because a run reports every device, more often than people can follow."""


class Counts(Protocol):
    """Progress in devices."""

    @property
    def done(self) -> int:
        """Devices that are done."""
        ...

    @property
    def total(self) -> int | None:
        """All devices, or None while unknown."""
        ...


P = TypeVar("P", bound=Counts)


@contextmanager
def bar(console: Console, rest: Callable[[P], str]) -> Iterator[Callable[[P], None]]:
    """Show a progress bar during the block. `rest` describes what to show next to it."""
    columns = (TextColumn("devices"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rest]}"))
    shown = Console(quiet=True) if printing.quiet else console
    with Progress(*columns, TimeElapsedColumn(), console=shown) as progress:
        task = progress.add_task("devices", total=None, rest="")
        drawn = 0.0
        latest: P | None = None

        def show(now: P) -> None:
            nonlocal drawn, latest
            latest = now
            if time.monotonic() - drawn >= _INTERVAL:
                drawn = time.monotonic()
                progress.update(task, completed=now.done, total=now.total, rest=rest(now))

        try:
            yield show
        finally:
            if latest is not None:
                progress.update(task, completed=latest.done, total=latest.total, rest=rest(latest))


def rest_of_fleet(now: FleetProgress) -> str:
    """Describe the counts next to the bar."""
    counts = {
        "failed": now.failed,
        "missing": now.missing,
        "unknown": now.unknown,
        "not sent": now.not_sent,
        "waiting": now.waiting,
    }
    parts = [f"{count:,} {name}" for name, count in counts.items() if count]
    if now.eta is not None and now.eta.total_seconds() >= 1:
        parts.append(f"about {_span(int(now.eta.total_seconds()))} left")
    return ", ".join(parts)


def _span(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
