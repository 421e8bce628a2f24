"""Reading a page of 2,000 devices, 3 MB, and a year of usage into models, beside `orjson.loads` of the same bytes."""

from __future__ import annotations

from functools import partial

import orjson

from benchmarks._data import PAGE_SIZE, page, year_of_usage
from benchmarks._measure import Bar, Row, pairs, row
from benchmarks._peers import peers
from thingspace_async import _codec
from thingspace_async.devices import AccountDeviceListResult, DeviceUsageListResult

__all__ = ["run"]

_PAIRS = 21
_BAD_PATH = f"devices[{PAGE_SIZE - 1}].deviceIds[0].id"


def run() -> list[Row]:
    """Measure a good page, other libraries, a page whose last device is wrong, and writing."""
    good = page(PAGE_SIZE)
    last = good.rindex(b'"deviceIds":[{"id":"') + len(b'"deviceIds":[{"id":')
    bad = good[:last] + b"true" + good[good.index(b",", last) :]
    model, plain = _codec.load(good, AccountDeviceListResult), orjson.loads(good)

    def ours() -> object:
        return _codec.load(good, AccountDeviceListResult)

    def floor() -> object:
        return orjson.loads(good)

    rows = [row("decode 2,000 devices / orjson.loads", pairs(ours, floor, count=_PAIRS), bar=Bar(2.2))]
    for name, decode in peers():
        rows.append(row(f"  {name} / orjson.loads", pairs(partial(decode, good), floor, count=_PAIRS)))
    year = year_of_usage()
    usage = pairs(lambda: _codec.load(year, DeviceUsageListResult), lambda: orjson.loads(year), count=_PAIRS)
    return [
        *rows,
        row("  last device wrong / good page", pairs(lambda: _find_fault(bad), ours, count=_PAIRS), bar=Bar(6)),
        row("  encode / orjson.dumps", pairs(lambda: _codec.dump(model), lambda: orjson.dumps(plain), count=_PAIRS)),
        row("decode a year of daily usage / orjson.loads", usage),
    ]


def _find_fault(body: bytes) -> None:
    try:
        _codec.load(body, AccountDeviceListResult)
    except _codec.Mismatch as mismatch:
        if mismatch.path == _BAD_PATH:
            return
        raise
    raise RuntimeError("the wrong device was not found")
