"""Fleet runs in a SQLite file.

Statements pass rows as one JSON string, in both directions: see `callbacks.sqlite_inbox`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import attrs
import orjson

from thingspace_async._core.ledger import BatchRecord, BatchState, WorkerState, earlier_format
from thingspace_async._core.ledgers.local import KeptRun, Lease, LocalLedger

__all__ = ["SCHEMA", "SqliteLedger"]

T = TypeVar("T")

SCHEMA: Final = (
    """
    CREATE TABLE run (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        id TEXT NOT NULL,
        description TEXT NOT NULL,
        counter INTEGER NOT NULL,
        workers TEXT NOT NULL,
        forgetting INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE batch (
        run INTEGER NOT NULL,
        key TEXT NOT NULL,
        worker TEXT NOT NULL,
        fence INTEGER NOT NULL,
        state TEXT NOT NULL,
        detail TEXT NOT NULL,
        size INTEGER NOT NULL,
        changed_at TEXT NOT NULL,
        PRIMARY KEY (run, key)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX batch_of_worker ON batch (run, worker, key)",
    # The devices that one claim added to a batch, and the size of the batch before. Other changes do not rewrite them.
    """
    CREATE TABLE share (
        run INTEGER NOT NULL,
        batch TEXT NOT NULL,
        size INTEGER NOT NULL,
        answer TEXT NOT NULL,
        rows TEXT NOT NULL,
        PRIMARY KEY (run, batch, size)
    )
    """,
    "CREATE TABLE claim (run INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (run, key)) WITHOUT ROWID",
)

_RUN: Final = "SELECT number, id, description, counter, workers, forgetting FROM run WHERE name = ?"
_RUNS: Final = "SELECT json_group_array(json_array(name, description)) FROM (SELECT * FROM run ORDER BY name)"
_MAKE: Final = "INSERT INTO run (name, id, description, counter, workers, forgetting) VALUES (?, ?, ?, 0, '{}', 0)"
_SAVE: Final = "UPDATE run SET counter = ?, workers = ?, forgetting = ? WHERE number = ?"
_IS_EARLIER: Final = "SELECT EXISTS (SELECT 1 FROM entry WHERE run = ?)"
_FORGET_EARLIER: Final = "DELETE FROM entry WHERE run = ?"

_BATCHES: Final = """
    SELECT json_group_array(json_array(key, worker, fence, state, detail, size, changed_at)) FROM (
        SELECT * FROM batch WHERE run = :run AND {chosen} ORDER BY key LIMIT :limit
    )
"""
_BATCH: Final = _BATCHES.format(chosen="key = :key")
_ALL_BATCHES: Final = _BATCHES.format(chosen="key > :after")
_BATCHES_OF_WORKER: Final = _BATCHES.format(chosen="worker = :worker AND key > :after")
_PUT: Final = """
    INSERT OR REPLACE INTO batch (run, key, worker, fence, state, detail, size, changed_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_ROWS: Final = """
    SELECT group_concat(rows, char(10)) FROM (SELECT rows FROM share WHERE run = ? AND batch = ? ORDER BY size)
"""
_ANSWER: Final = "SELECT answer FROM share WHERE run = ? AND batch = ? ORDER BY size DESC LIMIT 1"
_ADD_SHARE: Final = "INSERT INTO share (run, batch, size, answer, rows) VALUES (?, ?, ?, ?, ?)"
_REMOVE_SHARES: Final = "DELETE FROM share WHERE run = ? AND batch = ?"
_REMOVE_BATCH: Final = "DELETE FROM batch WHERE run = ? AND key = ?"

_CLAIMED: Final = """
    SELECT json_group_array(key) FROM claim WHERE run = ? AND key IN (SELECT value FROM json_each(?))
"""
_CLAIM: Final = "INSERT OR IGNORE INTO claim (run, key) SELECT ?, value FROM json_each(?) ORDER BY value"
_UNCLAIM: Final = "DELETE FROM claim WHERE run = ? AND key IN (SELECT value FROM json_each(?))"

_REMOVE_SOME: Final = (
    "DELETE FROM claim WHERE run = :run AND key IN (SELECT key FROM claim WHERE run = :run LIMIT :some)",
    "DELETE FROM share WHERE rowid IN (SELECT rowid FROM share WHERE run = :run LIMIT :few)",
    "DELETE FROM batch WHERE run = :run AND key IN (SELECT key FROM batch WHERE run = :run LIMIT :some)",
)
_REMOVE_RUN: Final = "DELETE FROM run WHERE number = ?"
_SOME: Final = 20_000
"""Claims or batches that one transaction removes: others wait for it to end."""
_FEW: Final = 200
"""Shares that one transaction removes: they are longer."""


@attrs.define(kw_only=True)
class _SqliteRun(KeptRun):
    """A run in the file. It is used during one transaction only."""

    connection: sqlite3.Connection
    number: int

    def save(self) -> None:
        """Store the fields of the run."""
        workers = {name: [one.state, one.until, one.seconds] for name, one in self.workers.items()}
        self._do(_SAVE, self.counter, _text(workers), self.forgetting, self.number)

    def batch(self, key: str, *, rows: bool = False) -> BatchRecord | None:
        """Return a batch, with or without its rows."""
        found = self._listed(_BATCH, key=key, limit=1)
        if not found or not rows:
            return found[0] if found else None
        (text,) = self._do(_ROWS, self.number, key).fetchone()
        return attrs.evolve(found[0], rows=text.encode())

    def batches(self, worker: str | None, after: str, limit: int) -> list[BatchRecord]:
        """List batches by key, without rows."""
        query = _ALL_BATCHES if worker is None else _BATCHES_OF_WORKER
        return self._listed(query, worker=worker, after=after, limit=limit)

    def answer(self, key: str) -> str:
        """Return the answer to the last claim for a batch."""
        (answer,) = self._do(_ANSWER, self.number, key).fetchone()
        return str(answer)

    def add_rows(self, record: BatchRecord, answer: str) -> None:
        """Add rows to a batch, which is created if it is missing, and store the answer to the claim."""
        rows = record.rows or b""
        self.put(attrs.evolve(record, rows=None))
        self._do(_ADD_SHARE, self.number, record.key, record.size, answer, rows.decode())

    def put(self, record: BatchRecord) -> None:
        """Create or replace a batch. If the record has no rows, the batch keeps its rows."""
        written = record.changed_at.astimezone(UTC).isoformat(timespec="microseconds")
        about = (record.worker, record.fence, record.state, record.detail, record.size, written)
        self._do(_PUT, self.number, record.key, *about)
        if record.rows is not None:
            self._do(_REMOVE_SHARES, self.number, record.key)
            self._do(_ADD_SHARE, self.number, record.key, record.size, "", record.rows.decode())

    def remove(self, key: str) -> None:
        """Remove a batch."""
        self._do(_REMOVE_SHARES, self.number, key)
        self._do(_REMOVE_BATCH, self.number, key)

    def claimed(self, keys: Iterable[int]) -> Iterable[int]:
        """Return the keys that are claimed."""
        (found,) = self._do(_CLAIMED, self.number, _text(list(keys))).fetchone()
        claimed: list[int] = orjson.loads(found)
        return claimed

    def claim(self, keys: Iterable[int]) -> None:
        """Mark keys as claimed."""
        self._do(_CLAIM, self.number, _text(list(keys)))

    def unclaim(self, keys: Iterable[int]) -> None:
        """Remove the claims of keys."""
        self._do(_UNCLAIM, self.number, _text(list(keys)))

    def remove_part(self) -> bool:
        """Remove a part of the run. Return whether it was the last part."""
        for statement in _REMOVE_SOME:
            if self.connection.execute(statement, {"run": self.number, "some": _SOME, "few": _FEW}).rowcount:
                return False
        self._do(_REMOVE_RUN, self.number)
        return True

    def _do(self, statement: str, *values: str | int) -> sqlite3.Cursor:
        return self.connection.execute(statement, values)

    def _listed(self, query: str, **values: str | int | None) -> list[BatchRecord]:
        (found,) = self.connection.execute(query, {"run": self.number, **values}).fetchone()
        return [
            BatchRecord(
                key=key,
                worker=worker,
                fence=fence,
                state=BatchState(state),
                detail=detail,
                size=size,
                changed_at=datetime.fromisoformat(changed_at),
            )
            for key, worker, fence, state, detail, size, changed_at in orjson.loads(found)
        ]


class SqliteLedger(LocalLedger):
    """Fleet runs in a SQLite file. Several processes on one machine may divide a run."""

    def __init__(
        self, transact: Callable[[Callable[[], Any]], Awaitable[Any]], connection: Callable[[], sqlite3.Connection]
    ) -> None:
        self._transact = transact
        """Runs work in one transaction on the inbox's thread."""
        self._connection = connection

    async def _in_transaction(self, work: Callable[[], T]) -> T:
        done: T = await self._transact(work)
        return done

    def _find(self, name: str) -> _SqliteRun | None:
        connection = self._connection()
        found = connection.execute(_RUN, (name,)).fetchone()
        if found is None:
            if connection.execute(_IS_EARLIER, (name,)).fetchone()[0]:
                raise earlier_format(name)
            return None
        number, identifier, description, counter, workers, forgetting = found
        return _SqliteRun(
            connection=connection,
            number=number,
            name=name,
            id=identifier,
            description=description,
            counter=counter,
            workers={
                worker: Lease(WorkerState(state), until, seconds)
                for worker, (state, until, seconds) in orjson.loads(workers).items()
            },
            forgetting=bool(forgetting),
        )

    def _make(self, name: str, identifier: str, description: str) -> _SqliteRun:
        connection = self._connection()
        number = connection.execute(_MAKE, (name, identifier, description)).lastrowid or 0
        return _SqliteRun(connection=connection, number=number, name=name, id=identifier, description=description)

    def _runs(self) -> list[tuple[str, str]]:
        (found,) = self._connection().execute(_RUNS).fetchone()
        return [(name, description) for name, description in orjson.loads(found)]

    async def forget(self, run: str) -> None:
        """Remove a run, including its data in the format of earlier versions; see `LedgerStore.forget`."""
        await self._in_transaction(lambda: self._connection().execute(_FORGET_EARLIER, (run,)))
        await super().forget(run)


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
