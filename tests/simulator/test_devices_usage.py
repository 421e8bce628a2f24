"""PROTOCOL.md 5: the simulated usage of devices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from tests.simulator.api import Api, Reply
from thingspace_async.simulator import Simulator

Serve = Callable[..., Awaitable[Api]]

USAGE = "/api/m2m/v1/devices/usage/actions"
GLOBAL_DAILY = "/api/v1/devices/usage/actions/list"
NAME = "0000123456-00001"
NEW_YEAR = {"earliest": "2026-01-01T00:00:00Z", "latest": "2026-01-10T00:00:00Z"}
MONTH = {"startTime": "2025-12-01T00:00:00Z", "endTime": "2025-12-31T00:00:00Z"}


def imei(cloud: Simulator, state: str = "active") -> dict[str, str]:
    device = next(one for one in cloud.devices if one.state == state)
    return next(own for own in device.device_ids if own["kind"] == "imei")


async def usage(api: Api, device_id: dict[str, str] | None = None, **wanted: object) -> Reply:
    body = {"deviceId": device_id or imei(api.cloud), **NEW_YEAR, **wanted}
    return await api.send("POST", f"{USAGE}/list", json=body)


async def days(api: Api, device_id: dict[str, str] | None = None, **wanted: object) -> list[dict[str, Any]]:
    answer = await usage(api, device_id, **wanted)
    assert (answer.status, answer.json["hasMoreData"]) == (200, False)
    found: list[dict[str, Any]] = answer.json["usageHistory"]
    return found


async def later(api: Api, path: str, **wanted: object) -> tuple[str, str]:
    """Send a request whose result arrives later; return its callback service, and whether it fails."""
    answer = await api.send("POST", f"{USAGE}/{path}", json=wanted)
    assert (answer.status, set(answer.json)) == (200, {"requestId"})
    request = api.cloud.late_requests[answer.json["requestId"]]
    api.cloud.clock.advance(timedelta(minutes=5))
    return request.service, "failed" if request.failed else "done"


async def test_a_day_has_a_record_with_every_documented_member(api: Api) -> None:
    found = await days(api)
    assert [one["timestamp"] for one in found] == [f"2026-01-{day:02}T00:00:00Z" for day in range(1, 11)]
    for one in found:
        assert set(one) == {"bytesUsed", "extendedAttributes", "servicePlan", "smsUsed", "source", "timestamp"}
        sms = {pair["key"]: int(pair["value"]) for pair in one["extendedAttributes"]}
        assert set(sms) == {"MoSms", "MtSms"}
        assert one["smsUsed"] == sum(sms.values())
        assert type(one["bytesUsed"]) is int
    assert len({one["bytesUsed"] for one in found}) > 5


async def test_usage_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    async def of(seed: int) -> object:
        async with Simulator(devices=10, seed=seed) as cloud:
            import aiohttp

            async with aiohttp.ClientSession() as http:
                api = Api(cloud, http)
                await api.enter()
                return [one["bytesUsed"] for one in await days(api)]

    assert await of(1) == await of(1) != await of(2)


async def test_devices_use_different_amounts(api: Api) -> None:
    found = [await days(api, one.device_ids[-2]) for one in api.cloud.devices if one.state == "active"]
    assert len({str(one) for one in found}) == len(found) > 3


@pytest.mark.parametrize(
    ("earliest", "latest", "count"),
    [
        ("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", 1),
        ("2026-01-02T00:00:00.000001Z", "2026-01-03T00:00:00Z", 1),
        ("2026-01-01T19:00:00-05:00", "2026-01-02T18:59:59-05:00", 1),
        ("2026-01-02T00:00:01Z", "2026-01-02T23:59:59Z", 0),
        ("2026-01-03T00:00:00Z", "2026-01-02T00:00:00Z", 0),
        ("2026-01-14T00:00:00Z", "2027-01-01T00:00:00Z", 2),
    ],
)
async def test_both_ends_of_what_is_asked_for_are_included(api: Api, earliest: str, latest: str, count: int) -> None:
    assert len(await days(api, earliest=earliest, latest=latest)) == count


async def test_twelve_months_are_kept(api: Api) -> None:
    found = await days(api, earliest="2020-01-01T00:00:00Z", latest="2027-01-01T00:00:00Z")
    assert len(found) == 365
    assert found[0]["timestamp"] == "2025-01-16T00:00:00Z"
    api.cloud.clock.advance(timedelta(days=3))
    await api.enter()
    found = await days(api, earliest="2020-01-01T00:00:00Z", latest="2027-01-01T00:00:00Z")
    assert (len(found), found[0]["timestamp"]) == (365, "2025-01-19T00:00:00Z")


async def test_a_device_that_was_never_activated_has_used_nothing(serve: Serve) -> None:
    api = await serve(devices=100)
    assert await days(api, imei(api.cloud, "preactive")) == []


@pytest.mark.parametrize("state", ["suspend", "deactive"])
async def test_usage_ends_with_service(serve: Serve, state: str) -> None:
    api = await serve(devices=300)
    device = next(one for one in api.cloud.devices if one.state == state)
    wanted = {"deviceId": device.device_ids[-2], "earliest": "2020-01-01T00:00:00Z", "latest": "2027-01-01T00:00:00Z"}
    answer = await api.send("POST", "/api/m2m/v1/devices/history/actions/list", json=wanted)
    ended = datetime.fromisoformat(answer.json[0]["provisioningHistory"][-1]["occurredAt"])
    found = await days(api, device.device_ids[-2], earliest="2020-01-01T00:00:00Z", latest="2027-01-01T00:00:00Z")
    assert all(datetime.fromisoformat(one["timestamp"]) <= ended for one in found)


async def test_a_label_finds_the_usage_of_all_devices_that_bear_it_in_pages_of_500(serve: Serve) -> None:
    api = await serve(devices=20)
    label = {"name": "VIN", "value": "1"}
    bearing = [one for one in api.cloud.devices if one.state == "active"][:3]
    for one in bearing:
        one.labels = [label]
    year = {"earliest": "2025-01-01T00:00:00Z", "latest": "2026-01-15T00:00:00Z"}
    answer = await api.send("POST", f"{USAGE}/list", json={"label": label, **year})
    assert (answer.status, answer.json["hasMoreData"], len(answer.json["usageHistory"])) == (202, True, 500)
    times = [one["timestamp"] for one in answer.json["usageHistory"]]
    assert times == sorted(times)
    assert [times.count(time) for time in sorted(set(times))[:5]] == [3] * 5
    other = await api.send("POST", f"{USAGE}/list", json={"label": {"name": "VIN", "value": "2"}, **year})
    assert (other.status, other.json["usageHistory"]) == (200, [])


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"deviceId": None}, "UnifiedWebService.REQUEST_FAILED.UnexpectedError"),
        ({"earliest": None}, "UnifiedWebService.DeserializationFailed"),
        ({"latest": "yesterday"}, "UnifiedWebService.REQUEST_FAILED.UnexpectedError"),
        ({"deviceId": {"id": "990000000000000", "kind": "imei"}}, "DeviceService.REQUEST_FAILED.DeviceNotFound"),
        ({"deviceId": {"id": "1", "kind": "imei"}}, "DeviceService.INPUT_INVALID.Device.Identifier.Invalid"),
        ({"deviceId": None, "label": {"name": "VIN"}}, "UnifiedWebService.DeserializationFailed"),
    ],
)
async def test_an_invalid_request_is_refused(api: Api, wanted: dict[str, Any], code: str) -> None:
    assert (await usage(api, **wanted)).refusal == (400, code)


async def test_global_usage_has_the_device_and_numbers_as_texts(api: Api) -> None:
    known = await days(api)
    answer = await api.send("POST", GLOBAL_DAILY, json={"deviceId": imei(api.cloud), **NEW_YEAR})
    assert answer.json["deviceId"] == imei(api.cloud)
    assert [one["bytesUsed"] for one in answer.json["usageHistory"]] == [str(one["bytesUsed"]) for one in known]
    assert {type(one["smsUsed"]) for one in answer.json["usageHistory"]} == {str}


async def test_usage_in_a_promotion_has_the_names_of_its_own(api: Api) -> None:
    [known] = await days(api, latest="2026-01-01T00:00:00Z")
    wanted = {
        "deviceId": [imei(api.cloud)],
        "startTime": "2026-01-01T00:00:00Z",
        "endTime": "2026-01-01T23:00:00Z",
    }
    answer = await api.send("POST", f"{USAGE}/promodeviceusage", json=wanted)
    assert set(answer.json) == {"hasmoredata", "deviceId", "usageHistory"}
    [found] = answer.json["usageHistory"]
    assert set(found) == {"bytesUsed", "serviceplan", "smsUsed", "moSMS", "mtSMS", "source", "eventDateTime"}
    assert (found["bytesUsed"], found["eventDateTime"]) == (known["bytesUsed"], known["timestamp"])
    assert found["moSMS"] + found["mtSMS"] == found["smsUsed"] == known["smsUsed"]


async def test_usage_in_a_promotion_needs_neither_device_nor_time(api: Api) -> None:
    answer = await api.send("POST", f"{USAGE}/promodeviceusage", json={})
    assert (answer.status, answer.json) == (200, {"hasmoredata": False, "usageHistory": []})
    answer = await api.send("POST", f"{USAGE}/promodeviceusage", json={"deviceId": [imei(api.cloud)]})
    assert len(answer.json["usageHistory"]) == 365


async def test_an_identifier_that_a_device_had_finds_no_usage_in_a_promotion(api: Api) -> None:
    old = imei(api.cloud)
    device = next(one for one in api.cloud.devices if old in one.device_ids)
    device.device_ids = [{"id": "990013907835573", "kind": "imei"}]
    answer = await api.send("POST", f"{USAGE}/promodeviceusage", json={"deviceId": [old]})
    assert (answer.status, answer.json["usageHistory"]) == (200, [])


# Results that arrive later


async def test_totals_arrive_later_through_their_services(api: Api) -> None:
    device_id = imei(api.cloud)
    assert await later(api, "list/aggregate", **MONTH, deviceIds=[device_id]) == ("DeviceUsage", "done")
    assert await later(api, "list/aggregate", **MONTH, accountName=NAME, groupName="West fleet") == (
        "DeviceUsage",
        "done",
    )
    assert await later(api, "billedusage/list", accountName=NAME) == ("DeviceService", "done")
    assert await later(api, "promoaggregateusage", accountId=NAME, deviceId=[device_id]) == ("DevicePromoUsage", "done")
    assert await later(api, "promoaggregateusage") == ("DevicePromoUsage", "done")
    body = {**MONTH, "deviceId": device_id, "accountName": NAME}
    answer = await api.send("POST", f"{GLOBAL_DAILY}/aggregate", json=body)
    assert api.cloud.late_requests[answer.json["requestId"]].service == "DeviceUsage"


async def test_what_is_left_for_callbacks_can_be_written_as_json(api: Api) -> None:
    known = imei(api.cloud)
    devices, line = {"devices": [{"deviceIds": [known]}]}, {"accountName": NAME, "deviceIds": [known]}
    for path, body in (
        ("/api/m2m/v1/devices/prl/actions/list", line),
        ("/api/m2m/v1/devices/requests/status", {"accountName": NAME, **devices}),
        ("/api/m2m/v2/devices/history/actions/list", {"accountName": NAME, "deviceFilter": [known]}),
        (f"{USAGE}/list/aggregate", {**MONTH, **line}),
    ):
        assert (await api.send("POST", path, json=body)).status == 200
    api.cloud.clock.advance(timedelta(minutes=5))
    results = [request.results for request in api.cloud.late_requests.values()]
    assert results == [orjson.loads(orjson.dumps(each)) for each in results]
    assert [len(each) for each in results] == [1, 1, 1, 1]


async def test_a_sum_of_an_unknown_device_fails_later(api: Api) -> None:
    unknown = {"id": "990000000000000", "kind": "imei"}
    assert await later(api, "list/aggregate", **MONTH, deviceIds=[imei(api.cloud), unknown]) == (
        "DeviceUsage",
        "failed",
    )
    devices = [{"deviceIds": [unknown]}]
    assert await later(api, "billedusage/list", accountName=NAME, deviceIds=devices) == ("DeviceService", "failed")


LABEL = {"name": "VIN", "value": "1"}


@pytest.mark.parametrize(
    ("path", "wanted", "code"),
    [
        ("list/aggregate", {**MONTH, "groupName": "West fleet"}, "INPUT_INVALID.Account.NotDefined"),
        ("list/aggregate", {**MONTH, "accountName": NAME, "groupName": "No"}, "REQUEST_FAILED.DeviceGroupNotFound"),
        ("list/aggregate", {**MONTH, "accountName": "1"}, "REQUEST_FAILED.AccountNotFound"),
        ("list/aggregate", {**MONTH, "endTime": "2026-01-02T00:00:00Z"}, "REQUEST_FAILED.UnexpectedError"),
        ("list/aggregate", {**MONTH, "startTime": "2025-12-31T00:00:01Z"}, "REQUEST_FAILED.UnexpectedError"),
        (
            "list/aggregate",
            {"startTime": "2025-07-01T00:00:00Z", "endTime": "2025-07-02T00:00:00Z"},
            "REQUEST_FAILED.UnexpectedError",
        ),
        (
            "list/aggregate",
            {**MONTH, "label": [LABEL], "deviceIds": [{"id": "990000000000000", "kind": "imei"}]},
            "REQUEST_FAILED.UnexpectedError",
        ),
        ("list/aggregate", {**MONTH, "label": [LABEL] * 51}, "REQUEST_FAILED.UnexpectedError"),
        ("billedusage/list", {}, "DeserializationFailed"),
        (
            "billedusage/list",
            {"accountName": NAME, "labels": {"deviceIds": [LABEL]}, "deviceIds": [{"deviceIds": []}]},
            "REQUEST_FAILED.UnexpectedError",
        ),
        ("promoaggregateusage", {"accountId": "1"}, "REQUEST_FAILED.AccountNotFound"),
    ],
)
async def test_an_invalid_total_is_refused(api: Api, path: str, wanted: dict[str, Any], code: str) -> None:
    answer = await api.send("POST", f"{USAGE}/{path}", json=wanted)
    assert answer.refusal == (400, f"UnifiedWebService.{code}")
