"""Devices in the form for ledgers: JSON rows, and hashes of identifiers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from functools import cache
from typing import Any, Final

import orjson

from thingspace_async._core import codec
from thingspace_async._core.identity import hash_of, hash_of_identifier, hash_of_parts
from thingspace_async._core.ledger import Item
from thingspace_async._core.types import DeviceIds, Identified
from thingspace_async.errors import InvalidRequest

__all__ = [
    "device_of",
    "hash_of",
    "hash_of_identifier",
    "hashed",
    "hashes_of",
    "in_requests",
    "item_of",
    "items_of",
    "row_of",
]

_AT_ONCE: Final = 50
"""Rows to read before other tasks get a turn. Dozens of batches may be read at the same time."""


def row_of(device: DeviceIds) -> bytes:
    """Write a device as `[address, kind, id, kind, id, ...]`."""
    try:
        row = orjson.dumps([device.ip_address, *[part for one in device.device_ids for part in (one.kind, one.id)]])
    except TypeError as error:
        raise InvalidRequest(f"fleet: a device cannot be written as JSON: {error}") from None
    return b"%b" % row  # A copy, because the original bytes of orjson occupy about 4 KB.


async def in_requests(rows: Sequence[bytes]) -> bytes:
    """Write devices in the form for a request."""
    parts: list[bytes] = []
    for start in range(0, len(rows), _AT_ONCE):
        some = [_in_request(row) for row in rows[start : start + _AT_ONCE]]
        parts.append(orjson.dumps(some)[1:-1])
        await asyncio.sleep(0)
    return b"[%b]" % b",".join(parts)


def _in_request(row: bytes) -> dict[str, Any]:
    address, *parts = orjson.loads(row)
    device: dict[str, Any] = {
        "deviceIds": [{"id": value, "kind": kind} for kind, value in zip(parts[::2], parts[1::2], strict=True)]
    }
    if address is not None:
        device["ipAddress"] = address
    return device


def device_of(row: bytes) -> DeviceIds:
    """Read a row. Its identifiers have been checked already."""
    device: DeviceIds = _loader()(_in_request(row), DeviceIds)
    return device


@cache
def _loader() -> Callable[..., Any]:
    return codec.loader(DeviceIds)


def hashes_of(device: Identified) -> tuple[int, ...]:
    """Return the hashes of a device's identifiers. Among 20 million, two are equal once in about 90,000 runs."""
    return tuple(dict.fromkeys([hash_of_identifier(one) for one in device.device_ids]))


def item_of(device: DeviceIds) -> Item:
    """Return the item to claim for a device."""
    return _item(hashes_of(device), row_of(device))


def _item(hashes: tuple[int, ...], row: bytes) -> Item:
    # The sum does not depend on the order of the identifiers.
    return Item(whole=(sum(hashes) + 2**63) % 2**64 - 2**63, keys=hashes, row=row)


async def items_of(rows: Iterable[bytes]) -> AsyncGenerator[Item]:
    """Iterate over the items to claim for rows."""
    async with aclosing(hashed(rows)) as found:
        async for row, hashes in found:
            yield _item(hashes, row)


async def hashed(rows: Iterable[bytes]) -> AsyncGenerator[tuple[bytes, tuple[int, ...]]]:
    """Iterate over rows and the hashes of their identifiers."""
    for number, row in enumerate(rows):
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
        _, *parts = orjson.loads(row)
        hashes = [hash_of_parts(kind, value) for kind, value in zip(parts[::2], parts[1::2], strict=True)]
        yield row, tuple(dict.fromkeys(hashes))
