"""Fleet runs shared by several processes, some of them killed."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.callbacks.inbox.opening import opened
from tests.fleet.staging import Stage, all_of, fleet, imei, imeis, requests, staged, until
from tests.redis.servers import RedisServer
from thingspace_async._core import runs as ledger
from thingspace_async.devices import FleetOutcome, FleetResult
from thingspace_async.simulator import Assumptions
from thingspace_async.simulator.faults import Delay

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
LEASE = 1.5


@pytest.fixture(params=["sqlite", "redis"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the path or URL of the inbox that all processes share."""
    if request.param == "sqlite":
        return str(tmp_path / "inbox.db")
    request.getfixturevalue("redis")  # An empty database.
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url


@pytest.fixture
async def stage(where: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(ledger, "LEASE", LEASE)
    async with opened(where) as inbox, staged(inbox) as ready:
        yield ready


@attrs.frozen(kw_only=True)
class Report:
    """An outcome printed by a process."""

    name: str
    repeat: bool
    result: FleetResult


class Worker:
    """A process that takes part in the run."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._lines: list[bytes] = []

    async def report(self) -> None:
        """Wait for the next outcome that it prints."""
        assert self.process.stdout is not None
        self._lines.append(await self.process.stdout.readline())

    async def ready(self) -> None:
        """Wait until a process that `waits` could begin."""
        assert self.process.stdout is not None
        await self.process.stdout.readline()

    def begin(self) -> None:
        """Let it begin."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"begin\n")

    async def outcomes(self) -> list[Report]:
        """Wait for the process to end, and return its outcomes."""
        assert self.process.stdout is not None
        lines = [*self._lines, *(await self.process.stdout.read()).splitlines(keepends=True)]
        await self.process.wait()
        words = [line.decode().strip().split(maxsplit=2) for line in lines if line.endswith(b"\n")]
        return [Report(name=name, repeat=repeat == "1", result=FleetResult(result)) for name, repeat, result in words]


class Workers:
    """Starts processes, and stops the remaining ones at the end."""

    def __init__(self, stage: Stage, where: str) -> None:
        known = stage.cloud.credentials
        self._task = {
            "inbox": where,
            "url": stage.cloud.url,
            "credentials": {
                "client_id": known.client_id,
                "client_secret": known.client_secret.reveal(),
                "username": known.username,
                "password": known.password.reveal(),
            },
            "lease": LEASE,
            "requests_a_minute": 60_000,
            "devices": 200,
            "timeout": 3600,
        }
        self._started: list[Process] = []

    async def start(self, order: int = 0, *, in_flight: int = 4, **task: Any) -> Worker:
        options = {"devices_per_request": 10, "in_flight": in_flight}
        text = json.dumps({**self._task, "order": order, "options": options, **task})
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.fleet.working", text),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._started.append(process)
        return Worker(process)

    async def end(self) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@pytest.fixture
async def workers(stage: Stage, where: str) -> AsyncIterator[Workers]:
    made = Workers(stage, where)
    yield made
    await made.end()


def reports(outcomes: list[FleetOutcome]) -> list[Report]:
    return [Report(name=imei(one.device), repeat=one.repeat, result=one.result) for one in outcomes]


def check(stage: Stage, count: int, *reported: list[Report]) -> dict[str, FleetResult]:
    """Check that each device was accepted once or is unknown, and reported once except for repeats."""
    every = [one for some in reported for one in some]
    first = [one.name for one in every if not one.repeat]
    assert len(first) == len(set(first))
    found = {one.name: one.result for one in every}
    assert set(found) == set(map(imei, fleet(count)))
    unknown = {name for name, result in found.items() if result is FleetResult.UNKNOWN}
    assert set(found.values()) <= {FleetResult.SUCCEEDED, FleetResult.UNKNOWN}
    assert len(stage.sent) == len(set(stage.sent))
    assert unknown.isdisjoint(stage.sent), "a request that arrived was not found by its messages"
    assert set(stage.sent) | unknown == set(found)
    return found


async def test_two_processes_share_a_run_in_any_order_of_its_devices(stage: Stage, workers: Workers) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.05), times=None)
    # Neither is ever considered dead, and neither has finished before the other begins.
    both = [await workers.start(order, lease=60.0, waits=True) for order in (1, 2)]
    for one in both:
        await one.ready()
    for one in both:
        one.begin()
    reported = [await one.outcomes() for one in both]
    assert check(stage, 200, *reported) == all_of(fleet(200), FleetResult.SUCCEEDED)
    assert not any(one.repeat for some in reported for one in some)


