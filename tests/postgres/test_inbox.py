"""Tests of PostgresInbox in addition to those of all inboxes."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet

from tests.callbacks.inbox.claiming import join
from tests.callbacks.inbox.making import activated, devices, taken, texted
from tests.callbacks.inbox.served import close_and_cancel
from tests.postgres.servers import PostgresServer
from thingspace_async._core.ledger import WorkerState
from thingspace_async._core.types import Secret
from thingspace_async.errors import ConfigurationError, InboxUnavailable, InboxUnusable

asyncpg = pytest.importorskip("asyncpg")
if TYPE_CHECKING:
    from thingspace_async.postgres import _messages
    from thingspace_async.postgres import inbox as module
    from thingspace_async.postgres.inbox import PostgresInbox
else:
    _messages = pytest.importorskip("thingspace_async.postgres._messages")
    module = pytest.importorskip("thingspace_async.postgres.inbox")
    PostgresInbox = module.PostgresInbox


@pytest.fixture
async def inbox(postgres: str) -> AsyncIterator[PostgresInbox]:
    """Open an inbox."""
    async with PostgresInbox(postgres) as opened:
        yield opened


@pytest.fixture
async def another(postgres: str) -> AsyncIterator[PostgresInbox]:
    """Open the same inbox as another process would."""
    async with PostgresInbox(postgres) as opened:
        yield opened


async def _numbers(inbox: PostgresInbox) -> list[int]:
    return sorted([received.number async for received in inbox.read()])


# Numbers


async def test_no_message_is_visible_before_one_with_a_lower_number(inbox: PostgresInbox, sql: Any) -> None:
    await inbox.store(activated(0))
    async with aclosing(inbox.follow("request")) as following:
        assert await taken(following, 1) == [0]
        transaction = sql.transaction()
        await transaction.start()
        (number, now) = await sql.fetchrow(inbox._server.sql(_messages.RESERVE), "inbox", 1)
        storing = asyncio.create_task(inbox.store(activated(2)))
        await asyncio.sleep(0.2)
        assert not storing.done(), "it waits until lower numbers are visible"
        values = [number + 1], ["request"], [None], [bytes(16)], [activated(1)]
        await sql.execute(inbox._server.sql(_messages.ADD), "inbox", inbox._channel, now, *values)
        await transaction.commit()
        assert await storing
        assert await asyncio.wait_for(taken(following, 2), 5) == [1, 2]


async def test_a_follower_gets_all_messages_that_several_processes_store_at_once(
    postgres: str, inbox: PostgresInbox
) -> None:
    async def store(storing: PostgresInbox, numbers: range) -> None:
        await asyncio.gather(*(storing.store(activated(number)) for number in numbers))

    async with (
        PostgresInbox(postgres) as one,
        PostgresInbox(postgres) as two,
        aclosing(inbox.follow("request")) as following,
        asyncio.TaskGroup() as group,
    ):
        for storing, start in ((one, 0), (two, 150), (inbox, 300)):
            group.create_task(store(storing, range(start, start + 150)))
        assert sorted(await asyncio.wait_for(taken(following, 450), 30)) == list(range(450))


async def test_after_a_failover_to_a_server_with_an_earlier_clock_numbers_still_grow(
    inbox: PostgresInbox, sql: Any
) -> None:
    await inbox.store(activated(0))
    async with aclosing(inbox.follow("request")) as following:
        assert await taken(following, 1) == [0]
        waiting = asyncio.create_task(taken(following, 2))
        # A standby takes over. It lacks the last messages, and its clock is a day behind.
        await sql.execute("UPDATE thingspace.inbox SET server = server - interval '1 day', newest = newest - 1000")
        behind = _messages.RESERVE.replace("clock_timestamp()", "(clock_timestamp() - interval '1 day')")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_messages, "RESERVE", behind)
            assert await inbox.store(activated(1))
            assert await inbox.store(activated(2))
        assert await asyncio.wait_for(waiting, 5) == [1, 2]
    numbers = await _numbers(inbox)
    assert numbers[1] - numbers[0] > 10**12
    assert numbers[2] - numbers[1] == 1


# Fleet runs


async def test_reading_a_run_while_another_task_of_the_worker_changes_it_is_no_loss(
    inbox: PostgresInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, borrowed = inbox.ledger, inbox._server.borrowed
    place = await join(ledger, "one")

    class Slow:
        """A connection whose answer arrives after the worker has changed the run on another connection."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        async def fetchrow(self, *about: Any) -> Any:
            row = await self._connection.fetchrow(*about)
            monkeypatch.setattr(inbox._server, "borrowed", borrowed)
            await ledger.lease(place, description="activate", state=WorkerState.WORKING, seconds=60)
            return row

        async def fetch(self, *about: Any) -> Any:
            return await self._connection.fetch(*about)

    @asynccontextmanager
    async def slowly() -> AsyncIterator[Slow]:
        async with borrowed() as connection:
            yield Slow(connection)

    monkeypatch.setattr(inbox._server, "borrowed", slowly)
    assert await ledger.batches(place) == []


