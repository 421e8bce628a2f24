"""Read the devices of a fleet run in chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import AsyncExitStack, aclosing
from typing import Any, Final

import attrs

from thingspace_async._core.ledger import Item
from thingspace_async._core.types import DeviceIds, to_devices
from thingspace_async.devices.fleet.interface import FleetDevices
from thingspace_async.devices.fleet.plan import Action
from thingspace_async.devices.fleet.rows import item_of, row_of
from thingspace_async.errors import InvalidRequest

__all__ = ["Chunk", "check_devices", "chunks"]

_AT_ONCE: Final = 1000
"""Devices to check and claim together."""

_A_TURN: Final = 100
"""Devices to read before other tasks get a turn."""


@attrs.frozen
class Chunk:
    """A chunk of devices."""

    items: list[Item]
    unfit: list[bytes]
    """Rows of invalid devices."""


def check_devices(action: Action, devices: object) -> None:
    """Raise InvalidRequest unless the devices can be iterated over."""
    if isinstance(devices, str) or not isinstance(devices, Iterable | AsyncIterable):
        raise InvalidRequest(f"{action.name}: devices must be an iterable of devices")


async def chunks(action: Action, devices: FleetDevices, most: int) -> AsyncGenerator[Chunk]:
    """Iterate over the devices in chunks. A chunk has at most as many devices as a request."""
    at_once = min(most, _AT_ONCE)
    some: list[DeviceIds] = []
    async with AsyncExitStack() as stack:
        if isinstance(devices, AsyncGenerator):  # If the run stops early, the generator must be closed here.
            await stack.enter_async_context(aclosing(devices))
        async for device in await stack.enter_async_context(aclosing(_each(devices))):
            some.append(device)
            if len(some) == at_once:
                yield await _chunk(action, some)
                some = []
            if len(some) % _A_TURN == 0:
                await asyncio.sleep(0)
    if some:
        yield await _chunk(action, some)


async def _chunk(action: Action, devices: list[DeviceIds]) -> Chunk:
    unfit: list[bytes] = []
    fit = await _fit(action, tuple(devices), unfit)
    items: list[Item] = []
    for start in range(0, len(fit), _A_TURN):
        await asyncio.sleep(0)
        items += [item_of(device) for device in fit[start : start + _A_TURN]]
    return Chunk(items, unfit)


async def _fit(action: Action, devices: tuple[DeviceIds, ...], unfit: list[bytes]) -> tuple[DeviceIds, ...]:
    """Return the valid devices, so that one invalid device does not block thousands of others."""
    try:
        action.request(devices)
    except InvalidRequest:
        if len(devices) == 1:
            unfit.append(row_of(devices[0]))
            return ()
    else:
        return devices
    # Split in halves, with turns for other tasks: checking hundreds one by one would block the event loop.
    await asyncio.sleep(0)
    middle = len(devices) // 2
    return await _fit(action, devices[:middle], unfit) + await _fit(action, devices[middle:], unfit)


async def _each(given: FleetDevices) -> AsyncGenerator[DeviceIds]:
    if isinstance(given, AsyncIterable):
        async for one in given:
            yield _device(one)
    else:
        for one in given:
            yield _device(one)


def _device(given: Any) -> DeviceIds:
    (found,) = to_devices([given])
    if not isinstance(found, DeviceIds):
        raise InvalidRequest(
            f"fleet: a device must be a DeviceId, a list of DeviceId or a DeviceIds, not {type(given).__name__}"
        )
    return found
