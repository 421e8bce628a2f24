"""SMS: messages to devices stay within limits, and no message from a device is lost from the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from aioresponses import aioresponses

from tests.rooms.conftest import PLACE
from tests.session.fake import Answer, Platform, answer, hang_up, raw, reset, running
from thingspace_async import CustomField, DeviceId, Session, errors
from thingspace_async.simulator import Assumptions, Delay, Reset, Simulator, Status
from thingspace_async.sms import SmsEncoding, SmsEventHistoryRequest, SmsMessage, SmsSendRequest

ACCOUNT = "0000123456-00001"
QUEUE = f"/api/m2m/v1/sms/{ACCOUNT}/history"
KEY = f"GET {QUEUE}"
ICCID = DeviceId.iccid("89148000000800139708")


def message(**changes: Any) -> SmsSendRequest:
    return SmsSendRequest(**{"account_name": ACCOUNT, "sms_message": "Can you hear me now?", **changes})


@asynccontextmanager
async def queue_of(count: int, **assumptions: Any) -> AsyncIterator[tuple[Simulator, Session]]:
    """Start a simulator with this many messages from devices in the queue."""
    async with (
        Simulator(devices=7, assumptions=Assumptions(**assumptions)) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        for place in range(count):
            cloud.receive_sms(cloud.devices[place % 7], f"message {place}")
        yield cloud, session


def texts(first: int, last: int) -> list[str]:
    return [f"message {place}" for place in range(first, last)]


async def walk(session: Session) -> list[str | None]:
    return [found.message async for found in session.sms.queued(ACCOUNT)]


def left(cloud: Simulator) -> list[str]:
    return [found.text for found in cloud.queued_sms[ACCOUNT]]


async def take(session: Session, count: int) -> list[str | None]:
    """Take this many messages and stop."""
    walked = session.sms.queued(ACCOUNT)
    found = [(await anext(walked)).message for _ in range(count)]
    await walked.aclose()
    return found


# Messages to devices


async def test_a_message_is_sent_under_the_platforms_names(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    device = thingspace_simulator.devices[0]
    device.group_name, device.state, device.service_plan = "West fleet", "active", "M2M_PP"
    device.custom_fields = [{"key": "CustomField1", "value": "a"}]
    how = {"data_encoding": SmsEncoding.UTF_8, "time_to_live": "000000010000000R"}
    wire = {
        "accountName": ACCOUNT,
        "smsMessage": "Can you hear me now?",
        "dataEncoding": "8-bit-UTF-8",
        "timeToLive": "000000010000000R",
    }
    fields = (CustomField(key="CustomField1", value="a"),)
    for given, sent in (
        ({"device_ids": [ICCID]}, {"deviceIds": [{"id": "89148000000800139708", "kind": "iccid"}]}),
        (
            {"group_name": "West fleet", "service_plan": "M2M_PP", "custom_fields": fields},
            {
                "groupName": "West fleet",
                "servicePlan": "M2M_PP",
                "customFields": [{"key": "CustomField1", "value": "a"}],
            },
        ),
    ):
        assert (await thingspace_session.sms.send(message(**given, **how))).request_id
        assert thingspace_simulator.requests[-1].json == wire | sent


async def test_a_message_reaches_its_device_later(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    device = thingspace_simulator.devices[0]
    device.state = "active"
    accepted = await thingspace_session.sms.send(message(device_ids=DeviceId(**device.device_ids[-1])))
    assert device.texts == []
    thingspace_simulator.clock.advance(timedelta(minutes=2))
    assert device.texts == ["Can you hear me now?"]
    # The platform reports the progress of an SMS only to the callback listener.
    with pytest.raises(errors.BadRequest):
        await thingspace_session.accounts.request_status(ACCOUNT, accepted.request_id)


async def test_line_ends_and_letters_of_any_language_are_sent_unchanged(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    text = "Grüße\nfrom the\u00a0field\r\n"
    await thingspace_session.sms.send(message(sms_message=text))
    assert thingspace_simulator.requests[-1].json["smsMessage"] == text


@pytest.mark.parametrize(
    ("encoding", "most"),
    [(None, 160), ("7-bit", 160), ("7-BIT", 160), ("8-bit-ASCII", 140), ("8-bit-utf-8", 140), (SmsEncoding.DATA, 140)],
)
def test_the_longest_message_depends_on_the_encoding(encoding: str | None, most: int) -> None:
    assert message(sms_message="x" * most, data_encoding=encoding)
    with pytest.raises(errors.InvalidRequest) as caught:
        message(sms_message="x" * (most + 1), data_encoding=encoding)
    assert f"SmsSendRequest: sms_message must have {most} characters or fewer in " in str(caught.value)
    assert str(caught.value).endswith(f"not {most + 1}")


def test_an_empty_list_of_devices_does_not_mean_the_whole_account() -> None:
    with pytest.raises(errors.InvalidRequest, match="SmsSendRequest: device_ids must hold 1 DeviceId or more"):
        message(device_ids=[])


def test_empty_custom_fields_do_not_mean_the_whole_account() -> None:
    with pytest.raises(errors.InvalidRequest, match="SmsSendRequest: custom_fields must hold 1 CustomField or more"):
        message(custom_fields=())


@pytest.mark.parametrize(
    "more",
    [
        {"group_name": "West fleet"},
        {"service_plan": "M2M_PP"},
        {"custom_fields": (CustomField(key="CustomField1", value="a"),)},
    ],
)
def test_devices_are_listed_or_filtered_and_never_both(more: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"SmsSendRequest: give either device_ids or {next(iter(more))}"):
        message(device_ids=[ICCID], **more)


def test_an_unknown_encoding_is_kept() -> None:
    assert message(data_encoding="16-bit").data_encoding == "16-bit"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sms_message", ""),
        ("sms_message", None),
        ("sms_message", b"bytes"),
        ("sms_message", "it's"),
        ("sms_message", "1 < 2"),
        ("sms_message", "a\\b"),
        ("account_name", ""),
        ("account_name", None),
        ("device_ids", "89148000000800139708"),
        ("device_ids", [None]),
        ("group_name", ""),
        ("service_plan", 1),
        ("custom_fields", (CustomField(key="CustomField6", value="a"),)),
        ("data_encoding", ""),
        ("data_encoding", 7),
        ("time_to_live", 60),
    ],
)
def test_a_value_that_the_platform_would_refuse_is_not_sent_and_the_error_names_the_field(
    field: str, value: Any
) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"SmsSendRequest: {field} "):
        message(**{field: value})


@pytest.mark.parametrize("call", ["send", "start_callbacks", "event_history"])
async def test_a_failed_message_is_not_repeated_automatically(
    thingspace_simulator: Simulator, thingspace_session: Session, call: str
) -> None:
    thingspace_simulator.faults.add(f"sms.{call}", Status(503))
    sms = thingspace_session.sms
    work: dict[str, Callable[[], Awaitable[object]]] = {
        "send": lambda: sms.send(message()),
        "start_callbacks": lambda: sms.start_callbacks(ACCOUNT),
        "event_history": lambda: sms.event_history(SmsEventHistoryRequest(device_id=ICCID)),
    }
    with pytest.raises(errors.ServerFault):
        await work[call]()
    assert thingspace_simulator.count(f"sms.{call}") == 1


# Messages from devices


@pytest.mark.parametrize("leads_on", [True, False])
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 250])
async def test_iterating_yields_every_message_once_and_empties_the_queue(count: int, *, leads_on: bool) -> None:
    async with queue_of(count, last_sms_block_leads_on=leads_on) as (cloud, session):
        assert await walk(session) == texts(0, count)
        assert left(cloud) == []
        assert await walk(session) == []


async def test_a_message_has_its_sender_and_time() -> None:
    async with queue_of(1) as (cloud, session):
        (found,) = [found async for found in session.sms.queued(ACCOUNT)]
        assert found.identifier("ICCID") == cloud.devices[0].device_ids[-1]["id"]
        assert found.identifier("eid") is None
        assert found.timestamp == datetime(2026, 1, 15, 12, tzinfo=UTC)


async def test_a_block_is_yielded_completely_before_it_is_acknowledged() -> None:
    async with queue_of(250) as (cloud, session):
        walked = session.sms.queued(ACCOUNT)
        for place in range(250):
            # Requesting the first message of a block acknowledges the block before it.
            found = await anext(walked)
            assert found.message == f"message {place}"
            await asyncio.sleep(0)
            assert cloud.count("sms.queued") == 1 + place // 100
            assert left(cloud) == texts(place // 100 * 100, 250)
        with pytest.raises(StopAsyncIteration):
            await anext(walked)
        assert left(cloud) == []


async def test_nothing_is_prefetched_even_if_the_caller_is_slow() -> None:
    async with queue_of(250) as (cloud, session):
        walked = session.sms.queued(ACCOUNT)
        for _ in range(100):
            await anext(walked)
        await asyncio.sleep(0.1)
        assert cloud.count("sms.queued") == 1
        await walked.aclose()


@pytest.mark.parametrize(("taken", "acknowledged"), [(1, 0), (99, 0), (100, 0), (101, 100), (200, 100), (250, 200)])
async def test_a_caller_that_stops_early_leaves_its_block_in_the_queue(taken: int, acknowledged: int) -> None:
    async with queue_of(250) as (cloud, session):
        assert await take(session, taken) == texts(0, taken)
        assert left(cloud) == texts(acknowledged, 250)
        assert await walk(session) == texts(acknowledged, 250)


async def test_a_caller_that_fails_at_a_message_gets_it_again() -> None:
    async with queue_of(3) as (cloud, session):

        async def store() -> None:
            async for found in session.sms.queued(ACCOUNT):
                if found.message == "message 2":
                    raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            await store()
        assert await walk(session) == texts(0, 3)
        assert left(cloud) == []


async def test_messages_that_arrive_during_an_iteration_are_yielded() -> None:
    async with queue_of(3) as (cloud, session):
        found: list[str | None] = []
        async for received in session.sms.queued(ACCOUNT):
            found.append(received.message)
            if received.message == "message 2":
                cloud.receive_sms(cloud.devices[0], "late")
        assert found == [*texts(0, 3), "late"]
        assert left(cloud) == []


async def test_blocks_can_be_read_and_acknowledged_by_hand() -> None:
    async with queue_of(150) as (cloud, session):
        first = await session.sms.queued_page(ACCOUNT)
        assert ([found.message for found in first.messages], first.has_more_data) == (texts(0, 100), True)
        assert (await session.sms.queued_page(ACCOUNT)).messages == first.messages
        second = await session.sms.queued_page(ACCOUNT, next=first.next)
        assert [found.message for found in second.messages] == texts(100, 150)
        end = await session.sms.queued_page(ACCOUNT, next=second.next)
        assert (end.messages, end.has_more_data, end.next) == ((), False, None)
        assert left(cloud) == []


@pytest.mark.parametrize("processed", [False, True])
@pytest.mark.parametrize("fault", [Status, Reset])
async def test_a_failed_acknowledgement_is_an_error_and_the_next_iteration_loses_nothing(
    fault: type[Status | Reset], *, processed: bool
) -> None:
    async with queue_of(250) as (cloud, session):
        failing = Status(503, processed=processed) if fault is Status else Reset(processed=processed)
        cloud.faults.add("sms.queued", failing, after=1)
        found: list[str | None] = []

        async def everything() -> None:
            async for received in session.sms.queued(ACCOUNT):
                found.append(received.message)  # noqa: PERF401 - keep the messages before the error

        with pytest.raises((errors.AnswerLost, errors.ServerFault)):
            await everything()
        assert found == texts(0, 100)
        assert cloud.count("sms.queued") == 2
        again = await walk(session)
        assert set(found) | set(again) == set(texts(0, 250))
        assert left(cloud) == []


async def test_an_acknowledgement_that_times_out_is_not_sent_again() -> None:
    async with queue_of(150) as (cloud, session):
        cloud.faults.add("sms.queued", Delay(60.0), after=1)
        hurried = session.with_options(timeout=0.2)
        with pytest.raises(errors.AnswerTimedOut):
            await walk(hurried)
        assert cloud.count("sms.queued") == 2


# The queue with broken connections and misleading answers


def block(*numbers: int, next_page: str | None, status: int = 202, more: bool | None = None) -> Answer:
    body: dict[str, Any] = {"messages": [{"message": f"message {number}"} for number in numbers]}
    headers = {} if next_page is None else {"Location": f"/sms/{ACCOUNT}/history?next={next_page}"}
    return answer(status, body if more is None else body | {"hasMoreData": more}, headers or {"X": "y"})


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with running(Platform()) as ready:
        yield ready


@pytest.fixture
async def session(platform: Platform) -> AsyncIterator[Session]:
    async with platform.session() as ready:
        yield ready


def queries(platform: Platform) -> Iterator[str]:
    return (call.query for call in platform.seen(KEY))


@pytest.mark.parametrize("broken", [hang_up, reset, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")])
async def test_a_broken_keep_alive_connection_never_causes_a_second_acknowledgement(
    platform: Platform, session: Session, broken: Answer
) -> None:
    platform.on(KEY, block(1, next_page="7"), broken, block(next_page=None, status=200))
    with pytest.raises(errors.AnswerLost):
        await walk(session)
    assert list(queries(platform)) == ["", "next=7"]
    first, second = platform.seen(KEY)
    assert first.link == second.link, "the connection was not kept, so this proves nothing"


async def test_an_acknowledgement_refused_for_its_token_is_sent_again_with_a_new_one(
    platform: Platform, session: Session
) -> None:
    platform.on(KEY, block(1, next_page="7"))
    walked = session.sms.queued(ACCOUNT)
    assert (await anext(walked)).message == "message 1"
    platform.expire_session()
    platform.on(KEY, platform._usual(platform.seen(KEY)[0]), block(2, next_page=None, status=200))
    assert [found.message async for found in walked] == ["message 2"]
    assert list(queries(platform)) == ["", "next=7", "next=7"]


@pytest.mark.parametrize("token", ["7", "a b+c/d&e=é", "0000"])
async def test_a_token_of_any_characters_is_sent_unchanged(canned: aioresponses, scripted: Session, token: str) -> None:
    from yarl import URL

    url = URL(f"{PLACE}{QUEUE}")
    next_page = url.with_query(next=token)
    canned.get(str(url), status=202, payload={"messages": [{}]}, headers={"Location": next_page.raw_path_qs})
    canned.get(str(next_page), payload={"messages": [], "hasMoreData": False})
    assert [found async for found in scripted.sms.queued(ACCOUNT)] == [SmsMessage()]


@pytest.mark.parametrize(
    "last",
    [
        block(2, next_page=None, status=200),
        block(2, next_page=None, status=200, more=False),
        block(2, next_page=None, more=False),
    ],
)
async def test_a_last_block_that_cannot_be_acknowledged_ends_the_iteration(
    platform: Platform, session: Session, last: Answer
) -> None:
    platform.on(KEY, block(1, next_page="7"), last)
    assert await walk(session) == ["message 1", "message 2"]
    assert list(queries(platform)) == ["", "next=7"]


async def test_a_last_block_with_a_next_token_is_acknowledged_with_any_status(
    platform: Platform, session: Session
) -> None:
    platform.on(KEY, block(1, next_page="7", status=200, more=False), block(next_page=None, status=200))
    assert await walk(session) == ["message 1"]
    assert list(queries(platform)) == ["", "next=7"]


async def test_an_empty_block_ends_the_iteration_even_with_a_next_token(platform: Platform, session: Session) -> None:
    platform.always(KEY, block(next_page="7", status=200, more=False))
    assert await walk(session) == []
    assert platform.count(KEY) == 1


@pytest.mark.parametrize(
    "promising",
    [
        block(1, next_page=None),
        block(1, next_page=None, status=200, more=True),
        block(1, next_page=""),
        block(1, next_page="7&next=8"),
    ],
)
async def test_more_messages_without_a_next_token_are_an_error_after_the_received_ones(
    platform: Platform, session: Session, promising: Answer
) -> None:
    platform.on(KEY, promising)
    walked = session.sms.queued(ACCOUNT)
    assert (await anext(walked)).message == "message 1"
    with pytest.raises(errors.AnswerUnreadable, match="there are more messages"):
        await anext(walked)
    assert platform.count(KEY) == 1


async def test_an_empty_block_that_promises_more_is_an_error(platform: Platform, session: Session) -> None:
    platform.always(KEY, block(next_page="7"))
    with pytest.raises(errors.AnswerUnreadable, match="there are more messages"):
        await walk(session)
    assert platform.count(KEY) == 1


async def test_blocks_that_form_a_cycle_are_an_error(platform: Platform, session: Session) -> None:
    platform.always(KEY, block(1, next_page="7"))
    with pytest.raises(errors.AnswerUnreadable, match="leads back"):
        await walk(session)
    assert list(queries(platform)) == ["", "next=7"]


async def test_a_message_in_the_form_of_a_published_sdk_is_read(canned: aioresponses, scripted: Session) -> None:
    published = {
        "deviceIds": [{"id": "09623489171", "kind": "esn"}],
        "message": "testmessage1",
        "timestamp": "2016-01-01T12:29:49-08:00",
    }
    canned.get(f"{PLACE}{QUEUE}", payload={"messages": [published], "hasMoreData": False})
    (found,) = [found async for found in scripted.sms.queued(ACCOUNT)]
    assert found == SmsMessage(
        device_ids=(DeviceId.esn("09623489171"),),
        message="testmessage1",
        timestamp=datetime(2016, 1, 1, 12, 29, 49, tzinfo=timezone(timedelta(hours=-8))),
    )


# Callbacks and events


async def test_the_queue_is_sent_to_a_listener_on_request(thingspace_session: Session) -> None:
    assert (await thingspace_session.sms.start_callbacks(ACCOUNT)).success is True


async def test_a_request_for_events_is_sent_under_the_platforms_names(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    device = DeviceId(**thingspace_simulator.devices[0].device_ids[-1])
    request = SmsEventHistoryRequest(
        device_id=device,
        earliest=datetime(2026, 1, 1, tzinfo=UTC),
        latest=datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-5))),
    )
    assert (await thingspace_session.sms.event_history(request)).request_id
    assert thingspace_simulator.requests[-1].json == {
        "deviceId": {"id": device.id, "kind": device.kind},
        "earliest": "2026-01-01T00:00:00Z",
        "latest": "2026-01-02T00:00:00-05:00",
    }


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"device_id": None}, "device_id"),
        ({"earliest": datetime(2026, 1, 1)}, "earliest has no time zone"),  # noqa: DTZ001 - the point
        ({"latest": "2026-01-01"}, "latest"),
        ({"earliest": datetime(2026, 1, 2, tzinfo=UTC), "latest": datetime(2026, 1, 1, tzinfo=UTC)}, "is after latest"),
    ],
)
def test_a_request_for_events_is_checked(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"SmsEventHistoryRequest: .*{fault}"):
        SmsEventHistoryRequest(**{"device_id": ICCID, **changes})
