"""Software management v2: a file campaign from the upload to the logs, and each call beside it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from aioresponses import aioresponses

from tests.rooms.software.passing import passing
from thingspace_async import DeviceId, Session, errors
from thingspace_async.simulator import Assumptions, Simulator
from thingspace_async.simulator.rooms.software import Software
from thingspace_async.software import (
    CampaignStatus,
    ChangeDevicesRequest,
    DeviceChange,
    DeviceListRequest,
    DeviceUpgradeStatus,
    RemovalListRequest,
    RemovalMode,
    SoftwareCallbackRequest,
    TimeWindow,
)
from thingspace_async.software.v2 import (
    AccountDevice,
    Campaign,
    CampaignDatesRequest,
    CampaignRequest,
    ConfigurationFileUpload,
    DeviceLog,
    DistributionType,
    FileCampaignRequest,
    LoggingRequest,
    SoftwareCampaignRequest,
    Version2,
)

ACCOUNT = "0000123456-00001"
PLACE = "http://127.0.0.1:1/api/fota/v2"
TODAY = date(2026, 1, 15)
"""The simulator's first day, on which it starts at noon."""
IMEI = "990013907835573"
FAST = timedelta(milliseconds=1)


@pytest.fixture
def http(session: Session) -> Version2:
    return session.software.v2


async def licensed(http: Version2, count: int) -> list[AccountDevice]:
    devices = [device async for device in http.devices.list(ACCOUNT)][:count]
    await http.licenses.assign(ACCOUNT, DeviceListRequest(devices=devices))
    return devices


def file_of(**changes: Any) -> FileCampaignRequest:
    given = {"file_name": "configfile-Quectel_BG96_interval.conf", "file_version": "1.0", "distribution_type": "HTTP"}
    return FileCampaignRequest(
        **{**given, "start_date": TODAY, "end_date": TODAY + timedelta(days=3), "devices": [IMEI], **changes}
    )


def software_of(**changes: Any) -> dict[str, Any]:
    return {
        "software_name": "FOTA_Quectel_BG96_3.0_To_BG96_3.1",
        "software_from": "BG96_3.0",
        "software_to": "BG96_3.1",
        "distribution_type": DistributionType.HTTP,
        "start_date": TODAY + timedelta(days=1),
        "end_date": TODAY + timedelta(days=3),
        "devices": [IMEI],
        **changes,
    }


async def upload(http: Version2) -> str:
    uploaded = await http.files.upload(
        ACCOUNT,
        ConfigurationFileUpload(
            file=b"interval=60",
            file_name="interval.conf",
            file_version="1.0",
            make="Quectel",
            model="BG96",
            local_target_path="/etc/interval.conf",
        ),
    )
    assert uploaded.file_name is not None
    return uploaded.file_name


async def scheduled(http: Version2, cloud: Simulator, **changes: Any) -> Campaign:
    """Schedule a campaign for software, and let the platform prepare it."""
    campaign = await http.campaigns.schedule(ACCOUNT, CampaignRequest(**software_of(**changes)))
    cloud.clock.advance(timedelta(minutes=5))
    return campaign


