"""A worker's part of a run: its batches and its lease, based on the primitives of the inbox's ledger."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import uuid
import zlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeAlias, TypeVar

import attrs

from thingspace_async._core.clock import since_boot
from thingspace_async._core.joining import when_usable
from thingspace_async._core.ledger import (
    BatchRecord,
    BatchState,
    Claim,
    Item,
    Joined,
    Place,
    Worker,
    WorkerState,
)
from thingspace_async._core.outcomes import LedgerInbox, different_run
from thingspace_async._core.tasks import end, wait_shielded
from thingspace_async.errors import InboxUnavailable, InvalidRequest, RunLost

__all__ = ["Batch", "Filling", "ItemsOf", "Part", "is_reported"]

T = TypeVar("T")

ItemsOf: TypeAlias = Callable[[Sequence[bytes]], AsyncGenerator[Item]]
"""Iterates over the items to claim for rows."""

_log: Final = logging.getLogger("thingspace_async")

LEASE: float = 15.0
"""Seconds after the last renewal until a worker counts as dead."""

_MARGIN: Final = 0.8
"""Fraction of a lease during which its worker relies on it."""

_PATIENCE: Final = 60.0
"""Seconds to retry while the inbox is unavailable."""

_PATIENCE_ACCEPTED: Final = 600.0
"""The same for recording that a request was accepted. Without this record, its outcomes must be searched for."""

_LEAVE_WITHIN: Final = 5.0
"""Seconds to record that this worker leaves. If that fails, the others wait until its lease has expired."""

_PUT_BACK_WITHIN: Final = 30.0

_PAUSE: Final = 1.0
"""Seconds between two tries or checks."""

_KEPT: Final = 60.0
"""Seconds to keep finished batches in memory, in case the inbox returns to an older state."""

_PAGE: Final = 1000

_REPORTED: Final = "/reported"
"""Suffix of the worker's name in a batch whose outcomes were all reported, so that no worker takes it over."""

_SENT: Final = frozenset(
    {BatchState.SENDING, BatchState.ACCEPTED, BatchState.FINISHED, BatchState.UNKNOWN, BatchState.REFUSED}
)


@attrs.define(kw_only=True, eq=False)
class Batch:
    """The devices of one request, held by this worker."""

    key: str = attrs.field(factory=lambda: uuid.uuid4().hex)
    state: BatchState = BatchState.CLAIMED
    detail: str = ""
    fence: int = 1
    size: int = 0
    packed: bytes = zlib.compress(b"")
    """Compressed rows of its devices."""
    epoch: int = 0
    """Number of this worker's lease under which it surely held the batch. It is read before the call to the store: the
    lease may expire, and be renewed, before the answer arrives."""
    is_lost: bool = False
    """Whether another worker has taken the batch over."""
    is_gone: bool = False
    """Whether the batch was released because it was not sent."""
    repeats_until: datetime | None = None
    """Another worker may have reported outcomes that arrived up to this time. None if none were reported."""
    untaken: int = 0
    """Outcomes that the caller has not taken yet."""
    all_taken: asyncio.Event = attrs.field(factory=asyncio.Event)
    room: int = 0
    """Devices that it occupies in the run's `Room`."""
    is_awaited: bool = False
    task: asyncio.Task[None] | None = None
    """Task that works on the batch."""

    @property
    def rows(self) -> list[bytes]:
        """Rows of its devices."""
        text = zlib.decompress(self.packed)
        return text.split(b"\n") if text else []

    def pack(self, rows: Sequence[bytes]) -> None:
        """Set the rows."""
        self.size, self.packed = len(rows), zlib.compress(b"\n".join(rows), level=1)

    @property
    def sent_at(self) -> datetime:
        """When a batch in state SENDING or UNKNOWN was sent, by the store's clock."""
        return datetime.fromisoformat(self.detail.partition(" ")[0])

    @property
    def reason(self) -> str:
        """Why the batch was refused, was not sent, or is unknown."""
        return self.detail.partition(" ")[2] if self.state is BatchState.UNKNOWN else self.detail


def is_reported(record: BatchRecord) -> bool:
    """Return whether all outcomes of a batch were reported."""
    return record.worker.endswith(_REPORTED)


