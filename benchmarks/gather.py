"""1,000 concurrent calls: calls per second, compared to bare aiohttp with the same connection limit."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from statistics import median

from benchmarks._clients import Call, sides
from benchmarks._measure import Bar, Pairs, Row, async_pairs
from benchmarks._server import running

__all__ = ["run"]

_CALLS = 1000
_PAIRS = 40


def run() -> list[Row]:
    """Measure bursts that take turns. An error in any call ends the benchmark."""
    return asyncio.run(_run())


async def _run() -> list[Row]:
    with running() as server:
        async with sides(server) as reads:
            ours, bare, typed = (partial(_burst, call) for call in (reads.ours, reads.bare, reads.typed))
            for burst in (ours, bare, typed):
                await burst()
            whole = await async_pairs(ours, bare, count=_PAIRS, clock=time.perf_counter)
            codec = await async_pairs(typed, bare, count=_PAIRS, clock=time.perf_counter)
    return [
        _row("1,000 at once, calls per second", whole, Bar(0.88, at_least=True)),
        _row("  of aiohttp and our codec, without our session", codec),
    ]


def _row(what: str, measured: Pairs, bar: Bar | None = None) -> Row:
    return Row(
        what=what,
        ours=f"{_CALLS / median(measured.ours):,.0f}/s",
        floor=f"{_CALLS / median(measured.floor):,.0f}/s",
        values=[theirs / own for own, theirs in zip(measured.ours, measured.floor, strict=True)],
        bar=bar,
    )


async def _burst(call: Call) -> None:
    await asyncio.gather(*(call() for _ in range(_CALLS)))
