"""The rules of `LedgerStore` for stores that only one machine uses.

A store derives from `LocalLedger`, which runs each method of `LedgerStore` as one transaction on a `KeptRun`.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import TypeVar

import attrs

from thingspace_async._core.clock import since_boot
from thingspace_async._core.ledger import (
    BatchRecord,
    BatchState,
    Claim,
    Item,
    Joined,
    Place,
    Worker,
    WorkerState,
    decide_claims,
    run_being_forgotten,
    run_in_progress,
    run_lost,
)

__all__ = ["KeptRun", "Lease", "LocalLedger", "keys_of"]

T = TypeVar("T")


@attrs.frozen
class Lease:
    """The state of a worker, and when it stops counting as alive."""

    state: WorkerState
    until: float
    """By `since_boot`, which restarts at zero with the machine. A lease that ends later than `seconds` from now was
    written before a restart."""
    seconds: float

    @classmethod
    def of(cls, state: WorkerState, seconds: float) -> Lease:
        """Make a lease that begins now. A worker that has finished or left gets none."""
        lasts = seconds if state in (WorkerState.JOINING, WorkerState.WORKING) else 0.0
        return cls(state, since_boot() + lasts, lasts)

    @property
    def is_alive(self) -> bool:
        """Whether the lease has not run out."""
        return 0 < self.until - since_boot() <= self.seconds


@attrs.define(kw_only=True)
class KeptRun(ABC):
    """A run in a store. A method that raises leaves the run unchanged."""

    name: str
    id: str
    description: str
    counter: int = 0
    workers: dict[str, Lease] = attrs.field(factory=dict[str, Lease])
    """Ordered by the time of joining."""
    forgetting: bool = False
    """Whether it is being removed."""

    @abstractmethod
    def save(self) -> None:
        """Store the fields above."""

    @abstractmethod
    def batch(self, key: str, *, rows: bool = False) -> BatchRecord | None:
        """Return a batch, with or without its rows."""

    @abstractmethod
    def batches(self, worker: str | None, after: str, limit: int) -> list[BatchRecord]:
        """List batches by key, without rows."""

    @abstractmethod
    def answer(self, key: str) -> str:
        """Return the answer to the last claim for a batch."""

    @abstractmethod
    def add_rows(self, record: BatchRecord, answer: str) -> None:
        """Add rows to a batch, which is created if it is missing, and store the answer to the claim."""

    @abstractmethod
    def put(self, record: BatchRecord) -> None:
        """Create or replace a batch. If the record has no rows, the batch keeps its rows."""

    @abstractmethod
    def remove(self, key: str) -> None:
        """Remove a batch."""

    @abstractmethod
    def claimed(self, keys: Iterable[int]) -> Iterable[int]:
        """Return the keys that are claimed."""

    @abstractmethod
    def claim(self, keys: Iterable[int]) -> None:
        """Mark keys as claimed."""

    @abstractmethod
    def unclaim(self, keys: Iterable[int]) -> None:
        """Remove the claims of keys."""

    @abstractmethod
    def remove_part(self) -> bool:
        """Remove a part of the run. Return whether it was the last part."""

    @property
    def is_alive(self) -> bool:
        """Whether any of its workers is alive."""
        return any(lease.is_alive for lease in self.workers.values())

    def joined(self) -> Joined:
        """Return the answer of `lease`."""
        workers = (Worker(name=name, state=one.state, alive=one.is_alive) for name, one in self.workers.items())
        return Joined(description=self.description, workers=tuple(workers), now=datetime.now(UTC))


class LocalLedger(ABC):
    """Fleet runs on one machine; see `LedgerStore`."""

    @abstractmethod
    async def _in_transaction(self, work: Callable[[], T]) -> T:
        """Run `work` in one transaction. It may call the methods below."""

    @abstractmethod
    def _find(self, name: str) -> KeptRun | None:
        """Return a run. Raises InvalidRequest if an earlier version stored it in another format."""

    @abstractmethod
    def _make(self, name: str, identifier: str, description: str) -> KeptRun:
        """Create a run."""

    @abstractmethod
    def _runs(self) -> list[tuple[str, str]]:
        """Return the names and descriptions of all runs, ordered by name."""

    async def lease(self, place: Place, *, description: str, state: WorkerState, seconds: float) -> Joined:
        """Join a run, or renew or end a lease; see `LedgerStore.lease`."""

        def work(run: KeptRun) -> Joined:
            if place.worker not in run.workers and not run.is_alive:
                run.workers.clear()
            run.workers[place.worker] = Lease.of(state, seconds)
            return run.joined()

        def find() -> KeptRun:
            return self._joinable(place.run) or self._make(place.run, secrets.token_hex(8), description)

        return await self._change(place, work, None if place.id else find)

    async def look(self, place: Place) -> Joined | None:
        """Return the answer of `lease` without changing anything; see `LedgerStore.look`."""

        def work() -> tuple[KeptRun, Joined] | None:
            run = self._known(place) if place.id else self._joinable(place.run)
            return None if run is None else (run, run.joined())

        found = await self._in_transaction(work)
        if found is None:
            return None
        run, joined = found
        _update(place, run)
        return joined

    async def claim(
        self, place: Place, batch: str, items: Sequence[Item], *, size: int, most: int, seconds: float
    ) -> list[Claim] | None:
        """Claim items for a batch; see `LedgerStore.claim`."""

        def work(run: KeptRun) -> list[Claim] | None:
            run.workers[place.worker] = Lease.of(WorkerState.WORKING, seconds)
            kept = run.batch(batch) or BatchRecord(
                key=batch, worker=place.worker, fence=1, state=BatchState.CLAIMED, size=0, changed_at=datetime.now(UTC)
            )
            if kept.worker != place.worker or kept.state is not BatchState.CLAIMED or kept.size < size:
                return None
            if kept.size > size:
                return [Claim(mark) for mark in run.answer(batch)]
            answers, new = decide_claims(items, run.claimed(keys_of(items)), most - size)
            if new:
                run.claim(keys_of(new))
                rows = b"\n".join(item.row for item in new)
                run.add_rows(attrs.evolve(kept, size=size + len(new), rows=rows), "".join(answers))
            return answers

        return await self._change(place, work)

    async def change(
        self, place: Place, batch: str, *, fence: int, worker: str, state: BatchState, detail: str = ""
    ) -> BatchRecord:
        """Change a batch if it has this fence, and return it; see `LedgerStore.change`."""

        def work(run: KeptRun) -> BatchRecord:
            kept = run.batch(batch)
            if kept is None or kept.fence < fence:
                raise run_lost(place.run)
            if kept.fence == fence:
                now = datetime.now(UTC)
                kept = attrs.evolve(kept, worker=worker, fence=fence + 1, state=state, detail=detail, changed_at=now)
                run.put(kept)
            return kept

        return await self._change(place, work)

    async def release(self, place: Place, batch: str, *, fence: int, keys: Sequence[int]) -> bool:
        """Remove a batch and claims; see `LedgerStore.release`."""

        def work(run: KeptRun) -> bool:
            kept = run.batch(batch)
            if kept is None:
                return True
            if kept.fence != fence:
                return False
            run.remove(batch)
            run.unclaim(keys)
            return True

        return await self._change(place, work)

    async def put_back(self, place: Place, record: BatchRecord, *, description: str, keys: Sequence[int]) -> None:
        """Restore a batch that the store may have lost; see `LedgerStore.put_back`."""

        def work() -> int:
            run = self._find(place.run) or self._make(place.run, place.id, description)
            if run.forgetting:
                return place.counter
            run.counter = max(run.counter, place.counter) + 1
            run.save()
            run.claim(keys)
            kept = run.batch(record.key)
            if kept is None or kept.fence < record.fence:
                run.put(record)
            return run.counter

        place.counter = max(place.counter, await self._in_transaction(work))

    async def batches(
        self, place: Place, *, worker: str | None = None, after: str = "", limit: int = 1000
    ) -> list[BatchRecord]:
        """List batches by key, without rows; see `LedgerStore.batches`."""
        return await self._in_transaction(lambda: self._known(place).batches(worker, after, limit))

    async def batch(self, place: Place, key: str) -> BatchRecord | None:
        """Return a batch with its rows."""
        return await self._in_transaction(lambda: self._known(place).batch(key, rows=True))

    async def forget(self, run: str) -> None:
        """Remove a run; see `LedgerStore.forget`."""

        def begin() -> str | None:
            kept = self._find(run)
            if kept is None:
                return None
            if kept.is_alive:
                raise run_in_progress(run)
            kept.forgetting = True
            kept.save()
            return kept.id

        def remove_next() -> bool:
            kept = self._find(run)
            return kept is None or kept.id != identifier or kept.remove_part()

        identifier = await self._in_transaction(begin)
        while not await self._in_transaction(remove_next):
            pass

    async def runs(self) -> list[tuple[str, str]]:
        """Return the names and descriptions of all runs, ordered by name."""
        return await self._in_transaction(self._runs)

    async def _change(self, place: Place, work: Callable[[KeptRun], T], find: Callable[[], KeptRun] | None = None) -> T:
        """Change a run in one transaction, and add one to its counter."""

        def counted() -> tuple[KeptRun, T]:
            run = self._known(place) if find is None else find()
            answer = work(run)
            run.counter += 1
            run.save()
            return run, answer

        run, answer = await self._in_transaction(counted)
        _update(place, run)  # Only after the transaction has succeeded.
        return answer

    def _known(self, place: Place) -> KeptRun:
        """Return the run of a place. Raises RunLost if the store has lost changes that the place has seen."""
        run = self._find(place.run)
        if run is None or run.forgetting or run.id != place.id or run.counter < place.counter:
            raise run_lost(place.run)
        return run

    def _joinable(self, name: str) -> KeptRun | None:
        run = self._find(name)
        if run is not None and run.forgetting:
            raise run_being_forgotten(name)
        return run


def keys_of(items: Iterable[Item]) -> Iterator[int]:
    """Iterate over the keys that items claim."""
    return chain.from_iterable((item.whole, *item.keys) for item in items)


def _update(place: Place, run: KeptRun) -> None:
    place.id, place.counter = run.id, max(place.counter, run.counter)