class Part:
    """One worker's part of a run."""

    def __init__(
        self, inbox: LedgerInbox, run: str, description: str, items_of: ItemsOf, *, give_up_after: float
    ) -> None:
        self._inbox = inbox
        self._items_of = items_of
        self._store = inbox.ledger
        self._place = Place(run=run, worker=secrets.token_hex(8))
        self._description = description
        self._give_up_after = give_up_after
        self._state = WorkerState.JOINING
        self._others: tuple[Worker, ...] = ()
        self._renewed_at = -float("inf")
        """Time of the last renewal of the lease, by `since_boot`."""
        self._epoch = 0
        self._clock = datetime.now(UTC), time.monotonic()
        """Time of the store's clock, and of our clock when it was read."""
        self._in_hand: dict[str, Batch] = {}
        self._finished: deque[tuple[float, Batch]] = deque()
        self._lost: RunLost | None = None

    @property
    def now(self) -> datetime:
        """Present time of the store's clock."""
        read, at = self._clock
        return read + timedelta(seconds=time.monotonic() - at)

    # Joining and leaving

    @asynccontextmanager
    async def joined(self, prepare: Callable[[Part], Awaitable[None]]) -> AsyncGenerator[None]:
        """Take part in the run. Raises InvalidRequest if it was begun with another description.

        The first worker of a run without live workers calls `prepare` while the others wait.
        """
        renewal: asyncio.Task[None] | None = None
        try:
            await when_usable(self._join, self._inbox, self._give_up_after, self._log_wait)
            renewal = asyncio.create_task(self._keep_lease(), name=f"fleet lease of {self._place.run}")
            if await self._is_first():
                await prepare(self)
            self._state = WorkerState.WORKING
            await self.patiently(self._renew_lease)
            yield
        finally:
            if renewal is not None:
                await end(renewal)
            await wait_shielded(asyncio.create_task(self._leave()))

    def _log_wait(self, error: InboxUnavailable) -> None:
        _log.warning("the run %s waits until its inbox can be used: %s", self._place.run, error)

    async def _join(self) -> None:
        """Get the first lease."""
        found = await self._store.look(Place(run=self._place.run, worker=self._place.worker))  # A lease would begin it.
        if found is not None and found.description != self._description:
            raise different_run(self._place.run, self._description, found.description)
        await self._renew_lease()

    async def _is_first(self) -> bool:
        """Wait while another worker prepares the run. Return whether this worker must do it."""
        while True:
            alive = [worker for worker in self._others if worker.alive]
            if any(worker.state is WorkerState.WORKING for worker in alive):
                return False
            if not self._joined_before_me(alive):
                return True
            await asyncio.sleep(_PAUSE)
            await self.patiently(self._renew_lease)

    def _joined_before_me(self, alive: Sequence[Worker]) -> bool:
        return bool(alive) and alive[0].name != self._place.worker

    async def _until_prepared(self) -> None:
        """Wait while another worker prepares the run, because it may release a batch of this worker."""
        while any(worker.alive and worker.state is WorkerState.JOINING for worker in self._others):
            await asyncio.sleep(_PAUSE)
            await self.patiently(self._renew_lease)

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            with suppress(InboxUnavailable, InvalidRequest):  # Also RunLost, which the next change raises again.
                await self._renew_lease()

    async def _renew_lease(self) -> None:
        """Renew the lease."""
        began, state = since_boot(), self._state
        joined = await self._store.lease(self._place, description=self._description, state=state, seconds=LEASE)
        if joined.description != self._description:
            raise different_run(self._place.run, self._description, joined.description)
        self._note_clock(joined)
        if not self._is_sure:
            self._epoch += 1
        if state in (WorkerState.JOINING, WorkerState.WORKING):
            self._renewed_at = began

    def _note_clock(self, joined: Joined) -> None:
        self._others = joined.workers
        self._clock = joined.now, time.monotonic()

    @property
    def _is_sure(self) -> bool:
        """Whether the lease cannot have expired."""
        return since_boot() - self._renewed_at < LEASE * _MARGIN

    async def _leave(self) -> None:
        if self._lost is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PUT_BACK_WITHIN):
                    await self._put_back()  # Once more, with answers that arrived in the meantime.
        elif self._place.id:
            finished = self._state is WorkerState.FINISHED
            self._state = WorkerState.FINISHED if finished else WorkerState.LEFT
            with suppress(InboxUnavailable, InvalidRequest, TimeoutError):
                async with asyncio.timeout(_LEAVE_WITHIN):
                    await self._renew_lease()
                    if not await self._store.batches(self._place, limit=1):
                        await self._store.forget(self._place.run)  # Nothing was claimed.

    # Batches

    async def claim(self, batch: Batch, items: Sequence[Item], most: int) -> list[Claim] | None:
        """Claim devices for a batch, and return the results of the devices that had room.

        None if the batch was released or taken over: its devices must be claimed again for another batch.
        """
        self._check()
        batch.epoch = self._epoch
        return await self.patiently(
            lambda: self._store.claim(self._place, batch.key, items, size=batch.size, most=most, seconds=LEASE)
        )

    def hold(self, batch: Batch) -> None:
        """Record that this worker holds a batch."""
        self._in_hand[batch.key] = batch

    async def begin(self, batch: Batch) -> bool:
        """Record that a batch is about to be sent, and return whether it may be sent."""
        self._check()
        if not await self._is_certain(batch):
            await self._until_prepared()
            kept = await self.patiently(lambda: self._store.batch(self._place, batch.key))
            if kept is None:
                batch.is_gone = True
                self._drop(batch)
                return False
        is_own = await self._change(batch, BatchState.SENDING, self.now.isoformat())
        self._check()
        if not is_own:
            batch.is_gone = await self.record_of(batch) is None
        return is_own

    async def note(self, batch: Batch, state: BatchState, detail: str = "") -> bool:
        """Record a new state of a batch, and return whether this worker still holds it."""
        if state is BatchState.ACCEPTED:
            return await self._note_accepted(batch, detail)
        if state is BatchState.UNKNOWN:
            detail = f"{batch.sent_at.isoformat()} {detail}"
        return await self._change(batch, state, detail)

    async def _note_accepted(self, batch: Batch, request_id: str) -> bool:
        while not await self._change(batch, BatchState.ACCEPTED, request_id, patience=_PATIENCE_ACCEPTED):
            # Only this worker knows the id: record it for the worker that holds the batch now.
            kept = await self.patiently(lambda: self._store.batch(self._place, batch.key))
            if kept is None or kept.state not in (BatchState.SENDING, BatchState.UNKNOWN):
                return False
            batch.fence = kept.fence
            owner = kept.worker.removesuffix(_REPORTED)
            if await self._change(batch, BatchState.ACCEPTED, request_id, worker=owner):
                _log.warning("request %s was accepted after another worker took over its devices", request_id)
                batch.is_lost = True
                self._drop(batch)
                return False
        return True

    async def has(self, batch: Batch) -> bool:
        """Return whether this worker still holds a batch. Ask the store if the lease may have expired."""
        if batch.is_lost or await self._is_certain(batch):
            return not batch.is_lost
        # The new fence stops a worker that considered this one dead from taking the batch over.
        return await self._change(batch, batch.state, batch.detail)

    async def finish(self, batch: Batch, *, reported: bool) -> None:
        """Finish a batch after the caller has taken its outcomes."""
        if reported:
            state = BatchState.FINISHED if batch.state is BatchState.ACCEPTED else batch.state
            await self._change(batch, state, batch.detail, worker=self._place.worker + _REPORTED)
        self._drop(batch)
        now = time.monotonic()
        self._finished.append((now, batch))
        while self._finished[0][0] < now - _KEPT:
            self._finished.popleft()

    async def _is_certain(self, batch: Batch) -> bool:
        """Return whether this worker surely holds a batch, because its lease cannot have expired."""
        if not self._is_sure:
            await self.patiently(self._renew_lease)
        return batch.epoch == self._epoch

    async def _change(
        self,
        batch: Batch,
        state: BatchState,
        detail: str,
        *,
        worker: str | None = None,
        patience: float | None = None,
    ) -> bool:
        worker = worker or self._place.worker
        fence, before = batch.fence, (batch.state, batch.detail)
        epoch = self._epoch  # Before the change, because the lease may end before the answer arrives.
        if state is not BatchState.SENDING:
            # Set before the answer, because it is written back if the store has lost the run.
            batch.state, batch.detail = state, detail

        async def work() -> BatchRecord | None:
            try:
                return await self._store.change(
                    self._place, batch.key, fence=fence, worker=worker, state=state, detail=detail
                )
            except RunLost:
                # The second raises RunLost if the run is lost, unless the run is being written back already.
                if self._lost is not None or await self._store.batch(self._place, batch.key) is not None:
                    raise
                return None  # While this worker was considered dead, another one has released the batch.

        kept = await self.patiently(work, patience)
        if kept is not None and (kept.fence, kept.worker, kept.state) == (fence + 1, worker, state):
            batch.state, batch.detail, batch.fence, batch.epoch = state, detail, kept.fence, epoch
            return True
        batch.state, batch.detail = before
        batch.is_lost = True
        self._drop(batch)
        return False

    def _drop(self, batch: Batch) -> None:
        self._in_hand.pop(batch.key, None)

    async def record_of(self, batch: Batch) -> BatchRecord | None:
        """Read the record of a batch from the store."""
        return await self.patiently(lambda: self._store.batch(self._place, batch.key))

    # Other workers

    async def look(self, *, finished: bool = False) -> None:
        """Renew the lease, and read the states of the other workers. `finished` means that this worker has no work."""
        self._state = WorkerState.FINISHED if finished else WorkerState.WORKING
        await self.patiently(self._renew_lease)

    @property
    def others_work(self) -> bool:
        """Whether another worker may still abandon batches."""
        return any(
            worker.alive and worker.name != self._place.worker and worker.state is not WorkerState.FINISHED
            for worker in self._others
        )

    async def abandoned(self) -> AsyncGenerator[BatchRecord]:
        """Iterate over the batches of workers that have left or crashed."""
        for worker in self._others:
            if not worker.alive and worker.state is not WorkerState.FINISHED and worker.name != self._place.worker:
                async for record in self._batches(worker.name):
                    yield record

    async def earlier(self) -> list[BatchRecord]:
        """Return the batches of earlier runs."""
        records = [record async for record in self._batches()]
        await self.patiently(self._renew_lease)  # A worker that has joined since belongs to this run.
        names = {worker.name for worker in self._others}
        return [record for record in records if record.worker.removesuffix(_REPORTED) not in names]

    async def every(self) -> AsyncGenerator[BatchRecord]:
        """Iterate over all batches of the run."""
        async for record in self._batches():
            yield record

    async def claimed_requests(self, *, other_than: Batch) -> set[str]:
        """Return the request ids of all batches except one, in all runs of the inbox."""
        found: set[str] = set()
        for run, _ in await self.patiently(self._store.runs):
            try:
                found |= await self._requests(run, other_than.key)
            except (InvalidRequest, RunLost):
                self._check()  # No error of this run: another run was forgotten, or is being forgotten.
        return found

    async def _requests(self, run: str, except_key: str) -> set[str]:
        place = None
        if run != self._place.run:
            place = Place(run=run, worker=self._place.worker)
            await self._store.look(place)
        async with aclosing(self._batches(place=place)) as records:
            return {
                record.detail
                async for record in records
                if record.state in (BatchState.ACCEPTED, BatchState.FINISHED) and record.key != except_key
            }

    async def refresh(self, batch: Batch) -> None:
        """Take back a batch that another worker has changed on behalf of this one."""
        batch.epoch = self._epoch
        kept = await self.record_of(batch)
        if kept is not None and kept.worker == self._place.worker:
            batch.state, batch.detail, batch.fence, batch.is_lost = kept.state, kept.detail, kept.fence, False
            self.hold(batch)

    async def adopt(self, record: BatchRecord) -> Batch | None:
        """Take a batch over, or return None if another worker was faster."""
        batch = Batch(key=record.key, state=record.state, detail=record.detail, fence=record.fence, size=record.size)
        self.hold(batch)
        if not await self._change(batch, record.state, record.detail):
            return None
        kept = await self.record_of(batch)
        if kept is None or kept.rows is None:
            self._drop(batch)
            return None
        batch.pack(kept.rows.split(b"\n"))
        if record.state is BatchState.FINISHED or is_reported(record):
            batch.repeats_until = datetime.max.replace(tzinfo=UTC)
        elif record.state in (BatchState.ACCEPTED, BatchState.REFUSED, BatchState.UNKNOWN):
            batch.repeats_until = kept.changed_at  # `now` may be behind: it is read from late answers, too.
        return batch

    async def rows_of(self, key: str) -> list[bytes]:
        """Read the rows of any batch."""
        kept = await self.patiently(lambda: self._store.batch(self._place, key))
        return kept.rows.split(b"\n") if kept is not None and kept.rows else []

    async def items(self, rows: Sequence[bytes]) -> list[Item]:
        """Return the items to claim for rows."""
        async with aclosing(self._items_of(rows)) as items:
            return [item async for item in items]

    async def release(self, record: BatchRecord, items: Sequence[Item]) -> bool:
        """Remove a batch, and the claims of some of its devices."""
        keys = _keys_of(items)
        return await self.patiently(lambda: self._store.release(self._place, record.key, fence=record.fence, keys=keys))

    async def write(self, record: BatchRecord, items: Sequence[Item]) -> None:
        """Write a batch, with the claims of its devices."""
        keys = _keys_of(items)
        await self.patiently(
            lambda: self._store.put_back(self._place, record, description=self._description, keys=keys)
        )

    async def _batches(self, worker: str | None = None, *, place: Place | None = None) -> AsyncGenerator[BatchRecord]:
        page_of = partial(self._store.batches, place or self._place, worker=worker, limit=_PAGE)
        after = ""
        while True:
            page = await self.patiently(partial(page_of, after=after), place=place)
            for record in page:
                yield record
            if len(page) < _PAGE:
                return
            after = page[-1].key

    # Unavailable inboxes and lost changes

    def _check(self) -> None:
        """Raise if the store has lost changes of the run, because then nothing more must be sent."""
        if self._lost is not None:
            raise self._lost

    async def patiently(
        self, work: Callable[[], Awaitable[T]], patience: float | None = None, *, place: Place | None = None
    ) -> T:
        """Do work that may be repeated, and retry it while the inbox is unavailable."""
        until: float | None = None
        while True:
            try:
                return await work()
            except RunLost as error:
                if self._lost is None and place is None:
                    self._lost = error
                    await self._put_back()
                raise
            except InboxUnavailable:
                until = until or time.monotonic() + (_PATIENCE if patience is None else patience)
                if not self._inbox.is_open or time.monotonic() > until:
                    raise
            await asyncio.sleep(_PAUSE)

    async def _put_back(self) -> None:
        """Write this worker's batches back into a store that has lost changes."""
        for batch in [*self._in_hand.values(), *(batch for _, batch in self._finished)]:
            if batch.state not in _SENT:
                continue  # It was not sent, so its devices may be claimed again.
            rows = batch.rows
            items = await self.items(rows)
            batch.fence += 1  # Higher than in the store, unless another worker holds the batch.
            record = BatchRecord(
                key=batch.key,
                worker=self._place.worker,
                fence=batch.fence,
                state=batch.state,
                detail=batch.detail,
                size=batch.size,
                changed_at=self.now,
                rows=b"\n".join(rows),
            )
            try:
                await self._store.put_back(self._place, record, description=self._description, keys=_keys_of(items))
            except InboxUnavailable:
                _log.exception(
                    "cannot write %d devices of the run %s back: find out whether they were sent before you send them "
                    "again",
                    batch.size,
                    self._place.run,
                )


class Filling:
    """A batch that is being filled with devices."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._batch = Batch(room=most)
        self._rows: list[bytes] = []  # Not the items: thousands of objects would delay the garbage collector.

    @property
    def is_full(self) -> bool:
        """Whether the batch has no room left."""
        return len(self._rows) == self._most

    async def claim(self, part: Part, items: list[Item], clashing: list[bytes]) -> list[Item]:
        """Claim devices for the batch, and return the devices that must still be claimed."""
        answers = await part.claim(self._batch, items, self._most)
        if answers is None:  # The batch is gone. Claim its devices again; some may be repeats now.
            earlier = await part.items(self._rows)
            self._batch, self._rows = Batch(room=self._most), []
            return earlier + items
        for item, answer in zip(items, answers, strict=False):
            if answer is Claim.NEW:
                self._rows.append(item.row)
            elif answer is Claim.CLASH:
                clashing.append(item.row)
        self._batch.size = len(self._rows)
        part.hold(self._batch)
        return items[len(answers) :]

    def batch(self) -> Batch:
        """Return the batch, which may have no devices."""
        self._batch.pack(self._rows)
        return self._batch


def _keys_of(items: Iterable[Item]) -> list[int]:
    return [key for item in items for key in {item.whole, *item.keys}]
