"""`outcomes.answer` and `outcomes.stream`: each wait gets the messages of its request, in every kind of inbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from tests.callbacks.inbox.test_conformance import InFile, InMemory, InPostgres, InRedis
from tests.postgres.servers import needs_postgres
from tests.redis.servers import needs_redis
from thingspace_async import Accepted, DeviceId, errors
from thingspace_async.callbacks import Inbox, MemoryInbox, Outcomes, Received
from thingspace_async.callbacks import outcomes as outcomes_module
from thingspace_async.callbacks.inbox import BaseInbox
from thingspace_async.callbacks.messages import (
    DeviceExperienceHistory,
    Message,
    NetworkConditions,
    RequestSummary,
    UnknownMessage,
    WirelessCoverage,
)
from thingspace_async.testing import OpenInbox

ACCEPTED = Accepted(request_id="question")
SERVICE = "IntelligenceService"
SHORTLY = timedelta(seconds=0.05)
LONG = timedelta(seconds=20)


def body(latitude: str = "40.7", request_id: str = "question", **more: Any) -> bytes:
    """Return an answer about a place."""
    content = {"networkConditions": {"coordinates": {"latitude": latitude, "longitude": "-74"}}}
    return json.dumps({"requestId": request_id, "intelligenceResponse": content, "callbackCount": 1, **more}).encode()


def failure(**more: Any) -> bytes:
    return json.dumps({"requestId": "question", "status": "Failed", **more}).encode()


def latitude_of(message: Message) -> str | None:
    assert isinstance(message, NetworkConditions)
    assert message.coordinates is not None
    return message.coordinates.latitude


async def following(*inboxes: Inbox) -> None:
    """Wait until a task follows the request in each inbox."""
    async with asyncio.timeout(10):
        for inbox in inboxes:
            assert isinstance(inbox, BaseInbox)
            while not inbox._followers._waiting:
                await asyncio.sleep(0.001)


def nobody_follows(inbox: Inbox) -> bool:
    assert isinstance(inbox, BaseInbox)
    return not inbox._followers._waiting


async def some(stream: AsyncGenerator[Received], count: int) -> list[str | None]:
    """Return the latitudes of the next messages, and close the stream."""
    async with aclosing(stream), asyncio.timeout(10):
        return [latitude_of((await anext(stream)).message) for _ in range(count)]


class AnswerTests:
    """Rules that hold in every inbox."""

    async def test_a_message_that_arrived_before_the_wait_is_the_answer(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            await inbox.store(body("1", request_id="another"), service=SERVICE)
            await inbox.store(body("2"), service=SERVICE)
            for timeout in (LONG, timedelta()):
                answer = await Outcomes(inbox).answer(ACCEPTED, NetworkConditions, timeout=timeout)
                assert latitude_of(answer) == "2"

    async def test_two_processes_that_wait_both_get_a_later_message(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as one, open_inbox() as other, open_inbox() as receiver, asyncio.TaskGroup() as group:
            waits = [group.create_task(Outcomes(inbox).answer(ACCEPTED, timeout=LONG)) for inbox in (one, other)]
            streams = [group.create_task(some(Outcomes(inbox).stream(ACCEPTED), 1)) for inbox in (one, other)]
            await following(one, other)
            await receiver.store(body("1", request_id="another"), service=SERVICE)
            await receiver.store(body("2"), service=SERVICE)
            assert [latitude_of(await wait) for wait in waits] == ["2", "2"]
            assert [await stream for stream in streams] == [["2"], ["2"]]
            assert nobody_follows(one)
            assert nobody_follows(other)

    async def test_a_message_that_never_comes_is_missing(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            await inbox.store(body(request_id="another"), service=SERVICE)
            with pytest.raises(errors.OutcomesMissing, match=r"^request question: no answer has arrived after 0\.05 s"):
                await Outcomes(inbox).answer(ACCEPTED, timeout=SHORTLY)
            with pytest.raises(errors.OutcomesMissing, match=r"^request question: no message has arrived after 0\.05"):
                await some(Outcomes(inbox).stream(ACCEPTED, timeout=SHORTLY), 1)
            assert nobody_follows(inbox)

    async def test_a_cancelled_wait_ends_at_once_and_follows_no_longer(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            outcomes = Outcomes(inbox)
            for waiting in (outcomes.answer(ACCEPTED, timeout=LONG), some(outcomes.stream(ACCEPTED), 1)):
                task = asyncio.create_task(waiting)
                await following(inbox)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert nobody_follows(inbox)
            await inbox.store(body("3"), service=SERVICE)
            assert latitude_of(await outcomes.answer(ACCEPTED, timeout=LONG)) == "3"

    async def test_a_stream_yields_stored_and_new_messages_in_order(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, open_inbox() as receiver:
            for number in range(120):  # More than a page.
                await receiver.store(body(str(number)), service=SERVICE)
            taking = asyncio.create_task(some(Outcomes(inbox).stream(ACCEPTED), 123))
            await following(inbox)
            for number in range(120, 123):
                await receiver.store(body(str(number)), service=SERVICE)
            assert await taking == [str(number) for number in range(123)]
            assert nobody_follows(inbox)


class DurableAnswerTests(AnswerTests):
    """Rules for inboxes that keep their messages."""

    async def test_a_wait_continues_after_a_restart(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            for number in range(3):
                await inbox.store(body(str(number)), service=SERVICE)
            async with aclosing(Outcomes(inbox).stream(ACCEPTED, timeout=LONG)) as stream:
                handled = [await anext(stream), await anext(stream)][-1].number
        async with open_inbox() as inbox:
            outcomes = Outcomes(inbox)
            assert latitude_of(await outcomes.answer(Accepted(request_id="question"), timeout=LONG)) == "0"
            taking = asyncio.create_task(some(outcomes.stream(ACCEPTED, after=handled), 2))
            await following(inbox)
            await inbox.store(body("3"), service=SERVICE)
            assert await taking == ["2", "3"]


class TestMemory(InMemory, AnswerTests): ...


class TestSqlite(InFile, DurableAnswerTests): ...


@needs_redis
class TestRedis(InRedis, DurableAnswerTests): ...


@needs_postgres
class TestPostgres(InPostgres, DurableAnswerTests): ...


# Contents of messages


async def test_reports_of_progress_are_not_the_answer() -> None:
    async with MemoryInbox() as inbox:
        for status in ("Pending", "Queued", "Warning"):
            await inbox.store(body(status=status), service=SERVICE)
        summary = {"requestId": "question", "summary": {"devicesRequested": 1}, "status": "Success"}
        await inbox.store(json.dumps(summary).encode(), service=SERVICE)
        with pytest.raises(errors.OutcomesMissing):
            await Outcomes(inbox).answer(ACCEPTED, timeout=timedelta())
        await inbox.store(body("2", status="Success"), service=SERVICE)
        assert latitude_of(await Outcomes(inbox).answer(ACCEPTED, timeout=LONG)) == "2"
        async with aclosing(Outcomes(inbox).stream(ACCEPTED)) as stream:
            kinds = [type((await anext(stream)).message) for _ in range(5)]
        assert kinds == [NetworkConditions] * 3 + [RequestSummary, NetworkConditions]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"faultResponse": {"faultcode": "X.Y", "faultstring": "no coverage data"}}, r"no coverage data \(X\.Y\)"),
        ({}, "Failed"),
        ({"status": None, "faultResponse": {"faultcode": "X"}}, r"no explanation given \(X\)"),
    ],
)
@pytest.mark.parametrize("kind", [Message, NetworkConditions])
async def test_a_failed_request_raises_and_the_error_has_the_message(
    more: dict[str, Any], reason: str, kind: type[Message]
) -> None:
    async with MemoryInbox() as inbox:
        await inbox.store(failure(**more), service=SERVICE)
        with pytest.raises(
            errors.RequestFailed, match=rf"^request question failed, send a new one: {reason}$"
        ) as caught:
            await Outcomes(inbox).answer(ACCEPTED, kind, timeout=LONG)
        assert caught.value.received.message.failed
        async with aclosing(Outcomes(inbox).stream(ACCEPTED)) as stream:
            assert (await anext(stream)).message.failed


async def test_a_message_of_another_class_is_an_error_instead_of_a_wait() -> None:
    async with MemoryInbox() as inbox:
        await inbox.store(body(), service=SERVICE)
        said = "the message is of class NetworkConditions, not WirelessCoverage: await it without a kind"
        with pytest.raises(errors.MessageUnreadable, match=said):
            await Outcomes(inbox).answer(ACCEPTED, WirelessCoverage, timeout=LONG)


async def test_an_unknown_message_is_an_answer() -> None:
    async with MemoryInbox() as inbox:
        await inbox.store(b'{"requestId": "question", "news": 1}')
        answer = await Outcomes(inbox).answer(ACCEPTED, timeout=LONG)
        assert isinstance(answer, UnknownMessage)
        assert answer.body["news"] == 1


async def test_a_message_about_a_device_is_an_outcome_too() -> None:
    imei = DeviceId.imei("990013907835573")
    content = {"deviceExperienceScoreHistory": {"device": [{"id": imei.id, "kind": "IMEI"}], "scores": []}}
    message = json.dumps({"requestId": "question", "intelligenceResponse": content}).encode()
    async with MemoryInbox() as inbox:
        await inbox.store(message, service=SERVICE)
        (outcome,) = await Outcomes(inbox).all(ACCEPTED, devices=[imei], timeout=LONG)
        assert (outcome.asked_for, outcome.inferred) == (True, False)
        answer = await Outcomes(inbox).answer(ACCEPTED, DeviceExperienceHistory, timeout=LONG)
        assert answer.identifier("imei") == imei.id


# Invalid waits


async def test_a_wait_ends_with_an_error_if_the_inbox_closes() -> None:
    inbox = MemoryInbox()
    await inbox.open()
    outcomes = Outcomes(inbox)
    waits = [
        asyncio.create_task(outcomes.answer(ACCEPTED, timeout=LONG)),
        asyncio.create_task(some(outcomes.stream(ACCEPTED), 1)),
    ]
    await following(inbox)
    await asyncio.sleep(0)
    await inbox.close()
    for wait in waits:
        with pytest.raises(errors.InboxUnavailable):
            await wait


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"accepted": "question"}, "pass the Accepted of the request, not str"),
        ({"kind": "NetworkConditions"}, "kind must be a class of messages, such as NetworkConditions"),
        ({"kind": Accepted}, "kind must be a class of messages"),
        ({"timeout": 5}, "timeout must be a timedelta, not int"),
        ({"timeout": timedelta(seconds=-1)}, "timeout must be zero or more"),
    ],
    ids=str,
)
async def test_a_wait_for_an_answer_refuses_invalid_arguments(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"^outcomes: {said}"):
        await Outcomes(MemoryInbox()).answer(**{"accepted": ACCEPTED, **wrong})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"accepted": "question"}, "pass the Accepted of the request, not str"),
        ({"after": "7"}, "after must be the number of a message, not str"),
        ({"after": True}, "after must be the number of a message, not bool"),
        ({"timeout": 5}, "timeout must be a timedelta, not int"),
        ({"timeout": timedelta()}, "timeout must be more than zero"),
    ],
    ids=str,
)
async def test_a_stream_refuses_invalid_arguments_at_once(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"^outcomes: {said}"):
        Outcomes(MemoryInbox()).stream(**{"accepted": ACCEPTED, **wrong})


async def test_a_stream_over_many_stored_messages_lets_other_tasks_run() -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with MemoryInbox() as inbox:
        for number in range(1000):
            await inbox.store(body(str(number)), service=SERVICE)
        other = asyncio.create_task(take_turns())
        await some(Outcomes(inbox).stream(ACCEPTED), 1000)
        other.cancel()
    assert turns >= 4


@pytest.mark.parametrize("limit", [None, LONG])
async def test_the_time_limit_of_a_stream_begins_again_with_each_message(
    monkeypatch: pytest.MonkeyPatch, limit: timedelta | None
) -> None:
    limits: list[float | None] = []

    async def next_message(messages: AsyncGenerator[Received], until: float | None) -> Received | None:
        limits.append(until)
        return await anext(messages)

    monkeypatch.setattr(outcomes_module, "_next", next_message)
    async with MemoryInbox() as inbox:
        for number in range(3):
            await inbox.store(body(str(number)), service=SERVICE)
        await some(Outcomes(inbox).stream(ACCEPTED, timeout=limit), 3)
    assert len(limits) == 3
    assert len(set(limits)) == (1 if limit is None else 3)
    assert (None in limits) == (limit is None)
