"""PROTOCOL.md 4.2, 5: the simulated history of devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.simulator.api import Api
from thingspace_async.simulator import Assumptions, Device, Simulator
from thingspace_async.simulator.fleet import Event

Serve = Callable[..., Awaitable[Api]]
Json = dict[str, Any]

CONNECTIONS = "/api/m2m/v1/devices/connections/actions/listHistory"
PROVISIONING = "/api/m2m/v1/devices/history/actions/list"
REPORT = "/api/m2m/v2/devices/history/actions/list"
NAME = "0000123456-00001"
ALL = {"earliest": "2020-01-01T00:00:00Z", "latest": "2030-01-01T00:00:00Z"}
A_DAY = {"earliest": "2026-01-10T00:00:00Z", "latest": "2026-01-10T23:59:59Z"}


def in_state(cloud: Simulator, state: str) -> Device:
    return next(one for one in cloud.devices if one.state == state)


def imei(device: Device) -> Json:
    return next(own for own in device.device_ids if own["kind"] == "imei")


def when(record: Json) -> datetime:
    return datetime.fromisoformat(record["occurredAt"])


async def connections(api: Api, device: Device, **wanted: object) -> list[Json]:
    answer = await api.send("POST", CONNECTIONS, json={"deviceId": imei(device), **ALL, **wanted})
    assert answer.status == (202 if answer.json["hasMoreData"] else 200)
    found: list[Json] = answer.json["connectionHistory"]
    return found


async def provisioning(api: Api, device_id: Json) -> list[Json]:
    answer = await api.send("POST", PROVISIONING, json={"deviceId": device_id, **ALL})
    assert answer.status == 200
    [result] = answer.json
    assert result["hasMoreData"] is False
    found: list[Json] = result["provisioningHistory"]
    return found


def done(cloud: Simulator, event_type: str, status: str = "Success", plan: str = "M2M_PP") -> Event:
    return Event(
        occurred_at=cloud.clock.now(),
        event_type=event_type,
        status=status,
        event_by="simulated.user.1",
        service_plan=plan,
        mdn="5550000001",
    )


# Connections


async def test_a_connection_event_has_every_documented_member(api: Api) -> None:
    found = await connections(api, in_state(api.cloud, "active"), **A_DAY)
    assert 4 <= len(found) <= 8
    for one in found:
        assert set(one) == {"connectionEventAttributes", "extendedAttributes", "occurredAt"}
        attributes = {pair["key"]: pair["value"] for pair in one["connectionEventAttributes"]}
        assert attributes["Event"] in {"Start", "Stop"}
        assert attributes["BytesUsed"].isdigit()
        assert ("Msisdn" in attributes) == (attributes["Event"] == "Stop")
        assert when(one).utcoffset() == timedelta(hours=-5)


async def test_some_connection_events_share_their_time_and_all_are_in_order(api: Api) -> None:
    found = await connections(api, in_state(api.cloud, "active"), earliest="2025-12-01T00:00:00Z")
    times = [when(one) for one in found]
    assert times == sorted(times)
    assert set(Counter(times).values()) == {1, 2}


async def test_connections_come_500_a_page_and_202_promises_more(api: Api) -> None:
    device = in_state(api.cloud, "active")
    whole: list[Json] = []
    for month in range(1, 13):
        begin, end = datetime(2025, month, 1, tzinfo=UTC), datetime(2025 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        whole += await connections(
            api, device, earliest=begin.isoformat(), latest=(end - timedelta(microseconds=1)).isoformat()
        )
    wanted = {"deviceId": imei(device), "earliest": "2025-01-01T00:00:00Z", "latest": "2025-12-31T23:59:59Z"}
    answer = await api.send("POST", CONNECTIONS, json=wanted)
    assert (answer.status, answer.json["hasMoreData"]) == (202, True)
    assert answer.json["connectionHistory"] == whole[:500]
    wanted["earliest"] = whole[499]["occurredAt"]
    answer = await api.send("POST", CONNECTIONS, json=wanted)
    assert answer.json["connectionHistory"] == [one for one in whole if when(one) >= when(whole[499])][:500]


async def test_a_midnight_is_the_same_for_the_page_that_ends_and_the_one_that_begins_there(api: Api) -> None:
    device = in_state(api.cloud, "active")
    two_days = await connections(api, device, earliest="2026-01-10T00:00:00Z", latest="2026-01-11T23:59:59Z")
    halves = [
        *await connections(api, device, earliest="2026-01-10T00:00:00Z", latest="2026-01-10T23:59:59Z"),
        *await connections(api, device, earliest="2026-01-11T00:00:00Z", latest="2026-01-11T23:59:59Z"),
    ]
    assert halves == two_days


async def test_history_is_the_same_for_the_same_seed_whenever_it_is_asked_for(serve: Serve) -> None:
    api, again = await serve(devices=5), await serve(devices=5)
    first = await connections(api, in_state(api.cloud, "active"), **A_DAY)
    again.cloud.clock.advance(timedelta(days=2))
    await again.enter()
    assert await connections(again, in_state(again.cloud, "active"), **A_DAY) == first


async def test_nothing_has_happened_after_now_or_before_activation(api: Api) -> None:
    device = in_state(api.cloud, "active")
    [activated] = await provisioning(api, imei(device))
    assert all(when(one) >= when(activated) for one in await connections(api, device))
    latest = await connections(api, device, earliest="2026-01-14T00:00:00Z")
    assert all(when(one) < api.cloud.clock.now() for one in latest)


async def test_a_device_out_of_service_does_not_connect(api: Api) -> None:
    cloud = api.cloud
    device = in_state(cloud, "active")
    device.events.append(done(cloud, "Suspend"))
    suspended = cloud.clock.now()
    cloud.clock.advance(timedelta(days=10))
    device.events.append(done(cloud, "Restore", status="Failed"))
    cloud.clock.advance(timedelta(days=10))
    device.events.append(done(cloud, "Restore"))
    restored = cloud.clock.now()
    cloud.clock.advance(timedelta(days=5))
    await api.enter()
    times = [when(one) for one in await connections(api, device, earliest="2026-01-10T00:00:00Z")]
    assert [time for time in times if suspended <= time < restored] == []
    assert min(times) < suspended < restored < max(times)
    usage = {"deviceId": imei(device), "earliest": "2026-01-14T00:00:00Z", "latest": "2030-01-01T00:00:00Z"}
    answer = await api.send("POST", "/api/m2m/v1/devices/usage/actions/list", json=usage)
    days = [one["timestamp"][:10] for one in answer.json["usageHistory"]]
    assert days[:3] == ["2026-01-14", "2026-01-15", restored.date().isoformat()]
    assert answer.json["usageHistory"][-1]["servicePlan"] == "M2M_PP"


# Provisioning


async def test_provisioning_begins_with_the_activation_that_the_device_shows(api: Api) -> None:
    device = in_state(api.cloud, "active")
    [found] = await provisioning(api, imei(device))
    assert set(found) == {
        "occurredAt",
        "status",
        "eventBy",
        "eventType",
        "mdn",
        "msisdn",
        "servicePlan",
        "extendedAttributes",
    }
    assert (found["eventType"], found["status"], found["servicePlan"]) == ("Activate", "Success", device.service_plan)
    assert (found["mdn"], found["msisdn"]) == (device.mdn, f"1{device.mdn}")
    shown = datetime.fromisoformat(device.as_json()["lastActivationDate"])
    assert when(found) == shown


@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        ("suspend", ["Activate", "Suspend"]),
        ("deactive", ["Activate", "Deactivate"]),
        ("preactive", []),
    ],
)
async def test_provisioning_explains_the_state(serve: Serve, state: str, kinds: list[str]) -> None:
    api = await serve(devices=200)
    found = await provisioning(api, imei(in_state(api.cloud, state)))
    assert [one["eventType"] for one in found] == kinds
    assert [when(one) for one in found] == sorted(when(one) for one in found)
    assert all(when(one) <= api.cloud.clock.now() for one in found)


async def test_new_events_follow_earlier_ones_in_the_provisioning_history(api: Api) -> None:
    device = in_state(api.cloud, "active")
    device.events.append(done(api.cloud, "Suspend", status="Failed"))
    api.cloud.clock.advance(60)
    device.events.append(done(api.cloud, "Suspend"))
    found = await provisioning(api, imei(device))
    assert [(one["eventType"], one["status"]) for one in found] == [
        ("Activate", "Success"),
        ("Suspend", "Failed"),
        ("Suspend", "Success"),
    ]
    assert found[-1]["eventBy"] == "simulated.user.1"


async def test_a_device_that_is_activated_for_the_first_time_begins_then(serve: Serve) -> None:
    api = await serve(devices=200)
    device = in_state(api.cloud, "preactive")
    device.events.append(
        Event(
            occurred_at=api.cloud.clock.now(),
            event_type="Activate",
            status="Failed",
            event_by="simulated.user.1",
            service_plan=None,
            mdn=None,
        )
    )
    device.events.append(done(api.cloud, "Activate"))
    device.state = "active"
    found = await provisioning(api, imei(device))
    assert [(one["eventType"], "mdn" in one, "servicePlan" in one) for one in found] == [
        ("Activate", False, False),
        ("Activate", True, True),
    ]


async def test_a_device_that_a_request_has_added_has_no_history_but_its_own(api: Api) -> None:
    for place in range(20):  # Of the seed, some of these places would be in service, and others out of it.
        device_id = {"id": f"9900139078{place:05}", "kind": "imei"}
        body = {"state": "preactive", "devicesToAdd": [{"deviceIds": [device_id]}]}
        await api.send("POST", "/api/m2m/v1/devices/actions/add", json=body)
    added = list(api.cloud.devices)[-20:]
    api.cloud.clock.advance(timedelta(days=3))
    await api.enter()
    for device in added:
        device.events.append(done(api.cloud, "Change Plan", "Failed"))
        found = await provisioning(api, imei(device))
        assert [(one["eventType"], one["status"]) for one in found] == [("Change Plan", "Failed")]
        assert await connections(api, device) == []


async def test_a_device_added_by_a_request_never_had_generated_identifiers(serve: Serve) -> None:
    larger, api = await serve(devices=4), await serve(devices=3)
    generated = imei(larger.cloud.devices[3])
    named = {"state": "preactive", "devicesToAdd": [{"deviceIds": [{"id": "990013907835573", "kind": "imei"}]}]}
    assert (await api.send("POST", "/api/m2m/v1/devices/actions/add", json=named)).status == 200
    answer = await api.send("POST", PROVISIONING, json={"deviceId": generated, **ALL})
    assert answer.refusal == (400, "DeviceService.REQUEST_FAILED.DeviceNotFound")


async def test_devices_that_are_added_while_the_simulator_runs_were_not_activated_in_the_future(api: Api) -> None:
    api.cloud.add_devices(20)
    for device in list(api.cloud.devices)[-20:]:
        shown = device.as_json().get("lastActivationDate", "2000-01-01T00:00:00Z")
        assert datetime.fromisoformat(shown) <= api.cloud.clock.now()
        assert bool(await provisioning(api, imei(device))) == device.was_activated


async def test_provisioning_may_be_answered_as_one_object(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(provisioning_history_is_list=False))
    answer = await api.send("POST", PROVISIONING, json={"deviceId": imei(in_state(api.cloud, "active")), **ALL})
    assert set(answer.json) == {"hasMoreData", "provisioningHistory"}


@pytest.mark.parametrize("path", [CONNECTIONS, PROVISIONING, "/api/m2m/v1/devices/usage/actions/list"])
async def test_an_identifier_that_a_device_had_finds_no_history_and_an_unknown_one_no_device(
    api: Api, path: str
) -> None:
    device = in_state(api.cloud, "active")
    old, new = imei(device), {"id": "990013907835573", "kind": "imei"}
    newest = {"id": "990013907835574", "kind": "imei"}
    for one in (new, newest):
        device.device_ids = [own for own in device.device_ids if own["kind"] != "imei"] + [one]

    async def answered(device_id: Json) -> tuple[int, int]:
        answer = await api.send("POST", path, json={"deviceId": device_id, **ALL})
        [result] = answer.json if isinstance(answer.json, list) else [answer.json]
        return answer.status, len(next((part for part in result.values() if isinstance(part, list)), ()))

    assert await answered(old) == await answered(new) == (200, 0)
    assert (await answered(newest))[1] > 0
    unknown = {"id": "990000000000000", "kind": "imei"}
    answer = await api.send("POST", path, json={"deviceId": unknown, **ALL})
    assert answer.refusal == (400, "DeviceService.REQUEST_FAILED.DeviceNotFound")
    api.cloud.devices.remove(device)
    assert (await api.send("POST", path, json={"deviceId": old, **ALL})).refusal == answer.refusal


@pytest.mark.parametrize("path", [CONNECTIONS, PROVISIONING])
@pytest.mark.parametrize("missing", ["deviceId", "earliest", "latest"])
async def test_device_and_both_ends_of_the_time_are_required(api: Api, path: str, missing: str) -> None:
    body = {"deviceId": imei(in_state(api.cloud, "active")), **ALL, missing: None}
    assert (await api.send("POST", path, json=body)).refusal == (400, "UnifiedWebService.DeserializationFailed")


# The report that arrives later


@pytest.mark.parametrize(
    ("wanted", "failed"),
    [({}, False), ({"deviceFilter": [{"id": "990000000000000", "kind": "imei"}]}, True)],
)
async def test_a_report_of_provisioning_arrives_later(api: Api, wanted: Json, *, failed: bool) -> None:
    answer = await api.send("POST", REPORT, json={"accountName": NAME, **ALL, **wanted})
    assert (answer.status, set(answer.json)) == (200, {"requestId"})
    request = api.cloud.late_requests[answer.json["requestId"]]
    api.cloud.clock.advance(timedelta(minutes=5))
    assert (request.service, request.failed) == ("DeviceProfileService", failed)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"accountName": None}, "UnifiedWebService.DeserializationFailed"),
        ({"accountName": "1"}, "UnifiedWebService.REQUEST_FAILED.AccountNotFound"),
        ({"earliest": "soon"}, "UnifiedWebService.REQUEST_FAILED.UnexpectedError"),
        ({"deviceFilter": [{"id": "990000000000000", "kind": "imei"}] * 101}, "INPUT_INVALID.MaxRequestsExceeded"),
    ],
)
async def test_an_invalid_report_request_is_refused(api: Api, wanted: Json, code: str) -> None:
    answer = await api.send("POST", REPORT, json={"accountName": NAME, **wanted})
    assert answer.refusal[1].endswith(code)