async def test_a_request_that_was_being_sent_when_its_process_was_killed_is_found_by_its_messages(
    stage: Stage, workers: Workers
) -> None:
    stage.cloud.faults.add("devices.activate", Delay(8), times=4, after=5)
    killed = await workers.start()
    # All four that may be sent at once have been read. Another one would be lost if its end was not sent.
    await until(lambda: len(requests(stage.cloud)) >= 9)
    killed.process.kill()
    found = check(stage, 200, await killed.outcomes(), reports(await stage.all(fleet(200))))
    assert found == all_of(fleet(200), FleetResult.SUCCEEDED)


async def test_devices_that_a_killed_process_had_not_sent_are_sent_by_another(stage: Stage, workers: Workers) -> None:
    slow = await workers.start(devices=60, requests_a_minute=1)
    await until(lambda: len(requests(stage.cloud)) == 1)
    await asyncio.sleep(0.3)
    slow.process.kill()
    found = check(stage, 60, await slow.outcomes(), reports(await stage.all(random.sample(fleet(60), 60))))
    assert found == all_of(fleet(60), FleetResult.SUCCEEDED)


@pytest.mark.slow
async def test_requests_of_a_killed_process_that_were_accepted_are_awaited_by_another(
    stage: Stage, workers: Workers
) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    other = await workers.start(devices=40)
    await until(lambda: len(stage.cloud.late_requests) == 4)
    await asyncio.sleep(0.3)
    surviving = asyncio.create_task(stage.all(fleet(40)))
    await asyncio.sleep(0.3)
    assert not surviving.done()
    other.process.kill()
    assert await other.outcomes() == []
    stage.cloud.clock.advance(timedelta(hours=2))
    assert check(stage, 40, reports(await surviving)) == all_of(fleet(40), FleetResult.SUCCEEDED)


@pytest.mark.slow
async def test_processes_killed_at_any_moment_send_nothing_twice_and_forget_nothing(
    stage: Stage, workers: Workers
) -> None:
    chance, reported = random.Random(5), []
    stage.cloud.faults.add("devices.activate", Delay(0.02), times=None)
    for _ in range(3):
        some = [await workers.start(chance.randrange(100), requests_a_minute=1200) for _ in range(3)]
        first = [asyncio.create_task(one.report()) for one in some]
        await asyncio.wait(first, return_when="FIRST_COMPLETED")
        await asyncio.sleep(chance.random() * 0.3)
        for one in some:
            if one.process.returncode is None:
                one.process.send_signal(signal.SIGKILL)
        await asyncio.wait(first)
        reported += [await one.outcomes() for one in some]
    check(stage, 200, *reported, reports(await stage.all(fleet(200), timeout=timedelta(seconds=8))))


@pytest.mark.slow
async def test_a_process_paused_beyond_its_lease_does_not_repeat_the_work_of_another(
    stage: Stage, workers: Workers
) -> None:
    paused = await workers.start(devices=60, requests_a_minute=40, in_flight=2)
    await until(lambda: len(requests(stage.cloud)) == 1)
    await asyncio.sleep(0.3)
    paused.process.send_signal(signal.SIGSTOP)
    outcomes = reports(await stage.all(fleet(60)))
    paused.process.send_signal(signal.SIGCONT)
    reported = await paused.outcomes()
    assert {one.name for one in reported if not one.repeat} <= set(imeis(requests(stage.cloud)[0]))
    check(stage, 60, reported, outcomes)
