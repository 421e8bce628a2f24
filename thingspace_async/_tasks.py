"""Tasks that must end before others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["cancellable", "end", "outlast"]


@contextmanager
def cancellable() -> Iterator[None]:
    """Raise the cancellation that a block has lost, as `end` says of Python 3.11: who cancels once waits for ever."""
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


async def outlast(task: asyncio.Task[Any]) -> None:
    """Wait for a task to end, which its own time limits bound, and only then pass a cancellation on."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # Who was cancelled hears of it no more.
        raise cancelled


async def end(task: asyncio.Task[Any], *, patience: float = 0.1) -> None:
    """Cancel a task until it has ended; `patience` is the seconds that its clean-up is given.

    More than once, for Python 3.11's asyncio.wait_for, which libraries send with, may lose a cancellation
    (https://github.com/python/cpython/issues/86296).
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        task.cancel()
        try:
            await asyncio.wait([task], timeout=patience)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
