"""Software management v3: requests, limits checked before sending, campaigns, licenses, pages and listeners."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from aioresponses import aioresponses

from tests.rooms.software.campaigns import (
    ACCOUNT,
    fitting,
    package,
    scheduled,
    simulated,
    statuses,
    today,
    wanting,
)
from thingspace_async import DeviceId, Session, errors, software
from thingspace_async._core.types import DeviceIds
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.rooms.software import Software
from thingspace_async.software import (
    Campaign,
    CampaignDatesRequest,
    CampaignRequest,
    CampaignStatus,
    ChangeDevicesRequest,
    DeviceChange,
    DeviceListRequest,
    DeviceProtocol,
    DeviceUpgradeStatus,
    FirmwareProtocol,
    LicensedDevice,
    SoftwareCallbackRequest,
    SoftwareSubscription,
    TimeWindow,
)

PLACE = "http://127.0.0.1:1/api/fota/v3"
IMEI = "990013907835573"
OTHER = "990013907884259"
DAY = date(2026, 1, 31)


def request(**changes: Any) -> CampaignRequest:
    values: dict[str, Any] = {
        "firmware_name": "new",
        "firmware_from": "1",
        "firmware_to": "2",
        "start_date": DAY,
        "end_date": DAY,
        "devices": [IMEI],
    }
    return CampaignRequest(**values | changes)


# Requests


def test_devices_are_named_by_their_imei_in_any_form_and_once() -> None:
    device = DeviceIds(device_ids=(DeviceId.mdn("5125550123"), DeviceId.imei(IMEI)))
    forms: list[Any] = [IMEI, DeviceId.imei(IMEI), device, LicensedDevice(device_id=OTHER), OTHER]
    assert DeviceListRequest(devices=forms).devices == (IMEI, OTHER)
    single: Any = device
    assert DeviceListRequest(devices=single).to_dict() == {"deviceList": [IMEI]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "must hold 1 str or more"),
        (IMEI, "must be a tuple of str"),
        ([5], "must hold str only"),
        (5, "must be a tuple of str"),
        (["99001390783557"], "an item that is not an IMEI of 15 digits, at 0"),
        ([IMEI, "99001390783557X"], "an item that is not an IMEI of 15 digits, at 1"),
        ([DeviceId.mdn("5125550123")], "a device without an IMEI, at 0"),
        ([DeviceIds(device_ids=(DeviceId.mdn("5125550123"),))], "a device without an IMEI, at 0"),
    ],
)
def test_devices_without_an_imei_are_refused(given: Any, said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"DeviceListRequest: devices .*{said}"):
        DeviceListRequest(devices=given)


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [
        (14, 14, "of no hours, at 0"),
        (22, 2, "over midnight, at 0: give two windows"),
        (24, 0, "over midnight, at 0: give two windows"),
    ],
)
def test_a_window_without_hours_is_refused(begin: Any, end: Any, said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"CampaignRequest: time_windows has a window .*{said}"):
        request(time_windows=[TimeWindow(start_time=begin, end_time=end)])


@pytest.mark.parametrize(("begin", "end"), [(-1, 2), (0, 25), (True, 2), ("1", 2)])
def test_a_window_has_hours_of_a_day(begin: Any, end: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"TimeWindow: (start|end)_time must be"):
        TimeWindow(start_time=begin, end_time=end)


@pytest.mark.parametrize("given", ["1-2", [5], 7])
def test_only_windows_can_be_windows(given: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="time_windows must"):
        request(time_windows=given)


def test_a_window_may_be_a_whole_day() -> None:
    assert request(time_windows=[TimeWindow(start_time=0, end_time=24)]).time_windows[0].end_time == 24


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"start_date": DAY + timedelta(days=1)}, "start_date is after end_date"),
        ({"start_date": datetime(2026, 1, 31, tzinfo=UTC)}, "start_date must be a date, not datetime"),
        ({"end_date": "2026-01-31"}, "end_date must be a date, not str"),
        ({"auto_assign_licenses": 1}, "auto_assign_licenses must be a bool"),
        ({"protocol": 5}, "protocol must be a FirmwareProtocol"),
    ],
)
def test_a_campaign_that_the_platform_would_refuse_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"CampaignRequest: {said}"):
        request(**changes)


def test_the_flags_of_a_campaign_are_always_sent() -> None:
    assert request().to_dict() == {
        "firmwareName": "new",
        "firmwareFrom": "1",
        "firmwareTo": "2",
        "startDate": "2026-01-31",
        "endDate": "2026-01-31",
        "deviceList": [IMEI],
        "autoAssignLicenseFlag": False,
        "autoAddDevicesFlag": False,
    }


async def test_more_devices_than_a_call_takes_are_refused_before_anything_is_sent(
    cloud: Simulator, session: Session
) -> None:
    def many(count: int) -> DeviceListRequest:
        return DeviceListRequest(devices=[f"{number:015}" for number in range(count)])

    with pytest.raises(errors.InvalidRequest, match="devices may hold 100 IMEIs, not 101"):
        await session.software.firmware.synchronize(ACCOUNT, many(101))
    with pytest.raises(errors.InvalidRequest, match="devices may hold 1,000 IMEIs, not 1,001"):
        await session.software.devices.query(ACCOUNT, many(1_001))
    assert not [one for one in cloud.requests if "/fota/" in one.path]
    found = await session.software.devices.query(ACCOUNT, many(1_000))
    assert found.device_count == len(found.devices) == 1_000


async def test_a_filter_that_is_not_a_string_is_refused(session: Session) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"software\.firmware\.list: protocol must be a str"):
        await session.software.firmware.list(ACCOUNT, protocol=5)  # type: ignore[arg-type]


def test_the_dates_of_a_campaign_are_kept_unless_they_are_given() -> None:
    windows = (TimeWindow(start_time=1, end_time=2),)
    campaign = Campaign(id="a", start_date=DAY, end_date=DAY, time_windows=windows)
    later = DAY + timedelta(days=3)
    assert CampaignDatesRequest.of(campaign, end_date=later) == CampaignDatesRequest(
        start_date=DAY, end_date=later, time_windows=windows
    )
    assert CampaignDatesRequest.of(campaign, time_windows=()).time_windows == ()
    with pytest.raises(errors.InvalidRequest, match="CampaignDatesRequest: start_date must be a date"):
        CampaignDatesRequest.of(Campaign(id="a", end_date=DAY))
    with pytest.raises(errors.InvalidRequest, match="start_date is after end_date"):
        CampaignDatesRequest.of(campaign, start_date=later)


@pytest.mark.parametrize(
    ("kinds", "licensed"), [("TS-HFOTA-MRC", True), ("TS-HFOTA-EVNT,TS-HFOTA-MRC", True), ("ts-hfota-evnt", False)]
)
def test_an_account_that_pays_by_event_needs_no_licenses(kinds: str, licensed: bool) -> None:  # noqa: FBT001
    assert SoftwareSubscription(purchase_type=kinds).needs_licenses is licensed
    assert SoftwareSubscription().needs_licenses
    assert SoftwareSubscription().licenses_left is None
    assert SoftwareSubscription(license_count=5, license_used_count=7).licenses_left == 0


def test_the_url_of_a_callback_is_not_shown() -> None:
    hidden = SoftwareCallbackRequest(url="https://example.com/FotaV3~a~hush")
    assert "hush" not in repr(hidden)
    with pytest.raises(errors.InvalidRequest, match="SoftwareCallbackRequest: url must be a URL"):
        SoftwareCallbackRequest(url="example.com")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Campain'"):
        software.Campain  # noqa: B018 - accessing it is the test


# Firmware and devices


async def test_firmware_is_listed_by_protocol(session: Session) -> None:
    lwm2m = await session.software.firmware.list(ACCOUNT)
    oma = await session.software.firmware.list(ACCOUNT, protocol=FirmwareProtocol.OMA_DM)
    assert {one.protocol for one in lwm2m} == {FirmwareProtocol.LWM2M}
    assert {one.protocol for one in oma} == {FirmwareProtocol.OMA_DM}
    assert await session.software.firmware.list(ACCOUNT, protocol="all") == (*lwm2m, *oma)
    assert lwm2m[0].launch_date == datetime(2025, 3, 1, tzinfo=UTC)
    with pytest.raises(errors.BadRequest, match="Invalid protocol"):
        await session.software.firmware.list(ACCOUNT, protocol="OMADM")


async def test_devices_are_walked_over_the_end_of_a_page(cloud: Simulator, session: Session) -> None:
    found = [one async for one in session.software.devices.list(ACCOUNT)]
    assert len(found) > 14
    assert [one.device_id for one in found] == sorted({one.device_id for one in found})
    assert cloud.count("software.devices.list") == -(-len(found) // 7)
    page = await session.software.devices.list_page(ACCOUNT, last_seen_device_id=found[6].device_id)
    assert list(page.devices) == found[7:14]
    oma = [one async for one in session.software.devices.list(ACCOUNT, protocol=DeviceProtocol.OMA_DM)]
    assert oma
    assert {one.protocol for one in oma} == {DeviceProtocol.OMA_DM}
    assert [one async for one in session.software.devices.list(ACCOUNT, protocol="HTTP")] == []


async def test_devices_are_found_by_imei(session: Session) -> None:
    device, *_ = await fitting(session, 1)
    found = await session.software.devices.query(ACCOUNT, DeviceListRequest(devices=[device, IMEI]))
    assert [(one.device_id, one.request_status) for one in found.devices] == [
        (device.device_id, "Success"),
        (IMEI, "Failed"),
    ]
    assert found.devices[0].firmware == device.firmware


async def test_the_firmware_of_devices_is_read_from_their_server(cloud: Simulator, session: Session) -> None:
    device, *_ = await fitting(session, 1)
    found = await session.software.firmware.synchronize(ACCOUNT, DeviceListRequest(devices=[device, IMEI]))
    assert [(one.device_id, one.firmware_version) for one in found.devices] == [
        (device.device_id, device.firmware),
        (IMEI, ""),
    ]
    assert found.devices[0].firmware_version_update_time == cloud.clock.now().replace(microsecond=0)


async def test_a_report_names_the_device_for_its_outcome(session: Session) -> None:
    device, *_ = await fitting(session, 1)
    accepted = await session.software.firmware.request_report(ACCOUNT, device.device_id)
    assert accepted.request_id
    assert [one.imei for one in accepted.devices] == [device.device_id]
    with pytest.raises(errors.BadRequest, match="not in the account"):
        await session.software.firmware.request_report(ACCOUNT, IMEI)


# Campaigns


async def test_a_campaign_upgrades_its_devices_and_ends_after_its_last_day(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 9)
    cloud.fail_upgrades(simulated(cloud, devices[0]), times=1)
    cloud.fail_upgrades(simulated(cloud, devices[1]), times=9)
    campaign = await scheduled(cloud, session, devices)
    assert campaign.status is CampaignStatus.REQUEST_PENDING
    seen: list[CampaignStatus | None] = [campaign.status]
    for seconds in (16, 45):
        cloud.clock.advance(seconds)
        seen.append((await session.software.campaigns.get(ACCOUNT, campaign.id)).status)
    assert seen[1:] == [CampaignStatus.REQUEST_QUEUED, CampaignStatus.SCHEDULED]
    page = await session.software.campaigns.devices_page(ACCOUNT, campaign.id)
    assert (page.total_device, len(page.devices), page.has_more_data) == (9, 7, True)
    assert {one.status for one in page.devices} == {DeviceUpgradeStatus.PENDING}
    assert all("estimated to be scheduled" in (one.result_reason or "") for one in page.devices)
    assert all(one.next_attempt_time is not None for one in page.devices)
    cloud.clock.advance(timedelta(hours=5))
    found = {one.device_id: one async for one in session.software.campaigns.devices(ACCOUNT, campaign.id)}
    assert [one for one in found if found[one].failed] == sorted(one.device_id for one in devices[:2])
    assert all(found[one.device_id].succeeded for one in devices[2:])
    assert found[devices[0].device_id].result_reason == "DownloadFailed"
    cloud.clock.advance(timedelta(days=1))
    found = {one.device_id: one async for one in session.software.campaigns.devices(ACCOUNT, campaign.id)}
    assert [one for one in found if found[one].failed] == [devices[1].device_id]
    assert not (await session.software.campaigns.get(ACCOUNT, campaign.id)).status.final  # type: ignore[union-attr]
    cloud.clock.advance(timedelta(days=1))
    ended = await session.software.campaigns.get(ACCOUNT, campaign.id)
    assert ended.status is CampaignStatus.ENDED
    assert ended.status.final
    (history,) = await session.software.devices.history(ACCOUNT, devices[1].device_id)
    assert (history.campaign_id, history.status) == (campaign.id, DeviceUpgradeStatus.FAILED)
    upgraded = await session.software.devices.query(ACCOUNT, DeviceListRequest(devices=devices))
    versions = [one.firmware == campaign.firmware_to for one in upgraded.devices]
    assert sorted(versions) == [False, *[True] * 8]


async def test_a_campaign_acts_within_its_windows_only(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 3)
    windows = [TimeWindow(start_time=3, end_time=4), TimeWindow(start_time=20, end_time=21)]
    campaign = await scheduled(cloud, session, devices, time_windows=windows)
    assert campaign.time_windows == tuple(windows)
    cloud.clock.advance(timedelta(hours=7, minutes=55))  # It is 19:55.
    assert set((await statuses(session, campaign)).values()) == {DeviceUpgradeStatus.PENDING}
    cloud.clock.advance(timedelta(hours=1, minutes=20))
    assert set((await statuses(session, campaign)).values()) == {DeviceUpgradeStatus.SUCCESS}


async def test_the_dates_of_a_scheduled_campaign_can_change(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 2)
    tomorrow, later = today(cloud) + timedelta(days=1), today(cloud) + timedelta(days=3)
    campaign = await scheduled(cloud, session, devices, start_date=tomorrow, end_date=tomorrow)
    cloud.clock.advance(61)
    changed = await session.software.campaigns.update_dates(
        ACCOUNT, campaign.id, CampaignDatesRequest.of(campaign, start_date=later, end_date=later)
    )
    assert (changed.start_date, changed.end_date) == (later, later)
    cloud.clock.advance(timedelta(days=2))
    assert set((await statuses(session, campaign)).values()) == {DeviceUpgradeStatus.PENDING}
    cloud.clock.advance(timedelta(days=1))
    assert set((await statuses(session, campaign)).values()) == {DeviceUpgradeStatus.SUCCESS}
    assert (await session.software.campaigns.get(ACCOUNT, campaign.id)).status is CampaignStatus.SCHEDULED
    cloud.clock.advance(timedelta(days=1))
    assert (await session.software.campaigns.get(ACCOUNT, campaign.id)).status is CampaignStatus.ENDED
    with pytest.raises(errors.BadRequest, match="cannot be changed"):
        await session.software.campaigns.update_dates(ACCOUNT, campaign.id, CampaignDatesRequest.of(changed))


async def test_dates_in_the_past_are_refused_by_the_platform(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 1)
    with pytest.raises(errors.BadRequest, match="start date is in the past"):
        await scheduled(cloud, session, devices, start_date=today(cloud) - timedelta(days=1))


async def test_devices_can_be_changed_until_the_campaign_is_scheduled(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 3)
    campaigns = session.software.campaigns
    campaign = await scheduled(cloud, session, devices)
    removed = await campaigns.update_devices(
        ACCOUNT, campaign.id, ChangeDevicesRequest(change=DeviceChange.REMOVE, devices=devices[:1])
    )
    assert [(one.device_id, one.status) for one in removed.devices] == [(devices[0].device_id, "RemoveDeviceSucceed")]
    assert devices[0].device_id not in await statuses(session, campaign)
    appended = ChangeDevicesRequest(change="append", devices=devices[:1])
    await campaigns.update_devices(ACCOUNT, campaign.id, appended)
    assert list(await statuses(session, campaign)) == [one.device_id for one in devices]
    cloud.clock.advance(61)
    with pytest.raises(errors.BadRequest, match="cannot be changed"):
        await campaigns.update_devices(ACCOUNT, campaign.id, appended)


async def test_a_campaign_is_cancelled_before_its_first_day_and_aborted_afterwards(
    cloud: Simulator, session: Session
) -> None:
    devices = await fitting(session, 4)
    tomorrow = today(cloud) + timedelta(days=1)
    campaigns = session.software.campaigns
    early = await scheduled(cloud, session, devices[:2], start_date=tomorrow)
    late = await scheduled(cloud, session, devices[2:])
    cloud.clock.advance(61)
    assert (await campaigns.cancel(ACCOUNT, early.id)).success
    assert (await campaigns.get(ACCOUNT, early.id)).status is CampaignStatus.CANCELLED
    assert (await campaigns.cancel(ACCOUNT, late.id)).success
    assert (await campaigns.get(ACCOUNT, late.id)).status is CampaignStatus.ABORTED
    cloud.clock.advance(timedelta(days=3))
    assert set((await statuses(session, late)).values()) == {DeviceUpgradeStatus.PENDING}
    assert (await campaigns.get(ACCOUNT, late.id)).status is CampaignStatus.ABORTED
    with pytest.raises(errors.BadRequest, match="cannot be cancelled"):
        await campaigns.cancel(ACCOUNT, late.id)


async def test_a_pending_campaign_that_is_cancelled_never_begins(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 1)
    campaign = await scheduled(cloud, session, devices)
    await session.software.campaigns.cancel(ACCOUNT, campaign.id)
    cloud.clock.advance(timedelta(days=1))
    assert (await session.software.campaigns.get(ACCOUNT, campaign.id)).status is CampaignStatus.ABORTED
    assert set((await statuses(session, campaign)).values()) == {DeviceUpgradeStatus.PENDING}


async def test_campaigns_are_listed_by_status(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 1)
    campaigns = session.software.campaigns
    assert (await campaigns.list_page(ACCOUNT, CampaignStatus.ENDED)).campaigns is None
    assert [one async for one in campaigns.list(ACCOUNT, "CampaignEnded")] == []
    first = await scheduled(cloud, session, devices)
    page = await campaigns.list_page(ACCOUNT, CampaignStatus.REQUEST_PENDING)
    assert [one.id for one in page.campaigns or ()] == [first.id]
    assert page.last_seen_campaign_id == first.id
    after = await campaigns.list_page(ACCOUNT, CampaignStatus.REQUEST_PENDING, last_seen_campaign_id=first.id)
    assert after.campaigns is None
    with pytest.raises(errors.BadRequest, match="Invalid campaignStatus"):
        await campaigns.list_page(ACCOUNT, "Ended")


async def test_a_campaign_needs_known_firmware_and_devices_with_licenses(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 2)
    schedule = session.software.campaigns.schedule
    for changes, said in (
        ({}, "has no license"),
        ({"firmware_name": "none"}, "firmware could not be found"),
        ({"firmware_to": "9"}, "Invalid firmware version"),
        ({"devices": [IMEI]}, "not in the account"),
    ):
        with pytest.raises(errors.BadRequest, match=said):
            await schedule(ACCOUNT, await wanting(cloud, session, **{"devices": devices} | changes))
    automatic = await wanting(cloud, session, devices, auto_assign_licenses=True)
    campaign = await schedule(ACCOUNT, automatic)
    assert (await session.software.campaigns.get(ACCOUNT, campaign.id)).auto_assign_licenses
    assert (await session.software.subscription(ACCOUNT)).license_used_count == 2


async def test_a_device_with_other_firmware_fails_in_the_campaign(cloud: Simulator, session: Session) -> None:
    wanted = await package(session)
    devices = [one async for one in session.software.devices.list(ACCOUNT) if one.firmware == wanted.firmware_to]
    campaign = await scheduled(cloud, session, devices[:1])
    cloud.clock.advance(timedelta(hours=5))
    (found,) = [one async for one in session.software.campaigns.devices(ACCOUNT, campaign.id)]
    assert (found.failed, found.result_reason) == (True, "FirmwareVersionMismatch")


# Licenses


async def test_licenses_run_out_and_each_device_has_a_result(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 3)
    licenses = session.software.licenses
    cloud.platform.room(Software).licenses[ACCOUNT].bought = 2
    result = await licenses.assign(ACCOUNT, DeviceListRequest(devices=devices))
    assert (result.license_count, result.license_used_count) == (2, 2)
    assert [one.status for one in result.devices] == ["Success", "Success", "Failure"]
    assert result.devices[2].result_reason == "all 2 are in use"
    assert (await session.software.subscription(ACCOUNT)).licenses_left == 0
    again = await licenses.assign(ACCOUNT, DeviceListRequest(devices=devices[:1]))
    assert again.devices[0].result_reason == "assigned already"
    removed = await licenses.remove(ACCOUNT, DeviceListRequest(devices=devices))
    assert [one.status for one in removed.devices] == ["Success", "Success", "Failure"]


async def test_licensed_devices_are_walked_over_the_end_of_a_page(cloud: Simulator, session: Session) -> None:
    devices = [one async for one in session.software.devices.list(ACCOUNT)][:9]
    await session.software.licenses.assign(ACCOUNT, DeviceListRequest(devices=devices))
    found = [one async for one in session.software.licenses.list(ACCOUNT)]
    assert [one.device_id for one in found] == [one.device_id for one in devices]
    assigned = found[0].assignment_time
    assert assigned is not None
    assert abs(assigned - cloud.clock.now()) < timedelta(seconds=1)
    page = await session.software.licenses.list_page(ACCOUNT)
    assert (page.assigned_licenses, page.has_more_data) == (9, True)


async def test_the_license_of_an_upgraded_device_stays(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 2)
    await scheduled(cloud, session, devices[:1])
    await session.software.licenses.assign(ACCOUNT, DeviceListRequest(devices=devices[1:]))
    cloud.clock.advance(timedelta(hours=5))
    result = await session.software.licenses.remove(ACCOUNT, DeviceListRequest(devices=devices))
    assert [one.status for one in result.devices] == ["Failure", "Success"]
    assert "its license stays" in (result.devices[0].result_reason or "")


# Listeners


async def test_an_account_has_one_url(session: Session) -> None:
    callbacks = session.software.callbacks
    assert (await callbacks.get(ACCOUNT)).url is None
    with pytest.raises(errors.BadRequest, match="No callback"):
        await callbacks.update(ACCOUNT, SoftwareCallbackRequest(url="http://127.0.0.1:9/a"))
    await callbacks.register(ACCOUNT, SoftwareCallbackRequest(url="http://127.0.0.1:9/a"))
    assert (await callbacks.get(ACCOUNT)).url == "http://127.0.0.1:9/a"
    changed = await callbacks.update(ACCOUNT, SoftwareCallbackRequest(url="http://127.0.0.1:9/b"))
    assert changed.url == "http://127.0.0.1:9/b"
    assert (await callbacks.deregister(ACCOUNT)).success
    with pytest.raises(errors.BadRequest, match="No callback"):
        await callbacks.deregister(ACCOUNT)


# Pages that cannot be walked


@pytest.mark.parametrize(
    ("call", "path", "member"),
    [
        ("devices.list", f"/devices/{ACCOUNT}", "deviceList"),
        ("licenses.list", f"/licenses/{ACCOUNT}", "deviceList"),
    ],
)
async def test_a_page_that_promises_more_without_a_way_on_is_unreadable(
    scripted: Session, canned: aioresponses, call: str, path: str, member: str
) -> None:
    canned.get(f"{PLACE}{path}", payload={"hasMoreData": True, member: []})
    room, _, method = call.partition(".")
    walk = getattr(getattr(scripted.software, room), method)
    with pytest.raises(errors.AnswerUnreadable, match="it has no last seen id"):
        _ = [one async for one in walk(ACCOUNT)]


async def test_a_page_that_leads_back_is_unreadable(scripted: Session, canned: aioresponses) -> None:
    page = {"hasMoreData": True, "lastSeenDeviceId": IMEI, "deviceList": [{"deviceId": IMEI}]}
    canned.get(f"{PLACE}/devices/{ACCOUNT}", payload=page)
    canned.get(f"{PLACE}/devices/{ACCOUNT}?lastSeenDeviceId={IMEI}", payload=page)
    with pytest.raises(errors.AnswerUnreadable, match="leads back"):
        _ = [one async for one in scripted.software.devices.list(ACCOUNT)]
