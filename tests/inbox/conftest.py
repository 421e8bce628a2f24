"""An inbox of each kind, open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.redis.servers import needs_redis
from thingspace_async.callbacks import inbox as module
from thingspace_async.callbacks.inbox import BaseInbox, MemoryInbox
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.redis.inbox import RedisInbox


@pytest.fixture(params=[MemoryInbox, SqliteInbox, pytest.param(RedisInbox, marks=needs_redis)])
def closed(request: pytest.FixtureRequest, tmp_path: Path) -> BaseInbox:
    """Make an inbox that is not open."""
    made: dict[type[BaseInbox], Callable[[], BaseInbox]] = {
        MemoryInbox: MemoryInbox,
        SqliteInbox: lambda: SqliteInbox(tmp_path / "messages.db"),
        RedisInbox: lambda: RedisInbox(request.getfixturevalue("redis")),
    }
    return made[request.param]()


@pytest.fixture
async def inbox(closed: BaseInbox) -> AsyncIterator[BaseInbox]:
    """Open an inbox of each kind."""
    async with closed:
        yield closed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file."""
    return tmp_path / "messages.db"


@pytest.fixture
async def kept(path: Path) -> AsyncIterator[SqliteInbox]:
    """Open an inbox in a file."""
    async with SqliteInbox(path) as opened:
        yield opened


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], datetime]:
    """Set the clock of inboxes, in minutes after noon."""

    def set_clock(minutes: float) -> datetime:
        now = datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(minutes=minutes)
        monkeypatch.setattr(module, "_now", lambda: now)
        return now

    return set_clock
