"""PROTOCOL.md 2.3, 3.6, 5: observations, their allowance and history, settings, restarts and listeners."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.simulator.api import Api, Reply
from tests.simulator.listener import Listener
from thingspace_async.simulator import Assumptions
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.rooms.diagnostics import Diagnostics

Serve = Callable[..., Awaitable[Api]]

ACCOUNT = "0000123456-00001"
OTHER = "0000123456-00002"
BASE = "/api/diagnostics/v1"
OBSERVE = f"{BASE}/devices/attributes/actions/observe"
HISTORY = f"{BASE}/history/actions/$search"
RESTART = f"{BASE}/devices/actions/restart"
NOON = datetime(2026, 1, 15, 12, 1, tzinfo=UTC)
STRANGER = {"id": "990013907835573", "kind": "IMEI"}
INVALID = (400, "INVALID_PARAMETER", "The request parameter is invalid.")


def refusal(reply: Reply) -> tuple[int, str, str]:
    assert reply.json.keys() == {"errorCode", "errorMessage"}
    return reply.status, reply.json["errorCode"], reply.json["errorMessage"]


def named(device: Device) -> dict[str, str]:
    return {"id": str(device.imei), "kind": "IMEI"}


def active(api: Api, count: int = 1) -> list[Device]:
    found = [one for one in api.cloud.devices if one.state == "active"][:count]
    for one in found:
        api.cloud.report_reachability(one, reachable=True)
    return found


def body(*devices: Device, **changes: Any) -> dict[str, Any]:
    return {
        "accountName": ACCOUNT,
        "devices": [named(one) for one in devices],
        "attributes": [{"name": "LINK_QUALITY"}],
        "frequency": {"value": 15, "unit": "SECOND"},
        "duration": {"value": 1, "unit": "MINUTE"},
    } | changes


async def register(api: Api, url: str, **changes: Any) -> Reply:
    wanted = {"accountName": ACCOUNT, "serviceName": "Diagnostics", "endpoint": url} | changes
    return await api.send("POST", f"{BASE}/callbacks", json=wanted)


@pytest.fixture
async def listens(api: Api, listener: Listener) -> Listener:
    api.cloud.clock.speed = 0
    api.cloud.clock.advance_to(NOON)
    await register(api, listener.url)
    return listener


def sent(api: Api) -> list[Any]:
    return [one.message for one in api.cloud.deliveries if one.api == "diagnostics"]


# Observations


async def test_an_observation_sends_a_message_for_each_value_and_its_end(api: Api, listens: Listener) -> None:
    (device,) = active(api)
    accepted = await api.send("POST", OBSERVE, json=body(device, duration={"value": 30, "unit": "SECOND"}))
    name = accepted.json["transactionID"]
    assert accepted.json == {
        "transactionID": name,
        "status": "OBSERVE_PENDING",
        "createdOn": "2026-01-15T12:01:00.000Z",
    }
    api.cloud.clock.advance(600)
    await api.cloud.delivered()
    first, second, last = listens.messages
    value = first["attributes"].pop("value")
    assert value.isdigit()
    common = {"transactionID": name, "accountName": ACCOUNT, "device": named(device)}
    assert first == common | {"attributes": {"name": "LINK_QUALITY", "createdOn": "2026-01-15T12:01:15.000Z"}}
    assert second["attributes"]["createdOn"] == "2026-01-15T12:01:30.000Z"
    assert last == common | {"status": "OBSERVE_DURATION_EXPIRED"}
    assert listens.headers[0]["X-Signature"]


async def test_every_attribute_has_a_value(api: Api, listens: Listener) -> None:
    (device,) = active(api)
    names = ("NETWORK_BEARER", "RADIO_SIGNAL_STRENGTH", "LINK_QUALITY", "CELL_ID", "MANUFACTURER")
    wanted = body(device, attributes=[{"name": name} for name in (*names, "CELL_ID")], frequency=None, duration=None)
    await api.send("POST", OBSERVE, json=wanted)
    api.cloud.clock.advance(90)  # Without a frequency: once a minute.
    assert [one["attributes"]["name"] for one in sent(api)] == list(names)
    assert all(one["attributes"]["value"] for one in sent(api))


async def test_a_stop_ends_an_observation_once(api: Api, listens: Listener) -> None:
    (device,) = active(api)
    name = (await api.send("POST", OBSERVE, json=body(device))).json["transactionID"]
    query = {"accountName": ACCOUNT, "transactionId": name}
    assert (await api.send("DELETE", OBSERVE, query=query)).json["status"] == "CANCEL_OBSERVE_PENDING"
    api.cloud.clock.advance(600)
    assert [one.get("status") for one in sent(api)] == ["OBSERVE_CANCELLED"]
    again = await api.send("DELETE", OBSERVE, query=query)
    assert refusal(again) == (400, "INVALID_PARAMETER", "Transaction ID is already canceled.")
    unknown = await api.send("DELETE", OBSERVE, query=query | {"transactionId": "1"})
    assert refusal(unknown) == (400, "INVALID_PARAMETER", "Observe has failed for this transaction ID.")
    api.cloud.add_account(OTHER)
    foreign = await api.send("DELETE", OBSERVE, query=query | {"accountName": OTHER})
    assert refusal(foreign) == refusal(unknown)


async def test_the_end_is_announced_only_if_that_is_assumed(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(observation_end_is_announced=False))
    await register(api, "http://127.0.0.1:9/")
    await api.send("POST", OBSERVE, json=body(*active(api)))
    api.cloud.clock.advance(600)
    assert [one.get("status") for one in sent(api)] == [None] * 4


async def test_a_month_has_its_own_allowance(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(diagnostics_allowance=5))
    api.cloud.clock.speed = 0
    await register(api, "http://127.0.0.1:9/")
    (device,) = active(api)
    for _ in range(2):
        await api.send("POST", OBSERVE, json=body(device))
        api.cloud.clock.advance(60)
    assert [one["errorCode"] for one in sent(api) if "errorCode" in one] == ["ACCOUNT_USAGE_EXCEEDED"]
    assert sent(api)[-1]["status"] == "OBSERVE_CANCELLED"
    shown = await api.send("GET", f"{BASE}/subscriptions", query={"accountName": ACCOUNT})
    assert (shown.json["totalAllowed"], shown.json["totalUsed"]) == (5, 5)
    refused = await api.send("POST", OBSERVE, json=body(device))
    assert refusal(refused) == (403, "ACCOUNT_USAGE_EXCEEDED", "The account usage has been exceeded.")
    api.cloud.clock.advance(timedelta(days=20))
    await api.enter()
    assert (await api.send("POST", OBSERVE, json=body(device))).status == 200
    shown = await api.send("GET", f"{BASE}/subscriptions", query={"accountName": ACCOUNT})
    assert shown.json["totalUsed"] == 0


async def test_an_unreachable_device_is_reported_once_until_it_comes_back(api: Api, listens: Listener) -> None:
    (device,) = active(api)
    await api.send("POST", OBSERVE, json=body(device, duration={"value": 2, "unit": "MINUTE"}))
    for reachable in (False, True, False, True):
        api.cloud.report_reachability(device, reachable=reachable)
        api.cloud.clock.advance(30)
    kinds = ["value" if "attributes" in one else one.get("errorCode") or one["status"] for one in sent(api)]
    half = ["DEVICE_UNREACHABLE", "value", "value"]
    assert kinds == [*half, *half, "OBSERVE_DURATION_EXPIRED"]


@pytest.mark.parametrize(
    "changes",
    [
        {"frequency": {"value": 14, "unit": "SECOND"}},
        {"frequency": {"value": 1, "unit": "FORTNIGHT"}},
        {"frequency": {"value": 0, "unit": "DAY"}},
        {"duration": {"value": 1, "unit": "SECOND"}},
        {"attributes": []},
        {"attributes": [{"name": "MOOD"}]},
        {"devices": []},
        {"devices": [{"id": "1", "kind": "IMEI"}]},
        {"accountName": None},
    ],
)
async def test_a_wrong_observation_is_refused(api: Api, listens: Listener, changes: dict[str, Any]) -> None:
    assert refusal(await api.send("POST", OBSERVE, json=body(*active(api), **changes))) == INVALID
    assert not api.cloud.platform.room(Diagnostics).observations


async def test_refusals_have_the_codes_and_statuses_of_this_service(api: Api, listens: Listener) -> None:
    api.cloud.add_account(OTHER, devices=5)
    foreign = next(one for one in api.cloud.devices if one.account_name == OTHER)
    idle = next(one for one in api.cloud.devices if one.state != "active" and one.account_name == ACCOUNT)
    missing = (400, "DEVICE_NOT_FOUND", "The device was not found.")
    for wrong in ([STRANGER], [named(foreign)]):
        assert refusal(await api.send("POST", OBSERVE, json=body(devices=wrong))) == missing
    unregistered = await api.send("POST", OBSERVE, json=body(idle))
    assert refusal(unregistered) == (500, "DEVICE_UNREGISTERED", "The device is unregistered.")
    assert refusal(await api.send("POST", OBSERVE, data=b"{")) == INVALID
    unknown = await api.send("GET", f"{BASE}/subscriptions", query={"accountName": "1"})
    assert refusal(unknown)[:2] == (500, "UNREGISTERED_ACCOUNT")
    assert refusal(await api.send("GET", f"{BASE}/subscriptions")) == INVALID
    no_listener = await api.send("POST", RESTART, json={"accountName": OTHER, "action": "reboot", "devices": []})
    assert refusal(no_listener)[:2] == (403, "CALLBACK_NOT_REGISTERED")
    api.cloud.expire_sessions()
    expired = await api.send("GET", f"{BASE}/subscriptions", query={"accountName": ACCOUNT})
    assert refusal(expired)[:2] == (401, "INVALID_ACCOUNT")
    assert "UWS" in expired.json["errorMessage"]


# Settings and history


async def test_settings_show_every_attribute_and_its_last_value(api: Api, listens: Listener) -> None:
    (device,) = active(api)
    await api.send("POST", OBSERVE, json=body(device))
    api.cloud.clock.advance(31)
    query = {"accountName": ACCOUNT, "devices": json.dumps([named(device)])}
    (shown,) = (await api.send("GET", f"{BASE}/devices/settings", query=query)).json
    assert (shown["accountName"], shown["device"]) == (ACCOUNT, named(device))
    by_name = {one["name"]: one for one in shown["attributes"]}
    observed = by_name["LINK_QUALITY"]
    assert (observed["isObserving"], observed["frequency"]) == (True, {"value": 15, "unit": "SECOND"})
    assert observed["createdOn"] == "2026-01-15T12:01:30.000Z"
    assert by_name["CELL_ID"] == {"name": "CELL_ID", "isObservable": True, "isObserving": False}
    for wrong in ("[", "{}", "[5]", "[]"):
        reply = await api.send("GET", f"{BASE}/devices/settings", query=query | {"devices": wrong})
        assert refusal(reply) == INVALID


async def test_history_is_paged_from_the_newest_value_while_others_are_added(api: Api, listens: Listener) -> None:
    (device,) = active(api)
    both = [{"name": "LINK_QUALITY"}, {"name": "CELL_ID"}]
    await api.send("POST", OBSERVE, json=body(device, attributes=both, duration=None))
    api.cloud.clock.advance(75)
    wanted: dict[str, Any] = {
        "$filter": {"accountName": ACCOUNT, "device": named(device), "attributes": {"name": "CELL_ID"}},
        "$limitNumber": 2,
    }
    pages: list[Reply] = []
    while not pages or "X-Next" in pages[-1].headers:
        mark = {"$page": pages[-1].headers["X-Next"]} if pages else {}
        pages.append(await api.send("POST", HISTORY, json=wanted | mark))
        api.cloud.clock.advance(15)
    found = [one for page in pages for one in page.json]
    assert [one["attributes"]["createdOn"][14:19] for one in found] == ["02:15", "02:00", "01:45", "01:30", "01:15"]
    assert {one["attributes"]["name"] for one in found} == {"CELL_ID"}
    assert found[0]["device"] == named(device)

    everything = {"$filter": {"accountName": ACCOUNT, "device": named(device)}}
    assert len((await api.send("POST", HISTORY, json=everything)).json) == 16
    span = {"startOn": "2026-01-15T07:01:15-05:00", "duration": {"value": 15, "unit": "SECOND"}}
    assert len((await api.send("POST", HISTORY, json=everything | {"$limitTime": span})).json) == 4
    later = {"startOn": "2026-01-15T12:02:15Z"}
    assert len((await api.send("POST", HISTORY, json=everything | {"$limitTime": later})).json) == 8


@pytest.mark.parametrize("changes", [{"$limitNumber": 0}, {"$page": "x"}, {"$filter": {}}, {"$limitTime": 5}])
async def test_a_wrong_search_is_refused(api: Api, changes: dict[str, Any]) -> None:
    wanted = {"$filter": {"accountName": ACCOUNT, "device": named(api.cloud.devices[0])}}
    assert refusal(await api.send("POST", HISTORY, json=wanted | changes)) == INVALID


# Restarts


async def test_a_restart_sends_three_messages_for_each_device(api: Api, listens: Listener) -> None:
    devices = active(api, 2)
    wanted = {"accountName": ACCOUNT, "action": "reboot", "devices": [named(one) for one in devices]}
    accepted = (await api.send("POST", RESTART, json=wanted)).json
    assert accepted["status"] == "FACTORY_RESET_PENDING"
    api.cloud.clock.advance(61)
    messages = [one for one in sent(api) if one["device"] == named(devices[0])]
    assert [one["status"] for one in messages] == ["REBOOT_QUEUED", "REBOOT_TRANSMITTED", "REBOOT_SUCCESS"]
    assert {one["transactionID"] for one in messages} == {accepted["transactionID"]}
    assert len(sent(api)) == 6
    assert refusal(await api.send("POST", RESTART, json=wanted | {"action": "explode"})) == INVALID


# Listeners


async def test_a_wrong_listener_is_refused(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(registering_replaces_listener=False))
    url, place = "http://127.0.0.1:9/", f"{BASE}/callbacks"
    wrongs: tuple[dict[str, Any], ...] = (
        {"serviceName": "Fota"},
        {"endpoint": "ftp://x"},
        {"endpoint": "http://[x"},
        {"httpHeaders": {"X": 5}},
    )
    for wrong in wrongs:
        assert refusal(await register(api, url, **wrong)) == INVALID
    made = await register(api, url, httpHeaders={"X-Key": "1"})
    assert made.headers["Shared-Key"]
    assert refusal(await register(api, url)) == INVALID
    listed = await api.send("GET", place, query={"accountName": ACCOUNT})
    assert listed.json == [made.json]
    assert made.json.keys() == {"accountName", "serviceName", "endpoint", "httpHeaders", "createdOn"}
    query = {"accountName": ACCOUNT, "serviceName": "Diagnostics"}
    assert (await api.send("DELETE", place, query=query)).json == made.json
    assert refusal(await api.send("DELETE", place, query=query)) == INVALID