async def test_a_file_campaign_from_the_upload_to_the_logs(cloud: Simulator, http: Version2) -> None:
    good, bad = await licensed(http, 2)
    cloud.platform.room(Software).failures[bad.device_id] = 1_000_000
    name = await upload(http)
    request = file_of(
        file_name=name,
        campaign_name="Interval",
        devices=[good, bad],
        download_after_date=TODAY + timedelta(days=1),
        install_after_date=TODAY + timedelta(days=1),
        download_windows=[TimeWindow(start_time=8, end_time=20)],
        install_windows=[TimeWindow(start_time=20, end_time=24)],
    )
    campaign = await http.campaigns.schedule_file(ACCOUNT, request)
    assert cloud.requests[-1].json["downloadTimeWindowList"] == [{"startTime": "8", "endTime": "20"}]
    assert (campaign.file_name, campaign.file_version, campaign.software_name) == (name, "1.0", None)
    assert (campaign.make, campaign.model, campaign.status) == ("Quectel", "BG96", CampaignStatus.REQUEST_PENDING)
    assert campaign.devices == (good.device_id, bad.device_id)
    assert campaign.install_windows == (TimeWindow(start_time=20, end_time=24),)
    cloud.clock.advance(timedelta(minutes=5))
    async with passing(cloud, "software.v2.campaigns.devices"):
        changes = http.campaigns.follow(ACCOUNT, campaign.id, check_every=FAST)
        followed = {change.device_id: change.status async for change in changes}
    assert followed == {
        good.device_id: DeviceUpgradeStatus.SUCCESS,
        bad.device_id: DeviceUpgradeStatus.FAILED,
    }
    result = await http.campaigns.wait(ACCOUNT, campaign.id)
    assert result.status == CampaignStatus.ENDED
    assert [one.device_id for one in result.succeeded] == [good.device_id]
    assert [(one.device_id, one.result_reason) for one in result.failed] == [(bad.device_id, "DownloadFailed")]
    # Look for the reason in the check-ins and in the logs of the device.
    check_ins = await http.logging.check_ins(ACCOUNT, bad.device_id)
    assert [one.failure_type for one in check_ins if one.result == "UpdateFailed"] == ["DownloadFailed"]
    assert await http.logging.logs(ACCOUNT, bad.device_id) == ()
    enabled = await http.logging.enable(ACCOUNT, LoggingRequest(devices=[bad]))
    assert await http.logging.list(ACCOUNT) == enabled
    cloud.clock.advance(timedelta(days=2))
    logs = await http.logging.logs(ACCOUNT, bad.device_id)
    assert len(logs) == 8
    assert logs[0].event_log is not None
    assert logs[0].data.decode() == logs[0].event_log
    assert b"BG96" in logs[0].data
    assert str(logs[0].binary_log_filename).endswith(".log")
    (history,) = await http.devices.history(ACCOUNT, bad.device_id)
    assert (history.id, history.status, history.reason) == (campaign.id, DeviceUpgradeStatus.FAILED, "DownloadFailed")


async def test_software_is_distributed_to_devices_by_both_addresses(cloud: Simulator, http: Version2) -> None:
    (package,) = await http.packages.list(ACCOUNT, distribution_type="HTTP")
    assert (package.make, package.model, package.launch_date) == ("Quectel", "BG96", date(2025, 3, 1))
    old = [one async for one in http.devices.list(ACCOUNT) if one.software[0].name == "BG96_3.0"]
    one, other = old[:2]
    await http.licenses.assign(ACCOUNT, DeviceListRequest(devices=[one, other]))
    first = await http.campaigns.schedule(ACCOUNT, CampaignRequest(**software_of(devices=[one])))
    window = TimeWindow(start_time=0, end_time=24)
    request = SoftwareCampaignRequest(**software_of(devices=[other], download_windows=[window]))
    second = await http.campaigns.schedule_software(ACCOUNT, request)
    assert second.download_windows == (window,)
    assert (await http.campaigns.get(ACCOUNT, second.id)).software_name == package.software_name
    cloud.clock.advance(timedelta(minutes=5))
    listed = [found.id async for found in http.campaigns.list(ACCOUNT, CampaignStatus.SCHEDULED)]
    assert listed == [first.id, second.id]
    cloud.clock.advance(timedelta(days=2))
    for campaign in (first, second):
        assert [found.succeeded async for found in http.campaigns.devices(ACCOUNT, campaign.id)] == [True]
    found = {device.device_id: device async for device in http.devices.list(ACCOUNT)}
    assert [found[device.device_id].software[0].name for device in (one, other)] == ["BG96_3.1", "BG96_3.1"]


# Campaigns


