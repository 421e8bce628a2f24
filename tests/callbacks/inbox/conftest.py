"""Inboxes for the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.postgres.servers import needs_postgres
from tests.redis.clock import timed
from tests.redis.servers import needs_redis
from thingspace_async.callbacks import inbox as inbox_module
from thingspace_async.callbacks import sqlite_inbox
from thingspace_async.callbacks.inbox import BaseInbox, MemoryInbox
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.postgres import _messages as postgres_messages
from thingspace_async.redis import _messages
from thingspace_async.redis import inbox as redis_inbox
from thingspace_async.redis.inbox import RedisInbox


def _postgres_inbox(url: str) -> BaseInbox:
    from thingspace_async.postgres.inbox import PostgresInbox

    return PostgresInbox(url)


@pytest.fixture(
    params=[
        "MemoryInbox",
        "SqliteInbox",
        pytest.param("RedisInbox", marks=needs_redis),
        pytest.param("PostgresInbox", marks=needs_postgres),
    ]
)
def closed(request: pytest.FixtureRequest, tmp_path: Path) -> BaseInbox:
    """Create an inbox of each kind, without opening it."""
    made: dict[str, Callable[[], BaseInbox]] = {
        "MemoryInbox": MemoryInbox,
        "SqliteInbox": lambda: SqliteInbox(tmp_path / "messages.db"),
        "RedisInbox": lambda: RedisInbox(request.getfixturevalue("redis")),
        "PostgresInbox": lambda: _postgres_inbox(request.getfixturevalue("postgres")),
    }
    return made[request.param]()


@pytest.fixture
async def inbox(closed: BaseInbox) -> AsyncIterator[BaseInbox]:
    """Open an inbox of each kind."""
    async with closed:
        yield closed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a SQLite file."""
    return tmp_path / "messages.db"


@pytest.fixture
async def kept(path: Path) -> AsyncIterator[SqliteInbox]:
    """Open an inbox in a SQLite file."""
    async with SqliteInbox(path) as opened:
        yield opened


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], datetime]:
    """Return a function that sets the stores' clock, in minutes after noon."""
    of_postgres = {name: getattr(postgres_messages, name) for name in ("RESERVE", "REMOVE")}

    def set_clock(minutes: float) -> datetime:
        now = datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(minutes=minutes)
        for module in (inbox_module, sqlite_inbox):
            monkeypatch.setattr(module, "now", lambda: now)
        for name in ("STORE", "REMOVE"):
            monkeypatch.setattr(redis_inbox, name, timed(getattr(_messages, name), now))
        for name, text in of_postgres.items():
            timed_text = text.replace("clock_timestamp()", "now()").replace("now()", f"timestamptz '{now}'")
            assert timed_text != text
            monkeypatch.setattr(postgres_messages, name, timed_text)
        return now

    return set_clock
