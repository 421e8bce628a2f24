"""An inbox in one SQLite file.

The inbox has one thread, and only that thread uses the file. While it commits, new messages queue. The next transaction
stores them all, with one flush to the disk.

Statements pass many rows as one JSON string, in both directions. The module sqlite3 releases the interpreter's lock at
each row and each statement, and may wait 5 ms to get it back if the event loop is busy. Row by row, a hundred messages
would take half a second.
"""

from __future__ import annotations

import asyncio
import copy
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from thingspace_async._core.ledgers.sqlite import SCHEMA, SqliteLedger
from thingspace_async._core.types import Secret
from thingspace_async.callbacks.inbox import PAGE, BaseInbox, MessageQuery, Received, not_open, stored_message
from thingspace_async.callbacks.incoming import Incoming, Waiting, next_batch, now
from thingspace_async.errors import InboxUnavailable, InboxUnusable

__all__ = ["SqliteInbox"]

T = TypeVar("T")

_APPLICATION: Final = 0x7468_7370  # "thsp"

_VERSION_1: Final = (
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
)
_VERSION_2: Final = (*SCHEMA, "CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
_VERSIONS: Final = (_VERSION_1, _VERSION_2)
"""By version, the statements that upgrade the file from the version before."""

_KEEP_FIRST: Final = "INSERT OR IGNORE INTO kept VALUES (?, ?)"
_ALL_KEPT: Final = "SELECT json_group_object(name, value) FROM kept"

_HEADER: Final = """
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

_NEWEST: Final = "SELECT ifnull(max(number), 0) FROM message"
_NEWER: Final = "SELECT json_group_array(json_array(number, request_id)) FROM message WHERE number > ?"

_STORED_AT_ONCE: Final = 256
"""Messages per transaction."""

_BUSY_TIMEOUT: Final = 5.0
"""Seconds to wait while another process is writing."""

_BUSY_PAUSE: Final = 0.01
"""Seconds between attempts where SQLite itself does not wait."""

_CACHE: Final = -65536
"""Size of the page cache: a negative number means kibibytes. Claims of fleet runs are spread over the whole file."""

_LOG_PAGES: Final = 4000
"""Pages of 4 KiB in the -wal file before they are copied into the file. Claims change many pages again and again."""

_INTERVAL: Final = 0.5
"""Seconds between checks for messages that other processes stored."""

_NO_SPACE: Final = "its disk is full: free some space"

_FAULTS: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_BUSY: f"another process has kept it locked for {_BUSY_TIMEOUT:g} seconds: stop it, or try again",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: its folder must exist, and this user must be allowed to write to it",
    sqlite3.SQLITE_CORRUPT: "it is damaged: move it elsewhere, and try to recover it with `sqlite3 FILE .recover`",
    sqlite3.SQLITE_FULL: _NO_SPACE,
    sqlite3.SQLITE_IOERR: "its disk cannot be read or written: check the system log for errors of the disk",
    sqlite3.SQLITE_IOERR_SHMSIZE: _NO_SPACE,  # For the -shm file.
    sqlite3.SQLITE_IOERR_SHORT_READ: "it, or its -wal or -shm file, was removed while programs had it open: stop "
    "them all, then start them again",
    sqlite3.SQLITE_NOTADB: "it is another program's file: choose another path",
    sqlite3.SQLITE_READONLY: "it cannot be written: this user must be allowed to write to it and to its folder",
}

_PERMANENT: Final = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_READONLY,
    }
)
"""Errors that last until someone repairs the file."""


class SqliteInbox(BaseInbox):
    """An inbox in one SQLite file. Opening it creates the file if it is missing, readable only by its owner.

        async with SqliteInbox("messages.db") as inbox:
            async for received in inbox.read(service="CarrierService"):
                print(received.message.request_id, received.message.status)

    Once `store` or a method of the ledger returns, its data survives the process, even if it ends by SIGKILL. It also
    survives a power cut or a system crash if the disk keeps the data that it reports as written: each transaction is
    flushed to the disk (SQLite's write-ahead log, synchronous=FULL).

    Several processes on one machine may open one file, for example a receiver and the application that follows a
    request. A follower gets the messages of its own process at once, and those of other processes within half a second.
    The file does not shrink: pruning frees space for new messages. While it is open there are two more files with the
    suffixes -wal and -shm. They belong to it, also after a crash. Network file systems do not work.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self._path: Final = Path(path).absolute()
        self._thread: ThreadPoolExecutor | None = None
        self._watching: asyncio.Task[None] | None = None
        self._waiting: Waiting = deque()
        self._committing = False
        self._ledger = SqliteLedger(self._transact, lambda: self._connection)
        # Only the thread uses the attributes below.
        self._resources: Final = ExitStack()
        self._connection: sqlite3.Connection
        self._files: dict[Path, os.stat_result]
        """The file and its -wal and -shm files, as they were when it was opened."""
        self._seen = 0
        """The highest number of the messages that followers were woken for."""
        self._seen_version = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._path)!r})"

    @property
    def is_open(self) -> bool:
        """Whether messages can be stored and read."""
        return self._thread is not None

    @property
    def ledger(self) -> SqliteLedger:
        """The state of fleet runs."""
        return self._ledger

    async def open(self) -> None:
        """Open the file, and create it if it is missing."""
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
        """Finish storing, close the file and end the thread. Followers get InboxUnavailable."""
        if self._thread is None:
            return
        while self._commit():
            pass
        disconnected, thread = self._run(self._resources.close), self._thread
        self._thread = None
        thread.shutdown(wait=False)  # It finishes its work and ends, even if this call is cancelled.
        self._followers.wake_all()
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        await disconnected
        thread.shutdown()

    async def keep_first(self, name: str, value: Secret) -> Secret:
        """Store a value unless there is one; see `Inbox.keep_first`."""
        await self._run(lambda: self._write(_KEEP_FIRST, name, value.reveal()))
        return (await self.kept())[name]

    async def kept(self) -> dict[str, Secret]:
        """Return all values that `keep_first` has stored, by name."""
        return await self._run(lambda: {name: Secret(value) for name, value in self._json(_ALL_KEPT).items()})

    # On the event loop

    async def _transact(self, work: Callable[[], T]) -> T:
        """Run work on the thread in one transaction."""

        def work_in_transaction() -> T:
            with self._transaction():
                return work()

        return await self._run(work_in_transaction)

    def _run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run work on the thread, in the order of the calls."""
        if self._thread is None:
            raise not_open(f"the inbox {self._path}")
        return asyncio.get_running_loop().run_in_executor(self._thread, self._with_explained_errors, work)

    async def _keep(self, new: Incoming) -> bool:
        if self._thread is None:
            raise not_open(f"the inbox {self._path}")
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((new, stored))
        if not self._committing:
            self._commit()
        return await stored

    def _commit(self) -> bool:
        """Start storing queued messages. Return whether there were any."""
        batch = next_batch(self._waiting, _STORED_AT_ONCE)
        if batch:
            committed = self._run(partial(self._insert, [new for new, _ in batch]))
            self._committing = True
            committed.add_done_callback(partial(self._committed, batch))
        return bool(batch)

    def _committed(
        self, batch: list[tuple[Incoming, asyncio.Future[bool]]], committed: asyncio.Future[list[bool]]
    ) -> None:
        """Return the results to the callers of `store`, and wake followers."""
        self._committing = False
        self._commit()
        error = committed.exception()
        outcomes = [False] * len(batch) if error is not None else committed.result()
        for (new, stored), outcome in zip(batch, outcomes, strict=True):
            if outcome:
                self._followers.wake([new.request_id])
            if stored.done():  # Its caller was cancelled.
                continue
            if error is not None:
                stored.set_exception(copy.copy(error))
            else:
                stored.set_result(outcome)

    async def _page(self, query: MessageQuery, last: Received | None) -> list[Received]:
        return await self._run(partial(self._select, query, last))

    async def _remove(self, older_than: timedelta) -> int:
        removed, before = 0, _written(now() - older_than)
        while True:  # In steps, so that messages can be stored in between.
            step = await self._run(lambda: self._write(_REMOVE, before, _REMOVED_AT_ONCE))
            removed += step
            if step < _REMOVED_AT_ONCE:
                return removed

    async def _watch(self) -> None:
        """Wake followers when other processes store messages."""
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                self._followers.wake(await self._run(self._stored_elsewhere))
            except InboxUnavailable:
                self._followers.wake_all()  # They read, and get the error.

    # On the thread

    def _with_explained_errors(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            self._check_place()  # If files are gone, SQLite's error would mislead.
            code = getattr(error, "sqlite_errorcode", 0)
            fault = _FAULTS.get(code) or _FAULTS.get(code & 0xFF, str(error))
            kind = InboxUnusable if not _PERMANENT.isdisjoint((code, code & 0xFF)) else InboxUnavailable
            raise kind(f"the inbox {self._path} failed: {fault}") from error

    def _connect(self) -> None:
        self._files = {}
        place = os.path.realpath(self._path)  # If it is a link, the -wal and -shm files are next to its target.
        _create(place)
        connection = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT, isolation_level=None)
        self._connection = self._resources.enter_context(closing(connection))
        application, version, tables = self._connection.execute(_HEADER).fetchone()
        if application != _APPLICATION and (application or tables):
            raise InboxUnusable(f"the inbox {self._path} failed: {_FAULTS[sqlite3.SQLITE_NOTADB]}")
        if version > len(_VERSIONS):
            raise InboxUnusable(
                f"the inbox {self._path} was written by a newer release of thingspace_async: use that release"
            )
        if self._set_wal() != "wal":
            raise InboxUnusable(f"the inbox {self._path} is not on a local disk: move it to one")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA fullfsync = ON")  # Without it, macOS does not flush the disk's own cache.
        self._connection.execute(f"PRAGMA cache_size = {_CACHE}")
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        with self._transaction():
            _, version, _ = self._connection.execute(_HEADER).fetchone()
            for number in range(version, len(_VERSIONS)):
                for statement in (*_VERSIONS[number], f"PRAGMA user_version = {number + 1}"):
                    self._connection.execute(statement)
        for path in (self._path, Path(f"{place}-wal"), Path(f"{place}-shm")):
            self._files[path] = path.stat()
        (self._seen,) = self._connection.execute(_NEWEST).fetchone()
        self._seen_version = -1  # Differs from every real version, so that the first check reads the messages.

    def _set_wal(self) -> str:
        """Turn on the write-ahead log, and return the file's mode.

        SQLite fails at once if another process is opening the new file too, because both could wait for each other.
        """
        limit = time.monotonic() + _BUSY_TIMEOUT
        while True:
            try:
                (mode,) = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > limit:
                    raise
                time.sleep(_BUSY_PAUSE)
            else:
                return str(mode)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._check_place()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _check_place(self) -> None:
        """Raise InboxUnusable if a file is gone: SQLite would keep writing where no other process can read."""
        if gone := [path for path, opened in self._files.items() if not _is_same(path, opened)]:
            if self._path in gone:
                raise InboxUnusable(
                    f"the inbox {self._path} was moved or removed while it was open: put it back, or restart the "
                    "program"
                )
            with suppress(sqlite3.Error):  # Acknowledged messages may be in the removed log: copy them to the file.
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            raise InboxUnusable(
                f"{gone[0]} was removed while the inbox {self._path} was open: stop all programs that have it open, "
                "then start them again"
            )

    def _json(self, query: str, parameters: Any = ()) -> Any:
        """Return the result of a query whose one row is a JSON string."""
        (text,) = self._connection.execute(query, parameters).fetchone()
        return orjson.loads(text)

    def _insert(self, batch: list[Incoming]) -> list[bool]:
        """Store messages in one transaction. Return for each whether it was new."""
        outcomes, rows = [], []
        with self._transaction():
            received_at = now()
            known = self._json(_LATEST, (_text([new.digest for new in batch]),))
            latest = {digest: datetime.fromisoformat(when) for digest, when in known.items()}
            for new in batch:
                outcomes.append(not new.repeats(latest.get(new.digest), received_at))
                if outcomes[-1]:
                    latest[new.digest] = received_at
                    row = (new.request_id, new.service, _written(received_at), new.digest)
                    rows.append((*row, new.body.decode()))
            self._connection.execute(_INSERT, (_text(rows),))
        return outcomes

    def _write(self, statement: str, *values: str | int) -> int:
        """Run a statement, and return the number of rows that it changed."""
        with self._transaction():
            return self._connection.execute(statement, values).rowcount

    def _select(self, query: MessageQuery, last: Received | None) -> list[Received]:
        since = "" if query.since is None else _written(query.since)
        values = {
            "request_id": query.request_id,
            "service": query.service,
            "since": since,
            "from": since if last is None else _written(last.received_at),
            "number": 0 if last is None else last.number,
            "until": "~" if query.until is None else _written(query.until),  # Sorts after all digits.
            "page": PAGE,
        }
        statement = _PAGE_OF_ALL if query.service is None else _PAGE_OF_SERVICE
        rows = self._json(statement if query.request_id is None else _PAGE_OF_REQUEST, values)
        return [
            stored_message(number, service, datetime.fromisoformat(received_at), body)
            for number, service, received_at, body in rows
        ]

    def _stored_elsewhere(self) -> list[str | None]:
        """Return the request ids of messages that other processes stored since the last check. May return more."""
        (newest,) = self._connection.execute(_NEWEST).fetchone()
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()  # Counts changes by other connections.
        if version == self._seen_version:
            self._seen = newest
            return []
        newer = self._json(_NEWER, (self._seen,))
        self._seen_version = version
        self._seen = max((number for number, _ in newer), default=self._seen)
        return [request_id for _, request_id in newer]


_making: Final = threading.Lock()
"""Held while a file is created: closing it would release all locks that this process has on it."""


def _create(path: str) -> None:
    """Create the file if it is missing, readable only by its owner from the start.

    SQLite gives the -wal and -shm files the same mode. If the file cannot be created, SQLite reports why on opening it.
    """
    with _making, suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _is_same(path: Path, opened: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), opened)
    except OSError:
        return False


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def _written(when: datetime) -> str:
    """Format a time so that strings sort in the order of times."""
    return when.astimezone(UTC).isoformat(timespec="microseconds")
