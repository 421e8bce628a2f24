"""Helpers that wait for tasks to end, and keep cancellations."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["cancellable", "end", "wait_shielded"]


@contextmanager
def cancellable() -> Iterator[None]:
    """Re-raise a cancellation that the block swallowed, as `asyncio.wait_for` does on Python 3.11."""
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


async def wait_shielded(task: asyncio.Task[Any]) -> None:
    """Wait until a task has ended, even if cancelled, and only then raise the cancellation.

    The task must have a time limit.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # Retrieved, because the cancelled caller does not see it.
        raise cancelled


async def end(task: asyncio.Task[Any], *, patience: float = 0.1) -> None:
    """Cancel a task repeatedly until it has ended. `patience` is the pause between two cancellations, in seconds.

    One cancellation may not suffice: `asyncio.wait_for` on Python 3.11, which libraries use, can swallow it
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