async def test_a_campaign_is_cancelled_before_its_first_day_and_aborted_afterwards(
    cloud: Simulator, http: Version2
) -> None:
    devices = await licensed(http, 1)
    early, late = [await scheduled(http, cloud, devices=devices) for _ in range(2)]
    assert (await http.campaigns.cancel(ACCOUNT, early.id)).success
    assert (await http.campaigns.get(ACCOUNT, early.id)).status == CampaignStatus.CANCELLED
    with pytest.raises(errors.BadRequest, match="cannot be cancelled"):
        await http.campaigns.cancel(ACCOUNT, early.id)
    with pytest.raises(errors.BadRequest, match="cannot be changed"):
        await http.campaigns.update_dates(ACCOUNT, early.id, CampaignDatesRequest.of(early))
    cloud.clock.advance(timedelta(days=1))
    await http.campaigns.cancel(ACCOUNT, late.id)
    assert (await http.campaigns.get(ACCOUNT, late.id)).status == CampaignStatus.ABORTED


async def test_devices_are_added_and_removed_only_until_the_campaign_is_scheduled(
    cloud: Simulator, http: Version2
) -> None:
    one, two, three = await licensed(http, 3)
    campaign = await http.campaigns.schedule(ACCOUNT, CampaignRequest(**software_of(devices=[one, two])))
    added = ChangeDevicesRequest(change=DeviceChange.APPEND, devices=[three])
    accepted = await http.campaigns.update_devices(ACCOUNT, campaign.id, added)
    assert accepted.campaign_id == campaign.id
    assert [device.imei for device in accepted.devices] == [three.device_id]
    removed = ChangeDevicesRequest(change="remove", devices=[one])
    await http.campaigns.update_devices(ACCOUNT, campaign.id, removed)
    found = [device.device_id async for device in http.campaigns.devices(ACCOUNT, campaign.id)]
    assert found == sorted([two.device_id, three.device_id])
    cloud.clock.advance(timedelta(minutes=5))
    for request in (added, removed):
        with pytest.raises(errors.BadRequest, match="cannot be changed"):
            await http.campaigns.update_devices(ACCOUNT, campaign.id, request)


async def test_dates_are_replaced_and_after_the_start_only_the_end_moves(cloud: Simulator, http: Version2) -> None:
    devices, morning = await licensed(http, 1), TimeWindow(start_time=6, end_time=12)
    campaign = await scheduled(http, cloud, devices=devices, download_windows=[morning])
    tomorrow = TODAY + timedelta(days=1)
    earlier = CampaignDatesRequest.of(campaign, end_date=tomorrow, download_after_date=tomorrow)
    assert earlier.download_windows == (morning,)
    changed = await http.campaigns.update_dates(ACCOUNT, campaign.id, earlier)
    assert (changed.end_date, changed.download_after_date) == (tomorrow, tomorrow)
    cloud.clock.advance(timedelta(hours=16))
    for wrong in (
        CampaignDatesRequest.of(changed, start_date=TODAY),
        CampaignDatesRequest.of(changed, download_windows=[TimeWindow(start_time=8, end_time=9)]),
    ):
        with pytest.raises(errors.BadRequest, match="has begun"):
            await http.campaigns.update_dates(ACCOUNT, campaign.id, wrong)
    later = CampaignDatesRequest.of(changed, end_date=TODAY + timedelta(days=5))
    assert (await http.campaigns.update_dates(ACCOUNT, campaign.id, later)).end_date == TODAY + timedelta(days=5)
    with pytest.raises(errors.BadRequest, match="too early"):
        await http.campaigns.update_dates(ACCOUNT, campaign.id, CampaignDatesRequest.of(changed, end_date=tomorrow))


def test_new_dates_name_only_dates_that_exist() -> None:
    campaign = Campaign(id="1", start_date=TODAY, end_date=TODAY)
    with pytest.raises(errors.InvalidRequest, match="has no software_name"):
        CampaignDatesRequest.of(campaign, software_name="x")
    with pytest.raises(errors.InvalidRequest, match="end_date must be a date, not NoneType"):
        CampaignDatesRequest.of(Campaign(id="1", start_date=TODAY))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"start_date": TODAY - timedelta(days=1)}, "in the past"),
        ({"devices": ["990013907835573"]}, "is not in the account"),
        ({"software_name": "Unknown"}, "could not be found"),
        ({"software_from": "BG96_2.0"}, "Invalid software version"),
        ({"distribution_type": "LWM2M"}, "Invalid distributionType"),
    ],
)
async def test_the_platforms_refusals_are_bad_requests(http: Version2, changes: dict[str, Any], reason: str) -> None:
    devices = await licensed(http, 1)
    request = CampaignRequest(**software_of(**{"devices": devices, **changes}))
    with pytest.raises(errors.BadRequest, match=reason):
        await http.campaigns.schedule(ACCOUNT, request)


