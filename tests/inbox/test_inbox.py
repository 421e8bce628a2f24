"""What every inbox promises."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.inbox.making import activated, device_of, devices, taken, texted
from thingspace_async.callbacks.inbox import PAGE, BaseInbox, Inbox
from thingspace_async.callbacks.messages import UnknownMessage
from thingspace_async.errors import InboxUnavailable, InvalidRequest, MessageUnreadable

Clock = Callable[[float], datetime]

USES: dict[str, Callable[[Inbox], Awaitable[Any]]] = {
    "store": lambda inbox: inbox.store(activated()),
    "read": lambda inbox: devices(inbox.read()),
    "follow": lambda inbox: taken(inbox.follow("request"), 1),
    "prune": lambda inbox: inbox.prune(timedelta(0)),
    "record": lambda inbox: inbox.record("run", {"device": "sent"}),
    "recorded": lambda inbox: inbox.recorded("run"),
    "forget_run": lambda inbox: inbox.forget_run("run"),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
async def test_an_inbox_that_is_not_open_says_so_and_how_to_open_it(
    closed: BaseInbox, use: Callable[[Inbox], Awaitable[Any]]
) -> None:
    assert not closed.is_open
    with pytest.raises(InboxUnavailable, match="is not open: use it inside of `async with`"):
        await use(closed)
    async with closed:
        assert closed.is_open
    with pytest.raises(InboxUnavailable, match="is not open"):
        await use(closed)


async def test_an_inbox_opens_once_and_closing_twice_does_no_harm(inbox: BaseInbox) -> None:
    with pytest.raises(InboxUnavailable, match="is open already"):
        await inbox.open()
    assert await inbox.store(activated())
    await inbox.close()
    await inbox.close()
    await inbox.open()
    assert inbox.is_open


@pytest.mark.parametrize(
    "body", [b"", b"[]", activated()[1:], b"null", b'"text"', b"<html>", b"\xff\xfe", b'{"a":' * 2000 + b"1"]
)
async def test_what_is_no_message_is_refused_and_not_kept(inbox: BaseInbox, body: bytes) -> None:
    with pytest.raises(MessageUnreadable):
        await inbox.store(body)
    assert await devices(inbox.read()) == []


async def test_a_message_nested_deeper_than_it_can_be_compared_is_refused(inbox: BaseInbox) -> None:
    with pytest.raises(MessageUnreadable, match="nested too deeply"):
        await inbox.store(activated(detail=json.loads("[" * 500 + "]" * 500)))
    assert await devices(inbox.read()) == []


async def test_a_message_of_no_known_kind_is_kept_whole(inbox: BaseInbox) -> None:
    assert await inbox.store(b'{"requestId": "r", "novelty": {"text": "\\u0000 \\ud83d\\ude00", "n": [1.5, null]}}')
    (found,) = [received async for received in inbox.read()]
    assert isinstance(found.message, UnknownMessage)
    assert found.message.request_id == "r"
    assert found.message.body["novelty"] == {"text": "\0 😀", "n": [1.5, None]}


# Repeats


async def test_the_attempts_at_one_message_are_kept_once(inbox: BaseInbox) -> None:
    assert await inbox.store(activated(), service="CarrierService") is True
    later = json.loads(activated(callbackCount=None, CallbackCount=4, username="fleet", Password="p"))
    reordered = json.dumps(dict(reversed(later.items())), indent=4).encode()
    assert await inbox.store(reordered, service="CarrierService") is False
    (found,) = [received async for received in inbox.read()]
    assert found.message.attempt == 1


async def test_attempts_that_arrive_together_are_kept_once(inbox: BaseInbox) -> None:
    attempts = [inbox.store(activated(number, callbackCount=n)) for n in (1, 2, 3, 4) for number in range(5)]
    assert sum(await asyncio.gather(*attempts)) == 5
    assert sorted(await devices(inbox.read())) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("body", "service"),
    [
        (activated(1), "CarrierService"),
        (activated(request="other"), "CarrierService"),
        (activated(status="Failed"), "CarrierService"),
        (activated(), "DeviceService"),
        (activated(), None),
    ],
)
async def test_a_message_that_differs_in_more_than_its_attempt_is_another(
    inbox: BaseInbox, body: bytes, service: str | None
) -> None:
    assert await inbox.store(activated(), service="CarrierService")
    assert await inbox.store(body, service=service)


async def test_a_device_that_says_the_same_twice_is_heard_twice(inbox: BaseInbox) -> None:
    assert await inbox.store(texted())
    assert await inbox.store(texted())
    assert not await inbox.store(texted(callbackCount=2)), "the platform's second attempt"


async def test_data_that_a_device_sends_again_is_kept_again_under_one_request(inbox: BaseInbox) -> None:
    sent: dict[str, Any] = {
        "niddResponse": {"niddMONotificationResponse": {"accountName": "0000123456-00001", "message": "T0s="}}
    }
    body = activated(deviceResponse=None, status=None, **sent)
    assert await inbox.store(body, service="NiddService")
    assert await inbox.store(body, service="NiddService")
    again = activated(deviceResponse=None, status=None, callbackCount=2, **sent)
    assert not await inbox.store(again, service="NiddService")


async def test_a_second_attempt_whose_first_was_never_kept_is_not_taken_for_one_at_an_older_message(
    inbox: BaseInbox, at: Clock
) -> None:
    at(0)
    assert await inbox.store(texted())
    at(15)
    assert not await inbox.store(texted(callbackCount=4))
    at(61)
    assert await inbox.store(texted(callbackCount=2))
    at(76)
    assert await inbox.store(texted(callbackCount=2)), "too late for a second attempt at what came 15 minutes before"
    at(86)
    assert not await inbox.store(texted(callbackCount=2))


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ("DiagnosticsService", {"deviceResponse": {"monitorId": "m", "reachable": True}}),
        ("Diagnostics", {"transactionID": "t", "deviceResponse": None, "attributes": [{"value": "-77"}]}),
        ("NetworkEventService", {"deviceResponse": None, "status": None, "event": "attached"}),
    ],
)
async def test_what_is_watched_is_told_each_time_under_one_request(
    inbox: BaseInbox, service: str, told: dict[str, Any]
) -> None:
    assert await inbox.store(activated(**told), service=service)
    assert await inbox.store(activated(**told), service=service)
    assert not await inbox.store(activated(**told, callbackCount=2), service=service)


# Reading


@pytest.mark.parametrize("wanted", [{}, {"request_id": "request"}, {"service": "CarrierService"}])
async def test_all_is_read_oldest_first_however_much_there_is(inbox: BaseInbox, wanted: dict[str, Any]) -> None:
    expected = list(range(2 * PAGE + 1))
    for number in expected:
        await inbox.store(activated(number), service="CarrierService")
    assert await devices(inbox.read(**wanted)) == expected


async def test_reading_a_whole_page_ends(inbox: BaseInbox) -> None:
    await asyncio.gather(*(inbox.store(activated(number)) for number in range(PAGE)))
    assert len(await devices(inbox.read())) == PAGE


async def test_messages_are_read_by_request_by_service_and_by_time(inbox: BaseInbox, at: Clock) -> None:
    times = [at(number) for number in range(4)]
    for number in range(4):
        at(number)
        service = "CarrierService" if number % 2 else "DeviceService"
        await inbox.store(activated(number, request=f"r{number // 2}"), service=service)
    assert await devices(inbox.read(request_id="r1")) == [2, 3]
    assert await devices(inbox.read(service="CarrierService")) == [1, 3]
    assert await devices(inbox.read(request_id="r1", service="CarrierService")) == [3]
    assert await devices(inbox.read(since=times[1])) == [1, 2, 3]
    assert await devices(inbox.read(until=times[1])) == [0]
    assert await devices(inbox.read(since=times[1], until=times[3])) == [1, 2]
    assert await devices(inbox.read(service="DeviceService", since=times[1])) == [2]
    assert await devices(inbox.read(request_id="r1", since=times[3])) == [3]
    assert await devices(inbox.read(request_id="r1", until=times[3])) == [2]
    assert await devices(inbox.read(request_id="unheard of")) == []


async def test_a_message_tells_its_service_its_time_and_its_number(inbox: BaseInbox, at: Clock) -> None:
    now = at(0)
    await inbox.store(activated(0), service="CarrierService")
    await inbox.store(activated(1))
    first, second = [received async for received in inbox.read()]
    assert (first.service, first.received_at) == ("CarrierService", now)
    assert second.service is None
    assert first.number < second.number


async def test_a_clock_that_is_set_back_loses_nothing(inbox: BaseInbox, at: Clock) -> None:
    for minute in (2, 1, 0):
        at(minute)
        await inbox.store(activated(minute))
    assert await devices(inbox.read()) == [0, 1, 2]
    async with aclosing(inbox.follow("request")) as following:
        assert await taken(following, 3) == [2, 1, 0]
        at(-5)
        await inbox.store(activated(7))
        assert await taken(following, 1) == [7]


async def test_a_time_without_a_zone_is_refused(inbox: BaseInbox) -> None:
    with pytest.raises(InvalidRequest, match="has no time zone"):
        await devices(inbox.read(since=datetime(2026, 1, 31)))  # noqa: DTZ001 - what is tested


async def test_messages_may_come_and_go_while_others_are_read(inbox: BaseInbox) -> None:
    for number in range(PAGE + 5):
        await inbox.store(activated(number))
    read = []
    async for received in inbox.read():
        read.append(device_of(received))
        if len(read) == PAGE:
            await inbox.prune(timedelta(0))
            await inbox.store(activated(1000))
    assert read == [*range(PAGE), 1000]


# Following


async def test_a_follower_gets_what_is_there_and_then_what_comes(inbox: BaseInbox) -> None:
    await inbox.store(activated(0))
    async with aclosing(inbox.follow("request")) as following:
        assert await taken(following, 1) == [0]
        rest = asyncio.create_task(taken(following, 2))
        await asyncio.sleep(0.01)
        await inbox.store(activated(1, request="another"))
        await inbox.store(activated(1))
        await inbox.store(activated(1, callbackCount=2))
        await inbox.store(activated(2))
        assert await rest == [1, 2]


async def test_a_follower_misses_nothing_of_a_flood(inbox: BaseInbox) -> None:
    count = 3 * PAGE + 7
    async with aclosing(inbox.follow("request")) as following:
        all_of_them = asyncio.create_task(taken(following, count))
        for start in range(0, count, 50):
            numbers = range(start, min(start + 50, count))
            await asyncio.gather(*(inbox.store(activated(number)) for number in numbers))
        assert sorted(await all_of_them) == list(range(count))


async def test_a_follower_gets_all_that_came_before_it(inbox: BaseInbox) -> None:
    for number in range(2 * PAGE):
        await inbox.store(activated(number))
    async with aclosing(inbox.follow("request")) as following:
        assert await taken(following, 2 * PAGE) == list(range(2 * PAGE))
        await inbox.store(activated(1000))
        assert await taken(following, 1) == [1000]


async def test_all_followers_of_a_request_get_everything(inbox: BaseInbox) -> None:
    async with aclosing(inbox.follow("request")) as one, aclosing(inbox.follow("request")) as other:
        both = asyncio.gather(taken(one, 20), taken(other, 20))
        await asyncio.gather(*(inbox.store(activated(number)) for number in range(20)))
        assert [sorted(found) for found in await both] == [list(range(20))] * 2


async def _waiting(inbox: BaseInbox, count: int) -> None:
    """Wait until so many followers wait for what comes."""
    async with asyncio.timeout(10):
        while len(inbox._followers._waiting.get("request", ())) < count:
            await asyncio.sleep(0.001)


async def test_a_follower_that_is_cancelled_leaves_the_others_alone_and_nothing_behind(inbox: BaseInbox) -> None:
    one, other = (inbox.follow("request") for _ in range(2))
    leaving, staying = asyncio.create_task(taken(one, 1)), asyncio.create_task(taken(other, 1))
    await _waiting(inbox, 2)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await inbox.store(activated(5))
    assert await staying == [5]
    await other.aclose()
    assert inbox._followers._waiting == {}


async def test_a_follower_cancelled_at_the_moment_that_a_message_comes_keeps_nobody_from_it(inbox: BaseInbox) -> None:
    both = [inbox.follow("request") for _ in range(2)]
    tasks = [asyncio.create_task(taken(one, 1)) for one in both]
    await _waiting(inbox, 2)
    inbox._followers._waiting["request"][0].cancel()  # Either one's.
    await inbox.store(activated(5))
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [5] in found
    assert any(isinstance(one, asyncio.CancelledError) for one in found)
    for one in both:
        await one.aclose()


async def test_closing_an_inbox_tells_its_followers(inbox: BaseInbox) -> None:
    waiting = asyncio.create_task(taken(inbox.follow("request"), 1))
    await _waiting(inbox, 1)
    await inbox.close()
    with pytest.raises(InboxUnavailable, match="is not open"):
        await waiting


async def test_a_store_whose_caller_is_gone_disturbs_no_other(inbox: BaseInbox) -> None:
    storing = [asyncio.create_task(inbox.store(activated(number))) for number in range(6)]
    await asyncio.sleep(0)
    for task in storing[::2]:
        task.cancel()
    results = await asyncio.gather(*storing, return_exceptions=True)
    assert results[1::2] == [True, True, True]
    assert {1, 3, 5} <= set(await devices(inbox.read()))


# Pruning and runs


async def test_pruning_removes_what_is_older_and_says_how_much(inbox: BaseInbox, at: Clock) -> None:
    for minute in range(4):
        at(minute)
        await inbox.store(activated(minute, request=f"r{minute % 2}"))
    at(10)
    assert await inbox.prune(timedelta(minutes=8)) == 2
    assert await devices(inbox.read()) == [2, 3]
    assert await devices(inbox.read(request_id="r0")) == [2]
    assert await inbox.prune(timedelta(minutes=8)) == 0
    assert not await inbox.store(activated(2, request="r0")), "a repeat of what is still kept"
    assert await inbox.store(activated(0, request="r0")), "no repeat of anything that is kept"
    assert await inbox.prune(timedelta(minutes=-1)) == 3
    assert await devices(inbox.read(request_id="r0")) == []


async def test_numbers_of_messages_that_were_pruned_are_not_given_again(inbox: BaseInbox) -> None:
    await inbox.store(activated(0))
    (before,) = [received.number async for received in inbox.read()]
    await inbox.prune(timedelta(minutes=-1))
    await inbox.store(activated(1))
    (after,) = [received.number async for received in inbox.read()]
    assert after > before


async def test_a_run_keeps_what_was_noted_last_for_each_key(inbox: BaseInbox) -> None:
    assert await inbox.recorded("suspend") == {}
    await inbox.record("suspend", {"a": "sent", "b": "sent"})
    await inbox.record("suspend", {"b": "accepted é", 'quoted "c"': ""})
    await inbox.record("restore", {"a": "sent"})
    await inbox.record("restore", {})
    await inbox.prune(timedelta(minutes=-1))
    assert await inbox.recorded("suspend") == {"a": "sent", "b": "accepted é", 'quoted "c"': ""}
    assert await inbox.recorded("restore") == {"a": "sent"}
    await inbox.forget_run("suspend")
    assert await inbox.recorded("suspend") == {}
    await inbox.forget_run("suspend")
    assert await inbox.recorded("restore") == {"a": "sent"}
