"""Campaigns of v3 on the simulator, for tests."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

from thingspace_async import Session
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.fleet import Device
from thingspace_async.software import (
    AccountDevice,
    Campaign,
    CampaignRequest,
    DeviceListRequest,
    FirmwarePackage,
)

ACCOUNT = "0000123456-00001"


def today(cloud: Simulator) -> date:
    return cloud.clock.now().date()


def asked(cloud: Simulator) -> Counter[str | None]:
    """Count the answered requests of each operation."""
    return Counter(one.operation for one in cloud.requests if one.status == 200)


async def package(session: Session) -> FirmwarePackage:
    return (await session.software.firmware.list(ACCOUNT))[0]


async def fitting(session: Session, count: int | None = None) -> list[AccountDevice]:
    """Return eligible devices that have the version which the first package upgrades."""
    wanted = await package(session)
    found = [
        one
        async for one in session.software.devices.list(ACCOUNT)
        if one.fota_eligible and one.model == wanted.model and one.firmware == wanted.firmware_from
    ]
    assert count is None or len(found) >= count
    return found[:count]


def simulated(cloud: Simulator, device: AccountDevice) -> Device:
    found = cloud.devices.find_to_change("imei", device.device_id)
    assert found is not None
    return found


async def wanting(cloud: Simulator, session: Session, devices: Any, **changes: Any) -> CampaignRequest:
    """Return a request for a campaign of two days."""
    wanted = await package(session)
    values: dict[str, Any] = {
        "campaign_name": "spring",
        "firmware_name": wanted.firmware_name,
        "firmware_from": wanted.firmware_from,
        "firmware_to": wanted.firmware_to,
        "start_date": today(cloud),
        "end_date": today(cloud) + timedelta(days=1),
        "devices": devices,
    }
    return CampaignRequest(**values | changes)


async def scheduled(cloud: Simulator, session: Session, devices: list[AccountDevice], **changes: Any) -> Campaign:
    """Assign licenses and schedule a campaign."""
    await session.software.licenses.assign(ACCOUNT, DeviceListRequest(devices=devices))
    request = await wanting(cloud, session, devices, **changes)
    return await session.software.campaigns.schedule(ACCOUNT, request)


async def statuses(session: Session, campaign: Campaign) -> dict[str, str | None]:
    return {one.device_id: one.status async for one in session.software.campaigns.devices(ACCOUNT, campaign.id)}
