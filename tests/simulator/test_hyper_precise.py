"""Simulated hyper precise location: credentials are shown once, and sessions add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.simulator.api import Api
from tests.simulator.listener import Listener
from thingspace_async.simulator import Simulator

ACCOUNT = "0000123456-00001"
BASE = "/api/hyper-precise/v1"
AUTH = "/api/auth/v1/credentials"
STRANGER = "990013907835573"
QUERY = {"accountNumber": ACCOUNT}


def imei_of(api: Api) -> str:
    return str(api.cloud.devices[0].imei)


def asking(*imeis: str) -> dict[str, Any]:
    return {"ECPD": "1", "accountNumber": ACCOUNT, "items": [{"imei": imei} for imei in imeis]}


async def refused(api: Api, method: str, path: str, **request: Any) -> str:
    """Send a request that is refused; return the message."""
    answer = await api.send(method, path, **request)
    assert set(answer.json) == {"responseCode", "message"}
    assert answer.status == 400
    return str(answer.json["message"])


async def enable(api: Api, imei: str, flag: object = True) -> Any:  # noqa: FBT002
    body = {"accountNumber": ACCOUNT, "deviceList": [{"imei": imei, "BullseyeEnable": flag}]}
    return await api.send("PUT", f"{BASE}/devices/services", json=body)


async def test_credentials_are_made_once_reset_and_dropped(api: Api) -> None:
    imei = imei_of(api)
    made = (await api.send("POST", f"{AUTH}/generate", json=asking(imei))).json["items"][0]["credential"]
    assert "already" in await refused(api, "POST", f"{AUTH}/generate", json=asking(imei))
    new = (await api.send("POST", f"{AUTH}/reset", json=asking(imei))).json["items"][0]["credential"]
    assert (new["username"], new["password"] == made["password"]) == (made["username"], False)
    found = (await api.send("POST", f"{AUTH}/retrieve", json=asking(imei, STRANGER))).json["items"]
    assert found == [{"imei": imei, "username": made["username"]}, {"imei": STRANGER, "failure": "Device not found"}]
    assert (await api.send("POST", f"{AUTH}/drop", json=asking(imei))).json == {"items": [{"imei": imei}]}
    for action in ("reset", "drop"):
        assert "has no credentials" in await refused(api, "POST", f"{AUTH}/{action}", json=asking(imei))
    assert "not found" in await refused(api, "POST", f"{AUTH}/generate", json=asking(STRANGER))
    assert "No devices" in await refused(api, "POST", f"{AUTH}/generate", json=asking())


async def test_a_flag_may_be_nested_but_must_be_one(api: Api) -> None:
    imei = imei_of(api)
    answer = await enable(api, imei, {"BullseyeEnable": True})
    assert answer.json["deviceList"][0]["BullseyeEnable"] is True
    assert (await enable(api, imei, "yes")).status == 400
    empty = {"accountNumber": ACCOUNT, "deviceList": []}
    assert "No devices" in await refused(api, "PUT", f"{BASE}/devices/services", json=empty)


async def test_a_query_needs_an_account(api: Api) -> None:
    assert "accountNumber is missing" in await refused(api, "GET", f"{BASE}/callbacks")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"startDate": "2026-02-01T00:00:00Z", "endDate": "2026-01-01T00:00:00Z"}, "Invalid time"),
        ({"startDate": "2025-01-01T00:00:00Z", "endDate": "2026-01-01T00:00:00Z"}, "Invalid time"),
        ({"imei": []}, "Invalid IMEIs"),
        ({"imei": [STRANGER] * 11}, "Invalid IMEIs"),
        ({"imei": [5]}, "Invalid IMEIs"),
    ],
)
async def test_a_wrong_report_is_refused(api: Api, wrong: dict[str, Any], message: str) -> None:
    body = {"accountNumber": ACCOUNT, "imei": [imei_of(api)], **wrong}
    assert message in await refused(api, "POST", f"{BASE}/report/aggregate", json=body)


async def test_sessions_of_an_unknown_device_are_refused_and_a_disabled_one_has_none(api: Api) -> None:
    body = {"accountNumber": ACCOUNT, "imei": STRANGER}
    assert "not found" in await refused(api, "POST", f"{BASE}/report/sessions", json=body)
    found = await api.send("POST", f"{BASE}/report/sessions", json=body | {"imei": imei_of(api)})
    assert found.json["sessions"] == []


async def test_a_listener_gets_the_report_until_it_is_removed(api: Api, listener: Listener) -> None:
    wrong = {"name": "Location", "url": listener.url}
    assert "Invalid" in await refused(api, "POST", f"{BASE}/callbacks", query=QUERY, json=wrong)
    own = {"name": "BullseyeReporting", "url": listener.url}
    assert (await api.send("POST", f"{BASE}/callbacks", query=QUERY, json=own)).status == 200
    await enable(api, imei_of(api))
    body = {"accountNumber": ACCOUNT, "imei": [imei_of(api)]}
    accepted = await api.send("POST", f"{BASE}/report/async/aggregate", json=body)
    api.cloud.clock.advance(61)
    await api.cloud.delivered()
    (message,) = listener.messages
    assert message["txid"] == accepted.json["txid"]
    assert message["usage"][0]["numberOfSessions"] > 0
    gone = QUERY | {"service": "BullseyeReporting"}
    assert (await api.send("DELETE", f"{BASE}/callbacks", query=gone)).status == 200
    assert "not found" in await refused(api, "DELETE", f"{BASE}/callbacks", query=gone)


async def test_credentials_survive_a_restart(tmp_path: Path) -> None:
    passwords: list[str] = []
    for action in ("generate", "retrieve"):
        async with (
            Simulator(devices=3, state=tmp_path / "state.jsonl") as cloud,
            aiohttp.ClientSession() as http,
        ):
            api = Api(cloud, http)
            await api.enter()
            answer = (await api.send("POST", f"{AUTH}/{action}", json=asking(imei_of(api)))).json["items"][0]
            passwords.append(answer["credential"]["username"] if action == "generate" else answer["username"])
    assert passwords[0] == passwords[1]
