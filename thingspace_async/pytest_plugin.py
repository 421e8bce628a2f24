"""Fixtures for the tests of applications: `thingspace_simulator`, `thingspace_session` and `thingspace_outcomes`.

`@pytest.mark.thingspace(devices=3, start="2026-11-01")` gives the simulator options, those of `Simulator`.

They need pytest-asyncio, in either of its modes. This module imports only pytest until a test uses a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from thingspace_async import Session
    from thingspace_async.callbacks import Outcomes
    from thingspace_async.simulator import Simulator

__all__ = ["pytest_configure"]


def pytest_configure(config: pytest.Config) -> None:
    """Add the fixtures. Without pytest-asyncio, add fixtures that report that it is missing."""
    config.addinivalue_line(
        "markers", "thingspace(**options): start the thingspace_simulator with options of Simulator, such as devices=3"
    )
    # The plugin's name is its entry point, or its module if it was loaded with `-p`.
    runnable = any(config.pluginmanager.hasplugin(name) for name in ("asyncio", "pytest_asyncio.plugin"))
    config.pluginmanager.register(_make_fixtures() if runnable else _Missing(), "thingspace_async_fixtures")


class _Missing:
    @pytest.fixture
    def thingspace_simulator(self) -> None:
        """Start a `Simulator`; needs pytest-asyncio."""
        pytest.fail(
            "the fixtures of thingspace_async need pytest-asyncio: pip install pytest-asyncio "
            "(if PYTEST_DISABLE_PLUGIN_AUTOLOAD is set, load it with `-p asyncio`)",
            pytrace=False,
        )

    @pytest.fixture
    def thingspace_session(self, thingspace_simulator: None) -> None:
        """Open a `Session`; needs pytest-asyncio."""

    @pytest.fixture
    def thingspace_outcomes(self, thingspace_session: None) -> None:
        """Return the `Outcomes` of the simulator's callbacks; needs pytest-asyncio."""


def _make_fixtures() -> object:
    # In strict mode, pytest-asyncio runs only fixtures with its own decorator. pytest has loaded it already, so the
    # import costs nothing.
    import pytest_asyncio

    class Fixtures:
        @pytest_asyncio.fixture
        async def thingspace_simulator(self, request: pytest.FixtureRequest) -> AsyncGenerator[Simulator]:
            """Start a `Simulator` with 100 devices, or with the options of `@pytest.mark.thingspace`."""
            from thingspace_async.simulator import Simulator

            async with Simulator(**_options_of(request)) as simulator:
                yield simulator

        @pytest_asyncio.fixture
        async def thingspace_session(self, thingspace_simulator: Simulator) -> AsyncGenerator[Session]:
            """Open a `Session` with `thingspace_simulator`."""
            from thingspace_async import Session

            credentials, environment = thingspace_simulator.credentials, thingspace_simulator.environment
            async with Session(credentials, environment=environment) as session:
                yield session

        @pytest_asyncio.fixture
        async def thingspace_outcomes(
            self, thingspace_simulator: Simulator, thingspace_session: Session
        ) -> AsyncGenerator[Outcomes]:
            """Register a receiver for the first account, and return its `Outcomes`. Advance the clock for results."""
            from thingspace_async.callbacks import MemoryInbox, Receiver
            from thingspace_async.callbacks.web import serve

            receiver, account_name = Receiver(MemoryInbox()), thingspace_simulator.account_name
            async with (
                serve(receiver, port=0) as url,
                thingspace_session.listen(account_name, receiver, base_url=url) as outcomes,
            ):
                yield outcomes

    return Fixtures()


def _options_of(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the options of the closest mark. `start` may be a string, in UTC unless it has a zone."""
    from datetime import UTC, datetime

    mark = request.node.get_closest_marker("thingspace")
    options: dict[str, Any] = {} if mark is None else dict(mark.kwargs)
    if isinstance(options.get("start"), str):
        start = datetime.fromisoformat(options["start"])
        options["start"] = start if start.tzinfo is not None else start.replace(tzinfo=UTC)
    return options
