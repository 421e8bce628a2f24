"""Run the conformance tests on each inbox, and check that they fail for broken stores."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.postgres.servers import needs_postgres
from tests.redis.servers import RedisServer, needs_redis
from thingspace_async._core.ledgers.memory import MemoryLedger, Numbers
from thingspace_async.callbacks.inbox import Inbox, MemoryInbox
from thingspace_async.callbacks.incoming import Incoming
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.redis.inbox import RedisInbox
from thingspace_async.testing import DurableInboxTests, DurableLedgerTests, InboxTests, LedgerTests, OpenInbox, running


def shared(inbox: MemoryInbox) -> OpenInbox:
    """Return an `open_inbox` that always opens the same memory inbox."""
    users = 0

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Inbox]:
        nonlocal users
        if not users:
            await inbox.open()
        users += 1
        try:
            yield inbox
        finally:
            users -= 1
            if not users:
                await inbox.close()

    return opened


def run(test: Any, open_inbox: OpenInbox) -> None:
    """Run one of the conformance tests."""
    test(None, open_inbox)


def of_redis(server: RedisServer, **options: Any) -> OpenInbox:
    @asynccontextmanager
    async def opened() -> AsyncGenerator[Inbox]:
        async with Redis.from_url(server.url) as client, RedisInbox(client, **options) as inbox:
            yield inbox

    return opened


def of_postgres(url: str) -> OpenInbox:
    @asynccontextmanager
    async def opened() -> AsyncGenerator[Inbox]:
        from thingspace_async.postgres.inbox import PostgresInbox

        async with PostgresInbox(url) as inbox:
            yield inbox

    return opened


class InMemory:
    @pytest.fixture
    def open_inbox(self) -> OpenInbox:
        return shared(MemoryInbox())


class InFile:
    @pytest.fixture
    def open_inbox(self, tmp_path: Path) -> OpenInbox:
        return lambda: SqliteInbox(tmp_path / "messages.db")


@needs_postgres
class InPostgres:
    @pytest.fixture
    def open_inbox(self, postgres: str) -> OpenInbox:
        return of_postgres(postgres)


class TestMemoryMessages(InMemory, InboxTests): ...


class TestMemoryRuns(InMemory, LedgerTests): ...


class TestSqliteMessages(InFile, DurableInboxTests): ...


class TestSqliteRuns(InFile, DurableLedgerTests): ...


class InRedis:
    @pytest.fixture
    def open_inbox(self, redis_server: RedisServer) -> OpenInbox:
        redis_server.empty()
        return of_redis(redis_server)


@needs_redis
class TestRedisMessages(InRedis, DurableInboxTests): ...


@needs_redis
class TestRedisRuns(InRedis, DurableLedgerTests): ...


class TestPostgresMessages(InPostgres, DurableInboxTests): ...


class TestPostgresRuns(InPostgres, DurableLedgerTests): ...


class _Unordered(MemoryInbox):
    """Assigns numbers before messages are visible, like a database without locks between transactions."""

    def __init__(self) -> None:
        super().__init__()
        self._given = 0

    async def _keep(self, new: Incoming) -> bool:
        self._given += 1
        number = self._given
        await asyncio.sleep(random.random() / 1000)
        self._contents.newest = number - 1
        return await super()._keep(new)


def test_an_inbox_whose_numbers_become_visible_out_of_order_fails() -> None:
    with pytest.raises(AssertionError, match="became visible after higher numbers"):
        run(InboxTests.test_message_numbers_become_visible_in_ascending_order, shared(_Unordered()))


class _Forgetful(MemoryInbox):
    """Claims devices again that are already claimed."""

    @property
    def ledger(self) -> MemoryLedger:
        """The state of fleet runs, without claims."""
        for run in self._contents.kept_runs.values():
            run._claimed = Numbers()
        return super().ledger


def test_a_ledger_that_claims_a_device_twice_fails() -> None:
    with pytest.raises(AssertionError):
        run(LedgerTests.test_a_device_is_claimed_once, shared(_Forgetful()))


class _Leaky(MemoryInbox):
    """Leaves a task behind when it is closed."""

    async def close(self) -> None:
        """Close, and leave a task behind."""
        await super().close()
        self.left = asyncio.create_task(asyncio.sleep(60))


def test_an_inbox_that_leaves_tasks_behind_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_CONDITION_TIMEOUT", 0.05)
    with pytest.raises(AssertionError, match="leaves tasks behind"):
        run(InboxTests.test_pruning_keeps_fleet_runs, shared(_Leaky()))


def test_raises_reports_a_missing_error_and_a_wrong_text() -> None:
    with pytest.raises(AssertionError, match="ValueError was not raised"), running.raises(ValueError):
        pass
    with pytest.raises(AssertionError, match="'word' is not in 'text'"), running.raises(ValueError, "word"):
        raise ValueError("text")
