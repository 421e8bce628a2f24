"""Outcomes: each device's, once, to whoever waits, and what it takes for a wait to end."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.callbacks.conftest import FAULT, REQUEST_ID, iccid, imei, told
from thingspace_async import Accepted, DeviceId, DeviceIds, errors
from thingspace_async._types import SomeDevices
from thingspace_async.callbacks.inbox import BaseInbox, Inbox, MemoryInbox, Received
from thingspace_async.callbacks.messages import MessageStatus
from thingspace_async.callbacks.outcomes import Outcome, Outcomes
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox

ACCEPTED = Accepted(request_id=REQUEST_ID)
NOW = timedelta()
SHORTLY = timedelta(seconds=0.05)
LONG = timedelta(seconds=20)


def ids(outcomes: Any) -> list[str]:
    return [outcome.device.device_ids[0].id for outcome in outcomes]


async def _following(inbox: Inbox, count: int = 1) -> None:
    """Wait until so many follow the request."""
    assert isinstance(inbox, BaseInbox)
    async with asyncio.timeout(10):
        while len(inbox._followers._waiting.get(REQUEST_ID, ())) < count:
            await asyncio.sleep(0.001)


def nobody_follows(inbox: Inbox) -> bool:
    assert isinstance(inbox, BaseInbox)
    return not inbox._followers._waiting


async def test_each_devices_outcome_is_given_as_it_comes_and_the_walk_ends_with_the_last(inbox: Inbox) -> None:
    devices = [imei(1), imei(2), imei(3)]
    came: list[Outcome] = []
    for number in (2, 3, 1):
        # Stored one after the other, each only once the one before was given.
        await inbox.store(told(imei(number)), service="CarrierService")
        if not came:
            walk = Outcomes(inbox).of(ACCEPTED, devices=devices, timeout=LONG)
        came.append(await asyncio.wait_for(anext(walk), 10))
    assert await anext(walk, None) is None
    assert ids(came) == [imei(number).id for number in (2, 3, 1)]
    assert [(one.status, one.failed, one.fault, one.asked_for) for one in came] == [
        (MessageStatus.SUCCESS, False, None, True)
    ] * 3
    assert {one.received.service for one in came} == {"CarrierService"}
    assert came[0].received_at == came[0].received.received_at
    assert nobody_follows(inbox)


async def test_what_came_before_the_answer_is_found_and_what_comes_later_waited_for(inbox: Inbox) -> None:
    await inbox.store(told(imei(1)))
    waiting = asyncio.create_task(Outcomes(inbox).all(ACCEPTED, devices=[imei(1), imei(2)], timeout=LONG))
    await _following(inbox)
    await inbox.store(told(imei(2), request_id="another"))
    await inbox.store(told(imei(2)))
    assert ids(await waiting) == [imei(1).id, imei(2).id]


async def test_outcomes_of_requests_before_a_restart_are_found(tmp_path: Path) -> None:
    async with SqliteInbox(tmp_path / "inbox.db") as before:
        await before.store(told(imei(1)))
    async with SqliteInbox(tmp_path / "inbox.db") as after:
        assert ids(await Outcomes(after).all(ACCEPTED, devices=[imei(1)], timeout=LONG)) == [imei(1).id]


async def test_a_failed_device_is_an_outcome_that_raises_only_when_asked_to(inbox: Inbox) -> None:
    await inbox.store(told(imei(1), status="Failed", faultResponse=FAULT))
    await inbox.store(told(imei(2)))
    failed, done = await Outcomes(inbox).all(ACCEPTED, devices=[imei(1), imei(2)], timeout=LONG)
    assert (failed.failed, failed.status, failed.final) == (True, MessageStatus.FAILED, True)
    assert failed.fault is not None
    assert failed.fault.short_code == "REQUEST_FAILED.DeviceAlreadyActive"
    with pytest.raises(errors.DeviceFailed) as caught:
        failed.raise_for_fault()
    assert str(caught.value) == f"imei {imei(1).id}: Device is already active ({FAULT['faultcode']})"
    assert caught.value.outcome is failed
    assert pickle.loads(pickle.dumps(caught.value)).outcome == failed
    done.raise_for_fault()


async def test_a_failure_without_a_fault_or_a_device_is_told_by_its_status(inbox: Inbox) -> None:
    await inbox.store(told(status="Failed"))
    (failed,) = await Outcomes(inbox).all(ACCEPTED, count=1, timeout=LONG)
    with pytest.raises(errors.DeviceFailed, match=r"^an unnamed device: Failed$"):
        failed.raise_for_fault()


async def test_a_device_is_known_by_any_of_its_identifiers_whatever_the_case_of_their_kinds(inbox: Inbox) -> None:
    device = DeviceIds(device_ids=(imei(1), iccid(1)))
    await inbox.store(told(DeviceId(id=iccid(1).id, kind="iccId"), DeviceId.mdn("9085550001")))
    (outcome,) = await Outcomes(inbox).all(ACCEPTED, devices=[device], timeout=LONG)
    assert outcome.device is device
    assert outcome.message.identifier("MDN") == "9085550001"


async def test_a_device_is_known_by_an_identifier_that_an_earlier_message_has_added(inbox: Inbox) -> None:
    await inbox.store(told(imei(1), DeviceId.mdn("9085550001"), status="Pending"))
    await inbox.store(told(DeviceId.mdn("9085550001")))
    outcomes = await Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG)
    assert ids(outcomes) == [imei(1).id] * 2
    assert [outcome.final for outcome in outcomes] == [False, True]


async def test_a_device_is_known_by_what_the_platform_reports_where_it_is_not_by_what_it_names(inbox: Inbox) -> None:
    reported = [{"id": imei(1).id, "kind": "Imei"}]
    await inbox.store(
        told(
            DeviceId.mdn("9085550001"), deviceResponse={"activateResponse": {"deviceIds": reported, "state": "active"}}
        )
    )
    (outcome,) = await Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG)
    assert (ids([outcome]), outcome.asked_for) == ([imei(1).id], True)


async def test_two_devices_that_swap_their_cards_are_not_taken_for_each_other(inbox: Inbox) -> None:
    for old, new in ((1, 2), (2, 1)):
        change = {"changeIdentifierResponse": {"deviceIds": [{"id": iccid(new).id, "kind": "Iccid"}]}}
        await inbox.store(told(iccid(old), deviceResponse=change))
    outcomes = await Outcomes(inbox).all(ACCEPTED, devices=[iccid(1), iccid(2)], timeout=LONG)
    assert [(one.device.device_ids, one.message.device_ids) for one in outcomes] == [
        ((iccid(1),), (iccid(1),)),
        ((iccid(2),), (iccid(2),)),
    ]


async def test_a_message_about_several_devices_is_an_outcome_of_each(inbox: Inbox) -> None:
    used = [{"deviceIds": [{"id": imei(number).id, "kind": "Imei"}], "bytesUsed": number} for number in (1, 2)]
    await inbox.store(told(deviceResponse={"usageResponse": used}), service="DeviceUsage")
    await inbox.store(told(imei(3), imei(4)))
    devices = [imei(number) for number in (1, 2, 3, 4)]
    assert ids(await Outcomes(inbox).all(ACCEPTED, devices=devices, timeout=LONG)) == [one.id for one in devices]


async def test_a_device_that_nobody_asked_for_is_given_and_does_not_count(inbox: Inbox) -> None:
    for number in (7, 8, 1):
        await inbox.store(told(imei(number)))
    await inbox.store(told())
    outcomes = await Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG)
    assert [(one.device.device_ids, one.asked_for) for one in outcomes] == [
        ((imei(7),), False),
        ((imei(8),), False),
        ((imei(1),), True),
    ]


@pytest.mark.parametrize(
    "word",
    [
        {"status": "Pending"},
        {"status": "QUEUED"},
        {"status": "Warning"},
        {"niddResponse": {"niddConfigResponse": {"accountName": "a"}}, "status": "ConfigCreated"},
        {"summary": {"devicesRequested": 1}},
    ],
    ids=str,
)
async def test_word_of_what_is_under_way_is_given_and_does_not_count(inbox: Inbox, word: dict[str, Any]) -> None:
    await inbox.store(told(imei(1), **word))
    await inbox.store(told(imei(1)))
    for wanted in ({"devices": [imei(1)]}, {"count": 1}):
        outcomes = await Outcomes(inbox).all(ACCEPTED, **wanted, timeout=LONG)
        assert [outcome.final for outcome in outcomes] == [False, True]
    with pytest.raises(errors.OutcomesMissing) as caught:
        await Outcomes(inbox).all(ACCEPTED, devices=[imei(1), imei(2)], timeout=NOW)
    assert len(caught.value.outcomes) == 2


async def test_the_platforms_further_attempts_are_no_further_outcomes(inbox: Inbox) -> None:
    for attempt in (1, 2, 3, 4):
        await inbox.store(told(imei(1), callbackCount=attempt))
    await inbox.store(told(imei(2)))
    outcomes = await Outcomes(inbox).all(ACCEPTED, devices=[imei(1), imei(2)], timeout=LONG)
    assert ids(outcomes) == [imei(1).id, imei(2).id]


async def test_thousands_in_any_order_with_repeats_come_once_each_to_all_who_wait(inbox: Inbox) -> None:
    draw = random.Random(4)
    messages = [told(imei(number)) for number in range(2000)]
    messages += [told(imei(number), callbackCount=2) for number in draw.sample(range(2000), 200)]
    draw.shuffle(messages)
    devices = [imei(number) for number in range(2000)]
    waiting = [
        asyncio.create_task(Outcomes(inbox).all(ACCEPTED, devices=devices, timeout=timedelta(minutes=1)))
        for _ in range(2)
    ]
    await _following(inbox, 2)
    for begin in range(0, len(messages), 100):
        await asyncio.gather(*(inbox.store(message) for message in messages[begin : begin + 100]))
    for outcomes in await asyncio.gather(*waiting):
        assert sorted(ids(outcomes)) == [one.id for one in devices]


async def test_a_cancelled_wait_leaves_nothing_and_another_goes_on(inbox: Inbox) -> None:
    waiting = [asyncio.create_task(Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG)) for _ in range(2)]
    await _following(inbox, 2)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert isinstance(inbox, BaseInbox)
    assert len(inbox._followers._waiting[REQUEST_ID]) == 1
    await inbox.store(told(imei(1)))
    assert ids(await waiting[1]) == [imei(1).id]
    assert nobody_follows(inbox)


async def test_a_walk_that_is_left_early_leaves_nothing(inbox: Inbox) -> None:
    await inbox.store(told(imei(1)))
    async with aclosing(Outcomes(inbox).of(ACCEPTED, devices=[imei(1), imei(2)], timeout=LONG)) as walk:
        async for _ in walk:
            break
    assert nobody_follows(inbox)


async def test_at_the_timeout_the_error_has_what_came_and_what_is_missing(inbox: Inbox) -> None:
    await inbox.store(told(imei(2)))
    await inbox.store(told(imei(9)))
    devices = (
        DeviceIds(device_ids=(imei(1), iccid(1))),
        DeviceIds(device_ids=(imei(2),)),
        DeviceIds(device_ids=(imei(3),)),
    )
    with pytest.raises(errors.OutcomesMissing) as caught:
        await Outcomes(inbox).all(ACCEPTED, devices=devices, timeout=SHORTLY)
    error = caught.value
    assert ids(error.outcomes) == [imei(2).id, imei(9).id]
    assert error.missing == (devices[0], devices[2])
    assert str(error) == f"2 of 3 devices have no outcome after 0.05 s, of request {REQUEST_ID}"
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(twin), twin.outcomes, twin.missing) == (str(error), error.outcomes, error.missing)
    assert nobody_follows(inbox)
    await inbox.store(told(imei(1)))
    await inbox.store(told(imei(3)))
    assert len(await Outcomes(inbox).all(ACCEPTED, devices=devices, timeout=LONG)) == 4


async def test_a_timeout_of_zero_gives_what_is_there(inbox: Inbox) -> None:
    await inbox.store(told(imei(1)))
    assert ids(await Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=NOW)) == [imei(1).id]
    with pytest.raises(errors.OutcomesMissing) as caught:
        await Outcomes(inbox).all(ACCEPTED, devices=[imei(1), imei(2)], timeout=NOW)
    assert ids(caught.value.outcomes) == [imei(1).id]


async def test_what_came_in_time_while_the_caller_was_at_work_is_not_missed(inbox: Inbox) -> None:
    devices = [imei(number) for number in range(150)]  # More than an inbox reads at once.
    await inbox.store(told(imei(0)))
    came: list[Outcome] = []
    async for outcome in Outcomes(inbox).of(ACCEPTED, devices=devices, timeout=SHORTLY):
        if not came:
            for device in devices[1:]:
                await inbox.store(told(device))
            await asyncio.sleep(SHORTLY.total_seconds() * 2)
        came.append(outcome)
    assert ids(came) == [one.id for one in devices]


async def test_a_caller_that_works_longer_than_the_timeout_is_not_interrupted(inbox: Inbox) -> None:
    await inbox.store(told(imei(1)))
    async for _ in Outcomes(inbox).of(ACCEPTED, devices=[imei(1)], timeout=timedelta(seconds=0.01)):
        await asyncio.sleep(0.05)
    await inbox.store(told(imei(2), request_id="b"))


async def test_a_wait_for_an_inbox_that_is_closed_ends_with_an_error() -> None:
    async with MemoryInbox() as inbox:
        waiting = asyncio.create_task(Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG))
        await _following(inbox)
    with pytest.raises(errors.InboxUnavailable):
        await waiting


class _Ending(MemoryInbox):
    """An inbox of somebody's own, whose `follow` comes to an end."""

    async def follow(self, request_id: str) -> AsyncGenerator[Received]:
        async for received in self.read(request_id=request_id):
            yield received


