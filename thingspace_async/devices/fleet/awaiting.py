"""Wait for the outcomes of all accepted batches at the same time, so that a silent device delays no other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final, Self

from thingspace_async._core.identity import are_different, key_of, keys_of, names_of
from thingspace_async._core.ledger import BatchState
from thingspace_async._core.outcomes import DeviceOutcome, OutcomeSource, ReceivedMessage, inference_note
from thingspace_async._core.runs import Batch
from thingspace_async._core.types import Accepted, DeviceId, DeviceIds
from thingspace_async.devices.fleet.interface import FleetOutcome, FleetResult
from thingspace_async.devices.fleet.rows import device_of, hash_of_identifier, hashed
from thingspace_async.errors import InboxUnavailable, OutcomesMissing

__all__ = ["Awaiting", "Room", "Roster"]

_PATIENCE: Final = 300.0
"""Seconds to retry reading while the inbox is unavailable."""

_PAUSE: Final = 1.0

_AT_ONCE: Final = 50
"""Rows to read before other tasks get a turn."""

_FEW: Final = 0.01
"""Fraction of waiting devices below which a batch forgets its other devices, because stragglers may wait for long."""


class Room:
    """Limits the number of devices in progress. Batches get room in the order of their requests."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, count: int) -> None:
        """Wait for room for a number of devices."""
        if not self._waiting and count <= self._free:
            self._free -= count
            return
        ready = asyncio.get_running_loop().create_future()
        self._waiting.append((count, ready))
        try:
            await ready
        except asyncio.CancelledError:
            if ready.done() and not ready.cancelled():
                self.give(count)
            raise

    def give(self, count: int) -> None:
        """Give room back."""
        self._free += count
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= self._free):
            wanted, ready = self._waiting.popleft()
            if not ready.done():  # Not cancelled.
                self._free -= wanted
                ready.set_result(None)


class Roster:
    """The devices of a batch that have no outcome, found by their identifiers."""

    def __init__(self) -> None:
        self._rows: dict[int, bytes] = {}
        self._places: dict[int, int] = {}
        """Places of rows by the hashes of identifiers. They include devices with outcomes until few others are left."""
        self._size = 0
        self.unmatched = 0
        """Results that match none of the devices. Once few are left, results of forgotten devices count, too."""
        self.unmatched_names = ""

    @classmethod
    async def of(cls, rows: Sequence[bytes]) -> Self:
        """Read the devices of a batch."""
        roster = cls()
        async with aclosing(hashed(rows)) as found:
            async for row, hashes in found:
                roster._rows[roster._size] = row
                for one in hashes:
                    roster._places[one] = roster._size
                roster._size += 1
        return roster

    def __len__(self) -> int:
        """Return the number of devices without an outcome."""
        return len(self._rows)

    def find(self, names: Iterable[Iterable[DeviceId]]) -> int | None:
        """Return the place of the device that has one of these identifiers."""
        for several in names:
            for one in several:
                if (place := self._places.get(hash_of_identifier(one))) is not None:
                    return place
        return None

    def learn(self, place: int, names: Iterable[Iterable[DeviceId]]) -> None:
        """Remember all identifiers of a device, because the next message may name it by another identifier."""
        for several in names:
            for one in several:
                self._places.setdefault(hash_of_identifier(one), place)

    def row(self, place: int) -> bytes | None:
        """Return the row of a device, or None if it has an outcome."""
        return self._rows.get(place)

    @property
    def any_row(self) -> bytes | None:
        """Row of any device without an outcome, or None if all have one."""
        return next(iter(self._rows.values()), None)

    def done(self, place: int) -> None:
        """Record that a device has its outcome."""
        del self._rows[place]
        if len(self._rows) < self._size * _FEW and len(self._rows) * 8 < len(self._places):
            self._places = {key: place for key, place in self._places.items() if place in self._rows}

    @property
    def left(self) -> tuple[DeviceIds, ...]:
        """The devices without an outcome."""
        return tuple([device_of(row) for row in self._rows.values()])


