"""A simulator whose active devices can be observed, and what to ask of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from thingspace_async import DeviceId, Session
from thingspace_async.callbacks import MemoryInbox, Outcomes, Receiver
from thingspace_async.callbacks.web import serve
from thingspace_async.diagnostics import AttributeName, DiagnosticsCallbackService, ObservationRequest
from thingspace_async.simulator import Simulator

ACCOUNT = "0000123456-00001"
NOON = datetime(2026, 1, 15, 12, 1, tzinfo=UTC)
SERVICES = [DiagnosticsCallbackService.DIAGNOSTICS]
SIGNAL = AttributeName.RADIO_SIGNAL_STRENGTH


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    """A simulator whose active devices are reachable, with a clock that only tests move."""
    async with Simulator(devices=20) as cloud:
        cloud.clock.speed = 0
        cloud.clock.advance_to(NOON)
        for device in cloud.devices:
            if device.state == "active":
                cloud.report_reachability(device, reachable=True)
        yield cloud


@pytest.fixture
async def session(cloud: Simulator) -> AsyncIterator[Session]:
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        yield session


@pytest.fixture
async def outcomes(session: Session) -> AsyncIterator[Outcomes]:
    receiver = Receiver(MemoryInbox())
    async with (
        serve(receiver, port=0) as url,
        session.listen(ACCOUNT, receiver, base_url=url, services=SERVICES) as outcomes,
    ):
        yield outcomes


def active(cloud: Simulator, count: int = 1) -> list[DeviceId]:
    imeis = [str(one.imei) for one in cloud.devices if one.state == "active"]
    return [DeviceId.imei(imei) for imei in imeis[:count]]


def observing(*devices: Any, **changes: Any) -> ObservationRequest:
    given = {"frequency": timedelta(seconds=15), "duration": timedelta(minutes=1)}
    return ObservationRequest(**{"account_name": ACCOUNT, "devices": devices, "attributes": [SIGNAL]} | given | changes)
