"""PROTOCOL.md 2.3, 3.6, 5: locations, reports, consents, exclusions, listeners and usage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.api import Api, Reply
from tests.simulator.listener import Listener
from thingspace_async.simulator import Assumptions
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.mechanisms.positions import fix_of
from thingspace_async.simulator.platform import START
from thingspace_async.simulator.rooms.location import Locations

ACCOUNT = "0000123456-00001"
OTHER = "0000123456-00002"
BASE = "/api/loc/v1"
CONSENTS = f"{BASE}/devicelocations/action/consents"

Serve = Callable[..., Awaitable[Api]]


@pytest.fixture
async def api(serve: Serve) -> Api:
    api = await serve(devices=40)
    api.cloud.clock.speed = 0
    return api


def active(api: Api, count: int = 1) -> list[Device]:
    found = [one for one in api.cloud.devices if one.state == "active"][:count]
    for device in found:
        api.cloud.set_locatable(device, locatable=True)
    return found


def body(*devices: Device, **more: object) -> dict[str, Any]:
    named = [{"id": one.imei, "kind": "imei", "mdn": one.mdn} for one in devices]
    return {"accountName": ACCOUNT, "deviceList": named, "cacheMode": "1", **more}


async def locate(api: Api, *devices: Device, **more: object) -> Reply:
    return await api.send("POST", f"{BASE}/locations", json=body(*devices, **more))


def refusal(reply: Reply) -> tuple[int, str, str]:
    assert set(reply.json) == {"errorCode", "errorMessage"}
    return reply.status, reply.json["errorCode"], reply.json["errorMessage"]


def invalid(message: str) -> tuple[int, str, str]:
    return 400, "INVALID_PARAMETER", message


# Positions


def test_a_device_walks_around_its_home_in_the_united_states() -> None:
    hour = timedelta(hours=1)
    for number in range(50):
        walk = [fix_of(7, number, START + hour * passed, precise=True) for passed in range(24)]
        assert all(24 < one.latitude < 50 and -125 < one.longitude < -66 and 5 <= one.radius <= 15 for one in walk)
        for name in ("latitude", "longitude"):
            values = [getattr(one, name) for one in walk]
            assert max(values) - min(values) < 0.11
        assert walk[0] == fix_of(7, number, START, precise=True) != walk[6]


# At once


async def test_numbers_are_strings_and_x_is_the_latitude(api: Api) -> None:
    (device,) = active(api)
    (found,) = (await locate(api, device)).json
    fix = fix_of(api.cloud.platform.seed, device.number, api.cloud.clock.now(), precise=False)
    assert found == {"msid": device.mdn, "pd": fix.as_json()}
    assert float(found["pd"]["x"]) == pytest.approx(fix.latitude)
    assert 500 <= int(found["pd"]["radius"]) <= 5000


async def test_a_device_out_of_service_is_absent_and_some_active_ones_are_too(serve: Serve) -> None:
    api = await serve(devices=500)
    room = api.cloud.platform.room(Locations)
    devices = list(api.cloud.devices)
    lost = [one for one in devices if one.state == "active" and room.is_absent(one)]
    assert 0 < len(lost) < 40
    assert all(room.is_absent(one) for one in devices if one.state != "active")
    (found,) = (await locate(api, lost[0])).json
    assert found["error"]["type"] == "POSITION METHOD FAILURE"


async def test_a_cached_position_is_free_and_a_current_one_replaces_it(api: Api) -> None:
    room = api.cloud.platform.room(Locations)
    known = next(one for one in active(api, 30) if room.known(one))
    (old,) = (await locate(api, known, cacheMode="0")).json
    assert old["pd"]["time"] < "20260115120000"
    (either,) = (await locate(api, known, cacheMode="2")).json
    assert either == old
    assert room.used_this_month(ACCOUNT) == 0
    (new,) = (await locate(api, known)).json
    (cached,) = (await locate(api, known, cacheMode="0")).json
    assert cached == new
    assert room.used_this_month(ACCOUNT) == 1


async def test_a_cached_position_may_be_too_old(api: Api) -> None:
    room = api.cloud.platform.room(Locations)
    known = next(one for one in active(api, 30) if room.known(one))
    (found,) = (await locate(api, known, cacheMode="2", maxLocAge=5)).json
    assert found["pd"]["time"] == f"{api.cloud.clock.now():%Y%m%d%H%M%S}"


async def test_without_any_cached_position_the_request_is_refused_otherwise_the_device(api: Api) -> None:
    room = api.cloud.platform.room(Locations)
    known = next(one for one in active(api, 30) if room.known(one))
    unknown = next(one for one in active(api, 30) if not room.known(one))
    refused = await locate(api, unknown, cacheMode="0")
    assert refusal(refused) == (400, "CACHE_UNAVAILABLE", "Location cache has no data for this device")
    _, error = (await locate(api, known, unknown, cacheMode="0")).json
    assert error["error"]["type"] == "CACHE_UNAVAILABLE"


async def test_wrong_devices_are_refused(api: Api) -> None:
    api.cloud.add_account(OTHER, devices=5)
    stranger = next(one for one in api.cloud.devices if one.account_name == OTHER and one.mdn)
    (own,) = active(api)
    named = {"id": own.imei, "kind": "imei", "mdn": "9999999999"}
    unowned = invalid("Ownership or MDN validation failed")
    assert refusal(await locate(api, stranger)) == unowned
    assert refusal(await locate(api, own, deviceList=[named])) == unowned
    missing = named | {"id": "990013907835573"}
    assert refusal(await locate(api, deviceList=[missing])) == invalid("Device not found")
    assert refusal(await locate(api)) == invalid("Device not found")


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"accuracyMode": "1"}, 400, "INVALID_PARAMETER"),
        ({"cacheMode": "7"}, 400, "INVALID_PARAMETER"),
        ({"accountName": "1"}, 400, "INVALID_PARAMETER"),
        ({"deviceList": [{}] * 21}, 400, "INVALID_REQUEST"),
        ({"deviceList": None}, 400, "INVALID_PARAMETER"),
    ],
)
async def test_a_wrong_request_is_refused(api: Api, more: dict[str, Any], status: int, code: str) -> None:
    (device,) = active(api)
    assert refusal(await locate(api, device, **more))[:2] == (status, code)


async def test_refusals_have_the_codes_and_messages_of_this_service(api: Api) -> None:
    reply = await api.send("GET", f"{BASE}/subscriptions/1")
    assert refusal(reply) == invalid("UWS verification failure (Could not find account 1)")
    assert refusal(await api.send("POST", f"{BASE}/locations", data=b"{")) == invalid("Invalid JSON")
    api.cloud.expire_sessions()
    reply = await api.send("GET", f"{BASE}/subscriptions/{ACCOUNT}")
    assert refusal(reply) == invalid("UWS verification failure (The Session has expired.)")


# Later


async def test_a_report_is_announced_and_its_pages_have_both_members(api: Api, listener: Listener) -> None:
    await api.send("POST", f"{BASE}/callbacks/{ACCOUNT}", json={"name": "Location", "url": listener.url})
    devices = active(api, 3)
    made = (await api.send("POST", f"{BASE}/locationreports", json=body(*devices))).json
    assert (made["status"], made["estimatedDuration"]) == ("QUEUED", "60")
    place = f"{BASE}/locationreports/{ACCOUNT}/report/{made['txid']}"
    assert refusal(await api.send("GET", f"{place}/index/0")) == (400, "INVALID_REQUEST", "Report is not ready")
    api.cloud.clock.advance(61)
    await api.cloud.delivered()
    assert listener.messages == [{"txid": made["txid"], "status": "COMPLETED"}]
    page = (await api.send("GET", f"{place}/index/1")).json
    assert (page["startIndex"], page["totalCount"], page["hasMoreData"]) == ("1", 3, False)
    assert [set(one) for one in page["devLocationList"]] == [{"error", "pd", "msid"}] * 2
    assert refusal(await api.send("GET", f"{place}/index/x")) == invalid("Invalid startIndex")
    api.cloud.clock.advance(timedelta(days=31))
    await api.enter()
    assert refusal(await api.send("GET", f"{place}/status"))[1] == "INVALID_REQUEST"


async def test_a_cached_report_is_ready_at_once_and_causes_no_message(api: Api) -> None:
    made = (await api.send("POST", f"{BASE}/locationreports", json=body(*active(api, 3), cacheMode="0"))).json
    assert made["status"] == "COMPLETED"
    assert len(api.cloud.deliveries) == 0
    cancelled = await api.send("DELETE", f"{BASE}/locationreports/{ACCOUNT}/report/{made['txid']}")
    assert refusal(cancelled) == invalid("Unable to Cancel")


async def test_an_excluded_device_stops_a_report_but_only_fails_in_a_request(api: Api) -> None:
    first, second = active(api, 2)
    excluding = {"accountName": ACCOUNT, "type": "append", "exclusion": [first.imei]}
    await api.send("POST", f"{BASE}/consents", json=excluding)
    reply = await api.send("POST", f"{BASE}/locationreports", json=body(first, second))
    assert refusal(reply) == invalid("Consent check failed")
    await api.send("POST", f"{BASE}/devicelocations", json=body(first, second))
    api.cloud.clock.advance(61)
    failed, found = (one.message for one in api.cloud.deliveries)
    assert (failed["error"]["info"], "pd" in found) == ("Consent check failed", True)


async def test_an_unknown_transaction_is_refused(api: Api) -> None:
    for method, path in (
        ("GET", f"/locationreports/{ACCOUNT}/report/1/status"),
        ("DELETE", f"/locationreports/{ACCOUNT}/report/1"),
        ("DELETE", f"/devicelocations/1?accountname={ACCOUNT}"),
    ):
        assert refusal(await api.send(method, BASE + path))[1] == "INVALID_REQUEST"


async def test_a_periodic_request_ends_by_itself(api: Api) -> None:
    (device,) = active(api)
    await api.send("PUT", CONSENTS, json={"accountName": ACCOUNT, "allDeviceConsent": 3})
    api.cloud.clock.advance(61)
    wanted = body(device, fixInterval=10, numberOfFixes=2)
    made = (await api.send("POST", f"{BASE}/devicelocations/action/periodic", json=wanted)).json
    api.cloud.clock.advance(100)
    assert len([one for one in api.cloud.deliveries if "pd" in one.message]) == 2
    reply = await api.send("DELETE", f"{BASE}/devicelocations/{made['txid']}", query={"accountName": ACCOUNT})
    assert refusal(reply) == invalid("Unable to Cancel")
    wrong = await api.send("POST", f"{BASE}/devicelocations/action/periodic", json=wanted | {"fixInterval": 0})
    assert refusal(wrong) == invalid("Invalid fixInterval or numberOfFixes")


async def test_without_a_consent_for_precise_locations_each_fix_is_an_error(api: Api) -> None:
    wanted = body(*active(api), fixInterval=10, numberOfFixes=1)
    await api.send("POST", f"{BASE}/devicelocations/action/periodic", json=wanted)
    api.cloud.clock.advance(10)
    (sent,) = api.cloud.deliveries
    assert sent.message["error"]["type"] == "CONSENT"


# Consents


async def test_a_consent_of_the_account_replaces_those_of_its_devices(api: Api) -> None:
    first, second = active(api, 2)
    for wanted in ({"accountName": ACCOUNT}, {k: v for k, v in body(first).items() if k != "cacheMode"}):
        assert (await api.send("POST", CONSENTS, json=wanted)).json["status"] == "QUEUED"
    api.cloud.clock.advance(61)
    shown = (await api.send("GET", CONSENTS, query={"accountName": ACCOUNT})).json
    device = {"id": first.imei, "kind": "imei", "mdn": first.mdn, "consent": 3}
    assert shown == {"accountName": ACCOUNT, "allDeviceConsent": 3, "deviceList": [device]}
    other = await api.send("GET", CONSENTS, query={"accountName": ACCOUNT, "deviceId": str(second.imei)})
    assert other.json["deviceList"] == []
    await api.send("PUT", CONSENTS, json={"accountName": ACCOUNT, "allDeviceConsent": 0})
    api.cloud.clock.advance(61)
    assert refusal(await locate(api, first)) == invalid("Consent check failed")
    assert api.cloud.deliveries[-1].message["allDeviceConsent"] == 0
    wrong = await api.send("PUT", CONSENTS, json={"accountName": ACCOUNT, "allDeviceConsent": 9})
    assert refusal(wrong) == invalid("Invalid allDeviceConsent")


# Exclusions


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"allDevice": True, "exclusion": ["1"]}, "Conflicting device list"),
        ({"exclusion": [1]}, "Invalid JSON"),
        ({"exclusion": [str(number) for number in range(2001)]}, "The list exceeds the maximum of 2000 devices."),
    ],
)
async def test_wrong_exclusions_are_refused(api: Api, more: dict[str, Any], message: str) -> None:
    reply = await api.send("POST", f"{BASE}/consents", json={"accountName": ACCOUNT, **more})
    assert refusal(reply)[2] == message


async def test_without_append_a_list_of_exclusions_replaces_the_present_one(api: Api) -> None:
    for listed in (["1", "2"], ["3"]):
        await api.send("POST", f"{BASE}/consents", json={"accountName": ACCOUNT, "exclusion": listed})
    assert (await api.send("GET", f"{BASE}/consents/{ACCOUNT}/index/0")).json["exclusion"] == ["3"]
    query = {"accountName": ACCOUNT, "deviceList": "3, 4"}
    assert (await api.send("DELETE", f"{BASE}/consents", query=query)).json == {"success": True}
    assert (await api.send("GET", f"{BASE}/consents/{ACCOUNT}/index/0")).json["totalCount"] == 0
    assert refusal(await api.send("DELETE", f"{BASE}/consents", query={"accountName": ACCOUNT}))[0] == 400


async def test_all_devices_can_be_excluded_and_allowed_again(api: Api) -> None:
    (device,) = active(api)
    for everyone, status in ((True, 400), (False, 200)):
        await api.send("POST", f"{BASE}/consents", json={"accountName": ACCOUNT, "allDevice": everyone})
        assert (await locate(api, device)).status == status


async def test_a_list_of_exclusions_that_was_never_changed_has_no_time(api: Api) -> None:
    assert "updateTime" not in (await api.send("GET", f"{BASE}/consents/{ACCOUNT}/index/0")).json


# Listeners and usage


async def test_a_wrong_listener_is_refused(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(registering_replaces_listener=False))
    place = f"{BASE}/callbacks/{ACCOUNT}"
    good = {"name": "Location", "url": "http://127.0.0.1:9/"}
    assert refusal(await api.send("POST", place, json=good | {"name": "Fota"})) == invalid("Invalid callback name")
    assert refusal(await api.send("POST", place, json=good | {"url": "ftp://x"}))[0] == 400
    assert (await api.send("POST", place, json=good)).headers["Shared-Key"]
    assert refusal(await api.send("POST", place, json=good)) == invalid("Callback already registered")
    assert (await api.send("GET", place)).json == [good]
    assert (await api.send("DELETE", f"{place}/name/Location")).json == {"success": True}
    assert refusal(await api.send("DELETE", f"{place}/name/Location")) == invalid("Callback not found")


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("2026-01-01", "01-31-2026", "Invalid date"),
        ("02-01-2026", "01-31-2026", "Invalid date range"),
    ],
)
async def test_a_wrong_span_of_usage_is_refused(api: Api, first: str, last: str, message: str) -> None:
    wanted = {"accountName": ACCOUNT, "startDate": first, "endDate": last}
    assert refusal(await api.send("POST", f"{BASE}/usage", json=wanted)) == invalid(message)
