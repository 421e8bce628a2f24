"""A limit on how many finished entries the simulator keeps."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, MutableMapping
from typing import Any, Generic, TypeVar

__all__ = ["LatestFinished"]

K = TypeVar("K", bound=Hashable)


class LatestFinished(Generic[K]):
    """Keeps all unfinished entries of a mapping and the `limit` latest finished ones."""

    def __init__(self, entries: MutableMapping[K, Any], limit: int) -> None:
        self._entries = entries
        self._limit = limit
        self._finished: deque[K] = deque()

    def finish(self, key: K) -> None:
        """Mark an entry as finished, and drop the oldest finished entry beyond the limit."""
        self._finished.append(key)
        if len(self._finished) > self._limit:
            self._entries.pop(self._finished.popleft(), None)

    def reopen(self, key: K) -> None:
        """Mark a finished entry as unfinished again."""
        if key in self._finished:
            self._finished.remove(key)
