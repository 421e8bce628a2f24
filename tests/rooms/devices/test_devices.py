"""Devices: each is listed once, filters have the platform's names, and every iteration ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import orjson
import pytest
from aioresponses import aioresponses

from tests.rooms.conftest import PLACE
from thingspace_async import CustomField, DeviceId, Session, errors
from thingspace_async.devices import (
    AccountDeviceListFilter,
    AccountDeviceListRequest,
    Device,
    DeviceIdSearch,
    DeviceListFilters,
    DeviceUsageListRequest,
    UsageListFilters,
)
from thingspace_async.simulator import Assumptions, Delay, Simulator, Status

EVERYTHING = AccountDeviceListRequest(
    account_name="0000123456-00001",
    device_id=DeviceId(id="8914800000000000000", kind="iccid"),
    filter=AccountDeviceListFilter(
        device_identifier_filters=(
            DeviceIdSearch(kind="imei", contains="35"),
            DeviceIdSearch(kind="mdn", startswith="555", endswith="1"),
        )
    ),
    current_state="active",
    custom_fields=(CustomField(key="CustomField1", value="red"),),
    earliest=datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
    latest=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-5))),
    group_name="pumps",
    service_plan="M2M_4G",
    max_number_of_devices=500,
    largest_device_id_seen=7,
)

LIST = f"{PLACE}/api/m2m/v1/devices/actions/list"


def page(*numbers: int | str | None, more: bool | None = True) -> dict[str, Any]:
    """Write a page of devices with these numbers. None omits the number."""
    devices = [
        {
            "deviceIds": [{"id": str(number), "kind": "imei"}],
            "extendedAttributes": [] if number is None else [{"key": "DeviceId", "value": str(number)}],
        }
        for number in numbers
    ]
    return {"devices": devices} if more is None else {"devices": devices, "hasMoreData": more}


async def walk(session: Session) -> list[str | None]:
    return [device.identifier("imei") async for device in session.devices.list()]


@pytest.mark.parametrize("count", [0, 1, 1999, 2000, 2001, 5000])
async def test_list_yields_every_device_once_with_one_request_per_page(count: int) -> None:
    async with (
        Simulator(devices=count) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        found = [device.identifier("iccid") async for device in session.devices.list(account_name=cloud.account_name)]
        assert len(set(found)) == len(found) == count
        assert cloud.count("devices.list") == max(1, -(-count // 2000))


async def test_the_caller_chooses_page_size_and_start() -> None:
    async with (
        Simulator(devices=50) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        everything = [device async for device in session.devices.list()]
        behind = int(everything[19].extended_attribute("DeviceId") or "")
        wanted = AccountDeviceListRequest(max_number_of_devices=10, largest_device_id_seen=behind)
        assert [device async for device in session.devices.list(wanted)] == everything[20:]
        assert cloud.count("devices.list") == 1 + 3


async def test_exactly_one_page_is_prefetched_while_the_caller_works() -> None:
    async with (
        Simulator(devices=100) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        devices = session.devices.list(AccountDeviceListRequest(max_number_of_devices=10))
        await anext(devices)
        while cloud.count("devices.list") < 2:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert cloud.count("devices.list") == 2
        await devices.aclose()


async def test_a_caller_that_stops_early_leaves_no_request_behind() -> None:
    async with (
        Simulator(devices=100) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        cloud.faults.add("devices.list", Delay(60.0), after=1)
        async for _ in session.devices.list(AccountDeviceListRequest(max_number_of_devices=10)):
            break
        await asyncio.sleep(0.05)
        assert await session.accounts.get(cloud.account_name)


async def test_an_iteration_cancelled_while_it_waits_for_a_page_leaves_no_request_behind() -> None:
    async with (
        Simulator(devices=20) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        cloud.faults.add("devices.list", Delay(60.0), after=1)

        async def everything() -> None:
            async for _ in session.devices.list(AccountDeviceListRequest(max_number_of_devices=10)):
                pass

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(everything(), 0.3)


async def test_leaving_the_session_ends_the_prefetch() -> None:
    async with Simulator(devices=20) as cloud:
        cloud.faults.add("devices.list", Delay(60.0), after=1)
        async with Session(cloud.credentials, environment=cloud.environment) as session:
            devices = session.devices.list(AccountDeviceListRequest(max_number_of_devices=10))
            await anext(devices)
        assert cloud.count("session.log_out") == 1
        await devices.aclose()


async def test_a_page_that_fails_once_is_requested_again_and_nothing_is_lost() -> None:
    async with (
        Simulator(devices=30) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        cloud.faults.add("devices.list", Status(503), after=1)
        found = [device async for device in session.devices.list(AccountDeviceListRequest(max_number_of_devices=10))]
        assert len(found) == 30
        assert cloud.count("devices.list") == 4


async def test_a_page_that_fails_permanently_is_an_error_after_the_devices_before_it() -> None:
    async with (
        Simulator(devices=30) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        cloud.faults.add("devices.list", Status(400), after=1)
        found: list[Device] = []

        async def everything() -> None:
            async for device in session.devices.list(AccountDeviceListRequest(max_number_of_devices=10)):
                found.append(device)  # noqa: PERF401 - keep the devices before the error

        with pytest.raises(errors.BadRequest):
            await everything()
        assert len(found) == 10


async def test_a_session_that_expires_between_two_pages_is_renewed_and_the_iteration_continues() -> None:
    async with (
        Simulator(devices=30) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        devices = session.devices.list(AccountDeviceListRequest(max_number_of_devices=10))
        found = [await anext(devices)]
        cloud.clock.advance(timedelta(hours=2))
        found += [device async for device in devices]
        assert len(found) == 30
        assert cloud.count("session.log_in") == 2


async def test_every_filter_is_sent_under_the_platforms_name() -> None:
    async with (
        Simulator(devices=3) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        cloud.faults.add("devices.list", Status(200, body={"devices": []}))
        await session.devices.list_page(EVERYTHING)
        assert cloud.requests[-1].json == {
            "accountName": "0000123456-00001",
            "deviceId": {"id": "8914800000000000000", "kind": "iccid"},
            "filter": {
                "deviceIdentifierFilters": [
                    {"kind": "imei", "contains": "35"},
                    {"kind": "mdn", "startswith": "555", "endswith": "1"},
                ]
            },
            "currentState": "active",
            "customFields": [{"key": "CustomField1", "value": "red"}],
            "earliest": "2025-01-02T03:04:05Z",
            "latest": "2026-01-02T03:04:05-05:00",
            "groupName": "pumps",
            "servicePlan": "M2M_4G",
            "maxNumberOfDevices": 500,
            "largestDeviceIdSeen": 7,
        }


async def test_without_filters_all_visible_devices_are_listed() -> None:
    async with (
        Simulator(devices=3) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        await session.devices.list_page(AccountDeviceListRequest())
        assert cloud.requests[-1].json == {}


async def test_list_and_list_page_take_filters_as_keywords() -> None:
    async with (
        Simulator(devices=3) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        found = [
            device async for device in session.devices.list(account_name=cloud.account_name, current_state="active")
        ]
        page = await session.devices.list_page(account_name=cloud.account_name, max_number_of_devices=2)
        assert cloud.requests[-1].json == {"accountName": cloud.account_name, "maxNumberOfDevices": 2}
        assert {device.state for device in found} == {"active"}
        assert len(page.devices) == 2


async def test_a_device_of_an_answer_has_its_identifiers_as_attributes() -> None:
    async with (
        Simulator(devices=1) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        (device,) = [device async for device in session.devices.list()]
        assert await session.devices.get(device) == device
        assert cloud.requests[-1].json["deviceId"] == {"id": device.iccid, "kind": "iccId"}
        assert (device.imei, device.mdn, device.eid) == tuple(map(device.identifier, ("imei", "mdn", "eid")))
        assert device.service_plan == device.carrier_informations[0].service_plan


async def test_a_request_together_with_filters_is_not_sent(scripted: Session) -> None:
    wanted = AccountDeviceListRequest(account_name="0000000000-00000")
    with pytest.raises(errors.InvalidRequest, match="not both: put account_name into the request"):
        scripted.devices.list(wanted, account_name="0000123456-00001")
    with pytest.raises(errors.InvalidRequest, match="not both: put group_name into the request"):
        await scripted.devices.list_page(wanted, group_name="Trucks")


@pytest.mark.parametrize(
    ("filters", "request_type"),
    [(DeviceListFilters, AccountDeviceListRequest), (UsageListFilters, DeviceUsageListRequest)],
)
def test_each_field_of_the_request_is_a_filter(filters: type, request_type: type) -> None:
    assert set(filters.__annotations__) == {field.name for field in attrs.fields(request_type)}


def test_a_time_without_a_zone_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(errors.InvalidRequest, match="earliest has no time zone"):
        AccountDeviceListRequest(earliest=datetime(2026, 1, 1))  # noqa: DTZ001 - the point


def test_an_empty_search_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(errors.InvalidRequest, match="contains, startswith or endswith"):
        DeviceIdSearch(kind="imei")


@pytest.mark.parametrize(
    ("promise", "reason"),
    [
        (page(None), "DeviceId is missing or not a number"),
        (page(1, 2, None), "DeviceId is missing or not a number"),
        (page("12a"), "DeviceId is missing or not a number"),
        (page("١٢"), "DeviceId is missing or not a number"),
        (page(), "the page is empty"),
    ],
)
async def test_a_page_that_promises_more_without_a_next_page_is_an_error_that_says_what_to_do(
    canned: aioresponses, scripted: Session, promise: dict[str, Any], reason: str
) -> None:
    canned.post(LIST, payload=promise, status=202)
    with pytest.raises(errors.AnswerUnreadable, match=reason) as caught:
        await walk(scripted)
    last = len(promise["devices"]) - 1
    assert caught.value.path == ("devices" if last < 0 else f"devices[{last}].extendedAttributes")
    assert "narrow the filter" in str(caught.value)
    assert "`earliest`" in str(caught.value)


async def test_pages_that_form_a_cycle_are_an_error(canned: aioresponses, scripted: Session) -> None:
    canned.post(LIST, payload=page(1, 2), status=202, repeat=True)
    with pytest.raises(errors.AnswerUnreadable, match="leads back"):
        await walk(scripted)


async def test_status_202_alone_promises_more(canned: aioresponses, scripted: Session) -> None:
    canned.post(LIST, payload=page(1, more=None), status=202)
    canned.post(LIST, payload=page(2, more=None), status=200)
    assert await walk(scripted) == ["1", "2"]


async def test_the_body_takes_precedence_over_the_status(canned: aioresponses, scripted: Session) -> None:
    canned.post(LIST, payload=page(1, more=True), status=200)
    canned.post(LIST, payload=page(2, more=False), status=202)
    assert await walk(scripted) == ["1", "2"]


async def test_a_page_without_devices_is_empty_if_the_platform_says_that_no_more_follow(
    canned: aioresponses, scripted: Session
) -> None:
    canned.post(LIST, payload={"hasMoreData": False})
    assert await walk(scripted) == []


async def test_an_answer_without_a_device_list_is_an_error(canned: aioresponses, scripted: Session) -> None:
    canned.post(LIST, payload={})
    with pytest.raises(errors.AnswerUnreadable) as caught:
        await walk(scripted)
    assert caught.value.path == "devices"


async def test_devices_without_the_number_for_the_next_page_are_an_error() -> None:
    assumptions = Assumptions(device_number_in_pages=False)
    async with (
        Simulator(devices=2001, assumptions=assumptions) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        with pytest.raises(errors.AnswerUnreadable, match="next page cannot be requested"):
            await walk(session)


async def test_one_device_is_found_by_any_of_its_identifiers() -> None:
    async with (
        Simulator(devices=20) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        known = [device async for device in session.devices.list()][7]
        for identifier in known.device_ids:
            found = await session.devices.get(identifier, account_name=cloud.account_name)
            assert found.device_ids == known.device_ids
        assert await session.devices.get(DeviceId.imei(known.identifier("IMEI") or "")) == found


async def test_an_unknown_device_is_not_found() -> None:
    async with (
        Simulator(devices=1) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        with pytest.raises(errors.NotFound, match="no device with imei 990000000000000") as caught:
            await session.devices.get(DeviceId.imei("990000000000000"))
        assert caught.value.short_code == "REQUEST_FAILED.DeviceNotFound"


async def test_not_found_keeps_the_platforms_answer(canned: aioresponses, scripted: Session) -> None:
    refusal = {"errorCode": "UnifiedWebService.REQUEST_FAILED.DeviceNotFound", "errorMessage": "No such device here."}
    canned.post(LIST, status=503)
    canned.post(LIST, payload=refusal, status=400, headers={"X-Request-Id": "r-7", "Retry-After": "3"})
    with pytest.raises(errors.NotFound, match="no device with mdn 5551234567: No such device here") as caught:
        await scripted.devices.get(DeviceId.mdn("5551234567"))
    found = caught.value
    assert (found.status, found.request_id, found.retry_after, found.tries) == (400, "r-7", 3.0, 2)
    assert orjson.loads(found.body or b"") == refusal


@pytest.mark.parametrize("identifier", [None, "353266001234567", 353266001234567, {"id": "1", "kind": "imei"}, ("1",)])
async def test_one_device_is_requested_only_by_an_identifier(scripted: Session, identifier: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"pass a DeviceId such as DeviceId\.imei\('…'\)"):
        await scripted.devices.get(identifier)


@pytest.mark.parametrize("value", ["", 5, "a\r\nb"])
async def test_an_invalid_account_name_is_not_sent(scripted: Session, value: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="AccountDeviceListRequest: account_name "):
        await scripted.devices.get(DeviceId.imei("49015420323751"), account_name=value)
    with pytest.raises(errors.InvalidRequest, match="AccountDeviceListRequest: account_name "):
        scripted.devices.list(account_name=value)


@pytest.mark.parametrize("request_", ["0000123456-00001", "", 0, {"accountName": "x"}, Device()])
async def test_list_takes_only_its_own_request(scripted: Session, request_: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"pass an AccountDeviceListRequest.*account_name='…'"):
        scripted.devices.list(request_)


@pytest.mark.parametrize("request_", ["0000123456-00001", {"accountName": "x"}, Device()])
async def test_list_page_takes_only_its_own_request(scripted: Session, request_: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="pass an AccountDeviceListRequest"):
        await scripted.devices.list_page(request_)


TEXTS = ("account_name", "current_state", "group_name", "service_plan")

SEARCH = DeviceIdSearch(kind="imei", contains="1")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        *((field, "", "must not be empty") for field in TEXTS),
        *((field, 5, "must be a str, not int") for field in TEXTS),
        ("account_name", "a\r\nb", "contains a character that cannot be printed, such as a line end"),
        ("account_name", "\ud800", "line end: remove it"),
        ("service_plan", b"plan", "must be a str, not bytes"),
        ("device_id", "353266001234567", "must be a DeviceId, such as DeviceId.imei('…'), not str"),
        ("filter", SEARCH, "must be an AccountDeviceListFilter, not DeviceIdSearch"),
        ("custom_fields", "red", "must be a tuple of CustomField, not str"),
        ("custom_fields", ("red",), "must hold CustomField only, not str"),
        ("custom_fields", (CustomField(key="", value="red"),), "has a key that must not be empty"),
        ("custom_fields", (CustomField(key="CustomField1", value="a\n"),), "has a value that contains a character"),
        ("max_number_of_devices", "5", "must be an int, not str"),
        ("max_number_of_devices", True, "must be an int, not bool"),
        ("max_number_of_devices", 5.0, "must be an int, not float"),
        ("max_number_of_devices", -1, "must be 1 or more"),
        ("max_number_of_devices", 0, "must be 1 or more"),
        ("largest_device_id_seen", -1, "must be 0 or more"),
        ("largest_device_id_seen", "7", "must be an int, not str"),
        ("earliest", "2026-01-01", "must be a datetime with a time zone, not str"),
        ("latest", datetime(2026, 1, 1), "has no time zone"),  # noqa: DTZ001 - the point
    ],
)
def test_the_error_for_a_bad_value_names_model_and_field(field: str, value: Any, reason: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        AccountDeviceListRequest(**{field: value})
    assert str(caught.value).startswith(f"AccountDeviceListRequest: {field} ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"account_name": "../x"},
        {"custom_fields": (CustomField(key="CustomField1", value=""),)},
        {"max_number_of_devices": 5000},
        {"largest_device_id_seen": 0},
    ],
)
def test_values_that_may_be_valid_are_left_to_the_platform(given: dict[str, Any]) -> None:
    assert AccountDeviceListRequest(**given) != AccountDeviceListRequest()


@pytest.mark.parametrize("field", ["kind", "contains", "startswith", "endswith"])
def test_a_search_for_an_empty_string_is_refused(field: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"DeviceIdSearch: {field} must not be empty"):
        DeviceIdSearch(**{"kind": "imei", "contains": "1", field: ""})


def test_a_filter_accepts_only_searches() -> None:
    with pytest.raises(errors.InvalidRequest, match="must be a tuple of DeviceIdSearch, not DeviceIdSearch"):
        AccountDeviceListFilter(device_identifier_filters=SEARCH)  # type: ignore[arg-type]


def test_a_filter_without_a_search_is_refused_where_it_would_match_everything() -> None:
    with pytest.raises(errors.InvalidRequest, match="must hold 1 DeviceIdSearch or more, not 0"):
        AccountDeviceListFilter(device_identifier_filters=())


async def test_other_refusals_do_not_become_not_found() -> None:
    async with (
        Simulator(devices=1) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        with pytest.raises(errors.BadRequest) as caught:
            await session.devices.get(DeviceId(id="1", kind="tail number"))
        assert caught.value.short_code == "INPUT_INVALID.Device.Kind.Invalid"


async def test_an_empty_answer_for_one_device_raises_not_found(canned: aioresponses, scripted: Session) -> None:
    canned.post(LIST, payload=page(more=False))
    with pytest.raises(errors.NotFound, match="no device with mdn 5551234567"):
        await scripted.devices.get(DeviceId.mdn("5551234567"))


async def test_two_devices_for_one_identifier_are_an_error(canned: aioresponses, scripted: Session) -> None:
    canned.post(LIST, payload=page(1, 2, more=False))
    with pytest.raises(errors.AnswerUnreadable, match="2 devices for one identifier"):
        await scripted.devices.get(DeviceId.mdn("5551234567"))


def test_a_device_that_was_never_activated_has_no_state_and_no_identifier() -> None:
    assert Device().state is None
    assert Device().identifier("imei") is None
    assert Device().extended_attribute("DeviceId") is None
