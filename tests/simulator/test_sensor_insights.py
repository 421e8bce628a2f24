"""Simulated Sensor Insights: refusals, requests in headers and queries, and a state that goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.simulator.api import Api, Reply
from thingspace_async.simulator import Simulator

ACCOUNT = "0000123456-00001"
BASE = "/api/dm/v1"
EUI, KEY = "70B3D57ED0000001", "00112233445566778899aabbccddeeff"
SENSOR = {"deveui": EUI, "appeui": EUI, "appkey": KEY, "class": "A", "kind": "t", "description": "d", "name": "n"}
OWN = {"accountname": ACCOUNT}
NO_ID = {"resourceidentifier": {"id": "none"}}
BAD, UNKNOWN, UNREADABLE = (400, "bad_request"), (404, "not_found"), (400, "request_json_unmarshal")


def refusal(reply: Reply) -> tuple[int, str]:
    """Return status and code of a refusal in the form of Sensor Insights."""
    assert set(reply.json) == {"error", "error_description", "cause"}
    return reply.status, reply.json["error"]


async def onboard(api: Api, **changes: Any) -> Reply:
    wanted = {**OWN, "payload": {"addsensor": {**SENSOR, **changes}}}
    return await api.send("POST", f"{BASE}/devices/sensors/onboard", json=wanted)


async def listed(api: Api, what: str, **wanted: Any) -> Any:
    return (await api.send("POST", f"{BASE}/{what}/actions/query", json={**OWN, **wanted})).json


@pytest.mark.parametrize(
    ("method", "path", "wanted", "said"),
    [
        ("POST", "devices/actions/query", {}, UNREADABLE),
        ("POST", "devices/actions/query", {"accountname": "0000000000-00009"}, BAD),
        ("POST", "devices/actions/query", {**OWN, "filter": {"$limitnumber": 0}}, BAD),
        ("POST", "devices/actions/query", {**OWN, "filter": {"$page": "x"}}, BAD),
        ("POST", "devices/actions/query", {**OWN, "filter": {"$pagenumber": 0}}, BAD),
        ("PATCH", "devices", {**OWN, "resourceidentifier": {}, "device": {}}, BAD),
        ("PATCH", "devices", {**OWN, "resourceidentifier": {"imei": 1}, "device": {"name": "x"}}, UNKNOWN),
        ("POST", "devices/lastreported", OWN, UNREADABLE),
        ("POST", "devices/actions/set", {**OWN, "configuration": {}}, BAD),
        ("POST", "devices/sensors/onboard", {**OWN, "payload": {}}, UNREADABLE),
        ("POST", "devices/sensors/offboard", {**OWN, "configuration": {"removesensor": {"deveui": EUI}}}, BAD),
        ("POST", "deviceConfigurationProfiles", {**OWN, "profiles": []}, BAD),
        ("POST", "deviceConfigurationProfiles", {**OWN, "profiles": [1]}, BAD),
        ("POST", "deviceConfigurationProfiles", {**OWN, "profiles": [{}]}, UNREADABLE),
        ("PATCH", "deviceConfigurationProfiles", {"accountName": ACCOUNT, **NO_ID, "profile": {}}, UNKNOWN),
        ("POST", "rules", {**OWN, **NO_ID, "rule": {}}, UNKNOWN),
        ("PATCH", "smartAlerts", {**OWN, **NO_ID, "smartalert": {}}, UNKNOWN),
        ("POST", "smartAlerts/actions/bulkupdate", {**OWN, "resourceidentifiers": [], "smartalert": {}}, BAD),
        ("POST", "smartAlerts/actions/metrics", {"days": 0}, BAD),
        ("POST", "users", {**OWN, "user": {"firstname": "Ada"}}, BAD),
        ("PATCH", "users", {**OWN, "id": "none", "user": {}}, UNKNOWN),
        ("DELETE", "users", {}, UNREADABLE),
        ("POST", "notificationGroups", {**OWN, "group": {}}, UNREADABLE),
        ("POST", "notificationGroups", {**OWN, "group": {"name": "x"}, "userids": ["none"]}, UNKNOWN),
    ],
)
async def test_a_request_that_the_documents_allow_and_that_means_nothing_is_refused(
    api: Api, method: str, path: str, wanted: dict[str, Any], said: tuple[int, str]
) -> None:
    assert refusal(await api.send(method, f"{BASE}/{path}", json=wanted)) == said


async def test_changes_of_nothing_are_refused(api: Api) -> None:
    (alert, *_) = await listed(api, "smartAlerts")
    wanted = {**OWN, "resourceidentifier": {"id": alert["id"]}, "smartalert": {"id": "other", "createdon": "now"}}
    assert refusal(await api.send("PATCH", f"{BASE}/smartAlerts", json=wanted)) == BAD


@pytest.mark.parametrize(
    "wrong", [{"deveui": EUI[1:]}, {"deveui": "G" * 16}, {"appeui": EUI + "0"}, {"appkey": EUI}, {"appkey": KEY + "0"}]
)
async def test_a_sensor_key_of_the_wrong_length_is_refused(api: Api, wrong: dict[str, str]) -> None:
    assert refusal(await onboard(api, **wrong)) == BAD


async def test_a_sensor_is_onboarded_once_in_either_spelling(api: Api) -> None:
    assert (await onboard(api)).status == 200
    assert refusal(await onboard(api, deveui=EUI.lower())) == BAD
    api.cloud.clock.advance(61)
    await api.enter()
    assert refusal(await onboard(api)) == BAD
    (sensor,) = await listed(api, "devices/sensors", resourceidentifier={"deveui": EUI.lower()})
    assert (sensor["name"], "deveui" in sensor) == ("n", False)
    status = f"{BASE}/devices/sensors/onboard/status/actions/query"
    wanted = {**OWN, "gatewayidentifier": {"deviceid": "none"}, "onboarding": {"sensoridentifier": EUI}}
    assert refusal(await api.send("POST", status, json=wanted)) == UNKNOWN
    wanted["gatewayidentifier"] = {"deviceid": sensor["parentdeviceid"]}
    assert [one["state"] for one in (await api.send("POST", status, json=wanted)).json["events"]] == [
        "pending",
        "registered",
    ]


async def test_a_sensor_is_not_offboarded_twice_at_a_time(api: Api) -> None:
    await onboard(api)
    api.cloud.clock.advance(61)
    await api.enter()
    wanted = {**OWN, "configuration": {"removesensor": {"deveui": EUI}}}
    assert (await api.send("POST", f"{BASE}/devices/sensors/offboard", json=wanted)).status == 200
    assert refusal(await api.send("POST", f"{BASE}/devices/sensors/offboard", json=wanted)) == BAD
    api.cloud.clock.advance(61)
    assert await listed(api, "devices/sensors") == []


async def test_an_account_without_devices_has_no_gateways(api: Api) -> None:
    api.cloud.add_account("0000222222-00001")
    other = {"accountname": "0000222222-00001"}
    assert await listed(api, "devices/gateways", **other) == []
    wanted = {**other, "payload": {"addsensor": SENSOR}}
    assert (await api.send("POST", f"{BASE}/devices/sensors/onboard", json=wanted)).status == 200
    api.cloud.clock.advance(61)
    (sensor,) = await listed(api, "devices/sensors", **other)
    assert "parentdeviceid" not in sensor


async def test_deletions_are_read_from_where_the_sdks_put_them(api: Api) -> None:
    user = (await api.send("POST", f"{BASE}/users", json={**OWN, "user": {"mdn": "5125550123"}})).json
    group = (await api.send("POST", f"{BASE}/notificationGroups", json={**OWN, "group": {"name": "x"}})).json
    made = await api.send("POST", f"{BASE}/deviceConfigurationProfiles", json={**OWN, "profiles": [{"name": "p"}]})
    (profile,) = made.json
    header = json.dumps({"accountName": ACCOUNT, "resourceidentifier": {"id": profile["id"]}})
    tokens = {"Authorization": f"Bearer {api.bearer}", "VZ-M2M-Token": str(api.session), "deleterequest": header}
    deleted = await api.send("DELETE", f"{BASE}/deviceConfigurationProfiles", headers=tokens)
    assert deleted.json == [profile]
    by_member = {f"deleterequestpayload[{name}]": value for name, value in {**OWN, "id": user["id"]}.items()}
    in_json = {"payload": json.dumps({**OWN, "id": group["id"]})}
    for path, query in (("users", by_member), ("notificationGroups", in_json)):
        assert (await api.send("DELETE", f"{BASE}/{path}", query=query)).status == 200
        assert await listed(api, path) == []


async def test_an_expired_session_is_a_401_in_the_words_of_cloud_connector(api: Api) -> None:
    api.cloud.expire_sessions()
    reply = await api.send("POST", f"{BASE}/healthscore/summary")
    assert refusal(reply) == (401, "unauthorized")
    assert "[400]" in reply.json["cause"]


async def test_keys_are_not_shown_in_the_admin_api(api: Api) -> None:
    await onboard(api)
    shown = await api.send("GET", "/__admin/requests")
    assert KEY not in shown.body.decode()
    assert EUI in shown.body.decode()


async def test_changes_go_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    async with Simulator(devices=10, state=path) as cloud, aiohttp.ClientSession() as http:
        cloud.clock.speed = 0
        before = Api(cloud, http)
        await before.enter()
        await onboard(before)
        cloud.clock.advance(61)
        await before.enter()
        (rule, *_) = await listed(before, "rules")
        change = {"resourceidentifier": {"id": rule["id"]}, "rule": {"rulechain": {"if": "x"}, "name": "New"}}
        assert (await before.send("POST", f"{BASE}/rules", json={**OWN, **change})).status == 200
        (alert, *_) = await listed(before, "smartAlerts")
        renamed = {"resourceidentifiers": [{"id": alert["id"]}], "smartalert": {"name": "New"}}
        await before.send("POST", f"{BASE}/smartAlerts/actions/bulkupdate", json={**OWN, **renamed})
        kept = [await listed(before, what) for what in ("devices/sensors", "rules", "smartAlerts")]
    async with Simulator(devices=10, state=path) as cloud, aiohttp.ClientSession() as http:
        after = Api(cloud, http)
        await after.enter()
        assert [await listed(after, what) for what in ("devices/sensors", "rules", "smartAlerts")] == kept
    assert [one["name"] for one in (kept[1][0], kept[2][0])] == ["New", "New"]
