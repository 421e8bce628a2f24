"""What a run has sent, kept so that the next run of the same name neither repeats nor forgets a device."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, Self

import attrs

from thingspace_async._outcomes import (
    Batch,
    LedgerStore,
    Part,
    State,
    begun_otherwise,
    packed,
    runs_under_way,
    unpacked,
)
from thingspace_async._types import DeviceIds
from thingspace_async.errors import InvalidRequest

__all__ = ["KnownDevices", "LocalRuns"]


class LocalRuns:
    """Runs of one worker at a time; each batch is written once, before it is sent, and its state as it changes."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store

    @asynccontextmanager
    async def join(self, run: str, began_as: str) -> AsyncGenerator[Part]:
        """Carry out a run alone; see `SharedRuns.join`."""
        mark = id(self._store), run
        if mark in runs_under_way:
            raise InvalidRequest(f"{began_as.partition(' ')[0]}: the run {run} is under way: it would send all twice")
        runs_under_way.add(mark)
        try:
            yield await _WholeRun(self._store, run, began_as).read()
        finally:
            runs_under_way.discard(mark)


_BEGAN_AS: Final = "operation"
_STATE: Final = ":state"


class _WholeRun:
    """What a worker alone does of a run, namely all of it; see `Part`."""

    def __init__(self, store: LedgerStore, run: str, began_as: str) -> None:
        self._store = store
        self._run = run
        self._began_as = began_as
        self._known = KnownDevices()
        self._left: list[tuple[str, str, str]] = []
        """Key, devices and state of an earlier run's batches that are not yet adopted, the first one last."""

    async def read(self) -> Self:
        """Find out what an earlier run has left: what it has sent is known before anything is sent."""
        entries = await self._store.recorded(self._run)
        if (first := entries.pop(_BEGAN_AS, self._began_as)) != self._began_as:
            raise begun_otherwise(self._run, self._began_as, first)
        for key, text in entries.items():
            if not key.endswith(_STATE) and not (state := entries[key + _STATE]).startswith(State.NOT_SENT):
                self._left.append((key, text, state))
                for device in unpacked(text):
                    self._known.add(device)
                await asyncio.sleep(0)
        self._left.reverse()
        return self

    async def claim(
        self, batch: Batch, devices: tuple[DeviceIds, ...], most: int
    ) -> tuple[Batch, tuple[DeviceIds, ...]]:
        """Add devices to a batch; nothing is noted before it is sent."""
        taken, place = list(batch.devices), 0
        while place < len(devices) and len(taken) < most:
            if self._known.add(devices[place]):
                taken.append(devices[place])
            place += 1
        return attrs.evolve(batch, devices=tuple(taken)), devices[place:]

    async def begin(self, batch: Batch) -> bool:
        """Note that a batch is about to be sent."""
        await self._store.record(
            self._run,
            {_BEGAN_AS: self._began_as, batch.key: packed(batch.devices), batch.key + _STATE: State.SENDING},
        )
        return True

    async def note(self, batch: Batch, state: State, detail: str = "") -> bool:
        """Note what became of a batch; the devices of one that was not sent are known no more to the next run."""
        entries = {batch.key + _STATE: f"{state} {detail}"}
        if state is State.NOT_SENT:
            entries[batch.key] = ""
        await self._store.record(self._run, entries)
        return True

    async def adopt(self) -> Batch | None:
        """Take up a batch of an earlier run."""
        if not self._left:
            return None
        await asyncio.sleep(0)
        key, text, state = self._left.pop()
        reached, _, detail = state.partition(" ")
        return Batch(key=key, devices=unpacked(text), state=State(reached), detail=detail)

    async def others_at_work(self, *, finished: bool) -> bool:
        """Say no: there are no others."""
        del finished
        return False


class KnownDevices:
    """The identifiers that a run has met, as 8 bytes of hash each: a million devices as objects would fill the memory.

    Two of two million identifiers have the same hash once in some ten million runs. The hash tables are many and small,
    because each holds up the event loop while it grows.
    """

    def __init__(self) -> None:
        self._tables = [array("q", bytes(8 * _SMALLEST)) for _ in range(_TABLES)]
        self._sizes = array("q", bytes(8 * _TABLES))

    def add(self, device: DeviceIds) -> bool:
        """Note a device, and say whether it is a new one: it is not when any of its identifiers was met."""
        hashes = [hash(one) or 1 for one in device.device_ids]  # 0 marks a free place.
        if any(self._place(key)[1] for key in hashes):
            return False
        for key in hashes:
            place, found = self._place(key)
            if not found:
                self._put(key, place)
        return True

    def _place(self, key: int) -> tuple[int, bool]:
        """Find where a hash is, or where it would be."""
        table = self._tables[key % _TABLES]
        last = len(table) - 1
        place = (key // _TABLES) & last
        while table[place] not in (0, key):
            place = (place + 1) & last
        return place, table[place] == key

    def _put(self, key: int, place: int) -> None:
        number = key % _TABLES
        table = self._tables[number]
        table[place] = key
        self._sizes[number] += 1
        if self._sizes[number] * 4 > len(table) * 3:
            self._tables[number] = array("q", bytes(16 * len(table)))
            for kept in table:
                if kept:
                    self._tables[number][self._place(kept)[0]] = kept


_TABLES: Final = 256
_SMALLEST: Final = 8
