"""Location: requests, limits checked before sending, pages, the secret of listeners, and whole workflows."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from aioresponses import aioresponses

from tests.simulator.listener import listening
from thingspace_async import DeviceId, Session, errors
from thingspace_async._core.types import DeviceIds
from thingspace_async.callbacks import MemoryInbox, Outcomes, Receiver
from thingspace_async.callbacks.messages import LocationMessage
from thingspace_async.devices import Device
from thingspace_async.location import (
    AccuracyMode,
    CacheMode,
    ConsentCreateRequest,
    ConsentUpdateRequest,
    ExcludeDevicesRequest,
    ExclusionMode,
    LocationDevice,
    LocationRequest,
    LocationService,
    LocationUsageRequest,
    PeriodicLocationRequest,
    RegisterLocationCallbackRequest,
    ReportStatus,
)
from thingspace_async.simulator import Simulator

ACCOUNT = "0000123456-00001"
PLACE = "http://127.0.0.1:1/api/loc/v1"
IMEI = "990013907835573"
TRUCK = LocationDevice(id=IMEI, kind="imei", mdn="5125550123")


async def active(session: Session, count: int) -> list[Device]:
    found = [one async for one in session.devices.list(account_name=ACCOUNT, current_state="active")]
    return found[:count]


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    """A simulator whose active devices can all be located, with a clock that only tests move."""
    async with Simulator(devices=40) as cloud:
        cloud.clock.speed = 0
        for device in cloud.devices:
            if device.state == "active":
                cloud.set_locatable(device, locatable=True)
        yield cloud


@pytest.fixture
async def session(cloud: Simulator) -> AsyncIterator[Session]:
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        yield session


def wanting(devices: Any, **changes: Any) -> LocationRequest:
    return LocationRequest(**{"account_name": ACCOUNT, "devices": devices, "cache_mode": CacheMode.CURRENT} | changes)


# Requests


def test_a_device_of_an_answer_is_named_by_its_best_identifier_and_its_phone_number() -> None:
    device = DeviceIds(device_ids=(DeviceId.mdn("5125550123"), DeviceId.imei(IMEI)))
    assert wanting([device, TRUCK]).devices == (TRUCK, TRUCK)


@pytest.mark.parametrize(
    "device", [DeviceIds(device_ids=(DeviceId.imei(IMEI),)), DeviceIds(device_ids=(DeviceId.mdn("5125550123"),))]
)
def test_a_device_that_the_platform_could_not_locate_is_refused_with_its_place(device: DeviceIds) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"devices has a device without both an MDN and another.*, at 1"):
        wanting([TRUCK, device])


@pytest.mark.parametrize("given", [TRUCK, "trucks", 5, []])
def test_only_devices_can_be_located(given: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="LocationRequest: devices must"):
        wanting(given)


def test_identifiers_of_a_device_are_checked() -> None:
    with pytest.raises(errors.InvalidRequest, match="LocationDevice: has the imei 12"):
        LocationDevice(id="12", kind="imei", mdn="5125550123")
    with pytest.raises(errors.InvalidRequest, match="LocationDevice: mdn has the mdn 12"):
        LocationDevice(id=IMEI, kind="imei", mdn="12")


async def test_more_devices_than_a_call_takes_are_refused_before_anything_is_sent(
    cloud: Simulator, session: Session
) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"20 devices, not 21: use request_locations or reports\.create"):
        await session.location.locate(wanting([TRUCK] * 21))
    with pytest.raises(errors.InvalidRequest, match="may hold 10,000 LocationDevice, not 10,001"):
        wanting([TRUCK] * 10_001)
    assert cloud.count("location.locate") == 0


async def test_precise_locations_are_not_available_at_once(session: Session) -> None:
    with pytest.raises(errors.InvalidRequest, match="only coarse locations"):
        await session.location.locate(wanting([TRUCK], accuracy_mode=AccuracyMode.PRECISE))


def test_an_exclusion_is_appended_unless_the_request_says_otherwise() -> None:
    request = ExcludeDevicesRequest(account_name=ACCOUNT, device_ids=[IMEI])
    assert request.mode is ExclusionMode.APPEND
    assert request.to_dict() == {"accountName": ACCOUNT, "exclusion": [IMEI], "type": "append"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give device_ids or all_devices"),
        ({"device_ids": [IMEI], "all_devices": True}, "either device_ids or all_devices, not both"),
        ({"device_ids": IMEI}, "must be a tuple of str"),
        ({"device_ids": [IMEI] * 2001}, "may hold 2,000 str, not 2,001"),
        ({"device_ids": [IMEI], "mode": 5}, "mode must be an ExclusionMode"),
    ],
)
def test_an_exclusion_that_the_platform_would_refuse_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        ExcludeDevicesRequest(account_name=ACCOUNT, **given)


@pytest.mark.parametrize("given", [[], IMEI, 5, ["a,b"], [""], [None], [IMEI] * 2001])
async def test_exclusions_that_cannot_be_named_in_a_query_are_refused(session: Session, given: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"location\.exclusions\.remove: device_ids "):
        await session.location.exclusions.remove(ACCOUNT, given)


async def test_an_account_in_a_query_is_checked(session: Session) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"location\.cancel: account_name"):
        await session.location.cancel("", "1")


def test_dates_of_usage_are_written_as_the_platform_writes_them() -> None:
    first = datetime(2026, 4, 1, 12, tzinfo=UTC)
    request = LocationUsageRequest(account_name=ACCOUNT, start_date=first, end_date=date(2026, 4, 30))
    assert (request.start_date, request.end_date) == ("04-01-2026", "04-30-2026")


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (date(2026, 5, 1), date(2026, 4, 30), "start_date is after end_date"),
        ("2026-04-01", "04-30-2026", "start_date must be a date"),
        ("04-01-2026", "04-31-2026", "end_date must be a date"),
        (5, "04-30-2026", "start_date must be a date"),
    ],
)
def test_dates_that_are_no_span_are_refused(first: Any, last: Any, said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        LocationUsageRequest(account_name=ACCOUNT, start_date=first, end_date=last)


# Answers


async def test_devices_are_located_at_once(cloud: Simulator, session: Session) -> None:
    devices = await active(session, 3)
    lost = next(one for one in cloud.devices if one.mdn == devices[2].mdn)
    cloud.set_locatable(lost, locatable=False)
    first, _, last = await session.location.locate(wanting(devices))
    assert (first.msid, first.failed, first.time) == (devices[0].mdn, False, cloud.clock.now().replace(microsecond=0))
    assert first.latitude is not None
    assert first.longitude is not None
    assert 24 < first.latitude < 50
    assert -125 < first.longitude < -66
    assert first.accuracy is not None
    assert last.failed
    assert last.error is not None
    assert (last.error.type, last.error.info) == ("POSITION METHOD FAILURE", "Exception code=ABSENT SUBSCRIBER")
    assert (await session.location.subscription(ACCOUNT)).used_allowance == "2"


async def test_an_excluded_device_is_a_bad_request(session: Session) -> None:
    devices = await active(session, 1)
    await session.location.exclusions.add(ExcludeDevicesRequest(account_name=ACCOUNT, device_ids=devices))
    with pytest.raises(errors.BadRequest, match="Consent check failed") as caught:
        await session.location.locate(wanting(devices))
    assert caught.value.code == "INVALID_PARAMETER"


async def test_exclusions_are_added_replaced_walked_and_removed(cloud: Simulator, session: Session) -> None:
    cloud.assumptions = attrs.evolve(cloud.assumptions, location_exclusion_page=2)
    exclusions = session.location.exclusions
    for names in (["1", "2", "3"], ["4", "5"]):
        await exclusions.add(ExcludeDevicesRequest(account_name=ACCOUNT, device_ids=names))
    assert [one async for one in exclusions.list(ACCOUNT)] == ["1", "2", "3", "4", "5"]
    assert cloud.count("location.exclusions.list") == 3
    await exclusions.remove(ACCOUNT, ["1", DeviceId.imei(IMEI)])
    page = await exclusions.list_page(ACCOUNT)
    assert (page.device_ids, page.total_count, page.all_devices, page.next) == (("2", "3"), 4, False, 2)
    assert page.update_time == cloud.clock.now().replace(microsecond=0)
    await exclusions.add(ExcludeDevicesRequest(account_name=ACCOUNT, device_ids=["9"], mode=ExclusionMode.REPLACE))
    assert [one async for one in exclusions.list(ACCOUNT)] == ["9"]
    await exclusions.add(ExcludeDevicesRequest(account_name=ACCOUNT, all_devices=True))
    assert (await exclusions.list_page(ACCOUNT, start_index=1)).all_devices is True


@pytest.mark.parametrize(("given", "following"), [("7", 7), (None, 2), ("0", 2), ("x", 2)])
async def test_the_next_page_of_exclusions_begins_where_the_answer_says(
    canned: aioresponses, scripted: Session, given: str | None, following: int
) -> None:
    page = {"hasMoreData": True, "exclusion": ["1", "2"], "startIndex": given}
    canned.get(f"{PLACE}/consents/{ACCOUNT}/index/0", payload=page)
    assert (await scripted.location.exclusions.list_page(ACCOUNT)).next == following


async def test_a_promised_page_that_is_empty_is_an_error(canned: aioresponses, scripted: Session) -> None:
    canned.get(f"{PLACE}/locationreports/{ACCOUNT}/report/1/index/0", payload={"hasMoreData": True})
    with pytest.raises(errors.AnswerUnreadable, match="the page is empty"):
        await scripted.location.reports.locations_page(ACCOUNT, "1")


@pytest.mark.parametrize("header", ["Shared-Key", "shared-key", "X-Other"])
async def test_the_secret_of_a_listener_is_never_shown(canned: aioresponses, scripted: Session, header: str) -> None:
    payload = {"account": ACCOUNT, "name": "Location"}
    canned.post(f"{PLACE}/callbacks/{ACCOUNT}", payload=payload, headers={header: "s3cret"})
    request = RegisterLocationCallbackRequest(name="Location", url="https://example.com/Location")
    registered = await scripted.location.callbacks.register(ACCOUNT, request)
    assert (registered.account_name, registered.name) == (ACCOUNT, LocationService.LOCATION)
    found = registered.headers[header] if registered.secret is None else registered.secret
    assert found.reveal() == "s3cret"
    assert (registered.secret is None) == (header == "X-Other")
    assert "s3cret" not in f"{registered!r} {registered.to_json()} {registered.headers}"


async def test_a_session_that_expired_is_renewed_although_only_the_message_says_so(
    cloud: Simulator, session: Session
) -> None:
    cloud.expire_sessions()
    assert (await session.location.subscription(ACCOUNT)).max_allowance == "5000"
    refused = next(one for one in cloud.requests if one.status == 400)
    assert b'"INVALID_PARAMETER"' in refused.answer
    assert b"The Session has expired." in refused.answer


async def test_usage_is_counted_by_day_and_account(cloud: Simulator, session: Session) -> None:
    cloud.add_account("0000123456-00002")
    await session.location.locate(wanting(await active(session, 2)))
    cloud.clock.advance(timedelta(days=1))
    await session.location.locate(wanting(await active(session, 1)))
    day = cloud.clock.now().date()
    request = LocationUsageRequest(account_name=ACCOUNT, start_date=day, end_date=day, usage_for_all_accounts=True)
    usage = await session.location.usage(request)
    assert (usage.total_transaction_count, usage.usage_for_all_accounts) == ("1", True)
    assert usage.primary_account is not None
    assert usage.primary_account.transactions_count == "1"
    assert [one.account_name for one in usage.managed_accounts] == ["0000123456-00002"]


async def test_listeners_are_registered_listed_and_removed(session: Session) -> None:
    callbacks = session.location.callbacks
    request = RegisterLocationCallbackRequest(name=LocationService.LOCATION, url="http://127.0.0.1:9/Location")
    first = await callbacks.register(ACCOUNT, request)
    second = await callbacks.register(ACCOUNT, request)
    assert first.secret is not None
    assert first.secret != second.secret
    assert [(one.name, one.url) for one in await callbacks.list(ACCOUNT)] == [(request.name, request.url)]
    assert (await callbacks.deregister(ACCOUNT, LocationService.LOCATION)).success is True
    assert await callbacks.list(ACCOUNT) == ()


# Workflows


async def test_from_the_consent_over_the_report_to_its_last_page(cloud: Simulator, session: Session) -> None:
    cloud.assumptions = attrs.evolve(cloud.assumptions, location_report_page=4)
    devices, location = await active(session, 10), session.location
    await location.consents.update(ConsentUpdateRequest(account_name=ACCOUNT, all_device_consent=0))
    cloud.clock.advance(61)
    assert (await location.consents.get(ACCOUNT)).all_device_consent == 0
    with pytest.raises(errors.BadRequest, match="Consent check failed"):
        await location.locate(wanting(devices))

    accepted = await location.consents.create(ConsentCreateRequest(account_name=ACCOUNT, devices=devices[:9]))
    assert (accepted.status, len(accepted.devices)) == ("QUEUED", 9)
    cloud.clock.advance(61)
    (consent,) = (await location.consents.get(ACCOUNT, device_id=devices[0].imei)).devices
    assert (consent.id, consent.mdn, consent.consent) == (devices[0].imei, devices[0].mdn, 3)

    report = await location.reports.create(wanting(devices))
    assert (report.status, len(report.devices)) == (ReportStatus.QUEUED, 10)
    states = []
    for _ in range(3):
        states.append((await location.reports.status(ACCOUNT, report.request_id)).status)
        cloud.clock.advance(30)
    assert states == ["QUEUED", "INPROGRESS", "COMPLETED"]
    found = [one async for one in location.reports.locations(ACCOUNT, report.request_id)]
    assert [one.msid for one in found] == [one.mdn for one in devices]
    assert [one.failed for one in found] == [False] * 9 + [True]
    assert cloud.count("location.reports.locations") == 3


async def test_a_report_can_be_cancelled_only_while_it_is_queued(cloud: Simulator, session: Session) -> None:
    reports, devices = session.location.reports, await active(session, 1)
    early, late = [await reports.create(wanting(devices)) for _ in range(2)]
    assert (await reports.cancel(ACCOUNT, early.request_id)).request_id == early.request_id
    assert (await reports.status(ACCOUNT, early.request_id)).status == "CANCELLED"
    cloud.clock.advance(20)
    with pytest.raises(errors.BadRequest, match="Unable to Cancel"):
        await reports.cancel(ACCOUNT, late.request_id)


async def test_each_location_arrives_signed_and_ends_the_wait_for_its_device(
    cloud: Simulator, session: Session
) -> None:
    devices = await active(session, 3)
    async with listening() as listener, MemoryInbox() as inbox:
        request = RegisterLocationCallbackRequest(name="DeviceLocation", url=f"{listener.url}/DeviceLocation")
        registered = await session.location.callbacks.register(ACCOUNT, request)
        accepted = await session.location.request_locations(wanting(devices))
        cloud.clock.advance(61)
        await cloud.delivered()
        assert registered.secret is not None
        receiver = Receiver(inbox)
        receiver.expect_signed("DeviceLocation", registered.secret)
        for body, headers in zip(listener.bodies, listener.headers, strict=True):
            digest = hmac.new(registered.secret.reveal().encode(), body, hashlib.sha256).hexdigest()
            assert headers["X-Signature"] == digest
            forged = await receiver.handle(body + b" ", headers=headers, peer=None, service="DeviceLocation")
            genuine = await receiver.handle(body, headers=headers, peer=None, service="DeviceLocation")
            assert (forged.status, genuine.status) == (401, 200)
        outcomes = [one async for one in Outcomes(inbox).of(accepted, timeout=timedelta(seconds=5))]
    assert [one.device for one in outcomes] == list(accepted.devices)
    assert all(isinstance(one.message, LocationMessage) and one.message.latitude for one in outcomes)


async def test_a_periodic_request_sends_each_fix_until_it_is_cancelled(cloud: Simulator, session: Session) -> None:
    location, devices = session.location, await active(session, 1)
    await location.consents.update(ConsentUpdateRequest(account_name=ACCOUNT, all_device_consent=2))
    cloud.clock.advance(61)
    request = PeriodicLocationRequest(account_name=ACCOUNT, devices=devices, fix_interval=60, number_of_fixes=5)
    accepted = await location.start_periodic(request)
    cloud.clock.advance(121)
    assert (await location.cancel(ACCOUNT, accepted.request_id)).request_id == accepted.request_id
    cloud.clock.advance(600)
    sent = [one.message for one in cloud.deliveries if one.message.get("txid") == accepted.request_id]
    assert [one["msid"] for one in sent] == [devices[0].mdn] * 2
    assert all(float(one["pd"]["radius"]) <= 15 for one in sent)


async def test_a_queued_request_can_be_cancelled(cloud: Simulator, session: Session) -> None:
    accepted = await session.location.request_locations(wanting(await active(session, 1)))
    await session.location.cancel(ACCOUNT, accepted.request_id)
    cloud.clock.advance(3600)
    assert not [one for one in cloud.deliveries if one.service == "DeviceLocation"]
