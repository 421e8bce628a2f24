"""The database servers that inboxes can use, for tests that hold for each of them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, Final

import attrs
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.callbacks.inbox.making import activated, taken
from tests.postgres.servers import PostgresServer, needs_postgres
from tests.redis.servers import RedisServer, needs_redis
from thingspace_async.callbacks import waking
from thingspace_async.callbacks.inbox import Inbox
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.served_inbox import ServedInbox
from thingspace_async.redis import _wake_stream
from thingspace_async.redis.inbox import RedisInbox

Server = RedisServer | PostgresServer


@attrs.frozen
class ServerKind:
    """A kind of database server, and how tests use it."""

    name: str
    """Its name in errors and log lines."""
    start: Callable[[], Server]
    """Makes a server that keeps its data when it is stopped."""
    inbox: Callable[..., AbstractAsyncContextManager[ServedInbox[Any]]]
    """Opens the inbox at a URL, with options."""
    stops: tuple[signal.Signals, signal.Signals]
    """Signals that end the server: as in a crash, and in good order."""
    connects_when_opened: bool
    """Whether opening an inbox already sends something."""

    def __str__(self) -> str:
        return self.name


@asynccontextmanager
async def _redis_inbox(url: str, **options: Any) -> AsyncIterator[RedisInbox]:
    """Open an inbox with a client of its own, which has few connections and retries only once."""
    client = Redis.from_url(url, retry=Retry(NoBackoff(), 1), max_connections=20)
    async with client, RedisInbox(client, **options) as inbox:
        yield inbox


def _postgres_inbox(url: str, **options: Any) -> AbstractAsyncContextManager[ServedInbox[Any]]:
    from thingspace_async.postgres.inbox import PostgresInbox

    return PostgresInbox(url, **options)


REDIS: Final = ServerKind(
    "Redis",
    lambda: RedisServer("--appendonly", "yes", "--appendfsync", "always"),
    _redis_inbox,
    (signal.SIGKILL, signal.SIGTERM),
    connects_when_opened=False,
)
POSTGRES: Final = ServerKind(
    "PostgreSQL", PostgresServer, _postgres_inbox, (signal.SIGQUIT, signal.SIGINT), connects_when_opened=True
)

SHARED: Final = [pytest.param(REDIS, marks=needs_redis), pytest.param(POSTGRES, marks=needs_postgres)]
"""Parameters of tests that use the server of all tests."""

OUTAGES: Final = [
    pytest.param(REDIS, marks=needs_redis),
    pytest.param(POSTGRES, marks=[needs_postgres, pytest.mark.processes]),
]
"""Parameters of tests that start a server. PostgreSQL takes seconds for that."""


def shorten_intervals(monkeypatch: pytest.MonkeyPatch, kind: ServerKind) -> None:
    """Have followers look for messages, and for the server, several times a second."""
    monkeypatch.setattr(waking, "_RETRY_INTERVAL", 0.05)
    monkeypatch.setattr(_wake_stream, "_BLOCK", 0.1)
    if kind is POSTGRES:
        from thingspace_async.postgres import _listening

        monkeypatch.setattr(_listening, "_INTERVAL", 0.2)


async def received_status(inbox: Inbox, number: int) -> int:
    """Return the status of a receiver's answer to a message."""
    receiver = Receiver(inbox)
    receiver.expect("CarrierService", username="fleet", password="secret")
    body = activated(number, username="fleet", password="secret")
    return (await receiver.handle(body, headers={}, peer=None, service="CarrierService")).status


async def close_and_cancel(inbox: ServedInbox[Any]) -> None:
    """Cancel `close` while messages are being stored, and check that all of them are stored."""
    async with aclosing(inbox.follow("request")) as following:
        await inbox.store(activated(0))
        assert await taken(following, 1) == [0]
        storing = [asyncio.create_task(inbox.store(activated(number))) for number in range(1, 500)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(inbox.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
    assert await asyncio.gather(*storing) == [True] * 499
