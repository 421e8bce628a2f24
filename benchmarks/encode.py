"""Writing an activation of 10,000 devices, beside `orjson.dumps` of the ready dict."""

from __future__ import annotations

import orjson

from benchmarks._measure import Bar, Row, pairs, row
from thingspace_async import DeviceId, DeviceIds, _codec
from thingspace_async.devices import ActivateRequest

__all__ = ["run"]

_PAIRS = 21
_IDENTIFIERS = [(f"{350_000_000_000_000 + n}", f"{89_148 * 10**15 + n}") for n in range(10_000)]


def run() -> list[Row]:
    """Measure writing the request, and making it with all its checks."""
    request = _activation()
    ready = orjson.loads(_codec.dump(request))

    def floor() -> object:
        return orjson.dumps(ready)

    return [
        row(
            "encode 10,000 devices / orjson.dumps", pairs(lambda: _codec.dump(request), floor, count=_PAIRS), bar=Bar(6)
        ),
        row("  made and checked / orjson.dumps", pairs(_activation, floor, count=_PAIRS)),
    ]


def _activation() -> ActivateRequest:
    return ActivateRequest(
        devices=[DeviceIds(device_ids=(DeviceId.imei(imei), DeviceId.iccid(iccid))) for imei, iccid in _IDENTIFIERS],
        service_plan="M2M_4G_5MB",
        mdn_zip_code="07920",
    )
