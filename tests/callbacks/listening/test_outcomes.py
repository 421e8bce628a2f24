"""Outcomes: each wait gets each device's outcome once, and ends after the last one."""

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
from hypothesis import given
from hypothesis import strategies as st

from tests.callbacks.listening.conftest import FAULT, REQUEST_ID, iccid, imei, message_about
from thingspace_async import Accepted, DeviceId, DeviceIds, errors
from thingspace_async._core.types import SomeDevices, to_devices
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
    """Wait until this many tasks follow the request."""
    assert isinstance(inbox, BaseInbox)
    async with asyncio.timeout(10):
        while len(inbox._followers._waiting.get(REQUEST_ID, ())) < count:
            await asyncio.sleep(0.001)


def nobody_follows(inbox: Inbox) -> bool:
    assert isinstance(inbox, BaseInbox)
    return not inbox._followers._waiting


async def test_outcomes_are_yielded_as_they_arrive_until_each_device_has_one(inbox: Inbox) -> None:
    devices = [imei(1), imei(2), imei(3)]
    came: list[Outcome] = []
    for number in (2, 3, 1):
        # Each is stored only after the one before was yielded.
        await inbox.store(message_about(imei(number)), service="CarrierService")
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


async def test_earlier_messages_are_found_and_later_ones_awaited(inbox: Inbox) -> None:
    await inbox.store(message_about(imei(1)))
    waiting = asyncio.create_task(Outcomes(inbox).all(ACCEPTED, devices=[imei(1), imei(2)], timeout=LONG))
    await _following(inbox)
    await inbox.store(message_about(imei(2), request_id="another"))
    await inbox.store(message_about(imei(2)))
    assert ids(await waiting) == [imei(1).id, imei(2).id]


async def test_outcomes_of_requests_before_a_restart_are_found(tmp_path: Path) -> None:
    async with SqliteInbox(tmp_path / "inbox.db") as before:
        await before.store(message_about(imei(1)))
    async with SqliteInbox(tmp_path / "inbox.db") as after:
        assert ids(await Outcomes(after).all(ACCEPTED, devices=[imei(1)], timeout=LONG)) == [imei(1).id]


async def test_a_failed_device_has_an_outcome_and_raises_only_on_request(inbox: Inbox) -> None:
    await inbox.store(message_about(imei(1), status="Failed", faultResponse=FAULT))
    await inbox.store(message_about(imei(2)))
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


async def test_a_failure_without_a_fault_or_a_device_is_recognised_by_its_status(inbox: Inbox) -> None:
    await inbox.store(message_about(status="Failed"))
    (failed,) = await Outcomes(inbox).all(ACCEPTED, count=1, timeout=LONG)
    with pytest.raises(errors.DeviceFailed, match=r"^an unnamed device: Failed$"):
        failed.raise_for_fault()


async def test_a_device_is_matched_by_any_of_its_identifiers_ignoring_the_case_of_kinds(inbox: Inbox) -> None:
    device = DeviceIds(device_ids=(imei(1), iccid(1)))
    await inbox.store(message_about(DeviceId(id=iccid(1).id, kind="iccId"), DeviceId.mdn("9085550001")))
    (outcome,) = await Outcomes(inbox).all(ACCEPTED, devices=[device], timeout=LONG)
    assert outcome.device is device
    assert outcome.message.identifier("MDN") == "9085550001"


async def test_a_device_is_matched_by_an_identifier_from_an_earlier_message(inbox: Inbox) -> None:
    await inbox.store(message_about(imei(1), DeviceId.mdn("9085550001"), status="Pending"))
    await inbox.store(message_about(DeviceId.mdn("9085550001")))
    outcomes = await Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG)
    assert ids(outcomes) == [imei(1).id] * 2
    assert [outcome.final for outcome in outcomes] == [False, True]


async def test_a_device_is_matched_by_reported_identifiers_if_those_of_the_request_do_not_match(inbox: Inbox) -> None:
    reported = [{"id": imei(1).id, "kind": "Imei"}]
    await inbox.store(
        message_about(
            DeviceId.mdn("9085550001"), deviceResponse={"activateResponse": {"deviceIds": reported, "state": "active"}}
        )
    )
    (outcome,) = await Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG)
    assert (ids([outcome]), outcome.asked_for) == ([imei(1).id], True)