class _Impatient(MemoryInbox):
    """An inbox of somebody's own that has timeouts, too."""

    async def follow(self, request_id: str) -> AsyncGenerator[Received]:
        if request_id:
            raise TimeoutError("the database is slow")
        yield await anext(super().follow(request_id))


async def test_an_inbox_that_tells_of_its_end_ends_the_wait_with_an_error() -> None:
    async with _Ending() as inbox:
        with pytest.raises(errors.InboxUnavailable, match="closed while outcomes were waited for"):
            await Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG)


async def test_an_inboxs_own_timeout_is_not_taken_for_the_end_of_the_wait() -> None:
    async with _Impatient() as inbox:
        with pytest.raises(TimeoutError, match="the database is slow"):
            await Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG)


async def test_as_many_devices_as_are_counted_are_waited_for(inbox: Inbox) -> None:
    await inbox.store(told(imei(1), iccid(1)))
    await inbox.store(told(iccid(1), status="Delivered"))
    await inbox.store(told(imei(2)))
    outcomes = await Outcomes(inbox).all(ACCEPTED, count=2, timeout=LONG)
    assert [outcome.device.device_ids for outcome in outcomes] == [(imei(1), iccid(1))] * 2 + [(imei(2),)]
    assert all(outcome.asked_for for outcome in outcomes)
    with pytest.raises(errors.OutcomesMissing, match=r"^1 of 3 devices have no outcome") as caught:
        await Outcomes(inbox).all(ACCEPTED, count=3, timeout=NOW)
    assert caught.value.missing == ()


