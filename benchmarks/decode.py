"""Decoding a page of 2,000 devices (3 MB) and a year of usage into models, compared to `orjson.loads`."""

from __future__ import annotations

from functools import partial

import orjson

from benchmarks._data import PAGE_SIZE, page, year_of_usage
from benchmarks._measure import Bar, Row, pairs, row
from benchmarks._peers import peers
from thingspace_async._core import codec
from thingspace_async.devices import AccountDeviceListResult, DeviceUsageListResult

__all__ = ["run"]

_PAIRS = 21
_BAD_PATH = f"devices[{PAGE_SIZE - 1}].deviceIds[0].id"


def run() -> list[Row]:
    """Measure a valid page, other libraries, a page whose last device is invalid, and encoding."""
    good = page(PAGE_SIZE)
    last = good.rindex(b'"deviceIds":[{"id":"') + len(b'"deviceIds":[{"id":')
    bad = good[:last] + b"true" + good[good.index(b",", last) :]
    model, plain = codec.load(good, AccountDeviceListResult), orjson.loads(good)

    def ours() -> object:
        return codec.load(good, AccountDeviceListResult)

    def floor() -> object:
        return orjson.loads(good)

    rows = [row("decode 2,000 devices / orjson.loads", pairs(ours, floor, count=_PAIRS), bar=Bar(1.95))]
    for name, decode in peers():
        rows.append(row(f"  {name} / orjson.loads", pairs(partial(decode, good), floor, count=_PAIRS)))
    year = year_of_usage()
    usage = pairs(lambda: codec.load(year, DeviceUsageListResult), lambda: orjson.loads(year), count=_PAIRS)
    return [
        *rows,
        row("  last device wrong / good page", pairs(lambda: _find_fault(bad), ours, count=_PAIRS), bar=Bar(6)),
        row("  encode / orjson.dumps", pairs(lambda: codec.dump(model), lambda: orjson.dumps(plain), count=_PAIRS)),
        row("decode a year of daily usage / orjson.loads", usage),
    ]


def _find_fault(body: bytes) -> None:
    try:
        codec.load(body, AccountDeviceListResult)
    except codec.Mismatch as mismatch:
        if mismatch.path == _BAD_PATH:
            return
        raise
    raise RuntimeError("the wrong device was not found")