async def test_two_devices_that_swap_their_sims_are_not_confused(inbox: Inbox) -> None:
    for old, new in ((1, 2), (2, 1)):
        change = {"changeIdentifierResponse": {"deviceIds": [{"id": iccid(new).id, "kind": "Iccid"}]}}
        await inbox.store(message_about(iccid(old), deviceResponse=change))
    outcomes = await Outcomes(inbox).all(ACCEPTED, devices=[iccid(1), iccid(2)], timeout=LONG)
    assert [(one.device.device_ids, one.message.device_ids) for one in outcomes] == [
        ((iccid(1),), (iccid(1),)),
        ((iccid(2),), (iccid(2),)),
    ]


async def test_a_message_about_several_devices_is_an_outcome_for_each(inbox: Inbox) -> None:
    used = [{"deviceIds": [{"id": imei(number).id, "kind": "Imei"}], "bytesUsed": number} for number in (1, 2)]
    await inbox.store(message_about(deviceResponse={"usageResponse": used}), service="DeviceUsage")
    await inbox.store(message_about(imei(3), imei(4)))
    devices = [imei(number) for number in (1, 2, 3, 4)]
    assert ids(await Outcomes(inbox).all(ACCEPTED, devices=devices, timeout=LONG)) == [one.id for one in devices]


async def test_outcomes_of_other_devices_are_yielded_and_do_not_count(inbox: Inbox) -> None:
    for number in (7, 8, 1):
        await inbox.store(message_about(imei(number)))
    await inbox.store(message_about())
    outcomes = await Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG)
    assert [(one.device.device_ids, one.asked_for) for one in outcomes] == [
        ((imei(1),), True),
        ((imei(7),), False),
        ((imei(8),), False),
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
async def test_progress_reports_are_yielded_and_do_not_count(inbox: Inbox, word: dict[str, Any]) -> None:
    await inbox.store(message_about(imei(1), **word))
    await inbox.store(message_about(imei(1)))
    for wanted in ({"devices": [imei(1)]}, {"count": 1}):
        outcomes = await Outcomes(inbox).all(ACCEPTED, **wanted, timeout=LONG)
        assert [outcome.final for outcome in outcomes] == [False, True]
    with pytest.raises(errors.OutcomesMissing) as caught:
        await Outcomes(inbox).all(ACCEPTED, devices=[imei(1), imei(2)], timeout=NOW)
    assert len(caught.value.outcomes) == 2


async def test_repeated_messages_yield_one_outcome(inbox: Inbox) -> None:
    for attempt in (1, 2, 3, 4):
        await inbox.store(message_about(imei(1), callbackCount=attempt))
    await inbox.store(message_about(imei(2)))
    outcomes = await Outcomes(inbox).all(ACCEPTED, devices=[imei(1), imei(2)], timeout=LONG)
    assert ids(outcomes) == [imei(1).id, imei(2).id]


async def test_each_of_several_tasks_gets_each_of_thousands_of_outcomes_once(inbox: Inbox) -> None:
    draw = random.Random(4)
    messages = [message_about(imei(number)) for number in range(2000)]
    messages += [message_about(imei(number), callbackCount=2) for number in draw.sample(range(2000), 200)]
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


async def test_a_wait_that_finds_thousands_of_messages_lets_other_tasks_run() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with MemoryInbox() as inbox:
        for number in range(2000):
            await inbox.store(message_about(imei(number)))
        counting = asyncio.create_task(count())
        await Outcomes(inbox).all(request_for(*map(imei, range(2000))), timeout=LONG)
        counting.cancel()
    assert turns > 15, "one for each 200 devices or messages"


async def test_a_cancelled_wait_leaves_nothing_behind_and_another_continues(inbox: Inbox) -> None:
    waiting = [asyncio.create_task(Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG)) for _ in range(2)]
    await _following(inbox, 2)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert isinstance(inbox, BaseInbox)
    assert len(inbox._followers._waiting[REQUEST_ID]) == 1
    await inbox.store(message_about(imei(1)))
    assert ids(await waiting[1]) == [imei(1).id]
    assert nobody_follows(inbox)


