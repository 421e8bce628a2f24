"""PROTOCOL.md 3.3, 3.4: messages to listeners, their repetition, and their faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import orjson
import pytest

from tests.simulator.api import Api
from tests.simulator.listener import Listener
from thingspace_async.simulator import Assumptions, DeliveryFaults, Device, Simulator, courier

Serve = Callable[..., Awaitable[Api]]

ACCOUNT = "0000123456-00001"
DEVICES = "/api/m2m/v1/devices"
LISTENERS = f"/api/m2m/v1/callbacks/{ACCOUNT}"
REACHABILITY = "/api/m2m/v1/diagnostics/basic/devicereachability"
SMS = "EnhancedConnectivityService"
FIVE_MINUTES = timedelta(minutes=5)


async def register(api: Api, url: str, service: str = "CarrierService", **own: str) -> None:
    answer = await api.send("POST", LISTENERS, json={"name": service, "url": url, **own})
    assert answer.status == 200, answer.body


async def ask(api: Api, what: str, *devices: Device, **wanted: object) -> str:
    """Request an action on devices, identified by ICCID; return the request's id."""
    listed = [{"deviceIds": [device.device_ids[-1]]} for device in devices]
    answer = await api.send("POST", f"{DEVICES}/actions/{what}", json={"devices": listed, **wanted})
    assert answer.status == 200, answer.body
    return str(answer.json["requestId"])


def devices_in(api: Api, state: str, count: int = 1) -> list[Device]:
    devices = [api.cloud.devices[place] for place in range(count)]
    for device in devices:
        device.state = state
    return devices


async def suspend(api: Api, count: int = 1) -> str:
    return await ask(api, "suspend", *devices_in(api, "active", count))


async def pass_time(api: Api, time: timedelta = timedelta(seconds=61)) -> None:
    api.cloud.clock.advance(time)
    await api.cloud.delivered()


def states(api: Api) -> list[str]:
    return [delivery.state for delivery in api.cloud.deliveries]


# Messages without a listener


async def test_a_message_without_a_listener_is_dropped_and_not_sent_to_one_that_registers_later(
    api: Api, listener: Listener
) -> None:
    await suspend(api)
    await pass_time(api)
    assert states(api) == ["dropped"]
    await register(api, listener.url)
    await pass_time(api, timedelta(hours=1))
    assert (listener.bodies, states(api)) == ([], ["dropped"])


async def test_a_listener_of_another_service_or_account_gets_no_message(api: Api, listener: Listener) -> None:
    api.cloud.add_account("0000222222-00001")
    await register(api, listener.url, "DeviceService")
    wanted = {"name": "CarrierService", "url": listener.url}
    await api.send("POST", "/api/m2m/v1/callbacks/0000222222-00001", json=wanted)
    await suspend(api)
    await pass_time(api)
    assert listener.bodies == []


@pytest.mark.parametrize("host", ["example.com", "192.0.2.1", "127.0.0.1.example.com", "127.0.0.1@example.com"])
async def test_nothing_is_ever_posted_to_another_machine(api: Api, host: str, caplog: pytest.LogCaptureFixture) -> None:
    await register(api, f"http://{host}/")
    request_id = await suspend(api, 3)
    await pass_time(api)
    for delivery in api.cloud.deliveries:
        assert (delivery.state, delivery.attempts, delivery.request_id) == ("refused", [], request_id)
    assert caplog.text.count("callback_hosts") == 1


async def test_a_host_that_was_allowed_is_posted_to(listener: Listener) -> None:
    # Another address of this machine, because tests must not contact others.
    async with Simulator(callback_hosts=["0.0.0.0"]) as cloud:
        cloud.listeners[ACCOUNT]["CarrierService"] = {"url": listener.url.replace("127.0.0.1", "0.0.0.0")}
        cloud.add_request(seconds=0)
        await cloud.delivered()
        assert [delivery.state for delivery in cloud.deliveries] == ["delivered"]


# Listeners that fail


