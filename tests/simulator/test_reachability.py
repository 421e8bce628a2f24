"""PROTOCOL.md 3.1, 5: monitors of devices, and their messages."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.api import Api, Reply
from thingspace_async.simulator.fleet import Device

ACCOUNT = "0000123456-00001"
PATH = "/api/m2m/v1/diagnostics/basic/devicereachability"


def named(device: Device) -> dict[str, Any]:
    return {"deviceIds": device.device_ids[:1]}


def until(api: Api, days: float) -> str:
    return (api.cloud.clock.now() + timedelta(days=days)).isoformat()


async def monitor(api: Api, *devices: Device, days: float = 30, kind: str = "REACHABLE_FOR_DATA") -> Reply:
    body = {
        "accountName": ACCOUNT,
        "requestType": kind,
        "devices": [named(device) for device in devices],
        "monitorExpirationTime": until(api, days),
    }
    return await api.send("POST", PATH, json=body)


async def finish(api: Api, reply: Reply) -> list[Any]:
    """Advance the clock until a request is done, and return the content of its callbacks."""
    assert set(reply.json) == {"requestId"}
    api.cloud.clock.advance(61)
    request = api.cloud.late_requests[reply.json["requestId"]]
    assert request.service == "DiagnosticsService"
    return [
        result if fault is None else fault.code
        for result, fault in zip(request.results, request.faults or (), strict=True)
    ]


async def listed(api: Api, device: Device, **more: str) -> list[Any]:
    body = {"accountName": ACCOUNT, "devices": [named(device)], **more}
    (found,) = await finish(api, await api.send("POST", f"{PATH}/monitors", json=body))
    return list(found["monitors"])


async def test_each_device_gets_a_monitor_of_its_own_that_is_listed(api: Api) -> None:
    first, second = api.cloud.devices[0], api.cloud.devices[1]
    told = await finish(api, await monitor(api, first, second))
    assert [one["reachable"] for one in told] == [first.connected, second.connected]
    assert [one["monitorId"] for one in await listed(api, first)] == [told[0]["monitorId"]]
    assert [one["monitorId"] for one in await listed(api, second)] == [told[1]["monitorId"]]


@pytest.mark.parametrize("name", ["requestType", "monitorType"])
async def test_monitors_are_listed_by_type_under_either_name(api: Api, name: str) -> None:
    device = api.cloud.devices[0]
    await finish(api, await monitor(api, device))
    await finish(api, await monitor(api, device, kind="LOSS_OF_CONNECTIVITY"))
    assert len(await listed(api, device)) == 2
    (found,) = await listed(api, device, **{name: "LOSS_OF_CONNECTIVITY"})
    assert found["requestType"] == "LOSS_OF_CONNECTIVITY"


async def test_a_monitor_ends_when_its_time_is_over(api: Api) -> None:
    device = api.cloud.devices[0]
    (told,) = await finish(api, await monitor(api, device, days=2))
    api.cloud.clock.advance(timedelta(days=3))
    await api.enter()
    assert await listed(api, device) == []
    body = {"accountName": ACCOUNT, "monitorIds": [told["monitorId"]]}
    assert await finish(api, await api.send("DELETE", PATH, json=body)) == ["400"]


@pytest.mark.parametrize("place", ["body", "query"])
@pytest.mark.parametrize("by", ["monitorIds", "devices"])
async def test_monitors_are_stopped_by_id_and_by_device_wherever_the_request_stands(
    api: Api, place: str, by: str
) -> None:
    device, other = api.cloud.devices[0], api.cloud.devices[1]
    (told, _) = await finish(api, await monitor(api, device, other))
    wanted = [told["monitorId"]] if by == "monitorIds" else [named(device)]
    body = {"accountName": ACCOUNT, by: wanted}
    if place == "body":
        reply = await api.send("DELETE", PATH, json=body)
    else:
        reply = await api.send("DELETE", PATH, query={"stopreachabilitypayload": json.dumps(body)})
    assert "400" not in await finish(api, reply)
    assert await listed(api, device) == []
    assert len(await listed(api, other)) == 1


@pytest.mark.parametrize("body", [{}, {"monitorIds": []}, {"devices": []}])
async def test_stopping_nothing_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert (await api.send("DELETE", PATH, json={"accountName": ACCOUNT, **body})).refusal == (400, "400")


async def test_stopping_without_a_payload_is_refused(api: Api) -> None:
    code = "UnifiedWebService.INPUT_INVALID.RequestUndefined"
    assert (await api.send("DELETE", PATH)).refusal == (400, code)


async def test_monitor_ids_have_to_be_texts(api: Api) -> None:
    code = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"
    assert (await api.send("DELETE", PATH, json={"accountName": ACCOUNT, "monitorIds": [7]})).refusal == (400, code)


async def test_an_unknown_monitor_cannot_be_stopped(api: Api) -> None:
    reply = await api.send("DELETE", PATH, json={"accountName": ACCOUNT, "monitorIds": ["35596ca6"]})
    assert await finish(api, reply) == ["400"]


@pytest.mark.parametrize("days", [-1, 0, 3651])
async def test_an_expiry_in_the_past_or_beyond_ten_years_is_refused(api: Api, days: float) -> None:
    assert (await monitor(api, api.cloud.devices[0], days=days)).refusal == (400, "400")
    body = {
        "accountName": ACCOUNT,
        "device": api.cloud.devices[0].device_ids[0],
        "requestType": "REACHABLE_FOR_DATA",
        "requestExpirationTime": until(api, days),
    }
    assert (await api.send("POST", f"{PATH}/status", json=body)).refusal == (400, "400")


async def test_a_monitor_without_devices_is_refused(api: Api) -> None:
    assert (await monitor(api)).refusal == (400, "400")


async def test_the_state_of_one_device_is_told(api: Api) -> None:
    device = api.cloud.devices[0]
    body = {"accountName": ACCOUNT, "device": device.device_ids[0], "requestType": "REACHABLE_FOR_DATA"}
    told = await finish(api, await api.send("POST", f"{PATH}/status", json=body))
    assert told == [{"reachable": device.connected}]


async def test_an_unknown_device_is_refused_when_its_time_comes(api: Api) -> None:
    body = {
        "accountName": ACCOUNT,
        "device": {"id": "999999999999999", "kind": "imei"},
        "requestType": "REACHABLE_FOR_DATA",
    }
    told = await finish(api, await api.send("POST", f"{PATH}/status", json=body))
    assert told == ["UnifiedWebService.REQUEST_FAILED.DeviceNotFound"]
