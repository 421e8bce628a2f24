"""A fleet is upgraded in v3 while 2 % of its devices fail, and the process that follows it is stopped twice."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.rooms.software.campaigns import ACCOUNT, asked, fitting, wanting
from thingspace_async import Session
from thingspace_async.callbacks import Outcomes, SqliteInbox
from thingspace_async.simulator import Simulator
from thingspace_async.software import CampaignRequest, DeviceStatus

SOON = timedelta(milliseconds=1)
MIB = 1024 * 1024

Statuses: TypeAlias = dict[str, DeviceStatus]
"""The last status of each device, by IMEI."""


@pytest.fixture
async def fleet(count: int) -> AsyncIterator[Simulator]:
    """A simulator with enough devices: about 38 % of them fit the campaign."""
    async with Simulator(devices=3 * count) as cloud:
        cloud.clock.speed = 0
        yield cloud


class Process:
    """A process that upgrades the fleet. Each has its own session and opens the same inbox."""

    def __init__(self, cloud: Simulator, inbox: Path, request: CampaignRequest) -> None:
        self.cloud, self.inbox, self.request = cloud, inbox, request

    async def run(
        self, *, until: Callable[[dict[str, DeviceStatus]], bool] = lambda _: False
    ) -> dict[str, DeviceStatus]:
        """Return the last status of each device, at the end or when the process is stopped."""
        last: Statuses = {}
        async with (
            Session(self.cloud.credentials, environment=self.cloud.environment) as session,
            SqliteInbox(self.inbox) as inbox,
            aclosing(session.software.upgrade(ACCOUNT, self.request, Outcomes(inbox), check_every=SOON)) as changes,
        ):
            async for change in changes:
                last[change.device_id] = change
                if until(last):
                    break
        return last


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_a_fleet_is_upgraded_once_although_its_process_is_stopped_twice(
    fleet: Simulator, count: int, tmp_path: Path
) -> None:
    async with Session(fleet.credentials, environment=fleet.environment) as session:
        devices = await fitting(session, count)
        request = await wanting(fleet, session, devices, end_date=fleet.clock.now().date() + timedelta(days=2))
    process = Process(fleet, tmp_path / "inbox.db", request)
    first = await process.run(until=lambda last: len(last) > count // 2)
    assert Counter(one.status for one in first.values()) == {"UpgradePending": count // 2 + 1}
    fleet.clock.advance(timedelta(hours=2))
    second = await process.run(until=lambda last: len(last) == count)
    assert {one.succeeded for one in second.values()} == {True, False}
    tracemalloc.start()
    third = asyncio.create_task(process.run())
    while not third.done():
        fleet.clock.advance(timedelta(hours=6))
        looks = asked(fleet)["software.campaigns.get"]
        while not third.done() and asked(fleet)["software.campaigns.get"] < looks + 2:
            await asyncio.sleep(0.01)  # If the clock moved on within a call, its new tokens would expire, too.
    last = await third
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * MIB
    assert set(last) == {one.device_id for one in devices}
    failed = [one for one in last.values() if one.failed]
    assert all(one.succeeded or one.failed for one in last.values())
    assert {one.result_reason for one in failed} <= {"DownloadFailed"}
    assert len(failed) <= 0.04 * count
    if count == 10_000:
        assert len(failed) >= 0.01 * count
    answered = asked(fleet)
    assert answered["software.campaigns.schedule"] == 1
    assert answered["software.licenses.assign"] == -(-count // 1_000)
    assert answered["software.campaigns.devices"] <= answered["software.campaigns.get"] * -(-count // 1_000)
