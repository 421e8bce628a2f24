"""Devices of a fleet run that are never sent: invalid devices, and devices that share identifiers with others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from thingspace_async._core.identity import name_of
from thingspace_async._core.ledger import Item
from thingspace_async._core.runs import Batch, Part
from thingspace_async.devices.fleet.interface import FleetOutcome, FleetResult
from thingspace_async.devices.fleet.plan import Action
from thingspace_async.devices.fleet.rows import device_of, hash_of, hashes_of, items_of
from thingspace_async.errors import InvalidRequest

__all__ = ["is_unsendable", "new_unsendable", "unsendable_item", "unsendable_outcomes"]

_PREFIX: Final = "aside-"
"""Prefix of the keys of batches with such devices."""


def is_unsendable(key: str) -> bool:
    """Return whether a batch has devices that are never sent."""
    return key.startswith(_PREFIX)


def new_unsendable() -> Batch:
    """Return a batch for devices that are never sent."""
    batch = Batch()
    batch.key = _PREFIX + batch.key
    return batch


def unsendable_item(row: bytes) -> Item:
    """Return the item to claim for such a device. One worker reports it, and its identifiers stay unclaimed."""
    whole = hash_of(b"aside " + row)
    return Item(whole=whole, keys=(whole,), row=row)


async def unsendable_outcomes(part: Part, action: Action, rows: Sequence[bytes], *, repeat: bool) -> list[FleetOutcome]:
    """Return the outcomes of devices that are never sent. Each worker and run finds the reasons again."""
    outcomes: dict[bytes, FleetOutcome] = {}
    clashing: list[bytes] = []
    for row in rows:
        device = device_of(row)
        try:
            action.request((device,))
        except InvalidRequest as error:
            outcomes[row] = FleetOutcome(
                device=device, result=FleetResult.FAILED, reason=str(error), error=error, repeat=repeat
            )
        else:
            clashing.append(row)
    others = await _others(part, clashing) if clashing else {}
    for row in clashing:
        other = others.get(row, "another device of the run")
        outcomes[row] = FleetOutcome(
            device=device_of(row),
            result=FleetResult.FAILED,
            reason=f"not sent, because it shares an identifier with {other}: each device needs its own identifiers",
            repeat=repeat,
        )
    return [outcomes[row] for row in rows]


async def _others(part: Part, rows: Sequence[bytes]) -> dict[bytes, str]:
    """Return the names of the devices that share identifiers with rows, from one walk over the run."""
    wanted: dict[int, list[bytes]] = {}
    for row in rows:
        for key in hashes_of(device_of(row)):
            wanted.setdefault(key, []).append(row)
    found: dict[bytes, str] = {}
    async with aclosing(part.every()) as records:
        async for record in records:
            if is_unsendable(record.key):
                continue
            async with aclosing(items_of(await part.rows_of(record.key))) as items:
                async for item in items:
                    for key in item.keys:
                        for row in wanted.get(key, ()):
                            found.setdefault(row, name_of(device_of(item.row)))
            if len(found) == len(rows):
                break
    return found
