"""Fleet runs in PostgreSQL.

Each method is one transaction. It first adds one to the counter of the run, which locks the row until the end. So only
one worker at a time changes a run.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import attrs

from thingspace_async._core.ledger import (
    BatchRecord,
    BatchState,
    Claim,
    Item,
    Joined,
    Place,
    Worker,
    WorkerState,
    decide_claims,
    run_in_progress,
    run_lost,
)
from thingspace_async._core.ledgers.local import keys_of
from thingspace_async.postgres._server import Connection, Server, text_of

__all__ = ["PostgresLedger"]

_REMOVED_AT_ONCE: Final = 10_000

_JOIN: Final = """
INSERT INTO {schema}.run AS own (inbox, name, id, description, counter) VALUES ($1, $2, $3, $4, 1)
ON CONFLICT (inbox, name) DO UPDATE SET counter = own.counter + 1
RETURNING number, id, description, counter
"""
_COUNT: Final = """
UPDATE {schema}.run SET counter = counter + 1 WHERE inbox = $1 AND name = $2 AND id = $3 AND counter >= $4
RETURNING number, id, description, counter
"""
_RESTORE: Final = """
INSERT INTO {schema}.run AS own (inbox, name, id, description, counter) VALUES ($1, $2, $3, $4, $5::bigint + 1)
ON CONFLICT (inbox, name) DO UPDATE SET counter = greatest(own.counter, $5::bigint) + 1
RETURNING number, id, description, counter
"""
_LOOK: Final = "SELECT number, id, description, counter FROM {schema}.run WHERE inbox = $1 AND name = $2"

_ALIVE: Final = "(until > clock_timestamp() AND until <= clock_timestamp() + lease)"
"""The second condition is for a failover to a server whose clock is far behind: without it, dead workers would count as
alive for days."""

_WORKERS: Final = f"""
SELECT name, state, {_ALIVE} AS alive, clock_timestamp() AS now FROM {{schema}}.worker WHERE run = $1 ORDER BY place
"""
_CLEAR_WORKERS: Final = f"""
DELETE FROM {{schema}}.worker WHERE run = $1
AND NOT EXISTS (SELECT FROM {{schema}}.worker WHERE run = $1 AND (name = $2 OR {_ALIVE}))
"""
_LEASE: Final = """
INSERT INTO {schema}.worker (run, name, state, until, lease)
VALUES ($1, $2, $3, clock_timestamp() + $4::interval, $4)
ON CONFLICT (run, name) DO UPDATE SET state = excluded.state, until = excluded.until, lease = excluded.lease
"""

_BATCH_FIELDS: Final = "key, worker, fence, state, detail, size, changed_at"
_BATCH: Final = f"SELECT {_BATCH_FIELDS}, answer FROM {{schema}}.batch WHERE run = $1 AND key = $2"
_BATCHES: Final = f"""
SELECT {_BATCH_FIELDS} FROM {{schema}}.batch
WHERE run = $1 AND key > $2 AND ($3::text IS NULL OR worker = $3) ORDER BY key LIMIT $4
"""
_WHOLE_BATCH: Final = f"""
SELECT {_BATCH_FIELDS}, (
    SELECT string_agg(rows, '\\x0a'::bytea ORDER BY part) FROM {{schema}}.batch_rows WHERE run = $1 AND batch = $2
) AS rows
FROM {{schema}}.batch WHERE run = $1 AND key = $2
"""
_ADD_ROWS: Final = "INSERT INTO {schema}.batch_rows (run, batch, part, rows) VALUES ($1, $2, $3, $4)"
_REMOVE_ROWS: Final = "DELETE FROM {schema}.batch_rows WHERE run = $1 AND batch = $2"

_CLAIMED: Final = "SELECT key FROM {schema}.claim WHERE run = $1 AND key = ANY ($2::bigint[])"
_CLAIM: Final = "INSERT INTO {schema}.claim (run, key) SELECT $1, unnest($2::bigint[]) ON CONFLICT DO NOTHING"
_UNCLAIM: Final = "DELETE FROM {schema}.claim WHERE run = $1 AND key = ANY ($2::bigint[])"
_GROW: Final = """
INSERT INTO {schema}.batch (run, key, worker, fence, state, detail, size, changed_at, answer)
VALUES ($1, $2, $3, 1, 'claimed', '', $4, clock_timestamp(), $5)
ON CONFLICT (run, key) DO UPDATE SET size = excluded.size, answer = excluded.answer
"""
_CHANGE: Final = f"""
UPDATE {{schema}}.batch
SET worker = $4, fence = fence + 1, state = $5, detail = $6, changed_at = clock_timestamp()
WHERE run = $1 AND key = $2 AND fence = $3 RETURNING {_BATCH_FIELDS}
"""
_RELEASE: Final = """
DELETE FROM {schema}.batch WHERE run = $1 AND key = $2 AND fence = $3 RETURNING key
"""
_PUT_BACK: Final = """
INSERT INTO {schema}.batch AS own (run, key, worker, fence, state, detail, size, changed_at, answer)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '')
ON CONFLICT (run, key) DO UPDATE SET worker = excluded.worker, fence = excluded.fence, state = excluded.state,
    detail = excluded.detail, size = excluded.size, changed_at = excluded.changed_at
