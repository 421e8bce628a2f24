"""Processes that start in the same second, serve one URL and share one inbox."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.callbacks.inbox.opening import opened
from tests.postgres.servers import EMPTY, needs_postgres
from tests.redis.servers import needs_redis
from thingspace_async import DeviceId, Session
from thingspace_async.devices import RestoreRequest, SuspendRequest
from thingspace_async.simulator import Simulator

ROOT = Path(__file__).parents[3]
PODS = 4

pytestmark = [
    pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="NO SO_REUSEPORT: nothing balances"),
    pytest.mark.processes,
]

Place = Callable[[int], Awaitable[str]]


@pytest.fixture(
    params=["sqlite", pytest.param("redis", marks=needs_redis), pytest.param("postgres", marks=needs_postgres)]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a function that creates an empty inbox for each round, and returns its URL or path."""
    kind: str = request.param
    server = None if kind == "sqlite" else request.getfixturevalue(f"{kind}_server")

    async def emptied(number: int) -> str:
        if server is None:
            return str(tmp_path / f"{number}.db")
        if kind == "redis":
            await asyncio.to_thread(_empty_redis, server.url)
        else:
            await _empty_postgres(server.url)
        url: str = server.url
        return url

    return emptied


def _empty_redis(url: str) -> None:
    import redis

    with redis.Redis.from_url(url) as client:
        client.flushall()


async def _empty_postgres(url: str) -> None:
    import asyncpg

    async with opened(url):  # Creates the tables.
        pass
    connection: Any = await asyncpg.connect(url)
    await connection.execute(EMPTY)
    await connection.close()


@asynccontextmanager
async def pods(cloud: Simulator, port: int) -> AsyncIterator[list[Process]]:
    """Start the processes, and wait until they have logged in."""
    known = cloud.credentials
    variables = {
        "THINGSPACE_CLIENT_ID": known.client_id,
        "THINGSPACE_CLIENT_SECRET": known.client_secret.reveal(),
        "THINGSPACE_USERNAME": known.username,
        "THINGSPACE_PASSWORD": known.password.reveal(),
    }
    started = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.callbacks.listening.pods", str(port), cloud.url),
            cwd=ROOT,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(PODS)
    ]
    try:
        await said(started, "begun")
        yield started
    finally:
        for one in started:
            if one.returncode is None:
                one.kill()
            await one.communicate()


async def said(processes: list[Process], text: str) -> None:
    async with asyncio.timeout(60):
        for one in processes:
            assert one.stdout is not None
            assert (await one.stdout.readline()).decode() == f"{text}\n"


def tell(processes: list[Process], text: str) -> None:
    for one in processes:
        assert one.stdin is not None
        one.stdin.write(f"{text}\n".encode())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("rounds", [3, pytest.param(15, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
async def test_pods_that_start_together_refuse_no_message(place: Place, rounds: int) -> None:
    async with (
        Simulator(devices=40) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
        pods(cloud, free_port()) as started,
    ):
        active = [one async for one in session.devices.list(account_name=cloud.account_name) if one.state == "active"]
        devices = [DeviceId.imei(one.identifier("imei") or "") for one in active[:8]]
        for number in range(rounds):
            cloud.listeners.clear()
            cloud.deliveries.clear()
            inbox = await place(number)
            await session.devices.suspend(SuspendRequest(account_name=cloud.account_name, devices=devices))
            tell(started, inbox)
            async with asyncio.timeout(60):
                while not cloud.listeners.get(cloud.account_name):
                    await asyncio.sleep(0.001)
            cloud.clock.advance(timedelta(minutes=5))  # The first messages arrive while the other processes start.
            await said(started, "ready")
            await session.devices.restore(RestoreRequest(account_name=cloud.account_name, devices=devices))
            cloud.clock.advance(timedelta(minutes=5))
            await cloud.delivered()
            assert len(cloud.deliveries) == 16
            assert {one.state for one in cloud.deliveries} == {"delivered"}, f"round {number}"
            assert {len(one.attempts) for one in cloud.deliveries[8:]} == {1}, "all were ready"
            async with opened(inbox) as kept:
                assert len([one async for one in kept.read()]) == 16
            tell(started, "")
            await said(started, "over")