# Listeners' passwords


async def test_values_of_the_inbox_are_encrypted_if_it_has_keys(postgres: str, sql: Any) -> None:
    keys = [Fernet.generate_key() for _ in range(2)]
    async with PostgresInbox(postgres, encryption_keys=keys[:1]) as inbox:
        assert await inbox.keep_first("name", Secret("hidden")) == Secret("hidden")
        assert "hidden" not in await sql.fetchval("SELECT value FROM thingspace.kept")
    async with PostgresInbox(postgres, encryption_keys=[keys[1], keys[0]]) as inbox:
        assert await inbox.keep_first("name", Secret("another")) == Secret("hidden")
        assert await inbox.kept() == {"name": Secret("hidden")}
    for wrong in ([], keys[1:]):
        async with PostgresInbox(postgres, encryption_keys=wrong) as inbox:
            for use in (inbox.keep_first("name", Secret("another")), inbox.kept()):
                with pytest.raises(InboxUnusable, match="was written with other encryption_keys") as caught:
                    await use
                assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("wrong", [[b"short"], ["hush"], [None]])
def test_invalid_keys_are_refused_and_not_shown(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Fernet\.generate_key") as refused:
        PostgresInbox("postgresql://localhost/", encryption_keys=wrong)
    assert "hush" not in "".join(traceback.format_exception(refused.value))


# Tables


async def test_pods_that_start_together_create_the_tables_once(postgres: str, sql: Any) -> None:
    await sql.execute("DROP SCHEMA IF EXISTS pods CASCADE")
    inboxes = [PostgresInbox(postgres, schema="pods", name=f"inbox {number % 2}") for number in range(8)]
    await asyncio.gather(*(inbox.open() for inbox in inboxes))
    assert sum(await asyncio.gather(*(inbox.store(activated(0)) for inbox in inboxes))) == 2
    assert await sql.fetchval("SELECT count(*) FROM pods.version") == 1
    await asyncio.gather(*(inbox.close() for inbox in inboxes))
    await sql.execute("DROP SCHEMA pods CASCADE")


async def test_tables_of_a_newer_release_are_not_changed(postgres: str, sql: Any) -> None:
    async with PostgresInbox(postgres, schema="newer"):
        await sql.execute("UPDATE newer.version SET version = version + 1")
    with pytest.raises(InboxUnavailable, match="was created by a newer release of thingspace_async: use that release"):
        await PostgresInbox(postgres, schema="newer").open()
    await sql.execute("DROP SCHEMA newer CASCADE")


async def test_a_schema_that_is_used_for_something_else_is_not_changed(postgres: str, sql: Any) -> None:
    await sql.execute('CREATE SCHEMA "some""body\'s"; CREATE TABLE "some""body\'s".message (text text)')
    with pytest.raises(InboxUnavailable, match="the schema is used for something else: choose another schema"):
        await PostgresInbox(postgres, schema="some\"body's").open()
    await sql.execute('DROP TABLE "some""body\'s".message')
    async with PostgresInbox(postgres, schema="some\"body's") as inbox:
        assert await inbox.store(activated(0))
    await sql.execute('DROP SCHEMA "some""body\'s" CASCADE')


async def test_removed_tables_are_created_again(postgres: str, sql: Any) -> None:
    async with PostgresInbox(postgres, schema="removed") as inbox:
        assert await inbox.store(activated(0))
        await sql.execute("DROP SCHEMA removed CASCADE")
        with pytest.raises(InboxUnavailable, match="its tables are missing"):
            await inbox.store(activated(0))
        assert await inbox.store(activated(0))
        await sql.execute("DROP SCHEMA removed CASCADE")


async def test_an_ordinary_user_only_needs_a_schema(postgres_server: PostgresServer, sql: Any) -> None:
    url = postgres_server.url_of("ordinary")
    await sql.execute("CREATE ROLE ordinary LOGIN")
    with pytest.raises(InboxUnavailable, match="this user lacks a privilege: GRANT USAGE, CREATE ON the SCHEMA"):
        await PostgresInbox(url, schema="ordinary").open()
    await sql.execute("CREATE SCHEMA ordinary AUTHORIZATION ordinary")
    async with PostgresInbox(url, schema="ordinary") as inbox, aclosing(inbox.follow("request")) as following:
        assert await inbox.store(activated(0))
        assert await taken(following, 1) == [0]
        assert await inbox.prune(timedelta(minutes=-1)) == 1
        assert await inbox.ledger.runs() == []
    await sql.execute("DROP SCHEMA ordinary CASCADE; DROP ROLE ordinary")


# Pools


async def test_a_pool_that_the_caller_passed_stays_open(postgres: str, sql: Any) -> None:
    async with asyncpg.create_pool(postgres, min_size=0, max_size=2) as pool:
        async with PostgresInbox(pool) as inbox, aclosing(inbox.follow("request")) as following:
            await inbox.store(activated(0))
            assert await taken(following, 1) == [0]
            assert repr(inbox) == "PostgresInbox(name='inbox')"
        assert await pool.fetchval("SELECT 1") == 1
        assert await pool.fetchval("SELECT count(*) FROM pg_listening_channels()") == 0


async def test_a_pool_of_one_connection_is_refused(postgres: str) -> None:
    async with asyncpg.create_pool(postgres, min_size=0, max_size=1) as pool:
        with pytest.raises(ConfigurationError, match="needs a pool of at least two connections: one of them listens"):
            await PostgresInbox(pool).open()


async def test_a_closed_pool_is_reported(postgres: str) -> None:
    pool = await asyncpg.create_pool(postgres, min_size=0, max_size=2)
    async with PostgresInbox(pool) as inbox:
        await pool.close()
        with pytest.raises(InboxUnavailable, match="asyncpg refuses: check that the pool is open"):
            await inbox.store(activated(0))


# Limits


def test_keep_zero_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="keep must be at least 1"):
        PostgresInbox("postgresql://", keep=0)