async def test_a_device_without_a_license_and_an_unknown_file_are_refused(http: Version2) -> None:
    devices = [device async for device in http.devices.list(ACCOUNT)][:1]
    with pytest.raises(errors.BadRequest, match="has no license"):
        await http.campaigns.schedule(ACCOUNT, CampaignRequest(**software_of(devices=devices)))
    with pytest.raises(errors.BadRequest, match="file could not be found"):
        await http.campaigns.schedule_file(ACCOUNT, file_of(devices=devices))


_ODD_WINDOWS: Any = [
    ([TimeWindow(start_time=8, end_time=8)], "has a window of no hours, at 0"),
    ([TimeWindow(start_time=22, end_time=2)], "has a window over midnight, at 0"),
    ([{"start_time": 8, "end_time": 9}], ""),
    (7, ""),
]


@pytest.mark.parametrize(("windows", "reason"), _ODD_WINDOWS)
@pytest.mark.parametrize("name", ["download_windows", "install_windows"])
@pytest.mark.parametrize("model", [CampaignRequest, SoftwareCampaignRequest])
def test_a_window_without_hours_is_refused(model: type, name: str, windows: Any, reason: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=rf"^{model.__name__}: {name} .*{reason}"):
        model(**software_of(**{name: windows}))


@pytest.mark.parametrize("name", ["start_date", "download_after_date", "install_after_date"])
def test_a_day_after_the_end_is_refused(name: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"FileCampaignRequest: {name} is after end_date"):
        file_of(**{name: TODAY + timedelta(days=4)})


@pytest.mark.parametrize("devices", [[], ["1"], [DeviceId.mdn("5125550123")], [7], None])
def test_devices_are_imeis(devices: Any) -> None:
    makers: tuple[Any, ...] = (file_of, LoggingRequest, RemovalListRequest)
    for make in makers:
        with pytest.raises(errors.InvalidRequest, match="devices"):
            make(devices=devices)


# Pages


