"""`thingspace receiver --metrics` while the server of its inbox is stopped, with real servers."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.callbacks.receiver.conftest import PASSWORD, SERVICE, USERNAME, body_of
from tests.cli.test_cli import finish, start
from tests.cli.test_metrics import get, post, samples
from tests.postgres.servers import PostgresServer, needs_postgres
from tests.redis.servers import RedisServer, needs_redis

pytestmark = pytest.mark.processes

SECRETS = {"THINGSPACE_CALLBACK_USERNAME": USERNAME, "THINGSPACE_CALLBACK_PASSWORD": PASSWORD}


@asynccontextmanager
async def receiving(inbox: str) -> AsyncIterator[tuple[str, str]]:
    """Run the command; yield the URL of its messages and of its metrics. It must end without a traceback."""
    words = ("--port", "0", "--inbox", inbox, "--metrics", "--metrics-port", "0", "--json")
    process = await start("receiver", *words, **SECRETS)
    assert process.stdout is not None
    try:
        about = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        yield about["url"].removesuffix("/SERVICE"), about["metrics"]
        process.send_signal(signal.SIGINT)
        status, _, complaints = await finish(process)
        assert (status, "Traceback" in complaints, PASSWORD in complaints) == (130, False, False), complaints
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def becomes_ready(metrics: str) -> None:
    async with asyncio.timeout(30):
        while (await get(f"{metrics}/readyz"))[0] != 200:
            await asyncio.sleep(0.05)


async def check(url: str, metrics: str, server: RedisServer | PostgresServer, name: str) -> None:
    """Stop the server after the start, twice."""
    assert await get(f"{metrics}/readyz") == (200, "ready\n")
    assert await post(f"{url}/{SERVICE}", body_of()) == 200
    for number in (1, 2):
        server.stop()
        status, why = await get(f"{metrics}/readyz")
        assert (status, why.startswith("the inbox cannot be used: "), name in why) == (503, True, True), why
        assert await get(f"{metrics}/healthz") == (200, "ok\n")
        assert samples((await get(f"{metrics}/metrics"))[1])["thingspace_receiver_ready"] == 0
        assert await post(f"{url}/{SERVICE}", body_of(requestId="lost")) == 503
        server.start()
        await becomes_ready(metrics)
        assert await post(f"{url}/{SERVICE}", body_of(requestId=f"again {number}")) == 200
    counted = samples((await get(f"{metrics}/metrics"))[1])
    stored = f'thingspace_receiver_messages_total{{result="stored",service="{SERVICE}",status="200"}}'
    assert (counted[stored], counted["thingspace_receiver_ready"]) == (3, 1)


@needs_redis
async def test_it_is_not_ready_while_redis_is_stopped_and_heals() -> None:
    with RedisServer() as server:
        async with receiving(server.url) as (url, metrics):
            await check(url, metrics, server, "Redis")


@needs_postgres
async def test_it_is_not_ready_while_postgresql_is_stopped_and_heals() -> None:
    with PostgresServer() as server:
        async with receiving(server.url) as (url, metrics):
            await check(url, metrics, server, "PostgreSQL")
