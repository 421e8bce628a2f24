"""Tests of all inboxes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.callbacks.inbox.making import activated, devices, taken, texted
from thingspace_async.callbacks.inbox import PAGE, BaseInbox, Inbox
from thingspace_async.errors import InboxUnavailable

Clock = Callable[[float], datetime]

USES: dict[str, Callable[[Inbox], Awaitable[Any]]] = {
    "store": lambda inbox: inbox.store(activated()),
    "read": lambda inbox: devices(inbox.read()),
    "follow": lambda inbox: taken(inbox.follow("request"), 1),
    "prune": lambda inbox: inbox.prune(timedelta(0)),
    "forget_run": lambda inbox: inbox.forget_run("run"),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
async def test_using_an_inbox_that_is_not_open_raises_an_error_that_says_how_to_open_it(
    closed: BaseInbox, use: Callable[[Inbox], Awaitable[Any]]
) -> None:
    assert not closed.is_open
    with pytest.raises(InboxUnavailable, match="is not open: use it inside `async with`"):
        await use(closed)
    async with closed:
        assert closed.is_open
    with pytest.raises(InboxUnavailable, match="is not open"):
        await use(closed)


# Repeats


async def test_a_second_attempt_whose_first_was_lost_does_not_repeat_an_older_message(
    inbox: BaseInbox, at: Clock
) -> None:
    at(0)
    assert await inbox.store(texted())
    at(15)
    assert not await inbox.store(texted(callbackCount=4))
    at(61)
    assert await inbox.store(texted(callbackCount=2))
    at(76)
    assert await inbox.store(texted(callbackCount=2)), "too late to repeat the message of 15 minutes before"
    at(86)
    assert not await inbox.store(texted(callbackCount=2))


# Reading


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


async def test_a_message_has_its_service_time_and_number(inbox: BaseInbox, at: Clock) -> None:
    now = at(0)
    await inbox.store(activated(0), service="CarrierService")
    await inbox.store(activated(1))
    first, second = [received async for received in inbox.read()]
    assert (first.service, first.received_at) == ("CarrierService", now)
    assert second.service is None
    assert first.number < second.number


async def test_no_message_is_lost_if_the_clock_is_set_back(inbox: BaseInbox, at: Clock) -> None:
    for minute in (2, 1, 0):
        at(minute)
        await inbox.store(activated(minute))
    assert await devices(inbox.read()) == [0, 1, 2]
    async with aclosing(inbox.follow("request")) as following:
        assert await taken(following, 3) == [2, 1, 0]
        at(-5)
        await inbox.store(activated(7))
        assert await taken(following, 1) == [7]


# Following


async def _waiting(inbox: BaseInbox, count: int) -> None:
    """Wait until this many followers wait for messages."""
    async with asyncio.timeout(10):
        while len(inbox._followers._waiting.get("request", ())) < count:
            await asyncio.sleep(0.001)


async def test_a_cancelled_follower_does_not_affect_others_and_leaves_nothing_behind(inbox: BaseInbox) -> None:
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


async def test_a_follower_cancelled_as_a_message_arrives_does_not_take_it_from_others(inbox: BaseInbox) -> None:
    both = [inbox.follow("request") for _ in range(2)]
    tasks = [asyncio.create_task(taken(one, 1)) for one in both]
    await _waiting(inbox, 2)
    inbox._followers._waiting["request"][0].cancel()  # Of one of the two followers.
    await inbox.store(activated(5))
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [5] in found
    assert any(isinstance(one, asyncio.CancelledError) for one in found)
    for one in both:
        await one.aclose()


async def test_followers_get_inbox_unavailable_when_the_inbox_closes(inbox: BaseInbox) -> None:
    waiting = asyncio.create_task(taken(inbox.follow("request"), 1))
    await _waiting(inbox, 1)
    await inbox.close()
    with pytest.raises(InboxUnavailable, match="is not open"):
        await waiting


# Pruning and runs


async def test_pruning_removes_old_messages_and_returns_their_number(inbox: BaseInbox, at: Clock) -> None:
    for minute in range(4):
        at(minute)
        await inbox.store(activated(minute, request=f"r{minute % 2}"))
    at(10)
    assert await inbox.prune(timedelta(minutes=8)) == 2
    assert await devices(inbox.read()) == [2, 3]
    assert await devices(inbox.read(request_id="r0")) == [2]
    assert await inbox.prune(timedelta(minutes=8)) == 0
    assert not await inbox.store(activated(2, request="r0")), "repeats a stored message"
    assert await inbox.store(activated(0, request="r0")), "repeats no stored message"
    assert await inbox.prune(timedelta(minutes=-1)) == 3
    assert await devices(inbox.read(request_id="r0")) == []


async def test_numbers_of_pruned_messages_are_not_reused(inbox: BaseInbox) -> None:
    await inbox.store(activated(0))
    (before,) = [received.number async for received in inbox.read()]
    await inbox.prune(timedelta(minutes=-1))
    await inbox.store(activated(1))
    (after,) = [received.number async for received in inbox.read()]
    assert after > before
