"""Simulated software management v1: refusals, and the messages of its listener."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.simulator.api import ACCOUNT as _ACCOUNT_PATH
from tests.simulator.api import Api
from tests.simulator.listener import Listener

ACCOUNT = _ACCOUNT_PATH.rpartition("/")[2]
BASE = "/api/fota/v1"
INVALID = (400, "INVALID_PARAMETER")


@pytest.fixture(autouse=True)
def devices(api: Api) -> None:
    api.cloud.clock.speed = 0
    api.cloud.add_devices(20)


@pytest.mark.parametrize(
    ("method", "path", "json"),
    [
        ("GET", f"{BASE}/devices/{ACCOUNT}/index/x", None),
        ("GET", f"{BASE}/licenses/{ACCOUNT}/index/-1", None),
        ("GET", f"{BASE}/licenses/{ACCOUNT}/cancel/index/1234567890123456789", None),
        ("GET", f"{BASE}/reports/{ACCOUNT}/status/Lost/index/0", None),
        ("GET", f"{BASE}/upgrades/{ACCOUNT}/upgrade/unknown", None),
        ("DELETE", f"{BASE}/upgrades/{ACCOUNT}/upgrade/unknown", None),
        ("POST", f"{BASE}/callbacks/{ACCOUNT}", {"name": "CarrierService", "url": "http://127.0.0.1:9/"}),
        ("DELETE", f"{BASE}/callbacks/{ACCOUNT}/name/Fota", None),
        ("DELETE", f"{BASE}/licenses/{ACCOUNT}/cancel", None),
    ],
)
async def test_wrong_requests_are_refused(api: Api, method: str, path: str, json: object) -> None:
    assert (await api.send(method, path, json=json)).refusal == INVALID


async def test_an_empty_account_has_empty_pages(api: Api) -> None:
    other = "0000222222-00001"
    api.cloud.add_account(other)
    page = (await api.send("GET", f"{BASE}/devices/{other}/index/0")).json
    assert page == {"accountName": other, "hasMoreData": False, "deviceList": []}
    assert "lastSeenDeviceId" not in (await api.send("GET", f"{BASE}/licenses/{other}/index/0")).json
    upgrades = (await api.send("GET", f"{BASE}/reports/{other}/status/Queued/index/0")).json
    assert upgrades == {"hasMoreFlag": False, "reportList": None}


async def test_messages_have_the_username_and_password_of_the_listener(api: Api, listener: Listener) -> None:
    wanted = {"name": "Fota", "url": listener.url, "username": "me", "password": "hush"}
    await api.send("POST", f"{BASE}/callbacks/{ACCOUNT}", json=wanted)
    listed = (await api.send("GET", f"{BASE}/devices/{ACCOUNT}/index/0")).json["deviceList"]
    imei = next(one["deviceId"] for one in listed if one["firmware"] == "VZM20Q_1.0")
    await api.send("POST", f"{BASE}/licenses/{ACCOUNT}/assign", json={"deviceList": [imei]})
    upgrade = await api.send(
        "POST",
        f"{BASE}/upgrades",
        json={
            "accountName": ACCOUNT,
            "firmwareName": "FOTA_Verizon_VZM20Q_1.0_To_VZM20Q_1.1",
            "firmwareTo": "VZM20Q_1.1",
            "startDate": "2026-01-16",
            "endDate": "2026-01-17",
            "deviceList": [imei],
        },
    )
    api.cloud.clock.advance(timedelta(minutes=5))
    await api.cloud.delivered()
    messages = listener.messages
    assert {(one["username"], one["password"], one["accountName"]) for one in messages} == {("me", "hush", ACCOUNT)}
    (scheduled,) = [one for one in messages if one["type"] == "upgradeScheduled"]
    assert scheduled["upgradeScheduled"]["upgradeId"] == upgrade.json["id"]
