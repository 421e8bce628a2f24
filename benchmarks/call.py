"""Sequential calls: CPU time of reading an account as a model, compared to bare aiohttp and orjson."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from benchmarks._clients import Call, sides
from benchmarks._measure import Bar, Row, async_pairs, row
from benchmarks._server import running

__all__ = ["run"]

_CALLS = 200
_PAIRS = 40


def run() -> list[Row]:
    """Measure blocks of calls that take turns."""
    return asyncio.run(_run())


async def _run() -> list[Row]:
    with running() as server:
        async with sides(server) as reads:
            ours, bare, typed = (partial(_block, call) for call in (reads.ours, reads.bare, reads.typed))
            for block in (ours, bare, typed):
                await block()
            whole = await async_pairs(ours, bare, count=_PAIRS, clock=time.process_time)
            layer = await async_pairs(ours, typed, count=_PAIRS, clock=time.process_time)
    return [
        row("one call, CPU / aiohttp and orjson", whole, per=_CALLS, bar=Bar(1.2)),
        row("  / aiohttp and our codec", layer, per=_CALLS),
    ]


async def _block(call: Call) -> None:
    for _ in range(_CALLS):
        await call()
