"""Processes that enrol a client or begin a stream at once, some of which are killed in the middle."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from thingspace_async import Session
from thingspace_async.simulator import Assumptions, Simulator
from thingspace_async.v2x import ClientQuery

pytestmark = pytest.mark.processes

ACCOUNT = "0000123456-00001"
ID = "2f1f9d0e-6a0e-4c52-9c0f-0d5c3f6f2a11"

ENROL = """
import asyncio, json, sys
from thingspace_async import Session
from thingspace_async.v2x import Place, RegisterClientRequest

async def keep(client):
    print("made", flush=True)
    await asyncio.to_thread(sys.stdin.readline)  # The parent process may kill this one here.

async def main():
    request = RegisterClientRequest(
        client_type="Vehicle", client_subtype="Bus", vendor_id="vendor", imei="990013907835573", device_id=sys.argv[1])
    async with Session() as session:
        client = await session.v2x.enrol(request, Place(latitude=33.45, longitude=-84.55), keep=keep)
    print(json.dumps([client.device_id, client.certificate.private_key.reveal()]), flush=True)

asyncio.run(main())
"""

STREAM = """
import asyncio, json, sys
from thingspace_async import Session
from thingspace_async.cloud_connector import CreateTargetRequest, StreamSettings

async def main():
    target = CreateTargetRequest.to_server(
        "0000123456-00001", "http://127.0.0.1:9", username="events", password="correct horse")
    async with Session() as session:
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        stream = await session.cloud_connector.streaming(target, StreamSettings(stream_kind=sys.argv[1]))
    print(json.dumps([stream.target.id, stream.subscription.id]), flush=True)

asyncio.run(main())
"""


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=30) as cloud:
        yield cloud


async def started(cloud: Simulator, program: str, argument: str, folder: Path) -> Process:
    """Start a program, and wait for its first line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, argument),
        stdin=PIPE,
        stdout=PIPE,
        env={**os.environ, **cloud.exports(), "TMPDIR": str(folder)},
    )
    assert process.stdout is not None
    assert await process.stdout.readline() in (b"made\n", b"open\n")
    return process


def go_on(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")


async def ended(process: Process) -> Any:
    """Return what a process that was let go prints, or None if it was killed."""
    printed, _ = await process.communicate()
    return json.loads(printed) if process.returncode == 0 else None


async def test_the_key_of_a_process_that_is_killed_before_it_is_kept_is_made_once(
    cloud: Simulator, tmp_path: Path
) -> None:
    processes = await asyncio.gather(*(started(cloud, ENROL, ID, tmp_path) for _ in range(3)))
    accepted = [one for one in cloud.requests if one.operation == "v2x.clients.register" and one.status == 200]
    assert len(accepted) == 1
    processes[0].kill()
    processes[1].kill()
    go_on(processes[2])
    results = [await ended(one) for one in processes]
    again = await started(cloud, ENROL, ID, tmp_path)
    go_on(again)
    assert results == [None, None, await ended(again)]
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        assert len(await session.v2x.clients.list_page(ClientQuery(vendor_id="vendor"))) == 1


async def test_a_registration_that_a_killed_process_left_pending_is_finished_by_another(
    cloud: Simulator, tmp_path: Path
) -> None:
    cloud.assumptions = Assumptions(v2x_registration_takes=timedelta(hours=1))
    first = asyncio.create_task(started(cloud, ENROL, ID, tmp_path))
    while not cloud.count("v2x.clients.renew"):
        await asyncio.sleep(0.01)
    second = asyncio.create_task(started(cloud, ENROL, ID, tmp_path))
    while cloud.count("v2x.clients.register") < 2:
        await asyncio.sleep(0.01)
    cloud.clock.advance(timedelta(hours=1))
    process = await first
    process.kill()
    assert await ended(process) is None
    other = await second
    go_on(other)
    assert (await ended(other))[0] == ID


async def test_streams_that_begin_at_once_in_processes_that_are_killed_use_one_target(
    cloud: Simulator, tmp_path: Path
) -> None:
    kinds = ["ts.event", "ts.event", "ts.event.security", "ts.event.security"]
    processes = await asyncio.gather(*(started(cloud, STREAM, kind, tmp_path) for kind in kinds))
    before = len(cloud.requests)
    for process in processes:
        go_on(process)
    while len(cloud.requests) < before + 10:  # In the middle.
        await asyncio.sleep(0)
    processes[0].kill()
    processes[2].kill()
    results = {tuple(found) for one in processes if (found := await ended(one)) is not None}
    for kind in kinds[1:3]:
        process = await started(cloud, STREAM, kind, tmp_path)
        go_on(process)
        results.add(tuple(await ended(process)))
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        targets = await session.cloud_connector.targets.list(ACCOUNT)
        subscriptions = await session.cloud_connector.subscriptions.list(ACCOUNT)
    assert results == {(targets[0].id, one.id) for one in subscriptions}
    assert len(targets) <= 3  # Each killed process may have left one that is unused.
    assert sorted(str(one.stream_kind) for one in subscriptions) == ["ts.event", "ts.event.security"]