async def test_an_iteration_that_ends_early_leaves_nothing_behind(inbox: Inbox) -> None:
    await inbox.store(message_about(imei(1)))
    async with aclosing(Outcomes(inbox).of(ACCEPTED, devices=[imei(1), imei(2)], timeout=LONG)) as walk:
        async for _ in walk:
            break
    assert nobody_follows(inbox)


async def test_at_the_timeout_the_error_has_the_outcomes_and_the_missing_devices(inbox: Inbox) -> None:
    await inbox.store(message_about(imei(2)))
    await inbox.store(message_about(imei(9)))
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
    assert error.unmatched == error.outcomes[1:]
    assert str(error) == (
        f"request {REQUEST_ID}: 2 of 3 devices have no outcome after 0.05 s; "
        f"1 message matches none of its devices: Imei {imei(9).id}"
    )
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(twin), vars(twin)) == (str(error), vars(error))
    assert nobody_follows(inbox)
    await inbox.store(message_about(imei(1)))
    await inbox.store(message_about(imei(3)))
    assert len(await Outcomes(inbox).all(ACCEPTED, devices=devices, timeout=LONG)) == 4


async def test_a_timeout_of_zero_yields_stored_outcomes(inbox: Inbox) -> None:
    await inbox.store(message_about(imei(1)))
    assert ids(await Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=NOW)) == [imei(1).id]
    with pytest.raises(errors.OutcomesMissing) as caught:
        await Outcomes(inbox).all(ACCEPTED, devices=[imei(1), imei(2)], timeout=NOW)
    assert ids(caught.value.outcomes) == [imei(1).id]


async def test_messages_that_arrive_in_time_while_the_caller_is_busy_are_not_missed(inbox: Inbox) -> None:
    devices = [imei(number) for number in range(150)]  # More than a page of the inbox.
    await inbox.store(message_about(imei(0)))
    came: list[Outcome] = []
    async for outcome in Outcomes(inbox).of(ACCEPTED, devices=devices, timeout=SHORTLY):
        if not came:
            for device in devices[1:]:
                await inbox.store(message_about(device))
            await asyncio.sleep(SHORTLY.total_seconds() * 2)
        came.append(outcome)
    assert ids(came) == [one.id for one in devices]


async def test_a_caller_that_is_busy_for_longer_than_the_timeout_is_not_interrupted(inbox: Inbox) -> None:
    await inbox.store(message_about(imei(1)))
    async for _ in Outcomes(inbox).of(ACCEPTED, devices=[imei(1)], timeout=timedelta(seconds=0.01)):
        await asyncio.sleep(0.05)
    await inbox.store(message_about(imei(2), request_id="b"))


async def test_a_wait_ends_with_an_error_if_the_inbox_is_closed() -> None:
    async with MemoryInbox() as inbox:
        waiting = asyncio.create_task(Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG))
        await _following(inbox)
    with pytest.raises(errors.InboxUnavailable):
        await waiting


class _Ending(MemoryInbox):
    """A custom inbox whose `follow` ends."""

    async def follow(self, request_id: str) -> AsyncGenerator[Received]:
        async for received in self.read(request_id=request_id):
            yield received


class _Impatient(MemoryInbox):
    """A custom inbox with its own timeouts."""

    async def follow(self, request_id: str) -> AsyncGenerator[Received]:
        if request_id:
            raise TimeoutError("the database is slow")
        yield await anext(super().follow(request_id))


async def test_a_wait_ends_with_an_error_if_follow_ends() -> None:
    async with _Ending() as inbox:
        with pytest.raises(errors.InboxUnavailable, match="closed while a task waited for outcomes"):
            await Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG)


async def test_a_timeout_error_of_the_inbox_does_not_end_the_wait_as_a_timeout() -> None:
    async with _Impatient() as inbox:
        with pytest.raises(TimeoutError, match="the database is slow"):
            await Outcomes(inbox).all(ACCEPTED, devices=[imei(1)], timeout=LONG)


