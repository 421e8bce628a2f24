"""Handlers for software management v3: firmware of devices with LWM2M or OMA-DM."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.simulator.fleet import stamp
from thingspace_async.simulator.rooms.software import answers
from thingspace_async.simulator.rooms.software.messages import STATUSES, UPGRADE_STATUSES
from thingspace_async.simulator.rooms.software.reading import (
    callback_handlers,
    campaign_of,
    days_of,
    imeis_of,
    package_of,
    windows_of,
)
from thingspace_async.simulator.rooms.software.store import PACKAGES, Campaign, Managed, Software, Upgrade, invalid
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required
from thingspace_async.software.v3.calls import (
    ASSIGN_LICENSES,
    CALLBACKS,
    CANCEL_CAMPAIGN,
    DEVICE_HISTORY,
    GET_CAMPAIGN,
    LIST_CAMPAIGN_DEVICES,
    LIST_CAMPAIGNS,
    LIST_DEVICES,
    LIST_FIRMWARE,
    LIST_LICENSES,
    QUERY_DEVICES,
    REMOVE_LICENSES,
    REQUEST_REPORT,
    SCHEDULE,
    SUBSCRIPTION,
    SYNCHRONIZE,
    UPDATE_CAMPAIGN_DATES,
    UPDATE_CAMPAIGN_DEVICES,
)

__all__ = ["HANDLERS"]

_VERSION: Final = "v3"
_PROTOCOLS: Final = ("LWM2M", "OMA-DM")
_FIRMWARE_NAMES: Final = {"LWM2M": "LWM2M", "OMA-DM": "OMD-DM"}
"""The names of protocols in firmware and campaigns."""
_DEVICE_NAMES: Final = {"LWM2M": "LWM2M", "OMA-DM": "OMADM"}
"""The names of protocols of devices."""
_MOST_SYNCHRONIZED: Final = 100
_MOST_QUERIED: Final = 1_000


def _protocols(call: Call, names: Mapping[str, str]) -> list[str]:
    """Read the protocols that a query selects. The default is LWM2M."""
    wanted = call.received.query.get("protocol", "LWM2M")
    found = [protocol for protocol, name in names.items() if wanted in ("all", name)]
    if not found and wanted != "HTTP":
        listed = ", ".join(names.values())
        raise invalid("Invalid protocol.", reason=f"must be one of {listed}", at=(call.received.query, "protocol"))
    return found


# Firmware


def list_firmware(call: Call) -> Answer:
    """List the packages of a protocol."""
    call.check_account(call.path["account_name"])
    protocols = _protocols(call, _FIRMWARE_NAMES)
    body = [
        {
            "firmwareName": one.name,
            "firmwareFrom": one.version_from,
            "firmwareTo": one.version_to,
            "launchDate": f"{one.launched}T00:00:00Z",
            "releaseNote": "Simulated: fixes and improvements",
            "model": one.model.name,
            "make": one.model.make,
            "protocol": _FIRMWARE_NAMES[one.model.protocol],
        }
        for one in PACKAGES
        if one.model.protocol in protocols
    ]
    return Answer(200, body)


def request_report(call: Call) -> Answer:
    """Accept a request for the version of a device's firmware."""
    account_name, imei = call.check_account(call.path["account_name"]), call.path["device_id"]
    room, platform = call.platform.room(Software), call.platform
    if room.find(account_name, imei) is None:
        raise invalid("The device is not in the account.", reason="is unknown", at=(call.path, "device_id"))
    request_id = platform.new_id()

    def report() -> None:
        found = room.find(account_name, imei)
        device = {"deviceId": imei, **({} if found is None else _firmware_of(found, platform.clock.now()))}
        message = {"accountName": account_name, "type": "deviceFirmware", "requestId": request_id}
        platform.outbox.send(account_name, "FotaV3", {**message, "deviceList": [device]}, api="software_v3")

    platform.agenda.put(platform.clock.now() + platform.assumptions.request_time, report)
    return Answer(200, {"accountName": account_name, "requestId": request_id})


def synchronize(call: Call) -> Answer:
    """Show the firmware of devices."""
    account_name, document = call.check_account(call.path["account_name"]), call.document()
    room, now = call.platform.room(Software), call.platform.clock.now()
    listed: list[dict[str, Any]] = []
    for imei in imeis_of(document, _MOST_SYNCHRONIZED):
        found = room.find(account_name, imei)
        unknown = {"status": "FirmwareVersionUpdateFailed", "reason": "Unknown device", "firmwareVersion": ""}
        listed.append({"deviceId": imei, **(unknown if found is None else _firmware_of(found, now))})
    return Answer(200, {"accountName": account_name, "deviceFirmwarVersionList": listed})


