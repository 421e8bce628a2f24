"""Tests against a PostgreSQL server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.postgres.servers import PostgresServer, needs_postgres

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests if there is no server, with a reason in capitals."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(needs_postgres)


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Start a separate server, for tests that stop or break it."""
    with PostgresServer() as started:
        yield started


@pytest.fixture
async def sql(postgres: str) -> AsyncIterator[Any]:
    """Connect to the shared server without an inbox."""
    import asyncpg

    connection = await asyncpg.connect(postgres)
    yield connection
    await connection.close()
