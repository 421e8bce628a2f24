"""Simulated time that passes while a campaign is followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from thingspace_async.simulator import Simulator


@asynccontextmanager
async def passing(cloud: Simulator, operation: str) -> AsyncIterator[None]:
    """Let six hours pass after each answer to an operation."""

    async def tick() -> None:
        seen = 0
        while True:
            await asyncio.sleep(0.001)
            answered = sum(one.operation == operation and one.status == 200 for one in cloud.requests)
            if answered > seen:
                seen = answered
                cloud.clock.advance(timedelta(hours=6))

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
