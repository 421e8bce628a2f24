"""Software management v1: an upgrade from the firmware to the end, and each call beside it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from aioresponses import aioresponses

from tests.rooms.software.passing import passing
from thingspace_async import Secret, Session, errors
from thingspace_async.simulator import Assumptions, Simulator
from thingspace_async.simulator.rooms.software import Software
from thingspace_async.software import (
    DeviceChange,
    DeviceListRequest,
    DeviceUpgradeStatus,
    RemovalListRequest,
    RemovalMode,
)
from thingspace_async.software.v1 import (
    AccountDevice,
    ChangeDevicesRequest,
    RegisterSoftwareCallbackRequest,
    SoftwareService,
    Upgrade,
    UpgradeRequest,
    UpgradeStatus,
    Version1,
)

ACCOUNT = "0000123456-00001"
PLACE = "http://127.0.0.1:1/api/fota/v1"
TODAY = date(2026, 1, 15)
TOMORROW = TODAY + timedelta(days=1)
IMEI = "990013907835573"
FAST = timedelta(milliseconds=1)


@pytest.fixture
def push(session: Session) -> Version1:
    return session.software.v1


async def licensed(push: Version1, count: int) -> list[AccountDevice]:
    """Return devices with the first firmware of the first model, and a license."""
    devices = [one async for one in push.devices.list(ACCOUNT) if one.firmware == "VZM20Q_1.0"][:count]
    await push.licenses.assign(ACCOUNT, DeviceListRequest(devices=devices))
    return devices


def upgrade_of(**changes: Any) -> UpgradeRequest:
    given = {
        "account_name": ACCOUNT,
        "firmware_name": "FOTA_Verizon_VZM20Q_1.0_To_VZM20Q_1.1",
        "firmware_to": "VZM20Q_1.1",
        "start_date": TOMORROW,
        "end_date": TOMORROW + timedelta(days=2),
        "devices": [IMEI],
    }
    return UpgradeRequest(**{**given, **changes})


async def scheduled(push: Version1, cloud: Simulator, **changes: Any) -> Upgrade:
    """Schedule an upgrade, and let the platform prepare it."""
    upgrade = await push.upgrades.schedule(upgrade_of(**changes))
    cloud.clock.advance(timedelta(minutes=5))
    return upgrade


async def test_an_upgrade_from_the_firmware_to_its_end(cloud: Simulator, push: Version1) -> None:
    firmware = next(one for one in await push.firmware.list(ACCOUNT) if one.from_version == "VZM20Q_1.0")
    assert (firmware.make, firmware.model, firmware.to_version) == ("Verizon", "VZM20Q", "VZM20Q_1.1")
    good, bad = await licensed(push, 2)
    cloud.platform.room(Software).failures[bad.device_id] = 1_000_000
    upgrade = await push.upgrades.schedule(upgrade_of(firmware_name=firmware.firmware_name, devices=[good, bad]))
    assert upgrade.status == UpgradeStatus.REQUEST_PENDING
    assert upgrade.start_date == datetime(2026, 1, 16, tzinfo=UTC)
    assert {one.status for one in upgrade.devices} == {"Device Accepted"}
    cloud.clock.advance(timedelta(minutes=5))
    assert (await push.upgrades.get(ACCOUNT, upgrade.id)).status == UpgradeStatus.QUEUED
    cloud.clock.advance(timedelta(days=1))
    before = len(cloud.requests)
    async with passing(cloud, "software.v1.upgrades.get"):
        changes = push.upgrades.follow(ACCOUNT, upgrade.id, check_every=FAST)
        followed = {change.device_id: change.status async for change in changes}
    assert followed == {good.device_id: DeviceUpgradeStatus.SUCCESS, bad.device_id: DeviceUpgradeStatus.FAILED}
    sent = {str(one.operation) for one in list(cloud.requests)[before:]}
    assert {name for name in sent if name.startswith("software.")} == {"software.v1.upgrades.get"}
    result = await push.upgrades.wait(ACCOUNT, upgrade.id)
    assert result.status == UpgradeStatus.FINISHED
    assert [one.device_id for one in result.succeeded] == [good.device_id]
    assert [one.result_reason for one in result.failed] == ["DownloadFailed"]
    (history,) = await push.devices.history(ACCOUNT, good.device_id)
    assert (history.id, history.firmware_from, history.firmware_to) == (upgrade.id, "VZM20Q_1.0", "VZM20Q_1.1")
    found = {one.device_id: one.firmware async for one in push.devices.list(ACCOUNT)}
    assert (found[good.device_id], found[bad.device_id]) == ("VZM20Q_1.1", "VZM20Q_1.0")


# Upgrades


async def test_an_upgrade_is_cancelled_and_changed_only_until_it_has_begun(cloud: Simulator, push: Version1) -> None:
    one, two = await licensed(push, 2)
    early = await scheduled(push, cloud, devices=[one])
    late = await scheduled(push, cloud, devices=[one])
    assert (await push.upgrades.cancel(ACCOUNT, early.id)).success
    cancelled = (await push.upgrades.get(ACCOUNT, early.id)).status
    assert cancelled is not None
    assert cancelled.final
    add = ChangeDevicesRequest(change=DeviceChange.APPEND, devices=[two])
    changed = await push.upgrades.update_devices(ACCOUNT, late.id, add)
    assert cloud.requests[-1].json["type"] == "append"
    assert [(device.device_id, device.reason) for device in changed.devices] == [
        (two.device_id, "Device added Successfully")
    ]
    await push.upgrades.update_devices(ACCOUNT, late.id, ChangeDevicesRequest(change="remove", devices=[one]))
    assert [device.device_id for device in (await push.upgrades.get(ACCOUNT, late.id)).devices] == [two.device_id]
    cloud.clock.advance(timedelta(days=1))
    with pytest.raises(errors.BadRequest, match="cannot be cancelled"):
        await push.upgrades.cancel(ACCOUNT, late.id)
    with pytest.raises(errors.BadRequest, match="cannot be changed"):
        await push.upgrades.update_devices(ACCOUNT, late.id, add)
    assert (await push.upgrades.get(ACCOUNT, late.id)).status == UpgradeStatus.IN_PROGRESS


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"start_date": TODAY - timedelta(days=1)}, "in the past"),
        ({"devices": [IMEI]}, "is not in the account"),
        ({"firmware_name": "Unknown"}, "could not be found"),
        ({"firmware_to": "VZM20Q_1.2"}, "Invalid firmware version"),
    ],
)
async def test_the_platforms_refusals_are_bad_requests(push: Version1, changes: dict[str, Any], reason: str) -> None:
    devices = await licensed(push, 1)
    with pytest.raises(errors.BadRequest, match=reason):
        await push.upgrades.schedule(upgrade_of(**{"devices": devices, **changes}))


async def test_a_device_without_a_license_is_refused(push: Version1) -> None:
    devices = [one async for one in push.devices.list(ACCOUNT)][:1]
    with pytest.raises(errors.BadRequest, match="has no license"):
        await push.upgrades.schedule(upgrade_of(devices=devices))


def test_the_end_is_not_before_the_start() -> None:
    with pytest.raises(errors.InvalidRequest, match="UpgradeRequest: start_date is after end_date"):
        upgrade_of(end_date=TODAY)


async def test_upgrades_are_listed_by_status(cloud: Simulator, push: Version1) -> None:
    devices = await licensed(push, 1)
    first, second = [await scheduled(push, cloud, devices=devices) for _ in range(2)]
    page = await push.upgrades.list_page(ACCOUNT, UpgradeStatus.QUEUED)
    assert (page.has_more_data, page.last_seen_upgrade_id) == (False, 2)
    assert [one.id async for one in push.upgrades.list(ACCOUNT, "Queued")] == [first.id, second.id]
    rest = await push.upgrades.list_page(ACCOUNT, UpgradeStatus.QUEUED, start_index=1)
    assert [one.id for one in rest.upgrades or ()] == [second.id]
    assert (await push.upgrades.list_page(ACCOUNT, UpgradeStatus.FINISHED)).upgrades is None
    assert [one async for one in push.upgrades.list(ACCOUNT, UpgradeStatus.FINISHED)] == []
    with pytest.raises(errors.BadRequest, match="Invalid upgradeStatus"):
        await push.upgrades.list_page(ACCOUNT, "A new state/é")
    assert cloud.requests[-1].operation == "software.v1.upgrades.list"


# Pages


async def test_devices_licenses_and_removals_are_walked_over_the_end_of_a_page() -> None:
    async with (
        Simulator(devices=12, assumptions=Assumptions(software_page=3)) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        push = session.software.v1
        everything = [device async for device in push.devices.list(ACCOUNT)]
        imeis = [device.device_id for device in everything]
        assert len(imeis) > 6
        page = await push.devices.list_page(ACCOUNT)
        assert (page.has_more_data, page.last_seen_device_id) == (True, int(imeis[2]))
        second = await push.devices.list_page(ACCOUNT, start_index=int(imeis[2]))
        assert cloud.requests[-1].path.endswith(f"/index/{imeis[2]}")
        assert tuple(everything[3:6]) == second.devices
        assigned = await push.licenses.assign(ACCOUNT, DeviceListRequest(devices=everything))
        assert (assigned.license_count, assigned.license_used_count) == (20_000, len(imeis))
        assert [device.device_id async for device in push.licenses.list(ACCOUNT)] == imeis
        overview = await push.licenses.list_page(ACCOUNT)
        assert (overview.total_licenses, overview.assigned_licenses) == (20_000, len(imeis))
        await push.licenses.plan_removal(ACCOUNT, RemovalListRequest(devices=imeis))
        assert [imei async for imei in push.licenses.planned_removals(ACCOUNT)] == imeis
        last = await push.licenses.planned_removals_page(ACCOUNT, start_index=len(imeis) - 1)
        assert (last.devices, last.next) == ((imeis[-1],), None)


@pytest.mark.parametrize(
    ("path", "body", "walk"),
    [
        (f"devices/{ACCOUNT}/index/0", {"hasMoreData": True}, lambda push: push.devices.list(ACCOUNT)),
        (f"licenses/{ACCOUNT}/index/0", {"hasMoreData": True}, lambda push: push.licenses.list(ACCOUNT)),
        (
            f"licenses/{ACCOUNT}/cancel/index/0",
            {"hasMoreData": True},
            lambda push: push.licenses.planned_removals(ACCOUNT),
        ),
        (
            f"reports/{ACCOUNT}/status/Queued/index/0",
            {"hasMoreFlag": True},
            lambda push: push.upgrades.list(ACCOUNT, UpgradeStatus.QUEUED),
        ),
    ],
)
async def test_a_page_that_promises_more_without_a_way_on_is_unreadable(
    scripted: Session, canned: aioresponses, path: str, body: dict[str, Any], walk: Any
) -> None:
    canned.get(f"{PLACE}/{path}", payload=body)
    with pytest.raises(errors.AnswerUnreadable, match="promises more"):
        _ = [one async for one in walk(scripted.software.v1)]


# Licenses


async def test_a_license_is_stuck_to_an_upgraded_device(cloud: Simulator, push: Version1) -> None:
    used, unused = await licensed(push, 2)
    await push.upgrades.schedule(upgrade_of(devices=[used]))
    cloud.clock.advance(timedelta(days=4))
    removed = await push.licenses.remove(ACCOUNT, DeviceListRequest(devices=[used, unused]))
    found = {device.device_id: (device.status, device.reason) for device in removed.devices}
    assert found[unused.device_id] == ("Success", "Success")
    assert found[used.device_id][0] == "Failure"
    assert "its license stays" in str(found[used.device_id][1])
    subscription = await push.subscription(ACCOUNT)
    assert (subscription.license_count, subscription.license_used_count) == (20_000, 1)


async def test_removals_are_added_by_default_replaced_on_request_and_deleted(cloud: Simulator, push: Version1) -> None:
    one, two = [device.device_id async for device in push.devices.list(ACCOUNT)][:2]
    plan = push.licenses.plan_removal
    await plan(ACCOUNT, RemovalListRequest(devices=[one]))
    assert cloud.requests[-1].json == {"deviceList": [one], "type": "append"}
    assert (await plan(ACCOUNT, RemovalListRequest(devices=[two]))).devices == (one, two)
    assert (await plan(ACCOUNT, RemovalListRequest(devices=[two], mode=RemovalMode.REPLACE))).devices == (two,)
    assert (await push.licenses.cancel_removal(ACCOUNT)).success
    with pytest.raises(errors.BadRequest):
        await push.licenses.cancel_removal(ACCOUNT)


async def test_answers_without_a_body_are_read(scripted: Session, canned: aioresponses) -> None:
    canned.delete(f"{PLACE}/licenses/{ACCOUNT}/cancel", body=b"")
    canned.delete(f"{PLACE}/callbacks/{ACCOUNT}/name/Fota", body=b"")
    assert (await scripted.software.v1.licenses.cancel_removal(ACCOUNT)).success is None
    assert (await scripted.software.v1.callbacks.deregister(ACCOUNT)).success is None


# Callbacks


async def test_a_listener_replaces_the_one_before_and_its_password_is_hidden(cloud: Simulator, push: Version1) -> None:
    request = RegisterSoftwareCallbackRequest(name="Fota", url="http://127.0.0.1:9/one", username="me", password="hush")
    assert "hush" not in repr(request)
    registered = await push.callbacks.register(ACCOUNT, request)
    assert (registered.account_name, registered.service_name) == (ACCOUNT, SoftwareService.FOTA)
    assert cloud.requests[-1].json == {
        "name": "Fota",
        "url": "http://127.0.0.1:9/one",
        "username": "me",
        "password": "hush",
    }
    (listener,) = await push.callbacks.list(ACCOUNT)
    assert (listener.account_name, listener.name, listener.username) == (ACCOUNT, SoftwareService.FOTA, "me")
    assert listener.password == Secret("hush")
    assert "hush" not in repr(listener)
    await push.callbacks.register(ACCOUNT, RegisterSoftwareCallbackRequest(url="http://127.0.0.1:9/two"))
    (listener,) = await push.callbacks.list(ACCOUNT)
    assert (listener.url, listener.username, listener.password) == ("http://127.0.0.1:9/two", None, None)
    assert (await push.callbacks.deregister(ACCOUNT)).success
    assert await push.callbacks.list(ACCOUNT) == ()
    with pytest.raises(errors.BadRequest):
        await push.callbacks.deregister(ACCOUNT)


async def test_no_error_repeats_the_password_of_a_listener(scripted: Session, canned: aioresponses) -> None:
    canned.post(f"{PLACE}/callbacks/{ACCOUNT}", status=400, payload={"errorCode": "X", "errorMessage": "not hush-hush"})
    request = RegisterSoftwareCallbackRequest(url="http://127.0.0.1:9/one", password=Secret("hush-hush"))
    with pytest.raises(errors.BadRequest) as caught:
        await scripted.software.v1.callbacks.register(ACCOUNT, request)
    assert "hush-hush" not in str(caught.value)
