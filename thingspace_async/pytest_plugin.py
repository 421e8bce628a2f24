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
    """Add the fixtures, or where there is no plugin that can run them, those that say so."""
    # Named by its entry point, or after `-p` by its module.
    runnable = any(config.pluginmanager.hasplugin(name) for name in ("asyncio", "pytest_asyncio.plugin"))
    config.pluginmanager.register(_make_fixtures() if runnable else _Missing(), "thingspace_async_fixtures")


class _Missing:
    @pytest.fixture
    def thingspace_simulator(self) -> None:
        """Start a `Simulator`; needs pytest-asyncio."""
        pytest.fail(
            "the fixtures of thingspace_async need pytest-asyncio: pip install pytest-asyncio "
            "(and where PYTEST_DISABLE_PLUGIN_AUTOLOAD is set, load it with `-p asyncio`)",
            pytrace=False,
        )

    @pytest.fixture
    def thingspace_session(self, thingspace_simulator: None) -> None:
        """Open a `Session`; needs pytest-asyncio."""


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