async def test_a_count_of_devices_is_awaited(inbox: Inbox) -> None:
    await inbox.store(message_about(imei(1), iccid(1)))
    await inbox.store(message_about(iccid(1), status="Delivered"))
    await inbox.store(message_about(imei(2)))
    outcomes = await Outcomes(inbox).all(ACCEPTED, count=2, timeout=LONG)
    assert [outcome.device.device_ids for outcome in outcomes] == [(imei(1), iccid(1))] * 2 + [(imei(2),)]
    assert all(outcome.asked_for for outcome in outcomes)
    with pytest.raises(errors.OutcomesMissing, match="1 of 3 devices have no outcome") as caught:
        await Outcomes(inbox).all(ACCEPTED, count=3, timeout=NOW)
    assert caught.value.missing == ()


async def test_a_device_that_is_listed_twice_is_awaited_once(inbox: Inbox) -> None:
    await inbox.store(message_about(imei(1)))
    devices: SomeDevices = [[imei(1), iccid(1)], imei(1), [iccid(1)]]
    (outcome,) = await Outcomes(inbox).all(ACCEPTED, devices=devices, timeout=LONG)
    assert outcome.device == DeviceIds(device_ids=(imei(1), iccid(1)))


def request_for(*devices: DeviceId | tuple[DeviceId, ...]) -> Accepted:
    """Return the Accepted of a request for these devices."""
    return Accepted(request_id=REQUEST_ID, devices=to_devices(devices))


def told_of(*identifiers: tuple[str, str], **changes: Any) -> bytes:
    """Return a message with identifiers in spellings that requests refuse."""
    return message_about(deviceIds=[{"kind": kind, "id": identifier} for kind, identifier in identifiers], **changes)


MDN = DeviceId.mdn("9085550001")
STRANGER = DeviceId.mdn("9085550009")


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (DeviceId.imei("99001390783000"), ("Imei", "990013907830009")),
        (DeviceId.imei("990013907830009"), ("imei", "99001390783000")),
        (DeviceId.imei("990013907830009"), ("IMEI", "9900139078300012")),
        (DeviceId.iccid("89148000000012345675"), ("iccId", "8914800000001234567")),
        (DeviceId.iccid("8914800000001234567"), ("iccId", "8914800000001234567F")),
        (DeviceId.meid("a10000009296f2"), ("MEID", "A10000009296F2")),
        (DeviceId.meid("A10000009296F2"), ("meid", "270113177609606898")),
        (DeviceId.esn("13000490172"), ("ESN", "82077ABC")),
        (DeviceId.mdn("9085550001"), ("msisdn", "19085550001")),
        (DeviceId.msisdn("19085550001"), ("mdn", "9085550001")),
    ],
    ids=lambda given: given[1] if isinstance(given, tuple) else given.id,
)
async def test_a_device_is_matched_by_each_spelling_of_its_identifier(
    inbox: Inbox, asked: DeviceId, named: tuple[str, str]
) -> None:
    await inbox.store(message_about(imei(7)))
    await inbox.store(told_of(named))
    outcome, other = await Outcomes(inbox).all(request_for(asked, iccid(1)), devices=[asked], timeout=LONG)
    assert (outcome.device.device_ids, outcome.asked_for, outcome.inferred) == ((asked,), True, False)
    assert outcome.message.device_ids[0].id == named[1]
    assert (other.device.device_ids, other.asked_for) == ((imei(7),), False)


async def test_a_device_in_two_spellings_is_awaited_once(inbox: Inbox) -> None:
    await inbox.store(message_about(imei(1)))
    await inbox.store(message_about(DeviceId.imei("990013907830009")))
    devices = [DeviceId.imei("99001390783000"), DeviceId.imei("9900139078300012"), imei(1)]
    outcomes = await Outcomes(inbox).all(ACCEPTED, devices=devices, timeout=LONG)
    assert [one.device.device_ids for one in outcomes] == [(devices[2],), (devices[0],)]


