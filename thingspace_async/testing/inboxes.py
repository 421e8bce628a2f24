"""Tests of the rules for messages in an `Inbox`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from datetime import datetime, timedelta
from typing import Any, Final

from thingspace_async._core.ledger import Place, WorkerState
from thingspace_async.callbacks.inbox import PAGE, Inbox
from thingspace_async.callbacks.messages import UnknownMessage
from thingspace_async.errors import InboxUnavailable, InvalidRequest, MessageUnreadable
from thingspace_async.testing.messages import activated, device_of, devices, taken, texted
from thingspace_async.testing.running import OpenInbox, raises, runs_tests

__all__ = ["DurableInboxTests", "InboxTests"]

_METHODS: Final[tuple[Callable[[Inbox], Awaitable[object]], ...]] = (
    lambda inbox: inbox.store(activated()),
    lambda inbox: devices(inbox.read()),
    lambda inbox: taken(inbox.follow("request"), 1),
    lambda inbox: inbox.prune(timedelta(0)),
    lambda inbox: inbox.forget_run("run"),
    lambda inbox: inbox.ledger.runs(),
    lambda inbox: inbox.ledger.lease(Place("run", "one"), description="", state=WorkerState.WORKING, seconds=1.0),
)

_NOT_MESSAGES: Final = (
    b"",
    b"[]",
    activated()[1:],
    b"null",
    b'"text"',
    b"<html>",
    b"\xff\xfe",
    b'{"a":' * 2000 + b"1",
    activated(detail=json.loads("[" * 500 + "]" * 500)),
)

_RECURRING: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    (
        "NiddService",
        {
            "niddResponse": {"niddMONotificationResponse": {"accountName": "0000123456-00001", "message": "T0s="}},
            "deviceResponse": None,
            "status": None,
        },
    ),
    ("DiagnosticsService", {"deviceResponse": {"monitorId": "m", "reachable": True}}),
    ("Diagnostics", {"transactionID": "t", "deviceResponse": None, "attributes": [{"value": "-77"}]}),
    ("NetworkEventService", {"deviceResponse": None, "status": None, "event": "attached"}),
)

_RECURRING_AND_REPEATED: Final[tuple[tuple[str | None, bytes, bytes], ...]] = (
    (None, texted(), texted(callbackCount=2)),
    *((service, activated(**fields), activated(**fields, callbackCount=2)) for service, fields in _RECURRING),
)
"""Service, a message that may recur with the same content, and the platform's second attempt at it."""


