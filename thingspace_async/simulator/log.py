"""The log of received requests."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import overload

from thingspace_async.simulator.wire import Answer, Received

__all__ = ["RequestLog", "Watcher"]

_MOST_UNSEEN = 1000

_LONGEST_ANSWER = 4096
"""Bytes of an answer to keep: a page of 2,000 devices has two million."""


class Watcher:
    """A queue of answered requests for one open page."""

    def __init__(self) -> None:
        self._unseen: deque[Received] = deque(maxlen=_MOST_UNSEEN)
        self._changed = asyncio.Event()

    def put(self, received: Received) -> None:
        """Add a request. If the page is too slow, it misses the oldest ones."""
        self._unseen.append(received)
        self._changed.set()

    async def take(self) -> list[Received]:
        """Wait for requests and return them."""
        await self._changed.wait()
        self._changed.clear()
        found = list(self._unseen)
        self._unseen.clear()
        return found


class RequestLog(Sequence[Received]):
    """The latest `limit` requests, oldest first."""

    def __init__(self, limit: int = 10_000) -> None:
        self.limit = limit
        self._requests: deque[Received] = deque(maxlen=limit)
        self._counts: Counter[str] = Counter()
        self._number = 0
        self.watchers: set[Watcher] = set()
        """Queues that get each answered request."""

    @overload
    def __getitem__(self, index: int) -> Received: ...
    @overload
    def __getitem__(self, index: slice) -> list[Received]: ...
    def __getitem__(self, index: int | slice) -> Received | list[Received]:
        return list(self._requests)[index] if isinstance(index, slice) else self._requests[index]

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[Received]:
        return iter(self._requests)

    def __repr__(self) -> str:
        return f"RequestLog({list(self._requests)!r})"

    def add(self, received: Received) -> None:
        """Add a request."""
        self._number += 1
        received.number = self._number
        self._requests.append(received)
        if received.operation is not None:
            self._counts[received.operation] += 1

    def note(self, received: Received, answer: Answer | None, status: int | None) -> None:
        """Add the answer to a request; None if the connection was closed instead."""
        received.status = status
        if answer is not None:
            received.reason, received.answer = answer.reason, answer.body[:_LONGEST_ANSWER]
        for watcher in self.watchers:
            watcher.put(received)

    def count(self, operation: str) -> int:
        """Return the number of received requests of an operation, including failed ones."""
        return self._counts[operation]

    def clear(self) -> None:
        """Forget the requests. `count` still includes them."""
        self._requests.clear()
