"""Messages between two processes through PostgreSQL (see `benchmarks._between`), and claims of devices.

PostgreSQL flushes each transaction to the disk, as for users.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

from benchmarks._between import Size, rows, work
from benchmarks._measure import Bar, Row
from tests.postgres.servers import PostgresServer, missing
from thingspace_async._core.ledger import Item, Place, WorkerState

if TYPE_CHECKING:
    from thingspace_async.postgres import PostgresInbox

__all__ = ["run"]

_DEVICES: Final = 100_000
_AT_ONCE: Final = 1000
_IN_BATCH: Final = 10_000


def run() -> list[Row]:
    """Measure, if a PostgreSQL server is installed."""
    if missing is not None:
        print(f"postgres_inbox: {missing}, so nothing was measured")
        return []
    with _started() as url:
        rate, size = asyncio.run(_claim(url))
    what = f"claimed in PostgreSQL, {_AT_ONCE:,} at once, two identifiers each"
    return [
        *rows("PostgreSQL", "benchmarks.postgres_inbox", _started, size="space in PostgreSQL"),
        Row(what=f"devices {what}", values=[rate], unit="devices/s", bar=Bar(20_000, at_least=True)),
        Row(what=f"space for a device {what}", values=[size], unit="B"),
    ]


@contextmanager
def _started() -> Iterator[str]:
    with PostgresServer(durable=True) as server:
        yield server.url


@asynccontextmanager
async def _opened(url: str) -> AsyncGenerator[tuple[PostgresInbox, Size]]:
    from thingspace_async.postgres import PostgresInbox

    async with PostgresInbox(url) as inbox:
        yield inbox, lambda: _size(url, "message")


async def _size(url: str, *tables: str) -> int:
    import asyncpg

    connection = await asyncpg.connect(url)
    names = [f"thingspace.{table}" for table in tables]
    query = "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest($1::text[]) AS given (name)"
    size = await connection.fetchval(query, names)
    await connection.close()
    return int(size)


def _item(number: int) -> Item:
    one, two = (hash((number, kind)) for kind in range(2))
    row = b'[null,"iccid","8914800000%010d","imei","86100000%07d"]' % (number, number)
    return Item(whole=hash((one, two)), keys=(one, two), row=row)


async def _claim(url: str) -> tuple[float, float]:
    """Claim devices; return the devices per second, and the bytes per device."""
    from thingspace_async.postgres import PostgresInbox

    async with PostgresInbox(url) as inbox:
        place = Place("run", "worker")
        await inbox.ledger.lease(place, description="", state=WorkerState.WORKING, seconds=60)
        began = time.monotonic()
        for start in range(0, _DEVICES, _AT_ONCE):
            items = [_item(number) for number in range(start, start + _AT_ONCE)]
            batch, size = f"batch {start // _IN_BATCH}", start % _IN_BATCH
            await inbox.ledger.claim(place, batch, items, size=size, most=_IN_BATCH, seconds=60)
        rate = _DEVICES / (time.monotonic() - began)
    return rate, await _size(url, "claim", "batch", "batch_rows") / _DEVICES


if __name__ == "__main__":
    work(_opened)
