"""Decoding one callback message, compared to `orjson.loads` of the same bytes."""

from __future__ import annotations

from typing import Final

import orjson

from benchmarks._measure import Bar, Row, pairs, row
from thingspace_async.callbacks.messages import parse

__all__ = ["run"]

_PAIRS: Final = 31
_CALLS: Final = 2_000

_ENVELOPE: Final = {
    "username": "fleet",
    "password": "one of its own",
    "requestId": "595f5c44-c31c-4552-8670-020a1545a84d",
    "deviceIds": [{"id": "89148000000800784259", "kind": "Iccid"}, {"id": "990003420535573", "kind": "Imei"}],
}
_ATTEMPTS: Final = {"callbackCount": 1, "maxCallbackThreshold": 4}
_ACTIVATED: Final = {
    "deviceIds": [
        {"id": "89148000000800784259", "kind": "iccId"},
        {"id": "990003420535573", "kind": "imei"},
        {"id": "3475550100", "kind": "mdn"},
        {"id": "13475550100", "kind": "msisdn"},
        {"id": "3475550101", "kind": "min"},
    ],
    "featureCodes": ["75802", "84777"],
    "ipAddress": "10.120.4.17",
    "servicePlan": "M2M_4G",
    "state": "active",
}
_FAULT: Final = {
    "faultcode": "UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive",
    "faultstring": "REQUEST_FAILED. Device is already active",
}


def run() -> list[Row]:
    """Measure an activation's message, which has a limit, and shorter ones, with mostly fixed costs."""
    activated = {**_ENVELOPE, "deviceResponse": {"activateResponse": _ACTIVATED}, "status": "Success", **_ATTEMPTS}
    restored = {**_ENVELOPE, "deviceResponse": {"restoreResponse": {"restored": True}}, "status": "Success"}
    refused = {**_ENVELOPE, "faultResponse": _FAULT, "status": "Failed", **_ATTEMPTS}
    return [
        _measured("parse a device's activation / orjson.loads", activated, Bar(3)),
        _measured("  its restoration / orjson.loads", restored),
        _measured("  a failure / orjson.loads", refused),
    ]


def _measured(what: str, message: object, bar: Bar | None = None) -> Row:
    body = orjson.dumps(message)

    def ours() -> None:
        for _ in range(_CALLS):
            parse(body, service="CarrierService")

    def floor() -> None:
        for _ in range(_CALLS):
            orjson.loads(body)

    return row(what, pairs(ours, floor, count=_PAIRS), per=_CALLS, bar=bar)
