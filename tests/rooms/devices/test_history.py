"""History: every event exactly once, wherever the platform's page boundaries and times are."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from aioresponses import aioresponses

from tests.rooms.conftest import PLACE
from tests.rooms.devices.history_server import BEGIN, END, IMEI, History, Json, answering, event, stamp
from thingspace_async import DeviceId, Session, errors
from thingspace_async.devices import (
    ConnectionEvent,
    DeviceConnectionListRequest,
    DeviceProvisioningHistoryListRequest,
    ProvisioningHistoryRequest,
)
from thingspace_async.simulator import Assumptions, Delay, Simulator, Status

CONNECTIONS = f"{PLACE}/api/m2m/v1/devices/connections/actions/listHistory"
PROVISIONING = f"{PLACE}/api/m2m/v1/devices/history/actions/list"
REQUEST = DeviceConnectionListRequest(device_id=IMEI, earliest=BEGIN, latest=END)
WHOLE = DeviceProvisioningHistoryListRequest(device_id=IMEI, earliest=BEGIN, latest=END)


def names(events: Sequence[ConnectionEvent]) -> list[str | None]:
    return [one.attribute("Name") for one in events]


async def walk(session: Session, request: DeviceConnectionListRequest = REQUEST) -> list[ConnectionEvent]:
    return [one async for one in session.devices.history.connections(request)]


async def refusal(history: Any) -> tuple[errors.AnswerUnreadable, int]:
    """Return the error that ends an iteration, and the number of its requests."""
    async with answering(history) as (recorder, session):
        with pytest.raises(errors.AnswerUnreadable) as caught:
            await walk(session)
        return caught.value, len(recorder.requests)


# Every record once


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1200, 5000])
async def test_connections_yields_every_event_once(count: int) -> None:
    history = History([event(stamp(place * 60), str(place)) for place in range(count)])
    async with answering(history) as (recorder, session):
        assert names(await walk(session)) == [str(place) for place in range(count)]
        # Each page except the first repeats one event of the page before.
        assert len(recorder.requests) == (1 if count <= 500 else 1 + -(-(count - 500) // 499))


@pytest.mark.parametrize(("first", "run"), [(0, 499), (1, 499), (498, 2), (499, 2), (499, 300), (497, 400), (250, 499)])
async def test_events_of_one_time_across_a_page_boundary_are_yielded_once_each(first: int, run: int) -> None:
    seconds = [*range(first), *[first] * run, *range(first + 1, first + 800)]
    history = History([event(stamp(second), str(place)) for place, second in enumerate(seconds)])
    async with answering(history) as (_, session):
        assert names(await walk(session)) == [str(place) for place in range(len(seconds))]


@pytest.mark.parametrize("twins", [2, 3, 300])
async def test_identical_events_are_counted_and_not_merged(twins: int) -> None:
    seconds = [*range(499), *[499] * twins, 500]
    async with answering(History([event(stamp(second)) for second in seconds])) as (_, session):
        assert Counter(one.occurred_at for one in await walk(session)) == Counter(
            BEGIN + timedelta(seconds=second) for second in seconds
        )


async def test_any_history_is_complete_in_any_order_within_one_time() -> None:
    """With five events per page, many runs of equal times cross boundaries. Each answer orders a run differently."""
    history = History([], per_page=5)
    async with answering(history) as (_, session):
        for seed in range(150):
            draw = random.Random(seed)
            history.shuffled = draw
            seconds = sorted(draw.choices(range(20), k=draw.randrange(40)))
            runs = Counter(seconds)
            # A run that fills a page has no next page: another test covers it.
            seconds = [second for second in seconds if runs[second] < 5]
            history.records = [event(stamp(second), draw.choice("ab")) for second in seconds]
            found = [(one.occurred_at, one.attribute("Name")) for one in await walk(session)]
            assert Counter(found) == Counter(
                (datetime.fromisoformat(one["occurredAt"]), one["connectionEventAttributes"][1]["value"])
                for one in history.records
            )
            assert [time for time, _ in found] == sorted(time for time, _ in found if time is not None)


@pytest.mark.parametrize(
    ("times", "asked"),
    [
        (("2025-02-01T00:00:00-05:00", "2025-02-01T05:00:00Z", "2025-02-01T06:00:00+01:00"), "2025-02-01T05:00:00Z"),
        (("2025-02-01T00:00:00.001Z", "2025-02-01T00:00:00.002-00:00"), "2025-02-01T00:00:00.002000Z"),
        (("2025-02-01T00:00:00.000001Z", "2025-02-01T00:00:00.000002Z"), "2025-02-01T00:00:00.000002Z"),
        # .NET's ticks are shorter than our microseconds, so the requested time is rounded down.
        (("2025-02-01T00:00:00.1234561Z", "2025-02-01T00:00:00.1234569Z"), "2025-02-01T00:00:00.123456Z"),
        (("2025-02-01T00:00:00+05:45", "2025-01-31T18:15:00.5Z"), "2025-01-31T18:15:00.500000Z"),
    ],
)
async def test_the_next_page_starts_at_the_last_time_with_its_zone_and_fraction(
    times: tuple[str, ...], asked: str
) -> None:
    records = [event(stamp(0), "0"), *(event(time, f"{place}") for place, time in enumerate(times, 1))]
    records += [event(stamp(9e6), "last")]
    async with answering(History(records, per_page=len(records) - 1)) as (recorder, session):
        assert names(await walk(session)) == [one["connectionEventAttributes"][1]["value"] for one in records]
        assert [one.json["earliest"] for one in recorder.requests] == ["2025-01-01T00:00:00Z", asked]
        assert {one.json["latest"] for one in recorder.requests} == {"2026-01-01T00:00:00Z"}


async def test_no_event_is_repeated_if_the_platform_ignores_fractions_of_seconds() -> None:
    records = [event(stamp(place / 4), str(place)) for place in range(40)]
    async with answering(History(records, per_page=7, coarse=True)) as (_, session):
        assert names(await walk(session)) == [str(place) for place in range(40)]


async def test_an_event_that_changes_between_two_pages_is_yielded_in_both_forms() -> None:
    records = [event(stamp(second), str(second)) for second in range(600)]
    history = History(records)

    def answer(recorded: Any) -> Json:
        answered = history(recorded)
        history.records[499] = event(stamp(499), "changed")
        return answered

    async with answering(answer) as (_, session):
        assert names(await walk(session))[498:502] == ["498", "499", "changed", "500"]


# No next page


@pytest.mark.parametrize("before", [0, 1, 499])
async def test_a_full_page_of_one_time_is_an_error_that_says_what_to_do(before: int) -> None:
    records = [event(stamp(second)) for second in range(before)] + [event(stamp(before))] * 700
    failure, requests = await refusal(History(records))
    assert "all records of the page have the same time stamp" in str(failure)
    assert "request shorter spans of `earliest` and `latest`" in str(failure)
    assert failure.path == "connectionHistory"
    assert failure.operation == "devices.history.connections"
    assert requests == 1 + (before > 0)


@pytest.mark.parametrize(
    ("records", "reason", "path"),
    [
        ([], "the page is empty", "connectionHistory"),
        ([event(stamp(0)), {"connectionEventAttributes": []}], "a record has no time stamp", "connectionHistory[1]"),
        ([event("2025-01-02T00:00:00"), event(stamp(9))], "without a zone", "connectionHistory[0]"),
        ([event(stamp(2)), event(stamp(1)), event(stamp(3))], "not sorted by time", "connectionHistory[1]"),
        ([event(stamp(2)), event("2026-01-01T00:00:00.001Z")], "it ends after `latest`", "connectionHistory[1]"),
        ([event("0001-01-01T00:00:00+05:00"), event(stamp(1))], "out of range", "connectionHistory[0]"),
    ],
)
async def test_more_events_without_a_next_page_are_an_error(records: list[Json], reason: str, path: str) -> None:
    failure, requests = await refusal(lambda _: {"connectionHistory": records, "hasMoreData": True})
    assert reason in str(failure)
    assert failure.path == path
    assert requests == 1


async def test_a_page_that_repeats_is_an_error() -> None:
    page = {"connectionHistory": [event(stamp(1)), event(stamp(2))], "hasMoreData": True}
    failure, requests = await refusal(lambda _: page)
    assert "leads back to an earlier page" in str(failure)
    assert requests == 2


async def test_a_last_page_may_be_in_any_order_and_without_times() -> None:
    page = [event(stamp(2), "a"), event("2025-01-02T00:00:00", "b"), event(stamp(1), "c")]
    async with answering(lambda _: {"connectionHistory": page, "hasMoreData": False}) as (_, session):
        assert names(await walk(session)) == ["a", "b", "c"]


async def test_the_status_says_whether_more_follows_if_the_body_does_not(
    canned: aioresponses, scripted: Session
) -> None:
    canned.post(CONNECTIONS, status=202, payload={"connectionHistory": [event(stamp(1)), event(stamp(2), "2")]})
    canned.post(CONNECTIONS, status=200, payload={"connectionHistory": [event(stamp(2), "2"), event(stamp(3), "3")]})
    assert names(await walk(scripted)) == ["", "2", "3"]


@pytest.mark.parametrize(("status", "more"), [(202, True), (200, False)])
async def test_a_page_says_whether_more_follows(
    canned: aioresponses, scripted: Session, status: int, *, more: bool
) -> None:
    canned.post(CONNECTIONS, status=status, payload={})
    canned.post(PROVISIONING, status=status, payload=[{}])
    canned.post(PROVISIONING, status=status, payload=[])
    history = scripted.devices.history
    assert (await history.connections_page(REQUEST)).has_more_data is more
    assert (await history.provisioning_page(WHOLE)).has_more_data is more
    assert (await history.provisioning_page(WHOLE)).has_more_data is more


# Errors while iterating


async def everything(cloud: Simulator) -> DeviceConnectionListRequest:
    """Request all events of a device, a few thousand."""
    device = next(one for one in cloud.devices if one.state == "active")
    now = cloud.clock.now()
    imei = next(own["id"] for own in device.device_ids if own["kind"] == "imei")
    return DeviceConnectionListRequest(
        device_id=DeviceId.imei(imei), earliest=now - timedelta(days=400), latest=now - timedelta(days=1)
    )


async def test_a_page_that_fails_once_is_requested_again_and_nothing_is_lost(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, request = thingspace_simulator, await everything(thingspace_simulator)
    whole = await walk(thingspace_session, request)
    pages = cloud.count("devices.history.connections")
    assert len(whole) > 1500
    cloud.faults.add("devices.history.connections", Status(503), after=2)
    assert await walk(thingspace_session, request) == whole
    assert cloud.count("devices.history.connections") == 2 * pages + 1


async def test_a_page_that_fails_permanently_is_an_error_after_the_events_before_it(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    thingspace_simulator.faults.add("devices.history.connections", Status(400), after=2)
    events = thingspace_session.devices.history.connections(await everything(thingspace_simulator))
    assert len([await anext(events) for _ in range(990)]) == 990

    async def rest() -> None:
        async for _ in events:
            pass

    with pytest.raises(errors.BadRequest):
        await rest()


async def test_a_caller_that_stops_early_leaves_no_request_behind(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud = thingspace_simulator
    cloud.faults.add("devices.history.connections", Delay(60.0), after=1)
    events = thingspace_session.devices.history.connections(await everything(cloud))
    await anext(events)
    while cloud.count("devices.history.connections") < 2:
        await asyncio.sleep(0.001)
    await events.aclose()
    # The connection of the prefetch is closed, and its slot is free.
    assert await thingspace_session.accounts.get(cloud.account_name)
    assert cloud.count("devices.history.connections") == 2


async def test_exactly_one_page_is_prefetched_while_the_caller_works(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud = thingspace_simulator
    events = thingspace_session.devices.history.connections(await everything(cloud))
    await anext(events)
    while cloud.count("devices.history.connections") < 2:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    assert cloud.count("devices.history.connections") == 2
    await events.aclose()


# Requests and answers


async def test_a_page_of_connections_is_requested_under_the_platforms_names() -> None:
    async with answering(lambda _: {}) as (recorder, session):
        request = DeviceConnectionListRequest(
            device_id=IMEI,
            earliest=datetime(2025, 1, 1, 0, 0, 0, 5, tzinfo=UTC),
            latest=datetime(2025, 2, 1, tzinfo=timezone(timedelta(hours=-5))),
        )
        await session.devices.history.connections_page(request)
        [sent] = recorder.requests
        assert (sent.method, sent.path) == ("POST", "/api/m2m/v1/devices/connections/actions/listHistory")
        assert sent.json == {
            "deviceId": {"id": "990013907835573", "kind": "imei"},
            "earliest": "2025-01-01T00:00:00.000005Z",
            "latest": "2025-02-01T00:00:00-05:00",
        }


async def test_a_published_connection_event_is_read(canned: aioresponses, scripted: Session) -> None:
    body = {
        "connectionHistory": [
            {
                "connectionEventAttributes": [{"key": "BytesUsed", "value": "419863234"}, {"key": "Event"}],
                "extendedAttributes": [],
                "occurredAt": "2015-12-19T01:20:00-05:00",
            }
        ],
        "hasMoreData": False,
    }
    canned.post(CONNECTIONS, payload=body)
    [found] = await walk(scripted)
    assert found.occurred_at == datetime(2015, 12, 19, 6, 20, tzinfo=UTC)
    assert (found.attribute("BytesUsed"), found.attribute("Event"), found.attribute("bytes")) == (
        "419863234",
        None,
        None,
    )


EVENTS = [{"occurredAt": stamp(second), "eventType": f"Suspend {second}", "status": "Success"} for second in range(3)]


@pytest.mark.parametrize(
    "body",
    [
        [{"provisioningHistory": EVENTS, "hasMoreData": False}],
        {"provisioningHistory": EVENTS, "hasMoreData": False},
        [{"provisioningHistory": EVENTS[:1], "hasMoreData": False}, {"provisioningHistory": EVENTS[1:]}],
    ],
)
async def test_provisioning_may_be_a_list_of_results_or_one(canned: aioresponses, scripted: Session, body: Any) -> None:
    canned.post(PROVISIONING, payload=body)
    page = await scripted.devices.history.provisioning_page(WHOLE)
    assert page.has_more_data is False
    assert [one.event_type for one in page.provisioning_history] == ["Suspend 0", "Suspend 1", "Suspend 2"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([{"provisioningHistory": [{}, {"status": 5}]}], "[0].provisioningHistory[1].status"),
        ({"provisioningHistory": [{}, {"status": 5}]}, "provisioningHistory[1].status"),
        ("nothing", None),
    ],
)
async def test_an_error_in_provisioning_is_found_in_either_form(
    canned: aioresponses, scripted: Session, body: Any, path: str | None
) -> None:
    canned.post(PROVISIONING, payload=body)
    with pytest.raises(errors.AnswerUnreadable) as caught:
        await scripted.devices.history.provisioning_page(WHOLE)
    assert (caught.value.path, caught.value.status, caught.value.tries) == (path, 200, 1)
    assert caught.value.operation == "devices.history.provisioning"
    assert caught.value.body


@pytest.mark.parametrize("wrapped", [True, False])
async def test_provisioning_yields_every_event_once_in_either_form(*, wrapped: bool) -> None:
    records = [{"occurredAt": stamp(place // 3), "eventType": str(place)} for place in range(1300)]
    history = History(records, name="provisioningHistory")
    async with answering(lambda sent: [history(sent)] if wrapped else history(sent)) as (recorder, session):
        found = [one.event_type async for one in session.devices.history.provisioning(WHOLE)]
        assert found == [str(place) for place in range(1300)]
        assert {one.path for one in recorder.requests} == {"/api/m2m/v1/devices/history/actions/list"}


@pytest.mark.parametrize("is_list", [True, False])
async def test_changes_of_a_device_are_in_its_provisioning_history(*, is_list: bool) -> None:
    async with (
        Simulator(devices=20, assumptions=Assumptions(provisioning_history_is_list=is_list)) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        whole = await everything(cloud)
        request = DeviceProvisioningHistoryListRequest(
            device_id=whole.device_id, earliest=whole.earliest - timedelta(days=900), latest=whole.latest
        )
        [activated] = [one async for one in session.devices.history.provisioning(request)]
        assert (activated.event_type, activated.status) == ("Activate", "Success")
        assert activated.msisdn == f"1{activated.mdn}"


async def test_a_provisioning_report_is_requested_and_arrives_later() -> None:
    async with answering(lambda _: {"requestId": "d1f08526"}) as (recorder, session):
        accepted = await session.devices.history.request_provisioning(
            ProvisioningHistoryRequest(
                account_name="0000123456-00001",
                device_filter=IMEI,
                earliest=BEGIN,
                latest=END,
            )
        )
        assert accepted.request_id == "d1f08526"
        [sent] = recorder.requests
        assert (sent.method, sent.path) == ("POST", "/api/m2m/v2/devices/history/actions/list")
        assert sent.json == {
            "accountName": "0000123456-00001",
            "deviceFilter": [{"id": "990013907835573", "kind": "imei"}],
            "earliest": "2025-01-01T00:00:00Z",
            "latest": "2026-01-01T00:00:00Z",
        }


@pytest.mark.parametrize("kind", [DeviceConnectionListRequest, DeviceProvisioningHistoryListRequest])
@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("device_id", "990013907835573", "device_id must be a DeviceId"),
        ("earliest", datetime(2025, 1, 1), "earliest has no time zone"),  # noqa: DTZ001 - the point
        ("latest", "2025-01-01", "latest must be a datetime with a time zone, not str"),
        ("latest", BEGIN - timedelta(microseconds=1), "earliest is after latest"),
    ],
)
def test_the_error_for_a_bad_value_names_model_and_field(kind: Any, field: str, value: Any, reason: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        kind(**{"device_id": IMEI, "earliest": BEGIN, "latest": END, field: value})
    assert str(caught.value).startswith(f"{kind.__name__}: {reason}")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("account_name", "", "account_name must not be empty"),
        ("device_filter", [], "device_filter must hold 1 DeviceId or more, not 0"),
        ("device_filter", [IMEI] * 101, "device_filter may hold 100 DeviceId, not 101"),
        ("earliest", END + timedelta(1), "earliest is after latest"),
    ],
)
def test_a_bad_value_of_a_report_is_refused(field: str, value: Any, reason: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"ProvisioningHistoryRequest: {reason}"):
        ProvisioningHistoryRequest(**{"account_name": "a", "latest": END, field: value})