def _firmware_of(found: Managed, now: datetime) -> dict[str, Any]:
    return {
        "status": "FirmwareVersionUpdateSuccess",
        "firmwareVersion": found.version,
        "firmwareVersionUpdateTime": stamp(now),
    }


# Devices


def list_devices(call: Call) -> Answer:
    """Show a page of the devices."""
    account_name, room = call.check_account(call.path["account_name"]), call.platform.room(Software)
    devices = room.devices(account_name, _protocols(call, _DEVICE_NAMES))
    found = answers.page_after(call, devices, lambda one: one.imei)
    body = {"accountName": account_name, **answers.paged(call, found, lambda one: one.imei)}
    return Answer(200, {**body, "deviceList": [_device(room, account_name, one) for one in found.items]})


def query_devices(call: Call) -> Answer:
    """Show devices by IMEI."""
    account_name, document = call.check_account(call.path["account_name"]), call.document()
    room = call.platform.room(Software)
    listed: list[dict[str, Any]] = []
    for imei in imeis_of(document, _MOST_QUERIED):
        found = room.find(account_name, imei)
        if found is None or found.model.protocol not in _PROTOCOLS:
            listed.append({"deviceId": imei, "requestStatus": "Failed", "resultReason": "Unknown device"})
        else:
            listed.append({"requestStatus": "Success", **_device(room, account_name, found)})
    return Answer(200, {"accountName": account_name, "deviceCount": len(listed), "deviceList": listed})


def _device(room: Software, account_name: str, found: Managed) -> dict[str, Any]:
    created = stamp(found.device.created_at)
    return {
        "deviceId": found.imei,
        "mdn": found.device.mdn or "",
        "model": found.model.name,
        "make": found.model.make,
        "firmware": found.version,
        "fotaEligible": found.eligible,
        "status": found.device.state,
        "licenseAssigned": found.imei in room.licenses[account_name].used_by,
        "protocol": _DEVICE_NAMES[found.model.protocol],
        "softwareList": [],
        "createTime": created,
        "updateTime": created,
    }


def device_history(call: Call) -> Answer:
    """List the upgrades of a device."""
    account_name, imei = call.check_account(call.path["account_name"]), call.path["device_id"]
    body = [
        {
            "deviceId": imei,
            "campaignId": campaign.id,
            "accountName": account_name,
            "firmwareName": campaign.shown["firmwareName"],
            "firmwareFrom": campaign.shown["firmwareFrom"],
            "firmwareTo": campaign.shown["firmwareTo"],
            "startDate": campaign.start.isoformat(),
            "status": UPGRADE_STATUSES[upgrade.status],
            "reason": upgrade.reason,
            "reportUpdatedTime": stamp(upgrade.updated or call.platform.clock.now()),
        }
        for campaign, upgrade in call.platform.room(Software).history(account_name, _VERSION, imei)
    ]
    return Answer(200, body)


# Campaigns


def schedule(call: Call) -> Answer:
    """Accept a campaign."""
    account_name, document = call.check_account(call.path["account_name"]), call.document()
    room = call.platform.room(Software)
    package = package_of(document, "firmwareName", _PROTOCOLS)
    for name, version in (("firmwareFrom", package.version_from), ("firmwareTo", package.version_to)):
        if required(document, name, str) != version:
            raise invalid("Invalid firmware version.", reason=f"must be {version}", at=(document, name))
    start, end = days_of(call, document)
    imeis = imeis_of(document)
    if required(document, "autoAssignLicenseFlag", bool):
        room.assign(account_name, imeis)
    room.check(account_name, imeis, (document, "deviceList"))
    shown = {name: document[name] for name in ("firmwareName", "firmwareFrom", "firmwareTo", "autoAssignLicenseFlag")}
    campaign = Campaign(
        id=call.platform.new_id(),
        account_name=account_name,
        version=_VERSION,
        name=optional(document, "campaignName", str),
        model=package.model,
        package=package,
        start=start,
        end=end,
        windows=windows_of(document, "campaignTimeWindowList"),
        devices=room.new_devices(imeis),
        shown=shown | {"autoAddDevicesFlag": required(document, "autoAddDevicesFlag", bool)},
    )
    return Answer(200, _campaign(room.add(campaign)))


