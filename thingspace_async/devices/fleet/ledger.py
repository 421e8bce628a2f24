"""What a run has sent, kept so that the next run of the same name neither repeats nor forgets a device."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import uuid
import zlib
from array import array
from collections.abc import AsyncGenerator, Iterable
from enum import StrEnum
from typing import Final

import attrs
import orjson

from thingspace_async._outcomes import LedgerStore
from thingspace_async._types import DeviceId, DeviceIds
from thingspace_async.errors import InvalidRequest

__all__ = ["Batch", "KnownDevices", "Ledger", "State"]


class State(StrEnum):
    """How far a batch of devices has come."""

    SENDING = "sending"
    """About to be sent, or sent: without a later state, nobody knows."""
    ACCEPTED = "accepted"
    FINISHED = "finished"
    """Accepted, and all outcomes have come."""
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_SENT = "not-sent"


@attrs.frozen(kw_only=True)
class Batch:
    """The devices of one request."""

    devices: tuple[DeviceIds, ...]
    key: str = attrs.field(factory=lambda: uuid.uuid4().hex)
    """Its own even where two processes share a run by mistake: neither overwrites what the other has noted."""
    state: State = State.SENDING
    detail: str = ""
    """The request's id, or why there is none."""


class Ledger:
    """The batches of one run: what each has in it is written once, before it is sent, and its state as it changes."""

    def __init__(self, store: LedgerStore, run: str, operation: str, particulars: bytes) -> None:
        """Keep a run of an operation; the particulars are what else makes it another run: its options, and where to."""
        self._store = store
        self._run = run
        self._operation = operation
        self._began_as = f"{operation} {hashlib.blake2b(particulars, digest_size=16).hexdigest()}"

    async def begin(self, batch: Batch) -> None:
        """Note that a batch is about to be sent."""
        await self._store.record(
            self._run,
            {_BEGAN_AS: self._began_as, batch.key: _written(batch.devices), batch.key + _STATE: State.SENDING},
        )

    async def note(self, batch: Batch, state: State, detail: str = "") -> None:
        """Note what became of a batch; the devices of one that was not sent are known no more."""
        entries = {batch.key + _STATE: f"{state} {detail}"}
        if state is State.NOT_SENT:
            entries[batch.key] = ""
        await self._store.record(self._run, entries)

    async def batches(self) -> AsyncGenerator[Batch]:
        """Walk what earlier runs of the name have noted, one batch at a time.

        Raises InvalidRequest where they were about something else: nothing would be sent, and all seem done.
        """
        entries = await self._store.recorded(self._run)
        began_as = entries.pop(_BEGAN_AS, self._began_as)
        if began_as != self._began_as:
            operation = began_as.partition(" ")[0]
            how = "with other options, or on another platform" if operation == self._operation else f"as {operation}"
            raise InvalidRequest(
                f"{self._operation}: the run {self._run} was begun {how}: go on as it began, or give another name, "
                "under which all devices are sent"
            )
        for key in [key for key in entries if not key.endswith(_STATE)]:
            state, _, detail = entries[key + _STATE].partition(" ")
            if state != State.NOT_SENT:
                yield Batch(key=key, devices=_read(entries.pop(key)), state=State(state), detail=detail)
            await asyncio.sleep(0)


_BEGAN_AS: Final = "operation"
_STATE: Final = ":state"


def _written(devices: Iterable[DeviceIds]) -> str:
    """Write devices as [[address, kind, id, kind, id, ...], ...], compressed: the next run reads a million at once."""
    rows = [
        [device.ip_address, *(part for one in device.device_ids for part in (one.kind, one.id))] for device in devices
    ]
    return base64.b64encode(zlib.compress(orjson.dumps(rows), level=1)).decode()


def _read(text: str) -> tuple[DeviceIds, ...]:
    return tuple(
        DeviceIds(
            device_ids=tuple(
                DeviceId(kind=kind, id=identifier) for kind, identifier in zip(parts[::2], parts[1::2], strict=True)
            ),
            ip_address=address,
        )
        for address, *parts in orjson.loads(zlib.decompress(base64.b64decode(text)))
    )


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
