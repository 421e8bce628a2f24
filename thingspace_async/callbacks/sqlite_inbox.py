"""An inbox in one SQLite file.

All that touches the file runs on one thread of the inbox's own. While that thread commits, stores gather, and the next
transaction takes them all: one wait for the disk serves many.

Many rows travel as one JSON text, in either direction. The module sqlite3 lets go of the interpreter's lock at each row
and each statement, and on a busy event loop takes up to 5 ms to get it back: row by row, a hundred messages would take
half a second.
"""

from __future__ import annotations

import asyncio
import copy
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from thingspace_async.callbacks.inbox import PAGE, BaseInbox, Incoming, Received, Wanted, not_open
from thingspace_async.callbacks.messages import parse
from thingspace_async.errors import InboxUnavailable

__all__ = ["SqliteInbox"]

T = TypeVar("T")

_APPLICATION: Final = 0x7468_7370  # "thsp"
_VERSION: Final = 1

_SCHEMA: Final = (
    """
    CREATE TABLE message (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        request_id TEXT,
        service TEXT,
        received_at TEXT NOT NULL,
        digest TEXT NOT NULL,
        body TEXT NOT NULL
    )
    """,
    "CREATE INDEX message_of_request ON message (request_id)",
    "CREATE INDEX message_of_service ON message (service, received_at)",
    "CREATE INDEX message_of_time ON message (received_at)",
    "CREATE INDEX message_of_digest ON message (digest)",
    "CREATE TABLE entry (run TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (run, key)) WITHOUT ROWID",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
)

_WHOSE: Final = """
    SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)
    FROM pragma_application_id, pragma_user_version
"""

_LATEST: Final = """
    SELECT json_group_object(digest, latest) FROM (
        SELECT digest, max(received_at) AS latest FROM message
        WHERE digest IN (SELECT value FROM json_each(?)) GROUP BY digest
    )
"""

_INSERT: Final = """
    INSERT INTO message (request_id, service, received_at, digest, body)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
        json_extract(value, '$[3]'), json_extract(value, '$[4]')
    FROM json_each(?)
"""

_PAGE: Final = """
    SELECT json_group_array(json_array(number, service, received_at, body)) FROM (
        SELECT number, service, received_at, body FROM message
        WHERE {chosen} AND received_at < :until ORDER BY {order} LIMIT :page
    )
"""
_BY_TIME: Final = "(received_at, number) > (:from, :number)"
_PAGE_OF_REQUEST: Final = _PAGE.format(
    chosen="""
        request_id = :request_id AND number > :number AND received_at >= :since
        AND service IS ifnull(:service, service)
    """,
    order="number",
)
_PAGE_OF_SERVICE: Final = _PAGE.format(chosen=f"service = :service AND {_BY_TIME}", order="received_at, number")
_PAGE_OF_ALL: Final = _PAGE.format(chosen=_BY_TIME, order="received_at, number")

_REMOVE: Final = """
    DELETE FROM message WHERE number IN (SELECT number FROM message WHERE received_at < ? LIMIT ?)
"""
_REMOVED_AT_ONCE: Final = 1000

_RECORD: Final = "INSERT OR REPLACE INTO entry SELECT ?, key, value FROM json_each(?)"
_FORGET: Final = "DELETE FROM entry WHERE run = ?"
_RECORDED: Final = "SELECT json_group_object(key, value) FROM entry WHERE run = ?"

_NEWEST: Final = "SELECT ifnull(max(number), 0) FROM message"
_NEWER: Final = "SELECT json_group_array(json_array(number, request_id)) FROM message WHERE number > ?"

_STORED_AT_ONCE: Final = 256
"""Messages in one transaction: of the longest that a receiver takes, these are well below SQLite's longest text."""

_PATIENCE: Final = 5.0
"""Seconds to wait for another process that is writing."""

_INTERVAL: Final = 0.5
"""Seconds between looks for what other processes have stored."""

_NO_SPACE: Final = "there is no space left: free some on its disk"

_FAULTS: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_BUSY: f"another process has kept it locked for {_PATIENCE:g} seconds: find out which, or try again",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: its folder has to exist, and this user has to be let write into it",
    sqlite3.SQLITE_CORRUPT: "it is damaged: move it away, and see what `sqlite3 FILE .recover` can save of it",
    sqlite3.SQLITE_FULL: _NO_SPACE,
    sqlite3.SQLITE_IOERR: "its disk fails to read or write: see what the system's log says of the disk",
    sqlite3.SQLITE_IOERR_SHMSIZE: _NO_SPACE,  # For one of the two files beside it.
    sqlite3.SQLITE_NOTADB: "it is not an inbox but another program's file: choose another path",
    sqlite3.SQLITE_READONLY: "it cannot be written: this user has to be let write to it and into its folder",
}


