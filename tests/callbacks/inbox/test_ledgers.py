"""Ledgers with several processes, crashes and changing clocks."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.callbacks.inbox.claiming import claim_all, device, join, keys_of
from tests.callbacks.inbox.making import ask, devices
from tests.callbacks.inbox.opening import opened
from tests.redis.servers import RedisServer, needs_redis
from thingspace_async._core.ledger import BatchState, Claim, LedgerStore, Place, WorkerState
from thingspace_async._core.ledgers import local, sqlite
from thingspace_async.callbacks import sqlite_inbox
from thingspace_async.callbacks.inbox import MemoryInbox
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.errors import InvalidRequest

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=needs_redis)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL or path of a store that several processes share."""
    if request.param == "sqlite":
        return str(tmp_path / "messages.db")
    server: RedisServer = request.getfixturevalue("redis_server")
    server.empty()
    return server.url


async def start(place: str, worker: str, count: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.callbacks.inbox.claiming", place, worker, str(count)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


async def rows_of(ledger: LedgerStore, place: Place) -> list[int]:
    """Return the numbers of the devices in all batches."""
    found: list[int] = []
    for listed in await ledger.batches(place):
        batch = await ledger.batch(place, listed.key)
        assert batch is not None
        assert batch.rows is not None
        numbers = [int(row) for row in batch.rows.split(b"\n")]
        assert len(numbers) == batch.size
        found += numbers
    return found


async def test_processes_that_claim_the_same_devices_divide_them(place: str) -> None:
    count = 500
    workers = [await start(place, f"worker-{number}", count) for number in range(2)]
    answers = await asyncio.gather(*(worker.communicate(b"\n") for worker in workers))
    claimed = [sorted(map(int, out.split())) for out, _ in answers]
    assert sorted(claimed[0] + claimed[1]) == list(range(count))
    async with opened(place) as inbox:
        watching = Place("run", "")
        await inbox.ledger.look(watching)
        assert sorted(await rows_of(inbox.ledger, watching)) == list(range(count))


def _claim_in_a_fork(place: str, worker: str, count: int) -> int:
    if child := os.fork():
        return child

    async def claim() -> None:
        async with opened(place) as inbox:
            await claim_all(inbox.ledger, await join(inbox.ledger, worker, seconds=0.01), count)

    asyncio.run(claim())
    os._exit(0)


def _kill_workers(place: str, count: int, kills: int) -> None:
    chance, hits, started = random.Random(4), 0, 0
    while hits < kills:
        started += 1
        child = _claim_in_a_fork(place, f"worker-{started}", count)
        time.sleep(0.01 + chance.random() * 0.1)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        hits += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        assert started < 3 * kills, "the processes ended before they could be killed"


def test_workers_killed_while_claiming_claim_every_device_exactly_once(place: str) -> None:
    """Not an async test: a forked process must not inherit an event loop."""
    count = 5000
    _kill_workers(place, count, 8)

    async def see() -> None:
        async with opened(place) as inbox:
            last = await join(inbox.ledger, "last")
            left = await rows_of(inbox.ledger, last)
            assert len(left) == len(set(left))
            assert await claim_all(inbox.ledger, last, count) == sorted(set(range(count)) - set(left))
            assert sorted(await rows_of(inbox.ledger, last)) == list(range(count))

    asyncio.run(see())


# The clocks of leases


@pytest.fixture(params=[MemoryInbox, SqliteInbox])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LedgerStore]:
    """Open a ledger that uses the machine's clock."""
    inbox = MemoryInbox() if request.param is MemoryInbox else SqliteInbox(tmp_path / "messages.db")
    async with inbox:
        yield inbox.ledger


async def alive(ledger: LedgerStore) -> list[bool]:
    joined = await ledger.look(Place("run", ""))
    assert joined is not None
    return [worker.alive for worker in joined.workers]


