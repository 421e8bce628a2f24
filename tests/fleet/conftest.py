"""Fleet runs without the platform's request limit and long waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fleet.staging import Stage, staged
from thingspace_async._core import runs as ledger
from thingspace_async._core import store
from thingspace_async.callbacks import SqliteInbox
from thingspace_async.devices.fleet import reconciling, run, sending


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with SqliteInbox(tmp_path / "inbox.db") as inbox, staged(inbox) as ready:
        yield ready


@pytest.fixture(autouse=True)
def brisk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_times" in request.fixturenames:
        return
    if "real_pace" not in request.fixturenames:
        monkeypatch.setattr(store, "REQUESTS_PER_MINUTE", 60_000)
    monkeypatch.setattr(run, "_HELP_INTERVAL", 0.05)
    monkeypatch.setattr(ledger, "_PAUSE", 0.05)
    monkeypatch.setattr(sending, "_FIRST_WAIT", 0.02)
    monkeypatch.setattr(sending, "_LONGEST_WAIT", 0.1)
    monkeypatch.setattr(reconciling, "_FIRST_PAUSE", 0.05)


@pytest.fixture
def real_times() -> None:
    """Keep all times for a test that simulates the clock."""


@pytest.fixture
def real_pace() -> None:
    """Keep the platform's request limit for a test."""