async def test_two_devices_that_share_a_sim_each_have_an_outcome(inbox: Inbox) -> None:
    devices = [(imei(1), iccid(1)), (imei(2), iccid(1))]
    await inbox.store(message_about(iccid(1), imei(2), MDN, status="Failed"))
    await inbox.store(message_about(*devices[0]))
    outcomes = await Outcomes(inbox).all(ACCEPTED, devices=devices, timeout=LONG)
    assert [(one.device.device_ids, one.failed) for one in outcomes] == [(devices[1], True), (devices[0], False)]


async def test_a_message_that_only_names_a_shared_sim_is_an_outcome_for_each_device(inbox: Inbox) -> None:
    devices = [(imei(1), iccid(1)), (imei(2), iccid(1))]
    await inbox.store(message_about(iccid(1)))
    outcomes = await Outcomes(inbox).all(ACCEPTED, devices=devices, timeout=LONG)
    assert [one.device.device_ids for one in outcomes] == devices


async def test_entries_that_share_an_identifier_and_differ_in_none_are_one_device(inbox: Inbox) -> None:
    await inbox.store(message_about(MDN))
    devices = [(imei(1), iccid(1)), (imei(1), MDN)]
    (outcome,) = await Outcomes(inbox).all(ACCEPTED, devices=devices, timeout=LONG)
    assert outcome.device.device_ids == devices[0]


@pytest.mark.parametrize("named", [(MDN,), ()], ids=["by its number alone", "not at all"])
async def test_the_only_device_of_a_request_is_matched_with_the_only_message_at_once(
    inbox: Inbox, named: tuple[DeviceId, ...]
) -> None:
    await inbox.store(message_about(*named, status="Pending"))
    await inbox.store(message_about(*named))
    outcomes = await Outcomes(inbox).all(request_for(imei(1)), timeout=LONG)
    assert [(one.device.device_ids, one.asked_for, one.inferred, one.final) for one in outcomes] == [
        ((imei(1),), True, True, True),
        (tuple(DeviceId(kind=one.kind.capitalize(), id=one.id) for one in named), False, False, False),
    ]


@pytest.mark.parametrize("accepted", [request_for(imei(1), imei(2), imei(3)), ACCEPTED], ids=["known", "id alone"])
async def test_the_last_device_of_a_request_is_matched_with_the_last_message_at_the_timeout(
    inbox: Inbox, accepted: Accepted
) -> None:
    for named in (imei(2), MDN, imei(1)):
        await inbox.store(message_about(named))
    devices = [imei(1), imei(2), imei(3)]
    outcomes = await Outcomes(inbox).all(accepted, devices=devices, timeout=SHORTLY)
    assert [(ids([one]), one.inferred) for one in outcomes] == [
        ([imei(2).id], False),
        ([imei(1).id], False),
        ([imei(3).id], True),
    ]
    assert outcomes[2].message.identifier("mdn") == MDN.id


async def test_a_message_that_names_the_last_device_takes_precedence_over_an_inferred_one(inbox: Inbox) -> None:
    await inbox.store(message_about(MDN))
    await inbox.store(message_about(imei(1)))
    waiting = asyncio.create_task(Outcomes(inbox).all(request_for(imei(1), imei(2)), timeout=LONG))
    await _following(inbox)
    await inbox.store(message_about(imei(2)))
    outcomes = await waiting
    assert [(one.asked_for, one.inferred) for one in outcomes] == [(True, False), (True, False), (False, False)]


