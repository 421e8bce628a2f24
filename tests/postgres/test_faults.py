"""PostgresInbox when its server fails."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.callbacks.inbox.making import activated, devices, taken
from tests.callbacks.inbox.served import POSTGRES, received_status, shorten_intervals
from tests.postgres.servers import PostgresServer
from thingspace_async._core.ledger import Place, WorkerState
from thingspace_async._core.types import Secret
from thingspace_async.callbacks import waking
from thingspace_async.errors import ConfigurationError, InboxUnavailable, InboxUnusable

pytestmark = pytest.mark.processes

asyncpg = pytest.importorskip("asyncpg")
if TYPE_CHECKING:
    from thingspace_async.postgres import _faults, _listening, _server
    from thingspace_async.postgres.inbox import PostgresInbox
else:
    _faults, _listening, _server = (
        pytest.importorskip(f"thingspace_async.postgres.{name}") for name in ("_faults", "_listening", "_server")
    )
    PostgresInbox = pytest.importorskip("thingspace_async.postgres").PostgresInbox


@pytest.fixture
async def inbox(postgres: str) -> AsyncIterator[PostgresInbox]:
    """Open an inbox."""
    async with PostgresInbox(postgres) as opened:
        yield opened


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the intervals of followers."""
    shorten_intervals(monkeypatch, POSTGRES)