@runs_tests
class InboxTests:
    """Tests for an `Inbox`. STORES.md explains the rules."""

    # Opening

    async def test_methods_of_a_closed_inbox_raise_inbox_unavailable(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            assert inbox.is_open
        assert not inbox.is_open
        for call in _METHODS:
            with raises(InboxUnavailable, "is not open"):
                await call(inbox)

    async def test_opening_twice_is_refused_and_closing_twice_is_harmless(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            with raises(InboxUnavailable, "is open already"):
                await inbox.open()
            assert await inbox.store(activated())
            await inbox.close()
            await inbox.close()
            await inbox.open()
            assert inbox.is_open

    # Storing

    async def test_a_body_that_is_not_a_message_is_refused_and_not_stored(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            for body in _NOT_MESSAGES:
                with raises(MessageUnreadable):
                    await inbox.store(body)
            assert await devices(inbox.read()) == []

    async def test_a_message_of_an_unknown_kind_is_stored_unchanged(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            body = b'{"requestId": "r", "novelty": {"text": "\\u0000 \\ud83d\\ude00", "n": [1.5, null]}}'
            assert await inbox.store(body)
            (found,) = [received async for received in inbox.read()]
            assert isinstance(found.message, UnknownMessage)
            assert found.message.request_id == "r"
            assert found.message.body["novelty"] == {"text": "\0 😀", "n": [1.5, None]}

    async def test_repeated_attempts_at_a_message_are_stored_once(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, open_inbox() as other:
            assert await inbox.store(activated(), service="CarrierService") is True
            later = json.loads(activated(callbackCount=None)) | {"CallbackCount": 4, "username": "u", "Password": "p"}
            reordered = json.dumps(dict(reversed(later.items())), indent=4).encode()
            assert await other.store(reordered, service="CarrierService") is False
            (found,) = [received async for received in inbox.read()]
            assert found.message.attempt == 1

    async def test_concurrent_attempts_at_a_message_are_stored_once(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, open_inbox() as other:
            attempts = [
                (inbox, other)[n % 2].store(activated(number, callbackCount=n))
                for n in (1, 2, 3, 4)
                for number in range(5)
            ]
            assert sum(await asyncio.gather(*attempts)) == 5
            assert sorted(await devices(inbox.read())) == [0, 1, 2, 3, 4]

    async def test_messages_that_differ_in_more_than_their_attempt_are_all_stored(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            for body, service in (
                (activated(), "CarrierService"),
                (activated(1), "CarrierService"),
                (activated(request="other"), "CarrierService"),
                (activated(status="Failed"), "CarrierService"),
                (activated(), "DeviceService"),
                (activated(), None),
            ):
                assert await inbox.store(body, service=service)
                assert not await inbox.store(body, service=service)

    async def test_messages_that_may_recur_are_stored_each_time(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            for service, body, second_attempt in _RECURRING_AND_REPEATED:
                assert await inbox.store(body, service=service)
                assert await inbox.store(body, service=service)
                assert not await inbox.store(second_attempt, service=service)

    async def test_a_cancelled_store_does_not_affect_others(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            storing = [asyncio.create_task(inbox.store(activated(number))) for number in range(6)]
            await asyncio.sleep(0)
            for task in storing[::2]:
                task.cancel()
            results = await asyncio.gather(*storing, return_exceptions=True)
            assert results[1::2] == [True, True, True]
            assert {1, 3, 5} <= set(await devices(inbox.read()))

    # Reading

    async def test_all_messages_are_read_oldest_first(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            expected = list(range(2 * PAGE))
            for number in expected:
                await inbox.store(activated(number), service="CarrierService")
            choices: list[dict[str, Any]] = [{}, {"request_id": "request"}, {"service": "CarrierService"}]
            for wanted in choices:
                assert await devices(inbox.read(**wanted)) == expected
            await inbox.store(activated(2 * PAGE), service="CarrierService")
            for wanted in choices:
                assert len(await devices(inbox.read(**wanted))) == 2 * PAGE + 1

    async def test_messages_are_read_by_request_by_service_and_by_time(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            for number in range(4):
                service = "CarrierService" if number % 2 else "DeviceService"
                await inbox.store(activated(number, request=f"r{number // 2}"), service=service)
                await asyncio.sleep(0.01)
            times = [received.received_at async for received in inbox.read()]
            cases: list[tuple[dict[str, Any], list[int]]] = [
                ({"request_id": "r1"}, [2, 3]),
                ({"service": "CarrierService"}, [1, 3]),
                ({"request_id": "r1", "service": "CarrierService"}, [3]),
                ({"since": times[1]}, [1, 2, 3]),
                ({"until": times[1]}, [0]),
                ({"since": times[1], "until": times[3]}, [1, 2]),
                ({"service": "DeviceService", "since": times[1]}, [2]),
                ({"request_id": "r1", "since": times[3]}, [3]),
                ({"request_id": "r1", "until": times[3]}, [2]),
                ({"request_id": "unheard of"}, []),
            ]
            for wanted, expected in cases:
                assert await devices(inbox.read(**wanted)) == expected, wanted
            with raises(InvalidRequest, "has no time zone"):
                await devices(inbox.read(since=times[0].replace(tzinfo=None)))

    async def test_a_message_has_its_service_time_and_number(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            await inbox.store(activated(0), service="CarrierService")
            await inbox.store(activated(1))
            first, second = [received async for received in inbox.read()]
            assert (first.service, second.service) == ("CarrierService", None)
            assert first.number < second.number
            now = datetime.now(first.received_at.tzinfo)
            assert first.received_at.utcoffset() == timedelta(0)
            assert abs(now - first.received_at) < timedelta(minutes=1)

    async def test_messages_may_be_stored_and_pruned_during_a_read(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            for number in range(PAGE + 5):
                await inbox.store(activated(number))
            read: list[int] = []
            async for received in inbox.read():
                read.append(device_of(received))
                if len(read) == PAGE:
                    await inbox.prune(timedelta(minutes=-1))
                    await inbox.store(activated(1000))
            assert read == [*range(PAGE), 1000]

    # Following

    async def test_a_follower_gets_stored_messages_and_then_new_ones(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, open_inbox() as other:
            await inbox.store(activated(0))
            async with aclosing(inbox.follow("request")) as following:
                assert await taken(following, 1) == [0]
                rest = asyncio.create_task(taken(following, 2))
                await asyncio.sleep(0.01)
                await other.store(activated(1, request="another"))
                await other.store(activated(1))
                await other.store(activated(1, callbackCount=2))
                await inbox.store(activated(2))
                assert await rest == [1, 2]

    async def test_a_follower_gets_every_message_of_a_flood(self, open_inbox: OpenInbox) -> None:
        count = 3 * PAGE + 7
        async with open_inbox() as inbox, aclosing(inbox.follow("request")) as following:
            all_of_them = asyncio.create_task(taken(following, count))
            for start in range(0, count, 50):
                numbers = range(start, min(start + 50, count))
                await asyncio.gather(*(inbox.store(activated(number)) for number in numbers))
            assert sorted(await all_of_them) == list(range(count))

    async def test_a_follower_gets_all_earlier_messages(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            for number in range(2 * PAGE):
                await inbox.store(activated(number))
            async with aclosing(inbox.follow("request")) as following:
                assert await taken(following, 2 * PAGE) == list(range(2 * PAGE))
                await inbox.store(activated(1000))
                assert await taken(following, 1) == [1000]

    async def test_all_followers_of_a_request_get_all_its_messages(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, open_inbox() as another, AsyncExitStack() as stack:
            following = [inbox.follow("request"), inbox.follow("request"), another.follow("request")]
            for one in following:
                await stack.enter_async_context(aclosing(one))
            all_of_them = asyncio.gather(*(taken(one, 20) for one in following))
            await asyncio.gather(*(inbox.store(activated(number)) for number in range(20)))
            assert [sorted(found) for found in await all_of_them] == [list(range(20))] * 3

    async def test_a_cancelled_follower_does_not_affect_others(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, aclosing(inbox.follow("request")) as one:
            other = inbox.follow("request")
            leaving, staying = asyncio.create_task(taken(one, 1)), asyncio.create_task(taken(other, 1))
            await asyncio.sleep(0.02)
            leaving.cancel()
            await asyncio.wait([leaving])
            await inbox.store(activated(5))
            assert await staying == [5]
            await other.aclose()

    async def test_message_numbers_become_visible_in_ascending_order(self, open_inbox: OpenInbox) -> None:
        """A follower asks for numbers above the last one that it has seen. It misses lower numbers that appear later.

        A database that assigns numbers before it commits breaks this rule, unless transactions wait for each other.
        """
        writers, count = 4, 60
        async with AsyncExitStack() as stack:
            inboxes = [await stack.enter_async_context(open_inbox()) for _ in range(writers + 1)]
            following = await stack.enter_async_context(aclosing(inboxes[writers].follow("request")))

            async def follow() -> list[tuple[int, int]]:
                """Return the numbers and devices of all messages up to the last one."""
                found: list[tuple[int, int]] = []
                while not found or found[-1][1] != writers * count:
                    received = await anext(following)
                    found.append((received.number, device_of(received)))
                return found

            async def write(writer: int) -> None:
                for place in range(count):
                    # Long messages may take longer to store than short ones that begin later.
                    detail = "x" * (50_000 if (place + writer) % 5 == 0 else 10)
                    await inboxes[writer].store(activated(writer * count + place, detail=detail))

            reading = asyncio.create_task(follow())
            await asyncio.gather(*map(write, range(writers)))
            await inboxes[0].store(activated(writers * count))
            found = await reading
            numbers = [number for number, _ in found]
            assert numbers == sorted(numbers), "messages became visible after higher numbers, or were read out of order"
            missed = set(range(writers * count)) - {device for _, device in found}
            assert not missed, f"{len(missed)} messages became visible after higher numbers: a follower misses them"

    async def test_followers_get_inbox_unavailable_when_the_inbox_closes(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            waiting = asyncio.create_task(taken(inbox.follow("request"), 1))
            await asyncio.sleep(0.02)
            await inbox.close()
            with raises(InboxUnavailable, "is not open"):
                await waiting

    # Pruning

    async def test_pruning_removes_old_messages_and_returns_their_number(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            for number in range(2):
                await inbox.store(activated(number, request=f"r{number}"))
            await inbox.store(activated(2, request="r0"))
            assert await inbox.prune(timedelta(hours=1)) == 0
            (*_, newest) = [received async for received in inbox.read()]
            assert await inbox.prune(timedelta(minutes=-1)) == 3
            assert await devices(inbox.read()) == await devices(inbox.read(request_id="r0")) == []
            assert await inbox.store(activated(2, request="r0")), "repeats no stored message"
            (found,) = [received async for received in inbox.read()]
            assert found.number > newest.number, "numbers are not reused"

    async def test_pruning_keeps_fleet_runs(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = Place("run", "one")
            await inbox.ledger.lease(place, description="activate", state=WorkerState.LEFT, seconds=1.0)
            await inbox.prune(timedelta(minutes=-1))
            assert await inbox.ledger.runs() == [("run", "activate")]
            await inbox.forget_run("run")
            assert await inbox.ledger.runs() == []


@runs_tests
class DurableInboxTests(InboxTests):
    """Tests for an inbox that keeps its messages when it is closed."""

    async def test_messages_survive_closing_all_inboxes(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            await inbox.store(activated(1), service="CarrierService")
            before = [received async for received in inbox.read()]
        async with open_inbox() as inbox:
            assert [received async for received in inbox.read()] == before
            assert not await inbox.store(activated(1, callbackCount=2), service="CarrierService")
            await inbox.store(activated(2))
            assert [received.number for received in before] < [received.number async for received in inbox.read()]
