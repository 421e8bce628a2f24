"""The devices of `locate_all`: as they are given, and as ledgers keep them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, Final

import attrs
import orjson

from thingspace_async._core.identity import hash_of_identifier
from thingspace_async._core.ledger import Item
from thingspace_async._core.types import DeviceId, Identified
from thingspace_async.errors import InvalidRequest
from thingspace_async.location.interface import RunDevices
from thingspace_async.location.models import LocationDevice, to_location_devices

__all__ = ["NamedDevice", "chunks", "device_of", "items_of"]

_AT_ONCE: Final = 500
"""Devices to read before other tasks get a turn."""


@attrs.frozen
class NamedDevice:
    """A device, and all its known identifiers, because exclusions may name it by another one."""

    device: LocationDevice
    identifiers: frozenset[str]


async def chunks(devices: RunDevices, most: int) -> AsyncGenerator[list[Item]]:
    """Iterate over the devices in chunks of at most `most`."""
    chunk: list[Item] = []
    async with AsyncExitStack() as stack:
        if isinstance(devices, AsyncGenerator):  # If the run stops early, the generator must be closed here.
            await stack.enter_async_context(aclosing(devices))
        async for given in await stack.enter_async_context(aclosing(_walked(devices))):
            chunk.append(_item_of(_row_of(given)))
            if len(chunk) == min(most, _AT_ONCE):
                yield chunk
                chunk = []
                await asyncio.sleep(0)
    if chunk:
        yield chunk


async def items_of(rows: Sequence[bytes]) -> AsyncGenerator[Item]:
    """Iterate over the items to claim for rows."""
    for number, row in enumerate(rows):
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
        yield _item_of(row)


def device_of(row: bytes) -> NamedDevice:
    """Read a row."""
    identifier, kind, mdn, *others = orjson.loads(row)
    return NamedDevice(LocationDevice(id=identifier, kind=kind, mdn=mdn), frozenset((identifier, mdn, *others)))


def _row_of(given: Any) -> bytes:
    """Write a device as `[id, kind, mdn, other identifiers...]`."""
    (device,) = to_location_devices([given])
    if not isinstance(device, LocationDevice):
        raise InvalidRequest(
            "location.locate_all: a device needs both an MDN and another identifier, and this one has not: "
            f"{type(given).__name__}"
        )
    others = (one.id for one in given.device_ids) if isinstance(given, Identified) else ()
    row = orjson.dumps([device.id, device.kind, device.mdn, *others])
    return b"%b" % row  # A copy, because the original bytes of orjson occupy about 4 KB.


def _item_of(row: bytes) -> Item:
    """Return the item to claim for a device. Its phone number identifies it."""
    number = hash_of_identifier(DeviceId(kind="mdn", id=orjson.loads(row)[2]))
    return Item(whole=number, keys=(number,), row=row)


async def _walked(devices: RunDevices) -> AsyncGenerator[Any]:
    if isinstance(devices, AsyncIterable):
        async for one in devices:
            yield one
    else:
        for one in devices:
            yield one
