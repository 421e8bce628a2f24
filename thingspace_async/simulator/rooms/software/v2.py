"""Handlers for software management v2: software and files of HTTP devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.simulator.rooms.software import answers, files, logs
from thingspace_async.simulator.rooms.software.files import Files
from thingspace_async.simulator.rooms.software.messages import STATUSES, UPGRADE_STATUSES
from thingspace_async.simulator.rooms.software.reading import (
    callback_handlers,
    campaign_of,
    day_of,
    days_of,
    imeis_of,
    package_of,
    spelled_out,
    windows_of,
)
from thingspace_async.simulator.rooms.software.removals import cancel_removal, index_of, list_removals, plan_removal
from thingspace_async.simulator.rooms.software.store import (
    PACKAGES,
    Campaign,
    DeviceModel,
    Managed,
    Package,
    Software,
    invalid,
)
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required
from thingspace_async.software.v2.calls import CALLBACKS, DEVICE_HISTORY, LIST_DEVICES, LIST_PACKAGES, SUBSCRIPTION
from thingspace_async.software.v2.campaigns import (
    CANCEL,
    DEVICES,
    GET,
    LIST,
    SCHEDULE,
    SCHEDULE_FILE,
    SCHEDULE_SOFTWARE,
    UPDATE_DATES,
    UPDATE_DEVICES,
)
from thingspace_async.software.v2.files import LIST as LIST_FILES
from thingspace_async.software.v2.files import UPLOAD
from thingspace_async.software.v2.licenses import ASSIGN, CANCEL_REMOVAL, PLAN_REMOVAL, PLANNED_REMOVALS, REMOVE
from thingspace_async.software.v2.licenses import LIST as LIST_LICENSES
from thingspace_async.software.v2.logging import CHECK_INS, DISABLE, DISABLE_DEVICE, ENABLE, ENABLE_DEVICE, LOGS
from thingspace_async.software.v2.logging import LIST as LIST_LOGGED

__all__ = ["HANDLERS"]

_VERSION: Final = "v2"
_PROTOCOLS: Final = ("HTTP",)
_TYPES: Final = ("HTTP", "LWM2M", "OMD-DM")
_INSTALL: Final = "installTimeWindowList"
_WINDOWS: Final = ("downloadTimeWindowList", _INSTALL)
_LATER_DAYS: Final = ("downloadAfterDate", "installAfterDate")


# Software and devices


def _is_for_http(query: Mapping[str, str]) -> bool:
    """Return whether a query selects HTTP devices. There are no others in this version."""
    wanted = query.get("distributionType", "HTTP")
    if wanted not in _TYPES:
        reason = f"must be one of {', '.join(_TYPES)}"
        raise invalid("Invalid distributionType.", reason=reason, at=(query, "distributionType"))
    return wanted == "HTTP"


def list_packages(call: Call) -> Answer:
    """List the packages."""
    call.check_account(call.path["account_name"])
    packages = PACKAGES if _is_for_http(call.received.query) else ()
    body = [
        {
            "softwareName": one.name,
            "launchDate": one.launched.isoformat(),
            "releaseNote": "Simulated: fixes and improvements",
            "model": one.model.name,
            "make": one.model.make,
            "distributionType": "HTTP",
            "devicePlatformId": "IoT",
        }
        for one in packages
        if one.model.protocol in _PROTOCOLS
    ]
    return Answer(200, body)


def list_devices(call: Call) -> Answer:
    """Show a page of the devices."""
    account_name, room = call.check_account(call.path["account_name"]), call.platform.room(Software)
    devices = room.devices(account_name, _PROTOCOLS) if _is_for_http(call.received.query) else []
    found = answers.page_after(call, devices, lambda one: one.imei)
    body = {"accountName": account_name, **answers.paged(call, found, lambda one: one.imei)}
    return Answer(200, {**body, "deviceList": [_device(room, account_name, one) for one in found.items]})


def _device(room: Software, account_name: str, found: Managed) -> dict[str, Any]:
    created = spelled_out(found.device.created_at)
    return {
        "deviceId": found.imei,
        "mdn": found.device.mdn or "",
        "model": found.model.name,
        "make": found.model.make,
        "fotaEligible": found.eligible,
        "appFotaEligible": found.eligible,
        "licenseAssigned": found.imei in room.licenses[account_name].used_by,
        "distributionType": "HTTP",
        "softwareList": [
            {
                "name": found.version,
                "version": found.version.rpartition("_")[2],
                "upgradeTime": f"{found.device.created_at:%Y-%m-%dT%H:%M:%S}.000Z",
            }
        ],
        "createTime": created,
        "upgradeTime": created,
        "updateTime": created,
        "refreshTime": created,
    }


def device_history(call: Call) -> Answer:
    """List the campaigns of a device."""
    account_name, imei = call.check_account(call.path["account_name"]), call.path["device_id"]
    body = [
        {
            "deviceId": imei,
            "id": campaign.id,
            "accountName": account_name,
            "softwareName": campaign.shown.get("softwareName", ""),
            "startDate": campaign.start.isoformat(),
            "status": UPGRADE_STATUSES[upgrade.status],
            "reason": upgrade.reason,
        }
        for campaign, upgrade in call.platform.room(Software).history(account_name, _VERSION, imei)
    ]
    return Answer(200, body)


# Campaigns


def schedule(call: Call) -> Answer:
    """Accept a campaign for software."""
    document = call.document()
    package = package_of(document, "softwareName", _PROTOCOLS)
    allowed = {"softwareFrom": (package.version_from,), "softwareTo": (package.name, package.version_to)}
    for name, versions in allowed.items():
        if required(document, name, str) not in versions:
            raise invalid("Invalid software version.", reason=f"must be {' or '.join(versions)}", at=(document, name))
    shown = {name: document[name] for name in ("softwareName", "softwareFrom", "softwareTo")}
    return Answer(200, _shown(_added(call, document, package.model, package, shown)))


def schedule_file(call: Call) -> Answer:
    """Accept a campaign for a file."""
    account_name, document = call.check_account(call.path["account_name"]), call.document()
    named = required(document, "fileName", str), required(document, "fileVersion", str)
    stored = call.platform.room(Files).stored[account_name].get(named)
    if stored is None:
        raise invalid("The file could not be found.", reason="is not an uploaded file", at=(document, "fileName"))
    shown = {"fileName": named[0], "fileVersion": named[1]}
    campaign = _added(call, document, stored.model, None, shown)
    return Answer(200, {**_shown(campaign, as_text=True), "deviceList": list(campaign.devices)})


def schedule_software(call: Call) -> Answer:
    """Accept a campaign for software, and answer as to a campaign for a file."""
    schedule(call)
    campaigns = call.platform.room(Software).campaigns[call.path["account_name"]]
    campaign = next(reversed(campaigns.values()))
    return Answer(200, {**_shown(campaign, as_text=True), "deviceList": list(campaign.devices)})


def _added(
    call: Call, document: Mapping[str, Any], model: DeviceModel, package: Package | None, shown: Mapping[str, Any]
) -> Campaign:
    account_name, room = call.check_account(call.path["account_name"]), call.platform.room(Software)
    if required(document, "distributionType", str) != "HTTP":
        reason = "must be HTTP: v1 and v3 are for other devices"
        raise invalid("Invalid distributionType.", reason=reason, at=(document, "distributionType"))
    start, end = days_of(call, document)
    windows, times = _times_of(document)
    imeis = imeis_of(document)
    room.check(account_name, imeis, (document, "deviceList"))
    campaign = Campaign(
        id=call.platform.new_id(),
        account_name=account_name,
        version=_VERSION,
        name=optional(document, "campaignName", str),
        model=model,
        package=package,
        start=start,
        end=end,
        windows=windows,
        devices=room.new_devices(imeis),
        shown={**shown, **times},
    )
    return room.add(campaign)


def _times_of(document: Mapping[str, Any]) -> tuple[list[tuple[int, int]], dict[str, Any]]:
    """Read the hours for downloads, and the members for the other days and hours."""
    end, found = day_of(document, "endDate"), dict[str, Any]()
    for name in _LATER_DAYS:
        if document.get(name) is not None:
            if (day := day_of(document, name)) > end:
                raise invalid("Invalid date range.", reason="is after endDate", at=(document, name))
            found[name] = day.isoformat()
    download, install = (windows_of(document, name) for name in _WINDOWS)
    return download, {**found, _INSTALL: install}


def _shown(campaign: Campaign, *, as_text: bool = False) -> dict[str, Any]:
    hour: Callable[[int], int | str] = str if as_text else int
    shown = dict(campaign.shown)
    windows = dict(zip(_WINDOWS, (campaign.windows, shown.pop(_INSTALL)), strict=True))
    listed = {
        name: [{"startTime": hour(first), "endTime": hour(last)} for first, last in hours]
        for name, hours in windows.items()
        if hours
    }
    return {
        "id": campaign.id,
        "accountName": campaign.account_name,
        "campaignName": campaign.name or "",
        "distributionType": "HTTP",
        "make": campaign.model.make,
        "model": campaign.model.name,
        **shown,
        "startDate": campaign.start.isoformat(),
        "endDate": campaign.end.isoformat(),
        **listed,
        "status": STATUSES[_VERSION][campaign.state],
    }


def get_campaign(call: Call) -> Answer:
    """Show a campaign."""
    return Answer(200, _shown(campaign_of(call, _VERSION)))


def update_devices(call: Call) -> Answer:
    """Add devices to a campaign, or remove devices from it."""
    campaign = campaign_of(call, _VERSION)
    answers.change_devices(call, campaign, "Type", may_change=campaign.state in ("pending", "queued"))
    body = {"accountName": campaign.account_name, "campaignId": campaign.id, "requestId": call.platform.new_id()}
    return Answer(200, body)


def update_dates(call: Call) -> Answer:
    """Replace the dates and windows of a campaign."""
    campaign = campaign_of(call, _VERSION)
    windows, times = _times_of(call.document())
    answers.change_dates(call, campaign, windows)
    kept = {name: value for name, value in campaign.shown.items() if name not in _LATER_DAYS}
    campaign.shown = {**kept, **times}
    return Answer(200, _shown(campaign))


# Licenses


def assign_licenses(call: Call) -> Answer:
    """Assign licenses to devices."""
    return answers.changed_licenses(call, lambda room: room.assign, bought="licTotalCount")


def remove_licenses(call: Call) -> Answer:
    """Remove licenses from devices."""
    return answers.changed_licenses(call, lambda room: room.remove, bought="licTotalCount")


def planned_removals(call: Call) -> Answer:
    """Show a page of the devices that lose their licenses first."""
    query = call.received.query
    return list_removals(call, index_of(query.get("startIndex", "0"), (query, "startIndex")))


_REGISTER, _GET, _UPDATE, _DEREGISTER = callback_handlers(_VERSION)

HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    LIST_PACKAGES: list_packages,
    LIST_FILES: files.list_files,
    UPLOAD: files.upload_file,
    LIST_DEVICES: list_devices,
    DEVICE_HISTORY: device_history,
    SCHEDULE: schedule,
    SCHEDULE_SOFTWARE: schedule_software,
    SCHEDULE_FILE: schedule_file,
    GET: get_campaign,
    LIST: lambda call: answers.list_campaigns(call, _VERSION, _shown),
    DEVICES: lambda call: answers.list_campaign_devices(call, _VERSION),
    UPDATE_DEVICES: update_devices,
    UPDATE_DATES: update_dates,
    CANCEL: lambda call: answers.cancel_campaign(call, campaign_of(call, _VERSION)),
    LIST_LICENSES: lambda call: answers.list_licenses(call, "totalLicense"),
    ASSIGN: assign_licenses,
    REMOVE: remove_licenses,
    PLAN_REMOVAL: plan_removal,
    PLANNED_REMOVALS: planned_removals,
    CANCEL_REMOVAL: cancel_removal,
    LIST_LOGGED: logs.list_logged,
    ENABLE: logs.enable,
    DISABLE: logs.disable,
    ENABLE_DEVICE: logs.enable_device,
    DISABLE_DEVICE: logs.disable_device,
    LOGS: logs.list_logs,
    CHECK_INS: logs.list_check_ins,
    SUBSCRIPTION: answers.show_subscription,
    CALLBACKS.register: _REGISTER,
    CALLBACKS.get: _GET,
    CALLBACKS.update: _UPDATE,
    CALLBACKS.deregister: _DEREGISTER,
}