@pytest.mark.parametrize(
    ("devices", "messages"),
    [
        ([imei(1)], [message_about(imei(2))]),
        ([imei(1)], [message_about(MDN, imei(2))]),
        ([(imei(1), MDN)], [message_about(STRANGER)]),
        ([imei(1)], [message_about(MDN, status="Pending")]),
        ([imei(1), imei(2)], [message_about(imei(2)), message_about(iccid(1)), message_about(iccid(2))]),
        ([imei(1), imei(2)], [message_about(MDN)]),
        ([imei(1), imei(2)], [message_about(MDN), message_about(STRANGER)]),
        # The number that another message has linked to the first device.
        ([imei(1), imei(2)], [message_about(MDN), message_about(MDN, imei(1))]),
        # The device's number is known.
        ([imei(1)], [message_about(imei(1), MDN, status="Pending"), message_about(STRANGER)]),
    ],
    ids=[
        "other hardware",
        "other hardware and a number",
        "other number",
        "not final",
        "two messages",
        "two devices",
        "two messages and two devices",
        "known by now",
        "known number",
    ],
)
async def test_no_outcome_is_inferred_that_may_belong_to_another_device(
    inbox: Inbox, devices: list[Any], messages: list[bytes]
) -> None:
    for message in messages:
        await inbox.store(message)
    for accepted in (request_for(*devices), ACCEPTED):
        for message in messages:
            await inbox.store(message)
        with pytest.raises(errors.OutcomesMissing) as caught:
            await Outcomes(inbox).all(accepted, devices=devices, timeout=NOW)
        assert not any(outcome.inferred for outcome in caught.value.outcomes)
        assert caught.value.missing


async def test_a_wait_for_some_devices_considers_the_others_of_the_request(inbox: Inbox) -> None:
    accepted = request_for(imei(1), (imei(2), iccid(2)), (imei(3), iccid(3)))
    await inbox.store(message_about(iccid(2)))
    with pytest.raises(errors.OutcomesMissing) as caught:
        await Outcomes(inbox).all(accepted, devices=[imei(1)], timeout=NOW)
    assert (caught.value.unmatched, caught.value.missing) == ((), to_devices([imei(1)]))
    assert [(one.device, one.asked_for) for one in caught.value.outcomes] == [(accepted.devices[1], False)]
    await inbox.store(message_about(MDN))  # It may be the number of the first or the third.
    with pytest.raises(errors.OutcomesMissing) as caught:
        await Outcomes(inbox).all(accepted, devices=[imei(1)], timeout=NOW)
    assert [one.message.device_ids for one in caught.value.unmatched] == [(MDN,)]
    await inbox.store(message_about(imei(3)))
    outcomes = await Outcomes(inbox).all(accepted, devices=[imei(1)], timeout=NOW)
    assert [(one.device.device_ids[0], one.asked_for, one.inferred) for one in outcomes] == [
        (imei(2), False, False),
        (imei(3), False, False),
        (imei(1), True, True),
    ]


async def test_a_later_message_may_link_an_identifier_to_its_device(inbox: Inbox) -> None:
    await inbox.store(message_about(MDN))
    await inbox.store(message_about(imei(1), MDN, status="Pending"))
    outcomes = await Outcomes(inbox).all(request_for(imei(1), imei(2)), devices=[imei(1)], timeout=NOW)
    assert [(one.device.device_ids, one.final, one.inferred) for one in outcomes] == [
        ((imei(1),), False, False),
        ((imei(1),), True, False),
    ]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["imei", "iccid", "both", "number", "nothing"])), max_size=9)
)
async def test_no_outcome_goes_to_another_device_and_only_the_last_device_is_inferred(
    messages: list[tuple[int, str]],
) -> None:
    accepted = request_for(*[(imei(number), iccid(number)) for number in range(4)])
    async with MemoryInbox() as inbox:
        for number, form in messages:
            named = {
                "imei": [imei(number)],
                "iccid": [iccid(number)],
                "both": [imei(number), iccid(number)],
                "number": [DeviceId.mdn(f"908555000{number}")],
                "nothing": [],
            }
            await inbox.store(message_about(*named[form], comment=f"{number} {form}"))
        missing: tuple[DeviceIds, ...] = ()
        try:
            outcomes = await Outcomes(inbox).all(accepted, timeout=NOW)
        except errors.OutcomesMissing as error:
            outcomes, missing = error.outcomes, error.missing
    found = {one.device for one in outcomes if one.asked_for and not one.inferred}
    for outcome in outcomes:
        place, form = str(outcome.message.comment).split()
        if outcome.inferred:
            assert form in ("number", "nothing")
            assert found == {*accepted.devices} - {outcome.device}
            assert not missing
        elif outcome.asked_for:
            assert outcome.device == accepted.devices[int(place)]
    assert any(outcome.inferred for outcome in outcomes) or found == {*accepted.devices} - {*missing}


