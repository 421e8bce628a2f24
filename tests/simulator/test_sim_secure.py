"""Simulated SIM-Secure licenses: who may have one, and how many there are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.api import Api
from thingspace_async.simulator import Device
from thingspace_async.simulator.rooms.sim_secure import SimSecure

ACCOUNT = "0000123456-00001"
LICENSE = "/api/m2m/v1/devices/license/actions/assign"
COUNT = "/api/m2m/v1/accounts/subscriptions/actions/list"
SKU = "SIMSec-IoT"
UNEXPECTED = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"


def body(*devices: Device, sku: str = SKU) -> dict[str, Any]:
    named = [{"deviceIds": [{"kind": "imei", "id": device.imei}]} for device in devices]
    return {"accountName": ACCOUNT, "skuNumber": sku, "devices": named}


async def change(api: Api, method: str, *devices: Device, sku: str = SKU) -> list[str | None]:
    """Assign or unassign licenses; return the code of each device's fault."""
    answer = await api.send(method, LICENSE, json=body(*devices, sku=sku))
    assert answer.status == 200
    api.cloud.clock.advance(61)
    faults = api.cloud.late_requests[answer.json["requestId"]].faults
    assert faults is not None
    return [None if fault is None else fault.code for fault in faults]


async def available(api: Api) -> int:
    answer = await api.send("POST", COUNT, json={"accountName": ACCOUNT, "skuNumber": SKU})
    (found,) = answer.json["subscriptionList"]
    assert found["licensePurchased"] == found["licenseAssigned"] + found["licenseAvailable"]
    return int(found["licenseAvailable"])


async def test_a_device_uses_one_license_until_it_gives_it_back(api: Api) -> None:
    device, before = api.cloud.devices[0], await available(api)
    device.state = "active"
    assert await change(api, "POST", device) == [None]
    assert await available(api) == before - 1
    assert await change(api, "POST", device) == [UNEXPECTED]
    assert await change(api, "DELETE", device) == [None]
    assert await change(api, "DELETE", device) == [UNEXPECTED]
    assert await available(api) == before


async def test_a_device_that_is_not_active_gets_no_license(api: Api) -> None:
    api.cloud.devices[0].state = "suspend"
    assert await change(api, "POST", api.cloud.devices[0]) == ["UnifiedWebService.INPUT_INVALID.DeviceState.Invalid"]


async def test_a_device_gets_no_license_when_none_is_left(api: Api) -> None:
    api.cloud.platform.room(SimSecure).licenses[ACCOUNT][SKU].bought = 1
    first, second = api.cloud.devices[0], api.cloud.devices[1]
    for device in (first, second):
        device.state = "active"
    assert await change(api, "POST", first, second) == [None, UNEXPECTED]


@pytest.mark.parametrize("sku", ["SIMSec-IoT-Lt", "Unknown"])
async def test_a_lifetime_license_and_an_unknown_one_cannot_be_taken_back(api: Api, sku: str) -> None:
    answer = await api.send("DELETE", LICENSE, json=body(api.cloud.devices[0], sku=sku))
    assert answer.refusal == (400, UNEXPECTED)


async def test_a_request_without_devices_is_refused(api: Api) -> None:
    answer = await api.send("POST", LICENSE, json=body())
    assert answer.refusal == (400, "UnifiedWebService.INPUT_INVALID.DeviceNotProvided")


async def test_more_than_a_hundred_devices_are_refused(api: Api) -> None:
    answer = await api.send("POST", LICENSE, json=body(*[api.cloud.devices[0]] * 101))
    assert answer.refusal == (400, "DeviceService.INPUT_INVALID.MaxRequestsExceeded")
