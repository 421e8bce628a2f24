"""PROTOCOL.md 5: messages to devices are delivered later; messages from devices wait for acknowledgement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.simulator.api import Api
from thingspace_async.simulator import Assumptions, Device

ACCOUNT = "0000123456-00001"
SEND = "/api/m2m/v1/sms"
QUEUE = f"/api/m2m/v1/sms/{ACCOUNT}/history"
START = f"/api/m2m/v1/sms/{ACCOUNT}/startCallbacks"
EVENTS = "/api/m2m/v1/devices/sms/history/actions/list"
REFUSED = "UnifiedWebService.INPUT_INVALID.SmsMessage."


async def send(api: Api, *devices: Device, **wanted: object) -> str:
    body: dict[str, object] = {"accountName": ACCOUNT, "smsMessage": "Hello"}
    if devices:
        body["deviceIds"] = [device.device_ids[-1] for device in devices]
    answer = await api.send("POST", SEND, json=body | wanted)
    assert answer.status == 200
    assert set(answer.json) == {"requestId"}
    return str(answer.json["requestId"])


def fill(api: Api, count: int) -> list[str]:
    texts = [f"message {place}" for place in range(count)]
    for place, text in enumerate(texts):
        api.cloud.receive_sms(api.cloud.devices[place % len(api.cloud.devices)], text)
    return texts


async def block(api: Api, token: str | None = None) -> tuple[list[str], str | None]:
    """Read a block; return its messages, and the token that acknowledges it."""
    answer = await api.send("GET", QUEUE, query=None if token is None else {"next": token})
    location = answer.headers.get("Location")
    assert answer.status == (200 if location is None else 202)
    assert set(answer.json) == {"messages", "hasMoreData"}
    texts = [message["message"] for message in answer.json["messages"]]
    if location is None:
        return texts, None
    assert urlsplit(location).path == f"/sms/{ACCOUNT}/history"
    return texts, parse_qs(urlsplit(location).query)["next"][0]


async def test_a_message_is_delivered_when_its_time_has_come(api: Api) -> None:
    device = api.cloud.devices[0]
    device.state = "active"
    request_id = await send(api, device)
    assert device.texts == []
    assert api.cloud.late_requests[request_id].service == "EnhancedConnectivityService"
    api.cloud.clock.advance(61)
    assert device.texts == ["Hello"]


async def test_a_message_to_a_whole_account_reaches_its_active_devices_only(api: Api) -> None:
    api.cloud.add_account("0000222222-00001", devices=3)
    api.cloud.devices[0].state = "suspend"
    request_id = await send(api)
    api.cloud.clock.advance(61)
    assert [bool(device.texts) for device in api.cloud.devices] == [
        device.state == "active" and device.account_name == ACCOUNT for device in api.cloud.devices
    ]
    faults = api.cloud.late_requests[request_id].faults
    assert faults is not None
    assert {fault.code for fault in faults if fault} == {"UnifiedWebService.INPUT_INVALID.DeviceState.Invalid"}


async def test_filters_choose_the_devices_that_match_them_all(api: Api) -> None:
    for device in api.cloud.devices:
        device.state, device.group_name, device.service_plan = "active", "Pumps", "M2M_PP"
        device.custom_fields = [{"key": "CustomField1", "value": "a"}]
    api.cloud.devices[0].group_name = "Other"
    api.cloud.devices[1].service_plan = "M2M_4G_5MB"
    api.cloud.devices[2].custom_fields = []
    await send(api, groupName="Pumps", servicePlan="M2M_PP", customFields=[{"key": "CustomField1", "value": "a"}])
    api.cloud.clock.advance(61)
    assert [place for place, device in enumerate(api.cloud.devices) if not device.texts] == [0, 1, 2]


async def test_an_unknown_group_is_refused_at_once(api: Api) -> None:
    wanted = {"accountName": ACCOUNT, "smsMessage": "Hello", "groupName": "Nothing"}
    refusal = (await api.send("POST", SEND, json=wanted)).refusal
    assert refusal == (400, "UnifiedWebService.REQUEST_FAILED.DeviceGroupNotFound")


@pytest.mark.parametrize("wanted", [{"deviceIds": []}, {"deviceIds": [], "groupName": "East fleet"}])
async def test_an_empty_list_of_devices_never_means_the_whole_account(api: Api, wanted: dict[str, Any]) -> None:
    answer = await api.send("POST", SEND, json={"accountName": ACCOUNT, "smsMessage": "Hello", **wanted})
    assert answer.refusal == (400, "UnifiedWebService.REQUEST_FAILED.UnexpectedError")
    assert api.cloud.late_requests == {}


async def test_an_unknown_device_and_one_of_another_account_fail_alone(api: Api) -> None:
    api.cloud.add_account("0000222222-00001", devices=1)
    stranger = {"id": "990003420535537", "kind": "imei"}
    own, foreign = api.cloud.devices[0], api.cloud.devices[-1]
    own.state = foreign.state = "active"
    request_id = await send(api, deviceIds=[stranger, foreign.device_ids[-1], own.device_ids[-1]])
    api.cloud.clock.advance(61)
    faults = api.cloud.late_requests[request_id].faults
    assert faults is not None
    assert [fault and fault.code for fault in faults] == [
        "UnifiedWebService.REQUEST_FAILED.DeviceNotFound",
        "UnifiedWebService.INPUT_INVALID.Device.Account.Invalid",
        None,
    ]
    assert (own.texts, foreign.texts) == (["Hello"], [])


@pytest.mark.parametrize(
    ("encoding", "most"), [(None, 160), ("7-bit", 160), ("8-bit-ASCII", 140), ("8-bit-UTF-8", 140), ("8-bit-DATA", 140)]
)
async def test_a_message_is_limited_by_its_encoding(api: Api, encoding: str | None, most: int) -> None:
    wanted: dict[str, Any] = {"accountName": ACCOUNT} | ({} if encoding is None else {"dataEncoding": encoding})
    assert (await api.send("POST", SEND, json=wanted | {"smsMessage": "x" * most})).status == 200
    long = await api.send("POST", SEND, json=wanted | {"smsMessage": "x" * (most + 1)})
    assert long.refusal == (400, f"{REFUSED}TooLong")


@pytest.mark.parametrize("text", ["", None])
async def test_an_empty_message_is_refused(api: Api, text: str | None) -> None:
    answer = await api.send("POST", SEND, json={"accountName": ACCOUNT, "smsMessage": text})
    assert answer.refusal == (400, f"{REFUSED}Null")


async def test_the_account_is_required(api: Api) -> None:
    answer = await api.send("POST", SEND, json={"smsMessage": "Hello"})
    assert answer.refusal == (400, "UnifiedWebService.DeserializationFailed")


async def test_an_empty_queue_promises_nothing(api: Api) -> None:
    assert await block(api) == ([], None)


async def test_a_queued_message_names_its_sender_and_its_time(api: Api) -> None:
    device = api.cloud.devices[0]
    api.cloud.receive_sms(device, "Loud and clear")
    (message,) = (await api.send("GET", QUEUE)).json["messages"]
    assert message == {
        "deviceIds": device.device_ids,
        "message": "Loud and clear",
        "timestamp": "2026-01-15T12:00:00+00:00",
    }


async def test_a_block_stays_queued_until_it_is_acknowledged(api: Api) -> None:
    texts = fill(api, 250)
    first, token = await block(api)
    assert first == texts[:100]
    assert (await block(api))[0] == first
    second, following = await block(api, token)
    assert second == texts[100:200]
    assert (await block(api))[0] == second
    last, end = await block(api, following)
    assert last == texts[200:]
    assert await block(api, end) == ([], None)
    assert await block(api) == ([], None)


async def test_what_arrives_after_a_block_is_not_acknowledged_with_it(api: Api) -> None:
    fill(api, 3)
    _, token = await block(api)
    api.cloud.receive_sms(api.cloud.devices[0], "late")
    assert (await block(api, token))[0] == ["late"]


async def test_a_last_block_without_a_way_on_counts_as_acknowledged(serve: Callable[..., Awaitable[Api]]) -> None:
    api = await serve(assumptions=Assumptions(last_sms_block_leads_on=False))
    texts = fill(api, 150)
    first, token = await block(api)
    assert (first, token is None) == (texts[:100], False)
    assert await block(api, token) == (texts[100:], None)
    assert await block(api) == ([], None)


async def test_a_token_that_was_never_given_is_refused(api: Api) -> None:
    answer = await api.send("GET", QUEUE, query={"next": "x"})
    assert answer.refusal == (400, "UnifiedWebService.REQUEST_FAILED.UnexpectedError")


async def test_queues_are_those_of_the_devices_accounts(api: Api) -> None:
    api.cloud.add_account("0000222222-00001", devices=1)
    api.cloud.receive_sms(api.cloud.devices[-1], "elsewhere")
    assert await block(api) == ([], None)
    assert len(api.cloud.queued_sms["0000222222-00001"]) == 1


async def test_the_queue_is_sent_to_a_listener_when_there_is_one(api: Api) -> None:
    texts = fill(api, 3)
    assert (await api.send("PUT", START)).json == {"success": True}
    assert (await block(api))[0] == texts
    listener = {"name": "EnhancedConnectivityService", "url": "https://example.com/sms"}
    await api.send("POST", f"/api/m2m/v1/callbacks/{ACCOUNT}", json=listener)
    assert (await block(api))[0] == texts
    assert (await api.send("PUT", START)).json == {"success": True}
    assert await block(api) == ([], None)


async def test_the_events_of_a_device_arrive_later(api: Api) -> None:
    wanted = {"deviceId": api.cloud.devices[0].device_ids[-1], "earliest": "2026-01-01T00:00:00Z"}
    answer = await api.send("POST", EVENTS, json=wanted)
    assert answer.status == 200
    assert api.cloud.late_requests[answer.json["requestId"]].service == "DeviceService"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({}, "UnifiedWebService.DeserializationFailed"),
        ({"deviceId": {"id": "990003420535537", "kind": "imei"}}, "DeviceService.REQUEST_FAILED.DeviceNotFound"),
    ],
)
async def test_the_events_of_no_device_are_refused(api: Api, wanted: dict[str, Any], code: str) -> None:
    assert (await api.send("POST", EVENTS, json=wanted)).refusal == (400, code)


async def test_the_time_of_events_has_to_be_one(api: Api) -> None:
    wanted = {"deviceId": api.cloud.devices[0].device_ids[-1], "latest": "yesterday"}
    answer = await api.send("POST", EVENTS, json=wanted)
    assert answer.refusal == (400, "UnifiedWebService.REQUEST_FAILED.UnexpectedError")
