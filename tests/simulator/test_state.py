"""A simulator's state in a file: a new simulator continues where the previous one ended, even after a crash."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.simulator.api import LIST, LOG_IN, RESET, Api
from tests.simulator.listener import Listener
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.rooms.software.files import Files

NAME = "0000123456-00001"
M2M = "/api/m2m/v1"


@asynccontextmanager
async def running(path: Path, **options: Any) -> AsyncIterator[Api]:
    async with Simulator(devices=10, state=path, **options) as cloud, aiohttp.ClientSession() as http:
        yield Api(cloud, http)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.jsonl"


async def suspend(api: Api) -> str:
    device = {"deviceIds": [{"kind": "imei", "id": active_imei(api)}]}
    answer = await api.send("POST", f"{M2M}/devices/actions/suspend", json={"devices": [device]})
    assert answer.status == 200, answer.body
    return str(answer.json["requestId"])


def active_imei(api: Api) -> str | None:
    return next(device.imei for device in api.cloud.devices if device.state == "active")


def check_file(path: Path) -> None:
    """It does not contain reads, and other users cannot read it."""
    assert "devices.list" not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


async def test_tokens_devices_users_and_the_clock_go_on(path: Path) -> None:
    async with running(path) as before:
        await before.enter()
        await before.devices()
        imei = active_imei(before)
        await suspend(before)
        assert (await before.log_in("wrong")).status == 400
        await before.send("POST", "/__admin/clock", json={"advance": 61})
        password = (
            await before.send("PUT", RESET, json={"oldPassword": before.cloud.credentials.password.reveal()})
        ).json["newPassword"]
        await before.send("POST", "/__admin/users", json={"username": "other", "password": "Secret123"})
        stopped = before.cloud.clock.now()
    check_file(path)
    async with running(path) as after:
        assert after.cloud.credentials.password.reveal() == password
        assert 0 <= (after.cloud.clock.now() - stopped).total_seconds() < 5
        device = after.cloud.devices.find("imei", str(imei))
        assert device is not None
        assert device.state == "suspend"
        assert list(after.cloud.users) == [after.cloud.username, "other"]
        after.bearer, after.session = before.bearer, before.session
        assert (await after.account()).status == 200


async def test_wrong_passwords_still_count(path: Path) -> None:
    async with running(path) as before:
        await before.enter()
        for _ in range(4):
            await before.log_in("wrong")
    async with running(path) as after:
        after.bearer = before.bearer
        await after.log_in("wrong")
        assert after.cloud.users[after.cloud.username].locked


async def test_a_late_request_and_a_message_that_failed_go_on(path: Path, listener: Listener) -> None:
    listener.statuses = [500]
    async with running(path) as before:
        await before.enter()
        await before.send("POST", f"{M2M}/callbacks/{NAME}", json={"name": "CarrierService", "url": listener.url})
        first = await suspend(before)
        before.cloud.clock.advance(61)
        await before.cloud.delivered()
        second = await suspend(before)
    assert len(listener.bodies) == 1
    async with running(path) as after:
        assert list(after.cloud.late_requests) == [first, second]
        (delivery,) = after.cloud.deliveries
        assert [attempt.status for attempt in delivery.attempts] == [500]
        after.cloud.clock.advance(301)
        await after.cloud.delivered()
    assert [message["requestId"] for message in listener.messages] == [first, second, first]
    async with running(path) as again:
        assert [one.state for one in again.cloud.deliveries] == ["delivered", "delivered"]


async def test_a_message_without_a_listener_stays_dropped_and_queued(path: Path) -> None:
    async with running(path) as before:
        await before.enter()
        await suspend(before)
        before.cloud.clock.advance(61)
        await before.cloud.delivered()
        await before.send("POST", "/__admin/sms", json={"device": before.cloud.devices[0].imei, "text": "hello"})
    async with running(path) as after:
        assert [one.state for one in after.cloud.deliveries] == ["dropped"]
        assert [one.text for one in after.cloud.queued_sms[NAME]] == ["hello"]


async def test_a_reset_is_kept_and_a_changed_speed_too(path: Path) -> None:
    async with running(path) as before:
        await before.enter()
        await suspend(before)
        await before.send("POST", "/__admin/reset")
        await before.send("POST", "/__admin/clock", json={"speed": 60})
        await before.send("POST", "/__admin/deliveries/wait")
    async with running(path) as after:
        assert after.cloud.late_requests == {}
        assert after.cloud.clock.speed == 60


async def test_the_start_of_the_first_run_counts(path: Path) -> None:
    async with running(path, start=datetime(2026, 11, 1, tzinfo=UTC)):
        pass
    async with running(path, start=datetime(2027, 1, 1, tzinfo=UTC)) as after:
        assert after.cloud.clock.now().month == 11


async def test_a_line_that_was_cut_by_a_crash_is_left_out(path: Path) -> None:
    async with running(path) as before:
        await before.enter()
    with path.open("ab") as file:
        file.write(b'{"at": "2026-01-')
    async with running(path) as after:
        after.bearer, after.session = before.bearer, before.session
        assert (await after.account()).status == 200
    async with running(path) as again:
        assert again.cloud.platform.tokens.sessions.keys() == {str(before.session)}


async def test_a_simulator_that_comes_back_does_nothing_twice(path: Path) -> None:
    async with running(path) as api:
        await api.enter()
        await api.cloud.close()
        await api.cloud.start()
        assert len(api.cloud.platform.tokens.sessions) == 1
        assert (await api.account()).status == 200


@pytest.mark.parametrize("text", ["no JSON\n", '{"version": 2}\n', "[]\n"])
def test_a_file_of_another_kind_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ValueError, match="is not a simulator's state file"):
        Simulator(state=path)
    assert path.read_text() == text


async def test_what_only_reads_is_not_kept(path: Path) -> None:
    async with running(path) as api:
        await api.enter()
        size = len(lines_of(path))
        for _ in range(3):
            await api.send("POST", LIST, json={})
            await api.send("GET", "/__admin/devices")
            await api.send("POST", f"{M2M}/devices/actions/suspend", json={"devices": 7})
    # Only the final time was added; the login may have been written later.
    assert len(lines_of(path)) <= size + 3
    assert LOG_IN in "".join(lines_of(path))


async def test_files_dates_and_settings_go_on(path: Path) -> None:
    fota, day = "/api/fota/v2", "2026-01-17"
    async with running(path) as before:
        await before.enter()
        (imei, *_) = [
            one["deviceId"] for one in (await before.send("GET", f"{fota}/devices/{NAME}")).json["deviceList"]
        ]
        form = aiohttp.FormData({"fileVersion": "1", "make": "Quectel", "model": "BG96", "localTargetPath": "/etc/a"})
        form.add_field("fileupload", b"\x00\xff\r\n", filename="a.conf")
        file = (await before.send("POST", f"{fota}/files/{NAME}", data=form)).json["fileName"]
        await before.send("POST", f"{fota}/licenses/{NAME}/assign", json={"deviceList": [imei]})
        wanted = {"fileName": file, "fileVersion": "1", "distributionType": "HTTP", "deviceList": [imei]}
        dates = {"startDate": "2026-01-16", "endDate": "2026-01-16"}
        campaign = (await before.send("POST", f"{fota}/campaigns/files/{NAME}", json={**wanted, **dates})).json["id"]
        there = f"{fota}/campaigns/{NAME}/{campaign}"
        await before.send("PUT", f"{there}/dates", json={"startDate": day, "endDate": day})
        await before.send("PUT", f"{fota}/logging/{NAME}/devices/{imei}")
        trigger = {"accountName": NAME, "serviceName": "fota", "thresholdValue": "90"}
        made = (await before.send("POST", "/api/subsc/v1/usage/triggers", json=trigger)).json["triggerId"]
        change = {"accountName": NAME, "thresholdValue": "80"}
        await before.send("POST", f"/api/subsc/v1/usage/triggers/{made}", json=change)
    async with running(path) as after:
        after.bearer, after.session = before.bearer, before.session
        assert (await after.send("GET", there)).json["startDate"] == day
        assert [one["deviceId"] for one in (await after.send("GET", f"{fota}/logging/{NAME}/devices")).json] == [imei]
        assert [one.content for one in after.cloud.platform.room(Files).stored[NAME].values()] == [b"\x00\xff\r\n"]
        triggers = (await after.send("GET", f"/api/subsc/v1/usage/accounts/{NAME}/triggers")).json
        assert [one["thresholdValue"] for one in triggers] == ["80"]
        await after.log_out()
    async with running(path) as again:
        again.bearer, again.session = after.bearer, after.session
        assert (await again.account()).refusal[0] == 400
