"""An inbox in PostgreSQL that several machines share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final

import asyncpg

from thingspace_async._core.encryption import as_secrets
from thingspace_async._core.types import Secret
from thingspace_async.callbacks.inbox import PAGE, MessageQuery, Received, not_open, stored_message
from thingspace_async.callbacks.incoming import BYTES_AT_ONCE, Incoming, parsed
from thingspace_async.callbacks.served_inbox import ServedInbox
from thingspace_async.errors import ConfigurationError, InboxUnavailable
from thingspace_async.postgres import _messages as statements
from thingspace_async.postgres._listening import Listening, channel_of
from thingspace_async.postgres._server import Server, optional_text, text_of
from thingspace_async.postgres.ledger import PostgresLedger

__all__ = ["PostgresInbox"]

_REMOVED_AT_ONCE: Final = 1000


class PostgresInbox(ServedInbox[Listening]):
    """An inbox in PostgreSQL. Processes on all machines share its messages, and followers are woken at once.

        async with PostgresInbox("postgresql://thingspace@localhost/fleet") as inbox:
            async for received in inbox.read(service="CarrierService"):
                print(received.message.request_id, received.message.status)

    Pass a DSN, or an `asyncpg.Pool` that you close yourself. Objects with the same database, schema and name share one
    inbox. The first one to open creates the schema and its tables. If PostgreSQL is unreachable then, a receiver still
    starts, and answers 503 until it can store messages. Followers wait out an outage of up to a minute without missing
    a message.

    A message is acknowledged once its transaction is on the disk, even if `synchronous_commit` is off on the server. A
    failover loses the transactions that the standby has not received, unless `synchronous_standby_names` lists it.

    `keep` limits the number of messages. If there are about 1 % more, the oldest are removed. `encryption_keys`, keys
    from cryptography's `Fernet.generate_key()`, encrypt the passwords of listeners, but never messages. The first key
    encrypts, and any of them decrypts. Needs PostgreSQL 12 or later. Raises ConfigurationError for invalid options.
    """

    def __init__(
        self,
        dsn_or_pool: str | asyncpg.Pool,
        *,
        schema: str = "thingspace",
        name: str = "inbox",
        keep: int | None = None,
        encryption_keys: Sequence[bytes | str] = (),
    ) -> None:
        # First of all, because a traceback may show the locals of this frame.
        keys, encryption_keys = as_secrets(encryption_keys), ()
        super().__init__(f"the inbox {name} in PostgreSQL", keys)
        if keep is not None and keep < 1:
            raise ConfigurationError("inbox: keep must be at least 1, or None to keep all messages")
        self._server: Final = Server(dsn_or_pool, schema, self._label)
        self._ledger: Final = PostgresLedger(self._server, text_of(name))
        self._channel: Final = channel_of(schema, name)
        self._name = text_of(name)
        self._keep_most = keep
        self._added = 0
        """Messages that this process has stored since it last removed the oldest."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self._name!r})"

    @property
    def ledger(self) -> PostgresLedger:
        """The state of fleet runs."""
        return self._ledger

    async def open(self) -> None:
        """Open the inbox, and create its tables if they are missing."""
        if self.is_open:
            raise InboxUnavailable(f"{self._label} is open already: open it once")
        await self._server.open()
        self._waker = Listening(self._server, self._followers, self._name, self._channel)

    async def close(self) -> None:
        """Finish storing, and close the pool unless you passed it. Followers get InboxUnavailable."""
        if self.is_open:
            try:
                await super().close()
            finally:
                await self._server.close()

    async def keep_first(self, name: str, value: Secret) -> Secret:
        """Store a value unless there is one; see `Inbox.keep_first`."""
        async with self._server.transaction() as connection:
            kept = self._cipher.encrypt(value)
            await connection.execute(self._sql(statements.KEEP_FIRST), self._name, text_of(name), kept.reveal())
            rows = await connection.fetch(self._sql(statements.KEPT), self._name)
        return self._decrypted(next(row["value"] for row in rows if row["name"] == text_of(name)))

    async def kept(self) -> dict[str, Secret]:
        """Return all values that `keep_first` has stored, by name."""
        async with self._server.borrowed() as connection:
            rows = await connection.fetch(self._sql(statements.KEPT), self._name)
        return {row["name"]: self._decrypted(row["value"]) for row in rows}

    @asynccontextmanager
    async def _registered(self, request_id: str) -> AsyncGenerator[None]:
        del request_id  # The process is notified of all requests.
        self._open_waker.start()
        yield

    def _sql(self, text: str) -> str:
        return self._server.sql(text)

    async def _insert(self, messages: Sequence[Incoming]) -> list[bool]:
        outcomes: list[bool] = []
        rows: list[tuple[int, str | None, str | None, bytes, bytes]] = []
        async with self._server.transaction() as connection:
            reserved = await connection.fetchrow(self._sql(statements.RESERVE), self._name, len(messages))
            digests = [bytes.fromhex(new.digest) for new in messages]
            known = await connection.fetch(self._sql(statements.LATEST), self._name, digests)
            latest = {row["digest"]: row["latest"] for row in known}
            number, now = reserved["last"], reserved["now"]
            for digest, new in zip(digests, messages, strict=True):
                outcomes.append(not new.repeats(latest.get(digest), now))
                if outcomes[-1]:
                    latest[digest] = now
                    number += 1
                    rows.append((number, optional_text(new.request_id), optional_text(new.service), digest, new.body))
            if rows:
                columns = zip(*rows, strict=True)
                await connection.execute(self._sql(statements.ADD), self._name, self._channel, now, *columns)
        self._added += len(rows)
        return outcomes

    async def _clean_up(self) -> None:
        """Remove the oldest messages if there are too many. Counting is slow, so it is not done after each batch."""
        if self._keep_most is not None and self._added > self._keep_most // 100:
            with suppress(InboxUnavailable):  # Try again after the next batch.
                await self._in_steps(statements.TRIM, self._keep_most)
                self._added = 0

    async def _page(self, query: MessageQuery, last: Received | None) -> list[Received]:
        if not self.is_open:  # A follower that reads while the inbox closes would never be woken.
            raise not_open(self._label)
        text = statements.PAGE_OF_REQUEST
        if query.request_id is None:
            text = statements.PAGE_OF_ALL if query.service is None else statements.PAGE_OF_SERVICE
        found: list[Received] = []
        while True:  # Long messages take several queries.
            since = query.since if last is None or query.request_id is not None else last.received_at
            values = [optional_text(query.service), since, query.until, 0 if last is None else last.number]
            request_id = optional_text(query.request_id)
            limits = [PAGE - len(found), BYTES_AT_ONCE]
            async with self._server.borrowed() as connection:
                rows = await connection.fetch(self._sql(text), self._name, *values, *limits, request_id)
            found += await parsed(sum(len(row["body"]) for row in rows), _read, rows)
            if len(found) == PAGE or not rows or rows[0]["found"] == len(rows):
                return found
            last = found[-1]

    async def _remove(self, older_than: timedelta) -> int:
        return await self._in_steps(statements.REMOVE, older_than)

    async def _in_steps(self, text: str, limit: object) -> int:
        """Remove messages in steps, so that others can be stored in between."""
        removed, step = 0, _REMOVED_AT_ONCE
        while step == _REMOVED_AT_ONCE:
            async with self._server.transaction() as connection:
                step = await connection.fetchval(self._sql(text), self._name, limit, _REMOVED_AT_ONCE)
            removed += step
        return removed


def _read(rows: Sequence[Any]) -> list[Received]:
    return [stored_message(row["number"], row["service"], row["received_at"], row["body"]) for row in rows]
