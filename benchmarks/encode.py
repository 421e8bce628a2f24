"""Encoding an activation of 10,000 devices, compared to `orjson.dumps` of a prepared dict."""

from __future__ import annotations

import orjson

from benchmarks._measure import Bar, Row, pairs, row
from thingspace_async import DeviceId, DeviceIds
from thingspace_async._core import codec
from thingspace_async.devices import ActivateRequest

__all__ = ["run"]

_PAIRS = 21


def _imei(number: int) -> str:
    """Return an IMEI with a correct check digit, because the client warns about wrong ones."""
    fourteen = f"{35_000_000_000_000 + number}"
    total = sum(sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(fourteen))
    return f"{fourteen}{-total % 10}"


_IDENTIFIERS = [(_imei(n), f"{89_148 * 10**15 + n}") for n in range(10_000)]


def run() -> list[Row]:
    """Measure encoding the request, and building it with all its checks."""
    request = _activation()
    ready = orjson.loads(codec.dump(request))

    def floor() -> object:
        return orjson.dumps(ready)

    return [
        row(
            "encode 10,000 devices / orjson.dumps", pairs(lambda: codec.dump(request), floor, count=_PAIRS), bar=Bar(6)
        ),
        row("  made and checked / orjson.dumps", pairs(_activation, floor, count=_PAIRS)),
    ]


def _activation() -> ActivateRequest:
    return ActivateRequest(
        devices=[DeviceIds(device_ids=(DeviceId.imei(imei), DeviceId.iccid(iccid))) for imei, iccid in _IDENTIFIERS],
        service_plan="M2M_4G_5MB",
        mdn_zip_code="07920",
    )
