"""Upgrades in separate processes: killed at any moment, restarted, and started at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.rooms.software.campaigns import asked, fitting, wanting
from tests.rooms.software.upgrading import upgrade
from thingspace_async import Session
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.faults import Delay
from thingspace_async.software import CampaignRequest

pytestmark = pytest.mark.processes

SCHEDULE = "software.campaigns.schedule"


class Fleet:
    """A simulator, a campaign for its devices, and processes that upgrade them with one inbox."""

    def __init__(self, cloud: Simulator, folder: Path, request: CampaignRequest) -> None:
        self.cloud, self.folder, self.request = cloud, folder, request

    async def start(self, name: str) -> Forked:
        """Start a process that writes to the file of this name."""
        where = (self.request, self.folder / "inbox.db", self.folder / name)
        return await Forked.start(upgrade, *where, variables=self.cloud.exports())

    def changes(self, name: str) -> list[list[str]]:
        """Return the changes that a process has written in full."""
        place = self.folder / name
        return [line.split() for line in place.read_text().splitlines()] if place.exists() else []

    async def changed(self, name: str, count: int) -> None:
        """Wait until a process has written a number of changes."""
        async with asyncio.timeout(60):
            while len(self.changes(name)) < count:
                await asyncio.sleep(0.01)

    async def looked(self) -> None:
        """Wait until the campaign was read twice more, so that the clock does not move within a call.

        A read that is refused as its token has expired does not count: it is repeated within the same call.
        """
        before = asked(self.cloud)["software.campaigns.get"]
        async with asyncio.timeout(60):
            while asked(self.cloud)["software.campaigns.get"] < before + 2:
                await asyncio.sleep(0.01)


async def fleet_of(count: int, cloud: Simulator, folder: Path) -> Fleet:
    cloud.clock.speed = 0
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        devices = await fitting(session, count)
        last = cloud.clock.now().date() + timedelta(days=2)
        return Fleet(cloud, folder, await wanting(cloud, session, devices, end_date=last))


@pytest.mark.parametrize("count", [60, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_a_follower_that_is_killed_twice_upgrades_its_fleet_once(count: int, tmp_path: Path) -> None:
    async with Simulator(devices=3 * count) as cloud:
        fleet = await fleet_of(count, cloud, tmp_path)
        for name in ("first", "second"):
            process = await fleet.start(name)
            await fleet.changed(name, count // 2)
            process.kill()
            status, _, complaints = await process.result()
            assert (status, complaints) == (-9, "")
            cloud.clock.advance(timedelta(hours=2))
        process = await fleet.start("third")
        ended = asyncio.create_task(process.result())
        while not ended.done():
            looking = asyncio.create_task(fleet.looked())
            await asyncio.wait([looking, ended], return_when=asyncio.FIRST_COMPLETED)
            looking.cancel()
            cloud.clock.advance(timedelta(hours=6))
        status, _, complaints = await ended
        assert (status, complaints) == (0, "")
        *changes, end = fleet.changes("third")
        assert end == ["end"]
        assert len({device for device, _ in changes}) == count
        assert cloud.count(SCHEDULE) == 1
        assert cloud.count("software.licenses.assign") == -(-count // 1_000)


async def test_a_process_that_is_killed_while_it_schedules_leaves_one_campaign(tmp_path: Path) -> None:
    async with Simulator(devices=60) as cloud:
        fleet = await fleet_of(4, cloud, tmp_path)
        cloud.faults.add(SCHEDULE, Delay(30))
        process = await fleet.start("first")
        async with asyncio.timeout(60):
            while not cloud.count(SCHEDULE):
                await asyncio.sleep(0.01)
        process.kill()
        await process.result()
        process = await fleet.start("second")
        await fleet.changed("second", 4)
        process.kill()
        await process.result()
        assert cloud.count(SCHEDULE) == 1


async def test_processes_that_start_in_the_same_moment_schedule_one_campaign(tmp_path: Path) -> None:
    names = [f"process {number}" for number in range(4)]
    async with Simulator(devices=60) as cloud:
        fleet = await fleet_of(4, cloud, tmp_path)
        processes = await asyncio.gather(*map(fleet.start, names))
        await asyncio.gather(*(fleet.changed(name, 4) for name in names))
        for process in processes:
            process.kill()
        await asyncio.gather(*(process.result() for process in processes))
        assert cloud.count(SCHEDULE) == 1
        seen = {name: {device for device, _ in fleet.changes(name)} for name in names}
        assert Counter(map(len, seen.values())) == {4: 4}
