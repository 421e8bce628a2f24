"""`devices.usage.of`: failures as outcomes, the pace, the number of requests at once, and leaving early."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from thingspace_async import DeviceId, Session, errors
from thingspace_async.devices import UsageOfDevice, UsageProgress
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.faults import Delay

LIST = "devices.usage.list"
NOW = datetime(2026, 1, 10, tzinfo=UTC)  # The simulator's clock begins a few days later.
BEGIN = NOW - timedelta(days=20)
SPAN: dict[str, Any] = {"start": BEGIN, "end": NOW}


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=30) as cloud:
        yield cloud


@pytest.fixture
async def session(cloud: Simulator) -> AsyncIterator[Session]:
    async with Session(cloud.credentials, environment=cloud.environment, retries=0) as session:
        yield session


async def read(session: Session, devices: Any, **options: Any) -> list[UsageOfDevice]:
    return [one async for one in session.devices.usage.of(devices, **({} if "month" in options else SPAN), **options)]


async def test_a_device_that_does_not_exist_is_an_outcome_and_the_others_are_read(session: Session) -> None:
    known = [device async for device in session.devices.list()]
    unknown = DeviceId.imei("990013907835573")
    seen: list[UsageProgress] = []
    found = await read(session, [unknown, *known], on_progress=seen.append)
    (failed,) = [one for one in found if one.failed]
    assert failed.device == unknown
    assert isinstance(failed.error, errors.BadRequest)
    assert len(found) == 31
    assert seen[-1] == UsageProgress(done=31, failed=1, total=31)


async def test_get_many_returns_each_device_or_its_error(session: Session) -> None:
    known = [device async for device in session.devices.list()]
    unknown = DeviceId.imei("990013907835573")
    found = [one async for one in session.devices.get_many([unknown, *known], concurrency=4)]
    (failed,) = [one for one in found if one.device is None]
    assert failed.asked == unknown
    assert isinstance(failed.error, errors.NotFound)
    assert all(one.device == one.asked for one in found if one is not failed)
    assert len(found) == 31
    with pytest.raises(errors.InvalidRequest, match="concurrency must be a whole number of 1 or more, not 0"):
        await anext(session.devices.get_many([unknown], concurrency=0))


async def test_usage_is_what_the_call_for_one_device_reads(session: Session) -> None:
    devices = [device async for device in session.devices.list(current_state="active")]
    found = await read(session, devices)
    assert any(one.days for one in found)
    for one in found:
        days = [day async for day in session.devices.usage.list(device_id=one.device, earliest=BEGIN, latest=NOW)]
        assert list(one.days) == days
        assert one.bytes_used == sum(day.bytes_used or 0 for day in days)
        assert one.sms_used == sum(day.sms_used or 0 for day in days)


async def test_a_month_has_its_own_days_only(session: Session) -> None:
    found = await read(session, session.devices.list(current_state="active"), month="2025-12")
    days = {day.timestamp.strftime("%Y-%m") for one in found for day in one.days if day.timestamp}
    assert days == {"2025-12"}


async def test_the_pace_counts_every_request(cloud: Simulator, session: Session) -> None:
    devices = [device async for device in session.devices.list()][:7]
    began = time.monotonic()
    await read(session, devices, requests_per_minute=600)
    assert time.monotonic() - began >= 0.59
    assert cloud.count(LIST) == 7


async def test_no_more_devices_are_taken_than_may_be_read_at_once(cloud: Simulator, session: Session) -> None:
    cloud.faults.add(LIST, Delay(0.02), times=100)
    devices = [device async for device in session.devices.list()]
    taken = finished = 0
    ahead: list[int] = []

    async def source() -> AsyncGenerator[Any]:
        nonlocal taken
        for device in devices:
            taken += 1
            ahead.append(taken - finished)
            yield device

    async for _ in session.devices.usage.of(source(), concurrency=3, **SPAN):
        finished += 1
    assert finished == 30
    assert max(ahead) <= 6


async def test_leaving_early_closes_the_source_and_leaves_no_task(session: Session) -> None:
    closed = False

    async def source() -> AsyncGenerator[DeviceId]:
        nonlocal closed
        try:
            while True:
                yield DeviceId.imei("990013907835573")
        finally:
            closed = True

    async with aclosing(session.devices.usage.of(source(), **SPAN)) as found:
        async for _ in found:
            break
    assert closed
    assert not [task for task in asyncio.all_tasks() if "Usage.of.<locals>" in repr(task)]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"month": "2026-13"}, "'2026-13' is not a month: write it as 2026-11"),
        ({"month": "2026-11", "start": NOW}, "give either month, or start and end, not both"),
        ({"start": NOW}, "give either month, such as '2026-11', or both start and end"),
        ({**SPAN, "concurrency": 0}, "concurrency must be a whole number of 1 or more, not 0"),
        ({**SPAN, "requests_per_minute": 0}, "requests_per_minute must be a number greater than zero"),
    ],
)
async def test_wrong_options_are_refused_before_anything_is_sent(
    cloud: Simulator, session: Session, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        await anext(session.devices.usage.of([DeviceId.imei("990013907835573")], **options))
    assert str(caught.value) == f"devices.usage.of: {reason}"
    assert cloud.count(LIST) == 0
