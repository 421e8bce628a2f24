"""Helpers that wait for tasks to end, and keep cancellations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, TypeVar

__all__ = ["cancellable", "each_of", "end", "wait_shielded"]

T = TypeVar("T")
R = TypeVar("R")


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


async def each_of(
    items: Iterable[T] | AsyncIterable[T], work: Callable[[T], Coroutine[Any, Any, R]], *, at_once: int
) -> AsyncGenerator[R]:
    """Do the work for each item, a limited number at once, and yield the results as they arrive.

    An async generator of items is closed when this one is.
    """
    source = _iterated(items)
    running: set[asyncio.Task[R]] = set()
    try:
        async for item in source:
            running.add(asyncio.create_task(work(item)))
            if len(running) < at_once:
                continue
            for task in await _first(running):
                running.remove(task)  # Only now: those that are not yet yielded are ended below.
                yield task.result()
        while running:
            for task in await _first(running):
                running.remove(task)
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        for task in running:
            await end(task)
            if not task.cancelled():
                task.exception()  # Retrieved, because the caller has stopped reading.
        await source.aclose()


async def _first(tasks: set[asyncio.Task[R]]) -> set[asyncio.Task[R]]:
    """Wait until a task has ended, and return all that have."""
    return (await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))[0]


async def _iterated(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T]:
    if isinstance(items, AsyncGenerator):
        async with aclosing(items):
            async for item in items:
                yield item
    elif isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
