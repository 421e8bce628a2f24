"""`thingspace fleet` during outages of the platform or of its inbox."""

from __future__ import annotations

import asyncio
import os
import pty
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.cli.place import Place
from tests.cli.test_cli import finish, reaching, start_with
from tests.redis.servers import RedisServer, needs_redis

pytestmark = [pytest.mark.processes, pytest.mark.slow]  # Real seconds pass between two tries.


@asynccontextmanager
async def _cut_off(place: Place, *words: str) -> AsyncIterator[Process]:
    """Run `suspend` on a terminal, and stop the platform before the answer to its question, for the block."""
    ours, theirs = pty.openpty()
    try:
        process = await start_with(theirs, PIPE, *place.words("suspend", *words), **reaching(place.cloud))
        assert process.stderr is not None
        async with asyncio.timeout(60):
            await process.stderr.readuntil(b"[y/N] ")
        await place.cloud.close()
        os.write(ours, b"y\n")
        try:
            yield process
        finally:
            await place.cloud.start()
    finally:
        os.close(ours)
        os.close(theirs)


async def test_an_outage_of_the_platform_is_waited_out(place: Place) -> None:
    place.write(place.active(20))
    async with _cut_off(place) as process:
        await asyncio.sleep(6)
        assert process.returncode is None
    status, printed, complaints = await finish(process)
    assert (status, "Traceback" in complaints) == (0, False), complaints
    assert "20 succeeded" in printed
    assert len(place.sent("suspend")) == 20


async def test_an_outage_longer_than_the_given_time_ends_the_command_and_the_next_one_sends_the_devices(
    place: Place,
) -> None:
    imeis = place.active(20)
    place.write(imeis)
    async with _cut_off(place, "--give-up-hours", "0.0005") as process:
        status, printed, complaints = await finish(process)
    assert (status, "Traceback" in complaints) == (4, False), complaints
    assert "20 not sent" in printed
    assert {row["result"] for row in place.read()} == {"not sent"}
    assert place.sent("suspend") == []
    status, printed, complaints = await place.run("suspend")
    assert (status, "20 succeeded" in printed) == (0, True), complaints
    assert sorted(place.sent("suspend")) == sorted(imeis)


@needs_redis
async def test_a_command_that_starts_while_its_inbox_is_away_waits_for_it(place: Place) -> None:
    place.write(place.active(2))
    with RedisServer("--appendonly", "yes") as server:
        server.stop()
        words = ("--inbox", server.url, "--hours", "0")
        running = asyncio.create_task(place.run("suspend", *words))
        await asyncio.sleep(3)
        assert not running.done()
        server.start()
        status, printed, complaints = await running
    assert (status, "2 missing" in printed) == (4, True), complaints  # Messages go to the other inbox.
    assert complaints.count("The run waits until its inbox can be used: ") == 1
    assert len(place.sent("suspend")) == 2


@needs_redis
async def test_a_command_ends_at_once_if_its_inbox_stays_away_or_cannot_be_used(
    place: Place, redis_server: RedisServer
) -> None:
    place.write(place.active(2))
    away = RedisServer().url
    wrong = redis_server.url.replace("redis://", "redis://nobody:guess@")
    for words, expected, reason in (
        (("--inbox", away, "--give-up-hours", "0"), 1, "it cannot be reached"),
        (("--inbox", wrong), 1, "it rejects the client's username or password: correct them"),
        (("--inbox", "http://127.0.0.1/"), 2, "has an unknown scheme: use a file, redis://HOST or postgresql://"),
    ):
        status, printed, complaints = await place.run("suspend", *words)
        assert (status, printed, reason in complaints) == (expected, "", True), complaints
        assert "guess" not in complaints
    assert place.sent("suspend") == []