def _impatient(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Shorten the timeout of PostgreSQL."""
    began = _server._BEGIN.replace("5000", str(round(seconds * 1000)))
    assert began != _server._BEGIN
    monkeypatch.setattr(_server, "TIMEOUT", seconds)
    monkeypatch.setattr(_server, "_BEGIN", began)


# Outages


async def test_acknowledged_messages_survive_a_crash_even_with_synchronous_commit_off() -> None:
    late = ("-c", "synchronous_commit=off", "-c", "wal_writer_delay=10000", "-c", "wal_writer_flush_after=1GB")
    with PostgresServer(*late, durable=True) as server:
        async with PostgresInbox(server.url) as inbox:
            for number in range(5):
                assert await inbox.store(activated(number))
            server.restart()
            await asyncio.sleep(0.1)  # Let the inbox notice that its connections have ended.
            assert await devices(inbox.read()) == list(range(5))


async def test_calls_do_not_wait_long_for_a_server_that_hangs(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with PostgresInbox(server.url) as inbox:
        await inbox.store(activated(0))
        _impatient(monkeypatch, 0.3)
        with server.paused():
            began = time.monotonic()
            for use in (inbox.store(activated(1)), devices(inbox.read()), inbox.ledger.runs()):
                with pytest.raises(InboxUnavailable, match="does not answer in time: check its load"):
                    await use
            assert time.monotonic() - began < 10
        assert await inbox.store(activated(2))


@pytest.mark.leaves_sockets
async def test_closing_does_not_wait_for_a_server_that_hangs(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with PostgresInbox(server.url) as inbox, aclosing(inbox.follow("request")) as following:
        await inbox.store(activated(0))
        assert await taken(following, 1) == [0]
        _impatient(monkeypatch, 0.3)
        with server.paused():
            storing = [asyncio.create_task(inbox.store(activated(number))) for number in range(500)]
            await asyncio.sleep(0.1)
            await asyncio.wait_for(inbox.close(), 10)
            results = await asyncio.gather(*storing, return_exceptions=True)
            assert {type(result) for result in results} == {InboxUnavailable}
            assert len({id(result) for result in results}) == 500


async def test_connections_that_an_administrator_ends_are_replaced(inbox: PostgresInbox, sql: Any) -> None:
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = $1"
    async with aclosing(inbox.follow("request")) as following:
        stored = 0
        for _ in range(10):
            await sql.fetch(ended, "postgres")
            while True:
                with suppress(InboxUnavailable):
                    await inbox.store(activated(stored))
                    break
            stored += 1
        assert await asyncio.wait_for(taken(following, stored), 20) == list(range(stored))


async def test_calls_do_not_wait_long_for_a_lock(
    inbox: PostgresInbox, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await inbox.store(activated(0))
    _impatient(monkeypatch, 0.3)
    async with sql.transaction():
        await sql.execute("LOCK TABLE thingspace.message")
        with pytest.raises(InboxUnavailable, match="does not answer in time"):
            await inbox.store(activated(1))
        with pytest.raises(InboxUnavailable, match="does not answer in time"):
            await devices(inbox.read())
        async with asyncio.timeout(5):
            while await sql.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                await asyncio.sleep(0.02)  # Otherwise the attempts would use up the server's connections.
    assert await inbox.store(activated(1))


async def test_a_process_that_is_frozen_in_a_transaction_does_not_block_others(
    inbox: PostgresInbox, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _impatient(monkeypatch, 0.5)
    await sql.execute(_server._BEGIN)
    await sql.execute("INSERT INTO thingspace.inbox VALUES ('inbox', 1, now())")
    stored = False
    async with asyncio.timeout(10):
        while not stored:
            with suppress(InboxUnavailable):
                stored = await inbox.store(activated(0))
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await sql.execute("COMMIT")


# Followers


@pytest.mark.usefixtures("hasty")
async def test_a_follower_gives_up_if_only_its_own_queries_keep_failing(
    inbox: PostgresInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def page(*_: object) -> None:
        raise InboxUnavailable("this alone fails")

    monkeypatch.setattr(waking, "_LONGEST_OUTAGE", 1)
    monkeypatch.setattr(inbox, "_page", page)
    with pytest.raises(InboxUnavailable, match="this alone fails"):
        await asyncio.wait_for(taken(inbox.follow("request"), 1), 10)


@pytest.mark.usefixtures("hasty")
async def test_without_notifications_followers_check_for_messages_and_a_warning_says_why(
    inbox: PostgresInbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_listening.Listening, "_on_notification", lambda *_: None)
    async with aclosing(inbox.follow("request")) as following:
        for number in range(3):
            waiting = asyncio.create_task(taken(following, 1))
            await asyncio.sleep(0.1)
            await inbox.store(activated(number))
            assert await asyncio.wait_for(waiting, 5) == [number]
        async with asyncio.timeout(5):
            while "notifications do not arrive" not in caplog.text:
                await asyncio.sleep(0.02)
    assert "If PgBouncer uses pool_mode=transaction, connect directly" in caplog.text
    assert caplog.text.count("notifications do not arrive") == 1


# Settings


async def test_a_wrong_password_is_reported_and_not_shown(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.url)
    await connection.execute("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'secret'")
    await connection.close()
    url = server.url_of("guarded:guess")
    with pytest.raises(InboxUnusable, match="it refuses the user or the password: check the DSN") as refused:
        await PostgresInbox(url).open()
    assert "guess" not in "".join(traceback.format_exception(refused.value))
    async with PostgresInbox(server.url_of("guarded:secret")) as inbox:
        assert await inbox.store(activated(0))
        assert "secret" not in repr(inbox) + repr(vars(inbox._server))


@pytest.mark.parametrize(
    "dsn", ["http://fleet:hidden@localhost/", "postgresql://fleet:hid#den@localhost:54x/", "hidden"]
)
async def test_an_invalid_dsn_is_reported_and_not_shown(dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="pass one such as postgresql://user@host/database") as refused:
        await PostgresInbox(dsn).open()
    assert "hid" not in "".join(traceback.format_exception(refused.value))


async def test_a_missing_database_is_reported(postgres_server: PostgresServer) -> None:
    with pytest.raises(InboxUnusable, match="there is no such database: create it"):
        await PostgresInbox(postgres_server.url_of("postgres", "missing")).open()


async def test_a_read_only_server_is_reported_and_can_still_be_read(
    postgres: str, inbox: PostgresInbox, sql: Any
) -> None:
    await inbox.store(activated(0))
    await sql.execute("CREATE ROLE reader LOGIN SUPERUSER; ALTER ROLE reader SET default_transaction_read_only = on")
    async with PostgresInbox(postgres.replace("postgres@", "reader@")) as reading:
        with pytest.raises(InboxUnavailable, match="it is read-only: connect to the primary"):
            await reading.store(activated(1))
        assert await received_status(reading, 1) == 503
        assert await devices(reading.read()) == [0]
    await sql.execute("DROP ROLE reader")


async def test_a_receiver_starts_while_the_server_is_read_only(postgres: str, sql: Any) -> None:
    await sql.execute("CREATE ROLE early LOGIN SUPERUSER; ALTER ROLE early SET default_transaction_read_only = on")
    async with PostgresInbox(postgres.replace("postgres@", "early@"), schema="early") as inbox:
        with pytest.raises(InboxUnavailable, match="it is read-only"):
            await inbox.store(activated(0))
    await sql.execute("DROP ROLE early")


async def test_too_many_connections_are_reported(postgres: str, sql: Any) -> None:
    await sql.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 0")
    async with PostgresInbox(postgres.replace("postgres@", "few@")) as inbox:
        with pytest.raises(InboxUnavailable, match="it has no free connection: raise max_connections"):
            await inbox.store(activated(0))
    await sql.execute("DROP ROLE few")


@pytest.mark.parametrize(
    ("error", "is_temporary"),
    [
        (asyncpg.DiskFullError("/data"), True),
        (asyncpg.DeadlockDetectedError("process 1"), True),
        (asyncpg.CannotConnectNowError("starting up"), True),
        (asyncpg.UndefinedTableError("message"), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (ConnectionResetError("by peer"), True),
        (TimeoutError(), True),
        (asyncpg.InvalidPasswordError("fleet"), False),
        (asyncpg.InsufficientPrivilegeError("message"), False),
        (asyncpg.DataCorruptedError("page 1"), False),
        (asyncpg.InterfaceError("pool is not initialized"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_that_may_end_by_themselves_are_distinguished(error: Exception, *, is_temporary: bool) -> None:
    assert _faults.is_temporary(error) is is_temporary


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (lambda: asyncpg.DiskFullError("/data: 1,000"), "its disk is full: free some space"),
        (lambda: asyncpg.QueryCanceledError("statement timeout"), "does not answer in time"),
        (lambda: asyncpg.DuplicatePreparedStatementError('"stmt"'), "PgBouncer uses transaction pooling"),
        (lambda: asyncpg.DeadlockDetectedError("process 1"), "transactions conflict: try again"),
        (lambda: asyncpg.CannotConnectNowError("starting up"), "it is starting or stopping"),
        (lambda: asyncpg.UniqueViolationError("(hidden)"), "it refuses a statement: check its log"),
        (lambda: asyncpg.TargetServerAttributeNotMatched("no host"), "no server in the DSN has the requested"),
        (lambda: ConnectionResetError("by peer"), "it cannot be reached"),
        (lambda: asyncpg.InterfaceError("connection is closed"), "it cannot be reached"),
    ],
)
def test_each_error_says_what_to_do(error: Callable[[], Exception], advice: str) -> None:
    text = _faults.advice_on(error())
    assert advice in text
    assert type(error()).__name__ in text
    assert str(error()) not in text


async def test_a_full_disk_is_reported_and_messages_are_stored_once_there_is_space(
    inbox: PostgresInbox, sql: Any
) -> None:
    await sql.execute("""
        CREATE FUNCTION thingspace.full() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END$$;
        CREATE TRIGGER full_disk BEFORE INSERT ON thingspace.message EXECUTE FUNCTION thingspace.full();
    """)
    assert await received_status(inbox, 0) == 503
    with pytest.raises(InboxUnavailable, match="its disk is full: free some space"):
        await inbox.store(activated(0))
    await sql.execute("DROP FUNCTION thingspace.full CASCADE")
    assert await received_status(inbox, 0) == 200


USES: dict[str, Callable[[PostgresInbox], Awaitable[Any]]] = {
    "store": lambda inbox: inbox.store(activated(0)),
    "keep_first": lambda inbox: inbox.keep_first("name", Secret("hidden")),
    "prune": lambda inbox: inbox.prune(timedelta(0)),
    "lease": lambda inbox: inbox.ledger.lease(
        Place("run", "worker"), description="d", state=WorkerState.WORKING, seconds=1
    ),
    "forget": lambda inbox: inbox.ledger.forget("run"),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
async def test_a_cancelled_transaction_leaves_nothing_locked(
    postgres: str, inbox: PostgresInbox, sql: Any, use: Callable[[PostgresInbox], Awaitable[Any]]
) -> None:
    for pause in (0, 0.001, 0.002, 0.004):
        async with PostgresInbox(postgres) as cancelled:
            using = asyncio.ensure_future(use(cancelled))
            await asyncio.sleep(pause)
            using.cancel()
            await asyncio.wait([using])
    assert await asyncio.wait_for(inbox.store(activated(7)), 5)
