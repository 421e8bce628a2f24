"""Fleet runs in memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import attrs

from thingspace_async._core.ledger import BatchRecord
from thingspace_async._core.ledgers.local import KeptRun, LocalLedger

__all__ = ["MemoryLedger", "MemoryRun", "Numbers"]

T = TypeVar("T")

_LAST: Final = 0xFFF
"""Number of the last bucket. With this many, an insertion moves a few kilobytes at most."""


class Numbers:
    """A set of signed 64-bit numbers, at about ten bytes each. Python integers for a million devices take 200 MB."""

    def __init__(self) -> None:
        self._buckets: defaultdict[int, array[int]] = defaultdict(lambda: array("q"))

    def __contains__(self, number: int) -> bool:
        bucket = self._buckets[number & _LAST]
        place = bisect_left(bucket, number)
        return place < len(bucket) and bucket[place] == number

    def add(self, number: int) -> None:
        """Add a number."""
        if number not in self:
            insort(self._buckets[number & _LAST], number)

    def discard(self, number: int) -> None:
        """Remove a number if it is there."""
        if number in self:
            bucket = self._buckets[number & _LAST]
            del bucket[bisect_left(bucket, number)]


@attrs.define(kw_only=True)
class MemoryRun(KeptRun):
    """A run in memory."""

    kept: dict[str, MemoryRun]
    """The dictionary that `save` adds the run to."""
    _batches: dict[str, BatchRecord] = attrs.field(factory=dict[str, BatchRecord])
    _answers: dict[str, str] = attrs.field(factory=dict[str, str])
    _keys: list[str] = attrs.field(factory=list[str])
    """Keys of the batches, sorted."""
    _claimed: Numbers = attrs.field(factory=Numbers)

    def save(self) -> None:
        """Store the run."""
        self.kept[self.name] = self

    def batch(self, key: str, *, rows: bool = False) -> BatchRecord | None:
        """Return a batch, with or without its rows."""
        found = self._batches.get(key)
        return found if found is None or rows else attrs.evolve(found, rows=None)

    def batches(self, worker: str | None, after: str, limit: int) -> list[BatchRecord]:
        """List batches by key, without rows."""
        found: list[BatchRecord] = []
        for place in range(bisect_right(self._keys, after), len(self._keys)):
            if len(found) == limit:
                break
            record = self._batches[self._keys[place]]
            if worker is None or record.worker == worker:
                found.append(attrs.evolve(record, rows=None))
        return found

    def answer(self, key: str) -> str:
        """Return the answer to the last claim for a batch."""
        return self._answers[key]

    def add_rows(self, record: BatchRecord, answer: str) -> None:
        """Add rows to a batch, which is created if it is missing, and store the answer to the claim."""
        before = self._batches.get(record.key)
        if before is not None:
            record = attrs.evolve(record, rows=b"\n".join([before.rows or b"", record.rows or b""]))
        self.put(record)
        self._answers[record.key] = answer

    def put(self, record: BatchRecord) -> None:
        """Create or replace a batch. If the record has no rows, the batch keeps its rows."""
        before = self._batches.get(record.key)
        if before is None:
            insort(self._keys, record.key)
        elif record.rows is None:
            record = attrs.evolve(record, rows=before.rows)
        self._batches[record.key] = record

    def remove(self, key: str) -> None:
        """Remove a batch."""
        del self._batches[key]
        self._answers.pop(key, None)
        del self._keys[bisect_left(self._keys, key)]

    def claimed(self, keys: Iterable[int]) -> Iterable[int]:
        """Return the keys that are claimed."""
        return [key for key in keys if key in self._claimed]

    def claim(self, keys: Iterable[int]) -> None:
        """Mark keys as claimed."""
        for key in keys:
            self._claimed.add(key)

    def unclaim(self, keys: Iterable[int]) -> None:
        """Remove the claims of keys."""
        for key in keys:
            self._claimed.discard(key)

    def remove_part(self) -> bool:
        """Remove the run."""
        del self.kept[self.name]
        return True


class MemoryLedger(LocalLedger):
    """Fleet runs in memory, lost with the inbox."""

    def __init__(self, kept: Callable[[], dict[str, MemoryRun]]) -> None:
        self._kept = kept
        """Returns the runs. Raises InboxUnavailable if the inbox is not open."""

    async def _in_transaction(self, work: Callable[[], T]) -> T:
        return work()

    def _find(self, name: str) -> MemoryRun | None:
        return self._kept().get(name)

    def _make(self, name: str, identifier: str, description: str) -> MemoryRun:
        return MemoryRun(name=name, id=identifier, description=description, kept=self._kept())

    def _runs(self) -> list[tuple[str, str]]:
        return sorted((run.name, run.description) for run in self._kept().values())
