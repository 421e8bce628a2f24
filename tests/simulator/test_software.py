"""PROTOCOL.md 3.6, 5: campaigns on the clock, their messages, and refusals, for a client in any language."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.api import Api, Reply
from tests.simulator.listener import Listener
from thingspace_async.simulator.mechanisms.agenda import Progress
from thingspace_async.simulator.platform import START
from thingspace_async.simulator.rooms.software.store import MODELS, PACKAGES, Campaign, Managed, Software

ACCOUNT = "0000123456-00001"
BASE = "/api/fota/v3"
IMEI = "990013907835573"
TODAY = START.date()

Serve = Callable[..., Awaitable[Api]]


@pytest.fixture
async def api(serve: Serve) -> Api:
    api = await serve(devices=60)
    api.cloud.clock.speed = 0
    return api


def fitting(api: Api, count: int = 1) -> list[Managed]:
    """Return devices that have the version which the first package upgrades, and give them licenses."""
    room = api.cloud.platform.room(Software)
    found = [one for one in room.devices(ACCOUNT, ["LWM2M"]) if one.version == PACKAGES[0].version_from][:count]
    assert len(found) == count
    for one in found:
        api.cloud.fail_upgrades(one.device, times=0)
    room.assign(ACCOUNT, [one.imei for one in found])
    return found


def body(*devices: Managed, **more: object) -> dict[str, Any]:
    return {
        "campaignName": "spring",
        "firmwareName": PACKAGES[0].name,
        "firmwareFrom": PACKAGES[0].version_from,
        "firmwareTo": PACKAGES[0].version_to,
        "startDate": TODAY.isoformat(),
        "endDate": TODAY.isoformat(),
        "deviceList": [one.imei for one in devices],
        "autoAssignLicenseFlag": False,
        "autoAddDevicesFlag": False,
        **more,
    }


async def schedule(api: Api, *devices: Managed, **more: object) -> Reply:
    return await api.send("POST", f"{BASE}/campaigns/firmware/{ACCOUNT}", json=body(*devices, **more))


def refusal(reply: Reply) -> tuple[int, str]:
    assert set(reply.json) == {"errorCode", "errorMessage"}
    return reply.status, reply.json["errorMessage"]


# The catalogue and the devices


def test_every_model_has_packages_from_each_version_to_the_next() -> None:
    assert len({one.name for one in PACKAGES}) == len(PACKAGES) == sum(len(model.versions) - 1 for model in MODELS)
    assert all(one.version_from in one.model.versions and one.version_to in one.model.versions for one in PACKAGES)


async def test_each_device_has_one_model_and_only_active_devices_are_eligible(api: Api) -> None:
    room = api.cloud.platform.room(Software)
    every = room.devices(ACCOUNT, ["LWM2M", "OMA-DM", "HTTP"])
    assert len(every) == 60
    assert {one.model.name for one in every} == {model.name for model in MODELS}
    assert all(one.eligible == (one.device.state == "active") for one in every)
    assert [one.imei for one in every] == sorted(one.imei for one in every)


async def test_a_device_without_an_imei_is_not_managed(api: Api) -> None:
    device = api.cloud.add_device(iccid="89148000000000000017")
    assert api.cloud.platform.room(Software).managed(device) is None
    with pytest.raises(ValueError, match="has no IMEI"):
        api.cloud.fail_upgrades(device, times=1)


async def test_two_percent_of_the_devices_always_fail(serve: Serve) -> None:
    api = await serve(devices=4000)
    room = api.cloud.platform.room(Software)
    every = [one for one in room.devices(ACCOUNT, ["LWM2M"]) if one.version == PACKAGES[0].version_from]
    room.assign(ACCOUNT, [one.imei for one in every])
    campaign = (await schedule(api, *every)).json["id"]
    api.cloud.clock.advance(timedelta(hours=5))
    upgrades = room.campaigns[ACCOUNT][campaign].devices.values()
    failed = sum(one.status == "failed" for one in upgrades)
    assert all(one.status in ("success", "failed") for one in upgrades)
    assert 0.01 < failed / len(upgrades) < 0.035


# Time


def campaign_of(**changes: Any) -> Campaign:
    values: dict[str, Any] = {
        "id": "1",
        "account_name": ACCOUNT,
        "version": "v3",
        "model": MODELS[0],
        "start": TODAY,
        "end": TODAY + timedelta(days=1),
        "devices": {},
    }
    return Campaign(**values | changes)


def test_the_next_window_is_found_over_midnight_and_not_after_the_end() -> None:
    hour = timedelta(hours=1)
    campaign = campaign_of(windows=[(20, 21), (3, 4)])
    assert campaign.window(START) == (START + 8 * hour, START + 9 * hour)
    assert campaign.window(START + 8.5 * hour) == (START + 8.5 * hour, START + 9 * hour)
    assert campaign.window(START + 9 * hour) == (START + 15 * hour, START + 16 * hour)
    assert campaign.window(START + 33 * hour) is None
    assert campaign_of().window(START) == (START, START + 12 * hour)


async def test_a_campaign_has_a_state_before_it_progresses(api: Api) -> None:
    campaign = campaign_of()
    assert (campaign.state, campaign.is_over) == ("pending", False)
    campaign.progress = Progress(api.cloud.platform.agenda, START, [], "ended")
    assert campaign.is_over


async def test_a_jump_of_the_clock_does_everything_that_was_due_in_between(api: Api) -> None:
    (device,) = fitting(api)
    api.cloud.fail_upgrades(device.device, times=1)
    campaign = (await schedule(api, device, endDate=(TODAY + timedelta(days=9)).isoformat())).json["id"]
    api.cloud.clock.advance(timedelta(days=20))
    found = api.cloud.platform.room(Software).campaigns[ACCOUNT][campaign]
    upgrade = found.devices[device.imei]
    assert (found.state, upgrade.status, upgrade.attempts) == ("ended", "success", 2)
    assert upgrade.updated is not None
    assert upgrade.updated.date() == TODAY + timedelta(days=1)


# Refusals


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"deviceList": []}, "The device list is empty."),
        ({"deviceList": None}, "Invalid device list."),
        ({"deviceList": ["12"]}, "Invalid device list."),
        ({"deviceList": [IMEI]}, f"The device {IMEI} is not in the account."),
        ({"startDate": "soon"}, "Invalid date."),
        ({"startDate": "2026-01-14"}, "The start date is in the past."),
        ({"endDate": "2026-01-14"}, "Invalid date range."),
        ({"firmwareName": "x"}, "The firmware could not be found."),
        ({"firmwareTo": "x"}, "Invalid firmware version."),
        ({"campaignTimeWindowList": [{"startTime": 5, "endTime": 5}]}, "Invalid time window."),
        ({"campaignTimeWindowList": [{"startTime": 5}]}, "Invalid time window."),
    ],
)
async def test_a_wrong_campaign_is_refused(api: Api, more: dict[str, Any], said: str) -> None:
    assert refusal(await schedule(api, *fitting(api), **more)) == (400, said)


async def test_an_unknown_campaign_and_an_unknown_account_are_refused(api: Api) -> None:
    assert refusal(await api.send("GET", f"{BASE}/campaigns/{ACCOUNT}/none")) == (
        400,
        "The campaign could not be found.",
    )
    assert (await api.send("GET", f"{BASE}/subscriptions/none")).status == 400


async def test_too_many_devices_are_refused(api: Api) -> None:
    many = {"deviceList": [f"{number:015}" for number in range(1001)]}
    said = "The device list exceeds the maximum of 1000 devices."
    assert refusal(await api.send("POST", f"{BASE}/devices/{ACCOUNT}", json=many)) == (400, said)
    said = "The device list exceeds the maximum of 100 devices."
    assert refusal(await api.send("PUT", f"{BASE}/firmware/{ACCOUNT}/devices", json=many)) == (400, said)


# Messages


async def test_messages_report_the_campaign_and_each_device(api: Api, listener: Listener) -> None:
    await api.send("POST", f"{BASE}/callbacks/{ACCOUNT}", json={"url": listener.url})
    devices = fitting(api, 3)
    campaign = (await schedule(api, *devices)).json["id"]
    api.cloud.clock.advance(timedelta(days=2))
    await api.cloud.delivered()
    messages = [one.message for one in api.cloud.deliveries]
    assert all(one["campaignId"] == campaign and one["accountName"] == ACCOUNT for one in messages)
    statuses = [one["status"] for one in messages if one["type"] == "campaignStatus"]
    assert statuses == ["CampaignRequestPending", "CampaignRequestQueued", "CampaignScheduled", "CampaignEnded"]
    reported = [device for one in messages for device in one["deviceList"]]
    assert sorted(one["deviceId"] for one in reported) == sorted(one.imei for one in devices)
    assert {one["status"] for one in reported} == {"UpgradeSuccess"}


async def test_a_report_of_firmware_arrives_later(api: Api, listener: Listener) -> None:
    (device,) = fitting(api)
    await api.send("POST", f"{BASE}/callbacks/{ACCOUNT}", json={"url": listener.url})
    accepted = (await api.send("PUT", f"{BASE}/firmware/{ACCOUNT}/async/{device.imei}")).json
    assert len(api.cloud.deliveries) == 0
    api.cloud.clock.advance(61)
    (delivery,) = api.cloud.deliveries
    assert delivery.message["requestId"] == accepted["requestId"]
    assert delivery.message["deviceList"][0]["firmwareVersion"] == device.version


async def test_a_device_that_left_before_its_report_is_named_only(api: Api) -> None:
    (device,) = fitting(api)
    await api.send("PUT", f"{BASE}/firmware/{ACCOUNT}/async/{device.imei}")
    api.cloud.devices.remove(device.device)
    api.cloud.clock.advance(61)
    (delivery,) = api.cloud.deliveries
    assert delivery.message["deviceList"] == [{"deviceId": device.imei}]


async def test_a_device_that_left_its_account_fails(api: Api) -> None:
    (device,) = fitting(api)
    campaign = (await schedule(api, device)).json["id"]
    api.cloud.devices.remove(device.device)
    api.cloud.clock.advance(timedelta(hours=5))
    upgrade = api.cloud.platform.room(Software).campaigns[ACCOUNT][campaign].devices[device.imei]
    assert (upgrade.status, upgrade.reason) == ("failed", "DeviceModelMismatch")