WHERE own.fence < excluded.fence
RETURNING key
"""

_RUNS: Final = "SELECT name, description FROM {schema}.run WHERE inbox = $1 AND name IS NOT NULL ORDER BY name"
_FORGET: Final = "UPDATE {schema}.run SET name = NULL WHERE inbox = $1 AND name = $2 RETURNING number"
_IS_ALIVE: Final = f"SELECT EXISTS (SELECT FROM {{schema}}.worker WHERE run = $1 AND {_ALIVE})"
_FORGOTTEN: Final = "SELECT number FROM {schema}.run WHERE inbox = $1 AND name IS NULL"
_REMOVE_CLAIMS: Final = """
WITH listed AS (SELECT key FROM {schema}.claim WHERE run = $1 LIMIT $2),
removed AS (DELETE FROM {schema}.claim USING listed WHERE run = $1 AND claim.key = listed.key RETURNING 1)
SELECT count(*) FROM removed
"""
_REMOVE_BATCHES: Final = """
WITH listed AS (SELECT batch, part FROM {schema}.batch_rows WHERE run = $1 LIMIT $2),
removed AS (
    DELETE FROM {schema}.batch_rows AS own USING listed
    WHERE run = $1 AND own.batch = listed.batch AND own.part = listed.part RETURNING 1
)
SELECT count(*) FROM removed
"""
_REMOVE_RUN: Final = """
WITH batches AS (DELETE FROM {schema}.batch WHERE run = $1),
workers AS (DELETE FROM {schema}.worker WHERE run = $1)
DELETE FROM {schema}.run WHERE number = $1
"""


class PostgresLedger:
    """Fleet runs in PostgreSQL; see `LedgerStore`."""

    def __init__(self, server: Server, inbox: str) -> None:
        self._server = server
        self._inbox = inbox

    async def lease(self, place: Place, *, description: str, state: WorkerState, seconds: float) -> Joined:
        """Join a run, or renew or end a lease; see `LedgerStore.lease`."""
        new = [] if place.id else [secrets.token_hex(8), text_of(description)]
        async with self._changing(place, _COUNT if place.id else _JOIN, new) as run:
            await run.execute(_CLEAR_WORKERS, place.worker)
            await run.lease(place, state, seconds)
            return await run.joined()

    async def look(self, place: Place) -> Joined | None:
        """Return the answer of `lease` without changing anything; see `LedgerStore.look`."""
        async with self._server.transaction() as connection:
            run = await self._find(connection, place)
            if run is None:
                return None
            joined = await run.joined()
        run.update(place)
        return joined

    async def claim(
        self, place: Place, batch: str, items: Sequence[Item], *, size: int, most: int, seconds: float
    ) -> list[Claim] | None:
        """Claim items for a batch; see `LedgerStore.claim`."""
        async with self._changing(place) as run:
            await run.lease(place, WorkerState.WORKING, seconds)
            kept = await run.fetchrow(_BATCH, batch)
            kept_size = 0 if kept is None else kept["size"]
            if kept is not None and (kept["worker"] != place.worker or kept["state"] != BatchState.CLAIMED):
                return None
            if kept_size < size:
                return None
            if kept is not None and kept_size > size:
                return [Claim(mark) for mark in kept["answer"]]
            claimed = {row["key"] for row in await run.fetch(_CLAIMED, list(keys_of(items)))}
            answers, new = decide_claims(items, claimed, most - size)
            if new:
                await run.execute(_CLAIM, list(keys_of(new)))
                await run.execute(_GROW, batch, place.worker, size + len(new), "".join(answers))
                await run.execute(_ADD_ROWS, batch, size, b"\n".join(item.row for item in new))
            return answers

    async def change(
        self, place: Place, batch: str, *, fence: int, worker: str, state: BatchState, detail: str = ""
    ) -> BatchRecord:
        """Change a batch if it has this fence, and return it; see `LedgerStore.change`."""
        async with self._changing(place) as run:
            row = await run.fetchrow(_CHANGE, batch, fence, worker, state, text_of(detail))
            if row is None:
                row = await run.fetchrow(_BATCH, batch)
                if row is None or row["fence"] < fence:
                    raise run_lost(place.run)
            return _record(row)

    async def release(self, place: Place, batch: str, *, fence: int, keys: Sequence[int]) -> bool:
        """Remove a batch and claims; see `LedgerStore.release`."""
        async with self._changing(place) as run:
            if await run.fetchrow(_RELEASE, batch, fence) is None:
                return await run.fetchrow(_BATCH, batch) is None
            await run.execute(_REMOVE_ROWS, batch)
            await run.execute(_UNCLAIM, list(keys))
            return True

    async def put_back(self, place: Place, record: BatchRecord, *, description: str, keys: Sequence[int]) -> None:
        """Restore a batch that the store may have lost; see `LedgerStore.put_back`."""
        async with self._changing(place, _RESTORE, [place.id, text_of(description), place.counter]) as run:
            await run.execute(_CLAIM, list(keys))
            values = [record.worker, record.fence, record.state, text_of(record.detail), record.size, record.changed_at]
            if await run.fetchrow(_PUT_BACK, record.key, *values) is not None and record.rows is not None:
                await run.execute(_REMOVE_ROWS, record.key)
                await run.execute(_ADD_ROWS, record.key, 0, record.rows)

    async def batches(
        self, place: Place, *, worker: str | None = None, after: str = "", limit: int = 1000
    ) -> list[BatchRecord]:
        """List batches by key, without rows; see `LedgerStore.batches`."""
        async with self._reading(place) as run:
            return [_record(row) for row in await run.fetch(_BATCHES, after, worker, limit)]

    async def batch(self, place: Place, key: str) -> BatchRecord | None:
        """Return a batch with its rows."""
        async with self._reading(place) as run:
            row = await run.fetchrow(_WHOLE_BATCH, key)
        return None if row is None else attrs.evolve(_record(row), rows=row["rows"])

    async def forget(self, run: str) -> None:
        """Remove a run; see `LedgerStore.forget`.

        Its name is free at once. The data is removed in steps. If this call is interrupted, the next one continues.
        """
        async with self._server.transaction() as connection:
            number = await connection.fetchval(self._server.sql(_FORGET), self._inbox, text_of(run))
            if await connection.fetchval(self._server.sql(_IS_ALIVE), number):
                raise run_in_progress(run)
        async with self._server.borrowed() as connection:
            forgotten = await connection.fetch(self._server.sql(_FORGOTTEN), self._inbox)
        for row in forgotten:
            await self._remove(row["number"])

    async def runs(self) -> list[tuple[str, str]]:
        """Return the names and descriptions of all runs, ordered by name."""
        async with self._server.borrowed() as connection:
            rows = await connection.fetch(self._server.sql(_RUNS), self._inbox)
        return [(row["name"], row["description"]) for row in rows]

    async def _remove(self, number: int) -> None:
        for text in (_REMOVE_CLAIMS, _REMOVE_BATCHES):
            step = _REMOVED_AT_ONCE
            while step == _REMOVED_AT_ONCE:
                async with self._server.transaction() as connection:
                    step = await connection.fetchval(self._server.sql(text), number, _REMOVED_AT_ONCE)
        async with self._server.transaction() as connection:
            await connection.execute(self._server.sql(_REMOVE_RUN), number)

    @asynccontextmanager
    async def _changing(self, place: Place, text: str = _COUNT, values: Sequence[object] = ()) -> AsyncGenerator[_Run]:
        """Find a run for a block that changes it in one transaction. Raises RunLost."""
        async with self._server.transaction() as connection:
            values = values or [place.id, place.counter]
            row = await connection.fetchrow(self._server.sql(text), self._inbox, text_of(place.run), *values)
            if row is None:
                raise run_lost(place.run)
            run = _Run(self._server, connection, row)
            yield run
        run.update(place)  # Only after the transaction has succeeded.

    @asynccontextmanager
    async def _reading(self, place: Place) -> AsyncGenerator[_Run]:
        """Find a run for a block that only reads it. Raises RunLost."""
        async with self._server.borrowed() as connection:
            run = await self._find(connection, place)
            if run is None:
                raise run_lost(place.run)
            yield run
        run.update(place)

    async def _find(self, connection: Connection, place: Place) -> _Run | None:
        """Return a run, or None if it does not exist. Raises RunLost if it lost changes that the place has seen."""
        # As they are now: another task of the worker may change the run before the answer arrives.
        identifier, counter = place.id, place.counter
        row = await connection.fetchrow(self._server.sql(_LOOK), self._inbox, text_of(place.run))
        if identifier and (row is None or row["id"] != identifier or row["counter"] < counter):
            raise run_lost(place.run)
        return None if row is None else _Run(self._server, connection, row)


class _Run:
    """A run during a transaction."""

    def __init__(self, server: Server, connection: Connection, row: Any) -> None:
        self._server = server
        self._connection = connection
        self._number = row["number"]
        self._id = row["id"]
        self._description = row["description"]
        self._counter = row["counter"]

    def update(self, place: Place) -> None:
        """Update a worker's place."""
        place.id, place.counter = place.id or self._id, max(place.counter, self._counter)

    async def fetch(self, text: str, *values: object) -> Any:
        """Run a statement whose first parameter is the run, and return rows."""
        return await self._connection.fetch(self._server.sql(text), self._number, *values)

    async def fetchrow(self, text: str, *values: object) -> Any:
        """Run a statement whose first parameter is the run, and return a row or None."""
        return await self._connection.fetchrow(self._server.sql(text), self._number, *values)

    async def execute(self, text: str, *values: object) -> None:
        """Run a statement whose first parameter is the run."""
        await self._connection.execute(self._server.sql(text), self._number, *values)

    async def lease(self, place: Place, state: WorkerState, seconds: float) -> None:
        """Write a worker's lease. A worker that has finished or left gets none."""
        lasts = seconds if state in (WorkerState.JOINING, WorkerState.WORKING) else 0
        await self.execute(_LEASE, place.worker, state, timedelta(seconds=lasts))

    async def joined(self) -> Joined:
        """Return the answer of `lease`."""
        rows = await self.fetch(_WORKERS)
        workers = (Worker(name=row["name"], state=WorkerState(row["state"]), alive=row["alive"]) for row in rows)
        now = rows[0]["now"] if rows else await self._connection.fetchval("SELECT clock_timestamp()")
        return Joined(description=self._description, workers=tuple(workers), now=now)


def _record(row: Any) -> BatchRecord:
    return BatchRecord(
        key=row["key"],
        worker=row["worker"],
        fence=row["fence"],
        state=BatchState(row["state"]),
        detail=row["detail"],
        size=row["size"],
        changed_at=row["changed_at"],
    )
