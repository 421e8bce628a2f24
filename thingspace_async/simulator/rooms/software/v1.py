"""Handlers for software management v1: upgrades of devices with LWM2M or OMA-DM."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.simulator.fleet import stamp
from thingspace_async.simulator.mechanisms.pager import page
from thingspace_async.simulator.rooms.callbacks import check_url
from thingspace_async.simulator.rooms.software import answers
from thingspace_async.simulator.rooms.software.messages import SERVICES, STATUSES, UPGRADE_STATUSES
from thingspace_async.simulator.rooms.software.reading import campaign_of, days_of, imeis_of, package_of
from thingspace_async.simulator.rooms.software.removals import cancel_removal, index_of, list_removals, plan_removal
from thingspace_async.simulator.rooms.software.store import PACKAGES, Campaign, Managed, Software, Upgrade, invalid
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required
from thingspace_async.software.v1.calls import (
    ASSIGN_LICENSES,
    CANCEL,
    CANCEL_REMOVAL,
    DEREGISTER,
    DEVICE_HISTORY,
    GET_UPGRADE,
    LIST_CALLBACKS,
    LIST_DEVICES,
    LIST_FIRMWARE,
    LIST_LICENSES,
    LIST_UPGRADES,
    PLAN_REMOVAL,
    PLANNED_REMOVALS,
    REGISTER,
    REMOVE_LICENSES,
    SCHEDULE,
    SUBSCRIPTION,
    UPDATE_DEVICES,
)

__all__ = ["HANDLERS"]

_VERSION: Final = "v1"
_API: Final = "software_v1"
_SERVICE: Final = SERVICES[_VERSION]
_PROTOCOLS: Final = ("LWM2M", "OMA-DM")
_STATUSES: Final = {*STATUSES[_VERSION].values(), "UpgradeFailed"}


# Firmware and devices


def list_firmware(call: Call) -> Answer:
    """List the packages."""
    call.check_account(call.path["account_name"])
    body = [
        {
            "firmwareName": one.name,
            "participantName": one.model.make,
            "launchDate": f"{one.launched}T00:00:00Z",
            "releaseNote": "Simulated: fixes and improvements",
            "model": one.model.name,
            "make": one.model.make,
            "fromVersion": one.version_from,
            "toVersion": one.version_to,
        }
        for one in PACKAGES
        if one.model.protocol in _PROTOCOLS
    ]
    return Answer(200, body)


def list_devices(call: Call) -> Answer:
    """Show a page of the devices."""
    account_name, room = call.check_account(call.path["account_name"]), call.platform.room(Software)
    after = _start(call)
    devices = [one for one in room.devices(account_name, _PROTOCOLS) if int(one.imei) > after]
    found = page(devices, call.platform.assumptions.software_page)
    last = {"lastSeenDeviceId": int(found.items[-1].imei)} if found.items else {}
    listed = [_device(room, account_name, one) for one in found.items]
    return Answer(200, {"accountName": account_name, "hasMoreData": found.more, **last, "deviceList": listed})


def _start(call: Call) -> int:
    return index_of(call.path["start_index"], (call.path, "start_index"))


def _device(room: Software, account_name: str, found: Managed) -> dict[str, Any]:
    return {
        "deviceId": found.imei,
        "mdn": found.device.mdn or "",
        "model": found.model.name,
        "make": found.model.make,
        "firmware": found.version,
        "fotaEligible": found.eligible,
        "licenseAssigned": found.imei in room.licenses[account_name].used_by,
        "upgradeTime": stamp(found.device.created_at),
    }


def device_history(call: Call) -> Answer:
    """List the upgrades of a device."""
    account_name, imei = call.check_account(call.path["account_name"]), call.path["device_id"]
    now = call.platform.clock.now()
    body = [
        {
            "deviceId": imei,
            "id": campaign.id,
            "accountName": account_name,
            "firmwareFrom": "" if campaign.package is None else campaign.package.version_from,
            "firmwareTo": campaign.shown["firmwareTo"],
            "startDate": stamp(campaign.begins),
            "upgradeStartTime": stamp(upgrade.attempted or campaign.begins),
            "status": _status(campaign, now),
            "reason": upgrade.reason,
        }
        for campaign, upgrade in call.platform.room(Software).history(account_name, _VERSION, imei)
    ]
    return Answer(200, body)


# Upgrades


def schedule(call: Call) -> Answer:
    """Accept an upgrade."""
    document = call.document()
    account_name = call.check_account(required(document, "accountName", str))
    room, package = call.platform.room(Software), package_of(document, "firmwareName", _PROTOCOLS)
    if required(document, "firmwareTo", str) != package.version_to:
        raise invalid("Invalid firmware version.", reason=f"must be {package.version_to}", at=(document, "firmwareTo"))
    start, end = days_of(call, document)
    imeis = imeis_of(document)
    room.check(account_name, imeis, (document, "deviceList"))
    campaign = Campaign(
        id=call.platform.new_id(),
        account_name=account_name,
        version=_VERSION,
        model=package.model,
        package=package,
        start=start,
        end=end,
        devices=room.new_devices(imeis),
        shown={"firmwareName": package.name, "firmwareTo": package.version_to},
    )
    return _shown(call, room.add(campaign))


def _shown(call: Call, campaign: Campaign) -> Answer:
    return Answer(200, _upgrade(campaign, call.platform.clock.now()))


def _upgrade(campaign: Campaign, now: datetime) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "accountName": campaign.account_name,
        **campaign.shown,
        "startDate": stamp(campaign.begins),
        "status": _status(campaign, now),
        "deviceList": [_device_status(imei, one) for imei, one in campaign.devices.items()],
    }


def _status(campaign: Campaign, now: datetime) -> str:
    # A scheduled upgrade is in progress from its first day on.
    waits = campaign.state == "scheduled" and not campaign.has_begun(now)
    return STATUSES[_VERSION]["queued" if waits else campaign.state]


def _device_status(imei: str, upgrade: Upgrade) -> dict[str, Any]:
    if upgrade.status == "pending" and not upgrade.reason:
        return {"deviceId": imei, "status": "Device Accepted", "resultReason": "success"}
    return {"deviceId": imei, "status": UPGRADE_STATUSES[upgrade.status], "resultReason": upgrade.reason}


def get_upgrade(call: Call) -> Answer:
    """Show an upgrade."""
    return _shown(call, campaign_of(call, _VERSION, "upgrade_id"))


def list_upgrades(call: Call) -> Answer:
    """Show a page of the upgrades with a status."""
    account_name, wanted, now = (
        call.check_account(call.path["account_name"]),
        call.path["status"],
        call.platform.clock.now(),
    )
    if wanted not in _STATUSES:
        reason = f"must be one of {', '.join(sorted(_STATUSES))}"
        raise invalid("Invalid upgradeStatus.", reason=reason, at=(call.path, "status"))
    after = _start(call)
    campaigns = [
        one for one in call.platform.room(Software).campaigns[account_name].values() if one.version == _VERSION
    ]
    numbered = [
        (number, one) for number, one in enumerate(campaigns, start=1) if number > after and _status(one, now) == wanted
    ]
    found = page(numbered, answers.CAMPAIGNS_PER_PAGE)
    last = {"lastSeenUpgradeId": found.items[-1][0]} if found.items else {}
    reports = [_upgrade(one, now) for _, one in found.items] or None
    return Answer(200, {"hasMoreFlag": found.more, **last, "reportList": reports})


def update_devices(call: Call) -> Answer:
    """Add devices to an upgrade, or remove devices from it."""
    campaign = campaign_of(call, _VERSION, "upgrade_id")
    imeis, change = answers.change_devices(call, campaign, "type", may_change=_may_stop(call, campaign))
    reason = "Device added Successfully" if change == "append" else "Device removed Successfully"
    listed = [{"deviceId": imei, "status": "Success", "Reason": reason} for imei in imeis]
    return Answer(200, {"accountName": campaign.account_name, "id": campaign.id, "deviceList": listed})


def cancel(call: Call) -> Answer:
    """Cancel an upgrade that has not begun."""
    campaign = campaign_of(call, _VERSION, "upgrade_id")
    return answers.cancel_campaign(call, campaign, may_stop=_may_stop(call, campaign))


def _may_stop(call: Call, campaign: Campaign) -> bool:
    return not campaign.is_over and not campaign.has_begun(call.platform.clock.now())


# Licenses


def list_licenses(call: Call) -> Answer:
    """Show a page of the devices that have a license."""
    account_name, room = call.check_account(call.path["account_name"]), call.platform.room(Software)
    licensed, after = room.licensed(account_name), _start(call)
    found = page((imei for imei in licensed if int(imei) > after), call.platform.assumptions.software_page)
    body = {
        "accountName": account_name,
        "totalLicenses": room.licenses[account_name].bought,
        "assignedLicenses": len(licensed),
        "hasMoreData": found.more,
        "deviceList": [{"deviceId": imei, "assignmentTime": stamp(room.licensed_at[imei])} for imei in found.items],
    }
    return Answer(200, body | ({"lastSeenDeviceId": int(found.items[-1])} if found.items else {}))


def assign_licenses(call: Call) -> Answer:
    """Assign licenses to devices."""
    return answers.changed_licenses(call, lambda room: room.assign, reason="Reason")


def remove_licenses(call: Call) -> Answer:
    """Remove licenses from devices."""
    return answers.changed_licenses(call, lambda room: room.remove, reason="Reason")


# Callbacks


def register(call: Call) -> Answer:
    """Register a listener, which replaces the one before."""
    account_name, wanted = call.check_account(call.path["account_name"]), call.document()
    name, url = required(wanted, "name", str), required(wanted, "url", str)
    if name != _SERVICE:
        raise invalid("Invalid callback name.", reason=f"must be {_SERVICE}", at=(wanted, "name"))
    check_url(wanted, url)
    own = {part: optional(wanted, part, str) or "" for part in ("username", "password")}
    call.platform.listeners[_API].register(account_name, _SERVICE, url, **own)
    return Answer(200, {"accountName": account_name, "serviceName": _SERVICE})


def list_callbacks(call: Call) -> Answer:
    """List the listeners."""
    account_name = call.check_account(call.path["account_name"])
    listeners = call.platform.listeners[_API].by_account[account_name].values()
    body = [
        {
            "aname": account_name,
            "name": one["serviceName"],
            **{part: one[part] for part in ("url", "username", "password") if one[part]},
        }
        for one in listeners
    ]
    return Answer(200, body)


def deregister(call: Call) -> Answer:
    """Remove a listener."""
    account_name, service = call.check_account(call.path["account_name"]), call.path["service_name"]
    if not call.platform.listeners[_API].deregister(account_name, service):
        raise invalid("No callback is registered.", reason="has no listener", at=(call.path, "service_name"))
    return Answer(200, {"success": True})


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    LIST_FIRMWARE: list_firmware,
    SCHEDULE: schedule,
    GET_UPGRADE: get_upgrade,
    LIST_UPGRADES: list_upgrades,
    UPDATE_DEVICES: update_devices,
    CANCEL: cancel,
    LIST_DEVICES: list_devices,
    DEVICE_HISTORY: device_history,
    LIST_LICENSES: list_licenses,
    ASSIGN_LICENSES: assign_licenses,
    REMOVE_LICENSES: remove_licenses,
    PLAN_REMOVAL: plan_removal,
    PLANNED_REMOVALS: lambda call: list_removals(call, _start(call), stamp),
    CANCEL_REMOVAL: cancel_removal,
    SUBSCRIPTION: answers.show_subscription,
    REGISTER: register,
    LIST_CALLBACKS: list_callbacks,
    DEREGISTER: deregister,
}
