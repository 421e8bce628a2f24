"""Simulated non-IP data: checks of requests, and data that waits for its device."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.simulator.api import Api
from tests.simulator.listener import Listener
from thingspace_async.simulator.rooms.nidd import Nidd

ACCOUNT = "0000123456-00001"
PATH = "/api/m2m/v1/devices/nidd/message"
UNEXPECTED = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"
STRANGER = {"kind": "imei", "id": "990013907835573"}


def body(api: Api, **changes: Any) -> dict[str, Any]:
    own = {"kind": "imei", "id": api.cloud.devices[0].imei}
    whole = {"deviceIds": [own], "accountName": ACCOUNT, "maximumDeliveryTime": "400", "message": "SEVMTE8="}
    return {**whole, **changes}


async def test_queued_data_is_delivered_once_when_its_device_can_be_reached(api: Api, listener: Listener) -> None:
    device = api.cloud.devices[0]
    device.state, device.connected = "active", False
    await api.send("POST", f"/api/m2m/v1/callbacks/{ACCOUNT}", json={"name": "NiddService", "url": listener.url})
    assert (await api.send("POST", PATH, json=body(api))).status == 200
    api.cloud.clock.advance(61)
    api.cloud.report_reachability(api.cloud.devices[1], reachable=True)
    assert [one.data for one in api.cloud.platform.room(Nidd).queued] == [b"HELLO"]
    api.cloud.report_reachability(device, reachable=False)
    api.cloud.report_reachability(device, reachable=True)
    api.cloud.clock.advance(401)
    await api.cloud.delivered()
    assert [message["status"] for message in listener.messages] == ["Queued", "Delivered"]
    report = listener.messages[-1]["niddResponse"]["niddMTDeliveryResponse"]
    assert report["accountName"] == ACCOUNT
    assert report["acknowledgeTime"] >= report["firstAttemptDeliveryTime"] >= "2026-01-15T12:01"
    assert api.cloud.platform.room(Nidd).queued == []


@pytest.mark.parametrize(
    ("known", "code"),
    [
        (True, "UnifiedWebService.INPUT_INVALID.DeviceState.Invalid"),
        (False, "UnifiedWebService.REQUEST_FAILED.DeviceNotFound"),
    ],
)
async def test_a_device_that_is_unknown_or_not_active_fails_later(api: Api, *, known: bool, code: str) -> None:
    api.cloud.devices[0].state = "suspend"
    answer = await api.send("POST", PATH, json=body(api, **({} if known else {"deviceIds": [STRANGER]})))
    api.cloud.clock.advance(61)
    faults = api.cloud.late_requests[answer.json["requestId"]].faults
    assert faults is not None
    assert [fault and fault.code for fault in faults] == [code]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"message": ""}, "UnifiedWebService.INPUT_INVALID.Message.Null"),
        ({"message": "HELLO"}, UNEXPECTED),
        ({"message": base64.b64encode(b"x" * 1_359).decode()}, UNEXPECTED),
        ({"maximumDeliveryTime": 1}, UNEXPECTED),
        ({"maximumDeliveryTime": "soon"}, UNEXPECTED),
        ({"maximumDeliveryTime": None}, UNEXPECTED),
        ({"deviceIds": []}, UNEXPECTED),
    ],
)
async def test_a_wrong_request_is_refused(api: Api, changes: dict[str, Any], code: str) -> None:
    assert (await api.send("POST", PATH, json=body(api, **changes))).refusal == (400, code)


@pytest.mark.parametrize("seconds", [2, 2_592_000, "400"])
async def test_the_time_may_be_a_number_or_a_string(api: Api, seconds: object) -> None:
    assert (await api.send("POST", PATH, json=body(api, maximumDeliveryTime=seconds))).status == 200
