"""Wait for an inbox that is unavailable when a run starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from thingspace_async._core.outcomes import LedgerInbox
from thingspace_async.errors import InboxUnavailable, InboxUnusable, RunLost

__all__ = ["when_usable"]

T = TypeVar("T")

_FIRST_PAUSE: float = 1.0
_LONGEST_PAUSE: Final = 30.0


async def when_usable(
    work: Callable[[], Awaitable[T]],
    inbox: LedgerInbox,
    give_up_after: float,
    note: Callable[[InboxUnavailable], object],
) -> T:
    """Do work that may be repeated. While the inbox is unavailable, try again after growing pauses.

    `give_up_after` is in seconds. `note` gets the first error. Raises InboxUnavailable after that time, and at once if
    waiting does not help.
    """
    now = asyncio.get_running_loop().time
    pause, until, is_noted = _FIRST_PAUSE, now() + give_up_after, False
    while True:
        try:
            return await work()
        except InboxUnavailable as error:
            if isinstance(error, InboxUnusable | RunLost) or not inbox.is_open or now() >= until:
                raise
            if not is_noted:
                note(error)
                is_noted = True
        await asyncio.sleep(min(pause, until - now()))
        pause = min(_LONGEST_PAUSE, 2 * pause)