def _campaign(campaign: Campaign, *, flags: bool = False) -> dict[str, Any]:
    shown = {name: value for name, value in campaign.shown.items() if flags or not name.endswith("Flag")}
    windows = [{"startTime": first, "endTime": last} for first, last in campaign.windows]
    return {
        "id": campaign.id,
        "accountName": campaign.account_name,
        "campaignName": campaign.name or "",
        **shown,
        "protocol": _FIRMWARE_NAMES[campaign.model.protocol],
        "make": campaign.model.make,
        "model": campaign.model.name,
        "startDate": campaign.start.isoformat(),
        "endDate": campaign.end.isoformat(),
        "campaignTimeWindowList": windows,
        "status": STATUSES[_VERSION][campaign.state],
    }


def get_campaign(call: Call) -> Answer:
    """Show a campaign."""
    return Answer(200, _campaign(campaign_of(call, _VERSION), flags=True))


def list_campaigns(call: Call) -> Answer:
    """Show a page of the campaigns with a status."""
    return answers.list_campaigns(call, _VERSION, _campaign)


def list_campaign_devices(call: Call) -> Answer:
    """Show a page of the devices of a campaign."""
    return answers.list_campaign_devices(call, _VERSION, _status)


def _status(imei: str, upgrade: Upgrade) -> dict[str, Any]:
    times = {
        "updatedTime": upgrade.updated,
        "recentAttemptTime": upgrade.attempted,
        "nextAttemptTime": upgrade.next_attempt,
    }
    known = {name: stamp(moment) for name, moment in times.items() if moment is not None}
    return answers.status_of(imei, upgrade) | known


def update_campaign_devices(call: Call) -> Answer:
    """Add devices to a campaign, or remove devices from it."""
    campaign = campaign_of(call, _VERSION)
    imeis, change = answers.change_devices(call, campaign, "Type", may_change=campaign.state in ("pending", "queued"))
    result = (
        {"status": "AddDeviceSucceed", "Reason": "Device added Successfully"}
        if change == "append"
        else {"status": "RemoveDeviceSucceed", "Reason": "Device removed Successfully"}
    )
    listed = [{"deviceId": imei, **result} for imei in imeis]
    return Answer(200, {"accountName": campaign.account_name, "campaignId": campaign.id, "deviceList": listed})


def update_campaign_dates(call: Call) -> Answer:
    """Replace the dates and windows of a campaign."""
    campaign = campaign_of(call, _VERSION)
    answers.change_dates(call, campaign, windows_of(call.document(), "campaignTimeWindowList"))
    return Answer(200, _campaign(campaign))


def cancel_campaign(call: Call) -> Answer:
    """Cancel a campaign, or abort it once it has begun."""
    return answers.cancel_campaign(call, campaign_of(call, _VERSION))


# Licenses


def list_licenses(call: Call) -> Answer:
    """Show a page of the devices that have a license."""
    return answers.list_licenses(call, "totalLicenses")


def assign_licenses(call: Call) -> Answer:
    """Assign licenses to devices."""
    return answers.changed_licenses(call, lambda room: room.assign)


def remove_licenses(call: Call) -> Answer:
    """Remove licenses from devices."""
    return answers.changed_licenses(call, lambda room: room.remove)


_REGISTER, _GET, _UPDATE, _DEREGISTER = callback_handlers(_VERSION)

HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    LIST_FIRMWARE: list_firmware,
    REQUEST_REPORT: request_report,
    SYNCHRONIZE: synchronize,
    LIST_DEVICES: list_devices,
    QUERY_DEVICES: query_devices,
    DEVICE_HISTORY: device_history,
    SCHEDULE: schedule,
    GET_CAMPAIGN: get_campaign,
    LIST_CAMPAIGNS: list_campaigns,
    LIST_CAMPAIGN_DEVICES: list_campaign_devices,
    UPDATE_CAMPAIGN_DEVICES: update_campaign_devices,
    UPDATE_CAMPAIGN_DATES: update_campaign_dates,
    CANCEL_CAMPAIGN: cancel_campaign,
    LIST_LICENSES: list_licenses,
    ASSIGN_LICENSES: assign_licenses,
    REMOVE_LICENSES: remove_licenses,
    SUBSCRIPTION: answers.show_subscription,
    CALLBACKS.register: _REGISTER,
    CALLBACKS.get: _GET,
    CALLBACKS.update: _UPDATE,
    CALLBACKS.deregister: _DEREGISTER,
}
