"""One request that several processes must not send twice: its record in the ledger of an inbox.

A worker with a lease holds the turn while it prepares and sends the request. It records SENDING before, and ACCEPTED
with the id of the campaign afterwards. Another worker that finds SENDING knows that the request may have been sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import orjson

from thingspace_async._core.joining import when_usable
from thingspace_async._core.ledger import BatchRecord, BatchState, Item, Place, Worker, WorkerState
from thingspace_async._core.outcomes import RunInbox, different_run
from thingspace_async._core.tasks import end, wait_shielded
from thingspace_async.errors import InboxUnavailable, InboxUnusable, InvalidRequest, RunLost

__all__ = ["Turn"]

T = TypeVar("T")

_log: Final = logging.getLogger("thingspace_async")

_LEASE: Final = 15.0
"""Seconds after the last renewal until a worker counts as dead."""
_PATIENCE: Final = 60.0
"""Seconds to retry while the inbox is unavailable."""
_LEAVE_WITHIN: Final = 5.0
_PAUSE: Final = 1.0
_KEY: Final = "campaign"


class Turn:
    """The right to send the one request of a run. `held` waits for it."""

    def __init__(self, inbox: RunInbox, run: str, description: str, *, give_up_after: float) -> None:
        """Prepare to take part. `give_up_after` is how long to wait at the start, while the inbox is unavailable."""
        self._inbox = inbox
        self._give_up_after = give_up_after
        self._store = inbox.ledger
        self._place = Place(run=run, worker=secrets.token_hex(8))
        self._description = description
        self._state = WorkerState.JOINING
        digest = hashlib.blake2b(run.encode(), digest_size=8).digest()
        key = int.from_bytes(digest, "big", signed=True)
        self._item = Item(whole=key, keys=(key,), row=orjson.dumps({"run": run}))
        self._record: BatchRecord | None = None
        self._others: tuple[Worker, ...] = ()
        self._clock = datetime.now(UTC), time.monotonic()
        """Time of the inbox's clock, and of our clock when it was read."""

    @property
    def campaign_id(self) -> str | None:
        """Id of the campaign, if the platform has accepted the request."""
        record = self._record
        return record.detail if record is not None and record.state in _DONE else None

    @property
    def sent_at(self) -> datetime | None:
        """When the request was sent without a known answer, by the clock of the inbox."""
        record = self._record
        if record is None or record.state not in _OPEN:
            return None
        return datetime.fromisoformat(record.detail.partition(" ")[0])

    @property
    def now(self) -> datetime:
        """Present time of the inbox's clock."""
        read, at = self._clock
        return read + timedelta(seconds=time.monotonic() - at)

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Wait for the turn, and read the record. The turn comes without waiting once the request was accepted.

        Raises InvalidRequest if the run was begun with another request.
        """
        place = Place(run=self._place.run, worker=self._place.worker)
        found = await when_usable(lambda: self._store.look(place), self._inbox, self._give_up_after, self._log_wait)
        if found is not None and found.description != self._description:
            raise different_run(self._place.run, self._description, found.description)
        renewal: asyncio.Task[None] | None = None
        try:
            await self._patiently(self._renew)
            renewal = asyncio.create_task(self._keep_renewing(), name=f"lease of {self._place.run}")
            await self._wait()
            yield
        finally:
            if renewal is not None:
                await end(renewal)
            await wait_shielded(asyncio.create_task(self._leave()))

    def _log_wait(self, error: InboxUnavailable) -> None:
        _log.warning("the run %s waits until its inbox can be used: %s", self._place.run, error)

    async def begin(self) -> bool:
        """Record that the request is about to be sent. Return False if another worker has taken the turn over."""
        return await self.note(BatchState.SENDING, self.now.isoformat())

    async def note_lost(self, reason: str) -> None:
        """Record that the answer to the request was lost."""
        sent_at = self.sent_at or self.now
        await self.note(BatchState.UNKNOWN, f"{sent_at.isoformat()} {reason}")

    async def note(self, state: BatchState, detail: str = "") -> bool:
        """Record a state, and return whether this worker still holds the turn."""
        if self._record is None:
            await self._claim()
        if (record := self._record) is None:
            return False
        fence, worker = record.fence, self._place.worker
        kept = await self._patiently(
            lambda: self._store.change(self._place, _KEY, fence=fence, worker=worker, state=state, detail=detail)
        )
        is_own = (kept.fence, kept.worker, kept.state) == (fence + 1, worker, state)
        self._record = kept if is_own else record
        return is_own

    async def _claim(self) -> None:
        items = [self._item]
        await self._patiently(lambda: self._store.claim(self._place, _KEY, items, size=0, most=1, seconds=_LEASE))
        await self._read()
        if self._record is not None and self._record.worker != self._place.worker:
            self._record = None

    async def _read(self) -> None:
        self._record = await self._patiently(lambda: self._store.batch(self._place, _KEY))

    async def _wait(self) -> None:
        """Wait until no worker that joined earlier is alive, or the request was accepted. Then take the record over."""
        while True:
            await self._read()
            if self.campaign_id is not None:
                return
            alive = [worker.name for worker in self._others if worker.alive]
            is_first = not alive or alive[0] == self._place.worker
            if is_first and ((record := self._record) is None or await self.note(record.state, record.detail)):
                return
            await asyncio.sleep(_PAUSE)
            await self._patiently(self._renew)

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(_LEASE / 3)
            with suppress(InboxUnavailable, InvalidRequest):  # Also RunLost, which the next change raises again.
                await self._renew()

    async def _renew(self) -> None:
        joined = await self._store.lease(self._place, description=self._description, state=self._state, seconds=_LEASE)
        if joined.description != self._description:
            raise different_run(self._place.run, self._description, joined.description)
        self._others = joined.workers
        self._clock = joined.now, time.monotonic()

    async def _leave(self) -> None:
        if not self._place.id:
            return
        self._state = WorkerState.LEFT if self.campaign_id is None else WorkerState.FINISHED
        with suppress(InboxUnavailable, InvalidRequest, TimeoutError):
            async with asyncio.timeout(_LEAVE_WITHIN):
                await self._renew()
                if await self._is_unused():
                    await self._store.forget(self._place.run)

    async def _is_unused(self) -> bool:
        """Return whether no request was accepted, and none may have been, so that the name is free again."""
        record = self._record
        if record is not None and record.worker == self._place.worker and record.state in _UNSENT:
            key = self._item.whole
            await self._store.release(self._place, _KEY, fence=record.fence, keys=[key])
        return not await self._store.batches(self._place, limit=1)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do work that may be repeated, and retry it while the inbox is unavailable."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return await work()
            except (InboxUnusable, RunLost):
                raise
            except InboxUnavailable:
                if not self._inbox.is_open or time.monotonic() > until:
                    raise
            await asyncio.sleep(_PAUSE)


_DONE: Final = frozenset({BatchState.ACCEPTED, BatchState.FINISHED})
_UNSENT: Final = frozenset({BatchState.CLAIMED, BatchState.NOT_SENT, BatchState.REFUSED})
_OPEN: Final = frozenset({BatchState.SENDING, BatchState.UNKNOWN})
