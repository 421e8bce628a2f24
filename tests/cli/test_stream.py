"""`thingspace stream`, as a user runs it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.commands import run, run_inside
from thingspace_async.callbacks import Receiver, SqliteInbox
from thingspace_async.callbacks.web import serve
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.rooms.cloud_connector import CloudConnector

pytestmark = pytest.mark.processes

ACCOUNT = "0000123456-00001"


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=5) as cloud:
        cloud.clock.speed = 0
        yield cloud


async def streamed(cloud: Simulator, url: str, inbox: str, *, calls: int) -> tuple[int, str, str]:
    """Run a command until it has printed two events, which come once it has listed the subscriptions."""
    words = ("--account", ACCOUNT, "--url", url, "--inbox", inbox, "--events", "2", *(["--yes"] if calls == 1 else []))
    running = asyncio.create_task(run("stream", *words, **cloud.exports()))
    async with asyncio.timeout(60):
        while not (cloud.count("session.log_out") >= calls or running.done()):
            await asyncio.sleep(0.01)
        cloud.clock.advance(timedelta(hours=1))
        await cloud.delivered()
        return await running


async def test_new_events_are_printed_and_the_stream_goes_on_until_it_is_stopped(
    cloud: Simulator, tmp_path: Path
) -> None:
    path = str(tmp_path / "inbox.db")
    async with SqliteInbox(path) as inbox, serve(Receiver(inbox), port=0) as url:
        place = f"{url}/CloudConnector"
        status, printed, complaints = await streamed(cloud, place, path, calls=1)
        assert (status, f"streams ts.event to {place}" in complaints) == (0, True)
        first = [json.loads(line) for line in printed.splitlines()]
        assert [one["kind"] for one in first] == ["ts.event", "ts.event"]
        _, printed, _ = await streamed(cloud, place, path, calls=2)
        again = [json.loads(line) for line in printed.splitlines()]
        assert {one["createdon"] for one in first}.isdisjoint(one["createdon"] for one in again)
    assert cloud.count("cloud_connector.subscriptions.create") == 1
    stopping = ("stream", "--account", ACCOUNT, "--stop")
    assert await run(*stopping, "--dry-run", **cloud.exports()) == (0, "", "would end the stream of ts.event\n")
    assert (await run(*stopping, **cloud.exports()))[0] == 1  # Without a terminal, it needs --yes.
    assert cloud.count("cloud_connector.subscriptions.delete") == 0
    assert await run(*stopping, "--yes", **cloud.exports()) == (0, "", "the stream of ts.event has ended\n")
    room = cloud.platform.room(CloudConnector)
    assert not room.subscriptions[ACCOUNT]
    assert not room.targets[ACCOUNT]
    status, _, complaints = await run(*stopping, **cloud.exports())
    assert (status, complaints) == (1, "thingspace: the account streams no events of kind ts.event\n")


@pytest.mark.parametrize("words", [(), ("--stop", "--url", "https://example.com")])
def test_either_a_url_or_a_stop_is_needed(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    status, _, complaints = run_inside(capsys, "stream", "--account", ACCOUNT, *words)
    assert (status, "pass --url to stream events, or --stop" in complaints) == (2, True)


async def test_a_dry_run_creates_no_stream(cloud: Simulator, tmp_path: Path) -> None:
    url = "https://example.com:9001/CloudConnector"
    words = ("stream", "--account", ACCOUNT, "--url", url, "--inbox", str(tmp_path / "inbox.db"))
    status, printed, complaints = await run(*words, "--dry-run", **cloud.exports())
    assert (status, printed, complaints) == (0, "", f"would stream ts.event of {ACCOUNT} to {url}\n")
    assert (await run(*words, **cloud.exports()))[0] == 1
    assert cloud.count("cloud_connector.targets.create") == 0
