"""Prepare a resumed run: release unsent devices and devices to retry, so that they can be claimed again."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from contextlib import aclosing
from datetime import timedelta
from typing import Final

import attrs

from thingspace_async._core.ledger import BatchRecord, BatchState, Item
from thingspace_async._core.outcomes import OutcomeSource
from thingspace_async._core.runs import Batch, Part
from thingspace_async.devices.fleet.awaiting import Awaiting
from thingspace_async.devices.fleet.interface import FleetResult
from thingspace_async.devices.fleet.rows import device_of, item_of, items_of, row_of
from thingspace_async.devices.fleet.unsendable import is_unsendable, unsendable_item

__all__ = ["prepare"]

_RESULTS: Final = {
    BatchState.REFUSED: FleetResult.FAILED,
    BatchState.UNKNOWN: FleetResult.UNKNOWN,
    BatchState.SENDING: FleetResult.UNKNOWN,
}


async def prepare(part: Part, source: OutcomeSource, retry: AbstractSet[FleetResult]) -> None:
    """Release batches that no worker will send. The run reads their devices again."""
    async with aclosing(part.every()) as records:
        async for record in records:
            if record.state in (BatchState.CLAIMED, BatchState.NOT_SENT) or _RESULTS.get(record.state) in retry:
                await part.release(record, await _items(part, record))
            elif record.state in (BatchState.ACCEPTED, BatchState.FINISHED) and retry & _OF_ACCEPTED:
                await _release_some(part, source, record, retry)


_OF_ACCEPTED: Final = frozenset({FleetResult.FAILED, FleetResult.MISSING})


async def _items(part: Part, record: BatchRecord) -> list[Item]:
    rows = await part.rows_of(record.key)
    if is_unsendable(record.key):
        return [unsendable_item(row) for row in rows]
    async with aclosing(items_of(rows)) as items:
        return [item async for item in items]


async def _release_some(
    part: Part, source: OutcomeSource, record: BatchRecord, retry: AbstractSet[FleetResult]
) -> None:
    """Release the devices of an accepted batch that have certain results, and keep the others."""
    items = await _items(part, record)
    batch = Batch(key=record.key, state=BatchState.FINISHED, detail=record.detail)
    batch.pack([item.row for item in items])
    released: set[bytes] = set()
    async with aclosing(Awaiting(source, timedelta()).outcomes(batch)) as outcomes:
        async for outcome in outcomes:
            if outcome.result in retry:
                released.add(row_of(outcome.device))
    if not released:
        return
    kept = [item for item in items if item.row not in released]
    if kept:
        # Written first, so that kept devices can never be claimed again.
        rest = attrs.evolve(
            record,
            key=f"{record.key}-{record.fence}",
            size=len(kept),
            rows=b"\n".join(item.row for item in kept),
        )
        await part.write(rest, kept)
    await part.release(record, [item_of(device_of(row)) for row in released])
