"""Fleet runs: each device gets its outcome under any spelling of its identifiers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import attrs
import orjson
import pytest

from tests.fleet.staging import ACCOUNT, SOON, Stage, staged, until
from thingspace_async import DeviceId
from thingspace_async.callbacks import MemoryInbox
from thingspace_async.devices import FleetOutcome, FleetResult

Ids = list[dict[str, str]]

FAULT = {"faultcode": "UnifiedWebService.REQUEST_FAILED.UnexpectedError", "faultstring": "Could not suspend"}


class _Renaming(MemoryInbox):
    """An inbox that renames the devices of messages and keeps only their status."""

    def __init__(self, rename: Callable[[str], str | None]) -> None:
        super().__init__()
        self._rename = rename
        self.changes: dict[str, Any] = {}

    async def store(self, body: bytes, *, service: str | None = None) -> bool:
        message = orjson.loads(body)
        number = self._rename(message["deviceIds"][0]["id"])
        named = message["deviceIds"] if number is None else [{"kind": "Mdn", "id": number}]
        renamed = {"requestId": message["requestId"], "deviceIds": named, "status": "Success", **self.changes}
        return await super().store(orjson.dumps(renamed), service=service)


def active(stage: Stage, count: int) -> list[DeviceId]:
    """Return the IMEIs of devices in service."""
    devices = [stage.cloud.devices[place] for place in range(count)]
    for device in devices:
        device.state = "active"
    return [DeviceId(**one) for device in devices for one in device.device_ids if one["kind"] == "imei"]


async def suspend(stage: Stage, devices: list[DeviceId], **options: Any) -> list[FleetOutcome]:
    run: AsyncGenerator[FleetOutcome] = stage.session.devices.suspend_all(
        devices, stage.outcomes, run="autumn", account_name=ACCOUNT, **options
    )
    async with asyncio.timeout(30), aclosing(run) as coming:
        return [outcome async for outcome in coming]


def results_of(outcomes: list[FleetOutcome]) -> dict[str, tuple[FleetResult, bool | None]]:
    """Return the result of each device, and whether its outcome was inferred: None without an outcome."""
    return {
        one.device.device_ids[0].id: (one.result, one.outcome.inferred if one.outcome else None) for one in outcomes
    }


async def test_a_fleet_whose_identifiers_are_returned_in_other_forms_succeeds() -> None:
    async with (
        MemoryInbox() as inbox,
        staged(inbox, assumptions=attrs.evolve(SOON, other_spellings=True)) as stage,
    ):
        devices = active(stage, 30)
        outcomes = await suspend(stage, devices, devices_per_request=10)
    assert results_of(outcomes) == {one.id: (FleetResult.SUCCEEDED, False) for one in devices}
    assert {len(one.outcome.message.device_ids[0].id) for one in outcomes if one.outcome} == {14}


async def test_the_last_device_of_a_request_is_inferred_at_the_timeout() -> None:
    renamed: dict[str, str] = {}
    async with _Renaming(renamed.get) as inbox, staged(inbox) as stage:
        devices = active(stage, 10)
        renamed[devices[3].id] = "9085550001"
        outcomes = await suspend(stage, devices, timeout=timedelta(seconds=1))
    assert results_of(outcomes) == {one.id: (FleetResult.SUCCEEDED, one == devices[3]) for one in devices}


async def test_the_only_device_of_a_request_is_inferred_at_once_and_its_failure_says_so() -> None:
    async with _Renaming(lambda _: "9085550001") as inbox, staged(inbox) as stage:
        inbox.changes = {"status": "Failed", "faultResponse": FAULT}
        devices = active(stage, 1)
        (outcome,) = await suspend(stage, devices, timeout=timedelta(hours=1))
    assert results_of([outcome]) == {devices[0].id: (FleetResult.FAILED, True)}
    assert outcome.reason == (
        "Could not suspend; the message is about Mdn 9085550001, "
        "and the device was inferred as the last one without an outcome"
    )


async def test_devices_with_ambiguous_messages_are_missing_and_the_reason_names_the_messages() -> None:
    renamed: dict[str, str] = {}
    async with _Renaming(renamed.get) as inbox, staged(inbox) as stage:
        devices = active(stage, 4)
        renamed |= {devices[0].id: "9085550001", devices[2].id: "9085550002"}
        outcomes = await suspend(stage, devices, timeout=timedelta(seconds=1))
    missing = {one.device.device_ids[0]: one.reason for one in outcomes if one.result is FleetResult.MISSING}
    assert missing.keys() == {devices[0], devices[2]}
    for reason in missing.values():
        assert reason is not None
        assert "2 of the request's messages match none of its devices" in reason
        assert "Mdn 9085550001" in reason
        assert "Mdn 9085550002" in reason


@pytest.mark.parametrize("devices_per_request", [1, 2])
async def test_a_message_about_another_device_does_not_end_a_wait(devices_per_request: int) -> None:
    later = attrs.evolve(SOON, request_time=timedelta(minutes=1))
    async with MemoryInbox() as inbox, staged(inbox, assumptions=later) as stage:
        devices = active(stage, devices_per_request)
        run = asyncio.create_task(suspend(stage, devices, devices_per_request=devices_per_request))
        await until(lambda: bool(stage.cloud.late_requests))
        (request_id,) = stage.cloud.late_requests
        strange = {
            "requestId": request_id,
            "deviceIds": [{"kind": "Imei", "id": "990013907830009"}],
            "status": "Success",
        }
        await inbox.store(orjson.dumps(strange), service="CarrierService")
        await asyncio.sleep(0.1)
        assert not run.done()
        stage.cloud.clock.advance(61)
        assert results_of(await run) == {one.id: (FleetResult.SUCCEEDED, False) for one in devices}