class Awaiting:
    """Waits for the outcomes of batches."""

    def __init__(self, source: OutcomeSource, timeout: timedelta) -> None:
        self._source = source
        self._timeout = timeout
        self._one_at_a_time = asyncio.Lock()

    async def outcomes(self, batch: Batch) -> AsyncGenerator[FleetOutcome]:
        """Iterate over the outcomes of an accepted batch: one for each device, with MISSING ones at the end."""
        roster = await Roster.of(batch.rows)
        async with aclosing(self._named(batch, roster)) as coming:
            async for outcome in coming:
                yield _fleet_outcome(outcome, batch)
        reason = f"no outcome within {self._timeout}"
        if batch.state is BatchState.FINISHED:  # Its messages had arrived.
            reason = "its message is no longer in the inbox"
        if roster and roster.unmatched:
            async with aclosing(self._unnamed(batch, roster)) as coming:
                async for outcome in coming:
                    yield _fleet_outcome(outcome, batch)
            if roster.unmatched_names:
                reason += f"; {roster.unmatched_names}"
        for device in roster.left:
            yield FleetOutcome(
                device=device,
                result=FleetResult.MISSING,
                request_id=batch.detail,
                reason=reason,
                repeat=batch.state is BatchState.FINISHED,
            )

    async def _named(self, batch: Batch, roster: Roster) -> AsyncGenerator[DeviceOutcome]:
        """Iterate over the outcomes whose messages name their devices."""
        async with aclosing(self._messages(batch)) as messages:
            async for received in messages:
                for names in self._source.named_in(received.message):
                    place = roster.find(names)
                    row = roster.any_row if place is None else roster.row(place)
                    if row is None:
                        continue
                    outcome = self._source.outcome_of(device_of(row), received)
                    if place is None:
                        roster.unmatched += outcome.final
                        if batch.size == 1 and outcome.final and not _is_about_another(names, outcome.device):
                            return  # The message may be about the only device, under another identifier.
                    elif outcome.final:
                        roster.done(place)
                        yield outcome
                    else:
                        roster.learn(place, names)
                if not roster:
                    return

    async def _messages(self, batch: Batch) -> AsyncGenerator[ReceivedMessage]:
        """Iterate over the messages of a request: first the stored messages, then those that arrive in time.

        If the inbox was unavailable, the iteration starts again from the first message.
        """
        now = asyncio.get_running_loop().time
        until = now() + self._timeout.total_seconds()
        patient_until: float | None = None
        while True:
            try:
                async with aclosing(self._read(batch, until)) as messages:
                    async for received in messages:
                        patient_until = None
                        yield received
            except InboxUnavailable:
                patient_until = patient_until or now() + _PATIENCE
                if not self._source.inbox.is_open or now() >= patient_until:
                    raise
            else:
                return
            await asyncio.sleep(_PAUSE)

    async def _read(self, batch: Batch, until: float) -> AsyncGenerator[ReceivedMessage]:
        if batch.state is BatchState.FINISHED:
            async for received in self._source.inbox.read(request_id=batch.detail):
                yield received
            return
        last: ReceivedMessage | None = None
        async with aclosing(self._source.inbox.follow(batch.detail)) as coming:
            while (arrived := await _next(coming, until)) is not None:
                last = arrived
                yield arrived
        # Messages that have arrived in time count, even if the inbox answers slowly.
        async for received in self._source.inbox.read(request_id=batch.detail, after=last):
            yield received

    async def _unnamed(self, batch: Batch, roster: Roster) -> AsyncGenerator[DeviceOutcome]:
        """Read all messages of a batch again: the last device may have been reported under another identifier."""
        devices: dict[DeviceIds, int] = {}
        async with self._one_at_a_time:  # This takes much more memory than waiting does.
            for number, row in enumerate(batch.rows):
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)
                devices[device_of(row)] = number
            accepted = Accepted(request_id=batch.detail, devices=tuple(devices))
            try:
                async with aclosing(self._source.of(accepted, timeout=timedelta())) as coming:
                    async for outcome in coming:
                        place = devices.get(outcome.device)
                        if place is not None and roster.row(place) is not None and outcome.asked_for and outcome.final:
                            roster.done(place)
                            yield outcome
            except OutcomesMissing as error:
                if error.unmatched:
                    named = names_of([one.device for one in error.unmatched])
                    count = len(error.unmatched)
                    roster.unmatched_names = f"{count:,} of the request's messages match none of its devices: {named}"


def _is_about_another(names: Iterable[Iterable[DeviceId]], device: DeviceIds) -> bool:
    return are_different([key_of(one) for several in names for one in several], keys_of(device))


async def _next(coming: AsyncGenerator[ReceivedMessage], until: float) -> ReceivedMessage | None:
    """Return the next message, or None if it does not arrive in time."""
    limit = asyncio.timeout_at(until)
    try:
        async with limit:
            return await anext(coming)
    except StopAsyncIteration:
        raise InboxUnavailable(
            "the inbox was closed while a fleet run waited for outcomes: open it, and start the run again"
        ) from None
    except TimeoutError:
        if limit.expired():
            return None
        raise


def _fleet_outcome(outcome: DeviceOutcome, batch: Batch) -> FleetOutcome:
    return FleetOutcome(
        device=outcome.device,
        result=FleetResult.FAILED if outcome.failed else FleetResult.SUCCEEDED,
        request_id=batch.detail,
        outcome=outcome,
        reason=_reason_of(outcome) if outcome.failed else None,
        repeat=_is_repeat(outcome.received_at, batch.repeats_until),
    )


def _reason_of(outcome: DeviceOutcome) -> str:
    fault = outcome.fault
    explanation = None if fault is None else fault.message or fault.code
    return f"{explanation or outcome.status or 'no explanation given'}{inference_note(outcome)}"


def _is_repeat(received_at: datetime, repeats_until: datetime | None) -> bool:
    return repeats_until is not None and received_at <= repeats_until
