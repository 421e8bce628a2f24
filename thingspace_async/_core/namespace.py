"""Namespace: base class of the rooms, which sends calls and walks pages."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Generic, Protocol, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

import attrs

from thingspace_async._core.caller import Caller, Reply
from thingspace_async._core.operation import Operation, Query
from thingspace_async._core.values import Secret
from thingspace_async.errors import AnswerUnreadable, SessionClosed

__all__ = [
    "SECRET_HEADERS",
    "Namespace",
    "Timeline",
    "as_number",
    "following_index",
    "following_last_seen",
    "next_from_header",
    "next_from_location",
    "repeated_page",
    "secret_from_headers",
    "text_from_location",
    "whether_more",
]


class TimedPage(Protocol):
    """A page that says whether more pages follow."""

    @property
    def has_more_data(self) -> bool | None: ...


Q = TypeVar("Q")
R = TypeVar("R")
Page = TypeVar("Page")
Timed = TypeVar("Timed", bound=TimedPage)
Item = TypeVar("Item")
Request = TypeVar("Request")
PageToken = TypeVar("PageToken")


class Namespace:
    """Base class of a room: the calls of one product."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def _send(
        self,
        operation: Operation[Q, R],
        body: Q | None = None,
        path: Mapping[str, str] | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Coroutine[Any, Any, R]:
        """Send an operation and return its typed answer."""
        return self._caller.call(operation, body, path, query, headers)  # Returned directly, to save a coroutine.

    def _reply(
        self,
        operation: Operation[Q, R],
        body: Q | None = None,
        path: Mapping[str, str] | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Coroutine[Any, Any, Reply[R]]:
        """Send an operation and return its typed answer with status and headers."""
        return self._caller.reply(operation, body, path, query, headers)

    async def _walk(
        self,
        operation: Operation[Any, Any],
        *,
        fetch: Callable[[PageToken | None], Coroutine[Any, Any, Page]],
        following: Callable[[Page], PageToken | None],
        items: Callable[[Page], Sequence[Item]],
    ) -> AsyncGenerator[Item]:
        """Yield the items of all pages. The next page is fetched while the caller works on the current one.

        `following` returns the argument that fetches the next page, or None after the last page. The first page is
        fetched with None. At most two pages are in memory.
        """
        page = await fetch(None)
        taken: set[PageToken] = set()
        while (next_page := following(page)) is not None:
            if next_page in taken:
                raise repeated_page(operation)
            taken.add(next_page)
            ahead = self._caller.engine.spawn(fetch(next_page))
            try:
                for item in items(page):
                    yield item
                await asyncio.wait([ahead])
                if ahead.cancelled():  # The session is closing. Awaiting the task would cancel the caller, too.
                    raise SessionClosed("the session was closed during the iteration: open a new Session")
                page = ahead.result()
            finally:
                # If the caller stopped early or was cancelled, the next page has no reader.
                ahead.cancel()
                await asyncio.wait([ahead])
                if not ahead.cancelled():
                    ahead.exception()
        for item in items(page):
            yield item

    def _walk_in_time(self, timeline: Timeline[Request, Timed, Item], request: Request) -> AsyncGenerator[Item]:
        """Yield the records of all pages, oldest first.

        Each page begins at the time of the previous page's last record. The platform repeats the records of that time.
        The walk leaves the repeated records out.
        """
        overlap: _Overlap[Item] = _Overlap()
        return self._walk(
            timeline.operation,
            fetch=lambda begin: timeline.fetch(timeline.moved(request, begin)),
            following=lambda page: timeline.end_of(page, request),
            items=lambda page: overlap.fresh(timeline.records(page)),
        )


@attrs.frozen(kw_only=True)
class Timeline(Generic[Request, Timed, Item]):
    """Paging of an endpoint without page tokens: each request has a later beginning of the time span."""

    operation: Operation[Any, Any]
    fetch: Callable[[Request], Coroutine[Any, Any, Timed]]
    records: Callable[[Timed], Sequence[Item]]
    time: Callable[[Item], datetime | None]
    path: str
    """Name of the records in the answer."""
    begin: str = "earliest"
    """Field of the request with the beginning of the time span."""
    end: str = "latest"

    def moved(self, request: Request, begin: datetime | None) -> Request:
        """Return the request with a later beginning; None keeps the beginning that the caller chose."""
        changed: Any = request
        return request if begin is None else attrs.evolve(changed, **{self.begin: begin})

    def end_of(self, page: Timed, request: Request) -> datetime | None:
        """Return the beginning of the next page, the time of this page's last record, or None after the last page.

        Time stamps are truncated to microseconds. The next page then begins a little earlier, so no record is skipped.
        """
        if not page.has_more_data:
            return None
        times = [self._time_of(place, record) for place, record in enumerate(self.records(page))]
        if not times:
            raise self._no_next_page("the page is empty", self.path)
        for place in range(1, len(times)):
            if times[place] < times[place - 1]:
                raise self._no_next_page("the page is not sorted by time", f"{self.path}[{place}]")
        last, latest = times[-1], getattr(request, self.end)
        if times[0] == last:
            raise self._no_next_page("all records of the page have the same time stamp", self.path)
        if latest is not None and last > latest:
            raise self._no_next_page(f"it ends after `{self.end}`", f"{self.path}[{len(times) - 1}]")
        return last

    def _time_of(self, place: int, record: Item) -> datetime:
        time = self.time(record)
        if time is None or time.tzinfo is None:
            reason = "has no time stamp" if time is None else "has a time stamp without a zone"
            raise self._no_next_page(f"a record {reason}", f"{self.path}[{place}]")
        try:
            return time.astimezone(UTC)
        except OverflowError:  # Year 1, a zone east of Greenwich.
            raise self._no_next_page("a time stamp is out of range", f"{self.path}[{place}]") from None

    def _no_next_page(self, reason: str, path: str) -> AnswerUnreadable:
        return AnswerUnreadable(
            f"there are more records, but {reason}, so the next page cannot be requested: "
            f"request shorter spans of `{self.begin}` and `{self.end}`, so that each fits one page",
            operation=self.operation.name,
            path=path,
        )


class _Overlap(Generic[Item]):
    """The records that two consecutive pages share.

    Whole records are compared, because the order of records with the same time may change between answers. A record
    that the platform has changed counts as new. Equal records are counted, because they may be different events. All
    records of the page are compared, not only those of its last time, because the platform may round times.
    """

    def __init__(self) -> None:
        self._before: Sequence[Item] = ()

    def fresh(self, records: Sequence[Item]) -> Sequence[Item]:
        """Return the records that the previous page did not have."""
        before = Counter(self._before)
        self._before = records
        if not before:
            return records
        found: list[Item] = []
        for record in records:
            if before[record] > 0:
                before[record] -= 1
            else:
                found.append(record)
        return found


def whether_more(reply: Reply[Timed]) -> Timed:
    """Return the page with `has_more_data` set from its body, or else from the status: 202 means more pages.

    https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-usage-history.html
    """
    if reply.value.has_more_data is not None:
        return reply.value
    page: Any = reply.value
    return cast("Timed", attrs.evolve(page, has_more_data=reply.status == 202))


def next_from_location(operation: Operation[Any, Any], reply: Reply[Any]) -> int:
    """Read the `next` token of a Location header such as `/leads/0000123456-00001?next=123`."""
    if (next_page := as_number(text_from_location(reply))) is not None:
        return next_page
    raise AnswerUnreadable(
        "the answer promises more, but its Location header is missing or has no `next`: try again later",
        operation=operation.name,
        status=reply.status,
    )


def text_from_location(reply: Reply[Any]) -> str | None:
    """Read the `next` token of a Location header as a string, or return None if there is none."""
    values = parse_qs(urlsplit(reply.headers.get("Location", "")).query).get("next", [])
    return values[0] if len(values) == 1 else None


Mark = TypeVar("Mark", str, int)


def next_from_header(
    operation: Operation[Any, Any], reply: Reply[Any], header: str = "X-Next", *, more: bool = False
) -> str | None:
    """Return the token of the next page from a response header, or None after the last page.

    `more` is whether the answer promised another page.
    """
    token = reply.headers.get(header)
    if token is None and not more:
        return None
    if token is None or not token.strip():
        raise _no_next_page(operation, f"its {header} header is missing or empty", reply.status)
    return token.strip()


def following_last_seen(operation: Operation[Any, Any], *, more: bool | None, last_seen: Mark | None) -> Mark | None:
    """Return the last id of this page, to request the next page, or None after the last page."""
    if not more:
        return None
    if last_seen is None or last_seen == "":
        raise _no_next_page(operation, "it has no last seen id")
    return last_seen


def following_index(operation: Operation[Any, Any], *, more: bool | None, index: int, count: int) -> int | None:
    """Return the first index of the next page, after `count` items from `index`, or None after the last page."""
    if not more:
        return None
    if count < 1:
        raise _no_next_page(operation, "the page is empty")
    return index + count


def _no_next_page(operation: Operation[Any, Any], reason: str, status: int | None = None) -> AnswerUnreadable:
    return AnswerUnreadable(
        f"the answer promises more, but {reason}: try again later", operation=operation.name, status=status
    )


# ASSUMPTION: a copy of the documents that breaks off has the first name. The others are guesses (PROTOCOL.md 3.6).
SECRET_HEADERS: Final = ("Shared-Key", "SharedKey", "X-Shared-Key", "Shared-Secret")
"""Headers that may hold the secret of a registered listener."""


def secret_from_headers(reply: Reply[Any], *names: str) -> Secret | None:
    """Return the secret in the first of these headers that an answer has, or None if it has none of them."""
    return next((Secret(reply.headers[name]) for name in names if reply.headers.get(name)), None)


def repeated_page(operation: Operation[Any, Any]) -> AnswerUnreadable:
    """Make the error for a page whose token for the next page was used before."""
    return _no_next_page(operation, "its token for the next page leads back to an earlier page")


def as_number(text: str | None) -> int | None:
    """Read a whole number of at most 18 digits, which fits 64 bits, or return None for any other string."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


_DIGITS: Final = 18
