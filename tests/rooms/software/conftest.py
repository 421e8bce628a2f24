"""A simulator whose clock only the tests move, and a session on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from thingspace_async import Session
from thingspace_async.simulator import Assumptions, Simulator


@pytest.fixture
async def cloud(request: pytest.FixtureRequest) -> AsyncIterator[Simulator]:
    """A simulator with 60 devices and pages of 7, or with the number and the page size that the test has as `param`."""
    devices, page = getattr(request, "param", (60, 7))
    async with Simulator(devices=devices, assumptions=Assumptions(software_page=page)) as cloud:
        cloud.clock.speed = 0
        for device in cloud.devices:
            cloud.fail_upgrades(device, times=0)
        yield cloud


@pytest.fixture
async def session(cloud: Simulator) -> AsyncIterator[Session]:
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        yield session
