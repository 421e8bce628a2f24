"""The calls of v3 as the helpers for all versions need them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from thingspace_async.errors import InvalidRequest
from thingspace_async.software.following import CampaignState, FollowedCampaign
from thingspace_async.software.models import CampaignStatus, DeviceListRequest
from thingspace_async.software.upgrading import UpgradeCalls, UpgradeDevice
from thingspace_async.software.v3.models import AccountDevice, CampaignRequest

if TYPE_CHECKING:
    from thingspace_async.software.v3.calls import Campaigns, Version3

__all__ = ["followed", "upgrade_calls"]


def followed(campaigns: Campaigns, account_name: str, campaign_id: str) -> FollowedCampaign:
    """Return the reads of a campaign."""

    async def state() -> CampaignState:
        campaign = await campaigns.get(account_name, campaign_id)
        final = campaign.status is not None and campaign.status.final
        return CampaignState(status=campaign.status, final=final, grows=campaign.auto_add_devices is True)

    return FollowedCampaign(
        operation="software.campaigns",
        id=campaign_id,
        state=state,
        devices=lambda: campaigns.devices(account_name, campaign_id),
    )


def upgrade_calls(version: Version3, account_name: str, request: CampaignRequest) -> UpgradeCalls:
    """Return the calls for an upgrade."""
    campaigns = version.campaigns

    async def devices(imeis: tuple[str, ...]) -> list[UpgradeDevice]:
        found = await version.devices.query(account_name, DeviceListRequest(devices=imeis))
        return [_device(device) for device in found.devices if device.model is not None]

    async def schedule() -> str:
        return (await campaigns.schedule(account_name, request)).id

    return UpgradeCalls(
        operation="software.upgrade",
        account_name=account_name,
        name=request.campaign_name,
        imeis=request.devices,
        version_from=request.firmware_from,
        assigns_licenses=request.auto_assign_licenses,
        subscription=lambda: version.subscription(account_name),
        devices=devices,
        assign=lambda imeis: version.licenses.assign(account_name, DeviceListRequest(devices=imeis)),
        find=lambda: _find(campaigns, account_name, request),
        open_campaigns=lambda: _open(campaigns, account_name),
        schedule=schedule,
        followed=lambda campaign_id: followed(campaigns, account_name, campaign_id),
    )


def _device(device: AccountDevice) -> UpgradeDevice:
    return UpgradeDevice(
        imei=device.device_id,
        version=device.firmware,
        licensed=device.license_assigned is True,
        eligible=device.fota_eligible is not False,
    )


async def _find(campaigns: Campaigns, account_name: str, request: CampaignRequest) -> str | None:
    """Return the id of the campaign with the name of a request, in any state."""
    for status in CampaignStatus:
        async with aclosing(campaigns.list(account_name, status)) as listed:
            async for campaign in listed:
                if campaign.campaign_name == request.campaign_name:
                    if campaign.firmware_name != request.firmware_name:
                        raise InvalidRequest(
                            f"software.upgrade: the campaign {campaign.campaign_name} upgrades to "
                            f"{campaign.firmware_name}: choose another name"
                        )
                    return campaign.id
    return None


async def _open(campaigns: Campaigns, account_name: str) -> AsyncGenerator[str]:
    for status in CampaignStatus:
        if not status.final:
            async with aclosing(campaigns.list(account_name, status)) as listed:
                async for campaign in listed:
                    yield campaign.id
