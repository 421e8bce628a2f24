"""Tests against a Redis server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.redis.servers import needs_redis

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say loudly where there is no server: nothing here can be tested without one."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(needs_redis)
