"""Fixtures for the tests of the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.inside import Inside
from tests.cli.place import ACCOUNT, Place
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.callbacks.web import serve
from thingspace_async.simulator import Assumptions, Simulator

SERVICES = (
    "CarrierService",
    "DeviceProfileService",
    "DiagnosticsService",
    "EnhancedConnectivityService",
    "SMSDeliveryConfirmation",
)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """Make a place with a platform that carries out requests after 50 ms."""
    soon = Assumptions(request_time=timedelta(seconds=0.05))
    async with Simulator(devices=50, assumptions=soon) as cloud, SqliteInbox(tmp_path / "messages.db") as inbox:
        receiver = Receiver(inbox)
        async with serve(receiver, port=0) as url:
            for service in SERVICES:
                receiver.expect(service, username="fleet", password="a password")
                cloud.listeners[ACCOUNT][service] = {
                    "accountName": ACCOUNT,
                    "serviceName": service,
                    "url": receiver.url_of(url, service),
                    "username": "fleet",
                    "password": "a password",
                }
            yield Place(tmp_path, cloud, url)


@pytest.fixture
def inside(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Inside:
    """Run commands in this process."""
    return Inside(capsys, monkeypatch)