async def test_a_device_that_is_named_twice_is_waited_for_once(inbox: Inbox) -> None:
    await inbox.store(told(imei(1)))
    devices: SomeDevices = [[imei(1), iccid(1)], imei(1), [iccid(1)]]
    (outcome,) = await Outcomes(inbox).all(ACCEPTED, devices=devices, timeout=LONG)
    assert outcome.device == DeviceIds(device_ids=(imei(1), iccid(1)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "give devices or count"),
        ({"devices": []}, "give devices or count"),
        ({"devices": [imei(1)], "count": 1}, "exclude each other"),
        ({"count": 0}, "count must be 1 or more"),
        ({"devices": "990013907830001"}, "devices must be a tuple of DeviceIds, not str"),
        ({"devices": [DeviceId.imei("123")]}, "has the imei 123"),
        ({"count": 1, "timeout": 3600}, "timeout must be a timedelta, not int"),
        ({"count": 1, "timeout": timedelta(seconds=-1)}, "timeout must be zero or more"),
        ({"count": 1, "accepted": REQUEST_ID}, "give what the request answered, Accepted, not str"),
    ],
    ids=str,
)
async def test_what_cannot_be_waited_for_is_refused_at_once(wrong: dict[str, Any], said: str) -> None:
    given = {"accepted": ACCEPTED, **wrong}
    with pytest.raises(errors.InvalidRequest, match=said):
        Outcomes(MemoryInbox()).of(**given)


def test_an_outcome_shows_no_more_than_its_message() -> None:
    body = json.loads(told(imei(1))) | {"username": "fleet", "password": "drowssap"}

    async def outcome() -> Outcome:
        async with MemoryInbox() as inbox:
            await inbox.store(json.dumps(body).encode())
            return (await Outcomes(inbox).all(ACCEPTED, count=1))[0]

    assert "drowssap" not in repr(asyncio.run(outcome()))
