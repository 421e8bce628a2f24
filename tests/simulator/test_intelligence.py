"""Simulated intelligence: questions are answered later by one message, and anomalies follow from the usage."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.api import Api
from tests.simulator.listener import Listener
from thingspace_async.simulator.rooms.intelligence import Anomaly, Intelligence

ACCOUNT = "0000123456-00001"
PATH = "/api/m2m/v1/intelligence"
PLANNER = "/api/v1/intelligence/device/connection-planner"
UNEXPECTED = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"
NOT_FOUND = "UnifiedWebService.REQUEST_FAILED.AccountNotFound"
PLACE = {"latitude": "40.7128", "longitude": "-74.006"}
CONDITIONS = {"accountName": ACCOUNT, "locationType": "LONGLAT", "coordinates": PLACE}
SENSITIVITY = {
    "abnormalMaxValue": 10.0,
    "enableAbnormal": True,
    "enableVeryAbnormal": True,
    "veryAbnormalMaxValue": 4.0,
}


def coverage(*places: Any, networks: tuple[str, ...] = ("LTE", "5GNW"), fixed: bool = False) -> dict[str, Any]:
    listed = "addressList" if fixed else "coordinatesList"
    return {
        "accountName": ACCOUNT,
        "requestType": "FWA" if fixed else "NW",
        "locationType": "ADDRESS" if fixed else "LONGLAT",
        "locations": {listed: list(places)},
        "networkTypesList": [{"networkType": name} for name in networks],
    }


def address(code: str = "07920") -> dict[str, str]:
    return {"addressLine1": "1 Main St", "city": "Basking Ridge", "state": "NJ", "country": "USA", "zip": code}


async def listen(api: Api, listener: Listener) -> None:
    await api.send(
        "POST", f"/api/m2m/v1/callbacks/{ACCOUNT}", json={"name": "IntelligenceService", "url": listener.url}
    )


async def answered(api: Api, listener: Listener, path: str, json: dict[str, Any]) -> dict[str, Any]:
    """Ask, and return the message that answers."""
    await listen(api, listener)
    answer = await api.send("POST", f"{PATH}/{path}", json=json)
    assert answer.status == 200, answer.body
    api.cloud.clock.advance(61)
    await api.cloud.delivered()
    message = listener.messages[-1]
    assert message["requestId"] == answer.json["requestId"]
    return message


async def refused(api: Api, path: str, json: dict[str, Any]) -> tuple[int, str]:
    return (await api.send("POST", f"{PATH}/{path}", json=json)).refusal


# Questions


async def test_the_answer_about_a_place_names_no_devices_and_follows_from_the_seed(
    api: Api, listener: Listener
) -> None:
    first = await answered(api, listener, "network-conditions", CONDITIONS)
    assert first["status"] == "Success"
    assert "deviceIds" not in first
    assert first["intelligenceResponse"]["networkConditions"]["coordinates"] == PLACE
    again = await answered(api, listener, "network-conditions", CONDITIONS)
    assert again["intelligenceResponse"] == first["intelligenceResponse"]


async def test_the_coverage_of_each_place_is_reported_by_type_of_network(api: Api, listener: Listener) -> None:
    elsewhere = {"latitude": "33.5", "longitude": "-84.6"}
    message = await answered(api, listener, "wireless-coverage", coverage(PLACE, elsewhere))
    found = message["intelligenceResponse"]["wirelessCoverage"]
    assert [one["latitude"] for one in found["locations"]] == ["40.7128", "33.5"]
    assert [[one["networkType"] for one in place["networkTypes"]] for place in found["locations"]] == [
        ["LTE", "5GNW"]
    ] * 2


async def test_an_address_that_is_not_found_has_an_error_and_the_others_an_answer(api: Api, listener: Listener) -> None:
    asked = coverage({**address(), "zip4": "1234"}, address("00000"), fixed=True)
    message = await answered(api, listener, "wireless-coverage", asked)
    known, unknown = message["intelligenceResponse"]["wirelessCoverage"]["locations"]
    assert known["networkTypes"]
    assert known["zip4"] == "1234"
    assert "networkTypes" not in unknown
    assert unknown["error"]


@pytest.mark.parametrize(("given", "meant"), [({}, "LTE"), ({"technologyType": "C-BAND"}, "C-BAND")])
async def test_sites_of_the_wanted_technology_are_near(
    api: Api, listener: Listener, given: dict[str, str], meant: str
) -> None:
    message = await answered(api, listener, "site-proximity/action/list", {**CONDITIONS, **given})
    sites = message["intelligenceResponse"]["siteProximity"]["sites"]
    assert {site["technologyType"] for site in sites} == {meant}
    assert all(float(site["distance"]) < 6 for site in sites)


async def test_the_signal_is_better_outdoors(api: Api, listener: Listener) -> None:
    asked = {"accountName": ACCOUNT, "locationType": "LONGLAT", "locations": {"coordinatesList": [PLACE]}}
    message = await answered(api, listener, "site-rf-performance/action/list", asked)
    (place,) = message["intelligenceResponse"]["siteRfPerformance"]["locations"]
    assert int(place["indoor"]["rsrp"]) < int(place["outdoor"]["rsrp"]) < 0


async def test_one_message_has_the_scores_of_all_devices_and_the_errors_of_unknown_ones(
    api: Api, listener: Listener
) -> None:
    own = {"id": str(api.cloud.devices[0].iccid), "kind": "iccId"}
    stranger = {"id": "990013907835573", "kind": "imei"}
    asked = {"accountName": ACCOUNT, "deviceList": [own, stranger]}
    message = await answered(api, listener, "device-experience/bulk/latest", asked)
    known, unknown = message["intelligenceResponse"]["deviceExperienceScore"]["devices"]
    assert (known["id"], 0 <= int(known["score"]) <= 100) == (own["id"], True)
    assert "score" not in unknown
    assert unknown["error"] == "The device could not be found."
    assert len(listener.messages) == 1


async def test_the_history_ends_yesterday_and_agrees_from_day_to_day(api: Api, listener: Listener) -> None:
    own = {"id": str(api.cloud.devices[0].iccid), "kind": "iccid"}
    asked = {"accountName": ACCOUNT, "deviceId": own}

    async def history() -> list[dict[str, str]]:
        message = await answered(api, listener, "device-experience/history/30-days", asked)
        found = message["intelligenceResponse"]["deviceExperienceScoreHistory"]
        assert [one["id"] for one in found["device"]] == [own["id"]]
        scores: list[dict[str, str]] = found["scores"]
        return scores

    before = await history()
    assert (before[0]["date"], before[-1]["date"]) == ("2025-12-16", "2026-01-14")
    api.cloud.clock.advance(86_400)
    await api.enter()
    assert (await history())[:-1] == before[1:]


async def test_a_history_of_an_unknown_device_fails_later(api: Api, listener: Listener) -> None:
    asked = {"accountName": ACCOUNT, "deviceId": {"id": "990013907835573", "kind": "imei"}}
    message = await answered(api, listener, "device-experience/history/30-days", asked)
    assert message["status"] == "Failed"
    assert message["faultResponse"]["faultcode"].endswith("DeviceNotFound")
    assert "intelligenceResponse" not in message


# Refusals


@pytest.mark.parametrize(
    ("path", "json"),
    [
        ("network-conditions", CONDITIONS | {"locationType": "ADDRESS"}),
        ("network-conditions", CONDITIONS | {"coordinates": {"latitude": "91", "longitude": "0"}}),
        ("network-conditions", CONDITIONS | {"coordinates": {"latitude": "north", "longitude": "0"}}),
        ("site-proximity/action/list", CONDITIONS | {"technologyType": "GSM"}),
        ("wireless-coverage", coverage(PLACE) | {"requestType": "XX"}),
        ("wireless-coverage", coverage(PLACE) | {"locationType": "ADDRESS"}),
        ("wireless-coverage", coverage(PLACE, networks=("2G",))),
        ("wireless-coverage", coverage(PLACE, networks=())),
        ("wireless-coverage", coverage()),
        ("wireless-coverage", coverage(*[PLACE] * 101)),
        ("device-experience/bulk/latest", {"accountName": ACCOUNT, "deviceList": []}),
        (
            "device-experience/bulk/latest",
            {"accountName": ACCOUNT, "deviceList": [{"id": "A0000012345678", "kind": "meid"}]},
        ),
        ("anomaly/settings", {"accountName": ACCOUNT, "requestType": "other", "sensitivityParameter": SENSITIVITY}),
        (
            "anomaly/settings",
            {
                "accountName": ACCOUNT,
                "requestType": "anomaly",
                "sensitivityParameter": {"enableAbnormal": True, "enableVeryAbnormal": False},
            },
        ),
    ],
)
async def test_a_wrong_question_is_refused_at_once(api: Api, path: str, json: dict[str, Any]) -> None:
    assert await refused(api, path, json) == (400, UNEXPECTED)
    assert not api.cloud.late_requests


async def test_an_account_has_a_number_of_places_a_day(api: Api) -> None:
    full = coverage(*[PLACE] * 100)
    room = api.cloud.platform.room(Intelligence)
    room.places[ACCOUNT, api.cloud.clock.now().date()] = 9_901
    assert await refused(api, "wireless-coverage", full) == (400, UNEXPECTED)
    assert (await api.send("POST", f"{PATH}/wireless-coverage", json=coverage(*[PLACE] * 99))).status == 200
    assert await refused(api, "wireless-coverage", coverage(PLACE)) == (400, UNEXPECTED)
    api.cloud.clock.advance(86_400)
    await api.enter()
    assert (await api.send("POST", f"{PATH}/wireless-coverage", json=full)).status == 200


async def test_an_unknown_account_is_refused(api: Api) -> None:
    assert await refused(api, "network-conditions", CONDITIONS | {"accountName": "unknown"}) == (400, NOT_FOUND)
    for method, path in (("GET", "unknown/anomaly/settings"), ("PUT", "unknown/anomaly/settings/reset")):
        assert (await api.send(method, f"{PATH}/{path}")).refusal == (400, NOT_FOUND)


# Anomaly detection


async def activate(api: Api, sensitivity: Any = SENSITIVITY) -> None:
    asked = {"accountName": ACCOUNT, "requestType": "anomaly", "sensitivityParameter": sensitivity}
    assert (await api.send("POST", f"{PATH}/anomaly/settings", json=asked)).json == {"status": "Success"}


async def test_detection_is_off_until_it_is_activated_and_cannot_be_reset_before(api: Api) -> None:
    settings = f"{PATH}/{ACCOUNT}/anomaly/settings"
    assert (await api.send("GET", settings)).json["accountName"] == "Failure"
    assert (await api.send("PUT", f"{settings}/reset")).refusal == (400, UNEXPECTED)
    await activate(api, [SENSITIVITY])  # As in the sample on the platform's page.
    assert (await api.send("GET", settings)).json == {
        "accountName": "Success",
        "sensitivityParameter": SENSITIVITY,
        "status": "Active",
    }
    assert (await api.send("PUT", f"{settings}/reset")).status == 200
    assert (await api.send("GET", settings)).json["sensitivityParameter"]["abnormalMaxValue"] == 1.1


async def anomalies(api: Api, days: int) -> list[Anomaly]:
    room, first = api.cloud.platform.room(Intelligence), api.cloud.clock.now().date()
    api.cloud.clock.advance(86_400 * days)
    await api.enter()
    return [one for day in range(days) for one in room.anomalies(ACCOUNT, first + timedelta(days=day))]


async def test_anomalies_are_unusual_usage_after_a_week_of_learning(api: Api) -> None:
    assert await anomalies(api, 3) == []
    await activate(api)
    assert await anomalies(api, 7) == []
    found = await anomalies(api, 60)
    assert {one.kind for one in found} == {"Abnormal", "VeryAbnormal"}
    assert {one.is_over for one in found} == {True, False}
    for one in found:
        limit = 5_000_000 * (0.02 if one.kind == "VeryAbnormal" else 0.05)
        assert min(one.bytes_used, 5_000_000 - one.bytes_used) <= limit
    await activate(api, {"enableAbnormal": False, "enableVeryAbnormal": True, "veryAbnormalMaxValue": 4.0})
    assert {one.kind for one in await anomalies(api, 60)} == {"VeryAbnormal"}


async def test_an_anomaly_has_the_usage_that_the_account_can_list(api: Api) -> None:
    await activate(api)
    found = (await anomalies(api, 60))[0]
    begin = f"{found.day.isoformat()}T00:00:00Z"
    asked = {"deviceId": {"kind": "iccid", "id": found.device.iccid}, "earliest": begin, "latest": begin}
    listed = (await api.send("POST", "/api/m2m/v1/devices/usage/actions/list", json=asked)).json["usageHistory"]
    assert [one["bytesUsed"] for one in listed] == [found.bytes_used]


async def test_detection_continues_after_a_change_of_its_thresholds_and_needs_no_second_week(api: Api) -> None:
    await activate(api)
    await anomalies(api, 8)
    since = api.cloud.platform.room(Intelligence).detections[ACCOUNT].since
    await activate(api)
    assert api.cloud.platform.room(Intelligence).detections[ACCOUNT].since == since


# The connection planner


async def test_each_device_has_a_plan_or_a_reason(api: Api, listener: Listener) -> None:
    await listen(api, listener)
    api.cloud.devices[1].state = "suspend"
    listed = [{"deviceIds": [{"kind": "iccid", "id": api.cloud.devices[place].iccid}]} for place in (0, 1)]
    asked = {"accountNumber": ACCOUNT, "devices": listed}
    api.cloud.devices[0].state = "active"
    accepted = (await api.send("POST", PLANNER, json=asked)).json["requestId"]

    async def statuses(**wanted: Any) -> list[str]:
        answer = await api.send("POST", f"{PLANNER}/status", json={"accountNumber": ACCOUNT, **wanted})
        return [one["status"] for one in answer.json["deviceStatusList"]]

    assert await statuses(requestId=accepted) == ["Pending", "Pending"]
    api.cloud.clock.advance(61)
    await api.cloud.delivered()
    planned, failed = listener.messages
    assert planned["deviceIds"][0]["id"] == api.cloud.devices[0].iccid
    (window,) = planned["intelligenceResponse"]["connectionPlanner"]["windows"]
    assert window["startTime"] < window["endTime"]
    assert failed["status"] == "Failed"
    assert await statuses(requestId=accepted) == ["Success", "Failed"]
    assert await statuses(devices=listed[1:]) == ["Failed"]
    assert await statuses(requestId=accepted, devices=listed[:1]) == ["Success"]


async def test_a_filter_selects_all_devices_of_the_account(api: Api) -> None:
    api.cloud.add_account("another", devices=2)
    answer = await api.send("POST", PLANNER, json={"accountNumber": ACCOUNT, "filter": "all"})
    assert len(api.cloud.late_requests[answer.json["requestId"]].work) == 10


async def test_a_plan_needs_devices_and_its_status_a_known_request(api: Api) -> None:
    other = api.cloud.add_request()
    for path, wanted in (
        (PLANNER, {}),
        (f"{PLANNER}/status", {}),
        (f"{PLANNER}/status", {"requestId": "unknown"}),
    ):
        answer = await api.send("POST", path, json={"accountNumber": ACCOUNT, **wanted})
        assert answer.refusal == (400, UNEXPECTED)
    answer = await api.send("POST", f"{PLANNER}/status", json={"accountNumber": ACCOUNT, "requestId": other})
    assert answer.json["deviceStatusList"] == []
