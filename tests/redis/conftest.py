"""Tests against a Redis server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.redis.servers import needs_redis
from thingspace_async._core import guard

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all tests of this folder without a Redis server."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(needs_redis)


@pytest.fixture(autouse=True)
def _fresh_local_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reset the guard of this machine, because the tests share a username."""
    monkeypatch.setenv(guard.GUARD_FILE, "off")
    guard._in_memory.clear()