async def test_a_jump_of_the_wall_clock_does_not_change_leases(
    ledger: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Jumped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Jumped:
            return cls(2036, 1, 31, tzinfo=UTC)

    await join(ledger, "living")
    await join(ledger, "dead", seconds=0.01)
    await asyncio.sleep(0.03)
    monkeypatch.setattr(local, "datetime", Jumped)
    assert await alive(ledger) == [True, False]


async def test_a_lease_ends_with_a_restart_of_the_machine(ledger: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "since_boot", lambda: 8_640_000.0)
    await join(ledger, "one")
    assert await alive(ledger) == [True]
    monkeypatch.setattr(local, "since_boot", lambda: 30.0)
    assert await alive(ledger) == [False], "it would be alive for another 100 days"


@needs_redis
async def test_a_lease_in_redis_ends_if_the_clock_is_set_back(redis: Redis, redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as inbox:
        await join(inbox.ledger, "one")
        (key,) = await redis.keys("*members")
        ahead = round(time.time() * 1_000_000) + 3_600_000_000
        await redis.hset(key, "one", f"1 working {ahead} 60000000")
        assert await alive(inbox.ledger) == [False]
        await join(inbox.ledger, "one")
        assert await alive(inbox.ledger) == [True]


# Runs of earlier versions


async def made_by_version_1(path: Path) -> None:
    """Create a file with version 1 of the schema."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in sqlite_inbox._VERSION_1:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        body = '{"requestId": "request", "deviceIds": [{"id": "00000000000000000007", "kind": "Iccid"}]}'
        values = ("request", None, "2026-01-31T12:00:00.000000+00:00", "digest", body)
        connection.execute(
            "INSERT INTO message (request_id, service, received_at, digest, body) VALUES (?, ?, ?, ?, ?)", values
        )
        connection.execute("INSERT INTO entry VALUES ('run', 'operation', 'activate')")


async def test_a_file_of_an_earlier_version_keeps_its_messages_but_its_runs_are_refused(path: Path) -> None:
    await made_by_version_1(path)
    async with SqliteInbox(path) as inbox:
        assert await devices(inbox.read()) == [7]
        assert await ask(inbox, "PRAGMA user_version") == len(sqlite_inbox._VERSIONS)
        with pytest.raises(InvalidRequest, match=r"begun by an earlier version.*finish it.*or call forget_run"):
            await join(inbox.ledger, "one")
        with pytest.raises(InvalidRequest, match="begun by an earlier version"):
            await inbox.ledger.look(Place("run", ""))
        await inbox.forget_run("run")
        assert await inbox.ledger.look(Place("run", "")) is None
        await join(inbox.ledger, "one")
    async with SqliteInbox(path) as again:
        assert await alive(again.ledger) == [True]


async def test_processes_that_open_an_earlier_version_at_once_upgrade_it_once(path: Path) -> None:
    await made_by_version_1(path)
    inboxes = [SqliteInbox(path) for _ in range(4)]
    await asyncio.gather(*(inbox.open() for inbox in inboxes))
    for inbox in inboxes:
        assert await devices(inbox.read()) == [7]
        await inbox.close()


# Forgetting in steps


async def test_a_partly_forgotten_run_is_refused_until_it_is_removed(
    kept: SqliteInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_SOME", 3)
    one = await join(kept.ledger, "one", seconds=0.01)
    await claim_all(kept.ledger, one, 100)
    await kept.ledger.lease(one, description="", state=WorkerState.LEFT, seconds=1)
    forgetting = asyncio.create_task(kept.forget_run("run"))
    while not await ask(kept, "SELECT forgetting FROM run"):
        await asyncio.sleep(0)
    forgetting.cancel()
    await asyncio.wait([forgetting])
    for refused in (join(kept.ledger, "two"), kept.ledger.look(Place("run", ""))):
        with pytest.raises(InvalidRequest, match=r"being forgotten, or was forgotten in part: .* or call it again"):
            await refused
    (lost,) = [await kept.ledger.runs()]
    assert lost == [("run", "activate")]
    monkeypatch.undo()
    await kept.forget_run("run")
    assert await kept.ledger.runs() == []
    for table in ("claim", "share", "batch", "run"):
        assert await ask(kept, f"SELECT count(*) FROM {table}") == 0


async def test_put_back_ignores_a_run_that_is_being_forgotten(
    kept: SqliteInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await join(kept.ledger, "one")
    await kept.ledger.claim(one, "a", [device(1)], size=0, most=1, seconds=1)
    record = await kept.ledger.batch(one, "a")
    assert record is not None
    await ask(kept, "UPDATE run SET forgetting = 1")
    await kept.ledger.put_back(one, record, description="activate", keys=keys_of(2))
    assert await ask(kept, "SELECT count(*) FROM claim") == 2
    monkeypatch.setattr(local.Lease, "is_alive", False)
    await kept.forget_run("run")


# Failing transactions


async def test_a_change_that_cannot_be_committed_does_not_update_its_place(kept: SqliteInbox) -> None:
    one = await join(kept.ledger, "one")
    await kept.ledger.claim(one, "a", [device(1)], size=0, most=1, seconds=60)
    before = one.counter
    await ask(kept, "CREATE TRIGGER fail BEFORE UPDATE ON run BEGIN SELECT RAISE(FAIL, 'no'); END")
    with pytest.raises(Exception, match="no"):
        await kept.ledger.change(one, "a", fence=1, worker="one", state=BatchState.SENDING)
    await ask(kept, "DROP TRIGGER fail")
    assert one.counter == before
    assert (await kept.ledger.batches(one))[0].fence == 1
    assert await kept.ledger.claim(one, "b", [device(1)], size=0, most=1, seconds=60) == [Claim.REPEAT]
