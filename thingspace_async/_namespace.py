"""The base of every product: sending a call, and walking pages."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Generic, Protocol, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

import attrs

from thingspace_async._caller import Caller, Reply
from thingspace_async._operation import Operation
from thingspace_async.errors import AnswerUnreadable, SessionClosed

__all__ = [
    "Namespace",
    "Timeline",
    "as_number",
    "leads_back",
    "next_from_location",
    "text_from_location",
    "whether_more",
]


class TimedPage(Protocol):
    """A page that says whether there are more behind it."""

    @property
    def has_more_data(self) -> bool | None: ...


Page = TypeVar("Page")
Timed = TypeVar("Timed", bound=TimedPage)
Item = TypeVar("Item")
Request = TypeVar("Request")
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
                raise leads_back(operation)
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

    def _walk_in_time(self, timeline: Timeline[Request, Timed, Item], request: Request) -> AsyncGenerator[Item]:
        """Yield the records of all pages, oldest first; each page begins at the time that the one before it ended at.

        Records of that time come twice then, and are left out once for each time that they came before.
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
    """How an endpoint is paged that has no other way on than to move the beginning of the time asked for."""

    operation: Operation[Any, Any]
    fetch: Callable[[Request], Coroutine[Any, Any, Timed]]
    records: Callable[[Timed], Sequence[Item]]
    time: Callable[[Item], datetime | None]
    path: str
    """The records' name in the answer."""
    begin: str = "earliest"
    """The request's field that is moved."""
    end: str = "latest"

    def moved(self, request: Request, begin: datetime | None) -> Request:
        """Return a request that begins later; the first one begins where the caller wants it to."""
        changed: Any = request
        return request if begin is None else attrs.evolve(changed, **{self.begin: begin})

    def end_of(self, page: Timed, request: Request) -> datetime | None:
        """Return the time of a page's last record, at which the next page has to begin; None where no more is promised.

        Exact to the microsecond, which is all that is kept of it; what is cut off lies behind, so nothing is skipped.
        """
        if not page.has_more_data:
            return None
        times = [self._time_of(place, record) for place, record in enumerate(self.records(page))]
        if not times:
            raise self._no_way_on("the page is empty", self.path)
        for place in range(1, len(times)):
            if times[place] < times[place - 1]:
                raise self._no_way_on("the page is not in the order of time", f"{self.path}[{place}]")
        last, latest = times[-1], getattr(request, self.end)
        if times[0] == last:
            raise self._no_way_on("all records of the page bear the same time stamp", self.path)
        if latest is not None and last > latest:
            raise self._no_way_on(f"it ends behind `{self.end}`", f"{self.path}[{len(times) - 1}]")
        return last

    def _time_of(self, place: int, record: Item) -> datetime:
        time = self.time(record)
        if time is None or time.tzinfo is None:
            reason = "has no time stamp" if time is None else "has a time stamp without a zone"
            raise self._no_way_on(f"a record {reason}", f"{self.path}[{place}]")
        try:
            return time.astimezone(UTC)
        except OverflowError:  # Year 1, a zone east of Greenwich.
            raise self._no_way_on("a time stamp is out of range", f"{self.path}[{place}]") from None

    def _no_way_on(self, reason: str, path: str) -> AnswerUnreadable:
        return AnswerUnreadable(
            f"more records are promised, but {reason}, so the following page cannot be asked for: "
            f"ask for shorter spans of `{self.begin}` and `{self.end}`, until each fits one page",
            operation=self.operation.name,
            path=path,
        )


class _Overlap(Generic[Item]):
    """What a page has in common with the page before it.

    Records are compared as a whole: their order within the same time may change from one answer to the next, and one
    that the platform has changed in between is new. Equal ones are counted, as they may be different events; the
    whole page counts and not only its last time, since the platform may understand times more coarsely than they are.
    """

    def __init__(self) -> None:
        self._before: Sequence[Item] = ()

    def fresh(self, records: Sequence[Item]) -> Sequence[Item]:
        """Return the records that the page before this one did not have."""
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
    """Return a page that says whether there is more: the platform says so twice, as status 202 and mostly in the body.

    https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-usage-history.html
    """
    if reply.value.has_more_data is not None:
        return reply.value
    page: Any = reply.value
    return cast("Timed", attrs.evolve(page, has_more_data=reply.status == 202))


def next_from_location(operation: Operation[Any, Any], reply: Reply[Any]) -> int:
    """Read the `next` token of a Location header such as `/leads/0000123456-00001?next=123`."""
    if (way_on := as_number(text_from_location(reply))) is not None:
        return way_on
    raise AnswerUnreadable(
        "more is promised, but the Location header that would lead to it is missing or holds no `next`",
        operation=operation.name,
        status=reply.status,
    )


def text_from_location(reply: Reply[Any]) -> str | None:
    """Read the `next` token of a Location header where any text may be one; None when there is none."""
    values = parse_qs(urlsplit(reply.headers.get("Location", "")).query).get("next", [])
    return values[0] if len(values) == 1 else None


def leads_back(operation: Operation[Any, Any]) -> AnswerUnreadable:
    """Make the error for a page whose way on was taken before."""
    return AnswerUnreadable(
        "more is promised, but the way to it leads back to a page that was read", operation=operation.name
    )


def as_number(text: str | None) -> int | None:
    """Read a whole number that fits 64 bits, on which all readers of JSON agree; None for any other text."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


_DIGITS: Final = 18
