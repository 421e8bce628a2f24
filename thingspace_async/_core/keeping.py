"""Hand secrets that the platform shows only once to their keeper, before anything else can fail."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, TypeVar

from thingspace_async.errors import InvalidRequest, SecretNotKept

__all__ = ["Keep", "check_keep", "hand_over"]

T = TypeVar("T")

Keep: TypeAlias = Callable[[T], Awaitable[None] | None]
"""Stores a secret durably. A function or a coroutine function."""

KEEP_WITHIN: Final = 120.0
"""Seconds for a keeper to store a secret."""

_log: Final = logging.getLogger("thingspace_async")


def check_keep(call: str, keep: object) -> None:
    """Raise InvalidRequest unless a keeper is a function."""
    if not callable(keep):
        raise InvalidRequest(f"{call}: keep must be a function or coroutine function, not {type(keep).__name__}")


async def hand_over(call: str, what: str, secret: T, keep: Keep[T]) -> None:
    """Have a secret stored. Raises SecretNotKept with the secret if the keeper fails or takes too long."""
    try:
        async with asyncio.timeout(KEEP_WITHIN):
            if inspect.isawaitable(kept := keep(secret)):
                await kept
    except BaseException as error:
        if _ends_the_task(error):
            _log.error("%s: the event loop ended before keep had stored %s", call, what)
            raise
        # Without the error's text, which may show the secret.
        reason = type(error).__name__
        raise SecretNotKept(
            f"{call}: keep did not store {what} ({reason}): store the `secret` of this error now", secret=secret
        ) from error


def _ends_the_task(error: BaseException) -> bool:
    """Return whether the program ends, or asked this task to end. A keeper may await a task that was cancelled."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return not isinstance(error, Exception)
