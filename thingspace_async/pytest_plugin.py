"""Fixtures for the tests of applications: `thingspace_simulator` and `thingspace_session`.

They need pytest-asyncio, in either of its modes. This module imports nothing but pytest until a test asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from thingspace_async import Session
    from thingspace_async.simulator import Simulator

__all__ = ["pytest_configure"]


def pytest_configure(config: pytest.Config) -> None:
    """Add the fixtures, where there is a plugin that can run them."""
    if config.pluginmanager.hasplugin("asyncio"):
        config.pluginmanager.register(_make_fixtures(), "thingspace_async_fixtures")


def _make_fixtures() -> object:
    # In its strict mode, pytest-asyncio runs only fixtures that are made with its own decorator. It has been loaded by
    # pytest already, so that importing it here costs nothing.
    import pytest_asyncio

    class Fixtures:
        @pytest_asyncio.fixture
        async def thingspace_simulator(self) -> AsyncGenerator[Simulator]:
            """Start a `Simulator` with 100 devices."""
            from thingspace_async.simulator import Simulator

            async with Simulator() as simulator:
                yield simulator

        @pytest_asyncio.fixture
        async def thingspace_session(self, thingspace_simulator: Simulator) -> AsyncGenerator[Session]:
            """Open a `Session` with `thingspace_simulator`."""
            from thingspace_async import Session

            credentials, environment = thingspace_simulator.credentials, thingspace_simulator.environment
            async with Session(credentials, environment=environment) as session:
                yield session

    return Fixtures()
