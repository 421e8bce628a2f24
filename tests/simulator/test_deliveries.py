"""protocol.md 3.3, 3.4: what is told to listeners, how often, and what can go wrong with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import attrs
import orjson
import pytest
from aiohttp import web

from tests.simulator.api import Api
from thingspace_async.simulator import Assumptions, DeliveryFaults, Device, Simulator, courier

Serve = Callable[..., Awaitable[Api]]

ACCOUNT = "0000123456-00001"
DEVICES = "/api/m2m/v1/devices"
LISTENERS = f"/api/m2m/v1/callbacks/{ACCOUNT}"
REACHABILITY = "/api/m2m/v1/diagnostics/basic/devicereachability"
SMS = "EnhancedConnectivityService"
FIVE_MINUTES = timedelta(minutes=5)


@attrs.define
class Listener:
    """A real server that takes messages, and answers with the statuses that a test has set, and then with 200."""

    url: str = ""
    bodies: list[bytes] = attrs.field(factory=list[bytes])
    paths: list[str] = attrs.field(factory=list[str])
    statuses: list[int] = attrs.field(factory=list[int])
    waits: Callable[[], Awaitable[object]] | None = None
    over: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set at the end: aiohttp leaves a handler running whose client has gone."""
    at_once: int = 0
    most_at_once: int = 0

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [orjson.loads(body) for body in self.bodies]

    @property
    def first_ids(self) -> list[str]:
        return [message["deviceIds"][0]["id"] for message in self.messages]

    async def take(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            assert request.content_type == "application/json"
            self.bodies.append(await request.read())
            self.paths.append(request.path)
            if self.waits is not None:
                await self.waits()
        finally:
            self.at_once -= 1
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"Location": "/elsewhere"} if 300 <= status < 400 else None)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    taking = Listener()
    application = web.Application()
    application.router.add_post("/{path:.*}", taking.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    taking.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield taking
    taking.over.set()
    await runner.cleanup()


async def register(api: Api, url: str, service: str = "CarrierService", **own: str) -> None:
    answer = await api.send("POST", LISTENERS, json={"name": service, "url": url, **own})
    assert answer.status == 200, answer.body


async def ask(api: Api, what: str, *devices: Device, **wanted: object) -> str:
    """Ask for an action on devices, each named by its ICCID; return the request's id."""
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


# Nobody to tell


async def test_a_message_without_a_listener_is_dropped_and_not_sent_to_one_that_registers_later(
    api: Api, listener: Listener
) -> None:
    await suspend(api)
    await pass_time(api)
    assert states(api) == ["dropped"]
    await register(api, listener.url)
    await pass_time(api, timedelta(hours=1))
    assert (listener.bodies, states(api)) == ([], ["dropped"])


async def test_a_listener_of_another_service_or_account_hears_nothing(api: Api, listener: Listener) -> None:
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
    # This machine by another address, since tests reach no other.
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
    assert api.cloud.archived == api.cloud.deliveries
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
async def test_anything_else_is_none_and_no_redirect_is_followed(api: Api, listener: Listener, status: int) -> None:
    await register(api, listener.url)
    listener.statuses.append(status)
    await suspend(api)
    await pass_time(api)
    assert (listener.paths, states(api)) == (["/"], ["waiting"])


async def test_each_attempt_goes_to_what_is_registered_at_its_time(api: Api, listener: Listener) -> None:
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


async def test_a_listener_that_is_not_there_is_tried_again(api: Api, listener: Listener) -> None:
    await register(api, "http://127.0.0.1:9/")
    await suspend(api)
    await pass_time(api)
    (attempt,) = api.cloud.deliveries[0].attempts
    assert attempt.status is None
    assert "ClientConnectorError" in str(attempt.failure)
    await register(api, listener.url)
    await pass_time(api, FIVE_MINUTES)
    assert [message["callbackCount"] for message in listener.messages] == [2]


async def test_a_listener_that_does_not_answer_in_time_is_tried_again(
    api: Api, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "_PATIENCE", 0.05)
    listener.waits = listener.over.wait
    await register(api, listener.url)
    await suspend(api)
    await pass_time(api)
    (attempt,) = api.cloud.deliveries[0].attempts
    assert (attempt.status, attempt.failure) == (None, "no answer within 0.05 s")
    assert states(api) == ["waiting"]


async def test_waiting_for_deliveries_has_an_end(api: Api, listener: Listener) -> None:
    listener.waits = listener.over.wait
    await register(api, listener.url)
    await suspend(api)
    api.cloud.clock.advance(61)
    with pytest.raises(TimeoutError, match="still under way"):
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


async def test_a_fault_of_the_simulators_own_is_raised_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Simulator()
    await cloud.start()
    monkeypatch.setattr(cloud.outbox, "take", lambda: 1 // 0)
    cloud.add_request(seconds=0)
    with pytest.raises(ExceptionGroup, match="TaskGroup"):
        await cloud.delivered()
    with pytest.raises(ExceptionGroup, match="TaskGroup"):
        await cloud.close()


# What is told, and when


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


async def test_an_esn_is_spelled_in_capitals(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    api.cloud.send(ACCOUNT, "CarrierService", {"deviceIds": [{"id": "12345678901", "kind": "esn"}]})
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


async def test_time_that_passes_by_itself_delivers_too(api: Api, listener: Listener) -> None:
    await register(api, listener.url)
    api.cloud.add_request(seconds=3600)
    request_id = api.cloud.add_request(seconds=0.1)
    async with asyncio.timeout(5):
        while not listener.bodies:
            await asyncio.sleep(0.01)
    await api.cloud.delivered()
    assert [delivery.request_id for delivery in api.cloud.deliveries] == [request_id]


async def test_the_sum_of_usage_and_what_is_known_of_roaming_are_told(api: Api, listener: Listener) -> None:
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


# What goes wrong on purpose


async def test_messages_can_come_out_of_order_and_in_the_same_disorder_for_the_same_seed(
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


async def test_an_early_message_that_is_long_in_coming_does_not_keep_the_answer_for_ever(
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


async def test_faults_can_befall_a_share_of_the_messages(serve: Serve, listener: Listener) -> None:
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


async def test_the_queue_is_sent_when_that_is_asked_for(api: Api, listener: Listener) -> None:
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


async def test_monitors_tell_what_they_watch_for_until_they_expire(api: Api, listener: Listener) -> None:
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


# Many


async def test_many_messages_go_out_some_at_a_time_and_leave_the_loop_to_others(
    serve: Serve, listener: Listener
) -> None:
    asyncio.get_running_loop().set_debug(False)  # Which takes several times as long.
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
