"""Usage: every record once, totals in the platform's form, and invalid requests refused before sending."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import orjson
import pytest
from aioresponses import aioresponses

from tests.rooms.conftest import PLACE
from tests.rooms.devices.history_server import BEGIN, END, IMEI, History, Json, answering, stamp
from thingspace_async import DeviceId, Session, errors
from thingspace_async.devices import (
    AggregateUsageRequest,
    BilledUsageLabels,
    BilledUsageListRequest,
    BillingCycle,
    DailyUsageRequest,
    DeviceAggregateUsageListRequest,
    DeviceLabel,
    DeviceUsageListRequest,
    PromoAggregateUsageRequest,
    PromoUsageRequest,
    UsageRecord,
)
from thingspace_async.simulator import Simulator, Status

LIST = f"{PLACE}/api/m2m/v1/devices/usage/actions/list"
PROMO = f"{PLACE}/api/m2m/v1/devices/usage/actions/promodeviceusage"
ACCOUNT = "0000123456-00001"
REQUEST = DeviceUsageListRequest(device_id=IMEI, earliest=BEGIN, latest=END)
VIN = DeviceLabel(name="VIN", value="XXUZL54B5YN105457")
MONTH = datetime(2025, 1, 31, tzinfo=UTC)
WIRE_IMEI = {"id": "990013907835573", "kind": "imei"}
WIRE_VIN = {"name": "VIN", "value": "XXUZL54B5YN105457"}
FEBRUARY = {"startTime": "2025-01-01T00:00:00Z", "endTime": "2025-01-31T00:00:00Z"}


def record(second: float, number: int) -> Json:
    return {"bytesUsed": number, "smsUsed": 0, "source": "Raw Usage", "timestamp": stamp(second)}


async def walk(session: Session) -> list[UsageRecord]:
    return [one async for one in session.devices.usage.list(REQUEST)]


# Every record once


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1200, 5000])
async def test_list_yields_every_record_once(count: int) -> None:
    # Several devices may have one label, each with a record for each day.
    history = History([record(place // 3, place) for place in range(count)], time="timestamp", name="usageHistory")
    async with answering(history) as (_, session):
        assert [one.bytes_used for one in await walk(session)] == list(range(count))


async def test_a_full_page_of_one_day_is_an_error() -> None:
    history = History([record(0, 1)] * 501, time="timestamp", name="usageHistory")
    async with answering(history) as (_, session):
        with pytest.raises(errors.AnswerUnreadable, match="request shorter spans") as caught:
            await walk(session)
        assert (caught.value.operation, caught.value.path) == ("devices.usage.list", "usageHistory")


async def test_the_usage_of_a_global_device_is_iterated_too() -> None:
    records = [{"bytesUsed": str(place), "timestamp": stamp(place // 2)} for place in range(900)]
    history = History(records, time="timestamp", name="usageHistory")
    async with answering(history) as (recorder, session):
        request = DailyUsageRequest(device_id=IMEI, earliest=BEGIN, latest=END)
        found = [one.bytes_used async for one in session.devices.usage.global_daily(request)]
        assert found == [str(place) for place in range(900)]
        assert {one.path for one in recorder.requests} == {"/api/v1/devices/usage/actions/list"}


async def test_the_usage_of_a_promotion_is_paged_by_its_start() -> None:
    records = [{"bytesUsed": place, "eventDateTime": stamp(place // 2)} for place in range(900)]
    history = History(
        records, time="eventDateTime", name="usageHistory", begin="startTime", end="endTime", more="hasmoredata"
    )
    async with answering(history) as (recorder, session):
        request = PromoUsageRequest(device_id=[IMEI], start_time=BEGIN, end_time=END)
        assert [one.bytes_used async for one in session.devices.usage.promo(request)] == list(range(900))
        assert [one.json["startTime"] for one in recorder.requests] == [
            "2025-01-01T00:00:00Z",
            "2025-01-01T00:04:09Z",
        ]
        assert {one.json["endTime"] for one in recorder.requests} == {"2026-01-01T00:00:00Z"}


async def test_without_an_end_the_usage_of_a_promotion_is_iterated_to_its_end(
    canned: aioresponses, scripted: Session
) -> None:
    first = [{"bytesUsed": place, "eventDateTime": stamp(place)} for place in range(3)]
    canned.post(PROMO, status=202, payload={"usageHistory": first})
    canned.post(PROMO, status=200, payload={"usageHistory": first[2:]})
    found = [one.bytes_used async for one in scripted.devices.usage.promo(PromoUsageRequest())]
    assert found == [0, 1, 2]


async def test_a_page_of_a_promotion_that_ends_without_a_time_is_an_error(
    canned: aioresponses, scripted: Session
) -> None:
    canned.post(PROMO, payload={"hasmoredata": True, "usageHistory": [{"bytesUsed": 1}]})
    with pytest.raises(errors.AnswerUnreadable, match="request shorter spans of `start_time` and `end_time`"):
        [one async for one in scripted.devices.usage.promo(PromoUsageRequest())]


@pytest.mark.parametrize(("status", "more"), [(202, True), (200, False)])
async def test_the_status_says_whether_more_follows_if_the_body_does_not(
    canned: aioresponses, scripted: Session, status: int, *, more: bool
) -> None:
    canned.post(LIST, status=status, payload={"usageHistory": []})
    assert (await scripted.devices.usage.list_page(REQUEST)).has_more_data is more


async def test_a_years_usage_of_a_device_comes_in_one_page_by_day(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud = thingspace_simulator
    cloud.faults.add("devices.usage.list", Status(503))
    device = next(one for one in cloud.devices if one.state == "active")
    request = DeviceUsageListRequest(
        device_id=DeviceId.mdn(device.mdn or ""), earliest=cloud.clock.now() - timedelta(600), latest=cloud.clock.now()
    )
    found = [one async for one in thingspace_session.devices.usage.list(request)]
    days = [one.timestamp for one in found if one.timestamp is not None]
    assert len(found) == len(days) == 365
    assert {later - earlier for earlier, later in pairwise(days)} == {timedelta(days=1)}
    assert cloud.count("devices.usage.list") == 2


# Requests and answers


async def test_a_page_is_requested_under_the_platforms_names() -> None:
    async with answering(lambda _: {}) as (recorder, session):
        await session.devices.usage.list_page(
            DeviceUsageListRequest(
                device_id=IMEI,
                label=VIN,
                earliest=datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=-5))),
                latest=END,
            )
        )
        [sent] = recorder.requests
        assert (sent.method, sent.path) == ("POST", "/api/m2m/v1/devices/usage/actions/list")
        assert sent.json == {
            "deviceId": WIRE_IMEI,
            "label": WIRE_VIN,
            "earliest": "2025-01-01T00:00:00-05:00",
            "latest": "2026-01-01T00:00:00Z",
        }


async def test_a_published_record_is_read(canned: aioresponses, scripted: Session) -> None:
    body = """{"hasMoreData": false, "usageHistory": [{"bytesUsed": 4096, "extendedAttributes": [{"key": "MoSms",
        "value": "0"}], "smsUsed": 0, "source": "Raw Usage", "timestamp": "2020-12-01T00:00:00Z"}]}"""
    canned.post(LIST, body=body)
    [found] = await walk(scripted)
    assert (found.bytes_used, found.sms_used, found.source) == (4096, 0, "Raw Usage")
    assert found.timestamp == datetime(2020, 12, 1, tzinfo=UTC)
    assert [(one.key, one.value) for one in found.extended_attributes] == [("MoSms", "0")]


@pytest.mark.parametrize(("more", "plan"), [("hasmoredata", "serviceplan"), ("hasMoreData", "servicePlan")])
async def test_a_promotions_usage_is_read_in_either_spelling(
    canned: aioresponses, scripted: Session, more: str, plan: str
) -> None:
    records = [{"bytesUsed": 3072, plan: "5MB", "moSMS": 1, "mtSMS": 2, "eventDateTime": "2021-08-15T00:00:00Z"}]
    canned.post(PROMO, status=202, payload={more: False, "deviceId": WIRE_IMEI, "usageHistory": records})
    page = await scripted.devices.usage.promo_page(PromoUsageRequest(device_id=IMEI))
    assert (page.has_more_data, page.device_id) == (False, IMEI)
    [found] = page.usage_history
    assert (found.bytes_used, found.service_plan, found.mo_sms, found.mt_sms) == (3072, "5MB", 1, 2)


Ask = Callable[[Any], Any]


@pytest.mark.parametrize(
    ("ask", "path", "body"),
    [
        (
            lambda usage: usage.aggregate(
                DeviceAggregateUsageListRequest(start_time=BEGIN, end_time=MONTH, device_ids=[IMEI])
            ),
            "/api/m2m/v1/devices/usage/actions/list/aggregate",
            {**FEBRUARY, "deviceIds": [WIRE_IMEI]},
        ),
        (
            lambda usage: usage.aggregate(
                DeviceAggregateUsageListRequest(
                    start_time=BEGIN, end_time=MONTH, label=(VIN,), account_name=ACCOUNT, group_name="West"
                )
            ),
            "/api/m2m/v1/devices/usage/actions/list/aggregate",
            {**FEBRUARY, "label": [WIRE_VIN], "accountName": ACCOUNT, "groupName": "West"},
        ),
        (
            lambda usage: usage.billed(
                BilledUsageListRequest(
                    account_name=ACCOUNT, devices=[IMEI], billing_cycle=BillingCycle(year="2025", month="1")
                )
            ),
            "/api/m2m/v1/devices/usage/actions/billedusage/list",
            {
                "accountName": ACCOUNT,
                "deviceIds": [{"deviceIds": [WIRE_IMEI]}],
                "billingCycle": {"year": "2025", "month": "1"},
            },
        ),
        (
            lambda usage: usage.billed(
                BilledUsageListRequest(account_name=ACCOUNT, labels=BilledUsageLabels(labels=(VIN,)))
            ),
            "/api/m2m/v1/devices/usage/actions/billedusage/list",
            {"accountName": ACCOUNT, "labels": {"deviceIds": [WIRE_VIN]}},
        ),
        (
            lambda usage: usage.global_aggregate(
                AggregateUsageRequest(device_id=IMEI, account_name=ACCOUNT, start_time=BEGIN, end_time=MONTH)
            ),
            "/api/v1/devices/usage/actions/list/aggregate",
            {**FEBRUARY, "deviceId": WIRE_IMEI, "accountName": ACCOUNT},
        ),
        (
            lambda usage: usage.promo_aggregate(
                PromoAggregateUsageRequest(account_id=ACCOUNT, device_id=[IMEI], start_time=BEGIN, end_time=MONTH)
            ),
            "/api/m2m/v1/devices/usage/actions/promoaggregateusage",
            {**FEBRUARY, "accountId": ACCOUNT, "deviceId": [WIRE_IMEI]},
        ),
    ],
)
async def test_a_total_is_requested_under_the_platforms_names_and_arrives_later(
    ask: Ask, path: str, body: Json
) -> None:
    async with answering(lambda _: {"requestId": "be1b5958"}) as (recorder, session):
        accepted = await ask(session.devices.usage)
        assert accepted.request_id == "be1b5958"
        [sent] = recorder.requests
        assert (sent.method, sent.path, orjson.loads(sent.body)) == ("POST", path, body)


# Refused before anything is sent

LIST_FIELDS = {"device_id": IMEI, "earliest": BEGIN, "latest": END}
SUM_FIELDS = {"start_time": BEGIN, "end_time": MONTH}
NAIVE = datetime(2025, 1, 1)  # noqa: DTZ001 - the point


@pytest.mark.parametrize(
    ("kind", "good", "bad", "reason"),
    [
        (DeviceUsageListRequest, LIST_FIELDS, {"device_id": None}, "give device_id or label"),
        (DeviceUsageListRequest, LIST_FIELDS, {"latest": BEGIN - timedelta(1)}, "earliest is after latest"),
        (DeviceUsageListRequest, LIST_FIELDS, {"earliest": NAIVE}, "earliest has no time zone"),
        (DeviceUsageListRequest, LIST_FIELDS, {"label": "VIN"}, "label must be a DeviceLabel, not str"),
        (DailyUsageRequest, LIST_FIELDS, {"latest": BEGIN - timedelta(1)}, "earliest is after latest"),
        (DailyUsageRequest, LIST_FIELDS, {"device_id": None}, "device_id must be a DeviceId"),
        (
            DeviceAggregateUsageListRequest,
            SUM_FIELDS,
            {"end_time": BEGIN + timedelta(days=31, microseconds=1)},
            "end_time may be at most 31 days after start_time",
        ),
        (DeviceAggregateUsageListRequest, SUM_FIELDS, {"end_time": BEGIN - timedelta(1)}, "start_time is after"),
        (
            DeviceAggregateUsageListRequest,
            SUM_FIELDS,
            {"device_ids": [IMEI], "label": (VIN,)},
            "give either device_ids or label, not both",
        ),
        (DeviceAggregateUsageListRequest, SUM_FIELDS, {"group_name": "West"}, "group_name needs account_name"),
        (DeviceAggregateUsageListRequest, SUM_FIELDS, {"label": (VIN,) * 51}, "label may hold 50 DeviceLabel, not 51"),
        (DeviceAggregateUsageListRequest, SUM_FIELDS, {"device_ids": "9900"}, "device_ids must be a tuple of DeviceId"),
        (DeviceAggregateUsageListRequest, SUM_FIELDS, {"device_ids": []}, "device_ids must hold 1 DeviceId or more"),
        (DeviceAggregateUsageListRequest, SUM_FIELDS, {"label": ()}, "label must hold 1 DeviceLabel or more"),
        (AggregateUsageRequest, {**SUM_FIELDS, "device_id": IMEI}, {"account_name": ""}, "account_name must not be"),
        (
            AggregateUsageRequest,
            {**SUM_FIELDS, "device_id": IMEI, "account_name": ACCOUNT},
            {"end_time": BEGIN - timedelta(1)},
            "start_time is after end_time",
        ),
        (
            BilledUsageListRequest,
            {"account_name": ACCOUNT},
            {"devices": [IMEI], "labels": BilledUsageLabels(labels=(VIN,))},
            "give either devices or labels, not both",
        ),
        (BilledUsageListRequest, {"account_name": ACCOUNT}, {"devices": [IMEI] * 2001}, "devices may hold 2,000"),
        (BilledUsageListRequest, {"account_name": ACCOUNT}, {"devices": []}, "devices must hold 1 DeviceIds or more"),
        (BilledUsageLabels, {}, {"labels": ()}, "labels must hold 1 DeviceLabel or more"),
        (PromoUsageRequest, {}, {"start_time": END, "end_time": BEGIN}, "start_time is after end_time"),
        (PromoUsageRequest, {}, {"end_time": NAIVE}, "end_time has no time zone"),
        (PromoUsageRequest, {}, {"device_id": []}, "device_id must hold 1 DeviceId or more"),
        (
            PromoAggregateUsageRequest,
            {"account_id": ACCOUNT},
            {"device_id": []},
            "device_id must hold 1 DeviceId or more",
        ),
        (PromoAggregateUsageRequest, {}, {"start_time": END, "end_time": BEGIN}, "start_time is after end_time"),
    ],
)
def test_the_error_for_a_bad_value_names_model_and_field(kind: Any, good: Json, bad: Json, reason: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        kind(**{**good, **bad})
    assert str(caught.value).startswith(f"{kind.__name__}: {reason}")


def test_values_that_may_be_valid_are_left_to_the_platform() -> None:
    assert DeviceAggregateUsageListRequest(
        start_time=NAIVE.replace(year=1999, tzinfo=UTC), end_time=BEGIN.replace(1999)
    )
    assert DeviceAggregateUsageListRequest(**SUM_FIELDS)  # type: ignore[arg-type]
    assert DeviceUsageListRequest(label=VIN, earliest=BEGIN.replace(year=2001), latest=END)
    assert BilledUsageListRequest(account_name=ACCOUNT, billing_cycle=BillingCycle(month="13"))
