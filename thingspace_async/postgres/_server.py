"""Connections to PostgreSQL, with limits on their number and time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias

import asyncpg

from thingspace_async._core.tasks import cancellable, end
from thingspace_async._core.types import Secret
from thingspace_async.callbacks.inbox import not_open
from thingspace_async.errors import ConfigurationError, InboxUnavailable, InboxUnusable
from thingspace_async.postgres._faults import FAULTS, advice_on, is_temporary, tables_are_missing
from thingspace_async.postgres._schema import LOCK, TABLES, VERSION, quoted

__all__ = ["TIMEOUT", "Connection", "Server", "drop", "optional_text", "text_of"]

Connection: TypeAlias = Any  # asyncpg's connection, or the pool's proxy, which creates its methods at run time.

TIMEOUT: Final = 5.0
"""Seconds for PostgreSQL to answer."""

_RELEASE: Final = 1.0
"""Seconds to return a connection to the pool. After that it is closed."""

_AT_ONCE: Final = 4
"""Connections in use at once, not counting the one that listens."""

# The timeouts make the server end a transaction whose client hangs, because others wait for its locks. The last line
# is for servers that do not flush commits by default: an acknowledged message must not be lost.
_BEGIN: Final = f"""
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL statement_timeout = {TIMEOUT * 1000:.0f};
SET LOCAL idle_in_transaction_session_timeout = {TIMEOUT * 1000:.0f};
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
"""

# Not with to_regclass: its cache may not have another process's new tables yet.
_FOUND: Final = """
SELECT pg_namespace.oid IS NOT NULL AS schema, pg_class.oid IS NOT NULL AS tables
FROM (SELECT) AS always
LEFT JOIN pg_namespace ON nspname = $1
LEFT JOIN pg_class ON relnamespace = pg_namespace.oid AND relname = 'version'
"""

_log: Final = logging.getLogger("thingspace_async")


class Server:
    """A pool of connections, and the tables in one schema."""

    def __init__(self, dsn_or_pool: str | asyncpg.Pool, schema: str, label: str) -> None:
        self.label: Final = label
        self._dsn = Secret(dsn_or_pool) if isinstance(dsn_or_pool, str) else None
        self._given: Any = None if isinstance(dsn_or_pool, str) else dsn_or_pool
        self._pool: Any = None
        self._schema = schema
        self._quoted = quoted(schema)
        self._is_ready = False
        """Whether the tables exist."""
        self.has_answered: bool = False
        self._places = asyncio.Semaphore(_AT_ONCE)

    def sql(self, text: str) -> str:
        """Insert the name of the schema into a statement."""
        return text.format(schema=self._quoted)

    async def open(self) -> None:
        """Create the tables if they are missing. If the server is unreachable, a later call creates them."""
        if self._dsn is not None:
            options = {"min_size": 0, "max_size": _AT_ONCE + 1, "timeout": TIMEOUT, "reset": _no_reset}
            self._pool = await asyncpg.create_pool(self._dsn.reveal(), **options)
        elif self._given.get_max_size() > 1:
            self._pool = self._given
        else:
            raise ConfigurationError(f"{self.label} needs a pool of at least two connections: one of them listens")
        try:
            async with self.borrowed():
                pass
        except InboxUnavailable as error:
            if isinstance(error, InboxUnusable):
                await self.close()
                raise
            _log.warning("%s", error)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the pool, unless the caller passed it."""
        pool, self._pool, self._is_ready = self._pool, None, False
        if self._dsn is not None:
            try:
                async with asyncio.timeout(_RELEASE):
                    await pool.close()
            except FAULTS:
                pool.terminate()

    @asynccontextmanager
    async def borrowed(self) -> AsyncGenerator[Connection]:
        """Borrow a connection for a block. Raises InboxUnavailable."""
        if self._pool is None:
            raise not_open(self.label)
        async with self._places, self.limited(), self.pooled() as connection:
            await self.prepare(connection)
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """Borrow a connection for a block, in a transaction that commits at its end. Raises InboxUnavailable.

        If the block raises, the connection is closed and the server rolls back.
        """
        async with self.borrowed() as connection, _transaction(connection):
            yield connection

    @asynccontextmanager
    async def pooled(self) -> AsyncGenerator[Connection]:
        """Take a connection from the pool for a block."""
        pool = self._pool
        try:
            connection = await _acquired(pool)
        except ValueError:  # Its text contains parts of the DSN.
            raise ConfigurationError(
                f"{self.label}: asyncpg cannot read the DSN: pass one such as postgresql://user@host/database"
            ) from None
        try:
            yield connection
        finally:
            with suppress(*FAULTS):
                await pool.release(connection, timeout=_RELEASE)

    @asynccontextmanager
    async def limited(self) -> AsyncGenerator[None]:
        """Limit the time of a block, and convert errors to InboxUnavailable."""
        try:
            async with asyncio.timeout(TIMEOUT):
                with cancellable():
                    yield
        except FAULTS as error:
            if tables_are_missing(error):
                self._is_ready = False
            kind = InboxUnavailable if is_temporary(error) else InboxUnusable
            raise kind(f"{self.label} failed: {advice_on(error)}") from error

    async def prepare(self, connection: Connection) -> None:
        """Create the tables if they are missing."""
        if self._is_ready:
            return
        if not (await connection.fetchrow(_FOUND, self._schema))["tables"]:
            async with _transaction(connection):
                await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
                found = await connection.fetchrow(_FOUND, self._schema)
                if not found["schema"]:
                    await connection.execute(self.sql("CREATE SCHEMA {schema}"))
                if not found["tables"]:
                    await connection.execute(self.sql(TABLES))
        if await connection.fetchval(self.sql("SELECT version FROM {schema}.version")) != VERSION:
            raise InboxUnusable(f"{self.label} was created by a newer release of thingspace_async: use that release")
        self._is_ready = True
        self.has_answered = True


async def _no_reset(connection: Connection) -> None:
    """Leave a released connection as it is: nothing was set, and asyncpg's own reset takes a round trip."""


async def _acquired(pool: Any) -> Connection:
    """Acquire a connection. If cancelled, finish connecting first: asyncio complains about an interrupted handshake."""

    async def acquire() -> Connection:
        return await pool.acquire()

    acquiring = asyncio.create_task(acquire(), name="acquiring a connection")
    try:
        return await asyncio.shield(acquiring)
    except asyncio.CancelledError:
        acquiring.add_done_callback(_drop_acquired)  # Also if this is cancelled once more.
        await asyncio.wait([acquiring], timeout=_RELEASE)
        await end(acquiring)
        raise


def _drop_acquired(acquiring: asyncio.Task[Connection]) -> None:
    if not acquiring.cancelled() and acquiring.exception() is None:
        drop(acquiring.result())


@asynccontextmanager
async def _transaction(connection: Connection) -> AsyncGenerator[None]:
    # asyncpg's own transactions wait for the answer to ROLLBACK, and a server that hangs does not answer.
    try:
        await connection.execute(_BEGIN)
        yield
        await connection.execute("COMMIT")
    except BaseException:
        drop(connection)
        raise


def drop(connection: Connection) -> None:
    """Close a connection at once, if it is still open."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


def text_of(name: str) -> str:
    """Escape the characters that PostgreSQL cannot store: lone surrogates and the character 0."""
    return name.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def optional_text(name: str | None) -> str | None:
    """Escape a name if there is one; see `text_of`."""
    return None if name is None else text_of(name)