async def test_messages_that_match_no_device_are_counted_and_the_first_are_named(inbox: Inbox) -> None:
    for number in range(5):
        await inbox.store(message_about(imei(10 + number), iccid(number)))
    with pytest.raises(errors.OutcomesMissing) as caught:
        await Outcomes(inbox).all(request_for(imei(1), imei(2)), timeout=NOW)
    named = [f"Imei {imei(10 + number).id}, Iccid {iccid(number).id}" for number in range(3)]
    assert str(caught.value).endswith(f"; 5 messages match none of its devices: {'; '.join(named)}; 2 more")
    assert len(caught.value.unmatched) == 5


async def test_an_inferred_failure_says_so(inbox: Inbox) -> None:
    await inbox.store(message_about(MDN, status="Failed", faultResponse=FAULT))
    (outcome,) = await Outcomes(inbox).all(request_for(imei(1)), timeout=LONG)
    with pytest.raises(errors.DeviceFailed) as caught:
        outcome.raise_for_fault()
    assert str(caught.value) == (
        f"imei {imei(1).id}: Device is already active ({FAULT['faultcode']}); the message is about Mdn {MDN.id}, "
        "and the device was inferred as the last one without an outcome"
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "pass devices or count"),
        ({"devices": []}, "give devices or count"),
        ({"devices": [imei(1)], "count": 1}, "give either devices or count, not both"),
        ({"count": 0}, "count must be 1 or more"),
        ({"devices": "990013907830001"}, "devices must be a tuple of DeviceIds, not str"),
        ({"count": 1, "timeout": 3600}, "timeout must be a timedelta, not int"),
        ({"count": 1, "timeout": timedelta(seconds=-1)}, "timeout must be zero or more"),
        ({"count": 1, "accepted": REQUEST_ID}, "pass the Accepted of the request, not str"),
    ],
    ids=str,
)
async def test_invalid_arguments_are_refused_at_once(wrong: dict[str, Any], said: str) -> None:
    given = {"accepted": ACCEPTED, **wrong}
    with pytest.raises(errors.InvalidRequest, match=said):
        Outcomes(MemoryInbox()).of(**given)


def test_the_repr_of_an_outcome_has_no_more_than_its_message() -> None:
    body = json.loads(message_about(imei(1))) | {"username": "fleet", "password": "drowssap"}

    async def outcome() -> Outcome:
        async with MemoryInbox() as inbox:
            await inbox.store(json.dumps(body).encode())
            return (await Outcomes(inbox).all(ACCEPTED, count=1))[0]

    assert "drowssap" not in repr(asyncio.run(outcome()))


async def test_the_devices_of_accepted_are_awaited_unless_others_are_passed() -> None:
    accepted = Accepted(request_id=REQUEST_ID, devices=(DeviceIds(device_ids=(imei(1),)),))
    async with MemoryInbox() as inbox:
        with pytest.raises(errors.OutcomesMissing) as caught:
            await Outcomes(inbox).all(accepted, timeout=timedelta())
        assert caught.value.missing == accepted.devices
        with pytest.raises(errors.OutcomesMissing) as caught:
            await Outcomes(inbox).all(accepted, devices=[imei(2)], timeout=timedelta())
        assert caught.value.missing == (DeviceIds(device_ids=(imei(2),)),)
        with pytest.raises(errors.OutcomesMissing, match="3 of 3 devices"):
            await Outcomes(inbox).all(accepted, count=3, timeout=timedelta())


def test_accepted_is_copied_with_its_devices_and_does_not_show_them() -> None:
    accepted = Accepted(request_id=REQUEST_ID, devices=(DeviceIds(device_ids=(imei(1),)),))
    for twin in (copy.copy(accepted), copy.deepcopy(accepted), pickle.loads(pickle.dumps(accepted))):
        assert twin.devices == accepted.devices
    assert accepted == Accepted(request_id=REQUEST_ID)
    assert imei(1).id not in repr(accepted)
