"""The messages about campaigns, in the schema of each version (PROTOCOL.md 3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from thingspace_async.simulator.rooms.software.store import Campaign

__all__ = ["SERVICES", "STATUSES", "UPGRADE_STATUSES", "message_of"]

SERVICES: Final = {"v1": "Fota", "v2": "FotaV2", "v3": "FotaV3"}
"""The service of each version's listener. Only v1 has a name for it on the platform."""

_CAMPAIGN: Final = {
    "pending": "CampaignRequestPending",
    "queued": "CampaignRequestQueued",
    "scheduled": "CampaignScheduled",
    "ended": "CampaignEnded",
    "refused": "CampaignRequestFailed",
    "cancelled": "CampaignCancelled",
    "aborted": "CampaignAborted",
}
STATUSES: Final = {
    "v1": {
        "pending": "RequestPending",
        "queued": "Queued",
        "scheduled": "InProgress",
        "ended": "Finished",
        "refused": "RequestFailed",
        "cancelled": "Cancelled",
        "aborted": "UpgradeFailed",
    },
    "v2": _CAMPAIGN,
    "v3": _CAMPAIGN,
}
"""The status of a campaign by its state, in each version."""

UPGRADE_STATUSES: Final = {
    "pending": "UpgradePending",
    "scheduled": "UpgradeScheduled",
    "success": "UpgradeSuccess",
    "failed": "UpgradeFailed",
}
"""The status of a device by its state."""


def message_of(campaign: Campaign, imeis: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the service and the message about a campaign's state, or about the state of some of its devices.

    ASSUMPTION: the schema of v2 and v3. The documents mention that there is one.
    """
    devices = [
        {"deviceId": imei, "status": UPGRADE_STATUSES[found.status], "resultReason": found.reason}
        for imei in imeis
        if (found := campaign.devices.get(imei)) is not None
    ]
    status = STATUSES[campaign.version][campaign.state]
    build = _v1 if campaign.version == "v1" else _later
    return SERVICES[campaign.version], build(campaign, status, devices)


def _v1(campaign: Campaign, status: str, devices: list[dict[str, str]]) -> dict[str, Any]:
    name = "" if campaign.package is None else campaign.package.name
    upgrade = {"firmwareName": name, "upgradeId": campaign.id, "startDate": campaign.start.isoformat()}
    is_scheduled = campaign.state == "queued" and not devices
    kind = "upgradeScheduled" if is_scheduled else "upgradeProgress"
    return {
        "accountName": campaign.account_name,
        "participantName": campaign.model.make,
        "type": kind,
        "firmwareList": [],
        "upgradeScheduled": upgrade if is_scheduled else {},
        "upgradeProgress": {} if is_scheduled else {**upgrade, "status": status, "deviceList": devices},
    }


def _later(campaign: Campaign, status: str, devices: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "accountName": campaign.account_name,
        "type": "deviceStatus" if devices else "campaignStatus",
        "campaignId": campaign.id,
        "status": status,
        "deviceList": devices,
    }
