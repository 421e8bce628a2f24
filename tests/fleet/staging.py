"""A session, a simulator and delivered outcomes for tests of fleet runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any

import orjson
from aiohttp import web

from thingspace_async import DeviceId, DeviceIds, Session
from thingspace_async.callbacks import Inbox, Outcomes
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.web import serve
from thingspace_async.devices import FleetOutcome, FleetResult
from thingspace_async.simulator import Assumptions, Received, Simulator, faults

ACCOUNT = "0000123456-00001"
SOON = Assumptions(request_time=timedelta(seconds=0.05))
OPTIONS: dict[str, Any] = {"account_name": ACCOUNT, "service_plan": "M2M_4G_5MB", "mdn_zip_code": "94105"}


def new(number: int) -> DeviceIds:
    """Return a device that is in no account."""
    return DeviceIds(device_ids=(DeviceId.imei(f"35{number:012}0"), DeviceId.iccid(f"8914800000{number:09}")))


def fleet(count: int, first: int = 0) -> list[DeviceIds]:
    return [new(number) for number in range(first, first + count)]


class Stage:
    """A session, its simulator, and outcomes delivered over HTTP."""

    def __init__(self, cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
        self.cloud = cloud
        self.session = session
        self.outcomes = outcomes

    def activate(self, devices: Any, **options: Any) -> Any:
        return self.session.devices.activate_all(
            devices, self.outcomes, **{"run": "spring", "devices_per_request": 10, **OPTIONS, **options}
        )

    async def all(self, devices: Any, **options: Any) -> list[FleetOutcome]:
        async with asyncio.timeout(150), aclosing(self.activate(devices, **options)) as coming:
            return [outcome async for outcome in coming]

    @property
    def accepted(self) -> list[str]:
        """The IMEIs in accepted requests, in order."""
        return [imei for request in requests(self.cloud) if request.status == 200 for imei in imeis(request)]

    @property
    def sent(self) -> list[str]:
        """The IMEIs in all requests, in order."""
        return [imei for request in requests(self.cloud) for imei in imeis(request)]


class Held:
    """A fault that keeps an answer back until the test sets `go_on`."""

    def __init__(self) -> None:
        self.arrived, self.go_on = asyncio.Event(), asyncio.Event()

    async def play(self, stage: faults.Stage) -> web.StreamResponse:
        self.arrived.set()
        await self.go_on.wait()
        return stage.process().response()


class Tampered:
    """An inbox whose ledger uses the methods of `tampered` instead of its own, where they exist."""

    def __init__(self, inbox: Inbox, tampered: object) -> None:
        self._inbox = inbox
        self._tampered = tampered

    @property
    def ledger(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        for one in (self._tampered, self._inbox.ledger, self._inbox):
            if hasattr(one, name):
                return getattr(one, name)
        raise AttributeError(name)


def requests(cloud: Simulator) -> list[Received]:
    return [one for one in cloud.requests if one.operation == "devices.activate"]


def imeis(request: Received) -> list[str]:
    return [one["deviceIds"][0]["id"] for one in orjson.loads(request.body)["devices"]]


def imei(device: DeviceIds) -> str:
    return device.device_ids[0].id


def results(outcomes: list[FleetOutcome]) -> dict[str, FleetResult]:
    assert len({imei(one.device) for one in outcomes}) == len(outcomes), "a device has several outcomes"
    return {imei(one.device): one.result for one in outcomes}


def all_of(devices: list[DeviceIds], result: FleetResult) -> dict[str, FleetResult]:
    return {imei(one): result for one in devices}


@asynccontextmanager
async def staged(inbox: Inbox, **simulated: Any) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        cloud = await stack.enter_async_context(Simulator(**{"devices": 40, "assumptions": SOON, **simulated}))
        receiver = Receiver(inbox)
        url = await stack.enter_async_context(serve(receiver, port=0))
        receiver.expect("CarrierService", username="fleet", password="a password")
        cloud.listeners[ACCOUNT]["CarrierService"] = {
            "url": receiver.url_of(url, "CarrierService"),
            "username": "fleet",
            "password": "a password",
        }
        session = await stack.enter_async_context(Session(cloud.credentials, environment=cloud.environment, retries=0))
        yield Stage(cloud, session, Outcomes(inbox))


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
