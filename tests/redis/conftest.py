"""A Redis server for all tests of this folder, empty for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.redis.servers import RedisServer, find_program

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say loudly where there is no server: nothing here can be tested without one."""
    if find_program() is None:
        absent = pytest.mark.skip(reason="NO REDIS SERVER: install one, or name it in THINGSPACE_REDIS_SERVER")
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(absent)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Start a server that all tests share."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """Connect to it, and empty it."""
    async with Redis.from_url(redis_server.url) as client:
        await client.flushall()
        yield client