async def test_devices_licenses_and_removals_are_walked_over_the_end_of_a_page() -> None:
    async with (
        Simulator(devices=60, assumptions=Assumptions(software_page=3)) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        http = session.software.v2
        page = await http.devices.list_page(ACCOUNT)
        assert (len(page.devices), page.has_more_data, page.max_page_size) == (3, True, 3)
        second = await http.devices.list_page(
            ACCOUNT, last_seen_device_id=page.last_seen_device_id, distribution_type="HTTP"
        )
        everything = [device async for device in http.devices.list(ACCOUNT)]
        assert tuple(everything[3:6]) == second.devices
        imeis = [device.device_id for device in everything]
        assert len(imeis) > 6
        assert sorted(set(imeis)) == imeis
        assigned = await http.licenses.assign(ACCOUNT, DeviceListRequest(devices=everything))
        assert assigned.license_used_count == len(imeis)
        assert [device.device_id async for device in http.licenses.list(ACCOUNT)] == imeis
        overview = await http.licenses.list_page(ACCOUNT)
        assert (overview.total_licenses, overview.assigned_licenses) == (20_000, len(imeis))
        assert overview.devices[0].assignment_time is not None
        await http.licenses.plan_removal(ACCOUNT, RemovalListRequest(devices=imeis[::-1]))
        assert [imei async for imei in http.licenses.planned_removals(ACCOUNT)] == imeis[::-1]
        last = await http.licenses.planned_removals_page(ACCOUNT, start_index=len(imeis) - 1)
        assert (last.devices, last.next, last.count) == ((imeis[0],), None, len(imeis))
        campaign = await http.campaigns.schedule(ACCOUNT, CampaignRequest(**software_of(devices=imeis)))
        assert [one.device_id async for one in http.campaigns.devices(ACCOUNT, campaign.id)] == imeis


@pytest.mark.parametrize(
    ("path", "body", "walk"),
    [
        (f"devices/{ACCOUNT}", {"deviceList": []}, lambda http: http.devices.list(ACCOUNT)),
        (f"licenses/{ACCOUNT}", {"deviceList": []}, lambda http: http.licenses.list(ACCOUNT)),
        (f"reports/{ACCOUNT}/campaigns?campaignStatus=x", {}, lambda http: http.campaigns.list(ACCOUNT, "x")),
        (f"reports/{ACCOUNT}/campaigns/1/devices", {}, lambda http: http.campaigns.devices(ACCOUNT, "1")),
        (f"licenses/{ACCOUNT}/cancel?startIndex=0", {}, lambda http: http.licenses.planned_removals(ACCOUNT)),
    ],
)
async def test_a_page_that_promises_more_without_a_way_on_is_unreadable(
    scripted: Session, canned: aioresponses, path: str, body: dict[str, Any], walk: Any
) -> None:
    canned.get(f"{PLACE}/{path}", payload={**body, "hasMoreData": True})
    with pytest.raises(errors.AnswerUnreadable, match="promises more"):
        _ = [one async for one in walk(scripted.software.v2)]


async def test_a_page_that_leads_back_is_unreadable(scripted: Session, canned: aioresponses) -> None:
    more = {"accountName": ACCOUNT, "deviceList": [], "hasMoreData": True, "lastSeenDeviceId": IMEI}
    canned.get(f"{PLACE}/devices/{ACCOUNT}", payload=more)
    canned.get(f"{PLACE}/devices/{ACCOUNT}?lastSeenDeviceId={IMEI}", payload=more)
    with pytest.raises(errors.AnswerUnreadable, match="leads back"):
        _ = [one async for one in scripted.software.v2.devices.list(ACCOUNT)]


async def test_no_campaign_with_a_status_is_an_empty_page(http: Version2) -> None:
    page = await http.campaigns.list_page(ACCOUNT, "CampaignEnded")
    assert (page.campaigns, page.has_more_data) == (None, False)
    assert [one async for one in http.campaigns.list(ACCOUNT, CampaignStatus.ENDED)] == []


@pytest.mark.parametrize("wrapped", [True, False])
async def test_files_may_come_in_a_wrapped_list(scripted: Session, canned: aioresponses, *, wrapped: bool) -> None:
    files = [{"fileName": "a"}]
    payload: Any = {"AvailableFilesResponse": files} if wrapped else files
    canned.get(f"{PLACE}/files/{ACCOUNT}?distributionType=HTTP", payload=payload)
    (found,) = await scripted.software.v2.files.list(ACCOUNT)
    assert found.file_name == "a"


# Licenses


async def test_a_license_is_stuck_to_an_upgraded_device(cloud: Simulator, http: Version2) -> None:
    used, unused = await licensed(http, 2)
    name = await upload(http)
    await http.campaigns.schedule_file(ACCOUNT, file_of(file_name=name, devices=[used]))
    cloud.clock.advance(timedelta(days=1))
    removed = await http.licenses.remove(ACCOUNT, DeviceListRequest(devices=[used, unused]))
    assert (removed.license_count, removed.license_used_count) == (20_000, 1)
    found = {device.device_id: device.result_reason for device in removed.devices}
    assert "its license stays" in str(found[used.device_id])
    assert [device.device_id async for device in http.licenses.list(ACCOUNT)] == [used.device_id]


async def test_removals_are_added_by_default_replaced_on_request_and_deleted(cloud: Simulator, http: Version2) -> None:
    one, two, three = [device.device_id async for device in http.devices.list(ACCOUNT)][:3]
    plan = http.licenses.plan_removal
    await plan(ACCOUNT, RemovalListRequest(devices=[one]))
    assert cloud.requests[-1].json == {"deviceList": [one], "type": "append"}
    assert (await plan(ACCOUNT, RemovalListRequest(devices=[two]))).devices == (one, two)
    replaced = await plan(ACCOUNT, RemovalListRequest(devices=[three], mode=RemovalMode.REPLACE))
    assert (replaced.count, replaced.devices) == (1, (three,))
    assert (await http.licenses.cancel_removal(ACCOUNT)).success
    assert (await http.licenses.planned_removals_page(ACCOUNT)).devices == ()
    with pytest.raises(errors.BadRequest):
        await http.licenses.cancel_removal(ACCOUNT)


async def test_the_subscription_counts_licenses(cloud: Simulator, http: Version2) -> None:
    await licensed(http, 2)
    subscription = await http.subscription(ACCOUNT)
    assert (subscription.license_count, subscription.license_used_count) == (20_000, 2)
    assert subscription.needs_licenses
    cloud.platform.room(Software).purchase_types[ACCOUNT] = "TS-HFOTA-EVNT"
    assert not (await http.subscription(ACCOUNT)).needs_licenses


# Logs


async def test_logging_is_turned_on_and_off_for_one_or_several_devices(cloud: Simulator, http: Version2) -> None:
    one, two, three = [device async for device in http.devices.list(ACCOUNT)][:3]
    single = await http.logging.enable_device(ACCOUNT, one.device_id)
    assert (single.device_id, single.expiry_date) == (one.device_id, TODAY + timedelta(days=7))
    await http.logging.enable(ACCOUNT, LoggingRequest(devices=[two, three]))
    await http.logging.disable_device(ACCOUNT, one.device_id)
    assert {device.device_id for device in await http.logging.list(ACCOUNT)} == {two.device_id, three.device_id}
    await http.logging.disable(ACCOUNT, [two, three.device_id])
    assert cloud.requests[-1].query == {"deviceIds": f"{two.device_id},{three.device_id}"}
    assert await http.logging.list(ACCOUNT) == ()


async def test_more_than_twenty_devices_are_refused_before_sending(cloud: Simulator, http: Version2) -> None:
    many = [f"{IMEI[:13]}{number:02}" for number in range(21)]
    before = len(cloud.requests)
    with pytest.raises(
        errors.InvalidRequest, match=r"software\.v2\.logging\.enable: devices may hold 20 IMEIs, not 21"
    ):
        await http.logging.enable(ACCOUNT, LoggingRequest(devices=many))
    for wrong, reason in ((many, "may hold 20 IMEIs, not 21"), ([], "devices"), (["1"], "devices has an item")):
        with pytest.raises(errors.InvalidRequest, match=rf"^software\.v2\.logging\.disable: .*{reason}"):
            await http.logging.disable(ACCOUNT, wrong)
    assert len(cloud.requests) == before


def test_a_log_file_that_is_not_base64_is_unreadable() -> None:
    log = DeviceLog(device_id=IMEI, binary_log_file_base64="?")
    with pytest.raises(errors.AnswerUnreadable, match="binaryLogFileBase64"):
        _ = log.data
    assert DeviceLog(device_id=IMEI).data == b""
    assert "AAAA" not in repr(DeviceLog(device_id=IMEI, binary_log_file_base64="AAAA"))


# Callbacks


async def test_an_account_has_one_url(http: Version2) -> None:
    first = SoftwareCallbackRequest(url="http://127.0.0.1:9/one")
    assert (await http.callbacks.get(ACCOUNT)).url is None
    with pytest.raises(errors.BadRequest):
        await http.callbacks.update(ACCOUNT, first)
    assert (await http.callbacks.register(ACCOUNT, first)).url == first.url
    second = SoftwareCallbackRequest(url="http://127.0.0.1:9/two")
    await http.callbacks.update(ACCOUNT, second)
    assert (await http.callbacks.get(ACCOUNT)).url == second.url
    assert (await http.callbacks.deregister(ACCOUNT)).success
    assert (await http.callbacks.get(ACCOUNT)).url is None
