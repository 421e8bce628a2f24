"""Reconciling: search for messages that show that a batch was accepted although its answer was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import attrs

from thingspace_async._core.outcomes import OutcomeSource, ReceivedMessage
from thingspace_async._core.runs import Batch, Part
from thingspace_async.devices.fleet.rows import hash_of_identifier, items_of

__all__ = ["Reconciler"]

_MARGIN: Final = timedelta(seconds=5)
"""Allowed difference between the clocks of receivers and of the store."""

_FIRST_PAUSE: float = 1.0
_LONGEST_PAUSE: Final = 30.0

_AT_ONCE: Final = 100
"""Messages to read before other tasks get a turn."""


@attrs.define(eq=False)
class _Search:
    """A search for the request id of a batch."""

    batch: Batch
    since: datetime
    keys: frozenset[int]
    candidates: dict[str, int] = attrs.field(factory=dict[str, int])
    """Request ids of messages about its devices, with the number of scans in which they fitted."""


class Reconciler:
    """Searches the inbox for messages about the devices of batches whose answers were lost.

    All searches share one scan, so each message is read once.
    """

    def __init__(self, source: OutcomeSource, part: Part) -> None:
        self._source = source
        self._part = part
        self._searches: list[_Search] = []
        self._scanning = asyncio.Lock()

    async def find(self, batch: Batch, until: datetime) -> str | None:
        """Return the request id of an accepted batch, or None if no message shows it until then."""
        keys: set[int] = set()
        async with aclosing(items_of(batch.rows)) as items:
            async for item in items:
                keys.update(item.keys)
        search = _Search(batch, batch.sent_at - _MARGIN, frozenset(keys))
        self._searches.append(search)
        pause = _FIRST_PAUSE
        try:
            while True:
                is_last = self._part.now >= until
                await self._scan(search)
                if (found := await self._best(search, is_last=is_last)) is not None or is_last:
                    return found
                await asyncio.sleep(min(pause, max(0.0, (until - self._part.now).total_seconds())))
                pause = min(_LONGEST_PAUSE, 2 * pause)
        finally:
            self._searches.remove(search)

    async def _scan(self, search: _Search) -> None:
        """Read new messages, unless another search has read them in the meantime."""
        asked = self._part.now
        async with self._scanning:
            if search.since > asked - _MARGIN:
                return
            searches = list(self._searches)
            began = self._part.now
            await self._part.patiently(lambda: self._read(searches))
            for one in searches:
                one.since = began - _MARGIN + timedelta(microseconds=1)

    async def _read(self, searches: Sequence[_Search]) -> None:
        owners = {key: one for one in searches for key in one.keys}
        count = 0
        async for received in self._source.inbox.read(since=min(one.since for one in searches)):
            count += 1
            if count % _AT_ONCE == 0:
                await asyncio.sleep(0)
            request_id = received.message.request_id
            for keys in self._keys_in(received) if request_id is not None else ():
                if request_id is not None and (owner := _owner(owners, keys)) is not None:
                    owner.candidates.setdefault(request_id, 0)

    async def _best(self, search: _Search, *, is_last: bool) -> str | None:
        """Return the request id that fits the batch's devices best and belongs to no other batch."""
        if not search.candidates:
            return None
        claimed = await self._part.claimed_requests(other_than=search.batch)
        fitting: dict[str, int] = {}
        for request_id in search.candidates:
            if request_id in claimed:
                continue
            own, others = await self._part.patiently(partial(self._count, search, request_id))
            if own > others:
                fitting[request_id] = own
                search.candidates[request_id] += 1
        if not fitting:
            return None
        best = max(fitting, key=lambda one: fitting[one])
        # Few messages may belong to another request for some of the same devices, whose id is not recorded yet.
        sure = is_last or 2 * fitting[best] >= search.batch.size or search.candidates[best] > 1
        return best if sure else None

    async def _count(self, search: _Search, request_id: str) -> tuple[int, int]:
        """Return how many messages of a request are about the batch's devices, and how many are about others."""
        own = others = 0
        async for received in self._source.inbox.read(request_id=request_id):
            for keys in self._keys_in(received):
                is_own = not search.keys.isdisjoint(keys)
                own, others = own + is_own, others + (not is_own)
        return own, others

    def _keys_in(self, received: ReceivedMessage) -> list[list[int]]:
        return [
            [hash_of_identifier(one) for several in names for one in several]
            for names in self._source.named_in(received.message)
        ]


def _owner(owners: dict[int, _Search], keys: list[int]) -> _Search | None:
    return next((owners[key] for key in keys if key in owners), None)
