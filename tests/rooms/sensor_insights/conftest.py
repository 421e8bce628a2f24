"""A simulator whose clock only the tests move, with small pages, and a session on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from thingspace_async import Session
from thingspace_async.simulator import Assumptions, Simulator


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=12, assumptions=Assumptions(insights_page=5)) as cloud:
        cloud.clock.speed = 0
        yield cloud


@pytest.fixture
async def session(cloud: Simulator) -> AsyncIterator[Session]:
    """A session that sends each request once, so that tests decide about repeats."""
    async with Session(cloud.credentials, environment=cloud.environment, retries=0) as session:
        yield session