class SqliteInbox(BaseInbox):
    """An inbox in one SQLite file, made when it is first opened and readable by its owner alone.

        async with SqliteInbox("messages.db") as inbox:
            async for received in inbox.read(service="CarrierService"):
                print(received.message.request_id, received.message.status)

    What `store` and `record` have returned for survives the end of the process however it comes, SIGKILL included, and
    a power cut or a crash of the system as far as the disk keeps what it says to have written: each transaction is
    flushed to it. (SQLite's write-ahead log, synchronous=FULL.)

    Several processes of one machine may open one file, such as a receiver that stores and an application that follows:
    a follower hears of what its own process stores at once, and of what others store within half a second. The file
    does not shrink: the space of what was pruned is used again. Two more files lie beside it while it is open, and
    belong to it after a crash; a network's file system will not do.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self._path: Final = Path(path).absolute()
        self._thread: ThreadPoolExecutor | None = None
        self._watching: asyncio.Task[None] | None = None
        self._waiting: list[tuple[Incoming, asyncio.Future[bool]]] = []
        self._committing = False
        # The rest is the thread's.
        self._resources: Final = ExitStack()
        self._connection: sqlite3.Connection
        self._file: os.stat_result
        self._seen = 0
        """The number up to which followers were told of what other processes store."""
        self._seen_version = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._path)!r})"

    @property
    def is_open(self) -> bool:
        """Whether messages can be stored and read."""
        return self._thread is not None

    async def open(self) -> None:
        """Open the file, and make it where there is none."""
        if self._thread is not None:
            raise InboxUnavailable(f"the inbox {self._path} is open already: open it once")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="thingspace-inbox")
        try:
            await self._run(self._connect)
        except BaseException:
            await self.close()
            raise
        self._watching = asyncio.create_task(self._watch(), name=f"watching {self._path}")

    async def close(self) -> None:
        """Store what was begun, close the file and end the thread; who follows a request gets InboxUnavailable."""
        if self._thread is None:
            return
        while self._waiting:
            self._commit()
        disconnected, thread = self._run(self._resources.close), self._thread
        self._thread = None
        thread.shutdown(wait=False)  # It ends behind the last of its work even if waiting for it is cancelled.
        self._followers.wake_all()
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        await disconnected
        thread.shutdown()

    async def record(self, run: str, entries: Mapping[str, str]) -> None:
        """Note something for a run; see `Inbox.record`."""
        given = orjson.dumps(dict(entries)).decode()
        await self._run(partial(self._write, _RECORD, run, given))

    async def recorded(self, run: str) -> dict[str, str]:
        """Return all that was noted for a run."""
        return await self._run(lambda: self._json(_RECORDED, (run,)))

    async def _forget(self, run: str) -> None:
        await self._run(partial(self._write, _FORGET, run))

    # On the event loop

    def _run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have the thread do something, behind what it was told before."""
        if self._thread is None:
            raise not_open(f"the inbox {self._path}")
        return asyncio.get_running_loop().run_in_executor(self._thread, self._explained, work)

    async def _keep(self, new: Incoming) -> bool:
        if self._thread is None:
            raise not_open(f"the inbox {self._path}")
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((new, stored))
        if not self._committing:
            self._commit()
        return await stored

    def _commit(self) -> None:
        """Begin to store messages that wait."""
        batch, self._waiting = self._waiting[:_STORED_AT_ONCE], self._waiting[_STORED_AT_ONCE:]
        committed = self._run(partial(self._insert, [new for new, _ in batch]))
        self._committing = True
        committed.add_done_callback(partial(self._committed, batch))

    def _committed(
        self, batch: list[tuple[Incoming, asyncio.Future[bool]]], committed: asyncio.Future[list[bool]]
    ) -> None:
        """Tell those who wait for their messages to be stored, and those who wait for messages."""
        self._committing = False
        if self._waiting:
            self._commit()
        error = committed.exception()
        outcomes = [False] * len(batch) if error is not None else committed.result()
        for (new, stored), outcome in zip(batch, outcomes, strict=True):
            if outcome:
                self._followers.wake([new.message.request_id])
            if stored.done():  # Cancelled.
                continue
            if error is not None:
                stored.set_exception(copy.copy(error))
            else:
                stored.set_result(outcome)

    async def _page(self, wanted: Wanted, last: Received | None) -> list[Received]:
        return await self._run(partial(self._select, wanted, last))

    async def _remove(self, before: datetime) -> int:
        removed = 0
        while True:  # In steps, for messages are stored in between.
            step = await self._run(
                lambda: self._connection.execute(_REMOVE, (_written(before), _REMOVED_AT_ONCE)).rowcount
            )
            removed += step
            if step < _REMOVED_AT_ONCE:
                return removed

    async def _watch(self) -> None:
        """Wake those who follow what other processes store."""
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                self._followers.wake(await self._run(self._stored_elsewhere))
            except InboxUnavailable:
                self._followers.wake_all()  # They look, and meet the error.

    # On the thread

    def _explained(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0)
            fault = _FAULTS.get(code) or _FAULTS.get(code & 0xFF, str(error))
            raise InboxUnavailable(f"the inbox {self._path} failed: {fault}") from error

    def _connect(self) -> None:
        is_new = not os.path.exists(self._path)  # noqa: PTH110 - Path's raises where the folder is closed to us
        connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)
        self._connection = self._resources.enter_context(closing(connection))
        application, version, tables = self._connection.execute(_WHOSE).fetchone()
        if application != _APPLICATION and (application or tables):
            raise InboxUnavailable(f"the inbox {self._path} failed: {_FAULTS[sqlite3.SQLITE_NOTADB]}")
        if version > _VERSION:
            raise InboxUnavailable(f"the inbox {self._path} was made by a newer release of thingspace_async: use that")
        if is_new:
            with suppress(OSError):  # Not all file systems have modes.
                self._path.chmod(0o600)  # Before there are files beside it, which get the same.
        (mode,) = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise InboxUnavailable(f"the inbox {self._path} is on no local disk: put it on one, or use MemoryInbox")
        self._file = self._path.stat()
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA fullfsync = ON")  # Without it macOS does not flush the disk's own memory.
        with self._transaction():
            if not self._connection.execute(_WHOSE).fetchone()[0]:
                for statement in _SCHEMA:
                    self._connection.execute(statement)
        (self._seen,) = self._connection.execute(_NEWEST).fetchone()
        self._seen_version = -1  # None that there is: the first look is a thorough one.

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if not self._is_in_place():  # SQLite would write to a file that nobody opens any more.
            raise InboxUnavailable(
                f"the inbox {self._path} was moved or removed while it was open: put it back, or restart the program"
            )
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), self._file)
        except OSError:
            return False

    def _json(self, query: str, parameters: Any = ()) -> Any:
        """Return what a query answers in one row as JSON."""
        (text,) = self._connection.execute(query, parameters).fetchone()
        return orjson.loads(text)

    def _insert(self, batch: list[Incoming]) -> list[bool]:
        """Store messages in one transaction, and say of each whether it was new."""
        outcomes, rows = [], []
        with self._transaction():
            known = self._json(_LATEST, (_text([new.digest for new in batch]),))
            latest = {digest: datetime.fromisoformat(when) for digest, when in known.items()}
            for new in batch:
                outcomes.append(not new.repeats(latest.get(new.digest)))
                if outcomes[-1]:
                    latest[new.digest] = new.received_at
                    row = (new.message.request_id, new.service, _written(new.received_at), new.digest)
                    rows.append((*row, new.body.decode()))
            self._connection.execute(_INSERT, (_text(rows),))
        return outcomes

    def _write(self, statement: str, *values: str) -> None:
        with self._transaction():
            self._connection.execute(statement, values)

    def _select(self, wanted: Wanted, last: Received | None) -> list[Received]:
        since = "" if wanted.since is None else _written(wanted.since)
        values = {
            "request_id": wanted.request_id,
            "service": wanted.service,
            "since": since,
            "from": since if last is None else _written(last.received_at),
            "number": 0 if last is None else last.number,
            "until": "~" if wanted.until is None else _written(wanted.until),  # Behind all digits.
            "page": PAGE,
        }
        query = _PAGE_OF_ALL if wanted.service is None else _PAGE_OF_SERVICE
        rows = self._json(query if wanted.request_id is None else _PAGE_OF_REQUEST, values)
        return [
            Received(
                message=parse(body, service=service),
                service=service,
                received_at=datetime.fromisoformat(received_at),
                number=number,
            )
            for number, service, received_at, body in rows
        ]

    def _stored_elsewhere(self) -> list[str | None]:
        """Return the requests of what other processes have stored since the last look, and maybe more of them."""
        (newest,) = self._connection.execute(_NEWEST).fetchone()
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()  # Of other connections' changes alone.
        if version == self._seen_version:
            self._seen = newest
            return []
        newer = self._json(_NEWER, (self._seen,))
        self._seen_version = version
        self._seen = max((number for number, _ in newer), default=self._seen)
        return [request_id for _, request_id in newer]


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def _written(when: datetime) -> str:
    """Write a time so that texts are in the order of times."""
    return when.astimezone(UTC).isoformat(timespec="microseconds")
