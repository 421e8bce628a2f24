"""Simulated software management v2: uploads in parts, check-ins, logs and refusals."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from tests.simulator.api import ACCOUNT as _ACCOUNT_PATH
from tests.simulator.api import Api
from thingspace_async.simulator import Assumptions

ACCOUNT = _ACCOUNT_PATH.rpartition("/")[2]
BASE = "/api/fota/v2"
DEVICES = f"{BASE}/logging/{ACCOUNT}/devices"
FIELDS = {"fileVersion": "1", "make": "Quectel", "model": "BG96", "localTargetPath": "/etc/a"}
INVALID = (400, "INVALID_PARAMETER")


@pytest.fixture(autouse=True)
def devices(api: Api) -> None:
    api.cloud.clock.speed = 0
    api.cloud.add_devices(190)


async def imeis(api: Api, count: int) -> list[str]:
    listed = (await api.send("GET", f"{BASE}/devices/{ACCOUNT}")).json["deviceList"]
    return [one["deviceId"] for one in listed][:count]


async def later(api: Api, **time: int) -> None:
    """Let time pass, and log in again."""
    api.cloud.clock.advance(timedelta(**time))
    await api.enter()


def form(*without: str, content: bytes = b"x", filename: str | None = "a.conf") -> aiohttp.FormData:
    made = aiohttp.FormData()
    for name, value in FIELDS.items():
        if name not in without:
            made.add_field(name, value)
    if "fileupload" not in without:
        made.add_field("fileupload", content, filename=filename, content_type="application/octet-stream")
    return made


async def test_a_form_of_another_client_is_read(api: Api) -> None:
    answer = await api.send("POST", f"{BASE}/files/{ACCOUNT}", data=form(content=b"a\r\n--b\x00\xff"))
    assert answer.json["fileName"] == "configfile-Quectel_BG96_a.conf"
    there = f"{BASE}/files/{ACCOUNT}?distributionType=HTTP"
    (listed,) = (await api.send("GET", there)).json["AvailableFilesResponse"]
    api.cloud.assumptions = Assumptions(software_files_are_wrapped=False)
    assert (await api.send("GET", there)).json == [listed]
    assert listed == {name: value for name, value in answer.json.items() if name != "launchDate"}
    assert (await api.send("GET", f"{BASE}/files/{ACCOUNT}")).refusal == INVALID


@pytest.mark.parametrize("missing", [*FIELDS, "fileupload"])
async def test_an_upload_needs_all_its_parts(api: Api, missing: str) -> None:
    assert (await api.send("POST", f"{BASE}/files/{ACCOUNT}", data=form(missing))).refusal == INVALID


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"nonsense\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
    ],
)
async def test_a_body_that_is_no_form_is_refused(api: Api, kind: str, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {api.bearer}", "VZ-M2M-Token": str(api.session), "Content-Type": kind}
    answer = await api.send("POST", f"{BASE}/files/{ACCOUNT}", data=body, headers=headers)
    assert answer.refusal == INVALID


async def test_a_file_of_no_bytes_is_refused(api: Api) -> None:
    assert (await api.send("POST", f"{BASE}/files/{ACCOUNT}", data=form(content=b""))).refusal == INVALID


async def test_a_file_for_another_model_fails_on_its_devices(api: Api) -> None:
    (imei,) = await imeis(api, 1)
    await api.send("POST", f"{BASE}/licenses/{ACCOUNT}/assign", json={"deviceList": [imei]})
    fields = form("make")
    fields.add_field("make", "Another")
    name = (await api.send("POST", f"{BASE}/files/{ACCOUNT}", data=fields)).json["fileName"]
    day = api.cloud.clock.now().date().isoformat()
    wanted = {"fileName": name, "fileVersion": "1", "distributionType": "HTTP", "startDate": day, "endDate": day}
    campaign = await api.send("POST", f"{BASE}/campaigns/files/{ACCOUNT}", json={**wanted, "deviceList": [imei]})
    assert campaign.json["make"] == "Another"
    there = f"{DEVICES}/{imei}/checkInHistory"
    while (newest := (await api.send("GET", there)).json[0])["result"] == "NoUpdate":
        await later(api, minutes=5)
    assert newest["result"] == "UpdateStarted"
    await later(api, days=1)
    assert (await api.send("GET", there)).json[0]["failureType"] in ("", "DeviceModelMismatch")
    found = await api.send("GET", f"{BASE}/reports/{ACCOUNT}/campaigns/{campaign.json['id']}/devices")
    (device,) = found.json["deviceList"]
    assert (device["status"], device["resultReason"]) == ("UpgradeFailed", "DeviceModelMismatch")


async def test_a_later_day_after_the_end_is_refused(api: Api) -> None:
    (imei,) = await imeis(api, 1)
    await api.send("POST", f"{BASE}/licenses/{ACCOUNT}/assign", json={"deviceList": [imei]})
    wanted: dict[str, Any] = {
        "softwareName": "FOTA_Quectel_BG96_3.0_To_BG96_3.1",
        "softwareFrom": "BG96_3.0",
        "softwareTo": "FOTA_Quectel_BG96_3.0_To_BG96_3.1",
        "distributionType": "HTTP",
        "startDate": "2026-01-16",
        "endDate": "2026-01-16",
        "deviceList": [imei],
    }
    there = f"{BASE}/campaigns/{ACCOUNT}"
    assert (await api.send("POST", there, json={**wanted, "downloadAfterDate": "2026-01-17"})).refusal == INVALID
    made = (await api.send("POST", there, json={**wanted, "installAfterDate": "2026-01-16"})).json
    assert (made["installAfterDate"], made["campaignName"]) == ("2026-01-16", "")
    dates = {"startDate": "2026-01-17", "endDate": "2026-01-18"}
    changed = (await api.send("PUT", f"{there}/{made['id']}/dates", json=dates)).json
    assert (changed["startDate"], "installAfterDate" in changed) == ("2026-01-17", False)


async def test_another_distribution_type_has_no_software_and_no_devices(api: Api) -> None:
    for path in (f"{BASE}/software/{ACCOUNT}", f"{BASE}/devices/{ACCOUNT}"):
        answer = (await api.send("GET", f"{path}?distributionType=LWM2M")).json
        assert answer == [] or answer["deviceList"] == []
        assert (await api.send("GET", f"{path}?distributionType=Pigeon")).refusal == INVALID


# Check-ins and logs


async def test_a_device_checks_in_every_six_hours(api: Api) -> None:
    (imei,) = await imeis(api, 1)
    before = (await api.send("GET", f"{DEVICES}/{imei}/checkInHistory")).json
    assert len(before) == 20
    assert before[0]["result"] == "NoUpdate"
    assert [one["timeCompleted"] for one in before] == sorted((one["timeCompleted"] for one in before), reverse=True)
    await later(api, hours=6)
    after = (await api.send("GET", f"{DEVICES}/{imei}/checkInHistory")).json
    assert after[1:] == before[:-1]


async def test_logging_turns_itself_off_after_a_week_and_logs_are_kept_for_thirty_days(api: Api) -> None:
    (imei,) = await imeis(api, 1)
    assert (await api.send("PUT", f"{DEVICES}/{imei}")).json == {"deviceId": imei, "expiryDate": "2026-01-22"}
    await later(api, days=6)
    assert len((await api.send("GET", DEVICES)).json) == 1
    assert (await api.send("PUT", f"{DEVICES}/{imei}")).json["expiryDate"] == "2026-01-28"
    await later(api, days=8)
    assert (await api.send("GET", DEVICES)).json == []
    logs = (await api.send("GET", f"{DEVICES}/{imei}/logs")).json
    assert len(logs) == 13 * 4
    assert base64.b64decode(logs[0]["binaryLogFileBase64"]).decode() == logs[0]["eventLog"]
    await api.send("PUT", f"{DEVICES}/{imei}")
    await later(api, days=29)
    assert len((await api.send("GET", f"{DEVICES}/{imei}/logs")).json) == 7 * 4
    await later(api, days=30)
    assert (await api.send("GET", f"{DEVICES}/{imei}/logs")).json == []


async def test_no_more_than_twenty_devices_write_logs(api: Api) -> None:
    many = await imeis(api, 21)
    assert len(many) == 21
    assert (await api.send("PUT", DEVICES, json={"deviceIds": many})).refusal == INVALID
    assert len((await api.send("PUT", DEVICES, json={"deviceIds": many[:20]})).json) == 20
    assert (await api.send("PUT", f"{DEVICES}/{many[20]}")).refusal == INVALID
    assert (await api.send("PUT", f"{DEVICES}/{many[0]}")).status == 200
    assert (await api.send("DELETE", f"{DEVICES}?deviceIds={many[0]},{many[1]}")).body == b""
    assert (await api.send("DELETE", f"{DEVICES}/{many[0]}")).status == 200
    assert (await api.send("PUT", f"{DEVICES}/{many[20]}")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "json"),
    [
        ("PUT", DEVICES, {"deviceIds": []}),
        ("PUT", DEVICES, {"deviceIds": ["990013907835573"]}),
        ("DELETE", DEVICES, None),
        ("DELETE", f"{DEVICES}?deviceIds=990013907835573", None),
        ("GET", f"{DEVICES}/990013907835573/logs", None),
        ("GET", f"{DEVICES}/990013907835573/checkInHistory", None),
        ("GET", f"{BASE}/licenses/{ACCOUNT}/cancel?startIndex=x", None),
        ("POST", f"{BASE}/licenses/{ACCOUNT}/cancel", {"type": "prepend", "deviceList": ["990013907835573"]}),
        ("GET", f"{BASE}/reports/{ACCOUNT}/campaigns", None),
        ("GET", f"{BASE}/campaigns/{ACCOUNT}/unknown", None),
        ("PUT", f"{BASE}/campaigns/{ACCOUNT}/unknown", {"Type": "append", "deviceList": []}),
    ],
)
async def test_wrong_requests_are_refused(api: Api, method: str, path: str, json: object) -> None:
    assert (await api.send(method, path, json=json)).refusal == INVALID


async def test_a_change_of_devices_has_a_known_type(api: Api) -> None:
    (imei,) = await imeis(api, 1)
    await api.send("POST", f"{BASE}/licenses/{ACCOUNT}/assign", json={"deviceList": [imei]})
    wanted = {
        "softwareName": "FOTA_Quectel_BG96_3.0_To_BG96_3.1",
        "softwareFrom": "BG96_3.0",
        "softwareTo": "BG96_3.1",
        "distributionType": "HTTP",
        "startDate": "2026-01-16",
        "endDate": "2026-01-16",
        "deviceList": [imei],
    }
    made = (await api.send("POST", f"{BASE}/campaigns/{ACCOUNT}", json=wanted)).json
    change = {"Type": "replace", "deviceList": [imei]}
    assert (await api.send("PUT", f"{BASE}/campaigns/{ACCOUNT}/{made['id']}", json=change)).refusal == INVALID
