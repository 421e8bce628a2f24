"""Paging: by index, by the last id seen, by a token in a header, or by 202 with a Location."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

import attrs

from thingspace_async.simulator.wire import Answer

__all__ = ["Page", "after", "answer_by_location", "answer_by_token", "from_index", "page"]

T = TypeVar("T")


@attrs.frozen
class Page:
    """A part of a list."""

    items: list[Any]
    more: bool
    """Whether more items follow."""


def page(items: Iterable[T], size: int) -> Page:
    """Return the first page of the remaining items."""
    found = list(islice(items, size + 1))
    return Page(found[:size], len(found) > size)


def from_index(items: Sequence[T], begin: int, size: int) -> Page:
    """Return the page that starts at an index."""
    return page(islice(items, begin, None), size)


def after(items: Iterable[T], last: str | None, size: int, *, id_of: Callable[[T], str]) -> Page:
    """Return the page after the item with an id, or the first page. After an unknown id, the page is empty."""
    left = iter(items)
    if last is not None:
        for one in left:
            if id_of(one) == last:
                break
    return page(left, size)


def answer_by_location(body: object, next_place: str | None) -> Answer:
    """Answer with 202 and the next page's place in `Location`, or with 200 for the last page (PROTOCOL.md 5)."""
    return Answer(200, body) if next_place is None else Answer(202, body, headers={"Location": next_place})


def answer_by_token(body: object, next_token: str | None, header: str = "X-Next") -> Answer:
    """Answer with the next page's token in a header. The client sends it as `$page`."""
    return Answer(200, body, headers={} if next_token is None else {header: next_token})
