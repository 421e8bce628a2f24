"""Simulated private networks: refusals of single devices, and measurements that need consent."""

from __future__ import annotations

from typing import Any

from tests.simulator.api import Api
from thingspace_async.simulator.rooms.private_network import Member, PrivateNetwork

ACCOUNT = "0000123456-00001"
PWN = "/api/m2m/v1/devices/pwn"
PROFILE = "HSS EsmProfile Enterprise"
NOT_IN_SERVICE = "UnifiedWebService.INPUT_INVALID.DeviceState.Invalid"
UNEXPECTED = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"


def body(api: Api, *places: int, addresses: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    listed: list[dict[str, Any]] = [
        {"deviceIds": [{"kind": "imei", "id": api.cloud.devices[place].imei}]} for place in places
    ]
    if addresses:
        listed = [{**one, "ipAddress": address} for one, address in zip(listed, addresses, strict=True)]
    return {"accountName": ACCOUNT, "deviceList": listed, **more}


async def faults(api: Api, method: str, path: str, json: dict[str, Any]) -> list[str | None]:
    """Send a request; return the code of each device's fault."""
    answer = await api.send(method, f"{PWN}/actions/{path}", json=json)
    assert answer.status == 200
    api.cloud.clock.advance(61)
    found = api.cloud.late_requests[answer.json["requestId"]].faults
    assert found is not None
    return [None if fault is None else fault.code for fault in found]


async def test_a_device_begins_service_once(api: Api) -> None:
    begin = body(api, 0, activate={"profile": PROFILE})
    assert await faults(api, "POST", "state/activate", begin) == [None]
    already = "UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive"
    assert await faults(api, "POST", "state/activate", begin) == [already]
    unknown = body(api, 1, activate={"profile": "unknown"})
    assert await faults(api, "POST", "state/activate", unknown) == [UNEXPECTED]


async def test_a_device_that_is_not_in_service_is_not_changed(api: Api) -> None:
    assert await faults(api, "POST", "state/deactivate", body(api, 0)) == [NOT_IN_SERVICE]
    assert await faults(api, "POST", "profile", body(api, 0, newProfile=PROFILE)) == [NOT_IN_SERVICE]
    assert await faults(api, "PUT", "ipaddress", body(api, 0, addresses=("10.0.0.1",))) == [NOT_IN_SERVICE]


async def test_each_device_gets_its_own_address(api: Api) -> None:
    await faults(api, "POST", "state/activate", body(api, 0, 1, activate={"profile": PROFILE}))
    moved = body(api, 0, 1, addresses=("10.0.0.1", "10.0.0.2"))
    assert await faults(api, "PUT", "ipaddress", moved) == [None, None]
    assert list(api.cloud.platform.room(PrivateNetwork).members.values()) == [
        Member(PROFILE, "10.0.0.1"),
        Member(PROFILE, "10.0.0.2"),
    ]


async def test_a_request_without_devices_is_refused(api: Api) -> None:
    requests = {"state/deactivate": body(api), "profile": body(api, newProfile=PROFILE)}
    for path, wanted in requests.items():
        answer = await api.send("POST", f"{PWN}/actions/{path}", json=wanted)
        assert answer.refusal == (400, UNEXPECTED)


async def test_measurements_need_consent_and_change_by_the_hour(api: Api) -> None:
    async def measured() -> list[Any]:
        listed: list[Any] = (await api.send("GET", f"{PWN}/kpi/list/{ACCOUNT}")).json["KpiInfoList"]
        return listed

    first = await measured()
    assert await measured() == first
    api.cloud.clock.advance(1000)
    assert await measured() == first
    api.cloud.clock.advance(3600)
    await api.enter()
    assert await measured() != first
    api.cloud.platform.room(PrivateNetwork).consents[ACCOUNT] = False
    assert await measured() == []
    assert (await api.send("GET", f"{PWN}/performance/consent/{ACCOUNT}")).json == {"consent": "false"}
