"""Run each conformance test in its own event loop, without importing pytest."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Final, TypeAlias, TypeVar

from thingspace_async.callbacks.inbox import Inbox

__all__ = ["OpenInbox", "raises", "runs_tests", "until"]

C = TypeVar("C", bound=type)

OpenInbox: TypeAlias = Callable[[], AbstractAsyncContextManager[Inbox]]
"""Opens an inbox of the store under test."""

_TEST_TIMEOUT: Final = 120.0
"""Seconds until a test fails because it hangs."""

_CONDITION_TIMEOUT: Final = 10.0
"""Seconds for a condition to become true on a busy machine."""


def runs_tests(suite: C) -> C:
    """Convert the async tests of a class to functions, so that pytest runs them without a plugin."""
    for name, test in list(vars(suite).items()):
        if name.startswith("test_") and inspect.iscoroutinefunction(test):
            setattr(suite, name, _as_function(test))
    return suite


def _as_function(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)  # Keeps the parameters, which are the fixtures.
    def run(*args: object, **fixtures: object) -> None:
        asyncio.run(_run(test(*args, **fixtures)))

    return run


async def _run(test: Coroutine[Any, Any, None]) -> None:
    """Await a test, and check that it leaves no task behind."""
    async with asyncio.timeout(_TEST_TIMEOUT):
        await test

    async def all_ended() -> bool:
        return asyncio.all_tasks() == {asyncio.current_task()}

    await until(all_ended, "the inbox leaves tasks behind")


async def until(condition: Callable[[], Awaitable[bool]], failure: str) -> None:
    """Wait for a condition. If it does not become true, fail with the text `failure`."""
    limit = asyncio.get_running_loop().time() + _CONDITION_TIMEOUT
    while not await condition():
        assert asyncio.get_running_loop().time() < limit, failure
        await asyncio.sleep(0.005)


@contextmanager
def raises(kind: type[Exception], words: str = "") -> Iterator[None]:
    """Fail unless the block raises an error of this class whose text contains these words."""
    text = None
    try:
        yield
    except kind as error:
        text = str(error)
    assert text is not None, f"{kind.__name__} was not raised"
    assert words in text, f"{words!r} is not in {text!r}"
