"""The base of every product: sending a call, and walking pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

from thingspace_async._caller import Caller, Reply
from thingspace_async._operation import Operation
from thingspace_async.errors import AnswerUnreadable, SessionClosed

__all__ = ["Namespace", "as_number", "next_from_location"]

Page = TypeVar("Page")
Item = TypeVar("Item")
WayOn = TypeVar("WayOn")


class Namespace:
    """One product's calls."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._send = caller.call
        self._reply = caller.reply

    async def _walk(
        self,
        operation: Operation[Any, Any],
        *,
        fetch: Callable[[WayOn | None], Coroutine[Any, Any, Page]],
        following: Callable[[Page], WayOn | None],
        items: Callable[[Page], Sequence[Item]],
    ) -> AsyncGenerator[Item]:
        """Yield the items of all pages; the next page is on its way while the caller works on this one.

        `following` returns what to fetch the next page with, None behind the last one; the first is fetched with None.
        At most two pages are held.
        """
        page = await fetch(None)
        taken: set[WayOn] = set()
        while (way_on := following(page)) is not None:
            if way_on in taken:
                raise AnswerUnreadable(
                    "more is promised, but the way to it leads back to a page that was read", operation=operation.name
                )
            taken.add(way_on)
            ahead = self._caller.engine.spawn(fetch(way_on))
            try:
                for item in items(page):
                    yield item
                await asyncio.wait([ahead])
                if ahead.cancelled():  # Not by us: the session has closed. To await it would cancel our caller, too.
                    raise SessionClosed("the session was closed under the walk: open a new Session")
                page = ahead.result()
            finally:
                # The caller may have stopped early, or been cancelled: the page ahead then has no reader.
                ahead.cancel()
                await asyncio.wait([ahead])
                if not ahead.cancelled():
                    ahead.exception()
        for item in items(page):
            yield item


def next_from_location(operation: Operation[Any, Any], reply: Reply[Any]) -> int:
    """Read the `next` token of a Location header such as `/leads/0000123456-00001?next=123`."""
    location = reply.headers.get("Location", "")
    values = parse_qs(urlsplit(location).query).get("next", [])
    if len(values) == 1 and (way_on := as_number(values[0])) is not None:
        return way_on
    raise AnswerUnreadable(
        "more is promised, but the Location header that would lead to it is missing or holds no `next`",
        operation=operation.name,
        status=reply.status,
    )


def as_number(text: str | None) -> int | None:
    """Read a whole number that fits 64 bits, on which all readers of JSON agree; None for any other text."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


_DIGITS: Final = 18