async def test_old_messages_are_removed_in_steps(inbox: PostgresInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMOVED_AT_ONCE", 7)
    await asyncio.gather(*(inbox.store(activated(number, request=f"r{number % 3}")) for number in range(30)))
    await inbox.store(texted())
    assert await inbox.prune(timedelta(hours=1)) == 0
    assert await inbox.prune(timedelta(minutes=-1)) == 31
    assert await devices(inbox.read()) == []


async def test_inboxes_with_other_names_or_schemas_are_independent(postgres: str, inbox: PostgresInbox) -> None:
    async with PostgresInbox(postgres, name="other") as other, PostgresInbox(postgres, schema="third") as third:
        for one in (inbox, other, third):
            assert await one.store(activated(0))
            assert await one.keep_first("name", Secret(str(id(one)))) == Secret(str(id(one)))
        assert await devices(other.read()) == [0]
        assert await other.prune(timedelta(minutes=-1)) == 1
        assert await devices(inbox.read()) == [0]
        assert await inbox.ledger.runs() == await other.ledger.runs() == []
        assert await third.prune(timedelta(minutes=-1)) == 1


async def test_names_that_postgresql_cannot_store_are_escaped(inbox: PostgresInbox) -> None:
    long = "x" * 10_000
    for number, name in enumerate(("a\0b", "\x85", long)):
        assert await inbox.store(activated(number, request=name), service=name)
    assert await devices(inbox.read()) == [0, 1, 2]
    assert await devices(inbox.read(request_id=long)) == await devices(inbox.read(service=long)) == [2]
    assert [received.service async for received in inbox.read()] == ["a\\0b", "\x85", long]


async def test_many_messages_of_a_megabyte_are_stored_and_read_together(inbox: PostgresInbox) -> None:
    bodies = [activated(number, comment="x" * 1_000_000) for number in range(12)]
    assert await asyncio.gather(*(inbox.store(body) for body in bodies)) == [True] * 12
    assert sorted(await devices(inbox.read(request_id="request"))) == list(range(12))


# Closing


async def test_a_cancelled_close_still_closes(inbox: PostgresInbox, sql: Any) -> None:
    await close_and_cancel(inbox)
    async with asyncio.timeout(5):
        while await sql.fetchval("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'") > 1:
            await asyncio.sleep(0.02)
