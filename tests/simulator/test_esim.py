"""PROTOCOL.md 2.1, 3.1, 4.4 and the pages on eUICC devices: profiles, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.api import Api, Reply
from thingspace_async.simulator.fleet import Device

ACCOUNT = "0000123456-00001"
BASE = "/api/m2m/v1/devices/profile/actions"
OID = {"smsrOid": "1.3.6.1.4.1.31746.1.500.200.101.5"}
NOT_ACTIVE = "UnifiedWebService.INPUT_INVALID.DeviceState.Invalid"
REFUSED = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"


def one(api: Api, state: str) -> Device:
    device = api.cloud.devices[0]
    device.state = state
    return device


async def ask(api: Api, action: str, *devices: Device, base: str = BASE, **more: str) -> Reply:
    listed = [{"deviceIds": [{"id": device.eid, "kind": "EID"}]} for device in devices]
    return await api.send("POST", f"{base}/{action}", json={"accountName": ACCOUNT, "devices": listed, **more})


async def do(api: Api, action: str, device: Device, **more: str) -> tuple[str | None, object]:
    """Apply a step to a device and advance the clock; return the fault's code, and the callback's content."""
    reply = await ask(api, action, device, **more)
    assert set(reply.json) == {"requestId"}
    api.cloud.clock.advance(61)
    request = api.cloud.late_requests[reply.json["requestId"]]
    assert request.service == "DeviceProfileService"
    assert request.faults is not None
    (fault,), (result,) = request.faults, request.results
    return None if fault is None else fault.code, result


async def succeed(api: Api, action: str, device: Device, **more: str) -> object:
    code, result = await do(api, action, device, **more)
    assert code is None
    return result


@pytest.mark.parametrize("action", ["activate", "activate_enable"])
async def test_a_device_is_activated_once(api: Api, action: str) -> None:
    device = one(api, "preactive")
    await succeed(api, action, device, servicePlan="M2M_PP")
    assert (device.state, device.service_plan) == ("active", "M2M_PP")
    assert device.profile.status == ("DOWNLOAD_ENABLE" if action == "activate_enable" else "Not Downloaded")
    code, _ = await do(api, action, device)
    assert code == "UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive"


async def test_a_device_that_is_activated_for_the_first_time_is_given_a_line(api: Api) -> None:
    device = one(api, "preactive")
    assert device.mdn is None
    await succeed(api, "activate", device)
    assert device.mdn is not None
    line = device.mdn
    await succeed(api, "deactivate", device)
    assert api.cloud.devices.find("mdn", line) is device
    assert [(event.event_type, event.mdn) for event in device.events] == [("Activate", line), ("Deactivate", line)]


async def test_a_deactivated_device_is_activated_again_with_a_new_code(api: Api) -> None:
    device = one(api, "active")
    assert (await do(api, "renew_activation_code", device))[0] == NOT_ACTIVE
    await succeed(api, "download", device)
    await succeed(api, "deactivate", device)
    assert (device.state, device.profile.status) == ("deactive", "Not Downloaded")
    assert (await do(api, "deactivate", device))[0] == NOT_ACTIVE
    told = await succeed(api, "renew_activation_code", device)
    assert told == {"activationCode": device.profile.activation_code}
    await succeed(api, "activate", device)
    assert device.state == "active"


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("download", "DOWNLOAD_DISABLE"),
        ("download_disable", "DOWNLOAD_DISABLE"),
        ("download_enable", "DOWNLOAD_ENABLE"),
    ],
)
async def test_a_profile_is_downloaded_once_and_to_an_active_device(api: Api, action: str, status: str) -> None:
    device = one(api, "suspend")
    assert (await do(api, action, device, **OID))[0] == NOT_ACTIVE
    device.state = "active"
    await succeed(api, action, device, **OID)
    assert device.profile.status == status
    assert (await do(api, action, device, **OID))[0] == REFUSED


@pytest.mark.parametrize("action", ["enable", "disable", "delete"])
async def test_a_profile_has_to_be_downloaded_before_it_is_changed(api: Api, action: str) -> None:
    assert (await do(api, action, one(api, "active"), **OID))[0] == REFUSED


async def test_a_profile_is_enabled_disabled_and_deleted(api: Api) -> None:
    device = one(api, "active")
    await succeed(api, "download", device)
    assert (await do(api, "disable", device, **OID))[0] == REFUSED
    await succeed(api, "enable", device)
    assert device.profile.status == "ENABLE"
    assert (await do(api, "enable", device))[0] == REFUSED
    await succeed(api, "disable", device, **OID)
    assert device.profile.status == "DISABLE"
    await succeed(api, "delete", device)
    assert device.profile.status == "Not Downloaded"


async def test_a_profile_is_suspended_and_resumed_once(api: Api) -> None:
    device = one(api, "active")
    assert (await do(api, "profile_resume", device))[0] == REFUSED
    await succeed(api, "profile_suspend", device)
    assert (device.profile.suspended, device.state) == (True, "active")
    assert (await do(api, "profile_suspend", device))[0] == REFUSED
    await succeed(api, "profile_resume", device)
    assert not device.profile.suspended


async def test_a_device_is_suspended_as_a_whole(api: Api) -> None:
    device = one(api, "active")
    await succeed(api, "device_suspend", device)
    assert device.state == "suspend"
    assert (await do(api, "device_suspend", device))[0] == NOT_ACTIVE


async def test_a_profile_is_made_the_fallback_at_either_address(api: Api) -> None:
    first, second = api.cloud.devices[0], api.cloud.devices[1]
    await succeed(api, "setfallbackattribute", first)
    body = {"accountName": ACCOUNT, "devices": [[{"id": second.eid, "kind": "eid"}]]}
    await api.send("POST", "/api/v1/devices/profile/actions/setfallbackattribute", json=body)
    api.cloud.clock.advance(61)
    assert [device.profile.is_fallback for device in api.cloud.devices][:3] == [True, True, False]


@pytest.mark.parametrize("action", ["disable", "download_disable"])
async def test_the_router_has_to_be_named_for_local_profiles(api: Api, action: str) -> None:
    code = "UnifiedWebService.DeserializationFailed"
    assert (await ask(api, action, one(api, "active"))).refusal == (400, code)


@pytest.mark.parametrize("base", [BASE, "/api/v1/devices/profile/actions"])
async def test_more_than_a_hundred_devices_are_refused(api: Api, base: str) -> None:
    eid = {"id": api.cloud.devices[0].eid, "kind": "eid"}
    device: Any = {"deviceIds": [eid]} if base == BASE else [eid]
    body = {"accountName": ACCOUNT, "devices": [device] * 101}
    answer = await api.send("POST", f"{base}/setfallbackattribute", json=body)
    assert answer.refusal == (400, "DeviceService.INPUT_INVALID.MaxRequestsExceeded")


@pytest.mark.parametrize("devices", [[], [{"deviceIds": []}]])
async def test_a_request_about_nothing_is_refused(api: Api, devices: list[Any]) -> None:
    answer = await api.send("POST", f"{BASE}/delete", json={"accountName": ACCOUNT, "devices": devices})
    assert answer.refusal == (400, REFUSED)


async def test_a_device_of_another_account_is_refused_when_its_time_comes(api: Api) -> None:
    api.cloud.add_account("0000222222-00001", devices=1)
    code, _ = await do(api, "profile_suspend", api.cloud.devices[-1])
    assert code == "UnifiedWebService.INPUT_INVALID.Device.Account.Invalid"
