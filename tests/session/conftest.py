"""A fake platform, a session with it, and a check that no secret is logged."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.session.fake import Platform, running
from thingspace_async import Session


@pytest.fixture(autouse=True)
def _no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG, "thingspace_async")
    yield
    assert "hush" not in "".join(caplog.handler.format(record) for record in caplog.get_records("call"))


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    """A platform. All clients must have disconnected when the test ends."""
    async with running(Platform()) as ready:
        yield ready


@pytest.fixture
async def stranger() -> AsyncIterator[Platform]:
    """Another host, which must not receive any request."""
    async with running(Platform()) as ready:
        yield ready
        assert ready.calls == []


@pytest.fixture
async def session(platform: Platform) -> AsyncIterator[Session]:
    """An open session with the platform."""
    async with platform.session() as ready:
        yield ready