async def test_a_message_that_no_listener_takes_is_sent_four_times_at_five_minute_intervals_and_archived(
    api: Api, listener: Listener
) -> None:
    await register(api, listener.url)
    listener.statuses += [500] * 9
    await suspend(api)
    await pass_time(api)
    for count in (1, 2, 3, 4):
        assert [message["callbackCount"] for message in listener.messages] == [*range(1, count + 1)]
        assert (states(api) == ["archived"]) == (count == 4)
        await pass_time(api, FIVE_MINUTES - timedelta(seconds=30))
        assert len(listener.bodies) == count
        await pass_time(api, timedelta(seconds=30))
    assert api.cloud.archived == list(api.cloud.deliveries)
    assert {message["maxCallbackThreshold"] for message in listener.messages} == {4}
    assert [attempt.status for attempt in api.cloud.archived[0].attempts] == [500] * 4


async def test_a_jump_of_an_hour_makes_up_for_all_attempts_of_that_hour(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    listener.statuses += [503] * 3
    await suspend(api)
    await pass_time(api, timedelta(hours=1))
    assert ([message["callbackCount"] for message in listener.messages], states(api)) == ([1, 2, 3, 4], ["delivered"])


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_an_acknowledgement(api: Api, listener: Listener, status: int) -> None:
    await register(api, listener.url)
    listener.statuses.append(status)
    await suspend(api)
    await pass_time(api, timedelta(hours=1))
    assert (len(listener.bodies), states(api)) == (1, ["delivered"])


@pytest.mark.parametrize("status", [302, 307, 400, 401, 404])
async def test_other_statuses_are_failures_and_redirects_are_not_followed(
    api: Api, listener: Listener, status: int
) -> None:
    await register(api, listener.url)
    listener.statuses.append(status)
    await suspend(api)
    await pass_time(api)
    assert (listener.paths, states(api)) == (["/"], ["waiting"])


async def test_each_attempt_goes_to_the_listener_registered_at_that_time(api: Api, listener: Listener) -> None:
    await register(api, f"{listener.url}/old", username="a", password="old password")
    listener.statuses += [500, 500]
    await suspend(api)
    await pass_time(api)
    await register(api, f"{listener.url}/new", username="a", password="new password")
    await pass_time(api, FIVE_MINUTES)
    assert listener.paths == ["/old", "/new"]
    assert [message["password"] for message in listener.messages] == ["old password", "new password"]
    await api.send("DELETE", f"{LISTENERS}/name/CarrierService")
    await pass_time(api, FIVE_MINUTES)
    assert (len(listener.bodies), states(api)) == (2, ["dropped"])


async def test_an_unreachable_listener_is_retried(api: Api, listener: Listener) -> None:
    await register(api, "http://127.0.0.1:9/")
    await suspend(api)
    await pass_time(api)
    (attempt,) = api.cloud.deliveries[0].attempts
    assert attempt.status is None
    assert "ClientConnectorError" in str(attempt.failure)
    await register(api, listener.url)
    await pass_time(api, FIVE_MINUTES)
    assert [message["callbackCount"] for message in listener.messages] == [2]


async def test_a_listener_that_does_not_answer_in_time_is_retried(
    api: Api, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "_TIMEOUT", 0.05)
    listener.waits = listener.over.wait
    await register(api, listener.url)
    await suspend(api)
    await pass_time(api)
    (attempt,) = api.cloud.deliveries[0].attempts
    assert (attempt.status, attempt.failure) == (None, "no answer within 0.05 s")
    assert states(api) == ["waiting"]


async def test_waiting_for_deliveries_times_out(api: Api, listener: Listener) -> None:
    listener.waits = listener.over.wait
    await register(api, listener.url)
    await suspend(api)
    api.cloud.clock.advance(61)
    with pytest.raises(TimeoutError, match="have not answered all messages"):
        await api.cloud.delivered(0.05)


async def test_closing_ends_deliveries_at_once_and_they_are_sent_again_after_the_next_start(
    api: Api, listener: Listener
) -> None:
    listener.waits = listener.over.wait
    await register(api, listener.url)
    await suspend(api, 3)
    api.cloud.clock.advance(61)
    while listener.at_once < 3:
        await asyncio.sleep(0.005)
    begun = time.monotonic()
    await api.cloud.close()
    assert time.monotonic() - begun < 1
    assert (states(api), [delivery.attempts for delivery in api.cloud.deliveries]) == (["waiting"] * 3, [[]] * 3)
    listener.waits = None
    await api.cloud.start()
    await api.cloud.delivered()
    assert states(api) == ["delivered"] * 3
    assert {message["callbackCount"] for message in listener.messages} == {1}


async def test_what_was_due_before_the_start_is_sent_at_the_start(listener: Listener) -> None:
    cloud = Simulator()
    cloud.listeners[ACCOUNT]["CarrierService"] = {"url": listener.url}
    cloud.add_request()
    cloud.clock.advance(61)
    with pytest.raises(RuntimeError, match="async with"):
        await cloud.delivered()
    async with cloud:
        await cloud.delivered()
    assert len(listener.bodies) == 1


async def test_an_internal_error_of_the_simulator_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Simulator()
    await cloud.start()
    monkeypatch.setattr(cloud.platform.outbox, "take", lambda: 1 // 0)
    cloud.add_request(seconds=0)
    with pytest.raises(ExceptionGroup, match="TaskGroup"):
        await cloud.delivered()
    with pytest.raises(ExceptionGroup, match="TaskGroup"):
        await cloud.close()


# Content and time of messages


async def test_each_device_of_a_request_has_a_message_of_its_own_with_the_requests_id(
    api: Api, listener: Listener
) -> None:
    await register(api, listener.url, username="fleet", password="a password")
    devices = devices_in(api, "active", 3)
    request_id = await ask(api, "suspend", *devices)
    await pass_time(api)
    told = sorted(listener.messages, key=lambda message: message["deviceIds"][0]["id"])
    assert [message["requestId"] for message in told] == [request_id] * 3
    assert [message["deviceIds"] for message in told] == [
        [{"id": device.device_ids[-1]["id"], "kind": "Iccid"}] for device in devices
    ]
    assert told[0] == {
        "username": "fleet",
        "password": "a password",
        "requestId": request_id,
        "deviceIds": told[0]["deviceIds"],
        "deviceResponse": {"suspendResponse": told[0]["deviceResponse"]["suspendResponse"]},
        "status": "Success",
        "callbackCount": 1,
        "maxCallbackThreshold": 4,
    }


async def test_without_credentials_the_members_are_empty_texts(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    await suspend(api)
    await pass_time(api)
    assert (listener.messages[0]["username"], listener.messages[0]["password"]) == ("", "")


async def test_a_device_that_is_refused_has_a_fault_and_the_others_their_results(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    first, second = devices_in(api, "preactive", 2)
    first.state = "active"
    await ask(api, "activate", first, second, servicePlan="M2M_PP", mdnZipCode="94105")
    await pass_time(api)
    told = {message["status"]: message for message in listener.messages}
    assert told["Failed"]["faultResponse"] == {
        "faultcode": "UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive",
        "faultstring": "REQUEST_FAILED. Device is already active",
    }
    assert "deviceResponse" not in told["Failed"]
    assert set(told["Success"]["deviceResponse"]) == {"activateResponse"}
    assert "faultResponse" not in told["Success"]


async def test_an_activated_device_is_told_by_what_the_request_named_and_by_its_new_line(
    api: Api, listener: Listener
) -> None:
    await register(api, listener.url)
    (device,) = devices_in(api, "preactive")
    await ask(api, "activate", device, servicePlan="M2M_PP", mdnZipCode="94105")
    await pass_time(api)
    (message,) = listener.messages
    assert [one["kind"] for one in message["deviceIds"]] == ["Iccid", "Mdn", "Msisdn"]
    assert message["deviceIds"][1]["id"] == device.mdn
    inner = message["deviceResponse"]["activateResponse"]
    assert {one["kind"] for one in inner["deviceIds"]} == {"Mdn", "Msisdn", "Imei", "Iccid"}
    assert (inner["servicePlan"], inner["state"]) == ("M2M_PP", "active")


async def test_kinds_can_be_spelled_as_the_request_spells_them(serve: Serve, listener: Listener) -> None:
    api = await serve(assumptions=Assumptions(capitalised_kinds=False))
    await register(api, listener.url)
    await suspend(api)
    await pass_time(api)
    assert listener.messages[0]["deviceIds"] == api.cloud.devices[0].device_ids[-1:]


async def test_identifiers_can_be_spelled_in_other_forms(serve: Serve, listener: Listener) -> None:
    api = await serve(assumptions=Assumptions(other_spellings=True))
    await register(api, listener.url)
    identifiers = {
        "imei": "990013907830009",
        "iccid": "89148000000012345675",
        "meid": "A10000009296F2",
        "mdn": "9085550001",
        "imsi": "311480000000001",
    }
    told = {"deviceIds": [{"id": value, "kind": kind} for kind, value in identifiers.items()]}
    api.cloud.platform.outbox.send(ACCOUNT, "CarrierService", told)
    await api.cloud.delivered()
    assert [(one["kind"], one["id"]) for one in listener.messages[0]["deviceIds"]] == [
        ("Imei", "99001390783000"),
        ("Iccid", "8914800000001234567"),
        ("Meid", "a10000009296f2"),
        ("Msisdn", "19085550001"),
        ("Imsi", "311480000000001"),
    ]


async def test_an_esn_is_spelled_in_capitals(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    api.cloud.platform.outbox.send(ACCOUNT, "CarrierService", {"deviceIds": [{"id": "12345678901", "kind": "esn"}]})
    await api.cloud.delivered()
    assert listener.messages[0]["deviceIds"][0]["kind"] == "ESN"


@pytest.mark.parametrize("fails", [False, True])
async def test_a_request_without_devices_has_one_message(api: Api, listener: Listener, *, fails: bool) -> None:
    await register(api, listener.url)
    request_id = api.cloud.add_request(fails=fails)
    await pass_time(api)
    (message,) = listener.messages
    assert (message["requestId"], message["deviceIds"]) == (request_id, [])
    assert (message["status"], "faultResponse" in message) == (("Failed", True) if fails else ("Success", False))


async def test_messages_are_sent_as_real_time_passes(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    api.cloud.add_request(seconds=3600)
    request_id = api.cloud.add_request(seconds=0.1)
    async with asyncio.timeout(5):
        while not listener.bodies:
            await asyncio.sleep(0.01)
    await api.cloud.delivered()
    assert [delivery.request_id for delivery in api.cloud.deliveries] == [request_id]


async def test_usage_totals_and_roaming_lists_are_sent(api: Api, listener: Listener) -> None:
    await register(api, listener.url, "DeviceUsage")
    await register(api, listener.url, "DevicePRLInformation")
    named = devices_in(api, "active")[0].device_ids[-1:]
    times = {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-10T00:00:00Z"}
    await api.send("POST", f"{DEVICES}/usage/actions/list/aggregate", json={"deviceIds": named, **times})
    await pass_time(api)
    await api.send("POST", f"{DEVICES}/prl/actions/list", json={"deviceIds": named})
    await pass_time(api)
    usage, roaming = (message["deviceResponse"] for message in listener.messages)
    (sums,) = usage["usageResponse"]
    days = {"earliest": times["startTime"], "latest": times["endTime"], "deviceId": named[0]}
    records = (await api.send("POST", f"{DEVICES}/usage/actions/list", json=days)).json["usageHistory"]
    assert sums["bytesUsed"] == sum(record["bytesUsed"] for record in records) > 0
    assert roaming == {"prlInformationResponse": {}}


async def test_no_listeners_password_is_shown(api: Api, listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    await register(api, listener.url, username="fleet", password="a-secret-of-its-own")
    await suspend(api)
    await pass_time(api)
    assert listener.messages[0]["password"] == "a-secret-of-its-own"
    assert "a-secret-of-its-own" not in repr(api.cloud.deliveries) + caplog.text


# Faults


async def test_messages_can_arrive_out_of_order_reproducibly(
    serve: Serve, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "_MOST_AT_ONCE", 1)
    seen = []
    for shuffled in (False, True, True):
        listener.bodies.clear()
        api = await serve(devices=30)
        await register(api, listener.url)
        api.cloud.delivery_faults = DeliveryFaults(out_of_order=shuffled)
        await suspend(api, 30)
        await pass_time(api)
        seen.append(listener.first_ids)
    assert seen[0] == [device.device_ids[-1]["id"] for device in api.cloud.devices]
    assert seen[1] == seen[2] != seen[0]
    assert sorted(seen[1]) == sorted(seen[0])


async def test_messages_can_be_sent_twice(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    api.cloud.delivery_faults = DeliveryFaults(duplicated=1)
    await suspend(api, 5)
    await pass_time(api)
    assert len(listener.bodies) == len(api.cloud.deliveries) == 10
    assert {listener.bodies.count(body) for body in listener.bodies} == {2}


async def test_messages_can_come_before_the_answer(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    api.cloud.delivery_faults = DeliveryFaults(early=True)
    request_id = await suspend(api, 10)
    assert len(listener.bodies) == 10
    assert {message["requestId"] for message in listener.messages} == {request_id}
    assert api.cloud.devices[0].state == "suspend"


async def test_a_listener_that_calls_the_platform_is_not_waited_for_by_its_own_call(
    api: Api, listener: Listener
) -> None:
    await register(api, listener.url)
    api.cloud.delivery_faults = DeliveryFaults(early=True)
    listener.waits = api.account
    begun = time.monotonic()
    await suspend(api)
    assert time.monotonic() - begun < 5
    assert states(api) == ["delivered"]


async def test_a_slow_early_message_does_not_block_the_answer_forever(
    api: Api, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener.waits = listener.over.wait
    await register(api, listener.url)
    api.cloud.delivery_faults = DeliveryFaults(early=True)
    wait = api.cloud.delivered
    monkeypatch.setattr(api.cloud, "delivered", lambda: wait(0.05))
    await suspend(api)
    assert states(api) == ["waiting"]


async def test_a_change_of_plan_for_next_week_does_not_come_early(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    api.cloud.delivery_faults = DeliveryFaults(early=True)
    (device,) = devices_in(api, "active")
    body = {
        "devices": [{"deviceIds": device.device_ids[-1:]}],
        "servicePlan": "M2M_PP",
        "takeEffect": (api.cloud.clock.now() + timedelta(days=7)).isoformat(),
    }
    await api.send("PUT", f"{DEVICES}/actions/plan", json=body)
    assert listener.bodies == []
    await pass_time(api, timedelta(days=7))
    assert len(listener.bodies) == 1


async def test_messages_can_lack_their_opening_brace(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    api.cloud.delivery_faults = DeliveryFaults(brace_missing=1)
    await suspend(api)
    await pass_time(api)
    (body,) = listener.bodies
    assert body.startswith(b'"username"')
    assert orjson.loads(b"{" + body)["status"] == "Success"


async def test_faults_can_apply_to_a_share_of_the_messages(serve: Serve, listener: Listener) -> None:
    api = await serve(devices=200)
    await register(api, listener.url)
    api.cloud.delivery_faults = DeliveryFaults(duplicated=0.25, brace_missing=0.25)
    await suspend(api, 200)
    await pass_time(api)
    assert 210 < len(listener.bodies) < 290
    assert 20 < sum(not body.startswith(b"{") for body in listener.bodies) < 120


async def test_bodies_can_come_slowly(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    api.cloud.delivery_faults = DeliveryFaults(slow=0.2)
    await suspend(api)
    begun = time.monotonic()
    await pass_time(api)
    assert 0.2 <= time.monotonic() - begun < 5
    assert listener.messages[0]["status"] == "Success"


# SMS


async def send_sms(api: Api, *devices: Device) -> str:
    body = {"accountName": ACCOUNT, "smsMessage": "Hello", "deviceIds": [one.device_ids[-1] for one in devices]}
    return str((await api.send("POST", "/api/m2m/v1/sms", json=body)).json["requestId"])


async def test_a_sent_sms_is_reported_to_one_service_and_its_receipt_to_another(api: Api, listener: Listener) -> None:
    await register(api, f"{listener.url}/sent", SMS)
    await register(api, f"{listener.url}/received", "SMSDeliveryConfirmation")
    first, second = devices_in(api, "active", 2)
    second.state = "suspend"
    request_id = await send_sms(api, first, second)
    await pass_time(api)
    told = sorted(
        (path, message["status"], message["deviceIds"][0]["id"])
        for path, message in zip(listener.paths, listener.messages, strict=True)
    )
    ids = [device.device_ids[-1]["id"] for device in (first, second)]
    assert told == [("/received", "Success", ids[0]), ("/sent", "Failed", ids[1]), ("/sent", "Success", ids[0])]
    assert {message["requestId"] for message in listener.messages} == {request_id}
    assert all("smsDeliveryResponse" in one["deviceResponse"] for one in listener.messages if one["status"] != "Failed")


async def test_an_sms_of_a_device_goes_to_the_listener_and_not_into_the_queue(api: Api, listener: Listener) -> None:
    await register(api, listener.url, SMS)
    device = api.cloud.devices[0]
    api.cloud.receive_sms(device, "Loud and clear")
    await api.cloud.delivered()
    (message,) = listener.messages
    assert (message["smsMessage"], "requestId" in message) == ("Loud and clear", False)
    assert [one["id"] for one in message["deviceIds"]] == [one["id"] for one in device.device_ids]
    assert api.cloud.queued_sms[ACCOUNT] == []


async def test_an_sms_that_no_listener_takes_ends_up_in_the_queue_once_and_in_its_place(
    api: Api, listener: Listener
) -> None:
    await register(api, listener.url, SMS)
    api.cloud.delivery_faults = DeliveryFaults(duplicated=1)
    listener.statuses += [500] * 8
    api.cloud.receive_sms(api.cloud.devices[0], "first")
    await pass_time(api, timedelta(minutes=16))
    await api.send("DELETE", f"{LISTENERS}/name/{SMS}")
    api.cloud.receive_sms(api.cloud.devices[0], "second")
    assert [one.text for one in api.cloud.queued_sms[ACCOUNT]] == ["first", "second"]
    assert states(api) == ["archived"] * 2


async def test_the_queue_is_sent_on_request(api: Api, listener: Listener) -> None:
    for text in ("first", "second"):
        api.cloud.receive_sms(api.cloud.devices[0], text)
    await register(api, listener.url, SMS)
    await pass_time(api, timedelta(hours=1))
    assert listener.bodies == []
    await api.enter()
    await api.send("PUT", f"/api/m2m/v1/sms/{ACCOUNT}/startCallbacks")
    await api.cloud.delivered()
    assert sorted(message["smsMessage"] for message in listener.messages) == ["first", "second"]
    assert api.cloud.queued_sms[ACCOUNT] == []


# Reachability


async def test_monitors_report_their_event_until_they_expire(api: Api, listener: Listener) -> None:
    await register(api, listener.url, "DiagnosticsService")
    (device,) = devices_in(api, "active")
    for kind in ("REACHABLE_FOR_DATA", "LOSS_OF_CONNECTIVITY"):
        body = {
            "accountName": ACCOUNT,
            "requestType": kind,
            "devices": [{"deviceIds": device.device_ids[-1:]}],
            "monitorExpirationTime": (api.cloud.clock.now() + timedelta(days=1)).isoformat(),
        }
        assert (await api.send("POST", REACHABILITY, json=body)).status == 200
    await pass_time(api)
    ids = [message["requestId"] for message in listener.messages]
    monitors = [message["deviceResponse"]["monitorId"] for message in listener.messages]
    api.cloud.report_reachability(device, reachable=False)
    api.cloud.report_reachability(device, reachable=True)
    await api.cloud.delivered()
    told = {message["deviceResponse"]["monitorId"]: message for message in listener.messages[2:]}
    assert {one["requestId"] for one in told.values()} == set(ids)
    assert sorted(told) == sorted(monitors)
    assert sorted(one["deviceResponse"]["reachable"] for one in told.values()) == [False, True]
    await pass_time(api, timedelta(days=2))
    api.cloud.report_reachability(device, reachable=True)
    assert (device.connected, len(api.cloud.deliveries)) == (True, 4)


# Many messages


async def test_many_messages_go_out_some_at_a_time_and_leave_the_loop_to_others(
    serve: Serve, listener: Listener
) -> None:
    asyncio.get_running_loop().set_debug(False)  # The debug mode is several times slower.
    api = await serve(devices=5_000)
    await register(api, listener.url)
    await suspend(api, 5_000)
    listener.waits = partial(asyncio.sleep, 0.001)
    api.cloud.clock.advance(61)
    longest, last = 0.0, time.monotonic()
    waiting = asyncio.create_task(api.cloud.delivered())
    while not waiting.done():
        await asyncio.sleep(0.001)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    await waiting
    assert len(set(listener.first_ids)) == len(listener.bodies) == 5_000
    assert 1 < listener.most_at_once <= 20
    assert longest < 0.5


# The log is bounded


async def test_the_latest_finished_deliveries_and_all_waiting_ones_are_kept(serve: Serve, listener: Listener) -> None:
    api = await serve(most_deliveries=2)
    await register(api, listener.url)
    later = [api.cloud.add_request(seconds=seconds) for seconds in (60, 120, 180, 3600, 7200)]
    for _ in range(3):
        await pass_time(api)
    assert [one.request_id for one in api.cloud.deliveries] == later[1:3]
    for _ in range(2):
        await pass_time(api, timedelta(hours=1))
    assert [one.request_id for one in api.cloud.deliveries[:]] == later[3:]


async def test_waiting_deliveries_do_not_count_towards_the_limit(serve: Serve, listener: Listener) -> None:
    api = await serve(most_deliveries=1)
    await register(api, listener.url)
    listener.statuses += [500] * 3
    for _ in range(3):
        api.cloud.add_request(seconds=0)
    await api.cloud.delivered()
    assert states(api) == ["waiting"] * 3
    await pass_time(api, FIVE_MINUTES)
    assert states(api) == ["delivered"]


async def test_a_resent_delivery_is_kept_as_waiting(serve: Serve, listener: Listener) -> None:
    api = await serve(most_deliveries=1)
    await register(api, listener.url)
    api.cloud.add_request(seconds=0)
    await api.cloud.delivered()
    (delivery,) = api.cloud.deliveries
    listener.statuses += [500]
    api.cloud.resend(delivery)
    await api.cloud.delivered()
    api.cloud.add_request(seconds=0)
    await api.cloud.delivered()
    assert states(api) == ["waiting", "delivered"]
    await pass_time(api, FIVE_MINUTES)
    assert list(api.cloud.deliveries) == [delivery]


async def test_clearing_the_log_does_not_stop_waiting_messages(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    listener.statuses += [500]
    api.cloud.add_request(seconds=0)
    await api.cloud.delivered()
    api.cloud.deliveries.clear()
    await pass_time(api, FIVE_MINUTES)
    assert (len(listener.bodies), list(api.cloud.deliveries)) == (2, [])


async def test_the_latest_finished_late_requests_and_all_pending_ones_are_kept(serve: Serve) -> None:
    api = await serve(most_late_requests=2)
    pending, *finished = [api.cloud.add_request(seconds=seconds) for seconds in (3600, 1, 2, 3)]
    await pass_time(api)
    assert list(api.cloud.late_requests) == [pending, *finished[1:]]
    answer = await api.send("GET", f"/api/m2m/v1/accounts/{ACCOUNT}/requests/{finished[0]}/status")
    assert answer.status == 400
